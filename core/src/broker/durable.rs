//! Durable subscriptions: what the broker does around [`Durable`].
//!
//! A publish that consumers wait for goes two ways: to live subscribers at once, and to the store.
//! Its publisher is answered when the store has. A consumer is delivered what the store has and
//! nothing else; so whatever a consumer saw is still there after a crash, or was acknowledged.
//!
//! Publishers are told "stored" by what the store has answered, and by nothing else: see
//! [`OnDisk`].

use super::client::ClientId;
use super::remembered::Publisher;
use super::{Broker, Client, Leaving, PostAsk};
use crate::clock::Now;
use crate::durable::{
    Durable, Fresh, Keep, OnDisk, Reason, StoreAsk, Turn, Unsettled, Waiter, stalled, succeeded,
    write_message,
};
use crate::limits::{
    ACKNOWLEDGED_MS_MAX, EXPIRY_LOOK_MS_MAX, MAIL_MS_MAX, RETAINED_MS_MAX, STORE_AGAIN_MS_MAX,
    STORE_STALL_MS_MAX, UNSTORED_BYTES_MAX, UNSTORED_BYTES_TOTAL_MAX,
};
use kith_store::{Failure, Receipt};
use kith_wire::binary::frame;
use kith_wire::{
    Code, Delivery, MessageId, Options, Protocol, Publication, Refusal, RequestNumber, Scope,
    Topic, Until,
};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// A publish, as far as the store is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Storing {
    pub(super) client: Option<ClientId>,
    pub(super) number: Option<RequestNumber>,
    /// Who gave the message its id, if its publisher did.
    pub(super) publisher: Option<Publisher>,
    /// Which the post calls it, if it has come from outside and is to be kept for whoever asks.
    pub(super) mail: Option<u64>,
}

impl Broker {
    /// Whether messages of this topic are stored for somebody.
    pub(super) fn is_stored(&mut self, scope: Scope, protocol: &str, topic: &str) -> bool {
        self.look_up(scope, protocol, topic);
        !self.matched.matches.durable.is_empty()
    }

    /// Refuses what can't be stored though its publisher wants it to be, before anybody has it.
    pub(super) fn check_until(&mut self, publication: &Publication<'_>) -> Result<(), Refusal> {
        let Publication { topic, protocol, options, .. } = publication;
        if options.until == Until::Accepted {
            return Ok(());
        }
        if self.durable.store.is_none() {
            return Err(no_store());
        }
        if options.retain || self.is_stored(Scope::Own, protocol.as_str(), topic.as_str()) {
            return Ok(());
        }
        let text = format!(
            "nothing stores messages on `{topic}`: no durable subscription asks for it \
             (`kith sub self.{topic} --durable NAME` makes one)"
        );
        Err(Refusal::new(Code::NoConsumers, text))
    }

    /// Has stored what was published, as far as somebody wants that. Whether its publisher is
    /// answered later.
    pub(super) fn store_published(
        &mut self,
        now: Now,
        publication: &Publication<'_>,
        message_id: MessageId,
        storing: Storing,
    ) -> Result<bool, Refusal> {
        let Publication { topic, protocol, payload, options } = publication;
        let is_forgetting = options.retain && payload.is_empty();
        let is_stored = !is_forgetting
            && !options.realtime
            && self.is_stored(Scope::Own, protocol.as_str(), topic.as_str());
        if !is_stored {
            let is_kept = options.retain;
            return Ok(is_kept && self.store_retained(now, publication, message_id, storing));
        }
        if options.retain {
            // It is written with the message, and one answer is enough.
            self.store_retained(now, publication, message_id, Storing::default());
        }
        let delivery = super::publish::delivery(now, message_id, publication);
        self.store(now, &delivery, storing)
    }

