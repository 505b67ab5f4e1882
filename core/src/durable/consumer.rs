//! One consumer: what waits for it, and what was delivered and is not acknowledged.
//!
//! A consumer has a name and a pattern, and any number of connections, which share its messages.
//! It gets them in the order in which they were stored, no more at a time than a window holds. One
//! that is not acknowledged within the lease, or whose connection ends, waits again at its place;
//! then it is marked as one that may have been delivered before.
//!
//! A lease counts from the last acknowledgement of its connection, if that came after the delivery:
//! who handles one message after the other, each in time, keeps all that it was given. And only the
//! first of those that a connection had is held against that message: the others waited for it.
//!
//! A restart forgets who had what. So before anything is delivered, the store knows up to which
//! message that may have happened (`offered`): all up to there are marked afterwards.

use super::Unsettled;
use crate::broker::ClientId;
use crate::index::SubscriptionKey;
use crate::limits::{CONSUMER_WINDOW_BYTES_MAX, CONSUMER_WINDOW_MAX, OFFERED_AHEAD_MAX};
use kith_wire::MessageId;
use std::collections::{BTreeMap, BTreeSet};

/// One consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) name: String,
    pub(crate) pattern: String,
    pub(crate) created_ms: u64,
    /// Of its pattern.
    pub(crate) key: SubscriptionKey,
    pub(crate) members: Vec<Member>,
    turn: usize,
    waiting: BTreeMap<u64, Past>,
    waiting_bytes: usize,
    flying: BTreeMap<u64, Flight>,
    flying_bytes: usize,
    /// Messages on their way to the store, and their bytes.
    coming: (usize, usize),
    /// What was delivered since the start and not acknowledged, also if it waits again.
    known: BTreeSet<(MessageId, u64)>,
    /// Messages up to here may have been delivered before, as the store knows.
    offered: u64,
    /// The same, as the store was told. It only rises, also if that did not get there: what the
    /// store is told later must not be less than what it may have.
    planned: u64,
    /// The store was asked for what waits.
    pub(crate) is_reading: bool,
    /// It was to get what was before it, and has not got all of it.
    pub(crate) is_replaying: bool,
    /// The turn that makes it, until that is on the disk.
    pub(crate) made_by: Option<Unsettled>,
    pub(crate) dead: BTreeSet<u64>,
    pub(crate) counts: Counts,
}

/// A connection's subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) client: ClientId,
    pub(crate) number: u32,
    acknowledged_ms: u64,
}

/// What happened to a message before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Past {
    /// How often it was delivered.
    attempts: u32,
    /// How often it was the first that was not acknowledged.
    failures: u32,
    message_id: Option<MessageId>,
}

#[derive(Debug)]
struct Flight {
    past: Past,
    client: ClientId,
    number: u32,
    since_ms: u64,
    bytes: usize,
}

/// What a consumer did, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) redelivered: u64,
    pub(crate) acknowledged: u64,
    pub(crate) expired: u64,
    /// Messages that could not be stored for it.
    pub(crate) refused: u64,
}

/// What a consumer needs before the next delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The store has to know that messages up to here may have been delivered.
    Offer(u64),
    /// Messages: the first and the last of them.
    Read(u64, u64),
}

