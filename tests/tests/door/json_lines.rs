//! JSON lines, from `docs/protocol.md`.

use super::socket::Stream;
use super::words::UNTIL;
use super::{Connection, Delivery, Event, Operation, Publication, Since, Subscription};
use kith_wire::{Code, MessageId};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::os::unix::net::UnixStream;

/// A connection that speaks JSON lines.
pub(crate) struct JsonLines(Stream);

/// Every field that a line of the daemon may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    op: &'a str,
    id: Option<u32>,
    sub: Option<u32>,
    msg_id: Option<&'a str>,
    duplicate: Option<bool>,
    state: Option<&'a str>,
    version: Option<String>,
    protocol: Option<Value>,
    payload_bytes_max: Option<u64>,
    code: Option<&'a str>,
    text: Option<String>,
    at: Option<u64>,
    fatal: Option<bool>,
    sender: Option<String>,
    petname: Option<String>,
    device: Option<String>,
    scope: Option<String>,
    topic: Option<String>,
    sent_at: Option<u64>,
    expires_at: Option<u64>,
    reply_to: Option<String>,
    priority: Option<&'a str>,
    retained: Option<bool>,
    attempt: Option<u32>,
    headers: Option<Map<String, Value>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    payload_b64: Option<&'a str>,
    count: Option<u64>,
}

/// A field that is there, `null` too.
fn present<'a, D: Deserializer<'a>>(field: D) -> Result<Option<&'a RawValue>, D::Error> {
    Deserialize::deserialize(field).map(Some)
}

impl JsonLines {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self(Stream::new(stream))
    }

    /// Says this, whatever it is.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write(bytes.as_ref());
    }

    /// Says this, unless the daemon has closed the connection.
    pub(crate) fn try_say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.try_write(bytes.as_ref());
    }

    /// The next line as it came, without its line feed.
    pub(crate) fn line(&mut self) -> Option<String> {
        self.0.read(|buffer| {
            let end = buffer.iter().position(|byte| *byte == b'\n')?;
            Some((String::from_utf8(buffer[..end].to_vec()).unwrap(), end + 1))
        })
    }
}

impl Connection for JsonLines {
    fn send(&mut self, number: Option<u32>, operation: &Operation) {
        self.say(line(number, operation));
    }

    fn receive(&mut self) -> Option<Event> {
        let line = self.line()?;
        Some(event(&line).unwrap_or_else(|| panic!("not a line of the daemon: {line}")))
    }
}

/// The line of an operation, with its line feed.
pub(super) fn line(number: Option<u32>, operation: &Operation) -> String {
    let mut fields = match operation {
        Operation::Acknowledge { subscription, message_ids } => match message_ids.as_slice() {
            [id] => json!({"op": "ack", "sub": subscription, "msg_id": id.to_string()}),
            ids => {
                let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                json!({"op": "ack", "sub": subscription, "msg_ids": ids})
            }
        },
        Operation::Bye => json!({"op": "bye"}),
        Operation::Hello { name, client } => {
            let client = client.map(|id| id.to_string());
            json!({"op": "hello", "name": name, "client": client})
        }
        Operation::Ping => json!({"op": "ping"}),
        Operation::Publish(publication) => publication_fields("pub", publication),
        Operation::Request { publication, timeout_ms } => {
            let mut fields = publication_fields("req", publication);
            fields["timeout_ms"] = json!(timeout_ms);
            fields
        }
        Operation::Subscribe(Subscription {
            pattern,
            group,
            retained,
            monitor,
            durable,
            since,
        }) => json!({
            "op": "sub",
            "pattern": pattern,
            "group": group,
            "retained": retained,
            "monitor": monitor.then_some(true),
            "durable": durable,
            "since": since.map(|since| match since {
                Since::Start => json!("start"),
                Since::Time(ms) => json!(ms),
                Since::After(id) => json!(id.to_string()),
            }),
        }),
        Operation::Unsubscribe(number) => json!({"op": "unsub", "sub": number}),
        Operation::Unwill => json!({"op": "unwill"}),
        Operation::Will(publication) => publication_fields("will", publication),
    };
    fields["id"] = json!(number);
    fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let mut line = fields.to_string();
    let publication = match operation {
        Operation::Publish(publication)
        | Operation::Request { publication, .. }
        | Operation::Will(publication) => Some(publication),
        _ => None,
    };
    if let Some(payload) = publication.and_then(payload_field) {
        line.truncate(line.len() - 1);
        line.push_str(&payload);
    }
    line.push('\n');
    line
}

