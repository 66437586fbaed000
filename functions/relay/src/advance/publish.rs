//! Publishes playlists, and deletes what left them.

use super::{Carrier, Done, Event, News, Version, differs};
use crate::layout::Layout;
use crate::names::{PLAYLIST, RenditionName, Stem};
use crate::ports::{Clock, Ingest, IngestError, Origin, Sessions};
use crate::progress::Fault;
use crate::render::{Rendering, render};
use crate::session::Address;
use crate::settle::{deletable, forget_deleted};
use bytes::Bytes;
use futures_util::future::join_all;
use hls::{MediaSequence, Micros, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The first wait after a failed request before the endpoint is tried again; it doubles up to the longest.
const RETRY: Micros = Micros::from_millis(250);

/// The longest such wait: an endpoint that returns is seen within it.
const LONGEST_RETRY: Micros = Micros::from_secs(4);

/// An endpoint that takes longer than this for a segment gets one at a time.
const HANGS: Micros = Micros::from_secs(3);

/// A multivariant playlist waits so many target durations for renditions that are not there yet.
const COMPLETE_TARGETS: u64 = 4;

/// One endpoint, as this run knows it.
pub(super) struct Outlet<I> {
    pub(super) address: Address,
    pub(super) ingest: Arc<I>,
    pub(super) stem: Stem,
    /// What was last stored under each playlist's name, as a hash.
    given: BTreeMap<String, u64>,
    /// Of which media playlists that is what these would be rendered to.
    shown: BTreeMap<RenditionName, Basis>,
    /// The same of the multivariant playlist.
    shown_multivariant: Option<Naming>,
    /// Renditions whose playlists were stored.
    there: BTreeSet<RenditionName>,
    /// When the first of them was.
    pub(super) since: Option<Timestamp>,
    /// Renditions whose stored playlist says that nothing will follow.
    pub(super) finished: BTreeSet<RenditionName>,
    publishing: bool,
    /// Segments on their way here, reading included.
    pub(super) copies: usize,
    /// When the requests that store them began.
    pub(super) puts: BTreeMap<u64, Timestamp>,
    pub(super) failures: u32,
    retry_at: Timestamp,
    pub(super) error: Option<String>,
    pub(super) last_error: Option<Fault>,
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

/// What a media playlist is rendered from: as long as it is the same, so is the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    version: Version,
    complete: bool,
}

/// What the multivariant playlist is rendered from: how many renditions are there, as they only
/// become more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Naming {
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
    /// A media playlist: whose, and what it lists.
    Media {
        rendition: RenditionName,
        last: MediaSequence,
        listed: usize,
        ended: bool,
        basis: Basis,
    },
    /// The multivariant playlist.
    Multivariant(Naming),
}

impl<I> Outlet<I> {
    pub(super) fn new(address: Address, ingest: I) -> Self {
        Self {
            stem: Stem::of(&address),
            address,
            ingest: Arc::new(ingest),
            given: BTreeMap::new(),
            shown: BTreeMap::new(),
            shown_multivariant: None,
            there: BTreeSet::new(),
            since: None,
            finished: BTreeSet::new(),
            publishing: false,
            copies: 0,
            puts: BTreeMap::new(),
            failures: 0,
            retry_at: Timestamp::default(),
            error: None,
            last_error: None,
            segments: 0,
            bytes: 0,
        }
    }

    /// How many more copies may start: one at a time while it is not known to be well. What hangs
    /// holds memory that others need.
    pub(super) fn room(&self, concurrency: u8, now: Timestamp) -> usize {
        let hangs = self.puts.values().any(|&began| now >= began + HANGS);
        let most = match self.failures {
            0 if hangs => 1,
            0 => usize::from(concurrency),
            _ if now < self.retry_at => 0,
            _ => 1,
        };
        most.saturating_sub(self.copies)
    }

    pub(super) fn succeeded(&mut self, bytes: u64) {
        self.segments += 1;
        self.bytes += bytes;
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.publishing
    }

    fn well(&mut self) {
        self.failures = 0;
        self.error = None;
        // Else the next failure would be taken for one of those before, and be tried again at once.
        self.retry_at = Timestamp::default();
    }

    fn failed(&mut self, what: String, now: Timestamp) {
        let wait = Micros(RETRY.0 << self.failures.min(6)).min(LONGEST_RETRY);
        // Requests that fail together are one failure.
        if self.retry_at <= now {
            self.failures = self.failures.saturating_add(1);
            self.retry_at = now + wait;
        }
        self.error = Some(what.clone());
        self.last_error = Some(Fault { what, at: now });
    }

