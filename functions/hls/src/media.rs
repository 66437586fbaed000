//! Media playlists.

use crate::{
    AttributeList, DiscontinuitySequence, Error, MediaSequence, Micros, Seconds, interpret,
    is_low_latency, tags,
};
use std::fmt;
use std::sync::Arc;

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
    /// Where its text stops.
    pub stop: Stop,
}

/// Where the text of a playlist stops: RFC 8216 section 4.1 has every line end, but some servers end no last line,
/// which looks as if it was cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// With a line, or where nothing more can come: it has ended.
    #[default]
    Line,
    /// In a tag, which is left out.
    Tag,
    /// In the last segment's address: that may be half of one.
    Address,
}

/// `EXT-X-PLAYLIST-TYPE` (RFC 8216 section 4.3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistType {
    /// Segments are only added.
    Event,
    /// Nothing changes.
    Vod,
}

/// A media segment and the lines that came with it; `Display` renders the lines and the address.
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
    /// `EXT-X-BYTERANGE`: the part of the file that the segment is.
    pub byte_range: Option<ByteRange>,
    /// The `EXT-X-MAP` in force, whether stated here or before.
    pub map: Option<Arc<Map>>,
    /// The attributes of each `EXT-X-KEY` in force, one a KEYFORMAT, in the order in which they were
    /// stated; none where METHOD is NONE (RFC 8216 section 4.3.2.4).
    pub keys: Arc<[AttributeList]>,
    /// `EXT-X-PROGRAM-DATE-TIME` as written, where this segment states one.
    pub program_date_time: Option<String>,
    /// What is wrong with one of its lines, where that was read around: then it is of no use.
    pub flaw: Option<Error>,
}

/// A part of a file (RFC 8216 section 4.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    /// How many bytes.
    pub length: u64,
    /// Where it begins: as stated, or where the range before it in the same file ends. Absent where
    /// neither says so, which is an error of the playlist.
    pub offset: Option<u64>,
}

/// A media initialization section (RFC 8216 section 4.3.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// The attributes, in order, word for word.
    pub attributes: AttributeList,
    /// `BYTERANGE`: the part of the file that it is.
    pub byte_range: Option<ByteRange>,
    /// The attributes of each `EXT-X-KEY` that applies to it.
    pub keys: Arc<[AttributeList]>,
}

impl Map {
    /// `URI`; empty in one that was not read.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.attributes.get("URI").unwrap_or_default()
    }
}

impl MediaPlaylist {
    /// How long the segments play, all together.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.segments.iter().fold(Micros(0), |sum, segment| sum + segment.duration)
    }

    /// The number of the last segment; absent where there is none.
    #[must_use]
    pub fn last_sequence(&self) -> Option<MediaSequence> {
        let before_last = u64::try_from(self.segments.len()).ok()?.checked_sub(1)?;
        Some(self.media_sequence.after(before_last))
    }

    /// Whether the server can hold its answer back until a given segment is listed
    /// (draft-pantos-hls-rfc8216bis section 4.4.3.8, `CAN-BLOCK-RELOAD`).
    #[must_use]
    pub fn can_block_reload(&self) -> bool {
        self.header.iter().filter_map(|line| tags::tag(line)).any(|(name, value)| {
            name == tags::SERVER_CONTROL
                && AttributeList::new(value).get("CAN-BLOCK-RELOAD") == Some("YES")
        })
    }

    /// The playlist without the lines of low-latency HLS: whole segments only.
    #[must_use]
    pub fn without_low_latency(mut self) -> Self {
        let segments = self.segments.iter_mut().map(|segment| &mut segment.lines);
        for lines in segments.chain([&mut self.header, &mut self.trailer]) {
            lines.retain(|line| !is_low_latency(line));
        }
        self
    }
}

impl PlaylistType {
    /// The value as RFC 8216 spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "EVENT",
            Self::Vod => "VOD",
        }
    }
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unstated = vec![
            (tags::TARGET_DURATION, Some(self.target_duration.to_string())),
            (tags::MEDIA_SEQUENCE, unless_zero(self.media_sequence.0)),
            (tags::DISCONTINUITY_SEQUENCE, unless_zero(self.discontinuity_sequence.0)),
            (tags::PLAYLIST_TYPE, self.playlist_type.map(|kind| kind.as_str().to_owned())),
        ];
        if self.header.first().is_none_or(|line| !line.starts_with("#EXTM3U")) {
            writeln!(f, "#{}", tags::M3U)?;
        }
        for line in &self.header {
            let (name, value) = tags::tag(line).unwrap_or_default();
            unstated.retain(|(tag, _)| *tag != name);
            match name {
                tags::TARGET_DURATION => writeln!(f, "#{name}:{}", self.target_duration)?,
                tags::MEDIA_SEQUENCE => writeln!(f, "#{name}:{}", self.media_sequence)?,
                tags::DISCONTINUITY_SEQUENCE => {
                    writeln!(f, "#{name}:{}", self.discontinuity_sequence)?;
                }
                tags::PLAYLIST_TYPE => match self.playlist_type {
                    Some(kind) => writeln!(f, "#{name}:{}", kind.as_str())?,
                    // A type that is not known is nobody's field: it stays as it was.
                    None if interpret::playlist_type(value).is_none() => writeln!(f, "{line}")?,
                    None => {}
                },
                _ => writeln!(f, "{line}")?,
            }
        }
        for (tag, value) in unstated {
            if let Some(value) = value {
                writeln!(f, "#{tag}:{value}")?;
            }
        }
        self.segments.iter().try_for_each(|segment| writeln!(f, "{segment}"))?;
        self.trailer.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        if self.ended { writeln!(f, "#{}", tags::ENDLIST) } else { Ok(()) }
    }
}

/// A number, unless it is the one that needs not be stated.
fn unless_zero(number: u64) -> Option<String> {
    (number != 0).then(|| number.to_string())
}

/// As `EXT-X-BYTERANGE` states it.
impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.length.fmt(f)?;
        self.offset.map_or(Ok(()), |offset| write!(f, "@{offset}"))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        f.write_str(&self.uri)
    }
}
