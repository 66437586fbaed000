//! From what was measured in some minutes to what a month costs.

use crate::Ledger;
use crate::cloud::Calls;
use crate::machine::Used;
use crate::outside::VARIANTS;
use crate::prices::{
    EXPRESS_GB_SECOND, EXPRESS_MB, EXPRESS_RUN, HOURS, LAMBDA_GB_SECOND, LAMBDA_REQUEST, LOG_BYTE,
    MB_A_PROCESSOR, Pico, READ, SCHEDULE, SECRET, SECRET_CALL, WRITE,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// The memory of `advance` and `dispatch`, in MB, as they were measured.
pub const ADVANCE_MB: u64 = 512;
const DISPATCH_MB: u64 = 256;
/// Everything here goes without TLS; in the world it takes about so many microseconds of processor
/// time for a megabyte, in or out (AES-128-GCM at 2 GB/s).
const TLS_MICROS_A_MB: u64 = 500;
/// The minutes of a month.
pub const MINUTES: u64 = HOURS * 60;

/// What carrying sessions used in some minutes.
pub struct Measured {
    /// How many.
    pub sessions: u64,
    /// In how many minutes.
    pub minutes: u64,
    /// By `advance`.
    pub advance: Ledger,
    /// By `dispatch`.
    pub dispatch: Ledger,
    /// By the state machine.
    pub machine: Used,
    /// Of DynamoDB and Secrets Manager.
    pub calls: Calls,
    /// The sizes of the table's items.
    pub sizes: BTreeMap<String, Vec<u64>>,
}

/// A line of a bill.
pub struct Line {
    /// What is paid for.
    pub what: &'static str,
    /// How much of it in a minute, and where that comes from.
    pub from: String,
    /// What it costs in a month.
    pub costs: Pico,
}

impl Measured {
    /// How often something was called for.
    #[must_use]
    pub fn count(&self, purpose: &str) -> u64 {
        self.calls.get(purpose).copied().unwrap_or_default()
    }

    /// The largest item of a kind.
    #[must_use]
    pub fn largest(&self, kind: &str) -> u64 {
        self.sizes.get(kind).and_then(|sizes| sizes.iter().max()).copied().unwrap_or_default()
    }

    /// The runs of a minute: shards, as long as nobody makes a session.
    #[must_use]
    pub fn shards(&self) -> u64 {
        self.count("start").div_ceil(self.minutes)
    }

    /// The processor time that TLS would have taken.
    #[must_use]
    pub fn tls(&self) -> Duration {
        // In once, out to two endpoints.
        let bytes = VARIANTS.iter().sum::<u64>() / 8 * 3 * 60 * self.minutes * self.sessions;
        Duration::from_micros(bytes / 1_000_000 * TLS_MICROS_A_MB)
    }

    /// How long `advance` is billed for: what was measured, with as much longer as its share of a processor makes what it
    /// worked. Never longer than its runs lasted.
    #[must_use]
    pub fn billed(&self) -> Duration {
        let Ledger { wall, start_wall, cpu, start_cpu, .. } = self.advance;
        let work = cpu + start_cpu + self.tls();
        let on_lambda = share(work, MB_A_PROCESSOR, ADVANCE_MB);
        (wall + start_wall + on_lambda.saturating_sub(cpu + start_cpu)).min(self.machine.lasted)
    }

    /// Units of reading: a cursor is one; of the index, which is read eventually consistent, 4 KB are half.
    #[must_use]
    pub fn reads(&self) -> u64 {
        let session = self.largest("sessions").div_ceil(4_096);
        self.count("read cursor") + self.count("read session") * session + self.count("query")
    }

    /// Units of writing: a cursor's by its size, a report's by the session's, and one for the index.
    #[must_use]
    pub fn writes(&self) -> u64 {
        let cursor = self.largest("session").div_ceil(1_024);
        let report = self.largest("sessions").div_ceil(1_024) + 1;
        let held = ["commit", "take over", "renew", "release", "other write"];
        held.iter().map(|purpose| self.count(purpose) * cursor).sum::<u64>()
            + self.count("report") * report
    }

    /// What a month costs, line by line.
    #[must_use]
    pub fn bill(&self) -> Vec<Line> {
        let month = |amount: Pico| amount * Pico::from(MINUTES) / Pico::from(self.minutes);
        let time = |millis: u128, mb: Pico, price: Pico| month(millis * mb * price / 1_024 / 1_000);
        let units = |count: u64, price: Pico| month(Pico::from(count) * price);
        let Self { advance, dispatch, machine, minutes, .. } = self;
        let billed = self.billed();
        let dispatched = share(dispatch.cpu + dispatch.start_cpu, MB_A_PROCESSOR, DISPATCH_MB)
            + dispatch.wall
            + dispatch.start_wall;
        let a_minute = |count: u64| hundredths(count * 100 / minutes);
        let line = |what, from, costs| Line { what, from, costs };
        vec![
            line(
                "advance, time",
                format!("{} s x {ADVANCE_MB} MB", a_minute_of(billed, *minutes)),
                time(billed.as_millis(), ADVANCE_MB.into(), LAMBDA_GB_SECOND),
            ),
            line(
                "advance, invocations",
                a_minute(advance.invocations),
                units(advance.invocations, LAMBDA_REQUEST),
            ),
            line(
                "Express, time",
                format!("{} s x {EXPRESS_MB} MB", a_minute_of(machine.lasted, *minutes)),
                time(machine.lasted.as_millis(), EXPRESS_MB, EXPRESS_GB_SECOND),
            ),
            line("Express, runs", a_minute(machine.runs), units(machine.runs, EXPRESS_RUN)),
            line("DynamoDB, reads", a_minute(self.reads()), units(self.reads(), READ)),
            line("DynamoDB, writes", a_minute(self.writes()), units(self.writes(), WRITE)),
            line(
                "Secrets Manager",
                format!("{} secrets, {} calls", self.sessions, a_minute(self.count("read secret"))),
                SECRET * Pico::from(self.sessions) + units(self.count("read secret"), SECRET_CALL),
            ),
            line(
                "CloudWatch, logs",
                format!("{} KB", a_minute((advance.logged + dispatch.logged) / 1_000)),
                units(advance.logged + dispatch.logged, LOG_BYTE),
            ),
            line(
                "dispatch and its schedule",
                format!("{} s x {DISPATCH_MB} MB", a_minute_of(dispatched, *minutes)),
                time(dispatched.as_millis(), DISPATCH_MB.into(), LAMBDA_GB_SECOND)
                    + units(dispatch.invocations, LAMBDA_REQUEST + SCHEDULE),
            ),
        ]
    }

    /// What a month costs.
    #[must_use]
    pub fn month(&self) -> Pico {
        self.bill().iter().map(|line| line.costs).sum()
    }
}

/// How long work takes with `part` of the `whole` of a processor.
fn share(work: Duration, whole: u64, part: u64) -> Duration {
    let micros = work.as_micros() * u128::from(whole) / u128::from(part);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).max(work)
}

