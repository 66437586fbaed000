//! Packs sessions into shards.

use aws::Load;
use relay::session::SessionId;

/// Sessions of one shard at most: a poll takes 8 ms of processor time, as `make cost` measured it at 12 Mbit/s, so the polls
/// of a six-second segment, three a session, take half of the third of a processor that 512 MB are; and what a run is given
/// stays far below Step Functions' 256 KB.
const SESSIONS: usize = 40;

/// What one shard carries at most: what goes in goes out twice, and that is two thirds of what a function's network is
/// thought to carry. The processor would do for more: this much takes a fifth of it.
const BITS_PER_SECOND: u64 = 120_000_000;

/// From here on a session is slow: it is put with its like, so that no quick one ever waits for it.
const SLOW_MS: u64 = 4_000;

/// How long the polls of slow sessions in one shard take at most, one after the other, in milliseconds.
///
/// Polls run side by side and mostly wait, so quick ones are not added up. A shard in which all have grown slow has
/// too much to do, whatever the reason; it is split into small ones until they are quick again.
const SLOW_TICKS_MS: u64 = 12_000;

/// What a session is thought to carry before it was measured: a ladder of a few variants.
const USUAL_BITS_PER_SECOND: u64 = 12_000_000;

/// A shard that is being filled.
#[derive(Default)]
struct Shard {
    sessions: Vec<SessionId>,
    bits_per_second: u64,
    slow_ms: u64,
}

impl Shard {
    fn has_room(&self, bits_per_second: u64, slow_ms: u64) -> bool {
        self.sessions.is_empty()
            || (self.sessions.len() < SESSIONS
                && self.bits_per_second + bits_per_second <= BITS_PER_SECOND
                && self.slow_ms + slow_ms <= SLOW_TICKS_MS)
    }
}

/// The shards, in the order of their first sessions.
///
/// Each session goes into the first shard that has room for it, quick and slow ones apart. Given in
/// the order in which they were made, most sessions stay where they are from one minute to the next.
#[must_use]
pub fn pack(loads: &[Load]) -> Vec<Vec<SessionId>> {
    let is_slow = |load: &&Load| load.tick_ms.is_some_and(|tick_ms| tick_ms >= SLOW_MS);
    let (slow, quick): (Vec<&Load>, Vec<&Load>) = loads.iter().partition(is_slow);
    let mut packed = fill(&quick);
    packed.extend(fill(&slow));
    packed
}

fn fill(loads: &[&Load]) -> Vec<Vec<SessionId>> {
    let mut shards: Vec<Shard> = Vec::new();
    for load in loads {
        let bits_per_second = load.bits_per_second.unwrap_or(USUAL_BITS_PER_SECOND);
        let slow_ms = load.tick_ms.filter(|tick_ms| *tick_ms >= SLOW_MS).unwrap_or_default();
        let room = shards.iter().position(|shard| shard.has_room(bits_per_second, slow_ms));
        let at = room.unwrap_or(shards.len());
        if at == shards.len() {
            shards.push(Shard::default());
        }
        let shard = &mut shards[at];
        shard.sessions.push(load.id.clone());
        shard.bits_per_second = shard.bits_per_second.saturating_add(bits_per_second);
        shard.slow_ms = shard.slow_ms.saturating_add(slow_ms);
    }
    shards.into_iter().map(|shard| shard.sessions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn load(number: usize, bits_per_second: Option<u64>, tick_ms: Option<u64>) -> Load {
        let id = SessionId(format!("s{number:04}"));
        Load { id, bits_per_second, tick_ms, degraded: false }
    }

    #[test]
    fn shards_are_as_few_as_their_sessions_allow() {
        for (count, bits_per_second, tick_ms, shards) in [
            (0, None, None, 0),
            (1, None, None, 1),
            (1, Some(900_000_000), Some(60_000), 1),
            (10, None, None, 1),
            (100, Some(4_000_000), Some(100), 4),
            (100, Some(12_000_000), Some(250), 10),
            (2_000, Some(1_000_000), Some(50), 50),
            (2_000, Some(12_000_000), Some(250), 200),
            (12, Some(1_000_000), Some(3_000), 1),
            (12, Some(1_000_000), Some(4_000), 4),
        ] {
            let loads: Vec<Load> =
                (0..count).map(|number| load(number, bits_per_second, tick_ms)).collect();
            let packed = pack(&loads);
            let case = format!("{count} sessions of {bits_per_second:?} and {tick_ms:?}");
            assert_eq!(packed.len(), shards, "{case}");
            let ids: Vec<&SessionId> = packed.iter().flatten().collect();
            assert_eq!(ids.len(), count, "{case}");
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), count, "{case}");
            assert!(packed.iter().all(|shard| (1..=SESSIONS).contains(&shard.len())), "{case}");
        }
    }

    #[test]
    fn a_session_that_grows_slow_leaves_the_quick_ones() {
        let mut loads: Vec<Load> = (0..8).map(|n| load(n, Some(1_000_000), Some(100))).collect();
        assert_eq!(pack(&loads).len(), 1);
        loads[3].tick_ms = Some(9_000);
        let packed = pack(&loads);
        assert_eq!(packed.len(), 2);
        assert_eq!(packed[1], [SessionId("s0003".to_owned())]);
        assert_eq!(packed[0].len(), 7);
    }

    #[test]
    fn a_shard_that_grows_slow_is_split() {
        let loads = |tick_ms| -> Vec<Load> {
            (0..20).map(|n| load(n, Some(1_000_000), Some(tick_ms))).collect()
        };
        assert_eq!(pack(&loads(1_500)).len(), 1);
        assert_eq!(pack(&loads(5_000)).len(), 10);
    }

    #[test]
    fn what_a_run_is_given_fits() {
        let loads: Vec<Load> = (0..2_000).map(|n| load(n, Some(1), Some(1))).collect();
        for shard in pack(&loads) {
            let input = aws::Input::new(relay::Timestamp(u64::MAX), 240, shard);
            assert!(serde_json::to_string(&input).unwrap().len() < 16 << 10);
        }
    }

    #[test]
    fn most_sessions_stay_when_one_ends() {
        let loads: Vec<Load> = (0..100).map(|n| load(n, Some(4_000_000), Some(100))).collect();
        let before = pack(&loads);
        let after = pack(&loads[1..]);
        let same = before
            .iter()
            .zip(&after)
            .map(|(before, after)| before.iter().filter(|session| after.contains(session)).count());
        assert!(same.sum::<usize>() >= 90);
    }
}
