//! A message as it was received.
//!
//! What most messages of one topic have alike (topic, protocol, scope, moment) is one shared
//! allocation for all messages of a run; each has its own id and payload. So a clone costs two
//! counters, and a message that a program keeps holds on to nothing but itself: payloads are not
//! slices of a larger buffer. A large one that came in a descriptor stays where it is, in memory of
//! its own.
//!
//! Deliberately absent: reading the payload. An `ms` payload is one JSON value, checked by the
//! daemon; which parser is the program's choice.

use crate::limits::MAPPED_BYTES_MIN;
use kith_sealed::{Mapping, SealedError, SealedMemory};
use kith_wire::{Delivery, Headers, MessageId, Priority, Protocol, SENDER_LOCAL, Scope, Topic};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A message that was received. Cheap to clone.
#[derive(Clone)]
pub struct Message {
    envelope: Arc<Envelope>,
    id: MessageId,
    attempt: Option<NonZeroU32>,
    payload: Payload,
}

/// The bytes, wherever they are.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Copied(Arc<[u8]>),
    Mapped(Arc<Mapping>),
}

/// Everything that a run of messages has alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    topic: Topic<'static>,
    protocol: Protocol<'static>,
    scope: Scope,
    sent_at_ms: u64,
    extras: Option<Box<Extras>>,
}

/// What few messages have.
#[derive(Debug, PartialEq, Eq)]
struct Extras {
    /// Where it is not local.
    sender: Option<Box<str>>,
    petname: Option<Box<str>>,
    device: Option<Box<str>>,
    expires_at_ms: Option<u64>,
    reply_to: Option<Topic<'static>>,
    priority: Priority,
    retained: bool,
    headers: Headers,
}

impl Message {
    /// The message's id: unique, and sortable by time.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.envelope.topic.as_str()
    }

    /// How to read the payload; `ms` is one JSON value.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.envelope.protocol.as_str()
    }

    /// Where it came from, as our own daemon worked out.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.envelope.scope
    }

    /// Who sent it: `local`, or a person's identity (`did:key:…`).
    #[must_use]
    pub fn sender(&self) -> &str {
        self.extras().and_then(|extras| extras.sender.as_deref()).unwrap_or(SENDER_LOCAL)
    }

    /// What the user calls the sender, if they are a person whom the user has named.
    #[must_use]
    pub fn petname(&self) -> Option<&str> {
        self.extras().and_then(|extras| extras.petname.as_deref())
    }

    /// The sending device's key; `None` where the sender is `local`.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.extras().and_then(|extras| extras.device.as_deref())
    }

    /// When it was published.
    #[must_use]
    pub fn sent_at(&self) -> SystemTime {
        moment(self.sent_at_ms())
    }

    /// When it was published, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn sent_at_ms(&self) -> u64 {
        self.envelope.sent_at_ms
    }

    /// Until when it is of use, if it says so.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at_ms().map(moment)
    }

    /// Until when it is of use, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn expires_at_ms(&self) -> Option<u64> {
        self.extras().and_then(|extras| extras.expires_at_ms)
    }

    /// The topic on which an answer is wanted; see [`Client::reply`](crate::Client::reply).
    #[must_use]
    pub fn reply_to(&self) -> Option<&str> {
        self.extras().and_then(|extras| extras.reply_to.as_ref()).map(Topic::as_str)
    }

    /// What it overtakes in a queue, and by what it is overtaken.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.extras().map_or(Priority::Normal, |extras| extras.priority)
    }

    /// Whether it is the topic's kept value rather than a new message.
    #[must_use]
    pub fn retained(&self) -> bool {
        self.extras().is_some_and(|extras| extras.retained)
    }

    /// Of a durable subscription: 1 where it has not been delivered before, more where it may have
    /// been. `None` on any other subscription.
    #[must_use]
    pub fn attempt(&self) -> Option<NonZeroU32> {
        self.attempt
    }

    /// Strings beside the payload.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        static NONE: Headers = Headers::new();
        self.extras().map_or(&NONE, |extras| &extras.headers)
    }

    /// The payload, as it was published.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload.bytes()
    }

    /// Whether the payload is the memory that its publisher handed over, and no copy: it has 1 MiB
    /// or more, and both clients asked for it with
    /// [`Builder::descriptors`](crate::Builder::descriptors).
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.payload, Payload::Mapped(_))
    }

    /// The payload as text, if it is UTF-8. That of protocol `ms` always is.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.payload()).ok()
    }

    /// What it counts for in an inbox.
    pub(crate) fn bytes(&self) -> usize {
        let headers = self.headers().iter().map(|(key, value)| key.len() + value.len());
        self.payload().len() + headers.sum::<usize>()
    }

    /// Takes what was decoded; shares the envelope of `last`, the one before, where it is the same.
    pub(crate) fn from_delivery(delivery: Delivery<'_>, last: &mut Option<Arc<Envelope>>) -> Self {
        let payload = Payload::Copied(delivery.payload.into());
        Self::with_payload(delivery, payload, last)
    }

    /// The same, with what came in a descriptor as its payload.
    pub(crate) fn with_payload(
        delivery: Delivery<'_>,
        payload: Payload,
        last: &mut Option<Arc<Envelope>>,
    ) -> Self {
        let (id, attempt) = (delivery.message_id, delivery.attempt);
        if let Some(envelope) = last
            && envelope.is_of(&delivery)
        {
            return Self { envelope: Arc::clone(envelope), id, attempt, payload };
        }
        let envelope = Arc::new(Envelope::from_delivery(delivery));
        *last = Some(Arc::clone(&envelope));
        Self { envelope, id, attempt, payload }
    }

    fn extras(&self) -> Option<&Extras> {
        self.envelope.extras.as_deref()
    }
}

