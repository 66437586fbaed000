//! The other commands of `ferry`.

use crate::apache::{Apache, DIGEST};
use crate::ferry::binary;
use crate::ffmpeg::Live;
use crate::observer::Observer;
use crate::origin::{Fault, Origin};
use crate::process::Process;
use rustix::process::Signal;
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Duration;

#[tokio::test]
async fn a_push_is_interrupted_and_goes_on_to_the_end() {
    let ferry = binary();
    let (mut live, published) = Live::start().await;
    let origin = Origin::serve(live.folder.path()).await;
    let apache = Apache::start(DIGEST).await;
    let observer = Observer::watch(&apache.playlist());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("word"), format!("{}\n", apache.password)).unwrap();
    let (source, to, data, word) =
        (origin.url("main.m3u8?token=s3cretToken"), apache.endpoint(), path("data"), path("word"));
    let words = format!(
        "push {source} --to {to} --user {} --password-file {word} --start window --window 600 \
         --data {data} --json",
        apache.username
    );
    let args: Vec<&str> = words.split(' ').collect();
    let start = || Process::start(ferry, &args, &folder.path().join("push"));
    let listed = async |count| {
        while observer.segments() < count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };

    let mut push = start();
    listed(3).await;
    push.signal(Signal::INT);
    assert_eq!(push.end(Duration::from_secs(5)).await.code(), Some(130), "{}", push.stderr());
    let before = observer.segments();

    let mut push = start();
    listed(before + 2).await;
    live.finish().await;
    assert_eq!(push.end(Duration::from_secs(15)).await.code(), Some(0), "{}", push.stderr());

    let told: Vec<Value> =
        push.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = told.last().unwrap();
    assert_eq!((&last["status"], &last["missed"]), (&"ended".into(), &0.into()), "{last:#}");
    assert!(told.len() > 5, "every change is told: {}", told.len());
    for secret in [apache.password.as_str(), "s3cretToken"] {
        let all = push.stdout() + &push.stderr();
        assert!(!all.contains(secret), "{all}");
    }
    let published = published.so_far();
    for carried in observer.verdict(&published).await {
        let whole = (carried.first, carried.segments, carried.ended);
        assert_eq!(whole, (0, published[&carried.source].len(), true), "{carried:?}");
    }
}

async fn check(args: Vec<String>) -> Output {
    let mut command = Command::new(binary());
    command.arg("check").args(args);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_check_says_what_a_source_holds_or_why_it_cannot_be_read() {
    let (live, _published) = Live::start().await;
    let origin = Origin::serve(live.folder.path()).await;
    let source = origin.url("main.m3u8");
    let people = check(vec![source.clone()]);
    let machines = check(vec![source.clone(), "--json".to_owned()]);
    let (people, machines) = tokio::join!(people, machines);
    assert!(people.status.success(), "{people:?}");
    let text = String::from_utf8(people.stdout).unwrap();
    for word in ["TS with AAC, H.264", "320x180", "160x90", "nothing found against it"] {
        assert!(text.contains(word), "no {word} in:\n{text}");
    }
    assert!(machines.status.success(), "{machines:?}");
    let report: Value = serde_json::from_slice(&machines.stdout).unwrap();
    assert_eq!(report["renditions"].as_array().map(Vec::len), Some(2), "{report:#}");

    std::fs::write(live.folder.path().join("page.m3u8"), "<!doctype html><p>Hello</p>").unwrap();
    let page = check(vec![origin.url("page.m3u8")]).await;
    assert_eq!(page.status.code(), Some(1), "{page:?}");
    assert!(!page.stderr.is_empty() && page.stdout.is_empty(), "{page:?}");
    origin.break_down("main.m3u8", Fault::Status(403));
    let denied = check(vec![source]).await;
    assert_eq!(denied.status.code(), Some(1), "{denied:?}");
    assert!(String::from_utf8_lossy(&denied.stderr).contains("403"), "{denied:?}");
}
