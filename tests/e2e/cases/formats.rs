//! What real sources serve besides plain transport streams: fragments of MP4, byte ranges, encrypted
//! segments, I-frame playlists.

use crate::apache::{Apache, DIGEST, Request};
use crate::ferry::{Ferry, binary};
use crate::ffmpeg::{
    Live, add_iframes, hevc, into_one_file, sound_apart, sound_packed, sound_within, video,
    video_as,
};
use crate::observer::Observer;
use crate::origin::Origin;
use crate::probe;
use crate::program::Program;
use crate::published::{Published, Renditions};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A source and two outputs.
struct Stage {
    _folder: TempDir,
    origin: Origin,
    ferry: Ferry,
    apache: Apache,
    observer: Observer,
}

impl Stage {
    async fn of(folder: TempDir) -> Self {
        let origin = Origin::serve(folder.path()).await;
        let (apache, ferry) = (Apache::start(DIGEST).await, Ferry::serve().await);
        let observer = Observer::watch(&apache.playlist());
        Self { _folder: folder, origin, ferry, apache, observer }
    }

    fn request(&self, output: &str) -> Value {
        json!({
            "name": "formats",
            "source": { "url": self.origin.url("main.m3u8") },
            "output": { "type": output, "endpoints": [self.apache.json()] },
            "start": "window",
        })
    }

    /// Carries a source that has ended, all of it: `published`, as the output is to have it. Gives the session, and
    /// where it arrived.
    async fn carry_whole(self, output: &str, published: &Renditions) -> (Value, Apache) {
        let id = self.ferry.make(self.request(output)).await;
        let session = self.ferry.until_ended(&id).await;
        assert_eq!(session["missed"], 0, "{session:#}");
        let playlist = self.apache.playlist();
        let reads = |name: &str| playlist.replace("channel.m3u8", name);
        let source = self.origin.url("main.m3u8");
        for carried in self.observer.verdict(published).await {
            let whole = (carried.first, carried.segments, carried.ended);
            assert_eq!(whole, (0, published[&carried.source].len(), true), "{carried:?}");
            let source = self.origin.url(&carried.source);
            // Of parts that do not say where they begin ffprobe reads some only.
            let plain = published[&carried.source].iter().all(|it| it.segment.range.is_none());
            if plain && !carried.source.contains("vtt") {
                let (arrived, sent) = (
                    probe::packets(&reads(&carried.playlist)).await,
                    probe::packets(&source).await,
                );
                assert!(!sent.is_empty() && arrived == sent, "{arrived:?} of {sent:?}");
            }
        }
        probe::decode(&playlist).await;
        let (arrived, sent) =
            (probe::milliseconds(&playlist).await, probe::milliseconds(&source).await);
        assert!(arrived == sent && sent > 20_000, "{arrived} ms of {sent} ms");
        (session, self.apache)
    }
}

