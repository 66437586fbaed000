//! Advances one session: polls its source, copies what is new, commits, publishes.
//!
//! What is decided is decided by `anchor`, `plan`, `settle` and `render`; this acts. Reads and
//! writes run side by side, so that nothing slow holds up anything else; the cursor is committed
//! before a playlist that shows it is published, so that a crash anywhere is mended by the next run.

mod copies;
mod event;
mod fallback;
mod fit;
mod publish;
mod report;
mod shelf;
mod source;

use crate::cursor::{self, Cursor, Rendition, Track};
use crate::layout::Layout;
use crate::names::{Epoch, RenditionName, Stem};
use crate::plan::Key;
use crate::ports::{
    Clock, CommitError, Fetched, Ingest, IngestError, Origin, OriginError, Revision, Sessions,
    StoreError,
};
use crate::progress::{Progress, Status};
use crate::session::Session;
use crate::settle::Style;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hls::{MediaSequence, Micros, Timestamp};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use url::Url;

pub use event::Event;
use fallback::Sources;
use publish::Outlet;
use shelf::{Parcel, Shelf};
use source::{Master, Watch};

/// What landed is committed as soon as nothing younger than this is under way, or than the given part of a target
/// duration: one write a poll, although a large segment takes longer than a small one.
const PATIENCE: Micros = Micros::from_millis(150);
const PATIENCE_PART: u64 = 10;
const LONGEST_PATIENCE: Micros = Micros::from_secs(1);

/// A window that only slid waits longer: what is under way is likely to be published with it.
const SLIDE_PATIENCE: Micros = Micros::from_secs(2);

/// How long the store is left alone after it failed.
const STORE_PAUSE: Micros = Micros::from_millis(500);

/// The longest sleep: nothing is due for longer than this only when a session is over.
const LONGEST_SLEEP: Micros = Micros::from_secs(60);

/// Carries one session.
///
/// Dropping it, at any await, loses nothing: whoever takes the session up again goes on.
pub struct Carrier<O, I, S, C> {
    session: Session,
    style: Style,
    sources: Sources,
    origin: Arc<O>,
    store: Arc<S>,
    clock: Arc<C>,
    outlets: Vec<Outlet<I>>,
    /// What has lasted: playlists are renderings of it.
    committed: Cursor,
    /// What is to be committed next.
    working: Cursor,
    revision: Option<Revision>,
    /// What may have lasted although the store did not say so.
    doubtful: Option<Cursor>,
    store_pause: Option<(Timestamp, String)>,
    master: Master,
    layout: Option<(Layout, Version)>,
    watches: BTreeMap<RenditionName, Watch>,
    shelf: Shelf,
    under_way: FuturesUnordered<Effect>,
    /// When each copy that is under way began.
    began: BTreeMap<u64, Timestamp>,
    next_copy: u64,
    progress: Progress,
    reported: Status,
    events: Vec<Event>,
    closing: bool,
    /// The newest version of what playlists are rendered from.
    newest: Version,
    /// The version in which the committed cursor last changed.
    lasted: Version,
    renderings: u64,
}

/// Counts the changes of what playlists are rendered from, over all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u64);

