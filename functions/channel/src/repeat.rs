//! A channel that plays its programmes in cycles, for ever.

use crate::asset::Asset;
use crate::flaw::Flaw;
use crate::ladder::{Kind, Ladder, Rendition};
use crate::live::{self, APART, MOST_SEGMENTS, Shape, Showing};
use crate::mapping::{self, Tracks};
use crate::order::{Seed, shuffled};
use crate::play::{Play, Totals};
use crate::schedule::Numbers;
use crate::timeline::Playlist;
use hls::{Micros, Seconds, Timestamp};
use std::sync::Arc;

/// A loop channel, in closed form: what it lists follows from the time modulo the cycle.
#[derive(Clone, Debug)]
pub struct Loop {
    settings: Settings,
    ladder: Ladder,
    turns: Vec<Turn>,
    cycle: Micros,
    /// What a cycle adds.
    totals: Totals,
    numbers: Numbers,
}

/// A programme of a loop.
#[derive(Clone, Debug)]
struct Turn {
    asset: Arc<Asset>,
    tracks: Tracks,
    /// What it adds.
    totals: Totals,
}

/// What does not change in the life of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When the first programme began for the first time.
    pub epoch: Timestamp,
    /// `EXT-X-TARGETDURATION` of every media playlist, always.
    pub target_duration: Seconds,
    /// How far back the media playlists go; at least three target durations (RFC 8216 section 6.2.2).
    pub window: Micros,
}

/// A programme that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnNow {
    /// Which of the loop's programmes.
    pub place: usize,
    /// When it began.
    pub start: Timestamp,
    /// How long it plays.
    pub duration: Micros,
}

impl Loop {
    /// A channel that plays `assets` in their order. Its ladder is that of the first.
    ///
    /// # Errors
    /// Every reason why it cannot play them, and the index of the programme.
    pub fn new(settings: Settings, assets: Vec<Arc<Asset>>) -> Result<Self, Vec<(usize, Flaw)>> {
        let Some(first) = assets.first() else { return Err(vec![(0, Flaw::EmptyLoop)]) };
        let ladder = first.ladder().clone();
        Self::with_ladder(settings, ladder, assets)
    }

    /// The same with a ladder of its own. Its bandwidths are raised to those of the richest programme.
    ///
    /// # Errors
    /// Every reason why it cannot play them, and the index of the programme.
    pub fn with_ladder(
        settings: Settings,
        mut ladder: Ladder,
        assets: Vec<Arc<Asset>>,
    ) -> Result<Self, Vec<(usize, Flaw)>> {
        let (mut flaws, mut turns) = (Vec::new(), Vec::new());
        if assets.is_empty() {
            flaws.push((0, Flaw::EmptyLoop));
        }
        let (mut cycle, mut totals) = (Micros(0), Totals::none(&ladder));
        for (place, asset) in assets.into_iter().enumerate() {
            match mapping::tracks(&ladder, settings.target_duration, &asset) {
                Ok(tracks) => {
                    let play =
                        Play { ladder: &ladder, asset: &asset, tracks: &tracks, covered: false };
                    let mut adds = Totals::none(&ladder);
                    play.add(&mut adds, &play.all(), 1);
                    play.add(&mut totals, &play.all(), 1);
                    cycle += asset.duration();
                    turns.push(Turn { asset, tracks, totals: adds });
                }
                Err(all) => flaws.extend(all.into_iter().map(|flaw| (place, flaw))),
            }
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        for turn in &turns {
            ladder.lift(&turn.asset, &turn.tracks);
        }
        Ok(Self { settings, ladder, turns, cycle, totals, numbers: Numbers::default() })
    }

    /// The same, counted from other numbers.
    #[must_use]
    pub fn counted_from(self, numbers: Numbers) -> Self {
        Self { numbers, ..self }
    }

    /// How long it plays until it begins anew.
    #[must_use]
    pub fn cycle(&self) -> Micros {
        self.cycle
    }

    /// The renditions: the variants by rising bandwidth, then the others.
    #[must_use]
    pub fn renditions(&self) -> &[Rendition] {
        &self.ladder.renditions
    }

    /// The index of a rendition.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.ladder.find(name)
    }

    /// The multivariant playlist. It never changes.
    #[must_use]
    pub fn multivariant(&self) -> String {
        self.ladder.multivariant()
    }

    /// The media playlist of a rendition at `now`; the same bytes for everyone who asks.
    ///
    /// With a seed, the programmes of each cycle are shuffled by it.
    #[must_use]
    pub fn media_playlist(&self, rendition: usize, now: Timestamp, seed: Option<Seed>) -> Playlist {
        let target_duration = self.settings.target_duration;
        let kind = self.ladder.renditions.get(rendition).map(|it| &it.kind);
        let shape = Shape {
            target_duration,
            window: self.settings.window.max(live::launch(target_duration)),
            iframes: matches!(kind, Some(Kind::IFrames { .. })),
        };
        let showings = self.showings(rendition, now, shape.window, seed);
        let next = live::next_change(&showings, now);
        Playlist { text: live::media_playlist(&showings, now, &shape), next }
    }

