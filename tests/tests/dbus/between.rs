//! Programs on the session bus and clients on the socket: it is one bus.

use super::Scene;
use crate::door::{Event, Operation, Publication};
use crate::session::{Broker, Value, publishing, sending};

on_both_brokers! {
    each_hears_the_other,
    each_pattern_reaches_both,
    requests_go_both_ways,
    groups_are_shared,
}

fn each_hears_the_other(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut client, mut program) = (scene.client(), scene.program());
    client.subscribe(1, "*/self.a");
    program.subscribe("*/self.a");
    let json = r#"{"text":"ä", "n":1.0}"#;
    program.publish("a", Value::text(json));
    assert_eq!(client.message_on(1).text(), json);
    assert_eq!(program.payload(), Value::text(json));
    client.publish("a", json);
    assert_eq!(program.payload(), Value::text(json));
    client.message_on(1);
    client.publish_it(Publication::bytes("x-raw", "a", *b"\0\xff"));
    assert_eq!(program.payload(), Value::Bytes(b"\0\xff".to_vec()));
    client.message_on(1);
    let headers = Value::Dict("ss".to_owned(), vec![(Value::text("trace"), Value::text("1"))]);
    let options = vec![("headers", headers), ("priority", Value::text("high"))];
    program.try_publish("a", Value::U32(7), options).unwrap();
    let heard = client.message_on(1);
    assert_eq!((heard.text(), heard.priority), ("7", 0));
    assert_eq!(heard.headers, [("trace".to_owned(), "1".to_owned())]);
    scene.end();
}

fn each_pattern_reaches_both(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut client, mut program) = (scene.client(), scene.program());
    for (pattern, reached) in [
        ("self.a.b", &["1", "2"][..]),
        ("*.a.*", &["1", "2"]),
        ("*/*.>", &["1", "2", "x"]),
        ("x-raw/self.a.b", &["x"]),
        ("friends.>", &[]),
        ("public.a.b", &[]),
    ] {
        client.subscribe(1, pattern);
        let number = program.subscribe(pattern);
        client.publish("a.b", "1");
        program.publish("a.b", Value::text("2"));
        let raw = vec![("protocol", Value::text("x-raw"))];
        program.try_publish("a.b", Value::text("x"), raw).unwrap();
        for (expected, event) in reached.iter().zip(client.pending()) {
            let Event::Message { delivery, .. } = event else { panic!("{event:?}") };
            assert_eq!(delivery.text(), *expected, "{pattern}");
        }
        let heard: Vec<_> = program.pending().into_iter().map(|one| one.message.body).collect();
        let payload = |body: &Vec<Value>| match body[1].get("payload").unwrap() {
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            text => text.as_text().to_owned(),
        };
        assert_eq!(heard.iter().map(payload).collect::<Vec<_>>(), reached, "{pattern}");
        client.done(&Operation::Unsubscribe(1));
        program.kith("Unsubscribe", [Value::U32(number)]).unwrap();
    }
    scene.end();
}

fn requests_go_both_ways(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut client, mut program) = (scene.client(), scene.program());
    client.subscribe(1, "self.socket");
    program.subscribe("self.dbus");
    let serial = program.send(sending("Request", "socket", Value::text("1"), vec![]));
    let asked = client.message_on(1);
    client.reply(&asked, "\"one\"");
    let reply = program.answer(serial).unwrap().message.body;
    assert_eq!(reply, [Value::text("\"one\"").variant()], "the payload alone");
    let number = client.request("dbus", "2", 60_000);
    let asked = program.message().1;
    let reply_to = asked.get("reply_to").unwrap().as_text();
    program.call(publishing(reply_to, Value::Bool(true), vec![])).unwrap();
    let Event::Reply { delivery, .. } = client.answer(number) else { panic!() };
    assert_eq!(delivery.text(), "true");
    scene.end();
}

fn groups_are_shared(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut client, mut program) = (scene.client(), scene.program());
    client.subscribe_group(1, "self.jobs", "workers");
    program.try_subscribe("self.jobs", vec![("group", Value::text("workers"))]).unwrap();
    for n in 0..20 {
        client.publish("jobs", &n.to_string());
    }
    let (at_socket, at_session) = (client.pending().len(), program.pending().len());
    assert_eq!(at_socket + at_session, 20);
    assert!(at_socket > 0 && at_session > 0, "{at_socket}, {at_session}");
    scene.end();
}
