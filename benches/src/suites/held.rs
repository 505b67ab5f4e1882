//! Matching: many subscriptions held, of which 10 % have a trailing and 10 % a leading wildcard.
//!
//! Each message matches exactly one of them, so that what grows with the number held is the search
//! alone. It is measured on one hot topic, which a cache of results would serve, and on a walk over
//! up to 65,536 held topics, which no small cache holds.

use super::{Foreign, Plan, Suite, in_turn};
use crate::deliveries::Deliveries;
use crate::interrupt;
use crate::load::Load;
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::process::Running;
use crate::raw::{Connection, Publisher, Subscribers};
use crate::results::{Log, load_fields};
use anyhow::{anyhow, ensure};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What loading tells: its time, and the memory of what was loaded.
pub(super) const LOADING_TESTS: [&str; 2] = ["subs_load", "subs_memory"];
const HOT_TOPIC: &str = "hot/t";
const WALK_TOPICS_MAX: u64 = 65_536;
const PAYLOAD_BYTES: usize = 16;
/// Connections over which the held subscriptions are spread.
const CONNECTIONS_MAX: u64 = 10;
/// A broker that takes longer to load its subscriptions is not measured with so many.
const LOADING_MAX: Duration = Duration::from_secs(120);
/// Subscriptions between two looks at the clock.
const LOADING_CHUNK: usize = 10_000;
/// Some brokers answer nothing while they take a chunk of subscriptions.
const LOADING_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a broker may settle before its memory is read.
const SETTLE: Duration = Duration::from_millis(300);

/// The topic that held subscription `index` alone matches.
fn topic(index: u64) -> String {
    format!("h/h{index}/x")
}

fn pattern(index: u64, leading_wildcards: bool) -> String {
    match index % 10 {
        8 if leading_wildcards => format!("*/h{index}/x"),
        9 => format!("h/h{index}/*"),
        _ => topic(index),
    }
}

/// A fixed pseudo-random walk over the held topics (Marsaglia's xorshift64).
fn walk(held: u64) -> Vec<String> {
    let mut state = 88_172_645_463_325_252_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        topic(state % held)
    };
    (0..held.min(WALK_TOPICS_MAX)).map(step).collect()
}

struct Holder<'plan> {
    peer: &'plan dyn Peer,
    broker: Running,
    /// Connections with the held subscriptions.
    held: Vec<Connection>,
    /// One connection, subscribed to the hot topic.
    hot: Vec<Connection>,
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    for &count in &plan.held {
        let mut up = vec![];
        for peer in plan.peers_of(Suite::Subs).filter(|peer| peer.held_subscriptions_max() >= count)
        {
            match Holder::load(plan, peer, count, log) {
                Ok(holder) => up.push(holder),
                Err(error) => {
                    for test in LOADING_TESTS {
                        let key = json!({"test": test, "peer": peer.name(), "held": count});
                        log.outcome(key, Err(anyhow!("{error:#}")))?;
                    }
                }
            }
        }
        let walk = walk(count);
        for turn in 0..plan.turns_max(plan.repetitions) {
            for index in in_turn(up.len(), turn) {
                let holder = &mut up[index];
                for (test, topics) in
                    [("subs_hot", &[HOT_TOPIC.to_string()][..]), ("subs_spread", &walk[..])]
                {
                    let key = json!({"test": test, "peer": holder.peer.name(),
                        "rep": turn, "payload": PAYLOAD_BYTES, "held": count});
                    if log.has_enough(&key, plan.repetitions) {
                        continue;
                    }
                    interrupt::check()?;
                    let outcome = holder.publish(topics, plan.seconds);
                    log.outcome(key, outcome)?;
                }
            }
        }
    }
    Ok(())
}

