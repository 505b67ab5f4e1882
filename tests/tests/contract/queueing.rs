//! What waits for a client that does not read: what overtakes what, and what is not sent any more.
//!
//! A subscriber here simply does not read. What its socket holds has been sent; so there is more
//! before it ([`filling`]) than its door holds on its way, and the rest is the daemon's queue.

use crate::door::{Bus, Client, Door, Event, Operation, Publication, Subscription};
use kith_wire::Code;

on_every_door! {
    high_overtakes_normal_and_that_bulk,
    answers_overtake_messages,
    what_has_expired_is_not_delivered,
    what_has_not_expired_is_delivered,
    a_subscriber_that_does_not_read_holds_up_nobody,
    a_request_to_a_full_queue_is_busy_at_once,
    a_group_passes_a_full_member_over,
    a_reply_for_which_there_is_no_room_is_busy,
    a_reply_does_not_expire_while_it_waits,
}

/// Messages of [`FILLER_BYTES`] each, 3 MiB together, and what the door itself holds.
fn filling(door: &dyn Door) -> usize {
    192 + door.peculiarities().held_with_answers_bytes / FILLER_BYTES
}
const FILLER_BYTES: usize = 16 << 10;

/// Small enough to be filled by a few messages.
const SMALL_QUEUE: &str = "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '256 KiB'\n";

fn fill(door: &dyn Door, publisher: &mut Client, topic: &str) {
    let payload = format!("\"{}\"", "x".repeat(FILLER_BYTES));
    for n in 1..=filling(door) {
        publisher.tell(&Operation::Publish(Publication::json(topic, &payload)));
        // No door takes any number of operations that the daemon has not carried out.
        if n % 64 == 0 {
            publisher.done(&Operation::Ping);
        }
    }
    publisher.done(&Operation::Ping);
}

/// A subscriber for which more waits than its socket holds.
fn stalled(door: &dyn Door, bus: &dyn Bus, publisher: &mut Client) -> Client {
    let mut subscriber = bus.connect();
    subscriber.subscribe(1, "self.a");
    fill(door, publisher, "a");
    subscriber
}

fn with_priority(priority: u8, payload: &str) -> Publication {
    Publication { priority: Some(priority), ..Publication::json("a", payload) }
}

/// Reads everything that is there, and gives what is not filling.
fn rest(door: &dyn Door, subscriber: &mut Client) -> Vec<String> {
    let payloads = subscriber.pending_payloads(1);
    let is_filling = |payload: &String| payload.len() > FILLER_BYTES;
    let found = payloads.iter().filter(|payload| is_filling(payload)).count();
    assert_eq!(found, filling(door));
    payloads.into_iter().filter(|payload| !is_filling(payload)).collect()
}

fn high_overtakes_normal_and_that_bulk(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut subscriber = stalled(door, &*bus, &mut publisher);
    for n in 0..3 {
        for (priority, name) in [(2, "bulk"), (1, "normal"), (0, "high")] {
            publisher.publish_it(with_priority(priority, &format!("\"{name} {n}\"")));
        }
    }
    let mut before_high = 0;
    while subscriber.message_on(1).payload.len() > FILLER_BYTES {
        before_high += 1;
    }
    assert!(before_high < filling(door), "high overtakes what waits");
    let payloads = subscriber.pending_payloads(1);
    let rest: Vec<_> = payloads.iter().filter(|payload| payload.len() < 100).collect();
    let names = ["normal", "normal", "normal", "bulk", "bulk", "bulk"];
    let expected = names.iter().zip([0, 1, 2, 0, 1, 2]).map(|(name, n)| format!("\"{name} {n}\""));
    let high = ["\"high 1\"", "\"high 2\""].map(str::to_owned);
    assert_eq!(
        rest,
        high.into_iter().chain(expected).collect::<Vec<_>>().iter().collect::<Vec<_>>()
    );
}

fn answers_overtake_messages(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut subscriber = stalled(door, &*bus, &mut publisher);
    subscriber.send_as(2, &Operation::Subscribe(Subscription::to("self.b")));
    publisher.wait_for_count("subscriptions", 2);
    let mut before = 0;
    while subscriber.next().answers() != Some(2) {
        before += 1;
    }
    assert!(before < filling(door), "an answer waits for nothing but what was on its way");
}

fn what_has_expired_is_not_delivered(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut subscriber = stalled(door, &*bus, &mut publisher);
    for n in 0..5 {
        let brief =
            Publication { expire_after_ms: Some(10), ..Publication::json("a", "\"brief\"") };
        publisher.publish_it(brief);
        publisher.publish("a", &n.to_string());
    }
    publisher.pass_ms(30);
    assert_eq!(rest(door, &mut subscriber), ["0", "1", "2", "3", "4"]);
    let stats = publisher.request("bus.stats", "null", 5_000);
    let Event::Reply { delivery, .. } = publisher.answer(stats) else { panic!() };
    assert_eq!(delivery.value()["expired"], 5);
    assert_eq!(delivery.value()["dropped"], 0);
}

