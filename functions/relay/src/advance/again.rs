//! Asks again what hangs.

use crate::crypt::Opener;
use crate::ports::{
    Clock, ContentType, Fetched, Ingest, IngestError, Origin, OriginError, Slice, Validators,
};
use bytes::Bytes;
use futures_util::future::{Either, pending, select};
use futures_util::lock::Mutex;
use hls::Micros;
use std::pin::pin;
use std::sync::Arc;
use url::Url;

/// What takes longer than this hangs, unless what came before took as long.
pub(super) const HANGS: Micros = Micros::from_secs(3);

/// Asks again, beside the first request, as long as that hangs.
struct Again<C> {
    clock: Arc<C>,
    /// How long a request may take before it is made again.
    patience: Micros,
    /// Who may ask again: one at a time.
    turn: Arc<Mutex<()>>,
}

impl<C: Clock> Again<C> {
    /// Where the last request took so long, and these take turns. What is slow gets time before it is asked again.
    fn new(clock: &Arc<C>, took: Micros, turn: &Arc<Mutex<()>>) -> Self {
        let patience = Micros(took.0.saturating_mul(2)).max(HANGS);
        Self { clock: Arc::clone(clock), patience, turn: Arc::clone(turn) }
    }

    /// Makes a request, and makes it again while there is room for that and the first hangs.
    ///
    /// A server that was away never answers many requests of that time, and others at once. It must not matter which
    /// of them is done.
    async fn ask<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        has_room: impl Fn() -> bool,
        request: impl Fn() -> F,
    ) -> Result<T, E> {
        let mut first = pin!(request());
        if let Either::Left((result, _)) = select(first.as_mut(), pin!(self.wait())).await {
            return result;
        }
        loop {
            let again = async {
                let _turn = self.turn.lock().await;
                if has_room()
                    && let Ok(done) = request().await
                {
                    return done;
                }
                // The first says why, when its time is up.
                pending().await
            };
            let (again, ends) = (pin!(again), pin!(self.wait()));
            match select(first.as_mut(), select(again, ends)).await {
                Either::Left((result, _)) => return result,
                Either::Right((Either::Left((done, _)), _)) => return Ok(done),
                Either::Right((Either::Right(_), _)) => {}
            }
        }
    }

    fn wait(&self) -> impl Future<Output = ()> {
        self.clock.sleep_until(self.clock.now() + self.patience)
    }
}

/// Reads from a source.
pub(super) struct Reader<O, C> {
    pub(super) origin: Arc<O>,
    again: Again<C>,
}

impl<O: Origin, C: Clock> Reader<O, C> {
    /// Where the last request took so long, and these take turns to ask again.
    pub(super) fn new(
        origin: &Arc<O>,
        clock: &Arc<C>,
        took: Micros,
        turn: &Arc<Mutex<()>>,
    ) -> Self {
        Self { origin: Arc::clone(origin), again: Again::new(clock, took, turn) }
    }

    /// Reads a playlist, unless it is still what is `known`.
    pub(super) async fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        self.again.ask(|| true, || self.origin.playlist(url, known)).await
    }

    /// Reads a file, or a slice of it, and opens it where it is to be opened.
    pub(super) async fn segment(
        &self,
        url: &Url,
        slice: Option<Slice>,
        opener: Option<&Opener>,
    ) -> Result<Bytes, OriginError> {
        let request = || async {
            match opener {
                None => self.origin.segment(url, slice).await,
                Some(opener) => self.origin.opened(url, slice, opener.clone()).await,
            }
        };
        self.again.ask(|| !self.origin.is_crowded(), request).await
    }
}

/// Sends what is to be stored at an endpoint.
pub(super) struct Sender<I, C> {
    ingest: Arc<I>,
    again: Again<C>,
}

impl<I: Ingest, C: Clock> Sender<I, C> {
    /// Where the last request took so long, and these take turns to send again.
    pub(super) fn new(
        ingest: &Arc<I>,
        clock: &Arc<C>,
        took: Micros,
        turn: &Arc<Mutex<()>>,
    ) -> Self {
        Self { ingest: Arc::clone(ingest), again: Again::new(clock, took, turn) }
    }

    /// Stores a file: the bytes are the same whenever they are sent.
    pub(super) async fn put(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> Result<(), IngestError> {
        let put = || self.ingest.put(name, content_type, body.clone());
        self.again.ask(|| true, put).await
    }
}
