//! Publishes playlists.

use super::again::Sender;
use super::commit::{News, differs};
use super::source::UNKNOWN_TARGET;
use super::{Carrier, Done, Event, Outlet, Version};
use crate::cause::Cause;
use crate::names::{PLAYLIST, RenditionName, Stem};
use crate::ports::{Clock, Ingest, IngestError, Origin, Sessions};
use crate::render::{Rendering, render};
use crate::stay::dropped;
use bytes::Bytes;
use futures_util::future::join_all;
use hls::{MediaSequence, Micros, Timestamp};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A multivariant playlist waits so many target durations for renditions that are not there yet.
const COMPLETE_TARGETS: u64 = 4;

/// What a media playlist is rendered from: as long as it is the same, so is the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    version: Version,
    complete: bool,
}

/// What the multivariant playlist is rendered from: how many renditions are there, as they only
/// become more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Naming {
    layout: Version,
    there: usize,
    bandwidth: Option<u64>,
}

/// A media playlist to be stored.
struct Changed {
    rendition: RenditionName,
    rendering: Rendering,
    hash: u64,
    basis: Basis,
}

/// A playlist that was stored.
pub(super) struct Stored {
    name: String,
    hash: u64,
    what: What,
}

/// Which playlist was stored.
enum What {
    /// A media playlist: whose, and from where up to where.
    Media {
        rendition: RenditionName,
        first: MediaSequence,
        last: MediaSequence,
        ended: bool,
        basis: Basis,
    },
    /// The multivariant playlist.
    Multivariant(Naming),
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// When an endpoint that failed is to be tried again.
    pub(super) fn outlets_due(&self, now: Timestamp) -> Option<Timestamp> {
        let retries = self.outlets.iter().map(|o| o.retry_at);
        let reads = self.outlets.iter().filter_map(Outlet::read_due);
        let complete =
            self.outlets.iter().filter_map(|o| o.since.map(|since| since + self.patience()));
        retries.chain(reads).chain(complete).filter(|&at| at > now).min()
    }

    /// Stores the playlists that changed: media playlists first, then the multivariant playlist.
    pub(super) fn start_publishing(&mut self, now: Timestamp) {
        for endpoint in 0..self.outlets.len() {
            if !self.outlets[endpoint].ready(now) {
                continue;
            }
            let media = self.changed_media(endpoint);
            let multivariant = self.changed_multivariant(endpoint, &media, now);
            if media.is_empty() && multivariant.is_none() {
                continue;
            }
            // Until the answer comes, and after a failure, what is stored there is not known.
            for Changed { rendition, rendering, .. } in &media {
                if let Some(watch) = self.watches.get_mut(rendition) {
                    let newest = &mut watch.offered[endpoint].newest;
                    *newest = (*newest).max(Some(rendering.last));
                }
            }
            let outlet = &mut self.outlets[endpoint];
            outlet.publishing = true;
            let (sender, stem) = (outlet.sender(&self.clock), outlet.stem.clone());
            self.under_way.push(Box::pin(async move {
                let (stored, result) = publish(&sender, &stem, media, multivariant).await;
                Done::Published { endpoint, stored, result }
            }));
        }
    }

