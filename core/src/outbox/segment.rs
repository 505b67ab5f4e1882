//! A piece of a queue: whole frames or lines, sent one after another.
//!
//! A frame whose payload goes in a descriptor has a segment of its own, so that it can still be
//! turned into one with the payload inside.

use crate::buffers::{Block, Buffers};
use crate::limits::{BUFFER_BYTES_MIN, HELD_RATIO_MAX, SEGMENT_BYTES_MAX};
use crate::sealed::Sealed;
use kith_wire::binary::deliver;
use std::ops::Range;

/// Own bytes, and then perhaps a part of a shared block.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) own: Vec<u8>,
    pub(super) shared: Option<(Block, Range<usize>)>,
    /// A payload that goes with the first byte, until it has gone.
    pub(super) sealed: Option<Sealed>,
    /// Its size.
    pub(super) sealed_bytes: usize,
    pub(super) messages: u32,
    pub(super) expires_at_ms: Option<u64>,
    pub(super) is_answer: bool,
}

impl Segment {
    /// Bytes to be written.
    pub(super) fn len(&self) -> usize {
        self.own.len() + self.shared.as_ref().map_or(0, |(_, part)| part.len())
    }

    /// What it counts in a queue.
    pub(super) fn weight(&self) -> usize {
        self.len() + self.sealed_bytes
    }

    /// Whether more can be put behind what it holds.
    pub(super) fn is_open(&self) -> bool {
        self.shared.is_none()
            && self.sealed_bytes == 0
            && self.expires_at_ms.is_none()
            && self.own.len() < SEGMENT_BYTES_MAX
    }

    /// Gives back memory that it will not fill any more.
    pub(super) fn seal(&mut self, buffers: &mut Buffers) {
        let capacity = self.own.capacity();
        if BUFFER_BYTES_MIN <= capacity && self.weight() < capacity / HELD_RATIO_MAX {
            let exact = self.own.as_slice().to_vec();
            buffers.give_back(std::mem::replace(&mut self.own, exact));
        }
    }

    /// Takes note that its payload has gone. Whether it had one to go.
    pub(super) fn hand_over(&mut self, buffers: &mut Buffers) -> bool {
        let sealed = self.sealed.take();
        if let Some(sealed) = &sealed {
            sealed.release(&mut buffers.ledger);
        }
        sealed.is_some()
    }

    /// Puts its payload into its frame, if it has one that has not gone. Whether that went well.
    pub(super) fn copy_sealed(&mut self, buffers: &mut Buffers) -> bool {
        let Some(sealed) = &self.sealed else { return true };
        let before = self.own.len();
        let read = |frame: &mut Vec<u8>| sealed.payload().read_into(frame);
        if !deliver::inline(&mut self.own, read) {
            return false;
        }
        buffers.ledger.hold(self.own.len().saturating_sub(before));
        self.hand_over(buffers);
        self.sealed_bytes = 0;
        true
    }

    /// Gives back what it holds.
    pub(super) fn end(mut self, buffers: &mut Buffers) {
        buffers.ledger.release(self.own.len());
        self.hand_over(buffers);
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