fn published(folder: &Path) -> Renditions {
    Published::watch(folder).so_far()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn fragments_of_mp4_arrive_with_their_maps() {
    let folder = folder();
    video_as(folder.path(), "-hls_segment_type fmp4", "m4s");
    let published = published(folder.path());
    assert_eq!(published["video/index.m3u8"][0].segment.needs.len(), 1, "a map");
    Stage::of(folder).await.carry_whole("webdav", &published).await;
}

#[tokio::test]
async fn hevc_arrives_in_fragments_and_in_transport_streams() {
    for (form, extension, output) in
        [("fmp4", "m4s", "webdav"), ("mpegts", "ts", "webdav"), ("mpegts", "ts", "mediapackage")]
    {
        let folder = folder();
        hevc(folder.path(), &format!("-hls_segment_type {form}"), extension);
        let published = published(folder.path());
        let (_, apache) = Stage::of(folder).await.carry_whole(output, &published).await;
        let packets = probe::packets(&apache.playlist()).await;
        assert_eq!(packets.get("hevc"), Some(&288), "{form} {output}: {packets:?}");
    }
}

#[tokio::test]
async fn sound_in_aac_ac3_and_eac3_arrives_packed_in_transport_streams_and_in_fragments() {
    const FMP4: &str = "-hls_segment_type fmp4";
    // 24 s of 32,000 samples, of which a frame has so many.
    for (codec, samples) in [("aac", 1024), ("ac3", 1536), ("eac3", 1536)] {
        let packed: &dyn Fn(&Path) = &|at| sound_packed(at, codec);
        let within: &dyn Fn(&Path) = &|at| sound_within(at, codec);
        let apart: &dyn Fn(&Path) = &|at| sound_apart(at, codec, "-hls_segment_type mpegts", "ts");
        let fragments: &dyn Fn(&Path) = &|at| sound_apart(at, codec, FMP4, "m4s");
        let cases = [
            ("packed", packed, "webdav"),
            ("packed", packed, "mediapackage"),
            ("within", within, "mediapackage"),
            ("apart", apart, "mediapackage"),
            ("fragments", fragments, "webdav"),
        ];
        // Of AAC the other cases have the rest.
        let new = if codec == "aac" { 2 } else { cases.len() };
        for (form, make, output) in cases.into_iter().take(new) {
            let folder = folder();
            make(folder.path());
            let published = published(folder.path());
            let (_, apache) = Stage::of(folder).await.carry_whole(output, &published).await;
            let sound = probe::packets(&apache.playlist()).await[codec];
            // An encoder of AAC begins with a frame of silence.
            let whole = 24_u64 * 32_000 / samples + u64::from(codec == "aac");
            assert_eq!(sound, whole, "{codec} {form} {output}");
            let stored = apache.requests();
            let ending = if codec == "eac3" { ".ec3".to_owned() } else { format!(".{codec}") };
            let is_packed = |put: &Request| put.method == "PUT" && put.path.ends_with(&ending);
            assert_eq!(stored.iter().any(is_packed), form == "packed", "{codec} {form} {output}");
        }
    }
}

#[tokio::test]
async fn what_arrived_plays_in_a_browser_to_its_end() {
    let made = |make: &dyn Fn(&Path)| {
        let folder = folder();
        make(folder.path());
        folder
    };
    let sources = [
        ("TS", made(&video), "webdav"),
        ("CMAF", made(&|at| video_as(at, "-hls_segment_type fmp4", "m4s")), "webdav"),
        (
            "parts of files",
            made(&|at| {
                video_as(at, "-hls_segment_type fmp4", "m4s");
                into_one_file(at);
            }),
            "webdav",
        ),
        (
            "I-frames",
            made(&|at| {
                video(at);
                add_iframes(at);
            }),
            "webdav",
        ),
        ("AES-128", encrypted("mpegts", "ts"), "webdav"),
        ("AES-128, decrypted", encrypted("mpegts", "ts"), "mediapackage"),
        ("HEVC", made(&|at| hevc(at, "-hls_segment_type fmp4", "m4s")), "webdav"),
    ];
    let (mut arrived, mut pages) = (Vec::new(), Vec::new());
    for (what, folder, output) in sources {
        let stage = Stage::of(folder).await;
        let id = stage.ferry.make(stage.request(output)).await;
        stage.ferry.until_ended(&id).await;
        pages.push(stage.apache.page());
        arrived.push((what, stage.apache));
    }
    let reports = tokio::task::spawn_blocking(move || play(&pages)).await.unwrap();
    for ((what, _), report) in arrived.iter().zip(reports.as_array().unwrap()) {
        // Debian's Chromium has no decoder for HEVC: then it plays the sound, and ffmpeg has decoded the picture.
        if *what == "HEVC" && report["hevc"] == json!(false) {
            assert_eq!(report["frames"], 0, "{what}: {report:#}");
            continue;
        }
        assert_eq!(
            (&report["fatal"], &report["late"]),
            (&json!([]), &json!(false)),
            "{what}: {report:#}"
        );
        let number = |name: &str| report[name].as_f64().unwrap();
        let whole = 23.8..24.2;
        assert!(whole.contains(&number("duration")), "{what}: {report:#}");
        assert!(whole.contains(&number("at")), "{what}: {report:#}");
        assert!(number("frames") >= 280.0, "{what}: {report:#}");
        assert_eq!(report["size"], json!([320, 180]), "{what}: {report:#}");
        // The first may be over before the subtitles are switched on.
        assert!(number("cues") >= 7.0, "{what}: {report:#}");
    }
}

/// Plays recordings in Chromium, one after the other, and says what was seen of each.
fn play(pages: &[String]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let mut node = Command::new("node");
    let output = node.current_dir(folder).arg("vod.mjs").args(pages).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_live_source_of_fragments_slides_and_keeps_its_maps() {
    let (mut live, seen) = Live::start_cmaf().await;
    let origin = Origin::serve(live.folder.path()).await;
    let (apache, ferry) = (Apache::start(DIGEST).await, Ferry::serve().await);
    let observer = Observer::watch(&apache.playlist());
    let stage = json!({
        "name": "live",
        "source": { "url": origin.url("main.m3u8") },
        "output": { "type": "webdav", "endpoints": [apache.json()] },
        "start": "window",
    });
    let id = ferry.make(stage).await;
    while observer.segments() < 9 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    live.finish().await;
    let session = ferry.until_ended(&id).await;
    assert_eq!(session["missed"], 0, "{session:#}");
    let published = seen.so_far();
    for carried in observer.verdict(&published).await {
        let whole = (carried.missed.len(), carried.last + 1, carried.ended);
        assert_eq!(whole, (0, published[&carried.source].len(), true), "{carried:?}");
    }
    probe::decode(&apache.playlist()).await;
}

#[tokio::test]
async fn parts_of_one_file_arrive_as_files_whether_or_not_the_source_knows_ranges() {
    for (form, extension, ranges) in [("fmp4", "m4s", true), ("mpegts", "ts", false)] {
        let folder = folder();
        video_as(folder.path(), &format!("-hls_segment_type {form}"), extension);
        into_one_file(folder.path());
        let published = published(folder.path());
        let stage = Stage::of(folder).await;
        if !ranges {
            stage.origin.ignore_ranges();
        }
        stage.carry_whole("webdav", &published).await;
    }
}

/// Encrypts by a key that lies beside the segments, with the IV that each segment's number is.
fn encrypted(form: &str, extension: &str) -> TempDir {
    let (folder, keys) = (folder(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(folder.path().join("video")).unwrap();
    std::fs::create_dir_all(folder.path().join("audio")).unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, b"sixteen bytes...").unwrap();
    for rendition in ["video", "audio"] {
        std::fs::copy(&key, folder.path().join(rendition).join("k.key")).unwrap();
    }
    let info = keys.path().join("info");
    std::fs::write(&info, format!("k.key\n{}\n", key.display())).unwrap();
    let form = format!("-hls_segment_type {form} -hls_key_info_file {}", info.display());
    video_as(folder.path(), &form, extension);
    folder
}

#[tokio::test]
async fn encrypted_segments_arrive_as_they_are_with_their_key() {
    let folder = encrypted("mpegts", "ts");
    let published = published(folder.path());
    assert_eq!(published["video/index.m3u8"][0].segment.needs, ["k.key"]);
    Stage::of(folder).await.carry_whole("webdav", &published).await;
}

#[tokio::test]
async fn a_key_may_stay_where_it_is() {
    let stage = Stage::of(encrypted("mpegts", "ts")).await;
    let mut request = stage.request("webdav");
    request["output"]["keys"] = json!("leave");
    let id = stage.ferry.make(request).await;
    stage.ferry.until_ended(&id).await;
    let carried = stage.apache.playlist();
    probe::decode(&carried).await;
    let asked = stage.origin.requests();
    let asked = asked.iter().filter(|(path, _)| path.ends_with(".key")).count();
    assert!(asked > 0, "the player reads it from the source");
    let stored = stage.apache.requests();
    let key = |request: &Request| request.method == "PUT" && request.path.contains("key");
    assert!(!stored.iter().any(key), "none is stored");
}

#[tokio::test]
async fn an_output_without_encryption_gets_clear_segments() {
    let clear = folder();
    video(clear.path());
    let published = published(clear.path());
    Stage::of(encrypted("mpegts", "ts")).await.carry_whole("mediapackage", &published).await;
}

#[tokio::test]
async fn iframes_are_carried_where_they_are_taken_and_else_left_out() {
    for output in ["webdav", "mediapackage"] {
        let folder = folder();
        video(folder.path());
        add_iframes(folder.path());
        let mut published = published(folder.path());
        assert_eq!(published["video/iframes.m3u8"].len(), 12);
        let taken = output == "webdav";
        if !taken {
            published.remove("video/iframes.m3u8");
        }
        let (session, _) = Stage::of(folder).await.carry_whole(output, &published).await;
        let left_out = session["left_out"].as_array().unwrap();
        let names: Vec<&Value> = left_out.iter().map(|it| &it["name"]).collect();
        let expected: &[&str] = if taken { &[] } else { &["iframes-9000"] };
        assert_eq!(names, expected, "{session:#}");
    }
}

#[tokio::test]
async fn what_an_output_does_not_take_is_refused_with_the_reason() {
    let folder = folder();
    video_as(folder.path(), "-hls_segment_type fmp4", "m4s");
    let stage = Stage::of(folder).await;
    let request = stage.request("mediapackage");
    let (status, answer) = stage.ferry.ask(Method::POST, "/sessions", Some(request)).await;
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("source.url")), "{answer:#}");
    let reason = answer["errors"][0]["detail"].as_str().unwrap();
    assert!(reason.contains("segments are fMP4, and only TS is taken"), "{reason}");
    // `ferry check` says the same before.
    let mut check = Command::new(binary());
    check.args(["check", "--json", &stage.origin.url("main.m3u8")]);
    let output = tokio::task::spawn_blocking(move || check.output()).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outputs = report["outputs"].as_array().unwrap().iter();
    let verdict = outputs.clone().find(|it| it["output"] == "mediapackage").unwrap();
    let said = verdict["reasons"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    assert!(
        said.clone().count() > 0 && said.clone().all(|said| reason.contains(said)),
        "{reason}: {verdict:#}"
    );
    // Nobody knows what a source that does not answer has: it may answer later.
    let mut silent = stage.request("mediapackage");
    silent["source"]["url"] = json!(stage.origin.url("none.m3u8"));
    let id = stage.ferry.make(silent).await;
    let status = stage.ferry.session(&id).await["status"].clone();
    assert!(status == "starting" || status == "degraded", "{status}");
}
