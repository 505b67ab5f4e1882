//! What is on its way to subscribers: a run of plain messages, or a single one with all it may have.
//!
//! Both are encoded lazily, once for each framing that some subscriber wants, and know how to be cut:
//! a queue may have room for the first few of a run, and a group takes it message by message.

use crate::buffers::{Body, Buffers};
use crate::outbox::Parcel;
use kith_wire::binary::{Kind, deliver, frame};
use kith_wire::{
    Delivery, Headers, MessageId, Priority, Protocol, SENDER_LOCAL, Scope, Topic, json,
};
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
        let (scope, ends, lines) = (Scope::Own, Vec::new(), None);
        Self { scope, topic, protocol, first, sent_at_ms, count, entries, ends, lines }
    }

    /// Bytes of one of its frames.
    pub(crate) fn entry_bytes(&mut self, index: u32) -> usize {
        if index == 0 {
            return frame::whole_bytes(self.entries.bytes()).unwrap_or(0);
        }
        self.entries_range(index..index + 1).len()
    }

    /// Where these of its frames stand.
    pub(crate) fn entries_range(&mut self, part: Range<u32>) -> Range<usize> {
        if part == (0..self.count) {
            return 0..self.entries.bytes().len();
        }
        self.cut();
        range(&self.ends, part)
    }

    /// How many of these frames fit into so many bytes and messages.
    pub(crate) fn fitting(&mut self, part: Range<u32>, bytes: usize, messages: usize) -> u32 {
        self.cut();
        let start = range(&self.ends, part.clone()).start;
        let wanted = (part.end - part.start) as usize;
        let ends = self.ends.iter().skip(part.start as usize).take(wanted.min(messages));
        let count = ends.take_while(|end| **end - start <= bytes).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// All tails of `msg` lines, and where that of this message stands.
    pub(crate) fn line(
        &mut self,
        buffers: &mut Buffers,
        index: u32,
    ) -> (&mut Body<'static>, Range<usize>) {
        if self.lines.is_none() {
            let mut tails = buffers.take();
            let mut ends = Vec::with_capacity(self.count as usize);
            self.write_lines(&mut tails, &mut ends);
            self.lines = Some((Body::owned(tails), ends));
        }
        let (body, ends) = self.lines.get_or_insert_with(|| (Body::owned(Vec::new()), Vec::new()));
        let range = range(ends, index..index + 1);
        (body, range)
    }

    pub(crate) fn recycle(self, buffers: &mut Buffers) {
        self.entries.recycle(buffers);
        if let Some((lines, _)) = self.lines {
            lines.recycle(buffers);
        }
    }

    fn write_lines(&self, tails: &mut Vec<u8>, ends: &mut Vec<usize>) {
        let prefix = self.topic.as_str().len()
            + if self.protocol.is_ms() { 0 } else { self.protocol.as_str().len() };
        let mut delivery = Delivery {
            message_id: self.first,
            sender: SENDER_LOCAL,
            device: None,
            scope: self.scope,
            protocol: self.protocol.borrow(),
            topic: self.topic.borrow(),
            sent_at_ms: self.sent_at_ms,
            expires_at_ms: None,
            reply_to: None,
            priority: Priority::Normal,
            retained: false,
            headers: Headers::new(),
            payload: &[],
        };
        let mut rest = self.entries.bytes();
        while let Ok(Some(entry)) = frame::split(rest, rest.len()) {
            delivery.payload = entry.body.get(prefix..).unwrap_or_default();
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

fn range(ends: &[usize], part: Range<u32>) -> Range<usize> {
    let end_of = |count: u32| match count {
        0 => 0,
        count => ends.get(count as usize - 1).copied().unwrap_or(0),
    };
    end_of(part.start)..end_of(part.end)
}

/// One message with everything that it may have.
pub(crate) struct Single<'a> {
    pub(crate) delivery: Delivery<'a>,
    frame: Option<Body<'static>>,
    tail: Option<Body<'static>>,
}

impl<'a> Single<'a> {
    pub(crate) fn new(delivery: Delivery<'a>) -> Self {
        Self { delivery, frame: None, tail: None }
    }

    /// Its MSG frame.
    pub(crate) fn frame(&mut self, buffers: &mut Buffers) -> &mut Body<'static> {
        self.frame.get_or_insert_with(|| {
            let mut frame = buffers.take();
            deliver::message(&mut frame, 0, &self.delivery);
            Body::owned(frame)
        })
    }

    /// The tail of its `msg` line.
    pub(crate) fn tail(&mut self, buffers: &mut Buffers) -> &mut Body<'static> {
        self.tail.get_or_insert_with(|| {
            let mut tail = buffers.take();
            json::deliver::tail(&mut tail, &self.delivery);
            Body::owned(tail)
        })
    }

    /// How it is queued. A reply overtakes messages, as all answers do.
    pub(crate) fn parcel(&self, kind: Kind) -> Parcel {
        let priority = match kind {
            Kind::Reply => Priority::High,
            _ => self.delivery.priority,
        };
        Parcel { priority, messages: 1, expires_at_ms: self.delivery.expires_at_ms }
    }

    pub(crate) fn recycle(self, buffers: &mut Buffers) {
        for body in [self.frame, self.tail].into_iter().flatten() {
            body.recycle(buffers);
        }
    }
}
