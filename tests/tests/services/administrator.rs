//! An administrator: a connection that has shown the key, asks, and hears what becomes of services.

use crate::door::JsonLines;
use crate::process::{Place, dial};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;

/// Why something was refused: the code, and the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String, pub(crate) String);

/// A connection that speaks JSON lines, and what it has heard.
pub(crate) struct Administrator {
    lines: JsonLines,
    next_number: u32,
    /// Messages that came while something else was waited for.
    messages: VecDeque<Value>,
}

impl Administrator {
    /// One that shows the key of the daemon at this place, and hears what becomes of services, and
    /// when the tests' service has tried what it was to try.
    pub(crate) fn at(place: &Place) -> Self {
        let mut program = Self::program(place);
        let key = fs::read_to_string(place.state().join("administration.key")).unwrap();
        program.greet(key.trim_end()).unwrap();
        program.subscribe("self.services.state").unwrap();
        program.subscribe("self.probe.tried").unwrap();
        program
    }

    /// A connection like any other.
    pub(crate) fn program(place: &Place) -> Self {
        let lines = JsonLines::new(dial(&place.socket()));
        Self { lines, next_number: 1, messages: VecDeque::new() }
    }

    /// Shows a token.
    pub(crate) fn greet(&mut self, token: &str) -> Result<Value, Refused> {
        self.say(json!({"op": "hello", "token": token}))
    }

    pub(crate) fn subscribe(&mut self, pattern: &str) -> Result<Value, Refused> {
        self.say(json!({"op": "sub", "pattern": pattern}))
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &Value) -> Result<Value, Refused> {
        self.say(json!({"op": "pub", "topic": topic, "payload": payload}))
    }

    /// Asks on a topic, and returns what is replied.
    pub(crate) fn ask(&mut self, topic: &str, payload: &Value) -> Result<Value, Refused> {
        let asked = json!({"op": "req", "topic": topic, "payload": payload, "timeout_ms": 20_000});
        self.say(asked).map(|mut reply| reply["payload"].take())
    }

    /// Says an operation, and returns its answer.
    pub(crate) fn say(&mut self, mut operation: Value) -> Result<Value, Refused> {
        let number = self.next_number;
        self.next_number += 1;
        operation["id"] = number.into();
        self.lines.say(format!("{operation}\n"));
        loop {
            let event = self.event().expect("closed before the answer");
            if event["op"] == "err" && (event["id"] == number || event["fatal"] == true) {
                let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
                return Err(Refused(text("code"), text("text")));
            }
            if event["id"] == number {
                return Ok(event);
            }
            self.messages.push_back(event);
        }
    }

    fn event(&mut self) -> Option<Value> {
        let line = self.lines.line()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The rest of what comes, to the end of the connection.
    pub(crate) fn rest(mut self) -> Vec<Value> {
        let mut rest: Vec<_> = self.messages.drain(..).collect();
        rest.extend(std::iter::from_fn(|| self.event()));
        rest
    }

    /// Asks for something to be done with a service: `services.enable` and the like.
    pub(crate) fn change(&mut self, topic: &str, name: &str) -> Result<Value, Refused> {
        self.ask(topic, &json!({"name": name}))
    }

    /// All rows of `services.list`.
    pub(crate) fn rows(&mut self) -> Vec<Value> {
        let Value::Array(rows) = self.ask("services.list", &Value::Null).unwrap() else { panic!() };
        rows
    }

    /// That of one service.
    pub(crate) fn row(&mut self, name: &str) -> Value {
        let rows = self.rows();
        let found = rows.iter().find(|row| row["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {rows:?}")).clone()
    }

    /// The next message on a topic, which this has subscribed to; those on others stay for later.
    pub(crate) fn message(&mut self, topic: &str) -> Value {
        let is_wanted = |event: &Value| event["op"] == "msg" && event["topic"] == topic;
        if let Some(at) = self.messages.iter().position(is_wanted) {
            return self.messages.remove(at).unwrap()["payload"].take();
        }
        loop {
            let mut event = self.event().unwrap_or_else(|| panic!("closed before {topic}"));
            if is_wanted(&event) {
                return event["payload"].take();
            }
            self.messages.push_back(event);
        }
    }

    /// Waits until the tests' service has tried what it was to try, and waits for more.
    pub(crate) fn wait_until_it_answers(&mut self) {
        self.message("probe.tried");
        assert_eq!(self.ask("probe.ask", &json!("there?")).unwrap(), "there?");
    }

    /// What becomes of a service next: the state, and why.
    pub(crate) fn turn(&mut self, name: &str) -> (String, String) {
        loop {
            let told = self.message("services.state");
            if told["name"] == name {
                let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
                return (text("state"), text("reason"));
            }
        }
    }

    /// Waits until a service has come to this state, and returns why.
    pub(crate) fn wait_for(&mut self, name: &str, state: &str) -> String {
        loop {
            let (came, reason) = self.turn(name);
            if came == state {
                return reason;
            }
            assert_ne!(came, "failed", "{name} never was {state}: {reason}");
        }
    }
}