    /// Has a run stored that live subscribers have. Nobody waits for an answer; what can't be
    /// stored is told all at once.
    pub(super) fn store_run(
        &mut self,
        now: Now,
        id: ClientId,
        (topic, protocol): (&Topic<'_>, &Protocol<'_>),
        first: MessageId,
        entries: &[u8],
    ) {
        let storing = Storing { client: Some(id), ..Storing::default() };
        let (mut refused, mut last) = (0_u32, None);
        let (mut rest, mut message_id) = (entries, first);
        while let Ok(Some(entry)) = frame::split(rest, rest.len()) {
            let prefix_bytes = usize::from(entry.a) + usize::from(entry.b);
            let publication = Publication {
                topic: topic.borrow(),
                protocol: protocol.borrow(),
                payload: entry.body.get(prefix_bytes..).unwrap_or_default().into(),
                options: Options::default(),
            };
            let delivery = super::publish::delivery(now, message_id, &publication);
            if let Err(refusal) = self.store(now, &delivery, storing) {
                refused += 1;
                last = Some(refusal);
            }
            message_id = message_id.advance(1);
            rest = rest.get(entry.bytes.len()..).unwrap_or_default();
        }
        if let Some(mut refusal) = last {
            refusal.text = format!("{refused} messages on `{topic}`: {}", refusal.text);
            self.refuse(id, None, &refusal, None);
        }
    }

    /// Has a message stored that live subscribers have, for whom it waits. Whether its publisher is
    /// answered later.
    pub(super) fn store(
        &mut self,
        now: Now,
        delivery: &Delivery<'_>,
        storing: Storing,
    ) -> Result<bool, Refusal> {
        let Storing { client, number, publisher, mail } = storing;
        let mail = mail.map(|ticket| (ticket, now.unix_ms.saturating_add(MAIL_MS_MAX)));
        let consumers = self.matched.matches.durable.clone();
        let keep = Keep { delivery, publisher, client, consumers, mail };
        let bytes = match self.durable.keep(&self.queues.limits, keep) {
            Ok(bytes) => bytes,
            Err(refusal) => {
                if let Some(publisher) = publisher {
                    self.durable.fail_name((publisher, delivery.message_id));
                }
                return Err(refusal);
            }
        };
        self.work += 2;
        let is_waited_for = number.is_some() || self.durable.is_wanted_now();
        self.durable.is_urgent |= is_waited_for;
        if !is_waited_for {
            self.durable.due_by(now.monotonic_ms.saturating_add(ACKNOWLEDGED_MS_MAX));
        }
        let mail_ms = mail.map(|(_, until_ms)| until_ms);
        self.durable.look_for_expired(now, delivery.expires_at_ms.or(mail_ms));
        let Some(client) = client else { return Ok(false) };
        self.unstored_bytes += bytes;
        if let Some(one) = self.queues.get(client) {
            one.unstored_bytes += bytes;
        }
        let message_id = delivery.message_id;
        self.wait(
            Unsettled::Gathered,
            Waiter::Published { client, number, message_id, duplicate: false },
        );
        Ok(true)
    }

    /// Has somebody answered when the store has.
    pub(super) fn wait(&mut self, where_it_is: Unsettled, waiter: Waiter) -> bool {
        if self.durable.is_stalled {
            if waiter.number().is_some() {
                self.refuse(waiter.client(), waiter.number(), &not_answered(&waiter), None);
            }
            return true;
        }
        if !self.durable.wait_with(where_it_is, waiter) {
            return false;
        }
        let has_number = waiter.number().is_some();
        self.durable.is_urgent |= has_number && where_it_is == Unsettled::Gathered;
        if has_number && let Some(client) = self.queues.get(waiter.client()) {
            client.unstored_answers += 1;
        }
        true
    }

