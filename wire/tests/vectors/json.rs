//! JSON lines, held to `vectors/json.txt` and `vectors/json-refused.txt`.

use super::events::events;
use super::notation::{Ruling, Vector, Way, vectors};
use super::requests::request;
use kith_wire::json::{decode, deliver};
use kith_wire::{Code, Operation};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroU32;

const TAKEN: &str = include_str!("../../vectors/json.txt");
const REFUSED: &str = include_str!("../../vectors/json-refused.txt");
const PAYLOAD_BYTES_MAX: usize = 1_024;

fn taken(way: Way) -> impl Iterator<Item = Vector> {
    vectors(TAKEN).into_iter().filter(move |vector| vector.way == way)
}

#[test]
fn what_clients_write_is_read() {
    for Vector { name, bytes, .. } in taken(Way::ToDaemon) {
        let expected = request(name).unwrap_or_else(|| panic!("{name} is not in requests.rs"));
        assert_eq!(decode::request(&bytes, PAYLOAD_BYTES_MAX), Ok(expected), "{name}");
    }
}

#[test]
fn what_the_daemon_writes_is_written() {
    for Vector { name, bytes, .. } in taken(Way::FromDaemon) {
        let expected = events(name);
        assert_eq!(expected.len(), 1, "{name} is not in events.rs");
        let mut written = Vec::new();
        expected.iter().for_each(|event| deliver::event(&mut written, event));
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, format!("{}\n", String::from_utf8(bytes).unwrap()), "{name}");
    }
}

#[test]
fn what_is_refused_is_refused_with_its_code_place_and_number() {
    let mut wrong = Vec::new();
    for Vector { name, way, ruling, bytes } in vectors(REFUSED) {
        let Ruling::Refused(expected) = ruling else { panic!("{name}: {ruling:?}") };
        assert_eq!(way, Way::ToDaemon, "{name}");
        let refused = decode::request(&bytes, PAYLOAD_BYTES_MAX);
        let found = refused.as_ref().map_err(|refused| {
            let decode::Refused { number, refusal } = refused;
            (refusal.code, refusal.at, number.map(NonZeroU32::get), refusal.fatal)
        });
        if found != Err((expected.code, expected.at, expected.number, expected.fatal)) {
            wrong.push(format!("{name}: expected {expected:?}, found {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_event_and_code_has_a_vector() {
    for op in ["hello", "sub", "unsub", "pub", "ack", "req", "will", "unwill", "ping", "bye"] {
        assert!(taken(Way::ToDaemon).any(|vector| vector.name == op), "no vector of {op}");
        let refused = |vector: &Vector| vector.name.starts_with(op);
        assert!(vectors(REFUSED).iter().any(refused) || op == "ping", "no refused {op}");
    }
    for event in ["ok", "err", "msg", "lag", "reply", "welcome", "closing"] {
        assert!(taken(Way::FromDaemon).any(|vector| vector.name == event), "no vector of {event}");
    }
    let mut codes: BTreeSet<u16> = BTreeSet::new();
    for vector in vectors(REFUSED) {
        let Ruling::Refused(refused) = vector.ruling else { panic!("{}", vector.name) };
        codes.insert(refused.code.number());
    }
    // Binary frames alone have bad-frame; what comes after too-large is for the broker to say, but
    // for the names of consumers.
    let expected = Code::all().map(Code::number).filter(|n| *n <= Code::TooLarge.number());
    let mut expected: BTreeSet<u16> = expected.filter(|n| *n != Code::BadFrame.number()).collect();
    expected.insert(Code::BadConsumer.number());
    assert_eq!(codes, expected);
}

#[test]
fn acknowledged_messages_are_counted_before_they_are_read() {
    let line = |n: usize| {
        let ids = vec!["\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\""; n].join(",");
        format!("{{\"op\":\"ack\",\"sub\":1,\"msg_ids\":[{ids}]}}")
    };
    let taken = line(256);
    let request = decode::request(taken.as_bytes(), PAYLOAD_BYTES_MAX).unwrap();
    let Operation::Acknowledge { message_ids, .. } = request.operation else { panic!() };
    assert_eq!(message_ids.len(), 256);
    for n in [257, 10_000] {
        let refusal = decode::request(line(n).as_bytes(), PAYLOAD_BYTES_MAX).unwrap_err().refusal;
        assert_eq!(refusal.code, Code::BadField, "{refusal:?}");
    }
}

#[test]
fn what_is_read_is_borrowed_from_the_line() {
    // A copy for each field would cost more than all the rest of reading a line.
    let line = br#"{"op":"pub","topic":"a.b","protocol":"ms","payload":[1],"reply_to":"c"}"#;
    let request = decode::request(line, PAYLOAD_BYTES_MAX).unwrap();
    let Operation::Publish(publication) = request.operation else { panic!() };
    let inside = |part: &[u8]| line.as_ptr_range().contains(&part.as_ptr());
    assert!(inside(publication.topic.as_str().as_bytes()));
    assert!(inside(publication.options.reply_to.as_ref().unwrap().as_str().as_bytes()));
    assert!(matches!(publication.payload, Cow::Borrowed(payload) if inside(payload)));

    let line = br#"{"op":"sub","id":1,"pattern":"self.a","group":"workers"}"#;
    let request = decode::request(line, PAYLOAD_BYTES_MAX).unwrap();
    let Operation::Subscribe(subscribe) = request.operation else { panic!() };
    let inside = |part: &str| line.as_ptr_range().contains(&part.as_ptr());
    assert!(inside(subscribe.pattern.topic()));
    assert!(inside(subscribe.group.as_deref().unwrap()));
}

#[test]
fn an_empty_payload_does_not_break_its_line() {
    let event = events("pub-removed").pop().unwrap();
    let mut line = Vec::new();
    deliver::event(&mut line, &event);
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["payload"], serde_json::Value::Null);
}

#[test]
fn what_is_said_of_a_line_is_short_and_harmless() {
    let field = "\u{1b}[31m\u{9b}\u{202e}x".repeat(100_000);
    let line = format!("{{\"op\":\"ping\",\"id\":7,{}:1}}", serde_json::Value::from(field));
    let refused = decode::request(line.as_bytes(), PAYLOAD_BYTES_MAX).unwrap_err();
    let text = refused.refusal.text;
    assert!(text.starts_with("unknown field `\\u{1b}[31m\\u{9b}\\u{202e}x"), "{text}");
    assert!(text.chars().count() < 4_000, "{}", text.len());
    assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text}");
}

#[test]
fn headers_beyond_the_limit_are_neither_kept_nor_taken() {
    let line = |n: usize| {
        let pairs: Vec<_> = (0..n).map(|key| format!("\"k{key}\":\"\"")).collect();
        let pairs = pairs.join(",");
        format!("{{\"op\":\"pub\",\"topic\":\"a\",\"payload\":1,\"headers\":{{{pairs}}}}}")
    };
    assert!(decode::request(line(64).as_bytes(), PAYLOAD_BYTES_MAX).is_ok());
    for n in [65, 100_000] {
        let line = line(n);
        let refusal = decode::request(line.as_bytes(), PAYLOAD_BYTES_MAX).unwrap_err().refusal;
        assert_eq!((refusal.code, refusal.at), (Code::BadHeader, line.find("k64")));
    }
    let broken = line(100).replace("\"k99\":\"\"", "\"k99\":");
    let refusal = decode::request(broken.as_bytes(), PAYLOAD_BYTES_MAX).unwrap_err().refusal;
    assert_eq!(refusal.code, Code::BadJson);
}
