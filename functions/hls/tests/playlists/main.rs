//! Playlists as sources write them, and worse ones.

mod errors;
mod fixtures;
mod media;
mod multivariant;
mod properties;

use hls::{Error, Limits, MediaPlaylist, MultivariantPlaylist, Playlist, parse};

fn read(text: &str) -> Result<Playlist, Error> {
    parse(text.as_bytes(), &Limits::default())
}

fn read_media(text: &str) -> MediaPlaylist {
    match read(text) {
        Ok(Playlist::Media(playlist)) => playlist,
        other => panic!("not a media playlist: {other:?}"),
    }
}

fn read_multivariant(text: &str) -> MultivariantPlaylist {
    match read(text) {
        Ok(Playlist::Multivariant(playlist)) => playlist,
        other => panic!("not a multivariant playlist: {other:?}"),
    }
}

fn render(playlist: &Playlist) -> String {
    match playlist {
        Playlist::Media(playlist) => playlist.to_string(),
        Playlist::Multivariant(playlist) => playlist.to_string(),
    }
}