impl Payload {
    /// What came in a descriptor.
    pub(crate) fn from_memory(memory: &SealedMemory) -> Result<Self, SealedError> {
        if memory.len() >= MAPPED_BYTES_MIN {
            return Ok(Self::Mapped(Arc::new(memory.map()?)));
        }
        let mut bytes = Vec::new();
        memory.read_into(&mut bytes)?;
        Ok(Self::Copied(bytes.into()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Mapped(mapping) => mapping,
        }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        let same = self.id == other.id && self.attempt == other.attempt;
        same && self.envelope == other.envelope && self.payload() == other.payload()
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("attempt", &self.attempt)
            .field("envelope", &self.envelope)
            .field("payload", &String::from_utf8_lossy(self.payload()))
            .finish()
    }
}

impl Envelope {
    fn from_delivery(delivery: Delivery<'_>) -> Self {
        let has_extras = has_extras(&delivery);
        let Delivery { topic, protocol, scope, sent_at_ms, .. } = delivery;
        let extras = has_extras.then(|| {
            Box::new(Extras {
                sender: (delivery.sender != SENDER_LOCAL).then(|| delivery.sender.into()),
                petname: delivery.petname.map(Into::into),
                device: delivery.device.map(Into::into),
                expires_at_ms: delivery.expires_at_ms,
                reply_to: delivery.reply_to.map(Topic::into_owned),
                priority: delivery.priority,
                retained: delivery.retained,
                headers: delivery.headers,
            })
        });
        let (topic, protocol) = (topic.into_owned(), protocol.into_owned());
        Self { topic, protocol, scope, sent_at_ms, extras }
    }

    /// Whether a delivery has this envelope. One with extras is always said to have another.
    fn is_of(&self, delivery: &Delivery<'_>) -> bool {
        self.extras.is_none()
            && self.sent_at_ms == delivery.sent_at_ms
            && self.topic.as_str() == delivery.topic.as_str()
            && self.protocol.as_str() == delivery.protocol.as_str()
            && self.scope == delivery.scope
            && !has_extras(delivery)
    }
}

fn has_extras(delivery: &Delivery<'_>) -> bool {
    delivery.sender != SENDER_LOCAL
        || delivery.petname.is_some()
        || delivery.device.is_some()
        || delivery.expires_at_ms.is_some()
        || delivery.reply_to.is_some()
        || delivery.priority != Priority::Normal
        || delivery.retained
        || !delivery.headers.is_empty()
}

fn moment(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)).unwrap_or(UNIX_EPOCH)
}

