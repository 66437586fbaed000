//! What an endpoint lacks or gives up: where that is marked, how it is counted, and what becomes of it.

use super::live;
use super::settling::{FOLLOW, landed, take};
use hls::{MediaPlaylist, MediaSequence};
use relay::cursor::Rendition;
use relay::names::Epoch;
use relay::settle::{Beside, Fate, Offered, Style, pass_over, settle};

/// The mark after `seen`, all of which landed, where playlists may be stored that list so much.
fn landed_after(
    before: Option<&Rendition>,
    seen: &MediaPlaylist,
    style: Style,
    offered: Offered,
) -> Rendition {
    let beside = Beside { offered, ..Beside::default() };
    settle(take(before, seen), seen, style, |_, _| Fate::Landed, |_| None, |_| beside)
}

#[test]
fn what_leaves_the_window_is_noted_where_it_is_to_be_deleted() {
    for deletes in [true, false] {
        let style = Style { deletes, ..FOLLOW };
        let mut mark = landed(None, &live(10, 13, "a"), style);
        for (seen, left) in [
            (live(10, 14, "a"), &[][..]),
            (live(12, 16, "a"), &[(0, 10, 11)]),
            (live(15, 18, "a"), &[(0, 10, 14)]),
            // The source drops six segments.
            (live(25, 28, "a"), &[(0, 10, 18)]),
            (live(27, 30, "a"), &[(0, 10, 18), (0, 25, 26)]),
            // It numbers afresh.
            (live(0, 2, "b"), &[(0, 10, 18), (0, 25, 30)]),
            (live(1, 3, "b"), &[(0, 10, 18), (0, 25, 30), (1, 0, 0)]),
        ] {
            let track = &mut mark.tracks[0];
            track.given = track.last().map(relay::cursor::Stretch::last_out);
            mark = landed(Some(&mark), &seen, style);
            let told = mark.tracks[0].left.iter().map(|it| (it.epoch.0, it.from.0, it.to.0));
            let expected = if deletes { left } else { &[] };
            assert!(told.eq(expected.iter().copied()), "{:?}", mark.tracks[0].left);
        }
    }
}

#[test]
fn what_was_given_up_is_past_as_long_as_it_is_listed() {
    let mut mark = landed(None, &live(10, 13, "a"), FOLLOW);
    mark.tracks[0].past = Some((Epoch(0), 12));
    for (first, past) in [(11, true), (12, true), (13, false)] {
        let next = landed(Some(&mark), &live(first, 16, "a"), FOLLOW);
        assert_eq!(next.tracks[0].past.is_some(), past, "{first}");
    }
}

#[test]
fn what_landed_and_was_never_listed_is_owned_up_to() {
    let (plain, cut) = (false, true);
    // What is given, and may be listed by a playlist that is stored; then the jumps and what they leave out, and where
    // the mark is, what is given, and up to where nothing is listed again.
    for (source, given, offered, jumps, missed, mark, next, past) in [
        // All of it was listed that the source drops.
        (plain, 11, None, 0, 0, None, 11, None),
        (plain, 12, None, 0, 0, None, 12, None),
        (plain, 11, Some(15), 0, 0, None, 11, None),
        (plain, 10, None, 1, 1, Some(12), 11, None),
        (plain, 9, None, 1, 2, Some(12), 11, None),
        // The source says itself that something ends there.
        (cut, 9, None, 1, 2, None, 11, None),
        // What a playlist may list stays as it may be there, and comes no second time.
        (plain, 9, Some(11), 1, 2, Some(12), 11, None),
        (plain, 9, Some(12), 1, 3, Some(13), 12, Some(12)),
        (cut, 9, Some(12), 1, 3, Some(13), 12, Some(12)),
        (plain, 9, Some(14), 1, 5, Some(15), 14, Some(14)),
        // All of it may be listed: the mark goes to what is to come.
        (plain, 9, Some(15), 1, 6, None, 15, None),
    ] {
        let listed = |first, last| {
            let mut seen = live(first, last, "a");
            for (segment, number) in seen.segments.iter_mut().zip(first..) {
                segment.discontinuity = source == cut && number == 12;
            }
            seen.discontinuity_sequence.0 = 3;
            seen
        };
        let style = Style { deletes: true, ..FOLLOW };
        let mut before = landed(None, &listed(10, 13), style);
        let track = &mut before.tracks[0];
        (track.given, track.jumps, track.missed) = (Some(MediaSequence(given)), 5, 7);
        let by_this_run = Offered { newest: offered.map(MediaSequence), taken_over: None };
        let after = landed_after(Some(&before), &listed(12, 15), style, by_this_run);
        let (track, case) = (&after.tracks[0], format!("{source} {given} {offered:?}"));
        assert_eq!((track.jumps, track.missed), (5 + jumps, 7 + missed), "{case}");
        let count = 3 + u64::from(source) + u64::from(mark.is_some());
        assert_eq!(track.discontinuities.0, count, "{case}");
        assert_eq!(track.marks, i64::from(mark.is_some()), "{case}");
        let marked = track.stretches.iter().find(|it| it.marked).map(|it| it.from.0);
        let told = (marked, track.given.unwrap().0, track.past);
        assert_eq!(told, (mark, next, past.map(|past| (Epoch(0), past))), "{case}");
        assert_eq!(track.broken, next == 15, "{case}");
        let listed: Vec<u64> =
            (10..=15).filter(|n| track.number(Epoch(0), MediaSequence(*n)).is_some()).collect();
        let from = if track.broken { 16 } else { past.map_or(12, |past| past + 1) };
        assert!(listed.iter().copied().eq(from..=15), "{case}: {listed:?}");
        // What left is deleted, in time; what is given up leaves when the next lands.
        let left: Vec<_> = track.left.iter().map(|it| (it.from.0, it.to.0)).collect();
        assert_eq!(left, [(10, if track.broken { 11 } else { from - 1 })], "{case}");
    }
}

