//! Which messages are in the store, and for how many consumers each waits.
//!
//! One that waits for nobody any more stays a while, as history: a consumer that comes later may
//! ask for it, and a publisher that repeats itself after a restart is recognised by it. History is
//! among the newest messages always, so that it is found again without reading all there is; and
//! it gives way to what waits.
//!
//! Sizes are those of the records of messages, in bytes; what the engine needs around them is not
//! counted.

use crate::limits::Limits;

use std::collections::{BTreeMap, BTreeSet};

/// Which messages are in the store.
#[derive(Debug, Default)]
pub(crate) struct Log {
    messages: BTreeMap<u64, Entry>,
    /// Those that wait for nobody.
    history: BTreeSet<u64>,
    /// Those that expire, the first to do so first.
    expiring: BTreeSet<(u64, u64)>,
    bytes: usize,
    history_bytes: usize,
    /// The number that the next message gets.
    next: u64,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// For how many consumers it waits, and of how many it is a dead letter.
    pub(crate) references: u32,
    pub(crate) bytes: u32,
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) sent_at_ms: u64,
}

impl Log {
    /// The number of the next message.
    pub(crate) fn take_number(&mut self) -> u64 {
        // Zero is before all.
        let number = self.next.max(1);
        self.next = number.saturating_add(1);
        number
    }

    pub(crate) fn next(&self) -> u64 {
        self.next.max(1)
    }

    /// No number below this is given out any more.
    pub(crate) fn skip_to(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// Takes in a message that waits for so many, or once more.
    pub(crate) fn add(&mut self, message: u64, added: Entry) {
        if let Some(entry) = self.messages.get_mut(&message) {
            if entry.references == 0 && added.references > 0 {
                self.history.remove(&message);
                self.history_bytes = self.history_bytes.saturating_sub(entry.bytes as usize);
            }
            entry.references = entry.references.saturating_add(added.references);
            return;
        }
        self.bytes += added.bytes as usize;
        if let Some(at) = added.expires_at_ms {
            self.expiring.insert((at, message));
        }
        self.messages.insert(message, added);
        if added.references == 0 {
            self.history.insert(message);
            self.history_bytes += added.bytes as usize;
        }
    }

    /// One waits for it less.
    pub(crate) fn release(&mut self, message: u64) {
        let Some(entry) = self.messages.get_mut(&message) else { return };
        entry.references = entry.references.saturating_sub(1);
        if entry.references == 0 && self.history.insert(message) {
            self.history_bytes += entry.bytes as usize;
        }
    }

    /// Forgets a message that never came to the store.
    pub(crate) fn forget(&mut self, message: u64) {
        let Some(entry) = self.messages.remove(&message) else { return };
        self.bytes = self.bytes.saturating_sub(entry.bytes as usize);
        if self.history.remove(&message) {
            self.history_bytes = self.history_bytes.saturating_sub(entry.bytes as usize);
        }
        if let Some(at) = entry.expires_at_ms {
            self.expiring.remove(&(at, message));
        }
    }

    /// Deletes what is history no longer.
    pub(crate) fn trim(&mut self, limits: &Limits, trimmed: &mut Vec<u64>) {
        let first = self.next.saturating_sub(limits.history_messages_max as u64);
        while let Some(oldest) = self.history.first().copied() {
            let is_over = limits.history_bytes_max < self.history_bytes
                || limits.stored_bytes_max < self.bytes
                || limits.stored_messages_max < self.messages.len();
            if first <= oldest && !is_over {
                return;
            }
            self.forget(oldest);
            trimmed.push(oldest);
        }
    }

    /// The next message that has expired, if it still waits for somebody.
    pub(crate) fn take_expired(&mut self, unix_ms: u64) -> Option<u64> {
        let (at, message) = self.expiring.first().copied()?;
        if unix_ms < at {
            return None;
        }
        self.expiring.remove(&(at, message));
        Some(message)
    }

    /// When the next one expires.
    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.expiring.first().map(|(at, _)| *at)
    }

    pub(crate) fn get(&self, message: u64) -> Option<Entry> {
        self.messages.get(&message).copied()
    }

    /// The messages from this one on, in order.
    pub(crate) fn from(&self, first: u64) -> impl Iterator<Item = u64> {
        self.messages.range(first..).map(|(message, _)| *message)
    }

    /// How many messages wait for somebody, and their size.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let count = self.messages.len().saturating_sub(self.history.len());
        (count, self.bytes.saturating_sub(self.history_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(references: u32, bytes: u32) -> Entry {
        Entry { references, bytes, expires_at_ms: None, sent_at_ms: 0 }
    }

    #[test]
    fn what_waits_for_nobody_stays_for_as_long_as_there_is_room() {
        let limits = Limits { history_messages_max: 3, history_bytes_max: 25, ..Limits::default() };
        let mut log = Log::default();
        for _ in 0..6 {
            let message = log.take_number();
            log.add(message, entry(1, 10));
        }
        assert_eq!(log.waiting(), (6, 60));
        for message in [1, 5, 6] {
            log.release(message);
        }
        let mut batch = Vec::new();
        log.trim(&limits, &mut batch);
        // The first is too old; the others are among the newest three.
        assert_eq!(batch.len(), 1);
        assert!(log.get(1).is_none() && log.get(5).is_some() && log.get(6).is_some());
        log.release(4);
        let mut batch = Vec::new();
        log.trim(&limits, &mut batch);
        assert!(log.get(4).is_none(), "30 bytes are too many");
        assert_eq!((batch.len(), log.waiting()), (1, (2, 20)));
    }

    #[test]
    fn history_can_be_waited_for_again() {
        let mut log = Log::default();
        let message = log.take_number();
        log.add(message, entry(1, 10));
        log.release(message);
        assert_eq!(log.waiting(), (0, 0));
        log.add(message, entry(1, 10));
        assert_eq!(log.waiting(), (1, 10));
    }
}
