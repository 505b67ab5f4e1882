//! What waits for one client: a bounded queue of encoded bytes, and the truth about what it lost.
//!
//! Four lanes: answers, which are not limited here (a client that doesn't read its answers is not
//! read from, see [`Outbox::is_choked`]), and one for each priority. A lane is a list of segments;
//! a segment holds whole frames or lines, its own bytes first and then perhaps a part of a shared
//! block, or one frame whose payload goes in a descriptor. Before a write, segments are *staged*:
//! put into the order in which they will be sent. Only then does a message that has expired fall
//! out, and only until then can another overtake it.
//!
//! When the queue is full the newest messages are dropped, and counted for each subscription and
//! priority; as soon as there is room a `lag` notice with the count takes their place.
//!
//! Answers overtake messages. Where an answer must not (nothing may come for a subscription after
//! it has ended), [`Outbox::settle`] first puts what waits before it.

mod segment;

use crate::buffers::{Body, Buffers};
use crate::limits::{
    ANSWER_BYTES_MAX, Limits, SPARE_SEGMENTS_MAX, STAGED_BYTES_MAX, STAGED_SEGMENTS_MAX,
};
use crate::sealed::Sealed;
use kith_wire::Priority;
use segment::Segment;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// What waits for one client.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lanes: [VecDeque<Segment>; 4],
    staged: VecDeque<Segment>,
    /// How much of the first staged segment has been written.
    written: usize,
    staged_bytes: usize,
    answer_bytes: usize,
    message_bytes: usize,
    messages: usize,
    /// Payloads that go in descriptors.
    descriptors: usize,
    /// What was dropped and has not been told yet. Ordered, so that notices are, too.
    lags: BTreeMap<(u32, Priority), Lost>,
}

/// One of the four queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Answers,
    Messages(Priority),
}

/// What a push wants beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    pub(crate) priority: Priority,
    pub(crate) messages: u32,
    pub(crate) expires_at_ms: Option<u64>,
}

/// Part of a body for one subscriber, who gets `taken_bytes` of it in all.
#[derive(Debug)]
pub(crate) struct Share<'a, 'b> {
    pub(crate) body: &'a mut Body<'b>,
    pub(crate) part: Range<usize>,
    pub(crate) taken_bytes: usize,
}

/// A lag notice that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) subscription: u32,
    pub(crate) priority: Priority,
    pub(crate) lost: Lost,
}

/// How many messages were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) count: u64,
    /// How many of them told of lag themselves, and are not told of in turn.
    pub(crate) about_lag: u64,
}

impl Outbox {
    /// Whether so many answers wait that the client should not be read from, where it may hold
    /// this share.
    pub(crate) fn is_choked(&self, share_bytes: usize) -> bool {
        self.answer_bytes > share_bytes.min(ANSWER_BYTES_MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.answer_bytes == 0 && self.message_bytes == 0
    }

    /// Bytes of messages that wait.
    pub(crate) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Messages that wait.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// Payloads that wait to go in descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        self.descriptors
    }

    /// Whether so much more fits.
    pub(crate) fn has_room(&self, bytes: usize, messages: usize, limits: &Limits) -> bool {
        bytes <= self.bytes_left(limits) && messages <= self.messages_left(limits)
    }

    /// How many more messages fit, whatever their size.
    pub(crate) fn messages_left(&self, limits: &Limits) -> usize {
        limits.queue_messages_max.saturating_sub(self.messages)
    }

    /// How many more bytes fit.
    pub(crate) fn bytes_left(&self, limits: &Limits) -> usize {
        limits.queue_bytes_max.saturating_sub(self.message_bytes)
    }

    /// Whether something was dropped that the client has not been told yet.
    pub(crate) fn is_lagging(&self) -> bool {
        !self.lags.is_empty()
    }

    /// Whether something was dropped of this subscription and priority.
    pub(crate) fn has_lag(&self, subscription: u32, priority: Priority) -> bool {
        !self.lags.is_empty() && self.lags.contains_key(&(subscription, priority))
    }

    /// Queues an answer. `write` appends its bytes.
    pub(crate) fn answer(&mut self, buffers: &mut Buffers, write: impl FnOnce(&mut Vec<u8>)) {
        let segment = self.open(buffers, Lane::Answers, None);
        let before = segment.own.len();
        write(&mut segment.own);
        let bytes = segment.own.len() - before;
        self.answer_bytes += bytes;
        buffers.ledger.hold(bytes);
    }

