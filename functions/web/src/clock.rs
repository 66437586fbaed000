//! The clock.

use relay::Timestamp;
use relay::ports::Clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of this machine. It never steps back, and never stands still.
///
/// It runs with the monotonic clock. A wall clock that is set forward (a machine that slept, or
/// that learnt the time late) is followed; one that is set back is not.
#[derive(Debug)]
pub struct TokioClock {
    started: Instant,
    /// What to add to the time since `started`, in microseconds since 1970. It only grows.
    offset: AtomicU64,
}

impl TokioClock {
    /// A clock that shows the time of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now(), offset: AtomicU64::new(wall_micros()) }
    }

    /// Goes on from `moment`, unless it is further than that.
    pub fn go_on_from(&self, moment: Timestamp) {
        let offset = moment.0.saturating_sub(micros(self.started.elapsed()));
        self.offset.fetch_max(offset, Ordering::Relaxed);
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let elapsed = micros(self.started.elapsed());
        let offset = wall_micros().saturating_sub(elapsed);
        let offset = self.offset.fetch_max(offset, Ordering::Relaxed).max(offset);
        Timestamp(offset.saturating_add(elapsed))
    }

    async fn sleep_until(&self, when: Timestamp) {
        tokio::time::sleep(Duration::from_micros(when.since(self.now()).0)).await;
    }
}

fn wall_micros() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay::Micros;

    #[tokio::test]
    async fn time_passes_and_never_steps_back() {
        let clock = TokioClock::new();
        let mut last = clock.now();
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        let when = Timestamp(last.0 + 20_000);
        clock.sleep_until(when).await;
        assert!(clock.now() >= when);
        let before = clock.now();
        clock.sleep_until(last).await;
        assert!(clock.now().since(before).0 < 20_000, "what is past is not waited for");
    }

    #[test]
    fn a_wall_clock_that_was_set_back_does_not_stop_the_clock() {
        let clock = TokioClock::new();
        // As if the wall clock had been an hour ahead when it was last seen.
        let hour = clock.now() + Micros::from_secs(3_600);
        clock.go_on_from(hour);
        let before = clock.now();
        assert!(before >= hour && before.since(hour).0 < 1_000_000);
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.now().since(before).0 >= 5_000);
    }
}
