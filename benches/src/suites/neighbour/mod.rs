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
//! Where an attack comes through a session bus (`desktop`), that is a dbus-daemon of its own, on
//! the attacker's core; the daemon's thread for it is on the daemon's. The pair stays on the
//! socket.
//!
//! `alone` shows what the bus does: the daemon has a core to itself. In `apart` the pair shares its
//! core with a daemon that an attack keeps busy, in `alone` with the attacker.
//!
//! Only Kith: the attacks are made of its frames.

mod attacker;
pub(super) mod steady;

use super::{Foreign, Plan, Suite, latency};
use crate::interrupt;
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::peers::{OnSessionBus, session_bus, version};
use crate::placement::Pinned;
use crate::process::Running;
use crate::raw::round_trips;
use crate::results::Log;
use anyhow::anyhow;
use attacker::Attacker;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Whom the attacks are made for.
pub(super) const PEER: &str = "kith";
/// What is beside the pair first: nothing, and the control.
pub(crate) const IDLE: &str = "idle";
const BURN: &str = "burn";
/// And then, in order.
const ATTACKS: [&str; 12] = [
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
    "desktop",
    "desktop-deaf",
];

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

/// What attacks are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Many operations.
    Many,
    /// Single operations that take milliseconds, of which nobody has a turn in between.
    Whole,
    /// Traffic on the session bus.
    Desktop,
}

impl Kind {
    fn of(attack: &str) -> Self {
        match attack {
            "retain" | "huge" => Self::Whole,
            "desktop" | "desktop-deaf" => Self::Desktop,
            _ => Self::Many,
        }
    }
}

/// The attacks of a kind.
pub(crate) fn attacks(kind: Kind) -> impl Iterator<Item = &'static str> + Clone {
    ATTACKS.into_iter().filter(move |attack| Kind::of(attack) == kind)
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
    let has_bus = version(&session_bus()).missing.is_none();
    let can_be = |beside: &&str| has_bus || Kind::of(beside) != Kind::Desktop;
    for turn in 0..plan.turns_max(repetitions(plan)) {
        for placement in placements(plan) {
            for beside in beside().filter(can_be) {
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
    let scene = Scene::start(peer, plan, placement, beside)?;
    std::thread::sleep(SETTLE);
    let pinned = Pinned::to_nth(placement.pair)?;
    let codec = peer.codec();
    let mut rows = vec![];
    for &test in tests {
        let (began, before) = (Instant::now(), scene.cpu());
        let watched = Foreign::watch(before.sum() + own_cpu_seconds());
        let endpoint = &scene.broker.endpoint;
        let outcome = match test {
            "neighbour_one" => round_trips(&codec, endpoint, PAYLOAD_BYTES, ROUNDS, false)
                .map(|times_ns| (times_ns, 0))
                .map_err(anyhow::Error::from),
            _ => steady::run(&codec, endpoint, PAYLOAD_BYTES, plan.seconds),
        };
        let after = scene.cpu();
        let foreign = watched.cores(after.sum() + own_cpu_seconds());
        let seconds = began.elapsed().as_secs_f64();
        let fields = outcome.map(|(times_ns, lost)| {
            let mut fields = latency::fields(times_ns, foreign);
            fields["lost"] = lost.into();
            fields["broker_util"] = ((after.broker - before.broker) / seconds).into();
            fields["attacker_util"] = ((after.attacker - before.attacker) / seconds).into();
            fields["bus_util"] = ((after.bus - before.bus) / seconds).into();
            fields
        });
        rows.push((test, fields));
    }
    drop(pinned);
    if let Some(mut attacker) = scene.attacker {
        attacker.check()?;
    }
    Ok(rows)
}

/// Everybody but the pair. They end in this order.
struct Scene {
    attacker: Option<Attacker>,
    broker: Running,
    bus: Option<Running>,
}

/// CPU time so far, in seconds.
struct Cpu {
    attacker: f64,
    broker: f64,
    bus: f64,
}

impl Cpu {
    fn sum(&self) -> f64 {
        self.attacker + self.broker + self.bus
    }
}

impl Scene {
    fn start(
        peer: &dyn Peer,
        plan: &Plan,
        placement: Placement,
        beside: &str,
    ) -> anyhow::Result<Self> {
        let tag = format!("neighbour-{beside}");
        let start = |peer: &dyn Peer, core| {
            let _pinned = Pinned::to_nth(core)?;
            Running::start(peer, &plan.directory, &tag)
        };
        let bus = match Kind::of(beside) {
            Kind::Desktop => Some(start(&session_bus(), placement.attacker)?),
            Kind::Many | Kind::Whole => None,
        };
        let broker = match &bus {
            Some(bus) => {
                let bus = bus.endpoint.unix_path()?;
                start(&OnSessionBus { peer, bus }, placement.daemon)?
            }
            None => start(peer, placement.daemon)?,
        };
        let attacked = bus.as_ref().map_or(&broker.endpoint, |bus| &bus.endpoint);
        let _pinned = Pinned::to_nth(placement.attacker)?;
        let attacker = match beside {
            IDLE => None,
            attack => Some(Attacker::start(attack, attacked)?),
        };
        Ok(Self { attacker, broker, bus })
    }

    fn cpu(&self) -> Cpu {
        Cpu {
            attacker: self.attacker.as_ref().map_or(0.0, Attacker::cpu_seconds),
            broker: self.broker.cpu_seconds(),
            bus: self.bus.as_ref().map_or(0.0, Running::cpu_seconds),
        }
    }
}
