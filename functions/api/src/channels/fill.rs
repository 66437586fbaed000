//! Schedules that are extended by themselves, and holes in them that are filled.

use super::look::Looked;
use super::schedule::Unchanged;
use super::{Channels, Vods};
use crate::problem::Problem;
use channel::ports::{ChannelRecord, Fill, Shelf, ShelfError};
use channel::{AssetHash, Break, Edit, Entry, FREEZE, Refusal, Seed, Why, Wish, commit};
use hls::{Micros, Timestamp};
use relay::ports::Clock;

/// At most so many programmes at once; the rest comes with the next turn.
const AT_ONCE: usize = 500;
/// So many in a row that do not fit, and none will.
const MISSES: usize = 200;
/// So far ahead holes are looked for: each turn reads the log up to there.
const HOLES: Micros = Micros::from_secs(86_400);
/// How long the slate plays at least in a hole that has begun before something is picked for the rest.
const LATE: Micros = Micros::from_secs(20);

/// What is picked, and how much had its turn with it.
type Picked = (Wish, u64);

/// A time to pick for.
#[derive(Clone, Copy)]
struct Span {
    from: Timestamp,
    until: Timestamp,
    /// When all of it must be over.
    over: Timestamp,
}

/// Extends a schedule as far ahead as it is to be, and fills the first hole before then that something fits. What cannot
/// be played is left out.
pub async fn extend<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    id: &str,
    looked: &Looked,
) -> Result<(), ShelfError> {
    let Some(record) = channels.shelf.channel(id).await? else { return Ok(()) };
    let Some(fill) = &record.fill else { return Ok(()) };
    let now = channels.clock.now();
    let until = now + fill.ahead;
    // Not a little every minute.
    let soon = Timestamp(until.0 - fill.ahead.0 / 10);
    let log = channels.shelf.log(id, Timestamp(u64::MAX), Timestamp(u64::MAX)).await?;
    let end = log.last().map_or(now, Entry::end).max(now);
    if end < soon {
        let span = Span { from: end, until, over: Timestamp(u64::MAX) };
        let picked = picks(&record, fill, looked, span);
        if picked.is_empty() {
            tracing::warn!(channel = id, "there is nothing to extend the schedule with");
        }
        add(channels, id, picked, Edit::Append).await;
        return Ok(());
    }
    let log = channels.shelf.log(id, now, soon.min(now + HOLES)).await?;
    for hole in log.iter().filter(|entry| entry.wish.is_none() && entry.seen.is_none()) {
        let (over, begun) = (hole.end(), now + FREEZE + LATE);
        let span = Span { from: hole.start().max(begun), until: until.min(over), over };
        let picked = picks(&record, fill, looked, span);
        let behind = Timestamp(over.0.saturating_add(1));
        let next = channels.shelf.log(id, over, behind).await?;
        let next = next.iter().find(|entry| entry.start() >= over && entry.wish.is_some());
        if let Some(next) = next.filter(|_| !picked.is_empty()) {
            add(channels, id, picked, |wishes| Edit::Insert(next.id, wishes)).await;
            channels.air.note_unseen(id);
            return Ok(());
        }
    }
    Ok(())
}

/// Schedules what was picked, but for what cannot be.
async fn add<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    id: &str,
    mut picked: Vec<Picked>,
    edit: impl Fn(Vec<Wish>) -> Edit,
) {
    let mut count = picked.last().map_or(0, |(_, count)| *count);
    while !picked.is_empty() {
        let wishes = picked.iter().map(|(wish, _)| wish.clone()).collect();
        let refusals = match channels.apply(id, &edit(wishes), count).await {
            Ok(Ok(_)) => return,
            Ok(Err(Unchanged::Refused(refusals))) => refusals,
            Ok(Err(Unchanged::Wrong(_))) | Err(_) => break,
        };
        let of_place = |it: &Refusal| matches!(it.why, Why::NoEntry) || it.field == "before";
        if refusals.is_empty() || refusals.iter().any(of_place) {
            break;
        }
        let fits = picked.len();
        let behind = refusals.iter().find(|it| it.why == Why::Full || it.wish >= fits);
        if let Some(behind) = behind {
            // The rest has its turn when some of what is scheduled is over, or elsewhere.
            let reason = &behind.why;
            picked.truncate(behind.wish.min(fits - 1));
            count = picked.last().map_or(0, |(_, count)| *count);
            if picked.is_empty() {
                tracing::warn!(channel = id, %reason, "the schedule was not extended");
                return;
            }
            continue;
        }
        tracing::warn!(channel = id, reason = %refusals[0], "left out of the schedule");
        let refused = |place: usize| refusals.iter().any(|it: &Refusal| it.wish == place);
        let mut place = 0;
        picked.retain(|_| {
            place += 1;
            !refused(place - 1)
        });
    }
    tracing::warn!(channel = id, "the schedule was not extended");
}

