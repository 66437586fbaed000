//! Text to values.

use crate::{
    Error, ErrorKind, MediaPlaylist, MultivariantPlaylist, Stop, read_media, read_multivariant,
    tags,
};

/// A playlist of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playlist {
    /// It names media playlists.
    Multivariant(MultivariantPlaylist),
    /// It names segments.
    Media(MediaPlaylist),
}

/// How large a playlist may be.
///
/// The default holds a day of 2-second segments, each with a date and an address of a hundred
/// characters, and a line that holds a DRM header.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole text, in bytes.
    pub bytes: usize,
    /// Lines, empty ones included.
    pub lines: usize,
    /// The longest line, in bytes.
    pub line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 20, lines: 200_000, line_bytes: 64 << 10 }
    }
}

/// Reads a playlist.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn parse(text: &[u8], limits: &Limits) -> Result<Playlist, Error> {
    read(text, limits, false)
}

/// Reads a playlist around what is wrong with single lines: a segment says what is wrong with it, and a multivariant
/// playlist what it lacks.
///
/// # Errors
/// The first line that is wrong, and why, where the rest says nothing without it.
pub fn parse_around(text: &[u8], limits: &Limits) -> Result<Playlist, Error> {
    read(text, limits, true)
}

fn read(text: &[u8], limits: &Limits, around: bool) -> Result<Playlist, Error> {
    check(text, limits)?;
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let text = str::from_utf8(text).map_err(|error| Error {
        line: line_at(text, error.valid_up_to()),
        kind: ErrorKind::NotUtf8,
    })?;
    if !text.starts_with('#') || tags::tag(text).is_none_or(|(name, _)| name != tags::M3U) {
        return Err(Error { line: 1, kind: ErrorKind::NotAPlaylist });
    }
    let lines = text.trim_end_matches(['\r', '\n']).split('\n');
    let mut lines: Vec<&str> =
        lines.map(|line| tags::trimmed(line.trim_end_matches('\r'))).collect();
    let mut stop = Stop::Line;
    if !text.ends_with('\n') {
        if is_half(&lines) {
            lines.pop();
            stop = Stop::Tag;
        } else if lines.last().is_some_and(|line| tags::is_address(line)) {
            stop = Stop::Address;
        }
    }
    match lines.iter().find_map(|line| kind_of(tags::tag(line)?.0)) {
        Some(Kind::Media) => {
            let playlist = read_media::read(&lines, around)?;
            let stop = if playlist.ended { Stop::Line } else { stop };
            Ok(Playlist::Media(MediaPlaylist { stop, ..playlist }))
        }
        Some(Kind::Multivariant) => {
            read_multivariant::read(&lines, around).map(Playlist::Multivariant)
        }
        None => Err(Error { line: lines.len(), kind: ErrorKind::NeitherKind }),
    }
}

/// Checks the limits, before anything that costs more than counting.
fn check(text: &[u8], limits: &Limits) -> Result<(), Error> {
    if text.len() > limits.bytes {
        let kind = ErrorKind::TooLarge { bytes: text.len(), limit: limits.bytes };
        return Err(Error { line: line_at(text, limits.bytes), kind });
    }
    let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
    for (number, line) in (1..).zip(lines) {
        if number > limits.lines {
            return Err(Error {
                line: number,
                kind: ErrorKind::TooManyLines { limit: limits.lines },
            });
        }
        if line.len() > limits.line_bytes {
            let kind = ErrorKind::LineTooLong { bytes: line.len(), limit: limits.line_bytes };
            return Err(Error { line: number, kind });
        }
    }
    Ok(())
}

/// The line in which the byte at `index` lies.
fn line_at(text: &[u8], index: usize) -> usize {
    1 + text.iter().take(index).filter(|byte| **byte == b'\n').count()
}

/// Whether the last line, which does not end, may be half a tag: of a live playlist that is being written, or was cut.
fn is_half(lines: &[&str]) -> bool {
    let mut names = lines.iter().filter_map(|line| Some(tags::tag(line)?.0));
    let is_media = |name| kind_of(name) == Some(Kind::Media);
    lines.last().is_some_and(|line| line.starts_with('#'))
        && names.clone().find(|name| kind_of(name).is_some()).is_some_and(is_media)
        && !names.any(|name| name == tags::ENDLIST)
}

/// The two kinds of playlist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Multivariant,
    Media,
}

/// The kind of playlist that a tag makes.
fn kind_of(name: &str) -> Option<Kind> {
    match name {
        tags::STREAM_INF | tags::I_FRAME_STREAM_INF | tags::MEDIA => Some(Kind::Multivariant),
        tags::INF | tags::TARGET_DURATION | tags::MEDIA_SEQUENCE => Some(Kind::Media),
        _ => None,
    }
}
