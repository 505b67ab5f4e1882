//! Throughput and fan-out: all brokers up at once, loaded one at a time in turn.
//!
//! That they are all up costs some memory and no CPU (the idle ones sleep), and it lets the turns
//! be seconds apart, so that each repetition compares under the same conditions.

use super::{Plan, SMALL_BYTES, Suite, in_turn};
use crate::client_program::ClientProgram;
use crate::deliveries::Deliveries;
use crate::interrupt;
use crate::load::{Load, LoadResult};
use crate::peer::Peer;
use crate::process::Running;
use crate::raw::{Publisher, Subscribers};
use crate::results::{Log, load_fields};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOPIC: &str = "bench/t0";
/// A peer whose fan-out takes longer than this, set-up included, is measured once only.
const FAN_MAX: Duration = Duration::from_secs(25);
/// Between two runs, for what the first left behind in the broker.
const PAUSE: Duration = Duration::from_millis(30);

struct Turns<'plan> {
    plan: &'plan Plan,
    up: Vec<(&'plan dyn Peer, Running)>,
    /// Peer and fan that took too long.
    skipped: HashSet<(usize, usize)>,
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let mut turns = Turns { plan, up: vec![], skipped: HashSet::new() };
    let loads = [Suite::Thr, Suite::One, Suite::Fan];
    let is_loaded = |name: &str| loads.into_iter().any(|suite| plan.measures(suite, name));
    for peer in plan.peers.iter().map(|peer| &**peer).filter(|peer| is_loaded(peer.name())) {
        match Running::start(peer, &plan.directory, "load") {
            Ok(broker) => turns.up.push((peer, broker)),
            Err(error) => {
                let key = json!({"test": "load", "peer": peer.name()});
                log.outcome(key, Err(error))?;
            }
        }
    }
    for turn in 0..plan.turns_max(plan.repetitions) {
        turns.take(turn, log)?;
    }
    for (peer, broker) in &turns.up {
        let kib = broker.resident_kib();
        log.put(json!({"test": "rss_after", "peer": peer.name(), "kib": kib}))?;
    }
    Ok(())
}

impl Turns<'_> {
    fn take(&mut self, turn: usize, log: &mut Log) -> anyhow::Result<()> {
        let order: Vec<usize> = in_turn(self.up.len(), turn).collect();
        let plan = self.plan;
        let up: Vec<&dyn Peer> = self.up.iter().map(|(peer, _)| *peer).collect();
        let of = |suite: Suite, payload: usize| {
            let is_measured = |index: &usize| plan.measures_with(suite, up[*index], payload);
            order.iter().copied().filter(is_measured).collect::<Vec<_>>()
        };
        for index in of(Suite::One, SMALL_BYTES) {
            self.load("one", index, turn, SMALL_BYTES, 1, log)?;
        }
        for &payload in &plan.payloads_bytes {
            for index in of(Suite::Thr, payload) {
                self.load("thr", index, turn, payload, 1, log)?;
            }
        }
        for &payload in &plan.fan_payloads_bytes {
            for &fan in &plan.fans {
                for index in of(Suite::Fan, payload) {
                    self.fan_out(index, turn, payload, fan, log)?;
                }
            }
        }
        Ok(())
    }

    fn fan_out(
        &mut self,
        index: usize,
        turn: usize,
        payload: usize,
        fan: usize,
        log: &mut Log,
    ) -> anyhow::Result<()> {
        if self.skipped.contains(&(index, fan)) {
            return Ok(());
        }
        let began = Instant::now();
        self.load("fan", index, turn, payload, fan, log)?;
        if began.elapsed() > FAN_MAX {
            self.skipped.insert((index, fan));
        }
        Ok(())
    }

    /// One load run, and its row, unless there are enough of them.
    fn load(
        &self,
        test: &str,
        index: usize,
        turn: usize,
        payload: usize,
        fan: usize,
        log: &mut Log,
    ) -> anyhow::Result<()> {
        let (peer, broker) = &self.up[index];
        let key = json!({"test": test, "peer": peer.name(), "rep": turn,
            "payload": payload, "subs": fan});
        if log.has_enough(&key, self.plan.repetitions) {
            return Ok(());
        }
        interrupt::check()?;
        let batch = if test == "one" { 1 } else { u64::MAX };
        let seconds = self.plan.seconds;
        let load = Load { fan: fan as u64, seconds, batch };
        let outcome = one_load(*peer, broker, load, payload).map(|result| load_fields(&result));
        std::thread::sleep(PAUSE);
        log.outcome(key, outcome)
    }
}

pub(super) fn one_load(
    peer: &dyn Peer,
    broker: &Running,
    load: Load,
    payload_bytes: usize,
) -> anyhow::Result<LoadResult> {
    if let Some(program) = peer.client_program() {
        let mut client = ClientProgram::start(program, &broker.endpoint)?;
        return client.load(load, payload_bytes, broker);
    }
    let deliveries = Arc::new(Deliveries::default());
    let codec = peer.codec();
    let _subscribers = Subscribers::open(
        codec.clone(),
        &broker.endpoint,
        load.fan as usize,
        TOPIC,
        deliveries.clone(),
    )?;
    let mut publisher =
        Publisher::open(codec, &broker.endpoint, &[TOPIC.to_string()], payload_bytes)?;
    load.run(&mut publisher, &deliveries, broker)
}
