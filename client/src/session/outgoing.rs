//! The bytes on their way to the daemon, and which of them a broken connection has not carried.
//!
//! Two buffers: one is being written, the other collects what comes meanwhile. Both hold whole
//! frames, so that after a loss it is known which frames the daemon can't have seen whole; those
//! are kept. The greeting is apart, since it belongs to a connection and not to what was asked.
//!
//! A frame whose payload is in a descriptor is written together with that, and with nothing before
//! it but other such frames: so no descriptor is ever far ahead of its frame. If the connection is
//! lost, such a frame is kept with its payload inside, since the next connection may take none.
//!
//! Some bytes are *charged*: they were posted, and whoever posts next waits for their place.
//! [`Outgoing::written`] says how much of it is free again, each byte exactly once.

use super::frames::{frames, inlined};
use kith_sealed::{DESCRIPTORS_PER_CALL_MAX, SealedMemory};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Magic and greeting, while they are being written.
    greeting: Vec<u8>,
    /// How much of the greeting is written.
    greeted: usize,
    /// Whether frames may be written: the daemon has answered the greeting.
    open: bool,
    /// Being written.
    writing: Part,
    /// How much of that is written.
    at: usize,
    /// How many descriptors go with what is unwritten.
    offered: usize,
    /// Collected meanwhile.
    next: Part,
}

/// Whole frames, and what is charged for them.
#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    charge: usize,
    /// Those of its frames whose payloads are in descriptors, in order.
    sealed: VecDeque<SealedFrame>,
}

#[derive(Debug)]
struct SealedFrame {
    /// Where it stands.
    range: Range<usize>,
    memory: Arc<SealedMemory>,
    /// Whether its descriptor was sent.
    is_gone: bool,
}

impl Part {
    /// What can be written at once from there on: to where, and with how many descriptors.
    fn offer(&self, at: usize) -> (usize, usize) {
        let (mut end, mut offered) = (at, 0);
        let mut waiting = self.sealed.iter().filter(|one| !one.is_gone).peekable();
        let next = waiting.peek().map_or(self.bytes.len(), |one| one.range.start);
        for one in waiting.take(DESCRIPTORS_PER_CALL_MAX) {
            if one.range.start != end {
                break;
            }
            end = one.range.end;
            offered += 1;
        }
        if offered == 0 { (next, 0) } else { (end, offered) }
    }

    /// So many descriptors were sent, and all bytes up to there.
    fn sent(&mut self, offered: usize, at: usize) {
        let waiting = self.sealed.iter_mut().filter(|one| !one.is_gone);
        waiting.take(offered).for_each(|one| one.is_gone = true);
        while self.sealed.front().is_some_and(|one| one.range.end <= at) {
            self.sealed.pop_front();
        }
    }

    /// The frames that end behind there, with their payloads in them. One that can't be read is
    /// left out.
    fn copied(&self, at: usize) -> Vec<u8> {
        let mut sealed = self.sealed.iter().peekable();
        let mut kept = Vec::new();
        let mut end = 0;
        for frame in frames(&self.bytes) {
            end += frame.bytes.len();
            let memory = sealed.next_if(|one| one.range.end == end).map(|one| &one.memory);
            if end > at {
                match memory {
                    None => kept.extend_from_slice(frame.bytes),
                    Some(memory) => kept.extend(inlined(frame.bytes, memory).unwrap_or_default()),
                }
            }
        }
        kept
    }
}

impl Outgoing {
    /// A new connection begins with this.
    pub(super) fn greet(&mut self, greeting: Vec<u8>) {
        self.greeting = greeting;
        self.greeted = 0;
    }

    /// The daemon has answered: frames may go. `kept` takes the place of what was waiting.
    pub(super) fn open(&mut self, kept: Vec<u8>) {
        self.next.bytes = kept;
        self.open = true;
    }

