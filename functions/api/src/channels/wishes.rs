//! What a schedule is asked to be.

use super::definition::names;
use super::{Channels, Vods};
use crate::Refuses;
use crate::fields::{Errors, Object};
use crate::problem::Problem;
use channel::ports::Shelf;
use channel::{AssetHash, Break, Event, Wish};
use hls::{Micros, Timestamp};
use relay::ports::Clock;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const FIELDS: [&str; 5] = ["items", "from", "before", "entry", "remove"];
pub(crate) const ITEM_FIELDS: [&str; 8] =
    ["asset", "live", "title", "start", "end", "offset", "duration", "breaks"];
pub(crate) const BREAK_FIELDS: [&str; 3] = ["at", "duration", "ads"];

/// More are taken in several requests.
const MAX_ITEMS: usize = 5_000;
const MAX_BREAKS: usize = 100;

/// A change to a schedule that is asked for.
#[derive(Debug)]
pub enum Asked {
    Append(Vec<ItemAsked>),
    From(Timestamp, Vec<ItemAsked>),
    Before(u64, Vec<ItemAsked>),
    Entry(u64, Vec<ItemAsked>),
    Remove(Vec<u64>),
}

/// A programme that is asked for, by the name of its asset.
#[derive(Debug)]
pub struct ItemAsked {
    path: String,
    /// None where it is a live source.
    asset: Option<String>,
    wish: Wish,
    /// The ads of each break.
    ads: Vec<Vec<String>>,
}

impl Asked {
    pub fn read(body: Value, refuses: &Refuses, errors: &mut Errors) -> Option<Self> {
        let mut fields = Object::of("", body, errors)?;
        fields.only(&FIELDS, errors);
        let from = fields.moment("from", errors);
        let (before, entry) = (fields.number("before", errors), fields.number("entry", errors));
        let mut removed = Vec::new();
        for (field, value) in fields.array("remove", errors) {
            match value.as_u64() {
                Some(id) => removed.push(id),
                None => errors.add(field, "must be the id of an entry"),
            }
        }
        let places = [from.is_some(), before.is_some(), entry.is_some(), !removed.is_empty()];
        if places.iter().filter(|it| **it).count() > 1 {
            errors.add("body", "must hold one of from, before, entry and remove at most");
            return None;
        }
        let items = fields.array("items", errors);
        if !removed.is_empty() && !items.is_empty() {
            errors.add(
                "items",
                "is not taken with remove: what takes the place of one entry is posted with entry",
            );
        }
        if items.is_empty() && removed.is_empty() && from.is_none() {
            errors.add("items", "must hold at least one programme");
        }
        if items.len() > MAX_ITEMS {
            errors.add("items", format!("must be at most {MAX_ITEMS}"));
            return None;
        }
        if removed.len() > MAX_ITEMS {
            errors.add("remove", format!("must be at most {MAX_ITEMS}"));
            return None;
        }
        let items: Vec<ItemAsked> = items
            .into_iter()
            .filter_map(|(path, value)| ItemAsked::read(path, value, refuses, errors))
            .collect();
        Some(match (from, before, entry) {
            (Some(from), _, _) => Self::From(from, items),
            (None, Some(before), _) => Self::Before(before, items),
            (None, None, Some(entry)) => Self::Entry(entry, items),
            (None, None, None) if !removed.is_empty() => Self::Remove(removed),
            (None, None, None) => Self::Append(items),
        })
    }
}

