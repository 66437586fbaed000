//! `ferry demo`, in a browser.

use crate::ferry::binary;
use crate::http;
use crate::process::{Process, free_port};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[tokio::test]
async fn the_demo_plays_pauses_and_rewinds_in_a_browser() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let args = ["demo", "--port", &port.to_string()];
    let mut demo = Process::start(binary(), &args, &folder.path().join("demo"));
    let page = format!("http://127.0.0.1:{port}/");
    let (client, deadline) = (http::client(), Instant::now() + Duration::from_secs(10));
    while client.get(&page).send().await.is_err() {
        assert!(demo.ended().is_none() && Instant::now() < deadline, "{}", demo.stderr());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let screenshot = folder.path().join("page.png");
    let play = tokio::task::spawn_blocking(move || {
        let mut node = Command::new("node");
        node.current_dir(browser).arg("play.mjs").arg(page).arg(screenshot).output()
    });
    let play = play.await.unwrap().unwrap();
    let complaint = String::from_utf8_lossy(&play.stderr);
    assert!(play.status.success(), "{complaint}\n{}", demo.stderr());
    let seen: Value = serde_json::from_slice(&play.stdout).unwrap();
    assert_eq!(seen["panel"]["status"].as_str().map(str::to_lowercase), Some("running".into()));
    assert_eq!(seen["panel"]["missed"], "0", "{seen:#}");

    // What it says to try works.
    let told = demo.stdout();
    let lines: Vec<&str> = told.lines().map(str::trim).filter(|l| l.starts_with("curl ")).collect();
    let [session, arrived, down] = lines[..] else { panic!("{told}") };
    assert!(curl(session).await.contains("\"running\""), "{session}");
    assert!(curl(arrived).await.starts_with("#EXTM3U"), "{arrived}");
    curl(down).await;
    until(session, "degraded").await;
    curl(&down.replace("-d down", "-d up")).await;
    until(session, "running").await;

    demo.signal(Signal::INT);
    let status = demo.end(Duration::from_secs(5)).await;
    assert!(status.success(), "{status}\n{}", demo.stderr());
}

/// What a line that begins with curl gives.
async fn curl(line: &str) -> String {
    let quiet = line.replacen("curl", "curl -sf", 1);
    let curl =
        tokio::task::spawn_blocking(move || Command::new("bash").args(["-c", &quiet]).output());
    let output = curl.await.unwrap().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until the session, which `line` asks for, is in a state.
async fn until(line: &str, status: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let session: Value = serde_json::from_str(&curl(line).await).unwrap();
        if session["status"] == status {
            return;
        }
        assert!(Instant::now() < deadline, "not {status}: {session:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
