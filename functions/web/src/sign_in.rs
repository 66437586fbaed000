//! How one endpoint is signed in to: one challenge, shared by all requests.

use crate::challenge::{Challenge, Signed};
use crate::foresight::Foresight;
use http::header::{HeaderMap, HeaderValue};
use relay::ports::IngestError;
use relay::session::Credentials;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Credentials, and what is known of the server that wants them.
#[derive(Debug)]
pub(crate) struct SignIn {
    credentials: Credentials,
    state: Mutex<State>,
    /// Taken while the server is being asked for a challenge, and until it has accepted one answer:
    /// else each of the first requests would be refused.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    known: Known,
    /// Counts the challenges that were shared.
    generation: u64,
    /// The last of them that was refused.
    refused: Option<u64>,
    /// Whether the server has accepted the credentials, and not refused them since.
    proven: bool,
    /// Whether the server refused the credentials the last time.
    doubted: bool,
    foresight: Foresight,
}

/// What the server wants to see.
#[derive(Debug, Default)]
enum Known {
    /// That is not known.
    #[default]
    Nothing,
    /// Nothing: it takes requests that are not signed.
    Open,
    /// An answer to this.
    Asked { challenge: Challenge, since: Instant },
}

/// What should be sent, without a body, before a large body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// A request that is not signed, to be told the challenge.
    Ask,
    /// A signed one, to see whether the credentials are right.
    Check,
}

/// How one request is signed.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    pub(crate) header: Option<HeaderValue>,
    mark: Option<Mark>,
}

/// The nonce that a request used.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Absent: it is not shared.
    generation: Option<u64>,
    /// How often it was used, this time included.
    nth: u32,
    age: Duration,
}

/// With what a request that was refused goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The challenge that all share.
    Shared,
    /// A challenge that only it answers, got by a request that is not signed.
    Own,
}

/// A challenge that only one call answers.
#[derive(Debug)]
pub(crate) struct Own(Challenge, Instant);

impl Own {
    pub(crate) fn read(headers: &HeaderMap, now: Instant) -> Option<Self> {
        Some(Self(Challenge::read(headers)?, now))
    }
}

impl SignIn {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, state: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Waits until a request may be sent: at once when the server has accepted the credentials and
    /// takes requests side by side, else one after the other. The turn lasts until it is dropped.
    pub(crate) async fn queue(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.state().takes_many() {
            return None;
        }
        let turn = self.turn.lock().await;
        (!self.state().takes_many()).then_some(turn)
    }

    /// Waits until nobody else learns anything.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// What to send before a large body, so that the body is sent once.
    pub(crate) fn ahead(&self, own: Option<&Own>, now: Instant) -> Option<Ahead> {
        let state = self.state();
        if own.is_some() {
            return state.doubted.then_some(Ahead::Check);
        }
        match &state.known {
            Known::Nothing => Some(Ahead::Ask),
            Known::Open => None,
            Known::Asked { since, .. } => {
                if state.foresight.expects_refusal(now - *since) {
                    Some(Ahead::Ask)
                } else {
                    state.doubted.then_some(Ahead::Check)
                }
            }
        }
    }

    /// Signs a request, as far as it is known how.
    pub(crate) fn sign(
        &self,
        own: &mut Option<Own>,
        signed: Signed<'_>,
        now: Instant,
    ) -> Result<Ticket, IngestError> {
        let mut state = self.state();
        let generation = state.generation;
        let (generation, challenge, since) = match (own, &mut state.known) {
            (Some(Own(challenge, since)), _) => (None, challenge, *since),
            (None, Known::Asked { challenge, since }) => (Some(generation), challenge, *since),
            (None, Known::Nothing | Known::Open) => return Ok(Ticket::default()),
        };
        let header = challenge
            .answer(&self.credentials, signed)
            .map_err(|why| IngestError::Denied { reason: why.to_owned() })?;
        let mark = Mark { generation, nth: challenge.uses(), age: now - since };
        Ok(Ticket { header: Some(header), mark: Some(mark) })
    }

    /// Takes note that a request was let in.
    pub(crate) fn accepted(&self, ticket: &Ticket, headers: &HeaderMap, now: Instant) {
        let mut state = self.state();
        state.proven = true;
        let Some(Mark { generation, age, .. }) = ticket.mark else {
            if matches!(state.known, Known::Nothing) {
                state.known = Known::Open;
            }
            return;
        };
        state.doubted = false;
        state.foresight.accepted(age);
        if generation == Some(state.generation)
            && let Known::Asked { challenge, .. } = &state.known
            && let Some(next) = challenge.announced(headers)
        {
            state.share(next, now);
        }
    }

    /// Gives a challenge that one call has done with to all.
    pub(crate) fn release(&self, own: Option<Own>) {
        let mut state = self.state();
        if let (Known::Nothing, Some(Own(challenge, since))) = (&state.known, own) {
            state.share(challenge, since);
        }
    }

    /// Takes note that a request was answered by a challenge, and says with what to go on;
    /// `is_last` when the next round is the last one. The error says that the credentials are
    /// refused.
    pub(crate) fn challenged(
        &self,
        ticket: &Ticket,
        headers: &HeaderMap,
        is_last: bool,
        now: Instant,
    ) -> Result<Next, IngestError> {
        let Some(challenge) = Challenge::read(headers) else {
            let reason = "endpoint asks to sign in by a scheme that is not supported".to_owned();
            return Err(IngestError::Denied { reason });
        };
        let mut state = self.state();
        let Some(Mark { generation, nth, age }) = ticket.mark else {
            // Not signed: the server only asks.
            state.share(challenge, now);
            return Ok(Next::Shared);
        };
        let is_current = generation == Some(state.generation);
        // Requests side by side meet the same refusal, which is one.
        let is_news = generation.is_some() && generation > state.refused;
        if is_news {
            state.refused = generation;
        }
        if challenge.is_stale() {
            if is_news {
                state.foresight.stale(nth, age);
            }
            if is_current {
                state.share(challenge, now);
            }
            return Ok(if is_last { Next::Own } else { Next::Shared });
        }
        if state.proven && (generation.is_some() || nth > 1) {
            // The credentials were right, so it may be the nonce: only the first use of one that
            // nobody else uses tells.
            state.doubted = generation.is_some();
            if is_news {
                state.foresight.refused(nth, age);
            }
            if is_current {
                state.known = Known::Nothing;
            }
            return Ok(Next::Own);
        }
        state.proven = false;
        state.doubted = true;
        state.share(challenge, now);
        Err(IngestError::Denied { reason: "endpoint answered 401 to the credentials".to_owned() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn takes_many(&self) -> bool {
        self.proven && !self.foresight.one_at_a_time()
    }

    fn share(&mut self, challenge: Challenge, since: Instant) {
        self.generation += 1;
        self.known = Known::Asked { challenge, since };
    }
}
