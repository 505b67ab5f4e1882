//! What a run measures, of whom, and about how long that will take.

use super::{SMALL_BYTES, Suite, desktop, held, idle, latency, neighbour, people, services, store};
use crate::peer::Peer;
use crate::placement::Placement;
use crate::results::Progress;
use anyhow::ensure;
use std::path::PathBuf;

/// What to measure.
pub(crate) struct Plan {
    pub(crate) peers: Vec<Box<dyn Peer>>,
    /// Of each suite only the peers that the aims speak of.
    pub(crate) aims_only: bool,
    pub(crate) suites: Vec<Suite>,
    /// Of `thr`.
    pub(crate) payloads_bytes: Vec<usize>,
    /// Of `fan`.
    pub(crate) fan_payloads_bytes: Vec<usize>,
    pub(crate) fans: Vec<usize>,
    pub(crate) held: Vec<u64>,
    /// Of `lat` and `desktop`.
    pub(crate) placements: Vec<Placement>,
    pub(crate) repetitions: usize,
    pub(crate) seconds: f64,
    /// For sockets, logs and states of the brokers.
    pub(crate) directory: PathBuf,
    /// For what `store` stores.
    pub(crate) store_directory: PathBuf,
}

/// How often a run is tried that others disturb, as a multiple of how often it is wanted.
const TRIES_EACH: usize = 3;

impl Plan {
    /// How many turns it may take until everything was measured so often on a quiet machine.
    pub(super) fn turns_max(&self, repetitions: usize) -> usize {
        repetitions * TRIES_EACH
    }

    pub(super) fn has(&self, suite: Suite) -> bool {
        self.suites.contains(&suite)
    }

    /// Whether a suite measures a peer.
    pub(super) fn measures(&self, suite: Suite, peer: &str) -> bool {
        self.has(suite) && (!self.aims_only || is_spoken_of(suite, peer))
    }

    /// Whether anything measures a peer.
    pub(crate) fn uses(&self, peer: &str) -> bool {
        self.suites.iter().any(|suite| self.measures(*suite, peer))
    }

    /// The peers of a suite.
    pub(super) fn peers_of(&self, suite: Suite) -> impl Iterator<Item = &dyn Peer> {
        let peers = self.peers.iter().map(|peer| &**peer);
        peers.filter(move |peer| self.measures(suite, peer.name()) && suits(suite, *peer))
    }

    /// Whether a suite measures a peer with such a payload.
    pub(super) fn measures_with(&self, suite: Suite, peer: &dyn Peer, payload: usize) -> bool {
        self.measures(suite, peer.name())
            && suits(suite, peer)
            && peer.payload_bytes_min() <= payload
    }

