//! Maps, keys, byte ranges and lines of what is left out, as an output lists them.

use super::{NOW, media};
use hls::{AttributeList, MediaPlaylist, MediaSequence, Micros, Segment};
use relay::anchor::{History, anchor, segment, take_up};
use relay::cursor::{Cursor, Rendition, decode, encode};
use relay::names::{Epoch, RenditionName, Stem};
use relay::parts::{Along, Keys, PartId, recipe};
use relay::ports::Slice;
use relay::render::render;
use relay::session::{Address, Start};
use relay::settle::{Beside, Fate, Style, settle};
use std::fs;
use std::path::Path;
use url::Url;

/// What a run that has read everything knows: the bytes of a part are its address.
fn along(segment: &Segment, keys: Keys) -> Along {
    let id = |uri: &str| PartId::of(uri.as_bytes());
    let carried = |key: &AttributeList| key.get("URI").filter(|it| it.starts_with("http")).map(id);
    let ids = |of: &[AttributeList]| match keys {
        Keys::Carried => of.iter().map(carried).collect(),
        Keys::Left => vec![None; of.len()],
        Keys::Opened => Vec::new(),
    };
    Along {
        map: segment.map.as_ref().map(|map| id(map.uri())),
        keys: ids(&segment.keys),
        map_keys: segment.map.as_ref().map_or_else(Vec::new, |map| ids(&map.keys)),
    }
}

pub fn name() -> RenditionName {
    serde_json::from_str("\"v\"").unwrap()
}

/// The mark of a source after `text`, all of which landed but for the segments that are `gone`.
pub fn mark(before: Option<Rendition>, text: &str, gone: &[u64], style: Style) -> Rendition {
    let seen = media(text);
    let how = anchor(before.as_ref(), &History::default(), &seen, true, Start::Window, NOW);
    let mark = take_up(before.as_ref(), &seen, how, Epoch(7), 1, NOW).unwrap();
    let fate = |_, n: MediaSequence| if gone.contains(&n.0) { Fate::Gone } else { Fate::Landed };
    let of = |n| segment(&seen, n).map(|it| along(it, style.keys));
    settle(mark, &seen, style, fate, of, |_| Beside::default())
}

/// What is listed after that; parts are named after the addresses that are their bytes.
fn listed(mark: &Rendition, text: &str, style: Style) -> String {
    let seen = media(text);
    let stem = Stem::of(&Address::of(&Url::parse("https://a.example/in/c").unwrap()));
    let rendering = render(&name(), mark, &mark.tracks[0], &seen, style, &stem, true).unwrap();
    let mut shown = rendering.text;
    for uri in ["i1", "i2", "http://k/1", "http://k/2"] {
        let id = serde_json::to_string(&PartId::of(uri.as_bytes())).unwrap();
        shown = shown.replace(id.trim_matches('"'), uri);
    }
    shown
}

pub fn style(window: Option<u64>, keys: Keys) -> Style {
    Style { window: window.map(Micros::from_secs), deletes: false, keys }
}

fn shown(text: &str, gone: &[u64], keys: Keys) -> String {
    let style = style(None, keys);
    listed(&mark(None, text, gone, style), text, style)
}

/// A source whose segments come with these lines, a string each.
pub fn source(first: u64, segments: &[&str]) -> String {
    let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    let segment = |(number, lines): (u64, &&str)| format!("{lines}#EXTINF:2,\n{number}.m4s\n");
    head + &(first..).zip(segments).map(segment).collect::<String>()
}

const MAP1: &str = "#EXT-X-MAP:URI=\"i1\"\n";
const MAP2: &str = "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i2\",BYTERANGE=\"9@4\"\n";
const KEY1: &str = "#EXT-X-KEY:METHOD=AES-128,URI=\"http://k/1\"\n";
const KEY2: &str = "#EXT-X-KEY:METHOD=AES-128,URI=\"http://k/2\",IV=0x5\n";
const DRM: &str = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.skd\"\n";
const NONE: &str = "#EXT-X-KEY:METHOD=NONE\n";

