//! What a live source lists, made ready to be played between programmes.

use crate::asset::{Asset, Segment, State, Track};
use crate::flaw::Flaw;
use crate::index::{dates, kinds, track};
use crate::ladder::{Kind, Ladder};
use crate::lines::Base;
use crate::mapping::{self, Tracks};
use hls::{MediaPlaylist, Micros, MultivariantPlaylist, Seconds};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// By how much renditions of a live source may disagree about the same moment.
const TOLERANCE: u64 = 250_000;

/// When a piece begins by its own clock: renditions may begin before its first variant does.
const BEGIN: Micros = Micros::from_secs(60);

/// How far the reading of a live source has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The number that comes next in each of its playlists that plays.
    next: Vec<u64>,
    /// The address of the last segment of the first, without its query string: another one there means another stream.
    last: String,
}

/// Some segments of a live source that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub(crate) index: Asset,
    pub(crate) tracks: Tracks,
    pub(crate) cursor: Cursor,
    /// Whether it follows the piece before without a discontinuity.
    pub(crate) continues: bool,
    /// Whether the source has ended with it.
    pub ended: bool,
}

/// What a live source lists at a moment, as far as a channel plays it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The first is a variant: pieces are cut by it.
    windows: Vec<Window>,
    tracks: Tracks,
}

/// What one of its playlists lists.
#[derive(Clone, Debug)]
struct Window {
    is_variant: bool,
    track: Track,
    sequence: u64,
    /// When each segment begins, by the source's clock.
    times: Vec<u64>,
    /// Whether the first segment states a discontinuity.
    flagged: bool,
    ended: bool,
}

impl Source {
    /// Reads what a live source lists: its multivariant playlist and, by their addresses, its media playlists.
    ///
    /// # Errors
    /// Every reason why a channel of that ladder cannot play it.
    pub fn read(
        base: &str,
        multivariant: &MultivariantPlaylist,
        media: &BTreeMap<String, MediaPlaylist>,
        ladder: &Ladder,
        target: Seconds,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let Some(base) = Base::new(base) else { return Err(vec![Flaw::Base]) };
        let mut tracks = Vec::new();
        for (playlist, kind) in kinds(multivariant, &mut flaws) {
            match media.get(playlist).map(|read| (read, track(&base, playlist, read))) {
                Some((read, Ok((container, track)))) if !read.segments.is_empty() => {
                    tracks.push((kind, container, track));
                }
                Some((_, Ok(_))) => flaws.push(Flaw::Empty { playlist: playlist.to_owned() }),
                Some((_, Err(flaw))) => flaws.push(flaw),
                None => flaws.push(Flaw::Missing { playlist: playlist.to_owned() }),
            }
        }
        if tracks.is_empty() {
            flaws.push(Flaw::NoVariant);
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        tracks.sort_by(|a, b| a.0.cmp(&b.0));
        let whole = Asset {
            ladder: Ladder::of(multivariant, &tracks),
            tracks: tracks.iter().map(|(_, _, track)| track.clone()).collect(),
        };
        let chosen = mapping::tracks(ladder, target, &whole)?;
        let used: Vec<usize> =
            (0..tracks.len()).filter(|place| chosen.contains(&Some(*place))).collect();
        let of = |place: usize| used.iter().position(|it| *it == place);
        let windows = used
            .iter()
            .filter_map(|place| tracks.get(*place))
            .map(|(kind, _, track)| Window::new(kind, track.clone(), media.get(&track.playlist)?));
        let mut source = Self {
            windows: windows.flatten().collect(),
            tracks: chosen.into_iter().map(|track| track.and_then(of)).collect(),
        };
        source.align(media).map_err(|flaw| vec![flaw])?;
        Ok(source)
    }

    /// The longest segment of the first variant.
    #[must_use]
    pub fn longest(&self) -> Micros {
        let lengths = self
            .windows
            .first()
            .into_iter()
            .flat_map(|window| (0..window.times.len()).map(|place| window.length(place)));
        lengths.max().unwrap_or_default()
    }

    /// Whether nothing will be added to it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.windows.iter().all(|it| it.ended)
    }

