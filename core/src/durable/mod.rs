//! What is kept for consumers that are not there: durable subscriptions, and the messages that wait
//! for them.
//!
//! A state machine beside the broker. It says what the store should write and read ([`StoreAsk`]),
//! is told what became of that, and knows of every message whether it is on the way to the store,
//! waits, is with a consumer, or is done with. **A message is said to be stored when the store has
//! said so**: an answer that says it takes an [`OnDisk`], and that takes the receipt of a commit.
//!
//! - `layout.rs`: how it stands in the store;
//! - `log.rs`: which messages are in the store, and for how many consumers;
//! - `consumer.rs`: one consumer;
//! - `on_disk.rs`: that something is on the disk, as a value;
//! - `turn.rs`: what goes to the store together, and what happens when that is there;
//! - `load.rs`: what the store has when the daemon starts;
//! - `export.rs`: what it has, as lines of JSON.
//!
//! Deliberately absent: the messages themselves. They are in the store, and read when somebody has
//! room for them; so a hundred thousand that wait take a few megabytes.

mod consumer;
mod export;
mod layout;
mod load;
mod log;
mod on_disk;
mod turn;

pub(crate) use consumer::{Consumer, Member, Want};
pub use export::export_record;
pub(crate) use layout::{Reason, read_message, write_message};
pub use load::Loaded;
pub(crate) use on_disk::{OnDisk, succeeded};
pub use turn::StoreAsk;
pub(crate) use turn::{Fresh, Outstanding, Reading, Replay, Turn, Waiter};

use crate::broker::{ClientId, Publisher};
use crate::limits::{
    DEAD_LETTERS_MAX, DOOMED_PER_TURN_MAX, GATHERED_BYTES_MAX, Limits, OUTSTANDING_BYTES_MAX,
    UNSTORED_IDS_MAX,
};
use kith_store::Scan;
use kith_wire::{Code, Delivery, MessageId, Refusal};
use layout::{ConsumerRecord, WaitingRecord, message_key};
use log::{Entry, Log};
use std::collections::{BTreeMap, VecDeque};

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct Durable {
    /// The name of the store, if there is one.
    pub(crate) store: Option<&'static str>,
    pub(crate) consumers: BTreeMap<u32, Consumer>,
    pub(crate) names: BTreeMap<String, u32>,
    next_consumer: u32,
    log: Log,
    /// What goes to the store next.
    pub(crate) turn: Turn,
    /// It should go now.
    pub(crate) is_urgent: bool,
    /// It should go then at the latest, on the monotonic clock.
    pub(crate) due_ms: Option<u64>,
    /// When a lease may have ended.
    pub(crate) lease_due_ms: Option<u64>,
    /// When something may have expired.
    pub(crate) expiry_due_ms: Option<u64>,
    pub(crate) outstanding: Outstanding,
    unsettled: BTreeMap<(Publisher, MessageId), Unsettled>,
    /// What waits no longer, and is still in the store.
    doomed: VecDeque<Doomed>,
    /// Who is told once it is gone, behind so many of those.
    told_then: VecDeque<(usize, Waiter)>,
    /// What the store answered last, if it could not.
    pub(crate) failing: Option<String>,
    /// It has not answered for too long.
    pub(crate) is_stalled: bool,
}

/// A message with its publisher's id that is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsettled {
    /// It is in the turn that is being gathered.
    Gathered,
    /// It is at the store, with this ticket.
    At(u64),
    /// Live subscribers have it, and the store could not take it.
    Failed,
}

/// A message that waits for a consumer no longer, and is still in the store.
#[derive(Clone, Copy, Debug)]
struct Doomed {
    consumer: u32,
    message: u64,
    /// It still counts as one for which the message waits, so that it goes before the message.
    is_counted: bool,
}

/// What is to be stored.
pub(crate) struct Keep<'a> {
    pub(crate) delivery: &'a Delivery<'a>,
    /// Who gave the message its id, if its publisher did.
    pub(crate) publisher: Option<Publisher>,
    pub(crate) client: Option<ClientId>,
    pub(crate) consumers: Vec<u32>,
    /// If it is mail: which the post calls it, and when it goes.
    pub(crate) mail: Option<(u64, u64)>,
}

