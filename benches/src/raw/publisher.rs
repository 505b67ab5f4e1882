//! A pipelining publisher: a ring of ready-made frames, sent up to 64 KiB a write.
//!
//! Frames are made once, so that what is measured is the broker and not the encoding. Where the
//! broker answers each publish (redis), the answers are thrown away as they are.

use super::Connection;
use super::sealed::Outgoing;
use crate::peer::Codec;
use crate::socket::{Endpoint, Socket};
use rustix::net::{RecvFlags, recv};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

/// The most that one write carries.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// Messages in the ring, where all go to one topic.
const RING_MESSAGES_MAX: usize = 1024;
const DRAIN_BUFFER_BYTES: usize = 64 * 1024;
/// Reads of one drain, so that a broker that never stops answering can't hold the publisher.
const DRAIN_READS_MAX: usize = 64;

pub(crate) struct Publisher {
    codec: Arc<dyn Codec>,
    socket: Socket,
    ring: Vec<u8>,
    /// Where each frame of the ring ends.
    ends: Vec<usize>,
    at: usize,
    answers: Vec<u8>,
    /// Payloads that go in descriptors.
    sealed: Option<Outgoing>,
}

impl Publisher {
    pub(crate) fn open(
        codec: Arc<dyn Codec>,
        endpoint: &Endpoint,
        topics: &[String],
        payload_bytes: usize,
    ) -> io::Result<Self> {
        let socket = Connection::open(&*codec, endpoint)?.socket;
        let payload = payload(payload_bytes);
        let copies = if topics.len() > 1 {
            1
        } else {
            (WRITE_BYTES_MAX / (payload_bytes + 16)).clamp(1, RING_MESSAGES_MAX)
        };
        let mut ring = vec![];
        let mut ends = vec![];
        for topic in std::iter::repeat_n(topics, copies).flatten() {
            codec.publish(topic, &payload, &mut ring);
            ends.push(ring.len());
        }
        let sealed = match (codec.sealing(), topics) {
            (Some(sealing), [topic]) => Some(Outgoing::new(&*codec, sealing, topic, payload)?),
            _ => None,
        };
        let answers = vec![0; DRAIN_BUFFER_BYTES];
        Ok(Self { codec, socket, ring, ends, at: 0, answers, sealed })
    }

    /// The mean size of a frame, and of the payload in its descriptor.
    pub(crate) fn frame_bytes(&self) -> u64 {
        if let Some(sealed) = &self.sealed {
            return sealed.message_bytes();
        }
        (self.ring.len() / self.ends.len().max(1)) as u64
    }

    /// Sends at least one and up to `messages_max` messages in one write; returns how many.
    pub(crate) fn send(&mut self, messages_max: u64) -> io::Result<u64> {
        if let Some(sealed) = &self.sealed {
            return sealed.send(&mut self.socket, messages_max);
        }
        let (first, from) = (self.at, if self.at == 0 { 0 } else { self.ends[self.at - 1] });
        let mut behind = first + 1;
        while behind < self.ends.len()
            && ((behind - first) as u64) < messages_max
            && self.ends[behind] - from <= WRITE_BYTES_MAX
        {
            behind += 1;
        }
        self.socket.write_all(&self.ring[from..self.ends[behind - 1]])?;
        self.at = if behind == self.ends.len() { 0 } else { behind };
        if self.codec.answers_publishes() {
            drain(&self.socket, &mut self.answers);
        }
        Ok((behind - first) as u64)
    }
}

/// Letters, which every protocol carries, JSON too.
pub(super) fn payload(size: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(size).collect()
}

/// Throws away what waits on a socket.
pub(super) fn drain(socket: impl AsFd, buffer: &mut [u8]) {
    for _ in 0..DRAIN_READS_MAX {
        match recv(&socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, count)) if count == buffer.len() => {}
            _ => return,
        }
    }
}
