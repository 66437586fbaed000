//! Playlists of a VOD to an index, or every reason why there is none.

use crate::asset::{Asset, Segment, State, Track, apart};
use crate::flaw::{Flaw, Unsupported};
use crate::ladder::{Kind, Ladder};
use crate::lines::{self, Base, is_identity, moved};
use hls::{Line, MediaKind, MediaPlaylist, Micros, MultivariantPlaylist, Timestamp};
use std::collections::BTreeMap;

/// How far apart the same boundary may lie in two variants: one frame at 24 a second, as packagers
/// that cut each variant by itself leave it.
const BOUNDARY_TOLERANCE: Micros = Micros::from_millis(42);

/// How much longer or shorter than the variants an audio rendition may play. Players bridge holes of
/// this length without a stall.
const AUDIO_TOLERANCE: Micros = Micros::from_millis(500);

/// The same for subtitles and I-frames: nobody hears or sees that they end early.
const SILENT_TOLERANCE: Micros = Micros::from_secs(10);

/// What plays for less is nothing that anybody would see, and would be there many times over in a window.
const SHORTEST: Micros = Micros::from_millis(100);

/// The lines of a VOD that state its own time, which is not the channel's, that are written anew, or that would hold
/// for what plays behind it as well. Date ranges are moved with their segment where its date is known.
const OWN: [&str; 7] = [
    "#EXT-X-BITRATE:",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-PROGRAM-DATE-TIME:",
    "#EXT-X-DATERANGE:",
    "#EXT-X-BYTERANGE:",
    "#EXT-X-MAP:",
    "#EXT-X-KEY:",
];

impl Asset {
    /// Indexes a VOD: its multivariant playlist and, by the address that it gives them, its media playlists.
    ///
    /// `base` is where the multivariant playlist lies (such as `/library/waves/`, or
    /// `https://cdn.example/waves/main.m3u8`): addresses are made whole against it.
    ///
    /// # Errors
    /// Every reason why it cannot be played.
    pub fn index(
        base: &str,
        multivariant: &MultivariantPlaylist,
        media: &BTreeMap<String, MediaPlaylist>,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let Some(base) = Base::new(base) else { return Err(vec![Flaw::Base]) };
        let mut tracks = Vec::new();
        for (playlist, kind) in kinds(multivariant, &mut flaws) {
            match media.get(playlist) {
                Some(read) => {
                    let mut own = flaws_of(playlist, read);
                    match track(&base, playlist, read) {
                        // What is wrong by itself is not compared with others.
                        Ok((container, track)) if own.is_empty() => {
                            tracks.push((kind, container, track));
                        }
                        Ok(_) => {}
                        Err(flaw) => own.push(flaw),
                    }
                    flaws.append(&mut own);
                }
                None => flaws.push(Flaw::Missing { playlist: playlist.to_owned() }),
            }
        }
        tracks.sort_by(|a, b| a.0.cmp(&b.0));
        if multivariant.variants().next().is_none() {
            flaws.push(Flaw::NoVariant);
        }
        if let Some((_, _, lead)) = tracks.first().filter(|(.., lead)| lead.duration() < SHORTEST) {
            flaws.push(Flaw::Empty { playlist: lead.playlist.clone() });
        }
        flaws.extend(unequal(&tracks));
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let ladder = Ladder::of(multivariant, &tracks);
        Ok(Self { ladder, tracks: tracks.into_iter().map(|(_, _, track)| track).collect() })
    }
}

/// The media playlists of a programme, each once: its address and what it is.
pub(crate) fn kinds<'a>(
    multivariant: &'a MultivariantPlaylist,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<&'a str, Kind> {
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for media in multivariant.media() {
        let Some(uri) = media.uri() else { continue };
        match media.kind {
            MediaKind::Audio => drop(kinds.insert(uri, Kind::audio(media))),
            MediaKind::Subtitles | MediaKind::ClosedCaptions => {
                kinds.insert(uri, Kind::subtitles(media));
            }
            MediaKind::Video => {
                let (playlist, what) = (uri.to_owned(), Unsupported::AlternativeVideo);
                flaws.push(Flaw::Unsupported { playlist, segment: 1, what });
            }
        }
    }
    for line in &multivariant.lines {
        match line {
            // The same playlist with several groups of audio: its bandwidth is that of the richest. A
            // variant that plays an audio rendition alone is that rendition.
            Line::Variant(variant) => {
                let kind = Kind::variant(variant);
                kinds
                    .entry(&variant.uri)
                    .and_modify(|known| known.lift(variant.bandwidth))
                    .or_insert(kind);
            }
            Line::IFrame(attributes) => {
                if let Some(uri) = attributes.get("URI") {
                    kinds.entry(uri).or_insert_with(|| Kind::iframes(attributes));
                }
            }
            Line::Media(_) | Line::Other(_) => {}
        }
    }
    kinds
}

