//! Binary frames, as they are on the socket.

use crate::door::{BinaryFrames, Client, Connection, Event, Frame, JsonLines, frame};
use crate::process::Daemon;
use kith_wire::Code;
use std::io::{Read, Write};

const PUB: u8 = 0x04;
const PING: u8 = 0x08;

fn connect(daemon: &Daemon) -> BinaryFrames {
    BinaryFrames::new(daemon.dial())
}

/// The fields of an ERR frame: code, offset if it is known, and whether it is fatal.
fn error(frame: &Frame) -> (Code, Option<u64>, bool) {
    assert_eq!((frame.kind, frame.a, frame.b), (0x82, 0, 0), "{frame:?}");
    let code = u16::from_le_bytes(*frame.body.first_chunk().unwrap());
    let at = u64::from_le_bytes(*frame.body[2..].first_chunk().unwrap());
    assert!(!frame.body[10..].is_empty(), "an error has a text");
    let at = (frame.flags & 0x02 != 0).then_some(at);
    (Code::from_number(code).unwrap(), at, frame.flags & 0x01 != 0)
}

#[test]
fn the_magic_is_answered_before_the_first_frame() {
    let daemon = Daemon::start();
    let mut stream = daemon.dial();
    stream.write_all(b"KTH\x01").unwrap();
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).unwrap();
    assert_eq!(&magic, b"KTH\x01");
    stream.write_all(&frame(PING, 0, [0, 0], 0x0102_0304, &[])).unwrap();
    let mut ok = [0; 12];
    stream.read_exact(&mut ok).unwrap();
    assert_eq!(ok, [8, 0, 0, 0, 0x81, 0, 0, 0, 4, 3, 2, 1]);
}

#[test]
fn another_version_is_answered_with_ours_and_an_error() {
    let daemon = Daemon::start();
    for version in [0, 2, 255] {
        let mut client = BinaryFrames::silent(daemon.dial());
        client.say([b'K', b'T', b'H', version]);
        // Reading the first frame checks the daemon's magic.
        let answer = client.frame().unwrap();
        assert_eq!(error(&answer), (Code::UnsupportedVersion, Some(3), true));
        assert_eq!(answer.number, 0);
        assert_eq!(client.frame(), None);
    }
}

#[test]
fn a_wrong_magic_is_refused_in_words() {
    let daemon = Daemon::start();
    for magic in [b"KTX\x01", b"K{\"o", b"KKKK"] {
        let mut client = JsonLines::new(daemon.dial());
        client.say(magic);
        let expected = Event::Err { number: None, code: Code::BadFrame, fatal: true };
        assert_eq!(client.receive(), Some(expected));
        assert_eq!(client.receive(), None);
    }
}

