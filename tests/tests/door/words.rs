//! What is said at a door and what is heard there, whichever door it is.
//!
//! These are the words of `docs/protocol.md` as plain data, with texts where the daemon has types:
//! a contract has to be able to say what is wrong. Nothing here is taken from the daemon's own
//! codecs but codes and message ids, which tests compare and print.

use kith_wire::{Code, MessageId};

/// What a client asks.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Acknowledge { subscription: u32, message_ids: Vec<MessageId> },
    Bye,
    Hello { name: Option<String>, client: Option<MessageId> },
    Ping,
    Publish(Publication),
    Request { publication: Publication, timeout_ms: Option<u32> },
    Subscribe(Subscription),
    Unsubscribe(u32),
    Unwill,
    Will(Publication),
}

/// What is subscribed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscription {
    pub(crate) pattern: String,
    pub(crate) group: Option<String>,
    pub(crate) retained: bool,
    pub(crate) monitor: bool,
    /// The name of the consumer that messages are stored for.
    pub(crate) durable: Option<String>,
    pub(crate) since: Option<Since>,
}

/// From where on messages are wanted that were published before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    Start,
    /// In ms since the epoch.
    Time(u64),
    After(MessageId),
}

/// A message as its publisher gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publication {
    pub(crate) topic: String,
    /// Left out it is `ms`.
    pub(crate) protocol: Option<String>,
    /// Left out altogether (JSON lines), or of no bytes (binary frames).
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) message_id: Option<MessageId>,
    pub(crate) to: Option<String>,
    pub(crate) expire_after_ms: Option<u64>,
    pub(crate) retain: bool,
    pub(crate) reply_to: Option<String>,
    /// 0 is high, 1 normal, 2 bulk.
    pub(crate) priority: Option<u8>,
    pub(crate) headers: Vec<(String, String)>,
    /// 0 is accepted, 1 stored, 2 sent, 3 delivered.
    pub(crate) until: Option<u8>,
    pub(crate) realtime: bool,
    pub(crate) echo: bool,
}

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Bye { code: Code },
    Err { number: Option<u32>, code: Code, fatal: bool },
    Lag { subscription: u32, count: u64 },
    Message { subscription: u32, delivery: Delivery },
    Ok { number: u32, message_id: Option<MessageId>, duplicate: bool, stored: bool },
    Reply { number: u32, delivery: Delivery },
    Welcome { number: u32, version: String, payload_bytes_max: u64 },
}

/// A message as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) message_id: MessageId,
    pub(crate) sender: String,
    pub(crate) petname: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) scope: String,
    pub(crate) protocol: String,
    pub(crate) topic: String,
    pub(crate) sent_at_ms: u64,
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) reply_to: Option<String>,
    /// 0 is high, 1 normal, 2 bulk.
    pub(crate) priority: u8,
    pub(crate) retained: bool,
    /// On a durable subscription, from 1.
    pub(crate) attempt: Option<u32>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Vec<u8>,
}

impl Subscription {
    /// A plain one.
    pub(crate) fn to(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), ..Self::default() }
    }

    /// As a member of this group.
    pub(crate) fn in_group(self, group: &str) -> Self {
        Self { group: Some(group.to_owned()), ..self }
    }

    /// With kept values first.
    pub(crate) fn with_retained(self) -> Self {
        Self { retained: true, ..self }
    }

    /// Which only looks on.
    pub(crate) fn looking_on(self) -> Self {
        Self { monitor: true, ..self }
    }

    /// As one of those that share the messages of this consumer.
    pub(crate) fn durable(self, name: &str) -> Self {
        Self { durable: Some(name.to_owned()), ..self }
    }

    /// With what was published before.
    pub(crate) fn since(self, since: Since) -> Self {
        Self { since: Some(since), ..self }
    }
}

impl Publication {
    /// A JSON value on a topic.
    pub(crate) fn json(topic: &str, payload: &str) -> Self {
        Self { topic: topic.to_owned(), payload: Some(payload.into()), ..Self::default() }
    }

    /// Bytes of a protocol on a topic.
    pub(crate) fn bytes(protocol: &str, topic: &str, payload: impl Into<Vec<u8>>) -> Self {
        let protocol = Some(protocol.to_owned());
        Self { topic: topic.to_owned(), protocol, payload: Some(payload.into()), ..Self::default() }
    }

    /// To be kept as the topic's last value.
    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// With this message id.
    pub(crate) fn with_id(self, id: MessageId) -> Self {
        Self { message_id: Some(id), ..self }
    }

    /// For somebody else.
    pub(crate) fn for_whom(self, to: &str) -> Self {
        Self { to: Some(to.to_owned()), ..self }
    }

    /// To be answered once it is on the disk.
    pub(crate) fn until_stored(self) -> Self {
        Self { until: Some(1), ..self }
    }
}

/// What a publish is to be answered at, in words.
pub(crate) const UNTIL: [&str; 4] = ["accepted", "stored", "sent", "delivered"];

impl Event {
    /// The request number of an answer.
    pub(crate) fn answers(&self) -> Option<u32> {
        match self {
            Self::Err { number, .. } => *number,
            Self::Ok { number, .. } | Self::Reply { number, .. } | Self::Welcome { number, .. } => {
                Some(*number)
            }
            Self::Bye { .. } | Self::Lag { .. } | Self::Message { .. } => None,
        }
    }
}

impl Delivery {
    /// The payload as text.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.payload).unwrap()
    }

    /// The payload as a JSON value.
    pub(crate) fn value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

/// A message id that no other call gives, in any process.
pub(crate) fn new_id() -> MessageId {
    use std::hash::{BuildHasher, RandomState};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let [a, b] = [(); 2].map(|()| RandomState::new().hash_one(now).to_le_bytes());
    let random = [a[0], a[1], a[2], a[3], a[4], b[0], b[1], b[2], b[3], b[4]];
    MessageId::from_parts(u64::try_from(now.as_millis()).unwrap(), &random)
}
