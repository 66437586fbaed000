//! Whether what is about to play is still there, and is what it was.

use super::{Channels, Vods, assets};
use channel::ports::{AssetRecord, Shelf};
use channel::{Asset, AssetHash, Entry, FREEZE, Item, Role};
use futures_util::future::{Either, join, join_all, select};
use futures_util::lock;
use hls::{Micros, Timestamp};
use relay::ports::{Clock, OriginError};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// What it takes to change the schedule.
const CHANGE: Micros = Micros::from_secs(2);
/// How long a look may take: two requests that are answered late, or are not. It is over well before the next.
const PATIENCE: Micros = Micros::from_secs(20);
/// How long an origin is left alone that failed before it is asked once more.
const AGAIN: Micros = Micros::from_secs(3);

/// Assets, and what is known of them by now.
pub struct Looked {
    assets: Vec<AssetRecord>,
    /// What is known of what has this index. Who looks holds it, and others wait.
    known: Mutex<BTreeMap<AssetHash, Arc<lock::Mutex<Option<Known>>>>>,
}

/// What is known of an index.
#[derive(Clone)]
enum Known {
    /// It can be played.
    Good,
    Gone,
    /// Another has been added in its place.
    Became(AssetHash),
}

/// What an origin says of a VOD.
enum Said {
    /// It is what it was, or nothing else was said.
    Same,
    /// It is but for the queries of addresses.
    Signed(Box<Asset>),
    Other,
}

/// What is to be looked at: the index, which of its tracks, and the first segment that plays.
#[derive(Clone, Copy)]
struct Part<'a> {
    asset: &'a AssetHash,
    tracks: &'a [Option<usize>],
    first: usize,
}

impl Looked {
    /// Nothing is known of these yet.
    pub fn at(assets: Vec<AssetRecord>) -> Self {
        Self { assets, known: Mutex::default() }
    }

    /// The index that an asset with this one has now, and how long it plays; absent where the asset was removed.
    pub fn now(&self, hash: &AssetHash) -> Option<(&AssetHash, Micros)> {
        let now = self.became(hash).unwrap_or(hash);
        let asset = self.assets.iter().find(|asset| asset.hash == *now)?;
        Some((&asset.hash, asset.duration))
    }

    /// The index that an asset has now of which this was one before.
    fn became(&self, hash: &AssetHash) -> Option<&AssetHash> {
        let is_there = self.assets.iter().any(|asset| asset.hash == *hash);
        let after = self.assets.iter().filter(|asset| asset.earlier.contains(hash));
        let last = after.max_by_key(|asset| asset.added).filter(|_| !is_there);
        last.map(|asset| &asset.hash)
    }

    fn of(&self, hash: &AssetHash) -> Arc<lock::Mutex<Option<Known>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(hash.clone()).or_default())
    }
}

/// What cannot be played of an entry, and what there is in its place. What has not answered when it is about to be
/// settled cannot.
pub async fn gone<'a, H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    entry: &'a Entry,
    now: Timestamp,
    looked: &Looked,
) -> (&'a Entry, BTreeMap<AssetHash, Option<AssetHash>>) {
    let before = Timestamp(entry.start().0.saturating_sub(FREEZE.0 + CHANGE.0));
    let until = before.min(now + PATIENCE);
    let items = entry.items.iter().filter(|item| item.role != Role::Slate);
    let each: BTreeMap<&AssetHash, &Item> = items.map(|item| (&item.asset, item)).collect();
    let looks = each.into_values().map(async |item| {
        let cell = looked.of(&item.asset);
        let look = async {
            let mut known = cell.lock().await;
            if known.is_none() {
                *known = known_of(channels, looked, item, until).await;
            }
            known.clone()
        };
        match by(&*channels.clock, until, look).await.flatten() {
            Some(Known::Good) => None,
            Some(Known::Became(other)) => Some((item.asset.clone(), Some(other))),
            Some(Known::Gone) | None => Some((item.asset.clone(), None)),
        }
    });
    (entry, join_all(looks).await.into_iter().flatten().collect())
}

/// What is ready by a moment.
async fn by<T>(clock: &impl Clock, until: Timestamp, ready: impl Future<Output = T>) -> Option<T> {
    match select(pin!(ready), pin!(clock.sleep_until(until))).await {
        Either::Left((ready, _)) => Some(ready),
        Either::Right(_) => None,
    }
}

/// What is known of what an item plays, or of what was added in its place.
async fn known_of<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    looked: &Looked,
    item: &Item,
    until: Timestamp,
) -> Option<Known> {
    let Some(other) = looked.became(&item.asset) else {
        let part = Part { asset: &item.asset, tracks: &item.tracks, first: item.first };
        return look_at(channels, looked, part, until).await;
    };
    let part = Part { asset: other, tracks: &[Some(0)], first: item.first };
    Some(match look_at(channels, looked, part, until).await? {
        Known::Good => Known::Became(other.clone()),
        known @ (Known::Gone | Known::Became(_)) => known,
    })
}

