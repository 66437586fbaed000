//! What is watched at the source, and when it is looked at next.

use super::Version;
use super::looks::Looks;
use super::source::UNKNOWN_TARGET;
use crate::abilities::{Container, Role};
use crate::anchor::{Anchor, History, anchor, stale_patience, switched, turned_to};
use crate::contents::Contents;
use crate::cursor::Rendition;
use crate::layout::Listed;
use crate::names::RenditionName;
use crate::plan::{Fates, Key};
use crate::ports::Validators;
use crate::session::Start;
use crate::settle::Offered;
use futures_util::lock::Mutex;
use hls::{MediaPlaylist, MediaSequence, Micros, Seconds, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// A source that lists nothing new for so many target durations has stalled. RFC 8216 section 6.2.1 wants
/// something new within one and a half.
const STALL_TARGETS: u64 = 3;

/// Sources that stop for this long between programmes are common.
const LEAST_STALL: Micros = Micros::from_secs(12);

/// A playlist of which nothing has come for so many target durations is looked for elsewhere: what it does not list by
/// then, or cannot be read of it, is still listed there.
const IDLE_TARGETS: u64 = 2;

/// Sources that publish a little late are common.
pub(super) const LEAST_IDLE: Micros = Micros::from_secs(4);

/// The longest wait until it is looked for elsewhere again; it doubles up to this.
const LONGEST_IDLE: Micros = Micros::from_secs(60);

/// After so many errors in a row a session ends without a rendition that it can do without.
const ERRORS_UNTIL_LOST: u32 = 4;

/// How many halves of a target duration a server may hold its answer back: RFC 8216 section 6.2.1 wants
/// something new by then.
const HELD_HALVES: u64 = 3;

/// The longest that an answer is waited for.
const LONGEST_HELD: Micros = Micros::from_secs(20);

/// A server that held its answer in vain is asked as any other for this long; twice as long after
/// each further time.
const UNHELD: Micros = Micros::from_secs(60);

/// So many segments are looked into.
const SAMPLES: usize = 2;

/// A look at a media playlist that is under way.
pub(super) struct Asked {
    pub(super) rendition: RenditionName,
    pub(super) url: Url,
    pub(super) sent: Timestamp,
    /// For how long its server may hold the answer back; absent: it is to answer at once.
    pub(super) held: Option<Micros>,
}

/// One media playlist of the source.
pub(super) struct Watch {
    /// Where it is read; the first is, until it fails.
    urls: Vec<Url>,
    pub(super) role: Role,
    pub(super) looks: Looks,
    /// Where the newest version came from: what its addresses are relative to.
    pub(super) base: Url,
    pub(super) seen: Option<Arc<MediaPlaylist>>,
    /// The version in which that last changed.
    pub(super) version: Version,
    pub(super) history: History,
    /// The latest segment that its list has begun with.
    furthest: Option<Key>,
    /// When it last listed something new.
    pub(super) grew: Timestamp,
    /// When it was last read.
    looked: Timestamp,
    stale_since: Option<Timestamp>,
    /// When it was first read, when it has listed no segment since.
    empty_since: Option<Timestamp>,
    /// How often in a row its server held an answer in vain, and until when it is not asked to.
    held_in_vain: u32,
    unheld: Timestamp,
    /// When ENDLIST was first seen.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) fates: Fates,
    /// How long the last segment took to be read.
    pub(super) read_took: Micros,
    /// Who may read again what hangs.
    pub(super) again: Arc<Mutex<()>>,
    /// When a segment was last read, and the newest that was.
    pub(super) read_at: Option<Timestamp>,
    pub(super) newest_read: Option<Key>,
    /// Since when no segment could be read of those that were tried.
    unread_since: Option<Timestamp>,
    /// When it was last looked for elsewhere because nothing came, and how often in a row.
    turned: Timestamp,
    turns: u32,
    /// Whether the next version comes from elsewhere.
    elsewhere: bool,
    /// When segments that are not published everywhere were first seen.
    pub(super) listed_at: BTreeMap<Key, Timestamp>,
    /// What playlists may list that are stored, per endpoint.
    pub(super) offered: Vec<Offered>,
    /// Whether something is being deleted, per endpoint.
    pub(super) deleting: Vec<bool>,
    /// What its first segments are.
    sampled: Vec<Contents>,
}

impl Watch {
    /// Of what is listed so, of which so much has lasted.
    pub(super) fn new(listed: &Listed, lasted: Option<&Rendition>, endpoints: usize) -> Self {
        let Listed { urls, role, .. } = listed.clone();
        let last = |endpoint: usize| Some(lasted?.tracks.get(endpoint)?.last()?.last_out());
        // Only what has lasted is shown.
        let offered = |last| Offered { taken_over: last, newest: last };
        Self {
            base: urls[0].clone(),
            urls,
            role,
            looks: Looks::default(),
            seen: None,
            version: Version::default(),
            history: History::default(),
            furthest: None,
            grew: Timestamp::default(),
            looked: Timestamp::default(),
            stale_since: None,
            empty_since: None,
            held_in_vain: 0,
            unheld: Timestamp::default(),
            ended_at: None,
            fates: Fates::new(endpoints),
            read_took: Micros(0),
            again: Arc::default(),
            read_at: None,
            newest_read: None,
            unread_since: None,
            turned: Timestamp::default(),
            turns: 0,
            elsewhere: false,
            listed_at: BTreeMap::new(),
            offered: (0..endpoints).map(|endpoint| offered(last(endpoint))).collect(),
            deleting: vec![false; endpoints],
            sampled: Vec::new(),
        }
    }

    /// Whether what its segments are is still to be told: not of one that was carried before, for that was taken, nor
    /// of one that a session can do without.
    pub(super) fn is_sampled_next(&self) -> bool {
        let carried = self.offered.iter().any(|offered| offered.taken_over.is_some());
        let matters = matches!(self.role, Role::Variant | Role::Audio | Role::Video);
        matters && !carried && self.sampled.len() < SAMPLES
    }

    /// Whether the first segment of which that is to be told is on its way.
    pub(super) fn is_sampling(&self) -> bool {
        let reading = self.fates.under_way.iter().any(|under_way| !under_way.is_empty());
        reading && self.sampled.is_empty() && self.is_sampled_next()
    }

    /// Notes what one of its first segments is.
    pub(super) fn sample(&mut self, contents: Contents) {
        self.sampled.push(contents);
    }

    /// What its segments are, where that is sure: the tables of a transport stream tell, and else two that are alike. One
    /// that is damaged tells nothing.
    pub(super) fn contents(&self) -> Option<&Contents> {
        match self.sampled.as_slice() {
            [first, ..] if first.container == Container::Ts && !first.codecs.is_empty() => {
                Some(first)
            }
            [first, next] if first.container == next.container => Some(first),
            _ => None,
        }
    }

    /// Looks at it anew, as a new run does.
    pub(super) fn forget(&mut self, lasted: Option<&Rendition>, endpoints: usize) {
        let listed = Listed { urls: self.urls.clone(), role: self.role, ..Listed::default() };
        let new = Self::new(&listed, lasted, endpoints);
        let Self { looks, fates, .. } = std::mem::replace(self, new);
        // What is on its way is not sent again: it would come after it was listed.
        self.looks.under_way = looks.under_way;
        self.fates.under_way = fates.under_way;
    }

    /// Where it is listed.
    pub(super) fn url(&self) -> &Url {
        &self.urls[0]
    }

    /// Begins a look: says what to ask, and what is known of the answer.
    pub(super) fn ask(
        &mut self,
        rendition: &RenditionName,
        holds: bool,
        now: Timestamp,
    ) -> (Asked, Option<Validators>) {
        let mut known = self.looks.begin();
        if self.stalled(now).is_some() {
            self.looks.go_back(now);
            // It may be wrong that nothing has changed.
            known = None;
        }
        let mut url = self.looks.at(self.url()).clone();
        let held = self.next_held(now).filter(|_| holds).map(|(next, within)| {
            url.query_pairs_mut().append_pair("_HLS_msn", &next.to_string());
            known = None;
            within
        });
        (Asked { rendition: rendition.clone(), url, sent: now, held }, known)
    }

    /// The segment to wait for, and for how long, where the server can hold its answer back.
    ///
    /// Parts are not carried, so they are not waited for, and a window is read whole: what a delta update leaves
    /// out (`_HLS_skip`) could not be told from what is gone when it goes on from a version that was not seen.
    fn next_held(&self, now: Timestamp) -> Option<(MediaSequence, Micros)> {
        let seen = self.seen.as_deref().filter(|seen| !seen.ended && seen.can_block_reload())?;
        let may = self.looks.errors() == 0 && now >= self.unheld;
        let within = Micros(Micros::from(seen.target_duration).0.saturating_mul(HELD_HALVES) / 2);
        Some((seen.last_sequence()?.after(1), within.min(LONGEST_HELD))).filter(|_| may)
    }

    /// An answer was held back: in vain, unless it lists something new. Then the next look is one as any other.
    pub(super) fn held(&mut self, news: bool, now: Timestamp) {
        if news {
            self.held_in_vain = 0;
        } else {
            self.unheld = now + Micros(UNHELD.0 << self.held_in_vain.min(6));
            self.held_in_vain = self.held_in_vain.saturating_add(1);
            self.looks.due = now;
        }
    }

    /// A look at `asked` ended at `found`.
    pub(super) fn found_at(&mut self, asked: &Url, found: &Url) {
        self.looks.found_at(&self.urls[0], asked, found);
    }

    /// Sets when the next look is due.
    pub(super) fn schedule(&mut self, target: Seconds, holds: bool, now: Timestamp) {
        self.looks.schedule(now, target);
        if holds && self.next_held(now).is_some() {
            self.looks.due = now;
        }
    }

    /// Reads the same stream elsewhere from now on.
    pub(super) fn fail_over(&mut self, now: Timestamp) {
        self.turned = now;
        self.elsewhere = true;
        self.urls.rotate_left(1);
        self.looks.leave();
    }

    /// A segment was read.
    pub(super) fn could_read(&mut self, key: Key, now: Timestamp) {
        self.newest_read = self.newest_read.max(Some(key));
        let target = self.target_duration();
        for (failed, failure) in &mut self.fates.failed {
            // Now it can be told whether what comes before is gone for good, and the rest may be there again.
            let is_told = failure.gone && *failed < key;
            let wait = if is_told { now.max(failure.since + target) } else { now + target };
            failure.retry_at = failure.retry_at.min(wait);
        }
        self.read_at = Some(now);
        self.unread_since = None;
    }

    /// A segment could not be read.
    pub(super) fn could_not_read(&mut self, now: Timestamp) {
        self.unread_since.get_or_insert(now);
    }

    /// When it last listed something new, some of which could be read.
    pub(super) fn gave(&self) -> Timestamp {
        self.unread_since.map_or(self.grew, |since| since.min(self.grew))
    }

    /// Since when a live playlist has listed nothing new, or a segment of it could not be read.
    fn idle_since(&self) -> Option<Timestamp> {
        self.seen.as_ref().filter(|seen| !seen.ended)?;
        let failing = self.fates.failed.values().map(|failure| failure.since).min();
        Some(failing.map_or(self.gave(), |since| since.min(self.gave())))
    }

    /// Whether something has come of it since it was last looked for elsewhere, when nothing has since this moment.
    fn gave_since_turned(&self, since: Timestamp) -> bool {
        since >= self.turned
    }

    /// When it is to be looked for elsewhere, unless something comes of it before.
    pub(super) fn turn_due(&self) -> Option<Timestamp> {
        let since = self.idle_since()?;
        let target = self.seen.as_ref().map_or(0, |seen| seen.target_duration.0);
        let patience = Micros::from_secs(target.saturating_mul(IDLE_TARGETS)).max(LEAST_IDLE);
        Some(if self.gave_since_turned(since) {
            since + patience
        } else {
            self.turned + Micros(patience.0 << self.turns.min(6)).min(LONGEST_IDLE.max(patience))
        })
    }

    /// Looks for the same stream elsewhere, because nothing comes of it here.
    pub(super) fn turn(&mut self, now: Timestamp) {
        let afresh = self.idle_since().is_some_and(|since| self.gave_since_turned(since));
        self.turns = if afresh { 1 } else { self.turns.saturating_add(1) };
        self.turned = now;
        if self.urls.len() > 1 {
            self.fail_over(now);
            self.looks.due = now;
        }
    }

    /// Goes to where it is listed now, if it fails where it is.
    ///
    /// One that works keeps its address: some origins give every reader of the multivariant playlist
    /// addresses of its own.
    pub(super) fn move_to(&mut self, urls: &[Url], now: Timestamp) {
        // In another order they are the same: the first may be what fails.
        let same = self.urls.len() == urls.len() && urls.iter().all(|url| self.urls.contains(url));
        if (self.looks.error.is_some() || self.is_idle()) && !same {
            self.urls = urls.to_vec();
            self.elsewhere = true;
            self.looks.leave();
            self.looks.due = now;
        }
    }

    /// Whether nothing has come of it since it was looked for elsewhere.
    fn is_idle(&self) -> bool {
        self.turns > 0 && self.idle_since().is_some_and(|since| !self.gave_since_turned(since))
    }

    /// When the next look is due; absent while one is under way, and at the end.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.looks.due().filter(|_| !self.ended())
    }

    /// Whether it was looked at since then, in vain or not; at the end nobody looks any more.
    pub(super) fn was_looked_at(&self, since: Timestamp) -> bool {
        self.looked >= since || self.looks.errors() > 0 || self.ended()
    }

    /// Whether a session can do without it, and must: there is no playlist.
    pub(super) fn is_lost(&self) -> bool {
        let can = matches!(self.role, Role::Subtitles | Role::IFrames);
        can && self.is_unread()
    }

    /// Whether there is no playlist, and it was looked for often enough.
    pub(super) fn is_unread(&self) -> bool {
        self.seen.is_none() && self.looks.errors() >= ERRORS_UNTIL_LOST
    }

    pub(super) fn ended(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.ended)
    }

    /// The longest that a segment of it may last, as far as that is known.
    pub(super) fn target_duration(&self) -> Micros {
        self.seen.as_ref().map_or(UNKNOWN_TARGET, |seen| seen.target_duration).into()
    }

    /// For how long a live source has listed nothing new, when that is too long.
    pub(super) fn stalled(&self, now: Timestamp) -> Option<Micros> {
        let (since, targets) = match &self.seen {
            Some(seen) if seen.ended => return None,
            Some(seen) => (self.grew, seen.target_duration.0),
            None => (self.empty_since?, 0),
        };
        let patience = Micros::from_secs(targets.saturating_mul(STALL_TARGETS));
        let stalled = now.since(since);
        (stalled >= patience.max(LEAST_STALL)).then_some(stalled)
    }

    /// The address that `uri` is.
    pub(super) fn url_of(&self, uri: &str) -> Option<Url> {
        self.base.join(uri).ok()
    }

    /// A look that began at `sent` found the version that is known.
    pub(super) fn unchanged(&mut self, sent: Timestamp, now: Timestamp) {
        self.stale_since = None;
        self.looked = now;
        self.looks.found_nothing(sent);
    }

    /// How the playlist that was just read goes with what was carried `before`, of the source of this number.
    pub(super) fn anchor(
        &mut self,
        before: Option<&Rendition>,
        seen: &MediaPlaylist,
        source: usize,
        start: Start,
        now: Timestamp,
    ) -> Anchor {
        let gap = Micros(Micros::from(seen.target_duration).0.saturating_mul(2));
        let watched = now.since(self.looked) <= gap;
        self.looked = now;
        if seen.segments.is_empty() {
            self.empty_since.get_or_insert(now);
        }
        let found = match before {
            Some(before) if before.source != source => switched(seen),
            _ => anchor(before, &self.history, seen, watched, start, now),
        };
        let found = match found {
            Anchor::Stale | Anchor::Doubtful if self.is_out_of_patience(before, seen, now) => {
                Anchor::Restarted
            }
            _ => found,
        };
        match found {
            Anchor::FellBehind(_) | Anchor::Restarted if self.elsewhere => {
                turned_to(before, &self.history, seen, found)
            }
            _ => found,
        }
    }

    /// Whether what is older than what was seen before has been so for too long to be an old copy.
    fn is_out_of_patience(
        &mut self,
        before: Option<&Rendition>,
        seen: &MediaPlaylist,
        now: Timestamp,
    ) -> bool {
        if seen.segments.is_empty() || self.history.has_listed(seen) {
            return false;
        }
        let doubted = before.and_then(|before| before.doubted);
        let since = *self.stale_since.get_or_insert(doubted.unwrap_or(now));
        now.since(since) >= stale_patience(seen)
    }

    /// The latest segment that its list has begun with in this numbering, where it begins with `first` now: servers of
    /// one source may list more and less.
    pub(super) fn furthest(&mut self, first: Key) -> MediaSequence {
        self.furthest.insert(self.furthest.map_or(first, |before| before.max(first))).1
    }

    /// Learns from a playlist that goes on what was known: how the source numbers, and when it publishes.
    pub(super) fn learn(
        &mut self,
        known: Option<Key>,
        mark: &Rendition,
        seen: &MediaPlaylist,
        sent: Timestamp,
        now: Timestamp,
    ) {
        self.looks.error = None;
        self.stale_since = None;
        if std::mem::take(&mut self.elsewhere) {
            // What was not there may be here.
            self.fates.gone.clear();
            self.fates.failed.values_mut().for_each(|failure| failure.retry_at = now);
        }
        let first_new = match known {
            Some((epoch, newest)) if epoch == mark.epoch => newest.after(1),
            _ => mark.entry,
        };
        if known == Some((mark.epoch, mark.newest)) {
            self.looks.found_nothing(sent);
        } else {
            let count = usize::try_from(mark.newest.after(1).since(first_new));
            let duration = seen.segments.last().map_or(Micros::default(), |s| s.duration);
            self.looks.cadence.found(sent, now, duration, count.unwrap_or(usize::MAX));
            self.grew = now;
            let numbers = first_new.0.max(seen.media_sequence.0)..=mark.newest.0;
            self.listed_at.extend(numbers.map(|n| ((mark.epoch, MediaSequence(n)), now)));
        }
        if known.is_some_and(|(epoch, _)| epoch != mark.epoch) {
            self.history = History::default();
        }
        self.history.note(seen);
        if seen.ended {
            self.ended_at.get_or_insert(now);
        }
        if self.seen.is_none() {
            // Whoever carried the session before may have seen it grow a moment ago.
            self.grew = now;
        }
    }
}
