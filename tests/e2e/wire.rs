//! The way from the functions to the table: handed on, counted, and slow on request.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

/// A server between the functions and DynamoDB.
#[derive(Clone)]
pub struct Wire {
    /// Where it listens.
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    to: OnceLock<String>,
    throttled: Mutex<Option<Throttled>>,
    calls: Mutex<BTreeMap<String, usize>>,
}

/// Calls that the table is asked too often.
struct Throttled {
    actions: &'static [&'static str],
    about: String,
}

impl Throttled {
    fn holds(&self, action: &str, body: &[u8]) -> bool {
        self.actions.contains(&action)
            && body.windows(self.about.len()).any(|part| part == self.about.as_bytes())
    }
}

impl Wire {
    /// Serves until the runtime ends.
    pub async fn serve() -> Self {
        let state = Arc::new(State::default());
        let (client, shared) = (crate::http::client(), Arc::clone(&state));
        let router = Router::new().fallback(move |request: Request| {
            let (client, shared) = (client.clone(), Arc::clone(&shared));
            async move { hand_on(&client, &shared, request).await }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    /// Says where DynamoDB is.
    pub fn lead_to(&self, url: &str) {
        self.state.to.set(url.to_owned()).expect("it is said once");
    }

    /// Answers every call of these actions in which a session is named as a table that is asked for too much, until
    /// [`Self::mend`].
    pub fn throttle(&self, session: &str, actions: &'static [&'static str]) {
        let throttled = Throttled { actions, about: session.to_owned() };
        *self.state.throttled.lock().unwrap() = Some(throttled);
    }

    pub fn mend(&self) {
        *self.state.throttled.lock().unwrap() = None;
    }

    /// The calls so far, by action.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.state.calls.lock().unwrap().clone()
    }
}

async fn hand_on(client: &reqwest::Client, state: &State, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let action = target.and_then(|it| it.rsplit('.').next()).unwrap_or_default().to_owned();
    *state.calls.lock().unwrap().entry(action.clone()).or_default() += 1;
    let body = to_bytes(body, 1 << 20).await.unwrap();
    if state.throttled.lock().unwrap().as_ref().is_some_and(|it| it.holds(&action, &body)) {
        let name = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
        let body = format!(r#"{{"__type":"{name}","message":"the rate is exceeded"}}"#);
        return (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body)
            .into_response();
    }
    let url = format!("{}{}", state.to.get().expect("said by now"), parts.uri);
    let answer = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
    match answer {
        Ok(answer) => {
            let (status, headers) = (answer.status(), answer.headers().clone());
            (status, headers, answer.bytes().await.unwrap_or_default()).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