fn what_has_not_expired_is_delivered(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let mut subscriber = stalled(door, &*bus, &mut publisher);
    let long = Publication { expire_after_ms: Some(2_592_000_000), ..Publication::json("a", "1") };
    publisher.publish_it(long);
    assert_eq!(rest(door, &mut subscriber), ["1"]);
}

fn a_subscriber_that_does_not_read_holds_up_nobody(door: &dyn Door) {
    let bus = door.open(SMALL_QUEUE);
    let mut publisher = bus.connect();
    let _stalled = stalled(door, &*bus, &mut publisher);
    let mut reader = bus.connect();
    reader.subscribe(1, "self.a");
    let payload = format!("\"{}\"", "x".repeat(FILLER_BYTES));
    for _ in 0..192 {
        publisher.publish("a", &payload);
        assert_eq!(reader.message_on(1).payload.len(), payload.len());
    }
    assert_eq!(reader.pending(), []);
}

fn a_request_to_a_full_queue_is_busy_at_once(door: &dyn Door) {
    let bus = door.open(SMALL_QUEUE);
    let mut publisher = bus.connect();
    let mut stalled = stalled(door, &*bus, &mut publisher);
    let payload = format!("\"{}\"", "x".repeat(FILLER_BYTES));
    let number = publisher.request("a", &payload, 3_600_000);
    let code = Code::Busy;
    assert_eq!(publisher.answer(number), Event::Err { number: Some(number), code, fatal: false });
    // With room again it is a responder like any other.
    let mut missed = 0;
    while missed == 0 {
        if let Event::Lag { count, .. } = stalled.next() {
            missed = count;
        }
    }
    let number = publisher.request("a", "1", 60_000);
    let asked = loop {
        match stalled.next() {
            Event::Message { delivery, .. } if delivery.reply_to.is_some() => break delivery,
            _ => {}
        }
    };
    stalled.reply(&asked, "2");
    assert!(matches!(publisher.answer(number), Event::Reply { .. }));
}

fn a_group_passes_a_full_member_over(door: &dyn Door) {
    let bus = door.open(SMALL_QUEUE);
    let mut publisher = bus.connect();
    let mut full = stalled(door, &*bus, &mut publisher);
    let member = Subscription::to("self.jobs").in_group("workers");
    full.send_as(2, &Operation::Subscribe(member));
    let mut free = bus.connect();
    free.subscribe_group(2, "self.jobs", "workers");
    publisher.wait_for_count("subscriptions", 3);
    // The answer may have taken messages with it, which made room.
    fill(door, &mut publisher, "a");
    let payload = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..20 {
        publisher.publish("jobs", &payload);
        assert_eq!(free.message_on(2).payload.len(), payload.len());
    }
}

/// A client with a full queue that has asked something, the request's number, and who was asked.
fn stalled_requester(
    door: &dyn Door,
    bus: &dyn Bus,
    publisher: &mut Client,
) -> (Client, u32, Client) {
    let (mut requester, mut responder) = (bus.connect(), bus.connect());
    requester.subscribe(1, "self.a");
    responder.subscribe(1, "self.sum");
    let number = requester.request("sum", "1", 60_000);
    publisher.wait_for_count("requests_waiting", 1);
    fill(door, publisher, "a");
    (requester, number, responder)
}

fn answer_to(requester: &mut Client, number: u32) -> Event {
    loop {
        let event = requester.next();
        if event.answers() == Some(number) {
            return event;
        }
    }
}

fn a_reply_for_which_there_is_no_room_is_busy(door: &dyn Door) {
    let bus = door.open(SMALL_QUEUE);
    let mut publisher = bus.connect();
    let (mut requester, number, mut responder) = stalled_requester(door, &*bus, &mut publisher);
    let asked = responder.message_on(1);
    let large = format!("\"{}\"", "x".repeat(60_000));
    responder.reply(&asked, &large);
    let busy = Event::Err { number: Some(number), code: Code::Busy, fatal: false };
    assert_eq!(answer_to(&mut requester, number), busy);
}

fn a_reply_does_not_expire_while_it_waits(door: &dyn Door) {
    let bus = door.open("");
    let mut publisher = bus.connect();
    let (mut requester, number, mut responder) = stalled_requester(door, &*bus, &mut publisher);
    let asked = responder.message_on(1);
    let reply = Publication::json(asked.reply_to.as_deref().unwrap(), "2");
    responder.publish_it(Publication { expire_after_ms: Some(1), ..reply });
    publisher.pass_ms(20);
    let answer = answer_to(&mut requester, number);
    let Event::Reply { delivery, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(delivery.text(), "2");
}
