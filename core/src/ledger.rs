//! The memory that waits for clients, all of them together: messages that nobody has read yet,
//! answers, frames and lines that are not whole yet, and wills.
//!
//! A bound for each client alone bounds nothing where there may be thousands. One bound for all
//! would let a few take everything and leave the others without. So each may hold as much as is
//! *free* at that moment, up to its own bound: the dynamic thresholds of Choudhury and Hahne
//! (IEEE/ACM Transactions on Networking 6(2), 1998), which switches use to share their memory among
//! ports. It takes no list of clients and no search. One that doesn't read gets at most half of
//! what there is to share; of n such that grow together, each gets the (n+1)th part.
//!
//! A switch always sends, so what is too much for a port soon goes. A client may never read again,
//! and those that come one after another would each take half of what the ones before have left.
//! So only half of the memory is shared like that, and the other half goes in small shares, to
//! those that hold no more than that: it takes thousands that don't read to use it up.
//!
//! Each kind of memory is compared with the share for itself: a client whose queue is full may
//! still ask for something. Two things are not refused, and so may come on top of the bound: 8 KiB
//! of a kind to each client, or nobody could do anything any more; and 64 bytes for each
//! subscription that ends while it lags, whose notice is owed.
//!
//! What several queues share is counted once here, for as long as any of them holds it, and in full
//! against each of them. The same rule shares out the descriptors that may be open for payloads:
//! those that wait in queues, and those that are ahead of their frames.

use crate::limits::{SMALL_SHARES, WAITING_BYTES_MIN};

/// How much is held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ledger {
    held_bytes: usize,
    held_descriptors: usize,
}

impl Ledger {
    /// What is held by all.
    pub(crate) fn held_bytes(self) -> usize {
        self.held_bytes
    }

    /// What any one client may hold of one kind at this moment.
    pub(crate) fn share_bytes(self, total_bytes_max: usize) -> usize {
        let large = (total_bytes_max / 2).saturating_sub(self.held_bytes);
        let free = total_bytes_max.saturating_sub(self.held_bytes);
        let small = (total_bytes_max / SMALL_SHARES).min(free);
        large.max(small).max(WAITING_BYTES_MIN)
    }

    /// Descriptors that are held by all.
    #[cfg(test)]
    pub(crate) fn held_descriptors(self) -> usize {
        self.held_descriptors
    }

    /// How many descriptors any one client may hold at this moment.
    pub(crate) fn share_descriptors(self, total_max: usize) -> usize {
        total_max.saturating_sub(self.held_descriptors)
    }

    /// Takes note that so many more descriptors are held.
    pub(crate) fn hold_descriptors(&mut self, count: usize) {
        self.held_descriptors = self.held_descriptors.saturating_add(count);
    }

    /// Takes note that so many descriptors are held no more.
    pub(crate) fn release_descriptors(&mut self, count: usize) {
        debug_assert!(count <= self.held_descriptors, "more are closed than were open");
        self.held_descriptors = self.held_descriptors.saturating_sub(count);
    }

    /// Takes note that so much more is held.
    pub(crate) fn hold(&mut self, bytes: usize) {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
    }

    /// Takes note that so much is held no more.
    pub(crate) fn release(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.held_bytes, "more is given back than was held");
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }
}
