//! A client, as a test holds it.
//!
//! Answers may overtake messages, so whoever waits for an answer keeps what else comes for later,
//! in order. Whether something does *not* come is asked with a fence: a message of the client to
//! itself, of the lowest priority, which everything that was there before it overtakes. Nobody
//! waits for a silence.

use super::{Connection, Delivery, Event, Operation, Publication, Subscription};
use crate::process::PATIENCE;
use kith_wire::{Code, MessageId};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Below are the numbers of subscriptions, which the tests give.
const FIRST_NUMBER: u32 = 1_000;
/// The subscription on which fences come.
const FENCE: u32 = u32::MAX;
/// The subscription that lets requests wait.
const CLOCK: u32 = u32::MAX - 1;
/// What the topics of fences begin with; no test hears one.
const FENCE_TOPIC: &str = "fence.";

static FENCES: AtomicU32 = AtomicU32::new(0);

/// One connection, and what was heard on it.
pub(crate) struct Client {
    connection: Box<dyn Connection>,
    /// Came while something else was waited for.
    heard: VecDeque<Event>,
    next_number: u32,
    fence: Option<String>,
}

impl Client {
    pub(crate) fn new(connection: impl Connection + 'static) -> Self {
        let connection = Box::new(connection);
        Self { connection, heard: VecDeque::new(), next_number: FIRST_NUMBER, fence: None }
    }

    /// Says something without asking for an answer.
    pub(crate) fn tell(&mut self, operation: &Operation) {
        self.connection.send(None, operation);
    }

