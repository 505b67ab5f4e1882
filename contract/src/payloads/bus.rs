//! `bus.*`: what the daemon says of itself. `docs/protocol.md` says more about when it does.

use super::{COUNT, NUMBER_32, TEXT, TIME};
use crate::kind::Kind;
use crate::limits::VERSION_BYTES_MAX;
use crate::payload::{payload, words};
use kith_wire::limits::{NAME_BYTES_MAX, PATTERN_BYTES_MAX};

const CLIENT_NAME: Kind = Kind::Text { bytes_max: NAME_BYTES_MAX };

words! {
    /// What happened to a client.
    pub enum ClientEvent {
        /// It has come.
        Connected = "connected",
        /// It has gone.
        Disconnected = "disconnected",
    }

    /// How a client speaks.
    pub enum Framing {
        /// JSON lines.
        Json = "json",
        /// Binary frames.
        Binary = "binary",
        /// D-Bus.
        Dbus = "dbus",
        /// Inside the daemon: a service that is built in.
        Service = "service",
    }
}

payload! {
    /// The daemon has started.
    pub struct Ready {
        /// Version of the daemon.
        required version: String = Kind::Text { bytes_max: VERSION_BYTES_MAX },
        /// Version of the binary protocol.
        required protocol: u32 = NUMBER_32,
        /// Process of the daemon.
        required pid: u32 = NUMBER_32,
        /// When it started, in ms since the Unix epoch.
        required started_at: u64 = TIME,
    }

    /// A client came or went.
    pub struct Client {
        /// Which of the two.
        required event: ClientEvent = ClientEvent::KIND,
        /// Its number since the daemon's start; none is used again.
        required client: u64 = COUNT,
        /// The name that it gave itself in `hello`.
        nullable name: Option<String> = CLIENT_NAME,
        /// How it speaks; null until its first byte has told.
        nullable framing: Option<Framing> = Framing::KIND,
        /// Why it went: `cut off: CODE` after an error that ended the connection.
        optional reason: Option<String> = TEXT,
    }

    /// Messages for a client were dropped.
    pub struct Lag {
        /// The number of the client that lost them.
        required client: u64 = COUNT,
        /// Its name.
        nullable name: Option<String> = CLIENT_NAME,
        /// The number of its subscription; null where it is the sum of several.
        nullable sub: Option<u32> = NUMBER_32,
        /// The pattern of the subscription; null if it has ended.
        nullable pattern: Option<String> = Kind::Text { bytes_max: PATTERN_BYTES_MAX },
        /// How many messages.
        required count: u64 = COUNT,
    }

    /// Counters, since the daemon's start if nothing else is said.
    pub struct Stats {
        /// When they were taken, in ms since the Unix epoch.
        required at: u64 = TIME,
        /// Messages that clients published.
        required published: u64 = COUNT,
        /// Bytes of their payloads.
        required published_bytes: u64 = COUNT,
        /// Messages queued for subscribers, each counted.
        required delivered: u64 = COUNT,
        /// Bytes of their payloads.
        required delivered_bytes: u64 = COUNT,
        /// Messages dropped because a subscriber's queue was full, each counted.
        required dropped: u64 = COUNT,
        /// Messages that expired in a queue.
        required expired: u64 = COUNT,
        /// Requests that were asked.
        required requests: u64 = COUNT,
        /// Replies that were handed over.
        required replies: u64 = COUNT,
        /// Requests to which nobody subscribed.
        required no_responders: u64 = COUNT,
        /// Operations and connections that were refused.
        required refused: u64 = COUNT,
        /// Of these, connections that were not let in.
        required refused_connections: u64 = COUNT,
        /// Connections that were closed because of what they said.
        required cut_off: u64 = COUNT,
        /// Connections now.
        required clients: u64 = COUNT,
        /// Subscriptions now.
        required subscriptions: u64 = COUNT,
        /// Requests that wait for a reply now.
        required requests_waiting: u64 = COUNT,
        /// Retained messages now.
        required retained_messages: u64 = COUNT,
        /// Their bytes.
        required retained_bytes: u64 = COUNT,
        /// Messages that wait in queues now.
        required queued_messages: u64 = COUNT,
        /// Their bytes.
        required queued_bytes: u64 = COUNT,
        /// Memory that waits for clients now, or of them, in bytes.
        required waiting_bytes: u64 = COUNT,
        /// Message ids remembered now against publishing twice.
        required remembered_ids: u64 = COUNT,
    }
}