impl Durable {
    /// Puts a message on its way to the store.
    ///
    /// # Errors
    /// If there is no room for it, or the store has not answered for long.
    pub(crate) fn keep(&mut self, limits: &Limits, keep: Keep<'_>) -> Result<usize, Refusal> {
        let Keep { delivery, publisher, client, consumers, mail } = keep;
        if self.is_stalled {
            return Err(stalled());
        }
        let identity = match publisher {
            Some(Publisher::Identity(identity)) => Some(identity),
            _ => None,
        };
        let record = write_message(identity, delivery);
        let bytes = record.len();
        if consumers.is_empty() && mail.is_some() && !self.log.has_room_for_mail(bytes) {
            let text = "nobody has asked for as much mail as may wait: a durable subscription does";
            return Err(Refusal::new(Code::QuotaStored, text));
        }
        self.admit(limits, bytes, &consumers)?;
        let message = self.log.take_number();
        let entry = Entry {
            references: u32::try_from(consumers.len()).unwrap_or(u32::MAX),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            expires_at_ms: Some(match mail {
                Some((_, until_ms)) if consumers.is_empty() => expiry(delivery).min(until_ms),
                _ => expiry(delivery),
            }),
            sent_at_ms: delivery.sent_at_ms,
            is_mail: consumers.is_empty() && mail.is_some(),
        };
        self.log.add(message, entry);
        let waiting = waiting_record(entry).written();
        let mut is_wanted_now = false;
        for id in &consumers {
            self.turn.batch.put(layout::waiting_key(*id, message), &waiting);
            let Some(consumer) = self.consumers.get_mut(id) else { continue };
            consumer.expect(bytes);
            if let Some(offered) = consumer.offer_for(message) {
                consumer.plan(offered);
                self.turn.consumers.insert(*id);
            }
            is_wanted_now |= !consumer.members.is_empty() && consumer.depth().0 == 0;
        }
        self.turn.batch.put(message_key(message), &record);
        let copy = is_wanted_now.then_some(record);
        let name = publisher.map(|publisher| (publisher, delivery.message_id));
        if let Some(name) = name {
            self.unsettled.insert(name, Unsettled::Gathered);
        }
        let mail = mail.map(|(ticket, _)| ticket);
        let fresh = Fresh { message, consumers, bytes, record: copy, client, name, mail };
        self.turn.messages.push(fresh);
        Ok(bytes)
    }

    /// Whether what was gathered should not wait for more: somebody reads what was kept last, or it
    /// is much.
    pub(crate) fn is_wanted_now(&self) -> bool {
        let is_read = self.turn.messages.last().is_some_and(|fresh| {
            let mut consumers = fresh.consumers.iter().filter_map(|id| self.consumers.get(id));
            consumers.any(|consumer| !consumer.members.is_empty())
        });
        is_read || GATHERED_BYTES_MAX <= self.turn.batch.bytes()
    }

    /// Whether there is room for a message of this size; history gives way.
    fn admit(&mut self, limits: &Limits, bytes: usize, to: &[u32]) -> Result<(), Refusal> {
        let (messages, held) = self.log.waiting();
        let messages = messages.saturating_add(to.len().saturating_sub(1));
        let (messages_max, bytes_max) = (limits.stored_messages_max, limits.stored_bytes_max);
        let mut full = None;
        if messages_max <= messages || bytes_max < held.saturating_add(bytes) {
            let most = self.consumers.values().max_by_key(|consumer| consumer.bytes());
            let most = most.map_or("", |consumer| consumer.name.as_str());
            full = Some(format!(
                "all that waits for durable subscriptions is as much as there may be \
                 ({messages} messages, {held} bytes); most of it waits for `{most}`"
            ));
        }
        for id in to {
            let Some(consumer) = self.consumers.get(id) else { continue };
            let (waiting, held) = consumer.load();
            // Half, so that one that nobody reads can't keep all others from getting anything.
            let is_over = messages_max.div_ceil(2) <= waiting
                || bytes_max.div_ceil(2) < held.saturating_add(bytes);
            if is_over && waiting > 0 {
                full = Some(format!(
                    "as much waits for the durable subscription `{}` as there may be ({} \
                     messages, {} bytes): have it read, or `kith consumers purge {}`",
                    consumer.name, waiting, held, consumer.name
                ));
            }
        }
        let Some(text) = full else {
            self.log.trim(limits, &mut self.turn.trimmed);
            return Ok(());
        };
        for id in to {
            if let Some(consumer) = self.consumers.get_mut(id) {
                consumer.counts.refused += 1;
            }
        }
        let text = format!("not stored, though live subscribers have it: {text}");
        Err(Refusal::new(Code::QuotaStored, text))
    }

