//! What a media playlist says.

use crate::fixtures::fixture;
use crate::{read_media, read_multivariant};
use hls::{
    AttributeList, ByteRange, DiscontinuitySequence, MediaPlaylist, MediaSequence, Micros,
    PlaylistType, Seconds, Segment, Stop,
};

#[test]
fn the_numbers_of_a_playlist_are_its_fields() {
    let playlist = read_media(&fixture("channel-engine.m3u8"));
    assert_eq!(playlist.target_duration, Seconds(8));
    assert_eq!(playlist.media_sequence, MediaSequence(21_481));
    assert_eq!(playlist.discontinuity_sequence, DiscontinuitySequence(0));
    assert_eq!(playlist.last_sequence(), Some(MediaSequence(21_485)));
    assert_eq!(playlist.duration(), Micros(30_240_000));
    assert!(!playlist.ended);
    assert_eq!(
        read_media(&fixture("quirks.m3u8")).media_sequence,
        MediaSequence(9_007_199_254_740_993)
    );
}

#[test]
fn a_playlist_type_is_one_of_two_or_none() {
    for (name, kind, ended) in [
        ("event.m3u8", Some(PlaylistType::Event), true),
        ("byte-ranges.m3u8", Some(PlaylistType::Vod), true),
        ("quirks.m3u8", None, false),
        ("ffmpeg.m3u8", None, false),
    ] {
        let playlist = read_media(&fixture(name));
        assert_eq!((playlist.playlist_type, playlist.ended), (kind, ended), "{name}");
    }
}

#[test]
fn every_line_is_in_the_header_a_segment_or_the_trailer() {
    let playlist = read_media(&fixture("quirks.m3u8"));
    assert_eq!(
        playlist.header,
        [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            "",
            "# a comment before the last line of the header",
            "#EXT-X-STUDIO-CLOCK:17",
            "#EXT-X-TARGETDURATION:4",
            "#EXT-X-MEDIA-SEQUENCE:9007199254740993",
            "#EXT-X-PLAYLIST-TYPE:LIVE",
        ]
    );
    assert_eq!(
        playlist.segments[0].lines,
        [
            "#USP-X-TIMESTAMP-MAP:MPEGTS=900000,LOCAL=2026-11-21T07:00:00Z",
            "#EXT-X-PROGRAM-DATE-TIME:not a date",
            "#EXTINF:4.000,",
        ]
    );
    assert_eq!(playlist.segments[1].lines, ["", "#EXT-X-GAP", "#EXTINF:4.000,"]);
    assert_eq!(playlist.trailer, ["# a comment after the last segment", "#EXT-X-CUE-OUT:15"]);
}

#[test]
fn a_header_line_among_the_segments_is_still_the_headers() {
    let playlist = read_media(
        "#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n# a\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n0.ts\n\
         #EXT-X-ENDLIST\n# b\n#EXT-X-VERSION:3\n#EXTINF:6,\n1.ts\n",
    );
    assert_eq!(playlist.header, ["#EXTM3U", "#EXT-X-TARGETDURATION:6", "#EXT-X-VERSION:3"]);
    assert_eq!(playlist.segments[0].lines, ["#EXT-X-KEY:METHOD=NONE", "# a", "#EXTINF:6,"]);
    assert_eq!(playlist.segments[1].lines, ["# b", "#EXTINF:6,"]);
    assert!(playlist.ended);
    assert!(playlist.trailer.is_empty());
}

