//! Lag: who does not read fast enough loses the newest messages, and is told how many, where they
//! would have stood.

use crate::limits::{Limits, SHARED_BYTES_MIN};
use crate::tests::{
    Bus, FRAMINGS, Heard, Who, publication, publish, small, small_queue, texts, with,
};
use kith_wire::{Operation, Priority};

/// Large enough that each is a piece of its own in the queue, which is freed once it was sent.
fn large(n: u32) -> String {
    format!("\"{n}{}\"", "x".repeat(SHARED_BYTES_MIN))
}

/// What was heard, without what makes messages large.
fn short(heard: &[Heard]) -> Vec<String> {
    texts(heard).iter().map(|text| text.replace(['x', '"'], "")).collect()
}

/// Has a client read until it has heard something.
fn hear_first(bus: &mut Bus, who: Who) -> Vec<Heard> {
    let mut heard = Vec::new();
    while heard.is_empty() {
        heard = bus.hear_some(who, 50);
    }
    heard
}

fn publish_numbers(bus: &mut Bus, who: Who, topic: &str, numbers: std::ops::Range<u32>) {
    for n in numbers {
        bus.publish(who, topic, &n.to_string());
    }
}

#[test]
fn the_notice_stands_where_the_messages_would_have_stood() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(3));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        for n in 0..7 {
            bus.publish(bob, "a", &large(n));
        }
        // One message is read: there is room for one more, and for the notice before it.
        let mut heard = hear_first(&mut bus, alice);
        for n in 7..9 {
            bus.publish(bob, "a", &large(n));
        }
        heard.extend(bus.hear(alice));
        assert_eq!(
            short(&heard),
            ["msg 1 a 0", "msg 1 a 1", "msg 1 a 2", "lag 1 of 4", "msg 1 a 7", "lag 1 of 1"]
        );
        publish_numbers(&mut bus, bob, "a", 9..10);
        assert_eq!(bus.hears(alice), ["msg 1 a 9"]);
        let stats = bus.broker.stats().totals;
        assert_eq!((stats.delivered, stats.dropped), (5, 5));
        let usage = bus.broker.usage(bus.id(alice)).unwrap();
        assert_eq!((usage.delivered, usage.dropped), (5, 5));
    }
}

#[test]
fn every_subscription_is_told_for_itself() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(2));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(alice, 2, "self.*");
        bus.subscribed(alice, 3, "self.c");
        publish_numbers(&mut bus, bob, "a", 0..3);
        publish_numbers(&mut bus, bob, "b", 0..2);
        let mut heard = bus.hears(alice);
        heard.sort();
        assert_eq!(heard, ["lag 1 of 2", "lag 2 of 4", "msg 1 a 0", "msg 2 a 0"]);
    }
}

#[test]
fn a_slow_subscriber_is_nobody_elses_problem() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(10));
        let (slow, fast, bob) = (bus.join(framing), bus.join(framing), bus.json());
        bus.subscribed(slow, 1, "self.a");
        bus.subscribed(fast, 1, "self.a");
        for n in 0..100 {
            bus.say(bob, 5, publish(publication("a", &n.to_string())));
            assert_eq!(bus.hears(fast), [format!("msg 1 a {n}")]);
            assert_eq!(bus.hears(bob), ["ok 5"]);
        }
        assert_eq!(bus.overflown(), [bus.id(slow).serial()]);
        assert_eq!(bus.hears(slow).last().unwrap(), "lag 1 of 90");
        assert_eq!(bus.broker.usage(bus.id(fast)).unwrap().dropped, 0);
    }
}

