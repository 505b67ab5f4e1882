//! Reserved topics: published and received as the types of the contract.
//!
//! Payloads go as CBOR (protocol `kith`). Subscribing asks for the same, since the daemon hands on
//! as CBOR also what a script published as JSON; but a payload of either protocol is read.

use crate::bus::Bus;
use crate::inbox::Inbox;
use kith_client::{Message, PostError, Publish, PublishError, SubscribeError};
use kith_contract::{PROTOCOL, Payload, PayloadError, Topic, TopicOf};
use std::ops::Deref;

/// A topic of the contract, whole: a [`Topic`], or a [`TopicOf`] with its name.
pub trait Reserved<T: Payload>: Copy {
    /// The topic.
    fn topic(&self) -> String;
    /// The payload for protocol `kith`.
    fn written(&self, value: &T) -> Vec<u8>;
    /// The payload for protocol `ms`.
    fn json(&self, value: &T) -> String;
    /// The pattern of a subscription to it.
    fn pattern(&self) -> String {
        format!("{PROTOCOL}/self.{}", self.topic())
    }
    /// Reads a payload.
    ///
    /// # Errors
    /// Says which field is not as it has to be.
    fn read(&self, protocol: &str, payload: &[u8]) -> Result<T, PayloadError>;
}

impl<T: Payload> Reserved<T> for Topic<T> {
    fn topic(&self) -> String {
        self.name().to_owned()
    }

    fn written(&self, value: &T) -> Vec<u8> {
        self.cbor(value)
    }

    fn json(&self, value: &T) -> String {
        Self::json(self, value)
    }

    fn read(&self, protocol: &str, payload: &[u8]) -> Result<T, PayloadError> {
        Self::read(self, protocol, payload)
    }
}

impl<T: Payload> Reserved<T> for (TopicOf<T>, &str) {
    fn topic(&self) -> String {
        self.0.of(self.1)
    }

    fn written(&self, value: &T) -> Vec<u8> {
        self.0.cbor(value)
    }

    fn json(&self, value: &T) -> String {
        self.0.json(value)
    }

    fn read(&self, protocol: &str, payload: &[u8]) -> Result<T, PayloadError> {
        self.0.read(protocol, payload)
    }
}

impl Bus {
    /// Publishes on a reserved topic, and waits until the daemon has passed it on.
    ///
    /// # Errors
    /// As [`Bus::publish`]; a topic for which the service has no role is refused.
    pub async fn publish_to<T: Payload>(
        &self,
        topic: impl Reserved<T>,
        value: &T,
    ) -> Result<(), PublishError> {
        let (topic, payload) = (topic.topic(), topic.written(value));
        self.send(Publish::bytes(topic, PROTOCOL, payload)).await?;
        Ok(())
    }

    /// Posts on a reserved topic.
    ///
    /// # Errors
    /// As [`Bus::post`].
    pub async fn post_to<T: Payload>(
        &self,
        topic: impl Reserved<T>,
        value: &T,
    ) -> Result<(), PostError> {
        let (topic, payload) = (topic.topic(), topic.written(value));
        self.post_message(Publish::bytes(topic, PROTOCOL, payload)).await
    }

    /// Subscribes to a reserved topic.
    ///
    /// # Errors
    /// As [`Bus::subscribe`].
    pub async fn subscribe_to<T: Payload, R: Reserved<T>>(
        &self,
        topic: R,
    ) -> Result<TypedInbox<T, R>, SubscribeError> {
        let inbox = self.subscribe(&topic.pattern()).await?;
        Ok(TypedInbox { inbox, topic, payload: std::marker::PhantomData })
    }
}

/// A stream of what is published on a reserved topic. Dropping it unsubscribes.
#[derive(Debug)]
#[must_use = "dropping an inbox unsubscribes"]
pub struct TypedInbox<T, R> {
    inbox: Inbox,
    topic: R,
    payload: std::marker::PhantomData<fn() -> T>,
}

impl<T: Payload, R: Reserved<T>> TypedInbox<T, R> {
    /// The next; `None` when the bus has ended. What can't be read is logged, counted, and passed
    /// over. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Received<T>> {
        loop {
            let message = self.inbox.next().await?;
            match self.topic.read(message.protocol(), message.payload()) {
                Ok(value) => return Some(Received { value, message }),
                Err(error) => self.inbox.bus().counters().malformed(message.topic(), &error),
            }
        }
    }

    /// How many messages are missing so far, because they were read too slowly.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.inbox.lost()
    }
}

/// What was received: the payload, which it can be used as, and the message that it was in.
#[derive(Clone, Debug)]
pub struct Received<T> {
    /// The payload.
    pub value: T,
    /// The message.
    pub message: Message,
}

impl<T> Deref for Received<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
