//! A running service: a thread of this process, or a process of its own. To whoever supervises it
//! both are the same: it says lines, it ends, and it can be told to.

use super::inside::Thread;
use super::process::Process;
use super::supervisor::{Action, Failure};
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
}

/// A running service.
#[derive(Debug)]
pub(super) enum Instance {
    Thread(Thread),
    Process(Process),
}

impl Reporter {
    pub(super) fn new(service: &str, instance: u64, events: mpsc::Sender<Event>) -> Self {
        Self { service: service.to_owned(), instance, events }
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
        let _ = self.events.blocking_send(self.event(What::Ended(how)));
    }

    /// Reports a line, unless very much is reported already.
    pub(super) fn try_line(&self, line: String) {
        let _ = self.events.try_send(self.event(What::Line(line)));
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
