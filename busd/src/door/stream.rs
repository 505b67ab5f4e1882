//! What a connection reads and writes: a socket, or a pipe inside the process.
//!
//! Both hold so much and no more, and both say when there is something to read or room to write; so
//! the turns of a connection (`connection.rs`) are the same for both.

use super::pipe::End;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// One end of a connection: the daemon's.
pub(super) enum Stream {
    /// Of a client outside.
    Socket(UnixStream),
    /// Of another door's client.
    Pipe(End),
}

impl Stream {
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket(socket) => socket.poll_read_ready(cx),
            Self::Pipe(pipe) => {
                ready!(pipe.poll_read_ready(cx));
                Poll::Ready(Ok(()))
            }
        }
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket(socket) => socket.poll_write_ready(cx),
            Self::Pipe(pipe) => {
                ready!(pipe.poll_write_ready(cx));
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Reads what is there, of a client that sends no descriptors. Where that is less than there
    /// was room for, the socket is empty now: the readiness is cleared at once, which saves the
    /// call that would find out.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => {
                let read = socket.try_read(buffer)?;
                if read < buffer.len() {
                    clear_readiness(socket);
                }
                Ok(read)
            }
            // What comes beside the bytes was not asked for.
            Self::Pipe(pipe) => pipe.try_read(buffer, &mut std::collections::VecDeque::new()),
        }
    }

    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.try_write_vectored(slices),
            Self::Pipe(pipe) => pipe.try_write(slices, &[]),
        }
    }

    /// Whether the peer has only shut down its writing side, e.g. `socat` at the end of its input.
    pub(super) fn may_still_read(&self) -> bool {
        match self {
            Self::Socket(socket) => {
                let mut polled = [PollFd::new(socket, PollFlags::empty())];
                let is_known = rustix::event::poll(&mut polled, Some(&Timespec::default())).is_ok();
                let [polled] = polled;
                is_known && !polled.revents().contains(PollFlags::HUP)
            }
            Self::Pipe(pipe) => pipe.is_open(),
        }
    }
}

/// Has the next look at the socket wait until more has come.
pub(super) fn clear_readiness(socket: &UnixStream) {
    let empty = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    // It fails as it was told to; that is what clears the readiness.
    let _ = socket.try_io(Interest::READABLE, empty);
}
