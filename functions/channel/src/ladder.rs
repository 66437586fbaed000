//! What a channel or a programme offers: its renditions, and the multivariant playlist that names them.

use crate::asset::{Asset, Track};
use crate::codecs::families;
use crate::index::kinds;
use hls::{AttributeList, Line, Media, Micros, MultivariantPlaylist, Variant};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

const FRAME_RATE: &str = "FRAME-RATE";

/// The renditions of a channel, and what its multivariant playlist says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// The variants by rising bandwidth, then audio, subtitles and I-frames.
    pub renditions: Vec<Rendition>,
    pub(crate) lines: Vec<LadderLine>,
    /// Whether every segment can be decoded by itself.
    pub(crate) independent: bool,
    /// Of each rendition the peak bits per second of all that plays in it, where that may be more than is stated of
    /// it. What plays in it is chosen by what is stated: else it would be another for what was added before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) peaks: Vec<u64>,
}

/// A rendition of a channel: its media playlist is at `<name>.m3u8`, beside the multivariant one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// Such as `video_360p` or `audio_en`; letters, digits, `-` and `_`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What its segments are in: `ts`, `fmp4`, `aac`, `vtt`. A playlist cannot mix them, because an
    /// `EXT-X-MAP` cannot be taken back.
    pub container: String,
}

/// What a rendition is, and its place among the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Named by `EXT-X-STREAM-INF`.
    Variant {
        /// Peak bits per second.
        bandwidth: u64,
        /// Of the picture; 0 where it is not stated.
        height: u64,
        /// The families of its codecs, such as `avc1, mp4a`.
        codecs: String,
    },
    /// Named by an `EXT-X-MEDIA` of audio.
    Audio {
        /// As stated, or empty.
        language: String,
        /// As stated, or empty.
        name: String,
        /// The group it belongs to.
        group: String,
    },
    /// Named by an `EXT-X-MEDIA` of subtitles.
    Subtitles {
        /// As stated, or empty.
        language: String,
        /// As stated, or empty.
        name: String,
        /// The group it belongs to.
        group: String,
    },
    /// Named by `EXT-X-I-FRAME-STREAM-INF`.
    IFrames {
        /// Peak bits per second.
        bandwidth: u64,
        /// Of the picture; 0 where it is not stated.
        height: u64,
    },
}

/// A line of the multivariant playlist; addresses are those of renditions, by index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LadderLine {
    /// The attributes without `BANDWIDTH`.
    Variant(String, usize),
    Media(String, Option<usize>),
    /// The attributes without `BANDWIDTH` and `URI`.
    IFrames(String, usize),
}

impl Kind {
    pub(crate) fn variant(variant: &Variant) -> Self {
        let codecs = families(variant.attributes.get("CODECS").unwrap_or_default());
        let (bandwidth, height) = (variant.bandwidth, height(&variant.attributes));
        Self::Variant { bandwidth, height, codecs }
    }

    pub(crate) fn audio(media: &Media) -> Self {
        let (language, name, group) = named(media);
        Self::Audio { language, name, group }
    }

    pub(crate) fn subtitles(media: &Media) -> Self {
        let (language, name, group) = named(media);
        Self::Subtitles { language, name, group }
    }

    pub(crate) fn iframes(attributes: &AttributeList) -> Self {
        let bandwidth = attributes.get("BANDWIDTH").and_then(|text| text.parse().ok());
        Self::IFrames { bandwidth: bandwidth.unwrap_or(0), height: height(attributes) }
    }

    /// Raises a bandwidth to that of a richer variant.
    pub(crate) fn lift(&mut self, other: u64) {
        match self {
            Self::Variant { bandwidth, .. } | Self::IFrames { bandwidth, .. } => {
                *bandwidth = other.max(*bandwidth);
            }
            Self::Audio { .. } | Self::Subtitles { .. } => {}
        }
    }

    pub(crate) fn bandwidth(&self) -> u64 {
        match self {
            Self::Variant { bandwidth, .. } | Self::IFrames { bandwidth, .. } => *bandwidth,
            Self::Audio { .. } | Self::Subtitles { .. } => 0,
        }
    }