#[test]
fn every_tag_has_its_place() {
    let of_playlist = [
        "EXTM3U",
        "EXT-X-VERSION:3",
        "EXT-X-TARGETDURATION:6",
        "EXT-X-MEDIA-SEQUENCE:1",
        "EXT-X-DISCONTINUITY-SEQUENCE:1",
        "EXT-X-PLAYLIST-TYPE:EVENT",
        "EXT-X-PLAYLIST-TYPE:LIVE",
        "EXT-X-INDEPENDENT-SEGMENTS",
        "EXT-X-START:TIME-OFFSET=0",
        "EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"",
        "EXT-X-I-FRAMES-ONLY",
        "EXT-X-IMAGES-ONLY",
        "EXT-X-ALLOW-CACHE:NO",
        "EXT-X-SERVER-CONTROL:HOLD-BACK=18",
        "EXT-X-PART-INF:PART-TARGET=1",
    ];
    let of_segment = [
        "EXT-X-DISCONTINUITY",
        "EXT-X-KEY:METHOD=NONE",
        "EXT-X-MAP:URI=\"a\"",
        "EXT-X-PROGRAM-DATE-TIME:2026-11-21T07:00:00Z",
        "EXT-X-DATERANGE:ID=\"a\"",
        "EXT-X-GAP",
        "EXT-X-BITRATE:1",
        "EXT-X-BYTERANGE:1",
        "EXT-X-PART:URI=\"a\"",
        "EXT-X-CUE-OUT",
        "EXT-X-CUE-OUT-CONT:1/2",
        "EXT-X-CUE-IN",
        "EXT-OATCLS-SCTE35:a",
        "EXT-X-OATCLS-SCTE35:a",
        "EXT-X-SCTE35:a",
        "EXT-X-ASSET:a",
        "EXT-X-SPLICEPOINT-SCTE35:a",
    ];
    let unknown = ["EXT-X-STUDIO-CLOCK:1", "EXT", " a comment"];
    // What follows a segment's first tag is the segment's; before it, what precedes a header's tag
    // is the header's; after the segments, only known tags of a playlist are.
    let places =
        [(&of_playlist[..], true, true), (&of_segment, false, false), (&unknown, true, false)];
    for (tags, leaves_the_header_open, is_of_playlist) in places {
        for tag in tags {
            let before = format!("#EXTM3U\n#{tag}\n# aside\n#EXT-X-TARGETDURATION:6\n");
            let playlist = read_media(&format!("{before}#EXTINF:6,\n0.ts\n"));
            let aside = playlist.header.iter().any(|line| line == "# aside");
            assert_eq!(aside, leaves_the_header_open, "{tag}");

            let start = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n0.ts\n";
            let playlist = read_media(&format!("{start}#{tag}\n"));
            assert_eq!(playlist.trailer.is_empty(), is_of_playlist, "{tag}");
        }
    }
}

#[test]
fn space_around_a_tag_does_not_matter() {
    let playlist = read_media(
        "#EXTM3U \n\t#EXT-X-TARGETDURATION: 6 \n #EXT-X-DISCONTINUITY \n\
         #EXT-X-PROGRAM-DATE-TIME: 2026-11-21T07:00:00Z \n #EXTINF: 6 , a\n  \n 0.ts\n",
    );
    assert_eq!(playlist.header.len(), 2);
    let segment = &playlist.segments[0];
    assert_eq!(segment.program_date_time.as_deref(), Some("2026-11-21T07:00:00Z"));
    assert!(segment.discontinuity);
    assert_eq!((segment.duration, segment.lines.len()), (Micros(6_000_000), 4));
    assert_eq!(segment.uri, " 0.ts");
}

#[test]
fn space_that_would_hide_a_tag_is_not_written() {
    let tags = |a: &str, b: &str| {
        format!(
            "#EXTM3U{b}\n#EXT-X-TARGETDURATION:6\n{a}#EXT-X-INDEPENDENT-SEGMENTS{b}\n\
             {a}#EXT-X-DISCONTINUITY{b}\n{a}#EXT-X-CUE-IN{b}\n{a}#EXT-X-GAP{b}\n{a}#EXT-X-LATER{b}\n\
             {a}#EXT-X-CUE-OUT:30\n{a}#EXTINF:6, \n0.ts\n{a}#EXT-X-ENDLIST{b}\n",
        )
    };
    let wanted = tags("", "");
    for (before, after) in [("", " "), ("", "\t"), ("", " \t\r"), (" ", ""), ("\t", " ")] {
        let read = read_media(&tags(before, after));
        assert_eq!(read.to_string(), wanted, "{before:?} {after:?}");
        assert_eq!(read, read_media(&wanted), "{before:?} {after:?}");
    }
    // What is no tag, or has more behind it, stays as it is.
    for line in [" # a comment ", "#EXT-X-LATER word ", "#EXT-X-CUE-OUT: "] {
        let text = wanted.replace("#EXT-X-CUE-IN", line);
        assert_eq!(read_media(&text).to_string(), text, "{line:?}");
    }
    let text = "#EXTM3U \n#EXT-X-INDEPENDENT-SEGMENTS\t\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n";
    let wanted = "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n";
    assert_eq!(read_multivariant(text).to_string(), wanted);
}

