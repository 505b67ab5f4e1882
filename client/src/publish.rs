//! A message to be published, and a request.
//!
//! Both are written as frames by whoever publishes, in that task, and borrow topic and payload
//! until then; the task that owns the socket only copies bytes. What is wrong with them is said
//! when they are sent, so that building one is a chain of words without `?`.
//!
//! Deliberately absent: a serializer. `serde_json::to_string` and its like make the text, and this
//! library has no opinion about them.

use crate::InvalidMessage;
use kith_sealed::SealedMemory;
use kith_wire::limits::{REQUEST_TIMEOUT_MS_DEFAULT, SEALED_BYTES_MIN};
use kith_wire::{
    Destination, Headers, HeadersError, MessageId, Operation, Options, Priority, Protocol,
    Publication, RequestNumber, Topic, Until, binary, check_destination,
};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The protocol whose payload is one JSON value.
const MS: &str = "ms";

/// A message to be published: [`Client::send`](crate::Client::send) and
/// [`Client::post`](crate::Client::post) take it.
///
/// ```
/// use kith_client::{Priority, Publish};
/// use std::time::Duration;
///
/// let order = Publish::json("shop.order", r#"{"cups":2}"#)
///     .priority(Priority::High)
///     .expire_after(Duration::from_secs(60))
///     .header("trace", "7");
/// # let _ = order;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a message is published by `Client::send` or `Client::post`"]
pub struct Publish<'a> {
    topic: Cow<'a, str>,
    protocol: Cow<'a, str>,
    payload: Cow<'a, [u8]>,
    /// In place of `payload`.
    sealed: Option<Arc<SealedMemory>>,
    id: Option<MessageId>,
    expire_after: Option<Duration>,
    retain: bool,
    reply_to: Option<Cow<'a, str>>,
    priority: Priority,
    headers: Result<Headers, HeadersError>,
    until: Until,
    to: Option<Cow<'a, str>>,
    realtime: bool,
    echo: bool,
}

impl<'a> Publish<'a> {
    /// A message whose payload is one JSON value, without line breaks ([`compact_json`] takes them
    /// out). The daemon checks it.
    ///
    /// [`compact_json`]: crate::compact_json
    pub fn json(topic: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        let payload = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::bytes(topic, MS, payload)
    }

    /// A message whose payload is bytes, and the name of the protocol that says how to read them.
    pub fn bytes(
        topic: impl Into<Cow<'a, str>>,
        protocol: impl Into<Cow<'a, str>>,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Self {
        Self {
            topic: topic.into(),
            protocol: protocol.into(),
            payload: bytes.into(),
            sealed: None,
            id: None,
            expire_after: None,
            retain: false,
            reply_to: None,
            priority: Priority::Normal,
            headers: Ok(Headers::new()),
            until: Until::Accepted,
            to: None,
            realtime: false,
            echo: false,
        }
    }

    /// A message whose payload is memory that nobody can change any more. It is handed over instead
    /// of copied where it has 64 KiB or more, the connection was made with
    /// [`Builder::descriptors`](crate::Builder::descriptors), and the message is published with
    /// [`Client::send`](crate::Client::send); else its bytes are sent. The same memory can be
    /// published any number of times.
    pub fn sealed(
        topic: impl Into<Cow<'a, str>>,
        protocol: impl Into<Cow<'a, str>>,
        memory: &Arc<SealedMemory>,
    ) -> Self {
        let sealed = Some(Arc::clone(memory));
        Self { sealed, ..Self::bytes(topic, protocol, [].as_slice()) }
    }

    /// The daemon keeps the message as the topic's last value, for subscriptions that ask for it.
    /// With an empty payload, whatever the protocol, it forgets the kept one, and nothing is
    /// delivered.
    pub fn retain(mut self) -> Self {
        self.retain = true;
        self
    }

    /// A message that has not been delivered after this never is: 1 ms to 30 days.
    pub fn expire_after(mut self, duration: Duration) -> Self {
        self.expire_after = Some(duration);
        self
    }

