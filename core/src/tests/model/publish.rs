//! Publishing, requests and replies, kept values, wills.

use super::deliver::{Reach, wants};
use super::lists::Page;
use super::message::{Expected, Id, Payload, ReplyTo};
use super::reference::{Kept, Loss, Publisher, Reference, Remembered, Stop, Subscription, Waiting};
use crate::limits::RUN_WORK_MAX;
use crate::tests::heard::Heard;
use kith_wire::{Code, Destination, MessageId, Publication};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Topics that begin so are the daemon's.
const RESERVED: [&str; 8] =
    ["bus", "transports", "directory", "envelope", "delivery", "people", "rooms", "services"];

/// How long an id is remembered, in milliseconds.
const REMEMBERED: u64 = 10 * 60 * 1000;

fn is_reserved(topic: &str) -> bool {
    RESERVED.contains(&topic.split('.').next().unwrap_or_default())
}

fn number_of(id: MessageId) -> u128 {
    u128::from_be_bytes(*id.as_bytes())
}

fn check_destination(publication: &Publication<'_>) -> Result<(), Stop> {
    match publication.options.to {
        Destination::Local => Ok(()),
        Destination::Elsewhere(_) => Err(Stop::Refused(Code::NotAvailable)),
    }
}

/// Whether a publication replies to a request; anything else on a reserved topic is refused.
fn is_reply(publication: &Publication<'_>) -> Result<bool, Stop> {
    let topic = publication.topic.as_str();
    if !is_reserved(topic) {
        return Ok(false);
    }
    let token = topic.strip_prefix("bus.reply.").unwrap_or_default();
    let is_token = token.len() == 32 && token.bytes().all(|b| b"0123456789abcdef".contains(&b));
    match (is_token, publication.options.retain) {
        (false, _) => Err(Stop::Refused(Code::ReservedTopic)),
        (true, true) => Err(Stop::Refused(Code::BadField)),
        (true, false) => Ok(true),
    }
}

/// What a kept value counts.
fn kept_bytes(message: &Expected) -> usize {
    let payload = if let Payload::Bytes(bytes) = &message.payload { bytes.len() } else { 0 };
    let reply_to = if let ReplyTo::Given(topic) = &message.reply_to { topic.len() } else { 0 };
    let headers = message.headers.iter().map(|(key, value)| 80 + key.len() + value.len());
    payload + message.topic.len() + reply_to + headers.sum::<usize>()
}

/// What the daemon answers.
enum Answer {
    Object(serde_json::Value),
    Page(Page),
}

impl Reference {
    pub(super) fn publish(
        &mut self,
        who: u64,
        number: Option<u32>,
        publication: &Publication<'static>,
    ) -> Result<(), Stop> {
        check_destination(publication)?;
        let is_reply = is_reply(publication)?;
        let publisher = self.publisher(who)?;
        let given = publication.options.message_id.map(number_of);
        if let Some(id) = given
            && self.is_repeated(publisher, id)
        {
            return Ok(self.answer_ok(who, number, Some(&Id::Given(id)), true)?);
        }
        let id = match is_reply {
            true => self.reply(publication)?,
            false => self.publish_now(Some(who), publication, ReplyTo::Nowhere)?.0,
        };
        if let Some(id) = given {
            self.remembered.push(Remembered { publisher, id, at: self.now.monotonic_ms });
        }
        self.count_published(who, publication)?;
        Ok(self.answer_ok(who, number, Some(&id), false)?)
    }

