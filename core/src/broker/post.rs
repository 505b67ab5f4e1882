//! What is not for this bus, and so for the post: messages and requests to people and devices, the
//! replies to theirs, and questions about people.
//!
//! The broker knows of no person and no key. It hands the post one thing after another
//! ([`Broker::poll_post`]), keeps count of what that has not taken yet, and answers the programs
//! with what the post says became of it. Nothing waits here without a bound, for each program and
//! for all; beyond it the answer is `busy`.
//!
//! Who leaves waits for nothing any more, and what it has sent is sent all the same.
//!
//! How messages and requests get here is in `elsewhere.rs`, what comes from outside in
//! `inbound.rs`. Deliberately absent: who is meant by a destination, and whether there is such a
//! person.

use super::Broker;
use super::client::ClientId;
use super::requests::Waiting;
use crate::clock::Now;
use crate::limits::PEOPLE_ASKED_BYTES_MAX;
use kith_wire::{Code, Headers, MessageId, Priority, Publication, Refusal, RequestNumber, Until};

/// The topics on which the post is asked. Every connection may ask for the lists.
pub const PEOPLE_ASKED: [&str; 18] = [
    "people.add",
    "people.card",
    "people.devices",
    "people.init",
    "people.invite",
    "people.join",
    "people.list",
    "people.lock",
    "people.me",
    "people.recover",
    "people.recovery",
    "people.reject",
    "people.remove",
    "people.removeDevice",
    "people.rename",
    "people.status",
    "people.unlock",
    "people.verify",
];

/// What the post is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostAsk {
    /// Send a message. Each is ended by one [`Broker::posted`]; where that takes longer than to
    /// take the message in, [`Broker::post_took`] says before that it was.
    Send {
        /// Who sends it; nobody any more, if it is a will.
        client: Option<ClientId>,
        /// Under which number the answer is wanted.
        number: Option<RequestNumber>,
        /// The message.
        message: Outgoing,
    },
    /// Send a request, and give its reply to [`Broker::answer_remote`].
    Request {
        /// Who asks.
        client: ClientId,
        /// Under which number.
        number: RequestNumber,
        /// How long it is waited for; then nobody wants the reply any more.
        timeout_ms: u64,
        /// The request.
        message: Outgoing,
    },
    /// A program has answered the request from outside with this handle.
    Reply {
        /// The handle given to [`Broker::deliver_inbound_request`].
        request: u64,
        /// The reply. Where it goes to, the post knows: `to` is empty.
        message: Outgoing,
    },
    /// No program has answered the request from outside with this handle, and none will.
    Unanswered {
        /// The handle given to [`Broker::deliver_inbound_request`].
        request: u64,
    },
    /// Somebody asks about people.
    Asked {
        /// Who; answered by [`Broker::answer_people`].
        client: ClientId,
        /// Under which number.
        number: RequestNumber,
        /// One of [`PEOPLE_ASKED`].
        topic: &'static str,
        /// What, in JSON.
        payload: Vec<u8>,
        /// Whether it may change something.
        is_administrator: bool,
    },
    /// What came of a message that was handed to [`Broker::keep_inbound`].
    Kept {
        /// Which, as the post called it.
        ticket: u64,
        /// Whether it is on the disk.
        kept: Result<(), Refusal>,
    },
    /// A connection has ended that waited for something from the post. It does so no more; its
    /// messages are sent all the same.
    Gone(ClientId),
}

/// A message for somebody elsewhere, or the reply to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id.
    pub message_id: MessageId,
    /// Where to, as its publisher wrote it.
    pub to: String,
    /// What it is about.
    pub topic: String,
    /// How to read the payload.
    pub protocol: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Strings beside it.
    pub headers: Headers,
    /// Where an answer should be published; never a reserved topic.
    pub reply_to: Option<String>,
    /// Not to be delivered later than this, in milliseconds from now.
    pub expire_after_ms: Option<u64>,
    /// What overtakes what.
    pub priority: Priority,
    /// Not to be stored, and worth nothing later.
    pub realtime: bool,
    /// The user's other devices get a copy.
    pub echo: bool,
    /// When the publish is to be answered.
    pub until: Until,
    /// It was handed over before under this id, by the same publisher: if it is known, it is not
    /// sent again, and only what became of it is wanted.
    pub is_repeated: bool,
}

impl Outgoing {
    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.payload.len() + self.topic.len() + self.to.len() + headers
    }
}

impl Broker {
    /// Has what is not for this bus handed to the post, instead of refused.
    pub fn attach_post(&mut self) {
        self.post.is_attached = true;
    }

