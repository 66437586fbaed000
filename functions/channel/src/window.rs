//! What one playlist of a live source lists, and how far it was read.

use crate::asset::{Segment, State, Track};
use crate::ladder::Kind;
use hls::{MediaPlaylist, Micros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// By how much renditions of a live source may disagree about the same moment.
pub(crate) const TOLERANCE: u64 = 250_000;

/// When a piece begins by its own clock: renditions may begin before its first variant does.
const BEGIN: Micros = Micros::from_secs(60);

/// How far one playlist of a live source has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) of: Name,
    /// The number that comes next.
    pub(crate) next: u64,
    /// When that begins, by the source's clock.
    pub(crate) at: u64,
    /// The address of the segment before it, without its query string.
    pub(crate) last: String,
}

/// What a playlist is, whatever its address: the which of those that are said to be the same.
pub(crate) type Name = (Kind, usize);

/// What one of its playlists lists.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) of: Name,
    pub(crate) track: Track,
    pub(crate) target: Micros,
    pub(crate) sequence: u64,
    /// When each segment begins, by the source's clock.
    pub(crate) times: Vec<u64>,
    /// Whether the first segment states a discontinuity.
    pub(crate) flagged: bool,
    pub(crate) ended: bool,
}

impl Window {
    pub(crate) fn new(of: Name, track: Track, read: &MediaPlaylist) -> Option<Self> {
        let origin = BEGIN.0.saturating_mul(1_000_000);
        Some(Self {
            of,
            target: Micros::from(read.target_duration),
            sequence: read.media_sequence.0,
            times: (0..track.segments.len()).map(|it| origin + track.start(it).0).collect(),
            flagged: read.segments.first()?.discontinuity,
            ended: read.ended,
            track,
        })
    }

    pub(crate) fn is_variant(&self) -> bool {
        matches!(self.of.0, Kind::Variant { .. })
    }

    pub(crate) fn length(&self, place: usize) -> Micros {
        self.track.start(place + 1) - self.track.start(place)
    }

    pub(crate) fn between(&self, run: &Range<usize>) -> Micros {
        self.track.start(run.end) - self.track.start(run.start)
    }

    /// When a segment begins, or the last one ends.
    pub(crate) fn time(&self, place: usize) -> u64 {
        match (self.times.get(place), place.checked_sub(1)) {
            (Some(time), _) => *time,
            (None, Some(before)) => self.time(before).saturating_add(self.length(before).0),
            (None, None) => 0,
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.time(self.times.len())
    }

    pub(crate) fn is_flagged(&self, place: usize) -> bool {
        match place.checked_sub(1) {
            Some(before) => self.track.discontinuities(before) != self.track.discontinuities(place),
            None => self.flagged,
        }
    }

    /// Where a mark is; absent where that is not listed, or is of another stream.
    pub(crate) fn place_of(&self, mark: &Mark) -> Option<usize> {
        let place = usize::try_from(mark.next.checked_sub(self.sequence)?).ok()?;
        let before = place.checked_sub(1);
        let same = before.is_none_or(|before| address(&self.track, before) == Some(&mark.last));
        (place <= self.times.len() && same).then_some(place)
    }

    /// What begins at a time, or is to begin; absent where that is not listed.
    pub(crate) fn place_at(&self, time: u64) -> Option<usize> {
        let place = self.times.partition_point(|it| it.saturating_add(TOLERANCE) < time);
        (self.time(place).abs_diff(time) <= TOLERANCE).then_some(place)
    }

    pub(crate) fn mark(&self, place: usize) -> Mark {
        let before = place.checked_sub(1).and_then(|before| address(&self.track, before));
        Mark {
            of: self.of.clone(),
            next: self.sequence.saturating_add(place as u64),
            at: self.time(place),
            last: before.unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn shift(&mut self, from: u64, to: u64) {
        for time in &mut self.times {
            *time = time.saturating_add(to).saturating_sub(from);
        }
    }

    /// Times of it and of another that are the same: their ends, as what is live ends now in both; or those of a number
    /// that both have, where that says the same within a segment, and of all other numbers too. Nothing makes
    /// numbers the same in all renditions (RFC 8216 section 6.3).
    pub(crate) fn beside(&self, like: &Self) -> (u64, u64) {
        let ends = (self.end(), like.end());
        let last = |of: &Self| of.sequence.saturating_add(of.times.len() as u64);
        let (begin, end) = (self.sequence.max(like.sequence), last(self).min(last(like)));
        let at = |of: &Self, number: u64| {
            usize::try_from(number - of.sequence).map_or(0, |place| of.time(place))
        };
        if begin >= end {
            return ends;
        }
        let apart = |number| {
            let (one, other) = (at(self, number), at(like, number));
            one.saturating_add(ends.1).abs_diff(other.saturating_add(ends.0))
        };
        let (first, last) = (apart(begin), apart(end));
        let longest = self.target.max(like.target).0.saturating_add(TOLERANCE);
        let is_alike = first.abs_diff(last) <= TOLERANCE && first.max(last) <= longest;
        if is_alike { (at(self, end), at(like, end)) } else { ends }
    }

    /// Whether it is what was listed before a mark came to where it is, as a cache may give it out: it ends before
    /// that, and by less than it lists. A source that begins anew has other numbers.
    pub(crate) fn lags(&self, mark: &Mark) -> bool {
        let count = self.times.len() as u64;
        let end = self.sequence.saturating_add(count);
        (1..count).contains(&mark.next.saturating_sub(end))
    }

    /// The segments that begin in a run of those of the first variant. `due` is the number of the first, or of the
    /// first that has not been played.
    pub(crate) fn during(
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
    pub(crate) fn part(&self, lead: &Self, run: &Range<usize>, part: Range<usize>) -> Track {
        let begin = if self.is_variant() {
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

/// What each playlist is, whatever its address.
pub(crate) fn names<'a>(all: impl Iterator<Item = (&'a str, &'a Kind)>) -> BTreeMap<&'a str, Name> {
    let mut count: BTreeMap<&Kind, usize> = BTreeMap::new();
    all.map(|(playlist, kind)| {
        let nth = count.entry(kind).or_insert(0);
        *nth += 1;
        (playlist, (kind.clone(), *nth))
    })
    .collect()
}

/// The address of a segment, without its query string.
pub(crate) fn address(track: &Track, place: usize) -> Option<&str> {
    track.address(place)?.split('?').next()
}
