//! Messages that are stored: publishes acknowledged once they are on the disk, what a consumer that
//! nobody reads costs others, and what waits for it.
//!
//! A disk differs from the next by more than any broker does, so the limit is measured on it in the
//! same turns: a loop that appends as many records and has them synced. It has no sockets, no
//! processes and no index; nobody who must know where a record is can be as fast. Disks in memory
//! sync nothing and are refused. What is stored is bounded, and removed after each run.
//!
//! The sync itself is work of the kernel, which counts as nobody's; so runs here are not left out
//! for what others used.

mod bare;
mod beside;
mod waiting;

use super::{Plan, Suite, in_turn};
use crate::disk::Disk;
use crate::interrupt;
use crate::peer::Peer;
use crate::process::Running;
use crate::raw::Window;
use crate::results::Log;
use anyhow::Context;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(crate) const PUBLISH: &str = "store_publish";
pub(crate) const BESIDE: &str = "store_beside";
pub(crate) const WAITING: &str = "store_waiting";
pub(super) const TESTS: [&str; 3] = [PUBLISH, BESIDE, WAITING];
/// Who is measured beside Kith, and the limit.
pub(crate) const PEER: &str = "kith";
pub(crate) const OTHER: &str = "nats-jetstream";
pub(crate) const LIMIT: &str = "limit-fdatasync";
/// Messages on their way, or records of one sync.
pub(crate) const IN_FLIGHT: [u64; 3] = [1, 32, 256];
pub(crate) use beside::{UNREAD, WITHOUT};

const PAYLOAD_BYTES: usize = 512;
const TOPIC: &str = "bench/stored";
/// Bounds what a run writes: some 200 MiB.
const MESSAGES_MAX: u64 = 400_000;
const WARM_UP: Duration = Duration::from_millis(150);
/// Memory and starts vary little, and each such run takes seconds.
const LONG_RUNS_MAX: usize = 3;

/// How the setting of a run is called.
pub(crate) fn in_flight_name(count: u64) -> String {
    format!("{count} in flight")
}

/// How many rows a test brings.
pub(super) fn rows(plan: &Plan, test: &str) -> usize {
    let peers = plan.peers_of(Suite::Store).count();
    match (peers, test) {
        (0, _) => 0,
        (peers, PUBLISH) => (peers + 1) * IN_FLIGHT.len() * plan.repetitions,
        _ if !has_kith(plan) => 0,
        (_, BESIDE) => 2 * long_runs(plan),
        _ => long_runs(plan),
    }
}

fn has_kith(plan: &Plan) -> bool {
    plan.peers_of(Suite::Store).any(|peer| peer.name() == PEER)
}

fn long_runs(plan: &Plan) -> usize {
    plan.repetitions.min(LONG_RUNS_MAX)
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let disk = match Disk::of(&plan.store_directory) {
        Ok(disk) => disk,
        Err(error) => {
            let key = json!({"test": PUBLISH, "peer": PEER, "unit": in_flight_name(1)});
            return log.outcome(key, Err(error));
        }
    };
    let base = tempfile::Builder::new().prefix("kith-store-").tempdir_in(&plan.store_directory)?;
    publishes(plan, &disk, base.path(), log)?;
    if !has_kith(plan) {
        return Ok(());
    }
    let kith = plan.peers_of(Suite::Store).find(|peer| peer.name() == PEER);
    let kith = kith.context("Kith among the peers")?;
    for turn in 0..long_runs(plan) {
        for who in [WITHOUT, UNREAD] {
            interrupt::check()?;
            let key = json!({"test": BESIDE, "peer": who, "rep": turn, "place": disk.name});
            log.outcome(key, in_directory(base.path(), |at| beside::run(kith, at, who)))?;
        }
    }
    for turn in 0..long_runs(plan) {
        interrupt::check()?;
        let key = json!({"test": WAITING, "peer": PEER, "rep": turn, "place": disk.name});
        log.outcome(key, in_directory(base.path(), |at| waiting::run(kith, at)))?;
    }
    Ok(())
}

/// The rates at which publishes are acknowledged, beside that of the bare disk.
fn publishes(plan: &Plan, disk: &Disk, base: &Path, log: &mut Log) -> anyhow::Result<()> {
    let peers: Vec<&dyn Peer> = plan.peers_of(Suite::Store).collect();
    let time = Duration::from_secs_f64(plan.seconds);
    for turn in 0..plan.repetitions {
        for in_flight in IN_FLIGHT {
            // The limit has a turn among the peers.
            for index in in_turn(peers.len() + 1, turn) {
                interrupt::check()?;
                let peer = peers.get(index);
                let name = peer.map_or(LIMIT, |peer| peer.name());
                let key = json!({"test": PUBLISH, "peer": name, "rep": turn,
                    "place": disk.name, "unit": in_flight_name(in_flight)});
                let outcome = in_directory(base, |at| match peer {
                    None => bare::run(at, in_flight, time),
                    Some(peer) => publish(*peer, at, in_flight, time),
                });
                log.outcome(key, outcome)?;
            }
        }
    }
    Ok(())
}

fn publish(peer: &dyn Peer, base: &Path, in_flight: u64, time: Duration) -> anyhow::Result<Value> {
    let broker = Running::start(peer, base, "s")?;
    let codec = peer.storing_codec().context("it stores nothing")?;
    let mut window = Window::open(codec, &broker.endpoint, TOPIC, PAYLOAD_BYTES, in_flight)?;
    window.run(WARM_UP, MESSAGES_MAX)?;
    let before = broker.cpu_seconds();
    let found = window.run(time, MESSAGES_MAX)?;
    let cpu_seconds = broker.cpu_seconds() - before;
    Ok(json!({
        "rate": found.messages as f64 / found.seconds,
        "broker_cpu_us_per_msg": cpu_seconds * 1e6 / found.messages.max(1) as f64,
        "secs": found.seconds,
    }))
}

/// Runs something in a directory of its own, and removes that whatever came of it.
fn in_directory(
    base: &Path,
    measure: impl FnOnce(&Path) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    // Short, since a socket goes below it.
    let at = base.join("d");
    fs::create_dir(&at)?;
    let outcome = measure(&at);
    fs::remove_dir_all(&at)?;
    outcome
}
