//! One connection: its turns, and writing. What a turn reads is in `reader.rs`.
//!
//! Its task sleeps until the socket can be read, or, while something waits to be sent that did not
//! fit, written. Other connections' tasks send on it too ([`Connection::flush`]): what one
//! publisher's batch caused is sent from that publisher's task, so that a subscriber's task need
//! not wake for each message. All this happens on one thread, between two awaits.
//!
//! A client that doesn't read its answers is not read from (see [`Broker::is_choked`]), so it can't
//! make the daemon queue answers without end.
//!
//! [`Broker::is_choked`]: kith_core::Broker::is_choked

use super::descriptors;
use super::reader::Reader;
use super::stream::Stream;
use crate::fairness::{Grant, Process, Ticket};
use crate::hub::Hub;
use crate::limits::{LINGER, READS_PER_TURN_MAX, WRITE_SLICES_MAX, WRITES_PER_FLUSH_MAX};
use kith_core::{ClientId, Now};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// The writing side of a connection, and how to wake its task.
pub(crate) struct Connection {
    stream: Stream,
    client: ClientId,
    /// The process at the other end, as far as it is known.
    pid: Option<u32>,
    /// The program at the other end, whose turns its connections share.
    process: Rc<Process>,
    ticket: Rc<Ticket>,
    /// The socket's buffer was full; the connection's own task waits for room.
    blocked: Cell<bool>,
    /// Nothing is read, until the broker can take more of it.
    choked: Cell<bool>,
    /// Writing failed, so the peer is gone; the connection's own task reads what it said and ends.
    broken: Cell<bool>,
    overflown: Cell<bool>,
    /// Nothing is read any more; its task waits for what is left to be sent.
    lingers: Cell<bool>,
    /// It is a service's, and it is asked whether it lives.
    watched: Cell<bool>,
    /// Payloads may go to it in descriptors.
    takes_descriptors: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// What became of a turn.
enum Turn {
    /// There may be more to do, but others come first.
    Over,
    /// The connection has ended, for this reason.
    Ended(&'static str),
}

/// Why a connection ended, as `bus.client` says it.
const GONE: &str = "closed by the client";
const CLOSED: &str = "closed by the daemon";
const FAILED: &str = "failed";

/// Serves a connection until it ends.
pub(crate) async fn serve(
    hub: Rc<Hub>,
    stream: Stream,
    client: ClientId,
    process: Rc<Process>,
    pid: Option<u32>,
) {
    let connection = Rc::new(Connection::new(stream, client, process, pid));
    hub.add(Rc::clone(&connection));
    tracing::debug!(client = client.serial(), pid = connection.pid(), "connected");
    let mut reader = Reader::new(client);
    let mut reason = loop {
        match poll_fn(|cx| connection.turn(&hub, &mut reader, cx)).await {
            Turn::Ended(reason) => break reason,
            Turn::Over => hub.next_round().await,
        }
    };
    reader.end(&hub, reason == GONE);
    hub.warn_of_cut_off(&connection);
    // Who has said all may still wait for replies, and what is queued is still sent to whoever
    // reads it; but nobody is waited for without end.
    connection.lingers.set(true);
    // With all that came in descriptors, and has no frame.
    drop(reader);
    let linger = async {
        if reason == GONE && connection.stream.may_still_read() {
            poll_fn(|cx| connection.wait_for_replies(&hub, cx)).await;
        }
        hub.broker().close(client);
        hub.perform();
        poll_fn(|cx| connection.drain(&hub, cx)).await;
    };
    if tokio::time::timeout(LINGER, linger).await.is_err() {
        reason = "did not read what was left";
    }
    tracing::debug!(client = client.serial(), reason, "disconnected");
    let began = Instant::now();
    hub.remove(client, reason);
    hub.fairness.end(&connection.process, began.elapsed());
}

/// Calls the first connection of a program that waits for its turn, in each round until none does.
async fn call(hub: Rc<Hub>, process: Rc<Process>) {
    loop {
        hub.next_round().await;
        if !process.call_first() {
            return;
        }
    }
}

impl Connection {
    fn new(stream: Stream, client: ClientId, process: Rc<Process>, pid: Option<u32>) -> Self {
        Self {
            stream,
            client,
            pid,
            process,
            ticket: Rc::default(),
            blocked: Cell::new(false),
            choked: Cell::new(false),
            broken: Cell::new(false),
            overflown: Cell::new(false),
            lingers: Cell::new(false),
            watched: Cell::new(false),
            takes_descriptors: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    pub(crate) fn client(&self) -> ClientId {
        self.client
    }

    /// The process at the other end, as far as it is known.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Whether its queue is full for the first time; from now on it isn't any more.
    pub(crate) fn is_first_overflow(&self) -> bool {
        !self.overflown.replace(true)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.get()
    }

    /// From now on it is known that it is a service's.
    pub(crate) fn watch(&self) {
        self.watched.set(true);
    }

    /// Sends what waits, as far as the socket takes it, and not very much at a time. Its own task
    /// does the rest.
    pub(crate) fn flush(&self, hub: &Hub, now: Now) {
        if self.blocked.get() || self.broken.get() {
            return;
        }
        for writes in 0.. {
            if !hub.broker().has_output(self.client) {
                break;
            }
            let outcome = match writes {
                // A reader that keeps up could have all of its queue sent at once.
                WRITES_PER_FLUSH_MAX => Err(io::ErrorKind::WouldBlock.into()),
                _ => self.write_once(hub, now),
            };
            match outcome {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.set(true);
                    self.wake();
                    return;
                }
                Err(_) => {
                    self.broken.set(true);
                    self.wake();
                    return;
                }
            }
        }
        let is_free = self.choked.get() && !hub.broker().is_choked(self.client);
        if is_free || self.lingers.get() || hub.broker().is_closing(self.client) {
            self.wake();
        }
    }

    /// One turn of the connection's task: all that can be done without waiting.
    fn turn(&self, hub: &Rc<Hub>, reader: &mut Reader, cx: &mut Context<'_>) -> Poll<Turn> {
        self.remember(cx);
        for _ in 0..READS_PER_TURN_MAX {
            if self.blocked.get() && !self.may_send(hub, cx) {
                return Poll::Pending;
            }
            if self.broken.get() {
                // The peer is gone, but what it said before that counts: it is read to its end.
                hub.broker().discard_output(self.client);
            }
            if hub.broker().is_closing(self.client) {
                return Poll::Ready(Turn::Ended(CLOSED));
            }
            let is_choked = hub.broker().is_choked(self.client);
            self.choked.set(is_choked);
            if is_choked {
                // Woken when there is room to write, or the store has answered.
                hub.fairness.pass_on(&self.process, &self.ticket);
                return Poll::Pending;
            }
            if !reader.stopped {
                match self.stream.poll_read_ready(cx) {
                    Poll::Pending => {
                        reader.waits_since = Some(hub.fairness.round());
                        hub.fairness.pass_on(&self.process, &self.ticket);
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Turn::Ended(FAILED)),
                    Poll::Ready(Ok(())) => {}
                }
                if let Some(round) = reader.waits_since.take() {
                    // That there is something to read was seen by looking at the sockets.
                    hub.fairness.pass(round);
                }
            }
            let began = Instant::now();
            match hub.fairness.begin(&self.process, &self.ticket, began) {
                Grant::Later => {
                    self.queue(hub, cx);
                    return Poll::Pending;
                }
                grant => reader.is_shared = grant == Grant::Short,
            }
            let outcome = self.work(hub, hub.at(began), reader);
            let took = began.elapsed();
            reader.adapt(took);
            hub.fairness.end(&self.process, took);
            match outcome {
                Ok(0) => return Poll::Ready(Turn::Ended(GONE)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Poll::Ready(Turn::Ended(FAILED)),
            }
            if reader.stopped || reader.is_filled {
                break;
            }
        }
        Poll::Ready(Turn::Over)
    }

    /// Sends what waits, if its program has time left in this round, and lets others be called if
    /// it has not; whether the turn may go on.
    fn may_send(&self, hub: &Rc<Hub>, cx: &mut Context<'_>) -> bool {
        let began = Instant::now();
        if !hub.fairness.may_send(&self.process, &self.ticket, began) {
            self.queue(hub, cx);
            return false;
        }
        let _ = self.poll_unblocked(hub, cx);
        hub.fairness.end(&self.process, began.elapsed());
        true
    }

    /// Waits to be called, in a round in which its program has time.
    fn queue(&self, hub: &Rc<Hub>, cx: &mut Context<'_>) {
        if self.process.queue(&self.ticket, cx.waker()) {
            let (hub, process) = (Rc::clone(hub), Rc::clone(&self.process));
            tokio::task::spawn_local(call(hub, process));
        }
    }

    /// What is done in a turn. Returns 0 where nothing comes any more.
    fn work(&self, hub: &Hub, now: Now, reader: &mut Reader) -> io::Result<usize> {
        let read = reader.go_on(hub, now, &self.stream)?;
        self.note_descriptors(reader);
        hub.perform_at(now);
        Ok(read)
    }

    /// From when on payloads may go in descriptors: before anything is sent that it has not asked
    /// for without.
    fn note_descriptors(&self, reader: &Reader) {
        if reader.takes_descriptors() {
            self.takes_descriptors.set(true);
        }
    }

    /// Waits until no request of the client's waits any more.
    fn wait_for_replies(&self, hub: &Hub, cx: &mut Context<'_>) -> Poll<()> {
        self.remember(cx);
        if self.poll_unblocked(hub, cx).is_pending() {
            return Poll::Pending;
        }
        let usage = hub.broker().usage(self.client).unwrap_or_default();
        let waits = usage.requests > 0 || usage.unstored > 0;
        if self.broken.get() || !waits { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Sends what is left, until nothing is or the peer is gone.
    fn drain(&self, hub: &Hub, cx: &mut Context<'_>) -> Poll<()> {
        self.remember(cx);
        if self.poll_unblocked(hub, cx).is_pending() {
            return Poll::Pending;
        }
        // Afterwards all is sent, or the peer is gone, or its task is woken for more.
        self.flush(hub, hub.now());
        if self.blocked.get() && !self.broken.get() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Waits until the socket takes something again, if it didn't, and sends. After that it is
    /// woken again if there is more.
    fn poll_unblocked(&self, hub: &Hub, cx: &mut Context<'_>) -> Poll<()> {
        if !self.blocked.get() || self.broken.get() {
            return Poll::Ready(());
        }
        match self.stream.poll_write_ready(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => self.broken.set(true),
            Poll::Ready(Ok(())) => {
                self.blocked.set(false);
                self.flush(hub, hub.now());
                // What was sent may have made room for a notice, which others are told of.
                hub.perform();
            }
        }
        if self.blocked.get() && !self.broken.get() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Sends once: as many slices as one call takes.
    fn write_once(&self, hub: &Hub, now: Now) -> io::Result<()> {
        let mut broker = hub.broker();
        if self.takes_descriptors.get() {
            return descriptors::write(&self.stream, &mut broker, now, self.client);
        }
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
        let mut count = 0;
        let staged = broker.stage(now, self.client).filter(|bytes| !bytes.is_empty());
        for (slice, bytes) in slices.iter_mut().zip(staged) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        if count == 0 {
            // All that waited had expired.
            return Ok(());
        }
        let slices = slices.get(..count).unwrap_or_default();
        let written = self.stream.try_write(slices)?;
        broker.wrote(now, self.client, written);
        Ok(())
    }

    fn remember(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}
