//! The looks at one playlist: where, and when the next is due.

use crate::cadence::Cadence;
use crate::ports::Validators;
use hls::{MediaPlaylist, Micros, Seconds, Stop, Timestamp};
use url::Url;

/// What stops in the same address for this long is whole: a file that is being written grows on.
const SAME_HALF: Micros = Micros::from_secs(1);

/// The looks at one playlist.
#[derive(Default)]
pub(super) struct Looks {
    /// Where it was found, when it is not where it is listed: a playlist that was made for this reader.
    pub(super) moved: Option<Url>,
    /// What the newest version is told by.
    pub(super) known: Option<Validators>,
    /// The same, also where the next look is not to go by it.
    told: Option<Validators>,
    /// Whether that tells nothing here: another version came with the same.
    blind: bool,
    /// Whether the last line has an end here, as far as is known.
    ends_lines: bool,
    /// The address that a version stopped in although it has, and when that was first so.
    stopped: Option<(String, Timestamp)>,
    pub(super) due: Timestamp,
    pub(super) under_way: bool,
    /// How long the last one took that was answered.
    pub(super) took: Micros,
    pub(super) cadence: Cadence,
    pub(super) error: Option<String>,
}

impl Looks {
    /// When the next is due; absent while one is under way.
    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.under_way).then_some(self.due)
    }

    /// Begins one, and says what is known.
    pub(super) fn begin(&mut self) -> Option<Validators> {
        self.under_way = true;
        self.known.clone().filter(|_| !self.blind)
    }

    /// A version came with these; says of it whether it is another than the one before.
    ///
    /// Where another came with the same, a server would say for ever that nothing has changed: from then on it is
    /// asked without a condition.
    pub(super) fn told(&mut self, validators: Validators, other: bool) {
        self.blind |= other && self.told.as_ref().is_some_and(|told| told.is_same(&validators));
        self.told = Some(validators.clone());
        self.known = Some(validators);
    }

    /// Forgets what was learned of an address: from now on another is asked.
    pub(super) fn leave(&mut self) {
        (self.moved, self.known, self.told, self.blind) = (None, None, None, false);
        (self.ends_lines, self.stopped) = (false, None);
    }

    /// Leaves out the last segment of a version that was cut off in its address, and says whether it did.
    ///
    /// Some servers never end the last line, which nobody can tell from a cut: so only of one that does is it
    /// taken for one, and not where it stays the same for long.
    pub(super) fn leave_out_half(&mut self, playlist: &mut MediaPlaylist, now: Timestamp) -> bool {
        match std::mem::take(&mut playlist.stop) {
            Stop::Line => {
                (self.ends_lines, self.stopped) = (true, None);
                return false;
            }
            Stop::Tag => return false,
            Stop::Address => {}
        }
        let Some(last) = playlist.segments.last().filter(|_| self.ends_lines) else { return false };
        let before = self.stopped.take().filter(|(uri, _)| *uri == last.uri);
        let (uri, since) = before.unwrap_or_else(|| (last.uri.clone(), now));
        if now.since(since) >= SAME_HALF {
            self.ends_lines = false;
            return false;
        }
        self.stopped = Some((uri, since));
        playlist.segments.pop();
        true
    }

    /// One has ended; where it was answered at once, says how long that took.
    pub(super) fn ended(&mut self, took: Option<Micros>) {
        self.under_way = false;
        self.took = took.unwrap_or(self.took);
    }

    /// Where to look for what is listed at `listed`.
    pub(super) fn at<'a>(&'a self, listed: &'a Url) -> &'a Url {
        self.moved.as_ref().unwrap_or(listed)
    }

    /// A look at `asked` was redirected to `found`: that is read from now on.
    pub(super) fn found_at(&mut self, listed: &Url, asked: &Url, found: &Url) {
        if asked == self.at(listed) && found != asked {
            self.moved = Some(found.clone());
        }
    }

    /// Looks where it is listed again, at once; says whether it was looked for elsewhere.
    pub(super) fn go_back(&mut self, now: Timestamp) -> bool {
        let elsewhere = self.moved.take().is_some();
        if elsewhere {
            self.known = None;
            self.due = now;
        }
        elsewhere
    }

    pub(super) fn found_nothing(&mut self, sent: Timestamp) {
        self.error = None;
        self.cadence.found_nothing(sent);
    }

    pub(super) fn failed(&mut self, reason: String) {
        self.error = Some(reason);
        self.cadence.failed();
    }

    /// Forgets the errors, and the rhythm.
    pub(super) fn well(&mut self, due: Timestamp) {
        self.error = None;
        self.cadence = Cadence::default();
        self.due = due;
    }

    /// Sets when the next is due, by the rhythm of what was found.
    pub(super) fn schedule(&mut self, now: Timestamp, target: Seconds) {
        self.due = self.cadence.next(now, target);
    }

    /// Why the last one failed.
    pub(super) fn error(&self) -> Option<&String> {
        self.error.as_ref()
    }

    /// How many in a row have failed.
    pub(super) fn errors(&self) -> u32 {
        self.cadence.errors()
    }
}
