//! What a live source lists, made ready to be played between programmes.

use crate::asset::{Asset, Track};
use crate::flaw::Flaw;
use crate::index::{dates, kinds, track};
use crate::ladder::{Kind, Ladder};
use crate::lines::Base;
use crate::mapping::{self, Tracks};
use crate::window::{Mark, Name, TOLERANCE, Window, address, names};
use hls::{Line, MediaPlaylist, Micros, MultivariantPlaylist, Seconds};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far the reading of a live source has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The number that comes next in each of its playlists that plays.
    next: Vec<u64>,
    /// The address of the last segment of the first, without its query string: another one there means another stream.
    last: String,
    /// How far each playlist that plays has come, in the same order, and then the other variants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    marks: Vec<Mark>,
}

/// Some segments of a live source that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub(crate) index: Asset,
    pub(crate) tracks: Tracks,
    pub(crate) cursor: Cursor,
    /// Whether it follows the piece before without a discontinuity.
    pub(crate) continues: bool,
    /// Whether the source has ended with it.
    pub ended: bool,
}

/// What a live source lists at a moment, as far as a channel plays it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The first is a variant: pieces are cut by it.
    windows: Vec<Window>,
    tracks: Tracks,
    /// The variants that do not play. One of them may have to go on where others fail.
    spare: Vec<Window>,
    /// Whether its times go on where those of the cursor ended.
    is_anchored: bool,
}

/// A playlist that can be played: what it is, its container and its segments.
type Playable = (Kind, String, Track);

impl Source {
    /// Reads what a live source lists: its multivariant playlist and, by their addresses, its media playlists.
    ///
    /// What is not among these, is `out`, or is far behind the others is left out where something else can stand in:
    /// another variant, audio in the same language, or no subtitles. `after` is how far it was read before.
    ///
    /// # Errors
    /// Every reason why a channel of that ladder cannot play it.
    pub fn read(
        base: &str,
        multivariant: &MultivariantPlaylist,
        media: &BTreeMap<String, MediaPlaylist>,
        out: &BTreeSet<String>,
        (ladder, target): (&Ladder, Seconds),
        after: Option<&Cursor>,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let Some(base) = Base::new(base) else { return Err(vec![Flaw::Base]) };
        let (mut tracks, mut lost) = (Vec::new(), Vec::new());
        let kinds = kinds(multivariant, &mut flaws);
        for (playlist, kind) in &kinds {
            let (playlist, kind) = ((*playlist).to_owned(), kind.clone());
            match media.get(&playlist).map(|read| (read, track(&base, &playlist, read))) {
                Some((read, Ok((container, track)))) if !read.segments.is_empty() => {
                    tracks.push((kind, container, track));
                }
                Some((_, Ok(_))) => lost.push((kind, Flaw::Empty { playlist })),
                Some((_, Err(flaw))) => lost.push((kind, flaw)),
                None => lost.push((kind, Flaw::Missing { playlist })),
            }
        }
        let goes_on = |it: &&Playable| !out.contains(&it.2.playlist);
        let well: Vec<Kind> = tracks.iter().filter(goes_on).map(|it| it.0.clone()).collect();
        tracks.retain(|it| goes_on(&it) || !stands_in(&well, &it.0));
        let left: Vec<Kind> = tracks.iter().map(|it| it.0.clone()).collect();
        flaws.extend(lost.into_iter().filter(|it| !stands_in(&left, &it.0)).map(|it| it.1));
        if tracks.is_empty() {
            flaws.push(Flaw::NoVariant);
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let named = names(kinds.iter().map(|(playlist, kind)| (*playlist, kind)));
        tracks.sort_by(|a, b| a.0.cmp(&b.0));
        let of = |tracks: &[Playable]| {
            Self::of(multivariant, media, tracks, &named, (ladder, target), after)
        };
        let source = of(&tracks)?;
        let behind = source.behind(after);
        tracks.retain(|(.., track)| !behind.contains(&track.playlist));
        if behind.is_empty() { Ok(source) } else { of(&tracks) }
    }

    fn of(
        multivariant: &MultivariantPlaylist,
        media: &BTreeMap<String, MediaPlaylist>,
        tracks: &[Playable],
        named: &BTreeMap<&str, Name>,
        (ladder, target): (&Ladder, Seconds),
        after: Option<&Cursor>,
    ) -> Result<Self, Vec<Flaw>> {
        let is_left = |uri: Option<&str>| {
            uri.is_none_or(|uri| tracks.iter().any(|(.., track)| track.playlist == uri))
        };
        let mut offered = multivariant.clone();
        offered.lines.retain(|line| match line {
            Line::Variant(variant) => is_left(Some(&variant.uri)),
            Line::Media(media) => is_left(media.uri()),
            Line::IFrame(attributes) => is_left(attributes.get("URI")),
            Line::Other(_) => true,
        });
        let whole = Asset {
            ladder: Ladder::of(&offered, tracks),
            tracks: tracks.iter().map(|(_, _, track)| track.clone()).collect(),
        };
        let chosen = mapping::tracks(ladder, target, &whole)?;
        let is_used = |place: &usize| chosen.contains(&Some(*place));
        let used: Vec<usize> = (0..tracks.len()).filter(is_used).collect();
        let of = |place: usize| used.iter().position(|it| *it == place);
        let window = |place: usize| {
            let (_, _, track) = tracks.get(place)?;
            let name = named.get(track.playlist.as_str())?.clone();
            Window::new(name, track.clone(), media.get(&track.playlist)?)
        };
        let unused = (0..tracks.len()).filter(|place| !is_used(place)).filter_map(window);
        let mut source = Self {
            windows: used.iter().filter_map(|place| window(*place)).collect(),
            tracks: chosen.iter().map(|track| track.and_then(of)).collect(),
            spare: unused.filter(Window::is_variant).collect(),
            is_anchored: false,
        };
        source.align(media, after);
        Ok(source)
    }

    /// The variants that are more than two target durations behind the one that is farthest; one that did not play
    /// must have come nearer than one.
    fn behind(&self, after: Option<&Cursor>) -> BTreeSet<String> {
        let variants = || self.windows.iter().chain(&self.spare).filter(|it| it.is_variant());
        let edge = variants().map(Window::end).max().unwrap_or(0);
        let is_behind = |it: &&Window| {
            let played = after.is_none_or(|after| after.plays(&it.of));
            let most = it.target.0.saturating_mul(if played { 2 } else { 1 });
            edge.saturating_sub(it.end()) > most.saturating_add(TOLERANCE)
        };
        variants().filter(is_behind).map(|it| it.track.playlist.clone()).collect()
    }

    /// The longest segment of the first variant.
    #[must_use]
    pub fn longest(&self) -> Micros {
        let lengths = self
            .windows
            .first()
            .into_iter()
            .flat_map(|window| (0..window.times.len()).map(|place| window.length(place)));
        lengths.max().unwrap_or_default()
    }

    /// Whether nothing will be added to it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.windows.iter().all(|it| it.ended)
    }

