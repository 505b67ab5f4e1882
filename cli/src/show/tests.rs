//! Messages for the tests of everything that is shown, the nasty ones among them.

use kith_wire::{Delivery, Headers, MessageId, Priority, Protocol, SENDER_LOCAL, Scope, Topic};
use std::num::NonZeroU32;

/// A plain message.
pub(crate) fn delivery<'a>(topic: &'a str, payload: &'a [u8]) -> Delivery<'a> {
    Delivery {
        message_id: MessageId::from_parts(1_700_000_000_000, &[7; 10]),
        sender: SENDER_LOCAL,
        petname: None,
        device: None,
        scope: Scope::Own,
        protocol: Protocol::MS,
        topic: Topic::new(topic).unwrap(),
        sent_at_ms: 1_700_000_000_000,
        expires_at_ms: None,
        reply_to: None,
        priority: Priority::Normal,
        retained: false,
        attempt: None,
        headers: Headers::new(),
        payload,
        sealed_bytes: None,
    }
}

/// A message that has everything.
pub(crate) fn full() -> Delivery<'static> {
    let mut headers = Headers::new();
    headers.insert("trace", "7").unwrap();
    headers.insert("name", "\u{202e}x").unwrap();
    Delivery {
        sender: "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        petname: None,
        device: Some("key"),
        scope: Scope::Friends,
        protocol: Protocol::BT,
        expires_at_ms: Some(1_700_000_000_001),
        reply_to: Some(Topic::new("answers").unwrap()),
        priority: Priority::High,
        retained: true,
        attempt: NonZeroU32::new(2),
        headers,
        ..delivery("a.\u{202e}b", b"\xff")
    }
}

/// Payloads that try to do something to whoever looks at them.
pub(crate) const HOSTILE: &[&[u8]] = &[
    b"\"\xc2\x9b2J\"",
    b"\"\x7f\"",
    "\"\u{202e}\u{2066}\u{200b}\u{e0041}\"".as_bytes(),
    b"\x1b]0;owned\x07\x1b[2J\r\n",
    b"\xff\xfe\x1b[",
    b"\t\t\t",
    "漢字漢字漢字漢字漢字漢字".as_bytes(),
];

/// Asserts that a terminal shows `line` and does nothing else, but for colours.
pub(crate) fn assert_harmless(line: &str) {
    let mut text = line.to_owned();
    for code in ["0", "1", "1;31", "2", "32", "33", "35", "36"] {
        text = text.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(crate::show::harmless::harmless(&text), text);
}
