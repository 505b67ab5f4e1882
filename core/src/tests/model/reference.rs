//! The reference: what `docs/protocol.md` says a broker does, in the plainest form.
//!
//! Lists that are looked through from one end to the other, and no cleverness: this is to be read
//! beside the document. Time comes in with [`Reference::now`], and what the real broker did with
//! [`Reference::seen`]: the reference takes from it what it expects, in the order in which it does,
//! and follows it where the document leaves a choice: which member of a group gets a message, and
//! in which order the subscriptions of one connection get theirs.
//!
//! - here: who is connected, what they subscribe to, how it ends;
//! - `deliver.rs`: who gets a message, who loses it, and what is told of that;
//! - `publish.rs`: publishing, requests and replies, kept values, wills;
//! - `totals.rs`: what is counted.

use super::message::{Expected, Id, Ids};
use super::queue::Queue;
use super::seen::Seen;
use crate::broker::Totals;
use crate::clock::Now;
use crate::limits::Limits;
use crate::tests::heard::Heard;
use kith_wire::{Code, Operation, Priority, Publication, Subscribe};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a step led to: nothing, a refusal, or a difference to the real broker.
pub(super) enum Stop {
    Refused(Code),
    Differs(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Differs(text)
    }
}

/// The reference.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) limits: Limits,
    pub(super) now: Now,
    pub(super) seen: Seen,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) kept: Vec<Kept>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) remembered: Vec<Remembered>,
    pub(super) totals: Totals,
    /// Notices that were put into streams and have not been told of on `bus.lag`.
    pub(super) notices: Vec<Notice>,
    pub(super) stats_due: Option<u64>,
    pub(super) shutting_down: bool,
    pub(super) ids: Ids,
    /// How many times ids were made.
    pub(super) made: u64,
    /// Who lost what in this step.
    pub(super) losses: Vec<Loss>,
    /// Whose queue was full for the first time since they were told, in this step.
    pub(super) overflown: BTreeSet<u64>,
    /// For whom it is free whether a gap began in this step, as it depends on which of its
    /// subscriptions came first: who lost something of a run, or lost a message of which another
    /// subscription was told all that was missed until then.
    pub(super) either_overflown: BTreeSet<u64>,
    /// In a run, which is cut where a queue is full: to whom its rest is lost.
    pub(super) run_lost: Option<BTreeSet<Vec<(u64, u32)>>>,
    /// Messages that were written, that expired in queues, and whose readers are gone.
    pub(super) written: u64,
    pub(super) gone: u64,
    /// Replies of the daemon's own, which are answers.
    pub(super) daemon_replies: u64,
    /// Every reply topic that was heard.
    pub(super) reply_topics: Vec<Rc<RefCell<Option<String>>>>,
}

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// `None` until the first byte has told it.
    pub(super) binary: Option<bool>,
    pub(super) name: Option<String>,
    pub(super) identity: Option<[u8; 16]>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) will: Option<Publication<'static>>,
    pub(super) queue: Queue,
    pub(super) closing: bool,
    pub(super) said_goodbye: bool,
    /// The code of the fatal error after which it is closed.
    pub(super) cut_off: Option<Code>,
    pub(super) errors_in_a_row: u32,
    pub(super) published: u64,
    pub(super) published_bytes: u64,
    pub(super) delivered: u64,
    pub(super) delivered_bytes: u64,
    pub(super) dropped: u64,
}

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) number: u32,
    pub(super) pattern: String,
    pub(super) group: Option<String>,
    pub(super) monitor: bool,
}

/// A kept value, and the connection whose it is.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) message: Expected,
    pub(super) owner: Option<u64>,
}

/// A request that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) who: u64,
    pub(super) number: u32,
    pub(super) topic: Rc<RefCell<Option<String>>>,
    pub(super) deadline: u64,
}

/// A message id that was published.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) publisher: Publisher,
    pub(super) id: u128,
    pub(super) at: u64,
}

/// Under what repeated publishes are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publisher {
    Connection(u64),
    Identity([u8; 16]),
}

