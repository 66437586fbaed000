//! Families of codecs: what a player must be able to decode, and cannot change in the middle of a playlist.

use std::collections::BTreeSet;

/// The families of a `CODECS` value: what comes before the first point of each.
pub(crate) fn families(codecs: &str) -> String {
    let mut families: Vec<&str> =
        codecs.split(',').filter_map(|codec| codec.trim().split('.').next()).collect();
    families.sort_unstable();
    families.dedup();
    families.join(", ")
}

/// The families of sound in a `CODECS` value.
pub(crate) fn sounds(codecs: &str) -> BTreeSet<&'static str> {
    codecs.split(',').filter_map(sound).collect()
}

/// The families of subtitles in a `CODECS` value. WebVTT by itself is in none.
pub(crate) fn texts(codecs: &str) -> BTreeSet<&'static str> {
    codecs.split(',').filter_map(text).collect()
}

/// Whether variants of some families can follow each other, with their sound where they have it in them.
pub(crate) fn are_alike(one: &str, other: &str, with_sound: bool) -> bool {
    let kept = |families: &'_ str| -> BTreeSet<String> {
        // Subtitles are beside variants, and what has none may follow.
        let seen = families.split(',').filter(|family| text(family).is_none());
        let all = || seen.clone().map(|family| family.trim().to_owned());
        let picture: BTreeSet<String> = all().filter(|it| sound(it).is_none()).collect();
        // A variant of sound alone is what it sounds like.
        if with_sound || picture.is_empty() { all().collect() } else { picture }
    };
    one.is_empty() || other.is_empty() || kept(one) == kept(other)
}

const SOUNDS: [&str; 15] = [
    "mp4a", "mp3", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "dtsc", "dtse", "dtsh", "dtsl",
    "dtsx", "mha1", "mhm1",
];

/// The family of a codec where that is of sound (RFC 6381, and the registry of MP4).
fn sound(codec: &str) -> Option<&'static str> {
    let codec = codec.trim().to_ascii_lowercase();
    let (family, kind) = codec.split_once('.').unwrap_or((&codec, ""));
    match (family, kind) {
        ("mp4a", "40.34" | "69" | "6b") => Some("mp3"),
        ("mp4a", "a5") => Some("ac-3"),
        ("mp4a", "a6") => Some("ec-3"),
        _ => SOUNDS.into_iter().find(|sound| *sound == family),
    }
}

/// The family of a codec where that is of subtitles.
fn text(codec: &str) -> Option<&'static str> {
    let family = codec.trim().split('.').next();
    ["stpp", "wvtt"].into_iter().find(|text| Some(*text) == family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_of_a_codec_is_told_from_its_picture() {
        for (codecs, expected) in [
            ("avc1.4d400d, mp4a.40.2", &["mp4a"][..]),
            ("mp4a.40.5,mp4a.40.29", &["mp4a"]),
            ("hvc1.2.4.L123,EC-3,ac-3", &["ac-3", "ec-3"]),
            ("avc1.4d400d,mp4a.40.34", &["mp3"]),
            ("avc1.4d400d,mp4a.A5", &["ac-3"]),
            ("avc1.4d400d,mp4a.a6", &["ec-3"]),
            ("fLaC", &["flac"]),
            ("Opus, vp09.00.10.08", &["opus"]),
            ("avc1.4d400d,stpp.ttml.im1t", &[]),
            ("", &[]),
        ] {
            assert_eq!(sounds(codecs).into_iter().collect::<Vec<_>>(), expected, "{codecs}");
        }
    }

    #[test]
    fn variants_follow_each_other_where_a_player_decodes_them_alike() {
        for (one, other, with_sound, expected) in [
            ("avc1, mp4a", "avc1, mp4a", true, true),
            ("avc1, mp4a", "ac-3, avc1", true, false),
            ("avc1, mp4a", "ac-3, avc1", false, true),
            ("avc1, mp4a", "hvc1, mp4a", false, false),
            ("mp4a", "mp4a", false, true),
            ("mp4a", "ac-3", false, false),
            ("avc1, stpp", "avc1", true, true),
            ("", "avc1, mp4a", true, true),
            ("avc1, mp4a", "", true, true),
        ] {
            assert_eq!(are_alike(one, other, with_sound), expected, "{one}; {other} {with_sound}");
        }
    }
}
