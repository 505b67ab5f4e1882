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
    Ack, AckState, Binding, Body, Content, ContentError, Kind, Lane, Letter, LetterError, News,
    Notice, Opened, Parcel, Party, Remembered, open,
};
use crate::input::{Inbound, Output};
use crate::keys::mail_key;
use crate::limits::{
    ASKED_AGAIN_MAX, EXPIRE_AFTER_MS_MAX, FORGET_MS, HAND_AGAIN_MS, INBOX_BYTES_MAX,
    NEW_SESSION_MS, NOTICE_ENTRIES_MAX, PARTIAL_LIFE_MS, REQUEST_MS_MAX,
    STRANGER_LETTERS_PER_WINDOW_MAX, STRANGER_WINDOW_MS, STRANGERS_COUNTED_MAX,
    STRANGERS_HEARD_MAX, STRANGERS_LETTERS_PER_WINDOW_MAX, UNINTRODUCED_BYTES_MAX, UNINTRODUCED_MS,
    UNINTRODUCED_PARCELS_MAX,
};
use crate::me::Me;
use crate::post::Post;
use kith_contract::envelope::Received;
use kith_people::{DeviceId, Standing};
use kith_wire::{Code, MessageId, Refusal, Scope};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How much strangers have sent lately.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    window_began_ms: u64,
    all: u32,
    each: BTreeMap<DeviceId, u32>,
    /// Those with whom there are ratchets; the one heard of longest ago first.
    ratchets: VecDeque<DeviceId>,
    /// What they have sent lately: they get no acknowledgement, so they send it again.
    heard: BTreeSet<(DeviceId, MessageId)>,
    heard_in_order: VecDeque<(DeviceId, MessageId)>,
}

impl Strangers {
    /// Notes a message. Whether it is the first of its id.
    fn is_first(&mut self, device: DeviceId, id: MessageId) -> bool {
        let is_first = self.heard.insert((device, id));
        if is_first {
            self.heard_in_order.push_back((device, id));
        }
        if STRANGERS_HEARD_MAX < self.heard_in_order.len()
            && let Some(oldest) = self.heard_in_order.pop_front()
        {
            self.heard.remove(&oldest);
        }
        is_first
    }

    /// Counts a letter of a stranger. Whether it may be opened.
    fn admit(&mut self, device: DeviceId, now_ms: u64) -> bool {
        if STRANGER_WINDOW_MS <= now_ms.saturating_sub(self.window_began_ms) {
            (self.window_began_ms, self.all) = (now_ms, 0);
            self.each.clear();
        }
        self.all = self.all.saturating_add(1);
        if STRANGERS_LETTERS_PER_WINDOW_MAX < self.all {
            return false;
        }
        if STRANGERS_COUNTED_MAX <= self.each.len() && !self.each.contains_key(&device) {
            return true;
        }
        let count = self.each.entry(device).or_default();
        *count = count.saturating_add(1);
        *count <= STRANGER_LETTERS_PER_WINDOW_MAX
    }

    /// Notes that there is a ratchet with a stranger: whose is to be forgotten for it.
    fn note_ratchet(&mut self, device: DeviceId) -> Option<DeviceId> {
        if self.ratchets.contains(&device) {
            return None;
        }
        self.ratchets.push_back(device);
        if STRANGERS_COUNTED_MAX < self.ratchets.len() { self.ratchets.pop_front() } else { None }
    }
}

/// Parcels of devices whose card is on its way.
#[derive(Debug, Default)]
pub(crate) struct Uninvited {
    parcels: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    until_ms: u64,
    parcel: Parcel,
    bytes: usize,
}

impl Uninvited {
    fn keep(&mut self, parcel: Parcel, bytes: usize, now_ms: u64) -> bool {
        let is_full = UNINTRODUCED_PARCELS_MAX <= self.parcels.len()
            || UNINTRODUCED_BYTES_MAX < self.bytes.saturating_add(bytes);
        if is_full {
            return false;
        }
        self.bytes += bytes;
        let until_ms = now_ms.saturating_add(UNINTRODUCED_MS);
        self.parcels.push_back(Waiting { until_ms, parcel, bytes });
        true
    }

