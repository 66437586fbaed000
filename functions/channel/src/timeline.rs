//! What a scheduled channel lists: a function of its log, the indexes and the clock.

use crate::asset::{Asset, AssetHash};
use crate::ladder::Kind;
use crate::live::{self, APART, Shape, Showing};
use crate::markers::Marks;
use crate::play::Totals;
use crate::schedule::{Channel, Item, Library, Role};
use hls::{Micros, Timestamp};
use std::sync::Arc;

/// A media playlist, and how long it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist {
    /// The text.
    pub text: String,
    /// When it changes; absent: not before the schedule does.
    pub next: Option<Timestamp>,
}

/// Why there is no playlist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Nothing has played yet.
    #[error("nothing has played yet")]
    Nothing {
        /// When something will have; absent: that is not known.
        until: Option<Timestamp>,
    },
    /// The channel has no such rendition.
    #[error("the channel has no such rendition")]
    Rendition,
    /// An index that the log speaks of was not given.
    #[error("the index {0} is missing")]
    Index(AssetHash),
}

/// How long a log keeps what has left the channel's window: what was on yesterday can be looked up, and a
/// reader may be as far behind.
const KEPT: Micros = Micros::from_secs(86_400);

impl Channel {
    /// The multivariant playlist. It changes only where something richer than all before is scheduled.
    #[must_use]
    pub fn multivariant(&self) -> String {
        self.ladder.multivariant()
    }

    /// The media playlist of a rendition at `now`; the same bytes for everyone who asks.
    ///
    /// `items` are the end of the log, from one that begins before the window (or the first). After the
    /// last of them plays the slate.
    ///
    /// # Errors
    /// When there is nothing to list, or an index is missing.
    pub fn media_playlist(
        &self,
        items: &[Item],
        indexes: &Library,
        now: Timestamp,
        rendition: usize,
    ) -> Result<Playlist, Unread> {
        let of = self.ladder.renditions.get(rendition).ok_or(Unread::Rendition)?;
        let back = self.window();
        let filler = self.filler_within(items, indexes, now + self.margin())?;
        let showings = self.showings(items.iter().chain(&filler), indexes, now, back, rendition)?;
        let shape = Shape {
            target_duration: self.target_duration,
            window: back,
            iframes: matches!(of.kind, Kind::IFrames { .. }),
        };
        let next = live::next_change(&showings, now);
        if showings.first().is_none_or(|first| first.is_to_come(now)) {
            return Err(Unread::Nothing { until: next });
        }
        Ok(Playlist { text: live::media_playlist(&showings, now, &shape), next })
    }

    /// How far back the media playlists go.
    #[must_use]
    pub fn window(&self) -> Micros {
        self.window.max(self.launch())
    }

    /// Since when the log is kept: no reader is shown anything of an entry that ended before.
    #[must_use]
    pub fn kept_since(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_sub(self.window().0).saturating_sub(KEPT.0))
    }

    /// What a player wants to see before it begins: three target durations.
    pub(crate) fn launch(&self) -> Micros {
        live::launch(self.target_duration)
    }

    /// How long before the end of the window an item may have ended that is still part of it, and how
    /// far ahead the next change may lie.
    fn margin(&self) -> Micros {
        Micros(Micros::from(self.target_duration).0.saturating_mul(2)) + APART
    }

    /// What plays after the last item until something else is scheduled; absent where there is nothing.
    ///
    /// # Errors
    /// The index that is missing.
    pub fn filler(&self, last: Option<&Item>, indexes: &Library) -> Result<Option<Item>, Unread> {
        let start = last.map_or(self.epoch, Item::end);
        let totals = match last {
            Some(last) => last.after(&self.ladder, index(indexes, &last.asset)?),
            None => Totals::none(&self.ladder),
        };
        let of = match (&self.slate, last) {
            (Some(slate), _) => (slate.asset.clone(), slate.tracks.clone()),
            (None, Some(last)) => (last.asset.clone(), last.tracks.clone()),
            (None, None) => return Ok(None),
        };
        let (asset, tracks) = of;
        Ok(Some(Item {
            role: Role::Slate,
            title: None,
            end: index(indexes, &asset)?.segments(),
            asset,
            tracks,
            start,
            duration: Micros(u64::MAX),
            planned: None,
            first: 0,
            passes: u64::MAX,
            totals,
            spot: None,
            returns: last.and_then(|last| last.spot),
            live: None,
        }))
    }

    fn filler_within(
        &self,
        items: &[Item],
        indexes: &Library,
        until: Timestamp,
    ) -> Result<Option<Item>, Unread> {
        match items.last() {
            Some(last) if last.end() > until => Ok(None),
            last => self.filler(last, indexes),
        }
    }

    fn showings<'a>(
        &'a self,
        items: impl Iterator<Item = &'a Item>,
        indexes: &'a Library,
        now: Timestamp,
        back: Micros,
        rendition: usize,
    ) -> Result<Vec<Showing<'a>>, Unread> {
        let margin = self.margin();
        let from = Timestamp(now.0.saturating_sub(back.0).saturating_sub(margin.0));
        let to = now + margin;
        let mut showings = Vec::new();
        for item in items {
            if item.end() < from {
                continue;
            }
            if item.start > to {
                break;
            }
            let asset = index(indexes, &item.asset)?;
            let play = item.play(&self.ladder, asset);
            for number in item.passes_in(asset, from, to) {
                let (of_lead, start, totals) = item.pass(&self.ladder, asset, number);
                let (feed, run) = play.feed(rendition, &of_lead);
                showings.push(Showing {
                    feed,
                    offset: asset.lead().start(of_lead.start),
                    run,
                    start,
                    sequence: totals
                        .sequence(self.ladder.group(rendition))
                        .saturating_add(self.numbers.sequence),
                    discontinuities: totals
                        .discontinuities
                        .saturating_add(self.numbers.discontinuities),
                    continues: item.live.is_some_and(|live| live.continues),
                    until: None,
                    marks: Some(Marks { item, markers: &self.markers, opens: number == 0 }),
                });
            }
        }
        match self.ladder.renditions.get(rendition).map(|it| &it.kind) {
            Some(Kind::Subtitles { .. } | Kind::IFrames { .. }) => live::end_in_turn(&mut showings),
            Some(Kind::Variant { .. } | Kind::Audio { .. }) | None => {}
        }
        Ok(showings)
    }
}

/// An index that the log speaks of.
pub(crate) fn index<'a>(indexes: &'a Library, hash: &AssetHash) -> Result<&'a Asset, Unread> {
    indexes.get(hash).map(Arc::as_ref).ok_or_else(|| Unread::Index(hash.clone()))
}
