//! How a stream ends: closed on one side, cut off, or its process killed.

use crate::door::{
    BinaryFrames, Client, Connection, Event, JsonLines, Operation, Publication, frame,
};
use crate::process::{Daemon, PATIENCE};
use kith_wire::Code;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

/// Says everything, then that nothing more comes, and reads to the end.
fn say_all(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    answers
}

#[test]
fn who_has_said_all_still_gets_the_answers() {
    let daemon = Daemon::start();
    let pings: String = (1..=1_000).map(|n| format!("{{\"op\":\"ping\",\"id\":{n}}}\n")).collect();
    let answers = say_all(daemon.dial(), pings.as_bytes());
    assert_eq!(String::from_utf8(answers).unwrap(), pings.replace("ping", "ok"));
    let frames: Vec<u8> = (1..=1_000).flat_map(|n| frame(0x08, 0, [0, 0], n, &[])).collect();
    let answers = say_all(daemon.dial(), &[b"KTH\x01".as_slice(), &frames].concat());
    let expected: Vec<u8> = (1..=1_000).flat_map(|n| frame(0x81, 0, [0, 0], n, &[])).collect();
    assert_eq!(answers, [b"KTH\x01".as_slice(), &expected].concat());
}

#[test]
fn who_has_said_all_still_gets_the_messages_that_were_queued() {
    let daemon = Daemon::start();
    let mut lines = "{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.a\"}\n".to_owned();
    let payload = "x".repeat(10_000);
    for _ in 0..300 {
        lines.push_str(&format!("{{\"op\":\"pub\",\"topic\":\"a\",\"payload\":\"{payload}\"}}\n"));
    }
    let answers = String::from_utf8(say_all(daemon.dial(), lines.as_bytes())).unwrap();
    assert_eq!(answers.lines().filter(|line| line.contains("\"op\":\"msg\"")).count(), 300);
}

#[test]
fn who_has_said_all_still_gets_the_reply_to_a_request() {
    let daemon = Daemon::start();
    let mut responder = Client::new(JsonLines::new(daemon.dial()));
    responder.subscribe(1, "self.a");
    let mut requester = daemon.dial();
    requester.write_all(b"{\"op\":\"req\",\"id\":1,\"topic\":\"a\",\"payload\":1}\n").unwrap();
    requester.shutdown(Shutdown::Write).unwrap();
    let asked = responder.message_on(1);
    let answer = responder.reply(&asked, "2");
    assert!(
        matches!(answer, Event::Ok { .. }),
        "an operation with a number is answered: {answer:?}"
    );
    let mut requester = JsonLines::new(requester);
    let reply = requester.receive();
    assert!(matches!(reply, Some(Event::Reply { number: 1, .. })), "{reply:?}");
    assert_eq!(requester.receive(), None);
}

/// Publishes and leaves at once, without waiting for anything, 60 times; returns how many messages
/// came before the will, each time.
fn publish_and_leave(daemon: &Daemon, begin: &[u8], publish: &[u8]) -> Vec<usize> {
    let mut subscriber = Client::new(JsonLines::new(daemon.dial()));
    subscriber.subscribe(1, "self.last");
    let leave = |_| {
        let mut stream = daemon.dial();
        stream.write_all(begin).unwrap();
        for _ in 0..100 {
            stream.write_all(publish).unwrap();
        }
        drop(stream);
        (0..).find(|_| subscriber.message_on(1).text() == "\"will\"").unwrap()
    };
    (0..60).map(leave).collect()
}

#[test]
fn what_was_said_before_leaving_is_carried_out() {
    let daemon = Daemon::start();
    // There is much to send to it, and it is gone: no reason not to read what it said before.
    let subscriptions = 1..=100;
    let mut lines = "{\"op\":\"will\",\"topic\":\"last\",\"payload\":\"will\"}\n".to_owned();
    let mut frames = [b"KTH\x01".as_slice(), &frame(0x06, 0, [4, 0], 0, b"last\"will\"")].concat();
    for id in subscriptions {
        let line = format!("{{\"op\":\"sub\",\"id\":{id},\"pattern\":\"self.last\"}}\n");
        lines.push_str(&line);
        frames.extend(frame(0x02, 0, [0, 0], id, b"self.last"));
    }
    let line = b"{\"op\":\"pub\",\"topic\":\"last\",\"payload\":1}\n";
    let arrived = publish_and_leave(&daemon, lines.as_bytes(), line);
    assert_eq!(arrived, [100; 60], "JSON lines");
    let arrived = publish_and_leave(&daemon, &frames, &frame(0x04, 0, [4, 0], 0, b"last1"));
    assert_eq!(arrived, [100; 60], "binary frames");
}