    fn ready(&self, now: Timestamp) -> bool {
        !self.publishing && (self.failures == 0 || self.retry_at <= now)
    }
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
        let retries = self.outlets.iter().filter(|o| o.failures > 0).map(|o| o.retry_at);
        let complete =
            self.outlets.iter().filter_map(|o| o.since.map(|since| since + self.patience()));
        retries.chain(complete).filter(|&at| at > now).min()
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
            for changed in &media {
                if let Some(watch) = self.watches.get_mut(&changed.rendition) {
                    watch.confirmed[endpoint] = false;
                }
            }
            let outlet = &mut self.outlets[endpoint];
            outlet.publishing = true;
            let ingest = Arc::clone(&outlet.ingest);
            let stem = outlet.stem.clone();
            self.under_way.push(Box::pin(async move {
                let (stored, result) = publish(&*ingest, &stem, media, multivariant).await;
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
            if working.is_none_or(|working| differs(mark, working) != News::None) {
                continue;
            }
            self.renderings += 1;
            let rendering = render(name, mark, track, seen, self.style, &outlet.stem, complete);
            let new = rendering.map(|rendering| (hash(&rendering.text), rendering));
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
        let patience = self.patience();
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
        if !complete && patient {
            return None;
        }
        self.renderings += 1;
        let text = match layout.renditions.values().next().filter(|_| self.master.single) {
            Some(only) => bandwidth.and_then(|bandwidth| {
                Layout::of_media(only.urls[0].clone(), bandwidth).render(&outlet.stem, &there)
            }),
            None => layout.render(&outlet.stem, &there),
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
            let (rendition, last, listed, ended) = match what {
                What::Media { rendition, last, listed, ended, basis } => {
                    outlet.shown.insert(rendition.clone(), basis);
                    (rendition, last, listed, ended)
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
            self.gave(endpoint, &rendition, last, now);
            self.start_deletes(endpoint, &rendition, listed);
        }
        if any {
            self.events.push(Event::Published(endpoint));
        }
        match result {
            Ok(()) => self.endpoint_is_well(endpoint),
            Err(error) => self.endpoint_failed(endpoint, &error, now),
        }
    }

    /// An endpoint's stored playlist of a rendition lists up to `last`.
    fn gave(
        &mut self,
        endpoint: usize,
        rendition: &RenditionName,
        last: MediaSequence,
        now: Timestamp,
    ) {
        let Some(mark) = self.working.renditions.get_mut(rendition) else { return };
        let Some(track) = mark.tracks.get_mut(endpoint) else { return };
        track.given = track.given.max(Some(last));
        let epoch = mark.epoch;
        let newest = mark.tracks.iter().filter_map(|track| track.landed(epoch)).max();
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        watch.confirmed[endpoint] = true;
        let listed = newest.and_then(|newest| watch.listed_at.get(&(epoch, newest)));
        if let Some(&listed) = listed {
            self.progress.lag_ms = Some(now.since(listed).as_millis());
        }
        let oldest = mark.tracks.iter().map(|track| mark.wanted_from(track)).min();
        watch.listed_at.retain(|key, _| oldest.is_none_or(|oldest| *key >= (epoch, oldest)));
    }

    /// Deletes what left the window, in the order in which it did.
    fn start_deletes(&mut self, endpoint: usize, rendition: &RenditionName, listed: usize) {
        let Some(mark) = self.working.renditions.get(rendition) else { return };
        let Some(track) = mark.tracks.get(endpoint) else { return };
        let due = deletable(track, listed);
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        if due.is_empty() || watch.deleting[endpoint] {
            return;
        }
        watch.deleting[endpoint] = true;
        let outlet = &self.outlets[endpoint];
        let name =
            |(epoch, sequence)| outlet.stem.segment(rendition, epoch, sequence, mark.extension);
        let names: Vec<String> = due.into_iter().map(name).collect();
        let (ingest, rendition) = (Arc::clone(&outlet.ingest), rendition.clone());
        self.under_way.push(Box::pin(async move {
            let mut count = 0;
            for name in names {
                if ingest.delete(&name).await.is_err() {
                    break;
                }
                count += 1;
            }
            Done::Deleted { endpoint, rendition, count }
        }));
    }

    pub(super) fn deleted(&mut self, endpoint: usize, rendition: &RenditionName, count: usize) {
        if let Some(watch) = self.watches.get_mut(rendition) {
            watch.deleting[endpoint] = false;
        }
        let mark = self.working.renditions.get_mut(rendition);
        if let Some(track) = mark.and_then(|mark| mark.tracks.get_mut(endpoint)) {
            forget_deleted(track, count);
        }
    }

    pub(super) fn endpoint_is_well(&mut self, endpoint: usize) {
        self.outlets[endpoint].well();
    }

    pub(super) fn endpoint_failed(&mut self, endpoint: usize, error: &IngestError, now: Timestamp) {
        let outlet = &mut self.outlets[endpoint];
        let what = format!("endpoint {}: {error}", outlet.address);
        outlet.failed(what.clone(), now);
        self.fault(now, what);
    }

    pub(super) fn is_single(&self) -> bool {
        self.master.single
    }
}

/// Stores media playlists side by side, and the multivariant playlist once all of them are there.
async fn publish<I: Ingest>(
    ingest: &I,
    stem: &Stem,
    media: Vec<Changed>,
    multivariant: Option<(String, u64, Naming)>,
) -> (Vec<Stored>, Result<(), IngestError>) {
    let puts = media.into_iter().map(|Changed { rendition, rendering, hash, basis }| async move {
        let name = stem.media(&rendition);
        let Rendering { text, last, listed, ended } = rendering;
        ingest.put(&name, PLAYLIST, Bytes::from(text)).await?;
        Ok(Stored { name, hash, what: What::Media { rendition, last, listed, ended, basis } })
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
        match ingest.put(&name, PLAYLIST, Bytes::from(text)).await {
            Ok(()) => stored.push(Stored { name, hash, what: What::Multivariant(naming) }),
            Err(error) => result = Err(error),
        }
    }
    (stored, result)
}

/// Tells one text from another within a run.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn a_failure_soon_after_a_success_is_not_tried_again_at_once() {
        let url = Url::parse("http://in.example/channel").expect("it is one");
        let mut outlet = Outlet::new(Address::of(&url), ());
        let at = |millis| Timestamp::default() + Micros::from_millis(millis);
        let mut retries = Vec::new();
        for begin in [0, 250, 750] {
            outlet.failed("down".to_owned(), at(begin));
            outlet.failed("down".to_owned(), at(begin + 1));
            retries.push(outlet.retry_at);
        }
        assert_eq!(retries, [at(250), at(750), at(1_750)], "ever longer, and together once");
        outlet.well();
        assert!(outlet.ready(at(751)));
        outlet.failed("down".to_owned(), at(760));
        assert!(!outlet.ready(at(1_009)));
        assert!(outlet.ready(at(1_010)));
    }
}
