//! Which track of a programme plays in which rendition of a channel: decided once, when it is scheduled.

use crate::asset::{Asset, AssetHash, Track};
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

/// Chooses the tracks of `asset` for a channel: variants by codec, height and bandwidth; audio by
/// language, name and group; subtitles by language; I-frames by height and bandwidth.
///
/// # Errors
/// Every reason why the channel cannot play it.
pub fn tracks(ladder: &Ladder, target: Seconds, asset: &Asset) -> Result<Tracks, Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut tracks = Tracks::new();
    for rendition in &ladder.renditions {
        match choose(rendition, asset) {
            Ok(track) => tracks.push(track),
            Err(flaw) if flaws.contains(&flaw) => {}
            Err(flaw) => flaws.push(flaw),
        }
    }
    let has_audio =
        |ladder: &Ladder| ladder.renditions.iter().any(|it| matches!(it.kind, Kind::Audio { .. }));
    if has_audio(asset.ladder()) && !has_audio(ladder) {
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

fn choose(rendition: &Rendition, asset: &Asset) -> Result<Option<usize>, Flaw> {
    let lacks = || Flaw::Lacks { rendition: rendition.name.clone() };
    let offered = || asset.ladder().renditions.iter().enumerate();
    match &rendition.kind {
        Kind::Variant { height, bandwidth, codecs } => {
            let variants = || {
                offered().filter_map(|(place, it)| match &it.kind {
                    Kind::Variant { height, bandwidth, codecs } => {
                        Some((place, it, *height, *bandwidth, codecs))
                    }
                    Kind::Audio { .. } | Kind::Subtitles { .. } | Kind::IFrames { .. } => None,
                })
            };
            let playlist = |place: usize| {
                asset.tracks.get(place).map_or_else(String::new, |it| it.playlist.clone())
            };
            let like = |found: &str| found == codecs || found.is_empty() || codecs.is_empty();
            let in_container = |it: &&Rendition| it.container == rendition.container;
            let fit: Vec<_> = variants().filter(|(_, it, ..)| in_container(it)).collect();
            let Some((other, _, _, _, found)) = fit.first() else {
                let (place, it, ..) = variants().next().ok_or_else(lacks)?;
                let (found, expected) = (it.container.clone(), rendition.container.clone());
                let playlist = playlist(place);
                return Err(Flaw::Container { playlist, segment: 1, found, expected });
            };
            let nearest =
                fit.iter().filter(|(.., found)| like(found)).min_by_key(|(_, _, tall, rate, _)| {
                    (tall.abs_diff(*height), rate.abs_diff(*bandwidth))
                });
            nearest.map(|(place, ..)| Some(*place)).ok_or_else(|| Flaw::Codecs {
                playlist: playlist(*other),
                found: (*found).clone(),
                expected: codecs.clone(),
            })
        }
        Kind::Audio { language, name, group } => {
            let audio = offered().filter_map(|(place, it)| match &it.kind {
                Kind::Audio { language: l, name: n, group: g }
                    if it.container == rendition.container =>
                {
                    Some((place, (l != language, n != name, g != group)))
                }
                Kind::Audio { .. } | Kind::Variant { .. } => None,
                Kind::Subtitles { .. } | Kind::IFrames { .. } => None,
            });
            audio.min_by_key(|(_, unlike)| *unlike).map(|(place, _)| Some(place)).ok_or_else(lacks)
        }
        Kind::Subtitles { language, name, .. } => {
            let subtitles = offered().filter_map(|(place, it)| match &it.kind {
                Kind::Subtitles { language: l, name: n, .. }
                    if l == language && it.container == rendition.container =>
                {
                    Some((place, n != name))
                }
                Kind::Subtitles { .. } | Kind::Variant { .. } => None,
                Kind::Audio { .. } | Kind::IFrames { .. } => None,
            });
            Ok(subtitles.min_by_key(|(_, unlike)| *unlike).map(|(place, _)| place))
        }
        Kind::IFrames { height, bandwidth } => {
            let iframes = offered().filter_map(|(place, it)| match &it.kind {
                Kind::IFrames { height: h, bandwidth: b }
                    if it.container == rendition.container =>
                {
                    Some((place, (h.abs_diff(*height), b.abs_diff(*bandwidth))))
                }
                Kind::IFrames { .. } | Kind::Variant { .. } => None,
                Kind::Audio { .. } | Kind::Subtitles { .. } => None,
            });
            Ok(iframes.min_by_key(|(_, far)| *far).map(|(place, _)| place))
        }
    }
}

/// The first segment that is longer than the target duration, if there is one.
fn too_long(track: &Track, target: Seconds) -> Option<Flaw> {
    let rounded = |micros: Micros| micros.0.saturating_add(500_000) / 1_000_000;
    let length = |place: usize| track.start(place + 1) - track.start(place);
    let place = (0..track.segments.len()).find(|place| rounded(length(*place)) > target.0)?;
    let playlist = track.playlist.clone();
    Some(Flaw::TooLong { playlist, segment: place + 1, duration: length(place), target })
}
