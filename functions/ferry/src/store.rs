//! Sessions that last on this machine.
//!
//! One redb file holds what was asked for, how it is doing and how far it has come; redb because it is
//! plain Rust in one file, loses nothing that was committed when the process or the machine dies, and
//! locks its file. What is secret lies apart, in one file a session, and goes when the session is over.

mod disk;
mod secrets;
mod shelf;
mod writer;

use disk::Disk;
use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};
use relay::ports::{CommitError, CreateError, Page, Query, Record, Revision, Sessions, StoreError};
use relay::progress::{Progress, Status};
use relay::session::{Access, Address, Destination, Session, SessionId};
use secrets::Secrets;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;
use writer::Writer;

/// What was asked for, by id: JSON, written once.
const SESSIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("sessions");
/// How it was doing, by id: JSON.
const PROGRESS: TableDefinition<&str, &[u8]> = TableDefinition::new("progress");
/// The sessions in the order in which they were made: microseconds since 1970, and id.
const ORDER: TableDefinition<(u64, &str), ()> = TableDefinition::new("order");
/// How far it has come, by id: revision and cursor.
const CURSORS: TableDefinition<&str, (u64, &[u8])> = TableDefinition::new("cursors");
/// Which active session writes to a place.
const DESTINATIONS: TableDefinition<&str, &str> = TableDefinition::new("destinations");

/// Sessions that are over are kept to be looked at, until there are more than so many in all.
const KEPT: u64 = 1_000;

/// Sessions and cursors in a directory.
#[derive(Debug)]
pub struct Store {
    disk: Arc<Disk>,
    secrets: Arc<Secrets>,
    writer: Writer,
    /// How many sessions are kept in all, as far as they are over.
    kept: u64,
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another ferry", .0.display())]
    InUse(PathBuf),
    /// The database is not there, and what is secret of its sessions is: it may be another volume that is mounted.
    #[error(
        "{} is missing or empty, but {} holds credentials of sessions: restore the file from a copy, or remove that \
         folder to begin without sessions; is the right volume mounted?",
        database.display(),
        access.display()
    )]
    Lost {
        /// The database.
        database: PathBuf,
        /// The directory of secrets.
        access: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot use {}: {reason}", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl Store {
    /// Opens the store in `dir`, which is made when it is missing, for its owner alone.
    ///
    /// # Errors
    /// When another process has it open, it cannot be read and written, or only the secrets of its sessions are there.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        secrets::make_private(dir).map_err(unusable(dir))?;
        let (database, access) = (dir.join("sessions.redb"), dir.join("access"));
        if disk::is_new(&database) && secrets::are_in(&access).map_err(unusable(&access))? {
            return Err(OpenError::Lost { database, access });
        }
        let disk = Disk::open(database)?;
        Self::over(disk, dir)
    }

    fn over(disk: Disk, dir: &Path) -> Result<Self, OpenError> {
        let secrets = Secrets::open(&dir.join("access")).map_err(unusable(dir))?;
        let disk = Arc::new(disk);
        let store = Self {
            writer: Writer::start(Arc::clone(&disk)),
            disk,
            secrets: Arc::new(secrets),
            kept: KEPT,
        };
        store
            .sweep()
            .map_err(|error| OpenError::Unusable { path: dir.to_owned(), reason: error.reason })?;
        Ok(store)
    }

    /// Removes the secrets of sessions that are over: a crash between the two writes leaves them.
    fn sweep(&self) -> Result<(), StoreError> {
        for id in self.secrets.all().map_err(failed_io)? {
            if self.disk.read(|reading| is_over(reading, &id))? {
                self.secrets.remove(&id).map_err(failed_io)?;
            }
        }
        Ok(())
    }

    /// Replaces the secret part of a session.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace_access(&self, id: &SessionId, access: &Access) -> Result<(), StoreError> {
        self.secrets.write(&id.0, access).map_err(failed_io)
    }

    /// Lets a session read its source elsewhere from now on, if it does not.
    ///
    /// # Errors
    /// When that cannot be read or written.
    pub fn move_source(&self, session: &mut Session, source: &Url) -> Result<(), StoreError> {
        session.source = Address::of(source);
        let id = session.id.0.as_str();
        // What cannot be read of one session is said where that is carried, and keeps no other from going on.
        let access = self.secrets.read(id).unwrap_or_default();
        let Some(access) = access.filter(|access| access.source != *source) else { return Ok(()) };
        let writing = self.disk.write()?;
        {
            let mut sessions = writing.open_table(SESSIONS).map_err(disk::failed)?;
            sessions.insert(id, encode(session).as_slice()).map_err(disk::failed)?;
        }
        writing.commit().map_err(disk::failed)?;
        // Behind it: as long as this is not done, it is done again.
        self.replace_access(&session.id, &Access { source: source.clone(), ..access })
    }

    /// The sessions that are being carried, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn active(&self) -> Result<Vec<Record>, StoreError> {
        self.disk.read(|reading| {
            let mut active = Vec::new();
            for entry in reading.open_table(ORDER)?.iter()? {
                let id = entry?.0.value().1.to_owned();
                if let Some(record) = read(reading, &id)?
                    && record.progress.status.is_active()
                {
                    active.push(record);
                }
            }
            Ok(active)
        })
    }
}

