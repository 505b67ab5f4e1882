//! Durable subscriptions: what waits for a consumer, and until when.

use crate::door::{Bus, Client, Delivery, Door, Event, Operation, Publication};
use crate::door::{Since, Subscription, new_id};
use crate::process::PATIENCE;
use kith_wire::{Code, MessageId};
use std::time::Instant;

on_every_door! {
    a_message_waits_for_its_consumer_until_it_is_acknowledged,
    what_was_not_acknowledged_comes_again,
    everything_waits_through_a_restart,
    what_a_lease_was_given_for_comes_again,
    what_is_delivered_too_often_is_a_dead_letter,
    those_of_one_name_share_its_messages,
    who_ends_its_subscription_leaves_its_messages_to_the_others,
    messages_come_in_the_order_of_storing_whatever_their_priority,
    what_has_expired_does_not_come,
    answers_find_those_who_wait_for_them,
    names_and_patterns_have_to_fit,
    only_what_waits_can_be_acknowledged,
    ; streams alone:
    // On D-Bus, messages are acknowledged one by one.
    several_are_acknowledged_at_once,
}

const NAME: &str = "worker";

/// A connection that is one of the consumer's, on subscription 1.
pub(super) fn worker(bus: &dyn Bus, pattern: &str) -> Client {
    let mut client = bus.connect();
    client.subscribe_durable(1, pattern, NAME);
    client
}

/// The next message of subscription 1: its payload and its attempt, and itself.
pub(super) fn next(client: &mut Client) -> (String, u32, Delivery) {
    let delivery = client.message_on(1);
    (delivery.text().to_owned(), delivery.attempt.expect("an attempt"), delivery)
}

/// Expects these next, and acknowledges each.
pub(super) fn work_off(client: &mut Client, expected: &[(&str, u32)]) {
    for (payload, attempt) in expected {
        let (text, found, delivery) = next(client);
        assert_eq!((text.as_str(), found), (*payload, *attempt));
        client.acknowledge(1, &[delivery.message_id]);
    }
}

/// Expects nothing more on subscription 1, which has messages of this topic: what is stored now
/// comes next. (What comes from the store is not there at once, so a fence would not tell.)
pub(super) fn nothing_more(client: &mut Client, topic: &str) {
    publish(client, topic, "\"end\"");
    // It may have gone first to one that has left, which a session bus tells a little later.
    let (payload, _, end) = next(client);
    assert_eq!(payload, "\"end\"");
    client.acknowledge(1, &[end.message_id]);
}

/// Whether the answer to a publish says that it is stored, where the door says such things.
pub(super) fn is_stored(door: &dyn Door, answer: &Event) -> bool {
    let Event::Ok { stored, .. } = answer else { panic!("{answer:?}") };
    *stored || !door.peculiarities().says_stored
}

pub(super) fn publish(client: &mut Client, topic: &str, payload: &str) -> Event {
    client.ask(&Operation::Publish(Publication::json(topic, payload)))
}

fn a_message_waits_for_its_consumer_until_it_is_acknowledged(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut live = bus.connect();
    live.subscribe(1, "self.jobs");
    worker(&*bus, "self.jobs").done(&Operation::Unsubscribe(1));
    for payload in ["1", "2"] {
        assert!(is_stored(door, &publish(&mut publisher, "jobs", payload)));
    }
    let answer = publish(&mut publisher, "other", "3");
    assert!(matches!(answer, Event::Ok { stored: false, .. }), "{answer:?}");
    assert_eq!(live.pending_payloads(1), ["1", "2"]);

    let mut client = worker(&*bus, "self.jobs");
    let (text, attempt, delivery) = next(&mut client);
    assert_eq!((text.as_str(), attempt, delivery.topic.as_str()), ("1", 1, "jobs"));
    client.acknowledge(1, &[delivery.message_id]);
    drop(client);

    // It was on its way to the one before.
    let mut client = worker(&*bus, "self.jobs");
    work_off(&mut client, &[("2", 2)]);
    drop(client);
    let mut client = worker(&*bus, "self.jobs");
    nothing_more(&mut client, "jobs");
}

fn what_was_not_acknowledged_comes_again(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut client = worker(&*bus, "self.jobs");
    for payload in ["1", "2", "3"] {
        publish(&mut publisher, "jobs", payload);
    }
    let found: Vec<_> = (0..3).map(|_| next(&mut client)).collect();
    client.acknowledge(1, &[found[1].2.message_id]);
    drop(client);
    let mut client = worker(&*bus, "self.jobs");
    work_off(&mut client, &[("1", 2), ("3", 2)]);
    nothing_more(&mut client, "jobs");
}