/// A notice of lag that was put into a stream.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) who: u64,
    pub(super) sub: u32,
    /// Without messages that told of lag themselves.
    pub(super) count: u64,
}

/// A message that was lost, to whom it could have gone, and whether those had lost some before.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) to: Vec<(u64, u32, bool)>,
    pub(super) message: Expected,
}

impl Reference {
    pub(super) fn new(limits: Limits, now: Now) -> Self {
        Self {
            limits,
            now,
            seen: Seen::default(),
            clients: BTreeMap::new(),
            kept: Vec::new(),
            waiting: Vec::new(),
            remembered: Vec::new(),
            totals: Totals::default(),
            notices: Vec::new(),
            stats_due: None,
            shutting_down: false,
            ids: Ids::default(),
            made: 0,
            losses: Vec::new(),
            overflown: BTreeSet::new(),
            either_overflown: BTreeSet::new(),
            run_lost: None,
            written: 0,
            gone: 0,
            daemon_replies: 0,
            reply_topics: Vec::new(),
        }
    }

    pub(super) fn client(&mut self, who: u64) -> Result<&mut Client, String> {
        self.clients.get_mut(&who).ok_or_else(|| format!("client {who} is gone"))
    }

    /// An id that the daemon makes.
    pub(super) fn make_id(&mut self) -> Id {
        self.make_ids(1).remove(0)
    }

    /// Ids that the daemon makes at once.
    pub(super) fn make_ids(&mut self, count: u32) -> Vec<Id> {
        self.made += 1;
        let (order, first) = (self.made, Rc::new(Cell::new(None)));
        (0..count).map(|place| Id::Made { order, place, first: Rc::clone(&first) }).collect()
    }

    pub(super) fn connect(&mut self, result: Result<u64, Code>) -> Result<(), String> {
        let expected = if self.shutting_down {
            Some(Code::ShuttingDown)
        } else if self.limits.clients_max <= self.clients.len() {
            self.totals.refused += 1;
            self.totals.refused_connections += 1;
            Some(Code::QuotaClients)
        } else {
            None
        };
        match (result, expected) {
            (Ok(who), None) => {
                self.clients.insert(who, Client::default());
                self.tell_of_client(who, "connected", None)
            }
            (Err(code), Some(expected)) if code == expected => Ok(()),
            (result, expected) => Err(format!("connecting: {result:?}, not {expected:?}")),
        }
    }