    fn usual_container(&self) -> &'static str {
        match self {
            Self::Variant { .. } | Self::Audio { .. } | Self::IFrames { .. } => "ts",
            Self::Subtitles { .. } => "vtt",
        }
    }

    /// The name that a rendition of this kind has if no other has it.
    fn wanted_name(&self) -> String {
        let or =
            |language: &str, name: &str| plain(if language.is_empty() { name } else { language });
        match self {
            Self::Variant { height: 0, bandwidth, .. } => format!("video_{}k", bandwidth / 1_000),
            Self::Variant { height, .. } => format!("video_{height}p"),
            Self::Audio { language, name, .. } => format!("audio_{}", or(language, name)),
            Self::Subtitles { language, name, .. } => format!("subtitles_{}", or(language, name)),
            Self::IFrames { height: 0, bandwidth } => format!("iframes_{}k", bandwidth / 1_000),
            Self::IFrames { height, .. } => format!("iframes_{height}p"),
        }
    }
}

impl Ladder {
    /// What a programme offers; its tracks are in the order of their kinds.
    pub(crate) fn of(
        multivariant: &MultivariantPlaylist,
        tracks: &[(Kind, String, Track)],
    ) -> Self {
        let mut renditions: Vec<Rendition> = Vec::new();
        for (kind, container, _) in tracks {
            let wanted = kind.wanted_name();
            let names = (1..).map(|count| match count {
                1 => wanted.clone(),
                _ => format!("{wanted}_{count}"),
            });
            let mut free = names.filter(|name| renditions.iter().all(|other| other.name != *name));
            let name = free.next().expect("one of the endlessly many names is free");
            let (kind, container) = (kind.clone(), container.clone());
            renditions.push(Rendition { name, kind, container });
        }
        let place = |uri: &str| tracks.iter().position(|(_, _, track)| track.playlist == uri);
        let line = |line: &Line| match line {
            Line::Media(media) => {
                let mut attributes = media.attributes.clone();
                attributes.remove("URI");
                Some(LadderLine::Media(attributes.to_string(), media.uri().and_then(place)))
            }
            Line::Variant(variant) => {
                let attributes = without_rates(&variant.attributes);
                Some(LadderLine::Variant(attributes, place(&variant.uri)?))
            }
            Line::IFrame(attributes) => {
                let rendition = place(attributes.get("URI")?)?;
                Some(LadderLine::IFrames(without_rates(attributes), rendition))
            }
            Line::Other(_) => None,
        };
        let independent = Line::Other("#EXT-X-INDEPENDENT-SEGMENTS".to_owned());
        Self {
            lines: multivariant.lines.iter().filter_map(line).collect(),
            independent: multivariant.lines.contains(&independent),
            renditions,
            peaks: Vec::new(),
        }
    }

    /// The ladder that a multivariant playlist describes whose media playlists do not matter.
    ///
    /// Its renditions are in the containers of those of `like`, or in TS and WebVTT.
    #[must_use]
    pub fn described(multivariant: &MultivariantPlaylist, like: Option<&Self>) -> Self {
        let container = |kind: &Kind| {
            let same =
                |it: &&Rendition| std::mem::discriminant(&it.kind) == std::mem::discriminant(kind);
            let known = like.and_then(|like| like.renditions.iter().find(same));
            known.map_or_else(|| kind.usual_container().to_owned(), |it| it.container.clone())
        };
        let mut tracks: Vec<(Kind, String, Track)> = kinds(multivariant, &mut Vec::new())
            .into_iter()
            .map(|(playlist, kind)| {
                let (states, segments) = (Vec::new(), Vec::new());
                let track =
                    Track { playlist: playlist.to_owned(), begin: Micros(0), states, segments };
                (kind.clone(), container(&kind), track)
            })
            .collect();
        tracks.sort_by(|a, b| a.0.cmp(&b.0));
        Self::of(multivariant, &tracks)
    }

