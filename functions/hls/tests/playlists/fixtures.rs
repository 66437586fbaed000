//! The shared playlists come out as they went in.

use crate::{read, render};
use hls::{Playlist, Stop};
use std::fs;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/playlists");

/// The text of one shared playlist.
pub(crate) fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(FOLDER).join(name)).expect("a shared playlist of that name")
}

/// The names and texts of all shared playlists.
pub(crate) fn all() -> Vec<(String, String)> {
    let entries = fs::read_dir(FOLDER).expect("the folder of the shared playlists").flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".m3u8"));
    names.sort();
    assert!(names.len() > 10, "the shared playlists are there");
    names.into_iter().map(|name| (name.clone(), fixture(&name))).collect()
}

#[test]
fn what_was_read_renders_as_it_was() {
    for (name, text) in all() {
        let playlist = read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(render(&playlist), text, "{name}");
    }
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_matter() {
    for (name, text) in all() {
        let playlist = read(&text).unwrap();
        for other in
            [format!("\u{feff}{text}"), text.replace('\n', "\r\n"), format!("{text}\n\r\n")]
        {
            assert_eq!(read(&other).unwrap(), playlist, "{name}");
        }
        // The last tag of a live playlist may be half of one when its line does not end.
        let unended = text.trim_end();
        let whole = unended.lines().last().is_some_and(|last| !last.starts_with('#'));
        if whole || unended.ends_with("#EXT-X-ENDLIST") {
            let mut read = read(unended).unwrap();
            if let Playlist::Media(read) = &mut read {
                assert_eq!(read.stop == Stop::Address, whole, "{name}");
                read.stop = Stop::Line;
            }
            assert_eq!(read, playlist, "{name}");
        }
    }
}

/// The playlists that `m3u8-rs` misreads when it is given the whole text: titles with commas and
/// lone values become segments, and what has an unexpected attribute is passed over.
const MISREAD: [&str; 2] = ["event.m3u8", "multivariant-quirks.m3u8"];

#[test]
fn a_second_reading_of_the_whole_text_agrees() {
    for (name, text) in all() {
        let read = read(&text).unwrap();
        let agrees = match (&read, m3u8_rs::parse_playlist_res(text.as_bytes()).unwrap()) {
            (Playlist::Media(ours), m3u8_rs::Playlist::MediaPlaylist(other)) => {
                let addresses = ours.segments.iter().map(|segment| &segment.uri);
                ours.media_sequence.0 == other.media_sequence
                    && ours.target_duration.0 == other.target_duration
                    && ours.ended == other.end_list
                    && addresses.eq(other.segments.iter().map(|segment| &segment.uri))
                    && ours.segments.iter().zip(&other.segments).all(|(ours, other)| {
                        ours.discontinuity == other.discontinuity
                            && ours.byte_range.is_some() == other.byte_range.is_some()
                    })
            }
            (Playlist::Multivariant(ours), m3u8_rs::Playlist::MasterPlaylist(other)) => {
                let variants = other.variants.iter().filter(|variant| !variant.is_i_frame);
                ours.variants()
                    .map(|variant| (variant.bandwidth, &variant.uri))
                    .eq(variants.map(|variant| (variant.bandwidth, &variant.uri)))
                    && ours.media().count() == other.alternatives.len()
            }
            _ => false,
        };
        assert_eq!(agrees, !MISREAD.contains(&name.as_str()), "{name}");
    }
}
