//! Sources whose playlists answer, and of which nothing comes all the same.

use crate::scripted::{MAIN, Outcome, World, live};
use relay::cause::Cause;
use relay::progress::Status;
use relay::session::OutputKind;
use url::Url;

/// What is wrong with a server: its playlists stand still, or what they name is not there.
const WRONGS: [&str; 5] = ["frozen", "segments 404", "segments 500", "keys", "maps"];

/// A server of which nothing comes from a second on, although its playlist answers.
fn dry(wrong: &str, from: u64, at: &str, second: u64) -> Result<String, u16> {
    let is_dry = second >= from;
    let lines = |number: u64| match wrong {
        "keys" => format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{number}.key\"\n"),
        "maps" => format!("#EXT-X-MAP:URI=\"{number}.map\"\n"),
        _ => String::new(),
    };
    match at.rsplit_once('.').unwrap().1 {
        "m3u8" if is_dry && wrong == "frozen" => live(from, 100, lines),
        "m3u8" => live(second, 100, lines),
        "ts" if is_dry && wrong == "segments 404" => Err(404),
        "ts" if is_dry && wrong == "segments 500" => Err(500),
        "key" if is_dry => Err(404),
        "map" if is_dry => Err(500),
        "key" => Ok("sixteen bytes...".to_owned()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    }
}

fn listed(outcome: &Outcome, name: &str) -> (usize, usize) {
    let text = outcome.shelf.text(name);
    let count = |part| text.lines().filter(|line| line.ends_with(part)).count();
    (count(".ts"), count("#EXT-X-DISCONTINUITY"))
}

#[test]
fn the_same_variant_elsewhere_is_read_when_nothing_comes_of_one_that_answers() {
    for wrong in WRONGS {
        let outcome = World::of(OutputKind::WebDav, 40).carry(move |at, second| match at {
            "a/main.m3u8" => Ok(format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=9\nhttp://b/v.m3u8\n")),
            _ if at.starts_with("a/") => dry(wrong, 12, at, second),
            _ => dry(wrong, 1_000, at, second),
        });
        let (segments, discontinuities) = listed(&outcome, "channel_video-9.m3u8");
        assert!(segments >= 22, "{wrong}: {segments} segments");
        assert_eq!((discontinuities, outcome.progress.missed), (0, 0), "{wrong}");
        let reason = &outcome.progress.reason;
        assert_eq!(outcome.progress.status, Status::Running, "{wrong}: {reason:?}");
    }
}

#[test]
fn another_source_takes_over_when_nothing_comes_of_one_that_answers() {
    for wrong in WRONGS {
        let mut world = World::of(OutputKind::WebDav, 60);
        world.sources.push(Url::parse("http://b/main.m3u8").unwrap());
        world.session.options.fallback_after_seconds = 10;
        // What answers and gives nothing has not returned.
        world.session.options.return_after_seconds = Some(5);
        let outcome = world.carry(move |at, second| match at {
            "a/main.m3u8" | "b/main.m3u8" => Ok(MAIN.to_owned()),
            _ if at.starts_with("a/") => dry(wrong, 20, at, second),
            _ => dry(wrong, 1_000, at, second),
        });
        let (segments, discontinuities) = listed(&outcome, "channel_video-9.m3u8");
        assert!(segments >= 22, "{wrong}: {segments} segments");
        assert_eq!(discontinuities, 1, "{wrong}");
        let reason = &outcome.progress.reason;
        assert_eq!(outcome.progress.status, Status::Running, "{wrong}: {reason:?}");
    }
}

#[test]
fn no_endpoint_is_to_blame_for_what_the_source_does_not_give() {
    for wrong in WRONGS {
        let outcome = World::of(OutputKind::WebDav, 60).carry(move |at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            _ => dry(wrong, 12, at, second),
        });
        let progress = &outcome.progress;
        let expected = if wrong == "frozen" { Cause::Stalled } else { Cause::Segment };
        assert_eq!(progress.causes, [expected].into(), "{wrong}: {:?}", progress.reason);
        assert_eq!(progress.endpoints[0].behind, 0, "{wrong}");
    }
}

#[test]
fn a_rendition_that_moves_is_followed_also_where_its_old_address_still_answers() {
    for wrong in WRONGS {
        let outcome = World::of(OutputKind::WebDav, 40).carry(move |at, second| match at {
            "a/main.m3u8" if second >= 12 => Ok(MAIN.replace("v.m3u8", "http://b/v.m3u8")),
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            _ if at.starts_with("a/") => dry(wrong, 12, at, second),
            _ => dry(wrong, 1_000, at, second),
        });
        let (segments, discontinuities) = listed(&outcome, "channel_video-9.m3u8");
        assert!(segments >= 22, "{wrong}: {segments} segments");
        assert_eq!((discontinuities, outcome.progress.missed), (0, 0), "{wrong}");
    }
}

#[test]
fn a_rendition_that_is_gone_for_a_while_is_carried_again_as_soon_as_it_is_back() {
    let outcome = World::of(OutputKind::WebDav, 60).carry(|at, second| {
        let gone = (12..22).contains(&second);
        match at {
            "a/main.m3u8" if gone => Ok(MAIN.to_owned()),
            "a/main.m3u8" => Ok(format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n")),
            "a/w.m3u8" if gone => Err(404),
            _ if at.ends_with(".m3u8") => live(second, 100, |_| String::new()),
            _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
        }
    });
    let (whole, other) =
        (listed(&outcome, "channel_video-9.m3u8"), listed(&outcome, "channel_video-5.m3u8"));
    // Its source lists ten seconds.
    assert!(other.0 + 2 >= whole.0, "{other:?} of {whole:?}");
    let looks = outcome.asked.iter().filter(|at| *at == "a/main.m3u8").count();
    assert!(looks <= 8, "{looks} looks");
}

#[test]
fn a_key_that_is_of_no_use_is_read_anew() {
    let outcome = World::of(OutputKind::WebDav, 40).carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |_| "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n".to_owned()),
        "a/k" if second < 8 => Ok("an answer".to_owned()),
        "a/k" => Ok("sixteen bytes...".to_owned()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    });
    let (segments, _) = listed(&outcome, "channel_video-9.m3u8");
    assert!(segments >= 18, "{segments} segments");
    assert_eq!(outcome.progress.status, Status::Running, "{:?}", outcome.progress.reason);
}