    /// Whether frames may be written.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Where to append a frame that nobody is charged for.
    pub(super) fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.next.bytes
    }

    /// Appends frames that were charged for.
    pub(super) fn append(&mut self, mut frames: Vec<u8>, charge: usize) {
        self.next.charge += charge;
        if self.next.bytes.is_empty() {
            std::mem::swap(&mut self.next.bytes, &mut frames);
        } else {
            self.next.bytes.extend_from_slice(&frames);
        }
    }

    /// Appends a frame that goes with a descriptor.
    pub(super) fn push_sealed(&mut self, frame: &[u8], memory: Arc<SealedMemory>) {
        let start = self.next.bytes.len();
        self.next.bytes.extend_from_slice(frame);
        let range = start..self.next.bytes.len();
        self.next.sealed.push_back(SealedFrame { range, memory, is_gone: false });
    }

    /// What goes with the first byte of [`Outgoing::unwritten`].
    pub(super) fn unwritten_sealed(&self) -> Vec<Arc<SealedMemory>> {
        let waiting = self.writing.sealed.iter().filter(|one| !one.is_gone);
        waiting.take(self.offered).map(|one| Arc::clone(&one.memory)).collect()
    }

    /// Puts the payloads of what is being written into their frames.
    pub(super) fn copy_sealed(&mut self) {
        self.writing.bytes = self.writing.copied(self.at);
        self.writing.sealed.clear();
        (self.at, self.offered) = (0, 0);
    }

    /// What is to be written now.
    pub(super) fn unwritten(&mut self) -> &[u8] {
        self.offered = 0;
        if let Some(rest) = self.greeting.get(self.greeted..)
            && !rest.is_empty()
        {
            return rest;
        }
        if self.open && self.at == self.writing.bytes.len() && !self.next.bytes.is_empty() {
            self.writing.bytes.clear();
            self.at = 0;
            std::mem::swap(&mut self.writing, &mut self.next);
        }
        let (end, offered) = self.writing.offer(self.at);
        self.offered = offered;
        self.writing.bytes.get(self.at..end).unwrap_or_default()
    }

    /// So many of those bytes were written. Returns how much of the charge is free again.
    pub(super) fn written(&mut self, bytes: usize) -> usize {
        if self.greeted < self.greeting.len() {
            self.greeted += bytes;
            return 0;
        }
        self.at += bytes;
        self.writing.sent(self.offered, self.at);
        self.offered = 0;
        let whole = self.at >= self.writing.bytes.len();
        let free = if whole { self.writing.charge } else { self.writing.charge.min(bytes) };
        self.writing.charge -= free;
        free
    }

    /// Whether everything was written.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.writing.bytes.len() && self.next.bytes.is_empty()
    }

    /// The connection is lost: keeps the frames that were not written whole.
    pub(super) fn cut(&mut self) {
        let mut kept = self.writing.copied(self.at);
        kept.append(&mut self.next.copied(0));
        let charge = self.writing.charge + self.next.charge;
        *self = Self { next: Part { bytes: kept, charge, ..Part::default() }, ..Self::default() };
    }

    /// What waits for a connection.
    pub(super) fn kept(&self) -> &[u8] {
        &self.next.bytes
    }

    /// What waits, to be looked through and given back to [`Outgoing::open`].
    pub(super) fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.next.bytes)
    }

    /// If nothing is left to be written, returns the charge of what was taken out.
    pub(super) fn settle(&mut self) -> usize {
        if self.is_empty() {
            std::mem::take(&mut self.next.charge) + std::mem::take(&mut self.writing.charge)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_wire::binary::encode;
    use kith_wire::{Operation, Protocol, Request};

    fn post(payload: &str) -> Vec<u8> {
        let mut frame = Vec::new();
        encode::entry(&mut frame, "a", &Protocol::MS, payload.as_bytes());
        frame
    }

    fn opened() -> Outgoing {
        let mut outgoing = Outgoing::default();
        outgoing.greet(vec![1, 2, 3]);
        assert_eq!(outgoing.unwritten(), [1, 2, 3]);
        assert_eq!((outgoing.written(1), outgoing.unwritten()), (0, &[2, 3][..]));
        assert_eq!((outgoing.written(2), outgoing.unwritten()), (0, &[][..]));
        outgoing.open(Vec::new());
        outgoing
    }

    #[test]
    fn nothing_but_the_greeting_goes_before_it_is_answered() {
        let mut outgoing = Outgoing::default();
        outgoing.append(post("1"), 14);
        assert!(outgoing.unwritten().is_empty());
        outgoing.greet(vec![1]);
        assert_eq!(outgoing.unwritten(), [1]);
        outgoing.written(1);
        assert!(outgoing.unwritten().is_empty());
        let kept = outgoing.take_kept();
        outgoing.open(kept);
        assert_eq!(outgoing.unwritten(), post("1"));
    }

    #[test]
    fn every_charged_byte_is_freed_once() {
        let mut outgoing = opened();
        let frame = post("123456");
        outgoing.append(frame.clone(), frame.len());
        encode::request(outgoing.frames(), &Request { number: None, operation: Operation::Ping });
        outgoing.append(frame.clone(), frame.len());
        let mut free = 0;
        while !outgoing.unwritten().is_empty() {
            let count = outgoing.unwritten().len().min(5);
            free += outgoing.written(count);
        }
        assert_eq!(free, 2 * frame.len());
        assert!(outgoing.is_empty());
    }

    #[test]
    fn what_was_not_written_whole_is_kept_when_the_connection_is_lost() {
        let mut outgoing = opened();
        let all: Vec<Vec<u8>> = ["1", "2", "3"].map(post).into();
        for frame in all.iter().take(2) {
            outgoing.append(frame.clone(), frame.len());
        }
        outgoing.unwritten();
        let mut free = outgoing.written(all[0].len() + 1);
        outgoing.append(all[2].clone(), all[2].len());
        outgoing.cut();
        assert!(outgoing.unwritten().is_empty());
        let kept = outgoing.take_kept();
        assert_eq!(kept, [&*all[1], &*all[2]].concat());
        outgoing.open(kept);
        while !outgoing.unwritten().is_empty() {
            free += outgoing.written(1);
        }
        assert_eq!(free, 3 * all[0].len());
    }

    #[test]
    fn what_is_taken_out_is_not_charged_for_ever() {
        let mut outgoing = Outgoing::default();
        outgoing.append(post("1"), 20);
        outgoing.take_kept();
        outgoing.open(Vec::new());
        assert_eq!((outgoing.settle(), outgoing.settle()), (20, 0));
    }
}
