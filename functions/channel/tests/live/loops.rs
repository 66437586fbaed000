//! What a loop keeps, whatever it plays and whenever it is asked.

use crate::vod::{EPOCH, Playhead, Programme, Told, moment, programme, read_media, told};
use channel::{Loop, Numbers, Seed, Settings};
use hls::{MediaPlaylist, Micros, Seconds, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn channel(programmes: &[Programme], window: i64) -> Loop {
    channel_of(Seconds(2), programmes, window)
}

fn channel_of(target_duration: Seconds, programmes: &[Programme], window: i64) -> Loop {
    let settings = Settings {
        epoch: EPOCH,
        target_duration,
        window: Micros::from_millis(u64::try_from(window).unwrap()),
    };
    let assets = programmes.iter().enumerate().map(|(name, it)| Arc::new(it.asset(name)));
    Loop::new(settings, assets.collect()).unwrap()
}

fn playlist(channel: &Loop, rendition: usize, now: i64) -> MediaPlaylist {
    read_media(&channel.media_playlist(rendition, moment(now), None).text)
}

/// What a loop would publish if it played one programme after the other.
pub fn played(programmes: &[Programme], rendition: usize, until: i64) -> Playhead {
    let (mut playhead, mut start) = (Playhead::default(), 0);
    for (name, programme) in programmes.iter().enumerate().cycle() {
        playhead.play(name, programme, rendition, &(0..programme.video.len()), start);
        start += programme.millis();
        if start > until + 1_000 {
            return playhead;
        }
    }
    playhead
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_loop_lists_what_a_playhead_would_have_published(
        programmes in vec(programme(), 1..4),
        window in 0_i64..40_000,
        times in vec(0_i64..120_000, 1..12),
    ) {
        let channel = channel(&programmes, window);
        for rendition in 0..3 {
            let played = played(&programmes, rendition, 120_000);
            for now in &times {
                let playlist = playlist(&channel, rendition, *now);
                prop_assert_eq!(playlist.target_duration, Seconds(2));
                prop_assert!(playlist.segments.first().is_none_or(|first| !first.discontinuity));
                prop_assert_eq!(told(&playlist), played.window(*now, window.max(6_000)), "{} at {}", rendition, now);
            }
        }
    }

    #[test]
    fn a_viewers_channel_never_goes_back_and_uses_no_number_twice(
        programmes in vec(programme(), 1..6),
        window in 0_i64..40_000,
        steps in vec(0_i64..7_000, 1..60),
        viewer in prop::option::of(0_u64..9),
    ) {
        let (channel, other) = (channel(&programmes, window), channel(&programmes, window));
        let seed = viewer.map(Seed);
        for rendition in 0..3 {
            let (mut now, mut known) = (0, BTreeMap::<u64, Told>::new());
            let (mut first, mut last) = (0, None);
            for step in &steps {
                now += step;
                let text = channel.media_playlist(rendition, moment(now), seed);
                prop_assert_eq!(&text, &other.media_playlist(rendition, moment(now), seed));
                let playlist = read_media(&text.text);
                prop_assert!(playlist.media_sequence.0 >= first, "the first went back");
                prop_assert!(playlist.last_sequence() >= last, "the last went back");
                (first, last) = (playlist.media_sequence.0, playlist.last_sequence());
                for segment in told(&playlist) {
                    prop_assert!(segment.end <= now, "{segment:?} is ahead of the clock at {now}");
                    let before = known.entry(segment.number).or_insert_with(|| segment.clone());
                    prop_assert_eq!(&*before, &segment);
                }
            }
        }
    }

    #[test]
    fn a_playlist_stays_the_same_until_its_next_change_and_no_longer(
        programmes in vec(programme(), 1..4),
        now in 0_i64..100_000,
        within in 0_u64..1_000_000,
    ) {
        let channel = channel(&programmes, 10_000);
        for rendition in 0..3 {
            let now = moment(now);
            let here = channel.media_playlist(rendition, now, None);
            let next = here.next.unwrap();
            prop_assert!(next > now);
            let before = Timestamp(now.0 + within % (next.0 - now.0));
            prop_assert_eq!(&here, &channel.media_playlist(rendition, before, None));
            prop_assert_ne!(&here.text, &channel.media_playlist(rendition, next, None).text);
        }
    }

    #[test]
    fn a_cycle_later_everything_is_a_cycle_later(
        programmes in vec(programme(), 1..4),
        now in 0_i64..60_000,
        cycles in 1_i64..100_000_000,
    ) {
        let channel = channel(&programmes, 20_000);
        let cycle: i64 = programmes.iter().map(Programme::millis).sum();
        // From the second cycle on: the first showing of all begins without a discontinuity. Where sound falls short,
        // a playlist may go back by twelve seconds more.
        let now = now + cycle + 40_000;
        for rendition in 0..3 {
            let durations = || programmes.iter().map(|it| it.durations(rendition));
            let segments: usize = durations().map(|it| it.len()).sum();
            let cuts: usize =
                durations().map(|it| 1 + it.iter().skip(1).filter(|it| **it < 0).count()).sum();
            let (segments, cuts) = (u64::try_from(segments).unwrap(), u64::try_from(cuts).unwrap());
            let times = u64::try_from(cycles).unwrap();
            let mut expected = told(&playlist(&channel, rendition, now));
            for segment in &mut expected {
                segment.number += times * segments;
                segment.discontinuities += times * cuts;
                segment.start += cycles * cycle;
                segment.end += cycles * cycle;
            }
            prop_assert_eq!(told(&playlist(&channel, rendition, now + cycles * cycle)), expected);
        }
    }
}

#[test]
fn a_loop_may_count_from_other_numbers() {
    let even = |count| Programme { video: vec![2_000; count], shift: 0, audio: vec![2_000; count] };
    let plain = channel(&[even(3), even(1)], 10_000);
    assert_eq!(plain.cycle(), Micros::from_secs(8));
    let counted = plain.clone().counted_from(Numbers { sequence: 100, discontinuities: 7 });
    assert_eq!(counted.cycle(), plain.cycle());
    for now in [2_000, 9_000, 60_000] {
        let mut expected = told(&playlist(&plain, 0, now));
        for segment in &mut expected {
            segment.number += 100;
            segment.discontinuities += 7;
        }
        assert_eq!(told(&playlist(&counted, 0, now)), expected, "{now}");
    }
}

#[test]
fn three_target_durations_are_listed_also_where_audio_falls_short() {
    for (target_duration, millis) in [(Seconds(2), 2_000), (Seconds(6), 6_000)] {
        let audio = [vec![millis; 4], vec![millis - 490]].concat();
        let programme = Programme { video: vec![millis; 5], shift: 0, audio };
        let channel = channel_of(target_duration, &[programme], 3 * millis);
        let mut shortest = i64::MAX;
        for now in (10 * millis..30 * millis).step_by(100) {
            let listed = told(&playlist(&channel, 2, now));
            shortest = shortest.min(listed.iter().map(|told| told.end - told.start).sum());
        }
        // No more than a segment longer.
        assert_eq!(shortest, 3 * millis, "{target_duration:?}");
    }
}
