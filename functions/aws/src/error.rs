//! Why AWS did not do what it was asked.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use relay::ports::StoreError;

/// Why a call came to nothing, after its retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is asked too often.
    #[error("{call} is throttled")]
    Throttled {
        /// The action.
        call: &'static str,
    },
    /// The role does not permit it.
    #[error("{call} is not permitted: {code}")]
    Denied {
        /// The action.
        call: &'static str,
        /// What AWS calls it.
        code: String,
    },
    /// It failed in another way.
    #[error("{call} failed: {code}")]
    Unavailable {
        /// The action.
        call: &'static str,
        /// What AWS calls it, or that there was no answer.
        code: String,
    },
    /// What is stored is not what this program writes.
    #[error("{what} is malformed")]
    Malformed {
        /// Such as `the cursor item of session x`.
        what: String,
    },
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self { reason: error.to_string() }
    }
}

/// What a failed call means.
///
/// Only AWS's names for what is wrong are kept: its sentences may quote what was sent.
pub fn call_error<E: ProvideErrorMetadata, R>(call: &'static str, error: &SdkError<E, R>) -> Error {
    let code = match (error.code(), error) {
        (Some(code), _) => code.to_owned(),
        (None, SdkError::TimeoutError(_)) => "no answer in time".to_owned(),
        (None, SdkError::DispatchFailure(_)) => "no connection".to_owned(),
        (None, SdkError::ConstructionFailure(_)) => "the request cannot be built".to_owned(),
        (None, _) => "the answer cannot be read".to_owned(),
    };
    match code.as_str() {
        "ThrottlingException"
        | "Throttling"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitExceededException" => Error::Throttled { call },
        "AccessDeniedException"
        | "AccessDenied"
        | "ForbiddenException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException" => Error::Denied { call, code },
        _ => Error::Unavailable { call, code },
    }
}
