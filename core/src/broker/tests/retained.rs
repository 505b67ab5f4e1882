//! Kept values: set, replaced, cleared, expired, and counted.

use crate::limits::Limits;
use crate::tests::{Bus, FRAMINGS, Who, kept, publication, publish, small, with};
use kith_wire::{Operation, Options, Priority, Protocol, Publication};

/// Has a client keep a value, and hears the answer.
fn keep(bus: &mut Bus, who: Who, publication: Publication<'static>) -> String {
    bus.say(who, 77, publish(publication));
    bus.hears(who).join(", ")
}

/// What a new client hears that asks for the kept values of a pattern, without the `ok`.
fn kept_for(bus: &mut Bus, pattern: &str) -> Vec<String> {
    let who = bus.json();
    bus.sub_retained(who, 1, pattern);
    let mut heard = bus.hears(who);
    bus.cut(who);
    assert_eq!(heard.remove(0), "ok 1");
    heard
}

#[test]
fn the_last_value_comes_first_and_is_marked_where_it_was_asked_for() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.say(bob, 0, publish(kept("a.b", "1")));
        bus.say(bob, 0, publish(kept("a.b", "2")));
        bus.sub_retained(alice, 1, "self.a.*");
        bus.sub(alice, 2, "self.x");
        bus.publish(bob, "a.b", "3");
        assert_eq!(bus.hears(alice), ["ok 1", "ok 2", "msg 1 a.b 2 retained", "msg 1 a.b 3"]);
        // What is published without `retain` does not replace it.
        assert_eq!(kept_for(&mut bus, "self.>"), ["msg 1 a.b 2 retained"]);
    }
}

#[test]
fn who_subscribed_already_hears_a_value_once_as_a_new_message() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.binary());
    bus.sub_retained(alice, 1, "self.a");
    assert_eq!(bus.hears(alice), ["ok 1"]);
    bus.say(bob, 0, publish(kept("a", "1")));
    assert_eq!(bus.hears(alice), ["msg 1 a 1"]);
}

#[test]
fn kept_values_come_before_new_ones_whatever_their_priority() {
    for framing in FRAMINGS {
        for priority in Priority::ALL {
            let mut bus = Bus::new(small());
            let (alice, bob) = (bus.join(framing), bus.json());
            let old = with("a", "1", |options| {
                options.retain = true;
                options.priority = priority;
            });
            bus.say(bob, 0, publish(old));
            bus.sub_retained(alice, 1, "self.a");
            bus.say(bob, 0, publish(with("a", "2", |o| o.priority = Priority::High)));
            let heard = bus.hear(alice);
            assert_eq!(crate::tests::texts(&heard), ["ok 1", "msg 1 a 1 retained", "msg 1 a 2"]);
            assert_eq!(heard[1].message().priority, priority.name());
        }
    }
}

#[test]
fn a_value_is_kept_for_each_protocol_of_a_topic() {
    let mut bus = Bus::new(small());
    let bob = bus.binary();
    let mut blob = kept("a", "raw");
    blob.protocol = Protocol::BT;
    bus.say(bob, 0, publish(blob.clone()));
    bus.say(bob, 0, publish(kept("a", "1")));
    assert_eq!(kept_for(&mut bus, "self.a"), ["msg 1 a 1 retained"]);
    assert_eq!(kept_for(&mut bus, "bt/self.*"), ["msg 1 bt/a raw retained"]);
    assert_eq!(kept_for(&mut bus, "*/*.>").len(), 2);
    assert!(kept_for(&mut bus, "*/friends.>").is_empty());
    blob.payload = Vec::new().into();
    bus.say(bob, 0, publish(blob));
    assert_eq!(kept_for(&mut bus, "*/*.>"), ["msg 1 a 1 retained"]);
}

#[test]
fn an_empty_payload_forgets_and_is_not_delivered() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.json(), bus.join(framing));
        bus.subscribed(alice, 1, "self.a");
        bus.say(bob, 0, publish(kept("a", "1")));
        assert_eq!(bus.broker.stats().retained_messages, 1);
        assert_eq!(keep(&mut bus, bob, kept("a", "")), "ok 77");
        // There may be nothing to forget.
        assert_eq!(keep(&mut bus, bob, kept("b", "")), "ok 77");
        assert_eq!(bus.hears(alice), ["msg 1 a 1"]);
        let stats = bus.broker.stats();
        assert_eq!((stats.retained_messages, stats.retained_bytes), (0, 0));
        assert!(kept_for(&mut bus, "self.a").is_empty());
    }
}

