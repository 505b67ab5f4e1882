//! A message as the reference expects it, and whether one that was heard is it.
//!
//! Everything is compared, payloads to the byte. What only the daemon can know is learnt from the
//! first time that it is heard, and must be the same from then on: the ids that it makes, which
//! must rise in the order in which they were made, and its reply topics, which must be new.
//!
//! Of the daemon's own payloads the fields that the document names are compared; further ones may
//! come.

use crate::tests::heard::Message;
use kith_wire::{
    Delivery, Headers, MessageId, Options, Priority, Protocol, Publication, Scope, Topic,
};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a subscriber should hear.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) id: Id,
    pub(super) sender: String,
    pub(super) petname: Option<String>,
    pub(super) device: Option<String>,
    pub(super) scope: Scope,
    pub(super) protocol: String,
    pub(super) topic: String,
    pub(super) sent_at: u64,
    pub(super) expires_at: Option<u64>,
    pub(super) reply_to: ReplyTo,
    pub(super) priority: Priority,
    pub(super) retained: bool,
    pub(super) headers: Vec<(String, String)>,
    pub(super) payload: Payload,
    /// Whether it tells of lag, and is not told of where it is lost itself.
    pub(super) about_lag: bool,
    /// Whether it was published without options, and may so be sent as a run.
    pub(super) plain: bool,
}

/// A message id.
#[derive(Clone, Debug)]
pub(super) enum Id {
    Given(u128),
    /// Of those that were made `order`th, all at once, this one.
    Made {
        order: u64,
        place: u32,
        first: Rc<Cell<Option<u128>>>,
    },
}

/// Where an answer is wanted.
#[derive(Clone, Debug)]
pub(super) enum ReplyTo {
    Nowhere,
    Given(String),
    /// A topic that the daemon makes.
    Made(Rc<RefCell<Option<String>>>),
}

/// What is in a message.
#[derive(Clone)]
pub(super) enum Payload {
    Bytes(Vec<u8>),
    /// An object with at least these fields, or a list of such objects.
    Fields(Value),
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => {
                let begin = bytes.get(..60).unwrap_or(bytes);
                write!(f, "{} bytes: {}", bytes.len(), String::from_utf8_lossy(begin))
            }
            Self::Fields(fields) => write!(f, "{fields}"),
        }
    }
}

/// The ids that the daemon made, by the order in which it did.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeMap<u64, u128>);

impl Ids {
    /// Learns an id, or compares it with what was learnt.
    pub(super) fn learn(&mut self, id: &Id, heard: u128) -> Result<(), String> {
        let (order, place, first) = match id {
            Id::Given(given) if *given == heard => return Ok(()),
            Id::Given(given) => return Err(format!("id {heard:x}, not {given:x}")),
            Id::Made { order, place, first } => (*order, *place, first),
        };
        let begin = heard.wrapping_sub(place.into());
        match first.get() {
            Some(known) if known == begin => return Ok(()),
            Some(known) => return Err(format!("id {heard:x}, {place} after {known:x}")),
            None => first.set(Some(begin)),
        }
        let before = self.0.range(..order).next_back().map_or(0, |(_, id)| *id);
        let after = self.0.range(order + 1..).next().map_or(u128::MAX, |(_, id)| *id);
        if begin <= before || after <= begin {
            return Err(format!("id {begin:x} is not between {before:x} and {after:x}"));
        }
        self.0.insert(order, begin);
        Ok(())
    }
}

/// The number of an id that was heard; it must be of version 7.
pub(super) fn id_of(text: &str) -> Option<u128> {
    MessageId::from_text(text).ok().map(|id| u128::from_be_bytes(*id.as_bytes()))
}

impl Expected {
    /// What a program of this machine publishes.
    pub(super) fn local(id: Id, unix_ms: u64, publication: &Publication<'_>) -> Self {
        let Publication { topic, protocol, payload, options } = publication;
        let headers = options.headers.iter().map(|(key, value)| (key.into(), value.into()));
        let reply_to = options.reply_to.as_ref();
        Self {
            id,
            sender: "local".to_owned(),
            petname: None,
            device: None,
            scope: Scope::Own,
            protocol: protocol.to_string(),
            topic: topic.to_string(),
            sent_at: unix_ms,
            expires_at: options.expire_after_ms.map(|ms| unix_ms + ms),
            reply_to: reply_to.map_or(ReplyTo::Nowhere, |to| ReplyTo::Given(to.to_string())),
            priority: options.priority,
            retained: false,
            headers: headers.collect(),
            payload: Payload::Bytes(payload.to_vec()),
            about_lag: false,
            plain: *options == Options::default(),
        }
    }