#[test]
fn an_empty_line_before_the_end_is_kept_and_after_it_is_not() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n0.ts\n\n#EXT-X-ENDLIST\n";
    assert_eq!(read_media(&format!("{text}\n\n")).to_string(), text);
    let live = text.replace("#EXT-X-ENDLIST", "\n#EXT-X-VERSION:3");
    assert!(read_media(&live).trailer.is_empty());
}

#[test]
fn a_segment_knows_what_its_lines_say() {
    let playlist = read_media(&fixture("ffmpeg.m3u8"));
    let discontinuities: Vec<bool> = playlist.segments.iter().map(|s| s.discontinuity).collect();
    assert_eq!(discontinuities, [false, true, false]);
    assert_eq!(
        playlist.segments[2].program_date_time.as_deref(),
        Some("2026-11-21T07:10:15.042+0000")
    );
    assert_eq!(playlist.segments[2].duration, Micros(1_240_000));
    let gaps: Vec<bool> =
        read_media(&fixture("quirks.m3u8")).segments.iter().map(|s| s.gap).collect();
    assert_eq!(gaps, [false, true, false]);
    let durations: Vec<u64> =
        read_media(&fixture("event.m3u8")).segments.iter().map(|s| s.duration.0).collect();
    assert_eq!(durations, [9_009_009, 10_000_000, 9_500_000]);
}

#[test]
fn a_map_holds_until_the_next() {
    let playlist = read_media(&fixture("byte-ranges.m3u8"));
    let maps: Vec<_> = playlist.segments.iter().map(|s| Some(s.map.as_ref()?.uri())).collect();
    assert_eq!(maps, [Some("main.mp4"), Some("main.mp4"), Some("ad.mp4")]);
    let range = |length, offset| Some(ByteRange { length, offset: Some(offset) });
    let map = playlist.segments[0].map.as_ref().unwrap();
    assert_eq!(map.byte_range, range(719, 0));
    let ranges: Vec<_> = playlist.segments.iter().map(|s| s.byte_range).collect();
    let second = range(1_510_244, 719 + 1_508_000);
    assert_eq!(ranges, [range(1_508_000, 719), second, range(901_121, 712)]);
}

#[test]
fn a_byte_range_reads_as_its_tag_states_it() {
    for (length, offset, text) in [(719, Some(0), "719@0"), (9, None, "9")] {
        assert_eq!(ByteRange { length, offset }.to_string(), text);
    }
}

#[test]
fn a_byte_range_without_an_offset_follows_the_one_before_it_in_the_same_file() {
    for (lines, offset) in [
        ("#EXT-X-BYTERANGE:7@5\n#EXTINF:6,\na.ts\n#EXT-X-BYTERANGE:9\n", Some(12)),
        ("#EXT-X-BYTERANGE:7@5\n#EXTINF:6,\nb.ts\n#EXT-X-BYTERANGE:9\n", None),
        ("#EXTINF:6,\na.ts\n#EXT-X-BYTERANGE:9\n", None),
        ("#EXT-X-BYTERANGE:9\n", None),
        ("#EXT-X-BYTERANGE:7@18446744073709551615\n#EXTINF:6,\na.ts\n#EXT-X-BYTERANGE:9\n", None),
    ] {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{lines}#EXTINF:6,\na.ts\n");
        let last = read_media(&text).segments.pop().unwrap();
        assert_eq!(last.byte_range, Some(ByteRange { length: 9, offset }), "{lines}");
    }
}

