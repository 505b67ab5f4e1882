//! A client that makes the bus work hard lets others have their turn.

use crate::limits::{
    AHEAD_SUBSCRIPTIONS_MIN, Limits, OPERATION_WORK, RUN_WORK_MAX, WORK_PER_FEED_MAX,
};
use crate::session::Session;
use crate::tests::{Bus, FRAMINGS, kept, publication, publish, small};
use kith_wire::{Operation, Protocol};

#[test]
fn much_work_is_cut_into_turns_and_all_of_it_is_done() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        let subscriptions = 1_000;
        for number in 1..=subscriptions {
            bus.subscribed(alice, number, "self.a");
        }
        // Not plain, so that they are no run.
        let mut one = publication("a", "1");
        one.options.headers.insert("k", "v").unwrap();
        let bytes = bus.encode(alice, 0, publish(one));
        assert_eq!(bus.feed(alice, &bytes.repeat(40)), 0);
        let turns = 40 * u64::from(subscriptions) / WORK_PER_FEED_MAX;
        assert!((turns / 2..=turns * 2).contains(&(bus.turns as u64)), "{}", bus.turns);
        assert_eq!(bus.hear(alice).len(), 40 * subscriptions as usize);
    }
}

#[test]
fn who_has_said_all_has_no_more_to_do() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    for number in 1..=WORK_PER_FEED_MAX + 10 {
        bus.sub(alice, u32::try_from(number).unwrap(), "self.a");
    }
    bus.publish(alice, "a", "1");
    assert_eq!(bus.turns, 0);
}

#[test]
fn looking_for_patterns_and_kept_values_is_work_too() {
    let mut bus = Bus::new(Limits { retained_messages_max: 20_000, ..small() });
    let (alice, bob) = (bus.json(), bus.binary());
    for n in 0..5_000_u32 {
        bus.say(alice, 0, publish(kept(&format!("k{n}.x"), "1")));
    }
    bus.turns = 0;
    let sub = |number: u32, pattern: &str| {
        format!("{{\"op\":\"sub\",\"id\":{number},\"pattern\":\"{pattern}\",\"retained\":true}}\n")
    };
    let script: String = (1..=5).map(|number| sub(number, "self.*.nothing")).collect();
    bus.feed(alice, script.as_bytes());
    assert_eq!(bus.turns, 4);
    // One that names its topic looks at no other.
    let script: String = (11..=50).map(|number| sub(number, "self.k1.x")).collect();
    bus.feed(alice, script.as_bytes());
    assert_eq!(bus.turns, 4);
    assert_eq!(bus.hear(alice).len(), 45 + 40);
    // Patterns that a topic has to be followed along, though none of them ends as it does.
    for n in 0..1 << 10 {
        let tokens: Vec<&str> =
            (0..10).map(|bit| if n >> bit & 1 == 0 { "*" } else { "b" }).collect();
        bus.sub(bob, n + 1, &format!("self.{}.z", tokens.join(".")));
    }
    bus.turns = 0;
    let topic = format!("{}y", "b.".repeat(10));
    let mut one = publication(&topic, "1");
    one.options.headers.insert("k", "v").unwrap();
    let other = publication("other", "1");
    let pair = [bus.encode(bob, 0, publish(one)), bus.encode(bob, 0, publish(other))].concat();
    bus.feed(bob, &pair.repeat(50));
    assert!(bus.turns >= 2, "{}", bus.turns);
}

#[test]
fn with_very_many_subscriptions_each_message_still_finds_its_own() {
    let many = u32::try_from(AHEAD_SUBSCRIPTIONS_MIN).unwrap() + 1;
    let mut bus = Bus::new(Limits { subscriptions_max: 1 << 20, ..small() });
    let (alice, boss) = (bus.binary(), bus.binary());
    let pattern = |n: u32| match n % 5 {
        0 => format!("self.*.t{n}"),
        1 => format!("self.a.t{n}.>"),
        _ => format!("self.a.t{n}"),
    };
    let topic = |n: u32| if n % 5 == 1 { format!("a.t{n}.b") } else { format!("a.t{n}") };
    for n in 1..=many {
        bus.subscribed(alice, n, &pattern(n));
    }
    // More than are looked ahead for, with other frames and one that is no topic among them.
    let mut script = Vec::new();
    for n in (1..=many).step_by(101) {
        script.extend(bus.encode(boss, 0, publish(publication(&topic(n), "1"))));
        if n % 3 == 0 {
            script.extend(bus.encode(boss, 0, Operation::Unwill));
            kith_wire::binary::encode::entry(&mut script, "no topic", &Protocol::MS, b"1");
        }
    }
    bus.feed(boss, &script);
    let wanted: Vec<String> =
        (1..=many).step_by(101).map(|n| format!("msg {n} {} 1", topic(n))).collect();
    assert_eq!(bus.hears(alice), wanted);
}

