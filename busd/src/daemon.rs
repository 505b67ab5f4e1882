//! The daemon from start to stop.
//!
//! Everything that can fail is done before the first connection is taken, in an order in which
//! nothing has to be undone: configuration, log, state, socket. Then one thread serves until a
//! signal comes; a second signal ends it at once. SIGHUP ends nothing (see `reload.rs`).

use crate::arguments::Arguments;
use crate::clock::{Clock, Offset};
use crate::configuration::{Configuration, Environment};
use crate::dbus::{Door, Facts, Place};
use crate::door::{accept, take_arrivals};
use crate::exit_code;
use crate::grants::Gate;
use crate::hub::Hub;
use crate::limits::{FILES_PER_SERVICE, FILES_RESERVED, SHUTDOWN_GRACE};
use crate::listen::{self, Accepting, Listening};
use crate::log;
use crate::metrics::{self, Serving, Sockets};
use crate::reload::Upkeep;
use crate::services::{self, Hosted, Setup};
use crate::state::StateLock;
use crate::{keeper, key, post};
use kith_core::{Broker, Limits};
use kith_sealed::DESCRIPTORS_PER_CALL_MAX;
use kith_wire::Token;
use rustix::fs::Mode;
use rustix::process::umask;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::timeout;

/// Runs the daemon, or answers `--print-config` and `--check-config`.
///
/// Has to be called before this process starts threads, because systemd's socket comes by the
/// environment.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let environment = Environment::read();
    if let Some(answer) = arguments.answer(&environment) {
        return answer.print();
    }
    match start(arguments, &environment) {
        Ok(()) => ExitCode::from(exit_code::OK),
        Err(Failure { text, exit_code }) => {
            eprintln!("kith-busd: {text}");
            ExitCode::from(exit_code)
        }
    }
}

/// Why there is no daemon, for a person and for a script.
struct Failure {
    text: String,
    exit_code: u8,
}

impl Failure {
    fn new(error: &impl ToString, exit_code: u8) -> Self {
        Self { text: error.to_string(), exit_code }
    }

    fn system(what: &str, error: &io::Error) -> Self {
        Self { text: format!("{what}: {error}"), exit_code: exit_code::SYSTEM }
    }
}

fn start(arguments: &Arguments, environment: &Environment) -> Result<(), Failure> {
    let mut configuration = Configuration::load(arguments, environment)
        .map_err(|error| Failure::new(&error, error.exit_code()))?;
    let log = log::start(configuration.log_level, environment);
    // What this process makes is for its user alone, whatever it was started with.
    umask(Mode::RWXG | Mode::RWXO);
    let state = StateLock::acquire(&configuration.state)
        .map_err(|error| Failure::new(&error, error.exit_code()))?;
    // Before anybody can connect who would look for it.
    let key = key::read_or_make(&configuration.state)
        .map_err(|error| Failure::system("the administration key", &error))?;
    let store =
        keeper::open(&configuration).map_err(|error| Failure::new(&error, error.exit_code()))?;
    let listening = listen::listen(&configuration.socket)
        .map_err(|error| Failure::new(&error, error.exit_code()))?;
    let metrics = Sockets::open(&configuration.metrics, listening.path().as_deref())
        .map_err(|error| Failure::new(&error, error.exit_code()))?;
    let session_bus = find_session_bus(&configuration, environment);
    let services = configuration.services.len();
    fit_to_file_descriptors(&mut configuration.limits, services);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("can't start the runtime", &error))?;
    let served = LocalSet::new().block_on(&runtime, async {
        let mut signals = Signals::new().map_err(|error| Failure::system("signals", &error))?;
        let plan = Plan::new(&configuration, listening, metrics, session_bus, key, store)
            .map_err(|error| Failure::system("the configuration's directory", &error))?;
        let mut upkeep = Upkeep::new(arguments, environment, log, configuration)
            .map_err(|error| Failure::system("signals", &error))?;
        let served = serve(plan, &mut signals, &mut upkeep).await;
        served.map_err(|error| Failure::system("can't use the socket", &error))
    });
    // Held to the end, so that the next daemon finds everything done; but who calls the name from
    // now on starts that one, which needs it.
    drop(state);
    let Some(dbus) = served? else { return Ok(()) };
    if runtime.block_on(async { timeout(SHUTDOWN_GRACE, dbus.close()).await }).is_err() {
        tracing::warn!("the session bus did not let go of this daemon");
    }
    Ok(())
}

