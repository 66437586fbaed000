//! VODs played as live channels: watched as viewers do, and carried to an ingest.

use crate::apache::DIGEST;
use crate::ferry::Ferry;
use crate::ffmpeg::{FFMPEG, Live, cmaf};
use crate::http;
use crate::observer::Observer;
use crate::origin::{Fault, Origin};
use crate::playlist::Media;
use crate::program::Program;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long channels are watched: several programmes, a break and the slate.
const WATCHED: Duration = Duration::from_secs(32);

/// Two channels, one in TS and one in CMAF, each with programmes that follow each other, a break and a slate.
pub struct Stage {
    pub ferry: Ferry,
    pub origin: Origin,
    /// The VODs, and the page of the browser.
    pub folder: TempDir,
}

impl Stage {
    pub async fn new() -> Self {
        Self::of(Ferry::serve().await).await
    }

    pub async fn of(ferry: Ferry) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(here.join("fixtures/library"), folder.path().join("ts"))
            .unwrap();
        for (name, tone, seconds) in [("low", 330, 10), ("high", 660, 8), ("still", 110, 6)] {
            cmaf(&folder.path().join("cmaf").join(name), tone, seconds);
        }
        put_page(folder.path());
        let origin = Origin::serve(folder.path()).await;
        let stage = Self { ferry, origin, folder };
        let at = |seconds: u64, duration: u64| json!([{ "at": seconds, "duration": duration }]);
        // Slate, a programme that is joined late and has a break, one that is cut, and the slate again.
        let ts = json!([{ "asset": "clock", "offset": 14, "breaks": at(16, 8) }, { "asset": "bars", "duration": 4 }]);
        stage.channel("ts", ["bars", "clock", "slate", "advert"], "slate", "advert", &ts).await;
        let cmaf = json!([{ "asset": "low", "offset": 4, "breaks": at(6, 8) }, { "asset": "low", "duration": 4 }]);
        stage.channel("cmaf", ["low", "high", "still", "still"], "still", "high", &cmaf).await;
        stage
    }

    async fn channel(&self, id: &str, assets: [&str; 4], slate: &str, ad: &str, items: &Value) {
        for name in assets {
            let url = self.origin.url(&format!("{id}/{name}/main.m3u8"));
            self.ask(Method::POST, "/assets", json!({ "id": name, "url": url })).await;
        }
        let channel =
            json!({ "slate": slate, "ads": [ad], "target_duration": 2, "window_seconds": 20 });
        self.ask(Method::PUT, &format!("/channels/{id}"), channel).await;
        let path = format!("/channels/{id}/schedule");
        self.ask(Method::POST, &path, json!({ "items": items })).await;
    }

    pub async fn ask(&self, method: Method, path: &str, body: Value) {
        let (status, answer) = self.ferry.ask(method, path, Some(body)).await;
        assert_eq!(status, 201, "{path}: {answer:#}");
    }

    pub fn playlist(&self, channel: &str, name: &str) -> String {
        format!("{}/channels/{channel}/{name}.m3u8", self.ferry.address())
    }
}

/// Puts the page of the browser in a folder.
pub fn put_page(folder: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let player = here.join("../functions/ferry/node_modules/hls.js/dist/hls.min.js");
    for (from, to) in [(here.join("browser/channel.html"), "channel.html"), (player, "hls.js")] {
        std::fs::copy(from, folder.join(to)).unwrap();
    }
}

/// A player that polls, and forgets nothing.
pub struct Watcher {
    client: Client,
    pub url: String,
    /// Each segment that was ever listed: its address, date and discontinuity number.
    pub known: BTreeMap<u64, (String, String, u64)>,
    last: (u64, u64),
    target: Option<u64>,
    /// By how much it may be ahead of the clock here.
    pub ahead: Duration,
}

impl Watcher {
    pub fn new(url: String) -> Self {
        let (known, last, target) = (BTreeMap::new(), (0, 0), None);
        let ahead = Duration::from_millis(10);
        Self { client: http::client(), url, known, last, target, ahead }
    }

    /// The numbers in the names of the segments of a live source, and the discontinuity numbers that they have here.
    pub fn live(&self) -> (Vec<u32>, BTreeSet<u64>) {
        let live = self.known.values().filter(|(address, ..)| address.contains("/live/"));
        let number = |address: &str| {
            let name = address.rsplit('/').next().unwrap();
            name.split('.').next().unwrap().parse::<u32>().unwrap()
        };
        live.map(|(address, _, part)| (number(address), *part)).unzip()
    }

