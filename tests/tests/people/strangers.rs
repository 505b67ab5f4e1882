//! Who is nobody's friend: what they reach, and what becomes of them when they are rejected.

use super::Device;
use super::device::until_delivered;
use crate::door::Publication;
use serde_json::{Value, json};

/// Carol knows Bob and has a link to him, and to Bob she is a stranger.
fn strangers() -> [Device; 2] {
    let (mut bob, mut carol) = (Device::new("Bob"), Device::new("Carol"));
    // They have met, and Bob has taken it back.
    bob.befriend("bob", &mut carol, "carol");
    // What friends tell each other at once has to be there before.
    for device in [&mut bob, &mut carol] {
        device.until("people.status", |status| status["outgoing_messages"] == 0);
    }
    bob.ask("people.remove", json!({"person": "carol"}));
    [bob, carol]
}

fn to(whom: &str, topic: &str, payload: &str) -> Publication {
    Publication::json(topic, payload).for_whom(whom)
}

/// What Carol has sent and nobody has acknowledged.
fn carol_waits(carol: &mut Device) -> u64 {
    carol.ask("people.status", Value::Null)["outgoing_messages"].as_u64().unwrap()
}

#[test]
fn a_stranger_reaches_public_alone_and_only_where_somebody_asks() {
    let [mut bob, mut carol] = strangers();
    let mut at_bob = bob.program();
    for (number, pattern) in (1..).zip(["self.talk", "friends.talk", "self.other", "friends.>"]) {
        at_bob.subscribe(number, pattern);
    }
    let mut sender = carol.program();
    sender.publish_it(to("bob", "talk", "1"));
    bob.wait_for_refused("unwanted", 1);
    at_bob.subscribe(7, "public.talk");
    sender.publish_it(to("bob", "other", "2"));
    bob.wait_for_refused("unwanted", 2);
    sender.publish_it(to("bob", "talk", "3"));
    let delivery = at_bob.message_on(7);
    assert_eq!((delivery.text(), &*delivery.scope), ("3", "public"));
    assert_eq!(at_bob.pending(), []);
    // Nothing is said that would tell the stranger which of them was heard.
    assert_eq!(bob.ask("people.status", Value::Null)["outgoing_messages"], 0);
    assert_eq!(carol_waits(&mut carol), 3);
}

#[test]
fn who_is_rejected_is_heard_no_more_and_loses_the_link() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let mut at_bob = bob.program();
    at_bob.subscribe(1, "*.talk");
    anna.program().publish_it(until_delivered(to("bob", "talk", "1")));
    assert_eq!(at_bob.message_on(1).text(), "1");
    bob.ask("people.reject", json!({"person": "anna"}));
    anna.until("people.status", |status| status["links"] == json!([]));
    anna.program().publish_it(to("bob", "talk", "2"));
    // Friends again, by another invite: a new one is heard, and what was for nobody is not.
    bob.ask("people.remove", json!({"person": "anna"}));
    assert_eq!(at_bob.pending(), []);
    let rows = bob.ask("people.list", Value::Null);
    assert_eq!(rows[0]["relation"], "removed");
}
