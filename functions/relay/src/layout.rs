//! What a multivariant playlist names, and how it reads at the output.

use crate::abilities::{self, Facet, Protection, Role, protection};
use crate::anchor::hash;
use crate::cursor::Rendition;
use crate::keep::kept;
use crate::names::{RenditionName, Stem};
use crate::redundant::{Elsewhere, GROUP_ATTRIBUTES, fold, lasting};
use crate::select::{Filter, Unwanted};
use hls::{AttributeList, Line, Media, MediaKind, MultivariantPlaylist};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// How many playlists a multivariant playlist may name. The richest ladders, in several languages and over several
/// pathways, are some two hundred.
const MOST_NAMED: usize = 512;
/// How many of them one session carries: each is looked at, side by side with the others, as often as it changes.
const MOST_CARRIED: usize = 128;

/// The renditions of a source, and the lines that name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    lines: Vec<Placed>,
    /// The renditions, each once.
    pub renditions: BTreeMap<RenditionName, Listed>,
}

/// A rendition as the multivariant playlist lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Where its media playlist is read; from the second on, where it is read when that fails.
    pub urls: Vec<Url>,
    /// What it is.
    pub role: Role,
    /// The codecs that are stated for it.
    pub codecs: BTreeSet<String>,
    /// Tells what it is like: by what is stated of it that is neither measured nor of one reader. Absent where there is no
    /// multivariant playlist.
    pub alike: Option<u32>,
}

/// A line, and the rendition whose address it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    line: Line,
    rendition: Option<RenditionName>,
}

/// How many tracks play together with a variant that stands among these lines, its own included.
pub fn tracks<'a>(lines: impl Iterator<Item = &'a Line>, variant: &hls::Variant) -> usize {
    let group = |attribute| variant.attributes.get(attribute);
    let beside = lines.filter(|line| match line {
        Line::Media(media) => media.attributes.get("GROUP-ID").is_some_and(|id| {
            let mut groups = GROUP_ATTRIBUTES.iter().filter(|(kind, _)| media.kind == *kind);
            groups.any(|(_, attribute)| group(attribute) == Some(id))
        }),
        Line::Variant(_) | Line::IFrame(_) | Line::Other(_) => false,
    });
    1 + beside.count()
}

/// Tells where a media playlist lies: by the path, for servers and tokens come and go.
#[must_use]
pub fn place(url: &Url) -> u32 {
    hash(url.path().bytes())
}

/// Why a multivariant playlist cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// It names nothing to carry.
    #[error("the multivariant playlist has no variant")]
    NoVariant,
    /// It names nothing that is wanted.
    #[error(transparent)]
    Unwanted(#[from] Unwanted),
    /// It names more playlists than are looked through.
    #[error("the multivariant playlist names {0} playlists, more than the limit of {MOST_NAMED}")]
    ManyNamed(usize),
    /// More is wanted of it than one session carries.
    #[error(
        "{0} renditions are wanted of this source, more than the limit of {MOST_CARRIED} a session"
    )]
    ManyWanted(usize),
    /// An address is not one.
    #[error("the multivariant playlist has an address that cannot be read")]
    BadAddress,
}

impl Layout {
    /// What of `playlist`, read from `base`, is wanted.
    ///
    /// # Errors
    /// [`LayoutError`], when nothing is, or it cannot be carried.
    pub fn wanted(
        playlist: MultivariantPlaylist,
        filter: &Filter,
        base: &Url,
    ) -> Result<Self, LayoutError> {
        let named = playlist.lines.iter().filter(|line| described(line).is_some()).count();
        if named > MOST_NAMED {
            return Err(LayoutError::ManyNamed(named));
        }
        // Of the same stream twice one counts.
        let all = Filter { limit: None, ..filter.clone() };
        let (lines, elsewhere) = fold(all.choose(playlist)?.lines, base);
        let few = Filter { limit: filter.limit, ..Filter::default() };
        let folded = MultivariantPlaylist { lines, flaws: Vec::new() };
        Self::folded(few.choose(folded)?.lines, elsewhere, base)
    }

