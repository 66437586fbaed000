//! Sessions that last under a directory, and this process that carries them.

use crate::noted::Noted;
use crate::runner::{Handle, Runner};
use crate::store::{self, Store};
use api::channels::{Channels, Origins};
use api::{Api, FieldError, Request};
use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use hls::{Micros, Timestamp};
use relay::ports::{Clock, CreateError, Record, Sessions, StoreError};
use relay::progress::Progress;
use relay::session::{Session, SessionId};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use url::Url;
use web::clock::TokioClock;
use web::{Connector, HttpOrigin, Settings, SetupError};

/// Carries sessions that last under a directory.
///
/// It lives in a tokio runtime. Dropping it stops at once, and loses nothing: [`Ferry::go_on`] takes
/// every session up where it was.
pub struct Ferry {
    store: Arc<Store>,
    runner: Arc<Runner<Store, Connector, TokioClock>>,
    connector: Connector,
    clock: Arc<TokioClock>,
    noted: Noted,
    channels: Channels<Store, Origins<HttpOrigin>, TokioClock>,
    /// Where this process serves.
    here: Option<Url>,
}

/// How often schedules are looked at.
const TEND: Micros = Micros::from_secs(30);

/// Why there is no ferry.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its directory cannot be used.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// It cannot connect to anything.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Why a session was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Fields of the request are wrong.
    #[error("{}", in_words(.0))]
    Invalid(Vec<FieldError>),
    /// The store did not take it: an active session writes to the same place, or the store failed.
    #[error(transparent)]
    NotMade(#[from] CreateError),
}

fn in_words(errors: &[FieldError]) -> String {
    let words: Vec<_> =
        errors.iter().map(|error| format!("{} {}", error.field, error.detail)).collect();
    words.join(", ")
}

impl Ferry {
    /// Opens a directory, or makes it. Nothing is carried yet.
    ///
    /// # Errors
    /// When another process uses the directory, or it cannot be used at all.
    pub fn open(data: &Path, settings: Settings) -> Result<Self, OpenError> {
        let here = settings.own.and_then(|own| Url::parse(&format!("http://{own}/")).ok());
        let (store, connector) = (Arc::new(Store::open(data)?), Connector::new(settings)?);
        let (clock, noted) = (Arc::new(TokioClock::new()), Noted::open(data));
        if let Some(moment) = noted.goes_on(clock.now()) {
            tracing::warn!(%moment, "the clock of this machine was set back: time goes on where it was");
            clock.go_on_from(moment);
        }
        let runner = Runner::new(Arc::clone(&store), connector.clone(), Arc::clone(&clock));
        let (refuser, reader) = (connector.clone(), connector.clone());
        let channels = Channels::new(
            Arc::clone(&store),
            Arc::new(Origins::new(move |access| reader.origin(access))),
            Arc::clone(&clock),
            Arc::new(move |url| refuser.refuses(url)),
            None,
        );
        Ok(Self { store, runner: Arc::new(runner), connector, clock, noted, channels, here })
    }

    /// Takes up all active sessions, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn go_on(&self) -> Result<Vec<Handle>, StoreError> {
        let mut active = self.store.active()?;
        for session in active.iter_mut().map(|record| &mut record.session) {
            // A channel of this process plays where it serves now.
            let name = session.options.channel.as_deref();
            if let Some(url) =
                name.zip(self.here.as_ref()).and_then(|(name, here)| api::channel(name, here))
            {
                self.store.move_source(session, &url)?;
            }
        }
        Ok(active.into_iter().map(|record| self.runner.take_up(record)).collect())
    }

    /// Starts a session, or takes up the one that was started with the same request.
    ///
    /// Headers, credentials and query strings may have changed since: those of this request are used.
    ///
    /// # Errors
    /// When the request is wrong, another session writes to the same place, or the store failed.
    pub async fn start(&self, request: Request) -> Result<Handle, StartError> {
        let wanted = request.check(|url| self.connector.refuses(url));
        let wanted = wanted.map_err(StartError::Invalid)?;
        let (session, access) = wanted.into_session(new_id(), self.clock.now());
        let active = self.store.active().map_err(CreateError::from)?;
        if let Some(record) = active.into_iter().find(|active| is_same(&active.session, &session)) {
            let id = &record.session.id;
            self.store.replace_access(id, &access).map_err(CreateError::from)?;
            return Ok(self.runner.take_up(record));
        }
        self.store.create(&session, &access).await?;
        Ok(self.runner.take_up(Record { session, progress: Progress::default() }))
    }

    /// The session API over these sessions.
    pub fn api(&self) -> Router {
        let connector = self.connector.clone();
        let api = Api {
            sessions: Arc::clone(&self.store),
            runs: Arc::clone(&self.runner),
            clock: Arc::clone(&self.clock),
            new_id: Arc::new(new_id),
            refuses: Arc::new(move |url| connector.refuses(url)),
            here: self.here.clone(),
        };
        let channels = api::channels::router(self.channels.clone());
        api::router(api).merge(channels).layer(from_fn(to_its_end))
    }

    /// Looks after the schedules of channels, plays live sources between programmes, and notes the time, for as long as it is polled.
    pub async fn keep_schedules(&self) {
        let tend = async {
            // What takes time does not put off the next look.
            let mut turns = tokio::time::interval(Duration::from_micros(TEND.0));
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                turns.tick().await;
                if let Err(error) = self.channels.tend(TEND).await {
                    tracing::error!(%error, "cannot look after schedules");
                }
            }
        };
        let follow = async {
            loop {
                if let Err(error) = self.channels.follow(Timestamp(u64::MAX)).await {
                    tracing::error!(%error, "cannot look after live programmes");
                }
                tokio::time::sleep(Duration::from_micros(TEND.0)).await;
            }
        };
        tokio::join!(tend, follow, self.noted.keep(&self.clock));
    }

    /// Publishes what is under way and carries nothing more; that may take as long as `within`. The
    /// sessions stay active.
    pub async fn finish(&self, within: Duration) {
        let within = u64::try_from(within.as_micros()).map_or(Micros(u64::MAX), Micros);
        self.runner.finish(self.clock.now() + within).await;
    }
}

