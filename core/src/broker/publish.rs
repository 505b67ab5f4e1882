//! From a publication to those who want it.
//!
//! Plain publications of one topic go as a run, however many they are; one with options goes alone.
//! Both are looked up once, then queued for each subscriber; of a group, for one member: the next
//! whose turn it is, or the first after it that has room.

use super::client::{ClientId, Framing};
use super::durable::Storing;
use super::remembered::{Known, Publisher};
use super::requests::token_of;
use super::will::{Kept, Will};
use super::{Broker, Matched};
use crate::buffers::Body;
use crate::clock::Now;
use crate::durable::{OnDisk, succeeded};
use crate::index::{MONITOR, Matches, Target};
use crate::limits::{COPIED_BYTES_PER_WORK, NODES_PER_WORK, RUN_WORK_MAX};
use crate::parcels::{Run, Single};
use crate::sealed::Sealed;
use kith_wire::binary::encode;
use kith_wire::{
    Code, Delivery, Destination, MessageId, Options, Protocol, Publication, Refusal, RequestNumber,
    SENDER_LOCAL, Scope, Topic, Until,
};

/// How many wanted a message, and how many get it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) wanted: usize,
    pub(super) queued: usize,
}

impl Reach {
    fn count(&mut self, queued: bool) {
        self.wanted += 1;
        self.queued += usize::from(queued);
    }

