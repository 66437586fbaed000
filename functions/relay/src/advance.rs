//! Advances one session: polls its source, copies what is new, commits, publishes.
//!
//! What is decided is decided by `anchor`, `plan`, `settle` and `render`; this acts. Reads and
//! writes run side by side, so that nothing slow holds up anything else; the cursor is committed
//! before a playlist that shows it is published, so that a crash anywhere is mended by the next run.

mod again;
mod commit;
mod copies;
mod ending;
mod event;
mod fallback;
mod fit;
mod looks;
mod master;
mod outlet;
mod publish;
mod report;
mod shelf;
mod source;
mod sweep;
mod watch;

use crate::abilities::Facet;
use crate::cursor::Cursor;
use crate::layout::Layout;
use crate::names::{Epoch, RenditionName};
use crate::plan::Key;
use crate::ports::{
    Clock, Fetched, Ingest, IngestError, Origin, OriginError, Revision, Sessions, StoreError,
};
use crate::progress::{Progress, Status};
use crate::session::Session;
use crate::settle::Style;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hls::{MediaSequence, Micros, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use url::Url;

use ending::Lost;
pub use event::Event;
use fallback::Sources;
use master::Master;
use outlet::Outlet;
use shelf::{Parcel, Shelf};
use watch::{Asked, Watch};

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
    /// Hashes of what may have lasted although the store did not say so: of several tries it may be any.
    doubtful: BTreeSet<u64>,
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
    /// Renditions that the output does not take, and when that was first asked.
    unfit: BTreeMap<RenditionName, (Timestamp, Facet)>,
    /// When something last landed at an endpoint.
    moved: Timestamp,
    /// Since when the store lacks something that landed.
    unwritten: Option<Timestamp>,
    /// What of a recording could not be read.
    lost: Lost,
    closing: bool,
    /// Whether servers that can may hold their answers back.
    holds: bool,
    /// How many looks are under way whose answers are.
    held: usize,
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
        url: Url,
        sent: Timestamp,
        result: Result<Fetched, OriginError>,
    },
    Playlist {
        asked: Asked,
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
            doubtful: BTreeSet::new(),
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
            unfit: BTreeMap::new(),
            moved: Timestamp::default(),
            unwritten: None,
            lost: Lost::default(),
            closing: false,
            holds: false,
            held: 0,
            newest: Version::default(),
            lasted: Version::default(),
            renderings: 0,
        };
        carrier.load().await?;
        Ok(carrier)
    }

    /// Has low-latency sources answer when a segment is there, rather than ask them when it may be
    /// (draft-pantos-hls-rfc8216bis section 6.2.5.2): for a process that stays. Where waiting is paid for, a look that
    /// comes at the right moment is cheaper.
    #[must_use]
    pub fn holding(self) -> Self {
        Self { holds: true, ..self }
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
            self.sources.looks(now);
            if self.progress.status.is_active() {
                self.judge(now);
            }
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
                self.sources.expects(now);
                return if over { Step::Over(events) } else { Step::Went(events) };
            }
            let wake = self.next_due(now).min(now + LONGEST_SLEEP).max(now + Micros(1));
            self.sources.expects(wake);
            // At the end nobody waits for what a source has not listed yet.
            let waits = if self.closing { self.held } else { 0 };
            if self.under_way.len() <= waits {
                return Step::Idle(wake);
            }
            self.wait(wake).await;
        }
    }

    /// Starts nothing new, and settles and publishes what is under way, until `deadline` at most.
    pub async fn finish(&mut self, deadline: Timestamp) {
        self.closing = true;
        let clock = Arc::clone(&self.clock);
        let mut limit = pin!(clock.sleep_until(deadline));
        while let Either::Left((Step::Went(_), _)) = select(pin!(self.tick()), limit.as_mut()).await
        {
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
        if let Some(Done::Playlist { asked: Asked { held: Some(_), .. }, .. }) = &done {
            self.held -= 1;
        }
        match done {
            None => {}
            // What another source said is no news any more.
            Some(Done::Master { sent, .. } | Done::Playlist { asked: Asked { sent, .. }, .. })
                if sent < self.sources.since => {}
            Some(Done::Probed { newest }) => self.probed(newest, now),
            Some(Done::Master { url, sent, result }) => self.saw_master(&url, sent, now, result),
            Some(Done::Playlist { asked, result }) => self.saw_playlist(&asked, now, result),
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
            .and_then(|patience| self.began.values().map(|&began| began + patience).max())
            .map(|quiet| self.unwritten_until().map_or(quiet, |until| until.min(quiet)));
        let polls = !self.closing && self.progress.status.is_active();
        let source = polls.then(|| self.source_due(now).max(now + Micros(1)));
        let (patience, probe) = (self.source_patience(), self.probe_due());
        let others = patience.into_iter().chain(probe).filter(|_| polls).min();
        let due = [store, commit, source, others, self.outlets_due(now)];
        due.into_iter().flatten().filter(|&at| at > now).min().unwrap_or(now + LONGEST_SLEEP)
    }

    /// The first epoch of a session: where its names begin.
    fn first_epoch(&self) -> Epoch {
        Epoch(self.session.created.as_secs())
    }

    /// Notes that something failed.
    fn fault(&mut self, now: Timestamp, what: String) {
        report::note(&mut self.progress, &what, now);
        self.events.push(Event::Failed(what));
    }
}
