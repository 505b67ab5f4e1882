//! Binary frames, from `docs/protocol.md`.

use super::socket::Stream;
use super::{Connection, Delivery, Event, Operation, Publication, Since, Subscription};
use kith_wire::{Code, MessageId};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;

/// What a client says first.
const MAGIC: [u8; 4] = [0x4B, 0x54, 0x48, 0x01];

/// A connection that speaks binary frames.
pub(crate) struct BinaryFrames {
    stream: Stream,
    has_greeted: bool,
    /// The rest of a run.
    run: VecDeque<Event>,
}

/// One frame: its fields and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) a: u8,
    pub(crate) b: u8,
    pub(crate) number: u32,
    pub(crate) body: Vec<u8>,
}

impl BinaryFrames {
    /// A connection on which the magic has been said.
    pub(crate) fn new(stream: UnixStream) -> Self {
        let mut new = Self::silent(stream);
        new.say(MAGIC);
        new
    }

    /// A connection on which nothing has been said.
    pub(crate) fn silent(stream: UnixStream) -> Self {
        Self { stream: Stream::new(stream), has_greeted: false, run: VecDeque::new() }
    }

    /// Says this, whatever it is.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write(bytes.as_ref());
    }

    /// The next frame as it came.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        if !self.has_greeted {
            let magic = self.stream.read(|buffer| Some((buffer.first_chunk().copied()?, 4)))?;
            assert_eq!(magic, MAGIC);
            self.has_greeted = true;
        }
        self.stream.read(cut)
    }
}

impl Connection for BinaryFrames {
    fn send(&mut self, number: Option<u32>, operation: &Operation) {
        self.say(operation_frame(number.unwrap_or(0), operation));
    }

    fn receive(&mut self) -> Option<Event> {
        if let Some(event) = self.run.pop_front() {
            return Some(event);
        }
        let frame = self.frame()?;
        if frame.kind == 0x84 {
            self.run = run(&frame);
            return self.run.pop_front();
        }
        Some(event(&frame).unwrap_or_else(|| panic!("not a frame of the daemon: {frame:?}")))
    }
}

/// The frame that bytes begin with, and how many it has.
pub(super) fn cut(buffer: &[u8]) -> Option<(Frame, usize)> {
    let length = length4(buffer)?;
    let body = buffer.get(12..4 + length)?.to_vec();
    let [kind, flags, a, b] = *buffer[4..].first_chunk()?;
    let number = u32::from_le_bytes(*buffer[8..].first_chunk()?);
    Some((Frame { kind, flags, a, b, number, body }, 4 + length))
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, [a, b]: [u8; 2], number: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + body.len()).unwrap();
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[kind, flags, a, b]);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The bytes of an operation; number 0 is none.
pub(crate) fn operation_frame(number: u32, operation: &Operation) -> Vec<u8> {
    let byte = |text: &str| u8::try_from(text.len()).unwrap();
    match operation {
        Operation::Acknowledge { subscription, message_ids } => {
            let mut body = subscription.to_le_bytes().to_vec();
            message_ids.iter().for_each(|id| body.extend_from_slice(id.as_bytes()));
            frame(0x0A, 0, [0, 0], number, &body)
        }
        Operation::Bye => frame(0x09, 0, [0, 0], number, &[]),
        Operation::Hello { name, client } => {
            let name = name.as_deref().unwrap_or_default();
            let client = client.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let client_bytes = if client.is_empty() { 0 } else { 16 };
            let body = [name.as_bytes(), &client].concat();
            frame(0x01, 0, [byte(name), client_bytes], number, &body)
        }
        Operation::Ping => frame(0x08, 0, [0, 0], number, &[]),
        Operation::Publish(publication) => publication_frame(0x04, number, publication, None),
        Operation::Request { publication, timeout_ms } => {
            publication_frame(0x05, number, publication, *timeout_ms)
        }
        Operation::Subscribe(subscription) => subscription_frame(number, subscription),
        Operation::Unsubscribe(subscription) => {
            frame(0x03, 0, [0, 0], number, &subscription.to_le_bytes())
        }
        Operation::Unwill => frame(0x07, 0, [0, 0], number, &[]),
        Operation::Will(publication) => publication_frame(0x06, number, publication, None),
    }
}