/// What is wrong with a frame, and where in it; `None` is anywhere in it.
fn wrong_frames() -> Vec<(Vec<u8>, Code, Option<u64>)> {
    let long = |a: u8, body: &[u8]| frame(PUB, 0, [a, 0], 9, body);
    let optional = |options: &[u8]| {
        let length = u8::try_from(options.len()).unwrap();
        frame(PUB, 1, [1, 0], 9, &[b"a", [length, 0].as_slice(), options, b"1"].concat())
    };
    vec![
        (frame(0x00, 0, [0, 0], 9, &[]), Code::BadOp, Some(4)),
        (frame(0x7f, 0, [0, 0], 9, &[]), Code::BadOp, Some(4)),
        // Kinds of the daemon.
        (frame(0x81, 0, [0, 0], 9, &[]), Code::BadOp, Some(4)),
        (frame(0x84, 0, [0, 0], 9, &[]), Code::BadOp, Some(4)),
        (frame(PING, 0x80, [0, 0], 9, &[]), Code::BadFrame, Some(5)),
        (frame(PING, 0, [1, 0], 9, &[]), Code::BadFrame, Some(6)),
        (frame(PING, 0, [0, 1], 9, &[]), Code::BadFrame, Some(7)),
        (frame(PING, 0, [0, 0], 9, b"x"), Code::BadFrame, Some(12)),
        (frame(PUB, 0x30, [1, 0], 9, b"a1"), Code::BadFrame, Some(5)),
        (long(3, b"a.*1"), Code::BadTopic, Some(14)),
        (long(2, b"a\xff1"), Code::BadTopic, Some(13)),
        (long(0, b"1"), Code::BadTopic, None),
        (long(9, b"a"), Code::BadFrame, None),
        (frame(PUB, 0, [1, 2], 9, b"aMS1"), Code::BadProtocol, Some(13)),
        (long(1, b"a[1,"), Code::BadPayload, None),
        (long(1, b"a[1\n]"), Code::BadPayload, Some(15)),
        (optional(&[0x7f, 0, 0]), Code::BadField, Some(15)),
        (optional(&[0x10, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Code::BadField, Some(15)),
        (optional(&[0x04, 0, 0, 0x04, 0, 0]), Code::BadField, Some(18)),
        (optional(&[0x06, 1, 0, 0, 0x04, 0, 0]), Code::BadField, Some(19)),
        (optional(&[0x06, 1, 0, 3]), Code::BadField, None),
        (optional(&[0x06, 9, 0, 1]), Code::BadFrame, None),
        (optional(&[0x06, 1]), Code::BadFrame, None),
        (
            optional(&[0x01, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Code::BadId,
            None,
        ),
        (optional(&[0x08, 4, 0, 1, 0, 0, 0]), Code::BadField, Some(15)),
        (frame(0x05, 1, [1, 0], 9, b"a\x03\0\x04\0\x001"), Code::BadField, Some(15)),
        (frame(0x03, 0, [0, 0], 9, b"\x01\0\0"), Code::BadFrame, None),
        (frame(0x03, 0, [0, 0], 9, b"\0\0\0\0"), Code::BadField, None),
        (frame(0x01, 0, [0, 5], 9, b"12345"), Code::BadId, None),
        (frame(0x02, 0, [0, 0], 9, b"me.a"), Code::BadPattern, Some(12)),
        (frame(0x02, 0x10, [0, 0], 9, b"self.a"), Code::BadFrame, Some(5)),
        // A durable subscription has a name.
        (frame(0x02, 0x04, [0, 0], 9, b"self.a"), Code::BadConsumer, None),
        (frame(0x02, 0, [3, 0], 9, b"a.bself.a"), Code::BadGroup, Some(13)),
    ]
}

#[test]
fn what_is_wrong_with_a_frame_is_said_with_its_place() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    let mut offset = 4;
    let mut wrong = Vec::new();
    for (bytes, code, at) in wrong_frames() {
        client.say(&bytes);
        let answer = client.frame().unwrap();
        let (said_code, said_at, is_fatal) = error(&answer);
        let said_at = said_at.and_then(|at| at.checked_sub(offset));
        let end = u64::try_from(bytes.len()).unwrap();
        assert!(said_at.is_some_and(|at| at <= end), "{bytes:02x?}: {said_at:?}");
        let said = (said_code, answer.number, is_fatal, at.and(said_at));
        if said != (code, 9, false, at) {
            wrong.push(format!("{bytes:02x?}: {said:?}, not {code} at {at:?}"));
        }
        let ping = frame(PING, 0, [0, 0], 8, &[]);
        client.say(&ping);
        assert_eq!(client.frame().unwrap().number, 8, "{bytes:02x?}");
        offset += end + u64::try_from(ping.len()).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_operation_that_needs_its_number_is_refused_without() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    for (kind, body) in [(0x02, b"self.a".as_slice()), (0x05, b"a1")] {
        let a = u8::from(kind == 0x05);
        client.say(frame(kind, 0, [a, 0], 0, body));
        let answer = client.frame().unwrap();
        assert_eq!((error(&answer).0, answer.number), (Code::BadField, 0));
    }
}

#[test]
fn where_the_framing_is_lost_the_connection_ends() {
    let daemon = Daemon::with("limits.payload_bytes_max = '64 KiB'");
    let limit: u32 = 65_536 + 16_384;
    for (length, code) in [
        (0, Code::BadFrame),
        (7, Code::BadFrame),
        (limit + 1, Code::TooLarge),
        (u32::MAX, Code::TooLarge),
    ] {
        let mut client = connect(&daemon);
        client.say(length.to_le_bytes());
        let answer = client.frame().unwrap();
        assert_eq!(error(&answer), (code, Some(4), true));
        assert_eq!(client.frame(), None);
    }
    // A length that is allowed is waited for.
    let mut client = connect(&daemon);
    client.say(limit.to_le_bytes());
    client.say(&frame(PING, 0, [0, 0], 1, &vec![0; limit as usize - 8])[4..]);
    assert_eq!(error(&client.frame().unwrap()).0, Code::BadFrame);
    client.say(frame(PING, 0, [0, 0], 2, &[]));
    assert_eq!(client.frame().unwrap().number, 2);
}

#[test]
fn what_is_published_together_arrives_together() {
    let daemon = Daemon::start();
    let (mut raw, mut publisher) = (connect(&daemon), connect(&daemon));
    raw.say(frame(0x02, 0, [0, 0], 1, b"self.a"));
    assert_eq!(raw.frame().unwrap().kind, 0x81);
    let mut lines = Client::new(JsonLines::new(daemon.dial()));
    lines.subscribe(2, "self.a");
    let entries: Vec<u8> =
        (0..100).flat_map(|n| frame(PUB, 0, [1, 0], 0, format!("a{n}").as_bytes())).collect();
    publisher.say(&entries);
    // As few runs as there were reads, with the very frames that were written.
    let mut received = Vec::new();
    let mut ids = Vec::new();
    while received.len() < entries.len() {
        let run = raw.frame().unwrap();
        assert_eq!((run.kind, run.flags, run.a, run.b, run.number), (0x84, 0, 0, 0, 1));
        let first = u128::from_be_bytes(*run.body.first_chunk().unwrap());
        let count = u32::from_le_bytes(*run.body[24..].first_chunk().unwrap());
        ids.extend((0..u128::from(count)).map(|n| first + n));
        received.extend_from_slice(&run.body[28..]);
    }
    assert_eq!(received, entries);
    for (n, id) in ids.into_iter().enumerate() {
        let delivery = lines.message_on(2);
        assert_eq!(delivery.text(), n.to_string());
        assert_eq!(u128::from_be_bytes(*delivery.message_id.as_bytes()), id);
    }
}

#[test]
fn one_that_is_wrong_among_many_is_refused_alone() {
    let daemon = Daemon::start();
    let mut publisher = connect(&daemon);
    let mut subscriber = Client::new(JsonLines::new(daemon.dial()));
    subscriber.subscribe(1, "self.>");
    let payloads = ["1", "2", "{", "4", "\"\n\"", "\"}\n{\"op\":\"bye\"}\"", "7"];
    let entry = |payload: &str| frame(PUB, 0, [1, 0], 0, format!("a{payload}").as_bytes());
    publisher.say(payloads.map(entry).concat());
    publisher.say(frame(PING, 0, [0, 0], 1, &[]));
    for _ in 0..3 {
        assert_eq!(error(&publisher.frame().unwrap()).0, Code::BadPayload);
    }
    assert_eq!(publisher.frame().unwrap().number, 1);
    assert_eq!(subscriber.pending_payloads(1), ["1", "2", "4", "7"]);
}
