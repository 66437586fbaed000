//! What every implementation of a port must keep: run by each of them against itself.

pub mod shelf;

use relay::Timestamp;
use relay::ports::{CommitError, CreateError, Query, Sessions};
use relay::progress::{Fault, Progress, Status};
use relay::session::{
    Access, Address, Credentials, Endpoint, Options, OutputKind, Session, SessionId, Start,
};
use std::future::Future;
use url::Url;

/// A session as [`sessions`] makes them: `number` counts the seconds at which they are made.
///
/// # Panics
/// When an endpoint is not a URL.
#[must_use]
pub fn session(id: &str, number: u64, endpoints: &[&str]) -> (Session, Access) {
    let source = Url::parse("https://origin.example/live/main.m3u8?token=t").expect("a URL");
    let access = Access {
        fallbacks: Vec::new(),
        source: source.clone(),
        headers: vec![("authorization".to_owned(), "Bearer b".to_owned())],
        endpoints: endpoints
            .iter()
            .map(|url| Endpoint {
                url: Url::parse(url).expect("an endpoint is a URL"),
                credentials: Some(Credentials {
                    username: "user".to_owned(),
                    password: "word".to_owned(),
                }),
            })
            .collect(),
    };
    let session = Session {
        id: SessionId(id.to_owned()),
        name: format!("the session {id}"),
        created: Timestamp(number * 1_000_000),
        source: Address::of(&source),
        output: OutputKind::MediaPackage,
        endpoints: access.endpoints.iter().map(|endpoint| Address::of(&endpoint.url)).collect(),
        window_seconds: Some(1_800),
        start: Start::Window,
        concurrency: 4,
        options: Options::default(),
    };
    (session, access)
}

/// Checks an implementation of [`Sessions`]; `make` gives an empty one each time.
///
/// # Panics
/// When it does not keep the port's word.
pub async fn sessions<S: Sessions, F: Future<Output = S>>(make: impl Fn() -> F) {
    what_is_made_can_be_read(&make().await).await;
    a_destination_has_one_active_writer(&make().await).await;
    a_session_that_is_over_stays_over(&make().await).await;
    a_cursor_is_compared_and_swapped(&make().await).await;
    one_of_many_commits_wins(&make().await).await;
    the_list_is_newest_first_in_pages(&make().await).await;
    what_is_not_there_is_absent(&make().await).await;
}

fn progress(status: Status, segments: u64) -> Progress {
    Progress { status, segments, ..Progress::default() }
}

async fn what_is_made_can_be_read(store: &impl Sessions) {
    let (session, access) = session("a", 1, &["https://in.example/a/channel"]);
    store.create(&session, &access).await.expect("made");

    let record = store.get(&session.id).await.expect("read").expect("there");
    assert_eq!(record.session, session);
    assert_eq!(record.progress, Progress::default());
    let kept = store.access(&session.id).await.expect("read").expect("there");
    assert_eq!(kept.source, access.source);
    assert_eq!(kept.headers, access.headers);
    assert_eq!(kept.endpoints[0].url, access.endpoints[0].url);
    assert!(kept.endpoints[0].credentials == access.endpoints[0].credentials);

    let fault = Fault { what: "origin answered 403".to_owned(), at: Timestamp(2_000_000) };
    let degraded = Progress {
        reason: Some("the origin refuses".to_owned()),
        lag_ms: Some(320),
        last_error: Some(fault),
        ..progress(Status::Degraded, 7)
    };
    store.report(&session.id, &degraded).await.expect("written");
    let record = store.get(&session.id).await.expect("read").expect("there");
    assert_eq!(record.progress, degraded);
    assert_eq!(record.session, session);
}

async fn a_destination_has_one_active_writer(store: &impl Sessions) {
    let both = ["https://in.example/1/channel", "https://in.example/2/channel"];
    let (first, access) = session("first", 1, &both);
    store.create(&first, &access).await.expect("made");

    let spelt = ["https://in.example/3/channel", "HTTPS://IN.EXAMPLE.:443/2/%63hannel?token=t"];
    let (second, access) = session("second", 2, &spelt);
    let refused = store.create(&second, &access).await.expect_err("one of its places is taken");
    assert_eq!(refused, CreateError::Taken { by: first.id.clone(), endpoint: 1 });
    assert_eq!(store.get(&second.id).await.expect("read"), None, "it was not made");
    assert!(store.access(&second.id).await.expect("read").is_none(), "nor were its secrets kept");

    let (like, access) = session("like", 2, &["https://in.example/1/channel_video-500000"]);
    let refused = store.create(&like, &access).await.expect_err("one has names of the other");
    assert_eq!(refused, CreateError::Taken { by: first.id.clone(), endpoint: 0 });

    let (third, access) = session("third", 3, &spelt[..1]);
    store.create(&third, &access).await.expect("the refused one took nothing");

    for status in [Status::Running, Status::Degraded] {
        store.report(&first.id, &progress(status, 1)).await.expect("written");
        let (again, access) = session("again", 4, &both[1..]);
        let refused = store.create(&again, &access).await.expect_err("it is active");
        assert_eq!(refused, CreateError::Taken { by: first.id.clone(), endpoint: 0 }, "{status:?}");
    }
    store.report(&first.id, &progress(Status::Ended, 1)).await.expect("written");
    let (again, access) = session("again", 4, &both);
    store.create(&again, &access).await.expect("its places are free");
}

