//! What is no playlist, and which line says so.

use crate::read;
use hls::{Error, ErrorKind, Limits, Playlist, parse, parse_around};

#[test]
fn an_error_names_its_line() {
    for (text, line, message) in [
        ("", 1, "not a playlist: the first line is not #EXTM3U"),
        ("<!DOCTYPE html>\n<html>", 1, "not a playlist: the first line is not #EXTM3U"),
        ("\n#EXTM3U\n", 1, "not a playlist: the first line is not #EXTM3U"),
        ("#EXTM3U8\n", 1, "not a playlist: the first line is not #EXTM3U"),
        ("#EXTM3U\n#EXT-X-VERSION:3\n", 2, "the playlist names neither segments nor variants"),
        ("#EXTM3U\n#EXTINF:6,\n0.ts\n", 1, "the playlist has no EXT-X-TARGETDURATION"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:\n", 2, "cannot read the value of EXT-X-TARGETDURATION"),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:18446744073709551616\n",
            2,
            "cannot read the value of EXT-X-TARGETDURATION",
        ),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1\n", 2, "cannot read the value of EXT-X-MEDIA-SEQUENCE"),
        (
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551616\n",
            2,
            "cannot read the value of EXT-X-MEDIA-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\r2\n",
            2,
            "cannot read the value of EXT-X-MEDIA-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-DISCONTINUITY-SEQUENCE:a\n",
            3,
            "cannot read the value of EXT-X-DISCONTINUITY-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MEDIA-SEQUENCE:2\n",
            3,
            "EXT-X-MEDIA-SEQUENCE is stated twice, with different values",
        ),
        ("#EXTM3U\n#EXTINF:,a\n0.ts\n", 2, "cannot read the value of EXTINF"),
        ("#EXTM3U\n#EXTINF\n0.ts\n", 2, "cannot read the value of EXTINF"),
        ("#EXTM3U\n#EXTINF:-1,a\n0.ts\n", 2, "cannot read the value of EXTINF"),
        ("#EXTM3U\n#EXTINF:18446744073710,\n0.ts\n", 2, "cannot read the value of EXTINF"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:6\n0.ts\n", 3, "an address without EXTINF before it"),
        (
            "#EXTM3U\n#EXTINF:6,\n0.ts\n\n1.ts\n#EXTINF:x\n",
            5,
            "an address without EXTINF before it",
        ),
        ("#EXTM3U\n#EXTINF:6,\n#EXTINF:6,\n1.ts\n", 2, "EXTINF without an address after it"),
        ("#EXTM3U\n#EXTINF:6,\n0.ts\n#EXTINF:6,\n\n", 4, "EXTINF without an address after it"),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-BYTERANGE:9@\n",
            3,
            "cannot read the value of EXT-X-BYTERANGE",
        ),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-MAP:URI=a\n", 3, "cannot read the value of EXT-X-MAP"),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-MAP:URI=\"\"\n", 3, "cannot read the value of EXT-X-MAP"),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-MAP:URI=\"a\n", 3, "cannot read the value of EXT-X-MAP"),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-MAP:URI=\"a\",BYTERANGE=\"a\"\n",
            3,
            "cannot read the value of EXT-X-MAP",
        ),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-MAP:A\n", 3, "EXT-X-MAP has no URI"),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-KEY\n", 3, "EXT-X-KEY has no METHOD"),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-KEY:METHOD=AES-128\n", 3, "EXT-X-KEY has no URI"),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-KEY:METHOD=AES-128,URI=\"k,IV=0x1\n",
            3,
            "cannot read the value of EXT-X-KEY",
        ),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0xg\n",
            3,
            "cannot read the value of EXT-X-KEY",
        ),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x000000000000000000000000000000001\n",
            3,
            "cannot read the value of EXT-X-KEY",
        ),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=1\n",
            3,
            "cannot read the value of EXT-X-KEY",
        ),
        ("#EXTM3U\n#EXTINF:6,\n#EXT-X-MAP:URI=\"m\n", 3, "cannot read the value of EXT-X-MAP"),
        (
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"b,URI=\"c\"\n",
            2,
            "cannot read the value of EXT-X-MEDIA",
        ),
        (
            "#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"c\n",
            2,
            "cannot read the value of EXT-X-I-FRAME-STREAM-INF",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"c\nv.m3u8\n",
            2,
            "cannot read the value of EXT-X-STREAM-INF",
        ),
        (
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:6,\n",
            2,
            "cannot read the value of EXT-X-MEDIA-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:18446744073709551615\n#EXTINF:6,\n",
            2,
            "cannot read the value of EXT-X-DISCONTINUITY-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXTINF:6,\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n",
            3,
            "the playlist is a delta update",
        ),
        (
            "#EXTM3U\n#EXTINF:6,\n0.ts\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n",
            4,
            "EXT-X-STREAM-INF does not belong in a media playlist",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n",
            3,
            "EXT-X-I-FRAME-STREAM-INF does not belong in a media playlist",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA:TYPE=AUDIO\n",
            3,
            "EXT-X-MEDIA does not belong in a media playlist",
        ),
        (
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\"\n#EXT-X-TARGETDURATION:6\n",
            3,
            "EXT-X-TARGETDURATION does not belong in a multivariant playlist",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n#EXT-X-MEDIA-SEQUENCE:1\n",
            4,
            "EXT-X-MEDIA-SEQUENCE does not belong in a multivariant playlist",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n#EXTINF:6,\n0.ts\n",
            4,
            "EXTINF does not belong in a multivariant playlist",
        ),
        ("#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"a\"\n", 2, "EXT-X-STREAM-INF has no BANDWIDTH"),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1.5\n",
            2,
            "cannot read the value of EXT-X-STREAM-INF",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv.m3u8\n",
            2,
            "EXT-X-STREAM-INF without an address after it",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n# end\n",
            2,
            "EXT-X-STREAM-INF without an address after it",
        ),
        ("#EXTM3U\n#EXT-X-MEDIA:GROUP-ID=\"a\"\n", 2, "EXT-X-MEDIA has no TYPE"),
        ("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO\n", 2, "EXT-X-MEDIA has no GROUP-ID"),
    ] {
        let error = read(text).expect_err(text);
        assert_eq!(error.to_string(), format!("line {line}: {message}"), "{text}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused_at_its_line() {
    let error = parse(b"#EXTM3U\n#EXTINF:6,\n\xFF.ts\n", &Limits::default()).unwrap_err();
    assert_eq!(error, Error { line: 3, kind: ErrorKind::NotUtf8 });
}

#[test]
fn each_limit_is_checked_and_named() {
    let text = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n0123456789.ts\n";
    let exact = Limits { bytes: text.len(), lines: 4, line_bytes: 23 };
    assert!(parse(text, &exact).is_ok());
    for (limits, line, kind) in [
        (
            Limits { bytes: text.len() - 20, ..exact },
            3,
            ErrorKind::TooLarge { bytes: text.len(), limit: text.len() - 20 },
        ),
        (Limits { lines: 3, ..exact }, 4, ErrorKind::TooManyLines { limit: 3 }),
        (Limits { line_bytes: 22, ..exact }, 2, ErrorKind::LineTooLong { bytes: 23, limit: 22 }),
    ] {
        assert_eq!(parse(text, &limits), Err(Error { line, kind }));
    }
}

#[test]
fn empty_lines_count() {
    let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{}", "\n".repeat(1_000));
    let limits = Limits { lines: 1_000, ..Limits::default() };
    let kind = ErrorKind::TooManyLines { limit: 1_000 };
    assert_eq!(parse(text.as_bytes(), &limits), Err(Error { line: 1_001, kind }));
}

fn around(text: &str) -> Result<Playlist, Error> {
    parse_around(text.as_bytes(), &Limits::default())
}

#[test]
fn a_segment_that_is_stated_wrongly_says_so_where_it_is_read_around() {
    for (wrong, line, lasts) in [
        ("#EXTINF:-1,", 5, 2),
        ("#EXTINF:x,", 5, 2),
        ("#EXTINF:9,\n#EXT-X-BYTERANGE:x", 6, 9),
        ("#EXTINF:1,\n#EXT-X-BYTERANGE:x", 6, 2),
    ] {
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\na.ts\n{wrong}\nb.ts\n#EXTINF:3,\nc.ts\n"
        );
        let flaw = read(&text).unwrap_err();
        assert_eq!(flaw.line, line, "{wrong}");
        let Ok(Playlist::Media(playlist)) = around(&text) else { panic!("{wrong}") };
        let told = playlist.segments.iter().map(|it| (it.flaw.clone(), it.duration.0 / 1_000_000));
        assert!(told.eq([(None, 2), (Some(flaw), lasts), (None, 3)]), "{wrong}: {playlist:?}");
    }
    // What concerns more than one of them is an error.
    for wrong in
        ["#EXT-X-KEY:METHOD=AES-128", "#EXT-X-MAP:BYTERANGE=\"1@0\"", "#EXT-X-TARGETDURATION:8"]
    {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n{wrong}\n#EXTINF:2,\na.ts\n");
        assert_eq!(around(&text), read(&text), "{wrong}");
        assert!(around(&text).is_err(), "{wrong}");
    }
}