/// What is wrong with a media playlist by itself.
fn flaws_of(playlist: &str, read: &MediaPlaylist) -> Vec<Flaw> {
    let playlist = playlist.to_owned();
    let mut flaws = Vec::new();
    if !read.ended {
        flaws.push(Flaw::Endless { playlist: playlist.clone() });
    }
    if read.duration() == Micros(0) {
        flaws.push(Flaw::Empty { playlist: playlist.clone() });
    }
    if let Some(expected) = read.segments.first().map(container)
        && let Some(place) = read.segments.iter().position(|segment| container(segment) != expected)
        && let Some(other) = read.segments.get(place)
    {
        let (found, expected) = (container(other).to_owned(), expected.to_owned());
        flaws.push(Flaw::Container { playlist, segment: place + 1, found, expected });
    }
    flaws
}

/// A track and the container of its segments.
pub(crate) fn track(
    base: &Base,
    playlist: &str,
    read: &MediaPlaylist,
) -> Result<(String, Track), Flaw> {
    let no_address = || Flaw::Missing { playlist: playlist.to_owned() };
    let base = base.of(playlist).ok_or_else(no_address)?;
    let is_drm = |it: &hls::Segment| !it.keys.is_empty() && !it.keys.iter().any(is_identity);
    if let Some(place) = read.segments.iter().position(is_drm) {
        let (playlist, what) = (playlist.to_owned(), Unsupported::Drm);
        return Err(Flaw::Unsupported { playlist, segment: place + 1, what });
    }
    if let Some(place) = read.segments.iter().position(|it| !base.is_read(&it.uri)) {
        let (playlist, what) = (playlist.to_owned(), Unsupported::Scheme);
        return Err(Flaw::Unsupported { playlist, segment: place + 1, what });
    }
    if let Some(place) = read.segments.iter().position(lines::needs_iv) {
        return Err(Flaw::Map { playlist: playlist.to_owned(), segment: place + 1 });
    }
    let (mut end, mut discontinuities) = (Micros(0), 0);
    let mut states: Vec<State> = Vec::new();
    let mut segments = Vec::with_capacity(read.segments.len());
    let dates = dates(read).unwrap_or_default();
    for (place, segment) in (0..).zip(&read.segments) {
        let date = dates.get(segments.len()).copied();
        let mut text: String =
            segment.lines.iter().filter_map(|it| moved(it, date?, &base)).collect();
        for line in &segment.lines {
            if !OWN.iter().any(|tag| line.starts_with(tag)) {
                text.push_str(line);
                text.push('\n');
            }
        }
        if let Some(range) = segment.byte_range {
            if range.offset.is_none() {
                let (playlist, segment) = (playlist.to_owned(), segments.len() + 1);
                return Err(Flaw::Range { playlist, segment });
            }
            text.push_str(&format!("#EXT-X-BYTERANGE:{range}\n"));
        }
        text.push_str(&base.whole(&segment.uri));
        text.push('\n');
        let state = lines::state(segment, read.media_sequence.after(place).0, &base);
        if states.last() != Some(&state) {
            states.push(state);
        }
        end += segment.duration;
        // A playlist begins with its discontinuity, wherever that lies in the programme.
        discontinuities += u64::from(segment.discontinuity && place > 0);
        let (state, text) = (states.len() - 1, text.into_boxed_str());
        segments.push(Segment { end, discontinuities, state, text });
    }
    let container = read.segments.first().map_or("", container).to_owned();
    Ok((container, Track { playlist: playlist.to_owned(), begin: Micros(0), states, segments }))
}

/// When each segment begins by the dates of a playlist; absent where it has none.
pub(crate) fn dates(read: &MediaPlaylist) -> Option<Vec<u64>> {
    /// By how much a date may say that less was played than there was.
    const BACK: u64 = 250_000;
    let date = |segment: &hls::Segment| {
        segment.program_date_time.as_deref().and_then(Timestamp::from_date_time)
    };
    let first = read.segments.iter().position(|segment| date(segment).is_some())?;
    let before = read.segments.iter().take(first).fold(0, |sum, it| sum + it.duration.0);
    let mut at = date(read.segments.get(first)?)?.0.saturating_sub(before);
    let mut times = Vec::new();
    for segment in &read.segments {
        // One that goes back farther is of another clock.
        at = date(segment).map_or(at, |date| date.0.max(at.saturating_sub(BACK)));
        times.push(at);
        at = at.saturating_add(segment.duration.0);
    }
    Some(times)
}

