//! When a nonce will be refused.

use std::time::Duration;

/// What was learnt of how long a server takes a nonce for.
///
/// Each refusal may have two reasons, age and number of uses, and both are believed until a
/// success speaks against one. Only what is large is held back for it: what is small is sent and, when it is
/// accepted, corrects what is believed.
#[derive(Debug, Default)]
pub(crate) struct Foresight {
    lifetime: Option<Duration>,
    uses: Option<u32>,
}

impl Foresight {
    /// A nonce was accepted for the `nth` time, at this age.
    pub(crate) fn accepted(&mut self, nth: u32, age: Duration) {
        self.lifetime = self.lifetime.filter(|&lifetime| age < lifetime);
        self.uses = self.uses.filter(|&uses| nth <= uses);
    }

    /// A nonce of a server that knows the credentials was refused for the `nth` time that it was used, at this age.
    pub(crate) fn refused(&mut self, nth: u32, age: Duration) {
        self.lifetime = Some(self.lifetime.map_or(age, |known| known.min(age)));
        if let Some(before @ 1..) = nth.checked_sub(1) {
            self.uses = Some(self.uses.map_or(before, |known| known.min(before)));
        }
    }

    /// Whether a nonce of this age is likely to be refused the `nth` time. A tenth is kept as a margin.
    pub(crate) fn expects_refusal(&self, nth: u32, age: Duration) -> bool {
        self.uses.is_some_and(|uses| nth > uses)
            || self.lifetime.is_some_and(|lifetime| age >= lifetime * 9 / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_foreseen_by_age_or_by_uses_until_a_success_says_otherwise() {
        enum Event {
            Accepted(u32, u64),
            Refused(u32, u64),
        }
        use Event::{Accepted, Refused};
        let cases: &[(&str, &[Event], (u32, u64), bool)] = &[
            ("nothing is known", &[Accepted(1, 0)], (9, 9_000), false),
            ("it is as old as the last one", &[Refused(30, 5_000)], (2, 5_000), true),
            ("it is nearly as old", &[Refused(30, 5_000)], (2, 4_600), true),
            ("it is young", &[Refused(30, 5_000)], (2, 3_000), false),
            ("it was used as often", &[Refused(2, 100), Accepted(1, 900)], (2, 10), true),
            ("it is new", &[Refused(2, 100), Accepted(1, 900)], (1, 10), false),
            ("an older one was accepted", &[Refused(9, 100), Accepted(1, 900)], (2, 200), false),
            ("one was used more often", &[Refused(2, 5_000), Accepted(3, 50)], (4, 60), false),
            ("the shortest life counts", &[Refused(1, 5_000), Refused(1, 900)], (1, 850), true),
        ];
        for (case, events, (nth, age), expected) in cases {
            let mut foresight = Foresight::default();
            for event in *events {
                match *event {
                    Accepted(nth, age) => foresight.accepted(nth, Duration::from_millis(age)),
                    Refused(nth, age) => foresight.refused(nth, Duration::from_millis(age)),
                }
            }
            let foreseen = foresight.expects_refusal(*nth, Duration::from_millis(*age));
            assert_eq!(foreseen, *expected, "{case}");
        }
    }
}
