//! The metrics, as a monitoring system reads them: raw HTTP over the Unix socket and over TCP.

use super::openmetrics::{Family, check};
use crate::door::{BOTH_IN_TURN, Client, Operation, Publication};
use crate::process::{Daemon, PATIENCE, Place, Process, dial};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Where the metrics are unless the configuration says otherwise.
fn beside(place: &Place) -> PathBuf {
    place.socket().with_file_name("metrics.sock")
}

/// Sends a request, and returns the head and the body of what comes until the daemon closes.
fn ask(mut stream: impl Read + Write, request: impl AsRef<[u8]>) -> (String, String) {
    // Where the daemon has heard enough already, it is the answer that counts.
    let _ = stream.write_all(request.as_ref());
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    (head.to_owned(), body.to_owned())
}

/// The metrics of a daemon, checked.
fn scrape(path: &Path) -> Vec<Family> {
    let (head, body) = ask(dial(path), GET);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    let content_type =
        "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(head.contains(content_type), "{head}");
    check(&body).unwrap_or_else(|error| panic!("{error}\n{body}"))
}

/// The value of the one sample of a family.
fn value(families: &[Family], name: &str) -> f64 {
    let family = families.iter().find(|family| family.name == name);
    let samples = &family.unwrap_or_else(|| panic!("no {name}")).samples;
    assert_eq!(samples.len(), 1, "{name}");
    samples[0].1
}

#[test]
fn they_are_served_beside_the_bus_and_count_what_happens_there() {
    let place = Place::new("");
    let daemon = place.start();
    let path = beside(&place);
    let found = fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);

    let before = scrape(&path);
    assert_eq!(value(&before, "kith_messages_published"), 0.0);
    let mut client = BOTH_IN_TURN.connect(&daemon, 0);
    client.subscribe(1, "self.a");
    for _ in 0..3 {
        client.publish("a", "1");
        client.message_on(1);
    }
    // The numbers of a moment ago may come once more.
    let started = Instant::now();
    let after = loop {
        let families = scrape(&path);
        if value(&families, "kith_messages_published") > 0.0 {
            break families;
        }
        assert!(started.elapsed() < PATIENCE, "they never change");
    };
    let of = |name| value(&after, name);
    assert_eq!((of("kith_messages_published"), of("kith_messages_delivered")), (3.0, 3.0));
    assert_eq!((of("kith_clients"), of("kith_subscriptions")), (1.0, 1.0));
    assert_eq!(of("kith_limit_client_queued_bytes"), f64::from(32 << 20));
    assert_eq!(of("kith_build"), 1.0);
    assert!(of("process_start_time_seconds") > 1.7e9);
    assert!((1e6..1e9).contains(&of("process_resident_memory_bytes")));
    assert!(of("process_cpu_seconds") >= value(&before, "process_cpu_seconds"));
    let files = fs::read_dir(format!("/proc/{}/fd", daemon.process().id())).unwrap().count() as f64;
    // Connections that are about to be closed count or don't.
    assert!((of("process_open_fds") - files).abs() <= 2.0, "{files}");

    let (head, body) = ask(dial(&path), "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty(), "{head}");
    let ended = daemon.stop();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!path.exists(), "the socket is removed");
}

#[test]
fn who_loses_messages_is_named_and_every_family_is_in_the_document() {
    let place = Place::new("[limits]\nqueue_messages_max = 16\n");
    let daemon = place.start();
    let mut slow = BOTH_IN_TURN.connect(&daemon, 0);
    let name = "sl\"ow\\n \u{2028}ä";
    slow.ask(&Operation::Hello { name: Some(name.to_owned()), client: None });
    slow.subscribe(1, "self.a");
    let payload = format!("\"{}\"", "x".repeat(100_000));
    let mut boss = BOTH_IN_TURN.connect(&daemon, 1);
    for _ in 0..50 {
        boss.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    boss.done(&Operation::Ping);
    let families = scrape(&beside(&place));
    let dropped = value(&families, "kith_messages_dropped");
    assert!(dropped > 0.0);
    for (family, least) in [
        ("kith_client_messages_dropped", dropped),
        ("kith_client_queued_messages", 1.0),
        ("kith_client_queued_bytes", 100_000.0),
    ] {
        let family = families.iter().find(|found| found.name == family).unwrap();
        let [(labels, value)] = family.samples.as_slice() else { panic!("{family:?}") };
        assert_eq!(labels.get("name").map(String::as_str), Some(name));
        assert!(labels.contains_key("client") && *value >= least, "{family:?}");
    }

    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitoring.md");
    let document = fs::read_to_string(document).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows
        .filter(|(name, _)| name.starts_with("kith_") || name.starts_with("process_"))
        .map(|(name, rest)| format!("{name} {}", rest.split('|').nth(1).unwrap().trim()))
        .collect();
    let served: BTreeSet<_> =
        families.iter().map(|family| format!("{} {}", family.sample_name(), family.kind)).collect();
    assert_eq!(documented, served);
}

#[test]
fn who_asks_for_something_else_is_told_what_to_do() {
    let place = Place::new("");
    let _daemon = place.start();
    let endless = format!("GET /metrics HTTP/1.1\r\nA: {}", "x".repeat(20_000));
    for (request, status, part) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found", "/metrics"),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\n\r\nbody", "405 Method Not Allowed", "GET /metrics"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "400 Bad Request", "Host: localhost"),
        ("{\"op\":\"ping\",\"id\":1}\n", "400 Bad Request", "connect to its own socket"),
        ("\u{0}\u{1}\n", "400 Bad Request", "GET /metrics"),
        (&endless, "431 Request Header Fields Too Large", "GET /metrics"),
    ] {
        let (head, body) = ask(dial(&beside(&place)), request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {head}");
        assert!(head.contains("\r\nContent-Type: text/plain"), "{head}");
        assert!(head.contains("\r\nAllow: GET, HEAD\r\n"), "{head}");
        assert!(body.contains(part) && body.ends_with(".\n"), "{request:?}: {body}");
    }
    let stream = dial(&beside(&place));
    (&stream).write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let (head, body) = ask(stream, "");
    assert!(head.starts_with("HTTP/1.1 400") && body.contains("an empty line"), "{head} {body}");
}

