//! The one place where the daemon reads a clock.

use kith_core::Now;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, from when the daemon started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_ms: millis(self.start.elapsed()), unix_ms: millis(since_epoch) }
    }

    /// The moment that the broker calls `monotonic_ms`.
    pub(crate) fn instant(self, monotonic_ms: u64) -> Instant {
        self.start + Duration::from_millis(monotonic_ms)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