    /// The playlist. A player asks again where a server is not there, as when what answers is ended meanwhile.
    async fn ask(&self) -> String {
        for _ in 0..4 {
            let answer = self.client.get(&self.url).send().await.unwrap();
            if answer.status().is_server_error() {
                eprintln!("{} answered {}", self.url, answer.status());
                tokio::time::sleep(Duration::from_millis(500)).await;
            } else {
                return answer.text().await.unwrap();
            }
        }
        panic!("{} is not there", self.url);
    }

    pub async fn look(&mut self) {
        let text = self.ask().await;
        let read = hls::parse(text.as_bytes(), &hls::Limits::default());
        let Ok(hls::Playlist::Media(media)) = read else {
            panic!("not a media playlist, {read:?}: {text}");
        };
        let target = media.target_duration.0;
        assert_eq!(*self.target.get_or_insert(target), target, "the target duration changed");
        let first = media.media_sequence.0;
        let mut discontinuities = media.discontinuity_sequence.0;
        for (number, segment) in (first..).zip(&media.segments) {
            discontinuities += u64::from(segment.discontinuity);
            let date = segment.program_date_time.clone().unwrap();
            let end = hls::Timestamp::from_date_time(&date).unwrap() + segment.duration;
            let now = (std::time::UNIX_EPOCH.elapsed().unwrap() + self.ahead).as_micros() as u64;
            assert!(end.0 <= now, "{number} is ahead of the clock: {text}");
            let told = (segment.uri.clone(), date, discontinuities);
            let known = self.known.entry(number).or_insert_with(|| told.clone());
            assert_eq!(*known, told, "segment {number} of {} changed", self.url);
        }
        let last = first + media.segments.len() as u64;
        assert!(first >= self.last.0 && last >= self.last.1, "it went back: {text}");
        assert!(self.last.1 == 0 || first <= self.last.1, "something is missing: {text}");
        self.last = (first, last);
    }
}

#[tokio::test]
async fn a_channel_of_ts_and_one_of_cmaf_play_across_all_boundaries() {
    let stage = Stage::new().await;
    let mut watchers: Vec<Watcher> = Vec::new();
    for channel in ["ts", "cmaf"] {
        for name in ["video_180p", "video_360p", "audio_en"] {
            watchers.push(Watcher::new(stage.playlist(channel, name)));
        }
    }
    let masters = ["ts", "cmaf"].map(|channel| stage.playlist(channel, "master"));
    let decoded = masters
        .clone()
        .map(|url| tokio::task::spawn_blocking(move || decode(&url, WATCHED.as_secs())));
    let browser = tokio::task::spawn_blocking({
        let page = stage.origin.url("channel.html");
        move || browse(&page, &masters, WATCHED.as_secs() - 4)
    });
    watch(&mut watchers, Instant::now() + WATCHED + Duration::from_secs(4)).await;
    for watcher in &watchers {
        let seconds = watcher.known.len() * 2;
        assert!(seconds > 45, "{} listed {seconds} s", watcher.url);
        let programmes = watcher.known.values().map(|(_, _, number)| number);
        let boundaries = programmes.collect::<BTreeSet<_>>().len();
        assert!(boundaries > 5, "{} had {boundaries} programmes", watcher.url);
    }
    for frames in decoded {
        let frames = frames.await.unwrap();
        assert!(frames > 500, "{frames} pictures were decoded");
    }
    for (report, programmes) in browser.await.unwrap().as_array().unwrap().iter().zip([3, 2]) {
        assert_eq!(report["fatal"], json!([]), "{report:#}");
        assert_eq!(report["stalls"], 0, "{report:#}");
        assert!(report["played"].as_f64().unwrap() > 25.0, "{report:#}");
        assert!(report["programmes"].as_array().unwrap().len() > programmes, "{report:#}");
    }
}

