//! What a client heard, in one form for both framings, and in words short enough to be compared
//! with a list in a test.

use data_encoding::BASE64;
use kith_wire::binary::{frame, receive};
use kith_wire::{Delivery, Event};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

/// One thing that the broker told a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Ok { number: u32, message_id: Option<String>, duplicate: bool, stored: bool },
    Err { number: Option<u32>, code: String, text: String, at: Option<u64>, fatal: bool },
    Message { subscription: u32, message: Message },
    Lag { subscription: u32, count: u64 },
    Reply { number: u32, message: Message },
    Welcome { number: u32, version: String, payload_bytes_max: u64 },
    Bye { code: String, text: String },
}

/// A message that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) message_id: String,
    pub(crate) sender: String,
    pub(crate) petname: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) scope: String,
    pub(crate) protocol: String,
    pub(crate) topic: String,
    pub(crate) sent_at: u64,
    pub(crate) expires_at: Option<u64>,
    pub(crate) reply_to: Option<String>,
    pub(crate) priority: String,
    pub(crate) retained: bool,
    /// Of a durable subscription: which delivery of it this is.
    pub(crate) attempt: Option<u32>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Vec<u8>,
    /// Whether the payload came in a descriptor.
    pub(crate) is_sealed: bool,
}

impl Heard {
    /// The message of a delivery or a reply.
    pub(crate) fn message(&self) -> &Message {
        match self {
            Self::Message { message, .. } | Self::Reply { message, .. } => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    /// In a few words: `ok 1`, `msg 1 a.b {"x":1}`, `lag 1 of 3`, `err 2 no-responders`.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Ok { number, duplicate, stored, .. } => {
                let duplicate = if *duplicate { " duplicate" } else { "" };
                format!("ok {number}{duplicate}{}", if *stored { " stored" } else { "" })
            }
            Self::Err { number, code, fatal, .. } => {
                let number = number.map_or("-".to_owned(), |number| number.to_string());
                format!("err {number} {code}{}", if *fatal { " fatal" } else { "" })
            }
            Self::Message { subscription, message } => {
                format!("msg {subscription} {}", message.text())
            }
            Self::Lag { subscription, count } => format!("lag {subscription} of {count}"),
            Self::Reply { number, message } => format!("reply {number} {}", message.text()),
            Self::Welcome { number, .. } => format!("welcome {number}"),
            Self::Bye { code, .. } => format!("bye {code}"),
        }
    }
}

impl Message {
    fn text(&self) -> String {
        let protocol = match self.protocol.as_str() {
            "ms" => String::new(),
            other => format!("{other}/"),
        };
        let retained = if self.retained { " retained" } else { "" };
        let attempt = match self.attempt {
            None | Some(1) => String::new(),
            Some(attempt) => format!(" attempt {attempt}"),
        };
        let payload = String::from_utf8_lossy(&self.payload);
        format!("{protocol}{} {payload}{retained}{attempt}", self.topic)
    }

    fn of_delivery(delivery: &Delivery<'_>, handed: &mut VecDeque<Vec<u8>>) -> Self {
        let headers = delivery.headers.iter().map(|(key, value)| (key.into(), value.into()));
        Self {
            message_id: delivery.message_id.to_string(),
            sender: delivery.sender.to_owned(),
            petname: delivery.petname.map(str::to_owned),
            device: delivery.device.map(str::to_owned),
            scope: delivery.scope.to_string(),
            protocol: delivery.protocol.to_string(),
            topic: delivery.topic.to_string(),
            sent_at: delivery.sent_at_ms,
            expires_at: delivery.expires_at_ms,
            reply_to: delivery.reply_to.as_ref().map(ToString::to_string),
            priority: delivery.priority.name().to_owned(),
            retained: delivery.retained,
            attempt: delivery.attempt.map(NonZeroU32::get),
            headers: headers.collect(),
            payload: match delivery.sealed_bytes {
                None => delivery.payload.to_vec(),
                Some(bytes) => {
                    let payload = handed.pop_front().expect("its descriptor has not come");
                    assert_eq!(payload.len() as u64, bytes);
                    payload
                }
            },
            is_sealed: delivery.sealed_bytes.is_some(),
        }
    }

