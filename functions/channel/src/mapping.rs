//! Which track of a programme plays in which rendition of a channel: decided once, when it is scheduled.

use crate::alternative::{Sounds, has_sound, subtitles};
use crate::asset::{Asset, AssetHash, Track};
use crate::codecs::are_alike;
use crate::commit::Why;
use crate::flaw::Flaw;
use crate::ladder::{Kind, Ladder, Rendition};
use crate::schedule::Library;
use hls::{Micros, Seconds};
use std::collections::BTreeMap;
use std::rc::Rc;

/// For each rendition of a channel the track that plays in it; absent: the programme has none, and the
/// rendition shows nothing meanwhile.
pub type Tracks = Vec<Option<usize>>;

/// Chooses the tracks of `asset` for a channel: variants by codec, range, height and bandwidth; audio and subtitles by language,
/// what they are for, name and what is the default; I-frames by range, height and bandwidth.
///
/// # Errors
/// Every reason why the channel cannot play it.
pub fn tracks(ladder: &Ladder, target: Seconds, asset: &Asset) -> Result<Tracks, Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut tracks = Tracks::new();
    let sounds = Sounds::new(ladder, asset);
    let (wanted, offered) = (variants(ladder), variants(asset.ladder()));
    for (place, rendition) in ladder.renditions.iter().enumerate() {
        let chosen = match &rendition.kind {
            Kind::Variant { .. } => match wanted.iter().find(|it| it.place == place) {
                Some(wanted) => choose_variant(wanted, &offered, asset).map(Some),
                None => Ok(None),
            },
            Kind::Audio { .. } => sounds.choose(ladder, place, asset).map(Some),
            Kind::Subtitles { .. } => Ok(subtitles(ladder, place, asset)),
            Kind::IFrames { .. } => Ok(choose_iframes(ladder, place, asset.ladder())),
        };
        match chosen {
            Ok(track) => tracks.push(track),
            Err(flaw) if flaws.contains(&flaw) => {}
            Err(flaw) => flaws.push(flaw),
        }
    }
    if !sounds.are_in_variants() && !flaws.contains(&Flaw::Demuxed) {
        flaws.push(Flaw::Demuxed);
    }
    let used = asset.tracks.iter().enumerate().filter(|(place, _)| tracks.contains(&Some(*place)));
    flaws.extend(used.filter_map(|(_, track)| too_long(track, target)));
    if flaws.is_empty() { Ok(tracks) } else { Err(flaws) }
}

/// What a channel can play of a library. An asset is looked at once, however often it is scheduled.
pub(crate) struct Playable<'a> {
    ladder: &'a Ladder,
    target: Seconds,
    indexes: &'a Library,
    known: BTreeMap<AssetHash, Result<Rc<Tracks>, Why>>,
}

impl<'a> Playable<'a> {
    pub(crate) fn new(ladder: &'a Ladder, target: Seconds, indexes: &'a Library) -> Self {
        Self { ladder, target, indexes, known: BTreeMap::new() }
    }

    /// An asset and its tracks.
    ///
    /// # Errors
    /// Why it cannot be played.
    pub(crate) fn get(
        &mut self,
        hash: &AssetHash,
    ) -> Result<(&'a AssetHash, &'a Asset, Rc<Tracks>), Why> {
        let (hash, asset) = self.indexes.get_key_value(hash).ok_or(Why::Unknown)?;
        let looked =
            || tracks(self.ladder, self.target, asset).map(Rc::new).map_err(Why::Unplayable);
        let known = self.known.entry(hash.clone()).or_insert_with(looked);
        known.clone().map(|tracks| (hash, asset.as_ref(), tracks))
    }
}

/// A variant of a channel or a programme.
struct Variant<'a> {
    place: usize,
    rendition: &'a Rendition,
    height: u64,
    bandwidth: u64,
    codecs: &'a str,
    /// Such as `PQ`; what is not said is `SDR`.
    range: String,
    has_sound: bool,
}

