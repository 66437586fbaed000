//! What each kind of output takes: one table, read by sessions and by `ferry check`.

use crate::session::OutputKind;
use hls::{AttributeList, Micros, Segment};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a kind of output takes, and how it wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// What its segments may be.
    pub containers: &'static [Container],
    /// The codecs that it takes; absent: any.
    pub codecs: Option<&'static [&'static str]>,
    /// Those of its codecs of which at least one must be there; empty: none need be.
    pub required: &'static [&'static str],
    /// Whether it takes encrypted segments. Where it does not, AES-128 is decrypted on the way.
    pub encrypted: bool,
    /// Whether its segments may be parts of a file; else each is a file of its own.
    pub byte_ranges: bool,
    /// Whether it takes subtitles.
    pub subtitles: bool,
    /// Whether it takes I-frame playlists.
    pub iframes: bool,
    /// The longest window, in seconds.
    pub longest_window: u32,
    /// Whether what left the window is to be deleted.
    pub deletes: bool,
    /// Requests a second that one of its endpoints takes; absent: as many as come.
    pub requests_a_second: Option<u32>,
    /// Streams that it takes; absent: any number.
    pub most_streams: Option<usize>,
    /// Tracks that one of its streams takes; absent: any number.
    pub most_tracks: Option<usize>,
}

/// A day: playlists of a longer window would be too long to be read over and over.
const A_DAY: u32 = 86_400;

/// Video that MediaPackage ingests over HLS.
const VIDEO: [&str; 2] = ["H.264", "HEVC"];

/// AWS Elemental MediaPackage v1.
pub const MEDIAPACKAGE: Abilities = Abilities {
    containers: &[
        Container::Ts,
        Container::Aac,
        Container::Ac3,
        Container::Eac3,
        Container::WebVtt,
    ],
    codecs: Some(&["H.264", "HEVC", "AAC", "AC-3", "E-AC-3", "WebVTT"]),
    required: &VIDEO,
    encrypted: false,
    byte_ranges: false,
    subtitles: true,
    // It makes its own (`IncludeIframeOnlyStream`).
    iframes: false,
    longest_window: A_DAY,
    deletes: false,
    // A channel takes 50 (AWS Elemental MediaPackage quotas), and has two endpoints.
    requests_a_second: Some(25),
    most_streams: Some(20),
    most_tracks: Some(10),
};

/// The HLS input of AWS Elemental MediaPackage v2: it takes what version 1 takes, faster.
pub const MEDIAPACKAGE_V2: Abilities = Abilities { requests_a_second: Some(100), ..MEDIAPACKAGE };

/// A collection of files behind WebDAV.
pub const WEBDAV: Abilities = Abilities {
    containers: &[
        Container::Ts,
        Container::Fmp4,
        Container::Aac,
        Container::Ac3,
        Container::Eac3,
        Container::Mp3,
        Container::WebVtt,
        Container::Unknown,
    ],
    codecs: None,
    required: &[],
    encrypted: true,
    byte_ranges: false,
    subtitles: true,
    iframes: true,
    longest_window: A_DAY,
    deletes: true,
    requests_a_second: None,
    most_streams: None,
    most_tracks: None,
};

/// Every output by the name that the API gives it.
pub const TABLE: [(&str, Abilities); 3] =
    [("mediapackage", MEDIAPACKAGE), ("mediapackagev2", MEDIAPACKAGE_V2), ("webdav", WEBDAV)];

impl OutputKind {
    /// What it takes.
    #[must_use]
    pub fn abilities(self) -> &'static Abilities {
        match self {
            Self::MediaPackage => &MEDIAPACKAGE,
            Self::WebDav => &WEBDAV,
        }
    }
}

/// A container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MPEG-2 transport stream.
    Ts,
    /// Fragmented MP4 (CMAF).
    Fmp4,
    /// Packed AAC.
    Aac,
    /// Packed AC-3.
    Ac3,
    /// Packed E-AC-3.
    Eac3,
    /// Packed MP3.
    Mp3,
    /// WebVTT.
    WebVtt,
    /// None of these, or encrypted.
    Unknown,
}

