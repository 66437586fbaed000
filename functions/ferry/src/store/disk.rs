//! The database file.

use super::{CURSORS, DESTINATIONS, ORDER, OpenError, PROGRESS, SESSIONS, shelf};
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction};
use relay::ports::StoreError;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// A thousand sessions are a few megabytes.
const CACHE_BYTES: usize = 16 << 20;

type Opener = Box<dyn Fn(&Path) -> Result<Database, redb::Error> + Send + Sync>;

/// A database that is opened again after a failure: redb takes nothing more after a failed write.
pub struct Disk {
    path: PathBuf,
    open: Opener,
    /// Or why it could not be opened again.
    database: RwLock<Result<Database, StoreError>>,
}

impl Disk {
    /// Opens the database, or makes it, for its owner alone.
    pub fn open(path: PathBuf) -> Result<Self, OpenError> {
        Self::open_with(path, Box::new(open_file))
    }

    /// The same by way of `open`.
    pub fn open_with(path: PathBuf, open: Opener) -> Result<Self, OpenError> {
        let database = open(&path).map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen => {
                OpenError::InUse(path.parent().unwrap_or(&path).to_owned())
            }
            other => OpenError::Unusable { path: path.clone(), reason: other.to_string() },
        })?;
        Ok(Self { path, open, database: RwLock::new(Ok(database)) })
    }

    /// What `look` finds in the database as it is now.
    pub fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().map_err(Clone::clone)?;
        let reading = database.begin_read().map_err(failed)?;
        look(&reading).map_err(failed)
    }

    /// Begins to write.
    pub fn write(&self) -> Result<WriteTransaction, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map_err(Clone::clone)?.begin_write().map_err(failed)
    }

    /// Opens the database afresh, after a failure.
    pub fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // It lets go of the file first: it is locked.
        *database = Err(StoreError { reason: "the database is being opened again".to_owned() });
        *database = (self.open)(&self.path).map_err(failed);
        database.as_ref().map(|_| ()).map_err(Clone::clone)
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Disk").field(&self.path).finish()
    }
}

fn open_file(path: &Path) -> Result<Database, redb::Error> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options.mode(0o600).open(path)?;
    prepare(redb::Builder::new().set_cache_size(CACHE_BYTES).create_file(file))
}

/// Makes the tables, so that a reader finds them.
pub fn prepare(database: Result<Database, DatabaseError>) -> Result<Database, redb::Error> {
    let database = database?;
    let writing = database.begin_write()?;
    writing.open_table(SESSIONS)?;
    writing.open_table(PROGRESS)?;
    writing.open_table(ORDER)?;
    writing.open_table(CURSORS)?;
    writing.open_table(DESTINATIONS)?;
    shelf::prepare(&writing)?;
    writing.commit()?;
    Ok(database)
}

pub fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError { reason: error.into().to_string() }
}
