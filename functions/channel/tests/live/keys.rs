//! What a segment needs is stated before it, wherever a playlist begins.

use crate::vod::{index, media, read_media};
use channel::{Flaw, Loop, Settings};
use hls::{AttributeList, Micros, Seconds, Segment, Timestamp};
use std::sync::Arc;

/// Keys that come and go, alone and beside those of a DRM system, and initialisation sections that are encrypted
/// or not, with the key of their segments or another. Segments take two seconds.
const VOD: &str = r#"#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="/v/clear.mp4"
#EXTINF:2,
/v/0.mp4
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/v/a",IV=0x1
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://f",KEYFORMAT="com.example.drm"
#EXTINF:2,
/v/1.mp4
#EXTINF:2,
/v/2.mp4
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/v/b",IV=0x2,KEYFORMAT="identity"
#EXTINF:2,
/v/3.mp4
#EXT-X-KEY:METHOD=NONE
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/v/b",IV=0x3
#EXT-X-KEY:KEYFORMAT="com.example.other",METHOD=SAMPLE-AES,URI="skd://g"
#EXTINF:2,
/v/4.mp4
#EXT-X-KEY:METHOD=NONE
#EXTINF:2,
/v/5.mp4
#EXT-X-KEY:METHOD=AES-128,URI="/v/c",IV=0x4
#EXT-X-MAP:URI="/v/c.mp4"
#EXTINF:2,
/v/6.mp4
#EXT-X-KEY:METHOD=AES-128,URI="/v/d",IV=0x5
#EXTINF:2,
/v/7.mp4
#EXT-X-MAP:URI="/v/d.mp4",BYTERANGE="7@1"
#EXT-X-KEY:METHOD=NONE
#EXTINF:2,
/v/8.mp4
#EXT-X-DISCONTINUITY
#EXTINF:2,
/v/9.mp4
#EXT-X-MAP:URI="/v/clear.mp4"
#EXT-X-KEY:METHOD=AES-128,URI="/v/e",IV=0x6
#EXTINF:2,
/v/10.mp4
#EXT-X-MAP:URI="/v/e.mp4"
#EXTINF:2,
/v/11.mp4
#EXT-X-DISCONTINUITY
#EXTINF:2,
/v/12.mp4
#EXT-X-ENDLIST
"#;

fn channel(window: u64) -> Loop {
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    let asset = index("/v/", multivariant, &[("v.m3u8", VOD.to_owned())]).unwrap();
    let settings = Settings {
        epoch: Timestamp(0),
        target_duration: Seconds(2),
        window: Micros::from_secs(window),
    };
    Loop::new(settings, vec![Arc::new(asset)]).unwrap()
}

/// A segment's address, its initialisation section with the keys of that, and its own keys.
type Needs = (String, Option<AttributeList>, Vec<AttributeList>, Vec<AttributeList>);

fn needs(segment: &Segment) -> Needs {
    let map = segment.map.as_deref();
    (
        segment.uri.clone(),
        map.map(|map| map.attributes.clone()),
        map.map_or_else(Vec::new, |map| map.keys.to_vec()),
        segment.keys.to_vec(),
    )
}

