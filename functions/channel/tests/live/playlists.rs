//! What a channel says, as people would read it.

use crate::vod::{EPOCH, LADDER, index, media};
use channel::{Loop, Settings};
use hls::{Micros, Seconds, Timestamp};
use std::sync::Arc;

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
    Loop::new(settings, vec![Arc::new(waves.unwrap()), Arc::new(stars.unwrap())]).unwrap()
}

#[test]
fn a_channel_has_the_ladder_of_its_first_programme() {
    let channel = channel();
    let names: Vec<&str> = channel.renditions().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["video_180p", "video_360p", "audio_en"]);
    let found = ["video_180p", "video_360p", "audio_en", "audio_de"].map(|it| channel.find(it));
    assert_eq!(found, [Some(0), Some(1), Some(2), None]);
    insta::assert_snapshot!(channel.multivariant(), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
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
    let channel =
        Loop::new(settings, vec![Arc::new(index("/a/", multivariant, &media).unwrap())]).unwrap();
    insta::assert_snapshot!(channel.multivariant(), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
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
    insta::assert_snapshot!(channel.media_playlist(0, now, None).text, @r#"
    #EXTM3U
    #EXT-X-VERSION:6
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
    assert_eq!(channel.media_playlist(0, now, None).next, Some(next));
    insta::assert_snapshot!(channel.media_playlist(0, next, None).text, @r#"
    #EXTM3U
    #EXT-X-VERSION:6
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
    insta::assert_snapshot!(channel.media_playlist(2, next, None).text, @r#"
    #EXTM3U
    #EXT-X-VERSION:6
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
    insta::assert_snapshot!(channel.media_playlist(0, now, None).text, @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:0
    "#);
    let first = Timestamp(1_792_577_402_000_000);
    assert_eq!(channel.media_playlist(0, now, None).next, Some(first));
}

/// Two programmes in CMAF: one with keys, ranges, subtitles and I-frames; one with none of that.
fn cmaf() -> Loop {
    let ladder = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",LANGUAGE="de",URI="de.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.4d400d,mp4a.40.2",RESOLUTION=320x180,SUBTITLES="s"
v.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=40000,RESOLUTION=320x180,URI="i.m3u8"
"#;
    let locked = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@0\"\n\
        #EXTINF:2,\n#EXT-X-BYTERANGE:1000@700\nall.mp4\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k.bin\"\n\
        #EXTINF:2,\n#EXT-X-BYTERANGE:900\nall.mp4\n\
        #EXTINF:1,\n#EXT-X-BYTERANGE:500\nall.mp4\n#EXT-X-ENDLIST\n";
    let frames = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-I-FRAMES-ONLY\n\
        #EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@0\"\n\
        #EXTINF:5,\n#EXT-X-BYTERANGE:100@700\nall.mp4\n#EXT-X-ENDLIST\n";
    let frames = frames.replace("#EXTINF:5,", "#EXTINF:2,");
    let first = [
        ("v.m3u8", locked.to_owned()),
        ("de.m3u8", media("de", "vtt", &[2_000, 2_000, 1_000])),
        ("i.m3u8", frames),
    ];
    let plain = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=390000,RESOLUTION=320x180\nw.m3u8\n";
    let second = media("s", "m4s", &[2_000, 1_000]).replacen(
        "#EXTINF",
        "#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF",
        1,
    );
    let assets = [
        index("/locked/", ladder, &first).unwrap(),
        index("/plain/", plain, &[("w.m3u8", second)]).unwrap(),
    ];
    let settings =
        Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: Micros::from_secs(8) };
    Loop::new(settings, assets.into_iter().map(Arc::new).collect()).unwrap()
}

#[test]
fn keys_maps_and_ranges_stand_by_themselves_wherever_a_playlist_begins() {
    let channel = cmaf();
    let text = channel.media_playlist(0, Timestamp(10_000_000), None).text;
    insta::assert_snapshot!(text);
    let text = channel.media_playlist(0, Timestamp(16_000_000), None).text;
    insta::assert_snapshot!(text);
}

#[test]
fn what_a_programme_lacks_is_silent() {
    let channel = cmaf();
    insta::assert_snapshot!(channel.multivariant());
    let names: Vec<&str> = channel.renditions().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["video_180p", "subtitles_de", "iframes_180p"]);
    insta::assert_snapshot!(channel.media_playlist(1, Timestamp(8_000_000), None).text);
    insta::assert_snapshot!(channel.media_playlist(2, Timestamp(8_000_000), None).text);
}

#[test]
fn subtitles_in_mp4_are_not_followed_by_an_empty_file_of_text() {
    let with_text = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"Deutsch\",LANGUAGE=\"de\",URI=\"de.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.4d400d,stpp.ttml.im1t\",SUBTITLES=\"s\"\nv.m3u8\n";
    let without = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.4d400d\"\nv.m3u8\n";
    let mapped = |name: &str| {
        let map = format!("#EXT-X-MAP:URI=\"{name}.mp4\"\n#EXTINF");
        media(name, "m4s", &[2_000]).replacen("#EXTINF", &map, 1)
    };
    let files = [("v.m3u8", mapped("v")), ("de.m3u8", mapped("t"))];
    let assets = [index("/a/", with_text, &files), index("/b/", without, &files)];
    let assets = assets.map(|asset| Arc::new(asset.unwrap()));
    let settings =
        Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: Micros::from_secs(6) };
    let channel = Loop::new(settings, assets.to_vec()).unwrap();
    let text = channel.media_playlist(1, Timestamp(8_000_000), None).text;
    let lines = text.lines().filter(|line| !line.contains("PROGRAM-DATE-TIME"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:1
    #EXT-X-DISCONTINUITY-SEQUENCE:1
    #EXT-X-GAP
    #EXTINF:2,
    gap
    #EXT-X-DISCONTINUITY
    #EXT-X-MAP:URI="/a/t.mp4"
    #EXTINF:2.000,
    /a/t0.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-GAP
    #EXTINF:2,
    gap
    "#);
}

#[test]
fn a_date_range_moves_with_its_segment_and_has_a_name_of_its_own_each_time() {
    let dated = media("s", "ts", &[2_000, 2_000, 2_000])
        .replacen("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME:2001-01-01T00:00:00Z\n#EXTINF", 1)
        .replace(
            "#EXTINF:2.000,\ns1",
            "#EXT-X-DATERANGE:ID=\"b\",START-DATE=\"2001-01-01T00:00:03.5Z\",PLANNED-DURATION=2,SCTE35-OUT=0xFC\n\
             #EXT-X-DATERANGE:ID=\"c\",START-DATE=\"2000-12-31T23:59:59Z\",END-DATE=\"2001-01-01T00:00:04Z\"\n\
             #EXT-X-DATERANGE:START-DATE=\"soon\"\n#EXTINF:2.000,\ns1",
        );
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    let asset = index("/a/", multivariant, &[("v.m3u8", dated)]).unwrap();
    let settings = Settings {
        epoch: Timestamp(1_792_577_400_000_000),
        target_duration: Seconds(2),
        window: Micros::from_secs(20),
    };
    let channel = Loop::new(settings, vec![Arc::new(asset)]).unwrap();
    let now = settings.epoch + Micros::from_secs(12);
    let text = channel.media_playlist(0, now, None).text;
    let ranges: Vec<&str> = text.lines().filter(|it| it.contains("DATERANGE")).collect();
    insta::assert_snapshot!(ranges.join("\n"), @r#"
    #EXT-X-DATERANGE:ID="b-1792577400000000",START-DATE="2026-10-21T10:10:03.500Z",PLANNED-DURATION=2,SCTE35-OUT=0xFC
    #EXT-X-DATERANGE:ID="c-1792577400000000",START-DATE="2026-10-21T10:09:59.000Z",END-DATE="2026-10-21T10:10:04.000Z"
    #EXT-X-DATERANGE:ID="b-1792577406000000",START-DATE="2026-10-21T10:10:09.500Z",PLANNED-DURATION=2,SCTE35-OUT=0xFC
    #EXT-X-DATERANGE:ID="c-1792577406000000",START-DATE="2026-10-21T10:10:05.000Z",END-DATE="2026-10-21T10:10:10.000Z"
    "#);
}

#[test]
fn the_bitrate_of_one_programme_is_not_said_of_the_next() {
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    let plain = media("s", "ts", &[2_000, 2_000]);
    let rated = plain.replacen("#EXTINF", "#EXT-X-BITRATE:300\n#EXT-X-CUE-IN\n#EXTINF", 1);
    let asset =
        |text: &String| Arc::new(index("/a/", multivariant, &[("v.m3u8", text.clone())]).unwrap());
    let settings =
        Settings { epoch: EPOCH, target_duration: Seconds(2), window: Micros::from_secs(20) };
    let channel = Loop::new(settings, vec![asset(&rated), asset(&plain)]).unwrap();
    let text = channel.media_playlist(0, settings.epoch + Micros::from_secs(8), None).text;
    assert!(!text.contains("BITRATE") && text.contains("CUE-IN"), "{text}");
}

#[test]
fn what_an_interstitial_of_a_vod_plays_is_where_the_vod_lies() {
    let ranges = |address: &str| {
        format!(
            "#EXT-X-DATERANGE:ID=\"i\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2001-01-01T00:00:00Z\",{address}\n#EXTINF"
        )
    };
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv/main.m3u8\n";
    for (base, stated, shown) in [
        ("/a/", "X-ASSET-URI=\"../ad/m.m3u8?x=1,2\"", "X-ASSET-URI=\"/a/ad/m.m3u8?x=1,2\""),
        ("/a/", "X-ASSET-LIST=\"ads.json\"", "X-ASSET-LIST=\"/a/v/ads.json\""),
        (
            "https://vod.example/a/main.m3u8",
            "X-ASSET-LIST=\"/ads.json\",X-RESTRICT=\"SKIP\"",
            "X-ASSET-LIST=\"https://vod.example/ads.json\",X-RESTRICT=\"SKIP\"",
        ),
        (
            "/a/",
            "X-ASSET-URI=\"https://ads.example/m.m3u8\"",
            "X-ASSET-URI=\"https://ads.example/m.m3u8\"",
        ),
    ] {
        let dated = media("s", "ts", &[2_000, 2_000])
            .replacen("#EXTINF", &format!("{DATE}00:00:00Z\n#EXTINF"), 1)
            .replacen("#EXTINF", &ranges(stated), 1);
        let asset = index(base, multivariant, &[("v/main.m3u8", dated)]).unwrap();
        let settings = Settings {
            epoch: Timestamp(1_792_577_400_000_000),
            target_duration: Seconds(2),
            window: Micros::from_secs(20),
        };
        let channel = Loop::new(settings, vec![Arc::new(asset)]).unwrap();
        let text = channel.media_playlist(0, settings.epoch + Micros::from_secs(3), None).text;
        let range = text.lines().find(|it| it.contains("DATERANGE")).unwrap();
        assert!(range.ends_with(&format!(",{shown}")), "{base} {stated}: {range}");
    }
}

#[test]
fn a_date_in_a_vod_dates_what_comes_before_it_and_after_it() {
    let range = "#EXT-X-DATERANGE:ID=\"b\",START-DATE=\"2001-01-01T00:00:10Z\"\n#EXTINF";
    let dated = media("s", "ts", &[2_000, 1_000, 2_000, 2_000])
        .replace("#EXTINF:2.000,\ns2", &format!("{DATE}00:00:10Z\n#EXTINF:2.000,\ns2"))
        .replace("#EXTINF", range);
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    let asset = index("/a/", multivariant, &[("v.m3u8", dated)]).unwrap();
    let settings = Settings {
        epoch: Timestamp(1_792_577_400_000_000),
        target_duration: Seconds(2),
        window: Micros::from_secs(20),
    };
    let channel = Loop::new(settings, vec![Arc::new(asset)]).unwrap();
    let now = settings.epoch + Micros::from_secs(8);
    let text = channel.media_playlist(0, now, None).text;
    let ranges: Vec<&str> = text.lines().filter(|it| it.contains("DATERANGE")).collect();
    // The third segment begins 3 s after the first, and all ranges where it begins.
    let expected =
        "#EXT-X-DATERANGE:ID=\"b-1792577400000000\",START-DATE=\"2026-10-21T10:10:03.000Z\"";
    assert_eq!(ranges, [expected; 4]);
}

const DATE: &str = "#EXT-X-PROGRAM-DATE-TIME:2001-01-01T";
