//! Why a rendition takes up where it does.

use crate::cursor::{FINGERPRINTS, Former, Rendition, Track};
use crate::names::{Epoch, Extension};
use crate::session::Start;
use crate::settle::dated;
use hls::{MediaPlaylist, MediaSequence, Micros, Segment, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How many target durations from the end a live source is joined (RFC 8216 section 6.3.3).
const EDGE_TARGETS: u64 = 3;

/// For so many target durations a playlist of old is taken for a copy from a cache that lags.
const STALE_TARGETS: u64 = 3;

/// How long a playlist of old is taken for a copy from a cache that lags; after that, for a source that
/// numbers afresh.
#[must_use]
pub fn stale_patience(seen: &MediaPlaylist) -> Micros {
    Micros(Micros::from(seen.target_duration).0.saturating_mul(STALE_TARGETS))
}

/// So many segments back, or a window where that is more, may be an old copy; further back is none. A
/// source that stalled may list several at once.
const NEAR: u64 = 8;

/// How a playlist that was just seen goes with what was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It is the first: carry from here on.
    Joined(MediaSequence),
    /// It goes on, or has not changed.
    Contiguous,
    /// It goes on, but this many segments were dropped before we saw them.
    FellBehind(u64),
    /// The source numbers afresh: carry all that it lists.
    Restarted,
    /// The source numbers afresh what it listed before: carry from here on, without a break.
    Renumbered(MediaSequence),
    /// It is of another source of the same: carry from here on.
    Switched(MediaSequence),
    /// It is older than what was seen before, such as from a cache that lags: ignore it.
    Stale,
    /// The same, but nothing in it can be compared with what was seen before: it may be a source that
    /// begins anew.
    Doubtful,
}

/// What this run has seen of one numbering: tells a source that begins anew from a cache that lags, and what lies
/// between two discontinuities from what follows.
#[derive(Clone, Debug, Default)]
pub struct History {
    segments: BTreeMap<MediaSequence, (u32, Option<Timestamp>)>,
    /// The segments that follow a discontinuity: those that are listed, and the last one before them.
    breaks: BTreeSet<MediaSequence>,
}

impl History {
    /// Adds the segments of a playlist, and forgets the oldest.
    pub fn note(&mut self, playlist: &MediaPlaylist) {
        // What was dropped before it was seen may hold a discontinuity.
        let first = playlist.media_sequence;
        if self.segments.last_key_value().is_some_and(|(last, _)| first > last.after(1)) {
            self.breaks.insert(first);
        }
        for (number, segment, made) in dated(playlist) {
            self.segments.insert(number, (fingerprint(segment), made));
            if segment.discontinuity {
                self.breaks.insert(number);
            }
        }
        while self.segments.len() > REMEMBERED.max(playlist.segments.len()) {
            self.segments.pop_first();
        }
        let listed = self.stretch(first);
        self.breaks.retain(|&number| number >= listed);
    }

    /// Where what lies between two discontinuities begins, of which a segment is: zero where that was not seen.
    ///
    /// A count of discontinuities does not tell: sources that state no EXT-X-DISCONTINUITY-SEQUENCE count those that
    /// they list.
    #[must_use]
    pub fn stretch(&self, sequence: MediaSequence) -> MediaSequence {
        self.breaks.range(..=sequence).next_back().copied().unwrap_or_default()
    }

    /// Whether all that a playlist lists was seen under the same numbers, made at the same time: it is an old copy,
    /// as what a source that begins anew lists is made later.
    #[must_use]
    pub fn has_listed(&self, playlist: &MediaPlaylist) -> bool {
        let known = |(number, segment, made): (_, &Segment, Option<Timestamp>)| {
            let was_dated = matches!(self.segments.get(&number), Some((_, Some(_))));
            let same = self.knows(number, fingerprint(segment), made);
            was_dated && made.is_some() && same == Some(true)
        };
        !playlist.segments.is_empty() && dated(playlist).all(known)
    }