/// What of the lines of each segment is about maps, keys and discontinuities.
fn stated(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        let about = ["#EXT-X-MAP:", "#EXT-X-KEY:", "#EXT-X-DISCONTINUITY"];
        let last = all.last_mut().unwrap();
        if !line.starts_with('#') {
            all.push(String::new());
        } else if about.iter().any(|tag| line.starts_with(tag)) && !line.contains("SEQUENCE") {
            last.push_str(&format!("{line}\n"));
        }
    }
    all.pop();
    all
}

#[test]
fn maps_and_keys_are_stated_where_they_change() {
    let map = |name: &str| format!("#EXT-X-MAP:URI=\"c_v_map-{name}.mp4\"\n");
    let key = |name: &str, iv: &str| {
        format!("#EXT-X-KEY:METHOD=AES-128,URI=\"c_v_key-{name}.key\"{iv}\n")
    };
    let (cut, nothing) = ("#EXT-X-DISCONTINUITY\n", String::new);
    let (one, two) = (key("http://k/1", ""), key("http://k/2", ",IV=0x5"));
    let (clear, locked) = (format!("{MAP1}{KEY2}"), format!("{KEY2}{MAP1}"));
    for (what, segments, keys, expected) in [
        ("a map", vec![MAP1, "", MAP1], Keys::Carried, vec![map("i1"), nothing(), nothing()]),
        ("two", vec![MAP1, MAP2], Keys::Carried, vec![map("i1"), cut.to_owned() + &map("i2")]),
        ("a key", vec![KEY1, ""], Keys::Carried, vec![one.clone(), nothing()]),
        ("keys turn", vec![KEY1, KEY2], Keys::Carried, vec![one.clone(), two.clone()]),
        ("no key any more", vec![KEY1, NONE], Keys::Carried, vec![one.clone(), NONE.into()]),
        ("DRM", vec![DRM, KEY1], Keys::Carried, vec![DRM.into(), NONE.to_owned() + &one]),
        ("left", vec![KEY1, KEY2], Keys::Left, vec![KEY1.into(), KEY2.into()]),
        ("opened", vec![KEY1, NONE], Keys::Opened, vec![nothing(), nothing()]),
        ("an opened map", vec![&format!("{KEY2}{MAP1}")], Keys::Opened, vec![map("i1")]),
        ("a clear map", vec![&clear], Keys::Carried, vec![map("i1") + &two]),
        ("an encrypted map", vec![&locked], Keys::Carried, vec![two.clone() + &map("i1")]),
    ] {
        assert_eq!(stated(&shown(&source(3, &segments), &[], keys)), expected, "{what}");
    }
}

#[test]
fn a_window_begins_with_its_map_and_key_however_long_ago_they_were_stated() {
    let begins = format!("{KEY1}{MAP1}");
    for window in [None, Some(4)] {
        let style = style(window, Keys::Carried);
        let mut first = mark(None, &source(3, &[&begins, "", "", ""]), &[], style);
        first.tracks[0].given = Some(MediaSequence(6));
        let text = source(5, &[&begins, "", "", ""]);
        let next = mark(Some(first), &text, &[], style);
        let cursor = Cursor { renditions: [(name(), next)].into(), ..Cursor::default() };
        let stored = String::from_utf8(encode(&cursor)).unwrap();
        assert!(!stored.contains("http"), "no address of a key is stored: {stored}");
        let next = decode(stored.as_bytes()).unwrap().renditions.remove(&name()).unwrap();
        let stated = stated(&listed(&next, &text, style));
        let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"c_v_key-http://k/1.key\"\n";
        let expected = format!("{key}#EXT-X-MAP:URI=\"c_v_map-i1.mp4\"\n");
        assert_eq!(stated[0], expected, "{window:?}");
        assert!(stated[1..].iter().all(String::is_empty), "{stated:?}");
    }
}

#[test]
fn keys_that_turn_are_remembered_as_long_as_something_that_is_listed_has_them() {
    let key = |n: u64| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"http://k/{}\"\n", n / 2);
    let (style, mut before) = (style(None, Keys::Carried), None);
    for first in [10, 11, 12, 15, 18, 19] {
        let keys: Vec<String> = (first..first + 4).map(key).collect();
        let text = source(first, &keys.iter().map(String::as_str).collect::<Vec<_>>());
        let mut next = mark(before, &text, &[], style);
        let since: Vec<u64> = next.parts.iter().map(|parts| parts.from.0).collect();
        let even = first - first % 2;
        let expected: Vec<u64> = (even..first + 4).step_by(2).collect();
        assert_eq!(since, expected, "{first}");
        next.tracks[0].given = Some(MediaSequence(first + 3));
        before = Some(next);
    }
}

