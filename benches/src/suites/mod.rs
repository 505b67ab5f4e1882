//! The measurements: which, how often, in which order.
//!
//! Peers alternate within each repetition, and the order rotates with it, so that a slow minute of
//! the machine hits all of them. A run during which others used the machine is repeated, as often
//! as the plan allows. Every loop is bounded. One peer's failure becomes a row with an
//! error and the others go on; only an interrupt or an unwritable log ends a series.

pub(crate) mod desktop;
mod held;
mod idle;
mod latency;
pub(crate) mod neighbour;
pub(crate) mod people;
mod plan;
pub(crate) mod services;
pub(crate) mod store;
mod turns;

pub(crate) use plan::Plan;

use crate::interrupt;
use crate::machine::{busy_seconds, own_cpu_seconds};
use crate::results::Log;
use serde_json::json;
use std::time::Instant;

/// Payloads that are measured unless others are asked for.
pub(crate) const PAYLOADS_BYTES: [usize; 4] = [16, 128, 1024, 65536];
/// The same for `fan`, for numbers of subscribers, and of held subscriptions.
pub(crate) const FAN_PAYLOADS_BYTES: [usize; 1] = [SMALL_BYTES];
pub(crate) const FANS: [usize; 2] = [10, 100];
pub(crate) const HELD: [u64; 4] = [1, 1_000, 100_000, 1_000_000];

/// The payload of `one`, `lat` and `desktop`.
const SMALL_BYTES: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// 1 publisher to 1 subscriber, pipelined.
    Thr,
    /// The same at 128 B, one write a message.
    One,
    /// 1 publisher to many subscribers.
    Fan,
    /// Unloaded round trips at 128 B, for each placement.
    Lat,
    /// From exec to the first answered ping.
    Start,
    /// Memory and wakeups, idle, and memory with 1000 idle connections.
    Rss,
    /// Many subscriptions held: loading them, and matching.
    Subs,
    /// Latency beside hostile clients; Kith only.
    Neighbour,
    /// A publish on a session bus until its signal comes: Kith beside a trivial service.
    Desktop,
    /// A message from one service inside the daemon to another, and idle services; Kith only.
    Services,
    /// Publishes acknowledged once they are on the disk, and messages that wait there.
    Store,
    /// Messages between two devices of two people; Kith only.
    People,
    /// The machine itself, without a broker.
    Limit,
}

impl Suite {
    /// Those that the aims speak of.
    pub(crate) const OF_AIMS: [Self; 12] = [
        Self::Thr,
        Self::One,
        Self::Fan,
        Self::Lat,
        Self::Start,
        Self::Rss,
        Self::Subs,
        Self::Neighbour,
        Self::Desktop,
        Self::Services,
        Self::Store,
        Self::People,
    ];
}

pub(crate) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    std::fs::create_dir_all(&plan.directory)?;
    plan.announce(&mut log.progress);
    let seconds = log.progress.left().as_secs();
    eprintln!("this takes about {}:{:02} on a quiet machine", seconds / 60, seconds % 60);
    if plan.has(Suite::Limit) {
        let watched = Foreign::watch(own_cpu_seconds());
        crate::limit::run(log, plan.repetitions)?;
        let cores = watched.cores(own_cpu_seconds());
        log.put(json!({"test": "limit_foreign", "peer": "-", "foreign_all": cores}))?;
    }
    if plan.has(Suite::Start) {
        idle::start(plan, log)?;
        log.progress.finish(&["start"]);
    }
    if plan.has(Suite::Rss) {
        idle::memory(plan, log)?;
        log.progress.finish(&["rss"]);
    }
    if plan.has(Suite::Lat) {
        latency::run(plan, log)?;
        log.progress.finish(&["transit", "pingpong"]);
    }
    if plan.has(Suite::Desktop) {
        desktop::run(plan, log)?;
        log.progress.finish(&desktop::TESTS);
    }
    if plan.has(Suite::Services) {
        services::run(plan, log)?;
        log.progress.finish(&services::TESTS);
    }
    if plan.has(Suite::Store) {
        store::run(plan, log)?;
        log.progress.finish(&store::TESTS);
    }
    if plan.has(Suite::People) {
        people::run(plan, log)?;
        log.progress.finish(&people::TESTS);
    }
    if [Suite::Thr, Suite::One, Suite::Fan].into_iter().any(|suite| plan.has(suite)) {
        turns::run(plan, log)?;
        log.progress.finish(&["thr", "one", "fan"]);
    }
    if plan.has(Suite::Subs) {
        held::run(plan, log)?;
        log.progress.finish(&["subs_load", "subs_memory", "subs_hot", "subs_spread"]);
    }
    if plan.has(Suite::Neighbour) {
        neighbour::run(plan, log)?;
        log.progress.finish(&neighbour::TESTS);
    }
    interrupt::check()
}

/// The places of so many peers in the order of a turn, which begins one further each time.
fn in_turn(peers: usize, turn: usize) -> impl Iterator<Item = usize> {
    (0..peers).map(move |index| (index + turn) % peers)
}

/// How many cores were used by others since a moment. The caller says what its own processes used.
struct Foreign {
    busy: f64,
    ours: f64,
    since: Instant,
}

impl Foreign {
    fn watch(ours: f64) -> Self {
        Self { busy: busy_seconds(), ours, since: Instant::now() }
    }

    fn cores(&self, ours: f64) -> f64 {
        (busy_seconds() - self.busy - (ours - self.ours)) / self.since.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_begins_with_the_next() {
        let order = |turn| in_turn(3, turn).collect::<Vec<_>>();
        assert_eq!([order(0), order(1), order(5)], [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
        assert_eq!(in_turn(0, 1).count(), 0);
    }
}
