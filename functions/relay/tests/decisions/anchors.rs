use super::{NOW, live};
use hls::{MediaPlaylist, MediaSequence};
use relay::anchor::{Anchor, History, anchor, switched, take_up};
use relay::cursor::{Rendition, Track};
use relay::names::Epoch;
use relay::session::Start;

/// The mark after a playlist was joined.
fn joined(seen: &MediaPlaylist) -> Rendition {
    let joined = anchor(None, &History::default(), seen, false, Start::Window, NOW);
    take_up(None, seen, joined, Epoch(7), 1, NOW).unwrap()
}

fn history(seen: &MediaPlaylist) -> History {
    let mut history = History::default();
    history.note(seen);
    history
}

#[test]
fn names_that_come_again_at_another_date_are_a_source_that_begins_anew() {
    let dated = |from: u64, to: u64, second: u32| {
        let mut seen = live(from, to, "a");
        let date = format!("2026-11-21T08:00:{second:02}Z");
        seen.segments[0].program_date_time = Some(date);
        seen
    };
    let (first, before) = (dated(0, 5, 0), dated(2, 7, 4));
    let mark = joined(&before);
    let mut history = history(&first);
    history.note(&before);
    for (seen, expected) in [
        (dated(0, 5, 0), Anchor::Stale),
        (dated(0, 5, 2), Anchor::Stale),
        (dated(0, 5, 3), Anchor::Restarted),
        (dated(0, 2, 20), Anchor::Restarted),
        (dated(3, 7, 6), Anchor::Contiguous),
    ] {
        assert_eq!(anchor(Some(&mark), &history, &seen, true, Start::LiveEdge, NOW), expected);
    }
}