impl ItemAsked {
    fn read(path: String, value: Value, refuses: &Refuses, errors: &mut Errors) -> Option<Self> {
        let mut fields = Object::of(&path, value, errors)?;
        fields.only(&ITEM_FIELDS, errors);
        let asset = fields.text("asset", errors);
        if let Some(url) = fields.text("live", errors) {
            if asset.is_some() {
                errors.add(fields.field("asset"), "is not taken with live");
            }
            return live(path, url, &mut fields, refuses, errors);
        }
        if asset.is_none() {
            errors.add(fields.field("asset"), "is required");
        }
        if fields.take("end").is_some() {
            errors.add(fields.field("end"), "is taken with live only: an asset has a duration");
        }
        let (mut breaks, mut ads) = (Vec::new(), Vec::new());
        let all = fields.array("breaks", errors);
        if all.len() > MAX_BREAKS {
            errors.add(fields.field("breaks"), format!("must be at most {MAX_BREAKS}"));
        }
        for (path, value) in all.into_iter().take(MAX_BREAKS) {
            let Some(mut of) = Object::of(&path, value, errors) else { continue };
            of.only(&BREAK_FIELDS, errors);
            let required = |of: &mut Object, name: &str, errors: &mut Errors| {
                let seconds = of.seconds(name, errors);
                if seconds.is_none() {
                    errors.add(of.field(name), "is required, in seconds");
                }
                seconds.unwrap_or_default()
            };
            let at = required(&mut of, "at", errors);
            let duration = required(&mut of, "duration", errors);
            breaks.push(Break { at, duration, ads: Vec::new() });
            ads.push(names(&mut of, "ads", errors));
        }
        let wish = Wish {
            asset: AssetHash(String::new()),
            live: None,
            title: fields.title(errors),
            start: fields.moment("start", errors),
            offset: fields.seconds("offset", errors).unwrap_or(Micros(0)),
            duration: fields.seconds("duration", errors),
            breaks,
            stands_in: false,
        };
        Some(Self { path, asset: Some(asset?), wish, ads })
    }
}

/// A live source that is asked for.
fn live(
    path: String,
    url: String,
    fields: &mut Object,
    refuses: &Refuses,
    errors: &mut Errors,
) -> Option<ItemAsked> {
    let field = fields.field("live");
    let url = crate::access::address(Some(url), &field, refuses, errors);
    if url.as_ref().is_some_and(|url| url.query().is_some()) {
        errors.add(field, "must have no query string: it would be kept with the schedule");
    }
    for name in ["offset", "breaks"] {
        if fields.take(name).is_some() {
            errors.add(fields.field(name), "is not taken with live");
        }
    }
    let (start, end) = (fields.moment("start", errors), fields.moment("end", errors));
    let duration = fields.seconds("duration", errors);
    let end = match (start, end, duration) {
        (_, Some(end), None) => Some(end),
        (Some(start), None, Some(duration)) => Some(start + duration),
        (_, Some(_), Some(_)) => {
            errors.add(fields.field("duration"), "is not taken with end");
            None
        }
        (_, None, _) => {
            errors.add(fields.field("end"), "is required, or start and duration");
            None
        }
    };
    let wish = Wish {
        asset: AssetHash(String::new()),
        live: Some(Event { url: url?.to_string(), end: end?, seen: None }),
        title: fields.title(errors),
        start,
        offset: Micros(0),
        duration: None,
        breaks: Vec::new(),
        stands_in: false,
    };
    Some(ItemAsked { path, asset: None, wish, ads: Vec::new() })
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    /// Wishes with the hashes of the assets that they name.
    pub(super) async fn wishes(
        &self,
        asked: Vec<ItemAsked>,
        errors: &mut Errors,
    ) -> Result<Vec<Wish>, Problem> {
        let (mut wishes, mut known) = (Vec::new(), BTreeMap::new());
        for ItemAsked { path, asset, mut wish, ads } in asked {
            if errors.is_full() {
                break;
            }
            if let Some(asset) = asset
                && let Some(hash) =
                    self.known(&mut known, format!("{path}.asset"), asset, errors).await?
            {
                wish.asset = hash;
            }
            for (place, (wished, names)) in wish.breaks.iter_mut().zip(ads).enumerate() {
                for (at, name) in names.into_iter().enumerate() {
                    if errors.is_full() {
                        break;
                    }
                    let field = format!("{path}.breaks[{place}].ads[{at}]");
                    wished.ads.extend(self.known(&mut known, field, name, errors).await?);
                }
            }
            wishes.push(wish);
        }
        Ok(wishes)
    }

    /// The hash of an asset. Each is asked for once, however often a schedule names it.
    async fn known(
        &self,
        known: &mut BTreeMap<String, AssetHash>,
        field: String,
        name: String,
        errors: &mut Errors,
    ) -> Result<Option<AssetHash>, Problem> {
        if let Some(hash) = known.get(&name) {
            return Ok(Some(hash.clone()));
        }
        let hash = self.hash(field, &name, errors).await?.map(|(_, hash)| hash);
        if let Some(hash) = &hash {
            known.insert(name, hash.clone());
        }
        Ok(hash)
    }
}
