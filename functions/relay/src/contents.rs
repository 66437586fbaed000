//! What a segment is, from its first bytes.

use crate::abilities::Container;
use std::collections::BTreeSet;

/// A segment's container and the codecs that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its container.
    pub container: Container,
    /// Its codecs by name, such as `H.264`.
    pub codecs: BTreeSet<&'static str>,
}

/// As much of a segment is looked at: the tables of a transport stream are in it, behind any ID3 tag.
pub const SAMPLE_BYTES: usize = 64 << 10;

/// The length of a packet of a transport stream.
const PACKET: usize = 188;

/// Tells a segment's container and codecs from its beginning.
#[must_use]
pub fn contents(head: &[u8]) -> Contents {
    let (container, codecs) = match after_id3(head) {
        // Of all files only subtitles may be empty: where nothing is said.
        [] if head.is_empty() => (Container::WebVtt, vec!["WebVTT"]),
        packed @ [0x0B, 0x77, ..] if packed.get(5).is_some_and(|byte| byte >> 3 > 10) => {
            (Container::Eac3, vec!["E-AC-3"])
        }
        [0x0B, 0x77, ..] => (Container::Ac3, vec!["AC-3"]),
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => (Container::Aac, vec!["AAC"]),
        [0xFF, second, ..] if second & 0xE6 == 0xE2 => (Container::Mp3, vec!["MP3"]),
        [0x47, rest @ ..] if rest.get(PACKET - 1).is_none_or(|byte| *byte == 0x47) => {
            (Container::Ts, stream_types(head))
        }
        [_, _, _, _, kind @ ..] if is_box(kind) => (Container::Fmp4, Vec::new()),
        text if is_webvtt(text) => (Container::WebVtt, vec!["WebVTT"]),
        _ => (Container::Unknown, Vec::new()),
    };
    Contents { container, codecs: codecs.into_iter().collect() }
}

/// What follows an ID3 tag, with which packed audio begins (RFC 8216 section 3.4).
fn after_id3(head: &[u8]) -> &[u8] {
    match head {
        [b'I', b'D', b'3', _, _, _, a, b, c, d, rest @ ..] => {
            let length = [a, b, c, d].iter().fold(0, |sum, byte| (sum << 7) + usize::from(**byte));
            rest.get(length..).unwrap_or_default()
        }
        _ => head,
    }
}

/// Whether a box with which a fragment begins has this name.
fn is_box(kind: &[u8]) -> bool {
    [b"ftyp", b"styp", b"moof", b"sidx", b"prft", b"emsg", b"moov"]
        .iter()
        .any(|name| kind.starts_with(*name))
}

fn is_webvtt(text: &[u8]) -> bool {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).starts_with(b"WEBVTT")
}

/// The codecs of the first programme (ISO/IEC 13818-1 section 2.4.4).
fn stream_types(head: &[u8]) -> Vec<&'static str> {
    let Some(programmes) = section(head, 0, 0x00) else { return Vec::new() };
    let mut maps = programmes.get(8..).unwrap_or_default().chunks_exact(4).filter_map(|entry| {
        let programme = number(entry)?;
        // Programme 0 is the network's own table.
        (programme != 0).then(|| number(entry.get(2..)?)).flatten().map(|pid| pid & 0x1FFF)
    });
    let Some(map) = maps.next().and_then(|pid| section(head, pid, 0x02)) else {
        return Vec::new();
    };
    let before = map.get(10..).and_then(number).map_or(0, |length| usize::from(length & 0x0FFF));
    let mut streams = map.get(12 + before..).unwrap_or_default();
    let mut codecs = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = streams {
        let length = usize::from(u16::from_be_bytes([high & 0x0F, *low]));
        let described = rest.get(..length).unwrap_or_default();
        codecs.extend(codec(*kind, described));
        streams = rest.get(length..).unwrap_or_default();
    }
    codecs
}

fn number(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
}

