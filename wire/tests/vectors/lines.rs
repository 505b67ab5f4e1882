//! What holds of every JSON line, and of the words in it: a line stays one line, and says what was
//! meant, whatever somebody has put into a payload.

use super::words::{hostile_payload, json, letter, notice, number, pattern_text, spoken, text};
use data_encoding::BASE64;
use kith_wire::binary;
use kith_wire::json::{decode, deliver};
use kith_wire::limits::{PAYLOAD_BYTES_DEFAULT, frame_bytes_max};
use kith_wire::{
    Code, Delivery, Event, Operation, Pattern, Priority, Protocol, Topic, check_ms, compact_json,
};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What JSON calls white space.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_one_line(line: &[u8]) -> bool {
    line.iter().position(|byte| matches!(byte, b'\n' | b'\r')) == Some(line.len() - 1)
        && line.ends_with(b"\n")
}

fn line_of(event: &Event<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    deliver::event(&mut line, event);
    line
}

/// The fields of a line but for its payload, and the payload's text.
fn read(line: &[u8]) -> (Map<String, Value>, Option<String>) {
    let text = std::str::from_utf8(line).unwrap();
    let mut rest = text.to_owned();
    let raw: BTreeMap<&str, &RawValue> = serde_json::from_str(text).unwrap();
    let payload = raw.get("payload").map(|payload| payload.get());
    if let Some(payload) = payload {
        // RFC 8259 allows numbers and halves of characters that `Value` can't hold.
        let at = payload.as_ptr() as usize - text.as_ptr() as usize;
        rest.replace_range(at..at + payload.len(), "0");
    }
    let mut fields: Map<String, Value> = serde_json::from_str(&rest).unwrap();
    fields.remove("payload");
    (fields, payload.map(str::to_owned))
}

/// The fields that a delivery has in a line, but for its payload.
fn fields(delivery: &Delivery<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
    put("msg_id", delivery.message_id.to_string().into());
    put("sender", delivery.sender.into());
    delivery.petname.into_iter().for_each(|petname| put("petname", petname.into()));
    delivery.device.into_iter().for_each(|device| put("device", device.into()));
    put("scope", delivery.scope.name().into());
    put("protocol", delivery.protocol.as_str().into());
    put("topic", delivery.topic.as_str().into());
    put("sent_at", delivery.sent_at_ms.into());
    delivery.expires_at_ms.into_iter().for_each(|ms| put("expires_at", ms.into()));
    delivery.reply_to.iter().for_each(|topic| put("reply_to", topic.as_str().into()));
    if delivery.priority != Priority::Normal {
        put("priority", delivery.priority.name().into());
    }
    if delivery.retained {
        put("retained", true.into());
    }
    delivery.attempt.into_iter().for_each(|attempt| put("attempt", attempt.get().into()));
    if !delivery.headers.is_empty() {
        let pair = |(key, value): (&str, &str)| (key.to_owned(), Value::from(value));
        put("headers", Value::Object(delivery.headers.iter().map(pair).collect()));
    }
    if !delivery.protocol.is_ms() {
        put("payload_b64", BASE64.encode(delivery.payload).into());
    }
    fields
}

