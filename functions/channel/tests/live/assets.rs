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
        let found = asset.address(tracks, segment).map(|it| it.rsplit('/').next().unwrap());
        assert_eq!(found, address, "{tracks:?}, {segment}");
    }
}

#[test]
fn of_a_part_of_a_programme_however_short_there_is_a_segment_in_every_rendition() {
    let (video, audio) = (vec![500; 5], vec![2_000, 500]);
    let mut world = World::new(&[Programme { video, shift: 0, audio }], false, 0);
    let wish = |offset: u64| Wish {
        asset: world.hashes[0].clone(),
        live: None,
        title: None,
        start: None,
        offset: Micros::from_millis(offset),
        duration: Some(Micros::from_millis(500)),
        breaks: Vec::new(),
    };
    // Nearest to where the second one begins and ends is the same boundary of the sound.
    let wishes = vec![wish(0), wish(1_500), wish(2_000)];
    assert!(world.change(Edit::Append(wishes), 0));
    let World { channel, indexes, .. } = &world;
    for (rendition, expected) in [(0, ["s0", "s3", "s4"]), (2, ["s0", "s1", "s1"])] {
        let now = moment(-6_000 + 2_000);
        let text = channel.media_playlist(&world.items(), indexes, now, rendition).unwrap().text;
        let segments = read_media(&text).segments;
        let names = segments.iter().map(|it| it.uri.rsplit(['/']).next().unwrap());
        let names: Vec<&str> = names.filter_map(|name| name.split('.').next()).collect();
        assert_eq!(names.get(..3), Some(&expected[..]), "{rendition}");
    }
}
