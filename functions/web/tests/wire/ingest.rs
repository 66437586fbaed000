//! What the ingest client sends, and what it makes of the answers.

use crate::server::{Server, Then, answer, dead, ingest, raw, settings};
use bytes::Bytes;
use relay::layout::Layout;
use relay::names::{PLAYLIST, Stem};
use relay::ports::{ContentType, Ingest, IngestError};
use relay::session::{Address, Endpoint, OutputKind};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use url::Url;
use web::{Connector, Limits, Reach, Settings};

const TS: ContentType = ContentType("video/mp2t");

fn unavailable(reason: &str) -> Result<(), IngestError> {
    Err(IngestError::Unavailable { reason: reason.to_owned() })
}

#[tokio::test]
async fn names_lie_beside_the_endpoint_under_its_query_string() {
    for (endpoint, name, expected) in [
        ("in/v2/a/b/channel", "channel.m3u8", "/in/v2/a/b/channel.m3u8"),
        ("channel", "channel_v_1_2.ts", "/channel_v_1_2.ts"),
        ("dav/", "channel.m3u8", "/dav/channel.m3u8"),
        ("a/channel?sig=x%2F&t=1#f", "channel.m3u8", "/a/channel.m3u8?sig=x%2F&t=1"),
        ("a%20b/channel", "c d?e#f.ts", "/a%20b/c%20d%3Fe%23f.ts"),
    ] {
        let server = Server::start(|_, _| answer(201, &[], "")).await;
        let ingest = ingest(settings(), &server.url(endpoint), None);
        let body = Bytes::from_static(b"\0media");
        assert_eq!(ingest.put(name, TS, body.clone()).await, Ok(()));
        assert_eq!(ingest.delete(name).await, Ok(()));
        let seen = server.seen();
        assert_eq!([seen[0].method.as_str(), seen[1].method.as_str()], ["PUT", "DELETE"]);
        assert_eq!([&seen[0].uri, &seen[1].uri], [expected; 2], "{endpoint}");
        assert_eq!(seen[0].body, body);
        assert_eq!(seen[0].header("content-length"), Some("6"));
        assert_eq!(seen[0].header("content-type"), Some("video/mp2t"));
        assert_eq!(seen[0].header("transfer-encoding"), None);
        assert_eq!(seen[1].header("content-type"), None);
    }
}

#[tokio::test]
async fn what_is_stored_is_what_playlists_name() {
    for endpoint in [
        "in/v2/a/b/channel",
        "live/my%20channel",
        "live/my channel",
        "live/a%2Fb",
        "live/100%",
        "live/kanål",
        "live/a+b~c;v=1,2",
        "live/%7Ech",
        "live/urn:x:1",
        "my%20dir/%22ch%3F.m3u8",
    ] {
        let server = Server::start(|_, _| answer(201, &[], "")).await;
        let url = server.url(endpoint);
        let ingest = ingest(settings(), &server.url(&format!("{endpoint}?token=t")), None);
        let stem = Stem::of(&Address::of(&url));
        let layout = Layout::of_media(url.clone()).of_bandwidth(1);
        let multivariant = layout.render(&stem, &layout.renditions.keys().cloned().collect());
        let named = multivariant.unwrap().lines().last().unwrap().to_owned();
        for name in [stem.multivariant(), named] {
            ingest.put(&name, PLAYLIST, Bytes::from_static(b"#EXTM3U")).await.unwrap();
            let read = url.join(&name).unwrap();
            let stored = server.seen().last().unwrap().uri.clone();
            assert_eq!(stored, format!("{}?token=t", read.path()), "{endpoint}: {name}");
        }
    }
}

