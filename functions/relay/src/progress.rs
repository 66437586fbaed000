//! How a session is doing, as people and machines are told.

use crate::Timestamp;
use crate::cause::Cause;
use crate::session::Address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The state of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing has been published yet, and nothing is wrong.
    #[default]
    Starting,
    /// All renditions are carried to all endpoints.
    Running,
    /// Something is wrong and being retried.
    Degraded,
    /// The source ended, and what there is of it was carried.
    Ended,
    /// Stopped on request.
    Stopped,
    /// It cannot go on.
    Failed,
}

impl Status {
    /// Whether the session is still being advanced.
    #[must_use]
    pub fn is_active(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Degraded => true,
            Self::Ended | Self::Stopped | Self::Failed => false,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

/// How a session is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Its state.
    pub status: Status,
    /// Why it is degraded, ended, stopped or failed, in words.
    pub reason: Option<String>,
    /// The same for machines; none where it is well, or was stopped.
    pub causes: BTreeSet<Cause>,
    /// Per rendition, by name.
    pub renditions: Vec<RenditionProgress>,
    /// Renditions that the output does not take and that it can do without.
    pub left_out: Vec<LeftOut>,
    /// Per endpoint, in the session's order.
    pub endpoints: Vec<EndpointProgress>,
    /// Segments that are listed at one endpoint at least, over all renditions.
    pub segments: u64,
    /// Bytes of these segments.
    pub bytes: u64,
    /// Places where segments of the source could not be carried, each marked by a discontinuity.
    pub jumps: u64,
    /// Segments that could not be carried, over all jumps.
    pub missed: u64,
    /// From the moment at which the source was seen to list the newest segment to the moment at which
    /// every healthy endpoint listed it, in milliseconds.
    pub lag_ms: Option<u64>,
    /// What went wrong last.
    pub last_error: Option<Fault>,
}

/// How one rendition is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenditionProgress {
    /// Its name in the output.
    pub name: String,
    /// The source's media sequence of its newest segment, as last seen.
    pub source_sequence: Option<u64>,
    /// The output's media sequence of the newest listed segment, per endpoint.
    pub listed: Vec<Option<u64>>,
    /// What is wrong with it now.
    pub error: Option<String>,
}

/// A rendition that is not carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name in the output, had it been carried.
    pub name: String,
    /// Why it is not.
    pub reason: String,
}

/// How one endpoint is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointProgress {
    /// Where it is.
    pub address: Address,
    /// Whether the last request to it succeeded.
    pub healthy: bool,
    /// Segments stored there by this run.
    pub segments: u64,
    /// Bytes stored there by this run.
    pub bytes: u64,
    /// Segments that the source lists, and gives, and it lacks.
    pub behind: u64,
    /// What went wrong there last.
    pub last_error: Option<Fault>,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What, in words that hold no secret.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_has_one_name_and_goes_on_or_not() {
        for (status, name, active) in [
            (Status::Starting, "starting", true),
            (Status::Running, "running", true),
            (Status::Degraded, "degraded", true),
            (Status::Ended, "ended", false),
            (Status::Stopped, "stopped", false),
            (Status::Failed, "failed", false),
        ] {
            assert_eq!((status.to_string(), json!(status)), (name.to_owned(), json!(name)));
            assert_eq!(status.is_active(), active, "{name}");
        }
    }
}
