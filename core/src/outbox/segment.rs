//! A piece of a queue: whole frames or lines, sent one after another.

use crate::buffers::{Block, Buffers};
use crate::limits::{BUFFER_BYTES_MIN, HELD_RATIO_MAX, SEGMENT_BYTES_MAX};
use std::ops::Range;

/// Own bytes, and then perhaps a part of a shared block.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) own: Vec<u8>,
    pub(super) shared: Option<(Block, Range<usize>)>,
    pub(super) messages: u32,
    pub(super) expires_at_ms: Option<u64>,
    pub(super) is_answer: bool,
}

impl Segment {
    pub(super) fn len(&self) -> usize {
        self.own.len() + self.shared.as_ref().map_or(0, |(_, part)| part.len())
    }

    /// Whether more can be put behind what it holds.
    pub(super) fn is_open(&self) -> bool {
        self.shared.is_none() && self.expires_at_ms.is_none() && self.own.len() < SEGMENT_BYTES_MAX
    }

    /// Gives back memory that it will not fill any more.
    pub(super) fn seal(&mut self, buffers: &mut Buffers) {
        let capacity = self.own.capacity();
        if BUFFER_BYTES_MIN <= capacity && self.len() < capacity / HELD_RATIO_MAX {
            let exact = self.own.as_slice().to_vec();
            buffers.give_back(std::mem::replace(&mut self.own, exact));
        }
    }

    /// Gives back what it holds.
    pub(super) fn end(self, buffers: &mut Buffers) {
        buffers.ledger.release(self.own.len());
        if let Some((block, _)) = &self.shared {
            block.release(&mut buffers.ledger);
        }
        buffers.give_back(self.own);
    }

    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let shared = match &self.shared {
            Some((block, part)) => block.bytes().get(part.clone()).unwrap_or_default(),
            None => &[],
        };
        [&self.own, shared]
    }
}
