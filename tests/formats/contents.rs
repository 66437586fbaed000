//! What segments are, where their playlists do not say it.

use crate::noted::Scene;
use crate::timetables::{steady, variants};
use relay::progress::Status;
use relay::session::OutputKind;

/// A transport stream that names streams of these types.
fn ts(types: &[u8]) -> String {
    let packet = |header: [u8; 4], section: &[u8]| {
        let mut packet = [&header[..], &[0], section].concat();
        packet.resize(188, 0);
        packet
    };
    let programmes = [0, 0, 13, 0, 1, 1, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0];
    let length = u8::try_from(13 + 5 * types.len()).unwrap();
    let mut map = vec![2, 0, length, 0, 1, 1, 0, 0, 1, 0, 0, 0];
    types.iter().for_each(|kind| map.extend([*kind, 1, 0, 0, 0]));
    map.extend([0; 4]);
    let packets = [packet([0x47, 0x40, 0, 0x10], &programmes), packet([0x47, 0x50, 0, 0x10], &map)];
    String::from_utf8([&packets.concat()[..], &[0x47]].concat()).unwrap()
}

fn png() -> String {
    format!("PNG.{}", ts(&[0x1B]))
}

#[test]
fn a_session_fails_with_what_its_first_segments_say_where_its_playlists_do_not() {
    const MPEG: &str =
        "codecs that are not taken: MPEG-2 video; no rendition has H.264 or HEVC video";
    let (avc, mpeg) = (|| ts(&[0x1B, 0x0F]), || ts(&[0x02, 0x0F]));
    let of = |stated: &str| variants(&["v"]).replace("=9", &format!("=9{stated}"));
    let plain = || of("");
    let stated = || of(",CODECS=\"avc1.64001f\"");
    let two = || variants(&["v", "w"]);
    let all = || 0..99;
    for (what, main, odd, body, wanted) in [
        ("H.264", plain(), all(), avc(), ""),
        ("MPEG-2", plain(), all(), mpeg(), MPEG),
        ("MPEG audio", plain(), all(), ts(&[0x1B, 3]), "codecs that are not taken: MPEG audio"),
        ("sound alone", plain(), all(), ts(&[0x0F]), "no rendition has H.264 or HEVC video"),
        ("it is stated otherwise", stated(), all(), mpeg(), ""),
        ("no tables", plain(), all(), ts(&[]), ""),
        ("no TS", stated(), all(), png(), "segments are not TS, packed audio or WebVTT: video-9"),
        (
            "two that are none",
            two(),
            all(),
            png(),
            "segments are not TS, packed audio or WebVTT: video-10, video-9",
        ),
        ("two of them", two(), all(), mpeg(), MPEG),
        ("one that is none", plain(), 2..3, png(), ""),
        ("too short to tell", plain(), all(), "PNG".to_owned(), ""),
        ("it becomes another", plain(), 7..99, mpeg(), ""),
    ] {
        for (output, wanted) in [(OutputKind::MediaPackage, wanted), (OutputKind::WebDav, "")] {
            let scene = Scene { output, until: 30_000, ..Scene::default() };
            let (main, odd, body) = (main.clone(), odd.clone(), body.clone());
            let noted = scene.carry(move |asked, ms| match asked {
                "get a/main.m3u8" => (10, Ok(main.clone())),
                asked if asked.starts_with("get") && asked.ends_with(".ts") => {
                    let name = asked.rsplit('/').next().unwrap().trim_end_matches(".ts");
                    (
                        10,
                        Ok(if odd.contains(&name.parse::<u64>().unwrap()) {
                            body.clone()
                        } else {
                            avc()
                        }),
                    )
                }
                _ => steady(asked, ms),
            });
            let reason = noted.progress.reason.clone().unwrap_or_default();
            if wanted.is_empty() {
                let so = (noted.progress.status, reason.as_str());
                assert_eq!(so, (Status::Running, ""), "{what}");
            } else {
                let told = format!("mediapackage does not take this source: {wanted}");
                assert_eq!((noted.progress.status, reason), (Status::Failed, told), "{what}");
                assert!(noted.over < 1_000, "{what}: {}", noted.over);
                assert_eq!(noted.moments("put 0 channel.m3u8"), [0_u64; 0], "{what}");
            }
        }
    }
}

#[test]
fn sound_apart_is_judged_with_its_pictures() {
    for (pictures, status) in [(0x1B, Status::Running), (0x02, Status::Failed)] {
        let noted = Scene { until: 30_000, ..Scene::default() }.carry(move |asked, ms| match asked {
            "get a/main.m3u8" => {
                let listed = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"e\",URI=\"s.m3u8\"\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"a\"\nv.m3u8\n";
                (10, Ok(format!("#EXTM3U\n{listed}")))
            }
            "get a/s.m3u8" => {
                let (after, text) = steady(asked, ms);
                (after, text.map(|text| text.replace(".ts", "s.ts")))
            }
            asked if asked.starts_with("get") && asked.ends_with("s.ts") => {
                (10, Ok(ts(&[0x0F])))
            }
            asked if asked.starts_with("get") && asked.ends_with(".ts") => (40, Ok(ts(&[pictures]))),
            _ => steady(asked, ms),
        });
        assert_eq!(noted.progress.status, status, "{:?}", noted.progress.reason);
    }
}