    /// Says something under a number of its own, which is returned, and waits for nothing.
    pub(crate) fn send(&mut self, operation: &Operation) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        self.send_as(number, operation);
        number
    }

    /// Says something under this number, and waits for nothing.
    pub(crate) fn send_as(&mut self, number: u32, operation: &Operation) {
        self.connection.send(Some(number), operation);
    }

    /// Says something and waits for the answer.
    pub(crate) fn ask(&mut self, operation: &Operation) -> Event {
        let number = self.send(operation);
        self.answer(number)
    }

    /// Asks for something that is answered with a plain `ok`.
    pub(crate) fn done(&mut self, operation: &Operation) {
        let answer = self.ask(operation);
        assert!(matches!(answer, Event::Ok { message_id: None, .. }), "{operation:?}: {answer:?}");
    }

    /// Asks for something that is refused, and returns the code.
    pub(crate) fn refused(&mut self, operation: &Operation) -> Code {
        match self.ask(operation) {
            Event::Err { code, fatal: false, .. } => code,
            other => panic!("{operation:?}: {other:?}"),
        }
    }

    /// Waits for the answer under this number.
    pub(crate) fn answer(&mut self, number: u32) -> Event {
        if let Some(at) = self.heard.iter().position(|event| event.answers() == Some(number)) {
            return self.heard.remove(at).unwrap();
        }
        loop {
            let event = self.receive().unwrap_or_else(|| panic!("closed before answer {number}"));
            if event.answers() == Some(number) {
                return event;
            }
            self.heard.push_back(event);
        }
    }

    /// Subscribes, plainly.
    pub(crate) fn subscribe(&mut self, number: u32, pattern: &str) {
        self.subscribe_to(number, Subscription::to(pattern));
    }

    /// Subscribes to kept values too.
    pub(crate) fn subscribe_retained(&mut self, number: u32, pattern: &str) {
        self.subscribe_to(number, Subscription::to(pattern).with_retained());
    }

    /// Subscribes as a member of a group.
    pub(crate) fn subscribe_group(&mut self, number: u32, pattern: &str, group: &str) {
        self.subscribe_to(number, Subscription::to(pattern).in_group(group));
    }

    /// Subscribes.
    pub(crate) fn subscribe_to(&mut self, number: u32, subscription: Subscription) {
        self.send_as(number, &Operation::Subscribe(subscription));
        let answer = self.answer(number);
        let is_ok = matches!(answer, Event::Ok { message_id: None, duplicate: false, .. });
        assert!(is_ok, "{answer:?}");
    }

    /// Subscribes for a consumer.
    pub(crate) fn subscribe_durable(&mut self, number: u32, pattern: &str, name: &str) {
        self.subscribe_to(number, Subscription::to(pattern).durable(name));
    }

    /// Acknowledges messages of a durable subscription, and waits until that is on the disk.
    pub(crate) fn acknowledge(&mut self, subscription: u32, message_ids: &[MessageId]) {
        let message_ids = message_ids.to_vec();
        self.done(&Operation::Acknowledge { subscription, message_ids });
    }

    /// Publishes a JSON value, and returns the message's id.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str) -> MessageId {
        self.publish_it(Publication::json(topic, payload))
    }

    /// Publishes, and returns the message's id.
    pub(crate) fn publish_it(&mut self, publication: Publication) -> MessageId {
        match self.ask(&Operation::Publish(publication)) {
            Event::Ok { message_id: Some(id), duplicate: false, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    /// Asks on a topic and returns the request's number at once.
    pub(crate) fn request(&mut self, topic: &str, payload: &str, timeout_ms: u32) -> u32 {
        let publication = Publication::json(topic, payload);
        self.send(&Operation::Request { publication, timeout_ms: Some(timeout_ms) })
    }

    /// Answers a message that came from a request.
    pub(crate) fn reply(&mut self, to: &Delivery, payload: &str) -> Event {
        let topic = to.reply_to.as_deref().expect("it wants no reply");
        self.ask(&Operation::Publish(Publication::json(topic, payload)))
    }

    /// Lets time pass, on the daemon's clock: with a request that it answers when its time is over.
    pub(crate) fn pass_ms(&mut self, ms: u32) {
        self.subscribe(CLOCK, "self.clock");
        let number = self.request("clock", "null", ms);
        let code = Code::Timeout;
        assert_eq!(self.answer(number), Event::Err { number: Some(number), code, fatal: false });
        self.done(&Operation::Unsubscribe(CLOCK));
        // The request itself, which went unanswered.
        self.heard.retain(|event| !matches!(event, Event::Message { subscription: CLOCK, .. }));
    }

    /// Asks the daemon for what it counts until this counter is there.
    pub(crate) fn wait_for_count(&mut self, counter: &str, count: u64) {
        assert_ne!(counter, "published", "asking is publishing, and so may be counted past it");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let number = self.request("bus.stats", "null", 5_000);
            let Event::Reply { delivery, .. } = self.answer(number) else { panic!("no counters") };
            let stats = delivery.value();
            if stats[counter] == count {
                return;
            }
            assert!(Instant::now() < deadline, "{counter} never was {count}: {stats}");
        }
    }

    /// What comes next; nothing if the daemon has closed the connection.
    pub(crate) fn next_or_end(&mut self) -> Option<Event> {
        self.heard.pop_front().or_else(|| self.receive())
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> Event {
        self.next_or_end().expect("the daemon has closed the connection")
    }

    /// What comes next, which is a message.
    pub(crate) fn message(&mut self) -> (u32, Delivery) {
        match self.next() {
            Event::Message { subscription, delivery } => (subscription, delivery),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next message on this one subscription.
    pub(crate) fn message_on(&mut self, number: u32) -> Delivery {
        let (subscription, delivery) = self.message();
        assert_eq!(subscription, number, "{delivery:?}");
        delivery
    }

    /// Everything that is there for this client, in order, up to now.
    pub(crate) fn pending(&mut self) -> Vec<Event> {
        let topic = match self.fence.clone() {
            Some(topic) => topic,
            None => {
                let mark = FENCES.fetch_add(1, Ordering::Relaxed);
                let topic = format!("{FENCE_TOPIC}{}.{mark}", std::process::id());
                self.subscribe(FENCE, &format!("self.{topic}"));
                self.fence.insert(topic).clone()
            }
        };
        let priority = Some(2);
        self.publish_it(Publication { priority, ..Publication::json(&topic, "0") });
        let mut pending: Vec<Event> = self.heard.drain(..).collect();
        // The fence may have come before the answer to its publish.
        while pending.pop_if(|last| is_fence(last)).is_none() {
            pending.push(self.connection.receive().expect("closed before the fence"));
        }
        pending.retain(|event| !is_others_fence(event));
        pending
    }

    /// The payloads of everything that is there, which is messages on this one subscription.
    pub(crate) fn pending_payloads(&mut self, number: u32) -> Vec<String> {
        let payload = |event| match event {
            Event::Message { subscription, delivery } if subscription == number => {
                delivery.text().to_owned()
            }
            other => panic!("not a message on {number}: {other:?}"),
        };
        self.pending().into_iter().map(payload).collect()
    }

    fn receive(&mut self) -> Option<Event> {
        loop {
            let event = self.connection.receive()?;
            if is_fence(&event) || !is_others_fence(&event) {
                return Some(event);
            }
        }
    }
}

fn is_fence(event: &Event) -> bool {
    matches!(event, Event::Message { subscription: FENCE, .. })
}

/// A fence that a wide pattern has caught.
fn is_others_fence(event: &Event) -> bool {
    let Event::Message { delivery, .. } = event else { return false };
    delivery.topic.starts_with(FENCE_TOPIC)
}
