//! A person with more than one device: linked by an invite of the new one, removed for good.

use super::Device;
use super::device::{text, until_delivered};
use crate::door::{Operation, Publication};
use kith_wire::Code;
use serde_json::{Value, json};

fn to(whom: &str, payload: &str) -> Publication {
    until_delivered(Publication::json("note", payload).for_whom(whom))
}

#[test]
fn a_linked_device_is_self_and_a_friend_reaches_both() {
    let (mut anna, mut bob, mut tablet) =
        (Device::new("Anna"), Device::new("Bob"), Device::new("Tablet"));
    anna.befriend("anna", &mut bob, "bob");
    anna.link(&mut tablet);
    let mut at_tablet = tablet.program();
    at_tablet.subscribe(1, "self.note");
    at_tablet.subscribe(2, "friends.note");
    anna.program().publish_it(to("self", "\"mine\""));
    let (subscription, mine) = at_tablet.message();
    assert_eq!((subscription, mine.text(), &*mine.scope), (1, "\"mine\"", "self"));
    assert_eq!(mine.sender, anna.identity());

    // Bob learns of the tablet by the card. The tablet knows Bob by the circle, under the name that
    // he has on the first device, and is told where he is; then his message comes to both.
    let device = tablet.device();
    let has_tablet = |list: &Value| {
        let rows = list.as_array().unwrap().iter();
        let mut devices = rows.flat_map(|row| row["devices"].as_array().unwrap());
        devices.any(|row| row["device"] == *device)
    };
    bob.until("people.list", has_tablet);
    tablet.until("people.list", |list| list[0]["petname"] == "bob");
    let at = bob.ask("people.me", Value::Null)["endpoints"].take();
    tablet.ask("people.add", json!({"person": "bob", "at": at}));
    let mut at_anna = anna.program();
    at_anna.subscribe(1, "friends.note");
    bob.program().publish_it(to("anna", "\"to both\""));
    for (client, subscription) in [(&mut at_anna, 1), (&mut at_tablet, 2)] {
        let delivery = client.message_on(subscription);
        assert_eq!((delivery.text(), &*delivery.scope), ("\"to both\"", "friends"));
    }

    let mut at_bob = bob.program();
    at_bob.subscribe(1, "friends.note");
    tablet.program().publish_it(to("bob", "\"from the tablet\""));
    let from_tablet = at_bob.message_on(1);
    assert_eq!(from_tablet.petname.as_deref(), Some("anna"));
    assert_eq!(from_tablet.device.as_deref(), Some(&*tablet.device()));
}

#[test]
fn a_device_that_was_removed_gets_nothing_and_says_nothing() {
    let (mut anna, mut bob, mut tablet) =
        (Device::new("Anna"), Device::new("Bob"), Device::new("Tablet"));
    anna.befriend("anna", &mut bob, "bob");
    anna.link(&mut tablet);
    tablet.until("people.list", |list| list[0]["petname"] == "bob");
    let mut at_tablet = tablet.program();
    for (number, pattern) in (1..).zip(["self.note", "friends.note", "public.note", "*.note"]) {
        at_tablet.subscribe(number, pattern);
    }
    let device = tablet.device();
    let has = |count: usize| {
        move |list: &Value| list[0]["devices"].as_array().is_some_and(|all| all.len() == count)
    };
    bob.until("people.list", has(2));
    anna.ask("people.removeDevice", json!({"device": device}));
    bob.until("people.list", has(1));
    tablet.until("people.status", |status| status["links"] == json!([]));

    // There is nobody left for `self`; what is for Anna comes to the one device.
    let refused = anna.program().refused(&Operation::Publish(to("self", "1")));
    assert_eq!(refused, Code::UnknownRecipient);
    let mut at_anna = anna.program();
    at_anna.subscribe(1, "*.note");
    bob.program().publish_it(to("anna", "2"));
    assert_eq!(at_anna.message_on(1).text(), "2");
    assert_eq!(at_tablet.pending(), []);

    // And what the tablet still says reaches nobody: it finds no link.
    let mut at_bob = bob.program();
    at_bob.subscribe(1, "*.note");
    let publication = Publication { until: Some(0), ..to("bob", "3") };
    tablet.program().tell(&Operation::Publish(publication));
    bob.program().publish_it(to("anna", "4"));
    assert_eq!(at_anna.message_on(1).text(), "4");
    assert_eq!(at_bob.pending(), []);
    let status = tablet.ask("people.status", Value::Null);
    assert_eq!(status["links"], json!([]));
    let devices = anna.ask("people.devices", Value::Null);
    assert!(devices.as_array().unwrap().iter().all(|row| text(&row["device"]) != device));
}
