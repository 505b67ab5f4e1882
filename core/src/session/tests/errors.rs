//! What is answered to what can't be read, and where it says the error is.

use crate::limits::ERRORS_IN_A_ROW_MAX;
use crate::tests::{Bus, FRAMINGS, Heard, Who, publication, publish, small};
use kith_wire::{Operation, Request, RequestNumber};

/// Number, code, offset and whether it is fatal.
type Error<'a> = (Option<u32>, &'a str, Option<u64>, bool);

fn errors(heard: &[Heard]) -> Vec<Error<'_>> {
    heard
        .iter()
        .map(|one| match one {
            Heard::Err { number, code, at, fatal, text } => {
                assert!(!text.is_empty());
                (*number, code.as_str(), *at, *fatal)
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_offset_counts_from_the_first_byte_of_the_connection() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    let script = [
        r#"{"op":"ping"}"#,
        r#"{"op":"pub","id":3,"topic":"a b","payload":1}"#,
        "\r",
        r#"{"op":"pub","topic":"a","payload":{"x":[[}}"#,
        r#"{"op":"what","id":4}"#,
        r#"{"op":"sub","id":5,"pattern":"self.a*"}"#,
        r#"{"op":"unsub","id":6,"sub":9}"#,
        r#"{"op":"ping","id":0}"#,
        "[1]",
    ];
    // Where each line begins, and in it what is wrong.
    let begin =
        |line: usize| script[..line].iter().map(|line| line.len() + 1).sum::<usize>() as u64;
    let at = |line: usize, text: &str| begin(line) + script[line].find(text).unwrap() as u64;
    let whole = script.join("\n") + "\n";
    bus.feed(alice, whole.as_bytes());
    let heard = bus.hear(alice);
    let found = errors(&heard);
    assert_eq!(found[0], (Some(3), "bad-topic", Some(at(1, " b")), false));
    assert_eq!((found[1].1, found[1].2), ("bad-json", Some(at(3, "}}"))));
    assert_eq!(found[2], (Some(4), "bad-op", Some(at(4, "what")), false));
    assert_eq!((found[3].0, found[3].1), (Some(5), "bad-pattern"));
    assert!((at(5, "self.a*")..=at(5, "*")).contains(&found[3].2.unwrap()));
    // Nothing is wrong with the bytes of this one: it is the line itself.
    assert_eq!(found[4], (Some(6), "unknown-subscription", Some(begin(6)), false));
    assert_eq!((found[5].1, found[5].3), ("bad-field", false));
    assert_eq!((found[6].1, found[6].3), ("bad-json", false));
    assert!(begin(8) <= found[6].2.unwrap() && found[6].2.unwrap() < whole.len() as u64);
    // The connection goes on.
    bus.line(alice, r#"{"op":"ping","id":1}"#);
    assert_eq!(bus.hears(alice), ["ok 1"]);
}

#[test]
fn the_offset_in_frames_counts_the_magic_too() {
    let mut bus = Bus::new(small());
    let alice = bus.binary();
    let ping = bus.encode(alice, 0, Operation::Ping);
    let mut bad_topic = bus.encode(alice, 5, publish(publication("a.b", "1")));
    bad_topic[13] = b' ';
    let mut bad_kind = ping.clone();
    bad_kind[4] = 0x7f;
    let mut bad_flags = ping.clone();
    bad_flags[5] = 0x80;
    let script = [&ping[..], &bad_topic, &ping, &bad_kind, &bad_flags].concat();
    bus.feed(alice, &script);
    let heard = bus.hear(alice);
    let first = (4 + ping.len()) as u64;
    let second = first + (bad_topic.len() + ping.len()) as u64;
    assert_eq!(
        errors(&heard),
        [
            (Some(5), "bad-topic", Some(first + 13), false),
            (None, "bad-op", Some(second + 4), false),
            (None, "bad-frame", Some(second + bad_kind.len() as u64 + 5), false),
        ]
    );
    bus.say(alice, 1, Operation::Ping);
    assert_eq!(bus.hears(alice), ["ok 1"]);
}

#[test]
fn a_bad_payload_inside_a_run_is_refused_alone() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.binary(), bus.json());
    bus.subscribed(bob, 1, "self.a");
    let frame = |payload: &str| {
        let mut bytes = Vec::new();
        kith_wire::binary::encode::entry(
            &mut bytes,
            "a",
            &kith_wire::Protocol::MS,
            payload.as_bytes(),
        );
        bytes
    };
    let good = frame("1");
    let script = [&good[..], &good, &frame("{]"), &good, &frame(""), &good].concat();
    bus.feed(alice, &script);
    assert_eq!(bus.hears(bob), ["msg 1 a 1"; 4]);
    let heard = bus.hear(alice);
    let found = errors(&heard);
    let at = |frames: usize, bytes: u64| Some(4 + (frames * good.len()) as u64 + bytes);
    assert_eq!(found[0], (None, "bad-payload", at(2, 14), false));
    assert_eq!(found[1], (None, "bad-payload", at(4, 13 + 1), false));
}

#[test]
fn a_payload_over_the_limit_inside_a_run_is_refused_alone() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.binary(), bus.json());
    bus.subscribed(bob, 1, "bt/self.a");
    let frame = |bytes: usize| {
        let mut frame = Vec::new();
        let protocol = kith_wire::Protocol::BT;
        kith_wire::binary::encode::entry(&mut frame, "a", &protocol, &vec![b'x'; bytes]);
        frame
    };
    let max = bus.broker.limits().payload_bytes_max;
    let script = [frame(1), frame(max), frame(max + 1), frame(2)].concat();
    bus.feed(alice, &script);
    let heard: Vec<usize> = bus.hear(bob).iter().map(|one| one.message().payload.len()).collect();
    assert_eq!(heard, [1, max, 2]);
    assert_eq!(bus.hears(alice), ["err - too-large"]);
}

