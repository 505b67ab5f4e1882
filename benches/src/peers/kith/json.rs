//! Kith's JSON lines, from `docs/protocol.md`.
//!
//! Lines are told apart by how they begin, which the protocol fixes, and not parsed: what is
//! measured is the daemon. A script that parses each line will be slower than this.

use super::{dotted, quoted};
use crate::peer::{Codec, Counts};
use crate::socket::Socket;
use std::io;

const PING_NUMBER: u32 = u32::MAX;

pub(super) struct JsonCodec;

impl Codec for JsonCodec {
    fn hello(&self, _socket: &mut Socket) -> io::Result<u64> {
        Ok(0)
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        let topic = dotted(topic);
        let line = format!(r#"{{"op":"sub","id":{id},"pattern":"self.{topic}"}}"#);
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        1
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let topic = dotted(topic);
        out.extend_from_slice(format!(r#"{{"op":"pub","topic":"{topic}","payload":"#).as_bytes());
        quoted(payload, out);
        out.extend_from_slice(b"}\n");
    }

    fn ping(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!(r#"{{"op":"ping","id":{PING_NUMBER}}}"#).as_bytes());
        out.push(b'\n');
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while let Some(length) = memchr::memchr(b'\n', &bytes[at..]) {
            let line = &bytes[at..at + length];
            if line.starts_with(br#"{"op":"msg""#) {
                counts.messages += 1;
            } else if line.starts_with(br#"{"op":"ok""#) {
                counts.acks += 1;
            } else {
                counts.errors += 1;
            }
            at += length + 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::counted_at_every_cut;
    use super::*;

    #[test]
    fn lines_are_written_as_the_document_says() {
        let mut out = vec![];
        assert_eq!(JsonCodec.subscribe("h/*", 7, &mut out), 1);
        JsonCodec.publish("bench/t0", b"abcd", &mut out);
        JsonCodec.ping(&mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"op":"sub","id":7,"pattern":"self.h.*"}"#,
                r#"{"op":"pub","topic":"bench.t0","payload":"ab"}"#,
                r#"{"op":"ping","id":4294967295}"#,
            ]
        );
        for line in lines {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    #[test]
    fn counts_at_every_cut() {
        let stream = concat!(
            r#"{"op":"ok","id":1}"#,
            "\n",
            r#"{"op":"msg","sub":1,"topic":"bench.t0","payload":"{\"op\":\"ok\""}"#,
            "\n",
            r#"{"op":"lag","sub":1,"count":3}"#,
            "\n",
            r#"{"op":"err","code":"bad-json","text":"no"}"#,
            "\n",
        );
        let counts = counted_at_every_cut(&JsonCodec, stream.as_bytes());
        assert_eq!((counts.messages, counts.acks, counts.errors), (1, 1, 2));
    }
}