    /// The media playlists that say something else than what the endpoint was last given.
    ///
    /// Rendering is most of the work of a wake, so what was compared is not rendered again before
    /// something that shows in it has changed.
    fn changed_media(&mut self, endpoint: usize) -> Vec<Changed> {
        let outlet = &mut self.outlets[endpoint];
        let mut changed = Vec::new();
        for (name, watch) in &self.watches {
            let (Some(mark), Some(seen)) =
                (self.committed.renditions.get(name), watch.seen.as_deref())
            else {
                continue;
            };
            let Some(track) = mark.tracks.get(endpoint) else { continue };
            let complete = watch.fates.complete(mark, track, seen);
            let basis = Basis { version: watch.version.max(self.lasted), complete };
            if outlet.shown.get(name) == Some(&basis) {
                continue;
            }
            // The newest lines go with the working cursor; only what has lasted is shown.
            let working = self.working.renditions.get(name);
            let Some(working) = working.filter(|working| differs(mark, working) == News::None)
            else {
                continue;
            };
            self.renderings += 1;
            let rendering = render(name, mark, track, seen, self.style, &outlet.stem, complete);
            let new = rendering.map(|rendering| (hash(&rendering.text), rendering));
            // What only leaves stays listed where too little would be left: what comes next takes it along.
            let last = working.tracks.get(endpoint).and_then(|track| track.given);
            let new = new.filter(|(_, it)| !it.short || it.ended || last != Some(it.last));
            let given = outlet.given.get(&outlet.stem.media(name));
            match new.filter(|(hash, _)| given != Some(hash)) {
                Some((hash, rendering)) => {
                    changed.push(Changed { rendition: name.clone(), rendering, hash, basis });
                }
                None => {
                    outlet.shown.insert(name.clone(), basis);
                }
            }
        }
        changed
    }

    /// The multivariant playlist, when it says something else than what the endpoint was last given,
    /// or will have been with `media`.
    ///
    /// It waits until all renditions are there, as packagers do not like them to come later; after a
    /// while it is published without those that are missing.
    fn changed_multivariant(
        &mut self,
        endpoint: usize,
        media: &[Changed],
        now: Timestamp,
    ) -> Option<(String, u64, Naming)> {
        let (patience, closed) = (self.patience(), self.has_closed(endpoint));
        let outlet = &mut self.outlets[endpoint];
        let (layout, version) = self.layout.as_ref()?;
        let new = media.iter().map(|changed| &changed.rendition);
        let new = new.filter(|&name| !outlet.there.contains(name));
        let bandwidth = self.master.single.then_some(self.committed.bandwidth).flatten();
        let there = outlet.there.len() + new.clone().count();
        let naming = Naming { layout: *version, there, bandwidth };
        if outlet.shown_multivariant == Some(naming) {
            return None;
        }
        let there: BTreeSet<_> = outlet.there.iter().chain(new).cloned().collect();
        let complete = layout.renditions.keys().all(|name| there.contains(name));
        let patient = outlet.since.is_none_or(|since| now < since + patience);
        if !complete && patient && !closed {
            return None;
        }
        self.renderings += 1;
        let text = if self.master.single {
            bandwidth.and_then(|it| layout.clone().of_bandwidth(it).render(&outlet.stem, &there))
        } else {
            layout.render(&outlet.stem, &there)
        };
        let new = text.map(|text| (hash(&text), text));
        let given = outlet.given.get(&outlet.stem.multivariant());
        match new.filter(|(hash, _)| given != Some(hash)) {
            Some((hash, text)) => Some((text, hash, naming)),
            None => {
                // With what is only on its way the same number may come to be others.
                if outlet.there.len() == naming.there {
                    outlet.shown_multivariant = Some(naming);
                }
                None
            }
        }
    }

    fn patience(&self) -> Micros {
        let targets = self.committed.renditions.values().map(|mark| mark.target_duration);
        let longest = targets.max().unwrap_or_default();
        Micros(Micros::from(longest).0.saturating_mul(COMPLETE_TARGETS))
    }

