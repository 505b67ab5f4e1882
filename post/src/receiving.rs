//! From bytes that came in to a message for the bus.
//!
//! Each step trusts only what the one before has proved, and each way out is counted under its
//! cause. A letter is opened with the box key; who sent it stands inside, and is looked up before
//! anything else is done: what is rejected, revoked or frozen goes no further. Only then the
//! ratchet opens it, and what is inside has to name the very devices that the session joins. The
//! scope is worked out here, from the cards and the circle as they are now.
//!
//! The ratchet's new state, the message's key and the message are one commit; only behind it the
//! message goes to the bus and the acknowledgement back. Strangers get no acknowledgement, and
//! nothing of theirs is stored.

use crate::counts::Cause;
use crate::envelope::{
    Binding, Body, Content, ContentError, Kind, Lane, Letter, LetterError, Opened, Parcel, Party,
    Remembered, open,
};
use crate::input::{Inbound, Output};
use crate::limits::{
    EXPIRE_AFTER_MS_MAX, FORGET_MS, INBOX_BYTES_MAX, PARTIAL_LIFE_MS, REQUEST_MS_MAX,
};
use crate::me::Me;
use crate::post::Post;
use kith_contract::envelope::Received;
use kith_people::{DeviceId, Standing};
use kith_wire::{Code, MessageId, Refusal, Scope};

impl Post {
    /// Sealed bytes came in.
    pub(crate) fn received(&mut self, received: &Received) {
        let from = (received.transport.clone(), received.link.unwrap_or(u64::MAX));
        let hint = received.device.map(DeviceId::new);
        // Before anything is opened, which costs more than to send it.
        if self.me.is_some() && hint.is_some_and(|device| !self.admits(device)) {
            return self.refuse(Cause::TooMany);
        }
        let Some(me) = &self.me else { return };
        let parcel = match open(&me.keys, received.letter.as_ref()) {
            Ok(Letter::Fragment) => {
                let piece = received.letter.as_ref();
                match self.reassembly.take(self.now.monotonic_ms, &from, piece) {
                    Ok(Some(whole)) => open(&me.keys, &whole),
                    Ok(None) => {
                        let due_ms = self.now.monotonic_ms.saturating_add(PARTIAL_LIFE_MS);
                        self.reassembly_due_ms.get_or_insert(due_ms);
                        return;
                    }
                    Err(_) => return self.refuse(Cause::Fragments),
                }
            }
            other => other,
        };
        let parcel = match parcel {
            Ok(Letter::Sealed(parcel)) => parcel,
            Ok(Letter::Bare(parcel)) => {
                let is_proved =
                    hint == Some(parcel.from) && self.links.is_proved(parcel.from, &from.0, from.1);
                if !is_proved {
                    return self.refuse(Cause::Unsealed);
                }
                parcel
            }
            Ok(Letter::Fragment) => return self.refuse(Cause::Fragments),
            Err(LetterError::NotForUs) => return self.refuse(Cause::Unopened),
            Err(_) => return self.refuse(Cause::Malformed),
        };
        // Who is at the other end of a link speaks for itself alone.
        if parcel.from == me.device() || hint.is_some_and(|device| device != parcel.from) {
            return self.refuse(Cause::Misbound);
        }
        if hint.is_none() && !self.admits(parcel.from) {
            return self.refuse(Cause::TooMany);
        }
        self.take_in(parcel, received.letter.as_ref().len());
    }

    /// Whether a letter of this device is looked at: strangers have a rate.
    fn admits(&mut self, device: DeviceId) -> bool {
        let standing = self.people.standing_of(device).map(|(_, standing)| standing);
        matches!(standing, Some(Standing::Own | Standing::Friend))
            || self.strangers.admit(device, self.now.monotonic_ms)
    }

