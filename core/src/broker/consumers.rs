//! Consumers: how they come and go, and what they are delivered.
//!
//! A durable subscription is a connection's part in a consumer. The consumer's pattern stands in
//! the index like any other's, so that a publish that nobody has stored costs nothing; what it
//! finds there is not a client but the consumer.
//!
//! Delivery is pulled, not pushed: while a connection has room, what comes next is read from the
//! store. What has just been stored, and is next, goes without that way.

use super::Broker;
use super::client::ClientId;
use super::durable::no_store;
use crate::clock::Now;
use crate::durable::{
    Consumer, Durable, Fresh, Loaded, Member, Reading, Reason, Replay, Unsettled, Waiter, Want,
    read_message, succeeded,
};
use crate::index::{Role, Target};
use crate::limits::{
    CONSUMER_MEMBERS_MAX, DURABLE_PER_CLIENT_MAX, MAIL_MS_MAX, SCAN_BYTES_MAX, STORE_AGAIN_MS_MAX,
};
use crate::parcels::Single;
use kith_store::{Failure, Page, Record};
use kith_wire::{
    Code, Delivery, MessageId, Pattern, Refusal, RequestNumber, Scope, ScopeSelector, Since,
    Subscribe, is_reserved,
};
use std::num::NonZeroU32;

impl Broker {
    /// Has a store from now on, with this name, and what is in it. Returns how many kept values
    /// there are that the limits leave no room for.
    pub fn attach_store(&mut self, now: Now, name: &'static str, loaded: Loaded) -> usize {
        let mut left_out = 0;
        let next = loaded.next_consumer();
        self.durable.store = Some(name);
        let Loaded { consumers, log, retained, ids, orphans, trimmed, .. } = loaded;
        self.durable.turn.trimmed.extend(trimmed);
        // When it came is not on the disk; so a week begins anew, within the message's own expiry.
        let mail_until_ms = now.unix_ms.saturating_add(MAIL_MS_MAX);
        self.durable.take_over(log, next, orphans, mail_until_ms);
        for (id, found) in consumers {
            let Ok(pattern) = Pattern::new(found.pattern.clone()) else { continue };
            let key = self.index.insert(&pattern, Role::Durable, id, 0);
            self.durable.names.insert(found.name.clone(), id);
            self.durable.consumers.insert(id, found.consumer(key));
        }
        for kept in retained {
            let is_current = kept.expires_at_ms.is_none_or(|at| now.unix_ms < at);
            let limits = &self.queues.limits;
            if !is_current {
                let key = (kept.topic.to_string(), kept.protocol.to_string());
                self.durable.turn.retained.insert(key);
            } else if self.retained.admit(&kept, None, limits, now.unix_ms).is_ok() {
                self.retained.set(kept, None);
            } else {
                // They stay on the disk: the limit may be raised again.
                left_out += 1;
            }
        }
        self.remembered.recall(&ids, now.monotonic_ms);
        let next = self.durable.next_expiry_ms();
        self.durable.look_for_expired(now, next);
        left_out
    }

