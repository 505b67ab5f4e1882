//! What both codecs check alike when they read an operation.

use crate::limits::{ACKNOWLEDGED_IDS_MAX, EXPIRE_AFTER_MS_MAX, REQUEST_TIMEOUT_MS_MAX};
use crate::refusal::Placed;
use crate::{
    Code, Destination, Operation, Options, Protocol, Publication, Refusal, RequestNumber,
    Subscribe, TextError, Until, check_destination,
};
use uuid::fmt::Hyphenated;

/// A UUID in its hyphenated form: of the several ways to write one, this one is enough.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    text.parse().ok().map(|uuid: Hyphenated| uuid.into_uuid().into_bytes())
}

/// A short text of this kind, refused with `code` where it is not one.
pub(crate) fn text(code: Code, error: &TextError) -> Refusal {
    Refusal::new(code, error.to_string()).at(error.at())
}

pub(crate) fn destination(to: &str) -> Result<Destination, Refusal> {
    check_destination(to).map_err(|error| text(Code::BadField, &error))?;
    Ok(Destination::from_text(to))
}

pub(crate) fn expire_after(ms: u64) -> Result<u64, Refusal> {
    if (1..=EXPIRE_AFTER_MS_MAX).contains(&ms) {
        Ok(ms)
    } else {
        let text = format!("a message expires after 1 to {EXPIRE_AFTER_MS_MAX} ms, not {ms}");
        Err(Refusal::new(Code::BadField, text))
    }
}

pub(crate) fn timeout(ms: u64) -> Result<u32, Refusal> {
    match u32::try_from(ms) {
        Ok(ms) if (1..=REQUEST_TIMEOUT_MS_MAX).contains(&ms) => Ok(ms),
        _ => {
            let text = format!("a request waits 1 to {REQUEST_TIMEOUT_MS_MAX} ms, not {ms}");
            Err(Refusal::new(Code::BadField, text))
        }
    }
}

/// What of its options a publication can't have at once.
pub(crate) fn options(options: &Options<'_>) -> Result<(), Refusal> {
    let is_local = options.to == Destination::Local;
    let text = match options.until {
        _ if options.realtime && options.retain => "what is never stored can't be kept",
        Until::Stored if options.realtime => "what is never stored can't be stored",
        Until::Sent | Until::Delivered if is_local => {
            "`until` is `accepted` or `stored` where the message is for this bus"
        }
        _ if options.echo && is_local => {
            "`echo` is for a message to somebody; one for your own devices has them in `to`"
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(Code::BadField, text))
}

/// The size, and for `ms` the form. Removing a kept value is the one case of an empty `ms` payload.
pub(crate) fn payload(
    payload: &[u8],
    protocol: &Protocol<'_>,
    options: &Options<'_>,
    payload_bytes_max: usize,
) -> Result<(), Refusal> {
    payload_size(payload.len(), payload_bytes_max)?;
    if protocol.is_ms() && !(payload.is_empty() && options.retain) {
        crate::check_ms(payload).map_err(Placed::placed)?;
    }
    Ok(())
}

pub(crate) fn payload_size(bytes: usize, payload_bytes_max: usize) -> Result<(), Refusal> {
    if bytes <= payload_bytes_max {
        return Ok(());
    }
    let text = format!("a payload of {bytes} bytes, over the limit of {payload_bytes_max}");
    Err(Refusal::new(Code::TooLarge, text))
}

/// A request, whose number can't be left out.
pub(crate) fn request(
    number: Option<RequestNumber>,
    publication: Publication<'_>,
    timeout_ms: u32,
) -> Result<Operation<'_>, Refusal> {
    let number = number.ok_or_else(|| {
        Refusal::new(Code::BadField, "a request needs a number, under which its reply comes")
    })?;
    Ok(Operation::Request { number, publication, timeout_ms })
}

/// What a subscription can't be at once. One of a group takes messages from the others, and so does
/// a durable one, which is more than looking on.
pub(crate) fn subscribe(asked: &Subscribe<'_>) -> Result<(), Refusal> {
    let Subscribe { group, retained, monitor, durable, since, .. } = asked;
    let text = match (group, durable) {
        (Some(_), Some(_)) => {
            "a durable subscription can't be one of a group; all connections with its name share \
             its messages"
        }
        (Some(_), None) if *monitor => "a monitor can't be one of a group",
        (None, Some(_)) if *monitor => "a monitor can't be durable",
        (_, None) if since.is_some() && !retained => {
            "only what is durable or asks for kept values can say since when"
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(Code::BadField, text))
}

/// How many messages may be acknowledged at once.
pub(crate) fn acknowledged(ids: usize) -> Result<(), Refusal> {
    if (1..=ACKNOWLEDGED_IDS_MAX).contains(&ids) {
        return Ok(());
    }
    let text = format!("1 to {ACKNOWLEDGED_IDS_MAX} messages are acknowledged at once, not {ids}");
    Err(Refusal::new(Code::BadField, text))
}
