//! What an index says of a VOD.

use crate::schedules::World;
use crate::vod::{Programme, moment, read_media};
use channel::{Edit, Wish};
use hls::Micros;

#[test]
fn an_index_says_how_long_a_vod_is_and_where_its_segments_lie() {
    let (video, audio) = (vec![4_000, 2_000, -3_000], vec![5_000, 1_000, -3_000]);
    let asset = Programme { video, shift: 30, audio }.asset(1);
    assert_eq!((asset.duration(), asset.segments()), (Micros::from_millis(9_000), 3));
    assert_eq!(asset.longest(), Micros::from_millis(5_000), "of the sound");
    for (tracks, segment, address) in [
        (&[Some(0)][..], 0, Some("s0.ts")),
        (&[Some(0), None], 2, Some("s2.ts")),
        (&[Some(0)], 3, None),
        (&[Some(9)], 0, None),
        (&[None, Some(0)], 0, None),
        (&[], 0, None),
    ] {
        let found = asset.needs(tracks, segment).map(|it| it.segment.rsplit('/').next().unwrap());
        assert_eq!(found, address, "{tracks:?}, {segment}");
    }
}

#[test]
fn sound_that_is_cut_elsewhere_plays_from_and_to_its_nearest_boundaries_and_never_not_at_all() {
    let long = || (vec![500; 5], vec![2_000, 500]);
    // The discontinuity of the sound is a bit later than that of the picture.
    let cut = || (vec![2_000, 2_000, -2_000, 2_000], vec![2_000, 1_900, 400, -1_700, 1_500, 500]);
    for ((video, audio), offset, duration, expected) in [
        (long(), 0, 500, "s0"),
        (long(), 500, 1_000, "s0"),
        // Nearest to where it begins and ends is the same boundary.
        (long(), 1_500, 500, "s1"),
        (long(), 2_000, 500, "s1"),
        (cut(), 0, 4_000, "s0 s1"),
        (cut(), 2_000, 2_000, "s1"),
        (cut(), 4_000, 2_000, "s3"),
        (cut(), 6_000, 2_000, "s4 s5"),
    ] {
        let mut world = World::new(&[Programme { video, shift: 0, audio }], false, 0);
        let wish = Wish {
            offset: Micros::from_millis(offset),
            duration: Some(Micros::from_millis(duration)),
            ..world.wish(0)
        };
        assert!(world.change(Edit::Append(vec![wish]), 0));
        world.channel.window = Micros::from_secs(60);
        let text = world.channel.media_playlist(&world.items(), &world.indexes, moment(10_000), 2);
        let segments = read_media(&text.unwrap().text).segments;
        let names = segments.iter().map(|it| it.uri.rsplit('/').next().unwrap());
        let names: Vec<&str> = names.filter_map(|name| name.split('.').next()).collect();
        // Behind it all of it plays, again and again.
        let again = format!("{expected} s0 s1");
        assert!(names.join(" ").starts_with(&again), "{offset} {duration}: {names:?}");
    }
}
