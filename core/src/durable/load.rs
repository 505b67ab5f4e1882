//! What the store has when the daemon starts.
//!
//! Read in a few passes: consumers, what waits for each, dead letters, kept values, and the newest
//! messages, which are history if nobody waits for them. Of messages only numbers and sizes stay in
//! memory.
//!
//! What can't be read is left out, counted and told; nothing in here fails for a damaged record.

use super::consumer::Consumer;
use super::layout::{
    CONSUMER, ConsumerRecord, DEAD, MESSAGE, NEXT, RETAINED, StoredMessage, WAITING, WaitingRecord,
    parts, read_message,
};
use super::log::{Entry, Log};
use super::on_disk::OnDisk;
use crate::broker::Kept;
use crate::limits::{Limits, SCAN_BYTES_MAX, SCAN_RECORDS_MAX};
use kith_store::{Failure, Page, Record, Scan};
use kith_wire::{MessageId, SENDER_LOCAL};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the store has.
#[derive(Debug, Default)]
pub struct Loaded {
    pub(crate) consumers: Vec<(u32, Found)>,
    pub(crate) log: Log,
    pub(crate) retained: Vec<Kept>,
    /// Ids that clients with a name gave their messages, the oldest first.
    pub(crate) ids: VecDeque<([u8; 16], MessageId, OnDisk)>,
    /// Messages that are history no longer.
    pub(crate) trimmed: Vec<u64>,
    /// What waits for consumers that are not there.
    pub(crate) orphans: Vec<(u32, u64)>,
    damaged: usize,
}

/// A consumer as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) pattern: String,
    pub(crate) created_ms: u64,
    pub(crate) offered: u64,
    pub(crate) is_replaying: bool,
    pub(crate) waiting: Vec<(u64, usize)>,
    pub(crate) dead: BTreeSet<u64>,
}

impl Loaded {
    /// Reads what the store has, by `scan`.
    ///
    /// # Errors
    /// What the store answers.
    pub fn read(
        scan: &mut dyn FnMut(Scan) -> Result<Page, Failure>,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let mut loaded = Self::default();
        let mut next = 0;
        let mut damaged = each(scan, vec![NEXT], NEXT + 1, |record| {
            let number = record.value.first_chunk().copied().map(u64::from_le_bytes);
            number.map(|number| next = number).is_some()
        })?;
        let mut found: BTreeMap<u32, Found> = BTreeMap::new();
        damaged += each(scan, vec![CONSUMER], CONSUMER + 1, |record| {
            let consumer = parts(&record.key).zip(ConsumerRecord::read(&record.value));
            let Some(((id, _), consumer)) = consumer else { return false };
            next = next.max(consumer.offered.saturating_add(1));
            found.insert(id, Found::new(&consumer));
            true
        })?;
        damaged += each(scan, vec![WAITING], WAITING + 1, |record| {
            let waiting = parts(&record.key).zip(WaitingRecord::read(&record.value));
            let Some(((id, message), waiting)) = waiting else { return false };
            next = next.max(message.saturating_add(1));
            loaded.wait(found.get_mut(&id), id, message, waiting);
            true
        })?;
        damaged += each(scan, vec![DEAD], DEAD + 1, |record| {
            let Some((id, message)) = parts(&record.key) else { return false };
            if let Some(found) = found.get_mut(&id) {
                found.dead.insert(message);
                let (bytes, sent_at_ms) = (0, 0);
                let entry =
                    Entry { references: 1, bytes, expires_at_ms: None, sent_at_ms, is_mail: false };
                loaded.log.add(message, entry);
            }
            true
        })?;
        loaded.log.skip_to(next);
        damaged += loaded.read_history(scan, limits)?;
        damaged += each(scan, vec![RETAINED], RETAINED + 1, |record| {
            let value = read_message(&record.value).map(|kept| Kept::new(&kept.delivery));
            value.map(|value| loaded.retained.push(value)).is_some()
        })?;
        loaded.consumers = found.into_iter().collect();
        loaded.damaged = damaged;
        Ok(loaded)
    }

