//! The session routes.

use crate::Api;
use crate::answers::{ListAnswer, SessionAnswer};
use crate::fields::{Errors, FieldError};
use crate::path::Path;
use crate::problem::{self, Problem};
use crate::request::{Request, Wanted};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use relay::ports::{Clock, CreateError, Page, Query, Record, Runs, Sessions};
use relay::progress::{Progress, Status};
use relay::session::{Session, SessionId};
use serde_json::Value;
use std::cmp::Reverse;

/// Sessions on a page unless the request says how many.
const LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// `POST /sessions`
pub async fn create<S: Sessions, R: Runs, C: Clock>(
    State(api): State<Api<S, R, C>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Problem> {
    let body = read_json(&headers, body, crate::BODY_BYTES)?;
    let mut errors = Errors::default();
    let request = Request::read(body, &mut errors);
    let wanted = request.check_with(api.here.as_ref(), &*api.refuses, &mut errors);
    let wanted = wanted.filter(|_| errors.0.is_empty());
    let wanted =
        wanted.ok_or_else(|| Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors.0))?;
    let session = make(&api, wanted).await?;
    let location = [(header::LOCATION, format!("/sessions/{}", session.id))];
    let record = Record { session, progress: Progress::default() };
    Ok((StatusCode::CREATED, location, Json(SessionAnswer::new(record))))
}

/// Makes a session that can be had, and starts it. One whose output does not take its source is refused, where
/// the process can look at that.
pub async fn make<S: Sessions, R: Runs, C: Clock>(
    api: &Api<S, R, C>,
    wanted: Wanted,
) -> Result<Session, Problem> {
    let (session, access) = wanted.into_session((api.new_id)(), api.clock.now());
    if let Some(detail) = api.runs.objection(&session, &access).await {
        let field = if session.options.channel.is_some() { "source.channel" } else { "source.url" };
        let errors = vec![FieldError { field: field.to_owned(), detail }];
        return Err(Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors));
    }
    match api.sessions.create(&session, &access).await {
        Ok(()) => {}
        Err(CreateError::Taken { by, endpoint }) => return Err(Problem::taken(by, endpoint)),
        Err(CreateError::Store(error)) => return Err(problem::store(&error)),
    }
    api.runs.start(&session).await;
    Ok(session)
}

/// `GET /sessions`
pub async fn list<S: Sessions, R: Runs, C>(
    State(api): State<Api<S, R, C>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let mut errors = Errors::default();
    let query = read_query(query.as_deref().unwrap_or_default(), &mut errors);
    let known = api.runs.carried();
    let after = match &query.next {
        None => None,
        Some(next) => match known.iter().find(|one| one.session.id == *next) {
            Some(record) => Some(record.clone()),
            None => api.sessions.get(next).await.map_err(|error| problem::store(&error))?,
        },
    };
    if query.next.is_some() && after.is_none() {
        errors.add("next", "is not what a page before ended with");
    }
    if !errors.0.is_empty() {
        return Err(Problem::fields(StatusCode::BAD_REQUEST, errors.0));
    }
    let mut page = match carried(known, &query, after.as_ref()) {
        Some(page) => page,
        None => api.sessions.list(&query).await.map_err(|error| problem::store(&error))?,
    };
    for record in &mut page.sessions {
        bring_up_to_date(&*api.runs, record);
    }
    Ok(Json(ListAnswer::new(page)))
}

/// The sessions in an active state, of those that this process carries, which are all that are active: it knows that
/// before the store does, and while the store takes nothing. Absent: it carries none, or others are asked for.
fn carried(mut sessions: Vec<Record>, query: &Query, after: Option<&Record>) -> Option<Page> {
    let wanted = query.status.filter(|status| status.is_active() && !sessions.is_empty())?;
    let place = |record: &Record| (record.session.created, record.session.id.clone());
    sessions.retain(|record| {
        let listed_before = after.is_some_and(|after| place(record) >= place(after));
        record.progress.status == wanted && !listed_before
    });
    sessions.sort_by_key(|record| Reverse(place(record)));
    let more = sessions.len() > query.limit;
    sessions.truncate(query.limit);
    let next = sessions.last().filter(|_| more).map(|last| last.session.id.clone());
    Some(Page { sessions, next })
}

/// `GET /sessions/{id}`
pub async fn show<S: Sessions, R: Runs, C>(
    State(api): State<Api<S, R, C>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let mut record = match find(&*api.sessions, &id).await {
        Ok(record) => record,
        Err(problem) => {
            // What it says of the store is on the session, where it is carried here.
            let carried = api.runs.carried().into_iter().find(|one| one.session.id.0 == id);
            carried.ok_or(problem)?
        }
    };
    bring_up_to_date(&*api.runs, &mut record);
    Ok(Json(SessionAnswer::new(record)))
}

/// `DELETE /sessions/{id}`: one that is over stays what it is, so asking twice is harmless.
pub async fn stop<S: Sessions, R: Runs, C>(
    State(api): State<Api<S, R, C>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let record = find(&*api.sessions, &id).await?;
    if record.progress.status.is_active() {
        api.runs.stop(&record.session.id).await.map_err(|error| problem::store(&error))?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A session that is there.
pub async fn find(sessions: &impl Sessions, id: &str) -> Result<Record, Problem> {
    match sessions.get(&SessionId(id.to_owned())).await {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(Problem::no_session(id)),
        Err(error) => Err(problem::store(&error)),
    }
}

/// Whoever carries a session knows more than was last written.
fn bring_up_to_date(runs: &impl Runs, record: &mut Record) {
    if record.progress.status.is_active()
        && let Some(progress) = runs.progress(&record.session.id)
    {
        record.progress = progress;
    }
}

/// The JSON in a body of so many bytes at most.
pub fn read_json(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    most: usize,
) -> Result<Value, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json"))
    {
        let detail = "the body must be JSON, with Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            .header(header::ACCEPT, "application/json"));
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("the body must be at most {most} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body broke off"),
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
    })
}

fn read_query(text: &str, errors: &mut Errors) -> Query {
    let mut query = Query { status: None, limit: LIMIT, next: None };
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if value.is_empty() {
            continue;
        }
        match &*name {
            "status" => match serde_json::from_value::<Status>(Value::from(&*value)) {
                Ok(status) => query.status = Some(status),
                Err(_) => errors
                    .add("status", "must be starting, running, degraded, ended, stopped or failed"),
            },
            "limit" => match value.parse() {
                Ok(limit @ 1..=MAX_LIMIT) => query.limit = limit,
                _ => errors.add("limit", format!("must be a whole number from 1 to {MAX_LIMIT}")),
            },
            "next" => query.next = Some(SessionId(value.into_owned())),
            unknown => errors.add(unknown, "is not a known parameter: status, limit, next"),
        }
    }
    query
}
