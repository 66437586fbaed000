//! The playlists that viewers read.

use super::air::Rendered;
use super::{Channels, Vods};
use crate::path::Path;
use crate::problem::{self, Problem};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use channel::EMPTY_SUBTITLES;
use channel::ports::Shelf;
use hls::Timestamp;
use relay::ports::Clock;

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const ANYBODY: HeaderValue = HeaderValue::from_static("*");

/// How long a multivariant playlist may be kept: it changes only where something richer is scheduled.
const MULTIVARIANT_SECONDS: u64 = 60;

/// The longest name of a viewer.
const VIEWER_BYTES: usize = 256;

/// Where they are.
pub fn routes<H, V, C>() -> Router<Channels<H, V, C>>
where
    H: Shelf + 'static,
    V: Vods + 'static,
    C: Clock + 'static,
{
    let of_channel = get(of_channel::<H, V, C>).options(preflight);
    let of_viewer = get(of_viewer::<H, V, C>).options(preflight);
    Router::new()
        .route("/channels/{id}/{playlist}", of_channel)
        .route("/channels/{id}/{viewer}/{playlist}", of_viewer)
        .route("/live/master.m3u8", get(of_peer).options(preflight))
}

/// `GET /channels/{id}/{playlist}`
async fn of_channel<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path((id, playlist)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer(&channels, &id, None, &playlist, uri, &headers).await
}

/// `GET /channels/{id}/{viewer}/{playlist}`
async fn of_viewer<H: Shelf, V: Vods, C: Clock>(
    State(channels): State<Channels<H, V, C>>,
    Path((id, viewer, playlist)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if viewer.len() > VIEWER_BYTES {
        return problem::no_route(uri).await.into_response();
    }
    answer(&channels, &id, Some(&viewer), &playlist, uri, &headers).await
}

/// `GET /live/master.m3u8?channel={id}`: where players of Eyevinn's channel-engine look.
async fn of_peer(RawQuery(query): RawQuery, uri: Uri) -> Response {
    let query = query.unwrap_or_default();
    let named = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "channel" && is_plain(value));
    match named {
        Some((_, id)) => {
            let to = format!("/channels/{id}/master.m3u8");
            let headers = [(LOCATION, to), (ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned())];
            (StatusCode::FOUND, headers).into_response()
        }
        None => problem::no_route(uri).await.into_response(),
    }
}

/// `OPTIONS` of a playlist: pages of others may read it, with whatever headers their players send.
async fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whether a name can be part of an address as it is.
pub fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

async fn answer<H: Shelf, V: Vods, C: Clock>(
    channels: &Channels<H, V, C>,
    id: &str,
    viewer: Option<&str>,
    playlist: &str,
    uri: Uri,
    headers: &HeaderMap,
) -> Response {
    if playlist == EMPTY_SUBTITLES {
        return empty_subtitles();
    }
    let now = channels.clock.now();
    // Players of channel-engine put their session behind the name.
    let name = playlist.split(';').next().unwrap_or(playlist);
    let Some(name) = name.strip_suffix(".m3u8") else {
        return shared(problem::no_route(uri).await);
    };
    let rendered = match channels.on_air(id, now).await {
        Ok(on_air) => on_air.playlist(name, viewer, now),
        Err(problem) => Err(problem),
    };
    match rendered {
        Ok(rendered) => send(&rendered, now, headers),
        Err(problem) => shared(problem),
    }
}

/// A problem that pages of others may read.
fn shared(problem: Problem) -> Response {
    ([(ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY)], problem).into_response()
}

fn send(rendered: &Rendered, now: Timestamp, asked: &HeaderMap) -> Response {
    let seconds = match rendered.next {
        Some(next) => next.since(now).0 / 1_000_000,
        None => MULTIVARIANT_SECONDS,
    };
    let packed = asked.get_all(ACCEPT_ENCODING).iter().any(takes_gzip);
    let tag =
        if packed { format!("\"{}-gz\"", rendered.tag) } else { format!("\"{}\"", rendered.tag) };
    let known = |known: &HeaderValue| {
        let known = known.to_str().unwrap_or_default();
        known.split(',').any(|it| it.trim() == "*" || it.trim().trim_start_matches("W/") == tag)
    };
    let unchanged = asked.get_all(IF_NONE_MATCH).iter().any(known);
    let mut response = match (unchanged, packed) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, true) => rendered.gzip.clone().into_response(),
        (false, false) => rendered.text.clone().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PLAYLIST);
    let age = HeaderValue::try_from(format!("public, max-age={seconds}"));
    headers.insert(CACHE_CONTROL, age.expect("a number is fit for a header"));
    headers
        .insert(ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits are fit for a header"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("date, etag"));
    if packed && !unchanged {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether `Accept-Encoding` takes gzip (RFC 9110 section 12.5.3).
fn takes_gzip(accepted: &HeaderValue) -> bool {
    let accepted = accepted.to_str().unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        let none = weight.starts_with('0') && weight.bytes().all(|byte| b"0.".contains(&byte));
        name.trim().eq_ignore_ascii_case("gzip") && !none
    })
}

fn empty_subtitles() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/vtt")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY),
    ];
    (headers, "WEBVTT\n").into_response()
}
