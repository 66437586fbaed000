//! The sessions in DynamoDB, from outside, against a stand-in for AWS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws::{DynamoSessions, Hold, LEASE, RunId, SdkConfig, Secrets, Standing, Table, Weight};
use aws_sdk_dynamodb::types::AttributeValue;
use hls::Micros;
use relay::Timestamp;
use relay::ports::{Clock, CommitError, Revision, Sessions};
use relay::progress::{Progress, Status};
use relay::session::SessionId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tests::conformance;
use tests::ministack::MiniStack;

/// The time that a test says; whoever sleeps moves it on.
#[derive(Debug)]
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, when: Timestamp) {
        self.0.fetch_max(when.0, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

struct World {
    stack: MiniStack,
    config: SdkConfig,
    tables: AtomicU64,
    clock: Arc<Hands>,
}

impl World {
    async fn new() -> Self {
        let stack = MiniStack::start();
        let config = aws::sdk_at(&stack.url).await;
        let clock = Arc::new(Hands(AtomicU64::new(1_700_000_000_000_000)));
        Self { stack, config, tables: AtomicU64::new(0), clock }
    }

    fn raw(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// An empty table, as the stack makes it.
    async fn made(&self) -> DynamoSessions<Hands> {
        let name = format!("table{}", self.tables.fetch_add(1, Ordering::Relaxed));
        self.stack.table(&name);
        let secrets = Arc::new(Secrets::new(&self.config, format!("{name}/")));
        let table = Table::new(&self.config, name);
        DynamoSessions::new(table, secrets, Arc::clone(&self.clock))
    }

    async fn sessions(&self) -> Arc<DynamoSessions<Hands>> {
        Arc::new(self.made().await)
    }

    fn run(&self, number: u32) -> RunId {
        RunId::new(self.clock.now(), number)
    }

    async fn hold(
        &self,
        sessions: &Arc<DynamoSessions<Hands>>,
        run: &RunId,
    ) -> Hold<DynamoSessions<Hands>, Hands> {
        let mark = sessions.table().mark(&id("a")).await.unwrap().unwrap();
        let record = sessions.record(&mark).await.unwrap().unwrap();
        Hold::new(Arc::clone(sessions), Arc::clone(&self.clock), run.clone(), record, mark)
    }
}

fn id(id: &str) -> SessionId {
    SessionId(id.to_owned())
}

fn report(status: Status) -> Progress {
    Progress { status, ..Progress::default() }
}

const WEIGHT: Weight =
    Weight { bits_per_second: 4_000_000, tick_ms: 120, at: Timestamp(7_000_000) };
const PLACE: &str = "https://in.example/a/channel";

#[tokio::test]
async fn it_keeps_the_word_of_the_port() {
    let world = World::new().await;
    conformance::sessions(|| world.made()).await;
}

#[tokio::test]
async fn only_active_sessions_are_dispatched() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        let place = format!("https://in.example/{name}/channel");
        let (session, access) = conformance::session(name, number as u64 + 1, &[&place]);
        sessions.create(&session, &access).await.unwrap();
        let running = report(Status::Running);
        sessions.report_weight(&session, &running, Some(WEIGHT)).await.unwrap();
    }
    sessions.report(&id("b"), &report(Status::Ended)).await.unwrap();
    let (late, _) = conformance::session("b", 2, &[PLACE]);
    sessions.report_weight(&late, &report(Status::Running), Some(WEIGHT)).await.unwrap();
    let active = sessions.table().active().await.unwrap();
    let names: Vec<_> = active.iter().map(|load| load.id.0.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!((active[0].bits_per_second, active[0].tick_ms), (Some(4_000_000), Some(120)));
    assert_eq!(sessions.get(&id("b")).await.unwrap().unwrap().progress.status, Status::Ended);
}

#[tokio::test]
async fn a_newer_run_takes_over_and_publishes_after_the_older_one() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    sessions.create(&session, &access).await.unwrap();
    let (older, newer) = (world.run(1), world.run(2));

    let first = world.hold(&sessions, &older).await;
    assert_eq!(first.cursor(&session.id).await.unwrap(), None);
    let one = first.commit(&session.id, None, b"one").await.unwrap();
    let committed = world.clock.now();
    let until = first.may_publish().await.unwrap();
    assert!(until <= committed + LEASE, "it publishes within its lease");

    let second = world.hold(&sessions, &newer).await;
    assert_eq!(second.cursor(&session.id).await.unwrap(), Some((b"one".to_vec(), one)));
    let two = second.commit(&session.id, Some(one), b"two").await.unwrap();
    assert_eq!(first.commit(&session.id, Some(one), b"late").await, Err(CommitError::Conflict));
    assert_eq!(first.standing(), Standing::Relieved);
    first.may_publish().await.unwrap_err();
    second.may_publish().await.unwrap();
    assert!(world.clock.now() >= committed + LEASE, "the older one's lease is over");

    // The older one, begun anew by somebody who did not hear of it, gets no further.
    let again = world.hold(&sessions, &older).await;
    assert_eq!(again.standing(), Standing::Relieved);
    again.cursor(&session.id).await.unwrap_err();
    assert_eq!(second.commit(&session.id, Some(two), b"three").await, Ok(Revision(3)));
}

#[tokio::test]
async fn a_run_that_lets_go_is_not_waited_for() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    sessions.create(&session, &access).await.unwrap();
    let runs = [world.run(1), world.run(2), world.run(3)];
    let first = world.hold(&sessions, &runs[0]).await;
    first.cursor(&session.id).await.unwrap();
    first.commit(&session.id, None, b"one").await.unwrap();
    let lease = world.clock.now() + LEASE;
    let second = world.hold(&sessions, &runs[1]).await;
    second.cursor(&session.id).await.unwrap();
    first.release().await.unwrap();
    second.may_publish().await.unwrap();
    assert!(world.clock.now() < lease, "it waited for the end of a lease that was given back");

    // What the second has to wait for, the third has to wait for too when the second gives up.
    let third = world.hold(&sessions, &runs[2]).await;
    third.cursor(&session.id).await.unwrap();
    let mark = sessions.table().mark(&session.id).await.unwrap().unwrap();
    second.release().await.unwrap();
    let after = sessions.table().mark(&session.id).await.unwrap().unwrap();
    assert!(after.from <= mark.from && after.holder.as_ref() == Some(&runs[2]));
}

