use hls::{DiscontinuitySequence, MediaSequence, Micros, Seconds};
use proptest::prelude::*;
use proptest::sample::Index;
use relay::cursor::{Cursor, Gaps, Kept, Parts, Rendition, Stretch, Track, decode, encode};
use relay::names::{Epoch, Extension};
use relay::parts::{Along, PartId};
use std::collections::BTreeMap;

fn cursor(renditions: usize, endpoints: usize) -> Cursor {
    let stretch = Stretch {
        epoch: Epoch(1_795_000_000),
        from: MediaSequence(1_794_999_000),
        to: MediaSequence(1_794_999_009),
        out: MediaSequence(1_794_999_000),
        marked: false,
    };
    let track = Track {
        stretches: vec![stretch],
        discontinuities: DiscontinuitySequence(12),
        given: Some(MediaSequence(1_794_999_008)),
        ..Track::default()
    };
    let rendition = Rendition {
        epoch: Epoch(1_795_000_000),
        entry: MediaSequence(1_794_990_000),
        continues: None,
        source: 0,
        former: None,
        doubted: None,
        place: Some(0xffff_fff0),
        alike: Some(0xffff_fff0),
        unlisted: false,
        newest: MediaSequence(1_794_999_010),
        made: Some(hls::Timestamp(1_794_999_010_123_456)),
        fingerprints: vec![0xffff_fff0; 4],
        target_duration: Seconds(6),
        extension: Extension::Ts,
        tracks: vec![track; endpoints],
        parts: Vec::new(),
        gaps: Vec::new(),
        kept: Vec::new(),
    };
    let layout: String = (0..renditions)
        .map(|n| format!("#EXT-X-STREAM-INF:BANDWIDTH={}\n{n}.m3u8\n", 1_000_000 + n))
        .collect();
    let hls::Playlist::Multivariant(playlist) =
        hls::parse(format!("#EXTM3U\n{layout}").as_bytes(), &hls::Limits::default()).unwrap()
    else {
        panic!("a media playlist");
    };
    let base = url::Url::parse("http://a.example/").unwrap();
    let names = relay::layout::Layout::of(playlist, &base).unwrap().renditions;
    Cursor {
        renditions: names.into_keys().map(|name| (name, rendition.clone())).collect(),
        segments: 1_000_000,
        bytes: 1_000_000_000_000,
        ..Cursor::default()
    }
}

#[test]
fn a_cursor_of_five_variants_and_two_endpoints_fits_one_write_unit() {
    for renditions in 1..=5 {
        // The item that it is in has run, lease and revision besides.
        let bytes = encode(&cursor(renditions, 2));
        assert!(bytes.len() <= 768, "{renditions}: {} bytes", bytes.len());
    }
}

#[test]
fn a_cursor_is_read_back_as_it_was_written() {
    let mut long = cursor(3, 2);
    for rendition in long.renditions.values_mut() {
        (rendition.tracks[0].marks, rendition.tracks[1].marks) = (-1, 2);
        rendition.tracks[1].jumps = 3;
        rendition.kept = (0..900)
            .map(|n| Kept {
                epoch: Epoch(7),
                sequence: MediaSequence(n),
                lines: vec!["#EXTINF:2.000,".into()],
                keys: Vec::new(),
                map_keys: Vec::new(),
                duration: Micros::from_secs(2),
                discontinuity: n % 100 == 0,
                extension: Extension::Aac,
                program_date_time: Some(hls::Timestamp(n * 2_000_000)),
            })
            .collect();
    }
    for (cursor, most) in [(Cursor::default(), 64), (cursor(1, 1), 512), (long, 64 << 10)] {
        let bytes = encode(&cursor);
        assert!(bytes.len() <= most, "{} bytes", bytes.len());
        assert_eq!(decode(&bytes).unwrap(), cursor);
    }
}

#[test]
fn what_is_as_usual_takes_no_room() {
    let stored = |cursor: &Cursor| {
        let json: serde_json::Value = serde_json::from_slice(&encode(cursor)).unwrap();
        assert_eq!(decode(&encode(cursor)).unwrap(), *cursor);
        json["r"].as_object().unwrap().values().next().unwrap().clone()
    };
    let mut cursor = cursor(1, 2);
    let rendition = stored(&cursor);
    assert_eq!((rendition.get("u"), &rendition["a"]["n"]), (None, &serde_json::json!(2)));
    assert_eq!((rendition.get("g"), rendition.get("l")), (None, None));
    let track = &rendition["a"]["t"];
    let none = ["j", "m", "n", "w", "l", "u"].map(|field| track.get(field));
    assert_eq!(none, [None; 6], "{track}");

    let mark = cursor.renditions.values_mut().next().unwrap();
    mark.source = 3;
    (mark.tracks[1].jumps, mark.tracks[1].missed) = (1, 2);
    mark.gaps = vec![Gaps { epoch: Epoch(7), from: MediaSequence(3), to: MediaSequence(5) }];
    let rendition = stored(&cursor);
    assert_eq!(rendition["l"], serde_json::json!([{"e": 7, "f": 3, "t": 5}]));
    assert_eq!((&rendition["u"], &rendition["a"][1]["j"]), (&3.into(), &1.into()));
    cursor.renditions.values_mut().next().unwrap().tracks.truncate(1);
    assert!(stored(&cursor)["a"].is_array(), "one is not several");
}

