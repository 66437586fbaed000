//! Sources that come, go, move, and answer in ways of their own.

use crate::scripted::{Asked, MAIN, Outcome, World, live};
use hls::Micros;
use relay::progress::Status;
use relay::session::OutputKind;
use url::Url;

#[test]
fn the_same_variant_elsewhere_is_read_when_one_fails() {
    let outcome = World::of(OutputKind::WebDav, 40).carry(|at, second| match at {
        "a/main.m3u8" => Ok(format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=9\nhttp://b/v.m3u8\n")),
        "a/v.m3u8" if second >= 12 => Err(503),
        "a/v.m3u8" | "b/v.m3u8" => live(second, 100, |_| String::new()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    let segments = text.lines().filter(|line| line.ends_with(".ts")).count();
    assert!(segments >= 22, "{segments} segments:\n{text}");
    assert!(!text.contains("DISCONTINUITY"), "nothing is missing:\n{text}");
    assert_eq!(outcome.progress.jumps, 0);
    assert!(outcome.asked.iter().any(|at| at == "b/v.m3u8"));
}

/// A source at `a` that is gone for a while, and another at `b`, which numbers otherwise and has another bandwidth.
fn with_fallback(gone: std::ops::Range<u64>, returns: Option<u32>, seconds: u64) -> Outcome {
    let mut world = World::of(OutputKind::WebDav, seconds);
    world.sources.push(Url::parse("http://b/main.m3u8").unwrap());
    world.session.options.fallback_after_seconds = 10;
    world.session.options.return_after_seconds = returns;
    world.carry(move |at, second| match at {
        _ if at.starts_with("a/") && gone.contains(&second) => Err(503),
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "b/main.m3u8" => Ok(MAIN.replace("BANDWIDTH=9", "BANDWIDTH=12")),
        "a/v.m3u8" => live(second, 100, |_| String::new()),
        "b/v.m3u8" => live(second, 7, |_| String::new()),
        _ => Ok(at.to_owned()),
    })
}

/// The bodies that a playlist lists, in order, and how many discontinuities are among them.
fn bodies(outcome: &Outcome) -> (Vec<String>, usize) {
    let text = outcome.shelf.text("channel_video-9.m3u8");
    let segments = text.lines().filter(|line| line.ends_with(".ts"));
    let bodies = segments.map(|name| outcome.shelf.text(name)).collect();
    (bodies, text.lines().filter(|line| *line == "#EXT-X-DISCONTINUITY").count())
}

#[test]
fn another_source_takes_over_after_a_discontinuity() {
    let outcome = with_fallback(20..1_000, None, 60);
    let (bodies, discontinuities) = bodies(&outcome);
    assert_eq!(discontinuities, 1);
    let turn = bodies.iter().position(|body| body.starts_with("b/")).unwrap();
    let (before, after) = bodies.split_at(turn);
    assert!(before.len() > 10 && before.iter().all(|body| body.starts_with("a/")), "{bodies:?}");
    assert!(after.len() > 10 && after.iter().all(|body| body.starts_with("b/")), "{bodies:?}");
    assert_eq!(outcome.progress.status, Status::Running, "{:?}", outcome.progress.reason);
}

#[test]
fn a_clock_that_is_set_forward_is_no_fault_of_the_source() {
    let mut world = World::of(OutputKind::WebDav, 60);
    world.sources.push(Url::parse("http://b/main.m3u8").unwrap());
    world.set = Some((Micros::from_secs(20), Micros::from_secs(3_600)));
    let outcome = world.carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |_| String::new()),
        _ => Ok(at.to_owned()),
    });
    let (bodies, discontinuities) = bodies(&outcome);
    assert_eq!((discontinuities, outcome.progress.jumps), (0, 0), "{bodies:?}");
    assert!(bodies.len() > 30, "{bodies:?}");
    assert_eq!(outcome.progress.status, Status::Running, "{:?}", outcome.progress.reason);
    assert!(!outcome.said.iter().any(|it| it.contains("degraded")), "{:?}", outcome.said);
}

#[test]
fn the_first_source_returns_when_it_is_asked_to_and_has_been_well_for_long_enough() {
    for (returns, expected) in [(None, 1), (Some(10), 2)] {
        let outcome = with_fallback(20..50, returns, 120);
        let (bodies, discontinuities) = bodies(&outcome);
        assert_eq!(discontinuities, expected, "{returns:?}");
        let last = bodies.last().unwrap();
        assert_eq!(last.starts_with("a/"), returns.is_some(), "{bodies:?}");
    }
}

#[test]
fn renditions_come_and_go_while_the_session_runs() {
    let outcome = World::of(OutputKind::WebDav, 200).carry(|at, second| match at {
        "a/main.m3u8" => {
            let other = "#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n";
            let moved = MAIN.replace("v.m3u8", "moved/v.m3u8");
            Ok(match second {
                0..70 => MAIN.to_owned(),
                70..130 => format!("{MAIN}{other}"),
                _ => moved,
            })
        }
        "a/v.m3u8" if second >= 130 => Err(404),
        "a/v.m3u8" | "a/w.m3u8" | "a/moved/v.m3u8" => live(second, 100, |_| String::new()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    });
    let (first, other) =
        (outcome.shelf.text("channel_video-9.m3u8"), outcome.shelf.text("channel_video-5.m3u8"));
    let count = |text: &str| text.lines().filter(|line| line.ends_with(".ts")).count();
    assert!(count(&first) >= 95 && (10..60).contains(&count(&other)), "{first}\n{other}");
    assert!(!first.contains("#EXT-X-DISCONTINUITY\n"), "it moved, and lost nothing:\n{first}");
    assert!(!outcome.shelf.text("channel.m3u8").contains("video-5"));
    assert_eq!(outcome.progress.status, Status::Running, "{:?}", outcome.progress.reason);
}

#[test]
fn a_server_that_can_hold_its_answer_is_asked_once_a_segment_and_else_as_any_other() {
    let segments = 30;
    for (held, most_asked, most_held) in [
        (None, 150, 0),
        (Some(Asked::Holds), segments + 3, segments + 2),
        (Some(Asked::Hangs), 150, 2),
        (Some(Asked::Refuses), 150, 2),
        (Some(Asked::AnswersAtOnce), 150, 2),
    ] {
        let world = World { held, ..World::of(OutputKind::WebDav, 60) };
        let outcome = world.carry(|at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            "a/v.m3u8" => live(second, 100, |_| String::new()).map(|text| {
                let control =
                    "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12\n";
                text.replace("#EXTM3U\n", control)
            }),
            _ => Ok(at.to_owned()),
        });
        let looks = || outcome.asked.iter().filter(|at| at.starts_with("a/v.m3u8"));
        let waited = looks().filter(|at| at.contains("_HLS_msn=")).count();
        assert!(looks().count() <= most_asked, "{held:?}: {} looks", looks().count());
        assert!(waited <= most_held, "{held:?}: {waited} held");
        assert_eq!(waited > 0, held.is_some(), "{held:?}");
        let listed = outcome.progress.renditions[0].source_sequence;
        assert!(listed >= Some(100 + 29 + 4), "{held:?}: {listed:?}");
        let text = outcome.shelf.text("channel_video-9.m3u8");
        assert!(!text.contains("SERVER-CONTROL"), "{text}");
        assert_eq!(
            outcome.progress.status,
            Status::Running,
            "{held:?} {:?}",
            outcome.progress.reason
        );
    }
}

#[test]
fn playlists_that_are_made_for_each_reader_are_asked_for_once_while_they_last() {
    for (lasts, sessions, all) in [(1_000, 1, true), (70, 2, true), (70, 2, false)] {
        let outcome = World::of(OutputKind::WebDav, 130).carry(move |at, second| {
            let made = |at: &str| -> Option<u64> {
                at.strip_prefix("a/s")?.split('/').next()?.parse().ok()
            };
            match at {
                "a/main.m3u8" => Ok(format!("-> http://a/s{second}/main.m3u8")),
                // What is cached of it may be answered for longer than the rest.
                _ if made(at).is_some_and(|from| second >= from + lasts)
                    && (all || !at.ends_with("main.m3u8")) =>
                {
                    Err(403)
                }
                _ if at.ends_with("main.m3u8") => Ok(MAIN.to_owned()),
                _ if at.ends_with("v.m3u8") => live(second, 100, |_| String::new()),
                _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
            }
        });
        let made = outcome.asked.iter().filter(|at| *at == "a/main.m3u8").count();
        assert_eq!(made, sessions, "sessions that last {lasts} s");
        assert_eq!((outcome.progress.jumps, outcome.progress.status), (0, Status::Running));
    }
}

#[test]
fn renditions_number_and_cut_as_they_like_and_what_is_gone_of_them_holds_nothing_up() {
    let outcome = World::of(OutputKind::WebDav, 60).carry(|at, second| match at {
        "a/main.m3u8" => Ok("#EXTM3U\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"e\",URI=\"//b/e.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"e\",URI=\"/gone.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"a\",SUBTITLES=\"s\"\n./x/../v.m3u8\n"
            .to_owned()),
        // Segments of three seconds, which are numbered otherwise, and begin after another discontinuity.
        "b/e.m3u8" => {
            let first = 7 + second / 3;
            let listed: String =
                (first..first + 4).map(|n| format!("#EXTINF:3,\n{n}.aac\n")).collect();
            Ok(format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
                 #EXT-X-DISCONTINUITY-SEQUENCE:4711\n{listed}"
            ))
        }
        "a/v.m3u8" => live(second, 9_000, |_| String::new()),
        "a/gone.m3u8" => Err(404),
        _ => Ok(at.to_owned()),
    });
    let count = |name: &str, extension: &str| {
        let text = outcome.shelf.text(name);
        assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
        text.lines().filter(|line| line.ends_with(extension)).count()
    };
    assert!(count("channel_video-9.m3u8", ".ts") >= 33);
    assert!(count("channel_audio-a-e.m3u8", ".aac") >= 22);
    let sound = outcome.shelf.text("channel_audio-a-e.m3u8");
    assert!(sound.contains("#EXT-X-DISCONTINUITY-SEQUENCE:4711\n"), "{sound}");
    let main = outcome.shelf.text("channel.m3u8");
    assert!(main.contains("AUDIO=\"a\"") && !main.contains("SUBTITLES"), "{main}");
    assert_eq!((outcome.progress.jumps, outcome.progress.missed), (0, 0));
    let reason = outcome.progress.reason.unwrap_or_default();
    assert!(reason.contains("origin answered 404 for a/gone.m3u8"), "{reason}");
}
