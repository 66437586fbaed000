//! A live source in a channel, as an ingest and a browser get it.

use super::channels::{Stage, Watcher, browse, watch};
use crate::apache::{Apache, DIGEST};
use crate::ferry::{Clock, Ferry};
use crate::ffmpeg::Live;
use crate::http;
use crate::observer::Observer;
use crate::playlist::{Media, renditions};
use crate::probe;
use crate::program::Program;
use crate::published::{Entry, Published};
use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

/// Seconds from now, as the API takes them.
fn at(seconds: u64) -> String {
    let now = hls::Timestamp(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64);
    (now + hls::Micros::from_secs(seconds)).to_string()
}

/// A stage on whose channel `ts` a live source plays between programmes.
async fn stage(ferry: Ferry) -> (Stage, Live, Published) {
    let (stage, (live, published)) = tokio::join!(Stage::of(ferry), Live::start_apart(12));
    std::os::unix::fs::symlink(live.folder.path(), stage.folder.path().join("live")).unwrap();
    let items = json!([
        { "live": stage.origin.url("live/main.m3u8"), "title": "Match", "start": at(14), "end": at(40) },
        { "asset": "clock", "breaks": [{ "at": 8, "duration": 8 }] },
        { "asset": "bars" },
    ]);
    let path = "/channels/ts/schedule";
    stage.ask(Method::POST, path, json!({ "from": at(8), "items": items })).await;
    (stage, live, published)
}

#[tokio::test]
async fn a_live_programme_is_carried_to_an_ingest_and_plays_in_a_browser() {
    let (stage, _live, published) = stage(Ferry::serve().await).await;
    let apache = Apache::start(DIGEST).await;
    let observer = Observer::watch(&apache.playlist());
    let session = json!({
        "name": "a channel",
        "source": { "channel": "ts" },
        "output": { "type": "webdav", "endpoints": [apache.json()] },
        "start": "window",
        "window_seconds": 600,
    });
    let id = stage.ferry.make(session).await;
    let browser = tokio::task::spawn_blocking({
        let (page, playlists) =
            (stage.origin.url("channel.html"), [stage.playlist("ts", "master")]);
        move || browse(&page, &playlists, 56)
    });
    let names = ["video_180p", "video_360p", "audio_en"];
    let mut watchers = names.map(|name| Watcher::new(stage.playlist("ts", name)));
    watch(&mut watchers, Instant::now() + Duration::from_secs(58)).await;

    let report = &browser.await.unwrap()[0];
    assert_eq!((&report["errors"], &report["stalls"]), (&json!([]), &json!(0)), "{report:#}");
    assert!(report["played"].as_f64().unwrap() > 50.0, "{report:#}");
    let played: Vec<&str> =
        report["programmes"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let live = played.iter().position(|name| *name == "live").expect("it was seen");
    assert_eq!((live > 0, played.get(live + 1)), (true, Some(&"clock")), "{played:?}");

    let session = stage.ferry.session(&id).await;
    assert_eq!(
        (&session["status"], &session["missed"]),
        (&json!("running"), &json!(0)),
        "{session:#}"
    );
    let (_, now) = stage.ferry.ask(Method::GET, "/channels/ts/now", None).await;
    assert_eq!(now["trouble"], json!(null), "{now:#}");
    assert_eq!(observer.violations(), Vec::<String>::new());
    let main = get(&apache.playlist()).await;
    let sources = [("550000", "high"), ("250000", "low"), ("audio", "sound")];
    for rendition in renditions(std::str::from_utf8(&main).unwrap()) {
        let source = sources.iter().find(|(part, _)| rendition.contains(part)).unwrap().1;
        let published = published.so_far().remove(&format!("{source}/index.m3u8")).unwrap();
        arrived(&apache.playlist().replace("channel.m3u8", &rendition), &published).await;
    }
}

#[tokio::test]
async fn kills_and_a_clock_that_is_set_back_change_nothing_for_those_who_watch() {
    let clock = Clock::new();
    let (mut stage, _live, _) = stage(Ferry::serve_under(&clock.under()).await).await;
    let names = ["video_180p", "video_360p", "audio_en"];
    let mut watchers = names.map(|name| Watcher::new(stage.playlist("ts", name)));
    for watcher in &mut watchers {
        // Each time it is behind what was noted, it goes on a second after that.
        watcher.ahead = Duration::from_secs(3);
    }
    // Before the live programme, twice while it plays, after it, and in the break.
    for (seconds, set) in [(6, 0), (14, 0), (10, -20), (20, -40), (14, -40)] {
        watch(&mut watchers, Instant::now() + Duration::from_secs(seconds)).await;
        stage.ferry.kill().await;
        clock.set(set);
        stage.ferry.up().await;
    }
    watch(&mut watchers, Instant::now() + Duration::from_secs(4)).await;
    for watcher in &watchers {
        let (numbers, parts) = watcher.live();
        assert!(numbers.len() > 10 && parts.len() == 1, "{numbers:?} in {parts:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
        let adverts = watcher.known.values().filter(|(address, ..)| address.contains("/advert/"));
        assert!(adverts.count() >= 4, "a break: {:#?}", watcher.known);
    }
}

async fn get(url: &str) -> Bytes {
    http::client().get(url).send().await.unwrap().bytes().await.unwrap()
}

/// What is at `url` plays as a whole, and has what the source published in one piece: once and in order.
async fn arrived(url: &str, published: &[Entry]) {
    let text = String::from_utf8(get(url).await.to_vec()).unwrap();
    let media = Media::read(&text).unwrap_or_else(|why| panic!("{url}: {why}"));
    let folder = tempfile::tempdir().unwrap();
    let mut places = Vec::new();
    for segment in &media.segments {
        let bytes = get(&format!("{}/{}", url.rsplit_once('/').unwrap().0, segment.uri)).await;
        std::fs::write(folder.path().join(&segment.uri), &bytes).unwrap();
        places.push(published.iter().position(|entry| entry.bytes == bytes));
    }
    let first = places.iter().position(Option::is_some).unwrap();
    let last = places.iter().rposition(Option::is_some).unwrap();
    let live: Vec<Option<usize>> =
        (0..=last - first).map(|at| Some(places[first].unwrap() + at)).collect();
    assert_eq!(places[first..=last], live, "{url}");
    assert!(first > 0 && live.len() > 10 && last + 1 < places.len(), "{url}: {places:?}");
    let whole = folder.path().join("whole.m3u8");
    std::fs::write(&whole, text + "#EXT-X-ENDLIST\n").unwrap();
    let whole = whole.to_str().unwrap();
    probe::plays(whole).await;
    // 12 pictures a second, and 25 of the library.
    let pictures = 24 * live.len() + 50 * (places.len() - live.len());
    let packets = probe::packets(whole).await;
    let seen = packets.get("h264").map_or(pictures, |count| usize::try_from(*count).unwrap());
    assert_eq!(seen, pictures, "{url}");
}