/// Where desktop programs may find the bus, if anywhere; if not, that is said here, once.
fn find_session_bus(configuration: &Configuration, environment: &Environment) -> Option<Place> {
    match Place::find(&configuration.dbus, environment, Path::exists) {
        Ok(place) => Some(place),
        Err(reason) => {
            tracing::info!("no session bus: {reason}; programs reach the bus by its socket");
            None
        }
    }
}

/// Connections, fewer than the file descriptors of this process; and of those that they leave, some
/// for payloads. So many services are configured beside those that are built in.
pub(crate) fn fit_to_file_descriptors(limits: &mut Limits, services: usize) {
    let files = usize::try_from(listen::raise_file_descriptor_limit()).unwrap_or(usize::MAX);
    let services = services.saturating_add(services::built_in().len());
    let reserved = FILES_RESERVED.saturating_add(services.saturating_mul(FILES_PER_SERVICE));
    let clients_max = files.saturating_sub(reserved).max(1);
    if clients_max < limits.clients_max {
        tracing::warn!(
            configured = limits.clients_max,
            clients_max,
            "fewer connections than configured: this process may open {files} files (ulimit -n)"
        );
        limits.clients_max = clients_max;
    }
    let left = files.saturating_sub(reserved).saturating_sub(limits.clients_max);
    // One call may bring as many before the broker has seen the first.
    let for_payloads = left.saturating_sub(DESCRIPTORS_PER_CALL_MAX);
    limits.descriptors_total_max = limits.descriptors_total_max.min(for_payloads);
    tracing::debug!(descriptors = limits.descriptors_total_max, "for payloads in descriptors");
}

/// What tells the daemon to stop, and then to stop at once.
pub(crate) trait Stop {
    /// Waits for the next time, and says what it was.
    async fn next(&mut self) -> &'static str;
}

/// What the daemon serves, and with what.
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) listening: Listening,
    pub(crate) metrics: Sockets,
    pub(crate) session_bus: Option<Place>,
    pub(crate) gate: Gate,
    /// Where messages wait, if they can, and what waits there.
    pub(crate) store: Option<keeper::Found>,
    /// The directory of the state, if this daemon has people and devices.
    pub(crate) people: Option<PathBuf>,
    /// What an administrator shows.
    pub(crate) key: Option<Token>,
    /// The services that there may be, if there is a place for what is theirs.
    pub(crate) services: Option<Setup>,
    /// How much later it is here than the system says, in milliseconds.
    pub(crate) clock: Offset,
}

impl Plan {
    fn new(
        configuration: &Configuration,
        listening: Listening,
        metrics: Sockets,
        session_bus: Option<Place>,
        key: Token,
        store: Option<keeper::Found>,
    ) -> io::Result<Self> {
        let state = &configuration.state;
        let file = configuration.file.as_deref().and_then(Path::parent);
        let services = Setup {
            built_in: services::built_in(),
            configured: configuration.services.clone(),
            base: file.map(std::path::absolute).transpose()?,
            state: state.clone(),
            socket: listening.path().unwrap_or_default(),
        };
        Ok(Self {
            limits: configuration.limits.clone(),
            listening,
            metrics,
            session_bus,
            gate: Gate::open(Some(state)),
            store,
            people: Some(state.clone()),
            key: Some(key),
            services: Some(services),
            clock: Offset::default(),
        })
    }
}

