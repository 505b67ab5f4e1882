//! Clients that mean no good, or know no better: the daemon lives, and others notice nothing.
//!
//! In each of these a [`Neighbour`] talks to itself before, between and after: every message has to
//! arrive, in order, and nothing else. The daemon has to stay the process it was, and within an
//! amount of memory that does not depend on how long the others keep on.
//!
//! - `garbage.rs`: what is no protocol, or breaks off;
//! - `crowd.rs`: many connections;
//! - `stubborn.rs`: connections that go on and on without reading, or byte by byte;
//! - `metrics.rs`: all of that at the socket of the metrics.

mod crowd;
mod garbage;
mod metrics;
mod stubborn;

use crate::door::{BOTH_IN_TURN, Client, Event, Operation};
use crate::process::Daemon;

/// What an idle daemon takes, twice over: a debug build with its code and one read buffer.
const IDLE_KIB: u64 = 24 << 10;

/// A daemon, and a well-behaved pair of clients on it.
struct Scene {
    daemon: Daemon,
    publisher: Client,
    subscriber: Client,
    published: u64,
}

impl Scene {
    fn new(configuration: &str) -> Self {
        Self::on(Daemon::with(configuration))
    }

    fn on(daemon: Daemon) -> Self {
        let mut publisher = BOTH_IN_TURN.connect(&daemon, 0);
        let mut subscriber = BOTH_IN_TURN.connect(&daemon, 1);
        subscriber.subscribe(1, "self.neighbour");
        // Names by which they are told from others.
        for client in [&mut publisher, &mut subscriber] {
            client.ask(&Operation::Hello { name: Some("neighbour".to_owned()), client: None });
        }
        let mut scene = Self { daemon, publisher, subscriber, published: 0 };
        scene.talk();
        scene
    }

    /// A few messages from one to the other, each of which has to arrive.
    fn talk(&mut self) {
        for _ in 0..5 {
            self.published += 1;
            let payload = self.published.to_string();
            self.publisher.publish("neighbour", &payload);
            assert_eq!(self.subscriber.message_on(1).text(), payload);
        }
    }

    /// Waits until nobody else is connected.
    fn wait_until_alone(&mut self) {
        self.publisher.wait_for_count("clients", 2);
    }

    /// What the daemon counts under this name.
    fn count(&mut self, counter: &str) -> u64 {
        let number = self.publisher.request("bus.stats", "null", 5_000);
        let Event::Reply { delivery, .. } = self.publisher.answer(number) else { panic!() };
        delivery.value()[counter].as_u64().unwrap()
    }

    /// Fails unless all is as if nobody else had been there, and the daemon never took more than
    /// this beyond what it takes when idle.
    fn end(mut self, kib_max: u64) {
        self.talk();
        self.wait_until_alone();
        assert_eq!(self.subscriber.pending(), []);
        let peak = self.daemon.resident_peak_kib();
        assert!(peak <= IDLE_KIB + kib_max, "the daemon took {peak} KiB");
        let ended = self.daemon.stop();
        assert!(ended.status.success(), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}