/// Seconds in each minute.
fn a_minute_of(time: Duration, minutes: u64) -> String {
    hundredths(u64::try_from(time.as_millis() / 10).unwrap_or(u64::MAX) / minutes)
}

/// A count of hundredths as a number.
#[must_use]
pub fn hundredths(count: u64) -> String {
    format!("{}.{:02}", count / 100, count % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::dollars;

    fn measured(wall: u64, cpu: u64, lasted: u64) -> Measured {
        let seconds = Duration::from_secs;
        Measured {
            sessions: 1,
            minutes: 1,
            advance: Ledger {
                invocations: 10,
                wall: seconds(wall),
                cpu: seconds(cpu),
                ..Ledger::default()
            },
            dispatch: Ledger::default(),
            machine: Used { runs: 1, rounds: 10, failed: 0, lasted: seconds(lasted) },
            calls: Calls::from([("commit", 10), ("report", 1), ("read cursor", 10), ("start", 1)]),
            sizes: BTreeMap::from([
                ("session".to_owned(), vec![900]),
                ("sessions".to_owned(), vec![2_500]),
            ]),
        }
    }

    #[test]
    fn what_is_billed_is_as_slow_as_its_share_of_a_processor() {
        // 4.5 MB a second are 135 ms of TLS in a minute; 512 MB are 1 / 3.455 of a processor.
        let tls = Duration::from_millis(135);
        assert_eq!(measured(20, 2, 60).tls(), tls);
        let slow = Duration::from_micros(2_135_000 * 1_769 / 512);
        assert_eq!(measured(20, 2, 60).billed(), Duration::from_secs(18) + slow);
        assert_eq!(measured(59, 2, 60).billed(), Duration::from_secs(60), "as long as its run");
    }

    #[test]
    fn a_month_is_43_800_minutes() {
        let measured = measured(60, 0, 60);
        let bill: BTreeMap<&str, String> =
            measured.bill().iter().map(|line| (line.what, dollars(line.costs))).collect();
        for (what, costs) in [
            // 60 s x 0.5 GB x 43,800 x $0.0000133334
            ("advance, time", "17.52"),
            ("advance, invocations", "0.09"),
            // 60 s x 0.0625 GB x 43,800 x $0.00001667
            ("Express, time", "2.74"),
            ("Express, runs", "0.04"),
            ("DynamoDB, reads", "0.05"),
            // 10 of 1 KB, and one of 3 KB with its index
            ("DynamoDB, writes", "0.38"),
            ("Secrets Manager", "0.40"),
        ] {
            assert_eq!(bill[what], costs, "{what}");
        }
    }
}
