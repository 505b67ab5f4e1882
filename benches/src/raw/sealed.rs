//! Payloads in descriptors, as a client in Rust hands them over and takes them.
//!
//! The publisher sends up to `DESCRIPTORS_PER_SEND_MAX` in one call, as it sends up to 64 KiB of
//! frames elsewhere. The subscriber checks each memory, reads it (or maps it, where that costs
//! less), looks at one byte of each page, and closes it, as `kith-client` does.

use crate::peer::{Codec, Counts, Sealing};
use crate::socket::Socket;
use kith_sealed::{SealedError, SealedMemory, receive, send};
use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Half of the window for messages of 64 KiB.
const DESCRIPTORS_PER_SEND_MAX: u64 = 32;
/// Below, to read memory costs less than to map it.
const MAPPED_BYTES_MIN: usize = 1 << 20;
/// The distance of the bytes that are looked at.
const PAGE_BYTES: usize = 4096;

/// What a publisher hands over.
pub(super) struct Outgoing {
    /// As many as one call sends.
    frames: Vec<u8>,
    frame_bytes: usize,
    payload: Vec<u8>,
    again: Option<SealedMemory>,
}

impl Outgoing {
    pub(super) fn new(
        codec: &dyn Codec,
        sealing: Sealing,
        topic: &str,
        payload: Vec<u8>,
    ) -> io::Result<Self> {
        let mut frames = vec![];
        codec.publish(topic, &payload, &mut frames);
        let frame_bytes = frames.len();
        let frames = frames.repeat(DESCRIPTORS_PER_SEND_MAX as usize);
        let again = match sealing {
            Sealing::Fresh => None,
            Sealing::Again => Some(sealed(&payload)?),
        };
        Ok(Self { frames, frame_bytes, payload, again })
    }

    /// Of a frame and its payload.
    pub(super) fn message_bytes(&self) -> u64 {
        (self.frame_bytes + self.payload.len()) as u64
    }

    /// Sends at least one and up to `messages_max` messages in one call; returns how many.
    pub(super) fn send(&self, socket: &mut Socket, messages_max: u64) -> io::Result<u64> {
        let count = messages_max.clamp(1, DESCRIPTORS_PER_SEND_MAX);
        let fresh = match &self.again {
            Some(_) => Ok(vec![]),
            None => (0..count).map(|_| sealed(&self.payload)).collect::<io::Result<Vec<_>>>(),
        }?;
        let descriptors: Vec<BorrowedFd<'_>> = match &self.again {
            Some(memory) => vec![memory.as_fd(); count as usize],
            None => fresh.iter().map(AsFd::as_fd).collect(),
        };
        let frames = &self.frames[..self.frame_bytes * count as usize];
        let sent = send(&*socket, &[IoSlice::new(frames)], &descriptors)?;
        socket.write_all(&frames[sent..])?;
        Ok(count)
    }
}

/// What a subscriber takes.
#[derive(Default)]
pub(super) struct Incoming {
    waiting: VecDeque<OwnedFd>,
    arrived: Vec<OwnedFd>,
    /// The payload that was read last.
    read: Vec<u8>,
}

impl Incoming {
    pub(super) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
        let received = receive(socket, buffer, &mut self.arrived)?;
        if received.is_cut_off {
            return Err(io::Error::other("some descriptors were lost"));
        }
        self.waiting.extend(self.arrived.drain(..));
        Ok(received.bytes)
    }

    /// Looks at the payloads of the messages that were counted.
    pub(super) fn open(&mut self, counts: &mut Counts) -> io::Result<()> {
        for _ in 0..std::mem::take(&mut counts.sealed) {
            let descriptor = self.waiting.pop_front();
            let descriptor =
                descriptor.ok_or_else(|| io::Error::other("a message without its descriptor"))?;
            let memory = SealedMemory::from_fd(descriptor).map_err(failed)?;
            if memory.len() < MAPPED_BYTES_MIN {
                self.read.clear();
                memory.read_into(&mut self.read).map_err(failed)?;
                look_at(&self.read);
            } else {
                look_at(&memory.map().map_err(failed)?);
            }
        }
        Ok(())
    }
}

fn look_at(bytes: &[u8]) {
    black_box(bytes.iter().step_by(PAGE_BYTES).map(|byte| u64::from(*byte)).sum::<u64>());
}

fn sealed(payload: &[u8]) -> io::Result<SealedMemory> {
    SealedMemory::create(payload).map_err(failed)
}

fn failed(error: SealedError) -> io::Error {
    io::Error::other(error)
}
