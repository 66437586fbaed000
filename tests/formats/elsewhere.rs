//! When a session looks elsewhere for what it carries, in which millisecond, and when it stays where it is.

use crate::noted::{Noted, Scene};
use crate::timetables::{Answer, steady, variants};

/// A variant at two addresses.
const TWINS: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=9\nhttp://b/v.m3u8\n";

/// The looks at playlists of one address or another in their order, those in a row as one.
fn stays(noted: &Noted) -> Vec<&str> {
    let looks = noted.requests.iter().filter_map(|(_, what)| what.strip_prefix("get "));
    let mut stays: Vec<&str> =
        looks.filter(|at| at.contains("/v") && at.ends_with("m3u8")).collect();
    stays.dedup();
    stays
}

#[test]
fn what_stands_still_everywhere_is_looked_for_elsewhere_ever_more_slowly_until_something_comes() {
    let noted = Scene { until: 230_000, ..Scene::default() }.carry(|what, ms| match ms {
        _ if what == "get a/main.m3u8" => (10, Ok(TWINS.to_owned())),
        9_000..200_000 if what.ends_with(".m3u8") => steady(what, 8_000),
        210_000.. if what.ends_with(".m3u8") => steady(what, 210_000),
        _ => steady(what, ms),
    });
    // It listed something new at 8,014 and at 210,062.
    let turns = [12_014, 20_024, 36_014, 68_014, 128_014, 188_014, 214_062, 222_072];
    assert_eq!(noted.moments("get a/main"), [&[0][..], &turns].concat());
    let (a, b) = ("a/v.m3u8", "b/v.m3u8");
    assert_eq!(stays(&noted), [a, b, a, b, a, b, a, b, a]);
}

#[test]
fn an_address_that_gave_something_when_it_was_turned_to_is_left_as_soon_as_any_other() {
    let noted = Scene { until: 20_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/main.m3u8" => (10, Ok(TWINS.to_owned())),
        "get a/v.m3u8" if ms > 9_000 => steady(what, 8_000),
        "get b/v.m3u8" => (0, steady(what, 12_000).1),
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("get a/main"), [0, 12_014, 16_014]);
}

#[test]
fn what_works_keeps_its_address_whatever_is_listed() {
    let named = |address: &str| variants(&["v"]).replace("v.m3u8", address);
    type Script = fn(&str, u64) -> Answer;
    for (how, script) in [
        ("all is well", (|what, ms| steady(what, ms)) as Script),
        ("it stood still for a while", |what, ms| match ms {
            9_000..14_000 if what.ends_with("v.m3u8") => steady(what, 8_000),
            _ => steady(what, ms),
        }),
    ] {
        let noted =
            Scene { until: 140_000, ..Scene::default() }.carry(move |what, ms| match what {
                "get a/main.m3u8" if ms > 30_000 => (10, Ok(named("http://b/v.m3u8"))),
                _ => script(what, ms),
            });
        assert!(noted.moments("get a/main").len() > 1, "{how}");
        assert_eq!(stays(&noted), ["a/v.m3u8"], "{how}");
    }
}

#[test]
fn what_is_read_elsewhere_is_read_there_on_also_before_it_lists_something_new() {
    let noted = Scene { until: 20_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/main.m3u8" if ms > 5_000 => (2_000, Ok(TWINS.replace("v.m3u8", "vv.m3u8"))),
        "get a/main.m3u8" => (10, Ok(TWINS.to_owned())),
        "get a/v.m3u8" if ms > 5_000 => (10, Err("503")),
        "get b/v.m3u8" if ms < 9_000 => steady(what, 4_000),
        _ => steady(what, ms),
    });
    assert_eq!(stays(&noted), ["a/v.m3u8", "b/v.m3u8"]);
}

#[test]
fn a_rendition_that_was_named_a_moment_ago_is_missed_for_two_minutes() {
    let noted = Scene { until: 250_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/main.m3u8" if ms < 60_000 => (0, Ok(variants(&["v", "w"]))),
        "get a/main.m3u8" => (0, Ok(variants(&["v"]))),
        _ => steady(what, ms),
    });
    let missed = (60_000..=180_000).step_by(3_000);
    let wanted: Vec<u64> = [0].into_iter().chain(missed).chain([240_000]).collect();
    assert_eq!(noted.moments("get a/main"), wanted);
}

/// A source of five segments that are dated, which it numbers from so far `ahead` and gives this `name`.
fn dated(ms: u64, ahead: u64, name: &str) -> String {
    let first = ms / 2_000;
    let segment = |n: u64| {
        let second = n * 2;
        format!(
            "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T10:00:{second:02}Z\n#EXTINF:2,\n{name}{n}.ts\n"
        )
    };
    let lines: String = (first..first + 5).map(segment).collect();
    let first = first + ahead;
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{lines}")
}

#[test]
fn another_server_that_numbers_and_names_as_it_likes_goes_on_by_its_dates() {
    for (ahead, again) in [(37, None), (7_000, None), (7_000, Some(10_500))] {
        let noted =
            Scene { until: 30_000, again, ..Scene::default() }.carry(move |what, ms| match what {
                "get a/main.m3u8" => (10, Ok(TWINS.to_owned())),
                "get a/v.m3u8" if ms > 10_000 => (10, Err("404")),
                "get a/v.m3u8" => (10, Ok(dated(ms, 0, "a"))),
                "get b/v.m3u8" => (10, Ok(dated(ms, ahead, "b"))),
                _ => steady(what, ms),
            });
        let carried = noted.requests.iter().filter_map(|(_, what)| what.strip_suffix(".ts"));
        let carried: Vec<&str> = carried.filter_map(|what| what.strip_prefix("get ")).collect();
        let newest = carried.iter().filter(|it| it.starts_with("a/")).count() + 2;
        let wanted = (2..newest).map(|n| format!("a/a{n}"));
        let wanted = wanted.chain((newest..19).map(|n| format!("b/b{n}")));
        assert_eq!(carried, wanted.collect::<Vec<_>>(), "{ahead} {again:?}");
        let lost = (noted.progress.missed, noted.progress.jumps);
        assert_eq!(lost, (0, 0), "{ahead} {again:?}");
    }
}

#[test]
fn another_server_is_not_asked_by_a_version_that_it_never_gave() {
    let noted = Scene { until: 16_000, ..Scene::default() }.carry(|what, ms| {
        let version = |text: String| format!("etag {}: {text}", ms / 2_000);
        match what {
            "get a/main.m3u8" => (10, Ok(TWINS.to_owned())),
            "get a/v.m3u8" if ms > 6_000 => (10, Err("404")),
            "get a/v.m3u8" => (10, Ok(version(dated(ms, 0, "a")))),
            "get b/v.m3u8" => (10, Ok(version(dated(ms, 0, "a")))),
            _ => steady(what, ms),
        }
    });
    let first = noted.moments("get b/v.m3u8")[0];
    assert_eq!(noted.afresh, [0, 10, first], "{}", noted.only(&["m3u8"]));
}
