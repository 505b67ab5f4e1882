//! What waits for one client: a bounded queue of encoded bytes, and the truth about what it lost.
//!
//! Four lanes: answers, which are not limited here (a client that doesn't read its answers is not
//! read from, see [`Outbox::is_choked`]), and one for each priority. A lane is a list of segments; a
//! segment holds whole frames or lines, its own bytes first and then perhaps a part of a shared
//! block. Before a write, segments are *staged*: put into the order in which they will be sent. Only
//! then does a message that has expired fall out, and only until then can another overtake it.
//!
//! When the queue is full the newest messages are dropped, and counted for each subscription; as soon
//! as there is room a `lag` notice with the count takes their place.

use crate::buffers::{Block, Body, Buffers};
use crate::limits::{
    ANSWER_BYTES_MAX, Limits, SEGMENT_BYTES_MAX, STAGED_BYTES_MAX, STAGED_SEGMENTS_MAX,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kith_wire::Priority;
use std::collections::VecDeque;
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
    lags: Lags,
}

/// One of the four queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
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

/// A lag notice that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) subscription: u32,
    pub(crate) priority: Priority,
    pub(crate) count: u64,
}

#[derive(Debug, Default)]
struct Segment {
    own: Vec<u8>,
    shared: Option<(Block, Range<usize>)>,
    messages: u32,
    expires_at_ms: Option<u64>,
    is_answer: bool,
}

/// What was dropped, by subscription and priority, in the order of the first loss.
#[derive(Debug, Default)]
struct Lags {
    order: Vec<Lag>,
    place: HashMap<(u32, Priority), usize, FixedState>,
}

