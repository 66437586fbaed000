//! Makes the cursor last, when it is worth a write.

use super::Carrier;
use super::outlet::Outlet;
use super::publish::hash;
use crate::cursor::{self, Cursor, Rendition, Track};
use crate::names::RenditionName;
use crate::ports::{Clock, CommitError, Ingest, Origin, Sessions, StoreError};
use hls::{MediaSequence, Micros, Timestamp};

/// What landed is committed as soon as nothing younger than this is under way, or than the given part of a target
/// duration: one write a poll, although a large segment takes longer than a small one.
const PATIENCE: Micros = Micros::from_millis(150);
const PATIENCE_PART: u64 = 10;
const LONGEST_PATIENCE: Micros = Micros::from_secs(1);

/// A window that only slid waits longer: what is under way is likely to be published with it.
const SLIDE_PATIENCE: Micros = Micros::from_secs(2);

/// How long the store is left alone after it failed.
pub(super) const STORE_PAUSE: Micros = Micros::from_millis(500);

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// What the cursor says that has not lasted yet.
    pub(super) fn news(&self) -> News {
        let whole = |cursor: &Cursor| (cursor.bandwidth, cursor.source);
        if whole(&self.committed) != whole(&self.working) {
            return News::Landed;
        }
        let of = |(name, working): (&RenditionName, &Rendition)| {
            let Some(committed) = self.committed.renditions.get(name) else { return News::Landed };
            let seen = self.watches.get(name).and_then(|watch| watch.seen.as_deref());
            let listed = seen.map_or(0, |seen| seen.segments.len());
            match differs(committed, working) {
                News::None if unsure(committed, working, listed) => News::Given,
                news => news,
            }
        };
        self.working.renditions.iter().map(of).max().unwrap_or(News::None)
    }

    /// Whether to commit now: when there is news, and nothing is under way that will soon be news too.
    pub(super) fn wants_commit(&mut self, now: Timestamp) -> bool {
        let landed = self.news() == News::Landed;
        self.unwritten = landed.then(|| self.unwritten.unwrap_or(now));
        let paused = self.store_pause.as_ref().is_some_and(|(until, _)| now < *until);
        let late = self.unwritten_until().is_some_and(|until| until <= now);
        let quiet = |patience| {
            self.closing || late || !self.began.values().any(|&began| now < began + patience)
        };
        // What is being published is given together.
        let given = || self.news() == News::Given && !self.outlets.iter().all(Outlet::is_idle);
        !paused && self.forbearance().is_some_and(quiet) && !given()
    }

    /// How old everything under way must be before what is new is written; absent when nothing is.
    pub(super) fn forbearance(&self) -> Option<Micros> {
        match self.news() {
            News::None => None,
            News::Given | News::Slid => Some(SLIDE_PATIENCE),
            News::Landed => {
                let part = Micros(self.shortest_target().0 / PATIENCE_PART);
                Some(part.clamp(PATIENCE, LONGEST_PATIENCE))
            }
        }
    }

    /// By when what landed is written, whatever is under way: where there is much to catch up with, something always
    /// is, and the session would show nothing for so long.
    pub(super) fn unwritten_until(&self) -> Option<Timestamp> {
        Some(self.unwritten? + Micros(self.shortest_target().0 / 2).max(LONGEST_PATIENCE))
    }

    fn shortest_target(&self) -> Micros {
        let targets = self.working.renditions.values().map(|mark| mark.target_duration);
        targets.min().map(Micros::from).unwrap_or_default()
    }

    /// Compares and swaps the cursor.
    pub(super) async fn commit(&mut self, now: Timestamp) {
        let bytes = cursor::encode(&self.working);
        match self.store.commit(&self.session.id, self.revision, &bytes).await {
            Ok(revision) => {
                self.revision = Some(revision);
                self.committed = self.working.clone();
                self.lasted = self.newest.next();
                self.store_pause = None;
                self.unwritten = None;
                self.doubtful.clear();
                for (name, watch) in &mut self.watches {
                    if let Some(mark) = self.committed.renditions.get(name) {
                        watch.fates.forget(mark);
                    }
                }
            }
            Err(CommitError::Conflict) => self.settle_conflict(now).await,
            Err(CommitError::Store(error)) => {
                self.doubtful.insert(hash(&bytes));
                self.pause_store(now, &error);
            }
        }
    }

    /// Finds out who was first: what we committed ourselves when the answer was lost, or another run.
    async fn settle_conflict(&mut self, now: Timestamp) {
        let working = self.working.clone();
        match self.load().await {
            Ok(()) if self.doubtful.contains(&hash(cursor::encode(&self.committed))) => {
                self.working = working;
                self.doubtful.clear();
            }
            Ok(()) => self.forget_source(),
            Err(error) => self.pause_store(now, &error),
        }
    }

    fn pause_store(&mut self, now: Timestamp, error: &StoreError) {
        self.store_pause = Some((now + STORE_PAUSE, error.to_string()));
        self.fault(now, error.to_string());
    }

    /// Reads what has lasted.
    pub(super) async fn load(&mut self) -> Result<(), StoreError> {
        let (cursor, revision) = match self.store.cursor(&self.session.id).await? {
            None => (Cursor::default(), None),
            Some((bytes, revision)) => {
                let cursor = cursor::decode(&bytes)
                    .map_err(|error| StoreError { reason: error.to_string() })?;
                (cursor, Some(revision))
            }
        };
        self.working = cursor.clone();
        self.committed = cursor;
        self.lasted = self.newest.next();
        self.revision = revision;
        Ok(())
    }
}

/// What a cursor says that has not lasted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// Nothing that a playlist shows.
    None,
    /// That playlists were stored, of which the cursor has not said so for long.
    Given,
    /// The window lost its oldest segments.
    Slid,
    /// Segments landed, or the source numbers afresh.
    Landed,
}

/// How two marks of a rendition differ in what playlists show.
///
/// The source's newest segments are written along, but are no reason to write.
pub(super) fn differs(old: &Rendition, new: &Rendition) -> News {
    let landed = |mark: &Rendition| {
        let ends = |track: &Track| {
            let stretches = track.stretches.last().map(|stretch| (stretch.epoch, stretch.to));
            (stretches, track.discontinuities, track.broken, track.past)
        };
        let ends: Vec<_> = mark.tracks.iter().map(ends).collect();
        (mark.epoch, mark.entry, mark.target_duration, mark.doubted, ends)
    };
    if landed(old) != landed(new) {
        return News::Landed;
    }
    let slid = old.tracks.iter().zip(&new.tracks).any(|(old, new)| old.stretches != new.stretches);
    if slid { News::Slid } else { News::None }
}

/// When more than this part of a window is not known to have been given, that is written. What is left of the
/// window outlasts a slow takeover, and where each segment is written as it lands this costs nothing.
const UNSURE_PART: u64 = 3;

/// Whether it is time to write what was surely given, although nothing else is new.
///
/// Usually it is written along with what lands next. But where each poll is made by a run that knows
/// nothing of the one before, it never would be, and what a source that lists so many segments
/// then drops would be thought not to have been given.
fn unsure(old: &Rendition, new: &Rendition, listed: usize) -> bool {
    old.tracks.iter().zip(&new.tracks).any(|(old, new)| {
        let (Some(first), Some(last)) = (new.listed().first(), new.last()) else { return false };
        let all = last.last_out().after(1).since(first.out).max(listed as u64);
        let surely = old.given.map_or(MediaSequence(0), |given| given.after(1));
        let unsure = last.last_out().after(1).since(surely);
        new.given > old.given && unsure * UNSURE_PART > all
    })
}
