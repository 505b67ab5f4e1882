//! From a client's frame to what it asks.

use super::frame::{Frame, Kind};
use super::options::{AllOptions, Tag, read, topic};
use super::{
    A_AT, B_AT, FLAG_DESCRIPTORS, FLAG_OPTIONS, FLAG_SEALED, FLAG_TOKEN, FLAGS_AT, HEADER_BYTES,
    KIND_AT, NUMBER_AT, SEALED_SIZE_BYTES,
};
use crate::limits::REQUEST_TIMEOUT_MS_DEFAULT;
use crate::refusal::Placed;
use crate::{
    Code, MessageId, Operation, Pattern, PatternError, Protocol, ProtocolError, Publication,
    Refusal, Request, RequestNumber, Since, Subscribe, TextError, Token, check_consumer,
    check_group, check_name, decode,
};
use std::num::NonZeroU32;

/// Flag of SUB: kept values that match are wanted first.
pub(super) const FLAG_RETAINED: u8 = 0x01;
/// Flag of SUB: it only looks on.
pub(super) const FLAG_MONITOR: u8 = 0x02;
/// Flag of SUB: the name is that of a consumer, and none of a group.
pub(super) const FLAG_DURABLE: u8 = 0x04;
/// Flag of SUB: from where on messages are wanted stands behind the name.
pub(super) const FLAG_SINCE: u8 = 0x08;

