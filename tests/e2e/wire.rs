//! The way from the functions to the table: handed on, and refused on request.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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
}

/// Calls that the table is asked too often.
struct Throttled {
    actions: &'static [&'static str],
    about: String,
    answered: usize,
}

impl Throttled {
    /// Whether a call is one of them, which is counted.
    fn holds(&mut self, action: &str, body: &[u8]) -> bool {
        let holds = self.actions.contains(&action)
            && body.windows(self.about.len()).any(|part| part == self.about.as_bytes());
        self.answered += usize::from(holds);
        holds
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
        let throttled = Throttled { actions, about: session.to_owned(), answered: 0 };
        *self.state.throttled.lock().unwrap() = Some(throttled);
    }

    /// Answers as the table does again, and says how many calls were answered as if it were asked for too much.
    pub fn mend(&self) -> usize {
        self.state.throttled.lock().unwrap().take().map_or(0, |throttled| throttled.answered)
    }
}

async fn hand_on(client: &reqwest::Client, state: &State, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let action = target.and_then(|it| it.rsplit('.').next()).unwrap_or_default().to_owned();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    if state.throttled.lock().unwrap().as_mut().is_some_and(|it| it.holds(&action, &body)) {
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
