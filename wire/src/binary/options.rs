//! Options of a frame: tag, length, value, one after another.
//!
//! Tags rise, so an option given twice is seen without remembering which there were; only headers
//! repeat. Unknown tags are errors: an option that is silently passed over is a promise broken.

use super::frame::short;
use crate::limits::ENVELOPE_BYTES_MAX;
use crate::refusal::Placed;
use crate::{Code, Headers, MessageId, Options, Priority, Refusal, Topic, TopicError, Until};
use std::num::NonZeroU32;

macro_rules! tags {
    ($($(#[$doc:meta])* $variant:ident = $byte:literal, $name:literal;)*) => {
        /// The tag of an option.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Tag {
            $($(#[$doc])* $variant = $byte,)*
        }

        impl Tag {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The byte that frames carry.
            #[must_use]
            pub const fn byte(self) -> u8 {
                self as u8
            }

            /// The name in the protocol's document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

tags! {
    /// The message's id.
    MessageId = 0x01, "message id";
    /// Where to.
    To = 0x02, "to";
    /// Not to be delivered later than this, from now.
    ExpireAfter = 0x03, "expire after";
    /// Keep it as the topic's last value.
    Retain = 0x04, "retain";
    /// Where an answer should be published.
    ReplyTo = 0x05, "reply to";
    /// What overtakes what.
    Priority = 0x06, "priority";
    /// One header.
    Header = 0x07, "header";
    /// How long a request waits.
    Timeout = 0x08, "time-out";
    /// When the answer is to come.
    Until = 0x09, "until";
    /// Never to be stored.
    Realtime = 0x0a, "realtime";
    /// The user's other devices get a copy.
    Echo = 0x0b, "echo";
    /// Until when the message is of use.
    ExpiresAt = 0x10, "expires at";
    /// Who sent it.
    Sender = 0x11, "sender";
    /// With which device.
    Device = 0x12, "device";
    /// A kept value rather than a new message.
    Retained = 0x13, "retained";
    /// How many times it may have been delivered, with this one.
    Attempt = 0x14, "attempt";
    /// What the user calls the sender.
    Petname = 0x15, "petname";
}

impl Tag {
    /// All tags, by byte.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::all().find(|tag| tag.byte() == byte)
    }
}

/// Everything that options can say, of either direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AllOptions<'a> {
    pub(super) publish: Options<'a>,
    pub(super) timeout_ms: Option<u32>,
    pub(super) expires_at_ms: Option<u64>,
    pub(super) sender: Option<&'a str>,
    pub(super) petname: Option<&'a str>,
    pub(super) device: Option<&'a str>,
    pub(super) retained: bool,
    pub(super) attempt: Option<NonZeroU32>,
}

/// Reads options; `bytes` is the whole of them, `offset` where they begin in the frame.
pub(super) fn read<'a>(
    mut bytes: &'a [u8],
    offset: usize,
    allowed: &[Tag],
) -> Result<AllOptions<'a>, Refusal> {
    let whole = bytes.len();
    let mut all = AllOptions::default();
    let mut last = 0;
    while !bytes.is_empty() {
        let at = offset + whole - bytes.len();
        let cut = || Refusal::new(Code::BadFrame, "an option is cut off").at(at);
        let ([byte, l0, l1], rest) = bytes.split_first_chunk::<3>().ok_or_else(cut)?;
        let length = usize::from(u16::from_le_bytes([*l0, *l1]));
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let tag = Tag::from_byte(*byte).filter(|tag| allowed.contains(tag)).ok_or_else(|| {
            Refusal::new(Code::BadField, format!("no option {byte:#04x} in this frame")).at(at)
        })?;
        let repeats = tag == Tag::Header && *byte == last;
        if *byte <= last && !repeats {
            let text = format!("option `{}` is given twice, or out of order", tag.name());
            return Err(Refusal::new(Code::BadField, text).at(at));
        }
        last = *byte;
        read_one(&mut all, tag, value).map_err(|refusal| refusal.after(at + 3))?;
        bytes = rest;
    }
    Ok(all)
}

fn read_one<'a>(all: &mut AllOptions<'a>, tag: Tag, value: &'a [u8]) -> Result<(), Refusal> {
    match tag {
        Tag::MessageId => {
            all.publish.message_id = Some(MessageId::from_bytes(number(tag, value)?)?);
        }
        Tag::To => all.publish.to = crate::decode::destination(text(tag, value)?)?,
        Tag::ExpireAfter => {
            let ms = u64::from_le_bytes(number(tag, value)?);
            all.publish.expire_after_ms = Some(crate::decode::expire_after(ms)?);
        }
        Tag::Retain => {
            number::<0>(tag, value)?;
            all.publish.retain = true;
        }
        Tag::ReplyTo => all.publish.reply_to = Some(topic(value)?),
        Tag::Priority => {
            let [byte] = number(tag, value)?;
            all.publish.priority = Priority::from_number(byte).ok_or_else(|| {
                Refusal::new(Code::BadField, "priority is 0 (high), 1 (normal) or 2 (bulk)")
            })?;
        }
        Tag::Header => header(&mut all.publish.headers, value)?,
        Tag::Timeout => {
            let ms = u32::from_le_bytes(number(tag, value)?);
            all.timeout_ms = Some(crate::decode::timeout(ms.into())?);
        }
        Tag::Until => {
            let [byte] = number(tag, value)?;
            all.publish.until = Until::from_number(byte).ok_or_else(|| {
                let text = "until is 0 (accepted), 1 (stored), 2 (sent) or 3 (delivered)";
                Refusal::new(Code::BadField, text)
            })?;
        }
        Tag::Realtime => {
            number::<0>(tag, value)?;
            all.publish.realtime = true;
        }
        Tag::Echo => {
            number::<0>(tag, value)?;
            all.publish.echo = true;
        }
        Tag::ExpiresAt => all.expires_at_ms = Some(u64::from_le_bytes(number(tag, value)?)),
        Tag::Sender => all.sender = Some(text(tag, value)?),
        Tag::Device => all.device = Some(text(tag, value)?),
        Tag::Petname => all.petname = Some(text(tag, value)?),
        Tag::Retained => {
            number::<0>(tag, value)?;
            all.retained = true;
        }
        Tag::Attempt => {
            let attempt = NonZeroU32::new(u32::from_le_bytes(number(tag, value)?));
            all.attempt = Some(
                attempt
                    .ok_or_else(|| Refusal::new(Code::BadField, "attempts are counted from 1"))?,
            );
        }
    }
    Ok(())
}

fn number<const N: usize>(tag: Tag, value: &[u8]) -> Result<[u8; N], Refusal> {
    value.try_into().map_err(|_| {
        let text = format!("option `{}` has {N} bytes, not {}", tag.name(), value.len());
        Refusal::new(Code::BadField, text)
    })
}

fn text(tag: Tag, value: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(value).map_err(|error| {
        let text = format!("option `{}` is not UTF-8", tag.name());
        Refusal::new(Code::BadField, text).at(error.valid_up_to())
    })
}

/// Takes bytes as a topic; the offset of a refusal is that in the topic.
pub(super) fn topic(bytes: &[u8]) -> Result<Topic<'_>, Refusal> {
    std::str::from_utf8(bytes)
        .map_err(|error| TopicError::Utf8(error.valid_up_to()))
        .and_then(Topic::new)
        .map_err(Placed::placed)
}

