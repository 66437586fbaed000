//! A source whose failures are counted.

use aws::{Faults, Hold, Marks};
use bytes::Bytes;
use hls::Micros;
use relay::crypt::Opener;
use relay::ports::{Clock, Fetched, Origin, OriginError, Slice, Validators};
use std::sync::Arc;
use url::Url;

/// A source whose failures its session's hold counts.
pub struct Counted<O, S, C> {
    inner: O,
    hold: Arc<Hold<S, C>>,
}

impl<O: Origin, S: Marks, C: Clock> Counted<O, S, C> {
    /// `inner`, counted.
    pub fn new(inner: O, hold: Arc<Hold<S, C>>) -> Self {
        Self { inner, hold }
    }

    fn count<T>(&self, result: Result<T, OriginError>) -> Result<T, OriginError> {
        result.inspect_err(|_| self.hold.count(Faults { source: 1, ..Faults::default() }))
    }
}

impl<O: Origin, S: Marks, C: Clock> Origin for Counted<O, S, C> {
    async fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        self.count(self.inner.playlist(url, known).await)
    }

    async fn held(&self, url: &Url, within: Micros) -> Result<Fetched, OriginError> {
        self.count(self.inner.held(url, within).await)
    }

    async fn segment(&self, url: &Url, slice: Option<Slice>) -> Result<Bytes, OriginError> {
        self.count(self.inner.segment(url, slice).await)
    }

    async fn opened(
        &self,
        url: &Url,
        slice: Option<Slice>,
        opener: Opener,
    ) -> Result<Bytes, OriginError> {
        self.count(self.inner.opened(url, slice, opener).await)
    }

    fn is_crowded(&self) -> bool {
        self.inner.is_crowded()
    }
}