/// Decodes one frame of a client.
///
/// # Errors
/// Whatever is wrong with it, at its offset in the frame. None is fatal: the frame was whole.
pub fn request(frame: Frame<'_>, payload_bytes_max: usize) -> Result<Request<'_>, Refusal> {
    let number = RequestNumber::new(frame.number);
    let kind = Kind::from_byte(frame.kind).ok_or_else(|| no_kind(frame.kind))?;
    let operation = match kind {
        Kind::Hello => hello(frame)?,
        Kind::Sub => subscribe(frame)?,
        Kind::Unsub => Operation::Unsubscribe(unsubscribe(frame)?),
        Kind::Pub if frame.flags & FLAG_SEALED != 0 => sealed(frame)?,
        Kind::Pub => Operation::Publish(publication(frame, PUB_TAGS, payload_bytes_max)?.0),
        Kind::Will => Operation::Will(publication(frame, WILL_TAGS, payload_bytes_max)?.0),
        Kind::Req => {
            let (publication, all) = publication(frame, REQ_TAGS, payload_bytes_max)?;
            let timeout_ms = all.unwrap_or(REQUEST_TIMEOUT_MS_DEFAULT);
            decode::request(number, publication, timeout_ms)
                .map_err(|refusal| refusal.at(NUMBER_AT))?
        }
        Kind::Unwill => plain(frame, 0).map(|()| Operation::Unwill)?,
        Kind::Ping => plain(frame, 0).map(|()| Operation::Ping)?,
        Kind::Bye => plain(frame, 0).map(|()| Operation::Bye)?,
        Kind::Ack => acknowledge(frame)?,
        _ => return Err(no_kind(frame.kind)),
    };
    Ok(Request { number, operation })
}

const PUB_TAGS: &[Tag] = &[
    Tag::MessageId,
    Tag::To,
    Tag::ExpireAfter,
    Tag::Retain,
    Tag::ReplyTo,
    Tag::Priority,
    Tag::Header,
    Tag::Until,
    Tag::Realtime,
    Tag::Echo,
];
/// Nobody waits for the answer to a will's message.
const WILL_TAGS: &[Tag] = &[
    Tag::MessageId,
    Tag::To,
    Tag::ExpireAfter,
    Tag::Retain,
    Tag::ReplyTo,
    Tag::Priority,
    Tag::Header,
    Tag::Realtime,
    Tag::Echo,
];
const REQ_TAGS: &[Tag] =
    &[Tag::MessageId, Tag::To, Tag::ExpireAfter, Tag::Priority, Tag::Header, Tag::Timeout];

fn no_kind(byte: u8) -> Refusal {
    Refusal::new(Code::BadOp, format!("no frame of kind {byte:#04x} comes from a client"))
        .at(KIND_AT)
}

/// A frame whose header fields and flags are unused and whose body has this length.
fn plain(frame: Frame<'_>, body_bytes: usize) -> Result<(), Refusal> {
    known_flags(frame, 0)?;
    unused(frame.a, A_AT)?;
    unused(frame.b, B_AT)?;
    body_of(frame, body_bytes)
}

/// Refuses flags that are not in `known`.
pub(super) fn known_flags(frame: Frame<'_>, known: u8) -> Result<(), Refusal> {
    match frame.flags & !known {
        0 => Ok(()),
        unknown => {
            let text = format!("flags {unknown:#04x} are not known");
            Err(Refusal::new(Code::BadFrame, text).at(FLAGS_AT))
        }
    }
}

/// Refuses a header field that this kind of frame doesn't use.
pub(super) fn unused(field: u8, at: usize) -> Result<(), Refusal> {
    match field {
        0 => Ok(()),
        _ => Err(Refusal::new(Code::BadFrame, "a header field that is not used must be 0").at(at)),
    }
}

/// Refuses a body of another length, at the first byte that is missing or too many.
pub(super) fn body_of(frame: Frame<'_>, bytes: usize) -> Result<(), Refusal> {
    let found = frame.body.len();
    if found == bytes {
        return Ok(());
    }
    let text = format!("the body has {bytes} bytes, not {found}");
    Err(Refusal::new(Code::BadFrame, text).at(HEADER_BYTES + found.min(bytes)))
}

fn hello(frame: Frame<'_>) -> Result<Operation<'_>, Refusal> {
    known_flags(frame, FLAG_DESCRIPTORS | FLAG_TOKEN)?;
    let descriptors = frame.flags & FLAG_DESCRIPTORS != 0;
    if descriptors && frame.number == 0 {
        let text = "who asks for descriptors needs the answer, and a number for it";
        return Err(Refusal::new(Code::BadField, text).at(NUMBER_AT));
    }
    let (name, client) = cut(frame.body, frame.a, A_AT)?;
    let client_bytes = match frame.b {
        0 | 16 => usize::from(frame.b),
        _ => return Err(Refusal::new(Code::BadId, "a client id has 16 bytes").at(B_AT)),
    };
    let (client, rest) = cut(client, frame.b, B_AT)?;
    let before = name.len() + client_bytes;
    let token = match frame.flags & FLAG_TOKEN {
        0 => {
            body_of(frame, before)?;
            None
        }
        _ => Some(token(rest).map_err(|refusal| refusal.after(HEADER_BYTES + before))?),
    };
    let name = match name {
        [] => None,
        name => {
            let name = short_text(name, check_name)
                .map_err(|error| decode::text(Code::BadField, &error).after(HEADER_BYTES))?;
            Some(name.to_owned())
        }
    };
    Ok(Operation::Hello { name, client: client.first_chunk().copied(), descriptors, token })
}

/// The rest of a greeting.
fn token(bytes: &[u8]) -> Result<Token, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::new(Code::BadField, "a token is ASCII").at(error.valid_up_to())
    })?;
    Ok(Token::new(text)?)
}

