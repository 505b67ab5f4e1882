//! Two people meet by an invite, and write to each other: who gets what, by every door.

use super::Device;
use super::device::until_delivered;
use crate::door::{Client, Event, Publication};
use kith_wire::Code;
use serde_json::{Value, json};

/// Subscriptions of each scope to one topic, numbered as here.
const PATTERNS: [&str; 4] = ["self.talk", "friends.talk", "public.talk", "*.talk"];

fn listener(mut client: Client) -> Client {
    for (number, pattern) in (1..).zip(PATTERNS) {
        client.subscribe(number, pattern);
    }
    client
}

/// On which of the subscriptions what is there has come, with its payload.
fn heard(client: &mut Client) -> Vec<(u32, String)> {
    let mut heard: Vec<_> = client
        .pending()
        .into_iter()
        .map(|event| match event {
            Event::Message { subscription, delivery } => (subscription, delivery.text().to_owned()),
            other => panic!("{other:?}"),
        })
        .collect();
    heard.sort();
    heard
}

#[test]
fn friends_hear_each_other_as_friends_and_nothing_else_by_both_framings() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let annas = anna.identity();
    let annas_device = anna.device();
    let mut listeners = bob.programs().map(listener);
    for (mut sender, payload) in anna.programs().into_iter().zip(["{\"by\":1}", "{\"by\":2}"]) {
        let publication = Publication {
            headers: vec![("trace".to_owned(), "7".to_owned())],
            ..Publication::json("talk", payload).for_whom("bob")
        };
        let id = sender.publish_it(until_delivered(publication));
        for listener in &mut listeners {
            // `until delivered` says that it is on his disk; it comes to his programs then.
            let mut both = [listener.message(), listener.message()];
            both.sort_by_key(|(subscription, _)| *subscription);
            assert_eq!(both.each_ref().map(|(subscription, _)| *subscription), [2, 4]);
            for (_, delivery) in both {
                assert_eq!((delivery.message_id, delivery.text()), (id, payload));
                assert_eq!(delivery.sender, annas);
                assert_eq!(delivery.petname.as_deref(), Some("anna"));
                assert_eq!(delivery.device.as_deref(), Some(&*annas_device));
                assert_eq!((&*delivery.scope, &*delivery.topic), ("friends", "talk"));
                assert_eq!(delivery.headers, [("trace".to_owned(), "7".to_owned())]);
            }
            assert_eq!(heard(listener), []);
        }
    }
}

#[test]
fn what_is_local_stays_local() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let mut at_bob = listener(bob.program());
    let mut at_anna = listener(anna.program());
    anna.program().publish("talk", "\"here\"");
    assert_eq!(heard(&mut at_anna), [(1, "\"here\"".to_owned()), (4, "\"here\"".to_owned())]);
    // And what is for Bob comes to nobody at Anna's.
    let message = Publication::json("talk", "\"there\"").for_whom("bob");
    anna.program().publish_it(until_delivered(message));
    assert_eq!(at_bob.message().1.text(), "\"there\"");
    assert_eq!(heard(&mut at_anna), []);
}

#[test]
fn bytes_of_any_protocol_arrive_as_they_are() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let [mut json, mut binary] = bob.programs();
    for client in [&mut json, &mut binary] {
        client.subscribe(1, "x-bytes/friends.bytes.>");
    }
    for (number, length) in [0, 1, 255, 65_536, 1 << 20].into_iter().enumerate() {
        let bytes: Vec<u8> = (0_u32..length).map(|at| at.to_le_bytes()[0] ^ 0x5a).collect();
        let topic = format!("bytes.{number}");
        let message = Publication::bytes("x-bytes", &topic, bytes.clone()).for_whom("bob");
        anna.programs()[number % 2].publish_it(message);
        for client in [&mut json, &mut binary] {
            let delivery = client.message_on(1);
            assert_eq!((delivery.topic.as_str(), delivery.payload.len()), (&*topic, bytes.len()));
            assert!(delivery.payload == bytes);
        }
    }
}

#[test]
fn messages_of_one_sender_stay_in_order() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let mut at_bob = bob.program();
    at_bob.subscribe(1, "friends.count");
    let mut sender = anna.program();
    for number in 0..500 {
        let message = Publication::json("count", &number.to_string()).for_whom("bob");
        sender.publish_it(message);
    }
    for number in 0..500 {
        assert_eq!(at_bob.message_on(1).text(), number.to_string());
    }
    assert_eq!(at_bob.pending(), []);
}

#[test]
fn nobody_can_be_reached_who_is_not_known() {
    let mut anna = Device::new("Anna");
    let mut sender = anna.program();
    for to in ["nobody", "self", "friends", "nobody/phone", "room:x"] {
        let publication = Publication::json("talk", "1").for_whom(to);
        let code = sender.refused(&crate::door::Operation::Publish(publication));
        assert!(matches!(code, Code::UnknownRecipient | Code::NotAvailable), "{to}: {code:?}");
    }
    let status = anna.ask("people.status", Value::Null);
    assert_eq!((&status["outgoing_messages"], &status["links"]), (&json!(0), &json!([])));
}

#[test]
fn an_invite_is_good_once_and_only_as_it_was_made() {
    let (mut anna, mut bob, mut carol) =
        (Device::new("Anna"), Device::new("Bob"), Device::new("Carol"));
    let invite = anna.ask("people.invite", json!({}));
    let link = super::device::text(&invite["link"]);
    // One character of the link is another.
    for at in (link.len() / 3..link.len()).step_by(37) {
        let mut bytes = link.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let refused = bob.administrator.ask("people.join", &json!({"link": changed})).unwrap_err();
        assert_eq!(refused.0, "bad-field", "{}", refused.1);
    }
    bob.ask("people.join", json!({"link": link}));
    // Bob again is told the same; Carol is too late.
    bob.ask("people.join", json!({"link": link}));
    let refused = carol.administrator.ask("people.join", &json!({"link": link})).unwrap_err();
    assert_eq!(refused.0, "not-allowed", "{}", refused.1);
    assert_eq!(anna.refused("false-invite"), 1);
    let known = carol.ask("people.list", Value::Null);
    assert!(known.as_array().unwrap().iter().all(|row| row["relation"] == "unknown"), "{known:#}");
    let known = anna.ask("people.list", Value::Null);
    let friends: Vec<_> =
        known.as_array().unwrap().iter().filter(|row| row["relation"] == "friend").collect();
    assert_eq!((friends.len(), &friends[0]["petname"]), (1, &json!("Bob")));
}