#[test]
fn an_iv_that_is_a_number_is_stated_where_the_number_is_another() {
    // After a jump the output goes on counting: 4 is listed as 3.
    let stated = stated(&shown(&source(2, &[KEY1, "", ""]), &[3], Keys::Carried));
    assert!(!stated[0].contains("IV"), "{stated:?}");
    assert!(stated[1].contains(",IV=0x00000000000000000000000000000004"), "{stated:?}");
}

#[test]
fn what_an_endpoint_has_is_known_from_what_landed_there() {
    let mark = mark(None, &source(3, &[MAP1, "", MAP2, ""]), &[], style(None, Keys::Carried));
    let (one, two) = (PartId::of(b"i1"), PartId::of(b"i2"));
    assert!(mark.has(&mark.tracks[0], &one) && mark.has(&mark.tracks[0], &two));
    let mut behind = mark.tracks[0].clone();
    behind.stretches[0].to = MediaSequence(4);
    assert!(mark.has(&behind, &one) && !mark.has(&behind, &two));
    assert!(!mark.has(&behind, &PartId::of(b"other")));
    let mut ahead = mark.tracks[0].clone();
    ahead.stretches[0].from = MediaSequence(5);
    assert!(!mark.has(&ahead, &one) && mark.has(&ahead, &two), "it began with the second");
}

#[test]
fn a_recipe_says_what_to_read_or_what_is_wrong() {
    let of = |lines: &str, keys| {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{lines}#EXTINF:2,\na.mp4\n");
        recipe(&media(&text).segments[0], MediaSequence(90), keys)
    };
    let range = of("#EXT-X-BYTERANGE:7@5\n", Keys::Carried).unwrap();
    assert_eq!(range.body.slice, Some(Slice { offset: 5, length: 7 }));
    let map = of(MAP2, Keys::Carried).unwrap().map.unwrap().0;
    assert_eq!((map.uri.as_str(), map.slice), ("i2", Some(Slice { offset: 4, length: 9 })));
    let iv = |lines: &str| of(lines, Keys::Opened).unwrap().lock.unwrap().iv;
    assert_eq!((iv(KEY1)[15], iv(KEY2)[15]), (90, 5));
    let map = format!("{KEY1}{MAP1}");
    for (lines, keys, wrong) in [
        ("#EXT-X-BYTERANGE:7\n", Keys::Carried, "does not say where it begins"),
        ("#EXT-X-BYTERANGE:0@5\n", Keys::Carried, "is empty"),
        ("#EXT-X-BYTERANGE:7@18446744073709551615\n", Keys::Carried, "does not fit"),
        (DRM, Keys::Opened, "only AES-128"),
        (&map, Keys::Opened, "states no IV"),
    ] {
        let error = of(lines, keys).unwrap_err();
        assert!(error.contains(wrong), "{lines}: {error}");
    }
}

#[test]
fn a_key_is_carried_where_it_is_a_file_that_can_be_read() {
    const FORMAT: &str = "KEYFORMAT=\"com.apple.skd\"";
    for (key, carried) in [
        ("METHOD=AES-128,URI=\"https://k.example/1\"", Some("https://k.example/1")),
        ("METHOD=AES-128,URI=\"http://k.example/1\"", Some("http://k.example/1")),
        ("METHOD=SAMPLE-AES,URI=\"https://k.example/1\"", Some("https://k.example/1")),
        ("METHOD=SAMPLE-AES-CTR,URI=\"https://k.example/1\"", Some("https://k.example/1")),
        ("METHOD=AES-256,URI=\"https://k.example/1\"", None),
        ("METHOD=AES-128,URI=\"data:text/plain;base64,AA\"", None),
        (&format!("METHOD=SAMPLE-AES,URI=\"https://k.example/1\",{FORMAT}"), None),
        (&format!("METHOD=SAMPLE-AES,URI=\"skd://1\",{FORMAT}"), None),
    ] {
        let text =
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:{key}\n#EXTINF:2,\na.ts\n");
        let read = recipe(&media(&text).segments[0], MediaSequence(90), Keys::Carried).unwrap();
        assert_eq!(read.keys, [carried.map(str::to_owned)], "{key}");
        assert_eq!(read.lock, None, "{key}");
    }
    let clear = media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n");
    let read = recipe(&clear.segments[0], MediaSequence(90), Keys::Opened).unwrap();
    assert_eq!((read.keys, read.lock), (vec![], None));
}

