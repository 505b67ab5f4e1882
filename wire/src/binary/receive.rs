//! From the daemon's frames to events, as a client reads them.
//!
//! A client trusts its daemon but not its own reading: whatever doesn't fit is a [`Refusal`], so
//! that a version that has moved on shows as an error and not as nonsense. The one thing that may
//! be new is a code, which has a text beside it.

use super::decode::{body_of, known_flags, parts, sealed_bytes, unused};
use super::deliver::{FLAG_AT, FLAG_DUPLICATE, FLAG_FATAL, FLAG_STORED, RUN_HEAD_BYTES};
use super::frame::{Frame, Kind, split};
use super::options::{AllOptions, Tag, read};
use super::{
    A_AT, B_AT, FLAG_DESCRIPTORS, FLAG_OPTIONS, FLAG_SEALED, FLAGS_AT, HEADER_BYTES, KIND_AT,
    NUMBER_AT, SCOPE_BITS, SCOPE_SHIFT,
};
use crate::{
    Code, Delivery, Event, Headers, MessageId, Priority, Protocol, Refusal, RequestNumber,
    SENDER_LOCAL, Scope, Topic,
};
use std::num::NonZeroU32;

const MSG_TAGS: &[Tag] = &[
    Tag::ReplyTo,
    Tag::Priority,
    Tag::Header,
    Tag::ExpiresAt,
    Tag::Sender,
    Tag::Device,
    Tag::Retained,
    Tag::Attempt,
    Tag::Petname,
];
const REPLY_TAGS: &[Tag] = &[
    Tag::ReplyTo,
    Tag::Priority,
    Tag::Header,
    Tag::ExpiresAt,
    Tag::Sender,
    Tag::Device,
    Tag::Petname,
];

/// Message id and `sent at`, which stand before a delivered publication.
const STAMP_BYTES: usize = 24;

/// Decodes one frame of the daemon; a run gives an event for each of its messages.
///
/// # Errors
/// If the frame is not what the protocol says; all of these are fatal. And what `each` returns.
pub fn events<'a>(
    frame: Frame<'a>,
    mut each: impl FnMut(Event<'a>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if frame.kind != Kind::Msgs.byte() {
        return each(single(frame).map_err(fatal)?);
    }
    let mut run = Run::new(frame).map_err(fatal)?;
    while let Some(event) = run.next_event().map_err(fatal)? {
        each(event)?;
    }
    Ok(())
}

fn fatal(refusal: Refusal) -> Refusal {
    Refusal { fatal: true, ..refusal }
}