    /// Looks at who sent a parcel, and hands it to its part.
    fn take_in(&mut self, parcel: Parcel, bytes: usize) {
        let device = parcel.from;
        let known = self.people.standing_of(device);
        match known.map(|(_, standing)| standing) {
            Some(Standing::Rejected) => return self.refuse(Cause::Rejected),
            Some(Standing::Revoked | Standing::NotTheirs) => return self.refuse(Cause::Revoked),
            Some(Standing::Frozen) => return self.refuse(Cause::Frozen),
            _ => {}
        }
        match (parcel.body, known) {
            (Body::Card { card, node_info }, _) => self.introduced(device, &card, &node_info),
            (Body::WantCard, _) => self.show_card(device),
            (Body::Join { invite, proof, card, node_info }, _) => {
                self.join_came(device, invite, &proof, &card, &node_info);
            }
            (Body::Joined { invite, proof, answer }, _) => {
                self.joined_came(device, invite, &proof, answer);
            }
            (Body::Message { lane, ratcheted }, Some((person, standing))) => {
                let Ok(id) = MessageId::from_bytes(parcel.id) else {
                    return self.refuse(Cause::Malformed);
                };
                self.message(Party { person, device }, standing, id, lane, &ratcheted);
            }
            (Body::Notice(notice), Some((_, standing))) => {
                self.notice_came(device, standing, &notice);
            }
            (body, None) => {
                // Its card is asked for, and then this is looked at once more.
                let parcel = Parcel { body, ..parcel };
                self.carry_own(device, Body::WantCard);
                if !self.uninvited.keep(parcel, bytes, self.now.monotonic_ms) {
                    self.refuse(Cause::UnknownDevice);
                }
            }
        }
    }

    /// Parcels that waited for a card.
    pub(crate) fn take_in_waiting(&mut self, device: DeviceId) {
        for parcel in self.uninvited.take(device) {
            if self.people.person_of(device).is_none() {
                return self.refuse(Cause::UnknownDevice);
            }
            self.take_in(parcel, 0);
        }
    }

    fn message(
        &mut self,
        from: Party,
        standing: Standing,
        id: MessageId,
        lane: Lane,
        ratcheted: &[u8],
    ) {
        let waiting: usize = self.inbox.values().sum();
        let is_full = INBOX_BYTES_MAX < waiting.saturating_add(ratcheted.len());
        if lane != Lane::Realtime && (self.gate.is_stuck().is_some() || is_full) {
            return self.refuse(Cause::NotStored);
        }
        let Some(opened) = self.decrypted(from, standing, id, lane, ratcheted) else { return };
        let Some(to) = self.me.as_ref().map(Me::party) else { return };
        let content = match Content::parse(&opened.plaintext, &Binding { from, to, lane }) {
            Ok(content) if content.id == id => content,
            Ok(_)
            | Err(
                ContentError::OtherSender | ContentError::OtherRecipient | ContentError::OtherLane,
            ) => return self.refuse(Cause::Misbound),
            Err(ContentError::ReservedTopic) => return self.refuse(Cause::Reserved),
            Err(_) => return self.refuse(Cause::Malformed),
        };
        let now_ms = self.now.unix_ms;
        let expires_ms = content.expires_at.min(now_ms.saturating_add(EXPIRE_AFTER_MS_MAX));
        if expires_ms <= now_ms {
            return self.refuse(Cause::Expired);
        }
        if standing == Standing::Unknown {
            // Nothing of a stranger's is stored, and nothing is answered. Whether anybody wants it
            // is looked at where it is handed to the bus.
            if content.kind != Kind::Message {
                return self.refuse(Cause::Unwanted);
            }
            if !self.strangers.is_first(from.device, id) {
                return self.refuse(Cause::Duplicate);
            }
            return self.deliver(from, standing, false, &opened.plaintext, &content);
        }
        match self.seen.remember(from, lane, id, expires_ms) {
            Remembered::New => {
                let due_ms = self.now.monotonic_ms.saturating_add(FORGET_MS);
                self.seen_due_ms.get_or_insert(due_ms);
            }
            Remembered::Copy => {
                if lane != Lane::Realtime {
                    self.acknowledge(from.device, id);
                }
                return self.refuse(Cause::Duplicate);
            }
            Remembered::TooOld | Remembered::NoRoom => return self.refuse(Cause::NotStored),
        }
        self.opened(from, standing, &opened.plaintext, &content);
    }

