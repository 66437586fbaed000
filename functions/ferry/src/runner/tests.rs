//! Sessions that go wrong, side by side with sessions that do not.

use super::*;
use ::tests::memory::Memory;
use bytes::Bytes;
use relay::ports::{ContentType, Fetched, IngestError, OriginError, Slice, Validators};
use relay::session::Address;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Virtual time.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.0.elapsed().as_micros()).unwrap();
        Timestamp(1_700_000_000_000_000 + elapsed)
    }

    async fn sleep_until(&self, when: Timestamp) {
        tokio::time::sleep(Duration::from_micros(when.since(self.now()).0)).await;
    }
}

/// What is pushed where: the names at each endpoint.
type Shelf = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Sources that publish a segment every two seconds, and endpoints that take everything.
#[derive(Clone)]
struct Net {
    began: Instant,
    /// Whether reading the source `bad` panics.
    panics: Arc<AtomicBool>,
    shelf: Shelf,
}

struct Source(Net);

impl Origin for Source {
    async fn playlist(&self, url: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        let bad = url.host_str() == Some("bad.example");
        assert!(!(bad && self.0.panics.load(Ordering::Relaxed)), "the source is bad");
        let newest = 100 + self.0.began.elapsed().as_secs() / 2;
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n",
            newest - 4
        );
        for sequence in newest - 4..=newest {
            text.push_str(&format!("#EXTINF:2.0,\n{sequence}.ts\n"));
        }
        let (text, url) = (text.into(), url.clone());
        Ok(Fetched::Changed { text, url, validators: Validators::default() })
    }

    async fn segment(&self, _: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
        Ok(Bytes::from_static(&[0x47; 188]))
    }

    fn is_crowded(&self) -> bool {
        false
    }
}

struct Shelved(Net, Address);

impl Ingest for Shelved {
    async fn put(&self, name: &str, _: ContentType, _: Bytes) -> Result<(), IngestError> {
        // Far enough for something to happen meanwhile.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut shelf = self.0.shelf.lock().unwrap();
        shelf.entry(self.1.to_string()).or_default().push(name.to_owned());
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), IngestError> {
        Ok(())
    }
}

impl Connect for Net {
    type Origin = Source;
    type Ingest = Shelved;

    fn origin(&self, _: &Access) -> Source {
        Source(self.clone())
    }

    fn ingest(&self, endpoint: &Endpoint, _: OutputKind) -> Shelved {
        Shelved(self.clone(), Address::of(&endpoint.url))
    }
}

struct World {
    store: Arc<Memory>,
    net: Net,
    clock: Arc<Virtual>,
    runner: Runner<Memory, Net, Virtual>,
}

impl World {
    fn new() -> Self {
        let began = Instant::now();
        let net = Net { began, panics: Arc::default(), shelf: Shelf::default() };
        let (store, clock) = (Arc::new(Memory::default()), Arc::new(Virtual(began)));
        let runner = Runner::new(Arc::clone(&store), net.clone(), Arc::clone(&clock));
        Self { store, net, clock, runner }
    }

    /// Makes a session from `host` and starts it.
    async fn start(&self, id: &str, host: &str) -> Session {
        let place = format!("https://in.example/{id}/channel");
        let (mut session, mut access) = ::tests::conformance::session(id, 1, &[&place]);
        access.source = Url::parse(&format!("https://{host}/main.m3u8")).unwrap();
        session.source = Address::of(&access.source);
        session.window_seconds = None;
        self.store.create(&session, &access).await.unwrap();
        self.runner.start(&session).await;
        session
    }

    fn progress(&self, session: &Session) -> Progress {
        self.runner.progress(&session.id).unwrap()
    }

    async fn stored(&self, session: &Session) -> Progress {
        self.store.get(&session.id).await.unwrap().unwrap().progress
    }

