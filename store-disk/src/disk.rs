//! The handle on a store: asks its thread, and counts what waits.
//!
//! The queue is as long as what its users have under way; its bytes are bounded here, since a disk
//! that hangs takes nothing out of it. Whatever is asked for is answered exactly once, and never on
//! the asker's own stack but when the thread is gone.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use kith_store::{Batch, Failure, Page, Receipt, Scan};

use crate::facts::Facts;
use crate::limits::WAITING_BYTES_MAX;
use crate::opening::{self, Opened};
use crate::writer::{Job, SharedFacts, look, work};
use crate::{Kind, OpenError, failure};

/// An open store. When it is dropped, what was asked for is done first.
pub struct Disk {
    /// None while it is being dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    facts: SharedFacts,
    kind: Kind,
}

impl Disk {
    /// Opens the store of this kind in a directory that is there, or makes one.
    ///
    /// # Errors
    /// [`OpenError`]. Damage is none: what is damaged is put aside, and [`Opened`] says so.
    pub fn open(directory: &Path, kind: Kind) -> Result<(Self, Opened), OpenError> {
        let (place, store, opened) = opening::open(directory, kind)?;
        let (jobs, asked) = mpsc::channel();
        let facts: SharedFacts = Arc::new(Mutex::new(Facts::default()));
        let counted = facts.clone();
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
            work(store, &asked, &counted).into_backend().close();
            // Only then may somebody else open it.
            drop(place);
        });
        let thread = thread.map_err(|error| failure::from_io(directory, &error))?;
        Ok((Self { jobs: Some(jobs), thread: Some(thread), facts, kind }, opened))
    }

    /// Puts a batch in. `done` is called on the store's thread once the disk has it, or can't.
    pub fn commit(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<Receipt, Failure>) + Send + 'static,
    ) {
        let done = Box::new(done);
        let bytes = batch.bytes();
        let is_let_in = {
            let mut facts = look(&self.facts);
            let waiting = facts.waiting_bytes.saturating_add(bytes);
            let is_let_in = facts.waiting_bytes == 0 || waiting <= WAITING_BYTES_MAX;
            if is_let_in {
                facts.waiting_bytes = waiting;
                facts.waiting_batches += 1;
            }
            is_let_in
        };
        self.ask(if is_let_in {
            Job::Commit { batch, done }
        } else {
            let text = "the disk is too slow for what is to be stored: send less, or look what \
                        keeps it busy; it goes on by itself";
            Job::Refuse { failure: Failure::InputOutput { text: text.to_owned() }, done }
        });
    }

    /// Reads a page. It shows every commit that was asked for before. `done` is called on the
    /// store's thread.
    pub fn scan(&self, scan: Scan, done: impl FnOnce(Result<Page, Failure>) + Send + 'static) {
        self.ask(Job::Scan { scan, done: Box::new(done) });
    }

    /// Reads a page and waits for it: for starting up, when there is nothing else to do. Not to be
    /// called from a `done`.
    ///
    /// # Errors
    /// The store's [`Failure`].
    pub fn scan_now(&self, scan: Scan) -> Result<Page, Failure> {
        let (answer, answered) = mpsc::channel();
        self.scan(scan, move |page| {
            // Whoever asked has gone.
            let _ = answer.send(page);
        });
        answered.recv().unwrap_or(Err(Failure::Stopped))
    }

    /// What has been done so far.
    #[must_use]
    pub fn facts(&self) -> Facts {
        look(&self.facts).clone()
    }

    /// Which engine it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    fn ask(&self, job: Job) {
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        match refused {
            None => {}
            Some(Job::Commit { done, .. } | Job::Refuse { done, .. }) => {
                done(Err(Failure::Stopped));
            }
            Some(Job::Scan { done, .. }) => {
                done(Err(Failure::Stopped));
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // A `done` that holds the last handle ends its own thread: nobody else can wait for it.
        if thread.thread().id() != thread::current().id() {
            // What it panicked with has been printed.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("kind", &self.kind).field("facts", &self.facts()).finish()
    }
}
