//! When to look at a playlist again.
//!
//! RFC 8216 section 6.3.4 is the ceiling. Better is to learn when the source publishes, from the
//! durations of its segments and the moments between which changes were seen, and to come just after.

use hls::{Micros, Seconds, Timestamp};

/// The least time between two looks.
const SHORTEST: Micros = Micros::from_millis(50);

/// How far a source's moments wander from one segment to the next.
const JITTER: Micros = Micros::from_millis(10);

/// A moment known as well as this is not looked for, but waited for.
const NARROW: Micros = Micros::from_millis(100);

/// The longest time between two tries after an error, whatever the target duration.
const LONGEST_BACKOFF: Micros = Micros::from_secs(5);

/// What is known of a source's rhythm.
#[derive(Clone, Debug, Default)]
pub struct Cadence {
    /// Between these moments the next segment is expected.
    expected: Option<(Timestamp, Timestamp)>,
    /// The last look that found nothing new, or the one that found the newest.
    looked: Option<Timestamp>,
    /// Looks in vain since the segment was expected.
    late: u32,
    /// Errors in a row.
    errors: u32,
}

impl Cadence {
    /// A look that began at `sent` and ended at `now` found `count` new segments, the newest `newest` long.
    pub fn found(&mut self, sent: Timestamp, now: Timestamp, newest: Micros, count: usize) {
        let since = self.looked.unwrap_or(Timestamp(now.0.saturating_sub(newest.0)));
        let seen = (since.min(now), now);
        let narrowed = match self.expected {
            Some((from, to)) if count == 1 => (from.max(seen.0), to.min(seen.1)),
            _ => seen,
        };
        let (from, to) = if narrowed.0 <= narrowed.1 { narrowed } else { seen };
        self.expected =
            Some((Timestamp((from + newest).0.saturating_sub(JITTER.0)), to + newest + JITTER));
        self.looked = Some(sent);
        self.late = 0;
        self.errors = 0;
    }

    /// A look that began at `sent` found nothing new.
    pub fn found_nothing(&mut self, sent: Timestamp) {
        self.looked = Some(sent);
        self.errors = 0;
        match &mut self.expected {
            Some((from, to)) if sent < *to => *from = sent.max(*from),
            _ => self.late = self.late.saturating_add(1),
        }
    }

    /// A look failed.
    pub fn failed(&mut self) {
        self.errors = self.errors.saturating_add(1);
    }

