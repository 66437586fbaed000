//! `/assets`: VODs that can be scheduled.

use super::playlists::is_plain;
use super::shown::AssetAnswer;
use super::{Channels, Vods, failed};
use crate::fields::{Errors, FieldError, Object};
use crate::path::Path;
use crate::problem::Problem;
use crate::sessions::read_json;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use channel::ports::{AssetRecord, Shelf};
use channel::{Asset, media_playlists};
use futures_util::stream::{self, StreamExt};
use hls::{Limits, MediaPlaylist, MultivariantPlaylist, Playlist, Variables};
use relay::ports::{Clock, OriginError};
use relay::session::Address;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use url::Url;

pub(crate) const FIELDS: [&str; 3] = ["id", "title", "url"];

/// Playlists of one asset that are read side by side.
const AT_ONCE: usize = 8;
/// More renditions than any packager makes.
const MAX_PLAYLISTS: usize = 128;
/// What all playlists of one asset take together: a film of three hours in ten renditions, with segments of four
/// seconds and signed addresses of 600 bytes, takes half. They are in memory together, and so is what is made of them.
const MAX_BYTES: usize = 32 << 20;
/// More reasons do not make it clearer.
const MAX_REASONS: usize = 100;

/// `POST /assets`
pub async fn add<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Problem> {
    let mut errors = Errors::default();
    let wanted = Wanted::read(read_json(&headers, body, super::BODY_BYTES)?, &mut errors);
    let url = crate::access::address(wanted.url, "url", &*channels.refuses, &mut errors);
    if let Some(id) = wanted.id.as_deref().filter(|id| !is_plain(id)) {
        let _ = id;
        errors.add("id", "must be 1 to 64 letters, digits, - or _");
    }
    let refused =
        |errors: Vec<FieldError>| Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors);
    let url = url.filter(|_| errors.0.is_empty());
    let url = url.ok_or_else(|| refused(errors.0))?;
    let asset = read(&*channels.vods, &url).await.map_err(refused)?;
    let hash = asset.hash();
    let record = AssetRecord {
        id: wanted.id.unwrap_or_else(|| hash.0.clone()),
        title: wanted.title,
        duration: asset.duration(),
        hash,
        url: Address::of(&url).to_string(),
        added: channels.clock.now(),
        earlier: Vec::new(),
    };
    let before = channels.shelf.asset(&record.id).await.map_err(|error| failed(&error))?;
    let record = match &before {
        Some(before) => record.in_place_of(before),
        None => record,
    };
    channels.shelf.add_asset(&record, &asset).await.map_err(|error| failed(&error))?;
    let location = [(header::LOCATION, format!("/assets/{}", record.id))];
    Ok((StatusCode::CREATED, location, Json(AssetAnswer::new(&record, Some(&asset)))))
}

/// `GET /assets`
pub async fn list<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
) -> Result<impl IntoResponse, Problem> {
    let assets = channels.shelf.assets().await.map_err(|error| failed(&error))?;
    let assets: Vec<AssetAnswer> = assets.iter().map(|it| AssetAnswer::new(it, None)).collect();
    Ok(Json(serde_json::json!({ "assets": assets })))
}

/// `GET /assets/{id}`
pub async fn show<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let record = channels.shelf.asset(&id).await.map_err(|error| failed(&error))?;
    let record = record.ok_or_else(|| no_asset(&id))?;
    let index = channels.shelf.index(&record.hash).await.map_err(|error| failed(&error))?;
    Ok(Json(AssetAnswer::new(&record, index.as_ref())))
}

/// `DELETE /assets/{id}`: what is scheduled of it still plays.
pub async fn remove<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    match channels.shelf.remove_asset(&id).await.map_err(|error| failed(&error))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_asset(&id)),
    }
}

fn no_asset(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no asset {id}"))
}

/// An asset that is asked for.
#[derive(Default)]
struct Wanted {
    id: Option<String>,
    title: Option<String>,
    url: Option<String>,
}

impl Wanted {
    fn read(body: serde_json::Value, errors: &mut Errors) -> Self {
        let Some(mut fields) = Object::of("", body, errors) else { return Self::default() };
        fields.only(&FIELDS, errors);
        Self {
            id: fields.text("id", errors),
            title: fields.title(errors),
            url: fields.text("url", errors),
        }
    }
}

