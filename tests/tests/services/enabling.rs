//! Enabling grants a service what its manifest asks for then, and nothing that it asks for later.

use super::{Administrator, Host, Kind, PYTHON, then};
use crate::process::Place;
use kith_tests::require;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// A place whose service, in Python, has this manifest.
fn place(manifest: &str) -> (Place, PathBuf) {
    let configuration = format!("[services.probe]\ncommand = ['{PYTHON}']\nmanifest = 'm.toml'\n");
    let place = Place::new(&configuration);
    let file = place.path().join("m.toml");
    fs::write(&file, manifest).unwrap();
    (place, file)
}

const SMALL: &str = "name = 'probe'\nversion = '1'\npublishes = ['probe.>']\n\
                     subscribes = ['self.probe.ask']\n";

#[test]
fn a_manifest_that_asks_for_what_nobody_may_have_is_refused_with_its_line() {
    if !require("python3") {
        return;
    }
    for (line, said) in [
        ("publishes = ['bus.>']", "3"),
        ("publishes = ['a', 'bus.ready']", "3"),
        ("publishes = ['a..b']", "3"),
        ("publishes = ['services.state']", "3"),
        ("publishes = ['envelope.sent']", "3"),
        ("subscribes = ['probe.ask']", "3"),
        ("roles = ['king']", "3"),
        ("publish = []", "3"),
        ("network = 1", "3"),
    ] {
        let (place, file) = place(&format!("name = 'probe'\nversion = '1'\n{line}\n"));
        let mut host = Host::at(place);
        let refused = host.administrator.change("services.enable", "probe").unwrap_err();
        assert_eq!(refused.0, "bad-field", "{line}");
        let at = format!("{}:{said}", file.display());
        assert!(refused.1.contains(&at), "{line}: {}", refused.1);
        assert!(refused.1.contains(line), "it does not show the line: {}", refused.1);
        let row = host.administrator.row("probe");
        assert_eq!((&row["enabled"], &row["state"]), (&json!(false), &json!("disabled")));
        assert!(row["reason"].as_str().unwrap().contains(&at), "{row}");
    }
}

#[test]
fn a_manifest_that_is_of_another_or_not_there_is_refused() {
    if !require("python3") {
        return;
    }
    let (other, file) = place("name = 'other'\nversion = '1'\n");
    let (missing, missing_file) = place(SMALL);
    fs::remove_file(&missing_file).unwrap();
    let nowhere = Place::new("[services.probe]\ncommand = ['python3', '-V']\n");
    let (file, missing_file) = (file.display(), missing_file.display());
    for (place, said) in [
        (other, format!("{file}: `name` is \"other\"")),
        (missing, format!("its manifest {missing_file} can't be read: No such file")),
        (nowhere, "it has no manifest: say where it is, with `manifest = \"FILE\"`".to_owned()),
    ] {
        let mut host = Host::at(place);
        let refused = host.administrator.change("services.enable", "probe").unwrap_err();
        assert_eq!(refused.0, "bad-field");
        assert!(refused.1.starts_with(&said), "{}", refused.1);
        assert_eq!(host.administrator.row("probe")["enabled"], false);
    }
}

#[test]
fn what_a_manifest_asks_for_later_has_to_be_granted_again() {
    if !require("python3") {
        return;
    }
    let (place, file) = place(SMALL);
    let mut host = Host::at(place);
    host.enable("probe");
    host.administrator.wait_for("probe", "running");
    // Another version of it wants no more, and starts.
    fs::write(&file, SMALL.replace("'1'", "'2'")).unwrap();
    host.administrator.change("services.restart", "probe").unwrap();
    host.administrator.wait_for("probe", "running");
    assert_eq!(host.administrator.row("probe")["version"], "2");
    // A third does.
    let more = "network = true\n".to_owned() + &SMALL.replace("'probe.>'", "'probe.>', 'more.>'");
    fs::write(&file, more).unwrap();
    host.administrator.change("services.restart", "probe").unwrap();
    let reason = host.administrator.wait_for("probe", "refused");
    for part in ["`publishes` \"more.>\"", "network", "`kith services enable probe`"] {
        assert!(reason.replace("publishes \"", "`publishes` \"").contains(part), "{reason}");
    }
    let row = host.administrator.row("probe");
    assert_eq!((&row["enabled"], &row["pid"]), (&json!(true), &Value::Null));
    assert!(row["reason"].as_str().unwrap().contains("more.>"), "{row}");
    // To start it anew does not grant it; somebody has to agree.
    host.administrator.change("services.restart", "probe").unwrap();
    assert_eq!(host.administrator.row("probe")["state"], "refused");
    host.administrator.change("services.enable", "probe").unwrap();
    host.administrator.wait_for("probe", "running");
    assert_eq!(host.administrator.row("probe")["reason"], Value::Null);
}