#[test]
fn on_request_they_are_served_by_tcp_to_this_machine() {
    let place = Place::new("[metrics]\naddress = '127.0.0.1:0'\n");
    let daemon = place.start();
    let address = daemon.metrics_address();
    let dial_tcp = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let get = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    let (head, body) = ask(dial_tcp(), get);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    check(&body).unwrap();
    // A page that had its own name point here would be stopped by that name.
    let rebound = "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let (head, body) = ask(dial_tcp(), rebound);
    assert!(head.starts_with("HTTP/1.1 400") && body.contains("http://localhost"), "{head} {body}");
    // The Unix socket is there as well.
    scrape(&beside(&place));

    let taken = Place::new(&format!("[metrics]\naddress = '{address}'\n"));
    let ended = Process::run(&mut taken.command());
    assert_eq!(ended.status.code(), Some(69), "{ended:?}");
    assert!(ended.stderr.contains("choose another `metrics.address`"), "{ended:?}");
    assert!(!taken.socket().exists(), "it leaves nothing behind");
}

#[test]
fn other_machines_are_not_served() {
    let place = Place::new("[metrics]\naddress = '0.0.0.0:9464'\n");
    let ended = Process::run(&mut place.command());
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    assert!(ended.stderr.contains("other machines could read there"), "{ended:?}");
}

#[test]
fn they_can_be_moved_and_switched_off() {
    let off = Place::new("[metrics]\nenabled = false\naddress = '127.0.0.1:0'\n");
    let daemon = off.start();
    assert!(!beside(&off).exists());
    assert!(!daemon.process().stderr().contains("http://"));

    let elsewhere = Place::new("");
    let path = elsewhere.path().join("numbers");
    let moved = Place::new(&format!("[metrics]\npath = '{}'\n", path.display()));
    let _daemon = moved.start();
    scrape(&path);
    assert!(!beside(&moved).exists());

    // What was asked for and can't be had is said, and nothing starts.
    let second = Place::new(&format!("[metrics]\npath = '{}'\n", path.display()));
    let ended = Process::run(&mut second.command());
    assert_eq!(ended.status.code(), Some(69), "{ended:?}");
    assert!(ended.stderr.contains("`metrics.path`"), "{ended:?}");
    assert!(!second.socket().exists());
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_made_anew() {
    let place = Place::new("");
    for _ in 0..2 {
        let daemon = place.start();
        scrape(&beside(&place));
        daemon.kill();
        assert!(beside(&place).exists(), "nobody was left to remove it");
    }
    // What nobody asked for is no reason to have no bus.
    fs::remove_file(beside(&place)).unwrap();
    fs::write(beside(&place), "precious").unwrap();
    let daemon = place.start();
    BOTH_IN_TURN.connect(&daemon, 0).done(&Operation::Ping);
    let ended = daemon.stop();
    assert!(ended.stderr.contains("no socket for metrics"), "{ended:?}");
    assert_eq!(fs::read_to_string(beside(&place)).unwrap(), "precious");
}

#[test]
fn a_full_bus_can_still_be_looked_at() {
    let daemon = Daemon::with("limits.clients_max = 4");
    let clients: Vec<Client> = (0..4).map(|nth| BOTH_IN_TURN.connect(&daemon, nth)).collect();
    for mut client in clients {
        client.done(&Operation::Ping);
        let _refused = daemon.dial();
        let families = scrape(&beside(daemon.place()));
        assert!(value(&families, "kith_clients") <= 4.0);
    }
}
