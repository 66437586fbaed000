//! Runs: executions of the state machine, each of which advances a shard.

use crate::error::{Error, call_error};
use aws_config::SdkConfig;
use relay::Timestamp;
use relay::session::SessionId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a run; of two, the newer is the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// The name of a run that starts now. `random` tells it from others of the same moment.
    #[must_use]
    pub fn new(now: Timestamp, random: u32) -> Self {
        Self(format!("{:014}-{random:08x}", now.0 / 1_000))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run, as the state machine hands it round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its name, from its first invocation on. Whoever starts it does not give one: an execution that
    /// is started twice is two runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RunId>,
    /// When it ends by itself, in milliseconds since 1970.
    pub until: u64,
    /// The sessions that it advances.
    pub sessions: Vec<Due>,
}

/// A session of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Which.
    pub id: SessionId,
    /// When it is to be polled, in milliseconds since 1970; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<u64>,
}

/// What the state machine gives the function `advance`; the function ignores what else is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The run.
    pub run: Run,
}

impl Input {
    /// A run that lasts for `seconds` from now, unless it is relieved.
    #[must_use]
    pub fn new(now: Timestamp, seconds: u64, sessions: Vec<SessionId>) -> Self {
        let due = |id| Due { id, due: None };
        let until = now.0 / 1_000 + seconds * 1_000;
        let sessions = sessions.into_iter().map(due).collect();
        Self { run: Run { id: None, until, sessions } }
    }
}

/// The executions of the state machine.
#[derive(Clone, Debug)]
pub struct Executions {
    client: aws_sdk_sfn::Client,
    machine: String,
}

impl Executions {
    /// Those of `machine`, an ARN.
    #[must_use]
    pub fn new(config: &SdkConfig, machine: String) -> Self {
        Self { client: aws_sdk_sfn::Client::new(config), machine }
    }

    /// Starts one. The same `name` may be started twice, which is harmless.
    ///
    /// # Errors
    /// When Step Functions does not take it.
    pub async fn start(&self, name: &str, input: &Input) -> Result<(), Error> {
        let input = serde_json::to_string(input).expect("a run has string keys only");
        let request = self.client.start_execution().state_machine_arn(&self.machine);
        match request.name(name).input(input).send().await {
            Ok(_) => Ok(()),
            // It was started before, by a doubled dispatch.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_execution_already_exists()) =>
            {
                Ok(())
            }
            Err(error) => Err(call_error("states:StartExecution", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_run_is_greater() {
        let run = |millis: u64, random| RunId::new(Timestamp(millis * 1_000), random);
        assert!(run(1_700_000_000_000, 7) > run(1_699_999_999_999, 9));
        assert!(run(1_700_000_000_000, 7) < run(1_700_000_000_000, 8));
        assert!(run(9_999_999_999_999, u32::MAX) < run(10_000_000_000_000, 0));
    }

    #[test]
    fn what_starts_a_run_names_none() {
        let input = Input::new(Timestamp(7_000_000), 240, vec![SessionId("a".to_owned())]);
        let text = serde_json::to_string(&input).unwrap();
        assert_eq!(text, r#"{"run":{"until":247000,"sessions":[{"id":"a"}]}}"#);
        assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
        // What another version says beside it is not in the way.
        let other = r#"{"run":{"until":247000,"sessions":[{"id":"a","new":1}],"new":2},"outcome":"again","wait":3}"#;
        assert_eq!(serde_json::from_str::<Input>(other).unwrap(), input);
    }
}