/// How segments are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// Whole, under a key that whoever may read the source can read.
    Aes128,
    /// In their samples, under such a key.
    SampleAes,
    /// Under a key of a DRM system (a KEYFORMAT that is not `identity`).
    Drm,
}

/// What a rendition is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Named by `EXT-X-STREAM-INF`.
    #[default]
    Variant,
    /// Alternative audio.
    Audio,
    /// Alternative video.
    Video,
    /// Subtitles.
    Subtitles,
    /// Captions in the video.
    ClosedCaptions,
    /// Named by `EXT-X-I-FRAME-STREAM-INF`.
    IFrames,
}

/// A rendition, as far as an output asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facet {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What its segments are; absent where that is not known.
    pub container: Option<Container>,
    /// Its codecs by name, such as `H.264`; empty where they are not known.
    pub codecs: BTreeSet<String>,
    /// How its segments are encrypted.
    pub protections: BTreeSet<Protection>,
    /// Of a variant: how many tracks play together, its own and those of its groups.
    pub tracks: usize,
    /// How long a segment plays, on average; absent where that is not known.
    pub segment: Option<Micros>,
}

/// Whether an output takes a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it does not; empty: it does.
    pub refused: Vec<String>,
    /// Renditions that are left out of what it takes, and why.
    pub left_out: Vec<(String, String)>,
}

impl Abilities {
    /// Whether this output takes a source of these renditions, as far as they are known.
    ///
    /// A source can do without subtitles and I-frames; without anything else it is another source.
    #[must_use]
    pub fn verdict(&self, facets: &[Facet]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut carried: Vec<&Facet> = Vec::new();
        let mut wrong: Vec<(&'static str, Vec<&str>)> = Vec::new();
        for facet in facets {
            match (self.objection(facet), facet.role) {
                (None, _) => carried.push(facet),
                (Some(why), Role::Subtitles | Role::IFrames) => {
                    verdict.left_out.push((facet.name.clone(), why.to_owned()));
                }
                (Some(why), Role::Variant | Role::Audio | Role::Video | Role::ClosedCaptions) => {
                    carried.push(facet);
                    match wrong.iter_mut().find(|(known, _)| *known == why) {
                        Some((_, names)) => names.push(&facet.name),
                        None => wrong.push((why, vec![&facet.name])),
                    }
                }
            }
        }
        for (why, mut names) in wrong {
            names.sort_unstable();
            names.dedup();
            verdict.refused.push(format!("{why}: {}", names.join(", ")));
        }
        self.judge_codecs(&carried, &mut verdict.refused);
        let streams: BTreeSet<&str> = carried
            .iter()
            .filter(|it| it.role != Role::ClosedCaptions)
            .map(|it| it.name.as_str())
            .collect();
        let tracks = carried.iter().map(|it| it.tracks).max().unwrap_or_default();
        for (count, most, what) in [
            (streams.len(), self.most_streams, "streams, and"),
            (tracks, self.most_tracks, "tracks, and"),
        ] {
            if let Some(most) = most.filter(|most| count > *most) {
                let of = if what.starts_with("tracks") { " a stream" } else { "" };
                verdict.refused.push(format!("{count} {what} {most}{of} is the limit"));
            }
        }
        let needed = requests(&carried);
        if let Some(most) = self.requests_a_second.filter(|most| needed > u64::from(*most)) {
            let why = format!("{needed} requests a second, and {most} an endpoint is the limit");
            verdict.refused.push(why);
        }
        verdict
    }

    /// Why one rendition is not taken, as it is and as it would be decrypted.
    fn objection(&self, facet: &Facet) -> Option<&'static str> {
        let clear = |protection: &Protection| match protection {
            Protection::Aes128 => true,
            Protection::SampleAes | Protection::Drm => self.encrypted,
        };
        let encrypted = !facet.protections.is_empty();
        if !facet.protections.iter().all(clear) {
            return Some("segments are encrypted, and only AES-128 can be decrypted on the way");
        }
        match facet.role {
            Role::IFrames if !self.iframes => return Some("I-frame playlists are not taken"),
            Role::Subtitles if !self.subtitles => return Some("subtitles are not taken"),
            Role::Variant
            | Role::Audio
            | Role::Video
            | Role::Subtitles
            | Role::ClosedCaptions
            | Role::IFrames => {}
        }
        match facet.container {
            None => None,
            Some(container) if self.containers.contains(&container) => None,
            Some(Container::Fmp4) => Some("segments are fMP4, and only TS is taken"),
            // What is encrypted does not show what it is.
            Some(Container::Unknown) if encrypted => None,
            Some(_) => Some("segments are not TS, packed audio or WebVTT"),
        }
    }

