//! What dbus-broker-launch wants around it: a journal socket, and a session bus on which it looks
//! for systemd.
//!
//! Where the machine has no systemd, a socket that swallows everything stands in for the journal
//! (creating it needs root), and a dbus-daemon of our own for the session bus. Neither carries any
//! of the measured traffic. Both are ended, and the socket removed, with the peer.

use super::dbus_daemon;
use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const JOURNAL: &str = "/run/systemd/journal/socket";
const JOURNAL_DIRECTORY: &str = "/run/systemd/journal";
const START_MAX: Duration = Duration::from_secs(5);

pub(super) struct Session {
    bus: Child,
    path: PathBuf,
    /// Holds the socket.
    _directory: TempDir,
    _journal: Option<Journal>,
}

impl Session {
    pub(super) fn start() -> io::Result<Self> {
        let journal = Journal::stand_in()?;
        let directory = tempfile::Builder::new().prefix("kith-bench-session-").tempdir()?;
        let path = directory.path().join("s");
        let bus = dbus_daemon(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let session = Self { bus, path, _directory: directory, _journal: journal };
        let began = Instant::now();
        while UnixStream::connect(&session.path).is_err() {
            if began.elapsed() > START_MAX {
                return Err(io::Error::other("the session bus beside dbus-broker did not start"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(session)
    }

    pub(super) fn address(&self) -> String {
        format!("unix:path={}", self.path.display())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        crate::process::end(&mut self.bus);
    }
}

struct Journal {
    socket: UnixDatagram,
    reader: Option<JoinHandle<()>>,
}

impl Journal {
    /// Nothing, where there is a journal.
    fn stand_in() -> io::Result<Option<Self>> {
        if UnixDatagram::unbound()?.connect(JOURNAL).is_ok() {
            return Ok(None);
        }
        let path = Path::new(JOURNAL);
        fs::create_dir_all(JOURNAL_DIRECTORY)?;
        if path.exists() {
            fs::remove_file(path)?;
        }
        let socket = UnixDatagram::bind(path)?;
        let swallow = socket.try_clone()?;
        let read = move || {
            let mut line = [0; 8192];
            while matches!(swallow.recv(&mut line), Ok(1..)) {}
        };
        let reader = std::thread::Builder::new().name("journal".into()).spawn(read)?;
        Ok(Some(Self { socket, reader: Some(reader) }))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _removed = fs::remove_file(JOURNAL);
        // Only where it is empty.
        let _removed = fs::remove_dir(JOURNAL_DIRECTORY);
        // Wakes the reader with an end of file.
        if self.socket.shutdown(Shutdown::Both).is_ok()
            && let Some(reader) = self.reader.take()
        {
            let _ended = reader.join();
        }
    }
}