fn subscribe(frame: Frame<'_>) -> Result<Operation<'_>, Refusal> {
    known_flags(frame, FLAG_RETAINED | FLAG_MONITOR | FLAG_DURABLE | FLAG_SINCE)?;
    let flag = |flag| frame.flags & flag != 0;
    if !flag(FLAG_SINCE) {
        unused(frame.b, B_AT)?;
    }
    let number = NonZeroU32::new(frame.number).ok_or_else(|| {
        Refusal::new(Code::BadField, "a subscription needs a number, by which it is named")
            .at(NUMBER_AT)
    })?;
    let (name, rest) = cut(frame.body, frame.a, A_AT)?;
    let since_at = HEADER_BYTES + name.len();
    let (since_bytes, pattern) = cut(rest, frame.b, B_AT)?;
    let at = since_at + since_bytes.len();
    let (mut group, mut durable) = (None, None);
    if flag(FLAG_DURABLE) {
        let name = short_text(name, check_consumer)
            .map_err(|error| decode::text(Code::BadConsumer, &error).after(HEADER_BYTES))?;
        durable = Some(name.into());
    } else if !name.is_empty() {
        let name = short_text(name, check_group)
            .map_err(|error| decode::text(Code::BadGroup, &error).after(HEADER_BYTES))?;
        group = Some(name.into());
    }
    let since = if flag(FLAG_SINCE) { Some(since(since_bytes, since_at)?) } else { None };
    let pattern = std::str::from_utf8(pattern)
        .map_err(|error| PatternError::Utf8(error.valid_up_to()))
        .and_then(Pattern::new)
        .map_err(|error| error.placed().after(at))?;
    let (retained, monitor) = (flag(FLAG_RETAINED), flag(FLAG_MONITOR));
    let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
    decode::subscribe(&asked).map_err(|refusal| refusal.at(FLAGS_AT))?;
    Ok(Operation::Subscribe(asked))
}

/// From where on, by how many bytes say it.
fn since(bytes: &[u8], at: usize) -> Result<Since, Refusal> {
    if bytes.is_empty() {
        return Ok(Since::Start);
    }
    if let Ok(ms) = bytes.try_into() {
        return Ok(Since::Time(u64::from_le_bytes(ms)));
    }
    let id = bytes.try_into().map_err(|_| {
        let text = "since is nothing, a time of 8 bytes or a message id of 16";
        Refusal::new(Code::BadField, text).at(B_AT)
    })?;
    let id = MessageId::from_bytes(id).map_err(|error| Refusal::from(error).after(at))?;
    Ok(Since::After(id))
}

fn unsubscribe(frame: Frame<'_>) -> Result<NonZeroU32, Refusal> {
    plain(frame, 4)?;
    subscription(frame.body.first_chunk().copied().unwrap_or_default())
}

fn subscription(number: [u8; 4]) -> Result<NonZeroU32, Refusal> {
    NonZeroU32::new(u32::from_le_bytes(number))
        .ok_or_else(|| Refusal::new(Code::BadField, "there is no subscription 0").at(HEADER_BYTES))
}

fn acknowledge(frame: Frame<'_>) -> Result<Operation<'_>, Refusal> {
    known_flags(frame, 0)?;
    unused(frame.a, A_AT)?;
    unused(frame.b, B_AT)?;
    let (number, rest) = frame.body.split_first_chunk().ok_or_else(|| {
        let text = "the frame ends before it has named a subscription";
        Refusal::new(Code::BadFrame, text).at(frame.bytes.len())
    })?;
    let subscription = subscription(*number)?;
    let (ids, cut) = rest.as_chunks::<16>();
    if !cut.is_empty() {
        let text = "the frame ends inside a message id";
        return Err(Refusal::new(Code::BadFrame, text).at(frame.bytes.len()));
    }
    let ids_at = HEADER_BYTES + number.len();
    decode::acknowledged(ids.len()).map_err(|refusal| refusal.at(ids_at))?;
    let ids = ids.iter().enumerate().map(|(index, id)| {
        MessageId::from_bytes(*id)
            .map_err(|error| Refusal::from(error).after(ids_at + index * id.len()))
    });
    Ok(Operation::Acknowledge { subscription, message_ids: ids.collect::<Result<_, _>>()? })
}

/// A publication, and the time-out where the frame is a request.
fn publication<'a>(
    frame: Frame<'a>,
    tags: &[Tag],
    payload_bytes_max: usize,
) -> Result<(Publication<'a>, Option<u32>), Refusal> {
    known_flags(frame, FLAG_OPTIONS)?;
    let parts = parts(frame, 0)?;
    let all = read(parts.options, parts.options_at, tags)?;
    let AllOptions { publish: options, timeout_ms, .. } = all;
    decode::options(&options).map_err(|refusal| refusal.at(parts.options_at))?;
    decode::payload(parts.payload, &parts.protocol, &options, payload_bytes_max)
        .map_err(|refusal| refusal.after(parts.payload_at))?;
    let Parts { topic, protocol, payload, .. } = parts;
    Ok((Publication { topic, protocol, payload: payload.into(), options }, timeout_ms))
}

/// A publication whose payload is in a descriptor.
fn sealed(frame: Frame<'_>) -> Result<Operation<'_>, Refusal> {
    known_flags(frame, FLAG_OPTIONS | FLAG_SEALED)?;
    let parts = parts(frame, 0)?;
    let options = read(parts.options, parts.options_at, PUB_TAGS)?.publish;
    decode::options(&options).map_err(|refusal| refusal.at(parts.options_at))?;
    let payload_bytes = sealed_bytes(&parts)?;
    let Parts { topic, protocol, .. } = parts;
    let publication = Publication { topic, protocol, payload: [].as_slice().into(), options };
    Ok(Operation::PublishSealed { publication, payload_bytes })
}

/// The size that stands in place of a payload.
pub(super) fn sealed_bytes(parts: &Parts<'_>) -> Result<u64, Refusal> {
    let found = parts.payload.len();
    parts.payload.try_into().map(u64::from_le_bytes).map_err(|_| {
        let text = format!(
            "the size of a payload in a descriptor has {SEALED_SIZE_BYTES} bytes, not {found}"
        );
        let at = parts.payload_at + found.min(SEALED_SIZE_BYTES);
        Refusal::new(Code::BadFrame, text).at(at)
    })
}

/// Topic, protocol, options and payload of a frame whose body is a publication.
pub(super) struct Parts<'a> {
    pub(super) topic: crate::Topic<'a>,
    pub(super) protocol: Protocol<'a>,
    pub(super) options: &'a [u8],
    pub(super) options_at: usize,
    pub(super) payload: &'a [u8],
    pub(super) payload_at: usize,
}

/// Cuts a publication into its parts, and checks topic and protocol. It begins `skipped` bytes
/// after the header.
pub(super) fn parts(frame: Frame<'_>, skipped: usize) -> Result<Parts<'_>, Refusal> {
    let whole = frame.bytes.len();
    let offset = |rest: &[u8]| whole.saturating_sub(rest.len());
    let body = frame.body.get(skipped..).unwrap_or_default();
    let topic_at = offset(body);
    let (text, rest) = cut(body, frame.a, A_AT)?;
    let topic = topic(text).map_err(|refusal| refusal.after(topic_at))?;
    let protocol_at = offset(rest);
    let (name, rest) = cut(rest, frame.b, B_AT)?;
    let protocol = match name {
        [] => Protocol::MS,
        name => std::str::from_utf8(name)
            .map_err(|error| ProtocolError::Utf8(error.valid_up_to()))
            .and_then(Protocol::new)
            .map_err(|error| error.placed().after(protocol_at))?,
    };
    let mut options: &[u8] = &[];
    let mut options_at = offset(rest);
    let mut payload = rest;
    if frame.flags & FLAG_OPTIONS != 0 {
        let cut_off = || cut_off(options_at);
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut_off)?;
        let length = usize::from(u16::from_le_bytes(*length));
        (options, payload) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        options_at = offset(rest);
    }
    let payload_at = offset(payload);
    Ok(Parts { topic, protocol, options, options_at, payload, payload_at })
}

/// Cuts `length` bytes off, which the header announces at `at`.
fn cut(bytes: &[u8], length: u8, at: usize) -> Result<(&[u8], &[u8]), Refusal> {
    bytes.split_at_checked(usize::from(length)).ok_or_else(|| cut_off(at))
}

fn cut_off(at: usize) -> Refusal {
    Refusal::new(Code::BadFrame, "the frame ends inside a field whose length it announces").at(at)
}

fn short_text(
    bytes: &[u8],
    check: impl FnOnce(&str) -> Result<(), TextError>,
) -> Result<&str, TextError> {
    let text = std::str::from_utf8(bytes).map_err(|error| TextError::Utf8(error.valid_up_to()))?;
    check(text)?;
    Ok(text)
}
