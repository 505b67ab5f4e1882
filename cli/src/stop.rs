//! What ends a command from outside: Ctrl-C, SIGTERM, and a reader that has gone.
//!
//! `kith sub … | head -1` has to end when `head` does, not when the next message comes, which may
//! be never. A pipe without a reader reports an error to whoever watches it; so it is watched.

use crate::exit_code;
use crate::failure::Failure;
use rustix::fs::{FileType, fstat};
use std::io;
use std::os::fd::AsFd;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for whatever ends a command.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// Standard output, where it is a pipe.
    pipe: Option<pipe::Sender>,
}

impl Stop {
    /// From here on Ctrl-C ends nothing by itself. It has to be called in a runtime.
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::system("can't listen for signals", &error))
        };
        let interrupt = listen(SignalKind::interrupt())?;
        let terminate = listen(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate, pipe: output_pipe() })
    }

    /// Waits, and says what the command ends with. Nothing is lost if the future is dropped.
    pub(crate) async fn wait(&mut self) -> u8 {
        let reader_gone = async {
            match &self.pipe {
                Some(pipe) => drop(pipe.ready(Interest::ERROR).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => exit_code::INTERRUPTED,
            _ = self.terminate.recv() => exit_code::TERMINATED,
            () = reader_gone => exit_code::OK,
        }
    }

    /// Does the work, unless something ends it before.
    pub(crate) async fn unless<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = work => result,
            code = self.wait() => Err(Failure::quiet(code)),
        }
    }
}

/// Standard output, if it is a pipe. It is only watched; so it stays blocking, which it has to for
/// everybody else who writes to it.
fn output_pipe() -> Option<pipe::Sender> {
    let stat = fstat(io::stdout()).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
        return None;
    }
    let watched = io::stdout().as_fd().try_clone_to_owned().ok()?;
    pipe::Sender::from_owned_fd_unchecked(watched).ok()
}
