//! The post: people, sessions, envelopes and delivery between devices.
//!
//! [`Post`] is a state machine, the second owner beside the broker: of keys, of who is who, and of
//! what is on its way to others. [`envelope`] is what a message is wrapped into for one device, and
//! how it is opened there.
//!
//! ```text
//!  programs ─► broker ─Input::Send──► Post ─Announce(envelope.send.…)─► transports ─► others
//!           ◄──────── ◄─Deliver──────      ◄─Input::Received──────────             ◄─
//!                                      │ ▲
//!                                Commit▼ │Committed
//!                                      store
//! ```
//!
//! Deliberately absent: I/O, clocks and the bus. Time and seeds are handed in; only vodozemac draws
//! its own random numbers, for the keys of its ratchets.

mod acknowledging;
mod asked;
mod counts;
pub mod envelope;
mod flying;
mod gate;
mod identity;
mod input;
mod joining;
mod keys;
pub mod limits;
mod linking;
mod links;
mod mail;
mod me;
mod opening;
mod outbox;
mod people;
mod post;
mod receiving;
mod recipients;
mod requests;
mod sending;
mod strangers;
mod telling;
#[cfg(test)]
mod tests;

pub use counts::Cause;
pub use input::{Inbound, Input, Now, Outgoing, Output};
pub use me::KeyFile;
pub use opening::{Loaded, OpenError, Setup};
pub use post::{Entropy, Post};
