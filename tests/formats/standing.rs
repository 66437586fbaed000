//! How a session is said to be doing, and what it does about what comes, goes and takes long.

use crate::noted::Scene;
use crate::scripted::live;
use crate::timetables::{is, steady, variants};
use hls::Micros;
use relay::cause::Cause;
use relay::progress::Status;
use relay::session::{OutputKind, Session, Start};

pub fn recording(count: u32, lines: &str) -> String {
    let listed: String = (0..count).map(|n| format!("{lines}#EXTINF:2,\n{n}.ts\n")).collect();
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{listed}#EXT-X-ENDLIST\n")
}

#[test]
fn a_place_that_is_free_is_taken_at_once() {
    let scene = Scene { until: 500, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "put 0 video-9_1800000000_0.ts" => (10, Ok(String::new())),
        what if what.starts_with("put") => (400, Ok(String::new())),
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("get a/4.ts"), [50]);
}

#[test]
fn an_endpoint_that_is_only_too_slow_is_told_after_twelve_seconds() {
    let scene = Scene { endpoints: 2, until: 30_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match ms {
        3_000..20_000 if what.starts_with("put 1") && what.ends_with(".ts") => {
            (6_500, Ok(String::new()))
        }
        _ => steady(what, ms),
    });
    let wanted = "
        90 report running
        100 say session is running
        20018 report degraded
        20028 say session is degraded: endpoint https://on.example/channel is too slow: 5 segments that are listed are not there, \
              and no more than 25 requests a second go to it
        20614 report running
        20624 say session is running";
    is(&noted, &["report", "say session"], wanted, "too slow");
}

#[test]
fn playlists_that_take_long_at_one_endpoint_hold_up_nothing_at_the_other() {
    let scene = || Scene { endpoints: 2, until: 9_000, ..Scene::default() };
    let noted = scene().carry(|what, ms| match what {
        what if what.starts_with("put 1") && what.ends_with(".m3u8") => (3_000, Ok(String::new())),
        _ => steady(what, ms),
    });
    assert_eq!(noted.only(&["put 0"]), scene().carry(steady).only(&["put 0"]));
}

#[test]
fn what_is_missing_of_a_recording_is_counted_wherever_it_is() {
    for (gone, jumps, missed) in [("/2.ts", 1, 1), ("/5.ts", 1, 1), ("/9.ts", 0, 0)] {
        let scene = Scene { until: 60_000, of: |it| it.start = Start::Window, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/v.m3u8" => (10, Ok(recording(6, ""))),
            what if what.ends_with(gone) => (10, Err("404")),
            _ => steady(what, ms),
        });
        let progress = &noted.progress;
        assert_eq!((progress.jumps, progress.missed), (jumps, missed), "{gone}");
        assert_eq!(progress.status, Status::Ended, "{gone}");
    }
}

#[test]
fn a_source_that_has_ended_does_not_stall() {
    let scene = Scene { until: 30_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        "get a/v.m3u8" => (10, Ok(recording(3, ""))),
        what if what.starts_with("put") => (10, Err("503")),
        _ => steady(what, ms),
    });
    assert_eq!(noted.progress.causes, [Cause::Endpoint].into(), "{:?}", noted.progress.reason);
}

#[test]
fn what_leaves_the_window_of_an_output_that_deletes_is_deleted_after_a_while() {
    let scene = Scene {
        output: OutputKind::WebDav,
        until: 25_000,
        of: |it| it.window_seconds = Some(6),
        ..Scene::default()
    };
    let noted = scene.carry(|what, ms| match ms {
        20_000..22_000 if what.starts_with("delete") => (10, Err("503")),
        _ => steady(what, ms),
    });
    let wanted = "
        12091 delete 0 video-9_1800000000_2.ts
        14094 delete 0 video-9_1800000000_3.ts
        16104 delete 0 video-9_1800000000_4.ts
        18058 delete 0 video-9_1800000000_5.ts
        20068 delete 0 video-9_1800000000_6.ts
        22095 delete 0 video-9_1800000000_6.ts
        22105 delete 0 video-9_1800000000_7.ts
        24098 delete 0 video-9_1800000000_8.ts";
    is(&noted, &["delete"], wanted, "a window of six seconds");
}