#[test]
fn a_key_holds_until_the_next_or_none() {
    let playlist = read_media(&fixture("encrypted.m3u8"));
    let methods: Vec<String> = playlist
        .segments
        .iter()
        .map(|segment| {
            segment.keys.iter().map(|key| key.get("METHOD").unwrap()).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(methods, ["AES-128", "AES-128", "SAMPLE-AES SAMPLE-AES-CTR", ""]);
    let key = &playlist.segments[0].keys[0];
    assert_eq!(key.get("URI"), Some("https://keys.example/90?a=1,2"));
}

#[test]
fn a_map_has_the_keys_that_are_stated_before_it() {
    let playlist = read_media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:6,\na\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXTINF:6,\nb\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:6,\nc\n",
    );
    let keys = |segment: &Segment| segment.map.as_ref().unwrap().keys.len();
    assert_eq!(playlist.segments.iter().map(keys).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn a_target_duration_with_decimals_is_rounded_up() {
    for (stated, seconds) in [("6", 6), ("6.0", 6), ("5.005", 6), (" 7 ", 7)] {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:{stated}\n");
        assert_eq!(read_media(&text).target_duration, Seconds(seconds), "{stated}");
    }
}

#[test]
fn the_same_number_twice_is_that_number() {
    let playlist = read_media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MEDIA-SEQUENCE:7\n",
    );
    assert_eq!(playlist.media_sequence, MediaSequence(7));
}

#[test]
fn the_fields_are_rendered_in_place_of_the_lines_that_state_them() {
    let mut playlist = read_media(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-VERSION:3\n\
         #EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:6,\n7.ts\n#EXT-X-ENDLIST\n",
    );
    playlist.target_duration = Seconds(8);
    playlist.media_sequence = MediaSequence(0);
    playlist.discontinuity_sequence = DiscontinuitySequence(2);
    playlist.playlist_type = None;
    playlist.ended = false;
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-VERSION:3\n\
         #EXT-X-TARGETDURATION:8\n#EXTINF:6,\n7.ts\n"
    );
}

#[test]
fn fields_without_a_line_are_added_to_the_header_unless_at_their_default() {
    let segment = Segment {
        lines: vec!["#EXTINF:6,".to_owned()],
        uri: "7.ts".to_owned(),
        ..Segment::default()
    };
    let mut playlist = MediaPlaylist {
        target_duration: Seconds(6),
        segments: vec![segment],
        ..MediaPlaylist::default()
    };
    assert_eq!(playlist.to_string(), "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n7.ts\n");

    playlist.header = vec!["#EXT-X-VERSION:3".to_owned()];
    playlist.media_sequence = MediaSequence(7);
    playlist.discontinuity_sequence = DiscontinuitySequence(1);
    playlist.playlist_type = Some(PlaylistType::Vod);
    playlist.trailer = vec!["#EXT-X-CUE-OUT".to_owned()];
    playlist.ended = true;
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6,\n7.ts\n\
         #EXT-X-CUE-OUT\n#EXT-X-ENDLIST\n"
    );
}

#[test]
fn a_type_that_is_not_known_stays_until_there_is_one() {
    let mut playlist = read_media("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:LIVE\n#EXT-X-TARGETDURATION:6\n");
    assert!(playlist.to_string().contains("#EXT-X-PLAYLIST-TYPE:LIVE\n"));
    playlist.playlist_type = Some(PlaylistType::Event);
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:6\n"
    );
}

#[test]
fn a_playlist_without_low_latency_lists_whole_segments_only() {
    let playlist = read_media(&fixture("low-latency.m3u8")).without_low_latency();
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-VERSION:9\n#EXT-X-MEDIA-SEQUENCE:266\n\
         #EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-21T07:14:56.106+01:00\n\
         #EXTINF:4.00004,\nseg-266.mp4\n#EXTINF:4.00004,\nseg-267.mp4\n"
    );
}

