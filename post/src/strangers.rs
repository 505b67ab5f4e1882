//! What comes from devices that nobody knows: how much of it is looked at, and what waits for a
//! card.

use crate::envelope::Parcel;
use crate::limits::{
    STRANGER_LETTERS_PER_WINDOW_MAX, STRANGER_WINDOW_MS, STRANGERS_COUNTED_MAX,
    STRANGERS_HEARD_MAX, STRANGERS_LETTERS_PER_WINDOW_MAX, UNINTRODUCED_BYTES_MAX, UNINTRODUCED_MS,
    UNINTRODUCED_PARCELS_MAX,
};
use kith_people::DeviceId;
use kith_wire::MessageId;
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
    pub(crate) fn is_first(&mut self, device: DeviceId, id: MessageId) -> bool {
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
    pub(crate) fn admit(&mut self, device: DeviceId, now_ms: u64) -> bool {
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
    pub(crate) fn note_ratchet(&mut self, device: DeviceId) -> Option<DeviceId> {
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
    pub(crate) fn keep(&mut self, parcel: Parcel, bytes: usize, now_ms: u64) -> bool {
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

    pub(crate) fn take(&mut self, device: DeviceId) -> Vec<Parcel> {
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
