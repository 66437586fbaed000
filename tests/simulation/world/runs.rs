//! Runs of the state machine over one session: they overlap, come late, twice or never, lose their memory, stand
//! still and die. What a run does with its session is the real hold, the real lease and the real core; the order of
//! its steps is that of `functions/advance`.

use super::calls::{Call, Mortal};
use super::machine::Machine;
use super::table::Table;
use super::{
    BEGIN, Dice, Endpoint, Outcome, Scenario, Source, Trouble, endpoint, session, source, wait,
};
use aws::{Hold, Input, LeasedIngest, Mark, Marks, PUT_TIME, RunId, Standing};
use futures_util::future::{Either, join_all, select};
use hls::{Micros, Timestamp};
use relay::advance::{Carrier, Step};
use relay::ports::Clock;
use relay::progress::Status;
use serde_json::{Value, json};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use url::Url;

/// How the runs come and go.
#[derive(Clone, Debug)]
pub struct Runs {
    /// When each begins, in milliseconds.
    pub starts: Vec<u64>,
    /// Of a hundred invocations, how many come to an environment that knows nothing of those before.
    pub cold: u64,
    /// After how many polls of its future each invocation dies, while there are any.
    pub deaths: Vec<u32>,
    /// When the machine of each run stands still; what it does then it does afterwards.
    pub still: Vec<Vec<Trouble>>,
}

/// A tick's budget.
const TICK: Micros = Micros::from_secs(30);
/// How long a run lasts that nobody relieves, in seconds.
const RUN_SECONDS: u64 = 240;
/// How far the clocks of two runs may be apart, in milliseconds.
const APART: u64 = 200;

/// The clock of one run's machine.
struct RunClock {
    began: tokio::time::Instant,
    ahead: Micros,
}

impl Clock for RunClock {
    fn now(&self) -> Timestamp {
        BEGIN + Micros(u64::try_from(self.began.elapsed().as_micros()).unwrap()) + self.ahead
    }

    async fn sleep_until(&self, when: Timestamp) {
        let _call = Call::begin("a sleep");
        tokio::time::sleep(Duration::from_micros(when.since(self.now()).0)).await;
    }
}

type Store = Table;
type Held = Hold<Store, RunClock>;
type Carrying =
    Carrier<source::Client, LeasedIngest<endpoint::Client, Store, RunClock>, Held, RunClock>;

struct World {
    source: Arc<Source>,
    endpoints: [Arc<Endpoint>; 2],
    table: Arc<Table>,
    began: tokio::time::Instant,
}

/// What an environment keeps of a session.
struct Seat {
    hold: Arc<Held>,
    carrier: Carrying,
}

/// What an invocation came to.
enum Turn {
    Again(u64),
    Relieved,
    Done,
}

/// Runs a scenario to its end.
pub async fn live(scenario: &Scenario, runs: &Runs, seed: u64) -> Outcome {
    let began = tokio::time::Instant::now();
    let world = World {
        source: Arc::new(Source::new(scenario.source.clone(), Dice::new(seed, "source"))),
        endpoints: [0, 1].map(|index| {
            let dice = Dice::new(seed, &format!("endpoint {index}"));
            Arc::new(Endpoint::new(index, scenario.endpoints[index].clone(), dice))
        }),
        table: Arc::new(Table::new(
            session(scenario, BEGIN),
            scenario.store_failures,
            Dice::new(seed, "store"),
        )),
        began,
    };
    let machine = Machine::load();
    let lives = runs.starts.iter().enumerate().map(|(number, &start)| {
        let (world, machine) = (&world, &machine);
        async move {
            wait(start).await;
            let dice = Dice::new(seed, &format!("run {number}"));
            let ahead = Micros::from_millis(dice.between(0, APART));
            let clock = Arc::new(RunClock { began, ahead });
            let mut run = OneRun { world, clock, runs, number, kept: None, dice, invocations: 0 };
            let input =
                Input::new(run.clock.now(), RUN_SECONDS, vec![world.table.record().session.id]);
            let input = serde_json::to_value(input).unwrap();
            let dice = Dice::new(seed, &format!("machine {number}"));
            machine.execute(input, &dice, async |input| run.invoke(input).await).await
        }
    });
    let ends = join_all(lives).await;
    if std::env::var_os("EVENTS").is_some() {
        println!("{ends:?}");
    }
    let published = world.source.published(u64::try_from(began.elapsed().as_millis()).unwrap());
    let progress = world.table.record().progress;
    Outcome {
        judgements: [0, 1].map(|index| world.endpoints[index].judge(&published)),
        over: progress.status == Status::Ended,
        progress,
        revived: 0,
        largest_cursor: 0,
        commits: 0,
        polls: world.source.polls(),
        renderings: 0,
        became: Vec::new(),
    }
}