    /// What is to be played next, after a cursor; absent where there is nothing yet.
    ///
    /// Behind a hole it waits for three of the longest segments, and one of each rendition, and takes the newest:
    /// live is to be live, and not to have the next hole at once.
    ///
    /// # Errors
    /// When the variants do not have the same segments.
    pub fn next(&self, after: Option<&Cursor>, is_hole: bool) -> Result<Option<Piece>, Flaw> {
        let Some(lead) = self.windows.first() else { return Ok(None) };
        if after.is_some_and(|cursor| lead.lags(cursor)) {
            return Ok(None);
        }
        // What plays in one rendition must be there in all.
        let ends = self.windows.iter().filter(|it| !it.ended).map(Window::end);
        let until = ends.min().unwrap_or(u64::MAX).saturating_add(TOLERANCE);
        let there = (0..lead.times.len()).take_while(|it| lead.time(it + 1) <= until).count();
        let known = after.and_then(|cursor| lead.place_of(cursor));
        let cursor = after.filter(|_| known.is_some());
        let due = |place: usize| cursor.and_then(|cursor| cursor.next.get(place)).copied();
        let ended = there == lead.times.len() && self.has_ended();
        let from = match known {
            Some(place) if !is_hole => place,
            Some(_) | None => {
                let oldest = known.unwrap_or(0);
                let wanted = Micros(self.longest().0.saturating_mul(3));
                let enough = |from: &usize| {
                    let run = *from..there;
                    let mut parts = self.windows.iter().zip(0..);
                    lead.between(&run) >= wanted
                        && parts
                            .all(|(it, place)| !it.during(lead, &run, due(place), false).is_empty())
                };
                match (oldest..there).rev().find(enough) {
                    Some(from) => from,
                    None if ended => oldest,
                    None => return Ok(None),
                }
            }
        };
        // A discontinuity is between two pieces: all renditions have it there.
        let there = (from + 1..there).find(|place| lead.is_flagged(*place)).unwrap_or(there);
        if from >= there {
            return Ok(None);
        }
        let goes_on = known == Some(from) && !is_hole;
        let run = from..there;
        let continues = goes_on && !lead.is_flagged(from);
        let mut tracks = Vec::new();
        let mut next = Vec::new();
        for (place, window) in self.windows.iter().enumerate() {
            let part = window.during(lead, &run, due(place), goes_on);
            if window.is_variant && part.len() != run.len() {
                return Err(Flaw::Count {
                    playlist: window.track.playlist.clone(),
                    segments: part.len(),
                    like: lead.track.playlist.clone(),
                    expected: run.len(),
                });
            }
            if part.is_empty() && !continues {
                // What a discontinuity begins with must be there in all renditions.
                return Ok(None);
            }
            next.push(window.sequence + part.end as u64);
            tracks.push(window.part(lead, &run, part));
        }
        let last = address(&lead.track, there - 1).unwrap_or_default().to_owned();
        Ok(Some(Piece {
            index: Asset { ladder: Ladder::default(), tracks },
            tracks: self.tracks.clone(),
            cursor: Cursor { next, last },
            continues,
            ended: ended && there == lead.times.len(),
        }))
    }

    /// Puts all playlists on one clock: by their dates, or else by their numbers.
    fn align(&mut self, media: &BTreeMap<String, MediaPlaylist>) -> Result<(), Flaw> {
        let dated = self.windows.iter().map(|it| dates(media.get(&it.track.playlist)?));
        if let Some(all) = dated.collect::<Option<Vec<Vec<u64>>>>() {
            for (window, times) in self.windows.iter_mut().zip(all) {
                window.times = times;
            }
            return Ok(());
        }
        let Some((lead, others)) = self.windows.split_first_mut() else { return Ok(()) };
        for window in others {
            let common = lead.sequence.max(window.sequence);
            let place = |of: &Window| usize::try_from(common - of.sequence).ok();
            let of = |of: &Window| place(of).and_then(|place| of.times.get(place).copied());
            let (Some(there), Some(here)) = (of(lead), of(window)) else {
                let (playlist, like) = (window.track.playlist.clone(), lead.track.playlist.clone());
                return Err(Flaw::Apart { playlist, like });
            };
            for time in &mut window.times {
                *time = time.saturating_add(there).saturating_sub(here);
            }
        }
        Ok(())
    }
}

