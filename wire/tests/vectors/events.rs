//! What the vectors from the daemon mean, by name, in the words of the crate.

use super::requests::{headers, message_id};
use kith_wire::{
    Code, Delivery, Event, Headers, MessageId, Priority, Protocol, RequestNumber, SENDER_LOCAL,
    Scope, Topic,
};
use std::num::NonZeroU32;

const SENT_AT_MS: u64 = 1_645_557_742_000;
const EXPIRES_AT_MS: u64 = 1_645_557_802_000;

fn number(number: u32) -> RequestNumber {
    RequestNumber::new(number).unwrap()
}

/// What the vector of this name says: one event, or a run of them; none if it is not known.
pub(crate) fn events(name: &str) -> Vec<Event<'static>> {
    let single = answer(name).or_else(|| failure(name)).or_else(|| message(name));
    match single {
        Some(event) => vec![event],
        None => run(name),
    }
}

fn answer(name: &str) -> Option<Event<'static>> {
    let stored = name.starts_with("ok-stored");
    let ok =
        |n, message_id, duplicate| Event::Ok { number: number(n), message_id, duplicate, stored };
    Some(match name {
        "ok" => ok(6, None, false),
        "ok-id" => ok(5, Some(message_id()), false),
        "ok-stored" => ok(5, Some(message_id()), false),
        "ok-stored-duplicate" => ok(5, Some(message_id()), true),
        "ok-duplicate" => ok(5, Some(message_id()), true),
        "welcome" | "welcome-descriptors" => {
            let payload_bytes_max = 16_777_216;
            let descriptors = name == "welcome-descriptors";
            Event::Welcome { number: number(1), version: "0.1.0", payload_bytes_max, descriptors }
        }
        "lag" => Event::Lag { subscription: number(5), count: 65_537 },
        "closing" => Event::Bye { code: Some(Code::ShuttingDown), text: "stop" },
        _ => return None,
    })
}

fn failure(name: &str) -> Option<Event<'static>> {
    let (n, code, text, at, fatal) = match name {
        "err" => (9, Some(Code::NoResponders), "no one \"", None, false),
        "err-at" => (0, Some(Code::BadTopic), "no topic", Some(300), false),
        "err-fatal" => (0, Some(Code::BadFrame), "x", Some(1 << 32), true),
        "err-new-code" => (2, None, "", None, false),
        "err-control" => (0, Some(Code::BadJson), "a\n\r\t\0\x1b\\\"/ä", None, false),
        _ => return None,
    };
    Some(Event::Err { number: RequestNumber::new(n), code, text, at, fatal })
}

fn delivery(topic: &'static str, payload: &'static [u8]) -> Delivery<'static> {
    Delivery {
        message_id: message_id(),
        sender: SENDER_LOCAL,
        petname: None,
        device: None,
        scope: Scope::Own,
        protocol: Protocol::MS,
        topic: Topic::new(topic).unwrap(),
        sent_at_ms: SENT_AT_MS,
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

fn message(name: &str) -> Option<Event<'static>> {
    let (subscription, delivery) = match name {
        "msg" => (1, delivery("test.hello", b"{\"text\":\"hi\"}")),
        "msg-protocol" => {
            let (protocol, scope, sender) = (Protocol::BT, Scope::Friends, "did:x");
            (2, Delivery { protocol, scope, sender, ..delivery("files.a", b"\x00\xff\n") })
        }
        "msg-sealed" => {
            let (protocol, sealed_bytes) = (Protocol::BT, Some(65_536));
            (2, Delivery { protocol, sealed_bytes, ..delivery("files.a", b"") })
        }
        "msg-sealed-options" => {
            let (priority, sealed_bytes) = (Priority::High, Some(65_537));
            (2, Delivery { priority, sealed_bytes, ..delivery("a", b"") })
        }
        "msg-public" => {
            (3, Delivery { scope: Scope::Public, sender: "did:", ..delivery("a", b"1") })
        }
        "msg-all" => {
            let delivery = Delivery {
                sender: "did:key:",
                device: Some("key1"),
                scope: Scope::Friends,
                expires_at_ms: Some(EXPIRES_AT_MS),
                reply_to: Some(Topic::new("chess.answers").unwrap()),
                priority: Priority::Bulk,
                retained: true,
                headers: headers(&[("trace", "ä\"1"), ("k", "v w x")]),
                ..delivery("chess.move", b"[1,2]")
            };
            (4, delivery)
        }
        "msg-petname" => {
            let delivery = Delivery {
                sender: "did:key:",
                petname: Some("Bob"),
                device: Some("key1"),
                scope: Scope::Friends,
                ..delivery("a", b"1")
            };
            (4, delivery)
        }
        "msg-attempt" => {
            let (attempt, headers) = (NonZeroU32::new(2), headers(&[("k", "v w x")]));
            (9, Delivery { attempt, headers, ..delivery("a", b"1") })
        }
        "msg-quoted" => {
            let payload = b"\"{\\\"op\\\":\\\"bye\\\"}\"";
            (7, Delivery { sent_at_ms: 0, ..delivery("a\"},\\", payload) })
        }
        // Never delivered: see `json::an_empty_payload_does_not_break_its_line`.
        "pub-removed" => (1, delivery("a", b"")),
        "reply" => {
            let delivery = delivery("bus.reply.a.b", b"true");
            return Some(Event::Reply { number: number(9), delivery });
        }
        "reply-all" => {
            let delivery = Delivery {
                sender: "did:key:",
                device: Some("key"),
                scope: Scope::Public,
                protocol: Protocol::BT,
                expires_at_ms: Some(EXPIRES_AT_MS),
                reply_to: Some(Topic::new("b").unwrap()),
                priority: Priority::High,
                headers: headers(&[("k", "v w x")]),
                ..delivery("a", b"")
            };
            return Some(Event::Reply { number: number(10), delivery });
        }
        _ => return None,
    };
    Some(Event::Message { subscription: number(subscription), delivery })
}

fn run(name: &str) -> Vec<Event<'static>> {
    let id = |text| MessageId::from_text(text).unwrap();
    let message = |n, delivery| Event::Message { subscription: number(n), delivery };
    match name {
        "msgs" => {
            let first = id("017f22e2-79b0-7cc3-98c4-dc0c0c0739ff");
            let second = id("017f22e2-79b0-7cc3-98c4-dc0c0c073a00");
            vec![
                message(5, Delivery { message_id: first, ..delivery("test.hello", b"1") }),
                message(5, Delivery { message_id: second, ..delivery("test.hello", b"[2]") }),
            ]
        }
        "msgs-named-ms" => {
            let first = id("017f22e2-79b0-7cc3-98c4-dc0c0c0739ff");
            let second = id("017f22e2-79b0-7cc3-98c4-dc0c0c073a00");
            vec![
                message(5, Delivery { message_id: first, ..delivery("a", b"1") }),
                message(5, Delivery { message_id: second, ..delivery("a", b"2") }),
            ]
        }
        "msgs-protocol" => {
            let (protocol, scope) = (Protocol::BT, Scope::Public);
            vec![message(6, Delivery { protocol, scope, ..delivery("a", b"\0") })]
        }
        _ => Vec::new(),
    }
}
