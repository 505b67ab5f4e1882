//! The socket where payloads come and go in descriptors.
//!
//! What comes is checked and read or mapped as soon as it is there, so that the session gets bytes
//! and no descriptors. Both futures here can be dropped at any moment: what was read or written is
//! known by the time they are ready, and nothing was where they are not.

use crate::limits::READ_BYTES;
use crate::message::Payload;
use crate::session::Handed;
use kith_sealed::{SealedMemory, receive, send};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Reads with descriptors.
#[derive(Debug)]
pub(crate) struct Taking {
    /// One read.
    chunk: Vec<u8>,
    arrived: Vec<OwnedFd>,
}

impl Taking {
    pub(crate) fn new() -> Self {
        Self { chunk: vec![0; READ_BYTES], arrived: Vec::new() }
    }

    /// Reads once, and appends the bytes.
    pub(crate) async fn read(
        &mut self,
        stream: &UnixStream,
        buffer: &mut Vec<u8>,
    ) -> io::Result<usize> {
        loop {
            stream.readable().await?;
            let Self { chunk, arrived } = self;
            match stream.try_io(Interest::READABLE, || receive(stream, chunk, arrived)) {
                Ok(received) if received.is_cut_off => {
                    let text = "descriptors were lost: this process may not open so many files";
                    return Err(io::Error::other(text));
                }
                Ok(received) => {
                    buffer.extend_from_slice(chunk.get(..received.bytes).unwrap_or_default());
                    return Ok(received.bytes);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What came in descriptors since this was called last.
    pub(crate) fn arrived(&mut self) -> impl Iterator<Item = Handed> {
        let payload = |one| Payload::from_memory(&SealedMemory::from_fd(one)?);
        self.arrived.drain(..).map(move |one| payload(one).map_err(|error| error.to_string()))
    }
}

/// Writes once, with the descriptors of these.
pub(crate) async fn write(
    stream: &UnixStream,
    bytes: &[u8],
    sealed: &[Arc<SealedMemory>],
) -> io::Result<usize> {
    let descriptors: Vec<_> = sealed.iter().map(|memory| memory.as_fd()).collect();
    loop {
        stream.writable().await?;
        let slices = [IoSlice::new(bytes)];
        match stream.try_io(Interest::WRITABLE, || send(stream, &slices, &descriptors)) {
            Err(error) if is_passing(&error) => {}
            written => return written,
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
