//! What a service of the Kith bus is written with.
//!
//! A service is a plugin that talks with the world through the bus alone. It says in its
//! [`Manifest`] what it wants to do, the daemon grants that and nothing more, and starts, watches
//! and stops it. The same [`Service`] runs inside the daemon, or as a process of its own with one
//! line of `main.rs`; and any program in any language that speaks the bus's socket can be one too.
//!
//! ```
//! use kith_plugins_api::{Bus, Manifest, Service, ServiceError, async_trait};
//! use std::time::Duration;
//!
//! #[derive(Default)]
//! struct Clock;
//!
//! #[async_trait]
//! impl Service for Clock {
//!     fn manifest(&self) -> Manifest {
//!         Manifest::new("clock", "1.0.0").about("Publishes the time").publishes("clock.now")
//!     }
//!
//!     async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
//!         loop {
//!             bus.post("clock.now", &bus.now()).await?;
//!             bus.sleep(Duration::from_secs(1)).await?;
//!         }
//!     }
//! }
//! ```
//!
//! # What a service has to know
//!
//! - Time, sleep, chance, settings and its directory come from the [`Bus`]. Then it can be tested
//!   with `testkit` (a feature), without a daemon, a network or waiting.
//! - It shows that it is alive by waiting for something of the bus. What else it waits for goes
//!   through [`Bus::wait_for`]; what computes for seconds belongs in a thread, with
//!   `tokio::task::spawn_blocking`.
//! - It decides in a plain type without I/O, in a file of its own, and does nothing in `run` but
//!   passing messages to that and on.
//! - What must not be lost is stored: [`Bus::subscribe_durable`], and [`Inbox::acknowledge`] when
//!   it has been dealt with. What was not acknowledged comes again after a restart, so the same
//!   message may have been dealt with before ([`Message::attempt`]).
//! - When the bus ends, streams end and everything that waits returns an error; `?` is all there is
//!   to do about it.
//! - Inside the daemon, it can be asked to end and nothing more: a thread that spins can't be
//!   killed. A service which may hang, or is not trusted, runs as a process of its own.
//!
//! # How it is built
//!
//! `bus.rs` is one client of `kith-client` with everything that a service may have around it;
//! `heartbeat.rs` answers the daemon's question whether it is alive, wherever the service waits;
//! `typed.rs` are the topics of the contract. `manifest/` reads and checks manifests.
//! `process/` is the program around a service, `testkit/` the bus around one under test.
//!
//! Deliberately absent: any way past the bus to the daemon. A service in the daemon's process has
//! no more than one in Python.

mod bus;
mod chance;
mod clock;
mod counts;
mod error;
mod health;
mod heartbeat;
mod inbox;
pub mod limits;
mod manifest;
pub mod process;
mod service;
#[cfg(feature = "testkit")]
pub mod testkit;
mod typed;

pub use async_trait::async_trait;
pub use bus::{Bus, Start};
pub use clock::{Clock, Moment};
pub use counts::Counts;
pub use error::{ServiceError, StartError};
pub use health::Health;
pub use heartbeat::Closed;
pub use inbox::Inbox;
pub use kith_client::{
    AcknowledgeError, Code, Incoming, InvalidMessage, Loss, Message, MessageId, PostError,
    Priority, Publish, PublishError, Published, ReplyError, Request, RequestError, Scope, Since,
    Subscribe, SubscribeError, Token, TryPostError,
};
pub use kith_contract as contract;
pub use manifest::{Manifest, ManifestError, Problem};
pub use service::{Service, run};
pub use typed::{Received, Reserved, TypedInbox};
