//! What comes from outside: messages, requests, and the replies to requests that went there.
//!
//! Who sent it and what that person is to this bus was worked out by whoever hands it in, from
//! signatures and from what the user said; nothing that a message holds decides it. So a message
//! from outside has fewer ways than a local one: reserved topics are closed to it, nothing of it is
//! kept as a topic's value, and where it wants an answer can only be a plain topic.
//!
//! Deliberately absent: rates, and whether a stranger is to be heard at all. The post knows
//! senders, and asks [`Broker::is_wanted`] first.

use super::Broker;
use super::client::ClientId;
use super::durable::{Storing, no_store};
use super::operations::reserved;
use super::publish::{Reach, delivery};
use super::requests::{Waiting, reply_topic};
use crate::clock::Now;
use crate::index::{MONITOR, Matches};
use crate::limits::OUTSIDE_REQUESTS_MAX;
use kith_wire::limits::REQUEST_TIMEOUT_MS_MAX;
use kith_wire::{Code, Delivery, MessageId, Publication, Refusal, RequestNumber, Scope, Topic};

/// A message that came from outside: what the daemon worked out about its sender, and what it says.
#[derive(Clone, Debug)]
pub struct Inbound<'a> {
    /// The sender's identity.
    pub sender: &'a str,
    /// What the user calls the sender.
    pub petname: Option<&'a str>,
    /// The sending device's key.
    pub device: &'a str,
    /// What the sender is to this bus.
    pub scope: Scope,
    /// When it says that it was sent, in milliseconds since the Unix epoch; no later than now is
    /// believed. `None` is now.
    pub sent_at_ms: Option<u64>,
    /// What was sent.
    pub publication: Publication<'a>,
}

impl<'a> Inbound<'a> {
    /// A message that was sent now, by somebody whom the user has not named.
    #[must_use]
    pub fn new(
        sender: &'a str,
        device: &'a str,
        scope: Scope,
        publication: Publication<'a>,
    ) -> Self {
        Self { sender, petname: None, device, scope, sent_at_ms: None, publication }
    }

    fn delivery(&self, now: Now, message_id: MessageId) -> Delivery<'_> {
        let delivery = delivery(now, message_id, &self.publication);
        Delivery {
            sender: self.sender,
            petname: self.petname,
            device: Some(self.device),
            scope: self.scope,
            sent_at_ms: self.sent_at_ms.map_or(now.unix_ms, |ms| ms.min(now.unix_ms)),
            ..delivery
        }
    }
}

impl Broker {
    /// Whether somebody here would get such a message from outside: who only looks on does not
    /// count, and for strangers nothing is stored.
    #[must_use]
    pub fn is_wanted(&self, scope: Scope, protocol: &str, topic: &str) -> bool {
        if kith_wire::is_reserved(topic) {
            return false;
        }
        let mut found = Matches::default();
        self.index.find(scope, protocol, topic, &mut found);
        found.each.iter().any(|target| target.group != MONITOR)
            || !found.grouped.is_empty()
            || (scope != Scope::Public && !found.durable.is_empty())
    }

    /// Delivers what came from outside. Nothing that a sender says decides its scope. Returns how
    /// many get it at once; who has it stored gets it too.
    ///
    /// # Errors
    /// If it is on a reserved topic, which is local, or wants to be kept, which is for the own bus,
    /// or an answer where none can be wanted; or if it can't be stored for somebody who wants that.
    pub fn deliver_inbound(&mut self, now: Now, inbound: &Inbound<'_>) -> Result<usize, Refusal> {
        self.check_inbound(inbound)?;
        let message_id = self.message_id(now, &inbound.publication.options);
        let delivery = inbound.delivery(now, message_id);
        let reach = self.deliver_single(now, delivery.clone());
        let is_stored = inbound.scope != Scope::Public && !inbound.publication.options.realtime;
        if is_stored && !self.matched.matches.durable.is_empty() {
            self.store(now, &delivery, Storing::default())?;
        }
        Ok(reach.queued)
    }

