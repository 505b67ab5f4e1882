//! What `kith` prints of messages, answers and refusals that somebody else wrote.
//!
//! Nothing of them may move a cursor, change a colour, break a line, turn a text's direction or
//! hide in it; a row of a table is never wider than the terminal; what is for programs is one JSON
//! object a line. Which characters those are is said here once more, by another list.

use crate::input::Input;
use kith_cli::fuzzing::{failure, for_people, for_programs, status};
use kith_wire::{
    Delivery, Headers, MessageId, Priority, Protocol, SENDER_LOCAL, Scope, Topic, check_ms,
};
use serde_json::Value;
use std::num::NonZeroU32;
use unicode_width::UnicodeWidthStr;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 4 {
        0 => answers(input),
        1 => {
            let hint = lossy(input.counted());
            let said = failure(&lossy(input.rest()), &hint);
            assert_eq!(said.matches('\n').count(), if said.is_empty() { 0 } else { 2 });
            said.lines().for_each(is_harmless);
        }
        _ => message(input),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn message(mut input: Input<'_>) {
    let (marks, width, now_ms) = (input.byte(), input.byte(), input.number());
    let [topic, sender, device, value] = std::array::from_fn(|_| lossy(input.counted()));
    let mut headers = Headers::new();
    // One that can't be a header is none.
    let _ = headers.insert("key", &value);
    let protocol = if marks & 1 == 0 { "ms" } else { "bt" };
    let sent_at_ms = if marks & 2 == 0 { 1_700_000_000_000 } else { input.number() };
    let payload = input.rest();
    let delivery = Delivery {
        message_id: MessageId::from_parts(sent_at_ms, &[marks; 10]),
        sender: if sender.is_empty() { SENDER_LOCAL } else { &sender },
        petname: (marks & 128 != 0).then_some(value.as_str()),
        device: Some(device.as_str()).filter(|device| !device.is_empty()),
        scope: Scope::ALL[usize::from(marks >> 2) % 3],
        protocol: Protocol::new(protocol).unwrap(),
        topic: Topic::new(topic).unwrap_or_else(|_| Topic::new("a").unwrap()),
        sent_at_ms,
        expires_at_ms: None,
        reply_to: (marks & 16 != 0).then(|| Topic::new("r").unwrap()),
        priority: if marks & 32 == 0 { Priority::Normal } else { Priority::Bulk },
        retained: marks & 64 != 0,
        attempt: NonZeroU32::new(u32::from(marks) & 3),
        headers,
        payload,
        sealed_bytes: None,
    };
    let width = (marks & 128 == 0).then_some(usize::from(width));
    people(&delivery, now_ms, width);
    programs(&delivery, now_ms);
}

fn people(delivery: &Delivery<'_>, now_ms: u64, width: Option<usize>) {
    let plain = for_people(delivery, now_ms, width, false);
    for (at, printed) in plain.iter().enumerate() {
        let line = printed.strip_suffix('\n').unwrap();
        is_harmless(line);
        // `sub` prints all of a message; the rows and the heading of `tap` fit the terminal.
        let is_wide = at > 0 && width.is_some_and(|width| line.width() > width);
        assert!(!is_wide, "{width:?}: {line:?}");
    }
    // Colours add what they are made of and nothing else.
    for (printed, plain) in for_people(delivery, now_ms, width, true).iter().zip(&plain) {
        assert_eq!(without_colors(printed).trim_end(), plain.trim_end());
    }
}

fn programs(delivery: &Delivery<'_>, now_ms: u64) {
    // The daemon sees to it that an `ms` payload is JSON.
    if delivery.protocol.is_ms() && check_ms(delivery.payload).is_err() {
        return;
    }
    for printed in for_programs(delivery, now_ms) {
        let text = str::from_utf8(&printed).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        // A number that is too large for this reader is right all the same.
        if let Ok(value) = serde_json::from_str::<Value>(line) {
            assert_eq!(value["topic"], delivery.topic.as_str());
            assert_eq!(value["sender"], delivery.sender);
        }
    }
}

/// What a daemon answers, in three parts.
fn answers(mut input: Input<'_>) {
    let now_ms = input.number();
    let [ready, stats] = std::array::from_fn(|_| lossy(input.counted()));
    let clients = lossy(input.rest());
    if let Some(tables) = status(&ready, &stats, &clients, now_ms) {
        tables.lines().for_each(is_harmless);
    }
}

fn without_colors(text: &str) -> String {
    let mut plain = text.to_owned();
    for code in ["0", "1", "1;31", "2", "32", "33", "35", "36"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    plain
}

fn is_harmless(line: &str) {
    let harm = line.chars().find(|c| {
        c.is_control() || BIDIRECTIONAL.contains(c) || BREAKS.contains(c) || HIDDEN.contains(c)
    });
    assert_eq!(harm, None, "{line:?}");
}

/// Unicode's `Bidi_Control`.
const BIDIRECTIONAL: &[char] = &[
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];
/// What ends a line, where a control character doesn't.
const BREAKS: &[char] = &['\u{2028}', '\u{2029}'];
/// What takes no room, but for the two joiners that scripts and emoji are written with.
const HIDDEN: &[char] = &['\u{ad}', '\u{200b}', '\u{2060}', '\u{2061}', '\u{feff}', '\u{e0041}'];
