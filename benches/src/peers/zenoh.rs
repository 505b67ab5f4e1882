//! Zenoh's router, over a Unix socket, driven through zenoh's own library by a program that is
//! built apart (`benches/zenoh`).
//!
//! Its codec is one that always fails: a suite that knows raw clients only reports zenoh as failed,
//! with the reason.

use crate::peer::{Codec, Counts, Peer, Start, program};
use crate::socket::{Endpoint, Socket};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub(super) struct Zenoh {
    pub(super) router: PathBuf,
    pub(super) client: PathBuf,
}

impl Peer for Zenoh {
    fn name(&self) -> &'static str {
        "zenohd"
    }

    fn version(&self) -> Option<Command> {
        let mut command = program(&self.router);
        // It would log to standard output first.
        command.arg("--version").env("RUST_LOG", "off");
        Some(command)
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let path = directory.join("s");
        let mut command = program(&self.router);
        command.env("RUST_LOG", "error");
        command.args(["--no-multicast-scouting", "--rest-http-port", "none"]);
        command.arg("--listen").arg(format!("unixsock-stream/{}", path.display()));
        Ok(Start { command, endpoint: Endpoint::Unix(path) })
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(NotSpoken)
    }

    fn client_program(&self) -> Option<&Path> {
        Some(&self.client)
    }
}

struct NotSpoken;

impl Codec for NotSpoken {
    fn hello(&self, _socket: &mut Socket) -> io::Result<u64> {
        Err(io::Error::other("zenoh's protocol is not spoken raw; this suite leaves it out"))
    }

    fn subscribe(&self, _topic: &str, _id: u64, _out: &mut Vec<u8>) -> u64 {
        0
    }

    fn publish(&self, _topic: &str, _payload: &[u8], _out: &mut Vec<u8>) {}

    fn ping(&self, _out: &mut Vec<u8>) {}

    fn decode(&self, bytes: &[u8], _counts: &mut Counts) -> usize {
        bytes.len()
    }
}
