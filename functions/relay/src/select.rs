//! Which renditions of a source are wanted.

use hls::{AttributeList, Line, MediaKind, MultivariantPlaylist, Variant};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Which renditions are wanted; what is absent or empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Variants of this many lines at least. What states no resolution passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_height: Option<u64>,
    /// Variants of this many lines at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u64>,
    /// Variants of this many bits a second at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_bandwidth: Option<u64>,
    /// Variants of this many bits a second at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bandwidth: Option<u64>,
    /// Variants all of whose `CODECS` begin with one of these, such as `avc1` and `mp4a`. What states
    /// none passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codecs: Vec<String>,
    /// Audio and subtitles in these languages, such as `en`, which is `en-GB` as well. What states no
    /// language passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// What is wanted beside the variants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// At most so many variants: those of the highest bandwidths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What may be wanted beside the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Alternative audio.
    Audio,
    /// Alternative video.
    Video,
    /// Subtitles.
    Subtitles,
    /// Captions in the video.
    ClosedCaptions,
    /// I-frame playlists.
    IFrames,
}

/// Why nothing of a source is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwanted {
    /// Not one of its variants.
    #[error("of this source's variants renditions wants none: {}", some(.0))]
    Variants(Vec<String>),
    /// What is wanted would have no sound.
    #[error("of this source's audio renditions.languages wants none: {}", some(.0))]
    Audio(Vec<String>),
}

/// As many as one wants to read.
fn some(all: &[String]) -> String {
    const MOST: usize = 5;
    match all.get(MOST..).unwrap_or_default().len() {
        0 => all.join("; "),
        more => format!("{}; and {more} more", all[..MOST].join("; ")),
    }
}

impl Filter {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The playlist with the lines of what is wanted. Variants whose sound is in other languages go
    /// where others have it in one that is wanted.
    ///
    /// # Errors
    /// When that is nothing, or would have lost its sound for its language.
    pub fn choose(&self, playlist: MultivariantPlaylist) -> Result<MultivariantPlaylist, Unwanted> {
        let offered: Vec<String> = playlist.variants().map(shown).collect();
        let spoken = spoken(&playlist);
        let mut wanted = self.apply(playlist);
        if wanted.variants().next().is_none() && !offered.is_empty() {
            return Err(Unwanted::Variants(offered));
        }
        let heard = self::spoken(&wanted);
        // Who wants no audio beside the variants has said so.
        let for_language = !self.languages.is_empty()
            && (self.kinds.is_empty() || self.kinds.contains(&Kind::Audio));
        let lost = |variant: &Variant| {
            let group = variant.attributes.get("AUDIO").filter(|_| for_language);
            group.filter(|&group| !heard.contains_key(group)).and_then(|group| spoken.get(group))
        };
        // Some say what is asked for: then it is those that are wanted.
        if heard.values().flatten().any(Option::is_some) {
            wanted.lines.retain(|line| !matches!(line, Line::Variant(it) if lost(it).is_some()));
            return Ok(self.apply(wanted));
        }
        match wanted.variants().filter_map(lost).min() {
            Some(languages) => {
                let stated = languages.iter().map(|it| it.as_deref().unwrap_or("no language"));
                Err(Unwanted::Audio(stated.map(str::to_owned).collect()))
            }
            None => Ok(wanted),
        }
    }

    /// The playlist with the lines of what is wanted. Groups that no variant refers to any more go.
    #[must_use]
    pub fn apply(&self, mut playlist: MultivariantPlaylist) -> MultivariantPlaylist {
        if self.is_empty() {
            return playlist;
        }
        playlist.lines.retain(|line| self.wants(line));
        if let Some(limit) = self.limit {
            let mut bandwidths: Vec<u64> = playlist.variants().map(|it| it.bandwidth).collect();
            bandwidths.sort_by_key(|bandwidth| Reverse(*bandwidth));
            let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
            let least = bandwidths.get(left.saturating_sub(1)).copied().unwrap_or_default();
            playlist.lines.retain(|line| match line {
                Line::Variant(variant) => {
                    let wanted = variant.bandwidth >= least && left > 0;
                    left -= usize::from(wanted);
                    wanted
                }
                Line::Media(_) | Line::IFrame(_) | Line::Other(_) => true,
            });
        }
        let referred: Vec<AttributeList> =
            playlist.variants().map(|variant| variant.attributes.clone()).collect();
        playlist.lines.retain(|line| match line {
            Line::Media(media) => {
                let (_, attribute) = group_attribute(media.kind);
                referred.iter().any(|it| it.get(attribute) == Some(media.group_id()))
            }
            Line::Variant(_) | Line::IFrame(_) | Line::Other(_) => true,
        });
        playlist
    }

    fn wants(&self, line: &Line) -> bool {
        let kind = |kind| self.kinds.is_empty() || self.kinds.contains(&kind);
        match line {
            Line::Variant(variant) => {
                self.wants_video(&variant.attributes) && self.wants_bandwidth(variant)
            }
            Line::IFrame(attributes) => kind(Kind::IFrames) && self.wants_video(attributes),
            Line::Media(media) => {
                let spoken = matches!(media.kind, MediaKind::Audio | MediaKind::Subtitles);
                let language = media.language().filter(|_| spoken);
                kind(group_attribute(media.kind).0)
                    && language.is_none_or(|language| self.speaks(language))
            }
            Line::Other(_) => true,
        }
    }

