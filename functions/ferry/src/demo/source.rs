//! The demo's source: a library of test patterns, played as a live channel.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use channel::{Asset, Loop, Settings, media_playlists};
use hls::{Limits, MediaPlaylist, Micros, Playlist, Seconds, Timestamp, parse};
use include_dir::{Dir, include_dir};
use relay::ports::Clock;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use web::clock::TokioClock;

/// Where the channel is, on the demo's server.
pub const PATH: &str = "/channel/main.m3u8";

/// Three programmes of 20 seconds, made by `tests/fixtures/make-library.sh`.
static LIBRARY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../tests/fixtures/library");

/// 2026-01-01T00:00:00Z. Any moment that is past would do; one for all makes the channel show the same
/// whenever, and however often, it is started.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000_000);

/// What the channel lists: what there is to rewind into when the demo starts.
const WINDOW: Micros = Micros::from_secs(120);

/// A channel and the clock that it goes by.
#[derive(Clone, Debug)]
struct OnAir {
    channel: Arc<Loop>,
    clock: Arc<TokioClock>,
}

/// The routes of the channel and of the library that it plays.
pub fn routes(clock: Arc<TokioClock>) -> Router {
    let channel = Arc::new(channel());
    Router::new()
        .route("/channel/{playlist}", get(playlist))
        .route("/library/{*path}", get(file))
        .with_state(OnAir { channel, clock })
}

fn channel() -> Loop {
    let settings = Settings { epoch: EPOCH, target_duration: Seconds(2), window: WINDOW };
    Loop::new(settings, LIBRARY.dirs().map(|it| Arc::new(asset(it))).collect())
        .expect("the programmes of the library go together: a test plays them")
}

/// The programme in a folder of the library.
fn asset(folder: &Dir<'_>) -> Asset {
    let name = folder.path().display();
    let multivariant = match read(&format!("{name}/main.m3u8")) {
        Playlist::Multivariant(multivariant) => multivariant,
        Playlist::Media(_) => panic!("{name}/main.m3u8 is not a multivariant playlist"),
    };
    let media = |address: &str| match read(&format!("{name}/{address}")) {
        Playlist::Media(media) => media,
        Playlist::Multivariant(_) => panic!("{name}/{address} is not a media playlist"),
    };
    let media: BTreeMap<String, MediaPlaylist> = media_playlists(&multivariant)
        .into_iter()
        .map(|address| (address.to_owned(), media(address)))
        .collect();
    Asset::index(&format!("/library/{name}/"), &multivariant, &media)
        .expect("the library can be played: a test plays it")
}

fn read(path: &str) -> Playlist {
    let file = LIBRARY.get_file(path).expect("the library holds what its playlists name");
    parse(file.contents(), &Limits::default()).expect("the library's playlists can be read")
}

async fn playlist(
    State(OnAir { channel, clock }): State<OnAir>,
    Path(playlist): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = clock.now();
    let name = playlist.strip_suffix(".m3u8");
    let (text, good_for) = match name.and_then(|name| channel.find(name)) {
        Some(rendition) => {
            let playlist = channel.media_playlist(rendition, now, None);
            (playlist.text, playlist.next.unwrap_or(now).since(now).0 / 1_000_000)
        }
        None if name == Some("main") => (channel.multivariant(), 60),
        None => return StatusCode::NOT_FOUND.into_response(),
    };
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let headers = [
        (CONTENT_TYPE, "application/vnd.apple.mpegurl".to_owned()),
        (CACHE_CONTROL, format!("max-age={good_for}")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
        (ETAG, tag),
    ];
    if known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, text).into_response()
    }
}

async fn file(Path(path): Path<String>) -> Response {
    let Some(file) = LIBRARY.get_file(&path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match file.path().extension().and_then(|extension| extension.to_str()) {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        _ => "application/octet-stream",
    };
    let headers = [(CONTENT_TYPE, kind), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, file.contents()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_plays_and_names_only_what_is_there() {
        let channel = channel();
        let names: Vec<&str> = channel.renditions().iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["video_180p", "video_360p", "audio_en"]);
        for (place, rendition) in channel.renditions().iter().enumerate() {
            let now = EPOCH + Micros::from_secs(1_000_000);
            let text = channel.media_playlist(place, now, None).text;
            let Ok(Playlist::Media(media)) = parse(text.as_bytes(), &Limits::default()) else {
                panic!("not a media playlist: {text}");
            };
            assert_eq!(media.segments.len(), 60, "{}", rendition.name);
            for segment in &media.segments {
                let path = segment.uri.strip_prefix("/library/").unwrap();
                assert!(LIBRARY.get_file(path).is_some(), "{path}");
            }
        }
    }
}
