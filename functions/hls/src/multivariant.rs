//! Multivariant playlists.

use crate::AttributeList;

/// A multivariant playlist (RFC 8216 section 4.3.4), line by line; `Display` renders it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultivariantPlaylist {
    /// The lines in their order, `#EXTM3U` first.
    pub lines: Vec<Line>,
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
