//! Subtitles and I-frames beside the picture: cut where it is cut, and filled up where they have nothing, so that they
//! play for exactly as long.
//!
//! A VOD may have longer ones than its picture, or shorter ones, or cut them elsewhere. A segment is listed with each
//! part of the programme that it is of: what it holds shows when the picture with its timestamps does.

use crate::asset::Track;
use hls::Micros;
use std::ops::Range;

/// What is left of a segment for no longer is not listed: nobody reads what shows for half a second.
const LEFT_OUT: Micros = Micros::from_millis(500);

/// What is listed of a track beside a run of segments of the first variant.
#[derive(Clone, Debug)]
pub(crate) struct Fitted<'a> {
    track: &'a Track,
    /// When it begins, by the time of the first variant.
    begin: Micros,
    /// Its parts, and how much is listed before each.
    spans: Vec<(usize, Span<'a>)>,
}

/// What is listed of a segment, or of nothing.
#[derive(Clone, Copy, Debug)]
struct Tile {
    /// Which segment of the track; absent: it has none.
    segment: Option<usize>,
    start: Micros,
    end: Micros,
    /// Where all of the segment would begin.
    whole: Micros,
    discontinuities: u64,
}

/// A segment of which all is listed, or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) segment: usize,
    /// How long it plays, where that is not as long as it states itself.
    pub(crate) lasting: Option<Micros>,
    /// Where all of it would begin.
    pub(crate) whole: Micros,
}

impl<'a> Fitted<'a> {
    pub(crate) fn new(track: &'a Track, lead: &'a Track, run: &Range<usize>) -> Self {
        let mut before = 0;
        let counted = |span: Span<'a>| {
            let first = before;
            before += span.len();
            (first, span)
        };
        let spans = spans(track, lead, run).map(counted).collect();
        Self { track, begin: lead.start(run.start), spans }
    }

    /// How many segments are listed.
    pub(crate) fn len(&self) -> usize {
        self.spans.last().map_or(0, |(before, span)| before + span.len())
    }

    /// When what is listed at a place begins, by the time of the first variant.
    pub(crate) fn start(&self, place: usize) -> Micros {
        let before = place.checked_sub(1).and_then(|before| self.tile(before));
        before.map_or(self.begin, |before| before.end)
    }

    /// The discontinuities of the first variant up to and with that of a place.
    pub(crate) fn discontinuities(&self, place: usize) -> u64 {
        self.tile(place).map_or(0, |tile| tile.discontinuities)
    }

    fn tile(&self, place: usize) -> Option<Tile> {
        let after = self.spans.partition_point(|(before, _)| *before <= place);
        let (before, span) = self.spans.get(after.checked_sub(1)?)?;
        Some(span.tile(place - before))
    }

    /// The segment that is listed at a place; absent: there is nothing.
    pub(crate) fn part(&self, place: usize) -> Option<Part> {
        let Tile { segment, start, end, whole, .. } = self.tile(place)?;
        let segment = segment?;
        let stated = self.track.start(segment + 1) - self.track.start(segment);
        let lasting = Some(end - start).filter(|length| *length != stated);
        Some(Part { segment, lasting, whole })
    }

    pub(crate) fn track(&self) -> &'a Track {
        self.track
    }
}

/// A part of a run without a discontinuity inside.
#[derive(Clone, Debug)]
struct Span<'a> {
    track: &'a Track,
    lead: &'a Track,
    discontinuities: u64,
    /// What is listed of the track.
    segments: Range<usize>,
    /// Then, of the first variant, the segments beside which it has nothing, or nothing any more.
    silent: Range<usize>,
    /// Where it begins, and where what is listed of the track ends, by the track's own time.
    from: Micros,
    played: Micros,
    /// Where the discontinuity before it is, by the track's own time and by that of the first variant.
    origin: (Micros, Micros),
}

fn spans<'a>(
    track: &'a Track,
    lead: &'a Track,
    run: &Range<usize>,
) -> impl Iterator<Item = Span<'a>> {
    let (mut next, end) = (run.start, run.end);
    std::iter::from_fn(move || {
        let first = Some(next).filter(|first| *first < end)?;
        next = lead.between(lead.discontinuities(first)).end.min(end);
        Some(Span::new(track, lead, first..next))
    })
}

impl<'a> Span<'a> {
    fn new(track: &'a Track, lead: &'a Track, run: Range<usize>) -> Self {
        let discontinuities = lead.discontinuities(run.start);
        let among = track.between(discontinuities);
        // What comes before a discontinuity may be longer or shorter as well: behind it both begin anew.
        let own = track.start(among.start);
        let origin = (own, lead.start(lead.between(discontinuities).start));
        let by_own = |place: usize| own + (lead.start(place) - origin.1);
        let (from, until) = (by_own(run.start), by_own(run.end));
        let mut first = track.first_from(&(among.start..among.end + 1), from + Micros(1)) - 1;
        let mut end = track.first_from(&among, until).max(first);
        let length = |place: usize| track.start(place + 1) - track.start(place);
        // What a channel can play it still can: no segment is stated to be longer by a second.
        let bears = |place: usize, stated: Micros| rounded(stated) <= rounded(length(place));
        // Where hardly anything is left of the first or the last, the one beside it takes its time.
        if first + 1 < end && track.start(first) < from {
            let rest = track.start(first + 1) - from;
            first += usize::from(rest <= LEFT_OUT && bears(first + 1, rest + length(first + 1)));
        }
        let begins = |place: usize| if place == first { from } else { track.start(place) };
        if first + 1 < end && until < track.start(end) {
            let (rest, before) = (until - track.start(end - 1), end - 2);
            end -= usize::from(rest <= LEFT_OUT && bears(before, until - begins(before)));
        }
        let (mut played, mut silent) = (from, run.start);
        if first < end {
            played = if end < among.end { until } else { track.start(end).min(until) };
            let after = lead.first_from(&run, origin.1 + (played - own) + Micros(1));
            let next = by_own(after);
            silent = after - 1;
            if next - played <= LEFT_OUT && bears(end - 1, next - begins(end - 1)) {
                (played, silent) = (next, after);
            }
        }
        let (segments, silent) = (first..end, silent..run.end);
        Self { track, lead, discontinuities, segments, silent, from, played, origin }
    }

    fn len(&self) -> usize {
        self.segments.len() + self.silent.len()
    }

    fn tile(&self, place: usize) -> Tile {
        let Self { track, lead, discontinuities, ref segments, ref silent, .. } = *self;
        let beside = |own: Micros| self.origin.1 + (own - self.origin.0);
        if place < segments.len() {
            let at = segments.start + place;
            let (begins, ends) = (place == 0, at + 1 == segments.end);
            return Tile {
                segment: Some(at),
                start: beside(if begins { self.from } else { track.start(at) }),
                end: beside(if ends { self.played } else { track.start(at + 1) }),
                whole: beside(track.start(at)),
                discontinuities,
            };
        }
        let at = silent.start + (place - segments.len());
        let start = lead.start(at).max(beside(self.played));
        let end = lead.start(at + 1);
        Tile { segment: None, start, end, whole: start, discontinuities }
    }
}

/// A length as a target duration bears it (RFC 8216 section 4.3.3.1).
fn rounded(length: Micros) -> u64 {
    length.0.saturating_add(500_000) / 1_000_000
}
