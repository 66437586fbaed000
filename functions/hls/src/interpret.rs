//! What the values of single tags mean: `m3u8-rs` says.

use crate::{
    AttributeList, ByteRange, DiscontinuitySequence, ErrorKind, MediaKind, MediaSequence,
    PlaylistType, Seconds, duration, tags,
};
use m3u8_rs::{AlternativeMediaType, KeyMethod, MediaPlaylistType};

/// A media playlist with one tag and one segment, as `m3u8-rs` reads it; absent where it does not
/// understand the tag.
///
/// It gets one tag at a time, because in a whole playlist one value that it does not expect shows
/// as a segment that is not there (`EXTINF:6,a, b`, `TARGETDURATION:5.5`), ends the reading without
/// an error (a lone CR), or runs into the next lines (a list without `=`).
fn media_playlist(tag: &str, value: &str) -> Option<m3u8_rs::MediaPlaylist> {
    let text = format!("#EXTM3U\n#{tag}:{value}\nsegment\n");
    let (_, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).ok()?;
    let [segment] = playlist.segments.as_slice() else { return None };
    segment.unknown_tags.is_empty().then_some(playlist)
}

/// `EXT-X-TARGETDURATION`. Decimals, which some packagers write, are rounded up.
pub(crate) fn target_duration(value: &str) -> Option<Seconds> {
    let value = value.trim();
    match media_playlist(tags::TARGET_DURATION, value) {
        Some(playlist) => Some(Seconds(playlist.target_duration)),
        None => duration(value).map(|decimal| Seconds(decimal.0.div_ceil(1_000_000))),
    }
}

/// The highest number that is read: all segments of a playlist can be counted on from it.
const MOST: u64 = u64::MAX / 2;

/// `EXT-X-MEDIA-SEQUENCE`.
pub(crate) fn media_sequence(value: &str) -> Option<MediaSequence> {
    let playlist = media_playlist(tags::MEDIA_SEQUENCE, value.trim())?;
    Some(MediaSequence(playlist.media_sequence)).filter(|number| number.0 <= MOST)
}

/// `EXT-X-DISCONTINUITY-SEQUENCE`.
pub(crate) fn discontinuity_sequence(value: &str) -> Option<DiscontinuitySequence> {
    let playlist = media_playlist(tags::DISCONTINUITY_SEQUENCE, value.trim())?;
    Some(DiscontinuitySequence(playlist.discontinuity_sequence)).filter(|number| number.0 <= MOST)
}

/// `EXT-X-PLAYLIST-TYPE`; absent where it is neither of the two, such as `LIVE`, which says nothing.
pub(crate) fn playlist_type(value: &str) -> Option<PlaylistType> {
    match value.trim().parse().ok()? {
        MediaPlaylistType::Event => Some(PlaylistType::Event),
        MediaPlaylistType::Vod => Some(PlaylistType::Vod),
        MediaPlaylistType::Other(_) => None,
    }
}

/// `EXT-X-BYTERANGE`, as far as it says itself.
pub(crate) fn byte_range(value: &str) -> Option<ByteRange> {
    let read = media_playlist(tags::BYTERANGE, value.trim())?;
    let range = read.segments.first()?.byte_range.as_ref()?;
    Some(ByteRange { length: range.length, offset: range.offset })
}

/// Whether an `EXT-X-KEY` states a key, rather than that there is none.
///
/// The method alone is given to `m3u8-rs`, which takes `METHOD=NONE` only together with an IV.
pub(crate) fn has_key(attributes: &AttributeList) -> Result<bool, ErrorKind> {
    let method: KeyMethod = require(attributes, tags::KEY, "METHOD")?
        .parse()
        .map_err(|_| ErrorKind::BadValue { tag: tags::KEY })?;
    match method {
        KeyMethod::None => Ok(false),
        KeyMethod::AES128 | KeyMethod::SampleAES | KeyMethod::Other(_) => {
            require(attributes, tags::KEY, "URI")?;
            let iv = attributes.get("IV").is_none_or(is_iv);
            iv.then_some(true).ok_or(ErrorKind::BadValue { tag: tags::KEY })
        }
    }
}