impl Version {
    /// The next one, which is the newest from here on.
    fn next(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

type Effect = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What an effect came to.
enum Done {
    Master {
        sent: Timestamp,
        result: Result<Fetched, OriginError>,
    },
    Playlist {
        rendition: RenditionName,
        sent: Timestamp,
        result: Result<Fetched, OriginError>,
    },
    Probed {
        newest: Option<MediaSequence>,
    },
    Read {
        copy: u64,
        rendition: RenditionName,
        key: Key,
        endpoints: Vec<usize>,
        result: Result<Parcel, OriginError>,
    },
    Put {
        copy: u64,
        rendition: RenditionName,
        key: Key,
        endpoint: usize,
        bytes: u64,
        result: Result<(), IngestError>,
    },
    Published {
        endpoint: usize,
        stored: Vec<publish::Stored>,
        result: Result<(), IngestError>,
    },
    Deleted {
        endpoint: usize,
        rendition: RenditionName,
        count: usize,
    },
}

/// What [`Carrier::step`] came to.
#[derive(Debug)]
pub enum Step {
    /// The session goes on; what happened.
    Went(Vec<Event>),
    /// It is over: its status is not active any more.
    Over(Vec<Event>),
    /// Nothing is under way, and nothing is due before this moment.
    Idle(Timestamp),
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Takes up a session where its cursor left off. Of its sources, of which there is at least one, the
    /// first is preferred.
    ///
    /// # Errors
    /// When the store cannot be read. A stored cursor that cannot be decoded is such an error too:
    /// beginning afresh over it could put other bytes under used names.
    pub async fn take(
        session: Session,
        sources: Vec<Url>,
        origin: O,
        ingests: Vec<I>,
        store: Arc<S>,
        clock: Arc<C>,
    ) -> Result<Self, StoreError> {
        let outlets: Vec<Outlet<I>> = session
            .endpoints
            .iter()
            .zip(ingests)
            .map(|(address, ingest)| Outlet::new(address.clone(), ingest))
            .collect();
        let style = Style {
            window: session.window_seconds.map(|seconds| Micros::from_secs(seconds.into())),
            deletes: session.output.abilities().deletes,
            keys: session.keys_at_output(),
        };
        let mut carrier = Self {
            style,
            sources: Sources::new(sources, clock.now()),
            origin: Arc::new(origin),
            store,
            clock,
            progress: report::first(&session),
            outlets,
            session,
            committed: Cursor::default(),
            working: Cursor::default(),
            revision: None,
            doubtful: None,
            store_pause: None,
            master: Master::default(),
            layout: None,
            watches: BTreeMap::new(),
            shelf: Shelf::default(),
            under_way: FuturesUnordered::new(),
            began: BTreeMap::new(),
            next_copy: 0,
            reported: Status::Starting,
            events: Vec::new(),
            closing: false,
            newest: Version::default(),
            lasted: Version::default(),
            renderings: 0,
        };
        carrier.load().await?;
        Ok(carrier)
    }

    /// How the session is doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How many playlists this run has rendered, whether they were then stored or not: what a source
    /// that lists nothing new costs none of.
    #[must_use]
    pub fn renderings(&self) -> u64 {
        self.renderings
    }

    /// Goes on until something worth showing has happened, however long that takes.
    pub async fn step(&mut self) -> Step {
        loop {
            match self.tick().await {
                Step::Idle(until) => {
                    let clock = Arc::clone(&self.clock);
                    clock.sleep_until(until).await;
                }
                step @ (Step::Went(_) | Step::Over(_)) => return step,
            }
        }
    }

    /// Goes on until something worth showing has happened, or there is nothing to do for now.
    pub async fn tick(&mut self) -> Step {
        loop {
            let now = self.clock.now();
            if !self.closing && self.progress.status.is_active() {
                self.choose_source(now);
                self.start_polls(now);
                self.start_copies(now);
            }
            if self.wants_commit(now) {
                self.commit(now).await;
            }
            self.start_publishing(now);
            self.take_stock(now);
            self.report(now).await;
            let over = !self.progress.status.is_active() && self.reported == self.progress.status;
            if over || !self.events.is_empty() {
                let events = std::mem::take(&mut self.events);
                return if over { Step::Over(events) } else { Step::Went(events) };
            }
            let wake = self.next_due(now).min(now + LONGEST_SLEEP).max(now + Micros(1));
            if self.under_way.is_empty() {
                return Step::Idle(wake);
            }
            self.wait(wake).await;
        }
    }

    /// Starts nothing new, and settles and publishes what is under way, until `deadline` at most.
    pub async fn finish(&mut self, deadline: Timestamp) {
        self.closing = true;
        while (!self.under_way.is_empty() || self.news() != News::None)
            && self.clock.now() < deadline
        {
            let clock = Arc::clone(&self.clock);
            let limit = pin!(clock.sleep_until(deadline));
            let tick = pin!(self.tick());
            match select(tick, limit).await {
                Either::Left((Step::Went(_), _)) => {}
                Either::Left((Step::Over(_) | Step::Idle(_), _)) | Either::Right(_) => return,
            }
        }
    }

    /// Waits for an effect to end, until `wake` at most.
    async fn wait(&mut self, wake: Timestamp) {
        let clock = Arc::clone(&self.clock);
        let timer = pin!(clock.sleep_until(wake));
        let done = match select(self.under_way.next(), timer).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => return,
        };
        self.take_in(done);
        // What ended at the same time is taken in at once: fewer commits.
        while let Some(done @ Some(_)) = self.under_way.next().now_or_never() {
            self.take_in(done);
        }
    }

    fn take_in(&mut self, done: Option<Done>) {
        let now = self.clock.now();
        match done {
            None => {}
            // What another source said is no news any more.
            Some(Done::Master { sent, .. } | Done::Playlist { sent, .. })
                if sent < self.sources.since => {}
            Some(Done::Probed { newest }) => self.probed(newest, now),
            Some(Done::Master { sent, result }) => self.saw_master(sent, now, result),
            Some(Done::Playlist { rendition, sent, result }) => {
                self.saw_playlist(&rendition, sent, now, result);
            }
            Some(Done::Read { copy, rendition, key, endpoints, result }) => {
                self.read(copy, rendition, key, endpoints, result, now);
            }
            Some(Done::Put { copy, rendition, key, endpoint, bytes, result }) => {
                self.put(copy, &rendition, key, endpoint, bytes, result, now);
            }
            Some(Done::Published { endpoint, stored, result }) => {
                self.published(endpoint, stored, result, now);
            }
            Some(Done::Deleted { endpoint, rendition, count }) => {
                self.deleted(endpoint, &rendition, count);
            }
        }
    }

    /// The next moment at which something is due.
    fn next_due(&self, now: Timestamp) -> Timestamp {
        let store = self.store_pause.as_ref().map(|(until, _)| *until);
        let commit = self
            .forbearance()
            .and_then(|patience| self.began.values().map(|&began| began + patience).max());
        let polls = !self.closing && self.progress.status.is_active();
        let source = polls.then(|| self.source_due(now).max(now + Micros(1)));
        let (patience, probe) = (self.source_patience(), self.probe_due());
        let others = patience.into_iter().chain(probe).filter(|_| polls).min();
        let due = [store, commit, source, others, self.outlets_due(now)];
        due.into_iter().flatten().filter(|&at| at > now).min().unwrap_or(now + LONGEST_SLEEP)
    }

    /// What the cursor says that has not lasted yet.
    fn news(&self) -> News {
        let whole = |cursor: &Cursor| (cursor.bandwidth, cursor.source);
        if whole(&self.committed) != whole(&self.working) {
            return News::Landed;
        }
        let of = |(name, working)| match self.committed.renditions.get(name) {
            None => News::Landed,
            Some(committed) => differs(committed, working),
        };
        self.working.renditions.iter().map(of).max().unwrap_or(News::None)
    }

    /// Whether to commit now: when there is news, and nothing is under way that will soon be news too.
    fn wants_commit(&self, now: Timestamp) -> bool {
        let paused = self.store_pause.as_ref().is_some_and(|(until, _)| now < *until);
        let quiet =
            |patience| self.closing || !self.began.values().any(|&began| now < began + patience);
        !paused && self.forbearance().is_some_and(quiet)
    }

    /// How old everything under way must be before what is new is written; absent when nothing is.
    fn forbearance(&self) -> Option<Micros> {
        match self.news() {
            News::None => None,
            News::Slid => Some(SLIDE_PATIENCE),
            News::Landed => {
                let targets = self.working.renditions.values().map(|mark| mark.target_duration);
                let shortest = targets.min().map(Micros::from).unwrap_or_default();
                let part = Micros(shortest.0 / PATIENCE_PART);
                Some(part.clamp(PATIENCE, LONGEST_PATIENCE))
            }
        }
    }

    /// Compares and swaps the cursor.
    async fn commit(&mut self, now: Timestamp) {
        let bytes = cursor::encode(&self.working);
        match self.store.commit(&self.session.id, self.revision, &bytes).await {
            Ok(revision) => {
                self.revision = Some(revision);
                self.committed = self.working.clone();
                self.lasted = self.newest.next();
                self.store_pause = None;
                for (name, watch) in &mut self.watches {
                    if let Some(mark) = self.committed.renditions.get(name) {
                        watch.fates.forget(mark);
                    }
                }
            }
            Err(CommitError::Conflict) => self.settle_conflict(now).await,
            Err(CommitError::Store(error)) => {
                self.doubtful = Some(self.working.clone());
                self.pause_store(now, &error);
            }
        }
    }

    /// Finds out who was first: what we committed ourselves when the answer was lost, or another run.
    async fn settle_conflict(&mut self, now: Timestamp) {
        let working = self.working.clone();
        match self.load().await {
            Ok(()) if self.doubtful.as_ref() == Some(&self.committed) => {
                self.working = working;
                self.doubtful = None;
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
    async fn load(&mut self) -> Result<(), StoreError> {
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

    /// The first epoch of a session: where its names begin.
    fn first_epoch(&self) -> Epoch {
        Epoch(self.session.created.as_secs())
    }

    fn stem(&self, endpoint: usize) -> &Stem {
        &self.outlets[endpoint].stem
    }

    /// Notes that something failed.
    fn fault(&mut self, now: Timestamp, what: String) {
        report::note(&mut self.progress, &what, now);
        self.events.push(Event::Failed(what));
    }
}

/// What a cursor says that has not lasted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    /// Nothing that a playlist shows.
    None,
    /// The window lost its oldest segments.
    Slid,
    /// Segments landed, or the source numbers afresh.
    Landed,
}

/// How two marks of a rendition differ in what playlists show.
///
/// The source's newest segments and what was surely given are written along, but are no reason to write.
fn differs(old: &Rendition, new: &Rendition) -> News {
    let landed = |mark: &Rendition| {
        let ends = |track: &Track| {
            let stretches = track.stretches.last().map(|stretch| (stretch.epoch, stretch.to));
            (stretches, track.discontinuities, track.broken)
        };
        let ends: Vec<_> = mark.tracks.iter().map(ends).collect();
        (mark.epoch, mark.entry, mark.target_duration, ends)
    };
    if landed(old) != landed(new) {
        return News::Landed;
    }
    let slid = old.tracks.iter().zip(&new.tracks).any(|(old, new)| old.stretches != new.stretches);
    if slid { News::Slid } else { News::None }
}
