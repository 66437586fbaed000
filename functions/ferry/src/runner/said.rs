//! Keeps one session's trouble from filling the log.

use hls::Micros;
use relay::Timestamp;

/// At most so many lines of trouble a session writes in [`SPAN`].
const LINES: u64 = 10;
const SPAN: Micros = Micros::from_secs(60);

/// Counts lines.
#[derive(Debug, Default)]
pub struct Said {
    since: Timestamp,
    lines: u64,
}

impl Said {
    /// Whether one more line is to be written, and how many were not before it.
    pub fn next(&mut self, now: Timestamp) -> Option<u64> {
        if now.since(self.since) >= SPAN {
            let unsaid = self.lines.saturating_sub(LINES);
            *self = Self { since: now, lines: 1 };
            return Some(unsaid);
        }
        self.lines += 1;
        (self.lines <= LINES).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_ten_times_a_minute_and_then_counted() {
        let mut said = Said::default();
        let at = |second: u64| Timestamp(0) + Micros::from_secs(1_000 + second);
        for second in 0..10 {
            assert_eq!(said.next(at(second)), Some(0), "{second}");
        }
        for second in 10..60 {
            assert_eq!(said.next(at(second)), None, "{second}");
        }
        assert_eq!(said.next(at(60)), Some(50));
        assert_eq!(said.next(at(61)), Some(0));
        assert_eq!(said.next(at(200)), Some(0));
    }
}
