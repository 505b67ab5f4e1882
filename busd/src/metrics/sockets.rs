//! Where the metrics are served, and what happens if they can't be.
//!
//! The Unix socket is made as the bus's is (`listen.rs`): for one user, never at another daemon's
//! expense, removed at the end. If nothing is configured it lies beside the bus's socket, under a
//! name that no other bus in that directory would use; and since nobody asked for it, that it can't
//! be made is worth a warning and no more. What the configuration asks for has to be there: else
//! the daemon does not start.

use crate::configuration::Metrics;
use crate::exit_code;
use crate::limits::SOCKET_PATH_BYTES_MAX;
use crate::listen::{Accepting, ListenError, Listening, make_by};
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

/// Sockets on which the metrics are served from now on.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    socket: Option<Listening>,
    tcp: Option<StdTcpListener>,
}

/// The same, in a runtime.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(super) socket: Option<Accepting>,
    pub(super) tcp: Option<TcpListener>,
}

/// Why the metrics can't be served where the configuration wants them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricsError {
    #[error("the metrics: {0}")]
    Socket(#[from] ListenError),
    #[error(
        "the metrics: can't listen on {address}: {source}; choose another `metrics.address`, or \
         leave it out"
    )]
    Address { address: SocketAddr, source: io::Error },
}

impl MetricsError {
    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Socket(error) => error.exit_code(),
            Self::Address { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                exit_code::UNAVAILABLE
            }
            Self::Address { .. } => exit_code::SYSTEM,
        }
    }
}

impl Sockets {
    /// Listens where the configuration says. `bus` is the path of the bus's own socket, if it has
    /// one.
    pub(crate) fn open(metrics: &Metrics, bus: Option<&Path>) -> Result<Self, MetricsError> {
        if !metrics.enabled {
            return Ok(Self::default());
        }
        let tcp = metrics.address.map(listen_on).transpose()?;
        let socket = match &metrics.path {
            Some(path) => Some(make_by(path, OPTION)?),
            None => bus.and_then(make_beside),
        };
        Ok(Self { socket, tcp })
    }

    /// Goes on in the tokio runtime from which this is called.
    pub(crate) fn start(self) -> io::Result<Serving> {
        let socket = self.socket.map(Listening::start).transpose()?;
        let tcp = self.tcp.map(TcpListener::from_std).transpose()?;
        Ok(Serving { socket, tcp })
    }
}

/// How somebody would choose another place.
const OPTION: &str = "`metrics.path` in the configuration";

fn listen_on(address: SocketAddr) -> Result<StdTcpListener, MetricsError> {
    let listen = || {
        let listener = StdTcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        // Where the system chose the port, this is the only place that tells it.
        tracing::info!("metrics are also at http://{}/metrics", listener.local_addr()?);
        Ok(listener)
    };
    listen().map_err(|source| MetricsError::Address { address, source })
}

fn make_beside(bus: &Path) -> Option<Listening> {
    let path = beside(bus);
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        tracing::warn!("no socket for metrics: {} is too long a path for one", path.display());
        return None;
    }
    let made = make_by(&path, OPTION);
    made.inspect_err(|error| tracing::warn!(%error, "no socket for metrics")).ok()
}

/// Where the metrics are served if nothing is configured. Two buses in one directory have different
/// names, and so have their metrics.
fn beside(bus: &Path) -> PathBuf {
    if bus.file_name().is_some_and(|name| name == "bus.sock") {
        return bus.with_file_name("metrics.sock");
    }
    let mut path = bus.as_os_str().to_owned();
    path.push(".metrics");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_socket_lies_beside_that_of_its_bus() {
        for (bus, metrics) in [
            ("/run/user/1000/kith/bus.sock", "/run/user/1000/kith/metrics.sock"),
            ("/tmp/a.sock", "/tmp/a.sock.metrics"),
            ("/tmp/metrics.sock", "/tmp/metrics.sock.metrics"),
            ("bus.sock", "metrics.sock"),
        ] {
            assert_eq!(beside(Path::new(bus)), Path::new(metrics));
        }
    }

    #[test]
    fn what_is_configured_has_to_be_there_and_what_is_not_may_be_missing() {
        let base = tempfile::tempdir().unwrap();
        let bus = base.path().join("bus.sock");
        let path = base.path().join("metrics.sock");
        fs::write(&path, "precious").unwrap();
        let by_default = Sockets::open(&Metrics::default(), Some(&bus)).unwrap();
        assert!(by_default.socket.is_none() && by_default.tcp.is_none());
        let asked = Metrics { path: Some(path.clone()), ..Metrics::default() };
        let error = Sockets::open(&asked, Some(&bus)).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::CONFIGURATION);
        assert!(error.to_string().contains("`metrics.path`"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

        fs::remove_file(&path).unwrap();
        let made = Sockets::open(&asked, Some(&bus)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let error = Sockets::open(&asked, Some(&bus)).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::UNAVAILABLE, "{error}");
        drop(made);
        assert!(!path.exists());

        let off = Metrics { enabled: false, ..asked };
        assert!(Sockets::open(&off, Some(&bus)).unwrap().socket.is_none());
        assert!(Sockets::open(&Metrics::default(), None).unwrap().socket.is_none());
        let deep = base.path().join("x".repeat(90));
        assert!(Sockets::open(&Metrics::default(), Some(&deep)).unwrap().socket.is_none());
    }

    #[test]
    fn an_address_that_is_taken_is_an_error() {
        let address = Some("127.0.0.1:0".parse().unwrap());
        let first = Sockets::open(&Metrics { address, ..Metrics::default() }, None).unwrap();
        let address = first.tcp.as_ref().map(|tcp| tcp.local_addr().unwrap());
        let error = Sockets::open(&Metrics { address, ..Metrics::default() }, None).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::UNAVAILABLE);
        assert!(error.to_string().contains("`metrics.address`"), "{error}");
    }
}