#[test]
fn what_is_stated_of_a_variant_counts_for_the_sound_that_plays_with_it() {
    for (stated, status) in
        [("", Status::Failed), (",CODECS=\"avc1.64001f,mp4a.40.2\"", Status::Running)]
    {
        let noted =
            Scene { until: 30_000, ..Scene::default() }.carry(move |asked, ms| match asked {
                "get a/main.m3u8" => {
                    let listed = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"e\",URI=\"s.m3u8\"";
                    let variant =
                        format!("#EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"a\"{stated}\nv.m3u8");
                    (10, Ok(format!("#EXTM3U\n{listed}\n{variant}\n")))
                }
                "get a/s.m3u8" => {
                    let (after, text) = steady(asked, ms);
                    (after, text.map(|text| text.replace(".ts", "e.ts")))
                }
                asked if asked.starts_with("get") && asked.ends_with("e.ts") => (10, Ok(ts(&[3]))),
                asked if asked.starts_with("get") && asked.ends_with(".ts") => {
                    (10, Ok(ts(&[0x1B])))
                }
                _ => steady(asked, ms),
            });
        assert_eq!(noted.progress.status, status, "{stated}: {:?}", noted.progress.reason);
    }
}

#[test]
fn the_tables_of_one_transport_stream_tell_and_those_of_all_renditions_are_waited_for() {
    for (names, late, over) in [
        // The others of its segments take eight seconds.
        (&["v"][..], 8_000, 0..1_000),
        (&["v", "w"], 1_500, 1_500..2_000),
    ] {
        let noted =
            Scene { until: 30_000, ..Scene::default() }.carry(move |asked, ms| match asked {
                "get a/main.m3u8" => (10, Ok(variants(names))),
                "get a/w.m3u8" => {
                    let (after, text) = steady(asked, ms);
                    (after, text.map(|text| text.replace(".ts", "w.ts")))
                }
                "get a/2.ts" => (10, Ok(ts(&[2]))),
                asked if asked.starts_with("get") && asked.ends_with(".ts") => (late, Ok(ts(&[2]))),
                _ => steady(asked, ms),
            });
        assert_eq!(noted.progress.status, Status::Failed, "{names:?}");
        assert!(over.contains(&noted.over), "{names:?}: {}", noted.over);
    }
}

#[test]
fn what_is_stated_of_one_variant_counts_whatever_another_does_not_state() {
    let noted = Scene { until: 30_000, ..Scene::default() }.carry(|asked, ms| match asked {
        "get a/main.m3u8" => {
            let stated = variants(&["v", "w"]).replace("=9", "=9,CODECS=\"avc1.64001f\"");
            (10, Ok(stated))
        }
        "get a/w.m3u8" => {
            let (after, text) = steady(asked, ms);
            (after, text.map(|text| text.replace(".ts", "w.ts")))
        }
        asked if asked.starts_with("get") && asked.ends_with("w.ts") => (10, Ok(ts(&[0x1B]))),
        asked if asked.starts_with("get") && asked.ends_with(".ts") => (10, Ok(ts(&[0x02]))),
        _ => steady(asked, ms),
    });
    assert_eq!(noted.progress.status, Status::Running, "{:?}", noted.progress.reason);
}

#[test]
fn two_segments_that_are_none_tell_whatever_the_third_is() {
    let noted = Scene { until: 30_000, ..Scene::default() }.carry(|asked, ms| match asked {
        "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
        "get a/w.m3u8" => {
            let (after, text) = steady(asked, ms);
            (after, text.map(|text| text.replace(".ts", "w.ts")))
        }
        "get a/2.ts" | "get a/3.ts" => (10, Ok(png())),
        asked if asked.starts_with("get") && asked.ends_with("w.ts") => (5_000, Ok(ts(&[0x1B]))),
        asked if asked.starts_with("get") && asked.ends_with(".ts") => (10, Ok(ts(&[0x1B]))),
        _ => steady(asked, ms),
    });
    assert_eq!(noted.progress.status, Status::Failed);
    let reason = noted.progress.reason.unwrap();
    assert!(reason.ends_with("segments are not TS, packed audio or WebVTT: video-9"), "{reason}");
}

#[test]
fn a_session_that_was_carried_goes_on_whatever_another_run_finds_first() {
    for finds in [ts(&[0x02]), png()] {
        let scene = Scene { until: 60_000, again: Some(20_000), ..Scene::default() };
        let noted = scene.carry(move |asked, ms| match asked {
            asked if asked.starts_with("get") && asked.ends_with(".ts") => {
                (10, Ok(if ms < 20_000 { ts(&[0x1B]) } else { finds.clone() }))
            }
            _ => steady(asked, ms),
        });
        assert_eq!(noted.progress.status, Status::Running, "{:?}", noted.progress.reason);
    }
}
