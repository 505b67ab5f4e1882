//! Kith's binary frames, from `docs/protocol.md`.
//!
//! Publications carry request number 0 and so get no answer. A run (MSGS) is walked entry by entry
//! and as its bytes come: its count is never looked at, since a client has to find each message
//! anyway. A notice of loss (LAG) counts as an error: the window is too small to fill a queue.

use super::{dotted, quoted};
use crate::peer::{Codec, Counts};
use crate::socket::Socket;
use std::io::{self, Read, Write};

const MAGIC: [u8; 4] = *b"KTH\x01";
/// Kind, flags, a, b and number: what the length of an empty frame counts.
const HEAD_BYTES: usize = 8;
/// Length, head, first message id, time and count, before the entries of a run.
const RUN_HEAD_BYTES: usize = 40;
pub(super) const FLAGS_AT: usize = 5;
/// Of PUB and MSG: the payload is in a descriptor.
pub(super) const FLAG_SEALED: u8 = 0x02;
/// The request number of pings, apart from those of subscriptions.
pub(super) const PING_NUMBER: u32 = u32::MAX;

pub(super) mod kind {
    pub(in super::super) const SUB: u8 = 0x02;
    pub(in super::super) const PUB: u8 = 0x04;
    pub(in super::super) const PING: u8 = 0x08;
    pub(in super::super) const OK: u8 = 0x81;
    pub(in super::super) const MSG: u8 = 0x83;
    pub(in super::super) const MSGS: u8 = 0x84;
}

pub(super) struct BinaryCodec {
    /// As PUB writes it; empty is `ms`.
    protocol: &'static str,
    /// As a pattern begins.
    prefix: &'static str,
}

impl BinaryCodec {
    pub(super) const RAW: Self = Self { protocol: "raw", prefix: "raw/self." };
    pub(super) const MS: Self = Self { protocol: "", prefix: "self." };
}

/// Length and head of a frame.
pub(super) fn head(kind: u8, a: u8, b: u8, number: u32, body_bytes: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&((HEAD_BYTES + body_bytes) as u32).to_le_bytes());
    out.extend_from_slice(&[kind, 0, a, b]);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Size of the frame at `at` with its length field, and its kind.
#[inline]
pub(super) fn frame_at(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let [l0, l1, l2, l3, kind, ..] = bytes[at..] else { return None };
    Some((4 + u32::from_le_bytes([l0, l1, l2, l3]) as usize, kind))
}

/// Walks the entries of an open run from `at`; returns how far it came.
#[inline]
fn entries(bytes: &[u8], mut at: usize, counts: &mut Counts) -> usize {
    while counts.run_left_bytes > 0 {
        let Some((size, kind)) = frame_at(bytes, at) else { break };
        if kind != kind::PUB || size < 4 + HEAD_BYTES || size > counts.run_left_bytes {
            return broken(bytes, counts);
        }
        if at + size > bytes.len() {
            break;
        }
        counts.messages += 1;
        counts.run_left_bytes -= size;
        at += size;
    }
    at
}

/// What can't be a frame: counted, and everything read so far given up.
#[cold]
fn broken(bytes: &[u8], counts: &mut Counts) -> usize {
    counts.errors += 1;
    counts.run_left_bytes = 0;
    bytes.len()
}

