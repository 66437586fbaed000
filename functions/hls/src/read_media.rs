//! The lines of a media playlist to values.

use crate::{
    AttributeList, DiscontinuitySequence, Error, ErrorKind, Map, MediaPlaylist, MediaSequence,
    Seconds, Segment, duration, interpret, tags,
};
use std::sync::Arc;

/// Reads the lines of a media playlist.
pub(crate) fn read(lines: &[&str], around: bool) -> Result<MediaPlaylist, Error> {
    let mut reader = Reader { around, ..Reader::default() };
    for (number, line) in (1..).zip(lines) {
        reader.line(number, line)?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    /// Whether what is wrong with one segment is read around.
    around: bool,
    playlist: MediaPlaylist,
    target_duration: Option<Seconds>,
    media_sequence: Option<MediaSequence>,
    discontinuity_sequence: Option<DiscontinuitySequence>,
    /// The segment whose address is still to come, with the lines that may be its.
    next: Segment,
    /// The line of its `EXTINF`.
    inf: Option<usize>,
    /// Whether a tag that belongs to a segment was there: unknown lines are a segment's from here on.
    in_segments: bool,
    map: Option<Arc<Map>>,
    keys: Arc<[AttributeList]>,
    /// Where the last byte range ended: the next one of the same file may begin there.
    range_end: Option<u64>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Error> {
        if tags::is_address(line) {
            let tag = tags::INF;
            self.inf.take().ok_or(Error { line: number, kind: ErrorKind::Unannounced { tag } })?;
            self.end_segment(line);
            return Ok(());
        }
        let (name, value) = tags::tag(line).unwrap_or_default();
        if name == tags::INF {
            self.no_open_segment()?;
            self.inf = Some(number);
        }
        let wrong = |kind| Error { line: number, kind };
        if self.playlist_tag(name, value).map_err(wrong)? {
            if !self.in_segments {
                self.playlist.header.append(&mut self.next.lines);
            }
            self.playlist.header.push(line.to_owned());
        } else if name == tags::ENDLIST {
            self.playlist.ended = true;
        } else {
            let of_one = matches!(name, tags::INF | tags::BYTERANGE);
            match self.segment_tag(name, value).map_err(wrong) {
                Ok(is_of_segment) => self.in_segments |= is_of_segment,
                Err(flaw) if self.around && of_one => {
                    self.in_segments = true;
                    // For the dates of what follows.
                    let before = self.playlist.segments.last().map(|before| before.duration);
                    self.next.duration = before.unwrap_or_default().max(self.next.duration);
                    self.next.flaw.get_or_insert(flaw);
                }
                Err(error) => return Err(error),
            }
            self.next.lines.push(line.to_owned());
        }
        Ok(())
    }

    /// Takes in a tag that concerns the whole playlist; says whether it was one.
    fn playlist_tag(&mut self, name: &str, value: &str) -> Result<bool, ErrorKind> {
        match name {
            tags::TARGET_DURATION => {
                let read = interpret::target_duration(value);
                state(&mut self.target_duration, read, tags::TARGET_DURATION)?;
            }
            tags::MEDIA_SEQUENCE => {
                let read = interpret::media_sequence(value);
                state(&mut self.media_sequence, read, tags::MEDIA_SEQUENCE)?;
            }
            tags::DISCONTINUITY_SEQUENCE => {
                let read = interpret::discontinuity_sequence(value);
                state(&mut self.discontinuity_sequence, read, tags::DISCONTINUITY_SEQUENCE)?;
            }
            tags::PLAYLIST_TYPE => {
                if let read @ Some(_) = interpret::playlist_type(value) {
                    state(&mut self.playlist.playlist_type, read, tags::PLAYLIST_TYPE)?;
                }
            }
            tags::SKIP => return Err(ErrorKind::DeltaUpdate),
            tags::STREAM_INF => return Err(of_other_kind(tags::STREAM_INF)),
            tags::I_FRAME_STREAM_INF => return Err(of_other_kind(tags::I_FRAME_STREAM_INF)),
            tags::MEDIA => return Err(of_other_kind(tags::MEDIA)),
            _ => return Ok(tags::is_of_playlist(name)),
        }
        Ok(true)
    }

    /// Takes in a tag that concerns the segment that follows; says whether it was one.
    fn segment_tag(&mut self, name: &str, value: &str) -> Result<bool, ErrorKind> {
        match name {
            tags::INF => {
                let seconds = value.split(',').next().unwrap_or_default();
                self.next.duration =
                    duration(seconds).ok_or(ErrorKind::BadValue { tag: tags::INF })?;
            }
            tags::DISCONTINUITY => self.next.discontinuity = true,
            tags::GAP => self.next.gap = true,
            tags::BYTERANGE => {
                let range = interpret::byte_range(value);
                self.next.byte_range =
                    Some(range.ok_or(ErrorKind::BadValue { tag: tags::BYTERANGE })?);
            }
            tags::PROGRAM_DATE_TIME => {
                self.next.program_date_time = Some(value.trim().to_owned());
            }
            tags::MAP => {
                let map = AttributeList::new(value);
                // Some packagers repeat it before each segment.
                let same = |known: &Arc<Map>| known.attributes == map && known.keys == self.keys;
                if !self.map.as_ref().is_some_and(same) {
                    let byte_range = interpret::map_range(&map)?;
                    let keys = Arc::clone(&self.keys);
                    self.map = Some(Arc::new(Map { attributes: map, byte_range, keys }));
                }
            }
            tags::KEY => {
                let key = AttributeList::new(value);
                if !interpret::has_key(&key)? {
                    self.keys = Arc::default();
                } else if !self.keys.contains(&key) {
                    let others = self.keys.iter().filter(|other| goes_with(other, &key));
                    self.keys = others.cloned().chain([key.clone()]).collect();
                }
            }
            _ => return Ok(tags::is_of_segment(name)),
        }
        Ok(true)
    }

    fn end_segment(&mut self, uri: &str) {
        let mut segment = std::mem::take(&mut self.next);
        uri.clone_into(&mut segment.uri);
        segment.map.clone_from(&self.map);
        segment.keys = Arc::clone(&self.keys);
        if let Some(range) = &mut segment.byte_range {
            let before = self.playlist.segments.last().filter(|before| before.uri == uri);
            range.offset = range.offset.or(before.and(self.range_end));
            self.range_end = range.offset.and_then(|offset| offset.checked_add(range.length));
        } else {
            self.range_end = None;
        }
        self.playlist.segments.push(segment);
    }

    /// Checks that the last segment has its address.
    fn no_open_segment(&self) -> Result<(), Error> {
        match self.inf {
            Some(line) => Err(Error { line, kind: ErrorKind::Unfinished { tag: tags::INF } }),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<MediaPlaylist, Error> {
        self.no_open_segment()?;
        if !self.playlist.ended {
            while self.next.lines.pop_if(|line| line.is_empty()).is_some() {}
        }
        let kind = ErrorKind::MissingTag { tag: tags::TARGET_DURATION };
        Ok(MediaPlaylist {
            target_duration: self.target_duration.ok_or(Error { line: 1, kind })?,
            media_sequence: self.media_sequence.unwrap_or_default(),
            discontinuity_sequence: self.discontinuity_sequence.unwrap_or_default(),
            trailer: self.next.lines,
            ..self.playlist
        })
    }
}

/// Puts a value that was read where it is kept, unless another is there.
fn state<T: PartialEq>(
    place: &mut Option<T>,
    read: Option<T>,
    tag: &'static str,
) -> Result<(), ErrorKind> {
    let value = read.ok_or(ErrorKind::BadValue { tag })?;
    if place.replace(value).is_some_and(|before| place.as_ref() != Some(&before)) {
        return Err(ErrorKind::Contradiction { tag });
    }
    Ok(())
}

/// Whether two keys can be for the same segment: a key takes the place of another of its KEYFORMAT
/// (RFC 8216 section 4.3.2.4), and a segment is encrypted whole or in its samples, not both.
fn goes_with(one: &AttributeList, other: &AttributeList) -> bool {
    let format = |key: &AttributeList| key.get("KEYFORMAT").unwrap_or("identity").to_owned();
    let whole = |key: &AttributeList| {
        key.get("METHOD").filter(|method| *method == "AES-128").map(str::to_owned)
    };
    format(one) != format(other) && whole(one) == whole(other)
}

fn of_other_kind(tag: &'static str) -> ErrorKind {
    ErrorKind::BothKinds { tag, kind: "media" }
}
