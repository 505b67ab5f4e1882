//! What services say: in the daemon's log under their name, and for whoever asks or listens.

use super::{Administrator, Kind, real};
use crate::process::Daemon;
use kith_tests::require;
use serde_json::{Value, json};
use std::time::Instant;

/// A daemon whose service prints this so often and then that, in Python, and has done so.
fn prints(text: &str, times: usize, end: &str) -> (Daemon, Administrator) {
    let settings = json!({"then": "print", "text": text, "times": times, "end": end});
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&settings, ""));
    administrator.subscribe("self.services.log").unwrap();
    administrator.subscribe("self.probe.printed").unwrap();
    administrator.change("services.enable", "probe").unwrap();
    administrator.message("probe.printed");
    (daemon, administrator)
}

/// The lines that come on `services.log`, up to the first that is as wanted.
fn live(administrator: &mut Administrator, is_last: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = administrator.message("services.log");
        assert_eq!((&line["name"], line["at"].is_u64()), (&json!("probe"), true));
        let Value::String(text) = line["text"].take() else { panic!("{line}") };
        let is_last = is_last(&text);
        lines.push(text);
        if is_last {
            return lines;
        }
    }
}

/// The last lines, as whoever asks gets them.
fn kept(administrator: &mut Administrator, lines: Option<u64>) -> Vec<String> {
    let asked = json!({"name": "probe", "lines": lines});
    let Value::Array(rows) = administrator.ask("services.logs", &asked).unwrap() else { panic!() };
    rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

const FIRST: &str = "it does what it was told to";

#[test]
fn each_line_is_logged_kept_and_told() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = prints("one\ntwo\r\n\nthree, without an end", 1, "");
    administrator.change("services.disable", "probe").unwrap();
    let wanted = [FIRST, "one", "two", "", "three, without an end"];
    assert_eq!(live(&mut administrator, |line| line.starts_with("three")), wanted);
    assert_eq!(kept(&mut administrator, None), wanted);
    assert_eq!(kept(&mut administrator, Some(2)), wanted[3..]);
    assert_eq!(kept(&mut administrator, Some(0)), Vec::<String>::new());
    let log = daemon.stop().stderr;
    for line in ["one", "two", "three, without an end"] {
        let said = |logged: &&str| logged.contains(line) && logged.contains("service=\"probe\"");
        assert_eq!(log.lines().filter(said).count(), 1, "{line}: {log}");
    }
}

#[test]
fn what_a_terminal_would_obey_is_harmless() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) =
        prints("a\u{1b}[31mred\u{7}\u{9b}0m\tb\nINFO forged\u{0}\n\u{1b}]0;title\u{7}end\n", 1, "");
    let lines = live(&mut administrator, |line| line.ends_with("end"));
    assert_eq!(
        lines[1..],
        [
            "a\u{fffd}[31mred\u{fffd}\u{fffd}0m b",
            "INFO forged\u{fffd}",
            "\u{fffd}]0;title\u{fffd}end"
        ]
    );
    let log = daemon.stop().stderr;
    assert!(!log.contains(['\u{1b}', '\u{7}', '\0', '\u{9b}']), "{log:?}");
    // Whatever it says, it is said by it.
    let forged = log.lines().find(|line| line.contains("forged")).unwrap();
    assert!(forged.contains("service=\"probe\""), "{forged}");
}

#[test]
fn a_flood_of_lines_is_counted_and_not_kept() {
    if !require("python3") {
        return;
    }
    let began = Instant::now();
    // Of each second so many are told, however long a slow machine takes for all.
    let told_max = || (began.elapsed().as_secs() + 2) * 100;
    let (daemon, mut administrator) = prints("flood\n", 50_000, "");
    // A line in another second says how many were left out. So those of a second life tell of all
    // of the first.
    administrator.change("services.restart", "probe").unwrap();
    let (mut left_out, mut shown) = (0, 0);
    while left_out + shown < 50_000 {
        let text = live(&mut administrator, |_| true).remove(0);
        match text.strip_suffix(" lines left out: more than so many a second)") {
            Some(count) => left_out += count[1..].parse::<u64>().unwrap(),
            None => shown += 1,
        }
    }
    assert!(shown <= told_max(), "{shown} lines were told");
    assert!(kept(&mut administrator, None).len() <= 500);
    let log = daemon.stop().stderr;
    assert!(log.matches("flood").count() as u64 <= told_max(), "the log has too many");
    assert!(log.contains("lines left out"));
}

#[test]
fn a_line_without_end_is_cut() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = prints("x", 1 << 20, "\nnext\n");
    let lines = live(&mut administrator, |line| line == "next");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1], format!("{}…", "x".repeat(1_000)));
    assert!(daemon.resident_peak_kib() < 48 << 10);
    daemon.stop();
}

#[test]
fn how_a_service_is_is_listed() {
    if !require("python3") {
        return;
    }
    let degraded =
        json!({"service": "probe", "state": "degraded", "text": "slow", "figures": {"n": 2}});
    let settings =
        json!({"then": "health", "health": [{"service": "probe", "state": "ok"}, degraded]});
    let mut host = super::Host::new(&Kind::Python.configuration(&settings, ""));
    host.administrator.subscribe("self.services.health").unwrap();
    assert_eq!(host.administrator.row("probe")["health"], Value::Null);
    host.enable("probe");
    host.administrator.message("services.health");
    assert_eq!(host.administrator.message("services.health"), degraded);
    let wanted = json!({"state": "degraded", "text": "slow", "figures": {"n": 2}});
    assert_eq!(host.administrator.row("probe")["health"], wanted);
}
