//! Chance that a seed decides.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub struct Dice(AtomicU64);

impl Dice {
    /// The dice of one part of the world.
    pub fn new(seed: u64, part: &str) -> Self {
        let salt = part.bytes().fold(0_u64, |salt, byte| salt.wrapping_mul(257) + u64::from(byte));
        Self(AtomicU64::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ salt))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn percent(&self, chance: u64) -> bool {
        self.next() % 100 < chance
    }
}
