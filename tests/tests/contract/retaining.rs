//! Kept values: the last message of a topic, for whoever comes later.

use crate::door::{Client, Door, Event, Operation, Publication, Subscription, new_id};
use kith_wire::Code;

on_every_door! {
    the_last_value_is_there_for_who_comes_later,
    who_does_not_ask_for_kept_values_gets_none,
    kept_values_outlive_their_publisher,
    kept_values_are_those_that_match,
    an_empty_payload_removes_the_value_and_is_not_delivered,
    a_kept_value_keeps_its_id_and_options,
    each_protocol_of_a_topic_keeps_its_own_value,
    a_kept_value_that_has_expired_is_gone,
    kept_values_come_before_new_messages_whatever_their_priority,
    a_reply_cannot_be_kept,
}

/// What a new subscription with kept values gets at once: topic, payload, and whether it says that
/// it was kept.
fn kept(client: &mut Client, pattern: &str) -> Vec<(String, String, bool)> {
    client.subscribe_retained(1, pattern);
    let mut kept = Vec::new();
    for event in client.pending() {
        let Event::Message { subscription: 1, delivery } = event else { panic!("{event:?}") };
        kept.push((delivery.topic.clone(), delivery.text().to_owned(), delivery.retained));
    }
    client.done(&Operation::Unsubscribe(1));
    kept.sort();
    kept
}

fn values(expected: &[(&str, &str)]) -> Vec<(String, String, bool)> {
    let value = |(topic, payload): &(&str, &str)| ((*topic).into(), (*payload).into(), true);
    expected.iter().map(value).collect()
}

fn keep(client: &mut Client, topic: &str, payload: &str) {
    client.publish_it(Publication::json(topic, payload).retained());
}

fn the_last_value_is_there_for_who_comes_later(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut present = bus.connect();
    present.subscribe(7, "self.a");
    keep(&mut publisher, "a", "1");
    keep(&mut publisher, "a", "2");
    publisher.publish("a", "3");
    // Who is there gets each as a new message.
    for payload in ["1", "2", "3"] {
        let delivery = present.message_on(7);
        assert_eq!((delivery.text(), delivery.retained), (payload, false));
    }
    let mut late = bus.connect();
    assert_eq!(kept(&mut late, "self.a"), values(&[("a", "2")]));
}

fn who_does_not_ask_for_kept_values_gets_none(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    keep(&mut client, "a", "1");
    client.subscribe(1, "self.a");
    assert_eq!(client.pending(), []);
}

fn kept_values_outlive_their_publisher(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    keep(&mut publisher, "a", "1");
    publisher.done(&Operation::Bye);
    assert_eq!(kept(&mut bus.connect(), "self.*"), values(&[("a", "1")]));
}

fn kept_values_are_those_that_match(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    for topic in ["a", "a.b", "a.c", "b.b"] {
        keep(&mut client, topic, &format!("\"{topic}\""));
    }
    let found = |topics: &[&str]| -> Vec<_> {
        topics.iter().map(|topic| ((*topic).to_owned(), format!("\"{topic}\""), true)).collect()
    };
    assert_eq!(kept(&mut client, "self.a.*"), found(&["a.b", "a.c"]));
    assert_eq!(kept(&mut client, "*.*.b"), found(&["a.b", "b.b"]));
    assert_eq!(kept(&mut client, "*/self.a.>"), found(&["a.b", "a.c"]));
    assert_eq!(kept(&mut client, "friends.>"), []);
    assert_eq!(kept(&mut client, "x-raw/self.>"), []);
}

fn an_empty_payload_removes_the_value_and_is_not_delivered(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    for protocol in ["ms", "x-raw"] {
        let pattern = format!("{protocol}/self.a");
        client.publish_it(Publication::bytes(protocol, "a", *b"1").retained());
        client.subscribe(2, &pattern);
        client.publish_it(Publication::bytes(protocol, "a", []).retained());
        assert_eq!(client.pending(), []);
        client.done(&Operation::Unsubscribe(2));
        assert_eq!(kept(&mut client, &pattern), []);
    }
    // As JSON lines have it: with no payload at all.
    keep(&mut client, "a", "1");
    let publication = Publication { topic: "a".to_owned(), ..Publication::default() };
    client.publish_it(publication.retained());
    assert_eq!(kept(&mut client, "self.a"), []);
}

fn a_kept_value_keeps_its_id_and_options(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    let publication = Publication {
        message_id: Some(new_id()),
        expire_after_ms: Some(1_000_000),
        reply_to: Some("answers".to_owned()),
        priority: Some(2),
        headers: vec![("trace".to_owned(), "1".to_owned())],
        ..Publication::json("a", "1").retained()
    };
    client.publish_it(publication);
    let mut expected = client.message_on(1);
    expected.retained = true;
    client.subscribe_retained(2, "self.a");
    assert_eq!(client.message_on(2), expected);
}

fn each_protocol_of_a_topic_keeps_its_own_value(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    keep(&mut client, "a", "1");
    client.publish_it(Publication::bytes("x-raw", "a", *b"2").retained());
    assert_eq!(kept(&mut client, "self.a"), values(&[("a", "1")]));
    assert_eq!(kept(&mut client, "x-raw/self.a"), values(&[("a", "2")]));
    assert_eq!(kept(&mut client, "*/self.a"), values(&[("a", "1"), ("a", "2")]));
}

fn a_kept_value_that_has_expired_is_gone(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    let brief = Publication { expire_after_ms: Some(1), ..Publication::json("a", "1") };
    client.publish_it(brief.retained());
    client.pass_ms(20);
    assert_eq!(kept(&mut client, "self.a"), []);
}

fn kept_values_come_before_new_messages_whatever_their_priority(door: &dyn Door) {
    let bus = door.open("");
    let (mut publisher, mut subscriber) = (bus.connect(), bus.connect());
    let payload = format!("\"{}\"", "x".repeat(60_000));
    for n in 0..50 {
        let kept = Publication::json(&format!("a.{n}"), &payload).retained();
        publisher.publish_it(Publication { priority: Some(2), ..kept });
    }
    // It does not read, so that what comes later could overtake what waits.
    let wanted = Subscription::to("self.a.*").with_retained();
    subscriber.send_as(1, &Operation::Subscribe(wanted));
    publisher.wait_for_count("subscriptions", 1);
    publisher.publish_it(Publication { priority: Some(0), ..Publication::json("a.0", "1") });
    let ok = Event::Ok { number: 1, message_id: None, duplicate: false, stored: false };
    assert_eq!(subscriber.next(), ok);
    for _ in 0..50 {
        assert!(subscriber.message_on(1).retained);
    }
    assert!(!subscriber.message_on(1).retained);
}

fn a_reply_cannot_be_kept(door: &dyn Door) {
    let bus = door.open("");
    let (mut requester, mut responder) = (bus.connect(), bus.connect());
    responder.subscribe(1, "self.sum");
    let number = requester.request("sum", "1", 60_000);
    let asked = responder.message_on(1);
    let reply = Publication::json(asked.reply_to.as_deref().unwrap(), "2");
    let kept = Operation::Publish(reply.clone().retained());
    assert_eq!(responder.refused(&kept), Code::BadField);
    // The topic is not used up by that.
    responder.publish_it(reply);
    assert!(matches!(requester.answer(number), Event::Reply { .. }));
}
