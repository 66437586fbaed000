//! `/channels`: what plays, and what it is made of.

use super::definition::{Asked, Named};
use super::fill::{extend, first};
use super::look::Looked;
use super::playlists::is_plain;
use super::shown::{ChannelAnswer, Names};
use super::{Channels, Vods, failed, overtaken, slate};
use crate::fields::Errors;
use crate::path::Path;
use crate::problem::Problem;
use crate::sessions::read_json;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use channel::ports::{ChannelRecord, Fill, Shelf};
use channel::{AssetHash, Channel, Library, Numbers, Slate};
use relay::ports::Clock;

/// `GET /channels`
pub async fn list<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
) -> Result<impl IntoResponse, Problem> {
    let all = channels.shelf.channels().await.map_err(|error| failed(&error))?;
    let names = Names::read(&*channels.shelf).await.map_err(|error| failed(&error))?;
    let shown = all.iter().filter(|it| !it.gone).map(|it| ChannelAnswer::new(it, &names));
    let shown: Vec<ChannelAnswer> = shown.collect();
    Ok(Json(serde_json::json!({ "channels": shown })))
}

/// `GET /channels/{id}`
pub async fn show<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let record = channels.find(&id).await?;
    let names = Names::read(&*channels.shelf).await.map_err(|error| failed(&error))?;
    Ok(Json(ChannelAnswer::new(&record, &names)))
}

/// `DELETE /channels/{id}`: it and its schedule go; its addresses answer 410.
pub async fn remove<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let record = channels.find(&id).await?;
    let revision = record.revision + 1;
    let now = channels.clock.now();
    let numbers = match channels.on_air(&id, now).await {
        Ok(on_air) => on_air.numbers(now),
        // What cannot be played is shown to nobody now, and can be deleted.
        Err(_) => record.channel.as_ref().map_or(record.numbers, |channel| channel.numbers),
    };
    // What is kept of it is that it was there, and how far it has counted.
    let (channel, fill, cycle) = (None, None, Vec::new());
    let record = ChannelRecord { gone: true, revision, channel, fill, cycle, numbers, ..record };
    let done = channels.shelf.commit(&record, None, &[]).await.map_err(|error| failed(&error))?;
    channels.air.change(&id);
    if done { Ok(StatusCode::NO_CONTENT) } else { Err(overtaken(&id)) }
}

