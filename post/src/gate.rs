//! What waits for the disk.
//!
//! Changes are gathered while the post thinks, and go to the store together; what may be seen by
//! others only once they are on the disk waits behind them. So a letter leaves after the ratchet
//! that sealed it is stored, and an acknowledgement after the message is.
//!
//! A commit that fails is tried again with everything that came since. Nothing leaves meanwhile,
//! so nothing that was said has to be taken back; the post takes in nothing new
//! ([`Gate::is_stuck`]).

use crate::input::{Now, Output};
use crate::limits::COMMIT_RETRY_MS;
use kith_store::{Batch, Failure, Receipt};

/// What waits for the disk.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    batch: Batch,
    /// What waits for that batch.
    waiting: Vec<Output>,
    committing: Option<Committing>,
    next_ticket: u64,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Committing {
    ticket: u64,
    batch: Batch,
    waiting: Vec<Output>,
}

#[derive(Debug)]
struct Failing {
    failure: Failure,
    retry_at_ms: u64,
}

impl Gate {
    pub(crate) fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.batch.put(key, value);
    }

    pub(crate) fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.batch.delete(key);
    }

    pub(crate) fn set(&mut self, key: impl AsRef<[u8]>, value: Option<impl AsRef<[u8]>>) {
        match value {
            Some(value) => self.put(key, value),
            None => self.delete(key),
        }
    }

    /// Gives this out once all changes so far are on the disk.
    pub(crate) fn after(&mut self, output: Output) {
        self.waiting.push(output);
    }

    /// What can be done at once: the next commit, if none is on its way; else what waits for
    /// nothing.
    pub(crate) fn poll(&mut self, now: Now) -> Vec<Output> {
        if self.committing.is_some() {
            return Vec::new();
        }
        if self.batch.is_empty() {
            return std::mem::take(&mut self.waiting);
        }
        if self.failing.as_ref().is_some_and(|failing| now.monotonic_ms < failing.retry_at_ms) {
            return Vec::new();
        }
        self.next_ticket += 1;
        let (batch, waiting) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.waiting));
        let commit = Output::Commit { ticket: self.next_ticket, batch: batch.clone() };
        self.committing = Some(Committing { ticket: self.next_ticket, batch, waiting });
        vec![commit]
    }

    /// Takes in what the store says, and gives back what waited for it.
    pub(crate) fn committed(
        &mut self,
        now: Now,
        ticket: u64,
        result: Result<Receipt, Failure>,
    ) -> Vec<Output> {
        let Some(committing) = self.committing.take_if(|one| one.ticket == ticket) else {
            return Vec::new();
        };
        let Committing { mut batch, mut waiting, .. } = committing;
        match result {
            Ok(_) => {
                self.failing = None;
                waiting
            }
            Err(failure) => {
                let retry_at_ms = now.monotonic_ms.saturating_add(COMMIT_RETRY_MS);
                self.failing = Some(Failing { failure, retry_at_ms });
                batch.append(&self.batch);
                self.batch = batch;
                waiting.append(&mut self.waiting);
                self.waiting = waiting;
                Vec::new()
            }
        }
    }

    /// Why nothing can be stored, while that is so.
    pub(crate) fn is_stuck(&self) -> Option<&Failure> {
        self.failing.as_ref().map(|failing| &failing.failure)
    }

    /// When to try again, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let failing = self.failing.as_ref()?;
        (self.committing.is_none()).then_some(failing.retry_at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_store::{Memory, Store};

    const NOW: Now = Now { monotonic_ms: 5, unix_ms: 5 };

    fn said(text: &str) -> Output {
        Output::Announce { topic: text.to_owned(), payload: Vec::new() }
    }

    fn topics(outputs: &[Output]) -> Vec<&str> {
        let topic = |output: &Output| match output {
            Output::Announce { topic, .. } => Some(topic.as_str().to_owned()),
            _ => None,
        };
        outputs.iter().filter_map(topic).map(|topic| &*topic.leak()).collect()
    }

    #[test]
    fn what_waits_leaves_after_the_disk_has_it_and_in_order() {
        let mut store = Store::open(Memory::new()).unwrap();
        let mut gate = Gate::default();
        gate.put("a", "1");
        gate.after(said("one"));
        let Some(Output::Commit { ticket, batch }) = gate.poll(NOW).pop() else { panic!() };
        gate.put("a", "2");
        gate.after(said("two"));
        assert!(gate.poll(NOW).is_empty(), "one commit at a time");
        let failure = Failure::InputOutput { text: "no room".to_owned() };
        assert!(gate.committed(NOW, ticket, Err(failure.clone())).is_empty());
        assert_eq!(gate.is_stuck(), Some(&failure));
        assert!(gate.poll(NOW).is_empty(), "not at once");

        let later = Now { monotonic_ms: gate.due_ms().unwrap(), ..NOW };
        let Some(Output::Commit { ticket: again, batch: both }) = gate.poll(later).pop() else {
            panic!()
        };
        assert_ne!(ticket, again);
        assert_eq!((batch.len(), both.len()), (1, 2));
        let receipt = store.commit(&[both]);
        assert_eq!(topics(&gate.committed(later, again, receipt)), ["one", "two"]);
        assert!(gate.is_stuck().is_none());
        gate.after(said("three"));
        assert_eq!(topics(&gate.poll(later)), ["three"], "nothing to wait for");
    }
}
