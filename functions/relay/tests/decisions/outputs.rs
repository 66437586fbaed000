//! What outputs take: every row that a verdict rests on.

use super::media;
use super::playlists::layout;
use relay::abilities::{
    Abilities, Container, Facet, MEDIAPACKAGE, MEDIAPACKAGE_V2, Protection, Role, WEBDAV, codecs,
    protection, protection_of,
};

fn variant(name: &str, container: Container) -> Facet {
    Facet { name: name.to_owned(), container: Some(container), ..Facet::default() }
}

#[test]
fn a_codec_goes_by_the_name_that_people_give_it() {
    for (stated, name) in [
        ("avc1.4d401f", "H.264"),
        ("avc3.4d401f", "H.264"),
        ("hvc1.1.6.L93.B0", "HEVC"),
        ("hev1.1.6.L93.B0", "HEVC"),
        ("dvh1.05.06", "HEVC"),
        ("dvhe.05.06", "HEVC"),
        ("av01.0.04M.08", "AV1"),
        ("vp09.00.10.08", "VP9"),
        ("mp4a.40.2", "AAC"),
        ("mp4a.40.5", "AAC"),
        ("mp4a.40.34", "MP3"),
        ("mp4a.6B", "MP3"),
        ("mp4a.69", "MP3"),
        ("ac-3", "AC-3"),
        ("ec-3", "E-AC-3"),
        ("wvtt", "WebVTT"),
        ("stpp.ttml.im1t", "TTML"),
        ("fLaC", "fLaC"),
    ] {
        assert_eq!(codecs(stated).into_iter().collect::<Vec<_>>(), [name], "{stated}");
    }
    assert_eq!(codecs(" avc1.4d401f , mp4a.40.2,,").len(), 2);
}

#[test]
fn a_segment_is_protected_by_the_key_that_is_easiest_to_have() {
    const KEYS: [(&str, Option<Protection>); 7] = [
        ("#EXT-X-KEY:METHOD=NONE", None),
        ("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"", Some(Protection::Aes128)),
        ("#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"identity\"", Some(Protection::Aes128)),
        ("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"", Some(Protection::SampleAes)),
        ("#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"k\"", Some(Protection::SampleAes)),
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"",
            Some(Protection::Drm),
        ),
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"k\"",
            Some(Protection::Aes128),
        ),
    ];
    for (lines, expected) in KEYS {
        let seen = media(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{lines}\n#EXTINF:2,\na.ts\n"));
        let segment = &seen.segments[0];
        assert_eq!(protection_of(segment), expected, "{lines}");
        assert_eq!(segment.keys.iter().map(protection).min(), expected, "{lines}");
    }
}

#[test]
fn renditions_that_are_refused_for_one_reason_are_named_together() {
    let facets = [
        variant("low", Container::Fmp4),
        variant("high", Container::Fmp4),
        variant("radio", Container::Mp3),
        variant("low", Container::Fmp4),
    ];
    let refused = MEDIAPACKAGE.verdict(&facets).refused;
    assert_eq!(
        refused,
        [
            "segments are fMP4, and only TS is taken: high, low",
            "segments are not TS, packed audio or WebVTT: radio",
        ]
    );
}

#[test]
fn what_shows_nothing_of_itself_is_taken_only_where_it_is_encrypted() {
    let mut facet = variant("v", Container::Unknown);
    assert_eq!(MEDIAPACKAGE.verdict(std::slice::from_ref(&facet)).refused.len(), 1);
    facet.protections.insert(Protection::Aes128);
    assert!(MEDIAPACKAGE.verdict(&[facet]).refused.is_empty());
}

#[test]
fn an_output_may_do_without_subtitles() {
    let subtitles = Facet { role: Role::Subtitles, ..variant("english", Container::WebVtt) };
    let facets = [variant("v", Container::Ts), subtitles];
    let none = Abilities { subtitles: false, ..WEBDAV };
    assert_eq!(
        none.verdict(&facets).left_out,
        [("english".to_owned(), "subtitles are not taken".to_owned())]
    );
    assert!(WEBDAV.verdict(&facets).left_out.is_empty());
}

#[test]
fn captions_in_the_video_are_no_stream_of_their_own() {
    let captions = "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC1\"\n".repeat(4);
    for (variants, refused) in [(20, &[][..]), (21, &["21 streams, and 20 is the limit"])] {
        let variant = |n| format!("#EXT-X-STREAM-INF:BANDWIDTH={n}\n{n}.m3u8\n");
        let text = format!("#EXTM3U\n{captions}{}", (0..variants).map(variant).collect::<String>());
        let facets = layout(&text).unwrap().facets();
        assert_eq!(MEDIAPACKAGE.verdict(&facets).refused, refused, "{variants}");
    }
}

#[test]
fn tracks_are_counted_that_play_together() {
    let many = &["11 tracks, and 10 a stream is the limit"][..];
    for (low, high, refused) in [(9, 9, &[][..]), (1, 9, &[]), (1, 10, many), (10, 1, many)] {
        let mut text = "#EXTM3U\n".to_owned();
        for (group, count) in [("low", low), ("high", high)] {
            for n in 0..count {
                text += &format!(
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{n}\",URI=\"{group}{n}\"\n"
                );
            }
        }
        text += "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"low\"\nl.m3u8\n";
        text += "#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO=\"high\"\nh.m3u8\n";
        let verdict = MEDIAPACKAGE.verdict(&layout(&text).unwrap().facets());
        assert_eq!(verdict.refused, refused, "{low} {high}");
    }
}

#[test]
fn a_variant_has_the_tracks_of_its_own_groups_and_what_is_beside_it_has_none() {
    let beside = [
        ("AUDIO", "low", 1),
        ("AUDIO", "high", 2),
        ("AUDIO", "other", 4),
        ("SUBTITLES", "low", 8),
        ("SUBTITLES", "texts", 16),
    ];
    let mut text = "#EXTM3U\n".to_owned();
    for (kind, group, count) in beside {
        for n in 0..count {
            text += &format!(
                "#EXT-X-MEDIA:TYPE={kind},GROUP-ID=\"{group}\",NAME=\"{n}\",URI=\"{kind}{group}{n}\"\n"
            );
        }
    }
    text += "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"low\"\nl.m3u8\n";
    text += "#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO=\"high\",SUBTITLES=\"texts\"\nh.m3u8\n";
    for facet in layout(&text).unwrap().facets() {
        let tracks = match facet.name.as_str() {
            "video-1" => 1 + 1,
            "video-2" => 1 + 2 + 16,
            _ => 0,
        };
        assert_eq!(facet.tracks, tracks, "{}", facet.name);
    }
}

#[test]
fn an_output_states_the_requests_that_it_takes() {
    // AWS Elemental MediaPackage quotas: 50 and 200 ingest requests a second, at two endpoints.
    assert_eq!(MEDIAPACKAGE.requests_a_second, Some(25));
    assert_eq!(MEDIAPACKAGE_V2.requests_a_second, Some(100));
    assert_eq!(WEBDAV.requests_a_second, None);
}
