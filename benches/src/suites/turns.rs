//! Throughput, fan-out and latency: all brokers up at once, loaded one at a time in turn.
//!
//! That they are all up costs some memory and no CPU (the idle ones sleep), and it lets the turns
//! be seconds apart, so that each repetition compares under the same conditions.

use super::{Foreign, Plan, Suite};
use crate::deliveries::Deliveries;
use crate::interrupt;
use crate::load::{Load, LoadResult};
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::process::Running;
use crate::raw::{Publisher, Subscribers, round_trips};
use crate::results::{Log, load_fields};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOPIC: &str = "bench/t0";
/// The payload of `one` and `lat`.
const SMALL_BYTES: usize = 128;
const LATENCY_ROUNDS: usize = 5000;
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
    for peer in &plan.peers {
        match Running::start(&**peer, &plan.directory, "load") {
            Ok(broker) => turns.up.push((&**peer, broker)),
            Err(error) => {
                let key = json!({"test": "load", "peer": peer.name()});
                log.outcome(key, Err(error))?;
            }
        }
    }
    for repetition in 0..plan.repetitions {
        turns.repetition(repetition, log)?;
    }
    for (peer, broker) in &turns.up {
        let kib = broker.resident_kib();
        log.put(json!({"test": "rss_after", "peer": peer.name(), "kib": kib}))?;
    }
    Ok(())
}

impl Turns<'_> {
    fn repetition(&mut self, repetition: usize, log: &mut Log) -> anyhow::Result<()> {
        let count = self.up.len();
        let order: Vec<usize> = (0..count).map(|index| (index + repetition) % count).collect();
        if self.plan.has(Suite::Lat) {
            for &index in &order {
                self.latency(index, repetition, log)?;
            }
        }
        if self.plan.has(Suite::One) {
            for &index in &order {
                self.load("one", index, repetition, SMALL_BYTES, 1, log)?;
            }
        }
        for &payload in &self.plan.payloads_bytes {
            if self.plan.has(Suite::Thr) {
                for &index in &order {
                    self.load("thr", index, repetition, payload, 1, log)?;
                }
            }
            if self.plan.has(Suite::Fan) {
                for &fan in &self.plan.fans {
                    for &index in &order {
                        self.fan_out(index, repetition, payload, fan, log)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn fan_out(
        &mut self,
        index: usize,
        repetition: usize,
        payload: usize,
        fan: usize,
        log: &mut Log,
    ) -> anyhow::Result<()> {
        if self.skipped.contains(&(index, fan)) {
            return Ok(());
        }
        let began = Instant::now();
        self.load("fan", index, repetition, payload, fan, log)?;
        if began.elapsed() > FAN_MAX {
            self.skipped.insert((index, fan));
        }
        Ok(())
    }

    /// One load run, and its row.
    fn load(
        &self,
        test: &str,
        index: usize,
        repetition: usize,
        payload: usize,
        fan: usize,
        log: &mut Log,
    ) -> anyhow::Result<()> {
        interrupt::check()?;
        let (peer, broker) = &self.up[index];
        let batch = if test == "one" { 1 } else { u64::MAX };
        let seconds = self.plan.seconds;
        let load = Load { fan: fan as u64, payload_bytes: payload, seconds, batch };
        let outcome = one_load(*peer, broker, load).map(|result| load_fields(&result));
        std::thread::sleep(PAUSE);
        let key = json!({"test": test, "peer": peer.name(), "rep": repetition,
            "payload": payload, "subs": fan});
        log.outcome(key, outcome)
    }

    fn latency(&self, index: usize, repetition: usize, log: &mut Log) -> anyhow::Result<()> {
        let (peer, broker) = &self.up[index];
        for (test, echoed) in [("transit", false), ("pingpong", true)] {
            interrupt::check()?;
            let watched = Foreign::watch(broker.cpu_seconds() + own_cpu_seconds());
            let codec = peer.codec();
            let times = round_trips(&codec, &broker.endpoint, SMALL_BYTES, LATENCY_ROUNDS, echoed);
            let foreign = watched.cores(broker.cpu_seconds() + own_cpu_seconds());
            let outcome =
                times.map(|times| latency_fields(times, foreign)).map_err(anyhow::Error::from);
            let key = json!({"test": test, "peer": peer.name(), "rep": repetition});
            log.outcome(key, outcome)?;
        }
        Ok(())
    }
}

fn one_load(peer: &dyn Peer, broker: &Running, load: Load) -> anyhow::Result<LoadResult> {
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
        Publisher::open(codec, &broker.endpoint, &[TOPIC.to_string()], load.payload_bytes)?;
    load.run(&mut publisher, &deliveries, broker)
}

fn latency_fields(mut times_ns: Vec<u64>, foreign: f64) -> Value {
    times_ns.sort_unstable();
    let quantile = |share: f64| {
        let at = (times_ns.len() - 1) as f64 * share;
        times_ns[at as usize] as f64 / 1e3
    };
    json!({"p50_us": quantile(0.5), "p99_us": quantile(0.99), "p999_us": quantile(0.999),
        "foreign": foreign})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_from_sorted_times() {
        let fields = latency_fields((1..=1001).rev().map(|us| us * 1000).collect(), 0.0);
        assert_eq!(fields["p50_us"], 501.0);
        assert_eq!(fields["p99_us"], 991.0);
        assert_eq!(fields["p999_us"], 1000.0);
    }
}
