//! Requests across people: those of local programs that wait for a reply of another device, and
//! those of other devices that wait for a reply of a local program.
//!
//! A request goes to each device of whoever is asked, and the first that replies is the answer; if
//! all say that they have none, the last of them is. A reply goes to the device that asked, and
//! counts only if it comes from one that was asked.

use crate::envelope::Party;
use crate::limits::{REQUESTS_FROM_OTHERS_MAX, REQUESTS_TO_OTHERS_MAX};
use kith_people::DeviceId;
use kith_wire::MessageId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A request of a local program.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ticket: u64,
    /// The devices that have not answered.
    pub(crate) devices: BTreeSet<DeviceId>,
    pub(crate) due_ms: u64,
}

/// A request of another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asking {
    pub(crate) from: Party,
    pub(crate) id: MessageId,
    /// What it was asked on. The reply bears it too: the topic on which a program here replies is
    /// a reserved one of this bus, which tells nobody else anything.
    pub(crate) topic: String,
    due_ms: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    ours: HashMap<MessageId, Asked>,
    theirs: BTreeMap<u64, Asking>,
    next: u64,
}

impl Requests {
    /// A local program asks these devices. Whether there is room for it, and
    /// none of this id.
    pub(crate) fn ask(&mut self, id: MessageId, asked: Asked) -> bool {
        if REQUESTS_TO_OTHERS_MAX <= self.ours.len() || self.ours.contains_key(&id) {
            return false;
        }
        self.ours.insert(id, asked);
        true
    }

    /// A device has replied: who waits for that, if it was asked.
    pub(crate) fn replied(&mut self, id: MessageId, device: DeviceId) -> Option<u64> {
        self.ours.get(&id).filter(|asked| asked.devices.contains(&device))?;
        self.ours.remove(&id).map(|asked| asked.ticket)
    }

    /// A device has no reply: who waits, if nobody is left who may have one.
    pub(crate) fn has_none(&mut self, id: MessageId, device: DeviceId) -> Option<u64> {
        let asked = self.ours.get_mut(&id)?;
        if !asked.devices.remove(&device) || !asked.devices.is_empty() {
            return None;
        }
        self.ours.remove(&id).map(|asked| asked.ticket)
    }

    /// It is not asked after all.
    pub(crate) fn forget(&mut self, id: MessageId) {
        self.ours.remove(&id);
    }

    /// Another device asks. Its number, if there is room for it.
    pub(crate) fn asked_by(
        &mut self,
        from: Party,
        id: MessageId,
        topic: &str,
        due_ms: u64,
    ) -> Option<u64> {
        if REQUESTS_FROM_OTHERS_MAX <= self.theirs.len() {
            return None;
        }
        self.next += 1;
        self.theirs.insert(self.next, Asking { from, id, topic: topic.to_owned(), due_ms });
        Some(self.next)
    }

    /// The request of this number is answered: who asked.
    pub(crate) fn answered(&mut self, request: u64) -> Option<Asking> {
        self.theirs.remove(&request)
    }

    /// Requests of local programs whose time is over.
    pub(crate) fn overdue(&mut self, now_ms: u64) -> Vec<u64> {
        self.theirs.retain(|_, asking| now_ms < asking.due_ms);
        let over = |asked: &Asked| asked.due_ms <= now_ms;
        let ids: Vec<_> =
            self.ours.iter().filter(|(_, asked)| over(asked)).map(|(id, _)| *id).collect();
        ids.iter().filter_map(|id| self.ours.remove(id)).map(|asked| asked.ticket).collect()
    }

    /// When to look for that, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let ours = self.ours.values().map(|asked| asked.due_ms).min();
        let theirs = self.theirs.values().map(|asking| asking.due_ms).min();
        [ours, theirs].into_iter().flatten().min()
    }
}
