//! The codec of broadcast signals with one byte array, and of method calls on the bus itself.
//!
//! Of what arrives, a message's length and kind are all that is read.

use crate::peer::{Codec, Counts};
use crate::socket::Socket;
use kith_benches::dbus::{BusCall, Kind, Message, NO_REPLY_EXPECTED, authenticate, hello, whole};
use std::io::{self, Write};

mod kind {
    use super::Kind;

    pub(super) const RETURN: u8 = Kind::Return as u8;
    pub(super) const ERROR: u8 = Kind::Error as u8;
    pub(super) const SIGNAL: u8 = Kind::Signal as u8;
}

pub(super) struct DbusCodec;

impl Codec for DbusCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        authenticate(socket)?;
        socket.write_all(&hello())?;
        Ok(1)
    }

    fn subscribe(&self, topic: &str, _id: u64, out: &mut Vec<u8>) -> u64 {
        let rule = match topic.strip_suffix("/*") {
            Some(prefix) => format!("type='signal',path_namespace='/{prefix}'"),
            None => format!("type='signal',path='/{topic}'"),
        };
        BusCall { member: "AddMatch", argument: Some(&rule) }.write(out);
        1
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let message = Message {
            flags: NO_REPLY_EXPECTED,
            path: &format!("/{topic}"),
            interface: "bench.I",
            member: "M",
            signature: "ay",
            ..Message::of(Kind::Signal)
        };
        message.write(&[&(payload.len() as u32).to_le_bytes(), payload], out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        BusCall { member: "GetId", argument: None }.write(out);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while let Some(length) = whole(&bytes[at..]) {
            match bytes[at + 1] {
                kind::SIGNAL => counts.messages += 1,
                kind::RETURN => counts.acks += 1,
                kind::ERROR => counts.errors += 1,
                _ => {}
            }
            at += length;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::counted_at_every_cut;
    use super::*;

    #[test]
    fn counts_at_every_cut() {
        let mut stream = vec![];
        DbusCodec.publish("bench/t0", b"payload", &mut stream);
        for kind in [kind::RETURN, kind::ERROR] {
            let at = stream.len();
            DbusCodec.ping(&mut stream);
            stream[at + 1] = kind;
        }
        DbusCodec.publish("b", b"", &mut stream);
        let counts = counted_at_every_cut(&DbusCodec, &stream);
        assert_eq!((counts.messages, counts.acks, counts.errors), (2, 1, 1));
    }
}
