//! What a run shows, and the table of all runs.

use crate::apache::Requests;
use crate::observe::Seen;
use crate::schedule::{BANDWIDTHS, Micros, Schedule, SegmentId};
use std::fmt::Write as _;

/// The median, the 95th percentile and the greatest of some lengths of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    median: Micros,
    p95: Micros,
    max: Micros,
}

impl Spread {
    fn of(mut values: Vec<Micros>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self { median: at(50), p95: at(95), max: at(100) }
    }

    fn show(self) -> String {
        let [median, p95, max] =
            [self.median, self.p95, self.max].map(|time| fixed(time, 1_000_000, 2));
        format!("{median} / {p95} / {max}")
    }
}

/// CPU time, by who used it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// The product under test.
    pub product: Micros,
    /// Both endpoints.
    pub apache: Micros,
    /// The source.
    pub source: Micros,
    /// The observer.
    pub observer: Micros,
    /// The whole machine.
    pub machine: Micros,
}

impl Cpu {
    /// What was used since an earlier reading.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            product: self.product - before.product,
            apache: self.apache - before.apache,
            source: self.source - before.source,
            observer: self.observer - before.observer,
            machine: self.machine - before.machine,
        }
    }
}

/// What one product did with so many sessions.
#[derive(Clone, Debug)]
pub struct Run {
    /// The product.
    pub name: &'static str,
    /// How many sessions it had.
    pub sessions: u32,
    /// What the sources listed in the measured time, and what of it was stored by both endpoints
    /// and named by their playlists when the grace was over.
    pub published: u64,
    /// See there.
    pub delivered: u64,
    /// From the source lists a segment until an endpoint has it whole.
    pub stored: Spread,
    /// From the source lists a segment until an endpoint's playlist names it.
    pub listed: Spread,
    /// What was wrong, in the whole run.
    pub seen: Seen,
    /// The measured time.
    pub span: Micros,
    /// Used in it.
    pub cpu: Cpu,
    /// The product's most, in KiB.
    pub memory: u64,
    /// What the endpoints were asked in the measured time.
    pub requests: Requests,
}

/// How many segments were listed in a span of time and how many of those arrived, with the lags of
/// all that came to one endpoint.
#[must_use]
pub fn tally(
    schedule: &Schedule,
    seen: &Seen,
    endpoints: usize,
    (from, until): (Micros, Micros),
) -> (u64, u64, Spread, Spread) {
    let (mut published, mut delivered) = (0, 0);
    let (mut stored, mut listed) = (Vec::new(), Vec::new());
    for session in 0..schedule.sessions {
        for sequence in schedule.listed_within(session, from, until) {
            let origin = schedule.listed_at(session, sequence);
            for (variant, _) in (0..).zip(BANDWIDTHS) {
                let id = SegmentId { session, variant, sequence };
                let mut there = true;
                for endpoint in 0..endpoints {
                    let key = (endpoint, id);
                    stored.extend(seen.stored.get(&key).map(|at| at.saturating_sub(origin)));
                    listed.extend(seen.listed.get(&key).map(|at| at.saturating_sub(origin)));
                    there &= seen.stored.contains_key(&key) && seen.listed.contains_key(&key);
                }
                published += 1;
                delivered += u64::from(there);
            }
        }
    }
    (published, delivered, Spread::of(stored), Spread::of(listed))
}

/// Sentences about the segments that playlists named last, of those that they named at all.
#[must_use]
pub fn slowest(schedule: &Schedule, seen: &Seen, (from, until): (Micros, Micros)) -> Vec<String> {
    let mut lags: Vec<_> = seen
        .listed
        .iter()
        .map(|((endpoint, id), &at)| {
            (schedule.listed_at(id.session, id.sequence), at, endpoint, id)
        })
        .filter(|(origin, ..)| (from..until).contains(origin))
        .map(|(origin, at, endpoint, id)| (at.saturating_sub(origin), endpoint, id))
        .collect();
    lags.sort_unstable_by(|a, b| b.cmp(a));
    let show = |(lag, endpoint, id): &(Micros, &usize, &SegmentId)| {
        let stored = seen
            .stored
            .get(&(**endpoint, **id))
            .map_or(0, |&at| at.saturating_sub(schedule.listed_at(id.session, id.sequence)));
        format!(
            "slow: segment {id} was at endpoint {endpoint} after {} s, in its playlist after {} s",
            fixed(stored, 1_000_000, 2),
            fixed(*lag, 1_000_000, 2)
        )
    };
    lags.iter().take(3).map(show).collect()
}

