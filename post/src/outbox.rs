//! What is on its way to others: the ladder of each message and device, and each device's lanes.
//!
//! Per device and lane, messages wait in order, are handed over in order, and stay until the device
//! has said that it has them. When the way to it changes, the new one begins with the oldest that
//! was not acknowledged; the device knows again what it has. So a link that dies loses nothing and
//! repeats nothing that anybody sees.
//!
//! A rung is never taken back. A message ends for a device by being delivered, by its time being
//! over, or by being refused; what was never to be acknowledged (realtime, or to strangers) ends
//! when it was handed over.
//!
//! Deliberately absent: keys, links, time. Whoever calls knows whether a device can be reached.

use crate::envelope::Lane;
use crate::input::Outgoing;
use crate::limits::{ENDED_REMEMBERED_MAX, LANE_FLYING_MAX, OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX};
use kith_contract::delivery::{Refusal, Rung};
use kith_people::{DeviceId, PersonId};
use kith_wire::{MessageId, Until};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

/// What a message is, beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// For whoever subscribes.
    Message,
    /// A request; its asker waits so long.
    Request {
        /// In milliseconds.
        timeout_ms: u64,
    },
    /// The reply to the request of this id.
    Reply(MessageId),
    /// To say that the request of this id has no reply.
    ReplyError(MessageId),
    /// Between the user's own devices.
    Internal,
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Parcelled {
    pub(crate) message: Rc<Outgoing>,
    pub(crate) errand: Errand,
    pub(crate) lane: Lane,
    pub(crate) sent_at_ms: u64,
    pub(crate) expires_at_ms: u64,
    /// Whether devices acknowledge it.
    pub(crate) is_acknowledged: bool,
    /// Who is to be answered, and at which rung.
    waiters: Vec<(u64, Until)>,
    /// Its place among all that were taken on.
    number: u64,
    legs: BTreeMap<DeviceId, Leg>,
}

impl Parcelled {
    /// Whether this device gets only a copy, as one of the user's own.
    pub(crate) fn is_echo(&self, device: DeviceId) -> bool {
        self.legs.get(&device).is_some_and(|leg| leg.is_echo)
    }
}

impl Parcelled {
    /// Whether each recipient has a device that got so far; or, where for one of them there is none
    /// left that could, as what it ended. Nothing, while that is open.
    fn outcome(&self, wanted: Rung) -> Option<(bool, Rung)> {
        let mut persons: BTreeMap<PersonId, (bool, bool, Rung)> = BTreeMap::new();
        for leg in self.legs.values().filter(|leg| !leg.is_echo) {
            let (is_reached, is_open, ended) =
                persons.entry(leg.person).or_insert((false, false, leg.rung));
            *is_reached |= height(wanted) <= height(leg.rung);
            let is_last = !self.is_acknowledged && leg.rung == Rung::Sent;
            *is_open |= !has_ended(leg.rung) && !is_last;
            *ended = leg.rung;
        }
        let lost = persons.values().find(|(is_reached, is_open, _)| !is_reached && !is_open);
        let is_reached = persons.values().all(|(is_reached, ..)| *is_reached);
        let ended_as = lost.map_or(wanted, |(.., rung)| *rung);
        (is_reached || lost.is_some()).then_some((is_reached, ended_as))
    }
}

/// How far it is with one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    person: PersonId,
    rung: Rung,
    /// Whether the legs of the same person count for it.
    is_echo: bool,
}

/// A message has come further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: MessageId,
    pub(crate) person: PersonId,
    pub(crate) device: DeviceId,
    pub(crate) rung: Rung,
    pub(crate) reason: Option<Refusal>,
}

/// Who waited is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) id: MessageId,
    pub(crate) ticket: u64,
    /// Whether all recipients got so far.
    pub(crate) is_reached: bool,
    /// The rung at which it ended for one who did not.
    pub(crate) ended_as: Rung,
}

/// Where a message may wait no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("{OUTBOX_MESSAGES_MAX} messages are on their way to others already")]
    Messages,
    #[error("{} MiB are on their way to others already", OUTBOX_BYTES_MAX >> 20)]
    Bytes,
    #[error("a message of this id is on its way already")]
    Known,
}

/// The lanes of one device, in the order in which they are served.
#[derive(Debug, Default)]
struct Lanes([Line; 4]);

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<MessageId>,
    /// Handed over, and not acknowledged; the oldest first.
    flying: VecDeque<MessageId>,
}

/// Everything on its way.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    messages: HashMap<MessageId, Parcelled>,
    devices: BTreeMap<DeviceId, Lanes>,
    /// When what is over, in ms since the Unix epoch.
    ends: BTreeSet<(u64, MessageId)>,
    /// How those ended that did lately, for whoever publishes one again.
    ended: VecDeque<(MessageId, Rung)>,
    bytes: usize,
    /// How many were taken on so far.
    taken: u64,
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
}