#[test]
fn every_segment_has_the_keys_and_the_map_that_it_has_in_its_vod() {
    let channel = channel(6);
    let vod: Vec<Needs> = read_media(VOD).segments.iter().map(needs).collect();
    for now in (6..60).step_by(2) {
        let text = channel.media_playlist(0, Timestamp(now * 1_000_000), None).text;
        let listed = read_media(&text);
        let first = usize::try_from(listed.media_sequence.0).unwrap();
        let expected: Vec<Needs> = vod.iter().cycle().skip(first).take(3).cloned().collect();
        assert_eq!(listed.segments.iter().map(needs).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn keys_and_maps_are_stated_where_they_change_and_no_more() {
    let channel = channel(28);
    let text = channel.media_playlist(0, Timestamp(28_000_000), None).text;
    let lines = text
        .lines()
        .skip(4)
        .filter(|line| !line.contains("PROGRAM-DATE-TIME") && !line.contains("EXTINF"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    #EXT-X-MAP:URI="/v/clear.mp4"
    /v/0.mp4
    #EXT-X-KEY:METHOD=SAMPLE-AES,URI="/v/a",IV=0x1
    #EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://f",KEYFORMAT="com.example.drm"
    /v/1.mp4
    /v/2.mp4
    #EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://f",KEYFORMAT="com.example.drm"
    #EXT-X-KEY:METHOD=SAMPLE-AES,URI="/v/b",IV=0x2,KEYFORMAT="identity"
    /v/3.mp4
    #EXT-X-KEY:METHOD=NONE
    #EXT-X-KEY:METHOD=SAMPLE-AES,URI="/v/b",IV=0x3
    #EXT-X-KEY:KEYFORMAT="com.example.other",METHOD=SAMPLE-AES,URI="skd://g"
    /v/4.mp4
    #EXT-X-KEY:METHOD=NONE
    /v/5.mp4
    #EXT-X-KEY:METHOD=AES-128,URI="/v/c",IV=0x4
    #EXT-X-MAP:URI="/v/c.mp4"
    /v/6.mp4
    #EXT-X-KEY:METHOD=AES-128,URI="/v/d",IV=0x5
    /v/7.mp4
    #EXT-X-MAP:URI="/v/d.mp4",BYTERANGE="7@1"
    #EXT-X-KEY:METHOD=NONE
    /v/8.mp4
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=AES-128,URI="/v/d",IV=0x5
    #EXT-X-MAP:URI="/v/d.mp4",BYTERANGE="7@1"
    #EXT-X-KEY:METHOD=NONE
    /v/9.mp4
    #EXT-X-MAP:URI="/v/clear.mp4"
    #EXT-X-KEY:METHOD=AES-128,URI="/v/e",IV=0x6
    /v/10.mp4
    #EXT-X-MAP:URI="/v/e.mp4"
    /v/11.mp4
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=AES-128,URI="/v/e",IV=0x6
    #EXT-X-MAP:URI="/v/e.mp4"
    /v/12.mp4
    #EXT-X-DISCONTINUITY
    #EXT-X-KEY:METHOD=NONE
    #EXT-X-MAP:URI="/v/clear.mp4"
    /v/0.mp4
    "#);
}

#[test]
fn a_key_is_stated_again_behind_a_discontinuity() {
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"/k\",IV=0x1\n#EXTINF";
    let vod = media("s", "ts", &[2_000, -2_000, 2_000]).replacen("#EXTINF", key, 1);
    let asset = index("/", multivariant, &[("v.m3u8", vod)]).unwrap();
    let settings =
        Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: Micros::from_secs(8) };
    let channel = Loop::new(settings, vec![Arc::new(asset)]).unwrap();
    let text = channel.media_playlist(0, Timestamp(8_000_000), None).text;
    let kinds = text.lines().skip(4).filter_map(|line| match line {
        "#EXT-X-DISCONTINUITY" => Some("discontinuity"),
        _ if line.starts_with("#EXT-X-KEY") => Some("key"),
        _ => line.strip_prefix('/'),
    });
    let expected = "key s0.ts discontinuity key s1.ts s2.ts discontinuity key s0.ts";
    assert_eq!(kinds.collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn the_key_of_a_map_is_never_given_the_number_of_a_segment() {
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    let vod = |key: &str| {
        let needs = format!("#EXT-X-KEY:{key}\n#EXT-X-MAP:URI=\"/i\"\n#EXTINF");
        let vod = media("s", "mp4", &[2_000, 2_000]).replacen("#EXTINF", &needs, 1);
        index("/", multivariant, &[("v.m3u8", vod)])
    };
    let refused = vod("METHOD=AES-128,URI=\"/k\"").unwrap_err();
    assert_eq!(refused, [Flaw::Map { playlist: "v.m3u8".to_owned(), segment: 1 }]);
    let settings =
        Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: Micros::from_secs(4) };
    for (key, before_the_segment) in [
        ("METHOD=AES-128,URI=\"/k\",IV=0x7", ""),
        ("METHOD=SAMPLE-AES,URI=\"/k\"", ",IV=0x00000000000000000000000000000000"),
    ] {
        let channel = Loop::new(settings, vec![Arc::new(vod(key).unwrap())]).unwrap();
        let text = channel.media_playlist(0, Timestamp(6_000_000), None).text;
        let stated = text.lines().find(|line| line.starts_with("#EXT-X-KEY"));
        assert_eq!(stated, Some(format!("#EXT-X-KEY:{key}").as_str()), "{text}");
        let own = text.split("#EXT-X-MAP:URI=\"/i\"\n").nth(1).unwrap();
        let own = own.strip_prefix(&format!("#EXT-X-KEY:{key}{before_the_segment}\n"));
        assert_eq!(own.is_some(), !before_the_segment.is_empty(), "{text}");
    }
}
