//! Two people on networks of their own, with a router between them and no multicast.

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
