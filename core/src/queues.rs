//! All clients and what waits for them.
//!
//! Here are answers, the list of who has something to send, and the notices of what was lost; in
//! `queues/deliver.rs` a delivery is encoded and queued, or counted as lost.
//!
//! This file knows nothing of patterns, retained values or requests: it is told whom.

mod deliver;

use crate::broker::{Client, ClientId, Framing, Totals, Will};
use crate::buffers::Buffers;
use crate::limits::{DESCRIPTORS_MAX, Limits};
use crate::outbox::Lag;
use kith_wire::binary::deliver as binary;
use kith_wire::{Event, Priority, json};
use slab::Slab;
use std::num::NonZeroU32;

/// All clients, their queues, and what all that needs.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(crate) limits: Limits,
    pub(crate) clients: Slab<Client>,
    pub(crate) buffers: Buffers,
    pub(crate) totals: Totals,
    /// Who has something to send.
    flush: Vec<ClientId>,
    /// Notices that were put into streams, to be announced.
    pub(crate) notices: Vec<(ClientId, Lag)>,
    /// Whose queue was found full for the first time since it was last told.
    pub(crate) overflown: Vec<ClientId>,
}

/// A `lag` line or frame takes no more.
pub(crate) const LAG_BYTES: usize = 64;

impl Queues {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            clients: Slab::new(),
            buffers: Buffers::default(),
            totals: Totals::default(),
            flush: Vec::new(),
            notices: Vec::new(),
            overflown: Vec::new(),
        }
    }

    pub(crate) fn get(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.get_mut(id.place as usize).filter(|client| client.id == id)
    }

    /// The next client that has something to send.
    pub(crate) fn next_flush(&mut self) -> Option<ClientId> {
        let id = self.flush.pop()?;
        if let Some(client) = self.get(id) {
            client.flush_due = false;
        }
        Some(id)
    }

    /// Has a client flushed, or closed if it has nothing to send.
    pub(crate) fn flush_later(&mut self, id: ClientId) {
        let Self { clients, flush, .. } = self;
        if let Some(client) = clients.get_mut(id.place as usize).filter(|client| client.id == id) {
            note_flush(client, flush);
        }
    }

    /// Queues an answer.
    pub(crate) fn answer(&mut self, id: ClientId, event: &Event<'_>) {
        let Self { clients, buffers, flush, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        let Some(client) = client else { return };
        let framing = client.framing;
        client.outbox.answer(buffers, |out| write_event(framing, out, event));
        note_flush(client, flush);
    }

    /// Queues bytes as they are, among the answers.
    pub(crate) fn answer_raw(&mut self, id: ClientId, bytes: &[u8]) {
        let Self { clients, buffers, flush, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        let Some(client) = client else { return };
        client.outbox.answer(buffers, |out| out.extend_from_slice(bytes));
        note_flush(client, flush);
    }

    /// What any one client may hold of one kind at this moment.
    pub(crate) fn share_bytes(&self) -> usize {
        self.buffers.ledger.share_bytes(self.limits.waiting_bytes_total_max)
    }

    /// Forgets what waits for a client.
    pub(crate) fn discard(&mut self, id: ClientId) {
        let Self { clients, buffers, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        if let Some(client) = client {
            client.outbox.discard(buffers);
        }
    }

    /// Gives back all memory that a client holds: it is gone.
    pub(crate) fn give_back(&mut self, id: ClientId) {
        self.discard(id);
        let Some(client) = self.get(id) else { return };
        let bytes = std::mem::take(&mut client.unfinished_bytes)
            + client.will.as_ref().map_or(0, Will::bytes);
        let descriptors = std::mem::take(&mut client.unclaimed_descriptors);
        self.buffers.ledger.release(bytes);
        self.buffers.ledger.release_descriptors(descriptors);
    }

    /// Takes note of how many bytes of an unfinished frame or line are kept for a client. Whether
    /// that is within what it may hold.
    pub(crate) fn hold_unfinished(&mut self, id: ClientId, bytes: usize) -> bool {
        let Some(client) = self.get(id) else { return true };
        let before = std::mem::replace(&mut client.unfinished_bytes, bytes);
        if bytes <= before {
            self.buffers.ledger.release(before - bytes);
            return true;
        }
        self.buffers.ledger.hold(bytes - before);
        bytes <= self.share_bytes()
    }

    /// Takes note of how many descriptors of a client's are ahead of their frames. Whether that is
    /// within what it may hold.
    pub(crate) fn hold_unclaimed(&mut self, id: ClientId, count: usize) -> bool {
        let Some(client) = self.get(id) else { return true };
        let before = std::mem::replace(&mut client.unclaimed_descriptors, count);
        self.buffers.ledger.release_descriptors(before);
        let share = self.buffers.ledger.share_descriptors(self.limits.descriptors_total_max);
        self.buffers.ledger.hold_descriptors(count);
        count <= share.min(DESCRIPTORS_MAX)
    }

    /// Takes note that a client leaves a will, or none any more. Whether there is room for it.
    pub(crate) fn set_will(&mut self, id: ClientId, will: Option<Will>) -> bool {
        let share_bytes = self.share_bytes();
        let Some(client) = self.get(id) else { return true };
        let bytes = will.as_ref().map_or(0, Will::bytes);
        // The new one takes the place of the one before.
        let before = client.will.as_ref().map_or(0, Will::bytes);
        if share_bytes.saturating_add(before) < bytes {
            return false;
        }
        client.will = will;
        self.buffers.ledger.hold(bytes);
        self.buffers.ledger.release(before);
        true
    }

    /// Puts into order what is sent next to a client. Whether some of it had expired.
    pub(crate) fn stage(&mut self, id: ClientId, unix_ms: u64) -> bool {
        let Self { clients, buffers, totals, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        let expired = client.map_or(0, |client| client.outbox.stage(buffers, unix_ms));
        totals.expired += expired;
        expired > 0
    }

    /// Takes note that so many of the staged bytes were sent to a client, and so many payloads.
    pub(crate) fn wrote(&mut self, id: ClientId, bytes: usize, payloads: usize) {
        let Self { clients, buffers, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        if let Some(client) = client {
            client.outbox.handed_over(buffers, payloads);
            client.outbox.wrote(buffers, bytes);
        }
    }

    /// Puts the staged payloads into their frames that were to go in descriptors. Whether that went
    /// well.
    pub(crate) fn copy_sealed(&mut self, id: ClientId) -> bool {
        let Self { clients, buffers, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        client.is_none_or(|client| client.outbox.copy_sealed(buffers))
    }

    /// Tells a client what it lost, as far as there is room again: at least half of its queue, so
    /// that it is not told of every message for itself, and no more at a time than it may hold of
    /// the memory that is free. The rest comes when that was sent.
    pub(crate) fn tell_if_drained(&mut self, id: ClientId) {
        let share_bytes = self.share_bytes();
        let Self { clients, buffers, limits, notices, flush, .. } = self;
        let client = clients.get_mut(id.place as usize).filter(|client| client.id == id);
        let Some(client) = client else { return };
        let is_half_empty = client.outbox.message_bytes() <= limits.queue_bytes_max / 2
            && client.outbox.messages() <= limits.queue_messages_max / 2;
        if !is_half_empty || !client.outbox.is_lagging() {
            return;
        }
        note_flush(client, flush);
        while client.outbox.has_room(LAG_BYTES, 0, limits)
            && client.outbox.message_bytes() + LAG_BYTES <= share_bytes
            && let Some(lag) = client.outbox.take_any_lag()
        {
            push_notice(client, buffers, notices, lag);
        }
    }

    /// Sees to it that nothing of a subscription that ends comes after the next answer: neither
    /// what waits for it, nor word of what it lost. That counts as an answer, for which there is
    /// always room.
    pub(crate) fn finish_subscription(&mut self, id: ClientId, subscription: u32) {
        let Some(client) = self.get(id) else { return };
        client.outbox.settle();
        for priority in Priority::ALL {
            let lag =
                self.get(id).and_then(|client| client.outbox.take_lag(subscription, priority));
            if let Some(lag) = lag {
                self.answer_lag(id, lag);
            }
        }
    }

    /// The same for all subscriptions of a client.
    pub(crate) fn finish_subscriptions(&mut self, id: ClientId) {
        let Some(client) = self.get(id) else { return };
        client.outbox.settle();
        while let Some(lag) = self.get(id).and_then(|client| client.outbox.take_any_lag()) {
            self.answer_lag(id, lag);
        }
    }

    fn answer_lag(&mut self, id: ClientId, lag: Lag) {
        if let Some(event) = event_of(lag) {
            self.answer(id, &event);
            self.notices.push((id, lag));
        }
    }
}

fn write_event(framing: Framing, out: &mut Vec<u8>, event: &Event<'_>) {
    match framing {
        Framing::Binary => binary::event(out, event),
        Framing::JsonLines => json::deliver::event(out, event),
    }
}

fn event_of(lag: Lag) -> Option<Event<'static>> {
    let subscription = NonZeroU32::new(lag.subscription)?;
    Some(Event::Lag { subscription, count: lag.lost.count })
}

/// Puts a notice into the stream. The caller has looked whether there is room.
fn push_notice(
    client: &mut Client,
    buffers: &mut Buffers,
    notices: &mut Vec<(ClientId, Lag)>,
    lag: Lag,
) {
    let Some(event) = event_of(lag) else { return };
    let mut notice = buffers.take();
    write_event(client.framing, &mut notice, &event);
    client.outbox.push_lag(buffers, lag.priority, &notice);
    buffers.give_back(notice);
    notices.push((client.id, lag));
}

fn note_flush(client: &mut Client, flush: &mut Vec<ClientId>) {
    if !client.flush_due {
        client.flush_due = true;
        flush.push(client.id);
    }
}
