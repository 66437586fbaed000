//! One session in one run.

use crate::counted::Counted;
use crate::invocation::World;
use crate::report::{Carried, Report, Turned, log};
use aws::{
    DynamoSessions, Faults, Hold, LeasedIngest, Mark, PUT_TIME, RunId, Standing, Weight, carried,
};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use hls::Micros;
use relay::Timestamp;
use relay::advance::{Carrier, Step};
use relay::cause::Cause;
use relay::ports::{Clock, Record, Sessions};
use relay::progress::Status;
use relay::session::{Session, SessionId};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use web::clock::TokioClock;
use web::{HttpOrigin, WebDavIngest};

type Store = DynamoSessions<TokioClock>;
type Held = Hold<Store, TokioClock>;
type Ingest = LeasedIngest<WebDavIngest, Store, TokioClock>;
type Running = Carrier<Counted<HttpOrigin, Store, TokioClock>, Ingest, Held, TokioClock>;

/// A session whose secrets are not there yet is being made; after so long it never will be.
const BEING_MADE: Micros = Micros::from_secs(30);
/// A session that cannot be taken up is tried again after so long.
const RETRY: Micros = Micros::from_secs(1);
/// Credentials that were refused, or cannot be used, are read again at most so often.
const DISTRUST: Micros = Micros::from_secs(10);
/// How much is carried is said when it has been carried for so long: the bursts of the beginning
/// even out.
const WATCHED: Micros = Micros::from_secs(20);
/// How a session is doing is written so often, beside every change of its state.
const REPORT: Micros = Micros::from_secs(60);

/// One session in one run.
pub struct Seat {
    session: Session,
    channel: Option<String>,
    hold: Arc<Held>,
    carrier: Running,
    counted: Carried,
    /// What had been carried when the first turn was over, and when that was: catching up is not how a session
    /// usually is.
    first: Option<(Carried, Timestamp)>,
    /// When it was weighed last, by this process or another.
    weighed: Option<Timestamp>,
    /// The longest turn since then.
    longest: u64,
}

/// What a turn came to.
pub enum Turn {
    /// Nothing is to be done before this moment.
    Idle(Box<Seat>, Timestamp),
    /// It was cut off; the next invocation goes on.
    Cut,
    /// It could not be taken up; it is tried again at this moment.
    Failed(Timestamp),
    /// A newer run carries the session.
    Relieved,
    /// The session is over, or gone.
    Over,
}

/// What all turns of an invocation share.
pub struct Round<'a> {
    /// The function.
    pub world: &'a World,
    /// The run.
    pub run: &'a RunId,
    /// Says when to bring to an end what is under way.
    pub closing: watch::Receiver<bool>,
    /// Until when.
    pub closed: Timestamp,
    /// What happened.
    pub report: Mutex<Report>,
}

/// How a turn begins.
pub enum Begin {
    /// With what was read of the session, and what was kept of it.
    Looked(Mark, Option<Box<Seat>>),
    /// Where it left off.
    Seated(Box<Seat>),
    /// Without a look at what is stored of the session by now, and with what was kept of it.
    Unread(Option<Box<Seat>>),
}

impl Begin {
    /// What is kept of the session.
    pub fn seat(self) -> Option<Box<Seat>> {
        match self {
            Self::Seated(seat) => Some(seat),
            Self::Looked(_, seat) | Self::Unread(seat) => seat,
        }
    }
}

