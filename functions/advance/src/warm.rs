//! What a function keeps from one invocation of a run to the next.

use crate::seat::Seat;
use aws::RunId;
use relay::Timestamp;
use relay::session::SessionId;
use std::collections::BTreeMap;

/// The sessions that were carried by this environment, by run.
///
/// The invocations of several runs come to one environment in turn, and those of one run to
/// several. What is kept is only used as long as nobody else has carried the session on.
#[derive(Default)]
pub struct Warm(BTreeMap<RunId, (Timestamp, BTreeMap<SessionId, Seat>)>);

impl Warm {
    /// What was kept of a run. What was kept of runs whose time is up is dropped.
    pub fn take(&mut self, run: &RunId, now: Timestamp) -> BTreeMap<SessionId, Seat> {
        self.0.retain(|_, (until, _)| now < *until);
        self.0.remove(run).map(|(_, seats)| seats).unwrap_or_default()
    }

    /// Keeps something of a run that goes on until `until`.
    pub fn keep(&mut self, run: RunId, until: Timestamp, seats: BTreeMap<SessionId, Seat>) {
        if !seats.is_empty() {
            self.0.insert(run, (until, seats));
        }
    }
}
