//! From a publication to those who want it.
//!
//! Plain publications of one topic go as a run, however many they are; one with options goes alone.
//! Both are looked up once, then queued for each subscriber; of a group, for one member: the next
//! whose turn it is, or the first after it that has room.

use super::client::ClientId;
use super::operations::reserved;
use super::remembered::Publisher;
use super::requests::token_of;
use super::will::{Kept, Will};
use super::{Broker, Matched};
use crate::buffers::Body;
use crate::clock::Now;
use crate::index::{Matches, Target};
use crate::parcels::{Run, Single};
use crate::queues::Queues;
use kith_wire::binary::encode;
use kith_wire::{
    Code, Delivery, Destination, Event, MessageId, Options, Protocol, Publication, Refusal,
    RequestNumber, SENDER_LOCAL, Scope, Topic,
};

/// A message that came from outside: what the daemon worked out about its sender, and what it says.
#[derive(Clone, Debug)]
pub struct Inbound<'a> {
    /// The sender's identity.
    pub sender: &'a str,
    /// The sending device's key.
    pub device: &'a str,
    /// What the sender is to this bus.
    pub scope: Scope,
    /// What was sent.
    pub publication: Publication<'a>,
}

/// How many wanted a message, and how many get it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) wanted: usize,
    pub(super) queued: usize,
}

impl Broker {
    /// Publishes a run: `count` whole PUB frames without flags and number, all of this topic and
    /// protocol, payloads checked.
    pub(crate) fn publish_run(
        &mut self,
        now: Now,
        id: ClientId,
        topic: &Topic<'_>,
        protocol: &Protocol<'_>,
        entries: &[u8],
        count: u32,
    ) {
        let first = self.identifiers.message_ids(now.unix_ms, count);
        self.count_published(id, count);
        let body = Body::borrowed(entries);
        let run = Run::new(topic.borrow(), protocol.borrow(), first, now.unix_ms, count, body);
        self.deliver_run(now, run);
    }

    pub(super) fn publish(
        &mut self,
        now: Now,
        id: ClientId,
        number: Option<RequestNumber>,
        publication: Publication<'_>,
    ) -> Result<(), Refusal> {
        self.check_destination(&publication)?;
        if publication.topic.is_reserved() {
            let Some(token) = token_of(publication.topic.as_str()) else {
                return Err(reserved(publication.topic.as_str()));
            };
            let message_id = self.reply(now, token, &publication)?;
            self.count_published(id, 1);
            self.answer_published(id, number, message_id, false);
            return Ok(());
        }
        let identity = self.client(id).and_then(|client| client.identity);
        let publisher = Publisher::new(id, identity);
        if let Some(message_id) = publication.options.message_id
            && self.remembered.is_repeated(publisher, message_id, now.monotonic_ms)
        {
            self.answer_published(id, number, message_id, true);
            return Ok(());
        }
        let given = publication.options.message_id;
        match self.publish_now(now, Some(id), &publication) {
            Ok((message_id, _)) => {
                self.count_published(id, 1);
                self.answer_published(id, number, message_id, false);
                Ok(())
            }
            Err(refusal) => {
                // It was not published, so publishing it again is no repetition.
                if let Some(message_id) = given {
                    self.remembered.forget(publisher, message_id);
                }
                Err(refusal)
            }
        }
    }

    /// Delivers what came from outside. Nothing that a sender says decides its scope.
    ///
    /// # Errors
    /// If it is on a reserved topic, which is local, or wants to be kept, which is for the own bus.
    pub fn deliver_inbound(&mut self, now: Now, inbound: &Inbound<'_>) -> Result<usize, Refusal> {
        let Inbound { sender, device, scope, publication } = inbound;
        let refused = if publication.topic.is_reserved() {
            Some(reserved(publication.topic.as_str()))
        } else if publication.options.retain {
            Some(Refusal::new(Code::NotAvailable, "only local values are kept"))
        } else {
            None
        };
        if let Some(refusal) = refused {
            self.queues.totals.refused += 1;
            return Err(refusal);
        }
        let message_id = self.message_id(now, &publication.options);
        let mut delivery = delivery(now, message_id, publication);
        delivery.sender = sender;
        delivery.device = Some(device);
        delivery.scope = *scope;
        Ok(self.deliver_single(now, delivery).queued)
    }

    pub(super) fn publish_will(&mut self, now: Now, will: Will) {
        if self.publish_now(now, None, will.publication()).is_ok() {
            self.queues.totals.published += 1;
        } else {
            // Its publisher is gone, so all that is left is to count it.
            self.queues.totals.refused += 1;
        }
    }

    /// Publishes on a topic that has been looked at.
    pub(super) fn publish_now(
        &mut self,
        now: Now,
        owner: Option<ClientId>,
        publication: &Publication<'_>,
    ) -> Result<(MessageId, Reach), Refusal> {
        let message_id = self.message_id(now, &publication.options);
        let Publication { topic, protocol, payload, options } = publication;
        if options.retain && payload.is_empty() {
            self.retained.remove(topic.as_str(), protocol.as_str());
            return Ok((message_id, Reach::default()));
        }
        if *options == Options::default() {
            let mut entry = self.queues.buffers.take();
            encode::entry(&mut entry, topic.as_str(), protocol, payload);
            let body = Body::owned(entry);
            let (topic, protocol) = (topic.borrow(), protocol.borrow());
            let run = Run::new(topic, protocol, message_id, now.unix_ms, 1, body);
            return Ok((message_id, self.deliver_run(now, run)));
        }
        let delivery = delivery(now, message_id, publication);
        if options.retain {
            let kept = Kept::new(&delivery);
            self.retained.admit(&kept, owner, &self.queues.limits, now.unix_ms)?;
            self.retained.set(kept, owner);
        }
        Ok((message_id, self.deliver_single(now, delivery)))
    }

