//! One thread that forwards whole runs of frames of one topic as one slice.
//!
//! Nothing is looked up and nothing copied but what a subscriber can't take at once.

use crate::frame;
use crate::poll::{Happening, Poll, Watched, free_slot};
use crate::{READ_BYTES_MAX, WAITING_BYTES_MAX};
use rustix::net::{SendFlags, send};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Slices in one vectored write.
const SLICES_MAX: usize = 64;

struct Connection {
    watched: Watched,
    /// What a read left over of the next frame.
    rest: Vec<u8>,
    /// What waits to be written, each with how much of it is.
    out: VecDeque<(Arc<[u8]>, usize)>,
    waiting_bytes: usize,
}

impl Connection {
    fn flush(&mut self) {
        while !self.out.is_empty() {
            let slices: Vec<IoSlice<'_>> = self
                .out
                .iter()
                .take(SLICES_MAX)
                .map(|(slice, written)| IoSlice::new(&slice[*written..]))
                .collect();
            match self.watched.stream.write_vectored(&slices) {
                Ok(count) => self.consume(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.out.clear();
                    self.waiting_bytes = 0;
                }
            }
        }
    }

    fn consume(&mut self, mut count: usize) {
        self.waiting_bytes -= count;
        while let Some((slice, written)) = self.out.front_mut() {
            let left = slice.len() - *written;
            if count < left {
                *written += count;
                return;
            }
            count -= left;
            self.out.pop_front();
        }
    }

    /// Writes at once what it can; returns how much that was.
    fn write_now(&self, slice: &[u8]) -> usize {
        if !self.out.is_empty() {
            return 0;
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        send(&self.watched.stream, slice, flags).unwrap_or(0)
    }
}

struct Relay {
    poll: Poll,
    connections: Vec<Option<Connection>>,
    /// Slots of the subscribers of each topic.
    topics: Vec<Vec<usize>>,
    /// Publishers that are not read because too much waits for somebody.
    paused: Vec<usize>,
}

pub(crate) fn serve(path: &Path) -> io::Result<()> {
    let mut relay = Relay {
        poll: Poll::bind(path)?,
        connections: vec![],
        topics: vec![vec![]; 256],
        paused: vec![],
    };
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut happenings: Vec<Happening> = vec![];
    loop {
        relay.poll.wait(&mut happenings)?;
        for happening in &happenings {
            let Some(slot) = happening.slot else {
                relay.accept();
                continue;
            };
            if happening.is_writable() {
                relay.resume_writing(slot);
            }
            if happening.is_readable() {
                relay.read(slot, &mut buffer);
            }
        }
    }
}

impl Relay {
    fn accept(&mut self) {
        let slot = free_slot(&mut self.connections);
        self.connections[slot] = self.poll.accept(slot).ok().map(|watched| Connection {
            watched,
            rest: vec![],
            out: VecDeque::new(),
            waiting_bytes: 0,
        });
    }

    fn resume_writing(&mut self, slot: usize) {
        let Some(connection) = &mut self.connections[slot] else { return };
        connection.flush();
        if connection.out.is_empty() {
            self.poll.wait_for_writes(slot, &mut connection.watched, false);
        }
        if connection.waiting_bytes < WAITING_BYTES_MAX / 2 {
            self.resume_reading();
        }
    }

    fn resume_reading(&mut self) {
        for slot in std::mem::take(&mut self.paused) {
            if let Some(connection) = &mut self.connections[slot] {
                self.poll.wait_for_reads(slot, &mut connection.watched, true);
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.connections[slot] = None;
        for subscribers in &mut self.topics {
            subscribers.retain(|subscriber| *subscriber != slot);
        }
        self.resume_reading();
    }

    fn read(&mut self, slot: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[slot] else { return };
        let left = connection.rest.len();
        buffer[..left].copy_from_slice(&connection.rest);
        let count = match connection.watched.stream.read(&mut buffer[left..]) {
            Ok(count @ 1..) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(0) | Err(_) => return self.close(slot),
        };
        let bytes = &buffer[..left + count];
        let (used, is_over) = self.forward(slot, bytes);
        let Some(connection) = &mut self.connections[slot] else { return };
        connection.rest.clear();
        connection.rest.extend_from_slice(&bytes[used..]);
        if is_over {
            self.poll.wait_for_reads(slot, &mut connection.watched, false);
            self.paused.push(slot);
        }
    }

    /// Forwards each run of frames; returns the bytes consumed, and whether too much waits for
    /// somebody.
    fn forward(&mut self, slot: usize, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        let mut is_over = false;
        while let Some(first) = frame::next(bytes, at) {
            let topic = usize::from(first.byte);
            let mut end = first.end;
            match first.operation {
                frame::SUBSCRIBE => self.topics[topic].push(slot),
                frame::PING => {
                    if let Some(connection) = &mut self.connections[slot] {
                        let _gone = connection.watched.stream.write_all(&bytes[at..end]);
                    }
                }
                _ => {
                    end = frame::run_end(bytes, first);
                    is_over |= self.deliver(topic, &bytes[at..end]);
                }
            }
            at = end;
        }
        (at, is_over)
    }

    /// Writes a slice to all subscribers; what they can't take is kept, in one copy for all.
    fn deliver(&mut self, topic: usize, slice: &[u8]) -> bool {
        let mut is_over = false;
        let mut kept: Option<Arc<[u8]>> = None;
        for &slot in &self.topics[topic] {
            let Some(connection) = &mut self.connections[slot] else { continue };
            let written = connection.write_now(slice);
            if written < slice.len() {
                let copy = kept.get_or_insert_with(|| Arc::from(slice)).clone();
                connection.out.push_back((copy, written));
                connection.waiting_bytes += slice.len() - written;
                is_over |= connection.waiting_bytes > WAITING_BYTES_MAX;
                self.poll.wait_for_writes(slot, &mut connection.watched, true);
            }
        }
        is_over
    }
}
