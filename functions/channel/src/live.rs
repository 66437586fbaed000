//! A media playlist from what is playing: the window that ends at `now`.

use crate::asset::{State, partition};
use crate::lines::formats;
use crate::markers::Marks;
use crate::play::Feed;
use hls::{Micros, Seconds, Timestamp};
use std::fmt::Write;
use std::ops::Range;

/// What `EXT-X-MAP` takes (RFC 8216 section 7); one for all, as it must not change.
pub(crate) const VERSION: u8 = 6;

/// How far the renditions of a programme may lie apart at its ends, and some more.
pub(crate) const APART: Micros = Micros::from_secs(12);

/// How many segments a playlist lists at most: more than a day of those of two seconds.
pub(crate) const MOST_SEGMENTS: usize = 50_000;

const NO_KEY: &str = "#EXT-X-KEY:METHOD=NONE\n";

/// A run of segments of one programme, as one rendition shows it, with the totals before it.
#[derive(Clone, Debug)]
pub(crate) struct Showing<'a> {
    pub(crate) feed: Feed<'a>,
    /// Which segments of the feed.
    pub(crate) run: Range<usize>,
    /// When the place `offset` in the programme plays.
    pub(crate) start: Timestamp,
    pub(crate) offset: Micros,
    /// The number of its first segment.
    pub(crate) sequence: u64,
    /// The discontinuities up to and with the one at its start.
    pub(crate) discontinuities: u64,
    /// Whether it follows what comes before it without a discontinuity.
    pub(crate) continues: bool,
    /// When it is over, whatever it has: there begins what comes behind a discontinuity.
    pub(crate) until: Option<Timestamp>,
    /// What is said of it beside its segments.
    pub(crate) marks: Option<Marks<'a>>,
}

/// What a channel's playlists have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) target_duration: Seconds,
    pub(crate) window: Micros,
    /// Whether the playlist is of I-frames.
    pub(crate) iframes: bool,
}

impl Showing<'_> {
    /// When a place in the programme plays.
    fn at(&self, place: Micros) -> Timestamp {
        Timestamp(self.start.0.saturating_add(place.0).saturating_sub(self.offset.0))
    }

    /// The same for what may be over before.
    fn by(&self, place: Micros) -> Timestamp {
        let at = self.at(place);
        self.until.map_or(at, |until| at.min(until))
    }

    /// When what it is a part of began.
    fn began(&self) -> Timestamp {
        let live = self.marks.as_ref().and_then(|marks| marks.item.live);
        live.map_or(self.start, |live| live.began)
    }

    fn starts(&self, place: usize) -> Timestamp {
        self.by(self.feed.start(place))
    }

    fn ends(&self, place: usize) -> Timestamp {
        self.by(self.feed.start(place + 1))
    }

    fn length(&self, place: usize) -> Micros {
        self.ends(place).since(self.starts(place))
    }

    /// How long a segment plays, where that is less than all of it.
    fn lasting(&self, place: usize) -> Option<Micros> {
        let whole = self.at(self.feed.start(place + 1));
        (self.ends(place) < whole).then(|| self.length(place))
    }

    /// Whether nothing of it has ended.
    pub(crate) fn is_to_come(&self, now: Timestamp) -> bool {
        self.ends(self.run.start) > now
    }

    /// The first place in the run whose segment `is` not.
    fn partition(&self, is: impl Fn(Timestamp) -> bool) -> usize {
        partition(&self.run, |place| is(self.ends(place)))
    }

    fn discontinuity(&self, place: usize) -> bool {
        if place == self.run.start {
            return !self.continues;
        }
        self.feed.discontinuities(place) != self.feed.discontinuities(place - 1)
    }

    fn discontinuities(&self, place: usize) -> u64 {
        let of = |place| self.feed.discontinuities(place);
        let inside = of(place) - of(self.run.start);
        self.discontinuities.saturating_add(inside)
    }
}

/// What a player wants to see before it begins: three target durations.
pub(crate) fn launch(target: Seconds) -> Micros {
    Micros(Micros::from(target).0.saturating_mul(3))
}

