//! What the daemon makes when it starts, and what may be in its way.

use crate::door::{Client, Connection, Event, JsonLines, Operation};
use crate::process::{Place, Process, dial};
use kith_wire::Code;
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// What `sysexits.h` calls them.
const UNAVAILABLE: i32 = 69;
const CONFIGURATION: i32 = 78;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn serves(place: &Place) {
    Client::new(JsonLines::new(dial(&place.socket()))).done(&Operation::Ping);
}

#[test]
fn what_it_makes_is_for_its_user_alone() {
    let place = Place::new("");
    let _daemon = place.start();
    let socket = fs::metadata(place.socket()).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(mode(&place.socket()), 0o600);
    assert_eq!(mode(place.socket().parent().unwrap()), 0o700);
    assert_eq!(mode(&place.state()), 0o700);
    for folder in [place.socket().parent().unwrap(), &place.state()] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path) & 0o077, 0, "{path:?}");
        }
    }
}

#[test]
fn a_second_daemon_on_the_same_socket_says_who_has_it() {
    let place = Place::new("");
    let daemon = place.start();
    let ended = Process::run(&mut place.command_at(&place.socket(), &place.path().join("other")));
    assert_eq!(ended.status.code(), Some(UNAVAILABLE), "{ended:?}");
    for part in ["another daemon", "--socket", place.socket().to_str().unwrap()] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(ended.stderr.contains(&format!("process {}", daemon.process().id())), "{ended:?}");
    assert!(ended.stdout.is_empty());
    // The first one noticed nothing.
    serves(&place);
}

#[test]
fn a_second_daemon_on_the_same_state_says_who_has_it() {
    let place = Place::new("");
    let daemon = place.start();
    let other = place.path().join("other.sock");
    let ended = Process::run(&mut place.command_at(&other, &place.state()));
    assert_eq!(ended.status.code(), Some(UNAVAILABLE), "{ended:?}");
    for part in ["another daemon", "--state", &format!("process {}", daemon.process().id())] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(!other.exists());
    serves(&place);
}

#[test]
fn after_a_kill_the_next_one_takes_over_at_once() {
    let place = Place::new("");
    for _ in 0..3 {
        let daemon = place.start();
        serves(&place);
        daemon.kill();
        assert!(place.socket().exists(), "nobody was left to remove it");
    }
    place.start().stop();
    assert!(!place.socket().exists());
}

#[test]
fn a_socket_of_somebody_else_stays() {
    let place = Place::new("");
    fs::create_dir(place.socket().parent().unwrap()).unwrap();
    fs::set_permissions(place.socket().parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(place.socket()).unwrap();
    let ended = Process::run(&mut place.command());
    assert_eq!(ended.status.code(), Some(UNAVAILABLE), "{ended:?}");
    drop(dial(&place.socket()));
    listener.accept().unwrap();
}

#[test]
fn what_is_no_socket_stays() {
    for is_folder in [false, true] {
        let place = Place::new("");
        fs::create_dir_all(place.socket().parent().unwrap()).unwrap();
        fs::set_permissions(place.socket().parent().unwrap(), Permissions::from_mode(0o700))
            .unwrap();
        if is_folder {
            fs::create_dir(place.socket()).unwrap();
        } else {
            fs::write(place.socket(), "precious").unwrap();
        }
        let ended = Process::run(&mut place.command());
        assert_eq!(ended.status.code(), Some(CONFIGURATION), "{ended:?}");
        assert!(ended.stderr.contains("move it away"), "{ended:?}");
        assert!(is_folder || fs::read_to_string(place.socket()).unwrap() == "precious");
    }
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let place = Place::new("");
    let folder = place.socket().parent().unwrap().to_owned();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let ended = Process::run(&mut place.command());
    assert_eq!(ended.status.code(), Some(CONFIGURATION), "{ended:?}");
    assert!(ended.stderr.contains("chmod"), "{ended:?}");
}

/// As another user, connects to the socket that is named, and prints what it hears.
const OTHER_USER: &str = "
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
bus = socket.socket(socket.AF_UNIX)
bus.settimeout(20)
bus.connect(sys.argv[1])
print(bus.makefile().read(), end='')
";

#[test]
fn another_user_is_refused_where_the_modes_let_them_in() {
    let is_root = geteuid().is_root();
    if !kith_tests::require("python3") || !kith_tests::require_that(is_root, "user root") {
        return;
    }
    let place = Place::new("");
    let daemon = place.start();
    let folder = place.socket().parent().unwrap().to_owned();
    for path in [place.path(), &folder] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let program = |socket: &Path| {
        let mut command = Place::bare("python3");
        command.arg("-c").arg(OTHER_USER).arg(socket);
        Process::run(&mut command)
    };
    let ended = program(&place.socket());
    assert!(ended.stderr.contains("PermissionError"), "the socket has mode 0600: {ended:?}");
    fs::set_permissions(place.socket(), Permissions::from_mode(0o666)).unwrap();
    let ended = program(&place.socket());
    let start = "{\"op\":\"err\",\"code\":\"not-allowed\",\"text\":\"";
    assert!(ended.stdout.starts_with(start), "{ended:?}");
    assert!(ended.stdout.ends_with("\"fatal\":true}\n"), "{ended:?}");
    let metrics = place.socket().with_file_name("metrics.sock");
    assert!(program(&metrics).stderr.contains("PermissionError"));
    fs::set_permissions(&metrics, Permissions::from_mode(0o666)).unwrap();
    let ended = program(&metrics);
    assert!(ended.stdout.starts_with("HTTP/1.1 403 Forbidden"), "{ended:?}");
    let mut own = JsonLines::new(daemon.dial());
    own.say("{\"op\":\"unsub\",\"sub\":1}\n");
    let code = Code::UnknownSubscription;
    assert_eq!(own.receive(), Some(Event::Err { number: None, code, fatal: false }));
}