    /// The topic on which answers should be published.
    pub fn reply_to(mut self, topic: impl Into<Cow<'a, str>>) -> Self {
        self.reply_to = Some(topic.into());
        self
    }

    /// What it overtakes in a subscriber's queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Adds a header: a key of `a`–`z`, `0`–`9` and `-`, each once, and a value without control
    /// characters.
    pub fn header(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        if let Ok(headers) = &mut self.headers
            && let Err(error) = headers.insert(key.as_ref(), value.as_ref())
        {
            self.headers = Err(error);
        }
        self
    }

    /// The answer comes once the message is on the disk, for a durable subscription or as a kept
    /// value. Where nobody has it stored it is refused, with
    /// [`Code::NoConsumers`](crate::Code::NoConsumers); an answer that does not say that it is
    /// stored is [`PublishError::NotStored`](crate::PublishError::NotStored). (A message that a
    /// durable subscription matches is stored without this, too.)
    pub fn until_stored(mut self) -> Self {
        self.until = Until::Stored;
        self
    }

    /// Where to: a person by the name that the user gave them, perhaps with one of their devices,
    /// `self` for the user's own devices, or `local`, which is this bus and the default. Nobody on
    /// this bus gets what is for somebody else.
    pub fn to(mut self, destination: impl Into<Cow<'a, str>>) -> Self {
        self.to = Some(destination.into());
        self
    }

    /// The answer comes once a message for somebody else is on its way to one of their devices.
    pub fn until_sent(mut self) -> Self {
        self.until = Until::Sent;
        self
    }

    /// The answer comes once a message for somebody else is on the disk of one of their devices,
    /// which may take as long as that is switched off. Meanwhile other messages can be sent. If it
    /// does not get there, it is refused with [`Code::NotDelivered`](crate::Code::NotDelivered).
    pub fn until_delivered(mut self) -> Self {
        self.until = Until::Delivered;
        self
    }

    /// The message is never stored, on this disk or another: it is worth nothing if it can't be
    /// delivered now.
    pub fn realtime(mut self) -> Self {
        self.realtime = true;
        self
    }

    /// The user's other devices get a copy of a message for somebody else.
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }

    /// The message's id, where a program has reason to choose it: the same id published twice is
    /// delivered once. [`Client::send`](crate::Client::send) makes one where it is left out.
    pub fn id(mut self, id: MessageId) -> Self {
        self.id = Some(id);
        self
    }

    /// The id that it was given, if it was.
    #[must_use]
    pub fn given_id(&self) -> Option<MessageId> {
        self.id
    }

    /// Whether only an answer that says that it is stored will do.
    pub(crate) fn is_until_stored(&self) -> bool {
        self.until == Until::Stored
    }

    /// At least as long as its frame; used to count it before it is written.
    pub(crate) fn bytes_about(&self) -> usize {
        binary::HEADER_BYTES + self.topic.len() + self.protocol.len() + self.payload_bytes()
    }

    /// The memory to hand over, if it is worth it.
    pub(crate) fn worth_handing_over(&self) -> Option<&Arc<SealedMemory>> {
        self.sealed.as_ref().filter(|memory| memory.len() >= SEALED_BYTES_MIN)
    }

    fn payload_bytes(&self) -> usize {
        self.sealed.as_ref().map_or(self.payload.len(), |memory| memory.len())
    }

    /// Checks it, and gives what a frame can be made of.
    pub(crate) fn publication(
        &self,
        payload_bytes_max: usize,
    ) -> Result<Publication<'_>, InvalidMessage> {
        let envelope = self.envelope(payload_bytes_max)?;
        let Some(memory) = &self.sealed else {
            return Ok(Publication { payload: Cow::Borrowed(&self.payload), ..envelope });
        };
        let mut bytes = Vec::new();
        memory
            .read_into(&mut bytes)
            .map_err(|error| InvalidMessage::Unreadable { text: error.to_string() })?;
        Ok(Publication { payload: Cow::Owned(bytes), ..envelope })
    }

    /// The same without the payload.
    pub(crate) fn envelope(
        &self,
        payload_bytes_max: usize,
    ) -> Result<Publication<'_>, InvalidMessage> {
        let (bytes, bytes_max) = (self.payload_bytes(), payload_bytes_max);
        if bytes > bytes_max {
            return Err(InvalidMessage::TooLarge { bytes, bytes_max });
        }
        let to = self.to.as_deref().unwrap_or("local");
        check_destination(to).map_err(InvalidMessage::Destination)?;
        let reply_to = self.reply_to.as_deref().map(Topic::new).transpose();
        let options = Options {
            message_id: self.id,
            to: Destination::from_text(to),
            expire_after_ms: self.expire_after.map(whole_ms),
            retain: self.retain,
            reply_to: reply_to.map_err(InvalidMessage::ReplyTo)?,
            priority: self.priority,
            headers: self.headers.clone()?,
            until: self.until,
            realtime: self.realtime,
            echo: self.echo,
        };
        Ok(Publication {
            topic: Topic::new(&*self.topic).map_err(InvalidMessage::Topic)?,
            protocol: Protocol::new(&*self.protocol)?,
            payload: Cow::Borrowed(&[]),
            options,
        })
    }
}

