//! The way from a program's tasks to the one that owns the socket.
//!
//! Frames are written by whoever asks, and posts side by side into one buffer, so that a burst of
//! them is one command. The lock is held while a frame is written, never while waiting. What bounds
//! it is a budget of bytes: a post gives its part back when it is written, an operation that waits
//! when it is answered.
//!
//! Deliberately absent: a channel for each post; it would cost an allocation and a wake for each.

use crate::Loss;
use crate::feed::Feed;
use crate::limits::{
    ACKNOWLEDGEMENTS_MAX, ASIDE_OPERATIONS_MAX, OPERATION_BYTES, OUTGOING_BYTES_MAX,
};
use crate::session::{Command, Done, Failure};
use kith_wire::MessageId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{
    Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError, oneshot,
};

/// Whoever waits for an answer, and the part of the budget that waits with it.
#[derive(Debug)]
pub(crate) struct Waiter {
    answer: oneshot::Sender<Result<Done, Failure>>,
    _budget: Option<OwnedSemaphorePermit>,
}

impl Waiter {
    /// Answers. Nobody may be there any more: then the answer is for nobody.
    pub(crate) fn answer(self, result: Result<Done, Failure>) {
        let _ = self.answer.send(result);
    }
}

/// A command as the task gets it.
pub(crate) type Asked = Command<Waiter, Arc<Feed>>;

