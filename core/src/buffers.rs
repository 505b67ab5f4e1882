//! Memory that the hot path uses again and again, so that nothing is allocated for a delivery.
//!
//! A *body* is what every subscriber of a message gets alike. Small ones are copied to each; large
//! ones become a *block*, made once and shared. Blocks are kept in a small ring: one that nobody
//! holds any more is filled again. Where a slow reader holds them, new ones are made; its quota
//! bounds how many.
//!
//! A quota counts bytes, so what waits must not hold much more memory than its bytes: a buffer that
//! grew large is not lent for a few bytes, and a block is shared only by who takes a good part of
//! it.

use crate::ledger::Ledger;
use crate::limits::{
    BLOCKS_KEPT_MAX, BUFFER_BYTES_MIN, BUFFER_KEPT_BYTES_MAX, BUFFERS_KEPT_MAX, HELD_RATIO_MAX,
    LARGE_BUFFERS_KEPT_MAX, SEGMENT_BUFFER_BYTES_MAX, SHARED_BYTES_MIN,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that several queues hold.
#[derive(Clone, Debug)]
pub(crate) struct Block(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: Vec<u8>,
    /// In how many places of queues it stands.
    places: AtomicUsize,
}

impl Block {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Shared { bytes, places: AtomicUsize::new(0) }))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Takes note that it stands in one more place of a queue.
    pub(crate) fn hold(&self, ledger: &mut Ledger) {
        if self.0.places.fetch_add(1, Ordering::Relaxed) == 0 {
            ledger.hold(self.0.bytes.len());
        }
    }

    /// Takes note that it stands in one place less.
    pub(crate) fn release(&self, ledger: &mut Ledger) {
        if self.0.places.fetch_sub(1, Ordering::Relaxed) == 1 {
            ledger.release(self.0.bytes.len());
        }
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.0.bytes.capacity()
    }

    /// Tells it from others with the same bytes.
    #[cfg(test)]
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

/// Buffers and blocks to be used again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    blocks: Vec<Block>,
    oldest: usize,
    spare: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    /// What all queues hold.
    pub(crate) ledger: Ledger,
}

impl Buffers {
    /// An empty buffer, for what waits in a queue.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES_MIN))
    }

    /// An empty buffer that may be large already, for what is given back soon.
    pub(crate) fn take_large(&mut self) -> Vec<u8> {
        self.large.pop().unwrap_or_else(|| self.take())
    }

    /// Takes a buffer back.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let (kept, kept_max) = match buffer.capacity() {
            BUFFER_BYTES_MIN..=SEGMENT_BUFFER_BYTES_MAX => (&mut self.spare, BUFFERS_KEPT_MAX),
            ..=BUFFER_KEPT_BYTES_MAX if buffer.capacity() > SEGMENT_BUFFER_BYTES_MAX => {
                (&mut self.large, LARGE_BUFFERS_KEPT_MAX)
            }
            _ => return,
        };
        if kept.len() < kept_max {
            buffer.clear();
            kept.push(buffer);
        }
    }

    /// Gives all memory back that is not in use.
    pub(crate) fn trim(&mut self) {
        *self = Self { ledger: self.ledger, ..Self::default() };
    }

    /// A block with these bytes.
    fn block(&mut self, bytes: &[u8]) -> Block {
        for block in &mut self.blocks {
            let fits = block.0.bytes.capacity() / HELD_RATIO_MAX <= bytes.len();
            if fits && let Some(free) = Arc::get_mut(&mut block.0) {
                free.bytes.clear();
                free.bytes.extend_from_slice(bytes);
                return block.clone();
            }
        }
        let block = Block::new(bytes.to_vec());
        if bytes.len() <= BUFFER_KEPT_BYTES_MAX {
            if self.blocks.len() < BLOCKS_KEPT_MAX {
                self.blocks.push(block.clone());
            } else {
                self.oldest = (self.oldest + 1) % BLOCKS_KEPT_MAX;
                if let Some(kept) = self.blocks.get_mut(self.oldest) {
                    *kept = block.clone();
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
            Bytes::Shared(block) => block.bytes(),
        }
    }

    /// A block with all the bytes, if a part of this size is worth sharing with a subscriber that
    /// takes `taken_bytes` of them in all.
    pub(crate) fn share(
        &mut self,
        buffers: &mut Buffers,
        part_bytes: usize,
        taken_bytes: usize,
    ) -> Option<Block> {
        if part_bytes < SHARED_BYTES_MIN || taken_bytes < self.bytes().len() / HELD_RATIO_MAX {
            return None;
        }
        let block = match &mut self.bytes {
            Bytes::Borrowed(bytes) => buffers.block(bytes),
            Bytes::Owned(bytes) if bytes.capacity() / HELD_RATIO_MAX <= bytes.len() => {
                Block::new(std::mem::take(bytes))
            }
            Bytes::Owned(bytes) => {
                let block = buffers.block(bytes);
                buffers.give_back(std::mem::take(bytes));
                block
            }
            Bytes::Shared(block) => return Some(block.clone()),
        };
        self.bytes = Bytes::Shared(block.clone());
        Some(block)
    }

    /// Ends its use.
    pub(crate) fn recycle(self, buffers: &mut Buffers) {
        if let Bytes::Owned(bytes) = self.bytes {
            buffers.give_back(bytes);
        }
    }
}
