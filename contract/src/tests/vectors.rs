//! The vectors of `vectors/`, which authors in other languages test theirs with.
//!
//! `payloads.json` has payloads in both forms; its CBOR was made by another encoder than ours.
//! `refused.json` has what is refused, where, and in which words.

use crate::table::{entries, entry};
use crate::{PROTOCOL, PayloadError};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

const PAYLOADS: &str = include_str!("../../vectors/payloads.json");
const REFUSED: &str = include_str!("../../vectors/refused.json");

type Rows<'a> = Vec<BTreeMap<&'a str, &'a RawValue>>;

fn text(row: &BTreeMap<&str, &RawValue>, name: &str) -> Option<String> {
    serde_json::from_str(row.get(name)?.get()).ok()
}

#[test]
fn both_forms_of_each_vector_are_read_as_the_same() {
    let rows: Rows<'_> = serde_json::from_str(PAYLOADS).unwrap();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let topic = text(row, "topic").unwrap();
        let json = row["json"].get();
        let cbor = HEXLOWER_PERMISSIVE.decode(text(row, "cbor").unwrap().as_bytes()).unwrap();
        let entry = entry(&topic).unwrap();
        seen.insert(entry.topic());

        let by_cbor = entry.check(PROTOCOL, &cbor).unwrap();
        let by_json = entry.check("ms", json.as_bytes()).unwrap();
        assert_eq!(by_cbor, by_json, "{topic}");
        assert_eq!(by_json.cbor, cbor, "{topic}");
        assert_eq!(by_cbor.json, json, "{topic}");
        let both = (entry.again)(entry.checked(PROTOCOL, &cbor).unwrap()).unwrap();
        assert_eq!(both, (cbor, json.to_owned()), "{topic}");

        // Who speaks is told by the first name of these, where there is one.
        let fields: BTreeMap<String, Value> = serde_json::from_str(json).unwrap();
        let speaker = fields.iter().find(|(name, _)| {
            let names = ["buffer", "directory", "discovery", "service", "transport"];
            names.contains(&name.as_str()) && topic != "envelope.keep"
        });
        assert_eq!(by_json.speaker.as_deref(), speaker.and_then(|(_, value)| value.as_str()));
    }
    let all: BTreeSet<_> = entries().map(|entry| entry.topic()).collect();
    assert_eq!(seen, all, "each topic has a vector");
}

#[test]
fn what_is_refused_is_refused_at_its_field() {
    let rows: Rows<'_> = serde_json::from_str(REFUSED).unwrap();
    let mut found = Vec::new();
    let mut faults = BTreeSet::new();
    for row in &rows {
        let entry = entry(&text(row, "topic").unwrap()).unwrap();
        let error: PayloadError = if let Some(json) = text(row, "json") {
            entry.check("ms", json.as_bytes()).unwrap_err()
        } else {
            let hex = text(row, "cbor").unwrap();
            entry.check(PROTOCOL, &HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap()).unwrap_err()
        };
        let fault = format!("{:?}", error.fault());
        faults.insert(fault.split([' ', '(']).next().unwrap_or_default().to_owned());
        let expected = (text(row, "field").unwrap(), text(row, "error").unwrap());
        let is = (error.field().to_owned(), error.to_string());
        if is != expected {
            found.push(format!("\"field\": {:?}, \"error\": {:?}}}", is.0, is.1));
        }
    }
    assert!(found.is_empty(), "other than in the vectors:\n{}", found.join("\n"));
    let names = faults.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "Base64",
            "Kind",
            "Missing",
            "NotCbor",
            "NotDeterministic",
            "NotJson",
            "Range",
            "Trailing",
            "Twice",
            "Unknown"
        ],
        "each fault has a vector, but for those of protocols and of numbers of values"
    );
}
