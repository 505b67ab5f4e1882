//! What a broker under test has to provide: how it is started, and how its protocol is spoken.
//!
//! A codec does no I/O of its own beyond the greeting: it appends requests to a buffer and counts
//! what came back, so that all peers share the clients in `raw`. Decoding has to look at every
//! message, as any client would; a codec that trusted a count in a header would flatter its broker.

use crate::socket::{Endpoint, Socket};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// What one connection received.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    pub(crate) acks: u64,
    pub(crate) errors: u64,
    /// Messages among these whose payload comes in a descriptor.
    pub(crate) sealed: u64,
    /// Bytes still to come of a frame that holds several messages (Kith's MSGS), which a codec may
    /// consume piece by piece.
    pub(crate) run_left_bytes: usize,
}

impl Counts {
    /// Counts from 0 again. An unfinished frame stays unfinished.
    pub(crate) fn restart(&mut self) {
        *self = Self { run_left_bytes: self.run_left_bytes, ..Self::default() };
    }
}

/// A wire protocol. Topics come in a neutral form: levels parted by `/`, `*` for one whole level;
/// each codec translates.
pub(crate) trait Codec: Send + Sync {
    /// Blocking start of a connection; returns how many acks are still to come for it.
    fn hello(&self, socket: &mut Socket) -> io::Result<u64>;
    /// Appends a subscribe request (`id` is at least 1); returns the acks that it will bring.
    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) -> u64;
    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>);
    /// Appends a request that the broker answers in order with exactly one ack.
    fn ping(&self, out: &mut Vec<u8>);
    /// Consumes what is whole and counts it; returns the bytes consumed.
    fn decode(&self, bytes: &[u8], counts: &mut Counts) -> usize;
    /// How payloads are handed over, if not in their frames. `publish` then writes the frame that
    /// goes with the payload's descriptor.
    fn sealing(&self) -> Option<Sealing> {
        None
    }
    /// Appends what has the broker store all that is published on `topic` from then on, where the
    /// codec is one of `Peer::storing_codec`; returns the acks that it will bring.
    fn store(&self, _topic: &str, _out: &mut Vec<u8>) -> u64 {
        0
    }
    /// Whether the broker answers each publish, so that the publisher must drain.
    fn answers_publishes(&self) -> bool {
        false
    }
}

/// How a client hands over payloads in descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    /// New memory for each message: made, filled, sealed, sent and closed.
    Fresh,
    /// The same memory again and again.
    Again,
}

/// How to start a broker in the foreground, and where it will listen.
pub(crate) struct Start {
    pub(crate) command: Command,
    pub(crate) endpoint: Endpoint,
}

/// A broker under test.
pub(crate) trait Peer: Send + Sync {
    fn name(&self) -> &'static str;
    /// `directory` is empty, and the broker's own.
    fn start(&self, directory: &Path) -> io::Result<Start>;
    fn codec(&self) -> Arc<dyn Codec>;
    /// Where the broker can store messages: a codec whose publishes are acknowledged, each once it
    /// is on the disk. What was not stored counts as an error.
    fn storing_codec(&self) -> Option<Arc<dyn Codec>> {
        None
    }
    /// Whether nothing else is measured of it.
    fn only_stores(&self) -> bool {
        false
    }
    /// What prints the broker's version; `None` for what is built with this program.
    fn version(&self) -> Option<Command>;
    /// A program that drives this broker in place of a codec.
    fn client_program(&self) -> Option<&Path> {
        None
    }
    /// The smallest payload that can be measured. One that has such a bound is measured in `thr`
    /// and `fan` alone.
    fn payload_bytes_min(&self) -> usize {
        0
    }
    /// The largest number of subscriptions to hold in the matching suite; 0: not measured.
    fn held_subscriptions_max(&self) -> u64 {
        0
    }
    /// Whether a held subscription may have a wildcard before its last level.
    fn has_leading_wildcards(&self) -> bool {
        true
    }
    /// Whether programs can meet on it as they do on a desktop.
    fn is_session_bus(&self) -> bool {
        false
    }
}

/// A command without standard input.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}