#[test]
fn a_daterange_is_readable_whatever_it_states() {
    let playlist = read_media(&fixture("quirks.m3u8"));
    let line = &playlist.segments[2].lines[0];
    let list = AttributeList::new(line.strip_prefix("#EXT-X-DATERANGE:").unwrap());
    assert_eq!(list.get("START-DATE"), Some("yesterday"));
    assert_eq!(list.get("X-A"), Some("1, 2"));
}

#[test]
fn a_playlist_without_segments_has_no_last_one() {
    assert_eq!(read_media(&fixture("no-segments.m3u8")).last_sequence(), None);
}

#[test]
fn a_server_says_whether_it_can_hold_its_answer_back() {
    for (line, can) in [
        ("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1", true),
        ("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=NO", false),
        ("#EXT-X-SERVER-CONTROL:HOLD-BACK=6", false),
        ("#EXT-X-START:CAN-BLOCK-RELOAD=YES", false),
    ] {
        let playlist = read_media(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{line}\n"));
        assert_eq!(playlist.can_block_reload(), can, "{line}");
    }
}

#[test]
fn a_line_marks_a_place_or_belongs_to_a_segment() {
    for (line, marks, names_a_file) in [
        ("#EXT-X-CUE-OUT:30", true, false),
        ("#EXT-X-CUE-OUT-CONT:2/30", false, false),
        ("#EXT-X-DATERANGE:ID=\"a\"", true, false),
        ("#EXT-X-OF-OTHERS", true, false),
        ("#EXTINF:2,", false, false),
        ("#EXT-X-GAP", false, false),
        ("#EXT-X-PART:DURATION=1,URI=\"p\"", false, false),
        ("#EXT-X-KEY:METHOD=NONE", false, true),
        ("#EXT-X-MAP:URI=\"i\"", false, true),
        ("#EXT-X-BYTERANGE:9@0", false, true),
        ("# a comment", false, false),
        ("a.ts", false, false),
    ] {
        assert_eq!(hls::is_marker(line), marks, "{line}");
        assert_eq!(hls::names_a_file(line), names_a_file, "{line}");
    }
}

#[test]
fn half_a_tag_at_the_end_of_a_live_playlist_is_none() {
    const LIVE: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n";
    for (rest, trailer, ended) in [
        ("#EXT-X-PROGRAM-DATE-TIME:2026-11-21T08:0", &[][..], false),
        ("#EXTINF:2", &[], false),
        ("#EX", &[], false),
        ("#EXT-X-CUE-IN\n", &["#EXT-X-CUE-IN"], false),
        ("#EXT-X-CUE-IN\n#EXT-X-END", &["#EXT-X-CUE-IN"], false),
        ("#EXT-X-CUE-IN\n#EXT-X-ENDLIST", &["#EXT-X-CUE-IN"], true),
        ("#EXT-X-ENDLIST\n# that is all", &["# that is all"], true),
    ] {
        let playlist = read_media(&format!("{LIVE}{rest}"));
        assert_eq!((playlist.segments.len(), playlist.ended), (1, ended), "{rest}");
        assert_eq!(playlist.trailer, trailer, "{rest}");
    }
}

#[test]
fn a_playlist_says_where_it_stops() {
    for (text, stop) in [
        ("#EXTINF:2,\na.ts", Stop::Address),
        ("#EXTINF:2,\na.ts\n", Stop::Line),
        ("#EXTINF:2,\na.ts\r\n", Stop::Line),
        ("#EXTINF:2,\na.ts\n#EXT-X-CUE-IN", Stop::Tag),
        ("#EXTINF:2,\na.ts\n#EXT-X-END", Stop::Tag),
        ("#EXTINF:2,\na.ts\n#EXT-X-ENDLIST", Stop::Line),
        ("#EXT-X-ENDLIST\n#EXTINF:2,\na.ts", Stop::Line),
    ] {
        let playlist = read_media(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{text}"));
        assert_eq!(playlist.stop, stop, "{text}");
        // It may be whole: files without a last line end are common.
        assert_eq!(playlist.segments.len(), 1, "{text}");
        assert_eq!(playlist.segments[0].uri, "a.ts", "{text}");
    }
}
