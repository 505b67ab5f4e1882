//! From one client to another: topics, patterns, scopes, protocols and what a message carries.

use crate::door::{
    Bus, Client, Delivery, Door, Event, Operation, Publication, Subscription, new_id,
};
use kith_wire::Code;
use std::time::{SystemTime, UNIX_EPOCH};

on_every_door! {
    a_message_comes_as_it_was_published,
    every_option_of_a_message_arrives,
    a_publisher_hears_itself,
    each_pattern_matches_what_it_says,
    friends_and_public_are_out_of_reach_for_local_publishers,
    protocols_are_subscribed_to_apart,
    bytes_arrive_as_they_are,
    a_payload_arrives_byte_for_byte,
    each_subscription_of_a_connection_gets_a_message,
    a_message_id_is_given_where_none_was,
    messages_arrive_in_the_order_of_their_publisher,
    nothing_comes_after_the_end_of_a_subscription,
    the_answer_to_a_subscription_comes_before_its_first_message,
    a_number_can_be_used_again_when_its_subscription_has_ended,
    the_largest_payload_arrives_and_one_byte_more_is_refused,
}

fn pair(door: &dyn Door, configuration: &str) -> (Box<dyn Bus>, Client, Client) {
    let bus = door.open(configuration);
    let (publisher, subscriber) = (bus.connect(), bus.connect());
    (bus, publisher, subscriber)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn a_message_comes_as_it_was_published(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(3, "self.test.>");
    let before = now_ms();
    let message_id = publisher.publish("test.hello", r#"{"text":"hi"}"#);
    let delivery = subscriber.message_on(3);
    assert!((before..=now_ms()).contains(&delivery.sent_at_ms));
    let expected = Delivery {
        message_id,
        sender: "local".to_owned(),
        petname: None,
        device: None,
        scope: "self".to_owned(),
        protocol: "ms".to_owned(),
        topic: "test.hello".to_owned(),
        sent_at_ms: delivery.sent_at_ms,
        expires_at_ms: None,
        reply_to: None,
        priority: 1,
        retained: false,
        attempt: None,
        headers: Vec::new(),
        payload: br#"{"text":"hi"}"#.to_vec(),
    };
    assert_eq!(delivery, expected);
}

fn every_option_of_a_message_arrives(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(1, "*/self.>");
    let headers = [("content-type", "text/ä\u{2028}"), ("trace", ""), ("a-1", "\"\\")];
    let headers = headers.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let publication = Publication {
        message_id: Some(new_id()),
        to: Some("local".to_owned()),
        expire_after_ms: Some(60_000),
        reply_to: Some("ä.answers".to_owned()),
        priority: Some(0),
        headers: headers.clone(),
        ..Publication::bytes("x-raw", "ä.\"quoted\\", *b"\0\xff")
    };
    let message_id = publisher.publish_it(publication.clone());
    assert_eq!(Some(message_id), publication.message_id);
    let delivery = subscriber.message_on(1);
    let expected = Delivery {
        message_id,
        sender: "local".to_owned(),
        petname: None,
        device: None,
        scope: "self".to_owned(),
        protocol: "x-raw".to_owned(),
        topic: "ä.\"quoted\\".to_owned(),
        sent_at_ms: delivery.sent_at_ms,
        expires_at_ms: Some(delivery.sent_at_ms + 60_000),
        reply_to: publication.reply_to,
        priority: 0,
        retained: false,
        attempt: None,
        // JSON objects have no order of their own.
        headers: sorted(headers),
        payload: b"\0\xff".to_vec(),
    };
    assert_eq!(Delivery { headers: sorted(delivery.headers.clone()), ..delivery }, expected);
}

fn sorted(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.sort();
    headers
}

fn a_publisher_hears_itself(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    client.publish("a", "1");
    assert_eq!(client.pending_payloads(1), ["1"]);
}

fn each_pattern_matches_what_it_says(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    let topics = ["a", "a.b", "a.b.c", "b", "b.a", "ä.b", "a.bb", "x/y.a"];
    for (pattern, matching) in [
        ("self.a", &["a"][..]),
        ("self.a.b", &["a.b"]),
        ("self.a.*", &["a.b", "a.bb"]),
        ("self.*.b", &["a.b", "ä.b"]),
        ("self.*", &["a", "b"]),
        ("self.*.*", &["a.b", "b.a", "ä.b", "a.bb", "x/y.a"]),
        ("self.a.>", &["a.b", "a.b.c", "a.bb"]),
        ("self.*.>", &["a.b", "a.b.c", "b.a", "ä.b", "a.bb", "x/y.a"]),
        ("self.>", &topics),
        ("*.>", &topics),
        ("*.a", &["a"]),
        ("ms/self.b", &["b"]),
        ("*/*.b", &["b"]),
        ("self.x/y.a", &["x/y.a"]),
        ("self.A", &[]),
        ("x-raw/self.>", &[]),
    ] {
        subscriber.subscribe(1, pattern);
        for topic in topics {
            publisher.publish(topic, &format!("\"{topic}\""));
        }
        let expected: Vec<_> = matching.iter().map(|topic| format!("\"{topic}\"")).collect();
        assert_eq!(subscriber.pending_payloads(1), expected, "{pattern}");
        subscriber.done(&Operation::Unsubscribe(1));
    }
}

fn friends_and_public_are_out_of_reach_for_local_publishers(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    for (number, pattern) in [(1, "friends.>"), (2, "public.>"), (3, "*/friends.>"), (4, "self.>")]
    {
        subscriber.subscribe(number, pattern);
    }
    for topic in ["a", "friends.a", "public.a", "self.a"] {
        publisher.publish(topic, &format!("\"{topic}\""));
        publisher.publish_it(Publication::json(topic, "0").retained());
        publisher.publish_it(Publication::bytes("x-raw", topic, *b"x"));
    }
    publisher.done(&Operation::Will(Publication::json("friends.will", "0")));
    drop(publisher);
    loop {
        let delivery = subscriber.message_on(4);
        assert_eq!((delivery.scope.as_str(), delivery.sender.as_str()), ("self", "local"));
        if delivery.topic == "friends.will" {
            break;
        }
    }
    assert_eq!(subscriber.pending(), []);
    // Nor does what is kept have another scope than it came from.
    subscriber.subscribe_retained(5, "friends.>");
    subscriber.subscribe_retained(6, "public.>");
    assert_eq!(subscriber.pending(), []);
}

fn protocols_are_subscribed_to_apart(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    let patterns = ["self.a", "ms/self.a", "bt/self.a", "x-raw_1+/self.a", "*/self.a"];
    for (number, pattern) in (1..).zip(patterns) {
        subscriber.subscribe(number, pattern);
    }
    for (protocol, reached) in [("ms", &[1, 2, 5][..]), ("bt", &[3, 5]), ("x-raw_1+", &[4, 5])] {
        publisher.publish_it(Publication::bytes(protocol, "a", *b"1"));
        let mut numbers = Vec::new();
        for event in subscriber.pending() {
            let Event::Message { subscription, delivery } = event else { panic!("{event:?}") };
            assert_eq!((delivery.protocol.as_str(), delivery.payload), (protocol, b"1".to_vec()));
            numbers.push(subscription);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, reached, "{protocol}");
    }
}

fn bytes_arrive_as_they_are(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(1, "x-raw/self.a");
    let all: Vec<u8> = (0..=255).collect();
    for payload in
        [&b""[..], b"\n", b"}\n{\"op\":\"bye\"}\n", b"\0", &all, &all[..255], &all[..254]]
    {
        publisher.publish_it(Publication::bytes("x-raw", "a", payload));
        assert_eq!(subscriber.message_on(1).payload, payload);
    }
}

fn a_payload_arrives_byte_for_byte(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(1, "self.a");
    for payload in [
        "null",
        "-0.10e+05",
        r#""\u00e4 ä \/ \ud83d\ude00 😀""#,
        r#"{"a":1,"a":2, "b" : [ ] }"#,
        "123456789012345678901234567890.000",
        "\"\u{2028}\u{2029}\u{85}\u{7f}\"",
        "[[[[[[[[]]]]]]]]",
        &format!("\"{}\"", "long ".repeat(20_000)),
    ] {
        publisher.publish("a", payload);
        assert_eq!(subscriber.message_on(1).text(), payload);
    }
}

fn each_subscription_of_a_connection_gets_a_message(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    for (number, pattern) in [(1, "self.a"), (2, "self.a"), (900, "self.>"), (4, "self.b")] {
        subscriber.subscribe(number, pattern);
    }
    publisher.publish("a", "1");
    let mut numbers: Vec<u32> = (0..3).map(|_| subscriber.message().0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 900]);
    assert_eq!(subscriber.pending(), []);
}

fn a_message_id_is_given_where_none_was(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(1, "self.a");
    let given: Vec<_> = (0..50).map(|_| publisher.publish("a", "1")).collect();
    let delivered: Vec<_> = (0..50).map(|_| subscriber.message_on(1).message_id).collect();
    assert_eq!(given, delivered);
    assert!(given.is_sorted_by(|a, b| a < b), "ids rise with time");
}

fn messages_arrive_in_the_order_of_their_publisher(door: &dyn Door) {
    let (bus, mut first, mut subscriber) = pair(door, "");
    let mut second = bus.connect();
    subscriber.subscribe(1, "self.>");
    for n in 0..500 {
        first.tell(&Operation::Publish(Publication::json("a", &format!("[1,{n}]"))));
        second.tell(&Operation::Publish(Publication::json("a", &format!("[2,{n}]"))));
    }
    let mut received = [Vec::new(), Vec::new()];
    for _ in 0..1_000 {
        let value = subscriber.message_on(1).value();
        let publisher = usize::from(value[0] == 2);
        received[publisher].push(value[1].as_u64().unwrap());
    }
    for numbers in received {
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    }
}

fn nothing_comes_after_the_end_of_a_subscription(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(1, "self.a");
    subscriber.subscribe(2, "self.a");
    for _ in 0..100 {
        publisher.tell(&Operation::Publish(Publication::json("a", "1")));
    }
    let number = subscriber.send(&Operation::Unsubscribe(1));
    publisher.publish("a", "2");
    let mut has_ended = false;
    for event in subscriber.pending() {
        has_ended |= event.answers() == Some(number);
        let is_for_it = matches!(event, Event::Message { subscription: 1, .. });
        assert!(!(has_ended && is_for_it), "{event:?}");
    }
    assert!(has_ended);
    assert_eq!(subscriber.refused(&Operation::Unsubscribe(1)), Code::UnknownSubscription);
    publisher.publish("a", "3");
    assert_eq!(subscriber.pending_payloads(2), ["3"]);
}

fn the_answer_to_a_subscription_comes_before_its_first_message(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    for n in 0..20 {
        publisher.publish_it(Publication::json(&format!("a.{n}"), "1").retained());
    }
    for _ in 0..200 {
        publisher.tell(&Operation::Publish(Publication::json("a.0", "1")));
    }
    subscriber.send_as(1, &Operation::Subscribe(Subscription::to("self.a.*").with_retained()));
    let ok = Event::Ok { number: 1, message_id: None, duplicate: false, stored: false };
    assert_eq!(subscriber.next(), ok);
    for _ in 0..20 {
        assert!(subscriber.message_on(1).retained, "kept values come first");
    }
    publisher.done(&Operation::Ping);
    let is_new =
        |event: &Event| matches!(event, Event::Message { delivery, .. } if !delivery.retained);
    assert!(subscriber.pending().iter().all(is_new));
}

fn a_number_can_be_used_again_when_its_subscription_has_ended(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = pair(door, "");
    subscriber.subscribe(1, "self.a");
    subscriber.send_as(1, &Operation::Subscribe(Subscription::to("self.b")));
    let code = Code::DuplicateSubscription;
    assert_eq!(subscriber.answer(1), Event::Err { number: Some(1), code, fatal: false });
    subscriber.done(&Operation::Unsubscribe(1));
    subscriber.subscribe(1, "self.b");
    publisher.publish("a", "1");
    publisher.publish("b", "2");
    assert_eq!(subscriber.pending_payloads(1), ["2"]);
}

fn the_largest_payload_arrives_and_one_byte_more_is_refused(door: &dyn Door) {
    let configuration = "limits.payload_bytes_max = '64 KiB'";
    let (_bus, mut publisher, mut subscriber) = pair(door, configuration);
    subscriber.subscribe(1, "*/self.a");
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    publisher.publish("a", &text(65_536));
    assert_eq!(subscriber.message_on(1).payload.len(), 65_536);
    publisher.publish_it(Publication::bytes("x-raw", "a", [b'\n'; 65_536]));
    assert_eq!(subscriber.message_on(1).payload, [b'\n'; 65_536]);
    for publication in
        [Publication::json("a", &text(65_537)), Publication::bytes("x-raw", "a", [0; 65_537])]
    {
        let operation = Operation::Publish(publication);
        let code = publisher.refused(&operation);
        assert_eq!(code, Code::TooLarge);
    }
    assert_eq!(subscriber.pending(), []);
}
