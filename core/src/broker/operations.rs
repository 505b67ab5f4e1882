//! The way of an operation to its part of the broker, and the small ones: hello, subscriptions,
//! wills.

use super::client::ClientId;
use super::consumers::is_since;
use super::remembered::Publisher;
use super::sealed::no_descriptor;
use super::will::Will;
use super::{Broker, Client, Leaving};
use crate::clock::Now;
use crate::durable::succeeded;
use crate::index::{Role, Target};
use crate::limits::WILL_BYTES_MAX;
use crate::parcels::Single;
use kith_wire::{
    Code, Event, Operation, Publication, Refusal, Request, RequestNumber, Scope, Subscribe,
};
use std::num::NonZeroU32;

impl Broker {
    /// Carries out what a client asks, and answers it where an answer is wanted.
    ///
    /// # Errors
    /// What was refused; the client has not been told yet.
    pub(crate) fn operate(
        &mut self,
        now: Now,
        id: ClientId,
        request: Request<'_>,
    ) -> Result<(), Refusal> {
        let Request { number, operation } = request;
        match operation {
            Operation::Publish(publication) => {
                return self.publish(now, id, number, &publication, None);
            }
            // One that came with its descriptor goes to `publish_sealed`.
            Operation::PublishSealed { .. } => return Err(no_descriptor()),
            Operation::Request { number, publication, timeout_ms } => {
                return self.request(now, id, number, publication, timeout_ms);
            }
            Operation::Acknowledge { subscription, message_ids } => {
                return self.acknowledge(now, id, number, subscription, &message_ids);
            }
            Operation::Subscribe(asked) => return self.subscribe(now, id, &asked),
            Operation::Hello { name, client, descriptors, token } => {
                if let Some(token) = token {
                    self.show_token(id, &token)?;
                }
                return self.hello(id, number, name, client, descriptors);
            }
            Operation::Unsubscribe(subscription) => self.unsubscribe(now, id, subscription)?,
            Operation::Will(publication) => self.will(now, id, publication)?,
            Operation::Unwill => {
                self.queues.set_will(id, None);
            }
            Operation::Ping => {}
            Operation::Bye => {
                let keeps = self.post.keeps(id);
                if keeps || self.client(id).is_some_and(|client| client.unstored_answers > 0) {
                    let leaving = Some(Leaving::SaidGoodbye(number));
                    self.with(id, |client| client.leaving = leaving);
                } else {
                    self.leave(id, number);
                }
                return Ok(());
            }
        }
        self.answer_ok(id, number);
        Ok(())
    }

    pub(super) fn answer_ok(&mut self, id: ClientId, number: Option<RequestNumber>) {
        if let Some(number) = number {
            self.queues.answer(id, &succeeded(number, None, false, None));
        }
    }

    fn with(&mut self, id: ClientId, change: impl FnOnce(&mut Client)) {
        if let Some(client) = self.queues.get(id) {
            change(client);
        }
    }

    fn hello(
        &mut self,
        id: ClientId,
        number: Option<RequestNumber>,
        name: Option<String>,
        identity: Option<[u8; 16]>,
        descriptors: bool,
    ) -> Result<(), Refusal> {
        let Some(client) = self.queues.get(id) else { return Ok(()) };
        // A service's name is the daemon's to set.
        if name.is_some() && client.standing.service.is_none() {
            client.name = name;
        }
        if identity.is_some() && client.identity != identity {
            let before = Publisher::new(id, client.identity);
            client.identity = identity;
            self.remembered.attach(Publisher::new(id, identity));
            self.remembered.detach(before);
        }
        if descriptors {
            self.grant_descriptors(id);
        }
        let descriptors = self.takes_descriptors(id);
        if let Some(number) = number {
            let event = Event::Welcome {
                number,
                version: env!("CARGO_PKG_VERSION"),
                payload_bytes_max: self.queues.limits.payload_bytes_max as u64,
                descriptors,
            };
            self.queues.answer(id, &event);
        }
        Ok(())
    }

