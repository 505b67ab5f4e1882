//! The words of the Kith bus, and how they are written.
//!
//! Everything that crosses a door of the daemon is defined here once: message ids, topics,
//! patterns, scopes, protocols, headers, error codes, the operations of a client, the events of the
//! daemon, and both codecs (JSON lines and binary frames). `docs/protocol.md` is the same in prose,
//! and `vectors/` in bytes; tests hold the three together.
//!
//! Parse once into a type that can't be wrong, then trust the type: a [`Topic`], [`Pattern`] or
//! [`Publication`] that exists is valid, so nothing behind the door looks again.
//!
//! Deliberately absent: I/O, clocks, randomness, tokio, cryptography, and any state that outlives a
//! call. A codec here is a function from bytes to words.

pub mod binary;
pub mod json;
pub mod limits;

mod code;
mod decode;
mod event;
mod headers;
mod message_id;
mod operation;
mod pattern;
mod payload;
mod protocol;
mod refusal;
mod scope;
mod text;
mod token;
mod topic;

pub use code::Code;
pub use decode::parse_uuid;
pub use event::{Delivery, Event, SENDER_LOCAL};
pub use headers::{Headers, HeadersError};
pub use message_id::{MessageId, MessageIdError};
pub use operation::{
    Destination, Operation, Options, Priority, Publication, Request, RequestNumber, Since,
    Subscribe, Until,
};
pub use pattern::{Meant, Pattern, PatternError, ProtocolSelector, ScopeSelector};
pub use payload::{PayloadError, check_ms, compact_json};
pub use protocol::{Protocol, ProtocolError};
pub use refusal::Refusal;
pub use scope::Scope;
pub use text::{TextError, check_consumer, check_destination, check_group, check_name};
pub use token::{Token, TokenError};
pub use topic::{Topic, TopicError, is_reserved};
