//! Neighbours: a well-behaved pair alone on a bus, and beside a program that means no good.
//!
//! The pair is measured in two shapes: one message at a time, the next when the last has come, and
//! a thousand a second, whatever comes. Beside it runs one attack (`kith-bench-attacker`), or none
//! (`idle`), or the control (`burn`): a process that is as busy, and isn't connected. On a machine
//! of few cores an attacker takes CPU time from everybody, with or without a bus; so each is
//! measured in three placements:
//!
//! | placement | daemon | pair | attacker |
//! | --- | --- | --- | --- |
//! | `free` | any core | any | any |
//! | `apart` | core 0 | core 0 | core 1 |
//! | `alone` | core 0 | core 1 | core 1 |
//!
//! `alone` shows what the bus does: the daemon has a core to itself. In `apart` the pair shares its
//! core with a daemon that an attack keeps busy, in `alone` with the attacker.
//!
//! Only Kith: the attacks are made of its frames.

mod attacker;
mod steady;

use super::{Foreign, Plan, Suite, latency};
use crate::interrupt;
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::placement::Pinned;
use crate::process::Running;
use crate::raw::round_trips;
use crate::results::Log;
use attacker::Attacker;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// Whom the attacks are made for.
pub(super) const PEER: &str = "kith";
const IDLE: &str = "idle";
/// What is beside the pair, in order: nothing and the control, then the attacks.
const BESIDE: [&str; 12] = [
    IDLE,
    "burn",
    "flood",
    "deaf",
    "subscribe",
    "retain",
    "connect",
    "slow",
    "drip",
    "garbage",
    "huge",
    "request",
];
const PAYLOAD_BYTES: usize = 128;
const ROUNDS: usize = 3_000;
/// How long an attack goes on before the pair is measured.
const SETTLE: Duration = Duration::from_millis(300);

/// Where everybody runs.
#[derive(Clone, Copy)]
struct Placement {
    name: &'static str,
    daemon: Option<usize>,
    pair: Option<usize>,
    attacker: Option<usize>,
}

const PLACEMENTS: [Placement; 3] = [
    Placement { name: "free", daemon: None, pair: None, attacker: None },
    Placement { name: "apart", daemon: Some(0), pair: Some(0), attacker: Some(1) },
    Placement { name: "alone", daemon: Some(0), pair: Some(1), attacker: Some(1) },
];

/// What is measured: one message at a time, and a thousand a second.
pub(super) const TESTS: [&str; 2] = ["neighbour_one", "neighbour_steady"];

/// How many rows a test brings in each repetition.
pub(super) fn settings() -> usize {
    placements().count() * BESIDE.len()
}

/// Those that this machine has cores for.
fn placements() -> impl Iterator<Item = Placement> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    PLACEMENTS.into_iter().filter(move |one| one.daemon.is_none() || cores > 1)
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let Some(peer) = plan.peers_of(Suite::Neighbour).find(|peer| peer.name() == PEER) else {
        return Ok(());
    };
    for repetition in 0..plan.repetitions {
        for placement in placements() {
            // By test: the p99 of the idle bus, to compare with.
            let mut idle = HashMap::new();
            for beside in BESIDE {
                interrupt::check()?;
                let rows = beside_one(peer, plan, placement, beside);
                let rows = rows.unwrap_or_else(|error| vec![(TESTS[0], Err(error))]);
                for (test, outcome) in rows {
                    let outcome = outcome.map(|fields| with_ratio(fields, test, &mut idle));
                    let key = json!({"test": test, "rep": repetition,
                        "peer": format!("{PEER} beside {beside}"), "place": placement.name});
                    log.outcome(key, outcome)?;
                }
            }
        }
    }
    Ok(())
}

/// Adds how many times the idle p99 this is. The first row of a test is the idle one.
fn with_ratio(mut fields: Value, test: &'static str, idle: &mut HashMap<&str, f64>) -> Value {
    let p99_us = fields["p99_us"].as_f64().unwrap_or_default();
    let idle_us = *idle.entry(test).or_insert(p99_us);
    fields["times_idle"] = (p99_us / idle_us).into();
    fields
}

/// What each test brought.
type Rows = Vec<(&'static str, anyhow::Result<Value>)>;

/// The pair beside one attack, on a daemon of their own: what an attack leaves behind in a daemon
/// would meet the next one.
fn beside_one(
    peer: &dyn Peer,
    plan: &Plan,
    placement: Placement,
    beside: &str,
) -> anyhow::Result<Rows> {
    let pinned = Pinned::to_nth(placement.daemon)?;
    let broker = Running::start(peer, &plan.directory, &format!("neighbour-{beside}"))?;
    drop(pinned);
    let pinned = Pinned::to_nth(placement.attacker)?;
    let attacker = match beside {
        IDLE => None,
        attack => Some(Attacker::start(attack, &broker.endpoint)?),
    };
    drop(pinned);
    std::thread::sleep(SETTLE);
    let pinned = Pinned::to_nth(placement.pair)?;
    let codec = peer.codec();
    let cpu = || {
        let attacker = attacker.as_ref().map_or(0.0, Attacker::cpu_seconds);
        (broker.cpu_seconds(), attacker)
    };
    let mut rows = vec![];
    for test in TESTS {
        let (began, before) = (std::time::Instant::now(), cpu());
        let watched = Foreign::watch(before.0 + before.1 + own_cpu_seconds());
        let outcome = match test {
            "neighbour_one" => round_trips(&codec, &broker.endpoint, PAYLOAD_BYTES, ROUNDS, false)
                .map(|times_ns| (times_ns, 0))
                .map_err(anyhow::Error::from),
            _ => steady::run(&codec, &broker.endpoint, PAYLOAD_BYTES, plan.seconds),
        };
        let after = cpu();
        let foreign = watched.cores(after.0 + after.1 + own_cpu_seconds());
        let seconds = began.elapsed().as_secs_f64();
        let fields = outcome.map(|(times_ns, lost)| {
            let mut fields = latency::fields(times_ns, foreign);
            fields["lost"] = lost.into();
            fields["broker_util"] = ((after.0 - before.0) / seconds).into();
            fields["attacker_util"] = ((after.1 - before.1) / seconds).into();
            fields
        });
        rows.push((test, fields));
    }
    drop(pinned);
    if let Some(mut attacker) = attacker {
        attacker.check()?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_test_is_what_the_others_are_compared_with() {
        let mut idle = HashMap::new();
        let mut ratio = |test, p99: f64| {
            with_ratio(json!({"p99_us": p99}), test, &mut idle)["times_idle"].clone()
        };
        assert_eq!(ratio("one", 10.0), 1.0);
        assert_eq!(ratio("steady", 50.0), 1.0);
        assert_eq!(ratio("one", 25.0), 2.5);
        assert_eq!(ratio("steady", 25.0), 0.5);
    }
}