#[test]
fn what_breaks_the_framing_closes_the_connection() {
    let max = u32::try_from(kith_wire::limits::frame_bytes_max(4 << 10)).unwrap();
    for (length, code) in
        [(0, "bad-frame"), (7, "bad-frame"), (max + 1, "too-large"), (u32::MAX, "too-large")]
    {
        let mut bus = Bus::new(small());
        let alice = bus.binary();
        bus.say(alice, 1, Operation::Ping);
        // The length alone says it.
        assert_eq!(bus.feed(alice, &length.to_le_bytes()), 0);
        let heard = bus.hear(alice);
        assert_eq!(errors(&heard[1..]), [(None, code, Some(4 + 12), true)]);
        assert!(bus.broker.is_closing(bus.id(alice)));
        bus.say(alice, 2, Operation::Ping);
        assert!(bus.hears(alice).is_empty());
    }
    let mut bus = Bus::new(small());
    let alice = bus.json();
    let line_max = kith_wire::limits::line_bytes_max(4 << 10);
    bus.line(alice, r#"{"op":"ping","id":1}"#);
    assert!(bus.feed(alice, &vec![b'x'; line_max]) > 0, "it may end yet");
    assert_eq!(bus.feed(alice, b"x"), 0);
    let heard = bus.hear(alice);
    assert_eq!(errors(&heard[1..]), [(None, "too-large", Some(21), true)]);
    assert!(bus.broker.is_closing(bus.id(alice)));
}

#[test]
fn the_last_error_is_the_last_that_a_client_hears() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let (alice, bob) = (bus.join(framing), bus.json());
        bus.subscribed(alice, 1, "self.a");
        bus.publish(bob, "a", "1");
        garbage(&mut bus, alice, ERRORS_IN_A_ROW_MAX);
        bus.publish(bob, "a", "2");
        let heard = bus.hears(alice);
        assert_eq!(heard.last().unwrap(), "err - too-many-errors fatal");
        assert!(heard.contains(&"msg 1 a 1".to_owned()));
        assert!(!heard.contains(&"msg 1 a 2".to_owned()));
    }
}

/// Says so many things that are no operations.
fn garbage(bus: &mut Bus, who: Who, times: u32) {
    let one = match bus.framing(who) {
        crate::Framing::JsonLines => b"{}\n".to_vec(),
        crate::Framing::Binary => vec![8, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0],
    };
    bus.feed(who, &one.repeat(times as usize));
}

#[test]
fn so_many_errors_in_a_row_are_too_many() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        for _ in 0..3 {
            garbage(&mut bus, alice, ERRORS_IN_A_ROW_MAX - 1);
            assert_eq!(bus.hear(alice).len(), ERRORS_IN_A_ROW_MAX as usize - 1);
            // Anything that is an operation begins the count anew, an answer or not.
            bus.publish(alice, "a", "1");
        }
        garbage(&mut bus, alice, ERRORS_IN_A_ROW_MAX + 5);
        let heard = bus.hears(alice);
        assert_eq!(heard.len(), ERRORS_IN_A_ROW_MAX as usize + 1);
        assert_eq!(heard.last().unwrap(), "err - too-many-errors fatal");
        assert!(bus.broker.is_closing(bus.id(alice)));
    }
}

#[test]
fn operations_that_are_refused_are_no_garbage() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        let number = RequestNumber::new(1).unwrap();
        for _ in 0..ERRORS_IN_A_ROW_MAX * 3 {
            // E.g. a program that polls for a service which is not there yet.
            bus.ask(alice, 1, "is.anybody.there", 1_000);
            bus.unsub(alice, 2, 7);
        }
        let heard = bus.hears(alice);
        assert_eq!(heard.len(), ERRORS_IN_A_ROW_MAX as usize * 6);
        assert!(!bus.broker.is_closing(bus.id(alice)));
        let _ = Request { number: Some(number), operation: Operation::Ping };
    }
}
