//! What programs on the session bus call: arguments of any types and values.
//!
//! The bytes of an input are made into values, since a session bus passes on what is well-formed
//! and nothing else. Whatever is called, it is taken or refused in words; what is taken is a frame
//! that the broker can read, under the number that it was to have; and a value that was turned into
//! JSON means the same as before.

use crate::input::Input;
use kith_busd::fuzzing::{Called, called_on_dbus};
use kith_wire::binary::{decode, split};
use kith_wire::{Code, Operation};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zbus::message::Body;
use zbus::wire::{DynamicType, StructureBuilder};
use zbus::{Array, Dict, Message, ObjectPath, Signature, Variant};

/// Deeper than what is taken, and less than what D-Bus allows.
const DEPTH_MAX: u32 = 12;
const METHODS: [&str; 10] = [
    "Publish",
    "Request",
    "SetWill",
    "Subscribe",
    "Unsubscribe",
    "Hello",
    "ClearWill",
    "Bye",
    "Other",
    "Ack",
];
const OPTIONS: [&str; 19] = [
    "protocol",
    "msg_id",
    "expire_after_ms",
    "retain",
    "reply_to",
    "priority",
    "headers",
    "timeout_ms",
    "whole",
    "group",
    "retained",
    "monitor",
    "subscription",
    "name",
    "client",
    "",
    "durable",
    "since",
    "until",
];
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let method = METHODS[usize::from(input.byte()) % METHODS.len()];
    let first = text(&mut input);
    let payload = value(&mut input, 0);
    let shape = input.byte();
    let options = options(&mut input);
    let body = match (method, shape % 8) {
        // Sometimes of a signature that it should not have.
        (_, 7) => body(&(first.as_str(), shape)),
        ("Publish" | "Request" | "SetWill", _) => {
            body(&(first.as_str(), text(&mut input).as_str(), &payload, &options))
        }
        ("Subscribe", _) => body(&(first.as_str(), &options)),
        ("Unsubscribe", _) => body(&u32::from(shape)),
        ("Ack", _) => body(&(u32::from(shape), first.as_str())),
        ("Hello", _) => body(&options),
        _ => body(&()),
    };
    match called_on_dbus(method, &body, PAYLOAD_BYTES_MAX) {
        None => assert_eq!(method, "Other"),
        Some(Err((name, text))) => refused(&name, &text),
        Some(Ok(called)) => taken(&called, &payload),
    }
}

fn body(arguments: &(impl serde::Serialize + DynamicType)) -> Body {
    let call = Message::method_call("/org/kithbus/Bus1", "Call");
    call.build(arguments).expect("what was made can be written").body()
}

/// A refusal has a code that there is, and one line for people.
fn refused(name: &str, text: &str) {
    let code = name.strip_prefix("org.kithbus.Error.").expect("a code of the bus");
    let spelt = |code: Code| code.name().replace('-', "");
    assert!(Code::all().any(|known| spelt(known).eq_ignore_ascii_case(code)), "{name}");
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}

/// What is taken can be read by the broker, or is refused for what only it looks at.
fn taken(called: &Called, payload: &Variant<'_>) {
    let frame = split(&called.frame, usize::MAX).expect("a frame").expect("a whole one");
    assert_eq!(frame.bytes.len(), called.frame.len(), "one frame and no more");
    let request = match decode::request(frame, PAYLOAD_BYTES_MAX) {
        Ok(request) => request,
        Err(refusal) => {
            assert!(!refusal.fatal, "{refusal}");
            return;
        }
    };
    let (Operation::Publish(publication)
    | Operation::Request { publication, .. }
    | Operation::Will(publication)) = request.operation
    else {
        return;
    };
    if publication.protocol.is_ms() && !matches!(payload, Variant::Str(_)) {
        let Some(meant) = meant(payload) else { return };
        let said: Value = serde_json::from_slice(&publication.payload).expect("JSON");
        assert_eq!(said, meant);
    }
}