fn everything_waits_through_a_restart(door: &dyn Door) {
    let mut bus = door.open("");
    let mut publisher = bus.connect();
    let mut client = worker(&*bus, "self.jobs");
    for payload in ["1", "2"] {
        publish(&mut publisher, "jobs", payload);
    }
    let (_, _, first) = next(&mut client);
    next(&mut client);
    client.acknowledge(1, &[first.message_id]);
    client.done(&Operation::Unsubscribe(1));
    publish(&mut publisher, "jobs", "3");
    bus.restart();

    let mut publisher = bus.connect();
    assert!(is_stored(door, &publish(&mut publisher, "jobs", "4")));
    let mut client = worker(&*bus, "self.jobs");
    let (text, attempt, second) = next(&mut client);
    assert!(text == "2" && attempt >= 2, "{text} {attempt}");
    client.acknowledge(1, &[second.message_id]);
    for payload in ["3", "4"] {
        let (text, _, delivery) = next(&mut client);
        assert_eq!(text, payload);
        client.acknowledge(1, &[delivery.message_id]);
    }
    bus.restart();
    let mut client = worker(&*bus, "self.jobs");
    nothing_more(&mut client, "jobs");
}

fn what_a_lease_was_given_for_comes_again(door: &dyn Door) {
    let bus = door.open("[limits]\nlease = \"1s\"\n");
    let mut publisher = bus.connect();
    let mut client = worker(&*bus, "self.jobs");
    publish(&mut publisher, "jobs", "1");
    let (_, attempt, first) = next(&mut client);
    assert_eq!(attempt, 1);
    // It comes again by itself, and one acknowledgement is enough.
    let (_, attempt, second) = next(&mut client);
    assert_eq!((attempt, second.message_id), (2, first.message_id));
    client.acknowledge(1, &[first.message_id]);
    drop(client);
    let mut client = worker(&*bus, "self.jobs");
    nothing_more(&mut client, "jobs");
}

fn what_is_delivered_too_often_is_a_dead_letter(door: &dyn Door) {
    let bus = door.open("[limits]\ndeliveries_max = 2\n");
    let mut publisher = bus.connect();
    publish_for_nobody(&*bus, &mut publisher, &["1", "2"]);
    for attempt in 1..=2 {
        let mut client = worker(&*bus, "self.jobs");
        let (text, found, _) = next(&mut client);
        assert_eq!((text.as_str(), found), ("1", attempt));
        let (_, _, second) = next(&mut client);
        if attempt == 2 {
            client.acknowledge(1, &[second.message_id]);
        }
        client.done(&Operation::Unsubscribe(1));
    }
    publish(&mut publisher, "jobs", "3");
    let mut client = worker(&*bus, "self.jobs");
    work_off(&mut client, &[("3", 1)]);
    let number = publisher.request("bus.consumers", "null", 5_000);
    let Event::Reply { delivery, .. } = publisher.answer(number) else { panic!("no list") };
    let consumer = &delivery.value()["consumers"][0];
    assert_eq!((&consumer["name"], &consumer["dead"]), (&NAME.into(), &1.into()), "{consumer}");
}

/// Makes the consumer, and publishes for it while nobody is there.
fn publish_for_nobody(bus: &dyn Bus, publisher: &mut Client, payloads: &[&str]) {
    let mut client = worker(bus, "self.jobs");
    client.done(&Operation::Unsubscribe(1));
    for payload in payloads {
        publish(publisher, "jobs", payload);
    }
}

fn those_of_one_name_share_its_messages(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut workers = [worker(&*bus, "self.jobs"), worker(&*bus, "self.jobs")];
    let all: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for payload in &all {
        publish(&mut publisher, "jobs", payload);
    }
    let (began, mut seen) = (Instant::now(), Vec::new());
    while seen.len() < all.len() && began.elapsed() < PATIENCE {
        for client in &mut workers {
            seen.extend(client.pending_payloads(1));
        }
    }
    seen.sort_by_key(|payload| payload.parse::<u32>().unwrap());
    assert_eq!(seen, all);
}

fn who_ends_its_subscription_leaves_its_messages_to_the_others(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut first = worker(&*bus, "self.jobs");
    publish(&mut publisher, "jobs", "1");
    next(&mut first);
    let mut second = worker(&*bus, "self.jobs");
    first.done(&Operation::Unsubscribe(1));
    work_off(&mut second, &[("1", 2)]);
    publish(&mut publisher, "jobs", "2");
    work_off(&mut second, &[("2", 1)]);
    assert_eq!(first.pending(), []);
}

fn messages_come_in_the_order_of_storing_whatever_their_priority(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    publish_for_nobody(&*bus, &mut publisher, &[]);
    for (payload, priority) in [("1", 2), ("2", 1), ("3", 0)] {
        let publication = Publication::json("jobs", payload);
        publisher.publish_it(Publication { priority: Some(priority), ..publication });
    }
    let mut client = worker(&*bus, "self.jobs");
    work_off(&mut client, &[("1", 1), ("2", 1), ("3", 1)]);
}

