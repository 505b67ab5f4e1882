//! Services that fail: alone, with a reason that is told, and again and again only so often.

use super::{Host, Kind, Neighbours, Talking, real, then, wait_until_gone};
use kith_tests::require;
use serde_json::{Value, json};
use std::time::Instant;

/// What becomes of a service that fails at each start, after it was enabled: the reasons.
fn three_failures(host: &mut Host) -> Vec<String> {
    let administrator = &mut host.administrator;
    let mut reasons = Vec::new();
    for nth in 1..=3 {
        assert_eq!(administrator.turn("probe").0, "running", "{reasons:?}");
        let (mut state, mut reason) = administrator.turn("probe");
        if state == "stopping" {
            // What the bus holds against it comes before its own end.
            (state, reason) = administrator.turn("probe");
        }
        reasons.push(reason);
        if nth < 3 {
            assert_eq!(state, "waiting", "{reasons:?}");
            let (state, reason) = administrator.turn("probe");
            assert_eq!((state.as_str(), reason.as_str()), ("starting", reasons[nth - 1].as_str()));
        } else {
            assert_eq!(state, "failed", "{reasons:?}");
        }
    }
    reasons
}

fn fails(kind: Kind, what: &str, more: &str, wanted: &str) {
    let mut host = Host::new(&kind.configuration(&then(what), more));
    let talking = Talking::at(host.place());
    let began = Instant::now();
    host.enable("probe");
    let reasons = three_failures(&mut host);
    assert_eq!(reasons[..2], [wanted, wanted], "{kind:?}");
    assert_eq!(reasons[2], format!("{wanted}; failed 3 times right after its start"), "{kind:?}");
    // Half a second, and then a whole one, each by a quarter more or less.
    assert!(began.elapsed().as_millis() >= 375 + 750, "{kind:?}: {:?}", began.elapsed());
    let row = host.administrator.row("probe");
    assert_eq!((&row["state"], &row["restarts"]), (&json!("failed"), &json!(2)));
    assert_eq!(
        (&row["client"], &row["pid"], &row["retry_at"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(row["enabled"], true);
    talking.stop();
    // Somebody who has mended it starts it anew, and it has its three chances again.
    host.administrator.change("services.restart", "probe").unwrap();
    assert_eq!(host.administrator.wait_for("probe", "waiting"), wanted);
}

#[test]
fn one_that_panics_inside_the_daemon_fails_alone() {
    fails(Kind::Inside, "panic", "", "panicked: as it was told to");
}

#[test]
fn one_that_panics_in_rust_fails_alone() {
    fails(Kind::Rust, "panic", "", "ended with exit code 101");
}

#[test]
fn one_that_raises_in_python_fails_alone() {
    if !require("python3") {
        return;
    }
    fails(Kind::Python, "panic", "", "ended with exit code 1");
}

#[test]
fn one_that_returns_an_error_says_which() {
    fails(Kind::Inside, "fail", "", "as it was told to");
}

const SLOW: &str = "publishes_per_second_max = 1000";
const FLOODS: &str = "floods the bus: more than 1000 messages a second, and goes on";

#[test]
fn one_that_floods_inside_the_daemon_is_cut_off() {
    fails(Kind::Inside, "flood", SLOW, FLOODS);
}

#[test]
fn one_that_floods_in_rust_is_cut_off() {
    fails(Kind::Rust, "flood", SLOW, FLOODS);
}

#[test]
fn one_that_floods_in_python_is_cut_off() {
    if !require("python3") {
        return;
    }
    fails(Kind::Python, "flood", SLOW, FLOODS);
}

#[test]
fn one_that_says_so_is_not_started_again() {
    if !require("python3") {
        return;
    }
    for (kind, reason) in [
        (Kind::Inside, "as it was told to"),
        (Kind::Rust, "ended with exit code 78"),
        (Kind::Python, "ended with exit code 78"),
    ] {
        let mut host = kind.start(&then("fatal"), "");
        assert_eq!(host.administrator.turn("probe").0, "running");
        let told = format!("{reason}; it says that to start it again can't help");
        assert_eq!(host.administrator.turn("probe"), ("failed".to_owned(), told), "{kind:?}");
        assert_eq!(host.administrator.row("probe")["restarts"], 0);
    }
}

#[test]
fn one_that_ends_by_itself_is_started_again() {
    if !require("python3") {
        return;
    }
    let mut host = Kind::Python.start(&json!({"then": "code", "code": 0}), "");
    assert_eq!(host.administrator.wait_for("probe", "waiting"), "ended by itself");
    let row = host.administrator.row("probe");
    assert!(row["retry_at"].as_u64() > row["since"].as_u64(), "{row}");
    host.administrator.wait_for("probe", "running");
}

#[test]
fn one_that_can_not_be_started_says_why() {
    let manifest = super::MANIFEST;
    let configuration =
        format!("[services.probe]\ncommand = ['./not-there']\nmanifest = '{manifest}'\n");
    let mut host = Host::new(&configuration);
    host.administrator.change("services.enable", "probe").unwrap();
    let reason = host.administrator.wait_for("probe", "waiting");
    assert!(reason.ends_with("not-there: No such file or directory (os error 2)"), "{reason}");
}

/// Kills the process of the tests' service, and waits until another runs.
fn kill_it(host: &mut Host) {
    let number = host.administrator.row("probe")["pid"].as_u64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(number).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(host.administrator.wait_for("probe", "waiting"), "was ended by signal 9");
    wait_until_gone(number);
    host.administrator.wait_for("probe", "running");
}

#[test]
fn one_that_is_killed_is_started_again() {
    for kind in Kind::all().into_iter().filter(|kind| *kind != Kind::Inside) {
        let mut host = kind.start(&then("answer"), "");
        let mut neighbours = Neighbours::at(host.place());
        host.administrator.wait_for("probe", "running");
        kill_it(&mut host);
        neighbours.talk();
        kill_it(&mut host);
        assert_eq!(host.administrator.row("probe")["restarts"], 2);
        neighbours.end();
    }
}

#[test]
fn the_log_names_who_failed_and_why() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&then("fatal"), ""));
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_for("probe", "running");
    while administrator.turn("probe").0 != "failed" {}
    let log = daemon.stop().stderr;
    let line = log.lines().find(|line| line.contains("ERROR")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("service=\"probe\"") && line.contains("exit code 78"), "{line}");
}