    /// Makes the turn that was gathered ready for the store. `value`: what is kept of a topic.
    pub(crate) fn close_turn(
        &mut self,
        monotonic_ms: u64,
        limits: &Limits,
        value: impl Fn(&str, &str) -> Option<Vec<u8>>,
    ) {
        self.is_urgent = false;
        self.due_ms = None;
        let count = self.doomed.len().min(DOOMED_PER_TURN_MAX);
        for doomed in self.doomed.drain(..count) {
            let Doomed { consumer, message, is_counted } = doomed;
            self.turn.settled.push((consumer, message));
            if is_counted {
                self.log.release(message);
            }
        }
        while let Some((behind, waiter)) = self.told_then.pop_front() {
            if count < behind {
                self.told_then.push_front((behind, waiter));
                break;
            }
            self.turn.waiters.push(waiter);
        }
        for (behind, _) in &mut self.told_then {
            *behind = behind.saturating_sub(count);
        }
        self.log.trim(limits, &mut self.turn.trimmed);
        if self.turn.is_empty() {
            return;
        }
        let mut turn = std::mem::take(&mut self.turn);
        let record = |id: &u32| {
            let consumer = self.consumers.get(id)?;
            Some((*id, consumer.planned(), consumer.record().written()))
        };
        let records = turn.consumers.iter().filter_map(record).collect();
        let values = turn.retained.iter();
        let values = values.map(|key| (key.clone(), value(&key.0, &key.1))).collect();
        turn.finish(self.log.next(), records, values);
        let names: Vec<_> = turn.messages.iter().filter_map(|fresh| fresh.name).collect();
        let created = turn.created.clone();
        let ticket = self.outstanding.commit(turn, monotonic_ms);
        for id in created {
            if let Some(consumer) = self.consumers.get_mut(&id) {
                consumer.made_by = Some(Unsettled::At(ticket));
            }
        }
        for name in names {
            self.unsettled.insert(name, Unsettled::At(ticket));
        }
    }

    /// Where a message is that its publisher gave this id, if it is not stored and not forgotten.
    pub(crate) fn unsettled(&self, publisher: Publisher, id: MessageId) -> Option<Unsettled> {
        self.unsettled.get(&(publisher, id)).copied()
    }

    /// It is stored.
    pub(crate) fn settle_name(&mut self, name: (Publisher, MessageId)) {
        self.unsettled.remove(&name);
    }

    /// It is not, though live subscribers have it. Of too many some are forgotten.
    pub(crate) fn fail_name(&mut self, name: (Publisher, MessageId)) {
        if UNSTORED_IDS_MAX <= self.unsettled.len() {
            let failed = |(_, state): &(&_, &Unsettled)| **state == Unsettled::Failed;
            let found = self.unsettled.iter().find(failed).map(|(name, _)| *name);
            if let Some(found) = found {
                self.unsettled.remove(&found);
            }
        }
        self.unsettled.insert(name, Unsettled::Failed);
    }

    /// Has somebody told when the turn with this message is on the disk.
    pub(crate) fn wait_with(&mut self, where_it_is: Unsettled, waiter: Waiter) -> bool {
        let turn = match where_it_is {
            Unsettled::Gathered => Some(&mut self.turn),
            Unsettled::At(ticket) => self.outstanding.turn(ticket),
            Unsettled::Failed => None,
        };
        turn.map(|turn| turn.waiters.push(waiter)).is_some()
    }

    /// A message did not get to the store.
    pub(crate) fn lose(&mut self, fresh: &Fresh) {
        self.log.forget(fresh.message);
        for id in &fresh.consumers {
            if let Some(consumer) = self.consumers.get_mut(id) {
                consumer.expect_no_more(fresh.bytes);
                consumer.counts.refused += 1;
            }
        }
        if let Some(name) = fresh.name {
            self.fail_name(name);
        }
    }