    /// Where another server's playlist of the same stream goes on from here, however it numbers and names: by its
    /// dates. Absent where these do not tell, or leave a hole. A run that has seen nothing so far goes by what the one
    /// before it saw.
    #[must_use]
    pub fn continued_by(
        &self,
        playlist: &MediaPlaylist,
        before: &Rendition,
    ) -> Option<MediaSequence> {
        let seen = self.segments.last_key_value();
        let newest = seen.map_or(before.made, |(_, (_, newest))| *newest)?;
        let mut later =
            dated(playlist).skip_while(|(.., made)| made.is_none_or(|it| it <= newest + SAME));
        let (number, ..) = later.next()?;
        let (.., before) = dated(playlist).take_while(|(before, ..)| *before < number).last()?;
        (before? + SAME >= newest).then_some(number)
    }

    /// Whether a segment is the one that was seen under its number, if one was.
    fn knows(&self, number: MediaSequence, print: u32, made: Option<Timestamp>) -> Option<bool> {
        let &(known, before) = self.segments.get(&number)?;
        let moved = before.zip(made).map_or(Micros(0), |(a, b)| a.max(b).since(a.min(b)));
        Some(known == print && moved < REDATED)
    }
}

/// How many segments a run remembers.
const REMEMBERED: usize = 64;

/// A segment of the same name whose date has moved by as much is another one.
const REDATED: Micros = Micros::from_secs(3);

/// What two servers make of the same moment has dates that differ by less.
const SAME: Micros = Micros::from_millis(500);

/// Says how `seen` goes with `before`, and with the `history` of this run. `watched` says that the source was looked at all the time in between.
///
/// Fingerprints tell a restart from an old copy: the same numbers with other segments are a restart.
/// Where nothing can be compared, numbers far back are one as well, as caches lag by less; nearer
/// ones are taken for an old copy at first.
#[must_use]
pub fn anchor(
    before: Option<&Rendition>,
    history: &History,
    seen: &MediaPlaylist,
    watched: bool,
    start: Start,
    now: Timestamp,
) -> Anchor {
    let Some(before) = before else { return Anchor::Joined(entry(seen, start)) };
    let anchor = follow(before.newest, &before.fingerprints, history, seen, watched);
    let anchor = match anchor {
        // After a pause the next number alone does not prove that it is the next segment.
        Anchor::Contiguous if !watched && seen.media_sequence > before.newest => Anchor::Restarted,
        // What is looked at all the time drops nothing unseen: its numbers may have jumped alone.
        Anchor::FellBehind(_) if watched => {
            let renumbered = renumbered(before.newest, &before.fingerprints, history, seen);
            renumbered.map_or(anchor, Anchor::Renumbered)
        }
        _ => anchor,
    };
    match (anchor, &before.former) {
        // What another run saw was made later.
        (Anchor::Restarted, _) if history.segments.is_empty() && is_older(seen, before) => {
            Anchor::Doubtful
        }
        // It is further on than what was left.
        (Anchor::FellBehind(_), Some(former)) if former.newest < before.newest => anchor,
        // What does not go on from here may go on from the numbering that was left: an old copy.
        (Anchor::FellBehind(_) | Anchor::Restarted | Anchor::Renumbered(_), Some(former))
            if now < former.until =>
        {
            let unknown = History::default();
            match follow(former.newest, &former.fingerprints, &unknown, seen, watched) {
                Anchor::Contiguous | Anchor::FellBehind(_) | Anchor::Stale | Anchor::Doubtful => {
                    Anchor::Stale
                }
                Anchor::Joined(_)
                | Anchor::Restarted
                | Anchor::Renumbered(_)
                | Anchor::Switched(_) => anchor,
            }
        }
        _ => anchor,
    }
}

/// When the newest segment of a playlist was made, where it is dated.
fn made(seen: &MediaPlaylist) -> Option<Timestamp> {
    dated(seen).last().and_then(|(.., made)| made)
}

/// Whether all of a playlist was made before what was carried.
fn is_older(seen: &MediaPlaylist, before: &Rendition) -> bool {
    made(seen).zip(before.made).is_some_and(|(made, carried)| made < carried)
}

/// How the first playlist of another source goes with what was carried before: its newest segments
/// follow, as those of a source that is joined.
#[must_use]
pub fn switched(seen: &MediaPlaylist) -> Anchor {
    Anchor::Switched(entry(seen, Start::LiveEdge))
}

/// How the first playlist from elsewhere goes with what was carried before: another server may number and name as it
/// likes, so that numbers tell less than dates.
#[must_use]
pub fn turned_to(
    before: Option<&Rendition>,
    history: &History,
    seen: &MediaPlaylist,
    by_numbers: Anchor,
) -> Anchor {
    let next = before.and_then(|before| history.continued_by(seen, before));
    match (next, by_numbers) {
        (Some(next), _) => Anchor::Switched(next),
        (None, Anchor::Restarted) => switched(seen),
        (None, _) => by_numbers,
    }
}

