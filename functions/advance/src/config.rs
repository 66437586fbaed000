//! What the function is told by its environment.

use crate::failure::Failure;
use aws::Environment;
use hls::Micros;
use std::net::IpAddr;
use std::time::Duration;
use web::{Limits, Patience, Reach};

/// What the function is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The table's name.
    pub table: String,
    /// What the secrets' names begin with.
    pub secrets: String,
    /// Where the metrics go.
    pub metrics: String,
    /// How long an invocation goes on, before it brings to an end what is under way.
    pub tick: Micros,
    /// How long one request may take.
    pub http: Micros,
    /// How the adapters behave.
    pub web: web::Settings,
}

/// What Lambda gives a function that asks for nothing.
const MEMORY_MB: usize = 128;

impl Settings {
    /// What `environment` says.
    ///
    /// # Errors
    /// [`Failure::BadConfiguration`], when a variable is missing or malformed.
    pub fn read(environment: &Environment<'_>) -> Result<Self, Failure> {
        let http = environment.parsed("FERRY_HTTP_SECONDS")?.unwrap_or(10);
        let tick = environment.parsed("FERRY_TICK_SECONDS")?.unwrap_or(30);
        let memory = environment.parsed("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?.unwrap_or(MEMORY_MB);
        // For a try-out whose sources and endpoints are not public.
        let also: Vec<IpAddr> = environment.list("FERRY_ALSO_REACH")?;
        let reach = if also.is_empty() { Reach::Public } else { Reach::PublicAnd(also) };
        let defaults = Patience::default();
        let (request, whole) = (Duration::from_secs(http), Duration::from_secs(tick));
        let patience = Patience {
            connect: defaults.connect.min(request),
            stall: defaults.stall.min(request),
            playlist: request,
            small_put: request,
            segment: whole,
            large_put: whole,
            tries: defaults.tries,
        };
        // The rest is for the program, its connections and what it sends at the moment.
        let limits = Limits { bytes_in_flight: (memory << 20) * 2 / 5, ..Limits::default() };
        Ok(Self {
            table: environment.required("FERRY_TABLE")?,
            secrets: environment.required("FERRY_SECRETS")?,
            metrics: environment.text("FERRY_METRICS").unwrap_or_else(|| "hls-ferry".to_owned()),
            tick: Micros::from_secs(tick),
            http: Micros::from_secs(http),
            web: web::Settings { reach, limits, patience, ..web::Settings::default() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Failure> {
        let look_up = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&Environment(&look_up))
    }

    #[test]
    fn budgets_follow_the_environment() {
        let settings = read(&[
            ("FERRY_TABLE", "t"),
            ("FERRY_SECRETS", "ferry/"),
            ("FERRY_TICK_SECONDS", "20"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ])
        .unwrap();
        assert_eq!(settings.tick, Micros::from_secs(20));
        assert_eq!(settings.web.limits.bytes_in_flight, (512 << 20) * 2 / 5);
        assert_eq!(settings.web.patience.large_put, Duration::from_secs(20));
        assert_eq!(settings.web.reach, Reach::Public);
    }

    #[test]
    fn a_variable_that_is_wrong_is_named() {
        for (variables, said) in [
            (&[][..], "the environment variable FERRY_TABLE is missing"),
            (
                &[("FERRY_TABLE", "t"), ("FERRY_SECRETS", "s"), ("FERRY_HTTP_SECONDS", "x")][..],
                "the environment variable FERRY_HTTP_SECONDS is malformed",
            ),
            (
                &[("FERRY_ALSO_REACH", "127.0.0.1,home")][..],
                "the environment variable FERRY_ALSO_REACH is malformed",
            ),
        ] {
            let failure = read(variables).unwrap_err();
            assert_eq!(
                (failure.name(), failure.to_string().as_str()),
                ("Ferry.BadConfiguration", said)
            );
        }
    }
}