    /// Goes on with a publish that was repeated before the store had answered it, or after it could
    /// not. Whether it was one.
    pub(super) fn publish_again(
        &mut self,
        now: Now,
        storing: Storing,
        publication: &Publication<'_>,
        message_id: MessageId,
    ) -> Result<bool, Refusal> {
        let Some(publisher) = storing.publisher else { return Ok(false) };
        let Some(state) = self.durable.unsettled(publisher, message_id) else { return Ok(false) };
        if self.durable.is_stalled {
            return Err(stalled());
        }
        if let Some(client) = storing.client {
            let number = storing.number;
            let waiter = Waiter::Published { client, number, message_id, duplicate: true };
            if self.wait(state, waiter) {
                return Ok(true);
            }
        }
        // Nobody may wait for it any more.
        self.durable.settle_name((publisher, message_id));
        self.store_published(now, publication, message_id, storing)
    }

    /// Has a topic's kept value written, soon or at once. Whether its publisher is answered later.
    pub(super) fn store_retained(
        &mut self,
        now: Now,
        publication: &Publication<'_>,
        message_id: MessageId,
        storing: Storing,
    ) -> bool {
        if self.durable.store.is_none() || publication.topic.is_reserved() {
            return false;
        }
        let key = (publication.topic.to_string(), publication.protocol.to_string());
        self.durable.turn.retained.insert(key);
        if let (Until::Stored, Some(client)) = (publication.options.until, storing.client) {
            let number = storing.number;
            let waiter = Waiter::Published { client, number, message_id, duplicate: false };
            return self.wait(Unsettled::Gathered, waiter);
        }
        self.durable.due_by(now.monotonic_ms.saturating_add(RETAINED_MS_MAX));
        false
    }

    /// A consumer's connection has acknowledged messages.
    pub(super) fn acknowledge(
        &mut self,
        now: Now,
        id: ClientId,
        number: Option<RequestNumber>,
        subscription: NonZeroU32,
        message_ids: &[MessageId],
    ) -> Result<(), Refusal> {
        let subscription = subscription.get();
        let client = self.client(id);
        let Some(consumer_id) = client.and_then(|one| one.durable.get(&subscription).copied())
        else {
            let text = format!("this connection has no durable subscription {subscription}");
            return Err(Refusal::new(Code::UnknownSubscription, text));
        };
        let mut unknown = None;
        for message_id in message_ids {
            let consumer = self.durable.consumers.get_mut(&consumer_id);
            let message =
                consumer.and_then(|one| one.acknowledge(*message_id, id, now.monotonic_ms));
            match message {
                Some(message) => _ = self.durable.settle(consumer_id, message),
                None => unknown = Some(*message_id),
            }
        }
        self.work += message_ids.len() as u64;
        self.durable.due_by(now.monotonic_ms.saturating_add(ACKNOWLEDGED_MS_MAX));
        self.pump(consumer_id);
        if let Some(message_id) = unknown {
            let text = format!(
                "message {message_id} does not wait for an acknowledgement: it has one already, \
                 or was removed"
            );
            return Err(Refusal::new(Code::UnknownMessage, text));
        }
        if let Some(number) = number {
            self.wait(Unsettled::Gathered, Waiter::Done { client: id, number });
        }
        Ok(())
    }

    /// What the store is asked for next.
    pub fn poll_store(&mut self, now: Now) -> Option<StoreAsk> {
        if self.durable.may_close() {
            let Self { durable, retained, queues, .. } = self;
            durable.close_turn(now.monotonic_ms, &queues.limits, |topic, protocol| {
                retained.get(topic, protocol).map(|kept| write_message(None, &kept.delivery()))
            });
        }
        self.durable.outstanding.next_ask()
    }

    /// Whether something is to be stored that is not, as far as is known.
    #[must_use]
    pub fn has_unstored(&self) -> bool {
        self.durable.is_urgent || self.durable.outstanding.oldest_ms().is_some()
    }