    fn judge_codecs(&self, carried: &[&Facet], refused: &mut Vec<String>) {
        let codecs: BTreeSet<&str> =
            carried.iter().flat_map(|facet| &facet.codecs).map(String::as_str).collect();
        if let Some(taken) = self.codecs {
            // Variants state the codecs of their subtitles as well, which may be left out.
            let matters = |codec: &&str| !taken.contains(codec) && *codec != "TTML";
            let unknown: Vec<&str> = codecs.iter().copied().filter(matters).collect();
            if !unknown.is_empty() {
                refused.push(format!("codecs that are not taken: {}", unknown.join(", ")));
            }
        }
        let required = |codec: &&str| self.required.contains(codec);
        // What a variant does not state it may well have.
        let mut variants = carried.iter().filter(|facet| facet.role == Role::Variant);
        let stated = !codecs.is_empty() && variants.all(|facet| !facet.codecs.is_empty());
        if stated && !self.required.is_empty() && !codecs.iter().any(required) {
            refused.push(format!("no rendition has {} video", self.required.join(" or ")));
        }
    }
}

/// How long a segment plays of so many that play for `length`; absent where too few are listed to tell.
#[must_use]
pub fn on_average(length: Micros, segments: usize) -> Option<Micros> {
    (segments >= FEWEST).then(|| Micros(length.0 / segments as u64))
}

/// A live playlist lists no fewer segments (RFC 8216 section 6.2.2 asks for three target durations).
const FEWEST: usize = 3;

/// How many requests a second renditions need: each segment is one, and the playlist that lists it another.
fn requests(facets: &[&Facet]) -> u64 {
    let lengths = facets.iter().filter_map(|facet| facet.segment);
    let in_a_thousand = lengths.filter_map(|length| 2_000_000_000_u64.checked_div(length.0));
    in_a_thousand.fold(0, u64::saturating_add).div_ceil(1_000)
}

/// How a key protects what it is for.
#[must_use]
pub fn protection(key: &AttributeList) -> Protection {
    match (key.get("METHOD"), key.get("KEYFORMAT").unwrap_or("identity")) {
        (Some("AES-128"), "identity") => Protection::Aes128,
        (_, "identity") => Protection::SampleAes,
        _ => Protection::Drm,
    }
}

/// How a segment is encrypted: whole under a readable key where one of its keys is such a one.
#[must_use]
pub fn protection_of(segment: &Segment) -> Option<Protection> {
    segment.keys.iter().map(protection).min()
}

/// The codecs that the value of a `CODECS` names (RFC 6381), such as `H.264`; what is not known
/// stays as it is.
#[must_use]
pub fn codecs(value: &str) -> BTreeSet<String> {
    value.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(codec).collect()
}

