//! `/channels/{id}/schedule` and `/now`: what plays when.

use super::air::{Plays, programmes};
use super::definition::{Fixed, Named};
use super::shown::{EntryAnswer, ItemAnswer, Names, NowAnswer};
use super::wishes::Asked;
use super::{Channels, Vods, failed, overtaken};
use crate::fields::{Errors, FieldError};
use crate::path::Path;
use crate::problem::Problem;
use crate::sessions::read_json;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use channel::ports::{ChannelRecord, Shelf};
use channel::{AssetHash, Change, Edit, Entry, Library, Refusal, Tracks, Wish, edit};
use hls::{Micros, Timestamp};
use relay::ports::Clock;
use std::collections::BTreeMap;

/// What `GET` shows when nothing is said.
const DAY: Micros = Micros::from_secs(86_400);
/// How many it shows at once.
const MAX_ENTRIES: usize = 5_000;
/// How many programmes `now` looks ahead.
const NEXT: usize = 5;
/// How often a change is tried that others overtake.
const TRIES: usize = 5;

/// Why a change was not made: the fields of the request, as far as it has some.
pub enum Unchanged {
    Refused(Vec<Refusal>),
    /// The first asset cannot make the channel.
    Wrong(Vec<FieldError>),
}

/// `GET /channels/{id}/schedule?from=&to=`
pub async fn show<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    channels.find(&id).await?;
    let (mut from, mut to, mut errors) = (None, None, Errors::default());
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let moment = Timestamp::from_date_time(&value);
        match &*name {
            "from" => from = moment,
            "to" => to = moment,
            _ => errors.add(&*name, "is not a known parameter: from, to"),
        }
        if moment.is_none() {
            errors.add(&*name, "must be a moment such as 2026-11-21T20:15:00Z");
        }
    }
    let from = from.unwrap_or_else(|| channels.clock.now());
    let to = to.unwrap_or(from + DAY);
    if to < from {
        errors.add("to", "must not be before from, which is now unless it is said");
    }
    if !errors.0.is_empty() {
        return Err(Problem::fields(StatusCode::BAD_REQUEST, errors.0));
    }
    let log = channels.shelf.log(&id, from, to).await.map_err(|error| failed(&error))?;
    let names = Names::read(&*channels.shelf).await.map_err(|error| failed(&error))?;
    let within = log.iter().filter(|entry| entry.end() > from && entry.start() < to);
    let mut entries = EntryAnswer::all(within, &names);
    let more = entries.split_off(MAX_ENTRIES.min(entries.len()));
    let next = more.first().map(EntryAnswer::from);
    Ok(Json(serde_json::json!({ "entries": entries, "next": next })))
}

/// `POST /channels/{id}/schedule`
pub async fn change<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Problem> {
    let body = read_json(&headers, body, super::BODY_BYTES)?;
    channels.find(&id).await?;
    let mut errors = Errors::default();
    let refused = |errors| Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors);
    let Some(asked) = Asked::read(body, &*channels.refuses, &mut errors) else {
        return Err(refused(errors.0));
    };
    let edit = match asked {
        Asked::Append(items) => Edit::Append(channels.wishes(items, &mut errors).await?),
        Asked::From(at, items) => Edit::From(at, channels.wishes(items, &mut errors).await?),
        Asked::Before(id, items) => Edit::Insert(id, channels.wishes(items, &mut errors).await?),
        Asked::Entry(id, items) => Edit::Replace(id, channels.wishes(items, &mut errors).await?),
        Asked::Remove(ids) => Edit::Remove(ids),
    };
    if !errors.0.is_empty() {
        return Err(refused(errors.0));
    }
    let entries = match channels.apply(&id, &edit, 0).await? {
        Ok(entries) => entries,
        Err(Unchanged::Wrong(errors)) => return Err(refused(errors)),
        Err(Unchanged::Refused(refusals)) => {
            let field = |refusal: &Refusal| match refusal.field.as_str() {
                field @ ("from" | "before" | "entry" | "items") => field.to_owned(),
                "entries" => "remove".to_owned(),
                field => format!("items[{}].{field}", refusal.wish),
            };
            let said = |refusal: &Refusal| FieldError {
                field: field(refusal),
                detail: refusal.why.to_string(),
            };
            return Err(refused(refusals.iter().map(said).collect()));
        }
    };
    channels.air.note_unseen(&id);
    let names = Names::read(&*channels.shelf).await.map_err(|error| failed(&error))?;
    let shown = EntryAnswer::all(entries.iter(), &names);
    let location = [(header::LOCATION, format!("/channels/{id}/schedule"))];
    Ok((StatusCode::CREATED, location, Json(serde_json::json!({ "entries": shown }))))
}

