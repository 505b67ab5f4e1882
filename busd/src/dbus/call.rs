//! From the body of a method call to what is asked of the bus.
//!
//! The signature decides first: what has another one is refused with the right one. Then each
//! argument becomes one of the bus's own types, which can't be wrong. What only the broker can know
//! (is the number in use, does anybody listen), and whether JSON is JSON, is left to the broker, as
//! for every other door.

use super::description::signature_of;
use super::error::Failure;
use super::options::Given;
use super::people;
use crate::limits::{DBUS_PAYLOAD_BYTES_MAX, DBUS_SUBSCRIPTION_MAX};
use kith_sealed::SealedMemory;
use kith_wire::limits::{REQUEST_TIMEOUT_MS_DEFAULT, REQUEST_TIMEOUT_MS_MAX, SEALED_BYTES_MIN};
use kith_wire::{
    Code, MessageId, Pattern, Protocol, Publication, Refusal, Since, Token, Topic, check_consumer,
    check_group, check_name,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use zbus::message::Body;
use zbus::wire::DynamicDeserialize;
use zbus::wire::as_variant::Deserialize as Inside;
use zbus::{OwnedFd, Variant};

const OF_PUBLISH: &[&str] = &[
    "protocol",
    "msg_id",
    "expire_after_ms",
    "retain",
    "reply_to",
    "priority",
    "headers",
    "until",
    "realtime",
    "echo",
];
const OF_WILL: &[&str] = &[
    "protocol",
    "msg_id",
    "expire_after_ms",
    "retain",
    "reply_to",
    "priority",
    "headers",
    "realtime",
    "echo",
];
const OF_REQUEST: &[&str] =
    &["protocol", "msg_id", "expire_after_ms", "priority", "headers", "timeout_ms", "whole"];
const OF_SUBSCRIBE: &[&str] = &["group", "retained", "monitor", "durable", "since", "subscription"];
const OF_HELLO: &[&str] = &["name", "client", "token"];

/// What a program asks.
#[derive(Debug)]
pub(super) enum Call<'a> {
    Acknowledge {
        subscription: NonZeroU32,
        message_id: MessageId,
    },
    /// A question about people.
    Ask(Publication<'a>),
    Bye,
    ClearWill,
    Hello {
        name: Option<String>,
        client: Option<[u8; 16]>,
        token: Option<Token>,
    },
    Ping,
    Publish(Publication<'a>),
    /// The payload is in there, and empty in the publication.
    PublishSealed(Publication<'a>, SealedMemory),
    Request {
        publication: Publication<'a>,
        timeout_ms: u32,
        whole: bool,
    },
    SetWill(Publication<'a>),
    /// A subscription without a number gets one here.
    Subscribe {
        number: Option<NonZeroU32>,
        asked: Asked<'a>,
    },
    Unsubscribe(NonZeroU32),
}

/// What a subscription asks for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) pattern: Pattern<'a>,
    pub(super) group: Option<String>,
    pub(super) retained: bool,
    pub(super) monitor: bool,
    pub(super) durable: Option<String>,
    pub(super) since: Option<Since>,
}

impl<'a> Call<'a> {
    /// What a call of `method` asks, if there is such a method.
    pub(super) fn read(
        method: &str,
        body: &'a Body,
        payload_bytes_max: usize,
    ) -> Option<Result<Self, Failure>> {
        let signature = signature_of(method).or_else(|| people::signature_of(method))?;
        if body.signature().to_string_no_parens() != signature {
            let given = body.signature().to_string_no_parens();
            let text = format!("`{method}` takes ({signature}), not ({given})");
            return Some(Err(Failure::new(Code::BadField, text)));
        }
        if let Some(question) = people::question(method, body) {
            return Some(question.map(Self::Ask));
        }
        Some(Self::read_arguments(method, body, payload_bytes_max))
    }

    fn read_arguments(
        method: &str,
        body: &'a Body,
        payload_bytes_max: usize,
    ) -> Result<Self, Failure> {
        match method {
            "Publish" => {
                let Sent { publication, sealed, .. } = sent(method, OF_PUBLISH, body)?;
                Ok(match sealed {
                    Some(sealed) if SEALED_BYTES_MIN <= sealed.len() => {
                        Self::PublishSealed(publication, sealed)
                    }
                    sealed => Self::Publish(unsealed(publication, sealed, payload_bytes_max)?),
                })
            }
            "Request" => {
                let Sent { publication, sealed, given } = sent(method, OF_REQUEST, body)?;
                let publication = unsealed(publication, sealed, payload_bytes_max)?;
                let (timeout_ms, whole) = (timeout(&given)?, given.flag("whole")?);
                Ok(Self::Request { publication, timeout_ms, whole })
            }
            "SetWill" => {
                let Sent { publication, sealed, .. } = sent(method, OF_WILL, body)?;
                Ok(Self::SetWill(unsealed(publication, sealed, payload_bytes_max)?))
            }
            "Subscribe" => subscribe(body),
            "Unsubscribe" => Ok(Self::Unsubscribe(made(read(body)?)?)),
            "Ack" => {
                let (number, id): (u32, &str) = read(body)?;
                let message_id = MessageId::from_text(id).map_err(Refusal::from)?;
                Ok(Self::Acknowledge { subscription: made(number)?, message_id })
            }
            "Hello" => hello(body),
            "ClearWill" => Ok(Self::ClearWill),
            "Bye" => Ok(Self::Bye),
            _ => Ok(Self::Ping),
        }
    }
}

/// The arguments that `Publish`, `Request` and `SetWill` have alike.
struct Sent<'a> {
    publication: Publication<'a>,
    sealed: Option<SealedMemory>,
    given: Given<'a>,
}

/// A payload as it came.
enum Payload<'a> {
    Bytes(Cow<'a, [u8]>),
    Sealed(SealedMemory),
}

fn sent<'a>(method: &str, known: &[&str], body: &'a Body) -> Result<Sent<'a>, Failure> {
    // Text and bytes are most of what comes, and are taken as they stand; the last of these reads
    // whatever there is, one value at a time.
    let (topic, to, payload, options) = text(body)
        .or_else(|_| bytes(body))
        .or_else(|_| descriptor(body))
        .or_else(|_| anything(body))?;
    let given = Given::new(method, known, options)?;
    let protocol = given.protocol()?;
    let payload = payload.of(&protocol)?;
    let options = given.of_publication(to)?;
    let topic = Topic::new(topic).map_err(Refusal::from)?;
    let (payload, sealed) = match payload {
        Payload::Bytes(bytes) if DBUS_PAYLOAD_BYTES_MAX < bytes.len() => {
            return Err(too_large(bytes.len()));
        }
        Payload::Bytes(bytes) => (bytes, None),
        Payload::Sealed(sealed) => (Cow::Borrowed(&[][..]), Some(sealed)),
    };
    Ok(Sent { publication: Publication { topic, protocol, payload, options }, sealed, given })
}

