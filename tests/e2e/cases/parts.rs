//! The parts of the set-up, tested alone: what the other cases rely on.

use crate::apache::{Apache, Auth, DIGEST};
use crate::ffmpeg::{Live, video};
use crate::http;
use crate::judge::Carried;
use crate::observer::Observer;
use crate::origin::{Fault, Origin};
use crate::probe;
use crate::published::Published;
use std::process::Command;
use std::time::Duration;

/// Stores `body` under `url` with curl, which knows digest; gives the status.
fn put(apache: &Apache, name: &str, body: &str, password: &str) -> String {
    let url = apache.endpoint().replace("channel", name);
    let user = format!("{}:{password}", apache.username);
    let args = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--anyauth", "-u", &user];
    let what = if body.is_empty() { ["-X", "MKCOL"] } else { ["-T", "-"] };
    let mut curl = Command::new("curl")
        .args(args)
        .args(what)
        .arg(url)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut curl.stdin.take().unwrap(), body.as_bytes()).unwrap();
    String::from_utf8(curl.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn an_endpoint_takes_what_its_user_puts_and_nothing_else() {
    for auth in [DIGEST, Auth::Digest { nonce_lifetime: 0, counted: true }, Auth::Basic] {
        let mut apache = Apache::start(auth).await;
        let word = apache.password.clone();
        assert_eq!(put(&apache, "a.ts", "abc", &word), "409", "no collection yet: {auth:?}");
        assert_eq!(put(&apache, "", "", "wrong"), "401", "{auth:?}");
        assert_eq!(put(&apache, "", "", &word), "201", "{auth:?}");
        assert_eq!(put(&apache, "a.ts", "abc", &word), "201", "{auth:?}");
        apache.refuse(Some(403));
        assert_eq!(put(&apache, "a.ts", "def", &word), "403", "{auth:?}");
        apache.refuse(Some(500));
        assert_eq!(put(&apache, "a.ts", "def", &word), "500", "{auth:?}");
        apache.refuse(None);
        assert_eq!(put(&apache, "a.ts", "def", &word), "204", "{auth:?}");
        apache.freeze().await;
        let url = apache.playlist();
        let hung = http::client().get(&url).timeout(Duration::from_millis(300)).send().await;
        assert!(hung.unwrap_err().is_timeout(), "{auth:?}");
        apache.thaw();
        assert_eq!(http::client().get(&url).send().await.unwrap().status(), 404, "{auth:?}");
        apache.down().await;
        assert_eq!(put(&apache, "a.ts", "ghi", &word), "000", "{auth:?}");
        apache.up().await;
        apache.kill();
        assert_eq!(put(&apache, "a.ts", "ghi", &word), "000", "{auth:?}");
        apache.up().await;
        let url = apache.endpoint().replace("channel", "a.ts");
        let read = http::client().get(url).send().await.unwrap().text().await.unwrap();
        assert_eq!(read, "def", "{auth:?}");
        let stored = |request: &&crate::apache::Request| {
            request.method == "PUT" && request.path == "/in/a.ts" && request.status / 100 == 2
        };
        assert_eq!(apache.requests().iter().filter(stored).count(), 2, "{auth:?}");
    }
}

#[tokio::test]
async fn a_source_fails_as_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.ts"), "abcdef").unwrap();
    let origin = Origin::serve(folder.path()).await;
    let client = http::client();
    let get = || client.get(origin.url("a.ts")).timeout(Duration::from_millis(300)).send();
    let whole = get().await.unwrap();
    let etag = whole.headers()["etag"].clone();
    assert_eq!(whole.text().await.unwrap(), "abcdef");
    let again = client.get(origin.url("a.ts")).header("if-none-match", etag).send();
    assert_eq!(again.await.unwrap().status(), 304);
    origin.break_down("a.ts", Fault::Status(404));
    assert_eq!(get().await.unwrap().status(), 404);
    origin.mend();
    origin.break_down("a.ts", Fault::Truncate);
    assert!(get().await.unwrap().text().await.is_err(), "half a body is not a body");
    origin.mend();
    origin.break_down("a.ts", Fault::Hang);
    assert!(get().await.unwrap_err().is_timeout());
    origin.mend();
    origin.break_down("a.ts", Fault::Delay(Duration::from_millis(100)));
    assert_eq!(get().await.unwrap().status(), 200);
    assert_eq!(origin.requests().len(), 5, "a request that hangs is not answered");
}

/// The endpoint is the source itself, so the observer must find everything in order.
#[tokio::test]
async fn an_observer_sees_a_live_source_whole() {
    let (mut live, published) = Live::start().await;
    let origin = Origin::serve(live.folder.path()).await;
    let observer = Observer::watch(&origin.url("main.m3u8"));
    while observer.segments() < 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!observer.ended());
    live.finish().await;
    while !observer.ended() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let published = published.so_far();
    let carried = observer.verdict(&published).await;
    let names: Vec<&str> = carried.iter().map(|carried| carried.source.as_str()).collect();
    assert_eq!(names, ["high/index.m3u8", "low/index.m3u8"]);
    for Carried { source, first, segments, ended, .. } in &carried {
        assert_eq!((*first, *segments, *ended), (0, published[source].len(), true));
        probe::same_packets(&carried[0], &origin.url(&carried[0].source), &published).await;
    }
    probe::decode(&origin.url("main.m3u8")).await;
}

#[tokio::test]
async fn an_observer_sees_a_segment_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    video(folder.path());
    let origin = Origin::serve(folder.path()).await;
    let published = Published::watch(folder.path()).so_far();
    assert_eq!(published.len(), 3, "picture, sound and subtitles: {:?}", published.keys());
    origin.break_down("00007.ts", Fault::Status(404));
    let observer = Observer::watch(&origin.url("main.m3u8"));
    let verdict = tokio::spawn(async move { observer.verdict(&published).await });
    let complaint = verdict.await.unwrap_err().into_panic();
    let complaint = complaint.downcast_ref::<String>().unwrap();
    assert!(complaint.contains("/00007.ts: it answers 404"), "{complaint}");
}