    pub(super) fn check_destination(&self, publication: &Publication<'_>) -> Result<(), Refusal> {
        match &publication.options.to {
            Destination::Local => Ok(()),
            Destination::Elsewhere(to) => {
                let to: String = to.chars().take(64).flat_map(char::escape_debug).collect();
                let text =
                    format!("to `{to}`: this daemon has no people and devices yet, only `local`");
                Err(Refusal::new(Code::NotAvailable, text))
            }
        }
    }

    pub(super) fn count_published(&mut self, id: ClientId, count: u32) {
        self.queues.totals.published += u64::from(count);
        if let Some(client) = self.queues.get(id) {
            client.published += u64::from(count);
        }
    }

    fn message_id(&mut self, now: Now, options: &Options<'_>) -> MessageId {
        match options.message_id {
            Some(id) => id,
            None => self.identifiers.message_ids(now.unix_ms, 1),
        }
    }

    fn answer_published(
        &mut self,
        id: ClientId,
        number: Option<RequestNumber>,
        message_id: MessageId,
        duplicate: bool,
    ) {
        if let Some(number) = number {
            let event = Event::Ok { number, message_id: Some(message_id), duplicate };
            self.queues.answer(id.place, &event);
        }
    }

    fn deliver_run(&mut self, now: Now, mut run: Run<'_>) -> Reach {
        self.look_up(run.scope, run.protocol.as_str(), run.topic.as_str());
        let Self { queues, matched: Matched { matches, .. }, turns, .. } = self;
        let all = 0..run.count;
        let mut reach = Reach::default();
        for target in &matches.each {
            reach.wanted += 1;
            reach.queued += usize::from(queues.deliver_run(*target, &mut run, all.clone()) > 0);
        }
        if !matches.grouped.is_empty() {
            for index in all {
                *turns += 1;
                let bytes = run.entry_bytes(index);
                for target in one_of_each_group(matches, *turns, queues, bytes) {
                    let queued = queues.deliver_run(target, &mut run, index..index + 1);
                    reach.wanted += 1;
                    reach.queued += usize::from(queued > 0);
                }
            }
        }
        run.recycle(&mut queues.buffers);
        self.announce_lags(now);
        reach
    }

    pub(super) fn deliver_single(&mut self, now: Now, delivery: Delivery<'_>) -> Reach {
        self.look_up(delivery.scope, delivery.protocol.as_str(), delivery.topic.as_str());
        let Self { queues, matched: Matched { matches, .. }, turns, .. } = self;
        let mut single = Single::new(delivery);
        let mut reach = Reach::default();
        for target in &matches.each {
            reach.wanted += 1;
            reach.queued += usize::from(queues.deliver_single(*target, &mut single));
        }
        if !matches.grouped.is_empty() {
            *turns += 1;
            let bytes = single.delivery.payload.len() + kith_wire::limits::ENVELOPE_BYTES_MAX;
            for target in one_of_each_group(matches, *turns, queues, bytes) {
                reach.wanted += 1;
                reach.queued += usize::from(queues.deliver_single(target, &mut single));
            }
        }
        single.recycle(&mut queues.buffers);
        self.announce_lags(now);
        reach
    }

    /// Finds who wants it, unless that was the last thing that was found.
    fn look_up(&mut self, scope: Scope, protocol: &str, topic: &str) {
        let Self { index, matched, .. } = self;
        let is_same = matched.scope == Some(scope)
            && matched.version == index.version()
            && matched.topic == topic
            && matched.protocol == protocol;
        if is_same {
            return;
        }
        index.find(scope, protocol, topic, &mut matched.matches);
        matched.scope = Some(scope);
        matched.version = index.version();
        matched.topic.clear();
        matched.topic.push_str(topic);
        matched.protocol.clear();
        matched.protocol.push_str(protocol);
    }
}

/// Of each group the member whose turn it is, or the first after it that has room.
fn one_of_each_group(matches: &Matches, turn: u64, queues: &Queues, bytes: usize) -> Vec<Target> {
    let groups = matches.grouped.chunk_by(|a, b| a.group == b.group);
    let chosen = groups.filter_map(|members| {
        let first = usize::try_from(turn % members.len() as u64).unwrap_or(0);
        let from_first = || members.iter().cycle().skip(first).take(members.len());
        let with_room = from_first().find(|member| queues.has_room(member.client, bytes));
        with_room.or_else(|| from_first().next()).copied()
    });
    chosen.collect()
}

pub(super) fn delivery<'a>(
    now: Now,
    message_id: MessageId,
    publication: &'a Publication<'_>,
) -> Delivery<'a> {
    let Publication { topic, protocol, payload, options } = publication;
    Delivery {
        message_id,
        sender: SENDER_LOCAL,
        device: None,
        scope: Scope::Own,
        protocol: protocol.borrow(),
        topic: topic.borrow(),
        sent_at_ms: now.unix_ms,
        expires_at_ms: options.expire_after_ms.map(|ms| now.unix_ms.saturating_add(ms)),
        reply_to: options.reply_to.as_ref().map(Topic::borrow),
        priority: options.priority,
        retained: false,
        headers: options.headers.clone(),
        payload,
    }
}
