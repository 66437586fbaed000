//! Looks at the source.

use super::again::Reader;
use super::master::MASTER_EVERY;
use super::watch::{Asked, LEAST_IDLE, Watch};
use super::{Carrier, Done, Event, Lost};
use crate::anchor::{Anchor, take_up};
use crate::cause::Cause;
use crate::cursor::Rendition;
use crate::gaps;
use crate::layout::place;
use crate::look::read;
use crate::names::RenditionName;
use crate::ports::{Clock, Fetched, Ingest, Origin, OriginError, Sessions, Validators};
use crate::progress::Status;
use crate::settle::pass_over;
use hls::{AttributeList, MediaPlaylist, Micros, Playlist, Seconds, Timestamp};
use std::sync::Arc;
use url::Url;

/// Playlists that are due within this time are read together.
const TOGETHER: Micros = Micros::from_millis(50);

/// What the target duration is taken for before a playlist was read.
pub(super) const UNKNOWN_TARGET: Seconds = Seconds(2);

/// After so many errors in a row of one media playlist the multivariant playlist is read again: it
/// may name another address.
const ERRORS_UNTIL_MASTER: u32 = 2;

/// After so many more it is read where the session names it: where that led to was made for this reader, and may
/// name what has ended by now.
const ERRORS_UNTIL_AFRESH: u32 = 4;

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Starts the looks that are due.
    pub(super) fn start_polls(&mut self, now: Timestamp) {
        self.turn_from_what_gives_nothing(now);
        if self.master.due().is_some_and(|due| due <= now) {
            self.look_at_master(now);
        }
        let due = |limit| move |due: Timestamp| due <= limit;
        if !self.watches.values().filter_map(Watch::due).any(due(now)) {
            return;
        }
        for (name, watch) in &mut self.watches {
            if !watch.due().is_some_and(due(now + TOGETHER)) {
                continue;
            }
            let (asked, known) = watch.ask(name, self.holds, now);
            self.held += usize::from(asked.held.is_some());
            let reader = Reader::new(&self.origin, &self.clock, watch.looks.took, &Arc::default());
            self.under_way.push(Box::pin(async move {
                let result = match asked.held {
                    None => reader.playlist(&asked.url, known.as_ref()).await,
                    Some(within) => reader.origin.held(&asked.url, within).await,
                };
                Done::Playlist { asked, result }
            }));
        }
    }

    /// Looks elsewhere for what gives nothing: where the same stream is listed as well, and in the multivariant
    /// playlist, which may name another address.
    fn turn_from_what_gives_nothing(&mut self, now: Timestamp) {
        // No source is to blame while this machine stood still.
        let excused = self.sources.excused + LEAST_IDLE;
        for watch in self.watches.values_mut() {
            if watch.turn_due().is_some_and(|due| due.max(excused) <= now) {
                watch.turn(now);
                self.master.looks.due = self.master.looks.due.min(now);
            }
        }
    }

    /// When the next look is due, or a segment that could not be read is to be tried again.
    pub(super) fn source_due(&self, now: Timestamp) -> Timestamp {
        let polls = self.watches.values().filter_map(Watch::due);
        let excused = self.sources.excused + LEAST_IDLE;
        let turns = self.watches.values().filter_map(Watch::turn_due).map(|due| due.max(excused));
        let failures = self.watches.values().flat_map(|watch| watch.fates.failed.values());
        let retries = failures.map(|failure| failure.retry_at).filter(|&at| at > now);
        self.master
            .due()
            .into_iter()
            .chain(polls)
            .chain(turns)
            .chain(retries)
            .min()
            .unwrap_or(now + MASTER_EVERY)
    }

    /// Takes in a media playlist.
    pub(super) fn saw_playlist(
        &mut self,
        asked: &Asked,
        now: Timestamp,
        result: Result<Fetched, OriginError>,
    ) {
        let name = &asked.rendition;
        let Some(watch) = self.watches.get_mut(name) else { return };
        let at_once = result.is_ok() && asked.held.is_none();
        watch.looks.ended(at_once.then(|| now.since(asked.sent)));
        // Of an answer that was held all that is known is when it came.
        let sent = if asked.held.is_some() { now } else { asked.sent };
        let reason = match result {
            Ok(Fetched::Unchanged) | Err(_) if asked.held.is_some() => {
                watch.held(false, now);
                return;
            }
            Ok(Fetched::Unchanged) => {
                watch.unchanged(sent, now);
                if let Some(mark) = self.working.renditions.get_mut(name) {
                    mark.doubted = None;
                }
                return self.schedule(name, now);
            }
            Ok(Fetched::Changed { text, url, validators }) => {
                match read(&text, &self.master.variables, &url).map(|(playlist, _)| playlist) {
                    Ok(Playlist::Media(playlist)) => {
                        watch.found_at(&asked.url, &url);
                        self.saw_media(name, sent, now, playlist, url, validators);
                        if let (Some(_), Some(watch)) = (asked.held, self.watches.get_mut(name)) {
                            watch.held(watch.grew == now, now);
                        }
                        return;
                    }
                    Ok(Playlist::Multivariant(_)) => {
                        format!(
                            "playlist of {name}: a multivariant playlist where a media playlist should be"
                        )
                    }
                    Err(error) => format!("playlist of {name}: {error}"),
                }
            }
            // What was made for this reader may last for a while only.
            Err(_) if watch.looks.go_back(now) => return,
            Err(error) => format!("playlist of {name}: {error}"),
        };
        self.not_seen(name, now, reason);
    }

    /// A look at a media playlist gave nothing.
    fn not_seen(&mut self, name: &RenditionName, now: Timestamp, reason: String) {
        let Some(watch) = self.watches.get_mut(name) else { return };
        watch.looks.failed(reason.clone());
        if watch.looks.errors() >= ERRORS_UNTIL_MASTER {
            watch.fail_over(now);
            self.master.looks.due = self.master.looks.due.min(now);
        }
        if watch.looks.errors().is_multiple_of(ERRORS_UNTIL_AFRESH) {
            self.master.looks.go_back(now);
        }
        self.fault(now, reason);
        self.schedule(name, now);
    }

    pub(super) fn saw_media(
        &mut self,
        name: &RenditionName,
        sent: Timestamp,
        now: Timestamp,
        mut playlist: MediaPlaylist,
        base: Url,
        validators: Validators,
    ) {
        let Some(watch) = self.watches.get_mut(name) else { return };
        let is_half = watch.looks.leave_out_half(&mut playlist, now);
        // They are those of the whole.
        let validators = if is_half { Validators::default() } else { validators };
        if !self.fits(name, &playlist, sent) {
            return self.schedule(name, now);
        }
        if playlist.ended && playlist.segments.is_empty() {
            return self.not_seen(
                name,
                now,
                format!("playlist of {name}: it ends, and lists nothing"),
            );
        }
        resolve_keys(&mut playlist, &base);
        resolve_interstitials(&mut playlist, &base);
        let (first_epoch, endpoints) = (self.first_epoch(), self.outlets.len());
        let Some(watch) = self.watches.get_mut(name) else { return };
        let before = self.working.renditions.get(name);
        let source = self.working.source;
        let anchor = watch.anchor(before, &playlist, source, self.session.start, now);
        let mark = take_up(before, &playlist, anchor, first_epoch, endpoints, now);
        let mut mark = match (mark, anchor) {
            (Some(mark), Anchor::Doubtful) => {
                watch.looks.found_nothing(sent);
                self.working.renditions.insert(name.clone(), mark);
                return self.schedule(name, now);
            }
            (None, _) | (_, Anchor::Stale) => {
                watch.looks.found_nothing(sent);
                return self.schedule(name, now);
            }
            (Some(mark), _) => {
                let listed = self.layout.as_ref().and_then(|(it, _)| it.renditions.get(name));
                let (place, alike) =
                    (Some(place(watch.url())), listed.and_then(|listed| listed.alike));
                Rendition { source, place, alike, ..mark }
            }
        };
        let furthest = watch.furthest((mark.epoch, playlist.media_sequence));
        pass_over(&mut mark, &playlist, furthest);
        gaps::restore(&mark, &mut playlist);
        let known = before.map(|before| (before.epoch, before.newest));
        watch.learn(known, &mark, &playlist, sent, now);
        let other = watch.seen.as_deref() != Some(&playlist);
        watch.looks.told(validators, other);
        watch.base = base;
        if other {
            watch.seen = Some(Arc::new(playlist));
            watch.version = self.newest.next();
        }
        self.events.extend(event_of(name, anchor));
        self.working.renditions.insert(name.clone(), mark);
        self.settle(name);
        self.schedule(name, now);
    }

    fn schedule(&mut self, name: &RenditionName, now: Timestamp) {
        let target =
            self.working.renditions.get(name).map_or(UNKNOWN_TARGET, |m| m.target_duration);
        if let Some(watch) = self.watches.get_mut(name) {
            watch.schedule(target, self.holds, now);
        }
    }

    /// Ends the session: it cannot go on.
    pub(super) fn fail(&mut self, now: Timestamp, cause: Cause, reason: String) {
        self.fault(now, reason.clone());
        self.progress.status = Status::Failed;
        self.progress.reason = Some(reason);
        self.progress.causes = [cause].into();
    }

    /// Looks at everything again, as a new run does.
    pub(super) fn forget_source(&mut self) {
        let endpoints = self.outlets.len();
        self.lost = Lost::default();
        for (name, watch) in &mut self.watches {
            watch.forget(self.committed.renditions.get(name), endpoints);
        }
    }
}

