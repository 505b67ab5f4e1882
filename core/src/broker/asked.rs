//! What the shell has to be told, and what it is asked: by and about services.
//!
//! The broker knows who is a service and what it may do; the shell starts and stops them, asks them
//! whether they live, and knows what was granted. So the broker hands out [`Notice`]s, and what it
//! was asked that only the shell can answer ([`ASKED`]).
//!
//! A heartbeat is a request like any other: a message with a reply topic, on a topic of the
//! service's own. So a service in any language answers it with what it knows already.

use super::client::{ClientId, Usage};
use super::publish::delivery;
use super::requests::{Waiting, reply_topic};
use super::{Broker, Matched};
use crate::clock::Now;
use crate::index::Target;
use crate::limits::{ASKED_MAX, COPIED_BYTES_PER_WORK, NOTICES_MAX};
use crate::parcels::Single;
use kith_wire::{
    Code, Event, Options, Pattern, Protocol, Publication, Refusal, RequestNumber, Scope, Topic,
};

/// The topics on which the shell is asked. Every connection may ask for the lists.
pub const ASKED: [&str; 8] = [
    "bus.grants.add",
    "bus.grants.list",
    "bus.grants.revoke",
    "services.disable",
    "services.enable",
    "services.list",
    "services.logs",
    "services.restart",
];

/// What heartbeats are asked on; the service's name comes behind it.
const HEARTBEAT: &str = "services.heartbeat.";

/// What the shell is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A service has come: it has shown its token.
    Entered {
        /// Its name.
        service: String,
        /// Its connection.
        client: ClientId,
    },
    /// The connection of a service has ended.
    Left {
        /// Its name.
        service: String,
        /// Its connection.
        client: ClientId,
        /// What it has done.
        usage: Usage,
    },
    /// A service was cut off for what it said.
    CutOff {
        /// Its connection, which may take a while to end.
        client: ClientId,
        /// The code.
        code: Code,
    },
    /// A service has subscribed to its heartbeat: it is there.
    Ready(ClientId),
    /// A service says how it is.
    Health {
        /// Its connection.
        client: ClientId,
        /// What it says, in JSON: that of `services.health`.
        payload: String,
    },
    /// A service was refused something; told the first time, and then each time that the count has
    /// doubled.
    Refused {
        /// Its connection.
        client: ClientId,
        /// The code.
        code: Code,
        /// Why.
        text: String,
        /// How often in all.
        count: u64,
    },
    /// A service has answered its heartbeat.
    Alive(ClientId),
    /// It has not, in time.
    Silent(ClientId),
    /// Somebody asks.
    Asked {
        /// Who; answered by [`Broker::answer_asked`].
        client: ClientId,
        /// Under which number.
        number: RequestNumber,
        /// One of [`ASKED`].
        topic: &'static str,
        /// What, in JSON.
        payload: Vec<u8>,
    },
}

impl Broker {
    /// Has what only the shell knows asked from it, instead of refused.
    pub fn ask_shell(&mut self) {
        self.asks_shell = true;
    }

    /// What the shell has to be told next. [`crate::Output::Notice`] says that there is something.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Tells that a service is ready, if this is a subscription to its heartbeat.
    pub(super) fn tell_ready(&mut self, id: ClientId, pattern: &Pattern<'_>) {
        let name = pattern.topic().strip_prefix(HEARTBEAT);
        if name.is_some() && name == self.service(id) {
            self.tell(Notice::Ready(id));
        }
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        self.has_notice = true;
        self.notices.push_back(notice);
    }