impl Cursor {
    /// Whether it stands behind a piece, and behind no other.
    pub(crate) fn is_behind(&self, piece: &Asset) -> bool {
        let count = piece.segments();
        count.checked_sub(1).and_then(|last| address(piece.lead(), last)) == Some(&self.last)
    }
}

/// The address of a segment, without its query string.
fn address(track: &Track, place: usize) -> Option<&str> {
    track.address(place)?.split('?').next()
}

impl Window {
    fn new(kind: &Kind, track: Track, read: &MediaPlaylist) -> Option<Self> {
        let origin = BEGIN.0.saturating_mul(1_000_000);
        Some(Self {
            is_variant: matches!(kind, Kind::Variant { .. }),
            sequence: read.media_sequence.0,
            times: (0..track.segments.len()).map(|it| origin + track.start(it).0).collect(),
            flagged: read.segments.first()?.discontinuity,
            ended: read.ended,
            track,
        })
    }

    fn length(&self, place: usize) -> Micros {
        self.track.start(place + 1) - self.track.start(place)
    }

    fn between(&self, run: &Range<usize>) -> Micros {
        self.track.start(run.end) - self.track.start(run.start)
    }

    /// When a segment begins, or the last one ends.
    fn time(&self, place: usize) -> u64 {
        match (self.times.get(place), place.checked_sub(1)) {
            (Some(time), _) => *time,
            (None, Some(before)) => self.time(before).saturating_add(self.length(before).0),
            (None, None) => 0,
        }
    }

    fn end(&self) -> u64 {
        self.time(self.times.len())
    }

    fn is_flagged(&self, place: usize) -> bool {
        match place.checked_sub(1) {
            Some(before) => self.track.discontinuities(before) != self.track.discontinuities(place),
            None => self.flagged,
        }
    }

    /// Where a cursor points to; absent where that is not listed, or is of another stream.
    fn place_of(&self, cursor: &Cursor) -> Option<usize> {
        let place = usize::try_from(cursor.next.first()?.checked_sub(self.sequence)?).ok()?;
        let before = place.checked_sub(1);
        let same = before.is_none_or(|before| address(&self.track, before) == Some(&cursor.last));
        (place <= self.times.len() && same).then_some(place)
    }

    /// Whether it is what was listed before a cursor came to where it is, as a cache may give it out: it ends before
    /// that, and by less than it lists. A source that begins anew has other numbers.
    fn lags(&self, cursor: &Cursor) -> bool {
        let count = self.times.len() as u64;
        let end = self.sequence.saturating_add(count);
        cursor.next.first().is_some_and(|next| (1..count).contains(&next.saturating_sub(end)))
    }

    /// The segments that begin in a run of those of the first variant. `due` is the number of the first, or of the
    /// first that has not been played.
    fn during(
        &self,
        lead: &Self,
        run: &Range<usize>,
        due: Option<u64>,
        goes_on: bool,
    ) -> Range<usize> {
        let before =
            |time: u64| self.times.partition_point(|it| it.saturating_add(TOLERANCE) < time);
        let due = due.and_then(|due| usize::try_from(due.checked_sub(self.sequence)?).ok());
        let begin = match due {
            Some(due) if goes_on => due,
            due => before(lead.time(run.start)).max(due.unwrap_or(0)),
        };
        let begin = begin.min(self.times.len());
        begin..before(lead.time(run.end)).max(begin)
    }

    /// Some of its segments, as a track that begins when a run of those of the first variant does.
    fn part(&self, lead: &Self, run: &Range<usize>, part: Range<usize>) -> Track {
        let begin = if self.is_variant {
            BEGIN.0
        } else {
            (BEGIN.0 + self.time(part.start)).saturating_sub(lead.time(run.start))
        };
        let (mut states, mut end): (Vec<State>, _) = (Vec::new(), Micros(begin));
        let mut segments = Vec::new();
        for place in part {
            let Some(segment) = self.track.segments.get(place) else { continue };
            let state = self.track.states.get(segment.state).cloned().unwrap_or_default();
            if states.last() != Some(&state) {
                states.push(state);
            }
            end += self.length(place);
            segments.push(Segment {
                end,
                discontinuities: 0,
                state: states.len() - 1,
                text: segment.text.clone(),
            });
        }
        Track { playlist: self.track.playlist.clone(), begin: Micros(begin), states, segments }
    }
}
