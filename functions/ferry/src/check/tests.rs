//! What is found out about playlists, case by case.

use super::analysis::report;
use super::report::{Finding, Kind, Report, Severity, Spread};
use super::seen::{Seen, Snapshot, Watched};
use super::show::Shown;
use bytes::Bytes;
use hls::{Micros, Timestamp};
use relay::session::Address;
use url::Url;

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000_000);

/// A multivariant playlist that nothing is wrong with.
const MAIN: &str = "#EXTM3U
#EXT-X-VERSION:4
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",URI=\"a.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,AUDIO=\"a\"
v.m3u8
";

/// A live playlist that nothing is wrong with.
const LIVE: &str = "#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:2.0,
7.ts
#EXTINF:2.0,
8.ts
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04Z
#EXTINF:2.0,
9.ts
";

/// `LIVE`, one segment later.
const LATER: &str = "#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:8
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXTINF:2.0,
8.ts
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04Z
#EXTINF:2.0,
9.ts
#EXTINF:2.0,
10.ts
";

/// A playlist whose versions came two seconds after each other.
fn watched(uri: &str, versions: &[&str]) -> Watched {
    let versions: Vec<Snapshot> = (0..)
        .zip(versions)
        .map(|(count, text)| Snapshot {
            at: START + Micros::from_secs(6 + 2 * count),
            text: Bytes::from((*text).to_owned()),
        })
        .collect();
    let looked_at = versions.last().map(|last| last.at).unwrap_or_default();
    Watched { uri: uri.to_owned(), versions, looked_at, ..Watched::default() }
}

fn of(multivariant: Option<&str>, media: Vec<Watched>) -> Report {
    let source = Url::parse("https://a.example/main.m3u8?token=t").unwrap();
    let snapshot = |text: &str| Snapshot { at: START, text: Bytes::from(text.to_owned()) };
    let seen = Seen {
        base: Some(source.clone()),
        multivariant: multivariant.map(snapshot),
        media,
        watched_ms: 10_000,
        every_ms: 500,
    };
    report(Address::of(&source), &seen)
}

/// A finding in a line.
fn said(finding: &Finding) -> String {
    let Finding { severity, section, place, line, what } = finding;
    let line = line.map(|line| format!(" {line}")).unwrap_or_default();
    let severity = match severity {
        Severity::Violation => "violation",
        Severity::Advice => "advice",
    };
    format!("{severity} {section} {place}{line}: {what}")
}

fn all_said(report: &Report) -> Vec<String> {
    report.findings.iter().map(said).collect()
}

#[test]
fn a_source_that_keeps_the_rfc_is_fine() {
    let video = include_bytes!("../../../../tests/fixtures/library/bars/360p/000.ts");
    let sample = Some(Bytes::from_static(video));
    let read = |uri| Watched { sample: sample.clone(), ..watched(uri, &[LIVE, LATER]) };
    let report = of(Some(MAIN), vec![read("v.m3u8"), read("a.m3u8")]);
    assert_eq!(all_said(&report), Vec::<String>::new());
    assert!(report.is_fine());
    assert_eq!(report.kind, Kind::Live);
}

