//! Runs, invocation by invocation, over a stand-in for AWS, live sources and endpoints.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scene;

use advance::{Answer, Failure, Outcome};
use aws::{Input, RunId};
use relay::ports::Sessions;
use relay::progress::Status;
use relay::session::SessionId;
use scene::{Scene, id};
use std::time::{Duration, Instant};

fn ids(answer: &Answer) -> Vec<&str> {
    answer.run.sessions.iter().map(|session| session.id.0.as_str()).collect()
}

#[tokio::test]
async fn a_run_carries_its_sessions_and_an_idle_poll_costs_one_read() {
    let scene = Scene::new().await;
    for name in ["a", "b"] {
        scene.make(name).await;
    }
    let function = scene.function();
    let (began, mut run, mut name) = (Instant::now(), scene.run(&["a", "b"]), None);
    let mut polls = 0;
    while began.elapsed() < Duration::from_secs(7) {
        let answer = scene.invoke(&function, run).await.unwrap();
        assert_eq!((answer.outcome, ids(&answer)), (Outcome::Again, vec!["a", "b"]));
        assert!(answer.wait <= 2, "{answer:?}");
        assert_eq!(name.get_or_insert(answer.run.id.clone()), &answer.run.id, "it keeps its name");
        tokio::time::sleep(Duration::from_secs(answer.wait)).await;
        run = answer.run;
        polls += 1;
    }
    for name in ["a", "b"] {
        let listed = scene.endpoint.judge(name);
        assert!(listed >= 5, "{name}: {listed} segments");
        let record = scene.sessions.get(&id(name)).await.unwrap().unwrap();
        assert_eq!(record.progress.status, Status::Running, "{:?}", record.progress);
        assert!(record.progress.segments >= 5, "what the cursor knows is shown");
    }
    let calls = scene.calls();
    let count = |call: &str| calls.get(call).copied().unwrap_or_default();
    assert!(count("BatchGetItem") <= polls, "{calls:?}");
    // Once a session: to find it, and what was asked for. Never again.
    assert!(count("GetItem") <= 4, "{calls:?}");
    let revisions: u64 = scene.revision("a").await + scene.revision("b").await;
    // Beside the commits: taken over, and reported running. A lease is renewed when uploads dawdle.
    assert!(count("UpdateItem") as u64 <= revisions + 2 * 2 + 2, "{calls:?}, {revisions} commits");
}

#[tokio::test]
async fn a_newer_run_relieves_an_older_one_and_nothing_is_missing() {
    let scene = Scene::new().await;
    scene.make("a").await;
    let (one, other) = (scene.function(), scene.function());
    let older = async {
        let mut run = scene.run(&["a"]);
        loop {
            let answer = scene.invoke(&one, run).await.unwrap();
            if answer.outcome != Outcome::Again {
                return answer.outcome;
            }
            tokio::time::sleep(Duration::from_secs(answer.wait)).await;
            run = answer.run;
        }
    };
    let newer = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (began, mut run) = (Instant::now(), scene.run(&["a"]));
        while began.elapsed() < Duration::from_secs(6) {
            let answer = scene.invoke(&other, run).await.unwrap();
            assert_eq!(answer.outcome, Outcome::Again);
            tokio::time::sleep(Duration::from_secs(answer.wait)).await;
            run = answer.run;
        }
        scene.endpoint.judge("a")
    };
    let (outcome, listed) = futures_util::future::join(older, newer).await;
    assert_eq!(outcome, Outcome::Relieved);
    assert!(listed >= 8, "{listed} segments");
}

#[tokio::test]
async fn what_happens_to_one_session_does_not_hold_up_another() {
    let scene = Scene::new().await;
    for name in ["good", "broken", "stopped", "ends"] {
        scene.make(name).await;
    }
    let function = scene.function();
    let (began, mut run) =
        (Instant::now(), scene.run(&["good", "broken", "stopped", "ends", "nobody"]));
    let mut last = None;
    let advance = async {
        while began.elapsed() < Duration::from_secs(8) {
            let answer = scene.invoke(&function, run).await.unwrap();
            assert_eq!(answer.outcome, Outcome::Again);
            tokio::time::sleep(Duration::from_secs(answer.wait)).await;
            last = Some(answer.clone());
            run = answer.run;
        }
    };
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        scene.sessions.stop(&id("stopped")).await.unwrap();
        began.elapsed()
    };
    let ((), stopped) = futures_util::future::join(advance, stop).await;
    assert!(stopped < Duration::from_secs(8), "the run lets go when it notices: {stopped:?}");
    assert_eq!(ids(&last.unwrap()), ["broken", "good"]);
    assert!(scene.endpoint.judge("good") >= 6);
    for (name, status) in [
        ("good", Status::Running),
        ("broken", Status::Degraded),
        ("stopped", Status::Stopped),
        ("ends", Status::Ended),
    ] {
        let progress = scene.sessions.get(&id(name)).await.unwrap().unwrap().progress;
        assert_eq!(progress.status, status, "{name}: {progress:?}");
        let secret = scene.sessions.access(&id(name)).await.unwrap();
        assert_eq!(secret.is_some(), status.is_active(), "{name}");
    }
    scene.endpoint.judge("ends");
    assert!(scene.endpoint.ended("ends"));
    let after = scene.endpoint.last_write("stopped");
    assert!(after <= began + stopped, "something of a stopped session was published afterwards");
    let again = scene.invoke(&function, scene.run(&["stopped", "ends"])).await.unwrap();
    assert_eq!(again.outcome, Outcome::Done);
    let lines = scene.lines();
    let told = lines.iter().any(|line| line.contains(r#""SourceErrors""#));
    assert!(told && lines.iter().all(|line| !line.contains("token=t")), "{lines:?}");
}

#[tokio::test]
async fn what_concerns_the_whole_run_ends_it_by_name() {
    let scene = Scene::new().await;
    scene.make("a").await;
    let function = scene.function();
    let mut run = scene.run(&["a"]);
    run.until = 1;
    run.id = Some(RunId("r".to_owned()));
    let answer = scene.invoke(&function, run).await.unwrap();
    assert_eq!((answer.outcome, answer.wait), (Outcome::Done, 0));

    let lost = scene.function_over("no-such-table");
    let failure = scene.invoke(&lost, scene.run(&["a"])).await.unwrap_err();
    let said = "dynamodb:BatchGetItem failed: ResourceNotFoundException";
    assert_eq!(failure, Failure::StoreUnavailable(said.to_owned()));
    let nothing = Input::new(scene.now(), 240, Vec::<SessionId>::new()).run;
    assert_eq!(scene.invoke(&function, nothing).await.unwrap().outcome, Outcome::Done);
}