/// Whether two sessions carry the same in the same way, whatever they are called.
fn is_same(one: &Session, other: &Session) -> bool {
    let (id, name, created) = (other.id.clone(), other.name.clone(), other.created);
    Session { id, name, created, ..one.clone() } == *other
}

/// Answers a request in a task of its own: a client that goes away leaves nothing half done.
async fn to_its_end(
    request: extract::Request,
    next: Next,
) -> Result<axum::response::Response, StatusCode> {
    let answer = tokio::spawn(next.run(request)).await;
    answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn new_id() -> SessionId {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the system has random numbers");
    api::session_id(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Method;
    use relay::cause::Cause;
    use relay::progress::Status;
    use serde_json::json;

    #[tokio::test]
    async fn a_session_of_a_channel_reads_it_where_the_process_serves_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let at = |own: &str| {
            let own = own.parse().ok();
            Ferry::open(dir.path(), Settings { own, ..Settings::default() }).unwrap()
        };
        let before = at("127.0.0.1:28101");
        let body = json!({
            "name": "one", "source": { "channel": "one" },
            "output": { "type": "webdav", "endpoints": [{ "url": "https://in.example/a/channel" }] },
        });
        let made = api::inside::ask(&before.api(), Method::POST, "/sessions", Some(&body)).await;
        let (status, made) = made.unwrap();
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["source"]["url"], "http://127.0.0.1:28101/channels/one/master.m3u8");
        let id = SessionId(made["id"].as_str().unwrap().to_owned());
        before.finish(Duration::ZERO).await;
        drop(before);

        let after = at("127.0.0.1:28102");
        assert_eq!(after.go_on().unwrap().len(), 1);
        let url = "http://127.0.0.1:28102/channels/one/master.m3u8";
        assert_eq!(after.store.access(&id).await.unwrap().unwrap().source.as_str(), url);
        let path = format!("/sessions/{id}");
        let (_, shown) = api::inside::ask(&after.api(), Method::GET, &path, None).await.unwrap();
        assert_eq!(shown["source"]["url"], url);
    }

    #[tokio::test]
    async fn what_is_damaged_of_one_session_is_named_and_keeps_no_other_from_going_on() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let own = "127.0.0.1:28103".parse().ok();
            Ferry::open(dir.path(), Settings { own, ..Settings::default() }).unwrap()
        };
        let before = open();
        let mut ids = Vec::new();
        for name in ["one", "two"] {
            let body = json!({
                "name": name, "source": { "channel": name },
                "output": { "type": "webdav", "endpoints": [{ "url": format!("https://in.example/{name}/channel") }] },
            });
            let made =
                api::inside::ask(&before.api(), Method::POST, "/sessions", Some(&body)).await;
            ids.push(made.unwrap().1["id"].as_str().unwrap().to_owned());
        }
        before.finish(Duration::ZERO).await;
        drop(before);

        for damage in [
            "{\"so",
            "{\"source\":\"https://in.example/?token=hush\",\"headers\":\"hush\"}",
            "\"hush\"",
        ] {
            std::fs::write(dir.path().join(format!("access/{}.json", ids[0])), damage).unwrap();
            let after = open();
            let mut carried = after.go_on().unwrap();
            assert_eq!(carried.len(), 2);
            carried.retain(|it| it.session().id.0 == ids[0]);
            let mut damaged = carried.remove(0);
            assert!(damaged.changed().await);
            let progress = damaged.progress();
            assert_eq!(progress.status, Status::Degraded, "{progress:?}");
            assert_eq!(progress.causes, [Cause::Secrets].into(), "{progress:?}");
            let named = format!("cannot read access/{}.json: it is damaged at line 1", ids[0]);
            assert!(progress.reason.as_ref().unwrap().contains(&named), "{progress:?}");
            assert!(!format!("{progress:?}").contains("hush"), "{progress:?}");
            after.finish(Duration::ZERO).await;
        }
    }
}
