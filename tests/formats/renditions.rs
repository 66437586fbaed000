//! Renditions that come late, go, end at different times, or are not for the output.

use crate::noted::{Noted, Scene};
use crate::scripted::live;
use crate::standing::recording;
use crate::timetables::{is, steady, variants};
use relay::progress::Status;
use relay::session::{OutputKind, Start};
use std::collections::BTreeMap;

#[test]
fn a_multivariant_playlist_waits_four_target_durations_for_renditions_that_are_not_there() {
    for (back, wanted) in [
        (4_000, "5620 put 0 channel.m3u8"),
        (20_000, "8080 put 0 channel.m3u8\n21700 put 0 channel.m3u8"),
    ] {
        let scene = Scene { until: 30_000, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
            "get a/w.m3u8" if ms < back => (10, Err("503")),
            _ => steady(what, ms),
        });
        is(&noted, &["channel.m3u8"], wanted, &back.to_string());
        assert!(noted.stored["0 channel.m3u8"].contains("video-10"));
    }
}

/// The discontinuity sequence number of each segment that a playlist lists.
fn counts(noted: &Noted, name: &str) -> BTreeMap<String, u64> {
    let text = &noted.stored[&format!("0 channel_{name}.m3u8")];
    let stated = text.lines().find_map(|it| it.strip_prefix("#EXT-X-DISCONTINUITY-SEQUENCE:"));
    let mut count = stated.map_or(0, |number| number.parse().unwrap());
    let of = |line: &str| {
        count += u64::from(line == "#EXT-X-DISCONTINUITY");
        let number = line.rsplit_once('_').filter(|_| !line.starts_with('#'))?.1;
        Some((number.to_owned(), count))
    };
    text.lines().filter_map(of).collect()
}

#[test]
fn renditions_agree_on_discontinuities_whichever_lacks_one_that_the_source_states() {
    // What the second of two renditions lacks; the source states a discontinuity every fifth segment.
    for (stated, lacks) in [true, false].into_iter().flat_map(|stated| {
        [&[10][..], &[9], &[11], &[9, 10], &[10, 15], &[10, 11, 15, 16], &[2], &[3], &[2, 5]]
            .map(|lacks| (stated, lacks))
    }) {
        let scene = Scene { until: 50_000, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
            what if what.starts_with("get") && what.ends_with(".m3u8") => {
                let ends = if what.contains("/w") { "w.ts" } else { ".ts" };
                let each = |n: u64| {
                    if n.is_multiple_of(5) { "#EXT-X-DISCONTINUITY\n" } else { "" }.to_owned()
                };
                let mut text = live(ms / 1_000, 0, each).unwrap().replace(".ts", ends);
                if stated {
                    let count = (ms / 2_000).div_ceil(5);
                    let tag = format!("\n#EXT-X-DISCONTINUITY-SEQUENCE:{count}\n#EXT-X-MEDIA");
                    text = text.replacen("\n#EXT-X-MEDIA", &tag, 1);
                }
                (10, Ok(text))
            }
            what if lacks.iter().any(|n| what == format!("get a/{n}w.ts")) => (10, Err("404")),
            _ => steady(what, ms),
        });
        let [whole, cut] = ["video-9", "video-10"].map(|name| counts(&noted, name));
        for number in 19..29 {
            let segment = format!("{number}.ts");
            assert_eq!(whole[&segment], cut[&segment], "{stated} {lacks:?} {number}");
        }
        assert!(noted.progress.missed > 0, "{lacks:?}");
    }
}

#[test]
fn what_one_rendition_goes_on_without_is_a_discontinuity_in_each_also_in_one_that_comes_later() {
    let scene = Scene { until: 90_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" if ms < 30_000 => (10, Ok(variants(&["v", "w"]))),
        "get a/main.m3u8" => (10, Ok(variants(&["v", "w", "x"]))),
        "get a/w.m3u8" => {
            let (after, text) = steady("get a/v.m3u8", ms);
            (after, text.map(|text| text.replace(".ts", "w.ts")))
        }
        "get a/x.m3u8" => steady("get a/v.m3u8", ms),
        "get a/8w.ts" | "get a/20w.ts" => (10, Err("404")),
        _ => steady(what, ms),
    });
    assert_eq!((noted.progress.jumps, noted.progress.missed), (2, 2));
    let [mut whole, mut cut, late] =
        ["video-9", "video-10", "video-11"].map(|name| counts(&noted, name));
    assert_eq!((whole["8.ts"], whole["11.ts"], whole["20.ts"], whole["23.ts"]), (0, 1, 1, 2));
    assert!(late.len() > 5 && late.values().all(|count| *count == 2), "{late:?}");
    for heard in [&mut whole, &mut cut] {
        heard.retain(|number, _| late.contains_key(number));
    }
    assert_eq!((whole, cut), (late.clone(), late));
}

