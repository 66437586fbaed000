//! What a window that is longer than the source's keeps.

use super::live;
use crate::settling::{FOLLOW, key, landed, take};
use hls::{MediaSequence, Micros};
use relay::settle::{Beside, Fate, Style, settle};

#[test]
fn a_window_keeps_what_it_has_room_for_and_what_was_not_listed_yet() {
    for (seconds, given, first, kept) in [
        (5, 19, 10, 17),
        (6, 19, 10, 17),
        (7, 19, 10, 16),
        (1, 19, 10, 17),
        (5, 12, 10, 13),
        (5, 12, 15, 15),
        (60, 19, 15, 10),
    ] {
        let style = Style { window: Some(Micros::from_secs(seconds)), ..FOLLOW };
        let mut mark = landed(None, &live(10, 19, "a"), style);
        assert_eq!(mark.kept.len(), 10, "nothing was listed");
        mark.tracks[0].given = Some(MediaSequence(given));
        let mark = landed(Some(&mark), &live(first, 19, "a"), style);
        let case = format!("{seconds} {given} {first}");
        assert_eq!(mark.kept.first().map(|it| it.sequence), Some(MediaSequence(kept)), "{case}");
        assert_eq!(mark.kept.last().map(|it| it.sequence), Some(MediaSequence(19)), "{case}");
    }
}

#[test]
fn a_window_keeps_each_segment_once_also_when_the_source_begins_anew() {
    let style = Style { window: Some(Micros::from_secs(60)), ..FOLLOW };
    let mut mark = None;
    for (seen, kept) in [
        (live(10, 13, "a"), &[(0, 10..=13)][..]),
        (live(11, 15, "a"), &[(0, 10..=15)]),
        (live(0, 2, "b"), &[(0, 10..=15), (1, 0..=2)]),
        (live(1, 4, "b"), &[(0, 10..=15), (1, 0..=4)]),
    ] {
        let next = landed(mark.as_ref(), &seen, style);
        let told = next.kept.iter().map(|kept| (kept.epoch.0, kept.sequence.0));
        let each = kept.iter().flat_map(|(epoch, all)| all.clone().map(|number| (*epoch, number)));
        assert!(told.eq(each), "{kept:?}: {:?}", next.kept);
        mark = Some(next);
    }
}

#[test]
fn a_window_keeps_what_an_endpoint_lacks_as_long_as_the_source_lists_it() {
    use Fate::{Gone, Landed, Waiting};
    let style = Style { window: Some(Micros::from_secs(5)), ..FOLLOW };
    let seen = live(10, 19, "a");
    for (then, kept) in [(Landed, 17), (Waiting, 13), (Gone, 17)] {
        let mut mark = take(None, &seen);
        mark.tracks.push(mark.tracks[0].clone());
        let fate = |endpoint, number: MediaSequence| match (endpoint, number.0) {
            (1, 13..=16) => then,
            _ => Landed,
        };
        let mut mark = settle(mark, &seen, style, fate, |_| None, |_| Beside::default());
        for track in &mut mark.tracks {
            track.given = track.last().map(relay::cursor::Stretch::last_out);
        }
        let mark = settle(mark, &seen, style, fate, |_| None, |_| Beside::default());
        assert_eq!(mark.kept.first().map(|it| it.sequence.0), Some(kept), "{then:?}");
    }
}

#[test]
fn what_one_endpoint_left_out_and_another_gets_is_kept_in_its_place() {
    use Fate::{Gone, Landed, Waiting};
    let style = Style { window: Some(Micros::from_secs(60)), ..FOLLOW };
    let seen = live(10, 14, "a");
    let mut mark = take(None, &seen);
    mark.tracks.push(mark.tracks[0].clone());
    let (mut numbers, mut keys) = (Vec::new(), Vec::new());
    for other in [Waiting, Landed] {
        let fate = |endpoint, number: MediaSequence| match (endpoint, number.0) {
            (0, 12) => Gone,
            (1, 12..) => other,
            _ => Landed,
        };
        // Where it is not known any more, it is what it was; the second endpoint has waited for 12, which has another.
        let along = |number: MediaSequence| match (number.0, other) {
            (12, _) => key(b"l"),
            (_, Waiting) => key(b"k"),
            _ => None,
        };
        mark = settle(mark, &seen, style, fate, along, |_| Beside::default());
        numbers.push(mark.kept.iter().map(|kept| kept.sequence.0).collect::<Vec<_>>());
        keys.push(mark.parts.iter().map(|parts| parts.from.0).collect::<Vec<_>>());
    }
    assert_eq!(numbers, [vec![10, 11, 13, 14], vec![10, 11, 12, 13, 14]]);
    assert_eq!(keys, [vec![10], vec![10, 12, 13]]);
}
