//! What a service receives on one subscription.
//!
//! [`Inbox::next`] gives messages alone: most services can do nothing about a message that they did
//! not get, and what was lost is logged and counted for them. [`Inbox::next_incoming`] gives the
//! whole truth, with the place at which messages are missing.

use crate::bus::Bus;
use kith_client::{AcknowledgeError, Incoming, Message, Subscription};
use serde::de::DeserializeOwned;

/// A stream of what matches a pattern. Dropping it unsubscribes.
#[derive(Debug)]
#[must_use = "dropping an inbox unsubscribes"]
pub struct Inbox {
    bus: Bus,
    subscription: Subscription,
    lost: u64,
}

impl Inbox {
    pub(crate) fn new(bus: Bus, subscription: Subscription) -> Self {
        Self { bus, subscription, lost: 0 }
    }

    /// The next message; `None` when the bus has ended. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match self.next_incoming().await? {
                Incoming::Message(message) => return Some(message),
                Incoming::Lag { .. } | Incoming::Gap => {}
            }
        }
    }

    /// The next message of which the payload is JSON that reads as a `T`, with what was read.
    /// Others are logged, counted, and passed over.
    pub async fn next_json<T: DeserializeOwned>(&mut self) -> Option<(T, Message)> {
        loop {
            let message = self.next().await?;
            match serde_json::from_slice(message.payload()) {
                Ok(value) => return Some((value, message)),
                Err(error) => self.bus.counters().malformed(message.topic(), &error),
            }
        }
    }

    /// The next message, or how many are missing here; `None` when the bus has ended. Nothing is
    /// lost if the future is dropped.
    pub async fn next_incoming(&mut self) -> Option<Incoming> {
        let incoming = self.bus.heartbeat().attend(self.subscription.next()).await;
        if let Some(Incoming::Lag { count }) = &incoming {
            self.lost = self.lost.saturating_add(*count);
            self.bus.counters().lost(*count);
        }
        incoming
    }

    /// Says that a message of a durable subscription has been dealt with, and doesn't wait until
    /// the daemon has that on the disk. What is refused is logged and counted.
    ///
    /// # Errors
    /// If the message is of no durable subscription, very many acknowledgements are on their way,
    /// or the bus has ended.
    pub fn acknowledge(&self, message: &Message) -> Result<(), AcknowledgeError> {
        self.bus.heartbeat().was_ready();
        self.subscription.acknowledge(message)
    }

    /// The same, and waits until the daemon has it on the disk.
    ///
    /// # Errors
    /// If the message is of no durable subscription, the daemon refuses, or the bus has ended.
    pub async fn acknowledge_and_wait(&self, message: &Message) -> Result<(), AcknowledgeError> {
        self.bus.heartbeat().attend(self.subscription.acknowledge_and_wait(message)).await
    }

    /// How many messages are missing so far, because they were read too slowly.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }
}
