//! The same promises on AWS: functions, state machine, table and API, deployed to a local AWS.

use crate::apache::{Apache, DIGEST};
use crate::cloud::{Cloud, cloud};
use crate::ffmpeg::Live;
use crate::observer::Observer;
use crate::probe;
use crate::program::Program;
use crate::scene::Scene;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the source lists a segment, in segments of 2 s: longer than a minute without a run.
const WINDOW: usize = 60;
/// A run that failed is taken up by the next minute's.
const CATCH_UP: Duration = Duration::from_secs(90);

async fn scene() -> Scene<&'static Cloud> {
    let apaches = vec![Apache::start(DIGEST).await, Apache::start(DIGEST).await];
    Scene::of(cloud(), apaches, Live::listing(WINDOW).await).await
}

#[tokio::test]
async fn a_session_on_the_deployed_channel_goes_on_while_its_credentials_change() {
    let cloud = cloud();
    let scene = Scene::of(cloud, cloud.channel(), Live::listing(WINDOW).await).await;
    let mut request = scene.request();
    request["output"] = json!({ "type": "mediapackage" });
    let id = cloud.make(request).await;
    scene.publish(3).await;
    scene.caught_up(CATCH_UP).await;
    for _ in 0..2 {
        cloud.rotate().await;
        scene.publish(4).await;
        scene.caught_up(CATCH_UP).await;
        cloud.keeps();
    }
    let outcome = scene.stop(&id, &format!("/sessions/{id}"), 204).await;
    for carried in outcome.carried.iter().flatten() {
        assert!(carried.first == 0 && carried.missed.is_empty(), "{carried:?}");
    }
}

#[tokio::test]
async fn a_channel_with_a_source_is_on_air_after_the_deploy() {
    let cloud = cloud();
    let sessions = cloud.ask(Method::GET, "/sessions?limit=100", None).await.1;
    let of_stack = |session: &&Value| session["name"] == "film";
    let all = sessions["sessions"].as_array().unwrap();
    let session = all.iter().find(of_stack).unwrap_or_else(|| panic!("{sessions:#}"));
    cloud.until_ended(session["id"].as_str().unwrap()).await;
    let (apaches, published) = cloud.film();
    for apache in apaches {
        for carried in Observer::watch(&apache.playlist()).verdict(published).await {
            let whole = (carried.first, carried.segments, carried.ended);
            assert_eq!(whole, (0, published[&carried.source].len(), true), "{carried:?}");
        }
    }
}

#[tokio::test]
async fn runs_that_overlap_and_functions_that_die_lose_nothing() {
    let _scheduled = cloud().scheduled.read().await;
    let scene = scene().await;
    let (cloud, id) = (scene.ferry, scene.carry().await);
    scene.caught_up(CATCH_UP).await;
    for _ in 0..3 {
        let twice = futures_util::future::join(
            cloud.invoke("dispatch", json!({})),
            cloud.invoke("dispatch", json!({})),
        );
        assert_eq!(twice.await, (Value::Null, Value::Null));
        scene.publish(2).await;
        cloud.start_run(&[&id]).await;
        cloud.start_run(&[&id]).await;
        scene.publish(2).await;
        assert!(cloud.kill("advance") > 0, "the function is at work");
        scene.publish(2).await;
    }
    scene.caught_up(CATCH_UP).await;
    let outcome = scene.end(&id).await;
    outcome.is_whole();
    for (apache, carried) in outcome.apaches.iter().zip(&outcome.carried) {
        probe::decode(&apache.playlist()).await;
        for carried in carried {
            let url = apache.playlist().replace("channel.m3u8", &carried.playlist);
            probe::same_packets(carried, &url, &outcome.published).await;
        }
    }
    assert!(!cloud.runs("SUCCEEDED").await.is_empty(), "runs are relieved and end well");
}