#[test]
fn a_queue_is_full_by_bytes_too() {
    for framing in FRAMINGS {
        for size in [100, SHARED_BYTES_MIN, 4_000] {
            let mut bus = Bus::new(Limits { queue_bytes_max: 0, ..small() });
            let bytes_max = bus.broker.limits().queue_bytes_max;
            let (alice, bob) = (bus.join(framing), bus.binary());
            bus.subscribed(alice, 1, "self.a");
            let payload = format!("\"{}\"", "x".repeat(size - 2));
            for _ in 0..1_000 {
                bus.publish(bob, "a", &payload);
                assert!(bus.broker.usage(bus.id(alice)).unwrap().queued_bytes <= bytes_max);
            }
            let usage = bus.broker.usage(bus.id(alice)).unwrap();
            assert!(bytes_max - usage.queued_bytes < size + 300, "a queue is filled up");
            let heard = bus.hear(alice);
            let got = heard.iter().filter(|one| matches!(one, Heard::Message { .. })).count();
            assert_eq!(heard.last().unwrap().text(), format!("lag 1 of {}", 1_000 - got));
        }
    }
}

#[test]
fn a_run_is_cut_where_the_queue_is_full() {
    for framing in FRAMINGS {
        for (messages, bytes) in [(10, 1 << 20), (1 << 20, 0)] {
            let limits = Limits { queue_messages_max: messages, queue_bytes_max: bytes, ..small() };
            let mut bus = Bus::new(limits);
            let (alice, bob) = (bus.join(framing), bus.binary());
            bus.subscribed(alice, 1, "self.a");
            bus.subscribed(alice, 2, "self.*");
            let run: Vec<u8> = (0..4_000_u32)
                .flat_map(|n| bus.encode(bob, 0, publish(publication("a", &n.to_string()))))
                .collect();
            bus.feed(bob, &run);
            let heard = bus.hears(alice);
            for number in [1, 2] {
                let begin = format!("msg {number}");
                let got: Vec<_> = heard.iter().filter(|text| text.starts_with(&begin)).collect();
                let wanted: Vec<_> = (0..got.len()).map(|n| format!("{begin} a {n}")).collect();
                assert_eq!(got, wanted.iter().collect::<Vec<_>>());
                let lost = 4_000 - got.len();
                assert!(heard.contains(&format!("lag {number} of {lost}")), "{lost}");
                assert!(0 < lost);
            }
            bus.publish(bob, "a", "1");
            assert_eq!(bus.hear(alice).len(), 2);
        }
    }
}

#[test]
fn the_notice_has_the_priority_of_what_was_lost() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(2));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        let priorities = [
            Priority::Bulk,
            Priority::Bulk,
            Priority::Bulk,
            Priority::High,
            Priority::Normal,
            Priority::Normal,
            Priority::Normal,
        ];
        for (n, priority) in (0..).zip(priorities) {
            bus.say(bob, 0, publish(with("a", &large(n), |o| o.priority = priority)));
        }
        let mut heard = hear_first(&mut bus, alice);
        // What was lost of one priority is told before what comes next of it; there is one place.
        bus.say(bob, 0, publish(with("a", &large(7), |o| o.priority = Priority::High)));
        heard.extend(bus.hear(alice));
        assert_eq!(
            short(&heard),
            // The first two were being sent already.
            ["msg 1 a 0", "msg 1 a 1", "lag 1 of 1", "msg 1 a 7", "lag 1 of 3", "lag 1 of 1"]
        );
    }
}

#[test]
fn who_stops_publishing_leaves_nobody_in_the_dark() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(8));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        publish_numbers(&mut bus, bob, "a", 0..20);
        let heard = bus.hears(alice);
        assert_eq!(heard.last().unwrap(), "lag 1 of 12");
        assert_eq!(heard.len(), 9);
    }
}

#[test]
fn a_subscription_that_ends_is_told_what_it_missed_before_the_answer() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(alice, 2, "self.b");
        publish_numbers(&mut bus, bob, "a", 0..3);
        publish_numbers(&mut bus, bob, "b", 0..4);
        bus.unsub(alice, 9, 1);
        assert_eq!(bus.hears(alice), ["msg 1 a 0", "lag 1 of 2", "ok 9", "lag 2 of 4"]);
        // A new one under the same number begins anew.
        bus.subscribed(alice, 1, "self.a");
        publish_numbers(&mut bus, bob, "a", 0..1);
        assert_eq!(bus.hears(alice), ["msg 1 a 0"]);
    }
}

