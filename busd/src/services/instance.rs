//! A running service: a thread of this process, or a process of its own. To whoever supervises it
//! both are the same: it says lines, it ends, and it can be told to.

use super::inside::Thread;
use super::process::Process;
use super::supervisor::{Action, Failure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// What an instance reports.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) service: String,
    /// Which start of it: what an earlier one says counts no more.
    pub(super) instance: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// It said a line.
    Line(String),
    /// It has ended, so.
    Ended(Failure),
}

/// Where an instance reports.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    service: String,
    instance: u64,
    events: mpsc::Sender<Event>,
    /// Lines for which there was no room, and of which nothing was said yet.
    left_out: Arc<AtomicU64>,
}

/// A running service.
#[derive(Debug)]
pub(super) enum Instance {
    Thread(Thread),
    Process(Process),
}

impl Reporter {
    pub(super) fn new(service: &str, instance: u64, events: mpsc::Sender<Event>) -> Self {
        Self { service: service.to_owned(), instance, events, left_out: Arc::default() }
    }

    fn event(&self, what: What) -> Event {
        Event { service: self.service.clone(), instance: self.instance, what }
    }

    /// Reports, and waits while very much is reported already.
    pub(super) async fn report(&self, what: What) {
        // Nobody is there to hear it any more: the daemon ends.
        let _ = self.events.send(self.event(what)).await;
    }

    /// Reports that it has ended, from a thread that may wait.
    pub(super) fn report_end(&self, how: Failure) {
        if let Some(line) = self.take_left_out() {
            let _ = self.events.blocking_send(self.event(What::Line(line)));
        }
        let _ = self.events.blocking_send(self.event(What::Ended(how)));
    }

    /// Reports a line, unless very much is reported already. Then it is counted, and the count is
    /// said before the next line.
    pub(super) fn try_line(&self, line: String) {
        // Room for both, so that no count is lost.
        let Ok(mut room) = self.events.try_reserve_many(2) else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        };
        for line in self.take_left_out().into_iter().chain([line]) {
            if let Some(room) = room.next() {
                room.send(self.event(What::Line(line)));
            }
        }
    }

    fn take_left_out(&self) -> Option<String> {
        let count = self.left_out.swap(0, Ordering::Relaxed);
        (count > 0).then(|| format!("({count} lines left out: more than could be taken)"))
    }
}

impl Instance {
    /// Its process, if it is one.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Thread(_) => None,
            Self::Process(process) => Some(process.pid()),
        }
    }

    /// Makes it end. What became of that, where nothing more will be heard of it.
    pub(super) fn act(&mut self, action: Action) -> Option<Failure> {
        match self {
            Self::Thread(thread) => thread.act(action),
            Self::Process(process) => {
                process.act(action);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_room_are_counted_and_the_count_is_said() {
        let (events, mut reported) = mpsc::channel(3);
        let reporter = Reporter::new("x", 1, events);
        for line in ["a", "b", "c", "d"] {
            reporter.try_line(line.to_owned());
        }
        let mut said = || match reported.try_recv().ok()?.what {
            What::Line(line) => Some(line),
            What::Ended(how) => Some(how.reason),
        };
        let mut all = || std::iter::from_fn(&mut said).collect::<Vec<_>>();
        assert_eq!(all(), ["a", "b"]);
        reporter.try_line("e".to_owned());
        reporter.try_line("f".to_owned());
        assert_eq!(all(), ["(2 lines left out: more than could be taken)", "e"]);
        reporter.report_end(Failure::new("over"));
        assert_eq!(all(), ["(1 lines left out: more than could be taken)", "over"]);
    }
}
