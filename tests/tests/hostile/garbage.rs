//! What is no protocol at all, is too long, or breaks off.

use super::{Scene, say};
use crate::door::{BOTH_IN_TURN, Event, FRAMINGS, Framing, Operation, frame};
use kith_wire::Code;
use std::io::Write;
use std::net::Shutdown;

/// Numbers that look random and are the same each time (xorshift64, Marsaglia 2003).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

#[test]
fn a_wrong_first_byte_is_told_in_one_line_and_cut_off() {
    let mut scene = Scene::new("");
    for byte in (0..=u8::MAX).filter(|byte| !b"{K".contains(byte)) {
        let heard = String::from_utf8(say(scene.daemon.dial(), &[byte], false)).unwrap();
        assert!(heard.starts_with("{\"op\":\"err\",\"code\":\"bad-frame\",\"text\":\""), "{heard}");
        assert!(heard.ends_with(",\"at\":0,\"fatal\":true}\n"), "{heard}");
        assert_eq!(heard.lines().count(), 1);
    }
    for text in ["GET / HTTP/1.1\r\nHost: bus\r\n\r\n", "\0AUTH EXTERNAL 30\r\n", "PING\r\n"] {
        let heard = String::from_utf8(say(scene.daemon.dial(), text.as_bytes(), false)).unwrap();
        assert!(heard.contains("bad-frame"), "{heard}");
    }
    scene.talk();
    scene.end(0);
}

#[test]
fn noise_ends_in_an_error() {
    let mut scene = Scene::new("");
    let mut noise = Noise(0x6b69_7468);
    for round in 0_usize..150 {
        let count = 1 + round * 37;
        let bytes = match round % 5 {
            0 => noise.bytes(count),
            1 => [b"KTH\x01".as_slice(), &noise.bytes(count)].concat(),
            // Frames that are whole, with nonsense in them.
            2 => {
                let kind = noise.bytes(1)[0] % 12;
                let [flags, a, b] = *noise.bytes(3).first_chunk().unwrap();
                let body = noise.bytes(count.min(300));
                [b"KTH\x01".as_slice(), &frame(kind, flags & 1, [a % 8, b % 8], 1, &body)].concat()
            }
            // Lines of nonsense.
            3 => [b"{".as_slice(), &noise.bytes(count), b"\n{\"op\":\n"].concat(),
            _ => {
                let digit = |byte: u8| b"{}[]\":,\\nul1 opub\n"[usize::from(byte) % 18];
                let line: Vec<u8> = noise.bytes(count).into_iter().map(digit).collect();
                [b"{".as_slice(), &line].concat()
            }
        };
        say(scene.daemon.dial(), &bytes, true);
        if round % 25 == 0 {
            scene.talk();
        }
    }
    scene.end(8 << 10);
}

#[test]
fn nesting_is_no_way_to_the_end_of_the_stack() {
    let mut scene = Scene::new("");
    for open in ["[", "{\"a\":", "[[],"] {
        let deep = open.repeat((512 << 10) / open.len());
        for before in ["\"payload\":", "\"headers\":", "\"what\":", "\"id\":"] {
            let line = format!("{{\"op\":\"pub\",\"topic\":\"a\",{before}{deep}\n");
            let heard = String::from_utf8(say(scene.daemon.dial(), line.as_bytes(), true)).unwrap();
            assert!(heard.starts_with("{\"op\":\"err\",\"code\":\"bad-"), "{before}: {heard}");
        }
        let body = [b"a".as_slice(), deep.as_bytes()].concat();
        let bytes = [b"KTH\x01".as_slice(), &frame(0x04, 0, [1, 0], 1, &body)].concat();
        let heard = say(scene.daemon.dial(), &bytes, true);
        // After the magic: ERR (0x82), `bad-payload` (7).
        assert_eq!((heard[8], heard[16]), (0x82, 7), "{heard:?}");
        scene.talk();
    }
    scene.end(16 << 10);
}