/// The table of a kind in the first packet that begins one for `pid`, without its checksum.
fn section(head: &[u8], pid: u16, table: u8) -> Option<&[u8]> {
    head.chunks_exact(PACKET).find_map(|packet| {
        let begins = packet.get(1)? & 0x40 != 0;
        if !begins || number(packet.get(1..)?)? & 0x1FFF != pid {
            return None;
        }
        let adaptation = match packet.get(3)? & 0x20 {
            0 => 0,
            _ => 1 + usize::from(*packet.get(4)?),
        };
        let payload = packet.get(4 + adaptation..)?;
        let section = payload.get(1 + usize::from(*payload.first()?)..)?;
        if *section.first()? != table {
            return None;
        }
        let length = 3 + usize::from(number(section.get(1..)?)? & 0x0FFF);
        section.get(..length.min(section.len()))?.split_last_chunk::<4>().map(|(body, _)| body)
    })
}

/// The name of a stream type; private data is told by its descriptors (ETSI EN 300 468).
fn codec(kind: u8, descriptors: &[u8]) -> Option<&'static str> {
    match kind {
        0x01 | 0x02 => Some("MPEG-2 video"),
        0x03 | 0x04 => Some("MPEG audio"),
        0x0F | 0x11 => Some("AAC"),
        0x1B => Some("H.264"),
        0x24 => Some("HEVC"),
        0x81 => Some("AC-3"),
        0x87 => Some("E-AC-3"),
        0xCF | 0xC1 | 0xC2 | 0xDB => Some("SAMPLE-AES"),
        0x06 => private(descriptors),
        // Timed metadata and splice information are not media.
        _ => None,
    }
}

