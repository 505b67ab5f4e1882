//! Where a store's files are, and how a damaged store makes room for what was saved of it.
//!
//! The files of a store are replaced by two renames: the damaged directory goes to a name that is
//! never used again, and the finished new one comes to its place. A crash between the two leaves
//! the new one under `ready`, and the next opening goes on from there. Directories under `new` and
//! `reading` are unfinished work and are thrown away.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::files::{make_directory, remove_directory, rename, sync_parent};
use crate::limits::PUT_ASIDE_PER_SECOND_MAX;
use crate::{Kind, OpenError, failure};

const LOCK: &str = "lock";

/// What could not be used and was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// The damaged directory or the file with the damaged records. It is never removed by itself.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
    /// Records that the store now has.
    pub saved: u64,
    /// What is missing, as far as that can be known.
    pub lost: String,
    /// What to do.
    pub next: String,
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason, saved, lost, next } = self;
        let path = path.display();
        write!(f, "the store was damaged ({reason}): what was damaged is kept in {path}; ")?;
        write!(f, "{saved} records were saved; lost: {lost}; next: {next}")
    }
}

/// A store's place in a directory, locked while it is there.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    kind: Kind,
    lock: File,
}

impl Place {
    /// Locks the directory, and tidies up after one who stopped in the middle.
    pub(crate) fn take(directory: &Path, kind: Kind) -> Result<Self, OpenError> {
        if !kind.is_built_in() {
            return Err(OpenError::NotBuiltIn { kind });
        }
        let wrong = |error: io::Error| OpenError::Failure(failure::from_io(directory, &error));
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = match options.open(directory.join(LOCK)) {
            // To read what is there, what may not be written can be locked too.
            Err(_) => File::open(directory).map_err(wrong)?,
            Ok(lock) => lock,
        };
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Busy { path: directory.to_owned() },
            TryLockError::Error(error) => wrong(error),
        })?;
        let place = Self { directory: directory.to_owned(), kind, lock };
        place.go_on().map_err(wrong)?;
        Ok(place)
    }

    fn go_on(&self) -> io::Result<()> {
        remove_directory(&self.new_path())?;
        remove_directory(&self.reading_path())?;
        if !self.ready_path().exists() {
            return Ok(());
        }
        if self.path().exists() {
            remove_directory(&self.ready_path())
        } else {
            self.put_in_place()
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The store's own directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(self.kind.name())
    }

    pub(crate) fn new_path(&self) -> PathBuf {
        self.beside(".new")
    }

    pub(crate) fn reading_path(&self) -> PathBuf {
        self.beside(".reading")
    }

    fn ready_path(&self) -> PathBuf {
        self.beside(".ready")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}{ending}", self.kind.name()))
    }

    /// A name that nothing has yet: `sqlite.damaged-1700000000`.
    pub(crate) fn unused(&self, what: &str) -> io::Result<PathBuf> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let names = (1..=PUT_ASIDE_PER_SECOND_MAX).map(|turn| match turn {
            1 => self.beside(&format!(".{what}-{now}")),
            turn => self.beside(&format!(".{what}-{now}-{turn}")),
        });
        let mut unused = names.filter(|path| !path.exists());
        unused.next().ok_or_else(|| io::Error::other("too much was put aside within a second"))
    }

    /// Makes the directory in which the new store is put together.
    pub(crate) fn begin_new(&self) -> io::Result<PathBuf> {
        make_directory(&self.new_path())?;
        sync_parent(&self.directory)?;
        Ok(self.new_path())
    }

    /// Moves the damaged store away and the new one into its place.
    pub(crate) fn replace(&self) -> io::Result<PathBuf> {
        let aside = self.unused("damaged")?;
        rename(&self.new_path(), &self.ready_path())?;
        rename(&self.path(), &aside)?;
        self.put_in_place()?;
        Ok(aside)
    }

    fn put_in_place(&self) -> io::Result<()> {
        rename(&self.ready_path(), &self.path())
    }

    /// Moves the new store to where none was.
    pub(crate) fn settle(&self) -> io::Result<()> {
        rename(&self.new_path(), &self.path())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Closing the file would not do: a child that is being started has it open until it runs
        // its program. And if it can't be let go of, then closing it is all that is left.
        let _ = self.lock.unlock();
    }
}
