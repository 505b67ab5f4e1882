//! SQLite as an engine: one table, a write-ahead log, and a sync of it with every commit.
//!
//! - `journal_mode=WAL` with `synchronous=FULL`: a commit appends to the log and syncs it, and
//!   what was in the file before is not touched until a checkpoint, which syncs both.
//! - `locking_mode=EXCLUSIVE`: nobody else writes, and the log's index is in memory, not in a
//!   shared file. A second process is told that the store is in use.
//! - A failed sync can't be repeated: the kernel takes the pages for clean afterwards, though they
//!   never reached the disk. So the connection is given up without a checkpoint, the whole log is
//!   written once more in its place and synced, and then the file is opened anew. Whether the
//!   commit is in after all is then seen from its last change, which is the store's head and
//!   different each time.
//! - Only [`Engine::close`] has the log taken into the file and removed. After a failure, or where
//!   something is damaged, both stay as they are.
//! - What is found on opening is synced before it is shown. A process that was killed may have
//!   left a commit that the kernel has and the disk has not; who then answers a repeated message
//!   with "stored" relies on it.
//!
//! Deliberately absent: a statement cache, memory-mapped reading, and shrinking the file: its free
//! pages are used again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kith_store::{Backend, Each, Failure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, params};

use crate::files::sync_directory;
use crate::kind::Engine;
use crate::limits::{CHECKPOINT_PAGES_MAX, LOG_KEPT_BYTES_MAX, PAGE_CACHE_KIB_MAX};
use crate::{OpenError, failure};

const FILE: &str = "records.sqlite";
const LOG: &str = "records.sqlite-wal";
const COPY_BYTES: usize = 1 << 20;

/// In the file's header, so that `file` and we know whose it is: "kith".
const APPLICATION: i32 = 0x6B69_7468;

const TABLE: &str = "CREATE TABLE record (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL)
                     STRICT, WITHOUT ROWID";
const PUT: &str = "INSERT INTO record (key, value) VALUES (?1, ?2)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM record WHERE key = ?1";
const SCAN: &str = "SELECT key, value FROM record WHERE key >= ?1 ORDER BY key";
const SCAN_TO: &str = "SELECT key, value FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key";
const SCAN_BACK: &str = "SELECT key, value FROM record WHERE key > ?1 ORDER BY key DESC";
const VALUE: &str = "SELECT value FROM record WHERE key = ?1";

/// The file and its log.
#[derive(Debug)]
pub(crate) struct Sqlite {
    directory: PathBuf,
    /// None after a failure that leaves open what the connection still knows.
    connection: Option<Connection>,
}

impl Sqlite {
    pub(crate) fn create(directory: &Path) -> Result<Self, OpenError> {
        let file = directory.join(FILE);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        made.map_err(|error| failure::from_io(directory, &error))?;
        let mut engine = Self { directory: directory.to_owned(), connection: None };
        let connection = engine.connect()?;
        connection
            .pragma_update(None, "application_id", APPLICATION)
            .and_then(|()| connection.execute_batch(TABLE))
            .map_err(|error| engine.failure(&error))?;
        engine.connection = Some(connection);
        sync_directory(directory).map_err(|error| failure::from_io(directory, &error))?;
        Ok(engine)
    }

    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        let mut engine = Self { directory: directory.to_owned(), connection: None };
        engine.sync_files().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => failure::damaged(directory, "the file is missing"),
            _ => failure::from_io(directory, &error),
        })?;
        // SQLite takes an empty file for a new one, and throws away the log beside it.
        let metadata = fs::metadata(directory.join(FILE));
        if metadata.is_ok_and(|metadata| metadata.len() == 0) {
            return Err(failure::damaged(directory, "the file is empty").into());
        }
        let connection = engine.connect()?;
        let application =
            connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
        match application {
            Ok(APPLICATION) => {}
            Ok(_) => return Err(failure::damaged(directory, "it is not a store of Kith's").into()),
            Err(error) => return Err(engine.failure(&error).into()),
        }
        engine.connection = Some(connection);
        Ok(engine)
    }

    fn connect(&self) -> Result<Connection, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connected = Connection::open_with_flags(self.directory.join(FILE), flags)
            .and_then(|connection| configure(&connection).map(|()| connection));
        connected.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                OpenError::Busy { path: self.directory.clone() }
            }
            _ => self.failure(&error).into(),
        })
    }

    /// Opens anew after a failure, and makes sure that the disk has what it then shows.
    fn connect_again(&self) -> Result<Connection, Failure> {
        rewrite(&self.directory.join(LOG))
            .and_then(|()| self.sync_files())
            .map_err(|error| failure::from_io(&self.directory, &error))?;
        self.connect().map_err(|error| match error {
            OpenError::Failure(failure) => failure,
            other => failure::input_output(&self.directory, &other.to_string()),
        })
    }

    /// Not while there is a connection: closing a file lets go of the locks that it holds.
    fn sync_files(&self) -> io::Result<()> {
        File::open(self.directory.join(FILE))?.sync_all()?;
        match File::open(self.directory.join(LOG)) {
            Ok(log) => log.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        sync_directory(&self.directory)
    }

    fn connection(&mut self) -> Result<Connection, Failure> {
        self.connection.take().map_or_else(|| self.connect_again(), Ok)
    }

    fn failure(&self, error: &Error) -> Failure {
        let (directory, what) = (self.directory.as_path(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => failure::full(directory, &what),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                failure::read_only(directory, &what)
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                failure::damaged(directory, &what)
            }
            Some(ErrorCode::TooBig) => Failure::Refused { text: what },
            Some(_) => failure::probe(directory, &what),
            // Only what comes of a file that holds something else: a column of another type, say.
            None => failure::damaged(directory, &what),
        }
    }
}

