//! Kith's binary frames with payloads in descriptors, from `docs/protocol.md`.
//!
//! HELLO asks for it, and WELCOME has to grant it. Subscriptions, pings and everything that
//! comes are those of `binary.rs`.

use super::binary::{BinaryCodec, FLAG_SEALED, FLAGS_AT};
use crate::peer::{Codec, Counts, Sealing};
use crate::socket::Socket;
use std::io::{self, Read, Write};

/// From here on the daemon takes a payload in a descriptor.
pub(super) const PAYLOAD_BYTES_MIN: usize = 64 << 10;
/// With flag 0x01 and request number 1, without name and id.
const HELLO: [u8; 12] = [8, 0, 0, 0, 0x01, 0x01, 0, 0, 1, 0, 0, 0];

/// What its answer begins with behind the length: kind and flags.
const WELCOME: [u8; 2] = [0x87, 0x01];

pub(super) struct SealedCodec(pub(super) Sealing);

impl Codec for SealedCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        let due = BinaryCodec::RAW.hello(socket)?;
        socket.write_all(&HELLO)?;
        let mut head = [0; 4];
        socket.read_exact(&mut head)?;
        let mut welcome = vec![0; u32::from_le_bytes(head) as usize];
        socket.read_exact(&mut welcome)?;
        if !welcome.starts_with(&WELCOME) {
            return Err(io::Error::other("the daemon grants no descriptors"));
        }
        Ok(due)
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        BinaryCodec::RAW.subscribe(topic, id, out)
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let size = (payload.len() as u64).to_le_bytes();
        BinaryCodec::RAW.publish(topic, &size, out);
        out[start + FLAGS_AT] |= FLAG_SEALED;
    }

    fn ping(&self, out: &mut Vec<u8>) {
        BinaryCodec::RAW.ping(out);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let before = *counts;
        let used = BinaryCodec::RAW.decode(bytes, counts);
        // Its payloads are all large enough, and none is copied in so small a window.
        counts.errors += (counts.messages - before.messages) - (counts.sealed - before.sealed);
        used
    }

    fn sealing(&self) -> Option<Sealing> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::counted_at_every_cut;
    use super::*;

    #[test]
    fn pub_is_written_as_the_document_says() {
        let mut out = vec![];
        SealedCodec(Sealing::Fresh).publish("bench/t0", &[b'x'; PAYLOAD_BYTES_MIN], &mut out);
        #[rustfmt::skip]
        let written = [
            0x1b, 0, 0, 0,              // length: 8 + 8 + 3 + 8
            0x04, 0x02, 8, 3,           // PUB, in a descriptor, topic and protocol length
            0, 0, 0, 0,                 // no request number
            b'b', b'e', b'n', b'c', b'h', b'.', b't', b'0',
            b'r', b'a', b'w',
            0, 0, 1, 0, 0, 0, 0, 0,     // size
        ];
        assert_eq!(out, written);
    }

    #[test]
    fn counts_those_in_descriptors_and_refuses_others() {
        let message = |flags| {
            let body: [u8; 33] = [0; 33];
            [&[41, 0, 0, 0, 0x83, flags, 1, 0, 1, 0, 0, 0][..], &body].concat()
        };
        let codec = SealedCodec(Sealing::Again);
        let counts = counted_at_every_cut(&codec, &[message(FLAG_SEALED), message(0)].concat());
        let expected = Counts { messages: 2, sealed: 1, errors: 1, ..Counts::default() };
        assert_eq!(counts, expected);
    }
}
