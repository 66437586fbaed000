//! What an invocation reports: metrics, and lines about what happened.

use aws::Faults;
use aws::metrics::{Metrics, Unit};
use relay::Timestamp;
use relay::advance::Event;
use relay::progress::Progress;
use relay::session::SessionId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A line tells of so many sessions at most.
const SESSIONS: usize = 50;

/// What happened in an invocation.
#[derive(Debug, Default)]
pub struct Report {
    all: Metrics,
    channels: BTreeMap<String, Metrics>,
    sessions: BTreeMap<SessionId, Value>,
}

/// What had been carried when it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    segments: u64,
    /// Bytes.
    pub bytes: u64,
    jumps: u64,
    missed: u64,
}

impl Carried {
    /// What `progress` counts.
    #[must_use]
    pub fn of(progress: &Progress) -> Self {
        let Progress { segments, bytes, jumps, missed, .. } = *progress;
        Self { segments, bytes, jumps, missed }
    }

    /// What came since `before`. A count that went back, as another run knows better, is none.
    fn since(self, before: Self) -> Self {
        Self {
            segments: self.segments.saturating_sub(before.segments),
            bytes: self.bytes.saturating_sub(before.bytes),
            jumps: self.jumps.saturating_sub(before.jumps),
            missed: self.missed.saturating_sub(before.missed),
        }
    }
}

/// What came of one turn of one session.
pub struct Turned<'a> {
    /// Which.
    pub session: &'a SessionId,
    /// The deployed channel that it goes to.
    pub channel: Option<&'a str>,
    /// What had been carried before.
    pub before: Carried,
    /// How it is doing.
    pub progress: &'a Progress,
    /// What went wrong at the borders.
    pub faults: Faults,
    /// How long it took.
    pub millis: u64,
}

impl Report {
    /// Takes in what came of a turn.
    pub fn take(&mut self, turned: &Turned<'_>) {
        let Turned { session, channel, before, progress, faults, millis } = *turned;
        let news = Carried::of(progress).since(before);
        for (name, count) in [
            ("Segments", news.segments),
            ("Jumps", news.jumps),
            ("Missed", news.missed),
            ("SourceErrors", faults.source),
            ("IngestErrors", faults.ingest),
        ] {
            if count > 0 {
                self.all.add(name, Unit::Count, count);
            }
        }
        if !progress.status.is_active() && !progress.causes.is_empty() {
            self.given_up();
        }
        self.all.sample("PollDuration", Unit::Milliseconds, millis);
        if news.segments > 0 {
            // A metric costs by the month for each channel: of a channel there is what alarms look at.
            let channel = channel.map(|name| self.channels.entry(name.to_owned()).or_default());
            for metrics in std::iter::once(&mut self.all).chain(channel) {
                metrics.add("Bytes", Unit::Bytes, news.bytes);
                if let Some(lag) = progress.lag_ms {
                    metrics.sample("Lag", Unit::Milliseconds, lag);
                }
            }
        }
        let quiet = news == Carried::default() && faults == Faults::default();
        if !quiet && self.sessions.len() < SESSIONS {
            let told = json!({
                "status": progress.status,
                "segments": news.segments,
                "bytes": news.bytes,
                "jumps": news.jumps,
                "missed": news.missed,
                "lag_ms": progress.lag_ms,
                "source_errors": faults.source,
                "ingest_errors": faults.ingest,
                "poll_ms": millis,
            });
            self.sessions.insert(session.clone(), told);
        }
    }

    /// Takes in that a session is over before all of it was carried.
    pub fn given_up(&mut self) {
        self.all.add("FailedSessions", Unit::Count, 1);
    }

    /// Takes in that a turn came to nothing, which is nobody's fault but ours or the table's.
    pub fn broken(&mut self) {
        self.all.add("BrokenTurns", Unit::Count, 1);
    }