/// `GET /channels/{id}/now`
pub async fn now<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let now = channels.clock.now();
    let on_air = channels.on_air(&id, now).await?;
    let names = Names::read(&*channels.shelf).await.map_err(|error| failed(&error))?;
    let mut next_break = None;
    let mut coming: Vec<ItemAnswer> = match (&on_air.plays, &on_air.record.channel) {
        (Plays::Nothing, _) | (_, None) => Vec::new(),
        (Plays::Cycle(cycle), _) => {
            let on = cycle.on_now(now, None, NEXT + 1);
            let show = |on: &channel::OnNow| {
                let hash = on_air.record.cycle.get(on.place)?;
                Some(ItemAnswer::of_loop(hash, on.start, on.start + on.duration, &names))
            };
            on.iter().filter_map(show).collect()
        }
        (Plays::Schedule { .. }, Some(_)) => {
            let coming = channels.coming(&on_air, now, NEXT + 1).await?;
            next_break = coming.iter().filter_map(|item| item.spot).find(|spot| spot.start > now);
            let coming = programmes(&coming).into_iter().take(NEXT + 1);
            coming.map(|item| ItemAnswer::whole(item, &names)).collect()
        }
    };
    let playing = if coming.is_empty() { None } else { Some(coming.remove(0)) };
    let trouble = channels.air.troubles(&id);
    Ok(Json(NowAnswer::new(&on_air.record, now, playing, coming, next_break, trouble)))
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    /// Edits the schedule of a channel, and counts programmes that were picked for it.
    pub(super) async fn apply(
        &self,
        id: &str,
        wanted: &Edit,
        picked: u64,
    ) -> Result<Result<Vec<Entry>, Unchanged>, Problem> {
        for _ in 0..TRIES {
            let record = self.find(id).await?;
            if !record.cycle.is_empty() {
                let detail = format!("channel {id} plays a loop: it has no schedule");
                return Err(Problem::new(StatusCode::CONFLICT, detail));
            }
            let now = self.clock.now();
            let log = self.log(id, now).await?;
            let named = named(&record, &log, wanted);
            let indexes = self.indexes_of(&log, named.into_iter()).await?;
            let mut channel = match record.channel.clone() {
                Some(channel) => channel,
                None => match first_channel(&record, wanted, &indexes, now) {
                    Ok(channel) => channel,
                    Err(errors) => return Ok(Err(Unchanged::Wrong(errors))),
                },
            };
            let change = edit(&channel, &log, record.next_id, wanted.clone(), &indexes, now);
            let change = match change {
                Ok(change) => change,
                Err(refusals) => return Ok(Err(Unchanged::Refused(refusals))),
            };
            // Each asset once, however often it is scheduled.
            let items = change.entries.iter().flat_map(|entry| &entry.items);
            let played: BTreeMap<&AssetHash, &Tracks> =
                items.map(|item| (&item.asset, &item.tracks)).collect();
            for (hash, tracks) in played {
                if let Some(asset) = indexes.get(hash) {
                    channel.ladder.lift(asset, tracks);
                }
            }
            if let Some(entries) = self.write(record, channel, &log, change, picked).await? {
                if entries.iter().any(|it| it.wish.as_ref().is_some_and(|it| it.live.is_some())) {
                    self.air.note(id);
                }
                return Ok(Ok(entries));
            }
        }
        Err(overtaken(id))
    }

    /// The log of a channel from now on.
    pub(super) async fn log(&self, id: &str, now: Timestamp) -> Result<Vec<Entry>, Problem> {
        let log = self.shelf.log(id, now, Timestamp(u64::MAX)).await;
        log.map_err(|error| failed(&error))
    }

    /// Writes what becomes of a log, and says what is new in it; absent where somebody else was first.
    pub(super) async fn write(
        &self,
        record: ChannelRecord,
        channel: channel::Channel,
        log: &[Entry],
        Change { kept, entries }: Change,
        picked: u64,
    ) -> Result<Option<Vec<Entry>>, Problem> {
        let highest = entries.iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        let record = ChannelRecord {
            revision: record.revision + 1,
            next_id: record.next_id.max(highest),
            picked: record.picked + picked,
            channel: Some(channel),
            ..record
        };
        let cut = log.get(kept).map(Entry::start);
        let done = self.shelf.commit(&record, cut, &entries).await;
        if !done.map_err(|error| failed(&error))? {
            return Ok(None);
        }
        self.air.change(&record.id);
        Ok(Some(entries))
    }
}