/// The table of the runs, a column each.
#[must_use]
pub fn table(runs: &[Run]) -> String {
    let mut text = String::from("|");
    for run in runs {
        write!(text, " | {}, {}", run.name, plural(run.sessions, "session"))
            .expect("a String takes all");
    }
    text.push_str(" |\n|---");
    text.push_str(&"|---:".repeat(runs.len()));
    text.push_str("|\n");
    let mut row = |what: &str, value: &dyn Fn(&Run) -> String| {
        let values: Vec<String> = runs.iter().map(value).collect();
        writeln!(text, "| {what} | {} |", values.join(" | ")).expect("a String takes all");
    };
    let endpoints = 2;
    let minute = |run: &Run, time: Micros| fixed(time * 60_000_000 / run.span, 1_000_000, 2);
    let each = |run: &Run, time: Micros| fixed(time / run.delivered.max(1), 1000, 2);
    row("segments published", &|run| run.published.to_string());
    row("**lost** (not at both endpoints, or not in their playlists)", &|run| {
        (run.published - run.delivered).to_string()
    });
    row("segments stored twice", &|run| run.seen.twice.to_string());
    row("names re-used for other bytes, files broken", &|run| {
        format!("{}, {}", run.seen.reused, run.seen.broken)
    });
    row("**playlists that named a segment before it was there**", &|run| {
        run.seen.ahead.to_string()
    });
    row("playlists that went back, or left out a segment", &|run| {
        format!("{}, {}", run.seen.back, run.seen.gaps)
    });
    row("lag in s until an endpoint has it: median / p95 / max", &|run| run.stored.show());
    row("**lag in s until its playlist names it**: median / p95 / max", &|run| run.listed.show());
    row("**CPU**, ms a segment delivered", &|run| each(run, run.cpu.product));
    row("CPU, seconds a minute", &|run| minute(run, run.cpu.product));
    row("**peak memory**, MiB", &|run| fixed(run.memory, 1024, 1));
    row("PUTs a segment and endpoint (1 + its playlist)", &|run| {
        fixed(run.requests.stored * 1000 / (run.delivered * endpoints).max(1), 1000, 2)
    });
    row("requests a PUT", &|run| {
        fixed(run.requests.puts * 1000 / run.requests.stored.max(1), 1000, 3)
    });
    row("answers 401, other errors", &|run| {
        format!("{}, {}", run.requests.denied, run.requests.failed)
    });
    row("beside it: both Apaches, CPU ms a segment", &|run| each(run, run.cpu.apache));
    row("beside it: the source, CPU ms a segment", &|run| each(run, run.cpu.source));
    row("beside it: the observer, CPU seconds a minute", &|run| minute(run, run.cpu.observer));
    row("beside it: all else on the machine, CPU seconds a minute", &|run| {
        let Cpu { product, apache, source, observer, machine } = run.cpu;
        minute(run, machine.saturating_sub(product + apache + source + observer))
    });
    text
}

/// `value / unit` with so many digits after the point.
#[must_use]
pub fn fixed(value: u64, unit: u64, digits: u32) -> String {
    let scale = 10_u64.pow(digits);
    let scaled = (value * scale + unit / 2) / unit;
    format!("{}.{:0width$}", scaled / scale, scaled % scale, width = digits as usize)
}

/// Such as `1 session`, `20 sessions`.
#[must_use]
pub fn plural(count: u32, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_nearest_ranks() {
        assert_eq!(Spread::of((1..=100).rev().collect()), Spread { median: 50, p95: 95, max: 100 });
        assert_eq!(Spread::of(vec![7]), Spread { median: 7, p95: 7, max: 7 });
        assert_eq!(Spread::of(vec![]), Spread::default());
    }

    #[test]
    fn numbers_are_rounded_to_their_digits() {
        for (value, unit, digits, text) in [
            (1_234_567, 1_000_000, 2, "1.23"),
            (5, 1000, 2, "0.01"),
            (1536, 1024, 1, "1.5"),
            (0, 7, 1, "0.0"),
        ] {
            assert_eq!(fixed(value, unit, digits), text);
        }
    }

    #[test]
    fn a_segment_counts_as_delivered_when_both_endpoints_list_it() {
        let schedule = Schedule { epoch: 0, sessions: 1, jitter: 0, window: 3 };
        let mut seen = Seen::default();
        for (endpoint, variant, sequence) in
            [(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1), (0, 0, 2), (1, 0, 2), (0, 1, 2)]
        {
            let id = SegmentId { session: 0, variant, sequence };
            let at = schedule.listed_at(0, sequence);
            seen.stored.insert((endpoint, id), at + 5);
            seen.listed.insert((endpoint, id), at + 9);
        }
        let (published, delivered, stored, listed) =
            tally(&schedule, &seen, 2, (1_000_000, 5_000_000));
        assert_eq!((published, delivered), (4, 3));
        assert_eq!((stored.max, listed.max), (5, 9));
    }
}