struct OneRun<'a> {
    world: &'a World,
    clock: Arc<RunClock>,
    runs: &'a Runs,
    number: usize,
    kept: Option<Seat>,
    dice: Dice,
    invocations: u32,
}

impl OneRun<'_> {
    /// One invocation of the function; an error is its name.
    async fn invoke(&mut self, input: Value) -> Result<Value, String> {
        let run = serde_json::from_value::<Input>(input).unwrap().run;
        let now = self.clock.now();
        let name = run.id.unwrap_or_else(|| RunId::new(now, self.number as u32));
        let others = self.runs.starts.len() - 1;
        // The last run lives.
        let mine = self.runs.deaths.iter().skip(self.number).step_by(others.max(1));
        let death = mine.copied().nth(self.invocations as usize).filter(|_| self.number < others);
        self.invocations += 1;
        let death = death.unwrap_or(u32::MAX);
        let kept = self.kept.take().filter(|_| !self.dice.percent(self.runs.cold));
        let ends = Timestamp(run.until * 1_000);
        let life = Mortal::new(self.number as u32 + 1, self.turn(&name, ends, kept), death);
        let still = self.runs.still.get(self.number).cloned().unwrap_or_default();
        let lived = standing_still(life, still, self.world.began).await;
        let Some(turned) = lived else {
            return Err("Runtime.ExitError".to_owned());
        };
        let (turn, seat) = turned.map_err(|_| "Ferry.StoreUnavailable".to_owned())?;
        self.kept = seat;
        let (outcome, pause) = match turn {
            Turn::Again(pause) if ends <= self.clock.now() + Micros::from_secs(pause) => {
                ("done", 0)
            }
            Turn::Again(pause) => ("again", pause),
            Turn::Relieved => ("relieved", 0),
            Turn::Done => ("done", 0),
        };
        if std::env::var_os("EVENTS").is_some() {
            let at = self.clock.now().since(BEGIN).as_millis();
            println!("{at:>6} run {} answers {outcome}", self.number);
        }
        let run = json!({ "id": name, "until": run.until, "sessions": run.sessions });
        Ok(json!({ "run": run, "outcome": outcome, "wait": pause }))
    }

    async fn turn(
        &self,
        name: &RunId,
        ends: Timestamp,
        kept: Option<Seat>,
    ) -> Result<(Turn, Option<Seat>), relay::ports::StoreError> {
        let (world, clock) = (self.world, &self.clock);
        if ends <= clock.now() {
            return Ok((Turn::Done, None));
        }
        let record = world.table.record();
        let mark = {
            let _call = Call::begin("a look at the table");
            world.table.mark(&record.session.id).await?.unwrap()
        };
        if let Some(seat) = kept {
            let is_newest = seat.hold.look(&mark);
            if seat.hold.standing() != Standing::Held {
                return Ok((wind_up(seat).await, None));
            }
            if is_newest {
                return Ok(self.drive(seat).await);
            }
        }
        if mark.over {
            return Ok((Turn::Done, None));
        }
        if mark.holder.as_ref().is_some_and(|holder| holder > name) {
            return Ok((Turn::Relieved, None));
        }
        match self.sit_down(name, mark).await {
            Ok(seat) => Ok(self.drive(seat).await),
            Err(Standing::Held) => Ok((Turn::Again(1), None)),
            Err(Standing::Relieved) => Ok((Turn::Relieved, None)),
            Err(Standing::Over) => Ok((Turn::Done, None)),
        }
    }

    async fn sit_down(&self, name: &RunId, mark: Mark) -> Result<Seat, Standing> {
        let (world, clock) = (self.world, &self.clock);
        let record = world.table.record();
        let (session, table) = (record.session.clone(), Arc::clone(&world.table));
        let hold = Arc::new(Hold::new(table, Arc::clone(clock), name.clone(), record, mark));
        let leased = |endpoint: &Arc<Endpoint>| {
            let client = endpoint::Client(Arc::clone(endpoint));
            LeasedIngest::new(client, Arc::clone(&hold), Arc::clone(clock))
        };
        let _call = Call::begin("taking a session up");
        let carrier = Carrier::take(
            session,
            vec![Url::parse(source::MASTER).unwrap()],
            source::Client(Arc::clone(&world.source)),
            world.endpoints.iter().map(leased).collect(),
            Arc::clone(&hold),
            Arc::clone(clock),
        );
        match carrier.await {
            Ok(carrier) => Ok(Seat { hold, carrier }),
            Err(error) => {
                if std::env::var_os("EVENTS").is_some() {
                    let at = clock.now().since(BEGIN).as_millis();
                    println!("{at:>6} run {} cannot take the session up: {error}", self.number);
                }
                Err(hold.standing())
            }
        }
    }

    /// Carries on until there is nothing to do for a second, or the budget is used up.
    async fn drive(&self, mut seat: Seat) -> (Turn, Option<Seat>) {
        let clock = Arc::clone(&self.clock);
        let closes = clock.now() + TICK;
        loop {
            let step = {
                let tick = pin!(seat.carrier.tick());
                match select(tick, pin!(clock.sleep_until(closes))).await {
                    Either::Left((step, _)) => Some(step),
                    Either::Right(_) => None,
                }
            };
            if let (Some(Step::Went(events) | Step::Over(events)), Some(_)) =
                (&step, std::env::var_os("EVENTS"))
            {
                let at = clock.now().since(BEGIN).as_millis();
                events.iter().for_each(|event| println!("{at:>6} run {}: {event}", self.number));
            }
            match (seat.hold.standing(), step) {
                (Standing::Relieved | Standing::Over, _) => return (wind_up(seat).await, None),
                (Standing::Held, None) => {
                    seat.carrier.finish(closes + Micros::from_secs(9)).await;
                    return (Turn::Again(0), None);
                }
                (Standing::Held, Some(Step::Over(_))) => return (Turn::Done, None),
                (Standing::Held, Some(Step::Went(_))) => {}
                (Standing::Held, Some(Step::Idle(until))) => {
                    let left = until.since(clock.now());
                    let pause = (left.0 + 150_000) / 1_000_000;
                    if pause > 0 {
                        return (Turn::Again(pause.min(60)), Some(seat));
                    }
                    clock.sleep_until(until).await;
                }
            }
        }
    }
}

