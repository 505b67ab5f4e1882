//! Subscribing, unsubscribing, and what a pattern gets.

use crate::tests::{Bus, FRAMINGS, publication, publish, small, with};
use kith_wire::{Operation, Options, Priority, Protocol, Topic};

#[test]
fn a_pattern_gets_what_it_matches_and_nothing_else() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        for (number, pattern) in
            [(1, "self.a.b"), (2, "self.a.*"), (3, "self.>"), (4, "*.a.b"), (5, "friends.a.b")]
        {
            bus.subscribed(alice, number, pattern);
        }
        bus.publish(bob, "a.b", "1");
        let mut heard = bus.hears(alice);
        heard.sort();
        assert_eq!(heard, ["msg 1 a.b 1", "msg 2 a.b 1", "msg 3 a.b 1", "msg 4 a.b 1"]);
        bus.publish(bob, "a.b.c", "2");
        assert_eq!(bus.hears(alice), ["msg 3 a.b.c 2"]);
        bus.publish(bob, "a", "3");
        assert_eq!(bus.hears(alice), ["msg 3 a 3"]);
    }
}

#[test]
fn a_protocol_is_part_of_the_pattern() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(alice, 2, "bt/self.a");
        bus.subscribed(alice, 3, "*/self.>");
        let mut blob = publication("a", "raw");
        blob.protocol = Protocol::BT;
        bus.say(bob, 0, publish(blob.clone()));
        assert_eq!(bus.hears(alice), ["msg 2 bt/a raw", "msg 3 bt/a raw"]);
        bus.publish(bob, "a", "1");
        assert_eq!(bus.hears(alice), ["msg 1 a 1", "msg 3 a 1"]);
        // A name is registered by using it.
        blob.protocol = Protocol::new("x+y").unwrap();
        bus.say(bob, 0, publish(blob));
        assert_eq!(bus.hears(alice), ["msg 3 x+y/a raw"]);
    }
}

#[test]
fn a_publisher_hears_itself_if_it_asked_to() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        bus.sub(alice, 1, "self.a");
        bus.say(alice, 2, publish(publication("a", "1")));
        // Answers overtake messages.
        assert_eq!(bus.hears(alice), ["ok 1", "ok 2", "msg 1 a 1"]);
    }
}

#[test]
fn a_delivery_carries_everything_that_was_published() {
    let mut messages = Vec::new();
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.subscribed(alice, 9, "self.a");
        bus.pass(5);
        let full = with("a", "{\"x\":1}", |options: &mut Options<'_>| {
            options.message_id = Some(crate::tests::own_id(3));
            options.expire_after_ms = Some(60_000);
            options.reply_to = Some(Topic::new("answers.here").unwrap());
            options.priority = Priority::High;
            options.headers.insert("trace", "a \"b\" ü").unwrap();
        });
        bus.say(bob, 0, publish(full));
        let heard = bus.hear(alice);
        let message = heard[0].message().clone();
        assert_eq!(message.message_id, crate::tests::own_id(3).to_string());
        assert_eq!((message.sender.as_str(), message.device.as_deref()), ("local", None));
        assert_eq!((message.scope.as_str(), message.priority.as_str()), ("self", "high"));
        assert_eq!(message.sent_at, bus.now.unix_ms);
        assert_eq!(message.expires_at, Some(bus.now.unix_ms + 60_000));
        assert_eq!(message.reply_to.as_deref(), Some("answers.here"));
        assert_eq!(message.headers, [("trace".to_owned(), "a \"b\" ü".to_owned())]);
        assert_eq!(message.payload, b"{\"x\":1}");
        assert!(!message.retained);
        messages.push(message);
    }
    assert_eq!(messages[0], messages[1]);
}

