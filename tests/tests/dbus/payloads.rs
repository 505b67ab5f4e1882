//! Payloads: what a program gives, what another gets.

use super::{Scene, refused};
use crate::session::{Broker, Value};
use kith_wire::Code;
use serde_json::{Value as Json, json};

on_both_brokers! {
    texts_and_bytes_arrive_as_they_are,
    values_of_other_types_become_json,
    what_json_cannot_hold_is_refused_with_its_place,
    an_empty_payload_removes_a_kept_value,
    values_are_for_json_alone,
}

fn texts_and_bytes_arrive_as_they_are(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut publisher, mut subscriber) = (scene.program(), scene.program());
    subscriber.subscribe("*/self.a");
    let spaced = r#" {"a" : 1.50, "a":"ä\u00e4"} "#;
    for given in [Value::text(spaced), Value::Bytes(spaced.as_bytes().to_vec())] {
        publisher.publish("a", given);
        assert_eq!(subscriber.payload(), Value::text(spaced));
    }
    let raw = || vec![("protocol", Value::text("x-raw"))];
    for bytes in [&b""[..], b"\0\xff", b"{}"] {
        publisher.try_publish("a", Value::Bytes(bytes.to_vec()), raw()).unwrap();
        assert_eq!(subscriber.payload(), Value::Bytes(bytes.to_vec()));
    }
    publisher.try_publish("a", Value::text("hi"), raw()).unwrap();
    assert_eq!(subscriber.payload(), Value::Bytes(b"hi".to_vec()));
    // A text is text and not a value: this one is no JSON.
    let text = refused(publisher.try_publish("a", Value::text("hi"), vec![]), Code::BadPayload);
    assert!(text.contains("JSON"), "{text}");
    for bytes in [&b"\xff"[..], b"\"\xff\"", b"hi", b"1\0"] {
        let given = Value::Bytes(bytes.to_vec());
        refused(publisher.try_publish("a", given, vec![]), Code::BadPayload);
    }
    assert!(subscriber.pending().is_empty());
    scene.end();
}

fn array(item: &str, items: impl Into<Vec<Value>>) -> Value {
    Value::Array(item.to_owned(), items.into())
}

fn dict(types: &str, entries: impl Into<Vec<(Value, Value)>>) -> Value {
    Value::Dict(types.to_owned(), entries.into())
}

fn values_of_other_types_become_json(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut publisher, mut subscriber) = (scene.program(), scene.program());
    subscriber.subscribe("self.a");
    let quoted = "ä\"\\\n\u{1}";
    let one = || Value::U32(1);
    for (given, expected) in [
        (Value::Bool(true), json!(true)),
        (Value::Byte(255), json!(255)),
        (Value::I16(i16::MIN), json!(i16::MIN)),
        (Value::U16(u16::MAX), json!(u16::MAX)),
        (Value::I32(i32::MIN), json!(i32::MIN)),
        (Value::U32(u32::MAX), json!(u32::MAX)),
        (Value::I64(i64::MIN), json!(i64::MIN)),
        (Value::U64(u64::MAX), json!(u64::MAX)),
        (Value::F64(0.1), json!(0.1)),
        (Value::F64(-1e300), json!(-1e300)),
        (array("s", [Value::text(quoted), Value::text("")]), json!([quoted, ""])),
        (array("i", []), json!([])),
        (array("v", [one().variant(), Value::text("a").variant()]), json!([1, "a"])),
        (array("ay", [Value::Bytes(vec![1, 2]), Value::Bytes(vec![])]), json!([[1, 2], []])),
        (
            Value::Struct(vec![one(), Value::text("a"), Value::Struct(vec![one()])]),
            json!([1, "a", [1]]),
        ),
        (
            Value::options([("on", Value::Bool(true)), ("level", Value::F64(0.5))]),
            json!({"on": true, "level": 0.5}),
        ),
        (dict("sas", [(Value::text(quoted), array("s", []))]), json!({quoted: []})),
        (dict("sv", [(Value::text("a"), one().variant().variant())]), json!({"a": 1})),
        (dict("su", []), json!({})),
        (one().variant(), json!(1)),
    ] {
        publisher.publish("a", given.clone());
        let payload = subscriber.payload();
        let found: Json = serde_json::from_str(payload.as_text()).unwrap();
        assert_eq!(found, expected, "{given:?}");
    }
    // As text, so that no digit is lost on the way through a reader.
    publisher.publish("a", Value::F64(1.0));
    assert_eq!(subscriber.payload(), Value::text("1.0"));
    assert!(subscriber.pending().is_empty());
    scene.end();
}

fn what_json_cannot_hold_is_refused_with_its_place(broker: Broker) {
    let scene = Scene::new(broker);
    let mut publisher = scene.program();
    let inside = |value: Value| Value::options([("a", array("v", [value.variant()]))]);
    let path = || Value::Path("/a".to_owned());
    let number_key = || dict("us", [(Value::U32(1), Value::text("a"))]);
    for (given, words) in [
        (Value::F64(f64::NAN), &["NaN"][..]),
        (Value::F64(f64::INFINITY), &["inf"]),
        (inside(Value::F64(f64::NEG_INFINITY)), &["-inf", "\"a\"", "[0]"]),
        (number_key(), &["`u`", "key"]),
        (inside(number_key()), &["`u`", "\"a\"", "[0]"]),
        (path(), &["`o`"]),
        (inside(path()), &["`o`", "\"a\"", "[0]"]),
        (array("g", [Value::Signature("s".to_owned())]), &["`g`", "[0]"]),
    ] {
        let outcome = publisher.try_publish("a", given.clone(), vec![]);
        assert!(outcome.is_err(), "{given:?}");
        let text = refused(outcome, Code::BadPayload);
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    scene.end();
}

fn an_empty_payload_removes_a_kept_value(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let retain = || vec![("retain", Value::Bool(true))];
    for empty in [Value::text(""), Value::Bytes(vec![])] {
        program.try_publish("a", Value::U32(1), retain()).unwrap();
        let retained = || vec![("retained", Value::Bool(true))];
        let number = program.try_subscribe("self.a", retained()).unwrap();
        let (_, message) = program.message();
        assert_eq!(message.get("retained"), Some(&Value::Bool(true)));
        program.kith("Unsubscribe", [Value::U32(number)]).unwrap();
        program.try_publish("a", empty.clone(), retain()).unwrap();
        let number = program.try_subscribe("self.a", retained()).unwrap();
        assert!(program.pending().is_empty());
        program.kith("Unsubscribe", [Value::U32(number)]).unwrap();
        refused(program.try_publish("a", empty, vec![]), Code::BadPayload);
    }
    scene.end();
}

fn values_are_for_json_alone(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    for given in [Value::U32(1), Value::options([("a", Value::U32(1))]), array("s", [])] {
        let raw = vec![("protocol", Value::text("x-raw"))];
        let text = refused(program.try_publish("a", given, raw), Code::BadPayload);
        assert!(text.contains("x-raw") || text.contains("`ay`"), "{text}");
    }
    scene.end();
}
