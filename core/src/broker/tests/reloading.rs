//! Limits that change while clients are there: only what is new meets them.

use crate::broker::Framing;
use crate::limits::Limits;
use crate::tests::{Bus, FRAMINGS, Heard, Who, kept, publication, publish, small, small_queue};
use kith_wire::{Code, Operation};

fn change(bus: &mut Bus, limits: Limits) {
    bus.broker.set_limits(bus.now, limits);
}

fn text_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

/// What a client is told that a payload may have.
fn told(bus: &mut Bus, who: Who) -> u64 {
    bus.say(who, 1, Operation::Hello { name: None, client: None, descriptors: false, token: None });
    let heard = bus.hear(who);
    match &heard[..] {
        [Heard::Welcome { payload_bytes_max, .. }] => *payload_bytes_max,
        _ => panic!("{heard:?}"),
    }
}

#[test]
fn who_has_more_than_is_allowed_keeps_it_and_gets_no_more() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.join(framing));
        for number in 1..=3 {
            bus.subscribed(alice, number, "self.a");
        }
        bus.subscribed(bob, 1, "self.ask");
        bus.ask(alice, 11, "ask", 1_000);
        bus.ask(alice, 12, "ask", 1_000);
        change(
            &mut bus,
            Limits { subscriptions_max: 2, requests_max: 1, clients_max: 1, ..small() },
        );
        assert_eq!(bus.broker.connect(bus.now).unwrap_err().code, Code::QuotaClients);
        bus.sub(alice, 4, "self.b");
        bus.ask(alice, 13, "ask", 1_000);
        assert_eq!(bus.hears(alice), ["err 4 quota-subscriptions", "err 13 quota-requests"]);
        bus.publish(bob, "a", "1");
        assert_eq!(bus.hear(alice).len(), 3, "its three subscriptions are still there");
        // As soon as it has less, it may have as much as is allowed.
        bus.unsub(alice, 0, 1);
        bus.unsub(alice, 0, 2);
        bus.subscribed(alice, 4, "self.b");
    }
}

#[test]
fn what_is_kept_stays_and_nothing_is_kept_beside_it() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    for topic in ["a", "b", "c"] {
        bus.say(alice, 1, publish(kept(topic, "1")));
    }
    change(&mut bus, Limits { retained_messages_max: 2, ..small() });
    bus.say(alice, 2, publish(kept("d", "1")));
    assert_eq!(bus.hears(alice), ["ok 1", "ok 1", "ok 1", "err 2 quota-retained"]);
    assert_eq!(bus.broker.stats().retained_messages, 3);
    let late = bus.json();
    bus.sub_retained(late, 1, "self.>");
    assert_eq!(bus.hear(late).len(), 4, "the answer, and what was kept");
}

#[test]
fn a_queue_that_holds_more_than_it_may_loses_nothing_of_it() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        for _ in 0..8 {
            bus.publish(bob, "a", "1");
        }
        change(&mut bus, small_queue(2));
        bus.publish(bob, "a", "2");
        let heard = bus.hears(alice);
        assert_eq!(heard.len(), 9, "{heard:?}");
        assert_eq!(heard.last().unwrap(), "lag 1 of 1", "{heard:?}");
        bus.broker.check_counts().unwrap();
    }
}

#[test]
fn a_smaller_payload_refuses_what_is_larger_and_cuts_nobody_off() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { payload_bytes_max: 256 << 10, ..Limits::default() });
        let alice = bus.join(framing);
        assert_eq!(told(&mut bus, alice), 256 << 10);
        change(&mut bus, small());
        // It has not heard of it; so what it says is read to its end.
        let large = text_of(200 << 10);
        bus.say(alice, 2, publish(publication("a", &large)));
        bus.say(alice, 3, publish(publication("a", "1")));
        assert_eq!(bus.hears(alice), ["err 2 too-large", "ok 3"]);
        assert_eq!(told(&mut bus, alice), 4 << 10);
        // Somebody new may not even begin such a line or frame.
        let late = bus.join(framing);
        bus.say(late, 2, publish(publication("a", &large)));
        assert!(bus.broker.is_closing(bus.id(late)));
    }
}

#[test]
fn what_was_half_said_is_taken_after_a_change() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { payload_bytes_max: 256 << 10, ..Limits::default() });
        let alice = bus.join(framing);
        let large = publish(publication("a", &text_of(200 << 10)));
        let bytes = bus.encode(alice, 2, large);
        let (first, rest) = bytes.split_at(100 << 10);
        bus.feed(alice, first);
        change(&mut bus, small());
        bus.feed(alice, rest);
        bus.say(alice, 3, Operation::Ping);
        assert_eq!(bus.hears(alice), ["err 2 too-large", "ok 3"]);
    }
}

#[test]
fn larger_limits_hold_at_once_and_queues_grow_with_payloads() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(2));
        let (alice, bob) = (bus.join(framing), bus.join(framing));
        bus.subscribed(alice, 1, "self.a");
        let large = Limits { payload_bytes_max: 1 << 20, queue_bytes_max: 1, ..small_queue(8) };
        change(&mut bus, large);
        assert!(bus.broker.limits().queue_bytes_max > 1 << 20, "one has to fit");
        bus.say(bob, 2, publish(publication("a", &text_of(1 << 20))));
        for _ in 0..7 {
            bus.publish(bob, "a", "1");
        }
        assert_eq!(bus.hears(bob), ["ok 2"]);
        let heard = bus.hear(alice);
        assert_eq!(heard.len(), 8);
        assert_eq!(heard[0].message().payload.len(), 1 << 20);
    }
}

#[test]
fn counters_come_in_the_new_interval_from_then_on() {
    let mut bus = Bus::new(Limits { stats_interval_ms: 3_600_000, ..small() });
    let alice = bus.json();
    change(&mut bus, Limits { stats_interval_ms: 1_000_000, ..small() });
    assert_eq!(bus.broker.poll_timeout(), None, "nobody wants them");
    bus.subscribed(alice, 1, "self.bus.stats");
    change(&mut bus, Limits { stats_interval_ms: 1_000, ..small() });
    bus.pass(3_500);
    assert_eq!(bus.hear(alice).len(), 3);
}

#[test]
fn a_framing_that_is_not_told_yet_has_the_new_limits() {
    let mut bus = Bus::new(small());
    let alice = bus.raw(Framing::JsonLines);
    change(&mut bus, Limits { payload_bytes_max: 64 << 10, ..Limits::default() });
    bus.say(alice, 1, publish(publication("a", &text_of(60 << 10))));
    assert_eq!(bus.hears(alice), ["ok 1"]);
}
