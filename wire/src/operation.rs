//! What a client asks of the daemon: the operations, as both codecs decode them.
//!
//! Everything in here is valid by type; what only the broker can know (is the number in use, is the
//! topic granted) is left to it. Payloads are
//! borrowed from the bytes that were read, but for base64.

use crate::{Headers, MessageId, Pattern, Protocol, Token, Topic};
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Ties an answer to its operation; also the number of the subscription that a `sub` made.
pub type RequestNumber = NonZeroU32;

/// An operation and the number under which its answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The number under which an answer is wanted, if one is.
    pub number: Option<RequestNumber>,
    /// What is asked.
    pub operation: Operation<'a>,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Messages of a durable subscription have been dealt with, and are not delivered again.
    Acknowledge {
        /// Of which subscription.
        subscription: NonZeroU32,
        /// Which; 1 to 256 where it was read.
        message_ids: Vec<MessageId>,
    },
    /// Goodbye: the will is dropped, the connection closed after what is queued was sent.
    Bye,
    /// Names the program.
    Hello {
        /// For people who look at the bus.
        name: Option<String>,
        /// Under which repeated publishes are recognised across connections: a UUID.
        client: Option<[u8; 16]>,
        /// Whether it takes large payloads as descriptors, and may send them so. Binary frames
        /// only.
        descriptors: bool,
        /// What shows that it is more than any program.
        token: Option<Token>,
    },
    /// Is the daemon there?
    Ping,
    /// Publishes.
    Publish(Publication<'a>),
    /// Publishes what is in a descriptor that comes with the bytes. Binary frames only.
    PublishSealed {
        /// Everything but the payload, which is empty here.
        publication: Publication<'a>,
        /// How many bytes the payload is said to have.
        payload_bytes: u64,
    },
    /// Publishes with a reply topic of the daemon's making, and waits.
    Request {
        /// Under which the reply comes.
        number: RequestNumber,
        /// What is asked.
        publication: Publication<'a>,
        /// How long to wait for a reply, in milliseconds.
        timeout_ms: u32,
    },
    /// Subscribes.
    Subscribe(Subscribe<'a>),
    /// Ends a subscription.
    Unsubscribe(NonZeroU32),
    /// Takes the will back.
    Unwill,
    /// Leaves a message to be published when the connection ends without [`Operation::Bye`].
    Will(Publication<'a>),
}

/// A subscription that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// By which deliveries name it.
    pub number: NonZeroU32,
    /// What it asks for.
    pub pattern: Pattern<'a>,
    /// Of all subscriptions of one group, one gets each message.
    pub group: Option<Cow<'a, str>>,
    /// Whether kept values that match are wanted first.
    pub retained: bool,
    /// Whether it only looks on, and does not count as somebody who could answer a request.
    pub monitor: bool,
    /// Under which name messages are stored for it until they are acknowledged; then there is no
    /// group, and it is no monitor.
    pub durable: Option<Cow<'a, str>>,
    /// From where on a new durable subscription begins, and of which kept values it is to hear.
    pub since: Option<Since>,
}

/// From where on messages are wanted that were published before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// All that are still there.
    Start,
    /// Those that were published then or later, in milliseconds since the Unix epoch.
    Time(u64),
    /// Those that were stored behind this one; where it is gone, those with a greater id.
    After(MessageId),
}

/// A message as its publisher gives it: no sender, no scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    /// What it is about.
    pub topic: Topic<'a>,
    /// How to read the payload.
    pub protocol: Protocol<'a>,
    /// The payload; checked, where the protocol is `ms`.
    pub payload: Cow<'a, [u8]>,
    /// Everything that most messages don't have.
    pub options: Options<'a>,
}

/// What a publication may add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// The message id; the daemon makes one where it is left out.
    pub message_id: Option<MessageId>,
    /// Where to.
    pub to: Destination,
    /// Not to be delivered later than this, in milliseconds from now.
    pub expire_after_ms: Option<u64>,
    /// Keep it as the topic's last value; with an empty payload, forget the kept one.
    pub retain: bool,
    /// Where an answer should be published.
    pub reply_to: Option<Topic<'a>>,
    /// What overtakes what.
    pub priority: Priority,
    /// Strings beside the payload.
    pub headers: Headers,
    /// When the answer is to come.
    pub until: Until,
    /// Never to be stored: worth nothing later.
    pub realtime: bool,
    /// For who sends it elsewhere: the user's other devices get a copy.
    pub echo: bool,
}

/// When a publish is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// As soon as the daemon has taken the message on; where it is stored too, once it is.
    #[default]
    Accepted,
    /// Once it is stored, and with an error where nobody has it stored.
    Stored,
    /// Of a message for somebody elsewhere: once it is on its way.
    Sent,
    /// The same: once it is on a disk there.
    Delivered,
}

impl Until {
    /// All of them, each further than the one before.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Stored, Self::Sent, Self::Delivered];

    /// The word that JSON lines and people use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Stored => "stored",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
        }
    }

    /// The number that binary frames carry: 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What this number stands for, if for anything.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|until| until.number() == number)
    }

    /// What this word stands for, if for anything.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|until| until.name() == name)
    }
}

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// This bus only.
    #[default]
    Local,
    /// Anywhere else; it takes people to get there.
    Elsewhere(String),
}

impl Destination {
    /// Reads what a client wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if text == "local" { Self::Local } else { Self::Elsewhere(text.to_owned()) }
    }
}

/// What overtakes what in a subscriber's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Overtakes the others.
    High,
    /// What most messages have.
    #[default]
    Normal,
    /// Waits for the others.
    Bulk,
}

impl Priority {
    /// All priorities, the first overtakes.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Bulk];

    /// The word that JSON lines and people use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }

    /// The number that binary frames carry: 0, 1, 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The priority of this name, if it is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name() == name)
    }

    /// The priority with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.number() == number)
    }
}
