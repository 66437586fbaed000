//! The bytes of segments that are held at once, over all sessions.

use crate::body::Buffer;
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

    /// Whether there is no room for so many bytes.
    pub(crate) fn is_short(&self, bytes: usize) -> bool {
        self.room.available_permits() < units(bytes).min(self.units) as usize
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
    pub(crate) fn hold(mut self, bytes: Buffer) -> Bytes {
        let needed = units(bytes.as_ref().len()) as usize;
        let spare = self.held.num_permits().saturating_sub(needed);
        drop(self.held.split(spare));
        Bytes::from_owner(Held { bytes, _room: self })
    }
}

struct Held {
    bytes: Buffer,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

async fn take(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    Arc::clone(semaphore).acquire_many_owned(permits).await.expect("it is never closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const MOMENT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn room_comes_back_with_the_last_clone() {
        let budget = Budget::new(8 * UNIT);
        let bytes = budget.take(6 * UNIT).await.hold(Buffer::Heap(vec![0; 6 * UNIT]));
        let slice = bytes.slice(5..7);
        drop(bytes);
        assert!(timeout(MOMENT, budget.take(4 * UNIT)).await.is_err());
        assert!(budget.is_short(4 * UNIT) && !budget.is_short(2 * UNIT));
        drop(slice);
        assert!(!budget.is_short(100 * UNIT), "what is larger passes alone");
        assert!(timeout(MOMENT, budget.take(8 * UNIT)).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_body_did_not_need_comes_back_at_once() {
        let budget = Budget::new(8 * UNIT);
        let _bytes = budget.take(8 * UNIT).await.hold(Buffer::Heap(vec![0; 100]));
        assert!(timeout(MOMENT, budget.take(7 * UNIT)).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_passes_alone() {
        let budget = Budget::new(8 * UNIT);
        let small = budget.take(UNIT).await;
        assert!(timeout(MOMENT, budget.take(100 * UNIT)).await.is_err());
        drop(small);
        let large = timeout(MOMENT, budget.take(100 * UNIT)).await.unwrap();
        let large = large.hold(Buffer::Heap(vec![0; 100 * UNIT]));
        assert!(timeout(MOMENT, budget.take(1)).await.is_err());
        drop(large);
        assert!(timeout(MOMENT, budget.take(8 * UNIT)).await.is_ok());
    }

    #[tokio::test]
    async fn bodies_of_unknown_length_do_not_wait_for_each_other_for_ever() {
        let budget = Budget::new(8 * UNIT);
        let bodies = (0..16).map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move {
                let mut room = budget.take(2 * UNIT).await;
                for size in 1..=6 {
                    room.grow(size * UNIT).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                drop(room.hold(Buffer::Heap(vec![0; 6 * UNIT])));
            })
        });
        for body in bodies.collect::<Vec<_>>() {
            timeout(Duration::from_secs(10), body).await.unwrap().unwrap();
        }
        assert!(timeout(MOMENT, budget.take(8 * UNIT)).await.is_ok());
    }
}
