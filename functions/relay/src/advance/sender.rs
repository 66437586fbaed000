//! Sends what is to be stored at an endpoint, and sends it again as long as that hangs.

use crate::ports::{Clock, ContentType, Ingest, IngestError};
use bytes::Bytes;
use futures_util::future::{Either, pending, select};
use futures_util::lock::Mutex;
use hls::Micros;
use std::pin::pin;
use std::sync::Arc;

/// Sends what is to be stored at an endpoint.
pub(super) struct Sender<I, C> {
    pub(super) ingest: Arc<I>,
    pub(super) clock: Arc<C>,
    /// How long a request may take before it is sent again.
    pub(super) patience: Micros,
    /// Who may send again: one at a time.
    pub(super) again: Arc<Mutex<()>>,
}

impl<I: Ingest, C: Clock> Sender<I, C> {
    /// Stores a file, and sends it again beside the first request as long as that hangs.
    ///
    /// A server that was away never answers many requests of that time, and others at once. The bytes are the same, so
    /// it does not matter which request is done.
    pub(super) async fn put(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> Result<(), IngestError> {
        let mut first = pin!(self.ingest.put(name, content_type, body.clone()));
        if let Either::Left((result, _)) = select(first.as_mut(), pin!(self.wait())).await {
            return result;
        }
        loop {
            let again = async {
                let _turn = self.again.lock().await;
                if self.ingest.put(name, content_type, body.clone()).await.is_err() {
                    // The first says why, when its time is up.
                    pending().await
                }
            };
            let (again, ends) = (pin!(again), pin!(self.wait()));
            match select(first.as_mut(), select(again, ends)).await {
                Either::Left((result, _)) => return result,
                Either::Right((Either::Left(((), _)), _)) => return Ok(()),
                Either::Right((Either::Right(_), _)) => {}
            }
        }
    }

    fn wait(&self) -> impl Future<Output = ()> {
        self.clock.sleep_until(self.clock.now() + self.patience)
    }
}
