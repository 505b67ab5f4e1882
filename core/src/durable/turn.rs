//! What goes to the store together, and what becomes of it there.
//!
//! A turn gathers what one commit writes, and with it what has to happen once that is on the disk:
//! who is answered, what may be delivered. It stays whole until the store has answered. If the
//! store could not, messages are lost and their publishers told so; everything else (what was
//! acknowledged, what became of consumers and kept values) is put into the next turn, because it
//! happened.

use super::layout::{NEXT, Reason, consumer_key, dead_key, message_key, retained_key, waiting_key};
use crate::broker::{ClientId, Publisher};
use kith_store::{Batch, Scan};
use kith_wire::{MessageId, RequestNumber, Since};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the store is asked for; answered with [`Broker::committed`] or [`Broker::scanned`].
///
/// [`Broker::committed`]: crate::Broker::committed
/// [`Broker::scanned`]: crate::Broker::scanned
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreAsk {
    /// Write this. Commits are to be carried out in their order.
    Commit {
        /// Names it in the answer.
        ticket: u64,
        /// What to write.
        batch: Batch,
    },
    /// Read this, after the commits before it.
    Scan {
        /// Names it in the answer.
        ticket: u64,
        /// What to read.
        scan: Scan,
    },
}

/// Who waits for a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// Whoever published this. Without a number it is told only if it failed.
    Published {
        client: ClientId,
        number: Option<RequestNumber>,
        message_id: MessageId,
        duplicate: bool,
    },
    /// Whoever did something else: acknowledged, subscribed.
    Done { client: ClientId, number: RequestNumber },
    /// Whoever had so many messages removed from a consumer.
    Removed { client: ClientId, number: RequestNumber, is_purge: bool, count: usize },
}

impl Waiter {
    pub(crate) fn client(&self) -> ClientId {
        match self {
            Self::Published { client, .. }
            | Self::Done { client, .. }
            | Self::Removed { client, .. } => *client,
        }
    }

    pub(crate) fn number(&self) -> Option<RequestNumber> {
        match self {
            Self::Published { number, .. } => *number,
            Self::Done { number, .. } | Self::Removed { number, .. } => Some(*number),
        }
    }
}

/// Topic and protocol, and the record of what is kept there, if something is.
type KeptValue = ((String, String), Option<Vec<u8>>);

/// A message on its way to the store.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) message: u64,
    pub(crate) consumers: Vec<u32>,
    pub(crate) bytes: usize,
    /// Its record, where somebody may get it at once.
    pub(crate) record: Option<Vec<u8>>,
    /// Whose memory it counts as until then.
    pub(crate) client: Option<ClientId>,
    /// By which a repetition is recognised.
    pub(crate) name: Option<(Publisher, MessageId)>,
    /// Which the post calls it that waits for it to be on the disk.
    pub(crate) mail: Option<u64>,
}

/// What goes to the store together.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) batch: Batch,
    /// Of the batch, once it is at the store.
    bytes: usize,
    pub(crate) messages: Vec<Fresh>,
    pub(crate) waiters: Vec<Waiter>,
    /// Consumers whose record changes.
    pub(crate) consumers: BTreeSet<u32>,
    pub(crate) created: Vec<u32>,
    pub(crate) removed: Vec<u32>,
    /// No longer waiting.
    pub(crate) settled: Vec<(u32, u64)>,
    pub(crate) dead: Vec<(u32, u64, Reason)>,
    pub(crate) buried: Vec<(u32, u64)>,
    pub(crate) trimmed: Vec<u64>,
    /// Messages that wait once more: replayed.
    pub(crate) again: Vec<(u32, u64, Vec<u8>)>,
    /// Topics and protocols of which the kept value changed.
    pub(crate) retained: BTreeSet<(String, String)>,
    /// Of each consumer, up to where the store knows once this is written.
    pub(crate) offers: Vec<(u32, u64)>,
}

