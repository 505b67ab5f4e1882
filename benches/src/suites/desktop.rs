//! A desktop program's round trip: it publishes through a session bus, and its own signal comes
//! back to it.
//!
//! The way is two hops through the session bus, whoever answers: call, and unicast signal. So Kith
//! is measured beside a service that does nothing else, on the same bus and with messages of the
//! same size, and beside a signal that the client sends to itself, one hop and nobody else. Who is
//! called runs where the session bus runs, each on a bus of its own, all of which are up at once.
//! The client is lean: a blocking socket, ready-made calls, and no look at what comes but at what
//! it is.
//!
//! `desktop_trip` is a publish that wants no answer; of `desktop_call` both the answer and the
//! signal are waited for. `desktop_rss` is the daemon on a session bus on which nobody calls it.

use super::{Foreign, Plan, SMALL_BYTES, Suite, idle, in_turn, latency};
use crate::interrupt;
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::peers::{Echo, OnSessionBus};
use crate::placement::Placement;
use crate::process::Running;
use crate::results::Log;
use anyhow::{Context, ensure};
use kith_benches::dbus::{Client, ECHO_NAME, NAME, Seen, delivered, publish, subscribe};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Whose door is measured.
pub(super) const PEER: &str = "kith";
/// The session buses that the aims speak of.
pub(crate) const BUSES: [&str; 2] = ["dbus-daemon", "dbus-broker"];
/// What is measured: the way there and back, and the answer as well.
pub(super) const TESTS: [&str; 3] = [TRIP, CALL, RSS];
pub(crate) const TRIP: &str = "desktop_trip";
pub(crate) const CALL: &str = "desktop_call";
pub(crate) const RSS: &str = "desktop_rss";

const ROUNDS: usize = 5000;
/// Round trips before those that count.
const WARM_UP_ROUNDS: usize = 500;
/// How long a whole run may take.
const RUN_MAX: Duration = Duration::from_secs(10);
const TOPIC: &str = "bench.desktop";

/// Who sends the signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The daemon.
    Kith,
    /// A service that does nothing else.
    Service,
    /// The client itself.
    Bare,
}

impl Sender {
    const ALL: [Self; 3] = [Self::Kith, Self::Service, Self::Bare];

    /// How it is called in rows, on a session bus.
    pub(crate) fn on(self, bus: &str) -> String {
        let name = match self {
            Self::Kith => "kith-dbus",
            Self::Service => "zbus-service",
            Self::Bare => "bare",
        };
        format!("{name} on {bus}")
    }

    /// Whether a test can be done with it: nobody answers a signal.
    fn can(self, test: &str) -> bool {
        match test {
            TRIP => true,
            CALL => self != Self::Bare,
            _ => self == Self::Kith,
        }
    }
}

/// The daemon, if it is to be measured.
fn kith(plan: &Plan) -> Option<&dyn Peer> {
    plan.peers_of(Suite::Desktop).find(|peer| peer.name() == PEER)
}

/// Who is measured on which session bus.
fn lanes(plan: &Plan) -> impl Iterator<Item = (&dyn Peer, Sender)> {
    let buses = plan.peers_of(Suite::Desktop).filter(|peer| peer.is_session_bus());
    let can_be = |sender: &Sender| *sender != Sender::Kith || kith(plan).is_some();
    buses.flat_map(move |bus| Sender::ALL.into_iter().filter(can_be).map(move |one| (bus, one)))
}

/// How many rows a test brings.
pub(super) fn rows(plan: &Plan, test: &str) -> usize {
    let lanes = lanes(plan).filter(|(_, sender)| sender.can(test)).count();
    match test {
        // No aim speaks of it.
        RSS if plan.aims_only => 0,
        RSS => lanes * idle::memory_runs(plan),
        _ => lanes * plan.placements.len() * plan.repetitions,
    }
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    if !plan.aims_only {
        memory(plan, log)?;
    }
    for &placement in &plan.placements {
        let place = placement.to_string();
        let key = |test: &str, peer: &str| json!({"test": test, "peer": peer, "place": place});
        let mut up = vec![];
        for (bus, sender) in lanes(plan) {
            match Lane::start(plan, bus, sender, placement) {
                Ok(lane) => up.push(lane),
                Err(error) => log.outcome(key(TRIP, &sender.on(bus.name())), Err(error))?,
            }
        }
        for turn in 0..plan.turns_max(plan.repetitions) {
            for index in in_turn(up.len(), turn) {
                let lane = &up[index];
                for test in [TRIP, CALL].into_iter().filter(|test| lane.sender.can(test)) {
                    let mut key = key(test, &lane.peer);
                    if log.has_enough(&key, plan.repetitions) {
                        continue;
                    }
                    interrupt::check()?;
                    key["rep"] = turn.into();
                    log.outcome(key, lane.measure(placement, test))?;
                }
            }
        }
    }
    Ok(())
}

/// The daemon on a session bus, doing nothing.
fn memory(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    for turn in 0..idle::memory_runs(plan) {
        for (bus, sender) in lanes(plan).filter(|(_, sender)| sender.can(RSS)) {
            interrupt::check()?;
            let found = Lane::start(plan, bus, sender, Placement::Free).and_then(|lane| {
                lane.client()?;
                Ok(idle::at_rest(lane.called.as_ref().context("nobody to look at")?))
            });
            log.outcome(json!({"test": RSS, "peer": sender.on(bus.name()), "rep": turn}), found)?;
        }
    }
    Ok(())
}

