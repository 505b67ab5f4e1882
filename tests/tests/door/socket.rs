//! The doors of the socket: JSON lines, binary frames, and both in turn.
//!
//! The last has one connection speak JSON lines, the next binary frames, and so on; so whatever one
//! client of a test says in one framing, another hears in the other.

use super::{BinaryFrames, Bus, Client, Door, JsonLines, Operation, Peculiarities};
use super::{binary_frames, json_lines};
use crate::process::{Daemon, PATIENCE, Place};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// Which framing a door's connections speak, in turn.
#[derive(Clone, Copy)]
pub(crate) struct SocketDoor {
    framings: &'static [Framing],
}

/// One of the two ways to speak to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    JsonLines,
    BinaryFrames,
}

pub(crate) const FRAMINGS: [Framing; 2] = [Framing::JsonLines, Framing::BinaryFrames];

pub(crate) const JSON_LINES: SocketDoor = SocketDoor { framings: &[Framing::JsonLines] };
pub(crate) const BINARY_FRAMES: SocketDoor = SocketDoor { framings: &[Framing::BinaryFrames] };
pub(crate) const BOTH_IN_TURN: SocketDoor =
    SocketDoor { framings: &[Framing::JsonLines, Framing::BinaryFrames] };

struct SocketBus {
    /// Not there between two of them.
    daemon: Option<Daemon>,
    place: Place,
    door: SocketDoor,
    connections: Cell<usize>,
}

impl Framing {
    /// What is said before the first operation.
    pub(crate) fn greeting(self) -> &'static [u8] {
        match self {
            Self::JsonLines => b"",
            Self::BinaryFrames => b"KTH\x01",
        }
    }

    /// The bytes of an operation.
    pub(crate) fn bytes(self, number: Option<u32>, operation: &Operation) -> Vec<u8> {
        match self {
            Self::JsonLines => json_lines::line(number, operation).into_bytes(),
            Self::BinaryFrames => binary_frames::operation_frame(number.unwrap_or(0), operation),
        }
    }

    /// A client on a connection that has been greeted already.
    pub(crate) fn client(self, stream: UnixStream) -> Client {
        match self {
            Self::JsonLines => Client::new(JsonLines::new(stream)),
            Self::BinaryFrames => Client::new(BinaryFrames::silent(stream)),
        }
    }

    /// A client on a new connection.
    pub(crate) fn connect(self, daemon: &Daemon) -> Client {
        match self {
            Self::JsonLines => Client::new(JsonLines::new(daemon.dial())),
            Self::BinaryFrames => Client::new(BinaryFrames::new(daemon.dial())),
        }
    }
}

impl SocketDoor {
    /// A connection to a daemon that runs already: the `nth`.
    pub(crate) fn connect(self, daemon: &Daemon, nth: usize) -> Client {
        self.framings[nth % self.framings.len()].connect(daemon)
    }
}

impl Door for SocketDoor {
    fn open(&self, configuration: &str) -> Box<dyn Bus> {
        let place = Place::new(configuration);
        let daemon = Some(place.start());
        Box::new(SocketBus { daemon, place, door: *self, connections: Cell::new(0) })
    }

    fn peculiarities(&self) -> Peculiarities {
        Peculiarities {
            framing_at_first: None,
            framings: &["json", "binary"],
            says_duplicates: true,
            says_stored: true,
            has_zero_bytes: true,
            has_empty_destinations: true,
            held_bytes: 0,
            held_with_answers_bytes: 0,
        }
    }
}

impl Bus for SocketBus {
    fn connect(&self) -> Client {
        let nth = self.connections.replace(self.connections.get() + 1);
        self.door.connect(self.daemon.as_ref().unwrap(), nth)
    }

    fn restart(&mut self) {
        self.daemon.take().unwrap().kill();
        self.daemon = Some(self.place.start());
    }
}

/// A stream, and what was read of it and not used yet.
pub(super) struct Stream {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Stream {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(super) fn try_write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
    }

    /// What `cut` finds in what was read, after as many reads as that takes: it returns what it
    /// found and in how many bytes. Nothing if the stream ends before.
    pub(super) fn read<T>(&mut self, cut: impl Fn(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        let mut chunk = [0; 65_536];
        loop {
            if let Some((found, used)) = cut(&self.buffer) {
                self.buffer.drain(..used);
                return Some(found);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                // The daemon closed before it had read all.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("nothing came for {PATIENCE:?}: {error}"),
            }
        }
        let left = String::from_utf8_lossy(&self.buffer);
        assert!(left.is_empty(), "the stream ends inside of something: {left:?}");
        None
    }
}
