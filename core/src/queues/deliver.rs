//! Where a delivery is encoded and queued, or counted as lost.
//!
//! A message is encoded at most once for each framing, however many get it; each subscriber adds a
//! head with its own number. A run is delivered to binary clients as the frames its publisher
//! wrote.
//!
//! A payload that came in a descriptor goes on in it to clients that take such; to others it is
//! copied, and to those for which too many wait already.
//!
//! What was lost before is told first: a message is queued only together with the notice that is
//! due to its subscription, so the notice stands where the lost ones would have stood.

use super::{LAG_BYTES, Queues, note_flush, push_notice};
use crate::broker::{Client, Framing};
use crate::buffers::Buffers;
use crate::index::Target;
use crate::limits::{DESCRIPTORS_MAX, Limits};
use crate::outbox::{Lost, Parcel, Share};
use crate::parcels::{Room, Run, Single, range};
use crate::sealed::Sealed;
use kith_wire::binary::deliver::{message_head, run_head};
use kith_wire::binary::{HEADER_BYTES, Kind};
use kith_wire::{Priority, RequestNumber, json};
use std::num::NonZeroU32;
use std::ops::Range;

impl Queues {
    /// Delivers these messages of a run to one subscriber: as many as fit, the others are counted
    /// as lost. Returns how many were queued.
    pub(crate) fn deliver_run(
        &mut self,
        target: Target,
        run: &mut Run<'_>,
        part: Range<u32>,
    ) -> u32 {
        let wanted = part.end.saturating_sub(part.start);
        let queued = self.try_run(target, run, part);
        self.lose(target, Priority::Normal, lost(wanted - queued));
        queued
    }

    /// Delivers one message to one subscriber. Whether it was queued, else it is counted as lost.
    pub(crate) fn deliver_single(&mut self, target: Target, single: &mut Single<'_>) -> bool {
        let queued = self.try_single(target, single);
        if !queued {
            self.lose(target, single.parcel(Kind::Msg).priority, single.lost());
        }
        queued
    }

    /// Delivers one message to one subscriber, if there is room for it; else nothing is lost, and
    /// whoever has it keeps it. Whether it was queued.
    pub(crate) fn offer_single(&mut self, target: Target, single: &mut Single<'_>) -> bool {
        self.try_single(target, single)
    }

    /// Whether a client has room for more messages: less waits for it than half of what may.
    pub(crate) fn has_room(&self, client: &Client) -> bool {
        let half_bytes = self.limits.queue_bytes_max.min(self.share_bytes()) / 2;
        client.outbox.message_bytes() <= half_bytes
            && client.outbox.messages() <= self.limits.queue_messages_max / 2
    }

    /// Delivers each message of a run to one member of a group. Once no member has room, the rest
    /// is lost: it came at the same time. Whether any was queued, and to how many members one was
    /// offered, which is the work of it.
    pub(crate) fn deliver_run_to_group(
        &mut self,
        members: &[Target],
        turn: u64,
        run: &mut Run<'_>,
    ) -> (bool, u64) {
        let mut offers = 0;
        for index in 0..run.count {
            let turn = turn.wrapping_add(index.into());
            let try_one = |member| {
                offers += 1;
                self.try_run(member, run, index..index + 1) > 0
            };
            if let Some(unlucky) = to_one(members, turn, try_one) {
                self.lose(unlucky, Priority::Normal, lost(run.count - index));
                return (index > 0, offers);
            }
        }
        (true, offers)
    }

    /// Delivers one message to one member of a group.
    pub(crate) fn deliver_single_to_one(
        &mut self,
        members: &[Target],
        turn: u64,
        single: &mut Single<'_>,
    ) -> bool {
        let unlucky = to_one(members, turn, |member| self.try_single(member, single));
        if let Some(unlucky) = unlucky {
            self.lose(unlucky, single.parcel(Kind::Msg).priority, single.lost());
        }
        unlucky.is_none()
    }

    /// Delivers the reply to a request. Whether it was queued.
    pub(crate) fn deliver_reply(
        &mut self,
        place: u32,
        number: RequestNumber,
        single: &mut Single<'_>,
    ) -> bool {
        self.push_single(place, number, Kind::Reply, single)
    }