/// A session bus, and who is on it beside the client. They end in this order.
struct Lane {
    peer: String,
    sender: Sender,
    called: Option<Running>,
    bus: Running,
}

impl Lane {
    fn start(
        plan: &Plan,
        bus: &dyn Peer,
        sender: Sender,
        placement: Placement,
    ) -> anyhow::Result<Self> {
        let _pinned = placement.pin_broker()?;
        let tag = format!("{}-{placement}", sender.on(bus.name()).replace(' ', "-"));
        let running = Running::start(bus, &plan.directory, &tag)?;
        let socket = running.endpoint.unix_path()?;
        let start = |peer: &dyn Peer| Running::start(peer, &plan.directory, &tag);
        let called = match sender {
            Sender::Kith => {
                let peer = kith(plan).context("without the daemon")?;
                Some(start(&OnSessionBus { peer, bus: socket })?)
            }
            Sender::Service => Some(start(&Echo { bus, socket })?),
            Sender::Bare => None,
        };
        Ok(Self { peer: sender.on(bus.name()), sender, called, bus: running })
    }

    /// A client, once there is whom it calls.
    fn client(&self) -> anyhow::Result<Client> {
        let mut client = Client::open(self.bus.endpoint.unix_path()?)?;
        match self.sender {
            Sender::Kith => client.wait_for(NAME)?,
            Sender::Service => client.wait_for(ECHO_NAME)?,
            Sender::Bare => {}
        }
        Ok(client)
    }

    fn cpu_seconds(&self) -> (f64, f64) {
        (self.called.as_ref().map_or(0.0, Running::cpu_seconds), self.bus.cpu_seconds())
    }

    fn measure(&self, placement: Placement, test: &str) -> anyhow::Result<Value> {
        let _pinned = placement.pin_client()?;
        let mut client = self.client()?;
        let is_answered = test == CALL;
        let payload = format!("\"{}\"", "a".repeat(SMALL_BYTES - 2));
        let message = match self.sender {
            Sender::Kith => {
                client.call(&subscribe(&format!("self.{TOPIC}")))?;
                publish(NAME, TOPIC, &payload, is_answered)
            }
            Sender::Service => publish(ECHO_NAME, TOPIC, &payload, is_answered),
            Sender::Bare => delivered(&client.name, TOPIC, &payload),
        };
        let each = Seen { messages: 1, answers: u64::from(is_answered), errors: 0 };
        let before = self.cpu_seconds();
        let watched = Foreign::watch(before.0 + before.1 + own_cpu_seconds());
        let times_ns = round_trips(&mut client, &message, each)?;
        let after = self.cpu_seconds();
        let foreign = watched.cores(after.0 + after.1 + own_cpu_seconds());
        let mut fields = latency::fields(times_ns, foreign);
        let per_round = |seconds: f64| seconds * 1e6 / (WARM_UP_ROUNDS + ROUNDS) as f64;
        fields["called_cpu_us"] = per_round(after.0 - before.0).into();
        fields["bus_cpu_us"] = per_round(after.1 - before.1).into();
        Ok(fields)
    }
}

/// Times in ns until so much has come for each message.
fn round_trips(client: &mut Client, message: &[u8], each: Seen) -> anyhow::Result<Vec<u64>> {
    client.restart();
    let mut times_ns = Vec::with_capacity(WARM_UP_ROUNDS + ROUNDS);
    let end = Instant::now() + RUN_MAX;
    for round in 1..=(WARM_UP_ROUNDS + ROUNDS) as u64 {
        let began = Instant::now();
        client.send(message)?;
        while client.seen.messages < each.messages * round
            || client.seen.answers < each.answers * round
        {
            client.check()?;
            client.read()?;
        }
        times_ns.push(began.elapsed().as_nanos() as u64);
        ensure!(began < end, "the run took too long");
    }
    Ok(times_ns.split_off(WARM_UP_ROUNDS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Programs, named};

    #[test]
    fn without_the_daemon_the_others_are_measured_and_only_who_is_called_answers() {
        let rows = |peers: &[&str], test: &str| {
            let peers: Vec<String> = peers.iter().map(|&peer| peer.to_owned()).collect();
            let plan = Plan {
                peers: named(&peers, &Programs::default()).unwrap(),
                aims_only: false,
                suites: vec![Suite::Desktop],
                payloads_bytes: vec![],
                fan_payloads_bytes: vec![],
                fans: vec![],
                held: vec![],
                placements: Placement::ALL.to_vec(),
                repetitions: 1,
                seconds: 1.0,
                directory: "/nowhere".into(),
                store_directory: "/nowhere".into(),
            };
            rows(&plan, test)
        };
        let all = ["kith", "kith-json", "redis", "dbus-daemon", "dbus-broker"];
        assert_eq!(TESTS.map(|test| rows(&all, test)), [18, 12, 2]);
        assert_eq!(TESTS.map(|test| rows(&["dbus-daemon"], test)), [6, 3, 0]);
        assert_eq!(TESTS.map(|test| rows(&["kith"], test)), [0; 3]);
    }
}
