//! Hello, ping, bye.

use crate::door::{Door, Event, Operation, Publication, new_id};
use kith_wire::limits::PAYLOAD_BYTES_DEFAULT;

on_every_door! {
    nothing_has_to_be_said_before_the_first_operation,
    hello_is_answered_with_version_and_limits,
    hello_may_come_at_any_time_and_again,
    what_has_no_number_is_not_answered,
    answers_come_in_the_order_of_the_operations,
    bye_is_answered_and_then_the_connection_closed,
    what_was_queued_comes_before_the_end,
    after_bye_nothing_new_comes,
}

fn nothing_has_to_be_said_before_the_first_operation(door: &dyn Door) {
    let bus = door.open("");
    bus.connect().done(&Operation::Ping);
}

fn hello_is_answered_with_version_and_limits(door: &dyn Door) {
    let expected = |number, payload_bytes_max| {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Event::Welcome { number, version, payload_bytes_max }
    };
    let hello = Operation::Hello { name: None, client: None };
    let default = u64::try_from(PAYLOAD_BYTES_DEFAULT).unwrap();
    let bus = door.open("");
    let mut client = bus.connect();
    client.send_as(7, &hello);
    assert_eq!(client.answer(7), expected(7, default));
    let bus = door.open("limits.payload_bytes_max = '64 KiB'");
    let mut client = bus.connect();
    client.send_as(u32::MAX, &hello);
    assert_eq!(client.answer(u32::MAX), expected(u32::MAX, 65_536));
}

fn hello_may_come_at_any_time_and_again(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    for name in ["first", "ä second", &"x".repeat(64)] {
        let hello = Operation::Hello { name: Some(name.to_owned()), client: Some(new_id()) };
        let answer = client.ask(&hello);
        assert!(matches!(answer, Event::Welcome { .. }), "{answer:?}");
        let clients = client.request("bus.clients", "null", 5_000);
        let Event::Reply { delivery, .. } = client.answer(clients) else { panic!() };
        assert_eq!(delivery.value()[0]["name"], name);
    }
    client.publish("a", "1");
    assert_eq!(client.pending_payloads(1), ["1"]);
}

fn what_has_no_number_is_not_answered(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    client.subscribe(2, "self.b");
    for operation in [
        Operation::Hello { name: None, client: None },
        Operation::Ping,
        Operation::Publish(Publication::json("a", "1")),
        Operation::Unsubscribe(2),
        Operation::Will(Publication::json("a", "2")),
        Operation::Unwill,
    ] {
        client.tell(&operation);
    }
    // Unless it fails.
    client.tell(&Operation::Unsubscribe(2));
    let pending = client.pending();
    let (errors, others): (Vec<_>, Vec<_>) =
        pending.into_iter().partition(|event| matches!(event, Event::Err { .. }));
    let code = kith_wire::Code::UnknownSubscription;
    assert_eq!(errors, [Event::Err { number: None, code, fatal: false }]);
    assert!(matches!(&others[..], [Event::Message { subscription: 1, .. }]), "{others:?}");
}

fn answers_come_in_the_order_of_the_operations(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    let numbers: Vec<u32> = (0..300)
        .map(|nth| match nth % 3 {
            0 => client.send(&Operation::Ping),
            1 => client.send(&Operation::Publish(Publication::json("a", "1"))),
            _ => client.send(&Operation::Unsubscribe(9)),
        })
        .collect();
    let answered: Vec<u32> = numbers.iter().filter_map(|_| client.next().answers()).collect();
    assert_eq!(answered, numbers);
}

fn bye_is_answered_and_then_the_connection_closed(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.send_as(5, &Operation::Bye);
    let ok = Event::Ok { number: 5, message_id: None, duplicate: false, stored: false };
    assert_eq!(client.next_or_end(), Some(ok));
    assert_eq!(client.next_or_end(), None);
    let mut client = bus.connect();
    client.tell(&Operation::Bye);
    assert_eq!(client.next_or_end(), None);
}

fn what_was_queued_comes_before_the_end(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    let payload = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..1_000 {
        client.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    client.tell(&Operation::Bye);
    let mut received = 0;
    while let Some(event) = client.next_or_end() {
        assert!(matches!(event, Event::Message { subscription: 1, .. }), "{event:?}");
        received += 1;
    }
    assert_eq!(received, 1_000);
}

fn after_bye_nothing_new_comes(door: &dyn Door) {
    let bus = door.open("");
    let (mut publisher, mut leaver) = (bus.connect(), bus.connect());
    leaver.subscribe(1, "self.a");
    let payload = format!("\"{}\"", "x".repeat(10_000));
    for _ in 0..300 {
        publisher.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    publisher.done(&Operation::Ping);
    leaver.send_as(2, &Operation::Bye);
    publisher.wait_for_count("subscriptions", 0);
    publisher.publish("a", "1");
    for _ in 0..300 {
        assert_eq!(leaver.message_on(1).payload.len(), payload.len());
    }
    let ok = Event::Ok { number: 2, message_id: None, duplicate: false, stored: false };
    assert_eq!(leaver.next_or_end(), Some(ok), "last of all");
    assert_eq!(leaver.next_or_end(), None);
}