/// Says how `seen` follows a list whose newest segments had these fingerprints.
fn follow(
    newest: MediaSequence,
    fingerprints: &[u32],
    history: &History,
    seen: &MediaPlaylist,
    watched: bool,
) -> Anchor {
    let Some(last) = seen.last_sequence() else { return Anchor::Stale };
    if seen.media_sequence > newest {
        return match seen.media_sequence.since(newest.after(1)) {
            0 => Anchor::Contiguous,
            dropped => Anchor::FellBehind(dropped),
        };
    }
    let first = newest.0.saturating_sub(fingerprints.len().saturating_sub(1) as u64);
    // Looked at all the time, a source that begins anew is not as far on as it was: its clock was set.
    let is_on = watched && last >= newest;
    let compared: Vec<(MediaSequence, bool)> = dated(seen)
        .filter_map(|(number, segment, made)| {
            let (print, made) = (fingerprint(segment), made.filter(|_| !is_on));
            let same = history.knows(number, print, made).or_else(|| {
                let index = usize::try_from(number.0.checked_sub(first)?).ok()?;
                Some(*fingerprints.get(index)? == print)
            });
            Some((number, same?))
        })
        .collect();
    let near = newest.since(last) <= (seen.segments.len() as u64).max(NEAR);
    // The last name alone, where it is not known, may be half of one, of a playlist that was cut off.
    let tells = compared != [(last, false)] || fingerprints.len() == 1;
    let is_known = compared.iter().any(|&(_, same)| same);
    let same = if compared.is_empty() || !tells { near } else { is_known };
    match (same, last < newest) {
        (true, true) if compared.is_empty() || !tells => Anchor::Doubtful,
        (true, true) => Anchor::Stale,
        (true, false) => Anchor::Contiguous,
        (false, _) => renumbered(newest, fingerprints, history, seen)
            .map_or(Anchor::Restarted, Anchor::Renumbered),
    }
}

/// The first segment to carry of a source that is joined.
fn entry(seen: &MediaPlaylist, start: Start) -> MediaSequence {
    let whole = match start {
        Start::Window => true,
        Start::LiveEdge => seen.ended,
    };
    if whole {
        return seen.media_sequence;
    }
    let edge = Micros(Micros::from(seen.target_duration).0.saturating_mul(EDGE_TARGETS));
    let mut length = Micros::default();
    let newest = seen.segments.iter().rev().take_while(|segment| {
        let wanted = length < edge;
        length += segment.duration;
        wanted
    });
    let skipped = seen.segments.len() - newest.count();
    seen.media_sequence.after(skipped as u64)
}

/// Where to go on in a list that holds the remembered segments, up to `newest`, under other numbers.
///
/// Two in a row must match, and all that is listed before them: a single name may well come again. Where a slate is
/// played over and over they match in several places, and none of them tells.
fn renumbered(
    newest: MediaSequence,
    fingerprints: &[u32],
    history: &History,
    seen: &MediaPlaylist,
) -> Option<MediaSequence> {
    let [.., second, last] = fingerprints[..] else { return None };
    if second == last {
        return None;
    }
    let listed: Vec<u32> = seen.segments.iter().map(fingerprint).collect();
    let mut places = (2..=listed.len()).filter(|&end| listed[end - 2..end] == [second, last]);
    let (end, None) = (places.next()?, places.next()) else { return None };
    let mut before = listed[..end].iter().rev().zip(fingerprints.iter().rev());
    if !before.all(|(listed, known)| listed == known) {
        return None;
    }
    let (_, segment, made) = dated(seen).nth(end - 1)?;
    let same = history.knows(newest, fingerprint(segment), made);
    (same != Some(false)).then(|| seen.media_sequence.after(end as u64))
}

/// The segment that `playlist` lists under `sequence`.
#[must_use]
pub fn segment(playlist: &MediaPlaylist, sequence: MediaSequence) -> Option<&Segment> {
    let index = sequence.0.checked_sub(playlist.media_sequence.0)?;
    playlist.segments.get(usize::try_from(index).ok()?)
}

