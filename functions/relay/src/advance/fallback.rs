//! Other sources of the same, for when the first is gone.

use super::again::Reader;
use super::shelf::{Shelf, gather};
use super::source::resolve_keys;
use super::{Carrier, Done, Event, Master, Watch};
use crate::abilities::Role;
use crate::cause::Cause;
use crate::look::read;
use crate::parts::{Keys, recipe};
use crate::ports::{Clock, Fetched, Ingest, Origin, Sessions, Slice};
use crate::progress::Status;
use hls::{MediaPlaylist, MediaSequence, Micros, Playlist, Timestamp, Variables};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// How often the first source is looked at while another is carried.
const PROBE_EVERY: Micros = Micros::from_secs(5);

/// How long a source is passed over that the output does not take.
const PASSED_OVER: Micros = Micros::from_secs(600);

/// No look is as late as this on a machine that runs.
const HELD_UP: Micros = Micros::from_secs(5);

/// The sources of a session, the one that is preferred first.
pub(super) struct Sources {
    urls: Vec<Url>,
    /// Since when the present one is carried.
    pub(super) since: Timestamp,
    /// Whether the one before gave nothing any more.
    tried: bool,
    /// When the session was to be looked after next.
    expected: Timestamp,
    /// Until when no source is to blame for what it did not list.
    pub(super) excused: Timestamp,
    probe: Probe,
    /// Those that the output does not take, and until when they are passed over.
    unfit: BTreeMap<usize, Timestamp>,
}

/// What is known of the first source while another is carried.
#[derive(Default)]
struct Probe {
    due: Timestamp,
    reading: bool,
    /// The newest segment that it listed, and gave.
    newest: Option<MediaSequence>,
    /// Since when it has listed new ones.
    well: Option<Timestamp>,
    /// When it last did.
    grew: Timestamp,
}

impl Sources {
    pub(super) fn new(urls: Vec<Url>, now: Timestamp) -> Self {
        let (probe, unfit) = (Probe::default(), BTreeMap::new());
        Self { urls, since: now, tried: false, expected: now, excused: now, probe, unfit }
    }

    /// Whether there is another than the first.
    pub(super) fn are_several(&self) -> bool {
        self.urls.len() > 1
    }

    /// The one to carry after this one; absent where there is no other that the output takes.
    fn after(&self, present: usize, now: Timestamp) -> Option<usize> {
        let mut others = (1..self.urls.len()).map(|step| (present + step) % self.urls.len());
        others.find(|other| self.may_be_carried(*other, now))
    }

