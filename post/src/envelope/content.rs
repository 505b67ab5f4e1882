//! The content of a message to one device: what is encrypted, and what it is bound to.
//!
//! A content names the person and the device that it is from and those that it is for. Whoever
//! opens it knows by whose session it came, and refuses what says something else: so a message
//! can't be turned towards anybody else, nor be attributed to them, not even by its recipient. What
//! lane it is in is bound in the same way.
//!
//! A content that exists is fit to be shown and delivered: topic, protocol, headers and texts hold
//! no control characters and no wildcards, the topic is not reserved (nothing that comes from
//! elsewhere may speak as the daemon or one of its services), and a payload of `ms` is JSON.
//!
//! Deliberately absent: a scope. Who receives works out whether the sender is a friend.

use super::cbor::{FormError, Reader, Writer};
use super::lane::Lane;
use crate::limits::{CONTENT_BYTES_MAX, CONTENT_TEXT_BYTES_MAX, NUMBER_MAX};
use kith_people::{DeviceId, PersonId};
use kith_wire::limits::{HEADERS_MAX, REQUEST_TIMEOUT_MS_MAX};
use kith_wire::{
    Headers, HeadersError, MessageId, PayloadError, Priority, Protocol, ProtocolError, Topic,
    TopicError, check_ms,
};
use std::fmt;

/// Room for everything but headers and payload, so that nothing is copied while it is written.
const FRONT_BYTES: usize = 1024;

/// A person's device: one end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Party {
    /// The person.
    pub person: PersonId,
    /// The device.
    pub device: DeviceId,
}

/// What a content has to say of itself, by the session that it came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whose session it is.
    pub from: Party,
    /// This device.
    pub to: Party,
    /// The session's lane.
    pub lane: Lane,
}

/// What a content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message for whoever is subscribed.
    Message,
    /// A message for one who answers.
    Request {
        /// How long its sender waits, in milliseconds.
        timeout_ms: u32,
    },
    /// The answer to a request.
    Reply {
        /// The request.
        to: MessageId,
    },
    /// That a request was not answered; the payload says why.
    ReplyError {
        /// The request.
        to: MessageId,
    },
    /// Between the posts of two devices; never delivered on a bus.
    Internal,
}