    /// `text` is the line as it was read, for the exact bytes of the payload.
    fn of_line(line: &Value, text: &[u8]) -> Self {
        let protocol = text_of(line, "protocol").unwrap();
        let payload = match text_of(line, "payload_b64") {
            Some(text) => BASE64.decode(text.as_bytes()).unwrap(),
            None => {
                let fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(text).unwrap();
                fields["payload"].get().as_bytes().to_vec()
            }
        };
        assert_eq!(protocol == "ms", line.get("payload").is_some(), "{line}");
        let headers = line.get("headers").and_then(Value::as_object).into_iter().flatten();
        Self {
            message_id: text_of(line, "msg_id").unwrap(),
            sender: text_of(line, "sender").unwrap(),
            petname: text_of(line, "petname"),
            device: text_of(line, "device"),
            scope: text_of(line, "scope").unwrap(),
            protocol,
            topic: text_of(line, "topic").unwrap(),
            sent_at: line["sent_at"].as_u64().unwrap(),
            expires_at: line["expires_at"].as_u64(),
            reply_to: text_of(line, "reply_to"),
            priority: text_of(line, "priority").unwrap_or_else(|| "normal".to_owned()),
            retained: line["retained"] == Value::Bool(true),
            attempt: line["attempt"].as_u64().and_then(|attempt| u32::try_from(attempt).ok()),
            headers: headers.map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect(),
            payload,
            is_sealed: false,
        }
    }
}

/// All that was heard, in words.
pub(crate) fn texts(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::text).collect()
}

/// Takes what is whole off `bytes`: lines.
pub(super) fn take_lines(bytes: &mut Vec<u8>) -> Vec<Heard> {
    let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let whole: Vec<u8> = bytes.drain(..end).collect();
    let lines = whole.split_inclusive(|byte| *byte == b'\n');
    lines.map(of_line).collect()
}

/// Takes what is whole off `bytes`: frames; and their payloads off what was handed over.
pub(super) fn take_frames(bytes: &mut Vec<u8>, handed: &mut VecDeque<Vec<u8>>) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(frame) = frame::split(rest, usize::MAX).unwrap() {
        let each = |event: Event<'_>| {
            heard.push(of_event(&event, handed));
            Ok(())
        };
        receive::events(frame, each).unwrap();
        rest = &rest[frame.bytes.len()..];
    }
    let done = bytes.len() - rest.len();
    bytes.drain(..done);
    heard
}

fn of_line(text: &[u8]) -> Heard {
    let line: &Value = &serde_json::from_slice(text).unwrap();
    let number = |name: &str| u32::try_from(line[name].as_u64().unwrap()).unwrap();
    match line["op"].as_str().unwrap() {
        "ok" if line.get("version").is_some() => Heard::Welcome {
            number: number("id"),
            version: text_of(line, "version").unwrap(),
            payload_bytes_max: line["payload_bytes_max"].as_u64().unwrap(),
        },
        "ok" => Heard::Ok {
            number: number("id"),
            message_id: text_of(line, "msg_id"),
            duplicate: line["duplicate"] == Value::Bool(true),
            stored: line["state"] == "stored",
        },
        "err" => Heard::Err {
            number: line.get("id").map(|_| number("id")),
            code: text_of(line, "code").unwrap(),
            text: text_of(line, "text").unwrap(),
            at: line["at"].as_u64(),
            fatal: line["fatal"] == Value::Bool(true),
        },
        "msg" => {
            Heard::Message { subscription: number("sub"), message: Message::of_line(line, text) }
        }
        "lag" => Heard::Lag { subscription: number("sub"), count: line["count"].as_u64().unwrap() },
        "reply" => Heard::Reply { number: number("id"), message: Message::of_line(line, text) },
        "bye" => Heard::Bye {
            code: text_of(line, "code").unwrap(),
            text: text_of(line, "text").unwrap(),
        },
        other => panic!("unknown op {other}"),
    }
}

fn of_event(event: &Event<'_>, handed: &mut VecDeque<Vec<u8>>) -> Heard {
    let name = |code: &Option<kith_wire::Code>| code.unwrap().name().to_owned();
    match event {
        Event::Bye { code, text } => Heard::Bye { code: name(code), text: (*text).to_owned() },
        Event::Err { number, code, text, at, fatal } => Heard::Err {
            number: number.map(|number| number.get()),
            code: name(code),
            text: (*text).to_owned(),
            at: *at,
            fatal: *fatal,
        },
        Event::Lag { subscription, count } => {
            Heard::Lag { subscription: subscription.get(), count: *count }
        }
        Event::Message { subscription, delivery } => Heard::Message {
            subscription: subscription.get(),
            message: Message::of_delivery(delivery, handed),
        },
        Event::Ok { number, message_id, duplicate, stored } => Heard::Ok {
            number: number.get(),
            message_id: message_id.map(|id| id.to_string()),
            duplicate: *duplicate,
            stored: *stored,
        },
        Event::Reply { number, delivery } => {
            Heard::Reply { number: number.get(), message: Message::of_delivery(delivery, handed) }
        }
        Event::Welcome { number, version, payload_bytes_max, .. } => Heard::Welcome {
            number: number.get(),
            version: (*version).to_owned(),
            payload_bytes_max: *payload_bytes_max,
        },
    }
}

fn text_of(line: &Value, name: &str) -> Option<String> {
    line.get(name).map(|value| value.as_str().unwrap().to_owned())
}