#[test]
fn markers_of_a_segment_that_is_left_out_stay_in_their_place() {
    let range = "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-11-21T08:00:00Z\"";
    let out = format!("#EXT-X-CUE-OUT:30\n{range}\n");
    let cont = "#EXT-X-CUE-OUT-CONT:2/30\n#EXT-X-BITRATE:9\n";
    let text = source(3, &["", &out, cont, "#EXT-X-CUE-IN\n", ""]);
    for window in [None, Some(60)] {
        let style = style(window, Keys::Carried);
        let shown = listed(&mark(None, &text, &[4, 5], style), &text, style);
        let next = shown.split("_3.m4s\n").nth(1).unwrap();
        let mut lines: Vec<&str> = next.lines().take_while(|line| !line.contains("m4s")).collect();
        lines.retain(|line| *line != "#EXT-X-DISCONTINUITY");
        let expected = ["#EXT-X-CUE-OUT:30", range, "#EXT-X-CUE-IN", "#EXTINF:2,"];
        assert_eq!(lines, expected, "{window:?}");
    }
}

/// What an output is given of each shared playlist: what is there, and what is not.
#[test]
fn every_quirk_that_was_met_is_carried() {
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/playlists");
    let table: [(&str, &[&str], &[&str]); 17] = [
        ("channel-engine", &["#EXT-X-CUE-OUT:DURATION=", "#EXT-X-DATERANGE:"], &["session"]),
        ("packager", &["#EXT-OATCLS-SCTE35:", "#EXT-X-ASSET:", "#EXT-X-CUE-OUT-CONT"], &[]),
        ("ffmpeg", &["#EXT-X-PROGRAM-DATE-TIME:"], &[]),
        ("low-latency", &["#EXTINF:"], &["-X-PART", "PRELOAD-HINT", "RENDITION-REPORT"]),
        ("byte-ranges", &["MAP:URI=\"c_v_map-", "#EXT-X-BITRATE:8083"], &["BYTERANGE", "main"]),
        ("encrypted", &["URI=\"c_v_key-", "URI=\"skd://92\"", "METHOD=NONE"], &["keys.example"]),
        ("event", &["#EXT-X-PLAYLIST-TYPE:EVENT"], &[]),
        ("quirks", &["#EXT-X-GAP", "#EXT-X-STUDIO-CLOCK:17"], &["0001/a b.ts"]),
        ("starts-anywhere", &["#EXT-X-DISCONTINUITY-SEQUENCE:4711"], &[]),
        ("repeated-map", &["#EXT-X-MAP:URI=\"c_v_map-"], &["init.mp4"]),
        ("rotating-keys", &["URI=\"c_v_key-", ",IV=0x000102"], &["keys.example", "session"]),
        ("interstitials", &["apple.hls.interstitial", "X-ASSET-URI=\"https", "SCTE35-IN"], &[]),
        ("iframes", &["#EXT-X-I-FRAMES-ONLY"], &["BYTERANGE"]),
        ("bitrate-and-gap", &["#EXT-X-GAP", "#EXT-X-BITRATE:1400"], &[]),
        ("subtitles", &[".vtt"], &["sub/"]),
        ("ad-insertion", &["#EXT-X-CUE-OUT:12.012", "#EXT-X-CUE-IN"], &["ads.example", ".."]),
        ("tokens", &[".ts"], &["session", "token", "?", "cdn"]),
    ];
    for (file, there, absent) in table {
        let text = fs::read_to_string(Path::new(FOLDER).join(format!("{file}.m3u8"))).unwrap();
        let shown = shown(&text, &[], Keys::Carried);
        for there in there {
            assert!(shown.contains(there), "{file} lacks {there}:\n{shown}");
        }
        for absent in absent {
            assert!(!shown.contains(absent), "{file} holds {absent}:\n{shown}");
        }
        // It is a playlist again, of as many segments that are as long.
        let what = |it: &MediaPlaylist| {
            (it.segments.len(), it.duration(), it.discontinuity_sequence, it.ended)
        };
        assert_eq!(what(&media(&shown)), what(&media(&text)), "{file}");
    }
}