/// What is encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Who sent it.
    pub from: Party,
    /// Whom it is for.
    pub to: Party,
    /// The message's id, the same for each device that it goes to.
    pub id: MessageId,
    /// What it is.
    pub kind: Kind,
    /// The number of the message among those from this device to that one.
    pub seq: u64,
    /// When it was published, in milliseconds since the Unix epoch.
    pub sent_at: u64,
    /// When it is worthless, in milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// How to read the payload.
    pub protocol: Protocol<'static>,
    /// What it is about.
    pub topic: Topic<'static>,
    /// Strings beside the payload.
    pub headers: Headers,
    /// What overtakes what.
    pub priority: Priority,
    /// Worthless late: neither stored nor sent again.
    pub is_realtime: bool,
    /// Where its publisher wants answers, as a topic of its own bus.
    pub reply_topic: Option<Topic<'static>>,
    /// The room that it belongs to.
    pub room: Option<String>,
    /// To my other devices: whom I sent this to.
    pub echo: Option<String>,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Content {
    /// The lane that it travels in.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        Lane::of(self.priority, self.is_realtime)
    }

    /// The content as bytes.
    ///
    /// # Errors
    /// If nobody would take it.
    pub fn encode(&self) -> Result<Vec<u8>, ContentError> {
        self.check()?;
        let bytes = self.written();
        if CONTENT_BYTES_MAX < bytes.len() { Err(ContentError::TooLarge) } else { Ok(bytes) }
    }

    /// Reads a content that came through the session of this binding.
    ///
    /// # Errors
    /// If it is none, or is bound to something else.
    pub fn parse(bytes: &[u8], binding: &Binding) -> Result<Self, ContentError> {
        if CONTENT_BYTES_MAX < bytes.len() {
            return Err(ContentError::TooLarge);
        }
        let content = read(bytes)?;
        content.check()?;
        if content.written() != bytes {
            return Err(FormError::NotDeterministic.into());
        }
        if content.from != binding.from {
            return Err(ContentError::OtherSender);
        }
        if content.to != binding.to {
            return Err(ContentError::OtherRecipient);
        }
        if content.lane() != binding.lane {
            return Err(ContentError::OtherLane);
        }
        Ok(content)
    }

    /// What the types of the fields don't hold.
    fn check(&self) -> Result<(), ContentError> {
        if self.topic.is_reserved() {
            return Err(ContentError::ReservedTopic);
        }
        if [self.seq, self.sent_at, self.expires_at].iter().any(|number| NUMBER_MAX < *number) {
            return Err(ContentError::Number);
        }
        if self.expires_at < self.sent_at {
            return Err(ContentError::Times);
        }
        if let Kind::Request { timeout_ms } = self.kind
            && !(1..=REQUEST_TIMEOUT_MS_MAX).contains(&timeout_ms)
        {
            return Err(ContentError::Number);
        }
        for text in [&self.room, &self.echo].into_iter().flatten() {
            let has_length = (1..=CONTENT_TEXT_BYTES_MAX).contains(&text.len());
            if !has_length || text.chars().any(char::is_control) {
                return Err(ContentError::Text);
            }
        }
        if self.protocol.is_ms() {
            check_ms(&self.payload)?;
        }
        Ok(())
    }

    fn written(&self) -> Vec<u8> {
        let (number, reply_to, timeout_ms) = match self.kind {
            Kind::Message => (0, None, None),
            Kind::Request { timeout_ms } => (1, None, Some(timeout_ms)),
            Kind::Reply { to } => (2, Some(to), None),
            Kind::ReplyError { to } => (3, Some(to), None),
            Kind::Internal => (4, None, None),
        };
        let is_ranked = self.priority != Priority::Normal;
        let optional = [
            !self.headers.is_empty(),
            is_ranked,
            self.is_realtime,
            reply_to.is_some(),
            timeout_ms.is_some(),
            self.reply_topic.is_some(),
            self.room.is_some(),
            self.echo.is_some(),
        ];
        let fields = 13 + optional.into_iter().filter(|is_there| *is_there).count();
        let headers = self.headers.iter().map(|(key, value)| key.len() + value.len() + 6);
        let room = FRONT_BYTES + headers.sum::<usize>() + self.payload.len();
        let mut writer = Writer::new(fields, room);
        writer.bytes(1, self.from.person.as_bytes());
        writer.bytes(2, self.from.device.as_bytes());
        writer.bytes(3, self.to.person.as_bytes());
        writer.bytes(4, self.to.device.as_bytes());
        writer.bytes(5, self.id.as_bytes());
        writer.number(6, number);
        writer.number(7, self.seq);
        writer.number(8, self.sent_at);
        writer.number(9, self.expires_at);
        writer.text(10, self.protocol.as_str());
        writer.text(11, self.topic.as_str());
        if !self.headers.is_empty() {
            let list = writer.list(12, self.headers.iter().count() * 2);
            for (key, value) in self.headers.iter() {
                drop(list.str(key).and_then(|list| list.str(value)));
            }
        }
        if is_ranked {
            writer.number(13, self.priority.number().into());
        }
        if self.is_realtime {
            writer.number(14, 1);
        }
        reply_to.into_iter().for_each(|id| writer.bytes(15, id.as_bytes()));
        timeout_ms.into_iter().for_each(|timeout_ms| writer.number(16, timeout_ms.into()));
        self.reply_topic.iter().for_each(|topic| writer.text(17, topic.as_str()));
        self.room.iter().for_each(|text| writer.text(18, text));
        self.echo.iter().for_each(|text| writer.text(19, text));
        writer.bytes(20, &self.payload);
        writer.done()
    }
}