    /// Queues messages: `head`, then a part of a body. The caller has looked whether there is room.
    pub(crate) fn push(
        &mut self,
        buffers: &mut Buffers,
        parcel: Parcel,
        head: &[u8],
        share: Share<'_, '_>,
    ) {
        let Share { body, part, taken_bytes } = share;
        let block = body.share(buffers, part.len(), taken_bytes);
        let bytes = head.len() + part.len();
        let segment = self.open(buffers, Lane::Messages(parcel.priority), parcel.expires_at_ms);
        segment.own.extend_from_slice(head);
        segment.messages += parcel.messages;
        buffers.ledger.hold(head.len());
        match block {
            Some(block) => {
                block.hold(&mut buffers.ledger);
                segment.shared = Some((block, part));
            }
            None => {
                buffers.ledger.hold(part.len());
                segment.own.extend_from_slice(body.bytes().get(part).unwrap_or_default());
            }
        }
        self.message_bytes += bytes;
        self.messages += parcel.messages as usize;
    }

    /// Queues a frame whose payload goes in a descriptor. The caller has looked whether there is
    /// room for both.
    pub(crate) fn push_sealed(
        &mut self,
        buffers: &mut Buffers,
        parcel: Parcel,
        frame: &[u8],
        sealed: &Sealed,
    ) {
        let segment = self.begin(buffers, Lane::Messages(parcel.priority), parcel.expires_at_ms);
        segment.own.extend_from_slice(frame);
        segment.messages = parcel.messages;
        segment.sealed = Some(sealed.clone());
        segment.sealed_bytes = sealed.payload_bytes();
        let weight = segment.weight();
        buffers.ledger.hold(frame.len());
        sealed.hold(&mut buffers.ledger);
        self.message_bytes += weight;
        self.messages += parcel.messages as usize;
        self.descriptors += 1;
    }

    /// Queues a lag notice that the caller encoded.
    pub(crate) fn push_lag(&mut self, buffers: &mut Buffers, priority: Priority, notice: &[u8]) {
        let segment = self.open(buffers, Lane::Messages(priority), None);
        segment.own.extend_from_slice(notice);
        self.message_bytes += notice.len();
        buffers.ledger.hold(notice.len());
    }

    /// Counts messages that did not fit. Whether this begins a gap.
    pub(crate) fn count_lag(&mut self, subscription: u32, priority: Priority, lost: Lost) -> bool {
        let begins = self.lags.is_empty();
        let sum = self.lags.entry((subscription, priority)).or_default();
        sum.count += lost.count;
        sum.about_lag += lost.about_lag;
        begins
    }

    /// Takes the notice that is due for a subscription and priority.
    pub(crate) fn take_lag(&mut self, subscription: u32, priority: Priority) -> Option<Lag> {
        let lost = self.lags.remove(&(subscription, priority))?;
        Some(Lag { subscription, priority, lost })
    }

    /// Takes any notice that is due.
    pub(crate) fn take_any_lag(&mut self) -> Option<Lag> {
        let ((subscription, priority), lost) = self.lags.pop_first()?;
        Some(Lag { subscription, priority, lost })
    }

    /// Sees to it that all that waits is sent before the next answer. From then on nothing
    /// overtakes it any more.
    pub(crate) fn settle(&mut self) {
        let [answers, messages @ ..] = &mut self.lanes;
        for lane in messages {
            answers.append(lane);
            shrink(lane);
        }
    }

