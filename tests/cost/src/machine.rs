//! The state machine `statemachine/advance.asl.json`, as far as it goes well.

use crate::function::Function;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The transitions of a round: Advance, Outcome, Wait.
pub const TRANSITIONS: u64 = 3;

/// The state machine, and what its runs used.
pub struct Machine {
    advance: Arc<Function>,
    used: Mutex<Used>,
}

/// What runs used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Runs that began.
    pub runs: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Invocations of Advance, each with its Choice and its Wait.
    pub rounds: u64,
    /// How long the runs lasted.
    pub lasted: Duration,
}

impl Used {
    /// What was added since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            runs: self.runs - before.runs,
            failed: self.failed - before.failed,
            rounds: self.rounds - before.rounds,
            lasted: self.lasted - before.lasted,
        }
    }
}

impl Machine {
    /// A machine over this function.
    #[must_use]
    pub fn new(advance: Arc<Function>) -> Self {
        Self { advance, used: Mutex::default() }
    }

    /// What was used up to now.
    pub fn used(&self) -> Used {
        *self.lock()
    }

    /// Goes round until a run is relieved or done.
    pub async fn run(self: Arc<Self>, mut state: Value) {
        self.lock().runs += 1;
        loop {
            let began = Instant::now();
            let answer = self.advance.invoke(&state).await;
            let wait = match &answer {
                Ok(answer) if answer["outcome"] == "again" => answer["wait"].as_u64(),
                Ok(_) | Err(_) => None,
            };
            tokio::time::sleep(Duration::from_secs(wait.unwrap_or_default())).await;
            let mut used = self.lock();
            used.rounds += 1;
            used.lasted += began.elapsed();
            match answer {
                Ok(answer) if wait.is_some() => state = answer,
                Ok(_) => return,
                Err(error) => {
                    eprintln!("cost: a run fails: {error}");
                    used.failed += 1;
                    return;
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
