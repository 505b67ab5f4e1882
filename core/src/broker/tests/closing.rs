//! The end of a connection: goodbye, shutting down, being cut off.

use crate::tests::{Bus, FRAMINGS, Heard, publication, publish, small, small_queue};
use kith_wire::{Code, Operation};

#[test]
fn goodbye_is_answered_after_what_was_queued() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.publish(bob, "a", "1");
        bus.say(alice, 9, Operation::Bye);
        assert!(bus.broker.is_closing(bus.id(alice)));
        // Nothing more is taken from it, and nothing more comes.
        assert!(bus.feed(alice, b"more") > 0);
        bus.publish(bob, "a", "2");
        assert_eq!(bus.hears(alice), ["msg 1 a 1", "ok 9"]);
    }
}

#[test]
fn a_connection_that_closes_can_not_be_kept_open_by_new_messages() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(alice, 2, "self.bus.client");
        bus.say(alice, 0, Operation::Bye);
        bus.publish(bob, "a", "2");
        bus.json();
        assert!(
            !bus.broker.has_output(bus.id(alice)) || bus.framing(alice) == crate::Framing::Binary
        );
        assert!(bus.hears(alice).is_empty());
        let usage = bus.broker.usage(bus.id(alice)).unwrap();
        assert_eq!((usage.subscriptions, usage.dropped), (0, 0));
        assert_eq!(bus.broker.stats().subscriptions, 0);
    }
}

#[test]
fn who_says_goodbye_with_a_full_queue_is_told_what_it_missed() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(1));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        for _ in 0..4 {
            bus.publish(bob, "a", "1");
        }
        bus.say(alice, 9, Operation::Bye);
        assert_eq!(bus.hears(alice), ["msg 1 a 1", "lag 1 of 3", "ok 9"]);
    }
}

#[test]
fn requests_of_who_says_goodbye_are_over() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    bus.ask(alice, 1, "what", 1_000);
    bus.say(alice, 2, Operation::Bye);
    assert_eq!(bus.broker.stats().requests_waiting, 0);
    let reply_to = bus.hear(bob)[0].message().reply_to.clone().unwrap();
    bus.say(bob, 3, publish(publication(&reply_to, "1")));
    assert_eq!(bus.hears(bob), ["err 3 unknown-request"]);
    assert_eq!(bus.hears(alice), ["ok 2"]);
}

#[test]
fn the_shell_can_close_a_connection_and_its_will_stays() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.gone");
    bus.say(alice, 0, Operation::Will(publication("gone", "1")));
    let id = bus.id(alice);
    bus.broker.close(id);
    assert!(bus.broker.is_closing(id) && bus.broker.is_choked(id));
    bus.cut(alice);
    assert_eq!(bus.hears(bob), ["msg 1 gone 1"]);
}

#[test]
fn when_the_daemon_stops_everybody_hears_goodbye_last() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(2));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(bob, 1, "self.gone");
        bus.say(alice, 0, Operation::Will(publication("gone", "1")));
        bus.sub(bob, 2, "self.bus.stats");
        bus.ask(bob, 2, "a", 1_000);
        bus.publish(bob, "a", "1");
        bus.publish(bob, "a", "2");
        bus.broker.shut_down();
        assert_eq!(bus.broker.poll_timeout(), None);
        assert!(bus.broker.is_closing(bus.id(alice)));
        let heard = bus.hears(alice);
        assert_eq!(heard, ["msg 1 a \"?\"", "msg 1 a 1", "lag 1 of 1", "bye shutting-down"]);
        // Wills are for ends that were not meant.
        bus.cut(alice);
        let heard = bus.hear(bob);
        assert!(matches!(&heard[..], [Heard::Ok { .. }, Heard::Bye { .. }]), "{heard:?}");
        let refusal = bus.broker.connect(bus.now).unwrap_err();
        assert_eq!((refusal.code, refusal.fatal), (Code::ShuttingDown, true));
        // And nothing is due any more.
        bus.pass(10_000);
        assert!(bus.hears(bob).is_empty());
        assert_eq!(bus.broker.poll_timeout(), None);
    }
}