/// Renders the window that ends at `now`, from what overlaps it, oldest first.
///
/// A segment shows when it ends, and never before the one ahead of it. The first listed segment carries
/// no discontinuity: the header counts it (RFC 8216 section 4.3.3.3).
pub(crate) fn media_playlist(showings: &[Showing], now: Timestamp, shape: &Shape) -> String {
    let listed = window(showings, now, shape);
    let first = listed.first().map(|(showing, run)| (*showing, run.start));
    let (sequence, discontinuities) = match (first, showings.first()) {
        (Some((showing, place)), _) => {
            let before = (place - showing.run.start) as u64;
            (showing.sequence.saturating_add(before), showing.discontinuities(place))
        }
        (None, Some(showing)) => (showing.sequence, showing.discontinuities),
        (None, None) => (0, 0),
    };
    let count: usize = listed.iter().map(|(_, run)| run.len()).sum();
    let mut text = String::with_capacity(256 + 192 * count);
    write_header(&mut text, shape, sequence, discontinuities)
        .expect("a String takes all that is written to it");
    let mut state = StateWriter::default();
    for (showing, run) in &listed {
        for place in run.clone() {
            let discontinuity = showing.discontinuity(place);
            let begins = text_is_at(first, showing, place);
            if discontinuity && !begins {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            state.write(&mut text, showing.feed.state(place), begins || discontinuity);
            let start = showing.starts(place);
            if let Some(marks) = &showing.marks {
                marks.write(&mut text, place == showing.run.start, start);
            }
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{start}")
                .expect("a String takes all that is written to it");
            let times = (showing.at(showing.feed.start(place)), showing.began());
            showing.feed.write(&mut text, place, times, showing.lasting(place));
        }
    }
    text
}

/// Lets everything end where what comes behind the next discontinuity begins: live subtitles and I-frames may be longer
/// than the picture.
///
/// No playlist says otherwise before, for a segment shows when it ends, and by then every reader knows what begins.
pub(crate) fn end_in_turn(showings: &mut [Showing]) {
    let mut until = None;
    for showing in showings.iter_mut().rev() {
        showing.until = until;
        if !showing.continues {
            until = Some(showing.starts(showing.run.start));
        }
    }
}

/// When the playlist changes next after `now`; absent where nothing in `showings` is yet to come.
pub(crate) fn next_change(showings: &[Showing], now: Timestamp) -> Option<Timestamp> {
    // A segment waits for the one ahead of it.
    showings.iter().find_map(|showing| {
        let place = showing.partition(|end| end <= now);
        (place < showing.run.end).then(|| showing.ends(place))
    })
}

/// The segments that end in the window, oldest first; three target durations of them at least (RFC 8216 section
/// 6.2.2), also where audio falls short of the picture, but never more than [`MOST_SEGMENTS`].
fn window<'a, 'b>(
    showings: &'b [Showing<'a>],
    now: Timestamp,
    shape: &Shape,
) -> Vec<(&'b Showing<'a>, Range<usize>)> {
    let mut listed: Vec<(&Showing, Range<usize>)> = Vec::new();
    for showing in showings {
        let end = showing.partition(|end| end <= now);
        if end > showing.run.start {
            listed.push((showing, showing.run.start..end));
        }
        if end < showing.run.end {
            break;
        }
    }
    // Audio may run over what comes next.
    let Some(edge) = listed.iter().map(|(showing, run)| showing.ends(run.end - 1)).max() else {
        return listed;
    };
    // The first that is not out, and all behind it.
    let within = |window: Micros| {
        listed.iter().enumerate().find_map(|(at, (showing, run))| {
            let place = showing.partition(|end| edge.since(end) >= window).min(run.end);
            (place < run.end).then_some((at, place))
        })
    };
    let mut least = launch(shape.target_duration);
    let mut segments = listed.iter().enumerate().rev().flat_map(|(at, (showing, run))| {
        run.clone().rev().map(move |place| (at, place, showing.length(place)))
    });
    let by_length = segments.find_map(|(at, place, length)| {
        least = least - length;
        (least == Micros(0)).then_some((at, place))
    });
    let mut most = MOST_SEGMENTS;
    let by_count = listed.iter().enumerate().rev().find_map(|(at, (_, run))| {
        let place = run.end.checked_sub(most).filter(|place| *place >= run.start);
        most = most.saturating_sub(run.len());
        place.map(|place| (at, place))
    });
    let long = by_length.max(within(shape.window + APART));
    let (at, place) = within(shape.window).min(long).max(by_count).unwrap_or_default();
    listed.drain(..at);
    if let Some((_, run)) = listed.first_mut() {
        run.start = run.start.max(place);
    }
    listed.retain(|(_, run)| !run.is_empty());
    listed
}

fn text_is_at(first: Option<(&Showing, usize)>, showing: &Showing, place: usize) -> bool {
    first.is_some_and(|(of, at)| std::ptr::eq(of, showing) && at == place)
}

fn write_header(
    text: &mut String,
    shape: &Shape,
    sequence: u64,
    discontinuities: u64,
) -> std::fmt::Result {
    writeln!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{sequence}",
        shape.target_duration
    )?;
    if discontinuities > 0 {
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}")?;
    }
    if shape.iframes { writeln!(text, "#EXT-X-I-FRAMES-ONLY") } else { Ok(()) }
}

/// Writes maps and keys where they change, and again where a player may begin to read.
#[derive(Default)]
struct StateWriter<'a> {
    map: &'a str,
    keys: &'a str,
}

impl<'a> StateWriter<'a> {
    fn write(&mut self, text: &mut String, state: &'a State, afresh: bool) {
        let has_map = !state.map.is_empty() && (afresh || state.map != self.map);
        if has_map {
            self.write_keys(text, &state.map_keys, afresh);
            text.push_str(&state.map);
            self.map = &state.map;
        }
        self.write_keys(text, &state.keys, afresh && !has_map);
    }

    /// States keys, and first ends those in force where they would stay so.
    fn write_keys(&mut self, text: &mut String, keys: &'a str, afresh: bool) {
        if keys == self.keys && !afresh {
            return;
        }
        if !formats(keys).is_superset(&formats(self.keys)) {
            text.push_str(NO_KEY);
        }
        text.push_str(keys);
        self.keys = keys;
    }
}
