//! The Rust client library of Kith, the message bus of one user on one machine.
//!
//! It connects to the daemon's Unix socket and speaks binary frames (`docs/protocol.md`). A
//! [`Client`] publishes messages on topics and subscribes to patterns of them. [`Client::connect`]
//! finds the user's daemon; these examples are run with a daemon of their own, at `socket`:
//!
//! ```
//! use kith_client::{Client, Incoming};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let daemon = kith_busd::Embedded::start(directory.path())?;
//! # let socket = daemon.socket();
//! let client = Client::builder().path(socket).connect().await?;
//! let mut hellos = client.subscribe("self.test.>").await?;
//! client.publish("test.hello", r#"{"text":"hi"}"#).await?;
//! match hellos.next().await {
//!     Some(Incoming::Message(message)) => println!("{}", message.text().unwrap_or_default()),
//!     Some(Incoming::Lag { count }) => println!("{count} messages were dropped here"),
//!     Some(Incoming::Gap) => println!("the connection was lost and is back"),
//!     None => println!("the connection is closed"),
//! }
//! client.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A request is a message that wants one answer:
//!
//! ```
//! use kith_client::{Client, Incoming, RequestError};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let daemon = kith_busd::Embedded::start(directory.path())?;
//! # let socket = daemon.socket();
//! let server = Client::builder().path(socket).name("clock").connect().await?;
//! let mut questions = server.subscribe("self.clock.now").await?;
//! tokio::spawn(async move {
//!     while let Some(incoming) = questions.next().await {
//!         if let Incoming::Message(question) = incoming {
//!             server.reply(&question, r#""half past four""#).await?;
//!         }
//!     }
//!     Ok::<_, kith_client::ReplyError>(())
//! });
//!
//! let client = Client::builder().path(socket).connect().await?;
//! let answer = client.request("clock.now", "null").await?;
//! assert_eq!(answer.text(), Some(r#""half past four""#));
//!
//! let nobody = client.request("clock.tomorrow", "null").await;
//! assert!(matches!(nobody, Err(RequestError::NoResponders)));
//! # Ok(())
//! # }
//! ```
//!
//! Programs that move a lot don't wait for each message:
//!
//! ```
//! use kith_client::{Client, Publish};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let daemon = kith_busd::Embedded::start(directory.path())?;
//! # let socket = daemon.socket();
//! let client = Client::builder().path(socket).connect().await?;
//! for reading in 0..10_000 {
//!     client.post(Publish::json("sensor.light", reading.to_string())).await?;
//! }
//! // The answer comes after everything before it: all of them have arrived.
//! client.ping().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Large payloads
//!
//! From 64 KiB on a payload can be handed over instead of copied, as memory that nobody can change
//! any more: [`Builder::descriptors`] asks for that, and [`Publish::sealed`] publishes it. To make
//! such memory costs more than to copy as much; so it pays from about 1 MiB on, and from 64 KiB on
//! where the same memory is published more than once.
//!
//! ```
//! use kith_client::{Client, Incoming, Publish, SealedMemory};
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let daemon = kith_busd::Embedded::start(directory.path())?;
//! # let socket = daemon.socket();
//! let client = Client::builder().path(socket).descriptors().connect().await?;
//! let mut frames = client.subscribe("raw/self.camera").await?;
//! let picture = Arc::new(SealedMemory::create(&[7; 1_000_000])?);
//! client.send(Publish::sealed("camera", "raw", &picture)).await?;
//! if let Some(Incoming::Message(message)) = frames.next().await {
//!     assert_eq!(message.payload().len(), 1_000_000);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What must not be lost
//!
//! What matches a durable subscription is stored by the daemon until it is acknowledged, whoever is
//! away meanwhile. A publish that matches one is answered once it is on the disk, and repeated by
//! this library until it is answered:
//!
//! ```
//! use kith_client::{Client, Incoming, Publish, Since, Subscribe};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let daemon = kith_busd::Embedded::builder(directory.path()).state(directory.path()).start()?;
//! # let socket = daemon.socket();
//! let client = Client::builder().path(socket).connect().await?;
//! let jobs = Subscribe::new("self.jobs.>").durable("worker").since(Since::Start);
//! let mut jobs = client.subscribe_with(jobs).await?;
//!
//! let job = Publish::json("jobs.resize", r#"{"picture":7}"#).until_stored();
//! assert!(client.send(job).await?.stored);
//!
//! if let Some(Incoming::Message(job)) = jobs.next().await {
//!     // 1: it has not been delivered before. With more, it may have been dealt with already.
//!     assert_eq!(job.attempt().map(|attempt| attempt.get()), Some(1));
//!     jobs.acknowledge_and_wait(&job).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Subscription::acknowledge`] doesn't wait, and is what a program uses that handles many.
//!
//! # When the connection is lost
//!
//! The library connects again by itself, after waits that grow and differ by chance
//! ([`Reconnect`]). Then:
//!
//! - subscriptions are made again, and [`Incoming::Gap`] stands in their stream where messages may
//!   be missing. None are missing of a durable one: what was not acknowledged comes again;
//! - a publish whose answer was lost is repeated under its id, which every publish that waits has.
//!   The daemon recognises it for 10 minutes and doesn't deliver it twice. One that would have to
//!   be repeated later than that fails, since it could be doubled;
//! - the will is left again;
//! - what was posted and had not been sent is sent. What had been sent and not been confirmed is
//!   not sent twice: [`Client::errors`] says how many messages are in doubt;
//! - requests fail with [`RequestError::Disconnected`]: somebody may have acted on them, and only
//!   the program knows whether asking twice does harm.
//!
//! While there is no connection publishes and subscriptions wait; `tokio::time::timeout` bounds
//! that.
//!
//! # What is bounded
//!
//! Everything, by the numbers in [`limits`]. What a program publishes waits when too much is on its
//! way. What it doesn't read in time is dropped, counted, and reported where it would have stood:
//! no subscription holds up another, or an answer.
//!
//! # How it is built
//!
//! One task owns the socket (`task`), and hands everything to a state machine without I/O, clock or
//! randomness (`session`). Messages reach a program's tasks through bounded queues (`inbox`,
//! `feed`), and what it asks reaches the task as frames that are already written (`mailbox`).
//!
//! Deliberately absent: a serializer (payloads are text or bytes; `serde_json::to_string` makes the
//! text), other runtimes than tokio, and blocking calls.

mod backoff;
mod client;
mod connect;
mod descriptors;
mod error;
mod errors;
mod feed;
#[doc(hidden)]
pub mod fuzzing;
mod inbox;
pub mod limits;
mod link;
mod mailbox;
mod message;
mod path;
mod publish;
mod session;
mod subscription;
mod task;

pub use client::Client;
pub use connect::{Builder, Reconnect};
pub use error::{
    AcknowledgeError, BackgroundError, CloseError, ConnectError, InvalidMessage, Loss, PingError,
    PostError, PublishError, ReplyError, RequestError, SubscribeError, TryPostError, WillError,
};
pub use errors::Errors;
pub use inbox::Incoming;
pub use kith_sealed::{SealedError, SealedMemory};
pub use kith_wire::{
    Code, Headers, HeadersError, MessageId, MessageIdError, PatternError, Priority, ProtocolError,
    Refusal, Scope, Since, TextError, Token, TokenError, TopicError, compact_json,
};
pub use message::Message;
pub use path::{socket_path, socket_path_from};
pub use publish::{Publish, Published, Request};
pub use subscription::{Subscribe, Subscription};
