//! Payloads that are handed over instead of copied: the shell's, and never looked into here unless
//! somebody wants the bytes.
//!
//! To the broker such a payload is a size, and something that can be read. It stands in queues as a
//! [`Sealed`], whose size counts once for all of them, as that of a block does; and since each is
//! an open file of the process, how many there are counts too.
//!
//! Deliberately absent: descriptors. The shell knows what it has handed in, and finds it again
//! through [`Any`].

use crate::ledger::Ledger;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A payload that can't change any more, and that the shell can hand over to others.
pub trait SealedPayload: Any + Debug + Send + Sync {
    /// Its size.
    fn payload_bytes(&self) -> usize;

    /// Appends its bytes. Whether that went well; else nothing useful was appended.
    fn read_into(&self, out: &mut Vec<u8>) -> bool;
}

/// What came in a descriptor: a payload, or why it is none.
pub type Handed = Result<Box<dyn SealedPayload>, String>;

/// A payload in any number of queues.
#[derive(Clone, Debug)]
pub(crate) struct Sealed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    payload: Box<dyn SealedPayload>,
    /// In how many places of queues it stands.
    places: AtomicUsize,
}

impl Sealed {
    pub(crate) fn new(payload: Box<dyn SealedPayload>) -> Self {
        Self(Arc::new(Shared { payload, places: AtomicUsize::new(0) }))
    }

    pub(crate) fn payload(&self) -> &dyn SealedPayload {
        &*self.0.payload
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.0.payload.payload_bytes()
    }

    /// Takes note that it stands in one more place of a queue.
    pub(crate) fn hold(&self, ledger: &mut Ledger) {
        if self.0.places.fetch_add(1, Ordering::Relaxed) == 0 {
            ledger.hold(self.payload_bytes());
            ledger.hold_descriptors(1);
        }
    }

    /// Takes note that it stands in one place less.
    pub(crate) fn release(&self, ledger: &mut Ledger) {
        if self.0.places.fetch_sub(1, Ordering::Relaxed) == 1 {
            ledger.release(self.payload_bytes());
            ledger.release_descriptors(1);
        }
    }

    /// Tells it from others with the same bytes.
    #[cfg(test)]
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}
