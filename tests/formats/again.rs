//! What a source lists again, otherwise than before.

use crate::noted::{Noted, Scene};
use crate::timetables::{Answer, steady};
use relay::session::{OutputKind, Session, Start};
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
            // What is missing has its place in what is listed.
            let segments = lines(&noted, 1);
            let marks = segments[2].1.iter().filter(|line| line.contains("CUE"));
            let marks: Vec<&str> = marks.copied().collect();
            assert_eq!(marks, ["#EXT-X-CUE-OUT:5", "#EXT-X-CUE-OUT:6"], "{case}: {segments:?}");
        }
    }
}

#[test]
fn a_gap_that_was_listed_stays_one_when_the_source_fills_it() {
    let gap = |filled: bool| {
        move |number| match number {
            4 | 5 | 7 if !filled => "#EXT-X-BITRATE:9\n#EXT-X-GAP\n".to_owned(),
            4 | 5 | 7 => "#EXT-X-BITRATE:9\n".to_owned(),
            _ => String::new(),
        }
    };
    for (window, again, dead) in [
        (None, None, false),
        (None, Some(5_500), false),
        (None, None, true),
        (Some(60), None, true),
    ] {
        let case = format!("{window:?} {again:?} {dead}");
        let scene = Scene { endpoints: 2, until: 17_000, again, ..Scene::default() };
        let scene = match window {
            None => {
                Scene { of: |it| (it.start, it.window_seconds) = (Start::Window, None), ..scene }
            }
            Some(_) => {
                let of: fn(&mut _) = |it: &mut Session| {
                    (it.start, it.window_seconds) = (Start::Window, Some(60));
                };
                Scene { of, ..scene }
            }
        };
        let noted = scene.carry(move |what, ms| match what {
            "get a/v.m3u8" => listed(2, 14.min(9 + ms / 2_000), gap(ms >= 5_500)),
            what if dead && what.starts_with("put 1") && ms < 8_000 => (10, Err("503")),
            _ => steady(what, ms),
        });
        for endpoint in [0, 1] {
            let segments = lines(&noted, endpoint);
            assert_eq!(segments.len(), 13, "{case}: {segments:?}");
            for (number, lines) in segments {
                let name = format!("put {endpoint} video-9_1800000000_{number}.ts");
                let stored = noted.requests.iter().any(|(_, what)| *what == name);
                let is_gap = lines.contains(&"#EXT-X-GAP");
                assert_eq!(stored, !is_gap, "{case}: {number} at {endpoint}");
                assert_eq!(is_gap, matches!(number, 4 | 5 | 7), "{case}: {number} at {endpoint}");
            }
        }
    }
}

#[test]
fn a_gap_that_is_filled_before_any_endpoint_has_passed_it_is_carried() {
    let gap = |filled: bool| {
        move |number| if number == 4 && !filled { "#EXT-X-GAP\n".to_owned() } else { String::new() }
    };
    let scene = Scene {
        until: 9_000,
        of: |it| (it.start, it.window_seconds) = (Start::Window, None),
        ..Scene::default()
    };
    let noted = scene.carry(move |what, ms| match what {
        "get a/v.m3u8" => listed(2, 9, gap(ms >= 5_000)),
        "get a/3.ts" if ms < 6_000 => (10, Err("503")),
        _ => steady(what, ms),
    });
    let segments = lines(&noted, 0);
    assert!(segments.iter().all(|(_, lines)| !lines.contains(&"#EXT-X-GAP")), "{segments:?}");
    assert_eq!(noted.moments("put 0 video-9_1800000000_4.ts").len(), 1);
}

