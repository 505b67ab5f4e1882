//! What waits for one client, as the document has it: four lists and what was missed.
//!
//! Answers come first, then messages by priority, each in the order in which they came. What has
//! been put in order for a write is not overtaken any more, and does not expire. What was written
//! makes room piece by piece, as the pieces were handed out.

use kith_wire::Priority;
use std::collections::{BTreeMap, VecDeque};

/// A frame or a line.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) bytes: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) expires_at: Option<u64>,
}

impl Item {
    /// One that was queued already.
    pub(super) fn without_bytes(&self) -> Self {
        Self { bytes: Vec::new(), ..self.clone() }
    }
}

/// What a frame or line counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Answer,
    /// So many messages.
    Messages(usize),
    /// A notice of lag among messages.
    Notice,
}

/// How many messages of a subscription were lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missed {
    pub(super) count: u64,
    /// How many of them told of lag themselves.
    pub(super) about_lag: u64,
}

/// What waits for one client.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Answers, then messages by priority.
    pub(super) lanes: [VecDeque<Item>; 4],
    /// Put in order for a write.
    staged: VecDeque<Item>,
    /// Bytes written of a piece that has not been written whole.
    written: usize,
    /// What was lost and has not been told yet.
    pub(super) missed: BTreeMap<(u32, Priority), Missed>,
}

/// Where messages of a priority stand among the lanes.
pub(super) fn lane(priority: Priority) -> usize {
    1 + usize::from(priority.number())
}

impl Queue {
    fn items(&self) -> impl Iterator<Item = &Item> {
        self.staged.iter().chain(self.lanes.iter().flatten())
    }

    /// Messages that wait.
    pub(super) fn messages(&self) -> usize {
        self.items().map(|item| if let Kind::Messages(count) = item.kind { count } else { 0 }).sum()
    }

    /// Bytes of messages and of notices among them.
    pub(super) fn message_bytes(&self) -> usize {
        let is_message = |item: &&Item| item.kind != Kind::Answer;
        self.items().filter(is_message).map(|item| item.bytes.len()).sum()
    }

    /// Bytes of answers.
    pub(super) fn answer_bytes(&self) -> usize {
        let is_answer = |item: &&Item| item.kind == Kind::Answer;
        self.items().filter(is_answer).map(|item| item.bytes.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items().next().is_none()
    }

    /// Bytes of each lane.
    pub(super) fn lane_bytes(&self) -> [usize; 4] {
        let bytes = |lane: &VecDeque<Item>| lane.iter().map(|item| item.bytes.len()).sum();
        [0, 1, 2, 3].map(|at| bytes(&self.lanes[at]))
    }

    /// Nothing overtakes what waits now.
    pub(super) fn settle(&mut self) {
        let [answers, messages @ ..] = &mut self.lanes;
        messages.iter_mut().for_each(|lane| answers.append(lane));
    }

    /// Compares what was put in order with what should come next. Returns how many messages expired
    /// before it, and what was put in order behind all that waited before.
    pub(super) fn stage(
        &mut self,
        unix_ms: u64,
        put: &[u8],
        expired: u64,
    ) -> Result<(u64, Vec<u8>), String> {
        let before: Vec<u8> =
            self.staged.iter().flat_map(|item| item.bytes.iter().copied()).collect();
        let before = &before[self.written..];
        let mut rest = put.strip_prefix(before).ok_or("what was put in order has changed")?;
        let mut count = 0;
        while let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.is_empty()) {
            let Some(item) = lane.front() else { break };
            if item.expires_at.is_some_and(|at| at <= unix_ms) {
                // Where no more is put in order, what has expired may wait until it would be.
                if rest.is_empty() && count == expired {
                    break;
                }
                count += 1;
                lane.pop_front();
                continue;
            }
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix(item.bytes.as_slice()).ok_or_else(|| {
                let shown = |bytes: &[u8]| {
                    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
                };
                format!("sent next: {}\nnot: {}", shown(rest), shown(&item.bytes))
            })?;
            self.staged.extend(lane.pop_front());
        }
        if put.is_empty() && !self.is_empty() {
            return Err("something waits, and nothing was put in order".to_owned());
        }
        if !rest.is_empty() && count == 0 {
            return Err(format!("sent, and never queued: {}", String::from_utf8_lossy(rest)));
        }
        Ok((count, rest.to_vec()))
    }

    /// Takes note of what was queued and put in order at once.
    pub(super) fn put(&mut self, item: Item) {
        self.staged.push_back(item);
    }

    /// So many bytes were written of these pieces. Returns how many messages that was.
    pub(super) fn wrote(&mut self, pieces: &[usize], bytes: usize) -> Result<usize, String> {
        let mut left = self.written + bytes;
        let mut messages = 0;
        for (at, piece) in pieces.iter().enumerate() {
            let mut piece = piece + if at == 0 { self.written } else { 0 };
            if left < piece {
                break;
            }
            left -= piece;
            while piece > 0 {
                let item = self.staged.pop_front().ok_or("written, and never put in order")?;
                let rest = piece.checked_sub(item.bytes.len());
                piece = rest.ok_or("a piece ends within a frame or line")?;
                messages += if let Kind::Messages(count) = item.kind { count } else { 0 };
            }
        }
        self.written = left;
        Ok(messages)
    }
}
