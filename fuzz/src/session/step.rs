//! The steps that an input of [`super`] is made of, and the operations that steps name.
//!
//! Few topics, patterns and numbers, so that steps meet: a subscription is ended that is there, a
//! kept value replaced, a request answered. What these can't say, raw bytes can.

use crate::input::Input;
use crate::lines;
use kith_core::Inbound;
use kith_wire::binary::encode;
use kith_wire::{
    MessageId, Operation, Options, Pattern, Priority, Protocol, Publication, Request,
    RequestNumber, Scope, Subscribe, Topic,
};

const TOPICS: [&str; 8] =
    ["a", "a.b", "a.b.c", "x.y", "x", "bus.stats", "bus.clients", "bus.subscriptions"];
const PATTERNS: [&str; 12] = [
    "self.a",
    "self.a.*",
    "self.a.>",
    "self.>",
    "*.x.y",
    "bt/self.*",
    "*/self.a.b",
    "*/*.>",
    "friends.>",
    "self.bus.>",
    "public.a",
    "self.*.*.c",
];

/// One step. Clients are named by their place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Say(usize, &'a [u8]),
    Ask(usize, u8, u8),
    Reply(usize),
    Read(usize, usize),
    ReadAll(usize),
    Pass(u64),
    Cut(usize),
    Inbound(u8, u8),
}

/// Reads at most `max` steps.
pub(super) fn steps(mut input: Input<'_>, max: usize) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < max {
        let byte = input.byte();
        let who = usize::from(byte >> 4) % super::CLIENTS;
        steps.push(match byte & 15 {
            0..4 => Step::Say(who, input.counted()),
            4..8 => Step::Ask(who, input.byte(), input.byte()),
            8 => Step::Reply(who),
            9 => Step::Read(who, 4 * usize::from(input.byte())),
            10 | 11 => Step::ReadAll(who),
            12 => Step::Pass(u64::from(input.byte()) * 4),
            13 => Step::Cut(who),
            14 => Step::Inbound(input.byte(), input.byte()),
            _ => Step::Pass(u64::from(input.byte()) * 1_000),
        });
    }
    steps
}

/// The operation that these two bytes name.
pub(super) fn request(kind: u8, detail: u8) -> Request<'static> {
    let number = RequestNumber::new(u32::from(detail % 8));
    let operation = match kind % 16 {
        0..4 => {
            let pattern = PATTERNS[usize::from(kind >> 4) % PATTERNS.len()];
            return subscribe(1 + u32::from(detail % 8), pattern, detail >> 3);
        }
        4..9 => Operation::Publish(publication(kind, detail)),
        9 | 10 => {
            let mut publication = publication(kind, detail);
            publication.options.retain = false;
            if publication.topic.is_reserved() {
                publication.payload = page(detail).into_bytes().into();
            } else if publication.payload.is_empty() {
                publication.payload = b"null".into();
            }
            let number = number.unwrap_or(RequestNumber::MIN);
            let timeout_ms = 1 + u32::from(detail);
            let operation = Operation::Request { number, publication, timeout_ms };
            return Request { number: Some(number), operation };
        }
        11 => Operation::Will(publication(kind, detail)),
        12 => Operation::Unsubscribe(number.unwrap_or(RequestNumber::MIN)),
        13 => {
            let client = Some([detail & 1; 16]);
            Operation::Hello {
                name: Some("any".to_owned()),
                client,
                descriptors: false,
                token: None,
            }
        }
        14 => Operation::Ping,
        _ if detail < 64 => Operation::Bye,
        _ => Operation::Unwill,
    };
    Request { number, operation }
}

/// A publication: the topic by the upper half of `kind`, the rest by the bits of `detail`.
fn publication(kind: u8, detail: u8) -> Publication<'static> {
    let bits = |at: u8| detail >> at & 1 == 1;
    let is_large = bits(7) && bits(6);
    let payload = if is_large { format!("\"{}\"", "x".repeat(1_000)) } else { detail.to_string() };
    let mut options = Options { retain: bits(3), ..Options::default() };
    let is_empty = options.retain && bits(5) && bits(4);
    if kind % 16 > 4 {
        options.message_id =
            bits(4).then(|| MessageId::from_parts(1_600_000_000_000, &[detail >> 6; 10]));
        options.expire_after_ms = bits(5).then_some(20 + u64::from(detail));
        options.priority = [Priority::Normal, Priority::High, Priority::Bulk, Priority::Normal]
            [usize::from(detail >> 6)];
        if kind % 16 == 8 {
            // The key can be one, so nothing is lost.
            let _ = options.headers.insert("key", &"\"".repeat(usize::from(detail)));
        }
    }
    Publication {
        topic: Topic::new(TOPICS[usize::from(kind >> 4) % TOPICS.len()]).unwrap(),
        protocol: if kind >> 7 == 1 { Protocol::BT } else { Protocol::MS },
        payload: if is_empty { Vec::new() } else { payload.into_bytes() }.into(),
        options,
    }
}

/// What the daemon may be asked for its connections and subscriptions: which page of them. Not all
/// of these are pages.
fn page(detail: u8) -> String {
    let (after, limit) = (detail >> 6, detail >> 4 & 3);
    match detail >> 1 & 7 {
        0 => "null".to_owned(),
        1 => "{}".to_owned(),
        2 => format!(r#"{{"after":{after}}}"#),
        3 => format!(r#"{{"after":{after},"limit":{limit}}}"#),
        4 => format!(r#"{{"after":[{after},{limit}],"limit":2}}"#),
        5 => format!(r#"{{"client":{after},"limit":{limit}}}"#),
        6 => format!(r#"{{"limit":{limit},"client":{after},"after":[{after},1]}}"#),
        _ => detail.to_string(),
    }
}

/// The operation that subscribes; bits 0 to 2 of `marks` are retained, monitor and group.
pub(super) fn subscribe(number: u32, pattern: &str, marks: u8) -> Request<'static> {
    let number = RequestNumber::new(number).unwrap();
    let monitor = marks & 2 != 0;
    let operation = Operation::Subscribe(Subscribe {
        number,
        pattern: Pattern::new(pattern.to_owned()).unwrap(),
        group: (marks & 4 != 0 && !monitor).then(|| "group".into()),
        retained: marks & 1 != 0,
        monitor,
        durable: None,
        since: None,
    });
    Request { number: Some(number), operation }
}

/// The operation that publishes, to be answered.
pub(super) fn publish(number: u32, topic: &str, payload: &str) -> Request<'static> {
    let operation = Operation::Publish(Publication {
        topic: Topic::new(topic.to_owned()).unwrap(),
        protocol: Protocol::MS,
        payload: payload.as_bytes().to_vec().into(),
        options: Options::default(),
    });
    Request { number: RequestNumber::new(number), operation }
}

/// The operation that replies.
pub(super) fn reply(topic: &str) -> Request<'static> {
    publish(3, topic, "\"reply\"")
}

/// A message from outside.
pub(super) fn inbound(kind: u8, detail: u8) -> Inbound<'static> {
    let scope = Scope::ALL[usize::from(kind) % 3];
    let publication = publication(kind & 0xf0 | 8, detail);
    Inbound::new("did:key:z6Mk", "key", scope, publication)
}

/// Appends an operation, as a line or as a frame.
pub(super) fn write(bytes: &mut Vec<u8>, request: &Request<'_>, is_binary: bool) {
    if is_binary {
        encode::request(bytes, request);
    } else {
        bytes.extend(lines::line(request).into_bytes());
        bytes.push(b'\n');
    }
}
