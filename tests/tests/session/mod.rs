//! Session buses for tests, and programs on them.
//!
//! - `bus.rs`: a bus for one test alone, by either of the programs that people have;
//! - `program.rs`: a connection; `kith.rs`: the daemon's methods; `message.rs`, `value.rs`: what is
//!   said on it, written from the D-Bus specification and not with the daemon's library.

mod bus;
mod kith;
mod message;
mod program;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use bus::{BROKERS, Broker, SessionBus, address};
pub(crate) use kith::{Options, publishing, sending};
pub(crate) use message::{ERROR, Message, NO_AUTO_START, RETURN, SIGNAL};
pub(crate) use program::{
    BROKER, Failure, Incoming, KITH, KITH_PATH, PEER, PROPERTIES, Pings, Program, kith_call,
};
pub(crate) use value::Value;
