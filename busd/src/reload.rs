//! Reading the configuration again, on SIGHUP, while programs stay connected.
//!
//! What can change takes effect at once: how much is logged, the limits, how often the counters are
//! published. What was needed to open sockets and files can't; a change there is named in one
//! warning and waits for the next start. A configuration that is wrong is reported as it would be
//! at the start, and then nothing changes: half of a configuration is harder to understand than the
//! one before.
//!
//! Command line and environment are those with which the daemon was started, and still go before
//! the file.
//!
//! A terminal that goes away sends the same signal to what was started on it. Then it means what it
//! always meant, and the daemon stops.
//!
//! Deliberately absent: watching the file. Editors write files in pieces, and a person knows when
//! it is done.

use std::io::{self, IsTerminal};
use std::rc::Rc;

use kith_core::Limits;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Arguments;
use crate::configuration::{Configuration, ConfigurationError, Environment};
use crate::daemon::fit_to_file_descriptors;
use crate::hub::Hub;
use crate::log::Log;
use crate::notify::Notifier;

/// What the daemon has to do with whoever runs it, beside being started and stopped.
#[derive(Default)]
pub(crate) struct Upkeep {
    notifier: Notifier,
    reloads: Option<Reloads>,
}

/// What it takes to read the configuration again.
struct Reloads {
    hangup: Signal,
    /// Whether there was a terminal when the daemon started.
    had_terminal: bool,
    arguments: Arguments,
    environment: Environment,
    log: Log,
    /// What the daemon runs with.
    running: Configuration,
}

impl Upkeep {
    /// What the environment asks for, and reloading; to be called in the runtime.
    ///
    /// # Errors
    /// If the signal can't be had.
    pub(crate) fn new(
        arguments: &Arguments,
        environment: &Environment,
        log: Log,
        running: Configuration,
    ) -> io::Result<Self> {
        let reloads = Reloads {
            hangup: signal(SignalKind::hangup())?,
            had_terminal: io::stderr().is_terminal(),
            arguments: arguments.clone(),
            environment: environment.clone(),
            log,
            running,
        };
        Ok(Self { notifier: Notifier::open(environment), reloads: Some(reloads) })
    }

    /// Says that programs can connect, or that the daemon ends.
    pub(crate) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Tells the watchdog, and reloads when it is told to. Returns why to stop.
    pub(crate) async fn run(&mut self, hub: &Rc<Hub>) -> &'static str {
        let Self { notifier, reloads } = self;
        let reloading = async {
            let Some(reloads) = reloads else { return std::future::pending().await };
            while reloads.hangup.recv().await.is_some() {
                if reloads.had_terminal && !io::stderr().is_terminal() {
                    return "the terminal has gone";
                }
                notifier.reloading();
                let status = reloads.reload(hub);
                notifier.ready(&status);
            }
            "no more signals"
        };
        tokio::select! {
            () = notifier.keep_telling() => "no more watchdog",
            reason = reloading => reason,
        }
    }
}

impl Reloads {
    /// Reads everything again and applies what can be. Returns what became of it, in a line.
    fn reload(&mut self, hub: &Hub) -> String {
        let read = match Configuration::load(&self.arguments, &self.environment) {
            Ok(read) => read,
            Err(error) => return refuse(&error),
        };
        let waiting = waiting(&self.running, &read);
        if !waiting.is_empty() {
            let keys = waiting.join(", ");
            tracing::warn!("{keys}: a change takes effect when the daemon starts again");
        }
        let mut limits = read.limits;
        let descriptors_total_max = self.running.limits.descriptors_total_max;
        fit_again(&mut limits, descriptors_total_max, read.services.len());
        self.log.set_level(read.log_level);
        self.running.log_level = read.log_level;
        self.running.file = read.file;
        if self.running.limits != limits {
            hub.set_limits(limits.clone());
            self.running.limits = limits;
        }
        if self.running.services != read.services {
            hub.services.send_replace(read.services.clone());
            self.running.services = read.services;
        }
        let file = self.running.file.as_ref();
        let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
        tracing::info!(file, "configuration read again");
        "Serving; configuration read again".to_owned()
    }
}

