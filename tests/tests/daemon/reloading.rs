//! SIGHUP: the configuration is read again, and nobody is dropped for it.

use crate::door::{BOTH_IN_TURN, Client, Event, JsonLines, Operation, Publication};
use crate::process::{Daemon, PATIENCE, Place, Process, Supervisor, dial};
use kith_wire::Code;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, OpenOptions};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

/// Changes the file, and has the daemon read it `nth` times in all.
fn reload(daemon: &Daemon, configuration: &str, nth: usize) -> String {
    fs::write(daemon.place().path().join("config.toml"), configuration).unwrap();
    daemon.process().signal(Signal::HUP);
    let done = |text: &str| {
        let of = |what: &str| text.matches(what).count();
        of("configuration read again") + of("configuration stays") == nth
    };
    daemon.process().wait_for_stderr(done)
}

fn payload_bytes_max(client: &mut Client) -> u64 {
    match client.ask(&Operation::Hello { name: None, client: None }) {
        Event::Welcome { payload_bytes_max, .. } => payload_bytes_max,
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_change_while_clients_stay() {
    let daemon = Daemon::with("");
    let mut clients: Vec<_> = (0..2).map(|nth| BOTH_IN_TURN.connect(&daemon, nth)).collect();
    for client in &mut clients {
        client.subscribe(1, "self.a");
    }
    reload(&daemon, "[limits]\npayload_bytes_max = '64 KiB'\nsubscriptions_max = 16\n", 1);
    for client in &mut clients {
        assert_eq!(payload_bytes_max(client), 64 << 10);
        let large = format!("\"{}\"", "x".repeat(100 << 10));
        let publish = Operation::Publish(Publication::json("a", &large));
        assert_eq!(client.refused(&publish), Code::TooLarge);
        client.publish("a", "1");
    }
    for client in &mut clients {
        assert_eq!(client.pending_payloads(1), ["1", "1"], "its subscription is still there");
    }
    // An empty file is the defaults again.
    reload(&daemon, "", 2);
    for client in &mut clients {
        assert_eq!(payload_bytes_max(client), 16 << 20);
    }
    assert!(!daemon.stop().stderr.contains("WARN"));
}

#[test]
fn how_much_is_logged_changes() {
    let place = Place::new("");
    let daemon = place.start_by(&mut place.command());
    let connect = || drop(BOTH_IN_TURN.connect(&daemon, 0).ask(&Operation::Ping));
    connect();
    reload(&daemon, "log.level = 'debug'", 1);
    connect();
    daemon.process().wait_for_stderr(|text| text.contains(" connected"));
    reload(&daemon, "log.level = 'info'", 2);
    connect();
    let ended = daemon.stop();
    assert_eq!(ended.stderr.matches(" connected").count(), 1, "{}", ended.stderr);
}

#[test]
fn the_command_line_still_goes_before_the_file() {
    let daemon = Daemon::start();
    reload(&daemon, "log.level = 'debug'", 1);
    BOTH_IN_TURN.connect(&daemon, 0).done(&Operation::Ping);
    assert!(!daemon.stop().stderr.contains("DEBUG"));
}

#[test]
fn a_wrong_configuration_changes_nothing_and_is_reported() {
    let place = Place::new("limits.payload_bytes_max = '1 MiB'");
    let supervisor = Supervisor::new(&place);
    let mut command = place.command();
    supervisor.watch(&mut command, None);
    let daemon = place.start_by(&mut command);
    let mut client = BOTH_IN_TURN.connect(&daemon, 0);
    assert_eq!(payload_bytes_max(&mut client), 1 << 20);
    let text = reload(&daemon, "[limits]\npayload_bytes_max = '2 MiB'\nclients_mx = 7\n", 1);
    assert!(text.contains("ERROR") && text.contains("config.toml:3:1"), "{text}");
    assert!(text.contains("clients_max"), "what was meant is said: {text}");
    assert_eq!(payload_bytes_max(&mut client), 1 << 20);
    fs::remove_file(place.path().join("config.toml")).unwrap();
    daemon.process().signal(Signal::HUP);
    daemon.process().wait_for_stderr(|text| text.contains("can't read the configuration file"));
    for expected in ["READY=1\nSTATUS=Serving /", "RELOADING=1\n"] {
        let told = supervisor.told();
        assert!(told.starts_with(expected), "{told}");
    }
    let told = supervisor.told();
    assert!(told.starts_with("READY=1\nSTATUS=Serving; the configuration stays"), "{told}");
    assert!(told.contains("config.toml:3:1") && told.lines().count() == 2, "{told}");
    client.done(&Operation::Ping);
}

#[test]
fn what_has_to_wait_is_named_in_one_warning() {
    let daemon = Daemon::with("metrics.enabled = false");
    let file = "[socket]\npath = '/tmp/other/bus.sock'\n[metrics]\naddress = '127.0.0.1:0'\n\
                [limits]\nclients_max = 5\n[stats]\ninterval = '1s'\n";
    // The socket is given on the command line, which holds then as well.
    let text = reload(&daemon, file, 1);
    let warnings: Vec<_> = text.lines().filter(|line| line.contains("WARN")).collect();
    let expected = "metrics.enabled, metrics.address: a change takes effect when the daemon starts";
    assert!(matches!(warnings[..], [warning] if warning.contains(expected)), "{text}");
    let mut clients: Vec<_> = (0..5).map(|nth| BOTH_IN_TURN.connect(&daemon, nth)).collect();
    for client in &mut clients {
        client.done(&Operation::Ping);
    }
    let mut sixth = BOTH_IN_TURN.connect(&daemon, 0);
    let refused = Event::Err { number: None, code: Code::QuotaClients, fatal: true };
    assert_eq!(sixth.next(), refused, "the rest of the file is in effect");
}

#[test]
fn counters_come_as_often_as_the_new_file_says() {
    let daemon = Daemon::with("stats.interval = '1h'");
    let mut client = BOTH_IN_TURN.connect(&daemon, 0);
    client.subscribe(1, "self.bus.stats");
    reload(&daemon, "stats.interval = '100ms'", 1);
    client.message_on(1);
    client.message_on(1);
}

#[test]
fn a_terminal_that_goes_away_stops_the_daemon_as_ever() {
    let place = Place::new("");
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = Path::new(name.to_str().unwrap());
    let open = || OpenOptions::new().write(true).open(name).unwrap();
    let mut command = Place::bare("sh");
    command.args(["-c", "exec \"$@\" 2>\"$0\""]).arg(name);
    let daemon = place.command();
    command.arg(daemon.get_program()).args(daemon.get_args());
    let keeps_it_open = open();
    let mut process = Process::start(&mut command);
    let deadline = Instant::now() + PATIENCE;
    while UnixStream::connect(place.socket()).is_err() {
        assert!(Instant::now() < deadline, "{}", process.stderr());
        std::thread::yield_now();
    }
    let mut client = Client::new(JsonLines::new(dial(&place.socket())));
    client.done(&Operation::Ping);
    process.signal(Signal::HUP);
    client.done(&Operation::Ping);
    drop((keeps_it_open, terminal));
    process.signal(Signal::HUP);
    assert_eq!(client.next_or_end(), Some(Event::Bye { code: Code::ShuttingDown }));
    drop(client);
    assert_eq!(process.wait().status.code(), Some(0));
}
