//! Request and reply.

use crate::limits::{Limits, TIMEOUTS_PER_TURN_MAX};
use crate::tests::{
    Bus, FRAMINGS, Heard, Who, kept, own_id, publication, publish, small, small_queue, with,
};

/// Reads the one request that came, and returns where to reply.
fn asked(bus: &mut Bus, who: Who) -> String {
    let heard = bus.hear(who);
    assert_eq!(heard.len(), 1, "{heard:?}");
    heard[0].message().reply_to.clone().unwrap()
}

#[test]
fn a_reply_reaches_who_asked_and_nobody_else() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob, eve) = (bus.join(framing), bus.json(), bus.binary());
        bus.subscribed(bob, 1, "self.what");
        bus.subscribed(eve, 1, "*/*.>");
        bus.subscribed(alice, 1, "self.bus.>");
        bus.ask(alice, 7, "what", 1_000);
        assert!(bus.hears(alice).is_empty());
        let reply_to = asked(&mut bus, bob);
        assert!(reply_to.starts_with("bus.reply."), "{reply_to}");
        assert_eq!(bus.hears(eve), ["msg 1 what \"?\""]);
        bus.say(bob, 8, publish(publication(&reply_to, "\"!\"")));
        assert_eq!(bus.hears(bob), ["ok 8"]);
        let heard = bus.hear(alice);
        assert_eq!(crate::tests::texts(&heard), [format!("reply 7 {reply_to} \"!\"")]);
        let message = heard[0].message();
        assert_eq!((message.sender.as_str(), message.scope.as_str()), ("local", "self"));
        assert!(bus.hears(eve).is_empty());
        let totals = bus.broker.stats().totals;
        assert_eq!((totals.requests, totals.replies), (1, 1));
    }
}

#[test]
fn only_the_first_reply_counts() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob, carl) = (bus.json(), bus.join(framing), bus.join(framing));
        bus.subscribed(bob, 1, "self.what");
        bus.subscribed(carl, 1, "self.what");
        bus.ask(alice, 7, "what", 1_000);
        let (to_bob, to_carl) = (asked(&mut bus, bob), asked(&mut bus, carl));
        assert_eq!(to_bob, to_carl);
        bus.say(carl, 2, publish(publication(&to_carl, "2")));
        bus.say(bob, 2, publish(publication(&to_bob, "1")));
        bus.say(carl, 0, publish(publication(&to_carl, "3")));
        assert_eq!(bus.hears(alice), [format!("reply 7 {to_bob} 2")]);
        assert_eq!(bus.hears(bob), ["err 2 unknown-request"]);
        assert_eq!(bus.hears(carl), ["ok 2", "err - unknown-request"]);
        // The number is free again.
        bus.ask(alice, 7, "what", 1_000);
        assert_ne!(asked(&mut bus, bob), to_bob);
    }
}

#[test]
fn nobody_there_is_said_at_once() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "friends.what");
        bus.subscribed(bob, 2, "bt/self.what");
        bus.ask(alice, 7, "what", 1_000);
        assert_eq!(bus.hears(alice), ["err 7 no-responders"]);
        assert_eq!(bus.broker.stats().totals.no_responders, 1);
        assert_eq!(bus.broker.poll_timeout(), None);
        bus.ask(alice, 7, "what", 1_000);
        assert_eq!(bus.hears(alice), ["err 7 no-responders"]);
    }
}

#[test]
fn a_monitor_gets_requests_and_is_no_responder() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, eve) = (bus.json(), bus.join(framing));
        bus.monitors(eve, 1, "*/*.>");
        bus.ask(alice, 7, "what", 1_000);
        assert_eq!(bus.hears(eve), ["msg 1 what \"?\""]);
        assert_eq!(bus.hears(alice), ["err 7 no-responders"]);
        bus.say(alice, 8, publish(publication("what", "1")));
        assert_eq!(bus.hears(eve), ["msg 1 what 1"]);
        assert_eq!(bus.hears(alice), ["ok 8"]);
    }
}

#[test]
fn full_queues_are_said_at_once_and_counted_for_the_subscriber() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (alice, bob) = (bus.json(), bus.join(framing));
        bus.subscribed(bob, 1, "self.what");
        bus.ask(alice, 1, "what", 1_000);
        bus.ask(alice, 2, "what", 1_000);
        assert_eq!(bus.hears(alice), ["err 2 busy"]);
        let heard = bus.hears(bob);
        assert_eq!(heard, ["msg 1 what \"?\"", "lag 1 of 1"]);
        // One with room is enough.
        let carl = bus.json();
        bus.subscribed(carl, 1, "self.what");
        bus.ask(alice, 3, "what", 1_000);
        bus.hear(carl);
        bus.ask(alice, 4, "what", 1_000);
        assert!(bus.hears(alice).is_empty());
    }
}

