//! Other sources, which are not always like the first.

use crate::noted::{Noted, Scene};
use crate::timetables::{Answer, is, steady, variants};
use relay::progress::Status;
use relay::session::Session;

/// Three sources, or fewer, of which the first is gone from the fifth second on.
fn carry(
    sources: &[&'static str],
    until: u64,
    script: impl Fn(&str, u64) -> Answer + Send + Sync + 'static,
) -> Noted {
    let scene = Scene {
        sources: sources.to_vec(),
        until,
        of: |it| {
            it.options.fallback_after_seconds = 4;
            it.options.return_after_seconds = Some(5);
        },
        ..Scene::default()
    };
    scene.carry(script)
}

const A: &str = "http://a/main.m3u8";
const B: &str = "http://b/main.m3u8";
const C: &str = "http://c/main.m3u8";

/// A media playlist that MediaPackage does not take.
fn fragments(what: &str, ms: u64) -> Answer {
    let (after, text) = steady(what, ms);
    let map = "#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,";
    (after, text.map(|text| text.replacen("#EXTINF:2,", map, 1).replace(".ts", ".m4s")))
}

#[test]
fn a_fallback_that_the_output_does_not_take_is_passed_over() {
    for how in ["its segments", "its codecs", "its address"] {
        let noted = carry(&[A, B, C], 20_000, move |what, ms| match what {
            what if what.starts_with("get a") && ms >= 5_000 => (10, Err("503")),
            "get b/main.m3u8" if how == "its codecs" => {
                (10, Ok(variants(&["v"]).replace("=9", "=9,CODECS=\"vp09.00\"")))
            }
            "get b/main.m3u8" if how == "its address" => (10, Err("refused")),
            "get b/v.m3u8" => fragments(what, ms),
            _ => steady(what, ms),
        });
        let taken = noted.only(&["fallback source"]);
        let mut said = taken.lines().map(|line| line.split_once(' ').unwrap().1);
        assert_eq!(said.next(), Some("say fallback source 1 is carried"), "{how}");
        let passed = said.next().unwrap();
        assert!(passed.starts_with("say fallback source 1 is passed over: "), "{how}: {passed}");
        assert_eq!(said.next(), Some("say fallback source 2 is carried"), "{how}");
        assert_eq!((said.next(), noted.progress.status), (None, Status::Running), "{how}");
    }
}

#[test]
fn the_first_source_is_waited_for_where_the_output_takes_no_other() {
    let noted = carry(&[A, B], 40_000, |what, ms| match what {
        what if what.starts_with("get a") && (5_000..30_000).contains(&ms) => (10, Err("503")),
        "get b/v.m3u8" => fragments(what, ms),
        _ => steady(what, ms),
    });
    let wanted = "
        8060 say fallback source 1 is carried
        8090 say fallback source 1 is passed over: mediapackage does not take this source: segments are fMP4, and only TS is taken: video-9
        8090 say the first source is carried";
    is(&noted, &["say fallback", "say the first"], wanted, "one other");
    assert_eq!(noted.progress.status, Status::Running, "{:?}", noted.progress.reason);
    assert!(noted.moments("put 0 video-9.m3u8").last() > Some(&38_000));
}

#[test]
fn a_fallback_that_gives_nothing_is_left_as_soon_as_the_first_source_is_well() {
    let of = |it: &mut Session| {
        it.options.fallback_after_seconds = 20;
        it.options.return_after_seconds = Some(30);
    };
    let scene = Scene { sources: vec![A, B], until: 60_000, of, ..Scene::default() };
    let noted = scene.carry(|what, ms| match what {
        what if what.starts_with("get a") && (5_000..26_000).contains(&ms) => (10, Err("503")),
        what if what.starts_with("get b") => (10, Err("503")),
        _ => steady(what, ms),
    });
    let wanted = "
        90 report running
        6570 report degraded
        24060 say fallback source 1 is carried
        34090 report running
        34100 say the first source is carried";
    is(&noted, &["report", "say fallback", "say the first"], wanted, "nothing there");
}

#[test]
fn what_an_output_did_not_take_of_one_source_is_carried_of_another() {
    let subtitled = "#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"s\",URI=\"s.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=9,SUBTITLES=\"s\"\nv.m3u8\n";
    let noted = carry(&[A, B], 60_000, move |what, ms| match what {
        what if what.starts_with("get a") && (5_000..20_000).contains(&ms) => (10, Err("503")),
        what if what.ends_with("main.m3u8") => (10, Ok(subtitled.to_owned())),
        "get b/s.m3u8" => fragments(what, ms),
        "get a/s.m3u8" => {
            let (after, text) = steady(what, ms);
            (after, text.map(|text| text.replace(".ts", ".vtt")))
        }
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("say subtitles-s-s is left out").len(), 1);
    assert!(noted.progress.left_out.is_empty(), "{:?}", noted.progress.left_out);
    assert!(noted.moments("put 0 subtitles-s-s.m3u8").last() > Some(&58_000));
}

#[test]
fn the_first_source_is_returned_to_whatever_its_multivariant_playlist_is_like() {
    for (how, main) in [
        (
            "variables",
            "#EXTM3U\n#EXT-X-DEFINE:NAME=\"p\",VALUE=\"v\"\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{$p}.m3u8\n",
        ),
        (
            "a variant that is gone",
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=8\nw.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n",
        ),
    ] {
        let noted = carry(&[A, B], 60_000, move |what, ms| match what {
            what if what.starts_with("get a") && (5_000..20_000).contains(&ms) => (10, Err("503")),
            "get a/main.m3u8" => (10, Ok(main.to_owned())),
            "get a/w.m3u8" => (10, Err("404")),
            _ => steady(what, ms),
        });
        assert_eq!(noted.moments("say the first source").len(), 1, "{how}");
    }
}

#[test]
fn a_first_source_that_was_passed_over_is_returned_to_after_ten_minutes_at_the_earliest() {
    let noted = carry(&[A, B], 640_000, |what, ms| match what {
        // By the end it is one that the output takes.
        "get a/v.m3u8" if ms < 300_000 => fragments(what, ms),
        _ => steady(what, ms),
    });
    assert_eq!(noted.moments("say the first source is passed over: ").len(), 1);
    let [returned] = noted.moments("say the first source is carried")[..] else {
        panic!("{}", noted.only(&["source"]));
    };
    assert!((600_000..620_000).contains(&returned), "{returned}");
}

#[test]
fn a_source_that_is_a_single_media_playlist_goes_on_as_what_was_carried_and_is_gone_on_from() {
    for (single, name) in [("b", "video-9"), ("a", "video")] {
        let noted = carry(&[A, B], 18_000, move |what, ms| match what {
            what if what.starts_with("get a") && ms >= 5_000 => (10, Err("503")),
            what if what == format!("get {single}/main.m3u8") => steady("get v.m3u8", ms),
            what if what.ends_with("main.m3u8") => (10, Ok(variants(&["u", "v"]))),
            _ => steady(what, ms),
        });
        // The largest goes on where there is one name.
        let name = if single == "b" { "video-10" } else { name };
        let text = &noted.stored[&format!("0 channel_{name}.m3u8")];
        assert!(text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
        assert!(noted.moments(&format!("put 0 {name}.m3u8")).last() > Some(&15_000), "{single}");
        let multivariant = &noted.stored["0 channel.m3u8"];
        let named: Vec<_> = multivariant.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(named, [format!("channel_{name}.m3u8")], "{multivariant}");
    }
}

#[test]
fn a_source_that_has_ended_is_carried_to_its_end_however_long_that_takes() {
    let noted = carry(&[A, B], 60_000, |what, ms| match what {
        "get a/v.m3u8" | "get b/v.m3u8" => {
            let (after, text) = steady(what, 0);
            (after, text.map(|text| text + "#EXT-X-ENDLIST\n"))
        }
        _ if what.starts_with("put 0 video-9_") => (9_000, Ok(String::new())),
        _ => steady(what, ms),
    });
    assert_eq!(noted.only(&["say fallback"]), "");
    assert_eq!(noted.progress.status, Status::Ended);
}
