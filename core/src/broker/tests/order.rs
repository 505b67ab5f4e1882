//! What comes before what.

use crate::tests::{Bus, FRAMINGS, publication, publish, small, with};
use kith_wire::{Operation, Priority};

#[test]
fn messages_of_one_publisher_topic_and_priority_arrive_in_order() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.subscribed(alice, 1, "self.>");
        let mut wanted = Vec::new();
        for n in 0..300_u32 {
            // Plain ones go as runs, others one by one; large ones are shared, small ones copied.
            let payload = match n % 7 {
                0 => format!("\"{n:04}{}\"", "x".repeat(3_000)),
                _ => format!("\"{n:04}\""),
            };
            let mut one = publication("a", &payload);
            if n % 5 == 0 {
                one.options.headers.insert("n", &n.to_string()).unwrap();
            }
            if n % 11 == 0 {
                one.options.expire_after_ms = Some(1_000);
            }
            bus.say(bob, 0, publish(one));
            wanted.push(format!("msg 1 a {payload}"));
        }
        assert_eq!(bus.hears(alice), wanted);
    }
}

#[test]
fn high_overtakes_normal_and_that_bulk() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        let rounds = [Priority::Bulk, Priority::Normal, Priority::High];
        for (n, priority) in rounds.into_iter().cycle().take(6).enumerate() {
            bus.say(bob, 0, publish(with("a", &n.to_string(), |o| o.priority = priority)));
        }
        let heard = bus.hear(alice);
        let wanted = [2, 5, 1, 4, 0, 3].map(|n| format!("msg 1 a {n}"));
        assert_eq!(crate::tests::texts(&heard), wanted);
        assert_eq!(heard[0].message().priority, "high");
        assert_eq!(heard[2].message().priority, "normal");
        assert_eq!(heard[4].message().priority, "bulk");
    }
}

#[test]
fn nothing_overtakes_inside_a_message() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.publish(bob, "a", "1");
        // Half of the first is sent when the others come.
        let mut heard = bus.hear_some(alice, 30);
        assert!(heard.is_empty());
        bus.say(bob, 0, publish(with("a", "2", |o| o.priority = Priority::High)));
        bus.say(alice, 9, Operation::Ping);
        heard.extend(bus.hear(alice));
        assert_eq!(crate::tests::texts(&heard), ["msg 1 a 1", "ok 9", "msg 1 a 2"]);
    }
}

#[test]
fn answers_come_in_the_order_of_operations_and_overtake_messages() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        bus.sub(alice, 1, "self.a");
        bus.say(alice, 2, publish(publication("a", "1")));
        bus.say(
            alice,
            3,
            Operation::Hello {
                name: Some("alice".to_owned()),
                client: None,
                descriptors: false,
                token: None,
            },
        );
        bus.unsub(alice, 4, 99);
        bus.ask(alice, 5, "nobody.home", 100);
        bus.say(alice, 6, Operation::Will(publication("a", "2")));
        bus.say(alice, 7, Operation::Unwill);
        bus.say(alice, 8, Operation::Ping);
        assert_eq!(
            bus.hears(alice),
            [
                "ok 1",
                "ok 2",
                "welcome 3",
                "err 4 unknown-subscription",
                "err 5 no-responders",
                "ok 6",
                "ok 7",
                "ok 8",
                "msg 1 a 1"
            ]
        );
    }
}

#[test]
fn without_a_number_only_what_fails_is_answered() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        bus.say(alice, 0, Operation::Ping);
        bus.say(alice, 0, publish(publication("a", "1")));
        bus.say(alice, 0, Operation::Will(publication("a", "1")));
        bus.say(alice, 0, Operation::Unwill);
        bus.say(
            alice,
            0,
            Operation::Hello { name: None, client: None, descriptors: false, token: None },
        );
        bus.say(alice, 0, publish(publication("people.x", "1")));
        assert_eq!(bus.hears(alice), ["err - reserved-topic"]);
    }
}

#[test]
fn the_client_is_welcomed_with_what_it_needs_to_know() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        bus.say(
            alice,
            1,
            Operation::Hello {
                name: Some("a name".to_owned()),
                client: None,
                descriptors: false,
                token: None,
            },
        );
        match &bus.hear(alice)[..] {
            [crate::tests::Heard::Welcome { number: 1, version, payload_bytes_max }] => {
                assert_eq!(version, env!("CARGO_PKG_VERSION"));
                assert_eq!(*payload_bytes_max, 4 << 10);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(bus.broker.name(bus.id(alice)), Some("a name"));
        // A later one without a name leaves it.
        bus.say(
            alice,
            0,
            Operation::Hello { name: None, client: Some([1; 16]), descriptors: false, token: None },
        );
        assert_eq!(bus.broker.name(bus.id(alice)), Some("a name"));
    }
}
