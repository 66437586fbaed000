//! The session API: the same routes on one machine and on AWS.
//!
//! It knows the ports of the core and nothing of what is behind them: no store, no runtime.

mod access;
mod answers;
pub mod channels;
mod fetcher;
mod fields;
mod host;
pub mod inside;
mod local;
mod path;
mod problem;
mod request;
mod sessions;
mod token;

pub use answers::SessionAnswer;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
pub use fields::FieldError;
pub use host::for_one_host;
pub use local::for_this_machine;
use relay::ports::{Clock, Query, Runs, Sessions};
use relay::session::SessionId;
pub use request::{EndpointRequest, OutputRequest, Request, SourceRequest, Wanted, channel};
use std::sync::Arc;
pub use token::with_token;
use url::Url;

/// The longest request body: a session takes a few hundred bytes.
const BODY_BYTES: usize = 64 << 10;

/// What the API is made of.
pub struct Api<S, R, C> {
    /// Where sessions last.
    pub sessions: Arc<S>,
    /// What this process does with them.
    pub runs: Arc<R>,
    /// The time.
    pub clock: Arc<C>,
    /// Gives the id of a new session, which nobody can guess.
    pub new_id: Arc<dyn Fn() -> SessionId + Send + Sync>,
    /// Says why an address may not be connected to, as far as it tells.
    pub refuses: Arc<Refuses>,
    /// Where the channels of this process are read; absent: it has none.
    pub here: Option<Url>,
}

/// Why an address may not be connected to, as far as it tells.
pub type Refuses = dyn Fn(&Url) -> Option<String> + Send + Sync;

impl<S, R, C> Clone for Api<S, R, C> {
    fn clone(&self) -> Self {
        Self {
            sessions: Arc::clone(&self.sessions),
            runs: Arc::clone(&self.runs),
            clock: Arc::clone(&self.clock),
            new_id: Arc::clone(&self.new_id),
            refuses: Arc::clone(&self.refuses),
            here: self.here.clone(),
        }
    }
}

/// The routes of the API.
///
/// A request that is dropped halfway may leave a session made and not started: run each to its end,
/// whether or not its client is still there.
pub fn router<S, R, C>(api: Api<S, R, C>) -> Router
where
    S: Sessions + 'static,
    R: Runs + 'static,
    C: Clock + 'static,
{
    Router::new()
        .route("/sessions", get(sessions::list::<S, R, C>).post(sessions::create::<S, R, C>))
        .route("/sessions/{id}", get(sessions::show::<S, R, C>).delete(sessions::stop::<S, R, C>))
        .route("/api/v1/fetcher", get(fetcher::list::<S, R, C>).post(fetcher::create::<S, R, C>))
        .route("/api/v1/fetcher/{id}", axum::routing::delete(fetcher::stop::<S, R, C>))
        .route("/health", get(health::<S, R, C>))
        .route("/openapi.json", get(openapi))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(api)
}

/// A session id: 80 random bits in lower-case letters and digits.
#[must_use]
pub fn session_id(random: [u8; 10]) -> SessionId {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let letter = |at: u32| char::from(LETTERS[(bits >> (75 - 5 * at)) as usize & 31]);
    SessionId((0..16).map(letter).collect())
}

async fn health<S: Sessions, R, C>(State(api): State<Api<S, R, C>>) -> Response {
    let query = Query { status: None, limit: 1, next: None };
    match api.sessions.list(&query).await {
        Ok(_) => axum::Json(serde_json::json!({ "status": "ok" })).into_response(),
        Err(error) => problem::store(&error).into_response(),
    }
}

/// What describes the API (OpenAPI 3.1).
pub const OPENAPI: &str = include_str!("openapi.json");

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_holds_all_of_its_random_bits() {
        assert_eq!(session_id([0; 10]).0, "aaaaaaaaaaaaaaaa");
        assert_eq!(session_id([255; 10]).0, "7777777777777777");
        assert_eq!(session_id([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).0, "aaaaaaaaaaaaaaab");
        assert_eq!(session_id([128, 0, 0, 0, 0, 0, 0, 0, 0, 0]).0, "qaaaaaaaaaaaaaaa");
    }
}
