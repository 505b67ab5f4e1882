//! The way of messages and requests to the post: those with a destination that is not this bus.
//!
//! They are checked like any others, and against what only goes here: a reserved topic is local, a
//! value is kept here, a message is stored by whoever gets it. Subscribers on this bus don't get
//! them.
//!
//! **A message that is published again** with its publisher's id is not sent again. What is known
//! of it is answered at once; what is not (the connection ended before the answer, or it is to get
//! further now) the post is asked once more, with [`Outgoing::is_repeated`] set.

use super::client::ClientId;
use super::operations::reserved;
use super::post::no_post;
use super::publish::check_reply_to;
use super::remembered::{Known, Publisher};
use super::requests::Waiting;
use super::{Broker, Outgoing, PostAsk};
use crate::clock::Now;
use kith_wire::{Code, Destination, MessageId, Publication, Refusal, RequestNumber, Topic, Until};

impl Broker {
    /// Whether a message may go where it says, and its answer where it says.
    pub(super) fn check_destination(&self, publication: &Publication<'_>) -> Result<(), Refusal> {
        check_reply_to(publication)?;
        let Publication { topic, options, .. } = publication;
        let Destination::Elsewhere(to) = &options.to else { return Ok(()) };
        let refused = |code, text: &str| Err(Refusal::new(code, text));
        if !self.post.is_attached {
            let to: String = to.chars().take(64).flat_map(char::escape_debug).collect();
            let Refusal { code, text, .. } = no_post();
            return Err(Refusal::new(code, format!("to `{to}`: {text}")));
        }
        if topic.is_reserved() {
            return Err(reserved(topic.as_str()));
        }
        if options.reply_to.as_ref().is_some_and(Topic::is_reserved) {
            let text = "a reply topic is local: from elsewhere no answer can come there";
            return refused(Code::BadField, text);
        }
        if options.retain {
            return refused(Code::NotAvailable, "a value is kept on this bus, and nowhere else");
        }
        if options.until == Until::Stored {
            let text = "a message for somebody else is stored by whoever gets it";
            return refused(Code::NotAvailable, text);
        }
        Ok(())
    }

    /// Sends a message, for whose destination has been looked at.
    pub(super) fn publish_elsewhere(
        &mut self,
        now: Now,
        id: ClientId,
        number: Option<RequestNumber>,
        publication: &Publication<'_>,
        to: &str,
    ) -> Result<(), Refusal> {
        self.check_publish(now, id, publication.topic.as_str())?;
        let options = &publication.options;
        let identity = self.client(id).and_then(|client| client.identity);
        let publisher = Publisher::new(id, identity);
        let mut is_repeated = false;
        if let Some(message_id) = options.message_id {
            if self.post.has_sent(id, (message_id, number)) {
                // It is on its way, and this is answered with it.
                let Some(number) = number else { return Ok(()) };
                let text = format!("request {number} still waits; take another number");
                return Err(Refusal::new(Code::DuplicateRequest, text));
            }
            match self.remembered.is_repeated(publisher, message_id, now.monotonic_ms) {
                Some(Known { reached: Some(reached), .. }) if options.until <= reached => {
                    self.answer_published(id, number, message_id, true, None);
                    return Ok(());
                }
                known => is_repeated = known.is_some(),
            }
        }
        let given = options.message_id.map(|_| publisher);
        let message = self.outgoing(now, publication, to);
        let message = Outgoing { is_repeated, ..message };
        let message_id = message.message_id;
        self.hand_to_post(Some(id), number, given, message)?;
        if given.is_some() && !is_repeated {
            self.remembered.remember(publisher, message_id, now.monotonic_ms);
        }
        self.count_published(id, 1, publication.payload.len() as u64);
        Ok(())
    }

