//! What hangs is asked for again beside.

use crate::noted::Scene;
use crate::scripted::live;
use crate::timetables::{Answer, steady, variants};
use relay::session::OutputKind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A source whose every segment has a key of its own.
fn keyed(what: &str, ms: u64) -> Answer {
    let key = |n| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{n}.key\",IV=0x1\n");
    match what {
        _ if what.starts_with("get a/") && what.ends_with(".key") => {
            (10, Ok(format!("{:0>16}", what.trim_start_matches("get a/"))))
        }
        "get a/v.m3u8" => (10, live(ms / 1_000, 0, key).map_err(|_| "")),
        _ => steady(what, ms),
    }
}

#[test]
fn what_hangs_is_asked_again_after_three_seconds_and_nothing_is_lost() {
    for part in [
        "get a/main.m3u8",
        "get a/v.m3u8",
        "get a/12.ts",
        "get a/12.key",
        "put 0 video-9.m3u8",
        "put 0 video-9_1800000000_12.ts",
        "put 0 video-9_key-6bd196ed995eeebf.key",
    ] {
        let hung = AtomicBool::new(false);
        let scene = Scene { until: 80_000, output: OutputKind::WebDav, ..Scene::default() };
        let noted = scene.carry(move |what, ms| {
            match ms >= 10_000 && what == part && !hung.swap(true, Relaxed) {
                true => (30_000, Err("nothing for 30 s")),
                false => keyed(what, ms),
            }
        });
        let asked: Vec<_> = noted.moments(part).into_iter().filter(|at| *at >= 10_000).collect();
        assert_eq!((asked[1] - asked[0], noted.progress.missed), (3_000, 0), "{part}: {asked:?}");
        let listed = &noted.stored["0 channel_video-9.m3u8"];
        assert!(listed.contains("_43.ts"), "{part}: {listed}");
    }
}

#[test]
fn one_request_that_hangs_holds_up_nothing_else() {
    let scene = Scene { until: 40_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
        "put 0 video-9_1800000000_5.ts" if ms < 5_000 => (30_000, Err("nothing for 30 s")),
        _ => steady(what, ms),
    });
    let sent = noted.moments("put 0 video-9_1800000000_5.ts");
    assert_eq!((sent, noted.progress.missed), (vec![2_057, 5_057], 0));
}

#[test]
fn what_is_slow_gets_time_before_it_is_asked_again() {
    for part in ["get a/v.m3u8", ".ts", "put 0 video-9_"] {
        let noted = Scene { until: 60_000, ..Scene::default() }.carry(move |what, ms| match what {
            _ if what.contains(part) => (4_000, steady(what, ms).1),
            _ => steady(what, ms),
        });
        let asked = noted.requests.iter().filter(|(at, what)| *at > 5_000 && what.contains(part));
        let asked: Vec<_> = asked.collect();
        let again = |two: &[&(u64, String)]| two[0].1 == two[1].1 && two[1].0 < two[0].0 + 4_000;
        assert!(asked.len() > 9 && !asked.windows(2).any(again), "{part}: {asked:?}");
    }
}

#[test]
fn what_failed_slowly_is_not_slow() {
    let scene = Scene { until: 40_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match (what, ms) {
        ("get a/v.m3u8", 10_000..19_200) => (9_000, Err("503")),
        ("get a/v.m3u8", 19_200..22_000) => (30_000, Err("nothing for 30 s")),
        _ => steady(what, ms),
    });
    let asked = noted.moments("get a/v.m3u8");
    let failed = asked.iter().find(|at| **at >= 19_200).unwrap();
    assert!(asked.contains(&(failed + 3_000)), "{asked:?}");
}

#[test]
fn no_segment_is_read_again_where_there_is_no_room_in_memory() {
    for (crowded, times) in [(false, 2), (true, 1)] {
        let scene = Scene { until: 20_000, crowded, ..Scene::default() };
        let noted = scene.carry(|what, ms| match what {
            "get a/7.ts" if ms < 8_000 => (5_000, Ok("body".to_owned())),
            _ => steady(what, ms),
        });
        let asked = noted.moments("get a/7.ts");
        assert_eq!((asked.len(), noted.progress.missed), (times, 0), "{crowded}: {asked:?}");
    }
}
