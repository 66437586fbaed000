//! Other sources of the same, for when the first is gone.

use super::{Carrier, Done, Event, Master};
use crate::abilities::Role;
use crate::ports::{Clock, Fetched, Ingest, Origin, Sessions};
use hls::{Limits, MediaSequence, Micros, Playlist, Timestamp};
use std::sync::Arc;
use url::Url;

/// How often the first source is looked at while another is carried.
const PROBE_EVERY: Micros = Micros::from_secs(5);

/// No look is as late as this on a machine that runs.
const HELD_UP: Micros = Micros::from_secs(5);

/// The sources of a session, the one that is preferred first.
pub(super) struct Sources {
    urls: Vec<Url>,
    /// Since when the present one is carried.
    pub(super) since: Timestamp,
    /// When the session was to be looked after next.
    expected: Timestamp,
    /// Until when no source is to blame for what it did not list.
    excused: Timestamp,
    probe: Probe,
}

/// What is known of the first source while another is carried.
#[derive(Default)]
struct Probe {
    due: Timestamp,
    reading: bool,
    /// The newest segment that it listed.
    newest: Option<MediaSequence>,
    /// Since when it has listed new ones.
    well: Option<Timestamp>,
    /// When it last did.
    grew: Timestamp,
}

impl Sources {
    pub(super) fn new(urls: Vec<Url>, now: Timestamp) -> Self {
        Self { urls, since: now, expected: now, excused: now, probe: Probe::default() }
    }

    /// Says by when the session will be looked after again.
    pub(super) fn expects(&mut self, by: Timestamp) {
        self.expected = by;
    }

    /// Notes that it is looked after now: much later than it was to be, it is this machine that stood still,
    /// or its clock that was set.
    pub(super) fn looks(&mut self, now: Timestamp) {
        if now.since(self.expected) >= HELD_UP {
            self.excused = now;
        }
    }
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// The address of the source that is carried.
    pub(super) fn source(&self) -> &Url {
        let urls = &self.sources.urls;
        urls.get(self.working.source).unwrap_or(&urls[0])
    }

    /// When the source has to have listed something new, lest the next one takes over; absent where
    /// there is no other, or all is carried.
    pub(super) fn source_patience(&self) -> Option<Timestamp> {
        let seen = || self.watches.values().filter(|watch| watch.role == Role::Variant);
        let ended = seen().next().is_some()
            && seen().all(|watch| watch.seen.as_ref().is_some_and(|seen| seen.ended));
        if self.sources.urls.len() < 2 || ended {
            return None;
        }
        let news = seen().map(|watch| watch.grew).max().unwrap_or_default();
        let patience = Micros::from_secs(self.session.options.fallback_after_seconds.into());
        Some(news.max(self.sources.since).max(self.sources.excused) + patience)
    }

    /// When the first source is to be looked at again, while another is carried and it may return.
    pub(super) fn probe_due(&self) -> Option<Timestamp> {
        let may = self.session.options.return_after_seconds.is_some() && self.working.source != 0;
        (may && !self.sources.probe.reading).then_some(self.sources.probe.due)
    }

    /// Goes on to the next source when this one is gone, and looks after the first.
    pub(super) fn choose_source(&mut self, now: Timestamp) {
        if self.source_patience().is_some_and(|until| until <= now) {
            let next = (self.working.source + 1) % self.sources.urls.len();
            self.switch(next, now);
        }
        if self.probe_due().is_some_and(|due| due <= now) {
            self.sources.probe.reading = true;
            self.sources.probe.due = now + PROBE_EVERY;
            let (origin, url) = (Arc::clone(&self.origin), self.sources.urls[0].clone());
            self.under_way.push(Box::pin(async move {
                Done::Probed { newest: newest_of(&*origin, url).await }
            }));
        }
    }

    /// Takes in how far the first source is: it takes over when it has gone on for long enough.
    pub(super) fn probed(&mut self, newest: Option<MediaSequence>, now: Timestamp) {
        let probe = &mut self.sources.probe;
        probe.reading = false;
        let Some(seconds) = self.session.options.return_after_seconds else { return };
        if self.working.source == 0 {
            return;
        }
        let wait = Micros::from_secs(seconds.into());
        let before = std::mem::replace(&mut probe.newest, newest);
        let grew = newest.is_some() && before.is_some() && newest != before;
        if grew {
            probe.grew = now;
            probe.well.get_or_insert(now);
        } else if newest.is_none() || now.since(probe.grew) >= Micros(PROBE_EVERY.0 * 4) {
            probe.well = None;
        }
        if probe.well.is_some_and(|since| now.since(since) >= wait) {
            self.switch(0, now);
        }
    }

    /// Carries another source from here on, after a discontinuity.
    fn switch(&mut self, to: usize, now: Timestamp) {
        self.working.source = to;
        self.sources.since = now;
        self.sources.probe = Probe { due: now + PROBE_EVERY, ..Probe::default() };
        self.master = Master::default();
        self.layout = None;
        self.watches.clear();
        self.events.push(Event::Switched(to));
    }
}

/// The newest segment that a source lists: of its first variant, when it names several.
async fn newest_of<O: Origin>(origin: &O, url: Url) -> Option<MediaSequence> {
    let mut at = url;
    for _ in 0..2 {
        let Ok(Fetched::Changed { text, url, .. }) = origin.playlist(&at, None).await else {
            return None;
        };
        match hls::parse(&text, &Limits::default()).ok()? {
            Playlist::Media(playlist) => return playlist.last_sequence(),
            Playlist::Multivariant(playlist) => {
                at = url.join(&playlist.variants().next()?.uri).ok()?;
            }
        }
    }
    None
}
