//! The frames that the daemon writes.
//!
//! A delivery is written in two pieces: a head that differs for each subscriber, and the rest,
//! which is the same for all of them and can be shared.

use super::encode::name_of;
use super::frame::{Kind, begin, finish, short};
use super::options::{Tag, put, put_shared, with_length};
use super::{
    FLAG_DESCRIPTORS, FLAG_OPTIONS, FLAG_SEALED, FLAGS_AT, HEADER_BYTES, LENGTH_BYTES, SCOPE_SHIFT,
    SEALED_SIZE_BYTES,
};
use crate::{Code, Delivery, Event, MessageId, RequestNumber, SENDER_LOCAL, Scope};

/// Bytes of the head of a MSGS frame, before its entries.
pub const RUN_HEAD_BYTES: usize = 40;

/// Flag of OK: had been published before.
pub(super) const FLAG_DUPLICATE: u8 = 0x01;
/// Flag of OK: what was published is on the disk.
pub(super) const FLAG_STORED: u8 = 0x02;
/// Flag of ERR: the connection is closed.
pub(super) const FLAG_FATAL: u8 = 0x01;
/// Flag of ERR: the field `at` is known.
pub(super) const FLAG_AT: u8 = 0x02;

/// The head of a MSGS frame for `subscription`, before `count` entries of `entries_bytes` in all.
#[must_use]
pub fn run_head(
    subscription: u32,
    scope: Scope,
    first: MessageId,
    sent_at_ms: u64,
    count: u32,
    entries_bytes: usize,
) -> [u8; RUN_HEAD_BYTES] {
    let mut head = [0; RUN_HEAD_BYTES];
    let length = u32::try_from(RUN_HEAD_BYTES - LENGTH_BYTES + entries_bytes).unwrap_or(u32::MAX);
    let fields: [&[u8]; 7] = [
        &length.to_le_bytes(),
        &[Kind::Msgs.byte(), scope.number() << SCOPE_SHIFT, 0, 0],
        &subscription.to_le_bytes(),
        first.as_bytes(),
        &sent_at_ms.to_le_bytes(),
        &count.to_le_bytes(),
        &[],
    ];
    let mut rest = head.as_mut_slice();
    for field in fields {
        let Some((place, after)) = rest.split_at_mut_checked(field.len()) else { break };
        place.copy_from_slice(field);
        rest = after;
    }
    head
}

/// The head of a MSG or REPLY frame for `number`, given the same frame for another.
#[must_use]
pub fn message_head(frame: &[u8], kind: Kind, number: u32) -> [u8; HEADER_BYTES] {
    let mut head = [0; HEADER_BYTES];
    if let Some(source) = frame.first_chunk::<HEADER_BYTES>() {
        head = *source;
    }
    let [_, _, _, _, kind_byte, _, _, _, n0, n1, n2, n3] = &mut head;
    *kind_byte = kind.byte();
    [*n0, *n1, *n2, *n3] = number.to_le_bytes();
    head
}

/// Appends a MSG frame. With [`message_head`] it serves any subscription, and as REPLY.
pub fn message(out: &mut Vec<u8>, subscription: u32, delivery: &Delivery<'_>) {
    let has_options = delivery.expires_at_ms.is_some()
        || delivery.sender != SENDER_LOCAL
        || delivery.device.is_some()
        || delivery.petname.is_some()
        || delivery.reply_to.is_some()
        || delivery.priority != crate::Priority::Normal
        || delivery.retained
        || delivery.attempt.is_some()
        || !delivery.headers.is_empty();
    let flags = delivery.scope.number() << SCOPE_SHIFT
        | if has_options { FLAG_OPTIONS } else { 0 }
        | if delivery.sealed_bytes.is_some() { FLAG_SEALED } else { 0 };
    let ((topic_bytes, topic), (name_bytes, name)) =
        (short(delivery.topic.as_str()), short(name_of(&delivery.protocol)));
    let start = begin(out, Kind::Msg, flags, topic_bytes, name_bytes, subscription);
    out.extend_from_slice(delivery.message_id.as_bytes());
    out.extend_from_slice(&delivery.sent_at_ms.to_le_bytes());
    out.extend_from_slice(topic);
    out.extend_from_slice(name);
    if has_options {
        with_length(out, |out| {
            put_shared(out, delivery.reply_to.as_ref(), delivery.priority, &delivery.headers);
            if let Some(ms) = delivery.expires_at_ms {
                put(out, Tag::ExpiresAt, &ms.to_le_bytes());
            }
            if delivery.sender != SENDER_LOCAL {
                put(out, Tag::Sender, delivery.sender.as_bytes());
            }
            if let Some(device) = delivery.device {
                put(out, Tag::Device, device.as_bytes());
            }
            if delivery.retained {
                put(out, Tag::Retained, &[]);
            }
            if let Some(attempt) = delivery.attempt {
                put(out, Tag::Attempt, &attempt.get().to_le_bytes());
            }
            if let Some(petname) = delivery.petname {
                put(out, Tag::Petname, petname.as_bytes());
            }
        });
    }
    match delivery.sealed_bytes {
        Some(bytes) => out.extend_from_slice(&bytes.to_le_bytes()),
        None => out.extend_from_slice(delivery.payload),
    }
    finish(out, start);
}

