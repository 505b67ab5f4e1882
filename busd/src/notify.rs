//! Telling whoever started the daemon how it is: the protocol of `sd_notify(3)`.
//!
//! systemd passes the name of a datagram socket in `NOTIFY_SOCKET`, and takes lines of
//! `NAME=value`. So it knows when programs can connect, when a reload is done, and, by the
//! watchdog, that the broker still has its turns: `WATCHDOG=1` is sent from the broker's own
//! thread, and if that hangs, nothing is sent. Without the variable nothing happens here, and
//! without a watchdog there is no timer: an idle daemon isn't woken.
//!
//! A send may take a moment at most (`NOTIFY_TIME_MAX`), or a service manager that hangs would hold
//! up the bus. What can't be said is logged once, and the daemon goes on: it serves programs, not
//! the manager.
//!
//! Deliberately absent: passing file descriptors back (`FDSTORE=1`). A bus whose clients keep their
//! connections over a restart would have to keep its memory too.

use std::cell::Cell;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::{MissedTickBehavior, interval};

use crate::configuration::Environment;
use crate::limits::{NOTIFY_TIME_MAX, STATUS_CHARS_MAX};

/// Where to tell it, if anywhere.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often to say that the broker has its turns.
    sign_of_life: Option<Duration>,
    has_warned: Cell<bool>,
}

impl Notifier {
    /// What the environment of this process asks for.
    pub(crate) fn open(environment: &Environment) -> Self {
        let Some(name) = environment.notify_socket.as_ref().filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        let socket = address(name.as_bytes()).and_then(|address| Ok((unbound()?, address)));
        match socket {
            Ok(socket) => {
                let sign_of_life = sign_of_life(environment, std::process::id());
                Self { socket: Some(socket), sign_of_life, has_warned: Cell::new(false) }
            }
            Err(error) => {
                tracing::warn!(%error, "can't use NOTIFY_SOCKET, so nobody is told");
                Self::default()
            }
        }
    }

    /// Programs can connect; or a reload is done, well or not.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// A reload begins. systemd compares the time with when it sent its signal.
    pub(crate) fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()));
    }

    /// The daemon is about to end, for this reason.
    pub(crate) fn stopping(&self, reason: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS=Stopping: {}", one_line(reason)));
    }

    /// Says again and again that the broker's thread has its turns, if somebody wants to know.
    pub(crate) async fn keep_telling(&self) {
        let Some(period) = self.sign_of_life else { return std::future::pending().await };
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, text: &str) {
        let Some((socket, address)) = &self.socket else { return };
        if let Err(error) = socket.send_to_addr(text.as_bytes(), address)
            && !self.has_warned.replace(true)
        {
            let first = text.lines().next().unwrap_or_default();
            tracing::warn!(%error, what = first, "can't tell the service manager");
        }
    }
}

fn unbound() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(NOTIFY_TIME_MAX))?;
    Ok(socket)
}

/// A path, or `@` and a name in the abstract namespace, as container managers like to give.
fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor `@` and a name")),
    }
}

/// Half of the time after which the service manager takes this process for hung, if it is this
/// process that it watches.
fn sign_of_life(environment: &Environment, pid: u32) -> Option<Duration> {
    let number = |variable: &Option<std::ffi::OsString>| -> Option<u64> {
        variable.as_ref()?.to_str()?.parse().ok()
    };
    let is_other = environment.watchdog_pid.is_some()
        && number(&environment.watchdog_pid) != Some(u64::from(pid));
    let usec = number(&environment.watchdog_usec).filter(|usec| *usec > 1 && !is_other)?;
    Some(Duration::from_micros(usec / 2))
}

fn monotonic_usec() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000 + nanoseconds.unwrap_or_default() / 1_000
}

/// The first line, cut to what a person reads in `systemctl status`: another line would be another
/// field.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(STATUS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(socket: &str, usec: Option<&str>, pid: Option<&str>) -> Environment {
        Environment {
            notify_socket: Some(socket.into()),
            watchdog_usec: usec.map(Into::into),
            watchdog_pid: pid.map(Into::into),
            ..Environment::default()
        }
    }

    /// A socket of a service manager, and who tells it.
    fn pair(name: &str, address: &SocketAddr) -> (UnixDatagram, Notifier) {
        let manager = UnixDatagram::bind_addr(address).unwrap();
        (manager, Notifier::open(&environment(name, None, None)))
    }

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let count = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn what_is_told_comes_by_a_path_and_by_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("kith-test-{}", std::process::id());
        let addresses = [
            (path.to_str().unwrap().to_owned(), SocketAddr::from_pathname(&path).unwrap()),
            (format!("@{name}"), SocketAddr::from_abstract_name(&name).unwrap()),
        ];
        for (name, address) in addresses {
            let (manager, notifier) = pair(&name, &address);
            notifier.ready("Serving /a\nREADY=0");
            assert_eq!(heard(&manager), "READY=1\nSTATUS=Serving /a");
            notifier.stopping("SIGTERM");
            assert_eq!(heard(&manager), "STOPPING=1\nSTATUS=Stopping: SIGTERM");
            let before = monotonic_usec();
            notifier.reloading();
            let text = heard(&manager);
            let at: u64 =
                text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse().unwrap();
            assert!((before..=monotonic_usec()).contains(&at), "{at}");
        }
    }

    #[test]
    fn nobody_is_told_where_nobody_asks_or_listens() {
        Notifier::open(&Environment::default()).ready("Serving");
        for name in ["", "relative", "/no/such/socket", &format!("/{}", "x".repeat(200))] {
            Notifier::open(&environment(name, None, None)).ready("Serving");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_holds_up_nobody_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let address = SocketAddr::from_pathname(&path).unwrap();
        let (manager, notifier) = pair(path.to_str().unwrap(), &address);
        let (socket, address) = notifier.socket.as_ref().unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.send_to_addr(b"x", address).is_ok() {}
        socket.set_nonblocking(false).unwrap();
        let began = std::time::Instant::now();
        notifier.ready("Serving");
        assert!(began.elapsed() < 20 * NOTIFY_TIME_MAX, "{:?}", began.elapsed());
        drop(manager);
    }

    #[test]
    fn the_watchdog_is_told_twice_in_its_time_if_it_is_ours() {
        for (usec, pid, expected) in [
            (Some("3000000"), None, Some(1_500)),
            (Some("3000000"), Some("7"), Some(1_500)),
            (Some("3000000"), Some("8"), None),
            (Some("3000000"), Some("seven"), None),
            (Some("0"), None, None),
            (Some("1"), None, None),
            (Some("soon"), None, None),
            (None, Some("7"), None),
        ] {
            let environment = environment("/n", usec, pid);
            let expected = expected.map(Duration::from_millis);
            assert_eq!(sign_of_life(&environment, 7), expected, "{usec:?} {pid:?}");
        }
    }

    #[test]
    fn a_status_is_one_short_line() {
        assert_eq!(one_line("a\nb"), "a");
        assert_eq!(one_line(""), "");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), STATUS_CHARS_MAX);
    }
}
