//! From a client's frame to what it asks.

use super::frame::{Frame, Kind};
use super::options::{AllOptions, Tag, read, topic};
use super::{FLAG_OPTIONS, HEADER_BYTES};
use crate::limits::REQUEST_TIMEOUT_MS_DEFAULT;
use crate::{
    Code, Operation, Pattern, PatternError, Protocol, ProtocolError, Publication, Refusal, Request,
    RequestNumber, Subscribe, check_group, check_name, decode,
};
use std::num::NonZeroU32;

/// Flag of SUB: kept values that match are wanted first.
pub(super) const FLAG_RETAINED: u8 = 0x01;

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
        Kind::Unsub => {
            plain(frame, 4)?;
            let number = frame.body.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let number = NonZeroU32::new(number)
                .ok_or_else(|| Refusal::new(Code::BadField, "there is no subscription 0"))?;
            Operation::Unsubscribe(number)
        }
        Kind::Pub => Operation::Publish(publication(frame, PUB_TAGS, payload_bytes_max)?.0),
        Kind::Will => Operation::Will(publication(frame, PUB_TAGS, payload_bytes_max)?.0),
        Kind::Req => {
            let (publication, all) = publication(frame, REQ_TAGS, payload_bytes_max)?;
            let timeout_ms = all.unwrap_or(REQUEST_TIMEOUT_MS_DEFAULT);
            decode::request(number, publication, timeout_ms)?
        }
        Kind::Unwill => plain(frame, 0).map(|()| Operation::Unwill)?,
        Kind::Ping => plain(frame, 0).map(|()| Operation::Ping)?,
        Kind::Bye => plain(frame, 0).map(|()| Operation::Bye)?,
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
];
const REQ_TAGS: &[Tag] =
    &[Tag::MessageId, Tag::To, Tag::ExpireAfter, Tag::Priority, Tag::Header, Tag::Timeout];

fn no_kind(byte: u8) -> Refusal {
    Refusal::new(Code::BadOp, format!("no frame of kind {byte:#04x} comes from a client")).at(4)
}

/// A frame whose header fields and flags are unused and whose body has this length.
fn plain(frame: Frame<'_>, body_bytes: usize) -> Result<(), Refusal> {
    unused(frame, 0, true)?;
    if frame.body.len() == body_bytes {
        Ok(())
    } else {
        let text = format!("the body has {body_bytes} bytes, not {}", frame.body.len());
        Err(Refusal::new(Code::BadFrame, text).at(HEADER_BYTES))
    }
}

fn unused(frame: Frame<'_>, flags: u8, fields: bool) -> Result<(), Refusal> {
    if frame.flags & !flags != 0 {
        let text = format!("flags {:#04x} are not known", frame.flags & !flags);
        return Err(Refusal::new(Code::BadFrame, text).at(5));
    }
    if fields && (frame.a, frame.b) != (0, 0) {
        return Err(Refusal::new(Code::BadFrame, "header fields a and b must be 0").at(6));
    }
    Ok(())
}

