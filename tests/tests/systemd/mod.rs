//! What `systemd/` ships: the units and the file by which D-Bus starts the daemon.
//!
//! systemd need not be what started the machine that runs this. So the units are read by its own
//! programs (`units.rs`), and what they have the daemon do is done without their manager
//! (`starting.rs`). `systemd/check` has a real manager run them; `.ci/run` calls it.

mod starting;
mod units;

use crate::process::{PROGRAM, Place};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `systemd/`, with the daemon that is tested in it.
fn template(name: &str, daemon: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.replace("@bindir@/kith-busd", daemon)
}

/// Both units, in a directory of their own.
fn units(place: &Place) -> [PathBuf; 2] {
    ["kith.service", "kith.socket"].map(|name| {
        let path = place.path().join(name);
        fs::write(&path, template(name, PROGRAM)).unwrap();
        path
    })
}

/// What a file says for a key, the last if it says several.
fn value(text: &str, key: &str) -> String {
    let line = |line: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
    text.lines().filter_map(line).next_back().unwrap_or_else(|| panic!("no {key}"))
}
