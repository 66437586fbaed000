//! Looks at the source.

use super::{Carrier, Done, Event, Version};
use crate::abilities::Role;
use crate::anchor::{Anchor, History, anchor, stale_patience, switched, take_up};
use crate::cadence::Cadence;
use crate::cursor::Rendition;
use crate::layout::{Layout, Listed};
use crate::names::RenditionName;
use crate::plan::{Fates, Key};
use crate::ports::{Clock, Fetched, Ingest, Origin, OriginError, Sessions, Validators};
use crate::progress::Status;
use hls::{
    AttributeList, Limits, MediaPlaylist, Micros, MultivariantPlaylist, Playlist, Timestamp,
    Variables,
};
use std::collections::{BTreeMap, BTreeSet};
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

/// After so many errors in a row a session ends without a rendition that it can do without.
const ERRORS_UNTIL_LOST: u32 = 4;

/// The playlist that the session names.
#[derive(Default)]
pub(super) struct Master {
    known: Option<Validators>,
    due: Timestamp,
    polling: bool,
    pub(super) cadence: Cadence,
    pub(super) error: Option<String>,
    /// What it defines for the media playlists.
    variables: Variables,
    /// Whether it is a media playlist, and so the only one.
    pub(super) single: bool,
}

/// One media playlist of the source.
pub(super) struct Watch {
    /// Where it is read; the first is, until it fails.
    urls: Vec<Url>,
    pub(super) role: Role,
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
    pub(super) grew: Timestamp,
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
    fn new(listed: &Listed, endpoints: usize) -> Self {
        let Listed { urls, role, .. } = listed.clone();
        Self {
            base: urls[0].clone(),
            urls,
            role,
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

    /// The same, looked at anew.
    fn again(watch: &Self, endpoints: usize) -> Self {
        let (urls, role) = (watch.urls.clone(), watch.role);
        Self::new(&Listed { urls, role, codecs: BTreeSet::new() }, endpoints)
    }

    fn url(&self) -> &Url {
        &self.urls[0]
    }

    /// Reads the same stream elsewhere from now on.
    fn fail_over(&mut self) {
        if self.urls.len() > 1 {
            self.urls.rotate_left(1);
            self.known = None;
        }
    }

    /// Whether a session can do without it, and must: there is no playlist.
    pub(super) fn is_lost(&self) -> bool {
        let can = matches!(self.role, Role::Subtitles | Role::IFrames);
        can && self.seen.is_none() && self.cadence.errors() >= ERRORS_UNTIL_LOST
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

    /// What its addresses are relative to.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The address that `uri` is.
    pub(super) fn url_of(&self, uri: &str) -> Option<Url> {
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
            let (origin, url) = (Arc::clone(&self.origin), self.source().clone());
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
            let (origin, url) = (Arc::clone(&self.origin), watch.url().clone());
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
        let (text, variables) = hls::substitute(&text, &Variables::new(), parameter(&url));
        match hls::parse(&text, &Limits::default()) {
            Ok(Playlist::Multivariant(playlist)) => {
                self.master.variables = variables;
                self.master.known = Some(validators);
                self.lay_out(playlist, &url, now);
            }
            Ok(Playlist::Media(playlist)) => {
                self.master.single = true;
                self.master.error = None;
                let layout = Layout::of_media(self.source().clone(), 0);
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
    pub(super) fn place(&mut self, layout: Layout) {
        if self.layout.as_ref().is_none_or(|(known, _)| *known != layout) {
            self.layout = Some((layout, self.newest.next()));
        }
    }

    fn lay_out(&mut self, playlist: MultivariantPlaylist, url: &Url, now: Timestamp) {
        let layout = Layout::of(self.session.options.filter.apply(playlist), url);
        let layout = layout.map_err(|error| error.to_string());
        match layout.and_then(|layout| self.fit(layout)) {
            Ok(layout) => {
                self.follow(&layout, now);
                self.place(layout);
                self.master_is_well(now);
            }
            // What was carried so far can go on.
            Err(reason) if !self.committed.renditions.is_empty() => self.master_failed(now, reason),
            Err(reason) => self.fail(now, reason),
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
        for (name, listed) in &layout.renditions {
            let new = || Watch::new(listed, endpoints);
            let watch = self.watches.entry(name.clone()).or_insert_with(new);
            // In another order they are the same: the first may be what fails.
            let moved = watch.urls.len() != listed.urls.len()
                || !listed.urls.iter().all(|url| watch.urls.contains(url));
            if watch.error.is_some() && moved {
                watch.urls.clone_from(&listed.urls);
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
                let (text, _) = hls::substitute(&text, &self.master.variables, parameter(&url));
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
            watch.fail_over();
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
        mut playlist: MediaPlaylist,
        base: Url,
        validators: Validators,
    ) {
        match self.fits(name, &playlist) {
            Ok(true) => {}
            Ok(false) => return,
            Err(reason) => return self.fail(now, reason),
        }
        resolve_keys(&mut playlist, &base);
        let (first_epoch, endpoints) = (self.first_epoch(), self.outlets.len());
        let Some(watch) = self.watches.get_mut(name) else { return };
        watch.error = None;
        let before = self.working.renditions.get(name);
        let watched = now.since(watch.looked) <= Micros::from_secs(playlist.target_duration.0 * 2);
        watch.looked = now;
        let start = self.session.start;
        let source = self.working.source;
        let mut anchor = match before {
            Some(before) if before.source != source => switched(&playlist),
            _ => anchor(before, &watch.history, &playlist, watched, start, now),
        };
        if anchor == Anchor::Stale && !playlist.segments.is_empty() {
            let since = *watch.stale_since.get_or_insert(now);
            if now.since(since) >= stale_patience(&playlist) {
                anchor = Anchor::Restarted;
            }
        }
        let mark = take_up(before, &playlist, anchor, first_epoch, endpoints, now);
        let Some(mark) = mark.map(|mark| Rendition { source, ..mark }) else {
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
            Anchor::Restarted | Anchor::Renumbered(_) | Anchor::Switched(_) => {
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
            *watch = Watch { polling: watch.polling, ..Watch::again(watch, endpoints) };
        }
    }
}

/// The longest wait between two tries for the multivariant playlist, in seconds.
const LONGEST_MASTER_WAIT: u64 = 5;

/// What a parameter in the query string of an address is.
fn parameter(url: &Url) -> impl Fn(&str) -> Option<String> {
    |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Makes the addresses of keys whole: some of them are stated to players.
fn resolve_keys(playlist: &mut MediaPlaylist, base: &Url) {
    let resolve = |keys: &mut Arc<[AttributeList]>| {
        let whole = |key: &AttributeList| {
            let mut key = key.clone();
            if let Some(url) = key.get("URI").and_then(|uri| base.join(uri).ok()) {
                key.set_quoted("URI", url.as_str());
            }
            key
        };
        if !keys.is_empty() {
            *keys = keys.iter().map(whole).collect();
        }
    };
    for segment in &mut playlist.segments {
        resolve(&mut segment.keys);
        if let Some(map) = segment.map.as_mut().filter(|map| !map.keys.is_empty()) {
            resolve(&mut Arc::make_mut(map).keys);
        }
    }
}