    /// A message got there: it waits for its consumers. Whether a consumer is there no longer.
    pub(crate) fn arrive(&mut self, fresh: &Fresh) {
        for id in &fresh.consumers {
            match self.consumers.get_mut(id) {
                Some(consumer) => {
                    consumer.expect_no_more(fresh.bytes);
                    consumer.push_new(fresh.message, fresh.bytes);
                }
                None => {
                    let (consumer, message) = (*id, fresh.message);
                    self.doomed.push_back(Doomed { consumer, message, is_counted: true });
                }
            }
        }
        // It may have expired on its way.
        self.log.watch(fresh.message);
        if let Some(name) = fresh.name {
            self.settle_name(name);
        }
    }

    /// A consumer is done with a message. Whether it had it.
    pub(crate) fn settle(&mut self, id: u32, message: u64) -> bool {
        let bytes = self.bytes_of(message);
        let Some(consumer) = self.consumers.get_mut(&id) else { return false };
        if !consumer.settle(message, bytes) {
            return false;
        }
        self.log.release(message);
        self.turn.settled.push((id, message));
        true
    }

    /// A message is given up.
    pub(crate) fn give_up(&mut self, id: u32, message: u64, reason: Reason) {
        let bytes = self.bytes_of(message);
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        if !consumer.settle(message, bytes) {
            return;
        }
        consumer.dead.insert(message);
        self.turn.dead.push((id, message, reason));
        if DEAD_LETTERS_MAX < consumer.dead.len()
            && let Some(oldest) = consumer.dead.pop_first()
        {
            self.turn.buried.push((id, oldest));
            self.log.release(oldest);
        }
        self.is_urgent = true;
    }

    pub(crate) fn bytes_of(&self, message: u64) -> usize {
        self.log.get(message).map_or(0, |entry| entry.bytes as usize)
    }

    /// Settles what has expired. Whether there was something.
    pub(crate) fn expire(&mut self, unix_ms: u64) -> bool {
        let mut any = false;
        // As many as a turn writes: the rest comes with the next.
        for _ in 0..DOOMED_PER_TURN_MAX {
            let Some(message) = self.log.take_expired(unix_ms) else { break };
            if self.log.is_mail(message) {
                self.log.forget(message);
                self.turn.trimmed.push(message);
                any = true;
                continue;
            }
            let ids: Vec<u32> = self.consumers.keys().copied().collect();
            for id in ids {
                if self.settle(id, message) {
                    any = true;
                    if let Some(consumer) = self.consumers.get_mut(&id) {
                        consumer.counts.expired += 1;
                    }
                }
            }
        }
        self.is_urgent |= any;
        any
    }

