//! Services and who runs them, and what is granted to programs.
//!
//! The same service ([`kith_tests::service`]) runs inside a daemon, as a program in Rust and as one
//! in Python (`probe.py`), and has to be held to the same. The daemon is one on a thread of the
//! tests where that shows what is wanted, since it takes services that only tests have; else the
//! real program. An administrator's connection asks for what people ask for, and hears what becomes
//! of services; nothing waits but for that.
//!
//! - `administrator.rs`: that connection; `neighbours.rs`: two clients that must notice nothing;
//! - `alike.rs`: what a service may, however it runs; `ending.rs`, `failing.rs`, `hanging.rs`: how
//!   services end, by themselves or not; `enabling.rs`: what is granted to a service;
//!   `keeping.rs`: what stays when the daemon stops; `output.rs`: what services say;
//! - `programs.rs`: what is granted to programs.

mod administrator;
mod alike;
mod enabling;
mod ending;
mod failing;
mod hanging;
mod keeping;
mod neighbours;
mod output;
mod programs;

pub(crate) use administrator::{Administrator, Refused};
pub(crate) use neighbours::{Neighbours, Talking};

use crate::process::{Daemon, PATIENCE, Place};
use kith_busd::Embedded;
use kith_tests::require;
use kith_tests::service::Probe;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The tests' service, as programs.
const RUST: &str = env!("CARGO_BIN_EXE_kith-tests-service");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/probe.py");
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/probe.toml");

/// How the tests' service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Inside,
    Rust,
    Python,
}

impl Kind {
    /// All of them, as far as they can run here.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Inside, Self::Rust];
        if require("python3") {
            all.push(Self::Python);
        }
        all
    }

    /// What a configuration says of it with these settings, and these lines besides.
    pub(crate) fn configuration(self, settings: &Value, more: &str) -> String {
        let mut service: toml::Table = toml::from_str(more).unwrap();
        let command = match self {
            Self::Inside => None,
            Self::Rust => Some(RUST),
            Self::Python => Some(PYTHON),
        };
        if let Some(command) = command {
            service.insert("command".to_owned(), vec![command].into());
            service.insert("manifest".to_owned(), MANIFEST.into());
        }
        service.insert("settings".to_owned(), toml::Value::try_from(settings).unwrap());
        toml::to_string(&json!({"services": {"probe": service}})).unwrap()
    }

    /// Starts it with these settings, and these lines of configuration besides.
    pub(crate) fn start(self, settings: &Value, more: &str) -> Host {
        let mut host = Host::new(&self.configuration(settings, more));
        host.enable("probe");
        host
    }
}

/// A daemon on a thread of the tests, which has the tests' service built in, and its administrator.
pub(crate) struct Host {
    pub(crate) administrator: Administrator,
    daemon: Option<Embedded>,
    place: Place,
}

impl Host {
    pub(crate) fn new(configuration: &str) -> Self {
        Self::at(Place::new(configuration))
    }

    /// At a place that may have been used before.
    pub(crate) fn at(place: Place) -> Self {
        let configuration = fs::read_to_string(place.path().join("config.toml")).unwrap();
        for folder in [place.state(), place.path().join("kith")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).unwrap();
        }
        let builder = Embedded::builder(place.path().join("kith")).state(place.state());
        let builder = match configuration.contains("command") {
            true => builder,
            false => builder.service(|| Probe),
        };
        let daemon = builder.configuration(&configuration, place.path()).unwrap().start().unwrap();
        let administrator = Administrator::at(&place);
        Self { administrator, daemon: Some(daemon), place }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Has a service run, and waits until it does.
    pub(crate) fn enable(&mut self, name: &str) {
        self.administrator.change("services.enable", name).unwrap();
        self.administrator.wait_for(name, "starting");
    }

    /// Stops the daemon.
    pub(crate) fn stop(mut self) -> Place {
        self.daemon = None;
        self.place
    }
}

/// A real daemon with this configuration, and its administrator.
pub(crate) fn real(configuration: &str) -> (Daemon, Administrator) {
    real_at(&Place::new(configuration))
}

pub(crate) fn real_at(place: &Place) -> (Daemon, Administrator) {
    let daemon = place.start();
    let administrator = Administrator::at(place);
    (daemon, administrator)
}

/// The file that the tests' service leaves when it has ended well.
pub(crate) fn has_ended_well(place: &Place) -> bool {
    place.state().join("services/probe/ended").exists()
}

/// Held by tests in which a service has to end within the 2 s that it is given, and by those that
/// start many at once: on a slow machine the one would be late because of the other.
pub(crate) fn quiet() -> MutexGuard<'static, ()> {
    static QUIET: Mutex<()> = Mutex::new(());
    // Whoever failed leaves nothing behind that others would mind.
    QUIET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until there is no such process, or nobody has waited for its end yet.
pub(crate) fn wait_until_gone(pid: u64) {
    let began = Instant::now();
    let status = format!("/proc/{pid}/stat");
    let runs = |status: &Path| {
        let text = fs::read_to_string(status).unwrap_or_default();
        text.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
    };
    while runs(Path::new(&status)) {
        assert!(began.elapsed() < PATIENCE, "process {pid} runs on");
        std::thread::yield_now();
    }
}

/// The token of a service that runs, as any program of the user can read it.
pub(crate) fn token_of(pid: u64) -> String {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let text = String::from_utf8(environment).unwrap();
    let found = text.split('\0').find_map(|one| one.strip_prefix("KITH_TOKEN="));
    found.unwrap().to_owned()
}

/// Settings that have the service do this when it has tried what it was to try.
pub(crate) fn then(what: &str) -> Value {
    json!({"then": what})
}
