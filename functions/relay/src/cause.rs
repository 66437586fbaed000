//! Why a session is unwell, in words that machines know too.

use crate::progress::Status;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a session is unwell: what to look up in the runbook (`infra/RUNBOOK.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A playlist of the source cannot be read, or is malformed.
    Source,
    /// The source lists nothing new.
    Stalled,
    /// A segment that is listed cannot be read, or its map or key, or it cannot be decrypted.
    Segment,
    /// An endpoint does not take what is sent to it.
    Endpoint,
    /// An endpoint does not accept the credentials.
    Denied,
    /// The store does not answer.
    Store,
    /// The session's addresses and credentials cannot be read or used.
    Secrets,
    /// The source is at an address that may not be asked.
    Refused,
    /// The output does not take the source.
    Unfit,
    /// The session's addresses and credentials are gone.
    Forgotten,
    /// The source ended, and not all of it could be carried: segments that cannot be read were left out, or nothing more
    /// arrived for ten minutes.
    Incomplete,
    /// The program met what it did not expect, and takes the session up again; or what only a later
    /// version knows.
    #[serde(other)]
    Internal,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Source,
        Self::Stalled,
        Self::Segment,
        Self::Endpoint,
        Self::Denied,
        Self::Store,
        Self::Secrets,
        Self::Refused,
        Self::Unfit,
        Self::Forgotten,
        Self::Incomplete,
        Self::Internal,
    ];

    /// The state of a session that is unwell because of this.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Source
            | Self::Stalled
            | Self::Segment
            | Self::Endpoint
            | Self::Denied
            | Self::Store
            | Self::Secrets
            | Self::Internal => Status::Degraded,
            Self::Refused | Self::Unfit | Self::Forgotten => Status::Failed,
            Self::Incomplete => Status::Ended,
        }
    }

    /// Its name, as the API gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Stalled => "stalled",
            Self::Segment => "segment",
            Self::Endpoint => "endpoint",
            Self::Denied => "denied",
            Self::Store => "store",
            Self::Secrets => "secrets",
            Self::Internal => "internal",
            Self::Refused => "refused",
            Self::Unfit => "unfit",
            Self::Forgotten => "forgotten",
            Self::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_cause_is_stored_by_its_name_and_one_of_a_later_version_is_read() {
        for cause in Cause::ALL {
            assert_eq!(json!(cause), json!(cause.name()));
            assert_eq!(cause.to_string(), cause.name());
            assert_eq!(serde_json::from_value::<Cause>(json!(cause)).unwrap(), cause);
        }
        assert_eq!(serde_json::from_value::<Cause>(json!("later")).unwrap(), Cause::Internal);
    }

    /// The other half of this is in `infra/test/causes.test.ts`.
    #[test]
    fn every_cause_is_in_the_table_of_those_who_operate_sessions() {
        let table: Vec<Value> =
            serde_json::from_str(include_str!("../../../infra/causes.json")).unwrap();
        let rows: Vec<_> = table.iter().map(|row| (&row["cause"], &row["status"])).collect();
        let known: Vec<_> =
            Cause::ALL.iter().map(|cause| (json!(cause), json!(cause.status()))).collect();
        assert_eq!(rows, known.iter().map(|(cause, status)| (cause, status)).collect::<Vec<_>>());
    }
}