    fn wants_video(&self, attributes: &AttributeList) -> bool {
        let height = attributes.get("RESOLUTION").and_then(|it| it.split_once(['x', 'X']));
        let height = height.and_then(|(_, height)| height.trim().parse::<u64>().ok());
        let codecs = attributes.get("CODECS").unwrap_or_default();
        let mut codecs = codecs.split(',').map(str::trim).filter(|codec| !codec.is_empty());
        let within = within(self.min_height, self.max_height);
        height.is_none_or(within)
            && (self.codecs.is_empty()
                || codecs.all(|codec| self.codecs.iter().any(|it| codec.starts_with(&**it))))
    }

    fn wants_bandwidth(&self, variant: &Variant) -> bool {
        within(self.min_bandwidth, self.max_bandwidth)(variant.bandwidth)
    }

    fn speaks(&self, language: &str) -> bool {
        let same = |wanted: &String| {
            let rest = language.get(..wanted.len()).filter(|it| it.eq_ignore_ascii_case(wanted));
            rest.is_some() && language[wanted.len()..].chars().next().is_none_or(|next| next == '-')
        };
        self.languages.is_empty() || self.languages.iter().any(same)
    }
}

/// What tells a variant from the others.
fn shown(variant: &Variant) -> String {
    let stated = ["RESOLUTION", "CODECS"].into_iter().filter_map(|it| variant.attributes.get(it));
    let bandwidth = format!("{} bit/s", variant.bandwidth);
    [bandwidth.as_str()].into_iter().chain(stated).collect::<Vec<_>>().join(" ")
}

/// The groups of audio all of whose renditions lie apart from the variants, and their languages.
fn spoken(playlist: &MultivariantPlaylist) -> BTreeMap<String, Vec<Option<String>>> {
    let mut groups: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let audio = || {
        playlist.lines.iter().filter_map(|line| match line {
            Line::Media(media) if media.kind == MediaKind::Audio => Some(media),
            Line::Media(_) | Line::Variant(_) | Line::IFrame(_) | Line::Other(_) => None,
        })
    };
    for media in audio() {
        let languages = groups.entry(media.group_id().to_owned()).or_default();
        languages.push(media.language().map(str::to_owned));
    }
    for media in audio().filter(|media| media.uri().is_none()) {
        groups.remove(media.group_id());
    }
    groups
}

fn within(min: Option<u64>, max: Option<u64>) -> impl Fn(u64) -> bool {
    move |number| min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
}

