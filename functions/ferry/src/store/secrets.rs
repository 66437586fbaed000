//! The secret part of sessions: a file each, for its owner alone.

use relay::session::Access;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A directory of secrets.
#[derive(Debug)]
pub struct Secrets {
    dir: PathBuf,
}

impl Secrets {
    /// Opens the directory, or makes it, and closes it to all but its owner.
    pub fn open(dir: &Path) -> io::Result<Self> {
        make_private(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Writes the secrets of a session, whole or not at all.
    pub fn write(&self, id: &str, access: &Access) -> io::Result<()> {
        let path = self.path(id).ok_or(io::ErrorKind::InvalidFilename)?;
        let beside = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec(access)?)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// The secrets of a session. The error names the file, and nothing of what is in it.
    pub fn read(&self, id: &str) -> io::Result<Option<Access>> {
        let Some(path) = self.path(id) else { return Ok(None) };
        let unread = |kind, why: &dyn Display| {
            io::Error::new(kind, format!("cannot read access/{id}.json: {why}"))
        };
        match fs::read(path) {
            Ok(stored) => serde_json::from_slice(&stored).map(Some).map_err(|error| {
                // In its own words the error quotes values.
                let (line, column) = (error.line(), error.column());
                let why = format!("it is damaged at line {line}, column {column}");
                unread(io::ErrorKind::InvalidData, &why)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unread(error.kind(), &error)),
        }
    }

    /// Removes the secrets of a session; there need not be any.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        let Some(path) = self.path(id) else { return Ok(()) };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The sessions that have secrets.
    pub fn all(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(&path)?;
            } else if let Some(id) = path.file_stem().and_then(|stem| stem.to_str()) {
                ids.push(id.to_owned());
            }
        }
        Ok(ids)
    }

    /// Where a session's secrets are; nowhere when its id could name another place.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fit = !id.is_empty() && id.len() <= 64 && id.bytes().all(plain);
        fit.then(|| self.dir.join(id).with_extension("json"))
    }
}

/// Whether a directory holds the secrets of a session.
pub fn are_in(dir: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        if entry?.path().extension().is_some_and(|extension| extension == "json") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes a directory for its owner alone; one that is there stays as it is.
pub fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