    /// What the ratchet makes of a message. One that it does not open is asked for again, unless it
    /// is here already.
    fn decrypted(
        &mut self,
        from: Party,
        standing: Standing,
        id: MessageId,
        lane: Lane,
        ratcheted: &[u8],
    ) -> Option<Opened> {
        let me = self.me.as_mut()?;
        let Some(peer) = self.people.peer(from.device, self.now.unix_ms) else {
            self.refuse(Cause::UnknownDevice);
            return None;
        };
        let account = &mut me.account;
        let opened = self.sessions.decrypt(account, from.device, lane, &peer.curve, ratcheted);
        if let Ok(opened) = opened {
            if standing == Standing::Unknown && opened.is_new_session {
                self.note_stranger(from.device);
            }
            return Some(opened);
        }
        if self.seen.is_copy(from, lane, &id) {
            // Sent again, since our acknowledgement got lost.
            self.acknowledge(from.device, id);
            self.refuse(Cause::Duplicate);
            return None;
        }
        self.refuse(Cause::Undecrypted);
        if standing != Standing::Unknown && lane != Lane::Realtime {
            self.ask_again(from.device, id, lane);
        }
        None
    }

    /// There is a ratchet with a stranger: that of another is forgotten for it, if there are many.
    pub(crate) fn note_stranger(&mut self, device: DeviceId) {
        let Some(oldest) = self.strangers.note_ratchet(device) else { return };
        let standing = self.people.standing_of(oldest).map(|(_, standing)| standing);
        if !matches!(standing, Some(Standing::Own | Standing::Friend)) {
            self.sessions.drop_all(oldest);
        }
    }

    /// A message that is what it says, from somebody who may send it.
    fn opened(&mut self, from: Party, standing: Standing, plaintext: &[u8], content: &Content) {
        let is_stored = !content.is_realtime;
        match content.kind {
            Kind::Message => self.deliver(from, standing, is_stored, plaintext, content),
            Kind::Request { timeout_ms } => {
                self.request_came(from, standing, timeout_ms.into(), content);
            }
            Kind::Reply { to } => {
                if let Some(ticket) = self.requests.replied(to, from.device) {
                    let inbound = self.inbound(from, standing, content);
                    self.answer_request(ticket, Ok(inbound));
                }
            }
            Kind::ReplyError { to } => {
                if let Some(ticket) = self.requests.has_none(to, from.device) {
                    self.answer_request(ticket, Err(why_none(&content.payload)));
                }
            }
            Kind::Internal => {
                self.internal_came(from, standing, content.topic.as_str(), &content.payload);
            }
        }
        if is_stored {
            self.acknowledge(from.device, content.id);
        }
    }

    fn request_came(
        &mut self,
        from: Party,
        standing: Standing,
        timeout_ms: u64,
        content: &Content,
    ) {
        let timeout_ms = timeout_ms.min(REQUEST_MS_MAX);
        let due_ms = self.now.monotonic_ms.saturating_add(timeout_ms);
        let topic = content.topic.as_str();
        let Some(request) = self.requests.asked_by(from, content.id, topic, due_ms) else {
            return self.refuse(Cause::TooMany);
        };
        let inbound = self.inbound(from, standing, content);
        // Behind the disk: a request that comes again must not be carried out again.
        self.gate.after(Output::DeliverRequest { request, timeout_ms, inbound });
    }

    pub(crate) fn inbound(&self, from: Party, standing: Standing, content: &Content) -> Inbound {
        Inbound {
            id: content.id,
            sender: from.person.to_string(),
            device: from.device.to_string(),
            petname: self.people.petname(from.person).map(str::to_owned),
            scope: match standing {
                Standing::Own => Scope::Own,
                Standing::Friend => Scope::Friends,
                _ => Scope::Public,
            },
            topic: content.topic.as_str().to_owned(),
            protocol: content.protocol.as_str().to_owned(),
            payload: content.payload.clone(),
            headers: content.headers.clone(),
            priority: content.priority,
            sent_at_ms: content.sent_at,
            expires_at_ms: Some(content.expires_at),
        }
    }
}

/// Why there was no reply. In our own words: theirs are not ours to repeat.
fn why_none(payload: &[u8]) -> Refusal {
    #[derive(serde::Deserialize)]
    struct Why {
        code: String,
    }
    let why: Option<Why> = serde_json::from_slice(payload).ok();
    match why.as_ref().map(|why| why.code.as_str()) {
        Some("busy") => Refusal::new(Code::Busy, "every program there that could answer is busy"),
        Some("timeout") => Refusal::new(Code::Timeout, "no program there replied in time"),
        _ => Refusal::new(Code::NoResponders, "nobody there answers requests on this topic"),
    }
}