    /// Refuses what can't be measured, before anything is started.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let payload_fits = |size: &usize| (2..=16 << 20).contains(size);
        let mut payloads = self.payloads_bytes.iter().chain(&self.fan_payloads_bytes);
        ensure!(payloads.all(payload_fits), "a payload is 2 B to 16 MiB");
        ensure!(self.fans.iter().all(|fan| (1..=1000).contains(fan)), "a fan is 1 to 1000");
        let held_fits = |held: &u64| (1..=10_000_000).contains(held);
        ensure!(self.held.iter().all(held_fits), "held subscriptions are 1 to 10000000");
        ensure!((1..=1000).contains(&self.repetitions), "repetitions are 1 to 1000");
        ensure!((0.1..=60.0).contains(&self.seconds), "a run sends for 0.1 to 60 s");
        Ok(())
    }

    /// Tells how many rows of each test will come, and about how long one takes.
    pub(crate) fn announce(&self, progress: &mut Progress) {
        /// Beside the time of sending: connections, the warm-up, the last deliveries.
        const LOAD_SECONDS: f64 = 0.35;
        /// Loading a million subscriptions, the mean of those who can, and of those who are quick.
        const MILLION_SECONDS: f64 = 25.0;
        const MILLION_SECONDS_QUICK: f64 = 5.0;
        /// Half a daemon's start, and its settling under an attack.
        const NEIGHBOUR_SECONDS: f64 = 0.25;
        let million_seconds = if self.aims_only { MILLION_SECONDS_QUICK } else { MILLION_SECONDS };
        let peers = |suite| self.peers_of(suite).count();
        let load_seconds = self.seconds + LOAD_SECONDS;
        let mut loads = |test, suite, payloads: &[usize], settings: usize| {
            let of = |payload: &usize| {
                let is_measured = |peer: &&dyn Peer| peer.payload_bytes_min() <= *payload;
                self.peers_of(suite).filter(is_measured).count()
            };
            let rows = payloads.iter().map(of).sum::<usize>() * settings * self.repetitions;
            progress.expect(test, rows, load_seconds);
        };
        loads("one", Suite::One, &[SMALL_BYTES], 1);
        loads("thr", Suite::Thr, &self.payloads_bytes, 1);
        loads("fan", Suite::Fan, &self.fan_payloads_bytes, self.fans.len());
        for (test, _) in latency::TESTS {
            let rows = peers(Suite::Lat) * self.placements.len() * self.repetitions;
            progress.expect(test, rows, 0.4);
        }
        for test in desktop::TESTS {
            let seconds = if test == desktop::RSS { 3.0 } else { 0.7 };
            progress.expect(test, desktop::rows(self, test), seconds);
        }
        for test in services::TESTS {
            let seconds = if test == services::IDLE { 15.0 } else { 1.0 };
            progress.expect(test, services::rows(self, test), seconds);
        }
        for test in store::TESTS {
            let seconds = match test {
                store::PUBLISH => self.seconds + 0.5,
                store::BESIDE => 3.5,
                _ => 8.0,
            };
            progress.expect(test, store::rows(self, test), seconds);
        }
        people::announce(self, progress);
        progress.expect("start", peers(Suite::Start) * idle::starts(self), 0.16);
        progress.expect("rss", peers(Suite::Rss) * idle::memory_runs(self), 4.0);
        if self.has(Suite::Limit) {
            progress.expect("limit_foreign", 1, 8.0 * self.repetitions as f64);
        }
        if self.peers_of(Suite::Neighbour).any(|peer| peer.name() == neighbour::PEER) {
            for test in neighbour::TESTS {
                progress.expect(test, neighbour::rows(self), self.seconds + NEIGHBOUR_SECONDS);
            }
        }
        for held in &self.held {
            let peers = self.peers_of(Suite::Subs);
            let able = peers.filter(|peer| peer.held_subscriptions_max() >= *held).count();
            let share = *held as f64 / 1e6;
            let [time_test, memory_test] = held::LOADING_TESTS;
            progress.expect(time_test, able, 0.5 + share * million_seconds);
            progress.expect(memory_test, able, 0.0);
            for test in ["subs_hot", "subs_spread"] {
                progress.expect(test, able * self.repetitions, load_seconds);
            }
        }
    }
}

/// Whether a suite can measure a peer at all.
fn suits(suite: Suite, peer: &dyn Peer) -> bool {
    match suite {
        Suite::Store => peer.storing_codec().is_some(),
        _ if peer.only_stores() => false,
        Suite::Thr | Suite::Fan => true,
        Suite::Desktop => peer.is_session_bus() || peer.name() == desktop::PEER,
        _ => peer.payload_bytes_min() == 0,
    }
}

/// Whether an aim compares a peer in a suite, so that a quick run can't do without it.
fn is_spoken_of(suite: Suite, peer: &str) -> bool {
    let is_ours = peer.starts_with("kith") && peer != "kith-ms";
    match suite {
        Suite::Thr | Suite::One | Suite::Fan => {
            is_ours || matches!(peer, "nats" | "redis" | "zenohd")
        }
        Suite::Lat => peer == "kith" || peer == "limit-tokio1" || is_foreign(peer),
        Suite::Subs => matches!(peer, "kith" | "nats"),
        Suite::Start | Suite::Rss => peer == "kith" || is_foreign(peer),
        Suite::Neighbour => peer == neighbour::PEER,
        Suite::Services => peer == services::PEER,
        Suite::People => peer == people::PEER,
        Suite::Store => matches!(peer, store::PEER | store::OTHER),
        Suite::Desktop => peer == desktop::PEER || desktop::BUSES.contains(&peer),
        Suite::Limit => false,
    }
}

fn is_foreign(peer: &str) -> bool {
    !peer.starts_with("kith") && !peer.starts_with("limit-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_run_has_whom_the_aims_compare() {
        assert!(is_spoken_of(Suite::Thr, "kith-json") && is_spoken_of(Suite::Thr, "kith-memfd"));
        assert!(is_spoken_of(Suite::Fan, "redis") && !is_spoken_of(Suite::Fan, "mosquitto"));
        assert!(
            is_spoken_of(Suite::Lat, "dbus-broker") && is_spoken_of(Suite::Lat, "limit-tokio1")
        );
        assert!(!is_spoken_of(Suite::Lat, "limit-epoll") && !is_spoken_of(Suite::Lat, "kith-json"));
        assert!(is_spoken_of(Suite::Subs, "nats") && !is_spoken_of(Suite::Subs, "redis"));
        assert!(is_spoken_of(Suite::Desktop, "dbus-daemon"));
        assert!(is_spoken_of(Suite::Desktop, "kith") && !is_spoken_of(Suite::Desktop, "kith-ms"));
    }
}