#[test]
fn a_line_or_frame_that_is_not_whole_is_not_carried_out_and_that_is_told() {
    let daemon = Daemon::start();
    let mut subscriber = Client::new(JsonLines::new(daemon.dial()));
    subscriber.subscribe(1, "self.a");
    let lines = b"{\"op\":\"ping\",\"id\":1}\n{\"op\":\"pub\",\"topic\":\"a\",\"payload\":1}";
    let answers = String::from_utf8(say_all(daemon.dial(), lines)).unwrap();
    let (ok, err) = answers.split_once('\n').unwrap();
    assert_eq!(ok, "{\"op\":\"ok\",\"id\":1}");
    assert!(err.starts_with("{\"op\":\"err\",\"code\":\"bad-frame\",\"text\":\""), "{err}");
    assert!(err.ends_with(&format!(",\"at\":{}}}\n", lines.len())), "{err}");
    let frames = [b"KTH\x01".as_slice(), &frame(0x04, 0, [1, 0], 7, b"a1")[..13]].concat();
    let mut stream = daemon.dial();
    stream.write_all(&frames).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut client = BinaryFrames::silent(stream);
    let expected = Event::Err { number: None, code: Code::BadFrame, fatal: false };
    assert_eq!(client.receive(), Some(expected));
    assert_eq!(client.receive(), None);
    assert_eq!(subscriber.pending(), []);
}

#[test]
fn the_will_of_a_process_that_is_killed_is_published() {
    let daemon = Daemon::start();
    let mut watcher = Client::new(JsonLines::new(daemon.dial()));
    watcher.subscribe(1, "self.gone");
    let stream = daemon.dial();
    // The process has the connection as its input, and never reads it.
    let input = OwnedFd::from(stream.try_clone().unwrap());
    let mut process = Command::new("tail").args(["-f", "/dev/null"]).stdin(input).spawn().unwrap();
    let mut client = Client::new(BinaryFrames::new(stream));
    client.done(&Operation::Will(Publication::json("gone", "\"killed\"")));
    drop(client);
    assert_eq!(watcher.pending(), [], "the process still has the connection");
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(watcher.message_on(1).text(), "\"killed\"");
}

#[test]
fn the_will_of_who_broke_the_framing_is_published() {
    let daemon = Daemon::start();
    let mut watcher = Client::new(JsonLines::new(daemon.dial()));
    watcher.subscribe(1, "self.gone");
    let mut client = BinaryFrames::new(daemon.dial());
    let will = Operation::Will(Publication::json("gone", "1"));
    client.send(Some(1), &will);
    assert!(matches!(client.receive(), Some(Event::Ok { .. })));
    client.say([0; 4]);
    let code = Code::BadFrame;
    assert_eq!(client.receive(), Some(Event::Err { number: None, code, fatal: true }));
    assert_eq!(watcher.message_on(1).text(), "1");
}

#[test]
fn what_comes_after_bye_is_not_carried_out() {
    let daemon = Daemon::start();
    let mut subscriber = Client::new(JsonLines::new(daemon.dial()));
    subscriber.subscribe(1, "self.a");
    let lines =
        b"{\"op\":\"bye\",\"id\":1}\n{\"op\":\"pub\",\"id\":2,\"topic\":\"a\",\"payload\":1}\n";
    let mut stream = daemon.dial();
    stream.write_all(lines).unwrap();
    let mut client = JsonLines::new(stream);
    assert_eq!(client.line().as_deref(), Some("{\"op\":\"ok\",\"id\":1}"));
    assert_eq!(client.line(), None);
    assert_eq!(subscriber.pending(), []);
}

#[test]
fn who_is_gone_without_reading_is_gone() {
    let daemon = Daemon::start();
    let mut watcher = Client::new(JsonLines::new(daemon.dial()));
    watcher.subscribe(1, "self.bus.client");
    let mut client = Client::new(JsonLines::new(daemon.dial()));
    client.subscribe(1, "self.a");
    assert_eq!(watcher.message_on(1).value()["event"], "connected");
    // More than its socket holds, so that the daemon has something left to send.
    let payload = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..100 {
        watcher.publish("a", &payload);
    }
    let started = std::time::Instant::now();
    drop(client);
    assert_eq!(watcher.message_on(1).value()["event"], "disconnected");
    assert!(started.elapsed() < PATIENCE / 6, "what nobody reads is not waited for");
}
