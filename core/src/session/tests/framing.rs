//! How the framing is told, and what is wanted next.

use crate::broker::Framing;
use crate::session::Fed;
use crate::tests::{Bus, Heard, publication, publish, small};
use kith_wire::binary::{Kind, MAGIC};

#[test]
fn the_first_byte_decides_the_framing() {
    let mut bus = Bus::new(small());
    let alice = bus.raw(Framing::JsonLines);
    bus.feed(alice, b"{\"op\":\"ping\",");
    bus.feed(alice, b"\"id\":1}\n");
    assert_eq!(bus.hears(alice), ["ok 1"]);
    let bob = bus.raw(Framing::Binary);
    for byte in MAGIC {
        assert!(!bus.broker.has_output(bus.id(bob)));
        bus.feed(bob, &[byte]);
    }
    // The daemon answers with its own magic at once: `hears` looks for it.
    assert!(bus.broker.has_output(bus.id(bob)));
    bus.say(bob, 1, kith_wire::Operation::Ping);
    assert_eq!(bus.hears(bob), ["ok 1"]);
}

#[test]
fn anything_else_is_answered_in_a_line_and_closed() {
    for (bytes, at) in [
        (&b"GET / HTTP/1.1\r\n"[..], 0),
        (b"\n", 0),
        (b" {\"op\":\"ping\"}", 0),
        (&[0], 0),
        (b"KTX", 2),
        (b"Kaput", 1),
    ] {
        let mut bus = Bus::new(small());
        let alice = bus.raw(Framing::JsonLines);
        assert_eq!(bus.feed(alice, bytes), 0);
        let heard = bus.hear(alice);
        let [Heard::Err { number: None, code, at: found, fatal: true, .. }] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!((code.as_str(), *found), ("bad-frame", Some(at)));
        assert!(bus.broker.is_closing(bus.id(alice)));
    }
}

#[test]
fn another_version_is_told_which_one_is_spoken_here() {
    let mut bus = Bus::new(small());
    let alice = bus.raw(Framing::Binary);
    bus.feed(alice, b"KTH\x02rest");
    let heard = bus.hear(alice);
    assert!(
        matches!(&heard[..], [Heard::Err { code, at: Some(3), fatal: true, .. }]
            if code == "unsupported-version"),
        "{heard:?}"
    );
    assert!(bus.broker.is_closing(bus.id(alice)));
}

#[test]
fn a_frame_says_how_many_bytes_it_wants_and_a_line_does_not() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.binary());
    let mut session = crate::Session::new(bus.id(alice));
    let fed = session.feed(&mut bus.broker, bus.now, b"{\"op\":");
    assert_eq!(fed, Fed { consumed: 0, wanted: 0, ..Fed::default() });
    let frame = bus.encode(bob, 1, publish(publication("a", "1")));
    let mut bytes = [&MAGIC[..], &frame, &frame].concat();
    bytes.truncate(bytes.len() - 3);
    let mut session = crate::Session::new(bus.id(bob));
    assert_eq!(session.client(), bus.id(bob));
    let fed = session.feed(&mut bus.broker, bus.now, &bytes);
    assert_eq!(fed, Fed { consumed: 4 + frame.len(), wanted: frame.len(), ..Fed::default() });
    // Not even its length is there.
    let fed = session.feed(&mut bus.broker, bus.now, &frame[..3]);
    assert_eq!(fed, Fed { consumed: 0, wanted: 0, ..Fed::default() });
    assert_eq!(session.feed(&mut bus.broker, bus.now, &[]), Fed::default());
}

#[test]
fn lines_may_end_in_cr_lf_and_empty_ones_are_passed_over() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.feed(alice, b"{\"op\":\"ping\",\"id\":1}\r\n\r\n\n{\"op\":\"ping\",\"id\":2}\n");
    assert_eq!(bus.hears(alice), ["ok 1", "ok 2"]);
}

