//! Payloads: what an `ms` payload is, and what `kith` makes of what somebody gave it.
//!
//! An `ms` payload is passed on into other people's lines, so the check of it is held to the words
//! of the protocol: one JSON value, one line, nested at most 96 deep, by a count of brackets that
//! is written another way. What `kith` publishes passes that check and means what was given.

use kith_cli::fuzzing::{Given, payload, payloads};
use kith_wire::{check_ms, compact_json};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    checked(bytes);
    given_as_json(bytes);
    given_as_text(bytes);
    assert_eq!(payload(Given::Bytes, bytes), Ok(bytes.to_vec()));
    for given in [Given::Json, Given::Text, Given::Bytes] {
        given_as_lines(given, bytes);
    }
}

fn checked(bytes: &[u8]) {
    let is_right = str::from_utf8(bytes).is_ok_and(|text| {
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        is_json && !text.contains(['\r', '\n']) && depth(text) <= 96
    });
    match check_ms(bytes) {
        Ok(()) => {
            assert!(is_right, "{}", String::from_utf8_lossy(bytes));
            let text = str::from_utf8(bytes).unwrap();
            let compact = compact_json(text);
            assert_eq!(check_ms(compact.as_bytes()), Ok(()), "{compact}");
            assert_eq!(compact_json(&compact), compact, "once is enough");
            assert_eq!(value(&compact), value(text), "{compact}");
        }
        Err(error) => {
            assert!(!is_right, "{error}: {}", String::from_utf8_lossy(bytes));
            assert!(error.at() <= bytes.len(), "{error:?}");
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
        }
    }
}

/// How deep a JSON text nests.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_string => is_escaped = true,
            '"' => in_string = !in_string,
            '[' | '{' if !in_string => depth += 1,
            ']' | '}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What a JSON text means, if this reader can hold it.
fn value(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn given_as_json(bytes: &[u8]) {
    match payload(Given::Json, bytes) {
        Ok(payload) => {
            assert_eq!(check_ms(&payload), Ok(()));
            let (given, payload) = (text_of(bytes), text_of(&payload));
            assert_eq!(value(payload), value(given), "{given:?}");
            assert_eq!(payload.trim_ascii(), payload);
            let is_one_line = !given.trim_ascii().contains(['\r', '\n']);
            assert!(!is_one_line || payload == given.trim_ascii(), "{given:?}");
        }
        Err(said) => {
            // What needs no change is not refused.
            assert!(check_ms(bytes).is_err(), "{said}");
            is_harmless(&said);
        }
    }
}

fn given_as_text(bytes: &[u8]) {
    match (payload(Given::Text, bytes), str::from_utf8(bytes)) {
        (Ok(payload), Ok(text)) => {
            assert_eq!(check_ms(&payload), Ok(()));
            let line = text.strip_suffix('\n').unwrap_or(text);
            let line = line.strip_suffix('\r').unwrap_or(line);
            assert_eq!(value(text_of(&payload)), Some(line.into()));
        }
        (Err(said), Err(_)) => is_harmless(&said),
        (payload, text) => panic!("{payload:?} of {text:?}"),
    }
}

/// Holds that lines are payloads as each of them would be alone.
fn given_as_lines(given: Given, bytes: &[u8]) {
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last line feed is a line only if there is something.
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.retain(|line| given != Given::Json || !line.trim_ascii().is_empty());
    let found = payloads(given, bytes);
    assert_eq!(found.len(), lines.len());
    for (found, line) in found.iter().zip(lines) {
        match (found, payload(given, line)) {
            (Ok(found), Ok(alone)) => assert_eq!(*found, alone),
            (Err(said), Err(_)) => is_harmless(said),
            (found, alone) => panic!("{found:?} is not {alone:?}"),
        }
    }
}

fn text_of(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn is_harmless(said: &str) {
    assert!(said.starts_with("kith: ") && said.ends_with('\n'), "{said:?}");
    assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
}
