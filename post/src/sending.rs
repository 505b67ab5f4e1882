//! From a message of a local program to letters: who gets it, in which order, and how it is sealed.
//!
//! Who gets it is worked out once, when it is taken on: the devices that the recipients' cards list
//! then. It is sealed for each device when there is a way to it, and not before, so that a session
//! that is made anew in between loses nothing.

use crate::envelope::{
    Body, Content, EncryptError, Kind, Lane, Parcel, Party, PeerKeys, bare, cut, seal,
};
use crate::flying::Envelope;
use crate::input::{Inbound, Outgoing, Output};
use crate::limits::{
    EXPIRE_AFTER_MS, EXPIRE_AFTER_MS_MAX, REALTIME_MS, REQUEST_MS_MAX, SEALED_PER_TURN_MAX,
    UNACKNOWLEDGED_MS,
};
use crate::links::Link;
use crate::outbox::{Errand, Full, New, Outcome, Parcelled};
use crate::post::Post;
use crate::requests::Asked;
use kith_contract::delivery::{Refusal as Reason, Rung};
use kith_contract::envelope::{Failed, Send, Sent};
use kith_contract::{Bytes, SEND};
use kith_people::{BoxId, DeviceId, PersonId, Standing};
use kith_wire::{Code, MessageId, Priority, Protocol, Refusal, Topic, Until};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Who gets a message, and whether that is a copy for the user's own devices.
pub(crate) type Recipient = (PersonId, DeviceId, bool);

impl Post {
    /// A local program publishes to others.
    pub(crate) fn send(&mut self, ticket: u64, message: Outgoing, is_repeated: bool) {
        let id = message.id;
        if is_repeated && self.outbox.wait_again(id, ticket, message.until) {
            self.outputs.push_back(Output::Took { ticket, id });
        } else if let Err(refusal) = self.take_on(Some(ticket), message, Errand::Message) {
            self.outputs.push_back(Output::Answer { ticket, id, result: Err(refusal) });
        }
    }

    /// A local program asks others.
    pub(crate) fn request(&mut self, ticket: u64, timeout_ms: u64, message: Outgoing) {
        let timeout_ms = timeout_ms.min(REQUEST_MS_MAX);
        let mut message = message;
        message.until = Until::Accepted;
        message.expire_after_ms =
            Some(message.expire_after_ms.unwrap_or(timeout_ms).min(timeout_ms));
        let id = message.id;
        let due_ms = self.now.monotonic_ms.saturating_add(timeout_ms);
        let asked = match self.recipients(&message) {
            Ok(recipients) => {
                let devices: BTreeSet<_> =
                    recipients.iter().filter(|(.., is_echo)| !is_echo).map(|one| one.1).collect();
                Asked { ticket, devices, due_ms }
            }
            Err(refusal) => return self.answer_request(ticket, Err(refusal)),
        };
        if !self.requests.ask(id, asked) {
            let text = "too many requests to others wait for their replies: try again later";
            return self.answer_request(ticket, Err(Refusal::new(Code::Busy, text)));
        }
        if let Err(refusal) = self.take_on(None, message, Errand::Request { timeout_ms }) {
            self.requests.forget(id);
            self.answer_request(ticket, Err(refusal));
        }
    }

    /// A local program has replied to another device's request.
    pub(crate) fn reply(&mut self, request: u64, message: Outgoing) {
        let Some(asking) = self.requests.answered(request) else { return };
        let recipients = vec![(asking.from.person, asking.from.device, false)];
        let errand = Errand::Reply(asking.id);
        let message = Outgoing { topic: asking.topic, ..message };
        // Nobody to tell: who replied was answered by the bus.
        let _ = self.put_out(None, message, errand, recipients);
    }

    /// The bus has nobody for another device's request, or not enough room.
    pub(crate) fn not_taken(&mut self, request: u64, code: Code, text: &str) {
        let Some(asking) = self.requests.answered(request) else { return };
        let payload = serde_json::json!({"code": code.name(), "text": text}).to_string();
        let message = self.internal("error", payload.into_bytes());
        let recipients = vec![(asking.from.person, asking.from.device, false)];
        let _ = self.put_out(None, message, Errand::ReplyError(asking.id), recipients);
    }

    /// A message of the post's own.
    pub(crate) fn internal(&mut self, topic: &str, payload: Vec<u8>) -> Outgoing {
        Outgoing {
            id: self.new_id(),
            to: String::new(),
            topic: topic.to_owned(),
            protocol: "kith".to_owned(),
            payload,
            headers: kith_wire::Headers::new(),
            expire_after_ms: None,
            priority: Priority::High,
            realtime: false,
            echo: false,
            until: Until::Accepted,
        }
    }

