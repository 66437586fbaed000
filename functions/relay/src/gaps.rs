//! Segments that were passed as gaps (RFC 8216bis section 4.4.4.7): nothing is stored for them.
//!
//! A source may fill a gap later. Where it is listed already it stays one: its file is not there, and numbers at the
//! output have gone on.

use crate::cursor::{Gaps, Rendition, Track};
use crate::names::Epoch;
use hls::{MediaPlaylist, MediaSequence};

/// Notes that a segment was passed as a gap.
pub(crate) fn note(gaps: &mut Vec<Gaps>, epoch: Epoch, sequence: MediaSequence) {
    if gaps.iter().any(|gaps| gaps.has(epoch, sequence)) {
        return;
    }
    match gaps.last_mut() {
        Some(last) if last.epoch == epoch && last.to.after(1) == sequence => last.to = sequence,
        Some(_) | None => gaps.push(Gaps { epoch, from: sequence, to: sequence }),
    }
}

/// Forgets gaps that no endpoint can list any more.
pub(crate) fn forget(gaps: &mut Vec<Gaps>, tracks: &[Track]) {
    gaps.retain(|it| tracks.iter().any(|track| track.number(it.epoch, it.to).is_some()));
}

/// Makes gaps of the segments that were passed as such.
pub(crate) fn restore(mark: &Rendition, seen: &mut MediaPlaylist) {
    let filled = seen.segments.iter_mut().zip(seen.media_sequence.0..);
    for (segment, number) in filled.filter(|(segment, _)| !segment.gap) {
        if mark.gaps.iter().any(|gaps| gaps.has(mark.epoch, MediaSequence(number))) {
            segment.gap = true;
            let at = segment.lines.iter().position(|line| line.starts_with("#EXTINF"));
            segment.lines.insert(at.unwrap_or(segment.lines.len()), "#EXT-X-GAP".to_owned());
        }
    }
}