/// What a short session says, piece by piece: after each, all that was said is whole.
fn session(framing: Framing) -> Vec<Vec<u8>> {
    let lines = [
        "{\"op\":\"hello\",\"id\":1,\"name\":\"short\"}\r\n",
        "{\"op\":\"sub\",\"id\":2,\"pattern\":\"self.short\"}\n",
        "{\"op\":\"pub\",\"id\":3,\"topic\":\"short\",\"payload\":{\"ä\":[1,\"\\n\"]}}\n",
        "{\"op\":\"will\",\"id\":4,\"topic\":\"will\",\"payload_b64\":\"MQ==\"}\n",
        "{\"op\":\"req\",\"id\":5,\"topic\":\"nobody\",\"payload\":1}\n",
        "{\"op\":\"bye\",\"id\":6}\n",
    ];
    match framing {
        Framing::JsonLines => lines.map(Vec::from).to_vec(),
        Framing::BinaryFrames => vec![
            b"KTH\x01".to_vec(),
            frame(0x01, 0, [5, 16], 1, b"short0123456789abcdef"),
            frame(0x02, 0, [0, 0], 2, b"*/self.short"),
            frame(0x04, 1, [5, 5], 3, b"shortx-raw\x04\0\x06\x01\0\0\0\xff"),
            frame(0x06, 0, [4, 0], 4, b"will1"),
            frame(0x05, 0, [6, 0], 5, b"nobody1"),
            frame(0x09, 0, [0, 0], 6, b""),
        ],
    }
}

/// What is heard to the end by who says this and shuts down its writing side.
fn heard_by(scene: &Scene, framing: Framing, bytes: &[u8]) -> Vec<Event> {
    let mut stream = scene.daemon.dial();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // Before the magic is whole, what is answered is a line.
    let is_known = framing.greeting().len() <= bytes.len();
    let framing = if is_known { framing } else { Framing::JsonLines };
    let mut client = framing.client(stream);
    std::iter::from_fn(|| client.next_or_end()).collect()
}

#[test]
fn a_session_may_break_off_at_every_byte() {
    let mut scene = Scene::new("");
    let mut heir = BOTH_IN_TURN.connect(&scene.daemon, 0);
    heir.subscribe(1, "self.will");
    for framing in FRAMINGS {
        let pieces = session(framing);
        let session = pieces.concat();
        let length = |count: usize| pieces[..count].concat().len();
        let whole: Vec<usize> = (0..=pieces.len()).map(length).collect();
        let mut before = 0;
        for end in 0..=session.len() {
            // Once with a half that stays open for the answers, once without a word.
            let mut heard = heard_by(&scene, framing, &session[..end]);
            let told = Event::Err { number: None, code: Code::BadFrame, fatal: false };
            let was_told = heard.pop_if(|last| *last == told).is_some();
            assert_eq!(was_told, !whole.contains(&end), "{framing:?}, {end}: {heard:?}");
            assert!(heard.len() >= before, "more that was said is no less that is answered");
            before = heard.len();
            let mut stream = scene.daemon.dial();
            stream.write_all(&session[..end]).unwrap();
            drop(stream);
            if end % 64 == 0 {
                scene.talk();
            }
        }
        // An answer to each, and the message.
        assert_eq!(before, 7);
        scene.publisher.wait_for_count("clients", 3);
        let wills = heir.pending_payloads(1);
        assert!(wills.len() > 10, "who ends after its will and before its goodbye leaves it");
        assert!(wills.iter().all(|will| will == "1"));
    }
    drop(heir);
    scene.end(4 << 10);
}

#[test]
fn a_name_that_would_harm_who_reads_it_is_refused() {
    let mut scene = Scene::new("");
    let long = "x".repeat(1 << 20);
    let names = ["", "a\nb", "a\r{\"op\":\"msg\"}", "\0", "\x1b[2J", "\u{7f}", "\u{9b}2J"];
    for framing in FRAMINGS {
        let mut culprit = scene.culprit(framing);
        let longest = [&long[..65], &long[..255], &long];
        for name in names.iter().chain(&longest) {
            // A binary frame has no room to say that much, nor a way to say nothing at all.
            let is_sayable = (1..256).contains(&name.len());
            if is_sayable || framing == Framing::JsonLines {
                let hello = Operation::Hello { name: Some((*name).to_owned()), client: None };
                assert_eq!(culprit.refused(&hello), Code::BadField, "{framing:?}, {name:.99?}");
            }
        }
        assert_eq!(scene.culprits().len(), 1, "it keeps the name that it had");
        scene.talk();
    }
    // In a frame, the lengths of name and id are what lies.
    for [a, b] in [[255, 0], [5, 16], [0, 15], [3, 1]] {
        let bytes = [b"KTH\x01".as_slice(), &frame(0x01, 0, [a, b], 1, b"name")].concat();
        let heard = heard_by(&scene, Framing::BinaryFrames, &bytes);
        assert!(matches!(heard[..], [Event::Err { fatal: false, .. }]), "{a}, {b}: {heard:?}");
    }
    scene.end(16 << 10);
}
