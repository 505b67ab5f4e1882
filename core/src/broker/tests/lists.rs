//! The lists of the daemon, page by page.

use crate::limits::{Limits, PAGE_ROWS_MAX};
use crate::tests::{Bus, FRAMINGS, Heard, Who, publication, small};
use kith_wire::{Operation, Protocol};
use serde_json::{Value, json};

fn page(bus: &mut Bus, who: Who, topic: &str, asked: &str) -> Vec<Value> {
    bus.ask_with(who, 9, publication(topic, asked), 1_000);
    match &bus.hear(who)[..] {
        [Heard::Reply { number: 9, message }] => serde_json::from_slice(&message.payload).unwrap(),
        heard => panic!("{asked}: {heard:?}"),
    }
}

fn serials(bus: &mut Bus, who: Who, asked: &str) -> Vec<u64> {
    let page = page(bus, who, "bus.clients", asked);
    page.iter().map(|row| row["client"].as_u64().unwrap()).collect()
}

fn subscriptions(bus: &mut Bus, who: Who, asked: &str) -> Vec<(u64, u64)> {
    let page = page(bus, who, "bus.subscriptions", asked);
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    page.iter().map(|row| (number(row, "client"), number(row, "sub"))).collect()
}

#[test]
fn clients_come_in_pages_in_the_order_in_which_they_connected() {
    let mut bus = Bus::new(small());
    let all: Vec<_> = (0..6).map(|_| bus.json()).collect();
    let asker = all[5];
    // Its place goes to the next to come, whose serial is the highest.
    bus.cut(all[1]);
    bus.json();
    for whole in ["null", " {} ", r#"{"limit":99999999999}"#, r#"{"after":null}"#] {
        assert_eq!(serials(&mut bus, asker, whole), [0, 2, 3, 4, 5, 6], "{whole}");
    }
    assert_eq!(serials(&mut bus, asker, r#"{"limit":2}"#), [0, 2]);
    assert_eq!(serials(&mut bus, asker, r#"{"limit":2,"after":2}"#), [3, 4]);
    assert_eq!(serials(&mut bus, asker, r#"{"after":4}"#), [5, 6]);
    // Whoever is gone can still be gone on from.
    assert_eq!(serials(&mut bus, asker, r#"{"limit":1,"after":1}"#), [2]);
    assert!(serials(&mut bus, asker, r#"{"after":6}"#).is_empty());
    assert!(serials(&mut bus, asker, r#"{"after":18446744073709551615}"#).is_empty());
}

#[test]
fn a_page_fits_one_payload_and_the_pages_together_are_everybody() {
    let limits = Limits { payload_bytes_max: 4 << 10, clients_max: 10_000, ..small() };
    let mut bus = Bus::new(limits);
    let asker = bus.json();
    for _ in 0..100 {
        let who = bus.binary();
        let name = Some("\"".repeat(64));
        bus.say(who, 0, Operation::Hello { name, client: None, descriptors: false, token: None });
    }
    let (mut seen, mut asked) = (Vec::new(), "null".to_owned());
    loop {
        bus.ask_with(asker, 9, publication("bus.clients", &asked), 1_000);
        let heard = bus.hear(asker);
        let [Heard::Reply { message, .. }] = &heard[..] else { panic!("{heard:?}") };
        assert!(message.payload.len() <= 4 << 10);
        let page: Vec<Value> = serde_json::from_slice(&message.payload).unwrap();
        let Some(last) = page.last() else { break };
        asked = json!({ "after": last["client"] }).to_string();
        seen.extend(page.iter().map(|row| row["client"].as_u64().unwrap()));
    }
    assert_eq!(seen, (0..101).collect::<Vec<_>>());
}

#[test]
fn subscriptions_say_what_they_are() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.join(framing));
        bus.subscribed(alice, 7, "bt/*.a.>");
        bus.joined(bob, 1, "self.a", "the-\"group\"");
        bus.monitors(bob, 3, "*/*.>");
        let rows = page(&mut bus, alice, "bus.subscriptions", "null");
        let row = |client, sub, pattern, group: Option<&str>, monitor| {
            json!({ "client": client, "sub": sub, "pattern": pattern, "group": group,
                "monitor": monitor })
        };
        let expected = [
            row(0, 7, "bt/*.a.>", None, false),
            row(1, 1, "self.a", Some("the-\"group\""), false),
            row(1, 3, "*/*.>", None, true),
        ];
        assert_eq!(rows, expected);
        bus.unsub(bob, 0, 1);
        assert_eq!(subscriptions(&mut bus, alice, r#"{"client":1}"#), [(1, 3)]);
    }
}

#[test]
fn subscriptions_come_in_pages_by_client_and_number() {
    let mut bus = Bus::new(small());
    let all: Vec<_> = (0..4).map(|_| bus.json()).collect();
    for (who, numbers) in [(0, [5, 2, 9]), (1, [1, 2, 3]), (3, [4_294_967_295, 1, 7])] {
        for number in numbers {
            bus.subscribed(all[who], number, "self.a");
        }
    }
    let asker = all[2];
    let everything = subscriptions(&mut bus, asker, "{}");
    let first = [(0, 2), (0, 5), (0, 9), (1, 1), (1, 2), (1, 3)];
    assert_eq!(everything, [&first[..], &[(3, 1), (3, 7), (3, 4_294_967_295)]].concat());
    for (at, after) in everything.iter().enumerate() {
        let asked = json!({ "after": after }).to_string();
        assert_eq!(subscriptions(&mut bus, asker, &asked), everything[at + 1..]);
        let asked = json!({ "after": after, "limit": 2, "client": 1 }).to_string();
        let of_one = everything[at + 1..].iter().filter(|one| one.0 == 1).take(2);
        assert_eq!(subscriptions(&mut bus, asker, &asked), of_one.copied().collect::<Vec<_>>());
    }
    assert_eq!(subscriptions(&mut bus, asker, r#"{"client":2}"#), []);
    assert_eq!(subscriptions(&mut bus, asker, r#"{"client":99}"#), []);
    assert_eq!(subscriptions(&mut bus, asker, r#"{"after":[99,1],"client":3}"#), []);
}

#[test]
fn what_is_asked_for_is_read_strictly() {
    let mut bus = Bus::new(small());
    let asker = bus.json();
    for (topic, asked) in [
        ("bus.clients", "7"),
        ("bus.clients", "\"?\""),
        ("bus.clients", "[1,2]"),
        ("bus.clients", r#"{"limit":0}"#),
        ("bus.clients", r#"{"limit":-1}"#),
        ("bus.clients", r#"{"after":1.5}"#),
        ("bus.clients", r#"{"after":[1,1]}"#),
        ("bus.clients", r#"{"after":1,"after":2}"#),
        ("bus.clients", r#"{"client":1}"#),
        ("bus.subscriptions", "true"),
        ("bus.subscriptions", r#"{"after":1}"#),
        ("bus.subscriptions", r#"{"after":[1]}"#),
        ("bus.subscriptions", r#"{"after":[1,4294967296]}"#),
        ("bus.subscriptions", r#"{"pattern":"self.a"}"#),
    ] {
        bus.ask_with(asker, 9, publication(topic, asked), 1_000);
        let heard = bus.hear(asker);
        let [Heard::Err { text, .. }] = &heard[..] else { panic!("{asked}: {heard:?}") };
        assert!(text.starts_with(&format!("`{topic}` takes null, or {{\"")), "{text}");
        assert_eq!(bus.broker.stats().totals.replies, 0);
    }
    // Bytes that say nothing are no question either, and no others are understood.
    let bytes = |payload: &'static [u8]| {
        let protocol = Protocol::BT;
        kith_wire::Publication {
            protocol,
            payload: payload.into(),
            ..publication("bus.clients", "")
        }
    };
    bus.ask_with(asker, 9, bytes(b""), 1_000);
    assert!(bus.hears(asker)[0].starts_with("reply 9 bus.clients "));
    bus.ask_with(asker, 9, bytes(b"{}"), 1_000);
    assert_eq!(bus.hears(asker), ["err 9 bad-field"]);
}

#[test]
fn a_page_of_very_many_subscriptions_is_bounded_work() {
    let mut bus = Bus::new(Limits::default());
    let (asker, many) = (bus.json(), bus.binary());
    let deep = format!("self.{}*", "a.".repeat(120));
    for number in 1..=5_000 {
        let pattern = if number % 2 == 0 { "self.a" } else { &deep };
        bus.sub(many, number, pattern);
    }
    bus.hear(many);
    let before = bus.broker.work();
    let rows = subscriptions(&mut bus, asker, r#"{"after":[1,2000]}"#);
    assert_eq!(rows.len() as u64, PAGE_ROWS_MAX);
    assert_eq!((rows[0], rows[1023]), ((1, 2001), (1, 3024)));
    let work = bus.broker.work() - before;
    assert!((PAGE_ROWS_MAX..8 * PAGE_ROWS_MAX).contains(&work), "{work}");
}

#[test]
fn who_connected_is_known_by_process() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.broker.set_pid(bus.id(bob), 42);
    let rows = page(&mut bus, alice, "bus.clients", "null");
    assert_eq!((&rows[0]["pid"], &rows[1]["pid"]), (&Value::Null, &42.into()));
}

#[test]
fn bytes_are_counted_as_messages_are() {
    for (framing, options) in [(FRAMINGS[0], false), (FRAMINGS[1], false), (FRAMINGS[1], true)] {
        let mut bus = Bus::new(small());
        let (alice, bob, carol) = (bus.join(framing), bus.json(), bus.binary());
        bus.subscribed(bob, 1, "self.topic");
        bus.subscribed(carol, 1, "self.>");
        bus.joined(carol, 2, "self.*", "g");
        let mut bytes = Vec::new();
        for n in [10_u32, 1_000, 100_000] {
            let message = crate::tests::with("topic", &n.to_string(), |given| {
                given.expire_after_ms = options.then_some(1_000);
            });
            bytes.extend(bus.encode(alice, 0, crate::tests::publish(message)));
        }
        bus.feed(alice, &bytes);
        let usage = |who| bus.broker.usage(bus.id(who)).unwrap();
        let said = 2 + 4 + 6;
        let counts = |who| (usage(who).published_bytes, usage(who).delivered_bytes);
        assert_eq!(counts(alice), (said, 0), "{framing:?}");
        assert_eq!(counts(bob), (0, said));
        assert_eq!(counts(carol), (0, 2 * said));
        let totals = bus.broker.stats().totals;
        assert_eq!((totals.published_bytes, totals.delivered_bytes), (said, 3 * said));
    }
}

#[test]
fn bytes_of_what_did_not_fit_are_not_counted() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(crate::tests::small_queue(2));
        let (alice, bob) = (bus.binary(), bus.join(framing));
        bus.subscribed(bob, 1, "self.a");
        let mut bytes = Vec::new();
        for payload in ["1", "22", "333", "4444"] {
            let message = crate::tests::publish(publication("a", payload));
            bytes.extend(bus.encode(alice, 0, message));
        }
        bus.feed(alice, &bytes);
        let totals = bus.broker.stats().totals;
        assert_eq!((totals.dropped, totals.delivered, totals.published), (2, 2, 4));
        assert_eq!((totals.published_bytes, totals.delivered_bytes), (10, 3), "{framing:?}");
    }
}