/// Whether something can be played: its VOD is there and still what it was, and so is its first segment; absent where
/// that was not told by then.
async fn look_at<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    looked: &Looked,
    part: Part<'_>,
    until: Timestamp,
) -> Option<Known> {
    let said = async {
        // One that was removed since is not known to be anywhere: it plays as it was.
        let mut said = (Said::Same, None);
        for asset in looked.assets.iter().filter(|asset| asset.hash == *part.asset) {
            said = (said_of(channels, asset).await, Some(asset));
            // It may have been added twice, from two places.
            if matches!(said.0, Said::Same) {
                break;
            }
        }
        said
    };
    let said = by(&*channels.clock, until, said);
    let begins = by(&*channels.clock, until, async {
        let indexes = channels.indexes(std::iter::once(part.asset.clone())).await.ok();
        let index = indexes.and_then(|mut indexes| indexes.remove(part.asset));
        match index {
            Some(index) => begins(channels, &index, part).await,
            None => true,
        }
    });
    // It is what it was until its origin says otherwise; its segments must be there.
    let of = |begins| if begins { Known::Good } else { Known::Gone };
    match join(said, begins).await {
        (Some((Said::Other, _)), _) => Some(Known::Gone),
        (Some((Said::Signed(fresh), Some(asset))), Some(false)) => {
            // What was signed then is no longer good, but for what is signed now.
            by(&*channels.clock, until, renewed(channels, asset, &fresh, part)).await
        }
        (Some((Said::Same | Said::Signed(_), _)) | None, begins) => begins.map(of),
    }
}

/// Adds a VOD anew whose addresses are signed anew, if they are good now.
async fn renewed<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    asset: &AssetRecord,
    fresh: &Asset,
    part: Part<'_>,
) -> Known {
    let is_good = begins(channels, fresh, part).await;
    let now = channels.shelf.asset(&asset.id).await.ok().flatten();
    // Somebody may have added something else since.
    let Some(now) = now.filter(|now| is_good && now.hash == asset.hash) else { return Known::Gone };
    let hash = fresh.hash();
    let record = AssetRecord { hash: hash.clone(), ..now.clone() }.in_place_of(&now);
    match channels.shelf.add_asset(&record, fresh).await {
        Ok(()) => Known::Became(hash),
        Err(error) => {
            tracing::warn!(asset = asset.id, %error, "cannot keep the addresses that are signed anew");
            Known::Gone
        }
    }
}

/// Whether the first segment that plays can be read with its map, under the addresses that viewers get, and no key is
/// gone that they need.
async fn begins<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    index: &Asset,
    part: Part<'_>,
) -> bool {
    let Some(needs) = index.needs(part.tracks, part.first) else { return true };
    let files = [Some(needs.segment), needs.map].into_iter().flatten();
    let files = join_all(files.map(|file| is_there(channels, file, false)));
    let keys = join_all(needs.keys.into_iter().map(|key| is_there(channels, key, true)));
    let (files, keys) = join(files, keys).await;
    files.into_iter().chain(keys).all(|is_there| is_there)
}

/// Whether a file can be read. A key that is not given to us may be given to viewers.
async fn is_there<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    address: &str,
    is_key: bool,
) -> bool {
    // A path is one of the server that serves the channel.
    let url = Url::parse(address).ok().filter(|url| url.scheme().starts_with("http"));
    let Some(url) = url else { return true };
    for again in [true, false] {
        match channels.vods.segment(&url).await {
            Ok(()) => return true,
            Err(OriginError::Gone { .. }) => return false,
            Err(_) if is_key => return true,
            Err(OriginError::Spoilt { .. } | OriginError::Refused { .. }) => return false,
            // It may be that a signature has expired, or that it fails for a moment.
            Err(OriginError::Unavailable { .. }) if again => {
                channels.clock.sleep_until(channels.clock.now() + AGAIN).await;
            }
            Err(OriginError::Unavailable { .. }) => {}
        }
    }
    false
}

/// Whether a VOD is there and still what it was; it is until its origin says otherwise.
async fn said_of<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    asset: &AssetRecord,
) -> Said {
    let Ok(url) = Url::parse(&asset.url) else { return Said::Same };
    match channels.vods.playlist(&url).await {
        Err(OriginError::Gone { .. } | OriginError::Spoilt { .. }) => return Said::Other,
        Err(OriginError::Unavailable { .. } | OriginError::Refused { .. }) => return Said::Same,
        Ok(_) => {}
    }
    // Its playlists may fail for a moment: only another index is another VOD.
    let Ok(fresh) = assets::read(&*channels.vods, &url).await else { return Said::Same };
    if fresh.hash() == asset.hash {
        return Said::Same;
    }
    let known = channels.indexes(std::iter::once(asset.hash.clone())).await.ok();
    match known.and_then(|known| known.get(&asset.hash).map(|known| known.is_like(&fresh))) {
        Some(true) => Said::Signed(Box::new(fresh)),
        Some(false) | None => Said::Other,
    }
}