#[test]
fn a_rendition_that_begins_while_another_just_went_on_agrees_with_it_on_discontinuities() {
    for back in (14_000..20_000).step_by(500) {
        let scene = Scene { until: 40_000, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
            "get a/w.m3u8" if ms < back => (10, Err("503")),
            "get a/w.m3u8" => {
                let (after, text) = steady(what, ms);
                (after, text.map(|text| text.replace(".ts", "w.ts")))
            }
            "get a/12.ts" => (10, Err("404")),
            _ => steady(what, ms),
        });
        let [cut, late] = ["video-9", "video-10"].map(|name| counts(&noted, name));
        assert!(noted.progress.jumps == 1 && late.len() > 3, "{back}: {late:?}");
        for number in 20..23 {
            let number = format!("{number}.ts");
            assert_eq!((cut[&number], late[&number]), (1, 1), "{back} {number}");
        }
    }
}

#[test]
fn a_rendition_keeps_its_name_whatever_is_stated_of_it_later() {
    let before = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"a.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"a\"\nv.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=20,AUDIO=\"a\"\nw.m3u8\n";
    let after = before.replace("H=9", "H=12").replace("\"a\"", "\"b\"");
    for again in [None, Some(70_000)] {
        let (before, after) = (before.to_owned(), after.clone());
        let scene = Scene { until: 130_000, again, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" if ms < 50_000 => (10, Ok(before.clone())),
            "get a/main.m3u8" => (10, Ok(after.clone())),
            _ => steady(what, ms),
        });
        let names: Vec<_> = noted.stored.keys().map(String::as_str).collect();
        let playlists = ["audio-a-en", "video-20", "video-9"];
        let expected = playlists.map(|name| format!("0 channel_{name}.m3u8"));
        assert_eq!(names[1..], expected, "{again:?}");
        let multivariant = &noted.stored["0 channel.m3u8"];
        assert!(multivariant.contains("=12,AUDIO=\"b\"\nchannel_video-9.m3u8"), "{multivariant}");
        for name in playlists {
            assert!(noted.moments(&format!("put 0 {name}.m3u8")).last() > Some(&125_000), "{name}");
        }
    }
}

#[test]
fn renditions_keep_their_names_where_each_reader_is_given_other_addresses_and_bandwidths() {
    let main = |ms: u64| {
        let of = |size: &str, bandwidth: u64| {
            let bandwidth = bandwidth + ms % 1_000;
            let stated = format!("BANDWIDTH={bandwidth},RESOLUTION={size}");
            format!("#EXT-X-STREAM-INF:{stated}\nchunks_{size}_w{ms}.m3u8\n")
        };
        format!("#EXTM3U\n{}{}", of("1280x720", 300_000), of("640x360", 100_000))
    };
    for again in [None, Some(90_000)] {
        let scene = Scene { until: 200_000, again, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(main(ms))),
            // One of them lasts until it is not read any more, and the other for a while.
            "get a/chunks_640x360_w0.m3u8" if ms > 130_000 => (10, Err("404")),
            _ => steady(what, ms),
        });
        let names: Vec<_> = noted.stored.keys().map(String::as_str).collect();
        let playlists = ["video-100000", "video-300000"];
        let expected = playlists.map(|name| format!("0 channel_{name}.m3u8"));
        assert_eq!(names[1..], expected, "{again:?}");
        for name in playlists {
            assert!(noted.moments(&format!("put 0 {name}.m3u8")).last() > Some(&195_000), "{name}");
        }
        let multivariant = &noted.stored["0 channel.m3u8"];
        assert!(multivariant.contains("=1280x720\nchannel_video-300000.m3u8"), "{multivariant}");
        // Twice more at most: the first and another run begin with it, and it is where the other address is told.
        let reads = noted.moments("get a/main.m3u8");
        assert!(reads.len() <= 6, "{again:?}: {reads:?}");
    }
}

