//! What a session asks for, and in which millisecond: a request and its answer take ten.

use crate::noted::{Noted, Scene};
use crate::scripted::live;
use relay::session::Start;

pub type Answer = (u64, Result<String, &'static str>);

/// Sources with a segment every two seconds, of which they list five; all that is asked for is there.
pub fn steady(what: &str, ms: u64) -> Answer {
    let answer = match what {
        what if what.ends_with("/main.m3u8") => Ok(variants(&["v"])),
        what if what.starts_with("get") && what.ends_with(".m3u8") => {
            live(ms / 1_000, 0, |_| String::new()).map_err(|_| "")
        }
        _ => Ok("body".to_owned()),
    };
    (10, answer)
}

pub fn variants(names: &[&str]) -> String {
    let of = |(name, n): (&&str, u32)| format!("#EXT-X-STREAM-INF:BANDWIDTH={n}\n{name}.m3u8\n");
    let listed: String = names.iter().zip(9..).map(of).collect();
    format!("#EXTM3U\n{listed}")
}

/// Compares what was asked and said with lines that are indented here.
pub fn is(noted: &Noted, parts: &[&str], wanted: &str, case: &str) {
    let wanted: String = wanted
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(noted.only(parts), wanted, "{case}");
}

#[test]
fn a_calm_session_asks_for_each_thing_once_and_looks_when_something_is_due() {
    let noted = Scene::default().carry(steady);
    let wanted = "
        0 get a/main.m3u8
        10 get a/v.m3u8
        20 commit
        30 say joined video-9 at segment 2
        30 get a/2.ts
        30 get a/3.ts
        30 get a/4.ts
        40 put 0 video-9_1800000000_2.ts
        40 put 0 video-9_1800000000_3.ts
        40 put 0 video-9_1800000000_4.ts
        50 commit
        60 put 0 video-9.m3u8
        70 put 0 channel.m3u8
        80 commit
        90 report running
        100 say published at endpoint 0
        100 say session is running
        1020 get a/v.m3u8
        1530 get a/v.m3u8
        1785 get a/v.m3u8
        1913 get a/v.m3u8
        1977 get a/v.m3u8
        2037 get a/v.m3u8
        2047 get a/5.ts
        2057 put 0 video-9_1800000000_5.ts
        2067 commit
        2077 put 0 video-9.m3u8
        2087 say published at endpoint 0
        4040 get a/v.m3u8
        4050 get a/6.ts
        4060 put 0 video-9_1800000000_6.ts
        4070 commit
        4080 put 0 video-9.m3u8
        4090 say published at endpoint 0";
    is(&noted, &[""], wanted, "calm");
    let (progress, endpoint) = (&noted.progress, &noted.progress.endpoints[0]);
    assert_eq!((progress.segments, progress.bytes, progress.lag_ms), (5, 20, Some(40)));
    assert_eq!((noted.first.endpoints.len(), noted.renderings), (1, 8));
    assert_eq!((endpoint.segments, endpoint.bytes), (5, 20));
}

#[test]
fn what_takes_a_tenth_of_a_segment_longer_is_not_waited_for() {
    for (slow, wanted) in [
        (190, "2247 commit; 2257 put 0 video-10.m3u8; 2257 put 0 video-9.m3u8"),
        (200, "2257 commit; 2267 put 0 video-10.m3u8; 2267 put 0 video-9.m3u8"),
        (300, "2257 commit; 2267 put 0 video-9.m3u8; 2357 commit; 2367 put 0 video-10.m3u8"),
    ] {
        let noted = Scene { until: 2_900, ..Scene::default() }.carry(move |what, ms| match what {
            "get a/main.m3u8" => (10, Ok(variants(&["v", "w"]))),
            what if what.contains("put 0 video-10") && what.contains("_5.ts") => {
                (slow, Ok("x".to_owned()))
            }
            _ => steady(what, ms),
        });
        let since = noted.only(&["commit", "put"]);
        let since = since.split_once("video-9_1800000000_5.ts\n").unwrap().1;
        assert_eq!(since.trim().replace('\n', "; "), wanted, "{slow}");
    }
}

#[test]
fn an_endpoint_that_fails_is_tried_with_one_segment_ever_more_slowly() {
    let noted =
        Scene { endpoints: 2, until: 11_000, ..Scene::default() }.carry(|what, ms| match ms {
            2_000..8_000 if what.starts_with("put 1") => (10, Err("503")),
            _ => steady(what, ms),
        });
    let wanted = "
        40 put 1 video-9_1800000000_2.ts
        40 put 1 video-9_1800000000_3.ts
        40 put 1 video-9_1800000000_4.ts
        60 put 1 video-9.m3u8
        70 put 1 channel.m3u8
        90 report running
        100 say session is running
        2057 put 1 video-9_1800000000_5.ts
        2077 say endpoint https://on.example/channel: it answered 503
        2327 put 1 video-9_1800000000_5.ts
        2337 report degraded
        2347 say endpoint https://on.example/channel: it answered 503
        2347 say session is degraded: endpoint https://on.example/channel: it answered 503
        2847 put 1 video-9_1800000000_5.ts
        2857 say endpoint https://on.example/channel: it answered 503
        3867 put 1 video-9_1800000000_5.ts
        3877 say endpoint https://on.example/channel: it answered 503
        5887 put 1 video-9_1800000000_5.ts
        5897 say endpoint https://on.example/channel: it answered 503
        9907 put 1 video-9_1800000000_5.ts
        9917 report running
        9927 say session is running
        9937 put 1 video-9_1800000000_6.ts
        9937 put 1 video-9_1800000000_7.ts
        9937 put 1 video-9_1800000000_8.ts
        9957 put 1 video-9.m3u8
        10034 put 1 video-9_1800000000_9.ts
        10054 put 1 video-9.m3u8";
    is(&noted, &["put 1", "report", "say session", "say endpoint"], wanted, "the endpoint");
    // Nothing of it shows at the other.
    let alone = Scene { until: 11_000, ..Scene::default() }.carry(steady);
    assert_eq!(noted.only(&["put 0"]), alone.only(&["put 0"]));
    assert_eq!((noted.progress.segments, noted.progress.bytes), (8, 32), "each counts once");
    let [well, back] = &noted.progress.endpoints[..] else { panic!("there are two") };
    assert_eq!((well.segments, back.segments, back.bytes, back.behind), (8, 8, 32, 0));
    assert!(well.healthy && well.last_error.is_none() && back.healthy);
    assert!(back.last_error.is_some());
}

#[test]
fn an_endpoint_that_takes_three_seconds_for_a_segment_gets_one_at_a_time() {
    let scene = Scene { until: 12_000, of: |it| it.start = Start::Window, ..Scene::default() };
    let noted = scene.carry(|what, ms| match ms {
        0..3_000 if what.contains("put 0 video-9_") => (5_000, Ok(String::new())),
        3_000..7_000 if what.contains("put 0 video-9_") => (3_000, Ok(String::new())),
        _ if what.contains("put 0 video-9_") => (2_999, Ok(String::new())),
        _ => steady(what, ms),
    });
    let wanted = "
        40 put 0 video-9_1800000000_0.ts
        40 put 0 video-9_1800000000_1.ts
        40 put 0 video-9_1800000000_2.ts
        40 put 0 video-9_1800000000_3.ts
        3040 put 0 video-9_1800000000_0.ts
        5050 put 0 video-9_1800000000_5.ts
        8060 put 0 video-9_1800000000_6.ts
        11069 put 0 video-9_1800000000_7.ts
        11069 put 0 video-9_1800000000_8.ts
        11069 put 0 video-9_1800000000_9.ts";
    is(&noted, &["put 0 video-9_"], wanted, "the endpoint");
}

#[test]
fn a_store_that_is_away_is_asked_every_half_second_and_nothing_is_shown_before_it_answers() {
    for (how, wanted) in [
        (
            "throttled",
            "
            2057 put 0 video-9_1800000000_5.ts
            2067 commit
            2077 say store: throttled
            2077 say session is degraded: store: throttled
            2567 commit
            2577 say store: throttled
            3067 commit
            3077 say store: throttled
            3567 commit
            3577 say session is running
            3577 put 0 video-9.m3u8",
        ),
        // What was said to have failed had not.
        (
            "lost",
            "
            2057 put 0 video-9_1800000000_5.ts
            2067 commit
            2077 say store: lost
            2077 say session is degraded: store: lost
            2567 commit
            2577 report degraded
            2587 put 0 video-9.m3u8
            3067 report degraded
            3567 report degraded",
        ),
    ] {
        let noted = Scene { until: 4_000, ..Scene::default() }.carry(move |what, ms| match ms {
            2_000..3_500 if what == "commit" || what.starts_with("report") => (10, Err(how)),
            _ => steady(what, ms),
        });
        let noted = Noted {
            requests: noted.requests.into_iter().filter(|(at, _)| *at > 2_050).collect(),
            ..noted
        };
        is(&noted, &["commit", "put", "report", "say store", "say session"], wanted, how);
    }
}

#[test]
fn what_another_run_committed_is_gone_on_from() {
    let noted = Scene { until: 3_000, ..Scene::default() }.carry(|what, ms| match ms {
        2_060..2_070 if what == "commit" => (10, Err("conflict")),
        _ => steady(what, ms),
    });
    let wanted = "
        2037 get a/v.m3u8
        2047 get a/5.ts
        2057 put 0 video-9_1800000000_5.ts
        2067 commit
        2077 get a/v.m3u8
        2087 get a/5.ts
        2097 put 0 video-9_1800000000_5.ts
        2107 commit
        2117 put 0 video-9.m3u8";
    let noted = Noted {
        requests: noted.requests.into_iter().filter(|(at, _)| *at > 2_000).collect(),
        ..noted
    };
    is(&noted, &["get", "commit", "put"], wanted, "after the conflict");
}

#[test]
fn a_run_that_is_to_finish_settles_what_is_under_way_and_begins_nothing() {
    for (until, finish, slow, over, wanted) in [
        // Its time is up before all is published.
        (
            35,
            60,
            10,
            60,
            "40 put 0 video-9_1800000000_2.ts; 40 put 0 video-9_1800000000_3.ts; \
            40 put 0 video-9_1800000000_4.ts; 50 commit; 60 put 0 video-9.m3u8",
        ),
        (
            35,
            1_000,
            2_000,
            1_000,
            "40 put 0 video-9_1800000000_2.ts; \
            40 put 0 video-9_1800000000_3.ts; 40 put 0 video-9_1800000000_4.ts",
        ),
        // It is over when all is.
        (
            35,
            1_000,
            100,
            370,
            "40 put 0 video-9_1800000000_2.ts; \
            40 put 0 video-9_1800000000_3.ts; 40 put 0 video-9_1800000000_4.ts; 140 commit; \
            150 put 0 video-9.m3u8; 250 put 0 channel.m3u8; 350 commit; 360 report running",
        ),
        (2_060, 9_000, 10, 2_087, "2067 commit; 2077 put 0 video-9.m3u8"),
        (3_000, 9_000, 10, 3_000, ""),
        // The source would be looked at at 4,040.
        (
            2_060,
            9_000,
            2_500,
            9_000,
            "2540 commit; 2550 put 0 video-9.m3u8; 4557 commit; 5050 put 0 channel.m3u8; \
             7550 commit; 7560 report running; 7570 put 0 video-9.m3u8",
        ),
    ] {
        let scene = Scene { until, finish: Some(finish), ..Scene::default() };
        let noted = scene.carry(move |what, ms| match what {
            what if what.starts_with("put") => (slow, Ok(String::new())),
            _ => steady(what, ms),
        });
        let since = noted.requests.iter().filter(|(at, _)| *at >= until);
        let since: Vec<String> = since.map(|(at, what)| format!("{at} {what}")).collect();
        assert_eq!((noted.over, since.join("; ").as_str()), (over, wanted), "{until}, {finish}");
    }
}

#[test]
fn a_source_that_is_gone_is_left_and_is_returned_to_when_it_has_been_well_for_long() {
    let scene = Scene {
        sources: vec!["http://a/main.m3u8", "http://b/main.m3u8"],
        until: 40_000,
        of: |it| {
            it.options.fallback_after_seconds = 4;
            it.options.return_after_seconds = Some(12);
        },
        ..Scene::default()
    };
    let noted = scene.carry(|what, ms| match ms {
        5_000..15_000 if what.starts_with("get a") => (10, Err("503")),
        _ => steady(what, ms),
    });
    // It listed something new at 4,050. What it lists is read every five seconds from then on: it was first well
    // at 23,070, and 12 s later by 38,070.
    let wanted = "
        0 get a/main.m3u8
        100 say session is running
        6580 say session is degraded: playlist of video-9: origin answered 503
        6580 get a/main.m3u8
        7090 get a/main.m3u8
        7580 get a/main.m3u8
        8060 say fallback source 1 is carried
        8060 get b/main.m3u8
        8100 say source numbers video-9 afresh
        8100 say session is running
        13050 get a/main.m3u8
        18050 get a/main.m3u8
        23050 get a/main.m3u8
        28050 get a/main.m3u8
        33050 get a/main.m3u8
        38050 get a/main.m3u8
        38080 say the first source is carried
        38080 get a/main.m3u8
        38115 say source numbers video-9 afresh";
    let told = ["main.m3u8", "say source numbers", "say fallback", "say the", "say session"];
    is(&noted, &told, wanted, "fallback");
}

#[test]
fn a_first_source_that_stands_still_or_fails_is_not_returned_to() {
    for how in ["stands still", "fails", "returns", "hesitates"] {
        let scene = Scene {
            sources: vec!["http://a/main.m3u8", "http://b/main.m3u8"],
            until: 100_000,
            of: |it| {
                it.options.fallback_after_seconds = 4;
                it.options.return_after_seconds = Some(22);
            },
            ..Scene::default()
        };
        let noted = scene.carry(move |what, ms| match (how, ms) {
            (_, 5_000..15_000) if what.starts_with("get a") => (10, Err("503")),
            // In the twenty seconds before it would be returned to.
            ("stands still", 25_000..) if what.starts_with("get a") => steady(what, 25_000),
            ("hesitates", 28_000..41_000) if what.starts_with("get a") => steady(what, 28_000),
            ("fails", 37_000..39_000) if what.starts_with("get a") => (10, Err("503")),
            _ => steady(what, ms),
        });
        let back = match how {
            "stands still" => vec![],
            // It begins to count anew.
            "fails" => vec![73_090],
            _ => vec![48_080],
        };
        assert_eq!(noted.moments("say the first source"), back, "{how}");
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_tried_again_and_left_out_when_it_is_gone() {
    for (how, wanted) in [
        // The newest may be listed a moment before it is there.
        (
            "404",
            "
            4050 get a/6.ts
            4060 say segment 6 of video-9: origin answered 404
            4560 get a/6.ts
            4580 say segment 6 of video-9: origin answered 404
            4580 say session is degraded: segment 6 of video-9: origin answered 404
            5570 get a/6.ts
            5580 say segment 6 of video-9: origin answered 404
            6060 get a/7.ts
            6070 get a/6.ts
            6100 say segment 6 of video-9 is left out: origin answered 404
            6100 say session is running",
        ),
        (
            "410",
            "
            4050 get a/6.ts
            4060 say segment 6 of video-9 is left out: origin answered 410
            6060 get a/7.ts",
        ),
        // In the end the source does not list it any more.
        (
            "503",
            "
            4050 get a/6.ts
            4060 say segment 6 of video-9: origin answered 503
            4560 get a/6.ts
            4580 say segment 6 of video-9: origin answered 503
            4580 say session is degraded: segment 6 of video-9: origin answered 503
            5570 get a/6.ts
            5580 say segment 6 of video-9: origin answered 503
            6060 get a/7.ts
            7580 get a/6.ts
            7590 say segment 6 of video-9: origin answered 503
            9590 get a/6.ts
            9600 say segment 6 of video-9: origin answered 503
            11600 get a/6.ts
            11610 say segment 6 of video-9: origin answered 503
            13610 get a/6.ts
            13620 say segment 6 of video-9: origin answered 503
            14094 say session is running",
        ),
    ] {
        let noted = Scene { until: 20_000, ..Scene::default() }.carry(move |what, ms| match what {
            "get a/6.ts" => (10, Err(how)),
            _ => steady(what, ms),
        });
        let told = ["a/6.ts", "a/7.ts", "say segment", "say session is degraded"];
        let running = "say session is running";
        let first = noted.requests.iter().position(|(_, what)| what == running).unwrap();
        let mut requests = noted.requests.clone();
        drop(requests.remove(first));
        is(&Noted { requests, ..noted }, &[&told[..], &[running]].concat(), wanted, how);
    }
}

#[test]
fn a_media_playlist_alone_gets_the_bandwidth_of_its_first_segment() {
    let scene = Scene { sources: vec!["http://a/v.m3u8"], until: 7_000, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        what if what.starts_with("get") && what.ends_with(".ts") => {
            (10, Ok("G".repeat(2_001 + usize::try_from(ms).unwrap())))
        }
        _ => steady(what, ms),
    });
    // 2,021 bytes in two seconds; those that are larger come later.
    assert!(noted.stored["0 channel.m3u8"].contains("BANDWIDTH=8084\n"), "{:?}", noted.stored);
    assert_eq!(noted.moments("put 0 channel.m3u8"), [60], "once");
}

#[test]
fn the_multivariant_playlist_is_read_every_minute_and_after_errors_ever_more_slowly() {
    let noted = Scene { until: 140_000, ..Scene::default() }.carry(|what, ms| match (what, ms) {
        ("get a/main.m3u8", 0..3_000) => (10, Err("503")),
        ("get a/main.m3u8", 60_000..70_000) => (10, Ok("nonsense".to_owned())),
        // What is carried can go on.
        ("get a/main.m3u8", 70_000..74_000) => {
            (10, Ok(variants(&["v"]).replace("=9", "=9,CODECS=\"vp09.00\"")))
        }
        _ => steady(what, ms),
    });
    let wanted = "
        0 get a/main.m3u8
        10 report degraded
        20 say session is degraded: origin answered 503
        510 get a/main.m3u8
        1520 get a/main.m3u8
        3530 get a/main.m3u8
        3540 report starting
        3550 say session is starting
        3630 report running
        3640 say session is running
        63540 get a/main.m3u8
        64050 get a/main.m3u8
        64060 report degraded
        64070 say session is degraded: source playlist: line 1: not a playlist: the first line is not #EXTM3U
        65060 get a/main.m3u8
        67070 get a/main.m3u8
        71080 get a/main.m3u8
        76091 get a/main.m3u8
        76101 report running
        76111 say session is running
        136101 get a/main.m3u8";
    is(&noted, &["main", "report", "say session"], wanted, "the multivariant playlist");
    let last = &noted.progress.last_error.as_ref().unwrap().what;
    assert!(last.contains("codecs that are not taken: VP9"), "{last}");
}

#[test]
fn a_source_that_lists_nothing_new_is_told_after_twelve_seconds() {
    let noted = Scene { until: 40_000, ..Scene::default() }.carry(|what, ms| match ms {
        9_000..35_000 if what == "get a/v.m3u8" => steady(what, 8_000),
        _ => steady(what, ms),
    });
    let wanted = "
        90 report running
        100 say session is running
        20014 report degraded
        20024 say session is degraded: source has listed nothing new of video-9 for 12 s
        35864 report running
        35874 say session is running";
    is(&noted, &["report", "say session"], wanted, "the stall");
    // Soon after it was due, then every half target duration.
    let looks = noted.moments("get a/v");
    let around: Vec<u64> = looks.into_iter().filter(|at| (8_000..14_000).contains(at)).collect();
    assert_eq!(around, [8_004, 10_014, 10_074, 10_184, 10_394, 10_804, 11_614, 12_624, 13_634]);
}
