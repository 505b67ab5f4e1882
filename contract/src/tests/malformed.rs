//! What is wrong with a payload is said with the field's name: whatever the payload, and whichever
//! field it is. And what is not looked at by those who read for use.

use super::round::payloads;
use crate::kind::{Field, Kind, Presence};
use crate::limits::{DEPTH_MAX, VALUES_MAX};
use crate::table::{Entry, entry};
use crate::value::Value;
use crate::{Fault, HEALTH, HEARTBEAT, PROTOCOL, PayloadError, cbor, json, services};
use proptest::prelude::*;

/// A payload without one of its fields, or with another value for it.
fn changed(
    value: &Value<'static>,
    name: &'static str,
    to: Option<Value<'static>>,
) -> Value<'static> {
    let Value::Map(mut fields) = value.clone() else { panic!("a payload is a map") };
    fields.retain(|(key, _)| key != name);
    fields.extend(to.map(|to| (name.into(), to)));
    Value::Map(fields)
}

/// What both forms of it are refused for.
fn refused(entry: &Entry, value: &Value<'_>) -> [PayloadError; 2] {
    let json = json::written(value);
    [
        entry.check(PROTOCOL, &cbor::written(value)).unwrap_err(),
        entry.check("ms", json.as_bytes()).unwrap_err(),
    ]
}

/// Something that this field can't be.
fn wrong(kind: Kind) -> Value<'static> {
    match kind {
        Kind::Flag | Kind::List { .. } => Value::Number(7),
        Kind::Number { min, .. } => Value::Number(i128::from(min) - 1),
        Kind::Text { bytes_max } => Value::Text("x".repeat(bytes_max + 1).into()),
        Kind::Name | Kind::Id | Kind::Word(_) => Value::Text("No such!".into()),
        Kind::Bytes { max, .. } => Value::Bytes(vec![7; max + 1].into()),
        Kind::Map(_) | Kind::Figures => Value::List(vec![]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_field_is_named_when_it_is_wrong((entry, value) in payloads()) {
        for Field { name, kind, presence, .. } in entry.fields() {
            let missing = changed(&value, name, None);
            if *presence == Presence::Optional {
                prop_assert!(entry.check(PROTOCOL, &cbor::written(&missing)).is_ok());
            } else {
                for error in refused(entry, &missing) {
                    prop_assert_eq!(error.field(), *name);
                    prop_assert!(matches!(error.fault(), Fault::Missing { .. }), "{}", error);
                }
            }
            for error in refused(entry, &changed(&value, name, Some(wrong(*kind)))) {
                prop_assert_eq!(error.field(), *name);
                let is_said = matches!(error.fault(), Fault::Range { .. } | Fault::Kind { .. });
                prop_assert!(is_said, "{}", error);
                let words = format!("`{name}` should be ");
                prop_assert!(error.to_string().contains(&words), "{}", error);
            }
        }
        let more = changed(&value, "more", Some(Value::Flag(true)));
        for error in refused(entry, &more) {
            prop_assert_eq!(error.field(), "more");
            prop_assert!(matches!(error.fault(), Fault::Unknown { .. }), "{}", error);
        }
    }
}

#[test]
fn readers_go_past_what_later_versions_add() {
    let plain = services::Health {
        service: "weather".to_owned(),
        state: services::Condition::Ok,
        text: None,
        figures: None,
    };
    let text = br#"{"more":[1.5,{"a":[]}],"text":null,"state":"ok","service":"weather"}"#;
    assert_eq!(HEALTH.read("ms", text), Ok(plain.clone()));
    // Keys in another order, a longer head, and a tag, in the deepest of nests.
    let mut cbor = vec![0xa3];
    cbor.extend_from_slice(b"\x67service\x78\x07weather\x65state\x62ok\x64more");
    cbor.extend_from_slice(&[0x81; 40]);
    cbor.extend_from_slice(b"\xc1\xf9\x3c\x00");
    assert_eq!(HEALTH.read(PROTOCOL, &cbor), Ok(plain.clone()));
    assert!(entry("services.health").unwrap().check(PROTOCOL, &cbor).is_err());

    // A list of no given length, in which there is a map with a number as its key.
    let later = b"\xa3\x64more\x9f\xa1\x01\x02\xff\x65state\x62ok\x67service\x67weather";
    assert_eq!(HEALTH.read(PROTOCOL, later), Ok(plain));
    let number = b"\xa3\x64more\xa1\x01\x02\x65state\x62ok\x67service\x67weather";
    assert!(HEALTH.read(PROTOCOL, number).is_ok());

    for wrong in ["{\"state\":\"ok\"}", "{\"service\":\"weather\",\"state\":1}"] {
        assert!(HEALTH.read("ms", wrong.as_bytes()).is_err());
    }
    let twice = b"{\"service\":\"a\",\"service\":\"b\",\"state\":\"ok\"}";
    assert_eq!(HEALTH.read("ms", twice).unwrap_err().field(), "service");
    assert_eq!(HEARTBEAT.read("ms", b"{\"at\":1}"), Ok(services::Heartbeat {}));
    assert_eq!(HEARTBEAT.read(PROTOCOL, b"\xa0"), Ok(services::Heartbeat {}));
}

#[test]
fn other_protocols_are_refused() {
    let error = HEALTH.read("bt", b"{}").unwrap_err();
    assert_eq!(error.fault(), &Fault::Protocol("bt".to_owned()));
    assert_eq!(
        error.to_string(),
        "`services.health`: the payload is of protocol `bt`; here it is `kith` (CBOR) or `ms` \
         (JSON)"
    );
}

#[test]
fn no_more_values_are_read_than_a_payload_has() {
    let fields = format!("{}0", "0,".repeat(VALUES_MAX));
    let json = format!("{{\"more\":[{fields}]}}");
    assert_eq!(HEALTH.read("ms", json.as_bytes()).unwrap_err().fault(), &Fault::TooMany);
    let mut cbor = b"\xa1\x64more\x99\x10\x01".to_vec();
    cbor.resize(cbor.len() + 0x1001, 0);
    let error = HEALTH.read(PROTOCOL, &cbor).unwrap_err();
    assert_eq!((error.fault(), error.field()), (&Fault::TooMany, "more[4094]"));
    // A length that is claimed costs nothing.
    assert!(HEALTH.read(PROTOCOL, b"\xa1\x64more\x9b\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
}

#[test]
fn nests_are_not_followed_to_their_ground() {
    let health = entry("services.health").unwrap();
    for depth in [DEPTH_MAX, 90, 120] {
        let nest = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let json = format!("{{\"service\":\"a\",\"state\":\"ok\",\"text\":{nest}}}");
        let error = health.check("ms", json.as_bytes()).unwrap_err();
        assert_eq!(error.field(), "text", "{error}");
    }
    let mut cbor = b"\xa3\x64text".to_vec();
    cbor.resize(100_000, 0x81);
    cbor.extend_from_slice(b"\x00\x65state\x62ok\x67service\x61a");
    assert_eq!(health.check(PROTOCOL, &cbor).unwrap_err().field(), "text");
    assert!(health.check("ms", "[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn what_is_repeated_can_be_shown() {
    let health = entry("services.health").unwrap();
    let json = "{\"\u{202e}\\u001b[31m\":1}".to_owned();
    let error = health.check("ms", json.as_bytes()).unwrap_err();
    assert_eq!(error.field(), "\\u{202e}\\u{1b}[31m");
    let long = format!("{{\"service\":\"{}\",\"state\":\"ok\"}}", "é".repeat(10_000));
    let error = health.check("ms", long.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 300 && error.ends_with("…`"), "{error}");
}