/// Lets what is on its way end, and then gives the session back.
async fn wind_up(mut seat: Seat) -> Turn {
    let limit = seat.hold.clock().now() + PUT_TIME;
    {
        let finished = pin!(seat.carrier.finish(limit));
        let quiet = pin!(seat.hold.quiet());
        select(quiet, finished).await;
    }
    let _call = Call::begin("giving a session back");
    // The lease ends by itself.
    let _ = seat.hold.release().await;
    match seat.hold.standing() {
        Standing::Over => Turn::Done,
        Standing::Held | Standing::Relieved => Turn::Relieved,
    }
}

/// Does nothing of `life` while its machine stands still.
async fn standing_still<T>(
    life: impl Future<Output = T>,
    still: Vec<Trouble>,
    began: tokio::time::Instant,
) -> T {
    let mut life = pin!(life);
    let mut pause = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|context| {
        let now = u64::try_from(began.elapsed().as_millis()).unwrap();
        if let Some(trouble) =
            still.iter().find(|trouble| (trouble.from..trouble.to).contains(&now))
        {
            pause.as_mut().reset(began + Duration::from_millis(trouble.to));
            let _ = pause.as_mut().poll(context);
            return Poll::Pending;
        }
        life.as_mut().poll(context)
    })
    .await
}
