//! Signs of a program that go before its calls: what they say may be what those wait for.
//!
//! A program's calls are taken up while there is room for what comes of them, and there is room
//! again when it has read, or is gone. So these are told past the queue.

use std::cell::Cell;
use std::num::NonZeroU32;
use tokio::sync::Notify;

/// What the session's loop tells a program's task at once.
#[derive(Debug, Default)]
pub(super) struct Signs {
    confirmed: Cell<Option<NonZeroU32>>,
    has_left: Cell<bool>,
    told: Notify,
}

impl Signs {
    /// The program has answered the question with this serial.
    pub(super) fn confirm(&self, serial: NonZeroU32) {
        self.confirmed.set(Some(serial));
        self.told.notify_one();
    }

    /// The program has left the session bus.
    pub(super) fn leave(&self) {
        self.has_left.set(true);
        self.told.notify_one();
    }

    /// Waits until there is a sign.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }

    /// The question that was answered, once.
    pub(super) fn take_confirmed(&self) -> Option<NonZeroU32> {
        self.confirmed.take()
    }

    /// Whether the program has left.
    pub(super) fn has_left(&self) -> bool {
        self.has_left.get()
    }
}