impl<'plan> Holder<'plan> {
    /// Starts a broker, loads `count` subscriptions, and logs what that took: time in one row, and
    /// memory, which nobody else's work changes, in another.
    fn load(plan: &Plan, peer: &'plan dyn Peer, count: u64, log: &mut Log) -> anyhow::Result<Self> {
        let broker = Running::start(peer, &plan.directory, &format!("subs{count}"))?;
        let codec = peer.codec();
        let before_kib = broker.resident_kib();
        let (began, cpu_before) = (Instant::now(), broker.cpu_seconds());
        let watched = Foreign::watch(cpu_before + own_cpu_seconds());
        let share = count.min(CONNECTIONS_MAX);
        let mut held = vec![];
        for first in 0..share {
            interrupt::check()?;
            let leading = peer.has_leading_wildcards();
            let list: Vec<(String, u64)> = (first..count)
                .step_by(share as usize)
                .map(|index| (pattern(index, leading), index + 1))
                .collect();
            let mut connection = Connection::open(&*codec, &broker.endpoint)?;
            connection.socket.set_read_timeout(LOADING_READ_TIMEOUT)?;
            for part in list.chunks(LOADING_CHUNK) {
                connection.subscribe(&*codec, part)?;
                ensure!(began.elapsed() < LOADING_MAX, "loading took over {LOADING_MAX:?}");
            }
            held.push(connection);
        }
        let seconds = began.elapsed().as_secs_f64();
        std::thread::sleep(SETTLE);
        let cpu_after = broker.cpu_seconds();
        let foreign = watched.cores(cpu_after + own_cpu_seconds());
        let after_kib = broker.resident_kib();
        let grown_bytes = after_kib.saturating_sub(before_kib) as f64 * 1024.0;
        let [time_test, memory_test] = LOADING_TESTS;
        log.put(json!({
            "test": time_test, "peer": peer.name(), "held": count, "secs": seconds,
            "cpu_s": cpu_after - cpu_before, "foreign": foreign,
        }))?;
        log.put(json!({
            "test": memory_test, "peer": peer.name(), "held": count, "rss0_kib": before_kib,
            "rss_kib": after_kib, "detail": broker.detail(),
            "bytes_per_sub": grown_bytes / count as f64,
        }))?;
        let mut hot = Connection::open(&*codec, &broker.endpoint)?;
        hot.subscribe(&*codec, &[(HOT_TOPIC.to_string(), 1)])?;
        Ok(Self { peer, broker, held, hot: vec![hot] })
    }

    /// One load run on the hot topic or on the walk, read by the connections that hold it.
    fn publish(&mut self, topics: &[String], seconds: f64) -> anyhow::Result<serde_json::Value> {
        let is_hot = topics.iter().any(|topic| topic == HOT_TOPIC);
        let slot = if is_hot { &mut self.hot } else { &mut self.held };
        let connections = std::mem::take(slot);
        ensure!(!connections.is_empty(), "the connections were lost");
        let codec = self.peer.codec();
        let deliveries = Arc::new(Deliveries::default());
        let subscribers = Subscribers::start(codec.clone(), connections, deliveries.clone())?;
        let load = Load { fan: 1, seconds, batch: u64::MAX };
        let outcome = Publisher::open(codec, &self.broker.endpoint, topics, PAYLOAD_BYTES)
            .map_err(anyhow::Error::from)
            .and_then(|mut publisher| load.run(&mut publisher, &deliveries, &self.broker));
        *slot = subscribers.stop();
        Ok(load_fields(&outcome?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_each_has_a_leading_or_a_trailing_wildcard() {
        let all: Vec<String> = (0..1000).map(|index| pattern(index, true)).collect();
        assert_eq!(all.iter().filter(|pattern| pattern.starts_with('*')).count(), 100);
        assert_eq!(all.iter().filter(|pattern| pattern.ends_with('*')).count(), 100);
        assert!((0..1000).all(|index| !pattern(index, false).starts_with('*')));
    }

    #[test]
    fn the_walk_stays_within_the_held_topics() {
        let topics = walk(10);
        assert_eq!(topics.len(), 10);
        assert!(topics.iter().all(|walked| (0..10).any(|index| *walked == topic(index))));
        assert_eq!(walk(100_000).len(), 65_536);
    }
}
