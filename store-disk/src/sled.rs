//! sled 0.34 as an engine, with syncs of our own after each of its flushes.
//!
//! sled's `flush` ends in `sync_file_range`, which puts data on its way and knows nothing of the
//! disk's cache or the file's length. So each commit here ends with a sync of the file itself. It
//! keeps large pages in files of their own below `blobs/`, which are synced too, and whatever else
//! is new in its directory.
//!
//! - It panics on some damage instead of reporting it, also on threads of its own. What panics
//!   here is caught and reported as damage or failure; on its own threads it is printed, and the
//!   next operation fails.
//! - After a failure it refuses everything until it has been opened anew, which the next commit
//!   does.
//! - It has no check of its own beyond the checksums that it verifies while it reads.
//!
//! Deliberately absent: its compression, its merge operators, its threads that flush by themselves.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use kith_store::{Backend, Each, Failure};
use sled::{Config, Db, Error};

use crate::files::{sync_directory, sync_tree};
use crate::kind::Engine;
use crate::limits::{SLED_CACHE_BYTES_MAX, SLED_LOCK_TRIES_MAX, SLED_LOCK_WAIT};
use crate::{OpenError, failure};

const FILE: &str = "db";
const BLOBS: &str = "blobs";

/// The database and what of its files has been synced.
pub(crate) struct Sled {
    directory: PathBuf,
    /// None after a failure.
    open: Option<Open>,
}

struct Open {
    db: Db,
    file: File,
    /// The files whose names and bytes are on the disk. But for the one above, sled writes each
    /// file once.
    synced: BTreeSet<PathBuf>,
}

impl Sled {
    pub(crate) fn create(directory: &Path) -> Result<Self, OpenError> {
        let mut engine = Self { directory: directory.to_owned(), open: None };
        engine.open = Some(engine.connect()?);
        Ok(engine)
    }

    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        // It would make a new one.
        if fs::metadata(directory.join(FILE)).map_or(0, |metadata| metadata.len()) == 0 {
            return Err(failure::damaged(directory, "the file is missing or empty").into());
        }
        sync_tree(directory).map_err(|error| failure::from_io(directory, &error))?;
        Self::create(directory)
    }

    fn connect(&self) -> Result<Open, Failure> {
        let config = Config::new()
            .path(&self.directory)
            .cache_capacity(SLED_CACHE_BYTES_MAX)
            .flush_every_ms(None)
            .print_profile_on_drop(false);
        let db = guarded(&self.directory, || open_patiently(&config))?;
        let opened = File::open(self.directory.join(FILE)).and_then(|file| {
            sync_tree(&self.directory)?;
            Ok(file)
        });
        let file = opened.map_err(|error| failure::from_io(&self.directory, &error))?;
        Ok(Open { db, file, synced: BTreeSet::new() })
    }

    /// Runs something on the database, opened anew if need be, and gives the database up if it
    /// fails.
    fn with<T>(
        &mut self,
        run: impl FnOnce(&mut Open, &Path) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect()?,
        };
        let result = run(&mut open, &self.directory);
        if result.is_ok() {
            self.open = Some(open);
        }
        result
    }
}

impl Open {
    /// Puts on the disk what sled has handed to the kernel.
    fn sync(&mut self, directory: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let mut found = BTreeSet::new();
        for folder in [directory.join(BLOBS), directory.to_owned()] {
            let mut is_new = false;
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if !self.synced.contains(&path) {
                    // A directory's own entry is what is new of it.
                    match File::open(&path).and_then(|file| file.sync_all()) {
                        Ok(()) => is_new = true,
                        // It removes what it needs no longer.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Err(error) => return Err(error),
                    }
                }
                found.insert(path);
            }
            if is_new {
                sync_directory(&folder)?;
            }
        }
        self.synced = found;
        Ok(())
    }
}

impl Backend for Sled {
    fn commit(
        &mut self,
        changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
    ) -> Result<(), Failure> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.with(|open, directory| {
            guarded(directory, || {
                open.db.apply_batch(batch)?;
                open.db.flush()
            })?;
            open.sync(directory).map_err(|error| failure::from_io(directory, &error))
        })
    }

    fn scan(&mut self, from: &[u8], to: Option<&[u8]>, each: &mut Each<'_>) -> Result<(), Failure> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        self.with(|open, directory| {
            guarded(directory, || {
                let entries = match to {
                    Some(to) => open.db.range(from..to),
                    None => open.db.range(from..),
                };
                for entry in entries {
                    let (key, value) = entry?;
                    if each(&key, &value) == ControlFlow::Break(()) {
                        break;
                    }
                }
                Ok(())
            })
        })
    }
}

impl Engine for Sled {
    fn inspect(&mut self, _: bool) -> Result<(), Failure> {
        self.with(|open, directory| guarded(directory, || open.db.checksum().map(|_| ())))
    }

    fn rescue(&mut self, each: &mut Each<'_>) {
        let mut last: Option<Vec<u8>> = None;
        let forward = self.scan(b"", None, &mut |key, value| {
            last = Some(key.to_vec());
            each(key, value)
        });
        if forward.is_ok() {
            return;
        }
        // From the other end; nothing more can be done about what lies between.
        let _ = self.with(|open, directory| {
            guarded(directory, || {
                for entry in open.db.iter().rev() {
                    let (key, value) = entry?;
                    let is_seen = last.as_ref().is_some_and(|last| key.as_ref() <= last.as_slice());
                    if is_seen || each(&key, &value) == ControlFlow::Break(()) {
                        break;
                    }
                }
                Ok(())
            })
        });
    }

    fn close(mut self: Box<Self>) {
        let _ = self.with(|open, directory| guarded(directory, || open.db.flush().map(|_| ())));
    }
}

/// Its lock outlives the database for a moment: threads of its own have the file open, and so has
/// a child that is being started. Nobody else can: the directory is ours.
fn open_patiently(config: &Config) -> Result<Db, Error> {
    let is_locked = |error: &Error| error.to_string().contains("could not acquire lock");
    for _ in 1..SLED_LOCK_TRIES_MAX {
        match config.open() {
            Err(error) if is_locked(&error) => thread::sleep(SLED_LOCK_WAIT),
            opened => return opened,
        }
    }
    config.open()
}

/// Runs a piece of sled and takes what it returns or panics with.
fn guarded<T>(directory: &Path, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Error::Io(error))) => Err(match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                failure::damaged(directory, &error.to_string())
            }
            _ => failure::from_io(directory, &error),
        }),
        Ok(Err(error)) => Err(failure::damaged(directory, &error.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
            Err(failure::damaged(directory, &format!("sled: {text}")))
        }
    }
}
