//! A local ingest: two endpoints that take PUTs with digest authentication, and play what they took.

use super::digest::Gate;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use tokio::fs;

/// The endpoints, as their addresses name them.
pub const ENDPOINTS: [&str; 2] = ["1", "2"];

/// The longest body that is taken: half a minute of video at 16 Mbit/s.
const BODY_BYTES: usize = 64 << 20;

/// Where the endpoints keep what they took, and who may put it there.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    gate: Mutex<Gate>,
    down: [AtomicBool; ENDPOINTS.len()],
    /// Numbers the files that are being written.
    writes: AtomicU64,
}

impl Shelf {
    /// A shelf in `folder`, which is made where it is missing.
    pub async fn new(folder: PathBuf, username: &str, password: &str) -> io::Result<Self> {
        for endpoint in ENDPOINTS {
            fs::create_dir_all(folder.join(endpoint)).await?;
        }
        let gate = Mutex::new(Gate::new(username, password));
        Ok(Self { folder, gate, down: Default::default(), writes: AtomicU64::new(0) })
    }

    /// The file of a name at an endpoint. Names are plain, so no path leads out of the folder.
    fn file(&self, endpoint: &str, name: &str) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let good = !name.starts_with('.') && !name.is_empty() && name.chars().all(plain);
        (good && ENDPOINTS.contains(&endpoint)).then(|| self.folder.join(endpoint).join(name))
    }

    fn down(&self, endpoint: &str) -> Option<&AtomicBool> {
        let place = ENDPOINTS.iter().position(|name| *name == endpoint)?;
        self.down.get(place)
    }

    /// Writes a file whole: a reader finds the old one or the new one. Says whether it is new.
    async fn write(&self, endpoint: &str, file: PathBuf, body: Bytes) -> io::Result<bool> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let draft = self.folder.join(format!("{endpoint}-{number}.draft"));
        let new = !fs::try_exists(&file).await?;
        let written = match fs::write(&draft, body).await {
            Ok(()) => fs::rename(&draft, file).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            // A full disk needs the room; a draft that is not there needs nothing.
            let _ = fs::remove_file(draft).await;
        }
        written.map(|()| new)
    }

    /// The file that a request may change.
    fn admit(
        &self,
        (endpoint, name): (&str, &str),
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<PathBuf, Trouble> {
        let file = self.file(endpoint, name).ok_or(Trouble::NotThere)?;
        if self.down(endpoint).is_some_and(|down| down.load(Ordering::Relaxed)) {
            return Err(Trouble::Down);
        }
        let uri = uri.path_and_query().map_or("", |it| it.as_str());
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let now = Instant::now();
        let mut gate = self.gate.lock().expect("nobody panics while holding the gate");
        match gate.check(method.as_str(), uri, authorization, now) {
            Ok(()) => Ok(file),
            Err(refusal) => Err(Trouble::Refused(gate.challenges(refusal, now))),
        }
    }
}

