//! What the subscribers' thread tells the publisher's: how many deliveries came so far, and in how
//! many bytes.
//!
//! An atomic count, and one waiter that is woken when the count reaches what it wants; woken at
//! each delivery it would compete with the broker for the machine.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

pub(crate) struct Deliveries {
    received: AtomicU64,
    /// Read so far, what is left over of the next frame included.
    bytes: AtomicU64,
    /// The count at which the waiter is woken; `u64::MAX`: nobody waits.
    wanted: AtomicU64,
    waiter: Mutex<Option<Thread>>,
    stop: AtomicBool,
    note: Mutex<Option<String>>,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self {
            received: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            waiter: Mutex::new(None),
            stop: AtomicBool::new(false),
            note: Mutex::new(None),
        }
    }
}

impl Deliveries {
    /// To be called before `add` of the messages that the bytes brought.
    #[inline]
    pub(crate) fn add_bytes(&self, count: u64) {
        self.bytes.fetch_add(count, Relaxed);
    }

    #[inline]
    pub(crate) fn add(&self, count: u64) {
        let received = self.received.fetch_add(count, SeqCst) + count;
        if received >= self.wanted.load(SeqCst) {
            self.wanted.store(u64::MAX, SeqCst);
            if let Some(waiter) = &*locked(&self.waiter) {
                waiter.unpark();
            }
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(SeqCst)
    }

    /// What a delivery is on the wire; 0 before the first.
    pub(crate) fn bytes_per_message(&self) -> u64 {
        self.bytes.load(Relaxed) / self.received().max(1)
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, SeqCst);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }

    /// Keeps the first thing that went wrong.
    pub(crate) fn note(&self, text: &str) {
        locked(&self.note).get_or_insert_with(|| text.to_string());
    }

    pub(crate) fn first_note(&self) -> Option<String> {
        locked(&self.note).clone()
    }

    /// Waits until `target` deliveries came (true), or until none came for `quiet` (false).
    pub(crate) fn wait_for(&self, target: u64, quiet: Duration) -> bool {
        *locked(&self.waiter) = Some(std::thread::current());
        let (mut last, mut since) = (self.received(), Instant::now());
        loop {
            self.wanted.store(target, SeqCst);
            let received = self.received();
            if received >= target {
                self.wanted.store(u64::MAX, SeqCst);
                return true;
            }
            if received != last {
                (last, since) = (received, Instant::now());
            } else if since.elapsed() > quiet {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_what_is_still_to_come() {
        let deliveries = Deliveries::default();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|_| deliveries.add(3)));
            assert!(deliveries.wait_for(300, Duration::from_secs(20)));
        });
        assert_eq!(deliveries.received(), 300);
    }

    #[test]
    fn gives_up_when_nothing_comes() {
        let deliveries = Deliveries::default();
        deliveries.add(2);
        assert!(!deliveries.wait_for(3, Duration::from_millis(1)));
    }

    #[test]
    fn tells_how_large_a_delivery_is() {
        let deliveries = Deliveries::default();
        assert_eq!(deliveries.bytes_per_message(), 0);
        deliveries.add_bytes(300);
        deliveries.add(2);
        assert_eq!(deliveries.bytes_per_message(), 150);
    }

    #[test]
    fn keeps_the_first_note() {
        let deliveries = Deliveries::default();
        deliveries.note("first");
        deliveries.note("second");
        assert_eq!(deliveries.first_note().as_deref(), Some("first"));
    }
}
