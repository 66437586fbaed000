//! Shows how a session is doing: a block that is redrawn, lines, or JSON.

use api::SessionAnswer;
use relay::ports::Record;
use relay::progress::Progress;
use relay::session::Session;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Writes to standard output.
pub struct Display {
    session: Session,
    shape: Shape,
    began: Instant,
    shown: Option<Progress>,
}

enum Shape {
    /// Redrawn; how many lines are to be drawn over.
    Block(usize),
    Lines,
    Json,
}

/// How often a terminal is drawn anew: nobody reads faster.
const REDRAW: Duration = Duration::from_millis(250);
/// How often a log or a pipe gets a line.
const LINE: Duration = Duration::from_secs(5);
/// Columns and rows of a terminal that does not tell.
const SIZE: (usize, usize) = (100, 24);

impl Display {
    /// A display of one session: for machines, or for whoever reads standard output.
    pub fn new(session: Session, json: bool) -> Self {
        let shape = match (json, io::stdout().is_terminal()) {
            (true, _) => Shape::Json,
            (false, true) => Shape::Block(0),
            (false, false) => Shape::Lines,
        };
        Self { session, shape, began: Instant::now(), shown: None }
    }

    /// How often it wants to be told although nothing happened.
    pub fn interval(&self) -> Duration {
        match self.shape {
            Shape::Block(_) => REDRAW,
            Shape::Lines | Shape::Json => LINE,
        }
    }

    /// Something happened.
    pub fn changed(&mut self, progress: &Progress) -> io::Result<()> {
        let status = self.shown.as_ref().map(|shown| shown.status);
        match self.shape {
            Shape::Block(_) => Ok(()),
            Shape::Lines if status == Some(progress.status) => Ok(()),
            Shape::Lines | Shape::Json => self.show(progress),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, progress: &Progress) -> io::Result<()> {
        match self.shape {
            Shape::Block(_) | Shape::Lines => self.show(progress),
            Shape::Json => Ok(()),
        }
    }

    /// It is over. Nobody may be left to read it.
    pub fn last(&mut self, progress: &Progress) {
        // A line says how it ended when that happened.
        if !matches!(self.shape, Shape::Lines) || self.shown.as_ref() != Some(progress) {
            let _ = self.show(progress);
        }
    }

    fn show(&mut self, progress: &Progress) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match &mut self.shape {
            Shape::Json => {
                if self.shown.as_ref() != Some(progress) {
                    let record =
                        Record { session: self.session.clone(), progress: progress.clone() };
                    serde_json::to_writer(&mut out, &SessionAnswer::new(record))?;
                    writeln!(out)?;
                }
            }
            Shape::Lines => writeln!(out, "{}", line(progress, self.began.elapsed()))?,
            Shape::Block(drawn) => {
                let lines = block(&self.session, progress, self.began.elapsed());
                if *drawn > 0 {
                    // Up to where the block begins, and all below it away.
                    write!(out, "\x1b[{drawn}A\x1b[J")?;
                }
                let (width, height) = terminal();
                *drawn = lines.len().min(height - 1);
                for line in &lines[..*drawn] {
                    writeln!(out, "{}", line.chars().take(width - 1).collect::<String>())?;
                }
            }
        }
        self.shown = Some(progress.clone());
        out.flush()
    }
}

/// Columns and rows: what is drawn over must not have wrapped or scrolled away.
fn terminal() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 1 && size.ws_row > 1 => (size.ws_col.into(), size.ws_row.into()),
        _ => SIZE,
    }
}

/// How a session is doing, in one line.
fn line(progress: &Progress, elapsed: Duration) -> String {
    let mut line = format!("{}  {}", clock(elapsed), standing(progress));
    let lag = progress.lag_ms.map_or(String::new(), |lag| format!(", lag {}", seconds(lag)));
    line.push_str(&format!("  {} segments, {}{lag}", progress.segments, size(progress.bytes)));
    if progress.jumps > 0 {
        line.push_str(&format!(", {} jumps over {} segments", progress.jumps, progress.missed));
    }
    if progress.endpoints.iter().any(|endpoint| endpoint.behind > 0) {
        let behind: Vec<_> =
            progress.endpoints.iter().map(|endpoint| endpoint.behind.to_string()).collect();
        line.push_str(&format!(", endpoints behind by {}", behind.join(" and ")));
    }
    plain(&line)
}

