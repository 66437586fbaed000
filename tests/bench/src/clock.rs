//! The clock, read in one place.

use crate::schedule::Micros;
use std::time::{Duration, SystemTime};

/// Now, as files' times have it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.expect("it is after 1970").as_micros())
        .expect("it is before the year 586,000")
}

/// Blocks until `moment`.
pub fn sleep_until(moment: Micros) {
    std::thread::sleep(Duration::from_micros(moment.saturating_sub(now())));
}
