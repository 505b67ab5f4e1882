//! Clients that mean no good, or know no better: the daemon lives, and others notice nothing.
//!
//! In each of these a well-behaved pair talks before, between and after: every message has to
//! arrive, in order, and nothing else. The daemon has to stay the process it was, and within an
//! amount of memory that does not depend on how long the others keep on. Who is refused, cut off
//! or lags is told so, and is named to whoever looks.
//!
//! - `garbage.rs`: what is no protocol, or breaks off; `lengths.rs`: lengths that lie;
//! - `crowd.rs`: many connections; `slow.rs`: those that take their time, or only half of one;
//! - `stubborn.rs`: connections that don't read;
//! - `greedy.rs`: those that ask for more than their share, of whatever there is;
//! - `descriptors.rs`: descriptors that are not what they should be, or too many;
//! - `metrics.rs`: all of that at the socket of the metrics; `dbus.rs`: on the session bus;
//! - `services.rs`: services, and programs that would be some;
//! - `page.rs`: that `docs/hostile.md` lists just these.

mod crowd;
mod dbus;
mod descriptors;
mod garbage;
mod greedy;
mod lengths;
mod metrics;
mod page;
mod services;
mod slow;
mod stubborn;

use crate::door::{BOTH_IN_TURN, Client, Event, Framing, Operation};
use crate::process::{Daemon, PATIENCE};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// What an idle daemon takes, twice over: a debug build with its code and one read buffer.
const IDLE_KIB: u64 = 32 << 10;
/// A queue in which a few messages fit.
const SMALL_QUEUE: &str =
    "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '256 KiB'\nclients_max = 100\n";
/// The same queues, and little memory for all of them together.
const TIGHT: &str = "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '256 KiB'\n\
                     waiting_bytes_total_max = '4 MiB'\nclients_max = 100\n";
/// So much.
const TIGHT_BYTES: u64 = 4 << 20;
/// What waits may take so many times its bytes in a debug build, and so much more: buffers that
/// grow, blocks of which others take a part, what the allocator keeps, and the bus itself.
const HELD_RATIO: u64 = 4;
/// What the client that means no good calls itself.
const CULPRIT: &str = "culprit";

