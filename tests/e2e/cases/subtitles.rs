//! Subtitles of programmes that count time from different moments.

use super::channels::{browse, put_page};
use crate::ferry::Ferry;
use crate::ffmpeg::FFMPEG;
use crate::origin::Origin;
use crate::probe;
use crate::program::Program;
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// How long each programme is.
const SECONDS: u32 = 12;

/// Makes a programme whose picture counts from `from` seconds, and whose subtitles, if it has some, from `local`. Each
/// cue begins half a second into its segment, and says where in the programme that is.
async fn programme(folder: &Path, name: &str, from: u32, local: Option<u32>) {
    std::fs::create_dir_all(folder.join("text")).unwrap();
    let args = format!(
        "-hide_banner -loglevel error -f lavfi -i testsrc2=s=320x180:r=25:d={SECONDS} \
         -f lavfi -i sine=r=32000:d={SECONDS} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1 \
         -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac -output_ts_offset {from} \
         -f hls -hls_time 2 -hls_playlist_type vod"
    );
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut ffmpeg = Command::new(FFMPEG);
    ffmpeg.args(args.split_whitespace()).args(["-hls_segment_filename", &path("%03d.ts")]);
    assert!(ffmpeg.arg(path("index.m3u8")).status().unwrap().success());
    let mut main = "#EXTM3U\n".to_owned();
    let mut stream = "#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=320x180".to_owned();
    if let Some(local) = local {
        let pts = probe::first_pts(&path("000.ts")).await;
        let clock = |millis: u32| {
            let (seconds, millis) = (millis / 1_000, millis % 1_000);
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
        };
        let map = format!("X-TIMESTAMP-MAP=MPEGTS:{pts},LOCAL:{}", clock(local * 1_000));
        let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n".to_owned();
        for segment in 0..SECONDS / 2 {
            let begin = 2_000 * segment + 500;
            let at = begin + local * 1_000;
            let cue = format!("{} --> {}\n{name} {begin}", clock(at), clock(at + 1_000));
            std::fs::write(
                path(&format!("text/{segment}.vtt")),
                format!("WEBVTT\n{map}\n\n{cue}\n"),
            )
            .unwrap();
            writeln!(text, "#EXTINF:2,\n{segment}.vtt").unwrap();
        }
        std::fs::write(path("text/index.m3u8"), text + "#EXT-X-ENDLIST\n").unwrap();
        main += "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"t\",NAME=\"English\",LANGUAGE=\"en\",URI=\"text/index.m3u8\"\n";
        stream += ",SUBTITLES=\"t\"";
    }
    std::fs::write(path("main.m3u8"), format!("{main}{stream}\nindex.m3u8\n")).unwrap();
}

#[tokio::test]
async fn cues_show_at_their_moments_wherever_their_programme_counts_from() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, ferry) = (Origin::serve(folder.path()).await, Ferry::serve().await);
    let ask = async |method: Method, path: &str, body: Value| {
        let (status, answer) = ferry.ask(method, path, Some(body)).await;
        assert_eq!(status, 201, "{path}: {answer:#}");
        answer
    };
    // The one from zero, one from a thousand seconds and two hours, one without, and one before the counter's end.
    for (name, from, local) in [
        ("one", 0, Some(0)),
        ("two", 1_000, Some(7_200)),
        ("mute", 50, None),
        ("last", 95_400, Some(5)),
    ] {
        programme(&folder.path().join(name), name, from, local).await;
        let url = origin.url(&format!("{name}/main.m3u8"));
        ask(Method::POST, "/assets", json!({ "id": name, "url": url })).await;
    }
    ask(Method::PUT, "/channels/text", json!({ "window_seconds": 20 })).await;
    let items = json!([
        { "asset": "one" },
        // Joined in the middle, and left before its end.
        { "asset": "two", "offset": 4, "duration": 6 },
        { "asset": "mute", "duration": 4 },
        { "asset": "last" },
        { "asset": "one" },
        { "asset": "two" },
        { "asset": "last" },
        { "asset": "one" },
    ]);
    let made = ask(Method::POST, "/channels/text/schedule", json!({ "items": items })).await;
    // When each would have begun at its beginning.
    let began = |(entry, item): (&Value, &Value)| {
        let start = hls::Timestamp::from_date_time(entry["start"].as_str().unwrap()).unwrap();
        let offset = item["offset"].as_i64().unwrap_or(0) * 1_000;
        let name = item["asset"].as_str().unwrap().to_owned();
        (name, i64::try_from(start.0 / 1_000).unwrap() - offset)
    };
    let entries = made["entries"].as_array().unwrap();
    let began: Vec<(String, i64)> =
        entries.iter().zip(items.as_array().unwrap()).map(began).collect();
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    let page = origin.url("channel.html");
    put_page(folder.path());
    let playlist = [format!("{}/channels/text/master.m3u8", ferry.address())];
    let reports = tokio::task::spawn_blocking(move || browse(&page, &playlist, 36)).await.unwrap();
    let report = &reports[0];
    assert_eq!((&report["errors"], &report["stalls"]), (&json!([]), &json!(0)), "{report:#}");
    let mut shown = Vec::new();
    for cue in report["cues"].as_array().unwrap() {
        let (name, at) = cue[0].as_str().unwrap().split_once(' ').unwrap();
        let moment = cue[1].as_i64().unwrap();
        let late = began
            .iter()
            .filter(|(it, _)| it == name)
            .map(|(_, start)| moment - start - at.parse::<i64>().unwrap());
        let late = late.min_by_key(|late| late.abs()).unwrap();
        // An event of the browser comes four times a second at the least.
        assert!((-50..300).contains(&late), "{cue} is {late} ms late: {report:#}");
        shown.push(name);
    }
    shown.dedup();
    // A browser that takes its time joins later.
    let in_turn = [["two", "last", "one"], ["last", "one", "two"], ["one", "two", "last"]];
    assert!(
        shown.windows(3).any(|three| in_turn.contains(&[three[0], three[1], three[2]])),
        "{report:#}"
    );
    assert!(report["cues"].as_array().unwrap().len() >= 10, "{report:#}");
}
