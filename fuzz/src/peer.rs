//! A bus without sockets, and clients of it that say any bytes.
//!
//! A client is written to only when a target has it read; what is said while it has to wait is kept
//! as a socket would keep it. All that is sent to it has to be readable by itself: it is decoded as
//! a client would, whole or in pieces, and nothing may follow what is said last.

use crate::heard::Heard;
use kith_core::{Broker, ClientId, Limits, Now, Output, Session};
use kith_wire::binary::{MAGIC, receive, split};
use std::collections::BTreeSet;

/// A broker and its clock.
pub(crate) struct Bus {
    pub(crate) broker: Broker,
    pub(crate) now: Now,
    /// Who was announced to have something to send, and has not read all since.
    announced: BTreeSet<u64>,
}

impl Bus {
    pub(crate) fn new(limits: Limits) -> Self {
        let now = Now { monotonic_ms: 1_000, unix_ms: 1_700_000_000_000 };
        Self { broker: Broker::new(limits, 7), now, announced: BTreeSet::new() }
    }

    /// Lets time pass. Whatever is due is done when it is due.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now.monotonic_ms + ms;
        while let Some(due) = self.broker.poll_timeout().filter(|due| *due <= until) {
            self.step(due.saturating_sub(self.now.monotonic_ms));
            self.broker.handle_timeout(self.now);
            let next = self.broker.poll_timeout();
            assert!(next.is_none_or(|next| self.now.monotonic_ms < next), "due for ever");
        }
        self.step(until - self.now.monotonic_ms);
    }

    fn step(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
    }

    fn collect_outputs(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            if let Output::Flush(id) = output {
                self.announced.insert(id.serial());
            }
        }
    }
}

/// A client.
pub(crate) struct Peer {
    session: Session,
    /// All that the session took.
    taken: Vec<u8>,
    /// What it did not take yet.
    unsaid: Vec<u8>,
    /// What was sent and is not whole.
    unheard: Vec<u8>,
    /// Whether the daemon's magic was read, and so frames follow.
    is_binary: bool,
    /// Whether the daemon said what it says last.
    is_over: bool,
}

impl Peer {
    pub(crate) fn join(bus: &mut Bus) -> Self {
        let session = Session::new(bus.broker.connect(bus.now).unwrap());
        let (taken, unsaid, unheard) = (Vec::new(), Vec::new(), Vec::new());
        Self { session, taken, unsaid, unheard, is_binary: false, is_over: false }
    }

    pub(crate) fn id(&self) -> ClientId {
        self.session.client()
    }

    /// All that was said and taken.
    pub(crate) fn taken(&self) -> &[u8] {
        &self.taken
    }

    /// The first byte that it said, if it said any.
    pub(crate) fn first_byte(&self) -> Option<u8> {
        self.taken.iter().chain(&self.unsaid).next().copied()
    }

    /// Says something, behind what it could not say yet.
    pub(crate) fn say(&mut self, bus: &mut Bus, bytes: &[u8]) {
        self.unsaid.extend_from_slice(bytes);
        loop {
            let fed = self.session.feed(&mut bus.broker, bus.now, &self.unsaid);
            assert!(fed.consumed <= self.unsaid.len());
            self.taken.extend(self.unsaid.drain(..fed.consumed));
            assert!(fed.wanted == 0 || self.unsaid.len() < fed.wanted, "it has what it wants");
            if !fed.unfinished {
                return;
            }
            assert!(fed.consumed > 0, "a turn without any work");
        }
    }

    /// Reads all that waits, saying meanwhile what it had to keep back.
    pub(crate) fn read_all(&mut self, bus: &mut Bus) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            heard.extend(self.read(bus, usize::MAX));
            let before = self.unsaid.len();
            self.say(bus, &[]);
            if !bus.broker.has_output(self.id()) && self.unsaid.len() == before {
                assert!(self.unheard.is_empty(), "half an answer");
                let is_stuck = bus.broker.is_choked(self.id());
                assert!(!is_stuck || bus.broker.is_closing(self.id()), "it waits for nothing");
                return heard;
            }
        }
    }

    /// Reads at most so many bytes.
    pub(crate) fn read(&mut self, bus: &mut Bus, bytes: usize) -> Vec<Heard> {
        let id = self.id();
        let mut left = bytes;
        bus.collect_outputs();
        while left > 0 && bus.broker.has_output(id) {
            assert!(bus.announced.contains(&id.serial()), "nobody said that it has something");
            let mut sent = 0;
            for slice in bus.broker.stage(bus.now, id) {
                let part = slice.len().min(left - sent);
                self.unheard.extend_from_slice(&slice[..part]);
                sent += part;
            }
            if sent > 0 {
                bus.broker.wrote(bus.now, id, sent);
            } else {
                assert!(!bus.broker.has_output(id), "something waits, and nothing is staged");
            }
            left -= sent;
            bus.collect_outputs();
        }
        if !bus.broker.has_output(id) {
            bus.announced.remove(&id.serial());
        }
        self.understand()
    }

    fn understand(&mut self) -> Vec<Heard> {
        if !self.is_binary && self.unheard.starts_with(&MAGIC) {
            self.is_binary = true;
            self.unheard.drain(..MAGIC.len());
        }
        if !self.is_binary && MAGIC.starts_with(&self.unheard) {
            return Vec::new();
        }
        let heard = if self.is_binary { self.take_frames() } else { self.take_lines() };
        for one in &heard {
            assert!(!self.is_over, "after the last word: {one:?}");
            self.is_over = one.fatal;
        }
        heard
    }

    fn take_lines(&mut self) -> Vec<Heard> {
        let end = self.unheard.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.unheard.drain(..end).collect();
        whole.split_inclusive(|byte| *byte == b'\n').map(Heard::of_line).collect()
    }

    fn take_frames(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut rest = &self.unheard[..];
        while let Some(frame) = split(rest, usize::MAX).unwrap() {
            let each = |event| {
                heard.push(Heard::of_event(&event));
                Ok(())
            };
            receive::events(frame, each).unwrap();
            rest = &rest[frame.bytes.len()..];
        }
        let done = self.unheard.len() - rest.len();
        self.unheard.drain(..done);
        heard
    }
}
