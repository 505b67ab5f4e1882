//! Kith's durable subscriptions, in binary frames, from `docs/protocol.md`.
//!
//! A publish has request number 1 here, so it is answered: with flag 0x02 once it is on the disk.
//! An answer without that flag counts as an error, for then nothing was stored. A consumer is made
//! by subscribing and leaving again; who drains it acknowledges each message.

use super::binary::{BinaryCodec, frame_at, head, kind};
use crate::peer::{Codec, Counts};
use crate::raw::Connection;
use crate::socket::{Endpoint, Socket};
use std::io::{self, Read, Write};
use std::time::Duration;

/// Flag of SUB: a name of a consumer stands where a group's would.
const FLAG_DURABLE: u8 = 0x04;
/// Flag of OK: what was published is on the disk.
const FLAG_STORED: u8 = 0x02;
const ACK: u8 = 0x0A;
const CONSUMER: &str = "bench";
const PUBLISH_NUMBER: u32 = 1;
/// Request number, and so the subscription's.
const SUBSCRIBE_NUMBER: u32 = 2;
const ACK_NUMBER: u32 = 3;
/// Ids that one ACK may name.
const ACKNOWLEDGED_IDS_MAX: usize = 256;
const FLAGS_AT: usize = 5;
const NUMBER_AT: usize = 8;
const BODY_AT: usize = 12;
const ID_BYTES: usize = 16;
const READ_BYTES: usize = 256 << 10;
/// How long the next message of a consumer may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct StoredCodec;

/// Whole frames at the start of `bytes`, each with its kind; what is no frame is an error.
fn frames<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(u8, &'a [u8]) -> io::Result<()>,
) -> io::Result<usize> {
    let mut at = 0;
    while let Some((size, kind)) = frame_at(bytes, at) {
        if size < BODY_AT {
            return Err(io::Error::other("what is no frame"));
        }
        let Some(frame) = bytes.get(at..at + size) else { break };
        each(kind, frame)?;
        at += size;
    }
    Ok(at)
}

fn number(frame: &[u8]) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&frame[NUMBER_AT..BODY_AT]);
    u32::from_le_bytes(number)
}

fn subscribe_durable(pattern: &str, out: &mut Vec<u8>) {
    let flags_at = out.len() + FLAGS_AT;
    let body_bytes = CONSUMER.len() + pattern.len();
    head(kind::SUB, CONSUMER.len() as u8, 0, SUBSCRIBE_NUMBER, body_bytes, out);
    out[flags_at] = FLAG_DURABLE;
    out.extend_from_slice(CONSUMER.as_bytes());
    out.extend_from_slice(pattern.as_bytes());
}

fn pattern(topic: &str) -> String {
    format!("raw/self.{}", super::dotted(topic))
}

impl Codec for StoredCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        BinaryCodec::RAW.hello(socket)
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        BinaryCodec::RAW.subscribe(topic, id, out)
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let at = out.len();
        BinaryCodec::RAW.publish(topic, payload, out);
        out[at + NUMBER_AT..at + BODY_AT].copy_from_slice(&PUBLISH_NUMBER.to_le_bytes());
    }

    fn ping(&self, out: &mut Vec<u8>) {
        BinaryCodec::RAW.ping(out);
    }

    fn store(&self, topic: &str, out: &mut Vec<u8>) -> u64 {
        subscribe_durable(&pattern(topic), out);
        1
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let outcome = frames(bytes, |kind, frame| {
            let is_stored = frame[FLAGS_AT] & FLAG_STORED != 0;
            match kind {
                kind::OK if is_stored || number(frame) != PUBLISH_NUMBER => counts.acks += 1,
                kind::MSG => counts.messages += 1,
                _ => counts.errors += 1,
            }
            Ok(())
        });
        outcome.unwrap_or_else(|_| {
            counts.errors += 1;
            bytes.len()
        })
    }
}

