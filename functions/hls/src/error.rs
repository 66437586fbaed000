//! What can be wrong with a playlist.

/// A playlist that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct Error {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What is wrong with a line. Nothing of the line itself is in it: an address may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The text does not begin with `#EXTM3U`.
    #[error("not a playlist: the first line is not #EXTM3U")]
    NotAPlaylist,
    /// The text is longer than [`crate::Limits::bytes`].
    #[error("the playlist has {bytes} bytes, and {limit} is the limit")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The text has more lines than [`crate::Limits::lines`].
    #[error("the playlist has more than {limit} lines")]
    TooManyLines {
        /// The limit.
        limit: usize,
    },
    /// The line is longer than [`crate::Limits::line_bytes`].
    #[error("the line has {bytes} bytes, and {limit} is the limit")]
    LineTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The line is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The text, to its last line, names neither segments nor variants.
    #[error("the playlist names neither segments nor variants")]
    NeitherKind,
    /// The tag belongs to the other kind of playlist (RFC 8216 section 4.1).
    #[error("{tag} does not belong in a {kind} playlist")]
    BothKinds {
        /// The tag.
        tag: &'static str,
        /// `media` or `multivariant`: what the lines before make it.
        kind: &'static str,
    },
    /// The tag is required and absent.
    #[error("the playlist has no {tag}")]
    MissingTag {
        /// The tag.
        tag: &'static str,
    },
    /// The attribute is required and absent.
    #[error("{tag} has no {attribute}")]
    MissingAttribute {
        /// The tag.
        tag: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// The value is not what the tag takes, or does not fit.
    #[error("cannot read the value of {tag}")]
    BadValue {
        /// The tag.
        tag: &'static str,
    },
    /// The tag was there before, with another value.
    #[error("{tag} is stated twice, with different values")]
    Contradiction {
        /// The tag.
        tag: &'static str,
    },
    /// The address of a segment lacks the tag that goes before each.
    #[error("an address without {tag} before it")]
    Unannounced {
        /// `EXTINF`.
        tag: &'static str,
    },
    /// The tag lacks the address that goes after each: a playlist cut short ends like this.
    #[error("{tag} without an address after it")]
    Unfinished {
        /// `EXTINF` or `EXT-X-STREAM-INF`.
        tag: &'static str,
    },
    /// A variable is referred to that no `EXT-X-DEFINE` before defines, or that has no value: the playlist's own address
    /// lacks the parameter, or the multivariant playlist does not define it.
    #[error("the variable {name} is not defined")]
    UndefinedVariable {
        /// Its name.
        name: String,
    },
    /// `EXT-X-SKIP`: segments are left out, which only a client that asked for it can put back.
    #[error("the playlist is a delta update")]
    DeltaUpdate,
}
