//! The bytes on their way to the daemon, and which of them a broken connection has not carried.
//!
//! Two buffers: one is being written, the other collects what comes meanwhile. Both hold whole
//! frames, so that after a loss it is known which frames the daemon can't have seen whole; those
//! are kept. The greeting is apart, since it belongs to a connection and not to what was asked.
//!
//! Some bytes are *charged*: they were posted, and whoever posts next waits for their place.
//! [`Outgoing::written`] says how much of it is free again, each byte exactly once.

use super::frames::frames;

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
    /// Collected meanwhile.
    next: Part,
}

/// Whole frames, and what is charged for them.
#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    charge: usize,
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

    /// What is to be written now.
    pub(super) fn unwritten(&mut self) -> &[u8] {
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
        self.writing.bytes.get(self.at..).unwrap_or_default()
    }

    /// So many of those bytes were written. Returns how much of the charge is free again.
    pub(super) fn written(&mut self, bytes: usize) -> usize {
        if self.greeted < self.greeting.len() {
            self.greeted += bytes;
            return 0;
        }
        self.at += bytes;
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
        let mut kept = Vec::new();
        let mut end = 0;
        for frame in frames(&self.writing.bytes) {
            end += frame.bytes.len();
            if end > self.at {
                kept.extend_from_slice(frame.bytes);
            }
        }
        kept.append(&mut self.next.bytes);
        let charge = self.writing.charge + self.next.charge;
        *self = Self { next: Part { bytes: kept, charge }, ..Self::default() };
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