#[test]
fn a_line_of_the_largest_size_is_taken() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    let max = kith_wire::limits::line_bytes_max(bus.broker.limits().payload_bytes_max);
    let ping = "{\"op\":\"ping\",\"id\":1}";
    let padded = |bytes: usize| format!("{ping}{}", " ".repeat(bytes - ping.len()));
    bus.line(alice, &padded(max));
    assert_eq!(bus.hears(alice), ["ok 1"]);
    bus.line(alice, &padded(max + 1));
    assert_eq!(bus.hears(alice), ["err - too-large fatal"]);
}

#[test]
fn a_frame_and_a_run_of_the_largest_size_are_taken() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.binary(), bus.binary());
    let topic = "t".repeat(255);
    bus.subscribed(alice, 1, "self.*");
    let payload = format!("\"{}\"", "x".repeat(bus.broker.limits().payload_bytes_max - 2));
    let frame = bus.encode(bob, 0, publish(publication(&topic, &payload)));
    let max = kith_wire::limits::frame_bytes_max(bus.broker.limits().payload_bytes_max);
    bus.feed(bob, &frame.repeat(8));
    // No frame to a subscriber is longer than the protocol allows.
    let mut stream = Vec::new();
    while bus.broker.has_output(bus.id(alice)) {
        let bytes = bus.broker.stage(bus.now, bus.id(alice)).flatten().copied().collect::<Vec<_>>();
        bus.broker.wrote(bus.now, bus.id(alice), bytes.len());
        stream.extend(bytes);
    }
    let mut rest = &stream[..];
    let mut frames = 0;
    while let Some(frame) = kith_wire::binary::split(rest, max).unwrap() {
        rest = &rest[frame.bytes.len()..];
        frames += 1;
    }
    assert!(rest.is_empty());
    assert!((2..=8).contains(&frames), "{frames}");
}

#[test]
fn a_frame_may_name_the_default_protocol() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.binary());
    bus.subscribed(alice, 1, "self.a");
    // PUB with a topic of one byte and a protocol of two.
    let frame = [12, 0, 0, 0, Kind::Pub.byte(), 0, 1, 2, 0, 0, 0, 0, b'a', b'm', b's', b'4'];
    bus.feed(bob, &frame.repeat(2));
    assert_eq!(bus.hears(alice), ["msg 1 a 4", "msg 1 a 4"]);
}

#[test]
fn what_is_not_whole_at_the_end_is_told() {
    let line: &[u8] = b"{\"op\":\"ping\",\"id\":1}\n";
    let frame: &[u8] = b"KTH\x01\x08\0\0\0\x08\0\0\0\x01\0\0\0";
    for (framing, session, first) in [(Framing::JsonLines, line, 1), (Framing::Binary, frame, 4)] {
        for end in 0..=session.len() {
            // Until it is told, the answer is a line.
            let answered = if end < first { Framing::JsonLines } else { framing };
            let mut bus = Bus::new(small());
            let alice = bus.raw(answered);
            bus.feed(alice, &session[..end]);
            bus.finish(alice);
            let heard = bus.hear(alice);
            match &heard[..] {
                [] => assert!(end == 0 || (framing == Framing::Binary && end == first)),
                [Heard::Ok { number: 1, .. }] => assert_eq!(end, session.len()),
                [Heard::Err { number: None, code, at: Some(at), fatal: false, text }] => {
                    assert!(0 < end && end < session.len() && text.contains("ended"), "{text}");
                    assert_eq!((code.as_str(), *at), ("bad-frame", end as u64));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn the_end_of_an_empty_line_or_of_who_is_cut_off_is_no_error() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.feed(alice, b"{\"op\":\"ping\",\"id\":1}\n\r");
    bus.finish(alice);
    assert_eq!(bus.hears(alice), ["ok 1"]);
    // The first byte of a frame's length is no CR.
    let dave = bus.binary();
    bus.feed(dave, b"\r");
    bus.finish(dave);
    assert_eq!(bus.hears(dave), ["err - bad-frame"]);
    let bob = bus.json();
    bus.feed(bob, b"what");
    bus.finish(bob);
    assert_eq!(bus.hears(bob), ["err - bad-frame fatal"]);
    let carol = bus.json();
    bus.feed(carol, b"{\"op\":\"bye\",\"id\":1}\n{\"op\"");
    bus.finish(carol);
    assert_eq!(bus.hears(carol), ["ok 1"]);
}