#[test]
fn nothing_is_missed_where_another_has_come_for_what_has_gone() {
    let scene = Scene { until: 100_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" if ms < 50_000 => (10, Ok(variants(&["v", "w"]))),
        "get a/main.m3u8" => {
            let other = "=10,RESOLUTION=640x360\nx";
            (10, Ok(variants(&["v", "w"]).replace("=10\nw", other).replace("=10", "=11")))
        }
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("get a/main.m3u8"), [0, 60_010]);
    assert!(noted.stored["0 channel.m3u8"].contains("channel_video-11.m3u8"));
    assert!(noted.moments("put 0 video-10.m3u8").last() < Some(&61_000));
}

#[test]
fn a_rendition_that_goes_takes_what_is_on_its_way_with_it() {
    let scene = Scene { until: 70_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" if ms < 50_000 => (10, Ok(variants(&["v", "w"]))),
        what if what.contains("_30.ts") || what.ends_with("/30.ts") => (8_000, Ok(String::new())),
        "get a/w.m3u8" => steady("get a/v.m3u8", ms),
        _ => steady(what, ms),
    });
    // It was read when the playlist that does not name one of them any more was; the other may return.
    let wanted = "
        0 get a/main.m3u8
        60010 get a/main.m3u8
        60067 put 0 video-9_1800000000_30.ts
        63020 get a/main.m3u8
        63067 put 0 video-9_1800000000_30.ts
        66030 get a/main.m3u8
        66067 put 0 video-9_1800000000_30.ts
        69040 get a/main.m3u8";
    is(&noted, &["get a/main", "_30.ts"], wanted, "of both");
}

#[test]
fn a_session_goes_on_until_each_of_its_variants_has_ended() {
    let scene = Scene { until: 60_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match (what, ms) {
        ("get a/main.m3u8", _) => (10, Ok(variants(&["v", "w"]))),
        ("get a/v.m3u8", _) => (10, Ok(recording(6, ""))),
        // Longer than it takes to give up what was never there.
        ("get a/w.m3u8", 8_000..25_000) => (10, Err("503")),
        ("get a/w.m3u8", 30_000..) => (10, Ok(recording(6, "").replace(".ts", "w.ts"))),
        ("get a/w.m3u8", _) => {
            let listed = recording(6, "").replace(".ts", "w.ts");
            (10, Ok(listed.replace("#EXT-X-ENDLIST\n", "").split_inclusive('\n').take(8).collect()))
        }
        _ => steady(what, ms),
    });
    let wanted = "
        130 report running
        9147 report degraded
        30277 report running
        30337 report ended";
    is(&noted, &["report"], wanted, "two variants");
}

/// A variant with subtitles.
const SUBTITLED: &str = "#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"s\",URI=\"s.m3u8\"\n\
    #EXT-X-STREAM-INF:BANDWIDTH=9,SUBTITLES=\"s\"\nv.m3u8\n";

#[test]
fn subtitles_that_are_never_there_are_gone_without() {
    let scene = Scene { until: 60_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(SUBTITLED.to_owned())),
        "get a/s.m3u8" => (10, Err("404")),
        "get a/v.m3u8" => (10, Ok(recording(3, ""))),
        _ => steady(what, ms),
    });
    assert_eq!((noted.progress.status, noted.over), (Status::Ended, 3_570));
    assert_eq!(noted.moments("get a/s.m3u8"), [10, 520, 1_530, 3_540]);
}

#[test]
fn subtitles_that_are_gone_when_another_run_came_between_are_gone_without() {
    let scene = Scene { until: 60_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(SUBTITLED.to_owned())),
        "commit" if (2_060..2_100).contains(&ms) => (10, Err("conflict")),
        "get a/s.m3u8" if ms > 2_060 => (10, Err("404")),
        "get a/v.m3u8" if ms > 4_000 => (10, Ok(recording(9, ""))),
        _ => steady(what, ms),
    });
    assert!(noted.moments("commit").iter().any(|at| (2_060..2_100).contains(at)));
    assert_eq!(noted.progress.status, Status::Ended, "{:?}", noted.progress.reason);
}

