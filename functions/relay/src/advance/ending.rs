//! How a session ends whose source has.

use super::report::Standing;
use super::{Carrier, Watch};
use crate::cause::Cause;
use crate::names::RenditionName;
use crate::ports::{Clock, Ingest, Origin, Sessions};
use crate::progress::Status;
use hls::{Micros, Timestamp};
use std::collections::BTreeSet;

/// How long a session whose source has ended goes on without anything new at any endpoint.
const PATIENCE: Micros = Micros::from_secs(600);

/// What of a recording could not be read.
#[derive(Default)]
pub(super) struct Lost {
    segments: u64,
    last: String,
}

impl Lost {
    pub(super) fn note(&mut self, reason: String) {
        self.segments += 1;
        self.last = reason;
    }
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Whether everything has been carried to its end, or as much as can be.
    pub(super) fn ended_state(&self, now: Timestamp) -> Option<Standing> {
        let ended = self.watches.values().any(Watch::ended)
            && self.watches.values().all(|watch| watch.ended() || watch.is_unread());
        if !ended {
            return None;
        }
        let done =
            |(at, outlet): (usize, &super::Outlet<I>)| outlet.is_idle() && self.has_closed(at);
        if self.outlets.iter().enumerate().all(done) {
            return Some(self.ended_whole());
        }
        let seen = self.watches.values().filter_map(|watch| watch.ended_at).max()?;
        let waited = now.since(seen.max(self.moved)) >= PATIENCE;
        waited.then(|| {
            let (_, reasons) = self.troubles(now);
            let colon = if reasons.is_empty() { "" } else { ": " };
            let reason = format!(
                "the source ended, and in ten minutes nothing more of it could be carried{colon}{}",
                reasons.join("; ")
            );
            (Status::Ended, Some(reason), BTreeSet::from([Cause::Incomplete]))
        })
    }

    fn ended_whole(&self) -> Standing {
        let count = |segments| match segments {
            1 => "1 segment".to_owned(),
            _ => format!("{segments} segments"),
        };
        let (lost, missed) = (&self.lost, self.progress.missed);
        let (reason, causes) = match (lost.segments, missed) {
            (0, 0) => ("the source ended and all of it was carried".to_owned(), BTreeSet::new()),
            (0, _) => {
                let missed = count(missed);
                (
                    format!("the source ended and all of it was carried but {missed}"),
                    BTreeSet::new(),
                )
            }
            (lost_segments, _) => (
                format!(
                    "the source ended and all of it was carried but {}, the last: {}",
                    count(lost_segments.max(missed)),
                    lost.last
                ),
                BTreeSet::from([Cause::Incomplete]),
            ),
        };
        (Status::Ended, Some(reason), causes)
    }

    /// Whether an endpoint has all that there will ever be of every rendition.
    pub(super) fn has_closed(&self, endpoint: usize) -> bool {
        let outlet = &self.outlets[endpoint];
        let closed = |(name, watch): (&RenditionName, &Watch)| {
            watch.is_lost()
                || outlet.finished.contains(name)
                || (watch.ended() && self.is_void(name, watch, endpoint))
        };
        !self.watches.is_empty() && self.watches.iter().all(closed)
    }

    /// Whether nothing of a rendition can be carried to an endpoint.
    fn is_void(&self, name: &RenditionName, watch: &Watch, endpoint: usize) -> bool {
        let (Some(mark), Some(seen)) = (self.working.renditions.get(name), watch.seen.as_deref())
        else {
            return false;
        };
        let track = mark.tracks.get(endpoint).filter(|track| track.last().is_none());
        track.is_some_and(|track| watch.fates.complete(mark, track, seen))
    }
}