#[tokio::test]
async fn a_lease_that_is_short_is_renewed_before_anything_is_published() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    sessions.create(&session, &access).await.unwrap();
    let hold = world.hold(&sessions, &world.run(1)).await;
    hold.cursor(&session.id).await.unwrap();
    hold.commit(&session.id, None, b"one").await.unwrap();
    world.clock.sleep_until(world.clock.now() + Micros::from_secs(60)).await;
    let until = hold.may_publish().await.unwrap();
    assert!(until > world.clock.now());
    let mark = sessions.table().mark(&session.id).await.unwrap().unwrap();
    assert!(mark.until >= until, "nobody else may publish before");

    world.clock.sleep_until(world.clock.now() + Micros::from_secs(60)).await;
    let newer = world.hold(&sessions, &world.run(2)).await;
    newer.cursor(&session.id).await.unwrap();
    hold.may_publish().await.unwrap_err();
    assert_eq!(hold.standing(), Standing::Relieved, "a machine that stood still notices first");
}

#[tokio::test]
async fn a_session_that_is_stopped_is_let_go_before_its_places_are_free() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    sessions.create(&session, &access).await.unwrap();
    let hold = world.hold(&sessions, &world.run(1)).await;
    hold.cursor(&session.id).await.unwrap();
    hold.commit(&session.id, None, b"one").await.unwrap();
    let (other, other_access) = conformance::session("b", 2, &[PLACE]);
    let carry_on = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            // It asks for what is not there; what it is told is why.
            hold.commit(&session.id, None, b"two").await.unwrap_err();
            if hold.standing() == Standing::Over {
                break;
            }
        }
        hold.may_publish().await.unwrap_err();
        sessions.create(&other, &other_access).await.unwrap_err();
        hold.release().await.unwrap();
    };
    let stop = async {
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
        sessions.stop(&session.id).await.unwrap();
    };
    let ((), ()) = futures_util::future::join(carry_on, stop).await;
    let record = sessions.get(&session.id).await.unwrap().unwrap();
    assert_eq!(record.progress.status, Status::Stopped);
    assert!(sessions.access(&session.id).await.unwrap().is_none());
    sessions.create(&other, &other_access).await.unwrap();
    sessions.stop(&session.id).await.unwrap();
    assert!(sessions.access(&other.id).await.unwrap().is_some(), "stopping twice is harmless");
    sessions.stop(&id("nobody")).await.unwrap();
}

