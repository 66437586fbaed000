//! A channel that plays its programmes one after the other, for ever.

use crate::asset::{Asset, Track};
use crate::flaw::Flaw;
use crate::ladder::{self, Rendition};
use crate::live::{self, Item, Shape};
use hls::{DiscontinuitySequence, MediaSequence, Micros, Seconds, Timestamp};

/// A loop channel, in closed form: what it lists follows from the time modulo the cycle.
#[derive(Clone, Debug)]
pub struct Loop {
    settings: Settings,
    assets: Vec<Asset>,
    renditions: Vec<Rendition>,
    /// Of each programme, how long those before it play.
    starts: Vec<Micros>,
    cycle: Micros,
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

impl Loop {
    /// A channel that plays `assets` in their order. Its ladder is that of the first.
    ///
    /// # Errors
    /// Every reason why it cannot play them, and the index of the programme.
    pub fn new(settings: Settings, assets: Vec<Asset>) -> Result<Self, Vec<(usize, Flaw)>> {
        let Some(first) = assets.first() else { return Err(vec![(0, Flaw::EmptyLoop)]) };
        let flaws_of = |asset| ladder::flaws(asset, first, settings.target_duration);
        let all = assets
            .iter()
            .enumerate()
            .flat_map(|(index, asset)| flaws_of(asset).into_iter().map(move |flaw| (index, flaw)));
        let flaws: Vec<(usize, Flaw)> = all.collect();
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let mut cycle = Micros(0);
        let mut starts = Vec::with_capacity(assets.len());
        for asset in &assets {
            starts.push(cycle);
            cycle += asset.duration();
        }
        let renditions = ladder::renditions(first);
        Ok(Self { settings, assets, renditions, starts, cycle })
    }

    /// The renditions: the variants by rising bandwidth, then the audio.
    #[must_use]
    pub fn renditions(&self) -> &[Rendition] {
        &self.renditions
    }

    /// The multivariant playlist. It never changes.
    #[must_use]
    pub fn multivariant(&self) -> String {
        ladder::multivariant(&self.renditions, &self.assets)
    }

    /// The media playlist of a rendition at `now`; the same bytes for everyone who asks.
    #[must_use]
    pub fn media_playlist(&self, rendition: &Rendition, now: Timestamp) -> String {
        let target_duration = self.settings.target_duration;
        let least = Micros(Micros::from(target_duration).0.saturating_mul(3));
        let shape = Shape { target_duration, window: self.settings.window.max(least) };
        let items = self.items(rendition, now, shape.window);
        live::media_playlist(&items, now, &shape)
    }

    /// When the media playlist of a rendition changes next: until then, a copy of it is good.
    #[must_use]
    pub fn next_change(&self, rendition: &Rendition, now: Timestamp) -> Timestamp {
        let items = self.items(rendition, now, Micros(0));
        live::next_change(&items, now).unwrap_or(now)
    }

    /// What plays in the time `back` before `now`, and some more on either side.
    ///
    /// The newest listed segment ended before `now` and the next ends after it, each by a segment and by
    /// what audio may run over or fall short.
    fn items(&self, rendition: &Rendition, now: Timestamp, back: Micros) -> Vec<Item<'_>> {
        let margin = Micros(Micros::from(self.settings.target_duration).0.saturating_mul(2));
        let since_epoch = now.since(self.settings.epoch);
        let first = self.index_at(since_epoch - back - margin).saturating_sub(1);
        let last = self.index_at(since_epoch + margin).saturating_add(1);
        (first..=last).filter_map(|index| self.item(rendition, index)).collect()
    }

    /// Which item plays when so much time has passed, counted from the first showing of all.
    fn index_at(&self, since_epoch: Micros) -> u64 {
        let cycles = since_epoch.0 / self.cycle.0;
        let within = Micros(since_epoch.0 % self.cycle.0);
        let begun = self.starts.partition_point(|start| *start <= within);
        cycles * count(self.assets.len()) + count(begun).saturating_sub(1)
    }

    fn item(&self, rendition: &Rendition, index: u64) -> Option<Item<'_>> {
        let programmes = count(self.assets.len());
        let cycles = index / programmes;
        let place = usize::try_from(index % programmes).ok()?;
        let before = self.tracks(rendition).take(place);
        let (segments, discontinuities) = totals(before);
        let (of_cycle, discontinuities_of_cycle) = totals(self.tracks(rendition));
        Some(Item {
            track: self.assets.get(place)?.tracks.get(rendition.track)?,
            start: self.settings.epoch
                + Micros(self.cycle.0.checked_mul(cycles)?)
                + *self.starts.get(place)?,
            sequence: MediaSequence(cycles.checked_mul(of_cycle)?.checked_add(segments)?),
            // Every showing but the very first begins with one.
            discontinuities: DiscontinuitySequence(
                cycles
                    .checked_mul(discontinuities_of_cycle)?
                    .checked_add(discontinuities)?
                    .checked_add(index)?,
            ),
        })
    }

    /// The rendition's track of each programme.
    fn tracks(&self, rendition: &Rendition) -> impl Iterator<Item = &Track> {
        self.assets.iter().filter_map(|asset| asset.tracks.get(rendition.track))
    }
}

/// How many segments, and discontinuities inside, the tracks have together.
fn totals<'a>(tracks: impl Iterator<Item = &'a Track>) -> (u64, u64) {
    tracks.fold((0, 0), |(segments, discontinuities), track| {
        (segments + count(track.segments.len()), discontinuities + track.discontinuities)
    })
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