fn subscription_frame(number: u32, subscription: &Subscription) -> Vec<u8> {
    let Subscription { pattern, group, retained, monitor, durable, since } = subscription;
    assert!(group.is_none() || durable.is_none(), "there is room for one name");
    let name = group.as_deref().or(durable.as_deref()).unwrap_or_default();
    let flags = [*retained, *monitor, durable.is_some(), since.is_some()];
    let flags = (0..).zip(flags).fold(0, |all, (bit, flag)| all | u8::from(flag) << bit);
    let since = match since {
        None | Some(Since::Start) => Vec::new(),
        Some(Since::Time(ms)) => ms.to_le_bytes().to_vec(),
        Some(Since::After(id)) => id.as_bytes().to_vec(),
    };
    let lengths = [name.len(), since.len()].map(|length| u8::try_from(length).unwrap());
    let body = [name.as_bytes(), &since, pattern.as_bytes()].concat();
    frame(0x02, flags, lengths, number, &body)
}

fn publication_frame(
    kind: u8,
    number: u32,
    publication: &Publication,
    timeout_ms: Option<u32>,
) -> Vec<u8> {
    let Publication { topic, payload, .. } = publication;
    let protocol = publication.protocol.as_deref().unwrap_or_default();
    let options = options(publication, timeout_ms);
    let mut body = [topic.as_bytes(), protocol.as_bytes()].concat();
    if !options.is_empty() {
        body.extend_from_slice(&u16::try_from(options.len()).unwrap().to_le_bytes());
        body.extend_from_slice(&options);
    }
    body.extend_from_slice(payload.as_deref().unwrap_or_default());
    let lengths = [topic, protocol].map(|text| u8::try_from(text.len()).unwrap());
    frame(kind, (!options.is_empty()).into(), lengths, number, &body)
}

fn options(publication: &Publication, timeout_ms: Option<u32>) -> Vec<u8> {
    let mut options = Vec::new();
    let mut put = |tag: u8, value: &[u8]| {
        options.push(tag);
        options.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        options.extend_from_slice(value);
    };
    if let Some(id) = publication.message_id {
        put(0x01, id.as_bytes());
    }
    if let Some(to) = &publication.to {
        put(0x02, to.as_bytes());
    }
    if let Some(ms) = publication.expire_after_ms {
        put(0x03, &ms.to_le_bytes());
    }
    if publication.retain {
        put(0x04, &[]);
    }
    if let Some(topic) = &publication.reply_to {
        put(0x05, topic.as_bytes());
    }
    if let Some(priority) = publication.priority {
        put(0x06, &[priority]);
    }
    for (key, value) in &publication.headers {
        let length = [u8::try_from(key.len()).unwrap()];
        put(0x07, &[&length, key.as_bytes(), value.as_bytes()].concat());
    }
    if let Some(ms) = timeout_ms {
        put(0x08, &ms.to_le_bytes());
    }
    if let Some(until) = publication.until {
        put(0x09, &[until]);
    }
    if publication.realtime {
        put(0x0a, &[]);
    }
    if publication.echo {
        put(0x0b, &[]);
    }
    options
}

/// What a frame of the daemon says, but for a run.
pub(super) fn event(frame: &Frame) -> Option<Event> {
    let Frame { kind, flags, a, b, number: subscription, body } = frame;
    let number = *subscription;
    match kind {
        0x81 => {
            let message_id = match (a, b) {
                (0, 0) if body.is_empty() => None,
                (0, 16) => Some(message_id(body.as_slice().try_into().ok()?)?),
                _ => return None,
            };
            let (duplicate, stored) = (flags & 0x01 != 0, flags & 0x02 != 0);
            Some(Event::Ok { number, message_id, duplicate, stored })
        }
        0x82 => {
            let code = code(body)?;
            assert!(str::from_utf8(body.get(10..)?).is_ok_and(|text| !text.is_empty()));
            let number = (number != 0).then_some(number);
            Some(Event::Err { number, code, fatal: flags & 0x01 != 0 })
        }
        0x83 => Some(Event::Message { subscription: number, delivery: delivery(frame)? }),
        0x85 => {
            let count = body.as_slice().try_into().ok().map(u64::from_le_bytes)?;
            Some(Event::Lag { subscription: number, count })
        }
        0x86 => Some(Event::Reply { number, delivery: delivery(frame)? }),
        0x87 => {
            let payload_bytes_max = u64::from_le_bytes(*body.first_chunk()?);
            let version = String::from_utf8(body.get(8..)?.to_vec()).ok()?;
            assert_eq!(version.len(), usize::from(*a));
            Some(Event::Welcome { number, version, payload_bytes_max })
        }
        0x88 => Some(Event::Bye { code: code(body)? }),
        _ => None,
    }
}