fn single(frame: Frame<'_>) -> Result<Event<'_>, Refusal> {
    let kind =
        Kind::from_byte(frame.kind).ok_or_else(|| bad("a frame of unknown kind", KIND_AT))?;
    Ok(match kind {
        Kind::Ok => ok(frame)?,
        Kind::Err => error(frame)?,
        Kind::Msg => {
            let delivery = delivery(frame, MSG_TAGS, FLAG_SEALED)?;
            Event::Message { subscription: number(frame)?, delivery }
        }
        Kind::Reply => {
            Event::Reply { number: number(frame)?, delivery: delivery(frame, REPLY_TAGS, 0)? }
        }
        Kind::Lag => {
            plain(frame, 0)?;
            body_of(frame, 8)?;
            Event::Lag { subscription: number(frame)?, count: u64::from_le_bytes(field(frame, 0)?) }
        }
        Kind::Welcome => welcome(frame)?,
        Kind::Closing => {
            plain(frame, 0)?;
            if frame.number != 0 {
                return Err(bad("a BYE of the daemon has no number", NUMBER_AT));
            }
            Event::Bye {
                code: Code::from_number(u16::from_le_bytes(field(frame, 0)?)),
                text: text(frame, 2)?,
            }
        }
        _ => return Err(bad("a frame that only clients send", KIND_AT)),
    })
}

/// Refuses flags not in `flags`, and the header fields a and b.
fn plain(frame: Frame<'_>, flags: u8) -> Result<(), Refusal> {
    known_flags(frame, flags)?;
    unused(frame.a, A_AT)?;
    unused(frame.b, B_AT)
}

fn ok(frame: Frame<'_>) -> Result<Event<'_>, Refusal> {
    known_flags(frame, FLAG_DUPLICATE | FLAG_STORED)?;
    unused(frame.a, A_AT)?;
    let message_id = match frame.b {
        0 => None,
        16 => Some(id(frame)?),
        _ => return Err(bad("a message id has 16 bytes", B_AT)),
    };
    body_of(frame, usize::from(frame.b))?;
    let duplicate = frame.flags & FLAG_DUPLICATE != 0;
    let stored = frame.flags & FLAG_STORED != 0;
    Ok(Event::Ok { number: number(frame)?, message_id, duplicate, stored })
}

fn error(frame: Frame<'_>) -> Result<Event<'_>, Refusal> {
    plain(frame, FLAG_FATAL | FLAG_AT)?;
    let at = u64::from_le_bytes(field(frame, 2)?);
    Ok(Event::Err {
        number: RequestNumber::new(frame.number),
        code: Code::from_number(u16::from_le_bytes(field(frame, 0)?)),
        text: text(frame, 10)?,
        at: (frame.flags & FLAG_AT != 0).then_some(at),
        fatal: frame.flags & FLAG_FATAL != 0,
    })
}

fn welcome(frame: Frame<'_>) -> Result<Event<'_>, Refusal> {
    known_flags(frame, FLAG_DESCRIPTORS)?;
    unused(frame.b, B_AT)?;
    let payload_bytes_max = u64::from_le_bytes(field(frame, 0)?);
    let version = text(frame, 8)?;
    if version.len() != usize::from(frame.a) {
        return Err(bad("the version has another length than its header says", A_AT));
    }
    let descriptors = frame.flags & FLAG_DESCRIPTORS != 0;
    Ok(Event::Welcome { number: number(frame)?, version, payload_bytes_max, descriptors })
}

fn delivery<'a>(frame: Frame<'a>, tags: &[Tag], flags: u8) -> Result<Delivery<'a>, Refusal> {
    known_flags(frame, FLAG_OPTIONS | SCOPE_BITS | flags)?;
    let message_id = id(frame)?;
    let sent_at_ms = u64::from_le_bytes(field(frame, 16)?);
    let parts = parts(frame, STAMP_BYTES)?;
    let all = read(parts.options, parts.options_at, tags)?;
    let AllOptions { publish, expires_at_ms, sender, petname, device, .. } = all;
    let AllOptions { retained, attempt, .. } = all;
    let is_sealed = frame.flags & FLAG_SEALED != 0;
    let sealed_bytes = is_sealed.then(|| sealed_bytes(&parts)).transpose()?;
    Ok(Delivery {
        message_id,
        sender: sender.unwrap_or(SENDER_LOCAL),
        petname,
        device,
        scope: scope(frame)?,
        protocol: parts.protocol,
        topic: parts.topic,
        sent_at_ms,
        expires_at_ms,
        reply_to: publish.reply_to,
        priority: publish.priority,
        retained,
        attempt,
        headers: publish.headers,
        payload: if is_sealed { &[] } else { parts.payload },
        sealed_bytes,
    })
}

/// A MSGS frame of which some entries have been read.
struct Run<'a> {
    subscription: NonZeroU32,
    scope: Scope,
    first_id: MessageId,
    sent_at_ms: u64,
    count: u32,
    /// How many have been read.
    done: u32,
    rest: &'a [u8],
    /// Offset of `rest` in the frame.
    rest_at: usize,
    kept: Option<Kept<'a>>,
}

/// What all entries of a run have alike, and in how many bytes after their length.
struct Kept<'a> {
    head: &'a [u8],
    topic: Topic<'a>,
    protocol: Protocol<'a>,
}

impl<'a> Run<'a> {
    fn new(frame: Frame<'a>) -> Result<Self, Refusal> {
        plain(frame, SCOPE_BITS)?;
        let first_id = id(frame)?;
        let count = u32::from_le_bytes(field(frame, STAMP_BYTES)?);
        let Some(steps) = count.checked_sub(1) else {
            return Err(bad("a run has at least one message", HEADER_BYTES + STAMP_BYTES));
        };
        MessageId::from_bytes(*first_id.advance(steps).as_bytes())
            .map_err(|error| Refusal::from(error).at(HEADER_BYTES))?;
        Ok(Self {
            subscription: number(frame)?,
            scope: scope(frame)?,
            first_id,
            sent_at_ms: u64::from_le_bytes(field(frame, 16)?),
            count,
            done: 0,
            rest: frame.bytes.get(RUN_HEAD_BYTES..).unwrap_or_default(),
            rest_at: RUN_HEAD_BYTES,
            kept: None,
        })
    }

