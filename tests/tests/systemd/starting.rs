//! What the files have the daemon do, without a manager: started by a socket that is passed, as the
//! units say, and by a session bus, as its service file says.

use super::{template, value};
use crate::door::{Client, JsonLines, Operation};
use crate::process::{PROGRAM, Place, Process, Supervisor, dial};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn the_service_starts_by_the_socket_and_tells_that_it_is_ready_and_alive() {
    if !kith_tests::require("systemd-socket-activate") {
        return;
    }
    let place = Place::new("");
    let (service, socket) = (template("kith.service", PROGRAM), template("kith.socket", PROGRAM));
    let listen = value(&socket, "ListenStream").replace("%t", place.path().to_str().unwrap());
    fs::create_dir(place.path().join("kith")).unwrap();
    assert_eq!(value(&service, "WatchdogSec"), "3min");
    let supervisor = Supervisor::new(&place);
    let mut command = Place::bare("systemd-socket-activate");
    command.arg(format!("--listen={listen}")).args(["-E", "NOTIFY_SOCKET", "-E", "WATCHDOG_USEC"]);
    for name in ["HOME", "XDG_RUNTIME_DIR"] {
        command.arg("-E").arg(name).env(name, place.path());
    }
    // A thousandth of what the unit says, so that it is seen.
    supervisor.watch(&mut command, Some("180000"));
    command.args(value(&service, "ExecStart").split(' '));
    let mut process = Process::start(&mut command);
    process.wait_for_stderr(|text| text.contains("Listening on"));
    let mut client = Client::new(JsonLines::new(dial(listen.as_ref())));
    client.done(&Operation::Ping);
    let told = supervisor.told();
    assert_eq!(told, format!("READY=1\nSTATUS=Serving {listen}"));
    assert_eq!(supervisor.told(), "WATCHDOG=1");
    process.signal(Signal::HUP);
    let reloading = |told: &String| told.starts_with("RELOADING=1\nMONOTONIC_USEC=");
    assert!((0..20).map(|_| supervisor.told()).any(|told| reloading(&told)));
    process.signal(Signal::TERM);
    assert_eq!(process.wait().status.code(), Some(0));
    assert!(fs::exists(&listen).unwrap(), "the socket is the other unit's");
}

/// A session bus that knows our service file, and nothing else.
fn session_bus(place: &Place) -> (Process, String) {
    let services = place.path().join("data/dbus-1/services");
    fs::create_dir_all(&services).unwrap();
    let name = "org.kithbus.Bus1.service";
    fs::write(services.join(name), template(name, PROGRAM)).unwrap();
    let mut command = Place::bare("dbus-daemon");
    command.args(["--session", "--nofork", "--print-address", "--nopidfile"]);
    command.env("XDG_DATA_HOME", place.path().join("data")).env("XDG_DATA_DIRS", "/none");
    command.env("XDG_RUNTIME_DIR", place.path()).env("HOME", place.path());
    let process = Process::start(&mut command);
    let address = process.wait_for_stdout(|text| text.ends_with('\n'));
    (process, address.trim().to_owned())
}

#[test]
fn a_call_of_its_name_starts_it_and_it_ends_with_the_bus_that_started_it() {
    if !kith_tests::require("dbus-daemon") || !kith_tests::require("busctl") {
        return;
    }
    let place = Place::new("");
    let service = template("org.kithbus.Bus1.service", PROGRAM);
    assert_eq!(value(&service, "Name"), "org.kithbus.Bus1");
    assert_eq!(value(&service, "SystemdService"), "kith.service");
    let (bus, address) = session_bus(&place);
    let call = |method: &str| {
        let mut command = Place::bare("busctl");
        command.arg(format!("--address={address}")).arg("call");
        command.args(["org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"]);
        Process::run(command.args([method, "s", "org.kithbus.Bus1"]))
    };
    let mut hello = Place::bare("busctl");
    hello.arg(format!("--address={address}")).arg("call");
    let (name, path) = ("org.kithbus.Bus1", "/org/kithbus/Bus1");
    hello.args([name, path, name, "Hello", "a{sv}", "0"]);
    let answer = Process::run(&mut hello);
    assert!(answer.stdout.contains("payload_bytes_max"), "{answer:?}");
    let found = call("GetConnectionUnixProcessID").stdout;
    let pid = found.trim().strip_prefix("u ").and_then(|pid| pid.parse().ok()).unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    let socket = place.path().join("kith/bus.sock");
    Client::new(JsonLines::new(dial(&socket))).done(&Operation::Ping);

    bus.signal(Signal::TERM);
    bus.wait_for_stderr(|text| text.contains("the session bus that started the daemon has ended"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while test_kill_process(pid).is_ok() && !is_over(pid) {
        if Instant::now() > deadline {
            let _ = kill_process(pid, Signal::KILL);
            panic!("it outlives its session bus");
        }
        std::thread::yield_now();
    }
    assert!(!socket.exists());
}

/// Whether a process has ended and nobody has asked how.
fn is_over(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.contains(") Z "))
}
