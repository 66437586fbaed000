//! Moves a rendition past what landed.

use crate::cursor::{Gaps, Kept, Parts, Rendition, Stretch, Track};
use crate::gaps;
use crate::names::{Epoch, Extension};
use crate::parts::{Along, Keys, PartId};
use crate::plan::Key;
use crate::ranges::{gather, is_range, ranges};
use crate::render::{Row, rows};
use hls::{DiscontinuitySequence, MediaPlaylist, MediaSequence, Micros, Segment, Timestamp};

/// What became of one segment at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored, whole.
    Landed,
    /// The source says that there is no such segment.
    Gone,
    /// Neither, so far.
    Waiting,
}

/// What playlists may list that are stored at an endpoint, in its numbers; absent where none can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The newest that the run before may have given, which it usually has.
    pub taken_over: Option<MediaSequence>,
    /// The newest that any run may have given.
    pub newest: Option<MediaSequence>,
}

/// What is known of an endpoint beside what it has of one rendition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// What its playlists of that rendition may list.
    pub offered: Offered,
    /// How many more discontinuities than the source states another rendition has there; of several, the most.
    pub marks: i64,
    /// The same as the source numbers them now, for a rendition that begins.
    pub ahead: u64,
}

/// How an output wants its playlists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How much its playlists list; absent: what the source lists.
    pub window: Option<Micros>,
    /// Whether what left the window is to be deleted.
    pub deletes: bool,
    /// How keys reach it.
    pub keys: Keys,
}

/// The mark of a rendition after what landed.
///
/// Each endpoint moves up to its first segment that waits and no further, so a playlist never lists a
/// segment that the endpoint does not have. `fate` is asked for segments of the current epoch, `along` for
/// what those that landed have beside themselves, `beside` for what else is known of an endpoint.
///
/// What begins at the same time has the same discontinuity sequence number in each rendition (RFC 8216 section
/// 6.2.4), so a discontinuity that the source does not state comes into all of them.
#[must_use]
pub fn settle(
    mut next: Rendition,
    seen: &MediaPlaylist,
    style: Style,
    fate: impl Fn(usize, MediaSequence) -> Fate,
    along: impl Fn(MediaSequence) -> Option<Along>,
    beside: impl Fn(usize) -> Beside,
) -> Rendition {
    let wanted = next.tracks.iter().map(|track| next.wanted_from(track)).min();
    let wanted = wanted.unwrap_or(next.entry);
    let (mut tracks, mut gaps) = (std::mem::take(&mut next.tracks), std::mem::take(&mut next.gaps));
    for (endpoint, track) in tracks.iter_mut().enumerate() {
        let fate = |sequence| fate(endpoint, sequence);
        extend(track, &mut gaps, &next, seen, style.deletes, &beside(endpoint), fate);
    }
    let landed = tracks.iter().filter_map(|track| track.landed(next.epoch)).max();
    if let Some(landed) = landed {
        // Numbers may jump by any distance: only what is listed can have landed.
        let new = (wanted.max(seen.media_sequence).0..=landed.0).map(MediaSequence);
        let of = |sequence| {
            let new = if is_held(&tracks, next.epoch, sequence) { along(sequence) } else { None };
            Some((sequence, new.or_else(|| next.along(next.epoch, sequence).cloned())?))
        };
        let new: Vec<_> = new.filter_map(of).collect();
        note(&mut next, new);
    }
    if let Some(window) = style.window {
        keep(&mut next, &tracks, (seen, wanted), window, style);
    }
    let rows = rows(&next, seen, style);
    for (endpoint, track) in tracks.iter_mut().enumerate() {
        if let Some(head) = rows.first() {
            trim(track, (head.epoch, head.sequence), style.deletes);
        }
        own_up(track, &rows, beside(endpoint).offered, style.deletes);
        if style.deletes {
            let listed = rows.iter().filter(|row| track.number(row.epoch, row.sequence).is_some());
            let lasts = listed.fold(Micros::default(), |sum, row| sum + row.duration);
            track.longest = lasts.max(track.longest);
        }
    }
    let head = rows.first().map(|head| (head.epoch, head.sequence));
    drop(rows);
    forget(&mut next.parts, head, &tracks);
    gaps::forget(&mut gaps, &tracks);
    (next.tracks, next.gaps) = (tracks, gaps);
    next
}

