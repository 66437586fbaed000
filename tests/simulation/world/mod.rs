//! A world in virtual time: a source, two endpoints and a store that behave, and fail as a seed says.

mod calls;
mod dice;
mod dress;
mod endpoint;
mod machine;
mod observer;
mod runs;
mod seeds;
mod source;
mod store;
mod table;

pub use calls::{AWAITS, AWAITS_OF_RUNS, hit};
pub use dice::Dice;
pub use dress::Dress;
pub use endpoint::{Endpoint, EndpointPlan, Judgement};
pub use runs::Runs;
pub use seeds::{seeds, try_seeds};
pub use source::{Source, SourcePlan};
pub use store::Store;

use calls::{Call, Mortal};
use hls::{Micros, Timestamp};
use relay::advance::{Carrier, Event, Step};
use relay::ports::Clock;
use relay::progress::{Progress, Status};
use relay::session::{Access, Address, Options, OutputKind, Session, SessionId, Start};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Virtual time, which begins here.
const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);

/// The clock of tokio's paused time.
pub struct VirtualClock(tokio::time::Instant);

impl VirtualClock {
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.0.elapsed().as_micros()).unwrap();
        BEGIN + Micros(elapsed)
    }

    async fn sleep_until(&self, when: Timestamp) {
        let _call = Call::begin("a sleep");
        let offset = Duration::from_micros(when.since(BEGIN).0);
        tokio::time::sleep_until(self.0 + offset).await;
    }
}

/// Waits in virtual time.
pub async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// A stretch of time, in milliseconds since the world began, in which something is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub from: u64,
    pub to: u64,
}

impl Trouble {
    pub fn any(troubles: &[Self], at: u64) -> bool {
        troubles.iter().any(|trouble| (trouble.from..trouble.to).contains(&at))
    }
}

/// How the world is, and what goes wrong in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub source: SourcePlan,
    pub window_seconds: Option<u32>,
    pub start: Start,
    pub output: OutputKind,
    pub endpoints: [EndpointPlan; 2],
    /// Of a hundred calls of the store, how many fail; every other one of these has lasted.
    pub store_failures: u64,
    /// When that goes wrong; absent: always.
    pub store_spell: Option<Trouble>,
    /// After how many polls of its future each run dies; the last one lives.
    pub deaths: Vec<u32>,
    /// How long nobody carries the session after each death, in milliseconds.
    pub vacancy: u64,
    /// When to stop looking, in milliseconds.
    pub until: u64,
    /// The runs of the state machine that carry the session; absent: one process does.
    pub runs: Option<Runs>,
}

/// What came of it.
pub struct Outcome {
    pub judgements: [Judgement; 2],
    pub progress: Progress,
    pub over: bool,
    /// When the life that came to the end began, in milliseconds.
    pub revived: u64,
    pub largest_cursor: usize,
    pub commits: u64,
    pub polls: u64,
    /// Playlists that the last run rendered.
    pub renderings: u64,
    /// The states that the session was in, and why.
    pub became: Vec<(Status, Option<String>)>,
}

/// What was seen of the runs.
#[derive(Default)]
struct Seen {
    progress: Progress,
    renderings: u64,
    became: Vec<(Status, Option<String>)>,
}

/// Runs a scenario to its end.
pub fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    match &scenario.runs {
        None => runtime.block_on(live(scenario, seed)),
        Some(runs) => runtime.block_on(runs::live(scenario, runs, seed)),
    }
}

