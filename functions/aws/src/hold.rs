//! One run's hold on one session.
//!
//! A newer run takes a session over by a conditional write, and the older one notices at its next
//! write or look. Between the two, what keeps the older from publishing an older window over a newer one is its lease:
//! it publishes until then and not later, and the newer one not before.

use crate::item::Mark;
use crate::marks::Written;
use crate::runs::RunId;
use relay::Timestamp;
use relay::ports::{
    Clock, CommitError, CreateError, IngestError, Page, Query, Record, Revision, Sessions,
    StoreError,
};
use relay::progress::{Progress, Status};
use relay::session::{Access, Session, SessionId};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

const SECOND: u64 = 1_000_000;

/// How long a commit lets its run publish. What is published follows the commit at once, so this is
/// [`PUT_TIME`] and time to begin in; whoever stops a session may have to wait as long.
pub const LEASE: hls::Micros = hls::Micros(8 * SECOND);

/// How long it may take to store a playlist, whatever is in the way.
pub const PUT_TIME: hls::Micros = hls::Micros(5 * SECOND);

/// How far the clocks of two functions are apart at most.
const SKEW: hls::Micros = hls::Micros(SECOND / 5);

/// How often one looks whether the run before has let go.
const LOOK: hls::Micros = hls::Micros(3 * SECOND / 10);

/// How often taking over is begun again when the holder writes at the same time.
const ROUNDS: usize = 5;

/// What a run may do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Carry it on.
    Held,
    /// Nothing more: a newer run holds it.
    Relieved,
    /// Nothing more: it has been stopped, or is over.
    Over,
}

/// The sessions that runs take from each other: beside the sessions, who holds them. Each write depends
/// on what is there, and says what that is when it was not done.
pub trait Marks: Sessions {
    /// How far a session has come, and who holds it; absent when there is no such session.
    fn mark(&self, id: &SessionId)
    -> impl Future<Output = Result<Option<Mark>, StoreError>> + Send;