/// What a value means, where bytes do not stand for themselves.
fn meant(value: &Variant<'_>) -> Option<Value> {
    Some(match value {
        Variant::Bool(value) => json!(value),
        Variant::U8(value) => json!(value),
        Variant::I16(value) => json!(value),
        Variant::U16(value) => json!(value),
        Variant::I32(value) => json!(value),
        Variant::U32(value) => json!(value),
        Variant::I64(value) => json!(value),
        Variant::U64(value) => json!(value),
        Variant::F64(value) => {
            // Whose digits are all there; but who reads JSON may round the last of them.
            let digits = json!(value).to_string();
            assert!(!value.is_finite() || digits.parse() == Ok(*value), "{digits}");
            serde_json::from_str(&digits).expect("a number")
        }
        Variant::Str(text) => json!(text.as_str()),
        Variant::Variant(inner) => meant(inner)?,
        Variant::Array(array) if *array.element_signature() == Signature::U8 => return None,
        Variant::Array(array) => array.inner().iter().map(meant).collect::<Option<_>>()?,
        Variant::Structure(fields) => fields.fields().iter().map(meant).collect::<Option<_>>()?,
        Variant::Dict(dict) => {
            let pair = |(key, value): (&Variant<'_>, &Variant<'_>)| match key {
                Variant::Str(key) => Some((key.as_str().to_owned(), meant(value)?)),
                _ => None,
            };
            Value::Object(dict.iter().map(pair).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn text(input: &mut Input<'_>) -> String {
    // A string on D-Bus has no zero byte.
    String::from_utf8_lossy(input.counted()).replace('\0', "0")
}

fn options(input: &mut Input<'_>) -> BTreeMap<String, Variant<'static>> {
    let count = input.byte() % 4;
    let mut options = BTreeMap::new();
    for _ in 0..count {
        let name = match OPTIONS[usize::from(input.byte()) % OPTIONS.len()] {
            "" => text(input),
            name => name.to_owned(),
        };
        options.insert(name, value(input, 0));
    }
    options
}

/// So many bytes.
fn some<const N: usize>(input: &mut Input<'_>) -> [u8; N] {
    std::array::from_fn(|_| input.byte())
}

/// Any value that D-Bus has, but for descriptors.
fn value(input: &mut Input<'_>, depth: u32) -> Variant<'static> {
    let kind = if depth < DEPTH_MAX { input.byte() % 18 } else { input.byte() % 12 };
    match kind {
        0 => Variant::from(text(input)),
        1 => Variant::from(input.byte().is_multiple_of(2)),
        2 => Variant::from(input.byte()),
        3 => Variant::from(i16::from_le_bytes(some(input))),
        4 => Variant::from(u16::from_le_bytes(some(input))),
        5 => Variant::from(i32::from_le_bytes(some(input))),
        6 => Variant::from(u32::from_le_bytes(some(input))),
        7 => Variant::from(i64::from_le_bytes(some(input))),
        8 => Variant::from(input.number()),
        9 => Variant::from(f64::from_bits(input.number())),
        10 => Variant::from(ObjectPath::from_static_str("/a").expect("a path")),
        11 => Variant::from(input.counted().to_vec()),
        12 => Variant::Variant(Box::new(value(input, depth + 1))),
        13 => {
            let mut structure = StructureBuilder::new();
            for _ in 0..=input.byte() % 4 {
                structure = structure.append_field(value(input, depth + 1));
            }
            structure.build().map_or_else(|_| Variant::from(0_u8), Variant::Structure)
        }
        14 | 15 => {
            let mut array = Array::new(&Signature::Variant);
            for _ in 0..input.byte() % 5 {
                let element = Variant::Variant(Box::new(value(input, depth + 1)));
                array.append(element).expect("an element of the array's type");
            }
            Variant::Array(array)
        }
        16 => {
            let mut dict = Dict::new(&Signature::U8, &Signature::Bool);
            dict.append(Variant::from(input.byte()), Variant::from(true)).expect("an entry");
            Variant::Dict(dict)
        }
        _ => {
            let mut dict = Dict::new(&Signature::Str, &Signature::Variant);
            for _ in 0..input.byte() % 5 {
                let (key, value) = (text(input), value(input, depth + 1));
                let value = Variant::Variant(Box::new(value));
                dict.append(Variant::from(key), value).expect("an entry of the dictionary's type");
            }
            Variant::Dict(dict)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_can_be_taken_and_refused() {
        let called = |method: &str, payload: Variant<'_>, options: &BTreeMap<&str, Variant<'_>>| {
            let body = body(&("a", "", &payload, options));
            called_on_dbus(method, &body, PAYLOAD_BYTES_MAX).unwrap().map(|_| ())
        };
        let none = BTreeMap::new();
        let payload = || Variant::new(vec![1_i32, 2]);
        assert_eq!(called("Publish", payload(), &none), Ok(()));
        let wrong = BTreeMap::from([("retian", Variant::from(true))]);
        let (name, text) = called("Publish", payload(), &wrong).unwrap_err();
        assert_eq!(name, "org.kithbus.Error.BadField");
        refused(&name, &text);
    }

    #[test]
    fn every_kind_of_value_is_made() {
        let mut seen = std::collections::BTreeSet::new();
        for kind in 0..18 {
            let bytes = [kind, 1, 1, 1, 1, 1, 1, 1, 1];
            seen.insert(value(&mut Input::new(&bytes), 0).value_signature().to_string());
        }
        assert!(seen.len() >= 15, "{seen:?}");
    }
}