    /// The lines that CloudWatch makes metrics of: of all sessions, and of each channel.
    #[must_use]
    pub fn lines(self, namespace: &str, now: Timestamp, run: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let beside = |more: Option<Value>| {
            let mut beside = Map::from_iter([("run".to_owned(), Value::from(run))]);
            beside.extend(more.map(|more| ("sessions".to_owned(), more)));
            beside
        };
        if !self.all.is_empty() {
            let told = (!self.sessions.is_empty()).then(|| json!(self.sessions));
            lines.push(self.all.line(namespace, now, None, beside(told)));
        }
        for (channel, metrics) in &self.channels {
            lines.push(metrics.line(namespace, now, Some(channel), beside(None)));
        }
        lines
    }
}

/// Logs what happened to a session.
pub fn log(session: &SessionId, events: &[Event]) {
    for event in events {
        match event {
            Event::Published(_) => tracing::debug!(%session, "{event}"),
            Event::Joined(..) | Event::Restarted(_) | Event::LeftOut(..) | Event::Became(..) => {
                tracing::info!(%session, "{event}");
            }
            Event::FellBehind(..) | Event::Switched(_) | Event::Gone(..) | Event::Failed(_) => {
                tracing::warn!(%session, "{event}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_turn_is_counted_once_in_all_and_once_for_its_channel() {
        let mut report = Report::default();
        let before = Progress { segments: 10, bytes: 100, ..Progress::default() };
        let progress = Progress { segments: 12, bytes: 160, lag_ms: Some(300), ..before.clone() };
        let session = SessionId("a".to_owned());
        let turned = |channel, before: &Progress, faults| Turned {
            session: &session,
            channel,
            before: Carried::of(before),
            progress: &progress,
            faults,
            millis: 7,
        };
        report.take(&turned(Some("main"), &before, Faults::default()));
        report.take(&turned(None, &progress, Faults { source: 1, ..Faults::default() }));
        let lines = report.lines("ferry", Timestamp(0), "r");
        let lines: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["Segments"], 2);
        assert_eq!(lines[0]["PollDuration"], json!([7, 7]));
        assert_eq!((&lines[0]["Lag"], &lines[0]["SourceErrors"]), (&json!(300), &json!(1)));
        assert_eq!(lines[0]["sessions"]["a"]["source_errors"], 1);
        assert_eq!((&lines[1]["Channel"], &lines[1]["Bytes"]), (&json!("main"), &json!(60)));
        assert_eq!((lines[1].get("SourceErrors"), lines[1].get("PollDuration")), (None, None));
    }

    /// The metrics that `infra/causes.json` promises to those who operate it. What is degraded is counted
    /// by `dispatch`, once a minute, and held against the table there.
    #[test]
    fn what_ends_a_session_early_and_what_breaks_a_turn_is_counted() {
        let table: Vec<Value> =
            serde_json::from_str(include_str!("../../../infra/causes.json")).unwrap();
        for row in table {
            let of = |field: &str| serde_json::from_value(row[field].clone()).unwrap();
            let progress = Progress {
                status: of("status"),
                causes: [serde_json::from_value(row["cause"].clone()).unwrap()].into(),
                ..Progress::default()
            };
            let mut report = Report::default();
            report.take(&Turned {
                session: &SessionId("a".to_owned()),
                channel: None,
                before: Carried::default(),
                progress: &progress,
                faults: Faults::default(),
                millis: 3,
            });
            let line: Value =
                serde_json::from_str(&report.lines("ferry", Timestamp(0), "r")[0]).unwrap();
            let counted = line.get("FailedSessions") == Some(&json!(1));
            assert_eq!(counted, row["metric"] == "FailedSessions", "{row}");
        }
        let mut report = Report::default();
        report.broken();
        assert!(report.lines("ferry", Timestamp(0), "r")[0].contains("\"BrokenTurns\":1"));
    }

    #[test]
    fn an_idle_poll_tells_how_long_it_took_and_no_more() {
        let mut report = Report::default();
        let (progress, session) = (Progress::default(), SessionId("a".to_owned()));
        let (before, faults) = (Carried::default(), Faults::default());
        let turned = Turned {
            session: &session,
            channel: None,
            before,
            progress: &progress,
            faults,
            millis: 3,
        };
        report.take(&turned);
        let lines = report.lines("ferry", Timestamp(0), "r");
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["PollDuration"], line.get("Segments")), (&json!(3), None));
        assert_eq!(line.get("sessions"), None);
    }
}
