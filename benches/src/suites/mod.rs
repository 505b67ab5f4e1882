//! The measurements: which, how often, in which order.
//!
//! Peers alternate within each repetition, and the order rotates with it, so that a slow minute of
//! the machine hits all of them. Every loop is bounded. One peer's failure becomes a row with an
//! error and the others go on; only an interrupt or an unwritable log ends a series.

mod held;
mod idle;
mod turns;

use crate::interrupt;
use crate::machine::{busy_seconds, own_cpu_seconds};
use crate::peer::Peer;
use crate::results::Log;
use anyhow::ensure;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

/// Payloads that are measured unless others are asked for.
pub(crate) const PAYLOADS_BYTES: [usize; 4] = [16, 128, 1024, 65536];
/// The same for numbers of subscribers, and of held subscriptions.
pub(crate) const FANS: [usize; 2] = [10, 100];
pub(crate) const HELD: [u64; 4] = [1, 1_000, 100_000, 1_000_000];

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// 1 publisher to 1 subscriber, pipelined.
    Thr,
    /// The same at 128 B, one write a message.
    One,
    /// 1 publisher to many subscribers.
    Fan,
    /// Unloaded round trips at 128 B.
    Lat,
    /// From exec to the first answered ping.
    Start,
    /// Memory, idle and with 1000 idle connections.
    Rss,
    /// Many subscriptions held: loading them, and matching.
    Subs,
    /// The machine itself, without a broker.
    Limit,
}

impl Suite {
    pub(crate) const ALL: [Self; 8] = [
        Self::Thr,
        Self::One,
        Self::Fan,
        Self::Lat,
        Self::Start,
        Self::Rss,
        Self::Subs,
        Self::Limit,
    ];
}

impl fmt::Display for Suite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Thr => "thr",
            Self::One => "one",
            Self::Fan => "fan",
            Self::Lat => "lat",
            Self::Start => "start",
            Self::Rss => "rss",
            Self::Subs => "subs",
            Self::Limit => "limit",
        })
    }
}

/// What to measure.
pub(crate) struct Plan {
    pub(crate) peers: Vec<Box<dyn Peer>>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) payloads_bytes: Vec<usize>,
    pub(crate) fans: Vec<usize>,
    pub(crate) held: Vec<u64>,
    pub(crate) repetitions: usize,
    pub(crate) seconds: f64,
    /// For sockets, logs and states of the brokers.
    pub(crate) directory: PathBuf,
}

impl Plan {
    fn has(&self, suite: Suite) -> bool {
        self.suites.contains(&suite)
    }

    /// Refuses what can't be measured, before anything is started.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let payload_fits = |size: &usize| (2..=16 << 20).contains(size);
        ensure!(self.payloads_bytes.iter().all(payload_fits), "a payload is 2 B to 16 MiB");
        ensure!(self.fans.iter().all(|fan| (1..=1000).contains(fan)), "a fan is 1 to 1000");
        let held_fits = |held: &u64| (1..=10_000_000).contains(held);
        ensure!(self.held.iter().all(held_fits), "held subscriptions are 1 to 10000000");
        ensure!((1..=1000).contains(&self.repetitions), "repetitions are 1 to 1000");
        ensure!((0.1..=60.0).contains(&self.seconds), "a run sends for 0.1 to 60 s");
        Ok(())
    }
}

pub(crate) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    std::fs::create_dir_all(&plan.directory)?;
    if plan.has(Suite::Limit) {
        let watched = Foreign::watch(own_cpu_seconds());
        crate::limit::run(log, plan.repetitions)?;
        let cores = watched.cores(own_cpu_seconds());
        log.put(json!({"test": "limit_foreign", "peer": "-", "foreign_all": cores}))?;
    }
    if plan.has(Suite::Start) {
        idle::start(plan, log)?;
    }
    if plan.has(Suite::Rss) {
        idle::memory(plan, log)?;
    }
    if [Suite::Thr, Suite::One, Suite::Fan, Suite::Lat].into_iter().any(|suite| plan.has(suite)) {
        turns::run(plan, log)?;
    }
    if plan.has(Suite::Subs) {
        held::run(plan, log)?;
    }
    interrupt::check()
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