    /// Takes in what was stored at an endpoint.
    pub(super) fn published(
        &mut self,
        endpoint: usize,
        stored: Vec<Stored>,
        result: Result<(), IngestError>,
        now: Timestamp,
    ) {
        self.outlets[endpoint].publishing = false;
        let any = !stored.is_empty();
        for Stored { name, hash, what } in stored {
            let outlet = &mut self.outlets[endpoint];
            outlet.given.insert(name, hash);
            let (rendition, first, last, ended) = match what {
                What::Media { rendition, first, last, ended, basis } => {
                    outlet.shown.insert(rendition.clone(), basis);
                    (rendition, first, last, ended)
                }
                What::Multivariant(naming) => {
                    outlet.shown_multivariant = Some(naming);
                    continue;
                }
            };
            outlet.since.get_or_insert(now);
            outlet.there.insert(rendition.clone());
            if ended {
                outlet.finished.insert(rendition.clone());
            }
            self.gave(endpoint, &rendition, (first, last), now);
            self.start_deletes(endpoint, &rendition, now);
        }
        if any {
            self.moved = now;
            self.events.push(Event::Published(endpoint));
        }
        match result {
            Ok(()) => self.outlets[endpoint].took_playlists(),
            Err(error) => {
                self.endpoint_failed(endpoint, &error, now);
                self.outlets[endpoint].refused_playlists();
            }
        }
    }

    /// An endpoint's stored playlist of a rendition lists what is numbered `first` to `last`.
    fn gave(
        &mut self,
        endpoint: usize,
        rendition: &RenditionName,
        (first, last): (MediaSequence, MediaSequence),
        now: Timestamp,
    ) {
        let Some(mark) = self.working.renditions.get_mut(rendition) else { return };
        let Some(track) = mark.tracks.get_mut(endpoint) else { return };
        track.given = track.given.max(Some(last));
        if self.style.deletes {
            dropped(track, first, mark.target_duration.into(), now);
        }
        let epoch = mark.epoch;
        let newest = mark.tracks.iter().filter_map(|track| track.landed(epoch)).max();
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        watch.offered[endpoint].newest = Some(last);
        let listed = newest.and_then(|newest| watch.listed_at.get(&(epoch, newest)));
        if let Some(&listed) = listed {
            self.progress.lag_ms = Some(now.since(listed).as_millis());
        }
        let oldest = mark.tracks.iter().map(|track| mark.wanted_from(track)).min();
        watch.listed_at.retain(|key, _| oldest.is_none_or(|oldest| *key >= (epoch, oldest)));
    }

    pub(super) fn endpoint_failed(&mut self, endpoint: usize, error: &IngestError, now: Timestamp) {
        let targets = self.working.renditions.values().map(|mark| mark.target_duration);
        let target = targets.min().unwrap_or(UNKNOWN_TARGET);
        let outlet = &mut self.outlets[endpoint];
        let what = format!("endpoint {}: {error}", outlet.address);
        let cause = match error {
            IngestError::Denied { .. } => Cause::Denied,
            IngestError::Unavailable { .. } => Cause::Endpoint,
        };
        outlet.failed(cause, what.clone(), target, now);
        self.fault(now, what);
    }
}

/// Stores media playlists side by side, and the multivariant playlist once all of them are there.
async fn publish<I: Ingest, C: Clock>(
    sender: &Sender<I, C>,
    stem: &Stem,
    media: Vec<Changed>,
    multivariant: Option<(String, u64, Naming)>,
) -> (Vec<Stored>, Result<(), IngestError>) {
    let puts = media.into_iter().map(|Changed { rendition, rendering, hash, basis }| async move {
        let name = stem.media(&rendition);
        let Rendering { text, first, last, ended, .. } = rendering;
        sender.put(&name, PLAYLIST, Bytes::from(text)).await?;
        Ok(Stored { name, hash, what: What::Media { rendition, first, last, ended, basis } })
    });
    let mut stored = Vec::new();
    let mut result = Ok(());
    for put in join_all(puts).await {
        match put {
            Ok(put) => stored.push(put),
            Err(error) => result = Err(error),
        }
    }
    if let (Ok(()), Some((text, hash, naming))) = (&result, multivariant) {
        let name = stem.multivariant();
        match sender.put(&name, PLAYLIST, Bytes::from(text)).await {
            Ok(()) => stored.push(Stored { name, hash, what: What::Multivariant(naming) }),
            Err(error) => result = Err(error),
        }
    }
    (stored, result)
}

/// Tells one from another within a run.
pub(super) fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
