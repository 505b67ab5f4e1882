//! The broker and the connections around it, on one thread.
//!
//! One thread owns the broker, so there is no lock: a [`RefCell`] is borrowed for as long as a
//! batch takes and never across an await. A connection's task reads a batch, feeds it to the
//! broker, and at once sends to every subscriber what that caused, each once. A subscriber whose
//! socket is full is left to its own task, which waits until there is room; nobody else does.
//!
//! Deliberately absent: threads to spread the load over. The broker's work for a message is a small
//! part of what the kernel does for it, and a second thread would cost every message a hand-over.

use crate::clock::Clock;
use crate::configuration::Services;
use crate::door::Connection;
use crate::fairness::Fairness;
use crate::grants::Gate;
use crate::keeper::Keeper;
use crate::limits::{GRANTS_LOOK_MS_MAX, READ_BYTES};
use crate::post::Way;
use kith_core::{Broker, ClientId, Limits, Now, Output};
use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// The broker and the connections around it.
pub(crate) struct Hub {
    broker: RefCell<Broker>,
    connections: RefCell<HashMap<ClientId, Rc<Connection>>>,
    /// Where every connection reads; what is left over it keeps itself.
    read_buffer: RefCell<Vec<u8>>,
    clock: Clock,
    /// When the timer's task will wake next.
    timer_due_ms: Cell<Option<u64>>,
    timer: Notify,
    /// Told when a connection has ended.
    ended: Notify,
    has_warned_of_cut_off: Cell<bool>,
    /// For doors that tell their programs when a reload has changed it.
    pub(crate) payload_bytes_max: watch::Sender<usize>,
    pub(crate) fairness: Fairness,
    /// Who may do what.
    pub(crate) gate: Gate,
    /// For the host of services, when a reload has changed what the configuration says of them.
    pub(crate) services: watch::Sender<Services>,
    /// Told when the broker has something for the host of services, or one was sent something.
    host: Notify,
    /// One was sent something since the host looked.
    stirred: Cell<bool>,
    /// The way to the store, if there is one.
    pub(crate) keeper: OnceCell<Keeper>,
    /// Told when the store has answered.
    pub(crate) stored: Notify,
    /// The way to the post, if there is one.
    pub(crate) post: OnceCell<Way>,
}

impl Hub {
    pub(crate) fn new(broker: Broker, gate: Gate, clock: Clock) -> Self {
        Self {
            payload_bytes_max: watch::Sender::new(broker.limits().payload_bytes_max),
            broker: RefCell::new(broker),
            connections: RefCell::default(),
            read_buffer: RefCell::new(Vec::new()),
            clock,
            timer_due_ms: Cell::new(None),
            timer: Notify::new(),
            ended: Notify::new(),
            has_warned_of_cut_off: Cell::new(false),
            fairness: Fairness::default(),
            gate,
            services: watch::Sender::new(Services::new()),
            host: Notify::new(),
            stirred: Cell::new(false),
            keeper: OnceCell::new(),
            stored: Notify::new(),
            post: OnceCell::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The same for who has looked at the monotonic clock just now.
    pub(crate) fn at(&self, instant: Instant) -> Now {
        self.clock.at(instant)
    }

    pub(crate) fn broker(&self) -> RefMut<'_, Broker> {
        self.broker.borrow_mut()
    }

    /// Has the broker keep other limits from now on.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let payload_bytes_max = limits.payload_bytes_max;
        self.broker().set_limits(self.now(), limits);
        self.payload_bytes_max.send_if_modified(|known| {
            std::mem::replace(known, payload_bytes_max) != payload_bytes_max
        });
        // What the daemon wants to be woken for may be due earlier.
        self.perform();
    }