#[test]
fn what_an_output_does_not_take_is_told_of_all_renditions_once_all_were_looked_at() {
    for (late, wanted) in [("answers", "video-10, video-9"), ("fails", "video-9")] {
        let scene = Scene { until: 10_000, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
            "get a/w.m3u8" if late == "fails" => (1_000, Err("503")),
            "get a/v.m3u8" | "get a/w.m3u8" => {
                let after = if what == "get a/w.m3u8" { 1_000 } else { 10 };
                (after, Ok(recording(3, "#EXT-X-MAP:URI=\"i\"\n").replace(".ts", ".m4s")))
            }
            _ => steady(what, ms),
        });
        let reason = noted.progress.reason.unwrap();
        let named = reason.strip_prefix(
            "mediapackage does not take this source: segments are fMP4, and only TS is taken: ",
        );
        assert_eq!((named, noted.over / 100), (Some(wanted), 10), "{late}: {reason}");
    }
}

#[test]
fn a_rendition_that_turns_out_unfit_is_left_out_once_and_the_session_goes_on() {
    let scene = Scene { until: 10_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(SUBTITLED.to_owned())),
        "get a/s.m3u8" => {
            let (after, text) = steady(what, ms);
            (
                after,
                text.map(|text| {
                    let mapped = text.replacen("#EXTINF", "#EXT-X-MAP:URI=\"i\"\n#EXTINF", 1);
                    mapped.replace(".ts", ".m4s")
                }),
            )
        }
        _ => steady(what, ms),
    });
    let wanted = "
        10 get a/s.m3u8
        30 say subtitles-s-s is left out: segments are fMP4, and only TS is taken
        70 put 0 channel.m3u8";
    is(&noted, &["say subtitles", "get a/s", "channel.m3u8"], wanted, "subtitles");
    assert!(!noted.stored["0 channel.m3u8"].contains("SUBTITLES"));
    assert_eq!((noted.progress.left_out.len(), noted.progress.status), (1, Status::Running));
}

#[test]
fn a_source_that_no_output_takes_fails_at_the_first_look() {
    let noted = Scene::default().carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(variants(&["v"]).replace("=9", "=9,CODECS=\"vp09.00\""))),
        _ => steady(what, ms),
    });
    assert_eq!((noted.progress.status, noted.moments("get")), (Status::Failed, vec![0]));
}

#[test]
fn keys_that_a_multivariant_playlist_names_stay_where_segments_stay_encrypted() {
    for (output, stays) in [(OutputKind::MediaPackage, false), (OutputKind::WebDav, true)] {
        let noted = Scene { output, ..Scene::default() }.carry(|what, ms| match what {
            "get a/main.m3u8" => {
                let key = "#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",\
                    KEYFORMAT=\"com.apple.streamingkeydelivery\"\n";
                (10, Ok(variants(&["v"]).replace("#EXTM3U\n", key)))
            }
            _ => steady(what, ms),
        });
        let named = noted.stored["0 channel.m3u8"].contains("SESSION-KEY");
        assert_eq!(named, stays);
    }
}

#[test]
fn a_live_variant_that_fails_is_not_given_up_however_long_ago_another_ended() {
    let scene = Scene { until: 700_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
        "get a/v.m3u8" => (10, Ok(recording(6, ""))),
        "get a/w.m3u8" if ms > 9_000 => (10, Err("503")),
        "get a/w.m3u8" => steady("get a/v.m3u8", ms),
        _ => steady(what, ms),
    });
    assert_eq!((noted.progress.status, noted.over), (Status::Degraded, 700_000));
}

#[test]
fn each_rendition_that_is_left_out_is_told() {
    let noted = Scene::default().carry(|what, ms| match what {
        "get a/main.m3u8" => {
            let of = |name| format!("#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"{name}\",URI=\"{name}.m3u8\"\n");
            let listed = ["s", "t"].map(of).concat();
            (10, Ok(format!("#EXTM3U\n{listed}#EXT-X-STREAM-INF:BANDWIDTH=9,SUBTITLES=\"s\"\nv.m3u8\n")))
        }
        "get a/s.m3u8" | "get a/t.m3u8" => (10, Ok(recording(3, "#EXT-X-MAP:URI=\"i\"\n").replace(".ts", ".m4s"))),
        _ => steady(what, ms),
    });
    let names: Vec<&str> = noted.progress.left_out.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["subtitles-s-s", "subtitles-s-t"]);
}
