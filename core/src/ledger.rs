//! The memory that waits for clients, all of them together: messages that nobody has read yet,
//! answers, frames and lines that are not whole yet, and wills.
//!
//! A bound for each client alone bounds nothing where there may be thousands. One bound for all
//! would let a few take everything and leave the others without. So each may hold as much as is
//! *free* at that moment, up to its own bound: the dynamic thresholds of Choudhury and Hahne
//! (IEEE/ACM Transactions on Networking 6(2), 1998), which switches use to share their memory among
//! ports. One that doesn't read gets at most half of everything; of n such, each gets the (n+1)th
//! part, and that much is still free for whoever does read. It takes no list of clients and no
//! search. Each kind of memory is compared with the share for itself: a client whose queue is full
//! may still ask for something. So one that holds all kinds counts as several here.
//!
//! Two things are not refused, and so may come on top of the bound: to each client 8 KiB of answers
//! and of an unfinished frame, or nobody could do anything any more; and 64 bytes for each
//! subscription that ends while it lags, whose notice is owed.
//!
//! What several queues share is counted once here, for as long as any of them holds it, and in full
//! against each of them. The same rule shares out the descriptors that may be open for payloads:
//! those that wait in queues, and those that are ahead of their frames.

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

    /// What any one client may hold at this moment.
    pub(crate) fn share_bytes(self, total_bytes_max: usize) -> usize {
        total_bytes_max.saturating_sub(self.held_bytes)
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
