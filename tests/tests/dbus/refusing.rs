//! What is wrong with a call, and what is said of it.

use super::{Scene, refused};
use crate::door::{MESSAGE_PAYLOAD_BYTES_MAX, code_of};
use crate::session::{
    Broker, ERROR, Failure, KITH, KITH_PATH, Message, Options, SIGNAL, Value, kith_call,
    publishing, sending,
};
use kith_wire::Code;

on_both_brokers! {
    arguments_of_other_types_are_refused,
    unknown_options_are_named,
    options_of_other_types_are_named,
    numbers_may_be_of_any_integer_type,
    options_that_no_method_of_this_name_has_are_refused,
    what_is_too_large_for_a_message_is_refused,
    numbers_of_subscriptions_are_the_programs_own,
    names_of_consumers_and_ids_of_messages_are_looked_at,
    what_is_not_there_gets_the_errors_of_dbus,
    a_call_without_an_interface_is_served,
    a_call_that_wants_no_reply_says_by_a_signal_that_it_failed,
    texts_that_are_none_end_nobody_else,
}

fn text() -> Value {
    Value::text("a")
}

fn none() -> Value {
    Value::options::<&str>([])
}

fn arguments_of_other_types_are_refused(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let number = || Value::U32(1);
    let variant = || text().variant();
    let wrong: &[(&str, Vec<Value>)] = &[
        ("Publish", vec![]),
        ("Publish", vec![text(), text(), variant()]),
        ("Publish", vec![text(), text(), text(), none()]),
        ("Publish", vec![text(), number(), variant(), none()]),
        ("Publish", vec![text(), text(), variant(), none(), text()]),
        ("Publish", vec![text(), text(), variant(), Value::Dict("ss".to_owned(), vec![])]),
        ("Request", vec![text()]),
        ("SetWill", vec![none()]),
        ("Subscribe", vec![text()]),
        ("Subscribe", vec![number(), none()]),
        ("Unsubscribe", vec![]),
        ("Unsubscribe", vec![text()]),
        ("Unsubscribe", vec![Value::I32(1)]),
        ("Ack", vec![number()]),
        ("Ack", vec![text(), number()]),
        ("Ack", vec![number(), Value::Bytes(vec![0; 16])]),
        ("Hello", vec![]),
        ("Hello", vec![text()]),
        ("ClearWill", vec![number()]),
        ("Bye", vec![none()]),
    ];
    for (member, body) in wrong {
        let said = refused(program.kith(member, &body[..]), Code::BadField);
        assert!(said.contains(member), "it says how {member} is called: {said}");
    }
    scene.end();
}

/// Publishes, subscribes, and so on with these options.
fn with_options(member: &str, options: Options<'_>) -> Message {
    match member {
        "Subscribe" => kith_call(member).with([Value::text("self.a"), Value::options(options)]),
        "Hello" => kith_call(member).with([Value::options(options)]),
        _ => sending(member, "a", Value::text("1"), options),
    }
}

fn unknown_options_are_named(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    for member in ["Publish", "Request", "SetWill", "Subscribe", "Hello"] {
        for wrong in ["colour", "Retain", "", "payload"] {
            let call = with_options(member, vec![(wrong, Value::Bool(true))]);
            let said = refused(program.call(call), Code::BadField);
            assert!(said.contains(wrong), "{member}: {said}");
        }
    }
    scene.end();
}

fn options_of_other_types_are_named(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let headers = || Value::Dict("su".to_owned(), vec![(text(), Value::U32(1))]);
    for (member, option, wrong) in [
        ("Publish", "protocol", Value::Bytes(b"ms".to_vec())),
        ("Publish", "msg_id", Value::U32(1)),
        ("Publish", "expire_after_ms", Value::F64(1.0)),
        ("Publish", "expire_after_ms", text()),
        ("Publish", "retain", Value::U32(1)),
        ("Publish", "reply_to", Value::Path("/a".to_owned())),
        ("Publish", "priority", Value::Byte(0)),
        ("Publish", "headers", headers()),
        ("SetWill", "headers", text()),
        ("Request", "timeout_ms", Value::Bool(true)),
        ("Request", "whole", Value::U32(1)),
        ("Subscribe", "group", Value::Bool(true)),
        ("Subscribe", "retained", text()),
        ("Subscribe", "monitor", Value::I32(1)),
        ("Subscribe", "durable", Value::Bool(true)),
        ("Subscribe", "since", Value::Bool(true)),
        ("Subscribe", "since", Value::I64(-1)),
        ("Subscribe", "since", Value::text("yesterday")),
        ("Publish", "until", Value::Bool(true)),
        ("Publish", "until", Value::text("written")),
        ("Subscribe", "subscription", text()),
        ("Hello", "name", Value::U32(1)),
        ("Hello", "client", Value::Bytes(vec![0; 16])),
    ] {
        let said =
            refused(program.call(with_options(member, vec![(option, wrong)])), Code::BadField);
        assert!(said.contains(option), "{member}: {said}");
    }
    scene.end();
}

