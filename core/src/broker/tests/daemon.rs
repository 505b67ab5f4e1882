//! The topics of the daemon itself.

use crate::tests::{Bus, FRAMINGS, Heard, Who, publication, publish, small, small_queue};
use kith_wire::Operation;
use serde_json::Value;

fn payloads(bus: &mut Bus, who: Who) -> Vec<Value> {
    let heard = bus.hear(who);
    heard.iter().map(|one| serde_json::from_slice(&one.message().payload).unwrap()).collect()
}

#[test]
fn bus_ready_is_kept() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let early = bus.join(framing);
        bus.subscribed(early, 1, "self.bus.ready");
        bus.broker.announce_ready(bus.now, "1.2.3", 42);
        let late = bus.join(framing);
        bus.sub_retained(late, 1, "self.bus.ready");
        let heard = [bus.hear(early), bus.hear(late)].concat();
        assert_eq!(heard.len(), 3);
        for (message, retained) in [(heard[0].message(), false), (heard[2].message(), true)] {
            assert_eq!((message.retained, message.scope.as_str()), (retained, "self"));
            let payload: Value = serde_json::from_slice(&message.payload).unwrap();
            assert_eq!(payload["version"], "1.2.3");
            assert_eq!((&payload["protocol"], &payload["pid"]), (&1.into(), &42.into()));
            assert_eq!(payload["started_at"], bus.now.unix_ms);
        }
        assert_eq!(heard[0].message().message_id, heard[2].message().message_id);
    }
}

#[test]
fn bus_client_tells_who_comes_and_goes() {
    let mut bus = Bus::new(small());
    let watcher = bus.json();
    bus.subscribed(watcher, 1, "self.bus.client");
    let (alice, serial) = (bus.binary(), 1);
    let came = payloads(&mut bus, watcher);
    assert_eq!(came.len(), 1);
    assert_eq!((&came[0]["event"], &came[0]["client"]), (&"connected".into(), &serial.into()));
    // What it will speak, and who it is, nobody knows yet.
    assert_eq!((&came[0]["framing"], &came[0]["name"]), (&Value::Null, &Value::Null));
    bus.say(
        alice,
        0,
        Operation::Hello {
            name: Some("al\"ice".to_owned()),
            client: None,
            descriptors: false,
            token: None,
        },
    );
    bus.cut(alice);
    let went = payloads(&mut bus, watcher);
    assert_eq!(went.len(), 1);
    assert_eq!(went[0]["event"], "disconnected");
    assert_eq!(went[0]["client"], serial);
    assert_eq!((&went[0]["name"], &went[0]["framing"]), (&"al\"ice".into(), &"binary".into()));
    assert_eq!(went[0]["reason"], "cut");
    let bob = bus.binary();
    bus.say(bob, 0, Operation::Bye);
    bus.cut(bob);
    assert_eq!(payloads(&mut bus, watcher)[1]["reason"], "said goodbye");
}

#[test]
fn bus_lag_names_who_lost_what() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(2));
        let (alice, watcher, bob) = (bus.join(framing), bus.json(), bus.json());
        bus.subscribed(watcher, 1, "self.bus.lag");
        bus.say(
            alice,
            0,
            Operation::Hello {
                name: Some("alice".to_owned()),
                client: None,
                descriptors: false,
                token: None,
            },
        );
        bus.subscribed(alice, 4, "*/self.a.*");
        for _ in 0..5 {
            bus.publish(bob, "a.b", "1");
        }
        // The notice is not in the stream yet.
        assert!(payloads(&mut bus, watcher).is_empty());
        assert_eq!(bus.hears(alice).last().unwrap(), "lag 4 of 3");
        let told = payloads(&mut bus, watcher);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["client"], bus.id(alice).serial());
        assert_eq!((&told[0]["name"], &told[0]["sub"]), (&"alice".into(), &4.into()));
        assert_eq!((&told[0]["pattern"], &told[0]["count"]), (&"*/self.a.*".into(), &3.into()));
    }
}

#[test]
fn very_many_notices_at_once_are_announced_in_a_few_messages() {
    // Each notice is announced to each subscription to `bus.lag`: without a limit, one client with
    // many of these could keep the daemon busy for minutes. And none may nest in another.
    let mut bus = Bus::new(crate::limits::Limits { queue_messages_max: 20_000, ..small() });
    let (alice, watcher, bob) = (bus.binary(), bus.json(), bus.binary());
    bus.subscribed(watcher, 1, "self.bus.lag");
    let count = 30_000_u32;
    for number in 1..=count {
        bus.sub(alice, number, if number % 2 == 0 { "self.a" } else { "self.bus.lag" });
    }
    bus.hear(alice);
    bus.publish(bob, "a", "1");
    bus.publish(bob, "a", "2");
    let heard = bus.hear(alice);
    let lost_of = |parity: u32| -> u64 {
        let lost = heard.iter().map(|one| match one {
            Heard::Lag { subscription, count } if subscription % 2 == parity => *count,
            _ => 0,
        });
        lost.sum()
    };
    assert_eq!(lost_of(0), 10_000);
    let told = payloads(&mut bus, watcher);
    assert!((2..200).contains(&told.len()), "{}", told.len());
    let counts: u64 = told.iter().map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(counts, 10_000);
    // Who loses what tells of lag is told so, and nobody else is: that would go on for ever.
    assert!(lost_of(1) > 10_000);
    // What was not named was summed up.
    assert!(told.iter().any(|one| one["sub"].is_null() && one["pattern"].is_null()));
}

