//! What goes wrong, as a seed decides.

use crate::world::{Dice, Dress, EndpointPlan, Runs, Scenario, SourcePlan, Trouble};
use relay::session::{OutputKind, Start};
use std::collections::BTreeSet;

/// A world in which nothing goes wrong: two variants, two-second segments, a minute.
pub fn calm() -> Scenario {
    Scenario {
        source: SourcePlan {
            variants: 2,
            window: 6,
            first: 100,
            resets: Vec::new(),
            stalls: Vec::new(),
            down: Vec::new(),
            missing: BTreeSet::new(),
            discontinuities: 0,
            failures: 0,
            slow: 0,
            silent: 0,
            stale: 0,
            spell: None,
            dress: Dress::default(),
            end: 60_000,
        },
        window_seconds: None,
        start: Start::LiveEdge,
        output: OutputKind::MediaPackage,
        endpoints: <[EndpointPlan; 2]>::default(),
        store_failures: 0,
        store_spell: None,
        deaths: Vec::new(),
        vacancy: 0,
        until: 1_000_000,
        runs: None,
    }
}

/// A world with faults that are shorter than the source's window: nothing may be missing.
pub fn troubled(seed: u64) -> Scenario {
    let dice = Dice::new(seed, "scenario");
    let mut scenario = calm();
    let trouble = |longest: u64| {
        let from = dice.between(1_000, 55_000);
        Trouble { from, to: from + dice.between(100, longest) }
    };
    let source = &mut scenario.source;
    source.variants = usize::try_from(dice.between(1, 3)).unwrap();
    source.window = 8;
    source.first = dice.between(0, 200);
    source.discontinuities = dice.between(0, 1) * dice.between(4, 9);
    source.failures = dice.between(0, 10);
    source.slow = dice.between(0, 5);
    source.stale = dice.between(0, 1) * dice.between(0, 20);
    if dice.percent(30) {
        source.missing = (0..dice.between(1, 3)).map(|_| dice.between(9, 30)).collect();
    }
    if dice.percent(30) {
        source.stalls = vec![trouble(8_000)];
    }
    if dice.percent(30) {
        source.down = vec![trouble(2_000)];
    }
    let (lost_answers, truncated) = (dice.between(0, 5), dice.between(0, 4));
    for endpoint in &mut scenario.endpoints {
        if dice.percent(40) {
            endpoint.down = vec![trouble(2_500)];
        }
        if dice.percent(20) {
            endpoint.denies = vec![trouble(2_000)];
        }
        (endpoint.lost_answers, endpoint.truncated) = (lost_answers, truncated);
        endpoint.nonces = dice.percent(20);
    }
    scenario.store_failures = dice.between(0, 8);
    if dice.percent(40) {
        scenario.window_seconds = Some(u32::try_from(dice.between(6, 60)).unwrap());
    }
    if dice.percent(30) {
        scenario.output = OutputKind::WebDav;
    }
    scenario.source.dress = dress(&dice, scenario.output);
    scenario.deaths = deaths(&dice, 4);
    scenario.vacancy = dice.between(0, 500);
    scenario
}

/// Anything that a source publishes and an output takes, under addresses that may change.
fn dress(dice: &Dice, output: OutputKind) -> Dress {
    let mut dress = Dress::any(dice, output == OutputKind::WebDav);
    dress.moves = dice.percent(20).then(|| dice.between(5_000, 50_000));
    dress.appears = dice.percent(15).then(|| dice.between(5_000, 40_000));
    dress
}

/// Runs that overlap, come late, twice, or not for two minutes.
fn runs(dice: &Dice) -> Runs {
    let mut starts = vec![0];
    for minute in 0..3 {
        for _ in 0..dice.between(0, 2) {
            starts.push(minute * 60_000 + dice.between(0, 60_000));
        }
    }
    if dice.percent(50) {
        starts.push(starts[starts.len() - 1]);
    }
    // Then the source has ended, and what is left is carried.
    starts.push(dice.between(180_000, 240_000));
    Runs {
        starts,
        cold: dice.between(0, 1) * dice.between(0, 100),
        deaths: Vec::new(),
        still: Vec::new(),
    }
}