    /// When something expires next.
    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.log.next_expiry_ms()
    }

    /// Has everything that waits for a consumer, or its dead letters, removed. How many there are.
    pub(crate) fn purge(&mut self, id: u32, dead: bool) -> usize {
        let Some(consumer) = self.consumers.get_mut(&id) else { return 0 };
        if dead {
            let dead = std::mem::take(&mut consumer.dead);
            for message in &dead {
                self.log.release(*message);
                self.turn.buried.push((id, *message));
            }
            return dead.len();
        }
        let all = consumer.all();
        for message in &all {
            let bytes = self.log.get(*message).map_or(0, |entry| entry.bytes as usize);
            consumer.settle(*message, bytes);
            let doomed = Doomed { consumer: id, message: *message, is_counted: true };
            self.doomed.push_back(doomed);
        }
        all.len()
    }

    /// Whether there is something for the store.
    pub(crate) fn has_asks(&self) -> bool {
        self.may_close() || self.outstanding.has_asks()
    }

    /// Whether the turn that was gathered should go to the store, which has not too much already.
    pub(crate) fn may_close(&self) -> bool {
        self.is_urgent && self.outstanding.bytes() < OUTSTANDING_BYTES_MAX
    }

    /// All who wait for the store.
    pub(crate) fn take_waiters(&mut self) -> Vec<Waiter> {
        let mut waiters = self.outstanding.take_waiters();
        waiters.append(&mut self.turn.waiters);
        waiters.extend(self.told_then.drain(..).map(|(_, waiter)| waiter));
        waiters
    }

    /// Whether as much waits as there may be.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        let (messages, bytes) = self.log.waiting();
        limits.stored_messages_max <= messages || limits.stored_bytes_max <= bytes
    }

    /// Takes over what happened in a turn that did not get to the store, as far as it still holds.
    pub(crate) fn redo(&mut self, mut failed: Turn) {
        failed.again.retain(|(id, message, _)| {
            self.consumers.get(id).is_some_and(|consumer| consumer.has(*message))
        });
        failed.dead.retain(|(id, message, _)| {
            self.consumers.get(id).is_some_and(|consumer| consumer.dead.contains(message))
        });
        self.turn.redo(failed);
    }

    /// Has somebody told once all that was purged is gone.
    pub(crate) fn tell_when_gone(&mut self, waiter: Waiter) {
        self.told_then.push_back((self.doomed.len(), waiter));
        self.is_urgent = true;
    }

    /// Whether more is to be removed than one turn takes.
    pub(crate) fn has_doomed(&self) -> bool {
        !self.doomed.is_empty()
    }

    /// Takes over what the store had.
    pub(crate) fn take_over(
        &mut self,
        log: Log,
        next_consumer: u32,
        orphans: impl IntoIterator<Item = (u32, u64)>,
        mail_until_ms: u64,
    ) {
        self.log = log;
        self.log.expire_mail_by(mail_until_ms);
        self.next_consumer = next_consumer;
        let doomed = |(consumer, message)| Doomed { consumer, message, is_counted: false };
        self.doomed.extend(orphans.into_iter().map(doomed));
        self.is_urgent |= self.has_doomed();
    }

    /// When a message was published.
    pub(crate) fn sent_at_ms(&self, message: u64) -> Option<u64> {
        self.log.get(message).map(|entry| entry.sent_at_ms)
    }

    /// The last message there is.
    pub(crate) fn last(&self) -> u64 {
        self.log.next().saturating_sub(1)
    }

    /// The first message there is from this one on.
    pub(crate) fn first_from(&self, message: u64) -> Option<u64> {
        self.log.from(message).next()
    }

    pub(crate) fn new_consumer(&mut self) -> u32 {
        self.next_consumer += 1;
        self.next_consumer
    }

    /// A consumer is there no more.
    pub(crate) fn remove(&mut self, id: u32) -> Option<Consumer> {
        let consumer = self.consumers.remove(&id)?;
        self.names.remove(&consumer.name);
        self.turn.consumers.remove(&id);
        self.turn.removed.push(id);
        self.is_urgent = true;
        Some(consumer)
    }

    /// A message of the history waits for a consumer, if it doesn't yet.
    pub(crate) fn replay(&mut self, id: u32, message: u64) -> bool {
        let Some(entry) = self.log.get(message) else { return false };
        let Some(consumer) = self.consumers.get_mut(&id) else { return false };
        if !consumer.push(message, entry.bytes as usize) {
            return false;
        }
        self.log.add(message, Entry { references: 1, ..entry });
        self.log.watch(message);
        self.turn.again.push((id, message, waiting_record(entry).written()));
        true
    }

    /// Messages in the store: how many wait, their bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.log.waiting()
    }

    /// What to read to get from one message to another.
    pub(crate) fn messages_scan(first: u64, last: u64, bytes_max: usize) -> Scan {
        Scan {
            from: message_key(first).to_vec(),
            to: Some(message_key(last.saturating_add(1)).to_vec()),
            records_max: usize::MAX,
            bytes_max,
        }
    }

    /// The number in a message's key.
    pub(crate) fn message_of(key: &[u8]) -> Option<u64> {
        layout::parts(key).map(|(_, message)| message)
    }
}

impl Consumer {
    fn record(&self) -> ConsumerRecord<'_> {
        ConsumerRecord {
            name: self.name.as_str().into(),
            pattern: self.pattern.as_str().into(),
            created_ms: self.created_ms,
            offered: self.planned(),
            is_replaying: self.is_replaying,
        }
    }
}

/// When a message is given up that nobody fetched.
fn expiry(delivery: &Delivery<'_>) -> u64 {
    let last = delivery.sent_at_ms.saturating_add(crate::limits::STORED_MS_MAX);
    delivery.expires_at_ms.map_or(last, |own| own.min(last))
}

fn waiting_record(entry: Entry) -> WaitingRecord {
    let Entry { bytes, expires_at_ms, sent_at_ms, .. } = entry;
    WaitingRecord { bytes, expires_at_ms, sent_at_ms }
}

/// The refusal while the disk does not answer.
pub(crate) fn stalled() -> Refusal {
    let text = "not stored, though live subscribers have it: the disk has not answered for \
                seconds; publish it again, with the same id, once it does";
    Refusal::new(Code::NotStored, text)
}
