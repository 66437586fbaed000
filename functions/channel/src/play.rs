//! A programme as a channel plays it: which segments show in which rendition.

use crate::asset::{Asset, State, Track};
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
}

/// What a rendition shows of a programme.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Feed<'a> {
    Track(&'a Track),
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

static NO_STATE: State = State { map_keys: String::new(), map: String::new(), keys: String::new() };

/// The name of the empty file of subtitles, beside the channel's playlists.
pub const EMPTY_SUBTITLES: &str = "empty.vtt";

impl<'a> Play<'a> {
    pub(crate) fn feed(&self, rendition: usize) -> Feed<'a> {
        let track = self.tracks.get(rendition).copied().flatten();
        match track.and_then(|track| self.asset.tracks.get(track)) {
            Some(track) => Feed::Track(track),
            None => Feed::Silent(self.asset.lead(), self.silence(rendition)),
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

    /// What a rendition shows of a run of segments of the first variant.
    pub(crate) fn run(&self, rendition: usize, run: &Range<usize>) -> Range<usize> {
        match self.feed(rendition) {
            Feed::Track(track) if self.ladder.group(rendition) > 0 => self.asset.cut(track, run),
            Feed::Track(_) | Feed::Silent(..) => run.clone(),
        }
    }

    /// Adds a run of segments, and the discontinuity behind it, `times` over.
    pub(crate) fn add(&self, totals: &mut Totals, run: &Range<usize>, times: u64) {
        for (group, sequence) in totals.sequences.iter_mut().enumerate() {
            let count = self.run(self.ladder.first_of(group), run).len() as u64;
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
    pub(crate) fn track(&self) -> &'a Track {
        match self {
            Self::Track(track) | Self::Silent(track, _) => track,
        }
    }

    /// What a segment needs before it.
    pub(crate) fn state(&self, place: usize) -> &'a State {
        let of = |track: &'a Track| track.states.get(track.segments.get(place)?.state);
        match self {
            Self::Track(track) => of(track).unwrap_or(&NO_STATE),
            Self::Silent(..) => &NO_STATE,
        }
    }

    /// Writes the lines and the address of a segment that begins at `start`, in a programme that began at `began`.
    pub(crate) fn write(
        &self,
        text: &mut String,
        place: usize,
        start: Timestamp,
        began: Timestamp,
    ) {
        match self {
            Self::Track(track) => {
                let lines = track.segments.get(place).map_or("", |segment| &segment.text);
                lines::write(text, lines, start, began);
            }
            Self::Silent(track, silence) => {
                let length: Micros = track.start(place + 1) - track.start(place);
                text.push_str(&match silence {
                    Silence::Subtitles => format!("#EXTINF:{length},\n{EMPTY_SUBTITLES}\n"),
                    Silence::Gap => format!("#EXT-X-GAP\n#EXTINF:{length},\ngap\n"),
                });
            }
        }
    }
}
