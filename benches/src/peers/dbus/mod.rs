//! D-Bus brokers: dbus-broker through its launcher, and dbus-daemon. Messages are broadcast
//! signals, the topic is the object's path.
//!
//! How they are started is in `kith_tests::session_bus`, which the tests use too.

mod codec;

use crate::peer::{Codec, Peer, Start, program};
use crate::socket::Endpoint;
use codec::DbusCodec;
use kith_tests::session_bus::{CONFIGURATION, Surroundings, dbus_daemon};
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

const HELD_MAX: u64 = 100_000;

#[derive(Default)]
pub(super) struct DbusBroker {
    /// Started with the first broker, ended with the peer.
    surroundings: Mutex<Option<Surroundings>>,
}

impl Peer for DbusBroker {
    fn name(&self) -> &'static str {
        "dbus-broker"
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let path = directory.join("s");
        let listener = UnixListener::bind(&path)?;
        let mut surroundings = self.surroundings.lock().unwrap_or_else(PoisonError::into_inner);
        let surroundings = match &mut *surroundings {
            Some(surroundings) => surroundings,
            none => none.insert(Surroundings::start()?),
        };
        let mut command = program("sh");
        surroundings.launcher(&mut command, listener);
        // Nobody else starts a launcher while something is measured.
        drop(surroundings.put_journal_in_place()?);
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

    fn is_session_bus(&self) -> bool {
        true
    }
}

pub(super) struct DbusDaemon;

impl Peer for DbusDaemon {
    fn name(&self) -> &'static str {
        "dbus-daemon"
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let path = directory.join("s");
        let mut command = program("dbus-daemon");
        dbus_daemon(&mut command, Path::new(CONFIGURATION), &path);
        Ok(Start { command, endpoint: Endpoint::Unix(path) })
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

    fn is_session_bus(&self) -> bool {
        true
    }
}
