//! The contract between the daemon and its services: the reserved topics.
//!
//! Every reserved topic is a constant with the type of its payload ([`Topic<T>`](Topic)), so that
//! nobody writes a topic or a payload by hand; and a row of a table ([`entries`]), by which the
//! daemon checks what is published and says who may. `docs/contract.md` is the same in prose, and
//! `vectors/` in JSON and CBOR; tests hold the three together.
//!
//! A payload has two forms with the same fields: CBOR (protocol `kith`), deterministic, and JSON
//! (protocol `ms`). Whoever publishes chooses one; the daemon checks it closely and delivers both
//! ([`Entry::check`]). Whoever reads goes past fields of later versions ([`Topic::read`]).
//!
//! [`Rights`] are what a service may do, made of the words of its manifest.
//!
//! Deliberately absent: reading manifests, granting anything, and whatever makes an effect. All
//! here are functions of bytes and texts.

pub mod limits;

mod cbor;
mod check;
mod error;
mod json;
mod kind;
mod payload;
mod payloads;
mod rights;
mod role;
mod table;
mod topic;
mod value;

#[cfg(test)]
mod tests;

pub use check::PROTOCOL;
pub use error::{Fault, PayloadError};
pub use kind::{Field, Kind, Presence, Word};
pub use payload::Payload;
pub use payloads::{Key, Tag, bus, delivery, directory, envelope, people, services, transports};
pub use rights::{Denial, Rights, RightsError, RightsFault};
pub use role::{Publisher, Role, is_name};
pub use table::*;
pub use topic::{Topic, TopicOf};
pub use value::Bytes;
#[doc(hidden)]
pub use value::Value;