fn what_has_expired_does_not_come(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    publish_for_nobody(&*bus, &mut publisher, &[]);
    let brief = Publication { expire_after_ms: Some(1), ..Publication::json("jobs", "1") };
    publisher.publish_it(brief);
    publish(&mut publisher, "jobs", "2");
    publisher.pass_ms(20);
    let mut client = worker(&*bus, "self.jobs");
    work_off(&mut client, &[("2", 1)]);
    nothing_more(&mut client, "jobs");
}

fn answers_find_those_who_wait_for_them(door: &dyn Door) {
    let bus = door.open("");
    let mut client = worker(&*bus, "self.jobs");
    let ids: Vec<MessageId> = (0..20).map(|_| new_id()).collect();
    let mut numbers = Vec::new();
    for id in &ids {
        // Of these the first is answered when it is on the disk, the others need not wait for it.
        let stored = Publication::json("jobs", "1").with_id(*id);
        let live = new_id();
        let other = Publication::json("other", "1").with_id(live);
        numbers.push((client.send(&Operation::Publish(stored)), Some(*id)));
        numbers.push((client.send(&Operation::Publish(other)), Some(live)));
        numbers.push((client.send(&Operation::Unwill), None));
    }
    for (number, id) in numbers {
        let answer = client.answer(number);
        let Event::Ok { message_id, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(message_id, id);
    }
}

fn names_and_patterns_have_to_fit(door: &dyn Door) {
    let bus = door.open("");
    let mut client = worker(&*bus, "self.jobs");
    let other = Subscription::to("self.other").durable(NAME);
    let mut refused = |subscription: Subscription| {
        client.send_as(2, &Operation::Subscribe(subscription));
        let answer = client.answer(2);
        let Event::Err { code, fatal: false, .. } = answer else { panic!("{answer:?}") };
        code
    };
    assert_eq!(refused(other), Code::DurableConflict);
    for name in ["", "a.b", "a b", "*", &"x".repeat(65)] {
        assert_eq!(refused(Subscription::to("self.jobs").durable(name)), Code::BadConsumer);
    }
    let looking_on = Subscription::to("self.jobs").durable("other").looking_on();
    assert_eq!(refused(looking_on), Code::BadField);
    assert_eq!(refused(Subscription::to("self.jobs").since(Since::Start)), Code::BadField);
    let reserved = Subscription::to("self.bus.>").durable("other");
    assert_eq!(refused(reserved), Code::NotAvailable);
}

fn only_what_waits_can_be_acknowledged(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut client = worker(&*bus, "self.jobs");
    client.subscribe(2, "self.jobs");
    publish(&mut publisher, "jobs", "1");
    let (_, one) = client.message();
    let (_, other) = client.message();
    assert_eq!(one.message_id, other.message_id);
    let mut attempts = [one.attempt, other.attempt];
    attempts.sort_unstable();
    assert_eq!(attempts, [None, Some(1)]);

    let acknowledge =
        |subscription, id| Operation::Acknowledge { subscription, message_ids: vec![id] };
    let id = one.message_id;
    for subscription in [2, 3] {
        assert_eq!(client.refused(&acknowledge(subscription, id)), Code::UnknownSubscription);
    }
    assert_eq!(client.refused(&acknowledge(1, new_id())), Code::UnknownMessage);
    client.acknowledge(1, &[id]);
    assert_eq!(client.refused(&acknowledge(1, id)), Code::UnknownMessage);
}

fn several_are_acknowledged_at_once(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut client = worker(&*bus, "self.jobs");
    for n in 0..300 {
        publish(&mut publisher, "jobs", &n.to_string());
    }
    let ids: Vec<_> = (0..300).map(|_| next(&mut client).2.message_id).collect();
    client.acknowledge(1, &ids[..256]);
    let too_many = Operation::Acknowledge { subscription: 1, message_ids: ids[..257].to_vec() };
    assert_eq!(client.refused(&too_many), Code::BadField);
    let none = Operation::Acknowledge { subscription: 1, message_ids: vec![] };
    assert_eq!(client.refused(&none), Code::BadField);
    // What one of them is does not keep the others from being acknowledged.
    let mut message_ids = ids[256..].to_vec();
    message_ids.insert(7, new_id());
    let mixed = Operation::Acknowledge { subscription: 1, message_ids };
    assert_eq!(client.refused(&mixed), Code::UnknownMessage);
    drop(client);
    let mut client = worker(&*bus, "self.jobs");
    nothing_more(&mut client, "jobs");
}
