//! All clients and what waits for them: where a delivery is encoded and queued, or counted as lost.
//!
//! A message is encoded at most once for each framing, however many get it; each subscriber adds a
//! head with its own number. A run is delivered to binary clients as the frames its publisher wrote.
//!
//! This file knows nothing of patterns, retained values or requests: it is told whom.

use crate::broker::{Client, ClientId, Framing, Totals};
use crate::buffers::Buffers;
use crate::index::Target;
use crate::limits::Limits;
use crate::outbox::{Lag, Parcel};
use crate::parcels::{Run, Single};
use kith_wire::binary::deliver::{RUN_HEAD_BYTES, run_head};
use kith_wire::binary::{HEADER_BYTES, Kind, deliver};
use kith_wire::{Event, Priority, RequestNumber, json};
use slab::Slab;
use std::num::NonZeroU32;
use std::ops::Range;

/// All clients, their queues, and what all that needs.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(crate) limits: Limits,
    pub(crate) clients: Slab<Client>,
    pub(crate) buffers: Buffers,
    pub(crate) totals: Totals,
    /// Who has something to send.
    flush: Vec<ClientId>,
    /// Notices that were put into streams, for `bus.lag`.
    pub(crate) notices: Vec<(ClientId, Lag)>,
    /// Whose queue was found full for the first time since it was last told.
    pub(crate) overflown: Vec<ClientId>,
}

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
    pub(crate) fn flush_later(&mut self, place: u32) {
        if let Some(client) = self.clients.get_mut(place as usize) {
            note_flush(client, &mut self.flush);
        }
    }

    /// Queues an answer.
    pub(crate) fn answer(&mut self, place: u32, event: &Event<'_>) {
        let Self { clients, buffers, flush, .. } = self;
        let Some(client) = clients.get_mut(place as usize) else { return };
        match client.framing {
            Framing::Binary => client.outbox.answer(buffers, |out| deliver::event(out, event)),
            Framing::JsonLines => {
                client.outbox.answer(buffers, |out| json::deliver::event(out, event));
            }
        }
        note_flush(client, flush);
    }

    /// Queues bytes as they are, among the answers.
    pub(crate) fn answer_raw(&mut self, place: u32, bytes: &[u8]) {
        let Self { clients, buffers, flush, .. } = self;
        let Some(client) = clients.get_mut(place as usize) else { return };
        client.outbox.answer(buffers, |out| out.extend_from_slice(bytes));
        note_flush(client, flush);
    }

    /// Delivers these messages of a run to one subscriber: as many as fit, the others are counted as
    /// lost. Returns how many were queued.
    pub(crate) fn deliver_run(
        &mut self,
        target: Target,
        run: &mut Run<'_>,
        part: Range<u32>,
    ) -> u32 {
        let first_bytes = RUN_HEAD_BYTES + run.entry_bytes(part.start);
        let is_told = self.tell_lags(target.client, first_bytes);
        let Self { clients, buffers, limits, .. } = self;
        let Some(client) = clients.get_mut(target.client as usize) else { return 0 };
        let queued = match client.framing {
            _ if !is_told => 0,
            Framing::Binary => push_entries(client, buffers, limits, target, run, part.clone()),
            Framing::JsonLines => push_lines(client, buffers, limits, target, run, part.clone()),
        };
        let wanted = part.end.saturating_sub(part.start);
        self.account(target, Priority::Normal, queued, wanted - queued);
        queued
    }

    /// Delivers one message to one subscriber. Whether it was queued, else it is counted as lost.
    pub(crate) fn deliver_single(&mut self, target: Target, single: &mut Single<'_>) -> bool {
        let number = NonZeroU32::new(target.number).unwrap_or(NonZeroU32::MIN);
        let queued = self.push_single(target.client, number, Kind::Msg, single);
        let lost = u32::from(!queued);
        self.account(target, single.delivery.priority, 1 - lost, lost);
        queued
    }

    /// Delivers the reply to a request. Whether it was queued.
    pub(crate) fn deliver_reply(
        &mut self,
        place: u32,
        number: RequestNumber,
        single: &mut Single<'_>,
    ) -> bool {
        let queued = self.push_single(place, number, Kind::Reply, single);
        if queued {
            self.flush_later(place);
        }
        queued
    }

    /// Whether a message of so many bytes would fit.
    pub(crate) fn has_room(&self, place: u32, bytes: usize) -> bool {
        let client = self.clients.get(place as usize);
        client.is_some_and(|client| client.outbox.has_room(bytes, 1, &self.limits))
    }

    /// Tells a client what it lost, if it has room again. Called when some of its queue was sent.
    pub(crate) fn tell_lags_if_drained(&mut self, place: u32) {
        let Some(client) = self.clients.get(place as usize) else { return };
        let is_half_empty = client.outbox.message_bytes() <= self.limits.queue_bytes_max / 2
            && client.outbox.messages() <= self.limits.queue_messages_max / 2;
        if client.outbox.is_lagging() && is_half_empty {
            self.tell_lags(place, 0);
            self.flush_later(place);
        }
    }

    /// Puts the notices that are due into the stream, if they and so many more bytes fit. Whether
    /// the stream is up to date.
    fn tell_lags(&mut self, place: u32, more_bytes: usize) -> bool {
        let Self { clients, buffers, limits, notices, .. } = self;
        let Some(client) = clients.get_mut(place as usize) else { return false };
        if !client.outbox.is_lagging() {
            return true;
        }
        let bytes = client.outbox.lags() * LAG_BYTES;
        if !client.outbox.has_room(bytes + more_bytes, 1, limits) {
            return false;
        }
        let mut notice = buffers.take();
        for lag in client.outbox.take_lags() {
            let Some(subscription) = NonZeroU32::new(lag.subscription) else { continue };
            let event = Event::Lag { subscription, count: lag.count };
            notice.clear();
            match client.framing {
                Framing::Binary => deliver::event(&mut notice, &event),
                Framing::JsonLines => json::deliver::event(&mut notice, &event),
            }
            client.outbox.push_lag(buffers, lag.priority, &notice);
            notices.push((client.id, lag));
        }
        buffers.give_back(notice);
        true
    }

    fn push_single(
        &mut self,
        place: u32,
        number: NonZeroU32,
        kind: Kind,
        single: &mut Single<'_>,
    ) -> bool {
        let Some(framing) = self.clients.get(place as usize).map(|client| client.framing) else {
            return false;
        };
        let mut head = self.buffers.take();
        let (body, start) = match framing {
            Framing::Binary => {
                let frame = single.frame(&mut self.buffers);
                head.extend_from_slice(&deliver::message_head(frame.bytes(), kind, number.get()));
                (frame, HEADER_BYTES)
            }
            Framing::JsonLines => {
                match kind {
                    Kind::Reply => json::deliver::reply_head(&mut head, number),
                    _ => json::deliver::message_head(&mut head, number),
                }
                (single.tail(&mut self.buffers), 0)
            }
        };
        let end = body.bytes().len();
        let bytes = head.len() + end - start;
        let mut queued = self.tell_lags(place, bytes);
        let Self { clients, buffers, limits, .. } = self;
        if let Some(client) = clients.get_mut(place as usize) {
            queued = queued && client.outbox.has_room(bytes, 1, limits);
            if queued {
                let parcel = single.parcel(kind);
                let body = match framing {
                    Framing::Binary => single.frame(buffers),
                    Framing::JsonLines => single.tail(buffers),
                };
                client.outbox.push(buffers, parcel, &head, body, start..end);
            }
        }
        buffers.give_back(head);
        queued
    }

    fn account(&mut self, target: Target, priority: Priority, queued: u32, lost: u32) {
        let Self { clients, flush, totals, overflown, .. } = self;
        let Some(client) = clients.get_mut(target.client as usize) else { return };
        client.delivered += u64::from(queued);
        totals.delivered += u64::from(queued);
        if lost > 0 {
            client.dropped += u64::from(lost);
            totals.dropped += u64::from(lost);
            if client.outbox.count_lag(target.number, priority, lost.into()) {
                overflown.push(client.id);
            }
        }
        note_flush(client, flush);
    }
}

