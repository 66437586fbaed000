//! What plays where a variant of a live source cannot be read, stands still, or is behind.

use crate::sources::{Follower, Listed, Looks, Taken, alike, goes_on, joined, listed, read};
use crate::vod::moment;
use channel::{Flaw, Heard, Source, gap};
use hls::{MediaPlaylist, Micros, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What is taken in a look at 0, 2, .. s, in the first rendition and in the second. The source publishes a segment
/// every 2 s, and `change` says what is wrong with it: nothing stands for a playlist that cannot be read.
fn looked(
    follower: &mut Follower,
    looks: std::ops::Range<u64>,
    dated: bool,
    change: impl Fn(u64, &mut [Option<Listed>; 3]),
) -> Vec<(u64, Taken, String)> {
    let mut all = Vec::new();
    for look in looks {
        let begins = |listed: Listed| Listed { begins: listed.begins.filter(|_| dated), ..listed };
        let mut shown = alike(&begins(listed(100 + look..106 + look))).map(Some);
        change(look, &mut shown);
        let now = i64::try_from(look).unwrap() * 2_000;
        if let Some((taken, second)) = follower.look_at(now, &shown) {
            all.push((look, taken, second));
        }
    }
    all
}

/// Which playlists of a rendition were played, and whether what they list is there once and in order.
fn assert_whole(all: &[(u64, Taken, String)], from: u64, until: u64) {
    let names: Vec<&str> = all.iter().flat_map(|(_, taken, _)| taken.0.split(' ')).collect();
    let whole: Vec<String> = (from..until).map(|it| format!("s{it}")).collect();
    assert_eq!(names, whole, "{all:?}");
}

#[test]
fn another_variant_plays_where_one_is_lost_and_nothing_is_missing_or_twice() {
    for dated in [true, false] {
        for lost in [0, 1] {
            let mut follower = Follower::new();
            let all = looked(&mut follower, 0..12, dated, |look, shown| {
                if (3..8).contains(&look) {
                    shown[lost] = None;
                }
            });
            assert_whole(&all, 103, 117);
            let breaks: Vec<u64> =
                all.iter().filter(|(_, it, _)| !it.2).map(|(look, ..)| *look).collect();
            assert_eq!(breaks, [0, 3, 8], "{dated} {lost}");
            for (look, _, second) in &all {
                let expected = match (3..8).contains(look) {
                    true => format!("v{0} v{0}", 1 - lost),
                    false => "v0 v1".to_owned(),
                };
                assert_eq!(*second, expected, "{dated} {lost} {look}");
            }
        }
    }
}

#[test]
fn a_variant_that_stands_still_is_left_out_when_it_is_more_than_two_target_durations_behind() {
    for lost in [0, 1] {
        let mut follower = Follower::new();
        let all = looked(&mut follower, 0..14, true, |look, shown| {
            if (3..9).contains(&look) {
                shown[lost] = Some(Listed { target: 2, ..listed(102..108) });
            }
            for shown in shown.iter_mut().flatten() {
                shown.target = 2;
            }
        });
        assert_whole(&all, 103, 119);
        let breaks: Vec<u64> =
            all.iter().filter(|(_, it, _)| !it.2).map(|(look, ..)| *look).collect();
        assert_eq!(breaks, [0, 5, 9], "{lost}");
    }
}

#[test]
fn a_source_of_which_no_variant_can_be_read_is_told_with_each_of_them() {
    let follower = Follower::new();
    let shown: [Option<Listed>; 3] = [None, None, Some(listed(0..6))];
    let missing = |playlist: &str| Flaw::Missing { playlist: playlist.to_owned() };
    assert_eq!(
        read(&follower.world, &shown, 0).unwrap_err(),
        [missing("v0/main.m3u8"), missing("v1/main.m3u8")]
    );
    let shown = [Some(listed(0..6)), None, None];
    assert_eq!(read(&follower.world, &shown, 0).unwrap_err(), [missing("en/main.m3u8")]);
}

#[test]
fn a_source_whose_window_is_too_short_is_joined_with_what_there_is_when_it_moves() {
    for (slides, window, expected) in [
        (false, 0..2, None),
        (true, 0..2, joined("s0 s1", "s0 s1")),
        (true, 0..1, joined("s0", "s0")),
        (true, 0..3, joined("s0 s1 s2", "s0 s1 s2")),
    ] {
        let mut follower = Follower { slides, ..Follower::new() };
        assert_eq!(follower.look(0, &alike(&listed(window.clone()))), expected, "{window:?}");
    }
    let mut follower = Follower { slides: true, ..Follower::new() };
    assert!(follower.look(0, &alike(&listed(0..2))).is_some());
    assert_eq!(follower.look(2_000, &alike(&listed(1..3))), goes_on("s2", "s2"));
    // One that lists enough is waited for.
    let gap = gap(&follower.world.log, moment(2_000)).unwrap();
    let looks: Looks = alike(&listed(3..9));
    let source: Source = read(&follower.world, &looks.map(Some), 2_000).unwrap();
    assert!(source.next(gap.event.seen.as_ref(), true, true).unwrap().is_some());
}

/// A media playlist of segments of 2 s.
fn media(numbers: std::ops::Range<u64>) -> MediaPlaylist {
    crate::vod::read_media(&Listed { target: 2, ..listed(numbers) }.text("ts", 0))
}

fn second(seconds: u64) -> Timestamp {
    Timestamp(1_700_000_000_000_000) + Micros::from_secs(seconds)
}

#[test]
fn what_is_silent_for_two_target_durations_is_out_until_it_goes_on_for_as_long() {
    let mut heard = Heard::default();
    let names =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|it| (*it).to_owned()).collect() };
    let mut outs = Vec::new();
    for at in (0..30).step_by(2) {
        let one = at / 2..at / 2 + 3;
        // From 6 s on it cannot be read, then it is as it was, and goes on from 18 s on.
        let two = match at {
            6..12 => None,
            12..18 => Some(2..5),
            _ => Some(one.clone()),
        };
        let mut listed = BTreeMap::from([("one".to_owned(), media(one))]);
        listed.extend(two.map(|two| ("two".to_owned(), media(two))));
        heard.look(&["one", "two"], &listed, second(at));
        if heard.out() == names(&["two"]) {
            outs.push(at);
        } else {
            assert_eq!(heard.out(), names(&[]));
        }
        assert_eq!(heard.silent_since(), None);
    }
    assert_eq!(outs, [8, 10, 12, 14, 16, 18, 20]);
    assert!(heard.slides());
    heard.look(&["three"], &BTreeMap::new(), second(30));
    assert_eq!((heard.out(), heard.slides()), (names(&[]), false), "others are forgotten");
}