    fn take_on(
        &mut self,
        waiter: Option<u64>,
        message: Outgoing,
        errand: Errand,
    ) -> Result<(), Refusal> {
        check(&message)?;
        if let Some(failure) = self.gate.is_stuck() {
            let text = format!("messages to others can't be sealed now: {failure}");
            return Err(Refusal::new(Code::NotStored, text));
        }
        let recipients = self.recipients(&message)?;
        self.put_out(waiter, message, errand, recipients)
    }

    /// Puts a message on its way to these.
    pub(crate) fn put_out(
        &mut self,
        waiter: Option<u64>,
        message: Outgoing,
        errand: Errand,
        recipients: Vec<Recipient>,
    ) -> Result<(), Refusal> {
        let is_to_strangers = message.to == "public";
        let lane = Lane::of(message.priority, message.realtime);
        let lives_ms = match message.expire_after_ms {
            _ if message.realtime => REALTIME_MS,
            given => given.unwrap_or(EXPIRE_AFTER_MS).min(EXPIRE_AFTER_MS_MAX),
        };
        let id = message.id;
        if recipients.is_empty() {
            // Whoever is connected: nobody is.
            if let Some(ticket) = waiter {
                self.outputs.push_back(Output::Answer { ticket, id, result: Ok(()) });
            }
            return Ok(());
        }
        let devices: Vec<_> = recipients.iter().map(|(_, device, _)| *device).collect();
        let new = New {
            lane,
            errand,
            sent_at_ms: self.now.unix_ms,
            expires_at_ms: self.now.unix_ms.saturating_add(lives_ms),
            is_acknowledged: !message.realtime && !is_to_strangers,
            waiter,
            recipients,
            message: Rc::new(message),
        };
        self.outbox.add(new).map_err(|full| {
            let code = if full == Full::Known { Code::DuplicateRequest } else { Code::Busy };
            Refusal::new(code, full.to_string())
        })?;
        if let Some(ticket) = waiter {
            self.outputs.push_back(Output::Took { ticket, id });
        }
        for device in devices {
            if self.links.best(device).is_some() {
                self.ready.insert(device);
            } else if lane == Lane::Realtime {
                self.outbox.drop_realtime(device);
            } else {
                self.want(device);
            }
        }
        Ok(())
    }

    /// Who is answered, and what.
    pub(crate) fn answer_outcome(&mut self, outcome: &Outcome) {
        let Outcome { id, ticket, is_reached, ended_as } = *outcome;
        let result = if is_reached {
            Ok(())
        } else {
            let text = match ended_as {
                Rung::Expired => "it was not delivered in time",
                Rung::Refused => "the recipient's device does not take it",
                _ => "it went no further than the link: its recipient acknowledges nothing",
            };
            Err(Refusal::new(Code::NotDelivered, text))
        };
        self.outputs.push_back(Output::Answer { ticket, id, result });
    }

    pub(crate) fn answer_request(&mut self, ticket: u64, result: Result<Inbound, Refusal>) {
        self.outputs.push_back(Output::AnswerRequest { ticket, result });
    }

    /// Requests whose time is over.
    pub(crate) fn requests_due(&mut self) {
        for ticket in self.requests.overdue(self.now.monotonic_ms) {
            let text = "no reply came in time; it may still come, and is dropped then";
            self.answer_request(ticket, Err(Refusal::new(Code::Timeout, text)));
        }
    }

    /// When a device has acknowledged nothing for too long, on the monotonic clock.
    pub(crate) fn stalled_due_ms(&self) -> Option<u64> {
        let waits = self.links.devices().filter(|device| self.outbox.is_flying(*device));
        let last = |device| self.progress.get(&device).copied().unwrap_or_default();
        waits.map(|device| last(device).saturating_add(UNACKNOWLEDGED_MS)).min()
    }

    /// What was handed over long ago and not acknowledged goes again: the device could not store
    /// it, or somebody on the way has dropped it.
    pub(crate) fn begin_stalled_again(&mut self) {
        let now_ms = self.now.monotonic_ms;
        if self.stalled_due_ms().is_none_or(|due| now_ms < due) {
            return;
        }
        let linked: Vec<_> = self.links.devices().collect();
        for device in linked {
            let last = self.progress.get(&device).copied().unwrap_or_default();
            let is_over = last.saturating_add(UNACKNOWLEDGED_MS) <= now_ms;
            if is_over && self.outbox.is_flying(device) {
                self.progress.insert(device, now_ms);
                self.outbox.begin_again(device);
                self.ready.insert(device);
            }
        }
    }

    /// Seals what can leave, so much of it as one turn does.
    pub(crate) fn pump(&mut self) {
        if self.gate.is_stuck().is_some() {
            return;
        }
        let devices = std::mem::take(&mut self.ready);
        // The same for each, so that a device with much does not hold up the others.
        let share = (SEALED_PER_TURN_MAX / devices.len().max(1)).max(1);
        for device in devices {
            let mut sealed = 0;
            while sealed < share && self.seal_next(device) {
                sealed += 1;
            }
            if sealed == share {
                self.ready.insert(device);
            }
        }
    }

