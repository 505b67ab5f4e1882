//! How what is kept stands in the store: keys, and what is behind them.
//!
//! | key | value |
//! | --- | --- |
//! | `a` | the number that the next message gets |
//! | `c`, consumer | its name, its pattern and how far it may have been delivered, in JSON |
//! | `d`, consumer, message | why it is a dead letter |
//! | `m`, message | the message, as the frame that delivers it, and whose id it bears |
//! | `r`, topic, 0, protocol | the kept value of a topic, as a message |
//! | `w`, consumer, message | waits for this consumer: its size, when it was sent, its expiry |
//!
//! Consumers have 4 bytes and messages 8, both big-endian, so that the order of keys is the order
//! of messages. A message is there once, however many consumers wait for it.
//!
//! A value is read back by the same code that reads what a client is sent; nothing in it is trusted
//! more than that. Its checksum is the store's affair.

use kith_wire::binary::{deliver, frame, receive};
use kith_wire::{Delivery, Event, Pattern};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The key of the next message's number.
pub(super) const NEXT: u8 = b'a';

/// What the keys of each kind begin with.
pub(super) const CONSUMER: u8 = b'c';
pub(super) const DEAD: u8 = b'd';
pub(super) const MESSAGE: u8 = b'm';
pub(super) const RETAINED: u8 = b'r';
pub(super) const WAITING: u8 = b'w';

pub(super) fn consumer_key(consumer: u32) -> [u8; 5] {
    let [a, b, c, d] = consumer.to_be_bytes();
    [CONSUMER, a, b, c, d]
}

pub(super) fn message_key(message: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = message.to_be_bytes();
    [MESSAGE, a, b, c, d, e, f, g, h]
}

pub(super) fn waiting_key(consumer: u32, message: u64) -> [u8; 13] {
    of_consumer(WAITING, consumer, message)
}

pub(super) fn dead_key(consumer: u32, message: u64) -> [u8; 13] {
    of_consumer(DEAD, consumer, message)
}

fn of_consumer(kind: u8, consumer: u32, message: u64) -> [u8; 13] {
    let [a, b, c, d] = consumer.to_be_bytes();
    let [e, f, g, h, i, j, k, l] = message.to_be_bytes();
    [kind, a, b, c, d, e, f, g, h, i, j, k, l]
}

/// A topic holds no zero byte, so the parts can't run into each other.
pub(super) fn retained_key(topic: &str, protocol: &str) -> Vec<u8> {
    [&[RETAINED][..], topic.as_bytes(), &[0], protocol.as_bytes()].concat()
}

/// The consumer and the message of a `w` or `d` key, the message of an `m` key.
pub(super) fn parts(key: &[u8]) -> Option<(u32, u64)> {
    match key.split_first()? {
        (&MESSAGE, rest) => Some((0, u64::from_be_bytes(rest.try_into().ok()?))),
        (&(WAITING | DEAD), rest) => {
            let (consumer, message) = rest.split_first_chunk()?;
            Some((u32::from_be_bytes(*consumer), u64::from_be_bytes(message.try_into().ok()?)))
        }
        (&CONSUMER, rest) => Some((u32::from_be_bytes(rest.try_into().ok()?), 0)),
        _ => None,
    }
}

/// What is kept of a consumer.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct ConsumerRecord<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) pattern: Cow<'a, str>,
    pub(super) created_ms: u64,
    /// Messages up to this one may have been delivered before.
    pub(super) offered: u64,
    /// It was to get what was before it, and has not got all of it.
    #[serde(default)]
    pub(super) is_replaying: bool,
}

impl ConsumerRecord<'_> {
    pub(super) fn written(&self) -> Vec<u8> {
        // A record of texts and numbers can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn read(value: &[u8]) -> Option<ConsumerRecord<'_>> {
        let record: ConsumerRecord<'_> = serde_json::from_slice(value).ok()?;
        Pattern::new(&*record.pattern).is_ok().then_some(record)
    }
}

/// What is kept of one that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitingRecord {
    /// Of its message's record.
    pub(super) bytes: u32,
    pub(super) expires_at_ms: Option<u64>,
    pub(super) sent_at_ms: u64,
}

impl WaitingRecord {
    pub(super) fn written(self) -> Vec<u8> {
        let mut out = self.bytes.to_le_bytes().to_vec();
        out.extend_from_slice(&self.sent_at_ms.to_le_bytes());
        out.extend_from_slice(&self.expires_at_ms.unwrap_or(0).to_le_bytes());
        out
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let (bytes, rest) = value.split_first_chunk()?;
        let (sent, expires) = rest.split_first_chunk()?;
        let expires = u64::from_le_bytes(expires.try_into().ok()?);
        Some(Self {
            bytes: u32::from_le_bytes(*bytes),
            expires_at_ms: (expires > 0).then_some(expires),
            sent_at_ms: u64::from_le_bytes(*sent),
        })
    }
}

/// Why a message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It was delivered again and again, and never acknowledged.
    Unacknowledged = 1,
    /// Its record can't be read any more.
    Damaged = 2,
}

impl Reason {
    /// The one of this number.
    pub(super) fn of(number: u8) -> Option<Self> {
        [Self::Unacknowledged, Self::Damaged].into_iter().find(|reason| *reason as u8 == number)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unacknowledged => "unacknowledged",
            Self::Damaged => "damaged",
        }
    }
}

/// A message as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoredMessage<'a> {
    /// Who gave it its id, if a client did that has a name.
    pub(crate) identity: Option<[u8; 16]>,
    pub(crate) delivery: Delivery<'a>,
}

/// The number of the subscription stands for none.
const NO_SUBSCRIPTION: u32 = 1;

pub(crate) fn write_message(identity: Option<[u8; 16]>, delivery: &Delivery<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(delivery.payload.len() + delivery.topic.as_str().len() + 96);
    out.push(u8::from(identity.is_some()));
    out.extend_from_slice(identity.as_ref().map_or(&[], |identity| &identity[..]));
    deliver::message(&mut out, NO_SUBSCRIPTION, delivery);
    out
}

pub(crate) fn read_message(value: &[u8]) -> Option<StoredMessage<'_>> {
    let (identity, rest) = match value.split_first()? {
        (0, rest) => (None, rest),
        (1, rest) => {
            let (identity, rest) = rest.split_first_chunk()?;
            (Some(*identity), rest)
        }
        _ => return None,
    };
    let frame = frame::split(rest, rest.len()).ok()??;
    let mut found = None;
    receive::events(frame, |event| {
        if let Event::Message { delivery, .. } = event {
            found = Some(delivery);
        }
        Ok(())
    })
    .ok()?;
    found.map(|delivery| StoredMessage { identity, delivery })
}
