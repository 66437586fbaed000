//! Every playlist of some channels, from before they begin, moment after moment.

use crate::loops;
use crate::schedules::World;
use crate::vod::{Playhead, Programme, millis, moment, read_media, told};
use channel::{Break, Edit, Item, Seed, Unread, Wish};
use hls::Micros;
use std::collections::BTreeSet;

/// Programmes whose sound is cut elsewhere, and is longer or shorter; with discontinuities, also at a beginning.
fn programmes() -> [Programme; 3] {
    [
        Programme { video: vec![1_500, -900, 1_100], shift: -20, audio: vec![300, 1_200, -2_000] },
        Programme {
            video: vec![-2_000, 2_000, 1_000, -2_400, 600],
            shift: 40,
            audio: vec![2_400, 2_400, 200, -1_300, 2_100],
        },
        Programme { video: vec![1_000; 3], shift: 0, audio: vec![1_500, 1_000] },
    ]
}

/// Around each change of what a playhead published.
fn moments(played: &Playhead, until: i64) -> impl Iterator<Item = i64> {
    let ends = played.shown.iter().copied().take_while(move |shown| *shown < until);
    ends.flat_map(|end| [end - 1, end])
}

/// The slate until 6 s, a part of a show with a break, the slate again, two shows, and the slate for ever.
fn scheduled(slate: bool) -> World {
    let mut world = World::new(&programmes(), slate, 0);
    world.channel.ads = vec![world.hashes[2].clone()];
    let pause =
        Break { at: Micros::from_secs(5), duration: Micros::from_millis(4_600), ads: Vec::new() };
    let part = Wish { offset: Micros::from_secs(2), breaks: vec![pause], ..world.wish(1) };
    let late = Wish { start: Some(moment(30_000)), ..world.wish(1) };
    let wishes = vec![part, late, world.wish(1)];
    assert!(world.change(Edit::Append(wishes), 0));
    world
}

#[test]
fn a_schedule_is_listed_as_a_playhead_would_publish_it_at_every_moment() {
    for (slate, window, listed) in [(true, 15_000, 15_000), (false, 0, 6_000)] {
        let mut world = scheduled(slate);
        world.channel.window = Micros::from_millis(window);
        let items = world.items();
        for rendition in 0..3 {
            let played = world.played(rendition, 80_000);
            let begins = played.shown[0];
            for now in [begins - 30_000, begins - 8_000].into_iter().chain(moments(&played, 60_000))
            {
                let read = world.read(rendition, now).unwrap_or_default();
                assert_eq!(read, played.window(now, listed), "{rendition} at {now}");
                let next = played.shown.iter().find(|shown| **shown > now).map(|it| moment(*it));
                let playlist =
                    world.channel.media_playlist(&items, &world.indexes, moment(now), rendition);
                let expected = match now {
                    _ if now >= begins => Ok(next),
                    _ if now >= begins - 8_000 => Err(Unread::Nothing { until: next }),
                    // What is so far ahead is not looked at.
                    _ => Err(Unread::Nothing { until: None }),
                };
                assert_eq!(playlist.map(|it| it.next), expected, "{rendition} at {now}");
            }
        }
    }
}

#[test]
fn the_variants_are_counted_together_and_every_other_rendition_by_itself() {
    let items = scheduled(true).items();
    let counts: Vec<&[u64]> = items.iter().map(|it| it.totals.sequences.as_slice()).collect();
    let expected = [[0, 0], [6, 6], [8, 8], [11, 10], [12, 12], [14, 14], [25, 26], [30, 31]];
    assert_eq!(counts, expected);
}

#[test]
fn a_loop_is_listed_as_a_playhead_would_publish_it_at_every_moment() {
    for (window, listed) in [(15_000, 15_000), (0, 6_000)] {
        let channel = loops::channel(&programmes(), window);
        for rendition in 0..3 {
            let played = loops::played(&programmes(), rendition, 70_000);
            for now in [-30_000, -1].into_iter().chain(moments(&played, 50_000)) {
                let playlist = channel.media_playlist(rendition, moment(now), None);
                let read = told(&read_media(&playlist.text));
                assert_eq!(read, played.window(now, listed), "{rendition} at {now}");
                let next = played.shown.iter().find(|shown| **shown > now).map(|it| moment(*it));
                assert_eq!(playlist.next, next, "{rendition} at {now}");
            }
        }
    }
}