#[tokio::test]
async fn each_status_has_its_meaning_and_its_number_of_requests() {
    let denied = |reason: &str| Err(IngestError::Denied { reason: reason.to_owned() });
    let cases = [
        (200, 1, Ok(())),
        (201, 1, Ok(())),
        (204, 1, Ok(())),
        (301, 1, unavailable("endpoint answered 301 for a.ts, and uploads are not redirected")),
        (307, 1, unavailable("endpoint answered 307 for a.ts, and uploads are not redirected")),
        (400, 1, unavailable("endpoint answered 400 for a.ts")),
        (403, 1, denied("endpoint answered 403 for a.ts")),
        (404, 1, unavailable("endpoint answered 404 for a.ts")),
        (413, 1, unavailable("endpoint answered 413 for a.ts")),
        (501, 1, unavailable("endpoint answered 501 for a.ts")),
        (507, 3, unavailable("endpoint answered 507 for a.ts")),
        (408, 3, unavailable("endpoint answered 408 for a.ts")),
        (429, 3, unavailable("endpoint answered 429 for a.ts")),
        (500, 3, unavailable("endpoint answered 500 for a.ts")),
        (503, 3, unavailable("endpoint answered 503 for a.ts")),
    ];
    for case in cases.map(|(status, requests, expected)| {
        tokio::spawn(async move {
            let headers = [("location", "/elsewhere")];
            let server = Server::start(move |_, _| answer(status, &headers, "")).await;
            let ingest = ingest(settings(), &server.url("channel?token=secret"), None);
            assert_eq!(ingest.put("a.ts", TS, "x".into()).await, expected, "{status}");
            assert_eq!(server.seen().len(), requests, "{status}");
        })
    }) {
        case.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_there_is_deleted() {
    for (status, expected) in [
        (204, Ok(())),
        (404, Ok(())),
        (410, Ok(())),
        (405, unavailable("endpoint answered 405 for a.ts")),
    ] {
        let server = Server::start(move |_, _| answer(status, &[], "")).await;
        let ingest = ingest(settings(), &server.url("channel"), None);
        assert_eq!(ingest.delete("a.ts").await, expected, "{status}");
    }
}

#[tokio::test]
async fn missing_collections_are_made_once() {
    let made = Arc::new(Mutex::new(BTreeSet::from(["/".to_owned(), "/dav/".to_owned()])));
    let server = Server::start(move |_, seen| {
        let path = seen.uri.split('?').next().unwrap().trim_end_matches('/');
        let parent = &path[..=path.rfind('/').unwrap()];
        let mut made = made.lock().unwrap();
        let status = match seen.method.as_str() {
            _ if !made.contains(parent) => 409,
            "MKCOL" if !made.insert(format!("{path}/")) => 405,
            _ => 201,
        };
        answer(status, &[], "")
    })
    .await;
    let ingest = Arc::new(ingest(settings(), &server.url("dav/a/b/c/channel?k=1"), None));
    let puts: Vec<_> = (0..5)
        .map(|n| {
            let ingest = Arc::clone(&ingest);
            tokio::spawn(async move { ingest.put(&format!("{n}.ts"), TS, "x".into()).await })
        })
        .collect();
    for put in puts {
        assert_eq!(put.await.unwrap(), Ok(()));
    }
    let collections: Vec<_> = server
        .seen()
        .iter()
        .filter(|seen| seen.method.as_str() == "MKCOL")
        .map(|seen| seen.uri.clone())
        .collect();
    let expected = ["/dav/a/b/c/", "/dav/a/b/", "/dav/a/", "/dav/a/b/", "/dav/a/b/c/"];
    assert_eq!(collections, expected.map(|path| format!("{path}?k=1")));
}

#[tokio::test]
async fn a_collection_that_cannot_be_made_is_said() {
    let server = Server::start(|_, seen| match seen.method.as_str() {
        "MKCOL" => answer(403, &[], ""),
        _ => answer(409, &[], ""),
    })
    .await;
    let ingest = ingest(settings(), &server.url("dav/a/channel"), None);
    let reason = "endpoint answered 403 for making the collection a/".to_owned();
    assert_eq!(ingest.put("0.ts", TS, "x".into()).await, Err(IngestError::Denied { reason }));
    let server = Server::start(|_, _| answer(409, &[], "")).await;
    let ingest = crate::server::ingest(settings(), &server.url("dav/a/channel"), None);
    let expected = unavailable("endpoint answered 409 for 0.ts");
    assert_eq!(ingest.put("0.ts", TS, "x".into()).await, expected);
    assert!(server.seen().len() < 10);
}

#[tokio::test]
async fn an_endpoint_that_hangs_does_not_hold_a_call() {
    let answers = [
        Vec::new(),
        b"HTTP/1.1 201 Cre".to_vec(),
        b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n".to_vec(),
    ];
    for (count, answer) in answers.into_iter().enumerate() {
        let address = raw(vec![answer], Then::Hang).await;
        let url = Url::parse(&format!("http://{address}/channel")).unwrap();
        let mut settings = settings();
        settings.patience.small_put = Duration::from_millis(1_500);
        let start = Instant::now();
        let result = ingest(settings, &url, None).put("0.ts", TS, "x".into()).await;
        // The last one said that it has it; what else it wants to say does not matter.
        let late = unavailable("endpoint took longer than the limit of 1 s for 0.ts");
        assert_eq!(result, if count == 2 { Ok(()) } else { late });
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_anew() {
    let created = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n".to_vec();
    let address = raw(vec![Vec::new(), created], Then::Close).await;
    let url = Url::parse(&format!("http://{address}/channel")).unwrap();
    assert_eq!(ingest(settings(), &url, None).put("0.ts", TS, "x".into()).await, Ok(()));
    let (_held, dead) = dead();
    let url = Url::parse(&format!("http://u:secret@{dead}/secret/channel?k=secret")).unwrap();
    let expected = unavailable("no answer from the endpoint for 0.ts: connection refused");
    assert_eq!(ingest(settings(), &url, None).put("0.ts", TS, "x".into()).await, expected);
}

#[tokio::test]
async fn user_info_in_an_endpoint_signs_in() {
    let server = Server::start(|_, seen| match seen.header("authorization") {
        // "user:p@ss" in base64.
        Some("Basic dXNlcjpwQHNz") => answer(201, &[], ""),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"a\"")], ""),
    })
    .await;
    let mut url = server.url("channel");
    url.set_username("user").unwrap();
    url.set_password(Some("p%40ss")).unwrap();
    assert_eq!(ingest(settings(), &url, None).put("0.ts", TS, "x".into()).await, Ok(()));
    assert_eq!(server.seen()[0].header("authorization"), None, "it is not sent unasked");
}

#[tokio::test]
async fn an_endpoint_that_is_not_public_is_refused() {
    let server = Server::start(|_, _| answer(201, &[], "")).await;
    let port = server.address.port();
    for (host, expected) in [
        ("127.0.0.1", "127.0.0.1 is not a public address"),
        ("localhost", "localhost is at 127.0.0.1, which is not a public address"),
    ] {
        let url = Url::parse(&format!("http://{host}:{port}/channel")).unwrap();
        let settings = Settings { reach: Reach::Public, ..settings() };
        let result = ingest(settings, &url, None).put("0.ts", TS, "x".into()).await;
        assert_eq!(result, unavailable(&result_of(expected, &result)));
    }
    assert!(server.seen().is_empty());
}

/// What was expected, but for which of its addresses a name gave first.
fn result_of(expected: &str, result: &Result<(), IngestError>) -> String {
    match result {
        Err(error) if error.to_string().contains("::1") => expected.replace("127.0.0.1", "::1"),
        _ => expected.to_owned(),
    }
}

#[tokio::test]
async fn an_endpoint_gets_no_more_requests_a_second_than_it_takes() {
    let server = Server::start(|_, _| answer(201, &[], "")).await;
    let limits = Limits { requests_a_second: Some(20), ..Limits::default() };
    let connector = Connector::new(Settings { limits, ..settings() }).unwrap();
    let endpoint = Endpoint { url: server.url("channel"), credentials: None };
    let ingest = Arc::new(connector.ingest(&endpoint, OutputKind::MediaPackage));
    let puts: Vec<_> = (0..50)
        .map(|n| {
            let ingest = Arc::clone(&ingest);
            tokio::spawn(async move { ingest.put(&format!("{n}.ts"), TS, "x".into()).await })
        })
        .collect();
    for put in puts {
        assert_eq!(put.await.unwrap(), Ok(()));
    }
    let times: Vec<_> = server.seen().iter().map(|seen| seen.at).collect();
    for window in times.windows(21) {
        let span = window[20] - window[0];
        // What the requests meet on their way is not the client's to say.
        assert!(span > Duration::from_millis(700), "21 requests in {span:?}");
    }
}