    /// The store has answered a commit.
    pub fn committed(&mut self, now: Now, ticket: u64, answer: Result<Receipt, Failure>) {
        let Some(turn) = self.durable.outstanding.take_turn(ticket) else { return };
        self.durable.is_stalled = false;
        match answer {
            Ok(receipt) => {
                self.durable.failing = None;
                self.turn_stored(now, &turn, OnDisk::by(&receipt));
            }
            Err(failure) => self.turn_failed(now, turn, &failure),
        }
        let next = self.durable.next_expiry_ms();
        self.durable.look_for_expired(now, next);
        self.durable.is_urgent |= self.durable.has_doomed();
    }

    fn turn_stored(&mut self, now: Now, turn: &Turn, on_disk: OnDisk) {
        for (consumer, offered) in &turn.offers {
            if let Some(consumer) = self.durable.consumers.get_mut(consumer) {
                consumer.offered(*offered);
            }
        }
        for id in &turn.created {
            if let Some(consumer) = self.durable.consumers.get_mut(id) {
                consumer.made_by = None;
            }
        }
        for waiter in &turn.waiters {
            self.answer_stored(now, *waiter, on_disk);
        }
        let mut waking: Vec<u32> = turn.offers.iter().map(|(consumer, _)| *consumer).collect();
        for fresh in &turn.messages {
            self.give_back(fresh);
            self.durable.arrive(fresh);
            self.tell_of_mail(fresh, Ok(()));
            if let Some((publisher, message_id)) = fresh.name {
                self.remembered.confirm(publisher, message_id, on_disk);
            }
            waking.extend(&fresh.consumers);
            if let Some(record) = &fresh.record {
                for consumer in &fresh.consumers {
                    self.deliver_fresh(now, *consumer, fresh, record);
                }
            }
        }
        waking.sort_unstable();
        waking.dedup();
        for consumer in waking {
            self.pump(consumer);
        }
    }

    fn turn_failed(&mut self, now: Now, turn: Turn, failure: &Failure) {
        self.durable.failing = Some(failure.to_string());
        let published = format!("not stored, though live subscribers have it: {failure}");
        let done = format!("not on the disk yet, and tried again: {failure}");
        let mut unnumbered: BTreeMap<u64, (ClientId, u64)> = BTreeMap::new();
        for waiter in &turn.waiters {
            let is_published = matches!(waiter, Waiter::Published { .. });
            let text = if is_published { &published } else { &done };
            if waiter.number().is_some() {
                self.refuse_waiter(*waiter, &Refusal::new(Code::NotStored, text.as_str()));
            } else {
                let id = waiter.client();
                unnumbered.entry(id.serial()).or_insert((id, 0)).1 += 1;
            }
        }
        for (id, count) in unnumbered.into_values() {
            let text = format!("{count} messages: {published}");
            self.refuse_waiter_of(id, &Refusal::new(Code::NotStored, text));
        }
        let mut turn = turn;
        for fresh in &turn.messages {
            self.give_back(fresh);
            self.durable.lose(fresh);
            self.tell_of_mail(fresh, Err(Refusal::new(Code::NotStored, published.as_str())));
            // The store may have it all the same, and its publisher was told that it has not.
            turn.trimmed.push(fresh.message);
            turn.settled.extend(fresh.consumers.iter().map(|id| (*id, fresh.message)));
        }
        for id in &turn.created {
            self.forget_consumer(*id);
        }
        self.durable.redo(turn);
        self.durable.due_by(now.monotonic_ms.saturating_add(STORE_AGAIN_MS_MAX));
    }

    fn tell_of_mail(&mut self, fresh: &Fresh, kept: Result<(), Refusal>) {
        if let Some(ticket) = fresh.mail
            && self.post.is_attached
        {
            self.post.ask(PostAsk::Kept { ticket, kept });
        }
    }

    /// A message of a client's is not on its way to the store any more.
    fn give_back(&mut self, fresh: &Fresh) {
        let Some(id) = fresh.client else { return };
        self.release_charge(id, fresh.bytes);
    }

