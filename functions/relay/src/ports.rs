//! What the core needs from the world. Adapters implement these; nothing here names one.

use crate::Timestamp;
use crate::crypt::{CryptError, Opener};
use crate::progress::{Progress, Status};
use crate::session::{Access, Session, SessionId};
use bytes::Bytes;
use hls::Micros;
use std::fmt;
use std::future::Future;
use url::Url;

/// The origin of one session: keeps its connections, cookies and request headers.
pub trait Origin: Send + Sync {
    /// Reads a playlist, unless it is still what `known` says.
    fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> impl Future<Output = Result<Fetched, OriginError>> + Send;

    /// Reads a playlist whose server holds its answer back until it lists what the address asks for: once, and
    /// for `within` at most (draft-pantos-hls-rfc8216bis section 6.2.5.2).
    fn held(
        &self,
        url: &Url,
        within: Micros,
    ) -> impl Future<Output = Result<Fetched, OriginError>> + Send {
        let _ = within;
        self.playlist(url, None)
    }

    /// Reads a whole file, or only a slice of it, whatever else the server sends. The bytes count
    /// against the budget until they are dropped.
    fn segment(
        &self,
        url: &Url,
        slice: Option<Slice>,
    ) -> impl Future<Output = Result<Bytes, OriginError>> + Send;

    /// The same, decrypted.
    fn opened(
        &self,
        url: &Url,
        slice: Option<Slice>,
        opener: Opener,
    ) -> impl Future<Output = Result<Bytes, OriginError>> + Send {
        async move {
            let mut body = self.segment(url, slice).await?.to_vec();
            let length = opener.open(&mut body)?;
            body.truncate(length);
            Ok(body.into())
        }
    }

    /// Whether a segment would have to wait for room in memory before it is read.
    fn is_crowded(&self) -> bool;
}

/// A part of a file; its end fits a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slice {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes it has, at least one.
    pub length: u64,
}

/// What a server said to tell one version of a playlist from the next (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether a server that goes by these would take `other` for the same version: it heeds `Last-Modified` only
    /// where there is no `ETag` (RFC 9110 section 13.2.2).
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(etag), Some(other)) => etag == other,
            _ => self.last_modified.is_some() && self.last_modified == other.last_modified,
        }
    }
}

/// The answer to a conditional request for a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is what the validators say.
    Unchanged,
    /// Another version.
    Changed {
        /// The text.
        text: Bytes,
        /// Where it came from in the end, after redirects: what its addresses are relative to.
        url: Url,
        /// For the next request.
        validators: Validators,
    },
}

/// Why the origin gave nothing. The reason is a sentence without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It says that there is nothing (404, 410).
    #[error("{reason}")]
    Gone {
        /// Such as `origin answered 404 for v0/812.ts`.
        reason: String,
        /// Whether it will never be there (410).
        for_good: bool,
    },
    /// It may be there later.
    #[error("{reason}")]
    Unavailable {
        /// Such as `origin answered 403 for v0/812.ts`.
        reason: String,
    },
    /// It is there and of no use, as another try will find: a key that is none, bytes that a key does not open.
    #[error("{reason}")]
    Spoilt {
        /// Such as `its key has 15 bytes, and a key has 16`.
        reason: String,
    },
    /// It may not be asked: an address that is not allowed.
    #[error("{reason}")]
    Refused {
        /// Such as `10.0.0.1 is not a public address`.
        reason: String,
    },
}

impl From<CryptError> for OriginError {
    fn from(error: CryptError) -> Self {
        Self::Spoilt { reason: error.to_string() }
    }
}

/// One endpoint of one session.
pub trait Ingest: Send + Sync {
    /// Stores `body` whole under `name`, where that lies beside the endpoint's address: it is percent-encoded, as a
    /// playlist has it.
    fn put(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> impl Future<Output = Result<(), IngestError>> + Send;

    /// Takes `name` away; it need not be there.
    fn delete(&self, name: &str) -> impl Future<Output = Result<(), IngestError>> + Send;
}

/// A media type that is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType(pub &'static str);

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why an endpoint did not take something. The reason is a sentence without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// It does not accept the credentials (401, 403).
    #[error("{reason}")]
    Denied {
        /// Such as `endpoint answered 401 to the credentials`.
        reason: String,
    },
    /// It may take it later.
    #[error("{reason}")]
    Unavailable {
        /// Such as `endpoint answered 500 for channel_video.m3u8`.
        reason: String,
    },
}