    /// How many looks in a row have failed.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// When to look again.
    #[must_use]
    pub fn next(&self, now: Timestamp, target: Seconds) -> Timestamp {
        let target = Micros::from(target).max(Micros::from_secs(1));
        if self.errors > 0 {
            let wait = Micros::from_millis(500 << self.errors.min(6).saturating_sub(1));
            return now + wait.min(LONGEST_BACKOFF).min(target);
        }
        let half = Micros(target.0 / 2);
        let (wait, ceiling) = match self.expected {
            None => (half, half),
            Some((from, to)) if now < from => {
                let width = to.since(from);
                let into = if width > NARROW { Micros(width.0 / 2) } else { width };
                ((from + into).since(now), target)
            }
            Some((_, to)) if now < to => {
                let left = to.since(now);
                (if left > NARROW { Micros(left.0 / 2) } else { left }, half)
            }
            Some(_) => (Micros(SHORTEST.0 << self.late.min(10)), half),
        };
        now + wait.max(SHORTEST).min(ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at a source that publishes every `period` from `phase` on, for a minute; gives the
    /// looks and the lags of the last half.
    fn watch(period: u64, phase: u64, jitter: impl Fn(u64) -> u64) -> (usize, Vec<u64>) {
        let moment = |n: u64| phase + n * period + jitter(n);
        let duration = Micros::from_millis(period);
        let (mut cadence, mut now, mut seen, mut looks, mut lags) =
            (Cadence::default(), 0, 0, 0, Vec::new());
        while now < 60_000 {
            looks += 1;
            let newest = (0..).take_while(|&n| moment(n) <= now).count() as u64;
            let at = Timestamp(now * 1_000);
            if newest > seen {
                if now > 30_000 {
                    lags.push(now - moment(newest - 1));
                }
                let count = usize::try_from(newest - seen).unwrap();
                cadence.found(at, at, duration, count);
                seen = newest;
            } else {
                cadence.found_nothing(at);
            }
            now = cadence.next(at, Seconds(period.div_ceil(1_000))).0 / 1_000;
        }
        (looks, lags)
    }

    #[test]
    fn a_steady_source_is_met_just_after_it_publishes() {
        for (period, phase) in [(2_000, 0), (2_000, 777), (6_000, 3_100), (4_000, 1_999)] {
            let (looks, lags) = watch(period, phase, |_| 0);
            let worst = lags.iter().max().unwrap();
            assert!(*worst <= 130, "period {period}, phase {phase}: {lags:?}");
            let published = 60_000 / usize::try_from(period).unwrap();
            assert!(looks <= published * 3 + 12, "period {period}: {looks} looks");
        }
    }

    #[test]
    fn a_source_that_wanders_costs_a_few_looks_more() {
        let (looks, lags) = watch(2_000, 300, |n| n * 7_919 % 200);
        let worst = lags.iter().max().unwrap();
        assert!(*worst <= 300, "{lags:?}");
        assert!(looks <= 180, "{looks} looks");
    }

    #[test]
    fn a_frozen_playlist_is_looked_at_every_half_target_duration() {
        let mut cadence = Cadence::default();
        let mut now = Timestamp(0);
        cadence.found(now, now, Micros::from_secs(2), 1);
        for _ in 0..40 {
            let next = cadence.next(now, Seconds(2));
            assert!(next.since(now) <= Micros::from_secs(2));
            now = next;
            cadence.found_nothing(now);
        }
        assert_eq!(cadence.next(now, Seconds(2)).since(now), Micros::from_secs(1));
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp(millis * 1_000)
    }

    #[test]
    fn a_look_is_taken_where_the_next_segment_is_expected() {
        let segment = Micros::from_secs(2);
        let mut cadence = Cadence::default();
        let next = |cadence: &Cadence, now| cadence.next(at(now), Seconds(2)).0 / 1_000;
        assert_eq!(next(&cadence, 10_000), 11_000);
        // Published in the two seconds before, so the next comes from 9,990 to 12,010.
        cadence.found(at(10_000), at(10_000), segment, 1);
        for (now, expected) in [
            (9_800, 11_000),
            (9_990, 10_990),
            (10_000, 11_000),
            (11_510, 11_760),
            (11_910, 12_010),
            (11_950, 12_010),
            (12_010, 12_060),
        ] {
            assert_eq!(next(&cadence, now), expected, "{now}");
        }
        cadence.found_nothing(at(11_900));
        assert_eq!(next(&cadence, 12_010), 12_060, "it is not late yet");
        let mut late = cadence.clone();
        late.found_nothing(at(12_010));
        assert_eq!(next(&late, 12_010), 12_110, "now it is");
        // Published between 11,900 and 11,980: the next comes from 13,890 to 13,990.
        cadence.found(at(11_980), at(11_980), segment, 1);
        assert_eq!(next(&cadence, 12_000), 13_990);
        // Seen much later, one is one that came when it was expected; of two nothing is known.
        for (count, expected) in [(1, 15_940), (2, 15_300)] {
            let mut cadence = cadence.clone();
            cadence.found(at(14_300), at(14_300), segment, count);
            assert_eq!(next(&cadence, 14_300), expected, "{count}");
        }
    }

    #[test]
    fn an_answer_ends_what_was_counted_of_errors() {
        let mut cadence = Cadence::default();
        for errors in 1..=3 {
            cadence.failed();
            assert_eq!(cadence.errors(), errors);
        }
        let mut found = cadence.clone();
        cadence.found_nothing(at(1_000));
        found.found(at(1_000), at(1_000), Micros::from_secs(2), 1);
        assert_eq!((cadence.errors(), found.errors()), (0, 0));
    }

    #[test]
    fn errors_are_retried_ever_more_slowly_but_within_a_target_duration() {
        let mut cadence = Cadence::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            cadence.failed();
            waits.push(cadence.next(Timestamp(0), Seconds(4)).0 / 1_000);
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
    }
}
