//! A piece of a live programme goes into the log when it is seen.

use crate::asset::{Asset, AssetHash};
use crate::commit::{FREEZE, fitting};
use crate::edit::{Change, cut, event};
use crate::event::Piece;
use crate::play::Totals;
use crate::schedule::{Channel, Entry, Event, Item, Library, Live, Role, Seen, Spot, Wish, length};
use crate::timeline::{Unread, index};
use hls::{Micros, Timestamp};

/// How long before it is settled what a live source is to play it is looked at first: what it shows by then
/// is what its programme begins with.
const EARLY: Micros = Micros::from_secs(4);

/// Where the next piece of a live programme goes, and what it is to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The entry of the programme.
    pub entry: u64,
    /// Its source.
    pub event: Event,
    /// When the piece begins.
    pub start: Timestamp,
    /// When the source is to be looked at first.
    pub due: Timestamp,
    /// When nothing more can be put there: the next programme's turn.
    pub closes: Timestamp,
    /// Whether something else plays between it and the piece before, or there is none.
    pub is_hole: bool,
}

/// The first live programme of a log that is open, with room that nobody has seen yet.
#[must_use]
pub fn gap(log: &[Entry], now: Timestamp) -> Option<Gap> {
    let frozen = now + FREEZE;
    let open =
        |entry: &Entry| event(entry).is_some_and(|it| it.end > frozen) && entry.end() > frozen;
    let place = log.iter().position(open)?;
    let entry = log.get(place)?;
    let before = place.checked_sub(1).and_then(|before| log.get(before));
    let (event, start) = (event(entry)?.clone(), entry.start().max(frozen));
    let due = Timestamp(start.0.saturating_sub(FREEZE.0 + EARLY.0));
    let piece = before.and_then(|it| it.seen.as_ref());
    let follows =
        piece.is_some_and(|piece| event.seen.as_ref().is_some_and(|it| it.is_behind(&piece.index)));
    Some(Gap {
        entry: entry.id,
        due: if event.seen.is_some() { Timestamp(0) } else { due },
        closes: Timestamp(event.end.min(entry.end()).0.saturating_sub(FREEZE.0)),
        event,
        start,
        is_hole: !follows || entry.start() < frozen,
    })
}

/// Puts a piece into a log, in the place of the slate of its programme; what comes later is moved.
///
/// Absent where there is no room for it any more.
///
/// # Errors
/// When an index is missing.
pub fn append(
    channel: &Channel,
    log: &[Entry],
    next_id: u64,
    piece: &Piece,
    indexes: &Library,
    now: Timestamp,
) -> Result<Option<Change>, Unread> {
    let Some(Gap { entry: id, event, start, is_hole, .. }) = gap(log, now) else {
        return Ok(None);
    };
    let mut later = log.iter().skip_while(|entry| entry.id != id);
    let Some(rest) = later.next() else { return Ok(None) };
    let (Some(slate), Some(old)) = (&channel.slate, rest.items.last()) else { return Ok(None) };
    let (kept, left) = cut(log, start, now + FREEZE, indexes);
    let mut entries = Vec::new();
    let mut next_id = next_id;
    // What readers may have been shown of it was the slate.
    if let Some(left) = left {
        entries.push(Entry { id: next_id, wish: None, ..left });
        next_id += 1;
    }
    let before = kept.checked_sub(1).and_then(|place| log.get(place));
    let before = entries.last().or(before).and_then(|entry| entry.items.last());
    let ladder = &channel.ladder;
    let after = |item: &Item| Ok(item.after(ladder, index(indexes, &item.asset)?));
    let start = before.map_or(start, Item::end);
    let index_of = &piece.index;
    let lead = index_of.lead();
    let end = lead.boundary(lead.start(0) + event.end.since(start));
    if end == 0 {
        return Ok(None);
    }
    let live = before.filter(|_| !is_hole).and_then(|before| before.live);
    // By the time that it is put there the slate may have been settled.
    let continues = piece.continues && !is_hole;
    let mut totals = before.map_or(Ok(Totals::none(ladder)), after)?;
    totals.discontinuities -= u64::from(continues);
    let item = Item {
        role: Role::Programme,
        asset: index_of.hash(),
        title: rest.wish.as_ref().and_then(|wish| wish.title.clone()),
        tracks: piece.tracks.clone(),
        start,
        duration: length(index_of, 0, end, 1),
        planned: None,
        first: 0,
        end,
        passes: 1,
        totals,
        spot: None,
        returns: before.and_then(|before| before.spot),
        live: Some(Live {
            began: live.map_or(start, |it| it.began),
            until: event.end,
            continues,
            covered: true,
        }),
    };
    let (mut ends, mut totals) = (item.end(), item.after(ladder, index_of));
    let seen = Some(Seen { of: id, index: index_of.clone() });
    entries.push(Entry { id: next_id, wish: None, items: vec![item], seen });

    let stands_in = index(indexes, &slate.asset)?;
    let nearest = |asset: &Asset, rest| asset.lead().boundary(rest);
    if let Some((end, passes)) = fitting(stands_in, event.end.since(ends), nearest) {
        let duration = length(stands_in, 0, end, passes);
        let slate = Item { returns: None, ..old.clone() };
        let item = Item { start: ends, duration, end, passes, totals, ..slate };
        (ends, totals) = (item.end(), after(&item)?);
        let event = Event { seen: Some(piece.cursor.clone()), ..event };
        let wish = rest.wish.clone().map(|wish| Wish { live: Some(event), start: None, ..wish });
        entries.push(Entry { id, wish, items: vec![item], seen: None });
    }
    let moved = Moved { from: (old.end(), after(old)?), to: (ends, totals) };
    entries.extend(later.map(|entry| moved.entry(entry)));
    Ok(Some(Change { kept, entries }))
}

/// What is behind a live programme begins elsewhere, with other numbers, when more of it is known.
struct Moved {
    from: (Timestamp, Totals),
    to: (Timestamp, Totals),
}

impl Moved {
    fn entry(&self, entry: &Entry) -> Entry {
        let items = entry.items.iter().map(|item| self.item(item)).collect();
        Entry { items, ..entry.clone() }
    }

    fn item(&self, item: &Item) -> Item {
        let spot = |spot: Spot| Spot { start: self.time(spot.start), ..spot };
        let ((_, from), (_, to)) = (&self.from, &self.to);
        let sequences = item.totals.sequences.iter().zip(from.sequences.iter().zip(&to.sequences));
        let totals = Totals {
            sequences: sequences.map(|(count, (from, to))| count - from + to).collect(),
            discontinuities: item.totals.discontinuities - from.discontinuities
                + to.discontinuities,
        };
        let start = self.time(item.start);
        let (spot, returns) = (item.spot.map(spot), item.returns.map(spot));
        Item { start, totals, spot, returns, ..item.clone() }
    }

    fn time(&self, at: Timestamp) -> Timestamp {
        Timestamp(self.to.0.0.saturating_add(at.since(self.from.0).0))
    }
}

impl Entry {
    /// The indexes of what came from live sources, by the hash that items name them by.
    pub fn seen(log: &[Self]) -> impl Iterator<Item = (AssetHash, &Asset)> {
        log.iter().filter_map(|entry| {
            let (seen, item) = (entry.seen.as_ref()?, entry.items.first()?);
            Some((item.asset.clone(), &seen.index))
        })
    }
}