#[test]
fn where_all_stands_still_nothing_is_out_and_all_have_time_to_go_on() {
    let mut heard = Heard::default();
    let mut look = |at: u64, one: std::ops::Range<u64>, two: std::ops::Range<u64>| {
        let listed =
            BTreeMap::from([("one".to_owned(), media(one)), ("two".to_owned(), media(two))]);
        heard.look(&["one", "two"], &listed, second(at));
        (heard.out().len(), heard.silent_since())
    };
    assert_eq!(look(0, 0..2, 0..2), (0, None));
    assert_eq!(look(2, 0..3, 0..3), (0, None));
    assert_eq!(look(5, 0..3, 0..3), (0, None));
    assert_eq!(look(6, 0..3, 0..3), (0, Some(second(2))));
    assert_eq!(look(20, 0..4, 0..3), (0, None));
    assert_eq!(look(23, 0..5, 0..3), (0, None));
    assert_eq!(look(24, 0..5, 0..3), (1, None));
}

#[test]
fn a_cursor_that_knows_numbers_alone_goes_on_where_it_is() {
    let mut follower = Follower::new();
    assert!(follower.look(0, &alike(&listed(0..6))).is_some());
    let mut stored = serde_json::to_value(&follower.world.log).unwrap();
    for entry in stored.as_array_mut().unwrap() {
        if let Some(seen) = entry.pointer_mut("/wish/live/seen") {
            let marks = seen.as_object_mut().unwrap().remove("marks").unwrap();
            assert_eq!(marks.as_array().unwrap().len(), 3, "{marks}");
        }
    }
    follower.world.log = serde_json::from_value(stored).unwrap();
    assert_eq!(follower.look(2_000, &alike(&listed(1..8))), goes_on("s6 s7", "s6 s7"));
}
