//! A service manager, as far as a daemon sees it: the socket that it is told on how the daemon is.

use super::{PATIENCE, Place};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The socket of `NOTIFY_SOCKET`.
pub(crate) struct Supervisor {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Supervisor {
    /// A socket in this place.
    pub(crate) fn new(place: &Place) -> Self {
        let path = place.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { path, socket }
    }

    /// Has a program tell it, and this often that it is alive, in microseconds.
    pub(crate) fn watch(&self, command: &mut Command, watchdog_usec: Option<&str>) {
        command.env("NOTIFY_SOCKET", &self.path);
        if let Some(usec) = watchdog_usec {
            command.env("WATCHDOG_USEC", usec);
        }
    }

    /// What it is told next.
    pub(crate) fn told(&self) -> String {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).expect("it was told nothing");
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }
    /// The same, or nothing if nothing comes for so long.
    pub(crate) fn told_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 4096];
        let received = self.socket.recv(&mut buffer);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        received.ok().map(|count| String::from_utf8(buffer[..count].to_vec()).unwrap())
    }

    /// Forgets what it was told up to now.
    pub(crate) fn forget(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }
}