#[test]
fn a_variant_that_is_stated_wrongly_is_left_out_where_it_is_read_around() {
    const WRONG: &str = "#EXT-X-STREAM-INF:BANDWIDTH=x\nw.m3u8\n";
    const RIGHT: &str = "#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n";
    let text = format!("#EXTM3U\n{WRONG}{RIGHT}");
    let Ok(Playlist::Multivariant(playlist)) = around(&text) else { panic!("{text}") };
    assert_eq!(playlist.to_string(), format!("#EXTM3U\n{RIGHT}"));
    assert_eq!(playlist.flaws.first(), read(&text).as_ref().err());
    // Where nothing is left, or it is no playlist at all, it is an error.
    for text in [
        format!("#EXTM3U\n{WRONG}"),
        format!("#EXTM3U\n{RIGHT}#EXTINF:2,\na.ts\n"),
        format!("#EXTM3U\n{RIGHT}#EXT-X-STREAM-INF:BANDWIDTH=9\n"),
    ] {
        assert_eq!(around(&text), read(&text), "{text}");
        assert!(around(&text).is_err(), "{text}");
    }
    let Ok(Playlist::Multivariant(whole)) = around(&format!("#EXTM3U\n{RIGHT}")) else { panic!() };
    assert_eq!(whole.flaws, []);
}