/// A message that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Its id.
    pub id: MessageId,
    /// Whether it had been published under this id before, and was not delivered again. So it is
    /// where the answer to the first attempt was lost.
    pub duplicate: bool,
    /// Whether it is on the daemon's disk, for a durable subscription that matches or, with
    /// [`Publish::until_stored`], as a kept value.
    pub stored: bool,
}

/// A question to whoever subscribes to its topic:
/// [`Client::request_with`](crate::Client::request_with) takes it.
#[derive(Clone, Debug)]
#[must_use = "a request is made by `Client::request_with`"]
pub struct Request<'a> {
    publish: Publish<'a>,
    timeout: Duration,
}

impl<'a> Request<'a> {
    /// A request whose payload is one JSON value; see [`Publish::json`].
    pub fn json(topic: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        Self::new(Publish::json(topic, text))
    }

    /// A request whose payload is bytes; see [`Publish::bytes`].
    pub fn bytes(
        topic: impl Into<Cow<'a, str>>,
        protocol: impl Into<Cow<'a, str>>,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Self {
        Self::new(Publish::bytes(topic, protocol, bytes))
    }

    fn new(publish: Publish<'a>) -> Self {
        Self { publish, timeout: Duration::from_millis(REQUEST_TIMEOUT_MS_DEFAULT.into()) }
    }

    /// How long to wait for the reply: 1 ms to 1 hour, 5 s if nothing is said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whom to ask, if that is somebody else; see [`Publish::to`].
    pub fn to(mut self, destination: impl Into<Cow<'a, str>>) -> Self {
        self.publish = self.publish.to(destination);
        self
    }

    /// What it overtakes in a subscriber's queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.publish = self.publish.priority(priority);
        self
    }

    /// Adds a header; see [`Publish::header`].
    pub fn header(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.publish = self.publish.header(key, value);
        self
    }

    /// How long it waits.
    pub(crate) fn waits(&self) -> Duration {
        self.timeout
    }

    /// At least as long as its frame.
    pub(crate) fn bytes_about(&self) -> usize {
        self.publish.bytes_about()
    }

    /// Writes its frame, with a number yet to be put in.
    pub(crate) fn frame(&self, payload_bytes_max: usize) -> Result<Vec<u8>, InvalidMessage> {
        let publication = self.publish.publication(payload_bytes_max)?;
        let timeout_ms = u32::try_from(whole_ms(self.timeout)).unwrap_or(u32::MAX);
        let number = RequestNumber::MIN;
        Ok(frame(&Operation::Request { number, publication, timeout_ms }, self.bytes_about()))
    }
}

