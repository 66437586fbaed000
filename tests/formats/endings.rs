//! How sessions end whose source has, and how they fail.

use crate::scripted::{MAIN, Outcome, World, live};
use relay::cause::Cause;
use relay::progress::Status;
use relay::session::OutputKind;
use std::time::Duration;

/// A recording of twelve segments of which the fifth has `lines`.
fn recording(lines: &str) -> String {
    let of = |n: u32| format!("{}#EXTINF:2,\n{n}.ts\n", if n == 4 { lines } else { "" });
    let listed: String = (0..12).map(of).collect();
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{listed}#EXT-X-ENDLIST\n")
}

/// What is listed of a rendition: its segments' numbers, and where a discontinuity is.
fn listed(outcome: &Outcome, name: &str) -> (Vec<String>, usize) {
    let text = outcome.shelf.text(name);
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    let segments = text.lines().filter(|line| !line.starts_with('#'));
    let number = |name: &str| name.rsplit(['_', '.']).nth(1).unwrap().to_owned();
    (segments.map(number).collect(), text.matches("#EXT-X-DISCONTINUITY\n").count())
}

#[test]
fn a_recording_goes_on_without_a_segment_that_never_opens_and_ends_soon() {
    const KEY: &str = "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\"\n";
    // From here on there is no key.
    let keyed = recording(KEY).replace("5.ts", "X").replacen(
        "#EXTINF:2,\nX",
        "#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\n5.ts",
        1,
    );
    let (plain, taken) = (recording(""), OutputKind::WebDav);
    for (text, output, gone, answer, within, reason) in [
        (&plain, taken, "a/4.ts", Err(404), 10, "origin answered 404 for a/4.ts"),
        (&plain, taken, "a/4.ts", Err(403), 70, "origin answered 403 for a/4.ts"),
        (&keyed, taken, "a/k.key", Err(404), 20, "its key: origin answered 404 for a/k.key"),
        (&keyed, taken, "a/k.key", Ok("short"), 20, "its key has 5 bytes, and a key has 16"),
        (
            &keyed,
            OutputKind::MediaPackage,
            "a/k.key",
            Ok("sixteen bytes..."),
            20,
            "it cannot be decrypted with its key",
        ),
        (
            &recording("").replace("\n4.ts", "\nfile:///4.ts"),
            taken,
            "",
            Ok(""),
            20,
            "file addresses are not supported",
        ),
        (
            &recording("#EXT-X-BYTERANGE:9@18446744073709551615\n"),
            taken,
            "",
            Ok(""),
            20,
            "its byte range does not fit",
        ),
    ] {
        let text = text.clone();
        let mut world = World::of(output, within);
        world.session.window_seconds = None;
        let outcome = world.carry(move |at, _| match at {
            "a/main.m3u8" => Ok(format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n")),
            "a/v.m3u8" => Ok(text.clone()),
            "a/w.m3u8" => Ok(recording("").replace(".ts", "w.ts")),
            _ if at == gone => answer.map(str::to_owned),
            _ => Ok(at.to_owned()),
        });
        let (numbers, discontinuities) = listed(&outcome, "channel_video-9.m3u8");
        let without: Vec<String> =
            (0..12).filter(|n| *n != 4).map(|n: u32| n.to_string()).collect();
        assert_eq!((numbers, discontinuities), (without, 1), "{reason}");
        let (numbers, discontinuities) = listed(&outcome, "channel_video-5.m3u8");
        // Where the other is whole by then it has no place for that discontinuity any more.
        let at_once = gone == "a/4.ts" && answer == Err(404) || reason.contains("byte range");
        let also = usize::from(at_once);
        assert_eq!((numbers.len(), discontinuities), (12, also), "{reason}");
        let progress = outcome.progress;
        let said = progress.reason.unwrap();
        let whole = format!("1 segment, the last: segment 4 of video-9 is left out: {reason}");
        assert!(said.ends_with(&whole), "{said}");
        assert_eq!(
            (progress.status, progress.jumps, progress.missed, progress.causes),
            (Status::Ended, 1, 1, [Cause::Incomplete].into()),
            "{reason}"
        );
    }
}

#[test]
fn a_recording_of_which_nothing_opens_ends_and_so_does_one_without_a_playlist() {
    for (sound, within, reason) in [
        (Ok(recording("")), 20, "12 segments, the last: segment 11 of audio-a-e is left out"),
        (Err(404), 700, "playlist of audio-a-e: origin answered 404 for a/e.m3u8"),
    ] {
        let outcome = World::of(OutputKind::WebDav, within).carry(move |at, _| match at {
            "a/main.m3u8" => Ok("#EXTM3U\n\
                 #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"e\",URI=\"e.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"a\"\nv.m3u8\n"
                .to_owned()),
            "a/v.m3u8" => Ok(recording("")),
            "a/e.m3u8" => sound.clone().map(|text| text.replace(".ts", ".aac")),
            _ if at.ends_with(".aac") => Err(404),
            _ => Ok(at.to_owned()),
        });
        let said = outcome.progress.reason.clone().unwrap_or_default();
        assert!(said.contains(reason), "{said}");
        let end = (outcome.progress.status, &outcome.progress.causes);
        assert_eq!(end, (Status::Ended, &[Cause::Incomplete].into()), "{said}");
        assert_eq!(listed(&outcome, "channel_video-9.m3u8").0.len(), 12, "{said}");
        let main = outcome.shelf.text("channel.m3u8");
        assert!(main.contains("channel_video-9.m3u8"), "{main}");
    }
}

#[test]
fn a_long_recording_has_all_the_time_that_it_takes() {
    let mut world = World::of(OutputKind::WebDav, 3_600);
    world.session.window_seconds = None;
    world.session.concurrency = 1;
    world.slow = Duration::from_secs(3);
    let segments: String = (0..500).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
    let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}#EXT-X-ENDLIST\n");
    let outcome = world.carry(move |at, _| match at {
        "a/main.m3u8" => Ok(text.clone()),
        _ => Ok(String::new()),
    });
    let reason = outcome.progress.reason.clone().unwrap_or_default();
    assert_eq!(listed(&outcome, "channel_video.m3u8").0.len(), 500);
    assert_eq!(reason, "the source ended and all of it was carried");
}

