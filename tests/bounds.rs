//! What is bounded, in virtual time: memory over twelve hours, and what sessions that no machine could carry do
//! to those that it can.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use bytes::Bytes;
use futures_util::future::join_all;
use hls::{Micros, Timestamp};
use relay::advance::{Carrier, Step};
use relay::ports::{
    Clock, ContentType, Fetched, Ingest, IngestError, Origin, OriginError, Sessions, Slice,
    Validators,
};
use relay::progress::{Progress, Status};
use relay::session::{OutputKind, Session};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::memory::Memory;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: what is allocated is counted over the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// When the world begins.
const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);

#[derive(Clone, Copy)]
struct Hands(Instant);

impl Hands {
    fn second(&self) -> u64 {
        self.now().since(BEGIN).as_millis() / 1_000
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        BEGIN + Micros(u64::try_from(self.0.elapsed().as_micros()).unwrap())
    }

    async fn sleep_until(&self, when: Timestamp) {
        tokio::time::sleep_until(self.0 + Duration::from_micros(when.since(BEGIN).0)).await;
    }
}

/// A source of two variants that publishes a segment every two seconds, for ever, and keeps nothing. What is
/// read of it takes room until it is dropped.
struct Endless {
    clock: Hands,
    room: Arc<Semaphore>,
}

struct Held(&'static [u8], #[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl Origin for Endless {
    async fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let newest = self.clock.second() / 2;
        let master = url.path().ends_with("main.m3u8");
        let etag = Some(if master { "main".to_owned() } else { newest.to_string() });
        let validators = Validators { etag, last_modified: None };
        if known == Some(&validators) {
            return Ok(Fetched::Unchanged);
        }
        let mut text = "#EXTM3U\n".to_owned();
        if master {
            text.push_str(
                "#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n",
            );
        } else {
            let name = url.path().trim_end_matches(".m3u8");
            write!(text, "#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{newest}\n").unwrap();
            for number in newest..newest + 6 {
                write!(text, "#EXT-X-CUE-IN:{number}\n#EXTINF:2,\n{name}_{number}.ts\n").unwrap();
            }
        }
        Ok(Fetched::Changed { text: text.into(), url: url.clone(), validators })
    }

    async fn segment(&self, _: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
        let room = Arc::clone(&self.room).acquire_owned();
        let Ok(room) = tokio::time::timeout(Duration::from_secs(30), room).await else {
            return Err(OriginError::Unavailable { reason: "no room for it in 30 s".to_owned() });
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(Bytes::from_owner(Held(&[0; 64], room.unwrap())))
    }

    fn is_crowded(&self) -> bool {
        false
    }
}

/// Takes so many milliseconds for a segment at a second; absent: it fails.
type Pace = fn(u64) -> Option<u64>;

/// An endpoint that keeps nothing.
#[derive(Clone)]
struct Void(Hands, Pace);

impl Ingest for Void {
    async fn put(&self, name: &str, _: ContentType, body: Bytes) -> Result<(), IngestError> {
        let pause = (self.1)(self.0.second())
            .ok_or_else(|| IngestError::Unavailable { reason: "endpoint answered 503".to_owned() });
        let pause = if name.ends_with(".m3u8") { pause?.min(50) } else { pause? };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        drop(body);
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), IngestError> {
        Ok(())
    }
}

struct World {
    clock: Hands,
    store: Arc<Memory>,
    room: Arc<Semaphore>,
}

type Carrying = Carrier<Endless, Void, Memory, Hands>;

impl World {
    fn new(room: usize) -> Self {
        let (clock, store) = (Hands(Instant::now()), Arc::default());
        Self { clock, store, room: Arc::new(Semaphore::new(room)) }
    }