/// Reads a VOD and indexes it, or says every reason why not.
pub async fn read<V: Vods>(vods: &V, url: &Url) -> Result<Asset, Vec<FieldError>> {
    let wrong = |detail: String| vec![FieldError { field: "url".to_owned(), detail }];
    let multivariant = Multivariant::read(vods, url).await.map_err(wrong)?;
    let (media, mut reasons) = multivariant.media(vods).await;
    match Asset::index(multivariant.url.as_str(), &multivariant.playlist, &media) {
        Ok(asset) if reasons.is_empty() => Ok(asset),
        Ok(_) => Err(reasons.into_iter().flat_map(wrong).collect()),
        Err(flaws) => {
            // What could not be read was said already.
            let missing = |flaw: &channel::Flaw| matches!(flaw, channel::Flaw::Missing { .. });
            reasons.extend(flaws.iter().filter(|flaw| !missing(flaw)).map(ToString::to_string));
            reasons.truncate(MAX_REASONS);
            let said = |reason| format!("cannot be played: {reason}");
            Err(reasons.into_iter().flat_map(|reason| wrong(said(reason))).collect())
        }
    }
}

/// A multivariant playlist that was read.
pub struct Multivariant {
    pub playlist: MultivariantPlaylist,
    /// Where it came from in the end.
    pub url: Url,
    variables: Variables,
}

impl Multivariant {
    /// Reads one, or says why there is none.
    pub async fn read<V: Vods>(vods: &V, url: &Url) -> Result<Self, String> {
        let (text, url) = vods.playlist(url).await.map_err(|error| unread(&error))?;
        let (text, variables) = hls::substitute(&text, &Variables::new(), parameter(&url))
            .map_err(|error| format!("cannot be played: {error}"))?;
        match hls::parse(&text, &Limits::default()) {
            Ok(Playlist::Multivariant(playlist)) => Ok(Self { playlist, url, variables }),
            Ok(Playlist::Media(_)) => {
                Err("is a media playlist: give the multivariant playlist".to_owned())
            }
            Err(error) => Err(format!("cannot be played: {error}")),
        }
    }

    /// The media playlists by the address that it gives them, and why some are not there.
    pub async fn media<V: Vods>(&self, vods: &V) -> (BTreeMap<String, MediaPlaylist>, Vec<String>) {
        let wanted: Vec<&str> = media_playlists(&self.playlist);
        if wanted.len() > MAX_PLAYLISTS {
            return (BTreeMap::new(), vec![format!("names more than {MAX_PLAYLISTS} playlists")]);
        }
        let bytes = AtomicUsize::new(0);
        let bytes = &bytes;
        let read = |address: String| async move {
            if bytes.load(Ordering::Relaxed) > MAX_BYTES {
                return Err(too_large(&address));
            }
            let url =
                self.url.join(&address).map_err(|_| format!("{address}: is not an address"))?;
            let (text, url) = vods
                .playlist(&url)
                .await
                .map_err(|error| format!("{address}: {}", unread(&error)))?;
            if bytes.fetch_add(text.len(), Ordering::Relaxed) + text.len() > MAX_BYTES {
                return Err(too_large(&address));
            }
            let (text, _) = hls::substitute(&text, &self.variables, parameter(&url))
                .map_err(|error| format!("{address}: {error}"))?;
            match hls::parse(&text, &Limits::default()) {
                Ok(Playlist::Media(media)) => Ok((address, media.without_low_latency())),
                Ok(Playlist::Multivariant(_)) => Err(format!("{address}: is not a media playlist")),
                Err(error) => Err(format!("{address}: {error}")),
            }
        };
        let wanted = wanted.into_iter().map(str::to_owned).map(read);
        let all: Vec<Result<(String, MediaPlaylist), String>> =
            stream::iter(wanted).buffered(AT_ONCE).collect().await;
        let (mut media, mut reasons) = (BTreeMap::new(), Vec::new());
        for one in all {
            match one {
                Ok((address, read)) => drop(media.insert(address, read)),
                Err(reason) => reasons.push(reason),
            }
        }
        (media, reasons)
    }
}

fn too_large(address: &str) -> String {
    format!("{address}: with it, the playlists are larger than {} MiB", MAX_BYTES >> 20)
}

/// Gives the parameters of an address (`EXT-X-DEFINE` with `QUERYPARAM`).
fn parameter(url: &Url) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let mut pairs = url.query_pairs();
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

fn unread(error: &OriginError) -> String {
    match error {
        OriginError::Gone { reason, .. }
        | OriginError::Unavailable { reason }
        | OriginError::Spoilt { reason }
        | OriginError::Refused { reason } => format!("cannot be read: {reason}"),
    }
}
