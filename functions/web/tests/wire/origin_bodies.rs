//! How the origin client reads bodies: whole, within limits, within time.

use crate::server::{Server, Then, answer, origin, raw, settings};
use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use relay::ports::{Fetched, Origin, OriginError};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;
use web::{Limits, Settings};

fn limited(playlist_bytes: usize, segment_bytes: usize, bytes_in_flight: usize) -> Settings {
    let limits = Limits { playlist_bytes, segment_bytes, bytes_in_flight, ..Limits::default() };
    Settings { limits, ..settings() }
}

fn unavailable(error: OriginError) -> String {
    match error {
        OriginError::Unavailable { reason } => reason,
        OriginError::Gone { .. } | OriginError::Spoilt { .. } | OriginError::Refused { .. } => {
            panic!("{error:?}")
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_playlist_is_read_and_a_bomb_is_not() {
    let playlist = gzip(b"#EXTM3U\n");
    let bomb = gzip(&vec![b'#'; 50 << 20]);
    assert!(bomb.len() < 100_000);
    let server = Server::start(move |_, seen| {
        assert_eq!(seen.header("accept-encoding"), Some("gzip"));
        let body = if seen.uri == "/bomb.m3u8" { bomb.clone() } else { playlist.clone() };
        answer(200, &[("content-encoding", "gzip")], body)
    })
    .await;
    let url = server.url("main.m3u8");
    let origin = origin(limited(1 << 20, 1 << 20, 1 << 20), &url, &[]);
    let Ok(Fetched::Changed { text, .. }) = origin.playlist(&url, None).await else { panic!() };
    assert_eq!(text, "#EXTM3U\n");
    let error = origin.playlist(&server.url("bomb.m3u8"), None).await.unwrap_err();
    let expected = "bomb.m3u8 is over the limit of 1048576 bytes for a playlist";
    assert_eq!(unavailable(error), expected);
}

#[tokio::test]
async fn nothing_is_read_beyond_a_limit() {
    let endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let endless = raw(vec![[endless, vec![b'x'; 4096]].concat()], Then::Repeat(4096)).await;
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n".to_vec();
    let announced = raw(vec![announced], Then::Hang).await;
    for (address, within) in [(endless, 4_000), (announced, 2_000)] {
        let url = Url::parse(&format!("http://{address}/0.ts")).unwrap();
        let origin = origin(limited(1 << 20, 2 << 20, 8 << 20), &url, &[]);
        let start = Instant::now();
        let error = unavailable(origin.segment(&url, None).await.unwrap_err());
        assert_eq!(error, "0.ts is over the limit of 2097152 bytes for a segment");
        let error = unavailable(origin.playlist(&url, None).await.unwrap_err());
        assert_eq!(error, "0.ts is over the limit of 1048576 bytes for a playlist");
        assert!(start.elapsed() < Duration::from_millis(within));
    }
}

#[tokio::test]
async fn a_short_body_is_never_taken_for_a_segment() {
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n".to_vec();
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nall of it.".to_vec();
    for short in [short, chunked, Vec::new()] {
        let address = raw(vec![short.clone()], Then::Close).await;
        let url = Url::parse(&format!("http://{address}/v0/1.ts")).unwrap();
        let error = origin(settings(), &url, &[]).segment(&url, None).await.unwrap_err();
        let error = unavailable(error);
        assert!(error.starts_with("no answer from the origin for v0/1.ts: "), "{error}");
        let address = raw(vec![short, whole.clone()], Then::Close).await;
        let url = Url::parse(&format!("http://{address}/v0/1.ts")).unwrap();
        let segment = origin(settings(), &url, &[]).segment(&url, None).await;
        assert_eq!(segment.unwrap(), "all of it.");
    }
}

#[tokio::test]
async fn an_origin_that_stalls_or_dawdles_does_not_hold_a_call() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_vec();
    let answers = [Vec::new(), head.clone(), [head, b"x".to_vec()].concat()];
    let stalled = answers.map(|answer| async move {
        let address = raw(vec![answer], Then::Hang).await;
        let url = Url::parse(&format!("http://{address}/1.ts")).unwrap();
        let start = Instant::now();
        let error =
            unavailable(origin(settings(), &url, &[]).segment(&url, None).await.unwrap_err());
        assert_eq!(error, "origin sent nothing for 0 s for 1.ts");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    });
    futures_util::future::join_all(stalled).await;
    // Bytes come, but not fast enough.
    let server = Server::start(|_, _| {
        let drops = futures_util::stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), count + 1))
        });
        answer(200, &[], Body::from_stream(drops))
    })
    .await;
    let url = server.url("1.ts");
    let start = Instant::now();
    let error = unavailable(origin(settings(), &url, &[]).segment(&url, None).await.unwrap_err());
    assert_eq!(error, "origin took longer than the limit of 3 s for 1.ts");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_not_media_is_not_taken_for_a_segment() {
    for (kind, body, taken) in [
        ("text/html; charset=utf-8", "\n<!DOCTYPE html><title>Not found</title>", false),
        ("text/html", "<p>Sign in</p>", false),
        ("video/mp2t", "<!doctype HTML>", false),
        ("", "<html><body>", false),
        ("", "", false),
        ("video/mp2t", "", false),
        ("text/html", "G@\0\u{10}", true),
        ("text/plain", "WEBVTT\n", true),
        ("text/vtt", "", true),
        ("application/octet-stream", "G@", true),
    ] {
        let server = Server::start(move |_, _| answer(200, &[("content-type", kind)], body)).await;
        let url = server.url("v0/1.ts");
        let segment = origin(settings(), &url, &[]).segment(&url, None).await;
        assert_eq!(segment.is_ok(), taken, "{kind} {body:?}");
        if let Err(error) = segment {
            let what = if body.is_empty() { "nothing" } else { "a web page" };
            assert_eq!(unavailable(error), format!("origin answered {what} for v0/1.ts"));
            assert_eq!(server.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn subtitles_may_be_nothing_where_nobody_speaks() {
    for status in [200, 204] {
        let kind = [("content-type", "application/octet-stream")];
        let server = Server::start(move |_, _| answer(status, &kind, "")).await;
        for (name, taken) in
            [("1.vtt?token=a", true), ("1.WebVTT;session=b", true), ("1.ts?for=1.vtt", false)]
        {
            let url = server.url(name);
            let segment = origin(settings(), &url, &[]).segment(&url, None).await;
            assert_eq!(segment.as_deref().ok(), taken.then_some(&b""[..]), "{status} {name}");
        }
    }
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_and_come_back() {
    let server = Server::start(|_, _| answer(200, &[], vec![b'G'; 600_000])).await;
    let url = server.url("1.ts");
    let mut settings = limited(1 << 20, 1 << 20, 1 << 20);
    settings.patience.segment = Duration::from_millis(300);
    let origin = origin(settings, &url, &[]);
    let first = origin.segment(&url, None).await.unwrap();
    let error = unavailable(origin.segment(&url, None).await.unwrap_err());
    let expected =
        "no room for 1.ts within 0 s: 1048576 bytes of segments may be in memory at once";
    assert_eq!(error, expected);
    assert_eq!(server.seen().len(), 1, "no request is made while there is no room");
    drop(first);
    assert_eq!(origin.segment(&url, None).await.unwrap().len(), 600_000);
}

#[tokio::test]
async fn many_bodies_pass_through_little_memory() {
    // Half of them do not say how long they are.
    let server = Server::start(|count, _| {
        if count % 2 == 0 {
            return answer(200, &[], vec![b'G'; 300_000]);
        }
        let chunks = (0..30).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'G'; 10_000])));
        answer(200, &[], Body::from_stream(futures_util::stream::iter(chunks)))
    })
    .await;
    let url = server.url("1.ts");
    let origin = Arc::new(origin(limited(1 << 20, 1 << 20, 400_000), &url, &[]));
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let (origin, url) = (Arc::clone(&origin), url.clone());
            tokio::spawn(async move {
                let segment = origin.segment(&url, None).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
                segment.len()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 300_000);
    }
}