/// The time. Only it knows; everything else is told.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits until `when`.
    fn sleep_until(&self, when: Timestamp) -> impl Future<Output = ()> + Send;
}

/// Where sessions and cursors last. Every call that returns `Ok` has lasted.
pub trait Sessions: Send + Sync {
    /// Adds a session and takes its destinations (promise 7: one writer).
    fn create(
        &self,
        session: &Session,
        access: &Access,
    ) -> impl Future<Output = Result<(), CreateError>> + Send;

    /// One session.
    fn get(
        &self,
        id: &SessionId,
    ) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Sessions, newest first, at most `limit` of them after the place that `next` names.
    fn list(&self, query: &Query) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// The secret part of a session.
    fn access(
        &self,
        id: &SessionId,
    ) -> impl Future<Output = Result<Option<Access>, StoreError>> + Send;

    /// Writes how a session is doing. A state that is not active frees its destinations, and an
    /// active one never takes the place of one that is not.
    fn report(
        &self,
        id: &SessionId,
        progress: &Progress,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The cursor of a session, encoded by [`crate::cursor`], and its revision. Absent before the first commit.
    fn cursor(
        &self,
        id: &SessionId,
    ) -> impl Future<Output = Result<Option<(Vec<u8>, Revision)>, StoreError>> + Send;

    /// Puts a cursor in the place of the one at `expected` (absent: of none).
    fn commit(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> impl Future<Output = Result<Revision, CommitError>> + Send;
}

/// What a process does with the sessions in the store.
pub trait Runs: Send + Sync {
    /// Why a session that is about to be made cannot be carried, where one look at its source tells. Without
    /// a look it fails when it is carried, with the same reason.
    fn objection(
        &self,
        session: &Session,
        access: &Access,
    ) -> impl Future<Output = Option<String>> + Send {
        let _ = (session, access);
        std::future::ready(None)
    }

    /// Takes up a session that was just stored. What goes wrong from here on shows on the session.
    fn start(&self, session: &Session) -> impl Future<Output = ()> + Send;

    /// Stops a session. When this returns, the store says so and nothing more of it is published;
    /// one that is over stays what it is.
    fn stop(&self, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How a session is doing at this moment; absent when this process does not carry it.
    fn progress(&self, id: &SessionId) -> Option<Progress>;

    /// Every session that this process carries, and how it is doing: all that are active, or none where others carry
    /// them. It is newer than what the store has, and there while that does not answer.
    fn carried(&self) -> Vec<Record> {
        Vec::new()
    }
}

/// Counts the versions of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was asked for.
    pub session: Session,
    /// How it was doing when that was last written.
    pub progress: Progress,
}

/// Which sessions to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Only those in this state.
    pub status: Option<Status>,
    /// At most so many, at least 1.
    pub limit: usize,
    /// Where the page before ended: [`Page::next`], the id of its last session. Nothing follows an
    /// id that is not there.
    pub next: Option<SessionId>,
}

/// Some of the sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub sessions: Vec<Record>,
    /// The id of the last session here; absent: there are no more.
    pub next: Option<SessionId>,
}

/// Why a session was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// An active session writes there.
    #[error("session {by} already writes to endpoint {endpoint}")]
    Taken {
        /// That session.
        by: SessionId,
        /// The index of the endpoint that is taken.
        endpoint: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store could not be asked; it may answer later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("store: {reason}")]
pub struct StoreError {
    /// Why, without secrets.
    pub reason: String,
}

/// Why a cursor was not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another writer was first.
    #[error("the cursor was changed by another run")]
    Conflict,
    /// The store failed; whether the cursor lasted is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}
