//! Any words of the protocol, for properties: valid ones of every kind, and hostile ones.
//!
//! Texts are made of characters that have been trouble somewhere (controls, separators, quotes,
//! what JSON and patterns treat specially) at least as often as of any others.

use kith_wire::{
    Delivery, Destination, Event, Headers, MessageId, Operation, Options, Pattern, Priority,
    Protocol, Publication, Request, RequestNumber, SENDER_LOCAL, Scope, Since, Subscribe, Token,
    Topic, Until,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use std::borrow::Cow;

/// Any character, the troublesome ones often.
fn character() -> impl Strategy<Value = char> {
    let trouble = "\0\t\n\r\u{b}\u{1b} \"\\/{}[]:,'`.*>\u{7f}\u{85}\u{9b}\u{a0}\u{2028}\u{2029}\
                   \u{202e}\u{feff}\u{fffd}äß𝕏az09-_+";
    prop_oneof![select(trouble.chars().collect::<Vec<_>>()), any::<char>()]
}

/// Any text of up to `chars` characters.
pub(crate) fn text(chars: usize) -> impl Strategy<Value = String> {
    vec(character(), 0..=chars).prop_map(String::from_iter)
}

fn visible(chars: usize, except: &'static str) -> impl Strategy<Value = String> {
    let is_fit = move |c: &char| !c.is_control() && !c.is_whitespace() && !except.contains(*c);
    vec(character(), 1..=chars).prop_map(move |text| {
        let text = String::from_iter(text.into_iter().filter(is_fit));
        if text.is_empty() { "x".to_owned() } else { text }
    })
}

fn token() -> impl Strategy<Value = String> {
    prop_oneof![select(vec!["a", "bus", "chess", "b/c"]).prop_map(str::to_owned), visible(8, ".*>")]
}

pub(crate) fn topic() -> impl Strategy<Value = Topic<'static>> {
    vec(token(), 1..=6).prop_map(|tokens| Topic::new(tokens.join(".")).unwrap())
}

pub(crate) fn protocol() -> impl Strategy<Value = Protocol<'static>> {
    let alphabet = "abcxyz0189-_+".chars().collect::<Vec<_>>();
    let any = vec(select(alphabet), 1..=32).prop_map(String::from_iter);
    prop_oneof![
        Just(Protocol::MS),
        Just(Protocol::BT),
        any.prop_map(|name| Protocol::new(name).unwrap())
    ]
}

pub(crate) fn pattern_text() -> impl Strategy<Value = String> {
    let protocol = prop_oneof![
        Just(String::new()),
        Just("*/".to_owned()),
        protocol().prop_map(|protocol| format!("{protocol}/"))
    ];
    let scope = select(vec!["*", "self", "friends", "public"]);
    let tokens = vec(prop_oneof![3 => token(), 1 => Just("*".to_owned())], 0..=5);
    let last = prop_oneof![2 => token(), 1 => Just("*".to_owned()), 1 => Just(">".to_owned())];
    (protocol, scope, tokens, last).prop_map(|(protocol, scope, mut tokens, last)| {
        tokens.push(last);
        format!("{protocol}{scope}.{}", tokens.join("."))
    })
}

pub(crate) fn message_id() -> impl Strategy<Value = MessageId> {
    (0_u64..1 << 48, any::<[u8; 10]>()).prop_map(|(ms, random)| MessageId::from_parts(ms, &random))
}

pub(crate) fn number() -> impl Strategy<Value = RequestNumber> {
    any::<RequestNumber>()
}

fn headers() -> impl Strategy<Value = Headers> {
    let key = vec(select("abz09-".chars().collect::<Vec<_>>()), 1..=5).prop_map(String::from_iter);
    vec((key, text(12)), 0..=5).prop_map(|pairs| {
        let mut headers = Headers::new();
        for (key, value) in pairs {
            // A key that is there already, or a control character: then without this one.
            let _ = headers.insert(&key, &value);
        }
        headers
    })
}

fn priority() -> impl Strategy<Value = Priority> {
    select(Priority::ALL.to_vec())
}