#[test]
fn what_is_wrong_with_a_media_playlist_is_said_with_section_and_line() {
    for (text, finding) in [
        (
            LIVE.replace("#EXTINF:2.0,\n8", "#EXTINF:2.6,\n8"),
            "violation 4.3.3.1 media playlist 9: \
             a segment takes 2.6 s and EXT-X-TARGETDURATION is 2",
        ),
        (
            LIVE.replace("#EXT-X-VERSION:3\n", ""),
            "violation 7 media playlist 6: \
             EXTINF with decimals needs version 3, and the playlist has 1",
        ),
        (
            LIVE.replace("#EXTINF:2.0,\n8", "#EXT-X-MAP:URI=\"m\"\n#EXTINF:2.0,\n8"),
            "violation 7 media playlist 9: EXT-X-MAP needs version 6, and the playlist has 3",
        ),
        (
            LIVE.replace(
                "#EXTINF:2.0,\n8",
                "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"identity\"\n#EXTINF:2.0,\n8",
            ),
            "violation 7 media playlist 9: \
             KEYFORMAT of EXT-X-KEY needs version 5, and the playlist has 3",
        ),
        (
            LIVE.replace("#EXT-X-VERSION:3\n", "#EXT-X-VERSION:3\n#EXT-X-VERSION:3\n"),
            "violation 4.3.1.2 media playlist 3: EXT-X-VERSION is stated more than once",
        ),
        (
            LIVE.replace("00:00:00Z", "00:00:00"),
            "violation 4.3.2.6 media playlist 6: \
             EXT-X-PROGRAM-DATE-TIME is not a date with a time and a time zone",
        ),
        (LIVE.replace("#EXT-X-DISCONTINUITY\n", ""), ""),
        (
            LIVE.replace("#EXT-X-DISCONTINUITY\n", "").replace("00:00:04Z", "00:00:09Z"),
            "advice 4.3.2.6 media playlist 12: \
             a date is 5000 ms from where the durations before it end",
        ),
        (
            LIVE.replace("#EXTINF:2.0,\n8", "#EXT-X-DATERANGE:ID=\"x\"\n#EXTINF:2.0,\n8"),
            "violation 4.3.2.7 media playlist 9: EXT-X-DATERANGE has no START-DATE",
        ),
        (
            LIVE.replace("#EXTINF:2.0,\n9.ts\n", ""),
            "violation 6.2.2 media playlist: \
             the window has 4 s and needs 6 s, three target durations",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n".to_owned(),
            "advice 6.2.1 media playlist: the playlist has no segment",
        ),
    ] {
        let report = of(None, vec![watched("", &[&text])]);
        let expected: Vec<&str> = Some(finding).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(all_said(&report), expected, "{text}");
    }
}