    /// Whether this is what was heard, as far as it is known by now.
    pub(super) fn agrees(&self, heard: &Message) -> bool {
        let reply_to = match (&self.reply_to, &heard.reply_to) {
            (ReplyTo::Nowhere, None) => true,
            (ReplyTo::Given(topic), Some(heard)) => topic == heard,
            (ReplyTo::Made(topic), Some(heard)) => match &*topic.borrow() {
                Some(topic) => topic == heard,
                None => heard.starts_with("bus.reply."),
            },
            _ => false,
        };
        let id = match (&self.id, id_of(&heard.message_id)) {
            (Id::Given(id), Some(heard)) => *id == heard,
            (Id::Made { place, first, .. }, Some(heard)) => {
                let known = first.get().map(|first| first.wrapping_add((*place).into()));
                // The first 48 bits are the time: never before the message, but later if the
                // clock was set back.
                known
                    .map_or_else(|| u128::from(self.sent_at) <= heard >> 80, |known| known == heard)
            }
            (_, None) => false,
        };
        let payload = match &self.payload {
            Payload::Bytes(bytes) => *bytes == heard.payload,
            Payload::Fields(fields) => serde_json::from_slice(&heard.payload)
                .is_ok_and(|heard: Value| is_within(fields, &heard)),
        };
        id && reply_to
            && payload
            && self.sender == heard.sender
            && self.petname == heard.petname
            && self.device == heard.device
            && self.scope.name() == heard.scope
            && self.protocol == heard.protocol
            && self.topic == heard.topic
            && self.sent_at == heard.sent_at
            && self.expires_at == heard.expires_at
            && self.priority.name() == heard.priority
            && self.retained == heard.retained
            && self.headers == heard.headers
    }

    /// Bytes that it takes at most in the stream of one client, without notices before it.
    pub(super) fn bytes(&self, binary: bool, number: u32) -> usize {
        let payload = match &self.payload {
            Payload::Bytes(bytes) => bytes.clone(),
            // There may be more fields.
            Payload::Fields(fields) => format!("{fields}{}", " ".repeat(512)).into_bytes(),
        };
        let topic = |topic: &str| Topic::new(topic.to_owned()).unwrap();
        let protocol = Protocol::new(self.protocol.clone()).unwrap();
        let mut headers = Headers::new();
        for (key, value) in &self.headers {
            headers.insert(key, value).unwrap();
        }
        if self.plain && binary {
            let name = if protocol.is_ms() { 0 } else { self.protocol.len() };
            return 40 + 12 + self.topic.len() + name + payload.len();
        }
        let delivery = Delivery {
            message_id: MessageId::from_parts(1, &[0; 10]),
            sender: &self.sender,
            petname: self.petname.as_deref(),
            device: self.device.as_deref(),
            scope: self.scope,
            protocol,
            topic: topic(&self.topic),
            sent_at_ms: self.sent_at,
            expires_at_ms: self.expires_at,
            reply_to: match &self.reply_to {
                ReplyTo::Nowhere => None,
                ReplyTo::Given(to) => Some(topic(to)),
                ReplyTo::Made(_) => Some(topic(&format!("bus.reply.{:032x}", 0))),
            },
            priority: self.priority,
            retained: self.retained,
            attempt: None,
            headers,
            payload: &payload,
            sealed_bytes: None,
        };
        let mut bytes = Vec::new();
        if binary {
            kith_wire::binary::deliver::message(&mut bytes, number, &delivery);
        } else {
            let number = std::num::NonZeroU32::new(number).unwrap();
            kith_wire::json::deliver::message_head(&mut bytes, number);
            kith_wire::json::deliver::tail(&mut bytes, &delivery);
        }
        bytes.len()
    }
}

/// Whether all that is expected is there.
fn is_within(expected: &Value, heard: &Value) -> bool {
    match (expected, heard) {
        (Value::Object(expected), Value::Object(heard)) => expected
            .iter()
            .all(|(name, value)| heard.get(name).is_some_and(|heard| is_within(value, heard))),
        (Value::Array(expected), Value::Array(heard)) => {
            let mut pairs = expected.iter().zip(heard);
            expected.len() == heard.len() && pairs.all(|(one, heard)| is_within(one, heard))
        }
        _ => expected == heard,
    }
}
