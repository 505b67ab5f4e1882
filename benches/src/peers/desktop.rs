//! Programs on a session bus: a daemon that finds one in its environment, and the service of ours
//! that it is compared with (`kith-bench-dbus-echo`).

use crate::beside_us;
use crate::peer::{Codec, Peer, Start, program};
use crate::socket::Endpoint;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Where programs look for the session bus.
const ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";

fn address(socket: &Path) -> String {
    format!("unix:path={}", socket.display())
}

/// A broker that finds the session bus whose socket is at `bus`.
pub(crate) struct OnSessionBus<'run> {
    pub(crate) peer: &'run dyn Peer,
    pub(crate) bus: &'run Path,
}

impl Peer for OnSessionBus<'_> {
    fn name(&self) -> &'static str {
        self.peer.name()
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let mut start = self.peer.start(directory)?;
        start.command.env(ADDRESS, address(self.bus));
        Ok(start)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        self.peer.codec()
    }

    fn version(&self) -> Option<Command> {
        self.peer.version()
    }
}

/// The service of ours. It is reached through the session bus, so it is there when that is; when
/// its name has an owner, it can be called.
pub(crate) struct Echo<'run> {
    pub(crate) bus: &'run dyn Peer,
    pub(crate) socket: &'run Path,
}

impl Peer for Echo<'_> {
    fn name(&self) -> &'static str {
        "zbus-service"
    }

    fn start(&self, _directory: &Path) -> io::Result<Start> {
        let echo = beside_us("kith-bench-dbus-echo").map_err(io::Error::other)?;
        let mut command = program(echo);
        command.env(ADDRESS, address(self.socket));
        Ok(Start { command, endpoint: Endpoint::Unix(self.socket.to_path_buf()) })
    }

    fn codec(&self) -> Arc<dyn Codec> {
        self.bus.codec()
    }

    fn version(&self) -> Option<Command> {
        None
    }
}
