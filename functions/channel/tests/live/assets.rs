//! What an index says of a VOD.

use crate::vod::Programme;
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