fn destination() -> impl Strategy<Value = Destination> {
    let elsewhere = visible(20, "").prop_filter("local is here", |to| to != "local");
    prop_oneof![Just(Destination::Local), elsewhere.prop_map(Destination::Elsewhere)]
}

/// A JSON value as people and programs write it, on one line, with white space and raw Unicode.
pub(crate) fn json() -> BoxedStrategy<String> {
    let string = || text(10).prop_map(|text| serde_json::to_string(&text).unwrap());
    let space = || select(vec!["", "", " ", "\t "]);
    let words = vec!["null", "true", "0", "-1.5e3", "12345678901", "\"\\u2028\\/\"", "[]", "{}"];
    let leaf = prop_oneof![select(words).prop_map(str::to_owned), string()];
    let value = leaf.prop_recursive(4, 24, 4, move |inner| {
        let array = vec((space(), inner.clone()), 1..4).prop_map(|items| {
            let items: Vec<_> =
                items.iter().map(|(space, item)| format!("{space}{item}")).collect();
            format!("[{}]", items.join(","))
        });
        let object = vec((string(), space(), inner), 1..4).prop_map(|fields| {
            let field = |(key, space, value): &(_, _, _)| format!("{key}{space}:{value}");
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(","))
        });
        prop_oneof![array, object]
    });
    (space(), value, space())
        .prop_map(|(before, value, after)| format!("{before}{value}{after}"))
        .boxed()
}

/// Bytes that might pass for an `ms` payload, and do something else to a line.
pub(crate) fn hostile_payload() -> BoxedStrategy<Vec<u8>> {
    let parts = vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\n",
        "\r",
        "\r\n",
        ",",
        ":",
        " ",
        "\t",
        "1",
        "-",
        "e9",
        "null",
        "\"a\"",
        "\\n",
        "\\u000a",
        "\\ud800",
        "\u{2028}",
        "\u{85}",
        "\0",
        "\u{7f}",
        "}\n{\"op\":\"bye\"",
        "\",\"sub\":7,\"x\":\"",
        "},\"sender\":\"did:x\"",
    ];
    let pasted = vec(select(parts), 0..8).prop_map(|parts| parts.concat().into_bytes());
    let bent = (json(), any::<proptest::sample::Index>(), pasted.clone(), 0_usize..3);
    let bent = bent.prop_map(|(json, index, insert, cut)| {
        let mut bytes = json.into_bytes();
        let at = index.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert);
        bytes
    });
    // Line breaks where JSON allows them.
    let broken = (json(), select(vec!["\n", "\r", "\r\n"]), 0_usize..5);
    let broken = broken.prop_map(|(json, line_break, place)| match place {
        0 => format!("{line_break}{json}").into_bytes(),
        1 => format!("{json}{line_break}").into_bytes(),
        2 => format!("[{json},{line_break}{json}]").into_bytes(),
        3 => format!("{{\"a\"{line_break}:{json}}}").into_bytes(),
        _ => json.replace(' ', line_break).into_bytes(),
    });
    prop_oneof![
        broken,
        vec(any::<u8>(), 0..40),
        text(20).prop_map(String::into_bytes),
        pasted,
        json().prop_map(String::into_bytes),
        bent,
    ]
    .boxed()
}

fn payload(protocol: &Protocol<'_>) -> BoxedStrategy<Vec<u8>> {
    if protocol.is_ms() {
        json().prop_map(String::into_bytes).boxed()
    } else {
        vec(any::<u8>(), 0..40).boxed()
    }
}

