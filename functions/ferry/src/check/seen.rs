//! What was read from a source: the input of everything that is decided about it.

use bytes::Bytes;
use hls::Timestamp;
use url::Url;

/// A source as it was read over some time.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Where the source's playlist came from in the end.
    pub base: Option<Url>,
    /// The source's playlist, if that names others; else it is the only one of `media`.
    pub multivariant: Option<Snapshot>,
    /// The media playlists, each once.
    pub media: Vec<Watched>,
    /// From the first reading to the last, in milliseconds.
    pub watched_ms: u64,
    /// Between two readings of a media playlist, in milliseconds.
    pub every_ms: u64,
}

/// A playlist at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the answer was there.
    pub at: Timestamp,
    /// The text.
    pub text: Bytes,
}

/// One media playlist over time.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Its address as the multivariant playlist writes it; empty where it is the source itself.
    pub uri: String,
    /// Its versions, oldest first.
    pub versions: Vec<Snapshot>,
    /// When it was last looked at, whether or not it had changed.
    pub looked_at: Timestamp,
    /// The beginning of its newest segment.
    pub sample: Option<Bytes>,
    /// When it, or the segment, could not be read: why.
    pub failures: Vec<String>,
}