/// The messages of a MSGS frame.
pub(super) fn run(frame: &Frame) -> VecDeque<Event> {
    let body = &frame.body;
    let first_id = u128::from_be_bytes(*body.first_chunk().unwrap());
    let sent_at_ms = u64::from_le_bytes(*body[16..].first_chunk().unwrap());
    let count = u32::from_le_bytes(*body[24..].first_chunk().unwrap());
    let mut rest = &body[28..];
    let mut events = VecDeque::new();
    for index in 0..count {
        let (entry, after) = rest.split_at(4 + length4(rest).unwrap());
        rest = after;
        assert_eq!((entry[4], entry[5], &entry[8..12]), (0x04, 0, [0; 4].as_slice()));
        let mut delivery = blank_delivery(frame.flags);
        delivery.message_id = message_id((first_id + u128::from(index)).to_be_bytes()).unwrap();
        delivery.sent_at_ms = sent_at_ms;
        let after = take_names(&mut delivery, [entry[6], entry[7]], &entry[12..]).unwrap();
        delivery.payload = after.to_vec();
        events.push_back(Event::Message { subscription: frame.number, delivery });
    }
    assert!(count > 0 && rest.is_empty(), "a run of another length than it says");
    events
}

fn delivery(frame: &Frame) -> Option<Delivery> {
    let body = frame.body.as_slice();
    let mut delivery = blank_delivery(frame.flags);
    delivery.message_id = message_id(*body.first_chunk()?)?;
    delivery.sent_at_ms = u64::from_le_bytes(*body.get(16..)?.first_chunk()?);
    let mut rest = take_names(&mut delivery, [frame.a, frame.b], body.get(24..)?)?;
    if frame.flags & 0x01 != 0 {
        let (length, after) = rest.split_first_chunk()?;
        let (mut options, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
        while let Some(([tag, l0, l1], after)) = options.split_first_chunk() {
            let length = u16::from_le_bytes([*l0, *l1]);
            let (value, after) = after.split_at_checked(length.into())?;
            take_option(&mut delivery, *tag, value)?;
            options = after;
        }
        rest = after;
    }
    delivery.payload = rest.to_vec();
    Some(delivery)
}

fn take_option(delivery: &mut Delivery, tag: u8, value: &[u8]) -> Option<()> {
    let text = || String::from_utf8(value.to_vec()).ok();
    match tag {
        0x05 => delivery.reply_to = Some(text()?),
        0x06 => delivery.priority = *value.first()?,
        0x07 => {
            let (length, pair) = value.split_first()?;
            let (key, value) = str::from_utf8(pair).ok()?.split_at_checked((*length).into())?;
            delivery.headers.push((key.to_owned(), value.to_owned()));
        }
        0x10 => delivery.expires_at_ms = Some(u64::from_le_bytes(*value.first_chunk()?)),
        0x11 => delivery.sender = text()?,
        0x12 => delivery.device = Some(text()?),
        0x13 => delivery.retained = true,
        0x15 => delivery.petname = Some(text()?),
        0x14 => delivery.attempt = Some(u32::from_le_bytes(value.try_into().ok()?)),
        _ => return None,
    }
    Some(())
}

/// Takes topic and protocol, and returns what follows them.
fn take_names<'a>(delivery: &mut Delivery, [a, b]: [u8; 2], rest: &'a [u8]) -> Option<&'a [u8]> {
    let (topic, rest) = rest.split_at_checked(a.into())?;
    let (protocol, rest) = rest.split_at_checked(b.into())?;
    delivery.topic = String::from_utf8(topic.to_vec()).ok()?;
    if b != 0 {
        delivery.protocol = String::from_utf8(protocol.to_vec()).ok()?;
    }
    Some(rest)
}

fn blank_delivery(flags: u8) -> Delivery {
    Delivery {
        message_id: MessageId::from_parts(0, &[0; 10]),
        sender: "local".to_owned(),
        petname: None,
        device: None,
        scope: ["self", "friends", "public"][usize::from(flags >> 4 & 0x03)].to_owned(),
        protocol: "ms".to_owned(),
        topic: String::new(),
        sent_at_ms: 0,
        expires_at_ms: None,
        reply_to: None,
        priority: 1,
        retained: false,
        attempt: None,
        headers: Vec::new(),
        payload: Vec::new(),
    }
}

fn message_id(bytes: [u8; 16]) -> Option<MessageId> {
    MessageId::from_bytes(bytes).ok()
}

/// The length that a frame begins with.
fn length4(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()
}

fn code(body: &[u8]) -> Option<Code> {
    Code::from_number(u16::from_le_bytes(*body.first_chunk()?))
}
