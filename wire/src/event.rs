//! What the daemon tells a client, as both codecs write it and the client library reads it.

use crate::{Code, Headers, MessageId, Priority, Protocol, RequestNumber, Scope, Topic};
use std::num::NonZeroU32;

/// What the daemon tells a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The daemon closes the connection.
    Bye {
        /// Why, for a program. `None` is a number that this version does not know.
        code: Option<Code>,
        /// Why, for a person.
        text: &'a str,
    },
    /// An operation failed.
    Err {
        /// Which; `None` where it had no number, or none could be read.
        number: Option<RequestNumber>,
        /// Why, for a program. `None` is a number that this version does not know.
        code: Option<Code>,
        /// Why, for a person.
        text: &'a str,
        /// Offset of the offending byte, from the connection's first.
        at: Option<u64>,
        /// Whether the connection is closed.
        fatal: bool,
    },
    /// Messages were dropped here, because the connection was not read fast enough.
    Lag {
        /// For which subscription.
        subscription: NonZeroU32,
        /// Exactly how many.
        count: u64,
    },
    /// A message for a subscription.
    Message {
        /// Which.
        subscription: NonZeroU32,
        /// The message.
        delivery: Delivery<'a>,
    },
    /// An operation succeeded.
    Ok {
        /// Which.
        number: RequestNumber,
        /// The id of what was published.
        message_id: Option<MessageId>,
        /// Whether it had been published before, and was not delivered again.
        duplicate: bool,
        /// Whether what was published is on the disk.
        stored: bool,
    },
    /// The reply to a request.
    Reply {
        /// To which.
        number: RequestNumber,
        /// The reply.
        delivery: Delivery<'a>,
    },
    /// The answer to a `hello`.
    Welcome {
        /// To which.
        number: RequestNumber,
        /// The daemon's version.
        version: &'a str,
        /// The largest payload that it takes.
        payload_bytes_max: u64,
        /// Whether large payloads come and go as descriptors from now on. Binary frames only.
        descriptors: bool,
    },
}

/// A message as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The message's id.
    pub message_id: MessageId,
    /// `local`, or a person's identity.
    pub sender: &'a str,
    /// What the user calls the sender; absent for `local`.
    pub petname: Option<&'a str>,
    /// The sending device's key; absent for `local`.
    pub device: Option<&'a str>,
    /// Where it came from, as the daemon worked out.
    pub scope: Scope,
    /// How to read the payload.
    pub protocol: Protocol<'a>,
    /// What it is about.
    pub topic: Topic<'a>,
    /// When it was published, in milliseconds since the Unix epoch.
    pub sent_at_ms: u64,
    /// Until when it is of use, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// Where an answer should be published.
    pub reply_to: Option<Topic<'a>>,
    /// What overtakes what.
    pub priority: Priority,
    /// Whether it is a kept value rather than a new message.
    pub retained: bool,
    /// Of a durable subscription: 1 where it has not been delivered before, more where it may have
    /// been.
    pub attempt: Option<NonZeroU32>,
    /// Strings beside the payload.
    pub headers: Headers,
    /// The payload.
    pub payload: &'a [u8],
    /// Where the payload is in a descriptor: its size, and `payload` is empty. Binary frames only.
    pub sealed_bytes: Option<u64>,
}

/// The sender of what programs on this machine publish.
pub const SENDER_LOCAL: &str = "local";
