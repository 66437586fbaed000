//! What is secret stays so, and who has no token stays out.

use crate::world::{World, request};
use axum::body::Body;
use axum::http::{Request, StatusCode, Version};
use relay::ports::Sessions;
use relay::session::SessionId;
use serde_json::json;

#[tokio::test]
async fn no_answer_holds_a_secret() {
    let world = World::new();
    let mut body = request("a");
    body["source"]["url"] = json!("https://origin.example/live/main.m3u8?token=hush-1");
    body["source"]["headers"] = json!({ "Authorization": "Bearer hush-2", "x-hush-3": "y" });
    body["output"]["endpoints"][0] = json!({
        "url": "https://in.example/a/channel?key=hush-4",
        "username": "hush-5",
        "password": "hush-6",
    });
    let made = world.post("/sessions", &body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let fetcher = json!({
        "name": "old", "url": "https://origin.example/m.m3u8?token=hush-7", "output": "mediapackage",
        "payload": { "ingestUrls": [{ "url": "https://in.example/b/channel?key=hush-8", "username": "hush-9", "password": "hush-10" }] },
    });
    for answer in [
        made,
        world.post("/sessions", &body).await,
        world.get(&format!("/sessions/{id}")).await,
        world.get("/sessions").await,
        world.post("/api/v1/fetcher", &fetcher).await,
        world.post("/api/v1/fetcher", &fetcher).await,
        world.get("/api/v1/fetcher").await,
    ] {
        assert!(!answer.text.contains("hush"), "{}", answer.text);
    }
    let access = world.sessions.access(&SessionId(id)).await.unwrap().unwrap();
    assert_eq!(access.source.query(), Some("token=hush-1"), "but they are kept");
    assert_eq!(access.headers[0], ("Authorization".to_owned(), "Bearer hush-2".to_owned()));
    assert_eq!(access.endpoints[0].url.query(), Some("key=hush-4"));
    assert_eq!(access.endpoints[0].credentials.as_ref().unwrap().password, "hush-6");
}

#[tokio::test]
async fn no_refusal_repeats_what_it_refuses() {
    let world = World::new();
    for (pointer, value) in [
        ("/source/url", json!("hush://hush:hush@hush/hush")),
        ("/source/url", json!("https://hush:hush@origin.example/?hush")),
        ("/source/url", json!("https://ho st.example/?hush")),
        ("/source/headers", json!({ "x": "hush\r\n" })),
        ("/output/type", json!("hush")),
        (
            "/output/endpoints",
            json!([{ "url": "hush", "username": "hush\n", "password": "hush\n" }]),
        ),
        ("/start", json!("hush")),
        ("/concurrency", json!("hush")),
    ] {
        let mut body = request("a");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value;
        let answer = world.post("/sessions", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer}");
        assert!(!answer.text.contains("hush"), "{}", answer.text);
    }
}

#[tokio::test]
async fn who_has_no_token_stays_out() {
    let world = World::new();
    let closed =
        World { router: api::with_token(world.router.clone(), "open sesame".to_owned()), ..world };
    for (path, given, status) in [
        ("/sessions", None, StatusCode::UNAUTHORIZED),
        ("/sessions", Some("open sesame"), StatusCode::UNAUTHORIZED),
        ("/sessions", Some("Bearer open"), StatusCode::UNAUTHORIZED),
        ("/sessions", Some("Bearer open sesames"), StatusCode::UNAUTHORIZED),
        ("/sessions", Some("Bearer open sesamE"), StatusCode::UNAUTHORIZED),
        ("/sessions", Some("Basic open sesame"), StatusCode::UNAUTHORIZED),
        ("/api/v1/fetcher", None, StatusCode::UNAUTHORIZED),
        ("/nothing", None, StatusCode::UNAUTHORIZED),
        ("/sessions", Some("Bearer open sesame"), StatusCode::OK),
        ("/sessions", Some("bearer open sesame"), StatusCode::OK),
        ("/health", None, StatusCode::OK),
    ] {
        let mut request = Request::get(path);
        if let Some(given) = given {
            request = request.header("authorization", given);
        }
        let answer = closed.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{path} {given:?}");
        if status == StatusCode::UNAUTHORIZED {
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            answer.errors();
        }
    }
}

#[tokio::test]
async fn without_a_token_a_page_whose_name_leads_to_this_machine_is_told_nothing() {
    let world = World::new();
    let local = World { router: api::for_this_machine(world.router.clone()), ..world };
    let (open, told) = (StatusCode::OK, StatusCode::MISDIRECTED_REQUEST);
    for (path, host, status) in [
        ("/sessions", "127.0.0.1:8080", open),
        ("/sessions", "127.0.0.1", open),
        ("/sessions", "localhost:8080", open),
        ("/sessions", "LOCALHOST", open),
        ("/sessions", "[::1]:8080", open),
        ("/sessions", "page.example:8080", told),
        ("/sessions", "127.0.0.1.page.example", told),
        ("/sessions", "localhost.page.example:8080", told),
        ("/sessions", "", told),
        ("/nothing", "page.example", told),
        ("/health", "page.example", open),
        ("/channels/one/master.m3u8", "cdn.example", StatusCode::NOT_FOUND),
    ] {
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        let answer = local.send(request).await;
        assert_eq!(answer.status, status, "{path} of {host}");
    }
    assert_eq!(
        local.get("/sessions").await.status,
        open,
        "a client that names no host is no browser"
    );
}

#[tokio::test]
async fn a_request_is_for_one_host_and_that_of_its_target_counts() {
    let world = World::new();
    let router = api::for_one_host(api::for_this_machine(world.router.clone()));
    let local = World { router, ..world };
    let (open, told) = (StatusCode::OK, StatusCode::MISDIRECTED_REQUEST);
    let bad = StatusCode::BAD_REQUEST;
    for (version, target, hosts, status) in [
        (Version::HTTP_11, "/sessions", vec!["localhost"], open),
        (Version::HTTP_11, "/sessions", vec!["[::1]:80"], open),
        (Version::HTTP_11, "/sessions", vec![], bad),
        (Version::HTTP_11, "/health", vec![], bad),
        (Version::HTTP_10, "/sessions", vec![], open),
        (Version::HTTP_11, "/sessions", vec!["localhost", "page.example"], bad),
        (Version::HTTP_11, "/sessions", vec!["localhost", "localhost"], bad),
        (Version::HTTP_10, "/sessions", vec!["localhost", "page.example"], bad),
        (Version::HTTP_11, "/sessions", vec!["page.example@localhost"], bad),
        (Version::HTTP_11, "/sessions", vec!["local host"], bad),
        (Version::HTTP_11, "/sessions", vec![""], told),
        (Version::HTTP_11, "http://localhost/sessions", vec!["localhost"], open),
        (Version::HTTP_11, "http://page.example/sessions", vec!["localhost"], told),
        (Version::HTTP_11, "http://localhost/sessions", vec!["page.example"], open),
        (Version::HTTP_11, "http://localhost/sessions", vec![], bad),
        (Version::HTTP_10, "http://page.example/sessions", vec![], told),
    ] {
        let mut request = Request::get(target).version(version);
        for host in &hosts {
            request = request.header("host", *host);
        }
        let answer = local.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{version:?} {target} of {hosts:?}");
        if status == bad {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{hosts:?}");
        }
    }
}
