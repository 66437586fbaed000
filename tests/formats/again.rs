//! What a source lists again, otherwise than before.

use crate::noted::{Noted, Scene};
use crate::timetables::{Answer, steady};
use relay::session::Start;
use std::fmt::Write as _;

/// A source of segments from `first` to `last`, two seconds each; `lines` go before each.
fn listed(first: u64, last: u64, lines: impl Fn(u64) -> String) -> Answer {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    for number in first..=last {
        writeln!(text, "{}#EXTINF:2,\n{number}.ts", lines(number)).unwrap();
    }
    (10, Ok(text))
}

/// The lines before each segment that is listed at an endpoint, with its number.
fn lines(noted: &Noted, endpoint: usize) -> Vec<(u64, Vec<&str>)> {
    let text = &noted.stored[&format!("{endpoint} channel_video-9.m3u8")];
    let (mut segments, mut lines) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.strip_suffix(".ts") {
            Some(name) => {
                let number = name.rsplit('_').next().unwrap().parse().unwrap();
                segments.push((number, std::mem::take(&mut lines)));
            }
            None => lines.push(line),
        }
    }
    segments
}

fn mark(number: u64) -> String {
    let date = "START-DATE=\"2026-11-21T00:00:00Z\"";
    match number {
        9 => format!("#EXT-X-CUE-IN:{number}\n#EXT-X-DATERANGE:ID=\"{number}\",{date}\n"),
        _ => format!("#EXT-X-CUE-OUT:{number}\n"),
    }
}

#[test]
fn markers_of_segments_that_were_listed_before_do_not_move_when_the_source_lists_them_again() {
    // The servers of a source list three segments or many, and one segment is not there.
    for (case, dead) in [("one endpoint", false), ("the other is behind", true)] {
        let scene = Scene {
            endpoints: 2,
            until: 17_000,
            of: |it| (it.start, it.window_seconds) = (Start::Window, None),
            ..Scene::default()
        };
        let noted = scene.carry(move |what, ms| match what {
            "get a/v.m3u8" if (8_000..10_000).contains(&ms) => listed(11, 13, mark),
            "get a/v.m3u8" if ms < 14_000 => listed(2, 13.min(9 + ms / 2_000), mark),
            "get a/v.m3u8" => listed(3, 13, mark),
            "get a/5.ts" => (10, Err("410")),
            what if dead && what.starts_with("put 1") && ms < 14_000 => (10, Err("503")),
            _ => steady(what, ms),
        });
        let segments = lines(&noted, 0);
        assert_eq!(segments.first().unwrap().0, 11, "{case}: {segments:?}");
        for (number, lines) in &segments {
            let marks: Vec<_> = lines.iter().filter(|line| line.contains("CUE")).collect();
            assert_eq!(marks, [&format!("#EXT-X-CUE-OUT:{number}")], "{case}: {segments:?}");
        }
        // What is bound to no segment is listed as long as the source lists it.
        assert!(segments[0].1.iter().any(|line| line.contains("ID=\"9\"")), "{case}: {segments:?}");
        if dead {
            let all: Vec<u64> = lines(&noted, 1).iter().map(|(number, _)| *number).collect();
            assert_eq!(all, [3, 4, 6, 7, 8, 9, 10, 11, 12, 13], "{case}");
        }
    }
}