    /// Makes `run` the holder in the place of the one in `mark`, which publishes until `from` at most.
    fn take_over(
        &self,
        mark: &Mark,
        run: &RunId,
        from: Timestamp,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Lengthens the lease of `run`, which holds the session.
    fn renew(
        &self,
        id: &SessionId,
        run: &RunId,
        until: Timestamp,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Puts a cursor in the place of the one of `expected`, and lengthens the lease of `run`, which
    /// holds the session.
    fn commit_held(
        &self,
        id: &SessionId,
        expected: u64,
        cursor: &[u8],
        run: &RunId,
        until: Timestamp,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Ends the lease of `run`, which publishes no more. What `run` itself had to wait for, until
    /// `from`, its successor still has to.
    fn release(
        &self,
        id: &SessionId,
        run: &RunId,
        from: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes how an active session is doing.
    fn report_active(
        &self,
        session: &Session,
        progress: &Progress,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// One run's hold on one session: the session's store as the run sees it.
#[derive(Debug)]
pub struct Hold<S, C> {
    sessions: Arc<S>,
    clock: Arc<C>,
    session: Session,
    run: RunId,
    state: Mutex<State>,
    /// Playlists on their way.
    playing: watch::Sender<usize>,
    /// One at a time asks whether it may publish: the others then know.
    gate: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// What was read and not used yet.
    seen: Option<Mark>,
    revision: u64,
    standing: Standing,
    until: Timestamp,
    from: Timestamp,
    faults: Faults,
    /// What is stored of how the session is doing, as far as it is told in a word and a sentence.
    reported: (Status, Option<String>),
}

/// What went wrong at the borders since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Requests to the source that failed.
    pub source: u64,
    /// Requests to endpoints that failed.
    pub ingest: u64,
    /// Whether an endpoint refused the credentials.
    pub denied: bool,
}

impl<S: Marks, C: Clock> Hold<S, C> {
    /// The hold of `run` on a session whose mark was just read.
    #[must_use]
    pub fn new(sessions: Arc<S>, clock: Arc<C>, run: RunId, record: Record, mark: Mark) -> Self {
        let state = State {
            revision: mark.revision,
            standing: Standing::Held,
            until: Timestamp(0),
            from: mark.from,
            faults: Faults::default(),
            seen: None,
            reported: (record.progress.status, record.progress.reason),
        };
        let hold = Self {
            sessions,
            clock,
            session: record.session,
            run,
            state: Mutex::new(state),
            playing: watch::Sender::new(0),
            gate: tokio::sync::Mutex::default(),
        };
        hold.look(&mark);
        hold.state().seen = Some(mark);
        hold
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// What the run may do with the session, as far as it knows.
    pub fn standing(&self) -> Standing {
        self.state().standing
    }

    /// Takes in what is stored; says whether it is what this run stored last.
    pub fn look(&self, mark: &Mark) -> bool {
        let mut state = self.state();
        if mark.over {
            state.standing = Standing::Over;
        } else if mark.holder.as_ref().is_some_and(|holder| *holder > self.run) {
            state.standing = Standing::Relieved;
        } else if mark.holder.as_ref() == Some(&self.run) {
            state.until = mark.until;
            state.from = mark.from;
        }
        mark.holder.as_ref() == Some(&self.run) && mark.revision == state.revision
    }

    /// What went wrong at the borders since this was last asked.
    pub fn take_faults(&self) -> Faults {
        std::mem::take(&mut self.state().faults)
    }

    /// Counts what went wrong at the borders.
    pub fn count(&self, more: Faults) {
        let faults = &mut self.state().faults;
        faults.source += more.source;
        faults.ingest += more.ingest;
        faults.denied |= more.denied;
    }

    /// Waits until no playlist is on its way.
    pub async fn quiet(&self) {
        // The sender is here.
        let _ = self.playing.subscribe().wait_for(|playing| *playing == 0).await;
    }

    /// Lets go of a session that this run may carry no more, once nothing is on its way: whoever
    /// waits for that need not wait for the end of the lease.
    ///
    /// # Errors
    /// When the table cannot be written; the lease then ends by itself.
    pub async fn release(&self) -> Result<(), StoreError> {
        let from = self.state().from;
        self.sessions.release(&self.session.id, &self.run, from).await
    }

    /// Counts a playlist as on its way.
    pub(crate) fn play(&self) -> Playing<'_> {
        self.playing.send_modify(|playing| *playing += 1);
        Playing(&self.playing)
    }

    /// Waits until this run may publish; says until when it may.
    ///
    /// # Errors
    /// When it may not any more, or the table cannot be asked.
    pub async fn may_publish(&self) -> Result<Timestamp, IngestError> {
        let _turn = self.gate.lock().await;
        let refused = |reason: String| IngestError::Unavailable { reason };
        loop {
            let now = self.clock.now();
            let (standing, from, until) = {
                let state = self.state();
                (state.standing, state.from, state.until)
            };
            match standing {
                Standing::Held => {}
                Standing::Relieved => {
                    return Err(refused("a newer run publishes from here on".to_owned()));
                }
                Standing::Over => return Err(refused("the session was stopped".to_owned())),
            }
            let clear = if from == Timestamp(0) { from } else { from + SKEW };
            if now < clear {
                self.clock.sleep_until(clear.min(now + LOOK)).await;
                let mark = self.sessions.mark(&self.session.id).await;
                if let Some(mark) = mark.map_err(|error| refused(error.to_string()))? {
                    self.look(&mark);
                }
                continue;
            }
            if now + PUT_TIME <= until {
                return Ok(now + PUT_TIME);
            }
            let renewed = self.sessions.renew(&self.session.id, &self.run, now + LEASE).await;
            match renewed.map_err(|error| refused(error.to_string()))? {
                Written::Done => self.state().until = now + LEASE,
                Written::Not(there) => self.lost(there.as_deref()),
            }
        }
    }

    /// A conditional write failed: takes in who was first.
    fn lost(&self, there: Option<&Mark>) {
        match there {
            None => self.state().standing = Standing::Over,
            Some(mark) => {
                let ours = mark.holder.as_ref() == Some(&self.run);
                self.look(mark);
                let mut state = self.state();
                if !ours && state.standing == Standing::Held {
                    // An older run cannot have taken it: whoever holds it is not this run.
                    state.standing = Standing::Relieved;
                }
            }
        }
    }

    /// Becomes the holder, and reads what there is.
    async fn take(&self) -> Result<Mark, StoreError> {
        let gone =
            |reason: &str| StoreError { reason: format!("session {}: {reason}", self.session.id) };
        for _ in 0..ROUNDS {
            let seen = self.state().seen.take();
            let mark = match seen {
                Some(mark) => Some(mark),
                None => self.sessions.mark(&self.session.id).await?,
            };
            let Some(mark) = mark else {
                self.state().standing = Standing::Over;
                return Err(gone("it is gone"));
            };
            self.look(&mark);
            match self.standing() {
                Standing::Over => return Err(gone("it was stopped")),
                Standing::Relieved => return Err(gone("a newer run has taken over")),
                Standing::Held => {}
            }
            if mark.holder.as_ref() == Some(&self.run) {
                return Ok(mark);
            }
            let from = mark.until.max(mark.from);
            let taken = self.sessions.take_over(&mark, &self.run, from).await?;
            if let Written::Done = taken {
                let mut state = self.state();
                (state.until, state.from) = (Timestamp(0), from);
                return Ok(mark);
            }
        }
        Err(gone("it is being written by others"))
    }
}

/// A playlist on its way.
pub(crate) struct Playing<'a>(&'a watch::Sender<usize>);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|playing| *playing -= 1);
    }
}

impl<S: Marks, C: Clock> Sessions for Hold<S, C> {
    async fn create(&self, session: &Session, access: &Access) -> Result<(), CreateError> {
        self.sessions.create(session, access).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.sessions.get(id).await
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.sessions.list(query).await
    }

    async fn access(&self, id: &SessionId) -> Result<Option<Access>, StoreError> {
        self.sessions.access(id).await
    }

    async fn report(&self, id: &SessionId, progress: &Progress) -> Result<(), StoreError> {
        if self.standing() != Standing::Held {
            return Ok(());
        }
        let new = (progress.status, progress.reason.clone());
        // Every run begins by finding out what the one before had reported.
        if self.state().reported == new {
            return Ok(());
        }
        if progress.status.is_active() {
            self.sessions.report_active(&self.session, progress).await?;
        } else {
            self.sessions.report(id, progress).await?;
        }
        self.state().reported = new;
        Ok(())
    }

    async fn cursor(&self, _: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        let mark = self.take().await?;
        self.state().revision = mark.revision;
        Ok(mark.cursor.map(|cursor| (cursor, Revision(mark.revision))))
    }

    async fn commit(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        let expected = expected.map_or(0, |revision| revision.0);
        let until = self.clock.now() + LEASE;
        match self.sessions.commit_held(id, expected, cursor, &self.run, until).await? {
            Written::Done => {
                let mut state = self.state();
                (state.revision, state.until) = (expected + 1, until);
                Ok(Revision(expected + 1))
            }
            Written::Not(there) => {
                self.lost(there.as_deref());
                self.state().seen = there.map(|there| *there);
                Err(CommitError::Conflict)
            }
        }
    }
}
