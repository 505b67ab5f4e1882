//! What the daemon says, in one form for both framings.
//!
//! The form is that of JSON lines, since it has a name for everything. A line is read strictly: a
//! field that the protocol does not know, or one that stands there twice, is a finding. Payloads of
//! protocol `ms` are compared as text, for nothing may change them but the white space around them.

use data_encoding::BASE64;
use kith_wire::{Code, Delivery, Event, Headers, Priority};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// One line or frame of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Heard {
    pub(crate) op: String,
    pub(crate) id: Option<u32>,
    pub(crate) sub: Option<u32>,
    pub(crate) count: Option<u64>,
    pub(crate) code: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) at: Option<u64>,
    pub(crate) fatal: bool,
    pub(crate) version: Option<String>,
    /// A name where a message has it, a number in the answer to `hello`.
    pub(crate) protocol: Option<Value>,
    pub(crate) payload_bytes_max: Option<u64>,
    pub(crate) msg_id: Option<String>,
    pub(crate) duplicate: bool,
    pub(crate) state: Option<String>,
    pub(crate) sender: Option<String>,
    pub(crate) petname: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) sent_at: Option<u64>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) reply_to: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) retained: bool,
    pub(crate) attempt: Option<u32>,
    pub(crate) headers: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "as_it_stands")]
    pub(crate) payload: Option<String>,
    pub(crate) payload_b64: Option<String>,
}

/// The text of a value; `null` is one too.
fn as_it_stands<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = Box::<RawValue>::deserialize(from)?;
    Ok(Some(value.get().to_owned()))
}

impl Heard {
    /// Reads one line, which has to end with the only line break in it.
    pub(crate) fn of_line(line: &[u8]) -> Self {
        let text = str::from_utf8(line).unwrap();
        let text = text.strip_suffix('\n').expect("a line ends with its line feed");
        let breaks = |byte: &u8| *byte == b'\n' || *byte == b'\r';
        assert!(!text.as_bytes().iter().any(breaks), "a line break inside of a line: {text:?}");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What the line of this event has to say.
    pub(crate) fn of_event(event: &Event<'_>) -> Self {
        match event {
            Event::Bye { code, text } => {
                Self { code: named(*code), text: Some((*text).to_owned()), ..Self::new("bye") }
            }
            Event::Err { number, code, text, at, fatal } => Self {
                id: number.map(|number| number.get()),
                code: named(*code),
                text: Some((*text).to_owned()),
                at: *at,
                fatal: *fatal,
                ..Self::new("err")
            },
            Event::Lag { subscription, count } => {
                Self { sub: Some(subscription.get()), count: Some(*count), ..Self::new("lag") }
            }
            Event::Message { subscription, delivery } => {
                Self { sub: Some(subscription.get()), ..Self::new("msg") }.with(delivery)
            }
            Event::Ok { number, message_id, duplicate, stored } => Self {
                id: Some(number.get()),
                msg_id: message_id.map(|id| id.to_string()),
                duplicate: *duplicate,
                state: stored.then(|| "stored".to_owned()),
                ..Self::new("ok")
            },
            Event::Reply { number, delivery } => {
                Self { id: Some(number.get()), ..Self::new("reply") }.with(delivery)
            }
            Event::Welcome { number, version, payload_bytes_max, .. } => Self {
                id: Some(number.get()),
                version: Some((*version).to_owned()),
                protocol: Some(1.into()),
                payload_bytes_max: Some(*payload_bytes_max),
                ..Self::new("ok")
            },
        }
    }

    fn new(op: &str) -> Self {
        Self { op: op.to_owned(), ..Self::default() }
    }

    fn with(self, delivery: &Delivery<'_>) -> Self {
        let is_ms = delivery.protocol.is_ms();
        Self {
            msg_id: Some(delivery.message_id.to_string()),
            sender: Some(delivery.sender.to_owned()),
            petname: delivery.petname.map(str::to_owned),
            device: delivery.device.map(str::to_owned),
            scope: Some(delivery.scope.name().to_owned()),
            protocol: Some(delivery.protocol.as_str().into()),
            topic: Some(delivery.topic.to_string()),
            sent_at: Some(delivery.sent_at_ms),
            expires_at: delivery.expires_at_ms,
            reply_to: delivery.reply_to.as_ref().map(ToString::to_string),
            priority: Some(delivery.priority)
                .filter(|one| *one != Priority::Normal)
                .map(|one| one.name().to_owned()),
            retained: delivery.retained,
            attempt: delivery.attempt.map(|attempt| attempt.get()),
            headers: map_of(&delivery.headers),
            payload: is_ms.then(|| trimmed(delivery.payload)),
            payload_b64: (!is_ms).then(|| BASE64.encode(delivery.payload)),
            ..self
        }
    }

    /// Whether it is a message that the daemon made, whose payload tells of bytes and framings.
    pub(crate) fn is_of_daemon(&self) -> bool {
        self.topic.as_ref().is_some_and(|topic| topic.starts_with("bus."))
    }
}

fn named(code: Option<Code>) -> Option<String> {
    Some(code.map_or("unknown", Code::name).to_owned())
}

fn map_of(headers: &Headers) -> Option<BTreeMap<String, String>> {
    let pairs = headers.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    Some(pairs.collect()).filter(|map: &BTreeMap<_, _>| !map.is_empty())
}

/// A JSON text without the white space around it; nothing at all is written as `null`.
fn trimmed(payload: &[u8]) -> String {
    let text = str::from_utf8(payload).expect("an `ms` payload is text");
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() { "null".to_owned() } else { text.to_owned() }
}
