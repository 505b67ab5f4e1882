//! NATS JetStream: a stream in files, of which each publish is acknowledged once it is on the disk.
//!
//! `sync_interval: always` stands in its configuration, since its default syncs every two minutes
//! and acknowledges before. It has been there since nats-server 2.10. The stream has one replica
//! and no bounds; each publish names an inbox, and what comes there is its acknowledgement.

use super::nats::{message_ends, subject};
use crate::peer::{Codec, Counts, Peer, Start, program};
use crate::socket::{Endpoint, Socket, free_port};
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const INBOX: &str = "_INBOX.bench";

pub(super) struct JetStream {
    pub(super) program: PathBuf,
}

impl Peer for JetStream {
    fn name(&self) -> &'static str {
        "nats-jetstream"
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let port = free_port()?;
        let configuration = directory.join("nats.conf");
        let store = directory.join("jetstream");
        let text = format!(
            "listen: 127.0.0.1:{port}\n\
             jetstream {{ store_dir: {store:?}, sync_interval: always }}\n"
        );
        fs::write(&configuration, text)?;
        let mut command = program(&self.program);
        command.arg("-c").arg(configuration).arg("-l").arg(directory.join("log"));
        Ok(Start { command, endpoint: Endpoint::Tcp(port) })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program(&self.program);
        command.arg("--version");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(JetStreamCodec)
    }

    fn storing_codec(&self) -> Option<Arc<dyn Codec>> {
        Some(self.codec())
    }

    fn only_stores(&self) -> bool {
        true
    }
}

struct JetStreamCodec;

impl Codec for JetStreamCodec {
    fn hello(&self, socket: &mut Socket) -> io::Result<u64> {
        let options =
            r#"{"verbose":false,"pedantic":false,"lang":"raw","version":"0","protocol":1}"#;
        write!(socket, "CONNECT {options}\r\nSUB {INBOX} 1\r\n")?;
        Ok(0)
    }

    fn subscribe(&self, _topic: &str, _id: u64, _out: &mut Vec<u8>) -> u64 {
        0
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let line = format!("PUB {} {INBOX} {}\r\n", subject(topic), payload.len());
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }

    fn ping(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PING\r\n");
    }

    fn store(&self, topic: &str, out: &mut Vec<u8>) -> u64 {
        let stream = json!({"name": "BENCH", "subjects": [subject(topic)], "storage": "file",
            "retention": "limits", "discard": "new", "num_replicas": 1});
        let stream = stream.to_string();
        let line = format!("PUB $JS.API.STREAM.CREATE.BENCH {INBOX} {}\r\n", stream.len());
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(stream.as_bytes());
        out.extend_from_slice(b"\r\n");
        1
    }

    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize {
        let mut at = 0;
        while let Some(line) = bytes[at..].iter().position(|byte| *byte == b'\n') {
            let mut end = at + line + 1;
            match bytes[at] {
                b'M' => {
                    let payload_at = end;
                    end = message_ends(bytes, end);
                    if end > bytes.len() {
                        return at;
                    }
                    // What JetStream says is JSON; with an error it has not stored anything.
                    let answer = &bytes[payload_at..end];
                    match memchr::memmem::find(answer, br#""error":"#) {
                        Some(_) => counts.errors += 1,
                        None => counts.acks += 1,
                    }
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
    fn counts_what_was_stored_at_every_cut() {
        let mut stream = b"INFO {}\r\nPONG\r\n".to_vec();
        for answer in [
            r#"{"stream":"BENCH", "seq":1}"#,
            r#"{"error":{"code":503,"description":"no"},"stream":"BENCH","seq":0}"#,
            r#"{"stream":"BENCH", "seq":2}"#,
        ] {
            let message = format!("MSG {INBOX} 1 {}\r\n{answer}\r\n", answer.len());
            stream.extend_from_slice(message.as_bytes());
        }
        let counts = counted_at_every_cut(&JetStreamCodec, &stream);
        assert_eq!((counts.messages, counts.acks, counts.errors), (0, 3, 1));
    }
}