/// The first entries of a channel that was just made: nobody has seen anything of it, so they begin where it does.
pub async fn first<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    record: &mut ChannelRecord,
    looked: &Looked,
) -> Result<Vec<Entry>, Problem> {
    let (Some(channel), Some(fill)) = (&record.channel, &record.fill) else {
        return Ok(Vec::new());
    };
    let slate = channel.slate.iter().map(|slate| &slate.asset);
    let named = fill.assets.iter().chain(&channel.ads).chain(slate).cloned();
    let indexes = channels.indexes(named).await?;
    let (from, until) = (channel.epoch, channels.clock.now() + fill.ahead);
    let over = Timestamp(u64::MAX);
    let mut picked = picks(record, fill, looked, Span { from, until, over });
    if let Some((first, _)) = picked.first_mut() {
        first.start = Some(from);
    }
    let before = Timestamp(from.0.saturating_sub(FREEZE.0));
    let wishes: Vec<Wish> = picked.iter().map(|(wish, _)| wish.clone()).collect();
    let made = commit(channel, &[], record.next_id, &wishes, &indexes, before);
    // What cannot be had so is left to the next turn, which says why.
    let Ok(entries) = made else { return Ok(Vec::new()) };
    record.next_id = entries.iter().map(|entry| entry.id + 1).max().unwrap_or(record.next_id);
    record.picked = picked.last().map_or(0, |(_, count)| *count);
    Ok(entries)
}

/// What is picked for a time: what was added and is there, as it is now.
fn picks(record: &ChannelRecord, fill: &Fill, looked: &Looked, span: Span) -> Vec<Picked> {
    let seed = Seed::of(&record.id);
    let ads = house_ads(record, looked);
    let (mut picked, mut end) = (Vec::new(), span.from);
    let (mut misses, mut count) = (0, 0);
    while end < span.until && picked.len() < AT_ONCE {
        let number = record.picked + count;
        let Some(place) = fill.order.pick(seed, fill.assets.len(), number) else { break };
        count += 1;
        let asset = fill.assets.get(place).and_then(|hash| looked.now(hash));
        let wished = asset.map(|(hash, length)| wish(fill, hash, length, ads.as_deref()));
        let fits = wished.filter(|(_, length)| end + *length <= span.over);
        if let Some((wish, length)) = fits {
            end = end + length;
            picked.push((wish, count));
            misses = 0;
        } else {
            misses += 1;
            if misses >= MISSES.min(2 * fill.assets.len()) {
                break;
            }
        }
    }
    picked
}

/// What fills the breaks of what is picked: nothing by name where all of the channel's ads are there; absent where
/// nothing is.
fn house_ads(record: &ChannelRecord, looked: &Looked) -> Option<Vec<AssetHash>> {
    let channel = record.channel.as_ref()?;
    let now = |ad: &AssetHash| looked.now(ad).map(|(hash, _)| hash.clone());
    let ads: Vec<AssetHash> = channel.ads.iter().filter_map(now).collect();
    match channel.slate.as_ref() {
        _ if ads == channel.ads => Some(Vec::new()),
        Some(slate) if ads.is_empty() => Some(vec![slate.asset.clone()]),
        Some(_) | None => Some(ads).filter(|ads| !ads.is_empty()),
    }
}

/// A programme with breaks, none of them close to its end, and how long it is with them.
fn wish(
    fill: &Fill,
    hash: &AssetHash,
    length: Micros,
    ads: Option<&[AssetHash]>,
) -> (Wish, Micros) {
    let breaks = fill.breaks.zip(ads).map_or_else(Vec::new, |((every, duration), ads)| {
        let moments = (1..).map(|count| Micros(every.0.saturating_mul(count)));
        let inside = moments.take_while(|at| at.0.saturating_add(every.0 / 2) <= length.0);
        inside.take(100).map(|at| Break { at, duration, ads: ads.to_vec() }).collect()
    });
    let whole = breaks.iter().fold(length, |sum, it: &Break| sum + it.duration);
    let wish = Wish {
        asset: hash.clone(),
        live: None,
        title: None,
        start: None,
        offset: Micros(0),
        duration: None,
        breaks,
        stands_in: false,
    };
    (wish, whole)
}
