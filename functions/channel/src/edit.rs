//! Changes to the part of a schedule that nobody has seen yet.

use crate::asset::{Asset, AssetHash};
use crate::breaks::LEFT_OVER;
use crate::commit::{AHEAD, FREEZE, Refusal, Why, write};
use crate::schedule::{Channel, Entry, Event, Item, Library, Role, Spot, Wish, length};
use hls::{Micros, Timestamp};

/// A change to a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Wishes behind all others.
    Append(Vec<Wish>),
    /// Wishes in the place of all that plays from a moment on; what plays then is cut at the next segment.
    From(Timestamp, Vec<Wish>),
    /// Wishes before an entry; it and those behind it play later.
    Insert(u64, Vec<Wish>),
    /// Wishes in the place of an entry.
    Replace(u64, Vec<Wish>),
    /// Nothing in the place of some entries.
    Remove(Vec<u64>),
    /// What plays when nothing is scheduled in the place of an entry, up to a moment: there begins what follows it at once.
    Clear(u64, Timestamp),
}

/// What becomes of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// So many entries of the log stay as they are; the others go.
    pub kept: usize,
    /// What comes behind them. The first may be an entry that is cut and has kept its name.
    pub entries: Vec<Entry>,
}

/// Edits a log. What begins before now and [`FREEZE`] stays.
///
/// # Errors
/// Every reason why it cannot be done; then nothing is.
pub fn edit(
    channel: &Channel,
    log: &[Entry],
    next_id: u64,
    edit: Edit,
    indexes: &Library,
    now: Timestamp,
) -> Result<Change, Vec<Refusal>> {
    let frozen = now + FREEZE;
    let fresh = |wishes: Vec<Wish>| wishes.into_iter().map(|wish| (None, wish));
    let refuse = |field: &str, why| vec![Refusal { wish: 0, field: field.to_owned(), why }];
    let place_of = |id: u64, field: &str| {
        let place = log.iter().position(|entry| entry.id == id && entry.wish.is_some());
        let place = place.ok_or_else(|| refuse(field, Why::NoEntry))?;
        let settled = log.get(place).map_or(Timestamp(0), |entry| match event(entry) {
            // Of a live programme that has begun, what has not been seen is open.
            Some(_) => entry.end(),
            None => entry.start(),
        });
        if settled < frozen { Err(refuse(field, Why::Frozen(frozen))) } else { Ok(place) }
    };
    let known = |from: usize| {
        let moved = |it: &Entry| {
            let wish = it.wish.clone()?;
            // A live programme that has begun goes on when it can.
            let start = wish.start.filter(|_| it.start() >= frozen);
            Some((Some(it.id), Wish { start, ..wish }))
        };
        log.iter().skip(from).filter_map(moved).collect()
    };
    let is_cut = matches!(edit, Edit::From(..));
    let asked = if matches!(edit, Edit::Remove(_)) { "entries" } else { "items" };
    let (at, mut wishes): (Timestamp, Vec<(Option<u64>, Wish)>) = match edit {
        Edit::Append(wishes) => (Timestamp(u64::MAX), fresh(wishes).collect()),
        Edit::From(at, _) if at < frozen => return Err(refuse("from", Why::Frozen(frozen))),
        Edit::From(at, _) if at > now + AHEAD => return Err(refuse("from", Why::TooFar)),
        Edit::From(at, wishes) => (at, fresh(wishes).collect()),
        Edit::Insert(before, wishes) => {
            let place = place_of(before, "before")?;
            let wishes = fresh(wishes).chain(known(place) as Vec<_>).collect();
            (hole_before(log, place, frozen), wishes)
        }
        Edit::Replace(entry, mut wishes) => {
            let place = place_of(entry, "entry")?;
            go_on(log.get(place), &mut wishes);
            let start = log.get(place).map(Entry::start).filter(|start| *start >= frozen);
            let begins = wishes.first().and_then(|wish| wish.start);
            let wishes = fresh(wishes).chain(known(place + 1) as Vec<_>).collect();
            match start {
                // What begins at the same time leaves the slate before it as it is.
                Some(start) if begins == Some(start) => (start, wishes),
                Some(_) | None => (hole_before(log, place, frozen), wishes),
            }
        }
        Edit::Clear(entry, until) => {
            let place = place_of(entry, "entry")?;
            let mut wishes: Vec<(Option<u64>, Wish)> = known(place + 1);
            // What is behind a hole has a start already.
            if log.get(place + 1).is_some_and(|next| next.wish.is_some())
                && let Some((_, next)) = wishes.first_mut()
            {
                next.start = Some(next.start.map_or(until, |start| start.min(until)));
            }
            let start = log.get(place).map(Entry::start).filter(|start| *start >= frozen);
            (start.unwrap_or_else(|| hole_before(log, place, frozen)), wishes)
        }
        Edit::Remove(ids) => {
            let places = ids.iter().map(|id| place_of(*id, "entries"));
            let places = places.collect::<Result<Vec<usize>, _>>()?;
            let Some(first) = places.into_iter().min() else {
                return Ok(Change { kept: log.len(), entries: Vec::new() });
            };
            let mut wishes: Vec<(Option<u64>, Wish)> = known(first);
            wishes.retain(|(id, _)| id.is_none_or(|id| !ids.contains(&id)));
            (hole_before(log, first, frozen), wishes)
        }
    };
    let (kept, mut cut) = cut(log, at, frozen, indexes);
    let mut next_id = next_id;
    if let Some(cut) = cut.as_mut().filter(|cut| event(cut).is_some() && !is_cut) {
        // What was shown of a live programme without any piece of it was the slate.
        (cut.id, cut.wish, next_id) = (next_id, None, next_id + 1);
    }
    let mut log: Vec<Entry> = log.iter().take(kept).cloned().collect();
    log.extend(cut.clone());
    // Where the log does not come so far, the slate leads up to it.
    if is_cut
        && log.last().is_none_or(|last| last.end() < at)
        && let Some((_, first)) = wishes.first_mut()
    {
        first.start = first.start.or(Some(at));
    }
    let written = write(channel, &log, next_id, &wishes, indexes, now);
    // What is behind is no field of what was asked for.
    let of_asked = |refusal: Refusal| match wishes.get(refusal.wish) {
        Some((Some(entry), _)) if refusal.why != Why::Full => {
            let Refusal { wish, field, why } = refusal;
            let why = Why::Behind { entry: *entry, field, why: Box::new(why) };
            Refusal { wish, field: asked.to_owned(), why }
        }
        Some(_) | None => refusal,
    };
    let written =
        written.map_err(|refusals| refusals.into_iter().map(of_asked).collect::<Vec<_>>())?;
    Ok(Change { kept, entries: cut.into_iter().chain(written).collect() })
}