    async fn carrier(
        &self,
        name: &str,
        change: impl FnOnce(&mut Session),
        paces: &[Pace],
    ) -> Carrying {
        let endpoints: Vec<String> =
            (0..paces.len()).map(|n| format!("https://in{n}.example/{name}/channel")).collect();
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        let (mut session, access) = tests::conformance::session(name, 1, &endpoints);
        session.created = BEGIN;
        change(&mut session);
        self.store.create(&session, &access).await.unwrap();
        let origin = Endless { clock: self.clock, room: Arc::clone(&self.room) };
        let ingests = paces.iter().map(|&pace| Void(self.clock, pace)).collect();
        let (store, clock) = (Arc::clone(&self.store), Arc::new(self.clock));
        let source = Url::parse(&format!("http://{name}.example/main.m3u8")).unwrap();
        Carrier::take(session, vec![source], origin, ingests, store, clock).await.unwrap()
    }

    /// Carries on until a second.
    async fn carry(&self, carrier: &mut Carrying, second: u64) {
        let until = self.clock.0 + Duration::from_secs(second);
        while let Ok(step) = tokio::time::timeout_at(until, carrier.step()).await {
            assert!(!matches!(step, Step::Over(_)), "{:?}", carrier.progress());
        }
    }
}

fn in_virtual_time<T>(does: impl Future<Output = T>) -> T {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(does)
}

fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

const HOUR: u64 = 3_600;

/// Every ten minutes it fails for half a minute.
fn with_troubles(second: u64) -> Option<u64> {
    (second % 600 >= 30).then_some(40)
}

#[test]
fn memory_does_not_grow_in_twelve_hours() {
    for (output, window) in [(OutputKind::MediaPackage, None), (OutputKind::WebDav, Some(60))] {
        let (first, last) = in_virtual_time(async {
            let world = World::new(64);
            let change = |session: &mut Session| {
                (session.output, session.window_seconds) = (output, window);
            };
            let mut carrier = world.carrier("a", change, &[with_troubles, |_| Some(30)]).await;
            let mut hours = Vec::new();
            for hour in 0..12 {
                let mut most = 0;
                for minute in 1..=60 {
                    world.carry(&mut carrier, hour * HOUR + minute * 60).await;
                    most = most.max(live_bytes());
                }
                hours.push(most);
            }
            let Progress { segments, status, .. } = carrier.progress();
            assert!(*segments > 40_000 && *status == Status::Running, "{segments} {status:?}");
            println!("{output:?}, {segments} segments: live bytes at most, by hour: {hours:?}");
            (hours[0], hours[11])
        });
        assert!(last * 100 <= first * 105, "{first} bytes in the first hour, {last} in the last");
    }
}

/// For a while it hardly takes anything.
fn overloaded(second: u64) -> Option<u64> {
    Some(if (30..120).contains(&second) { 9_000 } else { 40 })
}

#[test]
fn sessions_that_cannot_be_carried_say_so_and_leave_the_others_whole() {
    in_virtual_time(async {
        let room = 48;
        let world = World::new(room);
        let (mut slow, mut well) = (Vec::new(), Vec::new());
        for number in 0..12 {
            let name = format!("s{number}");
            slow.push(world.carrier(&name, |_| {}, &[overloaded]).await);
        }
        for number in 0..12 {
            let name = format!("w{number}");
            well.push(world.carrier(&name, |_| {}, &[|_| Some(40)]).await);
        }
        for (second, overload) in [(25, false), (110, true), (200, false)] {
            let all = slow.iter_mut().chain(&mut well);
            join_all(all.map(|carrier| world.carry(carrier, second))).await;
            for carrier in &slow {
                let Progress { status, reason, .. } = carrier.progress();
                println!("{second} s: {status:?} {reason:?}");
                let expected = if overload { Status::Degraded } else { Status::Running };
                assert_eq!(*status, expected, "after {second} s: {reason:?}");
            }
            for carrier in &well {
                let Progress { status, jumps, missed, reason, .. } = carrier.progress();
                assert_eq!((*status, *jumps, *missed), (Status::Running, 0, 0), "{reason:?}");
            }
        }
        let missed = |carrier: &Carrying| carrier.progress().missed;
        assert!(slow.iter().all(|carrier| missed(carrier) > 0), "it was no overload");
        drop((slow, well));
        assert_eq!(world.room.available_permits(), room, "what was read is let go");
    });
}
