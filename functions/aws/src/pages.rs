//! The log of a channel in pages that never change: which there are, and what a commit makes of them.

use channel::Entry;
use channel::ports::ChannelRecord;
use hls::Timestamp;
use serde::{Deserialize, Serialize};

/// Entries of one page: some two days of programmes, in some tens of kilobytes.
const PAGE: usize = 64;
/// Pages that go at a time: they are deleted one by one.
const PURGED: usize = 100;

/// A channel as it is stored: what it is, and the pages of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) record: ChannelRecord,
    #[serde(default)]
    pub(crate) pages: Vec<Page>,
    /// What is of the channel no more, and may be there still: it is deleted before it is forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) past: Vec<Blob>,
}

/// A value in items of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) name: String,
    /// How many bytes it takes.
    pub(crate) bytes: usize,
}

/// A page of a log. Pages follow each other in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    /// Names it; never used again.
    pub(crate) name: String,
    /// How many bytes it takes.
    pub(crate) bytes: usize,
    /// How many entries it has.
    pub(crate) entries: usize,
    /// When the first begins.
    pub(crate) start: Timestamp,
    /// When the last begins.
    pub(crate) last: Timestamp,
    /// When the last ends.
    pub(crate) end: Timestamp,
}

/// What a commit makes of the pages of a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Pages that stay, from the first on.
    pub(crate) kept: usize,
    /// Whether the page behind them is to be written anew, with those of its entries that begin before the cut.
    pub(crate) anew: bool,
}

/// What becomes of `pages` when what begins at `cut` or later goes, and `added` entries come.
pub(crate) fn change(pages: &[Page], cut: Option<Timestamp>, added: usize) -> Change {
    let stays = |page: &&Page| cut.is_none_or(|cut| page.last < cut);
    let kept = pages.iter().take_while(stays).count();
    let half = pages.get(kept).is_some_and(|page| cut.is_some_and(|cut| page.start < cut));
    let room = |page: &Page| page.entries < PAGE;
    match kept.checked_sub(1) {
        // Not a page for every programme.
        Some(last) if !half && added > 0 && room(&pages[last]) => Change { kept: last, anew: true },
        _ => Change { kept, anew: half },
    }
}

/// How many of the oldest pages ended by `before`; never the last, and at most [`PURGED`].
pub(crate) fn past(pages: &[Page], before: Timestamp) -> usize {
    let past = pages.iter().take(PURGED).take_while(|page| page.end <= before).count();
    past.min(pages.len().saturating_sub(1))
}

/// Entries as the pages that they fill.
pub(crate) fn fill(mut entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    entries.sort_by_key(|entry| (entry.start(), entry.id));
    entries.chunks(PAGE).map(<[Entry]>::to_vec).collect()
}

impl Page {
    /// The page with these entries, which takes so many bytes.
    pub(crate) fn of(name: String, entries: &[Entry], bytes: usize) -> Self {
        let (first, last) = (entries.first(), entries.last());
        Self {
            name,
            bytes,
            entries: entries.len(),
            start: first.map_or(Timestamp(0), Entry::start),
            last: last.map_or(Timestamp(0), Entry::start),
            end: last.map_or(Timestamp(0), Entry::end),
        }
    }

    pub(crate) fn blob(&self) -> Blob {
        Blob { name: self.name.clone(), bytes: self.bytes }
    }
}

/// The pages with entries that end after `from` and begin before `to`; where there is none, the last
/// that ends before.
pub(crate) fn between(pages: &[Page], from: Timestamp, to: Timestamp) -> &[Page] {
    let begin = pages.partition_point(|page| page.end <= from);
    let end = pages.partition_point(|page| page.start < to).max(begin);
    match &pages[begin..end] {
        [] if begin == pages.len() => &pages[begin.saturating_sub(1)..begin],
        some => some,
    }
}

/// The same of entries.
pub(crate) fn within(entries: Vec<Entry>, from: Timestamp, to: Timestamp) -> Vec<Entry> {
    let over = entries.last().filter(|last| last.end() <= from).cloned();
    match over {
        Some(last) => vec![last],
        None => entries.into_iter().filter(|it| it.end() > from && it.start() < to).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(start: u64, entries: usize) -> Page {
        let at = |number: u64| Timestamp((start + number) * 1_000_000);
        let (last, end) = (at(10 * (entries as u64 - 1)), at(10 * entries as u64));
        Page { name: format!("{start}"), bytes: 1, entries, start: at(0), last, end }
    }

    #[test]
    fn a_commit_writes_as_few_pages_as_it_can() {
        let pages = [page(0, PAGE), page(640, PAGE), page(1_280, 3)];
        let cut = |seconds: u64| Some(Timestamp(seconds * 1_000_000));
        for (case, pages, cut, added, kept, anew) in [
            ("the first", &pages[..0], None, 5, 0, false),
            ("a full one is let be", &pages[..2], None, 1, 2, false),
            ("one with room is filled", &pages[..], None, 1, 2, true),
            ("nothing but the record", &pages[..], None, 0, 3, false),
            ("a cut behind the end", &pages[..], cut(9_999), 0, 3, false),
            ("a cut in a page", &pages[..], cut(700), 0, 1, true),
            ("a cut between pages", &pages[..], cut(640), 0, 1, false),
            ("a cut of everything", &pages[..], cut(0), 9, 0, false),
            ("a cut before the last entry", &pages[..], cut(1_300), 2, 2, true),
        ] {
            assert_eq!(change(pages, cut, added), Change { kept, anew }, "{case}");
        }
    }

    #[test]
    fn what_is_read_of_a_log_is_what_overlaps() {
        let pages = [page(100, 2), page(120, 2), page(140, 2)];
        let at = |seconds: u64| Timestamp(seconds * 1_000_000);
        for (from, to, expected) in [
            (0, 1_000, vec!["100", "120", "140"]),
            (0, 50, vec![]),
            (100, 120, vec!["100"]),
            (119, 121, vec!["100", "120"]),
            (160, 200, vec!["140"]),
            (500, 600, vec!["140"]),
        ] {
            let found: Vec<&str> =
                between(&pages, at(from), at(to)).iter().map(|it| it.name.as_str()).collect();
            assert_eq!(found, expected, "{from} to {to}");
        }
        assert!(between(&[], at(0), at(9)).is_empty());
    }

    #[test]
    fn what_ended_goes_by_whole_pages_and_never_the_last() {
        let at = |seconds: u64| Timestamp(seconds * 1_000_000);
        let pages = [page(100, 2), page(120, 2), page(140, 2)];
        for (before, expected) in [(0, 0), (119, 0), (120, 1), (159, 2), (160, 2), (9_999, 2)] {
            assert_eq!(past(&pages, at(before)), expected, "{before}");
        }
        let many: Vec<Page> = (0..300).map(|number| page(number, 1)).collect();
        assert_eq!(past(&many, at(9_999)), PURGED);
        assert_eq!((past(&pages[..1], at(9_999)), past(&[], at(9_999))), (0, 0));
    }
}
