//! A client that doesn't read its answers is not read from.

use crate::limits::ANSWER_BYTES_MAX;
use crate::tests::{Bus, FRAMINGS, publication, publish, small};
use kith_wire::Operation;

#[test]
fn who_does_not_read_its_answers_has_to_wait_and_loses_nothing() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        let count = 60_000_u32;
        let script: Vec<u8> =
            (1..=count).flat_map(|n| bus.encode(alice, n, Operation::Ping)).collect();
        let unsaid = bus.feed(alice, &script);
        assert!(0 < unsaid && unsaid < script.len());
        assert!(bus.broker.is_choked(bus.id(alice)));
        // Nothing is taken while it doesn't read.
        assert_eq!(bus.feed(alice, &[]), unsaid);
        // It doesn't have to read all before it is read from again.
        let heard = bus.hear_some(alice, ANSWER_BYTES_MAX / 2).len();
        assert!(bus.feed(alice, &[]) < unsaid);
        let rest = bus.hears(alice);
        assert_eq!(heard + rest.len(), count as usize);
        assert_eq!(rest.last().unwrap(), &format!("ok {count}"));
    }
}

#[test]
fn answers_that_wait_are_bounded() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        let ping = bus.encode(alice, 1, Operation::Ping);
        bus.feed(alice, &ping.repeat(100_000));
        let mut bytes = 0;
        while bus.broker.has_output(bus.id(alice)) {
            let staged: usize = bus.broker.stage(bus.now, bus.id(alice)).map(<[u8]>::len).sum();
            bus.broker.wrote(bus.now, bus.id(alice), staged);
            bytes += staged;
        }
        assert!((ANSWER_BYTES_MAX..ANSWER_BYTES_MAX + 100).contains(&bytes), "{bytes}");
    }
}

#[test]
fn messages_do_not_choke() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.binary());
        bus.subscribed(alice, 1, "self.a");
        let payload = format!("\"{}\"", "x".repeat(4_000));
        for _ in 0..200 {
            bus.say(bob, 0, publish(publication("a", &payload)));
        }
        assert!(bus.broker.usage(bus.id(alice)).unwrap().queued_bytes > ANSWER_BYTES_MAX);
        assert!(!bus.broker.is_choked(bus.id(alice)));
    }
}
