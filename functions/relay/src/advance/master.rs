//! Looks at the playlist that the session names.

use super::again::Reader;
use super::looks::Looks;
use super::watch::Watch;
use super::{Carrier, Done};
use crate::cause::Cause;
use crate::layout::Layout;
use crate::look::read;
use crate::names::RenditionName;
use crate::ports::{Clock, Fetched, Ingest, Origin, OriginError, Sessions};
use hls::{Micros, MultivariantPlaylist, Playlist, Seconds, Timestamp, Variables};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// How often the multivariant playlist is read again while nothing is wrong.
pub(super) const MASTER_EVERY: Micros = Micros::from_secs(60);

/// How often it is read while a rendition is missed that it named a moment ago: one that returns is carried again before
/// its source has dropped much of it.
const MISSED_EVERY: Micros = Micros::from_secs(3);

/// For how long it is read as often.
const MISSED_FOR: Micros = Micros::from_secs(120);

/// The longest wait between two tries for it.
const LONGEST_WAIT: Seconds = Seconds(5);

/// The playlist that the session names.
#[derive(Default)]
pub(super) struct Master {
    pub(super) looks: Looks,
    /// What it defines for the media playlists.
    pub(super) variables: Variables,
    /// Whether it is a media playlist, and so the only one.
    pub(super) single: bool,
    /// Renditions that it does not name any more, and until when they are missed.
    missed: BTreeMap<RenditionName, Timestamp>,
}

impl Master {
    /// When the next look is due; absent while one is under way, and where it is looked at as a rendition.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.looks.due().filter(|_| !self.single)
    }

    /// It was read: says when the next look is due.
    fn was_read(&mut self, now: Timestamp) {
        self.missed.retain(|_, until| now < *until);
        let wait = if self.missed.is_empty() { MASTER_EVERY } else { MISSED_EVERY };
        self.looks.well(now + wait);
    }
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Reads the playlist that the session names.
    pub(super) fn look_at_master(&mut self, now: Timestamp) {
        let known = self.master.looks.begin();
        let url = self.master.looks.at(self.source()).clone();
        let took = self.master.looks.took;
        let reader = Reader::new(&self.origin, &self.clock, took, &Arc::default());
        self.under_way.push(Box::pin(async move {
            let result = reader.playlist(&url, known.as_ref()).await;
            Done::Master { url, sent: now, result }
        }));
    }

    /// Takes in the playlist that the session names.
    pub(super) fn saw_master(
        &mut self,
        asked: &Url,
        sent: Timestamp,
        now: Timestamp,
        result: Result<Fetched, OriginError>,
    ) {
        self.master.looks.ended(result.is_ok().then(|| now.since(sent)));
        let (text, url, validators) = match result {
            Ok(Fetched::Changed { text, url, validators }) => (text, url, validators),
            Ok(Fetched::Unchanged) => return self.master.was_read(now),
            Err(OriginError::Refused { reason }) => {
                if !self.pass_over(now, &reason) {
                    self.fail(now, Cause::Refused, reason);
                }
                return;
            }
            Err(_) if self.master.looks.go_back(now) => return,
            Err(
                error @ (OriginError::Gone { .. }
                | OriginError::Unavailable { .. }
                | OriginError::Spoilt { .. }),
            ) => {
                return self.master_failed(now, error.to_string());
            }
        };
        match read(&text, &Variables::new(), &url) {
            Ok((Playlist::Multivariant(playlist), variables)) => {
                self.master.variables = variables;
                self.master.looks.known = Some(validators);
                let listed = self.source().clone();
                self.master.looks.found_at(&listed, asked, &url);
                self.lay_out(playlist, &url, now);
            }
            Ok((Playlist::Media(playlist), _)) => {
                self.master.single = true;
                self.master.looks.well(now);
                let mut layout = Layout::of_media(self.source().clone());
                if self.sources.are_several() {
                    layout.go_on_as(self.working.renditions.keys());
                }
                let name = layout.renditions.keys().next().cloned();
                self.follow(&layout, now);
                self.place(layout);
                if let Some(name) = name {
                    if let Some(watch) = self.watches.get_mut(&name) {
                        watch.found_at(asked, &url);
                    }
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
        for flaw in &playlist.flaws {
            self.fault(now, format!("source playlist: {flaw}: this is left out"));
        }
        let layout = Layout::wanted(playlist, &self.session.options.filter, url);
        let layout = layout.map_err(|error| error.to_string());
        match layout.and_then(|layout| self.fit(layout)) {
            Ok(mut layout) => {
                layout.keep_names(&self.working.renditions, self.working.source);
                if self.sources.are_several() {
                    layout.go_on_as(self.working.renditions.keys());
                }
                self.follow(&layout, now);
                self.place(layout);
                self.master.was_read(now);
            }
            Err(reason) if self.watches.is_empty() && self.pass_over(now, &reason) => {}
            // What was carried so far can go on.
            Err(reason) if !self.committed.renditions.is_empty() => self.master_failed(now, reason),
            Err(reason) => self.fail(now, Cause::Unfit, reason),
        }
    }

    fn master_failed(&mut self, now: Timestamp, reason: String) {
        self.master.looks.failed(reason.clone());
        self.master.looks.schedule(now, LONGEST_WAIT);
        self.fault(now, reason);
    }

    /// Watches the renditions of a layout.
    fn follow(&mut self, layout: &Layout, now: Timestamp) {
        let endpoints = self.outlets.len();
        let gone = self.watches.keys().filter(|name| !layout.renditions.contains_key(*name));
        let fewer = |name: &RenditionName| {
            let alike = |it: &&RenditionName| it.is_kind_of(name);
            layout.renditions.keys().filter(alike).count()
                < self.watches.keys().filter(alike).count()
        };
        // Nothing is missed that another has come for.
        let missed = gone.filter(|name| fewer(name));
        self.master.missed.extend(missed.map(|name| (name.clone(), now + MISSED_FOR)));
        self.master.missed.retain(|name, _| !layout.renditions.contains_key(name));
        self.watches.retain(|name, _| layout.renditions.contains_key(name));
        self.unfit.retain(|name, _| layout.renditions.contains_key(name));
        for (name, mark) in &mut self.working.renditions {
            mark.unlisted = !layout.renditions.contains_key(name);
        }
        for (name, listed) in &layout.renditions {
            let new = || Watch::new(listed, self.committed.renditions.get(name), endpoints);
            let watch = self.watches.entry(name.clone()).or_insert_with(new);
            watch.move_to(&listed.urls, now);
        }
    }
}