    /// How many things were pushed for a session.
    fn pushed(&self, session: &Session) -> usize {
        let place = session.endpoints[0].to_string();
        self.net.shelf.lock().unwrap().get(&place).map_or(0, Vec::len)
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_session_disturbs_no_other_and_is_mended() {
    let world = World::new();
    let (good, bad) =
        (world.start("a", "good.example").await, world.start("b", "bad.example").await);
    pass(5).await;
    assert_eq!(world.progress(&bad).status, Status::Running);
    world.net.panics.store(true, Ordering::Relaxed);
    pass(20).await;
    let progress = world.progress(&bad);
    assert_eq!(progress.status, Status::Degraded);
    assert_eq!(progress.reason.as_deref(), Some("internal error"));
    assert!(progress.segments > 0, "what was known of it is still shown");
    assert_eq!(world.stored(&bad).await.status, Status::Degraded);
    assert_eq!(world.progress(&good).status, Status::Running);
    assert!(world.progress(&good).segments >= 13);

    world.net.panics.store(false, Ordering::Relaxed);
    pass(60).await;
    assert_eq!(world.progress(&bad).status, Status::Running);
    assert_eq!(world.stored(&bad).await.status, Status::Running);
    let (bad, good) = (world.progress(&bad), world.progress(&good));
    assert_eq!(bad.renditions[0].source_sequence, good.renditions[0].source_sequence);
    assert_eq!((good.jumps, good.missed), (0, 0));
    assert_eq!((bad.endpoints[0].behind, bad.missed), (0, 11), "and what it missed is counted");
    assert_eq!(bad.last_error.unwrap().what, "internal error", "it is still known");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_stopped_pushes_nothing_more() {
    let world = World::new();
    let (session, other) =
        (world.start("a", "a.example").await, world.start("b", "b.example").await);
    pass(7).await;
    world.runner.stop(&session.id).await.unwrap();
    let stopped = world.stored(&session).await;
    assert_eq!(stopped.status, Status::Stopped);
    assert_eq!(stopped.reason.as_deref(), Some("stopped on request"));
    assert!(stopped.segments > 0, "it says how far it came");
    assert_eq!(world.runner.progress(&session.id), None);
    let pushed = world.pushed(&session);
    pass(10).await;
    assert_eq!(world.pushed(&session), pushed);
    assert!(world.pushed(&other) > pushed, "the other goes on");
    // Once more is harmless.
    world.runner.stop(&session.id).await.unwrap();
    assert_eq!(world.stored(&session).await, stopped);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_stopped_goes_on() {
    let world = World::new();
    let session = world.start("a", "a.example").await;
    pass(7).await;
    world.store.broken.store(true, Ordering::Relaxed);
    world.runner.stop(&session.id).await.unwrap_err();
    world.store.broken.store(false, Ordering::Relaxed);
    let pushed = world.pushed(&session);
    pass(30).await;
    assert_eq!(world.progress(&session).status, Status::Running);
    assert!(world.pushed(&session) > pushed);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    let world = World::new();
    let session = world.start("a", "a.example").await;
    world.store.broken.store(true, Ordering::Relaxed);
    pass(20).await;
    let progress = world.progress(&session);
    assert_eq!(progress.status, Status::Degraded);
    assert!(progress.reason.unwrap().starts_with("store: "));
    world.store.broken.store(false, Ordering::Relaxed);
    pass(60).await;
    assert_eq!(world.progress(&session).status, Status::Running);
}

#[tokio::test(start_paused = true)]
async fn sessions_go_on_where_they_were_after_a_restart() {
    let mut world = World::new();
    let session = world.start("a", "a.example").await;
    pass(7).await;
    world.runner.finish(world.clock.now() + FINISH).await;
    assert_eq!(world.runner.progress(&session.id), None);
    assert!(world.stored(&session).await.status.is_active());
    let before = world.pushed(&session);

    world.runner = Runner::new(Arc::clone(&world.store), world.net.clone(), world.clock.clone());
    let record = world.store.get(&session.id).await.unwrap().unwrap();
    world.runner.take_up(record.clone());
    let same = world.runner.take_up(record);
    pass(6).await;
    assert_eq!(same.progress(), world.progress(&session));
    assert!(world.pushed(&session) > before);
    let mut names = world.net.shelf.lock().unwrap()[session.endpoints[0].as_ref()].clone();
    names.retain(|name| name.ends_with(".ts"));
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "no segment was pushed twice");

    drop(world.runner);
    let before = world.net.shelf.lock().unwrap()[session.endpoints[0].as_ref()].len();
    pass(10).await;
    let after = world.net.shelf.lock().unwrap()[session.endpoints[0].as_ref()].len();
    assert_eq!(after, before, "a runner that is dropped stops at once");
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_secrets_are_lost_fails() {
    let world = World::new();
    let (session, _) = ::tests::conformance::session("a", 1, &["https://in.example/a/channel"]);
    let handle = world.runner.take_up(Record { session, progress: Progress::default() });
    let end = handle.ended().await;
    assert_eq!(end.status, Status::Failed);
    assert!(end.reason.unwrap().contains("not in the store any more"));
}

#[tokio::test(start_paused = true)]
async fn each_of_many_sessions_has_its_own_cadence() {
    let world = World::new();
    let mut sessions = Vec::new();
    for number in 0..100 {
        let host = if number % 10 == 0 { "bad.example" } else { "good.example" };
        sessions.push((host, world.start(&format!("s{number}"), host).await));
    }
    world.net.panics.store(true, Ordering::Relaxed);
    pass(30).await;
    for (host, session) in &sessions {
        let status = world.progress(session).status;
        let expected = if *host == "bad.example" { Status::Degraded } else { Status::Running };
        assert_eq!(status, expected, "{}", session.id);
    }
}
