//! One session's task.

use super::Connect;
use super::said::Said;
use futures_util::FutureExt;
use hls::Micros;
use relay::Timestamp;
use relay::advance::{Carrier, Event, Step};
use relay::cause::Cause;
use relay::ports::{Clock, Sessions, StoreError};
use relay::progress::{Fault, Progress, Status};
use relay::session::{Access, Session};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::watch;

/// How long a session that could not be carried is left alone, at first and at most.
const PAUSE: Micros = Micros::from_secs(1);
const LONGEST_PAUSE: Micros = Micros::from_secs(30);

/// Waits until it is said by when to end: at once, when nobody is left to say so.
async fn told(until: &mut watch::Receiver<Option<Timestamp>>) -> Timestamp {
    match until.wait_for(Option::is_some).await {
        Ok(until) => until.unwrap_or_default(),
        Err(_) => Timestamp::default(),
    }
}

/// Carries one session until it is over, or is told to end.
pub struct Task<S, N, C> {
    pub session: Session,
    pub store: Arc<S>,
    pub connect: Arc<N>,
    pub clock: Arc<C>,
    /// Tells how it is doing.
    pub progress: watch::Sender<Progress>,
    /// By when it is to end.
    pub until: watch::Receiver<Option<Timestamp>>,
}

impl<S, N, C> Task<S, N, C>
where
    S: Sessions + 'static,
    N: Connect,
    C: Clock + 'static,
{
    /// Carries it, whatever happens. What tells how it is doing is given back.
    pub async fn run(mut self) -> watch::Sender<Progress> {
        let mut pause = PAUSE;
        loop {
            let began = self.clock.now();
            // What a panic leaves half done is dropped with the life in which it happened.
            let (cause, what) = match AssertUnwindSafe(self.live()).catch_unwind().await {
                Ok(Ok(())) => return self.progress,
                Ok(Err((cause, error))) => (cause, error.to_string()),
                Err(_) => (Cause::Internal, "internal error".to_owned()),
            };
            tracing::error!(session = %self.session.id, "cannot carry the session: {what}");
            let now = self.clock.now();
            self.degrade(cause, what, now).await;
            if now.since(began) > LONGEST_PAUSE {
                pause = PAUSE;
            }
            let clock = Arc::clone(&self.clock);
            tokio::select! {
                () = clock.sleep_until(now + pause) => pause = (pause + pause).min(LONGEST_PAUSE),
                _ = told(&mut self.until) => return self.progress,
            }
        }
    }

    /// Takes the session up and carries it.
    async fn live(&mut self) -> Result<(), (Cause, StoreError)> {
        let id = self.session.id.clone();
        let access = self.store.access(&id).await.map_err(|error| (Cause::Secrets, error))?;
        let of_store = |error| (Cause::Store, error);
        let Some(access) = access else {
            let reason = "its addresses and credentials are not in the store any more";
            return self.fail(reason.to_owned()).await.map_err(of_store);
        };
        let mut carrier = self.carrier(&access).await.map_err(of_store)?;
        let mut said = Said::default();
        loop {
            let (events, over) = tokio::select! {
                step = carrier.step() => match step {
                    Step::Went(events) => (events, false),
                    Step::Over(events) => (events, true),
                    Step::Idle(_) => (Vec::new(), false),
                },
                deadline = told(&mut self.until) => {
                    carrier.finish(deadline).await;
                    (Vec::new(), true)
                }
            };
            self.tell(carrier.progress());
            let now = self.clock.now();
            for event in &events {
                self.say(&mut said, event, now);
            }
            if over {
                return Ok(());
            }
        }
    }

    async fn carrier(
        &self,
        access: &Access,
    ) -> Result<Carrier<N::Origin, N::Ingest, S, C>, StoreError> {
        let ingest = |endpoint| self.connect.ingest(endpoint, self.session.output);
        let carrier = Carrier::take(
            self.session.clone(),
            access.sources(),
            self.connect.origin(access),
            access.endpoints.iter().map(ingest).collect(),
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
        );
        Ok(carrier.await?.holding())
    }

    /// Tells how the session is doing. What went wrong in a life before is still what went wrong last.
    fn tell(&self, progress: &Progress) {
        self.progress.send_modify(|told| {
            let before = told.last_error.take();
            *told = progress.clone();
            told.last_error = told.last_error.take().or(before);
        });
    }

    fn say(&self, said: &mut Said, event: &Event, now: Timestamp) {
        let session = &self.session.id;
        match event {
            Event::Became(Status::Degraded | Status::Failed, _) => {
                tracing::warn!(%session, "{event}");
            }
            Event::Became(..) | Event::Joined(..) | Event::LeftOut(..) => {
                tracing::info!(%session, "{event}");
            }
            Event::Restarted(_)
            | Event::Switched(_)
            | Event::FellBehind(..)
            | Event::Gone(..)
            | Event::Failed(_) => match said.next(now) {
                Some(0) => tracing::warn!(%session, "{event}"),
                Some(unsaid) => tracing::warn!(%session, unsaid, "{event}"),
                None => tracing::debug!(%session, "{event}"),
            },
            Event::Published(_) => tracing::debug!(%session, "{event}"),
        }
    }

    /// Shows that the session is not carried now, and why.
    async fn degrade(&self, cause: Cause, what: String, now: Timestamp) {
        let reason = Some(what.clone());
        let last_error = Some(Fault { what, at: now });
        self.progress.send_modify(|progress| {
            progress.status = Status::Degraded;
            progress.reason = reason;
            progress.causes = [cause].into();
            progress.last_error = last_error;
        });
        let progress = self.progress.borrow().clone();
        if let Err(error) = self.store.report(&self.session.id, &progress).await {
            tracing::debug!(session = %self.session.id, %error, "its state was not stored");
        }
    }

    /// Gives the session up.
    async fn fail(&self, reason: String) -> Result<(), StoreError> {
        tracing::error!(session = %self.session.id, "session is failed: {reason}");
        self.progress.send_modify(|progress| {
            progress.status = Status::Failed;
            progress.reason = Some(reason);
            progress.causes = [Cause::Forgotten].into();
        });
        let progress = self.progress.borrow().clone();
        self.store.report(&self.session.id, &progress).await
    }
}