/// When the slate begins that leads up to an entry, as far as it is not settled.
fn hole_before(log: &[Entry], place: usize, frozen: Timestamp) -> Timestamp {
    let begins = |place: usize| log.get(place).map(Entry::start);
    let hole = place.checked_sub(1).and_then(|before| log.get(before));
    match hole.filter(|hole| hole.wish.is_none() && hole.seen.is_none()) {
        Some(hole) => hole.start().max(frozen),
        None => begins(place).unwrap_or(frozen).max(frozen),
    }
}

/// The live source that an entry wishes for.
pub(crate) fn event(entry: &Entry) -> Option<&Event> {
    entry.wish.as_ref()?.live.as_ref()
}

/// Lets the first wish go on where a live programme has come to that it takes the place of.
fn go_on(before: Option<&Entry>, wishes: &mut [Wish]) {
    if let Some(before) = before.and_then(event)
        && let Some(after) = wishes.first_mut().and_then(|wish| wish.live.as_mut())
        && after.url == before.url
    {
        after.seen.clone_from(&before.seen);
    }
}

/// How many entries end before a moment, and what is left of the one that plays then. What begins before `frozen`
/// may have been announced.
pub(crate) fn cut(
    log: &[Entry],
    at: Timestamp,
    frozen: Timestamp,
    indexes: &Library,
) -> (usize, Option<Entry>) {
    let kept = log.iter().take_while(|entry| entry.end() <= at).count();
    let Some(entry) = log.get(kept).filter(|entry| entry.start() < at) else {
        return (kept, None);
    };
    let mut items: Vec<Item> = entry.items.iter().filter(|item| item.start < at).cloned().collect();
    if let Some(last) = items.last_mut()
        && let Some(asset) = indexes.get(&last.asset)
    {
        let planned = last.duration;
        cut_item(last, asset, at);
        // What was said of it does not change (RFC 8216 section 6.2.1).
        let is_told = last.role == Role::Programme && last.start < frozen;
        if is_told && last.duration < planned {
            last.planned.get_or_insert(planned);
        }
    }
    // A live programme ends then, also where the cut takes nothing that has been seen of it.
    let is_less = items != entry.items || event(entry).is_some();
    let mut entry = Entry { items, ..entry.clone() };
    if is_less {
        entry.wish = entry.wish.take().and_then(|wish| left_of(wish, at, &entry.items, indexes));
    }
    (kept, Some(entry))
}

