//! What both codecs check alike when they read an operation.

use crate::limits::{EXPIRE_AFTER_MS_MAX, REQUEST_TIMEOUT_MS_MAX};
use crate::{Code, Operation, Options, PayloadError, Protocol, Publication, Refusal};

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

/// The size, and for `ms` the form. Removing a kept value is the one case of an empty `ms` payload.
pub(crate) fn payload(
    payload: &[u8],
    protocol: &Protocol<'_>,
    options: &Options<'_>,
    payload_bytes_max: usize,
) -> Result<(), Refusal> {
    if payload.len() > payload_bytes_max {
        let text =
            format!("a payload of {} bytes, over the limit of {payload_bytes_max}", payload.len());
        return Err(Refusal::new(Code::TooLarge, text));
    }
    if protocol.is_ms() && !(payload.is_empty() && options.retain) {
        crate::check_ms(payload).map_err(at_byte)?;
    }
    Ok(())
}

fn at_byte(error: PayloadError) -> Refusal {
    let at = error.at();
    Refusal::from(error).at(at)
}

/// What a request can't have, because the daemon makes its reply topic and nobody else reads it.
pub(crate) fn request<'a>(
    number: Option<crate::RequestNumber>,
    publication: Publication<'a>,
    timeout_ms: u32,
) -> Result<Operation<'a>, Refusal> {
    if publication.options.retain || publication.options.reply_to.is_some() {
        let text = "a request has neither `retain` nor `reply_to`";
        return Err(Refusal::new(Code::BadField, text));
    }
    let number = number.ok_or_else(|| {
        Refusal::new(Code::BadField, "a request needs a number, under which its reply comes")
    })?;
    Ok(Operation::Request { number, publication, timeout_ms })
}
