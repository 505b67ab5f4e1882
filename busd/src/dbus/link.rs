//! A program's connection to the broker, seen from here: binary frames on a pipe inside the
//! process.
//!
//! Nothing here waits: what can't be written now is kept, and the program's task takes up no more
//! calls until it is gone. A payload in a descriptor goes with the first byte of its frame; where
//! the broker takes no descriptors, its bytes go instead.

use super::waiting::GREETING;
use crate::door::End;
use crate::limits::{DBUS_READ_BYTES, PIPE_PAYLOADS_MAX};
use kith_sealed::SealedMemory;
use kith_wire::binary::{self, Frame, deliver, encode, frame};
use kith_wire::{Operation, Request};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// The near end of a program's connection to the broker.
#[derive(Debug)]
pub(super) struct Link {
    pipe: End,
    /// Frames that have not been written, or not to their end.
    output: VecDeque<Chunk>,
    output_bytes: usize,
    /// What was read and not taken.
    input: Vec<u8>,
    has_greeted: bool,
    /// Whether payloads may go in descriptors, once the broker has said so.
    takes_descriptors: Option<bool>,
    arrived: VecDeque<Arc<SealedMemory>>,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    written: usize,
    /// Goes with the first byte.
    memory: Option<Arc<SealedMemory>>,
}

impl Link {
    /// Says what is said first on this end of a new connection.
    pub(super) fn new(pipe: End) -> Self {
        let mut link = Self {
            pipe,
            output: VecDeque::new(),
            output_bytes: 0,
            input: Vec::new(),
            has_greeted: false,
            takes_descriptors: None,
            arrived: VecDeque::new(),
        };
        link.push(binary::MAGIC.to_vec(), None);
        let hello = Operation::Hello { name: None, client: None, descriptors: true, token: None };
        link.ask(&Request { number: Some(GREETING), operation: hello }, None);
        link
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
        self.push(bytes, memory.map(Arc::new));
    }

    fn push(&mut self, bytes: Vec<u8>, memory: Option<Arc<SealedMemory>>) {
        self.output_bytes += bytes.len();
        self.output.push_back(Chunk { bytes, written: 0, memory });
    }

    /// Whether there is room for what further calls come to.
    pub(super) fn takes_calls(&self) -> bool {
        self.output_bytes < DBUS_READ_BYTES && self.output.len() < PIPE_PAYLOADS_MAX
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
    pub(super) async fn writable(&self) {
        poll_fn(|cx| self.pipe.poll_write_ready(cx)).await;
    }

    /// Waits until something can be read.
    pub(super) async fn readable(&self) {
        poll_fn(|cx| self.pipe.poll_read_ready(cx)).await;
    }

    /// Writes as much as there is room for. Where the broker has closed its end, there is nobody to
    /// write to; what it said before can still be read.
    pub(super) fn write(&mut self) {
        match self.try_write() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => {
                self.output.clear();
                self.output_bytes = 0;
            }
        }
        if self.output.is_empty() {
            // Between two calls a program keeps no memory.
            self.output = VecDeque::new();
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        while self.has_output() {
            if self.takes_descriptors == Some(false) {
                self.put_inline()?;
            }
            let Some(chunk) = self.output.front_mut() else { break };
            let rest = chunk.bytes.get(chunk.written..).unwrap_or_default();
            let memory = chunk.memory.as_slice();
            let written = self.pipe.try_write(&[IoSlice::new(rest)], memory)?;
            chunk.memory = None;
            chunk.written += written;
            self.output_bytes = self.output_bytes.saturating_sub(written);
            if chunk.written == chunk.bytes.len() {
                self.output.pop_front();
            }
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

    /// Reads once by way of `buffer`, if there is something. Whether the broker will say more.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.pipe.try_read(buffer, &mut self.arrived) {
            Ok(read) => {
                self.input.extend_from_slice(buffer.get(..read).unwrap_or_default());
                Ok(read > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes what was read, and the payloads that came with it: to be given back what is left.
    pub(super) fn take(&mut self) -> (Input, &mut VecDeque<Arc<SealedMemory>>) {
        let mut bytes = std::mem::take(&mut self.input);
        if !self.has_greeted && binary::MAGIC.len() <= bytes.len() {
            self.has_greeted = true;
            bytes.drain(..binary::MAGIC.len());
        }
        (Input { bytes, taken: 0, is_framed: self.has_greeted }, &mut self.arrived)
    }

    /// Payloads that belong to frames which are not whole yet.
    pub(super) fn arrive(&mut self, payloads: VecDeque<Arc<SealedMemory>>) {
        self.arrived = payloads;
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
