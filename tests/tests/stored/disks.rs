//! A disk that is full, can't be written, or does not answer: publishers are told so, live traffic
//! goes on, and all is well again by itself.
//!
//! The full disk is a real one, a small one of memory that only the daemon sees; it takes root to
//! mount. What no mount shows on demand (a disk that turns read-only under an open file, a sync
//! that hangs) is done to the daemon's own system calls by `faults.c`, while a file is there.

use super::talk::Talk;
use crate::process::{Daemon, Place};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The library that makes system calls fail, compiled once. None without a compiler.
fn faults() -> Option<&'static Path> {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    if !kith_tests::require("cc") {
        return None;
    }
    let (_, library) = BUILT.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let library = folder.path().join("faults.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stored/faults.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
        assert!(cc.status().unwrap().success(), "{cc:?}");
        (folder, library)
    });
    Some(library)
}

/// A daemon whose disk can be made to fail, with a consumer and a live subscriber.
struct Bed {
    daemon: Daemon,
    writer: Talk,
    live: Talk,
    switches: PathBuf,
    next: u32,
}

impl Bed {
    fn new(library: &Path) -> Self {
        let place = Place::new("");
        let switches = place.path().join("switches");
        fs::create_dir(&switches).unwrap();
        let mut command = place.command();
        command.env("LD_PRELOAD", library).env("KITH_FAULTS", &switches);
        command.env("KITH_FAULTS_BELOW", place.state().join("store"));
        let daemon = place.start_by(command.args(["--log", "info"]));
        Self::with(daemon, switches)
    }

    fn with(daemon: Daemon, switches: PathBuf) -> Self {
        let socket = daemon.place().socket();
        let mut consumer = Talk::dial(&socket);
        let durable = json!({"op": "sub", "pattern": "self.a.>", "durable": "log"});
        assert_eq!(consumer.ask(1, durable)["op"], "ok");
        let (writer, mut live) = (Talk::dial(&socket), Talk::dial(&socket));
        assert_eq!(live.ask(1, json!({"op": "sub", "pattern": "self.>"}))["op"], "ok");
        let mut bed = Self { daemon, writer, live, switches, next: 1 };
        assert_eq!(bed.publish("a.b")["state"], "stored");
        bed
    }

    /// Publishes: what its publisher is told. Whatever that is, live subscribers hear of it.
    fn publish(&mut self, topic: &str) -> Value {
        self.publish_with(topic, &json!(""))
    }

    fn publish_with(&mut self, topic: &str, more: &Value) -> Value {
        self.next += 1;
        let number = self.next;
        let payload = json!([number, more]);
        self.writer.say(&json!({"op": "pub", "id": number, "topic": topic, "payload": payload}));
        let heard = loop {
            let heard = self.live.hear().unwrap();
            if heard["payload"][0] == number {
                break heard;
            }
        };
        assert_eq!(heard["op"], "msg");
        self.answer(number)
    }

    fn answer(&mut self, number: u32) -> Value {
        loop {
            let heard = self.writer.hear().unwrap();
            if heard["id"] == number {
                return heard;
            }
        }
    }

    fn turn_on(&self, switch: &str) {
        fs::write(self.switches.join(switch), "").unwrap();
    }

    fn turn_off(&self, switch: &str) {
        fs::remove_file(self.switches.join(switch)).unwrap();
    }

    fn is_well(&mut self) {
        assert_eq!(self.publish("a.b")["state"], "stored");
        assert_eq!(self.publish("live.only")["op"], "ok");
    }
}

fn is_told(answer: &Value, text: &str) {
    assert_eq!((&answer["op"], &answer["code"]), (&json!("err"), &json!("not-stored")), "{answer}");
    assert!(answer["text"].as_str().unwrap().contains(text), "{answer}");
}

#[test]
fn a_full_disk_is_told_and_recovers_without_a_restart() {
    if !kith_tests::require("unshare") || !kith_tests::require("mount") {
        return;
    }
    let place = Place::new("");
    let state = place.state();
    fs::create_dir(&state).unwrap();
    let daemon = place.command();
    let mut alone = Place::bare("unshare");
    let script = "mount -t tmpfs -o size=3m,mode=700 kith \"$0\" && exec \"$@\"";
    alone.args(["--mount", "sh", "-c", script]).arg(&state).arg(daemon.get_program());
    alone.args(daemon.get_args()).args(["--log", "info"]);
    if !kith_tests::require_that(rustix::process::geteuid().is_root(), "right to mount") {
        return;
    }
    let daemon = place.start_by(&mut alone);
    // Its disk is seen by nobody else but through it.
    let root = PathBuf::from(format!("/proc/{}/root", daemon.process().id()));
    let filler = root.join(state.strip_prefix("/").unwrap()).join("filler");
    let mut bed = Bed::with(daemon, place.path().to_owned());
    let payload = json!("x".repeat(50_000));
    fill(&filler);
    let refused = (0..200).map(|_| bed.publish_with("a.b", &payload));
    let refused = refused.into_iter().find(|answer| answer["op"] == "err");
    is_told(&refused.expect("the disk is full at some time"), "full");
    assert_eq!(bed.publish("live.only")["op"], "ok");
    fs::remove_file(&filler).unwrap();
    bed.is_well();
    let ended = bed.daemon.kill();
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

/// Leaves hardly anything free.
fn fill(path: &Path) {
    let mut bytes = 2_600_000;
    while bytes >= 4096 {
        if fs::write(path, vec![0; bytes]).is_ok() {
            return;
        }
        bytes -= 65_536;
    }
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_recovers() {
    let Some(library) = faults() else { return };
    let mut bed = Bed::new(library);
    bed.turn_on("read-only");
    is_told(&bed.publish("a.b"), "written");
    assert_eq!(bed.publish("live.only")["op"], "ok");
    bed.turn_off("read-only");
    bed.is_well();
}

#[test]
fn a_disk_that_fails_to_sync_is_told_and_recovers() {
    let Some(library) = faults() else { return };
    let mut bed = Bed::new(library);
    bed.turn_on("sync-fails");
    is_told(&bed.publish("a.b"), "disk");
    assert_eq!(bed.publish("live.only")["op"], "ok");
    bed.turn_off("sync-fails");
    bed.is_well();
}

#[test]
fn a_disk_that_hangs_is_told_after_a_while_and_live_traffic_goes_on() {
    let Some(library) = faults() else { return };
    let mut bed = Bed::new(library);
    bed.turn_on("sync-hangs");
    let began = Instant::now();
    bed.writer.say(&json!({"op": "pub", "id": 900, "topic": "a.b", "payload": [900]}));
    // Meanwhile everybody else is served.
    let mut other = Talk::dial(&bed.daemon.place().socket());
    for number in 1..200 {
        let live = json!({"op": "pub", "topic": "live.only", "payload": [number]});
        assert_eq!(other.ask(number, live)["op"], "ok");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for the disk");
    is_told(&bed.answer(900), "not answered");
    is_told(&bed.publish("a.b"), "not answered");
    bed.turn_off("sync-hangs");
    // It takes what it was asked for before, and then what comes.
    let began = Instant::now();
    while bed.publish("a.b")["op"] == "err" {
        assert!(began.elapsed() < crate::process::PATIENCE);
    }
    bed.is_well();
}
