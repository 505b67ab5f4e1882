//! A publish that is repeated is delivered once.

use crate::limits::{Limits, REMEMBERED_MS_MAX};
use crate::tests::{Bus, FRAMINGS, Heard, Who, own_id, publish, small, with};
use kith_wire::{Operation, Publication};

fn given(n: u32) -> Publication<'static> {
    with("a", &n.to_string(), |options| options.message_id = Some(own_id(n)))
}

fn hello(bus: &mut Bus, who: Who, client: u8) {
    bus.say(
        who,
        0,
        Operation::Hello {
            name: None,
            client: Some([client; 16]),
            descriptors: false,
            token: None,
        },
    );
}

#[test]
fn the_same_id_again_is_answered_and_not_delivered() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.a");
        for number in 1..=3 {
            bus.say(alice, number, publish(given(1)));
        }
        bus.say(alice, 0, publish(given(1)));
        let heard = bus.hear(alice);
        assert_eq!(crate::tests::texts(&heard), ["ok 1", "ok 2 duplicate", "ok 3 duplicate"]);
        for one in heard {
            assert!(
                matches!(one, Heard::Ok { message_id: Some(id), .. } if id == own_id(1).to_string())
            );
        }
        assert_eq!(bus.hears(bob), ["msg 1 a 1"]);
        assert_eq!(bus.broker.stats().totals.published, 1);
    }
}

#[test]
fn a_client_id_is_recognised_across_connections() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.a");
        hello(&mut bus, alice, 1);
        bus.say(alice, 0, publish(given(1)));
        bus.cut(alice);
        let again = bus.json();
        hello(&mut bus, again, 1);
        bus.say(again, 7, publish(given(1)));
        bus.say(again, 8, publish(given(2)));
        assert_eq!(bus.hears(again), ["ok 7 duplicate", "ok 8"]);
        // Two connections of one client at the same time know of each other, too.
        let beside = bus.binary();
        hello(&mut bus, beside, 1);
        bus.say(beside, 9, publish(given(2)));
        assert_eq!(bus.hears(beside), ["ok 9 duplicate"]);
        assert_eq!(bus.hears(bob), ["msg 1 a 1", "msg 1 a 2"]);
    }
}

#[test]
fn different_clients_do_not_know_of_each_other() {
    let mut bus = Bus::new(small());
    let (alice, bob, carl) = (bus.json(), bus.json(), bus.json());
    hello(&mut bus, carl, 3);
    for who in [alice, bob, carl] {
        bus.say(who, 1, publish(given(1)));
        assert_eq!(bus.hears(who), ["ok 1"]);
    }
    // A connection without a client id is remembered for as long as it lasts.
    bus.cut(alice);
    let again = bus.json();
    bus.say(again, 1, publish(given(1)));
    assert_eq!(bus.hears(again), ["ok 1"]);
}

#[test]
fn ids_are_remembered_for_ten_minutes() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.say(alice, 1, publish(given(1)));
    bus.pass(REMEMBERED_MS_MAX - 1);
    bus.say(alice, 2, publish(given(1)));
    bus.pass(1);
    bus.say(alice, 3, publish(given(1)));
    assert_eq!(bus.hears(alice), ["ok 1", "ok 2 duplicate", "ok 3"]);
}

#[test]
fn a_publish_that_was_refused_can_be_repeated() {
    let mut bus = Bus::new(Limits { retained_messages_max: 1, ..small() });
    let (alice, bob) = (bus.json(), bus.json());
    bus.say(bob, 0, publish(crate::tests::kept("x", "1")));
    let value = || {
        with("y", "1", |options| {
            options.retain = true;
            options.message_id = Some(own_id(1));
        })
    };
    bus.say(alice, 1, publish(value()));
    bus.say(alice, 2, publish(value()));
    bus.say(bob, 0, publish(crate::tests::kept("x", "")));
    bus.say(alice, 3, publish(value()));
    bus.say(alice, 4, publish(value()));
    assert_eq!(
        bus.hears(alice),
        ["err 1 quota-retained", "err 2 quota-retained", "ok 3", "ok 4 duplicate"]
    );
    // The same with a topic that is not allowed, and one that is.
    let reserved = |topic: &str| with(topic, "1", |o| o.message_id = Some(own_id(9)));
    bus.say(alice, 5, publish(reserved("bus.x")));
    bus.say(alice, 6, publish(reserved("z")));
    assert_eq!(bus.hears(alice), ["err 5 reserved-topic", "ok 6"]);
}

#[test]
fn what_is_remembered_goes_with_its_connection_or_stays_with_its_client() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.say(alice, 0, publish(given(1)));
    hello(&mut bus, bob, 2);
    bus.say(bob, 0, publish(given(1)));
    assert_eq!(bus.broker.stats().remembered_ids, 2);
    // Who takes a client id leaves what it published without one.
    hello(&mut bus, alice, 1);
    assert_eq!(bus.broker.stats().remembered_ids, 1);
    bus.cut(alice);
    bus.cut(bob);
    assert_eq!(bus.broker.stats().remembered_ids, 1);
}