fn publication(for_request: bool) -> impl Strategy<Value = Publication<'static>> {
    let options = (
        option::of(message_id()),
        destination(),
        option::of(1_u64..=2_592_000_000),
        any::<bool>(),
        option::of(topic()),
        priority(),
        headers(),
        any::<[bool; 2]>(),
    );
    let options = options.prop_map(
        move |(message_id, to, expire, retain, reply_to, priority, headers, [realtime, echo])| {
            let retain = retain && !for_request;
            let echo = echo && !for_request && to != Destination::Local;
            Options {
                message_id,
                to,
                expire_after_ms: expire,
                retain,
                reply_to: reply_to.filter(|_| !for_request),
                priority,
                headers,
                until: Until::Accepted,
                realtime: realtime && !retain && !for_request,
                echo,
            }
        },
    );
    let options = prop_oneof![Just(Options::default()), options];
    let payload = protocol().prop_flat_map(|protocol| (payload(&protocol), Just(protocol)));
    (topic(), payload, options, any::<bool>()).prop_map(
        |(topic, (payload, protocol), options, is_removal)| {
            let payload = if is_removal && options.retain { Vec::new() } else { payload };
            Publication { topic, protocol, payload: Cow::Owned(payload), options }
        },
    )
}

/// Any request that the daemon takes.
pub(crate) fn request() -> BoxedStrategy<Request<'static>> {
    let with = |operation: BoxedStrategy<Operation<'static>>| {
        (option::of(number()), operation)
            .prop_map(|(number, operation)| Request { number, operation })
            .boxed()
    };
    let name = visible(12, "");
    let token = "[!-~]{1,64}".prop_map(|text| Token::new(text).unwrap());
    let hello = (option::of(number()), option::of(name), option::of(any::<[u8; 16]>()))
        .prop_flat_map(move |(number, name, client)| {
            let token = option::of(token.clone());
            // Who asks for descriptors has a number.
            let descriptors =
                if number.is_some() { any::<bool>().boxed() } else { Just(false).boxed() };
            (descriptors, token).prop_map(move |(descriptors, token)| Request {
                number,
                operation: Operation::Hello { name: name.clone(), client, descriptors, token },
            })
        });
    let sealed = (publication(false), any::<u64>()).prop_map(|(publication, payload_bytes)| {
        let publication = Publication { payload: Cow::Borrowed(b""), ..publication };
        Operation::PublishSealed { publication, payload_bytes }
    });
    let plain = select(vec![Operation::Bye, Operation::Ping, Operation::Unwill]);
    let acknowledge =
        (number(), vec(message_id(), 1..=256)).prop_map(|(subscription, message_ids)| {
            Operation::Acknowledge { subscription, message_ids }
        });
    // What is wanted until it is stored is published, and not left as a will.
    let stored =
        (publication(false), select(Until::ALL.to_vec())).prop_map(|(mut publication, until)| {
            let options = &mut publication.options;
            let is_local = options.to == Destination::Local;
            options.until = match until {
                Until::Sent | Until::Delivered if is_local => Until::Stored,
                until => until,
            };
            options.realtime &= options.until != Until::Stored;
            Operation::Publish(publication)
        });
    let waited = (number(), publication(true), 1_u32..=3_600_000).prop_map(
        |(number, publication, timeout_ms)| Request {
            number: Some(number),
            operation: Operation::Request { number, publication, timeout_ms },
        },
    );
    prop_oneof![
        hello,
        with(acknowledge.boxed()),
        with(stored.boxed()),
        with(sealed.boxed()),
        with(plain.boxed()),
        with(number().prop_map(Operation::Unsubscribe).boxed()),
        with(publication(false).prop_map(Operation::Publish).boxed()),
        with(publication(false).prop_map(Operation::Will).boxed()),
        subscribe(),
        waited,
    ]
    .boxed()
}

fn subscribe() -> impl Strategy<Value = Request<'static>> {
    let since = prop_oneof![
        Just(Since::Start),
        any::<u64>().prop_map(Since::Time),
        message_id().prop_map(Since::After),
    ];
    let name = option::of(visible(12, ".*>"));
    let asked = (number(), pattern_text(), name, option::of(since), any::<[bool; 3]>());
    asked.prop_map(|(number, pattern, name, since, [retained, monitor, is_durable])| {
        let pattern = Pattern::new(pattern).unwrap();
        let name = name.map(Cow::Owned);
        let monitor = monitor && name.is_none();
        let (group, durable) = if is_durable { (None, name) } else { (name, None) };
        let since = since.filter(|_| retained || durable.is_some());
        let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
        Request { number: Some(number), operation: Operation::Subscribe(asked) }
    })
}

