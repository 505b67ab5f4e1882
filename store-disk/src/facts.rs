//! What the writer has done so far, for metrics and for whoever asks.

use std::time::Duration;

use kith_store::Failure;

/// A snapshot of the writer's counters, from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Commits that reached the disk.
    pub commits: u64,
    /// Batches in them.
    pub batches: u64,
    /// Bytes of the keys and values in those.
    pub bytes: u64,
    /// Batches that were refused or failed.
    pub failed_batches: u64,
    /// How long the last commit took, in µs.
    pub last_commit_us: u64,
    /// How long the longest one took, in µs.
    pub longest_commit_us: u64,
    /// Batches that wait to be written.
    pub waiting_batches: usize,
    /// Bytes of them.
    pub waiting_bytes: usize,
    /// Why the last commit failed; absent once one has succeeded again.
    pub failing: Option<Failure>,
}

impl Facts {
    pub(crate) fn committed(&mut self, batches: usize, bytes: usize, took: Duration) {
        self.commits += 1;
        self.batches += batches as u64;
        self.bytes += bytes as u64;
        self.last_commit_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest_commit_us = self.longest_commit_us.max(self.last_commit_us);
        self.failing = None;
    }

    pub(crate) fn failed(&mut self, batches: usize, failure: &Failure) {
        self.failed_batches += batches as u64;
        // That a batch could not be stored by anybody says nothing of the disk.
        if !matches!(failure, Failure::Refused { .. }) {
            self.failing = Some(failure.clone());
        }
    }
}
