use super::{NOW, live};
use hls::{MediaPlaylist, MediaSequence, Micros};
use proptest::prelude::*;
use relay::anchor::{Anchor, History, anchor, take_up};
use relay::cursor::Rendition;
use relay::names::{Epoch, RenditionName, Stem};
use relay::parts::{Along, Keys, PartId};
use relay::plan::{Failure, Fates, View, plan};
use relay::render::render;
use relay::session::{Address, Start};
use relay::settle::{Beside, Fate, Offered, Style, settle};
use std::collections::BTreeMap;
use url::Url;

pub const FOLLOW: Style = Style { window: None, deletes: false, keys: Keys::Carried };

pub fn take(before: Option<&Rendition>, seen: &MediaPlaylist) -> Rendition {
    let anchor = anchor(before, &History::default(), seen, false, Start::Window, NOW);
    take_up(before, seen, anchor, Epoch(0), 1, NOW).unwrap()
}

fn moved(mark: Rendition, seen: &MediaPlaylist, fate: impl Fn(u64) -> Fate) -> Rendition {
    let mut mark =
        settle(mark, seen, FOLLOW, |_, sequence| fate(sequence.0), |_| None, |_| Beside::default());
    // All of it is published.
    let track = &mut mark.tracks[0];
    track.given = track.last().map(relay::cursor::Stretch::last_out);
    mark
}

