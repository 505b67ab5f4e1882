//! How many messages came so far, and one waiter that is woken when it is as many as it wants.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long the waiter sleeps before it looks by itself.
const LOOK_EACH: Duration = Duration::from_millis(20);

pub(crate) struct Received {
    count: AtomicU64,
    /// The count at which the waiter is woken; `u64::MAX`: nobody waits.
    wanted: AtomicU64,
    waiter: Thread,
}

impl Received {
    /// The calling thread is the one that will wait.
    pub(crate) fn awaited_here() -> Self {
        Self {
            count: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            waiter: std::thread::current(),
        }
    }

    pub(crate) fn add_one(&self) {
        if self.count.fetch_add(1, SeqCst) + 1 >= self.wanted.load(SeqCst) {
            self.wanted.store(u64::MAX, SeqCst);
            self.waiter.unpark();
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(SeqCst)
    }

    /// Waits until `target` messages came (true), or until none came for `quiet` (false).
    pub(crate) fn wait_for(&self, target: u64, quiet: Duration) -> bool {
        let (mut last, mut since) = (self.count(), Instant::now());
        loop {
            self.wanted.store(target, SeqCst);
            let count = self.count();
            if count >= target {
                self.wanted.store(u64::MAX, SeqCst);
                return true;
            }
            if count != last {
                (last, since) = (count, Instant::now());
            } else if since.elapsed() > quiet {
                return false;
            }
            std::thread::park_timeout(LOOK_EACH);
        }
    }
}
