//! NATS core, its text protocol, over TCP loopback: nats-server has no Unix socket.

use crate::peer::{Codec, Counts, Peer, Start, program};
use crate::socket::{Endpoint, Socket, free_port};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

pub(super) struct Nats;

impl Peer for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let port = free_port()?;
        let mut command = program("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        command.arg("-l").arg(directory.join("log"));
        Ok(Start { command, endpoint: Endpoint::Tcp(port) })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program("nats-server");
        command.arg("--version");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(NatsCodec)
    }

    fn held_subscriptions_max(&self) -> u64 {
        1_000_000
    }
}

struct NatsCodec;

pub(super) fn subject(topic: &str) -> String {
    topic.replace('/', ".")
}

/// The payload length at the end of a MSG line of which `end` is behind the LF.
#[inline]
fn trailing_number(bytes: &[u8], end: usize) -> usize {
    let (mut number, mut weight, mut at) = (0, 1, end - 3);
    while bytes[at].is_ascii_digit() {
        number += usize::from(bytes[at] - b'0') * weight;
        weight *= 10;
        at -= 1;
    }
    number
}

/// Where the payload ends, with its line's end, of which the MSG line ends at `line_end`.
#[inline]
pub(super) fn message_ends(bytes: &[u8], line_end: usize) -> usize {
    line_end + trailing_number(bytes, line_end) + 2
}

impl Codec for NatsCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        let options =
            r#"{"verbose":false,"pedantic":false,"lang":"raw","version":"0","protocol":1}"#;
        write!(socket, "CONNECT {options}\r\n")?;
        Ok(0)
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        out.extend_from_slice(format!("SUB {} {id}\r\n", subject(topic)).as_bytes());
        0
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let line = format!("PUB {} {}\r\n", subject(topic), payload.len());
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }

    fn ping(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PING\r\n");
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while let Some(line) = bytes[at..].iter().position(|byte| *byte == b'\n') {
            let mut end = at + line + 1;
            match bytes[at] {
                b'M' => {
                    end = message_ends(bytes, end);
                    if end > bytes.len() {
                        return at;
                    }
                    counts.messages += 1;
                }
                b'P' if bytes[at + 1] == b'O' => counts.acks += 1,
                b'-' => counts.errors += 1,
                _ => {}
            }
            at = end;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::counted_at_every_cut;
    use super::*;

    #[test]
    fn counts_at_every_cut() {
        let stream =
            b"INFO {}\r\nPONG\r\nMSG bench.t0 1 12\r\nMSG x 1 1\r\n\n\r\n-ERR 'no'\r\nPONG\r\n";
        let counts = counted_at_every_cut(&NatsCodec, stream);
        assert_eq!((counts.messages, counts.acks, counts.errors), (1, 2, 1));
    }
}