    /// The same, unless it is a monitor, whose looking on is nobody's business.
    fn count_target(&mut self, target: Target, queued: bool) {
        if target.group != MONITOR {
            self.count(queued);
        }
    }
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
        let body = Body::borrowed(entries);
        let mut run = Run::new(topic.borrow(), protocol.borrow(), first, now.unix_ms, count, body);
        let payload_bytes = run.payload_bytes(0..count);
        self.count_published(id, count, payload_bytes);
        self.count_run(id, count);
        self.deliver_run(now, run);
        if !self.matched.matches.durable.is_empty() {
            self.store_run(now, id, (topic, protocol), first, entries);
        }
    }

    /// How many messages of one topic may be published as a run: as many as there are where they
    /// are delivered all at once, fewer where each is queued for itself.
    /// None, where the publisher may not publish there: then each is refused for itself.
    pub(crate) fn run_messages_max(
        &mut self,
        now: Now,
        id: ClientId,
        topic: &Topic<'_>,
        protocol: &Protocol<'_>,
    ) -> u32 {
        let left = self.publishes_left(now, id, topic.as_str());
        self.look_up(Scope::Own, protocol.as_str(), topic.as_str());
        let each_work = self.matched.lines + self.matched.matches.grouped.len();
        let most = RUN_WORK_MAX.checked_div(each_work as u64).map_or(u64::MAX, |most| most.max(1));
        u32::try_from(most).unwrap_or(u32::MAX).min(left)
    }

    pub(super) fn publish(
        &mut self,
        now: Now,
        id: ClientId,
        number: Option<RequestNumber>,
        publication: &Publication<'_>,
        sealed: Option<Sealed>,
    ) -> Result<(), Refusal> {
        self.check_destination(publication)?;
        if let Destination::Elsewhere(to) = &publication.options.to {
            return self.publish_elsewhere(now, id, number, publication, to);
        }
        let aim = Aim::of(publication)?;
        if let Aim::Plain = aim {
            self.check_publish(now, id, publication.topic.as_str())?;
        } else if publication.options.until == Until::Stored {
            let text = "messages on reserved topics are of the moment, and not stored";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        let identity = self.client(id).and_then(|client| client.identity);
        let publisher = Publisher::new(id, identity);
        let given = publication.options.message_id;
        let publisher_of_id = given.map(|_| publisher);
        let client = Some(id);
        let storing = Storing { client, number, publisher: publisher_of_id, mail: None };
        if let Some(message_id) = given {
            if self.publish_again(now, storing, publication, message_id)? {
                return Ok(());
            }
            let known = self.remembered.is_repeated(publisher, message_id, now.monotonic_ms);
            if let Some(Known { on_disk, .. }) = known {
                // Live subscribers have it; that it should be stored may be new.
                let is_wanted = publication.options.until == Until::Stored && on_disk.is_none();
                if is_wanted && self.store_published(now, publication, message_id, storing)? {
                    return Ok(());
                }
                self.answer_published(id, number, message_id, true, on_disk);
                return Ok(());
            }
        }
        let message_id = match aim {
            Aim::Reply(token) => self.reply(now, id, token, publication)?,
            Aim::Contract => self.publish_contract(now, id, publication)?,
            Aim::Plain => {
                self.check_until(publication)?;
                self.publish_now(now, Some(id), publication, sealed)?.0
            }
        };
        // Only now: one that was refused can be published again.
        if let Some(message_id) = given {
            self.remembered.remember(publisher, message_id, now.monotonic_ms);
        }
        self.count_published(id, 1, publication.payload.len() as u64);
        let is_plain = matches!(aim, Aim::Plain);
        if !is_plain || !self.store_published(now, publication, message_id, storing)? {
            self.answer_published(id, number, message_id, false, None);
        }
        Ok(())
    }

    /// Publishes the will of a client that is gone, unless it published the same itself.
    pub(super) fn publish_will(&mut self, now: Now, publisher: Publisher, will: &Will) {
        let given = will.publication().options.message_id;
        if let Some(message_id) = given
            && self.remembered.is_repeated(publisher, message_id, now.monotonic_ms).is_some()
        {
            return;
        }
        if let Destination::Elsewhere(to) = &will.publication().options.to {
            self.send_will(now, publisher, will.publication(), to);
            return;
        }
        let published = self.publish_now(now, None, will.publication(), None);
        if let Ok((message_id, _)) = published {
            let storing = Storing::default();
            if self.store_published(now, will.publication(), message_id, storing).is_err() {
                self.queues.totals.refused += 1;
            }
            self.queues.totals.published += 1;
            self.queues.totals.published_bytes += will.publication().payload.len() as u64;
            if let Some(message_id) = given {
                self.remembered.remember(publisher, message_id, now.monotonic_ms);
            }
        } else {
            // Its publisher is gone, so all that is left is to count it.
            self.queues.totals.refused += 1;
        }
    }

    /// Publishes on a topic that has been looked at. `sealed` is the payload once more, if it can
    /// be handed over; the publication has it too where it is to be kept.
    pub(super) fn publish_now(
        &mut self,
        now: Now,
        owner: Option<ClientId>,
        publication: &Publication<'_>,
        sealed: Option<Sealed>,
    ) -> Result<(MessageId, Reach), Refusal> {
        let Publication { topic, protocol, payload, options } = publication;
        if sealed.is_none() && *options == Options::default() {
            // Before there is an id, as for runs: chance is drawn in the same order.
            self.look_up(Scope::Own, protocol.as_str(), topic.as_str());
            let message_id = self.identifiers.message_ids(now.unix_ms, 1);
            let mut entry = self.queues.buffers.take_large();
            encode::entry(&mut entry, topic.as_str(), protocol, payload);
            let body = Body::owned(entry);
            let (topic, protocol) = (topic.borrow(), protocol.borrow());
            let run = Run::new(topic, protocol, message_id, now.unix_ms, 1, body);
            return Ok((message_id, self.deliver_run(now, run)));
        }
        let message_id = self.message_id(now, options);
        if options.retain && payload.is_empty() {
            self.retained.remove(topic.as_str(), protocol.as_str());
            return Ok((message_id, Reach::default()));
        }
        let delivery = delivery(now, message_id, publication);
        if options.retain {
            let kept = Kept::new(&delivery);
            self.retained.admit(&kept, owner, &self.queues.limits, now.unix_ms)?;
            self.retained.set(kept, owner);
        }
        let reach = self.deliver_alone(Single::sealed(delivery, sealed));
        self.announce_lags(now);
        Ok((message_id, reach))
    }

    pub(super) fn count_published(&mut self, id: ClientId, count: u32, payload_bytes: u64) {
        self.queues.totals.published += u64::from(count);
        self.queues.totals.published_bytes += payload_bytes;
        if let Some(client) = self.queues.get(id) {
            client.published += u64::from(count);
            client.published_bytes += payload_bytes;
        }
    }

    pub(super) fn message_id(&mut self, now: Now, options: &Options<'_>) -> MessageId {
        match options.message_id {
            Some(id) => id,
            None => self.identifiers.message_ids(now.unix_ms, 1),
        }
    }

    pub(super) fn answer_published(
        &mut self,
        id: ClientId,
        number: Option<RequestNumber>,
        message_id: MessageId,
        duplicate: bool,
        on_disk: Option<OnDisk>,
    ) {
        if let Some(number) = number {
            self.queues.answer(id, &succeeded(number, Some(message_id), duplicate, on_disk));
        }
    }

    fn deliver_run(&mut self, now: Now, mut run: Run<'_>) -> Reach {
        self.look_up(run.scope, run.protocol.as_str(), run.topic.as_str());
        let count = run.count;
        let lines_work = self.matched.lines as u64 * u64::from(count);
        self.work += 1 + self.matched.matches.each.len() as u64 + lines_work;
        let Self { queues, matched: Matched { matches, turn, .. }, .. } = self;
        let mut reach = Reach::default();
        for target in &matches.each {
            let queued = queues.deliver_run(*target, &mut run, 0..count) > 0;
            reach.count_target(*target, queued);
        }
        for members in matches.groups() {
            let (is_queued, offers) = queues.deliver_run_to_group(members, *turn, &mut run);
            reach.count(is_queued);
            self.work += offers;
        }
        *turn = turn.wrapping_add(count.into());
        run.recycle(&mut queues.buffers);
        self.announce_lags(now);
        reach
    }

    pub(super) fn deliver_single(&mut self, now: Now, delivery: Delivery<'_>) -> Reach {
        let reach = self.deliver_alone(Single::new(delivery));
        self.announce_lags(now);
        reach
    }

    /// Delivers, and leaves it to the caller to announce the notices that this put into streams.
    pub(super) fn deliver_alone(&mut self, mut single: Single<'_>) -> Reach {
        let delivery = &single.delivery;
        self.look_up(delivery.scope, delivery.protocol.as_str(), delivery.topic.as_str());
        self.work += self.matched.matches.len() as u64;
        let Self { queues, matched: Matched { matches, turn, .. }, .. } = self;
        let mut reach = Reach::default();
        for target in &matches.each {
            reach.count_target(*target, queues.deliver_single(*target, &mut single));
        }
        for members in matches.groups() {
            reach.count(queues.deliver_single_to_one(members, *turn, &mut single));
        }
        *turn = turn.wrapping_add(1);
        self.work += single.copied_bytes() / COPIED_BYTES_PER_WORK;
        single.recycle(&mut queues.buffers);
        reach
    }

    /// The same for those only that name the message's protocol.
    pub(super) fn deliver_named(&mut self, mut single: Single<'_>) {
        let delivery = &single.delivery;
        let (protocol, topic) = (delivery.protocol.as_str(), delivery.topic.as_str());
        let mut matches = Matches::default();
        self.index.find_named(delivery.scope, protocol, topic, &mut matches);
        self.work += matches.len() as u64 + matches.visited / NODES_PER_WORK;
        for target in &matches.each {
            self.queues.deliver_single(*target, &mut single);
        }
        for members in matches.groups() {
            self.queues.deliver_single_to_one(members, 0, &mut single);
        }
        single.recycle(&mut self.queues.buffers);
    }

    /// Whether lookups wait for memory, so that looking ahead is worth it.
    pub(crate) fn is_large(&self) -> bool {
        self.index.is_large()
    }

    /// Has what is needed to publish on these topics close by.
    pub(crate) fn look_ahead(&self, protocol: &str, topics: &[&str]) {
        self.index.look_ahead(Scope::Own, protocol, topics);
    }

    /// Finds who wants it, unless that was the last thing that was found.
    pub(super) fn look_up(&mut self, scope: Scope, protocol: &str, topic: &str) {
        let Self { index, matched, queues, .. } = self;
        let is_same = matched.scope == Some(scope)
            && matched.version == index.version()
            && matched.topic == topic
            && matched.protocol == protocol;
        if is_same {
            return;
        }
        index.find(scope, protocol, topic, &mut matched.matches);
        self.work += matched.matches.visited / NODES_PER_WORK;
        let reads_lines = |target: &&Target| {
            let client = queues.clients.get(target.client as usize);
            client.is_some_and(|client| client.framing == Framing::JsonLines)
        };
        matched.lines = matched.matches.each.iter().filter(reads_lines).count();
        if matched.matches.groups().next().is_some() {
            matched.turn = self.identifiers.random();
        }
        matched.scope = Some(scope);
        matched.version = index.version();
        matched.topic.clear();
        matched.topic.push_str(topic);
        matched.protocol.clear();
        matched.protocol.push_str(protocol);
    }
}