#[test]
fn a_run_to_a_group_without_room_is_lost_at_once_and_counted() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { queue_messages_max: 3, ..small() });
        let (alice, boss) = (bus.join(framing), bus.binary());
        for number in 1..=2_000 {
            bus.joined(alice, number, "self.work", "crew");
        }
        let one = bus.encode(boss, 0, publish(publication("work", "1")));
        bus.feed(boss, &one.repeat(10_000));
        let (mut got, mut lost) = (0, 0);
        for text in bus.hears(alice) {
            match text.split_once(" of ") {
                Some((_, count)) => lost += count.parse::<u32>().unwrap(),
                None => got += 1,
            }
        }
        assert_eq!((got, lost), (3, 9_997));
    }
}

#[test]
fn each_operation_is_work_whatever_comes_of_it_and_a_turn_may_be_shorter() {
    let ping = "{\"op\":\"ping\",\"id\":1}\n";
    let refused = "{\"op\":\"req\",\"id\":1,\"topic\":\"nobody\",\"payload\":1}\n";
    for line in [ping, refused] {
        let mut bus = Bus::new(small());
        let alice = bus.json();
        let mut session = Session::new(bus.id(alice));
        let lines = line.repeat(1_000);
        for work_max in [1, 100, 256] {
            let fed = session.feed_within(&mut bus.broker, bus.now, lines.as_bytes(), work_max);
            assert!(fed.unfinished);
            let done = fed.consumed / line.len();
            assert_eq!(done as u64, work_max / OPERATION_WORK + 1, "{work_max}");
        }
    }
}

#[test]
fn runs_to_topics_that_nobody_wants_and_empty_lines_are_work() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.binary(), bus.json());
    let pair = [
        bus.encode(alice, 0, publish(publication("a", "1"))),
        bus.encode(alice, 0, publish(publication("b", "1"))),
    ];
    let count = usize::try_from(WORK_PER_FEED_MAX).unwrap();
    bus.feed(alice, &pair.concat().repeat(2 * count));
    assert_eq!(bus.turns, 3);
    bus.turns = 0;
    bus.line(bob, "{\"op\":\"ping\"}");
    bus.feed(bob, &b"\n\r\n".repeat(count));
    assert!(bus.turns >= 2, "{}", bus.turns);
}

#[test]
fn a_run_is_cut_where_each_message_is_queued_for_itself() {
    for (who, count) in [(FRAMINGS[0], 1), (FRAMINGS[0], 100), (FRAMINGS[1], 100)] {
        for group in [None, Some("crew")] {
            let mut bus = Bus::new(Limits { queue_messages_max: 1 << 20, ..small() });
            let boss = bus.binary();
            for _ in 0..count {
                let member = bus.join(who);
                match group {
                    None => bus.subscribed(member, 1, "self.a"),
                    Some(group) => bus.joined(member, 1, "self.a", group),
                }
            }
            let run = bus.encode(boss, 0, publish(publication("a", "1"))).repeat(10_000);
            let mut session = Session::new(bus.id(boss));
            session.feed(&mut bus.broker, bus.now, &kith_wire::binary::MAGIC);
            let before = bus.broker.stats().totals;
            let fed = session.feed_within(&mut bus.broker, bus.now, &run, 1);
            let delivered = bus.broker.stats().totals.delivered - before.delivered;
            if who == crate::broker::Framing::Binary && group.is_none() {
                assert!(delivered > 1_000 * count, "as it was written, and so at once");
            } else {
                assert!(fed.unfinished && 0 < delivered && delivered <= RUN_WORK_MAX.max(count));
            }
        }
    }
}

#[test]
fn members_without_room_are_work() {
    let mut bus = Bus::new(Limits { queue_messages_max: 1, ..small() });
    let (boss, reader) = (bus.binary(), bus.binary());
    for _ in 0..500 {
        let member = bus.binary();
        bus.joined(member, 1, "self.a", "crew");
    }
    let one = bus.encode(boss, 0, publish(publication("a", "1")));
    bus.feed(boss, &one.repeat(500));
    bus.joined(reader, 1, "self.a", "crew");
    let before = bus.broker.work();
    let mut session = Session::new(bus.id(boss));
    session.feed(&mut bus.broker, bus.now, &kith_wire::binary::MAGIC);
    session.feed_within(&mut bus.broker, bus.now, &one, 1);
    assert_eq!(bus.hears(reader), ["msg 1 a 1"]);
    assert!(bus.broker.work() - before > 100, "{}", bus.broker.work() - before);
}
