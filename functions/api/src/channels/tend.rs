//! What is about to play is looked at once more: a VOD that is gone, or is another one now, gives way to the slate.

use super::{Channels, Vods, assets};
use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{AssetHash, Edit, Entry, FREEZE, Wish};
use hls::{Micros, Timestamp};
use relay::ports::{Clock, OriginError};
use std::collections::BTreeMap;
use url::Url;

/// How much earlier than by the next look an entry is looked at: looks come late.
const LATE: Micros = Micros::from_secs(15);
/// What it takes to look, and to change the schedule.
const MARGIN: Micros = Micros::from_secs(4);
/// A slate that is shorter than this share of what it stands for repeats no more often.
const MAX_REPEATS: u64 = 1_000;

/// Looks at what begins soon on a channel.
pub async fn tend<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &ChannelRecord,
    every: Micros,
    seen: &mut BTreeMap<AssetHash, bool>,
) -> Result<(), ShelfError> {
    let settled = channels.clock.now() + FREEZE + MARGIN;
    let log = channels.shelf.log(&record.id, settled, settled + every + LATE).await?;
    let coming = log.iter().filter(|entry| entry.start() > settled);
    let wished = coming.filter_map(|entry| Some((entry, entry.wish.as_ref()?)));
    // A live source is looked at when it plays.
    let wished = wished.filter(|(_, wish)| wish.live.is_none());
    for (entry, wish) in wished {
        let good = match seen.get(&wish.asset) {
            Some(good) => *good,
            None => {
                let all = channels.shelf.assets().await?;
                let known = all.into_iter().find(|asset| asset.hash == wish.asset);
                // One that was removed since is not known to be anywhere: it plays as it was.
                let good = match known {
                    Some(asset) => is_there(&*channels.vods, &asset).await,
                    None => true,
                };
                seen.insert(wish.asset.clone(), good);
                good
            }
        };
        if !good {
            replace(channels, record, entry, settled).await;
        }
    }
    Ok(())
}

/// Whether a VOD is there and still what it was; it is until its origin says otherwise.
async fn is_there<V: Vods>(vods: &V, asset: &AssetRecord) -> bool {
    let Ok(url) = Url::parse(&asset.url) else { return true };
    match vods.playlist(&url).await {
        Err(OriginError::Gone { .. }) => false,
        Err(OriginError::Unavailable { .. } | OriginError::Refused { .. }) => true,
        // Its playlists may fail for a moment: only another index is another VOD.
        Ok(_) => assets::read(vods, &url).await.map_or(true, |now| now.hash() == asset.hash),
    }
}

/// Puts the slate in the place of an entry, for as long; without a slate, nothing.
async fn replace<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &ChannelRecord,
    entry: &Entry,
    settled: Timestamp,
) {
    let slate = record.channel.as_ref().and_then(|channel| channel.slate.as_ref());
    let mut wishes = Vec::new();
    if let Some(slate) = slate
        && let Ok(indexes) = channels.indexes(std::iter::once(slate.asset.clone())).await
        && let Some(index) = indexes.get(&slate.asset)
    {
        let (length, each) = (entry.end().since(entry.start()), index.duration().0.max(1));
        let (whole, rest) = (length.0 / each, Micros(length.0 % each));
        let wish = |duration| Wish {
            asset: slate.asset.clone(),
            live: None,
            title: None,
            start: None,
            offset: Micros(0),
            duration,
            breaks: Vec::new(),
        };
        wishes.extend((0..whole.min(MAX_REPEATS)).map(|_| wish(None)));
        wishes.extend((rest > Micros(0)).then(|| wish(Some(rest))));
    }
    let edit = match wishes.as_slice() {
        [] => Edit::Remove(vec![entry.id]),
        _ => Edit::Replace(entry.id, wishes),
    };
    let (channel, id) = (record.id.as_str(), entry.id);
    match channels.apply(channel, &edit, 0).await {
        Ok(Ok(_)) => {
            tracing::warn!(channel, entry = id, "what was scheduled is gone: the slate plays")
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(channel, entry = id, %settled, "what was scheduled is gone, and stays");
        }
    }
}
