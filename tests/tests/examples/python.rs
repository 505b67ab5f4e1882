//! The examples in Python.

use super::Scene;
use crate::door::{Event, Operation, Publication};
use crate::process::Process;
use rustix::process::Signal;
use std::process::Command;

fn program(scene: &Scene, name: &str, arguments: &[&str]) -> Command {
    scene.command("python3", &format!("python/{name}"), arguments)
}

#[test]
fn publish_publishes_and_prints_the_id() {
    if !kith_tests::require("python3") {
        return;
    }
    let mut scene = Scene::new("");
    scene.client.subscribe(1, "self.test.*");
    let arguments = &["test.hello", "{\"text\": \"\u{2028} ä\"}", "--retain"];
    let ended = Process::run(&mut program(&scene, "publish.py", arguments));
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    let delivery = scene.client.message_on(1);
    assert_eq!(ended.stdout, format!("published as {}\n", delivery.message_id));
    assert_eq!(delivery.value()["text"], "\u{2028} ä");
    scene.client.subscribe_retained(2, "self.test.hello");
    assert_eq!(scene.client.message_on(2).message_id, delivery.message_id);
    let refused = Process::run(&mut program(&scene, "publish.py", &["bus.a", "1"]));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("Refused: reserved-topic: "), "{refused:?}");
    for name in ["publish.py", "subscribe.py", "responder.py", "work.py"] {
        let ended = Process::run(&mut program(&scene, name, &[]));
        assert_eq!(ended.status.code(), Some(64), "{ended:?}");
        assert!(ended.stderr.contains(&format!(": {name} ")), "{ended:?}");
    }
}

#[test]
fn subscribe_prints_kept_values_and_then_what_comes() {
    if !kith_tests::require("python3") {
        return;
    }
    let mut scene = Scene::new("");
    scene.client.publish_it(Publication::json("room.a", "\"kept\"").retained());
    let command = program(&scene, "subscribe.py", &["*/self.room.*", "3"]);
    let mut process = scene.start_subscriber(command, 1);
    // A separator of lines in other places than here.
    scene.client.publish("room.b", "\"\u{2028}\"");
    scene.client.publish_it(Publication::bytes("x-raw", "room.c", *b"hi"));
    let ended = process.wait();
    let expected = "subscribed to */self.room.*\nroom.a \"kept\"\nroom.b \"\\u2028\"\n\
                    room.c x-raw aGk=\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (expected, ""));
    assert!(ended.status.success());
    scene.client.wait_for_count("clients", 1);
}

#[test]
fn subscribe_says_how_many_were_dropped() {
    if !kith_tests::require("python3") {
        return;
    }
    let small = "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '256 KiB'\n";
    let mut scene = Scene::new(small);
    let command = program(&scene, "subscribe.py", &["self.a"]);
    let process = scene.start_subscriber(command, 1);
    process.wait_for_stdout(|text| text.contains("subscribed"));
    process.signal(Signal::STOP);
    let payload = format!("\"{}\"", "x".repeat(10_000));
    for _ in 0..500 {
        scene.client.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    scene.client.done(&Operation::Ping);
    process.signal(Signal::CONT);
    let all = |text: &str| {
        let (mut received, mut dropped) = (0, 0);
        for line in text.lines().skip(1) {
            match line.strip_suffix(" messages were dropped here: this program is too slow") {
                Some(count) => dropped += count.parse().unwrap_or(0),
                None => received += 1,
            }
        }
        (received, dropped)
    };
    let text = process.wait_for_stdout(|text| {
        let (received, dropped) = all(text);
        text.ends_with('\n') && received + dropped == 500
    });
    assert!(all(&text).1 > 300, "5 MB do not fit into 256 KiB");
}

#[test]
fn responder_answers_and_several_share_the_work() {
    if !kith_tests::require("python3") {
        return;
    }
    let mut scene = Scene::new("");
    let mut responders = Vec::new();
    for subscriptions in 1..=2 {
        let command = program(&scene, "responder.py", &["sum"]);
        responders.push(scene.start_subscriber(command, subscriptions));
    }
    for (payload, answer) in [
        ("[1,2,3.5]", "{\"sum\": 6.5}"),
        ("[]", "{\"sum\": 0}"),
        ("\"abc\"", "{\"error\": \"send a list of numbers\"}"),
        ("7", "{\"error\": \"send a list of numbers\"}"),
    ] {
        let number = scene.client.request("sum", payload, 20_000);
        let Event::Reply { delivery, .. } = scene.client.answer(number) else {
            panic!("{payload}")
        };
        assert_eq!(delivery.text(), answer);
    }
    // Each has the other's share when that is gone.
    responders.pop();
    scene.client.wait_for_count("clients", 2);
    for _ in 0..3 {
        let number = scene.client.request("sum", "[1]", 20_000);
        assert!(matches!(scene.client.answer(number), Event::Reply { .. }));
    }
    responders[0].signal(Signal::INT);
    let ended = responders[0].wait();
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("answering on sum\n", ""));
    assert!(ended.status.success());
}

#[test]
fn work_works_off_what_was_stored_while_it_was_away() {
    if !kith_tests::require("python3") {
        return;
    }
    let mut scene = Scene::new("");
    scene.client.subscribe_durable(1, "self.jobs.>", "worker");
    scene.client.publish("jobs.a", "{\"n\":1}");
    // Somebody had it and did not deal with it.
    scene.client.message_on(1);
    scene.client.done(&Operation::Unsubscribe(1));
    scene.client.publish("jobs.b", "2");
    let arguments = &["self.jobs.>", "worker", "2"];
    let ended = Process::run(&mut program(&scene, "work.py", arguments));
    let expected = "working as worker\njobs.a {\"n\": 1} (attempt 2)\njobs.b 2\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (expected, ""));
    scene.wait_until_worked_off();
    let refused = Process::run(&mut program(&scene, "work.py", &["self.other", "worker"]));
    assert!(refused.stderr.contains("Refused: durable-conflict: "), "{refused:?}");
}

#[test]
fn a_daemon_that_stops_is_said_in_words() {
    if !kith_tests::require("python3") {
        return;
    }
    let mut scene = Scene::new("");
    let command = program(&scene, "subscribe.py", &["self.a"]);
    let mut process = scene.start_subscriber(command, 1);
    process.wait_for_stdout(|text| text.contains("subscribed"));
    scene.daemon.stop();
    let ended = process.wait();
    assert!(ended.stderr.contains("ConnectionError: the daemon says goodbye"), "{ended:?}");
}
