//! What is found out about a source.

use relay::abilities::{Container, Protection, Role};
use relay::session::Address;
use serde::Serialize;
use std::collections::BTreeSet;

/// What is found out about a source. Its JSON is what `--json` prints; times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub source: Address,
    /// When the first playlist was read (RFC 3339).
    pub read_at: String,
    /// From the first reading to the last.
    pub watched_ms: u64,
    /// How exact the times of publishing are: the time between two readings.
    pub every_ms: u64,
    pub kind: Kind,
    /// In the order of the multivariant playlist.
    pub renditions: Vec<Rendition>,
    /// `EXT-X-I-FRAME-STREAM-INF` lines.
    pub iframe_playlists: usize,
    pub containers: BTreeSet<Container>,
    pub codecs: BTreeSet<String>,
    pub ad_markers: BTreeSet<&'static str>,
    pub findings: Vec<Finding>,
    pub outputs: Vec<Verdict>,
}

/// How a source goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Its window slides.
    Live,
    /// It only grows.
    Event,
    /// It has ended.
    Vod,
}

/// A variant or an alternative rendition.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rendition {
    /// What it is called here: made of its attributes.
    pub name: String,
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The group that it is in, or the group of audio that it plays with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Of a variant: how many tracks play together.
    #[serde(skip)]
    pub tracks: usize,
    /// What its media playlist says; absent where it has none, or it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Why something of it could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// What a media playlist says.
#[derive(Clone, Debug, Serialize)]
pub struct Media {
    pub target_duration_ms: u64,
    pub media_sequence: u64,
    pub discontinuity_sequence: u64,
    /// Segments in its newest version, and how long they play.
    pub segments: usize,
    pub window_ms: u64,
    pub segment_ms: Option<Spread>,
    pub discontinuities: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Codecs that the newest segment names.
    pub sampled_codecs: BTreeSet<&'static str>,
    /// METHOD of the keys.
    pub encryption: BTreeSet<String>,
    #[serde(skip)]
    pub protections: BTreeSet<Protection>,
    pub maps: bool,
    pub byte_ranges: bool,
    pub gaps: usize,
    pub low_latency: bool,
    pub program_date_time: Option<DateTime>,
    pub publishing: Option<Publishing>,
}

/// The least, the middle and the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub min: i64,
    pub median: i64,
    pub max: i64,
}

impl Spread {
    /// That of some numbers; absent where there are none.
    pub fn of(mut numbers: Vec<i64>) -> Option<Self> {
        numbers.sort_unstable();
        let median = *numbers.get(numbers.len() / 2)?;
        Some(Self { min: *numbers.first()?, median, max: *numbers.last()? })
    }
}

/// What the programme dates say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DateTime {
    /// Segments that state one.
    pub segments: usize,
    /// How long after its end, by its date, the newest segment was first seen. Negative: its date is
    /// ahead of the clock.
    pub behind_clock_ms: Option<Spread>,
}

/// How new segments come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Publishing {
    /// Versions with new segments, after the first.
    pub changes: usize,
    /// New segments in them.
    pub new_segments: u64,
    /// The time between two.
    pub period_ms: Option<Spread>,
}

/// Something that a source does and should not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// The section of RFC 8216.
    pub section: &'static str,
    /// `multivariant playlist`, or the name of a rendition.
    pub place: String,
    /// The line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub what: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The RFC forbids it.
    Violation,
    /// The RFC, or experience, advises against it.
    Advice,
}

/// Whether an output takes the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub output: &'static str,
    pub accepts: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What would be left out of what it takes, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl Report {
    /// Whether all of the source can be read, it keeps the RFC, and MediaPackage takes it.
    pub fn is_fine(&self) -> bool {
        self.renditions.iter().all(|rendition| rendition.failures.is_empty())
            && self.findings.iter().all(|finding| finding.severity != Severity::Violation)
            && self
                .outputs
                .iter()
                .any(|verdict| verdict.accepts && verdict.output.starts_with("mediapackage"))
    }
}
