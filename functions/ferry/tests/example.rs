//! The example does what it says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "its main is for those who read it")]
#[path = "../examples/mediapackage.rs"]
mod mediapackage;
mod place;

use axum::body::Bytes;
use ferry::{Ferry, Reach, Settings};
use place::{LIBRARY, Place};
use relay::progress::Status;

#[tokio::test]
async fn the_example_carries_a_stream_to_its_end() {
    let (place, dir) = (Place::new().await, tempfile::tempdir().unwrap());
    let settings = Settings { reach: Reach::Anywhere, ..Settings::default() };
    let ferry = Ferry::open(dir.path(), settings).unwrap();
    let ingest = [format!("{}/in/1/channel", place.at), format!("{}/in/2/channel", place.at)];
    let source = format!("{}/ended/main.m3u8", place.at);
    let session = mediapackage::start(&ferry, &source, [&ingest[0], &ingest[1]]).await.unwrap();
    let end = session.ended().await;
    assert_eq!(end.status, Status::Ended, "{end:?}");

    let first = place.stored("1");
    assert!(first == place.stored("2"), "both have the same");
    let is_playlist = |name: &str| name.ends_with(".m3u8");
    let mut sent: Vec<&Bytes> =
        first.iter().filter(|(name, _)| !is_playlist(name)).map(|(_, body)| body).collect();
    let mut listed: Vec<Vec<u8>> = Vec::new();
    for rendition in ["180p", "360p", "audio"] {
        let files = std::fs::read_dir(format!("{LIBRARY}/{rendition}")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let segments = files.filter(|path| !is_playlist(&path.to_string_lossy()));
        listed.extend(segments.map(|path| std::fs::read(path).unwrap()));
    }
    sent.sort();
    listed.sort();
    assert!(sent == listed.iter().collect::<Vec<_>>(), "all of the source, and nothing else");
    assert_eq!((sent.len() as u64, first.len()), (end.segments, sent.len() + 4));
    for (name, text) in first.iter().filter(|(name, _)| is_playlist(name)) {
        let ended = text.ends_with(b"#EXT-X-ENDLIST\n");
        assert_eq!(ended, name != "channel.m3u8", "{name}");
    }
}