    /// What plays at `now`, and what after it.
    #[must_use]
    pub fn on_now(&self, now: Timestamp, seed: Option<Seed>, count: usize) -> Vec<OnNow> {
        let mut on: Vec<OnNow> = Vec::new();
        let first = now.since(self.settings.epoch).0 / self.cycle.0;
        for cycle in first.. {
            let mut start = self.cycle_start(cycle);
            for place in self.order(cycle, seed) {
                let duration =
                    self.turns.get(place).map_or(Micros(0), |turn| turn.asset.duration());
                if start + duration > now {
                    on.push(OnNow { place, start, duration });
                }
                start = start + duration;
            }
            if on.len() >= count {
                break;
            }
        }
        on.truncate(count);
        on
    }

    fn cycle_start(&self, cycle: u64) -> Timestamp {
        self.settings.epoch + Micros(self.cycle.0.saturating_mul(cycle))
    }

    fn order(&self, cycle: u64, seed: Option<Seed>) -> Vec<usize> {
        match seed {
            Some(seed) => shuffled(seed, cycle, self.turns.len()),
            None => (0..self.turns.len()).collect(),
        }
    }

    /// What plays in the time `back` before `now`, and some more on either side.
    ///
    /// The newest listed segment ended before `now` and the next ends after it, each by a segment and by
    /// what audio may run over or fall short.
    fn showings(
        &self,
        rendition: usize,
        now: Timestamp,
        back: Micros,
        seed: Option<Seed>,
    ) -> Vec<Showing<'_>> {
        let margin =
            Micros(Micros::from(self.settings.target_duration).0.saturating_mul(2)) + APART;
        let from = Timestamp(now.0.saturating_sub(back.0).saturating_sub(margin.0));
        // Before it begins, what comes next is its beginning.
        let to = (now + margin).max(self.settings.epoch);
        let cycle_of = |at: Timestamp| at.since(self.settings.epoch).0 / self.cycle.0;
        let group = self.ladder.group(rendition);
        let mut showings = Vec::new();
        // No more segments are listed than so many cycles have.
        let most = (MOST_SEGMENTS / self.turns.len()) as u64;
        let last = cycle_of(to);
        for cycle in cycle_of(from).max(last.saturating_sub(most))..=last {
            let mut start = self.cycle_start(cycle);
            let mut sequence = self
                .totals
                .sequence(group)
                .saturating_mul(cycle)
                .saturating_add(self.numbers.sequence);
            let mut discontinuities = self
                .totals
                .discontinuities
                .saturating_mul(cycle)
                .saturating_add(self.numbers.discontinuities);
            for turn in self.order(cycle, seed).iter().filter_map(|place| self.turns.get(*place)) {
                let end = start + turn.asset.duration();
                if end >= from && start <= to {
                    let (asset, tracks) = (turn.asset.as_ref(), turn.tracks.as_slice());
                    let play = Play { ladder: &self.ladder, asset, tracks, covered: false };
                    let (feed, run) = play.feed(rendition, &play.all());
                    showings.push(Showing {
                        feed,
                        run,
                        start,
                        offset: Micros(0),
                        sequence,
                        discontinuities,
                        continues: false,
                        until: None,
                        marks: None,
                    });
                }
                start = end;
                sequence = sequence.saturating_add(turn.totals.sequence(group));
                discontinuities = discontinuities.saturating_add(turn.totals.discontinuities);
            }
        }
        showings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hls::{Limits, parse};

    #[test]
    fn no_more_is_looked_through_than_can_be_listed() {
        let read = |text: &str| parse(text.as_bytes(), &Limits::default()).ok();
        let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n";
        let media = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:0.1,\ns.ts\n#EXT-X-ENDLIST\n";
        let (Some(hls::Playlist::Multivariant(multivariant)), Some(hls::Playlist::Media(media))) =
            (read(multivariant), read(media))
        else {
            panic!("playlists of either kind")
        };
        let asset = Asset::index("/a/", &multivariant, &[("v.m3u8".to_owned(), media)].into());
        let asset = Arc::new(asset.expect("a VOD"));
        let day = Micros::from_secs(86_400);
        let settings = Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: day };
        for programmes in 1..4 {
            let channel =
                Loop::new(settings, vec![Arc::clone(&asset); programmes]).expect("it plays");
            let showings = channel.showings(0, settings.epoch + day, day, None).len();
            // And those of the cycle that plays.
            let most = MOST_SEGMENTS + programmes;
            assert!(
                (MOST_SEGMENTS - programmes..=most).contains(&showings),
                "{programmes}: {showings}"
            );
        }
    }
}
