//! What a multivariant playlist names, and how it reads at the output.

use crate::names::{RenditionName, Stem};
use hls::{Line, MediaKind, MultivariantPlaylist};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// The renditions of a source, and the lines that name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    lines: Vec<Placed>,
    /// Where each media playlist is read.
    pub renditions: BTreeMap<RenditionName, Url>,
}

/// A line, and the rendition whose address it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    line: Line,
    rendition: Option<RenditionName>,
}

/// Why a multivariant playlist cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// It names nothing to carry.
    #[error("the multivariant playlist has no variant")]
    NoVariant,
    /// An address is not one.
    #[error("the multivariant playlist has an address that cannot be read")]
    BadAddress,
    /// It has trick-play streams.
    #[error("I-frame playlists (EXT-X-I-FRAME-STREAM-INF) are not carried yet")]
    IFrames,
}

impl Layout {
    /// What `playlist`, read from `base`, names.
    ///
    /// Names come from attributes, not from the order of lines. Lines with one address are one
    /// rendition, read and pushed once; of several with the same attributes each gets a number, in
    /// the order of their addresses.
    ///
    /// # Errors
    /// [`LayoutError`], when it cannot be carried.
    pub fn of(playlist: MultivariantPlaylist, base: &Url) -> Result<Self, LayoutError> {
        let mut addresses = Vec::with_capacity(playlist.lines.len());
        let mut names: BTreeMap<Url, RenditionName> = BTreeMap::new();
        for line in &playlist.lines {
            if matches!(line, Line::IFrame(_)) {
                return Err(LayoutError::IFrames);
            }
            let named = match described(line) {
                None => None,
                Some((name, uri)) => {
                    let url = base.join(uri).map_err(|_| LayoutError::BadAddress)?;
                    // The smallest name of an address does not depend on the order of lines.
                    let known = names.entry(url.clone()).or_insert_with(|| name.clone());
                    if name < *known {
                        *known = name;
                    }
                    Some(url)
                }
            };
            addresses.push(named);
        }
        if !playlist.lines.iter().any(|line| matches!(line, Line::Variant(_))) {
            return Err(LayoutError::NoVariant);
        }
        let mut counts: BTreeMap<RenditionName, usize> = BTreeMap::new();
        for name in names.values_mut() {
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            *name = name.numbered(*count);
        }
        let lines = playlist
            .lines
            .into_iter()
            .zip(addresses)
            .map(|(line, url)| Placed { line, rendition: url.map(|url| names[&url].clone()) })
            .collect();
        let renditions = names.into_iter().map(|(url, name)| (name, url)).collect();
        Ok(Self { lines, renditions })
    }

    /// The layout of a source that is a single media playlist with a peak of `bandwidth` bits a second.
    #[must_use]
    pub fn of_media(url: Url, bandwidth: u64) -> Self {
        let name = RenditionName::of(&["video"]);
        let attributes = hls::AttributeList::new(&format!("BANDWIDTH={bandwidth}"));
        let variant = hls::Variant { attributes, bandwidth, ..hls::Variant::default() };
        let other = |text: &str| Placed { line: Line::Other(text.to_owned()), rendition: None };
        let variant = Placed { line: Line::Variant(variant), rendition: Some(name.clone()) };
        let lines = vec![other("#EXTM3U"), other("#EXT-X-VERSION:3"), variant];
        Self { lines, renditions: BTreeMap::from([(name, url)]) }
    }

    /// The multivariant playlist with the names of the output, listing only what is `there`.
    ///
    /// Absent when no variant is there. A group that lost its last rendition is taken out of the
    /// variants that refer to it.
    #[must_use]
    pub fn render(&self, stem: &Stem, there: &BTreeSet<RenditionName>) -> Option<String> {
        let listed = |placed: &&Placed| placed.rendition.as_ref().is_none_or(|r| there.contains(r));
        let groups: BTreeSet<(MediaKind, &str)> = self
            .lines
            .iter()
            .filter(listed)
            .filter_map(|placed| match &placed.line {
                Line::Media(media) => {
                    Some((media.kind, media.attributes.get("GROUP-ID").unwrap_or_default()))
                }
                Line::Variant(_) | Line::IFrame(_) | Line::Other(_) => None,
            })
            .collect();
        let mut lines = Vec::new();
        let mut variants = 0;
        for placed in self.lines.iter().filter(listed) {
            let mut line = placed.line.clone();
            match (&mut line, &placed.rendition) {
                (Line::Variant(variant), Some(rendition)) => {
                    variants += 1;
                    variant.uri = stem.media(rendition);
                    for (kind, attribute) in GROUP_ATTRIBUTES {
                        let group = variant.attributes.get(attribute);
                        if group.is_some_and(|group| {
                            !groups.contains(&(kind, group)) && group != "NONE"
                        }) {
                            variant.attributes.remove(attribute);
                        }
                    }
                }
                (Line::Media(media), Some(rendition)) => {
                    media.attributes.set_quoted("URI", &stem.media(rendition));
                }
                (Line::Variant(_) | Line::Media(_) | Line::IFrame(_) | Line::Other(_), _) => {}
            }
            lines.push(line);
        }
        (variants > 0).then(|| MultivariantPlaylist { lines }.to_string())
    }
}

/// The attributes of a variant that refer to groups (RFC 8216 section 4.3.4.2).
const GROUP_ATTRIBUTES: [(MediaKind, &str); 4] = [
    (MediaKind::Audio, "AUDIO"),
    (MediaKind::Video, "VIDEO"),
    (MediaKind::Subtitles, "SUBTITLES"),
    (MediaKind::ClosedCaptions, "CLOSED-CAPTIONS"),
];

/// The name that a line's attributes give, and the address that it holds.
fn described(line: &Line) -> Option<(RenditionName, &str)> {
    match line {
        Line::Variant(variant) => {
            let bandwidth = variant.bandwidth.to_string();
            Some((RenditionName::of(&["video", &bandwidth]), &variant.uri))
        }
        Line::Media(media) => {
            let attribute = |name| media.attributes.get(name).unwrap_or_default();
            let kind = match media.kind {
                MediaKind::Audio => "audio",
                MediaKind::Video => "angle",
                MediaKind::Subtitles => "subtitles",
                MediaKind::ClosedCaptions => "captions",
            };
            let parts = [kind, attribute("GROUP-ID"), attribute("LANGUAGE"), attribute("NAME")];
            Some((RenditionName::of(&parts), media.uri()?))
        }
        Line::IFrame(_) | Line::Other(_) => None,
    }
}
