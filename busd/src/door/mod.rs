//! The socket's door: taking connections, and what one connection does.
//!
//! - `accept.rs`: who may come in, and what those are told who may not;
//! - `connection.rs`: its turns, and writing; `reader.rs`: reading. What the bytes mean is for
//!   [`kith_core::Session`];
//! - `inside.rs`: connections of other doors and of services, from inside the process; `pipe.rs`:
//!   what they are; `end.rs`: one end of them for tokio;
//! - `stream.rs`: what a connection reads and writes, wherever it is from;
//! - `descriptors.rs`: the same for connections that take payloads in descriptors.

mod accept;
mod connection;
mod descriptors;
mod end;
mod inside;
mod pipe;
mod reader;
mod stream;

pub(crate) use accept::accept;
pub(crate) use connection::Connection;
pub(crate) use inside::{Arrival, Intake, bring, bring_part, take_arrivals};
pub(crate) use pipe::{End, pair};
