//! What plays where a variant of a live source cannot be read, stands still, or is behind.

use crate::sources::{
    Follower, Listed, Looks, Taken, alike, goes_on, joined, listed, read, read_of,
};
use crate::vod::{LADDER, moment};
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
fn a_variant_may_be_two_target_durations_and_a_quarter_of_a_second_behind() {
    for (late, expected) in [
        (4_250, (joined("s101 s102 s103", "s101 s102 s103"), "v0 v1")),
        (4_251, (joined("s103 s104 s105", "s103 s104 s105"), "v0 v0")),
    ] {
        let of = |numbers| Listed { target: 2, ..listed(numbers) };
        let behind = Listed { begins: Some(200_000 - late), ..of(98..104) };
        let looks = [of(100..106), behind, of(100..106)];
        let (taken, variants) = Follower::new().look_at(0, &looks.map(Some)).unwrap();
        assert_eq!((Some(taken), variants.as_str()), expected, "{late}");
    }
}

#[test]
fn a_variant_that_was_left_out_plays_again_when_it_is_a_target_duration_behind() {
    let mut follower = Follower::new();
    let all = looked(&mut follower, 0..14, true, |look, shown| {
        let late = match look {
            3..9 => look - 2,
            9 => 2,
            10.. => 1,
            _ => 0,
        };
        let number = 100 + look - late;
        shown[1] = Some(listed(number..number + 6));
        for shown in shown.iter_mut().flatten() {
            shown.target = 2;
        }
    });
    assert_whole(&all, 103, 118);
    let breaks: Vec<u64> = all.iter().filter(|(_, it, _)| !it.2).map(|(look, ..)| *look).collect();
    assert_eq!(breaks, [0, 5, 11]);
    // While it counts, what it does not have yet is waited for.
    let looks: Vec<u64> = all.iter().map(|(look, ..)| *look).collect();
    assert_eq!(looks, [0, 1, 2, 5, 6, 7, 8, 9, 11, 12, 13]);
}

#[test]
fn a_variant_comes_back_in_its_place_where_its_dates_are_a_quarter_of_a_second_apart() {
    for (early, whole) in [(250, true), (251, false)] {
        let mut follower = Follower::new();
        let all = looked(&mut follower, 0..12, true, |look, shown| match look {
            3..8 => shown[0] = None,
            _ => {
                let shown = shown[0].as_mut().unwrap();
                shown.begins = shown.begins.map(|begins| begins - early);
            }
        });
        let names: Vec<&str> = all.iter().flat_map(|(_, taken, _)| taken.0.split(' ')).collect();
        let expected: Vec<String> = (103..117).map(|it| format!("s{it}")).collect();
        assert_eq!(names == expected, whole, "{early}: {names:?}");
    }
}

#[test]
fn what_is_out_is_done_without_where_something_can_stand_in() {
    for (out, expected) in [
        (&[][..], "v0 v1"),
        (&["v0"], "v1 v1"),
        (&["v1"], "v0 v0"),
        (&["v0", "v1"], "v0 v1"),
        (&["en"], "v0 v1"),
    ] {
        let mut follower = Follower::new();
        let looks = ["v0", "v1", "en"].map(|name| (name, Some(listed(0..3))));
        let source = read_of(&follower.world, LADDER, &looks, out, 0).unwrap();
        let (taken, variants) = follower.take(0, &source).unwrap();
        assert_eq!(Some(taken), joined("s0 s1 s2", "s0 s1 s2"), "{out:?}");
        assert_eq!(variants, expected, "{out:?}");
    }
}

#[test]
fn sound_that_is_lost_plays_from_elsewhere_in_its_language_and_in_no_other() {
    for (language, plays) in [("en", true), ("fi", false)] {
        let other = format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Other\",LANGUAGE=\"{language}\",\
             URI=\"other/main.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=9"
        );
        let multivariant = LADDER.replacen("#EXT-X-STREAM-INF:BANDWIDTH=9", &other, 1);
        let mut follower = Follower::new();
        let name = |name| Some(Listed { name, ..listed(0..3) });
        let looks = [("v0", name("s")), ("v1", name("s")), ("en", None), ("other", name("t"))];
        match read_of(&follower.world, &multivariant, &looks, &[], 0) {
            Ok(source) if plays => {
                let taken = follower.take(0, &source).map(|(taken, _)| taken);
                assert_eq!(taken, joined("s0 s1 s2", "t0 t1 t2"), "{language}");
            }
            Ok(_) => panic!("{language} is no English"),
            Err(flaws) => {
                let missing = Flaw::Missing { playlist: "en/main.m3u8".to_owned() };
                assert_eq!((flaws, plays), (vec![missing], false), "{language}");
            }
        }
    }
}

#[test]
fn a_variant_that_did_not_play_stands_in_from_where_its_own_numbers_had_come_to() {
    // The same stream from another server, which numbers and publishes by itself.
    let (_, same) = LADDER.rsplit_once("#EXT-X-STREAM-INF").unwrap();
    let multivariant = format!("{LADDER}#EXT-X-STREAM-INF{}", same.replace("v0/", "vx/"));
    let undated = |numbers| Some(Listed { begins: None, ..listed(numbers) });
    let mut follower = Follower::new();
    for (now, v0, others, vx, expected) in [
        (0, undated(100..106), 100..106, 600..606, joined("s103 s104 s105", "s103 s104 s105")),
        (2_000, None, 101..107, 601..608, joined("s606", "s106")),
        (4_000, None, 102..108, 602..608, goes_on("s607", "s107")),
    ] {
        let (others, vx) = (undated(others), undated(vx));
        let looks = [("v0", v0), ("v1", others.clone()), ("en", others), ("vx", vx)];
        let source = read_of(&follower.world, &multivariant, &looks, &[], now).unwrap();
        let taken = follower.take(now, &source).map(|(taken, _)| taken);
        assert_eq!(taken, expected, "{now}");
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
    // What lists as many is waited for, also where a rendition does not have the last of them yet.
    let mut follower = Follower { slides: true, ..Follower::new() };
    assert_eq!(follower.look(0, &[listed(0..3), listed(0..3), listed(0..2)]), None);
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
fn another_number_and_another_name_of_the_last_segment_are_news_each() {
    let looks: [fn(u64) -> Listed; 2] = [
        // An encoder that begins anew all the time, and a slate of one name.
        |at| Listed { name: ["s", "t", "u", "v"][at as usize % 4], ..listed(0..3) },
        |at| Listed { name: "slate?", ..listed(at..at + 3) },
    ];
    for look in looks {
        let mut heard = Heard::default();
        for at in 0..20 {
            let text = Listed { target: 2, ..look(at) }.text("ts", 0);
            let listed = BTreeMap::from([("one".to_owned(), crate::vod::read_media(&text))]);
            heard.look(&["one"], &listed, second(at));
            assert_eq!(heard.silent_since(), None, "{at}");
        }
    }
}

#[test]
fn a_window_moves_when_its_first_segment_leaves_it_and_not_where_it_grows() {
    let mut heard = Heard::default();
    for (at, numbers, slides) in [
        (0, 0..2, false),
        (2, 0..3, false),
        (4, 1..4, true),
        (6, 1..5, true),
        (8, 3..6, true),
        (10, 40..43, false),
    ] {
        let listed = BTreeMap::from([("one".to_owned(), media(numbers.clone()))]);
        heard.look(&["one"], &listed, second(at));
        assert_eq!(heard.slides(), slides, "{numbers:?}");
    }
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
