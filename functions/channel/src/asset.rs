//! The index of a VOD: what a channel needs to know of a programme, checked once.

use crate::flaw::{Flaw, Unsupported};
use hls::{Line, Media, MediaKind, MediaPlaylist, Micros, MultivariantPlaylist};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How far apart the same boundary may lie in two variants: one frame at 24 a second, as packagers
/// that cut each variant by itself leave it.
const BOUNDARY_TOLERANCE: Micros = Micros::from_millis(42);

/// How much longer or shorter than the variants an audio rendition may play. Players bridge holes of
/// this length without a stall.
const LENGTH_TOLERANCE: Micros = Micros::from_millis(500);

/// The lines of a VOD that state its own time, which is not the channel's.
const OWN_TIME: [&str; 3] =
    ["#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:", "#EXT-X-DATERANGE:"];

/// A programme that can be played: an immutable index of a VOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// How long it plays: the variants' segments, all together.
    pub(crate) duration: Micros,
    /// What it says of its renditions.
    pub(crate) lines: Vec<Line>,
    /// The variants by rising bandwidth, then the audio renditions by language and name.
    pub(crate) tracks: Vec<Track>,
}

/// One media playlist of a programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    pub(crate) kind: Kind,
    /// Its address in the multivariant playlist.
    pub(crate) playlist: String,
    /// The extension of its segments' addresses: what tells containers apart without reading them.
    pub(crate) container: String,
    pub(crate) segments: Vec<Segment>,
    pub(crate) duration: Micros,
    /// How many discontinuities it holds.
    pub(crate) discontinuities: u64,
}

/// What a track is, and its place among those of its programme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Named by a variant: its bandwidth, and the families of its codecs.
    Variant { bandwidth: u64, codecs: String },
    /// Named by an `EXT-X-MEDIA` of audio.
    Audio { language: String, name: String, group: String },
}

/// One segment, ready to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) duration: Micros,
    /// Where it ends, from the start of the programme.
    pub(crate) end: Micros,
    /// Whether it begins with a discontinuity.
    pub(crate) discontinuity: bool,
    /// The discontinuities from the start of the programme up to and with its own.
    pub(crate) discontinuities: u64,
    /// Its lines, but for those that tell of its time, and its address; each with its line break.
    pub(crate) text: String,
}

