//! What a channel offers: its renditions, and the multivariant playlist that names them.

use crate::asset::{Asset, Kind, Track};
use crate::flaw::Flaw;
use hls::{AttributeList, Line, Seconds, Variant};
use std::fmt::Write;

/// A rendition of a channel: its media playlist is at `<name>.m3u8`, beside the multivariant one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// Such as `video_360p` or `audio_en`; letters, digits, `-` and `_`.
    pub name: String,
    /// Which track of each programme it plays.
    pub(crate) track: usize,
}

/// The renditions that a programme gives a channel.
pub(crate) fn renditions(asset: &Asset) -> Vec<Rendition> {
    let mut renditions: Vec<Rendition> = Vec::new();
    for (track, of) in asset.tracks.iter().enumerate() {
        let wanted = wanted_name(asset, of);
        let names = (1..).map(|count| match count {
            1 => wanted.clone(),
            _ => format!("{wanted}_{count}"),
        });
        let mut free = names.filter(|name| renditions.iter().all(|other| other.name != *name));
        let name = free.next().expect("one of the endlessly many names is free");
        renditions.push(Rendition { name, track });
    }
    renditions
}

/// The name that a track has if no other has it.
fn wanted_name(asset: &Asset, track: &Track) -> String {
    match &track.kind {
        Kind::Variant { bandwidth, .. } => {
            let mut variants = asset.lines.iter().filter_map(|line| match line {
                Line::Variant(variant) => Some(variant),
                Line::Media(_) | Line::IFrame(_) | Line::Other(_) => None,
            });
            let resolution = variants
                .find(|variant| variant.uri == track.playlist)
                .and_then(|variant| variant.attributes.get("RESOLUTION"));
            match resolution.and_then(|resolution| resolution.split_once('x')) {
                Some((_, height)) => format!("video_{}p", plain(height)),
                None => format!("video_{}k", bandwidth / 1_000),
            }
        }
        Kind::Audio { language, name, .. } if language.is_empty() => {
            format!("audio_{}", plain(name))
        }
        Kind::Audio { language, .. } => format!("audio_{}", plain(language)),
    }
}

/// Text with nothing in it that needs care in a URL.
fn plain(text: &str) -> String {
    let lower = text.chars().map(|c| c.to_ascii_lowercase());
    lower.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Why `asset` cannot be played on a channel that was made for programmes like `first`.
pub(crate) fn flaws(asset: &Asset, first: &Asset, target: Seconds) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for (what, is) in [
        (
            "variants",
            (|track: &&Track| matches!(track.kind, Kind::Variant { .. })) as fn(&&Track) -> bool,
        ),
        ("audio renditions", |track| matches!(track.kind, Kind::Audio { .. })),
    ] {
        let found = asset.tracks.iter().filter(is).count();
        let expected = first.tracks.iter().filter(is).count();
        if found != expected {
            flaws.push(Flaw::Ladder { what, found, expected });
        }
    }
    for track in &asset.tracks {
        flaws.extend(too_long(track, target));
    }
    if asset.tracks.len() == first.tracks.len() {
        for (track, like) in asset.tracks.iter().zip(&first.tracks) {
            flaws.extend(unlike(track, like));
        }
    }
    flaws
}

/// The first segment that is too long: "the EXTINF duration of each Media Segment [..], when rounded to
/// the nearest integer, MUST be less than or equal to the target duration" (RFC 8216 section 4.3.3.1).
fn too_long(track: &Track, target: Seconds) -> Option<Flaw> {
    let rounded = |micros: u64| micros.saturating_add(500_000) / 1_000_000;
    let place = track.segments.iter().position(|segment| rounded(segment.duration.0) > target.0)?;
    let duration = track.segments.get(place)?.duration;
    let playlist = track.playlist.clone();
    Some(Flaw::TooLong { playlist, segment: place + 1, duration, target })
}

/// Where a track cannot follow one of another programme in the same rendition.
fn unlike(track: &Track, like: &Track) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let playlist = || track.playlist.clone();
    if track.container != like.container {
        let (found, expected) = (track.container.clone(), like.container.clone());
        flaws.push(Flaw::Container { playlist: playlist(), segment: 1, found, expected });
    }
    if let (Kind::Variant { codecs: found, .. }, Kind::Variant { codecs: expected, .. }) =
        (&track.kind, &like.kind)
        && found != expected
        && !found.is_empty()
        && !expected.is_empty()
    {
        let (found, expected) = (found.clone(), expected.clone());
        flaws.push(Flaw::Codecs { playlist: playlist(), found, expected });
    }
    flaws
}

/// The multivariant playlist of a channel that plays `assets`: what the first says of itself, with the
/// bandwidth of the richest.
pub(crate) fn multivariant(renditions: &[Rendition], assets: &[Asset]) -> String {
    const INDEPENDENT: &str = "#EXT-X-INDEPENDENT-SEGMENTS";
    let Some(first) = assets.first() else { return String::new() };
    // Version 4 is what EXT-X-MEDIA takes (RFC 8216 section 7).
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:4\n");
    let independent = |asset: &Asset| asset.lines.contains(&Line::Other(INDEPENDENT.to_owned()));
    if assets.iter().all(independent) {
        text.push_str(INDEPENDENT);
        text.push('\n');
    }
    for line in &first.lines {
        let line = match line {
            Line::Media(media) => {
                let mut media = media.clone();
                if let Some(rendition) =
                    media.uri().and_then(|uri| rendition_of(uri, renditions, first))
                {
                    media.attributes.set_quoted("URI", &address(rendition));
                }
                Line::Media(media)
            }
            Line::Variant(variant) => match rendition_of(&variant.uri, renditions, first) {
                Some(rendition) => Line::Variant(renamed(variant, rendition, assets)),
                None => continue,
            },
            Line::IFrame(_) | Line::Other(_) => continue,
        };
        writeln!(text, "{line}").expect("a String takes all that is written to it");
    }
    text
}

fn rendition_of<'a>(
    uri: &str,
    renditions: &'a [Rendition],
    first: &Asset,
) -> Option<&'a Rendition> {
    let playlist = |track: usize| first.tracks.get(track).map(|track| track.playlist.as_str());
    renditions.iter().find(|rendition| playlist(rendition.track) == Some(uri))
}

fn address(rendition: &Rendition) -> String {
    format!("{}.m3u8", rendition.name)
}

/// A variant at its address on the channel, with the bandwidth that the richest programme needs.
fn renamed(variant: &Variant, rendition: &Rendition, assets: &[Asset]) -> Variant {
    let bandwidths =
        assets.iter().filter_map(|asset| match asset.tracks.get(rendition.track)?.kind {
            Kind::Variant { bandwidth, .. } => Some(bandwidth),
            Kind::Audio { .. } => None,
        });
    let bandwidth = bandwidths.max().unwrap_or_default().max(variant.bandwidth);
    let mut others = variant.attributes.clone();
    others.remove("BANDWIDTH");
    // That of one programme is not that of the channel.
    others.remove("AVERAGE-BANDWIDTH");
    let comma = if others.to_string().is_empty() { "" } else { "," };
    let attributes = AttributeList::new(&format!("BANDWIDTH={bandwidth}{comma}{others}"));
    Variant { attributes, between: Vec::new(), uri: address(rendition), bandwidth }
}
