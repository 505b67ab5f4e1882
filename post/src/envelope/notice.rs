//! What one device's post signs for another's: how far messages have come, which have to come
//! again, and which are called back.
//!
//! A notice changes what somebody else believes of messages, and comes by ways that don't say who
//! speaks. So it is signed by the device, over the very bytes that travel, which name both devices
//! and the messages: nobody else can make one, and it holds for nobody else. One that comes again
//! says what it said before.

use super::cbor::{FormError, Reader, Writer};
use super::lane::Lane;
use crate::limits::{NOTICE_DETAIL_BYTES_MAX, NOTICE_ENTRIES_MAX};
use kith_people::{DeviceId, DeviceKeys, Domain, SIGNATURE_BYTES, verify};
use kith_wire::MessageId;
use minicbor::Decoder;

/// How far a message has come on the device that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AckState {
    /// It is on the device's disk.
    Delivered,
    /// A program has acknowledged it.
    Taken,
    /// It was not accepted. This is an end.
    Refused,
    /// It was called back before anybody took it. This is an end.
    Recalled,
    /// It came too late. This is an end.
    Expired,
}

impl AckState {
    /// All of them, by their numbers.
    pub const ALL: [Self; 5] =
        [Self::Delivered, Self::Taken, Self::Refused, Self::Recalled, Self::Expired];
}

/// How far one message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The message.
    pub message: MessageId,
    /// How far it has come.
    pub state: AckState,
    /// With `Refused`: the word that says why. Empty if there is nothing to say.
    pub detail: String,
}

/// What a device says to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// How far these messages have come.
    Acks(Vec<Ack>),
    /// These could not be opened, and are wanted again under a fresh session of their lane.
    Resend(Vec<(MessageId, Lane)>),
    /// These are called back by their sender.
    Recall(Vec<MessageId>),
}

/// News with its signature, as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub(super) kind: NoticeKind,
    pub(super) bytes: Vec<u8>,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

/// Which news a notice holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoticeKind {
    Acks,
    Resend,
    Recall,
}

impl NoticeKind {
    const fn domain(self) -> Domain {
        match self {
            Self::Acks => Domain::Ack,
            Self::Resend => Domain::Resend,
            Self::Recall => Domain::Recall,
        }
    }
}

impl Notice {
    /// Signs news for a device.
    #[must_use]
    pub fn sign(news: &News, keys: &DeviceKeys, to: DeviceId) -> Self {
        let (kind, bytes) = (news.kind(), news.written(keys.sign_id(), to));
        let signature = keys.sign(kind.domain(), &bytes);
        Self { kind, bytes, signature }
    }

    /// What it says, if it was signed by this device for that one.
    ///
    /// # Errors
    /// If it was not, or is malformed.
    pub fn open(&self, from: DeviceId, to: DeviceId) -> Result<News, NoticeError> {
        verify(from.as_bytes(), self.kind.domain(), &self.bytes, &self.signature)
            .map_err(|_| NoticeError::Signature)?;
        News::parse(self.kind, &self.bytes, from, to)
    }
}

impl News {
    /// What these bytes say, which a signature was found to be over.
    pub(super) fn parse(
        kind: NoticeKind,
        bytes: &[u8],
        from: DeviceId,
        to: DeviceId,
    ) -> Result<Self, NoticeError> {
        let mut reader = Reader::new(bytes)?;
        if DeviceId::new(reader.array(1, "from")?) != from {
            return Err(NoticeError::OtherSender);
        }
        if DeviceId::new(reader.array(2, "to")?) != to {
            return Err(NoticeError::OtherRecipient);
        }
        let (length, list) = reader.list(3, "entries", NOTICE_ENTRIES_MAX)?;
        let news = match kind {
            NoticeKind::Acks => Self::Acks(entries(length, list, ack)?),
            NoticeKind::Resend => Self::Resend(entries(length, list, resend)?),
            NoticeKind::Recall => Self::Recall(entries(length, list, id)?),
        };
        reader.end()?;
        if news.written(from, to) != bytes {
            return Err(FormError::NotDeterministic.into());
        }
        Ok(news)
    }

    pub(super) const fn kind(&self) -> NoticeKind {
        match self {
            Self::Acks(_) => NoticeKind::Acks,
            Self::Resend(_) => NoticeKind::Resend,
            Self::Recall(_) => NoticeKind::Recall,
        }
    }

    pub(super) fn written(&self, from: DeviceId, to: DeviceId) -> Vec<u8> {
        let mut writer = Writer::new(4, 256);
        writer.bytes(1, from.as_bytes());
        writer.bytes(2, to.as_bytes());
        match self {
            Self::Acks(acks) => {
                let list = writer.list(3, acks.len());
                for Ack { message, state, detail } in acks {
                    let entry = list.array(3).and_then(|list| list.bytes(message.as_bytes()));
                    drop(entry.and_then(|list| list.u8(*state as u8)?.str(detail)));
                }
            }
            Self::Resend(messages) => {
                let list = writer.list(3, messages.len());
                for (message, lane) in messages {
                    let entry = list.array(2).and_then(|list| list.bytes(message.as_bytes()));
                    drop(entry.and_then(|list| list.u8(lane.number())));
                }
            }
            Self::Recall(messages) => {
                let list = writer.list(3, messages.len());
                messages.iter().for_each(|message| drop(list.bytes(message.as_bytes())));
            }
        }
        writer.done()
    }
}

const ENTRIES: FormError = FormError::Field("entries");

fn entries<'a, T>(
    length: usize,
    list: &mut Decoder<'a>,
    read: impl Fn(&mut Decoder<'a>) -> Option<T>,
) -> Result<Vec<T>, FormError> {
    (0..length).map(|_| read(list).ok_or(ENTRIES)).collect()
}

fn id(list: &mut Decoder<'_>) -> Option<MessageId> {
    MessageId::from_bytes(list.bytes().ok()?.try_into().ok()?).ok()
}

fn ack(list: &mut Decoder<'_>) -> Option<Ack> {
    list.array().ok()?.filter(|length| *length == 3)?;
    let message = id(list)?;
    let state = AckState::ALL.get(usize::from(list.u8().ok()?)).copied()?;
    let detail = list.str().ok()?;
    let is_shown = detail.len() <= NOTICE_DETAIL_BYTES_MAX && !detail.chars().any(char::is_control);
    is_shown.then(|| Ack { message, state, detail: detail.to_owned() })
}

fn resend(list: &mut Decoder<'_>) -> Option<(MessageId, Lane)> {
    list.array().ok()?.filter(|length| *length == 2)?;
    Some((id(list)?, Lane::from_number(list.u8().ok()?)?))
}

/// Why a notice says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// Not signed by the device that it comes from.
    #[error("the notice is not signed by the device that it comes from")]
    Signature,
    /// It names another device as its sender.
    #[error("the notice names another sender")]
    OtherSender,
    /// It was signed for another device.
    #[error("the notice is for another device")]
    OtherRecipient,
    /// Malformed.
    #[error("the notice is malformed: {0}")]
    Form(#[from] FormError),
}
