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

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The text does not begin with `#EXTM3U`.
    #[error("not a playlist: the first line is not #EXTM3U")]
    NotAPlaylist,
}
