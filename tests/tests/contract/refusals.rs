//! What is wrong is refused with its code, and the connection goes on.

use crate::door::{Door, Operation, Publication, Subscription};
use kith_wire::Code;
use kith_wire::limits::{HEADERS_MAX, PAYLOAD_DEPTH_MAX};

on_every_door! {
    what_is_no_topic_is_refused,
    what_is_no_pattern_is_refused,
    what_is_no_protocol_is_refused,
    what_is_no_payload_is_refused,
    what_is_no_header_is_refused,
    what_is_no_group_is_refused,
    numbers_out_of_range_are_refused,
    names_that_nobody_could_read_are_refused,
    what_makes_no_sense_together_is_refused,
    reserved_topics_are_the_daemons,
    nobody_is_known_who_could_be_meant,
}

/// Asks for each, and expects it to be refused with `code` and nothing to come of it.
fn all_refused(door: &dyn Door, code: Code, operations: impl IntoIterator<Item = Operation>) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "*/*.>");
    for operation in operations {
        assert_eq!(client.refused(&operation), code, "{operation:?}");
        // So that there are never too many errors in a row.
        client.done(&Operation::Ping);
    }
    assert_eq!(client.pending(), []);
}

fn publish(topic: &str) -> Operation {
    Operation::Publish(Publication::json(topic, "1"))
}

fn what_is_no_topic_is_refused(door: &dyn Door) {
    let wrong = [
        "",
        ".",
        ".a",
        "a.",
        "a..b",
        " a",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "a\u{7f}",
        "a\u{85}b",
        "a\u{a0}b",
        "a\u{2028}b",
        "a\u{3000}b",
        "*",
        "a.*",
        "a*",
        "a.>",
        ">b",
        "self.a\r",
    ];
    let as_reply = |topic: &str| {
        let reply_to = Some(topic.to_owned());
        Operation::Publish(Publication { reply_to, ..Publication::json("a", "1") })
    };
    let request = |topic: &str| Operation::Request {
        publication: Publication::json(topic, "1"),
        timeout_ms: Some(1_000),
    };
    let wrong = door.peculiarities().sayable(&wrong);
    let operations =
        wrong.iter().flat_map(|topic| [publish(topic), as_reply(topic), request(topic)]);
    all_refused(door, Code::BadTopic, operations);
}

fn what_is_no_pattern_is_refused(door: &dyn Door) {
    let long = format!("self.{}", "x".repeat(300));
    let wrong = [
        "",
        "self",
        "self.",
        "a",
        "chess.move",
        "Self.a",
        "self.a.",
        "self..a",
        "self.>.a",
        "self.a>",
        "self.a*",
        "self.**",
        "self.a b",
        "self.a\nb",
        "self.a\u{2028}",
        ".a",
        "*",
        "ms/",
        "ms/a",
        "/self.a",
        &long,
    ];
    all_refused(
        door,
        Code::BadPattern,
        wrong.iter().map(|pattern| Operation::Subscribe(Subscription::to(pattern))),
    );
}

fn what_is_no_protocol_is_refused(door: &dyn Door) {
    let long = "x".repeat(33);
    let publish = |protocol: &&str| Operation::Publish(Publication::bytes(protocol, "a", *b"1"));
    let wrong = ["MS", "a b", "a.b", "a/b", "*", "ä", "a\n", long.as_str()];
    all_refused(door, Code::BadProtocol, wrong.iter().map(publish));
}

fn what_is_no_payload_is_refused(door: &dyn Door) {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let mut wrong: Vec<Vec<u8>> = [
        &b""[..],
        b" ",
        b"{",
        b"}",
        b"{}{}",
        b"1 2",
        b"1,2",
        b"nul",
        b"'a'",
        b"{a:1}",
        b"[1,]",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"NaN",
        b"\"",
        b"\"\xff\"",
        b"\xef\xbb\xbf1",
        b"\"\x01\"",
        b"{}\n",
        b"\n{}",
        b"[1,\n2]",
        b"[1,\r2]",
        b"\"a\nb\"",
        b"{}\n{\"op\":\"bye\"}",
        b"\0",
        b"1\0",
        b"\"\\x41\"",
        b"\"\\ud800",
        b"// 1",
        b"1}",
        b"1,\"sub\":2",
    ]
    .map(<[u8]>::to_vec)
    .into();
    wrong.push(deep(PAYLOAD_DEPTH_MAX + 1));
    let publish = |payload| {
        Operation::Publish(Publication {
            topic: "a".to_owned(),
            payload: Some(payload),
            ..Publication::default()
        })
    };
    all_refused(door, Code::BadPayload, wrong.into_iter().map(publish));
    let bus = door.open("");
    let mut client = bus.connect();
    let deepest = String::from_utf8(deep(PAYLOAD_DEPTH_MAX)).unwrap();
    client.publish("a", &deepest);
}

