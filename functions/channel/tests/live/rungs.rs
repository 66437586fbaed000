//! Which variant of a programme plays in which of a channel, and what is published of their bandwidths.

use crate::ladders::{mapped, video, vod_of};
use crate::vod::{EPOCH, moment, read_media};
use channel::{Ladder, Loop, Settings, tracks};
use hls::{Micros, Seconds};
use std::sync::Arc;

const AVC: &str = "avc1.640028,mp4a.40.2";

/// Two rungs of one height.
fn programme(low: u64, high: u64) -> Vec<String> {
    [low, high].map(|rate| video(&format!("x{rate}.ts"), rate, 720, AVC)).to_vec()
}

fn bandwidths(multivariant: &str) -> Vec<&str> {
    let lines = multivariant.lines().filter(|line| line.contains("STREAM-INF"));
    lines.filter_map(|line| line.split(['=', ',']).nth(1)).collect()
}

#[test]
fn a_programme_plays_in_the_rungs_that_are_its_own_whatever_richer_ones_play_there_too() {
    let settings =
        Settings { epoch: EPOCH, target_duration: Seconds(2), window: Micros::from_secs(20) };
    let [own, other] =
        [[1_500, 3_000], [2_500, 5_000]].map(|[low, high]| vod_of(&programme(low, high)));
    // As a channel is kept: raised when it is made.
    let mut ladder = own.ladder().clone();
    ladder.lift(&other, &tracks(&ladder, Seconds(2), &other).unwrap());
    let assets = [own, other].map(Arc::new);
    let channel = Loop::with_ladder(settings, ladder, assets.to_vec()).unwrap();
    for (rendition, expected) in [(0, "/x15000.ts /x25000.ts"), (1, "/x30000.ts /x25000.ts")] {
        let text = channel.media_playlist(rendition, moment(4_000), None).text;
        let segments = read_media(&text).segments;
        let names: Vec<&str> = segments.iter().map(|it| it.uri.as_str()).collect();
        assert!(names.join(" ").contains(expected), "{rendition}: {names:?}");
    }
    assert_eq!(bandwidths(&channel.multivariant()), ["2500", "3000"]);
}

#[test]
fn what_is_published_of_a_bandwidth_does_not_change_what_is_chosen_by_it() {
    let (own, rich) = (vod_of(&programme(1_500, 3_000)), vod_of(&programme(2_900, 9_000)));
    let chosen = |ladder: &Ladder, of| tracks(ladder, Seconds(2), of).unwrap();
    let mut ladder = own.ladder().clone();
    ladder.lift(&rich, &[Some(0), Some(1)]);
    assert_eq!(bandwidths(&ladder.multivariant()), ["2900", "9000"]);
    // Also when it was kept, and lifted again by what is not so rich.
    let kept = serde_json::to_string(&ladder).unwrap();
    let mut ladder: Ladder = serde_json::from_str(&kept).unwrap();
    ladder.lift(&own, &[Some(0), Some(1)]);
    assert_eq!(bandwidths(&ladder.multivariant()), ["2900", "9000"]);
    assert_eq!(chosen(&ladder, &own), [Some(0), Some(1)]);
    assert_eq!(chosen(&ladder, &rich), chosen(own.ladder(), &rich));
    // What was never lifted is kept as it was before.
    assert!(!serde_json::to_string(own.ladder()).unwrap().contains("peaks"));
}

#[test]
fn a_frame_rate_that_is_stated_is_that_of_the_fastest_programme() {
    let of = |rate: &str| {
        let mut rungs = programme(1_500, 3_000);
        rungs[1] = rungs[1].replacen("BANDWIDTH", &format!("{rate}BANDWIDTH"), 1);
        vod_of(&rungs)
    };
    for (own, other, expected) in [
        ("FRAME-RATE=25.000,", "FRAME-RATE=50.000,", Some("50.000")),
        ("FRAME-RATE=50.000,", "FRAME-RATE=29.970,", Some("50.000")),
        ("FRAME-RATE=25.000,", "FRAME-RATE=25,", Some("25.000")),
        ("FRAME-RATE=25.000,", "", Some("25.000")),
        ("", "FRAME-RATE=50.000,", None),
    ] {
        let mut ladder = of(own).ladder().clone();
        ladder.lift(&of(other), &[Some(0), Some(1)]);
        let text = ladder.multivariant();
        let stated = text.lines().filter_map(|line| line.split_once("FRAME-RATE=")).next();
        let stated = stated.map(|(_, rate)| rate.split(',').next().unwrap());
        assert_eq!(stated, expected, "{own} {other}: {text}");
        assert_eq!(text.matches("FRAME-RATE").count(), usize::from(expected.is_some()));
    }
}

#[test]
fn a_picture_of_the_range_of_a_variant_plays_in_it() {
    let ranged = |name: &str, rate: u64, height: u64, range: &str| {
        let range = if range.is_empty() { String::new() } else { format!(",VIDEO-RANGE={range}") };
        let line = video(name, rate, height, "hvc1.2.4.L123");
        line.replacen(",CODECS", &format!("{range},CODECS"), 1)
    };
    let channel = [ranged("a.ts", 1_000, 720, ""), ranged("b.ts", 2_000, 720, "PQ")];
    for (name, programme, expected) in [
        (
            "its own",
            vec![ranged("sdr.ts", 2_000, 720, "SDR"), ranged("pq.ts", 2_000, 720, "PQ")],
            "sdr pq",
        ),
        (
            "of another height",
            vec![ranged("sdr.ts", 2_000, 720, ""), ranged("pq.ts", 9_000, 1_080, "PQ")],
            "sdr pq",
        ),
        ("the usual one alone", vec![ranged("sdr.ts", 2_000, 720, "")], "sdr sdr"),
        (
            "none of them",
            vec![ranged("hlg.ts", 1_900, 720, "HLG"), ranged("low.ts", 900, 720, "HLG")],
            "low hlg",
        ),
        (
            "of another bandwidth",
            vec![
                ranged("pq.ts", 1_000, 720, "PQ"),
                ranged("sdr.ts", 2_000, 720, ""),
                ranged("more.ts", 9_000, 1_080, "PQ"),
            ],
            "sdr pq",
        ),
    ] {
        assert_eq!(mapped(&channel, &programme), expected, "{name}");
    }
    let frames = |name: &str, range: &str| {
        format!("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=40,VIDEO-RANGE={range},URI=\"{name}\"\n")
    };
    let with = |lines: &[String]| [&[ranged("v.ts", 1_000, 720, "")], lines].concat();
    let programme = with(&[frames("sdr.ts", "SDR"), frames("pq.ts", "PQ")]);
    assert_eq!(mapped(&with(&[frames("x.ts", "PQ")]), &programme), "v pq");
}