fn variants(ladder: &Ladder) -> Vec<Variant<'_>> {
    let mut variants = Vec::new();
    for (place, rendition) in ladder.renditions.iter().enumerate() {
        match &rendition.kind {
            Kind::Variant { height, bandwidth, codecs } => variants.push(Variant {
                place,
                rendition,
                height: *height,
                bandwidth: *bandwidth,
                codecs,
                range: range(ladder, place),
                has_sound: has_sound(ladder, place),
            }),
            Kind::Audio { .. } | Kind::Subtitles { .. } | Kind::IFrames { .. } => {}
        }
    }
    variants
}

/// Whether the picture is brighter than the usual, and how.
fn range(ladder: &Ladder, rendition: usize) -> String {
    let stated = ladder.stated().filter(|(_, of)| *of == rendition);
    let mut ranges = stated.filter_map(|(it, _)| it.get("VIDEO-RANGE").map(str::to_owned));
    ranges.next().unwrap_or_else(|| "SDR".to_owned())
}

fn choose_variant(wanted: &Variant, offered: &[Variant], asset: &Asset) -> Result<usize, Flaw> {
    let playlist = |of: &Variant| {
        asset.tracks.get(of.place).map_or_else(String::new, |it| it.playlist.clone())
    };
    let lacks = || Flaw::Lacks { rendition: wanted.rendition.name.clone() };
    let expected = &wanted.rendition.container;
    let in_container = || offered.iter().filter(|it| it.rendition.container == *expected);
    let Some(other) = in_container().next() else {
        let other = offered.first().ok_or_else(lacks)?;
        let (found, expected) = (other.rendition.container.clone(), expected.clone());
        return Err(Flaw::Container { playlist: playlist(other), segment: 1, found, expected });
    };
    let mut heard = in_container().filter(|it| it.has_sound || !wanted.has_sound).peekable();
    if heard.peek().is_none() {
        return Err(Flaw::Demuxed);
    }
    let like = |it: &&Variant| are_alike(it.codecs, wanted.codecs, wanted.has_sound);
    let nearest = heard.filter(like).min_by_key(|it| {
        let is_other = it.range != wanted.range;
        (is_other, it.height.abs_diff(wanted.height), it.bandwidth.abs_diff(wanted.bandwidth))
    });
    nearest.map(|it| it.place).ok_or_else(|| Flaw::Codecs {
        playlist: playlist(other),
        found: other.codecs.to_owned(),
        expected: wanted.codecs.to_owned(),
    })
}

fn choose_iframes(channel: &Ladder, wanted: usize, ladder: &Ladder) -> Option<usize> {
    let expected = range(channel, wanted);
    let wanted = channel.renditions.get(wanted)?;
    let Kind::IFrames { height, bandwidth } = &wanted.kind else { return None };
    let iframes = ladder.renditions.iter().enumerate().filter_map(|(place, it)| match &it.kind {
        Kind::IFrames { height: h, bandwidth: b } if it.container == wanted.container => {
            let is_other = range(ladder, place) != expected;
            Some((place, (is_other, h.abs_diff(*height), b.abs_diff(*bandwidth))))
        }
        Kind::IFrames { .. } | Kind::Variant { .. } => None,
        Kind::Audio { .. } | Kind::Subtitles { .. } => None,
    });
    iframes.min_by_key(|(_, far)| *far).map(|(place, _)| place)
}

/// The first segment that is longer than the target duration, if there is one.
fn too_long(track: &Track, target: Seconds) -> Option<Flaw> {
    let rounded = |micros: Micros| micros.0.saturating_add(500_000) / 1_000_000;
    let length = |place: usize| track.start(place + 1) - track.start(place);
    let place = (0..track.segments.len()).find(|place| rounded(length(*place)) > target.0)?;
    let playlist = track.playlist.clone();
    Some(Flaw::TooLong { playlist, segment: place + 1, duration: length(place), target })
}
