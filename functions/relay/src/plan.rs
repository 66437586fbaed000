//! What to copy next.

use crate::cursor::{Rendition, Track};
use crate::names::{Epoch, RenditionName};
use crate::parts::Along;
use crate::settle::{Fate, segments_from};
use hls::{MediaPlaylist, MediaSequence, Micros, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Names a segment within its rendition.
pub type Key = (Epoch, MediaSequence);

/// What this run knows of the segments of one rendition beyond the cursor.
#[derive(Clone, Debug, Default)]
pub struct Fates {
    /// Stored at each endpoint, not settled yet.
    pub landed: Vec<BTreeSet<Key>>,
    /// On their way to each endpoint, reading included, and since when.
    pub under_way: Vec<BTreeMap<Key, Timestamp>>,
    /// When the last one began.
    pub began: Timestamp,
    /// How long they take, per endpoint, since one landed when it was not listed any more; else zero.
    pub takes: Vec<Micros>,
    /// What those that were read have beside themselves.
    pub along: BTreeMap<Key, Along>,
    /// The source says that they are not there.
    pub gone: BTreeSet<Key>,
    /// Could not be read.
    pub failed: BTreeMap<Key, Failure>,
}

/// A segment that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How often it was tried.
    pub tries: u32,
    /// When it first could not be read.
    pub since: Timestamp,
    /// When to try again.
    pub retry_at: Timestamp,
    /// Why it could not be read the last time.
    pub reason: String,
    /// Whether another try will find the same: what is of no use, or may not be asked for.
    pub spoilt: bool,
    /// Whether the source said that it is not there.
    pub gone: bool,
}

/// A recording is not mended: by then its server has been asked seven times or more for what is spoilt.
const SPOILT: Micros = Micros::from_secs(15);

/// A segment that cannot be read for so long, although others can be, never will be.
const ALONE: Micros = Micros::from_secs(60);

/// By then it was tried so often: less often it is when there was no room to read it.
const ALONE_TRIES: u32 = 8;

/// The server of a recording that gives nothing for so long does not come back. A minute less than the end waits for
/// endpoints, so that these learn of the end.
const OUTAGE: Micros = Micros::from_secs(540);

impl Failure {
    /// Whether the segment is left out from now on: what follows is not to wait for it for ever.
    ///
    /// `ended` says that the playlist is a recording, which does not drop it, `read` when another segment of the
    /// rendition was last read.
    #[must_use]
    pub fn is_hopeless(&self, ended: bool, read: Option<Timestamp>, now: Timestamp) -> bool {
        let failing = now.since(self.since);
        let alone = read.is_some_and(|read| read > self.since);
        (alone && failing >= ALONE && self.tries >= ALONE_TRIES)
            || (ended && failing >= if self.spoilt { SPOILT } else { OUTAGE })
    }
}

impl Fates {
    /// Of a rendition with so many endpoints.
    #[must_use]
    pub fn new(endpoints: usize) -> Self {
        Self {
            landed: vec![BTreeSet::new(); endpoints],
            under_way: vec![BTreeMap::new(); endpoints],
            takes: vec![Micros(0); endpoints],
            ..Self::default()
        }
    }

    /// A segment has landed, after so long; the source's playlist may not have been read anew yet.
    pub fn arrived(
        &mut self,
        endpoint: usize,
        key: Key,
        took: Micros,
        seen: Option<&MediaPlaylist>,
    ) {
        self.landed[endpoint].insert(key);
        let Some(seen) = seen else { return };
        let takes = &mut self.takes[endpoint];
        let came_late = key.1 < seen.media_sequence || *takes > Micros(0);
        let is_slow = came_late && took >= seen.target_duration.into();
        *takes = if is_slow { took } else { Micros(0) };
    }

    /// What became of a segment at an endpoint.
    #[must_use]
    pub fn of(&self, endpoint: usize, key: Key) -> Fate {
        if self.landed[endpoint].contains(&key) {
            Fate::Landed
        } else if self.gone.contains(&key) {
            Fate::Gone
        } else {
            Fate::Waiting
        }
    }

    /// Whether an endpoint lacks a segment that the source gives, as far as is known.
    #[must_use]
    pub fn lacks(&self, endpoint: usize, key: Key) -> bool {
        let given = !self.gone.contains(&key) && !self.failed.contains_key(&key);
        given && !self.landed[endpoint].contains(&key)
    }

    /// Whether an endpoint has all that the source lists, but for what the source says is not there.
    #[must_use]
    pub fn complete(&self, mark: &Rendition, track: &Track, seen: &MediaPlaylist) -> bool {
        let mut lacking = segments_from(seen, mark.wanted_from(track));
        lacking.all(|(sequence, _)| self.gone.contains(&(mark.epoch, sequence)))
    }

