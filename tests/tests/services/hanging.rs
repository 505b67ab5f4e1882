//! Services that hang: found once something was sent to them, and ended by what it takes.
//!
//! A heartbeat may take 10 s, and comes up to 5 s after what was sent; and who ignores everything
//! is given 5 s to end. So all of these are one test, and run side by side.

use super::ending::left;
use super::{Host, Kind, Neighbours, has_ended_well, quiet, real, then, wait_until_gone};
use crate::process::PATIENCE;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Instant;

/// What is tried, side by side.
const CASES: [(&str, fn()); 9] = [
    ("inside, waiting", one_that_waits_for_ever_inside_the_daemon_is_stopped_and_starts_again),
    ("inside, never awaiting", one_that_never_awaits_inside_the_daemon_is_left_alone_and_failed),
    ("python", one_that_hangs_in_python_is_told_to_end_and_starts_again),
    ("deaf", one_that_hangs_and_ignores_that_is_killed),
    ("mute", one_that_never_comes_is_not_waited_for),
    ("answering", one_that_answers_its_heartbeat_goes_on),
    ("disabled and deaf", one_that_is_disabled_and_does_not_listen_is_killed),
    ("disabled and stuck", one_that_is_disabled_and_can_not_be_ended_is_disabled),
    ("deaf at the end", a_daemon_that_stops_kills_who_does_not_listen),
];

#[test]
fn services_that_hang_are_found_and_ended() {
    let _quiet = quiet();
    let named = |(name, case): (&str, fn())| {
        let thread = std::thread::Builder::new().name(name.to_owned());
        (name.to_owned(), thread.spawn(case).unwrap())
    };
    let failed = CASES
        .map(named)
        .into_iter()
        .filter_map(|(name, thread)| thread.join().is_err().then_some(name));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<String>::new());
}

const SILENT: &str = "hangs: it did not answer its heartbeat within 10 s";

/// Has a service hang, sends it something, and returns what becomes of it: state and reason.
fn hangs(kind: Kind, what: &str) -> (Host, Option<u64>, (String, String)) {
    let mut host = kind.start(&then(what), "");
    let mut neighbours = Neighbours::at(host.place());
    host.administrator.message("probe.tried");
    host.administrator.wait_for("probe", "running");
    let pid = host.administrator.row("probe")["pid"].as_u64();
    host.administrator.publish("probe.ask", &json!(1)).unwrap();
    // It takes its time to be found, and nobody else notices.
    neighbours.talk();
    assert_eq!(host.administrator.turn("probe").0, "stopping");
    neighbours.talk();
    let turn = host.administrator.turn("probe");
    neighbours.end();
    (host, pid, turn)
}

fn one_that_waits_for_ever_inside_the_daemon_is_stopped_and_starts_again() {
    let (mut host, _, turn) = hangs(Kind::Inside, "hang");
    assert_eq!(turn, ("waiting".to_owned(), SILENT.to_owned()));
    host.administrator.wait_for("probe", "running");
}

fn one_that_never_awaits_inside_the_daemon_is_left_alone_and_failed() {
    let (mut host, _, (state, reason)) = hangs(Kind::Inside, "block");
    assert_eq!(state, "failed");
    assert!(reason.starts_with("its thread never awaits"), "{reason}");
    let row = host.administrator.row("probe");
    assert_eq!((&row["client"], &row["enabled"]), (&Value::Null, &json!(true)));
    // Nothing of it is on the bus, and the daemon stops all the same.
    let clients = host.administrator.ask("bus.clients", &Value::Null).unwrap();
    assert!(clients.as_array().unwrap().iter().all(|client| client["service"].is_null()));
}