/// What is shown of how a playlist goes with what was seen before.
fn event_of(name: &RenditionName, anchor: Anchor) -> Option<Event> {
    let name = name.clone();
    match anchor {
        Anchor::Joined(entry) => Some(Event::Joined(name, entry)),
        Anchor::FellBehind(missed) => Some(Event::FellBehind(name, missed)),
        Anchor::Restarted | Anchor::Renumbered(_) | Anchor::Switched(_) => {
            Some(Event::Restarted(name))
        }
        Anchor::Contiguous | Anchor::Stale | Anchor::Doubtful => None,
    }
}

/// Makes the addresses of keys whole: some of them are stated to players.
pub(super) fn resolve_keys(playlist: &mut MediaPlaylist, base: &Url) {
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

/// Makes the addresses of interstitials whole: they lie at the source.
fn resolve_interstitials(playlist: &mut MediaPlaylist, base: &Url) {
    const RANGE: &str = "#EXT-X-DATERANGE:";
    let lines = playlist.segments.iter_mut().map(|segment| &mut segment.lines);
    for line in lines.chain([&mut playlist.trailer]).flatten() {
        let Some(value) = line.strip_prefix(RANGE).filter(|it| it.contains("X-ASSET-")) else {
            continue;
        };
        let mut range = AttributeList::new(value);
        for name in ["X-ASSET-URI", "X-ASSET-LIST"] {
            let relative = range.get(name).filter(|uri| Url::parse(uri).is_err());
            if let Some(url) = relative.and_then(|uri| base.join(uri).ok()) {
                range.set_quoted(name, url.as_str());
            }
        }
        *line = format!("{RANGE}{range}");
    }
}
