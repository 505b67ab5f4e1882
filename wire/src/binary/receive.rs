//! From the daemon's frames to events, as a client reads them.
//!
//! A client trusts its daemon but not its own reading: whatever doesn't fit is a [`Refusal`], so that
//! a version that has moved on shows as an error and not as nonsense.

use super::decode::parts;
use super::deliver::{FLAG_AT, FLAG_DUPLICATE, FLAG_FATAL};
use super::frame::{Frame, Kind, split};
use super::options::{AllOptions, Tag, read};
use super::{FLAG_OPTIONS, HEADER_BYTES, SCOPE_SHIFT};
use crate::{
    Code, Delivery, Event, MessageId, Priority, Refusal, RequestNumber, SENDER_LOCAL, Scope,
};
use std::num::NonZeroU32;

const TAGS: &[Tag] = &[
    Tag::ReplyTo,
    Tag::Priority,
    Tag::Header,
    Tag::ExpiresAt,
    Tag::Sender,
    Tag::Device,
    Tag::Retained,
];

/// Decodes one frame of the daemon; a run gives an event for each of its messages.
///
/// # Errors
/// If the frame is not what the protocol says.
pub fn events<'a>(
    frame: Frame<'a>,
    mut each: impl FnMut(Event<'a>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let kind = Kind::from_byte(frame.kind).ok_or_else(|| bad("a frame of unknown kind"))?;
    if kind == Kind::Msgs {
        return run(frame, each);
    }
    let body = frame.body;
    let event = match kind {
        Kind::Ok => Event::Ok {
            number: number(frame)?,
            message_id: if frame.b == 16 { Some(id(body)?) } else { None },
            duplicate: frame.flags & FLAG_DUPLICATE != 0,
        },
        Kind::Err => Event::Err {
            number: RequestNumber::new(frame.number),
            code: Code::from_number(u16::from_le_bytes(field(body, 0)?)),
            text: text(body, 10)?,
            at: match frame.flags & FLAG_AT {
                0 => None,
                _ => Some(u64::from_le_bytes(field(body, 2)?)),
            },
            fatal: frame.flags & FLAG_FATAL != 0,
        },
        Kind::Msg => Event::Message { subscription: number(frame)?, delivery: delivery(frame)? },
        Kind::Reply => Event::Reply { number: number(frame)?, delivery: delivery(frame)? },
        Kind::Lag => {
            Event::Lag { subscription: number(frame)?, count: u64::from_le_bytes(field(body, 0)?) }
        }
        Kind::Welcome => Event::Welcome {
            number: number(frame)?,
            version: text(body, 8)?,
            payload_bytes_max: u64::from_le_bytes(field(body, 0)?),
        },
        Kind::Closing => Event::Bye {
            code: Code::from_number(u16::from_le_bytes(field(body, 0)?)),
            text: text(body, 2)?,
        },
        _ => return Err(bad("a frame that only clients send")),
    };
    each(event)
}

fn run<'a>(
    frame: Frame<'a>,
    mut each: impl FnMut(Event<'a>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let subscription = number(frame)?;
    let scope = scope(frame)?;
    let first = id(frame.body)?;
    let sent_at_ms = u64::from_le_bytes(field(frame.body, 16)?);
    let count = u32::from_le_bytes(field(frame.body, 24)?);
    let mut rest = frame.body.get(28..).unwrap_or_default();
    for index in 0..count {
        let entry = split(rest, rest.len())?.ok_or_else(|| bad("a run is cut off"))?;
        rest = rest.get(entry.bytes.len()..).unwrap_or_default();
        if entry.kind != Kind::Pub.byte() || entry.flags != 0 {
            return Err(bad("an entry of a run is a PUB frame without flags"));
        }
        let parts = parts(entry)?;
        let delivery = Delivery {
            message_id: first.advance(index),
            sender: SENDER_LOCAL,
            device: None,
            scope,
            protocol: parts.protocol,
            topic: parts.topic,
            sent_at_ms,
            expires_at_ms: None,
            reply_to: None,
            priority: Priority::Normal,
            retained: false,
            headers: crate::Headers::new(),
            payload: parts.payload,
        };
        each(Event::Message { subscription, delivery })?;
    }
    if rest.is_empty() { Ok(()) } else { Err(bad("a run is longer than its count")) }
}

fn delivery(frame: Frame<'_>) -> Result<Delivery<'_>, Refusal> {
    let message_id = id(frame.body)?;
    let sent_at_ms = u64::from_le_bytes(field(frame.body, 16)?);
    let body = frame.body.get(24..).unwrap_or_default();
    let parts = parts(Frame { body, flags: frame.flags & FLAG_OPTIONS, ..frame })?;
    let all = read(parts.options, parts.options_at, TAGS)?;
    let AllOptions { publish, expires_at_ms, sender, device, retained, .. } = all;
    Ok(Delivery {
        message_id,
        sender: sender.unwrap_or(SENDER_LOCAL),
        device,
        scope: scope(frame)?,
        protocol: parts.protocol,
        topic: parts.topic,
        sent_at_ms,
        expires_at_ms,
        reply_to: publish.reply_to,
        priority: publish.priority,
        retained,
        headers: publish.headers,
        payload: parts.payload,
    })
}

fn scope(frame: Frame<'_>) -> Result<Scope, Refusal> {
    Scope::from_number(frame.flags >> SCOPE_SHIFT & 3).ok_or_else(|| bad("an unknown scope"))
}

fn number(frame: Frame<'_>) -> Result<NonZeroU32, Refusal> {
    NonZeroU32::new(frame.number).ok_or_else(|| bad("a frame without its number"))
}

fn id(body: &[u8]) -> Result<MessageId, Refusal> {
    Ok(MessageId::from_bytes(field(body, 0)?)?)
}

fn field<const N: usize>(body: &[u8], at: usize) -> Result<[u8; N], Refusal> {
    let field = body.get(at..).and_then(|rest| rest.first_chunk::<N>());
    field.copied().ok_or_else(|| bad("the frame ends inside a field"))
}

fn text(body: &[u8], at: usize) -> Result<&str, Refusal> {
    let text = body.get(at..).ok_or_else(|| bad("the frame ends inside a field"))?;
    std::str::from_utf8(text).map_err(|_| bad("a text is not UTF-8"))
}

fn bad(text: &str) -> Refusal {
    Refusal::fatal(Code::BadFrame, text).at(HEADER_BYTES)
}