    fn release_charge(&mut self, id: ClientId, bytes: usize) {
        let was_full = UNSTORED_BYTES_TOTAL_MAX <= self.unstored_bytes;
        self.unstored_bytes = self.unstored_bytes.saturating_sub(bytes);
        let is_room_for_all = was_full && self.unstored_bytes < UNSTORED_BYTES_TOTAL_MAX;
        let Some(client) = self.queues.get(id) else { return };
        let was_choked = UNSTORED_BYTES_MAX <= client.unstored_bytes;
        client.unstored_bytes = client.unstored_bytes.saturating_sub(bytes);
        if was_choked && client.unstored_bytes < UNSTORED_BYTES_MAX {
            self.queues.flush_later(id);
        }
        if is_room_for_all {
            let ids: Vec<ClientId> = self.queues.clients.iter().map(|(_, one)| one.id).collect();
            for id in ids {
                self.queues.flush_later(id);
            }
        }
    }

    /// Whether a client has to wait for the store.
    pub(super) fn waits_for_store(&self, client: &Client) -> bool {
        client.leaving.is_some()
            || UNSTORED_BYTES_MAX <= client.unstored_bytes
            || (UNSTORED_BYTES_TOTAL_MAX <= self.unstored_bytes && client.unstored_bytes > 0)
    }

    /// Tells somebody that it is on the disk.
    fn answer_stored(&mut self, now: Now, waiter: Waiter, on_disk: OnDisk) {
        let id = waiter.client();
        match waiter {
            Waiter::Published { number: Some(number), message_id, duplicate, .. } => {
                let event = succeeded(number, Some(message_id), duplicate, Some(on_disk));
                self.queues.answer(id, &event);
                if let Some(client) = self.client(id) {
                    let publisher = Publisher::new(id, client.identity);
                    self.remembered.confirm(publisher, message_id, on_disk);
                }
            }
            Waiter::Published { .. } => return,
            Waiter::Done { number, .. } => {
                self.queues.answer(id, &succeeded(number, None, false, Some(on_disk)));
            }
            Waiter::Removed { number, is_purge, count, .. } => {
                self.answer_removed(now, id, number, is_purge, count);
            }
        }
        self.answered(id);
    }

    fn refuse_waiter(&mut self, waiter: Waiter, refusal: &Refusal) {
        let id = waiter.client();
        if self.client(id).is_none() {
            return;
        }
        self.refuse(id, waiter.number(), refusal, None);
        if waiter.number().is_some() {
            self.answered(id);
        }
    }

    /// Tells a client of publishes without a number.
    fn refuse_waiter_of(&mut self, id: ClientId, refusal: &Refusal) {
        if self.client(id).is_some() {
            self.refuse(id, None, refusal, None);
        }
    }

    /// A client has one of the answers for which it waited; if it is leaving and that was the last,
    /// it goes.
    fn answered(&mut self, id: ClientId) {
        if let Some(client) = self.queues.get(id) {
            client.unstored_answers = client.unstored_answers.saturating_sub(1);
        }
        self.go_if_answered(id);
    }

    /// Lets a client go that is leaving, if it has all the answers for which it waited.
    pub(super) fn go_if_answered(&mut self, id: ClientId) {
        let keeps = self.post.keeps(id);
        let Some(client) = self.queues.get(id) else { return };
        if client.unstored_answers == 0
            && !keeps
            && let Some(leaving) = client.leaving.take()
        {
            match leaving {
                Leaving::SaidGoodbye(number) => self.leave(id, number),
                Leaving::ShuttingDown => self.say_goodbye(id),
            }
        }
        self.queues.flush_later(id);
    }

