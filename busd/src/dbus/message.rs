//! What the daemon says, as D-Bus messages: signals, answers and errors.
//!
//! A delivery is written as it comes, straight into an `a{sv}`: no tree of values is made of it.
//! Its payload is text, bytes, or a descriptor; which of them, its protocol and its size say.

use super::description::{INTERFACE, PATH};
use super::error::Failure;
use super::people;
use super::waiting::Form;
use crate::limits::DBUS_PAYLOAD_BYTES_MAX;
use kith_sealed::SealedMemory;
use kith_wire::{Delivery, MessageId, Priority};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::sync::Arc;
use zbus::message::{Flags, Header, Type as Kind};
use zbus::names::UniqueName;
use zbus::wire::as_variant::Serialize as Inside;
use zbus::wire::{DynamicType, Endian};
use zbus::{Fd, Message, Signature, Type, Variant};

/// What is left of a call while it waits for its answer: who called, and under which serial.
#[derive(Clone, Debug)]
pub(super) struct Slip(Message);

impl Slip {
    /// The slip of a call; nothing if no answer is wanted.
    pub(super) fn of(call: &Header<'_>) -> Option<Self> {
        let primary = call.primary();
        if call.message_type() != Kind::MethodCall
            || primary.flags().contains(Flags::NO_REPLY_EXPECTED)
        {
            return None;
        }
        // Without the body, which may be large.
        let slip = Message::method_call(PATH, "Call")
            .serial(primary.serial_num())
            .endian(Endian::from(primary.endian_sig()))
            .sender(call.sender()?.to_owned());
        slip.build(&()).ok().map(Self)
    }

    /// The answer.
    pub(super) fn answer<B: Serialize + DynamicType>(&self, body: &B) -> zbus::Result<Message> {
        Message::method_return(&self.0.header()).build(body)
    }

    /// The answer that it failed.
    pub(super) fn fail(&self, failure: &Failure) -> zbus::Result<Message> {
        Message::error(&self.0.header(), failure.name.as_str()).build(&failure.text.as_str())
    }
}

/// A signal to one program.
fn signal<B: Serialize + DynamicType>(
    program: &UniqueName<'_>,
    name: &'static str,
    body: &B,
) -> zbus::Result<Message> {
    Message::signal(PATH, INTERFACE, name).destination(program.to_owned()).build(body)
}

/// `Lag`.
pub(super) fn lag(
    program: &UniqueName<'_>,
    subscription: NonZeroU32,
    count: u64,
) -> zbus::Result<Message> {
    signal(program, "Lag", &(subscription.get(), count))
}

/// `Failed`.
pub(super) fn failed(program: &UniqueName<'_>, failure: &Failure) -> zbus::Result<Message> {
    signal(program, "Failed", &(failure.name.as_str(), failure.text.as_str()))
}

/// `Message`.
pub(super) fn message(
    program: &UniqueName<'_>,
    subscription: NonZeroU32,
    delivery: &Delivered<'_>,
) -> zbus::Result<Message> {
    signal(program, "Message", &(subscription.get(), delivery))
}

/// `Delivery`.
pub(super) fn delivery(
    program: &UniqueName<'_>,
    id: MessageId,
    peer: &str,
    state: &str,
) -> zbus::Result<Message> {
    signal(program, "Delivery", &(id.to_string().as_str(), peer, state))
}

/// `Changed` of the interface for people.
pub(super) fn changed(
    program: &UniqueName<'_>,
    change: &str,
    person: &str,
) -> zbus::Result<Message> {
    let signal = Message::signal(PATH, people::INTERFACE, "Changed");
    signal.destination(program.to_owned()).build(&(change, person))
}

/// The answer to `Publish`.
pub(super) fn message_id(slip: &Slip, id: MessageId) -> zbus::Result<Message> {
    slip.answer(&id.to_string().as_str())
}

/// The answer to `Hello`.
pub(super) fn about(slip: &Slip, version: &str, payload_bytes_max: u64) -> zbus::Result<Message> {
    slip.answer(&BTreeMap::from([
        ("payload_bytes_max", Variant::from(payload_bytes_max)),
        ("version", Variant::from(version)),
    ]))
}

