//! Which messages are in the store, and for how many consumers each waits.
//!
//! One that waits for nobody any more stays a while, as history: a consumer that comes later may
//! ask for it, and a publisher that repeats itself after a restart is recognised by it. It gives
//! way to what waits.
//!
//! What came from outside and waits for nobody is *mail*: its sender was told that it is here, so
//! it does not give way but is refused where there is too much of it ([`Log::has_room_for_mail`]),
//! and goes after a time. Once a consumer has asked for it, it is a message like any other.
//!
//! Sizes are those of the records of messages, in bytes; what the engine needs around them is not
//! counted.

use crate::limits::{Limits, MAIL_BYTES_MAX, MAIL_MESSAGES_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// Which messages are in the store.
#[derive(Debug, Default)]
pub(crate) struct Log {
    messages: BTreeMap<u64, Entry>,
    /// Those that wait for nobody.
    history: BTreeSet<u64>,
    mail: BTreeSet<u64>,
    /// Those that expire, the first to do so first.
    expiring: BTreeSet<(u64, u64)>,
    bytes: usize,
    history_bytes: usize,
    mail_bytes: usize,
    /// For how many each waits, together.
    references: usize,
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
    /// It came from outside, and nobody has asked for it yet.
    pub(crate) is_mail: bool,
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
        self.references += added.references as usize;
        if let Some(entry) = self.messages.get_mut(&message) {
            if entry.references == 0 && added.references > 0 {
                entry.is_mail = false;
                let bytes = entry.bytes as usize;
                self.put_aside_no_more(message, bytes);
            }
            let Some(entry) = self.messages.get_mut(&message) else { return };
            entry.references = entry.references.saturating_add(added.references);
            return;
        }
        self.bytes += added.bytes as usize;
        if let Some(at) = added.expires_at_ms {
            self.expiring.insert((at, message));
        }
        self.messages.insert(message, added);
        if added.references > 0 {
            return;
        }
        if added.is_mail {
            self.mail.insert(message);
            self.mail_bytes += added.bytes as usize;
        } else {
            self.history.insert(message);
            self.history_bytes += added.bytes as usize;
        }
    }

    fn put_aside_no_more(&mut self, message: u64, bytes: usize) {
        if self.history.remove(&message) {
            self.history_bytes = self.history_bytes.saturating_sub(bytes);
        }
        if self.mail.remove(&message) {
            self.mail_bytes = self.mail_bytes.saturating_sub(bytes);
        }
    }

    /// Whether there is room for mail of this size.
    pub(crate) fn has_room_for_mail(&self, bytes: usize) -> bool {
        self.mail.len() < MAIL_MESSAGES_MAX
            && self.mail_bytes.saturating_add(bytes) <= MAIL_BYTES_MAX
    }

    /// Whether a message is mail.
    pub(crate) fn is_mail(&self, message: u64) -> bool {
        self.mail.contains(&message)
    }

    /// Has all mail go by then at the latest.
    pub(crate) fn expire_mail_by(&mut self, unix_ms: u64) {
        for message in &self.mail {
            let Some(entry) = self.messages.get_mut(message) else { continue };
            let before = entry.expires_at_ms;
            let at = before.map_or(unix_ms, |before| before.min(unix_ms));
            entry.expires_at_ms = Some(at);
            before.map(|before| self.expiring.remove(&(before, *message)));
            self.expiring.insert((at, *message));
        }
    }

    /// One waits for it less.
    pub(crate) fn release(&mut self, message: u64) {
        let Some(entry) = self.messages.get_mut(&message) else { return };
        if entry.references > 0 {
            self.references = self.references.saturating_sub(1);
        }
        entry.references = entry.references.saturating_sub(1);
        if entry.references == 0 && self.history.insert(message) {
            self.history_bytes += entry.bytes as usize;
        }
    }

    /// Has a message looked at when it expires.
    pub(crate) fn watch(&mut self, message: u64) {
        if let Some(Entry { expires_at_ms: Some(at), .. }) = self.messages.get(&message) {
            self.expiring.insert((*at, message));
        }
    }

    /// Forgets a message that never came to the store.
    pub(crate) fn forget(&mut self, message: u64) {
        let Some(entry) = self.messages.remove(&message) else { return };
        self.references = self.references.saturating_sub(entry.references as usize);
        self.bytes = self.bytes.saturating_sub(entry.bytes as usize);
        self.put_aside_no_more(message, entry.bytes as usize);
        if let Some(at) = entry.expires_at_ms {
            self.expiring.remove(&(at, message));
        }
    }

    /// Deletes what is history no longer.
    pub(crate) fn trim(&mut self, limits: &Limits, trimmed: &mut Vec<u64>) {
        while let Some(oldest) = self.history.first().copied() {
            let is_over = limits.history_messages_max < self.history.len()
                || limits.history_bytes_max < self.history_bytes
                || limits.stored_bytes_max < self.bytes;
            if !is_over {
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

    /// How many messages wait, one for several consumers several times; and their size.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.references, self.bytes.saturating_sub(self.history_bytes + self.mail_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(references: u32, bytes: u32) -> Entry {
        Entry { references, bytes, expires_at_ms: None, sent_at_ms: 0, is_mail: false }
    }

    #[test]
    fn what_waits_for_nobody_stays_for_as_long_as_there_is_room() {
        let limits = Limits { history_messages_max: 2, history_bytes_max: 25, ..Limits::default() };
        let mut log = Log::default();
        for _ in 0..6 {
            let message = log.take_number();
            log.add(message, entry(2, 10));
        }
        assert_eq!(log.waiting(), (12, 60));
        for message in [1, 5, 6] {
            log.release(message);
            log.release(message);
        }
        let mut trimmed = Vec::new();
        log.trim(&limits, &mut trimmed);
        assert_eq!(trimmed, [1], "two are kept, the newest");
        log.add(5, entry(1, 10));
        log.release(4);
        log.release(4);
        log.release(3);
        assert_eq!(log.waiting(), (4, 30));
        let limits = Limits { history_bytes_max: 15, ..limits };
        let mut trimmed = Vec::new();
        log.trim(&limits, &mut trimmed);
        assert_eq!(trimmed, [4], "20 bytes are too many");
    }

    #[test]
    fn mail_does_not_give_way_until_it_was_asked_for() {
        let limits = Limits { history_messages_max: 0, ..Limits::default() };
        let mut log = Log::default();
        let mail = Entry { is_mail: true, ..entry(0, 10) };
        for _ in 0..2 {
            let message = log.take_number();
            log.add(message, mail);
        }
        log.expire_mail_by(1_000);
        let mut trimmed = Vec::new();
        log.trim(&limits, &mut trimmed);
        assert_eq!((trimmed.len(), log.waiting(), log.next_expiry_ms()), (0, (0, 0), Some(1_000)));
        assert!(log.has_room_for_mail(MAIL_BYTES_MAX - 20));
        assert!(!log.has_room_for_mail(MAIL_BYTES_MAX - 19));
        log.add(1, entry(1, 10));
        assert_eq!((log.waiting(), log.is_mail(1), log.is_mail(2)), ((1, 10), false, true));
        log.release(1);
        log.forget(2);
        log.trim(&limits, &mut trimmed);
        assert_eq!((trimmed, log.messages.len(), log.mail_bytes), (vec![1], 0, 0));
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