#[tokio::test]
async fn a_function_that_changes_and_a_secret_that_is_spoilt_lose_nothing() {
    let _scheduled = cloud().scheduled.read().await;
    let scene = scene().await;
    let (cloud, id) = (scene.ferry, scene.carry().await);
    scene.caught_up(CATCH_UP).await;
    cloud.change("advance", "another version").await;
    scene.publish(3).await;
    scene.caught_up(CATCH_UP).await;

    let secret = format!("hls-ferry/sessions/{id}");
    let sound = cloud.put_secret(&secret, "not what it should be").await;
    cloud.kill("advance");
    let told = |session: &Value| session["status"] == "degraded";
    let session = cloud.until(&id, "degraded", CATCH_UP, told).await;
    let reason = session["reason"].as_str().unwrap();
    assert!(reason.contains("the secret of session"), "{session:#}");
    assert_eq!(session["causes"], json!(["secrets"]), "{session:#}");
    cloud.put_secret(&secret, &sound).await;
    cloud.until(&id, "running", CATCH_UP, |session| session["status"] == "running").await;
    scene.caught_up(CATCH_UP).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_table_that_is_asked_for_too_much_holds_up_and_loses_nothing() {
    let _scheduled = cloud().scheduled.read().await;
    let scene = scene().await;
    let (cloud, id) = (scene.ferry, scene.carry().await);
    scene.caught_up(CATCH_UP).await;
    cloud
        .wire
        .throttle(&id, &["GetItem", "BatchGetItem", "UpdateItem", "PutItem", "TransactWriteItems"]);
    scene.publish(5).await;
    assert!(cloud.wire.mend() > 0, "the session was carried meanwhile");
    scene.caught_up(CATCH_UP).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn an_endpoint_that_is_stopped_delays_nothing_at_the_other_and_catches_up() {
    let mut scene = scene().await;
    let (cloud, id) = (scene.ferry, scene.carry().await);
    scene.caught_up(CATCH_UP).await;
    scene.apaches[1].down().await;
    scene.publish(10).await;
    let unwell = |session: &Value| session["causes"] == json!(["endpoint"]);
    let session = cloud.until(&id, "degraded", CATCH_UP, unwell).await;
    assert_eq!(session["status"], "degraded", "{session:#}");
    let published = scene.published.so_far().values().map(Vec::len).min().unwrap();
    let listed = scene.observers[0].segments();
    assert!(listed + 5 >= published, "the other lists {listed} of {published}");
    scene.apaches[1].up().await;
    scene.caught_up(CATCH_UP).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn two_minutes_without_a_dispatch_and_a_run_that_is_stopped_by_hand_lose_nothing() {
    let unscheduled = cloud().scheduled.write().await;
    let scene = scene().await;
    let (cloud, id) = (scene.ferry, scene.carry().await);
    cloud.schedule(false).await;
    tokio::time::sleep(Duration::from_secs(125)).await;
    scene.caught_up(Duration::from_secs(10)).await;

    // The run that carries it, stopped; the next minute's takes it up.
    for run in cloud.runs("RUNNING").await {
        if run["input"].as_str().is_some_and(|input| input.contains(&id)) {
            let which = json!({ "executionArn": run["executionArn"] });
            cloud.call("states", "AWSStepFunctions.StopExecution", which).await;
        }
    }
    cloud.schedule(true).await;
    drop(unscheduled);
    tokio::time::sleep(Duration::from_secs(75)).await;
    scene.caught_up(CATCH_UP).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn another_interpreter_of_the_same_machine_carries_a_session_too() {
    let _scheduled = cloud().scheduled.read().await;
    let scene = scene().await;
    let id = scene.carry().await;
    scene.caught_up(CATCH_UP).await;

    // Other cases dispatch as they please, and each dispatch relieves it.
    let mut rounds = 0;
    for run in 0..10 {
        rounds += rounds_in_moto(&scene, &id, run).await;
        if rounds >= 2 {
            break;
        }
    }
    assert!(rounds >= 2, "it came round and round");
    scene.publish(2).await;
    scene.caught_up(CATCH_UP).await;
    scene.end(&id).await.is_whole();
}

/// Has moto's run carry the session until a newer one relieves it, and says how often it waited for what is due.
async fn rounds_in_moto(scene: &Scene<&'static Cloud>, id: &str, run: usize) -> usize {
    let cloud = scene.ferry;
    let run = json!({ "executionArn": cloud.run_in_moto(id, &format!("run-{run}")).await });
    let patience = Instant::now() + Duration::from_secs(120);
    let told = loop {
        scene.publish(1).await;
        let told = cloud.call_moto("AWSStepFunctions.DescribeExecution", run.clone()).await;
        if told["status"] != "RUNNING" {
            break told;
        }
        assert!(Instant::now() < patience, "the minute's run does not relieve it");
    };
    assert_eq!(told["status"], "SUCCEEDED", "{told:#}");
    let history = cloud.call_moto("AWSStepFunctions.GetExecutionHistory", run).await;
    let entered = |state: &str| {
        let events = history["events"].as_array().unwrap().iter();
        events.filter(|event| event["stateEnteredEventDetails"]["name"] == state).count()
    };
    assert_eq!(entered("Relieved"), 1, "{history:#}");
    entered("Wait")
}

#[tokio::test]
async fn the_api_is_closed_and_says_what_is_wrong() {
    let cloud = cloud();
    assert_eq!(cloud.ask_unsigned("/sessions").await, 403);
    for (request, status, field) in [
        (json!({}), 422, "source"),
        (
            json!({
                "name": "news", "source": { "url": "https://origin.example/main.m3u8" },
                "output": { "type": "mediapackage", "channel": "news" },
            }),
            422,
            "output.channel",
        ),
        (
            json!({
                "name": "metadata", "source": { "url": "http://169.254.169.254/main.m3u8" },
                "output": { "type": "mediapackage" },
            }),
            422,
            "source.url",
        ),
    ] {
        let (found, problem) = cloud.ask(Method::POST, "/sessions", Some(request.clone())).await;
        assert_eq!(found, status, "{request}: {problem}");
        assert!(problem.to_string().contains(field), "{request}: {problem}");
    }
}
