//! The example does what it says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "its main is for those who read it")]
#[path = "../examples/mediapackage.rs"]
mod mediapackage;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, put};
use ferry::{Ferry, Reach, Settings};
use relay::progress::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Stored = Arc<Mutex<BTreeMap<String, Bytes>>>;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/library/bars");

async fn file(Path(path): Path<String>) -> Result<Vec<u8>, StatusCode> {
    std::fs::read(format!("{LIBRARY}/{path}")).map_err(|_| StatusCode::NOT_FOUND)
}

#[tokio::test]
async fn the_example_carries_a_stream_to_its_end() {
    let stored = Stored::default();
    let shelf = Arc::clone(&stored);
    let store = async move |Path(path): Path<String>, body: Bytes| {
        shelf.lock().unwrap().insert(path, body);
        StatusCode::CREATED
    };
    let routes = Router::new()
        .route("/source/{*path}", get(file))
        .route("/in/{*path}", put(store))
        .layer(axum::extract::DefaultBodyLimit::max(8 << 20));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());

    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { reach: Reach::Anywhere, ..Settings::default() };
    let ferry = Ferry::open(dir.path(), settings).unwrap();
    let ingest = [format!("{at}/in/1/channel"), format!("{at}/in/2/channel")];
    let source = format!("{at}/source/main.m3u8");
    let session = mediapackage::start(&ferry, &source, [&ingest[0], &ingest[1]]).await.unwrap();
    let end = session.ended().await;
    assert_eq!(end.status, Status::Ended, "{end:?}");

    let stored = stored.lock().unwrap();
    let at_endpoint = |prefix: &str| -> BTreeMap<String, Bytes> {
        let own = stored
            .iter()
            .filter_map(|(name, body)| Some((name.strip_prefix(prefix)?.to_owned(), body.clone())));
        own.collect()
    };
    let first = at_endpoint("1/");
    assert_eq!(first, at_endpoint("2/"), "both have the same");
    let is_playlist = |name: &&String| name.ends_with(".m3u8");
    assert_eq!(first.keys().filter(is_playlist).count(), 4);
    assert_eq!(first.len() as u64 - 4, end.segments);
    let mut sent: Vec<&Bytes> =
        first.iter().filter(|(name, _)| !is_playlist(name)).map(|(_, body)| body).collect();
    let mut source: Vec<Vec<u8>> = Vec::new();
    for rendition in ["180p", "360p", "audio"] {
        let segments = std::fs::read_dir(format!("{LIBRARY}/{rendition}")).unwrap();
        let segments = segments.map(|entry| entry.unwrap().path());
        let segments = segments.filter(|path| path.extension().is_none_or(|it| it != "m3u8"));
        source.extend(segments.map(|path| std::fs::read(path).unwrap()));
    }
    sent.sort();
    source.sort();
    let same = sent.len() == source.len() && sent.iter().zip(&source).all(|(a, b)| *a == b);
    assert!(same, "all segments of the source arrived, and nothing else");
    for (name, text) in first.iter().filter(|(name, _)| is_playlist(name)) {
        let ended = text.ends_with(b"#EXT-X-ENDLIST\n");
        assert_eq!(ended, name != "channel.m3u8", "{name}");
    }
}
