//! The post: the one owner of keys, of who is who, and of what is on its way to others.
//!
//! It is a state machine beside the broker's, on a thread of its own, so that no cryptography ever
//! delays local traffic. Each part of what it does is in a file of its own; here is what they
//! share, and the order of a turn:
//!
//! 1. [`Post::handle`] takes in what has happened, one [`Input`] after the other. Changes of what
//!    has to survive go to the [`Gate`], and what may be seen only after them waits there.
//! 2. [`Post::poll_output`] first *settles* what the inputs have caused: messages that can leave
//!    are sealed, acknowledgements are put together, updates are told. So a hundred inputs cause
//!    one commit and one parcel of acknowledgements to each device.
//!
//! Deliberately absent: sockets, files, clocks. Randomness is handed in as a function; but the
//! ratchets and sealed boxes draw their own from the system, as their libraries have it.

use crate::asked;
use crate::counts::{Cause, Counts};
use crate::envelope::{Ack, Lane, Reassembly, Seen, Sessions};
use crate::flying::Flying;
use crate::gate::Gate;
use crate::input::{Inbound, Input, Now, Output};
use crate::joining::Joining;
use crate::keys::{self, ENVELOPES, INVITES, SEEN};
use crate::limits::{FORGET_MS, NODE_INFO_MS, PARTIAL_LIFE_MS};
use crate::links::Links;
use crate::me::Me;
use crate::opening::{Loaded, OpenError, Setup};
use crate::outbox::Outbox;
use crate::people::People;
use crate::requests::Requests;
use crate::strangers::{Strangers, Uninvited};
use kith_contract::delivery::Update;
use kith_contract::{DELIVERY_UPDATE, PEOPLE_CHANGED, people};
use kith_people::DeviceId;
use kith_wire::{MessageId, Refusal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Where randomness comes from.
pub type Entropy = Box<dyn FnMut(&mut [u8])>;

/// The post. See the file's beginning for how it is driven.
pub struct Post {
    pub(crate) me: Option<Me>,
    pub(crate) people: People,
    pub(crate) sessions: Sessions,
    pub(crate) seen: Seen,
    pub(crate) reassembly: Reassembly<(String, u64)>,
    pub(crate) links: Links,
    pub(crate) outbox: Outbox,
    pub(crate) flying: Flying,
    pub(crate) requests: Requests,
    pub(crate) joining: Joining,
    pub(crate) strangers: Strangers,
    pub(crate) uninvited: Uninvited,
    pub(crate) gate: Gate,
    pub(crate) counts: Counts,
    pub(crate) outputs: VecDeque<Output>,
    /// Acknowledgements that go out when the turn ends, for each device.
    pub(crate) acks: BTreeMap<DeviceId, Vec<Ack>>,
    /// Devices for which something may be able to leave.
    pub(crate) ready: BTreeSet<DeviceId>,
    /// Messages that came in and were not handed to the bus, by their numbers: bytes of each.
    pub(crate) inbox: BTreeMap<u64, usize>,
    /// Those for which the bus had no room: when each is handed over again.
    pub(crate) to_hand_again: VecDeque<(u64, u64, Inbound)>,
    pub(crate) next_mail: u64,
    pub(crate) node_info_due_ms: Option<u64>,
    pub(crate) reassembly_due_ms: Option<u64>,
    pub(crate) seen_due_ms: Option<u64>,
    /// When each device was dialled last, on the monotonic clock.
    pub(crate) dialled: BTreeMap<DeviceId, u64>,
    /// When each device was asked for a new session.
    pub(crate) renewed: BTreeMap<(DeviceId, Lane), u64>,
    /// Messages that were asked for again.
    pub(crate) asked_again: VecDeque<(DeviceId, MessageId)>,
    /// When a device that has something to acknowledge did so last, on the monotonic clock.
    pub(crate) progress: BTreeMap<DeviceId, u64>,
    /// Devices that wait for room at a transport.
    pub(crate) blocked: BTreeSet<DeviceId>,
    /// Until when the tag holds that was said last, in ms since the Unix epoch.
    pub(crate) beacon_until_ms: Option<u64>,
    pub(crate) setup: Setup,
    pub(crate) entropy: Entropy,
    /// The latest moment that was handed in.
    pub(crate) now: Now,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post").field("outbox", &self.outbox.totals()).finish_non_exhaustive()
    }
}

