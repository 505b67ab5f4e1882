//! Operations and messages as `docs/dbus.md` has them: calls, and dictionaries.

use super::words::UNTIL;
use super::{Delivery, Operation, Publication, Since};
use crate::session::{KITH, KITH_PATH, Message, PEER, Value, kith_call};
use kith_sealed::SealedMemory;
use kith_wire::{Code, MessageId};
use std::os::fd::OwnedFd;

/// Above, a payload goes in sealed memory.
pub(crate) const MESSAGE_PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// The highest number of a subscription here.
const SUBSCRIPTION_MAX: u32 = i32::MAX as u32;

/// The number of a subscription here: tests take the highest that a stream has for themselves.
pub(super) fn subscription_of(number: u32) -> u32 {
    number & SUBSCRIPTION_MAX
}

/// The call that says this.
pub(super) fn call_of(number: Option<u32>, operation: &Operation) -> Message {
    match operation {
        Operation::Acknowledge { subscription, message_ids } => {
            let [id] = message_ids.as_slice() else { panic!("one at a time here") };
            let subscription = Value::U32(subscription_of(*subscription));
            kith_call("Ack").with([subscription, Value::text(id.to_string())])
        }
        Operation::Bye => kith_call("Bye"),
        Operation::Hello { name, client } => {
            let name = name.clone().map(|name| ("name", Value::Text(name)));
            let client = client.map(|client| ("client", Value::text(client.to_string())));
            kith_call("Hello").with([Value::options(name.into_iter().chain(client))])
        }
        Operation::Ping => Message::call(KITH, KITH_PATH, PEER, "Ping"),
        Operation::Publish(publication) => publishing("Publish", publication, None),
        Operation::Request { publication, timeout_ms } => {
            let timeout = timeout_ms.map(|ms| ("timeout_ms", Value::U32(ms)));
            let more = timeout.into_iter().chain([("whole", Value::Bool(true))]);
            publishing("Request", publication, more)
        }
        Operation::Subscribe(subscription) => {
            let here = subscription_of(number.expect("a subscription has a number"));
            let group = subscription.group.clone().map(|group| ("group", Value::Text(group)));
            let retained = subscription.retained.then_some(("retained", Value::Bool(true)));
            let monitor = subscription.monitor.then_some(("monitor", Value::Bool(true)));
            let durable = subscription.durable.clone().map(|name| ("durable", Value::Text(name)));
            let since = subscription.since.map(|since| match since {
                Since::Start => ("since", Value::text("start")),
                Since::Time(ms) => ("since", Value::U64(ms)),
                Since::After(id) => ("since", Value::text(id.to_string())),
            });
            let number = Some(("subscription", Value::U32(here)));
            let options = [number, group, retained, monitor, durable, since];
            let options = Value::options(options.into_iter().flatten());
            kith_call("Subscribe").with([Value::text(&subscription.pattern), options])
        }
        Operation::Unsubscribe(number) => {
            kith_call("Unsubscribe").with([Value::U32(subscription_of(*number))])
        }
        Operation::Unwill => kith_call("ClearWill"),
        Operation::Will(publication) => publishing("SetWill", publication, None),
    }
}

/// Topic, destination, payload, options.
fn publishing(
    member: &str,
    publication: &Publication,
    more: impl IntoIterator<Item = (&'static str, Value)>,
) -> Message {
    let Publication { protocol, payload, message_id, expire_after_ms, .. } = publication.clone();
    let Publication { retain, reply_to, priority, headers, .. } = publication.clone();
    let is_json = protocol.as_deref().unwrap_or("ms") == "ms";
    let payload = match payload.unwrap_or_default() {
        large if large.len() > MESSAGE_PAYLOAD_BYTES_MAX => Value::Descriptor(0),
        // D-Bus has no texts with a zero byte.
        bytes if !is_json || bytes.contains(&0) => Value::Bytes(bytes),
        bytes => match String::from_utf8(bytes) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Bytes(error.into_bytes()),
        },
    };
    let headers: Vec<_> =
        headers.into_iter().map(|(key, value)| (Value::Text(key), Value::Text(value))).collect();
    let priority = priority.map(|priority| ["high", "normal", "bulk"][usize::from(priority)]);
    let options = [
        ("protocol", protocol.map(Value::Text)),
        ("msg_id", message_id.map(|id| Value::text(id.to_string()))),
        ("expire_after_ms", expire_after_ms.map(Value::U64)),
        ("retain", retain.then_some(Value::Bool(true))),
        ("reply_to", reply_to.map(Value::Text)),
        ("priority", priority.map(Value::text)),
        ("until", publication.until.map(|until| Value::text(UNTIL[usize::from(until)]))),
        ("realtime", publication.realtime.then_some(Value::Bool(true))),
        ("echo", publication.echo.then_some(Value::Bool(true))),
        ("headers", (!headers.is_empty()).then(|| Value::Dict("ss".to_owned(), headers))),
    ];
    let options = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let to = Value::text(publication.to.as_deref().unwrap_or_default());
    let topic = Value::text(&publication.topic);
    let options = Value::options(options.chain(more));
    kith_call(member).with([topic, to, payload.variant(), options])
}

