//! The clients: minimal, blocking, the same for every peer but for the codec.
//!
//! A publisher writes from a ring of ready-made frames, up to 64 KiB a write; one thread reads all
//! subscribers in reads of up to 512 KiB and counts frames. No batching beyond that, no threads per
//! connection, no parsing beyond what finds the next message.
//!
//! Where payloads are handed over in descriptors (`sealed.rs`), a subscriber reads or maps each,
//! and looks at every page of it.

mod connection;
mod latency;
mod publisher;
mod sealed;
mod stored;
mod subscribers;

pub(crate) use connection::Connection;
pub(crate) use latency::round_trips;
pub(crate) use publisher::Publisher;
pub(crate) use stored::{Window, store};
pub(crate) use subscribers::Subscribers;

/// Size of the read buffer; it grows where a frame needs more.
const READ_BUFFER_BYTES: usize = 512 * 1024;
/// Largest frame that a client takes: Kith's limit on a payload, and some.
const READ_BUFFER_BYTES_MAX: usize = 64 << 20;