/// The answer to `Request`, or to a question about people.
pub(super) fn reply(slip: &Slip, form: Form, delivery: &Delivered<'_>) -> zbus::Result<Message> {
    match (&delivery.payload, form) {
        (_, Form::Whole) => slip.answer(&Inside(delivery)),
        (Payload::Text(text), Form::Text) => slip.answer(text),
        (Payload::Text(text), _) => slip.answer(&Inside(text)),
        (Payload::Bytes(bytes), _) => slip.answer(&Inside(&Octets(bytes))),
        (Payload::Memory(memory), _) => slip.answer(&Inside(&Fd::from(memory.as_fd()))),
    }
}

/// A message to be delivered, with its payload as D-Bus has it.
pub(super) struct Delivered<'a> {
    delivery: &'a Delivery<'a>,
    payload: Payload<'a>,
}

/// A payload as D-Bus has it.
enum Payload<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Memory(Arc<SealedMemory>),
}

impl<'a> Delivered<'a> {
    /// One whose payload is in these bytes.
    pub(super) fn with_bytes(delivery: &'a Delivery<'a>, bytes: &'a [u8]) -> Result<Self, String> {
        let payload = if DBUS_PAYLOAD_BYTES_MAX < bytes.len() {
            let memory = SealedMemory::create(bytes).map_err(|error| error.to_string())?;
            Payload::Memory(Arc::new(memory))
        } else if delivery.protocol.is_ms() {
            // That it is text was checked where it entered.
            Payload::Text(std::str::from_utf8(bytes).map_err(|error| error.to_string())?)
        } else {
            Payload::Bytes(bytes)
        };
        Ok(Self { delivery, payload })
    }

    /// The size of its payload, if that goes in a descriptor.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.payload {
            Payload::Memory(memory) => memory.len(),
            Payload::Text(_) | Payload::Bytes(_) => 0,
        }
    }

    /// One whose payload is in a descriptor, and too large for a message.
    pub(super) fn with_memory(delivery: &'a Delivery<'a>, memory: Arc<SealedMemory>) -> Self {
        Self { delivery, payload: Payload::Memory(memory) }
    }
}

impl Type for Delivered<'_> {
    const SIGNATURE: &'static Signature = <BTreeMap<&str, Variant<'_>> as Type>::SIGNATURE;
}

impl Serialize for Delivered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { delivery, payload } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("msg_id", &Inside(&delivery.message_id.to_string()))?;
        map.serialize_entry("sender", &Inside(&delivery.sender))?;
        if let Some(petname) = &delivery.petname {
            map.serialize_entry("petname", &Inside(petname))?;
        }
        if let Some(device) = &delivery.device {
            map.serialize_entry("device", &Inside(device))?;
        }
        map.serialize_entry("scope", &Inside(&delivery.scope.name()))?;
        map.serialize_entry("protocol", &Inside(&delivery.protocol.as_str()))?;
        map.serialize_entry("topic", &Inside(&delivery.topic.as_str()))?;
        map.serialize_entry("sent_at", &Inside(&delivery.sent_at_ms))?;
        if let Some(ms) = &delivery.expires_at_ms {
            map.serialize_entry("expires_at", &Inside(ms))?;
        }
        if let Some(topic) = &delivery.reply_to {
            map.serialize_entry("reply_to", &Inside(&topic.as_str()))?;
        }
        if delivery.priority != Priority::Normal {
            map.serialize_entry("priority", &Inside(&delivery.priority.name()))?;
        }
        if delivery.retained {
            map.serialize_entry("retained", &Inside(&true))?;
        }
        if let Some(attempt) = delivery.attempt {
            map.serialize_entry("attempt", &Inside(&attempt.get()))?;
        }
        if !delivery.headers.is_empty() {
            let headers: BTreeMap<&str, &str> = delivery.headers.iter().collect();
            map.serialize_entry("headers", &Inside(&headers))?;
        }
        match payload {
            Payload::Text(text) => map.serialize_entry("payload", &Inside(text))?,
            Payload::Bytes(bytes) => map.serialize_entry("payload", &Inside(&Octets(bytes)))?,
            Payload::Memory(memory) => {
                map.serialize_entry("payload_fd", &Inside(&Fd::from(memory.as_fd())))?;
            }
        }
        map.end()
    }
}

/// Bytes, written in one piece.
struct Octets<'a>(&'a [u8]);

impl Type for Octets<'_> {
    const SIGNATURE: &'static Signature = <Vec<u8> as Type>::SIGNATURE;
}

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}
