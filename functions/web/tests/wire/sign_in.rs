//! Signing in: with every kind of challenge, and with as few bodies sent twice as can be.

use crate::digest::{Gate, PASSWORD, Rules, USER};
use crate::server::{Seen, Server, answer, ingest, settings};
use bytes::Bytes;
use relay::ports::{ContentType, Ingest, IngestError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use web::WebDavIngest;

const TS: ContentType = ContentType("video/mp2t");
const LARGE: usize = 100_000;
const RIGHT: Option<(&str, &str)> = Some((USER, PASSWORD));

fn large() -> Bytes {
    vec![b'G'; LARGE].into()
}

fn small() -> Bytes {
    "#EXTM3U\n".into()
}

/// How many requests came, and how many of them with a large body.
fn count(server: &Server) -> (usize, usize) {
    let seen = server.seen();
    (seen.len(), seen.iter().filter(|it| it.body.len() == LARGE).count())
}

/// Puts this many large bodies side by side.
async fn put_many(ingest: &Arc<WebDavIngest>, bodies: usize) -> Vec<Result<(), IngestError>> {
    let puts: Vec<_> = (0..bodies)
        .map(|n| {
            let ingest = Arc::clone(ingest);
            tokio::spawn(async move { ingest.put(&format!("channel_{n}.ts"), TS, large()).await })
        })
        .collect();
    let mut results = Vec::new();
    for put in puts {
        results.push(put.await.unwrap());
    }
    results
}

async fn start(rules: Rules) -> (Gate, Server, Arc<WebDavIngest>) {
    let gate = Gate::new(rules);
    let server = gate.serve().await;
    let url = server.url("in/v2/a/b/channel?key=k%20&x=\"");
    let ingest = Arc::new(ingest(settings(), &url, RIGHT));
    (gate, server, ingest)
}

fn denied() -> Result<(), IngestError> {
    let reason = "endpoint answered 401 to the credentials".to_owned();
    Err(IngestError::Denied { reason })
}

#[tokio::test]
async fn every_kind_of_digest_is_answered_and_each_body_sent_once() {
    let cases: &[&[(&'static str, &str)]] = &[
        &[("realm", "\"a\""), ("qop", "\"auth\"")],
        &[("realm", "\"a\""), ("qop", "auth")],
        &[("realm", "\"a\""), ("qop", "\"auth,auth-int\""), ("algorithm", "MD5")],
        &[("realm", "\"a\""), ("qop", "\"auth-int, auth\""), ("algorithm", "SHA-256")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("algorithm", "MD5-sess")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("algorithm", "SHA-256-sess")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("algorithm", "sha-256")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("algorithm", "md5")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("opaque", "\"o=, \\\"p\\\"\"")],
        &[("realm", "\"a, b=\\\"c\\\" \\\\\""), ("qop", "\"auth\""), ("domain", "\"/in /b\"")],
        &[("realm", "\"\""), ("qop", "\"auth\""), ("charset", "UTF-8")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("userhash", "true")],
        &[("realm", "\"a\""), ("qop", "\"auth\""), ("userhash", "true"), ("algorithm", "SHA-256")],
        // RFC 2069, which some servers still speak.
        &[("realm", "\"a\"")],
    ];
    for case in cases {
        let challenge = case.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let (gate, server, ingest) = start(Rules { challenge, ..Rules::default() }).await;
        for result in put_many(&ingest, 5).await {
            assert_eq!(result, Ok(()), "{case:?}");
        }
        assert_eq!(ingest.delete("channel_0.ts").await, Ok(()), "{case:?}");
        assert_eq!((count(&server), gate.replayed()), ((7, 5), 0), "{case:?}");
    }
}

#[tokio::test]
async fn of_several_challenges_the_first_digest_that_is_understood_is_answered() {
    let gate = Gate::new(Rules::default());
    let again = gate.clone();
    let server = Server::start(move |_, seen: &Seen| {
        let mut answer = again.answer(seen, 201);
        if let Some(digest) = answer.headers_mut().remove("www-authenticate") {
            let digest = digest.to_str().unwrap();
            let odd = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA3-999, qop=\"auth\"";
            for value in ["Basic realm=\"b\"", &format!("NTLM, {odd}, {digest}")] {
                answer.headers_mut().append("www-authenticate", value.parse().unwrap());
            }
        }
        answer
    })
    .await;
    let ingest = ingest(settings(), &server.url("channel"), RIGHT);
    assert_eq!(ingest.put("channel_0.ts", TS, large()).await, Ok(()));
    assert_eq!(count(&server), (2, 1));
}

#[tokio::test]
async fn a_hundred_bodies_side_by_side_share_one_nonce() {
    let (gate, server, ingest) = start(Rules::default()).await;
    assert!(put_many(&ingest, 100).await.iter().all(Result::is_ok));
    assert_eq!((count(&server), gate.replayed()), ((101, 100), 0));
}

#[tokio::test]
async fn a_playlist_that_comes_first_asks_by_itself() {
    let (_, server, ingest) = start(Rules::default()).await;
    assert_eq!(ingest.put("channel.m3u8", TS, small()).await, Ok(()));
    assert_eq!(ingest.put("channel_0.ts", TS, large()).await, Ok(()));
    assert_eq!(count(&server), (3, 1));
}

#[tokio::test]
async fn what_asks_for_a_challenge_changes_nothing_on_a_server_that_wants_none() {
    let server = Server::start(|_, seen| {
        // RFC 9110 section 13.1.1.
        answer(if seen.header("if-match").is_some() { 412 } else { 201 }, &[], "")
    })
    .await;
    let ingest = Arc::new(ingest(settings(), &server.url("channel"), RIGHT));
    assert!(put_many(&ingest, 5).await.iter().all(Result::is_ok));
    let seen = server.seen();
    assert_eq!(seen.iter().filter(|it| it.body.is_empty()).count(), 1);
    let asked = seen.iter().find(|it| it.body.is_empty()).unwrap();
    assert_eq!((asked.header("content-length"), asked.method.as_str()), (Some("0"), "PUT"));
    assert!(seen.iter().all(|it| it.header("authorization").is_none()));
}

#[tokio::test]
async fn a_nonce_that_grows_old_costs_one_body_at_most_and_then_none() {
    let lifetime = Some(Duration::from_millis(400));
    let (gate, server, ingest) = start(Rules { lifetime, ..Rules::default() }).await;
    for _ in 0..20 {
        assert_eq!(ingest.put("channel_0.ts", TS, large()).await, Ok(()));
        sleep(Duration::from_millis(130)).await;
    }
    let (requests, bodies) = count(&server);
    assert!(bodies <= 22, "{bodies} bodies for 20");
    assert!(requests <= 32, "{requests} requests for 20 bodies and some six nonces");
    assert_eq!(gate.replayed(), 0);
}

#[tokio::test]
async fn an_announced_nonce_costs_no_request() {
    let lifetime = Some(Duration::from_secs(1));
    let rules = Rules { lifetime, announces: true, ..Rules::default() };
    let (_, server, ingest) = start(rules).await;
    for _ in 0..10 {
        assert_eq!(ingest.put("channel_0.ts", TS, large()).await, Ok(()));
        sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(count(&server), (11, 10));
    let (_, server, ingest) =
        start(Rules { uses: Some(1), announces: true, ..Rules::default() }).await;
    for _ in 0..10 {
        assert_eq!(ingest.put("channel_0.ts", TS, large()).await, Ok(()));
    }
    assert_eq!(count(&server), (11, 10), "nonces for one use");
}

#[tokio::test]
async fn a_server_that_wants_order_is_learnt_and_then_obeyed() {
    for rules in [
        Rules { in_order: true, ..Rules::default() },
        Rules { in_order: true, says_stale: false, ..Rules::default() },
        Rules { uses: Some(1), ..Rules::default() },
        Rules { uses: Some(1), announces: true, ..Rules::default() },
        Rules { uses: Some(1), announces: true, says_stale: false, ..Rules::default() },
    ] {
        let (gate, server, ingest) = start(rules.clone()).await;
        for round in 0..12 {
            for result in put_many(&ingest, 4).await {
                assert_eq!(result, Ok(()), "{round} {rules:?}");
            }
        }
        let before = count(&server).1;
        assert!(put_many(&ingest, 20).await.iter().all(Result::is_ok), "{rules:?}");
        let learnt = count(&server).1 - before;
        let bound = if rules.in_order || rules.announces { 24 } else { 40 };
        assert!(learnt <= bound, "{learnt} bodies for 20: {rules:?}");
        assert_eq!(gate.replayed(), 0, "{rules:?}");
    }
}

#[tokio::test]
async fn a_server_that_restarts_or_renames_its_realm_is_signed_in_to_again() {
    let (gate, server, ingest) = start(Rules::default()).await;
    assert_eq!(ingest.put("channel_0.ts", TS, large()).await, Ok(()));
    gate.forget();
    assert_eq!(ingest.put("channel.m3u8", TS, small()).await, Ok(()));
    assert_eq!(ingest.put("channel_1.ts", TS, large()).await, Ok(()));
    assert_eq!(count(&server), (5, 2), "the playlist met the new nonce first");
    gate.rules.lock().unwrap().challenge[0].1 = "\"another\"".into();
    gate.rules.lock().unwrap().says_stale = false;
    assert_eq!(ingest.put("channel_2.ts", TS, large()).await, Ok(()));
    assert_eq!(ingest.put("channel_3.ts", TS, large()).await, Ok(()));
    assert_eq!(count(&server).1, 5, "one body met the new realm");
}

#[tokio::test]
async fn wrong_credentials_are_denied_and_cost_one_body() {
    let gate = Gate::new(Rules::default());
    let server = gate.serve().await;
    let ingest = Arc::new(ingest(settings(), &server.url("channel"), Some((USER, "wrong"))));
    assert!(put_many(&ingest, 10).await.iter().all(|it| *it == denied()));
    assert_eq!(count(&server).1, 1);
    assert_eq!(ingest.put("channel.m3u8", TS, small()).await, denied());
    assert_eq!(ingest.delete("channel.m3u8").await, denied());
    // Put right at the server, they are accepted without more ado.
    gate.rules.lock().unwrap().password = "wrong";
    assert!(put_many(&ingest, 10).await.iter().all(Result::is_ok));
    assert_eq!(count(&server).1, 11);
}

#[tokio::test]
async fn credentials_that_are_withdrawn_are_denied() {
    let (gate, server, ingest) = start(Rules::default()).await;
    assert!(put_many(&ingest, 3).await.iter().all(Result::is_ok));
    gate.rules.lock().unwrap().password = "new";
    assert_eq!(ingest.put("channel_0.ts", TS, large()).await, denied());
    assert!(put_many(&ingest, 5).await.iter().all(|it| *it == denied()));
    assert_eq!(count(&server).1, 4, "one body was sent in vain");
    gate.rules.lock().unwrap().password = PASSWORD;
    assert!(put_many(&ingest, 5).await.iter().all(Result::is_ok));
    assert_eq!(count(&server).1, 9);
}

#[tokio::test]
async fn basic_is_answered_too() {
    let server = Server::start(|_, seen| match seen.header("authorization") {
        // "mp user:p:w "word"" in base64.
        Some("Basic bXAgdXNlcjpwOncgIndvcmQi") => answer(201, &[], ""),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"a\", charset=\"UTF-8\"")], ""),
    })
    .await;
    let good = Arc::new(ingest(settings(), &server.url("channel"), RIGHT));
    assert!(put_many(&good, 10).await.iter().all(Result::is_ok));
    assert_eq!(count(&server), (11, 10));
    let bad = ingest(settings(), &server.url("channel"), Some(("u", "wrong")));
    assert_eq!(bad.put("channel_0.ts", TS, large()).await, denied());
}

#[tokio::test]
async fn what_cannot_be_answered_is_denied_with_its_reason() {
    let unsupported = "endpoint asks to sign in by a scheme that is not supported";
    let missing = "endpoint answered 401, and there are no credentials for it";
    for (challenge, credentials, expected) in [
        ("Negotiate", RIGHT, unsupported),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=MD4", RIGHT, unsupported),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", RIGHT, unsupported),
        ("Digest ==", RIGHT, unsupported),
        ("Basic realm=\"a\"", None, missing),
    ] {
        let server =
            Server::start(move |_, _| answer(401, &[("www-authenticate", challenge)], "")).await;
        let ingest = ingest(settings(), &server.url("channel"), credentials);
        let error = ingest.put("channel_0.ts", TS, small()).await;
        assert_eq!(error, Err(IngestError::Denied { reason: expected.into() }), "{challenge}");
    }
}