    /// Has it refused again: there is no post any more. Whoever waits for it is told so.
    pub fn detach_post(&mut self, refusal: &Refusal) {
        self.end_post(refusal);
        self.post.forget_all();
    }

    /// What the post is asked next. [`crate::Output::Post`] says that there is something.
    pub fn poll_post(&mut self) -> Option<PostAsk> {
        let ask = self.post.next_ask()?;
        if let PostAsk::Reply { message, .. } = &ask {
            self.post.release(None, message.bytes());
        }
        Some(ask)
    }

    /// The post has a message, and will say more of it.
    pub fn post_took(
        &mut self,
        client: Option<ClientId>,
        number: Option<RequestNumber>,
        message_id: MessageId,
    ) {
        self.post.took(client, (message_id, number));
    }

    /// The post has done with a message what its publisher wants to be told of, or could not.
    pub fn posted(
        &mut self,
        client: Option<ClientId>,
        number: Option<RequestNumber>,
        message_id: MessageId,
        answer: Result<(), Refusal>,
    ) {
        let Some(sent) = self.post.take_sent(client, (message_id, number)) else { return };
        if let Some(publisher) = sent.publisher {
            match answer {
                Ok(()) => self.remembered.reach(publisher, message_id, sent.until),
                Err(_) => self.remembered.forget(publisher, message_id),
            }
        }
        let Some(id) = client.filter(|id| self.client(*id).is_some()) else {
            // Whoever published it is gone, so all that is left is to count it.
            self.queues.totals.refused += u64::from(answer.is_err());
            return;
        };
        match answer {
            Ok(()) => self.answer_published(id, number, message_id, false, None),
            Err(refusal) => self.refuse(id, number, &refusal, None),
        }
        self.go_if_answered(id);
    }

    /// Answers what somebody asked about people, in JSON.
    pub fn answer_people(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        topic: &'static str,
        answer: Result<String, Refusal>,
    ) {
        if !self.post.take_question(id, number) {
            return;
        }
        match answer {
            Ok(payload) => self.answer_json(now, id, number, topic, payload),
            Err(refusal) => self.refuse(id, Some(number), &refusal, None),
        }
    }

    /// Hands a question about people to the post. Whether it is one.
    pub(super) fn ask_people(
        &mut self,
        id: ClientId,
        number: RequestNumber,
        publication: &Publication<'_>,
    ) -> Result<bool, Refusal> {
        let topic = publication.topic.as_str();
        let topic = PEOPLE_ASKED.into_iter().find(|asked| *asked == topic);
        let Some(topic) = topic else { return Ok(false) };
        if !self.post.is_attached {
            return Err(no_post());
        }
        if !publication.protocol.is_ms() {
            let text = format!("`{topic}` is asked in JSON (protocol `ms`)");
            return Err(Refusal::new(Code::BadField, text));
        }
        if PEOPLE_ASKED_BYTES_MAX < publication.payload.len() {
            let text = format!("`{topic}` is asked in at most {PEOPLE_ASKED_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::TooLarge, text));
        }
        self.post.question(id, number)?;
        let is_administrator = self.may_administer(id);
        let payload = publication.payload.to_vec();
        self.post.ask(PostAsk::Asked { client: id, number, topic, payload, is_administrator });
        Ok(true)
    }

    /// Whoever waits for the post waits no more, and is told why.
    pub(super) fn end_post(&mut self, refusal: &Refusal) {
        let ids: Vec<ClientId> = self.queues.clients.iter().map(|(_, one)| one.id).collect();
        for id in ids {
            let tokens = self.client(id).map(|client| client.requests.values().copied().collect());
            let tokens: Vec<u128> = tokens.unwrap_or_default();
            for token in tokens {
                let is_it = |waiting: &Waiting| matches!(waiting, Waiting::Elsewhere { .. });
                if let Some(waiting) = self.requests.take_if(token, is_it) {
                    self.end_request(waiting, refusal);
                }
            }
            let (sent, questions) = self.post.numbers(id);
            for number in questions {
                self.post.take_question(id, number);
                self.refuse(id, Some(number), refusal, None);
            }
            for (_, number) in sent {
                self.refuse(id, number, refusal, None);
            }
            self.post.leave(id, 0);
            self.go_if_answered(id);
        }
    }

    /// A client that waits for the post no more has ended.
    pub(super) fn leave_post(&mut self, id: ClientId, requests: usize) {
        if self.post.leave(id, requests) {
            self.post.ask(PostAsk::Gone(id));
        }
    }
}

/// The refusal where there is no post.
pub(super) fn no_post() -> Refusal {
    let text = "this daemon has no people and devices, only `local`";
    Refusal::new(Code::NotAvailable, text)
}
