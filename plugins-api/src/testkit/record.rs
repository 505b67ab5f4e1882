//! What was published in a test, one line for each message.
//!
//! Payloads of reserved topics are shown as JSON whatever they were published as, other bytes in
//! hexadecimal: a transcript is for people to read, and for tests to compare.

use crate::bus::Bus;
use crate::clock::Moment;
use kith_client::{Message, Subscribe};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

/// What the daemon says of itself, which is about the test and not about the service.
const LEFT_OUT: [&str; 3] = ["bus.client", "bus.stats", "bus.ready"];

/// A record that goes on as long as the bus.
#[derive(Clone, Debug)]
pub(super) struct Record(Rc<RefCell<String>>);

impl Record {
    pub(super) async fn start(bus: Bus, beginning: Moment) -> Self {
        let record = Self(Rc::default());
        let all = Subscribe::new("*/*.>").monitor();
        let Ok(mut inbox) = bus.subscribe_with(all).await else { super::fail("no record") };
        let to = Rc::downgrade(&record.0);
        tokio::task::spawn_local(async move {
            while let Some(message) = inbox.next().await {
                let Some(to) = to.upgrade() else { return };
                if !LEFT_OUT.contains(&message.topic()) {
                    let line = line(bus.now().since(beginning).as_millis(), &message);
                    to.borrow_mut().push_str(&line);
                }
            }
        });
        record
    }

    pub(super) fn text(&self) -> String {
        self.0.borrow().clone()
    }
}

fn line(ms: u128, message: &Message) -> String {
    let (topic, protocol) = (message.topic(), message.protocol());
    let payload = match kith_contract::entry(topic) {
        Some(entry) => entry.check(protocol, message.payload()).ok().map(|views| views.json),
        None => message.text().filter(|text| !text.contains('\n')).map(str::to_owned),
    };
    let payload = payload.unwrap_or_else(|| hexadecimal(message.payload()));
    let wants_reply = if message.reply_to().is_some() { " ?" } else { "" };
    format!("{ms} {topic} {protocol} {payload}{wants_reply}\n")
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
