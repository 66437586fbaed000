//! What carries sessions: the program on one machine, or the functions on AWS, told what to do by the same API.

use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Something that has the session API.
pub trait Program {
    /// Status and body of an answer of the API; a body that is not JSON is a string.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value);

    /// Everything it logged.
    fn log(&self) -> String;

    /// Promise 9: no secret of any case is in anything that it wrote, answered or stored.
    fn keeps(&self);

    /// Ends it, if it is the case's own.
    async fn end(&mut self);

    /// Makes a session that must be taken, and gives its id.
    async fn make(&self, session: Value) -> String {
        let (status, answer) = self.ask(Method::POST, "/sessions", Some(session)).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
    }

    /// How a session is doing.
    async fn session(&self, id: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, &format!("/sessions/{id}"), None).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until a session is as `wanted` says.
    async fn until(
        &self,
        id: &str,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let session = self.session(id).await;
            if wanted(&session) {
                return session;
            }
            let log = || self.log();
            assert!(Instant::now() < deadline, "not {what} in {within:?}: {session:#}\n{}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a session has carried its source to the end.
    async fn until_ended(&self, id: &str) -> Value {
        let ended = |session: &Value| session["status"] == "ended";
        self.until(id, "ended", Duration::from_secs(30), ended).await
    }
}
