//! The shared playlists come out as they went in.

use crate::{read, render};
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
        for other in [
            format!("\u{feff}{text}"),
            text.replace('\n', "\r\n"),
            text.trim_end().to_owned(),
            format!("{text}\n\r\n"),
        ] {
            assert_eq!(read(&other).unwrap(), playlist, "{name}");
        }
    }
}
