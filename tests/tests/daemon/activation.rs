//! A socket that systemd passes: programs connect before the daemon runs, and lose nothing.

use crate::door::{Client, JsonLines, Operation};
use crate::process::{PROGRAM, Place, Process, dial};
use rustix::process::Signal;
use std::process::Command;

/// `systemd-socket-activate`, which becomes the daemon when somebody connects.
fn activator(place: &Place, sockets: &[&str]) -> Command {
    let mut command = Place::bare("systemd-socket-activate");
    for socket in sockets {
        command.arg(format!("--listen={}", place.path().join(socket).display()));
    }
    // The socket's own path is systemd's choice; the one that is configured is not used.
    command.arg(PROGRAM).arg("--config").arg(place.path().join("config.toml"));
    command.arg("--socket").arg(place.socket()).arg("--state").arg(place.state());
    command
}

#[test]
fn the_first_connection_starts_it_and_is_served() {
    if !kith_tests::require("systemd-socket-activate") {
        return;
    }
    let place = Place::new("");
    let mut process = Process::start(&mut activator(&place, &["passed.sock"]));
    process.wait_for_stderr(|text| text.contains("Listening on"));
    let passed = place.path().join("passed.sock");
    let mut client = Client::new(JsonLines::new(dial(&passed)));
    client.subscribe_retained(1, "self.bus.ready");
    let ready = client.message_on(1).value();
    assert_eq!(ready["pid"], process.id(), "it is the very process that was started");
    let mut second = Client::new(JsonLines::new(dial(&passed)));
    second.done(&Operation::Ping);
    assert!(!place.socket().exists(), "it makes no socket of its own");
    process.signal(Signal::TERM);
    let ended = process.wait();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("from_systemd=true"), "{ended:?}");
    assert!(passed.exists(), "the socket is systemd's to remove");
}

#[test]
fn two_sockets_are_one_too_many() {
    if !kith_tests::require("systemd-socket-activate") {
        return;
    }
    let place = Place::new("");
    let mut process = Process::start(&mut activator(&place, &["one.sock", "two.sock"]));
    process.wait_for_stderr(|text| text.contains("two.sock as 4"));
    let _first = dial(&place.path().join("one.sock"));
    let ended = process.wait();
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    assert!(ended.stderr.contains("ListenStream="), "{ended:?}");
}
