//! What the vectors to the daemon mean, by name, in the words of the crate.
//!
//! Written out once more rather than taken from one of the codecs: both could be wrong alike.

use kith_wire::{
    Destination, Headers, MessageId, Operation, Options, Pattern, Priority, Protocol, Publication,
    Request, Since, Subscribe, Token, Topic, Until,
};
use std::num::NonZeroU32;

const TOKEN: &str = "5ea1ed!";
const CLIENT: [u8; 16] = [
    0x91, 0x91, 0x08, 0xF7, 0x52, 0xD1, 0x43, 0x20, 0x9B, 0xAC, 0xF8, 0x47, 0xDB, 0x41, 0x48, 0xA8,
];

/// The example of RFC 9562, appendix A.6.
pub(crate) fn message_id() -> MessageId {
    MessageId::from_text("017f22e2-79b0-7cc3-98c4-dc0c0c07398f").unwrap()
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (key, value) in pairs {
        headers.insert(key, value).unwrap();
    }
    headers
}

/// What the vector of this name asks for; `None` if it is not known.
pub(crate) fn request(name: &str) -> Option<Request<'static>> {
    let plain = plain(name).or_else(|| durable(name));
    let (number, operation) = plain.or_else(|| published(name)).or_else(|| waited(name))?;
    Some(Request { number: NonZeroU32::new(number), operation })
}

fn plain(name: &str) -> Option<(u32, Operation<'static>)> {
    let name_of = name;
    let hello = |name: Option<&str>, client| Operation::Hello {
        name: name.map(str::to_owned),
        client,
        descriptors: name_of == "hello-descriptors",
        token: name_of.starts_with("hello-token").then(|| Token::new(TOKEN).unwrap()),
    };
    let sub = |number, pattern, group: Option<&'static str>, retained| {
        Operation::Subscribe(Subscribe {
            number: NonZeroU32::new(number).unwrap(),
            pattern: Pattern::new(pattern).unwrap(),
            group: group.map(Into::into),
            retained,
            monitor: name == "sub-monitor",
            durable: None,
            since: None,
        })
    };
    let unsub = |number| Operation::Unsubscribe(NonZeroU32::new(number).unwrap());
    Some(match name {
        "hello" => (1, hello(Some("chess"), Some(CLIENT))),
        "hello-bare" | "hello-descriptors" => (1, hello(None, None)),
        "hello-name" | "hello-name-escaped" => (0, hello(Some("Zoë"), None)),
        "hello-token" => (1, hello(None, None)),
        "hello-token-all" => (2, hello(Some("chess"), Some(CLIENT))),
        "hello-client" => (u32::MAX, hello(None, Some(CLIENT))),
        "sub" => (2, sub(2, "self.test.>", None, false)),
        "sub-group-retained" => (3, sub(3, "bt/friends.chess.*", Some("workers"), true)),
        "sub-any" => (4, sub(4, "*/*.>", None, false)),
        "sub-monitor" => (8, sub(8, "*/*.>", None, false)),
        "sub-named-ms" => (5, sub(5, "self.a/b", None, false)),
        "unsub" => (6, unsub(3)),
        "unsub-unanswered" => (0, unsub(4)),
        "unwill" => (12, Operation::Unwill),
        "ping" => (13, Operation::Ping),
        "ping-unanswered" => (0, Operation::Ping),
        "bye" => (14, Operation::Bye),
        _ => return None,
    })
}

fn durable(name: &str) -> Option<(u32, Operation<'static>)> {
    const AT: Since = Since::Time(1_645_557_742_000);
    let sub = |number, pattern, durable: Option<&'static str>, since| {
        let asked = Subscribe {
            number: NonZeroU32::new(number).unwrap(),
            pattern: Pattern::new(pattern).unwrap(),
            group: None,
            retained: name.ends_with("-retained"),
            monitor: false,
            durable: durable.map(Into::into),
            since,
        };
        Some((number, Operation::Subscribe(asked)))
    };
    let ack = |subscription, message_ids| {
        let subscription = NonZeroU32::new(subscription).unwrap();
        Operation::Acknowledge { subscription, message_ids }
    };
    match name {
        "sub-durable" => sub(9, "self.mail.>", Some("mailer"), None),
        "sub-durable-retained" => sub(10, "bt/self.mail.>", Some("mailer"), Some(Since::Start)),
        "sub-since-time" => sub(11, "self.a", Some("m"), Some(AT)),
        "sub-since-id" => sub(12, "self.a", Some("m"), Some(Since::After(message_id()))),
        "sub-since-retained" => sub(13, "self.a", None, Some(AT)),
        "ack" | "ack-list" => Some((15, ack(9, vec![message_id()]))),
        "ack-many" => {
            let ids =
                ["017f22e2-79b0-7cc3-98c4-dc0c0c0739ff", "017f22e2-79b0-7cc3-98c4-dc0c0c073a00"];
            Some((0, ack(u32::MAX, ids.map(|id| MessageId::from_text(id).unwrap()).to_vec())))
        }
        _ => None,
    }
}

