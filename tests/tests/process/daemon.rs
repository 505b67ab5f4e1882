//! The daemon under test: the real program, on a socket of its own in a directory of its own.
//!
//! A [`Place`] is that directory; it outlives the daemon, so that a second one can find what the
//! first has left. The environment is empty but for `PATH`: no test depends on who runs it.

use super::{Ended, PATIENCE, Process};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Once};
use std::time::Instant;
use tempfile::TempDir;

/// The daemon's program, from the same file as `kith-busd`.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kith-tests-daemon");

/// Where a daemon has its socket, its state and its configuration.
#[derive(Clone)]
pub(crate) struct Place {
    folder: Arc<TempDir>,
}

impl Place {
    /// An empty directory with this configuration file.
    pub(crate) fn new(configuration: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("kith-tests-").tempdir().unwrap();
        fs::write(folder.path().join("config.toml"), configuration).unwrap();
        Self { folder: Arc::new(folder) }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The socket, in a directory that the daemon makes.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("kith/bus.sock")
    }

    /// The state directory, which the daemon makes.
    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// A program in an empty environment.
    pub(crate) fn bare(program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// A program that finds this place's socket in its environment.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Self::bare(program);
        command.env("KITH_SOCKET", self.socket());
        command
    }

    /// The daemon's command line.
    pub(crate) fn command(&self) -> Command {
        self.command_at(&self.socket(), &self.state())
    }

    /// The daemon's command line with this socket and this state.
    pub(crate) fn command_at(&self, socket: &Path, state: &Path) -> Command {
        let mut command = Self::bare(PROGRAM);
        command.arg("--config").arg(self.path().join("config.toml"));
        command.arg("--socket").arg(socket).arg("--state").arg(state);
        command
    }

    /// Starts the daemon, and waits until it takes connections.
    pub(crate) fn start(&self) -> Daemon {
        self.start_with("info")
    }

    /// The same, with this log level.
    pub(crate) fn start_with(&self, level: &str) -> Daemon {
        self.start_by(self.command().args(["--log", level]))
    }

    /// Starts the daemon by this command line, and waits until it takes connections.
    pub(crate) fn start_by(&self, command: &mut Command) -> Daemon {
        let process = Process::start(command);
        process.wait_for_stderr(|text| text.contains(" ready "));
        Daemon { place: self.clone(), process }
    }
}

/// A daemon that runs.
pub(crate) struct Daemon {
    place: Place,
    process: Process,
}

impl Daemon {
    /// Starts one with the defaults.
    pub(crate) fn start() -> Self {
        Place::new("").start()
    }

    /// Starts one with this configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        Place::new(configuration).start()
    }

    /// Starts one that may open no more files than this.
    pub(crate) fn with_open_files_max(files: usize, configuration: &str) -> Self {
        let place = Place::new(configuration);
        let daemon = place.command();
        let mut limited = Place::bare("sh");
        limited.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]);
        limited.arg(daemon.get_program()).args(daemon.get_args());
        place.start_by(&mut limited)
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// A connection to its socket, on which no read or write takes longer than [`PATIENCE`].
    pub(crate) fn dial(&self) -> UnixStream {
        dial(&self.place.socket())
    }

    /// Where it serves the metrics by TCP, as its log says.
    pub(crate) fn metrics_address(&self) -> SocketAddr {
        let log = self.process.stderr();
        let found = log.split_once("http://").and_then(|(_, rest)| rest.split_once("/metrics"));
        found.and_then(|(address, _)| address.parse().ok()).unwrap_or_else(|| panic!("{log}"))
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Ended {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// Ends it at once, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Ended {
        self.process.signal(Signal::KILL);
        self.process.wait()
    }

    /// Waits until it has ended by itself or by a signal sent before.
    pub(crate) fn wait(mut self) -> Ended {
        self.process.wait()
    }

    /// How many files it has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// Waits until it has so many files open: it closes what it notices to be gone.
    pub(crate) fn wait_for_open_files(&self, count: usize) {
        let began = Instant::now();
        while self.open_files() != count {
            let found = self.open_files();
            assert!(began.elapsed() < PATIENCE, "{found} files are open, not {count}");
            std::thread::yield_now();
        }
    }

    /// The most memory that it ever had in use, in KiB.
    pub(crate) fn resident_peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        value.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// As many files for this process as it may have: tests run side by side and hold hundreds of
/// connections each, and where somebody works the soft limit is often 1,024.
fn raise_file_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    });
}

/// A connection to the socket at `path`.
pub(crate) fn dial(path: &Path) -> UnixStream {
    raise_file_limit();
    let stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}
