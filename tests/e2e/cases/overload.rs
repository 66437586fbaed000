//! Promise 10: bounded, with more to do than can be done.

use crate::ferry::Ferry;
use crate::program::Program;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const SESSIONS: usize = 128;
/// The length of most segments is about this, in bytes; of none it is more than twice as much.
/// What all sessions join with is three times as much as may be in memory at once.
const SEGMENT: usize = 1 << 20;
/// In seconds.
const DURATION: u64 = 8;
/// How many segments a playlist lists.
const WINDOW: u64 = 8;
/// The number of the newest segment when the test begins.
const BEFORE: u64 = 1_000;
/// How long the endpoints hardly take anything.
const OVERLOAD: Duration = Duration::from_secs(10);
/// What the program holds then at least, in bytes: else it was no overload.
const LEAST: u64 = 192 << 20;
/// What it may hold at most: 256 MiB of segments, and what the connections and the allocator keep beside.
const MOST: u64 = 448 << 20;
/// What it may keep afterwards.
const KEPT: u64 = 224 << 20;

/// Sources for all sessions, and an endpoint that takes everything, or hardly anything.
struct Place {
    began: Instant,
    segment: Bytes,
    choked: AtomicBool,
}

async fn read(
    Path((session, name)): Path<(usize, String)>,
    State(place): State<Arc<Place>>,
) -> Body {
    let kind = name.rsplit('.').next().unwrap();
    let uneven = name.bytes().fold(session, |sum, byte| (sum * 31 + usize::from(byte)) % SEGMENT);
    let length = SEGMENT / 2 + uneven;
    match (kind, name.as_str()) {
        ("ts", _) => place.segment.slice(..length).into(),
        (_, "main.m3u8") => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=4000000\na.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=5000000\nb.m3u8\n"
            .into(),
        _ => {
            let newest = BEFORE + place.began.elapsed().as_secs() / DURATION;
            let first = newest - WINDOW + 1;
            let mut text = format!(
                "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{DURATION}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
            );
            for number in first..=newest {
                write!(text, "#EXTINF:{DURATION},\n{}{number}.ts\n", &name[..1]).unwrap();
            }
            text.into()
        }
    }
}

async fn write(State(place): State<Arc<Place>>, body: Body) -> impl IntoResponse {
    let mut body = body.into_data_stream();
    while let Some(Ok(_)) = body.next().await {
        while place.choked.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    StatusCode::CREATED
}

impl Place {
    async fn serve() -> (Arc<Self>, String) {
        let place = Arc::new(Self {
            began: Instant::now(),
            segment: Bytes::from(
                (0..2 * SEGMENT).map(|at| at.to_le_bytes()[0]).collect::<Vec<u8>>(),
            ),
            choked: AtomicBool::new(false),
        });
        let router = Router::new()
            .route("/{session}/{name}", get(read).put(write))
            .route("/{session}/{endpoint}/{name}", axum::routing::put(write))
            .with_state(Arc::clone(&place));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (place, address)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn memory_stays_bounded_while_endpoints_take_hardly_anything_and_after() {
    let (place, address) = Place::serve().await;
    place.choked.store(true, Ordering::Relaxed);
    let ferry = Ferry::serve().await;
    let mut ids = Vec::new();
    for session in 0..SESSIONS {
        let endpoint = |index| json!({ "url": format!("{address}/{session}/{index}/channel") });
        let request = json!({
            "name": format!("session {session}"),
            "source": { "url": format!("{address}/{session}/main.m3u8") },
            "output": { "type": "webdav", "endpoints": [endpoint(0), endpoint(1)] },
        });
        ids.push(ferry.make(request).await);
    }
    let whole = |session: &Value| {
        let endpoints = session["endpoints"].as_array().unwrap();
        let behind = endpoints.iter().map(|endpoint| endpoint["behind"].as_u64().unwrap());
        session["status"] == "running" && behind.sum::<u64>() <= 2 * 2
    };
    tokio::time::sleep(OVERLOAD).await;
    let choked = ferry.memory();
    assert!(choked > LEAST, "{} MiB are no overload", choked >> 20);
    let unwell = ferry.session(&ids[0]).await;
    assert_ne!(unwell["endpoints"][0]["behind"], 0, "{unwell:#}");

    place.choked.store(false, Ordering::Relaxed);
    for id in &ids {
        ferry.until(id, "whole again", Duration::from_secs(60), whole).await;
    }
    let (after, peak) = (ferry.memory(), ferry.peak_memory());
    println!("{} MiB choked, {} at most, {} after", choked >> 20, peak >> 20, after >> 20);
    assert!(peak < MOST, "{} MiB at most", peak >> 20);
    assert!(after < KEPT, "{} MiB after", after >> 20);
}
