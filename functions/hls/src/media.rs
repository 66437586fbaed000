//! Media playlists.

use crate::{AttributeList, DiscontinuitySequence, MediaSequence, Micros, Seconds};

/// A media playlist (RFC 8216 section 4.3.3).
///
/// `Display` renders it: the header's lines in their order with the fields' values in place of the
/// lines that state them (a missing one is added, one that is at its default and was not there is
/// left out), then the segments, the trailer, and `#EXT-X-ENDLIST` when it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// The lines that concern the whole playlist, in order, word for word, `#EXTM3U` first. Those
    /// that state a field below are there too: they hold the place.
    pub header: Vec<String>,
    /// `EXT-X-TARGETDURATION`.
    pub target_duration: Seconds,
    /// `EXT-X-MEDIA-SEQUENCE`: the number of the first segment.
    pub media_sequence: MediaSequence,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`, zero where it is not stated.
    pub discontinuity_sequence: DiscontinuitySequence,
    /// `EXT-X-PLAYLIST-TYPE`.
    pub playlist_type: Option<PlaylistType>,
    /// The segments, oldest first.
    pub segments: Vec<Segment>,
    /// The lines after the last segment's address, but for `EXT-X-ENDLIST`.
    pub trailer: Vec<String>,
    /// Whether `EXT-X-ENDLIST` is there: nothing will be added.
    pub ended: bool,
}

/// `EXT-X-PLAYLIST-TYPE` (RFC 8216 section 4.3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistType {
    /// Segments are only added.
    Event,
    /// Nothing changes.
    Vod,
}

/// A media segment and the lines that came with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Every line since the previous segment's address (or the header) up to this one's address, in
    /// order and word for word: `EXTINF`, `EXT-X-DISCONTINUITY`, ad markers, unknown tags, comments.
    pub lines: Vec<String>,
    /// The address as written.
    pub uri: String,
    /// The duration that `EXTINF` states.
    pub duration: Micros,
    /// Whether `EXT-X-DISCONTINUITY` is among the lines.
    pub discontinuity: bool,
    /// Whether `EXT-X-GAP` is among the lines: the segment must not be loaded.
    pub gap: bool,
    /// `EXT-X-BYTERANGE` as written, such as `1024@0`.
    pub byte_range: Option<String>,
    /// The attributes of the `EXT-X-MAP` in force, whether stated here or before.
    pub map: Option<AttributeList>,
    /// The attributes of the `EXT-X-KEY` in force, unless its METHOD is NONE.
    pub key: Option<AttributeList>,
    /// `EXT-X-PROGRAM-DATE-TIME` as written, where this segment states one.
    pub program_date_time: Option<String>,
}
