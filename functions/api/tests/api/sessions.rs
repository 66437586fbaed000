//! Sessions are made, looked at and stopped.

use crate::world::{REFUSED, World, request};
use axum::http::{Method, StatusCode};
use relay::Timestamp;
use relay::cause::Cause;
use relay::progress::{EndpointProgress, Fault, LeftOut, Progress, RenditionProgress, Status};
use relay::session::{Address, SessionId};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use url::Url;

#[tokio::test]
async fn a_session_that_is_made_runs_and_can_be_seen() {
    let world = World::new();
    let made = world.post("/sessions", &request("a")).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.header("location"), "/sessions/aaaaaaaaaaaaaaaa");
    let seen = world.get(made.header("location")).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert_eq!(seen.json(), made.json());
    let carried = world.process.carried.lock().unwrap();
    assert_eq!(carried.keys().collect::<Vec<_>>(), [&SessionId("aaaaaaaaaaaaaaaa".to_owned())]);
}

#[tokio::test]
async fn a_session_shows_how_it_is_doing_now() {
    let world = World::new();
    let id = world.make("a").await;
    let fault = Fault { what: "endpoint answered 500".to_owned(), at: Timestamp(1_000_000) };
    let address = Address::of(&Url::parse("https://in.example/a/channel").unwrap());
    let progress = Progress {
        causes: [Cause::Endpoint].into(),
        status: Status::Degraded,
        reason: Some("an endpoint does not take segments".to_owned()),
        renditions: vec![RenditionProgress {
            name: "video_1".to_owned(),
            source_sequence: Some(812),
            listed: vec![Some(7)],
            error: None,
        }],
        left_out: vec![LeftOut { name: "iframes-9".to_owned(), reason: "not taken".to_owned() }],
        endpoints: vec![EndpointProgress {
            address,
            healthy: false,
            segments: 7,
            bytes: 7_000,
            behind: 1,
            last_error: Some(fault.clone()),
        }],
        segments: 7,
        bytes: 7_000,
        jumps: 1,
        missed: 2,
        lag_ms: Some(431),
        last_error: Some(fault),
    };
    let carried = SessionId(id.clone());
    world.process.carried.lock().unwrap().get_mut(&carried).unwrap().progress = progress;
    let seen = world.get(&format!("/sessions/{id}")).await.json();
    let fault = json!({ "what": "endpoint answered 500", "at": "1970-01-01T00:00:01.000Z" });
    assert_eq!(
        seen,
        json!({
            "id": id,
            "name": "news",
            "created": "2023-11-14T22:13:20.000Z",
            "status": "degraded",
            "reason": "an endpoint does not take segments",
            "causes": ["endpoint"],
            "source": {
                "url": "https://origin.example/live/main.m3u8",
                "fallbacks": [],
                "fallback_after_seconds": 20,
                "return_after_seconds": null,
            },
            "output": {
                "type": "mediapackage",
                "keys": "carry",
                "endpoints": [{ "url": "https://in.example/a/channel" }],
            },
            "window_seconds": null,
            "start": "live_edge",
            "concurrency": 4,
            "filter": {},
            "lag_ms": 431,
            "segments": 7,
            "bytes": 7_000,
            "jumps": 1,
            "missed": 2,
            "last_error": fault,
            "renditions": [
                { "name": "video_1", "source_sequence": 812, "listed": [7], "error": null },
            ],
            "left_out": [{ "name": "iframes-9", "reason": "not taken" }],
            "endpoints": [{
                "url": "https://in.example/a/channel",
                "healthy": false,
                "segments": 7,
                "bytes": 7_000,
                "behind": 1,
                "last_error": fault,
            }],
        })
    );
    let listed = world.get("/sessions").await.json();
    assert_eq!(listed, json!({ "sessions": [seen], "next": null }));
}