    /// Forgets what the cursor knows by now.
    pub fn forget(&mut self, rendition: &Rendition) {
        for (landed, track) in self.landed.iter_mut().zip(&rendition.tracks) {
            let wanted = rendition.wanted_from(track);
            landed.retain(|&(epoch, sequence)| epoch == rendition.epoch && sequence >= wanted);
        }
        let wanted = rendition.tracks.iter().map(|track| rendition.wanted_from(track)).min();
        let lacking =
            |key: &Key| key.0 == rendition.epoch && wanted.is_none_or(|wanted| key.1 >= wanted);
        self.gone.retain(lacking);
        self.along.retain(|key, _| lacking(key));
        self.failed.retain(|key, _| lacking(key));
    }
}

/// One segment to read, and the endpoints that lack it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Whose it is.
    pub rendition: RenditionName,
    /// Which it is.
    pub key: Key,
    /// Where it goes.
    pub endpoints: Vec<usize>,
}

/// One rendition, as far as it is known.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Its name.
    pub name: &'a RenditionName,
    /// Its mark.
    pub mark: &'a Rendition,
    /// The source's playlist.
    pub seen: &'a MediaPlaylist,
    /// What became of its segments.
    pub fates: &'a Fates,
}

/// What can be copied now, the oldest segments first and the renditions in turn: first that of which nothing
/// has begun for longest.
///
/// `room` is how many more copies each endpoint takes.
#[must_use]
pub fn plan(views: &[View<'_>], mut room: Vec<usize>, now: Timestamp) -> Vec<Copy> {
    let mut views = views.to_vec();
    // Where there is room for one, each has its turn.
    views.sort_by_key(|view| view.fates.began);
    let mut columns: Vec<_> = views.iter().map(|&view| lacking(view, now)).collect();
    let mut copies = Vec::new();
    while room.iter().any(|&room| room != 0) {
        let mut exhausted = true;
        for (view, column) in views.iter().zip(&mut columns) {
            let Some((key, mut endpoints)) = column.next() else { continue };
            exhausted = false;
            endpoints.retain(|&endpoint| room[endpoint] > 0);
            for &endpoint in &endpoints {
                room[endpoint] -= 1;
            }
            if !endpoints.is_empty() {
                copies.push(Copy { rendition: view.name.clone(), key, endpoints });
            }
        }
        if exhausted {
            break;
        }
    }
    copies
}

/// The first segment that will still be listed when it has landed, if that takes so long: a live list drops its first
/// segments as new ones come, each some time after the look.
fn in_time(seen: &MediaPlaylist, takes: Micros) -> MediaSequence {
    let stays = seen.ended || seen.playlist_type.is_some();
    let mut listed = Micros(0);
    let late = seen.segments.iter().take_while(|segment| {
        listed += segment.duration;
        !stays && listed < takes + takes.min(segment.duration)
    });
    seen.media_sequence.after(late.count() as u64)
}

/// The segments of one rendition that an endpoint lacks and that can be tried now, oldest first.
fn lacking(view: View<'_>, now: Timestamp) -> impl Iterator<Item = (Key, Vec<usize>)> {
    let View { mark, seen, fates, .. } = view;
    let lacks = move |endpoint: usize, key: Key| {
        !fates.landed[endpoint].contains(&key) && !fates.under_way[endpoint].contains_key(&key)
    };
    let candidates = move |first| {
        segments_from(seen, first).filter_map(move |(sequence, segment)| {
            let key = (mark.epoch, sequence);
            let later = fates.failed.get(&key).is_some_and(|failure| now < failure.retry_at);
            (!segment.gap && !later && !fates.gone.contains(&key)).then_some(key)
        })
    };
    // What would come too late is tried when there is nothing else to do, the newest first.
    let first = |(endpoint, track): (usize, &Track)| {
        let (wanted, in_time) = (mark.wanted_from(track), in_time(seen, fates.takes[endpoint]));
        let busy = !fates.under_way[endpoint].is_empty();
        if in_time <= wanted || busy || candidates(in_time).any(|key| lacks(endpoint, key)) {
            return wanted.max(in_time);
        }
        candidates(wanted).filter(|&key| lacks(endpoint, key)).last().map_or(wanted, |key| key.1)
    };
    let firsts: Vec<MediaSequence> = mark.tracks.iter().enumerate().map(first).collect();
    candidates(firsts.iter().min().copied().unwrap_or(mark.entry)).filter_map(move |key| {
        let lacks = |&endpoint: &usize| key.1 >= firsts[endpoint] && lacks(endpoint, key);
        let endpoints: Vec<usize> = (0..firsts.len()).filter(lacks).collect();
        (!endpoints.is_empty()).then_some((key, endpoints))
    })
}
