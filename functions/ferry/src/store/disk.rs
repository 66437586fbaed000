//! The database file.

use super::{CURSORS, DESTINATIONS, ORDER, OpenError, PROGRESS, SESSIONS, shelf};
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction};
use relay::ports::StoreError;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        let database = caught(|| open(&path)).map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen => {
                OpenError::InUse(path.parent().unwrap_or(&path).to_owned())
            }
            other => OpenError::Unusable { path: path.clone(), reason: in_words(&other) },
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
        caught(|| look(&database.begin_read()?)).map_err(failed)
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
        // A file that is gone is not made anew: sessions would begin anew where they write.
        *database = if is_new(&self.path) {
            Err(StoreError { reason: format!("{} is gone", self.path.display()) })
        } else {
            caught(|| (self.open)(&self.path)).map_err(failed)
        };
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

/// Whether a database would be made here: there is none.
pub fn is_new(path: &Path) -> bool {
    match path.metadata() {
        Ok(file) => file.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

pub fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError { reason: in_words(&error.into()) }
}

/// What `act` comes to: redb panics at some of what it did not write.
fn caught<T>(act: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        let what = "what is in it makes no sense".to_owned();
        Err(redb::Error::Corrupted(what))
    })
}

/// What went wrong, and what to do about a file that is damaged.
fn in_words(error: &redb::Error) -> String {
    let damaged = match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    };
    let advice = if damaged { DAMAGED } else { "" };
    format!("{error}{advice}")
}

const DAMAGED: &str = ": the file is damaged: restore it from a copy, or move it away together with the folder \
    access beside it; sessions and channels then have to be made anew";
