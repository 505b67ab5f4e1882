//! Envelopes that a transport was asked to carry, and has not answered for.
//!
//! A transport answers for each: sent, or failed. One that has many to answer for is asked for no
//! more, so that its queue on the bus never overflows; and one that does not answer in time has
//! lost them, and they go again.

use crate::limits::{TRANSPORT_ANSWER_MS, TRANSPORT_BYTES_MAX, TRANSPORT_ENVELOPES_MAX};
use kith_people::DeviceId;
use kith_wire::MessageId;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What an envelope carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The message; `None` for what is of the post itself, which nobody waits for.
    pub(crate) message: Option<MessageId>,
    pub(crate) device: DeviceId,
    pub(crate) bytes: usize,
    /// Whether the message is whole with it: it is the last of its parts.
    pub(crate) is_last: bool,
}

#[derive(Debug, Default)]
struct Load {
    envelopes: usize,
    bytes: usize,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Flying {
    envelopes: HashMap<MessageId, (Envelope, String)>,
    loads: BTreeMap<String, Load>,
    /// In the order in which they were handed out: when each is overdue.
    order: VecDeque<(u64, MessageId)>,
}

impl Flying {
    /// Whether a transport can be asked to carry more.
    pub(crate) fn has_room(&self, transport: &str) -> bool {
        self.loads.get(transport).is_none_or(|load| {
            load.envelopes < TRANSPORT_ENVELOPES_MAX && load.bytes < TRANSPORT_BYTES_MAX
        })
    }

    pub(crate) fn add(&mut self, id: MessageId, transport: &str, envelope: Envelope, now_ms: u64) {
        if !self.loads.contains_key(transport) {
            self.loads.insert(transport.to_owned(), Load::default());
        }
        if let Some(load) = self.loads.get_mut(transport) {
            load.envelopes += 1;
            load.bytes += envelope.bytes;
        }
        self.order.push_back((now_ms.saturating_add(TRANSPORT_ANSWER_MS), id));
        self.envelopes.insert(id, (envelope, transport.to_owned()));
    }

    /// The transport has answered for this one; it is its own, or counts for nothing.
    pub(crate) fn take(&mut self, id: MessageId, transport: &str) -> Option<Envelope> {
        if self.envelopes.get(&id).is_none_or(|(_, asked)| asked != transport) {
            return None;
        }
        let envelope = self.remove(id);
        while let Some((_, first)) = self.order.front() {
            if self.envelopes.contains_key(first) {
                break;
            }
            self.order.pop_front();
        }
        envelope
    }

    /// The transport is gone, and all that it was asked to carry.
    pub(crate) fn gone(&mut self, transport: &str) {
        self.envelopes.retain(|_, (_, asked)| asked != transport);
        self.loads.remove(transport);
    }

    /// Messages for which a transport has not answered in time.
    pub(crate) fn overdue(&mut self, now_ms: u64) -> Vec<(MessageId, DeviceId)> {
        let mut overdue = Vec::new();
        while let Some((_, id)) = self.order.front().filter(|(at, _)| *at <= now_ms).copied() {
            self.order.pop_front();
            let envelope = self.remove(id);
            let message = envelope.and_then(|one| one.message.map(|id| (id, one.device)));
            overdue.extend(message);
        }
        overdue
    }

    /// When to look for that, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.order.front().map(|(at, _)| *at)
    }

    fn remove(&mut self, id: MessageId) -> Option<Envelope> {
        let (envelope, transport) = self.envelopes.remove(&id)?;
        if let Some(load) = self.loads.get_mut(&transport) {
            load.envelopes = load.envelopes.saturating_sub(1);
            load.bytes = load.bytes.saturating_sub(envelope.bytes);
        }
        Some(envelope)
    }
}
