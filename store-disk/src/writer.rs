//! The thread that owns the store: takes what waits, commits it in one go, answers everybody.
//!
//! Jobs are done in the order in which they were asked for, so that a scan sees every commit before
//! it. Nobody waits for more to come in: while one commit is being synced, the next one gathers by
//! itself.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kith_store::{Batch, Failure, Page, Receipt, Scan};

use crate::facts::Facts;
use crate::limits::{GROUP_BATCHES_MAX, GROUP_BYTES_MAX};
use crate::opening::AnyStore;

/// Called with what became of a batch.
pub(crate) type Committed = Box<dyn FnOnce(Result<Receipt, Failure>) + Send>;
/// Called with what was read.
pub(crate) type Scanned = Box<dyn FnOnce(Result<Page, Failure>) + Send>;

/// What the thread is asked for.
pub(crate) enum Job {
    Commit {
        batch: Batch,
        done: Committed,
    },
    /// A batch that was not let in.
    Refuse {
        failure: Failure,
        done: Committed,
    },
    Scan {
        scan: Scan,
        done: Scanned,
    },
}

/// The writer's counters, shared with the handle.
pub(crate) type SharedFacts = Arc<Mutex<Facts>>;

pub(crate) fn look(facts: &SharedFacts) -> MutexGuard<'_, Facts> {
    // They are numbers; whoever panicked while adding to them has left them good enough.
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Commits that go together.
#[derive(Default)]
struct Group {
    batches: Vec<Batch>,
    done: Vec<Committed>,
    bytes: usize,
}

impl Group {
    fn is_full(&self) -> bool {
        self.batches.len() >= GROUP_BATCHES_MAX || self.bytes >= GROUP_BYTES_MAX
    }

    fn add(&mut self, batch: Batch, done: Committed) {
        self.bytes += batch.bytes();
        self.batches.push(batch);
        self.done.push(done);
    }
}

/// Works until nobody can ask any more, and then gives the store back.
pub(crate) fn work(mut store: AnyStore, jobs: &Receiver<Job>, facts: &SharedFacts) -> AnyStore {
    while let Ok(first) = jobs.recv() {
        let mut next = Some(first);
        let mut group = Group::default();
        while let Some(job) = next.take() {
            match job {
                Job::Commit { batch, done } => {
                    group.add(batch, done);
                    if group.is_full() {
                        break;
                    }
                }
                Job::Refuse { failure, done } => {
                    look(facts).failed(1, &failure);
                    done(Err(failure));
                }
                Job::Scan { scan, done } => {
                    commit(&mut store, std::mem::take(&mut group), facts);
                    done(store.scan(&scan));
                }
            }
            next = jobs.try_recv().ok();
        }
        commit(&mut store, group, facts);
    }
    store
}

fn commit(store: &mut AnyStore, group: Group, facts: &SharedFacts) {
    if group.batches.is_empty() {
        return;
    }
    let start = Instant::now();
    let result = store.commit(&group.batches);
    let n_batches = group.batches.len();
    {
        let mut facts = look(facts);
        facts.waiting_batches = facts.waiting_batches.saturating_sub(n_batches);
        facts.waiting_bytes = facts.waiting_bytes.saturating_sub(group.bytes);
    }
    match result {
        // One batch that can't be stored must not take the others with it.
        Err(Failure::Refused { .. }) if n_batches > 1 => {
            for (batch, done) in group.batches.into_iter().zip(group.done) {
                let bytes = batch.bytes();
                let start = Instant::now();
                let result = store.commit(&[batch]);
                count(facts, &result, 1, bytes, start);
                done(result);
            }
        }
        result => {
            count(facts, &result, n_batches, group.bytes, start);
            group.done.into_iter().for_each(|done| done(result.clone()));
        }
    }
}

fn count(
    facts: &SharedFacts,
    result: &Result<Receipt, Failure>,
    n_batches: usize,
    bytes: usize,
    start: Instant,
) {
    let mut facts = look(facts);
    match result {
        Ok(_) => facts.committed(n_batches, bytes, start.elapsed()),
        Err(failure) => facts.failed(n_batches, failure),
    }
}