/// A message for tests, as the daemon would deliver it.
#[cfg(test)]
pub(crate) fn sample(topic: &str, payload: &str) -> Message {
    Message::from_delivery(tests::delivery(topic, payload), &mut None)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn delivery<'a>(topic: &'a str, payload: &'a str) -> Delivery<'a> {
        Delivery {
            message_id: MessageId::from_parts(1_700_000_000_000, &[7; 10]),
            sender: SENDER_LOCAL,
            petname: None,
            device: None,
            scope: Scope::Own,
            protocol: Protocol::MS,
            topic: Topic::new(topic).unwrap(),
            sent_at_ms: 1_700_000_000_000,
            expires_at_ms: None,
            reply_to: None,
            priority: Priority::Normal,
            retained: false,
            attempt: None,
            headers: Headers::new(),
            payload: payload.as_bytes(),
            sealed_bytes: None,
        }
    }

    #[test]
    fn messages_of_a_run_share_their_envelope() {
        let mut last = None;
        let first = Message::from_delivery(delivery("a", "1"), &mut last);
        let second = Message::from_delivery(delivery("a", "2"), &mut last);
        assert!(Arc::ptr_eq(&first.envelope, &second.envelope));
        assert_eq!((first.text(), second.text()), (Some("1"), Some("2")));

        let other = Message::from_delivery(delivery("b", "3"), &mut last);
        let later = Delivery { sent_at_ms: 0, ..delivery("b", "4") };
        let later = Message::from_delivery(later, &mut last);
        let kept = Delivery { retained: true, sent_at_ms: 0, ..delivery("b", "5") };
        let kept = Message::from_delivery(kept, &mut last);
        let again = Delivery { sent_at_ms: 0, ..delivery("b", "6") };
        let again = Message::from_delivery(again, &mut last);
        assert_eq!((other.topic(), other.sent_at_ms()), ("b", 1_700_000_000_000));
        assert_eq!((later.sent_at_ms(), later.retained()), (0, false));
        assert_eq!((kept.sent_at_ms(), kept.retained()), (0, true));
        assert!(!again.retained());
    }

    #[test]
    fn everything_that_was_delivered_can_be_read() {
        let mut headers = Headers::new();
        headers.insert("trace", "7").unwrap();
        let whole = Delivery {
            sender: "did:key:z6Mk",
            device: Some("key"),
            scope: Scope::Friends,
            protocol: Protocol::BT,
            expires_at_ms: Some(1_700_000_000_001),
            reply_to: Some(Topic::new("answers").unwrap()),
            priority: Priority::High,
            retained: true,
            attempt: NonZeroU32::new(3),
            headers: headers.clone(),
            payload: b"\xff",
            sealed_bytes: None,
            ..delivery("a.b", "")
        };
        let message = Message::from_delivery(whole, &mut None);
        assert_eq!(message.id(), MessageId::from_parts(1_700_000_000_000, &[7; 10]));
        assert_eq!((message.topic(), message.protocol()), ("a.b", "bt"));
        assert_eq!((message.sender(), message.device()), ("did:key:z6Mk", Some("key")));
        assert_eq!(message.scope(), Scope::Friends);
        assert_eq!(message.sent_at(), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let expires_at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_001);
        assert_eq!(message.expires_at(), Some(expires_at));
        assert_eq!(message.reply_to(), Some("answers"));
        assert_eq!((message.priority(), message.retained()), (Priority::High, true));
        assert_eq!(message.headers(), &headers);
        assert_eq!((message.payload(), message.text()), (&b"\xff"[..], None));
        assert_eq!(message.bytes(), 7);

        let plain = sample("a", "1");
        assert_eq!((plain.sender(), plain.device(), plain.reply_to()), ("local", None, None));
        assert_eq!((plain.priority(), plain.headers()), (Priority::Normal, &Headers::new()));
        assert_eq!(plain.expires_at(), None);
    }
}
