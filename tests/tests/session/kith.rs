//! The daemon's methods, as a program calls them.

use super::message::{CALL, Message, SIGNAL};
use super::program::{Failure, Incoming, KITH, KITH_PATH, PROPERTIES, Program, kith_call};
use super::value::Value;
use std::sync::atomic::{AtomicU32, Ordering};

/// The subscription on which fences come.
const FENCE: u32 = i32::MAX as u32;

static FENCES: AtomicU32 = AtomicU32::new(0);

/// Options: names and values.
pub(crate) type Options<'name> = Vec<(&'name str, Value)>;

impl Program {
    /// Calls a method.
    pub(crate) fn kith(
        &mut self,
        member: &str,
        body: impl Into<Vec<Value>>,
    ) -> Result<Vec<Value>, Failure> {
        self.call(kith_call(member).with(body))
    }

    /// Publishes, and returns the message's id.
    pub(crate) fn publish(&mut self, topic: &str, payload: Value) -> String {
        let published = self.try_publish(topic, payload, vec![]);
        published.unwrap_or_else(|failure| panic!("{topic}: {failure:?}"))
    }

    /// Publishes with options, or is refused.
    pub(crate) fn try_publish(
        &mut self,
        topic: &str,
        payload: Value,
        options: Options<'_>,
    ) -> Result<String, Failure> {
        let answer = self.call(publishing(topic, payload, options))?;
        Ok(answer[0].as_text().to_owned())
    }

    /// Subscribes, and returns the number that the daemon has given.
    pub(crate) fn subscribe(&mut self, pattern: &str) -> u32 {
        let subscribed = self.try_subscribe(pattern, vec![]);
        subscribed.unwrap_or_else(|failure| panic!("{pattern}: {failure:?}"))
    }

    /// Subscribes with options, or is refused.
    pub(crate) fn try_subscribe(
        &mut self,
        pattern: &str,
        options: Options<'_>,
    ) -> Result<u32, Failure> {
        let answer = self.kith("Subscribe", [Value::text(pattern), Value::options(options)])?;
        let [Value::U32(number)] = answer[..] else { panic!("{answer:?}") };
        Ok(number)
    }

    /// The next message: its subscription, and itself.
    pub(crate) fn message(&mut self) -> (u32, Value) {
        let body = self.signal("Message");
        let [Value::U32(number), message] = &body[..] else { panic!("{body:?}") };
        (*number, message.clone())
    }

    /// The payload of the next message.
    pub(crate) fn payload(&mut self) -> Value {
        self.message().1.get("payload").unwrap().clone()
    }

    /// The next signal of the daemon's of this name: its arguments.
    pub(crate) fn signal(&mut self, member: &str) -> Vec<Value> {
        self.next_of(|message| message.is(SIGNAL, KITH, member)).message.body
    }

    /// The signals of the daemon's that have come up to now and were not asked for yet.
    pub(crate) fn pending(&mut self) -> Vec<Incoming> {
        let mark = FENCES.fetch_add(1, Ordering::Relaxed);
        let topic = format!("fence.{}.{mark}", std::process::id());
        let options = vec![("subscription", Value::U32(FENCE))];
        self.try_subscribe(&format!("self.{topic}"), options).unwrap();
        let bulk = vec![("priority", Value::text("bulk"))];
        self.try_publish(&topic, Value::text("0"), bulk).unwrap();
        self.next_of(|message| {
            message.is(SIGNAL, KITH, "Message") && message.body[0] == Value::U32(FENCE)
        });
        self.kith("Unsubscribe", [Value::U32(FENCE)]).unwrap();
        let mut pending = self.take_heard();
        // Nor those fences that a wide pattern has caught.
        let is_fence = |message: &Message| {
            let topic = message.body.get(1).and_then(|body| match body {
                Value::Dict(..) => Some(body.get("topic")?.as_text()),
                _ => None,
            });
            topic.is_some_and(|topic| topic.starts_with("fence."))
        };
        pending.retain(|one| {
            one.message.interface.as_deref() == Some(KITH) && !is_fence(&one.message)
        });
        pending
    }

    /// Calls a method of the interface of properties.
    pub(crate) fn property(
        &mut self,
        member: &str,
        body: impl Into<Vec<Value>>,
    ) -> Result<Vec<Value>, Failure> {
        self.call(Message::call(KITH, KITH_PATH, PROPERTIES, member).with(body))
    }
}

/// A call that publishes to here.
pub(crate) fn publishing(topic: &str, payload: Value, options: Options<'_>) -> Message {
    sending("Publish", topic, payload, options)
}

/// A call of one of the methods that take a message.
pub(crate) fn sending(member: &str, topic: &str, payload: Value, options: Options<'_>) -> Message {
    let (topic, to) = (Value::text(topic), Value::text(""));
    let message = kith_call(member).with([topic, to, payload.variant(), Value::options(options)]);
    assert_eq!(message.kind, CALL);
    message
}