/// Whether a value is an initialisation vector: a hexadecimal number of up to 128 bits.
fn is_iv(value: &str) -> bool {
    let digits = value.trim().strip_prefix("0x").or_else(|| value.trim().strip_prefix("0X"));
    digits
        .is_some_and(|it| (1..=32).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `BYTERANGE` of an `EXT-X-MAP`, which begins at the file's beginning unless it says where.
pub(crate) fn map_range(attributes: &AttributeList) -> Result<Option<ByteRange>, ErrorKind> {
    require(attributes, tags::MAP, "URI")?;
    let used = only(attributes, &["URI", "BYTERANGE"]);
    let read = media_playlist(tags::MAP, &used);
    let map = read.as_ref().and_then(|playlist| playlist.segments.first()?.map.as_ref());
    let map = map.ok_or(ErrorKind::BadValue { tag: tags::MAP })?;
    let range = map.byte_range.as_ref();
    Ok(range.map(|range| ByteRange {
        length: range.length,
        offset: Some(range.offset.unwrap_or_default()),
    }))
}

/// `BANDWIDTH` of an `EXT-X-STREAM-INF`.
pub(crate) fn bandwidth(attributes: &AttributeList) -> Result<u64, ErrorKind> {
    require(attributes, tags::STREAM_INF, "BANDWIDTH")?;
    let used = only(attributes, &["BANDWIDTH"]);
    let text = format!("#EXTM3U\n#{}:{used}\nvariant\n", tags::STREAM_INF);
    let read = m3u8_rs::parse_master_playlist(text.as_bytes());
    match read.as_ref().map(|(_, playlist)| playlist.variants.as_slice()) {
        Ok([variant]) => Ok(variant.bandwidth),
        _ => Err(ErrorKind::BadValue { tag: tags::STREAM_INF }),
    }
}

/// `TYPE` of an `EXT-X-MEDIA`; absent where it is none that is known.
pub(crate) fn media_kind(attributes: &AttributeList) -> Result<Option<MediaKind>, ErrorKind> {
    let kind = require(attributes, tags::MEDIA, "TYPE")?.parse();
    require(attributes, tags::MEDIA, "GROUP-ID")?;
    match kind.map_err(|_| ErrorKind::BadValue { tag: tags::MEDIA })? {
        AlternativeMediaType::Audio => Ok(Some(MediaKind::Audio)),
        AlternativeMediaType::Video => Ok(Some(MediaKind::Video)),
        AlternativeMediaType::Subtitles => Ok(Some(MediaKind::Subtitles)),
        AlternativeMediaType::ClosedCaptions => Ok(Some(MediaKind::ClosedCaptions)),
        AlternativeMediaType::Other(_) => Ok(None),
    }
}

/// Checks that every quote of a list is closed: one that is not holds all that follows.
pub(crate) fn check(attributes: &AttributeList, tag: &'static str) -> Result<(), ErrorKind> {
    let quotes = attributes.to_string().matches('"').count();
    if quotes.is_multiple_of(2) { Ok(()) } else { Err(ErrorKind::BadValue { tag }) }
}

/// The value of an attribute that must be there.
fn require<'a>(
    attributes: &'a AttributeList,
    tag: &'static str,
    attribute: &'static str,
) -> Result<&'a str, ErrorKind> {
    check(attributes, tag)?;
    attributes.get(attribute).ok_or(ErrorKind::MissingAttribute { tag, attribute })
}

/// The attributes whose values are used: a mistake in another does no harm.
fn only(attributes: &AttributeList, names: &[&str]) -> String {
    let written = |name: &&str| Some(format!("{name}={}", attributes.written(name)?));
    names.iter().filter_map(written).collect::<Vec<_>>().join(",")
}