/// What a manifest asks for, as it is shown and granted.
fn rights(row: &Value) -> Value {
    let of_it = ["roles", "publishes", "subscribes", "network", "disk"];
    of_it.iter().map(|key| ((*key).to_owned(), row[*key].clone())).collect()
}

#[test]
fn what_is_granted_is_what_was_seen_or_nothing() {
    if !require("python3") {
        return;
    }
    let (place, file) = place(SMALL);
    let mut host = Host::at(place);
    let shown = host.administrator.row("probe");
    assert_eq!(shown["granted"], Value::Null);
    let asked = json!({"name": "probe", "asked": rights(&shown)});
    let more = SMALL.replace("'probe.>'", "'probe.>', 'more.>'");
    fs::write(&file, &more).unwrap();
    let refused = host.administrator.ask("services.enable", &asked).unwrap_err();
    assert_eq!(refused.0, "bad-field");
    assert!(refused.1.contains("`probe` has changed meanwhile: look again"), "{}", refused.1);
    let row = host.administrator.row("probe");
    assert_eq!((&row["enabled"], &row["granted"]), (&json!(false), &Value::Null));
    // Whoever looks sees it as it is now.
    assert_eq!(row["publishes"], json!(["probe.>", "more.>"]));
    fs::write(&file, SMALL).unwrap();
    assert_eq!(rights(&host.administrator.row("probe")), rights(&shown));
    host.administrator.ask("services.enable", &asked).unwrap();
    host.administrator.wait_for("probe", "running");
    let row = host.administrator.row("probe");
    assert_eq!((&row["granted"], &rights(&row)), (&rights(&shown), &rights(&shown)));
    host.administrator.change("services.disable", "probe").unwrap();
    host.administrator.wait_for("probe", "disabled");
    assert_eq!(host.administrator.row("probe")["granted"], Value::Null);
}

#[test]
fn one_that_runs_starts_anew_when_it_is_granted_something_else() {
    if !require("python3") {
        return;
    }
    let (place, file) = place(SMALL);
    let mut host = Host::at(place);
    host.enable("probe");
    host.administrator.wait_for("probe", "running");
    let row = host.administrator.row("probe");
    // What it has already changes nothing.
    let again = host.administrator.change("services.enable", "probe").unwrap();
    assert_eq!((&again["state"], &again["pid"]), (&json!("running"), &row["pid"]));
    fs::write(&file, SMALL.replace("'probe.>'", "'probe.>', 'more.>'")).unwrap();
    // One that runs is shown with what it was started with, until somebody wants it changed.
    let asked = json!({"name": "probe", "asked": rights(&host.administrator.row("probe"))});
    assert_eq!(asked["asked"], row["granted"]);
    assert_eq!(host.administrator.ask("services.enable", &asked).unwrap_err().0, "bad-field");
    let shown = host.administrator.row("probe");
    assert_eq!((&shown["pid"], &shown["granted"]), (&row["pid"], &row["granted"]));
    let asked = json!({"name": "probe", "asked": rights(&shown)});
    let changed = host.administrator.ask("services.enable", &asked).unwrap();
    assert_eq!((&changed["state"], &changed["granted"]), (&json!("stopping"), &asked["asked"]));
    let turns = [(); 3].map(|()| host.administrator.turn("probe").0);
    assert_eq!(turns, ["stopping", "starting", "running"]);
    let after = host.administrator.row("probe");
    assert_ne!(after["pid"], row["pid"]);
    assert_eq!((&after["restarts"], &after["granted"]), (&json!(0), &asked["asked"]));
}

