//! A program's connection to the broker, seen from here: binary frames on a socket inside the
//! process.
//!
//! Nothing here waits: what can't be written now is kept, and the program's task takes up no more
//! calls until it is gone. A payload in a descriptor goes with the first byte of its frame; where
//! the kernel takes no more descriptors, its bytes go instead.

use crate::limits::DBUS_READ_BYTES;
use kith_sealed::{SealedMemory, is_too_many, receive, send};
use kith_wire::binary::{self, Frame, deliver, encode, frame};
use kith_wire::{Operation, Request, RequestNumber};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The near end of a program's connection to the broker.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    /// Frames that have not been written, or not to their end.
    output: VecDeque<Chunk>,
    output_bytes: usize,
    /// What was read and not taken.
    input: Vec<u8>,
    has_greeted: bool,
    /// Whether payloads may go in descriptors, once the broker has said so.
    takes_descriptors: Option<bool>,
    arrived: VecDeque<OwnedFd>,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    written: usize,
    /// Goes with the first byte.
    memory: Option<SealedMemory>,
}

impl Link {
    /// Says what is said first on this end of a new connection.
    pub(super) fn new(stream: StdUnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let mut link = Self {
            stream: UnixStream::from_std(stream)?,
            output: VecDeque::new(),
            output_bytes: 0,
            input: Vec::new(),
            has_greeted: false,
            takes_descriptors: None,
            arrived: VecDeque::new(),
        };
        link.push(binary::MAGIC.to_vec(), None);
        let hello = Operation::Hello { name: None, client: None, descriptors: true };
        link.ask(&Request { number: Some(RequestNumber::MIN), operation: hello }, None);
        Ok(link)
    }

    /// Asks the broker for something.
    pub(super) fn ask(&mut self, request: &Request<'_>, memory: Option<SealedMemory>) {
        let mut bytes = match self.output.back_mut() {
            Some(last) if last.memory.is_none() && memory.is_none() => {
                let before = last.bytes.len();
                encode::request(&mut last.bytes, request);
                self.output_bytes += last.bytes.len() - before;
                return;
            }
            _ => Vec::new(),
        };
        encode::request(&mut bytes, request);
        self.push(bytes, memory);
    }

    fn push(&mut self, bytes: Vec<u8>, memory: Option<SealedMemory>) {
        self.output_bytes += bytes.len();
        self.output.push_back(Chunk { bytes, written: 0, memory });
    }

    /// Bytes that have not been written.
    pub(super) fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// Whether there is something that can be written.
    pub(super) fn has_output(&self) -> bool {
        let waits_for_welcome =
            |chunk: &Chunk| chunk.memory.is_some() && self.takes_descriptors.is_none();
        self.output.front().is_some_and(|chunk| !waits_for_welcome(chunk))
    }

    /// The broker has answered the greeting. A later one changes nothing.
    pub(super) fn welcome(&mut self, takes_descriptors: bool) {
        self.takes_descriptors.get_or_insert(takes_descriptors);
    }

    /// Waits until something can be written.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Waits until something can be read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Writes as much as there is room for.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while self.has_output() {
            if self.takes_descriptors == Some(false) {
                self.put_inline()?;
            }
            let Some(chunk) = self.output.front_mut() else { break };
            let rest = chunk.bytes.get(chunk.written..).unwrap_or_default();
            let memory = chunk.memory.as_ref();
            let written = self.stream.try_io(Interest::WRITABLE, || {
                let descriptors: Vec<_> = memory.iter().map(|memory| memory.as_fd()).collect();
                send(&self.stream, &[IoSlice::new(rest)], &descriptors)
            });
            match written {
                Ok(written) => {
                    chunk.memory = None;
                    chunk.written += written;
                    self.output_bytes = self.output_bytes.saturating_sub(written);
                    if chunk.written == chunk.bytes.len() {
                        self.output.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_too_many(&error) => self.put_inline()?,
                Err(error) => return Err(error),
            }
        }
        if self.output.is_empty() {
            // Between two calls a program keeps no memory.
            self.output = VecDeque::new();
        }
        Ok(())
    }

    /// Puts the next payload into its frame.
    fn put_inline(&mut self) -> io::Result<()> {
        let Some(chunk) = self.output.front_mut() else { return Ok(()) };
        let Some(memory) = chunk.memory.take() else { return Ok(()) };
        let before = chunk.bytes.len();
        if !deliver::inline(&mut chunk.bytes, |out| memory.read_into(out).is_ok()) {
            return Err(io::Error::other("a payload can't be read"));
        }
        self.output_bytes = (self.output_bytes + chunk.bytes.len()).saturating_sub(before);
        Ok(())
    }

    /// Reads once, if there is something. Whether the broker will say more.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let kept = self.input.len();
        self.input.resize(kept + DBUS_READ_BYTES, 0);
        let free = self.input.get_mut(kept..).unwrap_or_default();
        let mut descriptors = Vec::new();
        let received = self
            .stream
            .try_io(Interest::READABLE, || receive(&self.stream, free, &mut descriptors));
        self.input.truncate(kept + received.as_ref().map_or(0, |received| received.bytes));
        self.arrived.extend(descriptors);
        match received {
            Ok(received) if received.is_cut_off => Err(io::Error::other("descriptors were lost")),
            Ok(received) => Ok(received.bytes > 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes what was read, and what came in descriptors with it: to be given back what is left.
    pub(super) fn take(&mut self) -> (Input, &mut VecDeque<OwnedFd>) {
        let mut bytes = std::mem::take(&mut self.input);
        if !self.has_greeted && binary::MAGIC.len() <= bytes.len() {
            self.has_greeted = true;
            bytes.drain(..binary::MAGIC.len());
        }
        (Input { bytes, taken: 0, is_framed: self.has_greeted }, &mut self.arrived)
    }

    /// Descriptors that belong to frames which are not whole yet.
    pub(super) fn arrive(&mut self, descriptors: VecDeque<OwnedFd>) {
        self.arrived = descriptors;
    }

    /// What was not taken comes again, with more behind it.
    pub(super) fn give_back(&mut self, input: Input) {
        let Input { mut bytes, taken, .. } = input;
        bytes.drain(..taken);
        if !bytes.is_empty() {
            self.input = bytes;
        }
    }
}

/// What was read, frame by frame.
pub(super) struct Input {
    bytes: Vec<u8>,
    taken: usize,
    is_framed: bool,
}

impl Input {
    /// The next frame that is whole.
    pub(super) fn next_frame(&mut self) -> Option<Frame<'_>> {
        if !self.is_framed {
            return None;
        }
        let rest = self.bytes.get(self.taken..)?;
        // The broker is trusted with the length.
        let frame = frame::split(rest, usize::MAX).ok().flatten()?;
        self.taken += frame.bytes.len();
        Some(frame)
    }
}