/// Runs that relieve each other while all else is well: nothing may be missing.
pub fn relieved(seed: u64) -> Scenario {
    let dice = Dice::new(seed, "relieved");
    let mut scenario = Scenario { runs: Some(runs(&dice)), ..calm() };
    scenario.source.window = 10;
    scenario.source.variants = usize::try_from(dice.between(1, 2)).unwrap();
    scenario.store_failures = dice.between(0, 3);
    let lost_answers = dice.between(0, 3);
    for endpoint in &mut scenario.endpoints {
        endpoint.lost_answers = lost_answers;
    }
    if dice.percent(40) {
        scenario.window_seconds = Some(u32::try_from(dice.between(6, 60)).unwrap());
    }
    if dice.percent(30) {
        scenario.output = OutputKind::WebDav;
    }
    scenario.source.dress = dress(&dice, scenario.output);
    scenario
}

/// Runs that die and stand still in a storm.
pub fn stormy_runs(seed: u64) -> Scenario {
    let dice = Dice::new(seed, "runs");
    let mut runs = runs(&dice);
    let most = runs.starts.len() as u64 * 2;
    runs.deaths = deaths(&dice, most);
    let standstill = |start: u64| {
        let from = start + dice.between(0, 40_000);
        Trouble { from, to: from + dice.between(100, 40_000) }
    };
    runs.still = runs
        .starts
        .iter()
        .map(|&start| (0..dice.between(0, 1)).map(|_| standstill(start)).collect())
        .collect();
    // The last one is to come to the end.
    runs.starts.push(300_000);
    let mut scenario = stormy(seed);
    if !scenario.source.resets.is_empty() {
        // Nor can one that joins after a source began anew tell an old copy from a source that goes on.
        scenario.source.stale = 0;
    }
    for endpoint in &mut scenario.endpoints {
        // What is listed would be cut by the run before, which had begun to store it too.
        endpoint.truncated = 0;
    }
    Scenario { runs: Some(runs), ..scenario }
}

fn deaths(dice: &Dice, most: u64) -> Vec<u32> {
    (0..dice.between(0, most)).map(|_| u32::try_from(dice.between(1, 200)).unwrap()).collect()
}

/// A world with faults as long as may be: what is missing must be marked, and the end must come.
pub fn stormy(seed: u64) -> Scenario {
    let dice = Dice::new(seed, "storm");
    let mut scenario = troubled(seed);
    let trouble = || {
        let from = dice.between(500, 55_000);
        Trouble { from, to: from + dice.between(100, 40_000) }
    };
    let source = &mut scenario.source;
    source.window = usize::try_from(dice.between(3, 10)).unwrap();
    source.resets = (0..dice.between(0, 2)).map(|_| dice.between(1_000, 59_000)).collect();
    source.failures = dice.between(0, 40);
    source.slow = dice.between(0, 30);
    if dice.percent(50) {
        source.down = vec![trouble()];
    }
    let (lost_answers, hanging) = (dice.between(0, 30), dice.between(0, 10));
    for endpoint in &mut scenario.endpoints {
        endpoint.down = (0..dice.between(0, 2)).map(|_| trouble()).collect();
        endpoint.denies = (0..dice.between(0, 1)).map(|_| trouble()).collect();
        (endpoint.lost_answers, endpoint.hanging) = (lost_answers, hanging);
        endpoint.truncated = dice.between(0, 15);
    }
    if dice.percent(30) {
        scenario.start = Start::Window;
    }
    let dress = &mut scenario.source.dress;
    dress.skips = (0..dice.between(0, 2)).map(|_| dice.between(1_000, 59_000)).collect();
    // In a numbering that nobody saw begin, a number may be where the one before ended.
    dress.skips.retain(|skip| scenario.source.resets.iter().all(|reset| skip < reset));
    dress.goes = dice.percent(15).then(|| dice.between(20_000, 55_000));
    scenario.store_failures = dice.between(0, 30);
    scenario.deaths = deaths(&dice, 10);
    scenario.vacancy = dice.between(0, 20_000);
    if dice.percent(20) {
        scenario.source.silent = dice.between(1, 4);
        scenario.endpoints.iter_mut().for_each(|endpoint| endpoint.silent = dice.between(0, 4));
    }
    let source = &mut scenario.source;
    let late =
        !scenario.deaths.is_empty() || !source.down.is_empty() || source.dress.appears.is_some();
    if source.resets.len() > 1 || (source.resets.len() == 1 && late) {
        // What a cache gives of the numbering before the last but one, or of one that was over when a rendition was
        // joined, cannot be told from the source.
        source.stale = 0;
    }
    scenario
}
