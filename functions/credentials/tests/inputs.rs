//! Against a stand-in for AWS, and a channel that MediaPackage would have.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws::ChannelSecret;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use credentials::{Failure, World};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tests::events;
use tests::ministack::MiniStack;

/// MediaPackage with one channel, and where its stack waits for answers.
#[derive(Clone, Default)]
struct Outside {
    /// How often each input was given another password.
    changes: Arc<Mutex<[u32; 2]>>,
    answers: Arc<Mutex<Vec<Value>>>,
}

impl Outside {
    fn channel(&self) -> Value {
        let changes = *self.changes.lock().unwrap();
        let input = |number: usize| {
            json!({
                "id": format!("input-{number}"),
                "url": format!("https://in{number}.example/in/v2/x/x/channel"),
                "username": "user",
                "password": format!("word-{number}-{}", changes[number]),
            })
        };
        json!({ "id": "ferry-main", "hlsIngest": { "ingestEndpoints": [input(0), input(1)] } })
    }

    async fn listen(self) -> String {
        let channel = async |State(it): State<Self>| Json(it.channel());
        let change = async |State(it): State<Self>, Path((_, input)): Path<(String, String)>| {
            let number: usize = input.trim_start_matches("input-").parse().unwrap();
            it.changes.lock().unwrap()[number] += 1;
            Json(it.channel())
        };
        let told = async |State(it): State<Self>, body: String| {
            it.answers.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        };
        let router = Router::new()
            .route("/channels/ferry-main", get(channel))
            .route("/channels/{channel}/ingest_endpoints/{input}/credentials", put(change))
            .route("/stack", put(told))
            .with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }
}

#[tokio::test]
async fn a_channel_has_its_credentials_in_a_secret_and_they_change_in_turn() {
    let stack = MiniStack::start();
    let outside = Outside::default();
    let url = outside.clone().listen().await;
    let config = aws::sdk_at(&stack.url).await;
    let world = World::new(&aws::sdk_at(&url).await, &config);
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    secrets.create_secret().name("ferry/channels/main").secret_string("{}").send().await.unwrap();
    let held = async || -> ChannelSecret {
        let value = secrets.get_secret_value().secret_id("ferry/channels/main").send().await;
        serde_json::from_str(value.unwrap().secret_string().unwrap()).unwrap()
    };

    let request = |kind: &str, channel: &str| {
        let properties = json!({ "ChannelId": channel, "SecretId": "ferry/channels/main" });
        events::resource(kind, None, &format!("{url}/stack"), &properties, None)
    };
    for (kind, channel) in [
        ("Create", "ferry-main"),
        ("Update", "ferry-main"),
        ("Delete", "ferry-main"),
        ("Create", "other"),
    ] {
        world.invoke(request(kind, channel), 1).await.unwrap();
    }
    let answers = outside.answers.lock().unwrap().clone();
    assert_eq!(answers.len(), 4);
    for answer in &answers[..3] {
        assert_eq!(
            (&answer["Status"], &answer["PhysicalResourceId"]),
            (&json!("SUCCESS"), &json!("ferry-main"))
        );
        assert!(!answer.to_string().contains("word-"), "no password leaves: {answer}");
    }
    assert_eq!(answers[0]["Data"]["IngestEndpointId2"], "input-1");
    assert_eq!(answers[0]["Data"]["IngestUrl1"], "https://in0.example/in/v2/x/x/channel");
    assert_eq!(answers[3]["Status"], "FAILED");
    let reason = answers[3]["Reason"].as_str().unwrap();
    assert!(reason.starts_with("mediapackage:DescribeChannel failed"), "{reason}");
    let passwords = async || {
        let held = held().await;
        held.endpoints.iter().map(|input| input.credentials.password.clone()).collect::<Vec<_>>()
    };
    assert_eq!(passwords().await, ["word-0-0", "word-1-0"]);

    for (turn, expected) in [
        (1, ["word-0-1", "word-1-0"]),
        (2, ["word-0-1", "word-1-1"]),
        (3, ["word-0-2", "word-1-1"]),
    ] {
        let version = format!("{turn:032}");
        let before = passwords().await;
        for step in ["createSecret", "createSecret", "setSecret", "testSecret"] {
            let event = json!({ "Step": step, "SecretId": "ferry/channels/main", "ClientRequestToken": version });
            world.invoke(event, 1_000 + turn).await.unwrap();
            assert_eq!(passwords().await, before, "{step}: not used before it is finished");
        }
        for _ in 0..2 {
            let event = json!({ "Step": "finishSecret", "SecretId": "ferry/channels/main", "ClientRequestToken": version });
            world.invoke(event, 1_000 + turn).await.unwrap();
        }
        assert_eq!(passwords().await, expected, "turn {turn}");
    }
    assert_eq!(*outside.changes.lock().unwrap(), [2, 1], "each step was done once");

    let failure = world.invoke(json!({ "Step": "dance" }), 1).await.unwrap_err();
    assert!(matches!(failure, Failure::Event(_)), "{failure}");
}
