//! One invocation: every session of the run that is due, by one poll, until none is due for a while.

use crate::answer::{Answer, Outcome, wait};
use crate::config::Settings;
use crate::failure::Failure;
use crate::report::Report;
use crate::seat::{Begin, Round, Turn};
use crate::warm::Warm;
use aws::{Due, DynamoSessions, Run, RunId, SdkConfig, Secrets, Table};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use hls::Micros;
use relay::Timestamp;
use relay::ports::Clock;
use relay::session::SessionId;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use web::Connector;
use web::clock::TokioClock;

/// What is under way at the end of the budget is brought to an end so long before the function's own.
const SPARE: Micros = Micros::from_millis(500);

/// The function: what its invocations share.
pub struct World {
    pub(crate) sessions: Arc<DynamoSessions<TokioClock>>,
    pub(crate) clock: Arc<TokioClock>,
    pub(crate) connector: Connector,
    settings: Settings,
    random: fn() -> u32,
    warm: Mutex<Warm>,
    distrusted: Mutex<BTreeMap<SessionId, Timestamp>>,
}

/// The sessions of an invocation that nothing is being done for.
#[derive(Default)]
struct Waiting(BTreeMap<SessionId, (Timestamp, Begin)>);

type Turning<'a> = Pin<Box<dyn Future<Output = (SessionId, Turn)> + Send + 'a>>;

impl World {
    /// The function, as its settings say. `random` tells runs from each other that start at the same moment.
    ///
    /// # Errors
    /// [`Failure::BadConfiguration`], when no connector can be built.
    pub fn new(
        settings: Settings,
        config: &SdkConfig,
        random: fn() -> u32,
    ) -> Result<Self, Failure> {
        let connector = Connector::new(settings.web.clone())
            .map_err(|error| Failure::BadConfiguration(error.to_string()))?;
        let clock = Arc::new(TokioClock::new());
        let table = Table::new(config, settings.table.clone());
        let secrets = Arc::new(Secrets::new(config, settings.secrets.clone()));
        let sessions = Arc::new(DynamoSessions::new(table, secrets, Arc::clone(&clock)));
        let (warm, distrusted) = (Mutex::default(), Mutex::default());
        Ok(Self { sessions, clock, connector, settings, random, warm, distrusted })
    }

    /// Reads the secrets of a session afresh, unless that was done a moment ago; says whether.
    pub(crate) fn distrust(&self, id: &SessionId, now: Timestamp, pause: Micros) -> bool {
        let mut distrusted = self.distrusted.lock().unwrap_or_else(PoisonError::into_inner);
        if distrusted.get(id).is_some_and(|last| now.since(*last) < pause) {
            return false;
        }
        distrusted.retain(|_, last| now.since(*last) < pause);
        distrusted.insert(id.clone(), now);
        self.sessions.secrets().distrust(id);
        true
    }

