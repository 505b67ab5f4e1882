//! Links and daemons that end: what was said arrives once, and in order.

use super::Device;
use super::device::{Kind, until_delivered};
use crate::door::{Client, Event, Operation, Publication, new_id};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many messages are sent around each kill.
const RUN: u64 = 60;
/// So often each side is killed.
const KILLS: u64 = 3;

fn count(number: u64) -> Publication {
    Publication::json("count", &number.to_string()).for_whom("bob")
}

fn friends(kind: Kind) -> [Device; 2] {
    let mut anna = Device::of_kind(kind.clone(), "Anna");
    let mut bob = Device::of_kind(kind, "Bob");
    anna.befriend("anna", &mut bob, "bob");
    [anna, bob]
}

/// The numbers that are there for a consumer, up to this last one; each is acknowledged.
fn take(client: &mut Client, last: u64, taken: &mut Vec<u64>) {
    while taken.last() != Some(&last) {
        let delivery = client.message_on(1);
        taken.push(delivery.text().parse().unwrap());
        client.acknowledge(1, &[delivery.message_id]);
    }
}

#[test]
fn what_is_sent_while_the_other_is_away_arrives_once_and_in_order() {
    let [mut anna, mut bob] = friends(Kind::Thread);
    bob.program().subscribe_durable(1, "friends.count", "counter");
    let mut sender = anna.program();
    sender.publish_it(until_delivered(count(0)));
    bob.stop();
    anna.until("people.status", |status| status["links"] == json!([]));
    for number in 1..100 {
        sender.publish_it(count(number));
    }
    // One that waits for its arrival, which is after all before it.
    let last = sender.send(&Operation::Publish(until_delivered(count(100))));
    bob.start();
    assert!(matches!(sender.answer(last), Event::Ok { .. }));
    let mut at_bob = bob.program();
    at_bob.subscribe_durable(1, "friends.count", "counter");
    let mut taken = Vec::new();
    take(&mut at_bob, 100, &mut taken);
    assert_eq!(taken, (0..=100).collect::<Vec<_>>());
    assert_eq!(at_bob.pending(), []);
    let status = anna.ask("people.status", Value::Null);
    assert_eq!(status["outgoing_messages"], 0);
}

#[test]
fn two_that_dial_each_other_at_once_have_one_link() {
    let [mut anna, mut bob] = friends(Kind::Thread);
    let at_anna = anna.ask("people.me", Value::Null)["endpoints"].take();
    let at_bob = bob.ask("people.me", Value::Null)["endpoints"].take();
    anna.stop();
    bob.stop();
    let starting = std::thread::spawn(move || {
        bob.start();
        bob
    });
    anna.start();
    let mut bob = starting.join().unwrap();
    for _ in 0..3 {
        bob.ask("people.add", json!({"person": "anna", "at": at_anna}));
        anna.ask("people.add", json!({"person": "bob", "at": at_bob}));
    }
    let mut listener = bob.program();
    listener.subscribe(1, "friends.count");
    let mut sender = anna.program();
    for number in 0..50 {
        sender.publish_it(until_delivered(count(number)));
        assert_eq!(listener.message_on(1).text(), number.to_string());
    }
    let one = |status: &Value| status["links"].as_array().is_some_and(|links| links.len() == 1);
    anna.until("people.status", one);
    bob.until("people.status", one);
    assert_eq!(listener.pending(), []);
}

/// A run of numbers, each under an id of its own, to be answered when it has arrived.
fn run(round: u64) -> Vec<Publication> {
    let numbers = round * RUN..(round + 1) * RUN;
    numbers.map(|number| until_delivered(count(number).with_id(new_id()))).collect()
}

/// Sends all, and waits until the first has arrived. What the answers come under.
fn send(sender: &mut Client, publications: &[Publication]) -> Vec<u32> {
    let send = |publication: &Publication| sender.send(&Operation::Publish(publication.clone()));
    let asked: Vec<_> = publications.iter().map(send).collect();
    assert!(matches!(sender.answer(asked[0]), Event::Ok { .. }));
    asked
}

/// What is there for Bob's consumer, by number: how often each came.
fn counted(bob: &Device) -> BTreeMap<u64, u64> {
    let mut at_bob = bob.program();
    // All has been answered as delivered, so it is stored here, and comes before the fence.
    at_bob.subscribe_durable(1, "friends.count", "counter");
    let mut counted = BTreeMap::new();
    loop {
        let pending = at_bob.pending();
        if pending.is_empty() && counted.len() as u64 >= KILLS * RUN {
            return counted;
        }
        for event in pending {
            let Event::Message { delivery, .. } = event else { panic!("{event:?}") };
            *counted.entry(delivery.text().parse().unwrap()).or_default() += 1;
            at_bob.acknowledge(1, &[delivery.message_id]);
        }
    }
}

#[test]
fn a_receiver_that_is_killed_loses_nothing() {
    let [anna, mut bob] = friends(Kind::Program);
    bob.program().subscribe_durable(1, "friends.count", "counter");
    let mut sender = anna.program();
    for round in 0..KILLS {
        let asked = send(&mut sender, &run(round));
        bob.kill();
        bob.start();
        for number in asked.into_iter().skip(1) {
            assert!(matches!(sender.answer(number), Event::Ok { .. }));
        }
    }
    let counted = counted(&bob);
    assert_eq!(counted.keys().copied().collect::<Vec<_>>(), (0..KILLS * RUN).collect::<Vec<_>>());
}

#[test]
fn a_sender_that_is_killed_loses_nothing_and_sends_nothing_twice() {
    let [mut anna, bob] = friends(Kind::Program);
    bob.program().subscribe_durable(1, "friends.count", "counter");
    for round in 0..KILLS {
        let publications = run(round);
        send(&mut anna.program(), &publications);
        anna.kill();
        anna.start();
        // A program that means to lose nothing sends what was not answered again, and these may
        // have arrived.
        let mut sender = anna.program();
        for publication in &publications {
            let answer = sender.ask(&Operation::Publish(publication.clone()));
            assert!(matches!(answer, Event::Ok { .. }), "{answer:?}");
        }
    }
    let once = |number| (number, 1);
    assert_eq!(counted(&bob), (0..KILLS * RUN).map(once).collect());
}