/// What waits for the task that owns the socket.
#[derive(Debug)]
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    budget: Arc<Semaphore>,
    /// For operations without a message; a number of them, not of bytes.
    aside: Arc<Semaphore>,
    /// For acknowledgements that nobody waits for.
    acknowledgements: Semaphore,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    commands: Vec<Asked>,
    /// Whether nobody is left who could ask for something.
    abandoned: bool,
    /// Why nothing is taken any more.
    closed: Option<Loss>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            budget: Arc::new(Semaphore::new(OUTGOING_BYTES_MAX)),
            aside: Arc::new(Semaphore::new(ASIDE_OPERATIONS_MAX)),
            acknowledgements: Semaphore::new(ACKNOWLEDGEMENTS_MAX),
            wake: Notify::new(),
        }
    }

    /// Asks for something, and waits for the answer. `bytes` is about the size of its frame.
    pub(crate) async fn ask(
        &self,
        bytes: usize,
        command: impl FnOnce(Waiter) -> Asked,
    ) -> Result<Done, Failure> {
        let bytes = permits(bytes.saturating_add(OPERATION_BYTES));
        let budget = Arc::clone(&self.budget).acquire_many_owned(bytes).await;
        let budget = budget.map_err(|_| Failure::Lost(self.reason()))?;
        self.ask_with(Some(budget), command).await
    }

    /// Asks for something that doesn't wait for what else is on its way, such as whether there is a
    /// connection at all.
    pub(crate) async fn ask_aside(
        &self,
        command: impl FnOnce(Waiter) -> Asked,
    ) -> Result<Done, Failure> {
        let aside = Arc::clone(&self.aside).acquire_owned().await;
        let aside = aside.map_err(|_| Failure::Lost(self.reason()))?;
        self.ask_with(Some(aside), command).await
    }

    /// Says goodbye, whatever else waits.
    pub(crate) async fn ask_to_close(&self) -> Result<Done, Failure> {
        self.ask_with(None, |waiter| Command::Close { waiter }).await
    }

    async fn ask_with(
        &self,
        budget: Option<OwnedSemaphorePermit>,
        command: impl FnOnce(Waiter) -> Asked,
    ) -> Result<Done, Failure> {
        let (answer, answered) = oneshot::channel();
        self.put(command(Waiter { answer, _budget: budget })).map_err(Failure::Lost)?;
        answered.await.unwrap_or_else(|_| Err(Failure::Lost(self.reason())))
    }

    /// Appends a frame that nobody waits for, as soon as there is room for its `bytes`.
    pub(crate) async fn post(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Loss> {
        let budget = self.budget.acquire_many(permits(bytes)).await.map_err(|_| self.reason())?;
        self.append(budget, write)
    }

    /// Appends it if there is room now; whether there was.
    pub(crate) fn try_post(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<bool, Loss> {
        match self.budget.try_acquire_many(permits(bytes)) {
            Ok(budget) => self.append(budget, write).map(|()| true),
            Err(TryAcquireError::NoPermits) => Ok(false),
            Err(TryAcquireError::Closed) => Err(self.reason()),
        }
    }

    fn append(
        &self,
        budget: SemaphorePermit<'_>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Loss> {
        let mut waiting = self.open()?;
        if !matches!(waiting.commands.last(), Some(Command::Posts { .. })) {
            let frames = Vec::with_capacity(4096);
            waiting.commands.push(Command::Posts { frames, count: 0, charge: 0 });
        }
        let is_first = waiting.commands.len() == 1;
        if let Some(Command::Posts { frames, count, charge }) = waiting.commands.last_mut() {
            let is_first = is_first && *count == 0;
            write(frames);
            *count += 1;
            *charge += budget.num_permits();
            budget.forget();
            drop(waiting);
            if is_first {
                self.wake.notify_one();
            }
        }
        Ok(())
    }

    /// Acknowledges a message, if there is room for it: together with what was acknowledged just
    /// before. Whether there was room.
    pub(crate) fn acknowledge(&self, key: u64, message_id: MessageId) -> Result<bool, Loss> {
        let Ok(room) = self.acknowledgements.try_acquire() else { return Ok(false) };
        let mut waiting = self.open()?;
        room.forget();
        if let Some(Command::Acknowledge { key: last, message_ids }) = waiting.commands.last_mut()
            && *last == key
        {
            message_ids.push(message_id);
            return Ok(true);
        }
        drop(waiting);
        self.put(Command::Acknowledge { key, message_ids: vec![message_id] }).map(|()| true)
    }

    /// So many acknowledgements are answered, or dropped.
    pub(crate) fn acknowledged(&self, count: usize) {
        self.acknowledgements.add_permits(count);
    }

    /// Asks for something that takes no room.
    pub(crate) fn put(&self, command: Asked) -> Result<(), Loss> {
        let mut waiting = self.open()?;
        waiting.commands.push(command);
        let is_first = waiting.commands.len() == 1;
        drop(waiting);
        if is_first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Says that nobody is left who could ask for something.
    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.wake.notify_one();
    }

    /// Waits until something was asked, or the mailbox abandoned, since this was called last.
    pub(crate) async fn asked(&self) {
        self.wake.notified().await;
    }

    /// Everything that was asked.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().commands)
    }

    /// Whether nobody is left, and all that was asked was taken.
    pub(crate) fn is_abandoned(&self) -> bool {
        let waiting = self.lock();
        waiting.abandoned && waiting.commands.is_empty()
    }

    /// So many bytes that were posted are written.
    pub(crate) fn free(&self, bytes: usize) {
        self.budget.add_permits(bytes);
    }

    /// Takes nothing any more, for this reason; the first one counts. Returns what had been asked.
    pub(crate) fn close(&self, reason: &Loss) -> Vec<Asked> {
        let mut waiting = self.lock();
        waiting.closed.get_or_insert_with(|| reason.clone());
        let commands = std::mem::take(&mut waiting.commands);
        drop(waiting);
        self.budget.close();
        self.aside.close();
        commands
    }

    fn open(&self) -> Result<MutexGuard<'_, Waiting>, Loss> {
        let waiting = self.lock();
        match &waiting.closed {
            None => Ok(waiting),
            Some(reason) => Err(reason.clone()),
        }
    }

    fn reason(&self) -> Loss {
        self.lock().closed.clone().unwrap_or(Loss::Closed)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A push that panicked has not happened, and a frame is whole or not counted.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `bytes` take from the budget: all of it, where they are more.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.min(OUTGOING_BYTES_MAX)).unwrap_or(u32::MAX)
}
