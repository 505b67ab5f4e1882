//! Round trips without load, for each placement on the processors.
//!
//! For each placement the brokers are started anew, pinned from their first instruction, since some
//! count their processors when they start. The clients, too, are pinned by the thread that runs
//! them.

use super::{Foreign, Plan, SMALL_BYTES, Suite, in_turn};
use crate::client_program::ClientProgram;
use crate::interrupt;
use crate::machine::own_cpu_seconds;
use crate::peer::Peer;
use crate::placement::Placement;
use crate::process::Running;
use crate::raw::round_trips;
use crate::results::Log;
use serde_json::{Value, json};

const ROUNDS: usize = 5000;
/// What is measured: its name, and whether a second client answers each message.
pub(super) const TESTS: [(&str, bool); 2] = [("transit", false), ("pingpong", true)];

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    for &placement in &plan.placements {
        let place = placement.to_string();
        let mut up = vec![];
        for peer in plan.peers_of(Suite::Lat) {
            match start(plan, peer, placement) {
                Ok(broker) => up.push((peer, broker)),
                Err(error) => {
                    let key = json!({"test": "transit", "peer": peer.name(), "place": place});
                    log.outcome(key, Err(error))?;
                }
            }
        }
        for turn in 0..plan.turns_max(plan.repetitions) {
            for index in in_turn(up.len(), turn) {
                let (peer, broker) = &up[index];
                for (test, echoed) in TESTS {
                    let key = json!({"test": test, "peer": peer.name(), "rep": turn,
                        "place": place});
                    if log.has_enough(&key, plan.repetitions) {
                        continue;
                    }
                    interrupt::check()?;
                    log.outcome(key, measure(*peer, broker, placement, echoed))?;
                }
            }
        }
    }
    Ok(())
}

fn start(plan: &Plan, peer: &dyn Peer, placement: Placement) -> anyhow::Result<Running> {
    let _pinned = placement.pin_broker()?;
    Running::start(peer, &plan.directory, &format!("lat-{placement}"))
}

fn measure(
    peer: &dyn Peer,
    broker: &Running,
    placement: Placement,
    echoed: bool,
) -> anyhow::Result<Value> {
    let _pinned = placement.pin_client()?;
    let (times, foreign) = if let Some(program) = peer.client_program() {
        let mut client = ClientProgram::start(program, &broker.endpoint)?;
        let ours = |client: &ClientProgram| {
            broker.cpu_seconds() + client.cpu_seconds() + own_cpu_seconds()
        };
        let watched = Foreign::watch(ours(&client));
        let times = client.round_trips(SMALL_BYTES, ROUNDS, echoed)?;
        (times, watched.cores(ours(&client)))
    } else {
        let watched = Foreign::watch(broker.cpu_seconds() + own_cpu_seconds());
        let times = round_trips(&peer.codec(), &broker.endpoint, SMALL_BYTES, ROUNDS, echoed)?;
        (times, watched.cores(broker.cpu_seconds() + own_cpu_seconds()))
    };
    Ok(fields(times, foreign))
}

/// The quantiles of some times.
pub(super) fn fields(mut times_ns: Vec<u64>, foreign: f64) -> Value {
    times_ns.sort_unstable();
    let quantile = |share: f64| {
        let at = times_ns.len().saturating_sub(1) as f64 * share;
        times_ns.get(at as usize).map(|time| *time as f64 / 1e3)
    };
    json!({"p50_us": quantile(0.5), "p99_us": quantile(0.99), "p999_us": quantile(0.999),
        "foreign": foreign})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_from_sorted_times() {
        let fields = fields((1..=1001).rev().map(|us| us * 1000).collect(), 0.0);
        assert_eq!(fields["p50_us"], 501.0);
        assert_eq!(fields["p99_us"], 991.0);
        assert_eq!(fields["p999_us"], 1000.0);
    }
}