    /// Subscribes as one of a consumer's connections; the consumer is made if it is not there.
    pub(super) fn subscribe_durable(
        &mut self,
        now: Now,
        id: ClientId,
        asked: &Subscribe<'_>,
        name: &str,
    ) -> Result<(), Refusal> {
        self.check_durable(id, name)?;
        let has = self.client(id).map_or(0, |client| client.durable.len());
        if DURABLE_PER_CLIENT_MAX <= has {
            let text = format!("a connection has at most {has} durable subscriptions");
            return Err(Refusal::new(Code::QuotaSubscriptions, text));
        }
        let pattern = asked.pattern.to_string();
        let known = self.durable.names.get(name).copied();
        let consumer = match known {
            Some(consumer) => {
                let other = self.durable.consumers.get(&consumer).map(|one| one.pattern.as_str());
                if let Some(other) = other.filter(|other| *other != pattern) {
                    let text = format!(
                        "the durable subscription `{name}` is for `{other}`, not `{pattern}`: take \
                         another name, or `kith consumers remove {name}`"
                    );
                    return Err(Refusal::new(Code::DurableConflict, text));
                }
                let members = self.durable.consumers.get(&consumer).map(|one| one.members.len());
                if members.is_some_and(|members| CONSUMER_MEMBERS_MAX <= members) {
                    let text = format!(
                        "{CONSUMER_MEMBERS_MAX} connections share the durable subscription \
                         `{name}`, as many as may"
                    );
                    return Err(Refusal::new(Code::QuotaSubscriptions, text));
                }
                consumer
            }
            None => self.make_consumer(now, name, &asked.pattern)?,
        };
        if let Some(client) = self.queues.get(id) {
            client.durable.insert(asked.number.get(), consumer);
        }
        let waiter = Waiter::Done { client: id, number: asked.number };
        match (asked.since, self.durable.first_from(0)) {
            // One that is there goes on where it is; unless it was to have what was before it, and
            // the daemon ended over that.
            (Some(since), Some(first)) if known.is_none() || self.is_replaying(consumer) => {
                let last = self.durable.last();
                if let Some(one) = self.durable.consumers.get_mut(&consumer) {
                    one.is_reading = true;
                    one.is_replaying = true;
                    one.attach(id, asked.number.get());
                }
                let is_seeking = matches!(since, Since::After(_));
                let replay = Replay { consumer, since, first, last, waiter, is_seeking };
                self.replay_from(first, replay);
                return Ok(());
            }
            _ => {
                let made_by = self.durable.consumers.get(&consumer).and_then(|one| one.made_by);
                match made_by {
                    Some(made_by) => _ = self.wait(made_by, waiter),
                    None => self.answer_ok(id, Some(asked.number)),
                }
            }
        }
        if let Some(one) = self.durable.consumers.get_mut(&consumer) {
            one.attach(id, asked.number.get());
        }
        self.pump(consumer);
        Ok(())
    }

    /// Whether a consumer has not got all that was before it, as it was to.
    fn is_replaying(&self, id: u32) -> bool {
        let consumer = self.durable.consumers.get(&id);
        consumer.is_some_and(|consumer| consumer.is_replaying && !consumer.is_reading)
    }

