//! What is on its way to subscribers: a run of plain messages, or a single one with all it may
//! have.
//!
//! Both are encoded lazily, once for each framing that some subscriber wants, and know how to be
//! cut: a queue may have room for the first few of a run, and a group takes it message by message.

use crate::buffers::{Body, Buffers};
use crate::outbox::{Lost, Parcel};
use crate::sealed::Sealed;
use kith_wire::binary::deliver::{self, RUN_HEAD_BYTES};
use kith_wire::binary::{HEADER_BYTES, Kind, frame};
use kith_wire::{
    Delivery, Headers, MessageId, Priority, Protocol, SENDER_LOCAL, Scope, Topic, json,
};
use std::num::NonZeroU32;
use std::ops::Range;

/// Messages of one topic that were published together, without options.
pub(crate) struct Run<'a> {
    pub(crate) scope: Scope,
    pub(crate) topic: Topic<'a>,
    pub(crate) protocol: Protocol<'a>,
    pub(crate) first: MessageId,
    pub(crate) sent_at_ms: u64,
    pub(crate) count: u32,
    /// Their PUB frames.
    pub(crate) entries: Body<'a>,
    /// What stands in each of those before the payload, behind the header: topic and protocol.
    prefix_bytes: usize,
    /// Where each of those ends, once somebody wants to cut them.
    ends: Vec<usize>,
    /// The tails of their `msg` lines, and where each ends, once somebody wants them.
    lines: Option<(Body<'static>, Vec<usize>)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        topic: Topic<'a>,
        protocol: Protocol<'a>,
        first: MessageId,
        sent_at_ms: u64,
        count: u32,
        entries: Body<'a>,
    ) -> Self {
        // The protocol `ms` may stand there or be left out; the frames say which.
        let entry = frame::split(entries.bytes(), entries.bytes().len()).ok().flatten();
        let prefix_bytes = entry.map_or(0, |entry| usize::from(entry.a) + usize::from(entry.b));
        let (scope, ends, lines) = (Scope::Own, Vec::new(), None);
        Self {
            scope,
            topic,
            protocol,
            first,
            sent_at_ms,
            count,
            entries,
            prefix_bytes,
            ends,
            lines,
        }
    }

    /// Bytes of the payloads of these messages.
    pub(crate) fn payload_bytes(&mut self, part: Range<u32>) -> u64 {
        let head_bytes = part.len() * (HEADER_BYTES + self.prefix_bytes);
        self.entries_range(part).len().saturating_sub(head_bytes) as u64
    }

    /// Where these of its frames stand.
    fn entries_range(&mut self, part: Range<u32>) -> Range<usize> {
        if part == (0..self.count) {
            return 0..self.entries.bytes().len();
        }
        self.cut();
        range(&self.ends, part)
    }

    /// As many of these messages, from the first on, as fit in one frame, and where their bytes
    /// are.
    pub(crate) fn fitting_entries(
        &mut self,
        part: Range<u32>,
        room: Room,
    ) -> (Range<u32>, Range<usize>) {
        let room = Room { bytes: room.bytes.saturating_sub(RUN_HEAD_BYTES), ..room };
        let bytes = self.entries_range(part.clone());
        if bytes.len() <= room.bytes && part.len() <= room.messages {
            return (part, bytes);
        }
        self.cut();
        fitting(&self.ends, part, room, 0)
    }

    /// As many of these messages, from the first on, as fit in lines, and where their tails are.
    pub(crate) fn fitting_lines(
        &mut self,
        buffers: &mut Buffers,
        part: Range<u32>,
        room: Room,
        number: NonZeroU32,
    ) -> (Range<u32>, Range<usize>) {
        let (_, ends) = self.lines(buffers);
        let bytes = range(ends, part.clone());
        let most_bytes = bytes.len() + part.len() * LINE_HEAD_BYTES;
        if most_bytes <= room.bytes && part.len() <= room.messages {
            return (part, bytes);
        }
        let mut head = Vec::new();
        json::deliver::message_head(&mut head, number);
        fitting(ends, part, room, head.len())
    }

    /// All tails of `msg` lines, and where each ends.
    pub(crate) fn lines(&mut self, buffers: &mut Buffers) -> (&mut Body<'static>, &[usize]) {
        if self.lines.is_none() {
            let mut tails = buffers.take_large();
            let mut ends = Vec::with_capacity(self.count as usize);
            self.write_lines(&mut tails, &mut ends);
            self.lines = Some((Body::owned(tails), ends));
        }
        let (body, ends) = self.lines.get_or_insert_with(|| (Body::owned(Vec::new()), Vec::new()));
        (body, ends)
    }

    pub(crate) fn recycle(self, buffers: &mut Buffers) {
        self.entries.recycle(buffers);
        if let Some((lines, _)) = self.lines {
            lines.recycle(buffers);
        }
    }

    fn write_lines(&self, tails: &mut Vec<u8>, ends: &mut Vec<usize>) {
        let mut delivery = Delivery {
            message_id: self.first,
            sender: SENDER_LOCAL,
            petname: None,
            device: None,
            scope: self.scope,
            protocol: self.protocol.borrow(),
            topic: self.topic.borrow(),
            sent_at_ms: self.sent_at_ms,
            expires_at_ms: None,
            reply_to: None,
            priority: Priority::Normal,
            retained: false,
            attempt: None,
            headers: Headers::new(),
            payload: &[],
            sealed_bytes: None,
        };
        let mut rest = self.entries.bytes();
        while let Ok(Some(entry)) = frame::split(rest, rest.len()) {
            delivery.payload = entry.body.get(self.prefix_bytes..).unwrap_or_default();
            json::deliver::tail(tails, &delivery);
            ends.push(tails.len());
            delivery.message_id = delivery.message_id.advance(1);
            rest = rest.get(entry.bytes.len()..).unwrap_or_default();
        }
    }

    fn cut(&mut self) {
        if !self.ends.is_empty() {
            return;
        }
        let bytes = self.entries.bytes();
        let mut end = 0;
        while let Some(whole) = bytes.get(end..).and_then(frame::whole_bytes) {
            end += whole;
            self.ends.push(end);
        }
    }
}