    /// The buffer in which to read.
    pub(crate) fn read_buffer(&self) -> RefMut<'_, Vec<u8>> {
        let mut buffer = self.read_buffer.borrow_mut();
        if buffer.is_empty() {
            buffer.resize(READ_BYTES, 0);
        }
        buffer
    }

    /// Lets everybody else have a turn first: until the runtime has looked at all sockets. To wake
    /// a task at once would have it go on for many turns before that.
    pub(crate) async fn next_round(&self) {
        let round = self.fairness.round();
        tokio::task::yield_now().await;
        self.fairness.pass(round);
    }

    pub(crate) fn add(&self, connection: Rc<Connection>) {
        self.connections.borrow_mut().insert(connection.client(), connection);
    }

    /// Ends a connection, in the broker too.
    pub(crate) fn remove(&self, client: ClientId, reason: &str) {
        self.connections.borrow_mut().remove(&client);
        self.broker().disconnect(self.now(), client, reason);
        self.perform();
        self.ended.notify_waiters();
    }

    /// Does what the broker wants done: sends to everyone who has something to be sent.
    pub(crate) fn perform(&self) {
        self.perform_at(self.now());
    }

    /// The same within a turn, in which time stands still.
    pub(crate) fn perform_at(&self, now: Now) {
        loop {
            let Some(output) = self.broker().poll_output() else { break };
            match output {
                Output::Flush(client) => {
                    // Its own reference, so that nothing is borrowed while it is woken.
                    let connection = self.connections.borrow().get(&client).cloned();
                    if let Some(connection) = connection {
                        if connection.is_watched() {
                            self.stir();
                        }
                        connection.flush(self, now);
                    }
                }
                Output::Notice => self.host.notify_one(),
                Output::Store => self.ask_store(now),
                Output::Post => self.ask_post(),
                Output::Overflown(client) => self.warn_of_overflow(client),
                _ => {}
            }
        }
        self.set_timer();
    }

    /// Once for each connection: one that keeps falling behind would fill the log, and slow the bus
    /// while nobody reads that. `bus.lag` and `kith status` tell the rest.
    fn warn_of_overflow(&self, client: ClientId) {
        let connection = self.connections.borrow().get(&client).cloned();
        let is_first = |connection: &Rc<Connection>| connection.is_first_overflow();
        if let Some(connection) = connection.filter(is_first) {
            let pid = connection.pid();
            let broker = self.broker();
            tracing::warn!(
                client = client.serial(),
                name = broker.name(client).unwrap_or("unnamed"),
                pid,
                "does not read fast enough: its queue is full, messages for it are dropped"
            );
        }
    }

    /// Says who was cut off for what it said, if it was: the first at level warn, since whoever
    /// does it again and again would fill the log. `bus.stats` counts all.
    pub(crate) fn warn_of_cut_off(&self, connection: &Connection) {
        let (broker, id) = (self.broker(), connection.client());
        let Some(code) = broker.cut_off(id) else { return };
        let (client, code, pid) = (id.serial(), code.name(), connection.pid());
        let name = broker.name(id).unwrap_or("unnamed");
        if self.has_warned_of_cut_off.replace(true) {
            tracing::debug!(client, name, pid, code, "cut off");
        } else {
            tracing::warn!(client, name, pid, code, "cut off; further ones at level debug");
        }
    }

    /// Takes note that a connection is a service's.
    pub(crate) fn watch(&self, client: ClientId) {
        if let Some(connection) = self.connections.borrow().get(&client) {
            connection.watch();
        }
        self.stir();
    }

    /// Takes note that a service was sent something. The host is told once, until it has looked.
    pub(crate) fn stir(&self) {
        if !self.stirred.replace(true) {
            self.host.notify_one();
        }
    }

    /// Whether a service was sent something since the host looked.
    pub(crate) fn is_stirred(&self) -> bool {
        self.stirred.get()
    }

    /// Takes note that the host has looked.
    pub(crate) fn rest(&self) {
        self.stirred.set(false);
    }

    /// Waits until there is something for the host.
    pub(crate) async fn host_notified(&self) {
        self.host.notified().await;
    }

    /// When a monotonic time is.
    pub(crate) fn instant(&self, monotonic_ms: u64) -> Instant {
        self.clock.instant(monotonic_ms)
    }

    /// When a grant ends next, on the monotonic clock.
    pub(crate) fn grants_due_ms(&self) -> Option<u64> {
        let now = self.now();
        if self.gate.record().has_ended(now.unix_ms) {
            return Some(now.monotonic_ms);
        }
        let end_ms = self.gate.record().next_end_ms(now.unix_ms)?;
        // The wall clock may be set meanwhile; then it is looked at again.
        let left_ms = end_ms.saturating_sub(now.unix_ms).clamp(1, GRANTS_LOOK_MS_MAX);
        Some(now.monotonic_ms.saturating_add(left_ms))
    }

    /// Takes back what was granted until now.
    pub(crate) fn review_grants_if_due(&self) {
        if self.gate.has_ended_since_looked(self.now().unix_ms) {
            self.review_grants();
        }
    }

    /// Tells the broker once more what programs may do: something was granted or revoked.
    pub(crate) fn review_grants(&self) {
        let now_ms = self.now().unix_ms;
        let connections: Vec<_> = self.connections.borrow().values().cloned().collect();
        for connection in connections {
            let (client, pid) = (connection.client(), connection.pid());
            self.gate.review(&mut self.broker(), now_ms, client, pid);
        }
    }

    /// Wakes the broker when it wants to be woken. Runs for as long as the daemon.
    pub(crate) async fn run_timer(&self) {
        loop {
            let due = self.broker().poll_timeout();
            self.timer_due_ms.set(due);
            let Some(due) = due else {
                self.timer.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(due).into()) => {
                    self.broker().handle_timeout(self.now());
                    self.perform();
                    // There may be more of it, and others come first.
                    self.next_round().await;
                }
                () = self.timer.notified() => {}
            }
        }
    }

    /// Waits until no connection is left.
    pub(crate) async fn drained(&self) {
        loop {
            let ended = self.ended.notified();
            if self.connections.borrow().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// All connections.
    pub(crate) fn clients(&self) -> Vec<ClientId> {
        self.connections.borrow().keys().copied().collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Has the timer's task look again, if the broker wants to be woken earlier than it knows.
    /// Later is left: it would mean a wake-up of that task for every request that is answered.
    fn set_timer(&self) {
        let wanted = self.broker().poll_timeout();
        let is_earlier = match (wanted, self.timer_due_ms.get()) {
            (Some(wanted), Some(set)) => wanted < set,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_earlier {
            self.timer_due_ms.set(wanted);
            self.timer.notify_one();
        }
    }
}