/// How high a rung is; ends are not rungs.
fn height(rung: Rung) -> u8 {
    match rung {
        Rung::Accepted => 1,
        Rung::Stored => 2,
        Rung::Sent => 3,
        Rung::Relayed => 4,
        Rung::Delivered => 5,
        Rung::Taken => 6,
        Rung::Expired | Rung::Recalled | Rung::Refused => 0,
    }
}

fn has_ended(rung: Rung) -> bool {
    height(rung) == 0
}

/// The rung at which a publisher is answered.
fn wanted(until: Until) -> Rung {
    match until {
        Until::Accepted => Rung::Accepted,
        Until::Stored => Rung::Stored,
        Until::Sent => Rung::Sent,
        Until::Delivered => Rung::Delivered,
    }
}

/// A message as it begins.
pub(crate) struct New {
    pub(crate) message: Rc<Outgoing>,
    pub(crate) errand: Errand,
    pub(crate) lane: Lane,
    pub(crate) sent_at_ms: u64,
    pub(crate) expires_at_ms: u64,
    pub(crate) is_acknowledged: bool,
    pub(crate) waiter: Option<u64>,
    /// To whom, and whether that is only a copy of the user's own.
    pub(crate) recipients: Vec<(PersonId, DeviceId, bool)>,
}

impl Outbox {
    /// Takes a message on its way.
    pub(crate) fn add(&mut self, new: New) -> Result<(), Full> {
        let New { message, recipients, .. } = new;
        let bytes = message.payload.len();
        if OUTBOX_MESSAGES_MAX <= self.messages.len() {
            return Err(Full::Messages);
        }
        if OUTBOX_BYTES_MAX < self.bytes.saturating_add(bytes) {
            return Err(Full::Bytes);
        }
        let id = message.id;
        if self.messages.contains_key(&id) {
            return Err(Full::Known);
        }
        self.bytes += bytes;
        self.taken += 1;
        let until = message.until;
        let mut legs = BTreeMap::new();
        for (person, device, is_echo) in recipients {
            legs.insert(device, Leg { person, rung: Rung::Accepted, is_echo });
            self.line(device, new.lane).waiting.push_back(id);
            let step = Step { id, person, device, rung: Rung::Accepted, reason: None };
            self.steps.push(step);
        }
        let parcelled = Parcelled {
            message,
            errand: new.errand,
            lane: new.lane,
            sent_at_ms: new.sent_at_ms,
            expires_at_ms: new.expires_at_ms,
            is_acknowledged: new.is_acknowledged,
            waiters: new.waiter.map(|ticket| (ticket, until)).into_iter().collect(),
            number: self.taken,
            legs,
        };
        self.ends.insert((parcelled.expires_at_ms, id));
        self.messages.insert(id, parcelled);
        self.look_at(id);
        Ok(())
    }

    /// Somebody publishes a message again. Whether it is known; then who waits is answered as if
    /// they had waited from the beginning.
    pub(crate) fn wait_again(&mut self, id: MessageId, ticket: u64, until: Until) -> bool {
        if let Some(parcelled) = self.messages.get_mut(&id) {
            parcelled.waiters.push((ticket, until));
            self.look_at(id);
            return true;
        }
        let Some((_, rung)) = self.ended.iter().find(|(ended, _)| *ended == id) else {
            return false;
        };
        let is_reached = height(wanted(until)) <= height(*rung);
        self.outcomes.push(Outcome { id, ticket, is_reached, ended_as: *rung });
        true
    }

    /// The next message for a device, which from now on is on its way to it. Nothing, while as many
    /// as may be wait for their acknowledgement.
    pub(crate) fn next(&mut self, device: DeviceId) -> Option<&Parcelled> {
        let Self { messages, devices, .. } = self;
        let lanes = devices.get_mut(&device)?;
        for line in &mut lanes.0 {
            while line.flying.len() < LANE_FLYING_MAX {
                let Some(id) = line.waiting.pop_front() else { break };
                // It may have ended while it waited.
                let Some(parcelled) = messages.get(&id) else { continue };
                if parcelled.legs.get(&device).is_none_or(|leg| has_ended(leg.rung)) {
                    continue;
                }
                line.flying.push_back(id);
                return messages.get(&id);
            }
        }
        None
    }