/// What a queue has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

/// At least what the head of a `msg` line takes.
const LINE_HEAD_BYTES: usize = 32;

/// As many messages of `part`, from its first on, as fit, each with a head of `head_bytes`.
fn fitting(
    ends: &[usize],
    part: Range<u32>,
    room: Room,
    head_bytes: usize,
) -> (Range<u32>, Range<usize>) {
    let start = range(ends, part.clone()).start;
    let wanted = ends.iter().skip(part.start as usize).take(part.len().min(room.messages));
    let bytes = wanted.zip(1..).map(|(end, count)| end - start + count * head_bytes);
    let count = bytes.take_while(|bytes| *bytes <= room.bytes).count();
    let part = part.start..part.start + u32::try_from(count).unwrap_or(0);
    (part.clone(), range(ends, part))
}

/// Where the bytes of these messages stand, given where each of all ends.
pub(crate) fn range(ends: &[usize], part: Range<u32>) -> Range<usize> {
    let end_of = |count: u32| match count {
        0 => 0,
        count => ends.get(count as usize - 1).copied().unwrap_or(0),
    };
    end_of(part.start)..end_of(part.end)
}

/// One message with everything that it may have.
pub(crate) struct Single<'a> {
    pub(crate) delivery: Delivery<'a>,
    is_about_lag: bool,
    /// Its payload, if that can be handed over. `delivery` has it too, where somebody looked at it.
    pub(crate) sealed: Option<Sealed>,
    /// The frame that goes with the descriptor.
    cover: Option<Body<'static>>,
    frame: Option<Body<'static>>,
    tail: Option<Body<'static>>,
}

impl<'a> Single<'a> {
    pub(crate) fn new(delivery: Delivery<'a>) -> Self {
        let (sealed, cover, frame, tail) = (None, None, None, None);
        Self { delivery, is_about_lag: false, sealed, cover, frame, tail }
    }

