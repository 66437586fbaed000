//! Starts a run for every shard of active sessions, once a minute.

mod pack;

use aws::metrics::{Metrics, Unit};
use aws::{Error, Executions, Input, Load, Table};
use futures_util::{StreamExt, stream};
pub use pack::pack;
use relay::Timestamp;
use relay::session::SessionId;
use serde_json::Map;

/// Runs that are started at once.
const AT_ONCE: usize = 10;

/// What a minute's dispatch does.
#[derive(Debug)]
pub struct Dispatch {
    /// Where the sessions are.
    pub table: Table,
    /// Where the runs are.
    pub executions: Executions,
    /// How long a run lasts that nobody relieves, in seconds.
    pub run_seconds: u64,
    /// Where the metrics go.
    pub metrics: String,
}

impl Dispatch {
    /// Starts a run for each shard; a line for CloudWatch goes to `print`.
    ///
    /// # Errors
    /// When the sessions cannot be read, or a run could not be started. The others were, then.
    pub async fn minute(&self, now: Timestamp, print: &dyn Fn(&str)) -> Result<(), Error> {
        let active = self.table.active().await?;
        let shards = pack(&active);
        let mut metrics = counted(&active);
        metrics.add("Runs", Unit::Count, shards.len() as u64);
        print(&metrics.line(&self.metrics, now, None, Map::new()));
        let starts = shards.into_iter().enumerate().map(|(number, sessions)| {
            let name = name(now, number, &sessions);
            async move {
                let input = Input::new(now, self.run_seconds, sessions);
                let started = self.executions.start(&name, &input).await;
                started.inspect_err(|error| tracing::error!(%name, %error, "cannot start a run"))
            }
        });
        let started: Vec<_> = stream::iter(starts).buffer_unordered(AT_ONCE).collect().await;
        started.into_iter().collect()
    }
}

/// How many sessions there are, and how many of them are unwell: the metric of the causes that
/// `infra/causes.json` gives it.
#[must_use]
pub fn counted(active: &[Load]) -> Metrics {
    let mut metrics = Metrics::default();
    metrics.add("ActiveSessions", Unit::Count, active.len() as u64);
    let degraded = active.iter().filter(|load| load.degraded).count();
    metrics.add("DegradedSessions", Unit::Count, degraded as u64);
    metrics
}

/// The name of a shard's run in this minute. A minute that is dispatched twice gives the same names.
fn name(now: Timestamp, number: usize, sessions: &[SessionId]) -> String {
    let minute = now.as_secs() / 60;
    let first = sessions.first().map_or("", |id| id.0.as_str());
    format!("minute-{minute}-shard-{number}-{first}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_that_is_dispatched_twice_gives_the_same_names() {
        let sessions = [SessionId("abc".to_owned())];
        let at = |seconds: u64| name(Timestamp(seconds * 1_000_000), 3, &sessions);
        assert_eq!(at(1_700_000_040), "minute-28333334-shard-3-abc");
        assert_eq!(at(1_700_000_040), at(1_700_000_099));
        assert_ne!(at(1_700_000_040), at(1_700_000_100));
        // Step Functions takes 80 characters; an id has 16.
        let longest = name(Timestamp(u64::MAX), 99_999, &[SessionId("a".repeat(16))]);
        assert!(longest.len() <= 80, "{longest}");
    }
}
