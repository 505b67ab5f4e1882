//! A bus in memory, around a service under test.
//!
//! It is the daemon's own broker and its own side of the protocol, with nothing of the daemon
//! around them: no socket, no clock, no chance. A service connects over a pipe in memory, shows a
//! token and has the rights of its manifest, as in a daemon. So what a test sees is what happens.
//!
//! The clock stands still while anybody has something to do, and jumps to the next moment for which
//! somebody waits: an hour of a service's life takes no time. All chance comes from one seed, and
//! all runs on one thread; so the same seed has the same [transcript](TestBus::transcript).
//!
//! ```
//! use kith_plugins_api::testkit::TestBus;
//! use kith_plugins_api::{Bus, Manifest, Service, ServiceError, async_trait};
//! use std::time::Duration;
//!
//! struct Ticker;
//!
//! #[async_trait]
//! impl Service for Ticker {
//!     fn manifest(&self) -> Manifest {
//!         Manifest::new("ticker", "1.0.0").publishes("ticker.tick")
//!     }
//!
//!     async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
//!         for tick in 0.. {
//!             bus.publish("ticker.tick", &tick).await?;
//!             bus.sleep(Duration::from_secs(3600)).await?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! TestBus::run(7, async |bus| {
//!     let mut ticks = bus.subscribe("self.ticker.tick").await.unwrap();
//!     let ticker = bus.start(Ticker).await;
//!     for expected in 0..24 {
//!         let (tick, _) = ticks.next_json::<u32>().await.unwrap();
//!         assert_eq!(tick, expected);
//!     }
//!     ticker.stop().await.unwrap();
//! });
//! ```
//!
//! What is stored for durable subscriptions is kept in memory, and outlives a service that is
//! stopped and started again; not the test.
//!
//! Time goes on only when nobody has anything to do. So a service that spins, even one that gives
//! way in between, holds up its test; in a daemon it would hold up its thread.
//!
//! Deliberately absent: what only a daemon does, such as starting a service again. The conformance
//! kit (`kith services test`) tries a program with all of that.

mod connection;
mod hub;
mod record;
mod running;

pub use running::Running;

use crate::bus::{Bus, Start};
use crate::chance::Chance;
use crate::clock::{Clock, Moment};
use crate::limits::{TEST_MS_MAX, TEST_QUEUE_MESSAGES_MAX};
use crate::service::{Service, run};
use crate::typed::Reserved;
use hub::Hub;
use kith_client::Token;
use kith_contract::Payload;
use record::Record;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

/// When a test begins: a moment in 2023, so that times look as they do in life.
const BEGINNING: Moment = Moment::from_unix_ms(1_700_000_000_000);

/// A bus in memory. It is used as the [`Bus`] of some program of the user's, with all that such a
/// program may do; and it starts services, plays the daemon, and makes things go wrong.
#[derive(Debug)]
pub struct TestBus {
    hub: Rc<Hub>,
    chance: Chance,
    record: Record,
    user: Bus,
    directory: TempDir,
}

