//! What RFC 8216 asks of a source.

mod across;
mod media;
mod multivariant;
mod over_time;

use super::report::{Finding, Severity};
pub use across::across;
pub use media::media;
pub use multivariant::multivariant;
pub use over_time::over_time;

/// Collects what is found in one place, once a rule.
struct Findings {
    place: String,
    found: Vec<Finding>,
}

impl Findings {
    fn at(place: &str) -> Self {
        Self { place: place.to_owned(), found: Vec::new() }
    }

    /// The RFC forbids it.
    fn violation(&mut self, section: &'static str, line: Option<usize>, what: impl Into<String>) {
        self.add(Severity::Violation, section, line, what.into());
    }

    /// The RFC, or experience, advises against it.
    fn advice(&mut self, section: &'static str, line: Option<usize>, what: impl Into<String>) {
        self.add(Severity::Advice, section, line, what.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        section: &'static str,
        line: Option<usize>,
        what: String,
    ) {
        let place = self.place.clone();
        self.found.push(Finding { severity, section, place, line, what });
    }
}

/// The name of a line's tag and what follows it.
fn tag(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    line.starts_with("#EXT").then(|| line.split_once(':').unwrap_or((line, "")))
}

/// The lines of a tag, counted from 1, and what follows it.
fn lines_of<'a>(text: &'a str, wanted: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    (1..).zip(text.lines()).filter_map(move |(number, line)| match tag(line) {
        Some((name, value)) if name == wanted => Some((number, value)),
        _ => None,
    })
}

/// Checks that the version which a playlist states allows what it holds (section 7).
///
/// `needs` says which version is needed, for what, and where.
fn version(text: &str, needs: Vec<(u64, &str, Option<usize>)>, findings: &mut Findings) {
    let stated: Vec<(usize, u64)> = lines_of(text, "#EXT-X-VERSION")
        .filter_map(|(line, value)| Some((line, value.trim().parse().ok()?)))
        .collect();
    if let [_, (line, _), ..] = stated.as_slice() {
        findings.violation("4.3.1.2", Some(*line), "EXT-X-VERSION is stated more than once");
    }
    // A playlist that states none has version 1.
    let stated = stated.first().map_or(1, |(_, version)| *version);
    let most = needs.into_iter().max_by_key(|(version, _, line)| (*version, line.is_some()));
    if let Some((needed, what, line)) = most.filter(|(needed, ..)| *needed > stated) {
        let what = format!("{what} needs version {needed}, and the playlist has {stated}");
        findings.violation("7", line, what);
    }
}
