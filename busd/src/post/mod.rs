//! The post in the daemon: a thread of its own beside the broker's.
//!
//! The post (`kith-post`) owns keys and people, and thinks; here is what it needs of the world. It
//! is a client of the bus, from which it hears what transports say; what the broker hands it and
//! what it says to the broker goes over a channel each way. Its store is its own, and so is its
//! directory, `people` in the daemon's state: a daemon whose user knows nobody makes none.
//!
//! - `way.rs`: the broker's side: what is asked of the post, and what it answers;
//! - `thread.rs`: the post's side, the loop that drives it;
//! - `files.rs`: what it keeps: the person's key, the store, and whether both are a copy.
//!
//! Deliberately absent: any waiting of the broker for the post. Sealing takes tens of microseconds
//! and the disk milliseconds; whoever has nothing to do with others notices neither.

mod files;
mod thread;
mod way;

pub(crate) use way::{Way, start};
