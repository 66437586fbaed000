//! Looks at the source.

use super::{Carrier, Done, Event, Version};
use crate::anchor::{Anchor, History, anchor, stale_patience, take_up};
use crate::cadence::Cadence;
use crate::layout::Layout;
use crate::names::RenditionName;
use crate::plan::{Fates, Key};
use crate::ports::{Clock, Fetched, Ingest, Origin, OriginError, Sessions, Validators};
use crate::progress::Status;
use hls::{Limits, MediaPlaylist, Micros, MultivariantPlaylist, Playlist, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// How often the multivariant playlist is read again while nothing is wrong.
const MASTER_EVERY: Micros = Micros::from_secs(60);

/// Playlists that are due within this time are read together.
const TOGETHER: Micros = Micros::from_millis(50);

/// A source that lists nothing new for so many target durations has stalled. RFC 8216 section 6.2.1 wants
/// something new within one and a half.
const STALL_TARGETS: u64 = 3;

/// Sources that stop for this long between programmes are common.
const LEAST_STALL: Micros = Micros::from_secs(12);

/// After so many errors in a row of one media playlist the multivariant playlist is read again: it
/// may name another address.
const ERRORS_UNTIL_MASTER: u32 = 2;

/// The playlist that the session names.
#[derive(Default)]
pub(super) struct Master {
    known: Option<Validators>,
    due: Timestamp,
    polling: bool,
    pub(super) cadence: Cadence,
    pub(super) error: Option<String>,
    /// Whether it is a media playlist, and so the only one.
    pub(super) single: bool,
}

/// One media playlist of the source.
pub(super) struct Watch {
    url: Url,
    known: Option<Validators>,
    /// Where the newest version came from: what its addresses are relative to.
    base: Url,
    pub(super) seen: Option<Arc<MediaPlaylist>>,
    /// The version in which that last changed.
    pub(super) version: Version,
    due: Timestamp,
    polling: bool,
    pub(super) cadence: Cadence,
    pub(super) error: Option<String>,
    history: History,
    /// When it last listed something new.
    grew: Timestamp,
    /// When it was last read.
    looked: Timestamp,
    stale_since: Option<Timestamp>,
    /// When ENDLIST was first seen.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) fates: Fates,
    /// When segments that are not published everywhere were first seen.
    pub(super) listed_at: BTreeMap<Key, Timestamp>,
    /// Whether this run knows what was last published, per endpoint.
    pub(super) confirmed: Vec<bool>,
    /// Whether something is being deleted, per endpoint.
    pub(super) deleting: Vec<bool>,
}

impl Watch {
    fn new(url: Url, endpoints: usize) -> Self {
        Self {
            base: url.clone(),
            url,
            known: None,
            seen: None,
            version: Version::default(),
            due: Timestamp::default(),
            polling: false,
            cadence: Cadence::default(),
            error: None,
            history: History::default(),
            grew: Timestamp::default(),
            looked: Timestamp::default(),
            stale_since: None,
            ended_at: None,
            fates: Fates::new(endpoints),
            listed_at: BTreeMap::new(),
            confirmed: vec![false; endpoints],
            deleting: vec![false; endpoints],
        }
    }

    fn ended(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.ended)
    }

    /// For how long a live source has listed nothing new, when that is too long.
    pub(super) fn stalled(&self, now: Timestamp) -> Option<Micros> {
        let seen = self.seen.as_ref().filter(|seen| !seen.ended)?;
        let patience = Micros::from_secs(seen.target_duration.0.saturating_mul(STALL_TARGETS));
        let stalled = now.since(self.grew);
        (stalled >= patience.max(LEAST_STALL)).then_some(stalled)
    }

    /// The address of one of its segments.
    pub(super) fn segment_url(&self, uri: &str) -> Option<Url> {
        self.base.join(uri).ok()
    }
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Starts the looks that are due.
    pub(super) fn start_polls(&mut self, now: Timestamp) {
        if !self.master.single && !self.master.polling && self.master.due <= now {
            self.master.polling = true;
            let (origin, url) = (Arc::clone(&self.origin), self.source.clone());
            let known = self.master.known.clone();
            self.under_way.push(Box::pin(async move {
                let result = origin.playlist(&url, known.as_ref()).await;
                Done::Master { sent: now, result }
            }));
        }
        let waits = |watch: &Watch| !watch.polling && !watch.ended();
        if !self.watches.values().any(|watch| waits(watch) && watch.due <= now) {
            return;
        }
        for (name, watch) in &mut self.watches {
            if !waits(watch) || watch.due > now + TOGETHER {
                continue;
            }
            watch.polling = true;
            let (origin, url) = (Arc::clone(&self.origin), watch.url.clone());
            let (known, rendition) = (watch.known.clone(), name.clone());
            self.under_way.push(Box::pin(async move {
                let result = origin.playlist(&url, known.as_ref()).await;
                Done::Playlist { rendition, sent: now, result }
            }));
        }
    }

    /// When the next look is due, or a segment that could not be read is to be tried again.
    pub(super) fn source_due(&self, now: Timestamp) -> Timestamp {
        let master = (!self.master.single && !self.master.polling).then_some(self.master.due);
        let polls = self.watches.values().filter(|w| !w.polling && !w.ended()).map(|w| w.due);
        let retries = self
            .watches
            .values()
            .flat_map(|w| w.fates.failed.values().map(|failure| failure.retry_at));
        let retries = retries.filter(|&at| at > now);
        master.into_iter().chain(polls).chain(retries).min().unwrap_or(now + MASTER_EVERY)
    }

    /// Takes in the playlist that the session names.
    pub(super) fn saw_master(
        &mut self,
        sent: Timestamp,
        now: Timestamp,
        result: Result<Fetched, OriginError>,
    ) {
        self.master.polling = false;
        let (text, url, validators) = match result {
            Ok(Fetched::Changed { text, url, validators }) => (text, url, validators),
            Ok(Fetched::Unchanged) => return self.master_is_well(now),
            Err(OriginError::Refused { reason }) => return self.fail(now, reason),
            Err(error @ (OriginError::Gone { .. } | OriginError::Unavailable { .. })) => {
                return self.master_failed(now, error.to_string());
            }
        };
        match hls::parse(&text, &Limits::default()) {
            Ok(Playlist::Multivariant(playlist)) => {
                self.master.known = Some(validators);
                self.lay_out(playlist, &url, now);
            }
            Ok(Playlist::Media(playlist)) => {
                self.master.single = true;
                self.master.error = None;
                let layout = Layout::of_media(self.source.clone(), 0);
                let name = layout.renditions.keys().next().cloned();
                self.follow(&layout, now);
                self.place(layout);
                if let Some(name) = name {
                    self.saw_media(&name, sent, now, playlist, url, validators);
                }
            }
            Err(error) => self.master_failed(now, format!("source playlist: {error}")),
        }
    }

    /// Keeps a layout, as another version when it is another.
    fn place(&mut self, layout: Layout) {
        if self.layout.as_ref().is_none_or(|(known, _)| *known != layout) {
            self.layout = Some((layout, self.newest.next()));
        }
    }

    fn lay_out(&mut self, playlist: MultivariantPlaylist, url: &Url, now: Timestamp) {
        match Layout::of(playlist, url) {
            Ok(layout) => {
                self.follow(&layout, now);
                self.place(layout);
                self.master_is_well(now);
            }
            Err(error) => self.fail(now, error.to_string()),
        }
    }

    fn master_is_well(&mut self, now: Timestamp) {
        self.master.error = None;
        self.master.cadence = Cadence::default();
        self.master.due = now + MASTER_EVERY;
    }

    fn master_failed(&mut self, now: Timestamp, reason: String) {
        self.master.cadence.failed();
        // Without a layout there is nothing else to do; with one it can wait.
        let wait = self.master.cadence.next(now, hls::Seconds(LONGEST_MASTER_WAIT));
        self.master.due = wait;
        self.master.error = Some(reason.clone());
        self.fault(now, reason);
    }

    /// Watches the renditions of a layout.
    ///
    /// One that works keeps its address: some origins give every reader of the multivariant playlist
    /// addresses of its own.
    fn follow(&mut self, layout: &Layout, now: Timestamp) {
        let endpoints = self.outlets.len();
        self.watches.retain(|name, _| layout.renditions.contains_key(name));
        for (name, url) in &layout.renditions {
            let watch = self
                .watches
                .entry(name.clone())
                .or_insert_with(|| Watch::new(url.clone(), endpoints));
            if watch.error.is_some() && watch.url != *url {
                watch.url = url.clone();
                watch.known = None;
                watch.due = now;
            }
        }
    }

    /// Takes in a media playlist.
    pub(super) fn saw_playlist(
        &mut self,
        name: &RenditionName,
        sent: Timestamp,
        now: Timestamp,
        result: Result<Fetched, OriginError>,
    ) {
        let Some(watch) = self.watches.get_mut(name) else { return };
        watch.polling = false;
        let reason = match result {
            Ok(Fetched::Unchanged) => {
                watch.error = None;
                watch.stale_since = None;
                watch.looked = now;
                watch.cadence.found_nothing(sent);
                return self.schedule(name, now);
            }
            Ok(Fetched::Changed { text, url, validators }) => {
                match hls::parse(&text, &Limits::default()) {
                    Ok(Playlist::Media(playlist)) => {
                        return self.saw_media(name, sent, now, playlist, url, validators);
                    }
                    Ok(Playlist::Multivariant(_)) => {
                        format!(
                            "playlist of {name}: a multivariant playlist where a media playlist should be"
                        )
                    }
                    Err(error) => format!("playlist of {name}: {error}"),
                }
            }
            Err(error) => format!("playlist of {name}: {error}"),
        };
        watch.cadence.failed();
        watch.error = Some(reason.clone());
        if watch.cadence.errors() >= ERRORS_UNTIL_MASTER {
            self.master.due = self.master.due.min(now);
        }
        self.fault(now, reason);
        self.schedule(name, now);
    }

    fn saw_media(
        &mut self,
        name: &RenditionName,
        sent: Timestamp,
        now: Timestamp,
        playlist: MediaPlaylist,
        base: Url,
        validators: Validators,
    ) {
        if let Some(reason) = not_carried(&playlist) {
            return self.fail(now, format!("{name}: {reason}"));
        }
        let (first_epoch, endpoints) = (self.first_epoch(), self.outlets.len());
        let Some(watch) = self.watches.get_mut(name) else { return };
        watch.error = None;
        let before = self.working.renditions.get(name);
        let watched = now.since(watch.looked) <= Micros::from_secs(playlist.target_duration.0 * 2);
        watch.looked = now;
        let start = self.session.start;
        let mut anchor = anchor(before, &watch.history, &playlist, watched, start, now);
        if anchor == Anchor::Stale && !playlist.segments.is_empty() {
            let since = *watch.stale_since.get_or_insert(now);
            if now.since(since) >= stale_patience(&playlist) {
                anchor = Anchor::Restarted;
            }
        }
        let Some(mark) = take_up(before, &playlist, anchor, first_epoch, endpoints, now) else {
            watch.cadence.found_nothing(sent);
            return self.schedule(name, now);
        };
        if anchor == Anchor::Stale {
            watch.cadence.found_nothing(sent);
            return self.schedule(name, now);
        }
        watch.stale_since = None;
        let known = before.map(|before| (before.epoch, before.newest));
        let newest = (mark.epoch, mark.newest);
        let first_new = match known {
            Some((epoch, newest)) if epoch == mark.epoch => newest.after(1),
            _ => mark.entry,
        };
        let count = usize::try_from(mark.newest.after(1).since(first_new)).unwrap_or(usize::MAX);
        if known == Some(newest) {
            watch.cadence.found_nothing(sent);
        } else {
            let duration = playlist.segments.last().map_or(Micros::default(), |s| s.duration);
            watch.cadence.found(sent, now, duration, count);
            watch.grew = now;
            let numbers = first_new.0.max(playlist.media_sequence.0)..=mark.newest.0;
            let listed = numbers.map(|n| ((mark.epoch, hls::MediaSequence(n)), now));
            watch.listed_at.extend(listed);
        }
        if known.is_some_and(|(epoch, _)| epoch != mark.epoch) {
            watch.history = History::default();
        }
        watch.history.note(&playlist);
        watch.known = Some(validators);
        watch.base = base;
        if playlist.ended {
            watch.ended_at.get_or_insert(now);
        }
        if watch.seen.is_none() {
            // Whoever carried the session before may have seen it grow a moment ago.
            watch.grew = now;
        }
        if watch.seen.as_deref() != Some(&playlist) {
            watch.seen = Some(Arc::new(playlist));
            watch.version = self.newest.next();
        }
        match anchor {
            Anchor::Joined(entry) => {
                // Nothing was published before what is carried now.
                watch.confirmed.fill(true);
                self.events.push(Event::Joined(name.clone(), entry));
            }
            Anchor::FellBehind(missed) => {
                self.events.push(Event::FellBehind(name.clone(), missed));
            }
            Anchor::Restarted | Anchor::Renumbered(_) => {
                self.events.push(Event::Restarted(name.clone()));
            }
            Anchor::Contiguous | Anchor::Stale => {}
        }
        self.working.renditions.insert(name.clone(), mark);
        self.settle(name);
        self.schedule(name, now);
    }

    fn schedule(&mut self, name: &RenditionName, now: Timestamp) {
        let target =
            self.working.renditions.get(name).map_or(hls::Seconds(2), |m| m.target_duration);
        if let Some(watch) = self.watches.get_mut(name) {
            watch.due = watch.cadence.next(now, target);
        }
    }

    /// Ends the session: it cannot go on.
    pub(super) fn fail(&mut self, now: Timestamp, reason: String) {
        self.fault(now, reason.clone());
        self.progress.status = Status::Failed;
        self.progress.reason = Some(reason);
    }

    /// Looks at everything again, as a new run does.
    pub(super) fn forget_source(&mut self) {
        let endpoints = self.outlets.len();
        for watch in self.watches.values_mut() {
            *watch = Watch { polling: watch.polling, ..Watch::new(watch.url.clone(), endpoints) };
        }
    }
}

/// The longest wait between two tries for the multivariant playlist, in seconds.
const LONGEST_MASTER_WAIT: u64 = 5;

/// What a playlist asks for and is not carried yet.
fn not_carried(playlist: &MediaPlaylist) -> Option<&'static str> {
    let any = |test: fn(&hls::Segment) -> bool| playlist.segments.iter().any(test);
    if any(|segment| segment.map.is_some()) {
        Some("fMP4 segments (EXT-X-MAP) are not carried yet")
    } else if any(|segment| segment.key.is_some()) {
        Some("encrypted segments (EXT-X-KEY) are not carried yet")
    } else if any(|segment| segment.byte_range.is_some()) {
        Some("byte ranges (EXT-X-BYTERANGE) are not carried yet")
    } else {
        None
    }
}