fn publication(topic: &'static str, payload: &'static [u8]) -> Publication<'static> {
    Publication {
        topic: Topic::new(topic).unwrap(),
        protocol: Protocol::MS,
        payload: payload.into(),
        options: Options::default(),
    }
}

fn with(publication: Publication<'static>, options: Options<'static>) -> Publication<'static> {
    Publication { options, ..publication }
}

fn of(protocol: &'static str, publication: Publication<'static>) -> Publication<'static> {
    Publication { protocol: Protocol::new(protocol).unwrap(), ..publication }
}

fn published(name: &str) -> Option<(u32, Operation<'static>)> {
    let hello = || publication("test.hello", b"{\"text\":\"hi\"}");
    let retain = || Options { retain: true, ..Options::default() };
    let deep = || Box::leak(["[".repeat(96), "]".repeat(96)].concat().into_boxed_str()).as_bytes();
    let (number, publication) = match name {
        "pub" | "pub-escaped" | "pub-spaced" | "pub-base64-ms" => (0, hello()),
        "pub-numbered" => (5, hello()),
        "pub-protocol" => (6, of("bt", publication("files.a", b"\x00\xff\n{"))),
        "pub-empty" => (0, of("x+y_1", publication("a", b""))),
        "pub-all" => (7, with(publication("chess.move", b"[1,2]"), all_options())),
        "pub-remove" | "pub-remove-base64" => (0, with(publication("chess.state", b""), retain())),
        "pub-bulk" => {
            let options = Options { priority: Priority::Bulk, ..Options::default() };
            (0, with(publication("a", b"1"), options))
        }
        "pub-stored" => {
            let options = Options { until: Until::Stored, ..Options::default() };
            (8, with(publication("a", b"1"), options))
        }
        "pub-delivered" => {
            let to = Destination::Elsewhere("bob".to_owned());
            let until = Until::Delivered;
            let options = Options { to, until, echo: true, ..Options::default() };
            (8, with(publication("a", b"1"), options))
        }
        "pub-sent" => {
            let to = Destination::Elsewhere("self".to_owned());
            let options = Options { to, until: Until::Sent, ..Options::default() };
            (8, with(publication("a", b"1"), options))
        }
        "pub-realtime" => {
            let options = Options { realtime: true, ..Options::default() };
            (0, with(publication("a", b"1"), options))
        }
        "pub-accepted" => (8, publication("a", b"1")),
        "pub-white-space" => (0, publication("a", b"  { \"n\" :\t1 } ")),
        "pub-inner-white-space" => (0, publication("a", b"{ \"n\" :\t1 }")),
        "pub-text-kept" => (0, publication("a", b"{\"b\":1.50e+01,\"a\":\"\\u0041\\/\",\"b\":-0}")),
        "pub-null" => (0, publication("a", b"null")),
        "pub-string" => (0, publication("a", b"\"a\\r\\nb\"")),
        "pub-line-separator" => (0, publication("a", "\"x\u{2028}y\"".as_bytes())),
        "pub-deep" => (0, publication("a", deep())),
        "pub-named-ms" | "pub-no-options" | "pub-defaults" => (0, publication("a", b"1")),
        "pub-sealed" => {
            let publication = of("bt", publication("files.a", b""));
            return Some((6, Operation::PublishSealed { publication, payload_bytes: 65_536 }));
        }
        "pub-sealed-options" => {
            let options = Options { priority: Priority::Bulk, ..Options::default() };
            let publication = with(publication("a", b""), options);
            return Some((0, Operation::PublishSealed { publication, payload_bytes: 1 << 40 }));
        }
        "will" => {
            let will = with(publication("chess.gone", b"{}"), retain());
            return Some((4, Operation::Will(will)));
        }
        "will-plain" => {
            return Some((0, Operation::Will(of("bt", publication("a", b"\0")))));
        }
        _ => return None,
    };
    Some((number, Operation::Publish(publication)))
}

fn all_options() -> Options<'static> {
    Options {
        message_id: Some(message_id()),
        to: Destination::Elsewhere("friends".to_owned()),
        expire_after_ms: Some(60_000),
        retain: true,
        reply_to: Some(Topic::new("chess.answers").unwrap()),
        priority: Priority::High,
        headers: headers(&[("content-type", "application/json"), ("trace", "ä\"1")]),
        until: Until::Accepted,
        realtime: false,
        echo: false,
    }
}

fn waited(name: &str) -> Option<(u32, Operation<'static>)> {
    let (number, publication, timeout_ms) = match name {
        "req" => (9, publication("chess.ask", b"null"), 2_000),
        "req-default" => (10, publication("chess.ask", b"1"), 5_000),
        "req-all" => {
            let options = Options {
                message_id: Some(message_id()),
                to: Destination::Elsewhere("friends".to_owned()),
                expire_after_ms: Some(2_592_000_000),
                priority: Priority::Bulk,
                headers: headers(&[("k", "v w x")]),
                ..Options::default()
            };
            (11, of("bt", with(publication("chess.ask", b"\x00\x01"), options)), 3_600_000)
        }
        _ => return None,
    };
    let operation =
        Operation::Request { number: NonZeroU32::new(number).unwrap(), publication, timeout_ms };
    Some((number, operation))
}
