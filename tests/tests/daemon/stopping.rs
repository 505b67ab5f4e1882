//! Signals, and what clients are told.

use crate::door::{BOTH_IN_TURN, Client, Event, Operation, Publication};
use crate::process::{Daemon, Ended, Place};
use kith_wire::Code;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long the daemon waits for those who don't read what is left for them.
const GRACE: Duration = Duration::from_secs(2);

fn ended_well(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.trim_end().ends_with("stopped"), "{ended:?}");
}

/// A client for which more is left than its socket holds.
fn stalled(daemon: &Daemon) -> Client {
    let mut client = BOTH_IN_TURN.connect(daemon, 0);
    client.subscribe(1, "self.a");
    let payload = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..100 {
        client.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    BOTH_IN_TURN.connect(daemon, 0).wait_for_count("delivered", 100);
    client
}

#[test]
fn everybody_is_told_goodbye() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new("");
        let daemon = place.start();
        let mut clients: Vec<_> = (0..6).map(|nth| BOTH_IN_TURN.connect(&daemon, nth)).collect();
        for client in &mut clients {
            client.done(&Operation::Ping);
        }
        daemon.process().signal(signal);
        for client in &mut clients {
            assert_eq!(client.next_or_end(), Some(Event::Bye { code: Code::ShuttingDown }));
            assert_eq!(client.next_or_end(), None);
        }
        ended_well(&daemon.wait());
        assert!(!place.socket().exists(), "the socket is removed");
    }
}

#[test]
fn what_was_published_before_still_arrives() {
    let daemon = Daemon::start();
    let mut client = stalled(&daemon);
    daemon.process().signal(Signal::TERM);
    let mut events = Vec::new();
    while let Some(event) = client.next_or_end() {
        events.push(event);
    }
    let is_message = |event: &&Event| matches!(event, Event::Message { .. });
    assert_eq!(events.iter().filter(is_message).count(), 100);
    assert!(events.contains(&Event::Bye { code: Code::ShuttingDown }));
    ended_well(&daemon.wait());
}

#[test]
fn who_does_not_read_is_not_waited_for_long() {
    let daemon = Daemon::start();
    let _stalled = stalled(&daemon);
    let started = Instant::now();
    let ended = daemon.stop();
    assert!(started.elapsed() >= GRACE / 2, "{:?}", started.elapsed());
    assert!(started.elapsed() < GRACE * 5, "{:?}", started.elapsed());
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("did not read"), "{ended:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let daemon = Daemon::start();
    let _stalled = stalled(&daemon);
    // One right after the other: whatever it waits for by then, it ends.
    daemon.process().signal(Signal::TERM);
    daemon.process().signal(Signal::INT);
    let ended = daemon.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("stopping at once"), "{ended:?}");
    assert!(!ended.stderr.contains("did not read"), "{ended:?}");
}

#[test]
fn a_socket_that_another_daemon_made_meanwhile_stays() {
    let place = Place::new("");
    let first = place.start();
    // Somebody tidied up, and started a second one elsewhere that was then moved here.
    std::fs::remove_file(place.socket()).unwrap();
    let second = Place::new("");
    let running = second.start();
    std::fs::rename(second.socket(), place.socket()).unwrap();
    ended_well(&first.stop());
    assert!(place.socket().exists());
    Client::new(crate::door::JsonLines::new(crate::process::dial(&place.socket())))
        .done(&Operation::Ping);
    drop(running);
}
