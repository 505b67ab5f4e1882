//! How services end: cleanly where they may, by force where they must, and with all that is theirs.

use super::{Host, Kind, has_ended_well, quiet, real, then, wait_until_gone};
use crate::process::Place;
use kith_tests::require;
use rustix::process::Signal;
use serde_json::json;
use std::fs;

/// What `/proc` says that is left of a place: processes that have its name in their environment.
pub(super) fn left(place: &Place) -> Vec<String> {
    let name = place.path().to_str().unwrap();
    let mut left = Vec::new();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(name) {
            left.push(process.display().to_string());
        }
    }
    left
}

#[test]
fn a_daemon_that_stops_lets_its_services_end_first() {
    let _quiet = quiet();
    for kind in Kind::all().into_iter().filter(|kind| *kind != Kind::Inside) {
        let (daemon, mut administrator) = real(&kind.configuration(&then("answer"), ""));
        administrator.change("services.enable", "probe").unwrap();
        administrator.wait_until_it_answers();
        let place = daemon.place().clone();
        assert!(!left(&place).is_empty());
        let ended = daemon.stop();
        assert!(ended.status.success(), "{ended:?}");
        assert!(has_ended_well(&place), "{kind:?}: {}", ended.stderr);
        assert_eq!(left(&place), Vec::<String>::new());
        // The administrator hears of the service's end, and then the goodbye.
        let rest = administrator.rest();
        let stopped = json!({"name": "probe", "state": "disabled"});
        assert!(rest.iter().any(|event| event["payload"] == stopped), "{rest:?}");
        assert_eq!(rest.last().unwrap()["op"], "bye");
    }
}

#[test]
fn one_inside_the_daemon_ends_before_it() {
    let _quiet = quiet();
    let mut host = Kind::Inside.start(&then("answer"), "");
    host.administrator.wait_until_it_answers();
    assert!(has_ended_well(&host.stop()));
}

#[test]
fn a_daemon_that_is_told_twice_waits_for_no_service_and_leaves_none() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&then("deaf"), ""));
    administrator.change("services.enable", "probe").unwrap();
    administrator.message("probe.tried");
    let pid = administrator.row("probe")["pid"].as_u64().unwrap();
    let place = daemon.place().clone();
    daemon.process().signal(Signal::TERM);
    administrator.wait_for("probe", "running");
    administrator.wait_for("probe", "stopping");
    let ended = daemon.stop();
    assert!(ended.status.success() && ended.stderr.contains("at once"), "{ended:?}");
    wait_until_gone(pid);
    assert_eq!(left(&place), Vec::<String>::new());
}

#[test]
fn services_end_with_a_daemon_that_is_killed() {
    for kind in Kind::all().into_iter().filter(|kind| *kind != Kind::Inside) {
        let (daemon, mut administrator) = real(&kind.configuration(&then("answer"), ""));
        administrator.change("services.enable", "probe").unwrap();
        administrator.wait_until_it_answers();
        let pid = administrator.row("probe")["pid"].as_u64().unwrap();
        let place = daemon.place().clone();
        daemon.kill();
        wait_until_gone(pid);
        assert!(has_ended_well(&place), "{kind:?}");
    }
}

#[test]
fn what_a_service_has_started_ends_with_it() {
    if !require("python3") {
        return;
    }
    let _quiet = quiet();
    let mut host = Host::new(&Kind::Python.configuration(&then("children"), ""));
    host.administrator.subscribe("self.probe.child").unwrap();
    host.enable("probe");
    let first = host.administrator.message("probe.child").as_u64().unwrap();
    assert!(fs::exists(format!("/proc/{first}")).unwrap());
    host.administrator.change("services.restart", "probe").unwrap();
    wait_until_gone(first);
    let second = host.administrator.message("probe.child").as_u64().unwrap();
    assert_ne!(first, second);
    assert!(fs::exists(format!("/proc/{second}")).unwrap());
    host.administrator.change("services.disable", "probe").unwrap();
    wait_until_gone(second);
    assert!(has_ended_well(host.place()));
}

#[test]
fn a_program_is_given_what_it_needs_and_nothing_else_of_ours() {
    if !require("python3") {
        return;
    }
    let settings = json!({"then": "environment", "city": "Oslo", "list": [1, 2]});
    let mut host = Host::new(&Kind::Python.configuration(&settings, ""));
    host.administrator.subscribe("self.probe.environment").unwrap();
    host.enable("probe");
    let mut shown = host.administrator.message("probe.environment");
    let own = host.place().state().join("services/probe");
    let given: serde_json::Value =
        serde_json::from_str(shown["KITH_SETTINGS"].as_str().unwrap()).unwrap();
    assert_eq!(given, settings);
    let token = shown["KITH_TOKEN"].take();
    assert_eq!(token.as_str().unwrap().len(), 32);
    shown["KITH_SETTINGS"].take();
    // That of the tests themselves.
    shown.as_object_mut().unwrap().remove("KITH_REQUIRE");
    let wanted = json!({
        "KITH_SOCKET": host.place().socket(), "KITH_SERVICE": "probe", "KITH_DATA_DIR": own,
        "KITH_TOKEN": null, "KITH_SETTINGS": null, "folder": own, "input": "",
    });
    assert_eq!(shown, wanted);
}

#[test]
fn a_token_works_once_over_each_door() {
    if !require("python3") {
        return;
    }
    let mut host = Host::new(&Kind::Python.configuration(&then("again"), ""));
    host.administrator.subscribe("self.probe.again").unwrap();
    host.enable("probe");
    let answer = host.administrator.message("probe.again");
    assert_eq!((&answer["code"], &answer["fatal"]), (&json!("bad-token"), &json!(true)));
    let text = answer["text"].as_str().unwrap();
    assert!(text.starts_with("this token was used before"), "{text}");
    assert_eq!(host.administrator.row("probe")["state"], "running");
}
