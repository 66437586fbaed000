//! Segments that are listed and not there: some come late, some never.

use crate::noted::{Noted, Scene};
use crate::scripted::live;
use crate::timetables::{steady, variants};
use relay::progress::Status;

/// The number in the name of a segment that is asked for.
fn number(what: &str) -> Option<u64> {
    what.strip_prefix("get a/")?.split('.').next()?.parse().ok()
}

/// When a segment of [`live`] is first listed, in milliseconds.
fn listed(number: u64) -> u64 {
    number.saturating_sub(4) * 2_000
}

#[test]
fn segments_that_can_be_read_long_after_they_are_listed_are_carried_all_the_same() {
    for late in [300, 1_900, 3_600, 5_500] {
        let noted =
            Scene { until: 40_000, ..Scene::default() }.carry(move |what, ms| {
                match number(what).filter(|&number| number > 4) {
                    Some(number) if ms < listed(number) + late => (10, Err("404")),
                    _ => steady(what, ms),
                }
            });
        let (progress, text) = (&noted.progress, &noted.stored["0 channel_video-9.m3u8"]);
        assert!(!text.contains("DISCONTINUITY"), "{late}: {text}");
        assert_eq!((progress.jumps, progress.missed), (0, 0), "{late}");
        assert!(progress.segments >= 18, "{late}: {}", progress.segments);
    }
}

#[test]
fn a_segment_that_is_not_there_is_left_out_a_target_duration_later() {
    let noted = Scene { until: 20_000, ..Scene::default() }.carry(|what, ms| match number(what) {
        Some(7) => (10, Err("404")),
        _ => steady(what, ms),
    });
    let [left_out] = noted.moments("say segment 7 of video-9 is left out")[..] else {
        panic!("{}", noted.only(&["segment 7"]));
    };
    let after = left_out - listed(7);
    assert!((2_000..2_200).contains(&after), "{after} ms after it was listed");
    assert_eq!((noted.progress.jumps, noted.progress.missed), (1, 1));
}

#[test]
fn the_newest_segment_is_waited_for_also_where_it_could_be_read_before() {
    let scene = Scene { endpoints: 2, until: 40_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match (what, ms) {
        // For a while it is the newest; one endpoint has it by then.
        ("get a/v.m3u8", 6_000..15_000) => steady(what, 6_000),
        ("get a/7.ts", 6_200..12_000) => (10, Err("404")),
        _ if ms < 6_500 && what.starts_with("put 1") && what.ends_with("_7.ts") => (10, Err("503")),
        _ => steady(what, ms),
    });
    let asked = noted.moments("get a/7.ts");
    assert!(asked.len() > 3 && asked[0] < 6_200, "{asked:?}");
    assert_eq!((noted.progress.jumps, noted.progress.missed), (0, 0));
    assert_eq!(noted.progress.endpoints[1].behind, 0);
}

/// A video, and something beside it of which every second segment is not there.
fn beside(line: &'static str, ending: &'static str) -> Noted {
    let scene =
        Scene { output: relay::session::OutputKind::WebDav, until: 40_000, ..Scene::default() };
    scene.carry(move |what, ms| match what {
        "get a/main.m3u8" => {
            (10, Ok(variants(&["v"]).replace("#EXTM3U\n", &format!("#EXTM3U\n{line}\n"))))
        }
        "get a/b.m3u8" => {
            let text = live(ms / 1_000, 0, |_| String::new()).unwrap();
            (10, Ok(text.replace(".ts", ending)))
        }
        what if what.ends_with(ending) && number(what).is_some_and(|n| n % 2 == 0) => {
            (10, Err("404"))
        }
        _ => steady(what, ms),
    })
}

#[test]
fn what_subtitles_or_trick_play_lack_is_no_discontinuity_of_the_programme() {
    let iframes = "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=3,URI=\"b.m3u8\"";
    let subtitles = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"s\",URI=\"b.m3u8\"";
    for (line, ending, name) in
        [(iframes, ".i.ts", "iframes-3"), (subtitles, ".vtt", "subtitles-s-s")]
    {
        let noted = beside(line, ending);
        let programme = &noted.stored["0 channel_video-9.m3u8"];
        assert!(!programme.contains("DISCONTINUITY"), "{name}: {programme}");
        assert!(noted.progress.missed >= 5, "{name}: {}", noted.progress.missed);
        assert_eq!(noted.progress.status, Status::Running, "{name}");
        let text = &noted.stored[&format!("0 channel_{name}.m3u8")];
        // Cues that are not there leave everything else where it is.
        assert_eq!(text.contains("DISCONTINUITY"), name == "iframes-3", "{text}");
    }
}