#[test]
fn ids_of_messages_published_together_are_consecutive_and_answered() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.subscribed(alice, 1, "self.a");
        let batch: Vec<u8> = (0..5)
            .flat_map(|n: u32| bus.encode(bob, 0, publish(publication("a", &n.to_string()))))
            .collect();
        bus.feed(bob, &batch);
        bus.say(bob, 7, publish(publication("a", "5")));
        let ids: Vec<u128> =
            bus.hear(alice).iter().map(|one| number(&one.message().message_id)).collect();
        assert_eq!(ids, (0..6).map(|n| ids[0] + n).collect::<Vec<_>>());
        match &bus.hear(bob)[..] {
            [
                crate::tests::Heard::Ok {
                    number: 7, message_id: Some(id), duplicate: false, ..
                },
            ] => {
                assert_eq!(number(id), ids[5]);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn number(id: &str) -> u128 {
    u128::from_str_radix(&id.replace('-', ""), 16).unwrap()
}

#[test]
fn a_subscription_number_is_used_once_at_a_time_and_per_connection() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.join(framing));
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(bob, 1, "self.b");
        bus.sub(alice, 1, "self.c");
        assert_eq!(bus.hears(alice), ["err 1 duplicate-subscription"]);
        bus.unsub(alice, 2, 1);
        bus.sub(alice, 1, "self.c");
        assert_eq!(bus.hears(alice), ["ok 2", "ok 1"]);
        bus.publish(bob, "a", "1");
        bus.publish(bob, "c", "2");
        assert_eq!(bus.hears(alice), ["msg 1 c 2"]);
        assert_eq!(bus.hears(bob), Vec::<String>::new());
    }
}

#[test]
fn what_is_not_subscribed_can_not_be_ended() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        bus.subscribed(alice, 1, "self.a");
        bus.unsub(alice, 5, 2);
        // Without a number only what fails is answered.
        bus.unsub(alice, 0, 1);
        bus.unsub(alice, 0, 1);
        assert_eq!(bus.hears(alice), ["err 5 unknown-subscription", "err - unknown-subscription"]);
    }
}

#[test]
fn no_delivery_comes_after_the_answer_to_unsub() {
    for framing in FRAMINGS {
        for priority in Priority::ALL {
            let mut bus = Bus::new(small());
            let (alice, bob) = (bus.join(framing), bus.binary());
            bus.subscribed(alice, 1, "self.a");
            bus.subscribed(alice, 2, "self.b");
            let first = with("a", "1", |options| options.priority = priority);
            bus.say(bob, 0, publish(first));
            bus.publish(bob, "b", "2");
            bus.unsub(alice, 3, 1);
            bus.say(alice, 4, Operation::Ping);
            bus.publish(bob, "a", "3");
            bus.publish(bob, "b", "4");
            let heard = bus.hears(alice);
            let place = |text: &str| heard.iter().position(|one| one == text).unwrap();
            assert!(place("msg 1 a 1") < place("ok 3"), "{heard:?}");
            // Answers keep the order in which operations came, and messages theirs.
            assert!(place("ok 3") < place("ok 4"), "{heard:?}");
            assert!(place("msg 2 b 2") < place("msg 2 b 4"), "{heard:?}");
            assert_eq!(heard.len(), 5);
        }
    }
}

#[test]
fn a_number_used_again_gets_nothing_that_was_meant_for_the_one_before() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.subscribed(alice, 1, "self.a");
        bus.publish(bob, "a", "1");
        bus.unsub(alice, 0, 1);
        bus.sub(alice, 1, "self.b");
        bus.publish(bob, "b", "2");
        assert_eq!(bus.hears(alice), ["msg 1 a 1", "ok 1", "msg 1 b 2"]);
    }
}

#[test]
fn subscriptions_end_with_their_connection() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.a");
    bus.subscribed(alice, 2, "*/*.>");
    assert_eq!(bus.broker.usage(bus.id(alice)).unwrap().subscriptions, 2);
    bus.cut(alice);
    assert_eq!(bus.broker.stats().subscriptions, 0);
    bus.publish(bob, "a", "1");
    assert!(!bus.broker.has_output(bus.id(alice)));
    // Whoever takes its place hears nothing of it.
    let carol = bus.json();
    bus.publish(bob, "a", "2");
    assert!(bus.hears(carol).is_empty());
}