/// How a session is doing, in lines that a terminal shows one below the other.
fn block(session: &Session, progress: &Progress, elapsed: Duration) -> Vec<String> {
    let lag = progress.lag_ms.map_or("-".to_owned(), seconds);
    let mut lines = vec![
        format!("{}  {}", clock(elapsed), standing(progress)),
        format!(
            "{} segments   {}   lag {lag}   {} jumps over {} segments",
            progress.segments,
            size(progress.bytes),
            progress.jumps,
            progress.missed
        ),
        String::new(),
        format!("from {}", session.source),
    ];
    let names = progress.renditions.iter().map(|rendition| rendition.name.chars().count());
    let width = names.max().unwrap_or(0);
    for rendition in &progress.renditions {
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |it| it.to_string());
        let mut line =
            format!("  {:width$}  at {}", rendition.name, number(rendition.source_sequence));
        let listed: Vec<_> = rendition.listed.iter().map(|listed| number(*listed)).collect();
        line.push_str(&format!("   listed {}", listed.join(" and ")));
        if let Some(error) = &rendition.error {
            line.push_str(&format!("   {error}"));
        }
        lines.push(line);
    }
    for endpoint in &progress.endpoints {
        lines.push(format!("to   {}", endpoint.address));
        lines.push(format!(
            "  {}   {} segments   {}   {} behind",
            if endpoint.healthy { "well" } else { "in trouble" },
            endpoint.segments,
            size(endpoint.bytes),
            endpoint.behind
        ));
    }
    if let Some(fault) = &progress.last_error {
        lines.push(String::new());
        lines.push(format!("last error, at {}: {}", fault.at, fault.what));
    }
    lines.into_iter().map(|line| plain(&line)).collect()
}

fn standing(progress: &Progress) -> String {
    match &progress.reason {
        Some(reason) => format!("{}: {reason}", progress.status),
        None => progress.status.to_string(),
    }
}

/// Text without what a terminal might obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn seconds(millis: u64) -> String {
    format!("{}.{:02} s", millis / 1_000, millis / 10 % 100)
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let (mut unit, mut tenths) = (0, bytes / 100);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (unit, tenths) = (unit + 1, tenths / 1_000);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay::Timestamp;
    use relay::progress::{EndpointProgress, Fault, RenditionProgress, Status};

    fn doing() -> (Session, Progress) {
        let endpoints = ["https://in.example/1/channel", "https://in.example/2/channel"];
        let (session, _) = ::tests::conformance::session("a", 1, &endpoints);
        let fault = Fault {
            what: "endpoint answered 500 for a\u{1b}[2J".to_owned(),
            at: Timestamp(1_700_000_000_000_000),
        };
        let rendition = |name: &str, error: Option<&str>| RenditionProgress {
            name: name.to_owned(),
            source_sequence: Some(812),
            listed: vec![Some(812), None],
            error: error.map(str::to_owned),
        };
        let endpoint = |index: usize, healthy, behind| EndpointProgress {
            address: session.endpoints[index].clone(),
            healthy,
            segments: 1_234,
            bytes: 987_654_321,
            behind,
            last_error: None,
        };
        let progress = Progress {
            status: Status::Degraded,
            causes: [relay::cause::Cause::Endpoint].into(),
            reason: Some("endpoint answered 500 for channel.m3u8".to_owned()),
            renditions: vec![
                rendition("video-550000", None),
                rendition("audio-en", Some("origin answered 404")),
            ],
            left_out: Vec::new(),
            endpoints: vec![endpoint(0, true, 0), endpoint(1, false, 3)],
            segments: 1_234,
            bytes: 987_654_321,
            jumps: 1,
            missed: 2,
            lag_ms: Some(1_429),
            last_error: Some(fault),
        };
        (session, progress)
    }

    #[test]
    fn a_terminal_shows_all_of_it() {
        let (session, progress) = doing();
        insta::assert_snapshot!(block(&session, &progress, Duration::from_secs(3_725)).join("\n"));
    }

    #[test]
    fn a_line_shows_what_matters() {
        let (_, progress) = doing();
        insta::assert_snapshot!(line(&progress, Duration::from_secs(59)));
        let quiet = Progress { status: Status::Running, ..Progress::default() };
        assert_eq!(line(&quiet, Duration::ZERO), "0:00:00  running  0 segments, 0.0 kB");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0.0 kB"),
            (999, "0.9 kB"),
            (1_000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (1_850_000_000, "1.8 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
