//! A daemon inside another program: for the tests of programs that use the bus.
//!
//! The same daemon on a thread of its own, with the default limits and a socket in a directory of
//! the caller's; so a test needs no daemon on the machine and disturbs none. It says nothing unless
//! the program has set up `tracing`.
//!
//! It can run services, and its clock can be set: for the tests of services.
//!
//! Deliberately absent: configuration files, metrics, signals and systemd's sockets, which belong
//! to a process.

use crate::clock::Offset;
use crate::configuration::{Problem, Services, Settings, StoreKind};
use crate::daemon::{Plan, Stop, serve};
use crate::grants::Gate;
use crate::keeper::{self, StoreError};
use crate::key;
use crate::limits::EMBEDDED_DESCRIPTORS_MAX;
use crate::listen;
use crate::metrics::Sockets;
use crate::reload::Upkeep;
use crate::services::{BuiltIn, Make, Setup};
use kith_core::Limits;
use kith_plugins_api::Service;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// A daemon on a thread of this program. It stops when this is dropped.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::{BufRead, BufReader, Write};
///
/// let directory = tempfile::tempdir()?;
/// let daemon = kith_busd::Embedded::start(directory.path())?;
///
/// let mut bus = std::os::unix::net::UnixStream::connect(daemon.socket())?;
/// bus.write_all(b"{\"op\":\"ping\",\"id\":1}\n")?;
/// let mut answer = String::new();
/// BufReader::new(bus).read_line(&mut answer)?;
/// assert_eq!(answer, "{\"op\":\"ok\",\"id\":1}\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Embedded {
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no embedded daemon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The socket can't be made.
    #[error("{0}")]
    Listen(String),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration is wrong.
    #[error("the configuration: {0}")]
    Configuration(String),
    /// The thread or its runtime can't be started.
    #[error("can't start the daemon's thread: {0}")]
    Thread(#[from] io::Error),
}

/// How a daemon inside a program should be; made by [`Embedded::builder`].
#[derive(Debug)]
#[must_use = "a daemon is started by `Builder::start`"]
pub struct Builder {
    directory: PathBuf,
    limits: Limits,
    built_in: Vec<BuiltIn>,
    configured: Services,
    base: Option<PathBuf>,
    state: Option<PathBuf>,
    store: StoreKind,
    clock: Offset,
}

impl Builder {
    /// Runs services, with this directory for what is theirs; it has to exist. Without it there are
    /// none, and nobody administers.
    pub fn state(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state = Some(directory.into());
        self
    }

    /// Has a service, made anew for each of its starts, as if it were built in. It runs once it is
    /// enabled.
    pub fn service<S: Service>(mut self, make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let name = make().manifest().name;
        let make: Make = Arc::new(move || Box::new(make()));
        self.built_in.push(BuiltIn { name, feature: None, make: Some(make) });
        self
    }

    /// Does what a configuration file says of limits and services; `base` is where relative paths
    /// in it begin.
    ///
    /// # Errors
    /// Says what is wrong in it.
    pub fn configuration(mut self, text: &str, base: &Path) -> Result<Self, EmbedError> {
        let problems = |problems: Vec<Problem>| {
            let texts: Vec<_> = problems
                .iter()
                .map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.fault))
                .collect();
            EmbedError::Configuration(texts.join("; "))
        };
        let settings = Settings::parse(text).map_err(problems)?;
        self.limits = Limits { descriptors_total_max: EMBEDDED_DESCRIPTORS_MAX, ..settings.limits };
        self.store = settings.store;
        self.configured = settings.services;
        self.base = Some(base.to_owned());
        Ok(self)
    }

    /// Has the daemon's time of day be as much later as this says.
    pub fn clock(mut self, offset: Offset) -> Self {
        self.clock = offset;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// As [`Embedded::start`], and if the administration key can't be made.
    pub fn start(self) -> Result<Embedded, EmbedError> {
        let Self { directory, limits, built_in, configured, base, state, store, clock } = self;
        let socket = directory.join("bus.sock");
        let listening =
            listen::make(&socket).map_err(|error| EmbedError::Listen(error.to_string()))?;
        let key = state.as_deref().map(key::read_or_make).transpose()?;
        let at_socket = socket.clone();
        let services = state.clone().map(|state| Setup {
            built_in,
            configured,
            base,
            state,
            socket: at_socket,
        });
        let setup = state.as_deref().and_then(|state| keeper::Setup::new(store, state));
        let store = setup.map(|setup| setup.open(&limits)).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("kith-busd".to_owned()).spawn(move || {
            let plan = Plan {
                limits,
                listening,
                metrics: Sockets::default(),
                session_bus: None,
                gate: Gate::open(state.as_deref()),
                people: state,
                store,
                key,
                services,
                clock,
            };
            run(&runtime, plan, stopped);
        })?;
        Ok(Embedded { socket, stop: Some(stop), thread: Some(thread) })
    }
}

impl Embedded {
    /// Starts a daemon with its socket, `bus.sock`, in `directory`, where programs can connect.
    ///
    /// # Errors
    /// If the socket can't be made, or the thread not started.
    pub fn start(directory: &Path) -> Result<Self, EmbedError> {
        Self::builder(directory).start()
    }

    /// Says how a daemon should be that has its socket, `bus.sock`, in `directory`.
    pub fn builder(directory: impl Into<PathBuf>) -> Builder {
        Builder {
            directory: directory.into(),
            // The limit on open files is the program's, so it is left alone.
            limits: Limits { descriptors_total_max: EMBEDDED_DESCRIPTORS_MAX, ..Limits::default() },
            built_in: Vec::new(),
            configured: Services::new(),
            base: None,
            state: None,
            store: StoreKind::default(),
            clock: Offset::default(),
        }
    }

    /// Where its socket is.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // The thread ends when this is gone; it says goodbye to whoever is connected.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported over there.
            let _ = thread.join();
        }
    }
}

fn run(runtime: &tokio::runtime::Runtime, plan: Plan, stopped: oneshot::Receiver<()>) {
    let mut stop = Dropped(Some(stopped));
    let mut upkeep = Upkeep::default();
    let served = LocalSet::new().block_on(runtime, serve(plan, &mut stop, &mut upkeep));
    if let Err(error) = served {
        tracing::error!(%error, "the embedded daemon could not use its socket");
    }
}

/// Stops once, when the other end is dropped.
struct Dropped(Option<oneshot::Receiver<()>>);

impl Stop for Dropped {
    async fn next(&mut self) -> &'static str {
        match self.0.take() {
            Some(stopped) => {
                // Nothing is ever sent: the end of the sender is what is waited for.
                let _ = stopped.await;
                "dropped"
            }
            None => std::future::pending().await,
        }
    }
}