    /// Seals the next message for a device, if there is one and a way.
    fn seal_next(&mut self, device: DeviceId) -> bool {
        let Some(link) = self.links.best(device).cloned() else { return false };
        if !self.outbox.has_next(device) {
            return false;
        }
        if !self.flying.has_room(&link.transport) {
            self.blocked.insert(device);
            return false;
        }
        let Some(me) = &self.me else { return false };
        let Some(peer) = self.people.peer(device, self.now.unix_ms) else {
            self.outbox.forget(device);
            return false;
        };
        if !self.outbox.is_flying(device) {
            self.progress.insert(device, self.now.monotonic_ms);
        }
        let Some(parcelled) = self.outbox.next(device) else { return false };
        let (id, lane) = (parcelled.message.id, parcelled.lane);
        let to = Party { person: peer.person, device };
        let keys = PeerKeys { curve: peer.curve, prekey: peer.prekey };
        let encoded = content(parcelled, me.party(), to).and_then(|content| content.encode().ok());
        let Some(encoded) = encoded else {
            self.outbox.refused(id, device, Reason::TooBig);
            return true;
        };
        let own = me.device();
        match self.sessions.encrypt(&me.account, device, lane, &keys, &encoded) {
            Ok(ratcheted) => {
                let standing = self.people.standing(&peer.person, &device);
                if standing == Standing::Unknown {
                    self.note_stranger(device);
                }
                let body = Body::Message { lane, ratcheted };
                let parcel = Parcel { from: own, id: *id.as_bytes(), body };
                self.carry(device, &link, &parcel, Some(id), lane);
                true
            }
            Err(EncryptError::NoPrekey) => {
                self.outbox.again(id, device);
                self.want_node_info(device);
                false
            }
            Err(_) => {
                self.outbox.refused(id, device, Reason::Quota);
                true
            }
        }
    }

    /// Sends something of the post's own to a device with a link; without one it is not sent.
    pub(crate) fn carry_own(&mut self, device: DeviceId, body: Body) {
        let Some(link) = self.links.best(device).cloned() else { return };
        let Some(me) = &self.me else { return };
        let from = me.device();
        let mut id = [0; 16];
        (self.entropy)(&mut id);
        self.carry(device, &link, &Parcel { from, id, body }, None, Lane::High);
    }

    /// The same, sealed for this key whatever else is known of the device.
    pub(crate) fn carry_sealed(&mut self, device: DeviceId, box_id: BoxId, body: Body) {
        let Some(link) = self.links.best(device).cloned() else { return };
        let Some(me) = &self.me else { return };
        let from = me.device();
        let mut id = [0; 16];
        (self.entropy)(&mut id);
        let seed = self.new_seed();
        if let Ok(letter) = seal(box_id, &Parcel { from, id, body }, seed) {
            self.hand_out(device, &link, letter, None, Lane::High);
        }
    }

    /// Has a transport carry a parcel, sealed unless the link has proved whose it is.
    fn carry(
        &mut self,
        device: DeviceId,
        link: &Link,
        parcel: &Parcel,
        message: Option<MessageId>,
        lane: Lane,
    ) {
        // What is not encrypted by itself, but for what is signed and says nothing, is sealed.
        let is_quiet =
            matches!(parcel.body, Body::Message { .. } | Body::Notice(_) | Body::WantCard);
        let bytes = if link.may_carry_bare && is_quiet {
            bare(parcel)
        } else {
            let Some(box_id) = self.people.box_id(device) else { return };
            let seed = self.new_seed();
            let Ok(bytes) = seal(box_id, parcel, seed) else { return };
            bytes
        };
        self.hand_out(device, link, bytes, message, lane);
    }

    fn hand_out(
        &mut self,
        device: DeviceId,
        link: &Link,
        bytes: Vec<u8>,
        message: Option<MessageId>,
        lane: Lane,
    ) {
        let expires_at = message.and_then(|id| self.outbox.get(id)).map_or_else(
            || self.now.unix_ms.saturating_add(REQUEST_MS_MAX),
            |parcelled| parcelled.expires_at_ms,
        );
        let Some(parts) = self.parts(bytes, link.mtu_bytes) else {
            if let Some(id) = message {
                self.outbox.refused(id, device, Reason::TooBig);
            }
            return;
        };
        let count = parts.len();
        for (at, letter) in parts.into_iter().enumerate() {
            let envelope_id = self.new_id();
            let is_last = at + 1 == count;
            let envelope = Envelope { message, device, bytes: letter.len(), is_last };
            self.flying.add(envelope_id, &link.transport, envelope, self.now.monotonic_ms);
            let send = Send {
                envelope: envelope_id,
                device: *device.as_bytes(),
                letter: Bytes(letter),
                lane: on_the_bus(lane),
                expires_at,
                relays: None,
                delete_hash: None,
            };
            let topic = SEND.of(&link.transport);
            let output = Output::Announce { topic, payload: SEND.cbor(&send) };
            if lane == Lane::Realtime {
                // Its session is in memory only: there is nothing to wait for.
                self.outputs.push_back(output);
            } else {
                self.gate.after(output);
            }
        }
    }