#[test]
fn bus_stats_come_while_somebody_subscribes() {
    let mut bus = Bus::new(small());
    let interval = bus.broker.limits().stats_interval_ms;
    assert_eq!(bus.broker.poll_timeout(), None);
    let alice = bus.json();
    bus.subscribed(alice, 1, "self.bus.stats");
    assert_eq!(bus.broker.poll_timeout(), Some(bus.now.monotonic_ms + interval));
    bus.publish(alice, "a", "1");
    bus.pass(interval * 3);
    let told = payloads(&mut bus, alice);
    assert_eq!(told.len(), 3);
    assert_eq!((&told[0]["published"], &told[0]["clients"]), (&1.into(), &1.into()));
    assert_eq!(
        (&told[0]["subscriptions"], &told[0]["at"]),
        (&1.into(), &(bus.now.unix_ms - 2 * interval).into())
    );
    bus.unsub(alice, 0, 1);
    bus.pass(interval * 3);
    assert_eq!(bus.broker.poll_timeout(), None);
    assert!(bus.hears(alice).is_empty());
}

#[test]
fn bus_stats_and_bus_clients_answer_a_request() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.say(
            bob,
            0,
            Operation::Hello {
                name: Some("bob".to_owned()),
                client: None,
                descriptors: false,
                token: None,
            },
        );
        bus.subscribed(bob, 1, "self.a");
        bus.publish(alice, "a", "1");
        bus.publish(alice, "a", "2");
        bus.ask(alice, 5, "bus.stats", 1_000);
        bus.ask_with(alice, 6, publication("bus.clients", "null"), 1_000);
        let heard = bus.hear(alice);
        let [
            Heard::Reply { number: 5, message: stats },
            Heard::Reply { number: 6, message: clients },
        ] = &heard[..]
        else {
            panic!("{heard:?}");
        };
        assert_eq!((stats.topic.as_str(), clients.topic.as_str()), ("bus.stats", "bus.clients"));
        let stats: Value = serde_json::from_slice(&stats.payload).unwrap();
        assert_eq!((&stats["dropped"], &stats["queued_messages"]), (&1.into(), &1.into()));
        let clients: Value = serde_json::from_slice(&clients.payload).unwrap();
        assert_eq!(clients.as_array().unwrap().len(), 2);
        assert_eq!(
            (&clients[1]["name"], &clients[1]["framing"]),
            (&"bob".into(), &"binary".into())
        );
        assert_eq!((&clients[1]["dropped"], &clients[1]["lagging"]), (&1.into(), &true.into()));
        assert_eq!(clients[0]["published"], 3);
        assert_eq!(bus.broker.stats().requests_waiting, 0);
    }
}

#[test]
fn the_answer_of_the_daemon_reaches_a_client_with_a_full_queue() {
    let mut bus = Bus::new(small_queue(1));
    let alice = bus.json();
    bus.subscribed(alice, 1, "self.a");
    bus.publish(alice, "a", "1");
    bus.ask(alice, 5, "bus.stats", 1_000);
    let heard = bus.hears(alice);
    assert!(heard[0].starts_with("reply 5 bus.stats {"), "{heard:?}");
}

#[test]
fn reserved_topics_can_be_heard_and_not_published() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        let reserved = [
            "bus",
            "transports",
            "directory",
            "envelope",
            "delivery",
            "people",
            "rooms",
            "services",
        ];
        for (number, first) in (1..).zip(reserved) {
            bus.subscribed(alice, number, &format!("self.{first}.>"));
            for topic in [first.to_owned(), format!("{first}.x")] {
                bus.say(alice, 50, publish(publication(&topic, "1")));
                bus.ask(alice, 51, &topic, 1_000);
                assert_eq!(bus.hears(alice), ["err 50 reserved-topic", "err 51 reserved-topic"]);
            }
        }
        bus.say(alice, 50, publish(publication("bus.stats", "1")));
        assert_eq!(bus.hears(alice), ["err 50 reserved-topic"]);
        // Only the first token counts.
        bus.say(alice, 50, publish(publication("my.bus", "1")));
        assert_eq!(bus.hears(alice), ["ok 50"]);
    }
}

#[test]
fn a_bus_that_nobody_watches_does_nothing_for_it() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.cut(alice);
    assert_eq!(bus.broker.stats().totals.delivered, 0);
    assert_eq!(bus.broker.poll_timeout(), None);
}
