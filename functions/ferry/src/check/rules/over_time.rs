//! What is asked of a media playlist from one version to the next.

use super::Findings;
use crate::check::analysis::{Track, Version, apart_ms};
use crate::check::report::Finding;
use crate::check::show::count;
use hls::{MediaPlaylist, Micros, PlaylistType};
use relay::abilities::Role;
use std::collections::BTreeMap;

/// Checks the versions of a media playlist, each against the one before; each rule is said once.
pub fn over_time(track: &Track) -> Vec<Finding> {
    let mut findings = Findings::at(&track.name);
    for pair in track.versions.windows(2) {
        let [before, after] = pair else { continue };
        let known: Vec<&str> = findings.found.iter().map(|finding| finding.section).collect();
        let mut new = Findings::at(&track.name);
        changed(&before.playlist, &after.playlist, &mut new);
        new.found.retain(|finding| !known.contains(&finding.section));
        findings.found.extend(new.found);
    }
    if let Some(newest) = track.newest() {
        short(&newest.playlist, &mut findings);
        stalled(track, newest, &mut findings);
    }
    findings.found
}

fn changed(before: &MediaPlaylist, after: &MediaPlaylist, findings: &mut Findings) {
    let (old, new) = (before.media_sequence, after.media_sequence);
    if new < old || after.last_sequence() < before.last_sequence() {
        let last = |playlist: &MediaPlaylist| playlist.last_sequence().unwrap_or_default();
        let what = format!(
            "the media sequence went back: segments {old} to {}, then {new} to {}",
            last(before),
            last(after)
        );
        findings.violation("6.2.2", None, what);
        // Nothing that follows would say more.
        return;
    }
    if before.target_duration != after.target_duration {
        let (old, new) = (before.target_duration, after.target_duration);
        let what = format!("EXT-X-TARGETDURATION changed from {old} to {new}");
        findings.violation("6.2.1", None, what);
    }
    let (known, listed) = (numbered(before), numbered(after));
    let mut renamed = 0;
    let mut recounted = None;
    for (number, (address, discontinuities)) in &listed {
        if let Some((known, counted)) = known.get(number) {
            renamed += usize::from(known != address);
            if counted != discontinuities {
                recounted = Some((*number, *counted, *discontinuities));
            }
        }
    }
    if renamed > 0 {
        let segments =
            count(renamed, "segment has another address", "segments have other addresses");
        let what = format!("{segments} under the same number");
        findings.violation("6.2.1", None, what);
    }
    if let Some((number, old, new)) = recounted {
        let what = format!("segment {number} was after {old} discontinuities, then after {new}");
        findings.violation("6.2.2", None, what);
    }
    let fixed = match before.playlist_type {
        Some(PlaylistType::Event) => new > old,
        Some(PlaylistType::Vod) => before.segments.len() != after.segments.len() || new != old,
        None => false,
    };
    if fixed {
        let what = "segments of an EVENT or VOD playlist were changed or taken away";
        findings.violation("4.3.3.5", None, what);
    }
    if before.ended && (after.last_sequence() != before.last_sequence() || !after.ended) {
        findings.violation("4.3.3.4", None, "the playlist went on after EXT-X-ENDLIST");
    }
}

/// Each segment by its number: its address without the query string, which may hold a token that
/// changes, and the discontinuities before it.
fn numbered(playlist: &MediaPlaylist) -> BTreeMap<u64, (&str, u64)> {
    let mut discontinuities = playlist.discontinuity_sequence.0;
    let segments = (0..).zip(&playlist.segments);
    segments
        .map(|(place, segment)| {
            // The header counts the tags of segments that are gone; that of the first is still there.
            discontinuities += u64::from(segment.discontinuity);
            let address = segment.uri.split('?').next().unwrap_or_default();
            (playlist.media_sequence.after(place).0, (address, discontinuities))
        })
        .collect()
}

/// "The server MUST NOT remove a Media Segment from a Playlist file without an EXT-X-ENDLIST tag if that
/// would produce a Playlist whose duration is less than three times the target duration" (section 6.2.2).
fn short(playlist: &MediaPlaylist, findings: &mut Findings) {
    let least = Micros(Micros::from(playlist.target_duration).0.saturating_mul(3));
    if !playlist.ended && playlist.media_sequence.0 > 0 && playlist.duration() < least {
        let duration = playlist.duration();
        let what =
            format!("the window has {duration} s and needs {least} s, three target durations");
        findings.violation("6.2.2", None, what);
    }
}

/// A live playlist that has not had a new segment for more than two target durations.
fn stalled(track: &Track, newest: &Version, findings: &mut Findings) {
    if newest.playlist.ended || track.role == Role::Subtitles {
        return;
    }
    let last = newest.playlist.last_sequence();
    let Some(since) = track.versions.iter().find(|it| it.playlist.last_sequence() == last) else {
        return;
    };
    let target = i64::try_from(Micros::from(newest.playlist.target_duration).as_millis());
    let waited = apart_ms(track.looked_at, since.at);
    if target.is_ok_and(|target| waited > target.saturating_mul(2)) {
        let what = format!("no new segment came for {waited} ms, more than two target durations");
        findings.advice("6.2.1", None, what);
    }
}