    /// What `playlist`, read from `base`, names.
    ///
    /// Names come from attributes, not from the order of lines. Lines with one address are one
    /// rendition, read and pushed once; of several with the same name each gets a number, in
    /// the order of their addresses. Of the same stream twice one is carried, and the other read when it
    /// fails (`redundant`).
    ///
    /// # Errors
    /// [`LayoutError`], when it cannot be carried.
    pub fn of(playlist: MultivariantPlaylist, base: &Url) -> Result<Self, LayoutError> {
        let (lines, elsewhere) = fold(playlist.lines, base);
        Self::folded(lines, elsewhere, base)
    }

    fn folded(folded: Vec<Line>, mut others: Elsewhere, base: &Url) -> Result<Self, LayoutError> {
        let mut lines = Vec::with_capacity(folded.len());
        let mut listed: BTreeMap<Url, (RenditionName, Listed)> = BTreeMap::new();
        let lasting = lasting(&folded);
        for (line, alike) in folded.into_iter().zip(lasting) {
            let Some(Described { name, uri, role, codecs }) = described(&line) else {
                lines.extend(elsewhere(line, base).map(|line| (line, None)));
                continue;
            };
            let url = base.join(uri).map_err(|_| LayoutError::BadAddress)?;
            let known = listed.entry(url.clone()).or_insert_with(|| {
                let mut urls = vec![url.clone()];
                urls.extend(others.remove(&url).unwrap_or_default());
                (name.clone(), Listed { urls, role, codecs, alike: Some(alike) })
            });
            // The smallest name of an address does not depend on the order of lines.
            known.0 = known.0.clone().min(name);
            known.1.alike = known.1.alike.min(Some(alike));
            lines.push((line, Some(url)));
        }
        if !lines.iter().any(|(line, _)| matches!(line, Line::Variant(_))) {
            return Err(LayoutError::NoVariant);
        }
        if listed.len() > MOST_CARRIED {
            return Err(LayoutError::ManyWanted(listed.len()));
        }
        let mut counts: BTreeMap<RenditionName, usize> = BTreeMap::new();
        for (name, _) in listed.values_mut() {
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            *name = name.numbered(*count);
        }
        let place = |(line, url): (Line, Option<Url>)| {
            let rendition = url.map(|url| listed[&url].0.clone());
            Placed { line, rendition }
        };
        let lines = lines.into_iter().map(place).collect();
        Ok(Self { lines, renditions: listed.into_values().collect() })
    }

    /// Keeps the names of renditions that are known, whatever the attributes say by now that names are made of. The
    /// source of this number is carried.
    pub fn keep_names(&mut self, known: &BTreeMap<RenditionName, Rendition>, source: usize) {
        self.rename(&kept(&self.renditions, known, source));
    }

    fn rename(&mut self, renamed: &BTreeMap<RenditionName, RenditionName>) {
        let rename = |name: RenditionName| renamed.get(&name).cloned().unwrap_or(name);
        for placed in &mut self.lines {
            placed.rendition = placed.rendition.take().map(rename);
        }
        let renditions = std::mem::take(&mut self.renditions);
        self.renditions = renditions.into_iter().map(|(name, it)| (rename(name), it)).collect();
    }

    /// Leaves a rendition out.
    pub fn leave_out(&mut self, name: &str) {
        self.lines.retain(|placed| placed.rendition.as_ref().is_none_or(|it| it.as_ref() != name));
        self.renditions.retain(|it, _| it.as_ref() != name);
    }