#[test]
fn a_source_whose_clock_is_set_goes_on() {
    let dated = |from: u64, to: u64, minute: u32| {
        let mut seen = live(from, to, "a");
        seen.segments[0].program_date_time = Some(format!("2026-11-21T08:{minute:02}:00Z"));
        seen
    };
    let before = dated(2, 7, 4);
    for (seen, watched, expected) in [
        (dated(2, 7, 9), true, Anchor::Contiguous),
        (dated(3, 8, 9), true, Anchor::Contiguous),
        (dated(3, 8, 9), false, Anchor::Restarted),
        (dated(1, 6, 9), true, Anchor::Restarted),
    ] {
        let mark = joined(&before);
        let found = anchor(Some(&mark), &history(&before), &seen, watched, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{}.. {watched}", seen.media_sequence);
    }
}

#[test]
fn a_playlist_is_taken_up_for_a_reason() {
    let before = live(10, 15, "a");
    for (seen, expected) in [
        (live(10, 15, "a"), Anchor::Contiguous),
        (live(12, 17, "a"), Anchor::Contiguous),
        (live(15, 20, "a"), Anchor::Contiguous),
        (live(15, 20, "b"), Anchor::Restarted),
        (live(16, 21, "a"), Anchor::Restarted),
        (live(19, 24, "a"), Anchor::FellBehind(3)),
        (live(9, 14, "a"), Anchor::Stale),
        (live(4, 9, "a"), Anchor::Doubtful),
        (live(0, 5, "b"), Anchor::Restarted),
        (live(12, 17, "b"), Anchor::Restarted),
        (live(1, 1, "b"), Anchor::Restarted),
    ] {
        let mark = joined(&before);
        let name = format!("{}..", seen.media_sequence);
        assert_eq!(
            anchor(Some(&mark), &History::default(), &seen, false, Start::LiveEdge, NOW),
            expected,
            "{name}"
        );
    }
}

#[test]
fn since_when_a_source_is_doubted_outlasts_the_run_that_saw_it() {
    let (mark, old) = (joined(&live(10, 15, "a")), live(4, 9, "a"));
    let take = |mark: &Rendition, seen: &MediaPlaylist, seconds| {
        let now = NOW + hls::Micros::from_secs(seconds);
        let at = anchor(Some(mark), &History::default(), seen, false, Start::LiveEdge, now);
        take_up(Some(mark), seen, at, Epoch(7), 1, now).unwrap()
    };
    let doubted = take(&mark, &old, 0);
    assert_eq!(doubted, Rendition { doubted: Some(NOW), ..mark });
    assert_eq!(take(&doubted, &old, 3), doubted);
    assert_eq!(take(&doubted, &live(11, 16, "a"), 4).doubted, None);
}

#[test]
fn the_next_number_is_the_next_segment_while_we_look() {
    let before = live(10, 15, "a");
    let mark = joined(&before);
    let next = live(16, 16, "a");
    let seen = anchor(Some(&mark), &history(&before), &next, true, Start::LiveEdge, NOW);
    assert_eq!(seen, Anchor::Contiguous);
}

#[test]
fn a_numbering_that_was_left_does_not_come_back_from_a_cache() {
    let mark = joined(&live(10, 15, "a"));
    let afresh = live(0, 2, "b");
    let mark = take_up(Some(&mark), &afresh, Anchor::Restarted, Epoch(7), 1, NOW).unwrap();
    for seen in [live(9, 14, "a"), live(11, 16, "a"), live(18, 23, "a")] {
        let soon = anchor(Some(&mark), &history(&afresh), &seen, true, Start::LiveEdge, NOW);
        assert_eq!(soon, Anchor::Stale);
    }
    // The new numbering goes on all the same, also while it is short.
    let on = anchor(Some(&mark), &history(&afresh), &live(0, 3, "b"), true, Start::LiveEdge, NOW);
    assert_eq!(on, Anchor::Contiguous);
    // From the very moment on at which no cache lags by so much.
    let later = mark.former.as_ref().unwrap().until;
    let seen =
        anchor(Some(&mark), &history(&afresh), &live(18, 23, "a"), true, Start::LiveEdge, later);
    assert_eq!(seen, Anchor::FellBehind(15));
    let on = take_up(Some(&mark), &live(0, 3, "b"), Anchor::Contiguous, Epoch(7), 1, later);
    assert_eq!(on.unwrap().former, None);
}

#[test]
fn what_was_listed_before_a_hole_does_not_come_back_from_a_cache() {
    let mark = joined(&live(10, 15, "a"));
    let far = live(40, 42, "a");
    let hole = anchor(Some(&mark), &History::default(), &far, false, Start::LiveEdge, NOW);
    let mark = take_up(Some(&mark), &far, hole, Epoch(7), 1, NOW).unwrap();
    let look =
        |seen, at| anchor(Some(&mark), &History::default(), &seen, false, Start::LiveEdge, at);
    assert_eq!(hole, Anchor::FellBehind(24));
    assert_eq!(look(live(10, 15, "a"), NOW), Anchor::Stale);
    assert_eq!(look(live(0, 2, "b"), NOW), Anchor::Restarted);
    assert_eq!(look(live(41, 43, "a"), NOW), Anchor::Contiguous);
    assert_eq!(look(live(50, 52, "a"), NOW), Anchor::FellBehind(7));
    // It may be that the source is set back.
    assert_eq!(look(live(10, 15, "a"), NOW + hls::Micros::from_secs(60)), Anchor::Restarted);
}

#[test]
fn what_is_further_on_than_a_numbering_that_was_left_is_no_old_copy() {
    let mark = joined(&live(10, 15, "a"));
    for (newest, expected) in
        [(14, Anchor::Stale), (15, Anchor::Stale), (16, Anchor::FellBehind(3))]
    {
        let afresh = live(12, newest, "b");
        let mark = take_up(Some(&mark), &afresh, Anchor::Restarted, Epoch(7), 1, NOW).unwrap();
        let seen = live(20, 25, "a");
        let told = anchor(Some(&mark), &history(&afresh), &seen, true, Start::LiveEdge, NOW);
        assert_eq!(told, expected, "{newest}");
    }
}

#[test]
fn the_numbers_of_a_source_that_was_left_say_nothing_of_the_next() {
    let (mark, other) = (joined(&live(10, 15, "a")), live(100, 105, "b"));
    let mark = take_up(Some(&mark), &other, switched(&other), Epoch(7), 1, NOW).unwrap();
    let anew = live(16, 18, "b");
    let seen = anchor(Some(&mark), &history(&other), &anew, true, Start::LiveEdge, NOW);
    assert_eq!(seen, Anchor::Restarted);
}

#[test]
fn a_source_that_numbers_afresh_what_it_listed_goes_on_without_a_break() {
    let mark = joined(&live(10, 15, "a"));
    for (first, watched, expected) in [
        (0, false, Anchor::Renumbered(MediaSequence(2))),
        (4_000, true, Anchor::Renumbered(MediaSequence(4_002))),
        // Names may come again in the time in which nobody looked.
        (4_000, false, Anchor::FellBehind(3_984)),
    ] {
        let mut seen = live(14, 16, "a");
        seen.media_sequence = MediaSequence(first);
        let found = anchor(Some(&mark), &History::default(), &seen, watched, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{first} {watched}");
    }
}

#[test]
fn a_slate_that_comes_again_is_not_taken_for_other_numbers_of_what_was_carried() {
    let list = |first, names: &str| {
        let mut seen = live(first, first + names.len() as u64 - 1, "a");
        for (segment, name) in seen.segments.iter_mut().zip(names.chars()) {
            segment.uri = format!("{name}.ts");
        }
        seen
    };
    let before = list(10, "abcdxy");
    let (mark, history) = (joined(&before), history(&before));
    let fell_behind = Anchor::FellBehind(4);
    for (names, expected) in [
        ("cdxyef", Anchor::Renumbered(MediaSequence(24))),
        ("xyefgh", Anchor::Renumbered(MediaSequence(22))),
        // What is before it is another.
        ("ghxyef", fell_behind),
        // It is there twice.
        ("xyefxy", fell_behind),
        ("xyxyxy", fell_behind),
        ("efghij", fell_behind),
    ] {
        let seen = list(20, names);
        let found = anchor(Some(&mark), &history, &seen, true, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{names}");
    }
    // The dates of a source do not come again.
    for (later, expected) in [(0, Anchor::Renumbered(MediaSequence(22))), (30, fell_behind)] {
        let mut seen = list(20, "xyefgh");
        let mut dated = before.clone();
        dated.segments[4].program_date_time = Some(NOW.to_string());
        seen.segments[0].program_date_time =
            Some((NOW + hls::Micros::from_secs(later)).to_string());
        let history = super::anchors::history(&dated);
        let found = anchor(Some(&mark), &history, &seen, true, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{later}");
    }
}

#[test]
fn only_the_number_of_a_reader_in_a_name_does_not_make_another_segment() {
    let named = |part: &str| live(10, 15, &format!("media_{part}_"));
    for (before, after, expected) in [
        ("w162", "w98", Anchor::Contiguous),
        ("wide", "wise", Anchor::Restarted),
        ("w16x", "w98x", Anchor::Restarted),
        ("w", "", Anchor::Restarted),
    ] {
        let mark = joined(&named(before));
        let seen = named(after);
        let found = anchor(Some(&mark), &History::default(), &seen, false, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{before} {after}");
    }
}

#[test]
fn another_server_goes_on_by_its_dates_where_these_leave_no_hole() {
    let dated = |first: u64, tag: &str, dates: &[(usize, u32)]| {
        let mut seen = live(first, first + 5, tag);
        for (place, second) in dates {
            let date = format!("2026-11-21T08:00:{second:02}Z");
            seen.segments[*place].program_date_time = Some(date);
        }
        seen
    };
    // The newest is of 10 s.
    let before = dated(10, "a", &[(0, 0)]);
    let (mark, history) = (joined(&before), history(&before));
    for (dates, expected) in [
        (&[(0, 4)][..], Some(104)),
        (&[(0, 10)], Some(101)),
        (&[(0, 20)], None),
        (&[(0, 0), (3, 20)], None),
        (&[(0, 0)], None),
        (&[], None),
    ] {
        let found = history.continued_by(&dated(100, "b", dates), &mark);
        assert_eq!(found, expected.map(MediaSequence), "{dates:?}");
    }
}

#[test]
fn tokens_and_servers_in_addresses_do_not_make_another_segment() {
    let mark = joined(&live(10, 15, "a"));
    let mut seen = live(10, 15, "a");
    for segment in &mut seen.segments {
        segment.uri = format!("https://edge7.example/s/{};session=9?token=t", segment.uri);
    }
    assert_eq!(
        anchor(Some(&mark), &History::default(), &seen, false, Start::LiveEdge, NOW),
        Anchor::Contiguous
    );
}

#[test]
fn a_source_is_joined_where_the_session_says() {
    let ended = |mut seen: MediaPlaylist| {
        seen.ended = true;
        seen
    };
    for (seen, start, entry) in [
        (live(10, 20, "a"), Start::LiveEdge, 18),
        (live(10, 20, "a"), Start::Window, 10),
        (live(10, 11, "a"), Start::LiveEdge, 10),
        (ended(live(10, 20, "a")), Start::LiveEdge, 10),
    ] {
        let expected = Anchor::Joined(MediaSequence(entry));
        assert_eq!(anchor(None, &History::default(), &seen, false, start, NOW), expected);
    }
}

#[test]
fn the_target_duration_only_grows() {
    let mut mark = joined(&live(10, 15, "a"));
    for (stated, expected) in [(4, 4), (2, 4), (6, 6), (4, 6)] {
        let mut seen = live(10, 15, "a");
        seen.target_duration = hls::Seconds(stated);
        mark = take_up(Some(&mark), &seen, Anchor::Contiguous, Epoch(7), 1, NOW).unwrap();
        assert_eq!(mark.target_duration.0, expected);
    }
}

#[test]
fn a_run_remembers_what_is_listed_and_forgets_what_came_long_before() {
    // An old copy that is remembered is known for one; else so far back it is a source that begins anew.
    let (before, long) = (live(0, 5, "a"), live(6, 71, "a"));
    let mut history = history(&before);
    history.note(&long);
    let mark = joined(&long);
    for (number, expected) in [(5, Anchor::Restarted), (6, Anchor::Stale), (7, Anchor::Stale)] {
        let seen = live(number, number, "a");
        let told = anchor(Some(&mark), &history, &seen, true, Start::LiveEdge, NOW);
        assert_eq!(told, expected, "{number}");
    }
}

#[test]
fn what_an_endpoint_lacks_when_a_source_numbers_afresh_is_counted_with_what_was_missed_before() {
    let mut mark = joined(&live(10, 15, "a"));
    mark.tracks = vec![Track { jumps: 3, missed: 5, ..Track::default() }];
    let mut whole = mark.clone();
    whole.entry = MediaSequence(16);
    for (before, jumps, missed) in [(mark, 4, 11), (whole, 3, 5)] {
        let anew = take_up(Some(&before), &live(0, 2, "b"), Anchor::Restarted, Epoch(7), 1, NOW);
        let track = &anew.unwrap().tracks[0];
        assert_eq!((track.jumps, track.missed), (jumps, missed));
    }
}

#[test]
fn a_stretch_ends_at_a_discontinuity_and_where_segments_were_dropped_before_they_were_seen() {
    let broken = |from: u64, to: u64| {
        let mut seen = live(from, to, "a");
        seen.segments[1].discontinuity = true;
        seen
    };
    for (next, begins) in [
        (live(12, 17, "a"), 0),
        (live(16, 21, "a"), 0),
        (live(17, 22, "a"), 17),
        (broken(12, 17), 13),
        (broken(17, 22), 18),
    ] {
        let mut history = history(&live(10, 15, "a"));
        history.note(&next);
        let newest = next.last_sequence().unwrap();
        assert_eq!(history.stretch(newest), MediaSequence(begins), "{}..", next.media_sequence);
    }
}

#[test]
fn an_old_copy_is_told_by_the_dates_of_all_that_it_lists() {
    let dated = |from: u64, to: u64, second: u32| {
        let mut seen = live(from, to, "a");
        seen.segments[0].program_date_time = Some(format!("2026-11-21T08:00:{second:02}Z"));
        seen
    };
    let (first, before) = (dated(0, 5, 0), dated(2, 7, 4));
    let mut history = history(&first);
    history.note(&before);
    for (seen, is_old) in [
        (dated(0, 5, 0), true),
        (dated(1, 4, 2), true),
        (dated(1, 4, 6), false),
        (dated(4, 8, 8), false),
        (live(0, 5, "a"), false),
        (live(0, 5, "b"), false),
    ] {
        assert_eq!(history.has_listed(&seen), is_old, "{}..", seen.media_sequence);
    }
    let mut undated = History::default();
    undated.note(&live(0, 5, "a"));
    assert!(!undated.has_listed(&dated(0, 5, 0)));
}

#[test]
fn half_a_name_is_no_source_that_begins_anew() {
    let mark = joined(&live(10, 15, "a"));
    for (seen, expected) in [
        (live(11, 11, "cut"), Anchor::Doubtful),
        (live(14, 14, "cut"), Anchor::Doubtful),
        (live(11, 12, "b"), Anchor::Restarted),
        (live(14, 15, "b"), Anchor::Restarted),
    ] {
        let found =
            anchor(Some(&mark), &history(&live(10, 15, "a")), &seen, true, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{}..", seen.media_sequence);
    }
    // A run that has just begun knows the newest names alone, here of 12 to 15.
    let cut = |first: u64, last: u64| {
        let mut seen = live(first, last, "a");
        seen.segments.last_mut().unwrap().uri = "cut".to_owned();
        seen
    };
    for (seen, expected) in [
        (cut(7, 12), Anchor::Doubtful),
        (cut(9, 14), Anchor::Stale),
        (cut(10, 15), Anchor::Contiguous),
        (live(7, 12, "b"), Anchor::Doubtful),
        (live(8, 13, "b"), Anchor::Restarted),
    ] {
        let found = anchor(Some(&mark), &History::default(), &seen, true, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{}..", seen.media_sequence);
    }
}

#[test]
fn names_that_hold_a_session_are_the_same_in_another() {
    let named = |session: &str| {
        let mut seen = live(10, 15, "a");
        for (number, segment) in (10..).zip(&mut seen.segments) {
            segment.uri = format!("media_b800_{session}_{number}.ts");
        }
        seen
    };
    let mark = joined(&named("w1629"));
    for (session, expected) in
        [("w1629", Anchor::Contiguous), ("w77", Anchor::Contiguous), ("x77", Anchor::Restarted)]
    {
        let seen = named(session);
        let found = anchor(Some(&mark), &History::default(), &seen, false, Start::LiveEdge, NOW);
        assert_eq!(found, expected, "{session}");
    }
}

#[test]
fn a_new_run_goes_by_the_dates_of_what_was_carried() {
    let dated = |from: u64, to: u64, tag: &str, second: u32| {
        let mut seen = live(from, to, tag);
        seen.segments[0].program_date_time = Some(format!("2026-11-21T08:00:{second:02}Z"));
        seen
    };
    // The newest was made ten seconds after the first.
    let mark = joined(&dated(100, 105, "a", 20));
    let none = History::default();
    for (seen, expected) in [
        // Old copies have other numbers than those that are remembered.
        (dated(80, 85, "a", 0), Anchor::Doubtful),
        (dated(0, 5, "b", 19), Anchor::Doubtful),
        (dated(0, 5, "b", 20), Anchor::Restarted),
        (dated(0, 5, "b", 40), Anchor::Restarted),
        (live(0, 5, "b"), Anchor::Restarted),
    ] {
        let found = |history| anchor(Some(&mark), history, &seen, false, Start::LiveEdge, NOW);
        assert_eq!(found(&none), expected, "{:?}", seen.segments[0]);
        // Whoever has watched knows its old copies.
        let watched = history(&dated(100, 105, "a", 20));
        assert_eq!(found(&watched), Anchor::Restarted, "{:?}", seen.segments[0]);
    }
    // Another server goes on where it has what follows.
    for (seen, next) in [
        (dated(7_000, 7_005, "b", 24), Some(7_004)),
        (dated(7_000, 7_005, "b", 34), None),
        (live(7_000, 7_005, "b"), None),
    ] {
        assert_eq!(
            none.continued_by(&seen, &mark),
            next.map(MediaSequence),
            "{:?}",
            seen.segments[0]
        );
    }
}
