//! Wishes to entries of the log: what plays when, with which numbers.

use crate::asset::{Asset, AssetHash};
use crate::breaks::{self, Ad, Filled};
use crate::flaw::Flaw;
use crate::mapping::{Playable, Tracks};
use crate::play::Totals;
use crate::schedule::{
    Break, Channel, Entry, Event, Item, Library, Live, Role, Spot, Wish, length,
};
use crate::timeline::index;
use hls::{Micros, Timestamp};
use std::rc::Rc;

/// What begins before now and so much more stays as it is.
///
/// A reader may have learned of the log so long ago, and its clock may be ahead, and still no playlist
/// goes back: 6 s was safe with 4 s of staleness and 1 s of skew; 1 s was not.
pub const FREEZE: Micros = Micros::from_secs(6);

/// How far ahead something may be scheduled: a year.
pub(crate) const AHEAD: Micros = Micros::from_secs(366 * 86_400);

/// How much a schedule may hold that is to come: programmes, what breaks leave of them, ads, and slates between
/// them. It is read, and may be written anew, with each change. Weeks of half-hour programmes with their ads are less.
const MOST_ITEMS: usize = 20_000;

/// More reasons do not make it clearer.
const MOST_REFUSALS: usize = 100;

/// Why a wish cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct Refusal {
    /// Which of the wishes, counted from 0.
    pub wish: usize,
    /// The field, such as `start` or `breaks[0].at`.
    pub field: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a field of a wish, or of an edit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// There is no index of that name.
    #[error("is not an asset that was added")]
    Unknown,
    /// The channel cannot play it.
    #[error("cannot be played on this channel: {}", in_words(.0))]
    Unplayable(Vec<Flaw>),
    /// It is past, or so near that readers may know what plays then.
    #[error("must not be before {0}: what plays until then is settled")]
    Frozen(Timestamp),
    /// Something else plays then.
    #[error("must not be before {0}, when what comes before it ends")]
    Overlaps(Timestamp),
    /// It is farther ahead than can be planned.
    #[error("must be within a year")]
    TooFar,
    /// Nothing of the asset would play.
    #[error("leaves nothing of the asset to play")]
    Empty,
    /// A break is not in the part that plays.
    #[error("is not in the part of the asset that plays")]
    Outside,
    /// Nothing would stand in where a live source is not there.
    #[error("needs a slate: the channel has none")]
    NoSlate,
    /// A break is longer than any is.
    #[error("must be at most {} s", .0)]
    TooLong(Micros),
    /// With it, the schedule would hold more than can be kept.
    #[error(
        "would be more than {MOST_ITEMS} with all that is scheduled: programmes, parts between breaks, ads, slates"
    )]
    Full,
    /// Of what there is to fill a break with, not half a segment would play.
    #[error("is too short for half a segment of what would fill it")]
    TooShort,
    /// There is nothing to fill a break with.
    #[error("needs ads, of its own or the channel's, or a slate")]
    NoAds,
    /// An entry behind cannot be as it is.
    #[error("would move entry {entry}, whose {field} {why}")]
    Behind {
        /// The entry.
        entry: u64,
        /// The field of its wish.
        field: String,
        /// What would be wrong with it.
        why: Box<Why>,
    },
    /// There is no such entry, or it is what stands in where nothing was asked for.
    #[error("is no programme of the schedule")]
    NoEntry,
}

fn in_words(flaws: &[Flaw]) -> String {
    let words: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    words.join("; ")
}

/// Appends `wishes` to a log that ends with `log`.
///
/// New entries are numbered from `next_id`. Where the log has run out, the slate that readers were shown
/// is written down first.
///
/// # Errors
/// Why wishes cannot be granted, every reason of the first that cannot; then nothing is.
pub fn commit(
    channel: &Channel,
    log: &[Entry],
    next_id: u64,
    wishes: &[Wish],
    indexes: &Library,
    now: Timestamp,
) -> Result<Vec<Entry>, Vec<Refusal>> {
    let named: Vec<(Option<u64>, Wish)> = wishes.iter().map(|wish| (None, wish.clone())).collect();
    write(channel, log, next_id, &named, indexes, now)
}

