//! Connections that take their time, or have only one of their two directions.

use super::{HELD_RATIO, SMALL_QUEUE, Scene};
use crate::door::{
    BinaryFrames, Connection, Event, FRAMINGS, Framing, JsonLines, Operation, Publication,
    Subscription, frame,
};
use kith_wire::Code;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

#[test]
fn one_byte_at_a_time_is_slow_and_nothing_else() {
    let mut scene = Scene::new("");
    let session = b"{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.slow\"}\n\
                    {\"op\":\"pub\",\"id\":2,\"topic\":\"slow\",\"payload\":\"1\"}\n";
    let mut lines = JsonLines::new(scene.daemon.dial());
    let frames = [frame(0x02, 0, [0, 0], 1, b"self.slow"), frame(0x04, 0, [4, 0], 2, b"slow\"2\"")];
    let frames = [b"KTH\x01".as_slice(), &frames.concat()].concat();
    let mut binary = BinaryFrames::silent(scene.daemon.dial());
    for at in 0..session.len().max(frames.len()) {
        if let Some(byte) = session.get(at) {
            lines.say([*byte]);
        }
        if let Some(byte) = frames.get(at) {
            binary.say([*byte]);
        }
        scene.talk();
    }
    for client in [&mut lines as &mut dyn Connection, &mut binary] {
        assert!(matches!(client.receive(), Some(Event::Ok { number: 1, .. })));
        let next_two = [client.receive().unwrap(), client.receive().unwrap()];
        assert!(next_two.iter().any(|event| event.answers() == Some(2)), "{next_two:?}");
    }
    drop((lines, binary));
    scene.end(4 << 10);
}

/// Publishes of a mebibyte that lack their last byte, one on each of many connections. They get a
/// share of the memory that there is: who asks for more is cut off, and what the others hold is
/// carried out when it is whole after all.
#[test]
fn frames_and_lines_that_are_never_finished_have_a_bound() {
    const HOLDERS: usize = 60;
    const BYTES: usize = 1 << 20;
    const TOTAL_BYTES: u64 = 16 << 20;
    let mut scene = Scene::new(
        "[limits]\npayload_bytes_max = '1 MiB'\nqueue_bytes_max = '2 MiB'\n\
         waiting_bytes_total_max = '16 MiB'\n",
    );
    let payload = format!("\"{}\"", "x".repeat(BYTES - 2));
    let operation = Operation::Publish(Publication::json("late", &payload));
    let hold = |scene: &Scene, nth: usize| {
        let framing = FRAMINGS[nth % FRAMINGS.len()];
        let mut stream = scene.daemon.dial();
        let whole = [framing.greeting(), &framing.bytes(Some(1), &operation)].concat();
        let (last, before) = whole.split_last().unwrap();
        // It may be cut off before it has said all.
        let _ = stream.write_all(before);
        (framing, stream, *last)
    };
    let mut held: Vec<(Framing, UnixStream, u8)> = Vec::new();
    for nth in 0..HOLDERS {
        held.push(hold(&scene, nth));
        scene.talk();
        scene.waiting_bytes(TOTAL_BYTES);
    }
    assert!(scene.waiting_bytes(TOTAL_BYTES) > TOTAL_BYTES / 3, "they do not count");
    let (mut done, mut refused) = (0, 0);
    for (framing, mut stream, last) in held {
        let _ = stream.write_all(&[last]);
        match framing.client(stream).next() {
            Event::Ok { number: 1, .. } => done += 1,
            Event::Err { number: None, code: Code::QuotaMemory, fatal: true } => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(done >= 4 && refused >= 40, "{done} done, {refused} refused");
    assert_eq!(scene.count("cut_off"), refused);
    scene.end(HELD_RATIO * (TOTAL_BYTES >> 10) + (8 << 10));
}

#[test]
fn many_slow_ones_at_once_get_their_answers() {
    let mut scene = Scene::new("");
    let mut crowd: Vec<(Framing, UnixStream, Vec<u8>)> = (0..200)
        .map(|nth| {
            let framing = FRAMINGS[nth % FRAMINGS.len()];
            let bytes = [framing.greeting(), &framing.bytes(Some(1), &Operation::Ping)].concat();
            (framing, scene.daemon.dial(), bytes)
        })
        .collect();
    for at in 0..40 {
        for (_, stream, bytes) in &mut crowd {
            if let Some(byte) = bytes.get(at) {
                stream.write_all(&[*byte]).unwrap();
            }
        }
        scene.talk();
    }
    for (framing, stream, _) in crowd {
        assert!(matches!(framing.client(stream).answer(1), Event::Ok { .. }));
    }
    scene.end(8 << 10);
}

#[test]
fn who_has_only_its_reading_side_is_waited_for_no_longer_than_it_says() {
    let mut scene = Scene::new("");
    let mut mute = Framing::JsonLines.connect(&scene.daemon);
    mute.subscribe(1, "self.what");
    scene.subscriber.subscribe(9, "self.bus.client");
    // Both at once, since each is waited for as long as the protocol says.
    let halves = FRAMINGS.map(|framing| {
        // It waits for a reply that never comes, and can't ask for anything else.
        let publication = Publication::json("what", "1");
        let request = Operation::Request { publication, timeout_ms: Some(3_600_000) };
        let asked = [(1, Operation::Subscribe(Subscription::to("self.half"))), (2, request)];
        let stream = scene.silent_culprit(framing, &asked);
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(scene.subscriber.message_on(9).value()["event"], "connected");
        let mut half = framing.client(stream);
        assert!(matches!(half.next(), Event::Ok { number: 1, .. }));
        half
    });
    mute.publish("half", "2");
    for mut half in halves {
        assert_eq!(half.message_on(1).text(), "2", "it is still there");
        assert_eq!(half.next_or_end(), None, "and is closed without a further word");
    }
    for _ in FRAMINGS {
        let event = scene.subscriber.message_on(9).value();
        assert_eq!(event["reason"], "did not read what was left", "{event}");
    }
    scene.talk();
    drop(mute);
    assert_eq!(scene.subscriber.message_on(9).value()["event"], "disconnected");
    scene.subscriber.done(&Operation::Unsubscribe(9));
    scene.end(4 << 10);
}

#[test]
fn who_has_only_its_writing_side_is_heard_to_the_end() {
    let mut scene = Scene::new(SMALL_QUEUE);
    scene.subscriber.subscribe(9, "self.half");
    for framing in FRAMINGS {
        let asked = [(1, Operation::Subscribe(Subscription::to("self.half")))];
        let mut stream = scene.silent_culprit(framing, &asked);
        stream.shutdown(Shutdown::Read).unwrap();
        // Each is delivered to itself too, which fails.
        for number in 0..1_000_u32 {
            let payload = format!("[{number},\"{}\"]", "x".repeat(1_000));
            let publish = Operation::Publish(Publication::json("half", &payload));
            stream.write_all(&framing.bytes(None, &publish)).unwrap();
            let begin = format!("[{number},");
            assert!(scene.subscriber.message_on(9).text().starts_with(&begin));
        }
        scene.talk();
        drop(stream);
    }
    scene.subscriber.done(&Operation::Unsubscribe(9));
    scene.end(4 << 10);
}
