//! The example in Rust, which is also the client library against a real daemon.

use super::Scene;
use crate::door::{Client, JsonLines};
use crate::process::{Place, Process};
use rustix::process::Signal;
use std::io::Write;
use std::process::Command;

/// The example's program, from the same file.
const THERMOMETER: &str = env!("CARGO_BIN_EXE_kith-tests-thermometer");

fn thermometer(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.program(THERMOMETER);
    command.args(arguments);
    command
}

fn watch(scene: &mut Scene) -> Process {
    let command = thermometer(scene.place(), &["watch"]);
    scene.start_subscriber(command, 2)
}

#[test]
fn what_is_reported_is_watched_and_the_warmest_is_known() {
    let mut scene = Scene::new("");
    let place = scene.place().clone();
    let mut early = Process::start(&mut thermometer(&place, &["report", "attic"]));
    early.input().write_all(b"8\n").unwrap();
    scene.client.wait_for_count("retained_messages", 2);
    let mut watch = watch(&mut scene);
    watch.wait_for_stdout(|text| text == "watching\nattic: 8 °C (earlier)\n");
    let mut kitchen = Process::start(&mut thermometer(&place, &["report", "kitchen"]));
    kitchen.input().write_all(b"20.5\n21\n").unwrap();
    watch.wait_for_stdout(|text| text.ends_with("kitchen: 20.5 °C\nkitchen: 21 °C\n"));
    let warmest = Process::run(&mut thermometer(&place, &["warmest"]));
    assert_eq!(warmest.stdout, "kitchen, at 21 °C\n", "{warmest:?}");
    // With a goodbye the value stays, without one it goes.
    early.close_input();
    assert!(early.wait().status.success());
    kitchen.signal(Signal::KILL);
    watch.wait_for_stdout(|text| text.ends_with("kitchen: not measured any more\n"));
    let warmest = Process::run(&mut thermometer(&place, &["warmest"]));
    assert_eq!(warmest.stdout, "attic, at 8 °C\n", "{warmest:?}");
    watch.signal(Signal::INT);
    let ended = watch.wait();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn what_can_go_wrong_is_said() {
    let scene = Scene::new("");
    let place = scene.place().clone();
    let run = |arguments: &[&str]| Process::run(&mut thermometer(&place, arguments));
    let alone = run(&["warmest"]);
    assert_eq!(alone.status.code(), Some(1), "{alone:?}");
    assert!(alone.stderr.contains("nobody watches"), "{alone:?}");
    let mut report = Process::start(&mut thermometer(&place, &["report", "kitchen"]));
    report.input().write_all(b"warm\n").unwrap();
    assert!(report.wait().stderr.contains("\"warm\" is no number"));
    scene.daemon.stop();
    let nobody = run(&["warmest"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert!(nobody.stderr.contains(place.socket().to_str().unwrap()), "{nobody:?}");
}

#[test]
fn a_daemon_that_goes_away_and_comes_back_is_found_again() {
    let mut scene = Scene::new("");
    let place = scene.place().clone();
    let watch = watch(&mut scene);
    watch.wait_for_stdout(|text| text == "watching\n");
    for _ in 0..2 {
        scene.daemon.kill();
        let daemon = place.start();
        let client = Client::new(JsonLines::new(daemon.dial()));
        scene = Scene { daemon, client };
        scene.client.wait_for_count("subscriptions", 2);
        let mut report = Process::start(&mut thermometer(&place, &["report", "attic"]));
        report.input().write_all(b"7\n").unwrap();
        watch.wait_for_stdout(|text| text.ends_with("is back\nattic: 7 °C\n"));
        let warmest = Process::run(&mut thermometer(&place, &["warmest"]));
        assert_eq!(warmest.stdout, "attic, at 7 °C\n", "{warmest:?}");
        report.close_input();
        assert!(report.wait().status.success());
    }
}
