//! What the broker knows of one connection, and how much it uses.

use super::standing::Standing;
use super::will::Will;
use crate::index::SubscriptionKey;
use crate::outbox::Outbox;
use kith_wire::{Code, RequestNumber};
use std::collections::BTreeMap;

/// Names one connection. Never used again, even when its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId {
    /// Its place in the broker's list, which others get after it.
    pub(crate) place: u32,
    /// Which of all connections since the start it is.
    pub(crate) serial: u64,
}

impl ClientId {
    /// Which of all connections since the start it is; what `bus.clients` shows.
    #[must_use]
    pub fn serial(self) -> u64 {
        self.serial
    }

    /// Its place in the broker's list.
    pub(crate) fn place(self) -> usize {
        self.place as usize
    }
}

/// How a connection is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// One JSON object a line. Also what a connection is told that has said nothing sensible yet.
    #[default]
    JsonLines,
    /// Binary frames.
    Binary,
}

impl Framing {
    /// The word for it in `bus.clients`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "json",
            Self::Binary => "binary",
        }
    }
}

/// Why a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It has said goodbye, with this number.
    SaidGoodbye(Option<RequestNumber>),
    /// The daemon stops.
    ShuttingDown,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) framing: Framing,
    /// The name of its door, if that is not the socket's.
    pub(crate) door: Option<&'static str>,
    /// Whether it has said enough for the framing to be known.
    pub(crate) has_begun: bool,
    pub(crate) name: Option<String>,
    /// The client id of `hello`.
    pub(crate) identity: Option<[u8; 16]>,
    pub(crate) outbox: Outbox,
    /// By number. Ordered, because clients choose the numbers.
    pub(crate) subscriptions: BTreeMap<u32, SubscriptionKey>,
    /// What they count together, see [`crate::index::weight`].
    pub(crate) subscriptions_weight: usize,
    /// Requests that wait: their numbers, and the tokens of their reply topics.
    pub(crate) requests: BTreeMap<u32, u128>,
    /// Questions that the shell has not answered yet.
    pub(crate) asked: usize,
    pub(crate) will: Option<Will>,
    /// Bytes of a frame or line of which the rest has not come yet.
    pub(crate) unfinished_bytes: usize,
    /// Whether it takes payloads in descriptors, and may send them.
    pub(crate) takes_descriptors: bool,
    /// Descriptors that are ahead of their frames.
    pub(crate) unclaimed_descriptors: usize,
    /// What it may do.
    pub(crate) standing: Standing,
    /// Answers that it gets when the store has answered.
    pub(crate) unstored_answers: usize,
    /// Bytes of its messages that are on their way to the store.
    pub(crate) unstored_bytes: usize,
    /// It goes, and gets those answers first.
    pub(crate) leaving: Option<Leaving>,
    /// Its durable subscriptions: their numbers, and their consumers.
    pub(crate) durable: BTreeMap<u32, u32>,
    /// Nothing more is taken from it; it is closed once its queue is empty.
    pub(crate) closing: bool,
    /// It said goodbye, and is closed for that.
    pub(crate) said_goodbye: bool,
    /// It is closed for what it said, with this code.
    pub(crate) cut_off: Option<Code>,
    /// Stands in the list of clients to be flushed.
    pub(crate) flush_due: bool,
    /// The process at the other end, if it is known.
    pub(crate) pid: Option<u32>,
    pub(crate) published: u64,
    pub(crate) published_bytes: u64,
    pub(crate) delivered: u64,
    pub(crate) delivered_bytes: u64,
    pub(crate) dropped: u64,
}

impl Client {
    pub(crate) fn new(id: ClientId, door: Option<&'static str>) -> Self {
        Self {
            id,
            framing: Framing::default(),
            door,
            has_begun: false,
            name: None,
            identity: None,
            outbox: Outbox::default(),
            subscriptions: BTreeMap::new(),
            subscriptions_weight: 0,
            requests: BTreeMap::new(),
            asked: 0,
            will: None,
            unfinished_bytes: 0,
            takes_descriptors: false,
            unclaimed_descriptors: 0,
            unstored_answers: 0,
            unstored_bytes: 0,
            leaving: None,
            durable: BTreeMap::new(),
            standing: Standing::default(),
            closing: false,
            said_goodbye: false,
            cut_off: None,
            flush_due: false,
            pid: None,
            published: 0,
            published_bytes: 0,
            delivered: 0,
            delivered_bytes: 0,
            dropped: 0,
        }
    }

    /// The word for its framing, once that is known, or for its door.
    pub(crate) fn framing_name(&self) -> Option<&'static str> {
        self.door.or_else(|| self.has_begun.then(|| self.framing.name()))
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            queued_bytes: self.outbox.message_bytes(),
            queued_messages: self.outbox.messages(),
            subscriptions: self.subscriptions.len() + self.durable.len(),
            requests: self.requests.len(),
            unstored: self.unstored_answers,
            published: self.published,
            published_bytes: self.published_bytes,
            delivered: self.delivered,
            delivered_bytes: self.delivered_bytes,
            dropped: self.dropped,
            refused: self.standing.refused,
        }
    }
}

/// What one connection uses and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of messages that wait for it.
    pub queued_bytes: usize,
    /// Messages that wait for it.
    pub queued_messages: usize,
    /// Its subscriptions.
    pub subscriptions: usize,
    /// Its requests that wait.
    pub requests: usize,
    /// Answers that wait for the store.
    pub unstored: usize,
    /// Messages it published.
    pub published: u64,
    /// Bytes of their payloads.
    pub published_bytes: u64,
    /// Messages queued for it.
    pub delivered: u64,
    /// Bytes of their payloads.
    pub delivered_bytes: u64,
    /// Messages dropped because its queue was full.
    pub dropped: u64,
    /// What it was refused because it was not granted.
    pub refused: u64,
}