#[test]
fn a_rendition_moves_up_to_its_first_segment_that_waits() {
    use Fate::{Gone, Landed, Waiting};
    for (fates, to, jumps) in [
        ([Landed, Landed, Landed, Landed], Some(13), 0),
        ([Landed, Waiting, Landed, Landed], Some(10), 0),
        ([Waiting, Landed, Landed, Landed], None, 0),
        ([Landed, Gone, Landed, Waiting], Some(12), 1),
        ([Gone, Gone, Landed, Landed], Some(13), 1),
        ([Landed, Gone, Gone, Gone], Some(10), 0),
    ] {
        let seen = live(10, 13, "a");
        let mark = moved(take(None, &seen), &seen, |n| fates[usize::try_from(n - 10).unwrap()]);
        let track = &mark.tracks[0];
        assert_eq!(track.landed(Epoch(0)).map(|n| n.0), to, "{fates:?}");
        assert_eq!(track.jumps, jumps, "{fates:?}");
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_waited_for_as_long_as_it_may_come() {
    let (recording, live, lasting, spoilt) = (true, false, false, true);
    for (ended, spoilt, read, seconds, hopeless) in [
        (live, lasting, None, 10_000, false),
        (live, spoilt, None, 10_000, false),
        (live, spoilt, Some(99), 10_000, false),
        (live, spoilt, Some(100), 10_000, false),
        (live, spoilt, Some(101), 59, false),
        (live, spoilt, Some(101), 60, true),
        (live, lasting, Some(101), 60, true),
        (recording, lasting, Some(101), 59, false),
        (recording, lasting, Some(101), 60, true),
        (recording, lasting, Some(99), 539, false),
        (recording, lasting, None, 540, true),
        (recording, spoilt, None, 14, false),
        (recording, spoilt, None, 15, true),
    ] {
        let at = |seconds| NOW + Micros::from_secs(seconds);
        let (since, retry_at) = (at(100), at(105));
        let reason = String::new();
        let mut failure = Failure { tries: 8, since, retry_at, reason, spoilt, gone: false };
        let found = failure.is_hopeless(ended, read.map(at), at(100 + seconds));
        assert_eq!(found, hopeless, "recording {ended}, spoilt {spoilt}, {read:?}, {seconds} s");
        // It may be that there was no room to read it.
        failure.tries = 7;
        let found = failure.is_hopeless(ended, read.map(at), at(100 + seconds));
        assert_eq!(found, hopeless && ended && seconds != 60, "{spoilt}, {read:?}, {seconds} s");
    }
}

#[test]
fn numbers_go_on_without_a_gap_over_a_jump_and_a_restart() {
    let seen = live(10, 13, "a");
    let mark = moved(take(None, &seen), &seen, |_| Fate::Landed);
    let seen = live(16, 19, "a");
    let mark = moved(take(Some(&mark), &seen), &seen, |_| Fate::Landed);
    let seen = live(0, 2, "b");
    let mark = moved(take(Some(&mark), &seen), &seen, |_| Fate::Landed);
    let track = &mark.tracks[0];
    let last = track.last().unwrap();
    assert_eq!((last.epoch, last.from.0, last.out.0, last.marked), (Epoch(1), 0, 18, true));
    assert_eq!((track.discontinuities.0, track.jumps, track.missed), (2, 1, 2));
}

#[test]
fn what_an_endpoint_lists_still_is_remembered_when_the_source_begins_anew() {
    let key = |bytes: &[u8]| Along { keys: vec![Some(PartId::of(bytes))], ..Along::default() };
    let settled =
        |before: Option<&Rendition>, seen: MediaPlaylist, of: &[u8], landed: [Option<u64>; 2]| {
            let seen = &seen;
            let anchor = anchor(before, &History::default(), seen, false, Start::Window, NOW);
            let mark = take_up(before, seen, anchor, Epoch(0), 2, NOW).unwrap();
            let fate = |endpoint: usize, sequence: MediaSequence| match landed[endpoint] {
                Some(landed) if sequence.0 <= landed => Fate::Landed,
                Some(_) | None => Fate::Waiting,
            };
            settle(mark, seen, FOLLOW, fate, |_| Some(key(of)), |_| Beside::default())
        };
    let has = |mark: &Rendition, bytes| mark.has(&mark.tracks[1], &PartId::of(bytes));
    let first = settled(None, live(10, 13, "a"), b"a", [Some(13), Some(13)]);
    let anew = settled(Some(&first), live(0, 2, "b"), b"b", [Some(2), None]);
    assert!(has(&first, b"a") && has(&anew, b"a") && !has(&anew, b"b"));
    // Also when the first endpoint is far ahead.
    let later = settled(Some(&anew), live(8, 9, "b"), b"c", [Some(9), None]);
    assert!(has(&later, b"a"));
    let both = settled(Some(&later), live(8, 10, "b"), b"c", [Some(10), Some(10)]);
    assert!(has(&both, b"c") && !has(&both, b"a"));
    assert_eq!(both.parts.len(), 1, "{:?}", both.parts);
}

#[test]
fn copies_begin_with_the_oldest_of_each_rendition_in_turn() {
    let seen = live(10, 13, "a");
    let mark = take(None, &seen);
    let mut fates = Fates::new(1);
    fates.landed[0].insert((Epoch(0), MediaSequence(11)));
    let failure = Failure {
        tries: 1,
        since: hls::Timestamp(0),
        retry_at: hls::Timestamp(50),
        reason: String::new(),
        spoilt: false,
        gone: false,
    };
    fates.failed.insert((Epoch(0), MediaSequence(12)), failure);
    let layout = relay::layout::Layout::of_media(Url::parse("http://a.example/").unwrap());
    let name = layout.renditions.keys().next().unwrap();
    let view = View { name, mark: &mark, seen: &seen, fates: &fates };
    let numbers = |room, now| -> Vec<u64> {
        let copies = plan(&[view, view], vec![room], hls::Timestamp(now));
        copies.iter().map(|copy| copy.key.1.0).collect()
    };
    assert_eq!(numbers(8, 0), [10, 10, 13, 13]);
    assert_eq!(numbers(3, 0), [10, 10, 13]);
    assert_eq!(numbers(8, 50), [10, 10, 12, 12, 13, 13]);
    assert_eq!(numbers(0, 50), [0_u64; 0]);
}

#[test]
fn what_lands_is_landed_and_tells_how_long_an_endpoint_takes_where_it_came_late() {
    let seen = live(10, 13, "a");
    let target = Micros::from(seen.target_duration);
    let mut fates = Fates::new(1);
    let mut arrived = |number: u64, took, seen| {
        let key = (Epoch(0), MediaSequence(number));
        fates.arrived(0, key, took, seen);
        assert_eq!(fates.of(0, key), Fate::Landed, "{number}");
        fates.takes[0]
    };
    assert_eq!(arrived(8, target, None), Micros(0), "nobody knows what is listed");
    assert_eq!(arrived(10, target, Some(&seen)), Micros(0), "still listed");
    assert_eq!(arrived(9, target, Some(&seen)), target, "late");
    assert_eq!(arrived(11, target, Some(&seen)), target, "as slow as before, though in time");
    assert_eq!(arrived(12, target - Micros(1), Some(&seen)), Micros(0), "fast again");
}

#[test]
fn what_takes_too_long_to_be_listed_when_it_has_landed_is_tried_last_and_alone() {
    let (key, seconds) = (|number| (Epoch(0), MediaSequence(number)), Micros::from_secs);
    let seen = live(10, 15, "a");
    let mark = take(None, &seen);
    let layout = relay::layout::Layout::of_media(Url::parse("http://a.example/").unwrap());
    let name = layout.renditions.keys().next().unwrap();
    let numbers = |seen: &MediaPlaylist, takes, landed: &[u64], under_way: &[u64]| -> Vec<u64> {
        let mut fates = Fates::new(1);
        fates.takes[0] = takes;
        fates.landed[0].extend(landed.iter().map(|number| key(*number)));
        fates.under_way[0].extend(under_way.iter().map(|number| (key(*number), NOW)));
        let view = View { name, mark: &mark, seen, fates: &fates };
        plan(&[view], vec![9], NOW).iter().map(|copy| copy.key.1.0).collect()
    };
    // In four seconds two are dropped, and in three as well, each some time after the look.
    for (name, takes, landed, under_way, expected) in [
        ("not known to be slow", 0, &[][..], &[][..], &[10, 11, 12, 13, 14, 15][..]),
        ("two seconds", 2, &[], &[], &[11, 12, 13, 14, 15]),
        ("three seconds", 3, &[], &[], &[12, 13, 14, 15]),
        ("four seconds", 4, &[], &[], &[12, 13, 14, 15]),
        ("some are under way", 4, &[12], &[13, 14], &[15]),
        ("all that is in time is under way", 4, &[12, 13], &[14, 15], &[]),
        ("all that is in time is there", 4, &[12, 13, 14, 15], &[], &[11]),
        ("one that is late is under way", 4, &[12, 13, 14, 15], &[11], &[]),
        ("one that is late is there", 4, &[11, 12, 13, 14, 15], &[], &[10]),
    ] {
        let found = numbers(&seen, seconds(takes), landed, under_way);
        assert_eq!(found, expected, "{name}");
    }
    // What drops nothing is carried from its beginning.
    let ended = MediaPlaylist { ended: true, ..seen.clone() };
    let event = MediaPlaylist { playlist_type: Some(hls::PlaylistType::Event), ..seen };
    for stays in [ended, event] {
        assert_eq!(numbers(&stays, seconds(4), &[], &[]), [10, 11, 12, 13, 14, 15]);
    }
}

#[test]
fn gaps_are_remembered_as_stretches_as_long_as_they_can_be_listed() {
    let gaps = |first: u64, last: u64| {
        let mut seen = live(first, last, "a");
        for (number, segment) in (first..).zip(&mut seen.segments) {
            segment.gap = [4, 5, 7].contains(&number);
        }
        seen
    };
    let waits = |number| if [4, 5, 7].contains(&number) { Fate::Waiting } else { Fate::Landed };
    let known = |mark: &Rendition| -> Vec<(u64, u64)> {
        mark.gaps.iter().map(|gaps| (gaps.from.0, gaps.to.0)).collect()
    };
    let seen = gaps(2, 9);
    let mark = moved(take(None, &seen), &seen, waits);
    assert_eq!(known(&mark), [(4, 5), (7, 7)]);
    let seen = gaps(5, 10);
    let mark = moved(take(Some(&mark), &seen), &seen, waits);
    assert_eq!(known(&mark), [(4, 5), (7, 7)]);
    let seen = gaps(7, 12);
    let mark = moved(take(Some(&mark), &seen), &seen, waits);
    assert_eq!(known(&mark), [(7, 7)]);
    let seen = gaps(9, 14);
    let mark = moved(take(Some(&mark), &seen), &seen, waits);
    assert_eq!(known(&mark), []);
}

/// What happens to a source, step by step.
#[derive(Clone, Debug)]
enum Turn {
    /// It publishes so many and drops the oldest.
    Publish(u64),
    /// It begins to number afresh.
    Restart,
    /// It drops all but the newest.
    Shrink,
}

fn turns() -> impl Strategy<Value = Vec<(Turn, u64, bool)>> {
    let turn = prop_oneof![
        6 => (0..4_u64).prop_map(Turn::Publish),
        1 => Just(Turn::Restart),
        1 => Just(Turn::Shrink),
    ];
    // What lands is decided by the bits of a number; a publication may fail.
    prop::collection::vec((turn, any::<u64>(), any::<bool>()), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a source does and whatever lands, playlists never go back, name only what landed,
    /// keep every number and every discontinuity count, and mark every jump.
    #[test]
    fn playlists_keep_the_promises(turns in turns(), window in prop::option::of(4..30_u64)) {
        let style = Style { window: window.map(Micros::from_secs), deletes: false, keys: Keys::Carried };
        let stem = Stem::of(&Address::of(&Url::parse("http://a.example/channel").unwrap()));
        let layout = relay::layout::Layout::of_media(Url::parse("http://a.example/").unwrap());
        let name: &RenditionName = layout.renditions.keys().next().unwrap();
        let (mut tag, mut first, mut last) = (0_u64, 50_u64, 55_u64);
        let mut mark: Option<Rendition> = None;
        let mut numbers: BTreeMap<u64, (String, u64)> = BTreeMap::new();
        let (mut head, mut tail) = (0, 0);
        let mut offered = Offered::default();
        for (turn, lands, answered) in turns {
            match turn {
                Turn::Publish(count) => { last += count; first = first.max(last.saturating_sub(5)); }
                Turn::Restart => { tag += 1; first = 0; last = 2; }
                Turn::Shrink => first = last,
            }
            let seen = live(first, last, &format!("t{tag}_"));
            let at = anchor(mark.as_ref(), &History::default(), &seen, false, Start::Window, NOW);
            prop_assume!(at != Anchor::Stale && at != Anchor::Doubtful);
            let taken = take_up(mark.as_ref(), &seen, at, Epoch(0), 1, NOW).unwrap();
            let epoch = taken.epoch;
            let landed = |sequence: MediaSequence| lands >> (sequence.0 % 64) & 1 == 1;
            let fate = |_, sequence| if landed(sequence) { Fate::Landed } else { Fate::Waiting };
            let mut settled = settle(taken, &seen, style, fate, |_| None, |_| Beside { offered, ..Beside::default() });
            let track = &settled.tracks[0];
            if let Some(shown) = render(name, &settled, track, &seen, style, &stem, false) {
                let playlist = super::media(&shown.text);
                let number = playlist.media_sequence.0;
                prop_assert!(number >= head, "the head went back: {}", shown.text);
                prop_assert!(shown.last.0 >= tail, "the end went back: {}", shown.text);
                (head, tail) = (number, shown.last.0);
                let mut discontinuities = playlist.discontinuity_sequence.0;
                for (segment, number) in playlist.segments.iter().zip(number..) {
                    discontinuities += u64::from(segment.discontinuity);
                    let is = (segment.uri.clone(), discontinuities);
                    let was = numbers.entry(number).or_insert_with(|| is.clone());
                    prop_assert_eq!(&*was, &is, "number {} changed", number);
                }
                offered.newest = Some(shown.last);
                if answered {
                    settled.tracks[0].given = Some(shown.last);
                }
            }
            prop_assert_eq!(settled.epoch, epoch);
            mark = Some(settled);
        }
        let place = |uri: &str| -> (u64, u64) {
            let mut parts = uri.trim_end_matches(".ts").rsplit('_');
            let sequence = parts.next().unwrap().parse().unwrap();
            (parts.next().unwrap().parse().unwrap(), sequence)
        };
        for pair in numbers.iter().collect::<Vec<_>>().windows(2) {
            let ((number, (uri, before)), (next, (next_uri, after))) = (pair[0], pair[1]);
            let (from, to) = (place(uri), place(next_uri));
            prop_assert!(from < to, "{uri} comes before {next_uri}");
            let follows = from.0 == to.0 && from.1 + 1 == to.1 && number + 1 == *next;
            prop_assert!(follows || after > before, "silent jump from {uri} to {next_uri}");
        }
    }
}

#[test]
fn what_the_cursor_knows_is_forgotten_and_what_an_endpoint_lacks_is_not() {
    use Fate::{Landed, Waiting};
    let seen = live(10, 15, "a");
    let all = take(None, &seen);
    let mark = moved(all.clone(), &seen, |n| if n < 13 { Landed } else { Waiting });
    let failure = Failure {
        tries: 1,
        since: NOW,
        retry_at: NOW,
        reason: String::new(),
        spoilt: false,
        gone: false,
    };
    let mut fates = Fates::new(1);
    for (epoch, number) in [(0, 12), (0, 13), (0, 14), (9, 14)] {
        let key = (Epoch(epoch), MediaSequence(number));
        fates.landed[0].insert(key);
        fates.gone.insert(key);
        fates.along.insert(key, Along::default());
        fates.failed.insert(key, failure.clone());
    }
    fates.forget(&mark);
    let kept = [13, 14].map(|number| (Epoch(0), MediaSequence(number)));
    assert!(fates.landed[0].iter().eq(&kept), "{fates:?}");
    assert!(fates.gone.iter().eq(&kept), "{fates:?}");
    assert!(fates.along.keys().eq(&kept), "{fates:?}");
    assert!(fates.failed.keys().eq(&kept), "{fates:?}");

    let track = &mark.tracks[0];
    assert!(!fates.complete(&mark, track, &seen), "15 is still to come");
    fates.gone.insert((Epoch(0), MediaSequence(15)));
    assert!(fates.complete(&mark, track, &seen), "the source has none of the others");
    assert!(!fates.complete(&all, &all.tracks[0], &seen), "nor the first");
}

/// The mark after `seen`, all of which landed.
pub fn landed(before: Option<&Rendition>, seen: &MediaPlaylist, style: Style) -> Rendition {
    settle(take(before, seen), seen, style, |_, _| Fate::Landed, |_| None, |_| Beside::default())
}

pub fn key(bytes: &[u8]) -> Option<Along> {
    Some(Along { keys: vec![Some(PartId::of(bytes))], ..Along::default() })
}

#[test]
fn what_a_segment_has_beside_itself_is_noted_once() {
    let seen = live(10, 14, "a");
    let mut mark = take(None, &seen);
    mark.tracks.push(mark.tracks[0].clone());
    // The second endpoint waits for 12, so that what is beside it is looked at again.
    let fate = |endpoint, number: MediaSequence| match (endpoint, number.0) {
        (1, 12..) => Fate::Waiting,
        _ => Fate::Landed,
    };
    for bytes in [b"k", b"l"] {
        let along = |number: MediaSequence| if number.0 == 12 { key(bytes) } else { key(b"j") };
        mark = settle(mark, &seen, FOLLOW, fate, along, |_| Beside::default());
        let noted = mark.parts.iter().map(|parts| (parts.from.0, Some(parts.along.clone())));
        assert_eq!(noted.collect::<Vec<_>>(), [(10, key(b"j")), (12, key(bytes)), (13, key(b"j"))]);
    }
}

#[test]
fn a_numbering_that_begins_is_marked_unless_it_goes_on_with_the_same_segments() {
    let before = landed(None, &live(10, 15, "a"), FOLLOW);
    let mut same = live(0, 2, "a");
    for (segment, number) in same.segments.iter_mut().zip(14..) {
        segment.uri = format!("a{number}.ts");
    }
    let far = live(20, 22, "b");
    for (seen, how, broken, marked) in [
        (&same, Anchor::Renumbered(MediaSequence(2)), false, false),
        (&same, Anchor::Renumbered(MediaSequence(2)), true, true),
        (&far, Anchor::Switched(MediaSequence(20)), false, true),
        (&live(0, 2, "b"), Anchor::Restarted, false, true),
    ] {
        let mut mark = before.clone();
        mark.tracks[0].broken = broken;
        mark.tracks[0].given = mark.tracks[0].last().map(relay::cursor::Stretch::last_out);
        let mark = take_up(Some(&mark), seen, how, Epoch(0), 1, NOW).unwrap();
        let mark = settle(mark, seen, FOLLOW, |_, _| Fate::Landed, |_| None, |_| Beside::default());
        let track = &mark.tracks[0];
        let last = track.last().unwrap();
        assert_eq!((last.epoch, last.out, last.marked), (Epoch(1), MediaSequence(16), marked));
        assert_eq!((track.jumps, track.missed), (0, 0), "{how:?}");
    }
}

#[test]
fn the_discontinuities_of_the_source_before_the_first_segment_count() {
    let mut seen = live(10, 15, "a");
    seen.discontinuity_sequence = hls::DiscontinuitySequence(5);
    seen.segments[1].discontinuity = true;
    for (gone, count) in [(10, 6), (12, 6)] {
        let fate =
            |_, number: MediaSequence| if number.0 < gone { Fate::Gone } else { Fate::Landed };
        let mark = settle(take(None, &seen), &seen, FOLLOW, fate, |_| None, |_| Beside::default());
        assert_eq!(mark.tracks[0].discontinuities.0, count, "{gone}");
    }
}