    /// Whether a connection may have a durable subscription of this name.
    fn check_durable(&self, id: ClientId, name: &str) -> Result<(), Refusal> {
        if self.durable.store.is_none() {
            return Err(no_store());
        }
        if let Some(service) = self.service(id) {
            let rest = name.strip_prefix(service);
            if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) {
                let text = format!(
                    "the service `{service}` has durable subscriptions named `{service}` or \
                     `{service}:…` only, not `{name}`"
                );
                return Err(Refusal::new(Code::NotGranted, text));
            }
        }
        self.check_ask(id, "durable subscriptions")
    }

    fn make_consumer(
        &mut self,
        now: Now,
        name: &str,
        pattern: &Pattern<'_>,
    ) -> Result<u32, Refusal> {
        let consumers_max = self.queues.limits.consumers_max;
        if consumers_max <= self.durable.consumers.len() {
            let text = format!(
                "there are {consumers_max} durable subscriptions, as many as there may be: \
                 `kith consumers` shows them, and `kith consumers remove NAME` removes one"
            );
            return Err(Refusal::new(Code::QuotaSubscriptions, text));
        }
        let first = pattern.topic().split('.').next().unwrap_or_default();
        if is_reserved(first) {
            let text = format!("messages on `{first}.…` are of the moment, and not stored");
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        if pattern.scope() == ScopeSelector::Only(Scope::Public) {
            let text = "what strangers send is not stored; subscribe to `public.…` without a name";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        if self.durable.is_stalled {
            return Err(crate::durable::stalled());
        }
        let id = self.durable.new_consumer();
        let key = self.index.insert(pattern, Role::Durable, id, 0);
        let mut consumer = Consumer::new(name.to_owned(), pattern.to_string(), now.unix_ms, 0, key);
        consumer.made_by = Some(Unsettled::Gathered);
        self.durable.names.insert(name.to_owned(), id);
        self.durable.consumers.insert(id, consumer);
        self.durable.turn.consumers.insert(id);
        self.durable.turn.created.push(id);
        self.durable.is_urgent = true;
        Ok(id)
    }

    /// Takes a connection's part in a consumer back. Whether it had one.
    pub(super) fn leave_consumer(&mut self, id: ClientId, number: u32) -> bool {
        let Some(client) = self.queues.get(id) else { return false };
        let Some(consumer_id) = client.durable.remove(&number) else { return false };
        let deliveries_max = self.queues.limits.deliveries_max;
        if let Some(consumer) = self.durable.consumers.get_mut(&consumer_id) {
            consumer.detach(id, number);
            for message in consumer.failed(deliveries_max) {
                self.durable.give_up(consumer_id, message, Reason::Unacknowledged);
            }
        }
        self.pump(consumer_id);
        true
    }

    /// The same for all of a connection.
    pub(super) fn leave_consumers(&mut self, id: ClientId) {
        while let Some(number) = self.first_durable(id) {
            self.leave_consumer(id, number);
        }
    }

    fn first_durable(&self, id: ClientId) -> Option<u32> {
        self.client(id)?.durable.keys().next().copied()
    }

    /// A consumer is gone: its connections have no such subscription any more.
    pub(super) fn forget_consumer(&mut self, id: u32) {
        self.durable.purge(id, false);
        self.durable.purge(id, true);
        let Some(consumer) = self.durable.remove(id) else { return };
        self.index.remove(consumer.key);
        for member in consumer.members {
            if let Some(client) = self.queues.get(member.client) {
                client.durable.remove(&member.number);
            }
        }
    }

    /// Looks again at what is next for consumers that a connection has a part in: it has room.
    pub(super) fn pump_client(&mut self, id: ClientId) {
        let Some(client) = self.client(id) else { return };
        if client.durable.is_empty() {
            return;
        }
        let consumers: Vec<u32> = client.durable.values().copied().collect();
        for consumer in consumers {
            self.pump(consumer);
        }
    }

    /// Has what comes next for a consumer read, if it can be delivered.
    pub(super) fn pump(&mut self, id: u32) {
        let Some(consumer) = self.durable.consumers.get_mut(&id) else { return };
        let Some(want) = consumer.wants() else { return };
        let offer = match want {
            Want::Offer(offer) => Some(offer),
            Want::Read(_, last) => consumer.offer_ahead(last),
        };
        if let Some(offer) = offer {
            consumer.plan(offer);
            self.durable.turn.consumers.insert(id);
            self.durable.is_urgent = true;
        }
        let Want::Read(first, last) = want else { return };
        let has_room = |member: &Member| {
            let client = self.queues.clients.get(member.client.place());
            client.is_some_and(|client| self.queues.has_room(client))
        };
        if !consumer.members.iter().any(has_room) {
            // When it was written to, it is looked again.
            return;
        }
        consumer.is_reading = true;
        let scan = Durable::messages_scan(first, last, SCAN_BYTES_MAX);
        self.durable.outstanding.scan(Reading::Deliver { consumer: id, first, last }, scan);
    }

    /// The store has read.
    pub fn scanned(&mut self, now: Now, ticket: u64, answer: Result<Page, Failure>) {
        match self.durable.outstanding.take_scan(ticket) {
            Some(Reading::Deliver { consumer, first, last }) => {
                if let Some(one) = self.durable.consumers.get_mut(&consumer) {
                    one.is_reading = false;
                }
                match answer {
                    Ok(page) => self.deliver_page(now, consumer, first, last, &page),
                    Err(failure) => {
                        self.durable.failing = Some(failure.to_string());
                        self.look_again(now);
                    }
                }
            }
            Some(Reading::Replay(replay)) => self.replay_page(&replay, answer),
            None => {}
        }
    }

    fn deliver_page(&mut self, now: Now, id: u32, first: u64, last: u64, page: &Page) {
        let mut records = page.records.iter().peekable();
        let next = page.next.as_deref().and_then(Durable::message_of);
        let end = next.map_or(last, |next| next.saturating_sub(1));
        let Some(consumer) = self.durable.consumers.get(&id) else { return };
        for message in consumer.waiting_between(first, end) {
            let is_before = |record: &&Record| {
                Durable::message_of(&record.key).is_some_and(|found| found < message)
            };
            while records.next_if(is_before).is_some() {}
            let found = records.next_if(|record| Durable::message_of(&record.key) == Some(message));
            let stored = found.and_then(|record| read_message(&record.value));
            let Some(stored) = stored else {
                // Nobody will ever read it, and others wait behind it.
                self.durable.give_up(id, message, Reason::Damaged);
                continue;
            };
            if !self.deliver_stored(now, id, message, stored.delivery) {
                // There is no room; it is read again when there is.
                return;
            }
        }
        self.announce_lags(now);
        self.pump(id);
    }

    /// Delivers what has just been stored, if it is next.
    pub(super) fn deliver_fresh(&mut self, now: Now, id: u32, fresh: &Fresh, record: &[u8]) {
        let consumer = self.durable.consumers.get(&id);
        if consumer.is_some_and(|consumer| consumer.takes(fresh.message, fresh.bytes))
            && let Some(stored) = read_message(record)
        {
            self.deliver_stored(now, id, fresh.message, stored.delivery);
        }
    }

    /// Delivers a message to one of a consumer's connections. Whether one had room.
    fn deliver_stored(
        &mut self,
        now: Now,
        id: u32,
        message: u64,
        mut delivery: Delivery<'_>,
    ) -> bool {
        if delivery.expires_at_ms.is_some_and(|at| at <= now.unix_ms) {
            self.durable.settle(id, message);
            if let Some(consumer) = self.durable.consumers.get_mut(&id) {
                consumer.counts.expired += 1;
            }
            return true;
        }
        let bytes = self.durable.bytes_of(message);
        let lease_ms = self.queues.limits.lease_ms;
        let Some(consumer) = self.durable.consumers.get_mut(&id) else { return false };
        if !consumer.has_room(bytes) {
            return false;
        }
        let message_id = delivery.message_id;
        delivery.attempt = NonZeroU32::new(consumer.attempt(message));
        let mut single = Single::new(delivery);
        for member in consumer.in_turn() {
            let target = Target {
                client: u32::try_from(member.client.place()).unwrap_or(u32::MAX),
                number: member.number,
                group: crate::index::NONE,
            };
            if self.queues.offer_single(target, &mut single) {
                consumer.fly(message, message_id, member, now.monotonic_ms, bytes);
                single.recycle(&mut self.queues.buffers);
                self.work += 1;
                self.durable.look_for_leases(now.monotonic_ms.saturating_add(lease_ms));
                return true;
            }
        }
        single.recycle(&mut self.queues.buffers);
        // Where its connections have read all and others hold the memory, nobody would say that
        // there is room again.
        self.look_again(now);
        false
    }

    /// Looks in a while whether there is something for a consumer.
    fn look_again(&mut self, now: Now) {
        self.durable.look_for_leases(now.monotonic_ms.saturating_add(STORE_AGAIN_MS_MAX));
    }

    fn replay_from(&mut self, first: u64, replay: Replay) {
        let scan = Durable::messages_scan(first, replay.last, SCAN_BYTES_MAX);
        self.durable.outstanding.scan(Reading::Replay(replay), scan);
    }

    fn replay_page(&mut self, replay: &Replay, answer: Result<Page, Failure>) {
        let Replay { consumer: id, since, first, waiter, is_seeking, .. } = *replay;
        let end = |broker: &mut Self| {
            if let Some(consumer) = broker.durable.consumers.get_mut(&id) {
                consumer.is_reading = false;
            }
        };
        let page = match answer {
            Ok(page) => page,
            Err(failure) => {
                let text = format!("what was before can't be read: {failure}");
                self.fail_replay(replay, &Refusal::new(Code::NotStored, text));
                return;
            }
        };
        let next = page.next.as_deref().and_then(Durable::message_of);
        if is_seeking {
            match (find(&page, since), next) {
                (Some(found), _) => {
                    let behind = Replay { since: Since::Start, is_seeking: false, ..*replay };
                    self.replay_from(found.saturating_add(1), behind);
                }
                (None, Some(next)) => self.replay_from(next, *replay),
                // It is not there any more; ids tell about when it was.
                (None, None) => self.replay_from(first, Replay { is_seeking: false, ..*replay }),
            }
            return;
        }
        let found = self.durable.consumers.get(&id).map(|one| Pattern::new(one.pattern.clone()));
        let Some(Ok(pattern)) = found else {
            let text = "the durable subscription is there no more";
            self.fail_replay(replay, &Refusal::new(Code::NotStored, text));
            return;
        };
        for record in &page.records {
            let found = Durable::message_of(&record.key).zip(read_message(&record.value));
            let Some((message, stored)) = found else { continue };
            let Delivery { sent_at_ms, message_id, .. } = stored.delivery;
            let is_asked_for = is_since(since, sent_at_ms, message_id);
            if !is_asked_for || !matches(&pattern, &stored.delivery) {
                continue;
            }
            if self.durable.is_full(&self.queues.limits) {
                let text = "as much waits for durable subscriptions as there may be; what was \
                            before does not fit";
                self.fail_replay(replay, &Refusal::new(Code::QuotaStored, text));
                return;
            }
            self.durable.replay(id, message);
        }
        self.durable.is_urgent = true;
        match next {
            Some(next) => self.replay_from(next, *replay),
            None => {
                end(self);
                if let Some(consumer) = self.durable.consumers.get_mut(&id) {
                    consumer.is_replaying = false;
                    self.durable.turn.consumers.insert(id);
                }
                self.wait(Unsettled::Gathered, waiter);
                self.pump(id);
            }
        }
    }

    /// A consumer does not get what was before it, and whoever asked is told; it can ask again.
    fn fail_replay(&mut self, replay: &Replay, refusal: &Refusal) {
        let waiter = &replay.waiter;
        if let Some(consumer) = self.durable.consumers.get_mut(&replay.consumer) {
            consumer.is_reading = false;
        }
        self.leave_consumer(waiter.client(), waiter.number().map_or(0, NonZeroU32::get));
        self.refuse(waiter.client(), waiter.number(), refusal, None);
    }

    /// A client that said goodbye goes.
    pub(super) fn leave(&mut self, id: ClientId, number: Option<RequestNumber>) {
        self.queues.set_will(id, None);
        if let Some(client) = self.queues.get(id) {
            client.said_goodbye = true;
        }
        self.close(id);
        if let Some(number) = number {
            self.queues.answer(id, &succeeded(number, None, false, None));
        }
    }
}

/// The message with the id after which somebody wants all.
fn find(page: &Page, since: Since) -> Option<u64> {
    let Since::After(id) = since else { return None };
    let is_it = |record: &&Record| {
        read_message(&record.value).is_some_and(|stored| stored.delivery.message_id == id)
    };
    Durable::message_of(&page.records.iter().find(is_it)?.key)
}

/// Whether a message is one of those that are asked for.
pub(super) fn is_since(since: Since, sent_at_ms: u64, message_id: MessageId) -> bool {
    match since {
        Since::Start => true,
        Since::Time(ms) => ms <= sent_at_ms,
        Since::After(id) => id < message_id,
    }
}

fn matches(pattern: &Pattern<'_>, delivery: &Delivery<'_>) -> bool {
    let Delivery { protocol, scope, topic, .. } = delivery;
    pattern.matches(protocol, Scope::clone(scope), topic.as_str())
}
