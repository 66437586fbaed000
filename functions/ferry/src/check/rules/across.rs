//! What is asked of the media playlists of a source together (section 6.2.4).

use super::Findings;
use crate::check::analysis::{Track, apart_ms};
use crate::check::report::Finding;
use hls::{MediaPlaylist, Micros, Timestamp};
use relay::abilities::Role;
use std::collections::BTreeMap;

const SECTION: &str = "6.2.4";

/// Checks the newest versions of the media playlists against the first.
pub fn across(tracks: &[Track]) -> Vec<Finding> {
    let mut read = tracks.iter().filter_map(|track| Some((track, &track.newest()?.playlist)));
    let Some((first, like)) = read.next() else { return Vec::new() };
    let mut found = Vec::new();
    for (track, playlist) in read {
        let mut findings = Findings::at(&track.name);
        together(track, playlist, first, like, &mut findings);
        found.extend(findings.found);
    }
    found
}

fn together(
    track: &Track,
    playlist: &MediaPlaylist,
    first: &Track,
    like: &MediaPlaylist,
    findings: &mut Findings,
) {
    let name = &first.name;
    if playlist.target_duration != like.target_duration && track.role != Role::Subtitles {
        let (own, other) = (playlist.target_duration, like.target_duration);
        let what = format!("EXT-X-TARGETDURATION is {own} and that of {name} is {other}");
        findings.violation(SECTION, None, what);
    }
    if playlist.playlist_type != like.playlist_type {
        findings.violation(SECTION, None, format!("EXT-X-PLAYLIST-TYPE is not that of {name}"));
    }
    let dated = |it: &MediaPlaylist| it.segments.iter().any(|it| it.program_date_time.is_some());
    if dated(playlist) != dated(like) {
        let what = format!("{name} has EXT-X-PROGRAM-DATE-TIME and this has not, or the reverse");
        findings.violation(SECTION, None, what);
    }
    if track.role != Role::Subtitles {
        discontinuities(playlist, like, name, findings);
    }
}

/// "Matching content in Variant Streams MUST have matching Discontinuity Sequence Numbers".
fn discontinuities(
    playlist: &MediaPlaylist,
    like: &MediaPlaylist,
    name: &str,
    findings: &mut Findings,
) {
    let (own, other) = (starts(playlist), starts(like));
    let target = Micros::from(like.target_duration).as_millis();
    let apart = own.dated.iter().find_map(|(number, start)| {
        let apart = apart_ms(*start, *other.dated.get(number)?);
        (apart.unsigned_abs() > target).then_some((*number, apart))
    });
    if let Some((number, apart)) = apart {
        let what = format!("discontinuity {number} is {apart} ms from where it is in {name}");
        findings.violation(SECTION, None, what);
    } else if own.last.abs_diff(other.last) > 1 {
        // One may have been read before the other went on.
        let (own, other) = (own.last, other.last);
        let what = format!("discontinuities count up to {own}, and to {other} in {name}");
        findings.violation(SECTION, None, what);
    }
}

/// The discontinuities that a playlist shows: when each was, where dates are stated, and the last.
struct Starts {
    dated: BTreeMap<u64, Timestamp>,
    last: u64,
}

fn starts(playlist: &MediaPlaylist) -> Starts {
    let mut last = playlist.discontinuity_sequence.0;
    let mut dated = BTreeMap::new();
    for segment in &playlist.segments {
        if segment.discontinuity {
            last += 1;
            let date = segment.program_date_time.as_deref().and_then(Timestamp::from_date_time);
            dated.extend(date.map(|date| (last, date)));
        }
    }
    Starts { dated, last }
}
