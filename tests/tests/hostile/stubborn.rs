//! Connections that don't read, don't end, or say one byte at a time.

use super::Scene;
use crate::door::{BinaryFrames, Client, Connection, Event, JsonLines, frame};
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;

/// A queue in which a few messages fit.
const SMALL_QUEUE: &str =
    "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '256 KiB'\nclients_max = 100\n";

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

/// Writes this over and over until the daemon reads no more, with the neighbour talking whenever
/// it has to wait. Returns how many times it was written whole.
fn flood(scene: &mut Scene, stream: &UnixStream, bytes: &[u8], times_max: usize) -> usize {
    /// So many turns of everybody else without any progress are no accident.
    const TURNS: usize = 50;
    let mut stream = stream;
    stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    let mut turns = 0;
    while turns < TURNS && written < times_max * bytes.len() {
        match stream.write(&bytes[written % bytes.len()..]) {
            Ok(some) => {
                written += some;
                turns = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                scene.talk();
                turns += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    // What was begun is ended, so that the answers can be counted; for that somebody has to read.
    let rest = (bytes.len() - written % bytes.len()) % bytes.len();
    let mut writer = stream.try_clone().unwrap();
    let tail = bytes[bytes.len() - rest..].to_vec();
    std::thread::spawn(move || writer.write_all(&tail));
    written.div_ceil(bytes.len())
}

#[test]
fn who_does_not_read_its_answers_is_not_read_from() {
    let mut scene = Scene::new("");
    let stream = scene.daemon.dial();
    let asked = flood(&mut scene, &stream, b"{\"op\":\"ping\",\"id\":1}\n", 10_000_000);
    assert!(asked < 200_000, "the daemon goes on reading: {asked} pings");
    scene.talk();
    // It gets every single answer as soon as it reads, and is a client like any other.
    let mut client = JsonLines::new(stream);
    for _ in 0..asked {
        assert_eq!(client.line().as_deref(), Some("{\"op\":\"ok\",\"id\":1}"));
    }
    client.say("{\"op\":\"ping\",\"id\":2}\n");
    assert_eq!(client.line().as_deref(), Some("{\"op\":\"ok\",\"id\":2}"));
    drop(client);
    scene.end(8 << 10);
}

#[test]
fn who_does_not_read_its_messages_costs_its_queue_and_no_more() {
    let mut scene = Scene::new(SMALL_QUEUE);
    let mut deaf: Vec<Client> = (0..10)
        .map(|nth| {
            let mut client = crate::door::BOTH_IN_TURN.connect(&scene.daemon, nth);
            client.subscribe(1, "self.flood");
            client
        })
        .collect();
    // It hears itself as well, and never reads.
    let stream = scene.daemon.dial();
    (&stream).write_all(b"{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.flood\"}\n").unwrap();
    let line =
        format!("{{\"op\":\"pub\",\"topic\":\"flood\",\"payload\":\"{}\"}}\n", "x".repeat(10_000));
    let published = flood(&mut scene, &stream, line.as_bytes(), 3_000);
    assert_eq!(published, 3_000, "a publisher is not held up by those who don't read");
    scene.talk();
    let missed = |client: &mut Client| {
        let (mut received, mut missed) = (0, 0);
        while received + missed < 3_000 {
            match client.next() {
                Event::Message { .. } => received += 1,
                Event::Lag { count, .. } => missed += count,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received + missed, 3_000);
        missed
    };
    for client in &mut deaf {
        assert!(missed(client) > 2_000, "30 MB do not fit into 256 KiB");
    }
    drop((deaf, stream));
    // Eleven queues, each doubled by its growth, and what is on its way.
    scene.end(11 * 2 * 256 + (4 << 10));
}

#[test]
fn who_asks_without_end_is_told_no_and_others_are_not() {
    let mut scene = Scene::new("[limits]\nsubscriptions_max = 1000\nrequests_max = 100\n");
    let mut greedy = JsonLines::new(scene.daemon.dial());
    let mut refused = 0;
    for id in 1..=3_000 {
        greedy.say(format!("{{\"op\":\"sub\",\"id\":{id},\"pattern\":\"self.greedy.{id}\"}}\n"));
        match greedy.receive() {
            Some(Event::Ok { .. }) => assert!(id <= 1_000),
            Some(Event::Err { fatal: false, .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
        if id % 500 == 0 {
            scene.talk();
        }
    }
    assert_eq!(refused, 2_000);
    drop(greedy);
    scene.wait_until_alone();
    assert_eq!(scene.count("subscriptions"), 1);
    scene.end(4 << 10);
}
