//! The program, as a shell sees it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod place;

use place::Place;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn ferry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["FERRY_USER", "FERRY_PASSWORD", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end, beside the server of the test.
async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn signal_after(child: Child, wait: Duration, signal: Signal) -> Output {
    tokio::time::sleep(wait).await;
    kill_process(Pid::from_child(&child), signal).unwrap();
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_push_ends_well_when_its_source_does() {
    let place = Place::new().await;
    let (source, to) = (format!("{}/ended/main.m3u8", place.at), format!("{}/in/a/", place.at));
    let plain = run(ferry(&["push", &source, "--to", &to])).await;
    let shown = text(&plain.stdout);
    assert_eq!(plain.status.code(), Some(0), "{shown}{}", text(&plain.stderr));
    let last = shown.lines().last().unwrap();
    assert!(last.contains("ended: the source ended and all of it was carried"), "{shown}");

    let (holed, to) = (format!("{}/holed/main.m3u8", place.at), format!("{}/in/c/", place.at));
    let holed = run(ferry(&["push", &holed, "--to", &to])).await;
    let shown = text(&holed.stdout);
    assert_eq!(holed.status.code(), Some(1), "{shown}{}", text(&holed.stderr));
    let said = "all of it was carried but 1 segment, the last: segment 4 of video-";
    assert_eq!(shown.lines().filter(|line| line.contains(said)).count(), 1, "{shown}");

    let to = format!("{}/in/b/", place.at);
    let json = run(ferry(&["push", &source, "--to", &to, "--json"])).await;
    assert_eq!(json.status.code(), Some(0), "{}", text(&json.stderr));
    let lines: Vec<Value> = text(&json.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    assert!(lines.len() > 1 && lines.windows(2).all(|two| two[0] != two[1]), "one per change");
    let last = lines.last().unwrap();
    assert_eq!((&last["status"], &last["endpoints"][0]["behind"]), (&"ended".into(), &0.into()));
    assert_eq!(place.stored("a").len(), place.stored("b").len());
}

#[tokio::test]
async fn a_push_that_is_interrupted_goes_on_later() {
    let (place, dir) = (Place::new().await, tempfile::tempdir().unwrap());
    let (source, to) = (format!("{}/live/main.m3u8", place.at), format!("{}/in/a/", place.at));
    let data = dir.path().to_str().unwrap();
    let arguments = ["push", &source, "--to", &to, "--json", "--data", data];
    let first = ferry(&arguments).spawn().unwrap();
    let first = signal_after(first, Duration::from_secs(3), Signal::INT).await;
    assert_eq!(first.status.code(), Some(130), "{}", text(&first.stderr));
    assert!(text(&first.stderr).contains("goes on where it was"), "{}", text(&first.stderr));
    let id = |output: &Output| {
        let last: Value =
            serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
        assert_eq!(last["status"], "running", "{last}");
        (last["id"].clone(), last["segments"].as_u64().unwrap())
    };
    let (session, segments) = id(&first);

    let other = ["push", &source, "--to", &to, "--data", data, "--window", "60"];
    let refused = run(ferry(&other)).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("name another directory"), "{}", text(&refused.stderr));

    let second = ferry(&arguments).spawn().unwrap();
    let second = signal_after(second, Duration::from_secs(3), Signal::TERM).await;
    assert_eq!(second.status.code(), Some(130), "{}", text(&second.stderr));
    let (same, more) = id(&second);
    assert!(same == session && more > segments, "{same} {more} after {session} {segments}");
    let playlist = place.stored("a").into_iter().find(|(name, _)| name.ends_with("video.m3u8"));
    let playlist = text(&playlist.unwrap().1);
    assert!(!playlist.contains("DISCONTINUITY\n"), "nothing was missed:\n{playlist}");
}

#[tokio::test]
async fn what_is_wrong_on_the_command_line_is_said_by_option() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for (arguments, words) in [
        (vec!["push"], vec!["<SOURCE>", "--to <URL>"]),
        (vec!["push", "https://a.example/"], vec!["--to <URL>"]),
        (
            vec!["push", "ftp://a", "--to", "https://u:p@b.example/", "--window", "0"],
            vec!["<SOURCE> must begin with", "--to (number 1) must not hold", "--window must be"],
        ),
        (vec!["push", "https://a/", "--to", "https://b/", "--user", "u"], vec!["--password-file"]),
        (
            vec!["push", "https://a/", "--to", "https://b/", "--header", "host: x"],
            vec!["--header host:"],
        ),
        (vec!["serve"], vec!["--data <DIR>"]),
        (vec!["serve", "--data", data, "--log-format", "xml"], vec!["--log-format"]),
        (vec!["ferry"], vec!["unrecognized subcommand"]),
    ] {
        let output = run(ferry(&arguments)).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {said}");
        }
        assert!(!said.contains("u:p"), "{said}");
    }
    for command in ["serve", "push", "check", "demo"] {
        let output = run(ferry(&[command, "--help"])).await;
        assert!(output.status.success() && output.stdout.len() > 300, "{command}");
    }
}

/// Asks a server and returns what it answered.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "{request}\r\nhost: ferry\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Starts to serve, and returns where once it says so.
fn serve(data: &Path, more: &[&str]) -> (Child, String) {
    let data = data.to_str().unwrap();
    let arguments = [&["serve", "--listen", "127.0.0.1:0", "--data", data], more].concat();
    let mut child = ferry(&arguments).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (child, address.trim().to_owned())
}

#[tokio::test]
async fn a_server_says_where_it_is_and_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "open-sesame\n").unwrap();
    let token = token.to_str().unwrap();
    let data = dir.path().join("data");
    let (child, address) = serve(&data, &["--token-file", token, "--log-format", "json"]);
    assert!(ask(&address, "GET /health HTTP/1.1").starts_with("HTTP/1.1 200 "));
    assert!(ask(&address, "GET / HTTP/1.1").starts_with("HTTP/1.1 401 "));
    let open = "authorization: Bearer open-sesame";
    let landing = ask(&address, &format!("GET / HTTP/1.1\r\n{open}"));
    assert!(landing.starts_with("HTTP/1.1 200 ") && landing.contains("\r\n\r\nOK\n"), "{landing}");
    let nothing = ask(&address, &format!("GET /nothing HTTP/1.1\r\n{open}"));
    assert!(nothing.contains("application/problem+json"), "{nothing}");

    let second =
        run(ferry(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(
        text(&second.stderr).contains("is in use by another ferry"),
        "{}",
        text(&second.stderr)
    );
    let port = address.strip_prefix("http://").unwrap();
    let other = dir.path().join("other");
    let third = run(ferry(&["serve", "--listen", port, "--data", other.to_str().unwrap()])).await;
    assert_eq!(third.status.code(), Some(1));
    assert!(text(&third.stderr).contains("cannot listen on"), "{}", text(&third.stderr));

    let began = Instant::now();
    let ended = signal_after(child, Duration::ZERO, Signal::TERM).await;
    assert!(ended.status.success() && began.elapsed() < Duration::from_secs(5), "{ended:?}");
    for line in text(&ended.stderr).lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
    }
    assert!(!text(&ended.stderr).contains("open-sesame"));
}
