//! A session whose every request is noted, and answered by a script.

use crate::scripted::{BEGIN, Hands};
use bytes::Bytes;
use hls::{Micros, Timestamp};
use relay::advance::{Carrier, Step};
use relay::ports::{
    Clock, CommitError, ContentType, CreateError, Fetched, Ingest, IngestError, Origin,
    OriginError, Page, Query, Record, Revision, Sessions, Slice, StoreError, Validators,
};
use relay::progress::Progress;
use relay::session::{Access, OutputKind, Session, SessionId, Start};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::memory::Memory;
use tokio::time::Instant;
use url::Url;

/// What is answered to a request (`get a/v.m3u8`, `put 0 v.m3u8`, `commit`) that is made at a millisecond, and after
/// how many. Before a playlist may stand what tells its version: `etag 1: #EXTM3U`.
pub type Script = dyn Fn(&str, u64) -> (u64, Result<String, &'static str>) + Send + Sync;

/// A session, and for how long it is carried.
pub struct Scene {
    pub output: OutputKind,
    pub endpoints: usize,
    pub sources: Vec<&'static str>,
    /// When to carry on no longer, in milliseconds.
    pub until: u64,
    /// Until when to finish what is under way after that.
    pub finish: Option<u64>,
    /// When another run takes it up, in milliseconds.
    pub again: Option<u64>,
    /// When the clock is set, and by how much.
    pub set: Option<(Micros, Micros)>,
    /// Whether servers may hold their answers back.
    pub holding: bool,
    /// Whether there is no room in memory for more segments.
    pub crowded: bool,
    /// What else the session is.
    pub of: fn(&mut Session),
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            output: OutputKind::MediaPackage,
            endpoints: 1,
            sources: vec!["http://a/main.m3u8"],
            until: 5_000,
            finish: None,
            again: None,
            set: None,
            holding: false,
            crowded: false,
            of: |_| {},
        }
    }
}

/// What came of it.
pub struct Noted {
    /// Each request, and the millisecond in which it was made.
    pub requests: Vec<(u64, String)>,
    /// How it was before anything was done.
    pub first: Progress,
    pub progress: Progress,
    /// The playlists that were stored, by endpoint and name: `0 v.m3u8`.
    pub stored: BTreeMap<String, String>,
    /// When a playlist was asked for without a condition.
    pub afresh: Vec<u64>,
    /// How many playlists were rendered.
    pub renderings: u64,
    /// When it was over.
    pub over: u64,
}

impl Noted {
    /// The requests that hold one of these, a line each.
    pub fn only(&self, parts: &[&str]) -> String {
        let wanted = |what: &str| parts.iter().any(|part| what.contains(part));
        let lines = self.requests.iter().filter(|(_, what)| wanted(what));
        lines.map(|(at, what)| format!("{at} {what}\n")).collect()
    }

    /// When requests were made that hold this.
    pub fn moments(&self, part: &str) -> Vec<u64> {
        self.requests.iter().filter(|(_, what)| what.contains(part)).map(|(at, _)| *at).collect()
    }
}

#[derive(Clone)]
struct Notes {
    script: Arc<Script>,
    clock: Hands,
    noted: Arc<Mutex<Vec<(u64, String)>>>,
    stored: Arc<Mutex<BTreeMap<String, String>>>,
    afresh: Arc<Mutex<Vec<u64>>>,
    crowded: bool,
}

impl Notes {
    fn now(&self) -> u64 {
        self.clock.now().since(BEGIN).as_millis()
    }

    async fn ask(&self, what: String) -> Result<String, &'static str> {
        let (after, answer) = (self.script)(&what, self.now());
        self.noted.lock().unwrap().push((self.now(), what));
        tokio::time::sleep(Duration::from_millis(after)).await;
        answer
    }

    async fn get(&self, url: &Url) -> Result<Bytes, OriginError> {
        let at = format!("get {}{}", url.host_str().unwrap(), url.path());
        self.ask(at).await.map(Bytes::from).map_err(failed)
    }
}

fn failed(reason: &str) -> OriginError {
    match reason {
        "404" => OriginError::Gone { reason: "origin answered 404".into(), for_good: false },
        "refused" => OriginError::Refused { reason: "it is not a public address".into() },
        "410" => OriginError::Gone { reason: "origin answered 410".into(), for_good: true },
        reason => OriginError::Unavailable { reason: format!("origin answered {reason}") },
    }
}

impl Origin for Notes {
    async fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        if known.is_none() {
            self.afresh.lock().unwrap().push(self.now());
        }
        let (mut text, mut url) = (self.get(url).await?, url.clone());
        if let Some(to) = text.strip_prefix(b"-> ") {
            url = Url::parse(str::from_utf8(to).unwrap()).unwrap();
            text = self.get(&url).await?;
        }
        let mut validators = Validators::default();
        let told = str::from_utf8(&text).unwrap().strip_prefix("etag ");
        if let Some((etag, rest)) = told.and_then(|told| told.split_once(": ")) {
            validators.etag = Some(etag.to_owned());
            if known == Some(&validators) {
                return Ok(Fetched::Unchanged);
            }
            text = Bytes::copy_from_slice(rest.as_bytes());
        }
        Ok(Fetched::Changed { text, url, validators })
    }

    async fn held(&self, url: &Url, within: Micros) -> Result<Fetched, OriginError> {
        let (wanted, within) = (url.query().unwrap(), within.as_millis());
        let at = format!("hold {}{} {wanted} {within}", url.host_str().unwrap(), url.path());
        let text = self.ask(at).await.map(Bytes::from).map_err(failed)?;
        Ok(Fetched::Changed { text, url: url.clone(), validators: Validators::default() })
    }

    async fn segment(&self, url: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
        self.get(url).await
    }

    fn is_crowded(&self) -> bool {
        self.crowded
    }
}