/// Tells segments apart: of the last part of the path and the duration.
///
/// What comes before may hold a server or a session, what comes after a token: both change while the
/// segment stays the same.
fn fingerprint(segment: &Segment) -> u32 {
    let path = segment.uri.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.split(';').next().unwrap_or_default();
    let name = name.split_inclusive('_').filter(|part| !is_session(part));
    // Ranges of one file have one name.
    let offset = segment.byte_range.and_then(|range| range.offset);
    let offset = offset.map(u64::to_be_bytes).into_iter().flatten();
    hash(name.flat_map(str::bytes).chain(segment.duration.0.to_be_bytes()).chain(offset))
}

/// Whether part of a name is the session that Wowza Streaming Engine makes for each reader: `media_w1629_12.ts`.
fn is_session(part: &str) -> bool {
    let number = part.strip_prefix('w').and_then(|part| part.strip_suffix('_'));
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// FNV-1a, 32 bits: stored, so it must be the same in every build.
pub(crate) fn hash(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The mark of a rendition whose source numbers afresh.
///
/// What it listed under the old numbers and an endpoint still lacks is lost there.
fn afresh(
    before: &Rendition,
    entry: MediaSequence,
    continues: Option<MediaSequence>,
    until: Timestamp,
) -> Rendition {
    let former = Some(left(before, until));
    let mut next =
        Rendition { epoch: before.epoch.next(), entry, continues, former, ..before.clone() };
    for (track, old) in next.tracks.iter_mut().zip(&before.tracks) {
        let lacking = before.newest.after(1).since(before.wanted_from(old));
        if lacking > 0 {
            track.missed += lacking;
            track.jumps += 1;
        }
    }
    next
}

/// What the source listed until now, and may list once more until then, in an old copy.
fn left(before: &Rendition, until: Timestamp) -> Former {
    Former { newest: before.newest, fingerprints: before.fingerprints.clone(), until }
}

/// The rendition's mark after `seen`, before anything of it has landed.
#[must_use]
pub fn take_up(
    before: Option<&Rendition>,
    seen: &MediaPlaylist,
    anchor: Anchor,
    first_epoch: Epoch,
    endpoints: usize,
    now: Timestamp,
) -> Option<Rendition> {
    let patience = now + stale_patience(seen);
    let mut next = match (before, anchor) {
        (_, Anchor::Stale) => return before.cloned(),
        // Whoever looks next must know for how long: no run may remember it.
        (_, Anchor::Doubtful) => {
            let since = before?.doubted.unwrap_or(now);
            return before.map(|before| Rendition { doubted: Some(since), ..before.clone() });
        }
        (None, Anchor::Joined(entry)) => Rendition {
            epoch: first_epoch,
            entry,
            continues: None,
            source: 0,
            place: None,
            alike: None,
            unlisted: false,
            former: None,
            doubted: None,
            newest: entry,
            made: None,
            fingerprints: Vec::new(),
            target_duration: seen.target_duration,
            extension: Extension::default(),
            tracks: vec![Track::default(); endpoints],
            parts: Vec::new(),
            gaps: Vec::new(),
            kept: Vec::new(),
        },
        (Some(before), Anchor::Restarted) => afresh(before, seen.media_sequence, None, patience),
        (Some(before), Anchor::Switched(entry)) => {
            Rendition { former: None, ..afresh(before, entry, None, patience) }
        }
        (Some(before), Anchor::Renumbered(entry)) => {
            afresh(before, entry, Some(before.newest), patience)
        }
        // What it lists has nothing in common with what it listed before, as with another numbering.
        (Some(before), Anchor::FellBehind(_)) => {
            Rendition { former: Some(left(before, patience)), ..before.clone() }
        }
        (Some(before), Anchor::Contiguous | Anchor::Joined(_)) => before.clone(),
        (None, _) => return None,
    };
    next.former = next.former.filter(|former| now < former.until);
    next.doubted = None;
    next.newest = seen.last_sequence()?;
    next.made = made(seen);
    let newest = &seen.segments[seen.segments.len().saturating_sub(FINGERPRINTS)..];
    next.fingerprints = newest.iter().map(fingerprint).collect();
    next.target_duration = next.target_duration.max(seen.target_duration);
    if let Some(segment) = seen.segments.last() {
        next.extension = Extension::of(segment);
    }
    Some(next)
}