/// What a publication is, by its topic.
enum Aim {
    /// One for whoever wants it.
    Plain,
    /// The reply to the request with this token.
    Reply(u128),
    /// On a reserved topic.
    Contract,
}

impl Aim {
    fn of(publication: &Publication<'_>) -> Result<Self, Refusal> {
        if !publication.topic.is_reserved() {
            return Ok(Self::Plain);
        }
        let Some(token) = token_of(publication.topic.as_str()) else { return Ok(Self::Contract) };
        if publication.options.retain {
            // Nor may it be empty where that is no JSON, which only a kept value may be.
            return Err(Refusal::new(Code::BadField, "a reply can't be kept"));
        }
        Ok(Self::Reply(token))
    }
}

/// Whoever answers publishes there with its own rights, which are not the asker's to use.
pub(super) fn check_reply_to(publication: &Publication<'_>) -> Result<(), Refusal> {
    let Some(reply_to) = &publication.options.reply_to else { return Ok(()) };
    if reply_to.is_reserved() && token_of(reply_to.as_str()).is_none() {
        let text = format!("`{reply_to}` is reserved: an answer can't be wanted there");
        return Err(Refusal::new(Code::BadField, text));
    }
    Ok(())
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
        petname: None,
        device: None,
        scope: Scope::Own,
        protocol: protocol.borrow(),
        topic: topic.borrow(),
        sent_at_ms: now.unix_ms,
        expires_at_ms: options.expire_after_ms.map(|ms| now.unix_ms.saturating_add(ms)),
        reply_to: options.reply_to.as_ref().map(Topic::borrow),
        priority: options.priority,
        retained: false,
        attempt: None,
        headers: options.headers.clone(),
        payload,
        sealed_bytes: None,
    }
}