/// More than a `lag` line or frame takes.
const LAG_BYTES: usize = 64;

fn note_flush(client: &mut Client, flush: &mut Vec<ClientId>) {
    if !client.flush_due {
        client.flush_due = true;
        flush.push(client.id);
    }
}

fn push_entries(
    client: &mut Client,
    buffers: &mut Buffers,
    limits: &Limits,
    target: Target,
    run: &mut Run<'_>,
    part: Range<u32>,
) -> u32 {
    let wanted = part.end - part.start;
    let mut bytes = run.entries_range(part.clone());
    let mut count = wanted;
    if !client.outbox.has_room(RUN_HEAD_BYTES + bytes.len(), wanted as usize, limits) {
        let bytes_left = client.outbox.bytes_left(limits).saturating_sub(RUN_HEAD_BYTES);
        let messages_left = client.outbox.messages_left(limits);
        count = run.fitting(part.clone(), bytes_left, messages_left);
        bytes = run.entries_range(part.start..part.start + count);
    }
    if count == 0 {
        return 0;
    }
    let first = run.first.advance(part.start);
    let head = run_head(target.number, run.scope, first, run.sent_at_ms, count, bytes.len());
    let parcel = Parcel { priority: Priority::Normal, messages: count, expires_at_ms: None };
    client.outbox.push(buffers, parcel, &head, &mut run.entries, bytes);
    count
}

fn push_lines(
    client: &mut Client,
    buffers: &mut Buffers,
    limits: &Limits,
    target: Target,
    run: &mut Run<'_>,
    part: Range<u32>,
) -> u32 {
    let number = NonZeroU32::new(target.number).unwrap_or(NonZeroU32::MIN);
    let mut head = buffers.take();
    json::deliver::message_head(&mut head, number);
    let parcel = Parcel { priority: Priority::Normal, messages: 1, expires_at_ms: None };
    let mut queued = 0;
    for index in part {
        let (lines, bytes) = run.line(buffers, index);
        if !client.outbox.has_room(head.len() + bytes.len(), 1, limits) {
            break;
        }
        client.outbox.push(buffers, parcel, &head, lines, bytes);
        queued += 1;
    }
    buffers.give_back(head);
    queued
}