    /// The connection has ended.
    pub(super) fn disconnect(&mut self, who: u64, reason: &str) -> Result<(), String> {
        self.tell_of_lag()?;
        let client = self.client(who)?;
        let cut_off = client.cut_off.map(|code| format!("cut off: {}", code.name()));
        let reason = if client.said_goodbye { "said goodbye" } else { reason };
        let reason = cut_off.as_deref().unwrap_or(reason);
        client.subscriptions.clear();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|one| one.who != who);
        self.waiting = waiting;
        let event = self.event_of_client(who, "disconnected", Some(reason))?;
        let publisher = self.publisher(who)?;
        let client = self.clients.remove(&who).ok_or("gone twice")?;
        self.gone += client.queue.messages() as u64;
        for kept in self.kept.iter_mut().filter(|kept| kept.owner == Some(who)) {
            kept.owner = None;
        }
        self.daemon_says("bus.client", event)?;
        if let Some(will) = client.will {
            self.publish_will(publisher, &will)?;
        }
        self.remembered.retain(|one| one.publisher != Publisher::Connection(who));
        Ok(())
    }

    /// What happens to a client that is to be closed once all is sent.
    pub(super) fn close(&mut self, who: u64) -> Result<(), String> {
        let client = self.client(who)?;
        if client.closing {
            return Ok(());
        }
        client.closing = true;
        client.subscriptions.clear();
        client.queue.settle();
        let missed: Vec<_> = client.queue.missed.keys().copied().collect();
        self.waiting.retain(|one| one.who != who);
        missed.into_iter().try_for_each(|(sub, priority)| self.answer_lag(who, sub, priority))
    }

    pub(super) fn shut_down(&mut self) -> Result<(), String> {
        self.shutting_down = true;
        self.stats_due = None;
        for who in self.clients.keys().copied().collect::<Vec<_>>() {
            self.client(who)?.will = None;
            if self.client(who)?.closing {
                continue;
            }
            self.close(who)?;
            match self.seen.answer(who)? {
                Heard::Bye { code, .. } if code == "shutting-down" => {}
                other => return Err(format!("{other:?}, not a bye")),
            }
        }
        Ok(())
    }

    /// What a client asks, and what it is answered. `offset` is where its line or frame began.
    pub(super) fn say(
        &mut self,
        who: u64,
        number: Option<u32>,
        operation: &Operation<'static>,
        offset: u64,
    ) -> Result<(), String> {
        self.client(who)?.errors_in_a_row = 0;
        match self.operate(who, number, operation) {
            Ok(()) => Ok(()),
            Err(Stop::Refused(code)) => {
                self.refuse(who, number, code, Some(offset..=offset), false)
            }
            Err(Stop::Differs(text)) => Err(text),
        }
    }

    fn operate(
        &mut self,
        who: u64,
        number: Option<u32>,
        operation: &Operation<'static>,
    ) -> Result<(), Stop> {
        match operation {
            Operation::Publish(publication) => return self.publish(who, number, publication),
            Operation::Acknowledge { .. } => {
                return Err(Stop::Differs("the model has no store".to_owned()));
            }
            Operation::PublishSealed { .. } => {
                return Err(Stop::Differs("no client of the model has descriptors".to_owned()));
            }
            Operation::Request { number, publication, timeout_ms } => {
                return self.request(who, number.get(), publication, *timeout_ms);
            }
            Operation::Subscribe(asked) => return self.subscribe(who, asked),
            Operation::Hello { name, client, .. } => {
                return Ok(self.hello(who, number, name.as_ref(), *client)?);
            }
            Operation::Unsubscribe(sub) => self.unsubscribe(who, sub.get())?,
            Operation::Will(publication) => self.leave_will(who, publication)?,
            Operation::Unwill => self.client(who)?.will = None,
            Operation::Ping => {}
            Operation::Bye => {
                let client = self.client(who)?;
                client.will = None;
                client.said_goodbye = true;
                self.close(who)?;
            }
        }
        Ok(self.answer_ok(who, number, None, false)?)
    }

    fn hello(
        &mut self,
        who: u64,
        number: Option<u32>,
        name: Option<&String>,
        identity: Option<[u8; 16]>,
    ) -> Result<(), String> {
        let bytes_max = self.limits.payload_bytes_max as u64;
        let client = self.client(who)?;
        client.name = name.cloned().or_else(|| client.name.take());
        if identity.is_some() {
            client.identity = identity;
            // What it published by another name was another's.
            self.remembered.retain(|one| one.publisher != Publisher::Connection(who));
        }
        let Some(wanted) = number else { return Ok(()) };
        match self.seen.answer(who)? {
            Heard::Welcome { number, version, payload_bytes_max }
                if (number, payload_bytes_max) == (wanted, bytes_max) && !version.is_empty() =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}, not a welcome")),
        }
    }

    fn subscribe(&mut self, who: u64, asked: &Subscribe<'static>) -> Result<(), Stop> {
        let number = asked.number.get();
        let pattern = asked.pattern.to_string();
        let weight = |all: &[Subscription]| all.iter().map(|one| weight(&one.pattern)).sum();
        let own: usize = weight(&self.client(who)?.subscriptions);
        let total: usize = self.clients.values().map(|one| weight(&one.subscriptions)).sum();
        let new = self::weight(&pattern);
        if self.client(who)?.subscriptions.iter().any(|one| one.number == number) {
            return Err(Stop::Refused(Code::DuplicateSubscription));
        }
        if self.limits.subscriptions_max < own + new
            || self.limits.subscriptions_total_max < total + new
        {
            return Err(Stop::Refused(Code::QuotaSubscriptions));
        }
        let group = asked.group.as_ref().map(ToString::to_string);
        let monitor = asked.monitor;
        let one = Subscription { number, pattern, group, monitor };
        self.client(who)?.subscriptions.push(one.clone());
        self.answer_ok(who, Some(number), None, false)?;
        if asked.retained {
            self.deliver_kept(who, &one)?;
        }
        self.arm_stats();
        Ok(())
    }

    fn unsubscribe(&mut self, who: u64, number: u32) -> Result<(), Stop> {
        let client = self.client(who)?;
        let before = client.subscriptions.len();
        client.subscriptions.retain(|one| one.number != number);
        if client.subscriptions.len() == before {
            return Err(Stop::Refused(Code::UnknownSubscription));
        }
        client.queue.settle();
        for priority in Priority::ALL {
            if self.client(who)?.queue.missed.contains_key(&(number, priority)) {
                self.answer_lag(who, number, priority)?;
            }
        }
        Ok(self.tell_of_lag()?)
    }

    pub(super) fn publisher(&mut self, who: u64) -> Result<Publisher, String> {
        let identity = self.client(who)?.identity;
        Ok(identity.map_or(Publisher::Connection(who), Publisher::Identity))
    }

    pub(super) fn answer_ok(
        &mut self,
        who: u64,
        number: Option<u32>,
        id: Option<&Id>,
        duplicate: bool,
    ) -> Result<(), String> {
        let Some(wanted) = number else { return Ok(()) };
        let heard = self.seen.answer(who)?;
        if let Heard::Ok { number, message_id, duplicate: is_duplicate, .. } = &heard
            && (*number, *is_duplicate) == (wanted, duplicate)
            && message_id.is_some() == id.is_some()
        {
            let Some((id, text)) = id.zip(message_id.as_ref()) else { return Ok(()) };
            let heard = super::message::id_of(text).ok_or("not an id")?;
            return self.ids.learn(id, heard);
        }
        Err(format!("client {who}: {heard:?}, not ok {wanted}, duplicate {duplicate}"))
    }

    /// Something is refused, and counted. `at` is where the offending byte may be.
    pub(super) fn refuse(
        &mut self,
        who: u64,
        number: Option<u32>,
        code: Code,
        at: Option<std::ops::RangeInclusive<u64>>,
        fatal: bool,
    ) -> Result<(), String> {
        self.totals.refused += 1;
        if fatal {
            self.totals.cut_off += 1;
            self.client(who)?.cut_off = Some(code);
            self.close(who)?;
        }
        let heard = self.seen.answer(who)?;
        let expected = format!("err {number:?} {code:?} at {at:?}, fatal {fatal}");
        match &heard {
            Heard::Err { number: n, code: c, text, at: a, fatal: f }
                if (*n, c.as_str(), *f) == (number, code.name(), fatal)
                    && !text.is_empty()
                    && a.is_some() == at.is_some()
                    && a.zip(at).is_none_or(|(a, at)| at.contains(&a)) =>
            {
                Ok(())
            }
            _ => Err(format!("client {who}: {heard:?}, not {expected}")),
        }
    }

    /// What is no operation is refused; too much of it ends the connection.
    pub(super) fn refuse_bad(
        &mut self,
        who: u64,
        number: Option<u32>,
        code: Code,
        at: std::ops::RangeInclusive<u64>,
        fatal: bool,
    ) -> Result<(), String> {
        self.refuse(who, number, code, Some(at.clone()), fatal)?;
        self.client(who)?.errors_in_a_row += 1;
        if 64 <= self.client(who)?.errors_in_a_row && !fatal {
            self.refuse(who, None, Code::TooManyErrors, Some(at), true)?;
        }
        Ok(())
    }
}

/// What a subscription counts.
fn weight(pattern: &str) -> usize {
    let (_, topic) = pattern.split_once('.').unwrap_or_default();
    let tokens: Vec<&str> = topic.split('.').collect();
    let has_wildcard = tokens.iter().any(|token| *token == "*" || *token == ">");
    if has_wildcard { tokens.len().div_ceil(8) } else { 1 }
}
