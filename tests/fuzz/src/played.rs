//! What a channel makes of VODs.

use channel::{Asset, media_playlists};
use hls::{Limits, Playlist, parse};
use std::collections::BTreeMap;

/// A multivariant playlist and, apart at zero bytes, its media playlists in turn, are an index that lasts,
/// or every reason why there is none.
pub fn vod(texts: &[u8]) {
    let mut texts = texts.split(|byte| *byte == 0);
    let first = texts.next().unwrap_or_default();
    let Ok(Playlist::Multivariant(multivariant)) = parse(first, &Limits::default()) else { return };
    let texts: Vec<&[u8]> = texts.collect();
    let mut media = BTreeMap::new();
    for (number, uri) in media_playlists(&multivariant).into_iter().enumerate() {
        let text = texts.get(number % texts.len().max(1)).copied().unwrap_or_default();
        if let Ok(Playlist::Media(playlist)) = parse(text, &Limits::default()) {
            media.insert(uri.to_owned(), playlist);
        }
    }
    match Asset::index("https://vod.example/film/main.m3u8", &multivariant, &media) {
        Ok(asset) => {
            let stored = serde_json::to_vec(&asset).unwrap();
            let again: Asset = serde_json::from_slice(&stored).expect("it was just written");
            assert_eq!(again.hash(), asset.hash());
            let _ = (asset.duration(), asset.longest(), asset.ladder().multivariant());
        }
        Err(flaws) => assert!(!flaws.is_empty()),
    }
}
