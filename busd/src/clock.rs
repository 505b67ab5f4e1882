//! The one place where the daemon reads a clock.

use kith_core::Now;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, from when the daemon started.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    offset: Offset,
}

/// How much later it is for a daemon than for the system: for tests of what happens when somebody
/// sets the clock. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Offset(Arc<AtomicI64>);

impl Offset {
    /// Makes it so many milliseconds later, or earlier, than the system says.
    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::Relaxed);
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock {
    pub(crate) fn start(offset: Offset) -> Self {
        Self { start: Instant::now(), offset }
    }

    pub(crate) fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// The same for who has looked at the monotonic clock just now.
    pub(crate) fn at(&self, instant: Instant) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_start = instant.saturating_duration_since(self.start);
        let unix_ms = millis(since_epoch).saturating_add_signed(self.offset.get());
        Now { monotonic_ms: millis(since_start), unix_ms }
    }

    /// The moment that the broker calls `monotonic_ms`.
    pub(crate) fn instant(&self, monotonic_ms: u64) -> Instant {
        self.start + Duration::from_millis(monotonic_ms)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
