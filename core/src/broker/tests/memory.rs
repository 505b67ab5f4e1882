//! Memory that waits for all clients together: it is bounded, whoever doesn't read gets a share of
//! it, and whoever does always has room.

use crate::limits::{Limits, WAITING_BYTES_MIN};
use crate::tests::{Bus, FRAMINGS, Heard, Who, publication, publish, small};
use kith_wire::{Code, Operation, Priority};

const TOTAL_BYTES: usize = 1 << 20;

/// Queues that could hold a quarter of everything.
fn tight() -> Limits {
    Limits { queue_bytes_max: TOTAL_BYTES / 4, waiting_bytes_total_max: TOTAL_BYTES, ..small() }
}

/// A message of its own for each subscriber, so that nothing is shared.
fn publish_to_each(bus: &mut Bus, boss: Who, count: usize, bytes: usize) {
    let payload = format!("\"{}\"", "x".repeat(bytes));
    for n in 0..count {
        bus.publish(boss, &format!("to.n{n}"), &payload);
    }
}

fn subscribers(bus: &mut Bus, count: usize) -> Vec<Who> {
    let join = |n: usize| {
        let who = bus.join(FRAMINGS[n % 2]);
        bus.subscribed(who, 1, &format!("self.to.n{n}"));
        who
    };
    (0..count).map(join).collect()
}

#[test]
fn those_who_do_not_read_share_what_there_is_and_a_reader_loses_nothing() {
    let mut bus = Bus::new(tight());
    let (count, boss) = (9, bus.json());
    let all = subscribers(&mut bus, count);
    let (reader, others) = all.split_last().unwrap();
    let mut heard = 0;
    for _ in 0..300 {
        publish_to_each(&mut bus, boss, count, 3_000);
        heard += bus.hear(*reader).len();
        assert!(bus.broker.stats().waiting_bytes <= TOTAL_BYTES);
        bus.broker.check_counts().unwrap();
    }
    assert_eq!(heard, 300);
    let usage = |who: &Who| bus.broker.usage(bus.id(*who)).unwrap();
    assert_eq!(usage(reader).dropped, 0);
    // Eight that don't read get a ninth each of what is shared, give or take a few messages.
    for other in others {
        let (share, usage) = (TOTAL_BYTES / 2 / 9, usage(other));
        assert!(usage.queued_bytes.abs_diff(share) < 8 * 3_100, "{usage:?}");
        assert!(usage.dropped > 200);
    }
}

#[test]
fn those_who_fill_their_queues_one_after_another_leave_room_for_a_reader() {
    let mut bus = Bus::new(tight());
    let (count, boss) = (60, bus.json());
    let all = subscribers(&mut bus, count);
    let (reader, others) = all.split_last().unwrap();
    for n in 0..others.len() {
        // Large ones, and then smaller ones into what is left.
        for bytes in [3_000, 300, 3] {
            for _ in 0..100 {
                bus.publish(boss, &format!("to.n{n}"), &format!("\"{}\"", "x".repeat(bytes)));
            }
        }
        bus.publish(boss, &format!("to.n{}", count - 1), &format!("\"{}\"", "x".repeat(3_000)));
        assert!(matches!(&bus.hear(*reader)[..], [Heard::Message { .. }]), "{n}");
        assert!(bus.broker.stats().waiting_bytes <= TOTAL_BYTES);
    }
    assert!(bus.broker.stats().waiting_bytes > TOTAL_BYTES / 2);
    bus.broker.check_counts().unwrap();
}

#[test]
fn what_many_queues_share_counts_once() {
    let mut bus = Bus::new(tight());
    let boss = bus.json();
    let all: Vec<Who> = (0..100).map(|n| bus.join(FRAMINGS[n % 2])).collect();
    for who in &all {
        bus.subscribed(*who, 1, "self.a");
    }
    for _ in 0..30 {
        bus.publish(boss, "a", &format!("\"{}\"", "x".repeat(4_000)));
    }
    let stats = bus.broker.stats();
    assert_eq!((stats.totals.delivered, stats.totals.dropped), (3_000, 0));
    assert!(stats.queued_bytes > 10 * TOTAL_BYTES && stats.waiting_bytes < TOTAL_BYTES / 2);
    bus.broker.check_counts().unwrap();
    for who in all {
        assert_eq!(bus.hear(who).len(), 30);
    }
    assert_eq!(bus.broker.stats().waiting_bytes, 0);
}

#[test]
fn who_has_nothing_waiting_and_gets_no_room_is_told_at_once() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { payload_bytes_max: TOTAL_BYTES / 4, ..tight() });
        let (alice, bob, boss) = (bus.join(framing), bus.join(framing), bus.binary());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(bob, 1, "self.b");
        // Bob holds half of all the memory, others most of the rest.
        let mut hogs = Vec::new();
        for n in 0..6 {
            let hog = bus.raw(framing);
            bus.broker.hold_unfinished(bus.id(hog), TOTAL_BYTES / 8, n > 2);
            hogs.push(hog);
        }
        let large = format!("\"{}\"", "x".repeat(TOTAL_BYTES / 4 - 2));
        bus.publish(boss, "a", &large);
        assert_eq!(bus.hears(alice), ["lag 1 of 1"]);
        bus.publish(boss, "a", "1");
        assert_eq!(bus.hears(alice), ["msg 1 a 1"]);
        for hog in hogs {
            bus.cut(hog);
        }
        bus.publish(boss, "a", &large);
        assert!(matches!(&bus.hear(alice)[..], [Heard::Message { .. }]));
        assert_eq!(bus.broker.usage(bus.id(alice)).unwrap().dropped, 1);
    }
}