impl Backend for Sqlite {
    fn commit(
        &mut self,
        changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
    ) -> Result<(), Failure> {
        let connection = self.connection()?;
        let mut last = None;
        let written = write(&connection, &mut changes.inspect(|change| last = Some(*change)));
        let Err(error) = written else {
            self.connection = Some(connection);
            return Ok(());
        };
        let code = error.sqlite_error_code();
        let is_known_to_be_out =
            matches!(code, Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::TooBig));
        if is_known_to_be_out && connection.is_autocommit() {
            self.connection = Some(connection);
            return Err(self.failure(&error));
        }
        drop(connection);
        let failure = self.failure(&error);
        let again = self.connect_again().map_err(|_| failure.clone())?;
        let is_in = is_there(&again, last);
        self.connection = Some(again);
        if is_in { Ok(()) } else { Err(failure) }
    }

    fn scan(&mut self, from: &[u8], to: Option<&[u8]>, each: &mut Each<'_>) -> Result<(), Failure> {
        let connection = self.connection()?;
        let read = match to {
            Some(to) => read(&connection, SCAN_TO, &[from, to], each),
            None => read(&connection, SCAN, &[from], each),
        };
        match read {
            Ok(()) => self.connection = Some(connection),
            Err(error) => {
                drop(connection);
                return Err(self.failure(&error));
            }
        }
        Ok(())
    }
}

impl Engine for Sqlite {
    fn inspect(&mut self, thorough: bool) -> Result<(), Failure> {
        let connection = self.connection()?;
        let pragma = if thorough { "integrity_check" } else { "quick_check" };
        let said =
            connection.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get::<_, String>(0));
        self.connection = Some(connection);
        match said {
            Ok(said) if said == "ok" => Ok(()),
            Ok(said) => Err(failure::damaged(&self.directory, &said.replace('\n', " "))),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn rescue(&mut self, each: &mut Each<'_>) {
        let Ok(connection) = self.connection() else { return };
        let mut last = Vec::new();
        let forward = read(&connection, SCAN, &[&[]], &mut |key, value| {
            key.clone_into(&mut last);
            each(key, value)
        });
        if forward.is_err() {
            // Nothing more can be done about what lies between the two places that can't be read.
            let _ = read(&connection, SCAN_BACK, &[&last], each);
        }
        self.connection = Some(connection);
    }

    fn close(mut self: Box<Self>) {
        if let Some(connection) = self.connection.take() {
            // Without it the log stays, and is read when the file is opened again.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }
}

fn configure(connection: &Connection) -> Result<(), Error> {
    let said = |name: &str, value: &str| {
        connection.pragma_update_and_check(None, name, value, |row| row.get::<_, String>(0))
    };
    // What can't be read is to stay as it is, and what the log holds may not be on the disk.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    said("locking_mode", "EXCLUSIVE")?;
    if said("journal_mode", "WAL")? != "wal" {
        return Err(Error::InvalidQuery);
    }
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES_MAX};
         PRAGMA journal_size_limit = {LOG_KEPT_BYTES_MAX}; PRAGMA mmap_size = 0;
         PRAGMA cache_size = -{PAGE_CACHE_KIB_MAX}; PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
         BEGIN EXCLUSIVE; COMMIT;"
    ))
}

fn write(
    connection: &Connection,
    changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
) -> Result<(), Error> {
    let transaction = connection.unchecked_transaction()?;
    let (mut put, mut delete) = (connection.prepare(PUT)?, connection.prepare(DELETE)?);
    for (key, value) in changes {
        match value {
            Some(value) => put.execute(params![key, value])?,
            None => delete.execute(params![key])?,
        };
    }
    drop((put, delete));
    transaction.commit()
}

fn read(
    connection: &Connection,
    query: &str,
    bounds: &[&[u8]],
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query(rusqlite::params_from_iter(bounds))?;
    while let Some(row) = rows.next()? {
        let (key, value) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        if let ControlFlow::Break(()) = each(key, value) {
            break;
        }
    }
    Ok(())
}

fn is_there(connection: &Connection, change: Option<(&[u8], Option<&[u8]>)>) -> bool {
    let Some((key, Some(value))) = change else { return false };
    let found = connection.query_row(VALUE, [key], |row| row.get::<_, Vec<u8>>(0));
    found.is_ok_and(|found| found == value)
}

/// Writes the bytes of a file once more where they are, and syncs them.
fn rewrite(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; COPY_BYTES];
    let mut at = 0;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let n_read = file.read(&mut bytes)?;
        let Some(read) = bytes.get(..n_read).filter(|read| !read.is_empty()) else { break };
        file.seek(SeekFrom::Start(at))?;
        file.write_all(read)?;
        at = at.saturating_add(u64::try_from(n_read).unwrap_or(u64::MAX));
    }
    file.sync_all()
}
