//! Date ranges: lines about a span of time, wherever they stand.
//!
//! They are not bound to the segment that follows (RFC 8216bis section 4.4.5.1): a source may write all of them
//! before its first segment or after its last. So they are listed as long as the source lists them, whatever
//! becomes of that segment.

use crate::plan::Key;
use crate::settle::segments_from;
use hls::{MediaPlaylist, MediaSequence};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a line is a date range.
pub(crate) fn is_range(line: &str) -> bool {
    line.trim_start().starts_with("#EXT-X-DATERANGE:")
}

/// The date ranges that stand at segments, in their order, with the numbers of these.
pub(crate) fn ranges(seen: &MediaPlaylist) -> impl Iterator<Item = (MediaSequence, &String)> {
    segments_from(seen, seen.media_sequence).flat_map(|(sequence, segment)| {
        let ranges = segment.lines.iter().filter(|line| is_range(line));
        ranges.map(move |line| (sequence, line))
    })
}

/// Puts the date ranges that stand at none of `rows` where they belong: at their segment, or else at the next one.
///
/// Both are in their order, which stays, for of two lines about one range the second adds to the first. What
/// belongs after all of `rows` comes with its segment.
pub(crate) fn gather(rows: &mut [(Key, &mut Vec<String>)], ranges: &[(Key, &String)]) {
    if ranges.is_empty() {
        return;
    }
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (row, (_, lines)) in rows.iter().enumerate() {
        places.extend(lines.iter().filter(|line| is_range(line)).map(|line| (line.clone(), row)));
    }
    let mut next: Option<(usize, &String)> = None;
    for &(key, line) in ranges.iter().rev() {
        let row = places.get(line).copied().unwrap_or_else(|| {
            let own = rows.partition_point(|(at, _)| *at < key);
            next.map_or(own, |(row, _)| own.min(row))
        });
        let Some((_, lines)) = rows.get_mut(row) else { continue };
        if places.insert(line.clone(), row).is_none() {
            let before = next.filter(|(at, _)| *at == row).map(|(_, line)| line);
            let at = lines.iter().position(|line| Some(line) == before);
            lines.insert(at.unwrap_or_else(|| after_ranges(lines)), line.clone());
        }
        next = Some((row, line));
    }
}

/// Where another date range goes among the lines of a segment.
fn after_ranges(lines: &[String]) -> usize {
    let last = lines.iter().rposition(|line| is_range(line));
    let last = last.or_else(|| lines.iter().position(|line| line == "#EXT-X-DISCONTINUITY"));
    last.map_or(0, |last| last + 1)
}

/// Leaves each date range where it stands last, `trailer` being after all of `rows`.
///
/// One that followed the last segment may come to stand at the next.
pub(crate) fn state_once<'a>(
    rows: impl DoubleEndedIterator<Item = &'a mut Vec<String>>,
    trailer: &[String],
) {
    let mut stated: BTreeSet<String> =
        trailer.iter().filter(|line| is_range(line)).cloned().collect();
    for lines in rows.rev() {
        lines.retain(|line| !is_range(line) || stated.insert(line.clone()));
    }
}
