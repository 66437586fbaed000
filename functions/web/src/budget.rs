//! The bytes of segments that are held at once, over all sessions.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is counted: a semaphore's permits would not do for single bytes.
const UNIT: usize = 1 << 10;

/// Room for segments in memory.
///
/// A body of unknown length asks for more while it holds what it has, so all could wait for each
/// other. One at a time may therefore take more than there is: it comes to its end, and so do
/// the others after it. What is held is at most the budget and one segment.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
    units: u32,
}

/// Room for one segment.
#[derive(Debug)]
pub(crate) struct Room {
    budget: Budget,
    held: OwnedSemaphorePermit,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = units(bytes).max(1);
        Self {
            room: Arc::new(Semaphore::new(units as usize)),
            beyond: Arc::new(Semaphore::new(1)),
            units,
        }
    }

    /// Waits until there would be room for so many bytes, without taking it.
    ///
    /// Asked before a request is made, so that no answer waits on an open connection while memory
    /// is short; and nothing is held for an origin that does not answer.
    pub(crate) async fn wait(&self, bytes: usize) {
        drop(take(&self.room, units(bytes).min(self.units)).await);
    }

    /// Takes room for so many bytes, when there is. More than the whole budget is given all of it.
    pub(crate) async fn take(&self, bytes: usize) -> Room {
        let held = take(&self.room, units(bytes).min(self.units)).await;
        Room { budget: self.clone(), held, beyond: None }
    }
}

impl Room {
    /// Makes the room fit so many bytes.
    pub(crate) async fn grow(&mut self, bytes: usize) {
        let held = u32::try_from(self.held.num_permits()).unwrap_or(u32::MAX);
        let more = units(bytes).min(self.budget.units).saturating_sub(held);
        if more == 0 || self.beyond.is_some() {
            return;
        }
        tokio::select! {
            biased;
            more = take(&self.budget.room, more) => self.held.merge(more),
            beyond = take(&self.budget.beyond, 1) => self.beyond = Some(beyond),
        }
    }

    /// `bytes`, which give the room back when their last clone is dropped.
    pub(crate) fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        let spare = self.held.num_permits().saturating_sub(units(bytes.len()) as usize);
        drop(self.held.split(spare));
        Bytes::from_owner(Held { bytes, _room: self })
    }
}

struct Held {
    bytes: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

async fn take(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    Arc::clone(semaphore).acquire_many_owned(permits).await.expect("it is never closed")
}
