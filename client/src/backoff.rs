//! How long to wait before connecting again.
//!
//! Waits double up to a limit, and each is shortened by chance by up to half, so that all programs
//! of a session don't come back in the same moment. A connection has to last before the waits start
//! over: a daemon that hangs up right after the greeting would be hammered otherwise.
//!
//! Deliberately absent: an end. How long an operation may take is for its caller to say
//! (`tokio::time::timeout`).

use crate::limits::{BACKOFF_MS_MAX, BACKOFF_MS_MIN};
use std::time::Duration;

/// The waits before one connection's attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// The next wait, before chance shortens it.
    next_ms: u64,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next_ms: BACKOFF_MS_MIN }
    }

    /// The wait before the next attempt; `random` decides where in its range.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let whole = self.next_ms;
        self.next_ms = whole.saturating_mul(2).min(BACKOFF_MS_MAX);
        Duration::from_millis(whole - random % (whole / 2 + 1))
    }

    /// A connection was up for `duration` and is gone.
    pub(crate) fn lasted(&mut self, duration: Duration) {
        if duration >= Duration::from_millis(self.next_ms) {
            *self = Self::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn waits_double_up_to_their_limit() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..9).map(|_| backoff.next(0)).collect();
        let expected = [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000].map(ms);
        assert_eq!(waits, expected);
    }

    #[test]
    fn chance_shortens_a_wait_by_up_to_half() {
        for random in [1, 24, 25, 26, 1_000_003, u64::MAX] {
            let wait = Backoff::new().next(random);
            assert!(ms(25) <= wait && wait <= ms(50), "{random}: {wait:?}");
        }
        assert_eq!(Backoff::new().next(25), ms(25));
    }

    #[test]
    fn only_a_connection_that_lasted_starts_over() {
        let mut backoff = Backoff::new();
        assert_eq!((backoff.next(0), backoff.next(0)), (ms(50), ms(100)));
        backoff.lasted(ms(199));
        assert_eq!(backoff.next(0), ms(200));
        backoff.lasted(ms(400));
        assert_eq!(backoff.next(0), ms(50));
    }
}