impl Consumer {
    pub(crate) fn new(
        name: String,
        pattern: String,
        created_ms: u64,
        offered: u64,
        key: SubscriptionKey,
    ) -> Self {
        Self {
            name,
            pattern,
            created_ms,
            key,
            members: Vec::new(),
            turn: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            flying: BTreeMap::new(),
            flying_bytes: 0,
            coming: (0, 0),
            known: BTreeSet::new(),
            offered,
            planned: offered,
            is_reading: false,
            is_replaying: false,
            made_by: None,
            dead: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// What the store should know, if that is more than it was told.
    pub(crate) fn planned(&self) -> u64 {
        self.planned
    }

    pub(crate) fn plan(&mut self, offered: u64) {
        self.planned = self.planned.max(offered);
    }

    /// The store knows it.
    pub(crate) fn offered(&mut self, offered: u64) {
        self.offered = self.offered.max(offered);
    }

    /// How far ahead of a message that is being stored the store has to be told, if it has to.
    pub(crate) fn offer_for(&self, message: u64) -> Option<u64> {
        let is_due = !self.members.is_empty() && self.planned < message;
        is_due.then(|| message.saturating_add(OFFERED_AHEAD_MAX / 4))
    }

    pub(crate) fn attach(&mut self, client: ClientId, number: u32) {
        self.members.push(Member { client, number, acknowledged_ms: 0 });
    }

    /// Takes a connection out; what it had waits again.
    pub(crate) fn detach(&mut self, client: ClientId, number: u32) {
        self.members.retain(|member| member.client != client || member.number != number);
        let had = |flight: &Flight| flight.client == client && flight.number == number;
        let returned: Vec<u64> =
            self.flying.iter().filter(|(_, flight)| had(flight)).map(|(at, _)| *at).collect();
        for (index, message) in returned.into_iter().enumerate() {
            self.land(message, index == 0);
        }
    }

    fn land(&mut self, message: u64, is_first: bool) {
        let Some(flight) = self.flying.remove(&message) else { return };
        self.flying_bytes = self.flying_bytes.saturating_sub(flight.bytes);
        let mut past = flight.past;
        past.failures += u32::from(is_first);
        self.waiting_bytes += flight.bytes;
        self.waiting.insert(message, past);
    }

    /// A message waits.
    pub(crate) fn push(&mut self, message: u64, bytes: usize) -> bool {
        if self.has(message) {
            return false;
        }
        let attempts = u32::from(message <= self.offered);
        self.waiting.insert(message, Past { attempts, ..Past::default() });
        self.waiting_bytes += bytes;
        true
    }

    /// The same for one that has just been stored: whether it was never offered is known.
    pub(crate) fn push_new(&mut self, message: u64, bytes: usize) {
        self.waiting.insert(message, Past::default());
        self.waiting_bytes += bytes;
    }

    /// A message is on its way to the store.
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.coming.0 += 1;
        self.coming.1 += bytes;
    }

    /// It has got there, or not.
    pub(crate) fn expect_no_more(&mut self, bytes: usize) {
        self.coming.0 = self.coming.0.saturating_sub(1);
        self.coming.1 = self.coming.1.saturating_sub(bytes);
    }

    /// All that counts against what may wait: messages and bytes.
    pub(crate) fn load(&self) -> (usize, usize) {
        let messages = self.waiting.len() + self.flying.len() + self.coming.0;
        (messages, self.bytes() + self.coming.1)
    }

    /// Whether this message is the next, and may be delivered at once.
    pub(crate) fn takes(&self, message: u64, bytes: usize) -> bool {
        let is_next = self.waiting.first_key_value().is_some_and(|(first, _)| *first == message);
        is_next && !self.is_reading && message <= self.offered && self.has_room(bytes)
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        // A message that is larger than the window goes alone.
        let fits = self.flying_bytes + bytes <= CONSUMER_WINDOW_BYTES_MAX;
        self.flying.is_empty() || (fits && self.flying.len() < CONSUMER_WINDOW_MAX)
    }

    /// Whether it waits for a message, or has it and has not acknowledged it.
    pub(crate) fn has(&self, message: u64) -> bool {
        self.waiting.contains_key(&message) || self.flying.contains_key(&message)
    }

    /// The messages that wait between these, both included.
    pub(crate) fn waiting_between(&self, first: u64, last: u64) -> Vec<u64> {
        self.waiting.range(first..=last).map(|(message, _)| *message).collect()
    }

    /// What is needed before something can be delivered, if something could be.
    pub(crate) fn wants(&self) -> Option<Want> {
        let first = *self.waiting.first_key_value()?.0;
        if self.members.is_empty() || self.is_reading {
            return None;
        }
        let room = CONSUMER_WINDOW_MAX.saturating_sub(self.flying.len());
        let is_worth_it = self.flying.is_empty()
            || (self.waiting.len().min(CONSUMER_WINDOW_MAX / 2) <= room
                && self.flying_bytes <= CONSUMER_WINDOW_BYTES_MAX / 2);
        if !is_worth_it || room == 0 {
            return None;
        }
        if self.offered < first {
            let is_asked = first <= self.planned;
            return (!is_asked).then(|| Want::Offer(first.saturating_add(OFFERED_AHEAD_MAX)));
        }
        // Others' messages may stand between: then few are read at a time.
        let mut last = first;
        for (count, message) in self.waiting.keys().copied().take(room).enumerate() {
            let span = message.saturating_sub(first);
            if self.offered < message || 4 * (count as u64 + 16) < span {
                break;
            }
            last = message;
        }
        Some(Want::Read(first, last))
    }

    /// How much further than what waits the store should be told while it is read, so that reading
    /// need not wait for it.
    pub(crate) fn offer_ahead(&self, last: u64) -> Option<u64> {
        let wanted = last.saturating_add(OFFERED_AHEAD_MAX);
        let newest = self.waiting.last_key_value().map_or(0, |(message, _)| *message);
        let is_due = self.planned < newest && self.planned < last + OFFERED_AHEAD_MAX / 2;
        is_due.then_some(wanted)
    }

    /// The connections, the one first whose turn it is.
    pub(crate) fn in_turn(&mut self) -> Vec<Member> {
        self.turn = self.turn.wrapping_add(1);
        let mut members = self.members.clone();
        if !members.is_empty() {
            let first = self.turn % members.len();
            members.rotate_left(first);
        }
        members
    }

    /// With which attempt a message would be delivered now.
    pub(crate) fn attempt(&self, message: u64) -> u32 {
        self.waiting.get(&message).map_or(0, |past| past.attempts).saturating_add(1)
    }

    /// A message was delivered to a connection.
    pub(crate) fn fly(
        &mut self,
        message: u64,
        message_id: MessageId,
        to: Member,
        now_ms: u64,
        bytes: usize,
    ) {
        let Some(mut past) = self.waiting.remove(&message) else { return };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        self.counts.delivered += 1;
        self.counts.redelivered += u64::from(past.attempts > 0);
        past.attempts = past.attempts.saturating_add(1);
        past.message_id = Some(message_id);
        self.known.insert((message_id, message));
        let Member { client, number, .. } = to;
        self.flying_bytes += bytes;
        self.flying.insert(message, Flight { past, client, number, since_ms: now_ms, bytes });
    }

    /// The message with this id that was delivered and is acknowledged now.
    pub(crate) fn acknowledge(
        &mut self,
        message_id: MessageId,
        client: ClientId,
        now_ms: u64,
    ) -> Option<u64> {
        let from = (message_id, 0);
        let (found, message) = *self.known.range(from..).next()?;
        if found != message_id {
            return None;
        }
        self.counts.acknowledged += 1;
        for member in self.members.iter_mut().filter(|member| member.client == client) {
            member.acknowledged_ms = now_ms;
        }
        Some(message)
    }

    /// Forgets a message, wherever it is. `bytes`: of its record. Whether it was there.
    pub(crate) fn settle(&mut self, message: u64, bytes: usize) -> bool {
        let (past, was_waiting) = match self.flying.remove(&message) {
            Some(flight) => {
                self.flying_bytes = self.flying_bytes.saturating_sub(flight.bytes);
                (Some(flight.past), false)
            }
            None => (self.waiting.remove(&message), true),
        };
        let Some(past) = past else { return false };
        if was_waiting {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        }
        if let Some(message_id) = past.message_id {
            self.known.remove(&(message_id, message));
        }
        true
    }

    /// When the next lease ends.
    pub(crate) fn next_lease_ms(&self, lease_ms: u64) -> Option<u64> {
        self.flying.values().map(|flight| self.lease_end_ms(flight, lease_ms)).min()
    }

    fn lease_end_ms(&self, flight: &Flight, lease_ms: u64) -> u64 {
        let is_its =
            |member: &&Member| member.client == flight.client && member.number == flight.number;
        let acknowledged_ms = self.members.iter().find(is_its).map_or(0, |one| one.acknowledged_ms);
        flight.since_ms.max(acknowledged_ms).saturating_add(lease_ms)
    }

    /// Has those wait again whose lease has ended. Whether there were any.
    pub(crate) fn end_leases(&mut self, now_ms: u64, lease_ms: u64) -> bool {
        let has_ended = |flight: &Flight| self.lease_end_ms(flight, lease_ms) <= now_ms;
        let ended: Vec<(u64, ClientId)> = self
            .flying
            .iter()
            .filter(|(_, flight)| has_ended(flight))
            .map(|(message, flight)| (*message, flight.client))
            .collect();
        let mut blamed = BTreeSet::new();
        for (message, client) in &ended {
            self.land(*message, blamed.insert(client.serial()));
        }
        !ended.is_empty()
    }

    /// Those that wait and have failed so often.
    pub(crate) fn failed(&self, failures_max: u32) -> Vec<u64> {
        let first = self.waiting.iter().take(CONSUMER_WINDOW_MAX);
        let has_failed = |past: &Past| failures_max <= past.failures;
        first.filter(|(_, past)| has_failed(past)).map(|(message, _)| *message).collect()
    }

    /// Everything that waits or flies.
    pub(crate) fn all(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.waiting.keys().chain(self.flying.keys()).copied().collect();
        all.sort_unstable();
        all
    }

    /// The oldest that is not acknowledged.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let waiting = self.waiting.first_key_value().map(|(message, _)| *message);
        let flying = self.flying.first_key_value().map(|(message, _)| *message);
        [waiting, flying].into_iter().flatten().min()
    }

    /// How many wait, how many were delivered and are not acknowledged.
    pub(crate) fn depth(&self) -> (usize, usize) {
        (self.waiting.len(), self.flying.len())
    }

    /// Of all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.waiting_bytes + self.flying_bytes
    }
}