#[test]
fn an_old_reader_reads_new_data_and_does_not_lose_it() {
    let mut json: serde_json::Value = serde_json::from_slice(&encode(&cursor(1, 2))).unwrap();
    json["later"] = serde_json::json!({"a": [1]});
    let read = decode(&serde_json::to_vec(&json).unwrap()).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&encode(&read)).unwrap();
    assert_eq!(written["later"], json["later"]);
}

#[test]
fn a_new_reader_reads_what_the_first_version_wrote() {
    let first = r#"{"r":{"video-800000":{"e":7,"f":3,"s":9,"h":[1,2],"t":4,"a":{"n":2,"t":{"s":[{"e":7,"f":3,"t":9,"o":3}],"d":1,"g":8}}}},"n":7,"b":70}"#;
    let cursor = decode(first.as_bytes()).unwrap();
    let (name, rendition) = cursor.renditions.iter().next().unwrap();
    assert_eq!(name.as_ref(), "video-800000");
    assert_eq!(rendition.tracks.len(), 2);
    assert_eq!(rendition.tracks[1].landed(Epoch(7)), Some(MediaSequence(9)));
    assert_eq!((cursor.segments, cursor.bytes), (7, 70));
    assert_eq!(rendition.gaps, []);
}

#[test]
fn what_segments_have_beside_themselves_is_read_back_and_takes_no_room_where_there_is_none() {
    let mut cursor = cursor(1, 2);
    let plain = encode(&cursor);
    assert!(!String::from_utf8_lossy(&plain).contains("\"i\""));
    let parts = |from, along| Parts { epoch: Epoch(7), from: MediaSequence(from), along };
    let map = Some(PartId::of(b"map"));
    let key = || vec![Some(PartId::of(b"key")), None];
    for rendition in cursor.renditions.values_mut() {
        let both = Along { map: map.clone(), keys: key(), map_keys: key() };
        rendition.parts = vec![parts(3, Along::default()), parts(9, both)];
    }
    let bytes = encode(&cursor);
    assert_eq!(decode(&bytes).unwrap(), cursor);
    // What this version does not know of them does no harm.
    let text = String::from_utf8(bytes).unwrap().replace("\"i\":[{", "\"i\":[{\"later\":1,");
    assert_eq!(decode(text.as_bytes()).unwrap(), cursor);
}

#[test]
fn what_is_no_cursor_is_an_error() {
    for bytes in [&b""[..], b"[]", b"{", b"z", b"zzzzzz", &[0xff; 64], b"{\"r\":{\"x\":{}}}"] {
        assert!(decode(bytes).is_err(), "{bytes:?}");
    }
    let empty: BTreeMap<String, u8> = BTreeMap::new();
    assert!(decode(&serde_json::to_vec(&empty).unwrap()).is_ok());
}

proptest! {
    /// What is stored may be damaged, or of a version that is not known: that is an error, never a panic.
    #[test]
    fn damaged_bytes_are_a_cursor_or_an_error(
        large: bool,
        places in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut: Index,
    ) {
        let mut bytes = encode(&cursor(if large { 60 } else { 2 }, 2));
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(cursor) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&cursor)).expect("what is written is read"), cursor);
        }
        // Half of a record is none.
        let _ = decode(&bytes[..cut.index(bytes.len())]);
    }
}

#[test]
fn a_stretch_gives_each_of_its_segments_the_outputs_number() {
    let stretch = Stretch {
        epoch: Epoch(7),
        from: MediaSequence(10),
        to: MediaSequence(14),
        out: MediaSequence(100),
        marked: false,
    };
    assert_eq!(stretch.last_out(), MediaSequence(104));
    for (epoch, sequence, out) in [
        (7, 9, None),
        (7, 10, Some(100)),
        (7, 12, Some(102)),
        (7, 14, Some(104)),
        (7, 15, None),
        (6, 12, None),
        (8, 12, None),
    ] {
        let number = stretch.number(Epoch(epoch), MediaSequence(sequence));
        assert_eq!(number, out.map(MediaSequence), "{epoch}, {sequence}");
    }
}

#[test]
fn what_has_landed_is_what_has_landed_at_any_endpoint() {
    let to = |last: u64| Stretch {
        epoch: Epoch(7),
        from: MediaSequence(10),
        to: MediaSequence(last),
        out: MediaSequence(10),
        marked: false,
    };
    let track = |stretch| Track { stretches: vec![stretch], ..Track::default() };
    let mut rendition = cursor(1, 0).renditions.into_values().next().unwrap();
    for (epoch, tracks, landed) in [
        (7, vec![track(to(12)), track(to(14)), Track::default()], Some(14)),
        (7, vec![Track::default()], None),
        (8, vec![track(to(12))], None),
    ] {
        (rendition.epoch, rendition.tracks) = (Epoch(epoch), tracks);
        assert_eq!(rendition.landed(), landed.map(MediaSequence));
    }
}

#[test]
fn what_comes_before_stretches_that_were_given_up_is_past() {
    let track = Track { past: Some((Epoch(7), 12)), ..Track::default() };
    for (epoch, sequence, past) in
        [(7, 11, true), (7, 12, true), (7, 13, false), (6, 99, true), (8, 0, false)]
    {
        let is_past = |track: &Track| track.is_past(Epoch(epoch), MediaSequence(sequence));
        assert_eq!(is_past(&track), past, "{epoch}, {sequence}");
        assert!(!is_past(&Track::default()), "{epoch}, {sequence}");
    }
}