    fn try_run(&mut self, target: Target, run: &mut Run<'_>, part: Range<u32>) -> u32 {
        let Self { clients, buffers, limits, notices, flush, totals, .. } = self;
        let Some(client) = clients.get_mut(target.client as usize) else { return 0 };
        let lag_bytes = lag_bytes(client, target.number, Priority::Normal);
        let room = Room {
            bytes: room_bytes(client, buffers, limits).saturating_sub(lag_bytes),
            messages: client.outbox.messages_left(limits),
        };
        let number = NonZeroU32::new(target.number).unwrap_or(NonZeroU32::MIN);
        let (part, bytes) = match client.framing {
            Framing::Binary => run.fitting_entries(part, room),
            Framing::JsonLines => run.fitting_lines(buffers, part, room, number),
        };
        let queued = part.end - part.start;
        if queued == 0 {
            return 0;
        }
        let payload_bytes = run.payload_bytes(part.clone());
        if lag_bytes > 0
            && let Some(lag) = client.outbox.take_lag(target.number, Priority::Normal)
        {
            push_notice(client, buffers, notices, lag);
        }
        match client.framing {
            Framing::Binary => push_entries(client, buffers, number, run, part, bytes),
            Framing::JsonLines => push_lines(client, buffers, number, run, part, bytes.len()),
        }
        client.delivered += u64::from(queued);
        client.delivered_bytes += payload_bytes;
        totals.delivered += u64::from(queued);
        totals.delivered_bytes += payload_bytes;
        note_flush(client, flush);
        queued
    }

    fn try_single(&mut self, target: Target, single: &mut Single<'_>) -> bool {
        let number = NonZeroU32::new(target.number).unwrap_or(NonZeroU32::MIN);
        let queued = self.push_single(target.client, number, Kind::Msg, single);
        if queued && let Some(client) = self.clients.get_mut(target.client as usize) {
            let payload_bytes = single.delivery.payload.len() as u64;
            client.delivered += 1;
            client.delivered_bytes += payload_bytes;
            self.totals.delivered += 1;
            self.totals.delivered_bytes += payload_bytes;
        }
        queued
    }

    fn push_single(
        &mut self,
        place: u32,
        number: NonZeroU32,
        kind: Kind,
        single: &mut Single<'_>,
    ) -> bool {
        let Self { clients, buffers, limits, notices, flush, .. } = self;
        let Some(client) = clients.get_mut(place as usize) else { return false };
        let parcel = single.parcel(kind);
        let room_bytes = room_bytes(client, buffers, limits);
        if room_bytes < single.payload_bytes() || client.outbox.messages_left(limits) == 0 {
            // Not even worth encoding.
            return false;
        }
        if kind == Kind::Msg
            && let Some(sealed) = single.sealed.clone()
            && may_hand_over(client, buffers, limits)
        {
            return self.push_sealed(place, number, room_bytes, single, &sealed);
        }
        let mut head = buffers.take();
        let (body, part) = match client.framing {
            Framing::Binary => {
                let Some(frame) = single.frame(buffers) else { return false };
                head.extend_from_slice(&message_head(frame.bytes(), kind, number.get()));
                let end = frame.bytes().len();
                (frame, HEADER_BYTES..end)
            }
            Framing::JsonLines => {
                match kind {
                    Kind::Reply => json::deliver::reply_head(&mut head, number),
                    _ => json::deliver::message_head(&mut head, number),
                }
                let Some(tail) = single.tail(buffers) else { return false };
                let end = tail.bytes().len();
                (tail, 0..end)
            }
        };
        let is_message = kind != Kind::Reply;
        let bytes = head.len() + part.len();
        let lag_bytes =
            if is_message { lag_bytes(client, number.get(), parcel.priority) } else { 0 };
        let fits = lag_bytes + bytes <= room_bytes;
        if fits {
            if lag_bytes > 0
                && let Some(lag) = client.outbox.take_lag(number.get(), parcel.priority)
            {
                push_notice(client, buffers, notices, lag);
            }
            let taken_bytes = part.len();
            client.outbox.push(buffers, parcel, &head, Share { body, part, taken_bytes });
            note_flush(client, flush);
        }
        buffers.give_back(head);
        fits
    }