    /// What is to be played next, after a cursor; absent where there is nothing yet.
    ///
    /// Behind a hole it waits for three of the longest segments, and one of each rendition, and takes the newest:
    /// live is to be live, and not to have the next hole at once. Where the source never lists as many, because its
    /// window `slides` before, it takes all.
    ///
    /// # Errors
    /// When the variants do not have the same segments.
    pub fn next(
        &self,
        after: Option<&Cursor>,
        is_hole: bool,
        slides: bool,
    ) -> Result<Option<Piece>, Flaw> {
        let Some(lead) = self.windows.first() else { return Ok(None) };
        let mark = |window: &Window, place| after.and_then(|it| it.mark(place, &window.of));
        if mark(lead, 0).is_some_and(|mark| lead.lags(&mark)) {
            return Ok(None);
        }
        // What plays in one rendition must be there in all.
        let ends = self.windows.iter().filter(|it| !it.ended).map(Window::end);
        let until = ends.min().unwrap_or(u64::MAX).saturating_add(TOLERANCE);
        let there = (0..lead.times.len()).take_while(|it| lead.time(it + 1) <= until).count();
        let known = match mark(lead, 0) {
            Some(mark) => lead.place_of(&mark),
            // One that did not play goes on where another had come to.
            None => after.filter(|_| self.is_anchored).and_then(|it| lead.place_at(it.at()?)),
        };
        let due = |window: &Window, place: usize| {
            mark(window, place).filter(|_| known.is_some()).map(|mark| mark.next)
        };
        let ended = there == lead.times.len() && self.has_ended();
        let from = match known {
            Some(place) if !is_hole => place,
            Some(_) | None => {
                let oldest = known.unwrap_or(0);
                let wanted = Micros(self.longest().0.saturating_mul(3));
                let enough = |from: &usize| {
                    let run = *from..there;
                    let mut parts = self.windows.iter().zip(0..);
                    lead.between(&run) >= wanted
                        && parts.all(|(it, place)| {
                            !it.during(lead, &run, due(it, place), false).is_empty()
                        })
                };
                let is_short = slides && lead.between(&(0..lead.times.len())) < wanted;
                match (oldest..there).rev().find(enough) {
                    Some(from) => from,
                    None if ended || is_short => oldest,
                    None => return Ok(None),
                }
            }
        };
        // A discontinuity is between two pieces: all renditions have it there.
        let there = (from + 1..there).find(|place| lead.is_flagged(*place)).unwrap_or(there);
        if from >= there {
            return Ok(None);
        }
        let goes_on = known == Some(from) && !is_hole;
        let run = from..there;
        // Another variant is put together otherwise.
        let names = self.windows.iter().map(|it| &it.of);
        let is_same = after.is_none_or(|it| it.marks.is_empty() || it.playing().eq(names));
        let continues = goes_on && is_same && !lead.is_flagged(from);
        let mut tracks = Vec::new();
        let (mut next, mut marks) = (Vec::new(), Vec::new());
        for (place, window) in self.windows.iter().enumerate() {
            let part = window.during(lead, &run, due(window, place), goes_on);
            if window.is_variant() && part.len() != run.len() {
                return Err(Flaw::Count {
                    playlist: window.track.playlist.clone(),
                    segments: part.len(),
                    like: lead.track.playlist.clone(),
                    expected: run.len(),
                });
            }
            if part.is_empty() && !continues {
                // What a discontinuity begins with must be there in all renditions.
                return Ok(None);
            }
            next.push(window.sequence.saturating_add(part.end as u64));
            marks.push(window.mark(part.end));
            tracks.push(window.part(lead, &run, part));
        }
        for window in &self.spare {
            let part = window.during(lead, &run, due(window, usize::MAX), goes_on);
            marks.extend((part.len() == run.len()).then(|| window.mark(part.end)));
        }
        let last = address(&lead.track, there - 1).unwrap_or_default().to_owned();
        Ok(Some(Piece {
            index: Asset { ladder: Ladder::default(), tracks },
            tracks: self.tracks.clone(),
            cursor: Cursor { next, last, marks },
            continues,
            ended: ended && there == lead.times.len(),
        }))
    }

