//! VODs for tests, written as playlists.

use channel::{Asset, Flaw, media_playlists};
use hls::{Limits, MediaPlaylist, Playlist, parse};
use std::collections::BTreeMap;

/// Two variants and one audio rendition.
pub const LADDER: &str = r#"#EXTM3U
#EXT-X-VERSION:4
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="en/main.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"
v1/main.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.4d400d,mp4a.40.2",RESOLUTION=320x180,AUDIO="a"
v0/main.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i/main.m3u8"
"#;

/// A media playlist of segments with these durations in milliseconds; a negative one begins with a
/// discontinuity.
pub fn media(name: &str, extension: &str, durations: &[i64]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    for (place, millis) in durations.iter().enumerate() {
        if *millis < 0 {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        let millis = millis.unsigned_abs();
        let (seconds, rest) = (millis / 1_000, millis % 1_000);
        text.push_str(&format!("#EXTINF:{seconds}.{rest:03},\n{name}{place}.{extension}\n"));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

pub fn read_media(text: &str) -> MediaPlaylist {
    match parse(text.as_bytes(), &Limits::default()) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("not a media playlist: {other:?}\n{text}"),
    }
}

/// Indexes a VOD of a multivariant playlist and its media playlists, by address.
pub fn index(base: &str, multivariant: &str, media: &[(&str, String)]) -> Result<Asset, Vec<Flaw>> {
    let multivariant = match parse(multivariant.as_bytes(), &Limits::default()) {
        Ok(Playlist::Multivariant(multivariant)) => multivariant,
        other => panic!("not a multivariant playlist: {other:?}"),
    };
    let wanted = media_playlists(&multivariant);
    let media: BTreeMap<String, MediaPlaylist> = media
        .iter()
        .filter(|(address, _)| wanted.contains(address))
        .map(|(address, text)| ((*address).to_owned(), read_media(text)))
        .collect();
    Asset::index(base, &multivariant, &media)
}