    /// Plain messages that were published at once, of which a queue that is full cuts off the rest.
    pub(super) fn publish_run<'a>(
        &mut self,
        who: u64,
        run: impl ExactSizeIterator<Item = &'a Publication<'static>> + Clone,
    ) -> Result<(), String> {
        self.client(who)?.errors_in_a_row = 0;
        let all: Vec<&Publication<'static>> = run.collect();
        let Some(first) = all.first() else { return Ok(()) };
        for part in all.chunks(self.part_of_run(first)) {
            self.run_lost = Some(BTreeSet::new());
            let ids = self.make_ids(u32::try_from(part.len()).unwrap_or(u32::MAX));
            for (publication, id) in part.iter().zip(ids) {
                let message = Expected::local(id, self.now.unix_ms, publication);
                self.deliver(&message)?;
            }
            self.run_lost = None;
            self.tell_of_lag()?;
            part.iter().try_for_each(|publication| self.count_published(who, publication))?;
        }
        Ok(())
    }

    /// After how many messages a run is cut, so that none is too much work at once: each counts for
    /// those that read it as a line, and for the members of groups.
    fn part_of_run(&self, first: &Publication<'static>) -> usize {
        let (protocol, topic) = (first.protocol.as_str(), first.topic.as_str());
        let mut work = 0;
        for client in self.clients.values() {
            let takes_each =
                |one: &&Subscription| one.group.is_some() || client.binary != Some(true);
            let wanting = client.subscriptions.iter();
            let wanting = wanting.filter(|one| wants(&one.pattern, protocol, "self", topic));
            work += wanting.filter(takes_each).count();
        }
        let work_max = usize::try_from(RUN_WORK_MAX).unwrap_or(usize::MAX);
        work_max.checked_div(work).map_or(usize::MAX, |most| most.max(1))
    }

    /// Delivers a publication, or keeps or removes a value.
    fn publish_now(
        &mut self,
        owner: Option<u64>,
        publication: &Publication<'static>,
        reply_to: ReplyTo,
    ) -> Result<(Id, Reach), Stop> {
        let id = self.id(publication);
        let Publication { topic, protocol, payload, options } = publication;
        let mut message = Expected::local(id.clone(), self.now.unix_ms, publication);
        if let ReplyTo::Made(_) = reply_to {
            message = Expected { reply_to, plain: false, ..message };
        }
        if options.retain {
            let is_it = |kept: &Kept| {
                kept.message.topic == topic.as_str() && kept.message.protocol == protocol.as_str()
            };
            if payload.is_empty() {
                self.kept.retain(|kept| !is_it(kept));
                return Ok((id, Reach::default()));
            }
            let now = self.now.unix_ms;
            self.kept.retain(|kept| kept.message.expires_at.is_none_or(|at| now < at));
            self.check_kept(owner, &message, is_it)?;
            self.kept.retain(|kept| !is_it(kept));
            self.kept.push(Kept { message: message.clone(), owner });
        }
        let reach = self.deliver(&message)?;
        self.tell_of_lag()?;
        Ok((id, reach))
    }

    fn id(&mut self, publication: &Publication<'_>) -> Id {
        match publication.options.message_id {
            Some(id) => Id::Given(number_of(id)),
            None => self.make_id(),
        }
    }

    /// The bus keeps so much, and half of it for one connection.
    fn check_kept(
        &self,
        owner: Option<u64>,
        new: &Expected,
        is_replaced: impl Fn(&Kept) -> bool,
    ) -> Result<(), Stop> {
        let (messages_max, bytes_max) =
            (self.limits.retained_messages_max, self.limits.retained_bytes_max);
        let others = || self.kept.iter().filter(|kept| !is_replaced(kept));
        let own = || others().filter(|kept| owner.is_some() && kept.owner == owner);
        let bytes = |all: &mut dyn Iterator<Item = &Kept>| {
            kept_bytes(new) + all.map(|kept| kept_bytes(&kept.message)).sum::<usize>()
        };
        let is_full = messages_max < 1 + others().count() || bytes_max < bytes(&mut others());
        let has_its_half = owner.is_some()
            && (messages_max.div_ceil(2) < 1 + own().count()
                || bytes_max.div_ceil(2) < bytes(&mut own()));
        match is_full || has_its_half {
            true => Err(Stop::Refused(Code::QuotaRetained)),
            false => Ok(()),
        }
    }

    /// How many values are kept, and their bytes.
    pub(super) fn kept_sizes(&self) -> (usize, usize) {
        (self.kept.len(), self.kept.iter().map(|kept| kept_bytes(&kept.message)).sum())
    }

    pub(super) fn announce_ready(&mut self, version: &str, pid: u32) -> Result<(), String> {
        let started_at = self.now.unix_ms;
        let fields = serde_json::json!(
            {"version": version, "protocol": 1, "pid": pid, "started_at": started_at}
        );
        let payload = Payload::Bytes(fields.to_string().into_bytes());
        let message = Expected { payload, ..self.daemon_message("bus.ready", fields) };
        self.kept.push(Kept { message: message.clone(), owner: None });
        self.deliver(&message)?;
        self.tell_of_lag()
    }

    fn count_published(&mut self, who: u64, publication: &Publication<'_>) -> Result<(), String> {
        let bytes = publication.payload.len() as u64;
        self.totals.published += 1;
        self.totals.published_bytes += bytes;
        let client = self.client(who)?;
        client.published += 1;
        client.published_bytes += bytes;
        Ok(())
    }

    /// Whether this publisher published this id within the last ten minutes.
    fn is_repeated(&mut self, publisher: Publisher, id: u128) -> bool {
        let now = self.now.monotonic_ms;
        self.remembered.retain(|one| one.publisher != publisher || now < one.at + REMEMBERED);
        self.remembered.iter().any(|one| (one.publisher, one.id) == (publisher, id))
    }

    pub(super) fn request(
        &mut self,
        who: u64,
        number: u32,
        publication: &Publication<'static>,
        timeout_ms: u32,
    ) -> Result<(), Stop> {
        check_destination(publication)?;
        let own: Vec<u32> =
            self.waiting.iter().filter(|one| one.who == who).map(|one| one.number).collect();
        if own.contains(&number) {
            return Err(Stop::Refused(Code::DuplicateRequest));
        }
        if self.limits.requests_max <= own.len() {
            return Err(Stop::Refused(Code::QuotaRequests));
        }
        self.totals.requests += 1;
        if is_reserved(publication.topic.as_str()) {
            return self.request_daemon(who, number, publication);
        }
        let topic = Rc::new(RefCell::new(None));
        let reply_to = ReplyTo::Made(Rc::clone(&topic));
        let (_, reach) = self.publish_now(Some(who), publication, reply_to)?;
        if topic.borrow().is_some() {
            self.reply_topics.push(Rc::clone(&topic));
        }
        if reach.wanted == 0 {
            self.totals.no_responders += 1;
            return Err(Stop::Refused(Code::NoResponders));
        }
        if reach.queued == 0 {
            return Err(Stop::Refused(Code::Busy));
        }
        self.count_published(who, publication)?;
        let deadline = self.now.monotonic_ms + u64::from(timeout_ms);
        self.waiting.push(Waiting { who, number, topic, deadline });
        Ok(())
    }

    /// What the daemon itself answers, among the answers.
    fn request_daemon(
        &mut self,
        who: u64,
        wanted: u32,
        publication: &Publication<'static>,
    ) -> Result<(), Stop> {
        let topic = publication.topic.as_str();
        let answer = match topic {
            "bus.stats" => Answer::Object(self.stats_fields()),
            "bus.clients" | "bus.subscriptions" => {
                let page = self.page(publication).ok_or(Stop::Refused(Code::BadField))?;
                Answer::Page(page)
            }
            _ => return Err(Stop::Refused(Code::ReservedTopic)),
        };
        let heard = self.seen.answer(who)?;
        let Heard::Reply { number, message: heard } = heard else {
            return Err(Stop::Differs(format!("{}, not {topic}", heard.text())));
        };
        let fields = match answer {
            Answer::Object(fields) => fields,
            Answer::Page(page) => page.cut_to(&heard.payload, self.limits.payload_bytes_max)?,
        };
        let message = self.daemon_message(topic, fields);
        if number != wanted || !message.agrees(&heard) {
            return Err(Stop::Differs(format!("{number} {heard:?}, not {message:?}")));
        }
        self.ids
            .learn(&message.id, super::message::id_of(&heard.message_id).unwrap_or_default())?;
        self.totals.replies += 1;
        self.daemon_replies += 1;
        Ok(self.count_published(who, publication)?)
    }

    /// The first publish on a reply topic goes to who asked, and ends the request.
    fn reply(&mut self, publication: &Publication<'static>) -> Result<Id, Stop> {
        let topic = Some(publication.topic.to_string());
        let at = self.waiting.iter().position(|one| *one.topic.borrow() == topic);
        let at = at.ok_or(Stop::Refused(Code::UnknownRequest))?;
        let Waiting { who, number, .. } = self.waiting.remove(at);
        let id = self.id(publication);
        let message = Expected::local(id.clone(), self.now.unix_ms, publication);
        let message = Expected { plain: false, ..message };
        match self.seen.reply(who, number) {
            Some(Heard::Reply { message: heard, .. }) if message.agrees(&heard) => {
                let heard = super::message::id_of(&heard.message_id).unwrap_or_default();
                self.ids.learn(&id, heard)?;
                self.totals.replies += 1;
            }
            Some(other) => return Err(Stop::Differs(format!("{other:?}, not {message:?}"))),
            None => {
                self.losses.push(Loss { to: vec![(who, number, false)], message });
                self.refuse(who, Some(number), Code::Busy, None, false)?;
            }
        }
        Ok(id)
    }

    pub(super) fn leave_will(
        &mut self,
        who: u64,
        publication: &Publication<'static>,
    ) -> Result<(), Stop> {
        check_destination(publication)?;
        if is_reserved(publication.topic.as_str()) {
            return Err(Stop::Refused(Code::ReservedTopic));
        }
        if 64 << 10 < publication.payload.len() {
            return Err(Stop::Refused(Code::TooLarge));
        }
        self.client(who)?.will = Some(publication.clone());
        Ok(())
    }

    /// A will is published, unless its client published the same message itself.
    pub(super) fn publish_will(
        &mut self,
        publisher: Publisher,
        will: &Publication<'static>,
    ) -> Result<(), String> {
        let given = will.options.message_id.map(number_of);
        if given.is_some_and(|id| self.is_repeated(publisher, id)) {
            return Ok(());
        }
        match self.publish_now(None, will, ReplyTo::Nowhere) {
            Ok(_) => {
                self.totals.published += 1;
                self.totals.published_bytes += will.payload.len() as u64;
                let at = self.now.monotonic_ms;
                self.remembered.extend(given.map(|id| Remembered { publisher, id, at }));
                Ok(())
            }
            Err(Stop::Refused(_)) => {
                self.totals.refused += 1;
                Ok(())
            }
            Err(Stop::Differs(text)) => Err(text),
        }
    }

    /// What came from outside. It is delivered with the scope that the daemon worked out, but never
    /// on a reserved topic, and never kept.
    pub(super) fn inbound(
        &mut self,
        inbound: &crate::broker::Inbound<'static>,
        result: Result<usize, Code>,
    ) -> Result<(), String> {
        let publication = &inbound.publication;
        let refused = match is_reserved(publication.topic.as_str()) {
            true => Some(Code::ReservedTopic),
            false => publication.options.retain.then_some(Code::NotAvailable),
        };
        if let Some(code) = refused {
            self.totals.refused += 1;
            return match result {
                Err(result) if result == code => Ok(()),
                other => Err(format!("inbound: {other:?}, not {code:?}")),
            };
        }
        let id = self.id(publication);
        let message = Expected::local(id, self.now.unix_ms, publication);
        let (sender, device) = (inbound.sender.to_owned(), Some(inbound.device.to_owned()));
        let (scope, plain) = (inbound.scope, false);
        let petname = inbound.petname.map(str::to_owned);
        let message = Expected { sender, petname, device, scope, plain, ..message };
        let reach = self.deliver(&message)?;
        self.tell_of_lag()?;
        match result {
            Ok(queued) if queued == reach.queued => Ok(()),
            other => Err(format!("inbound: {other:?}, not {}", reach.queued)),
        }
    }
}