/// Serves until it is told to stop. What is still open then is the door on the session bus, which
/// serves nobody any more.
pub(crate) async fn serve(
    plan: Plan,
    stop: &mut impl Stop,
    upkeep: &mut Upkeep,
) -> io::Result<Option<Door>> {
    let Plan { limits, listening, metrics, session_bus, gate, store, people, .. } = plan;
    let Plan { key, services, clock, .. } = plan;
    let socket = listening.path().unwrap_or_default();
    let from_systemd = listening.is_passed();
    let accepting = listening.start()?;
    let serving = metrics.start()?;
    let payload_bytes_max = limits.payload_bytes_max;
    let mut broker = Broker::new(limits, seed());
    if let Some(key) = key {
        broker.set_administration_key(key);
    }
    let hub = Rc::new(Hub::new(broker, gate, Clock::start(clock)));
    let answers = store.map(|found| hub.keep_in(found));
    // Until the end: what programs wait for when the daemon stops is answered as well.
    let answers = tokio::task::spawn_local(keeper::take_answers(Rc::clone(&hub), answers));
    let mut post = people.and_then(|state| post::start(&hub, &state));
    if let Some(post) = &mut post {
        post.begun().await;
    }
    let version = env!("CARGO_PKG_VERSION");
    hub.broker().announce_ready(hub.now(), version, std::process::id());
    tracing::info!(socket = %socket.display(), from_systemd, version, "ready");
    let (intake, arrivals) = mpsc::unbounded_channel();
    let status = format!("Serving {}", socket.display());
    let facts = Facts { socket, payload_bytes_max };
    // From here on: whoever hears of the door may have the configuration read again at once.
    let changes = hub.payload_bytes_max.subscribe();
    let open = |place| Door::open(place, facts.clone(), intake);
    let dbus = session_bus.map(open).transpose()?;
    let from_dbus = take_arrivals(Rc::clone(&hub), arrivals);
    let services = services.map(|setup| Hosted::start(&hub, setup));
    upkeep.notifier().ready(&status);
    let reason = tokio::select! {
        reason = serve_until_stopped(&hub, &accepting, &serving, stop, upkeep) => reason,
        () = from_dbus, if dbus.is_some() => "the session bus that started the daemon has ended",
        () = tell_of_limits(changes, dbus.as_ref(), facts) => "no more limits",
    };
    upkeep.notifier().stopping(reason);
    tracing::info!(reason, connections = hub.connections(), "stopping");
    let in_time = match services {
        Some(services) => tokio::select! {
            () = services.end() => true,
            reason = stop.next() => at_once(reason),
        },
        None => true,
    };
    drop((accepting, serving));
    hub.broker().shut_down();
    hub.perform();
    if in_time && wait_for_store(&hub, stop).await {
        wait_for_readers(&hub, stop).await;
        if let Some(post) = post {
            post.end().await;
        }
    }
    answers.abort();
    tracing::info!("stopped");
    Ok(dbus)
}

/// Has programs of the session bus told when a reload has changed what they were told.
async fn tell_of_limits(mut changes: watch::Receiver<usize>, dbus: Option<&Door>, facts: Facts) {
    while changes.changed().await.is_ok() {
        let payload_bytes_max = *changes.borrow_and_update();
        if let Some(dbus) = dbus {
            dbus.tell(Facts { payload_bytes_max, ..facts.clone() });
        }
    }
}

async fn serve_until_stopped(
    hub: &Rc<Hub>,
    accepting: &Accepting,
    serving: &Serving,
    stop: &mut impl Stop,
    upkeep: &mut Upkeep,
) -> &'static str {
    tokio::select! {
        () = accept(Rc::clone(hub), accepting) => "no more connections",
        () = hub.run_timer() => "no more timers",
        () = metrics::serve(Rc::clone(hub), serving) => "no more metrics",
        reason = upkeep.run(hub) => reason,
        reason = stop.next() => reason,
    }
}

/// Waits a little for those who read what is left for them, and the goodbye.
async fn wait_for_readers(hub: &Hub, stop: &mut impl Stop) {
    tokio::select! {
        () = hub.drained() => {}
        () = tokio::time::sleep(SHUTDOWN_GRACE) => {
            tracing::warn!(connections = hub.connections(), "did not read what was left");
        }
        reason = stop.next() => {
            at_once(reason);
        }
    }
}

/// Waits a little until all is stored that was to be. Whether there is time left.
async fn wait_for_store(hub: &Hub, stop: &mut impl Stop) -> bool {
    tokio::select! {
        () = hub.all_stored() => true,
        () = tokio::time::sleep(SHUTDOWN_GRACE) => {
            tracing::warn!("the disk does not answer: what was to be stored may not be");
            true
        }
        reason = stop.next() => at_once(reason),
    }
}

/// Says that nothing is waited for any more, whatever it was that was waited for: nobody should
/// have to send a third signal. It is `false`, as the answer to whether there is time.
fn at_once(reason: &str) -> bool {
    tracing::warn!(reason, "stopping at once");
    false
}

/// The signals that stop the daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

impl Stop for Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// What the standard library draws from the system for its own hash maps; the broker needs no more.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
