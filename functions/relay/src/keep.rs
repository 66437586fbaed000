//! Which renditions go on under the names that they were carried under.

use crate::cursor::Rendition;
use crate::layout::{Listed, place};
use crate::names::RenditionName;
use crate::redundant::NOTHING;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The names that renditions which are `listed` go on under, where they are others than their attributes give. The
/// source of this number is carried.
///
/// A rendition is told by where its media playlist lies, then by its name: some sources state the bandwidth that they
/// measure, and some give each reader addresses of its own. Where neither tells, it is what is like it and was listed
/// until now: of several as many must have come as have gone, and the largest goes on as the largest. Where nothing
/// is stated that lasts, one may have gone and another come.
pub(crate) fn kept(
    listed: &BTreeMap<RenditionName, Listed>,
    known: &BTreeMap<RenditionName, Rendition>,
    source: usize,
) -> BTreeMap<RenditionName, RenditionName> {
    let mut kept = where_they_lay(listed, known);
    let used: BTreeSet<_> = listed.keys().map(|name| kept.get(name).unwrap_or(name)).collect();
    let is_gone = |(name, mark): &(&RenditionName, &Rendition)| {
        !used.contains(name) && mark.source == source && !mark.unlisted
    };
    let is_new = |name: &RenditionName| !kept.contains_key(name) && !known.contains_key(name);
    let mut alike: BTreeMap<u32, Alike<'_>> = BTreeMap::new();
    for (name, mark) in known.iter().filter(is_gone) {
        let told = mark.alike.map(|told| alike.entry(told).or_default());
        told.into_iter().for_each(|told| told.gone.push(name));
    }
    for (name, listed) in listed.iter().filter(|(name, _)| is_new(name)) {
        let told = listed.alike.filter(|told| *told != NOTHING);
        let told = told.map(|told| alike.entry(told).or_default());
        told.into_iter().for_each(|told| told.new.push(name));
    }
    let pairs: Vec<_> = alike.into_values().flat_map(Alike::pairs).collect();
    kept.extend(pairs);
    kept
}

/// Renditions that are alike.
#[derive(Default)]
struct Alike<'a> {
    new: Vec<&'a RenditionName>,
    gone: Vec<&'a RenditionName>,
}

impl Alike<'_> {
    /// Which of them is which; nothing where that cannot be told.
    fn pairs(mut self) -> Vec<(RenditionName, RenditionName)> {
        let ordered = self.new.iter().all(|name| name.bandwidth().is_some());
        if self.new.len() != self.gone.len() || self.new.len() > 1 && !ordered {
            return Vec::new();
        }
        self.new.sort_by_key(|name| Reverse(name.bandwidth()));
        self.gone.sort_by_key(|name| Reverse(name.bandwidth()));
        self.new.into_iter().cloned().zip(self.gone.into_iter().cloned()).collect()
    }
}

/// The renditions whose media playlists alone lie where just one lay of those that are known.
fn where_they_lay(
    listed: &BTreeMap<RenditionName, Listed>,
    known: &BTreeMap<RenditionName, Rendition>,
) -> BTreeMap<RenditionName, RenditionName> {
    let mut kept = BTreeMap::new();
    for (name, it) in listed {
        let at = place(&it.urls[0]);
        let is_there = |other: &&Listed| place(&other.urls[0]) == at;
        let lay = |(known, mark): &(&RenditionName, &Rendition)| {
            mark.place == Some(at) && known.is_kind_of(name)
        };
        let there = || known.iter().filter(lay).map(|(known, _)| known);
        let gone = there().filter(|known| !listed.contains_key(*known));
        let own = there().find(|known| *known == name);
        let lay = own.or_else(|| only(there())).or_else(|| only(gone));
        if let Some(known) = lay.filter(|_| listed.values().filter(is_there).count() == 1) {
            kept.insert(name.clone(), known.clone());
        }
    }
    // A name stays that of what is not known by where it lies.
    loop {
        let held: BTreeSet<_> = listed.keys().filter(|name| !kept.contains_key(*name)).collect();
        let before = kept.len();
        kept.retain(|_, known| !held.contains(known));
        if kept.len() == before {
            return kept;
        }
    }
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