/// Whether an endpoint has a segment that it may list.
fn is_held(tracks: &[Track], epoch: Epoch, sequence: MediaSequence) -> bool {
    tracks.iter().any(|track| track.number(epoch, sequence).is_some())
}

/// Notes what segments up to the newest that landed have beside themselves, where it is not what the one before has. One
/// that others left out may land behind them.
fn note(next: &mut Rendition, new: Vec<(MediaSequence, Along)>) {
    let Some((first, _)) = new.first() else { return };
    next.parts.retain(|parts| (parts.epoch, parts.from) < (next.epoch, *first));
    for (from, along) in new {
        let known = next.along(next.epoch, from);
        if known.map_or(along != Along::default(), |known| *known != along) {
            next.parts.push(Parts { epoch: next.epoch, from, along });
        }
    }
}

/// Forgets what only segments before the first that can be listed have, unless it is all that an endpoint has:
/// the playlist there may list it still.
fn forget(parts: &mut Vec<Parts>, head: Option<(Epoch, MediaSequence)>, tracks: &[Track]) {
    let Some(head) = head else { return };
    let ends = parts.iter().skip(1).map(|next| Some((next.epoch, next.from)));
    let mut ends = ends.chain([None]).collect::<Vec<_>>().into_iter();
    let stretches = || tracks.iter().flat_map(|track| &track.stretches);
    parts.retain(|parts| {
        let begin = (parts.epoch, parts.from);
        let end = ends.next().flatten();
        let within =
            |end| stretches().any(|it| (it.epoch, it.to) >= begin && (it.epoch, it.from) < end);
        end.is_none_or(|end| end > head || within(end))
    });
    if parts.iter().all(|parts| parts.along == Along::default()) {
        parts.clear();
    }
}

/// Moves one endpoint up to its first segment that waits.
fn extend(
    track: &mut Track,
    gaps: &mut Vec<Gaps>,
    rendition: &Rendition,
    seen: &MediaPlaylist,
    deletes: bool,
    beside: &Beside,
    fate: impl Fn(MediaSequence) -> Fate,
) {
    let first = rendition.wanted_from(track);
    for (sequence, segment) in segments_from(seen, first) {
        match (fate(sequence), segment.gap) {
            // A gap is listed, and there is nothing to store.
            (Fate::Gone | Fate::Waiting, true) => gaps::note(gaps, rendition.epoch, sequence),
            (Fate::Landed, _) => {}
            (Fate::Gone, false) => continue,
            (Fate::Waiting, false) => break,
        }
        append(track, rendition, seen, deletes, beside, (sequence, segment));
    }
}

/// The segments that `playlist` lists from `first` on, with their numbers.
pub(crate) fn segments_from(
    playlist: &MediaPlaylist,
    first: MediaSequence,
) -> impl Iterator<Item = (MediaSequence, &Segment)> {
    let skipped = usize::try_from(first.since(playlist.media_sequence)).unwrap_or(usize::MAX);
    let segments = playlist.segments.get(skipped..).unwrap_or_default();
    (first.max(playlist.media_sequence).0..).map(MediaSequence).zip(segments)
}

