//! The source's HTTP server: a folder, with faults on request and a list of what was asked.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// What goes wrong with an answer.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Another status, without a body.
    Status(u16),
    /// The answer comes late.
    Delay(Duration),
    /// The connection ends in the middle of the body that was announced.
    Truncate,
    /// The answer never comes.
    Hang,
}

/// A server on a port of its own.
pub struct Origin {
    address: String,
    state: Arc<Served>,
}

struct Served {
    folder: PathBuf,
    faults: Mutex<Vec<(String, Fault)>>,
    requests: Mutex<Vec<(String, u16)>>,
    ignores_ranges: AtomicBool,
}

impl Origin {
    /// Serves `folder` until the runtime ends.
    pub async fn serve(folder: &Path) -> Self {
        let state = Arc::new(Served {
            folder: folder.to_owned(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            ignores_ranges: AtomicBool::new(false),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { address, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// From now on every path that contains `part` meets `fault`.
    pub fn break_down(&self, part: &str, fault: Fault) {
        self.state.faults.lock().unwrap().push((part.to_owned(), fault));
    }

    /// From now on a part of a file is answered with all of it.
    pub fn ignore_ranges(&self) {
        self.state.ignores_ranges.store(true, Ordering::Relaxed);
    }

    /// Everything works again.
    pub fn mend(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Paths and statuses so far, in order.
    pub fn requests(&self) -> Vec<(String, u16)> {
        self.state.requests.lock().unwrap().clone()
    }
}

async fn answer(State(served): State<Arc<Served>>, uri: Uri, mut headers: HeaderMap) -> Response {
    if served.ignores_ranges.load(Ordering::Relaxed) {
        headers.remove(header::RANGE);
    }
    let path = uri.path().to_owned();
    let fault = {
        let faults = served.faults.lock().unwrap();
        faults.iter().find(|(part, _)| path.contains(part)).map(|(_, fault)| *fault)
    };
    let response = match fault {
        Some(Fault::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            file(&served.folder, &path, &headers, false)
        }
        Some(Fault::Truncate) => file(&served.folder, &path, &headers, true),
        None => file(&served.folder, &path, &headers, false),
    };
    served.requests.lock().unwrap().push((path, response.status().as_u16()));
    response
}

fn file(folder: &Path, path: &str, headers: &HeaderMap, truncate: bool) -> Response {
    let file = folder.join(path.trim_start_matches('/'));
    let (Ok(metadata), Ok(bytes)) = (file.metadata(), std::fs::read(&file)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let changed = metadata.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let etag = format!("\"{:x}-{:x}\"", changed.as_nanos(), metadata.len());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let kind = match file.extension().and_then(|extension| extension.to_str()) {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        Some("mp4" | "m4s") => "video/mp4",
        Some("vtt") => "text/vtt",
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        _ => "application/octet-stream",
    };
    let about = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, bytes.len().to_string()),
        (header::ETAG, etag),
    ];
    let mut bytes = Bytes::from(bytes);
    if let Some((first, last)) = headers.get(header::RANGE).and_then(range) {
        let of = (header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len()));
        return (StatusCode::PARTIAL_CONTENT, [of], bytes.slice(first..=last)).into_response();
    }
    if !truncate {
        return (about, bytes).into_response();
    }
    bytes.truncate(bytes.len() / 2);
    let cut = stream::once(async {
        // What was written before has left by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    (about, Body::from_stream(stream::iter([Ok(bytes)]).chain(cut))).into_response()
}

/// The first and the last byte that are asked for.
fn range(value: &HeaderValue) -> Option<(usize, usize)> {
    let (first, last) = value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
