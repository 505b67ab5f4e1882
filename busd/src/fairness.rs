//! Whose turn it is: the bus's one thread, shared out among the programs that are connected.
//!
//! Time is cut into *rounds*: from one look of the runtime at all sockets to the next. In a round
//! each program gets a few turns' time ([`ROUND_TIME`]), however many connections it has. One with
//! more to do waits in its program's own queue, whose first is called in the next round. So a
//! program that wants everything, on one connection or on five hundred, costs each other program
//! about one such share a round; and within a program nobody is left out. This is round robin over
//! processes, whose ids the kernel tells.
//!
//! A program that is alone needs no such care and works in larger pieces, which is faster: fewer
//! system calls for the same bytes. The bus is *shared* for a while after the turn of another
//! program.
//!
//! Deliberately absent: the clock (moments are handed in), priorities, and any measure of who has
//! used much in the past. A round is so short that nothing has to be made up for.

use crate::limits::{PROCESSES_TIDIED_MIN, ROUND_TIME, SHARED_TIME};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

/// Rounds, and the programs that have turns in them.
#[derive(Debug, Default)]
pub(crate) struct Fairness {
    round: Cell<u64>,
    processes: RefCell<HashMap<Option<u32>, Weak<Process>>>,
    /// Whose turn was the last.
    last: Cell<Option<u32>>,
    /// Until then the bus is shared.
    shared_until: Cell<Option<Instant>>,
}

/// A program with connections. Those of which no process is known count as one.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Option<u32>,
    /// For which round `spent` counts.
    round: Cell<u64>,
    spent: Cell<Duration>,
    /// Its connections that have something to do, and no time left in this round.
    queue: RefCell<VecDeque<(Rc<Ticket>, Waker)>>,
    /// Somebody calls the first of the queue in each round.
    has_caller: Cell<bool>,
}

/// What a connection has to show for its turn.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Cell<Place>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Queued,
    Called,
}

/// What kind of turn a connection gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A long one: nobody else wants anything.
    Long,
    /// A short one.
    Short,
    /// None in this round: it has to queue.
    Later,
}

impl Fairness {
    /// The program of a connection.
    pub(crate) fn process(&self, pid: Option<u32>) -> Rc<Process> {
        let mut processes = self.processes.borrow_mut();
        if let Some(process) = processes.get(&pid).and_then(Weak::upgrade) {
            return process;
        }
        if PROCESSES_TIDIED_MIN <= processes.len() {
            processes.retain(|_, process| process.strong_count() > 0);
        }
        let process = Rc::new(Process {
            pid,
            round: Cell::default(),
            spent: Cell::default(),
            queue: RefCell::default(),
            has_caller: Cell::default(),
        });
        processes.insert(pid, Rc::downgrade(&process));
        process
    }

    /// Which round it is.
    pub(crate) fn round(&self) -> u64 {
        self.round.get()
    }

    /// Takes note that the runtime has looked at the sockets since this round was the current one.
    pub(crate) fn pass(&self, round: u64) {
        if self.round.get() == round {
            self.round.set(round.wrapping_add(1));
        }
    }

    /// What turn a connection gets that has something to do now.
    pub(crate) fn begin(&self, process: &Process, ticket: &Ticket, now: Instant) -> Grant {
        if self.last.replace(process.pid) != process.pid {
            self.shared_until.set(now.checked_add(SHARED_TIME));
        }
        let is_called = ticket.0.get() == Place::Called;
        if self.shared_until.get().is_none_or(|until| until <= now) {
            ticket.0.set(Place::Outside);
            return Grant::Long;
        }
        // Who queues comes first, or a busy connection would keep out the others of its program.
        let has_time = self.spent(process) < ROUND_TIME && process.queue.borrow().is_empty();
        if !is_called && !has_time {
            return Grant::Later;
        }
        ticket.0.set(Place::Outside);
        Grant::Short
    }

    /// Whether a connection may be sent what waits for it. To be sent something is no turn: the bus
    /// is not shared because of it.
    pub(crate) fn may_send(&self, process: &Process, ticket: &Ticket, now: Instant) -> bool {
        let is_shared = self.shared_until.get().is_some_and(|until| now < until);
        let is_called = ticket.0.get() == Place::Called;
        !is_shared || is_called || self.spent(process) < ROUND_TIME
    }

    /// A connection that was called has nothing to do after all: the next one may come.
    pub(crate) fn pass_on(&self, process: &Process, ticket: &Ticket) {
        if ticket.0.get() == Place::Called {
            ticket.0.set(Place::Outside);
            self.end(process, Duration::ZERO);
        }
    }

    /// Takes note of what a turn took, and calls the next of the queue if there is time left.
    pub(crate) fn end(&self, process: &Process, took: Duration) {
        let spent = self.spent(process).saturating_add(took);
        process.spent.set(spent);
        if spent < ROUND_TIME {
            process.call_next();
        }
    }

    /// What a program has used of this round.
    fn spent(&self, process: &Process) -> Duration {
        if process.round.replace(self.round.get()) != self.round.get() {
            process.spent.set(Duration::ZERO);
        }
        process.spent.get()
    }
}

impl Process {
    /// Has a connection wait until it is called, by waking its task. Whether somebody has to be
    /// found who calls ([`Process::call_first`]) once in each round, until nobody waits.
    pub(crate) fn queue(&self, ticket: &Rc<Ticket>, waker: &Waker) -> bool {
        if ticket.0.replace(Place::Queued) != Place::Queued {
            self.queue.borrow_mut().push_back((Rc::clone(ticket), waker.clone()));
        }
        !self.has_caller.replace(true)
    }

    /// Calls the first that waits, at the beginning of a round. If there is none, whoever calls may
    /// go.
    pub(crate) fn call_first(&self) -> bool {
        let is_there = self.call_next();
        self.has_caller.set(is_there);
        is_there
    }

    fn call_next(&self) -> bool {
        let Some((ticket, waker)) = self.queue.borrow_mut().pop_front() else { return false };
        if ticket.0.get() == Place::Queued {
            ticket.0.set(Place::Called);
        }
        waker.wake();
        true
    }
}

#[cfg(test)]
mod tests;