/// All fields of a publication but its payload, which has to stay as it is.
fn publication_fields(op: &str, publication: &Publication) -> Value {
    let Publication { topic, protocol, message_id, to, expire_after_ms, .. } = publication;
    let priority = publication.priority.map(|number| ["high", "normal", "bulk"][number as usize]);
    let headers = publication.headers.iter().map(|(key, value)| (key.clone(), json!(value)));
    let headers: Map<String, Value> = headers.collect();
    json!({
        "op": op,
        "topic": topic,
        "protocol": protocol,
        "msg_id": message_id.map(|id| id.to_string()),
        "to": to,
        "expire_after_ms": expire_after_ms,
        "retain": publication.retain.then_some(true),
        "reply_to": publication.reply_to,
        "priority": priority,
        "until": publication.until.map(|until| UNTIL[usize::from(until)]),
        "realtime": publication.realtime.then_some(true),
        "echo": publication.echo.then_some(true),
        "headers": (!headers.is_empty()).then_some(headers),
    })
}

/// The payload's field and the brace behind it. What is no JSON travels as base64 in any case.
fn payload_field(publication: &Publication) -> Option<String> {
    let payload = publication.payload.as_ref()?;
    let is_ms = publication.protocol.as_deref().is_none_or(|protocol| protocol == "ms");
    let json = serde_json::from_slice::<&RawValue>(payload).ok().filter(|_| is_ms);
    let is_one_line =
        |json: &&RawValue| json.get().len() == payload.len() && !json.get().contains(['\r', '\n']);
    Some(match json.filter(is_one_line) {
        Some(json) => format!(",\"payload\":{}}}", json.get()),
        None => format!(",\"payload_b64\":\"{}\"}}", base64(payload)),
    })
}

fn event(line: &str) -> Option<Event> {
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    match line.op {
        "bye" => Some(Event::Bye { code: Code::from_name(line.code?)? }),
        "err" => {
            assert!(line.text.is_some_and(|text| !text.is_empty()), "an error without a text");
            let _ = line.at;
            let (code, fatal) = (Code::from_name(line.code?)?, line.fatal.unwrap_or(false));
            Some(Event::Err { number: line.id, code, fatal })
        }
        "lag" => Some(Event::Lag { subscription: line.sub?, count: line.count? }),
        "msg" => Some(Event::Message { subscription: line.sub?, delivery: delivery(line)? }),
        "ok" if line.version.is_some() => {
            assert_eq!(line.protocol, Some(json!(1)));
            let (number, version) = (line.id?, line.version?);
            Some(Event::Welcome { number, version, payload_bytes_max: line.payload_bytes_max? })
        }
        "ok" => {
            let message_id = line.msg_id.map(|id| MessageId::from_text(id).unwrap());
            let duplicate = line.duplicate.unwrap_or(false);
            assert!(line.state.is_none_or(|state| state == "stored"), "{:?}", line.state);
            let stored = line.state.is_some();
            Some(Event::Ok { number: line.id?, message_id, duplicate, stored })
        }
        "reply" => Some(Event::Reply { number: line.id?, delivery: delivery(line)? }),
        _ => None,
    }
}

fn delivery(line: Line<'_>) -> Option<Delivery> {
    let Some(Value::String(protocol)) = line.protocol else { return None };
    let payload = match (line.payload, line.payload_b64) {
        (Some(json), None) if protocol == "ms" => json.get().into(),
        (None, Some(text)) if protocol != "ms" => from_base64(text),
        _ => return None,
    };
    let priority = match line.priority {
        Some("high") => 0,
        None => 1,
        Some("bulk") => 2,
        Some(_) => return None,
    };
    let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    Some(Delivery {
        message_id: MessageId::from_text(line.msg_id?).ok()?,
        sender: line.sender?,
        petname: line.petname,
        device: line.device,
        scope: line.scope?,
        protocol,
        topic: line.topic?,
        sent_at_ms: line.sent_at?,
        expires_at_ms: line.expires_at,
        reply_to: line.reply_to,
        priority,
        retained: line.retained.unwrap_or(false),
        attempt: line.attempt,
        headers: line.headers.unwrap_or_default().into_iter().map(text).collect::<Option<_>>()?,
        payload,
    })
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let block = chunk.iter().fold(0, |block, byte| block << 8 | u32::from(*byte));
        let block = block << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(block >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { digit.into() });
        }
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let digits: Vec<_> = chunk.iter().filter(|digit| **digit != b'=').collect();
        let value = |digit| DIGITS.iter().position(|other| other == digit).unwrap();
        let block = digits.iter().fold(0, |block, digit| block << 6 | value(*digit));
        let block = u32::try_from(block << (6 * (4 - digits.len()))).unwrap();
        bytes.extend_from_slice(&block.to_be_bytes()[1..digits.len()]);
    }
    bytes
}

#[test]
fn base64_is_that_of_the_rfc() {
    // RFC 4648, section 10.
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
        assert_eq!(from_base64(text), bytes.as_bytes());
    }
}