    /// Whether something could be handed over to a device.
    pub(crate) fn has_next(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|lanes| {
            let can_go =
                |line: &Line| !line.waiting.is_empty() && line.flying.len() < LANE_FLYING_MAX;
            lanes.0.iter().any(can_go)
        })
    }

    /// Whether something was handed over that the device has not acknowledged.
    pub(crate) fn is_flying(&self, device: DeviceId) -> bool {
        let lanes = self.devices.get(&device);
        lanes.is_some_and(|lanes| lanes.0.iter().any(|line| !line.flying.is_empty()))
    }

    /// How many messages wait for a device, or for its word.
    pub(crate) fn count(&self, device: DeviceId) -> usize {
        let lanes = self.devices.get(&device);
        lanes.map_or(0, |lanes| {
            lanes.0.iter().map(|line| line.waiting.len() + line.flying.len()).sum()
        })
    }

    /// Whether anything waits for a device, or for its word.
    pub(crate) fn has_any(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|lanes| {
            lanes.0.iter().any(|line| !line.waiting.is_empty() || !line.flying.is_empty())
        })
    }

    /// For which devices something waits, or their word.
    pub(crate) fn devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.devices.keys().copied().filter(|device| self.has_any(*device))
    }

    /// It was handed to a link.
    pub(crate) fn sent(&mut self, id: MessageId, device: DeviceId) {
        let Some(parcelled) = self.messages.get(&id) else { return };
        if parcelled.is_acknowledged {
            self.climb(id, device, Rung::Sent, None);
        } else {
            self.climb(id, device, Rung::Sent, None);
            self.end(id, device);
        }
    }

    /// The device has it on its disk, and has signed that. Whether it was on its way there.
    pub(crate) fn delivered(&mut self, id: MessageId, device: DeviceId) -> bool {
        let leg = self.messages.get(&id).and_then(|one| one.legs.get(&device));
        if leg.is_none() {
            return false;
        }
        self.climb(id, device, Rung::Delivered, None);
        self.end(id, device);
        true
    }

    /// It ends for this device, undelivered.
    pub(crate) fn refused(&mut self, id: MessageId, device: DeviceId, reason: Refusal) {
        self.climb(id, device, Rung::Refused, Some(reason));
        self.end(id, device);
    }

    /// It has to be handed over once more, before what comes after it.
    pub(crate) fn again(&mut self, id: MessageId, device: DeviceId) {
        let found = self.messages.get(&id).map(|one| (one.lane, one.number));
        let Some((lane, number)) = found else { return };
        let lanes = self.devices.get_mut(&device);
        let line = lanes.and_then(|lanes| lanes.0.get_mut(usize::from(lane.number())));
        let Some(line) = line else { return };
        let Some(at) = line.flying.iter().position(|flying| *flying == id) else { return };
        line.flying.remove(at);
        // Before all that was taken on later.
        let before = line
            .waiting
            .iter()
            .take_while(|other| self.messages.get(other).is_none_or(|other| other.number < number));
        let place = before.count();
        line.waiting.insert(place, id);
    }

    /// The way to a device has changed: everything that it has not acknowledged begins again.
    pub(crate) fn begin_again(&mut self, device: DeviceId) {
        let Some(lanes) = self.devices.get_mut(&device) else { return };
        let mut lost = Vec::new();
        for line in &mut lanes.0 {
            while let Some(id) = line.flying.pop_back() {
                let is_acknowledged = self.messages.get(&id).is_some_and(|one| one.is_acknowledged);
                if is_acknowledged {
                    line.waiting.push_front(id);
                } else {
                    lost.push(id);
                }
            }
        }
        for id in lost {
            self.lost(id, device);
        }
    }

    /// No device of anybody's is to get anything more: it was removed, or its person rejected.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        let Some(mut lanes) = self.devices.remove(&device) else { return };
        let queued = |line: &mut Line| -> Vec<MessageId> {
            line.flying.drain(..).chain(line.waiting.drain(..)).collect()
        };
        let ids: Vec<_> = lanes.0.iter_mut().flat_map(queued).collect();
        for id in ids {
            self.refused(id, device, Refusal::Rejected);
        }
    }

    /// It was lost on the way, and is not tried again.
    pub(crate) fn lost(&mut self, id: MessageId, device: DeviceId) {
        self.climb(id, device, Rung::Expired, None);
        self.end(id, device);
    }

    /// What never waits for a link is over where there is none: realtime messages.
    pub(crate) fn drop_realtime(&mut self, device: DeviceId) {
        let Some(lanes) = self.devices.get_mut(&device) else { return };
        let Some(line) = lanes.0.first_mut() else { return };
        let ids: Vec<_> = line.flying.drain(..).chain(line.waiting.drain(..)).collect();
        for id in ids {
            self.lost(id, device);
        }
    }

    /// Ends what is worth nothing any more.
    pub(crate) fn expire(&mut self, unix_ms: u64) {
        while let Some((_, id)) = self.ends.first().filter(|(at, _)| *at <= unix_ms).copied() {
            self.ends.pop_first();
            let legs = self.messages.get(&id).map(|one| one.legs.keys().copied().collect());
            for device in legs.into_iter().flat_map(|legs: Vec<_>| legs) {
                self.climb(id, device, Rung::Expired, None);
                self.end(id, device);
            }
        }
    }

    /// When that is to be done next, in ms since the Unix epoch.
    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// What has happened since this was asked.
    pub(crate) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// Who is to be answered since this was asked.
    pub(crate) fn take_outcomes(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// A message on its way.
    pub(crate) fn get(&self, id: MessageId) -> Option<&Parcelled> {
        self.messages.get(&id)
    }

    /// How many messages, and their bytes.
    pub(crate) fn totals(&self) -> (usize, usize) {
        (self.messages.len(), self.bytes)
    }

    fn line_of(&mut self, device: DeviceId, lane: Lane) -> Option<&mut Line> {
        self.devices.get_mut(&device)?.0.get_mut(usize::from(lane.number()))
    }

    fn line(&mut self, device: DeviceId, lane: Lane) -> &mut Line {
        let [realtime, high, normal, bulk] = &mut self.devices.entry(device).or_default().0;
        match lane {
            Lane::Realtime => realtime,
            Lane::High => high,
            Lane::Normal => normal,
            Lane::Bulk => bulk,
        }
    }

    /// Goes up, or ends; never down, and never on from an end.
    fn climb(&mut self, id: MessageId, device: DeviceId, to: Rung, reason: Option<Refusal>) {
        let Some(parcelled) = self.messages.get_mut(&id) else { return };
        let Some(leg) = parcelled.legs.get_mut(&device) else { return };
        let is_done = matches!(leg.rung, Rung::Delivered | Rung::Taken)
            || (!parcelled.is_acknowledged && leg.rung == Rung::Sent);
        let is_up = height(leg.rung) < height(to) || (has_ended(to) && !is_done);
        if has_ended(leg.rung) || !is_up {
            return;
        }
        leg.rung = to;
        let person = leg.person;
        self.steps.push(Step { id, person, device, rung: to, reason });
        self.look_at(id);
    }

    /// Nothing more is done for this device.
    fn end(&mut self, id: MessageId, device: DeviceId) {
        let Some(parcelled) = self.messages.get_mut(&id) else { return };
        let lane = parcelled.lane;
        let is_over = |leg: &Leg| leg.rung == Rung::Delivered || has_ended(leg.rung);
        let is_acknowledged = parcelled.is_acknowledged;
        let over = parcelled
            .legs
            .values()
            .all(|leg| is_over(leg) || (!is_acknowledged && leg.rung == Rung::Sent));
        let lanes = self.devices.get_mut(&device);
        if let Some(line) = lanes.and_then(|lanes| lanes.0.get_mut(usize::from(lane.number())))
            // Nearly always the oldest.
            && let Some(at) = line.flying.iter().position(|flying| *flying == id)
        {
            line.flying.remove(at);
        } else if let Some(line) = self.line_of(device, lane)
            && let Some(at) = line.waiting.iter().position(|waiting| *waiting == id)
        {
            line.waiting.remove(at);
        }
        if over && let Some(gone) = self.messages.remove(&id) {
            let ended = gone.legs.values().filter(|leg| !leg.is_echo).map(|leg| leg.rung);
            let worst = ended.min_by_key(|rung| height(*rung));
            if ENDED_REMEMBERED_MAX <= self.ended.len() {
                self.ended.pop_front();
            }
            self.ended.push_back((id, worst.unwrap_or(Rung::Delivered)));
            self.bytes = self.bytes.saturating_sub(gone.message.payload.len());
            self.ends.remove(&(gone.expires_at_ms, id));
        }
    }

    /// Answers who waits, if there is something to say: each recipient has a device that got so
    /// far, or for one of them there is none left that could.
    fn look_at(&mut self, id: MessageId) {
        let Some(parcelled) = self.messages.get_mut(&id) else { return };
        if parcelled.waiters.is_empty() {
            return;
        }
        let mut waiting = Vec::new();
        for (ticket, until) in std::mem::take(&mut parcelled.waiters) {
            let wanted = wanted(until);
            match parcelled.outcome(wanted) {
                Some((is_reached, ended_as)) => {
                    self.outcomes.push(Outcome { id, ticket, is_reached, ended_as });
                }
                None => waiting.push((ticket, until)),
            }
        }
        parcelled.waiters = waiting;
    }
}