/// Takes one segment into a track: into its last stretch where it follows on, else into a new one.
fn append(
    track: &mut Track,
    rendition: &Rendition,
    seen: &MediaPlaylist,
    deletes: bool,
    beside: &Beside,
    (sequence, segment): (MediaSequence, &Segment),
) {
    let epoch = rendition.epoch;
    let broken = std::mem::take(&mut track.broken);
    let behind = track.marks < beside.marks && !segment.discontinuity;
    let cut = broken || behind;
    let (out, continues, from) = match track.stretches.last_mut() {
        Some(last) if last.epoch == epoch && last.to.after(1) == sequence && !cut => {
            last.to = sequence;
            track.discontinuities.0 += u64::from(segment.discontinuity);
            return;
        }
        Some(last) if last.epoch == epoch => (last.last_out().after(1), false, last.to.after(1)),
        Some(last) => {
            let follows = rendition.continues == Some(last.to) && sequence == rendition.entry;
            (last.last_out().after(1), follows && !cut, rendition.entry)
        }
        None => {
            track.discontinuities = discontinuities_before(seen, sequence);
            track.discontinuities.0 += beside.ahead;
            track.marks = beside.marks;
            track.given = sequence.0.checked_sub(1).map(MediaSequence);
            // Nothing comes before it.
            (sequence, true, rendition.entry)
        }
    };
    let dropped = sequence.since(from);
    if track.last().is_some() {
        track.marks -= stated_in(seen, from, sequence, track);
    }
    if broken {
        // Nothing of what could not be listed may be listed later.
        track.past = track.last().map(|last| (last.epoch, last.to.0));
        for gone in std::mem::take(&mut track.stretches) {
            leave(track, gone, deletes);
        }
    }
    if dropped > 0 {
        track.jumps += 1;
        track.missed += dropped;
    }
    let marked = !continues && !segment.discontinuity;
    track.stretches.push(Stretch { epoch, from: sequence, to: sequence, out, marked });
    track.discontinuities.0 += u64::from(marked || segment.discontinuity);
    track.marks += i64::from(marked);
}

/// How many discontinuities the source states in what a track leaves out, from one segment up to another.
fn stated_in(seen: &MediaPlaylist, from: MediaSequence, to: MediaSequence, track: &Track) -> i64 {
    let dropped = to.since(from);
    let left_out = segments_from(seen, from).take_while(|(sequence, _)| *sequence < to);
    let listed = left_out.filter(|(_, segment)| segment.discontinuity).count() as u64;
    // What is not listed any more is in the source's number, unless it does not state that, or began anew.
    let known = track.discontinuities.0.saturating_add_signed(-track.marks);
    let counted = discontinuities_before(seen, to).0.saturating_sub(known);
    let stated = if counted <= dropped { counted.max(listed) } else { listed };
    i64::try_from(stated).unwrap_or(i64::MAX)
}

/// How many discontinuities the source counts before a segment.
fn discontinuities_before(seen: &MediaPlaylist, sequence: MediaSequence) -> DiscontinuitySequence {
    let before = usize::try_from(sequence.since(seen.media_sequence)).unwrap_or(usize::MAX);
    let listed = seen.segments.iter().take(before).filter(|s| s.discontinuity).count();
    DiscontinuitySequence(seen.discontinuity_sequence.0 + listed as u64)
}

/// How many discontinuities the source counts up to a segment, its own included.
pub(crate) fn discontinuities_until(
    seen: &MediaPlaylist,
    sequence: MediaSequence,
) -> DiscontinuitySequence {
    discontinuities_before(seen, sequence.after(1))
}