    /// Hands a question to the shell. Whether it is one for it.
    pub(super) fn ask(
        &mut self,
        id: ClientId,
        number: RequestNumber,
        publication: &Publication<'_>,
    ) -> Result<bool, Refusal> {
        let topic = publication.topic.as_str();
        let Some(topic) = ASKED.into_iter().find(|asked| *asked == topic) else { return Ok(false) };
        if !self.asks_shell {
            return Ok(false);
        }
        if NOTICES_MAX <= self.notices.len() {
            return Err(Refusal::new(Code::Busy, "too much is asked of the daemon at once"));
        }
        let Some(client) = self.queues.get(id) else { return Ok(true) };
        if ASKED_MAX <= client.asked {
            let text = format!("{ASKED_MAX} questions of this connection wait for an answer");
            return Err(Refusal::new(Code::QuotaRequests, text));
        }
        if !publication.protocol.is_ms() {
            let text = format!("`{topic}` is asked in JSON (protocol `ms`)");
            return Err(Refusal::new(Code::BadField, text));
        }
        if let Some(client) = self.queues.get(id) {
            client.asked += 1;
        }
        let payload = publication.payload.to_vec();
        self.tell(Notice::Asked { client: id, number, topic, payload });
        Ok(true)
    }

    /// Answers what somebody asked, in JSON.
    pub fn answer_asked(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        topic: &'static str,
        answer: Result<String, Refusal>,
    ) {
        if let Some(client) = self.queues.get(id) {
            client.asked = client.asked.saturating_sub(1);
        }
        match answer {
            Ok(payload) => self.answer_json(now, id, number, topic, payload),
            Err(refusal) => self.refuse(id, Some(number), &refusal, None),
        }
    }

    /// Answers a request with the daemon's own words: among the answers, for whoever looks at a
    /// full bus must get to see it.
    pub(super) fn answer_json(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        topic: &str,
        payload: String,
    ) {
        let Ok(topic) = Topic::new(topic) else { return };
        self.work += payload.len() as u64 / COPIED_BYTES_PER_WORK;
        let message_id = self.identifiers.message_ids(now.unix_ms, 1);
        let answer = Publication {
            topic,
            protocol: Protocol::MS,
            payload: payload.into_bytes().into(),
            options: Options::default(),
        };
        let event = Event::Reply { number, delivery: delivery(now, message_id, &answer) };
        self.queues.answer(id, &event);
        self.queues.totals.replies += 1;
    }

    /// Asks a service for a sign of life, which has to come within so many milliseconds; then
    /// [`Notice::Alive`] or [`Notice::Silent`] is told. Whether it could be asked: it may not have
    /// subscribed to its heartbeat, or its queue may be full.
    pub fn ask_heartbeat(&mut self, now: Now, id: ClientId, timeout_ms: u64) -> bool {
        let Some(name) = self.service(id) else { return false };
        let Ok(topic) = Topic::new(format!("{HEARTBEAT}{name}")) else { return false };
        let token = self.identifiers.token();
        let reply_to = Topic::new(reply_topic(token)).ok();
        let publication = Publication {
            topic,
            protocol: Protocol::MS,
            payload: b"{}".as_slice().into(),
            options: Options { reply_to, ..Options::default() },
        };
        let message_id = self.identifiers.message_ids(now.unix_ms, 1);
        self.look_up(Scope::Own, "ms", publication.topic.as_str());
        let Self { queues, matched: Matched { matches, turn, .. }, .. } = self;
        let (own, others): (Vec<Target>, Vec<Target>) =
            matches.each.iter().copied().partition(|target| target.client == id.place);
        let mut single = Single::new(delivery(now, message_id, &publication));
        let mut is_asked = false;
        for target in own {
            is_asked |= queues.deliver_single(target, &mut single);
        }
        if is_asked {
            // Who looks on sees what is asked.
            for target in others {
                queues.deliver_single(target, &mut single);
            }
            for members in matches.groups() {
                queues.deliver_single_to_one(members, *turn, &mut single);
            }
        }
        single.recycle(&mut queues.buffers);
        self.announce_lags(now);
        if !is_asked {
            return false;
        }
        let deadline_ms = now.monotonic_ms.saturating_add(timeout_ms);
        self.requests.insert(token, Waiting::Daemon { service: id }, deadline_ms);
        true
    }
}
