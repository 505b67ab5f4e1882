//! The kit as a client of its own bus, in memory and in JSON lines: it publishes, asks, is asked.

use kith_core::{Broker, ClientId, Now, Session};
use kith_wire::is_reserved;
use serde_json::Value;
use std::collections::VecDeque;

/// What the kit's own requests carry, so that it doesn't answer itself.
pub(crate) const OWN_HEADER: &str = "kit";

#[derive(Debug)]
pub(super) struct Player {
    session: Session,
    /// Numbers that were used.
    numbers: u32,
    /// The beginning of a line.
    rest: Vec<u8>,
    /// Where answers are wanted.
    requests: VecDeque<String>,
}

impl Player {
    pub(super) fn new(id: ClientId) -> Self {
        Self { session: Session::new(id), numbers: 0, rest: Vec::new(), requests: VecDeque::new() }
    }

    pub(super) fn client(&self) -> ClientId {
        self.session.client()
    }

    pub(super) fn has_request(&self) -> bool {
        !self.requests.is_empty()
    }

    pub(super) fn take_request(&mut self) -> Option<String> {
        self.requests.pop_front()
    }

    /// Says a line, which gets a number of its own if it wants an answer.
    pub(super) fn say(&mut self, broker: &mut Broker, now: Now, mut line: Value) {
        if let Some(number) = line.get_mut("id") {
            self.numbers += 1;
            *number = self.numbers.into();
        }
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        let mut bytes = bytes.as_slice();
        loop {
            let fed = self.session.feed(broker, now, bytes);
            bytes = bytes.get(fed.consumed..).unwrap_or_default();
            if fed.unfinished {
                continue;
            }
            if bytes.is_empty() || fed.consumed == 0 && !broker.has_output(self.client()) {
                return;
            }
            // Answers that wait keep it from being read.
            self.hear(broker, now);
        }
    }

    /// Takes in what it is told.
    pub(super) fn hear(&mut self, broker: &mut Broker, now: Now) {
        loop {
            let before = self.rest.len();
            self.rest.extend(broker.stage(now, self.client()).flatten());
            let heard = self.rest.len() - before;
            if heard == 0 {
                break;
            }
            broker.wrote(now, self.client(), heard);
        }
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.requests.extend(request(&line));
        }
    }
}

/// Where an answer is wanted, if this is a request of somebody else's.
fn request(line: &[u8]) -> Option<String> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let is_message = line.get("op")?.as_str()? == "msg";
    let topic = line.get("topic").and_then(Value::as_str);
    // What is asked on a reserved topic, such as a heartbeat, is not asked from others.
    let is_reserved = topic.is_none_or(is_reserved);
    let is_own = line.get("headers").is_some_and(|headers| headers.get(OWN_HEADER).is_some());
    let reply_to = line.get("reply_to").and_then(Value::as_str);
    reply_to.filter(|_| is_message && !is_own && !is_reserved).map(str::to_owned)
}
