//! The time of day, as a service gets it.
//!
//! In a daemon and in a process of its own it is the system's. In a test it is tokio's clock,
//! counted on from a fixed moment: with the clock paused an hour of the service's life takes no
//! time, and the same seed has the same moments.
//!
//! Deliberately absent: a second clock for durations. [`Moment`]s are for payloads and for people;
//! waiting is done with tokio's monotonic clock, in steps, so that a clock that is set neither
//! loses a sleep nor prolongs it without end.

use crate::limits::SLEEP_STEP_MS_MAX;
use serde::{Deserialize, Serialize};
use std::ops::Add;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep};

/// A moment: milliseconds since the Unix epoch, which is also how it stands in JSON.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// So many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// How long after `earlier` it is; nothing if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// So much later. Part of a millisecond counts as one: who waits for it doesn't wake too soon.
    fn add(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ms))
    }
}

/// Where a service's time comes from.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Counted { from: Moment, since: Instant },
}

impl Clock {
    /// The system's.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// It is `moment` now, and goes on as tokio's clock does, which a test can pause.
    #[must_use]
    pub fn counted_from(moment: Moment) -> Self {
        Self(Source::Counted { from: moment, since: Instant::now() })
    }

    pub(crate) fn now(&self) -> Moment {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Source::Counted { from, since } => {
                let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                Moment(from.0.saturating_add(ms))
            }
        }
    }

    pub(crate) async fn sleep_until(&self, moment: Moment) {
        loop {
            let left = moment.since(self.now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(Duration::from_millis(SLEEP_STEP_MS_MAX))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_add_up() {
        let moment = Moment::from_unix_ms(10);
        assert_eq!((moment + Duration::from_micros(1)).unix_ms(), 11);
        assert_eq!((moment + Duration::MAX).unix_ms(), u64::MAX);
        assert_eq!(Moment(15).since(moment), Duration::from_millis(5));
        assert_eq!(moment.since(Moment(15)), Duration::ZERO);
        assert_eq!(serde_json::to_string(&moment).unwrap(), "10");
    }

    #[tokio::test(start_paused = true)]
    async fn a_counted_clock_goes_with_tokio() {
        let clock = Clock::counted_from(Moment(1000));
        assert_eq!(clock.now(), Moment(1000));
        let day = Duration::from_secs(24 * 60 * 60);
        clock.sleep_until(Moment(1000) + day).await;
        assert_eq!(clock.now(), Moment(1000) + day);
        clock.sleep_until(Moment(7)).await;
        assert_eq!(clock.now(), Moment(1000) + day);
    }

    #[test]
    fn the_systems_clock_is_past_the_year_2020() {
        assert!(Clock::system().now() > Moment(1_577_836_800_000));
    }
}
