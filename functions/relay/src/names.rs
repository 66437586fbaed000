//! What things are called at the output.
//!
//! A name says what a segment is, never where we list it, so running anything again cannot put other
//! bytes under a used name.

use crate::ports::ContentType;
use crate::session::Address;
use hls::{MediaSequence, Segment};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest part of a rendition name that one attribute may fill, in characters.
const LONGEST_PART: usize = 32;

/// The stem where an endpoint's address names none: MediaPackage's own.
const DEFAULT_STEM: &str = "channel";

/// What the names of renditions begin with.
const KINDS: [&str; 6] = ["angle", "audio", "captions", IFRAMES, "subtitles", VARIANT];
/// What those of variants begin with.
const VARIANT: &str = "video";
/// What those of I-frame playlists begin with.
const IFRAMES: &str = "iframes";

/// Names a rendition or variant within a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RenditionName(String);

impl RenditionName {
    /// A name of parts, each reduced to lower-case letters, digits and dashes; empty ones are left out.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let parts: Vec<String> =
            parts.iter().map(|part| slug(part)).filter(|part| !part.is_empty()).collect();
        Self(parts.join("-"))
    }

    /// The name of the `count`th of the same name, counted from 1.
    pub(crate) fn numbered(&self, count: usize) -> Self {
        if count == 1 { self.clone() } else { Self(format!("{}-{count}", self.0)) }
    }

    /// The name of the variant of a source that is a single media playlist.
    pub(crate) fn single() -> Self {
        Self(VARIANT.to_owned())
    }

    /// Whether it is that of a variant.
    pub(crate) fn is_variant(&self) -> bool {
        self.0.split('-').next() == Some(VARIANT)
    }

    /// The bandwidth in the name of a variant, or of its I-frames, in bits a second.
    pub(crate) fn bandwidth(&self) -> Option<u64> {
        let (kind, rest) = self.0.split_once('-')?;
        let stated = rest.split('-').next().filter(|_| matches!(kind, VARIANT | IFRAMES));
        stated?.parse().ok()
    }

    /// Whether it is of the kind of `other`, such as a variant.
    pub(crate) fn is_kind_of(&self, other: &Self) -> bool {
        self.0.split('-').next() == other.0.split('-').next()
    }

    /// Whether it is of the kind of `other`, and ends with these parts.
    pub(crate) fn is_of(&self, other: &Self, parts: &[&str]) -> bool {
        let end = Self::of(parts).0;
        self.is_kind_of(other) && self.0.strip_suffix(&end).is_some_and(|it| it.ends_with('-'))
    }
}

impl fmt::Display for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<str> for RenditionName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(LONGEST_PART) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// Counts how often the source began numbering afresh, from the moment its session was made in seconds.
///
/// Beginning there keeps two sessions to one place, one after the other, from using the same names.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What every name at one endpoint begins with, such as `channel`.
///
/// Names are written as playlists have them, which is how the endpoint's address has them: percent-encoded. What
/// they resolve to beside the endpoint's playlist (RFC 3986 section 5.2) is where they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stem(String);

impl Stem {
    /// The last part of an endpoint's address, or `channel` where there is none.
    #[must_use]
    pub fn of(endpoint: &Address) -> Self {
        let name = called(endpoint);
        // What is before a colon would be read as a scheme (RFC 3986 section 4.2).
        Self(if name.contains(':') { format!("./{name}") } else { name.to_owned() })
    }

    /// The multivariant playlist's name.
    #[must_use]
    pub fn multivariant(&self) -> String {
        format!("{}.m3u8", self.0)
    }

    /// A media playlist's name.
    #[must_use]
    pub fn media(&self, rendition: &RenditionName) -> String {
        format!("{}_{rendition}.m3u8", self.0)
    }

    /// The name of something that segments of a rendition need beside themselves.
    pub(crate) fn part(&self, rendition: &RenditionName, name: &str) -> String {
        format!("{}_{rendition}_{name}", self.0)
    }

    /// A segment's name, after its number in the source.
    #[must_use]
    pub fn segment(
        &self,
        rendition: &RenditionName,
        epoch: Epoch,
        sequence: MediaSequence,
        extension: Extension,
    ) -> String {
        format!("{}_{rendition}_{}_{sequence}.{}", self.0, epoch.0, extension.as_str())
    }
}

/// What an endpoint is called: the last part of its address, or `channel` where there is none.
pub(crate) fn called(endpoint: &Address) -> &str {
    let path = endpoint.as_ref().splitn(4, '/').nth(3).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let last = last.strip_suffix(".m3u8").unwrap_or(last);
    if last.is_empty() { DEFAULT_STEM } else { last }
}

/// The shortest of all names that share files with an endpoint that is called `name`.
///
/// Of two endpoints in one folder, one that is called `ch` has a media playlist `ch_video-500000.m3u8`, which is the
/// multivariant playlist of one that is called `ch_video-500000`.
pub(crate) fn root(name: &str) -> &str {
    let is_rendition = |after: &str| {
        let rendition = after.split('_').next().unwrap_or_default();
        KINDS.contains(&rendition.split('-').next().unwrap_or_default())
    };
    let mut cuts = name.match_indices('_').filter(|(at, _)| is_rendition(&name[at + 1..]));
    cuts.next().map_or(name, |(at, _)| &name[..at])
}

/// What a segment is, as its name's ending and its media type say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extension {
    /// MPEG-2 transport stream.
    #[default]
    Ts,
    /// ADTS.
    Aac,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Ec3,
    /// MPEG audio.
    Mp3,
    /// WebVTT.
    Vtt,
    /// A fragment of MP4 (CMAF).
    M4s,
}