#[test]
fn an_unfinished_frame_over_the_share_is_refused_and_what_waits_for_its_turn_is_not() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(tight());
        let all: Vec<Who> = (0..4).map(|_| bus.join(framing)).collect();
        let fitting = TOTAL_BYTES / 2 / 5 - 100;
        for who in &all {
            bus.broker.hold_unfinished(bus.id(*who), fitting, false);
            assert!(!bus.broker.is_closing(bus.id(*who)));
        }
        assert!(bus.broker.read_bytes_max() < fitting + 1_000);
        bus.broker.hold_unfinished(bus.id(all[0]), fitting + 1_000, true);
        assert!(!bus.broker.is_closing(bus.id(all[0])));
        bus.broker.hold_unfinished(bus.id(all[1]), fitting + 1_000, false);
        assert_eq!(bus.hears(all[1]), ["err - quota-memory fatal"]);
        assert!(bus.broker.is_closing(bus.id(all[1])));
        bus.cut(all[1]);
        bus.broker.check_counts().unwrap();
        // However little is left, what is small has room.
        let poor = bus.join(framing);
        bus.broker.hold_unfinished(bus.id(all[2]), TOTAL_BYTES, true);
        bus.broker.hold_unfinished(bus.id(poor), WAITING_BYTES_MIN, false);
        assert!(!bus.broker.is_closing(bus.id(poor)));
        for who in [all[0], all[2], all[3], poor] {
            bus.cut(who);
        }
        assert_eq!(bus.broker.stats().waiting_bytes, 0);
    }
}

#[test]
fn wills_count_and_are_refused_where_there_is_no_room() {
    let mut bus = Bus::new(Limits { payload_bytes_max: 64 << 10, ..tight() });
    let will =
        |bytes: usize| Operation::Will(publication("gone", &format!("\"{}\"", "x".repeat(bytes))));
    let clients: Vec<Who> = (0..60).map(|n| bus.join(FRAMINGS[n % 2])).collect();
    let mut refused = 0;
    for who in &clients {
        bus.say(*who, 1, will(60_000));
        match &bus.hear(*who)[..] {
            [Heard::Ok { .. }] => {}
            [Heard::Err { code, .. }] if code == Code::QuotaMemory.name() => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((50..55).contains(&refused), "{refused}");
    bus.broker.check_counts().unwrap();
    // One of its own can be replaced by one as large, or smaller, and taken back.
    bus.say(clients[0], 2, will(60_000));
    assert_eq!(bus.hears(clients[0]), ["ok 2"]);
    bus.say(clients[0], 3, will(10));
    bus.say(clients[1], 2, Operation::Unwill);
    bus.say(clients[2], 2, Operation::Bye);
    bus.broker.check_counts().unwrap();
    for who in clients {
        bus.cut(who);
    }
    assert_eq!(bus.broker.stats().waiting_bytes, 0);
}

#[test]
fn discarding_what_waits_gives_its_memory_back() {
    let mut bus = Bus::new(tight());
    let (alice, boss) = (bus.binary(), bus.json());
    bus.subscribed(alice, 1, "self.>");
    for priority in Priority::ALL {
        let mut one = publication("a", &format!("\"{}\"", "x".repeat(3_000)));
        one.options.priority = priority;
        bus.say(boss, 0, publish(one));
    }
    assert!(bus.broker.stats().waiting_bytes > 9_000);
    bus.broker.discard_output(bus.id(alice));
    assert_eq!(bus.broker.stats().waiting_bytes, 0);
    assert!(!bus.broker.has_output(bus.id(alice)));
}

#[test]
fn pages_that_nobody_reads_are_no_larger_than_what_is_free() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { payload_bytes_max: TOTAL_BYTES / 4, ..tight() });
        let (boss, count) = (bus.binary(), 200);
        for number in 1..=1_000 {
            bus.subscribed(boss, number, &format!("self.{}.{number}", "x".repeat(200)));
        }
        let askers: Vec<Who> = (0..count).map(|_| bus.join(framing)).collect();
        for who in &askers {
            bus.ask_with(*who, 1, publication("bus.subscriptions", "null"), 1_000);
        }
        let stats = bus.broker.stats();
        assert!(stats.waiting_bytes < TOTAL_BYTES + count * (WAITING_BYTES_MIN + 1_000));
        assert!(stats.waiting_bytes > TOTAL_BYTES * 3 / 4, "each gets what is free: {stats:?}");
        // Each has a page all the same, and whoever goes on from its end misses nothing.
        for who in askers {
            assert!(matches!(&bus.hear(who)[..], [Heard::Reply { .. }]));
        }
    }
}

#[test]
fn notices_of_very_many_subscriptions_come_as_memory_is_free() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { queue_messages_max: 1, ..tight() });
        let (alice, boss, hog) = (bus.join(framing), bus.binary(), bus.binary());
        let count = 2_000;
        for number in 1..=count {
            bus.subscribed(alice, number, "self.a");
        }
        bus.publish(boss, "a", "1");
        bus.broker.hold_unfinished(bus.id(hog), TOTAL_BYTES - WAITING_BYTES_MIN, true);
        let mut heard = 0;
        loop {
            let some = bus.hear_some(alice, 100).len();
            assert!(bus.broker.stats().waiting_bytes < TOTAL_BYTES + WAITING_BYTES_MIN);
            if some == 0 && !bus.broker.has_output(bus.id(alice)) {
                break;
            }
            heard += some;
        }
        assert_eq!(heard, count as usize);
    }
}