impl Sessions for Store {
    async fn create(&self, session: &Session, access: &Access) -> Result<(), CreateError> {
        let (session, access) = (session.clone(), access.clone());
        let (secrets, kept) = (Arc::clone(&self.secrets), self.kept);
        let make = move |writing: &WriteTransaction| {
            let made = create(writing, &secrets, &session, &access)?;
            forget_oldest(writing, kept)?;
            Ok(made)
        };
        self.writer.write(make).await?
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.disk.read(|reading| read(reading, &id.0))
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.disk.read(|reading| list(reading, query))
    }

    async fn access(&self, id: &SessionId) -> Result<Option<Access>, StoreError> {
        self.secrets.read(&id.0).map_err(failed_io)
    }

    async fn report(&self, id: &SessionId, progress: &Progress) -> Result<(), StoreError> {
        let (key, new) = (id.0.clone(), progress.clone());
        self.writer.write(move |writing| report(writing, &key, &new)).await?;
        if !progress.status.is_active() {
            self.secrets.remove(&id.0).map_err(failed_io)?;
        }
        Ok(())
    }

    async fn cursor(&self, id: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        self.disk.read(|reading| {
            let cursor = reading.open_table(CURSORS)?.get(id.0.as_str())?;
            Ok(cursor.map(|stored| {
                let (revision, cursor) = stored.value();
                (cursor.to_vec(), Revision(revision))
            }))
        })
    }

    async fn commit(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        let (key, cursor) = (id.0.clone(), cursor.to_vec());
        self.writer.write(move |writing| commit(writing, &key, expected, &cursor)).await?
    }
}

fn create(
    writing: &WriteTransaction,
    secrets: &Secrets,
    session: &Session,
    access: &Access,
) -> Result<Result<(), CreateError>, redb::Error> {
    let id = session.id.0.as_str();
    let mut destinations = writing.open_table(DESTINATIONS)?;
    for (endpoint, address) in session.endpoints.iter().enumerate() {
        if let Some(by) = destinations.get(Destination::of(address).as_ref())? {
            let by = SessionId(by.value().to_owned());
            return Ok(Err(CreateError::Taken { by, endpoint }));
        }
    }
    let mut sessions = writing.open_table(SESSIONS)?;
    if sessions.get(id)?.is_some() {
        let reason = format!("there is a session {id} already");
        return Ok(Err(StoreError { reason }.into()));
    }
    // Before the session: one without its secrets could not be carried.
    if let Err(error) = secrets.write(id, access) {
        return Ok(Err(failed_io(error).into()));
    }
    for address in &session.endpoints {
        destinations.insert(Destination::of(address).as_ref(), id)?;
    }
    sessions.insert(id, encode(session).as_slice())?;
    let starting = encode(&Progress::default());
    writing.open_table(PROGRESS)?.insert(id, starting.as_slice())?;
    writing.open_table(ORDER)?.insert((session.created.0, id), ())?;
    Ok(Ok(()))
}

/// Removes the oldest sessions that are over, as long as there are more than are kept.
fn forget_oldest(writing: &WriteTransaction, kept: u64) -> Result<(), redb::Error> {
    let mut order = writing.open_table(ORDER)?;
    let surplus = order.len()?.saturating_sub(kept);
    if surplus == 0 {
        return Ok(());
    }
    let mut progress = writing.open_table(PROGRESS)?;
    let mut over = Vec::new();
    for entry in order.iter()? {
        if over.len() as u64 == surplus {
            break;
        }
        let key = entry?.0;
        let (created, id) = (key.value().0, key.value().1.to_owned());
        let stored = progress.get(id.as_str())?.map(|stored| stored.value().to_vec());
        let status = stored.and_then(|stored| status_of(&stored));
        if status.is_some_and(|status| !status.is_active()) {
            over.push((created, id));
        }
    }
    let mut sessions = writing.open_table(SESSIONS)?;
    let mut cursors = writing.open_table(CURSORS)?;
    for (created, id) in over {
        let id = id.as_str();
        order.remove((created, id))?;
        progress.remove(id)?;
        sessions.remove(id)?;
        cursors.remove(id)?;
    }
    Ok(())
}