fn numbers_may_be_of_any_integer_type(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let seven = [
        Value::Byte(7),
        Value::I16(7),
        Value::U16(7),
        Value::I32(7),
        Value::U32(7),
        Value::I64(7),
        Value::U64(7),
    ];
    for seven in seven {
        let options = vec![("subscription", seven.clone())];
        assert_eq!(program.try_subscribe("self.a", options), Ok(7));
        let expires = vec![("expire_after_ms", seven)];
        program.try_publish("a", Value::text("1"), expires).unwrap();
        let (number, message) = program.message();
        let of = |key: &str| message.get(key).unwrap().as_number();
        assert_eq!((number, of("expires_at") - of("sent_at")), (7, 7));
        program.kith("Unsubscribe", [Value::U32(7)]).unwrap();
    }
    for wrong in [Value::I16(-1), Value::I32(-1), Value::I64(-1), Value::I64(i64::MIN)] {
        let expires = vec![("expire_after_ms", wrong)];
        let outcome = program.try_publish("a", Value::text("1"), expires);
        assert!(refused(outcome, Code::BadField).contains("expire_after_ms"));
    }
    let too_much = [Value::I64(0), Value::U64(1 << 31), Value::U64(1 << 32 | 7), Value::I32(-7)];
    for wrong in too_much {
        let outcome = program.try_subscribe("self.a", vec![("subscription", wrong)]);
        assert!(refused(outcome, Code::BadField).contains("subscription"));
    }
    scene.end();
}

fn options_that_no_method_of_this_name_has_are_refused(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    for (member, option, value) in [
        ("Request", "retain", Value::Bool(true)),
        ("Request", "reply_to", text()),
        ("Publish", "timeout_ms", Value::U32(1)),
        ("Publish", "whole", Value::Bool(true)),
        ("Publish", "to", text()),
        ("SetWill", "timeout_ms", Value::U32(1)),
        ("SetWill", "until", Value::text("stored")),
        ("Request", "until", Value::text("stored")),
        ("Subscribe", "retain", Value::Bool(true)),
        ("Hello", "framing", text()),
    ] {
        let said =
            refused(program.call(with_options(member, vec![(option, value)])), Code::BadField);
        assert!(said.contains(option), "{member}: {said}");
    }
    scene.end();
}

fn what_is_too_large_for_a_message_is_refused(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut publisher, mut subscriber) = (scene.program(), scene.program());
    subscriber.subscribe("*/self.a");
    let json = |bytes: usize| Value::text(format!("\"{}\"", "x".repeat(bytes - 2)));
    let largest = json(MESSAGE_PAYLOAD_BYTES_MAX);
    publisher.publish("a", largest.clone());
    assert_eq!(subscriber.payload(), largest);
    let raw = || vec![("protocol", Value::text("x-raw"))];
    let bytes = |bytes: usize| Value::Bytes(vec![7; bytes]);
    publisher.try_publish("a", bytes(MESSAGE_PAYLOAD_BYTES_MAX), raw()).unwrap();
    assert_eq!(subscriber.payload(), bytes(MESSAGE_PAYLOAD_BYTES_MAX));
    let one_more = MESSAGE_PAYLOAD_BYTES_MAX + 1;
    for (payload, options) in [(json(one_more), vec![]), (bytes(one_more), raw())] {
        let said = refused(publisher.try_publish("a", payload, options), Code::TooLarge);
        assert!(said.contains("memfd"), "it says what to do: {said}");
    }
    let many = Value::Array("u".to_owned(), vec![Value::U32(1_000_000_000); 100_000]);
    refused(publisher.try_publish("a", many, vec![]), Code::TooLarge);
    assert!(subscriber.pending().is_empty());
    scene.end();
}

fn numbers_of_subscriptions_are_the_programs_own(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut one, mut other) = (scene.program(), scene.program());
    let as_five = || vec![("subscription", Value::U32(5))];
    assert_eq!(one.try_subscribe("self.a", as_five()), Ok(5));
    refused(one.try_subscribe("self.b", as_five()), Code::DuplicateSubscription);
    refused(other.kith("Unsubscribe", [Value::U32(5)]), Code::UnknownSubscription);
    assert_eq!(other.try_subscribe("self.a", as_five()), Ok(5));
    // What the daemon takes is free.
    let given: Vec<u32> = (0..20).map(|_| one.subscribe("self.c")).collect();
    let mut sorted = given.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 20, "{given:?}");
    assert!(!given.contains(&5) && given.iter().all(|number| (1..1 << 31).contains(number)));
    refused(one.kith("Unsubscribe", [Value::U32(0)]), Code::UnknownSubscription);
    refused(one.kith("Unsubscribe", [Value::U32(u32::MAX)]), Code::UnknownSubscription);
    for pattern in ["", "self", "self.a..b", "self.>.a", "ms/"] {
        refused(one.try_subscribe(pattern, vec![]), Code::BadPattern);
    }
    one.kith("Unsubscribe", [Value::U32(5)]).unwrap();
    other.publish("a", Value::text("1"));
    assert_eq!(other.message().0, 5);
    assert!(one.pending().is_empty());
    scene.end();
}

