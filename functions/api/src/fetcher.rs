//! The API of hls-pull-push, for those who come from it: its JSON, over sessions.

use crate::Api;
use crate::answers::time;
use crate::fields::{Errors, Object};
use crate::path::Path;
use crate::problem::{self, Problem};
use crate::request::{EndpointRequest, OutputRequest, Request, SourceRequest};
use crate::sessions::{make, read_json};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use relay::ports::{Clock, Query, Runs, Sessions};
use relay::progress::Status;
use relay::session::{OutputKind, Session, SessionId};
use serde::Serialize;
use serde_json::{Value, json};

/// What it reads side by side when it is not told.
const CONCURRENCY: u64 = 16;

/// An error as hls-pull-push words it.
pub struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        let error = status.canonical_reason();
        let body = json!({ "statusCode": status.as_u16(), "error": error, "message": message });
        (status, Json(body)).into_response()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, detail) = problem.in_words();
        Self(status, in_its_names(&detail))
    }
}

/// `POST /api/v1/fetcher`
pub async fn create<S: Sessions, R: Runs, C: Clock>(
    State(api): State<Api<S, R, C>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let mut errors = Errors::default();
    let request = read(read_json(&headers, body, crate::BODY_BYTES)?, &mut errors);
    // Its words for an output that is not there come before those for all else.
    if let Some(kind) = &request.output.kind
        && kind != "mediapackage"
    {
        let message = format!("Unsupported Plugin Type '{kind}'");
        return Err(Refusal(StatusCode::NOT_FOUND, message));
    }
    let wanted = request.check_with(None, &*api.refuses, &mut errors);
    let Some(wanted) = wanted.filter(|_| errors.0.is_empty()) else {
        return Err(Problem::fields(StatusCode::BAD_REQUEST, errors.0).into());
    };
    let session = make(&api, wanted).await?;
    Ok(Json(json!({
        "message": "Created a fetcher and started to pull from the HLS live stream",
        "fetcherId": session.id,
        "requestData": {
            "name": session.name,
            "url": session.source,
            "output": session.output,
            "payload": {
                "ingestUrls": session.endpoints.iter().map(|url| json!({ "url": url })).collect::<Vec<_>>(),
            },
            "concurrency": session.concurrency,
            "windowSize": window_size(&session),
        },
    })))
}

/// `GET /api/v1/fetcher`: the active ones.
pub async fn list<S: Sessions, R: Runs, C>(
    State(api): State<Api<S, R, C>>,
) -> Result<Json<Vec<Fetcher>>, Refusal> {
    let mut fetchers = Vec::new();
    let mut query = Query { status: None, limit: 200, next: None };
    loop {
        let page = api.sessions.list(&query).await.map_err(|error| problem::store(&error))?;
        let active = page.sessions.into_iter().filter(|one| one.progress.status.is_active());
        fetchers.extend(active.map(|one| {
            let progress = api.runs.progress(&one.session.id).unwrap_or(one.progress);
            Fetcher::new(one.session, progress.status)
        }));
        match page.next {
            None => return Ok(Json(fetchers)),
            next => query.next = next,
        }
    }
}

/// `DELETE /api/v1/fetcher/{id}`
pub async fn stop<S: Sessions, R: Runs, C>(
    State(api): State<Api<S, R, C>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let id = SessionId(id);
    let record = api.sessions.get(&id).await.map_err(|error| problem::store(&error))?;
    if !record.is_some_and(|record| record.progress.status.is_active()) {
        let message = format!("Fetcher with ID: '{id}' was not found");
        return Err(Refusal(StatusCode::NOT_FOUND, message));
    }
    api.runs.stop(&id).await.map_err(|error| problem::store(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session as hls-pull-push shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetcher {
    fetcher_id: SessionId,
    created: String,
    name: String,
    url: String,
    dest: OutputKind,
    concurrency: u8,
    window_size: i64,
    source_playlist_type: &'static str,
}

impl Fetcher {
    fn new(session: Session, status: Status) -> Self {
        Self {
            window_size: window_size(&session),
            fetcher_id: session.id,
            created: time(session.created),
            name: session.name,
            url: session.source.to_string(),
            dest: session.output,
            concurrency: session.concurrency,
            // What is carried is taken for live until it ends.
            source_playlist_type: if status == Status::Starting { "NONE" } else { "LIVE" },
        }
    }
}

/// -1 is its word for a window as long as the source's.
fn window_size(session: &Session) -> i64 {
    session.window_seconds.map_or(-1, i64::from)
}

/// Reads its body. It lets unknown fields be, numbers be strings, and any concurrency pass.
fn read(body: Value, errors: &mut Errors) -> Request {
    let mut request = Request::default();
    let Some(mut fields) = Object::of("", body, errors) else { return request };
    request.name = fields.text("name", errors);
    request.source = SourceRequest { url: fields.text("url", errors), ..SourceRequest::default() };
    request.output =
        OutputRequest { kind: fields.text("output", errors), ..OutputRequest::default() };
    let concurrency = fields.take("concurrency").and_then(|number| whole(&number));
    request.concurrency = Some(concurrency.unwrap_or(CONCURRENCY).clamp(1, CONCURRENCY));
    let window = fields.take("windowSize").and_then(|number| whole(&number));
    request.window_seconds = window.filter(|seconds| *seconds > 0);
    let payload = fields.object("payload", errors);
    let urls = payload.map(|mut payload| payload.array("ingestUrls", errors)).unwrap_or_default();
    for (index, (path, value)) in urls.into_iter().enumerate() {
        let Some(mut fields) = Object::of(&path, value, errors) else { continue };
        let mut required = |name| {
            let text = fields.text(name, errors);
            if text.is_none() {
                errors.add(format!("output.endpoints[{index}].{name}"), "is required");
            }
            text
        };
        request.output.endpoints.push(EndpointRequest {
            url: required("url"),
            username: required("username"),
            password: required("password"),
        });
    }
    request
}

fn whole(number: &Value) -> Option<u64> {
    match number {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// Our names of fields, in the names that its users know.
fn in_its_names(text: &str) -> String {
    text.replace("output.endpoints", "payload.ingestUrls")
        .replace("output.type", "output")
        .replace("source.url", "url")
        .replace("window_seconds", "windowSize")
}
