//! What is on standard error, and what never is: what people say to each other.

use crate::door::{BOTH_IN_TURN, BinaryFrames, Client, Connection, Event, Operation, Publication};
use crate::process::{Daemon, Place};
use kith_wire::Code;

const CANARY: &str = "canary-7f3a";

/// Says the canary in every way in which a payload can travel.
fn sing(daemon: &Daemon) {
    for nth in 0..2 {
        let mut client: Client = BOTH_IN_TURN.connect(daemon, nth);
        client.subscribe(1, "*/self.>");
        let text = format!("{{\"secret\":\"{CANARY}\"}}");
        client.publish("a", &text);
        client.publish_it(Publication::json("a", &text).retained());
        client.publish_it(Publication::bytes("x-raw", "a", CANARY));
        let headers = vec![("note".to_owned(), CANARY.to_owned())];
        client.publish_it(Publication { headers, ..Publication::json("a", "1") });
        client.done(&Operation::Will(Publication::json("a", &text)));
        client.request("a", &text, 1);
        // What is refused is not repeated either.
        for wrong in [format!("{{{CANARY}}}"), CANARY.to_owned(), format!("\"{CANARY}\n\"")] {
            client.refused(&Operation::Publish(Publication::json("a", &wrong)));
        }
        client.refused(&Operation::Publish(Publication::json("bus.a", &text)));
        client.pending();
    }
}

#[test]
fn payloads_are_never_logged() {
    let place = Place::new("");
    let daemon = place.start_with("trace");
    sing(&daemon);
    BOTH_IN_TURN.connect(&daemon, 0).wait_for_count("clients", 1);
    let ended = daemon.stop();
    assert!(ended.stderr.contains("connected"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(CANARY), "{}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    let base64 = "Y2FuYXJ5";
    assert!(!ended.stderr.contains(base64), "{}", ended.stderr);
}

#[test]
fn a_quiet_daemon_logs_a_line_when_it_starts_and_few_when_it_stops() {
    let daemon = Daemon::start();
    sing(&daemon);
    let ended = daemon.stop();
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (line, word) in lines.iter().zip(["no session bus", "ready", "stopping", "stopped"]) {
        assert!(line.contains(word) && line.contains("INFO"), "{line}");
        assert!(!line.contains('\u{1b}'), "no colours where there is no terminal: {line}");
    }
}

#[test]
fn what_a_client_calls_itself_stays_on_its_line() {
    let daemon = Daemon::with("limits.queue_messages_max = 16");
    let mut slow = BOTH_IN_TURN.connect(&daemon, 0);
    let name = Some("a\u{2028}\u{202e}b\" INFO ready".to_owned());
    slow.ask(&Operation::Hello { name, client: None });
    slow.subscribe(1, "self.a");
    let payload = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..50 {
        slow.tell(&Operation::Publish(Publication::json("a", &payload)));
    }
    daemon.process().wait_for_stderr(|text| text.contains("does not read fast enough"));
    let lines = daemon.process().stderr();
    let line = lines.lines().find(|line| line.contains("fast enough")).unwrap();
    assert!(line.contains(" WARN ") && line.contains("ready"), "{line}");
    let is_harmful = |c: char| c.is_control() || "\u{2028}\u{202e}".contains(c);
    assert!(!line.contains(is_harmful), "{line:?}");
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

#[test]
fn who_is_turned_away_or_cut_off_is_named_once() {
    let daemon = Daemon::with("limits.clients_max = 4");
    let mut watcher = BOTH_IN_TURN.connect(&daemon, 0);
    let own = format!("pid={}", std::process::id());
    for _ in 0..3 {
        let mut noisy = BinaryFrames::new(daemon.dial());
        noisy.send(None, &Operation::Hello { name: Some("noisy".to_owned()), client: None });
        noisy.say([0xFF; 4]);
        let expected = Event::Err { number: None, code: Code::TooLarge, fatal: true };
        assert_eq!(noisy.receive(), Some(expected));
    }
    watcher.wait_for_count("cut_off", 3);
    watcher.wait_for_count("clients", 1);
    let text = daemon.process().wait_for_stderr(|text| text.contains("cut off"));
    let line = text.lines().find(|line| line.contains("cut off")).unwrap();
    for word in [" WARN ", own.as_str(), "name=\"noisy\"", "code=\"too-large\""] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let _crowd: Vec<_> = (0..10).map(|_| daemon.dial()).collect();
    watcher.wait_for_count("refused_connections", 7);
    let text = daemon.process().wait_for_stderr(|text| text.contains("refused a connection"));
    let line = text.lines().find(|line| line.contains("refused a connection")).unwrap();
    let uid = format!("uid={}", rustix::process::geteuid().as_raw());
    for word in [" WARN ", own.as_str(), uid.as_str(), "as many as it may"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert_eq!(text.lines().count(), 4, "{text}");
}