struct Endpoint(usize, Notes);

impl Endpoint {
    async fn ask(&self, verb: &str, name: &str) -> Result<(), IngestError> {
        let name = name.strip_prefix("channel_").unwrap_or(name);
        let answer = self.1.ask(format!("{verb} {} {name}", self.0)).await;
        answer.map(drop).map_err(|reason| match reason {
            "401" => IngestError::Denied { reason: "it answered 401".into() },
            reason => IngestError::Unavailable { reason: format!("it answered {reason}") },
        })
    }
}

impl Ingest for Endpoint {
    async fn put(&self, name: &str, _: ContentType, body: Bytes) -> Result<(), IngestError> {
        self.ask("put", name).await?;
        if name.ends_with(".m3u8") {
            let text = String::from_utf8_lossy(&body).into_owned();
            self.1.stored.lock().unwrap().insert(format!("{} {name}", self.0), text);
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), IngestError> {
        self.ask("delete", name).await
    }
}

/// A store that may be away, or say so of what it did (`lost`).
struct Store(Memory, Notes);

impl Sessions for Store {
    async fn create(&self, session: &Session, access: &Access) -> Result<(), CreateError> {
        self.0.create(session, access).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.0.get(id).await
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.0.list(query).await
    }

    async fn access(&self, id: &SessionId) -> Result<Option<Access>, StoreError> {
        self.0.access(id).await
    }

    async fn report(&self, id: &SessionId, progress: &Progress) -> Result<(), StoreError> {
        let answer = self.1.ask(format!("report {:?}", progress.status).to_lowercase()).await;
        answer.map_err(|reason| StoreError { reason: reason.to_owned() })?;
        self.0.report(id, progress).await
    }

    async fn cursor(&self, id: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        self.0.cursor(id).await
    }

    async fn commit(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        let answer = self.1.ask("commit".to_owned()).await;
        let done = match answer {
            Err("conflict") => return Err(CommitError::Conflict),
            Err("lost") | Ok(_) => self.0.commit(id, expected, cursor).await?,
            Err(_) => Revision(0),
        };
        answer
            .map(|_| done)
            .map_err(|reason| CommitError::Store(StoreError { reason: reason.to_owned() }))
    }
}

impl Scene {
    /// Carries it.
    pub fn carry(
        self,
        script: impl Fn(&str, u64) -> (u64, Result<String, &'static str>) + Send + Sync + 'static,
    ) -> Noted {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let inputs = ["https://in.example/channel", "https://on.example/channel"];
            let inputs = &inputs[..self.endpoints];
            let (mut session, access) = tests::conformance::session("a", 1, inputs);
            (session.created, session.output) = (BEGIN, self.output);
            session.start = Start::LiveEdge;
            (self.of)(&mut session);
            let clock = Hands(Instant::now(), self.set);
            let (noted, stored) = (Arc::<Mutex<Vec<_>>>::default(), Arc::default());
            let notes = Notes {
                script: Arc::new(script),
                clock,
                noted: Arc::clone(&noted),
                stored: Arc::clone(&stored),
                afresh: Arc::default(),
                crowded: self.crowded,
            };
            let store = Store(Memory::default(), notes.clone());
            store.create(&session, &access).await.unwrap();
            let store = Arc::new(store);
            let take = async || {
                let endpoints = (0..self.endpoints).map(|number| Endpoint(number, notes.clone()));
                let sources = self.sources.iter().map(|url| Url::parse(url).unwrap()).collect();
                let (store, clock) = (Arc::clone(&store), Arc::new(clock));
                let origin = notes.clone();
                let carrier = Carrier::take(
                    session.clone(),
                    sources,
                    origin,
                    endpoints.collect(),
                    store,
                    clock,
                );
                let carrier = carrier.await.unwrap();
                if self.holding { carrier.holding() } else { carrier }
            };
            let mut carrier = take().await;
            let first = carrier.progress().clone();
            for until in self.again.into_iter().chain([self.until]) {
                if self.again.is_some_and(|again| until > again) {
                    carrier = take().await;
                }
                let until = clock.0 + Duration::from_millis(until);
                while let Ok(step) = tokio::time::timeout_at(until, carrier.step()).await {
                    let over = matches!(step, Step::Over(_));
                    if let Step::Over(events) | Step::Went(events) = step {
                        let told = events.iter().map(|it| (notes.now(), format!("say {it}")));
                        noted.lock().unwrap().extend(told);
                    }
                    if over {
                        break;
                    }
                }
            }
            if let Some(finish) = self.finish {
                carrier.finish(Timestamp(BEGIN.0 + finish * 1_000)).await;
            }
            let requests = std::mem::take(&mut *noted.lock().unwrap());
            let stored = std::mem::take(&mut *stored.lock().unwrap());
            let progress = carrier.progress().clone();
            let (renderings, over) = (carrier.renderings(), notes.now());
            let afresh = std::mem::take(&mut *notes.afresh.lock().unwrap());
            Noted { requests, stored, afresh, first, progress, renderings, over }
        })
    }
}