impl TestBus {
    /// Runs a test on a bus of its own. All chance comes from `seed`.
    ///
    /// # Panics
    /// Where the test does; and if it waits for something that never comes, which is found out at
    /// once.
    pub fn run<T>(seed: u64, test: impl AsyncFnOnce(Self) -> T) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build();
        let Ok(runtime) = runtime else { fail("no runtime") };
        LocalSet::new().block_on(&runtime, async {
            let test = async { test(Self::new(seed).await).await };
            match timeout(Duration::from_millis(TEST_MS_MAX), test).await {
                Ok(result) => result,
                Err(_) => fail("the test waits for something that has not come in a day"),
            }
        })
    }

    async fn new(seed: u64) -> Self {
        let chance = Chance::new(seed);
        let hub = Hub::start(chance.next());
        let Ok(directory) = tempfile::tempdir() else { fail("no directory") };
        let user = join(&hub, "user", &chance, directory.path()).await;
        let recorder = join(&hub, "recorder", &chance, directory.path()).await;
        let record = Record::start(recorder, BEGINNING).await;
        Self { hub, chance, record, user, directory }
    }

    /// Starts a service without settings, and lets it come as far as it can at this moment.
    ///
    /// # Panics
    /// If its manifest asks for what it may not have, or a service of this name runs.
    pub async fn start(&self, service: impl Service) -> Running {
        self.start_with(service, serde_json::Value::Null).await
    }

    /// Starts a service with these settings; as [`TestBus::start`].
    ///
    /// # Panics
    /// As [`TestBus::start`].
    pub async fn start_with(&self, service: impl Service, settings: serde_json::Value) -> Running {
        let manifest = service.manifest();
        let rights = match manifest.check() {
            Ok(rights) => rights,
            Err(error) => fail(&format!("the manifest of `{}`: {error}", manifest.name)),
        };
        let Ok(token) = Token::new(format!("{:016x}", self.chance.next())) else {
            fail("no token")
        };
        let data_dir = self.directory.path().join(&manifest.name);
        if let Err(error) = std::fs::create_dir_all(&data_dir) {
            fail(&format!("{}: {error}", data_dir.display()));
        }
        self.hub.expect_service(token.clone(), rights, None::<NonZeroU32>);
        let (stream, client) = self.hub.connect();
        let start = Start {
            name: manifest.name.clone(),
            token: Some(token),
            data_dir,
            settings,
            clock: self.clock(),
            seed: self.chance.next(),
        };
        let task = tokio::spawn(async move {
            let bus = Bus::connect(stream, start).await?;
            run(Box::new(service), bus).await
        });
        self.settle().await;
        Running::new(manifest.name, Rc::clone(&self.hub), client, task)
    }

    /// Another bus, as on another device, in the same test: for services that talk with each other
    /// by other ways. It has the same clock, and chance from the same seed.
    pub async fn another(&self) -> Self {
        Self::new(self.chance.next()).await
    }

    /// Another program of the user's, with this name.
    pub async fn join(&self, name: &str) -> Bus {
        join(&self.hub, name, &self.chance, self.directory.path()).await
    }

    /// Publishes on a reserved topic as the daemon does.
    pub async fn as_daemon<T: Payload>(&self, topic: impl Reserved<T>, value: &T) {
        self.hub.announce(&topic.topic(), topic.json(value));
        self.settle().await;
    }

    /// Lets everybody do what there is to do at this moment.
    pub async fn settle(&self) {
        // The clock moves on only when nobody has anything to do.
        sleep(Duration::from_millis(1)).await;
    }

    /// Lets so much time pass.
    pub async fn advance(&self, duration: Duration) {
        sleep(duration).await;
        self.settle().await;
    }

    /// The daemon says goodbye to everybody and ends.
    pub async fn shut_down(&self) {
        self.hub.shut_down();
        self.settle().await;
    }

    /// The daemon is gone without a word.
    pub async fn crash(&self) {
        self.hub.crash();
        self.settle().await;
    }

    /// What was published so far: one line for each message, with its moment, its topic, its
    /// protocol and its payload. Requests and replies are there too; what the daemon says of
    /// itself is not.
    pub async fn transcript(&self) -> String {
        self.settle().await;
        self.record.text()
    }

    /// How many messages may wait for a service that doesn't read: with one more it lags.
    #[must_use]
    pub fn queue_messages_max(&self) -> usize {
        TEST_QUEUE_MESSAGES_MAX
    }

    fn clock(&self) -> Clock {
        Clock::counted_from(BEGINNING + self.hub.elapsed())
    }
}

/// The program of the user's that the test itself is.
impl Deref for TestBus {
    type Target = Bus;

    fn deref(&self) -> &Bus {
        &self.user
    }
}

async fn join(hub: &Rc<Hub>, name: &str, chance: &Chance, directory: &std::path::Path) -> Bus {
    let (stream, _) = hub.connect();
    let start = Start {
        name: name.to_owned(),
        token: None,
        data_dir: directory.to_owned(),
        settings: serde_json::Value::Null,
        clock: Clock::counted_from(BEGINNING + hub.elapsed()),
        seed: chance.next(),
    };
    match Bus::connect(stream, start).await {
        Ok(bus) => bus,
        Err(error) => fail(&format!("`{name}`: {error}")),
    }
}

/// Ends the test: this module is for tests alone.
#[allow(clippy::panic)]
fn fail(why: &str) -> ! {
    panic!("{why}")
}