/// Why a payload does not travel in a message.
pub(super) fn too_large(bytes: usize) -> Failure {
    let text = format!(
        "a payload of {bytes} bytes: on D-Bus one over {DBUS_PAYLOAD_BYTES_MAX} travels as a \
         sealed memfd (type `h`)"
    );
    Failure::new(Code::TooLarge, text)
}

/// A payload as it was given: whether it can be one depends on the protocol.
enum Raw<'a> {
    Bytes(&'a [u8]),
    Descriptor(OwnedFd),
    Value(Variant<'a>),
}

impl<'a> Raw<'a> {
    fn of(self, protocol: &Protocol<'_>) -> Result<Payload<'a>, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(Payload::Bytes(Cow::Borrowed(bytes))),
            Self::Descriptor(descriptor) => match SealedMemory::from_fd(descriptor.into()) {
                Ok(memory) => Ok(Payload::Sealed(memory)),
                Err(error) => Err(Failure::new(Code::BadPayload, error.to_string())),
            },
            Self::Value(value) if protocol.is_ms() => match kith_dbus_json::from_variant(&value) {
                Ok(json) => Ok(Payload::Bytes(Cow::Owned(json.into_bytes()))),
                Err(error) => Err(Failure::new(Code::BadPayload, error.to_string())),
            },
            Self::Value(value) => {
                let signature = value.value_signature();
                let text = format!(
                    "a payload of protocol `{protocol}` is bytes (ay), a string (s) or a sealed \
                     memfd (h), not of type `{signature}`"
                );
                Err(Failure::new(Code::BadPayload, text))
            }
        }
    }
}

type Arguments<'a> = (&'a str, &'a str, Raw<'a>, HashMap<&'a str, Variant<'a>>);

fn text(body: &Body) -> Result<Arguments<'_>, Failure> {
    let (topic, to, payload, options): (_, _, Inside<'_, &str>, _) = read(body)?;
    Ok((topic, to, Raw::Bytes(payload.0.as_bytes()), options))
}

fn bytes(body: &Body) -> Result<Arguments<'_>, Failure> {
    let (topic, to, payload, options): (_, _, Inside<'_, &[u8]>, _) = read(body)?;
    Ok((topic, to, Raw::Bytes(payload.0), options))
}

