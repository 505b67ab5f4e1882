//! A daemon inside another program: for the tests of programs that use the bus.
//!
//! The same daemon on a thread of its own, with the default limits and a socket in a directory of
//! the caller's; so a test needs no daemon on the machine and disturbs none. It says nothing unless
//! the program has set up `tracing`.
//!
//! Deliberately absent: configuration, metrics, signals and systemd's sockets, which belong to a
//! process.

use crate::daemon::{Stop, serve};
use crate::limits::EMBEDDED_DESCRIPTORS_MAX;
use crate::listen::{self, Listening};
use crate::metrics::Sockets;
use crate::reload::Service;
use kith_core::Limits;
use std::io;
use std::path::{Path, PathBuf};
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
    /// The thread or its runtime can't be started.
    #[error("can't start the daemon's thread: {0}")]
    Thread(#[from] io::Error),
}

impl Embedded {
    /// Starts a daemon with its socket, `bus.sock`, in `directory`, where programs can connect.
    ///
    /// # Errors
    /// If the socket can't be made, or the thread not started.
    pub fn start(directory: &Path) -> Result<Self, EmbedError> {
        let socket = directory.join("bus.sock");
        let listening =
            listen::make(&socket).map_err(|error| EmbedError::Listen(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("kith-busd".to_owned())
            .spawn(move || run(&runtime, listening, stopped))?;
        Ok(Self { socket, stop: Some(stop), thread: Some(thread) })
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

fn run(runtime: &tokio::runtime::Runtime, listening: Listening, stopped: oneshot::Receiver<()>) {
    let mut stop = Dropped(Some(stopped));
    let metrics = Sockets::default();
    // The limit on open files is the program's, so it is left alone.
    let descriptors_total_max = EMBEDDED_DESCRIPTORS_MAX;
    let limits = Limits { descriptors_total_max, ..Limits::default() };
    let mut service = Service::default();
    let serving = serve(&limits, listening, metrics, None, &mut stop, &mut service);
    let served = LocalSet::new().block_on(runtime, serving);
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
