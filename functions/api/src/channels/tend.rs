//! What is about to play is looked at once more: a VOD that is gone, or is another one now, gives way to the slate.

use super::schedule::Unchanged;
use super::{Channels, Vods, assets};
use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Break, Channel, Edit, Entry, FREEZE, Item, Role, Why, Wish};
use futures_util::future::{Either, join, join_all, select};
use futures_util::lock;
use futures_util::stream::{self, StreamExt};
use hls::{Micros, Timestamp};
use relay::ports::{Clock, OriginError};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// How much earlier than by the next look an entry is looked at: looks come late.
const LATE: Micros = Micros::from_secs(15);
/// What it takes to look, and to change the schedule.
const MARGIN: Micros = Micros::from_secs(4);
/// What it takes to change the schedule.
const CHANGE: Micros = Micros::from_secs(2);
/// How long a look may take: two requests that are answered late, or are not. It is over well before the next.
const PATIENCE: Micros = Micros::from_secs(20);
/// Entries of a channel that are looked at side by side.
const AT_ONCE: usize = 32;
/// A slate that would have to play more often in the place of what is gone does so as where nothing is scheduled.
const MAX_REPEATS: u64 = 100;

/// How long an origin is left alone that failed before it is asked once more.
const AGAIN: Micros = Micros::from_secs(3);

/// Assets, and what is known of them by now.
pub struct Looked {
    assets: Vec<AssetRecord>,
    /// Whether what has this index can be played. Who looks holds it, and others wait.
    good: Mutex<BTreeMap<AssetHash, Arc<lock::Mutex<Option<bool>>>>>,
}

impl Looked {
    /// Nothing is known of these yet.
    pub fn at(assets: Vec<AssetRecord>) -> Self {
        Self { assets, good: Mutex::default() }
    }

    fn of(&self, hash: &AssetHash) -> Arc<lock::Mutex<Option<bool>>> {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(good.entry(hash.clone()).or_default())
    }
}

/// Looks at what begins soon on a channel.
pub async fn tend<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &ChannelRecord,
    every: Micros,
    looked: &Looked,
) -> Result<(), ShelfError> {
    let now = channels.clock.now();
    let settled = now + FREEZE + MARGIN;
    let log = channels.shelf.log(&record.id, settled, settled + every + LATE).await?;
    let coming = log.iter().filter(|entry| entry.start() > settled);
    // A live source is looked at when it plays.
    let is_vod = |wish: &Wish| wish.live.is_none();
    let wished = coming.filter(|entry| entry.wish.as_ref().is_some_and(is_vod));
    let looks = wished.map(|entry| gone(channels, entry, now, looked));
    let mut looks = pin!(stream::iter(looks).buffered(AT_ONCE));
    while let Some((entry, gone)) = looks.next().await {
        let Some(wish) = &entry.wish else { continue };
        if gone.contains(&wish.asset) {
            replace(channels, record, entry, settled).await;
        } else if !gone.is_empty() {
            without(channels, record, entry, wish, &gone).await;
        }
    }
    Ok(())
}