/// `PUT /channels/{id}`
pub async fn put<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Problem> {
    let mut errors = Errors::default();
    let asked = Asked::read(read_json(&headers, body, super::BODY_BYTES)?, &mut errors);
    if !is_plain(&id) {
        errors.add("id", "must be 1 to 64 letters, digits, - or _");
    }
    let known = channels.shelf.channel(&id).await.map_err(|error| failed(&error))?;
    let numbers = known.as_ref().map(|known| known.numbers).unwrap_or_default();
    let known = known.filter(|known| !known.gone);
    let created = known.is_none();
    let before = known.as_ref().and_then(|known| known.channel.clone());
    let record = channels.wanted(&id, asked, known, &mut errors).await?;
    let record = record.filter(|_| errors.0.is_empty());
    let mut record =
        record.ok_or_else(|| Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors.0))?;
    if created {
        record.numbers = numbers;
        record.channel = record.channel.map(|channel| Channel { numbers, ..channel });
    }
    let looked = Looked::at(channels.shelf.assets().await.map_err(|error| failed(&error))?);
    let now = record.channel.as_ref().map(|channel| channel.slate.clone());
    let renewed = before.filter(|before| now.is_some_and(|now| now != before.slate));
    let entries = match &renewed {
        _ if created => first(&channels, &mut record, &looked).await?,
        Some(before) => slate::shown(&channels, before, &mut record).await?,
        None => Vec::new(),
    };
    if !channels.shelf.commit(&record, None, &entries).await.map_err(|error| failed(&error))? {
        return Err(overtaken(&id));
    }
    channels.air.change(&id);
    if renewed.is_some() {
        slate::renew(&channels, &id).await?;
    }
    if record.fill.is_some() {
        extend(&channels, &id, &looked).await.map_err(|error| failed(&error))?;
        channels.air.note_unseen(&id);
    }
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/channels/{id}"))];
    let names = Names::read(&*channels.shelf).await.map_err(|error| failed(&error))?;
    Ok((status, location, Json(ChannelAnswer::new(&record, &names))))
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    async fn wanted(
        &self,
        id: &str,
        asked: Asked,
        known: Option<ChannelRecord>,
        errors: &mut Errors,
    ) -> Result<Option<ChannelRecord>, Problem> {
        let mut slate = Vec::new();
        if let Some(name) = &asked.fixed.slate {
            slate.extend(self.hash("slate".to_owned(), name, errors).await?);
        }
        let like = match &asked.fixed.like {
            Some(name) => self.hash("ladder".to_owned(), name, errors).await?,
            None => None,
        };
        let cycle = self.hashes("loop", &asked.fixed.cycle, errors).await?;
        let ads = self.hashes("ads", &asked.ads, errors).await?;
        let picks = match &asked.fill {
            Some(fill) => self.hashes("fill.assets", &fill.assets, errors).await?,
            None => Vec::new(),
        };
        if !errors.0.is_empty() {
            return Ok(None);
        }
        let hash = |all: &[(String, AssetHash)]| all.iter().map(|(_, hash)| hash.clone()).collect();
        let (ads_of, cycle_of, picks_of): (Vec<_>, Vec<_>, Vec<_>) =
            (hash(&ads), hash(&cycle), hash(&picks));
        let named = slate.into_iter().chain(like).chain(cycle).chain(picks).chain(ads);
        let named: Vec<(String, AssetHash)> = named.collect();
        let indexes = self.indexes(named.iter().map(|(_, hash)| hash.clone())).await?;
        let named = with_indexes(named, &indexes);
        let fixed = serde_json::to_string(&asked.fixed).expect("it has string keys only");
        if let Some(known) = &known
            && known.fixed != fixed
        {
            let detail =
                "only title, ads and fill can be changed: what viewers have seen must stay true";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        let before = known.as_ref().and_then(|known| known.channel.clone());
        let made = match before {
            Some(before) => {
                let (mut slate, mut ladder) = (before.slate.clone(), before.ladder.clone());
                for Named { field, hash, asset } in &named {
                    match channel::tracks(&before.ladder, before.target_duration, asset) {
                        Ok(tracks) => {
                            ladder.lift(asset, &tracks);
                            // What was added again under its id plays as it is now.
                            if field == "slate" {
                                slate = Some(Slate { asset: hash.clone(), tracks });
                            }
                        }
                        Err(flaws) => errors.0.extend(super::definition::said(field, &flaws)),
                    }
                }
                Some(Channel { ads: ads_of, slate, ladder, ..before })
            }
            None => match asked.fixed.channel(&named, ads_of, self.clock.now()) {
                Ok(made) => made,
                Err(all) => {
                    errors.0.extend(all);
                    return Ok(None);
                }
            },
        };
        let fill = asked.fill.map(|fill| Fill {
            assets: picks_of,
            order: fill.order,
            ahead: fill.ahead,
            breaks: fill.breaks,
        });
        let empty = ChannelRecord {
            id: id.to_owned(),
            revision: 0,
            title: None,
            fixed,
            channel: None,
            cycle: cycle_of,
            fill: None,
            next_id: 1,
            picked: 0,
            gone: false,
            numbers: Numbers::default(),
        };
        let known = known.unwrap_or(empty);
        let (revision, title) = (known.revision + 1, asked.title);
        Ok(Some(ChannelRecord { revision, title, channel: made, fill, ..known }))
    }

    /// The hash of an asset that a field names.
    pub(super) async fn hash(
        &self,
        field: String,
        name: &str,
        errors: &mut Errors,
    ) -> Result<Option<(String, AssetHash)>, Problem> {
        match self.shelf.asset(name).await.map_err(|error| failed(&error))? {
            Some(record) => Ok(Some((field, record.hash))),
            None => {
                errors.add(field, "is not an asset that was added");
                Ok(None)
            }
        }
    }

    /// The same for an array.
    pub(super) async fn hashes(
        &self,
        field: &str,
        names: &[String],
        errors: &mut Errors,
    ) -> Result<Vec<(String, AssetHash)>, Problem> {
        let mut hashes = Vec::new();
        for (place, name) in names.iter().enumerate() {
            hashes.extend(self.hash(format!("{field}[{place}]"), name, errors).await?);
        }
        Ok(hashes)
    }
}

fn with_indexes(named: Vec<(String, AssetHash)>, indexes: &Library) -> Vec<Named> {
    let named = named.into_iter().filter_map(|(field, hash)| {
        let asset = indexes.get(&hash)?.clone();
        Some(Named { field, hash, asset })
    });
    named.collect()
}
