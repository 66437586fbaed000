//! Schedules that are extended by themselves.

use super::schedule::Unchanged;
use super::{Channels, Vods};
use crate::problem::Problem;
use channel::ports::{ChannelRecord, Fill, Shelf, ShelfError};
use channel::{Break, Edit, Entry, FREEZE, Library, Refusal, Seed, Why, Wish, commit};
use hls::{Micros, Timestamp};
use relay::ports::Clock;

/// At most so many programmes at once; the rest comes with the next turn.
const AT_ONCE: u64 = 500;

/// Extends a schedule as far ahead as it is to be. What cannot be played is left out.
pub async fn extend<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    id: &str,
) -> Result<(), ShelfError> {
    let Some(record) = channels.shelf.channel(id).await? else { return Ok(()) };
    let Some(fill) = &record.fill else { return Ok(()) };
    let now = channels.clock.now();
    let log = channels.shelf.log(id, Timestamp(u64::MAX), Timestamp(u64::MAX)).await?;
    let end = log.last().map_or(now, Entry::end).max(now);
    // Not a little every minute.
    if end + Micros(fill.ahead.0 / 10) >= now + fill.ahead {
        return Ok(());
    }
    let Ok(indexes) = channels.indexes(fill.assets.iter().cloned()).await else { return Ok(()) };
    let (mut wishes, mut picked) = picks(&record, fill, &indexes, end, now + fill.ahead);
    loop {
        match channels.apply(id, &Edit::Append(wishes.clone()), picked).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(Unchanged::Refused(refusals))) if !wishes.is_empty() => {
                if let Some(full) = refusals.iter().find(|it| it.why == Why::Full) {
                    // The rest has its turn when some of what is scheduled is over.
                    wishes.truncate(full.wish);
                    picked = picked.min(full.wish as u64);
                    if wishes.is_empty() {
                        let reason = &full.why;
                        tracing::warn!(channel = id, %reason, "the schedule was not extended");
                        return Ok(());
                    }
                    continue;
                }
                let refused = |place: usize| refusals.iter().any(|it: &Refusal| it.wish == place);
                tracing::warn!(channel = id, reason = %refusals[0], "left out of the schedule");
                let mut place = 0;
                wishes.retain(|_| {
                    place += 1;
                    !refused(place - 1)
                });
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(channel = id, "the schedule was not extended");
                return Ok(());
            }
        }
    }
}

/// The first entries of a channel that was just made: nobody has seen anything of it, so they begin where it does.
pub async fn first<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &mut ChannelRecord,
) -> Result<Vec<Entry>, Problem> {
    let (Some(channel), Some(fill)) = (&record.channel, &record.fill) else {
        return Ok(Vec::new());
    };
    let slate = channel.slate.iter().map(|slate| &slate.asset);
    let named = fill.assets.iter().chain(&channel.ads).chain(slate).cloned();
    let indexes = channels.indexes(named).await?;
    let (from, until) = (channel.epoch, channels.clock.now() + fill.ahead);
    let (mut wishes, picked) = picks(record, fill, &indexes, from, until);
    if let Some(first) = wishes.first_mut() {
        first.start = Some(from);
    }
    let before = Timestamp(from.0.saturating_sub(FREEZE.0));
    let made = commit(channel, &[], record.next_id, &wishes, &indexes, before);
    // What cannot be had so is left to the next turn, which says why.
    let Ok(entries) = made else { return Ok(Vec::new()) };
    record.next_id = entries.iter().map(|entry| entry.id + 1).max().unwrap_or(record.next_id);
    record.picked = picked;
    Ok(entries)
}

/// What is picked for the time until `until`, and how much that is.
fn picks(
    record: &ChannelRecord,
    fill: &Fill,
    indexes: &Library,
    from: Timestamp,
    until: Timestamp,
) -> (Vec<Wish>, u64) {
    let seed = Seed::of(&record.id);
    let (mut wishes, mut picked, mut end) = (Vec::new(), 0, from);
    while end < until && picked < AT_ONCE {
        let number = record.picked + picked;
        let Some(place) = fill.order.pick(seed, fill.assets.len(), number) else { break };
        picked += 1;
        let Some(wish) = fill.assets.get(place).and_then(|hash| wish(fill, hash, indexes)) else {
            continue;
        };
        end = end + indexes.get(&wish.asset).map_or(Micros(0), |asset| asset.duration());
        wishes.push(wish);
    }
    (wishes, picked)
}

/// A programme with breaks, none of them close to its end.
fn wish(fill: &Fill, hash: &channel::AssetHash, indexes: &Library) -> Option<Wish> {
    let length = indexes.get(hash)?.duration();
    let breaks = fill.breaks.map_or_else(Vec::new, |(every, duration)| {
        let moments = (1..).map(|count| Micros(every.0.saturating_mul(count)));
        let inside = moments.take_while(|at| at.0.saturating_add(every.0 / 2) <= length.0);
        inside.take(100).map(|at| Break { at, duration, ads: Vec::new() }).collect()
    });
    Some(Wish {
        asset: hash.clone(),
        live: None,
        title: None,
        start: None,
        offset: Micros(0),
        duration: None,
        breaks,
    })
}