#[tokio::test]
async fn an_endpoint_may_be_named_by_its_playlist_or_its_collection() {
    for (url, shown) in [
        ("https://in.example/a/channel", "https://in.example/a/channel"),
        ("https://in.example/a/channel.m3u8", "https://in.example/a/channel"),
        ("https://in.example/a/", "https://in.example/a/channel"),
        ("https://in.example", "https://in.example/channel"),
        ("HTTPS://IN.example:443/a/news.m3u8?t=1#f", "https://in.example/a/news"),
    ] {
        let world = World::new();
        let mut body = request("a");
        body["output"]["endpoints"][0]["url"] = json!(url);
        let made = world.post("/sessions", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert_eq!(made.json()["output"]["endpoints"][0]["url"], shown, "{url}");
    }
}

/// Changes one place of a good request. What is wrong is said under that name.
#[tokio::test]
async fn what_is_wrong_is_named() {
    let header = |name: &str| json!({ name: "x" });
    let long = "x".repeat(5_000);
    let url = |url: &str| json!([{ "url": url }]);
    let place = "https://in.example/a/channel";
    for (pointer, value, field, detail) in [
        ("/name", Value::Null, "name", "is required"),
        ("/name", json!(7), "name", "must be a string"),
        ("/name", json!(""), "name", "1 to 200 characters"),
        ("/name", json!("a\nb"), "name", "on one line"),
        ("/source", Value::Null, "source.url", "is required"),
        ("/source", json!("https://a.example"), "source", "must be an object"),
        ("/source/url", json!(["x"]), "source.url", "must be a string"),
        ("/source/url", json!("live.m3u8"), "source.url", "is not a URL"),
        ("/source/url", json!("https://a b.example/"), "source.url", "no spaces"),
        ("/source/url", json!("https://a.example/\r\nx"), "source.url", "no spaces"),
        ("/source/url", json!("ftp://a.example/"), "source.url", "http:// or https://"),
        ("/source/url", json!("file:///etc/passwd"), "source.url", "http:// or https://"),
        ("/source/url", json!("https://u:p@a.example/"), "source.url", "user name or password"),
        ("/source/url", json!("https://u@a.example/"), "source.url", "user name or password"),
        ("/source/url", json!(format!("https://a.example/{long}")), "source.url", "at most 4096"),
        ("/source/url", json!("http://127.0.0.1/"), "source.url", "is not allowed: 127.0.0.1"),
        ("/source/url", json!("http://0x7f.1/"), "source.url", "is not allowed: 127.0.0.1"),
        ("/source/uri", json!("x"), "source.uri", "is not known here: url, channel, headers"),
        ("/source/headers", json!(["x"]), "source.headers", "must be an object"),
        ("/source/headers", json!({ "x": 1 }), "source.headers.x", "must be a string"),
        ("/source/headers", header("a b"), "source.headers", "is not a header name"),
        ("/source/headers", header("a\r\nb"), "source.headers", "is not a header name"),
        ("/source/headers", header(""), "source.headers", "is not a header name"),
        ("/source/headers", header("Host"), "source.headers.Host", "cannot be set"),
        ("/source/headers", header("Content-Length"), "source.headers.Content-Length", "cannot"),
        ("/source/headers", header("connection"), "source.headers.connection", "cannot be set"),
        ("/source/headers", header("te"), "source.headers.te", "cannot be set"),
        ("/source/headers", json!({"a": "1", "A": "2"}), "source.headers.a", "is there twice"),
        ("/source/headers", json!({"a": "1\r\nb: 2"}), "source.headers.a", "printable"),
        ("/source/headers", json!({"a": "1\u{e9}"}), "source.headers.a", "printable"),
        ("/output", Value::Null, "output.type", "is required"),
        ("/output", Value::Null, "output.endpoints", "1 to 4"),
        ("/source/fallbacks", json!("x"), "source.fallbacks", "must be an array"),
        ("/source/fallbacks", json!([1]), "source.fallbacks[0]", "must be a string"),
        ("/source/fallbacks", json!(["http://127.0.0.1/"]), "source.fallbacks[0]", "not allowed"),
        ("/source/fallbacks", json!(vec![place; 5]), "source.fallbacks", "at most 4"),
        ("/source/fallback_after_seconds", json!(4), "source.fallback_after_seconds", "from 5"),
        ("/source/return_after_seconds", json!(3_601), "source.return_after_seconds", "to 3600"),
        ("/renditions", json!(["audio"]), "renditions", "must be an object"),
        ("/renditions", json!({"height": 1}), "renditions.height", "is not known here"),
        ("/renditions", json!({"max_height": "1"}), "renditions.max_height", "whole number"),
        ("/renditions", json!({"limit": 0}), "renditions.limit", "at least 1"),
        ("/renditions", json!({"kinds": ["sound"]}), "renditions.kinds", "must hold audio"),
        ("/renditions", json!({"codecs": [1]}), "renditions.codecs[0]", "must be a string"),
        ("/renditions", json!({"languages": vec!["e"; 33]}), "renditions.languages", "at most 32"),
        ("/output/keys", json!("hide"), "output.keys", "must be carry or leave"),
        ("/output/type", json!("rtmp"), "output.type", "must be mediapackage or webdav"),
        ("/output/kind", json!("webdav"), "output.kind", "is not known here: type, endpoints"),
        ("/output/endpoints", json!({}), "output.endpoints", "must be an array"),
        ("/output/endpoints", json!([]), "output.endpoints", "1 to 4"),
        ("/output/endpoints", json!([{}, {}, {}, {}, {}]), "output.endpoints", "1 to 4"),
        ("/output/endpoints", json!(["x"]), "output.endpoints[0]", "must be an object"),
        ("/output/endpoints", json!([{}]), "output.endpoints[0].url", "is required"),
        ("/output/endpoints", url("s3://a/b"), "output.endpoints[0].url", "http:// or"),
        ("/output/endpoints", url("https://u:p@a/"), "output.endpoints[0].url", "user name"),
        ("/output/endpoints", url("http://127.0.0.1/"), "output.endpoints[0].url", "not allowed"),
        (
            "/output/endpoints",
            json!([{ "url": place }, { "url": "https://in.example:443/a/channel.m3u8" }]),
            "output.endpoints[1].url",
            "is the same place as output.endpoints[0].url",
        ),
        (
            "/output/endpoints",
            json!([{ "url": place, "username": "u" }]),
            "output.endpoints[0].password",
            "is required with username",
        ),
        (
            "/output/endpoints",
            json!([{ "url": place, "password": "p" }]),
            "output.endpoints[0].username",
            "is required with password",
        ),
        (
            "/output/endpoints",
            json!([{ "url": place, "username": "u\n", "password": "p" }]),
            "output.endpoints[0].username",
            "on one line",
        ),
        (
            "/output/endpoints",
            json!([{ "url": place, "user": "u" }]),
            "output.endpoints[0].user",
            "is not known here: url, username, password",
        ),
        ("/window_seconds", json!(0), "window_seconds", "1 to 86400"),
        ("/window_seconds", json!(86_401), "window_seconds", "1 to 86400"),
        ("/window_seconds", json!(-1), "window_seconds", "whole number"),
        ("/window_seconds", json!(1.5), "window_seconds", "whole number"),
        ("/window_seconds", json!("60"), "window_seconds", "whole number"),
        ("/start", json!("now"), "start", "live_edge or window"),
        ("/concurrency", json!(0), "concurrency", "1 to 16"),
        ("/concurrency", json!(17), "concurrency", "1 to 16"),
        ("/windowSeconds", json!(60), "windowSeconds", "is not known here: name, source, output"),
    ] {
        let world = World::new();
        let mut body = request("a");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value.clone();
        let answer = world.post("/sessions", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer} {value}");
        let errors = answer.errors();
        let named = errors.iter().any(|(f, d)| f == field && d.contains(detail));
        assert!(named, "{pointer} {value} gives {errors:?}");
        assert!(world.get("/sessions").await.json()["sessions"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_source_that_the_output_does_not_take_is_refused_where_that_can_be_seen() {
    let world = World::new();
    let mut body = request("a");
    body["source"]["url"] = json!(REFUSED);
    let answer = world.post("/sessions", &body).await;
    let expected = ("source.url".to_owned(), "webdav does not take this source: no".to_owned());
    assert_eq!(answer.errors(), [expected]);
    assert!(world.get("/sessions").await.json()["sessions"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let answer = World::new().post("/sessions", &json!({ "window_seconds": 0, "x": 1 })).await;
    let fields: Vec<_> = answer.errors().into_iter().map(|(field, _)| field).collect();
    let expected = ["x", "name", "source.url", "output.type", "output.endpoints", "window_seconds"];
    assert_eq!(fields, expected);
    let detail = format!("6 fields are wrong: {}", expected.join(", "));
    assert_eq!(answer.json()["detail"], detail);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let world = World::new();
    for (kind, body, status) in [
        ("application/json", "", StatusCode::BAD_REQUEST),
        ("application/json", "{\"name\":", StatusCode::BAD_REQUEST),
        ("application/json", "{\"password\": secret}", StatusCode::BAD_REQUEST),
        ("application/json; charset=utf-8", "[", StatusCode::BAD_REQUEST),
        ("application/json", "[]", StatusCode::UNPROCESSABLE_ENTITY),
        ("application/x-www-form-urlencoded", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("text/plain", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let answer = world.post_text("/sessions", kind, body.to_owned()).await;
        assert_eq!(answer.status, status, "{kind} {body}");
        answer.errors();
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    let long = json!({ "name": "x".repeat(70_000) });
    let answer = world.post("/sessions", &long).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    answer.errors();
    let deep = "[".repeat(10_000);
    let answer = world.post_text("/sessions", "application/json", deep).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_destination_has_one_active_session() {
    let world = World::new();
    let first = world.make("a").await;
    let mut body = request("b");
    let place = "HTTPS://in.example:443/x/../a/channel.m3u8";
    body["output"]["endpoints"] = json!([{ "url": "https://in.example/b/" }, { "url": place }]);
    let refused = world.post("/sessions", &body).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let errors = refused.errors();
    assert_eq!(errors[0].0, "output.endpoints[1].url");
    assert!(errors[0].1.contains(&first), "{errors:?}");
    assert_eq!(refused.json()["session"], first);
    world.delete(&format!("/sessions/{first}")).await;
    assert_eq!(world.post("/sessions", &body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_session_can_be_stopped_and_stays_to_be_seen() {
    let world = World::new();
    let id = world.make("a").await;
    let path = format!("/sessions/{id}");
    for _ in 0..2 {
        let stopped = world.delete(&path).await;
        assert_eq!((stopped.status, stopped.text.as_str()), (StatusCode::NO_CONTENT, ""));
        let seen = world.get(&path).await.json();
        assert_eq!(
            (&seen["status"], &seen["reason"]),
            (&json!("stopped"), &json!("stopped on request"))
        );
    }
    for answer in [world.delete("/sessions/nobody").await, world.get("/sessions/nobody").await] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        answer.errors();
    }
}

#[tokio::test]
async fn sessions_are_listed_in_pages_newest_first() {
    let world = World::new();
    let mut ids = Vec::new();
    for place in ["a", "b", "c", "d", "e"] {
        ids.push(world.make(place).await);
    }
    world.delete(&format!("/sessions/{}", ids[3])).await;
    for (query, expected) in [
        ("", vec!["edcba"]),
        ("limit=2", vec!["ed", "cb", "a"]),
        ("limit=5&status=", vec!["edcba"]),
        ("status=starting&limit=3", vec!["ecb", "a"]),
        ("status=stopped", vec!["d"]),
        ("status=failed", vec![""]),
    ] {
        let (mut pages, mut next) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("/sessions?{query}{next}")).await.json();
            let letter = |one: &Value| {
                let at = ids.iter().position(|id| one["id"] == id.as_str()).unwrap();
                char::from(b"abcde"[at])
            };
            pages.push(page["sessions"].as_array().unwrap().iter().map(letter).collect::<String>());
            match &page["next"] {
                Value::Null => break,
                place => next = format!("&next={}", place.as_str().unwrap()),
            }
        }
        assert_eq!(pages, expected, "{query}");
    }
    for (query, field) in [
        ("status=gone", "status"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("next=nobody", "next"),
        ("page=2", "page"),
    ] {
        let answer = world.get(&format!("/sessions?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.errors()[0].0, field, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new();
    for (method, path, status, allow) in [
        (Method::GET, "/nothing", StatusCode::NOT_FOUND, ""),
        (Method::GET, "/sessions/", StatusCode::NOT_FOUND, ""),
        (Method::GET, "/sessions/%FF", StatusCode::NOT_FOUND, ""),
        (Method::PUT, "/sessions", StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,POST"),
        (Method::POST, "/sessions/x", StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,DELETE"),
        (Method::POST, "/health", StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"),
        (Method::GET, "/api/v1/fetcher/x", StatusCode::METHOD_NOT_ALLOWED, "DELETE"),
    ] {
        let answer = world.ask(method.clone(), path).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        answer.errors();
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_said_without_its_secrets() {
    let world = World::new();
    let id = world.make("a").await;
    assert_eq!(world.get("/health").await.json(), json!({ "status": "ok" }));
    world.sessions.broken.store(true, Ordering::Relaxed);
    world.process.carried.lock().unwrap().clear();
    for answer in [
        world.post("/sessions", &request("b")).await,
        world.get("/sessions").await,
        world.get(&format!("/sessions/{id}")).await,
        world.delete(&format!("/sessions/{id}")).await,
        world.get("/health").await,
    ] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "1");
        answer.errors();
        assert!(!answer.text.contains("secret-table"), "{}", answer.text);
    }
    assert_eq!(world.get("/api/v1/fetcher").await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.sessions.broken.store(false, Ordering::Relaxed);
    assert_eq!(world.get(&format!("/sessions/{id}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_carried_is_told_while_the_store_takes_or_answers_nothing() {
    let world = World::new();
    let ids = [world.make("a").await, world.make("b").await, world.make("c").await];
    for record in world.process.carried.lock().unwrap().values_mut() {
        let well = record.session.id.0 == ids[1];
        record.progress.status = if well { Status::Running } else { Status::Degraded };
        record.progress.causes = if well { [].into() } else { [Cause::Store].into() };
    }
    // First it answers, and knows nothing of what became of the sessions since they were made.
    for broken in [false, true] {
        world.sessions.broken.store(broken, Ordering::Relaxed);
        let session = world.get(&format!("/sessions/{}", ids[0])).await.json();
        let told = (&session["status"], &session["causes"]);
        assert_eq!(told, (&json!("degraded"), &json!(["store"])));
        let after = format!("status=degraded&next={}", ids[2]);
        for (query, expected, more) in [
            ("status=degraded", &[2, 0][..], None),
            ("status=degraded&limit=1", &[2], Some(2)),
            (&after, &[0], None),
            ("status=running", &[1], None),
            ("status=starting", &[], None),
        ] {
            let page = world.get(&format!("/sessions?{query}")).await.json();
            let listed: Vec<_> =
                page["sessions"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
            let expected: Vec<_> = expected.iter().map(|&at: &usize| &ids[at]).collect();
            assert_eq!(listed, expected, "{query}, broken: {broken}");
            assert_eq!(page["next"], json!(more.map(|at: usize| &ids[at])), "{query}");
        }
    }
    // What is over only the store knows.
    for path in ["", "?status=ended", "/other"] {
        let answer = world.get(&format!("/sessions{path}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}
