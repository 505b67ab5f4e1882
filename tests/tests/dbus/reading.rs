//! Programs that don't read, or don't say that they do: what they cost, and whom.

use super::Scene;
use crate::door::{BinaryFrames, Client, Operation, Publication, operation_frame};
use crate::session::{BROKER, Broker, Message, Pings, Program, Value, kith_call};

on_both_brokers! {
    who_does_not_read_costs_the_session_bus_little_and_others_nothing,
    many_small_messages_at_once_are_no_more_on_the_way,
    refusals_that_nobody_reads_are_no_more_on_the_way,
    who_answers_no_ping_and_reads_is_served_on,
    who_refuses_pings_and_reads_is_served_on,
    who_never_reads_and_leaves_is_gone,
}

const SMALL_QUEUE: &str = "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '512 KiB'\n";
const PAYLOAD_BYTES: usize = 16 << 10;
/// On the way to one program, and a message more.
const HELD_BYTES_MAX: u64 = (1 << 20) + (64 << 10);

/// Publishes numbers from one to another, each with 16 KiB beside it.
fn publish(publisher: &mut Client, numbers: std::ops::Range<u64>) {
    let padding = "x".repeat(PAYLOAD_BYTES);
    for n in numbers {
        let payload = format!("[{n},\"{padding}\"]");
        publisher.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    publisher.done(&Operation::Ping);
}

/// The number in a message's payload.
fn number(payload: &str) -> u64 {
    payload[1..].split(',').next().unwrap().parse().unwrap()
}

/// What waits in the session bus for a program, where that can tell.
fn outgoing_bytes(asker: &mut Program, of: &str) -> Option<u64> {
    let interface = "org.freedesktop.DBus.Debug.Stats";
    let call = Message::call(BROKER, "/org/freedesktop/DBus", interface, "GetConnectionStats");
    let stats = asker.call(call.with([Value::text(of)])).ok()?;
    Some(stats[0].get("OutgoingBytes")?.as_number())
}

fn who_does_not_read_costs_the_session_bus_little_and_others_nothing(broker: Broker) {
    let scene = Scene::with(broker, SMALL_QUEUE);
    let (mut stalled, mut reader) = (scene.program(), scene.program());
    let (mut publisher, mut client) = (scene.client(), scene.client());
    stalled.subscribe("self.a");
    reader.subscribe("self.a");
    client.subscribe(1, "self.a");
    let (rounds, each) = (60, 8);
    for round in 0..rounds {
        let numbers = round * each..(round + 1) * each;
        publish(&mut publisher, numbers.clone());
        for n in numbers {
            assert_eq!(number(reader.payload().as_text()), n);
            assert_eq!(number(client.message_on(1).text()), n);
        }
    }
    match outgoing_bytes(&mut reader, stalled.name()) {
        Some(waiting) => assert!((64 << 10..HELD_BYTES_MAX).contains(&waiting), "{waiting} bytes"),
        None => assert_ne!(broker, Broker::DbusDaemon, "it can tell"),
    }
    assert!(reader.pending().is_empty());
    assert_eq!(client.pending(), []);
    // And if it reads after all, every message is there or counted.
    let (mut next, mut missed) = (0, 0);
    while next < rounds * each {
        let signal = stalled.next().unwrap().message;
        match (signal.member.as_deref(), &signal.body[..]) {
            (Some("Message"), [_, message]) => {
                assert_eq!(number(message.get("payload").unwrap().as_text()), next);
                next += 1;
            }
            (Some("Lag"), [_, Value::U64(count)]) => {
                next += count;
                missed += count;
            }
            _ => {}
        }
    }
    assert_eq!(next, rounds * each);
    assert!(missed > 300, "{missed}");
    assert!(stalled.pending().is_empty());
    scene.end();
}

/// On the socket such a batch is a frame of a few bytes a message; on D-Bus each takes hundreds.
fn many_small_messages_at_once_are_no_more_on_the_way(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut stalled, mut asker) = (scene.program(), scene.program());
    stalled.subscribe("self.a");
    let count = 30_000;
    let publish = |n: u32| Operation::Publish(Publication::json("a", &n.to_string()));
    let frames: Vec<u8> = (0..count).flat_map(|n| operation_frame(0, &publish(n))).collect();
    let mut publisher = BinaryFrames::new(scene.daemon.dial());
    // From then on this process counts as alone, and what it says is read in large pieces.
    scene.client().pass_ms(2_100);
    publisher.say(frames);
    Client::new(publisher).done(&Operation::Ping);
    // All that the door does before it answers these.
    for _ in 0..100 {
        asker.kith("Hello", [Value::options::<&str>([])]).unwrap();
    }
    match outgoing_bytes(&mut asker, stalled.name()) {
        Some(waiting) => assert!((64 << 10..HELD_BYTES_MAX).contains(&waiting), "{waiting} bytes"),
        None => assert_ne!(broker, Broker::DbusDaemon, "it can tell"),
    }
    for n in 0..count {
        assert_eq!(stalled.payload().as_text(), n.to_string());
    }
    assert!(stalled.pending().is_empty());
    scene.end();
}

fn refusals_that_nobody_reads_are_no_more_on_the_way(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut stalled, mut asker) = (scene.program(), scene.program());
    for _ in 0..40_000 {
        stalled.send(kith_call("Publish").without_reply());
    }
    for _ in 0..100 {
        asker.kith("Hello", [Value::options::<&str>([])]).unwrap();
    }
    match outgoing_bytes(&mut asker, stalled.name()) {
        Some(waiting) => assert!(waiting < 5 << 20, "{waiting} bytes"),
        None => assert_ne!(broker, Broker::DbusDaemon, "it can tell"),
    }
    scene.end();
}

/// A program that does this with pings gets 3 MiB, all of which it reads.
fn is_served(broker: Broker, pings: Pings) {
    let scene = Scene::new(broker);
    let mut publisher = scene.client();
    let mut reader = scene.program().with_pings(pings);
    reader.subscribe("self.a");
    publish(&mut publisher, 0..192);
    for n in 0..192 {
        assert_eq!(number(reader.payload().as_text()), n);
    }
    assert!(reader.pings_heard > 0, "nobody asked");
    assert!(reader.pending().is_empty());
    scene.end();
}

fn who_answers_no_ping_and_reads_is_served_on(broker: Broker) {
    is_served(broker, Pings::Ignored);
}

fn who_refuses_pings_and_reads_is_served_on(broker: Broker) {
    is_served(broker, Pings::Refused);
}

fn who_never_reads_and_leaves_is_gone(broker: Broker) {
    let scene = Scene::with(broker, SMALL_QUEUE);
    let mut publisher = scene.client();
    for _ in 0..3 {
        let mut stalled = scene.program();
        stalled.subscribe("self.a");
        publish(&mut publisher, 0..200);
        drop(stalled);
        publisher.wait_for_count("subscriptions", 0);
        publisher.wait_for_count("queued_bytes", 0);
    }
    publisher.wait_for_count("clients", 1);
    scene.end();
}