    /// Delivers what came from the user's own devices or from a friend, and has it stored, so that
    /// its sender can be told that it has arrived: for durable subscriptions that match, or, where
    /// none does, as mail for one that is made later and begins before it. When it is on the disk,
    /// or could not be stored, that comes out of [`Broker::poll_post`] with this ticket.
    ///
    /// # Errors
    /// As [`Broker::deliver_inbound`]; if there is no store or no room; and of what may not be
    /// stored, which is what a stranger sends or is only for now. Then nobody has it.
    pub fn keep_inbound(
        &mut self,
        now: Now,
        inbound: &Inbound<'_>,
        ticket: u64,
    ) -> Result<usize, Refusal> {
        self.check_inbound(inbound)?;
        if inbound.scope == Scope::Public || inbound.publication.options.realtime {
            let text = "what strangers send, or is only for now, is not stored";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        if self.durable.store.is_none() {
            return Err(no_store());
        }
        let message_id = self.message_id(now, &inbound.publication.options);
        let delivery = inbound.delivery(now, message_id);
        self.look_up(delivery.scope, delivery.protocol.as_str(), delivery.topic.as_str());
        self.store(now, &delivery, Storing { mail: Some(ticket), ..Storing::default() })?;
        // Its sender waits.
        self.durable.is_urgent = true;
        Ok(self.deliver_single(now, delivery).queued)
    }

    /// Delivers a request that came from outside. The first reply of a program here comes out of
    /// [`Broker::poll_post`] with this handle, and goes to nobody else; or that none came.
    ///
    /// # Errors
    /// As for a message; if nobody subscribes to it, or nobody has room; and if as many requests
    /// from outside wait as may.
    pub fn deliver_inbound_request(
        &mut self,
        now: Now,
        inbound: &Inbound<'_>,
        request: u64,
        timeout_ms: u64,
    ) -> Result<(), Refusal> {
        self.check_inbound(inbound)?;
        if OUTSIDE_REQUESTS_MAX <= self.post.outside {
            let text = format!("{OUTSIDE_REQUESTS_MAX} requests from outside wait for their reply");
            return Err(Refusal::new(Code::Busy, text));
        }
        let token = self.identifiers.token();
        let message_id = self.message_id(now, &inbound.publication.options);
        let reply_to = Topic::new(reply_topic(token)).ok();
        let delivery = Delivery { reply_to, ..inbound.delivery(now, message_id) };
        let Reach { wanted, queued } = self.deliver_single(now, delivery);
        if wanted == 0 {
            self.queues.totals.no_responders += 1;
            let text = format!("nobody subscribes to `{}`", inbound.publication.topic);
            return Err(Refusal::new(Code::NoResponders, text));
        }
        if queued == 0 {
            let text = "the queue of every subscriber is full";
            return Err(Refusal::new(Code::Busy, text));
        }
        let timeout_ms = timeout_ms.clamp(1, REQUEST_TIMEOUT_MS_MAX.into());
        let deadline_ms = now.monotonic_ms.saturating_add(timeout_ms);
        self.requests.insert(token, Waiting::Outside { request }, deadline_ms);
        self.post.outside += 1;
        Ok(())
    }

    /// Hands the reply from elsewhere to the program that asked, or says why there is none. Of the
    /// reply's topic and of where it wants an answer nothing is taken. `message_id` is that of the
    /// request: whoever asks may use the number of an old one again.
    pub fn answer_remote(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        message_id: MessageId,
        answer: Result<&Inbound<'_>, Refusal>,
    ) {
        let token = self.client(id).and_then(|one| one.requests.get(&number.get()).copied());
        let Some(token) = token else { return };
        let is_it = |waiting: &Waiting| match waiting {
            Waiting::Elsewhere { message_id: asked, .. } => *asked == message_id,
            _ => false,
        };
        let Some(waiting) = self.requests.take_if(token, is_it) else { return };
        let inbound = match answer {
            Ok(inbound) => inbound,
            Err(refusal) => return self.end_request(waiting, &refusal),
        };
        let Ok(topic) = Topic::new(reply_topic(token)) else { return };
        let reply_id = self.message_id(now, &inbound.publication.options);
        let delivery = Delivery { topic, reply_to: None, ..inbound.delivery(now, reply_id) };
        if let Waiting::Elsewhere { bytes, .. } = waiting {
            self.post.release(Some(id), bytes);
        }
        self.hand_over(waiting, delivery);
    }

    fn check_inbound(&mut self, inbound: &Inbound<'_>) -> Result<(), Refusal> {
        let Publication { topic, options, .. } = &inbound.publication;
        let refusal = if topic.is_reserved() {
            reserved(topic.as_str())
        } else if options.retain {
            Refusal::new(Code::NotAvailable, "only local values are kept")
        } else if options.reply_to.as_ref().is_some_and(Topic::is_reserved) {
            let text = "a reserved topic is local: no answer can be wanted there from outside";
            Refusal::new(Code::BadField, text)
        } else {
            return Ok(());
        };
        self.queues.totals.refused += 1;
        Err(refusal)
    }
}