/// Reads and acknowledges `count` messages of the consumer of `topic`, until the last
/// acknowledgement is on the disk. Returns how many came that had been delivered before.
pub(crate) fn drain(endpoint: &Endpoint, topic: &str, count: u64) -> io::Result<u64> {
    let mut socket = Connection::open(&StoredCodec, endpoint)?.socket;
    socket.set_read_timeout(READ_TIMEOUT)?;
    let mut request = vec![];
    subscribe_durable(&pattern(topic), &mut request);
    socket.write_all(&request)?;
    let (mut buffer, mut rest) = (vec![0; READ_BYTES], 0);
    let mut drained = Drained::default();
    while drained.messages < count || drained.answered < drained.acknowledged {
        if rest == buffer.len() {
            return Err(io::Error::other("a frame too large to be one"));
        }
        let read = socket.read(&mut buffer[rest..])?;
        if read == 0 {
            return Err(io::Error::other("closed by the broker"));
        }
        let have = rest + read;
        let used = frames(&buffer[..have], |kind, frame| drained.take(kind, frame))?;
        buffer.copy_within(used..have, 0);
        rest = have - used;
        request.clear();
        drained.acknowledge(&mut request);
        socket.write_all(&request)?;
    }
    Ok(drained.messages - count)
}

#[derive(Default)]
struct Drained {
    messages: u64,
    /// ACK frames sent, and those of them that were answered.
    acknowledged: u64,
    answered: u64,
    /// Ids of messages that are not acknowledged yet.
    ids: Vec<u8>,
}

impl Drained {
    fn take(&mut self, kind: u8, frame: &[u8]) -> io::Result<()> {
        match kind {
            kind::MSG => {
                let id = frame.get(BODY_AT..BODY_AT + ID_BYTES);
                self.ids.extend_from_slice(id.unwrap_or_default());
                self.messages += 1;
            }
            kind::OK if number(frame) == ACK_NUMBER => self.answered += 1,
            kind::OK if number(frame) == SUBSCRIBE_NUMBER => {}
            other => return Err(io::Error::other(format!("a frame of kind {other:#04x}"))),
        }
        Ok(())
    }

    fn acknowledge(&mut self, out: &mut Vec<u8>) {
        for ids in self.ids.chunks(ACKNOWLEDGED_IDS_MAX * ID_BYTES) {
            head(ACK, 0, 0, ACK_NUMBER, 4 + ids.len(), out);
            out.extend_from_slice(&SUBSCRIBE_NUMBER.to_le_bytes());
            out.extend_from_slice(ids);
            self.acknowledged += 1;
        }
        self.ids.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::counted_at_every_cut;
    use super::super::binary::PING_NUMBER;
    use super::*;

    fn answer(kind: u8, flags: u8, number: u32, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![];
        head(kind, 0, 0, number, body.len(), &mut frame);
        frame[FLAGS_AT] = flags;
        frame.extend_from_slice(body);
        frame
    }

    #[test]
    fn only_what_is_stored_counts_as_acknowledged() {
        let stream = [
            answer(kind::OK, 0, PING_NUMBER, &[]),
            answer(kind::OK, FLAG_STORED, PUBLISH_NUMBER, &[7; 16]),
            answer(kind::OK, 0, PUBLISH_NUMBER, &[7; 16]),
            answer(0x82, 0, PUBLISH_NUMBER, &[34; 12]),
        ];
        let counts = counted_at_every_cut(&StoredCodec, &stream.concat());
        assert_eq!((counts.acks, counts.errors), (2, 2));
    }

    #[test]
    fn durable_subscriptions_and_publishes_are_written_as_the_document_says() {
        let mut out = vec![];
        assert_eq!(StoredCodec.store("a/b", &mut out), 1);
        assert_eq!(out, *b"\x19\0\0\0\x02\x04\x05\0\x02\0\0\0benchraw/self.a.b");
        out.clear();
        StoredCodec.publish("t", b"ab", &mut out);
        assert_eq!(out, *b"\x0e\0\0\0\x04\0\x01\x03\x01\0\0\0trawab");
    }

    #[test]
    fn what_came_is_acknowledged_in_frames_of_so_many() {
        let mut drained = Drained::default();
        let stream = answer(kind::MSG, 0x01, SUBSCRIBE_NUMBER, &[9; 40]).repeat(257);
        let used = frames(&stream, |kind, frame| drained.take(kind, frame)).unwrap();
        assert_eq!((used, drained.messages), (stream.len(), 257));
        let mut out = vec![];
        drained.acknowledge(&mut out);
        assert_eq!((drained.acknowledged, out.len()), (2, 2 * 16 + 257 * ID_BYTES));
        assert_eq!(out[..16], *b"\x0c\x10\0\0\x0a\0\0\0\x03\0\0\0\x02\0\0\0");
        let all = [answer(kind::OK, 0, ACK_NUMBER, &[]), answer(kind::OK, 0, ACK_NUMBER, &[])];
        frames(&all.concat(), |kind, frame| drained.take(kind, frame)).unwrap();
        assert_eq!(drained.answered, drained.acknowledged);
    }
}