fn read(bytes: &[u8]) -> Result<Content, ContentError> {
    let mut reader = Reader::new(bytes)?;
    let from = party(&mut reader, 1, "from")?;
    let to = party(&mut reader, 3, "to")?;
    let id = message_id(&mut reader, 5, "id")?;
    let kind = reader.number(6, "kind")?;
    let seq = reader.number(7, "seq")?;
    let sent_at = reader.number(8, "sent_at")?;
    let expires_at = reader.number(9, "expires_at")?;
    let protocol = Protocol::new(reader.text(10, "protocol")?.to_owned())?;
    let topic = Topic::new(reader.text(11, "topic")?.to_owned())?;
    let headers = headers(&mut reader)?;
    let priority = match reader.number(13, "priority") {
        Ok(number) => priority(number)?,
        Err(_) => Priority::Normal,
    };
    let is_realtime = reader.number(14, "realtime").is_ok();
    let kind = match kind {
        0 => Kind::Message,
        1 => {
            let timeout_ms = reader.number(16, "timeout_ms")?;
            let timeout_ms = u32::try_from(timeout_ms).map_err(|_| ContentError::Number)?;
            Kind::Request { timeout_ms }
        }
        2 => Kind::Reply { to: message_id(&mut reader, 15, "reply_to")? },
        3 => Kind::ReplyError { to: message_id(&mut reader, 15, "reply_to")? },
        4 => Kind::Internal,
        _ => return Err(FormError::Field("kind").into()),
    };
    let reply_topic = optional(&mut reader, 17, "reply_topic").map(Topic::new).transpose()?;
    let room = optional(&mut reader, 18, "room");
    let echo = optional(&mut reader, 19, "echo");
    let payload = reader.bytes(20, "payload")?.to_vec();
    reader.end()?;
    Ok(Content {
        from,
        to,
        id,
        kind,
        seq,
        sent_at,
        expires_at,
        protocol,
        topic,
        headers,
        priority,
        is_realtime,
        reply_topic,
        room,
        echo,
        payload,
    })
}

/// A text that may be left out. One that is broken is left unread: then the next field is not
/// where it should be.
fn optional(reader: &mut Reader<'_>, key: u64, field: &'static str) -> Option<String> {
    reader.text(key, field).ok().map(str::to_owned)
}

fn party(reader: &mut Reader<'_>, key: u64, field: &'static str) -> Result<Party, FormError> {
    let person = PersonId::new(reader.array(key, field)?);
    let device = DeviceId::new(reader.array(key + 1, field)?);
    Ok(Party { person, device })
}

fn message_id(
    reader: &mut Reader<'_>,
    key: u64,
    field: &'static str,
) -> Result<MessageId, FormError> {
    MessageId::from_bytes(reader.array(key, field)?).map_err(|_| FormError::Field(field))
}

fn priority(number: u64) -> Result<Priority, FormError> {
    let number = u8::try_from(number).ok();
    number.and_then(Priority::from_number).ok_or(FormError::Field("priority"))
}

fn headers(reader: &mut Reader<'_>) -> Result<Headers, ContentError> {
    let mut headers = Headers::new();
    let broken = |_| FormError::Field("headers");
    if let Ok((length, list)) = reader.list(12, "headers", HEADERS_MAX * 2) {
        for _ in 0..length / 2 {
            let key = list.str().map_err(broken)?;
            headers.insert(key, list.str().map_err(broken)?)?;
        }
    }
    Ok(headers)
}

/// Shows no payload.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// Why bytes are no content for here, or a content can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Larger than anybody takes.
    #[error("the content has more than {CONTENT_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a content at all.
    #[error("the content is malformed: {0}")]
    Form(#[from] FormError),
    /// It says that it is from somebody else.
    #[error("the content names another sender than the one who sent it")]
    OtherSender,
    /// It says that it is for somebody else.
    #[error("the content is for another person or device")]
    OtherRecipient,
    /// It belongs into another lane.
    #[error("the content belongs into another lane than it came by")]
    OtherLane,
    /// The topic is none.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The topic is one that only the daemon and its services publish on.
    #[error("the topic is reserved: nobody from elsewhere may publish on it")]
    ReservedTopic,
    /// The protocol is none.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The headers are none.
    #[error(transparent)]
    Headers(#[from] HeadersError),
    /// The payload is no JSON, though the protocol says so.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A number or time is out of its range.
    #[error("a number of the content is out of its range")]
    Number,
    /// It expires before it was sent.
    #[error("the content expires before it was sent")]
    Times,
    /// A room or an echo is empty, too long, or holds control characters.
    #[error("a text of the content is empty, too long, or holds control characters")]
    Text,
}
