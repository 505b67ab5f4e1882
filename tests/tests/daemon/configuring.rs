//! The questions that the daemon answers without running.

use crate::process::{PROGRAM, Place, Process};
use std::fs;

#[test]
fn the_printed_configuration_is_one_and_changes_nothing() {
    let place = Place::new("");
    let printed = Process::run(Place::bare(PROGRAM).arg("--print-config"));
    assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
    let file = place.path().join("printed.toml");
    fs::write(&file, &printed.stdout).unwrap();
    let checked =
        Process::run(Place::bare(PROGRAM).arg("--check-config").arg("--config").arg(&file));
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    // The limits of the document are its defaults.
    for default in ["\"16 MiB\"", "\"32 MiB\"", "524288", "131072", "4194304", "4096"] {
        assert!(printed.stdout.contains(default), "{default}");
    }
}

#[test]
fn a_wrong_configuration_starts_nothing_and_says_where() {
    let place = Place::new("[limits]\nclients_mx = 7\n");
    for arguments in [&["--check-config"][..], &[]] {
        let ended = Process::run(place.command().args(arguments));
        assert_eq!(ended.status.code(), Some(78), "{ended:?}");
        assert!(ended.stderr.contains("config.toml:2:1"), "{ended:?}");
        assert!(ended.stderr.contains("clients_max"), "what was meant is said: {ended:?}");
        assert!(!place.socket().exists() && !place.state().exists());
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let ended = Process::run(Place::bare(PROGRAM).arg("--sokcet"));
    assert_eq!(ended.status.code(), Some(64), "{ended:?}");
    let help = Process::run(Place::bare(PROGRAM).arg("--help"));
    assert!(help.status.success() && help.stdout.contains("--print-config"), "{help:?}");
}

#[test]
fn without_a_place_for_the_socket_it_says_how_to_give_one() {
    let ended = Process::run(&mut Place::bare(PROGRAM));
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    assert!(ended.stderr.contains("XDG_RUNTIME_DIR") && ended.stderr.contains("--socket"));
}