    fn take(&mut self, device: DeviceId) -> Vec<Parcel> {
        let all = std::mem::take(&mut self.parcels);
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|one| one.parcel.from == device);
        self.parcels = left;
        self.bytes = self.parcels.iter().map(|one| one.bytes).sum();
        taken.into_iter().map(|one| one.parcel).collect()
    }

    pub(crate) fn forget_until(&mut self, now_ms: u64) {
        while self.parcels.front().is_some_and(|one| one.until_ms <= now_ms) {
            let gone = self.parcels.pop_front().map_or(0, |one| one.bytes);
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }

    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.parcels.front().map(|one| one.until_ms)
    }
}

impl Post {
    /// Sealed bytes came in.
    pub(crate) fn received(&mut self, received: &Received) {
        let from = (received.transport.clone(), received.link.unwrap_or(u64::MAX));
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
                let is_proved = received.device.map(DeviceId::new) == Some(parcel.from)
                    && self.links.is_proved(parcel.from, &from.0, from.1);
                if !is_proved {
                    return self.refuse(Cause::Unsealed);
                }
                parcel
            }
            Ok(Letter::Fragment) => return self.refuse(Cause::Fragments),
            Err(LetterError::NotForUs) => return self.refuse(Cause::Unopened),
            Err(_) => return self.refuse(Cause::Malformed),
        };
        if parcel.from == me.device() {
            return self.refuse(Cause::Misbound);
        }
        self.take_in(parcel, received.letter.as_ref().len());
    }

    /// Looks at who sent a parcel, and hands it to its part.
    fn take_in(&mut self, parcel: Parcel, bytes: usize) {
        let device = parcel.from;
        let known = self.people.standing_of(device);
        match known.map(|(_, standing)| standing) {
            Some(Standing::Rejected) => return self.refuse(Cause::Rejected),
            Some(Standing::Revoked | Standing::NotTheirs) => return self.refuse(Cause::Revoked),
            Some(Standing::Frozen) => return self.refuse(Cause::Frozen),
            Some(Standing::Own | Standing::Friend) => {}
            Some(Standing::Unknown | Standing::NoCard) | None => {
                if !self.strangers.admit(device, self.now.monotonic_ms) {
                    return self.refuse(Cause::TooMany);
                }
            }
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
            if opened.is_new_session
                && let Some(oldest) = self.strangers.note_ratchet(from.device)
                && !matches!(
                    self.people.standing_of(oldest),
                    Some((_, Standing::Own | Standing::Friend))
                )
            {
                self.sessions.drop_all(oldest);
            }
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

    /// Hands a message to the bus: at once if it is worthless late, else once it is on the disk.
    fn deliver(
        &mut self,
        from: Party,
        standing: Standing,
        is_stored: bool,
        plaintext: &[u8],
        content: &Content,
    ) {
        let inbound = self.inbound(from, standing, content);
        self.next_mail += 1;
        let mail = self.next_mail;
        if !is_stored {
            self.outputs.push_back(Output::Deliver { mail, inbound, is_stored });
            return;
        }
        let lane = [content.lane().number()];
        let parts: [&[u8]; 4] = [&lane, from.person.as_bytes(), from.device.as_bytes(), plaintext];
        let record = parts.concat();
        self.inbox.insert(mail, record.len());
        self.gate.put(mail_key(mail), record);
        self.gate.after(Output::Deliver { mail, inbound, is_stored });
    }

    /// A message that was stored and not handed to the bus before the last end of the daemon. Its
    /// scope is worked out anew.
    pub(crate) fn deliver_again(&mut self, mail: u64, record: &[u8]) {
        self.next_mail = self.next_mail.max(mail);
        let bytes = record.len();
        let read = || {
            let (lane, rest) = record.split_first()?;
            let (person, rest) = rest.split_first_chunk::<32>()?;
            let (device, plaintext) = rest.split_first_chunk::<32>()?;
            let lane = Lane::from_number(*lane)?;
            let from = Party { person: (*person).into(), device: (*device).into() };
            let to = self.me.as_ref()?.party();
            let content = Content::parse(plaintext, &Binding { from, to, lane }).ok()?;
            Some((from, content))
        };
        let found = read();
        let standing =
            found.as_ref().map(|(from, _)| self.people.standing(&from.person, &from.device));
        match (found, standing) {
            (Some((from, content)), Some(standing @ (Standing::Own | Standing::Friend))) => {
                self.inbox.insert(mail, bytes);
                let inbound = self.inbound(from, standing, &content);
                self.outputs.push_back(Output::Deliver { mail, inbound, is_stored: true });
            }
            _ => self.gate.delete(mail_key(mail)),
        }
    }

    /// A message was handed to the bus.
    pub(crate) fn handed(&mut self, mail: u64) {
        if self.inbox.remove(&mail).is_some() {
            self.gate.delete(mail_key(mail));
        }
    }

    /// The bus had no room for a message: it is handed over once more, after a while.
    pub(crate) fn not_handed(&mut self, mail: u64, inbound: Inbound) {
        let due_ms = self.now.monotonic_ms.saturating_add(HAND_AGAIN_MS);
        self.to_hand_again.push_back((due_ms, mail, inbound));
    }

    /// Hands over what the bus had no room for. What its sender is now decides.
    pub(crate) fn hand_again_if_due(&mut self) {
        let now_ms = self.now.monotonic_ms;
        while self.to_hand_again.front().is_some_and(|(due, ..)| *due <= now_ms) {
            let Some((_, mail, mut inbound)) = self.to_hand_again.pop_front() else { return };
            let standing = inbound.device.parse().ok().and_then(|one| self.people.standing_of(one));
            inbound.scope = match standing {
                Some((_, Standing::Own)) => Scope::Own,
                Some((_, Standing::Friend)) => Scope::Friends,
                _ => {
                    self.handed(mail);
                    continue;
                }
            };
            self.outputs.push_back(Output::Deliver { mail, inbound, is_stored: true });
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

    fn inbound(&self, from: Party, standing: Standing, content: &Content) -> Inbound {
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

    fn acknowledge(&mut self, device: DeviceId, message: MessageId) {
        let ack = Ack { message, state: AckState::Delivered, detail: String::new() };
        self.acks.entry(device).or_default().push(ack);
    }

    /// Sends the acknowledgements of this turn: behind the disk, as all that leaves.
    pub(crate) fn send_acks(&mut self) {
        for (device, acks) in std::mem::take(&mut self.acks) {
            for part in acks.chunks(NOTICE_ENTRIES_MAX) {
                self.notify(device, &News::Acks(part.to_vec()));
            }
        }
    }

    fn notify(&mut self, device: DeviceId, news: &News) {
        let Some(me) = &self.me else { return };
        let notice = Notice::sign(news, &me.keys, device);
        self.carry_own(device, Body::Notice(notice));
    }

    fn notice_came(&mut self, device: DeviceId, standing: Standing, notice: &Notice) {
        let Some(me) = &self.me else { return };
        match notice.open(device, me.device()) {
            Ok(News::Acks(acks)) => {
                for ack in acks {
                    if matches!(ack.state, AckState::Delivered | AckState::Taken) {
                        self.outbox.delivered(ack.message, device);
                    }
                }
                self.progress.insert(device, self.now.monotonic_ms);
                if self.outbox.has_next(device) {
                    self.ready.insert(device);
                }
            }
            Ok(News::Resend(wanted)) if standing != Standing::Unknown => {
                self.send_again(device, &wanted);
            }
            // Taking messages back is not offered yet; nothing may be deleted by it.
            Ok(_) | Err(_) => self.refuse(Cause::FalseAck),
        }
    }

    /// Asks a device to send a message again, under a new session: once for each, so that nobody
    /// can have us ask without end.
    fn ask_again(&mut self, device: DeviceId, id: MessageId, lane: Lane) {
        if ASKED_AGAIN_MAX <= self.asked_again.len() {
            self.asked_again.pop_front();
        }
        if self.asked_again.contains(&(device, id)) {
            return;
        }
        self.asked_again.push_back((device, id));
        self.notify(device, &News::Resend(vec![(id, lane)]));
    }

    /// A device could not open messages of ours.
    fn send_again(&mut self, device: DeviceId, wanted: &[(MessageId, Lane)]) {
        let now_ms = self.now.monotonic_ms;
        for (id, lane) in wanted {
            let renewed = self.renewed.get(&(device, *lane));
            if renewed.is_none_or(|at| NEW_SESSION_MS <= now_ms.saturating_sub(*at)) {
                self.renewed.insert((device, *lane), now_ms);
                self.sessions.renew(device, *lane);
            }
            self.outbox.again(*id, device);
        }
        self.ready.insert(device);
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