    /// Looks at what is due.
    pub(super) fn handle_store_timeout(&mut self, now: Now) {
        let oldest_ms = self.durable.outstanding.oldest_ms();
        let is_late = |since: u64| since.saturating_add(STORE_STALL_MS_MAX) <= now.monotonic_ms;
        if !self.durable.is_stalled && oldest_ms.is_some_and(is_late) {
            self.durable.is_stalled = true;
            for waiter in self.durable.take_waiters() {
                self.refuse_waiter(waiter, &not_answered(&waiter));
            }
            for (id, bytes) in self.durable.outstanding.take_charges() {
                self.release_charge(id, bytes);
            }
        }
        if self.durable.due_ms.is_some_and(|due| due <= now.monotonic_ms) {
            self.durable.due_ms = None;
            self.durable.is_urgent = true;
        }
        if self.durable.expiry_due_ms.is_some_and(|due| due <= now.monotonic_ms) {
            self.durable.expiry_due_ms = None;
            self.durable.expire(now.unix_ms);
            let next = self.durable.next_expiry_ms();
            self.durable.look_for_expired(now, next);
        }
        if self.durable.lease_due_ms.is_some_and(|due| due <= now.monotonic_ms) {
            self.end_leases(now);
        }
    }

    /// When something is due, on the monotonic clock.
    pub(super) fn store_due_ms(&self) -> Option<u64> {
        let stall = self.durable.outstanding.oldest_ms().filter(|_| !self.durable.is_stalled);
        let stall = stall.map(|since| since.saturating_add(STORE_STALL_MS_MAX));
        [stall, self.durable.due_ms, self.durable.lease_due_ms, self.durable.expiry_due_ms]
            .into_iter()
            .flatten()
            .min()
    }

    fn end_leases(&mut self, now: Now) {
        let limits = &self.queues.limits;
        let (lease_ms, deliveries_max) = (limits.lease_ms, limits.deliveries_max);
        let ids: Vec<u32> = self.durable.consumers.keys().copied().collect();
        for id in ids {
            let Some(consumer) = self.durable.consumers.get_mut(&id) else { continue };
            if consumer.end_leases(now.monotonic_ms, lease_ms) {
                let failed = consumer.failed(deliveries_max);
                for message in failed {
                    self.durable.give_up(id, message, Reason::Unacknowledged);
                }
            }
            self.pump(id);
        }
        let consumers = self.durable.consumers.values();
        self.durable.lease_due_ms = consumers.filter_map(|one| one.next_lease_ms(lease_ms)).min();
    }
}

impl Durable {
    /// Has what was gathered written by then.
    pub(super) fn due_by(&mut self, monotonic_ms: u64) {
        self.due_ms = Some(self.due_ms.map_or(monotonic_ms, |due| due.min(monotonic_ms)));
    }

    /// Has it looked for what has expired when this does. The wall clock may be set meanwhile, so
    /// it is looked again after a while.
    pub(super) fn look_for_expired(&mut self, now: Now, expires_at_ms: Option<u64>) {
        let Some(at) = expires_at_ms else { return };
        let after_ms = at.saturating_sub(now.unix_ms).clamp(1, EXPIRY_LOOK_MS_MAX);
        let due = now.monotonic_ms.saturating_add(after_ms);
        self.expiry_due_ms = Some(self.expiry_due_ms.map_or(due, |before| before.min(due)));
    }

    /// Has it looked for leases that have ended.
    pub(super) fn look_for_leases(&mut self, monotonic_ms: u64) {
        let before = self.lease_due_ms.unwrap_or(u64::MAX);
        self.lease_due_ms = Some(before.min(monotonic_ms));
    }
}

/// What somebody is told who waits while the disk does not answer.
fn not_answered(waiter: &Waiter) -> Refusal {
    if matches!(waiter, Waiter::Published { .. }) {
        return stalled();
    }
    let text = "not on the disk yet: it has not answered for seconds; it is done once it does";
    Refusal::new(Code::NotStored, text)
}

/// The refusal where there is no store.
pub(super) fn no_store() -> Refusal {
    let text = "this bus stores nothing: it runs without a store (`store = \"none\"`, or no \
                directory for its state)";
    Refusal::new(Code::NotAvailable, text)
}
