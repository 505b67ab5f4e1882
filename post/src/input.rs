//! What the post is told, and what it wants done.
//!
//! The post reads no clock, opens no file and talks to nobody: what happens comes in as an
//! [`Input`], and what should happen goes out as an [`Output`]. Tickets are the shell's: numbers by
//! which it finds who asked.

use kith_contract::{envelope, transports};
use kith_store::{Batch, Failure, Receipt};
use kith_wire::{Code, Headers, MessageId, Priority, Refusal, Scope, Until};

/// One moment, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back: for time-outs.
    pub monotonic_ms: u64,
    /// Milliseconds since the Unix epoch: for what is signed and sent.
    pub unix_ms: u64,
}

/// A message of a local program that goes to others.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its id.
    pub id: MessageId,
    /// To whom: `self`, `friends`, `public`, a petname, a `did:key:…`, `petname/device`.
    pub to: String,
    /// Its topic.
    pub topic: String,
    /// How to read the payload.
    pub protocol: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Strings beside the payload.
    pub headers: Headers,
    /// How long it is worth something, in milliseconds.
    pub expire_after_ms: Option<u64>,
    /// What overtakes what.
    pub priority: Priority,
    /// Worthless late: not stored, not tried again.
    pub realtime: bool,
    /// Whether the user's other devices get a copy.
    pub echo: bool,
    /// When its publisher wants its answer.
    pub until: Until,
}

/// A message that came from another device, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its id, as its sender gave it.
    pub id: MessageId,
    /// The sender's identity, as text.
    pub sender: String,
    /// The sending device, as text.
    pub device: String,
    /// What the user calls the sender.
    pub petname: Option<String>,
    /// What the sender is to this bus; worked out here.
    pub scope: Scope,
    /// Its topic.
    pub topic: String,
    /// How to read the payload.
    pub protocol: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Strings beside the payload.
    pub headers: Headers,
    /// What overtakes what.
    pub priority: Priority,
    /// When it was sent, in ms since the Unix epoch, by the sender's clock.
    pub sent_at_ms: u64,
    /// Until when it is worth something, in ms since the Unix epoch.
    pub expires_at_ms: Option<u64>,
}

/// What happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A local program publishes to others.
    Send {
        /// By which it is answered.
        ticket: u64,
        /// What.
        message: Outgoing,
        /// It was published before, under this id by the same program.
        is_repeated: bool,
    },
    /// A local program asks others.
    Request {
        /// By which it is answered.
        ticket: u64,
        /// How long it waits, in milliseconds.
        timeout_ms: u64,
        /// What.
        message: Outgoing,
    },
    /// A local program has replied to a request that came from another device.
    Reply {
        /// The number of [`Output::DeliverRequest`].
        request: u64,
        /// The reply; its `to` says nothing.
        message: Outgoing,
    },
    /// The bus would not take a request that came from another device.
    NotTaken {
        /// The number of [`Output::DeliverRequest`].
        request: u64,
        /// Why.
        code: Code,
        /// The same for people.
        text: String,
    },
    /// A message was handed to the bus: it need not be kept here any more.
    Handed {
        /// The number of [`Output::Deliver`].
        mail: u64,
    },
    /// The bus had no room for a message: nobody has it, and it has to be handed over again.
    NotHanded {
        /// The number of [`Output::Deliver`].
        mail: u64,
        /// The message.
        inbound: Inbound,
    },
    /// Who is there has a message, and it could not be stored for others: it is left as it is, and
    /// handed over once more after a restart.
    Left {
        /// The number of [`Output::Deliver`].
        mail: u64,
    },
    /// Nobody subscribes to a stranger's message.
    Unwanted,
    /// A service has started: it has heard nothing yet.
    Started,
    /// Somebody asks about people, or wants to change something.
    Asked {
        /// By which it is answered.
        ticket: u64,
        /// One of the topics of `asked.rs`.
        topic: String,
        /// What, in JSON.
        payload: Vec<u8>,
        /// Whether whoever asks may change things.
        is_administrator: bool,
    },
    /// Where a transport can be reached.
    Endpoint(transports::Endpoint),
    /// A link is up.
    Connection(transports::Connection),
    /// A link is down.
    Disconnected(transports::Disconnected),
    /// A NodeInfo was found.
    NodeInfo(transports::NodeInfo),
    /// A device was seen on a network.
    Sighting(transports::Sighting),
    /// Sealed bytes came in.
    Received(envelope::Received),
    /// Sealed bytes were handed over.
    Sent(envelope::Sent),
    /// Sealed bytes could not be carried.
    Failed(envelope::Failed),
    /// A service is not there any more, and none of its links.
    Gone {
        /// Its name.
        service: String,
    },
    /// The store has answered.
    Committed {
        /// The number of [`Output::Commit`].
        ticket: u64,
        /// What it says.
        result: Result<Receipt, Failure>,
    },
}

/// What is to be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Publish this on a reserved topic, as the daemon.
    Announce {
        /// The topic.
        topic: String,
        /// The payload in CBOR, as the contract has it.
        payload: Vec<u8>,
    },
    /// Hand this to the bus, and where it is stored say then [`Input::Handed`].
    Deliver {
        /// By which it is known.
        mail: u64,
        /// The message.
        inbound: Inbound,
        /// Whether it is to survive: its sender was told that it is here.
        is_stored: bool,
    },
    /// Hand this to the bus as a request, whose reply is [`Input::Reply`].
    DeliverRequest {
        /// By which it is known.
        request: u64,
        /// How long the asker waits, in milliseconds.
        timeout_ms: u64,
        /// The message.
        inbound: Inbound,
    },
    /// Tell whoever published that the message is on its way; the answer comes later.
    Took {
        /// Whom.
        ticket: u64,
        /// The message.
        id: MessageId,
    },
    /// Answer whoever published.
    Answer {
        /// Whom.
        ticket: u64,
        /// The message.
        id: MessageId,
        /// How it went.
        result: Result<(), Refusal>,
    },
    /// Answer whoever asked others.
    AnswerRequest {
        /// Whom.
        ticket: u64,
        /// What came back.
        result: Result<Inbound, Refusal>,
    },
    /// Answer whoever asked about people, in JSON.
    Answered {
        /// Whom.
        ticket: u64,
        /// The answer.
        result: Result<String, Refusal>,
    },
    /// Have these changes stored, and then say [`Input::Committed`].
    Commit {
        /// By which it is known.
        ticket: u64,
        /// What changes.
        batch: Batch,
    },
    /// Keep the person's key in its file: it was made, replaced, locked or unlocked.
    KeepKey(crate::KeyFile),
}
