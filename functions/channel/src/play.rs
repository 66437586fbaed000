//! A programme as a channel plays it: which segments show in which rendition.

use crate::asset::{Asset, State, Track};
use crate::fit::Fitted;
use crate::ladder::{Kind, Ladder};
use crate::lines;
use hls::{Micros, Timestamp};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The numbers of the first segment of something that plays: what came before it, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Of each group of renditions, the media sequence number.
    pub sequences: Vec<u64>,
    /// The discontinuity sequence number: the discontinuities up to and with the one at its start.
    pub discontinuities: u64,
}

impl Totals {
    /// The beginning of everything.
    pub(crate) fn none(ladder: &Ladder) -> Self {
        Self { sequences: vec![0; ladder.groups()], discontinuities: 0 }
    }

    pub(crate) fn sequence(&self, group: usize) -> u64 {
        self.sequences.get(group).copied().unwrap_or(0)
    }
}

/// A programme and the tracks that a channel plays of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play<'a> {
    pub(crate) ladder: &'a Ladder,
    pub(crate) asset: &'a Asset,
    pub(crate) tracks: &'a [Option<usize>],
    /// Whether what is live shows all subtitles and I-frames that begin before its end.
    pub(crate) covered: bool,
}

/// What a rendition shows of a programme.
#[derive(Clone, Debug)]
pub(crate) enum Feed<'a> {
    Track(&'a Track),
    /// As much of it as there is picture, and something that is silent where it has nothing.
    Fitted(Fitted<'a>, Silence),
    /// The programme has nothing for it: something that is silent, cut as the variants are.
    Silent(&'a Track, Silence),
}

/// What is listed where a programme has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// An empty file of subtitles, beside the channel's playlists.
    Subtitles,
    /// Segments that are not there (`EXT-X-GAP`).
    Gap,
}

/// How a rendition is cut where the first variant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// At the same segments.
    Together,
    /// At its own boundaries that are nearest.
    Nearest,
    /// Behind the last of its segments that begins before.
    Over,
    /// There, in the middle of a segment as well.
    Fitted,
}

static NO_STATE: State = State { map_keys: String::new(), map: String::new(), keys: String::new() };

/// The name of the empty file of subtitles, beside the channel's playlists.
pub const EMPTY_SUBTITLES: &str = "empty.vtt";

impl<'a> Play<'a> {
    /// What a rendition shows of a run of segments of the first variant.
    pub(crate) fn feed(&self, rendition: usize, run: &Range<usize>) -> (Feed<'a>, Range<usize>) {
        let lead = self.asset.lead();
        let Some(track) = self.track(rendition) else {
            return (Feed::Silent(lead, self.silence(rendition)), run.clone());
        };
        match self.cut(rendition) {
            Cut::Together => (Feed::Track(track), run.clone()),
            Cut::Nearest => (Feed::Track(track), self.asset.cut(track, run)),
            Cut::Over => (Feed::Track(track), self.asset.cover(track, run)),
            Cut::Fitted => {
                let fitted = Fitted::new(track, lead, run);
                let all = 0..fitted.len();
                (Feed::Fitted(fitted, self.silence(rendition)), all)
            }
        }
    }

    /// How many segments a rendition lists of a run of those of the first variant.
    fn count(&self, rendition: usize, run: &Range<usize>) -> usize {
        match (self.track(rendition), self.cut(rendition)) {
            (None, _) | (Some(_), Cut::Together) => run.len(),
            (Some(track), Cut::Nearest) => self.asset.cut(track, run).len(),
            (Some(track), Cut::Over) => self.asset.cover(track, run).len(),
            (Some(track), Cut::Fitted) => Fitted::new(track, self.asset.lead(), run).len(),
        }
    }

