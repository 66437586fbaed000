//! In which order a library plays, cycle after cycle, each asset once in each.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How the next asset of a library is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Shuffled anew for each cycle; none plays twice in a row where there are three or more.
    Shuffle,
}

/// What a shuffled order follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of a name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        Self(u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes")))
    }
}

impl Order {
    /// Which of `count` assets is the one with this number, counted over all cycles; absent where there
    /// are none.
    #[must_use]
    pub fn pick(self, seed: Seed, count: usize, number: u64) -> Option<usize> {
        let cycle = number.checked_div(count as u64)?;
        let place = usize::try_from(number % count as u64).ok()?;
        match self {
            Self::RoundRobin => Some(place),
            Self::Shuffle => shuffled(seed, cycle, count).get(place).copied(),
        }
    }
}

/// The order of a cycle.
pub(crate) fn shuffled(seed: Seed, cycle: u64, count: usize) -> Vec<usize> {
    let mut order = dealt(seed, cycle, count);
    // What ended the cycle before does not begin this one. A swap of the first two leaves the last in
    // its place, so one look back is enough.
    if count > 2 && cycle > 0 && order.first() == dealt(seed, cycle - 1, count).last() {
        order.swap(0, 1);
    }
    order
}

/// Fisher and Yates.
fn dealt(Seed(seed): Seed, cycle: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = mixed(seed ^ mixed(cycle));
    for last in (1..count).rev() {
        state = mixed(state);
        let place = usize::try_from(state % (last as u64 + 1)).unwrap_or(0);
        order.swap(last, place);
    }
    order
}

/// A step of splitmix64: numbers that look like dice, the same on every machine.
fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cycle_holds_each_asset_once_and_none_plays_twice_in_a_row() {
        for count in [1, 2, 3, 7, 40] {
            for name in ["anna", "ben"] {
                let mut last = None;
                for cycle in 0..200 {
                    let order = shuffled(Seed::of(name), cycle, count);
                    assert!(count < 3 || order.first().copied() != last, "{name} {cycle}");
                    last = order.last().copied();
                    let mut sorted = order.clone();
                    sorted.sort_unstable();
                    assert_eq!(sorted, (0..count).collect::<Vec<_>>(), "{name} {cycle} {order:?}");
                }
            }
        }
        let of = |name| shuffled(Seed::of(name), 5, 40);
        assert_ne!(of("anna"), of("ben"));
        assert_ne!(of("anna"), shuffled(Seed::of("anna"), 6, 40));
    }

    #[test]
    fn a_pick_is_by_its_number() {
        let picks = |order: Order| (0..6).map(|n| order.pick(Seed(1), 3, n).unwrap()).collect();
        let in_turn: Vec<usize> = picks(Order::RoundRobin);
        assert_eq!(in_turn, [0, 1, 2, 0, 1, 2]);
        let mut shuffled: Vec<usize> = picks(Order::Shuffle);
        shuffled[..3].sort_unstable();
        shuffled[3..].sort_unstable();
        assert_eq!(shuffled, in_turn);
        assert_eq!(Order::Shuffle.pick(Seed(1), 0, 4), None);
    }

    #[test]
    fn an_order_is_the_same_on_every_machine_and_in_every_version() {
        let picks = |name: &str, count: usize, numbers: std::ops::Range<u64>| -> Vec<usize> {
            let seed = Seed::of(name);
            numbers.map(|number| Order::Shuffle.pick(seed, count, number).unwrap()).collect()
        };
        assert_eq!(Seed::of("anna"), Seed(6_149_554_607_595_376_846));
        assert_eq!(picks("anna", 7, 0..14), [0, 4, 6, 2, 3, 5, 1, 0, 5, 1, 2, 4, 6, 3]);
        assert_eq!(picks("anna", 5, 5_000..5_010), [1, 2, 3, 0, 4, 2, 4, 0, 3, 1]);
        // Of two, one plays twice in a row now and then.
        assert_eq!(picks("ben", 2, 0..12), [1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0]);
    }
}