/// What a segment is in, as far as its lines and its address tell.
fn container(segment: &hls::Segment) -> &str {
    if segment.map.is_some() {
        return "fmp4";
    }
    let address = &segment.uri;
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "aac" | "adts" => "aac",
        "mp3" => "mp3",
        "ac3" | "ec3" | "eac3" => "ac3",
        "vtt" | "webvtt" => "vtt",
        mp4 @ ("mp4" | "m4s" | "m4v" | "m4a" | "m4f" | "cmfv" | "cmfa") => mp4,
        // Much TS has an extension of its own, or none.
        _ => "ts",
    }
}

/// Where tracks of one programme do not go together.
fn unequal(tracks: &[(Kind, String, Track)]) -> Vec<Flaw> {
    let is_variant = |track: &&(Kind, String, Track)| matches!(track.0, Kind::Variant { .. });
    let Some(first) = tracks.first().filter(is_variant) else { return Vec::new() };
    tracks.iter().skip(1).flat_map(|track| unlike(track, first)).collect()
}

/// Where a track does not go together with the first variant.
fn unlike(
    (kind, container, track): &(Kind, String, Track),
    (_, like_container, first): &(Kind, String, Track),
) -> Vec<Flaw> {
    let (playlist, like) = (|| track.playlist.clone(), || first.playlist.clone());
    let mut flaws = Vec::new();
    let (cuts, expected) = (cuts(track), cuts(first));
    if cuts.len() != expected.len() {
        let (discontinuities, expected) = (cuts.len() as u64, expected.len() as u64);
        let (playlist, like) = (playlist(), like());
        flaws.push(Flaw::Discontinuities { playlist, discontinuities, like, expected });
    }
    let tolerance = match kind {
        Kind::Variant { .. } => BOUNDARY_TOLERANCE,
        Kind::Audio { .. } => AUDIO_TOLERANCE,
        Kind::Subtitles { .. } | Kind::IFrames { .. } => SILENT_TOLERANCE,
    };
    match kind {
        Kind::Variant { .. } if track.segments.len() != first.segments.len() => {
            let (segments, expected) = (track.segments.len(), first.segments.len());
            flaws.push(Flaw::Count { playlist: playlist(), segments, like: like(), expected });
        }
        Kind::Variant { .. } => {
            let both = track.segments.iter().zip(&first.segments);
            let mut ends = both.map(|(segment, other)| (segment.end, other.end));
            if let Some(place) =
                ends.clone().position(|(end, expected)| apart(end, expected) > tolerance)
                && let Some((end, expected)) = ends.nth(place)
            {
                let (playlist, like, segment) = (playlist(), like(), place + 1);
                flaws.push(Flaw::Boundary { playlist, segment, end, like, expected });
            }
            if container != like_container {
                let (found, expected) = (container.clone(), like_container.clone());
                let playlist = playlist();
                flaws.push(Flaw::Container { playlist, segment: 1, found, expected });
            }
        }
        Kind::Audio { .. } | Kind::Subtitles { .. } | Kind::IFrames { .. } => {
            let (duration, whole) = (track.duration(), first.duration());
            let mut both = cuts.iter().zip(&expected);
            if apart(duration, whole) > tolerance {
                flaws.push(Flaw::Length { playlist: playlist(), duration, expected: whole });
            } else if let Some(((segment, end), (_, expected))) =
                both.find(|((_, cut), (_, expected))| apart(*cut, *expected) > tolerance)
            {
                let (playlist, like, segment) = (playlist(), like(), *segment);
                let (end, expected) = (*end, *expected);
                flaws.push(Flaw::Boundary { playlist, segment, end, like, expected });
            }
        }
    }
    flaws
}

/// The segments before discontinuities, counted from 1, and where they end.
fn cuts(track: &Track) -> Vec<(usize, Micros)> {
    let both = track.segments.iter().zip(track.segments.iter().skip(1));
    both.enumerate()
        .filter(|(_, (before, after))| before.discontinuities != after.discontinuities)
        .map(|(place, (before, _))| (place + 1, before.end))
        .collect()
}
