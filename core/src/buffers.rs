//! Memory that the hot path uses again and again, so that nothing is allocated for a delivery.
//!
//! A *body* is what every subscriber of a message gets alike. Small ones are copied to each; large
//! ones become a *block*, made once and shared. Blocks are kept in a small ring: one that nobody
//! holds any more is filled again. Where a slow reader holds them, new ones are made; its quota
//! bounds how many.

use crate::limits::{BLOCKS_KEPT_MAX, BUFFER_KEPT_BYTES_MAX, BUFFERS_KEPT_MAX, SHARED_BYTES_MIN};
use std::sync::Arc;

/// Bytes that several queues hold.
pub(crate) type Block = Arc<Vec<u8>>;

/// Buffers and blocks to be used again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    blocks: Vec<Block>,
    oldest: usize,
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    /// An empty buffer.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let worth_it = 0 < buffer.capacity() && buffer.capacity() <= BUFFER_KEPT_BYTES_MAX;
        if worth_it && self.spare.len() < BUFFERS_KEPT_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Gives all memory back that is not in use.
    pub(crate) fn trim(&mut self) {
        self.blocks = Vec::new();
        self.spare = Vec::new();
    }

    /// A block with these bytes.
    fn block(&mut self, bytes: &[u8]) -> Block {
        for block in &mut self.blocks {
            if let Some(free) = Arc::get_mut(block) {
                free.clear();
                free.extend_from_slice(bytes);
                return Arc::clone(block);
            }
        }
        let block = Arc::new(bytes.to_vec());
        if bytes.len() <= BUFFER_KEPT_BYTES_MAX {
            if self.blocks.len() < BLOCKS_KEPT_MAX {
                self.blocks.push(Arc::clone(&block));
            } else {
                self.oldest = (self.oldest + 1) % BLOCKS_KEPT_MAX;
                if let Some(kept) = self.blocks.get_mut(self.oldest) {
                    *kept = Arc::clone(&block);
                }
            }
        }
        block
    }
}

/// What every subscriber of a message gets alike.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    bytes: Bytes<'a>,
}

#[derive(Debug)]
enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
    Shared(Block),
}

impl<'a> Body<'a> {
    /// Of bytes that are still in the read buffer.
    pub(crate) fn borrowed(bytes: &'a [u8]) -> Self {
        Self { bytes: Bytes::Borrowed(bytes) }
    }

    /// Of bytes that were encoded for it.
    pub(crate) fn owned(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Owned(bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
            Bytes::Shared(block) => block,
        }
    }

    /// A block with all the bytes, if a part of this size is worth sharing.
    pub(crate) fn share(&mut self, buffers: &mut Buffers, part_bytes: usize) -> Option<Block> {
        if part_bytes < SHARED_BYTES_MIN {
            return None;
        }
        let block = match &mut self.bytes {
            Bytes::Borrowed(bytes) => buffers.block(bytes),
            Bytes::Owned(bytes) => Arc::new(std::mem::take(bytes)),
            Bytes::Shared(block) => return Some(Arc::clone(block)),
        };
        self.bytes = Bytes::Shared(Arc::clone(&block));
        Some(block)
    }

    /// Ends its use.
    pub(crate) fn recycle(self, buffers: &mut Buffers) {
        if let Bytes::Owned(bytes) = self.bytes {
            buffers.give_back(bytes);
        }
    }
}
