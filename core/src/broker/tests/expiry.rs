//! Messages that expire while they wait.

use crate::tests::{Bus, FRAMINGS, publish, small, small_queue, with};
use kith_wire::{Operation, Publication};

fn expiring(topic: &str, payload: &str, ms: u64) -> Publication<'static> {
    with(topic, payload, |options| options.expire_after_ms = Some(ms))
}

#[test]
fn what_has_expired_in_the_queue_is_not_delivered() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.publish(bob, "a", "0");
        for (payload, ms) in [("1", 10), ("2", 30), ("3", 20), ("4", 31)] {
            bus.say(bob, 0, publish(expiring("a", payload, ms)));
        }
        bus.publish(bob, "a", "5");
        bus.pass(30);
        assert_eq!(bus.hears(alice), ["msg 1 a 0", "msg 1 a 4", "msg 1 a 5"]);
        assert_eq!(bus.broker.stats().totals.expired, 3);
        let stats = bus.broker.stats();
        assert_eq!((stats.queued_messages, stats.queued_bytes), (0, 0));
    }
}

#[test]
fn what_is_read_in_time_is_delivered() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.a");
    bus.say(bob, 0, publish(expiring("a", "1", 10)));
    bus.pass(9);
    let heard = bus.hear(alice);
    assert_eq!(heard[0].message().expires_at, Some(bus.now.unix_ms + 1));
}

#[test]
fn a_client_whose_whole_queue_expired_has_nothing_to_read() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        for _ in 0..1_000 {
            bus.say(bob, 0, publish(expiring("a", "1", 10)));
        }
        bus.pass(10);
        assert!(bus.broker.has_output(bus.id(alice)));
        assert_eq!(bus.broker.stage(bus.now, bus.id(alice)).count(), 0);
        assert!(!bus.broker.has_output(bus.id(alice)));
        assert_eq!(bus.broker.usage(bus.id(alice)).unwrap().queued_messages, 0);
        // And it goes on.
        bus.publish(bob, "a", "2");
        assert_eq!(bus.hears(alice), ["msg 1 a 2"]);
    }
}

#[test]
fn who_lost_messages_is_told_also_when_the_queue_emptied_by_expiry() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(3));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        for _ in 0..5 {
            bus.say(bob, 0, publish(expiring("a", "1", 10)));
        }
        bus.pass(10);
        assert_eq!(bus.hears(alice), ["lag 1 of 2"]);
    }
}

#[test]
fn what_expired_makes_room_when_it_is_looked_at() {
    let mut bus = Bus::new(small_queue(2));
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.a");
    for _ in 0..2 {
        bus.say(bob, 0, publish(expiring("a", "1", 10)));
    }
    bus.pass(10);
    assert!(bus.hears(alice).is_empty());
    bus.publish(bob, "a", "2");
    bus.publish(bob, "a", "3");
    assert_eq!(bus.hears(alice), ["msg 1 a 2", "msg 1 a 3"]);
}

#[test]
fn what_is_being_sent_is_sent_to_its_end() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.say(bob, 0, publish(expiring("a", "1", 10)));
        assert!(bus.hear_some(alice, 20).is_empty());
        bus.pass(100);
        assert_eq!(bus.hears(alice), ["msg 1 a 1"]);
    }
}

#[test]
fn a_request_that_expired_is_not_asked_and_times_out() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    bus.ask_with(alice, 1, expiring("what", "1", 10), 50);
    bus.say(alice, 2, Operation::Ping);
    bus.pass(50);
    assert!(bus.hears(bob).is_empty());
    assert_eq!(bus.hears(alice), ["ok 2", "err 1 timeout"]);
}
