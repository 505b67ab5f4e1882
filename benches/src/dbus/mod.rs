//! D-Bus by hand: messages written and read (D-Bus Specification 0.43, "Message Protocol"), and a
//! blocking client of Kith on the session bus.
//!
//! Written from the specification and from `docs/dbus.md`, and sharing nothing with the daemon.
//! Little-endian, as every bus on this machine is. Deliberately absent: descriptors, most types,
//! and the body of what comes, of which nothing is looked at but the answer to `Hello`.

mod bus1;
mod client;
mod incoming;
mod message;

pub use bus1::{ECHO_NAME, INTERFACE, NAME, PATH, delivered, ping, publish, subscribe};
pub use client::{Client, Seen, authenticate, hello};
pub use incoming::{Incoming, whole};
pub use message::{Body, BusCall, Kind, Message, NO_REPLY_EXPECTED, Value};
