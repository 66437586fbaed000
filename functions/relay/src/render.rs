//! A media playlist as an endpoint gets it: a rendering of the cursor, and of the source's lines.

use crate::cursor::{Rendition, Track};
use crate::names::{Epoch, Extension, RenditionName, Stem};
use crate::parts::{Keys, Needs, Stated};
use crate::plan::Key;
use crate::ranges::{gather, is_range, ranges, state_once};
use crate::settle::{Style, dated};
use hls::{
    AttributeList, DiscontinuitySequence, MediaPlaylist, MediaSequence, Micros, PlaylistType,
    Segment, Stop, Timestamp, is_define, is_low_latency, is_marker,
};

/// A segment that can be listed, whoever has it.
pub(crate) struct Row<'a> {
    pub epoch: Epoch,
    pub sequence: MediaSequence,
    pub discontinuity: bool,
    pub duration: Micros,
    lines: &'a [String],
    keys: Vec<AttributeList>,
    map_keys: Vec<AttributeList>,
    extension: Extension,
    made: Option<Timestamp>,
}

/// The segments that can be listed, oldest first: the source's, or with a window of our own the kept ones.
pub(crate) fn rows<'a>(
    rendition: &'a Rendition,
    seen: &'a MediaPlaylist,
    style: Style,
) -> Vec<Row<'a>> {
    if style.window.is_some() {
        let row = |kept: &'a crate::cursor::Kept| Row {
            epoch: kept.epoch,
            sequence: kept.sequence,
            discontinuity: kept.discontinuity,
            duration: kept.duration,
            lines: &kept.lines,
            keys: kept.keys.iter().map(|key| AttributeList::new(key)).collect(),
            map_keys: kept.map_keys.iter().map(|key| AttributeList::new(key)).collect(),
            extension: kept.extension,
            made: kept.program_date_time,
        };
        return rendition.kept.iter().map(row).collect();
    }
    let opened = style.keys == Keys::Opened;
    let row = |(sequence, segment, made): (MediaSequence, &'a Segment, _)| Row {
        epoch: rendition.epoch,
        sequence,
        discontinuity: segment.discontinuity,
        duration: segment.duration,
        lines: &segment.lines,
        keys: if opened { Vec::new() } else { segment.keys.to_vec() },
        map_keys: match &segment.map {
            Some(map) if !opened => map.keys.to_vec(),
            Some(_) | None => Vec::new(),
        },
        extension: Extension::of(segment),
        made,
    };
    dated(seen).map(row).collect()
}

/// A playlist to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// The text.
    pub text: String,
    /// The output's number of its first segment.
    pub first: MediaSequence,
    /// That of its last.
    pub last: MediaSequence,
    /// Whether it says that nothing will follow.
    pub ended: bool,
    /// Whether it is shorter than three target durations: no playlist may be made that short by what is removed from
    /// it (RFC 8216 section 6.2.2).
    pub short: bool,
}

