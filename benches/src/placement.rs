//! Which processors a broker and its clients may use.
//!
//! Where threads run decides about latency more than any code does: a broker that wakes on its
//! client's core answers in a fifth of the time that one on another core needs. So each of the two
//! is measured by itself, besides leaving it to the kernel. A child inherits the mask of the thread
//! that starts it, and so does a thread; pinning the thread that starts a broker, or runs the
//! clients, is all that it takes, also for brokers that count their processors.

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Placement {
    /// Wherever the kernel likes.
    Free,
    /// Broker and clients on one core.
    OneCore,
    /// The clients on one core, the broker on another.
    TwoCores,
}

impl Placement {
    pub(crate) const ALL: [Self; 3] = [Self::Free, Self::OneCore, Self::TwoCores];

    /// Pins this thread to where brokers belong, until the guard is dropped.
    pub(crate) fn pin_broker(self) -> anyhow::Result<Pinned> {
        Pinned::to_nth(match self {
            Self::Free => None,
            Self::OneCore => Some(0),
            Self::TwoCores => Some(1),
        })
    }

    /// The same for clients.
    pub(crate) fn pin_client(self) -> anyhow::Result<Pinned> {
        Pinned::to_nth((self != Self::Free).then_some(0))
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Free => "free",
            Self::OneCore => "one-core",
            Self::TwoCores => "two-cores",
        })
    }
}

/// A thread that was pinned gets its former mask back.
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// Pins to the nth of the processors that this thread may use; `None` pins to nothing.
    pub(crate) fn to_nth(nth: Option<usize>) -> anyhow::Result<Self> {
        let before = sched_getaffinity(None)?;
        if let Some(nth) = nth {
            let mut allowed = (0..CpuSet::MAX_CPU).filter(|processor| before.is_set(*processor));
            let processor = allowed.nth(nth).context("the machine has too few processors")?;
            let mut only = CpuSet::new();
            only.set(processor);
            sched_setaffinity(None, &only)?;
        }
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before, so it is again, unless the processors were taken from all of us.
        let _restored = sched_setaffinity(None, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processors() -> u32 {
        sched_getaffinity(None).unwrap().count()
    }

    #[test]
    fn a_pinned_thread_and_its_children_have_one_processor_until_it_ends() {
        std::thread::spawn(|| {
            let before = processors();
            let pinned = Placement::OneCore.pin_broker().unwrap();
            assert_eq!(processors(), 1);
            assert_eq!(std::thread::spawn(processors).join().unwrap(), 1);
            drop(pinned);
            assert_eq!(processors(), before);
            let _free = Placement::Free.pin_client().unwrap();
            assert_eq!(processors(), before);
        })
        .join()
        .unwrap();
    }
}
