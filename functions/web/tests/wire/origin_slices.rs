//! Parts of files.

use crate::server::{Server, origin, settings};
use axum::http::{HeaderMap, StatusCode};
use relay::ports::{Origin, OriginError, Slice};

/// What is there.
const FILE: &str = "0123456789abcdef";

#[tokio::test]
async fn a_part_is_read_whatever_the_server_sends_of_its_file() {
    let slice = Slice { offset: 4, length: 6 };
    for (what, status, range, body, expected) in [
        ("the part", 206, Some("bytes 4-9/16"), &FILE[4..10], Ok("456789")),
        ("all, for it knows no ranges", 200, None, FILE, Ok("456789")),
        ("more than the part", 206, Some("bytes 2-13/*"), &FILE[2..14], Ok("456789")),
        ("the end of the file", 206, Some("bytes 4-7/8"), &FILE[4..8], Err("ends before the byte")),
        ("a file that is shorter", 200, None, &FILE[..9], Err("ends before the byte range")),
        ("another part", 206, Some("bytes 6-9/16"), &FILE[6..10], Err("answered 206")),
        ("a part it does not name", 206, None, &FILE[4..10], Err("answered 206")),
        ("several parts", 206, Some("bytes"), "--x", Err("answered 206")),
        ("that there is no such part", 416, Some("bytes */8"), "", Err("answered 416")),
        ("a fault", 403, None, "", Err("answered 403")),
    ] {
        let server = Server::start(move |_, _| {
            let mut headers = HeaderMap::new();
            if let Some(range) = range {
                headers.insert("content-range", range.parse().unwrap());
            }
            (StatusCode::from_u16(status).unwrap(), headers, body)
        });
        let server = server.await;
        let url = server.url("v0/all.mp4");
        let read = origin(settings(), &url, &[]).segment(&url, Some(slice)).await;
        match (read, expected) {
            (Ok(bytes), Ok(expected)) => assert_eq!(bytes, expected, "{what}"),
            (
                Err(OriginError::Unavailable { reason } | OriginError::Gone { reason, .. }),
                Err(expected),
            ) => {
                assert!(reason.contains(expected), "{what}: {reason}");
            }
            (read, _) => panic!("{what}: {read:?}"),
        }
        assert_eq!(server.seen()[0].header("range"), Some("bytes=4-9"), "{what}");
    }
}

#[tokio::test]
async fn the_limit_of_a_segment_is_that_of_its_part() {
    let mut settings = settings();
    settings.limits.segment_bytes = 1 << 10;
    let long = vec![b'x'; 8 << 10];
    let server = Server::start(move |_, _| long.clone()).await;
    let url = server.url("all.mp4");
    let origin = origin(settings, &url, &[]);
    let part = origin.segment(&url, Some(Slice { offset: 4_000, length: 100 })).await.unwrap();
    assert_eq!(part.len(), 100);
    let error = origin.segment(&url, Some(Slice { offset: 0, length: 2_000 })).await.unwrap_err();
    assert!(error.to_string().contains("over the limit of 1024 bytes"), "{error}");
}