/// The addresses of the media playlists that [`Asset::index`] wants, as the multivariant playlist
/// writes them, each once.
#[must_use]
pub fn media_playlists(multivariant: &MultivariantPlaylist) -> Vec<&str> {
    let mut addresses: Vec<&str> = Vec::new();
    let variants = multivariant.variants().map(|variant| variant.uri.as_str());
    for address in variants.chain(multivariant.media().filter_map(Media::uri)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

impl Asset {
    /// Indexes a VOD: its multivariant playlist and, by the address that it gives them, its media playlists.
    ///
    /// Segments are listed at `base` (such as `/library/waves/`, or `https://cdn.example/waves/`), which
    /// is where the multivariant playlist lies. I-frame playlists are left out.
    ///
    /// # Errors
    /// Every reason why it cannot be played.
    pub fn index(
        base: &str,
        multivariant: &MultivariantPlaylist,
        media: &BTreeMap<String, MediaPlaylist>,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let mut tracks = Vec::new();
        for (playlist, kind) in kinds(multivariant, &mut flaws) {
            match media.get(playlist) {
                Some(read) => {
                    flaws.extend(flaws_of(playlist, read));
                    tracks.push(track(base, playlist, kind, read));
                }
                None => flaws.push(Flaw::Missing { playlist: playlist.to_owned() }),
            }
        }
        tracks.sort_by(|a, b| a.kind.cmp(&b.kind));
        if multivariant.variants().next().is_none() {
            flaws.push(Flaw::NoVariant);
        }
        if flaws.is_empty() {
            flaws = unequal(&tracks);
        }
        match tracks.first() {
            Some(first) if flaws.is_empty() => {
                Ok(Self { duration: first.duration, lines: multivariant.lines.clone(), tracks })
            }
            _ => Err(flaws),
        }
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.duration
    }
}

/// The media playlists of a programme, each once: its address and what it is.
fn kinds<'a>(
    multivariant: &'a MultivariantPlaylist,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<&'a str, Kind> {
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for media in multivariant.media() {
        let Some(uri) = media.uri() else { continue };
        let what = match media.kind {
            MediaKind::Audio => {
                kinds.insert(uri, audio(media));
                continue;
            }
            MediaKind::Video => Unsupported::AlternativeVideo,
            MediaKind::Subtitles | MediaKind::ClosedCaptions => Unsupported::Subtitles,
        };
        flaws.push(Flaw::Unsupported { playlist: uri.to_owned(), segment: 1, what });
    }
    for variant in multivariant.variants() {
        let kind = Kind::Variant {
            bandwidth: variant.bandwidth,
            codecs: families(variant.attributes.get("CODECS").unwrap_or_default()),
        };
        // The same playlist with several groups of audio: its bandwidth is that of the richest.
        match kinds.get_mut(variant.uri.as_str()) {
            Some(Kind::Variant { bandwidth, .. }) => *bandwidth = variant.bandwidth.max(*bandwidth),
            // A variant that plays an audio rendition alone.
            Some(Kind::Audio { .. }) => {}
            None => {
                kinds.insert(&variant.uri, kind);
            }
        }
    }
    kinds
}

fn audio(media: &Media) -> Kind {
    Kind::Audio {
        language: media.language().unwrap_or_default().to_owned(),
        name: media.name().unwrap_or_default().to_owned(),
        group: media.group_id().to_owned(),
    }
}

/// The families of a `CODECS` value: what comes before the first point of each.
fn families(codecs: &str) -> String {
    let mut families: Vec<&str> =
        codecs.split(',').filter_map(|codec| codec.trim().split('.').next()).collect();
    families.sort_unstable();
    families.join(", ")
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
    let first = |wanted: &dyn Fn(&hls::Segment) -> bool| read.segments.iter().position(wanted);
    for (what, place) in [
        (Unsupported::Key, first(&|segment| segment.key.is_some())),
        (Unsupported::Map, first(&|segment| segment.map.is_some())),
        (Unsupported::ByteRange, first(&|segment| segment.byte_range.is_some())),
    ] {
        if let Some(place) = place {
            let playlist = playlist.clone();
            flaws.push(Flaw::Unsupported { playlist, segment: place + 1, what });
        }
    }
    if let Some(expected) = read.segments.first().map(|segment| extension(&segment.uri))
        && let Some(place) = first(&|segment| extension(&segment.uri) != expected)
        && let Some(other) = read.segments.get(place)
    {
        flaws.push(Flaw::Container {
            playlist,
            segment: place + 1,
            found: extension(&other.uri).to_owned(),
            expected: expected.to_owned(),
        });
    }
    flaws
}

fn track(base: &str, playlist: &str, kind: Kind, read: &MediaPlaylist) -> Track {
    let folder = folder(playlist);
    let (mut end, mut discontinuities) = (Micros(0), 0);
    let mut segments = Vec::with_capacity(read.segments.len());
    for segment in &read.segments {
        // A playlist begins with its discontinuity, wherever that lies in the programme.
        let discontinuity = segment.discontinuity && !segments.is_empty();
        end += segment.duration;
        discontinuities += u64::from(discontinuity);
        let text = text_of(base, folder, segment);
        segments.push(Segment {
            duration: segment.duration,
            end,
            discontinuity,
            discontinuities,
            text,
        });
    }
    let container = read.segments.first().map_or("", |segment| extension(&segment.uri)).to_owned();
    let playlist = playlist.to_owned();
    Track { kind, playlist, container, segments, duration: end, discontinuities }
}

/// The lines and the address of a segment.
fn text_of(base: &str, folder: &str, segment: &hls::Segment) -> String {
    let mut text = String::new();
    for line in &segment.lines {
        if !OWN_TIME.iter().any(|tag| line.starts_with(tag)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let uri = &segment.uri;
    if uri.starts_with('/') || uri.contains("://") {
        writeln!(text, "{uri}")
    } else if folder.starts_with('/') || folder.contains("://") {
        writeln!(text, "{folder}{uri}")
    } else {
        writeln!(text, "{base}{folder}{uri}")
    }
    .expect("a String takes all that is written to it");
    text
}

/// The address of the collection in which `address` lies, with its last slash; empty where there is none.
fn folder(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// The extension of an address: which container it is in.
pub(crate) fn extension(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Where tracks of one programme do not go together.
fn unequal(tracks: &[Track]) -> Vec<Flaw> {
    let Some(first) = tracks.first() else { return Vec::new() };
    tracks.iter().skip(1).flat_map(|track| unlike(track, first)).collect()
}

/// Where a track does not go together with the first variant.
fn unlike(track: &Track, first: &Track) -> Vec<Flaw> {
    let (playlist, like) = (|| track.playlist.clone(), || first.playlist.clone());
    let mut flaws = Vec::new();
    if track.discontinuities != first.discontinuities {
        let (discontinuities, expected) = (track.discontinuities, first.discontinuities);
        let (playlist, like) = (playlist(), like());
        flaws.push(Flaw::Discontinuities { playlist, discontinuities, like, expected });
    }
    match track.kind {
        Kind::Audio { .. } if apart(track.duration, first.duration) > LENGTH_TOLERANCE => {
            let (duration, expected) = (track.duration, first.duration);
            flaws.push(Flaw::Length { playlist: playlist(), duration, expected });
        }
        Kind::Audio { .. } => {}
        Kind::Variant { .. } if track.segments.len() != first.segments.len() => {
            let (segments, expected) = (track.segments.len(), first.segments.len());
            flaws.push(Flaw::Count { playlist: playlist(), segments, like: like(), expected });
        }
        Kind::Variant { .. } => {
            let both = track.segments.iter().zip(&first.segments);
            let mut ends = both.map(|(segment, other)| (segment.end, other.end));
            if let Some(place) =
                ends.clone().position(|(end, expected)| apart(end, expected) > BOUNDARY_TOLERANCE)
                && let Some((end, expected)) = ends.nth(place)
            {
                let (playlist, like, segment) = (playlist(), like(), place + 1);
                flaws.push(Flaw::Boundary { playlist, segment, end, like, expected });
            }
            if track.container != first.container {
                let (found, expected) = (track.container.clone(), first.container.clone());
                let playlist = playlist();
                flaws.push(Flaw::Container { playlist, segment: 1, found, expected });
            }
        }
    }
    flaws
}

fn apart(one: Micros, other: Micros) -> Micros {
    Micros(one.0.abs_diff(other.0))
}
