//! What tells one version of a playlist from the next, and the whole of one from a part.

use crate::noted::{Noted, Scene};
use crate::timetables::steady;

/// The segments that were stored, in the order in which they were.
fn carried(noted: &Noted) -> Vec<u64> {
    let lines = noted.only(&["put 0 video-9_"]);
    let number = |line: &str| line.rsplit_once('_')?.1.strip_suffix(".ts")?.parse().ok();
    lines.lines().filter_map(number).collect()
}

#[test]
fn a_validator_that_never_changes_is_not_asked_by_again() {
    let noted = Scene { until: 60_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/v.m3u8" => {
            let (after, text) = steady(what, ms);
            (after, text.map(|text| format!("etag same: {text}")))
        }
        _ => steady(what, ms),
    });
    let looks = noted.moments("get a/v.m3u8");
    let of_it: Vec<u64> = noted.afresh.iter().copied().filter(|at| looks.contains(at)).collect();
    // The first look, and the first after it has listed nothing new for too long.
    assert!(of_it[0] == 10 && (12_000..14_000).contains(&of_it[1]), "{of_it:?}");
    assert!(looks.iter().filter(|at| **at > of_it[1]).all(|at| of_it.contains(at)), "{of_it:?}");
    assert_eq!((noted.progress.jumps, carried(&noted).last()), (1, Some(&33)));
}

#[test]
fn a_validator_that_changes_with_the_playlist_is_asked_by() {
    let noted = Scene { until: 60_000, ..Scene::default() }.carry(|what, ms| match what {
        "get a/v.m3u8" => {
            let (after, text) = steady(what, ms);
            (after, text.map(|text| format!("etag {}: {text}", ms / 2_000)))
        }
        _ => steady(what, ms),
    });
    let looks = noted.moments("get a/v.m3u8");
    let of_it: Vec<u64> = noted.afresh.iter().copied().filter(|at| looks.contains(at)).collect();
    assert_eq!(of_it, [10]);
    assert_eq!(carried(&noted), Vec::from_iter(2..34));
}