impl Round<'_> {
    /// Advances one session until there is nothing to do for now. How that ends, whatever it is, is this
    /// session's alone.
    pub async fn turn(&self, id: &SessionId, begin: Begin) -> Turn {
        let turn = AssertUnwindSafe(self.try_turn(id, begin)).catch_unwind().await;
        let (cause, reason) = match turn {
            Ok(Ok(turn)) => return turn,
            Ok(Err(reason)) => (Cause::Store, reason),
            Err(_) => (Cause::Internal, "internal error".to_owned()),
        };
        self.lock_report().broken();
        tracing::error!(session = %id, "cannot carry the session: {reason}");
        match self.world.sessions.get(id).await {
            Ok(Some(record)) if record.progress.status.is_active() => {
                self.blame(record, cause, reason).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(session = %id, %error, "its state was not stored"),
        }
        Turn::Failed(self.world.clock.now() + RETRY)
    }

    fn lock_report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_turn(&self, id: &SessionId, begin: Begin) -> Result<Turn, String> {
        let (mark, kept) = match begin {
            Begin::Seated(seat) => return Ok(self.drive(*seat).await),
            Begin::Looked(mark, kept) => (Some(mark), kept),
            Begin::Unread(kept) => {
                let table = self.world.sessions.table();
                (table.mark(id).await.map_err(|error| error.to_string())?, kept)
            }
        };
        let Some(mark) = mark else { return Ok(Turn::Over) };
        if let Some(seat) = kept {
            let is_newest = seat.hold.look(&mark);
            if seat.hold.standing() != Standing::Held {
                return Ok(wind_up(*seat).await);
            }
            // Else another environment of this run has carried it on, and knows better.
            if is_newest {
                return Ok(self.drive(*seat).await);
            }
        }
        if mark.over {
            return self.clean_up(&mark).await;
        }
        if mark.holder.as_ref().is_some_and(|holder| holder > self.run) {
            return Ok(Turn::Relieved);
        }
        Ok(match self.sit_down(mark).await? {
            Ok(seat) => self.drive(seat).await,
            Err(turn) => turn,
        })
    }

    /// Ends what somebody began to end.
    async fn clean_up(&self, mark: &Mark) -> Result<Turn, String> {
        // Whoever stops it waits as long, and does the rest; this is for when he died.
        if mark.until.max(mark.from) <= self.world.clock.now() {
            let reason = "stopped on request";
            let finished = self.world.sessions.finish(mark, Status::Stopped, None, reason);
            finished.await.map_err(|error| error.to_string())?;
        }
        Ok(Turn::Over)
    }

    /// Says on the session why it cannot be taken up.
    async fn blame(&self, record: Record, cause: Cause, reason: String) {
        let Record { session, mut progress } = record;
        if progress.reason.as_ref() == Some(&reason) {
            return;
        }
        tracing::error!(session = %session.id, "cannot take up the session: {reason}");
        (progress.status, progress.reason) = (Status::Degraded, Some(reason));
        progress.causes = [cause].into();
        if let Err(error) = self.world.sessions.report(&session.id, &progress).await {
            tracing::warn!(session = %session.id, %error, "cannot report");
        }
    }

    /// Takes a session up.
    async fn sit_down(&self, mark: Mark) -> Result<Result<Seat, Turn>, String> {
        let World { sessions, clock, connector, .. } = self.world;
        let now = clock.now();
        let record = sessions.weighed(&mark).await.map_err(|error| error.to_string())?;
        let Some((record, weighed)) = record else { return Ok(Err(Turn::Over)) };
        let Record { session, progress } = record.clone();
        if !progress.status.is_active() {
            let finished = sessions.finish(&mark, progress.status, None, "").await;
            finished.map_err(|error| error.to_string())?;
            return Ok(Err(Turn::Over));
        }
        let access = match sessions.secrets().access(&session.id).await {
            Ok(access) => access,
            Err(error) => {
                // What was read is not looked at again: somebody is to mend it.
                sessions.secrets().distrust(&session.id);
                self.blame(record, Cause::Secrets, error.to_string()).await;
                return Ok(Err(Turn::Failed(now + DISTRUST)));
            }
        };
        let Some(access) = access else {
            if now.since(session.created) < BEING_MADE {
                return Ok(Err(Turn::Failed(now + RETRY)));
            }
            let reason = "its addresses and credentials are gone from the secrets";
            let finished = sessions.finish(&mark, Status::Failed, Some(Cause::Forgotten), reason);
            finished.await.map_err(|error| error.to_string())?;
            self.lock_report().given_up();
            return Ok(Err(Turn::Over));
        };
        let before = Carried::of(&carried(&mark));
        let run = self.run.clone();
        let hold = Arc::new(Hold::new(Arc::clone(sessions), Arc::clone(clock), run, record, mark));
        let leased = |endpoint| {
            let ingest = connector.ingest(endpoint, session.output);
            LeasedIngest::new(ingest, Arc::clone(&hold), Arc::clone(clock))
        };
        let carrier = Carrier::take(
            session.clone(),
            access.sources(),
            Counted::new(connector.origin(&access), Arc::clone(&hold)),
            access.endpoints.iter().map(leased).collect(),
            Arc::clone(&hold),
            Arc::clone(clock),
        );
        let carrier = match carrier.await {
            Ok(carrier) => carrier,
            Err(error) => {
                return match hold.standing() {
                    Standing::Held => Err(error.to_string()),
                    Standing::Relieved => Ok(Err(Turn::Relieved)),
                    Standing::Over => Ok(Err(Turn::Over)),
                };
            }
        };
        let channel = sessions.secrets().channel_of(&session.id);
        let (counted, first, longest) = (before, None, 0);
        Ok(Ok(Seat { session, channel, hold, carrier, counted, first, weighed, longest }))
    }

    /// Carries on until there is nothing to do for now, or the invocation closes.
    async fn drive(&self, mut seat: Seat) -> Turn {
        let clock = &self.world.clock;
        let began = clock.now();
        let mut faults = Faults::default();
        let came_to = loop {
            let mut closing = self.closing.clone();
            let closed = pin!(closing.wait_for(|closing| *closing));
            let step = {
                let tick = pin!(seat.carrier.tick());
                match select(tick, closed).await {
                    Either::Left((step, _)) => Some(step),
                    Either::Right(_) => None,
                }
            };
            let more = seat.hold.take_faults();
            faults.source += more.source;
            faults.ingest += more.ingest;
            faults.denied |= more.denied;
            let standing = seat.hold.standing();
            match (&step, standing) {
                (Some(Step::Over(events)), _) | (Some(Step::Went(events)), Standing::Held) => {
                    log(&seat.session.id, events);
                }
                // What fails because another run goes on is no failure.
                (Some(Step::Went(_)), Standing::Relieved | Standing::Over) => {}
                (Some(Step::Idle(_)) | None, _) => {}
            }
            match (standing, step) {
                (Standing::Relieved | Standing::Over, _) => break CameTo::Lost,
                (Standing::Held, None) => {
                    seat.carrier.finish(self.closed).await;
                    break CameTo::Cut;
                }
                (Standing::Held, Some(Step::Over(_))) => break CameTo::Over,
                (Standing::Held, Some(Step::Idle(until))) => break CameTo::Idle(until),
                (Standing::Held, Some(Step::Went(_))) => {}
            }
        };
        let now = clock.now();
        let millis = now.since(began).as_millis();
        if seat.first.is_some() {
            seat.longest = seat.longest.max(millis);
        }
        self.lock_report().take(&Turned {
            session: &seat.session.id,
            channel: seat.channel.as_deref(),
            before: seat.counted,
            progress: seat.carrier.progress(),
            faults,
            millis,
        });
        seat.counted = Carried::of(seat.carrier.progress());
        seat.first.get_or_insert((seat.counted, now));
        match came_to {
            CameTo::Lost => wind_up(seat).await,
            CameTo::Over => Turn::Over,
            CameTo::Cut => Turn::Cut,
            CameTo::Idle(until) => {
                self.tell(&mut seat, now).await;
                if faults.denied && self.world.distrust(&seat.session.id, now, DISTRUST) {
                    // With what is in the secret now.
                    return Turn::Failed(now);
                }
                Turn::Idle(Box::new(seat), until)
            }
        }
    }

    /// Writes how a session is doing, and what it weighs.
    async fn tell(&self, seat: &mut Seat, now: Timestamp) {
        let Some((before, since)) = seat.first else { return };
        let created = seat.session.created;
        let due = match seat.weighed {
            None => now.since(created) >= WATCHED,
            Some(last) => now.since(last) >= REPORT,
        };
        if !due {
            return;
        }
        // A process that has not watched it for long knows what was carried since it was made.
        let long = now.since(since) >= WATCHED;
        let (before, since) = if long { (before.bytes, since) } else { (0, created) };
        let bits = seat.counted.bytes.saturating_sub(before).saturating_mul(8_000);
        let bits_per_second = bits / now.since(since).as_millis().max(1);
        let weight = Weight { bits_per_second, tick_ms: seat.longest, at: now };
        let sessions = &self.world.sessions;
        match sessions.report_weight(&seat.session, seat.carrier.progress(), Some(weight)).await {
            Ok(()) => (seat.weighed, seat.longest) = (Some(now), 0),
            Err(error) => tracing::warn!(session = %seat.session.id, %error, "cannot report"),
        }
    }
}

/// What carrying on came to.
enum CameTo {
    Idle(Timestamp),
    Over,
    Cut,
    Lost,
}

/// Lets what is on its way end, and then gives back a session that this run may carry no more.
async fn wind_up(mut seat: Seat) -> Turn {
    let Seat { session, hold, carrier, .. } = &mut seat;
    // No playlist takes longer; a segment that is still on its way does no harm.
    let limit = hold.clock().now() + PUT_TIME;
    {
        let finished = pin!(carrier.finish(limit));
        let quiet = pin!(hold.quiet());
        select(quiet, finished).await;
    }
    if let Err(error) = hold.release().await {
        tracing::warn!(session = %session.id, %error, "cannot give back the lease");
    }
    match hold.standing() {
        Standing::Over => Turn::Over,
        Standing::Held | Standing::Relieved => Turn::Relieved,
    }
}