#[test]
fn a_discontinuity_of_ours_in_another_rendition_comes_into_this_one() {
    let beside = |marks, ahead| Beside { marks, ahead, ..Beside::default() };
    let after = |before: Option<&Rendition>, seen: &MediaPlaylist, beside| {
        settle(take(before, seen), seen, FOLLOW, |_, _| Fate::Landed, |_| None, |_| beside)
    };
    let mut known = after(None, &live(10, 13, "a"), beside(0, 0));
    known.tracks[0].given = Some(MediaSequence(13));
    let mut cut = live(12, 15, "a");
    cut.segments[2].discontinuity = true;
    for (before, seen, beside, counts, marked) in [
        (Some(&known), live(11, 15, "a"), beside(0, 9), (0, 0), &[][..]),
        (Some(&known), live(11, 15, "a"), beside(1, 9), (1, 1), &[14]),
        (Some(&known), live(11, 15, "a"), beside(2, 9), (2, 2), &[14, 15]),
        (Some(&known), live(11, 15, "a"), beside(5, 9), (2, 2), &[14, 15]),
        // One tag is all that a segment has; the next has ours.
        (Some(&known), cut, beside(1, 9), (2, 1), &[15]),
        // What is missing is one reason more for a discontinuity, and no second one.
        (Some(&known), live(15, 17, "a"), beside(1, 9), (1, 1), &[15]),
        // One that comes later has those that were before.
        (None, live(11, 15, "a"), beside(2, 3), (3, 2), &[]),
    ] {
        let mark = after(before, &seen, beside);
        let track = &mark.tracks[0];
        assert_eq!((track.discontinuities.0, track.marks), counts, "{beside:?}");
        let told = track.stretches.iter().filter(|it| it.marked).map(|it| it.from.0);
        assert!(told.eq(marked.iter().copied()), "{beside:?}: {:?}", track.stretches);
    }
    // One that came with the newest segment may have had a reason that this rendition is about to have as well.
    let newest = after(Some(&known), &live(11, 14, "a"), beside(1, 0));
    let grown = after(Some(&newest), &live(11, 15, "a"), beside(1, 0));
    assert_eq!((newest.tracks[0].settled_marks(), grown.tracks[0].settled_marks()), (0, 1));
}

