//! What is listed, and what is asked for, while segments are lacking.

use crate::noted::Scene;
use crate::timetables::steady;
use relay::session::{Session, Start};
use std::fmt::Write as _;

#[test]
fn no_playlist_is_made_shorter_than_three_target_durations_by_what_leaves_it() {
    for at in ["put 0 video-9_", "get a/"] {
        let of = |it: &mut Session| it.window_seconds = None;
        let scene = Scene { until: 30_000, endpoints: 2, of, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match ms {
            5_000..12_000 if what.starts_with(at) && what.ends_with(".ts") => (10, Err("503")),
            _ => steady(what, ms),
        });
        let stored = noted.moments("put 0 video-9.m3u8");
        // Of five segments of a target duration two have left by then.
        assert!(stored.iter().all(|at| !(9_000..12_000).contains(at)), "{at}: {stored:?}");
        assert_eq!(noted.progress.missed, 0, "{at}");
    }
}

#[test]
fn thousands_of_segments_that_are_gone_keep_nobody_from_those_that_are_there() {
    let scene = Scene { until: 40_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/v.m3u8" => {
            let mut text =
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n".to_owned();
            for number in 0..3_000 + ms / 2_000 {
                writeln!(text, "#EXTINF:2,\n{number}.ts").unwrap();
            }
            (10, Ok(text))
        }
        _ => match what.strip_prefix("get a/").and_then(|name| name.strip_suffix(".ts")) {
            Some(number) if number.parse::<u32>().unwrap() < 2_800 => (10, Err("404")),
            _ => steady(what, ms),
        },
    });
    let first = noted.moments("put 0 video-9.m3u8")[0];
    let asked = noted.requests.iter().filter(|(_, what)| what.starts_with("get a/")).count();
    assert!(first < 20_000 && asked < 3 * 2_800, "{first} {asked}");
    assert_eq!((noted.progress.missed, noted.progress.jumps), (2_800, 1));
    let listed = &noted.stored["0 channel_video-9.m3u8"];
    assert_eq!(listed.matches(".ts").count(), 219, "{listed}");
}

#[test]
fn an_endpoint_that_failed_does_not_wait_for_what_is_read_slowly() {
    let scene = Scene { until: 6_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "put 0 video-9_1800000000_0.ts" if ms < 100 => (10, Err("503")),
        "get a/0.ts" if ms > 100 => (9_000, Ok(String::new())),
        _ if what.starts_with("put 0 video-9_") && ms < 3_500 => (10, Err("503")),
        "get a/1.ts" | "get a/2.ts" if ms > 100 => (9_000, Ok(String::new())),
        _ => steady(what, ms),
    });
    let asked = [0, 1, 2, 3].map(|number| noted.moments(&format!("get a/{number}.ts"))[1]);
    assert_eq!(asked, [300, 1_300, 2_300, 3_300]);
}
