//! Binary frames with payloads in descriptors, from `docs/protocol.md`.
//!
//! Publications of 64 KiB and more go in descriptors, all else is said as `binary_frames.rs` does.
//! What is sent and received with the bytes is from `kith_sealed`, which is tested on its own.

use super::binary_frames::{self, Frame};
use super::{Connection, Event, Operation, Publication, frame};
use crate::process::PATIENCE;
use kith_sealed::{SealedMemory, receive, send};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// From here on a payload may go in a descriptor.
pub(crate) const SEALED_BYTES_MIN: usize = 64 << 10;

/// A connection that takes descriptors.
pub(crate) struct Descriptors {
    stream: UnixStream,
    buffer: Vec<u8>,
    waiting: VecDeque<OwnedFd>,
    /// The rest of a run.
    run: VecDeque<Event>,
    /// What came in descriptors, in the order of its messages.
    pub(crate) taken: Vec<SealedMemory>,
}

impl Descriptors {
    /// A connection that has asked, and whether that was granted.
    pub(crate) fn asked(stream: UnixStream) -> (Self, bool) {
        let (buffer, waiting, run) = (Vec::new(), VecDeque::new(), VecDeque::new());
        let mut new = Self { stream, buffer, waiting, run, taken: Vec::new() };
        new.say(b"KTH\x01", &[]);
        new.say(&frame(0x01, 0x01, [0, 0], 1, &[]), &[]);
        let magic = new.cut(|buffer| Some((buffer.first_chunk::<4>().copied()?, 4)));
        assert_eq!(magic, Some(*b"KTH\x01"));
        let welcome = new.frame().unwrap();
        assert_eq!((welcome.kind, welcome.number), (0x87, 1));
        (new, welcome.flags == 0x01)
    }

    /// A connection that has asked and was granted.
    pub(crate) fn new(stream: UnixStream) -> Self {
        let (new, is_granted) = Self::asked(stream);
        assert!(is_granted);
        new
    }

    /// Says this, whatever it is, with these descriptors.
    pub(crate) fn say(&mut self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let sent = send(&self.stream, &[IoSlice::new(bytes)], descriptors).unwrap();
        self.stream.write_all(&bytes[sent..]).unwrap();
    }

    /// The next frame as it came.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        self.cut(binary_frames::cut)
    }

    fn cut<T>(&mut self, cut: impl Fn(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        let mut chunk = [0; 65_536];
        loop {
            if let Some((found, used)) = cut(&self.buffer) {
                self.buffer.drain(..used);
                return Some(found);
            }
            let mut came = Vec::new();
            let received = match receive(&self.stream, &mut chunk, &mut came) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                other => other.unwrap_or_else(|error| panic!("nothing for {PATIENCE:?}: {error}")),
            };
            assert!(!received.is_cut_off);
            self.waiting.extend(came);
            if received.bytes == 0 {
                assert!(self.buffer.is_empty(), "the stream ends inside of something");
                assert!(self.waiting.is_empty(), "descriptors without their frames");
                return None;
            }
            self.buffer.extend_from_slice(&chunk[..received.bytes]);
        }
    }
}

impl Connection for Descriptors {
    fn send(&mut self, number: Option<u32>, operation: &Operation) {
        let number = number.unwrap_or(0);
        if let Operation::Publish(publication) = operation
            && let Some(payload) = &publication.payload
            && payload.len() >= SEALED_BYTES_MIN
        {
            let memory = SealedMemory::create(payload).unwrap();
            let bytes = sealed_frame(number, publication, payload.len());
            return self.say(&bytes, &[memory.as_fd()]);
        }
        self.say(&binary_frames::operation_frame(number, operation), &[]);
    }

    fn receive(&mut self) -> Option<Event> {
        if let Some(event) = self.run.pop_front() {
            return Some(event);
        }
        let frame = self.frame()?;
        if frame.kind == 0x84 {
            self.run = binary_frames::run(&frame);
            return self.run.pop_front();
        }
        let event = binary_frames::event(&frame);
        let mut event = event.unwrap_or_else(|| panic!("not a frame of the daemon: {frame:?}"));
        if let Event::Message { delivery, .. } = &mut event
            && frame.flags & 0x02 != 0
        {
            let memory = SealedMemory::from_fd(self.waiting.pop_front().unwrap()).unwrap();
            let size = u64::from_le_bytes(delivery.payload[..].try_into().unwrap());
            delivery.payload = memory.map().unwrap().to_vec();
            assert_eq!(size, delivery.payload.len() as u64);
            self.taken.push(memory);
        }
        Some(event)
    }
}

/// The frame of a publication whose payload of this size is in a descriptor.
pub(crate) fn sealed_frame(number: u32, publication: &Publication, size: usize) -> Vec<u8> {
    let size = Some((size as u64).to_le_bytes().to_vec());
    let publication = Publication { payload: size, ..publication.clone() };
    let mut bytes = binary_frames::operation_frame(number, &Operation::Publish(publication));
    bytes[5] |= 0x02;
    bytes
}
