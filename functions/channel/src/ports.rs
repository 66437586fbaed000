//! What keeps assets, channels and logs. Adapters implement it; nothing here names one.

use crate::asset::{Asset, AssetHash};
use crate::order::Order;
use crate::schedule::{Channel, Entry, Numbers};
use hls::{Micros, Timestamp};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// An asset that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetRecord {
    /// What its owner calls it.
    pub id: String,
    /// What it is called in public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Names its index.
    pub hash: AssetHash,
    /// Where its multivariant playlist lies, without a query string.
    pub url: String,
    /// How long it plays.
    pub duration: Micros,
    /// When it was added.
    pub added: Timestamp,
    /// What named its index before, the last first: where one of these is scheduled, this is to play.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<AssetHash>,
}

/// So many are known of what named an index before. An asset that plays each hour, and is signed anew each time, may be
/// scheduled a week ahead.
const EARLIER: usize = 200;

impl AssetRecord {
    /// The same in the place of another with its id.
    #[must_use]
    pub fn in_place_of(self, before: &Self) -> Self {
        let earlier = std::iter::once(&before.hash).chain(&before.earlier);
        let earlier = earlier.filter(|hash| **hash != self.hash).take(EARLIER);
        Self { earlier: earlier.cloned().collect(), ..self }
    }
}

/// A channel that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// Names it in addresses.
    pub id: String,
    /// Counts its versions; a new one takes the place of that before it, or of none.
    pub revision: u64,
    /// What it is called in public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What was asked for that must not change: JSON of whoever asked.
    pub fixed: String,
    /// What it is; absent until something shows what its ladder is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// What it plays in a loop; empty: it has a schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<AssetHash>,
    /// What extends its schedule by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// The id of the next entry of its log.
    pub next_id: u64,
    /// How many programmes were picked for it.
    #[serde(default)]
    pub picked: u64,
    /// Whether it was deleted: nothing plays there any more.
    #[serde(default)]
    pub gone: bool,
    /// What the next channel of that name counts from.
    #[serde(default, skip_serializing_if = "Numbers::are_none")]
    pub numbers: Numbers,
}

impl ChannelRecord {
    /// Whether it plays a schedule, and not a loop or nothing any more.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        !self.gone && self.cycle.is_empty()
    }
}

/// How a schedule is extended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// What is picked from.
    pub assets: Vec<AssetHash>,
    /// How.
    pub order: Order,
    /// How far ahead of the clock.
    pub ahead: Micros,
    /// How far apart breaks are in a programme, and how long; absent: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<(Micros, Micros)>,
}

/// Where assets, channels and logs last. Every call that returns `Ok` has lasted.
pub trait Shelf: Send + Sync {
    /// Adds an asset, or puts another in the place of that with its id. Indexes stay, for schedules name them.
    fn add_asset(
        &self,
        record: &AssetRecord,
        index: &Asset,
    ) -> impl Future<Output = Result<(), ShelfError>> + Send;

    /// All assets, by id.
    fn assets(&self) -> impl Future<Output = Result<Vec<AssetRecord>, ShelfError>> + Send;

    /// The asset with an id.
    fn asset(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<AssetRecord>, ShelfError>> + Send;

    /// Removes an asset from what may be scheduled; whether it was there.
    fn remove_asset(&self, id: &str) -> impl Future<Output = Result<bool, ShelfError>> + Send;

    /// An index.
    fn index(
        &self,
        hash: &AssetHash,
    ) -> impl Future<Output = Result<Option<Asset>, ShelfError>> + Send;

    /// All channels, by id, also those that are gone.
    fn channels(&self) -> impl Future<Output = Result<Vec<ChannelRecord>, ShelfError>> + Send;

    /// The ids of all channels, also of those that are gone, in order.
    fn channel_ids(&self) -> impl Future<Output = Result<Vec<String>, ShelfError>> + Send;

    /// The channel with an id.
    fn channel(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<ChannelRecord>, ShelfError>> + Send;

    /// The entries of a channel's log that end after `from` and begin before `to`, oldest first, and the last
    /// of all where that is none of them and ends before.
    fn log(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Result<Vec<Entry>, ShelfError>> + Send;

    /// Puts a channel in the place of its version before (revision 1: of none, or one that is gone), takes
    /// the entries that begin at `cut` or later from its log, and adds `entries`; all of it or nothing.
    /// Whether it was done: it is not when somebody else was first. The log of one that is gone goes.
    fn commit(
        &self,
        record: &ChannelRecord,
        cut: Option<Timestamp>,
        entries: &[Entry],
    ) -> impl Future<Output = Result<bool, ShelfError>> + Send;

    /// Takes the oldest entries from a channel's log, as far as they ended by `before`; never the last of all, as
    /// what comes next is counted from it. What is stored together goes together, and only so much at a time:
    /// some may stay until the next call. It is no new version of the channel, and no commit fails by it.
    fn purge(
        &self,
        id: &str,
        before: Timestamp,
    ) -> impl Future<Output = Result<(), ShelfError>> + Send;
}

/// The shelf could not be asked; it may answer later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shelf: {reason}")]
pub struct ShelfError {
    /// Why, without secrets.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_knows_what_its_indexes_were_the_last_first_and_only_so_many() {
        let record = |hash: usize| AssetRecord {
            id: "one".to_owned(),
            title: None,
            hash: AssetHash(hash.to_string()),
            url: String::new(),
            duration: Micros(0),
            added: Timestamp(0),
            earlier: Vec::new(),
        };
        let mut last = record(0);
        for hash in [1, 1, 2, 0, 2].into_iter().chain(10..10 + EARLIER) {
            let next = record(hash).in_place_of(&last);
            assert!(!next.earlier.contains(&next.hash), "{next:?}");
            if hash == 10 {
                let names: Vec<&str> = next.earlier.iter().map(|it| it.0.as_str()).collect();
                assert_eq!(names, ["2", "0", "1"]);
            }
            last = next;
        }
        assert_eq!(last.earlier.len(), EARLIER);
        // Whoever does not know of it reads and writes the rest.
        let stored = serde_json::to_value(record(1)).expect("it has string keys only");
        assert!(stored.get("earlier").is_none());
        assert_eq!(serde_json::from_value::<AssetRecord>(stored).ok(), Some(record(1)));
    }

    #[test]
    fn a_channel_has_a_schedule_unless_it_plays_a_loop_or_is_gone() {
        let cycle = || vec![AssetHash("a".to_owned())];
        for (cycle, gone, is_scheduled) in [
            (Vec::new(), false, true),
            (Vec::new(), true, false),
            (cycle(), false, false),
            (cycle(), true, false),
        ] {
            let record = ChannelRecord {
                id: "one".to_owned(),
                revision: 1,
                title: None,
                fixed: String::new(),
                channel: None,
                cycle,
                fill: None,
                next_id: 1,
                picked: 0,
                gone,
                numbers: Numbers::default(),
            };
            assert_eq!(record.is_scheduled(), is_scheduled, "{record:?}");
        }
    }
}