    /// The index of a rendition.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.renditions.iter().position(|rendition| rendition.name == name)
    }

    /// The multivariant playlist.
    #[must_use]
    pub fn multivariant(&self) -> String {
        let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{}\n", crate::live::VERSION);
        if self.independent {
            text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        let name = |rendition: usize| {
            self.renditions.get(rendition).map_or("", |rendition| rendition.name.as_str())
        };
        let bandwidth = |rendition: usize| {
            let stated = self.renditions.get(rendition).map_or(0, |it| it.kind.bandwidth());
            stated.max(self.peaks.get(rendition).copied().unwrap_or(0))
        };
        for line in &self.lines {
            match line {
                LadderLine::Media(attributes, None) => writeln!(text, "#EXT-X-MEDIA:{attributes}"),
                LadderLine::Media(attributes, Some(it)) => {
                    writeln!(text, "#EXT-X-MEDIA:{attributes},URI=\"{}.m3u8\"", name(*it))
                }
                LadderLine::Variant(attributes, it) => writeln!(
                    text,
                    "#EXT-X-STREAM-INF:BANDWIDTH={}{attributes}\n{}.m3u8",
                    bandwidth(*it),
                    name(*it)
                ),
                LadderLine::IFrames(attributes, it) => writeln!(
                    text,
                    "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={}{attributes},URI=\"{}.m3u8\"",
                    bandwidth(*it),
                    name(*it)
                ),
            }
            .expect("a String takes all that is written to it");
        }
        text
    }

    /// Raises the bandwidths that are published, and the frame rates that are stated, to those of a programme and the tracks
    /// that are played of it: both are upper bounds (RFC 8216 section 4.3.4.2).
    pub fn lift(&mut self, asset: &Asset, tracks: &[Option<usize>]) {
        self.lift_rates(asset, tracks);
        self.peaks.resize(self.renditions.len(), 0);
        for (peak, track) in self.peaks.iter_mut().zip(tracks) {
            let of = track.and_then(|track| asset.ladder.renditions.get(track));
            *peak = of.map_or(0, |of| of.kind.bandwidth()).max(*peak);
        }
    }

    fn lift_rates(&mut self, asset: &Asset, tracks: &[Option<usize>]) {
        fn rate(attributes: &AttributeList) -> Option<(Micros, &str)> {
            let text = attributes.get(FRAME_RATE)?;
            Some((hls::duration(text)?, text))
        }
        let offered: Vec<(AttributeList, usize)> = asset.ladder.stated().collect();
        for line in &mut self.lines {
            let LadderLine::Variant(attributes, of) = line else { continue };
            let mut stated = AttributeList::new(attributes);
            let track = tracks.get(*of).copied().flatten();
            let all = offered.iter().filter(|(_, of)| Some(*of) == track);
            let highest = all.filter_map(|(attributes, _)| rate(attributes)).max();
            if let (Some(highest), Some(known)) = (highest, rate(&stated))
                && highest.0 > known.0
            {
                stated.remove(FRAME_RATE);
                *attributes = format!("{stated},{FRAME_RATE}={}", highest.1);
            }
        }
    }

    /// What the multivariant playlist says of each variant and each playlist of I-frames, and which rendition that is.
    pub(crate) fn stated(&self) -> impl Iterator<Item = (AttributeList, usize)> {
        self.lines.iter().filter_map(|line| match line {
            LadderLine::Variant(attributes, of) | LadderLine::IFrames(attributes, of) => {
                Some((AttributeList::new(attributes), *of))
            }
            LadderLine::Media(..) => None,
        })
    }

    /// How many counts of segments there are: the variants of a programme have the same, every other
    /// rendition has its own.
    pub(crate) fn groups(&self) -> usize {
        self.renditions.len().saturating_sub(self.variants()) + 1
    }

    /// The count of segments that a rendition goes by.
    pub(crate) fn group(&self, rendition: usize) -> usize {
        rendition.saturating_sub(self.variants() - 1)
    }

    /// The first rendition of a group.
    pub(crate) fn first_of(&self, group: usize) -> usize {
        if group == 0 { 0 } else { group + self.variants() - 1 }
    }

    fn variants(&self) -> usize {
        let is_variant = |it: &&Rendition| matches!(it.kind, Kind::Variant { .. });
        self.renditions.iter().filter(is_variant).count().max(1)
    }
}

fn named(media: &Media) -> (String, String, String) {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(media.language()), text(media.name()), media.group_id().to_owned())
}

/// The attributes behind `BANDWIDTH`, each with a comma before it. What one programme takes on average is
/// not what the channel takes.
fn without_rates(attributes: &AttributeList) -> String {
    let mut others = attributes.clone();
    for name in ["BANDWIDTH", "AVERAGE-BANDWIDTH", "URI"] {
        others.remove(name);
    }
    let others = others.to_string();
    if others.is_empty() { others } else { format!(",{others}") }
}

fn height(attributes: &AttributeList) -> u64 {
    let resolution = attributes.get("RESOLUTION").and_then(|text| text.split_once('x'));
    resolution.and_then(|(_, height)| height.trim().parse().ok()).unwrap_or(0)
}

/// Text with nothing in it that needs care in a URL.
fn plain(text: &str) -> String {
    let lower = text.chars().map(|c| c.to_ascii_lowercase());
    lower.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