/// Why a request is not done.
#[derive(Debug)]
enum Trouble {
    /// There is no such endpoint or name.
    NotThere,
    /// The endpoint was taken down.
    Down,
    /// Who asks has not signed in.
    Refused([String; 2]),
    /// The folder cannot be used.
    Folder(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotThere,
            _ => Self::Folder(error),
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match self {
            Self::NotThere => StatusCode::NOT_FOUND.into_response(),
            Self::Down => {
                (StatusCode::SERVICE_UNAVAILABLE, "this endpoint is down\n").into_response()
            }
            Self::Refused(challenges) => {
                let challenges = challenges.map(|challenge| (WWW_AUTHENTICATE, challenge));
                (StatusCode::UNAUTHORIZED, AppendHeaders(challenges)).into_response()
            }
            Self::Folder(error) if error.kind() == io::ErrorKind::StorageFull => {
                StatusCode::INSUFFICIENT_STORAGE.into_response()
            }
            Self::Folder(error) => {
                tracing::warn!(%error, "the ingest cannot use its folder");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// The routes of the ingest.
pub fn routes(shelf: Arc<Shelf>) -> Router {
    Router::new()
        .route("/ingest/{endpoint}/{name}", get(read).put(put).delete(delete))
        .route("/ingest/{endpoint}", get(state).post(switch))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(shelf)
}

async fn put(
    State(shelf): State<Arc<Shelf>>,
    Path((endpoint, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Trouble> {
    let file = shelf.admit((&endpoint, &name), &Method::PUT, &uri, &headers)?;
    let new = shelf.write(&endpoint, file, body).await?;
    Ok(if new { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
}

async fn delete(
    State(shelf): State<Arc<Shelf>>,
    Path((endpoint, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<StatusCode, Trouble> {
    let file = shelf.admit((&endpoint, &name), &Method::DELETE, &uri, &headers)?;
    fs::remove_file(file).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read(
    State(shelf): State<Arc<Shelf>>,
    Path((endpoint, name)): Path<(String, String)>,
) -> Result<impl IntoResponse, Trouble> {
    let bytes = fs::read(shelf.file(&endpoint, &name).ok_or(Trouble::NotThere)?).await?;
    let (kind, keep) = media_type(&name);
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, keep), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    Ok((headers, bytes))
}

/// Whether an endpoint is `up` or `down`.
async fn state(
    State(shelf): State<Arc<Shelf>>,
    Path(endpoint): Path<String>,
) -> Result<&'static str, Trouble> {
    let down = shelf.down(&endpoint).ok_or(Trouble::NotThere)?;
    Ok(if down.load(Ordering::Relaxed) { "down\n" } else { "up\n" })
}

/// Takes an endpoint down, or brings it back: `down` and `up` are the bodies.
async fn switch(
    State(shelf): State<Arc<Shelf>>,
    Path(endpoint): Path<String>,
    body: String,
) -> StatusCode {
    match (shelf.down(&endpoint), body.trim()) {
        (Some(down), wanted @ ("down" | "up")) => {
            down.store(wanted == "down", Ordering::Relaxed);
            StatusCode::NO_CONTENT
        }
        (Some(_), _) => StatusCode::BAD_REQUEST,
        (None, _) => StatusCode::NOT_FOUND,
    }
}

/// The media type of a name, and how long a copy of it is good.
fn media_type(name: &str) -> (&'static str, &'static str) {
    let forever = "max-age=31536000, immutable";
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("m3u8") => ("application/vnd.apple.mpegurl", "no-store"),
        Some("ts") => ("video/mp2t", forever),
        Some("aac") => ("audio/aac", forever),
        Some("ac3") => ("audio/ac3", forever),
        Some("ec3") => ("audio/eac3", forever),
        Some("vtt") => ("text/vtt", forever),
        _ => ("application/octet-stream", forever),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay::ports::{ContentType, Fetched, Ingest, IngestError, Origin};
    use relay::session::{Access, Credentials, Endpoint, OutputKind};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use url::Url;
    use web::{Connector, Reach, Settings};

    const KIND: ContentType = ContentType("application/vnd.apple.mpegurl");

    /// An ingest that listens, and its folder.
    async fn ingest() -> (Url, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().to_owned(), "demo", "word").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes(Arc::new(shelf))).await });
        (Url::parse(&at).unwrap(), folder)
    }

    fn client(at: &Url, password: &str) -> web::WebDavIngest {
        let credentials =
            Credentials { username: "demo".to_owned(), password: password.to_owned() };
        let url = at.join("ingest/1/channel").unwrap();
        connector().ingest(&Endpoint { url, credentials: Some(credentials) }, OutputKind::WebDav)
    }

    fn connector() -> Connector {
        Connector::new(Settings { reach: Reach::Anywhere, ..Settings::default() }).unwrap()
    }

    async fn read(at: &Url, path: &str) -> Option<String> {
        let url = at.join(path).unwrap();
        let access = Access {
            source: url.clone(),
            fallbacks: Vec::new(),
            headers: Vec::new(),
            endpoints: Vec::new(),
        };
        match connector().origin(&access).playlist(&url, None).await {
            Ok(Fetched::Changed { text, .. }) => Some(String::from_utf8(text.to_vec()).unwrap()),
            Ok(Fetched::Unchanged) | Err(_) => None,
        }
    }

    /// What is answered to a request as it stands.
    async fn say(at: &Url, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", at.port().unwrap())).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
        let body = "content-length: 4\r\n\r\ndown";
        stream.write_all(format!("{request}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn what_is_put_can_be_read_until_it_is_deleted() {
        let (at, _folder) = ingest().await;
        let client = client(&at, "word");
        for text in ["#EXTM3U\n#1", "#EXTM3U\n#2"] {
            client.put("channel.m3u8", KIND, Bytes::from(text)).await.unwrap();
            assert_eq!(read(&at, "ingest/1/channel.m3u8").await.as_deref(), Some(text));
        }
        assert_eq!(read(&at, "ingest/2/channel.m3u8").await, None);
        client.delete("channel.m3u8").await.unwrap();
        assert_eq!(read(&at, "ingest/1/channel.m3u8").await, None);
    }

    #[tokio::test]
    async fn nothing_is_taken_from_those_who_do_not_know_the_password() {
        let (at, folder) = ingest().await;
        let put = client(&at, "sword").put("channel.m3u8", KIND, Bytes::from("#EXTM3U")).await;
        assert!(matches!(put, Err(IngestError::Denied { .. })), "{put:?}");
        for request in ["PUT /ingest/1/a.ts", "DELETE /ingest/1/a.ts"] {
            assert_eq!(say(&at, request).await, "HTTP/1.1 401 Unauthorized");
        }
        assert_eq!(std::fs::read_dir(folder.path().join("1")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn no_name_leads_out_of_the_folder() {
        let (at, folder) = ingest().await;
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        for path in [
            "/ingest/1/../secret",
            "/ingest/1/..%2fsecret",
            "/ingest/..%2f1/secret",
            "/ingest/../secret",
            "/ingest/./secret",
            "/ingest/%2e/secret",
            "/ingest/1/%2e%2e/secret",
            "/ingest/1/..%5csecret",
            "/ingest/1/.hidden",
            "/ingest/1/a%00b",
            "/ingest/3/a.ts",
            "/ingest/1//secret",
        ] {
            for method in ["GET", "PUT", "DELETE"] {
                let answer = say(&at, &format!("{method} {path}")).await;
                assert_eq!(answer, "HTTP/1.1 404 Not Found", "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_is_down_takes_nothing_and_the_other_goes_on() {
        let (at, _folder) = ingest().await;
        assert_eq!(say(&at, "POST /ingest/1").await, "HTTP/1.1 204 No Content");
        assert_eq!(say(&at, "PUT /ingest/1/a.ts").await, "HTTP/1.1 503 Service Unavailable");
        assert_eq!(say(&at, "PUT /ingest/2/a.ts").await, "HTTP/1.1 401 Unauthorized");
        assert_eq!(say(&at, "POST /ingest/3").await, "HTTP/1.1 404 Not Found");
        assert_eq!(say(&at, "GET /ingest/3").await, "HTTP/1.1 404 Not Found");
    }
}