#[tokio::test]
async fn a_channel_is_carried_to_an_ingest_across_all_boundaries() {
    let stage = Stage::new().await;
    let apache = crate::apache::Apache::start(DIGEST).await;
    let observer = Observer::watch(&apache.playlist());
    let session = json!({
        "name": "a channel",
        "source": { "channel": "ts" },
        "output": { "type": "webdav", "endpoints": [apache.json()] },
        "start": "window",
        "window_seconds": 600,
    });
    let id = stage.ferry.make(session).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let url = apache.playlist();
    let frames =
        tokio::task::spawn_blocking(move || decode(&url, WATCHED.as_secs())).await.unwrap();
    assert!(frames > 500, "{frames} pictures were decoded");
    let session = stage.ferry.session(&id).await;
    assert_eq!(
        (&session["status"], &session["missed"]),
        (&json!("running"), &json!(0)),
        "{session:#}"
    );
    assert_eq!(observer.violations(), Vec::<String>::new());
    // The window, and what was published since.
    assert!(observer.segments() > 30, "{} segments", observer.segments());
    let media = apache.playlist().replace("channel.m3u8", "channel_video-550000.m3u8");
    let text = http::client().get(&media).send().await.unwrap().text().await.unwrap();
    let boundaries = Media::read(&text).unwrap().segments.iter().filter(|it| it.marked).count();
    assert!(boundaries > 5, "{boundaries} boundaries: {text}");
}

#[tokio::test]
async fn a_live_source_plays_between_programmes_and_the_slate_where_it_fails() {
    let (stage, (live, _published)) = tokio::join!(Stage::new(), Live::start_apart(12));
    std::os::unix::fs::symlink(live.folder.path(), stage.folder.path().join("live")).unwrap();
    let now = hls::Timestamp(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64);
    let at = |seconds: u64| (now + hls::Micros::from_secs(seconds)).to_string();
    let items = json!([
        { "live": stage.origin.url("live/main.m3u8"), "title": "Match", "start": at(12), "end": at(60) },
        { "asset": "clock" },
    ]);
    let path = "/channels/ts/schedule";
    stage.ask(Method::POST, path, json!({ "from": at(8), "items": items })).await;
    let names = ["video_180p", "video_360p", "audio_en"];
    let mut watchers = names.map(|name| Watcher::new(stage.playlist("ts", name)));
    let until = |seconds: u64| Instant::now() + Duration::from_secs(seconds);
    watch(&mut watchers, until(22)).await;
    let (_, playing) = stage.ferry.ask(Method::GET, "/channels/ts/now", None).await;
    assert_eq!(playing["playing"]["title"], "Match", "{playing:#}");
    // Its playlists fail for longer than what is known of it lasts.
    for variant in ["high", "low"] {
        stage.origin.break_down(&format!("live/{variant}/index.m3u8"), Fault::Status(503));
    }
    watch(&mut watchers, until(18)).await;
    let (_, failing) = stage.ferry.ask(Method::GET, "/channels/ts/now", None).await;
    assert_eq!(failing["playing"]["role"], "slate", "{failing:#}");
    assert!(failing["trouble"].as_str().unwrap().contains("503"), "{failing:#}");
    stage.origin.mend();
    watch(&mut watchers, until(32)).await;
    for watcher in &watchers {
        let (numbers, parts) = watcher.live();
        let jumps = numbers.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count();
        assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
        assert!(numbers.len() > 8 && jumps <= 1, "{numbers:?}");
        assert_eq!(
            parts.len(),
            2,
            "before and after the slate, without other boundaries: {parts:?}"
        );
        let last = watcher.known.values().next_back().unwrap();
        assert!(last.0.contains("/clock/"), "{last:?}");
    }
}

pub async fn watch(watchers: &mut [Watcher], until: Instant) {
    while Instant::now() < until {
        for watcher in &mut *watchers {
            watcher.look().await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Reads a live stream for a while and decodes all of it: a single complaint is an error. Says how many pictures
/// it had.
pub fn decode(url: &str, seconds: u64) -> u64 {
    let seconds = seconds.to_string();
    let args = ["-s", "INT", &seconds, FFMPEG, "-v", "error", "-progress", "-", "-i", url];
    let output = ["-map", "0:v:0", "-map", "0:a:0", "-f", "null", "-"];
    let output = Command::new("timeout").args(args).args(output).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    // What it says of being told to end is no complaint.
    let mut wrong = complaints.lines().filter(|line| !line.contains("Immediate exit requested"));
    assert!(wrong.all(str::is_empty), "{url}: {complaints}");
    let progress = String::from_utf8_lossy(&output.stdout);
    let frames = progress.lines().filter_map(|line| line.strip_prefix("frame="));
    frames.filter_map(|frames| frames.trim().parse().ok()).next_back().unwrap_or(0)
}

/// Plays the playlists in Chromium for a while, and says what was seen of each.
pub fn browse(page: &str, playlists: &[String], seconds: u64) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let seconds = seconds.to_string();
    let mut node = Command::new("node");
    node.current_dir(folder).arg("channel.mjs").arg(page).arg(seconds).args(playlists);
    let output = node.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