impl Codec for BinaryCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        socket.write_all(&MAGIC)?;
        let mut answer = [0; 4];
        socket.read_exact(&mut answer)?;
        if answer != MAGIC {
            return Err(io::Error::other(format!("the daemon's magic is {answer:02x?}")));
        }
        Ok(0)
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        let pattern = format!("{}{}", self.prefix, dotted(topic));
        head(kind::SUB, 0, 0, id as u32, pattern.len(), out);
        out.extend_from_slice(pattern.as_bytes());
        1
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let topic = dotted(topic);
        let body_bytes = topic.len() + self.protocol.len() + payload.len();
        head(kind::PUB, topic.len() as u8, self.protocol.len() as u8, 0, body_bytes, out);
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(self.protocol.as_bytes());
        if self.protocol.is_empty() {
            quoted(payload, out);
        } else {
            out.extend_from_slice(payload);
        }
    }

    fn ping(&self, out: &mut Vec<u8>) {
        head(kind::PING, 0, 0, PING_NUMBER, 0, out);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = entries(bytes, 0, counts);
        while counts.run_left_bytes == 0 {
            let Some((size, kind)) = frame_at(bytes, at) else { break };
            if kind == kind::MSGS {
                if size <= RUN_HEAD_BYTES {
                    return broken(bytes, counts);
                }
                if at + RUN_HEAD_BYTES > bytes.len() {
                    break;
                }
                counts.run_left_bytes = size - RUN_HEAD_BYTES;
                at = entries(bytes, at + RUN_HEAD_BYTES, counts);
                continue;
            }
            if size < 4 + HEAD_BYTES {
                return broken(bytes, counts);
            }
            if at + size > bytes.len() {
                break;
            }
            match kind {
                kind::MSG => {
                    counts.messages += 1;
                    counts.sealed += u64::from(bytes[at + FLAGS_AT] & FLAG_SEALED != 0);
                }
                kind::OK => counts.acks += 1,
                // ERR, LAG, BYE; and nothing else was asked for
                _ => counts.errors += 1,
            }
            at += size;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::counted_at_every_cut;
    use super::*;

    fn bytes_of(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = vec![];
        write(&mut out);
        out
    }

    #[test]
    fn pub_is_written_as_the_document_says() {
        let raw = bytes_of(|out| BinaryCodec::RAW.publish("bench/t0", b"abcd", out));
        #[rustfmt::skip]
        let written = [
            0x17, 0, 0, 0,              // length: 8 + 8 + 3 + 4
            0x04, 0, 8, 3,              // PUB, no flags, topic and protocol length
            0, 0, 0, 0,                 // no request number
            b'b', b'e', b'n', b'c', b'h', b'.', b't', b'0',
            b'r', b'a', b'w',
            b'a', b'b', b'c', b'd',
        ];
        assert_eq!(raw, written);
        let ms = bytes_of(|out| BinaryCodec::MS.publish("t", b"abcd", out));
        assert_eq!(ms, *b"\x0d\0\0\0\x04\0\x01\0\0\0\0\0t\"ab\"");
    }

    #[test]
    fn sub_and_ping_are_written_as_the_document_says() {
        let sub = bytes_of(|out| assert_eq!(BinaryCodec::RAW.subscribe("h/*", 258, out), 1));
        assert_eq!(sub, *b"\x14\0\0\0\x02\0\0\0\x02\x01\0\0raw/self.h.*");
        let ms = bytes_of(|out| assert_eq!(BinaryCodec::MS.subscribe("h", 1, out), 1));
        assert_eq!(ms, *b"\x0e\0\0\0\x02\0\0\0\x01\0\0\0self.h");
        let ping = bytes_of(|out| BinaryCodec::RAW.ping(out));
        assert_eq!(ping, *b"\x08\0\0\0\x08\0\0\0\xff\xff\xff\xff");
    }

    /// A frame of the daemon with a body of so many bytes.
    fn answer(kind: u8, body_bytes: usize) -> Vec<u8> {
        let mut frame = bytes_of(|out| head(kind, 0, 0, 1, body_bytes, out));
        frame.resize(frame.len() + body_bytes, 0);
        frame
    }

    /// A run of messages of these sizes, whose count field lies.
    fn run(payload_sizes: &[usize]) -> Vec<u8> {
        let entries = bytes_of(|out| {
            for size in payload_sizes {
                BinaryCodec::RAW.publish("bench/t0", &vec![b'x'; *size], out);
            }
        });
        let mut frame = bytes_of(|out| head(kind::MSGS, 0, 0, 1, 28 + entries.len(), out));
        frame.extend_from_slice(&[0; 24]);
        frame.extend_from_slice(&99_u32.to_le_bytes());
        frame.extend_from_slice(&entries);
        frame
    }

    #[test]
    fn counts_a_run_at_every_cut_by_its_entries() {
        let counts = counted_at_every_cut(&BinaryCodec::RAW, &run(&[0, 5, 130, 1]));
        assert_eq!(counts, Counts { messages: 4, ..Counts::default() });
    }

    #[test]
    fn counts_mixed_frames_at_every_cut() {
        let stream = [
            answer(kind::OK, 0),
            answer(kind::MSG, 50),
            run(&[3]),
            answer(0x85, 8),  // LAG
            answer(0x82, 12), // ERR
            run(&[7, 7]),
            answer(kind::OK, 16),
        ];
        let counts = counted_at_every_cut(&BinaryCodec::RAW, &stream.concat());
        assert_eq!((counts.messages, counts.acks, counts.errors), (4, 2, 2));
    }

    #[test]
    fn what_is_no_frame_is_an_error_and_ends() {
        let short = *b"\x07\0\0\0\x81\0\0\0\0\0\0\0";
        let empty_run = answer(kind::MSGS, 28);
        let mut foreign_entry = run(&[1]);
        foreign_entry[RUN_HEAD_BYTES + 4] = kind::MSG;
        let mut long_entry = run(&[1]);
        long_entry[RUN_HEAD_BYTES] += 1;
        for stream in [&short[..], &empty_run[..], &foreign_entry[..], &long_entry[..]] {
            let mut counts = Counts::default();
            assert_eq!(BinaryCodec::RAW.decode(stream, &mut counts), stream.len());
            assert_eq!(counts, Counts { errors: 1, ..Counts::default() }, "{stream:02x?}");
        }
    }
}