#[test]
fn a_request_ends_at_its_time_and_not_before() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.what");
        let begin = bus.now.monotonic_ms;
        bus.ask(alice, 1, "what", 300);
        bus.ask(alice, 2, "what", 100);
        bus.ask(alice, 3, "what", 3_600_000);
        assert_eq!(bus.broker.poll_timeout(), Some(begin + 100));
        bus.pass(99);
        assert!(bus.hears(alice).is_empty());
        bus.pass(1);
        let heard = bus.hear(alice);
        assert_eq!(crate::tests::texts(&heard), ["err 2 timeout"]);
        // Nothing in the stream is wrong, so there is no place to point at.
        assert!(matches!(heard[0], Heard::Err { at: None, fatal: false, .. }));
        bus.pass(200);
        assert_eq!(bus.hears(alice), ["err 1 timeout"]);
        assert_eq!(bus.broker.stats().requests_waiting, 1);
        bus.pass(3_600_000);
        assert_eq!(bus.hears(alice), ["err 3 timeout"]);
        assert_eq!(bus.broker.poll_timeout(), None);
    }
}

#[test]
fn the_wall_clock_does_not_end_requests() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    bus.ask(alice, 1, "what", 300);
    bus.now.unix_ms += 1 << 40;
    bus.broker.handle_timeout(bus.now);
    assert!(bus.hears(alice).is_empty());
    bus.pass(300);
    assert_eq!(bus.hears(alice), ["err 1 timeout"]);
}

#[test]
fn very_many_time_outs_are_cut_into_turns() {
    let count = TIMEOUTS_PER_TURN_MAX + 10;
    let mut bus = Bus::new(Limits { requests_max: count, ..small() });
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    for number in 1..=count {
        bus.ask(alice, u32::try_from(number).unwrap(), "what", 300);
    }
    bus.now.monotonic_ms += 300;
    bus.broker.handle_timeout(bus.now);
    assert_eq!(bus.hear(alice).len(), TIMEOUTS_PER_TURN_MAX);
    assert!(bus.broker.poll_timeout().is_some_and(|due| due <= bus.now.monotonic_ms));
    bus.broker.handle_timeout(bus.now);
    assert_eq!(bus.hear(alice).len(), 10);
    assert_eq!(bus.broker.poll_timeout(), None);
}

#[test]
fn a_late_reply_is_answered_unknown_request() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.json(), bus.join(framing));
        bus.subscribed(bob, 1, "self.what");
        bus.ask(alice, 1, "what", 10);
        let reply_to = asked(&mut bus, bob);
        bus.pass(10);
        bus.say(bob, 2, publish(publication(&reply_to, "1")));
        assert_eq!(bus.hears(bob), ["err 2 unknown-request"]);
        assert_eq!(bus.hears(alice), ["err 1 timeout"]);
        // Nor does anything else that looks like a reply topic reach anyone.
        for topic in ["bus.reply", "bus.reply.x", "bus.reply.00", "bus.replys.a"] {
            bus.say(bob, 3, publish(publication(topic, "1")));
            assert_eq!(bus.hears(bob), ["err 3 reserved-topic"], "{topic}");
        }
    }
}

#[test]
fn a_reply_to_who_is_gone_is_answered_unknown_request() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    bus.ask(alice, 1, "what", 10);
    let reply_to = asked(&mut bus, bob);
    bus.cut(alice);
    assert_eq!(bus.broker.stats().requests_waiting, 0);
    // Whoever takes its place does not get it.
    let carol = bus.json();
    bus.say(bob, 2, publish(publication(&reply_to, "1")));
    assert_eq!(bus.hears(bob), ["err 2 unknown-request"]);
    bus.pass(10);
    assert!(bus.hears(carol).is_empty());
}

#[test]
fn a_number_is_used_for_one_waiting_request_at_a_time() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.what");
        bus.ask(alice, 1, "what", 10);
        bus.ask(alice, 1, "what", 10);
        assert_eq!(bus.hears(alice), ["err 1 duplicate-request"]);
        assert_eq!(bus.hear(bob).len(), 1);
        // Subscriptions and other connections have numbers of their own.
        bus.subscribed(alice, 1, "self.other");
        bus.ask(bob, 1, "what", 10);
        assert!(bus.hear(bob).len() == 1);
        bus.pass(10);
        assert_eq!(bus.hears(alice), ["err 1 timeout"]);
    }
}

