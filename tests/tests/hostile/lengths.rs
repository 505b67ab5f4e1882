//! Lengths that lie: frames and lines longer than may be, or other than they say.

use super::{Scene, say};
use crate::door::{BinaryFrames, Connection, Event, frame};
use kith_wire::Code;
use std::io::Write;
use std::net::Shutdown;

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

/// A frame whose length field says something else, then a ping, and what is answered.
fn answers_to(scene: &Scene, length: u32, honest: &[u8]) -> Vec<(Code, bool)> {
    let lie = [&length.to_le_bytes(), &honest[4..]].concat();
    let ping = frame(0x08, 0, [0, 0], 7, b"");
    let mut stream = scene.daemon.dial();
    // It may have been cut off already.
    let _ = stream.write_all(&[b"KTH\x01".as_slice(), &lie, &ping].concat());
    let _ = stream.shutdown(Shutdown::Write);
    let mut client = BinaryFrames::silent(stream);
    let answer = |event| match event {
        Event::Err { code, fatal, .. } => (code, fatal),
        other => panic!("{length}: {other:?}"),
    };
    std::iter::from_fn(|| client.receive()).map(answer).collect()
}

#[test]
fn a_length_that_lies_is_an_error_and_never_a_message() {
    let mut scene = Scene::new("");
    let mut watcher = crate::door::BOTH_IN_TURN.connect(&scene.daemon, 0);
    watcher.subscribe(1, "*/self.a.>");
    let publish = frame(0x04, 0, [3, 0], 0, b"a.b[1]");
    let honest = u32::try_from(publish.len() - 4).unwrap();
    let (broken, open, large) =
        ((Code::BadFrame, true), (Code::BadFrame, false), (Code::TooLarge, true));
    for (length, expected) in [
        (0, vec![broken]),
        (1, vec![broken]),
        (7, vec![broken]),
        // The topic does not fit; what follows it is no frame.
        (8, vec![open, large]),
        (honest - 4, vec![open, large]),
        // The payload is not whole.
        (honest - 1, vec![(Code::BadPayload, false), open]),
        // It takes the beginning of the next.
        (honest + 1, vec![(Code::BadPayload, false), large]),
        (honest + 11, vec![(Code::BadPayload, false), open]),
        // It waits for what never comes.
        (honest + 13, vec![open]),
        (16_777_216 + 16_384, vec![open]),
        (16_777_216 + 16_384 + 1, vec![large]),
        (1 << 31, vec![large]),
        (u32::MAX, vec![large]),
    ] {
        assert_eq!(answers_to(&scene, length, &publish), expected, "{length}");
        scene.talk();
    }
    assert_eq!(watcher.pending(), []);
    drop(watcher);
    scene.end(4 << 10);
}
