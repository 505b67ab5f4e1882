//! Bytes from outside never panic, and never harm anybody else.

use crate::broker::Framing;
use crate::tests::{Bus, FRAMINGS, publication, publish, small_queue};
use kith_wire::Operation;
use kith_wire::binary::MAGIC;
use proptest::prelude::*;

fn is_well(bus: &mut Bus) {
    let (alice, bob) = (bus.json(), bus.binary());
    bus.subscribed(alice, 1, "self.fine");
    bus.publish(bob, "fine", "1");
    assert_eq!(bus.hears(alice), ["msg 1 fine 1"]);
    bus.cut(alice);
    bus.cut(bob);
}

/// Feeds it in pieces, reads nothing or all, lets time pass, and ends it.
fn suffer(bytes: &[u8], pieces: &[usize], reads: bool) {
    let mut bus = Bus::new(small_queue(50));
    let victim = bus.raw(Framing::JsonLines);
    let mut rest = bytes;
    for piece in pieces.iter().chain([&usize::MAX]) {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        bus.feed(victim, now);
        rest = later;
        if reads {
            let id = bus.id(victim);
            let staged: usize = bus.broker.stage(bus.now, id).map(<[u8]>::len).sum();
            bus.broker.wrote(bus.now, id, staged);
        }
    }
    is_well(&mut bus);
    bus.pass(100_000);
    bus.cut(victim);
    is_well(&mut bus);
    let stats = bus.broker.stats();
    assert_eq!((stats.clients, stats.subscriptions, stats.requests_waiting), (0, 0, 0));
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..200_usize, 0..6)
}

/// Operations of all kinds, as bytes.
fn sensible(framing: Framing) -> Vec<u8> {
    let mut bus = Bus::new(small_queue(50));
    let who = bus.join(framing);
    let mut bytes = match framing {
        Framing::Binary => MAGIC.to_vec(),
        Framing::JsonLines => Vec::new(),
    };
    let kept = crate::tests::kept("fine.kept", "[1,{\"a\":\"b\"}]");
    let full = crate::tests::with("fine", "{\"x\":1}", |options| {
        options.message_id = Some(crate::tests::own_id(1));
        options.expire_after_ms = Some(50);
        options.headers.insert("key", "value").unwrap();
        options.reply_to = kith_wire::Topic::new("a.b").ok();
    });
    let request = Operation::Request {
        number: kith_wire::RequestNumber::MIN,
        publication: publication("fine", "1"),
        timeout_ms: 100,
    };
    let operations = [
        Operation::Hello {
            name: Some("name".to_owned()),
            client: Some([7; 16]),
            descriptors: false,
            token: None,
        },
        crate::tests::subscribe(1, "self.fine", None, true),
        crate::tests::subscribe(2, "*/*.>", Some("group"), false),
        publish(publication("fine", "1")),
        publish(publication("fine", "2")),
        publish(kept),
        publish(full.clone()),
        request,
        Operation::Will(full),
        Operation::Unwill,
        Operation::Ping,
        Operation::Unsubscribe(kith_wire::RequestNumber::new(2).unwrap()),
        Operation::Bye,
    ];
    for (number, operation) in (1..).zip(operations) {
        bytes.extend(bus.encode(who, number, operation));
    }
    bytes
}

/// Bytes of any kind.
fn noise(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn noise_never_panics(
        first in prop::sample::select(vec![&b""[..], b"{", b"KTH\x01", b"KTH"]),
        noise in prop::collection::vec(any::<u8>(), 0..600),
        pieces in pieces(),
        reads in any::<bool>(),
    ) {
        suffer(&[first, &noise].concat(), &pieces, reads);
    }

    #[test]
    fn small_frames_of_noise_never_panic(
        frames in prop::collection::vec(
            (0..14_u8, 0..2_u8, 0..9_u8, 0..4_u8, 0..4_u8, noise(0..40)),
            0..40,
        ),
        reads in any::<bool>(),
    ) {
        let mut bytes = MAGIC.to_vec();
        for (kind, flags, a, b, number, body) in frames {
            bytes.extend_from_slice(&u32::try_from(8 + body.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(&[kind, flags, a, b, number, 0, 0, 0]);
            bytes.extend(body);
        }
        suffer(&bytes, &[], reads);
    }

    #[test]
    fn what_was_sensible_before_bytes_changed_never_panics(
        framing in prop::sample::select(FRAMINGS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        pieces in pieces(),
        reads in any::<bool>(),
    ) {
        let mut bytes = sensible(framing);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let cut = cut.index(bytes.len() * 4).min(bytes.len());
        suffer(&bytes[..cut], &pieces, reads);
    }
}

#[test]
fn sensible_bytes_are_sensible() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small_queue(50));
        let who = bus.raw(framing);
        assert_eq!(bus.feed(who, &sensible(framing)), 0);
        let heard = bus.hears(who);
        assert!(!heard.iter().any(|text| text.starts_with("err")), "{heard:?}");
    }
}
