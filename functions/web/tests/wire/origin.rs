//! What the origin client asks, and what it makes of the answers.

use crate::server::{Server, answer, dead, ingest, origin, settings};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use relay::crypt::Opener;
use relay::ports::{Fetched, Ingest, Origin, OriginError, Validators};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use url::Url;
use web::{Patience, Reach, Settings};

const PLAYLIST: &str = "#EXTM3U\n";

fn reason(error: OriginError) -> (&'static str, String) {
    match error {
        OriginError::Gone { reason, for_good: false } => ("gone", reason),
        OriginError::Gone { reason, for_good: true } => ("gone for good", reason),
        OriginError::Unavailable { reason } => ("unavailable", reason),
        OriginError::Spoilt { reason } => ("spoilt", reason),
        OriginError::Refused { reason } => ("refused", reason),
    }
}

#[tokio::test]
async fn each_status_has_its_meaning_and_its_number_of_requests() {
    let cases = [
        (404, "gone", 1),
        (410, "gone for good", 1),
        (400, "unavailable", 1),
        (401, "unavailable", 1),
        (403, "unavailable", 1),
        (416, "gone", 1),
        (501, "unavailable", 1),
        (204, "unavailable", 1),
        (206, "unavailable", 1),
        (304, "unavailable", 1),
        (302, "unavailable", 1),
        (408, "unavailable", 3),
        (429, "unavailable", 3),
        (500, "unavailable", 3),
        (502, "unavailable", 3),
        (503, "unavailable", 3),
        (504, "unavailable", 3),
    ];
    let cases = cases.map(|(status, kind, requests)| async move {
        let server = Server::start(move |_, _| answer(status, &[], "")).await;
        let url = server.url("live/v0/812.ts?token=t");
        let origin = origin(settings(), &url, &[]);
        let expected = (kind, format!("origin answered {status} for v0/812.ts"));
        assert_eq!(reason(origin.segment(&url, None).await.unwrap_err()), expected, "{status}");
        assert_eq!(server.seen().len(), requests, "{status}");
        let error = origin.playlist(&url, None).await.unwrap_err();
        assert_eq!(reason(error), expected, "{status}");
    });
    for case in cases.map(tokio::spawn) {
        case.await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_held_is_waited_for_as_long_as_is_said_and_asked_for_once() {
    let server = Server::start(|_, seen| {
        let (status, wait) = match seen.uri.as_str() {
            "/v.m3u8?t=1&_HLS_msn=7" => (200, 900),
            "/busy.m3u8" => (503, 0),
            _ => (200, 60_000),
        };
        let body = stream::once(async move {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            Ok::<_, std::io::Error>(Bytes::from(PLAYLIST))
        });
        answer(status, &[], Body::from_stream(body))
    })
    .await;
    let settings = Settings {
        patience: Patience { stall: Duration::from_secs(1), ..settings().patience },
        ..settings()
    };
    let origin = origin(settings, &server.url(""), &[]);
    let held = |path: &str| {
        let (origin, url) = (&origin, server.url(path));
        async move { origin.held(&url, relay::Micros::from_millis(1_500)).await }
    };
    let Fetched::Changed { text, .. } = held("v.m3u8?t=1&_HLS_msn=7").await.unwrap() else {
        panic!("it has changed")
    };
    assert_eq!(text, PLAYLIST);
    assert!(server.seen()[0].header("if-none-match").is_none());
    let error = held("busy.m3u8").await.unwrap_err();
    assert_eq!(reason(error), ("unavailable", "origin answered 503 for busy.m3u8".into()));
    let began = Instant::now();
    assert_eq!(reason(held("never.m3u8").await.unwrap_err()).0, "unavailable");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(server.seen().len(), 3, "none is tried again");
}

#[tokio::test]
async fn what_is_decrypted_takes_no_room_beside_what_was_read() {
    // printf 'eleven byte' | openssl enc -aes-128-cbc -K 2b7e..4f3c -iv 0..5a
    let (key, iv) = (0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128, 0x5a_u128);
    let sent = 0x07a1_d5e8_c76a_dbb1_a49e_a82b_5a8a_8ce3_u128.to_be_bytes();
    let server = Server::start(move |_, _| answer(200, &[], sent.to_vec())).await;
    let mut settings = settings();
    settings.limits.bytes_in_flight = 1 << 10;
    let url = server.url("0.ts");
    let origin = origin(settings, &url, &[]);
    let opener = |key: u128| Opener::new(&key.to_be_bytes(), iv.to_be_bytes()).unwrap();
    let opened = origin.opened(&url, None, opener(key)).await.unwrap();
    assert_eq!(opened, "eleven byte");
    let waits = timeout(Duration::from_millis(300), origin.segment(&url, None)).await;
    assert!(waits.is_err(), "it counts until it is dropped");
    drop(opened);
    let error = origin.opened(&url, None, opener(key + 1)).await.unwrap_err();
    assert_eq!(reason(error), ("spoilt", "it cannot be decrypted with its key".into()));
    assert_eq!(origin.segment(&url, None).await.unwrap().len(), 16);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let server = Server::start(|count, _| match count {
        0 => answer(503, &[], "busy"),
        1 => answer(500, &[], "oops"),
        _ => answer(200, &[], "media"),
    })
    .await;
    let url = server.url("0.ts");
    let origin = origin(settings(), &url, &[]);
    assert_eq!(origin.segment(&url, None).await.unwrap(), "media");
    assert_eq!((server.seen().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for_within_the_deadline() {
    let server = Server::start(|count, seen| match (count, seen.uri.as_str()) {
        (_, "/later") => answer(429, &[("retry-after", "60")], ""),
        (0, _) => answer(429, &[("retry-after", "1")], ""),
        _ => answer(200, &[], "media"),
    })
    .await;
    let url = server.url("0.ts");
    let origin = origin(settings(), &url, &[]);
    let start = Instant::now();
    assert_eq!(origin.segment(&url, None).await.unwrap(), "media");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let start = Instant::now();
    origin.segment(&server.url("later"), None).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(1), "not worth waiting");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_playlist_that_did_not_change_is_not_sent() {
    let server = Server::start(|_, seen| {
        let known = seen.header("if-none-match") == Some("\"v1\"")
            && seen.header("if-modified-since") == Some("yesterday");
        let headers = [("etag", "\"v1\""), ("last-modified", "yesterday")];
        answer(if known { 304 } else { 200 }, &headers, if known { "" } else { PLAYLIST })
    })
    .await;
    let url = server.url("live/main.m3u8");
    let origin = origin(settings(), &url, &[]);
    let validators =
        Validators { etag: Some("\"v1\"".into()), last_modified: Some("yesterday".into()) };
    let changed = Fetched::Changed {
        text: PLAYLIST.into(),
        url: url.clone(),
        validators: validators.clone(),
    };
    assert_eq!(origin.playlist(&url, None).await, Ok(changed.clone()));
    assert_eq!(origin.playlist(&url, Some(&validators)).await, Ok(Fetched::Unchanged));
    let older = Validators { etag: Some("\"v0\"".into()), last_modified: None };
    assert_eq!(origin.playlist(&url, Some(&older)).await, Ok(changed));
    for _ in 0..20 {
        assert_eq!(origin.playlist(&url, Some(&validators)).await, Ok(Fetched::Unchanged));
    }
    assert_eq!((server.seen().len(), server.connections()), (23, 1));
}

#[tokio::test]
async fn redirects_are_followed_and_secrets_stay_at_the_source() {
    let server = Server::start(|_, seen| {
        let host = seen.header("host").unwrap();
        let port = host.rsplit(':').next().unwrap();
        match seen.uri.as_str() {
            "/main.m3u8" => answer(
                302,
                &[("location", "/moved/main.m3u8?s=1"), ("set-cookie", "sid=7; Path=/")],
                "",
            ),
            "/moved/main.m3u8?s=1" => {
                let location = format!("http://localhost:{port}/cdn/main.m3u8");
                answer(307, &[("location", &location)], "moved")
            }
            "/cdn/main.m3u8" => answer(200, &[], PLAYLIST),
            other => panic!("{other}"),
        }
    })
    .await;
    let source = server.url("main.m3u8");
    let headers = [("Authorization", "Bearer t"), ("X-Key", "k"), ("User-Agent", "player")];
    let origin = origin(settings(), &source, &headers);
    let Ok(Fetched::Changed { url, .. }) = origin.playlist(&source, None).await else { panic!() };
    let port = server.address.port();
    assert_eq!(url.as_str(), format!("http://localhost:{port}/cdn/main.m3u8"));
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| ["authorization", "x-key", "cookie"].map(|it| seen.headers.contains_key(it)))
        .collect();
    assert_eq!(sent, [[true, true, false], [true, true, true], [false, false, false]]);
    assert!(server.seen().iter().all(|seen| seen.header("user-agent") == Some("player")));
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_ends() {
    let server = Server::start(|_, seen| match seen.uri.as_str() {
        "/loop.m3u8" => answer(302, &[("location", "/loop.m3u8?x")], ""),
        "/bad.m3u8" => answer(302, &[("location", "http://[::/")], ""),
        _ => answer(302, &[("location", "/loop.m3u8?x")], ""),
    })
    .await;
    for (path, expected) in [
        ("loop.m3u8", "origin redirects loop.m3u8 more often than the limit of 10"),
        ("bad.m3u8", "origin redirects bad.m3u8 to an address that is none"),
    ] {
        let url = server.url(path);
        let error = origin(settings(), &url, &[]).playlist(&url, None).await.unwrap_err();
        assert_eq!(reason(error), ("unavailable", expected.to_owned()));
    }
    assert_eq!(server.seen().len(), 12);
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_wherever_it_comes_from() {
    let public_and_this =
        || Settings { reach: Reach::PublicAnd(vec!["127.0.0.1".parse().unwrap()]), ..settings() };
    let targets = [
        ("http://127.0.0.2:1/x", "127.0.0.2 is not a public address"),
        ("http://169.254.169.254/latest/", "169.254.169.254 is not a public address"),
        ("http://0xa9fea9fe/", "169.254.169.254 is not a public address"),
        ("http://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is not a public address"),
        ("//[::1]:1/", "::1 is not a public address"),
        ("http://2130706434/", "127.0.0.2 is not a public address"),
        ("http://017700000002/", "127.0.0.2 is not a public address"),
        ("http://0x7f.0.0.2:65535/", "127.0.0.2 is not a public address"),
        ("http://127.2/", "127.0.0.2 is not a public address"),
        ("http://127.0.0.2./", "127.0.0.2 is not a public address"),
        ("http://%31%32%37.0.0.2/", "127.0.0.2 is not a public address"),
        ("http://8.8.8.8@127.0.0.2/", "127.0.0.2 is not a public address"),
        ("http://8.8.8.8:80@127.0.0.2:443/", "127.0.0.2 is not a public address"),
        ("http:\\\\127.0.0.2\\", "127.0.0.2 is not a public address"),
        ("https://[::ffff:7f00:2]/", "::ffff:127.0.0.2 is not a public address"),
        ("http://[::127.0.0.2]/", "::7f00:2 is not a public address"),
        ("http://[64:ff9b::7f00:2]/", "64:ff9b::7f00:2 is not a public address"),
        ("http://[2002:7f00:2::]/", "2002:7f00:2:: is not a public address"),
        ("http://[fe80::1]/", "fe80::1 is not a public address"),
        ("http://[fd00:ec2::254]/", "fd00:ec2::254 is not a public address"),
        ("gopher://127.0.0.2/", "gopher addresses are not supported, only http and https"),
        ("file:///etc/passwd", "file addresses are not supported, only http and https"),
    ];
    for (target, expected) in targets {
        let server = Server::start(move |_, _| answer(302, &[("location", target)], "")).await;
        let url = server.url("main.m3u8");
        let origin = origin(public_and_this(), &url, &[]);
        let error = origin.playlist(&url, None).await.unwrap_err();
        assert_eq!(reason(error), ("refused", expected.to_owned()), "{target}");
        assert_eq!(server.seen().len(), 1, "{target}");
        // As a playlist may name it: a segment, a map or a key.
        let named = url.join(target).unwrap();
        let error = origin.segment(&named, None).await.unwrap_err();
        assert_eq!(reason(error), ("refused", expected.to_owned()), "{target}");
        let error = origin.playlist(&named, None).await.unwrap_err();
        assert_eq!(reason(error), ("refused", expected.to_owned()), "{target}");
        assert_eq!(server.seen().len(), 1, "{target}");
    }
    // An address with a zone is none.
    assert!(Url::parse("http://[fe80::1%25eth0]/").is_err());
    let server = Server::start(|_, _| answer(200, &[], PLAYLIST)).await;
    let public = || Settings { reach: Reach::Public, ..settings() };
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
        let url = Url::parse(&format!("http://{host}:{port}/main.m3u8")).unwrap();
        let error = origin(public(), &url, &[]).playlist(&url, None).await.unwrap_err();
        let (kind, reason) = reason(error);
        assert_eq!(kind, "refused", "{host}");
        assert!(reason.ends_with("not a public address"), "{host}: {reason}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn what_this_process_serves_is_read_by_who_carries_its_channel_and_never_over_a_redirect() {
    let server = Server::start(|_, seen| match seen.uri.as_str() {
        "/channels/one/moved.m3u8" => answer(302, &[("location", "master.m3u8")], ""),
        _ => answer(200, &[], PLAYLIST),
    })
    .await;
    let public = || Settings { reach: Reach::Public, own: Some(server.address), ..settings() };
    let channel = server.url("channels/one/master.m3u8");
    let carrier = origin(public(), &channel, &[]);
    assert!(carrier.playlist(&channel, None).await.is_ok());
    assert_eq!(server.seen().len(), 1);
    let moved = carrier.playlist(&server.url("channels/one/moved.m3u8"), None).await;
    assert_eq!(reason(moved.unwrap_err()).0, "refused");
    assert_eq!(server.seen().len(), 2, "what it redirects to is not asked for");
    let elsewhere = Url::parse("https://origin.example/main.m3u8").unwrap();
    for (source, path) in [
        (&channel, "sessions"),
        (&channel, "channels/one/schedule"),
        (&elsewhere, "sessions"),
        (&elsewhere, "channels/one/master.m3u8"),
        (&server.url("sessions"), "sessions"),
    ] {
        let named = server.url(path);
        let error = origin(public(), source, &[]).segment(&named, None).await.unwrap_err();
        assert_eq!(reason(error).0, "refused", "{path} for {source}");
    }
    let endpoint = ingest(public(), &server.url("channels/one"), None);
    assert!(endpoint.delete("one.m3u8").await.is_err(), "nor is anything written there");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn user_info_in_an_address_signs_in_there_and_is_never_shown() {
    let server = Server::start(|_, seen| match seen.uri.as_str() {
        "/live/main.m3u8" => answer(200, &[], PLAYLIST),
        _ => answer(403, &[], ""),
    })
    .await;
    let mut source = server.url("live/main.m3u8");
    source.set_username("user").unwrap();
    source.set_password(Some("p%40ss")).unwrap();
    let origin = origin(settings(), &source, &[]);
    let Ok(Fetched::Changed { url, .. }) = origin.playlist(&source, None).await else { panic!() };
    let segment = url.join("v0/1.ts?token=secret").unwrap();
    let error = reason(origin.segment(&segment, None).await.unwrap_err()).1;
    assert_eq!(error, "origin answered 403 for v0/1.ts");
    // "user:p@ss" in base64.
    let signed =
        |seen: &crate::server::Seen| seen.header("authorization") == Some("Basic dXNlcjpwQHNz");
    assert!(server.seen().iter().all(signed) && server.seen().len() == 2);
}

#[tokio::test]
async fn no_reason_holds_a_secret() {
    let (_held, dead) = dead();
    let hosts = [dead.to_string(), "no-such-host.invalid".into(), "10.0.0.1".into()];
    for host in hosts {
        let url = format!("http://secret1:secret2@{host}/live/v0/1.ts?token=secret3#secret4");
        let url = Url::parse(&url).unwrap();
        let public = if host.starts_with("10.") { Reach::Public } else { Reach::Anywhere };
        let settings = Settings { reach: public, ..settings() };
        let origin = origin(settings, &url, &[("X-Token", "secret5")]);
        let error = format!("{:?}", origin.segment(&url, None).await.unwrap_err());
        assert!(!error.contains("secret"), "{error}");
        assert!(error.contains("v0/1.ts") || error.contains("10.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_said_at_each_request() {
    let server = Server::start(|_, _| answer(200, &[], PLAYLIST)).await;
    let url = server.url("main.m3u8");
    let origin = origin(settings(), &url, &[("Range", "bytes=0-1")]);
    let error = origin.playlist(&url, None).await.unwrap_err();
    assert_eq!(reason(error).1, "request header range cannot be set");
    assert!(server.seen().is_empty());
}

#[test]
fn proxies_of_the_environment_are_not_used() {
    let name = "origin::what_passes_is_tried_again";
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        again.env(variable, "http://127.0.0.1:1");
    }
    let output = again.args(["--exact", name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