/// The memory of a payload that is too large for a message.
pub(super) fn sealed(operation: &Operation) -> Option<SealedMemory> {
    let (Operation::Publish(publication)
    | Operation::Will(publication)
    | Operation::Request { publication, .. }) = operation
    else {
        return None;
    };
    let payload = publication.payload.as_deref()?;
    let is_large = payload.len() > MESSAGE_PAYLOAD_BYTES_MAX;
    is_large.then(|| SealedMemory::create(payload).unwrap())
}

/// The bytes of the one descriptor that came with a message, if one did.
pub(crate) fn take_sealed(descriptors: Vec<OwnedFd>) -> Option<Vec<u8>> {
    let mut descriptors = descriptors.into_iter();
    let memory = SealedMemory::from_fd(descriptors.next()?).unwrap();
    assert!(descriptors.next().is_none(), "more than one descriptor");
    Some(memory.map().unwrap().to_vec())
}

/// The code that an error is called by.
pub(crate) fn code_of(error: &str) -> Code {
    let name = error.strip_prefix("org.kithbus.Error.").unwrap_or_else(|| panic!("{error}"));
    let mut kebab = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(character.to_lowercase());
    }
    Code::from_name(&kebab).unwrap_or_else(|| panic!("{error} is no code"))
}

/// A message, whose payload may have come in sealed memory.
pub(crate) fn delivery(found: &Value, sealed: Option<Vec<u8>>) -> Delivery {
    let Value::Dict(types, entries) = found else { panic!("not a message: {found:?}") };
    assert_eq!(types, "sv");
    let known = [
        "msg_id",
        "sender",
        "petname",
        "device",
        "scope",
        "protocol",
        "topic",
        "sent_at",
        "expires_at",
        "reply_to",
        "priority",
        "retained",
        "attempt",
        "headers",
        "payload",
        "payload_fd",
    ];
    for (key, _) in entries {
        assert!(known.contains(&key.as_text()), "what is {key:?}?");
    }
    let text = |key: &str| found.get(key).map(|value| value.as_text().to_owned());
    let number = |key: &str| {
        found.get(key).map(|value| match value {
            Value::U64(number) => *number,
            other => panic!("{key}: {other:?}"),
        })
    };
    let protocol = text("protocol").unwrap();
    let payload = match (found.get("payload"), found.get("payload_fd"), sealed) {
        (Some(Value::Text(text)), None, None) if protocol == "ms" => text.clone().into_bytes(),
        (Some(Value::Bytes(bytes)), None, None) if protocol != "ms" => bytes.clone(),
        (None, Some(Value::Descriptor(0)), Some(bytes)) => {
            assert!(bytes.len() > MESSAGE_PAYLOAD_BYTES_MAX, "{} bytes", bytes.len());
            bytes
        }
        other => panic!("a payload of {protocol}: {other:?}"),
    };
    let retained = found.get("retained");
    assert!([None, Some(&Value::Bool(true))].contains(&retained), "{retained:?}");
    let priority = match text("priority").as_deref() {
        Some("high") => 0,
        None => 1,
        Some("bulk") => 2,
        Some(other) => panic!("priority {other}"),
    };
    Delivery {
        message_id: MessageId::from_text(&text("msg_id").unwrap()).unwrap(),
        sender: text("sender").unwrap(),
        petname: text("petname"),
        device: text("device"),
        scope: text("scope").unwrap(),
        protocol,
        topic: text("topic").unwrap(),
        sent_at_ms: number("sent_at").unwrap(),
        expires_at_ms: number("expires_at"),
        reply_to: text("reply_to"),
        priority,
        retained: retained.is_some(),
        attempt: found.get("attempt").map(|value| match value {
            Value::U32(attempt) => *attempt,
            other => panic!("attempt: {other:?}"),
        }),
        headers: found.get("headers").map_or_else(Vec::new, headers),
        payload,
    }
}

fn headers(found: &Value) -> Vec<(String, String)> {
    let Value::Dict(types, entries) = found else { panic!("not headers: {found:?}") };
    assert_eq!(types, "ss");
    let pair = |(key, value): &(Value, Value)| (key.as_text().into(), value.as_text().into());
    entries.iter().map(pair).collect()
}