#[test]
fn an_unknown_connection_is_choked_closing_and_silent() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    let id = bus.id(alice);
    bus.cut(alice);
    bus.cut(alice);
    assert!(bus.broker.is_choked(id) && bus.broker.is_closing(id));
    assert!(!bus.broker.has_output(id));
    assert_eq!(bus.broker.usage(id), None);
    assert_eq!(bus.broker.stage(bus.now, id).count(), 0);
    bus.broker.wrote(bus.now, id, 10);
    bus.broker.close(id);
    // Nor is whoever has its place now taken for it.
    let bob = bus.json();
    bus.line(alice, "{\"op\":\"ping\",\"id\":1}");
    bus.broker.close(id);
    assert!(!bus.broker.is_closing(bus.id(bob)));
    assert!(bus.hears(bob).is_empty());
}

#[test]
fn more_written_than_was_staged_confuses_nothing() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.line(alice, "{\"op\":\"ping\",\"id\":1}");
    let id = bus.id(alice);
    let staged: usize = bus.broker.stage(bus.now, id).map(<[u8]>::len).sum();
    bus.broker.wrote(bus.now, id, staged + 100);
    bus.line(alice, "{\"op\":\"ping\",\"id\":2}");
    assert_eq!(bus.hears(alice), ["ok 2"]);
}

#[test]
fn who_is_cut_off_is_named_with_the_reason() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.bus.client");
    assert_eq!(bus.broker.cut_off(bus.id(alice)), None);
    let max = kith_wire::limits::line_bytes_max(bus.broker.limits().payload_bytes_max);
    bus.feed(alice, &vec![b'{'; max + 1]);
    assert_eq!(bus.broker.cut_off(bus.id(alice)), Some(Code::TooLarge));
    bus.cut(alice);
    let heard = bus.hear(bob);
    let payload = String::from_utf8_lossy(&heard.last().unwrap().message().payload);
    assert!(payload.contains("\"reason\":\"cut off: too-large\""), "{payload}");
    let totals = bus.broker.stats().totals;
    assert_eq!((totals.refused, totals.cut_off, totals.refused_connections), (1, 1, 0));
    assert_eq!(bus.broker.cut_off(bus.id(alice)), None);
}

#[test]
fn what_waits_for_who_is_gone_is_forgotten_and_what_it_said_counts() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(3));
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.subscribed(bob, 1, "self.b");
        bus.subscribed(bob, 2, "self.gone");
        bus.say(alice, 0, Operation::Will(publication("gone", "1")));
        for _ in 0..5 {
            bus.publish(bob, "a", "1");
        }
        // It asks until it has to wait for somebody to read the answers.
        let ping = bus.encode(alice, 7, Operation::Ping);
        let last = bus.encode(alice, 0, publish(publication("b", "2")));
        let waiting = bus.feed(alice, &[ping.repeat(40_000), last].concat());
        let id = bus.id(alice);
        assert!(waiting > 0 && bus.broker.is_choked(id));
        assert_eq!(bus.broker.stats().queued_messages, 3);
        // Its socket turns out to be broken; what it said is read to its end all the same.
        while bus.broker.is_choked(id) {
            bus.broker.discard_output(id);
            assert!(!bus.broker.has_output(id) && !bus.broker.is_choked(id));
            bus.feed(alice, b"");
        }
        assert_eq!(bus.broker.usage(id).unwrap().queued_bytes, 0);
        assert_eq!(bus.hears(bob), ["msg 1 b 2"]);
        bus.cut(alice);
        assert_eq!(bus.hears(bob), ["msg 2 gone 1"]);
        let stats = bus.broker.stats();
        assert_eq!((stats.clients, stats.queued_messages, stats.queued_bytes), (1, 0, 0));
        bus.cut(bob);
        assert_eq!(bus.broker.residue(), 0);
    }
}
