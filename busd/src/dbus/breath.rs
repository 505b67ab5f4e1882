//! When this thread lets others of its processor go first.
//!
//! The system lets a thread go on for most of a millisecond before another one that has something
//! to do gets the processor. While the session bus is busy this thread always has something to do;
//! the broker and the programs on its socket would wait for it. So it gives way after every few
//! messages, as often as the broker passes from program to program. Where nobody waits that costs
//! next to nothing, and a thread that sleeps in between has given way already.

use crate::limits::{DBUS_MESSAGES_PER_BREATH_MAX, DBUS_MESSAGES_PER_PAUSE_MIN};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts what was done since others could go first.
#[derive(Clone, Debug, Default)]
pub(super) struct Breath(Arc<AtomicU32>);

impl Breath {
    /// Takes note that a message was read or made. Where they are many at a time, others go first.
    pub(super) fn spend(&self) {
        if self.0.fetch_add(1, Ordering::Relaxed) + 1 >= DBUS_MESSAGES_PER_BREATH_MAX {
            self.give_way();
        }
    }

    /// Nobody waits for what this thread does next: others go first, if it is long enough.
    pub(super) fn pause(&self) {
        if self.0.load(Ordering::Relaxed) >= DBUS_MESSAGES_PER_PAUSE_MIN {
            self.give_way();
        }
    }

    /// Takes note that the thread has slept, and others could go first.
    pub(super) fn take(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn give_way(&self) {
        self.take();
        std::thread::yield_now();
    }
}