    /// Sends the will of a client that is gone.
    pub(super) fn send_will(
        &mut self,
        now: Now,
        publisher: Publisher,
        publication: &Publication<'_>,
        to: &str,
    ) {
        let given = publication.options.message_id.map(|_| publisher);
        let message = self.outgoing(now, publication, to);
        let message_id = message.message_id;
        let sent = self.check_destination(publication);
        let sent = sent.and_then(|()| self.hand_to_post(None, None, given, message));
        if sent.is_err() {
            // Its publisher is gone, so all that is left is to count it.
            self.queues.totals.refused += 1;
            return;
        }
        if given.is_some() {
            self.remembered.remember(publisher, message_id, now.monotonic_ms);
        }
        self.queues.totals.published += 1;
        self.queues.totals.published_bytes += publication.payload.len() as u64;
    }

    fn hand_to_post(
        &mut self,
        client: Option<ClientId>,
        number: Option<RequestNumber>,
        publisher: Option<Publisher>,
        message: Outgoing,
    ) -> Result<(), Refusal> {
        let bytes = message.bytes();
        self.post.check_room(client, bytes)?;
        self.post.hold(client, bytes);
        let sending = (message.message_id, number);
        self.post.send(client, sending, (publisher, message.until, bytes));
        self.post.ask(PostAsk::Send { client, number, message });
        Ok(())
    }

    /// Sends a request, for whose destination, number and quota have been looked at.
    pub(super) fn request_elsewhere(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        publication: &Publication<'_>,
        (to, timeout_ms): (&str, u32),
    ) -> Result<(), Refusal> {
        self.check_publish(now, id, publication.topic.as_str())?;
        let message = self.outgoing(now, publication, to);
        let (message_id, bytes) = (message.message_id, message.bytes());
        self.post.check_room(Some(id), bytes)?;
        self.post.hold(Some(id), bytes);
        self.count_published(id, 1, publication.payload.len() as u64);
        let timeout_ms = u64::from(timeout_ms);
        let token = self.identifiers.token();
        let waiting = Waiting::Elsewhere { client: id, number, message_id, bytes };
        self.requests.insert(token, waiting, now.monotonic_ms.saturating_add(timeout_ms));
        if let Some(client) = self.queues.get(id) {
            client.requests.insert(number.get(), token);
        }
        self.post.ask(PostAsk::Request { client: id, number, timeout_ms, message });
        Ok(())
    }

    /// Whether there is room for the reply to a request from outside.
    pub(super) fn check_reply_room(&self, publication: &Publication<'_>) -> Result<(), Refusal> {
        self.post.check_room(None, publication.payload.len())
    }

    /// Hands the reply to a request from outside to the post.
    pub(super) fn reply_outside(
        &mut self,
        now: Now,
        request: u64,
        message_id: MessageId,
        publication: &Publication<'_>,
    ) {
        let message = Outgoing { message_id, ..self.outgoing(now, publication, "") };
        self.post.outside = self.post.outside.saturating_sub(1);
        self.post.hold(None, message.bytes());
        self.post.ask(PostAsk::Reply { request, message });
    }

    /// Nobody has answered a request from outside.
    pub(super) fn leave_unanswered(&mut self, request: u64) {
        self.post.outside = self.post.outside.saturating_sub(1);
        if self.post.is_attached {
            self.post.ask(PostAsk::Unanswered { request });
        }
    }

    fn outgoing(&mut self, now: Now, publication: &Publication<'_>, to: &str) -> Outgoing {
        let Publication { topic, protocol, payload, options } = publication;
        Outgoing {
            message_id: self.message_id(now, options),
            to: to.to_owned(),
            topic: topic.as_str().to_owned(),
            protocol: protocol.as_str().to_owned(),
            payload: payload.to_vec(),
            headers: options.headers.clone(),
            reply_to: options.reply_to.as_ref().map(|topic| topic.as_str().to_owned()),
            expire_after_ms: options.expire_after_ms,
            priority: options.priority,
            realtime: options.realtime,
            echo: options.echo,
            until: options.until,
            is_repeated: false,
        }
    }
}