#[test]
fn a_value_expires() {
    let mut bus = Bus::new(small());
    let bob = bus.json();
    let value = with("a", "1", |options| {
        options.retain = true;
        options.expire_after_ms = Some(100);
    });
    bus.say(bob, 0, publish(value));
    bus.pass(99);
    assert_eq!(kept_for(&mut bus, "self.a"), ["msg 1 a 1 retained"]);
    bus.pass(1);
    assert!(kept_for(&mut bus, "self.a").is_empty());
}

#[test]
fn a_value_outlives_its_publisher() {
    let mut bus = Bus::new(small());
    let bob = bus.json();
    bus.say(bob, 0, publish(kept("a", "1")));
    bus.cut(bob);
    assert_eq!(kept_for(&mut bus, "self.a"), ["msg 1 a 1 retained"]);
}

#[test]
fn what_a_pattern_finds_is_what_matches() {
    let mut bus = Bus::new(small());
    let bob = bus.binary();
    for topic in ["a", "a.b", "a.b.c", "a.bc", "ab", "b.a"] {
        bus.say(bob, 0, publish(kept(topic, "1")));
    }
    for (pattern, wanted) in [
        ("self.a", &["a"][..]),
        ("self.a.b", &["a.b"]),
        ("self.a.*", &["a.b", "a.bc"]),
        ("self.a.>", &["a.b", "a.b.c", "a.bc"]),
        ("self.*.a", &["b.a"]),
        ("self.*", &["a", "ab"]),
        ("self.>", &["a", "a.b", "a.b.c", "a.bc", "ab", "b.a"]),
        ("self.z", &[]),
    ] {
        let wanted: Vec<String> =
            wanted.iter().map(|topic| format!("msg 1 {topic} 1 retained")).collect();
        assert_eq!(kept_for(&mut bus, pattern), wanted, "{pattern}");
    }
}

/// Small limits, and so many values.
fn room_for(values: usize) -> Limits {
    Limits { retained_messages_max: values, ..small() }
}

#[test]
fn one_connection_keeps_half_of_what_the_bus_does() {
    let mut bus = Bus::new(room_for(4));
    let (alice, bob) = (bus.json(), bus.binary());
    for (topic, answer) in [("a", "ok 77"), ("b", "ok 77"), ("c", "err 77 quota-retained")] {
        assert_eq!(keep(&mut bus, alice, kept(topic, "1")), answer);
    }
    // To replace one's own value takes no more room, and what is forgotten makes room.
    assert_eq!(keep(&mut bus, alice, kept("a", "2")), "ok 77");
    assert_eq!(keep(&mut bus, alice, kept("b", "")), "ok 77");
    assert_eq!(keep(&mut bus, alice, kept("c", "1")), "ok 77");
    for (topic, answer) in [("d", "ok 77"), ("e", "ok 77"), ("f", "err 77 quota-retained")] {
        assert_eq!(keep(&mut bus, bob, kept(topic, "1")), answer);
    }
    // The bus is full, and another's value would come on top of one's own two.
    let carol = bus.json();
    assert_eq!(keep(&mut bus, carol, kept("g", "1")), "err 77 quota-retained");
    assert_eq!(keep(&mut bus, bob, kept("a", "3")), "err 77 quota-retained");
    // What carol replaces is hers from then on, so alice has room again.
    assert_eq!(keep(&mut bus, carol, kept("a", "4")), "ok 77");
    assert_eq!(keep(&mut bus, bob, kept("d", "")), "ok 77");
    assert_eq!(keep(&mut bus, alice, kept("g", "1")), "ok 77");
    assert_eq!(bus.broker.stats().retained_messages, 4);
}

#[test]
fn bytes_are_limited_too_and_a_refused_value_is_not_delivered() {
    let mut bus = Bus::new(Limits { retained_bytes_max: 4_000, ..small() });
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.>");
    let big = format!("\"{}\"", "x".repeat(1_500));
    assert_eq!(keep(&mut bus, bob, kept("a", &big)), "ok 77");
    assert_eq!(keep(&mut bus, bob, kept("b", &big)), "err 77 quota-retained");
    assert_eq!(bus.hear(alice).len(), 1);
    assert_eq!(keep(&mut bus, bob, kept("a", "1")), "ok 77");
    assert_eq!(keep(&mut bus, bob, kept("b", &big)), "ok 77");
}

