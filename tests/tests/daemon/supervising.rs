//! What whoever runs the daemon is told: that it is ready, alive, reloading, stopping.

use crate::door::{Client, JsonLines, Operation};
use crate::process::{Place, Process, Supervisor, dial};
use rustix::process::Signal;

/// A daemon that tells this supervisor, whose watchdog waits so many microseconds.
fn start(place: &Place, supervisor: &Supervisor, watchdog_usec: Option<&str>) -> Process {
    let mut command = place.command();
    supervisor.watch(&mut command, watchdog_usec);
    Process::start(&mut command)
}

#[test]
fn ready_is_said_when_programs_can_connect() {
    let place = Place::new("");
    let supervisor = Supervisor::new(&place);
    let mut process = start(&place, &supervisor, None);
    let socket = place.socket();
    assert_eq!(supervisor.told(), format!("READY=1\nSTATUS=Serving {}", socket.display()));
    // No waiting and no trying again: it can.
    Client::new(JsonLines::new(dial(&socket))).done(&Operation::Ping);
    process.signal(Signal::TERM);
    assert_eq!(supervisor.told(), "STOPPING=1\nSTATUS=Stopping: SIGTERM");
    assert_eq!(process.wait().status.code(), Some(0));
}

#[test]
fn a_reload_is_told_from_its_begin_to_its_end() {
    let place = Place::new("");
    let supervisor = Supervisor::new(&place);
    let process = start(&place, &supervisor, None);
    assert!(supervisor.told().starts_with("READY=1\n"));
    for _ in 0..2 {
        process.signal(Signal::HUP);
        let told = supervisor.told();
        let usec = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.parse::<u64>().unwrap() > 0, "{told}");
        assert_eq!(supervisor.told(), "READY=1\nSTATUS=Serving; configuration read again");
    }
}

#[test]
fn the_watchdog_hears_of_it_for_as_long_as_it_has_its_turns() {
    let place = Place::new("");
    let supervisor = Supervisor::new(&place);
    let process = start(&place, &supervisor, Some("100000"));
    assert!(supervisor.told().starts_with("READY=1\n"));
    for _ in 0..4 {
        assert_eq!(supervisor.told(), "WATCHDOG=1");
    }
    // A process that has no turns says nothing. What it said before it was stopped is read first.
    process.signal(Signal::STOP);
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    while !state().contains(") T ") {
        std::thread::yield_now();
    }
    supervisor.forget();
    let silence = std::time::Duration::from_millis(300);
    assert_eq!(supervisor.told_within(silence), None);
    process.signal(Signal::CONT);
    assert_eq!(supervisor.told(), "WATCHDOG=1");
}

#[test]
fn another_process_s_watchdog_is_not_ours() {
    let place = Place::new("");
    let supervisor = Supervisor::new(&place);
    let mut command = place.command();
    supervisor.watch(&mut command, Some("2000"));
    command.env("WATCHDOG_PID", "1");
    let mut process = Process::start(&mut command);
    assert!(supervisor.told().starts_with("READY=1\n"));
    let mut client = Client::new(JsonLines::new(dial(&place.socket())));
    client.pass_ms(50);
    process.signal(Signal::TERM);
    assert!(supervisor.told().starts_with("STOPPING=1\n"), "nothing came in between");
    drop(client);
    process.wait();
}

#[test]
fn a_manager_that_has_gone_is_no_reason_to_go_too() {
    let place = Place::new("");
    let supervisor = Supervisor::new(&place);
    let mut command = place.command();
    supervisor.watch(&mut command, Some("20000"));
    drop(supervisor);
    std::fs::remove_file(place.path().join("notify")).unwrap();
    let daemon = place.start_by(&mut command);
    daemon.process().wait_for_stderr(|text| text.contains("can't tell the service manager"));
    Client::new(JsonLines::new(daemon.dial())).done(&Operation::Ping);
    let ended = daemon.stop();
    assert_eq!(ended.status.code(), Some(0));
    let said = ended.stderr.matches("can't tell the service manager").count();
    assert_eq!(said, 1, "{}", ended.stderr);
}
