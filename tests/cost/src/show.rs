//! The tables.

use crate::bill::{Measured, hundredths};
use crate::function::Ledger;
use crate::machine::TRANSITIONS;
use crate::outside::{CONNECTION, ENDPOINT_AWAY, SEGMENT, SOURCE_AWAY, VARIANTS};
use crate::prices::{FARGATE_TASK, Pico, STANDARD_TRANSITION, dollars};
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

/// What a zip may have, in bytes.
const ZIP: u64 = 5_000_000;
/// What a start may take, and a first invocation of processor time.
const LIMIT: Duration = Duration::from_millis(60);

/// What one function takes to start.
pub struct Row {
    name: &'static str,
    memory: u64,
    zip: u64,
    start_wall: Duration,
    start_cpu: Duration,
    first: Duration,
    warm: Duration,
    peak_kib: u64,
}

impl Row {
    /// The middle of what was seen: what the first invocation took, and the second.
    #[must_use]
    pub fn of(name: &'static str, memory: u64, zip: u64, seen: &[(Ledger, Ledger)]) -> Self {
        let middle = |of: fn(&(Ledger, Ledger)) -> Duration| {
            let mut all: Vec<Duration> = seen.iter().map(of).collect();
            all.sort();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        Self {
            name,
            memory,
            zip,
            start_wall: middle(|(first, _)| first.start_wall),
            start_cpu: middle(|(first, _)| first.start_cpu),
            first: middle(|(first, _)| first.cpu),
            warm: middle(|(_, warm)| warm.cpu),
            peak_kib: seen.iter().map(|(_, warm)| warm.peak_kib).max().unwrap_or_default(),
        }
    }

    /// Whether a limit is exceeded.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        self.zip > ZIP || self.start_wall > LIMIT || self.first > LIMIT
    }
}

/// The table of starts.
#[must_use]
pub fn starts(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | zip, MB | start, ms | start, ms of CPU | first invocation, ms of CPU | second | peak memory, MiB of MB |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let Row { name, memory, zip, start_wall, start_cpu, first, warm, peak_kib } = row;
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} of {memory} |",
            hundredths(zip / 10_000),
            millis(*start_wall),
            millis(*start_cpu),
            millis(*first),
            millis(*warm),
            peak_kib / 1_024
        )
        .expect("a String takes all");
    }
    writeln!(
        text,
        "| *limit* | *{}* | *{}* | | *{}* | | |",
        hundredths(ZIP / 10_000),
        LIMIT.as_millis(),
        LIMIT.as_millis()
    )
    .expect("a String takes all");
    text
}

/// The tables of what a month costs.
#[must_use]
pub fn months(all: &[Measured]) -> String {
    let megabits = VARIANTS.iter().sum::<u64>() / 1_000_000;
    let mut text = format!(
        "Sources of {} variants, {megabits} Mbit/s and segments of {SEGMENT} s, {} ms away; two endpoints each, {} ms away; \
         {} Mbit/s a connection.\n\n",
        VARIANTS.len(),
        SOURCE_AWAY.as_millis(),
        ENDPOINT_AWAY.as_millis(),
        CONNECTION / 1_000_000
    );
    for measured in all {
        text.push_str(&month(measured));
    }
    text.push_str(&compared(all));
    text
}