/// The assets that an edit needs to know.
fn named(record: &ChannelRecord, log: &[Entry], wanted: &Edit) -> Vec<AssetHash> {
    fn of_wish(wish: &Wish) -> impl Iterator<Item = AssetHash> {
        let ads = wish.breaks.iter().flat_map(|it| &it.ads);
        let asset = Some(&wish.asset).filter(|_| wish.live.is_none());
        asset.into_iter().chain(ads).cloned()
    }
    let (wishes, kept) = match wanted {
        Edit::Append(wishes) => (wishes.as_slice(), true),
        Edit::From(_, wishes) | Edit::Insert(_, wishes) | Edit::Replace(_, wishes) => {
            (wishes.as_slice(), false)
        }
        Edit::Remove(_) | Edit::Clear(..) => ([].as_slice(), false),
    };
    // An addition needs to know what it comes behind; other edits may write anew what is there.
    let log = if kept { log.split_at(log.len().saturating_sub(1)).1 } else { log };
    let mut named: Vec<AssetHash> = wishes.iter().flat_map(of_wish).collect();
    named.extend(log.iter().flat_map(|entry| entry.items.iter().map(|item| item.asset.clone())));
    named.extend(log.iter().filter_map(|entry| entry.wish.as_ref()).flat_map(of_wish));
    if let Some(channel) = &record.channel {
        named.extend(channel.slate.iter().map(|slate| slate.asset.clone()));
        named.extend(channel.ads.iter().cloned());
    }
    named
}

/// What a channel is by the first programme that is scheduled on it.
fn first_channel(
    record: &ChannelRecord,
    wanted: &Edit,
    indexes: &Library,
    now: Timestamp,
) -> Result<channel::Channel, Vec<FieldError>> {
    let wishes = match wanted {
        Edit::Append(wishes) | Edit::From(_, wishes) => wishes.as_slice(),
        Edit::Insert(..) | Edit::Replace(..) | Edit::Remove(_) | Edit::Clear(..) => &[],
    };
    let named: Vec<Named> = wishes
        .iter()
        .enumerate()
        .filter_map(|(place, wish)| {
            let (field, hash) = (format!("items[{place}].asset"), wish.asset.clone());
            Some(Named { field, asset: indexes.get(&hash)?.clone(), hash })
        })
        .collect();
    let fixed: Fixed = serde_json::from_str(&record.fixed).unwrap_or_default();
    let numbers = record.numbers;
    let made = fixed.channel(&named, Vec::new(), now)?;
    made.map(|channel| channel::Channel { numbers, ..channel }).ok_or_else(|| {
        let detail = "is required: the channel has nothing yet that shows what it is";
        vec![FieldError { field: "items".to_owned(), detail: detail.to_owned() }]
    })
}