#[tokio::test]
async fn an_older_writer_leaves_what_it_does_not_know() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    sessions.create(&session, &access).await.unwrap();
    let hold = world.hold(&sessions, &world.run(1)).await;
    hold.cursor(&session.id).await.unwrap();
    let key = |value: &str| AttributeValue::S(value.to_owned());
    let raw = world.raw();
    let place = format!("{:020}#a", session.created.0);
    let items = [("session#a", "cursor"), ("sessions", place.as_str())];
    for (partition, sort) in items {
        raw.update_item()
            .table_name("table0")
            .key("PK", key(partition))
            .key("SK", key(sort))
            .update_expression("SET a_newer_thing = :x")
            .expression_attribute_values(":x", key("x"))
            .send()
            .await
            .unwrap();
    }
    hold.commit(&session.id, None, b"one").await.unwrap();
    hold.report(&session.id, &report(Status::Running)).await.unwrap();
    hold.report(&session.id, &report(Status::Ended)).await.unwrap();
    for (partition, sort) in items {
        let got =
            raw.get_item().table_name("table0").key("PK", key(partition)).key("SK", key(sort));
        let item = got.send().await.unwrap().item.unwrap();
        assert_eq!(item.get("a_newer_thing"), Some(&key("x")), "{partition}");
        assert!(item.contains_key("expires"), "{partition} goes in a week");
    }
}

#[tokio::test]
async fn what_changes_with_the_channel_is_not_copied_into_the_session() {
    let world = World::new().await;
    let sessions = world.sessions().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&world.config);
    let value = |password: &str| {
        let credentials = format!(r#"{{"username":"u","password":"{password}"}}"#);
        format!(r#"{{"endpoints":[{{"id":"i","url":"{PLACE}","credentials":{credentials}}}]}}"#)
    };
    let made = secrets.create_secret().name("table0/channels/main").secret_string(value("one"));
    made.send().await.unwrap();
    let (session, mut access) = conformance::session("a", 1, &[PLACE]);
    assert!(sessions.secrets().channel("other").await.unwrap().is_none());
    access.endpoints = sessions.secrets().channel("main").await.unwrap().unwrap().endpoints();
    sessions.create(&session, &access).await.unwrap();
    let own = secrets.get_secret_value().secret_id("table0/sessions/a").send().await.unwrap();
    assert!(!own.secret_string().unwrap().contains("one"), "{:?}", own.secret_string());

    let password = async || {
        let access = sessions.access(&session.id).await.unwrap().unwrap();
        access.endpoints[0].credentials.clone().unwrap().password
    };
    assert_eq!(password().await, "one");
    assert_eq!(sessions.secrets().channel_of(&session.id).as_deref(), Some("main"));
    let changed = secrets.put_secret_value().secret_id("table0/channels/main");
    changed.secret_string(value("two")).send().await.unwrap();
    assert_eq!(password().await, "one", "it is not read with every poll");
    sessions.secrets().distrust(&session.id);
    assert_eq!(password().await, "two");
}

#[tokio::test]
async fn what_aws_refuses_is_named() {
    let world = World::new().await;
    let secrets = Arc::new(Secrets::new(&world.config, "none/".to_owned()));
    let table = Table::new(&world.config, "none".to_owned());
    let sessions = DynamoSessions::new(table, secrets, Arc::clone(&world.clock));
    let error = sessions.get(&id("a")).await.unwrap_err();
    let said = "store: dynamodb:GetItem failed: ResourceNotFoundException";
    assert_eq!(error.to_string(), said);
}
