//! Mosquitto, MQTT 3.1.1 with QoS 0, over a Unix socket or TCP loopback.
//!
//! It runs without its limit on queued messages (`max_queued_messages 0`): the default of 1000
//! drops under this load.

use crate::peer::{Codec, Counts, Peer, Start, program};
use crate::socket::{Endpoint, Socket, free_port};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct Mosquitto {
    pub(super) tcp: bool,
}

impl Peer for Mosquitto {
    fn name(&self) -> &'static str {
        if self.tcp { "mosquitto-tcp" } else { "mosquitto" }
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let (listener, endpoint) = if self.tcp {
            let port = free_port()?;
            (format!("{port} 127.0.0.1"), Endpoint::Tcp(port))
        } else {
            let path = directory.join("s");
            (format!("0 {}", path.display()), Endpoint::Unix(path))
        };
        let configuration = directory.join("configuration");
        let lines = format!(
            "listener {listener}\nallow_anonymous true\npersistence false\nlog_dest none\n\
             user root\nmax_queued_messages 0\nset_tcp_nodelay true\n"
        );
        std::fs::write(&configuration, lines)?;
        let mut command = program("mosquitto");
        command.arg("-c").arg(configuration);
        Ok(Start { command, endpoint })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program("mosquitto");
        command.arg("-h");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(MqttCodec)
    }

    fn held_subscriptions_max(&self) -> u64 {
        if self.tcp { 0 } else { 1_000_000 }
    }
}

struct MqttCodec;

/// Two clients of one id would throw each other out.
static NEXT_CLIENT: AtomicU32 = AtomicU32::new(1);

fn variable_length(mut length: usize, out: &mut Vec<u8>) {
    while length > 127 {
        out.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
}

fn text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

/// Where the body of the packet at `at` begins and ends, if all is there.
#[inline]
fn body(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let (mut length, mut begin) = (0, at + 1);
    for shift in [0, 7, 14, 21] {
        let byte = *bytes.get(begin)?;
        begin += 1;
        length |= usize::from(byte & 127) << shift;
        if byte & 128 == 0 {
            break;
        }
    }
    (begin + length <= bytes.len()).then_some((begin, begin + length))
}

impl Codec for MqttCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        let client = NEXT_CLIENT.fetch_add(1, Ordering::Relaxed);
        let mut variable = vec![];
        text("MQTT", &mut variable);
        variable.extend_from_slice(&[4, 2, 0, 0]); // level 4, clean session, no keep-alive
        text(&format!("b{}-{client}", std::process::id()), &mut variable);
        let mut packet = vec![0x10];
        variable_length(variable.len(), &mut packet);
        packet.extend_from_slice(&variable);
        socket.write_all(&packet)?;
        Ok(1)
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64 {
        let filter = topic.replace('*', "+");
        out.push(0x82);
        variable_length(2 + 2 + filter.len() + 1, out);
        out.extend_from_slice(&((id % 65535) as u16 + 1).to_be_bytes());
        text(&filter, out);
        out.push(0);
        1
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        out.push(0x30);
        variable_length(2 + topic.len() + payload.len(), out);
        text(topic, out);
        out.extend_from_slice(payload);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0xc0, 0]);
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while let Some((begin, end)) = body(bytes, at) {
            match bytes[at] >> 4 {
                3 => counts.messages += 1,
                // SUBACK with a refusal; CONNACK, SUBACK and PINGRESP
                9 if bytes[begin + 2] & 0x80 != 0 => counts.errors += 1,
                2 | 9 | 13 => counts.acks += 1,
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
        let mut stream = vec![0x20, 2, 0, 0, 0x90, 3, 0, 1, 0, 0x90, 3, 0, 2, 0x80];
        MqttCodec.publish("bench/t0", &[7; 300], &mut stream);
        stream.extend_from_slice(&[0xd0, 0]);
        let counts = counted_at_every_cut(&MqttCodec, &stream);
        assert_eq!((counts.messages, counts.acks, counts.errors), (1, 3, 1));
    }
}
