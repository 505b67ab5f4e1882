//! The topics of the daemon itself: `bus.ready`, `bus.client`, `bus.stats`, `bus.clients`.
//!
//! `bus.lag` is in `lag.rs`.

use crate::door::{Client, Door, Event, Operation, Publication};
use kith_wire::Code;
use serde_json::Value;

on_every_door! {
    ready_is_kept_and_says_what_runs,
    clients_that_come_and_go_are_announced,
    who_broke_the_rules_is_announced_like_others,
    counters_are_published_while_somebody_subscribes,
    counters_answer_a_request,
    the_list_of_clients_says_what_each_uses,
}

fn ask(client: &mut Client, topic: &str) -> Value {
    let number = client.request(topic, "null", 5_000);
    match client.answer(number) {
        Event::Reply { delivery, .. } => delivery.value(),
        other => panic!("{other:?}"),
    }
}

fn ready_is_kept_and_says_what_runs(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe_retained(1, "self.bus.ready");
    let ready = client.message_on(1);
    assert!(ready.retained);
    assert_eq!((ready.scope.as_str(), ready.sender.as_str()), ("self", "local"));
    let value = ready.value();
    assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(value["protocol"], 1);
    assert!(value["pid"].as_u64().unwrap() > 1);
    assert!(value["started_at"].as_u64().unwrap() <= ready.sent_at_ms);
    let mut keys: Vec<_> = value.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["pid", "protocol", "started_at", "version"]);
}

fn clients_that_come_and_go_are_announced(door: &dyn Door) {
    let bus = door.open("");
    let mut watcher = bus.connect();
    watcher.subscribe(1, "self.bus.client");
    let mut known = Vec::new();
    for says_bye in [false, true] {
        let mut client = bus.connect();
        client.ask(&Operation::Hello { name: Some("visitor".to_owned()), client: None });
        let connected = watcher.message_on(1).value();
        assert_eq!(connected["event"], "connected");
        assert!(connected["framing"].is_null(), "it has said nothing yet: {connected}");
        if says_bye {
            client.done(&Operation::Bye);
        }
        drop(client);
        let gone = watcher.message_on(1).value();
        assert_eq!(gone["event"], "disconnected");
        assert_eq!(gone["name"], "visitor");
        assert_eq!(gone["client"], connected["client"]);
        assert!(["json", "binary"].contains(&gone["framing"].as_str().unwrap()), "{gone}");
        assert!(!gone["reason"].as_str().unwrap().is_empty());
        known.push(gone["client"].as_u64().unwrap());
    }
    assert!(known[0] < known[1], "a connection's number is never used again");
    assert_eq!(watcher.pending(), []);
}

fn who_broke_the_rules_is_announced_like_others(door: &dyn Door) {
    let bus = door.open("");
    let mut watcher = bus.connect();
    watcher.subscribe(1, "self.bus.client");
    let mut client = bus.connect();
    assert_eq!(watcher.message_on(1).value()["event"], "connected");
    for _ in 0..64 {
        client.tell(&Operation::Publish(Publication::json("a..b", "1")));
    }
    while let Some(event) = client.next_or_end() {
        assert!(matches!(event, Event::Err { .. }), "{event:?}");
    }
    assert_eq!(watcher.message_on(1).value()["event"], "disconnected");
}

fn counters_are_published_while_somebody_subscribes(door: &dyn Door) {
    let bus = door.open("stats.interval = '100ms'");
    let mut client = bus.connect();
    client.subscribe(1, "self.bus.stats");
    let first = client.message_on(1).value();
    client.publish("a", "1");
    let second = client.message_on(1).value();
    let at = |stats: &Value| stats["at"].as_u64().unwrap();
    assert!(at(&first) + 50 < at(&second));
    assert_eq!(second["published"].as_u64(), first["published"].as_u64().map(|n| n + 1));
    client.done(&Operation::Unsubscribe(1));
    client.pending();
    client.pass_ms(250);
    assert_eq!(client.pending(), []);
    client.subscribe(2, "*/*.bus.>");
    assert_eq!(client.message_on(2).topic, "bus.stats");
}

fn counters_answer_a_request(door: &dyn Door) {
    let bus = door.open("");
    let (mut client, mut other) = (bus.connect(), bus.connect());
    client.subscribe(1, "self.a");
    other.subscribe(1, "self.a");
    for _ in 0..3 {
        client.publish("a", "1");
    }
    client.publish_it(Publication::json("kept", "1").retained());
    client.refused(&Operation::Unsubscribe(9));
    let number = client.request("nobody", "1", 1_000);
    let code = Code::NoResponders;
    assert_eq!(client.answer(number), Event::Err { number: Some(number), code, fatal: false });
    let stats = ask(&mut client, "bus.stats");
    for (counter, expected) in [
        ("clients", 2),
        ("delivered", 6),
        ("dropped", 0),
        ("expired", 0),
        ("no_responders", 1),
        ("published", 4),
        ("requests", 2),
        ("requests_waiting", 0),
        ("retained_messages", 2),
        ("subscriptions", 2),
    ] {
        assert_eq!(stats[counter], expected, "{counter} of {stats}");
    }
    assert!(stats["refused"].as_u64().unwrap() >= 1, "{stats}");
}

fn the_list_of_clients_says_what_each_uses(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.ask(&Operation::Hello { name: Some("looker".to_owned()), client: None });
    let mut other = bus.connect();
    other.subscribe(1, "self.a");
    other.subscribe(2, "self.b");
    client.publish("a", "1");
    client.request("b", "1", 60_000);
    other.pending();
    let list = ask(&mut client, "bus.clients");
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2, "{list:?}");
    let looker = list.iter().find(|one| one["name"] == "looker").unwrap();
    let other = list.iter().find(|one| one["name"].is_null()).unwrap();
    assert_eq!((&looker["subscriptions"], &looker["requests_waiting"]), (&0.into(), &1.into()));
    // With the fence that `pending` has put up.
    assert_eq!((&other["subscriptions"], &other["delivered"]), (&3.into(), &3.into()));
    assert_eq!((&other["dropped"], &other["lagging"]), (&0.into(), &false.into()));
    assert_eq!((&other["queued_bytes"], &other["queued_messages"]), (&0.into(), &0.into()));
}