#[test]
fn what_is_there_can_be_changed_and_nothing_else() {
    let mut host = Host::new(&Kind::Inside.configuration(&then("answer"), ""));
    for topic in ["services.enable", "services.disable", "services.restart", "services.logs"] {
        let refused = host.administrator.change(topic, "nobody").unwrap_err();
        assert_eq!(refused.0, "not-available", "{topic}");
        assert!(refused.1.contains("no service of this name"), "{}", refused.1);
        let refused = host.administrator.ask(topic, &json!({"names": 1})).unwrap_err();
        assert_eq!(refused.0, "bad-field", "{topic}");
        assert!(refused.1.contains("`names`"), "{}", refused.1);
    }
    let refused = host.administrator.change("services.restart", "probe").unwrap_err();
    assert!(refused.1.contains("`kith services enable probe`"), "{}", refused.1);
    let row = host.administrator.change("services.disable", "probe").unwrap();
    assert_eq!((&row["state"], &row["enabled"]), (&json!("disabled"), &json!(false)));
}

#[test]
fn nothing_is_half_enabled_where_nothing_can_be_kept() {
    if !require("python3") {
        return;
    }
    let mut host = Host::new(&Kind::Python.configuration(&then("answer"), ""));
    let state = host.place().state();
    // What is written first can't be, as on a disk that is full or can't be written to.
    fs::create_dir(state.join("services.new")).unwrap();
    let refused = host.administrator.change("services.enable", "probe").unwrap_err();
    assert_eq!(refused.0, "not-available");
    assert!(refused.1.starts_with("what is enabled can't be kept: "), "{}", refused.1);
    let row = host.administrator.row("probe");
    assert_eq!((&row["enabled"], &row["state"]), (&json!(false), &json!("disabled")));
    let refused = host.administrator.change("services.restart", "probe").unwrap_err();
    assert!(refused.1.contains("is not enabled"), "{}", refused.1);
    fs::remove_dir(state.join("services.new")).unwrap();
    host.enable("probe");
    host.administrator.wait_for("probe", "running");
    // Nor half disabled.
    fs::create_dir(state.join("services.new")).unwrap();
    let refused = host.administrator.change("services.disable", "probe").unwrap_err();
    assert_eq!(refused.0, "not-available");
    let row = host.administrator.row("probe");
    assert_eq!((&row["enabled"], &row["state"]), (&json!(true), &json!("running")));
    // Grants the same.
    fs::create_dir(state.join("grants.new")).unwrap();
    let grant = json!({"subject": "sandbox", "right": "reserved"});
    let refused = host.administrator.ask("bus.grants.add", &grant).unwrap_err();
    assert_eq!(refused.0, "not-available");
    assert_eq!(host.administrator.ask("bus.grants.list", &Value::Null).unwrap(), json!([]));
}

#[test]
fn a_service_without_a_directory_of_its_own_is_not_started() {
    if !require("python3") {
        return;
    }
    let host = Host::new(&Kind::Python.configuration(&then("answer"), ""));
    fs::write(host.place().state().join("services"), "in the way").unwrap();
    let mut host = host;
    host.administrator.change("services.enable", "probe").unwrap();
    let reason = host.administrator.wait_for("probe", "waiting");
    assert!(reason.starts_with("its directory: "), "{reason}");
}

#[test]
fn who_may_only_look_changes_nothing() {
    let mut host = Kind::Inside.start(&then("answer"), "");
    let mut program = Administrator::program(host.place());
    assert_eq!(program.row("probe")["enabled"], true);
    for (topic, payload) in [
        ("services.enable", json!({"name": "probe"})),
        ("services.disable", json!({"name": "probe"})),
        ("services.restart", json!({"name": "probe"})),
        ("bus.grants.add", json!({"subject": "sandbox", "right": "reserved"})),
        ("bus.grants.revoke", json!({"subject": "sandbox"})),
    ] {
        let refused = program.ask(topic, &payload).unwrap_err();
        assert_eq!(refused.0, "not-granted", "{topic}");
        assert!(refused.1.contains("`administration.key`"), "{}", refused.1);
    }
    host.administrator.wait_for("probe", "running");
    assert_eq!(host.administrator.row("probe")["restarts"], 0);
}
