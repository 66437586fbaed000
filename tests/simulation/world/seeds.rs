//! Tries a test on many seeds, and finds the simplest scenario that fails.

use super::{Dress, EndpointPlan, Outcome, Scenario, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many seeds to try, and from which: `make soak SEEDS=100000 SEED=0`.
pub fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str, default| {
        std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
    };
    let first = number("SEED", 0);
    first..first + number("SEEDS", 1_000)
}

/// Runs the scenarios of all seeds, on so many threads (`THREADS`); of the first that fails, prints the simplest
/// that still does.
pub fn try_seeds(scenario: fn(u64) -> Scenario, wrong: fn(&Outcome) -> Option<String>) {
    let (seeds, began) = (seeds(), Instant::now());
    let threads = std::env::var("THREADS").map_or(1, |count| count.parse().expect("a number"));
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(None::<u64>));
    let said = Mutex::new(began);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) || failed.lock().unwrap().is_some() {
                return;
            }
            if wrong(&run(&scenario(seed), seed)).is_some() {
                let mut failed = failed.lock().unwrap();
                *failed = Some(failed.map_or(seed, |other| other.min(seed)));
            }
            let (tried, mut said) = (seed + 1 - seeds.start, said.lock().unwrap());
            if said.elapsed() >= Duration::from_secs(10) {
                *said = Instant::now();
                let (all, a_second) = (seeds.end - seeds.start, tried / began.elapsed().as_secs());
                println!("{tried} of {all} seeds, {a_second} a second");
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let Some(seed) = failed.into_inner().unwrap() else { return };
    let simplest = shrink(scenario(seed), |smaller| wrong(&run(smaller, seed)).is_some());
    let what = wrong(&run(&simplest, seed)).expect("it still fails");
    panic!(
        "seed {seed} fails:\n{what}\n{simplest:#?}\nwatch it: \
         SEED={seed} SEEDS=1 EVENTS=1 cargo test -p tests --test simulation -- --nocapture"
    );
}

/// Takes troubles away for as long as it still fails.
fn shrink(mut scenario: Scenario, fails: impl Fn(&Scenario) -> bool) -> Scenario {
    let takers: [fn(&mut Scenario); 24] = [
        |s| s.deaths.clear(),
        |s| s.deaths.truncate(1),
        |s| s.vacancy = 0,
        |s| s.store_failures = 0,
        |s| s.endpoints[0] = EndpointPlan::default(),
        |s| s.endpoints[1] = EndpointPlan::default(),
        |s| s.endpoints.iter_mut().for_each(|e| e.truncated = 0),
        |s| s.endpoints.iter_mut().for_each(|e| e.lost_answers = 0),
        |s| s.endpoints.iter_mut().for_each(|e| (e.hanging, e.silent) = (0, 0)),
        |s| s.endpoints.iter_mut().for_each(|e| e.down.clear()),
        |s| s.endpoints.iter_mut().for_each(|e| e.denies.clear()),
        |s| s.window_seconds = None,
        |s| s.source.down.clear(),
        |s| s.source.stalls.clear(),
        |s| s.source.missing.clear(),
        |s| s.source.failures = 0,
        |s| (s.source.stale, s.source.slow, s.source.silent) = (0, 0, 0),
        |s| s.source.dress = Dress::default(),
        |s| (s.source.dress.maps, s.source.dress.keys) = (0, 0),
        |s| (s.source.dress.markers, s.source.dress.ranges) = (false, false),
        |s| (s.source.dress.apart, s.source.dress.drift) = (0, 0),
        |s| (s.source.dress.appears, s.source.dress.goes) = (None, None),
        |s| (s.source.dress.moves, s.source.dress.sound) = (None, false),
        |s| s.source.variants = 1,
    ];
    for take in takers {
        let mut smaller = scenario.clone();
        take(&mut smaller);
        if fails(&smaller) {
            scenario = smaller;
        }
    }
    scenario
}
