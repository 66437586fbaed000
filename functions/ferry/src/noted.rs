//! The time that was shown last: a clock that is set back while nothing runs does not take back what viewers saw.

use hls::{Micros, Timestamp};
use relay::ports::Clock;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::{self, OpenOptions};
use tokio::io::AsyncWriteExt;
use web::clock::TokioClock;

/// How often the time is noted.
const EVERY: Micros = Micros::from_secs(1);
/// A clock that was set back further than this was wrong before.
const BELIEVED: Micros = Micros::from_secs(3_600);

/// The time, noted in a directory.
#[derive(Debug)]
pub struct Noted {
    file: PathBuf,
    last: Option<Timestamp>,
}

impl Noted {
    /// What is noted in a directory.
    pub fn open(dir: &Path) -> Self {
        let file = dir.join("clock");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        Self { file, last: text.trim().parse().ok().map(Timestamp) }
    }

    /// Where a clock that shows `now` has to go on: behind all that was shown.
    pub fn goes_on(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.last.filter(|last| now < *last && last.since(now) <= BELIEVED)?;
        Some(last + EVERY)
    }

    /// Notes the time, for as long as it is polled.
    pub async fn keep(&self, clock: &TokioClock) {
        let new = self.file.with_extension("new");
        loop {
            if let Err(error) = self.note(&new, clock.now()).await {
                tracing::debug!(%error, "cannot note the time");
            }
            tokio::time::sleep(Duration::from_micros(EVERY.0)).await;
        }
    }

    async fn note(&self, new: &Path, now: Timestamp) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(new).await?;
        file.write_all(now.0.to_string().as_bytes()).await?;
        file.flush().await?;
        fs::rename(new, &self.file).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_time_is_noted_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (file, clock) = (dir.path().join("clock"), TokioClock::new());
        let there = async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
        };
        let noted = Noted::open(dir.path());
        tokio::select! {
            () = noted.keep(&clock) => {}
            () = there => {}
        }
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Noted::open(dir.path()).last.is_some());
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_behind_what_was_shown() {
        let dir = tempfile::tempdir().unwrap();
        let at = |seconds: u64| Timestamp(seconds * 1_000_000);
        assert_eq!(Noted::open(dir.path()).goes_on(at(5)), None, "nothing is noted");
        std::fs::write(dir.path().join("clock"), "10000000000").unwrap();
        let noted = Noted::open(dir.path());
        for (now, expected) in [
            (10_001, None),
            (10_000, None),
            (9_999, Some(at(10_001))),
            (6_400, Some(at(10_001))),
            (6_399, None),
            (0, None),
        ] {
            assert_eq!(noted.goes_on(at(now)), expected, "{now}");
        }
        std::fs::write(dir.path().join("clock"), "1000x").unwrap();
        assert_eq!(Noted::open(dir.path()).goes_on(at(5)), None, "half a note is none");
    }
}