    fn subscribe(&mut self, now: Now, id: ClientId, asked: &Subscribe<'_>) -> Result<(), Refusal> {
        let number = asked.number.get();
        self.check_subscribe(id, &asked.pattern)?;
        let total = self.subscriptions_weight_of_others();
        let (own_max, total_max) =
            (self.queues.limits.subscriptions_max, self.queues.limits.subscriptions_total_max);
        let Some(client) = self.queues.get(id) else { return Ok(()) };
        if client.subscriptions.contains_key(&number) || client.durable.contains_key(&number) {
            let text = format!("subscription {number} is there already; take another number");
            return Err(Refusal::new(Code::DuplicateSubscription, text));
        }
        let weight = crate::index::weight(&asked.pattern);
        if own_max < client.subscriptions_weight.saturating_add(weight) {
            let text = format!(
                "a connection has at most {own_max} subscriptions; long patterns with wildcards \
                 count as several"
            );
            return Err(Refusal::new(Code::QuotaSubscriptions, text));
        }
        if total_max < total.saturating_add(weight) {
            let text = format!(
                "the bus has at most {total_max} subscriptions; long patterns with wildcards \
                 count as several"
            );
            return Err(Refusal::new(Code::QuotaSubscriptions, text));
        }
        if let Some(name) = asked.durable.as_deref() {
            return self.subscribe_durable(now, id, asked, name);
        }
        let role = match asked.group.as_deref() {
            Some(group) => Role::Member(group),
            None if asked.monitor => Role::Monitor,
            None => Role::Each,
        };
        let key = self.index.insert(&asked.pattern, role, id.place, number);
        self.with(id, |client| {
            client.subscriptions.insert(number, key);
            client.subscriptions_weight += weight;
        });
        self.answer_ok(id, Some(asked.number));
        self.tell_ready(id, &asked.pattern);
        if asked.retained && asked.pattern.scope().matches(Scope::Own) {
            self.deliver_retained(now, id, asked);
        }
        self.arm_stats(now);
        Ok(())
    }

    fn deliver_retained(&mut self, now: Now, id: ClientId, asked: &Subscribe<'_>) {
        let target =
            Target { client: id.place, number: asked.number.get(), group: crate::index::NONE };
        for kept in self.retained.find(&asked.pattern, now.unix_ms, &mut self.work) {
            if asked.since.is_some_and(|since| !is_since(since, kept.sent_at_ms, kept.message_id)) {
                continue;
            }
            let mut single = Single::new(kept.delivery());
            self.queues.deliver_single(target, &mut single);
            single.recycle(&mut self.queues.buffers);
        }
        self.deliver_kept_cbor(target, &asked.pattern);
        self.announce_lags(now);
    }

    fn unsubscribe(
        &mut self,
        now: Now,
        id: ClientId,
        subscription: NonZeroU32,
    ) -> Result<(), Refusal> {
        let number = subscription.get();
        if self.leave_consumer(id, number) {
            self.queues.finish_subscription(id, number);
            return Ok(());
        }
        let Some(client) = self.queues.get(id) else { return Ok(()) };
        let Some(key) = client.subscriptions.remove(&number) else {
            let text = format!("this connection has no subscription {number}");
            return Err(Refusal::new(Code::UnknownSubscription, text));
        };
        let weight = self.index.remove(key);
        self.with(id, |client| {
            client.subscriptions_weight = client.subscriptions_weight.saturating_sub(weight);
        });
        self.queues.finish_subscription(id, number);
        self.announce_lags(now);
        Ok(())
    }

    fn will(
        &mut self,
        now: Now,
        id: ClientId,
        publication: Publication<'_>,
    ) -> Result<(), Refusal> {
        self.check_destination(&publication)?;
        if publication.topic.is_reserved() {
            return Err(reserved(publication.topic.as_str()));
        }
        self.check_publish(now, id, publication.topic.as_str())?;
        if WILL_BYTES_MAX < publication.payload.len() {
            let text = format!("a will's payload has at most {WILL_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::TooLarge, text));
        }
        if !self.queues.set_will(id, Some(Will::new(publication))) {
            let text = "no memory is left for a will: too much waits for others, or for you";
            return Err(Refusal::new(Code::QuotaMemory, text));
        }
        Ok(())
    }
}

/// The refusal of a publish on a topic of the daemon's.
pub(super) fn reserved(topic: &str) -> Refusal {
    let first = topic.split('.').next().unwrap_or(topic);
    let text = format!("`{first}.…` belongs to the daemon and its services; take another topic");
    Refusal::new(Code::ReservedTopic, text)
}