fn private(mut descriptors: &[u8]) -> Option<&'static str> {
    while let [tag, length, rest @ ..] = descriptors {
        match tag {
            0x6A => return Some("AC-3"),
            0x7A => return Some("E-AC-3"),
            _ => descriptors = rest.get(usize::from(*length)..).unwrap_or_default(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_its_first_bytes() {
        let id3 = |rest: &[u8]| [b"ID3\x04\0\0\0\0\0\x02..".as_slice(), rest].concat();
        let long = [b"ID3\x04\0\0\0\0\x01\x02".as_slice(), &[0xFF; 130], b"\xFF\xF1"].concat();
        for (name, head, container, codecs) in [
            ("AAC", b"\xFF\xF1\x50".to_vec(), Container::Aac, vec!["AAC"]),
            ("MP3", b"\xFF\xFB\x50".to_vec(), Container::Mp3, vec!["MP3"]),
            ("no layer", b"\xFF\xE0\x50".to_vec(), Container::Unknown, vec![]),
            ("AAC after ID3", id3(b"\xFF\xF1"), Container::Aac, vec!["AAC"]),
            ("AAC after a long ID3", long, Container::Aac, vec!["AAC"]),
            ("AC-3 after ID3", id3(b"\x0B\x77\0\0\0\x40"), Container::Ac3, vec!["AC-3"]),
            (
                "AC-3 of the last version",
                b"\x0B\x77\0\0\0\x50".to_vec(),
                Container::Ac3,
                vec!["AC-3"],
            ),
            ("E-AC-3", b"\x0B\x77\0\0\0\x80".to_vec(), Container::Eac3, vec!["E-AC-3"]),
            ("WebVTT", b"\xEF\xBB\xBFWEBVTT\n".to_vec(), Container::WebVtt, vec!["WebVTT"]),
            ("styp", b"\0\0\0\x18stypmsdh".to_vec(), Container::Fmp4, vec![]),
            ("moof", b"\0\0\0\x18moof".to_vec(), Container::Fmp4, vec![]),
            ("packets of no length", vec![0x47; PACKET + 1], Container::Ts, vec![]),
            ("one byte of TS", [&[0x47][..], &[0; PACKET]].concat(), Container::Unknown, vec![]),
            ("HTML", b"<html>".to_vec(), Container::Unknown, vec![]),
            ("nothing", vec![], Container::WebVtt, vec!["WebVTT"]),
            ("ID3 cut short", b"ID3\x04\0\0\x7F\x7F\x7F\x7F".to_vec(), Container::Unknown, vec![]),
        ] {
            let codecs = codecs.into_iter().collect();
            assert_eq!(contents(&head), Contents { container, codecs }, "{name}");
        }
    }

    #[test]
    fn a_transport_stream_names_its_codecs() {
        let video = include_bytes!("../../../tests/fixtures/library/bars/180p/000.ts");
        let audio = include_bytes!("../../../tests/fixtures/library/bars/audio/000.ts");
        for (name, head, codecs) in [
            ("video", video.as_slice(), vec!["H.264"]),
            ("audio", audio, vec!["AAC"]),
            ("one packet", &video[..PACKET], vec![]),
            ("cut in its tables", &video[..2 * PACKET + 9], vec![]),
        ] {
            let found = contents(head);
            assert_eq!(found.container, Container::Ts, "{name}");
            assert_eq!(found.codecs, codecs.into_iter().collect(), "{name}");
        }
    }

    /// A packet of a transport stream, which begins a section or not, behind so many bytes of adaptation.
    fn packet(pid: u16, begins: bool, adaptation: Option<u8>, payload: &[u8]) -> Vec<u8> {
        let [high, low] = pid.to_be_bytes();
        let mut packet = vec![0x47, high | if begins { 0x40 } else { 0 }, low, 0x10];
        if let Some(length) = adaptation {
            packet[3] = 0x30;
            packet.push(length);
            packet.extend(vec![0xAA; length.into()]);
        }
        packet.extend(payload);
        packet.resize(PACKET, 0xFF);
        packet
    }

    /// A section of a table without its checksum, and what is behind it.
    fn table(id: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len() + 4).unwrap();
        [&[id, 0xB0, length], body, &[0; 4]].concat()
    }

    #[test]
    fn tables_are_found_wherever_they_are() {
        // Programme 0 is the network's own table, at PID 0x10; the first programme's is at 0x1000.
        let programmes = table(0, &[0, 1, 0xC1, 0, 0, 0, 0, 0xE0, 0x10, 0, 1, 0xF0, 0]);
        let none = table(0, &[0, 1, 0xC1, 0, 0]);
        // A descriptor of the programme, H.264, and a private stream whose descriptor says AC-3.
        let streams = [0x1B, 0xE1, 0, 0xF0, 0, 0x06, 0xE1, 1, 0xF0, 3, 0x6A, 1, 0];
        let head = [0, 1, 0xC1, 0, 0, 0xE1, 0, 0xF0, 6, 5, 4, b'H', b'D', b'M', b'V'];
        let map = table(2, &[&head[..], &streams].concat());
        // Another section follows it at once.
        let beside = table(2, &[2; 20]);
        let network = table(2, &[&[0; 9][..], &[0, 0x24, 0xE1, 0, 0xF0, 0]].concat());
        let behind = |pointer: u8, section: &[u8]| {
            [&[pointer][..], &vec![0xBB; pointer.into()], section].concat()
        };
        let stream = [
            packet(0x1FFF, true, None, &behind(0, &none)),
            packet(0, false, None, &behind(0, &none)),
            packet(0, true, Some(7), &behind(0, &programmes)),
            packet(0x10, true, None, &behind(0, &network)),
            packet(0x1000, false, None, &behind(0, &table(2, &[0; 12]))),
            packet(0x1000, true, Some(0), &behind(3, &[map, beside].concat())),
        ];
        assert_eq!(contents(&stream.concat()).codecs, ["AC-3", "H.264"].into());
    }

    #[test]
    fn stream_types_are_those_of_the_standards() {
        for (kinds, name) in [
            (&[0x01, 0x02][..], "MPEG-2 video"),
            (&[0x03, 0x04], "MPEG audio"),
            (&[0x0F, 0x11], "AAC"),
            (&[0x1B], "H.264"),
            (&[0x24], "HEVC"),
            (&[0x81], "AC-3"),
            (&[0x87], "E-AC-3"),
            (&[0xCF, 0xC1, 0xC2, 0xDB], "SAMPLE-AES"),
        ] {
            assert!(kinds.iter().all(|kind| codec(*kind, &[]) == Some(name)), "{name}");
        }
        assert_eq!(codec(0x06, &[0x7A, 0]), Some("E-AC-3"));
        assert!([0x15, 0x86].iter().all(|kind| codec(*kind, &[0x6A, 0]).is_none()));
    }

    #[test]
    fn private_streams_are_known_by_their_descriptors() {
        for (descriptors, codec) in [
            (&[0x0A, 1, 0, 0x6A, 0][..], Some("AC-3")),
            (&[0x7A, 1, 0], Some("E-AC-3")),
            (&[0x0A, 9], None),
            (&[], None),
        ] {
            assert_eq!(private(descriptors), codec, "{descriptors:?}");
        }
    }
}
