//! Quotas: whoever is over one gets an error that names it, and nobody else notices.

use crate::door::{Client, Door, Event, Operation, Publication, Subscription};
use kith_wire::Code;

on_every_door! {
    a_connection_has_a_number_of_subscriptions,
    the_bus_has_a_number_of_subscriptions,
    a_connection_has_a_number_of_requests_that_wait,
    a_connection_keeps_half_of_the_values,
    a_connection_keeps_half_of_the_bytes,
    what_is_refused_for_its_meaning_ends_nothing,
    ; streams alone:
    // A call that can't be read leaves nothing behind; so nobody is cut off for many.
    what_cannot_be_read_too_often_ends_a_connection,
}

/// Subscribes under this number, and says whether it may.
fn subscribe(client: &mut Client, number: u32) -> bool {
    client.send_as(number, &Operation::Subscribe(Subscription::to(&format!("self.a.{number}"))));
    match client.answer(number) {
        Event::Ok { .. } => true,
        Event::Err { code: Code::QuotaSubscriptions, fatal: false, .. } => false,
        other => panic!("{other:?}"),
    }
}

fn a_connection_has_a_number_of_subscriptions(door: &dyn Door) {
    let bus = door.open("limits.subscriptions_max = 16");
    let (mut greedy, mut other) = (bus.connect(), bus.connect());
    assert!((1..=16).all(|number| subscribe(&mut greedy, number)));
    assert!(!subscribe(&mut greedy, 17));
    assert!(subscribe(&mut other, 17));
    greedy.done(&Operation::Unsubscribe(3));
    assert!(subscribe(&mut greedy, 17));
    assert!(!subscribe(&mut greedy, 3));
    other.publish("a.17", "1");
    assert_eq!(greedy.message_on(17).text(), "1");
}

fn the_bus_has_a_number_of_subscriptions(door: &dyn Door) {
    let bus = door.open("[limits]\nsubscriptions_max = 200\nsubscriptions_total_max = 256\n");
    let mut watcher = bus.connect();
    assert!(subscribe(&mut watcher, 1));
    let (mut greedy, mut other) = (bus.connect(), bus.connect());
    assert!((1..=200).all(|number| subscribe(&mut greedy, number)));
    assert!((1..=55).all(|number| subscribe(&mut other, number)));
    assert!(!subscribe(&mut other, 56));
    assert!(!subscribe(&mut watcher, 2));
    watcher.done(&Operation::Unsubscribe(1));
    assert!(subscribe(&mut other, 56));
}

fn a_connection_has_a_number_of_requests_that_wait(door: &dyn Door) {
    let bus = door.open("limits.requests_max = 3");
    let (mut greedy, mut other, mut responder) = (bus.connect(), bus.connect(), bus.connect());
    responder.subscribe(1, "self.a");
    let numbers = [(); 3].map(|()| greedy.request("a", "1", 60_000));
    let asked = [(); 3].map(|()| responder.message_on(1));
    let request = Operation::Request { publication: Publication::json("a", "2"), timeout_ms: None };
    assert_eq!(greedy.refused(&request), Code::QuotaRequests);
    assert_eq!(responder.pending(), []);
    other.request("a", "3", 60_000);
    assert_eq!(responder.message_on(1).text(), "3");
    responder.reply(&asked[1], "1");
    greedy.answer(numbers[1]);
    greedy.request("a", "4", 60_000);
    assert_eq!(responder.message_on(1).text(), "4");
}

/// Keeps a value of so many bytes, and says whether it may.
fn keep(client: &mut Client, topic: &str, bytes: usize) -> bool {
    let payload = format!("\"{}\"", "x".repeat(bytes - 2));
    match client.ask(&Operation::Publish(Publication::json(topic, &payload).retained())) {
        Event::Ok { .. } => true,
        Event::Err { code: Code::QuotaRetained, fatal: false, .. } => false,
        other => panic!("{other:?}"),
    }
}

fn a_connection_keeps_half_of_the_values(door: &dyn Door) {
    let bus = door.open("limits.retained_messages_max = 16");
    let (mut greedy, mut other) = (bus.connect(), bus.connect());
    greedy.subscribe(1, "self.*");
    let topics: Vec<_> = (0..8).map(|n| format!("kept{n}")).collect();
    assert!(topics.iter().all(|topic| keep(&mut greedy, topic, 2)));
    greedy.pending();
    assert!(!keep(&mut greedy, "more", 2));
    assert_eq!(greedy.pending(), [], "what is refused is not delivered either");
    // A new value for an old one is no more than before; without keeping there is no limit.
    assert!(keep(&mut greedy, "kept3", 3));
    greedy.publish("more", "1");
    // The daemon keeps one itself, so 7 are left.
    let more: Vec<_> = (0..8).map(|n| keep(&mut other, &format!("other{n}"), 2)).collect();
    assert_eq!(more, [true, true, true, true, true, true, true, false]);
}

fn a_connection_keeps_half_of_the_bytes(door: &dyn Door) {
    let bus = door.open("limits.retained_bytes_max = '64 KiB'");
    let (mut greedy, mut other) = (bus.connect(), bus.connect());
    assert!(!keep(&mut greedy, "a", 40_000));
    assert!(keep(&mut greedy, "a", 20_000));
    assert!(!keep(&mut greedy, "b", 20_000));
    assert!(keep(&mut greedy, "a", 30_000));
    assert!(keep(&mut other, "b", 20_000));
    // A value that another sets anew is that one's from then on.
    assert!(keep(&mut other, "a", 10_000));
    assert!(keep(&mut greedy, "c", 30_000));
}

fn what_cannot_be_read_too_often_ends_a_connection(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    let unreadable = Operation::Publish(Publication::json("a..b", "1"));
    for _ in 0..3 {
        for _ in 0..63 {
            assert_eq!(client.refused(&unreadable), Code::BadTopic);
        }
        // One that can be read begins the count anew, whether or not it is carried out.
        assert_eq!(client.refused(&Operation::Unsubscribe(1)), Code::UnknownSubscription);
    }
    for _ in 0..64 {
        assert_eq!(client.refused(&unreadable), Code::BadTopic);
    }
    let code = Code::TooManyErrors;
    assert_eq!(client.next_or_end(), Some(Event::Err { number: None, code, fatal: true }));
    assert_eq!(client.next_or_end(), None);
    bus.connect().done(&Operation::Ping);
}

fn what_is_refused_for_its_meaning_ends_nothing(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    for _ in 0..200 {
        assert_eq!(client.refused(&Operation::Unsubscribe(1)), Code::UnknownSubscription);
    }
    client.done(&Operation::Ping);
}