/// A daemon, and a well-behaved pair of clients on it.
struct Scene {
    daemon: Daemon,
    /// Speaks JSON lines.
    publisher: Client,
    /// Speaks binary frames.
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
        publisher.subscribe(1, "self.neighbour.back");
        for client in [&mut publisher, &mut subscriber] {
            name(client, "neighbour");
        }
        let mut scene = Self { daemon, publisher, subscriber, published: 0 };
        scene.talk();
        scene
    }

    /// A few messages from each to the other, each of which has to arrive.
    fn talk(&mut self) {
        let Self { publisher, subscriber, published, .. } = self;
        for _ in 0..3 {
            *published += 1;
            let payload = published.to_string();
            publisher.publish("neighbour", &payload);
            assert_eq!(subscriber.message_on(1).text(), payload);
            subscriber.publish("neighbour.back", &payload);
            assert_eq!(publisher.message_on(1).text(), payload);
        }
    }

    /// A client that calls itself the culprit.
    fn culprit(&self, framing: Framing) -> Client {
        let mut culprit = framing.connect(&self.daemon);
        name(&mut culprit, CULPRIT);
        culprit
    }

    /// A connection on which a culprit has said these operations, each without a number, and on
    /// which nothing has been read.
    fn silent_culprit(&self, framing: Framing, operations: &[(u32, Operation)]) -> UnixStream {
        let mut stream = self.daemon.dial();
        let hello = Operation::Hello { name: Some(CULPRIT.to_owned()), client: None };
        let mut bytes = framing.greeting().to_vec();
        bytes.extend(framing.bytes(None, &hello));
        for (number, operation) in operations {
            bytes.extend(framing.bytes((*number != 0).then_some(*number), operation));
        }
        stream.write_all(&bytes).unwrap();
        stream
    }

    /// Waits until nobody else is connected.
    fn wait_until_alone(&mut self) {
        self.wait_until_others(0);
    }

    /// Waits until so many others are connected.
    fn wait_until_others(&mut self, count: usize) {
        self.publisher.wait_for_count("clients", 2 + count as u64);
    }

    /// What the daemon answers to a request of this name.
    fn ask(&mut self, topic: &str) -> Value {
        let number = self.publisher.request(topic, "null", 5_000);
        let Event::Reply { delivery, .. } = self.publisher.answer(number) else { panic!() };
        delivery.value()
    }

    /// What the daemon counts under this name.
    fn count(&mut self, counter: &str) -> u64 {
        self.ask("bus.stats")[counter].as_u64().unwrap()
    }

    /// Fails if more memory waits for all clients together than may, and returns how much does.
    fn waiting_bytes(&mut self, total_max: u64) -> u64 {
        let waiting = self.count("waiting_bytes");
        assert!(waiting <= total_max, "{waiting} bytes wait, of at most {total_max}");
        waiting
    }

    /// What the daemon shows of the culprits when somebody looks.
    fn culprits(&mut self) -> Vec<Value> {
        let Value::Array(all) = self.ask("bus.clients") else { panic!() };
        all.into_iter().filter(|client| client["name"] == CULPRIT).collect()
    }

    /// Waits until what the daemon shows of the culprits is as wanted.
    fn wait_for_culprits(&mut self, is_wanted: impl Fn(&[Value]) -> bool) {
        let started = Instant::now();
        loop {
            let culprits = self.culprits();
            if is_wanted(&culprits) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "it never came: {culprits:?}");
        }
    }

    /// Fails unless all is as if nobody else had been there, and the daemon never took more than
    /// this beyond what it takes when idle.
    fn end(mut self, kib_max: u64) {
        self.talk();
        self.wait_until_alone();
        assert_eq!(self.count("subscriptions"), 2);
        assert_eq!(self.count("requests_waiting"), 0);
        for client in [&mut self.publisher, &mut self.subscriber] {
            assert_eq!(client.pending(), []);
        }
        let peak = self.daemon.resident_peak_kib();
        assert!(peak <= IDLE_KIB + kib_max, "the daemon took {peak} KiB");
        let ended = self.daemon.stop();
        assert!(ended.status.success(), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }

    /// Writes this over and over until the daemon reads no more, with the neighbours talking
    /// whenever it has to wait. Returns how many times it was written whole; the rest of one that
    /// was begun is written as soon as somebody reads.
    fn flood(&mut self, stream: &UnixStream, bytes: &[u8], times_max: usize) -> usize {
        /// So many turns of everybody else without any progress are no accident.
        const TURNS: usize = 50;
        let mut stream = stream;
        stream.set_nonblocking(true).unwrap();
        let mut written = 0;
        let mut turns = 0;
        while turns < TURNS && written < times_max * bytes.len() {
            match stream.write(&bytes[written % bytes.len()..]) {
                Ok(some) => {
                    written += some;
                    turns = 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.talk();
                    turns += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        stream.set_nonblocking(false).unwrap();
        let rest = (bytes.len() - written % bytes.len()) % bytes.len();
        let mut writer = stream.try_clone().unwrap();
        let tail = bytes[bytes.len() - rest..].to_vec();
        std::thread::spawn(move || writer.write_all(&tail));
        written.div_ceil(bytes.len())
    }
}

/// Has a client call itself so.
fn name(client: &mut Client, name: &str) {
    client.ask(&Operation::Hello { name: Some(name.to_owned()), client: None });
}

/// Says this, as far as the daemon listens, and returns what it says to the end. `ends` is whether
/// to say that nothing more comes: else the daemon has to end the connection by itself.
fn say(mut stream: UnixStream, bytes: &[u8], ends: bool) -> Vec<u8> {
    // It may have been cut off already.
    let _ = stream.write_all(bytes);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => heard,
    }
}