/// What cannot be played of an entry. What has not answered when it is about to be settled cannot.
async fn gone<'a, H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    entry: &'a Entry,
    now: Timestamp,
    looked: &Looked,
) -> (&'a Entry, BTreeSet<AssetHash>) {
    let before = Timestamp(entry.start().0.saturating_sub(FREEZE.0 + CHANGE.0));
    let until = before.min(now + PATIENCE);
    let items = entry.items.iter().filter(|item| item.role != Role::Slate);
    let each: BTreeMap<&AssetHash, &Item> = items.map(|item| (&item.asset, item)).collect();
    let looks = each.into_values().map(async |item| {
        let cell = looked.of(&item.asset);
        let look = async {
            let mut known = cell.lock().await;
            if known.is_none() {
                *known = is_good(channels, &looked.assets, item, until).await;
            }
            *known
        };
        match by(&*channels.clock, until, look).await.flatten() {
            Some(true) => None,
            Some(false) | None => Some(item.asset.clone()),
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

/// Whether an item can be played: its VOD is there and still what it was, and so is its first segment; absent where
/// that was not told by then.
async fn is_good<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    assets: &[AssetRecord],
    item: &Item,
    until: Timestamp,
) -> Option<bool> {
    let same = async {
        // One that was removed since is not known to be anywhere: it plays as it was.
        let mut same = None;
        for asset in assets.iter().filter(|asset| asset.hash == item.asset) {
            // It may have been added twice, from two places.
            if same != Some(true) {
                same = Some(is_same(&*channels.vods, asset).await);
            }
        }
        same != Some(false)
    };
    let same = by(&*channels.clock, until, same);
    let begins = by(&*channels.clock, until, begins(channels, item));
    // It is what it was until its origin says otherwise; its segments must be there.
    match join(same, begins).await {
        (Some(false), _) => Some(false),
        (Some(true) | None, begins) => begins,
    }
}

/// Whether the first segment of an item can be read, under the address that viewers get.
async fn begins<H: Shelf, V: Vods, C: Clock>(channels: &Channels<H, V, C>, item: &Item) -> bool {
    let Ok(indexes) = channels.indexes(std::iter::once(item.asset.clone())).await else {
        return true;
    };
    let address = indexes.get(&item.asset).and_then(|it| it.address(&item.tracks, item.first));
    // A path is one of the server that serves the channel.
    let Some(url) = address.and_then(|address| Url::parse(address).ok()) else { return true };
    for again in [true, false] {
        match channels.vods.segment(&url).await {
            Ok(()) => return true,
            Err(
                OriginError::Gone { .. } | OriginError::Spoilt { .. } | OriginError::Refused { .. },
            ) => return false,
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
async fn is_same<V: Vods>(vods: &V, asset: &AssetRecord) -> bool {
    let Ok(url) = Url::parse(&asset.url) else { return true };
    match vods.playlist(&url).await {
        Err(OriginError::Gone { .. } | OriginError::Spoilt { .. }) => false,
        Err(OriginError::Unavailable { .. } | OriginError::Refused { .. }) => true,
        // Its playlists may fail for a moment: only another index is another VOD.
        Ok(_) => assets::read(vods, &url).await.map_or(true, |now| now.hash() == asset.hash),
    }
}

/// Fills the breaks of an entry without the ads that are gone; without any, with the slate; where there is no room for
/// that, with less, or with nothing.
async fn without<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &ChannelRecord,
    entry: &Entry,
    wish: &Wish,
    gone: &BTreeSet<AssetHash>,
) {
    let Some(of) = &record.channel else { return };
    let slate = slate(channels, of).await;
    let half = slate.as_ref().map_or(Micros(0), |(_, index)| Micros(index.longest().0 / 2));
    let (mut full, mut less, mut none) = (wish.clone(), wish.clone(), wish.clone());
    (full.breaks, less.breaks, none.breaks) = (Vec::new(), Vec::new(), Vec::new());
    for wished in &wish.breaks {
        let ads = if wished.ads.is_empty() { &of.ads } else { &wished.ads };
        let left = ads.iter().filter(|ad| !gone.contains(*ad)).cloned();
        let mut left = Break { ads: left.collect(), ..wished.clone() };
        if left.ads.len() == ads.len() {
            none.breaks.push(wished.clone());
        }
        if left.ads.is_empty() {
            left.ads.extend(slate.iter().map(|(hash, _)| hash.clone()));
        }
        if !left.ads.is_empty() {
            full.breaks.push(left.clone());
            less.breaks.push(Break { duration: left.duration - half, ..left });
        }
    }
    let edits = [full, less, none].map(|wish| Edit::Replace(entry.id, vec![wish]));
    if let Some(done) = channels.try_each(&record.id, &edits).await {
        let (channel, id) = (record.id.as_str(), entry.id);
        tracing::warn!(channel, entry = id, done, "ads are gone: others play in their place");
    }
}

/// Puts the slate in the place of an entry, for as long; without a slate, nothing.
async fn replace<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &ChannelRecord,
    entry: &Entry,
    settled: Timestamp,
) {
    let slate = match &record.channel {
        Some(channel) => slate(channels, channel).await,
        None => None,
    };
    let mut edits = Vec::new();
    if let Some((hash, index)) = slate {
        let (length, each) = (entry.end().since(entry.start()), index.duration().0.max(1));
        let (whole, rest) = (length.0 / each, Micros(length.0 % each));
        let wish = |duration| Wish {
            asset: hash.clone(),
            live: None,
            title: None,
            start: None,
            offset: Micros(0),
            duration,
            breaks: Vec::new(),
        };
        if whole <= MAX_REPEATS {
            let mut wishes: Vec<Wish> = (0..whole).map(|_| wish(None)).collect();
            wishes.extend((rest > Micros(0)).then(|| wish(Some(rest))));
            if let Some(first) = wishes.first_mut() {
                first.start = Some(entry.start());
            }
            edits.push(Edit::Replace(entry.id, wishes));
        }
        // A hole is one item, however long. Where there is no room for a segment of the slate that is longer than what
        // is left, it ends with the one before.
        let early = Timestamp(entry.end().0.saturating_sub(index.longest().0 / 2));
        edits.extend([entry.end(), early].map(|until| Edit::Clear(entry.id, until)));
    }
    edits.push(Edit::Remove(vec![entry.id]));
    let (channel, id) = (record.id.as_str(), entry.id);
    match channels.try_each(channel, &edits).await {
        Some(true) => {
            tracing::warn!(channel, entry = id, "what was scheduled is gone: the slate plays");
        }
        Some(false) => {
            tracing::warn!(channel, entry = id, %settled, "what was scheduled is gone, and stays");
        }
        None => {}
    }
}

/// The slate of a channel, and its index.
async fn slate<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    channel: &Channel,
) -> Option<(AssetHash, Arc<Asset>)> {
    let hash = channel.slate.as_ref()?.asset.clone();
    let mut indexes = channels.indexes(std::iter::once(hash.clone())).await.ok()?;
    indexes.remove(&hash).map(|index| (hash, index))
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    /// Makes the first of some changes that is not refused. Whether there is one; absent where what they are about was
    /// changed by somebody else.
    async fn try_each(&self, channel: &str, edits: &[Edit]) -> Option<bool> {
        for edit in edits {
            match self.apply(channel, edit, 0).await {
                Ok(Ok(_)) => return Some(true),
                Ok(Err(Unchanged::Refused(refusals)))
                    if refusals.iter().any(|refusal| refusal.why == Why::NoEntry) =>
                {
                    return None;
                }
                Ok(Err(_)) => {}
                Err(_) => break,
            }
        }
        Some(false)
    }
}