    /// Queues a message whose payload goes in a descriptor, if it fits.
    fn push_sealed(
        &mut self,
        place: u32,
        number: NonZeroU32,
        room_bytes: usize,
        single: &mut Single<'_>,
        sealed: &Sealed,
    ) -> bool {
        let Self { clients, buffers, notices, flush, .. } = self;
        let Some(client) = clients.get_mut(place as usize) else { return false };
        let parcel = single.parcel(Kind::Msg);
        let mut frame = buffers.take();
        let cover = single.cover(buffers).bytes();
        frame.extend_from_slice(&message_head(cover, Kind::Msg, number.get()));
        frame.extend_from_slice(cover.get(HEADER_BYTES..).unwrap_or_default());
        let lag_bytes = lag_bytes(client, number.get(), parcel.priority);
        let fits = lag_bytes + frame.len() + sealed.payload_bytes() <= room_bytes;
        if fits {
            if lag_bytes > 0
                && let Some(lag) = client.outbox.take_lag(number.get(), parcel.priority)
            {
                push_notice(client, buffers, notices, lag);
            }
            client.outbox.push_sealed(buffers, parcel, &frame, sealed);
            note_flush(client, flush);
        }
        buffers.give_back(frame);
        fits
    }

    fn lose(&mut self, target: Target, priority: Priority, lost: Lost) {
        let Self { clients, totals, overflown, .. } = self;
        let client = clients.get_mut(target.client as usize);
        let Some(client) = client.filter(|_| lost.count > 0) else { return };
        client.dropped += lost.count;
        totals.dropped += lost.count;
        if client.outbox.count_lag(target.number, priority, lost) {
            overflown.push(client.id);
        }
        if client.outbox.message_bytes() == 0 {
            // Others hold all the memory. Nothing will be sent after which it could be told.
            let id = client.id;
            self.tell_if_drained(id);
        }
    }
}

/// Offers something to the members of a group until one takes it: first to the one whose turn it
/// is, then to those after it. If none does, it is lost to the first.
fn to_one(members: &[Target], turn: u64, mut offer: impl FnMut(Target) -> bool) -> Option<Target> {
    let first = turn.checked_rem(members.len() as u64).unwrap_or(0);
    let first = usize::try_from(first).unwrap_or(0);
    let (before, from_first) = members.split_at_checked(first)?;
    for mut rest in [from_first, before] {
        while let Some(member) = rest.first() {
            if offer(*member) {
                return None;
            }
            // Members of one client share its queue, and stand together.
            let others = rest.partition_point(|other| other.client <= member.client);
            rest = rest.get(others..).unwrap_or_default();
        }
    }
    from_first.first().copied()
}

/// How many bytes more may wait for a client: what its queue has room for, and not more than its
/// share of what is free.
fn room_bytes(client: &Client, buffers: &Buffers, limits: &Limits) -> usize {
    let share_bytes = buffers.ledger.share_bytes(limits.waiting_bytes_total_max);
    let left_of_share = share_bytes.saturating_sub(client.outbox.message_bytes());
    client.outbox.bytes_left(limits).min(left_of_share)
}

/// Whether a payload may wait for a client in a descriptor; else it is copied.
fn may_hand_over(client: &Client, buffers: &Buffers, limits: &Limits) -> bool {
    let share = buffers.ledger.share_descriptors(limits.descriptors_total_max);
    client.takes_descriptors && client.outbox.descriptors() < share.min(DESCRIPTORS_MAX)
}

fn lost(count: u32) -> Lost {
    Lost { count: count.into(), about_lag: 0 }
}

/// Bytes that the notice takes which is due before a message of this subscription and priority.
fn lag_bytes(client: &Client, number: u32, priority: Priority) -> usize {
    if client.outbox.has_lag(number, priority) { LAG_BYTES } else { 0 }
}

fn push_entries(
    client: &mut Client,
    buffers: &mut Buffers,
    number: NonZeroU32,
    run: &mut Run<'_>,
    part: Range<u32>,
    bytes: Range<usize>,
) {
    let count = part.end - part.start;
    let first = run.first.advance(part.start);
    let head = run_head(number.get(), run.scope, first, run.sent_at_ms, count, bytes.len());
    let parcel = Parcel { priority: Priority::Normal, messages: count, expires_at_ms: None };
    let share = Share { body: &mut run.entries, taken_bytes: bytes.len(), part: bytes };
    client.outbox.push(buffers, parcel, &head, share);
}

fn push_lines(
    client: &mut Client,
    buffers: &mut Buffers,
    number: NonZeroU32,
    run: &mut Run<'_>,
    part: Range<u32>,
    taken_bytes: usize,
) {
    let mut head = buffers.take();
    json::deliver::message_head(&mut head, number);
    let parcel = Parcel { priority: Priority::Normal, messages: 1, expires_at_ms: None };
    let (body, ends) = run.lines(buffers);
    for index in part {
        let part = range(ends, index..index + 1);
        client.outbox.push(buffers, parcel, &head, Share { body, part, taken_bytes });
    }
    buffers.give_back(head);
}