impl Extension {
    /// What a segment is: what the path of its address says; where that says nothing, a fragment where
    /// it has a map, else a transport stream.
    #[must_use]
    pub fn of(segment: &Segment) -> Self {
        let unsaid = if segment.map.is_some() { Self::M4s } else { Self::Ts };
        Self::of_uri(&segment.uri).unwrap_or(unsaid)
    }

    /// What the path of a segment's address says.
    fn of_uri(uri: &str) -> Option<Self> {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        // Path parameters such as `;session=1` are no part of the ending.
        let name =
            path.rsplit('/').next().unwrap_or_default().split(';').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        Some(match ending.as_str() {
            "aac" | "adts" => Self::Aac,
            "ac3" => Self::Ac3,
            "ec3" | "eac3" => Self::Ec3,
            "mp3" => Self::Mp3,
            "vtt" | "webvtt" => Self::Vtt,
            "ts" | "m2ts" => Self::Ts,
            "m4s" | "mp4" | "m4v" | "m4a" | "m4f" | "cmfv" | "cmfa" | "cmft" | "cmf" => Self::M4s,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::Aac => "aac",
            Self::Ac3 => "ac3",
            Self::Ec3 => "ec3",
            Self::Mp3 => "mp3",
            Self::Vtt => "vtt",
            Self::M4s => "m4s",
        }
    }

    /// Its media type (RFC 8216 section 10 and the IANA registry).
    #[must_use]
    pub fn content_type(self) -> ContentType {
        ContentType(match self {
            Self::Ts => "video/mp2t",
            Self::Aac => "audio/aac",
            Self::Ac3 => "audio/ac3",
            Self::Ec3 => "audio/eac3",
            Self::Mp3 => "audio/mpeg",
            Self::Vtt => "text/vtt",
            Self::M4s => "video/mp4",
        })
    }
}

/// The media type of a playlist (RFC 8216 section 4).
pub const PLAYLIST: ContentType = ContentType("application/vnd.apple.mpegurl");

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn a_stem_is_the_last_part_of_the_endpoint() {
        for (endpoint, stem) in [
            ("https://a.example/in/v2/x/y/channel", "channel"),
            ("https://a.example/in/sports.m3u8", "sports"),
            ("https://a.example/in/", "channel"),
            ("https://a.example", "channel"),
        ] {
            let address = Address::of(&Url::parse(endpoint).unwrap());
            assert_eq!(Stem::of(&address).multivariant(), format!("{stem}.m3u8"), "{endpoint}");
        }
    }

    #[test]
    fn names_resolve_to_what_the_endpoint_is_called_and_more() {
        for place in [
            "/in/v2/x/y/channel",
            "/live/my%20channel",
            "/live/a%2Fb",
            "/live/100%",
            "/live/%25",
            "/live/kan%C3%A5l",
            "/live/a+b~c;v=1,2&d='e'",
            "/live/%7Ech",
            "/live/urn:x:1",
            "/live/%22a%3F%23",
            "/my%20dir/ch",
        ] {
            let endpoint = Url::parse(&format!("https://a.example{place}?token=t")).unwrap();
            let stem = Stem::of(&Address::of(&endpoint));
            let video = RenditionName::of(&["video", "1"]);
            let names = [
                (stem.multivariant(), ".m3u8"),
                (stem.media(&video), "_video-1.m3u8"),
                (
                    stem.segment(&video, Epoch(2), MediaSequence(3), Extension::Ts),
                    "_video-1_2_3.ts",
                ),
                (stem.part(&video, "key-4.key"), "_video-1_key-4.key"),
            ];
            for (name, rest) in names {
                let read = endpoint.join(&name).unwrap();
                assert_eq!(read.as_str(), format!("https://a.example{place}{rest}"));
                let plain = |c: char| c.is_ascii_graphic() && c != '"';
                assert!(name.chars().all(plain), "{name} can be a line and in quotes");
            }
        }
    }

    #[test]
    fn a_rendition_name_is_fit_for_a_path() {
        for (parts, name) in [
            (&["video", "1200000"][..], "video-1200000"),
            (&["audio", "aud", "en", "English (Main)"], "audio-aud-en-english-main"),
            (&["subtitles", "", "", "日本"], "subtitles"),
            (&["audio", "../../x", "", ""], "audio-x"),
        ] {
            assert_eq!(RenditionName::of(parts).as_ref(), name);
        }
    }

    #[test]
    fn a_content_type_is_a_header_of_its_own_words() {
        assert_eq!(PLAYLIST.to_string(), "application/vnd.apple.mpegurl");
    }

    #[test]
    fn an_extension_comes_from_the_path() {
        for (uri, extension) in [
            ("/a/b.ts", Extension::Ts),
            ("/a/b.AAC", Extension::Aac),
            ("/a/b.vtt;session=1", Extension::Vtt),
            ("/a/b.cmfv", Extension::M4s),
            ("/a/b.webvtt", Extension::Vtt),
            ("/a/b.ec3", Extension::Ec3),
            ("/a/b.eac3", Extension::Ec3),
            ("/a/b.mp3", Extension::Mp3),
            ("/a/segment", Extension::Ts),
            ("https://a.example/b.ac3?x=.ts", Extension::Ac3),
        ] {
            let segment = Segment { uri: uri.to_owned(), ..Segment::default() };
            assert_eq!(Extension::of(&segment), extension, "{uri}");
        }
        let map = Some(std::sync::Arc::default());
        for (uri, extension) in [("/a/segment", Extension::M4s), ("/a/b.ts", Extension::Ts)] {
            let segment = Segment { uri: uri.to_owned(), map: map.clone(), ..Segment::default() };
            assert_eq!(Extension::of(&segment), extension, "{uri} with a map");
        }
    }
}