#[test]
fn what_the_source_states_in_what_is_left_out_is_told_from_its_number_or_from_what_it_lists() {
    let beside = Beside { marks: 1, ..Beside::default() };
    let mut known = landed(None, &live(10, 13, "a"), FOLLOW);
    known.tracks[0].given = Some(MediaSequence(13));
    let seen = live(11, 15, "a");
    let fate = |_, _| Fate::Landed;
    let mut known = settle(take(Some(&known), &seen), &seen, FOLLOW, fate, |_| None, |_| beside);
    known.tracks[0].given = Some(MediaSequence(15));
    assert_eq!((known.tracks[0].discontinuities.0, known.tracks[0].marks), (1, 1));
    // What the source counts before 20, where it states one, and what lands first; then how many are of ours.
    for (count, stated, first, marks) in [
        (0, None, 20, 2),
        (2, None, 20, 0),
        (4, None, 20, -2),
        // More than there are segments: it counts from elsewhere.
        (5, None, 20, 2),
        (0, Some(20), 21, 1),
        (2, Some(20), 21, -1),
        (9, Some(20), 21, 1),
        (9, Some(21), 21, 1),
        (9, Some(20), 22, 1),
        (9, Some(22), 21, 2),
    ] {
        let mut seen = live(20, 22, "a");
        seen.discontinuity_sequence.0 = count;
        for (segment, number) in seen.segments.iter_mut().zip(20..) {
            segment.discontinuity = stated == Some(number);
        }
        let fate =
            |_, number: MediaSequence| if number.0 < first { Fate::Gone } else { Fate::Landed };
        let mark = take(Some(&known), &seen);
        // Another rendition is no reason for one more.
        let beside = Beside { marks: i64::MIN, ..Beside::default() };
        let mark = settle(mark, &seen, FOLLOW, fate, |_| None, |_| beside);
        assert_eq!(mark.tracks[0].marks, marks, "{count} {stated:?} {first}");
    }
}

#[test]
fn what_was_given_up_is_deleted_when_it_has_left() {
    let style = Style { deletes: true, ..FOLLOW };
    let mut mark = landed(None, &live(10, 15, "a"), style);
    mark.tracks[0].broken = true;
    let mark = landed(Some(&mark), &live(12, 16, "a"), style);
    let left: Vec<_> = mark.tracks[0].left.iter().map(|it| (it.from.0, it.to.0)).collect();
    assert_eq!(left, [(10, 15)]);
}

#[test]
fn a_jump_is_marked_once_where_what_was_before_it_was_never_listed() {
    let before = landed(None, &live(10, 13, "a"), FOLLOW);
    // Nothing of it was listed when the source drops it, and six more.
    let jumped = landed(Some(&before), &live(20, 21, "a"), FOLLOW);
    let track = &jumped.tracks[0];
    assert!(track.marks(Epoch(0), MediaSequence(20)));
    assert_eq!((track.discontinuities.0, track.jumps, track.missed), (1, 2, 10));
}

#[test]
fn what_a_run_takes_over_is_thought_to_have_been_given() {
    for (taken_over, missed) in [(None, 3), (Some(10), 2), (Some(11), 1), (Some(12), 0)] {
        let mut before = landed(None, &live(10, 13, "a"), FOLLOW);
        before.tracks[0].given = Some(MediaSequence(9));
        let taken_over = taken_over.map(MediaSequence);
        let offered = Offered { taken_over, newest: Some(MediaSequence(12)) };
        let after = landed_after(Some(&before), &live(12, 15, "a"), FOLLOW, offered);
        let track = &after.tracks[0];
        assert_eq!((track.jumps, track.missed), (1, missed), "{taken_over:?}");
        assert!(track.marks(Epoch(0), MediaSequence(13)), "whether it was is not known");
    }
}

#[test]
fn what_is_listed_again_is_past_up_to_the_first_that_is_listed_of_its_numbering() {
    use relay::parts::Keys;
    let style =
        Style { window: Some(hls::Micros::from_secs(60)), deletes: false, keys: Keys::Carried };
    // The window holds both numberings.
    let before = landed(None, &live(10, 15, "a"), style);
    let both = landed(Some(&before), &live(2, 5, "b"), style);
    let listed: Vec<_> = both.tracks[0].listed().iter().map(|it| (it.epoch.0, it.from.0)).collect();
    assert_eq!(listed, [(0, 10), (1, 2)]);
    let mut nothing = both.clone();
    nothing.tracks[0].broken = true;
    for (mark, first, furthest, past) in [
        (&both, 0, 4, Some(1)),
        (&both, 0, 1, Some(0)),
        (&both, 1, 9, Some(1)),
        // It lists no more than it did.
        (&both, 2, 2, None),
        // What has landed is all that there was.
        (&nothing, 0, 9, Some(5)),
        (&nothing, 0, 4, Some(3)),
    ] {
        let mut mark = mark.clone();
        pass_over(&mut mark, &live(first, 5, "b"), MediaSequence(furthest));
        let wanted = past.map(|past| (Epoch(1), past));
        assert_eq!(mark.tracks[0].past, wanted, "{first} {furthest}");
    }
}
