//! Redis PUBLISH, SUBSCRIBE and PSUBSCRIBE in RESP2, over a Unix socket or TCP loopback.
//!
//! Without persistence, which has no part in publishing. Redis answers each PUBLISH; the publisher
//! throws the answers away, as a client that pipelines would.

use crate::peer::{Codec, Counts, Peer, Start, program};
use crate::socket::{Endpoint, Socket, free_port};
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

pub(super) struct Redis {
    pub(super) tcp: bool,
}

impl Peer for Redis {
    fn name(&self) -> &'static str {
        if self.tcp { "redis-tcp" } else { "redis" }
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let mut command = program("redis-server");
        command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
        command.args(["--loglevel", "warning", "--dir"]).arg(directory);
        let endpoint = if self.tcp {
            let port = free_port()?;
            command.args(["--port", &port.to_string()]);
            Endpoint::Tcp(port)
        } else {
            let path = directory.join("s");
            command.args(["--port", "0", "--unixsocket"]).arg(&path);
            Endpoint::Unix(path)
        };
        Ok(Start { command, endpoint })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program("redis-server");
        command.arg("--version");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(RedisCodec)
    }

    fn held_subscriptions_max(&self) -> u64 {
        if self.tcp { 0 } else { 1_000_000 }
    }
}

struct RedisCodec;

fn request(parts: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// The number behind the type byte at `at`, and where the next element begins, if all is there.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut value = 0;
    let mut negative = false;
    for (offset, byte) in bytes.get(at + 1..)?.iter().enumerate() {
        match byte {
            b'-' => negative = true,
            b'\r' => {
                let behind = at + offset + 3;
                let value = if negative { -value } else { value };
                return (behind <= bytes.len()).then_some((value, behind));
            }
            digit => value = value * 10 + i64::from(digit.wrapping_sub(b'0')),
        }
    }
    None
}

/// The array that begins at `at`: the letter that tells its kind, and where it ends. Pushes are
/// `message` and `pmessage`; answers `subscribe` and `psubscribe`.
#[inline]
fn array(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let (count, mut at) = number(bytes, at)?;
    let mut kind = 0;
    for index in 0..count {
        let type_byte = *bytes.get(at)?;
        let (length, behind) = number(bytes, at)?;
        at = behind;
        if type_byte == b'$' && length >= 0 {
            at += length as usize + 2;
            if at > bytes.len() {
                return None;
            }
            if index == 0 {
                kind = match &bytes[behind..] {
                    [b'p', kind, ..] => *kind,
                    [kind, ..] => *kind,
                    [] => 0,
                };
            }
        }
    }
    Some((kind, at))
}

impl Codec for RedisCodec {
    fn hello(&self, _socket: &mut Socket) -> io::Result<u64> {
        Ok(0)
    }

    fn subscribe(&self, topic: &str, _id: u64, out: &mut Vec<u8>) -> u64 {
        let verb: &[u8] = if topic.contains('*') { b"PSUBSCRIBE" } else { b"SUBSCRIBE" };
        request(&[verb, topic.as_bytes()], out);
        1
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        request(&[b"PUBLISH", topic.as_bytes(), payload], out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        request(&[b"PING"], out);
    }

    fn answers_publishes(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while let Some(first) = bytes.get(at) {
            if *first == b'*' {
                let Some((kind, end)) = array(bytes, at) else { break };
                match kind {
                    b'm' => counts.messages += 1,
                    _ => counts.acks += 1,
                }
                at = end;
                continue;
            }
            let Some(line) = bytes[at..].iter().position(|byte| *byte == b'\n') else { break };
            match first {
                b'-' => counts.errors += 1,
                _ => counts.acks += 1,
            }
            at += line + 1;
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
        let mut stream = vec![];
        request(&[b"message", b"bench/t0", b"a\r\nb"], &mut stream);
        request(&[b"pmessage", b"h/*", b"h/x", b""], &mut stream);
        stream.extend_from_slice(b"*3\r\n$10\r\npsubscribe\r\n$1\r\nh\r\n:1\r\n");
        stream.extend_from_slice(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nh\r\n:1\r\n");
        stream.extend_from_slice(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n-ERR no\r\n+PONG\r\n");
        let counts = counted_at_every_cut(&RedisCodec, &stream);
        assert_eq!((counts.messages, counts.acks, counts.errors), (2, 4, 1));
    }
}