/// Puts the payload into a MSG frame that was to go with a descriptor: `read` appends it. Whether
/// that went well; else the frame is as it was.
pub fn inline(frame: &mut Vec<u8>, read: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let Some(envelope_bytes) = frame.len().checked_sub(SEALED_SIZE_BYTES) else { return false };
    let size = frame.split_off(envelope_bytes);
    if !read(frame) {
        frame.truncate(envelope_bytes);
        frame.extend_from_slice(&size);
        return false;
    }
    if let Some(flags) = frame.get_mut(FLAGS_AT) {
        *flags &= !FLAG_SEALED;
    }
    finish(frame, 0);
    true
}

/// Appends the frame of an event.
pub fn event(out: &mut Vec<u8>, event: &Event<'_>) {
    match event {
        Event::Bye { code, text } => {
            let start = begin(out, Kind::Closing, 0, 0, 0, 0);
            out.extend_from_slice(&code_bytes(*code));
            out.extend_from_slice(text.as_bytes());
            finish(out, start);
        }
        Event::Err { number, code, text, at, fatal } => {
            let flags =
                if *fatal { FLAG_FATAL } else { 0 } | if at.is_some() { FLAG_AT } else { 0 };
            let number = number.map_or(0, RequestNumber::get);
            let start = begin(out, Kind::Err, flags, 0, 0, number);
            out.extend_from_slice(&code_bytes(*code));
            out.extend_from_slice(&at.unwrap_or(0).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
            finish(out, start);
        }
        Event::Lag { subscription, count } => {
            let start = begin(out, Kind::Lag, 0, 0, 0, subscription.get());
            out.extend_from_slice(&count.to_le_bytes());
            finish(out, start);
        }
        Event::Message { subscription, delivery } => message(out, subscription.get(), delivery),
        Event::Ok { number, message_id, duplicate, stored } => {
            let flags =
                if *duplicate { FLAG_DUPLICATE } else { 0 } | if *stored { FLAG_STORED } else { 0 };
            let id: &[u8] = message_id.as_ref().map_or(&[], |id| id.as_bytes());
            let id_bytes = if id.is_empty() { 0 } else { 16 };
            let start = begin(out, Kind::Ok, flags, 0, id_bytes, number.get());
            out.extend_from_slice(id);
            finish(out, start);
        }
        Event::Reply { number, delivery } => {
            let start = out.len();
            message(out, number.get(), delivery);
            if let Some(kind) = out.get_mut(start + LENGTH_BYTES) {
                *kind = Kind::Reply.byte();
            }
        }
        Event::Welcome { number, version, payload_bytes_max, descriptors } => {
            let flags = if *descriptors { FLAG_DESCRIPTORS } else { 0 };
            let (version_bytes, version) = short(version);
            let start = begin(out, Kind::Welcome, flags, version_bytes, 0, number.get());
            out.extend_from_slice(&payload_bytes_max.to_le_bytes());
            out.extend_from_slice(version);
            finish(out, start);
        }
    }
}

fn code_bytes(code: Option<Code>) -> [u8; 2] {
    code.map_or(0, Code::number).to_le_bytes()
}
