//! Brokers with nothing to do: how soon they answer, what memory they take, and whether they sleep.

use super::{Foreign, Plan, Suite, in_turn};
use crate::client_program::ClientProgram;
use crate::interrupt;
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::process::Running;
use crate::raw::Connection;
use crate::results::Log;
use serde_json::{Value, json};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Starting is cheap and varies much, so it is repeated at least so often.
const STARTS_MIN: usize = 7;
/// How long the machine is watched for the work of others, from the exec on: a start is over in
/// less time than one tick of CPU time.
const START_WATCHED: Duration = Duration::from_millis(150);
/// Memory varies little, and each look at it takes seconds.
const MEMORY_RUNS_MAX: usize = 3;
/// How long a broker may settle before its memory is read.
const SETTLE: Duration = Duration::from_millis(700);
/// How long idle CPU time is watched.
const IDLE: Duration = Duration::from_secs(2);
const IDLE_CONNECTIONS: u64 = 1000;

/// Exec to the first answered ping.
pub(super) fn start(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let peers: Vec<&dyn Peer> = plan.peers_of(Suite::Start).collect();
    for turn in 0..plan.turns_max(starts(plan)) {
        for index in in_turn(peers.len(), turn) {
            let peer = peers[index];
            let key = json!({"test": "start", "peer": peer.name(), "rep": turn});
            if !log.has_enough(&key, starts(plan)) {
                interrupt::check()?;
                log.outcome(key, one_start(peer, &plan.directory))?;
            }
        }
    }
    Ok(())
}

/// How often each peer is started.
pub(super) fn starts(plan: &Plan) -> usize {
    plan.repetitions.max(STARTS_MIN)
}

fn one_start(peer: &dyn Peer, directory: &Path) -> anyhow::Result<Value> {
    let began = Instant::now();
    let watched = Foreign::watch(own_cpu_seconds());
    let broker = Running::start(peer, directory, "start")?;
    sleep(START_WATCHED.saturating_sub(began.elapsed()));
    let foreign = watched.cores(broker.cpu_seconds() + own_cpu_seconds());
    Ok(json!({"ms": broker.ready_after.as_secs_f64() * 1e3, "foreign": foreign}))
}

/// RSS, CPU time and wakeups of an idle broker, and RSS with idle connections. What others do on
/// the machine changes none of them, so no run is left out.
pub(super) fn memory(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let peers: Vec<&dyn Peer> = plan.peers_of(Suite::Rss).collect();
    for turn in 0..memory_runs(plan) {
        for index in in_turn(peers.len(), turn) {
            let peer = peers[index];
            interrupt::check()?;
            let found = peer_memory(peer, &plan.directory);
            log.outcome(json!({"test": "rss", "peer": peer.name(), "rep": turn}), found)?;
        }
    }
    Ok(())
}

/// How often the memory of each peer is looked at.
pub(super) fn memory_runs(plan: &Plan) -> usize {
    plan.repetitions.min(MEMORY_RUNS_MAX)
}

fn peer_memory(peer: &dyn Peer, directory: &Path) -> anyhow::Result<Value> {
    let broker = Running::start(peer, directory, "rss")?;
    let mut found = at_rest(&broker);
    let idle_kib = found["idle_kib"].as_u64().unwrap_or(0);
    let began = Instant::now();
    let connections = Idle::open(peer, &broker);
    match &connections {
        Ok(_) => {
            found["connect1000_s"] = began.elapsed().as_secs_f64().into();
            sleep(SETTLE);
            let resident_kib = broker.resident_kib();
            found["conn1000_kib"] = resident_kib.into();
            let grown_kib = resident_kib.saturating_sub(idle_kib) as f64;
            found["kib_per_connection"] = (grown_kib / IDLE_CONNECTIONS as f64).into();
            found["conn1000_anon_kib"] = broker.anonymous_kib().into();
            found["detail"] = broker.detail().into();
        }
        Err(error) => found["error"] = format!("{IDLE_CONNECTIONS} connections: {error}").into(),
    }
    Ok(found)
}

/// RSS, CPU time and wakeups of a broker that has just started.
pub(super) fn at_rest(broker: &Running) -> Value {
    sleep(SETTLE);
    let (idle_kib, idle_anonymous_kib) = (broker.resident_kib(), broker.anonymous_kib());
    let (cpu_before, wakeups_before) = (broker.cpu_seconds(), broker.wakeups());
    sleep(IDLE);
    json!({
        "idle_kib": idle_kib,
        "idle_anon_kib": idle_anonymous_kib,
        "idle_cpu_2s": broker.cpu_seconds() - cpu_before,
        "wakeups_2s": broker.wakeups() - wakeups_before,
    })
}

/// Connections that do nothing, but stay.
enum Idle {
    Raw { _connections: Vec<Connection> },
    Program { _client: ClientProgram },
}

impl Idle {
    fn open(peer: &dyn Peer, broker: &Running) -> anyhow::Result<Self> {
        if let Some(program) = peer.client_program() {
            let mut client = ClientProgram::start(program, &broker.endpoint)?;
            client.request(&format!("idle {IDLE_CONNECTIONS}"))?;
            return Ok(Self::Program { _client: client });
        }
        let codec = peer.codec();
        let open = |_| Connection::open(&*codec, &broker.endpoint);
        let connections = (0..IDLE_CONNECTIONS).map(open).collect::<Result<_, _>>()?;
        Ok(Self::Raw { _connections: connections })
    }
}