#[test]
fn an_event_does_not_wait_for_ever_for_a_segment_that_alone_cannot_be_read() {
    let outcome = World::of(OutputKind::WebDav, 120).carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => {
            let listed: String =
                (0..second / 2 + 1).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
            let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n";
            Ok(format!("{head}{listed}"))
        }
        "a/7.ts" => Err(403),
        _ => Ok(at.to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert!(text.contains("_59.ts") && !text.contains("_7.ts"), "{text}");
    assert_eq!((outcome.progress.jumps, outcome.progress.status), (1, Status::Running));
    let said = outcome.progress.last_error.unwrap().what;
    assert_eq!(said, "segment 7 of video-9 is left out: origin answered 403 for a/7.ts");
}

#[test]
fn all_renditions_that_an_output_does_not_take_are_named_together() {
    let outcome = World::of(OutputKind::MediaPackage, 30).carry(|at, second| match at {
        "a/main.m3u8" => Ok(format!(
            "{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=7\nx.m3u8\n"
        )),
        "a/x.m3u8" => live(second, 100, |_| String::new()),
        _ if at.ends_with("m3u8") => live(second, 100, |_| "#EXT-X-MAP:URI=\"i\"\n".to_owned())
            .map(|text| text.replace(".ts", ".m4s")),
        _ => Ok(at.to_owned()),
    });
    assert_eq!(outcome.progress.status, Status::Failed);
    assert_eq!(
        outcome.progress.reason.unwrap(),
        "mediapackage does not take this source: segments are fMP4, and only TS is taken: \
         video-5, video-9"
    );
}
