//! The socket's door: taking connections, and what one connection does.
//!
//! - `accept.rs`: who may come in, and what those are told who may not;
//! - `connection.rs`: reading and writing, and nothing else: what the bytes mean is for
//!   [`kith_core::Session`];
//! - `descriptors.rs`: the same for connections that take payloads in descriptors.

mod accept;
mod connection;
mod descriptors;

pub(crate) use accept::accept;
pub(crate) use connection::Connection;