    fn track(&self, rendition: usize) -> Option<&'a Track> {
        self.asset.tracks.get(self.tracks.get(rendition).copied().flatten()?)
    }

    fn cut(&self, rendition: usize) -> Cut {
        match self.ladder.renditions.get(rendition).map(|it| &it.kind) {
            Some(Kind::Variant { .. }) | None => Cut::Together,
            Some(Kind::Audio { .. }) => Cut::Nearest,
            // What is live is cut where it was read: the next piece goes on there.
            Some(Kind::Subtitles { .. } | Kind::IFrames { .. }) if self.asset.is_piece() => {
                if self.covered { Cut::Over } else { Cut::Nearest }
            }
            Some(Kind::Subtitles { .. } | Kind::IFrames { .. }) => Cut::Fitted,
        }
    }

    fn silence(&self, rendition: usize) -> Silence {
        match self.ladder.renditions.get(rendition) {
            // An `EXT-X-MAP` stays in force, and the empty file is none of MP4.
            Some(it) if it.container == "fmp4" => Silence::Gap,
            Some(it) => match it.kind {
                Kind::Subtitles { .. } => Silence::Subtitles,
                Kind::Variant { .. } | Kind::Audio { .. } | Kind::IFrames { .. } => Silence::Gap,
            },
            None => Silence::Gap,
        }
    }

    /// Adds a run of segments, and the discontinuity behind it, `times` over.
    pub(crate) fn add(&self, totals: &mut Totals, run: &Range<usize>, times: u64) {
        for (group, sequence) in totals.sequences.iter_mut().enumerate() {
            let count = self.count(self.ladder.first_of(group), run) as u64;
            *sequence = sequence.saturating_add(count.saturating_mul(times));
        }
        let lead = self.asset.lead();
        let last = lead.discontinuities(run.end.saturating_sub(1));
        let inside = last.saturating_sub(lead.discontinuities(run.start));
        let all = (inside + 1).saturating_mul(times);
        totals.discontinuities = totals.discontinuities.saturating_add(all);
    }

    pub(crate) fn all(&self) -> Range<usize> {
        0..self.asset.segments()
    }
}

impl<'a> Feed<'a> {
    /// Where a segment begins, from the start of the programme.
    pub(crate) fn start(&self, place: usize) -> Micros {
        match self {
            Self::Track(track) | Self::Silent(track, _) => track.start(place),
            Self::Fitted(fitted, _) => fitted.start(place),
        }
    }

    /// How long a segment plays.
    pub(crate) fn length(&self, place: usize) -> Micros {
        self.start(place + 1) - self.start(place)
    }

    /// The discontinuities from the start of the programme up to and with that of a segment.
    pub(crate) fn discontinuities(&self, place: usize) -> u64 {
        match self {
            Self::Track(track) | Self::Silent(track, _) => track.discontinuities(place),
            Self::Fitted(fitted, _) => fitted.discontinuities(place),
        }
    }

    /// What a segment needs before it.
    pub(crate) fn state(&self, place: usize) -> &'a State {
        let (track, place) = match self {
            Self::Track(track) => (*track, Some(place)),
            Self::Fitted(fitted, _) => (fitted.track(), fitted.part(place).map(|it| it.segment)),
            Self::Silent(track, _) => (*track, None),
        };
        let segment = place.and_then(|place| track.segments.get(place));
        segment.and_then(|segment| track.states.get(segment.state)).unwrap_or(&NO_STATE)
    }

    /// Writes the lines and the address of a segment that begins at `start`, in a programme that began at `began`; `lasting`
    /// is how long it plays where that is less than the feed has.
    pub(crate) fn write(
        &self,
        text: &mut String,
        place: usize,
        (start, began): (Timestamp, Timestamp),
        lasting: Option<Micros>,
    ) {
        let write = |text: &mut String, lines: &str, start, lasting| match lasting {
            Some(length) => lines::write(text, &lines::lasting(lines, length), start, began),
            None => lines::write(text, lines, start, began),
        };
        let silent = |text: &mut String, silence: &Silence| {
            let length = lasting.unwrap_or_else(|| self.length(place));
            text.push_str(&match silence {
                Silence::Subtitles => format!("#EXTINF:{length},\n{EMPTY_SUBTITLES}\n"),
                Silence::Gap => format!("#EXT-X-GAP\n#EXTINF:{length},\ngap\n"),
            });
        };
        match self {
            Self::Track(track) => write(text, track.text(place), start, lasting),
            Self::Fitted(fitted, silence) => match fitted.part(place) {
                Some(part) => {
                    let lines = fitted.track().text(part.segment);
                    let moved = start.0.saturating_add(part.whole.0);
                    let whole = Timestamp(moved.saturating_sub(self.start(place).0));
                    write(text, lines, whole, lasting.or(part.lasting));
                }
                None => silent(text, silence),
            },
            Self::Silent(_, silence) => silent(text, silence),
        }
    }
}
