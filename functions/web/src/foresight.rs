//! What a server was seen to do with nonces.

use std::time::Duration;

/// A server that refuses a nonce younger than this for its age does not mean its age: it takes each
/// only once.
const TOO_YOUNG: Duration = Duration::from_millis(250);
/// A server that refuses a nonce younger than this, without a word of its age, may have restarted,
/// or may want its uses in their order.
const YOUNG: Duration = Duration::from_secs(60);
/// So many nonces refused while young are no accident.
const TELLING: u32 = 3;

/// What was learnt of how a server takes nonces.
#[derive(Debug, Default)]
pub(crate) struct Foresight {
    /// The age at which a nonce was refused, unless an older one was accepted since.
    lifetime: Option<Duration>,
    /// Nonces that were refused while they were young and used side by side.
    refused_young: u32,
}

impl Foresight {
    /// A nonce of this age was accepted.
    pub(crate) fn accepted(&mut self, age: Duration) {
        self.lifetime = self.lifetime.filter(|&lifetime| age < lifetime);
    }

    /// A nonce of this age was refused as stale, the `nth` time that it was used.
    pub(crate) fn stale(&mut self, nth: u32, age: Duration) {
        if nth > 1 && age < TOO_YOUNG {
            self.refused_young += 1;
        } else {
            self.lifetime = Some(self.lifetime.map_or(age, |known| known.min(age)));
        }
    }

    /// A nonce of this age was refused without a reason, the `nth` time that it was used, and not
    /// for the credentials.
    pub(crate) fn refused(&mut self, nth: u32, age: Duration) {
        self.refused_young += u32::from(nth > 1 && age < YOUNG);
    }

    /// Whether a nonce of this age is likely to be refused. A tenth is kept as a margin.
    ///
    /// Only what is large is held back for it: what is small is sent and, when it is accepted,
    /// corrects what is believed.
    pub(crate) fn expects_refusal(&self, age: Duration) -> bool {
        self.lifetime.is_some_and(|lifetime| age >= lifetime * 9 / 10)
    }

    /// Whether the server takes one request at a time only: each nonce once, or its uses strictly
    /// in their order, which requests side by side do not keep.
    pub(crate) fn one_at_a_time(&self) -> bool {
        self.refused_young >= TELLING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Event {
        Accepted(u64),
        Stale(u32, u64),
        Refused(u32, u64),
    }
    use Event::{Accepted, Refused, Stale};

    fn after(events: &[Event]) -> Foresight {
        let mut foresight = Foresight::default();
        for event in events {
            match *event {
                Accepted(age) => foresight.accepted(Duration::from_millis(age)),
                Stale(nth, age) => foresight.stale(nth, Duration::from_millis(age)),
                Refused(nth, age) => foresight.refused(nth, Duration::from_millis(age)),
            }
        }
        foresight
    }

    #[test]
    fn a_refusal_for_age_is_foreseen_until_an_older_nonce_is_accepted() {
        let cases: &[(&str, &[Event], u64, bool)] = &[
            ("nothing is known", &[Accepted(0)], 9_000, false),
            ("it is as old as the last one", &[Stale(30, 5_000)], 5_000, true),
            ("it is nearly as old", &[Stale(30, 5_000)], 4_600, true),
            ("it is younger", &[Stale(30, 5_000)], 4_400, false),
            ("an older one was accepted", &[Stale(9, 3_000), Accepted(3_100)], 4_000, false),
            ("a younger one was accepted", &[Stale(9, 3_000), Accepted(2_900)], 4_000, true),
            ("the shortest life counts", &[Stale(1, 5_000), Stale(1, 2_000)], 1_850, true),
            ("age was not the reason", &[Stale(2, 100), Refused(9, 2_000)], 5_000, false),
        ];
        for (case, events, age, expected) in cases {
            let foreseen = after(events).expects_refusal(Duration::from_millis(*age));
            assert_eq!(foreseen, *expected, "{case}");
        }
    }

    #[test]
    fn a_server_that_keeps_refusing_young_nonces_gets_one_request_at_a_time() {
        let cases: &[(&str, &[Event], bool)] = &[
            ("nonces for one use", &[Stale(2, 10), Stale(3, 20), Stale(2, 9)], true),
            ("uses out of order", &[Refused(5, 10), Refused(7, 9_000), Refused(2, 100)], true),
            ("one restart", &[Refused(900, 9_000)], false),
            (
                "daily restarts",
                &[Refused(9, 86_000), Refused(9, 86_000), Refused(9, 86_000)],
                false,
            ),
            ("a short life", &[Stale(9, 5_000), Stale(9, 5_000), Stale(9, 5_000)], false),
            ("first uses", &[Refused(1, 10), Refused(1, 10), Refused(1, 10)], false),
        ];
        for (case, events, expected) in cases {
            assert_eq!(after(events).one_at_a_time(), *expected, "{case}");
        }
    }
}
