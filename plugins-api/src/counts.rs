//! What a service's posts and subscriptions lost, counted and logged, since nobody waits for it.
//!
//! The log gets the first of each kind and then one line each time the count has doubled: a service
//! that publishes nonsense a thousand times a second says so in a dozen lines.

use kith_client::{BackgroundError, Errors};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was refused, lost and not understood since the service started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that were posted, and acknowledgements, that the daemon refused.
    pub refused: u64,
    /// Messages that were posted, and of which nobody knows whether they arrived, since the bus
    /// ended.
    pub in_doubt: u64,
    /// Messages that the service got and could not read.
    pub malformed: u64,
    /// Messages that the service did not get, since it read too slowly.
    pub lost: u64,
}

/// The same, as it is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    refused: AtomicU64,
    in_doubt: AtomicU64,
    malformed: AtomicU64,
    lost: AtomicU64,
}

impl Counters {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            refused: self.refused.load(Ordering::Relaxed),
            in_doubt: self.in_doubt.load(Ordering::Relaxed),
            malformed: self.malformed.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn malformed(&self, topic: &str, why: &dyn std::fmt::Display) {
        if let Some(count) = add(&self.malformed, 1) {
            tracing::warn!(topic, %why, count, "a message can't be read, and is passed over");
        }
    }

    pub(crate) fn lost(&self, lost: u64) {
        if let Some(count) = add(&self.lost, lost) {
            tracing::warn!(lost, count, "messages were lost here: they were read too slowly");
        }
    }

    /// Counts what goes wrong with posts, until the connection is gone.
    pub(crate) async fn watch(self: Arc<Self>, mut errors: Errors) {
        while let Some(error) = errors.next().await {
            match error {
                BackgroundError::Refused { code, text } => {
                    if let Some(count) = add(&self.refused, 1) {
                        let code = code.map(kith_client::Code::name);
                        tracing::warn!(code, text, count, "the daemon refused a message");
                    }
                }
                BackgroundError::Acknowledge { code, text } => {
                    if let Some(count) = add(&self.refused, 1) {
                        let code = code.map(kith_client::Code::name);
                        tracing::warn!(code, text, count, "the daemon refused an acknowledgement");
                    }
                }
                BackgroundError::Lost { count: lost } => {
                    if let Some(count) = add(&self.in_doubt, lost) {
                        tracing::warn!(count, "messages may not have arrived: the bus ended");
                    }
                }
                BackgroundError::Missed { count } => {
                    // Refusals too, though nobody knows of what.
                    add(&self.refused, count);
                }
                other => tracing::warn!(%other, "something went wrong with a message"),
            }
        }
    }
}

/// Adds, and returns the new count if it is to be logged: the first, and each doubling.
fn add(counter: &AtomicU64, count: u64) -> Option<u64> {
    let before = counter.fetch_add(count, Ordering::Relaxed);
    let after = before.saturating_add(count);
    (before == 0 || before.ilog2() < after.max(1).ilog2()).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_each_doubling_are_logged() {
        let counter = AtomicU64::new(0);
        let logged: Vec<_> = (0..20).filter_map(|_| add(&counter, 1)).collect();
        assert_eq!(logged, [1, 2, 4, 8, 16]);
        assert_eq!(add(&counter, 1000), Some(1020));
    }
}