/// The same for wishes of which some are entries already, and keep their names.
pub(crate) fn write(
    channel: &Channel,
    log: &[Entry],
    next_id: u64,
    wishes: &[(Option<u64>, Wish)],
    indexes: &Library,
    now: Timestamp,
) -> Result<Vec<Entry>, Vec<Refusal>> {
    let last = log.iter().rev().find_map(|entry| entry.items.last());
    let ads = log.iter().rev().flat_map(|entry| entry.items.iter().rev());
    let last_ad = ads.filter(|item| item.role == Role::Ad).map(|item| item.asset.clone()).next();
    let mut writer = Writer {
        channel,
        indexes,
        playable: Playable::new(&channel.ladder, channel.target_duration, indexes),
        house_ads: None,
        room: MOST_ITEMS.saturating_sub(log.iter().map(|entry| entry.items.len()).sum()),
        last: last.cloned(),
        last_ad,
        entries: Vec::new(),
        next_id,
        refusals: Vec::new(),
    };
    // The slate that readers may have been shown.
    writer.fill(now + FREEZE, |asset, rest| asset.lead().boundary_from(rest));
    for (place, (id, wish)) in wishes.iter().enumerate() {
        writer.grant(place, *id, wish, now);
        if writer.refusals.len() >= MOST_REFUSALS {
            break;
        }
    }
    if writer.refusals.is_empty() { Ok(writer.entries) } else { Err(writer.refusals) }
}

struct Writer<'a> {
    channel: &'a Channel,
    indexes: &'a Library,
    playable: Playable<'a>,
    /// What fills a break that names no ads of its own; absent where nobody asked yet.
    house_ads: Option<Rc<[Ad<'a>]>>,
    /// How many more items the schedule may hold.
    room: usize,
    last: Option<Item>,
    last_ad: Option<AssetHash>,
    entries: Vec<Entry>,
    next_id: u64,
    refusals: Vec<Refusal>,
}

/// What is to be played: an asset, its tracks, and segments of it.
struct Part<'a> {
    role: Role,
    hash: &'a AssetHash,
    title: Option<&'a str>,
    asset: &'a Asset,
    tracks: &'a Tracks,
    first: usize,
    end: usize,
    passes: u64,
}

impl<'a> Writer<'a> {
    /// When the next item begins; absent where nothing has begun.
    fn at(&self) -> Option<Timestamp> {
        let slate = self.channel.slate.as_ref().map(|_| self.channel.epoch);
        self.last.as_ref().map(Item::end).or(slate)
    }

    fn grant(&mut self, place: usize, id: Option<u64>, wish: &Wish, now: Timestamp) {
        let before = self.refusals.len();
        let mut refuse = |field: &str, why| {
            self.refusals.push(Refusal { wish: place, field: field.to_owned(), why });
        };
        if let Some(event) = &wish.live {
            return self.grant_event(place, id, wish, event, now);
        }
        if wish.stands_in {
            return self.grant_slate(place, id, wish, now);
        }
        let (hash, asset, tracks) = match self.playable.get(&wish.asset) {
            Ok(found) => found,
            Err(why) => return refuse("asset", why),
        };
        if let Some((field, why)) = self.wrong_start(wish, now) {
            self.refusals.push(Refusal { wish: place, field, why });
        }
        let lead = asset.lead();
        let first = lead.boundary(wish.offset);
        let end = match wish.duration {
            Some(Micros(0)) => first,
            Some(duration) => lead.boundary(lead.start(first) + duration).max(first + 1),
            None => asset.segments(),
        };
        // Of an entry that was cut a break may be left alone.
        let is_left = id.is_some() && !wish.breaks.is_empty();
        if first >= asset.segments() || (end <= first && !is_left) {
            let field = if first >= asset.segments() { "offset" } else { "duration" };
            let field = field.to_owned();
            return self.refusals.push(Refusal { wish: place, field, why: Why::Empty });
        }
        // The slate before it, and what is behind its last break.
        let mut room = self.room.checked_sub(2);
        let mut last_ad = self.last_ad.clone();
        let mut breaks: Vec<(usize, Vec<Filled>)> = Vec::new();
        let until = wish.duration.map_or(asset.duration(), |duration| wish.offset + duration);
        for (number, wished) in wish.breaks.iter().enumerate() {
            let at = lead.boundary(wished.at);
            let is_inside =
                (wish.offset..=until).contains(&wished.at) || (first..=end).contains(&at);
            let filled = if wished.at > asset.duration() || !is_inside {
                Err(("at".to_owned(), Why::Outside))
            } else {
                self.filled(wished, &mut last_ad, room.unwrap_or(0))
            };
            match filled {
                Ok(ads) => {
                    // And what is before the break.
                    room = room.and_then(|room| room.checked_sub(ads.len() + 1));
                    breaks.push((at, ads));
                }
                Err((field, why)) => {
                    let field = format!("breaks[{number}].{field}");
                    self.refusals.push(Refusal { wish: place, field, why });
                }
            }
        }
        if self.refusals.len() > before {
            return;
        }
        if room.is_none() {
            let (field, why) = ("items".to_owned(), Why::Full);
            return self.refusals.push(Refusal { wish: place, field, why });
        }
        breaks.sort_by_key(|(at, _)| *at);
        self.last_ad = last_ad;
        if let Some(start) = wish.start {
            self.fill(start, |asset, rest| asset.lead().boundary(rest));
        }
        let start = match (self.at(), wish.start) {
            (Some(at), _) => at,
            (None, Some(start)) => start,
            // The first of all: there is something to play at once.
            (None, None) => Timestamp(now.0.saturating_sub(self.channel.launch().0)),
        };
        let mut items = Vec::new();
        let mut from = first;
        let part = |first, end| Part {
            role: Role::Programme,
            hash,
            title: wish.title.as_deref(),
            asset,
            tracks: &tracks,
            first,
            end,
            passes: 1,
        };
        for (at, ads) in &breaks {
            // What is asked for ends at a segment, and so do its breaks.
            let at = (*at).clamp(first, end);
            if at > from {
                items.push(self.push(start, part(from, at)));
            }
            items.extend(self.push_break(start, ads));
            from = at;
        }
        if end > from {
            items.push(self.push(start, part(from, end)));
        }
        let id = id.unwrap_or_else(|| self.take_id());
        self.entries.push(Entry { id, wish: Some(wish.clone()), items, seen: None });
    }

