//! What is stored: until when a publisher waits, what is kept over a restart, and where a new
//! consumer begins.

use super::durable::{is_stored, next, nothing_more, publish, work_off, worker};
use crate::door::{Bus, Client, Door, Event, Operation, Publication};
use crate::door::{Since, Subscription, new_id};
use kith_wire::{Code, MessageId};

on_every_door! {
    until_stored_needs_somebody_who_has_it_stored,
    what_is_only_for_now_is_not_stored,
    kept_values_are_there_after_a_restart,
    a_kept_value_that_was_removed_stays_away,
    repeated_publishes_are_recognised_after_a_restart,
    a_new_consumer_begins_at_the_start,
    a_new_consumer_begins_at_a_time,
    a_new_consumer_begins_after_a_message,
    since_says_nothing_where_the_consumer_is_there,
}

fn until_stored_needs_somebody_who_has_it_stored(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut live = bus.connect();
    live.subscribe(1, "self.jobs");
    let stored = |topic: &str| Publication::json(topic, "1").until_stored();
    let code = publisher.refused(&Operation::Publish(stored("jobs")));
    assert_eq!(code, Code::NoConsumers);
    assert_eq!(live.pending(), [], "nobody has what was refused");

    let _worker = worker(&*bus, "self.jobs");
    assert!(is_stored(door, &publisher.ask(&Operation::Publish(stored("jobs")))));
    assert_eq!(live.pending_payloads(1), ["1"]);
    let kept = stored("state").retained();
    assert!(is_stored(door, &publisher.ask(&Operation::Publish(kept))));
}

fn what_is_only_for_now_is_not_stored(door: &dyn Door) {
    let bus = door.open("");
    let (mut publisher, mut live) = (bus.connect(), bus.connect());
    live.subscribe(1, "self.jobs");
    let mut worker = worker(&*bus, "self.jobs");
    let now = Publication { realtime: true, ..Publication::json("jobs", "1") };
    let answer = publisher.ask(&Operation::Publish(now));
    assert!(matches!(answer, Event::Ok { stored: false, .. }), "{answer:?}");
    assert_eq!(live.pending_payloads(1), ["1"]);
    nothing_more(&mut worker, "jobs");
}

/// What somebody who comes now gets of kept values.
fn kept(bus: &dyn Bus) -> Vec<String> {
    let mut client = bus.connect();
    client.subscribe_retained(1, "self.state.*");
    client.pending_payloads(1)
}

fn keep(client: &mut Client, topic: &str, payload: Option<&str>) {
    let publication = Publication { topic: topic.to_owned(), ..Publication::default() };
    let payload = payload.map(Into::into);
    let publication = Publication { payload, ..publication }.retained().until_stored();
    client.publish_it(publication);
}

fn kept_values_are_there_after_a_restart(door: &dyn Door) {
    let mut bus = door.open("");
    let mut publisher = bus.connect();
    keep(&mut publisher, "state.a", Some("1"));
    keep(&mut publisher, "state.a", Some("2"));
    keep(&mut publisher, "state.b", Some("3"));
    bus.restart();
    assert_eq!(kept(&*bus), ["2", "3"]);
    bus.restart();
    assert_eq!(kept(&*bus), ["2", "3"]);
}

fn a_kept_value_that_was_removed_stays_away(door: &dyn Door) {
    let mut bus = door.open("");
    let mut publisher = bus.connect();
    keep(&mut publisher, "state.a", Some("1"));
    keep(&mut publisher, "state.b", Some("2"));
    bus.restart();
    let mut publisher = bus.connect();
    keep(&mut publisher, "state.a", None);
    bus.restart();
    assert_eq!(kept(&*bus), ["2"]);
}

fn repeated_publishes_are_recognised_after_a_restart(door: &dyn Door) {
    let mut bus = door.open("");
    let mut consumer = worker(&*bus, "self.jobs");
    let (me, id) = (new_id(), new_id());
    let publish = |bus: &dyn Bus| {
        let mut client = bus.connect();
        client.ask(&Operation::Hello { name: None, client: Some(me) });
        client.ask(&Operation::Publish(Publication::json("jobs", "1").with_id(id)))
    };
    assert!(is_stored(door, &publish(&*bus)));
    work_off(&mut consumer, &[("1", 1)]);
    bus.restart();
    let mut consumer = worker(&*bus, "self.jobs");
    let mut live = bus.connect();
    live.subscribe(2, "self.jobs");
    let answer = publish(&*bus);
    let Event::Ok { duplicate, message_id, .. } = answer else { panic!("{answer:?}") };
    assert_eq!((duplicate, message_id), (door.peculiarities().says_duplicates, Some(id)));
    assert_eq!(live.pending(), []);
    nothing_more(&mut consumer, "jobs");
}

/// A bus with a history: five messages that another consumer has dealt with, and the ids and
/// moments of these. The fourth is later than those before it.
fn history(door: &dyn Door) -> (Box<dyn Bus>, Vec<(MessageId, u64)>) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut first = worker(&*bus, "self.jobs.>");
    let mut found = Vec::new();
    for n in 0..5 {
        if n == 3 {
            publisher.pass_ms(20);
        }
        publish(&mut publisher, &format!("jobs.{n}"), &n.to_string());
        let (_, _, delivery) = next(&mut first);
        first.acknowledge(1, &[delivery.message_id]);
        found.push((delivery.message_id, delivery.sent_at_ms));
    }
    (bus, found)
}

/// What a new consumer gets that begins there, before what is published next.
fn begins(bus: &dyn Bus, pattern: &str, since: Option<Since>) -> Vec<String> {
    let mut client = bus.connect();
    let subscription = Subscription::to(pattern).durable("new");
    client.subscribe_to(1, Subscription { since, ..subscription });
    publish(&mut client, "jobs.2", "\"end\"");
    let mut payloads = Vec::new();
    loop {
        let (payload, _, delivery) = next(&mut client);
        client.acknowledge(1, &[delivery.message_id]);
        if payload == "\"end\"" {
            return payloads;
        }
        payloads.push(payload);
    }
}

fn a_new_consumer_begins_at_the_start(door: &dyn Door) {
    let (bus, _) = history(door);
    assert_eq!(begins(&*bus, "self.jobs.>", Some(Since::Start)), ["0", "1", "2", "3", "4"]);
    let (bus, _) = history(door);
    assert_eq!(begins(&*bus, "self.*.2", Some(Since::Start)), ["2"]);
}

fn a_new_consumer_begins_at_a_time(door: &dyn Door) {
    let (bus, found) = history(door);
    let since = Since::Time(found[3].1);
    assert_eq!(begins(&*bus, "self.jobs.>", Some(since)), ["3", "4"]);
}

fn a_new_consumer_begins_after_a_message(door: &dyn Door) {
    let (bus, found) = history(door);
    let since = Since::After(found[1].0);
    assert_eq!(begins(&*bus, "self.jobs.>", Some(since)), ["2", "3", "4"]);
}

fn since_says_nothing_where_the_consumer_is_there(door: &dyn Door) {
    let (bus, _) = history(door);
    assert_eq!(begins(&*bus, "self.jobs.>", None), [] as [String; 0]);
    assert_eq!(begins(&*bus, "self.jobs.>", Some(Since::Start)), [] as [String; 0]);
}