#[test]
fn a_map_may_have_a_mebibyte() {
    for (bytes, whole) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let scene = Scene { output: OutputKind::WebDav, until: 1_000, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/i" => (10, Ok("m".repeat(bytes))),
            "get a/v.m3u8" => {
                let (after, text) = steady(what, ms);
                (
                    after,
                    text.map(|it| {
                        it.replace("#EXTINF:2,\n2", "#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,\n2")
                    }),
                )
            }
            _ => steady(what, ms),
        });
        assert_eq!(noted.progress.segments > 0, whole, "{:?}", noted.progress.last_error);
    }
}

#[test]
fn a_playlist_that_was_made_for_a_reader_is_asked_for_anew_at_once_when_it_is_gone() {
    let noted = Scene { until: 5_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/v.m3u8" if ms < 3_000 => (10, Ok("-> http://a/one.m3u8".to_owned())),
        "get a/v.m3u8" => (10, Ok("-> http://a/two.m3u8".to_owned())),
        "get a/one.m3u8" if ms > 3_000 => (10, Err("404")),
        _ => steady(what, ms),
    });
    let wanted = "
        10 get a/v.m3u8
        20 get a/one.m3u8
        1030 get a/one.m3u8
        1540 get a/one.m3u8
        1795 get a/one.m3u8
        1923 get a/one.m3u8
        1987 get a/one.m3u8
        2047 get a/one.m3u8
        4050 get a/one.m3u8
        4060 get a/v.m3u8
        4070 get a/two.m3u8";
    is(&noted, &["get a/v", "get a/one", "get a/two"], wanted, "of one reader");
}