async fn a_session_that_is_over_stays_over(store: &impl Sessions) {
    for (number, over) in [Status::Ended, Status::Stopped, Status::Failed].into_iter().enumerate() {
        let id = format!("over{number}");
        let (old, access) = session(&id, 1, &["https://in.example/a/channel"]);
        store.create(&old, &access).await.expect("made");
        let first = store.commit(&old.id, None, b"one").await.expect("committed");
        store.report(&old.id, &progress(over, 5)).await.expect("written");

        let (new, access) = session(&format!("new{number}"), 2, &["https://in.example/a/channel"]);
        store.create(&new, &access).await.expect("the place is free");
        store.report(&old.id, &progress(Status::Running, 6)).await.expect("let be");
        let record = store.get(&old.id).await.expect("read").expect("there");
        assert_eq!(record.progress, progress(over, 5), "an active state does not come back");
        let refused = store.commit(&old.id, Some(first), b"two").await;
        assert_eq!(refused, Err(CommitError::Conflict), "another writes to its place now");
        let (third, access) = session("third", 3, &["https://in.example/a/channel"]);
        let refused = store.create(&third, &access).await.expect_err("taken");
        assert_eq!(refused, CreateError::Taken { by: new.id.clone(), endpoint: 0 });
        store.report(&new.id, &progress(Status::Stopped, 0)).await.expect("written");
    }
}

async fn a_cursor_is_compared_and_swapped(store: &impl Sessions) {
    let (session, access) = session("a", 1, &["https://in.example/a/channel"]);
    store.create(&session, &access).await.expect("made");
    let id = &session.id;
    assert_eq!(store.cursor(id).await.expect("read"), None);

    let first = store.commit(id, None, b"one").await.expect("the first");
    assert_eq!(store.cursor(id).await.expect("read"), Some((b"one".to_vec(), first)));
    assert_eq!(store.commit(id, None, b"two").await, Err(CommitError::Conflict));
    let second = store.commit(id, Some(first), b"").await.expect("the next");
    assert!(second > first);
    assert_eq!(store.commit(id, Some(first), b"three").await, Err(CommitError::Conflict));
    assert_eq!(store.cursor(id).await.expect("read"), Some((Vec::new(), second)));
}

async fn one_of_many_commits_wins(store: &impl Sessions) {
    let (session, access) = session("a", 1, &["https://in.example/a/channel"]);
    store.create(&session, &access).await.expect("made");
    let mut expected = None;
    for round in 0..8_u8 {
        let tries = (0..8_u8).map(|by| async move {
            store.commit(&session_id("a"), expected, &[round, by]).await.ok()
        });
        let won: Vec<_> =
            futures_util::future::join_all(tries).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "round {round}");
        expected = won.first().copied();
        let (cursor, revision) = store.cursor(&session.id).await.expect("read").expect("committed");
        assert_eq!((cursor[0], Some(revision)), (round, expected));
    }
}

async fn the_list_is_newest_first_in_pages(store: &impl Sessions) {
    let empty = Query { status: None, limit: 3, next: None };
    assert!(store.list(&empty).await.expect("read").sessions.is_empty());
    // Two of them at the same moment.
    for (number, id) in ["a", "b", "c", "d", "e", "f", "g"].into_iter().enumerate() {
        let place = format!("https://in.example/{id}/channel");
        let (session, access) = session(id, (number as u64).max(1), &[&place]);
        store.create(&session, &access).await.expect("made");
        if number % 2 == 0 {
            store.report(&session.id, &progress(Status::Running, 1)).await.expect("written");
        }
    }
    for (status, limit, pages) in [
        (None, 3, vec!["gfe", "dcb", "a"]),
        (None, 7, vec!["gfedcba"]),
        (None, 100, vec!["gfedcba"]),
        (Some(Status::Running), 2, vec!["ge", "ca"]),
        (Some(Status::Running), 3, vec!["gec", "a"]),
        (Some(Status::Starting), 1, vec!["f", "d", "b"]),
        (Some(Status::Failed), 2, vec![""]),
    ] {
        let (mut read, mut next) = (Vec::new(), None);
        loop {
            let page = store.list(&Query { status, limit, next }).await.expect("read");
            read.push(
                page.sessions.iter().map(|one| one.session.id.0.as_str()).collect::<String>(),
            );
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(read, pages, "{status:?}, {limit} a page");
    }
    let lost = Query { status: None, limit: 3, next: Some(session_id("nobody")) };
    assert_eq!(store.list(&lost).await.expect("read"), relay::ports::Page::default());
}

async fn what_is_not_there_is_absent(store: &impl Sessions) {
    for id in ["nobody", "", "../../nobody", "a/b"] {
        let id = session_id(id);
        assert_eq!(store.get(&id).await.expect("read"), None, "{id}");
        assert!(store.access(&id).await.expect("read").is_none(), "{id}");
        assert_eq!(store.cursor(&id).await.expect("read"), None, "{id}");
        assert_eq!(store.commit(&id, None, b"x").await, Err(CommitError::Conflict), "{id}");
        store.report(&id, &progress(Status::Running, 1)).await.expect("let be");
        assert_eq!(store.get(&id).await.expect("read"), None, "{id} was not made by a report");
    }
}

fn session_id(id: &str) -> SessionId {
    SessionId(id.to_owned())
}
