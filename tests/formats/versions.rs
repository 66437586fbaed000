//! What tells one version of a playlist from the next, and the whole of one from a part.

use crate::noted::{Noted, Scene};
use crate::timetables::{Answer, steady};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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

/// A source with a query in its addresses, whose playlist is changed.
fn queried(what: &str, ms: u64, change: impl Fn(String) -> String) -> Answer {
    let (after, text) = steady(what, ms);
    match what {
        "get a/v.m3u8" => (after, text.map(|text| change(text.replace(".ts\n", ".ts?part=one\n")))),
        _ => (after, text),
    }
}

#[test]
fn an_address_that_is_cut_off_is_not_taken_for_another() {
    // At one look each the playlist stops in what is new, here in its name and in its query.
    for cut in [1, 5, 9, 11, 13, 14] {
        let done = AtomicBool::new(false);
        let noted = Scene { until: 20_000, ..Scene::default() }.carry(move |what, ms| {
            queried(what, ms, |text| {
                // What tells the version is the same of a part.
                let text = format!("etag {}: {text}", ms / 2_000);
                match ms {
                    14_000.. if !done.swap(true, Relaxed) => text[..text.len() - cut].to_owned(),
                    _ => text,
                }
            })
        });
        assert_eq!(carried(&noted), Vec::from_iter(2..14), "{cut}");
        let asked = noted.only(&["get a/"]);
        let segments = asked.lines().filter(|line| !line.ends_with(".m3u8"));
        assert!(segments.clone().all(|line| line.ends_with(".ts")), "{asked}");
        assert_eq!((segments.count(), noted.progress.jumps), (12, 0), "{cut}");
        let stored = noted.moments("put 0 video-9_1800000000_11.ts");
        assert!(stored[0] < 14_500, "{cut}: {stored:?}");
    }
}

#[test]
fn a_source_that_ends_no_last_line_is_carried_without_delay() {
    let scene = || Scene { until: 20_000, ..Scene::default() };
    let noted = scene().carry(|what, ms| queried(what, ms, |text| text.trim_end().to_owned()));
    let wanted = scene().carry(|what, ms| queried(what, ms, |text| text));
    assert_eq!(noted.only(&[""]), wanted.only(&[""]));
}

#[test]
fn a_source_that_ends_its_last_line_no_more_is_carried_to_its_last_segment() {
    let noted = Scene { until: 20_000, ..Scene::default() }.carry(|what, ms| {
        queried(what, ms.min(15_000), |text| match ms {
            9_000.. => text.trim_end().to_owned(),
            _ => text,
        })
    });
    assert_eq!((carried(&noted), noted.progress.jumps), (Vec::from_iter(2..12), 0));
}

#[test]
fn each_address_that_is_cut_off_is_waited_for() {
    // From 8 s on it is written a segment at a time, and each is seen in two lengths, and whole only when the next is there.
    let noted = Scene { until: 30_000, ..Scene::default() }.carry(|what, ms| {
        queried(what, ms, |text| match ms {
            8_000.. => text[..text.len() - if ms % 2_000 < 1_000 { 13 } else { 11 }].to_owned(),
            _ => text,
        })
    });
    let asked = noted.only(&["get a/"]);
    let segments = asked.lines().filter(|line| !line.ends_with(".m3u8"));
    assert!(segments.clone().all(|line| line.ends_with(".ts")), "{asked}");
    assert_eq!(carried(&noted), Vec::from_iter(2..18));
}

#[test]
fn a_playlist_that_stands_still_is_asked_for_without_a_condition() {
    let noted = Scene { until: 30_000, ..Scene::default() }.carry(|what, ms| match ms {
        4_500.. if what.ends_with(".m3u8") => steady(what, 4_500),
        _ => steady(what, ms),
    });
    let (stalled, before) = (noted.moments("say session is degraded")[0], [0, 10]);
    let (calm, since): (Vec<u64>, Vec<u64>) = noted.afresh.iter().partition(|at| **at < stalled);
    assert_eq!(calm[..2], before);
    // The multivariant playlist is asked for anew as well: it may name another address.
    let (looks, of_it) = (noted.moments("get a/v.m3u8"), noted.moments("get a/main.m3u8"));
    assert!(calm[2..].iter().all(|at| of_it.contains(at)), "{calm:?}");
    assert!(looks.iter().filter(|at| **at > stalled).all(|at| since.contains(at)), "{since:?}");
}
