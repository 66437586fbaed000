//! What is about to play is looked at once more: a VOD that is gone, or is another one now, gives way to the slate.

use super::look::{Looked, gone};
use super::schedule::Unchanged;
use super::{Channels, Vods};
use channel::ports::{ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Break, Channel, Edit, Entry, FREEZE, Role, Why, Wish};
use futures_util::stream::{self, StreamExt};
use hls::{Micros, Timestamp};
use relay::ports::Clock;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

/// How much earlier than by the next look an entry is looked at: looks come late.
const LATE: Micros = Micros::from_secs(15);
/// What it takes to look, and to change the schedule.
const MARGIN: Micros = Micros::from_secs(4);
/// Entries of a channel that are looked at side by side.
const AT_ONCE: usize = 32;

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
    let is_vod = |wish: &Wish| wish.live.is_none() && !wish.stands_in;
    let wished = coming.filter(|entry| entry.wish.as_ref().is_some_and(is_vod));
    let looks = wished.map(|entry| gone(channels, entry, now, looked));
    let mut looks = pin!(stream::iter(looks).buffered(AT_ONCE));
    while let Some((entry, gone)) = looks.next().await {
        let Some(wish) = entry.wish.as_ref().filter(|_| !gone.is_empty()) else { continue };
        let done = match gone.get(&wish.asset) {
            Some(None) => Some(false),
            Some(Some(_)) | None => without(channels, record, entry, wish, &gone).await,
        };
        if done == Some(false) && gone.contains_key(&wish.asset) {
            replace(channels, record, entry, settled).await;
        }
    }
    Ok(())
}

/// Lets what was added in the place of something play in its place, and fills breaks without the ads that are gone;
/// without any, with the slate; where there is no room for that, with less, or with nothing. Whether it was done;
/// absent where somebody else changed the entry.
async fn without<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &ChannelRecord,
    entry: &Entry,
    wish: &Wish,
    gone: &BTreeMap<AssetHash, Option<AssetHash>>,
) -> Option<bool> {
    let of = record.channel.as_ref()?;
    let slate = slate(channels, of).await;
    let half = slate.as_ref().map_or(Micros(0), |(_, index)| Micros(index.longest().0 / 2));
    let now = |hash: &AssetHash| gone.get(hash).cloned().unwrap_or_else(|| Some(hash.clone()));
    let asset = now(&wish.asset)?;
    let (mut full, mut less, mut none) = (Vec::new(), Vec::new(), Vec::new());
    for wished in &wish.breaks {
        let ads = if wished.ads.is_empty() { &of.ads } else { &wished.ads };
        let mut left: Vec<AssetHash> = ads.iter().filter_map(now).collect();
        if left == *ads {
            for breaks in [&mut full, &mut less, &mut none] {
                breaks.push(wished.clone());
            }
            continue;
        }
        if left.is_empty() {
            left.extend(slate.iter().map(|(hash, _)| hash.clone()));
        }
        if !left.is_empty() {
            full.push(Break { ads: left.clone(), ..wished.clone() });
            let duration = wished.duration - half;
            less.push(Break { ads: left, duration, ..wished.clone() });
        }
    }
    let wish = Wish { asset, ..wish.clone() };
    let with = |breaks: Vec<Break>| Wish { breaks, ..wish.clone() };
    // What is longer now than there is room for plays for as long as was planned.
    let programme = entry.items.iter().filter(|item| item.role == Role::Programme);
    let planned = programme.fold(Micros(0), |sum, item| sum + item.duration);
    let planned = Wish { duration: Some(planned), ..with(full.clone()) };
    let wishes = [with(full), planned, with(less), with(none)];
    let done = channels
        .try_each(&record.id, &wishes.map(|wish| Edit::Replace(entry.id, vec![wish])))
        .await?;
    let (channel, id) = (record.id.as_str(), entry.id);
    tracing::warn!(
        channel,
        entry = id,
        done,
        "what is gone is left out, and what was added in its place plays"
    );
    Some(done)
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
        let wish = Wish {
            asset: hash,
            live: None,
            title: None,
            start: Some(entry.start()),
            offset: Micros(0),
            duration: Some(entry.end().since(entry.start())),
            breaks: Vec::new(),
            stands_in: true,
        };
        edits.push(Edit::Replace(entry.id, vec![wish]));
        // Where there is no room for a segment of the slate that is longer than what is left, it ends with the one before.
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