fn names_of_consumers_and_ids_of_messages_are_looked_at(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    for name in ["", "a.b", "a b", ">"] {
        let durable = vec![("durable", Value::text(name))];
        refused(program.try_subscribe("self.a", durable), Code::BadConsumer);
    }
    let durable = ("durable", Value::text("d"));
    for other in [("group", Value::text("g")), ("monitor", Value::Bool(true))] {
        refused(program.try_subscribe("self.a", vec![durable.clone(), other]), Code::BadField);
    }
    let since = vec![("since", Value::text("start"))];
    refused(program.try_subscribe("self.a", since), Code::BadField);
    let no_id = Value::text("919108f7-52d1-4320-9bac-f847db4148a8");
    let since = vec![durable, ("since", no_id.clone())];
    refused(program.try_subscribe("self.a", since), Code::BadId);

    let id = Value::text("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    refused(program.kith("Ack", [Value::U32(1), no_id]), Code::BadId);
    refused(program.kith("Ack", [Value::U32(0), id]), Code::UnknownSubscription);
    scene.end();
}

fn standard(outcome: Result<Vec<Value>, Failure>) -> String {
    let failure = outcome.expect_err("it was not refused");
    assert!(!failure.text.is_empty(), "{failure:?}");
    failure.name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or(&failure.name).to_owned()
}

fn what_is_not_there_gets_the_errors_of_dbus(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let method = program.kith("Subcribe", [text(), none()]);
    assert_eq!(standard(method), "UnknownMethod");
    let signal = program.kith("Message", []);
    assert_eq!(standard(signal), "UnknownMethod");
    let interface = Message::call(KITH, KITH_PATH, "org.kithbus.Bus2", "Publish");
    assert_eq!(standard(program.call(interface)), "UnknownInterface");
    for path in ["/", "/org/kithbus", "/org/kithbus/Bus1/a", "/org/kithbus/Bus2"] {
        let object = Message::call(KITH, path, KITH, "ClearWill");
        let said = standard(program.call(object));
        assert!(["UnknownObject", "UnknownInterface"].contains(&said.as_str()), "{path}: {said}");
    }
    scene.end();
}

fn a_call_without_an_interface_is_served(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let call = publishing("a", Value::text("1"), vec![]);
    program.call(Message { interface: None, ..call }).unwrap();
    scene.end();
}

fn a_call_that_wants_no_reply_says_by_a_signal_that_it_failed(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut program, mut other) = (scene.program(), scene.program());
    for (call, code) in [
        (publishing("a..b", Value::text("1"), vec![]), Code::BadTopic),
        (sending("Request", "nobody", Value::text("1"), vec![]), Code::NoResponders),
        (kith_call("Unsubscribe").with([Value::U32(9)]), Code::UnknownSubscription),
        (kith_call("Publish").with([text()]), Code::BadField),
    ] {
        program.send(call.without_reply());
        let failed = program.signal("Failed");
        assert_eq!(code_of(failed[0].as_text()), code);
        assert!(!failed[1].as_text().is_empty());
    }
    // What succeeds says nothing, and nobody else hears of any of it.
    program.send(publishing("a", Value::text("1"), vec![]).without_reply());
    assert!(program.pending().is_empty() && other.pending().is_empty());
    scene.end();
}

fn texts_that_are_none_end_nobody_else(broker: Broker) {
    let scene = Scene::new(broker);
    let mut neighbour = scene.program();
    neighbour.subscribe("*/self.a");
    for bytes in [&b"\xff"[..], b"a\0b", b"\xed\xa0\x80"] {
        let wrong = || Value::NoText(bytes.to_vec());
        let fine = Value::text("1").variant();
        for body in [
            vec![wrong(), text(), fine.clone(), none()],
            vec![text(), text(), wrong().variant(), none()],
            vec![text(), text(), fine.clone(), Value::options([("protocol", wrong())])],
        ] {
            let mut program = scene.program();
            program.send(kith_call("Publish").with(body));
            // A broker that looks inside of messages ends the connection, another passes it on.
            let answer = std::iter::from_fn(|| program.next())
                .find(|incoming| incoming.message.kind != SIGNAL);
            if let Some(answer) = answer {
                assert_eq!(answer.message.kind, ERROR, "{answer:?}");
                assert_eq!(code_of(&answer.message.error.unwrap()), Code::BadField);
            }
        }
    }
    neighbour.publish("a", Value::text("1"));
    assert_eq!(neighbour.payload(), Value::text("1"));
    assert!(neighbour.pending().is_empty());
    scene.end();
}