/// The wish for what is left of a programme that is cut, so that it plays as much when it is written down anew, but for
/// half a second of a break; absent where that is next to nothing of an ad.
fn left_of(wish: Wish, at: Timestamp, left: &[Item], indexes: &Library) -> Option<Wish> {
    if let Some(event) = wish.live {
        let end = event.end.min(at);
        return Some(Wish { live: Some(Event { end, ..event }), ..wish });
    }
    if wish.stands_in {
        let duration = left.iter().fold(Micros(0), |sum, item| sum + item.duration);
        return Some(Wish { duration: Some(duration), ..wish });
    }
    // The caller gives the indexes of the log with it.
    let Some(asset) = indexes.get(&wish.asset) else { return Some(wish) };
    let lead = asset.lead();
    let first = lead.boundary(wish.offset);
    let last = left.iter().rev().find(|item| item.role == Role::Programme);
    let end = last.map_or(first, |last| last.end);
    let duration = Some(lead.start(end) - lead.start(first));
    // Each of its breaks has items, and the last that has some may be cut.
    let mut spots: Vec<Spot> = left.iter().filter_map(|item| item.spot).collect();
    spots.dedup();
    let mut breaks = wish.breaks;
    breaks.sort_by_key(|wished| lead.boundary(wished.at));
    breaks.truncate(spots.len());
    if let (Some(wished), Some(spot)) = (breaks.last_mut(), spots.last()) {
        let items = || left.iter().filter(|item| item.spot == Some(*spot));
        let length = items().fold(Micros(0), |sum, item| sum + item.duration);
        let ads: Vec<AssetHash> =
            items().filter(|item| item.role == Role::Ad).map(|item| item.asset.clone()).collect();
        if length < spot.duration {
            wished.duration = length;
            // Others might not fit.
            wished.ads = if ads.is_empty() { std::mem::take(&mut wished.ads) } else { ads };
        }
        if length <= LEFT_OVER {
            breaks.pop();
        }
    }
    let is_left = end > first || !breaks.is_empty();
    is_left.then_some(Wish { duration, breaks, ..wish })
}

/// Cuts an item at its first boundary that is not before a moment.
fn cut_item(item: &mut Item, asset: &Asset, at: Timestamp) {
    let place = at.since(item.start) + asset.lead().start(item.first);
    if item.live.is_some() && item.role == Role::Programme {
        item.end = asset.lead().boundary_from(place).min(item.end);
        item.duration = length(asset, item.first, item.end, 1);
        return;
    }
    let whole = asset.duration().0.max(1);
    let (passes, rest) = (place.0 / whole, Micros(place.0 % whole));
    (item.end, item.passes) = match asset.lead().boundary_from(rest) {
        0 => (asset.segments(), passes),
        end => (end, passes + 1),
    };
    item.duration = length(asset, item.first, item.end, item.passes);
}
