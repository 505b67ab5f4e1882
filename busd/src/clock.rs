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
        self.at(Instant::now())
    }

    /// The same for who has looked at the monotonic clock just now.
    pub(crate) fn at(self, instant: Instant) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_start = instant.saturating_duration_since(self.start);
        Now { monotonic_ms: millis(since_start), unix_ms: millis(since_epoch) }
    }

    /// The moment that the broker calls `monotonic_ms`.
    pub(crate) fn instant(self, monotonic_ms: u64) -> Instant {
        self.start + Duration::from_millis(monotonic_ms)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
