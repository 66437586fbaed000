//! What a channel plays and when, decided ahead and written down.

use crate::asset::{Asset, AssetHash};
use crate::event::Cursor;
use crate::ladder::Ladder;
use crate::live::MOST_SEGMENTS;
use crate::mapping::Tracks;
use crate::markers::Marker;
use crate::play::{Play, Totals};
use hls::{Micros, Seconds, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What does not change in the life of a channel, but for its title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its renditions.
    pub ladder: Ladder,
    /// When it began.
    pub epoch: Timestamp,
    /// `EXT-X-TARGETDURATION` of every media playlist, always.
    pub target_duration: Seconds,
    /// How far back the media playlists go; at least three target durations (RFC 8216 section 6.2.2).
    pub window: Micros,
    /// What plays when nothing is scheduled; absent: what played last, again.
    pub slate: Option<Slate>,
    /// What fills a break that names no ads of its own.
    #[serde(default)]
    pub ads: Vec<AssetHash>,
    /// How breaks and programmes are marked.
    #[serde(default)]
    pub markers: BTreeSet<Marker>,
    /// What its playlists count from.
    #[serde(default, skip_serializing_if = "Numbers::are_none")]
    pub numbers: Numbers,
}

/// What media playlists count from: those of a channel that was made where another was go on behind its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// The first media sequence number.
    pub sequence: u64,
    /// The first discontinuity sequence number.
    pub discontinuities: u64,
}

impl Numbers {
    pub(crate) fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What plays when nothing is scheduled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slate {
    /// What plays, over and over.
    pub asset: AssetHash,
    /// Which of its tracks plays in each rendition.
    pub tracks: Tracks,
}

/// The indexes that a schedule speaks of.
pub type Library = BTreeMap<AssetHash, Arc<Asset>>;

/// A programme that is wished for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What plays; empty where that is a live source.
    pub asset: AssetHash,
    /// The live source that plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Event>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it begins, to the nearest segment; absent: after what comes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Where it is joined.
    #[serde(default)]
    pub offset: Micros,
    /// How much of it plays; absent: to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Micros>,
    /// Where it is interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<Break>,
    /// Whether it is the slate, in the place of something that is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stands_in: bool,
}

/// A live source between programmes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where its multivariant playlist lies.
    pub url: String,
    /// When what comes next begins, whatever the source does.
    pub end: Timestamp,
    /// How far it has come; absent where nothing of it was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Cursor>,
}

/// An ad break in a programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// Where, from the start of the asset.
    pub at: Micros,
    /// How long.
    pub duration: Micros,
    /// What fills it, one after the other; none: the channel's ads, or its slate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ads: Vec<AssetHash>,
}

/// One line of the log: a wish, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Names it on its channel; never used again.
    pub id: u64,
    /// What was asked for; absent where the channel filled a hole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// What plays, one after the other without a gap; never empty. Where a live source is wished for that is the
    /// slate: what is seen of the source takes its place, in entries before it.
    pub items: Vec<Item>,
    /// What its item plays where that came from a live source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// A piece of a live programme, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The entry that it belongs to, which may be gone by now.
    pub of: u64,
    /// What its item plays.
    pub index: Asset,
}

/// Segments of one asset that play without interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Why it plays.
    pub role: Role,
    /// What plays.
    pub asset: AssetHash,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Which of its tracks plays in each rendition.
    pub tracks: Tracks,
    /// When it begins.
    pub start: Timestamp,
    /// How long it plays.
    pub duration: Micros,
    /// How long it was to play when it was announced; absent where that is how long it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Micros>,
    /// Its first segment, in the first variant.
    pub first: usize,
    /// The segment behind its last, in the last pass.
    pub end: usize,
    /// How often the asset plays, each time but the last to its end; 1 where `first` is not its first.
    pub passes: u64,
    /// The numbers of its first segment.
    pub totals: Totals,
    /// The ad break that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Spot>,
    /// The ad break that it comes back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Spot>,
    /// Of which live programme it is a piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

/// A live programme that a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// When it began to play, or went on after a hole.
    pub began: Timestamp,
    /// When it is to end.
    pub until: Timestamp,
    /// Whether the piece follows the one before without a discontinuity.
    pub continues: bool,
    /// Whether its subtitles and I-frames are all that begin before its end. What was written before that was known is
    /// listed and counted up to their boundary nearest to it, as it always was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covered: bool,
}

/// Why an item plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It was wished for.
    Programme,
    /// It is in an ad break.
    Ad,
    /// Nothing else was there.
    Slate,
}

/// An ad break as it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// When it begins.
    pub start: Timestamp,
    /// How long it really is.
    pub duration: Micros,
}

impl Entry {
    /// When it begins.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.items.first().map_or(Timestamp(0), |item| item.start)
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.items.last().map_or(Timestamp(0), Item::end)
    }
}

impl Item {
    /// When it ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.start + self.duration
    }

    pub(crate) fn play<'a>(&'a self, ladder: &'a Ladder, asset: &'a Asset) -> Play<'a> {
        let covered = self.live.is_some_and(|live| live.covered);
        Play { ladder, asset, tracks: &self.tracks, covered }
    }

    /// The numbers behind it: those of the first segment of what comes next.
    pub(crate) fn after(&self, ladder: &Ladder, asset: &Asset) -> Totals {
        let mut totals = self.totals.clone();
        let play = self.play(ladder, asset);
        for (run, times) in runs(asset, self.first, self.end, self.passes) {
            play.add(&mut totals, &run, times);
        }
        totals
    }

    /// One pass of it: which segments, when, and with which numbers.
    pub(crate) fn pass(
        &self,
        ladder: &Ladder,
        asset: &Asset,
        number: u64,
    ) -> (Range<usize>, Timestamp, Totals) {
        let begin = if number == 0 { self.first } else { 0 };
        let end = if number + 1 >= self.passes { self.end } else { asset.segments() };
        let start = self.start + Micros(asset.duration().0.saturating_mul(number));
        let mut totals = self.totals.clone();
        let play = self.play(ladder, asset);
        play.add(&mut totals, &play.all(), number);
        (begin..end, start, totals)
    }

    /// The passes that overlap a time, or the last of them: no more are listed.
    pub(crate) fn passes_in(
        &self,
        asset: &Asset,
        from: Timestamp,
        to: Timestamp,
    ) -> std::ops::RangeInclusive<u64> {
        let length = asset.duration().0.max(1);
        let number = |at: Timestamp| at.since(self.start).0 / length;
        let last = self.passes.saturating_sub(1);
        // One more on either side: audio may run over, or fall short.
        let end = number(to).saturating_add(1).min(last);
        let begin = number(from).saturating_sub(1).min(last);
        begin.max(end.saturating_sub(MOST_SEGMENTS as u64))..=end
    }
}

/// The runs of segments that make up some passes, and how often each is played.
fn runs(asset: &Asset, first: usize, end: usize, passes: u64) -> [(Range<usize>, u64); 2] {
    [(0..asset.segments(), passes.saturating_sub(1)), (first..end, 1)]
}

/// How long some passes of an asset play.
pub(crate) fn length(asset: &Asset, first: usize, end: usize, passes: u64) -> Micros {
    let lead = asset.lead();
    let length = |run: &Range<usize>| lead.start(run.end) - lead.start(run.start);
    runs(asset, first, end, passes)
        .iter()
        .fold(Micros(0), |sum, (run, times)| sum + Micros(length(run).0.saturating_mul(*times)))
}