    fn wait(&mut self, found: Option<&mut Found>, id: u32, message: u64, waiting: WaitingRecord) {
        let Some(found) = found else {
            self.orphans.push((id, message));
            return;
        };
        let WaitingRecord { bytes, expires_at_ms, sent_at_ms } = waiting;
        let (references, is_mail) = (1, false);
        let entry = Entry { references, bytes, expires_at_ms, sent_at_ms, is_mail };
        self.log.add(message, entry);
        found.waiting.push((message, bytes as usize));
    }

    fn read_history(
        &mut self,
        scan: &mut dyn FnMut(Scan) -> Result<Page, Failure>,
        limits: &Limits,
    ) -> Result<usize, Failure> {
        let damaged = each(scan, vec![MESSAGE], MESSAGE + 1, |record| {
            let message = parts(&record.key).map(|(_, message)| message);
            let Some((message, stored)) = message.zip(read_message(&record.value)) else {
                return false;
            };
            let StoredMessage { identity, delivery } = stored;
            if let Some(identity) = identity {
                if limits.history_messages_max <= self.ids.len() {
                    self.ids.pop_front();
                }
                self.ids.push_back((identity, delivery.message_id, OnDisk::read(record)));
            }
            self.log.skip_to(message.saturating_add(1));
            let bytes = u32::try_from(record.value.len()).unwrap_or(u32::MAX);
            let expires_at_ms = Some(super::expiry(&delivery));
            let sent_at_ms = delivery.sent_at_ms;
            // What somebody had acknowledged is among it; that does no harm.
            let (references, is_mail) = (0, delivery.sender != SENDER_LOCAL);
            let entry = Entry { references, bytes, expires_at_ms, sent_at_ms, is_mail };
            self.log.add(message, entry);
            true
        })?;
        // What is too much is deleted with the first that is stored.
        self.log.trim(limits, &mut self.trimmed);
        Ok(damaged)
    }

    /// Consumers that were found.
    #[must_use]
    pub fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// Messages that wait.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.log.waiting().0
    }

    /// Values that were kept.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.retained.len()
    }

    /// Records that can't be read.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    pub(crate) fn next_consumer(&self) -> u32 {
        let known = self.consumers.iter().map(|(id, _)| *id);
        known.chain(self.orphans.iter().map(|(id, _)| *id)).max().unwrap_or(0)
    }
}

impl Found {
    fn new(record: &ConsumerRecord<'_>) -> Self {
        Self {
            name: record.name.to_string(),
            pattern: record.pattern.to_string(),
            created_ms: record.created_ms,
            offered: record.offered,
            is_replaying: record.is_replaying,
            waiting: Vec::new(),
            dead: BTreeSet::new(),
        }
    }

    /// The consumer, with its pattern in the index.
    pub(crate) fn consumer(self, key: crate::index::SubscriptionKey) -> Consumer {
        let Self { name, pattern, created_ms, offered, is_replaying, waiting, dead } = self;
        let mut consumer = Consumer::new(name, pattern, created_ms, offered, key);
        for (message, bytes) in waiting {
            consumer.push(message, bytes);
        }
        consumer.dead = dead;
        consumer.is_replaying = is_replaying;
        consumer
    }
}

/// Reads all records from a key up to those that begin with another byte. `take` says whether a
/// record was one. How many were not.
fn each(
    scan: &mut dyn FnMut(Scan) -> Result<Page, Failure>,
    from: Vec<u8>,
    to: u8,
    mut take: impl FnMut(&Record) -> bool,
) -> Result<usize, Failure> {
    let mut damaged = 0;
    let mut next = Some(from);
    while let Some(from) = next {
        let page = scan(Scan {
            from,
            to: Some(vec![to]),
            records_max: SCAN_RECORDS_MAX,
            bytes_max: SCAN_BYTES_MAX,
        })?;
        damaged += page.damaged.len();
        damaged += page.records.iter().filter(|record| !take(record)).count();
        next = page.next;
    }
    Ok(damaged)
}