fn hello(frame: Frame<'_>) -> Result<Operation<'_>, Refusal> {
    unused(frame, 0, false)?;
    let (name, client) = frame.body.split_at_checked(usize::from(frame.a)).ok_or_else(cut_off)?;
    let client = match (frame.b, client.len()) {
        (0, 0) => None,
        (16, 16) => client.first_chunk().copied(),
        _ => return Err(Refusal::new(Code::BadId, "a client id has 16 bytes").at(7)),
    };
    let name = match name {
        [] => None,
        name => {
            let name = utf8(name, HEADER_BYTES)?;
            check_name(name).map_err(|error| {
                Refusal::new(Code::BadField, error.to_string()).at(HEADER_BYTES)
            })?;
            Some(name.to_owned())
        }
    };
    Ok(Operation::Hello { name, client })
}

fn subscribe(frame: Frame<'_>) -> Result<Operation<'_>, Refusal> {
    unused(frame, FLAG_RETAINED, false)?;
    if frame.b != 0 {
        return Err(Refusal::new(Code::BadFrame, "header field b must be 0").at(7));
    }
    let number = NonZeroU32::new(frame.number).ok_or_else(|| {
        Refusal::new(Code::BadField, "a subscription needs a number, by which it is named").at(8)
    })?;
    let (group, pattern) = frame.body.split_at_checked(usize::from(frame.a)).ok_or_else(cut_off)?;
    let at = HEADER_BYTES + group.len();
    let group = match group {
        [] => None,
        group => {
            let group = utf8(group, HEADER_BYTES)?;
            check_group(group).map_err(|error| {
                Refusal::new(Code::BadGroup, error.to_string()).at(HEADER_BYTES)
            })?;
            Some(group.into())
        }
    };
    let text = std::str::from_utf8(pattern)
        .map_err(|error| Refusal::from(PatternError::Utf8(error.valid_up_to())).at(at))?;
    let pattern = Pattern::new(text).map_err(|error| Refusal::from(error).at(at))?;
    let retained = frame.flags & FLAG_RETAINED != 0;
    Ok(Operation::Subscribe(Subscribe { number, pattern, group, retained }))
}

/// A publication, and the time-out where the frame is a request.
fn publication<'a>(
    frame: Frame<'a>,
    tags: &[Tag],
    payload_bytes_max: usize,
) -> Result<(Publication<'a>, Option<u32>), Refusal> {
    unused(frame, FLAG_OPTIONS, false)?;
    let parts = parts(frame)?;
    let all = read(parts.options, parts.options_at, tags)?;
    let AllOptions { publish: options, timeout_ms, .. } = all;
    decode::payload(parts.payload, &parts.protocol, &options, payload_bytes_max).map_err(
        |mut refusal| {
            refusal.at = Some(parts.payload_at + refusal.at.unwrap_or(0));
            refusal
        },
    )?;
    let Parts { topic, protocol, payload, .. } = parts;
    Ok((Publication { topic, protocol, payload: payload.into(), options }, timeout_ms))
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

/// Cuts a publication into its parts, and checks topic and protocol.
pub(super) fn parts(frame: Frame<'_>) -> Result<Parts<'_>, Refusal> {
    let whole = frame.body.len();
    let (text, rest) = frame.body.split_at_checked(usize::from(frame.a)).ok_or_else(cut_off)?;
    let topic = topic(text).map_err(|refusal| refusal.at(HEADER_BYTES))?;
    let protocol_at = HEADER_BYTES + text.len();
    let (name, rest) = rest.split_at_checked(usize::from(frame.b)).ok_or_else(cut_off)?;
    let protocol = match name {
        [] => Protocol::MS,
        name => std::str::from_utf8(name)
            .map_err(|error| ProtocolError::Utf8(error.valid_up_to()))
            .and_then(Protocol::new)
            .map_err(|error| Refusal::from(error).at(protocol_at))?,
    };
    let offset = |rest: &[u8]| HEADER_BYTES + whole - rest.len();
    let mut options: &[u8] = &[];
    let mut options_at = offset(rest);
    let mut payload = rest;
    if frame.flags & FLAG_OPTIONS != 0 {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut_off)?;
        options_at = offset(rest);
        let length = usize::from(u16::from_le_bytes(*length));
        (options, payload) = rest.split_at_checked(length).ok_or_else(cut_off)?;
    }
    let payload_at = offset(payload);
    Ok(Parts { topic, protocol, options, options_at, payload, payload_at })
}

fn cut_off() -> Refusal {
    Refusal::new(Code::BadFrame, "the frame ends inside a field that its header announces")
        .at(HEADER_BYTES)
}

fn utf8(bytes: &[u8], at: usize) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|error| {
        Refusal::new(Code::BadField, "the name is not UTF-8").at(at + error.valid_up_to())
    })
}