/// Keeps the lines of what landed anywhere, as far back as the window goes. What lands now was `wanted` from there on.
fn keep(
    next: &mut Rendition,
    tracks: &[Track],
    (seen, wanted): (&MediaPlaylist, MediaSequence),
    window: Micros,
    style: Style,
) {
    let mut between: Vec<String> = Vec::new();
    let mut came_between = false;
    let lines_of = |segment: &Segment| {
        let lines = segment.lines.iter().filter(|line| !hls::names_a_file(line));
        lines.cloned().collect::<Vec<_>>()
    };
    for (sequence, segment, made) in dated(seen).skip_while(|(sequence, ..)| *sequence < wanted) {
        let key = (next.epoch, sequence);
        let place = next.kept.partition_point(|kept| (kept.epoch, kept.sequence) < key);
        let known = next.kept.get_mut(place).filter(|kept| (kept.epoch, kept.sequence) == key);
        if let Some(known) = known {
            let between = std::mem::take(&mut between);
            if std::mem::take(&mut came_between) {
                // It had the marks of what has come now.
                known.lines = between.into_iter().chain(lines_of(segment)).collect();
            }
        } else if is_held(tracks, next.epoch, sequence) {
            let along = next.along(next.epoch, sequence).cloned().unwrap_or_default();
            let none: &[hls::AttributeList] = &[];
            let (keys, map_keys) = match (style.keys, &segment.map) {
                (Keys::Opened, _) => (none, none),
                (Keys::Carried | Keys::Left, Some(map)) => (&*segment.keys, &*map.keys),
                (Keys::Carried | Keys::Left, None) => (&*segment.keys, none),
            };
            let kept = Kept {
                epoch: next.epoch,
                sequence,
                lines: std::mem::take(&mut between).into_iter().chain(lines_of(segment)).collect(),
                keys: without_addresses(keys, &along.keys),
                map_keys: without_addresses(map_keys, &along.map_keys),
                duration: segment.duration,
                discontinuity: segment.discontinuity,
                extension: Extension::of(segment),
                program_date_time: made,
            };
            next.kept.insert(place, kept);
            came_between = true;
        } else {
            // What marks a place keeps its place when a segment is left out.
            between.extend(segment.lines.iter().filter(|line| hls::is_marker(line)).cloned());
        }
    }
    let mut length = Micros::default();
    let inside = next.kept.iter().rev().take_while(|kept| {
        let wanted = length < window;
        length += kept.duration;
        wanted
    });
    let outside = next.kept.len() - inside.count().max(LEAST_LISTED.min(next.kept.len()));
    // What the source still lists stays until it was listed by us, even in a short window.
    let unlisted = |kept: &Kept| {
        let listed = kept.epoch == next.epoch && kept.sequence >= seen.media_sequence;
        let given = |track: &Track| match track.number(kept.epoch, kept.sequence) {
            Some(number) => track.given >= Some(number),
            None => kept.sequence < next.wanted_from(track),
        };
        listed && !tracks.iter().all(given)
    };
    let droppable = next.kept.iter().take(outside).take_while(|kept| !unlisted(kept)).count();
    next.kept.drain(..droppable);
    keep_ranges(next, seen);
}

/// Keeps the date ranges that the source lists at what was kept before it listed them, and beside its segments.
fn keep_ranges(next: &mut Rendition, seen: &MediaPlaylist) {
    let key = |kept: &Kept| (kept.epoch, kept.sequence);
    let (Some(first), Some(last)) = (next.kept.first().map(key), next.kept.last().map(key)) else {
        return;
    };
    // Those that stand before the window are listed as long as the source lists them, and there may be any number
    // of them. But at its first segment a source may list all that matter.
    let matters = |key: Key| key <= last && (key >= first || key.1 == seen.media_sequence);
    let standing = ranges(seen).map(|(sequence, line)| ((next.epoch, sequence), line));
    let after = seen.trailer.iter().filter(|line| is_range(line)).map(|line| (last, line));
    let listed: Vec<(Key, &String)> =
        standing.filter(|(key, _)| matters(*key)).chain(after).collect();
    let rows = next.kept.iter_mut().map(|kept| (key(kept), &mut kept.lines));
    gather(&mut rows.collect::<Vec<_>>(), &listed);
}

/// Notes that what a source lists again whose list has begun as late as at `furthest` was not left out by us: what
/// marks a place there was given.
pub fn pass_over(mark: &mut Rendition, seen: &MediaPlaylist, furthest: MediaSequence) {
    if seen.media_sequence >= furthest {
        return;
    }
    let epoch = mark.epoch;
    for track in &mut mark.tracks {
        let begins = track.listed().iter().find(|it| it.epoch == epoch).map(|it| it.from);
        let begins = begins.or(track.landed(epoch).map(|landed| landed.after(1)));
        let before = begins.and_then(|begins| begins.min(furthest).0.checked_sub(1));
        track.past = before.map(|before| (epoch, before)).max(track.past);
    }
}

/// The attributes of keys, without the addresses of those that were stored: they may hold a secret.
fn without_addresses(keys: &[hls::AttributeList], ids: &[Option<PartId>]) -> Vec<String> {
    let text = |(index, key): (usize, &hls::AttributeList)| {
        let mut key = key.clone();
        if ids.get(index).is_some_and(Option::is_some) {
            key.remove("URI");
        }
        key.to_string()
    };
    keys.iter().enumerate().map(text).collect()
}

/// A shorter window would leave a player nothing to begin with (RFC 8216 section 6.2.2).
const LEAST_LISTED: usize = 3;

