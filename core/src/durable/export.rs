//! Records as lines of JSON, for whoever wants to see what a store holds or take it elsewhere.
//!
//! Each has the kind of `record`, the `commit` that wrote it, and what it says; a message the
//! fields that a client would get. What can't be read is there too, as bytes: a line for each
//! record, and none that is left out.

use super::layout::{
    CONSUMER, ConsumerRecord, DEAD, MESSAGE, NEXT, RETAINED, Reason, WAITING, WaitingRecord, parts,
    read_message,
};
use kith_store::Record;
use kith_wire::Delivery;
use kith_wire::json::deliver;
use serde_json::{Value, json};

/// Appends a record as a JSON object and a line feed. Whether it could be read.
pub fn export_record(record: &Record, out: &mut Vec<u8>) -> bool {
    read(record, out).unwrap_or_else(|| {
        let (key, value) = (record.key.escape_ascii(), record.value.escape_ascii());
        let fields = json!({ "key": key.to_string(), "value": value.to_string() });
        put(out, "unreadable", record, &fields);
        false
    })
}

fn read(record: &Record, out: &mut Vec<u8>) -> Option<bool> {
    let Record { key, value, .. } = record;
    match *key.first()? {
        NEXT => {
            let next = value.as_slice().try_into().ok().map(u64::from_le_bytes)?;
            put(out, "next", record, &json!({ "number": next }));
        }
        CONSUMER => {
            let (id, _) = parts(key)?;
            let ConsumerRecord { name, pattern, created_ms, offered, .. } =
                ConsumerRecord::read(value)?;
            let fields = json!({ "consumer": id, "name": name, "pattern": pattern,
                "created_ms": created_ms, "offered": offered });
            put(out, "consumer", record, &fields);
        }
        WAITING => {
            let (id, number) = parts(key)?;
            let WaitingRecord { bytes, .. } = WaitingRecord::read(value)?;
            let fields = json!({ "consumer": id, "number": number, "bytes": bytes });
            put(out, "waiting", record, &fields);
        }
        DEAD => {
            let (id, number) = parts(key)?;
            let reason = value.first().copied().and_then(Reason::of).map(Reason::name);
            let fields = json!({ "consumer": id, "number": number, "reason": reason });
            put(out, "dead", record, &fields);
        }
        MESSAGE => {
            let (_, number) = parts(key)?;
            let stored = read_message(value)?;
            put_message(out, "message", record, &json!({ "number": number }), &stored.delivery);
        }
        RETAINED => {
            put_message(out, "retained", record, &json!({}), &read_message(value)?.delivery);
        }
        _ => return None,
    }
    Some(true)
}

/// The fields that every line begins with, and those of `fields`, without the end of the object.
fn begin(out: &mut Vec<u8>, kind: &str, record: &Record, fields: &Value) {
    out.extend_from_slice(
        format!("{{\"record\":\"{kind}\",\"commit\":{}", record.sequence).as_bytes(),
    );
    for (name, value) in fields.as_object().into_iter().flatten() {
        out.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
    }
}

fn put(out: &mut Vec<u8>, kind: &str, record: &Record, fields: &Value) {
    begin(out, kind, record, fields);
    out.extend_from_slice(b"}\n");
}

fn put_message(
    out: &mut Vec<u8>,
    kind: &str,
    record: &Record,
    fields: &Value,
    delivery: &Delivery<'_>,
) {
    begin(out, kind, record, fields);
    deliver::tail(out, delivery);
}

#[cfg(test)]
mod tests {
    use super::super::layout::{consumer_key, dead_key, message_key, retained_key, waiting_key};
    use super::*;
    use crate::durable::write_message;
    use kith_wire::{Headers, MessageId, Priority, Protocol, SENDER_LOCAL, Scope, Topic};

    fn delivery(payload: &[u8]) -> Delivery<'_> {
        Delivery {
            message_id: MessageId::from_parts(1_700_000_000_000, &[7; 10]),
            sender: SENDER_LOCAL,
            petname: None,
            device: None,
            scope: Scope::Own,
            protocol: Protocol::MS,
            topic: Topic::new("mail.new").unwrap(),
            sent_at_ms: 1_700_000_000_000,
            expires_at_ms: None,
            reply_to: None,
            priority: Priority::Normal,
            retained: false,
            attempt: None,
            headers: Headers::new(),
            sealed_bytes: None,
            payload,
        }
    }

    fn line(key: Vec<u8>, value: Vec<u8>) -> (bool, Value) {
        let mut out = Vec::new();
        let is_read = export_record(&Record { key, value, sequence: 9 }, &mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        (is_read, serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn each_kind_of_record_is_a_line() {
        let consumer = ConsumerRecord {
            name: "inbox".into(),
            pattern: "self.mail.>".into(),
            created_ms: 5,
            offered: 3,
            is_replaying: false,
        };
        let waiting = WaitingRecord { bytes: 7, expires_at_ms: None, sent_at_ms: 1 };
        let message = write_message(Some([1; 16]), &delivery(b"{\"n\":1}"));
        for (key, value, kind, field, expected) in [
            (vec![NEXT], 4_u64.to_le_bytes().to_vec(), "next", "number", json!(4)),
            (
                consumer_key(1).to_vec(),
                consumer.written(),
                "consumer",
                "pattern",
                json!("self.mail.>"),
            ),
            (waiting_key(1, 3).to_vec(), waiting.written(), "waiting", "number", json!(3)),
            (dead_key(1, 3).to_vec(), vec![1], "dead", "reason", json!("unacknowledged")),
            (message_key(3).to_vec(), message.clone(), "message", "payload", json!({ "n": 1 })),
            (retained_key("mail.new", "ms"), message, "retained", "topic", json!("mail.new")),
        ] {
            let (is_read, line) = line(key, value);
            assert!(is_read, "{line}");
            assert_eq!((&line["record"], &line["commit"]), (&json!(kind), &json!(9)));
            assert_eq!(line[field], expected);
        }
    }

    #[test]
    fn what_can_not_be_read_is_a_line_too() {
        for (key, value) in [
            (message_key(3).to_vec(), b"\x02\xff\n".to_vec()),
            (b"z".to_vec(), Vec::new()),
            (b"w".to_vec(), vec![0; 20]),
            (Vec::new(), Vec::new()),
        ] {
            let (is_read, line) = line(key, value);
            assert!(!is_read);
            assert_eq!(line["record"], "unreadable");
        }
        let (_, line) = line(message_key(3).to_vec(), b"\x02\xff\n".to_vec());
        assert_eq!(line["key"], r"m\x00\x00\x00\x00\x00\x00\x00\x03");
        assert_eq!(line["value"], r"\x02\xff\n");
    }
}