impl Post {
    /// A post with what was stored.
    ///
    /// # Errors
    /// If what is stored can't be read.
    pub fn open(
        now: Now,
        setup: Setup,
        loaded: Loaded,
        entropy: Entropy,
    ) -> Result<Self, OpenError> {
        let mut post = Self::empty(now, setup, entropy);
        post.load(loaded)?;
        Ok(post)
    }

    fn empty(now: Now, setup: Setup, entropy: Entropy) -> Self {
        Self {
            me: None,
            people: People::default(),
            sessions: Sessions::new(),
            seen: Seen::new(),
            reassembly: Reassembly::new(),
            links: Links::default(),
            outbox: Outbox::default(),
            flying: Flying::default(),
            requests: Requests::default(),
            joining: Joining::default(),
            strangers: Strangers::default(),
            uninvited: Uninvited::default(),
            gate: Gate::default(),
            counts: Counts::default(),
            outputs: VecDeque::new(),
            acks: BTreeMap::new(),
            ready: BTreeSet::new(),
            inbox: BTreeMap::new(),
            to_hand_again: VecDeque::new(),
            next_mail: 0,
            node_info_due_ms: None,
            reassembly_due_ms: None,
            seen_due_ms: None,
            dialled: BTreeMap::new(),
            renewed: BTreeMap::new(),
            asked_again: VecDeque::new(),
            progress: BTreeMap::new(),
            blocked: BTreeSet::new(),
            beacon_until_ms: None,
            setup,
            entropy,
            now,
        }
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Send { ticket, message, is_repeated } => {
                self.send(ticket, message, is_repeated);
            }
            Input::Request { ticket, timeout_ms, message } => {
                self.request(ticket, timeout_ms, message);
            }
            Input::Reply { request, message } => self.reply(request, message),
            Input::NotTaken { request, code, text } => self.not_taken(request, code, &text),
            Input::Handed { mail } => self.handed(mail),
            Input::NotHanded { mail, inbound } => self.not_handed(mail, inbound),
            Input::Left { mail } => drop(self.inbox.remove(&mail)),
            Input::Unwanted => self.refuse(Cause::Unwanted),
            Input::Started => self.started(),
            Input::Asked { ticket, topic, payload, is_administrator } => {
                asked::answer(self, ticket, &topic, &payload, is_administrator);
            }
            Input::Endpoint(endpoint) => self.endpoint(endpoint),
            Input::Connection(connection) => self.connection(&connection),
            Input::Disconnected(ended) => self.disconnected(&ended),
            Input::NodeInfo(found) => self.found(&found),
            Input::Sighting(sighting) => self.sighted(&sighting),
            Input::Received(received) => self.received(&received),
            Input::Sent(sent) => self.sent(&sent),
            Input::Failed(failed) => self.failed(&failed),
            Input::Gone { service } => self.gone(&service),
            Input::Committed { ticket, result } => {
                let outputs = self.gate.committed(now, ticket, result);
                self.outputs.extend(outputs);
            }
        }
    }

    /// What is to be done next. Ask until there is nothing.
    pub fn poll_output(&mut self, now: Now) -> Option<Output> {
        self.now = now;
        if self.outputs.is_empty() {
            self.settle();
        }
        self.outputs.pop_front()
    }

    /// Does what the inputs since the last time have made possible.
    fn settle(&mut self) {
        self.take_due();
        self.send_acks();
        self.pump();
        self.tell_steps();
        self.store_changes();
        let outputs = self.gate.poll(self.now);
        self.outputs.extend(outputs);
    }

    /// When [`Post::poll_output`] wants to be asked again though nothing has happened, on the
    /// monotonic clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let wall = |unix_ms: u64| {
            let left_ms = unix_ms.saturating_sub(self.now.unix_ms);
            self.now.monotonic_ms.saturating_add(left_ms)
        };
        [
            self.gate.due_ms(),
            self.node_info_due_ms,
            self.flying.due_ms(),
            self.requests.due_ms(),
            self.joining.due_ms(),
            self.uninvited.due_ms(),
            self.beacon_due_ms(),
            self.dial_due_ms(),
            self.stalled_due_ms(),
            self.to_hand_again.front().map(|(due, ..)| *due),
            self.reassembly_due_ms,
            self.seen_due_ms,
            self.outbox.next_expiry_ms().map(wall),
            self.is_ready().then_some(self.now.monotonic_ms),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether more could be sealed at once.
    fn is_ready(&self) -> bool {
        self.gate.is_stuck().is_none() && !self.ready.is_empty()
    }

    /// Does what is due by the clock.
    fn take_due(&mut self) {
        let Now { monotonic_ms, unix_ms } = self.now;
        self.outbox.expire(unix_ms);
        self.requests_due();
        self.joins_due();
        self.uninvited.forget_until(monotonic_ms);
        if self.flying.due_ms().is_some_and(|due| due <= monotonic_ms) {
            // There is room again.
            self.ready.append(&mut self.blocked);
        }
        for (id, device) in self.flying.overdue(monotonic_ms) {
            self.outbox.again(id, device);
            self.ready.insert(device);
        }
        if self.node_info_due_ms.is_some_and(|due| due <= monotonic_ms) {
            self.node_info_due_ms = Some(monotonic_ms.saturating_add(NODE_INFO_MS));
            self.say_node_info();
        }
        self.beacon_if_due();
        self.dial_if_due();
        self.begin_stalled_again();
        self.hand_again_if_due();
        self.forget_if_due();
    }

    /// Forgets what can no longer be of use.
    fn forget_if_due(&mut self) {
        let Now { monotonic_ms, unix_ms } = self.now;
        if self.reassembly_due_ms.is_some_and(|due| due <= monotonic_ms) {
            for _ in 0..self.reassembly.expire(monotonic_ms) {
                self.refuse(Cause::Fragments);
            }
            let has_pieces = 0 < self.reassembly.bytes();
            self.reassembly_due_ms = has_pieces.then(|| monotonic_ms + PARTIAL_LIFE_MS);
        }
        if self.seen_due_ms.is_some_and(|due| due <= monotonic_ms) {
            self.seen.expire(unix_ms);
            self.seen_due_ms = (0 < self.seen.count()).then(|| monotonic_ms + FORGET_MS);
        }
    }

    /// Tells how far messages have come, and who waited for that.
    fn tell_steps(&mut self) {
        for step in self.outbox.take_steps() {
            let update = Update {
                message: step.id,
                person: *step.person.as_bytes(),
                device: *step.device.as_bytes(),
                state: step.rung,
                at: self.now.unix_ms,
                reason: step.reason,
                relay: None,
                text: None,
            };
            let topic = DELIVERY_UPDATE.name().to_owned();
            let payload = DELIVERY_UPDATE.cbor(&update);
            self.outputs.push_back(Output::Announce { topic, payload });
        }
        for outcome in self.outbox.take_outcomes() {
            self.answer_outcome(&outcome);
        }
    }

    /// Puts what has changed into the batch.
    fn store_changes(&mut self) {
        for (part, change) in
            [(ENVELOPES, self.sessions.take_changes()), (SEEN, self.seen.take_changes())]
        {
            for change in change {
                self.gate.set([part, &change.key].concat(), change.value.as_deref());
            }
        }
        let book = self.me.as_ref().map(|me| keys::book(me.person)).unwrap_or_default();
        for change in self.people.take_changes() {
            self.gate.set([&book, &change.key[..]].concat(), change.value.as_ref());
        }
        for change in self.joining.book.take_changes() {
            self.gate.set([INVITES, &change.key].concat(), change.value.as_ref());
        }
    }

    /// Counts something that came from others and went no further.
    pub(crate) fn refuse(&mut self, cause: Cause) {
        self.counts.add(cause);
    }

    pub(crate) fn changed(&mut self, changed: &people::Changed) {
        let topic = PEOPLE_CHANGED.name().to_owned();
        let payload = PEOPLE_CHANGED.cbor(changed);
        self.gate.after(Output::Announce { topic, payload });
    }

    pub(crate) fn answered(&mut self, ticket: u64, result: Result<String, Refusal>) {
        // What was changed for it is on the disk before that is said.
        self.gate.after(Output::Answered { ticket, result });
    }

    /// A message id of our own.
    pub(crate) fn new_id(&mut self) -> MessageId {
        let mut random = [0; 10];
        (self.entropy)(&mut random);
        MessageId::from_parts(self.now.unix_ms, &random)
    }

    pub(crate) fn new_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        (self.entropy)(&mut seed);
        seed
    }
}