#[test]
fn answers_that_are_held_back_are_asked_for_by_the_next_number_and_not_waited_for_at_the_end() {
    let held = |what: &str, ms: u64| {
        let (after, text) = steady(what, ms);
        (
            after,
            text.map(|it| {
                it.replace("#EXTM3U\n", "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n")
            }),
        )
    };
    let scene = Scene { until: 6_045, finish: Some(9_000), holding: true, ..Scene::default() };
    let noted = scene.carry(move |what, ms| match what {
        what if what.starts_with("hold") => {
            let next = ms / 2_000 * 2_000 + 2_000;
            (next - ms, held("get a/v.m3u8", next).1)
        }
        what if what.ends_with("_7.ts") => (500, Ok(String::new())),
        what if what.ends_with("v.m3u8") => held(what, ms),
        _ => steady(what, ms),
    });
    let wanted = "
        30 hold a/v.m3u8 _HLS_msn=5 3000
        2000 hold a/v.m3u8 _HLS_msn=6 3000
        4000 hold a/v.m3u8 _HLS_msn=7 3000
        6000 hold a/v.m3u8 _HLS_msn=8 3000
        6010 put 0 video-9_1800000000_7.ts";
    is(&noted, &["hold", "_7.ts"], wanted, "held");
    assert_eq!(noted.over, 6_530);

    // In vain: then it is asked as any other for a minute, for two, ...
    let scene = Scene { until: 400_000, holding: true, ..Scene::default() };
    let noted = scene.carry(move |what, ms| match what {
        what if what.starts_with("hold") => (3_000, Err("503")),
        what if what.ends_with("v.m3u8") => held(what, ms),
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("hold"), [30, 64_011, 187_983]);
}

#[test]
fn what_a_source_answers_after_it_was_left_is_no_news() {
    let scene = Scene {
        sources: vec!["http://a/main.m3u8", "http://b/main.m3u8"],
        until: 20_000,
        of: |it| it.options.fallback_after_seconds = 4,
        ..Scene::default()
    };
    let noted = scene.carry(|what, ms| match ms {
        5_000..30_000 if what == "get a/v.m3u8" => (5_000, Ok(recording(50, ""))),
        _ => steady(what, ms),
    });
    // The answer to what was asked at 6,050 comes at 11,050.
    assert_eq!(noted.only(&["say fallback"]), "8060 say fallback source 1 is carried\n");
    assert_eq!(noted.progress.status, Status::Running);
    assert_eq!(noted.moments("get b/v.m3u8").last(), Some(&18_047));
}

#[test]
fn a_segment_is_not_stored_elsewhere_with_another_key_than_it_was_stored_with() {
    let scene = Scene {
        output: OutputKind::WebDav,
        endpoints: 2,
        until: 9_000,
        again: Some(3_000),
        ..Scene::default()
    };
    let noted = scene.carry(|what, ms| match what {
        "get a/k" if ms < 3_000 => (10, Ok("sixteen bytes...".to_owned())),
        "get a/k" => (10, Ok("sixteen others..".to_owned())),
        "get a/v.m3u8" => {
            let (after, text) = steady(what, ms);
            (
                after,
                text.map(|it| {
                    it.replacen("#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXTINF", 1)
                }),
            )
        }
        what if ms < 3_000 && what.starts_with("put 1") => (10, Err("503")),
        _ => steady(what, ms),
    });
    for segment in 2..=5 {
        let name = format!("video-9_1800000000_{segment}.ts");
        assert_eq!(noted.moments(&format!("put 1 {name}")), [0; 0], "{segment}");
        assert_eq!(noted.moments(&format!("put 0 {name}")).len(), 1, "{segment}");
    }
    assert_eq!(noted.moments("_6.ts"), [4_050, 4_050]);
}

#[test]
fn each_segment_costs_one_write_however_few_are_listed() {
    let scene = || Scene { until: 9_000, of: |it| it.window_seconds = None, ..Scene::default() };
    let noted = scene().carry(|what, ms| match what {
        "get a/v.m3u8" => {
            let first = ms / 2_000;
            let of = |n| format!("#EXTINF:2,\n{n}.ts\n");
            let listed: String = (first..first + 3).map(of).collect();
            let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:";
            (10, Ok(format!("{head}{first}\n{listed}")))
        }
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("commit"), [20, 50, 80, 2_067, 4_070, 6_080, 8_034]);
    // Nor does a playlist that cannot be stored cost more.
    let noted = scene().carry(|what, ms| match ms {
        2_000..5_000 if what == "put 0 video-9.m3u8" => (10, Err("503")),
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("commit"), [20, 50, 80, 2_067, 5_887, 6_080, 8_034]);
    let noted = scene().carry(|what, ms| match ms {
        0..5_000 if what == "put 0 video-9.m3u8" => (10, Err("503")),
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("commit"), [20, 50, 3_870, 4_160, 5_970, 6_080, 8_034]);
}

#[test]
fn an_endpoint_that_lacks_half_is_not_called_too_slow() {
    for (hanging, slow) in [(2, false), (3, true)] {
        let scene = Scene { until: 30_000, of: |it| it.start = Start::Window, ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            "get a/v.m3u8" => (10, Ok(recording(4, "").replace("#EXT-X-ENDLIST\n", ""))),
            what if (4 - hanging..4).any(|n| what.ends_with(&format!("00_{n}.ts"))) => {
                (60_000, Ok(String::new()))
            }
            _ => steady(what, ms),
        });
        let reason = noted.progress.reason.unwrap();
        assert_eq!(reason.contains("too slow"), slow, "{hanging}: {reason}");
    }
}

#[test]
fn what_says_the_same_as_before_is_rendered_once_and_not_stored() {
    let noted = Scene { until: 80_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/main.m3u8" if ms > 30_000 => {
            (10, Ok(variants(&["v"]).replace("v.m3u8", "./v.m3u8?x")))
        }
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("put 0 channel.m3u8"), [70]);
    let same = Scene { until: 80_000, ..Scene::default() }.carry(steady);
    assert_eq!(noted.renderings, same.renderings + 1);
}

#[test]
fn what_is_being_deleted_is_not_deleted_twice() {
    let scene = Scene {
        output: OutputKind::WebDav,
        until: 24_000,
        of: |it| it.window_seconds = Some(6),
        ..Scene::default()
    };
    let noted = scene.carry(|what, ms| match what {
        what if what.starts_with("delete") => (5_000, Ok(String::new())),
        _ => steady(what, ms),
    });
    let wanted = "
        12091 delete 0 video-9_1800000000_2.ts
        18058 delete 0 video-9_1800000000_3.ts
        23058 delete 0 video-9_1800000000_4.ts";
    is(&noted, &["delete"], wanted, "deletes of five seconds");
}

#[test]
fn a_server_that_cannot_hold_its_answer_back_is_not_asked_to() {
    let noted = Scene { holding: true, ..Scene::default() }.carry(steady);
    assert_eq!(noted.only(&["hold"]), "");
}

#[test]
fn a_source_goes_on_where_it_lists_one_segment_or_none_or_an_old_copy_comes() {
    for how in ["one", "none", "an old copy"] {
        let noted = Scene { until: 50_000, ..Scene::default() }.carry(move |what, ms| match how {
            "one" if what == "get a/v.m3u8" => {
                let newest = ms / 2_000;
                (10, Ok(format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{newest}\n#EXTINF:2,\n{newest}.ts\n")))
            }
            "none" if what == "get a/v.m3u8" && (5_000..40_000).contains(&ms) => {
                (10, Ok("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:6\n".to_owned()))
            }
            "none" if what == "get a/v.m3u8" && ms >= 40_000 => steady(what, ms - 34_000),
            "an old copy" if (30_000..30_500).contains(&ms) => steady(what, 16_000),
            "an old copy" if (44_000..44_500).contains(&ms) => steady(what, 4_000),
            _ => steady(what, ms),
        });
        assert_eq!(noted.only(&["say source"]), "", "{how}");
        assert_eq!((noted.progress.jumps, noted.progress.missed), (0, 0), "{how}");
    }
}

#[test]
fn the_lag_is_that_of_the_newest_segment() {
    let slow = Scene { until: 9_000, ..Scene::default() }.carry(|what, ms| match what {
        "put 0 video-9.m3u8" => (2_500, Ok(String::new())),
        _ => steady(what, ms),
    });
    // The last of those that are stored all the time.
    assert_eq!(slow.progress.lag_ms, Some(1_540));
    let anew = Scene { until: 9_500, ..Scene::default() }.carry(|what, ms| match ms {
        6_500.. if what == "get a/v.m3u8" => {
            let (after, text) = steady(what, ms - 6_000);
            (after, text.map(|text| text.replace(".ts", "x.ts")))
        }
        6_500.. if what.starts_with("put") => (500, Ok(String::new())),
        _ => steady(what, ms),
    });
    assert_eq!(anew.progress.lag_ms, Some(1_240));
}

#[test]
fn what_is_slower_than_the_source_publishes_is_listed_all_the_same() {
    for (slow, crowded, who) in [
        (&["get a/v/"][..], false, "source is too slow"),
        (&["get a/v/"], true, "there is no room in memory for more segments"),
        (&["put 0 video-9_"], true, "endpoint https"),
        // Where both take as long it is said of the endpoint.
        (&["get a/v/", "put 0 video-9_"], false, "endpoint https"),
    ] {
        let of = |it: &mut Session| it.concurrency = 1;
        let scene = Scene { until: 60_000, crowded, of, ..Scene::default() };
        let noted = scene.carry(move |what, ms| {
            let (after, answer) = steady(what, ms);
            let is_slow = slow.iter().any(|slow| what.starts_with(slow)) && ms > 10_000;
            let after = if is_slow { 7_000 / slow.len() as u64 } else { after };
            (after, answer.map(|it| it.replace("EXTINF:2,\n", "EXTINF:2,\nv/")))
        });
        let progress = &noted.progress;
        let stored = noted.moments("put 0 video-9.m3u8");
        let rests = stored.windows(2).map(|two| two[1] - two[0]).max();
        assert!(rests < Some(15_000) && progress.missed > 9, "{slow:?}: {stored:?}");
        assert_eq!(progress.status, Status::Degraded, "{slow:?}");
        let reason = progress.reason.as_deref().unwrap_or_default();
        assert!(reason.starts_with(who), "{slow:?}: {reason}");
    }
}

#[test]
fn a_source_that_hangs_is_told_and_not_the_endpoint_that_waits_for_it() {
    let noted = Scene { until: 40_000, ..Scene::default() }.carry(|what, ms| match what {
        what if ms > 10_000 && what.starts_with("get") && what.ends_with(".ts") => {
            (90_000, Err("nothing for 90 s"))
        }
        _ => steady(what, ms),
    });
    let reason = noted.progress.reason.unwrap();
    assert!(reason.starts_with("source is too slow"), "{reason}");
}

#[test]
fn an_endpoint_is_not_too_slow_while_nothing_is_sent_to_it() {
    let noted = Scene { until: 60_000, ..Scene::default() }.carry(|what, ms| match what {
        "commit" if ms < 1_000 => (8_000, Ok(String::new())),
        what if what.starts_with("put") && what.ends_with(".ts") => (90_000, Ok(String::new())),
        _ => steady(what, ms),
    });
    let told = noted.moments("say session is degraded: endpoint");
    assert!(told[0] >= 20_000, "{told:?}");
}

#[test]
fn a_source_is_excused_for_four_seconds_when_the_clock_was_set() {
    let set = Some((Micros::from_secs(10), Micros::from_secs(3_600)));
    let scene = Scene { until: 40_000, set, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        what if what.ends_with(".m3u8") && what.starts_with("get") => steady(what, ms.min(9_000)),
        _ => steady(what, ms),
    });
    let noticed = noted.requests.iter().find(|(at, _)| *at > 3_600_000).unwrap().0;
    assert_eq!(noted.moments("report degraded"), [noticed + 4_000], "{}", noted.only(&["say"]));
}

#[test]
fn an_old_copy_is_one_for_however_long_it_comes_where_dates_say_so() {
    let listed = |last: u64, dated: bool| {
        let date = |n: u64| match dated {
            true => format!("#EXT-X-PROGRAM-DATE-TIME:2026-11-21T08:00:{:02}Z\n", n * 2),
            false => String::new(),
        };
        let of = |n| format!("{}#EXTINF:2,\n{n}.ts\n", date(n));
        let all: String = (0..=last).map(of).collect();
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{all}")
    };
    for (dated, anew) in [(true, 0), (false, 1)] {
        let noted = Scene { until: 50_000, ..Scene::default() }.carry(move |what, ms| match what {
            "get a/v.m3u8" if (10_000..40_000).contains(&ms) => (10, Ok(listed(3, dated))),
            "get a/v.m3u8" => (10, Ok(listed(4 + ms / 2_000, dated))),
            _ => steady(what, ms),
        });
        assert_eq!(noted.moments("afresh").len(), anew, "{dated}: {}", noted.only(&["say"]));
    }
}

#[test]
fn an_endpoint_that_takes_segments_and_no_playlist_is_not_well() {
    let scene = Scene { until: 30_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match ms {
        5_000..20_000 if what == "put 0 video-9.m3u8" => (10, Err("500")),
        _ => steady(what, ms),
    });
    let said = noted.moments("say session");
    assert_eq!(noted.moments("report running").len(), 2, "{said:?}");
    assert_eq!(noted.moments("report degraded").len(), 1, "{said:?}");
    assert_eq!(noted.progress.missed, 0);
}

#[test]
fn an_endpoint_that_returns_is_seen_within_two_target_durations() {
    for (target, up) in [(1, 6_900), (1, 9_000), (1, 20_000), (2, 20_000), (6, 20_000)] {
        let noted = Scene { endpoints: 2, until: 26_000, ..Scene::default() }.carry(
            move |what, ms| match (what, ms) {
                ("get a/v.m3u8", _) => {
                    let text = live(ms / 500 / target, 0, |_| String::new()).unwrap();
                    let text = text.replace("DURATION:2", &format!("DURATION:{target}"));
                    (10, Ok(text.replace("INF:2", &format!("INF:{target}"))))
                }
                (_, at) if (3_000..up).contains(&at) && what.starts_with("put 1") => {
                    (10, Err("503"))
                }
                _ => steady(what, ms),
            },
        );
        let seen = noted.moments("put 1").into_iter().find(|at| *at >= up).unwrap();
        let longest = (target * 2_000).min(4_000) + 50;
        assert!(seen < up + longest, "{target} s: up at {up}, seen at {seen}");
    }
}