impl Outbox {
    /// Whether so many answers wait that the client should not be read from.
    pub(crate) fn is_choked(&self) -> bool {
        self.answer_bytes > ANSWER_BYTES_MAX
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

    /// Whether so much more fits.
    pub(crate) fn has_room(&self, bytes: usize, messages: usize, limits: &Limits) -> bool {
        self.message_bytes + bytes <= limits.queue_bytes_max
            && self.messages + messages <= limits.queue_messages_max
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
        !self.lags.order.is_empty()
    }

    /// Queues an answer. `write` appends its bytes.
    pub(crate) fn answer(&mut self, buffers: &mut Buffers, write: impl FnOnce(&mut Vec<u8>)) {
        let own = self.open(buffers, Lane::Answers, None);
        let before = own.own.len();
        write(&mut own.own);
        own.is_answer = true;
        let bytes = own.own.len() - before;
        self.answer_bytes += bytes;
    }

    /// Queues messages: `head`, then this part of `body`. The caller has looked whether there is room.
    pub(crate) fn push(
        &mut self,
        buffers: &mut Buffers,
        parcel: Parcel,
        head: &[u8],
        body: &mut Body<'_>,
        part: Range<usize>,
    ) {
        let shared = body.share(buffers, part.len());
        let bytes = head.len() + part.len();
        let segment = self.open(buffers, Lane::Messages(parcel.priority), parcel.expires_at_ms);
        segment.own.extend_from_slice(head);
        segment.messages += parcel.messages;
        match shared {
            Some(block) => segment.shared = Some((block, part)),
            None => segment.own.extend_from_slice(body.bytes().get(part).unwrap_or_default()),
        }
        self.message_bytes += bytes;
        self.messages += parcel.messages as usize;
    }

    /// Queues a lag notice that the caller encoded.
    pub(crate) fn push_lag(&mut self, buffers: &mut Buffers, priority: Priority, notice: &[u8]) {
        let segment = self.open(buffers, Lane::Messages(priority), None);
        segment.own.extend_from_slice(notice);
        self.message_bytes += notice.len();
    }

    /// Counts messages that did not fit. Whether this begins a gap.
    pub(crate) fn count_lag(&mut self, subscription: u32, priority: Priority, count: u64) -> bool {
        let begins = self.lags.order.is_empty();
        let next = self.lags.order.len();
        let place = *self.lags.place.entry((subscription, priority)).or_insert(next);
        match self.lags.order.get_mut(place) {
            Some(lag) => lag.count += count,
            None => self.lags.order.push(Lag { subscription, priority, count }),
        }
        begins
    }

    /// How many lag notices are due.
    pub(crate) fn lags(&self) -> usize {
        self.lags.order.len()
    }

    /// Takes the lag notices that are due.
    pub(crate) fn take_lags(&mut self) -> Vec<Lag> {
        self.lags.place = HashMap::default();
        std::mem::take(&mut self.lags.order)
    }

    /// Forgets what was dropped for a subscription that has ended.
    pub(crate) fn forget_lag(&mut self, subscription: u32) {
        if self.lags.order.iter().any(|lag| lag.subscription == subscription) {
            let lags = self.take_lags();
            for lag in lags.into_iter().filter(|lag| lag.subscription != subscription) {
                self.count_lag(lag.subscription, lag.priority, lag.count);
            }
        }
    }

    /// Puts into order what is sent next. Returns how many messages had expired.
    pub(crate) fn stage(&mut self, buffers: &mut Buffers, unix_ms: u64) -> u64 {
        let mut expired = 0;
        while self.staged_bytes < STAGED_BYTES_MAX && self.staged.len() < STAGED_SEGMENTS_MAX {
            let Some(segment) = self.lanes.iter_mut().find_map(VecDeque::pop_front) else { break };
            if segment.expires_at_ms.is_some_and(|at| at <= unix_ms) {
                expired += u64::from(segment.messages);
                self.account_end(&segment, segment.len());
                buffers.give_back(segment.own);
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

    /// Takes note that so many of the staged bytes were sent.
    pub(crate) fn wrote(&mut self, buffers: &mut Buffers, bytes: usize) {
        self.written += bytes;
        self.staged_bytes = self.staged_bytes.saturating_sub(bytes);
        while let Some(first) = self.staged.front() {
            let len = first.len();
            if self.written < len {
                break;
            }
            self.written -= len;
            if let Some(segment) = self.staged.pop_front() {
                self.account_end(&segment, len);
                buffers.give_back(segment.own);
            }
        }
    }

    fn account_end(&mut self, segment: &Segment, len: usize) {
        if segment.is_answer {
            self.answer_bytes = self.answer_bytes.saturating_sub(len);
        } else {
            self.message_bytes = self.message_bytes.saturating_sub(len);
            self.messages = self.messages.saturating_sub(segment.messages as usize);
        }
    }

    /// The segment that takes further own bytes of this lane, a new one if need be.
    fn open(&mut self, buffers: &mut Buffers, lane: Lane, expires: Option<u64>) -> &mut Segment {
        let [answers, high, normal, bulk] = &mut self.lanes;
        let lane = match lane {
            Lane::Answers => answers,
            Lane::Messages(Priority::High) => high,
            Lane::Messages(Priority::Normal) => normal,
            Lane::Messages(Priority::Bulk) => bulk,
        };
        let open = lane.back().is_some_and(|last| expires.is_none() && last.is_open());
        if !open {
            let own = buffers.take();
            lane.push_back(Segment { own, expires_at_ms: expires, ..Segment::default() });
        }
        let last = lane.len().saturating_sub(1);
        // The lane has a last segment: it was found or pushed just now.
        lane.get_mut(last).unwrap_or_else(|| unreachable!("a lane that was pushed to is empty"))
    }
}

impl Segment {
    fn len(&self) -> usize {
        self.own.len() + self.shared.as_ref().map_or(0, |(_, part)| part.len())
    }

    fn is_open(&self) -> bool {
        self.shared.is_none() && self.expires_at_ms.is_none() && self.own.len() < SEGMENT_BYTES_MAX
    }

    fn parts(&self) -> [&[u8]; 2] {
        let shared = match &self.shared {
            Some((block, part)) => block.get(part.clone()).unwrap_or_default(),
            None => &[],
        };
        [&self.own, shared]
    }
}