/// A kind of rendition, and the attribute of a variant that refers to its groups.
fn group_attribute(kind: MediaKind) -> (Kind, &'static str) {
    match kind {
        MediaKind::Audio => (Kind::Audio, "AUDIO"),
        MediaKind::Video => (Kind::Video, "VIDEO"),
        MediaKind::Subtitles => (Kind::Subtitles, "SUBTITLES"),
        MediaKind::ClosedCaptions => (Kind::ClosedCaptions, "CLOSED-CAPTIONS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="e",LANGUAGE="en-GB",URI="en"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="s",LANGUAGE="sv",URI="sv"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",NAME="m",URI="music"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="t",NAME="t",LANGUAGE="en",URI="text"
#EXT-X-STREAM-INF:BANDWIDTH=3,RESOLUTION=1920x1080,CODECS="hvc1.1,mp4a.40.2",AUDIO="b"
1080
#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1280x720,CODECS="avc1.4,mp4a.40.2",AUDIO="a",SUBTITLES="t"
720
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,CODECS="avc1.4,mp4a.40.2",AUDIO="a"
360
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,URI="i"
"#;

    fn source() -> MultivariantPlaylist {
        match hls::parse(SOURCE.as_bytes(), &hls::Limits::default()).unwrap() {
            hls::Playlist::Multivariant(playlist) => playlist,
            hls::Playlist::Media(_) => panic!("it is multivariant"),
        }
    }

    #[test]
    fn a_filter_that_wants_nothing_of_a_source_says_what_there_is() {
        let languages = || vec!["fi".to_owned()];
        let none = Filter::default;
        for (filter, said) in [
            (
                Filter { min_height: Some(2_000), ..none() },
                "of this source's variants renditions wants none: 3 bit/s 1920x1080 hvc1.1,mp4a.40.2; \
                 2 bit/s 1280x720 avc1.4,mp4a.40.2; 1 bit/s 640x360 avc1.4,mp4a.40.2",
            ),
            (
                Filter { languages: languages(), ..none() },
                "of this source's audio renditions.languages wants none: en-GB; sv",
            ),
            // The music has no language; and who wants no audio gets none.
            (Filter { languages: languages(), min_height: Some(1_080), ..none() }, ""),
            (Filter { languages: languages(), kinds: vec![Kind::Subtitles], ..none() }, ""),
            (none(), ""),
        ] {
            let found = filter.choose(source()).map_or_else(|it| it.to_string(), |_| String::new());
            assert_eq!(found, said, "{filter:?}");
        }
        let many: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        assert_eq!(some(&many), "0; 1; 2; 3; 4; and 2 more");
    }

    #[test]
    fn of_variants_of_the_same_bandwidth_no_more_are_kept_than_are_wanted() {
        let text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2\na\n#EXT-X-STREAM-INF:BANDWIDTH=3\nb\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=2\nc\n#EXT-X-STREAM-INF:BANDWIDTH=1\nd\n";
        for (limit, wanted) in [(0, ""), (1, "b"), (2, "a b"), (3, "a b c"), (9, "a b c d")] {
            let parsed = hls::parse(text.as_bytes(), &hls::Limits::default()).unwrap();
            let hls::Playlist::Multivariant(playlist) = parsed else {
                panic!("it is multivariant")
            };
            let kept = Filter { limit: Some(limit), ..Filter::default() }.apply(playlist);
            let kept: Vec<_> = kept.variants().map(|variant| variant.uri.as_str()).collect();
            assert_eq!(kept.join(" "), wanted, "{limit}");
        }
    }

    #[test]
    fn subtitles_that_are_called_like_the_sound_are_no_sound() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"e\",LANGUAGE=\"en\",URI=\"e\"\n\
                    #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"a\",NAME=\"t\",URI=\"t\"\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\",SUBTITLES=\"a\"\nv\n";
        let parsed = hls::parse(text.as_bytes(), &hls::Limits::default()).unwrap();
        let hls::Playlist::Multivariant(playlist) = parsed else { panic!("it is multivariant") };
        let finnish = Filter { languages: vec!["fi".to_owned()], ..Filter::default() };
        assert_eq!(finnish.choose(playlist), Err(Unwanted::Audio(vec!["en".to_owned()])));
    }

    #[test]
    fn variants_without_sound_in_a_wanted_language_go_where_others_have_it() {
        let text = SOURCE.replace("NAME=\"m\"", "NAME=\"m\",LANGUAGE=\"en\"");
        for (languages, wanted) in [
            (["sv"].as_slice(), Ok("720 360")),
            (&["en"], Ok("1080 720 360")),
            (&["fi"], Err(Unwanted::Audio(vec!["en".to_owned()]))),
            (&[], Ok("1080 720 360")),
        ] {
            let parsed = hls::parse(text.as_bytes(), &hls::Limits::default()).unwrap();
            let hls::Playlist::Multivariant(playlist) = parsed else {
                panic!("it is multivariant")
            };
            let languages = languages.iter().map(|&it| it.to_owned()).collect();
            let chosen = Filter { languages, ..Filter::default() }.choose(playlist);
            let variants = chosen.as_ref().map(|it| {
                it.variants().map(|variant| variant.uri.as_str()).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(variants, wanted.as_ref().map(|it| (*it).to_owned()));
            // Of the group that nothing refers to any more nothing is carried.
            let music = chosen.map(|it| {
                it.lines
                    .iter()
                    .any(|line| matches!(line, Line::Media(media) if media.uri() == Some("music")))
            });
            assert_eq!(music.unwrap_or_default(), wanted.is_ok_and(|it| it.contains("1080")));
        }
    }

    #[test]
    fn a_filter_keeps_what_is_wanted() {
        let text = |text: &str| vec![text.to_owned()];
        let none = Filter::default;
        for (filter, wanted) in [
            (none(), "en sv music text 1080 720 360 i"),
            (Filter { max_height: Some(720), ..none() }, "en sv text 720 360 i"),
            (Filter { min_height: Some(720), ..none() }, "en sv music text 1080 720"),
            (Filter { max_bandwidth: Some(1), ..none() }, "en sv 360 i"),
            (Filter { min_bandwidth: Some(3), ..none() }, "music 1080 i"),
            (
                Filter { codecs: vec!["avc1".into(), "mp4a".into()], ..none() },
                "en sv text 720 360 i",
            ),
            (Filter { languages: text("EN"), ..none() }, "en music text 1080 720 360 i"),
            (Filter { languages: text("s"), ..none() }, "music 1080 720 360 i"),
            (Filter { kinds: vec![Kind::Audio], ..none() }, "en sv music 1080 720 360"),
            (Filter { limit: Some(2), ..none() }, "en sv music text 1080 720 i"),
            (Filter { limit: Some(9), ..none() }, "en sv music text 1080 720 360 i"),
            (Filter { min_height: Some(2_000), ..none() }, ""),
        ] {
            let left: Vec<String> = filter
                .apply(source())
                .lines
                .iter()
                .filter_map(|line| match line {
                    Line::Variant(variant) => Some(variant.uri.clone()),
                    Line::Media(media) => media.uri().map(str::to_owned),
                    Line::IFrame(attributes) => attributes.get("URI").map(str::to_owned),
                    Line::Other(_) => None,
                })
                .collect();
            assert_eq!(left.join(" "), wanted, "{filter:?}");
        }
    }
}