fn header(headers: &mut Headers, value: &[u8]) -> Result<(), Refusal> {
    let cut = || Refusal::new(Code::BadHeader, "a header's key is cut off");
    let (length, rest) = value.split_first().ok_or_else(cut)?;
    let (key, value) = rest.split_at_checked(usize::from(*length)).ok_or_else(cut)?;
    let utf8 = |_| Refusal::new(Code::BadHeader, "a header is not UTF-8");
    let key = std::str::from_utf8(key).map_err(utf8)?;
    let value = std::str::from_utf8(value).map_err(utf8)?;
    Ok(headers.insert(key, value)?)
}

/// Appends one option. No value that can be taken is as long as the envelope; of a longer one the
/// beginning is written, so that all options together fit their length.
pub(super) fn put(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    let value = value.get(..ENVELOPE_BYTES_MAX).unwrap_or(value);
    out.push(tag.byte());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(value);
}

/// Appends the options that both directions have, in the order of their tags.
pub(super) fn put_shared(
    out: &mut Vec<u8>,
    reply_to: Option<&Topic<'_>>,
    priority: Priority,
    headers: &Headers,
) {
    if let Some(reply_to) = reply_to {
        put(out, Tag::ReplyTo, reply_to.as_str().as_bytes());
    }
    if priority != Priority::Normal {
        put(out, Tag::Priority, &[priority.number()]);
    }
    for (key, value) in headers.iter() {
        let length = 1 + key.len() + value.len();
        out.push(Tag::Header.byte());
        out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        let (key_bytes, key) = short(key);
        out.push(key_bytes);
        out.extend_from_slice(key);
        out.extend_from_slice(value.as_bytes());
    }
}

/// Runs `write`, and puts the length of what it wrote before it.
pub(super) fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = u16::try_from(out.len() - start - 2).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start..start + 2) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}