    /// Advances the sessions of `run`. It must answer before `deadline`. Lines for CloudWatch go to `print`.
    ///
    /// # Errors
    /// When the table cannot be read. What goes wrong with one session never ends the others.
    pub async fn invoke(
        &self,
        run: Run,
        deadline: Timestamp,
        print: &(dyn Fn(&str) + Sync),
    ) -> Result<Answer, Failure> {
        let now = self.clock.now();
        let name = run.id.unwrap_or_else(|| RunId::new(now, (self.random)()));
        let until = Timestamp(run.until.saturating_mul(1_000));
        let due = |due: Option<u64>| due.map(|due| Timestamp(due.saturating_mul(1_000)));
        let dues: BTreeMap<SessionId, Option<Timestamp>> =
            run.sessions.into_iter().map(|session| (session.id, due(session.due))).collect();
        let later = |due: Option<Timestamp>| due.filter(|due| now < *due);
        let at_once = dues.iter().filter(|(_, due)| later(**due).is_none());
        let at_once: BTreeSet<SessionId> = at_once.map(|(id, _)| id.clone()).collect();
        let answer = |outcome, wait, sessions: Vec<Due>| {
            let run = Run { id: Some(name.clone()), until: run.until, sessions };
            Answer { outcome, wait, run }
        };
        let mut kept = self.lock_warm().take(&name, now);
        if until <= now || dues.is_empty() {
            return Ok(answer(Outcome::Done, 0, Vec::new()));
        }
        // Those that are due later are looked at then: a poll reads once.
        let mut marks = self.sessions.table().marks(&at_once).await?;

        let (close, closing) = watch::channel(false);
        // What is under way when the budget is used up may take as long as one request.
        let closes = (now + self.settings.tick).min(before(deadline, self.settings.http));
        let round = Round {
            world: self,
            run: &name,
            closing,
            closed: before(deadline, SPARE),
            report: Mutex::new(Report::default()),
        };
        let mut turns: FuturesUnordered<Turning<'_>> = FuturesUnordered::new();
        let mut waiting = Waiting::default();
        for (id, due) in dues {
            let seat = kept.remove(&id).map(Box::new);
            match (later(due), marks.remove(&id)) {
                (Some(due), _) => waiting.add(id, due, Begin::Unread(seat)),
                (None, Some(mark)) => turns.push(round.begin(id, Begin::Looked(mark, seat))),
                // One that is not there any more is left out.
                (None, None) => {}
            }
        }
        let mut left: BTreeMap<SessionId, Timestamp> = BTreeMap::new();
        let mut relieved = false;
        loop {
            let now = self.clock.now();
            if now >= closes {
                close.send_replace(true);
            } else {
                for (id, begin) in waiting.due(now) {
                    turns.push(round.begin(id, begin));
                }
            }
            let next = waiting.next();
            if turns.is_empty() {
                let pause = next.map(|next| next.since(now));
                if now >= closes || pause.is_none_or(|pause| wait(pause) > 0) {
                    break;
                }
            }
            let wake = next.map_or(closes, |next| next.min(closes));
            // Once it closes, only the turns' own ends matter.
            let wake = if now >= closes { round.closed.max(now + SPARE) } else { wake };
            let timer = pin!(self.clock.sleep_until(wake));
            let turn = if turns.is_empty() {
                timer.await;
                None
            } else {
                match select(turns.next(), timer).await {
                    Either::Left((turn, _)) => turn,
                    Either::Right(_) => None,
                }
            };
            match turn {
                None => {}
                Some((id, Turn::Idle(seat, until))) => waiting.add(id, until, Begin::Seated(seat)),
                Some((id, Turn::Failed(until))) => waiting.add(id, until, Begin::Unread(None)),
                Some((id, Turn::Cut)) => drop(left.insert(id, self.clock.now())),
                Some((_, Turn::Relieved)) => relieved = true,
                Some((_, Turn::Over)) => {}
            }
        }
        drop(turns);

        let now = self.clock.now();
        let pause = waiting.next().filter(|_| left.is_empty()).map(|next| wait(next.since(now)));
        let mut seats = BTreeMap::new();
        for (id, (due, begin)) in waiting.0 {
            left.insert(id.clone(), due);
            seats.extend(begin.seat().map(|seat| (id, *seat)));
        }
        self.lock_warm().keep(name.clone(), until, seats);
        let report = round.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        for line in report.lines(&self.settings.metrics, now, &name.0) {
            print(&line);
        }
        let pause = pause.unwrap_or(0);
        Ok(if left.is_empty() {
            answer(if relieved { Outcome::Relieved } else { Outcome::Done }, 0, Vec::new())
        } else if until <= now + Micros::from_secs(pause) {
            answer(Outcome::Done, 0, Vec::new())
        } else {
            let due = |(id, due): (SessionId, Timestamp)| Due { id, due: Some(due.0 / 1_000) };
            answer(Outcome::Again, pause, left.into_iter().map(due).collect())
        })
    }

    fn lock_warm(&self) -> std::sync::MutexGuard<'_, Warm> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Round<'a> {
    /// Begins a turn.
    fn begin<'r>(&'r self, id: SessionId, begin: Begin) -> Turning<'r>
    where
        'a: 'r,
    {
        Box::pin(async move {
            let turn = self.turn(&id, begin).await;
            (id, turn)
        })
    }
}

impl Waiting {
    fn add(&mut self, id: SessionId, until: Timestamp, begin: Begin) {
        self.0.insert(id, (until, begin));
    }

    /// When the first of them is due.
    fn next(&self) -> Option<Timestamp> {
        self.0.values().map(|(until, _)| *until).min()
    }

    /// Takes out those that are due.
    fn due(&mut self, now: Timestamp) -> Vec<(SessionId, Begin)> {
        let due = self.0.extract_if(.., |_, (until, _)| *until <= now);
        due.map(|(id, (_, begin))| (id, begin)).collect()
    }
}

/// A moment so long before another.
fn before(moment: Timestamp, span: Micros) -> Timestamp {
    Timestamp(moment.0.saturating_sub(span.0))
}
