//! Wills: what is published when a connection ends without goodbye.

use crate::limits::Limits;
use crate::tests::{Bus, FRAMINGS, kept, own_id, publication, publish, small, with};
use kith_wire::{Destination, Operation};

#[test]
fn a_will_is_published_when_the_connection_ends_without_goodbye() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.gone");
        bus.say(alice, 1, Operation::Will(publication("gone", "1")));
        bus.say(alice, 2, Operation::Will(publication("gone", "2")));
        assert_eq!(bus.hears(alice), ["ok 1", "ok 2"]);
        assert!(bus.hears(bob).is_empty());
        bus.cut(alice);
        assert_eq!(bus.hears(bob), ["msg 1 gone 2"]);
        assert_eq!(bus.broker.stats().totals.published, 1);
    }
}

#[test]
fn goodbye_drops_the_will() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.gone");
        bus.say(alice, 0, Operation::Will(publication("gone", "1")));
        bus.say(alice, 2, Operation::Bye);
        assert_eq!(bus.hears(alice), ["ok 2"]);
        bus.cut(alice);
        assert!(bus.hears(bob).is_empty());
    }
}

#[test]
fn a_will_can_be_taken_back() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.gone");
        bus.say(alice, 0, Operation::Will(publication("gone", "1")));
        bus.say(alice, 2, Operation::Unwill);
        bus.say(alice, 3, Operation::Unwill);
        assert_eq!(bus.hears(alice), ["ok 2", "ok 3"]);
        bus.cut(alice);
        assert!(bus.hears(bob).is_empty());
    }
}

#[test]
fn a_connection_cut_off_for_garbage_has_its_will_published() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.binary(), bus.json());
    bus.subscribed(bob, 1, "self.gone");
    bus.say(alice, 0, Operation::Will(publication("gone", "1")));
    bus.feed(alice, &[1, 0, 0, 0]);
    assert!(bus.broker.is_closing(bus.id(alice)));
    bus.cut(alice);
    assert_eq!(bus.hears(bob), ["msg 1 gone 1"]);
}

#[test]
fn a_will_may_have_what_a_publish_may_have() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.say(alice, 0, Operation::Will(kept("gone", "1")));
    bus.cut(alice);
    bus.sub_retained(bob, 1, "self.gone");
    assert_eq!(bus.hears(bob), ["ok 1", "msg 1 gone 1 retained"]);
    // And a will may forget a kept value.
    let alice = bus.json();
    bus.say(alice, 0, Operation::Will(kept("gone", "")));
    bus.cut(alice);
    assert!(bus.hears(bob).is_empty());
    assert_eq!(bus.broker.stats().retained_messages, 0);
}

#[test]
fn a_will_does_not_reach_its_own_publisher() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.>");
    bus.subscribed(bob, 1, "self.>");
    bus.say(alice, 0, Operation::Will(publication("gone", "1")));
    bus.cut(alice);
    assert!(!bus.broker.has_output(bus.id(alice)));
    assert!(bus.hears(bob).contains(&"msg 1 gone 1".to_owned()));
}

#[test]
fn what_may_not_be_published_is_no_will() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        bus.say(alice, 1, Operation::Will(publication("bus.ready", "1")));
        let elsewhere = with("a", "1", |o| o.to = Destination::Elsewhere("friends".to_owned()));
        bus.say(alice, 2, Operation::Will(elsewhere));
        assert_eq!(bus.hears(alice), ["err 1 reserved-topic", "err 2 not-available"]);
    }
}

#[test]
fn a_will_that_can_not_be_kept_is_counted() {
    let mut bus = Bus::new(Limits { retained_messages_max: 0, ..small() });
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.gone");
    bus.say(alice, 0, Operation::Will(kept("gone", "1")));
    bus.cut(alice);
    assert!(bus.hears(bob).is_empty());
    assert_eq!(bus.broker.stats().totals.refused, 1);
}

#[test]
fn a_will_that_was_published_before_is_not_delivered_again() {
    let mut bus = Bus::new(small());
    let bob = bus.json();
    bus.subscribed(bob, 1, "self.gone");
    let last = || with("gone", "1", |options| options.message_id = Some(own_id(1)));
    let hello =
        || Operation::Hello { name: None, client: Some([5; 16]), descriptors: false, token: None };
    let alice = bus.json();
    bus.say(alice, 0, hello());
    bus.say(alice, 0, Operation::Will(last()));
    bus.say(alice, 0, publish(last()));
    bus.cut(alice);
    assert_eq!(bus.hears(bob), ["msg 1 gone 1"]);
    // And the other way round: published as a will, it is not published again.
    let will = || with("gone", "2", |options| options.message_id = Some(own_id(2)));
    let alice = bus.json();
    bus.say(alice, 0, hello());
    bus.say(alice, 0, Operation::Will(will()));
    bus.cut(alice);
    let alice = bus.json();
    bus.say(alice, 0, hello());
    bus.say(alice, 2, publish(will()));
    assert_eq!(bus.hears(alice), ["ok 2 duplicate"]);
    assert_eq!(bus.hears(bob), ["msg 1 gone 2"]);
}