fn one_that_is_disabled_and_can_not_be_ended_is_disabled() {
    let mut host = Kind::Inside.start(&then("block"), "");
    host.administrator.message("probe.tried");
    host.administrator.wait_for("probe", "running");
    host.administrator.publish("probe.ask", &json!(1)).unwrap();
    host.administrator.change("services.disable", "probe").unwrap();
    assert_eq!(host.administrator.turn("probe").0, "stopping");
    let (state, reason) = host.administrator.turn("probe");
    assert_eq!(state, "disabled");
    assert!(reason.starts_with("its thread never awaits"), "{reason}");
}

fn one_that_hangs_in_python_is_told_to_end_and_starts_again() {
    let (mut host, pid, turn) = hangs(Kind::Python, "hang");
    assert_eq!(turn, ("waiting".to_owned(), SILENT.to_owned()));
    wait_until_gone(pid.unwrap());
    host.administrator.wait_for("probe", "running");
}

fn one_that_hangs_and_ignores_that_is_killed() {
    let (mut host, pid, turn) = hangs(Kind::Python, "deaf");
    assert_eq!(turn, ("waiting".to_owned(), SILENT.to_owned()));
    wait_until_gone(pid.unwrap());
    host.administrator.wait_for("probe", "running");
}

fn one_that_never_comes_is_not_waited_for() {
    let mut host = Kind::Python.start(&then("mute"), "");
    let pid = host.administrator.row("probe")["pid"].as_u64();
    let reason = "did not subscribe to its heartbeat within 10 s";
    let turns = [(); 2].map(|()| host.administrator.turn("probe"));
    assert_eq!(turns[0].0, "stopping");
    assert_eq!(turns[1], ("waiting".to_owned(), reason.to_owned()));
    wait_until_gone(pid.unwrap());
}

/// While nothing is sent to them, none is asked: what hangs and has nothing to do harms nobody. And
/// one that answers is asked as long as something comes, and left alone.
fn one_that_answers_its_heartbeat_goes_on() {
    for kind in [Kind::Python, Kind::Inside] {
        let mut host = kind.start(&then("answer"), "");
        host.administrator.message("probe.tried");
        host.administrator.wait_for("probe", "running");
        let subscribed = host.administrator.subscribe("self.services.heartbeat.probe");
        subscribed.unwrap();
        host.administrator.publish("probe.ask", &json!(1)).unwrap();
        host.administrator.message("services.heartbeat.probe");
        host.administrator.publish("probe.ask", &json!(1)).unwrap();
        // The second comes only when the first was answered.
        host.administrator.message("services.heartbeat.probe");
        assert_eq!(host.administrator.row("probe")["state"], "running");
    }
}

fn a_daemon_that_stops_kills_who_does_not_listen() {
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&then("deaf"), ""));
    administrator.change("services.enable", "probe").unwrap();
    administrator.message("probe.tried");
    let place = daemon.place().clone();
    let began = Instant::now();
    // Nothing is started while it stops, nor again.
    daemon.process().signal(Signal::TERM);
    assert_eq!(administrator.wait_for("probe", "stopping"), "");
    for topic in ["services.enable", "services.restart"] {
        assert_eq!(administrator.change(topic, "probe").unwrap_err().0, "shutting-down");
    }
    assert_eq!(administrator.row("probe")["state"], "stopping");
    let ended = daemon.wait();
    assert!(ended.status.success() && !has_ended_well(&place), "{ended:?}");
    assert!(began.elapsed() < PATIENCE, "it waited for {:?}", began.elapsed());
    assert_eq!(left(&place), Vec::<String>::new());
}

fn one_that_is_disabled_and_does_not_listen_is_killed() {
    let mut host = Kind::Python.start(&then("deaf"), "");
    host.administrator.message("probe.tried");
    let pid = host.administrator.row("probe")["pid"].as_u64().unwrap();
    host.administrator.wait_for("probe", "running");
    let row = host.administrator.change("services.disable", "probe").unwrap();
    assert_eq!(row["state"], "stopping");
    assert_eq!(host.administrator.turn("probe").0, "stopping");
    assert_eq!(host.administrator.turn("probe").0, "disabled");
    wait_until_gone(pid);
}
