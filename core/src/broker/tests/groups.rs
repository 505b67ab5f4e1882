//! Groups: of all members that match, one gets each message.

use crate::limits::Limits;
use crate::tests::{Bus, FRAMINGS, Who, publication, publish, small, small_queue, with};

/// How many messages each hears.
fn counts(bus: &mut Bus, members: &[Who]) -> Vec<usize> {
    members.iter().map(|member| bus.hear(*member).len()).collect()
}

#[test]
fn each_message_goes_to_one_member_and_they_take_turns() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let members = [bus.join(framing), bus.join(framing), bus.join(framing)];
        for member in members {
            bus.joined(member, 1, "self.work", "crew");
        }
        let (boss, clerk) = (bus.binary(), bus.json());
        for n in 0..15_u32 {
            let from = if n % 2 == 0 { boss } else { clerk };
            bus.publish(from, "work", &n.to_string());
        }
        let mut heard = Vec::new();
        for member in members {
            let own = bus.hears(member);
            assert_eq!(own.len(), 5);
            heard.extend(own);
        }
        heard.sort_by_key(|text| text.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
        let wanted: Vec<String> = (0..15).map(|n| format!("msg 1 work {n}")).collect();
        assert_eq!(heard, wanted);
    }
}

#[test]
fn a_run_is_shared_out_message_by_message() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let members = [bus.join(framing), bus.json()];
        for member in members {
            bus.joined(member, 1, "self.work", "crew");
        }
        let boss = bus.binary();
        let one = bus.encode(boss, 0, publish(publication("work", "1")));
        bus.feed(boss, &one.repeat(100));
        assert_eq!(counts(&mut bus, &members), [50, 50]);
    }
}

#[test]
fn topics_published_in_turn_are_shared_out_too() {
    for together in [false, true] {
        let mut bus = Bus::new(small());
        let members = [bus.json(), bus.binary(), bus.json(), bus.binary()];
        for (index, member) in members.into_iter().enumerate() {
            let topic = if index < 2 { "self.a" } else { "self.b" };
            bus.joined(member, 1, topic, if together { "crew" } else { &topic["self.".len()..] });
        }
        let boss = bus.binary();
        for _ in 0..200 {
            bus.publish(boss, "a", "1");
            bus.publish(boss, "b", "1");
        }
        let heard = counts(&mut bus, &members);
        assert_eq!(heard.iter().sum::<usize>(), 400);
        assert!(heard.iter().all(|count| (60..140).contains(count)), "{heard:?}");
    }
}

#[test]
fn a_group_reaches_across_patterns_and_groups_do_not_share() {
    let mut bus = Bus::new(small());
    let members = [bus.json(), bus.json(), bus.binary()];
    let (other, alone, boss) = (bus.json(), bus.binary(), bus.json());
    for (member, pattern) in members.into_iter().zip(["self.a.b", "self.a.*", "*/*.>"]) {
        bus.joined(member, 1, pattern, "crew");
    }
    bus.joined(other, 1, "self.a.b", "others");
    bus.subscribed(alone, 1, "self.a.b");
    for n in 0..12_u32 {
        bus.publish(boss, "a.b", &n.to_string());
    }
    assert_eq!(counts(&mut bus, &members), [4, 4, 4]);
    assert_eq!(counts(&mut bus, &[other, alone]), [12, 12]);
    // Only the last pattern matches this one.
    bus.publish(boss, "z", "1");
    assert_eq!(counts(&mut bus, &members), [0, 0, 1]);
}

#[test]
fn several_subscriptions_of_one_connection_are_members_each() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.joined(alice, 1, "self.a", "crew");
    bus.joined(alice, 2, "self.>", "crew");
    bus.publish(alice, "a", "1");
    bus.publish(alice, "a", "2");
    let mut heard = bus.hears(alice);
    heard.sort_by_key(|text| text.rsplit(' ').next().unwrap().to_owned());
    assert_eq!(heard.len(), 2);
    assert_ne!(heard[0][..5], heard[1][..5], "{heard:?}");
}

#[test]
fn a_member_with_a_full_queue_is_skipped() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(2));
        let (slow, fast, boss) = (bus.join(framing), bus.join(framing), bus.binary());
        bus.joined(slow, 1, "self.work", "crew");
        bus.joined(fast, 1, "self.work", "crew");
        let mut heard = 0;
        for n in 0..20_u32 {
            bus.publish(boss, "work", &n.to_string());
            heard += bus.hear(fast).len();
        }
        assert_eq!(heard, 18);
        assert_eq!(bus.hear(slow).len(), 2);
        assert_eq!(bus.broker.stats().totals.dropped, 0);
    }
}

#[test]
fn a_member_whose_queue_is_full_by_bytes_is_skipped_and_one_with_just_enough_room_is_not() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(Limits { queue_bytes_max: 0, ..small() });
        let (slow, fast, boss) = (bus.join(framing), bus.join(framing), bus.binary());
        bus.subscribed(slow, 1, "self.fill");
        bus.subscribed(fast, 1, "self.fill");
        bus.subscribed(slow, 2, "self.more");
        let filler = format!("\"{}\"", "x".repeat(1_000));
        while room(&bus, fast) > 2_000 {
            bus.publish(boss, "fill", &filler);
        }
        let before = room(&bus, slow);
        bus.publish(boss, "more", "1");
        let bytes = before - room(&bus, slow);
        while room(&bus, slow) >= bytes {
            bus.publish(boss, "more", "1");
        }
        bus.joined_later(slow, 3, "self.work", "crew");
        bus.joined_later(fast, 3, "self.work", "crew");
        for _ in 0..4 {
            bus.say(boss, 0, publish(with("work", "1", |o| o.expire_after_ms = Some(1_000))));
        }
        let works = |heard: Vec<String>| heard.iter().filter(|one| *one == "msg 3 work 1").count();
        assert_eq!((works(bus.hears(slow)), works(bus.hears(fast))), (0, 4));
        assert_eq!(bus.broker.stats().totals.dropped, 0);
    }
}

/// Bytes that still fit a queue.
fn room(bus: &Bus, who: Who) -> usize {
    let used = bus.broker.usage(bus.id(who)).unwrap().queued_bytes;
    bus.broker.limits().queue_bytes_max - used
}

#[test]
fn if_every_member_is_full_one_of_them_is_told() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (first, second, boss) = (bus.join(framing), bus.join(framing), bus.binary());
        bus.joined(first, 1, "self.work", "crew");
        bus.joined(second, 1, "self.work", "crew");
        for n in 0..9_u32 {
            bus.publish(boss, "work", &n.to_string());
        }
        let mut lost = 0;
        let mut got = 0;
        for member in [first, second] {
            for text in bus.hears(member) {
                match text.strip_prefix("lag 1 of ") {
                    Some(count) => lost += count.parse::<u32>().unwrap(),
                    None => got += 1,
                }
            }
        }
        assert_eq!((got, lost), (2, 7));
    }
}

#[test]
fn a_group_without_its_members_wants_nothing() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.joined(alice, 1, "self.work", "crew");
    bus.unsub(alice, 0, 1);
    bus.ask(bob, 1, "work", 1_000);
    assert_eq!(bus.hears(bob), ["err 1 no-responders"]);
}
