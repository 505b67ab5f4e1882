//! The examples in shell.

use super::{Scene, folder};
use crate::process::Process;
use kith_wire::MessageId;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::Command;

fn is_possible() -> bool {
    ["bash", "socat", "jq"].into_iter().all(can_run)
}

fn can_run(program: &str) -> bool {
    match program {
        "socat" => kith_tests::require("socat"),
        "jq" => kith_tests::require("jq"),
        _ => kith_tests::require("bash"),
    }
}

fn script(scene: &Scene, name: &str, arguments: &[&str]) -> Command {
    scene.command("bash", &format!("shell/{name}"), arguments)
}

/// Fails unless this is an `ok` with a message id.
fn assert_published(answer: &str) {
    let value: Value = serde_json::from_str(answer).unwrap_or_else(|e| panic!("{e}: {answer}"));
    assert_eq!((&value["op"], &value["id"]), (&"ok".into(), &1.into()), "{answer}");
    MessageId::from_text(value["msg_id"].as_str().unwrap()).unwrap();
}

#[test]
fn publish_publishes_and_shows_the_answer() {
    if !is_possible() {
        return;
    }
    let mut scene = Scene::new("");
    scene.client.subscribe(1, "self.test.>");
    for (arguments, topic, payload) in [
        (&[][..], "test.hello", r#"{"text":"hi"}"#),
        (&["test.it's \"quoted\"".replace(' ', "-").as_str(), "[1,\"'\"]"], "", "[1,\"'\"]"),
    ] {
        let ended = Process::run(&mut script(&scene, "publish.sh", arguments));
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
        assert_published(&ended.stdout);
        let delivery = scene.client.message_on(1);
        assert_eq!(delivery.text(), payload);
        assert!(topic.is_empty() || delivery.topic == topic);
    }
    for name in ["publish.sh", "request.sh"] {
        let ended = Process::run(&mut script(&scene, name, &["test.hello", "{"]));
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
        assert!(ended.stderr.starts_with("jq: "), "{ended:?}");
    }
    let ended = Process::run(&mut script(&scene, "publish.sh", &["bus.a", "1"]));
    assert!(ended.stdout.contains("reserved-topic"), "{ended:?}");
}

#[test]
fn subscribe_prints_each_payload_until_the_bus_is_gone() {
    if !is_possible() {
        return;
    }
    let mut scene = Scene::new("");
    let command = script(&scene, "subscribe.sh", &[]);
    let mut process = scene.start_subscriber(command, 1);
    for payload in ["1", "null", "{\"text\":\"hi\"}"] {
        scene.client.publish("test.hello", payload);
    }
    process.wait_for_stdout(|text| text == "1\nnull\n{\"text\":\"hi\"}\n");
    scene.daemon.stop();
    let ended = process.wait();
    assert!(ended.stdout.contains("shutting-down"), "{ended:?}");
}

#[test]
fn once_prints_the_first_message_and_ends() {
    if !is_possible() {
        return;
    }
    let mut scene = Scene::new("");
    let command = script(&scene, "once.sh", &["self.doorbell"]);
    let mut process = scene.start_subscriber(command, 1);
    scene.client.publish("doorbell", "{\"at\":\"front\"}");
    scene.client.publish("doorbell", "{\"at\":\"back\"}");
    let ended = process.wait();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(ended.stdout, "{\"at\":\"front\"}\n");
    scene.client.wait_for_count("clients", 1);
    let wrong = Process::run(&mut script(&scene, "once.sh", &["doorbell"]));
    assert!(wrong.stdout.contains("bad-pattern"), "{wrong:?}");
}

#[test]
fn request_prints_the_answer_or_why_there_is_none() {
    if !is_possible() {
        return;
    }
    let scene = Scene::new("");
    let ended = Process::run(&mut script(&scene, "request.sh", &[]));
    assert!(ended.status.success(), "{ended:?}");
    let clients: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(clients.as_array().unwrap().len(), 2);
    let ended = Process::run(&mut script(&scene, "request.sh", &["nobody", "1"]));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.starts_with("no-responders: ") && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn responder_answers_requests() {
    if !is_possible() {
        return;
    }
    let mut scene = Scene::new("");
    let command = script(&scene, "responder.sh", &[]);
    let mut responder = scene.start_subscriber(command, 1);
    for (payload, answer) in
        [("\"hello\"", "\"HELLO\"\n"), ("{\"a\":[1]}", "\"{\\\"A\\\":[1]}\"\n")]
    {
        let ended = Process::run(&mut script(&scene, "request.sh", &["test.shout", payload]));
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (answer, ""));
    }
    scene.daemon.stop();
    responder.wait();
}

#[test]
fn work_works_off_what_was_stored_while_it_was_away() {
    if !is_possible() {
        return;
    }
    let mut scene = Scene::new("");
    scene.make_consumer("self.jobs.>", "worker");
    scene.client.publish("jobs.a", "{\"n\":1}");
    scene.client.publish("jobs.b", "null");
    for expected in ["1 jobs.a {\"n\":1}\n1 jobs.b null\n", "1 jobs.c [3]\n"] {
        let mut worker = Process::start(&mut script(&scene, "work.sh", &[]));
        worker.wait_for_stdout(|text| text == expected);
        scene.wait_until_worked_off();
        worker.signal(Signal::TERM);
        worker.wait();
        scene.client.wait_for_count("clients", 1);
        scene.client.publish("jobs.c", "[3]");
    }
}

#[test]
fn the_scripts_work_copied_line_by_line() {
    if !is_possible() {
        return;
    }
    let mut scene = Scene::new("");
    scene.client.subscribe(1, "self.test.hello");
    for name in ["publish.sh", "request.sh", "once.sh"] {
        let text = fs::read_to_string(folder().join("shell").join(name)).unwrap();
        let mut shell = Process::start(scene.place().program("bash").arg("--norc"));
        for line in text.lines() {
            writeln!(shell.input(), "{line}").unwrap();
        }
        if name == "once.sh" {
            scene.client.wait_for_count("subscriptions", 2);
            scene.client.publish("test.hello", "\"line\"");
        }
        shell.close_input();
        let ended = shell.wait();
        assert!(ended.stderr.is_empty(), "{name}: {ended:?}");
        match name {
            "publish.sh" => assert_published(&ended.stdout),
            "request.sh" => assert!(ended.stdout.starts_with("[{\"client\":"), "{ended:?}"),
            _ => assert_eq!(ended.stdout, "\"line\"\n"),
        }
    }
}

#[test]
fn one_line_of_socat_and_python_understand_each_other() {
    if !is_possible() || !kith_tests::require("python3") {
        return;
    }
    let mut scene = Scene::new("");
    let mut socat = scene.place().program("socat");
    socat.arg("-").arg(format!("UNIX-CONNECT:{}", scene.place().socket().display()));
    let mut socat = Process::start(&mut socat);
    socat.input().write_all(b"{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.both.>\"}\n").unwrap();
    scene.client.wait_for_count("subscriptions", 1);
    let python = scene.command("python3", "python/subscribe.py", &["self.both.>", "2"]);
    let mut python = scene.start_subscriber(python, 2);
    let publish = &["both.python", "{\"from\": \"Python\"}"];
    Process::run(&mut scene.command("python3", "python/publish.py", publish));
    let line = "{\"op\":\"pub\",\"topic\":\"both.socat\",\"payload\":{\"from\":\"socat\"}}\n";
    socat.input().write_all(line.as_bytes()).unwrap();
    let ended = python.wait();
    let expected = "subscribed to self.both.>\nboth.python {\"from\": \"Python\"}\n\
                    both.socat {\"from\": \"socat\"}\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (expected, ""));
    socat.close_input();
    let heard = socat.wait().stdout;
    let lines: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{heard}");
    assert_eq!(lines[1]["payload"]["from"], "Python");
    assert_eq!(lines[2]["payload"]["from"], "socat");
}
