//! Every service that ships, as an example or built in, under the conformance kit.
//!
//! Those in Rust are tried as the processes that they are from the same source as inside the
//! daemon; one that needs settings gets such as its page has. The bad one in Python shows that the
//! kit would say so.

use kith_kit::{Outcome, Program, Report, Verdict, choose};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// Tries a program with everything that can happen to it.
fn tried(program: &Program) -> (Report, Vec<Outcome>) {
    tried_with(program, &[])
}

/// The same with these, or everything.
fn tried_with(program: &Program, names: &[String]) -> (Report, Vec<Outcome>) {
    let scenarios = choose(names).unwrap();
    let mut found = Vec::new();
    let cancelled = AtomicBool::new(false);
    let report = kith_kit::run(program, &scenarios, &cancelled, |one| found.push(one.clone()));
    (report.unwrap(), found)
}

fn assert_good(program: &Program, passed_min: usize) {
    let (mut report, found) = tried(program);
    let is_fail = |one: &&Outcome| matches!(one.verdict, Verdict::Fail { .. });
    let failed: Vec<_> = found.iter().filter(is_fail).map(|one| one.name.to_owned()).collect();
    // Some limits are short, such as 2 s to end. A machine that is busy may be slower once; what is
    // wrong is wrong the second time, too.
    if !failed.is_empty() {
        let (again, found) = tried_with(program, &failed);
        assert_eq!(again.failed, 0, "{found:#?}");
        report.passed += again.passed;
    }
    assert!(report.passed >= passed_min, "{found:#?}");
}

/// A service in Rust as a process, with the manifest that it prints.
fn in_rust(executable: &str, folder: &Path) -> Program {
    let printed = Command::new(executable).arg("--manifest").output().unwrap();
    assert!(printed.status.success());
    let manifest = folder.join("manifest.toml");
    fs::write(&manifest, printed.stdout).unwrap();
    Program::find(&[OsString::from(executable)], Some(&manifest)).unwrap()
}

fn example(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    workspace.join("examples/services").join(name)
}

#[test]
fn hello_in_rust_is_a_good_service() {
    let folder = tempfile::tempdir().unwrap();
    assert_good(&in_rust(env!("CARGO_BIN_EXE_kith-tests-hello"), folder.path()), 9);
}

#[test]
fn echo_is_a_good_service() {
    let folder = tempfile::tempdir().unwrap();
    assert_good(&in_rust(env!("CARGO_BIN_EXE_kith-tests-echo"), folder.path()), 8);
}

#[test]
fn pipes_is_a_good_service() {
    let folder = tempfile::tempdir().unwrap();
    let settings = serde_json::json!({
        "device": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "read": folder.path().join("in"),
        "write": folder.path().join("out"),
    });
    let program = in_rust(env!("CARGO_BIN_EXE_kith-tests-pipes"), folder.path());
    assert_good(&program.with_settings(&settings.to_string()), 6);
}

#[test]
fn signals_is_a_good_service_also_where_there_is_no_session_bus() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = format!("unix:path={}", folder.path().join("nobody").display());
    let mirror = serde_json::json!({
        "bus": nowhere,
        "interface": "org.freedesktop.DBus",
        "topic": "dbus.names",
    });
    let settings = serde_json::json!({ "mirror": [mirror] });
    let program = in_rust(env!("CARGO_BIN_EXE_kith-tests-signals"), folder.path());
    assert_good(&program.with_settings(&settings.to_string()), 6);
}

#[test]
fn hello_in_python_is_a_good_service() {
    let program = Program::find(&[example("hello.py").into_os_string()], None).unwrap();
    assert_good(&program, 9);
}

#[test]
fn the_bad_one_in_python_is_found_out() {
    let program = Program::find(&[example("bad.py").into_os_string()], None).unwrap();
    let (report, found) = tried(&program);
    assert!(report.failed >= 3, "{found:#?}");
}