fn report(writing: &WriteTransaction, id: &str, new: &Progress) -> Result<(), redb::Error> {
    let mut progress = writing.open_table(PROGRESS)?;
    let Some(old) = progress.get(id)?.map(|stored| stored.value().to_vec()) else {
        return Ok(());
    };
    let was_over = status_of(&old).is_some_and(|old| !old.is_active());
    if was_over && new.status.is_active() {
        return Ok(());
    }
    progress.insert(id, encode(new).as_slice())?;
    if !new.status.is_active() {
        writing.open_table(DESTINATIONS)?.retain(|_, by| by != id)?;
    }
    Ok(())
}

/// A session that is over takes no more commits: another may write to its destinations.
fn commit(
    writing: &WriteTransaction,
    id: &str,
    expected: Option<Revision>,
    cursor: &[u8],
) -> Result<Result<Revision, CommitError>, redb::Error> {
    let stored = writing.open_table(PROGRESS)?.get(id)?.map(|stored| stored.value().to_vec());
    let active = stored.is_some_and(|stored| status_of(&stored).is_none_or(Status::is_active));
    let mut cursors = writing.open_table(CURSORS)?;
    let current = cursors.get(id)?.map(|stored| Revision(stored.value().0));
    if !active || current != expected {
        return Ok(Err(CommitError::Conflict));
    }
    let next = Revision(current.map_or(1, |revision| revision.0 + 1));
    cursors.insert(id, (next.0, cursor))?;
    Ok(Ok(next))
}

fn list(reading: &ReadTransaction, query: &Query) -> Result<Page, redb::Error> {
    let order = reading.open_table(ORDER)?;
    let place = match &query.next {
        None => (u64::MAX, String::new()),
        Some(id) => match read(reading, &id.0)? {
            Some(last) => (last.session.created.0, id.0.clone()),
            None => return Ok(Page::default()),
        },
    };
    let mut page = Page::default();
    for entry in order.range(..(place.0, place.1.as_str()))?.rev() {
        let id = entry?.0.value().1.to_owned();
        let Some(record) = read(reading, &id)? else { continue };
        if query.status.is_some_and(|wanted| wanted != record.progress.status) {
            continue;
        }
        if page.sessions.len() == query.limit.max(1) {
            page.next = page.sessions.last().map(|last| last.session.id.clone());
            break;
        }
        page.sessions.push(record);
    }
    Ok(page)
}

/// One session; absent, too, when a later version of this program wrote what this one cannot carry.
fn read(reading: &ReadTransaction, id: &str) -> Result<Option<Record>, redb::Error> {
    let (sessions, progress) = (reading.open_table(SESSIONS)?, reading.open_table(PROGRESS)?);
    let (Some(session), Some(progress)) = (sessions.get(id)?, progress.get(id)?) else {
        return Ok(None);
    };
    let session = serde_json::from_slice::<Session>(session.value());
    let progress = serde_json::from_slice::<Progress>(progress.value());
    match (session, progress) {
        (Ok(session), Ok(progress)) => Ok(Some(Record { session, progress })),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(session = id, %error, "cannot read what is stored of a session");
            Ok(None)
        }
    }
}

/// Whether nothing will come of a session any more. A status that is not known here may be active.
fn is_over(reading: &ReadTransaction, id: &str) -> Result<bool, redb::Error> {
    let stored = reading.open_table(PROGRESS)?.get(id)?;
    Ok(stored
        .is_none_or(|stored| status_of(stored.value()).is_some_and(|status| !status.is_active())))
}

/// The status in a stored progress; absent when it is none that is known here.
fn status_of(stored: &[u8]) -> Option<Status> {
    #[derive(serde::Deserialize)]
    struct Stored {
        status: Status,
    }
    serde_json::from_slice::<Stored>(stored).ok().map(|stored| stored.status)
}

fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("sessions and progress have string keys only")
}

fn failed_io(error: io::Error) -> StoreError {
    StoreError { reason: error.to_string() }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> OpenError + '_ {
    |error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_that_are_over_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.kept = 5;
        let stopped = Progress { status: Status::Stopped, ..Progress::default() };
        for (number, over) in
            [false, true, true, false, true, true, true, true].into_iter().enumerate()
        {
            let (id, place) = (format!("s{number}"), format!("https://in.example/{number}/x"));
            let (session, access) = ::tests::conformance::session(&id, number as u64, &[&place]);
            store.create(&session, &access).await.unwrap();
            store.commit(&session.id, None, b"cursor").await.unwrap();
            if over {
                store.report(&session.id, &stopped).await.unwrap();
            }
        }
        let page = store.list(&Query { status: None, limit: 10, next: None }).await.unwrap();
        let kept: Vec<_> = page.sessions.iter().map(|one| one.session.id.0.as_str()).collect();
        assert_eq!(kept, ["s7", "s6", "s5", "s3", "s0"], "active ones are not forgotten");
        let id = SessionId("s4".to_owned());
        assert_eq!((store.get(&id).await.unwrap(), store.cursor(&id).await.unwrap()), (None, None));
    }
}