#[test]
fn expired_values_make_room() {
    let mut bus = Bus::new(room_for(4));
    let bob = bus.json();
    let short = |topic: &str| {
        with(topic, "1", |options: &mut Options<'static>| {
            options.retain = true;
            options.expire_after_ms = Some(10);
        })
    };
    assert_eq!(keep(&mut bus, bob, short("a")), "ok 77");
    assert_eq!(keep(&mut bus, bob, short("b")), "ok 77");
    assert_eq!(keep(&mut bus, bob, short("c")), "err 77 quota-retained");
    bus.pass(10);
    assert_eq!(keep(&mut bus, bob, short("c")), "ok 77");
    assert_eq!(bus.broker.stats().retained_messages, 1);
    // Replaced by one that stays, it is not taken away at its old time.
    assert_eq!(keep(&mut bus, bob, kept("c", "2")), "ok 77");
    bus.pass(10);
    for topic in ["d", "e"] {
        keep(&mut bus, bob, short(topic));
    }
    assert_eq!(kept_for(&mut bus, "self.c"), ["msg 1 c 2 retained"]);
}

#[test]
fn values_of_a_connection_that_is_gone_count_for_the_bus_alone() {
    let mut bus = Bus::new(room_for(4));
    let bob = bus.json();
    keep(&mut bus, bob, kept("a", "1"));
    keep(&mut bus, bob, kept("b", "1"));
    bus.cut(bob);
    // The next one in the same place has all of its half, and what it replaces becomes its own.
    let carol = bus.json();
    assert_eq!(keep(&mut bus, carol, kept("a", "2")), "ok 77");
    assert_eq!(keep(&mut bus, carol, kept("c", "2")), "ok 77");
    assert_eq!(keep(&mut bus, carol, kept("d", "2")), "err 77 quota-retained");
    for topic in ["a", "b", "c"] {
        assert_eq!(keep(&mut bus, carol, kept(topic, "")), "ok 77");
    }
    let stats = bus.broker.stats();
    assert_eq!((stats.retained_messages, stats.retained_bytes), (0, 0));
}

#[test]
fn headers_count_what_they_take() {
    let mut bus = Bus::new(Limits { retained_bytes_max: 8 << 10, ..small() });
    let bob = bus.binary();
    let many = with("a", "1", |options| {
        options.retain = true;
        for n in 0..kith_wire::limits::HEADERS_MAX {
            options.headers.insert(&format!("k{n}"), "").unwrap();
        }
    });
    // Pairs of strings take far more than their few hundred bytes of text.
    assert_eq!(keep(&mut bus, bob, many), "err 77 quota-retained");
}

#[test]
fn a_subscriber_without_room_for_all_kept_values_is_told_how_many_it_missed() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { queue_messages_max: 3, ..small() });
        let (alice, bob) = (bus.join(framing), bus.binary());
        for n in 0..10 {
            bus.say(bob, 0, publish(kept(&format!("a.{n}"), "1")));
        }
        bus.sub_retained(alice, 1, "self.a.*");
        let heard = bus.hears(alice);
        assert_eq!(heard[1..4], [0, 1, 2].map(|n| format!("msg 1 a.{n} 1 retained")));
        assert_eq!(heard[4..], ["lag 1 of 7"]);
    }
}

#[test]
fn only_a_pattern_that_asks_for_the_own_scope_finds_kept_values() {
    let mut bus = Bus::new(small());
    let bob = bus.json();
    bus.say(bob, 0, publish(kept("a", "1")));
    assert!(kept_for(&mut bus, "friends.a").is_empty());
    assert!(kept_for(&mut bus, "public.>").is_empty());
    assert_eq!(kept_for(&mut bus, "*.a").len(), 1);
}

#[test]
fn a_plain_sub_gets_no_kept_values() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.say(bob, 0, publish(kept("a", "1")));
    bus.subscribed(alice, 1, "self.a");
    bus.say(alice, 0, Operation::Ping);
    bus.say(bob, 0, publish(publication("a", "2")));
    assert_eq!(bus.hears(alice), ["msg 1 a 2"]);
}
