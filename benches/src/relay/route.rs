//! One thread that looks up each message's text topic and copies the frame into each subscriber's
//! buffer, which is written once a read: the least that a routing broker does.
//!
//! Topics are matched exactly, by one lookup in a hash map with a cheap hash.

use crate::frame::{self, HEAD_BYTES};
use crate::poll::{Happening, Poll, Watched, free_slot};
use crate::{READ_BYTES_MAX, WAITING_BYTES_MAX};
use rustix::net::{SendFlags, send};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read};
use std::path::Path;

struct Connection {
    watched: Watched,
    /// What a read left over of the next frame.
    rest: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// Whether it is listed in `dirty`.
    is_dirty: bool,
    subscriptions: usize,
}

impl Connection {
    fn waiting_bytes(&self) -> usize {
        self.out.len() - self.written
    }

    /// Writes what it can; true when all is out.
    fn flush(&mut self) -> bool {
        while self.written < self.out.len() {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match send(&self.watched.stream, &self.out[self.written..], flags) {
                Ok(count) => self.written += count,
                Err(rustix::io::Errno::AGAIN) => {
                    if self.written > self.out.len() / 2 {
                        self.out.drain(..self.written);
                        self.written = 0;
                    }
                    return false;
                }
                Err(_) => break,
            }
        }
        self.out.clear();
        self.written = 0;
        true
    }
}

/// rustc's FxHash: a multiplication for each eight bytes.
#[derive(Default)]
struct QuickHasher(u64);

impl QuickHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.mix((*byte).into());
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

type Topics = HashMap<Box<[u8]>, Vec<u32>, BuildHasherDefault<QuickHasher>>;

struct Router {
    poll: Poll,
    connections: Vec<Option<Connection>>,
    topics: Topics,
    /// Publishers that are not read because somebody's buffer is full.
    paused: Vec<usize>,
    /// Connections with something new to write.
    dirty: Vec<u32>,
}

pub(crate) fn serve(path: &Path) -> io::Result<()> {
    let mut router = Router {
        poll: Poll::bind(path)?,
        connections: vec![],
        topics: Topics::default(),
        paused: vec![],
        dirty: vec![],
    };
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut happenings: Vec<Happening> = vec![];
    loop {
        router.poll.wait(&mut happenings)?;
        for happening in &happenings {
            let Some(slot) = happening.slot else {
                router.accept();
                continue;
            };
            if happening.is_writable() {
                router.resume_writing(slot);
            }
            if happening.is_readable() {
                router.read(slot, &mut buffer);
            }
        }
    }
}

impl Router {
    fn accept(&mut self) {
        let slot = free_slot(&mut self.connections);
        self.connections[slot] = self.poll.accept(slot).ok().map(|watched| Connection {
            watched,
            rest: vec![],
            out: vec![],
            written: 0,
            is_dirty: false,
            subscriptions: 0,
        });
    }

    fn resume_writing(&mut self, slot: usize) {
        let Some(connection) = &mut self.connections[slot] else { return };
        if connection.flush() {
            self.poll.wait_for_writes(slot, &mut connection.watched, false);
        }
        if connection.waiting_bytes() < WAITING_BYTES_MAX / 2 {
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
        let Some(closed) = self.connections[slot].take() else { return };
        if closed.subscriptions > 0 {
            self.topics.retain(|_, subscribers| {
                subscribers.retain(|subscriber| *subscriber as usize != slot);
                !subscribers.is_empty()
            });
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
        let used = self.forward(slot, bytes);
        let is_over = self.flush_dirty();
        let Some(connection) = &mut self.connections[slot] else { return };
        connection.rest.clear();
        connection.rest.extend_from_slice(&bytes[used..]);
        if is_over {
            self.poll.wait_for_reads(slot, &mut connection.watched, false);
            self.paused.push(slot);
        }
    }

    /// Copies each whole frame to whom it concerns; returns the bytes consumed.
    fn forward(&mut self, slot: usize, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(frame) = frame::next(bytes, at) {
            let whole = &bytes[at..frame.end];
            at = frame.end;
            match frame.operation {
                frame::SUBSCRIBE => {
                    let topic = &whole[HEAD_BYTES..HEAD_BYTES + usize::from(frame.byte)];
                    self.topics.entry(topic.into()).or_default().push(slot as u32);
                    if let Some(connection) = &mut self.connections[slot] {
                        connection.subscriptions += 1;
                    }
                }
                frame::PING => copy(whole, &[slot as u32], &mut self.connections, &mut self.dirty),
                _ => {
                    let topic = &whole[HEAD_BYTES..HEAD_BYTES + usize::from(frame.byte)];
                    if let Some(subscribers) = self.topics.get(topic) {
                        copy(whole, subscribers, &mut self.connections, &mut self.dirty);
                    }
                }
            }
        }
        at
    }

    /// Writes to each that got something; true when somebody's buffer is too full.
    fn flush_dirty(&mut self) -> bool {
        let mut is_over = false;
        for slot in self.dirty.drain(..) {
            if let Some(connection) = &mut self.connections[slot as usize] {
                connection.is_dirty = false;
                if !connection.flush() {
                    is_over |= connection.waiting_bytes() > WAITING_BYTES_MAX;
                    self.poll.wait_for_writes(slot as usize, &mut connection.watched, true);
                }
            }
        }
        is_over
    }
}

#[inline]
fn copy(frame: &[u8], slots: &[u32], connections: &mut [Option<Connection>], dirty: &mut Vec<u32>) {
    for slot in slots {
        if let Some(connection) = &mut connections[*slot as usize] {
            connection.out.extend_from_slice(frame);
            if !connection.is_dirty {
                connection.is_dirty = true;
                dirty.push(*slot);
            }
        }
    }
}