#[test]
fn what_one_endpoint_went_on_without_another_lists_in_its_place_when_it_can_be_read_again() {
    // Segment 10 is the first with another key.
    let key = |number| {
        let key = if number < 10 { "k" } else { "l" };
        format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{key}\",IV=0x1\n#EXT-X-CUE:{number}\n")
    };
    let clear = |number| format!("#EXT-X-CUE:{number}\n");
    for (output, window, is_keyed) in [
        (OutputKind::MediaPackage, Some(25), false),
        (OutputKind::WebDav, Some(25), false),
        (OutputKind::WebDav, Some(25), true),
        (OutputKind::WebDav, None, true),
    ] {
        let case = format!("{output:?} {window:?} {is_keyed}");
        let of: fn(&mut Session) = match window {
            Some(_) => |it| (it.start, it.window_seconds) = (Start::Window, Some(25)),
            None => |it| (it.start, it.window_seconds) = (Start::Window, None),
        };
        // Another run finds the segment, and the endpoint that was away.
        let scene = Scene {
            output,
            endpoints: 2,
            until: 33_000,
            again: Some(24_000),
            of,
            ..Scene::default()
        };
        let noted = scene.carry(move |what, ms| match what {
            "get a/v.m3u8" => {
                let last = 2 + ms / 2_000;
                listed(last.saturating_sub(9), last, |number| {
                    if is_keyed { key(number) } else { clear(number) }
                })
            }
            "get a/k" => (10, Ok("sixteen bytes...".to_owned())),
            "get a/l" => (10, Ok("sixteen others..".to_owned())),
            "get a/10.ts" if ms < 24_000 => (10, Err("404")),
            what if what.starts_with("put 1") && (14_000..24_000).contains(&ms) => (10, Err("503")),
            _ => steady(what, ms),
        });
        let [left_out, whole] = [0, 1].map(|endpoint| lines(&noted, endpoint));
        assert!(left_out.iter().all(|(number, _)| *number != 10), "{case}: {left_out:?}");
        for (number, lines) in &whole {
            let marks: Vec<_> = lines.iter().filter(|line| line.contains("CUE")).collect();
            assert_eq!(marks, [&format!("#EXT-X-CUE:{number}")], "{case}: {whole:?}");
            assert!(!lines.contains(&"#EXT-X-DISCONTINUITY"), "{case}: {whole:?}");
            // Each has the number that it has at the source, for nothing is missing.
            let keyed = lines.iter().any(|line| line.starts_with("#EXT-X-KEY"));
            let first = whole[0].0;
            assert_eq!(keyed, is_keyed && (*number == 10 || *number == first), "{case}: {whole:?}");
        }
        let numbers: Vec<u64> = whole.iter().map(|(number, _)| *number).collect();
        let first = noted.stored["1 channel_video-9.m3u8"].split_once("SEQUENCE:").unwrap().1;
        let first: u64 = first.lines().next().unwrap().parse().unwrap();
        assert!(numbers.contains(&10) && numbers.contains(&17), "{case}: {numbers:?}");
        assert!(
            (first..).zip(&numbers).all(|(number, own)| number == *own),
            "{case}: {first} {numbers:?}"
        );
        assert_eq!((noted.progress.missed, noted.progress.jumps), (1, 1), "{case}");
    }
}

/// When it is said that the source numbers afresh.
fn afresh(noted: &Noted) -> Vec<u64> {
    noted.moments("say source numbers video-9 afresh")
}

#[test]
fn a_source_that_goes_back_is_taken_for_one_that_begins_anew_after_three_target_durations() {
    // By so many segments, when this run has seen what it lists then or only what is newer.
    for (what, back, again) in [("the same names", 5, None), ("nothing known", 8, Some(20_100))] {
        let scene = Scene { until: 40_000, again, ..Scene::default() };
        let noted = scene.carry(move |asked, ms| match asked {
            "get a/v.m3u8" if ms >= 20_500 => {
                let (after, text) = steady(asked, ms - back * 2_000);
                let named = if again.is_some() { "x.ts" } else { ".ts" };
                (after, text.map(|text| text.replace(".ts", named)))
            }
            _ => steady(asked, ms),
        });
        let looks = noted.moments("get a/v.m3u8");
        let first = looks.iter().find(|at| **at >= 20_500).unwrap() + 10;
        let [told] = afresh(&noted)[..] else { panic!("{what}: {:?}", afresh(&noted)) };
        assert!((6_000..7_100).contains(&(told - first)), "{what}: {told} after {first}");
        assert!(looks.iter().filter(|at| (first..told).contains(at)).count() > 3, "{what}");
        // All that it lists from then on is carried.
        assert_eq!(noted.progress.endpoints[0].behind, 0, "{what}");
        assert!(noted.moments("put 0 video-9.m3u8").last() > Some(&37_000), "{what}");
    }
}