/// Writes the frame of an operation, with a number yet to be put in.
pub(crate) fn frame(operation: &Operation<'_>, bytes_about: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(bytes_about + 64);
    let request = kith_wire::Request { number: None, operation: operation.clone() };
    binary::encode::request(&mut frame, &request);
    frame
}

/// Milliseconds, rounded up: half a millisecond is not never.
fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// A new message id: this moment, and chance.
pub(crate) fn new_message_id() -> MessageId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    // Version and variant stand in bytes 6 and 8; the others are random.
    let [a, b, c, d, e, f, _, _, _, g, h, i, j, ..] = new_uuid();
    MessageId::from_parts(unix_ms, &[a, b, c, d, e, f, g, h, i, j])
}

/// A random UUID (version 4).
pub(crate) fn new_uuid() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_wire::limits::PAYLOAD_BYTES_DEFAULT;

    #[test]
    fn everything_that_was_said_is_in_the_publication() {
        let id = new_message_id();
        let publish = Publish::bytes("a.b", "x-y", b"\x00\xff")
            .retain()
            .expire_after(Duration::from_micros(1500))
            .reply_to("answers")
            .priority(Priority::Bulk)
            .header("trace", "7")
            .to("bob/phone")
            .until_delivered()
            .echo()
            .id(id);
        let publication = publish.publication(PAYLOAD_BYTES_DEFAULT).unwrap();
        assert_eq!(publication.topic.as_str(), "a.b");
        assert_eq!(publication.protocol.as_str(), "x-y");
        assert_eq!(&*publication.payload, b"\x00\xff");
        let options = publication.options;
        assert_eq!((options.message_id, options.expire_after_ms), (Some(id), Some(2)));
        assert_eq!((options.retain, options.priority), (true, Priority::Bulk));
        assert_eq!(options.reply_to.unwrap().as_str(), "answers");
        assert_eq!(options.headers.get("trace"), Some("7"));
        assert_eq!(options.to, Destination::from_text("bob/phone"));
        assert_eq!((options.until, options.echo), (Until::Delivered, true));
    }

    #[test]
    fn a_plain_message_has_no_options() {
        let publish = Publish::json("a", "1");
        let publication = publish.publication(PAYLOAD_BYTES_DEFAULT).unwrap();
        assert!(publication.protocol.is_ms());
        assert_eq!(publication.options, Options::default());
        let frame = frame(&Operation::Publish(publication), publish.bytes_about());
        assert_eq!(frame.len(), binary::HEADER_BYTES + 2);
        assert!(frame.len() <= publish.bytes_about());
    }

    #[test]
    fn what_is_wrong_is_said_when_it_is_sent() {
        let error = |publish: Publish<'_>| publish.publication(4).unwrap_err();
        assert!(matches!(error(Publish::json("a..b", "1")), InvalidMessage::Topic(_)));
        assert!(matches!(error(Publish::bytes("a", "A", b"")), InvalidMessage::Protocol(_)));
        let publish = Publish::json("a", "1").reply_to("*");
        assert!(matches!(error(publish), InvalidMessage::ReplyTo(_)));
        let publish = Publish::json("a", "1").header("A", "1").header("b", "1");
        assert!(matches!(error(publish), InvalidMessage::Header(HeadersError::Key(_))));
        let publish = Publish::json("a", "1").to("\n");
        assert!(matches!(error(publish), InvalidMessage::Destination(_)));
        let too_large = InvalidMessage::TooLarge { bytes: 5, bytes_max: 4 };
        assert_eq!(error(Publish::json("a", "12345")), too_large);
    }

    #[test]
    fn ids_are_new_and_of_this_moment() {
        let (one, other) = (new_message_id(), new_message_id());
        assert_ne!(one, other);
        assert!(MessageId::from_bytes(*one.as_bytes()).is_ok());
        assert!(MessageId::from_parts(1_700_000_000_000, &[0xff; 10]) < one);
    }
}
