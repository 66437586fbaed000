//! What there is to catch up with, such as a window of hours.

use crate::noted::Scene;
use crate::timetables::{steady, variants};
use relay::session::Start;
use std::fmt::Write as _;

#[test]
fn what_landed_is_shown_while_hundreds_of_segments_are_still_on_their_way() {
    // Every half of a target duration, and no more often than each second.
    for (target, pauses_of) in [(1, 1_000..2_500), (2, 1_000..2_500), (10, 5_000..6_500)] {
        let scene = Scene {
            until: 20_000,
            of: |it| (it.start, it.window_seconds) = (Start::Window, Some(3_600)),
            ..Scene::default()
        };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(variants(&["v"]))),
            "get a/v.m3u8" => {
                let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n");
                let newest = 3_000 + ms / 1_000 / target;
                (0..newest).for_each(|n| writeln!(text, "#EXTINF:{target},\n{n}.ts").unwrap());
                (10, Ok(text))
            }
            // Each takes another time, so that there is none at which nothing has just begun.
            what if what.starts_with("put") && what.ends_with(".ts") => {
                (40 + ms % 70, Ok(String::new()))
            }
            _ => steady(what, ms),
        });
        let shown = noted.moments("put 0 video-9.m3u8");
        let pauses = shown.windows(2).map(|pair| pair[1] - pair[0]);
        let pauses: Vec<u64> = std::iter::once(shown[0]).chain(pauses).collect();
        let as_wanted = shown.len() >= 3 && pauses.iter().all(|pause| pauses_of.contains(pause));
        assert!(as_wanted, "{target}: {shown:?}");
        let landed = noted.progress.segments;
        assert!((100..3_000).contains(&landed), "{landed} landed: there is more to catch up with");
        assert_eq!((noted.progress.jumps, noted.progress.missed), (0, 0));
    }
}
