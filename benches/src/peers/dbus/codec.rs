//! D-Bus messages, marshalled by hand (D-Bus specification 0.43, "Message Protocol").
//!
//! Little-endian; broadcast signals with one byte array, and method calls on the bus itself. Of
//! what arrives, a message's length and kind are all that is read.

use crate::peer::{Codec, Counts};
use crate::socket::Socket;
use std::io::{self, Read, Write};

const BUS: &str = "org.freedesktop.DBus";
/// Longest line of the handshake that is believed.
const LINE_BYTES_MAX: usize = 512;

mod kind {
    pub(super) const CALL: u8 = 1;
    pub(super) const RETURN: u8 = 2;
    pub(super) const ERROR: u8 = 3;
    pub(super) const SIGNAL: u8 = 4;
}

pub(super) struct DbusCodec;

struct Message<'text> {
    kind: u8,
    path: &'text str,
    destination: Option<&'text str>,
    interface: &'text str,
    member: &'text str,
    /// Empty where there is no body.
    signature: &'text str,
}

fn pad(out: &mut Vec<u8>, base: usize, alignment: usize) {
    out.resize(base + (out.len() - base).next_multiple_of(alignment), 0);
}

fn field(out: &mut Vec<u8>, base: usize, code: u8, signature: u8, value: &str) {
    pad(out, base, 8);
    out.extend_from_slice(&[code, 1, signature, 0]);
    if signature == b'g' {
        out.push(value.len() as u8);
    } else {
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(value.as_bytes());
    out.push(0);
}

impl Message<'_> {
    fn write(&self, body: &[&[u8]], out: &mut Vec<u8>) {
        let base = out.len();
        let body_bytes: usize = body.iter().map(|part| part.len()).sum();
        // A signal expects no reply.
        out.extend_from_slice(&[b'l', self.kind, u8::from(self.kind == kind::SIGNAL), 1]);
        out.extend_from_slice(&(body_bytes as u32).to_le_bytes());
        out.extend_from_slice(&1_u32.to_le_bytes()); // serial
        out.extend_from_slice(&0_u32.to_le_bytes()); // length of the fields, below
        field(out, base, 1, b'o', self.path);
        if let Some(destination) = self.destination {
            field(out, base, 6, b's', destination);
        }
        field(out, base, 2, b's', self.interface);
        field(out, base, 3, b's', self.member);
        if !self.signature.is_empty() {
            field(out, base, 8, b'g', self.signature);
        }
        let fields_bytes = (out.len() - base - 16) as u32;
        out[base + 12..base + 16].copy_from_slice(&fields_bytes.to_le_bytes());
        pad(out, base, 8);
        for part in body {
            out.extend_from_slice(part);
        }
    }
}

/// A call of the bus itself, with one string or without arguments.
fn call(member: &str, argument: Option<&str>, out: &mut Vec<u8>) {
    let message = Message {
        kind: kind::CALL,
        path: "/org/freedesktop/DBus",
        destination: Some(BUS),
        interface: BUS,
        member,
        signature: if argument.is_some() { "s" } else { "" },
    };
    match argument {
        None => message.write(&[], out),
        Some(text) => {
            let length = (text.len() as u32).to_le_bytes();
            message.write(&[&length, text.as_bytes(), b"\0"], out);
        }
    }
}

/// One line of the handshake. Read byte by byte: what comes behind it is not ours.
fn line(socket: &mut Socket) -> io::Result<Vec<u8>> {
    let mut line = vec![];
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        socket.read_exact(&mut byte)?;
        line.push(byte[0]);
        if line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("no line of a handshake"));
        }
    }
    Ok(line)
}

impl Codec for DbusCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        let user = rustix::process::getuid().as_raw().to_string();
        let hexadecimal: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
        socket.write_all(format!("\0AUTH EXTERNAL {hexadecimal}\r\n").as_bytes())?;
        if !line(socket)?.starts_with(b"OK") {
            return Err(io::Error::other("authentication refused"));
        }
        // In a buffer of its own: alignment counts from where a message begins.
        let mut request = vec![];
        call("Hello", None, &mut request);
        socket.write_all(&[&b"BEGIN\r\n"[..], &request].concat())?;
        Ok(1)
    }

    fn subscribe(&self, topic: &str, _id: u64, out: &mut Vec<u8>) -> u64 {
        let rule = match topic.strip_suffix("/*") {
            Some(prefix) => format!("type='signal',path_namespace='/{prefix}'"),
            None => format!("type='signal',path='/{topic}'"),
        };
        call("AddMatch", Some(&rule), out);
        1
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let message = Message {
            kind: kind::SIGNAL,
            path: &format!("/{topic}"),
            destination: None,
            interface: "bench.I",
            member: "M",
            signature: "ay",
        };
        message.write(&[&(payload.len() as u32).to_le_bytes(), payload], out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        call("GetId", None, out);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while bytes.len() - at >= 16 {
            let number = |offset: usize| {
                let from = at + offset;
                let [a, b, c, d] = [bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]];
                u32::from_le_bytes([a, b, c, d]) as usize
            };
            let end = at + 16 + number(12).next_multiple_of(8) + number(4);
            if end > bytes.len() {
                break;
            }
            match bytes[at + 1] {
                kind::SIGNAL => counts.messages += 1,
                kind::RETURN => counts.acks += 1,
                kind::ERROR => counts.errors += 1,
                _ => {}
            }
            at = end;
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

    #[test]
    fn fields_are_aligned_from_where_the_message_begins() {
        let mut alone = vec![];
        DbusCodec.publish("bench/t0", b"payload", &mut alone);
        let mut behind = vec![9; 3];
        DbusCodec.publish("bench/t0", b"payload", &mut behind);
        assert_eq!(behind[3..], alone);
    }
}
