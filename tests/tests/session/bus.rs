//! A session bus for a test alone: the real `dbus-daemon`, or the real `dbus-broker`.

use super::program::Program;
use crate::process::{Ended, Place, Process};
use kith_tests::session_bus::{CONFIGURATION, Surroundings, dbus_daemon};
use kith_tests::{require, require_that};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Which program the session bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    DbusDaemon,
    DbusBroker,
}

/// Both.
pub(crate) const BROKERS: [Broker; 2] = [Broker::DbusDaemon, Broker::DbusBroker];

/// A session bus that runs until this is dropped.
pub(crate) struct SessionBus {
    process: Process,
    folder: Arc<TempDir>,
    broker: Broker,
    _surroundings: Option<Arc<Surroundings>>,
}

impl Broker {
    /// Whether it can be run here; if not, says so.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::DbusDaemon => require("dbus-daemon"),
            Self::DbusBroker => {
                require("dbus-daemon")
                    && require("dbus-broker-launch")
                    && require_that(
                        Surroundings::shared().is_ok(),
                        "journal, nor a way to a stand-in",
                    )
            }
        }
    }
}

impl SessionBus {
    /// Starts one, and waits until it takes programs.
    pub(crate) fn start(broker: Broker) -> Self {
        Self::start_in(&folder(), broker, Path::new(CONFIGURATION))
    }

    /// Starts a `dbus-daemon` which has these service files too: name and text.
    pub(crate) fn with_services(services: &[(&str, &str)]) -> Self {
        let folder = folder();
        let path = folder.path();
        fs::create_dir(path.join("services")).unwrap();
        for (name, text) in services {
            fs::write(path.join("services").join(name), text).unwrap();
        }
        let more = format!("<servicedir>{}</servicedir>", path.join("services").display());
        Self::with_more(&folder, &more)
    }

    /// Starts a `dbus-daemon` that lets in other users too.
    pub(crate) fn for_everybody() -> Self {
        let folder = folder();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let policy = "<policy context=\"mandatory\"><allow user=\"*\"/></policy>";
        Self::with_more(&folder, policy)
    }

    /// Starts a `dbus-daemon` that lets nobody have the daemon's name.
    pub(crate) fn that_denies_the_name() -> Self {
        let policy = "<policy context=\"mandatory\"><deny own=\"org.kithbus.Bus1\"/></policy>";
        Self::with_more(&folder(), policy)
    }

    /// Starts a `dbus-daemon` with this besides what each has in its configuration.
    fn with_more(folder: &Arc<TempDir>, more: &str) -> Self {
        let text = format!("<busconfig><include>{CONFIGURATION}</include>{more}</busconfig>");
        let file = folder.path().join("session.conf");
        fs::write(&file, text).unwrap();
        Self::start_in(folder, Broker::DbusDaemon, &file)
    }

    fn start_in(folder: &Arc<TempDir>, broker: Broker, configuration: &Path) -> Self {
        let path = socket(folder);
        // What one that was killed has left.
        let _removed = fs::remove_file(&path);
        let folder = Arc::clone(folder);
        if broker == Broker::DbusDaemon {
            let mut command = Place::bare("dbus-daemon");
            dbus_daemon(&mut command, configuration, &path);
            let process = Process::start(&mut command);
            process.wait_for_stdout(|text| text.ends_with('\n'));
            return Self { process, folder, broker, _surroundings: None };
        }
        let surroundings = Surroundings::shared().unwrap();
        let mut command = Place::bare("sh");
        surroundings.launcher(&mut command, UnixListener::bind(&path).unwrap());
        let lock = surroundings.put_journal_in_place().unwrap();
        let process = Process::start_with_its_input(&mut command);
        // Who is let in finds a broker that runs, and so a launcher that has its journal.
        Program::connect(&path);
        drop(lock);
        Self { process, folder, broker, _surroundings: Some(surroundings) }
    }

    /// Starts it again at the same address, after it has ended.
    pub(crate) fn start_again(folder: &Arc<TempDir>, broker: Broker) -> Self {
        Self::start_in(folder, broker, Path::new(CONFIGURATION))
    }

    /// Where its socket is, for [`SessionBus::start_again`].
    pub(crate) fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// A folder in which none runs yet.
    pub(crate) fn nowhere() -> Arc<TempDir> {
        folder()
    }

    /// Which it is.
    pub(crate) fn broker(&self) -> Broker {
        self.broker
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        address(&self.folder)
    }

    /// A program on it.
    pub(crate) fn program(&self) -> Program {
        Program::connect(&socket(&self.folder))
    }

    /// Ends it, and waits until it is gone.
    pub(crate) fn stop(mut self) -> Ended {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }
}

/// The address of a session bus in this folder.
pub(crate) fn address(folder: &Arc<TempDir>) -> String {
    format!("unix:path={}", socket(folder).display())
}

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::Builder::new().prefix("kith-tests-bus-").tempdir().unwrap())
}

fn socket(folder: &Arc<TempDir>) -> PathBuf {
    folder.path().join("session")
}
