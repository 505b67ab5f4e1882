//! D-Bus brokers: dbus-broker through its launcher, and dbus-daemon. Messages are broadcast
//! signals, the topic is the object's path.
//!
//! The launcher takes its listening socket as file descriptor 3, systemd style. It is handed over
//! as standard input and moved by a shell, which costs the launcher about 1 ms of its start-up time
//! and this crate no `unsafe`. It also wants a journal and a session bus; see `stand_in`.

mod codec;
mod stand_in;

use crate::peer::{Codec, Peer, Start, program};
use crate::socket::Endpoint;
use codec::DbusCodec;
use stand_in::Session;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

const SESSION_CONFIGURATION: &str = "/usr/share/dbus-1/session.conf";
const LAUNCH: &str = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; \
                      exec dbus-broker-launch --scope user --config-file \"$0\"";
const HELD_MAX: u64 = 100_000;

#[derive(Default)]
pub(super) struct DbusBroker {
    /// Started with the first broker, ended with the peer.
    session: Mutex<Option<Session>>,
}

impl Peer for DbusBroker {
    fn name(&self) -> &'static str {
        "dbus-broker"
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let path = directory.join("s");
        let listener = UnixListener::bind(&path)?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let session = match &mut *session {
            Some(session) => session,
            none => none.insert(Session::start()?),
        };
        let mut command = program("sh");
        command.args(["-c", LAUNCH, SESSION_CONFIGURATION]);
        command.env("DBUS_SESSION_BUS_ADDRESS", session.address());
        command.stdin(Stdio::from(OwnedFd::from(listener)));
        Ok(Start { command, endpoint: Endpoint::Unix(path) })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program("dbus-broker");
        command.arg("--version");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(DbusCodec)
    }

    fn held_subscriptions_max(&self) -> u64 {
        HELD_MAX
    }

    fn has_leading_wildcards(&self) -> bool {
        false
    }
}

pub(super) struct DbusDaemon;

impl Peer for DbusDaemon {
    fn name(&self) -> &'static str {
        "dbus-daemon"
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let path = directory.join("s");
        Ok(Start { command: dbus_daemon(&path), endpoint: Endpoint::Unix(path) })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program("dbus-daemon");
        command.arg("--version");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(DbusCodec)
    }

    fn held_subscriptions_max(&self) -> u64 {
        HELD_MAX
    }

    fn has_leading_wildcards(&self) -> bool {
        false
    }
}

/// A dbus-daemon in the foreground that listens at `path`.
fn dbus_daemon(path: &Path) -> Command {
    let mut command = program("dbus-daemon");
    command.arg(format!("--config-file={SESSION_CONFIGURATION}"));
    command.args(["--nofork", "--nopidfile", "--nosyslog"]);
    command.arg(format!("--address=unix:path={}", path.display()));
    command
}
