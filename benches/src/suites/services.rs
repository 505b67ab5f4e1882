//! Services inside a daemon: what a message costs from one to another, and what idle ones do.
//!
//! Both are `kith-bench-services`, a program of its own, so that nothing of this one is counted.
//! The hop is that of messages that go in batches: one wake-up of each thread serves all of a
//! batch, and with a batch of one it is what is left of the figure.

use super::{Foreign, Plan, Suite};
use crate::beside_us;
use crate::interrupt;
use crate::machine::{self, own_cpu_seconds};
use crate::results::Log;
use anyhow::{Context, bail, ensure};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Whose services are measured.
pub(crate) const PEER: &str = "kith";
pub(super) const TESTS: [&str; 2] = [HOP, IDLE];
pub(crate) const HOP: &str = "services_hop";
pub(crate) const IDLE: &str = "services_idle";
/// Messages that go together; the aim speaks of the last.
const BATCHES: [usize; 2] = [1, 32];
const ROUNDS: usize = 5_000;
/// How many services wait.
const COUNTS: [usize; 2] = [1, 100];
/// Services that have started are asked once whether they live, some seconds later.
const SETTLE: Duration = Duration::from_secs(12);
const WATCHED: Duration = Duration::from_secs(2);

/// Whether the daemon is to be measured.
fn is_measured(plan: &Plan) -> bool {
    plan.peers_of(Suite::Services).any(|peer| peer.name() == PEER)
}

/// How many rows a test brings.
pub(super) fn rows(plan: &Plan, test: &str) -> usize {
    match (is_measured(plan), test) {
        (false, _) => 0,
        (true, HOP) => BATCHES.len() * plan.repetitions,
        (true, _) => COUNTS.len(),
    }
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    if !is_measured(plan) {
        return Ok(());
    }
    for turn in 0..plan.turns_max(plan.repetitions) {
        for batch in BATCHES {
            let unit = format!("batch of {batch}");
            let key = json!({"test": HOP, "peer": PEER, "unit": unit});
            if !log.has_enough(&key, plan.repetitions) {
                interrupt::check()?;
                let mut key = key;
                key["rep"] = turn.into();
                log.outcome(key, hop(batch))?;
            }
        }
    }
    for count in COUNTS {
        interrupt::check()?;
        let key = json!({"test": IDLE, "peer": PEER, "unit": format!("{count} idle"), "rep": 0});
        log.outcome(key, idle(count))?;
    }
    Ok(())
}

fn program() -> anyhow::Result<Command> {
    Ok(Command::new(beside_us("kith-bench-services")?))
}

fn hop(batch: usize) -> anyhow::Result<serde_json::Value> {
    let watched = Foreign::watch(own_cpu_seconds());
    let mut command = program()?;
    let output = command.args(["hop", &batch.to_string(), &ROUNDS.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Vec<f64> = text.split_whitespace().filter_map(|one| one.parse().ok()).collect();
    let [microseconds, cpu_seconds] = figures[..] else { bail!("it says {text:?}") };
    let foreign = watched.cores(cpu_seconds + own_cpu_seconds());
    Ok(json!({"us_per_hop": microseconds, "foreign": foreign}))
}

fn idle(count: usize) -> anyhow::Result<serde_json::Value> {
    let mut command = program()?;
    command.args(["idle", &count.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Ended(command.spawn().context("kith-bench-services: is it built?")?);
    let output = child.0.stdout.take().context("its output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(line == "ready\n", "it says {line:?}");
    sleep(SETTLE);
    let pid = child.0.id();
    let before = machine::wakeups(pid);
    sleep(WATCHED);
    let wakeups = machine::wakeups(pid) - before;
    Ok(json!({"wakeups_2s": wakeups, "kib": machine::status_kib(pid, "VmRSS")}))
}

/// A program that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It has ended, or does so now that its input has.
        let _ = self.0.wait();
    }
}
