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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
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
    let peak = ferry.peak_memory();
    let mut after = ferry.memory();
    for _ in 0..30 {
        if after < KEPT {
            break;
        }
        // What is in flight on a busy machine ends, too.
        tokio::time::sleep(Duration::from_secs(1)).await;
        after = ferry.memory();
    }
    println!("{} MiB choked, {} at most, {} after", choked >> 20, peak >> 20, after >> 20);
    assert!(peak < MOST, "{} MiB at most", peak >> 20);
    assert!(after < KEPT, "{} MiB after", after >> 20);
}

/// Renditions, and how many segments each lists: what an endpoint that was away from the start lacks.
const RENDITIONS: usize = 6;
const LISTED: u64 = 60;
/// What an endpoint is sent in a second at most: half of what a channel of MediaPackage takes.
const A_SECOND: usize = 25;
/// Requests are counted over so many seconds, and may have come up to a second late: what they meet on their way is not
/// the program's to say. (`web` holds each second, where they leave.)
const SECONDS: usize = 5;

/// A source, and when each endpoint was asked for something.
#[derive(Default)]
struct Channel {
    away: AtomicBool,
    asked: [Mutex<Vec<Instant>>; 2],
}

async fn list(Path(name): Path<String>) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    if name == "main.m3u8" {
        for rendition in 0..RENDITIONS {
            let bandwidth = 1_000_000 + rendition;
            writeln!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\n{rendition}.m3u8").unwrap();
        }
    } else {
        text += "#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:600\n#EXT-X-MEDIA-SEQUENCE:1\n";
        for number in 1..=LISTED {
            writeln!(text, "#EXTINF:600,\n{name}{number}.ts").unwrap();
        }
    }
    text
}

async fn take(
    Path((endpoint, name)): Path<(usize, String)>,
    State(channel): State<Arc<Channel>>,
    _: Bytes,
) -> StatusCode {
    channel.asked[endpoint].lock().unwrap().push(Instant::now());
    let away = endpoint == 1 && channel.away.load(Ordering::Relaxed);
    assert!(name.starts_with("channel"), "{name}");
    if away { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CREATED }
}

/// How many there are in the fullest span.
fn most(asked: &[Instant]) -> usize {
    let span = Duration::from_secs(SECONDS as u64);
    let from = |at: usize| asked[at..].iter().take_while(|it| **it < asked[at] + span).count();
    (0..asked.len()).map(from).max().unwrap_or_default()
}

#[tokio::test]
async fn a_channel_of_mediapackage_gets_no_more_requests_a_second_than_it_takes() {
    let channel = Arc::new(Channel { away: AtomicBool::new(true), ..Channel::default() });
    let segment = Bytes::from_static(&[0x47; 188]);
    let router = Router::new()
        .route(
            "/live/{name}",
            get(|name: Path<String>| async move {
                if name.ends_with(".ts") {
                    segment.into_response()
                } else {
                    list(name).await.into_response()
                }
            }),
        )
        .route("/in/{endpoint}/{name}", axum::routing::put(take))
        .with_state(Arc::clone(&channel));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let ferry = Ferry::serve().await;
    let endpoint = |index| json!({ "url": format!("{address}/in/{index}/channel") });
    let request = json!({
        "name": "test",
        "source": { "url": format!("{address}/live/main.m3u8") },
        "output": { "type": "mediapackage", "endpoints": [endpoint(0), endpoint(1)] },
        "start": "window",
        "concurrency": 16,
    });
    let id = ferry.make(request).await;
    let has_all =
        |endpoint: usize| move |session: &Value| session["endpoints"][endpoint]["behind"] == 0;
    let takes = Duration::from_secs(60);
    let segments = RENDITIONS * usize::try_from(LISTED).unwrap();
    ferry
        .until(&id, "at the first endpoint", takes, |session| {
            session["endpoints"][0]["segments"].as_u64() == u64::try_from(segments).ok()
        })
        .await;
    channel.away.store(false, Ordering::Relaxed);
    let returned = Instant::now();
    ferry.until(&id, "at both", takes, has_all(1)).await;

    let asked = channel.asked.each_ref().map(|asked| asked.lock().unwrap().clone());
    let caught_up: Vec<Instant> = asked[1].iter().filter(|at| **at > returned).copied().collect();
    for (asked, when) in [(&asked[0], "joining"), (&caught_up, "catching up")] {
        let (all, most) = (asked.len(), most(asked));
        println!("{when}: {all} requests, {most} in the fullest {SECONDS} s");
        assert!(all >= segments, "{when}: {all} requests for {segments} segments");
        assert!(most <= A_SECOND * (SECONDS + 1), "{when}: {most} requests in {SECONDS} s");
        assert!(
            most >= A_SECOND * (SECONDS - 1),
            "{when}: {most}: it was not the limit that held them"
        );
    }
}