/// A delivery in words that live long enough to be borrowed.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) delivery: Delivery<'static>,
    pub(crate) sender: String,
    pub(crate) petname: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) payload: Vec<u8>,
}

impl Letter {
    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            sender: &self.sender,
            petname: self.petname.as_deref(),
            device: self.device.as_deref(),
            payload: &self.payload,
            ..self.delivery.clone()
        }
    }
}

/// Any delivery.
pub(crate) fn letter() -> impl Strategy<Value = Letter> {
    let marks = (message_id(), select(Scope::ALL.to_vec()), topic(), any::<u64>());
    let rare = (
        option::of(any::<u64>()),
        option::of(topic()),
        priority(),
        (any::<bool>(), option::of(number())),
        headers(),
        prop_oneof![Just(SENDER_LOCAL.to_owned()), text(12)],
        [option::of(text(12)), option::of(text(12))],
    );
    let payload = protocol().prop_flat_map(|protocol| (payload(&protocol), Just(protocol)));
    (marks, rare, payload).prop_map(|(marks, rare, (payload, protocol))| {
        let (message_id, scope, topic, sent_at_ms) = marks;
        let (
            expires_at_ms,
            reply_to,
            priority,
            (retained, attempt),
            headers,
            sender,
            [petname, device],
        ) = rare;
        let delivery = Delivery {
            message_id,
            sender: "",
            petname: None,
            device: None,
            scope,
            protocol,
            topic,
            sent_at_ms,
            expires_at_ms,
            reply_to,
            priority,
            retained,
            attempt,
            headers,
            payload: &[],
            sealed_bytes: None,
        };
        Letter { delivery, sender, petname, device, payload }
    })
}

/// An event that is not a delivery, and the text that it borrows.
pub(crate) fn notice() -> impl Strategy<Value = (Event<'static>, String)> {
    let code = || option::of(select(kith_wire::Code::all().collect::<Vec<_>>()));
    let err = (option::of(number()), code(), option::of(any::<u64>()), any::<bool>());
    let event = prop_oneof![
        code().prop_map(|code| Event::Bye { code, text: "" }),
        err.prop_map(|(number, code, at, fatal)| Event::Err { number, code, text: "", at, fatal }),
        (number(), any::<u64>())
            .prop_map(|(subscription, count)| Event::Lag { subscription, count }),
        (number(), option::of(message_id()), any::<[bool; 2]>()).prop_map(
            |(number, message_id, [duplicate, stored])| Event::Ok {
                number,
                message_id,
                duplicate,
                stored,
            }
        ),
        (number(), any::<u64>(), any::<bool>()).prop_map(
            |(number, payload_bytes_max, descriptors)| Event::Welcome {
                number,
                version: "",
                payload_bytes_max,
                descriptors,
            }
        ),
    ];
    (event, text(30))
}

/// The same event with this text, where it has one.
pub(crate) fn spoken<'a>(event: &Event<'a>, words: &'a str) -> Event<'a> {
    match event.clone() {
        Event::Bye { code, .. } => Event::Bye { code, text: words },
        Event::Err { number, code, at, fatal, .. } => {
            Event::Err { number, code, text: words, at, fatal }
        }
        Event::Welcome { number, payload_bytes_max, descriptors, .. } => {
            Event::Welcome { number, version: words, payload_bytes_max, descriptors }
        }
        other => other,
    }
}

/// Up to 70,000 bytes: longer than any length field but that of the frame can say.
pub(crate) fn long_text() -> impl Strategy<Value = String> {
    let times = prop_oneof![Just(1), 1_usize..100, Just(4_000), Just(7_000)];
    (text(10), times).prop_map(|(text, times)| {
        // Not a text that stands for something else.
        let text = text.repeat(times);
        if text == "local" { "elsewhere".to_owned() } else { text }
    })
}