async fn live(scenario: &Scenario, seed: u64) -> Outcome {
    let clock = Arc::new(VirtualClock::start());
    let source = Arc::new(Source::new(scenario.source.clone(), Dice::new(seed, "source")));
    let endpoints: [Arc<Endpoint>; 2] = [0, 1].map(|index| {
        let dice = Dice::new(seed, &format!("endpoint {index}"));
        Arc::new(Endpoint::new(index, scenario.endpoints[index].clone(), dice))
    });
    let store = Store::new(scenario.store_failures, scenario.store_spell, Dice::new(seed, "store"));
    let store = Arc::new(store);
    let mut revived = 0;
    let session = session(scenario, clock.now());
    let url = Url::parse(source::MASTER).unwrap();
    let mut seen = Seen::default();
    let mut deaths = scenario.deaths.iter().copied();
    let over = loop {
        let death = deaths.next();
        let life = async {
            let run = carry(&session, &url, &source, &endpoints, &store, &clock, &mut seen);
            let limit = Duration::from_millis(scenario.until);
            tokio::time::timeout_at(clock.0 + limit, run).await.unwrap_or(false)
        };
        let mortal = Mortal::new(1, life, death.unwrap_or(u32::MAX));
        match mortal.await {
            Some(ended) => break ended,
            None => wait(scenario.vacancy).await,
        }
        revived = clock.now().since(BEGIN).as_millis();
    };
    let published = source.published(clock.now().since(BEGIN).as_millis());
    let judgements = [0, 1].map(|index| endpoints[index].judge(&published));
    Outcome {
        judgements,
        progress: seen.progress,
        over,
        revived,
        largest_cursor: store.largest(),
        commits: store.commits(),
        polls: source.polls(),
        renderings: seen.renderings,
        became: seen.became,
    }
}

async fn carry(
    session: &Session,
    url: &Url,
    source: &Arc<Source>,
    endpoints: &[Arc<Endpoint>; 2],
    store: &Arc<Store>,
    clock: &Arc<VirtualClock>,
    seen: &mut Seen,
) -> bool {
    loop {
        let taken = Carrier::take(
            session.clone(),
            vec![url.clone()],
            source::Client(Arc::clone(source)),
            endpoints.iter().map(|endpoint| endpoint::Client(Arc::clone(endpoint))).collect(),
            Arc::clone(store),
            Arc::clone(clock),
        );
        let Ok(mut carrier) = taken.await else {
            wait(200).await;
            continue;
        };
        loop {
            let step = carrier.tick().await;
            seen.progress.clone_from(carrier.progress());
            seen.renderings = carrier.renderings();
            let events = match &step {
                Step::Idle(until) => {
                    clock.sleep_until(*until).await;
                    continue;
                }
                Step::Went(events) | Step::Over(events) => events,
            };
            seen.became.extend(events.iter().filter_map(|event| match event {
                Event::Became(status, reason) => Some((*status, reason.clone())),
                _ => None,
            }));
            if std::env::var_os("EVENTS").is_some() {
                let at = clock.now().since(BEGIN).as_millis();
                events.iter().for_each(|event| println!("{at:>6} {event}"));
            }
            if matches!(step, Step::Over(_)) {
                return seen.progress.status == Status::Ended;
            }
        }
    }
}

fn session(scenario: &Scenario, created: Timestamp) -> Session {
    let address = |index| {
        let url = format!("http://127.0.0.1:800{index}/in/channel");
        Address::of(&Url::parse(&url).unwrap())
    };
    Session {
        id: SessionId("simulated".into()),
        name: "simulated".into(),
        created,
        source: Address::of(&Url::parse(source::MASTER).unwrap()),
        output: scenario.output,
        endpoints: vec![address(0), address(1)],
        window_seconds: scenario.window_seconds,
        start: scenario.start,
        concurrency: 4,
        options: Options::default(),
    }
}

/// What the source published, per rendition.
pub type Published = BTreeMap<String, Stream>;

/// What it published of one, in order.
pub struct Stream {
    pub segments: Vec<source::Segment>,
    /// Whether it was there to the end.
    pub stays: bool,
    /// Whether it was not there from the beginning.
    pub appears: bool,
}

/// Access is not needed where nothing is secret.
pub fn no_access() -> Access {
    Access {
        fallbacks: Vec::new(),
        source: Url::parse(source::MASTER).unwrap(),
        headers: Vec::new(),
        endpoints: Vec::new(),
    }
}