#[test]
fn notices_that_nobody_reads_do_not_pile_up() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.sub(alice, 1, "self.a");
        bus.publish(bob, "a", "0");
        let mut rounds = 0;
        while !bus.broker.is_choked(bus.id(alice)) && rounds < 100_000 {
            bus.sub(alice, 2, "self.a");
            bus.publish(bob, "a", "1");
            bus.unsub(alice, 0, 2);
            rounds += 1;
        }
        // Being told counts as an answer: it is not read from until it reads.
        assert!(bus.broker.is_choked(bus.id(alice)));
        let lag = bus.hear(alice).iter().filter(|one| matches!(one, Heard::Lag { .. })).count();
        assert_eq!(lag, rounds + 1);
    }
}

#[test]
fn very_many_subscriptions_are_all_told_through_a_small_queue() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { queue_bytes_max: 0, queue_messages_max: 1, ..small() });
        let bytes_max = bus.broker.limits().queue_bytes_max;
        let (alice, bob) = (bus.join(framing), bus.json());
        // Their notices take more than the whole queue.
        let count = u32::try_from(bytes_max / 20).unwrap();
        for number in 1..=count {
            bus.sub(alice, number, "self.a");
        }
        assert_eq!(bus.hear(alice).len(), count as usize);
        publish_numbers(&mut bus, bob, "a", 0..2);
        let heard = bus.hear(alice);
        let lost: u64 = heard
            .iter()
            .map(|one| if let Heard::Lag { count, .. } = one { *count } else { 0 })
            .sum();
        assert_eq!(lost, u64::from(count) * 2 - 1);
        assert_eq!(heard.len(), count as usize + 1);
        // And then it hears messages again.
        publish_numbers(&mut bus, bob, "a", 2..3);
        assert!(matches!(bus.hear(alice)[0], Heard::Message { .. }));
    }
}

#[test]
fn a_lag_line_is_never_longer_than_it_is_counted() {
    let event = kith_wire::Event::Lag { subscription: std::num::NonZeroU32::MAX, count: u64::MAX };
    let mut line = Vec::new();
    kith_wire::json::deliver::event(&mut line, &event);
    let mut frame = Vec::new();
    kith_wire::binary::deliver::event(&mut frame, &event);
    assert!(line.len().max(frame.len()) <= crate::queues::LAG_BYTES);
}

#[test]
fn the_largest_message_fits_the_smallest_queue() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { queue_bytes_max: 0, ..small() });
        let (alice, bob) = (bus.join(framing), bus.binary());
        let long = "q\"".repeat(127);
        bus.subscribed(alice, 1, "*/self.>");
        let mut largest = with(&long, &"\u{1}".repeat(4 << 10), |options| {
            options.reply_to = kith_wire::Topic::new(long.clone()).ok();
            options.expire_after_ms = Some(1_000);
            options.priority = Priority::High;
            for n in 0..kith_wire::limits::HEADERS_MAX {
                options.headers.insert(&format!("k{n}"), &"\"".repeat(60)).unwrap();
            }
        });
        largest.protocol = kith_wire::Protocol::new("x".repeat(32)).unwrap();
        bus.say(bob, 1, publish(largest));
        assert_eq!(bus.hears(bob), ["ok 1"]);
        assert_eq!(bus.hear(alice)[0].message().payload.len(), 4 << 10);
    }
}

#[test]
fn a_lagging_client_still_gets_its_answers() {
    let mut bus = Bus::new(small_queue(1));
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(alice, 1, "self.a");
    publish_numbers(&mut bus, bob, "a", 0..5);
    bus.say(alice, 2, Operation::Ping);
    assert_eq!(bus.hears(alice), ["ok 2", "msg 1 a 0", "lag 1 of 4"]);
}
