//! What is worth telling of a session's way.

use super::fallback::named;
use crate::names::RenditionName;
use crate::progress::Status;
use hls::MediaSequence;
use std::fmt;

/// Something worth a line in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A rendition is carried from this number on.
    Joined(RenditionName, MediaSequence),
    /// The source numbers a rendition afresh.
    Restarted(RenditionName),
    /// Another of the session's sources is carried, counted from 0.
    Switched(usize),
    /// Segments of a rendition were dropped by the source before they were seen.
    FellBehind(RenditionName, u64),
    /// A rendition is left out, because the output does not take it.
    LeftOut(String, String),
    /// A segment is not there, and is left out.
    Gone(RenditionName, MediaSequence, String),
    /// Something failed and will be tried again.
    Failed(String),
    /// Playlists were stored at an endpoint.
    Published(usize),
    /// The session is in another state.
    Became(Status, Option<String>),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined(rendition, at) => write!(f, "joined {rendition} at segment {at}"),
            Self::Restarted(rendition) => write!(f, "source numbers {rendition} afresh"),
            Self::FellBehind(rendition, missed) => {
                write!(f, "source dropped {missed} segments of {rendition} before they were seen")
            }
            &Self::Switched(source) => write!(f, "{} is carried", named(source)),
            Self::LeftOut(rendition, reason) => write!(f, "{rendition} is left out: {reason}"),
            Self::Gone(rendition, sequence, reason) => {
                write!(f, "segment {sequence} of {rendition} is left out: {reason}")
            }
            Self::Failed(reason) => f.write_str(reason),
            Self::Published(endpoint) => write!(f, "published at endpoint {endpoint}"),
            Self::Became(status, reason) => {
                write!(f, "session is {status}")?;
                reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
            }
        }
    }
}
