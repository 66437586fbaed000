//! Multivariant playlists.

use crate::{AttributeList, Error, tags};
use std::fmt;

/// A multivariant playlist (RFC 8216 section 4.3.4), line by line; `Display` renders it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultivariantPlaylist {
    /// The lines in their order, `#EXTM3U` first.
    pub lines: Vec<Line>,
    /// What is wrong with lines that were read around, and so are not among these.
    pub flaws: Vec<Error>,
}

/// One line of a multivariant playlist; a variant takes as many as lie between its tag and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `EXT-X-STREAM-INF` and its address.
    Variant(Variant),
    /// `EXT-X-MEDIA`.
    Media(Media),
    /// `EXT-X-I-FRAME-STREAM-INF`.
    IFrame(AttributeList),
    /// Anything else, word for word.
    Other(String),
}

/// A variant stream (RFC 8216 section 4.3.4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// The attributes, in order, word for word.
    pub attributes: AttributeList,
    /// Comments and unknown lines between the tag and the address.
    pub between: Vec<String>,
    /// The address as written.
    pub uri: String,
    /// `BANDWIDTH`: peak bits per second.
    pub bandwidth: u64,
}

/// A rendition (RFC 8216 section 4.3.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The attributes, in order, word for word. `URI` is absent where the rendition is in the variant.
    pub attributes: AttributeList,
    /// `TYPE`.
    pub kind: MediaKind,
}

/// `TYPE` of an `EXT-X-MEDIA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaKind {
    /// `AUDIO`.
    Audio,
    /// `VIDEO`.
    Video,
    /// `SUBTITLES`.
    Subtitles,
    /// `CLOSED-CAPTIONS`.
    ClosedCaptions,
}

impl MultivariantPlaylist {
    /// The variants, in their order.
    pub fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.lines.iter().filter_map(|line| match line {
            Line::Variant(variant) => Some(variant),
            Line::Media(_) | Line::IFrame(_) | Line::Other(_) => None,
        })
    }

    /// The renditions, in their order.
    pub fn media(&self) -> impl Iterator<Item = &Media> {
        self.lines.iter().filter_map(|line| match line {
            Line::Media(media) => Some(media),
            Line::Variant(_) | Line::IFrame(_) | Line::Other(_) => None,
        })
    }
}

impl Media {
    /// `GROUP-ID`; empty in one that was not read.
    #[must_use]
    pub fn group_id(&self) -> &str {
        self.attributes.get("GROUP-ID").unwrap_or_default()
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.attributes.get("NAME")
    }

    /// `LANGUAGE`.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.attributes.get("LANGUAGE").filter(|language| !language.is_empty())
    }

    /// `URI`: absent where the rendition is in the variant.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.attributes.get("URI").filter(|uri| !uri.is_empty())
    }
}

impl fmt::Display for MultivariantPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variant(variant) => {
                writeln!(f, "#{}:{}", tags::STREAM_INF, variant.attributes)?;
                variant.between.iter().try_for_each(|line| writeln!(f, "{line}"))?;
                f.write_str(&variant.uri)
            }
            Self::Media(media) => write!(f, "#{}:{}", tags::MEDIA, media.attributes),
            Self::IFrame(attributes) => write!(f, "#{}:{attributes}", tags::I_FRAME_STREAM_INF),
            Self::Other(line) => f.write_str(line),
        }
    }
}