#[test]
fn what_changes_from_one_version_to_the_next_is_watched() {
    let slid = LATER;
    for (name, before, after, finding) in [
        (
            "numbers that go back",
            slid.to_owned(),
            LIVE.to_owned(),
            "violation 6.2.2 media playlist: \
             the media sequence went back: segments 8 to 10, then 7 to 9",
        ),
        (
            "another segment under a number",
            LIVE.to_owned(),
            slid.replace("9.ts", "other.ts"),
            "violation 6.2.1 media playlist: \
             1 segment has another address under the same number",
        ),
        ("a token that changes", LIVE.replace(".ts", ".ts?a"), slid.replace(".ts", ".ts?b"), ""),
        (
            "another target duration",
            LIVE.to_owned(),
            slid.replace("DURATION:2", "DURATION:1").replace("EXTINF:2.0", "EXTINF:1.4"),
            "violation 6.2.1 media playlist: EXT-X-TARGETDURATION changed from 2 to 1",
        ),
        (
            "a discontinuity counted too early",
            LIVE.to_owned(),
            slid.replace("DISCONTINUITY-SEQUENCE:1", "DISCONTINUITY-SEQUENCE:2"),
            "violation 6.2.2 media playlist: \
             segment 9 was after 2 discontinuities, then after 3",
        ),
        (
            "an EVENT that forgets",
            LIVE.replace("#EXT-X-VERSION", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VERSION"),
            slid.replace("#EXT-X-VERSION", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VERSION"),
            "violation 4.3.3.5 media playlist: \
             segments of an EVENT or VOD playlist were changed or taken away",
        ),
        (
            "an end that was none",
            format!("{LIVE}#EXT-X-ENDLIST\n"),
            slid.to_owned(),
            "violation 4.3.3.4 media playlist: the playlist went on after EXT-X-ENDLIST",
        ),
        (
            "a discontinuity that left with its segment",
            LIVE.replace("#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-MEDIA-SEQUENCE:6")
                .replace("7.ts", "6.ts")
                .replace("8.ts", "7.ts")
                .replace("9.ts", "8.ts"),
            slid.replace("#EXT-X-DISCONTINUITY\n", "")
                .replace("DISCONTINUITY-SEQUENCE:1", "DISCONTINUITY-SEQUENCE:2"),
            "",
        ),
    ] {
        let report = of(None, vec![watched("", &[&before, &after])]);
        let expected: Vec<&str> = Some(finding).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(all_said(&report), expected, "{name}");
    }
}

#[test]
fn a_source_that_stands_still_is_noticed() {
    let mut still = watched("", &[LIVE, LATER]);
    still.looked_at = still.versions[1].at + Micros::from_millis(4_500);
    assert_eq!(
        all_said(&of(None, vec![still])),
        ["advice 6.2.1 media playlist: \
          no new segment came for 4500 ms, more than two target durations"]
    );
}

#[test]
fn playlists_that_do_not_go_together_are_named() {
    for (name, audio, finding) in [
        (
            "another target duration",
            LIVE.replace("DURATION:2", "DURATION:3").replace("#EXTINF:2.0", "#EXTINF:3.0"),
            "violation 6.2.4 audio-a-en-english: \
             EXT-X-TARGETDURATION is 3 and that of video-800000 is 2",
        ),
        (
            "no dates",
            LIVE.lines()
                .filter(|it| !it.contains("DATE-TIME"))
                .map(|it| format!("{it}\n"))
                .collect(),
            "violation 6.2.4 audio-a-en-english: \
             video-800000 has EXT-X-PROGRAM-DATE-TIME and this has not, or the reverse",
        ),
        (
            "another count of discontinuities",
            LIVE.replace("SEQUENCE:1", "SEQUENCE:4"),
            "violation 6.2.4 audio-a-en-english: \
             discontinuities count up to 5, and to 2 in video-800000",
        ),
        (
            "a discontinuity elsewhere",
            LIVE.replace("00:00:04Z", "00:00:14Z"),
            "violation 6.2.4 audio-a-en-english: \
             discontinuity 2 is 10000 ms from where it is in video-800000",
        ),
        (
            "another type",
            LIVE.replace("#EXT-X-VERSION", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VERSION"),
            "violation 6.2.4 audio-a-en-english: EXT-X-PLAYLIST-TYPE is not that of video-800000",
        ),
    ] {
        let media = vec![watched("v.m3u8", &[LIVE]), watched("a.m3u8", &[&audio])];
        assert_eq!(all_said(&of(Some(MAIN), media)), [finding], "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_multivariant_playlist_is_said_with_its_line() {
    let double =
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",URI=\"b.m3u8\"\n#EXT-X-STREAM";
    let other =
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"French\",URI=\"b.m3u8\"\n#EXT-X-STREAM";
    let place = "multivariant playlist";
    for (text, finding) in [
        (
            MAIN.replace("#EXT-X-STREAM", double),
            format!(
                "violation 4.3.4.1.1 {place} 4: group a has two renditions with the NAME English"
            ),
        ),
        (
            MAIN.replace("#EXT-X-STREAM", other),
            format!("violation 4.3.4.1.1 {place}: groups a and b do not have the same renditions"),
        ),
        (
            MAIN.replace("AUDIO=\"a\"", "AUDIO=\"b\""),
            format!("violation 4.3.4.2 {place} 4: AUDIO=\"b\" matches no EXT-X-MEDIA of that TYPE"),
        ),
        (MAIN.replace("AUDIO=\"a\"", "AUDIO=\"a\",CLOSED-CAPTIONS=NONE"), String::new()),
        (
            MAIN.replace("LANGUAGE=\"en\"", "DEFAULT=YES,AUTOSELECT=NO"),
            format!("violation 4.3.4.1 {place} 3: DEFAULT=YES goes with AUTOSELECT=YES"),
        ),
        (
            MAIN.replace("NAME=\"English\",", ""),
            format!("violation 4.3.4.1 {place} 3: EXT-X-MEDIA has no NAME"),
        ),
        (
            MAIN.replace("CODECS=\"avc1.4d401e,mp4a.40.2\",", ""),
            format!("advice 4.3.4.2 {place} 4: EXT-X-STREAM-INF has no CODECS"),
        ),
    ] {
        let report = of(Some(&text), vec![watched("v.m3u8", &[LIVE])]);
        let expected: Vec<String> = Some(finding).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(all_said(&report), expected, "{text}");
    }
}

#[test]
fn a_playlist_that_cannot_be_read_is_a_violation_and_the_rest_goes_on() {
    let broken = LIVE.replace("DURATION:2", "DURATION:two");
    let media = vec![watched("v.m3u8", &[LIVE]), watched("a.m3u8", &[&broken])];
    let report = of(Some(MAIN), media);
    assert_eq!(
        all_said(&report),
        ["violation 4 audio-a-en-english 3: cannot read the value of EXT-X-TARGETDURATION"]
    );
    assert!(report.renditions[0].media.is_none() && report.renditions[1].media.is_some());
}

#[test]
fn every_dialect_of_ad_markers_is_seen() {
    let marked = LIVE.replace(
        "#EXTINF:2.0,\n8",
        "#EXT-OATCLS-SCTE35:x\n#EXT-X-ASSET:y\n#EXT-X-CUE-OUT:DURATION=30\n#EXT-X-CUE-OUT-CONT:1/30\n\
         #EXT-X-CUE-IN\n#EXT-X-SCTE35:CUE=\"z\"\n#EXT-X-SPLICEPOINT-SCTE35:z\n\
         #EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2026-01-01T00:00:00Z\",SCTE35-OUT=0xFC\n\
         #EXT-X-DATERANGE:ID=\"2\",START-DATE=\"2026-01-01T00:00:00Z\",CLASS=\"com.apple.hls.interstitial\"\n\
         #EXTINF:2.0,\n8",
    );
    let report = of(None, vec![watched("", &[&marked])]);
    let seen: Vec<&str> = report.ad_markers.into_iter().collect();
    assert_eq!(
        seen,
        [
            "ASSET",
            "CUE-IN",
            "CUE-OUT",
            "CUE-OUT-CONT",
            "DATERANGE SCTE35",
            "DATERANGE interstitial",
            "OATCLS-SCTE35",
            "SCTE35",
            "SPLICEPOINT-SCTE35",
        ]
    );
}

#[test]
fn dates_and_publishing_are_measured_against_the_clock() {
    // The segment that ends at 6 s was seen at 6 s or before; those that end at 8 s at 8 s.
    let report = of(None, vec![watched("", &[LIVE, LATER])]);
    let media = report.renditions[0].media.as_ref().unwrap();
    let dates = media.program_date_time.unwrap();
    assert_eq!(dates.segments, 1);
    assert_eq!(dates.behind_clock_ms, Some(Spread { min: 0, median: 0, max: 0 }));
    assert_eq!(media.publishing.unwrap().new_segments, 1);
    let future = LATER.replace("00:00:04Z", "00:00:16Z");
    let report = of(None, vec![watched("", &[LIVE, &future])]);
    let media = report.renditions[0].media.as_ref().unwrap();
    assert_eq!(media.program_date_time.unwrap().behind_clock_ms.unwrap().median, -12_000);
}

#[test]
fn an_output_says_every_reason_why_it_does_not_take_a_source() {
    let video = include_bytes!("../../../../tests/fixtures/library/bars/360p/000.ts");
    let sampled = |text: &str, sample: &'static [u8]| {
        let mut watched = watched("v.m3u8", &[text]);
        watched.sample = Some(Bytes::from_static(sample));
        watched
    };
    let map = LIVE.replace("#EXTINF:2.0,\n7", "#EXT-X-MAP:URI=\"m\"\n#EXTINF:2.0,\n7");
    let key =
        LIVE.replace("#EXTINF:2.0,\n7", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2.0,\n7");
    let locked = Watched { failures: vec!["its key".into()], ..watched("v.m3u8", &[&key]) };
    let gaps = LIVE.replace("#EXTINF", "#EXT-X-GAP\n#EXTINF");
    let range = LIVE.replace("#EXTINF:2.0,\n7", "#EXT-X-BYTERANGE:9@0\n#EXTINF:2.0,\n7");
    let variants: String = (1..=21)
        .map(|bandwidth| {
            format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"avc1\"\nv{bandwidth}.m3u8\n")
        })
        .collect();
    let many = format!("#EXTM3U\n{variants}");
    let sampled_as = |uri: String| Watched { uri, ..sampled(LIVE, video) };
    let watched_all = (1..=21).map(|it| sampled_as(format!("v{it}.m3u8"))).collect();
    for (name, multivariant, media, reasons) in [
        ("TS", MAIN.to_owned(), vec![sampled(LIVE, video)], vec![]),
        (
            "fMP4",
            MAIN.to_owned(),
            vec![sampled(&map, b"\0\0\0\x18styp")],
            vec!["segments are fMP4, and only TS is taken: video-800000"],
        ),
        ("AES-128", MAIN.to_owned(), vec![watched("v.m3u8", &[&key])], vec![]),
        ("no key", MAIN.to_owned(), vec![locked], vec!["no segment could be read: video-800000"]),
        ("gaps", MAIN.to_owned(), vec![watched("v.m3u8", &[&gaps])], vec![]),
        (
            "SAMPLE-AES",
            MAIN.to_owned(),
            vec![watched("v.m3u8", &[&key.replace("AES-128", "SAMPLE-AES")])],
            vec![
                "segments are encrypted, and only AES-128 can be decrypted on the way: video-800000",
            ],
        ),
        (
            "HTML, and AV1",
            MAIN.replace("avc1.4d401e", "av01.0.04M.08"),
            vec![sampled(LIVE, b"<html>")],
            vec![
                "segments are not TS, packed audio or WebVTT: video-800000",
                "codecs that are not taken: AV1",
                "no rendition has H.264 or HEVC video",
            ],
        ),
        (
            "byte ranges and I-frames",
            format!("{MAIN}#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n"),
            vec![watched("v.m3u8", &[&range])],
            vec![],
        ),
        ("too many", many, watched_all, vec!["21 streams, and 20 is the limit"]),
        (
            "segments that cannot be read",
            MAIN.to_owned(),
            vec![watched("v.m3u8", &[LIVE])],
            vec!["no segment could be read: video-800000"],
        ),
        ("nothing", MAIN.to_owned(), vec![], vec!["no media playlist could be read"]),
    ] {
        let report = of(Some(&multivariant), media);
        let [v1, v2, webdav] = report.outputs.as_slice() else { panic!("{:?}", report.outputs) };
        for verdict in [v1, v2] {
            assert_eq!(verdict.reasons, reasons, "{name}");
            assert_eq!(verdict.accepts, reasons.is_empty(), "{name}");
        }
        let iframes = "I-frame playlist 1: I-frame playlists are not taken";
        let left_out = if multivariant.contains("I-FRAME") { vec![iframes] } else { vec![] };
        assert_eq!(v1.left_out, left_out, "{name}");
        let unread = reasons.iter().any(|reason| reason.contains("could be read"));
        assert_eq!((webdav.accepts, webdav.left_out.len()), (!unread, 0), "{name}");
    }
}

#[test]
fn a_report_reads_well() {
    let video = include_bytes!("../../../../tests/fixtures/library/bars/360p/000.ts");
    let mut sampled = watched("v.m3u8", &[LIVE, LATER]);
    sampled.sample = Some(Bytes::from_static(video));
    let gone = Watched {
        uri: "a.m3u8".to_owned(),
        failures: vec!["origin answered 404 for a.m3u8".to_owned()],
        ..Watched::default()
    };
    let marked = MAIN.replace("RESOLUTION=640x360", "RESOLUTION=640x360,VIDEO=\"none\"");
    let report = of(Some(&marked), vec![sampled, gone]);
    assert!(!report.is_fine());
    insta::assert_snapshot!(Shown(&report).to_string(), @r#"
    https://a.example/main.m3u8
    live, watched for 10 s, read every 0.5 s

    Renditions
      audio-a-en-english: audio, en, group a
        origin answered 404 for a.m3u8
      video-800000: variant, 800 kbit/s, 640x360, avc1.4d401e,mp4a.40.2, group a
        segments are TS with H.264
        3 segments in 6 s, each 2 s, target 2 s
        1 discontinuity
        dates on 1 of 3 segments, seen 0 s after they end
        1 new segment came

    Ad markers
      none seen

    RFC 8216
      violation  4.3.4.2    multivariant playlist, line 4: VIDEO="none" matches no EXT-X-MEDIA of that TYPE

    Outputs
      mediapackage    takes it
      mediapackagev2  takes it
      webdav          takes it
    "#);
}
