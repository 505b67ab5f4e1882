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
//!   frames whose payloads come in descriptors;
//! - `dbus.rs`: the doors of the session bus, over each of the brokers that people have;
//!   `dbus_words.rs`: operations and messages there, written from `docs/dbus.md`.

mod binary_frames;
mod client;
mod dbus;
mod dbus_words;
mod descriptors;
mod json_lines;
mod socket;
mod words;

pub(crate) use binary_frames::{BinaryFrames, Frame, frame, operation_frame};
pub(crate) use client::Client;
pub(crate) use dbus::{
    DBUS_BROKER, DBUS_DAEMON, Dbus, DbusDoor, start_beside, start_on, wait_until_owner,
};
pub(crate) use dbus_words::{MESSAGE_PAYLOAD_BYTES_MAX, code_of, delivery, take_sealed};
pub(crate) use descriptors::{Descriptors, SEALED_BYTES_MIN, sealed_frame};
pub(crate) use json_lines::JsonLines;
pub(crate) use socket::{BINARY_FRAMES, BOTH_IN_TURN, FRAMINGS, Framing, JSON_LINES};
pub(crate) use words::{Delivery, Event, Operation, Publication, Since, Subscription, new_id};

/// A way into a bus.
pub(crate) trait Door {
    /// Starts a bus with this configuration, and opens it here.
    fn open(&self, configuration: &str) -> Box<dyn Bus>;

    /// What is not as at the socket.
    fn peculiarities(&self) -> Peculiarities;
}

/// In what doors differ from each other within a scenario, each with its reason. What a door can't
/// have at all is in `contract/mod.rs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peculiarities {
    /// What `bus.client` calls the framing of who has just come: on a stream, the first byte is
    /// still to tell it.
    pub(crate) framing_at_first: Option<&'static str>,
    /// What it calls it later.
    pub(crate) framings: &'static [&'static str],
    /// Whether the answer to a publish says that the message had been published already. On D-Bus
    /// it is the message id and nothing more.
    pub(crate) says_duplicates: bool,
    /// Whether it says that the message is stored. On D-Bus it doesn't, for the same reason.
    pub(crate) says_stored: bool,
    /// Whether a zero byte in a text can be said. A D-Bus broker disconnects who says one.
    pub(crate) has_zero_bytes: bool,
    /// Whether an empty destination is another than none. On D-Bus it always has to be given, and
    /// an empty one is none.
    pub(crate) has_empty_destinations: bool,
    /// What the daemon has on the way to a client beyond its queue, in bytes, besides what the
    /// sockets hold: D-Bus knows no back-pressure, so there it counts itself.
    pub(crate) held_bytes: usize,
    /// The same while the client waits for an answer, which may stand behind messages.
    pub(crate) held_with_answers_bytes: usize,
}

impl Peculiarities {
    /// These texts, without those that can't be said.
    pub(crate) fn sayable<'text>(self, texts: &[&'text str]) -> Vec<&'text str> {
        let is_sayable = |text: &&str| self.has_zero_bytes || !text.contains('\0');
        texts.iter().copied().filter(is_sayable).collect()
    }
}

/// A bus that runs until this is dropped.
pub(crate) trait Bus {
    /// A connection to it.
    fn connect(&self) -> Client;

    /// Kills the daemon and starts it again, where it finds what it had on the disk.
    fn restart(&mut self);
}

/// One connection. Dropped, it ends without a goodbye.
pub(crate) trait Connection {
    /// Says something; under this number if an answer is wanted.
    fn send(&mut self, number: Option<u32>, operation: &Operation);

    /// What comes next; nothing if the daemon has closed the connection.
    fn receive(&mut self) -> Option<Event>;
}
