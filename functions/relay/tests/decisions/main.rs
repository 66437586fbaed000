//! The pure decisions: where to take up, what to copy, how far to move, what to publish.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod anchors;
mod carried;
mod crypt;
mod cursors;
mod jumps;
mod kept;
mod looks;
mod outputs;
mod playlists;
mod ranges;
mod settling;
mod windows;

use hls::{Limits, MediaPlaylist, Playlist};
use std::fmt::Write as _;

/// A moment.
const NOW: hls::Timestamp = hls::Timestamp(1_800_000_000_000_000);

/// The media playlist that a text is.
fn media(text: &str) -> MediaPlaylist {
    match hls::parse(text.as_bytes(), &Limits::default()).unwrap() {
        Playlist::Media(playlist) => playlist,
        Playlist::Multivariant(_) => panic!("a multivariant playlist"),
    }
}

/// A live playlist of two-second segments `first..=last`, named after themselves and `tag`.
fn live(first: u64, last: u64, tag: &str) -> MediaPlaylist {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    for number in first..=last {
        writeln!(text, "#EXTINF:2,\n{tag}{number}.ts").unwrap();
    }
    media(&text)
}
