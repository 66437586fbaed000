//! What this function does with sessions: runs of the state machine carry them.

use aws::{DynamoSessions, Executions, Input};
use relay::ports::{Clock, Runs, StoreError};
use relay::progress::Progress;
use relay::session::{Session, SessionId};
use std::sync::Arc;

/// Starts runs.
pub struct Starts<C> {
    /// Where.
    pub executions: Executions,
    /// The sessions.
    pub sessions: Arc<DynamoSessions<C>>,
    /// The time.
    pub clock: Arc<C>,
    /// How long a run lasts that nobody relieves, in seconds.
    pub run_seconds: u64,
}

impl<C: Clock> Runs for Starts<C> {
    async fn start(&self, session: &Session) {
        let sessions = vec![session.id.clone()];
        let input = Input::new(self.clock.now(), self.run_seconds, sessions);
        let started = self.executions.start(&format!("session-{}", session.id), &input).await;
        if let Err(error) = started {
            // It begins within a minute all the same.
            tracing::error!(session = %session.id, %error, "cannot start a run for the session");
        }
    }

    async fn stop(&self, id: &SessionId) -> Result<(), StoreError> {
        self.sessions.stop(id).await
    }

    fn progress(&self, _: &SessionId) -> Option<Progress> {
        None
    }
}