    /// Goes on under the names that were carried before, where they are of another source: for an output a new name is
    /// another stream. Of the variants that have none of these names the largest goes on as the largest; where all have
    /// others, those for which there is no name are left out. Alternatives go on whatever their group is called now.
    pub fn go_on_as<'a>(&mut self, before: impl Iterator<Item = &'a RenditionName>) {
        let mut before: BTreeSet<&RenditionName> = before.collect();
        let is_variant = |(_, listed): &(&RenditionName, &Listed)| listed.role == Role::Variant;
        let variants = self.renditions.iter().filter(is_variant).map(|(name, _)| name);
        let mut variants: Vec<RenditionName> = variants.cloned().collect();
        let mut former: Vec<&RenditionName> =
            before.iter().copied().filter(|name| name.is_variant()).collect();
        if former.is_empty() {
            return;
        }
        let listed = variants.len();
        variants.retain(|name| !before.contains(name));
        former.retain(|name| !self.renditions.contains_key(*name));
        let are_others = variants.len() == listed;
        variants.sort_by_key(|name| Reverse(name.bandwidth()));
        former.sort_by_key(|name| Reverse(name.bandwidth()));
        for name in variants.split_off(former.len().min(variants.len())) {
            if are_others {
                self.leave_out(name.as_ref());
            }
        }
        let former = former.into_iter().cloned();
        let mut renamed: BTreeMap<RenditionName, RenditionName> =
            variants.into_iter().zip(former).collect();
        before.retain(|name| !self.renditions.contains_key(*name));
        for placed in &self.lines {
            let (Line::Media(media), Some(name)) = (&placed.line, &placed.rendition) else {
                continue;
            };
            let attribute = |name| media.attributes.get(name).unwrap_or_default();
            let (language, called) = (attribute("LANGUAGE"), attribute("NAME"));
            let same = before.iter().find(|it| it.is_of(name, &[language, called])).copied();
            if let Some(same) = same.filter(|_| !renamed.contains_key(name)) {
                before.remove(same);
                renamed.insert(name.clone(), same.clone());
            }
        }
        self.rename(&renamed);
    }

    /// Leaves out what says beforehand which keys segments have.
    pub fn leave_keys_out(&mut self) {
        let is_key =
            |line: &Line| matches!(line, Line::Other(text) if text.starts_with(SESSION_KEY));
        self.lines.retain(|placed| !is_key(&placed.line));
    }

    /// How many tracks play together with a variant; of several with one playlist, the most.
    fn tracks(&self, name: &RenditionName) -> usize {
        let lines = || self.lines.iter().map(|placed| &placed.line);
        let of = |placed: &Placed| match &placed.line {
            Line::Variant(variant) => tracks(lines(), variant),
            Line::Media(_) | Line::IFrame(_) | Line::Other(_) => 0,
        };
        let lines_of = self.lines.iter().filter(|placed| placed.rendition.as_ref() == Some(name));
        lines_of.map(of).max().unwrap_or_default()
    }

    /// Its renditions, as an output asks for them.
    #[must_use]
    pub fn facets(&self) -> Vec<Facet> {
        let of = |(name, listed): (&RenditionName, &Listed)| Facet {
            name: name.to_string(),
            role: listed.role,
            codecs: listed.codecs.clone(),
            tracks: self.tracks(name),
            ..Facet::default()
        };
        let captions = self.lines.iter().filter(|placed| {
            matches!(&placed.line, Line::Media(media) if media.kind == MediaKind::ClosedCaptions)
        });
        let captions = captions.map(|_| Facet { role: Role::ClosedCaptions, ..Facet::default() });
        self.renditions.iter().map(of).chain(captions).collect()
    }

    /// The layout of a source that is a single media playlist.
    #[must_use]
    pub fn of_media(url: Url) -> Self {
        let name = RenditionName::single();
        let variant = hls::Variant {
            attributes: AttributeList::default(),
            between: Vec::new(),
            uri: String::new(),
            bandwidth: 0,
        };
        let other = |text: &str| Placed { line: Line::Other(text.to_owned()), rendition: None };
        let variant = Placed { line: Line::Variant(variant), rendition: Some(name.clone()) };
        let lines = vec![other("#EXTM3U"), other("#EXT-X-VERSION:3"), variant];
        let listed = Listed { urls: vec![url], ..Listed::default() };
        Self { lines, renditions: BTreeMap::from([(name, listed)]) }
    }

    /// The layout of a single media playlist, with what was measured of it: a peak of `bandwidth` bits a second.
    #[must_use]
    pub fn of_bandwidth(mut self, bandwidth: u64) -> Self {
        for placed in &mut self.lines {
            if let Line::Variant(variant) = &mut placed.line {
                variant.attributes = AttributeList::new(&format!("BANDWIDTH={bandwidth}"));
                variant.bandwidth = bandwidth;
            }
        }
        self
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
                (
                    Line::Media(Media { attributes, .. }) | Line::IFrame(attributes),
                    Some(rendition),
                ) => {
                    attributes.set_quoted("URI", &stem.media(rendition));
                }
                (Line::Variant(_) | Line::Media(_) | Line::IFrame(_) | Line::Other(_), _) => {}
            }
            lines.push(line);
        }
        (variants > 0).then(|| MultivariantPlaylist { lines, ..<_>::default() }.to_string())
    }
}

