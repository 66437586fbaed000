//! A server with a source that has ended, the same with a hole, one that goes on, and endpoints that take everything.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::StatusCode;
use axum::routing::{get, put};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/library/bars");

/// What was put, by path.
type Stored = Arc<Mutex<BTreeMap<String, Bytes>>>;

pub struct Place {
    pub at: String,
    stored: Stored,
}

impl Place {
    pub async fn new() -> Self {
        let (stored, began) = (Stored::default(), Instant::now());
        let shelf = Arc::clone(&stored);
        let store = async move |Path(path): Path<String>, body: Bytes| {
            shelf.lock().unwrap().insert(path, body);
            StatusCode::CREATED
        };
        let routes = Router::new()
            .route("/ended/{*path}", get(file))
            .route("/holed/{*path}", get(file_but_one))
            .route("/live/main.m3u8", get(async move || live(began)))
            .route("/live/{segment}", get(async || vec![0x47_u8; 188]))
            .route("/in/{*path}", put(store).delete(async || StatusCode::NO_CONTENT))
            .layer(DefaultBodyLimit::max(8 << 20));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        Self { at, stored }
    }

    /// What was put under a folder, by name.
    pub fn stored(&self, folder: &str) -> BTreeMap<String, Bytes> {
        let stored = self.stored.lock().unwrap();
        let under = stored.iter().filter_map(|(path, body)| {
            Some((path.strip_prefix(folder)?.strip_prefix('/')?.to_owned(), body.clone()))
        });
        under.collect()
    }
}

async fn file(Path(path): Path<String>) -> Result<Vec<u8>, StatusCode> {
    std::fs::read(format!("{LIBRARY}/{path}")).map_err(|_| StatusCode::NOT_FOUND)
}

async fn file_but_one(path: Path<String>) -> Result<Vec<u8>, StatusCode> {
    if path.ends_with("360p/004.ts") { Err(StatusCode::NOT_FOUND) } else { file(path).await }
}

/// Five segments of a second.
fn live(began: Instant) -> String {
    let oldest = 100 + began.elapsed().as_secs();
    let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:";
    let segment = |sequence| format!("#EXTINF:1.0,\n{sequence}.ts\n");
    format!("{head}{oldest}\n{}", (oldest..oldest + 5).map(segment).collect::<String>())
}
