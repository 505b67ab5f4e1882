//! The one place where the task that owns the socket and a program's task meet to pass messages on.
//!
//! A lock around an [`Inbox`], held for as long as it takes to move a batch, never while waiting,
//! and the waker of whoever waits for more.

use crate::inbox::{Inbox, Incoming};
use crate::{SubscribeError, limits};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// An inbox that is shared between the task that fills it and the one that empties it.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    inbox: Inbox,
    waiting: Option<Waker>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { inbox: Inbox::new(), waiting: None }) }
    }

    /// Puts in what was received.
    pub(crate) fn deliver(&self, items: Vec<Incoming>) {
        let mut state = self.lock();
        for item in items {
            state.inbox.push(item);
        }
        wake(state);
    }

    /// Nothing comes any more.
    pub(crate) fn end(&self, reason: SubscribeError) {
        let mut state = self.lock();
        state.inbox.end(reason);
        wake(state);
    }

    /// Why nothing comes any more, if that is so.
    pub(crate) fn ended(&self) -> Option<SubscribeError> {
        self.lock().inbox.ended().cloned()
    }

    /// Moves a batch to `taken`, which is empty; if it still is, the feed has ended.
    pub(crate) fn poll_take(
        &self,
        context: &mut Context<'_>,
        taken: &mut VecDeque<Incoming>,
    ) -> Poll<()> {
        let mut state = self.lock();
        state.inbox.take(taken, limits::BATCH_MESSAGES_MAX);
        if !taken.is_empty() || state.inbox.ended().is_some() {
            return Poll::Ready(());
        }
        match &mut state.waiting {
            Some(waiting) => waiting.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with the lock held left every count as it was, or as it should be.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes whoever waits, after the lock was let go.
fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = state.waiting.take();
    drop(state);
    if let Some(waiting) = waiting {
        waiting.wake();
    }
}
