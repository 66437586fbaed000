//! The names of tags, and which lines bear one.

pub(crate) const M3U: &str = "EXTM3U";
pub(crate) const INF: &str = "EXTINF";
pub(crate) const TARGET_DURATION: &str = "EXT-X-TARGETDURATION";
pub(crate) const MEDIA_SEQUENCE: &str = "EXT-X-MEDIA-SEQUENCE";
pub(crate) const DISCONTINUITY_SEQUENCE: &str = "EXT-X-DISCONTINUITY-SEQUENCE";
pub(crate) const PLAYLIST_TYPE: &str = "EXT-X-PLAYLIST-TYPE";
pub(crate) const ENDLIST: &str = "EXT-X-ENDLIST";
pub(crate) const SKIP: &str = "EXT-X-SKIP";
pub(crate) const DISCONTINUITY: &str = "EXT-X-DISCONTINUITY";
pub(crate) const KEY: &str = "EXT-X-KEY";
pub(crate) const MAP: &str = "EXT-X-MAP";
pub(crate) const BYTERANGE: &str = "EXT-X-BYTERANGE";
pub(crate) const GAP: &str = "EXT-X-GAP";
pub(crate) const DEFINE: &str = "EXT-X-DEFINE";
pub(crate) const PROGRAM_DATE_TIME: &str = "EXT-X-PROGRAM-DATE-TIME";
pub(crate) const SERVER_CONTROL: &str = "EXT-X-SERVER-CONTROL";
pub(crate) const STREAM_INF: &str = "EXT-X-STREAM-INF";
pub(crate) const I_FRAME_STREAM_INF: &str = "EXT-X-I-FRAME-STREAM-INF";
pub(crate) const MEDIA: &str = "EXT-X-MEDIA";

/// The name of a line's tag, without the `#`, and what follows its colon; absent where the line is
/// a comment, an address, or blank.
pub(crate) fn tag(line: &str) -> Option<(&str, &str)> {
    let tag = line.trim_start().strip_prefix('#').filter(|tag| tag.starts_with("EXT"))?;
    let end = tag.find(|c: char| c == ':' || c.is_whitespace()).unwrap_or(tag.len());
    let (name, rest) = tag.split_at(end);
    Some((name, rest.strip_prefix(':').unwrap_or_default()))
}

/// A line without the white space before a tag and behind one that has no value. It means nothing here, and a reader
/// that takes it for a part of the tag does not know the tag.
pub(crate) fn trimmed(line: &str) -> &str {
    let Some((name, _)) = tag(line) else { return line };
    let line = line.trim_start();
    let bare = line.trim_end();
    if bare.strip_prefix('#') == Some(name) { bare } else { line }
}

/// Whether a line is an address.
pub(crate) fn is_address(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

/// Whether a tag concerns a whole media playlist. Those with fields of their own are not here.
pub(crate) fn is_of_playlist(name: &str) -> bool {
    matches!(
        name,
        M3U | "EXT-X-VERSION"
            | "EXT-X-INDEPENDENT-SEGMENTS"
            | "EXT-X-START"
            | DEFINE
            | "EXT-X-I-FRAMES-ONLY"
            | "EXT-X-ALLOW-CACHE"
            | SERVER_CONTROL
            | "EXT-X-PART-INF"
            | "EXT-X-IMAGES-ONLY"
    )
}

/// Whether a tag concerns the segment that follows. Those with fields of their own are not here.
pub(crate) fn is_of_segment(name: &str) -> bool {
    name.starts_with("EXT-X-CUE")
        || matches!(
            name,
            "EXT-X-DATERANGE"
                | "EXT-X-BITRATE"
                | "EXT-X-PART"
                | "EXT-X-ASSET"
                | "EXT-X-SCTE35"
                | "EXT-X-SPLICEPOINT-SCTE35"
                | "EXT-OATCLS-SCTE35"
                | "EXT-X-OATCLS-SCTE35"
        )
}

/// Whether a line marks a place in the stream rather than describes the segment that follows: an ad
/// marker, a date range, an unknown tag. It keeps its meaning when that segment is left out.
#[must_use]
pub fn is_marker(line: &str) -> bool {
    tag(line).is_some_and(|(name, _)| {
        let of_segment = matches!(
            name,
            INF | BYTERANGE | DISCONTINUITY | KEY | MAP | GAP | PROGRAM_DATE_TIME | "EXT-X-BITRATE"
        );
        // How far an ad break has come is said anew before each segment.
        let of_break = name == "EXT-X-CUE-OUT-CONT";
        !of_segment && !of_break && !is_low_latency(line)
    })
}

/// Whether a line says in which file something lies: a map, a key, or a part of a file.
#[must_use]
pub fn names_a_file(line: &str) -> bool {
    tag(line).is_some_and(|(name, _)| matches!(name, MAP | KEY | BYTERANGE))
}

/// Whether a line defines a variable.
#[must_use]
pub fn is_define(line: &str) -> bool {
    tag(line).is_some_and(|(name, _)| name == DEFINE)
}

/// Whether a line speaks of low-latency HLS: parts of segments, segments to come, and requests that
/// only the source can answer.
#[must_use]
pub fn is_low_latency(line: &str) -> bool {
    tag(line).is_some_and(|(name, _)| {
        matches!(
            name,
            "EXT-X-PART"
                | "EXT-X-PART-INF"
                | "EXT-X-PREFETCH"
                | "EXT-X-PREFETCH-DISCONTINUITY"
                | "EXT-X-PRELOAD-HINT"
                | "EXT-X-RENDITION-REPORT"
                | SERVER_CONTROL
        )
    })
}
