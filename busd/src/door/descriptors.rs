//! Payloads that come and go in descriptors.
//!
//! What comes is looked at as soon as it is there: a descriptor that is no sealed memory is closed
//! at once, and the session is told why, for the frame that it belongs to. What goes is found again
//! in what the broker stages. Bytes are read, where the broker wants them, and never mapped: so
//! nothing that a publisher does to its memory can reach this process.
//!
//! Only connections that asked come this way; for all others nothing has changed.

use super::stream::{Stream, clear_readiness};
use kith_core::{Broker, ClientId, Handed, Now, SealedPayload, Session, Staged};
use kith_sealed::{SealedMemory, is_too_many, receive, send};
use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::limits::WRITE_SLICES_MAX;

/// What a descriptor holds, as the broker sees it.
#[derive(Debug)]
struct Payload(Arc<SealedMemory>);

impl SealedPayload for Payload {
    fn payload_bytes(&self) -> usize {
        self.0.len()
    }

    fn read_into(&self, out: &mut Vec<u8>) -> bool {
        self.0.read_into(out).is_ok()
    }
}

/// Reads once; the session gets what came in descriptors. Returns how many bytes were read.
pub(super) fn read(
    stream: &Stream,
    buffer: &mut [u8],
    session: &mut Session,
    broker: &mut Broker,
) -> io::Result<usize> {
    match stream {
        Stream::Socket(socket) => read_socket(socket, buffer, session, broker),
        Stream::Pipe(pipe) => {
            let mut payloads = VecDeque::new();
            let read = pipe.try_read(buffer, &mut payloads)?;
            for memory in payloads {
                session.hand_over(Ok(Box::new(Payload(memory))));
            }
            Ok(read)
        }
    }
}

fn read_socket(
    socket: &UnixStream,
    buffer: &mut [u8],
    session: &mut Session,
    broker: &mut Broker,
) -> io::Result<usize> {
    let mut descriptors = Vec::new();
    let received =
        socket.try_io(Interest::READABLE, || receive(socket, buffer, &mut descriptors))?;
    if received.is_cut_off {
        session.lose_descriptors(broker);
    } else if received.bytes < buffer.len() && descriptors.is_empty() {
        // A read ends where bytes end that came with descriptors; else the socket is empty now.
        clear_readiness(socket);
    }
    for descriptor in descriptors {
        session.hand_over(handed(descriptor));
    }
    Ok(received.bytes)
}

fn handed(descriptor: OwnedFd) -> Handed {
    match SealedMemory::from_fd(descriptor) {
        Ok(memory) => Ok(Box::new(Payload(Arc::new(memory)))),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends once, as many slices as one call takes and the descriptors that go with them.
pub(super) fn write(
    stream: &Stream,
    broker: &mut Broker,
    now: Now,
    client: ClientId,
) -> io::Result<()> {
    match write_staged(stream, broker, now, client) {
        Err(error) if is_too_many(&error) => {
            // Of this user so many are under way that the kernel takes no more.
            if !broker.copy_sealed(client) {
                return Err(io::Error::other("a payload can't be read"));
            }
            write_staged(stream, broker, now, client)
        }
        written => written,
    }
}

fn write_staged(
    stream: &Stream,
    broker: &mut Broker,
    now: Now,
    client: ClientId,
) -> io::Result<()> {
    let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
    let mut memories = Vec::new();
    let mut count = 0;
    let staged = broker.stage_sealed(now, client).filter(|staged| !staged.bytes.is_empty());
    for (slice, Staged { bytes, payload }) in slices.iter_mut().zip(staged) {
        *slice = IoSlice::new(bytes);
        count += 1;
        memories.extend(payload.and_then(memory_of));
    }
    if count == 0 {
        // All that waited had expired.
        return Ok(());
    }
    let slices = slices.get(..count).unwrap_or_default();
    let written = match stream {
        Stream::Socket(socket) => {
            let descriptors: Vec<_> = memories.iter().map(|memory| memory.as_fd()).collect();
            socket.try_io(Interest::WRITABLE, || send(socket, slices, &descriptors))?
        }
        Stream::Pipe(pipe) => pipe.try_write(slices, &memories)?,
    };
    // However few bytes were taken, all payloads have gone with the first of them.
    let payloads = memories.len();
    broker.wrote_sealed(now, client, written, payloads);
    Ok(())
}

fn memory_of(payload: &dyn SealedPayload) -> Option<Arc<SealedMemory>> {
    let payload: &dyn Any = payload;
    payload.downcast_ref::<Payload>().map(|Payload(memory)| Arc::clone(memory))
}