/// What a line says of the media playlist whose address it holds.
struct Described<'a> {
    name: RenditionName,
    uri: &'a str,
    role: Role,
    codecs: BTreeSet<String>,
}

fn described(line: &Line) -> Option<Described<'_>> {
    let codecs = |attributes: &AttributeList| {
        attributes.get("CODECS").map(abilities::codecs).unwrap_or_default()
    };
    match line {
        Line::Variant(variant) => {
            let name = RenditionName::of(&["video", &variant.bandwidth.to_string()]);
            let codecs = codecs(&variant.attributes);
            Some(Described { name, uri: &variant.uri, role: Role::Variant, codecs })
        }
        Line::Media(media) => {
            let attribute = |name| media.attributes.get(name).unwrap_or_default();
            let (kind, role) = match media.kind {
                MediaKind::Audio => ("audio", Role::Audio),
                MediaKind::Video => ("angle", Role::Video),
                MediaKind::Subtitles => ("subtitles", Role::Subtitles),
                MediaKind::ClosedCaptions => ("captions", Role::ClosedCaptions),
            };
            let parts = [kind, attribute("GROUP-ID"), attribute("LANGUAGE"), attribute("NAME")];
            let (name, codecs) = (RenditionName::of(&parts), BTreeSet::new());
            Some(Described { name, uri: media.uri()?, role, codecs })
        }
        Line::IFrame(attributes) => {
            let uri = attributes.get("URI").filter(|uri| !uri.is_empty())?;
            let name =
                RenditionName::of(&["iframes", attributes.get("BANDWIDTH").unwrap_or_default()]);
            // Its codecs are those of the variants, or of pictures that no other rendition has.
            Some(Described { name, uri, role: Role::IFrames, codecs: BTreeSet::new() })
        }
        Line::Other(_) => None,
    }
}

const SESSION_KEY: &str = "#EXT-X-SESSION-KEY";

/// A line that names no media playlist, as it can stand at the output: addresses that it holds are
/// the source's, and what only the source can do is left out.
fn elsewhere(line: Line, base: &Url) -> Option<Line> {
    let Line::Other(text) = line else { return Some(line) };
    let (tag, value) = text.split_once(':').unwrap_or((&text, ""));
    match tag.trim() {
        // What is defined is in its place by now.
        "#EXT-X-CONTENT-STEERING" | "#EXT-X-DEFINE" => None,
        // Other keys are found in the media playlists; where they lie there is another matter.
        SESSION_KEY if protection(&AttributeList::new(value)) != Protection::Drm => None,
        // What is not carried, such as data of a session and playlists of pictures, stays where it is.
        _ => {
            let mut attributes = AttributeList::new(value);
            let is_tag = tag.starts_with("#EXT");
            let url = attributes.get("URI").filter(|_| is_tag).and_then(|uri| base.join(uri).ok());
            let Some(url) = url else { return Some(Line::Other(text)) };
            attributes.set_quoted("URI", url.as_str());
            Some(Line::Other(format!("{tag}:{attributes}")))
        }
    }
}