#[test]
fn so_many_requests_may_wait_and_the_offender_is_told() {
    let mut bus = Bus::new(Limits { requests_max: 2, ..small() });
    let (alice, bob) = (bus.json(), bus.binary());
    bus.subscribed(bob, 1, "self.what");
    for number in 1..=3 {
        bus.ask(alice, number, "what", 10);
    }
    assert_eq!(bus.hears(alice), ["err 3 quota-requests"]);
    bus.ask(bob, 1, "what", 20);
    bus.pass(10);
    assert_eq!(bus.hears(alice), ["err 1 timeout", "err 2 timeout"]);
    bus.ask(alice, 3, "what", 10);
    assert!(bus.hears(alice).is_empty());
}

#[test]
fn a_reply_without_room_becomes_busy() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.what");
        bus.subscribed(alice, 1, "self.fill");
        bus.ask(alice, 7, "what", 1_000);
        let reply_to = asked(&mut bus, bob);
        bus.publish(bob, "fill", "1");
        bus.say(bob, 2, publish(publication(&reply_to, "1")));
        assert_eq!(bus.hears(bob), ["ok 2"]);
        assert_eq!(bus.hears(alice), ["err 7 busy", "msg 1 fill 1"]);
    }
}

#[test]
fn a_reply_overtakes_messages() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.what");
        bus.subscribed(alice, 1, "self.fill");
        bus.ask(alice, 7, "what", 1_000);
        let reply_to = asked(&mut bus, bob);
        bus.publish(bob, "fill", "1");
        bus.say(bob, 2, publish(publication(&reply_to, "1")));
        assert_eq!(bus.hears(alice), [format!("reply 7 {reply_to} 1"), "msg 1 fill 1".to_owned()]);
    }
}

#[test]
fn a_reply_is_an_answer_and_does_not_expire_in_the_queue() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(bob, 1, "self.what");
        bus.ask(alice, 7, "what", 1_000);
        let reply_to = asked(&mut bus, bob);
        bus.say(bob, 2, publish(with(&reply_to, "1", |o| o.expire_after_ms = Some(5))));
        bus.pass(2_000);
        assert_eq!(bus.hears(alice), [format!("reply 7 {reply_to} 1")]);
    }
}

#[test]
fn a_reply_can_not_be_kept_and_is_never_empty_json() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.json(), bus.join(framing));
        bus.subscribed(bob, 1, "self.what");
        bus.ask(alice, 7, "what", 1_000);
        let reply_to = asked(&mut bus, bob);
        for payload in ["", "1"] {
            bus.say(bob, 2, publish(kept(&reply_to, payload)));
            assert_eq!(bus.hears(bob), ["err 2 bad-field"]);
        }
        assert!(bus.hears(alice).is_empty());
        // The request still waits.
        bus.say(bob, 2, publish(publication(&reply_to, "2")));
        assert_eq!(bus.hears(alice), [format!("reply 7 {reply_to} 2")]);
        assert_eq!(bus.broker.stats().retained_messages, 0);
    }
}

#[test]
fn a_reply_that_is_repeated_is_answered_as_published() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.json(), bus.join(framing));
        bus.subscribed(bob, 1, "self.what");
        bus.ask(alice, 7, "what", 1_000);
        let reply_to = asked(&mut bus, bob);
        for _ in 0..2 {
            bus.say(bob, 2, publish(with(&reply_to, "1", |o| o.message_id = Some(own_id(1)))));
        }
        assert_eq!(bus.hears(bob), ["ok 2", "ok 2 duplicate"]);
        assert_eq!(bus.hears(alice), [format!("reply 7 {reply_to} 1")]);
    }
}

#[test]
fn a_repeated_request_is_asked_again() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    for number in 1..=2 {
        let publication = with("what", "1", |options| options.message_id = Some(own_id(1)));
        bus.ask_with(alice, number, publication, 1_000);
        assert_eq!(bus.hear(bob)[0].message().message_id, own_id(1).to_string());
    }
    assert!(bus.hears(alice).is_empty());
}

#[test]
fn a_member_of_a_group_can_reply() {
    let mut bus = Bus::new(small());
    let (alice, bob, carl) = (bus.json(), bus.json(), bus.binary());
    bus.joined(bob, 1, "self.what", "crew");
    bus.joined(carl, 1, "self.what", "crew");
    for number in 1..=4 {
        bus.ask(alice, number, "what", 1_000);
        let heard = [bus.hear(bob), bus.hear(carl)].concat();
        assert_eq!(heard.len(), 1);
        let reply_to = heard[0].message().reply_to.clone().unwrap();
        bus.publish(bob, &reply_to, "1");
        assert_eq!(bus.hears(alice), [format!("reply {number} {reply_to} 1")]);
    }
}
