//! One endpoint: what it was given, and how it is.

use super::again::{HANGS, Sender};
use super::publish::{Basis, Naming};
use crate::cause::Cause;
use crate::names::{RenditionName, Stem};
use crate::ports::{Clock, Ingest};
use crate::progress::Fault;
use crate::session::Address;
use futures_util::lock::Mutex;
use hls::{Micros, Seconds, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first wait after a failed request before the endpoint is tried again; it doubles up to the longest.
const RETRY: Micros = Micros::from_millis(250);

/// The longest such wait: an endpoint that returns is seen within it.
const LONGEST_RETRY: Micros = Micros::from_secs(4);

/// Nor is it longer than so many target durations: what was listed when an endpoint returns is then still there.
const RETRY_TARGETS: u64 = 2;

/// A segment that takes longer than this to be read is not what an endpoint that fails is tried with alone.
const SLOW_READ: Micros = Micros::from_secs(1);

/// One endpoint, as this run knows it.
pub(super) struct Outlet<I> {
    pub(super) address: Address,
    pub(super) ingest: Arc<I>,
    pub(super) stem: Stem,
    /// What was last stored under each playlist's name, as a hash.
    pub(super) given: BTreeMap<String, u64>,
    /// Of which media playlists that is what these would be rendered to.
    pub(super) shown: BTreeMap<RenditionName, Basis>,
    /// The same of the multivariant playlist.
    pub(super) shown_multivariant: Option<Naming>,
    /// Renditions whose playlists were stored.
    pub(super) there: BTreeSet<RenditionName>,
    /// When the first of them was.
    pub(super) since: Option<Timestamp>,
    /// Renditions whose stored playlist says that nothing will follow.
    pub(super) finished: BTreeSet<RenditionName>,
    pub(super) publishing: bool,
    /// Segments on their way here, reading included.
    pub(super) copies: usize,
    /// When the last of them began.
    pub(super) began: Timestamp,
    /// When the requests that store them began; reading is over by then.
    pub(super) puts: BTreeMap<u64, Timestamp>,
    /// How long the last segment took.
    pub(super) put_took: Micros,
    /// Who may send again what hangs.
    pub(super) again: Arc<Mutex<()>>,
    pub(super) failures: u32,
    pub(super) retry_at: Timestamp,
    pub(super) error: Option<(Cause, String)>,
    /// How often in a row a playlist was not taken, and why the last one was not.
    pub(super) refusals: u32,
    pub(super) refused: Option<(Cause, String)>,
    /// Since when it lacks more than half of what the source lists.
    pub(super) lacking: Option<Timestamp>,
    pub(super) last_error: Option<Fault>,
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

impl<I> Outlet<I> {
    pub(super) fn new(address: Address, ingest: I) -> Self {
        Self {
            stem: Stem::of(&address),
            address,
            ingest: Arc::new(ingest),
            given: BTreeMap::new(),
            shown: BTreeMap::new(),
            shown_multivariant: None,
            there: BTreeSet::new(),
            since: None,
            finished: BTreeSet::new(),
            publishing: false,
            copies: 0,
            began: Timestamp::default(),
            puts: BTreeMap::new(),
            put_took: Micros(0),
            again: Arc::default(),
            failures: 0,
            retry_at: Timestamp::default(),
            error: None,
            refusals: 0,
            refused: None,
            lacking: None,
            last_error: None,
            segments: 0,
            bytes: 0,
        }
    }

    /// How many more copies may start: one at a time while it is not known to be well, or the last one took long, and
    /// none while several hang: what does holds the memory that all sessions share.
    pub(super) fn room(&self, concurrency: u8, now: Timestamp) -> usize {
        let hanging = self.puts.values().filter(|&&began| now >= began + HANGS).count();
        let most = match (self.failures, hanging) {
            (0, 0) if self.put_took < HANGS => usize::from(concurrency),
            // One connection may be lost where the others are well.
            (0, 1) => 2.min(usize::from(concurrency)),
            _ if now < self.retry_at => 0,
            _ if self.reads_slowly(now) => usize::from(concurrency).min(self.copies + 1),
            _ => 1,
        };
        most.saturating_sub(self.copies)
    }

    /// Whether what is on its way here has long been read from the source, which tells nothing of the endpoint.
    fn reads_slowly(&self, now: Timestamp) -> bool {
        self.puts.is_empty() && now >= self.began + SLOW_READ
    }

    /// When another may be read beside what is being read, while the endpoint fails.
    pub(super) fn read_due(&self) -> Option<Timestamp> {
        (self.failures > 0 && self.copies > 0).then_some(self.began + SLOW_READ)
    }

    /// Who sends it something.
    pub(super) fn sender<C: Clock>(&self, clock: &Arc<C>) -> Sender<I, C>
    where
        I: Ingest,
    {
        Sender::new(&self.ingest, clock, self.put_took, &self.again)
    }

    /// A request that stores a segment has ended.
    pub(super) fn ended(&mut self, copy: u64, now: Timestamp) {
        if let Some(began) = self.puts.remove(&copy) {
            self.put_took = now.since(began);
        }
    }

    pub(super) fn succeeded(&mut self, bytes: u64) {
        self.segments += 1;
        self.bytes += bytes;
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.publishing
    }

    pub(super) fn well(&mut self) {
        self.failures = 0;
        self.error = None;
        // Else the next failure would be taken for one of those before, and be tried again at once.
        self.retry_at = Timestamp::default();
    }

    /// A playlist was not taken, for the last error. What it takes beside does not make that good.
    pub(super) fn refused_playlists(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
        self.refused = self.error.clone();
    }

    /// All playlists that it was sent were taken.
    pub(super) fn took_playlists(&mut self) {
        (self.refusals, self.refused) = (0, None);
        self.well();
    }

    /// What it does not take, and how often in a row it did not.
    pub(super) fn trouble(&self) -> Option<(u32, &(Cause, String))> {
        let refused = self.refused.as_ref().map(|refused| (self.refusals, refused));
        refused.max(self.error.as_ref().map(|error| (self.failures, error)))
    }

    /// A request failed; `target` is the shortest target duration of what it is to be given.
    pub(super) fn failed(&mut self, cause: Cause, what: String, target: Seconds, now: Timestamp) {
        let longest = Micros(Micros::from(target).0.saturating_mul(RETRY_TARGETS));
        let longest = longest.clamp(RETRY, LONGEST_RETRY);
        let wait = Micros(RETRY.0 << self.failures.min(6)).min(longest);
        // Requests that fail together are one failure.
        if self.retry_at <= now {
            self.failures = self.failures.saturating_add(1);
            self.retry_at = now + wait;
        }
        self.error = Some((cause, what.clone()));
        self.last_error = Some(Fault { what, at: now });
    }

    pub(super) fn ready(&self, now: Timestamp) -> bool {
        !self.publishing && (self.failures == 0 || self.retry_at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn a_failure_soon_after_a_success_is_not_tried_again_at_once() {
        let url = Url::parse("http://in.example/channel").expect("it is one");
        let mut outlet = Outlet::new(Address::of(&url), ());
        let at = |millis| Timestamp::default() + Micros::from_millis(millis);
        let mut retries = Vec::new();
        for begin in [0, 250, 750] {
            outlet.failed(Cause::Endpoint, "down".to_owned(), Seconds(2), at(begin));
            outlet.failed(Cause::Endpoint, "down".to_owned(), Seconds(2), at(begin + 1));
            retries.push(outlet.retry_at);
        }
        assert_eq!(retries, [at(250), at(750), at(1_750)], "ever longer, and together once");
        outlet.well();
        assert!(outlet.ready(at(751)));
        outlet.failed(Cause::Endpoint, "down".to_owned(), Seconds(2), at(760));
        assert!(!outlet.ready(at(1_009)));
        assert!(outlet.ready(at(1_010)));
    }
}
