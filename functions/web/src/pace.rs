//! How many requests an endpoint takes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Lets so many requests pass in any second, and not one more.
///
/// It remembers when they passed. A bucket of tokens would let twice as many pass in the second
/// after a pause.
#[derive(Debug)]
pub(crate) struct Pace {
    a_second: usize,
    passed: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub(crate) fn new(a_second: u32) -> Self {
        let a_second = usize::try_from(a_second.max(1)).unwrap_or(usize::MAX);
        Self { a_second, passed: Mutex::default() }
    }

    /// Waits for the turn of a request.
    pub(crate) async fn pass(&self) {
        let at = self.admit(Instant::now());
        tokio::time::sleep_until(at).await;
    }

    /// When a request may pass that wants to at `now`. It is counted, whether it is made or not.
    fn admit(&self, now: Instant) -> Instant {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if passed.len() < self.a_second { None } else { passed.pop_front() };
        let at = oldest.map_or(now, |oldest| now.max(oldest + SECOND));
        passed.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_than_it_may() {
        let pace = Pace::new(25);
        let start = Instant::now();
        // Bursts of ten, 100 ms apart, with a pause in the middle.
        let wanted = (0..20).flat_map(|burst| {
            let pause = if burst < 10 { 0 } else { 5_000 };
            std::iter::repeat_n(start + Duration::from_millis(burst * 100 + pause), 10)
        });
        let passed: Vec<Instant> = wanted.map(|now| pace.admit(now)).collect();
        assert_eq!(passed.len(), 200);
        assert!(passed.is_sorted());
        for window in passed.windows(26) {
            assert!(window[25] - window[0] >= SECOND, "26 passed within a second");
        }
        assert!(passed[24] == start + Duration::from_millis(200), "the first 25 do not wait");
    }
}
