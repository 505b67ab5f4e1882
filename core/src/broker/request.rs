//! Request and reply.

use super::client::ClientId;
use super::kept_lists::{PURGE, REMOVE};
use super::operations::reserved;
use super::publish::delivery;
use super::requests::{Waiting, reply_topic};
use super::{Broker, Notice, lists};
use crate::clock::Now;
use crate::parcels::Single;
use kith_wire::{
    Code, Delivery, Destination, MessageId, Publication, Refusal, RequestNumber, Topic,
};

impl Broker {
    pub(super) fn request(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        mut publication: Publication<'_>,
        timeout_ms: u32,
    ) -> Result<(), Refusal> {
        self.check_destination(&publication)?;
        let requests_max = self.queues.limits.requests_max;
        let Some(client) = self.queues.get(id) else { return Ok(()) };
        if client.requests.contains_key(&number.get()) {
            let text = format!("request {number} still waits; take another number");
            return Err(Refusal::new(Code::DuplicateRequest, text));
        }
        if requests_max <= client.requests.len() {
            let text =
                format!("this connection waits for {requests_max} replies, as many as it may");
            return Err(Refusal::new(Code::QuotaRequests, text));
        }
        self.queues.totals.requests += 1;
        if let Destination::Elsewhere(to) = &publication.options.to {
            return self.request_elsewhere(now, id, number, &publication, (to, timeout_ms));
        }
        if publication.topic.is_reserved() {
            return self.request_daemon(now, id, number, &publication);
        }
        self.check_publish(now, id, publication.topic.as_str())?;
        let token = self.identifiers.token();
        // A reply topic is a topic.
        publication.options.reply_to = Topic::new(reply_topic(token)).ok();
        let (_, reach) = self.publish_now(now, Some(id), &publication, None)?;
        if reach.wanted == 0 {
            self.queues.totals.no_responders += 1;
            let text = format!("nobody subscribes to `{}`", publication.topic);
            return Err(Refusal::new(Code::NoResponders, text));
        }
        if reach.queued == 0 {
            let text = format!("the queue of every subscriber to `{}` is full", publication.topic);
            return Err(Refusal::new(Code::Busy, text));
        }
        self.count_published(id, 1, publication.payload.len() as u64);
        let deadline_ms = now.monotonic_ms.saturating_add(timeout_ms.into());
        self.requests.insert(token, Waiting::Client { client: id, number }, deadline_ms);
        if let Some(client) = self.queues.get(id) {
            client.requests.insert(number.get(), token);
        }
        Ok(())
    }

    /// Hands a reply to who waits for it. Returns its message id.
    pub(super) fn reply(
        &mut self,
        now: Now,
        id: ClientId,
        token: u128,
        publication: &Publication<'_>,
    ) -> Result<MessageId, Refusal> {
        // Others may look on at a heartbeat, and can't answer for a service.
        let may = |waiting: &Waiting| match waiting {
            Waiting::Client { .. } | Waiting::Outside { .. } => true,
            Waiting::Daemon { service } => *service == id,
            // Whoever is to answer it is not on this bus.
            Waiting::Elsewhere { .. } => false,
        };
        if let Some(Waiting::Outside { .. }) = self.requests.get(token) {
            self.check_reply_room(publication)?;
        }
        let Some(waiting) = self.requests.take_if(token, may) else {
            let text = "nobody waits for this reply (any more): it was answered, or took too long";
            return Err(Refusal::new(Code::UnknownRequest, text));
        };
        let message_id = match publication.options.message_id {
            Some(message_id) => message_id,
            None => self.identifiers.message_ids(now.unix_ms, 1),
        };
        if let Waiting::Outside { request } = waiting {
            self.reply_outside(now, request, message_id, publication);
        } else {
            self.hand_over(waiting, delivery(now, message_id, publication));
        }
        Ok(message_id)
    }

    /// Ends a request without a reply.
    pub(super) fn end_request(&mut self, waiting: Waiting, refusal: &Refusal) {
        match waiting {
            Waiting::Client { client: id, number } => {
                if let Some(client) = self.queues.get(id) {
                    client.requests.remove(&number.get());
                    self.refuse(id, Some(number), refusal, None);
                }
            }
            Waiting::Daemon { service } => self.tell(Notice::Silent(service)),
            Waiting::Elsewhere { client: id, number, bytes, .. } => {
                self.post.release(Some(id), bytes);
                if let Some(client) = self.queues.get(id) {
                    client.requests.remove(&number.get());
                    self.refuse(id, Some(number), refusal, None);
                }
            }
            Waiting::Outside { request } => self.leave_unanswered(request),
        }
    }

    pub(super) fn hand_over(&mut self, waiting: Waiting, delivery: Delivery<'_>) {
        let (client, number) = match waiting {
            Waiting::Client { client, number } | Waiting::Elsewhere { client, number, .. } => {
                (client, number)
            }
            Waiting::Daemon { service } => return self.tell(Notice::Alive(service)),
            Waiting::Outside { .. } => return,
        };
        let Some(requester) = self.queues.get(client) else { return };
        requester.requests.remove(&number.get());
        let mut single = Single::new(delivery);
        if self.queues.deliver_reply(client.place, number, &mut single) {
            self.queues.totals.replies += 1;
        } else {
            let text = "the reply came, but this connection's queue is full";
            self.refuse(client, Some(number), &Refusal::new(Code::Busy, text), None);
        }
        single.recycle(&mut self.queues.buffers);
    }

    /// What the daemon itself answers.
    fn request_daemon(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        publication: &Publication<'_>,
    ) -> Result<(), Refusal> {
        self.check_ask(id, publication.topic.as_str())?;
        if self.ask(id, number, publication)? || self.ask_people(id, number, publication)? {
            self.count_published(id, 1, publication.payload.len() as u64);
            return Ok(());
        }
        let payload = match publication.topic.as_str() {
            "bus.stats" => self.stats_answer(now),
            "bus.clients" => self.clients_page(&lists::asked(publication)?),
            "bus.consumers" => self.consumers_answer()?,
            PURGE | REMOVE => return self.remove_kept(id, number, publication),
            "bus.subscriptions" => self.subscriptions_page(&lists::asked(publication)?),
            other => return Err(reserved(other)),
        };
        self.count_published(id, 1, publication.payload.len() as u64);
        self.answer_json(now, id, number, publication.topic.as_str(), payload);
        Ok(())
    }
}
