//! Which playlists of a live source go on, look by look: what stands still, or cannot be read, is done without.

use hls::{MediaPlaylist, Micros, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How many target durations a playlist may list nothing new, and must go on again before it is waited for.
const PATIENCE: u64 = 2;

/// How long a target duration is taken to be where none was read.
const USUAL: Micros = Micros::from_secs(2);

/// What was heard of a live source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    of: BTreeMap<String, News>,
}

/// What was heard of one of its playlists.
#[derive(Clone, Debug, PartialEq, Eq)]
struct News {
    /// The number of its first segment, and that behind its last.
    listed: Option<(u64, u64)>,
    /// The address of its last, which is another where it begins anew.
    last: Option<String>,
    /// For how long it may be silent.
    patience: Micros,
    /// When it listed something new, or was asked first.
    at: Timestamp,
    /// Since when it goes on; absent while it is silent.
    well: Option<Timestamp>,
    is_out: bool,
    /// Whether its window moves.
    slides: bool,
}

impl Heard {
    /// Notes what was read, of the playlists that are wanted.
    pub fn look(
        &mut self,
        wanted: &[&str],
        media: &BTreeMap<String, MediaPlaylist>,
        now: Timestamp,
    ) {
        self.of.retain(|playlist, _| wanted.contains(&playlist.as_str()));
        let usual = media.values().map(patience).max().unwrap_or(USUAL);
        for playlist in wanted {
            let news = self.of.entry((*playlist).to_owned());
            let news = news.or_insert_with(|| News::new(usual, now));
            news.hear(media.get(*playlist).filter(|it| !it.segments.is_empty()), now);
        }
        let others = self.of.values().filter_map(|it| it.well).min();
        for news in self.of.values_mut() {
            let is_over = |since: Timestamp| now.since(since) >= news.patience;
            match (news.well, others) {
                (Some(well), _) if is_over(well) => news.is_out = false,
                // Where all stood still it has as long as any to go on.
                (None, Some(others)) if is_over(news.at.max(others)) => news.is_out = true,
                (Some(_) | None, _) => {}
            }
        }
    }

    /// What stands still, or cannot be read, while others go on; and what has only begun to go on again.
    #[must_use]
    pub fn out(&self) -> BTreeSet<String> {
        let out = self.of.iter().filter(|(_, it)| it.is_out);
        out.map(|(playlist, _)| playlist.clone()).collect()
    }

    /// Since when nothing of it goes on, if that is too long.
    #[must_use]
    pub fn silent_since(&self) -> Option<Timestamp> {
        let is_silent = self.of.values().all(|it| it.well.is_none());
        self.of.values().map(|it| it.at).max().filter(|_| is_silent)
    }

    /// Whether the windows move: they will not list more than they do.
    #[must_use]
    pub fn slides(&self) -> bool {
        self.of.values().any(|it| it.slides)
    }
}

impl News {
    fn new(patience: Micros, now: Timestamp) -> Self {
        let (listed, last, well) = (None, None, Some(now));
        Self { listed, last, patience, at: now, well, is_out: false, slides: false }
    }

    fn hear(&mut self, read: Option<&MediaPlaylist>, now: Timestamp) {
        if let Some(read) = read {
            self.patience = patience(read);
            let first = read.media_sequence.0;
            let listed = (first, first.saturating_add(read.segments.len() as u64));
            let last = read.segments.last().and_then(|it| it.uri.split('?').next());
            let end = self.listed.map(|(_, end)| end);
            if last != self.last.as_deref() || Some(listed.1) != end || read.ended {
                self.at = now;
                self.well.get_or_insert(now);
            }
            self.slides = match self.listed {
                Some((before, _)) if first == before => self.slides,
                Some((before, end)) => (before..=end).contains(&first),
                None => false,
            };
            (self.listed, self.last) = (Some(listed), last.map(str::to_owned));
        }
        self.well = self.well.filter(|_| now.since(self.at) < self.patience);
    }
}

fn patience(read: &MediaPlaylist) -> Micros {
    Micros(Micros::from(read.target_duration).0.saturating_mul(PATIENCE))
}