    /// Puts all playlists on one clock: by their dates, or else by what was played of them, which goes on by their
    /// durations. At first all end now.
    fn align(&mut self, media: &BTreeMap<String, MediaPlaylist>, after: Option<&Cursor>) {
        let mut windows: Vec<&mut Window> =
            self.windows.iter_mut().chain(&mut self.spare).collect();
        let dated = windows.iter().map(|it| dates(media.get(&it.track.playlist)?));
        if let Some(all) = dated.collect::<Option<Vec<Vec<u64>>>>() {
            for (window, times) in windows.iter_mut().zip(all) {
                window.times = times;
            }
            self.is_anchored = true;
            return;
        }
        let anchor = |window: &Window| {
            let mark = after?.marks.iter().find(|mark| mark.of == window.of)?;
            Some((mark.at, window.time(window.place_of(mark)?)))
        };
        let mut anchors: Vec<Option<(u64, u64)>> = windows.iter().map(|it| anchor(it)).collect();
        let lead = windows.first().map(|it| &it.of);
        let is_marked = after.is_some_and(|it| it.marks.iter().any(|it| Some(&it.of) == lead));
        if is_marked && anchors.first() == Some(&None) {
            // It is another stream, and all begin anew.
            anchors.fill(None);
        }
        for (window, anchor) in windows.iter_mut().zip(&anchors) {
            if let Some((to, from)) = anchor {
                window.shift(*from, *to);
            }
        }
        let like = anchors.iter().position(Option::is_some);
        self.is_anchored = like.is_some();
        let Some(like) = windows.get(like.unwrap_or(0)).map(|it| (**it).clone()) else { return };
        for (window, anchor) in windows.iter_mut().zip(&anchors) {
            if anchor.is_none() {
                let (from, to) = window.beside(&like);
                window.shift(from, to);
            }
        }
    }
}

/// Whether something can play in the place of what is left out; for subtitles and I-frames that may be nothing.
fn stands_in(left: &[Kind], lost: &Kind) -> bool {
    let is_alike = |it: &Kind| match (lost, it) {
        (Kind::Variant { .. }, Kind::Variant { .. }) => true,
        (Kind::Audio { language, .. }, Kind::Audio { language: other, .. }) => language == other,
        (Kind::Variant { .. } | Kind::Audio { .. }, _) => false,
        (Kind::Subtitles { .. } | Kind::IFrames { .. }, _) => true,
    };
    left.iter().any(is_alike)
}

impl Cursor {
    /// Whether it stands behind a piece, and behind no other.
    pub(crate) fn is_behind(&self, piece: &Asset) -> bool {
        let count = piece.segments();
        count.checked_sub(1).and_then(|last| address(piece.lead(), last)) == Some(&self.last)
    }

    /// What plays.
    fn playing(&self) -> impl Iterator<Item = &Name> {
        self.marks.iter().take(self.next.len()).map(|mark| &mark.of)
    }

    fn plays(&self, name: &Name) -> bool {
        self.marks.is_empty() || self.playing().any(|it| it == name)
    }

    /// When what comes next begins, by the source's clock.
    fn at(&self) -> Option<u64> {
        self.marks.first().map(|mark| mark.at)
    }

    /// How far a playlist has come; `place` is where it was among those that play, if it is not known what these were.
    fn mark(&self, place: usize, of: &Name) -> Option<Mark> {
        if !self.marks.is_empty() {
            return self.marks.iter().find(|mark| mark.of == *of).cloned();
        }
        let (next, of) = (*self.next.get(place)?, of.clone());
        Some(Mark { of, next, at: 0, last: self.last.clone() })
    }
}
