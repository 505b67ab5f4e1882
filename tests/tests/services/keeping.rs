//! What stays when the daemon stops, and what a reload changes.

use super::{Administrator, Kind, MANIFEST, PYTHON, has_ended_well, quiet, real, real_at, then};
use crate::process::{Daemon, Place};
use kith_tests::require;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn mode(place: &Place, name: &str) -> u32 {
    fs::metadata(place.state().join(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_enabled_comes_back_and_what_is_disabled_does_not() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&then("answer"), ""));
    assert_eq!(administrator.row("probe")["state"], "disabled");
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_for("probe", "running");
    let place = daemon.place().clone();
    assert_eq!((mode(&place, "services.toml"), mode(&place, "administration.key")), (0o600, 0o600));
    daemon.stop();
    // Both after a good end, and after none.
    let (daemon, mut administrator) = real_at(&place);
    if administrator.row("probe")["state"] != "running" {
        administrator.wait_for("probe", "running");
    }
    daemon.kill();
    let (daemon, mut administrator) = real_at(&place);
    if administrator.row("probe")["state"] != "running" {
        administrator.wait_for("probe", "running");
    }
    administrator.change("services.disable", "probe").unwrap();
    administrator.wait_for("probe", "disabled");
    daemon.stop();
    let (daemon, mut administrator) = real_at(&place);
    let row = administrator.row("probe");
    assert_eq!((&row["state"], &row["enabled"]), (&json!("disabled"), &json!(false)));
    daemon.stop();
}

fn reload(daemon: &Daemon, configuration: &str) {
    fs::write(daemon.place().path().join("config.toml"), configuration).unwrap();
    daemon.process().signal(Signal::HUP);
}

/// A second service, from the same files under another name.
fn another(place: &Place) -> String {
    let manifest = fs::read_to_string(MANIFEST).unwrap().replace("\"probe\"", "\"other\"");
    fs::write(place.path().join("other.toml"), manifest).unwrap();
    format!("[services.other]\ncommand = ['{PYTHON}']\nmanifest = 'other.toml'\n")
}

#[test]
fn a_reload_adds_changes_and_removes_services() {
    if !require("python3") {
        return;
    }
    let _quiet = quiet();
    let first = Kind::Python.configuration(&then("answer"), "");
    let (daemon, mut administrator) = real(&first);
    let place = daemon.place().clone();
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_for("probe", "running");
    // Told to end before it has tried what it was to try, it would not leave its file.
    administrator.message("probe.tried");
    let pid = administrator.row("probe")["pid"].clone();
    // Another is added, and is not enabled by that; the first goes on as it was.
    let both = first + "\n" + &another(&place);
    reload(&daemon, &both);
    daemon.process().wait_for_stderr(|log| log.contains("configuration read again"));
    administrator.change("services.enable", "other").unwrap();
    administrator.wait_for("other", "running");
    administrator.message("probe.tried");
    assert_eq!(administrator.row("probe")["pid"], pid);
    // Other settings are another life.
    reload(&daemon, &both.replace("\"answer\"", "\"health\"\nhealth = []"));
    let turns = [(); 3].map(|()| administrator.turn("probe").0);
    assert_eq!(turns, ["stopping", "starting", "running"]);
    administrator.message("probe.tried");
    assert_eq!(administrator.row("other")["restarts"], 0);
    // What is not there any more ends, well, and is gone from the list.
    fs::remove_file(place.state().join("services/probe/ended")).unwrap();
    let other = another(&place);
    reload(&daemon, &other);
    assert_eq!(administrator.turn("probe").0, "stopping");
    let (state, reason) = administrator.turn("probe");
    assert_eq!((state.as_str(), reason.as_str()), ("disabled", "it is not configured any more"));
    assert!(has_ended_well(&place));
    assert!(administrator.rows().iter().all(|row| row["name"] != "probe"));
    // If it comes back, it is enabled as it was.
    reload(&daemon, &both);
    administrator.wait_for("probe", "running");
    assert_eq!(administrator.row("other")["state"], "running");
    daemon.stop();
}

#[test]
fn a_service_that_does_not_run_goes_and_comes_back_too() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&then("fatal"), ""));
    let (place, first) = (daemon.place().clone(), Kind::Python.configuration(&then("answer"), ""));
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_for("probe", "running");
    while administrator.turn("probe").0 != "failed" {}
    reload(&daemon, &another(&place));
    assert_eq!(administrator.turn("probe").0, "disabled");
    assert!(administrator.rows().iter().all(|row| row["name"] != "probe"));
    reload(&daemon, &first);
    administrator.wait_for("probe", "running");
    daemon.stop();
}

/// While it is still ending, too.
#[test]
fn a_service_that_goes_and_comes_back_at_once_runs() {
    if !require("python3") {
        return;
    }
    let first = Kind::Python.configuration(&then("answer"), "");
    let (daemon, mut administrator) = real(&first);
    let place = daemon.place().clone();
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_for("probe", "running");
    // Stopped, it ends only when it is let.
    let pid = administrator.row("probe")["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    reload(&daemon, &another(&place));
    assert_eq!(administrator.turn("probe").0, "stopping");
    reload(&daemon, &first);
    let count = |log: &str| log.matches("configuration read again").count();
    daemon.process().wait_for_stderr(|log| count(log) == 2);
    rustix::process::kill_process(pid, Signal::CONT).unwrap();
    administrator.wait_for("probe", "running");
    assert_eq!(administrator.row("probe")["enabled"], true);
    daemon.stop();
}

#[test]
fn damaged_files_are_put_aside_and_the_daemon_lives() {
    if !require("python3") {
        return;
    }
    let place = Place::new(&Kind::Python.configuration(&then("answer"), ""));
    fs::create_dir(place.state()).unwrap();
    fs::set_permissions(place.state(), fs::Permissions::from_mode(0o700)).unwrap();
    for (name, text) in [("services.toml", "[probe\n"), ("grants.toml", "[[grant]]\nfor = 'me'\n")]
    {
        fs::write(place.state().join(name), text).unwrap();
    }
    let (daemon, mut administrator) = real_at(&place);
    for (name, aside) in [("services.toml", "services.damaged"), ("grants.toml", "grants.damaged")]
    {
        assert!(place.state().join(aside).exists(), "{aside}");
        let log = daemon.process().stderr();
        let said = |line: &&str| line.contains("ERROR") && line.contains(name);
        assert_eq!(log.lines().filter(said).count(), 1, "{log}");
    }
    assert_eq!(administrator.row("probe")["enabled"], false);
    assert_eq!(administrator.ask("bus.grants.list", &Value::Null).unwrap(), json!([]));
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_for("probe", "running");
    daemon.stop();
}

#[test]
fn a_key_that_is_wrong_is_refused_and_the_right_one_stays_the_same() {
    let (daemon, _administrator) = real("");
    let place = daemon.place().clone();
    let key = fs::read_to_string(place.state().join("administration.key")).unwrap();
    assert_eq!(key.trim_end().len(), 32);
    for wrong in ["0", &"0".repeat(32), &key.trim_end()[..31]] {
        let refused = Administrator::program(&place).greet(wrong).unwrap_err();
        assert_eq!(refused.0, "bad-token");
        assert!(refused.1.contains("unknown"), "{}", refused.1);
    }
    daemon.stop();
    let (daemon, mut administrator) = real_at(&place);
    administrator.ask("bus.grants.list", &Value::Null).unwrap();
    assert_eq!(fs::read_to_string(place.state().join("administration.key")).unwrap(), key);
    daemon.stop();
}
