//! Kith itself: `kith-busd` in the foreground, over its Unix socket.
//!
//! Five variants, because the daemon does different work for each: `kith` carries opaque bytes in
//! binary frames, as the peers do; `kith-ms` the same with a JSON payload, which the daemon checks;
//! `kith-json` speaks JSON lines, as a script would; `kith-memfd` hands over opaque payloads in
//! descriptors, each in memory of its own, and `kith-memfd-again` the same memory all the time, as
//! a program with one large value would. The codecs are written from `docs/protocol.md` and share
//! nothing with the daemon. The user's own configuration is kept out, and so is the session bus,
//! but where a suite puts one of its own into the environment.

mod binary;
mod json;
mod sealed;
pub(crate) mod stored;

use crate::peer::{Codec, Peer, Sealing, Start, program};
use crate::socket::Endpoint;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// What else would change what the daemon does; the last two tell it of the user's session bus.
const ENVIRONMENT: [&str; 7] = [
    "KITH_SOCKET",
    "KITH_STORE",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
];

#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// Binary frames, opaque payload.
    Raw,
    /// Binary frames, JSON payload.
    Ms,
    /// JSON lines, JSON payload.
    Json,
    /// Binary frames, opaque payload in descriptors.
    Sealed(Sealing),
}

pub(super) struct Kith {
    pub(super) program: PathBuf,
    pub(super) framing: Framing,
}

impl Peer for Kith {
    fn name(&self) -> &'static str {
        match self.framing {
            Framing::Raw => "kith",
            Framing::Ms => "kith-ms",
            Framing::Json => "kith-json",
            Framing::Sealed(Sealing::Fresh) => "kith-memfd",
            Framing::Sealed(Sealing::Again) => "kith-memfd-again",
        }
    }

    fn start(&self, directory: &Path) -> io::Result<Start> {
        let socket = directory.join("bus.sock");
        let mut command = program(&self.program);
        command.arg("--socket").arg(&socket);
        command.arg("--state").arg(directory.join("state"));
        command.env("XDG_CONFIG_HOME", directory.join("config"));
        for variable in ENVIRONMENT {
            command.env_remove(variable);
        }
        Ok(Start { command, endpoint: Endpoint::Unix(socket) })
    }

    fn version(&self) -> Option<Command> {
        let mut command = program(&self.program);
        command.arg("--version");
        Some(command)
    }

    fn codec(&self) -> Arc<dyn Codec> {
        match self.framing {
            Framing::Raw => Arc::new(binary::BinaryCodec::RAW),
            Framing::Ms => Arc::new(binary::BinaryCodec::MS),
            Framing::Json => Arc::new(json::JsonCodec),
            Framing::Sealed(sealing) => Arc::new(sealed::SealedCodec(sealing)),
        }
    }

    fn storing_codec(&self) -> Option<Arc<dyn Codec>> {
        match self.framing {
            Framing::Raw => Some(Arc::new(stored::StoredCodec)),
            Framing::Ms | Framing::Json | Framing::Sealed(_) => None,
        }
    }

    fn payload_bytes_min(&self) -> usize {
        match self.framing {
            Framing::Sealed(_) => sealed::PAYLOAD_BYTES_MIN,
            Framing::Raw | Framing::Ms | Framing::Json => 0,
        }
    }

    fn held_subscriptions_max(&self) -> u64 {
        match self.framing {
            Framing::Raw => 1_000_000,
            Framing::Ms | Framing::Json | Framing::Sealed(_) => 0,
        }
    }
}

/// Levels are tokens here, and a wildcard level is the same `*`.
fn dotted(topic: &str) -> String {
    topic.replace('/', ".")
}

/// A JSON string as large as the payload, which is letters: quotes take the place of two.
fn quoted(payload: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&payload[..payload.len().saturating_sub(2)]);
    out.push(b'"');
}