    /// Whether a source may be carried: it is not passed over.
    fn may_be_carried(&self, source: usize, now: Timestamp) -> bool {
        self.unfit.get(&source).is_none_or(|&until| until <= now)
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

    /// When the source has to have listed something new, and given some of it, lest the next one takes over; absent where
    /// there is no other, or all is carried.
    pub(super) fn source_patience(&self) -> Option<Timestamp> {
        let ended = self.variants().next().is_some()
            && self.variants().all(|watch| watch.seen.as_ref().is_some_and(|seen| seen.ended));
        if !self.sources.are_several() || ended {
            return None;
        }
        let patience = Micros::from_secs(self.session.options.fallback_after_seconds.into());
        Some(self.source_gave().max(self.sources.since).max(self.sources.excused) + patience)
    }

    fn variants(&self) -> impl Iterator<Item = &Watch> {
        self.watches.values().filter(|watch| watch.role == Role::Variant)
    }

    /// When the source last listed something new, some of which could be read.
    fn source_gave(&self) -> Timestamp {
        self.variants().map(Watch::gave).max().unwrap_or_default()
    }

    /// When the first source is to be looked at again, while another is carried and it may return.
    pub(super) fn probe_due(&self) -> Option<Timestamp> {
        let may = self.session.options.return_after_seconds.is_some() && self.working.source != 0;
        (may && !self.sources.probe.reading).then_some(self.sources.probe.due)
    }

    /// Goes on to the next source when this one is gone, and looks after the first.
    pub(super) fn choose_source(&mut self, now: Timestamp) {
        if self.source_patience().is_some_and(|until| until <= now) {
            match self.sources.after(self.working.source, now) {
                Some(next) => self.try_another(next, now),
                None => self.sources.since = now,
            }
        }
        if self.probe_due().is_some_and(|due| due <= now) {
            self.sources.probe.reading = true;
            self.sources.probe.due = now + PROBE_EVERY;
            let url = self.sources.urls[0].clone();
            let turn = Arc::default();
            let reader = Arc::new(Reader::new(&self.origin, &self.clock, Micros(0), &turn));
            let keys = self.style.keys;
            self.under_way.push(Box::pin(async move {
                Done::Probed { newest: newest_of(reader, url, keys).await }
            }));
        }
    }

    /// Goes on to the next source when this one cannot be carried; says whether there is one.
    pub(super) fn pass_over(&mut self, now: Timestamp, reason: &str) -> bool {
        let present = self.working.source;
        self.sources.unfit.insert(present, now + PASSED_OVER);
        let Some(next) = self.sources.after(present, now) else { return false };
        self.fault(now, format!("{} is passed over: {reason}", named(present)));
        self.try_another(next, now);
        true
    }

    /// Takes in how far the first source is: it takes over when it has gone on for long enough.
    pub(super) fn probed(&mut self, newest: Option<MediaSequence>, now: Timestamp) {
        self.sources.probe.reading = false;
        let Some(seconds) = self.session.options.return_after_seconds else { return };
        if self.working.source == 0 {
            return;
        }
        // Where this one gives nothing there is nothing to wait for.
        let seconds = if self.is_tried() { 0 } else { seconds };
        let wait = Micros::from_secs(seconds.into());
        let probe = &mut self.sources.probe;
        let before = std::mem::replace(&mut probe.newest, newest);
        let grew = newest.is_some() && before.is_some() && newest != before;
        if grew {
            probe.grew = now;
            probe.well.get_or_insert(now);
        } else if newest.is_none() || now.since(probe.grew) >= Micros(PROBE_EVERY.0 * 4) {
            probe.well = None;
        }
        let is_well = probe.well.is_some_and(|since| now.since(since) >= wait);
        if is_well && self.sources.may_be_carried(0, now) {
            self.switch(0, now);
        }
    }

    /// Carries another source in the place of one that gives nothing.
    fn try_another(&mut self, to: usize, now: Timestamp) {
        self.switch(to, now);
        self.sources.tried = true;
    }

    /// Whether the source was taken in the place of another, and nothing has come of it.
    fn is_tried(&self) -> bool {
        self.sources.tried && self.source_gave() <= self.sources.since
    }

    /// What is still wrong until something comes of a source that was taken in the place of another.
    pub(super) fn tried_in_vain(&self) -> Option<(Cause, String)> {
        let wrong = self.is_tried() && self.progress.status == Status::Degraded;
        let source = named(self.working.source);
        wrong.then(|| (Cause::Stalled, format!("{source} has given nothing so far")))
    }

    /// Carries another source from here on, after a discontinuity.
    fn switch(&mut self, to: usize, now: Timestamp) {
        self.working.source = to;
        (self.sources.since, self.sources.tried) = (now, false);
        self.sources.probe = Probe { due: now + PROBE_EVERY, ..Probe::default() };
        self.master = Master::default();
        self.layout = None;
        self.watches.clear();
        self.unfit.clear();
        self.progress.left_out.clear();
        self.events.push(Event::Switched(to));
    }
}

/// What a source is called, by its place among those of a session.
pub(super) fn named(source: usize) -> String {
    match source {
        0 => "the first source".to_owned(),
        number => format!("fallback source {number}"),
    }
}

/// The newest segment that a source lists, and gives: of the first of its variants of which there is one.
async fn newest_of<O: Origin + 'static, C: Clock>(
    reader: Arc<Reader<O, C>>,
    url: Url,
    keys: Keys,
) -> Option<MediaSequence> {
    let (playlist, variables, base) = look_at(&reader, &url, &Variables::new()).await?;
    let playlist = match playlist {
        Playlist::Media(playlist) => return given(&reader, playlist, &base, keys).await,
        Playlist::Multivariant(playlist) => playlist,
    };
    for variant in playlist.variants() {
        let Ok(at) = base.join(&variant.uri) else { continue };
        if let Some((Playlist::Media(playlist), _, base)) = look_at(&reader, &at, &variables).await
            && let newest @ Some(_) = given(&reader, playlist, &base, keys).await
        {
            return newest;
        }
    }
    None
}

/// The playlist that lies somewhere, what it defines, and what its addresses are relative to.
async fn look_at<O: Origin, C: Clock>(
    reader: &Reader<O, C>,
    url: &Url,
    imported: &Variables,
) -> Option<(Playlist, Variables, Url)> {
    let Ok(Fetched::Changed { text, url, .. }) = reader.playlist(url, None).await else {
        return None;
    };
    let (playlist, variables) = read(&text, imported, &url).ok()?;
    Some((playlist, variables, url))
}

/// The newest segment of a playlist, when it can be read, by one byte of it, and so can its map and its keys.
async fn given<O: Origin + 'static, C: Clock>(
    reader: &Arc<Reader<O, C>>,
    mut playlist: MediaPlaylist,
    base: &Url,
    keys: Keys,
) -> Option<MediaSequence> {
    resolve_keys(&mut playlist, base);
    let (newest, segment) = (playlist.last_sequence()?, playlist.segments.last()?);
    if segment.gap {
        return Some(newest);
    }
    let mut recipe = recipe(segment, newest, keys).ok()?;
    let url = base.join(&segment.uri).ok()?;
    let beside = Shelf::default().read(reader, base, &recipe, <_>::default()).ok()?;
    let offset = recipe.body.slice.map_or(0, |slice| slice.offset);
    (recipe.body.slice, recipe.lock) = (Some(Slice { offset, length: 1 }), None);
    gather(Arc::clone(reader), url, recipe, beside).await.ok()?;
    Some(newest)
}
