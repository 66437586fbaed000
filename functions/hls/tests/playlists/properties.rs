//! Any text gives a playlist that renders to itself, or an error in one of its lines.

use crate::fixtures;
use hls::{AttributeList, Limits, Playlist, Timestamp, duration, is_low_latency, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Reads, renders and reads again.
fn check(text: &[u8]) {
    let playlist = match parse(text, &Limits::default()) {
        Ok(playlist) => playlist,
        Err(error) => {
            let lines = 1 + text.iter().filter(|byte| **byte == b'\n').count();
            assert!((1..=lines).contains(&error.line), "{error} of {lines} lines");
            return;
        }
    };
    let rendered = crate::render(&playlist);
    assert!(rendered.ends_with('\n') && rendered.starts_with("#EXTM3U"), "{rendered}");
    let again = parse(rendered.as_bytes(), &Limits::default()).expect("what was rendered reads");
    assert_eq!(crate::render(&again), rendered);
    if let (Playlist::Media(playlist), Playlist::Media(again)) = (playlist, again) {
        assert_eq!(playlist.segments, again.segments);
        assert_eq!(playlist.last_sequence(), again.last_sequence());
        assert_eq!(playlist.duration(), again.duration());
        let whole = playlist.without_low_latency();
        let lines = whole.segments.iter().flat_map(|segment| &segment.lines);
        assert!(!lines.chain(&whole.header).chain(&whole.trailer).any(|line| is_low_latency(line)));
    }
}

/// A change to a playlist: a place in it, how much goes, and what comes.
fn change() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let piece = prop_oneof![
        select(vec![
            "\n",
            "\r",
            "\r\n",
            "\"",
            ",",
            "=",
            ":",
            "#",
            " ",
            "\u{feff}",
            "0",
            "-",
            ".",
            "@",
            "é",
            "99999999999999999999",
            "#EXTM3U\n",
            "#EXTINF:2,\n",
            "#EXT-X-ENDLIST\n",
            "#EXT-X-DISCONTINUITY-SEQUENCE:3\n",
            "#EXT-X-KEY:A\n",
            "#EXT-X-MEDIA:\n",
            "\n\n",
            "#EXT-X-STREAM-INF:BANDWIDTH=1\n",
            "#EXT-X-MAP:URI=\"a\"\n",
            "#EXT-X-PLAYLIST-TYPE:VOD\n",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    (any::<Index>(), 0..30_usize, piece)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_playlist_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
        check(&[b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n".as_slice(), &bytes].concat());
        check(&[b"#EXTM3U\n#EXT-X-MEDIA:".as_slice(), &bytes].concat());
    }

    #[test]
    fn a_damaged_playlist_is_a_playlist_or_an_error(
        (_, text) in select(fixtures::all()),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let mut text = text.into_bytes();
        for (at, remove, insert) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + remove).min(text.len());
            text.splice(at..end, insert);
        }
        check(&text);
    }

    #[test]
    fn lines_in_any_order_are_a_playlist_or_an_error(
        lines in prop::collection::vec(
            select(fixtures::all().iter().flat_map(|(_, text)| text.lines()).map(str::to_owned)
                .collect::<Vec<_>>()),
            0..30,
        ),
    ) {
        check(format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{}", lines.join("\n")).as_bytes());
        check(format!("#EXTM3U\n{}\n", lines.join("\n")).as_bytes());
    }

    #[test]
    fn any_text_is_an_attribute_list(
        text in "[A-C=, ]{0,9}([^\"]{0,5}\"[^\"]{0,5}\"[A-C=, ]{0,5}){0,3}",
        open in "[^\"]{0,9}",
        name in "[A-C]{1,2}",
        value in "[^\"\r\n]*",
    ) {
        let unclosed = format!("{text}\"{open}");
        prop_assert_eq!(AttributeList::new(&unclosed).to_string(), unclosed);
        let mut list = AttributeList::new(&text);
        prop_assert_eq!(list.to_string(), &*text);
        list.set_quoted(&name, &value);
        prop_assert_eq!(list.get(&name), Some(&*value));
        list.remove(&name);
        prop_assert_eq!(list.get(&name), None);
    }

    #[test]
    fn any_text_is_a_duration_and_a_moment_or_none(text in "[0-9.,:TZ+ -]{0,30}|.*") {
        let _ = Timestamp::from_date_time(&text);
        if let Some(micros) = duration(&text) {
            prop_assert_eq!(duration(&micros.to_string()), Some(micros));
        }
    }
}