#[test]
fn a_loop_tells_what_plays_and_what_comes_next() {
    let channel = loops::channel(&programmes(), 15_000);
    let on = |now: i64, count: usize, seed: Option<Seed>| -> Vec<(usize, i64, u64)> {
        let on = channel.on_now(moment(now), seed, count);
        on.iter().map(|it| (it.place, millis(it.start), it.duration.as_millis())).collect()
    };
    // They take 3.5 s, 8 s and 3 s.
    let all = [(0, 0, 3_500), (1, 3_500, 8_000), (2, 11_500, 3_000), (0, 14_500, 3_500)];
    for (now, first) in [(-10_000, 0), (0, 0), (3_499, 0), (3_500, 1), (14_499, 2)] {
        assert_eq!(on(now, 1, None), all[first..=first], "{now}");
        assert_eq!(on(now, 4 - first, None), all[first..], "{now}");
    }
    let far = on(145_000 + 11_500, 5, None);
    assert_eq!((far[0], far[4]), ((2, 156_500, 3_000), (0, 174_000, 3_500)));
    // One after the other in each cycle, in an order of the viewer's own.
    let shuffled = on(0, 6, Some(Seed(3)));
    for cycle in shuffled.chunks(3) {
        assert_eq!(cycle.iter().map(|it| it.0).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2]));
    }
    for pair in shuffled.windows(2) {
        assert_eq!(pair[0].1 + i64::try_from(pair[0].2).unwrap(), pair[1].1);
    }
    for (now, place) in [(12_000, 2), (15_000, 3), (28_900, 5)] {
        assert_eq!(on(now, 1, Some(Seed(3)))[0], shuffled[place]);
    }
}

#[test]
fn only_the_indexes_of_what_plays_about_now_are_needed() {
    let mut world = World::new(&programmes(), true, 0);
    let wishes = [2, 1, 1, 1, 1, 2].map(|which| world.wish(which));
    assert!(world.change(Edit::Append(wishes.to_vec()), 0));
    let items: Vec<Item> = world.items().into_iter().skip(1).collect();
    let (first, last) = (millis(items[1].start), millis(items[5].start));
    let without = |which: usize| {
        let mut indexes = world.indexes.clone();
        indexes.remove(&world.hashes[which]);
        indexes
    };
    let list = |items: &[Item], missing: usize, now: i64| {
        let of = world.channel.media_playlist(items, &without(missing), moment(now), 0);
        of.map(|_| ()).map_err(|error| (error, now))
    };
    // Two target durations, and what sound may lie apart, around a window of 15 s.
    for (name, items, missing, needed, not_needed) in [
        ("what was on", &items[..5], 2, first + 31_000, first + 31_001),
        ("what will be on", &items[1..], 2, last - 16_000, last - 16_001),
        ("the slate behind it", &items[1..5], 0, last - 16_000, last - 16_001),
    ] {
        assert_eq!(list(items, missing, not_needed), Ok(()), "{name}");
        let error = Unread::Index(world.hashes[missing].clone());
        assert_eq!(list(items, missing, needed), Err((error, needed)), "{name}");
    }
}

#[test]
fn a_scheduled_channel_has_the_multivariant_playlist_of_its_ladder() {
    let world = scheduled(true);
    let expected = loops::channel(&programmes(), 15_000).multivariant();
    assert_eq!(world.channel.multivariant(), expected);
    assert!(expected.contains("video_180p.m3u8"), "{expected}");
}

#[test]
fn the_variants_are_cut_at_the_same_segment_also_where_another_boundary_is_nearer() {
    // Where this one is cut at 2 s, the other has boundaries 30 ms before and 20 ms behind.
    let show = Programme { video: vec![2_000, 20, 2_000], shift: -30, audio: vec![2_000, 2_020] };
    let mut world = World::new(&[show], false, 0);
    let part = Wish { duration: Some(Micros::from_millis(2_000)), ..world.wish(0) };
    assert!(world.change(Edit::Append(vec![part.clone(), part]), 0));
    for rendition in 0..2 {
        let played = world.played(rendition, 10_000);
        for now in moments(&played, 9_000) {
            assert_eq!(world.read(rendition, now).unwrap_or_default(), played.window(now, 15_000));
        }
    }
}
