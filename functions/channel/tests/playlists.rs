//! What a channel says, as people would read it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod vod;

use channel::{Loop, Settings};
use hls::{Micros, Seconds, Timestamp};
use vod::{LADDER, index, media};

fn channel() -> Loop {
    let marked = media("s", "ts", &[2_000, 2_000, 1_500])
        .replacen("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME:2001-01-01T00:00:00Z\n#EXTINF", 1)
        .replace("#EXTINF:1.500", "#EXT-X-CUE-OUT:1.5\n#EXTINF:1.500");
    let waves = index(
        "/waves/",
        LADDER,
        &[
            ("v0/main.m3u8", marked.clone()),
            ("v1/main.m3u8", marked),
            ("en/main.m3u8", media("s", "aac", &[2_005, 1_984, 1_515])),
        ],
    );
    let stars = LADDER.replace("BANDWIDTH=900000", "BANDWIDTH=950000");
    let stars = index(
        "https://cdn.example/stars/",
        &stars,
        &[
            ("v0/main.m3u8", media("s", "ts", &[2_000, -1_000])),
            ("v1/main.m3u8", media("s", "ts", &[2_000, -1_000])),
            ("en/main.m3u8", media("s", "aac", &[2_005, -984])),
        ],
    );
    let settings = Settings {
        epoch: Timestamp(1_792_577_400_000_000),
        target_duration: Seconds(2),
        window: Micros::from_secs(8),
    };
    Loop::new(settings, vec![waves.unwrap(), stars.unwrap()]).unwrap()
}

#[test]
fn a_channel_has_the_ladder_of_its_first_programme() {
    let channel = channel();
    let names: Vec<&str> = channel.renditions().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["video_180p", "video_360p", "audio_en"]);
    insta::assert_snapshot!(channel.multivariant(), @r#"
    #EXTM3U
    #EXT-X-VERSION:4
    #EXT-X-INDEPENDENT-SEGMENTS
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="audio_en.m3u8"
    #EXT-X-STREAM-INF:BANDWIDTH=950000,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"
    video_360p.m3u8
    #EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.4d400d,mp4a.40.2",RESOLUTION=320x180,AUDIO="a"
    video_180p.m3u8
    "#);
}

#[test]
fn a_variant_with_several_groups_of_audio_is_one_rendition_with_the_bandwidth_of_the_richest() {
    let multivariant = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="English",LANGUAGE="en",URI="low.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="high",NAME="English",LANGUAGE="en",URI="high.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,AUDIO="low"
v.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000,AUDIO="high"
v.m3u8
"#;
    let audio = || media("s", "aac", &[2_000]);
    let media =
        [("v.m3u8", media("s", "ts", &[2_000])), ("low.m3u8", audio()), ("high.m3u8", audio())];
    let settings =
        Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: Micros::from_secs(8) };
    let channel = Loop::new(settings, vec![index("/a/", multivariant, &media).unwrap()]).unwrap();
    insta::assert_snapshot!(channel.multivariant(), @r#"
    #EXTM3U
    #EXT-X-VERSION:4
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="English",LANGUAGE="en",URI="audio_en_2.m3u8"
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="high",NAME="English",LANGUAGE="en",URI="audio_en.m3u8"
    #EXT-X-STREAM-INF:BANDWIDTH=500000,AUDIO="low"
    video_500k.m3u8
    #EXT-X-STREAM-INF:BANDWIDTH=500000,AUDIO="high"
    video_500k.m3u8
    "#);
}

#[test]
fn a_programme_follows_another_at_a_discontinuity() {
    let channel = channel();
    let now = Timestamp(1_792_577_400_000_000) + Micros::from_millis(8_500 + 1_999);
    insta::assert_snapshot!(channel.media_playlist(&channel.renditions()[0], now), @r#"
    #EXTM3U
    #EXT-X-VERSION:3
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:0
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:00.000Z
    #EXTINF:2.000,
    /waves/v0/s0.ts
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:02.000Z
    #EXTINF:2.000,
    /waves/v0/s1.ts
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:04.000Z
    #EXT-X-CUE-OUT:1.5
    #EXTINF:1.500,
    /waves/v0/s2.ts
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:05.500Z
    #EXTINF:2.000,
    https://cdn.example/stars/v0/s0.ts
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:07.500Z
    #EXTINF:1.000,
    https://cdn.example/stars/v0/s1.ts
    "#);
    let next = now + Micros::from_millis(1);
    assert_eq!(channel.next_change(&channel.renditions()[0], now), next);
    insta::assert_snapshot!(channel.media_playlist(&channel.renditions()[0], next), @r#"
    #EXTM3U
    #EXT-X-VERSION:3
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:1
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:02.000Z
    #EXTINF:2.000,
    /waves/v0/s1.ts
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:04.000Z
    #EXT-X-CUE-OUT:1.5
    #EXTINF:1.500,
    /waves/v0/s2.ts
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:05.500Z
    #EXTINF:2.000,
    https://cdn.example/stars/v0/s0.ts
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:07.500Z
    #EXTINF:1.000,
    https://cdn.example/stars/v0/s1.ts
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:08.500Z
    #EXTINF:2.000,
    /waves/v0/s0.ts
    "#);
    insta::assert_snapshot!(channel.media_playlist(&channel.renditions()[2], next), @r#"
    #EXTM3U
    #EXT-X-VERSION:3
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:0
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:00.000Z
    #EXTINF:2.005,
    /waves/en/s0.aac
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:02.005Z
    #EXTINF:1.984,
    /waves/en/s1.aac
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:03.989Z
    #EXTINF:1.515,
    /waves/en/s2.aac
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:05.500Z
    #EXTINF:2.005,
    https://cdn.example/stars/en/s0.aac
    #EXT-X-DISCONTINUITY
    #EXT-X-PROGRAM-DATE-TIME:2026-10-21T10:10:07.505Z
    #EXTINF:0.984,
    https://cdn.example/stars/en/s1.aac
    "#);
}

#[test]
fn a_channel_that_has_not_begun_lists_nothing() {
    let channel = channel();
    let now = Timestamp(0);
    insta::assert_snapshot!(channel.media_playlist(&channel.renditions()[0], now), @r#"
    #EXTM3U
    #EXT-X-VERSION:3
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:0
    "#);
    let first = Timestamp(1_792_577_402_000_000);
    assert_eq!(channel.next_change(&channel.renditions()[0], now), first);
}