fn descriptor(body: &Body) -> Result<Arguments<'_>, Failure> {
    let (topic, to, payload, options): (_, _, Inside<'_, OwnedFd>, _) = read(body)?;
    Ok((topic, to, Raw::Descriptor(payload.0), options))
}

fn anything(body: &Body) -> Result<Arguments<'_>, Failure> {
    let (topic, to, payload, options) = read(body)?;
    Ok((topic, to, Raw::Value(payload), options))
}

/// Puts the payload into the publication: only a publish hands descriptors on.
fn unsealed<'a>(
    publication: Publication<'a>,
    sealed: Option<SealedMemory>,
    payload_bytes_max: usize,
) -> Result<Publication<'a>, Failure> {
    let Some(sealed) = sealed else { return Ok(publication) };
    if payload_bytes_max < sealed.len() {
        let bytes = sealed.len();
        let text = format!("a payload of {bytes} bytes, over the limit of {payload_bytes_max}");
        return Err(Failure::new(Code::TooLarge, text));
    }
    let mut payload = Vec::new();
    let read = sealed.read_into(&mut payload);
    read.map_err(|error| Failure::new(Code::BadPayload, error.to_string()))?;
    Ok(Publication { payload: Cow::Owned(payload), ..publication })
}

fn subscribe(body: &Body) -> Result<Call<'_>, Failure> {
    let (pattern, options): (&str, _) = read(body)?;
    let given = Given::new("Subscribe", OF_SUBSCRIBE, options)?;
    let number = given.number("subscription")?.map(subscription).transpose()?;
    let pattern = Pattern::new(pattern).map_err(Refusal::from)?;
    let group = given.text("group")?;
    if let Some(error) = group.and_then(|group| check_group(group).err()) {
        return Err(Failure::new(Code::BadGroup, error.to_string()));
    }
    let durable = given.text("durable")?;
    if let Some(error) = durable.and_then(|durable| check_consumer(durable).err()) {
        return Err(Failure::new(Code::BadConsumer, error.to_string()));
    }
    let asked = Asked {
        pattern,
        group: group.map(str::to_owned),
        retained: given.flag("retained")?,
        monitor: given.flag("monitor")?,
        durable: durable.map(str::to_owned),
        since: given.since()?,
    };
    if asked.group.is_some() && asked.durable.is_some() {
        // The broker is told of one name.
        let text = "a durable subscription can't be one of a group";
        return Err(Failure::new(Code::BadField, text));
    }
    Ok(Call::Subscribe { number, asked })
}

/// The number of a subscription that the program has.
fn made(number: u32) -> Result<NonZeroU32, Failure> {
    let none = || Failure::new(Code::UnknownSubscription, "no subscription has the number 0");
    NonZeroU32::new(number).ok_or_else(none)
}

/// The number that a subscription is to have.
fn subscription(number: u64) -> Result<NonZeroU32, Failure> {
    let number = u32::try_from(number).ok().filter(|number| *number <= DBUS_SUBSCRIPTION_MAX);
    number.and_then(NonZeroU32::new).ok_or_else(|| {
        let text = format!("`subscription` is a number from 1 to {DBUS_SUBSCRIPTION_MAX}");
        Failure::new(Code::BadField, text)
    })
}

fn hello(body: &Body) -> Result<Call<'_>, Failure> {
    let options = read(body)?;
    let given = Given::new("Hello", OF_HELLO, options)?;
    let name = given.text("name")?.map(str::to_owned);
    if let Some(error) = name.as_deref().and_then(|name| check_name(name).err()) {
        return Err(Failure::new(Code::BadField, error.to_string()));
    }
    let token = given.text("token")?.map(Token::new).transpose();
    let token = token.map_err(|error| Failure::new(Code::BadField, error.to_string()))?;
    Ok(Call::Hello { name, client: given.uuid("client")?, token })
}

fn timeout(given: &Given<'_>) -> Result<u32, Failure> {
    let Some(ms) = given.number("timeout_ms")? else { return Ok(REQUEST_TIMEOUT_MS_DEFAULT) };
    // Whether it is not too long, or 0, the broker says; here it only has to fit.
    u32::try_from(ms).map_err(|_| {
        let text = format!("a request waits 1 to {REQUEST_TIMEOUT_MS_MAX} ms, not {ms}");
        Failure::new(Code::BadField, text)
    })
}

/// The arguments, which have the right signature and may still not be what it says.
pub(super) fn read<'a, T: DynamicDeserialize<'a>>(body: &'a Body) -> Result<T, Failure> {
    body.deserialize().map_err(|error| {
        Failure::new(Code::BadField, format!("the arguments can't be read: {error}"))
    })
}
