//! A slate that was added again: the channel goes on with what it is now.

use super::{Channels, Vods};
use crate::problem::Problem;
use channel::ports::{ChannelRecord, Shelf};
use channel::{Channel, Edit, Entry, FREEZE, Role, commit};
use hls::Micros;
use relay::ports::Clock;

/// What it takes to write.
const LATE: Micros = Micros::from_secs(2);

/// The slate that viewers may have been shown behind the end of the schedule: it is written down before another takes its
/// place.
pub async fn shown<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    before: &Channel,
    record: &mut ChannelRecord,
) -> Result<Vec<Entry>, Problem> {
    let now = channels.clock.now();
    let log = channels.log(&record.id, now).await?;
    let slate = before.slate.iter().map(|slate| slate.asset.clone());
    let last = log.iter().rev().find_map(|entry| entry.items.last());
    let named = last.map(|item| item.asset.clone()).into_iter().chain(slate);
    let indexes = channels.indexes_of(&log, named).await?;
    // Without a wish there is nothing to refuse.
    let entries = commit(before, &log, record.next_id, &[], &indexes, now).unwrap_or_default();
    record.next_id = entries.iter().map(|entry| entry.id + 1).max().unwrap_or(record.next_id);
    Ok(entries)
}

/// Writes anew what is scheduled and not settled, as far as the slate plays there.
pub async fn renew<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    id: &str,
) -> Result<(), Problem> {
    let settled = channels.clock.now() + FREEZE + LATE;
    let log = channels.log(id, settled).await?;
    let is_slate = |entry: &Entry| entry.items.iter().any(|item| item.role == Role::Slate);
    let Some(first) = log.iter().position(is_slate) else { return Ok(()) };
    let behind = log.iter().skip(first).find(|it| it.start() > settled && it.wish.is_some());
    if let Some(behind) = behind {
        let done = channels.apply(id, &Edit::Insert(behind.id, Vec::new()), 0).await?.is_ok();
        tracing::info!(
            channel = id,
            done,
            "the slate that was added again plays in what is scheduled"
        );
    }
    Ok(())
}