fn refuse(error: &ConfigurationError) -> String {
    tracing::error!("the configuration stays as it was: {error}");
    format!("Serving; the configuration stays as it was: {error}")
}

/// As at the start; but descriptors that clients have been told of stay, and connections give way.
fn fit_again(limits: &mut Limits, descriptors_total_max: usize, services: usize) {
    fit_to_file_descriptors(limits, services);
    let taken = descriptors_total_max.saturating_sub(limits.descriptors_total_max);
    if taken > 0 {
        limits.clients_max = limits.clients_max.saturating_sub(taken).max(1);
        let clients_max = limits.clients_max;
        tracing::warn!(clients_max, "fewer still: {taken} files are promised to payloads");
    }
    limits.descriptors_total_max = descriptors_total_max;
}

/// The keys of which a change has to wait for the next start.
fn waiting(running: &Configuration, read: &Configuration) -> Vec<&'static str> {
    // Taken apart, so that whoever adds a field has to say here which kind it is.
    let Configuration {
        socket,
        state,
        store,
        metrics,
        dbus,
        log_level: _,
        limits: _,
        services: _,
        file: _,
    } = read;
    let keys = [
        ("socket.path", *socket != running.socket),
        ("state.path", *state != running.state),
        ("store", *store != running.store),
        ("metrics.enabled", metrics.enabled != running.metrics.enabled),
        ("metrics.path", metrics.path != running.metrics.path),
        ("metrics.address", metrics.address != running.metrics.address),
        ("dbus.enabled", dbus.enabled != running.dbus.enabled),
        ("dbus.address", dbus.address != running.dbus.address),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Dbus, LogLevel, Metrics, Services, StoreKind};

    fn configuration() -> Configuration {
        Configuration {
            socket: "/run/bus.sock".into(),
            state: "/state".into(),
            store: StoreKind::default(),
            log_level: LogLevel::Info,
            limits: Limits::default(),
            metrics: Metrics::default(),
            dbus: Dbus::default(),
            services: Services::new(),
            file: None,
        }
    }

    #[test]
    fn what_has_to_wait_is_named() {
        let running = configuration();
        let limits = Limits { clients_max: 7, ..Limits::default() };
        let log_level = LogLevel::Debug;
        let read = Configuration { limits, log_level, file: Some("/f".into()), ..configuration() };
        assert!(waiting(&running, &read).is_empty());
        let metrics = Metrics { path: Some("/m".into()), ..Metrics::default() };
        let read = Configuration { state: "/other".into(), metrics, ..configuration() };
        assert_eq!(waiting(&running, &read), ["state.path", "metrics.path"]);
        let metrics = Metrics { enabled: false, address: "[::1]:1".parse().ok(), path: None };
        let dbus = Dbus { enabled: false, ..Dbus::default() };
        let (socket, store) = ("/other".into(), StoreKind::None);
        let read = Configuration { socket, store, metrics, dbus, ..configuration() };
        assert_eq!(
            waiting(&running, &read),
            ["socket.path", "store", "metrics.enabled", "metrics.address", "dbus.enabled"]
        );
    }

    #[test]
    fn descriptors_that_were_promised_stay() {
        let mut limits = Limits { clients_max: 8, ..Limits::default() };
        fit_again(&mut limits, 16, 0);
        assert_eq!((limits.clients_max, limits.descriptors_total_max), (8, 16));
        // More of both than any process may open.
        limits.clients_max = usize::MAX;
        fit_again(&mut limits, 16, 0);
        assert_eq!(limits.descriptors_total_max, 16);
        assert!((1..usize::MAX).contains(&limits.clients_max));
    }
}
