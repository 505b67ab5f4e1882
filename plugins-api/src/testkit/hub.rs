//! The daemon of a test: the broker, and whoever is connected.
//!
//! As in the daemon, what an operation causes is queued by the broker, and each connection that has
//! something to send is woken. The clock is tokio's, from the moment at which the test began. The
//! store is in memory, and answers at once.

use super::connection::Connection;
use super::{BEGINNING, fail};
use crate::limits::{TEST_PIPE_BYTES, TEST_QUEUE_MESSAGES_MAX};
use kith_client::Token;
use kith_contract::Rights;
use kith_core::{Broker, ClientId, Limits, Loaded, Notice, Now, Output, StoreAsk};
use kith_store::{Memory, Store};
use kith_wire::Refusal;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// The broker, and what a test does to connections.
#[derive(Debug)]
pub(super) struct Hub {
    broker: RefCell<Broker>,
    store: RefCell<Store<Memory>>,
    began: Instant,
    /// By the number of the connection.
    places: RefCell<BTreeMap<u64, Place>>,
    /// Wakes the task that keeps the broker's time.
    timer: Notify,
    has_crashed: Cell<bool>,
}

/// What a test does to one connection.
#[derive(Debug, Default)]
struct Place {
    waker: Option<Waker>,
    /// Nothing is sent to it.
    is_held: bool,
    /// What its next publishes are refused with.
    refusals: VecDeque<Refusal>,
    /// Whether it answered its last heartbeat, once that is known.
    is_alive: Option<bool>,
}

impl Hub {
    pub(super) fn start(seed: u64) -> Rc<Self> {
        let limits = Limits { queue_messages_max: TEST_QUEUE_MESSAGES_MAX, ..Limits::default() };
        let Ok(store) = Store::open(Memory::new()) else { fail("no store") };
        let hub = Rc::new(Self {
            broker: RefCell::new(Broker::new(limits, seed)),
            store: RefCell::new(store),
            began: Instant::now(),
            places: RefCell::default(),
            timer: Notify::new(),
            has_crashed: Cell::new(false),
        });
        hub.broker().attach_store(hub.now(), "memory", Loaded::default());
        let timer = Rc::downgrade(&hub);
        tokio::task::spawn_local(async move {
            while let Some(hub) = timer.upgrade() {
                hub.keep_time().await;
            }
        });
        hub
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn now(&self) -> Now {
        let monotonic_ms = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { monotonic_ms, unix_ms: BEGINNING.unix_ms().saturating_add(monotonic_ms) }
    }

    pub(super) fn broker(&self) -> RefMut<'_, Broker> {
        self.broker.borrow_mut()
    }

    /// A new connection: its other end, and who it is.
    pub(super) fn connect(self: &Rc<Self>) -> (DuplexStream, ClientId) {
        let (theirs, ours) = tokio::io::duplex(TEST_PIPE_BYTES);
        let Ok(client) = self.broker().connect(self.now()) else { fail("the bus has ended") };
        self.places.borrow_mut().insert(client.serial(), Place::default());
        tokio::task::spawn_local(Connection::new(Rc::clone(self), client, ours).serve());
        (theirs, client)
    }

    pub(super) fn expect_service(&self, token: Token, rights: Rights, rate: Option<NonZeroU32>) {
        self.broker().expect_service(token, rights, rate);
    }

    /// Publishes as the daemon does.
    pub(super) fn announce(&self, topic: &str, json: String) {
        self.broker().announce_contract(self.now(), topic, || json);
        self.perform();
    }

    pub(super) fn shut_down(&self) {
        self.broker().shut_down();
        self.perform();
    }

    pub(super) fn crash(&self) {
        self.has_crashed.set(true);
        self.wake_all();
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.has_crashed.get()
    }

    /// Ends one connection, as the daemon does with a service that is to stop.
    pub(super) fn close(&self, client: ClientId) {
        self.broker().close(client);
        self.perform();
    }