/// A line of the vectors in which something has been changed.
fn bent_line() -> impl Strategy<Value = Vec<u8>> {
    let file = include_str!("../../vectors/json.txt");
    let lines: Vec<&str> = file.lines().filter_map(|line| line.strip_prefix("  {")).collect();
    let paste = prop_oneof![text(4).prop_map(String::into_bytes), hostile_payload()];
    (select(lines), any::<Index>(), paste, 0_usize..20).prop_map(|(line, index, paste, cut)| {
        let mut bytes = format!("{{{line}").into_bytes();
        let at = index.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, paste);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_delivery_is_one_line_with_its_values(letter in letter(), number in number()) {
        let delivery = letter.delivery();
        let lines = [
            ("msg", "sub", Event::Message { subscription: number, delivery: delivery.clone() }),
            ("reply", "id", Event::Reply { number, delivery: delivery.clone() }),
        ];
        for (op, key, event) in lines {
            let line = line_of(&event);
            prop_assert!(is_one_line(&line));
            let (found, payload) = read(&line);
            let mut expected = fields(&delivery);
            expected.insert("op".to_owned(), op.into());
            expected.insert(key.to_owned(), number.get().into());
            prop_assert_eq!(found, expected);
            prop_assert_eq!(payload.is_some(), delivery.protocol.is_ms());
            if let Some(payload) = payload {
                let text = std::str::from_utf8(delivery.payload).unwrap();
                prop_assert_eq!(payload, text.trim_matches(SPACE));
            }
        }
    }

    #[test]
    fn a_notice_is_one_line_with_its_values((event, words) in notice()) {
        let event = spoken(&event, &words);
        let line = line_of(&event);
        prop_assert!(is_one_line(&line));
        let (found, _) = read(&line);
        let name = |code: Option<Code>| Value::from(code.map_or("unknown", Code::name));
        match event {
            Event::Bye { code, text } => {
                prop_assert_eq!((&found["code"], &found["text"]), (&name(code), &text.into()));
            }
            Event::Err { number, code, text, at, fatal } => {
                prop_assert_eq!((&found["code"], &found["text"]), (&name(code), &text.into()));
                let (number, at) = (number.map(|n| Value::from(n.get())), at.map(Value::from));
                prop_assert_eq!((found.get("id"), found.get("at")), (number.as_ref(), at.as_ref()));
                prop_assert_eq!(found.get("fatal"), fatal.then_some(&Value::Bool(true)));
            }
            Event::Lag { subscription, count } => {
                prop_assert_eq!(&found["sub"], &Value::from(subscription.get()));
                prop_assert_eq!(&found["count"], &Value::from(count));
            }
            Event::Ok { number, message_id, duplicate, stored } => {
                let id = message_id.map(|id| Value::from(id.to_string()));
                prop_assert_eq!(&found["id"], &Value::from(number.get()));
                prop_assert_eq!(found.get("msg_id"), id.as_ref());
                prop_assert_eq!(found.contains_key("duplicate"), duplicate);
                let state = Value::from("stored");
                prop_assert_eq!(found.get("state"), stored.then_some(&state));
            }
            Event::Welcome { number, version, payload_bytes_max, .. } => {
                prop_assert_eq!(&found["id"], &Value::from(number.get()));
                prop_assert_eq!(&found["version"], &Value::from(version));
                prop_assert_eq!(&found["payload_bytes_max"], &Value::from(payload_bytes_max));
            }
            Event::Message { .. } | Event::Reply { .. } => panic!("no notice"),
        }
    }

    #[test]
    fn a_payload_forges_nothing(
        payload in hostile_payload(),
        mut letter in letter(),
        number in number(),
    ) {
        match check_ms(&payload) {
            Ok(()) => {
                letter.delivery.protocol = Protocol::MS;
                letter.payload = payload;
                let delivery = letter.delivery();
                let event = Event::Message { subscription: number, delivery: delivery.clone() };
                let line = line_of(&event);
                prop_assert!(is_one_line(&line));
                let (found, payload) = read(&line);
                let mut expected = fields(&delivery);
                expected.insert("op".to_owned(), "msg".into());
                expected.insert("sub".to_owned(), number.get().into());
                prop_assert_eq!(found, expected);
                let payload = payload.unwrap();
                let text = std::str::from_utf8(&letter.payload).unwrap();
                prop_assert_eq!(payload.as_str(), text.trim_matches(SPACE));
                let value = |text: &str| serde_json::from_str::<Value>(text).ok();
                prop_assert_eq!(value(&payload), value(text));
            }
            Err(error) => {
                prop_assert!(error.at() <= payload.len());
                prop_assert!(!error.to_string().contains(char::is_control));
            }
        }
    }

    #[test]
    fn json_is_a_payload(json in json()) {
        prop_assert_eq!(check_ms(json.as_bytes()), Ok(()));
        let line = format!("{{\"op\":\"pub\",\"topic\":\"a\",\"payload\":{json}}}");
        let request = decode::request(line.as_bytes(), PAYLOAD_BYTES_DEFAULT).unwrap();
        let Operation::Publish(publication) = request.operation else { panic!() };
        prop_assert_eq!(publication.payload, json.trim_matches(SPACE).as_bytes());
    }

    #[test]
    fn any_line_is_taken_or_refused_inside_of_it(
        line in prop_oneof![vec(any::<u8>(), 0..40), hostile_payload(), bent_line()],
    ) {
        match decode::request(&line, PAYLOAD_BYTES_DEFAULT) {
            Ok(request) => {
                // What JSON says, frames can say.
                let mut bytes = Vec::new();
                binary::encode::request(&mut bytes, &request);
                let frame = binary::split(&bytes, frame_bytes_max(PAYLOAD_BYTES_DEFAULT));
                let frame = frame.unwrap().unwrap();
                let again = binary::decode::request(frame, PAYLOAD_BYTES_DEFAULT);
                prop_assert_eq!(again, Ok(request));
            }
            Err(refused) => {
                let refusal = refused.refusal;
                prop_assert!(refusal.at.is_none_or(|at| at <= line.len()), "{:?}", refusal);
                prop_assert!(!refusal.fatal);
                prop_assert!(!refusal.text.contains(char::is_control), "{:?}", refusal.text);
                prop_assert!(refusal.text.chars().count() <= 4_000);
            }
        }
    }

    #[test]
    fn compact_json_means_the_same(
        text in prop_oneof![
            json(),
            hostile_payload().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ],
    ) {
        let compact = compact_json(&text);
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        prop_assert_eq!(value(&compact), value(&text));
        if check_ms(text.replace(['\n', '\r'], " ").as_bytes()).is_err() {
            prop_assert!(check_ms(compact.as_bytes()).is_err());
        }
    }

    #[test]
    fn topics_are_what_the_document_says(text in text(12)) {
        let is_token = |token: &str| {
            let refused = |c: char| c.is_control() || c.is_whitespace() || c == '*' || c == '>';
            !token.is_empty() && !token.contains(refused)
        };
        match Topic::new(text.as_str()) {
            Ok(topic) => {
                prop_assert!(text.split('.').all(is_token));
                prop_assert_eq!(topic.as_str(), text.as_str());
            }
            Err(error) => {
                prop_assert!(!text.split('.').all(is_token));
                prop_assert!(error.at() <= text.len());
                prop_assert!(!error.to_string().contains(char::is_control));
            }
        }
    }

    #[test]
    fn patterns_are_read_as_they_are_shown(
        text in prop_oneof![
            pattern_text(), text(12), text(12).prop_map(|text| format!("self.{text}")),
        ],
    ) {
        match Pattern::new(text.as_str()) {
            Ok(pattern) => {
                let shown = pattern.to_string();
                prop_assert_eq!(Pattern::new(shown.as_str()), Ok(pattern.clone()));
                prop_assert_eq!(shown.as_str(), text.strip_prefix("ms/").unwrap_or(&text));
                // A topic is a pattern without wildcards.
                prop_assert_eq!(Topic::new(pattern.topic()).is_err(), pattern.has_wildcard());
            }
            Err(error) => {
                prop_assert!(error.at() <= text.len());
                prop_assert!(!error.to_string().contains(char::is_control));
            }
        }
    }
}
