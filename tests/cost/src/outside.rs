//! The sources and the endpoints, as far away as they are in the world.

use crate::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use bytes::Bytes;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a source takes to answer: it may be anywhere.
pub const SOURCE_AWAY: Duration = Duration::from_millis(40);
/// What an endpoint takes to answer: it is in the function's region.
pub const ENDPOINT_AWAY: Duration = Duration::from_millis(10);
/// What one connection carries, in bits a second.
pub const CONNECTION: u64 = 300_000_000;
/// The bits a second of the variants: 12 Mbit/s in all.
pub const VARIANTS: [u64; 5] = [5_000_000, 3_200_000, 2_000_000, 1_200_000, 600_000];
/// The length of a segment, in seconds.
pub const SEGMENT: u64 = 6;
/// How long the film plays, in seconds.
const FILM: u64 = 7_200;
/// How many segments a playlist lists.
const WINDOW: u64 = 10;

struct World {
    began: Instant,
    sessions: u64,
    thinned: u64,
    /// As many bytes as the longest segment has.
    body: Bytes,
}

/// Serves `sessions` sources at `/live/<number>/main.m3u8`, which publish evenly spread over time, and
/// endpoints at `/in/<name>/`, which ask for digest authentication. Of a segment there is one byte in
/// `thinned`. Says where.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(sessions: u64, thinned: u64) -> Result<String> {
    let packet = [&[0x47, 0x1F, 0xFF, 0x10][..], &[0xFF; 184]].concat();
    let body = packet.repeat(usize::try_from(VARIANTS[0] * SEGMENT / 8)? / packet.len());
    let world = World { began: Instant::now(), sessions, thinned, body: body.into() };
    let router = Router::new()
        .route("/live/{number}/{file}", get(source))
        .route("/vod/{file}", get(vod))
        .route("/in/{name}/{object}", put(endpoint))
        .with_state(Arc::new(world));
    crate::listen(router).await
}

/// A film of two hours: its multivariant playlist, and a media playlist for each variant.
async fn vod(Path(file): Path<String>) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    if file == "main.m3u8" {
        for (number, bits) in VARIANTS.iter().enumerate() {
            let height = 1_080 >> number;
            let told = format!("BANDWIDTH={bits},RESOLUTION={}x{height}", height * 16 / 9);
            writeln!(text, "#EXT-X-STREAM-INF:{told}\n{number}.m3u8").expect("a String takes all");
        }
        return text;
    }
    writeln!(text, "#EXT-X-TARGETDURATION:{SEGMENT}").expect("a String takes all");
    for number in 0..FILM / SEGMENT {
        writeln!(text, "#EXTINF:{SEGMENT},\nfilm-{file}-{number:05}.ts")
            .expect("a String takes all");
    }
    text + "#EXT-X-ENDLIST\n"
}

async fn source(
    State(world): State<Arc<World>>,
    Path((number, file)): Path<(u64, String)>,
    headers: HeaderMap,
) -> Response {
    tokio::time::sleep(SOURCE_AWAY).await;
    let phase = Duration::from_secs(SEGMENT) * u32::try_from(number).unwrap_or(0)
        / u32::try_from(world.sessions).unwrap_or(1);
    let newest = 100 + (world.began.elapsed() + phase).as_secs() / SEGMENT;
    if file == "main.m3u8" {
        return playlist(&headers, 0, multivariant);
    }
    let Some((variant, what)) = file.trim_start_matches('v').split_once(['.', '_']) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(rate) = variant.parse::<usize>().ok().and_then(|variant| VARIANTS.get(variant)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if what == "m3u8" {
        return playlist(&headers, newest, || media(variant, newest));
    }
    let bytes = rate * SEGMENT / 8 / world.thinned;
    tokio::time::sleep(Duration::from_micros(bytes * 8_000_000 / CONNECTION)).await;
    let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(world.body.len());
    ([(header::CONTENT_TYPE, "video/mp2t")], world.body.slice(..length)).into_response()
}

fn multivariant() -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:3\n");
    for (variant, rate) in VARIANTS.iter().enumerate() {
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={rate},CODECS=\"avc1.64001f,mp4a.40.2\"\nv{variant}.m3u8"
        )
        .expect("a String takes all");
    }
    text
}

fn media(variant: &str, newest: u64) -> String {
    let first = newest + 1 - WINDOW;
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SEGMENT}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    );
    for number in first..=newest {
        writeln!(text, "#EXTINF:{SEGMENT}.000,\nv{variant}_{number}.ts")
            .expect("a String takes all");
    }
    text
}

fn playlist(headers: &HeaderMap, version: u64, render: impl FnOnce() -> String) -> Response {
    let tag = format!("\"{version}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let (status, body) = if known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, render().into())
    };
    let fields = [(header::CONTENT_TYPE, "application/vnd.apple.mpegurl"), (header::ETAG, &tag)];
    (status, fields, body).into_response()
}

/// Takes everything that comes with digest credentials, whichever they are.
async fn endpoint(Path((name, _)): Path<(String, String)>, request: Request) -> Response {
    let signed = request.headers().contains_key(header::AUTHORIZATION);
    tokio::time::sleep(ENDPOINT_AWAY).await;
    if !signed {
        let ask = format!("Digest realm=\"{name}\", nonce=\"8f2c\", qop=\"auth\", algorithm=MD5");
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, ask)]).into_response();
    }
    let Ok(body) = to_bytes(request.into_body(), 64 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let micros = body.len() as u64 * 8_000_000 / CONNECTION;
    tokio::time::sleep(Duration::from_micros(micros)).await;
    StatusCode::CREATED.into_response()
}
