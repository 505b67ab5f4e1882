//! What is no protocol at all, is too long, or breaks off.

use super::Scene;
use crate::door::{BOTH_IN_TURN, frame};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// Says this, as far as the daemon listens, and returns what it says to the end. `ends` is whether
/// to say that nothing more comes: else the daemon has to end the connection by itself.
fn say(mut stream: UnixStream, bytes: &[u8], ends: bool) -> Vec<u8> {
    // It may have been cut off already.
    let _ = stream.write_all(bytes);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => heard,
    }
}

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
fn an_endless_line_is_cut_off_at_the_limit() {
    let mut scene = Scene::new("limits.payload_bytes_max = '64 KiB'");
    let limit = 65_536 + 65_536 / 3 + 16_384;
    for (length, is_cut_off) in [(limit, false), (limit + 1, true), (50 << 20, true)] {
        let mut line = b"{\"op\":\"ping\",\"id\":1}".to_vec();
        line.resize(length, b' ');
        if !is_cut_off {
            line.push(b'\n');
        }
        let heard = say(scene.daemon.dial(), &line, !is_cut_off);
        let heard = String::from_utf8(heard).unwrap();
        if is_cut_off {
            let is_named = heard.contains("\"code\":\"too-large\"") && heard.contains(",\"at\":0,");
            assert!(is_named && heard.contains("\"fatal\":true"), "{length}: {heard}");
        } else {
            assert_eq!(heard, "{\"op\":\"ok\",\"id\":1}\n");
        }
        scene.talk();
    }
    scene.end(4 << 10);
}

#[test]
fn a_frame_over_the_limit_is_not_waited_for() {
    let mut scene = Scene::new("");
    for length in [16_777_216_u32 + 16_384 + 1, 1 << 30, u32::MAX] {
        let bytes = [b"KTH\x01".as_slice(), &length.to_le_bytes()].concat();
        let heard = say(scene.daemon.dial(), &bytes, false);
        // The magic, then ERR (0x82), fatal, with the offset of the length, `too-large` (12).
        assert_eq!(&heard[..4], b"KTH\x01");
        assert_eq!((heard[8], heard[9] & 0x03), (0x82, 0x03), "{heard:?}");
        assert_eq!((heard[16], heard[18]), (12, 4), "{heard:?}");
        scene.talk();
    }
    scene.end(0);
}

#[test]
fn a_frame_that_only_promises_takes_no_memory() {
    let mut scene = Scene::new("");
    let promises: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = scene.daemon.dial();
            let length = 16_777_216_u32.to_le_bytes();
            stream.write_all(&[b"KTH\x01".as_slice(), &length, &[4]].concat()).unwrap();
            stream
        })
        .collect();
    scene.publisher.wait_for_count("clients", 202);
    scene.talk();
    drop(promises);
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

/// Everything that a short session says, and what is answered.
fn sessions() -> [Vec<u8>; 2] {
    let lines = concat!(
        "{\"op\":\"hello\",\"id\":1,\"name\":\"short\"}\r\n",
        "{\"op\":\"sub\",\"id\":2,\"pattern\":\"self.short\"}\n",
        "{\"op\":\"pub\",\"id\":3,\"topic\":\"short\",\"payload\":{\"ä\":[1,\"\\n\"]}}\n",
        "{\"op\":\"will\",\"id\":4,\"topic\":\"will\",\"payload_b64\":\"MQ==\"}\n",
        "{\"op\":\"req\",\"id\":5,\"topic\":\"nobody\",\"payload\":1}\n",
        "{\"op\":\"bye\",\"id\":6}\n",
    );
    let frames = [
        b"KTH\x01".to_vec(),
        frame(0x01, 0, [5, 16], 1, b"short0123456789abcdef"),
        frame(0x02, 0, [0, 0], 2, b"self.short"),
        frame(0x04, 1, [5, 5], 3, b"shortx-raw\x04\0\x06\x01\0\0\0\xff"),
        frame(0x06, 0, [4, 0], 4, b"will1"),
        frame(0x05, 0, [6, 0], 5, b"nobody1"),
        frame(0x09, 0, [0, 0], 6, b""),
    ];
    [lines.as_bytes().to_vec(), frames.concat()]
}

#[test]
fn a_session_may_break_off_at_every_byte() {
    let mut scene = Scene::new("");
    let mut heir = BOTH_IN_TURN.connect(&scene.daemon, 0);
    heir.subscribe(1, "self.will");
    for session in sessions() {
        let mut before = 0;
        for end in 0..=session.len() {
            // Once with a half that stays open for the answers, once without a word.
            let heard = say(scene.daemon.dial(), &session[..end], true);
            assert!(heard.len() >= before, "more that was said is no less that is answered");
            before = heard.len();
            let mut stream = scene.daemon.dial();
            stream.write_all(&session[..end]).unwrap();
            drop(stream);
            if end % 64 == 0 {
                scene.talk();
            }
        }
        scene.publisher.wait_for_count("clients", 3);
        let wills = heir.pending_payloads(1);
        assert!(wills.len() > 10, "who ends after its will and before its goodbye leaves it");
        assert!(wills.iter().all(|will| will == "1"));
    }
    drop(heir);
    scene.end(4 << 10);
}