    /// What fills a break.
    fn filled(
        &mut self,
        wished: &Break,
        last_ad: &mut Option<AssetHash>,
        room: usize,
    ) -> Result<Vec<Filled<'a>>, (String, Why)> {
        let ads = match (wished.ads.as_slice(), &self.house_ads) {
            ([], Some(ads)) => Rc::clone(ads),
            ([], None) => {
                let ads = breaks::ads(&self.channel.ads, &mut self.playable);
                let ads = ads.map_err(|(_, why)| ("duration".to_owned(), why))?;
                Rc::clone(self.house_ads.insert(ads))
            }
            (names, _) => breaks::ads(names, &mut self.playable)
                .map_err(|(place, why)| (format!("ads[{place}]"), why))?,
        };
        breaks::filled(self.channel, self.indexes, wished.duration, &ads, last_ad, room)
            .map_err(|why| ("duration".to_owned(), why))
    }

    /// Lays the slate where something is gone, for as long as that was to play.
    fn grant_slate(&mut self, place: usize, id: Option<u64>, wish: &Wish, now: Timestamp) {
        let mut refuse = |field: &str, why| {
            self.refusals.push(Refusal { wish: place, field: field.to_owned(), why });
        };
        let Some(slate) = &self.channel.slate else { return refuse("asset", Why::NoSlate) };
        let Ok(asset) = index(self.indexes, &slate.asset) else {
            return refuse("asset", Why::NoSlate);
        };
        let nearest = |asset: &Asset, rest| asset.lead().boundary(rest);
        let duration = wish.duration.unwrap_or_default();
        let Some((end, passes)) = fitting(asset, duration, nearest) else {
            return refuse("duration", Why::Empty);
        };
        if self.room < 2 {
            return refuse("items", Why::Full);
        }
        if let Some((field, why)) = self.wrong_start(wish, now) {
            return self.refusals.push(Refusal { wish: place, field, why });
        }
        if let Some(start) = wish.start {
            self.fill(start, nearest);
        }
        let start = self.at().unwrap_or(now);
        let (hash, tracks) = (&slate.asset, &slate.tracks);
        let (role, title, first) = (Role::Slate, None, 0);
        let item = self.push(start, Part { role, hash, title, asset, tracks, first, end, passes });
        let id = id.unwrap_or_else(|| self.take_id());
        self.entries.push(Entry { id, wish: Some(wish.clone()), items: vec![item], seen: None });
    }

    /// Lays the slate where a live source is to play: pieces of it take its place as they are seen.
    fn grant_event(
        &mut self,
        place: usize,
        id: Option<u64>,
        wish: &Wish,
        event: &Event,
        now: Timestamp,
    ) {
        let mut refuse = |field: &str, why| {
            self.refusals.push(Refusal { wish: place, field: field.to_owned(), why });
        };
        let Some(slate) = &self.channel.slate else { return refuse("live", Why::NoSlate) };
        let Ok(asset) = index(self.indexes, &slate.asset) else {
            return refuse("live", Why::NoSlate);
        };
        if event.end > now + AHEAD {
            return refuse("end", Why::TooFar);
        }
        if self.room < 2 {
            return refuse("items", Why::Full);
        }
        if let Some((field, why)) = self.wrong_start(wish, now) {
            return self.refusals.push(Refusal { wish: place, field, why });
        }
        if let Some(start) = wish.start {
            self.fill(start, |asset, rest| asset.lead().boundary(rest));
        }
        let start = self.at().unwrap_or(now);
        let nearest = |asset: &Asset, rest| asset.lead().boundary(rest);
        let Some((end, passes)) = fitting(asset, event.end.since(start), nearest) else {
            let (field, why) = ("end".to_owned(), Why::Overlaps(start));
            return self.refusals.push(Refusal { wish: place, field, why });
        };
        let (hash, tracks) = (&slate.asset, &slate.tracks);
        let (role, title, first) = (Role::Slate, wish.title.as_deref(), 0);
        let mut item =
            self.push(start, Part { role, hash, title, asset, tracks, first, end, passes });
        item.live =
            Some(Live { began: item.start, until: event.end, continues: false, covered: false });
        self.last = Some(item.clone());
        let id = id.unwrap_or_else(|| self.take_id());
        let wish = Some(wish.clone());
        self.entries.push(Entry { id, wish, items: vec![item], seen: None });
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn wrong_start(&self, wish: &Wish, now: Timestamp) -> Option<(String, Why)> {
        let start = wish.start?;
        let (earliest, slack) = match self.at() {
            Some(at) => (at, Micros::from(self.channel.target_duration)),
            None => (Timestamp(now.0.saturating_sub(self.channel.launch().0)), Micros(0)),
        };
        let frozen = (now + FREEZE).max(earliest);
        let why = if start > now + AHEAD {
            Why::TooFar
        } else if start + slack >= earliest {
            return None;
        } else if start < now + FREEZE {
            Why::Frozen(frozen)
        } else {
            Why::Overlaps(earliest)
        };
        Some(("start".to_owned(), why))
    }

    fn push_break(&mut self, start: Timestamp, ads: &[Filled]) -> Vec<Item> {
        let begins = self.last.as_ref().map_or(start, Item::end);
        let duration = ads.iter().fold(Micros(0), |sum, ad| sum + ad.length());
        let spot = Spot { start: begins, duration };
        let mut items = Vec::new();
        for ad in ads {
            let Filled { role, hash, asset, tracks, end, passes } = ad;
            let (role, end, passes) = (*role, *end, *passes);
            let part = Part { role, hash, title: None, asset, tracks, first: 0, end, passes };
            let mut item = self.push(start, part);
            item.spot = Some(spot);
            item.returns = item.returns.filter(|before| *before != spot);
            self.last = Some(item.clone());
            items.push(item);
        }
        items
    }

    /// What comes after the last item, or is the first at `start`.
    fn push(&mut self, start: Timestamp, part: Part) -> Item {
        let ladder = &self.channel.ladder;
        let totals = match &self.last {
            Some(last) => match index(self.indexes, &last.asset) {
                Ok(asset) => last.after(ladder, asset),
                // The caller gives the indexes of the log with it.
                Err(_) => last.totals.clone(),
            },
            None => Totals::none(ladder),
        };
        let item = Item {
            role: part.role,
            asset: part.hash.clone(),
            title: part.title.map(str::to_owned),
            tracks: part.tracks.clone(),
            start: self.last.as_ref().map_or(start, Item::end),
            duration: length(part.asset, part.first, part.end, part.passes),
            planned: None,
            first: part.first,
            end: part.end,
            passes: part.passes,
            totals,
            spot: None,
            returns: self.last.as_ref().and_then(|last| last.spot),
            live: None,
        };
        self.last = Some(item.clone());
        self.room = self.room.saturating_sub(1);
        item
    }

    /// Fills up to a time with what plays when nothing is scheduled, cut where `boundary` says.
    fn fill(&mut self, until: Timestamp, boundary: impl Fn(&Asset, Micros) -> usize) {
        let Ok(Some(mut item)) = self.channel.filler(self.last.as_ref(), self.indexes) else {
            return;
        };
        let Some(asset) = self.indexes.get(&item.asset) else { return };
        let Some((end, passes)) = fitting(asset, until.since(item.start), boundary) else { return };
        (item.end, item.passes) = (end, passes);
        item.duration = length(asset, 0, end, passes);
        self.last = Some(item.clone());
        self.room = self.room.saturating_sub(1);
        let id = self.take_id();
        self.entries.push(Entry { id, wish: None, items: vec![item], seen: None });
    }
}

/// Where a repeated asset ends that plays for a time, and in which pass; absent where that is not at all.
pub(crate) fn fitting(
    asset: &Asset,
    time: Micros,
    boundary: impl Fn(&Asset, Micros) -> usize,
) -> Option<(usize, u64)> {
    let length = asset.duration().0.max(1);
    let (whole, rest) = (time.0 / length, Micros(time.0 % length));
    match (boundary(asset, rest), whole) {
        (0, 0) => None,
        (0, passes) => Some((asset.segments(), passes)),
        (end, whole) => Some((end, whole + 1)),
    }
}
