//! Why an invocation fails, by the names that the state machine knows.

use aws::{ConfigError, Error};
use lambda_runtime::Diagnostic;

/// Why an invocation fails. What goes wrong with one session is no such reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The run is not one that this version understands.
    #[error("the run is not one: {0}")]
    BadInput(String),
    /// The function is not set up.
    #[error("{0}")]
    BadConfiguration(String),
    /// The function's role does not permit a call.
    #[error("{0}")]
    Denied(String),
    /// The table is asked too often.
    #[error("{0}")]
    StoreThrottled(String),
    /// The table does not answer.
    #[error("{0}")]
    StoreUnavailable(String),
}

impl Failure {
    /// The name, one of `statemachine/errors.json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadInput(_) => "Ferry.BadInput",
            Self::BadConfiguration(_) => "Ferry.BadConfiguration",
            Self::Denied(_) => "Ferry.Denied",
            Self::StoreThrottled(_) => "Ferry.StoreThrottled",
            Self::StoreUnavailable(_) => "Ferry.StoreUnavailable",
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.name().to_owned(), error_message: failure.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let what = error.to_string();
        match error {
            Error::Throttled { .. } => Self::StoreThrottled(what),
            Error::Denied { .. } => Self::Denied(what),
            Error::Unavailable { .. } | Error::Malformed { .. } => Self::StoreUnavailable(what),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::BadConfiguration(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_state_machine_knows_every_name_and_no_other() {
        let table = include_str!("../../../statemachine/errors.json");
        let table: Value = serde_json::from_str(table).unwrap();
        let errors = table["errors"].as_array().unwrap();
        let ours = errors.iter().filter(|error| error["from"] == "advance");
        let known: BTreeSet<&str> = ours.map(|error| error["name"].as_str().unwrap()).collect();
        let why = || "why".to_owned();
        let raised = [
            Failure::BadInput(why()),
            Failure::BadConfiguration(why()),
            Failure::Denied(why()),
            Failure::StoreThrottled(why()),
            Failure::StoreUnavailable(why()),
        ];
        let raised: BTreeSet<String> =
            raised.into_iter().map(|failure| Diagnostic::from(failure).error_type).collect();
        assert_eq!(raised, known.into_iter().map(str::to_owned).collect());
    }

    #[test]
    fn what_aws_answers_has_a_name() {
        let call = "dynamodb:BatchGetItem";
        let denied =
            Failure::from(Error::Denied { call, code: "AccessDeniedException".to_owned() });
        assert_eq!(denied.name(), "Ferry.Denied");
        assert!(denied.to_string().contains(call), "{denied}");
        assert_eq!(Failure::from(Error::Throttled { call }).name(), "Ferry.StoreThrottled");
    }
}
