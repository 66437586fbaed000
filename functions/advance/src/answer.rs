//! What an invocation answers: the state machine branches on it, and gives it to the next one.

use aws::Run;
use hls::Micros;
use serde::Serialize;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Another invocation, after the wait.
    Again,
    /// Nothing: newer runs hold what this one held.
    Relieved,
    /// Nothing: no session is left, or the run's time is up.
    Done,
}

/// What an invocation answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What comes next.
    pub outcome: Outcome,
    /// Whole seconds to wait before.
    pub wait: u64,
    /// What is left to do.
    pub run: Run,
}

/// By so much an invocation may come late, in the order of what it takes to start it: a wait that
/// would end a moment before a session is due is not cut by a whole second.
const LATE: Micros = Micros::from_millis(150);

/// The state machine waits for at most so long: somebody may have stopped a session meanwhile.
const LONGEST: u64 = 60;

/// How many whole seconds of a wait the state machine does; what is left over, the next invocation
/// waits for itself. A second slept in a function costs as much as forty invocations.
#[must_use]
pub fn wait(left: Micros) -> u64 {
    ((left.0 + LATE.0) / 1_000_000).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::{Due, Input, RunId};
    use relay::session::SessionId;

    #[test]
    fn waits_are_whole_seconds_and_never_much_too_long() {
        for (left, seconds) in [
            (0, 0),
            (849, 0),
            (851, 1),
            (1_000, 1),
            (1_849, 1),
            (1_851, 2),
            (6_000, 6),
            (99_000, 60),
        ] {
            assert_eq!(wait(Micros::from_millis(left)), seconds, "{left} ms");
        }
    }

    #[test]
    fn what_is_answered_is_what_the_next_one_is_given() {
        let session = Due { id: SessionId("a".to_owned()), due: Some(8) };
        let run = Run { id: Some(RunId("r".to_owned())), until: 9, sessions: vec![session] };
        let answer = Answer { outcome: Outcome::Again, wait: 2, run: run.clone() };
        let text = serde_json::to_string(&answer).unwrap();
        let run_text = r#"{"id":"r","until":9,"sessions":[{"id":"a","due":8}]}"#;
        assert_eq!(text, format!(r#"{{"outcome":"again","wait":2,"run":{run_text}}}"#));
        assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), Input { run });
    }
}