    /// A letter in pieces that a link carries at once.
    fn parts(&mut self, letter: Vec<u8>, mtu_bytes: usize) -> Option<Vec<Vec<u8>>> {
        if letter.len() <= mtu_bytes {
            return Some(vec![letter]);
        }
        let mut number = [0; 8];
        (self.entropy)(&mut number);
        Some(cut(&letter, u64::from_le_bytes(number), mtu_bytes).ok()?.collect())
    }

    /// A transport has handed an envelope over.
    pub(crate) fn sent(&mut self, sent: &Sent) {
        let Some(envelope) = self.flying.take(sent.envelope, &sent.transport) else { return };
        if let Some(id) = envelope.message.filter(|_| envelope.is_last) {
            self.outbox.sent(id, envelope.device);
        }
        self.unblock(envelope.device);
    }

    /// A transport could not carry an envelope.
    pub(crate) fn failed(&mut self, failed: &Failed) {
        let Some(envelope) = self.flying.take(failed.envelope, &failed.transport) else { return };
        if let Some(id) = envelope.message {
            let is_realtime = self.outbox.get(id).is_some_and(|one| one.lane == Lane::Realtime);
            match failed.retry {
                _ if is_realtime => self.outbox.lost(id, envelope.device),
                // When the device is connected again, or at once if it is.
                true => self.outbox.again(id, envelope.device),
                false => self.outbox.refused(id, envelope.device, Reason::TooBig),
            }
        }
        self.unblock(envelope.device);
    }

    fn unblock(&mut self, device: DeviceId) {
        self.ready.append(&mut self.blocked);
        if self.outbox.has_next(device) {
            self.ready.insert(device);
        }
    }
}

/// Whether a message can go to others at all.
fn check(message: &Outgoing) -> Result<(), Refusal> {
    let is_reserved = Topic::new(message.topic.as_str()).map_or(true, |topic| topic.is_reserved());
    if is_reserved {
        let text = format!("`{}` is reserved: it is of this machine alone", message.topic);
        return Err(Refusal::new(Code::ReservedTopic, text));
    }
    let is_acknowledged = !message.realtime && message.to != "public";
    match message.until {
        Until::Stored => {
            let text = "a message to others can't be waited for as `stored`: `sent` or `delivered`";
            Err(Refusal::new(Code::NotAvailable, text))
        }
        Until::Delivered if !is_acknowledged => {
            let text =
                "nobody acknowledges a realtime message, or one to `public`: wait for `sent`";
            Err(Refusal::new(Code::BadField, text))
        }
        _ => Ok(()),
    }
}

/// A lane in the words of the contract.
fn on_the_bus(lane: Lane) -> kith_contract::envelope::Lane {
    use kith_contract::envelope::Lane as Public;
    match lane {
        Lane::Realtime => Public::Realtime,
        Lane::High => Public::High,
        Lane::Normal => Public::Normal,
        Lane::Bulk => Public::Bulk,
    }
}

/// What a message says inside, for one device. `None` if its topic or protocol is none.
fn content(parcelled: &Parcelled, from: Party, to: Party) -> Option<Content> {
    let message = &parcelled.message;
    let kind = match parcelled.errand {
        Errand::Message => Kind::Message,
        Errand::Request { timeout_ms } => {
            Kind::Request { timeout_ms: u32::try_from(timeout_ms).unwrap_or(u32::MAX) }
        }
        Errand::Reply(to) => Kind::Reply { to },
        Errand::ReplyError(to) => Kind::ReplyError { to },
        Errand::Internal => Kind::Internal,
    };
    Some(Content {
        from,
        to,
        id: message.id,
        kind,
        seq: 0,
        sent_at: parcelled.sent_at_ms,
        expires_at: parcelled.expires_at_ms,
        protocol: Protocol::new(message.protocol.clone()).ok()?,
        topic: Topic::new(message.topic.clone()).ok()?,
        headers: message.headers.clone(),
        priority: message.priority,
        is_realtime: message.realtime,
        reply_topic: None,
        room: None,
        echo: parcelled.is_echo(to.device).then(|| message.to.clone()),
        payload: message.payload.clone(),
    })
}
