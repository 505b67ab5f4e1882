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
use anyhow::anyhow;
use attacker::Attacker;
use serde_json::{Value, json};
use std::time::Duration;

/// Whom the attacks are made for.
pub(super) const PEER: &str = "kith";
/// What is beside the pair first: nothing, and the control.
pub(crate) const IDLE: &str = "idle";
const BURN: &str = "burn";
/// And then, in order.
const ATTACKS: [&str; 10] = [
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
/// Those made of single operations that take milliseconds, of which nobody has a turn in between.
const WHOLE: [&str; 2] = ["retain", "huge"];

const PAYLOAD_BYTES: usize = 128;
const ROUNDS: usize = 3_000;
/// A pair beside an attack tells its story in few runs, and there are many of them.
const REPETITIONS_MAX: usize = 3;
/// The placement that the aims speak of: nobody shares the attacker's core.
pub(crate) const PLACE_OF_AIMS: &str = "apart";
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
    Placement { name: PLACE_OF_AIMS, daemon: Some(0), pair: Some(0), attacker: Some(1) },
    Placement { name: "alone", daemon: Some(0), pair: Some(1), attacker: Some(1) },
];

/// What is measured: one message at a time, and a thousand a second.
pub(crate) const TESTS: [&str; 2] = ["neighbour_one", "neighbour_steady"];

/// How many rows a test brings.
pub(super) fn rows(plan: &Plan) -> usize {
    placements(plan).count() * beside().count() * repetitions(plan)
}

fn repetitions(plan: &Plan) -> usize {
    plan.repetitions.min(REPETITIONS_MAX)
}

/// Who is beside the pair, in order.
fn beside() -> impl Iterator<Item = &'static str> {
    [IDLE, BURN].into_iter().chain(ATTACKS)
}

/// The attacks of many operations, or those of single large ones.
pub(crate) fn attacks(are_whole: bool) -> impl Iterator<Item = &'static str> + Clone {
    ATTACKS.into_iter().filter(move |attack| WHOLE.contains(attack) == are_whole)
}

/// How the pair is called in rows, by who is beside it.
pub(crate) fn peer_beside(beside: &str) -> String {
    format!("{PEER} beside {beside}")
}

/// Those that this machine has cores for, and that the plan asks for.
fn placements(plan: &Plan) -> impl Iterator<Item = Placement> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let aims_only = plan.aims_only;
    PLACEMENTS.into_iter().filter(move |one| {
        (one.daemon.is_none() || cores > 1) && (!aims_only || one.name == PLACE_OF_AIMS)
    })
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let Some(peer) = plan.peers_of(Suite::Neighbour).find(|peer| peer.name() == PEER) else {
        return Ok(());
    };
    for turn in 0..plan.turns_max(repetitions(plan)) {
        for placement in placements(plan) {
            for beside in beside() {
                let key = |test: &str| {
                    json!({"test": test, "rep": turn, "peer": peer_beside(beside),
                        "place": placement.name})
                };
                let wanted = |test: &&str| !log.has_enough(&key(test), repetitions(plan));
                let tests: Vec<&str> = TESTS.into_iter().filter(wanted).collect();
                if tests.is_empty() {
                    continue;
                }
                interrupt::check()?;
                let rows = beside_one(peer, plan, placement, beside, &tests);
                let rows = rows.unwrap_or_else(|error| {
                    tests.iter().map(|test| (*test, Err(anyhow!("{error:#}")))).collect()
                });
                for (test, outcome) in rows {
                    log.outcome(key(test), outcome)?;
                }
            }
        }
    }
    Ok(())
}

/// What each test brought.
type Rows<'tests> = Vec<(&'tests str, anyhow::Result<Value>)>;

/// The pair beside one attack, on a daemon of their own: what an attack leaves behind in a daemon
/// would meet the next one.
fn beside_one<'tests>(
    peer: &dyn Peer,
    plan: &Plan,
    placement: Placement,
    beside: &str,
    tests: &[&'tests str],
) -> anyhow::Result<Rows<'tests>> {
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
    for &test in tests {
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
