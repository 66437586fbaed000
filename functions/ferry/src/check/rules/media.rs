//! What is asked of a media playlist by itself.

use super::{Findings, lines_of, version};
use crate::check::analysis::{Track, Version, apart_ms, ends};
use crate::check::report::Finding;
use hls::{AttributeList, MediaPlaylist, Timestamp};

/// How far a date may be from what the durations before it say until it is worth a word.
const DATE_TOLERANCE_MS: i64 = 500;

/// Checks the newest version of a media playlist.
pub fn media(track: &Track) -> Vec<Finding> {
    let mut findings = Findings::at(&track.name);
    if let Some(Version { text, playlist, .. }) = track.newest() {
        durations(text, playlist, &mut findings);
        versions(text, playlist, &mut findings);
        places(text, &mut findings);
        dates(text, playlist, &mut findings);
        date_ranges(text, &mut findings);
        if playlist.segments.is_empty() {
            findings.advice("6.2.1", None, "the playlist has no segment");
        }
    }
    findings.found
}

/// The line of a segment's `EXTINF`.
fn line_of_segment(text: &str, place: usize) -> Option<usize> {
    lines_of(text, "#EXTINF").nth(place).map(|(line, _)| line)
}

/// "the EXTINF duration of each Media Segment [..], when rounded to the nearest integer, MUST be less
/// than or equal to the target duration" (section 4.3.3.1).
fn durations(text: &str, playlist: &MediaPlaylist, findings: &mut Findings) {
    let target = playlist.target_duration;
    let rounded = |segment: &hls::Segment| segment.duration.0.saturating_add(500_000) / 1_000_000;
    let mut long = (0..).zip(&playlist.segments).filter(|(_, it)| rounded(it) > target.0);
    if let Some((place, first)) = long.next() {
        let more = match long.count() {
            0 => String::new(),
            count => format!(", and {count} more are too long"),
        };
        let duration = first.duration;
        let what =
            format!("a segment takes {duration} s and EXT-X-TARGETDURATION is {target}{more}");
        findings.violation("4.3.3.1", line_of_segment(text, place), what);
    }
}

fn versions(text: &str, playlist: &MediaPlaylist, findings: &mut Findings) {
    let first = |wanted: &str| lines_of(text, wanted).next().map(|(line, _)| line);
    let mut needs = Vec::new();
    let decimals = lines_of(text, "#EXTINF")
        .find(|(_, value)| value.split(',').next().is_some_and(|duration| duration.contains('.')));
    if let Some((line, _)) = decimals {
        needs.push((3, "EXTINF with decimals", Some(line)));
    }
    let frames_only = first("#EXT-X-I-FRAMES-ONLY");
    for (tag, version) in [
        ("EXT-X-BYTERANGE", 4),
        ("EXT-X-I-FRAMES-ONLY", 4),
        ("EXT-X-MAP", if frames_only.is_some() { 5 } else { 6 }),
    ] {
        if let Some(line) = first(&format!("#{tag}")) {
            needs.push((version, tag, Some(line)));
        }
    }
    for (line, value) in lines_of(text, "#EXT-X-KEY") {
        let attributes = AttributeList::new(value);
        for (name, what, version) in [
            ("IV", "IV of EXT-X-KEY", 2),
            ("KEYFORMAT", "KEYFORMAT of EXT-X-KEY", 5),
            ("KEYFORMATVERSIONS", "KEYFORMATVERSIONS of EXT-X-KEY", 5),
        ] {
            if attributes.get(name).is_some() {
                needs.push((version, what, Some(line)));
            }
        }
    }
    if playlist.segments.is_empty() {
        needs.clear();
    }
    version(text, needs, findings);
}

/// Tags that must come before the first segment.
fn places(text: &str, findings: &mut Findings) {
    let first = lines_of(text, "#EXTINF").next().map_or(usize::MAX, |(line, _)| line);
    for (wanted, section) in
        [("#EXT-X-MEDIA-SEQUENCE", "4.3.3.2"), ("#EXT-X-DISCONTINUITY-SEQUENCE", "4.3.3.3")]
    {
        if let Some((line, _)) = lines_of(text, wanted).find(|(line, _)| *line > first) {
            let name = wanted.trim_start_matches('#');
            findings.violation(section, Some(line), format!("{name} comes after a segment"));
        }
    }
    let discontinuity = lines_of(text, "#EXT-X-DISCONTINUITY").next().map(|(line, _)| line);
    let sequence = lines_of(text, "#EXT-X-DISCONTINUITY-SEQUENCE").next().map(|(line, _)| line);
    if let (Some(tag), Some(sequence)) = (discontinuity, sequence)
        && sequence > tag
        && sequence < first
    {
        let what = "EXT-X-DISCONTINUITY-SEQUENCE comes after EXT-X-DISCONTINUITY";
        findings.violation("4.3.3.3", Some(sequence), what);
    }
}

fn dates(text: &str, playlist: &MediaPlaylist, findings: &mut Findings) {
    const SECTION: &str = "4.3.2.6";
    let mut lines = lines_of(text, "#EXT-X-PROGRAM-DATE-TIME");
    if let Some((line, _)) = lines.find(|(_, it)| Timestamp::from_date_time(it).is_none()) {
        let what = "EXT-X-PROGRAM-DATE-TIME is not a date with a time and a time zone";
        findings.violation(SECTION, Some(line), what);
    }
    let mut before: Option<Timestamp> = None;
    for ((place, segment), end) in (0..).zip(&playlist.segments).zip(ends(playlist)) {
        let stated = segment.program_date_time.as_deref().and_then(Timestamp::from_date_time);
        if let (Some(stated), Some(expected)) = (stated, before)
            && !segment.discontinuity
            && apart_ms(stated, expected).abs() > DATE_TOLERANCE_MS
        {
            let apart = apart_ms(stated, expected);
            let what = format!("a date is {apart} ms from where the durations before it end");
            findings.advice(SECTION, line_of_segment(text, place), what);
            return;
        }
        before = end;
    }
}

fn date_ranges(text: &str, findings: &mut Findings) {
    for (line, value) in lines_of(text, "#EXT-X-DATERANGE") {
        let attributes = AttributeList::new(value);
        for name in ["ID", "START-DATE"] {
            if attributes.get(name).is_none() {
                let what = format!("EXT-X-DATERANGE has no {name}");
                findings.violation("4.3.2.7", Some(line), what);
            }
        }
    }
}