    /// Puts into order what is sent next. Returns how many messages had expired.
    pub(crate) fn stage(&mut self, buffers: &mut Buffers, unix_ms: u64) -> u64 {
        // What could not be sent at once may wait long. Only the last of each lane can have been
        // open.
        for left_over in self.staged.iter_mut().rev().take(self.lanes.len()) {
            left_over.seal(buffers);
        }
        let mut expired = 0;
        while self.staged_bytes < STAGED_BYTES_MAX && self.staged.len() < STAGED_SEGMENTS_MAX {
            let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.is_empty()) else { break };
            let Some(segment) = lane.pop_front() else { break };
            shrink(lane);
            if segment.expires_at_ms.is_some_and(|at| at <= unix_ms) {
                expired += u64::from(segment.messages);
                self.end(buffers, segment);
            } else {
                self.staged_bytes += segment.len();
                self.staged.push_back(segment);
            }
        }
        expired
    }

    /// The bytes that are sent next, in order.
    pub(crate) fn staged(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.written;
        self.staged.iter().flat_map(Segment::parts).map(move |part| {
            let rest = part.get(skip.min(part.len())..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            rest
        })
    }

    /// For each of [`Outbox::staged`] the payload that goes with its first byte, if one does.
    pub(crate) fn staged_sealed(&self) -> impl Iterator<Item = Option<&Sealed>> {
        self.staged.iter().flat_map(|segment| [segment.sealed.as_ref(), None])
    }

    /// Takes note that the first so many of the staged payloads have gone.
    pub(crate) fn handed_over(&mut self, buffers: &mut Buffers, count: usize) {
        let gone = self.staged.iter_mut().map(|segment| segment.hand_over(buffers));
        let gone = gone.filter(|gone| *gone).take(count).count();
        self.descriptors = self.descriptors.saturating_sub(gone);
    }

    /// Puts all staged payloads that have not gone into their frames. Whether that went well.
    pub(crate) fn copy_sealed(&mut self, buffers: &mut Buffers) -> bool {
        for segment in &mut self.staged {
            let (bytes, weight, had) = (segment.len(), segment.weight(), segment.sealed.is_some());
            if !segment.copy_sealed(buffers) {
                return false;
            }
            self.staged_bytes += segment.len() - bytes;
            self.message_bytes = self.message_bytes + segment.weight() - weight;
            self.descriptors -= usize::from(had);
        }
        true
    }

    /// Takes note that so many of the staged bytes were sent.
    pub(crate) fn wrote(&mut self, buffers: &mut Buffers, bytes: usize) {
        let bytes = bytes.min(self.staged_bytes);
        self.written += bytes;
        self.staged_bytes -= bytes;
        while let Some(first) = self.staged.front() {
            let len = first.len();
            if self.written < len {
                break;
            }
            self.written -= len;
            if let Some(segment) = self.staged.pop_front() {
                self.end(buffers, segment);
            }
        }
        shrink(&mut self.staged);
    }

    /// Forgets all that waits.
    pub(crate) fn discard(&mut self, buffers: &mut Buffers) {
        let Self { lanes, staged, .. } = std::mem::take(self);
        for segment in lanes.into_iter().flatten().chain(staged) {
            segment.end(buffers);
        }
    }

    fn end(&mut self, buffers: &mut Buffers, segment: Segment) {
        let weight = segment.weight();
        self.descriptors -= usize::from(segment.sealed.is_some());
        if segment.is_answer {
            self.answer_bytes = self.answer_bytes.saturating_sub(weight);
        } else {
            self.message_bytes = self.message_bytes.saturating_sub(weight);
            self.messages = self.messages.saturating_sub(segment.messages as usize);
        }
        segment.end(buffers);
    }

    /// The segment that takes further own bytes of this lane, a new one if need be.
    fn open(&mut self, buffers: &mut Buffers, lane: Lane, expires: Option<u64>) -> &mut Segment {
        let is_answer = lane == Lane::Answers;
        let is_open = self
            .lane(lane)
            .back()
            .is_some_and(|last| expires.is_none() && last.is_answer == is_answer && last.is_open());
        if is_open { self.last(lane) } else { self.begin(buffers, lane, expires) }
    }

    /// A new segment at the end of this lane.
    fn begin(&mut self, buffers: &mut Buffers, lane: Lane, expires: Option<u64>) -> &mut Segment {
        let is_answer = lane == Lane::Answers;
        let segments = self.lane(lane);
        if let Some(last) = segments.back_mut() {
            last.seal(buffers);
        }
        let own = buffers.take();
        let segment = Segment { own, expires_at_ms: expires, is_answer, ..Segment::default() };
        segments.push_back(segment);
        self.last(lane)
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Segment> {
        let [answers, high, normal, bulk] = &mut self.lanes;
        match lane {
            Lane::Answers => answers,
            Lane::Messages(Priority::High) => high,
            Lane::Messages(Priority::Normal) => normal,
            Lane::Messages(Priority::Bulk) => bulk,
        }
    }

    /// The last segment of a lane that has one.
    fn last(&mut self, lane: Lane) -> &mut Segment {
        // It was found or pushed just now.
        self.lane(lane).back_mut().unwrap_or_else(|| unreachable!("a lane without a segment"))
    }
}

/// Gives memory back once a list that was long is short again.
fn shrink(segments: &mut VecDeque<Segment>) {
    if SPARE_SEGMENTS_MAX < segments.capacity() && segments.len() < segments.capacity() / 8 {
        segments.shrink_to(2 * segments.len());
    }
}

#[cfg(test)]
mod tests;