fn month(measured: &Measured) -> String {
    let Measured { sessions, minutes, advance, machine, .. } = measured;
    let commits = measured.count("commit");
    // Every source lists something new once a segment, and a poll finds it.
    let news = sessions * minutes * 60 / SEGMENT;
    let idle = advance.polls.saturating_sub(news);
    let each = |count: u64, of: u64| hundredths((count * 100).checked_div(of).unwrap_or_default());
    let a_minute = |count: u64| hundredths(count * 100 / minutes);
    let mut text = format!(
        "### {sessions} {}\n\n\
         Measured in {minutes} minutes: {} shards; in each minute {} polls with news and {} without, {} invocations of {} ms, \
         {} ms of CPU a poll, {} MiB at most; {} runs failed.\n\
         DynamoDB: {} reads of a cursor a poll; {} writes a poll with news (a cursor of {} bytes at most) and none without; beside the polls, in each minute, \
         {} take-overs, {} leases given back, {} renewed, {} reports.\n\
         State transitions: {} an hour ({} rounds a minute x {TRANSITIONS} x 60), ${} a month as a Standard machine.\n\n\
         | | in a minute | $ a month |\n|---|---|---:|\n",
        if *sessions == 1 { "session" } else { "sessions" },
        measured.shards(),
        a_minute(news),
        a_minute(idle),
        a_minute(advance.invocations),
        advance.wall.as_millis().checked_div(advance.invocations.into()).unwrap_or_default(),
        millis(
            (advance.cpu + advance.start_cpu)
                / u32::try_from(advance.polls.max(1)).unwrap_or(u32::MAX)
        ),
        advance.peak_kib / 1_024,
        machine.failed,
        each(measured.count("read cursor"), advance.polls),
        each(commits, news),
        measured.largest("session"),
        a_minute(measured.count("take over")),
        a_minute(measured.count("release")),
        a_minute(measured.count("renew")),
        a_minute(measured.count("report")),
        machine.rounds * TRANSITIONS * 60 / minutes,
        a_minute(machine.rounds),
        dollars(
            Pico::from(machine.rounds * TRANSITIONS * crate::bill::MINUTES / minutes)
                * STANDARD_TRANSITION
        ),
    );
    for line in measured.bill() {
        writeln!(text, "| {} | {} | {} |", line.what, line.from, dollars(line.costs))
            .expect("a String takes all");
    }
    let total = measured.month();
    writeln!(text, "| **together** | | **{}** |\n", dollars(total)).expect("a String takes all");
    text
}

/// The month beside Fargate's. More sessions than were measured are as many times the most that were.
fn compared(all: &[Measured]) -> String {
    let mut text = format!(
        "### Beside Fargate\n\nA task of 0.25 vCPU and 0.5 GB with an address of its own: ${} a month.\n\n\
         | sessions | $ a month | a session | a task each | ratio | tasks shared | ratio |\n|---:|---:|---:|---:|---:|---:|---:|\n",
        dollars(FARGATE_TASK)
    );
    let Some(most) = all.iter().max_by_key(|measured| measured.sessions) else { return text };
    let fits = fits(most);
    let measured = all.iter().map(|measured| (measured.sessions, measured.month()));
    let scaled = [100, 500].into_iter().filter(|sessions| *sessions > most.sessions);
    let scaled = scaled.map(|sessions| {
        (sessions, most.month() * Pico::from(sessions) / Pico::from(most.sessions))
    });
    for (sessions, month) in measured.chain(scaled) {
        let own = FARGATE_TASK * Pico::from(sessions);
        let shared = FARGATE_TASK * Pico::from(sessions.div_ceil(fits));
        let ratio =
            |other: Pico| hundredths(u64::try_from(month * 100 / other).unwrap_or(u64::MAX));
        writeln!(
            text,
            "| {sessions} | {} | {} | {} | {} | {} | {} |",
            dollars(month),
            dollars(month / Pico::from(sessions)),
            dollars(own),
            ratio(own),
            dollars(shared),
            ratio(shared)
        )
        .expect("a String takes all");
    }
    writeln!(
        text,
        "\nShared: {fits} sessions a task, which then uses half of its 0.25 vCPU, by the CPU that `advance` was measured to need. Such a task \
         is one process for all of them: when it dies, all stop until it is there again."
    )
    .expect("a String takes all");
    text
}

/// How many sessions keep half of a quarter of a processor busy.
fn fits(measured: &Measured) -> u64 {
    let work = measured.advance.cpu + measured.advance.start_cpu + measured.tls();
    let available = Duration::from_secs(60 * measured.minutes) / 8
        * u32::try_from(measured.sessions).unwrap_or(1);
    u64::try_from(available.as_micros() / work.as_micros().max(1)).unwrap_or(u64::MAX).max(1)
}

fn millis(time: Duration) -> String {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}

/// A line that says where and when this was measured.
#[must_use]
pub fn machine() -> String {
    let date =
        Command::new("date").args(["-u", "+%F"]).output().map(|out| out.stdout).unwrap_or_default();
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}, {cores} cores ({}), load {} before",
        String::from_utf8_lossy(&date).trim(),
        model.trim_start_matches([' ', '\t', ':']),
        load.split(' ').next().unwrap_or_default()
    )
}
