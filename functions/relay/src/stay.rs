//! How long what left the playlists stays at an output where it is to be deleted.

use crate::cursor::{Due, Stretch, Track};
use crate::names::Epoch;
use hls::{MediaSequence, Micros, Timestamp};

/// What becomes due within this part of the longest playlist is deleted together.
const TOGETHER: u64 = 8;

/// A playlist is stored that begins with `first`: players may ask for what it does not list any more for as long as
/// the longest playlist that listed it and a segment last (RFC 8216 section 6.2.2).
pub(crate) fn dropped(track: &mut Track, first: MediaSequence, target: Micros, now: Timestamp) {
    let left = track.left.first().is_some_and(|left| left.out < first);
    if !left || track.due.last().is_some_and(|due| due.before >= first) {
        return;
    }
    // By the second: endpoints that are told the same at about the same time remain alike. A second more: the
    // clock of the run that deletes it may be ahead.
    let until = now + track.longest + target + Micros::from_secs(1);
    let until = Timestamp(until.0.next_multiple_of(1_000_000));
    if let [.., before, _] = track.due.as_slice()
        && until.since(before.until).0 <= track.longest.0 / TOGETHER
    {
        track.due.pop();
    }
    track.due.push(Due { before: first, until });
}

/// What left the playlists long enough ago to be deleted.
pub(crate) fn deletable(track: &Track, now: Timestamp) -> Vec<(Epoch, MediaSequence)> {
    let due = track.due.iter().rev().find(|due| due.until <= now);
    let before = due.map_or(MediaSequence(0), |due| due.before);
    let each = |stretch: &Stretch| {
        let epoch = stretch.epoch;
        let count = before.since(stretch.out).min(stretch.to.since(stretch.from) + 1);
        let from = stretch.from.0;
        (from..from.saturating_add(count)).map(move |number| (epoch, MediaSequence(number)))
    };
    track.left.iter().flat_map(each).take(DELETES_AT_ONCE).collect()
}

/// How many segments are deleted after one playlist.
const DELETES_AT_ONCE: usize = 16;

/// Forgets the first `count` of what is to be deleted.
pub(crate) fn forget_deleted(track: &mut Track, count: usize) {
    for _ in 0..count {
        let Some(first) = track.left.first_mut() else { break };
        if first.from == first.to {
            track.left.remove(0);
        } else {
            (first.from, first.out) = (first.from.after(1), first.out.after(1));
        }
    }
    let first = track.left.first().map(|left| left.out);
    track.due.retain(|due| first.is_some_and(|first| first < due.before));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_is_deleted_oldest_first_and_once_and_not_before_its_time() {
        let stretch = |epoch: u64, from: u64, to: u64, out: u64| {
            let (from, to, out) = (MediaSequence(from), MediaSequence(to), MediaSequence(out));
            Stretch { epoch: Epoch(epoch), from, to, out, marked: false }
        };
        let due = |before, until| Due { before: MediaSequence(before), until: Timestamp(until) };
        let track = Track {
            left: vec![stretch(0, 10, 11, 90), stretch(0, 20, 20, 92), stretch(1, 0, 30, 97)],
            due: vec![due(91, 4), due(93, 5), due(127, 7)],
            ..Track::default()
        };
        let numbers = [(0, 10), (0, 11), (0, 20)].into_iter().chain((0..=30).map(|n| (1, n)));
        let numbers: Vec<_> = numbers.map(|(e, n)| (Epoch(e), MediaSequence(n))).collect();
        for (deleted, now, range, dues) in [
            (0, 3, 0..0, 3),
            (0, 4, 0..1, 3),
            (1, 4, 0..0, 2),
            (0, 6, 0..3, 3),
            (2, 6, 2..3, 2),
            (3, 6, 0..0, 1),
            (0, 7, 0..16, 3),
            (16, 7, 16..32, 1),
            (32, 7, 32..33, 1),
            (33, 9, 0..0, 0),
            (40, 9, 0..0, 0),
        ] {
            let mut track = track.clone();
            forget_deleted(&mut track, deleted);
            assert_eq!(deletable(&track, Timestamp(now)), numbers[range], "{deleted} {now}");
            assert_eq!(track.due.len(), dues, "{deleted} {now}");
        }
    }

    #[test]
    fn what_left_stays_for_as_long_as_the_longest_playlist_that_listed_it_and_a_segment() {
        let second = |n: u64| Micros::from_secs(n);
        let at = |n: u64| Timestamp(second(n).0);
        let mut track = Track { longest: second(60), ..Track::default() };
        dropped(&mut track, MediaSequence(5), second(6), at(0));
        assert_eq!(track.due, [], "nothing has left");
        let (from, to) = (MediaSequence(2), MediaSequence(9));
        track.left = vec![Stretch { epoch: Epoch(0), from, to, out: from, marked: false }];
        for (first, now, due) in [
            (2, 1, &[][..]),
            (3, 10, &[(3, 77)]),
            (3, 11, &[(3, 77)]),
            (4, 12, &[(3, 77), (4, 79)]),
            // Within an eighth of the longest playlist after that before the last they become due together.
            (5, 17, &[(3, 77), (5, 84)]),
            (6, 18, &[(3, 77), (5, 84), (6, 85)]),
            (9, 40, &[(3, 77), (5, 84), (6, 85), (9, 107)]),
        ] {
            dropped(&mut track, MediaSequence(first), second(6), at(now));
            let told = track.due.iter().map(|due| (due.before.0, due.until.0 / 1_000_000));
            assert!(told.eq(due.iter().copied()), "{first} {now}: {:?}", track.due);
        }
    }
}
