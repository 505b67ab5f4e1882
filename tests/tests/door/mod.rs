//! Doors: the ways into a bus, as the contract sees them.
//!
//! A [`Door`] opens a bus, a [`Bus`] takes connections, and a [`Client`] is what a test holds: it
//! says operations and hears events, alike at every door. A further door needs a [`Connection`]
//! that turns [`Operation`]s into whatever is sent there and whatever comes into [`Event`]s.
//!
//! - `words.rs`: operations and events; `client.rs`: what a test does with them;
//! - `socket.rs`: the socket's doors, each framing and both in turn;
//! - `json_lines.rs`, `binary_frames.rs`: the two framings, written from `docs/protocol.md` and not
//!   with the daemon's own codecs, so that an error both ways in those is seen; `descriptors.rs`:
//!   frames whose payloads come in descriptors.

mod binary_frames;
mod client;
mod descriptors;
mod json_lines;
mod socket;
mod words;

pub(crate) use binary_frames::{BinaryFrames, Frame, frame, operation_frame};
pub(crate) use client::Client;
pub(crate) use descriptors::{Descriptors, SEALED_BYTES_MIN, sealed_frame};
pub(crate) use json_lines::JsonLines;
pub(crate) use socket::{BINARY_FRAMES, BOTH_IN_TURN, FRAMINGS, Framing, JSON_LINES};
pub(crate) use words::{Delivery, Event, Operation, Publication, Subscription, new_id};

/// A way into a bus.
pub(crate) trait Door {
    /// Starts a bus with this configuration, and opens it here.
    fn open(&self, configuration: &str) -> Box<dyn Bus>;
}

/// A bus that runs until this is dropped.
pub(crate) trait Bus {
    /// A connection to it.
    fn connect(&self) -> Client;
}

/// One connection. Dropped, it ends without a goodbye.
pub(crate) trait Connection {
    /// Says something; under this number if an answer is wanted.
    fn send(&mut self, number: Option<u32>, operation: &Operation);

    /// What comes next; nothing if the daemon has closed the connection.
    fn receive(&mut self) -> Option<Event>;
}