/// The media playlist of one rendition at one endpoint; absent while there is nothing to list.
///
/// `complete` says that the endpoint has all that the source lists and that can be had.
#[must_use]
pub fn render(
    name: &RenditionName,
    rendition: &Rendition,
    track: &Track,
    seen: &MediaPlaylist,
    style: Style,
    stem: &Stem,
    complete: bool,
) -> Option<Rendering> {
    let rows = rows(rendition, seen, style);
    let mut listed: Vec<(MediaSequence, &Row<'_>, Vec<String>)> = Vec::new();
    let mut between: Vec<String> = Vec::new();
    for row in &rows {
        match track.number(row.epoch, row.sequence) {
            Some(number) => listed.push((number, row, std::mem::take(&mut between))),
            // What lies before the first that was carried was never wanted.
            None if row.epoch == rendition.epoch && row.sequence < rendition.entry => {}
            None if track.is_past(row.epoch, row.sequence) => {}
            // What marks a place keeps its place when a segment is left out.
            None => between.extend(row.lines.iter().filter(|line| is_marker(line)).cloned()),
        }
    }
    let (first, last) = match (listed.first(), listed.last()) {
        (Some(first), Some(last)) => (first.0, last.0),
        // What is doubtful may not be listed again, but that this is the end must be said.
        _ if complete && seen.ended && track.broken => {
            let last = track.last()?.last_out();
            (last.after(1), last)
        }
        _ => return None,
    };
    let lasts = listed.iter().fold(Micros(0), |sum, (_, row, _)| sum + row.duration);
    let short = lasts.0 < Micros::from(rendition.target_duration).0.saturating_mul(3);
    let keys: Vec<Key> = listed.iter().map(|(_, row, _)| (row.epoch, row.sequence)).collect();
    let mut tags = 0;
    let mut stated = Stated::default();
    let mut segments: Vec<Segment> = listed
        .into_iter()
        .map(|(number, row, between)| {
            let marked = track.marks(row.epoch, row.sequence);
            tags += u64::from(marked || row.discontinuity);
            let uri = stem.segment(name, row.epoch, row.sequence, row.extension);
            let mut segment = segment(row, marked, number == first, uri);
            place(&mut segment.lines, between);
            if let Some(along) = rendition.along(row.epoch, row.sequence) {
                let Row { sequence, keys, map_keys, .. } = row;
                let needs = Needs { sequence: *sequence, keys, map_keys };
                let needed = Stated::of(&needs, along, number, stem, name);
                place(&mut segment.lines, needed.after(&stated));
                stated = needed;
            }
            segment
        })
        .collect();
    let mut trailer = whole_segment_lines(&seen.trailer);
    trailer.retain(|line| complete || is_range(line));
    let ranges: Vec<(Key, &String)> =
        ranges(seen).map(|(sequence, line)| ((rendition.epoch, sequence), line)).collect();
    let lines = keys.into_iter().zip(segments.iter_mut().map(|segment| &mut segment.lines));
    gather(&mut lines.collect::<Vec<_>>(), &ranges);
    if style.window.is_some() {
        state_once(segments.iter_mut().map(|segment| &mut segment.lines), &trailer);
    }
    let discontinuity_sequence =
        DiscontinuitySequence(track.discontinuities.0.saturating_sub(tags));
    let playlist = MediaPlaylist {
        header: whole_segment_lines(&seen.header),
        target_duration: rendition.target_duration,
        media_sequence: first,
        discontinuity_sequence,
        playlist_type: playlist_type(seen, style, complete, track),
        segments,
        trailer,
        ended: seen.ended && complete,
        stop: Stop::Line,
    };
    let (text, ended) = (playlist.to_string(), playlist.ended);
    Some(Rendering { text, first, last, ended, short })
}

/// The type that the output's playlist may claim.
///
/// A playlist that loses segments has none; one that still grows is at most an EVENT, whatever the
/// source is (RFC 8216 section 4.3.3.5).
fn playlist_type(
    seen: &MediaPlaylist,
    style: Style,
    complete: bool,
    track: &Track,
) -> Option<PlaylistType> {
    let slides = style.window.is_some() || track.listed().len() > 1;
    match seen.playlist_type? {
        _ if slides => None,
        PlaylistType::Vod if complete && seen.ended => Some(PlaylistType::Vod),
        PlaylistType::Vod | PlaylistType::Event => Some(PlaylistType::Event),
    }
}

/// Lines without those of low-latency HLS, whose addresses are the source's, and those that define what is in its
/// place by now.
fn whole_segment_lines(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !is_low_latency(line) && !is_define(line)).cloned().collect()
}

/// Puts the lines that state keys and maps where they belong: after a discontinuity, before all else.
fn place(lines: &mut Vec<String>, stated: Vec<String>) {
    let at = lines.iter().position(|line| line == DISCONTINUITY).map_or(0, |at| at + 1);
    lines.splice(at..at, stated);
}

fn segment(row: &Row<'_>, marked: bool, first: bool, uri: String) -> Segment {
    let mut lines = whole_segment_lines(row.lines);
    lines.retain(|line| !hls::names_a_file(line));
    // Each tag counts (RFC 8216 section 6.2.1); ad inserters write one where a break ends and one where the next begins.
    let mut stated = false;
    lines.retain(|line| line.trim_end() != DISCONTINUITY || !std::mem::replace(&mut stated, true));
    let dated = lines.iter().any(|line| line.starts_with(DATE));
    // The source may date its first segment only: ours is another one, and what it says of those after it ends at a
    // discontinuity of ours.
    if let (true, false, Some(made)) = (first || marked, dated, row.made) {
        lines.insert(0, format!("{DATE}{made}"));
    }
    if marked {
        lines.insert(0, DISCONTINUITY.to_owned());
    }
    Segment { lines, uri, ..Segment::default() }
}

const DISCONTINUITY: &str = "#EXT-X-DISCONTINUITY";
const DATE: &str = "#EXT-X-PROGRAM-DATE-TIME:";
