//! The topics of the daemon itself: `bus.ready`, `bus.client`, `bus.stats`, `bus.clients`,
//! `bus.subscriptions`.
//!
//! `bus.lag` is in `lag.rs`.

use crate::door::{Client, Door, Event, Operation, Publication};
use kith_wire::Code;
use serde_json::{Value, json};

on_every_door! {
    ready_is_kept_and_says_what_runs,
    clients_that_come_and_go_are_announced,
    counters_are_published_while_somebody_subscribes,
    counters_answer_a_request,
    the_list_of_clients_says_what_each_uses,
    the_list_of_clients_comes_in_pages,
    the_list_of_subscriptions_comes_in_pages,
    a_list_that_is_asked_for_wrongly_is_refused,
    ; streams alone:
    // A call that can't be read leaves nothing behind; so nobody is cut off for many.
    who_broke_the_rules_is_announced_like_others,
}

fn ask(client: &mut Client, topic: &str) -> Value {
    ask_for(client, topic, &Value::Null)
}

fn ask_for(client: &mut Client, topic: &str, asked: &Value) -> Value {
    let number = client.request(topic, &asked.to_string(), 5_000);
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
        let framing = connected["framing"].as_str();
        assert_eq!(framing, door.peculiarities().framing_at_first, "{connected}");
        if says_bye {
            client.done(&Operation::Bye);
        }
        drop(client);
        let gone = watcher.message_on(1).value();
        assert_eq!(gone["event"], "disconnected");
        assert_eq!(gone["name"], "visitor");
        assert_eq!(gone["client"], connected["client"]);
        let framing = gone["framing"].as_str().unwrap();
        assert!(door.peculiarities().framings.contains(&framing), "{gone}");
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
        client.publish("a", "10");
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
        ("delivered_bytes", 12),
        ("dropped", 0),
        ("expired", 0),
        ("no_responders", 1),
        ("published", 4),
        ("published_bytes", 7),
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
    assert_eq!(looker["pid"], std::process::id());
    // Two messages of one byte each.
    assert_eq!(looker["published_bytes"], 2);
    assert!(other["delivered_bytes"].as_u64().unwrap() >= 2, "{other}");
}

fn the_list_of_clients_comes_in_pages(door: &dyn Door) {
    let bus = door.open("");
    let mut all: Vec<_> = (0..5).map(|_| bus.connect()).collect();
    for client in &mut all {
        client.done(&Operation::Ping);
    }
    let asker = &mut all[3];
    let whole = ask(asker, "bus.clients");
    let whole = whole.as_array().unwrap();
    assert_eq!(whole.len(), 5);
    let serial = |row: &Value| row["client"].as_u64().unwrap();
    assert!(whole.windows(2).all(|pair| serial(&pair[0]) < serial(&pair[1])), "{whole:?}");
    let (mut seen, mut asked) = (Vec::new(), json!({ "limit": 2 }));
    loop {
        let page = ask_for(asker, "bus.clients", &asked);
        let page = page.as_array().unwrap();
        let Some(last) = page.last() else { break };
        asked = json!({ "limit": 2, "after": serial(last) });
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(serial));
    }
    assert_eq!(seen, whole.iter().map(serial).collect::<Vec<_>>());
}

fn the_list_of_subscriptions_comes_in_pages(door: &dyn Door) {
    let bus = door.open("");
    let (mut one, mut other) = (bus.connect(), bus.connect());
    one.done(&Operation::Ping);
    other.done(&Operation::Ping);
    for (number, pattern) in [(3, "self.a"), (7, "*/*.b.>"), (12, "bt/friends.*")] {
        one.subscribe(number, pattern);
    }
    other.subscribe(1, "self.other");
    let whole = ask(&mut other, "bus.subscriptions");
    let whole = whole.as_array().unwrap();
    let patterns = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["pattern"].as_str().unwrap().to_owned()).collect()
    };
    let mut sorted = patterns(whole);
    sorted.sort();
    assert_eq!(sorted, ["*/*.b.>", "bt/friends.*", "self.a", "self.other"]);
    let first = whole.iter().find(|row| row["pattern"] == "self.a").unwrap();
    assert_eq!((&first["group"], &first["monitor"]), (&Value::Null, &false.into()));
    let client = &first["client"];
    let of_one = json!({ "client": client, "limit": 2 });
    let page = ask_for(&mut other, "bus.subscriptions", &of_one);
    assert_eq!(patterns(page.as_array().unwrap()), ["self.a", "*/*.b.>"]);
    let rest = json!({ "client": client, "after": [client, 7] });
    let page = ask_for(&mut other, "bus.subscriptions", &rest);
    assert_eq!(patterns(page.as_array().unwrap()), ["bt/friends.*"]);
    let rest = json!({ "client": client, "after": [client, 12] });
    assert_eq!(ask_for(&mut other, "bus.subscriptions", &rest), json!([]));
}

fn a_list_that_is_asked_for_wrongly_is_refused(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    for topic in ["bus.clients", "bus.subscriptions"] {
        for asked in ["7", "[]", "\"all\"", r#"{"limit":0}"#, r#"{"befor":1}"#] {
            let number = client.request(topic, asked, 5_000);
            let code = Code::BadField;
            let expected = Event::Err { number: Some(number), code, fatal: false };
            assert_eq!(client.answer(number), expected, "{topic} {asked}");
        }
    }
}