/// The segments of a playlist and when each was made, as far as its dates tell.
pub(crate) fn dated(
    seen: &MediaPlaylist,
) -> impl Iterator<Item = (MediaSequence, &Segment, Option<Timestamp>)> {
    let mut clock: Option<Timestamp> = None;
    segments_from(seen, seen.media_sequence).map(move |(sequence, segment)| {
        let stated = segment.program_date_time.as_deref().and_then(Timestamp::from_date_time);
        // A discontinuity ends what an earlier date says (RFC 8216 section 4.3.2.6).
        let made = stated.or(clock.filter(|_| !segment.discontinuity));
        clock = made.map(|made| made + segment.duration);
        (sequence, segment, made)
    })
}

/// Takes out of a track what lies before `head`, but for its last stretch.
fn trim(track: &mut Track, head: (Epoch, MediaSequence), deletes: bool) {
    track.past = track.past.filter(|&past| past >= (head.0, head.1.0));
    while let Some(first) = track.stretches.first_mut() {
        if (first.epoch, first.to) < head {
            if track.stretches.len() == 1 {
                break;
            }
            let gone = track.stretches.remove(0);
            leave(track, gone, deletes);
        } else {
            if first.epoch == head.0 && first.from < head.1 {
                let gone = Stretch { to: MediaSequence(head.1.0 - 1), ..first.clone() };
                first.out = first.out.after(head.1.since(first.from));
                first.from = head.1;
                first.marked = false;
                leave(track, gone, deletes);
            }
            break;
        }
    }
}

/// Notes what is still stored and to be deleted.
fn leave(track: &mut Track, gone: Stretch, deletes: bool) {
    if !deletes {
        return;
    }
    match track.left.last_mut() {
        Some(last) if last.epoch == gone.epoch && last.to.after(1) == gone.from => {
            last.to = gone.to
        }
        _ => track.left.push(gone),
    }
}

/// Marks what landed and can never be listed, because the source dropped it before a playlist was stored.
///
/// The mark goes to the first segment that no playlist may list yet. What one may list that is stored, nobody
/// knows whether without what came before it, is not listed again.
fn own_up(track: &mut Track, rows: &[Row<'_>], offered: Offered, deletes: bool) {
    let Some(last) = track.last().map(Stretch::last_out) else { return };
    let number = |row: &Row<'_>| track.number(row.epoch, row.sequence);
    let mut listed = rows.iter().filter_map(|row| Some((number(row)?, row))).peekable();
    let first = listed.peek().map_or(last.after(1), |(number, _)| *number);
    let due = track.given.map_or(MediaSequence(0), |given| given.after(1));
    if first.since(due) == 0 {
        return;
    }
    let doubtful =
        std::iter::from_fn(|| listed.next_if(|(number, _)| Some(*number) <= offered.newest));
    let doubtful = doubtful.last().map(|(_, row)| (row.epoch, row.sequence.0));
    let fresh = listed.next();
    let next = fresh.map_or(last.after(1), |(number, _)| number);
    track.jumps += 1;
    track.missed += next.since(offered.taken_over.map_or(due, |taken| due.max(taken.after(1))));
    track.given = next.0.checked_sub(1).map(MediaSequence);
    let Some((_, row)) = fresh else {
        track.broken = true;
        return;
    };
    trim(track, (row.epoch, row.sequence), deletes);
    track.past = doubtful.max(track.past);
    if !row.discontinuity
        && let Some(first) = track.stretches.first_mut().filter(|first| !first.marked)
    {
        first.marked = true;
        track.discontinuities.0 += 1;
        track.marks += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discontinuity_counts_from_its_own_segment_on() {
        let segment = |discontinuity| Segment { discontinuity, ..Segment::default() };
        let seen = MediaPlaylist {
            media_sequence: MediaSequence(10),
            discontinuity_sequence: DiscontinuitySequence(5),
            segments: [false, true, false, true].map(segment).to_vec(),
            ..MediaPlaylist::default()
        };
        let counts = [10, 11, 12, 13].map(|n| discontinuities_until(&seen, MediaSequence(n)).0);
        assert_eq!(counts, [5, 6, 6, 7]);
    }
}
