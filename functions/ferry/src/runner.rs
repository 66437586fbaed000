//! The sessions that this process carries: a task each, at its own cadence.

mod said;
mod task;
#[cfg(test)]
mod tests;

use futures_util::future::{Either, select};
use hls::Micros;
use relay::Timestamp;
use relay::look::objection;
use relay::ports::{Clock, Ingest, Origin, Record, Runs, Sessions, StoreError};
use relay::progress::{Progress, Status};
use relay::session::{Access, Endpoint, OutputKind, Session, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use task::Task;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How long a session that is stopped may take to publish what is under way.
const FINISH: Micros = Micros::from_secs(3);

/// How long whoever makes a session may wait for a look at its source.
const LOOK: Micros = Micros::from_secs(3);

/// Makes the connections of a session.
pub trait Connect: Send + Sync + 'static {
    /// Reads its source.
    type Origin: Origin + 'static;
    /// Writes to one of its endpoints.
    type Ingest: Ingest + 'static;

    /// The origin of a session.
    fn origin(&self, access: &Access) -> Self::Origin;

    /// One endpoint of a session.
    fn ingest(&self, endpoint: &Endpoint, kind: OutputKind) -> Self::Ingest;
}

impl Connect for web::Connector {
    type Origin = web::HttpOrigin;
    type Ingest = web::WebDavIngest;

    fn origin(&self, access: &Access) -> web::HttpOrigin {
        Self::origin(self, access)
    }

    fn ingest(&self, endpoint: &Endpoint, kind: OutputKind) -> web::WebDavIngest {
        Self::ingest(self, endpoint, kind)
    }
}

/// Carries sessions. Dropping it stops them at once, which loses nothing: they go on when they are
/// taken up again.
pub struct Runner<S, N, C> {
    store: Arc<S>,
    connect: Arc<N>,
    clock: Arc<C>,
    carried: Arc<Mutex<Carried>>,
}

type Carried = BTreeMap<SessionId, Handle>;

/// A session that is carried by a task.
#[derive(Clone, Debug)]
pub struct Handle {
    session: Session,
    progress: watch::Receiver<Progress>,
    until: watch::Sender<Option<Timestamp>>,
    abort: AbortHandle,
}

impl Handle {
    /// What was asked for.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How it is doing.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until it does otherwise than when this was last called; false: it is not carried any more.
    pub async fn changed(&mut self) -> bool {
        self.progress.changed().await.is_ok()
    }

    /// Waits until it is not carried any more, and says how it was doing then.
    pub async fn ended(mut self) -> Progress {
        while self.changed().await {}
        self.progress()
    }

    /// Ends the task, but for what is under way; that may take until `deadline`.
    async fn finish(mut self, deadline: Timestamp) -> Progress {
        self.until
            .send_modify(|until| *until = Some(until.map_or(deadline, |at| at.min(deadline))));
        while self.changed().await {}
        self.progress()
    }
}

impl<S, N, C> Runner<S, N, C>
where
    S: Sessions + 'static,
    N: Connect,
    C: Clock + 'static,
{
    /// Carries nothing yet.
    pub fn new(store: Arc<S>, connect: N, clock: Arc<C>) -> Self {
        Self { store, connect: Arc::new(connect), clock, carried: Arc::default() }
    }

    /// Carries a session from where its cursor is.
    pub fn take_up(&self, record: Record) -> Handle {
        let Record { session, progress } = record;
        let (id, mut carried) = (session.id.clone(), lock(&self.carried));
        if let Some(handle) = carried.get(&id) {
            return handle.clone();
        }
        let (tell, progress) = watch::channel(progress);
        let (until, told) = watch::channel(None);
        let task = Task {
            session: session.clone(),
            store: Arc::clone(&self.store),
            connect: Arc::clone(&self.connect),
            clock: Arc::clone(&self.clock),
            progress: tell,
            until: told,
        };
        let all = Arc::downgrade(&self.carried);
        let gone = id.clone();
        let running = tokio::spawn(async move {
            // Held back until the session is not in the list any more.
            let _tell = task.run().await;
            if let Some(all) = all.upgrade() {
                lock(&all).remove(&gone);
            }
        });
        let handle = Handle { session, progress, until, abort: running.abort_handle() };
        carried.insert(id, handle.clone());
        handle
    }

    /// Ends all tasks, but for what is under way; that may take until `deadline`. The sessions stay
    /// active.
    pub async fn finish(&self, deadline: Timestamp) {
        let handles: Vec<_> = lock(&self.carried).values().cloned().collect();
        let finished = handles.into_iter().map(|handle| handle.finish(deadline));
        futures_util::future::join_all(finished).await;
    }

    /// Writes that a session is stopped, unless it is over.
    async fn report_stopped(&self, id: &SessionId, last: &Progress) -> Result<(), StoreError> {
        if !last.status.is_active() {
            return Ok(());
        }
        let reason = Some("stopped on request".to_owned());
        let causes = BTreeSet::new();
        let stopped = Progress { status: Status::Stopped, reason, causes, ..last.clone() };
        self.store.report(id, &stopped).await?;
        tracing::info!(session = %id, "session is stopped");
        Ok(())
    }
}

fn lock(carried: &Mutex<Carried>) -> MutexGuard<'_, Carried> {
    carried.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S, N, C> Drop for Runner<S, N, C> {
    fn drop(&mut self) {
        for handle in lock(&self.carried).values() {
            handle.abort.abort();
        }
    }
}

impl<S, N, C> Runs for Runner<S, N, C>
where
    S: Sessions + 'static,
    N: Connect,
    C: Clock + 'static,
{
    async fn objection(&self, session: &Session, access: &Access) -> Option<String> {
        let origin = self.connect.origin(access);
        let look = pin!(objection(&origin, session, &access.source));
        let late = pin!(self.clock.sleep_until(self.clock.now() + LOOK));
        match select(look, late).await {
            Either::Left((objection, _)) => objection,
            Either::Right(_) => None,
        }
    }

    async fn start(&self, session: &Session) {
        self.take_up(Record { session: session.clone(), progress: Progress::default() });
    }

    async fn stop(&self, id: &SessionId) -> Result<(), StoreError> {
        let handle = lock(&self.carried).get(id).cloned();
        let Some(handle) = handle else {
            let Some(record) = self.store.get(id).await? else { return Ok(()) };
            return self.report_stopped(id, &record.progress).await;
        };
        let session = handle.session.clone();
        let progress = handle.finish(self.clock.now() + FINISH).await;
        let written = self.report_stopped(id, &progress).await;
        if written.is_err() {
            // It is not stopped, so it goes on.
            self.take_up(Record { session, progress });
        }
        written
    }

    fn progress(&self, id: &SessionId) -> Option<Progress> {
        lock(&self.carried).get(id).map(Handle::progress)
    }

    fn carried(&self) -> Vec<Record> {
        let record = |handle: &Handle| Record {
            session: handle.session.clone(),
            progress: handle.progress(),
        };
        lock(&self.carried).values().map(record).collect()
    }
}
