//! The limit: minimal relays of our own (`kith-bench-relay`), measured by the same clients.
//!
//! They speak two framings that exist for this alone: with a topic of one byte, so that nothing
//! needs to be looked up, and with a text topic, for the relay that does look it up.

use crate::beside_us;
use crate::peer::{Codec, Counts, Peer, Start, program};
use crate::socket::{Endpoint, Socket};
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Route,
    Epoll,
    Threads,
    Tokio1,
    Tokio2,
}

impl Mode {
    pub(super) const ALL: [Self; 5] =
        [Self::Route, Self::Epoll, Self::Threads, Self::Tokio1, Self::Tokio2];
}

pub(crate) struct Relay {
    pub(super) mode: Mode,
}

impl Peer for Relay {
    fn name(&self) -> &'static str {
        match self.mode {
            Mode::Route => "limit-route",
            Mode::Epoll => "limit-epoll",
            Mode::Threads => "limit-threads",
            Mode::Tokio1 => "limit-tokio1",
            Mode::Tokio2 => "limit-tokio2",
        }
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let path = directory.join("s");
        let relay = beside_us("kith-bench-relay").map_err(io::Error::other)?;
        let mut command = program(relay);
        command.arg(self.name().trim_start_matches("limit-")).arg(&path);
        Ok(Start { command, endpoint: Endpoint::Unix(path) })
    }

    fn version(&self) -> Option<Command> {
        None
    }

    fn codec(&self) -> Arc<dyn Codec> {
        match self.mode {
            Mode::Route => Arc::new(TextTopicCodec),
            _ => Arc::new(TopicByteCodec),
        }
    }

    fn held_subscriptions_max(&self) -> u64 {
        if self.mode == Mode::Route { 1_000_000 } else { 0 }
    }
}

const SUBSCRIBE: u8 = 1;
const PUBLISH: u8 = 2;
const PING: u8 = 3;

/// Frame: u32 little-endian length of what follows, operation, one byte, and what follows that.
fn frame(operation: u8, byte: u8, rest: [&[u8]; 2], out: &mut Vec<u8>) {
    let length = (rest[0].len() + rest[1].len()) as u32 + 2;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[operation, byte]);
    out.extend_from_slice(rest[0]);
    out.extend_from_slice(rest[1]);
}

fn decode(bytes: &[u8], counts: &mut Counts) -> usize {
    let mut at = 0;
    while let [l0, l1, l2, l3, operation, _, ..] = bytes[at..] {
        let end = at + 4 + u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if end > bytes.len() {
            break;
        }
        match operation {
            PUBLISH => counts.messages += 1,
            _ => counts.acks += 1,
        }
        at = end;
    }
    at
}

/// The framing of the routing relay: the byte is the topic's length, then topic and payload.
pub(super) struct TextTopicCodec;

impl Codec for TextTopicCodec {
    fn hello(&self, _socket: &mut Socket) -> io::Result<u64> {
        Ok(0)
    }

    /// Exact topics only: the matching suite counts a wildcard as its own topic here.
    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        let exact =
            if topic.contains('*') { format!("h/h{}/x", id - 1) } else { topic.to_string() };
        frame(SUBSCRIBE, exact.len() as u8, [exact.as_bytes(), &[]], out);
        0
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        frame(PUBLISH, topic.len() as u8, [topic.as_bytes(), payload], out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        frame(PING, 0, [&[], &[]], out);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        decode(bytes, counts)
    }
}

/// The framing of the other relays: the byte stands for the topic, then the payload.
pub(crate) struct TopicByteCodec;

fn topic_byte(topic: &str) -> u8 {
    topic.bytes().fold(0, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

impl Codec for TopicByteCodec {
    fn hello(&self, _socket: &mut Socket) -> io::Result<u64> {
        Ok(0)
    }

    fn subscribe(&self, topic: &str, _id: u64, out: &mut Vec<u8>) -> u64 {
        frame(SUBSCRIBE, topic_byte(topic), [&[], &[]], out);
        0
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        frame(PUBLISH, topic_byte(topic), [payload, &[]], out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        frame(PING, 0, [&[], &[]], out);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        decode(bytes, counts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::counted_at_every_cut;
    use super::*;

    #[test]
    fn counts_at_every_cut() {
        for codec in [&TextTopicCodec as &dyn Codec, &TopicByteCodec] {
            let mut stream = vec![];
            codec.publish("bench/t0", b"payload", &mut stream);
            codec.ping(&mut stream);
            codec.publish("bench/t0", b"", &mut stream);
            let counts = counted_at_every_cut(codec, &stream);
            assert_eq!((counts.messages, counts.acks, counts.errors), (2, 1, 0));
        }
    }

    #[test]
    fn the_topics_of_the_suites_have_different_bytes() {
        let bytes = ["bench/t0", "bench/ping", "bench/pong"].map(topic_byte);
        assert!(bytes[0] != bytes[1] && bytes[1] != bytes[2] && bytes[0] != bytes[2]);
    }
}
