//! Session buses of one's own: how `dbus-daemon` and `dbus-broker` are started, for tests and
//! benchmarks.
//!
//! `dbus-daemon` listens wherever it is told to. `dbus-broker` has a launcher, which takes its
//! listening socket as file descriptor 3, systemd style: it is handed over as standard input and
//! moved by a shell, which costs the launcher about 1 ms of its start and this crate no `unsafe`.
//! The launcher also wants a journal to write to, and a session bus on which it looks for systemd.
//! Where the machine has no systemd, a socket that swallows everything stands in for the journal
//! (creating it needs root), and a `dbus-daemon` for the session bus: [`Surroundings`]. Nothing
//! that is tested or measured goes through either.
//!
//! The journal has one path on a machine, and several processes may want a stand-in at a time. So
//! that path is a symbolic link: whoever is about to start a launcher has it lead to a socket of
//! their own, which the launcher keeps from then on wherever the link leads later. A lock on the
//! directory parts those who start one at the same moment.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// The configuration of session buses, which `dbus-daemon` brings.
pub const CONFIGURATION: &str = "/usr/share/dbus-1/session.conf";

const LAUNCH: &str = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; \
                      exec dbus-broker-launch --scope user --config-file \"$0\"";
const JOURNAL: &str = "/run/systemd/journal/socket";
const JOURNAL_DIRECTORY: &str = "/run/systemd/journal";
/// What is locked: it is there before and after all of them.
const LOCKED: &str = "/run";

/// Makes `command`, which is bare or the caller's idea of that, a `dbus-daemon` in the foreground
/// that listens at `socket`, and says on its standard output when it does.
pub fn dbus_daemon(command: &mut Command, configuration: &Path, socket: &Path) {
    command.arg("--config-file").arg(configuration);
    command.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"]);
    command.arg(format!("--address=unix:path={}", socket.display()));
}

/// What `dbus-broker-launch` wants around it. All of it ends with this.
pub struct Surroundings {
    bus: Child,
    folder: TempDir,
    journal: Journal,
}

impl Surroundings {
    /// Makes what the machine doesn't have.
    ///
    /// # Errors
    ///
    /// If `dbus-daemon` can't be started, or the journal's path is out of reach.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("kith-session-").tempdir()?;
        let journal = Journal::new(&folder.path().join("journal"))?;
        drop(journal.put_in_place()?);
        let mut command = Command::new("dbus-daemon");
        dbus_daemon(&mut command, Path::new(CONFIGURATION), &folder.path().join("bus"));
        let mut bus = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut address = String::new();
        if let Some(stdout) = bus.stdout.take() {
            BufReader::new(stdout).read_line(&mut address)?;
        }
        let surroundings = Self { bus, folder, journal };
        if address.is_empty() {
            return Err(io::Error::other("the session bus beside dbus-broker did not start"));
        }
        Ok(surroundings)
    }

    /// Those that somebody in this process uses already, or new ones.
    ///
    /// # Errors
    ///
    /// As [`Surroundings::start`].
    pub fn shared() -> io::Result<Arc<Self>> {
        static SHARED: Mutex<Weak<Surroundings>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(surroundings) = shared.upgrade() {
            return Ok(surroundings);
        }
        let surroundings = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&surroundings);
        Ok(surroundings)
    }

    /// Makes `command`, which has to be that of a shell, the launcher of a broker with this socket.
    pub fn launcher(&self, command: &mut Command, listener: UnixListener) {
        command.args(["-c", LAUNCH, CONFIGURATION]);
        let address = format!("unix:path={}", self.folder.path().join("bus").display());
        command.env("DBUS_SESSION_BUS_ADDRESS", address);
        command.stdin(Stdio::from(OwnedFd::from(listener)));
    }

    /// Has the journal's path lead here. A launcher finds its journal when it starts; while the
    /// result is held, nobody else has the path lead elsewhere.
    ///
    /// # Errors
    ///
    /// If the path can't be changed.
    pub fn put_journal_in_place(&self) -> io::Result<File> {
        self.journal.put_in_place()
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ended = self.bus.kill();
        let _ended = self.bus.wait();
    }
}

/// A socket that swallows what is sent to it.
struct Journal {
    path: PathBuf,
    socket: UnixDatagram,
    reader: Option<JoinHandle<()>>,
}

impl Journal {
    fn new(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        let swallow = socket.try_clone()?;
        let read = move || {
            let mut line = [0; 8192];
            while matches!(swallow.recv(&mut line), Ok(1..)) {}
        };
        let reader = std::thread::Builder::new().name("journal".into()).spawn(read)?;
        Ok(Self { path: path.to_owned(), socket, reader: Some(reader) })
    }

    fn put_in_place(&self) -> io::Result<File> {
        let lock = lock()?;
        let is_stand_in = fs::symlink_metadata(JOURNAL).is_ok_and(|found| found.is_symlink());
        // One that is no link is a real one, if it works.
        if is_stand_in || UnixDatagram::unbound()?.connect(JOURNAL).is_err() {
            fs::create_dir_all(JOURNAL_DIRECTORY)?;
            let link = Path::new(JOURNAL_DIRECTORY).join("stand-in");
            // Left by who was killed at this very place.
            let _removed = fs::remove_file(&link);
            symlink(&self.path, &link)?;
            fs::rename(&link, JOURNAL)?;
        }
        Ok(lock)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Ok(_lock) = lock()
            && fs::read_link(JOURNAL).is_ok_and(|target| target == self.path)
        {
            let _removed = fs::remove_file(JOURNAL);
            // Only where it is empty.
            let _removed = fs::remove_dir(JOURNAL_DIRECTORY);
        }
        // Wakes the reader with an end of file.
        if self.socket.shutdown(Shutdown::Both).is_ok()
            && let Some(reader) = self.reader.take()
        {
            let _ended = reader.join();
        }
    }
}

fn lock() -> io::Result<File> {
    let lock = File::open(LOCKED)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}
