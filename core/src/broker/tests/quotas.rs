//! Quotas: the offender is told, and nobody else notices.

use crate::limits::Limits;
use crate::tests::{Bus, FRAMINGS, publish, small, with};
use kith_wire::{Code, Destination, Operation};

#[test]
fn a_connection_has_so_many_subscriptions() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { subscriptions_max: 2, ..small() });
        let (alice, bob) = (bus.join(framing), bus.json());
        for number in 1..=3 {
            bus.sub(alice, number, "self.a");
        }
        bus.subscribed(bob, 1, "self.a");
        assert_eq!(bus.hears(alice), ["ok 1", "ok 2", "err 3 quota-subscriptions"]);
        bus.unsub(alice, 0, 1);
        bus.subscribed(alice, 3, "self.a");
    }
}

#[test]
fn long_patterns_with_wildcards_count_as_several() {
    let mut bus = Bus::new(Limits { subscriptions_max: 4, subscriptions_total_max: 9, ..small() });
    let (alice, bob, carl) = (bus.json(), bus.binary(), bus.json());
    let long = |tokens: usize| format!("self.{}*", "a.".repeat(tokens - 1));
    bus.sub(alice, 1, &long(33));
    bus.sub(alice, 2, &long(24));
    bus.sub(alice, 3, &long(9));
    bus.sub(alice, 4, &long(8));
    // Without wildcards it is found by its whole topic.
    bus.sub(bob, 1, &format!("self.{}z", "a.".repeat(40)));
    assert_eq!(
        bus.hears(alice),
        ["err 1 quota-subscriptions", "ok 2", "err 3 quota-subscriptions", "ok 4"]
    );
    bus.sub(carl, 1, &long(32));
    bus.sub(bob, 2, "self.a");
    assert_eq!(bus.hears(carl), ["ok 1"]);
    assert_eq!(bus.hears(bob), ["ok 1", "err 2 quota-subscriptions"]);
    // What ends makes as much room as it took.
    bus.unsub(alice, 0, 2);
    bus.sub(alice, 5, &format!("self.{}>", "a.".repeat(22)));
    assert_eq!(bus.hears(alice), ["ok 5"]);
    bus.cut(carl);
    bus.sub(bob, 2, "self.a");
    assert_eq!(bus.hears(bob), ["ok 2"]);
}

#[test]
fn the_bus_has_so_many_subscriptions() {
    let mut bus = Bus::new(Limits { subscriptions_total_max: 2, ..small() });
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.a");
    bus.subscribed(bob, 1, "self.a");
    bus.sub(bob, 2, "self.b");
    assert_eq!(bus.hears(bob), ["err 2 quota-subscriptions"]);
    bus.cut(alice);
    bus.subscribed(bob, 2, "self.b");
}

#[test]
fn the_bus_has_so_many_connections() {
    let mut bus = Bus::new(Limits { clients_max: 2, ..small() });
    let (alice, _bob) = (bus.json(), bus.json());
    let refusal = bus.broker.connect(bus.now).unwrap_err();
    assert_eq!((refusal.code, refusal.fatal), (Code::QuotaClients, true));
    let totals = bus.broker.stats().totals;
    assert_eq!((totals.refused, totals.refused_connections, totals.cut_off), (1, 1, 0));
    bus.cut(alice);
    assert!(bus.broker.connect(bus.now).is_ok());
}

#[test]
fn limits_that_can_not_work_are_raised_until_they_do() {
    let limits = Limits { queue_bytes_max: 1, queue_messages_max: 0, ..small() }.sane();
    assert_eq!(limits.queue_messages_max, 1);
    assert!(limits.queue_bytes_max > kith_wire::limits::line_bytes_max(4 << 10));
    assert_eq!(Limits::default().sane(), Limits::default());
}

#[test]
fn other_destinations_are_not_available() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "*.a");
        for to in ["self", "friends", "public", "anna/phone", "did:key:z6Mk"] {
            let far = || with("a", "1", |o| o.to = Destination::Elsewhere(to.to_owned()));
            bus.say(alice, 1, publish(far()));
            bus.ask_with(alice, 2, far(), 1_000);
            bus.say(alice, 3, Operation::Will(far()));
            assert_eq!(
                bus.hears(alice),
                ["err 1 not-available", "err 2 not-available", "err 3 not-available"],
                "{to}"
            );
        }
        assert!(bus.hears(bob).is_empty());
    }
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.line(alice, r#"{"op":"pub","id":1,"topic":"a","payload":1,"to":"local"}"#);
    assert_eq!(bus.hears(alice), ["ok 1"]);
}