    fn next_event(&mut self) -> Result<Option<Event<'a>>, Refusal> {
        if self.done == self.count {
            return match self.rest {
                [] => Ok(None),
                _ => Err(bad("a run is longer than its count", self.rest_at)),
            };
        }
        let cut_off = |_| bad("a run is cut off", self.rest_at);
        let entry = split(self.rest, self.rest.len()).map_err(cut_off)?;
        let entry = entry.ok_or_else(|| bad("a run is cut off", self.rest_at))?;
        let (topic, protocol, payload) =
            self.entry(entry).map_err(|refusal| refusal.after(self.rest_at))?;
        let delivery = Delivery {
            message_id: self.first_id.advance(self.done),
            sender: SENDER_LOCAL,
            petname: None,
            device: None,
            scope: self.scope,
            protocol,
            topic,
            sent_at_ms: self.sent_at_ms,
            expires_at_ms: None,
            reply_to: None,
            priority: Priority::Normal,
            retained: false,
            attempt: None,
            headers: Headers::new(),
            payload,
            sealed_bytes: None,
        };
        self.done += 1;
        self.rest = self.rest.get(entry.bytes.len()..).unwrap_or_default();
        self.rest_at += entry.bytes.len();
        Ok(Some(Event::Message { subscription: self.subscription, delivery }))
    }

    /// One entry. What begins like the first one has been checked with it.
    fn entry(&mut self, entry: Frame<'a>) -> Result<(Topic<'a>, Protocol<'a>, &'a [u8]), Refusal> {
        let after_length = entry.bytes.get(KIND_AT..).unwrap_or_default();
        if let Some(kept) = &self.kept
            && let Some(payload) = after_length.strip_prefix(kept.head)
        {
            return Ok((kept.topic.clone(), kept.protocol.clone(), payload));
        }
        if entry.kind != Kind::Pub.byte() {
            return Err(bad("an entry of a run is a PUB frame", KIND_AT));
        }
        known_flags(entry, 0)?;
        if entry.number != 0 {
            return Err(bad("an entry of a run has no number", NUMBER_AT));
        }
        let parts = parts(entry, 0)?;
        let (topic, protocol, payload) = (parts.topic, parts.protocol, parts.payload);
        match &self.kept {
            Some(kept) if kept.topic != topic || kept.protocol != protocol => {
                let same = if kept.topic == topic { topic.as_str().len() } else { 0 };
                let text = "the messages of a run have one topic and protocol";
                return Err(bad(text, HEADER_BYTES + same));
            }
            Some(_) => {}
            None => {
                let head = after_length.len().saturating_sub(payload.len());
                let head = after_length.get(..head).unwrap_or_default();
                self.kept = Some(Kept { head, topic: topic.clone(), protocol: protocol.clone() });
            }
        }
        Ok((topic, protocol, payload))
    }
}

fn scope(frame: Frame<'_>) -> Result<Scope, Refusal> {
    let number = (frame.flags & SCOPE_BITS) >> SCOPE_SHIFT;
    Scope::from_number(number).ok_or_else(|| bad("an unknown scope", FLAGS_AT))
}

fn number(frame: Frame<'_>) -> Result<NonZeroU32, Refusal> {
    NonZeroU32::new(frame.number).ok_or_else(|| bad("a frame without its number", NUMBER_AT))
}

fn id(frame: Frame<'_>) -> Result<MessageId, Refusal> {
    MessageId::from_bytes(field(frame, 0)?).map_err(|error| Refusal::from(error).at(HEADER_BYTES))
}

/// The bytes of the body from `at`.
fn field<const N: usize>(frame: Frame<'_>, at: usize) -> Result<[u8; N], Refusal> {
    let field = frame.body.get(at..).and_then(|rest| rest.first_chunk::<N>());
    field.copied().ok_or_else(|| bad("the frame ends inside a field", frame.bytes.len()))
}

/// The body from `at` to its end.
fn text(frame: Frame<'_>, at: usize) -> Result<&str, Refusal> {
    let text = frame.body.get(at..).unwrap_or_default();
    std::str::from_utf8(text)
        .map_err(|error| bad("a text is not UTF-8", HEADER_BYTES + at + error.valid_up_to()))
}

fn bad(text: &str, at: usize) -> Refusal {
    Refusal::new(Code::BadFrame, text).at(at)
}