fn codec(entry: &str) -> String {
    let family = entry.split('.').next().unwrap_or(entry);
    let name = match family {
        "avc1" | "avc3" => "H.264",
        "hvc1" | "hev1" | "dvh1" | "dvhe" => "HEVC",
        "av01" => "AV1",
        "vp09" => "VP9",
        "ac-3" => "AC-3",
        "ec-3" => "E-AC-3",
        "wvtt" => "WebVTT",
        "stpp" => "TTML",
        _ if matches!(entry, "mp4a.40.34" | "mp4a.6B" | "mp4a.69") => "MP3",
        "mp4a" => "AAC",
        _ => return entry.to_owned(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_tells_what_is_refused_from_what_is_left_out() {
        let facet = |role, container, protection: Option<Protection>, stated: &str| Facet {
            name: "r".to_owned(),
            role,
            container,
            codecs: codecs(stated),
            protections: protection.into_iter().collect(),
            ..Facet::default()
        };
        let (variant, ts, fmp4) = (Role::Variant, Some(Container::Ts), Some(Container::Fmp4));
        let (aes, sample) = (Some(Protection::Aes128), Some(Protection::SampleAes));
        for (what, facet, refused, left_out) in [
            ("TS", facet(variant, ts, None, "avc1.4d401f,mp4a.40.2"), "", ""),
            ("not known yet", facet(variant, None, None, ""), "", ""),
            ("AES-128", facet(variant, ts, aes, ""), "", ""),
            ("an encrypted one", facet(variant, Some(Container::Unknown), aes, ""), "", ""),
            ("SAMPLE-AES", facet(variant, ts, sample, ""), "only AES-128", ""),
            ("DRM", facet(variant, ts, Some(Protection::Drm), ""), "only AES-128", ""),
            ("fMP4", facet(variant, fmp4, None, ""), "only TS is taken", ""),
            ("fMP4 audio", facet(Role::Audio, fmp4, None, ""), "only TS is taken", ""),
            ("MP3", facet(Role::Audio, Some(Container::Mp3), None, ""), "not TS, packed", ""),
            ("AV1", facet(variant, ts, None, "av01.0"), "not taken: AV1", ""),
            ("no video", facet(variant, ts, None, "mp4a.40.2"), "no rendition has H.264", ""),
            ("TTML beside it", facet(variant, ts, None, "avc1.4d,stpp.ttml"), "", ""),
            ("TTML", facet(Role::Subtitles, fmp4, None, ""), "", "only TS is taken"),
            ("I-frames", facet(Role::IFrames, None, None, ""), "", "I-frame playlists"),
        ] {
            let facets = [facet];
            let verdict = MEDIAPACKAGE.verdict(&facets);
            let said = verdict.refused.join("; ");
            assert!(
                said.contains(refused) && said.is_empty() == refused.is_empty(),
                "{what}: {said}"
            );
            let said: String = verdict.left_out.into_iter().map(|(_, why)| why).collect();
            assert!(
                said.contains(left_out) && said.is_empty() == left_out.is_empty(),
                "{what}: {said}"
            );
            assert_eq!(WEBDAV.verdict(&facets), Verdict::default(), "{what}");
        }
    }

    #[test]
    fn what_is_too_much_is_said() {
        let facets = |role, count: usize| {
            let facet = |name| Facet { name: format!("{name}"), role, ..Facet::default() };
            (0..count).map(facet).collect::<Vec<_>>()
        };
        let refused = |facets: &[Facet]| MEDIAPACKAGE.verdict(facets).refused.join("; ");
        assert_eq!(refused(&facets(Role::Variant, 20)), "");
        assert_eq!(refused(&facets(Role::Variant, 21)), "21 streams, and 20 is the limit");
        let of = |tracks| [Facet { tracks, ..Facet::default() }, Facet::default()];
        assert_eq!(refused(&of(10)), "");
        assert_eq!(refused(&of(11)), "11 tracks, and 10 a stream is the limit");
        let lasting = |count, millis| {
            let facet = Facet { segment: Some(Micros::from_millis(millis)), ..Facet::default() };
            refused(&vec![facet; count])
        };
        assert_eq!(lasting(12, 960), "");
        assert_eq!(lasting(20, 1_600), "");
        assert_eq!(lasting(20, 0), "");
        for (count, millis, needed) in [(12, 959, 26), (13, 1_000, 26), (1, 1, 2_000)] {
            let limit = "requests a second, and 25 an endpoint is the limit";
            assert_eq!(lasting(count, millis), format!("{needed} {limit}"));
        }
    }

    #[test]
    fn codecs_that_one_variant_states_say_nothing_of_another() {
        let of = |stated| Facet { codecs: codecs(stated), ..Facet::default() };
        let refused = |facets: &[Facet]| MEDIAPACKAGE.verdict(facets).refused.join("; ");
        assert_eq!(refused(&[of("mp4a.40.2"), of("")]), "");
        assert_eq!(
            refused(&[of("mp4a.40.2"), of("mp4a.40.5")]),
            "no rendition has H.264 or HEVC video"
        );
    }
}