impl Turn {
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
            && self.waiters.is_empty()
            && self.consumers.is_empty()
            && self.removed.is_empty()
            && self.settled.is_empty()
            && self.dead.is_empty()
            && self.buried.is_empty()
            && self.trimmed.is_empty()
            && self.again.is_empty()
            && self.retained.is_empty()
    }

    /// Writes all that is not a message into the batch. `records`: of the consumers that changed;
    /// `values`: of the topics, nothing where none is kept any more.
    pub(crate) fn finish(
        &mut self,
        next: u64,
        records: Vec<(u32, u64, Vec<u8>)>,
        values: Vec<KeptValue>,
    ) {
        let batch = &mut self.batch;
        if !self.messages.is_empty() {
            batch.put([NEXT], next.to_le_bytes());
        }
        for (consumer, offered, record) in records {
            batch.put(consumer_key(consumer), record);
            self.offers.push((consumer, offered));
        }
        for (consumer, message, value) in &self.again {
            batch.put(waiting_key(*consumer, *message), value);
        }
        for (consumer, message, reason) in &self.dead {
            batch.delete(waiting_key(*consumer, *message));
            batch.put(dead_key(*consumer, *message), [*reason as u8]);
        }
        for (consumer, message) in &self.settled {
            batch.delete(waiting_key(*consumer, *message));
        }
        for (consumer, message) in &self.buried {
            batch.delete(dead_key(*consumer, *message));
        }
        for consumer in &self.removed {
            batch.delete(consumer_key(*consumer));
        }
        for message in &self.trimmed {
            batch.delete(message_key(*message));
        }
        for ((topic, protocol), value) in values {
            let key = retained_key(&topic, &protocol);
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
    }

    /// Takes over what happened in a turn that did not get to the store.
    pub(crate) fn redo(&mut self, failed: Self) {
        self.consumers.extend(failed.consumers);
        self.removed.extend(failed.removed);
        self.settled.extend(failed.settled);
        self.dead.extend(failed.dead);
        self.buried.extend(failed.buried);
        self.trimmed.extend(failed.trimmed);
        self.again.extend(failed.again);
        self.retained.extend(failed.retained);
    }
}

/// Why the store reads.
#[derive(Debug)]
pub(crate) enum Reading {
    /// For a consumer: what waits for it between these.
    Deliver { consumer: u32, first: u64, last: u64 },
    /// History, for a consumer that asked for it.
    Replay(Replay),
}

/// A consumer that gets what was before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    pub(crate) consumer: u32,
    pub(crate) since: Since,
    /// The message that it wants all after is looked for.
    pub(crate) is_seeking: bool,
    /// The first message of the history.
    pub(crate) first: u64,
    /// The last message of the history.
    pub(crate) last: u64,
    /// Who is told when all of it waits.
    pub(crate) waiter: Waiter,
}

/// The turns that are at the store, and what it was asked to read.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    turns: BTreeMap<u64, (u64, Turn)>,
    /// Of their batches.
    bytes: usize,
    scans: BTreeMap<u64, Reading>,
    asks: VecDeque<StoreAsk>,
    last: u64,
}

impl Outstanding {
    fn ticket(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Hands a turn to the store.
    pub(crate) fn commit(&mut self, mut turn: Turn, monotonic_ms: u64) -> u64 {
        let ticket = self.ticket();
        let batch = std::mem::take(&mut turn.batch);
        turn.bytes = batch.bytes();
        self.bytes += turn.bytes;
        self.asks.push_back(StoreAsk::Commit { ticket, batch });
        self.turns.insert(ticket, (monotonic_ms, turn));
        ticket
    }

    /// Has the store read.
    pub(crate) fn scan(&mut self, reading: Reading, scan: Scan) {
        let ticket = self.ticket();
        self.asks.push_back(StoreAsk::Scan { ticket, scan });
        self.scans.insert(ticket, reading);
    }

    pub(crate) fn next_ask(&mut self) -> Option<StoreAsk> {
        self.asks.pop_front()
    }

    /// Bytes that the store has and has not answered for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    pub(crate) fn take_turn(&mut self, ticket: u64) -> Option<Turn> {
        let (_, turn) = self.turns.remove(&ticket)?;
        self.bytes = self.bytes.saturating_sub(turn.bytes);
        Some(turn)
    }

    pub(crate) fn take_scan(&mut self, ticket: u64) -> Option<Reading> {
        self.scans.remove(&ticket)
    }

    pub(crate) fn turn(&mut self, ticket: u64) -> Option<&mut Turn> {
        self.turns.get_mut(&ticket).map(|(_, turn)| turn)
    }

    /// Since when the store has owed an answer.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.turns.first_key_value().map(|(_, (since_ms, _))| *since_ms)
    }

    /// All who wait.
    pub(crate) fn take_waiters(&mut self) -> Vec<Waiter> {
        self.turns.values_mut().flat_map(|(_, turn)| std::mem::take(&mut turn.waiters)).collect()
    }

    /// Takes what is charged to clients off the messages that are at the store.
    pub(crate) fn take_charges(&mut self) -> Vec<(ClientId, usize)> {
        let messages = self.turns.values_mut().flat_map(|(_, turn)| turn.messages.iter_mut());
        messages.filter_map(|fresh| fresh.client.take().map(|id| (id, fresh.bytes))).collect()
    }
}