fn what_is_no_header_is_refused(door: &dyn Door) {
    let (long, large) = ("x".repeat(65), "x".repeat(4_096));
    let wrong = [
        ("", "1"),
        ("A", "1"),
        ("a_b", "1"),
        ("a b", "1"),
        ("ä", "1"),
        (&long, "1"),
        ("a", "1\n2"),
        ("a", "\0"),
        ("a", "\u{85}"),
        ("a", "\x1b[31m"),
        ("a", &large),
    ];
    let publish = |(key, value): (&str, &str)| {
        let headers = vec![("fine".to_owned(), String::new()), (key.to_owned(), value.to_owned())];
        Operation::Publish(Publication { headers, ..Publication::json("a", "1") })
    };
    let many = (0..=HEADERS_MAX).map(|n| (format!("a{n}"), String::new())).collect();
    let too_many = Operation::Publish(Publication { headers: many, ..Publication::json("a", "1") });
    let can_be_said =
        |(_, value): &(&str, &str)| !door.peculiarities().sayable(&[*value]).is_empty();
    let wrong = wrong.into_iter().filter(can_be_said);
    let operations = wrong.map(publish).chain([too_many]);
    all_refused(door, Code::BadHeader, operations);
}

fn what_is_no_group_is_refused(door: &dyn Door) {
    let long = "x".repeat(65);
    let subscribe = |group: &&str| Operation::Subscribe(Subscription::to("self.a").in_group(group));
    let wrong = ["a.b", "*", ">", "a b", "a\nb", "\u{2028}", long.as_str()];
    all_refused(door, Code::BadGroup, wrong.iter().map(subscribe));
}

fn numbers_out_of_range_are_refused(door: &dyn Door) {
    let expire = |ms| {
        Operation::Publish(Publication { expire_after_ms: Some(ms), ..Publication::json("a", "1") })
    };
    let wait =
        |ms| Operation::Request { publication: Publication::json("a", "1"), timeout_ms: Some(ms) };
    let wrong = [expire(0), expire(2_592_000_001), expire(u64::MAX), wait(0), wait(3_600_001)];
    all_refused(door, Code::BadField, wrong);
}

fn names_that_nobody_could_read_are_refused(door: &dyn Door) {
    let hello = |name: &str| Operation::Hello { name: Some(name.to_owned()), client: None };
    let wrong = [&"x".repeat(65), "a\nb", "\x1b[31m", "a\u{85}", "\0"];
    let wrong = door.peculiarities().sayable(&wrong);
    all_refused(door, Code::BadField, wrong.into_iter().map(hello));
    let elsewhere = |to: &str| {
        let to = Some(to.to_owned());
        Operation::Publish(Publication { to, ..Publication::json("a", "1") })
    };
    let wrong = ["", "a\nb", "\x1b[31m", &"x".repeat(256)];
    let is_other = |to: &&str| door.peculiarities().has_empty_destinations || !to.is_empty();
    all_refused(door, Code::BadField, wrong.into_iter().filter(is_other).map(elsewhere));
}

fn what_makes_no_sense_together_is_refused(door: &dyn Door) {
    let onlooker = Subscription::to("self.a").in_group("workers").looking_on();
    all_refused(door, Code::BadField, [Operation::Subscribe(onlooker)]);
    let json = || Publication::json("a", "1");
    let wrong = [
        Publication { until: Some(2), ..json() },
        Publication { until: Some(3), ..json().for_whom("local") },
        Publication { echo: true, ..json() },
        Publication { realtime: true, ..json().retained() },
        Publication { realtime: true, ..json().until_stored() },
        Publication { realtime: true, ..json().for_whom("bob").until_stored() },
    ];
    all_refused(door, Code::BadField, wrong.map(Operation::Publish));
}

fn reserved_topics_are_the_daemons(door: &dyn Door) {
    let roots =
        ["bus", "transports", "directory", "envelope", "delivery", "people", "rooms", "services"];
    let operations = roots
        .iter()
        .flat_map(|root| [(*root).to_owned(), format!("{root}.ready"), format!("{root}.a.b.c")]);
    let operations = operations.flat_map(|topic| {
        let publication = || Publication::json(&topic, "1");
        [
            Operation::Publish(publication()),
            Operation::Publish(publication().retained()),
            Operation::Publish(Publication::bytes("x-raw", &topic, *b"1")),
            Operation::Will(publication()),
            Operation::Request { publication: publication(), timeout_ms: Some(1_000) },
        ]
    });
    all_refused(door, Code::ReservedTopic, operations.collect::<Vec<_>>());
    // What only looks like one is free.
    let bus = door.open("");
    let mut client = bus.connect();
    for topic in ["bust.a", "Bus.a", "my.bus", "a.bus.ready"] {
        client.publish(topic, "1");
    }
}

fn nobody_is_known_who_could_be_meant(door: &dyn Door) {
    let elsewhere =
        |to: &str| Publication { to: Some(to.to_owned()), ..Publication::json("a", "1") };
    let places = ["self", "friends", "alice", "alice/phone", "Local"];
    let operations = places.iter().flat_map(|to| {
        let request = Operation::Request { publication: elsewhere(to), timeout_ms: Some(1_000) };
        [Operation::Publish(elsewhere(to)), request]
    });
    all_refused(door, Code::UnknownRecipient, operations.collect::<Vec<_>>());
    let with = [
        Publication { until: Some(2), ..elsewhere("bob") },
        Publication { until: Some(3), echo: true, ..elsewhere("bob") },
        Publication { realtime: true, ..elsewhere("bob/phone") },
    ];
    all_refused(door, Code::UnknownRecipient, with.map(Operation::Publish));
    let kept = places.map(|to| Operation::Publish(elsewhere(to).retained()));
    all_refused(door, Code::NotAvailable, kept);
    all_refused(door, Code::NotAvailable, [Operation::Publish(elsewhere("room:kitchen"))]);
}
