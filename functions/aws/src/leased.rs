//! An endpoint to which a run publishes only while its lease lasts.

use crate::hold::{Faults, Hold, Marks};
use bytes::Bytes;
use relay::Timestamp;
use relay::ports::{Clock, ContentType, Ingest, IngestError};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// What a playlist's name ends with.
const PLAYLIST: &str = ".m3u8";

/// One endpoint of a session that a run holds.
///
/// Segments pass at once: their names say what they are, so nothing of a newer run is overwritten.
#[derive(Debug)]
pub struct LeasedIngest<I, S, C> {
    inner: I,
    hold: Arc<Hold<S, C>>,
    clock: Arc<C>,
}

impl<I: Ingest, S: Marks, C: Clock> LeasedIngest<I, S, C> {
    /// `inner` under the lease of `hold`.
    pub fn new(inner: I, hold: Arc<Hold<S, C>>, clock: Arc<C>) -> Self {
        Self { inner, hold, clock }
    }

    async fn publish(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> Result<(), IngestError> {
        let deadline = self.hold.may_publish().await?;
        let _playing = self.hold.play();
        let put = self.inner.put(name, content_type, body);
        until(&*self.clock, deadline, put).await.unwrap_or_else(|| {
            let reason = format!("endpoint took too long for {name}");
            Err(IngestError::Unavailable { reason })
        })
    }
}

/// Does something until a moment, and nothing of it later, even when this machine stood still in
/// between: the time is looked at before each step, not after.
async fn until<C: Clock, T>(
    clock: &C,
    deadline: Timestamp,
    does: impl Future<Output = T>,
) -> Option<T> {
    let (mut does, mut limit) = (pin!(does), pin!(clock.sleep_until(deadline)));
    poll_fn(|context| {
        if clock.now() >= deadline || limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        does.as_mut().poll(context).map(Some)
    })
    .await
}

impl<I: Ingest, S: Marks, C: Clock> Ingest for LeasedIngest<I, S, C> {
    async fn put(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> Result<(), IngestError> {
        let result = if name.ends_with(PLAYLIST) {
            self.publish(name, content_type, body).await
        } else {
            self.inner.put(name, content_type, body).await
        };
        if let Err(error) = &result {
            let denied = matches!(error, IngestError::Denied { .. });
            self.hold.count(Faults { ingest: 1, denied, source: 0 });
        }
        result
    }

    async fn delete(&self, name: &str) -> Result<(), IngestError> {
        self.inner.delete(name).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// It stands still until somebody sets it.
    #[derive(Default)]
    struct Set(AtomicU64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }

        async fn sleep_until(&self, _: Timestamp) {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_machine_that_stood_still_does_not_finish_what_it_began() {
        let clock = Set::default();
        let (go, going) = tokio::sync::oneshot::channel::<()>();
        let mut steps = 0;
        let work = async {
            steps += 1;
            going.await.unwrap();
            steps += 1;
        };
        let late = async {
            clock.0.store(1_000, Ordering::Relaxed);
            go.send(()).unwrap();
        };
        let (done, ()) =
            futures_util::future::join(until(&clock, Timestamp(1_000), work), late).await;
        assert_eq!((done, steps), (None, 1));
    }
}