    pub(super) fn disconnect(&self, client: ClientId) {
        self.broker().disconnect(self.now(), client, "closed");
        self.places.borrow_mut().remove(&client.serial());
        self.perform();
    }

    /// Has connections send, and does what else the broker wants.
    pub(super) fn perform(&self) {
        self.store();
        loop {
            let output = self.broker().poll_output();
            match output {
                Some(Output::Flush(client)) => self.wake(client),
                Some(_) => {}
                None => break,
            }
        }
        loop {
            let notice = self.broker().poll_notice();
            match notice {
                Some(Notice::Alive(client)) => self.set_alive(client, Some(true)),
                Some(Notice::Silent(client)) => self.set_alive(client, Some(false)),
                Some(_) => {}
                None => break,
            }
        }
        self.timer.notify_one();
    }

    /// Does all that the broker asks of the store.
    fn store(&self) {
        let now = self.now();
        loop {
            let ask = self.broker().poll_store(now);
            match ask {
                Some(StoreAsk::Commit { ticket, batch }) => {
                    let answer = self.store.borrow_mut().commit(&[batch]);
                    self.broker().committed(now, ticket, answer);
                }
                Some(StoreAsk::Scan { ticket, scan }) => {
                    let answer = self.store.borrow_mut().scan(&scan);
                    self.broker().scanned(now, ticket, answer);
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Asks a service whether it is alive. Whether it could be asked.
    pub(super) fn ask_heartbeat(&self, client: ClientId, within: Duration) -> bool {
        self.set_alive(client, None);
        let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let is_asked = self.broker().ask_heartbeat(self.now(), client, ms);
        self.perform();
        is_asked
    }

    /// Whether it answered, once that is known.
    pub(super) fn is_alive(&self, client: ClientId) -> Option<bool> {
        self.places.borrow().get(&client.serial()).and_then(|place| place.is_alive)
    }

    fn set_alive(&self, client: ClientId, is_alive: Option<bool>) {
        if let Some(place) = self.places.borrow_mut().get_mut(&client.serial()) {
            place.is_alive = is_alive;
        }
    }

    pub(super) fn hold(&self, client: ClientId, is_held: bool) {
        if let Some(place) = self.places.borrow_mut().get_mut(&client.serial()) {
            place.is_held = is_held;
        }
        self.wake(client);
    }

    pub(super) fn is_held(&self, client: ClientId) -> bool {
        self.places.borrow().get(&client.serial()).is_some_and(|place| place.is_held)
    }

    pub(super) fn refuse_next(&self, client: ClientId, refusal: Refusal) {
        if let Some(place) = self.places.borrow_mut().get_mut(&client.serial()) {
            place.refusals.push_back(refusal);
        }
    }

    pub(super) fn has_refusal(&self, client: ClientId) -> bool {
        let places = self.places.borrow();
        places.get(&client.serial()).is_some_and(|place| !place.refusals.is_empty())
    }

    pub(super) fn take_refusal(&self, client: ClientId) -> Option<Refusal> {
        self.places.borrow_mut().get_mut(&client.serial())?.refusals.pop_front()
    }

    pub(super) fn remember(&self, client: ClientId, waker: &Waker) {
        if let Some(place) = self.places.borrow_mut().get_mut(&client.serial()) {
            place.waker = Some(waker.clone());
        }
    }

    fn wake(&self, client: ClientId) {
        let places = self.places.borrow();
        if let Some(waker) = places.get(&client.serial()).and_then(|place| place.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    fn wake_all(&self) {
        for waker in self.places.borrow().values().filter_map(|place| place.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    /// Waits until the broker has something to do, and has it do that; or until it may have to be
    /// done earlier.
    async fn keep_time(&self) {
        let due = self.broker().poll_timeout();
        let Some(due) = due else { return self.timer.notified().await };
        let left = due.saturating_sub(self.now().monotonic_ms);
        tokio::select! {
            biased;
            () = sleep(Duration::from_millis(left)) => {
                self.broker().handle_timeout(self.now());
                self.perform();
            }
            () = self.timer.notified() => {}
        }
    }
}
