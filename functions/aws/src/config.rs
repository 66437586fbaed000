//! What the functions are told by their environment, and how they reach AWS.

use aws_config::{ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::str::FromStr;
use std::time::Duration;

/// One try of one call: DynamoDB answers in milliseconds, and a poll does not wait for long.
const ATTEMPT: Duration = Duration::from_secs(3);
/// One call with all its tries.
const CALL: Duration = Duration::from_secs(8);
/// How often a call is tried.
const TRIES: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The environment of a function, by a way to look a variable up.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

/// An environment variable is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {what}")]
pub struct ConfigError {
    /// Which.
    pub name: String,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Environment<'_> {
    /// A variable that may be there.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    ///
    /// # Errors
    /// When it is missing or empty.
    pub fn required(&self, name: &str) -> Result<String, ConfigError> {
        self.text(name).ok_or(ConfigError { name: name.to_owned(), what: "is missing" })
    }

    /// A variable that is a value of another kind, such as a number; absent when it is missing.
    ///
    /// # Errors
    /// When it is not such a value.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ConfigError> {
        let malformed = || ConfigError { name: name.to_owned(), what: "is malformed" };
        self.text(name).map(|text| text.trim().parse().map_err(|_| malformed())).transpose()
    }

    /// A variable that lists values, separated by commas; empty when it is missing.
    ///
    /// # Errors
    /// When one of them is not such a value.
    pub fn list<T: FromStr>(&self, name: &str) -> Result<Vec<T>, ConfigError> {
        let malformed = |_| ConfigError { name: name.to_owned(), what: "is malformed" };
        let text = self.text(name).unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| item.parse().map_err(malformed)).collect::<Result<_, _>>()
    }
}

/// How to reach AWS, as its own variables say.
pub async fn sdk() -> SdkConfig {
    load(aws_config::from_env()).await
}

/// How to reach a stand-in for AWS, which takes any credentials.
pub async fn sdk_at(url: &str) -> SdkConfig {
    let loader = aws_config::from_env()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "stand-in"));
    load(loader.endpoint_url(url)).await
}

async fn load(loader: ConfigLoader) -> SdkConfig {
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(CALL);
    let retries = RetryConfig::standard()
        .with_max_attempts(TRIES)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(Duration::from_secs(1));
    loader
        .timeout_config(timeouts.build())
        .retry_config(retries)
        .http_client(Builder::new().tls_provider(TLS).build_https())
        .load()
        .await
}

/// A connection to somewhere else than AWS's services.
pub(crate) fn http(sleep: SharedAsyncSleep) -> Connector {
    Connector::builder().tls_provider(TLS).sleep_impl(sleep).build()
}

/// How AWS's client waits.
pub(crate) fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let look_up = |name: &str| match name {
            "SECONDS" => Some("ten".to_owned()),
            "EMPTY" => Some(String::new()),
            "NAMES" => Some("a, b,".to_owned()),
            _ => None,
        };
        let environment = Environment(&look_up);
        let missing = environment.required("EMPTY").unwrap_err();
        assert_eq!(missing.to_string(), "the environment variable EMPTY is missing");
        let malformed = environment.parsed::<u64>("SECONDS").unwrap_err();
        assert_eq!(malformed.to_string(), "the environment variable SECONDS is malformed");
        assert_eq!(environment.parsed::<u64>("OTHER"), Ok(None));
        assert_eq!(environment.list::<String>("NAMES").unwrap(), ["a", "b"]);
    }
}
