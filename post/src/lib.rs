//! The post: envelopes, sessions and delivery between devices.
//!
//! [`envelope`] is what a message is wrapped into for one device, and how it is opened there.
//!
//! Deliberately absent: I/O, clocks and the bus. Time and seeds are handed in; only vodozemac draws
//! its own random numbers, for the keys of its ratchets.

pub mod envelope;
pub mod limits;
