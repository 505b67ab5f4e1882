//! The gate: what a program may do beyond what every program may, and who is sandboxed.
//!
//! Each connection is looked at when it comes in (`peer.rs`), on whichever door. What was granted
//! (`record.rs`) holds for connections that are open already from the moment it is granted, and not
//! one moment longer than it was granted for.

mod record;

pub(crate) use record::{Grant, GrantError, Record, Right, Subject};

use crate::peer::Home;
use crate::saved::Saved;
use kith_core::{Allowed, Broker, ClientId};
use std::cell::{Cell, RefCell};
use std::path::Path;

/// Who may do what.
pub(crate) struct Gate {
    home: Home,
    record: RefCell<Record>,
    /// When the next grant ended or ends, as it was known last.
    next_end_ms: Cell<Option<u64>>,
    /// Where it is kept, if it is.
    saved: Option<Saved>,
}

impl Gate {
    /// One that keeps what is granted in this state directory, if it keeps it.
    pub(crate) fn open(state: Option<&Path>) -> Self {
        let saved = state.map(|state| Saved::new(state, "grants.toml"));
        let record = saved.as_ref().map(|saved| saved.load(Record::parse)).unwrap_or_default();
        Self {
            home: Home::look(),
            record: RefCell::new(record),
            next_end_ms: Cell::new(None),
            saved,
        }
    }

    /// Tells the broker who has connected, and what it may do.
    pub(crate) fn admit(
        &self,
        broker: &mut Broker,
        now_ms: u64,
        client: ClientId,
        pid: Option<u32>,
    ) {
        let confined = match pid {
            Some(pid) => {
                broker.set_pid(client, pid);
                self.home.confined(pid)
            }
            None => self.home.unknown(),
        };
        if let Some(subject) = &confined {
            broker.confine(client, subject);
        }
        let allowed = self.allowed(now_ms, confined, pid);
        if allowed != Allowed::default() {
            broker.allow(client, allowed);
        }
    }

    /// Tells the broker once more, of a program that may have been granted something or lost it.
    /// Nothing, for a service and for who showed the key.
    pub(crate) fn review(
        &self,
        broker: &mut Broker,
        now_ms: u64,
        client: ClientId,
        pid: Option<u32>,
    ) {
        let confined = broker.confined(client).map(str::to_owned);
        let allowed = self.allowed(now_ms, confined, pid);
        broker.allow(client, allowed);
    }

    fn allowed(&self, now_ms: u64, confined: Option<String>, pid: Option<u32>) -> Allowed {
        let record = self.record.borrow();
        let mut names = Vec::from_iter(confined);
        // In a sandbox a path says nothing: the sandbox decides what is there.
        if names.is_empty() && record.names_files() {
            let executable = pid.and_then(|pid| self.home.executable(pid));
            names.extend(executable.map(|path| format!("exe:{}", path.display())));
        }
        record.allowed(now_ms, &names)
    }

    /// What was granted.
    pub(crate) fn record(&self) -> std::cell::Ref<'_, Record> {
        self.record.borrow()
    }

    /// Whether a grant has ended that held when this was asked last.
    pub(crate) fn has_ended_since_looked(&self, now_ms: u64) -> bool {
        let next_end_ms = self.record.borrow().next_end_ms(now_ms);
        let before = self.next_end_ms.replace(next_end_ms);
        // One granted for less than it took to come here was never seen to hold.
        let is_over = self.record.borrow().has_ended(now_ms);
        let has_ended = is_over || before.is_none_or(|end_ms| end_ms <= now_ms);
        if is_over {
            // For good: somebody may set the clock back.
            let forgotten = self.change(|record| {
                record.forget_expired(now_ms);
                Ok(())
            });
            if let Err(error) = forgotten {
                tracing::error!(%error, "a grant has ended, and is still in the file");
                self.record.borrow_mut().forget_expired(now_ms);
            }
        }
        has_ended
    }

    /// Changes what was granted, once that is on the disk.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Record) -> Result<T, GrantError>,
    ) -> Result<T, ChangeError> {
        let mut changed = self.record.borrow().clone();
        let outcome = change(&mut changed)?;
        if let Some(saved) = &self.saved {
            let text = changed.text().map_err(|error| ChangeError::Text(error.to_string()))?;
            saved.store(&text)?;
        }
        *self.record.borrow_mut() = changed;
        Ok(outcome)
    }
}

/// Why a grant was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// It can't be granted.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// It can't be written down.
    #[error("what is granted can't be written down: {0}")]
    Text(String),
    /// It can't be kept.
    #[error("what is granted can't be kept: {0}")]
    Io(#[from] std::io::Error),
}
