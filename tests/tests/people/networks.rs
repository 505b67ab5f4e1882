//! Two people on real networks: one with multicast, and two with a router between them.

use super::Device;
use super::device::{Kind, until_delivered};
use super::namespace::{Namespace, can_make};
use crate::door::Publication;
use serde_json::{Value, json};
use std::sync::Arc;

/// A message that arrives, and comes to whoever listens there as one of a friend.
fn talk(from: &Device, to: &Device, petname: &str, text: &str) {
    let mut listener = to.program();
    listener.subscribe(1, "friends.talk");
    let message = Publication::json("talk", text).for_whom(petname);
    from.program().publish_it(until_delivered(message));
    assert_eq!(listener.message_on(1).text(), text);
}

#[test]
fn friends_who_come_back_under_other_addresses_find_each_other_by_mdns_alone() {
    if !can_make() {
        return;
    }
    let [one, other] = [(); 2].map(|()| Arc::new(Namespace::new()));
    one.wire("lan", "10.77.0.1/24", &other, ("lan", "10.77.0.2/24"));
    let mut anna = Device::of_kind(Kind::Elsewhere(Arc::clone(&one)), "Anna");
    let mut bob = Device::of_kind(Kind::Elsewhere(Arc::clone(&other)), "Bob");
    anna.befriend("anna", &mut bob, "bob");
    talk(&anna, &bob, "bob", "1");
    // Each has to know the other's secret, by which they are recognised.
    for device in [&mut anna, &mut bob] {
        device.until("people.status", |status| status["outgoing_messages"] == 0);
        device.stop();
    }
    for (network, old, new) in
        [(&one, "10.77.0.1/24", "10.77.0.11/24"), (&other, "10.77.0.2/24", "10.77.0.12/24")]
    {
        network.run(&["ip", "addr", "del", old, "dev", "lan"]);
        network.run(&["ip", "addr", "add", new, "dev", "lan"]);
    }
    anna.start();
    bob.start();
    for device in [&mut anna, &mut bob] {
        assert_eq!(device.ask("people.status", Value::Null)["links"], json!([]));
        device.enable("mdns");
    }
    anna.until("people.status", |status| status["links"] != json!([]));
    talk(&anna, &bob, "bob", "2");
    talk(&bob, &anna, "anna", "3");
    let status = anna.ask("people.status", Value::Null);
    let endpoint = status["links"][0]["endpoint"].as_str().unwrap();
    assert!(endpoint.starts_with("10.77.0.12:"), "{endpoint}");
}

/// Two people on networks of their own, and the router that joins them.
fn routed() -> ([Device; 2], Namespace) {
    let router = Namespace::new();
    let names = ["Anna", "Bob"];
    let devices = [(1, "north"), (2, "south")].map(|(number, wire)| {
        let network = Arc::new(Namespace::new());
        let [own, gateway] = [2, 1].map(|last| format!("10.78.{number}.{last}"));
        let ends = [&own, &gateway].map(|address| format!("{address}/24"));
        network.wire(wire, &ends[0], &router, (wire, &ends[1]));
        network.route(&gateway);
        (network, number)
    });
    router.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    let devices = devices
        .map(|(network, number)| Device::of_kind(Kind::Elsewhere(network), names[number - 1]));
    (devices, router)
}

#[test]
fn an_invite_works_across_a_router() {
    if !can_make() {
        return;
    }
    let ([mut anna, mut bob], _router) = routed();
    anna.befriend("anna", &mut bob, "bob");
    talk(&anna, &bob, "bob", "1");
    talk(&bob, &anna, "anna", "2");
}

#[test]
fn an_address_that_the_user_gives_is_enough_across_a_router() {
    if !can_make() {
        return;
    }
    let ([mut anna, mut bob], _router) = routed();
    let (annas, bobs) = (anna.identity(), bob.identity());
    let at = bob.ask("people.me", Value::Null)["endpoints"].take();
    bob.ask("people.add", json!({"person": annas, "petname": "anna"}));
    anna.ask("people.add", json!({"person": bobs, "petname": "bob", "at": at}));
    // What is known of each other comes over the link, signed.
    for device in [&mut anna, &mut bob] {
        device.until("people.list", |list| list[0]["devices"][0]["online"] == true);
    }
    talk(&anna, &bob, "bob", "1");
    talk(&bob, &anna, "anna", "2");
}