    /// One that tells of lag. Where it is lost itself that is not told of in turn: two that lose
    /// what tells of each other would keep the bus talking for ever.
    pub(crate) fn about_lag(delivery: Delivery<'a>) -> Self {
        Self { is_about_lag: true, ..Self::new(delivery) }
    }

    /// One whose payload can be handed over.
    pub(crate) fn sealed(delivery: Delivery<'a>, sealed: Option<Sealed>) -> Self {
        Self { sealed, ..Self::new(delivery) }
    }

    /// The size of its payload.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.sealed.as_ref().map_or(self.delivery.payload.len(), Sealed::payload_bytes)
    }

    /// So many bytes were copied that came in a descriptor.
    pub(crate) fn copied_bytes(&self) -> u64 {
        let copies = u64::from(self.frame.is_some()) + u64::from(self.tail.is_some());
        self.sealed.as_ref().map_or(0, |sealed| sealed.payload_bytes() as u64 * copies)
    }

    /// What counts as lost if it does not fit.
    pub(crate) fn lost(&self) -> Lost {
        Lost { count: 1, about_lag: self.is_about_lag.into() }
    }

    /// Its MSG frame; nothing if its payload can't be read.
    pub(crate) fn frame(&mut self, buffers: &mut Buffers) -> Option<&mut Body<'static>> {
        if self.frame.is_none() {
            let write = |out: &mut Vec<u8>, all: &Delivery<'_>| deliver::message(out, 0, all);
            self.frame = self.encode(buffers, write);
        }
        self.frame.as_mut()
    }

    /// The tail of its `msg` line; nothing if its payload can't be read.
    pub(crate) fn tail(&mut self, buffers: &mut Buffers) -> Option<&mut Body<'static>> {
        if self.tail.is_none() {
            self.tail = self.encode(buffers, json::deliver::tail);
        }
        self.tail.as_mut()
    }

    /// Its MSG frame where the payload goes in a descriptor.
    pub(crate) fn cover(&mut self, buffers: &mut Buffers) -> &mut Body<'static> {
        let sealed_bytes = Some(self.payload_bytes() as u64);
        self.cover.get_or_insert_with(|| {
            let mut cover = buffers.take_large();
            let delivery = Delivery { payload: &[], sealed_bytes, ..self.delivery.clone() };
            deliver::message(&mut cover, 0, &delivery);
            Body::owned(cover)
        })
    }

    fn encode(
        &self,
        buffers: &mut Buffers,
        write: impl FnOnce(&mut Vec<u8>, &Delivery<'_>),
    ) -> Option<Body<'static>> {
        let mut encoded = buffers.take_large();
        match &self.sealed {
            Some(sealed) if self.delivery.payload.is_empty() => {
                let mut payload = buffers.take_large();
                let is_read = sealed.payload().read_into(&mut payload);
                if is_read {
                    write(&mut encoded, &Delivery { payload: &payload, ..self.delivery.clone() });
                }
                buffers.give_back(payload);
                is_read.then(|| Body::owned(encoded))
            }
            _ => {
                write(&mut encoded, &self.delivery);
                Some(Body::owned(encoded))
            }
        }
    }

    /// How it is queued. A reply overtakes messages, as all answers do, and who waits for one gets
    /// it however late; a kept value comes before what is new; what is stored keeps its order.
    pub(crate) fn parcel(&self, kind: Kind) -> Parcel {
        let Delivery { priority, expires_at_ms, retained, attempt, .. } = self.delivery;
        match kind {
            Kind::Reply => Parcel { priority: Priority::High, messages: 1, expires_at_ms: None },
            _ if retained => Parcel { priority: Priority::High, messages: 1, expires_at_ms },
            _ => {
                let priority = if attempt.is_some() { Priority::Normal } else { priority };
                Parcel { priority, messages: 1, expires_at_ms }
            }
        }
    }

    pub(crate) fn recycle(self, buffers: &mut Buffers) {
        for body in [self.cover, self.frame, self.tail].into_iter().flatten() {
            body.recycle(buffers);
        }
    }
}