#[test]
fn numbers_that_jump_by_any_distance_are_settled_at_once() {
    // Found by a fuzzer: a numbering by the clock that follows one from zero was counted through.
    let at = |first: u64| {
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXTINF:2,\na{first}.ts\n"
        )
    };
    let style = style(None, Keys::Carried);
    let (near, far) = (at(50), at(9_007_199_254_740_993));
    let before = mark(None, &near, &[], style);
    let after = mark(Some(before), &far, &[], style);
    assert!(listed(&after, &far, style).contains("9007199254740993.ts"));
}

#[test]
fn what_marks_a_place_before_the_first_segment_that_was_wanted_is_left_out() {
    let follow = style(None, Keys::Carried);
    let marks: Vec<String> = (10..16).map(|n| format!("#EXT-X-CUE-OUT:{n}\n")).collect();
    let text = source(10, &marks.iter().map(String::as_str).collect::<Vec<_>>());
    let marked = |mark: &Rendition| {
        let listed = listed(mark, &text, follow);
        let marks = listed.lines().filter_map(|line| line.strip_prefix("#EXT-X-CUE-OUT:"));
        marks.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut joined = mark(None, &text, &[10, 11, 12], follow);
    assert_eq!(marked(&joined), ["10", "11", "12", "13", "14", "15"], "they were wanted");
    joined.entry = MediaSequence(12);
    assert_eq!(marked(&joined), ["12", "13", "14", "15"], "the first was wanted");
    // Those up to there were listed before what is listed was given up.
    joined.tracks[0].past = Some((Epoch(7), 12));
    assert_eq!(marked(&joined), ["13", "14", "15"]);
}

#[test]
fn the_end_is_said_also_where_nothing_may_be_listed() {
    let (style, text) = (style(None, Keys::Carried), source(10, &["", ""]));
    let mark = mark(None, &text, &[], style);
    let stem = Stem::of(&Address::of(&Url::parse("https://a.example/in/c").unwrap()));
    for (broken, ended, complete, listed) in [
        (false, false, false, Some((2, false))),
        (false, true, false, Some((2, false))),
        (false, true, true, Some((2, true))),
        (true, true, true, Some((0, true))),
        (true, true, false, None),
        (true, false, true, None),
    ] {
        let (mut track, mut seen) = (mark.tracks[0].clone(), media(&text));
        (track.broken, seen.ended) = (broken, ended);
        let shown = render(&name(), &mark, &track, &seen, style, &stem, complete);
        let told = shown.as_ref().map(|it| (it.text.matches("#EXTINF").count(), it.ended));
        assert_eq!(told, listed, "{broken} {ended} {complete}");
        let numbers = shown.is_none_or(|it| {
            it.last == MediaSequence(11) && it.first == MediaSequence(if broken { 12 } else { 10 })
        });
        assert!(numbers, "{broken} {ended} {complete}");
    }
    let nothing = (relay::cursor::Track::default(), media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n"));
    assert_eq!(render(&name(), &mark, &nothing.0, &nothing.1, style, &stem, true), None);
}

#[test]
fn a_playlist_that_loses_segments_claims_no_type() {
    let text =
        source(10, &["", "", ""]).replace("#EXT-X-MEDIA", "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA");
    let ended = text.clone() + "#EXT-X-ENDLIST\n";
    let (follow, window) = (style(None, Keys::Carried), style(Some(60), Keys::Carried));
    for (text, gone, style, claims) in [
        (&text, &[][..], follow, Some("EVENT")),
        (&ended, &[], follow, Some("VOD")),
        (&ended, &[11], follow, None),
        (&ended, &[], window, None),
    ] {
        let shown = listed(&mark(None, text, gone, style), text, style);
        let line = shown.lines().find_map(|line| line.strip_prefix("#EXT-X-PLAYLIST-TYPE:"));
        assert_eq!(line, claims, "{text} {gone:?}");
    }
}
