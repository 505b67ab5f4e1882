//! The aims themselves, each with what was measured for it.
//!
//! The best peer is the one with the best median of those that are not ours; it may be another one
//! in each row.

use super::verdict::{Aim, Bound, Measured};
use crate::results::{Cell, Cells};
use serde_json::{Value, json};

/// Brokers of other people begin with neither.
const OURS: [&str; 2] = ["kith", "limit-"];
const KIB_PER_MIB: f64 = 1024.0;

/// All of them.
pub(super) fn of(cells: &Cells) -> Vec<Aim> {
    let judge = Judge(cells);
    [judge.load_aims(), judge.latency_aims(), judge.held_aims(), judge.idle_aims()]
        .into_iter()
        .flatten()
        .collect()
}

type Keys<'keys> = &'keys [(&'keys str, Value)];

struct Judge<'cells>(&'cells Cells);

impl Judge<'_> {
    fn of(&self, peer: &str, test: &str, keys: Keys<'_>, figure: &str) -> Option<Measured> {
        let cell = self.0.of_test(test, keys).find(|cell| cell.peer == peer)?;
        measured(cell, figure)
    }

    /// Of the other people's brokers, the one with the largest figure, or the smallest.
    fn best(&self, test: &str, keys: Keys<'_>, figure: &str, rule: Rule) -> Option<Measured> {
        let is_peer = |name: &str| !OURS.iter().any(|ours| name.starts_with(ours));
        let counts = |name: &str| rule != Rule::LargestUnbatched || !name.starts_with("zenoh");
        let mut peers: Vec<Measured> = self
            .0
            .of_test(test, keys)
            .filter(|cell| is_peer(&cell.peer) && counts(&cell.peer))
            .filter_map(|cell| measured(cell, figure))
            .collect();
        peers.sort_by(|one, other| one.value.total_cmp(&other.value));
        if rule == Rule::Smallest { peers.into_iter().next() } else { peers.pop() }
    }

    fn throughput(&self, peer: &str, payload: usize, times: f64) -> Aim {
        let keys = [("payload", json!(payload))];
        Aim {
            what: format!("1→1, {payload} B, `{peer}` beside the best peer"),
            bound: Bound::AtLeast(times),
            unit: "×",
            ours: self.of(peer, "thr", &keys, "rate"),
            beside: Some(self.best("thr", &keys, "rate", Rule::Largest)),
        }
    }

    fn load_aims(&self) -> Vec<Aim> {
        let small = [("payload", json!(128))];
        let fan = [("payload", json!(128)), ("subs", json!(100))];
        vec![
            self.throughput("kith", 16, 2.0),
            self.throughput("kith", 128, 3.0),
            self.throughput("kith", 1024, 2.0),
            self.throughput("kith", 65536, 0.9),
            self.throughput("kith-memfd", 65536, 3.0),
            Aim {
                what: "one write a message, 128 B, beside the best peer but zenoh".into(),
                bound: Bound::AtLeast(1.2),
                unit: "×",
                ours: self.of("kith", "one", &small, "rate"),
                beside: Some(self.best("one", &small, "rate", Rule::LargestUnbatched)),
            },
            Aim {
                what: "fan-out 1→100, 128 B, beside the best peer".into(),
                bound: Bound::AtLeast(2.0),
                unit: "×",
                ours: self.of("kith", "fan", &fan, "rate"),
                beside: Some(self.best("fan", &fan, "rate", Rule::Largest)),
            },
            Aim {
                what: "JSON lines, 1→1, 128 B, beside redis".into(),
                bound: Bound::AtLeast(0.5),
                unit: "×",
                ours: self.of("kith-json", "thr", &small, "rate"),
                beside: Some(self.of("redis", "thr", &small, "rate")),
            },
        ]
    }

    fn latency_aims(&self) -> Vec<Aim> {
        let place = [("place", json!("one-core"))];
        let ours = || self.of("kith", "transit", &place, "p50_us");
        vec![
            Aim {
                what: "one pass, 128 B, one core, p50 beside a bare tokio relay".into(),
                bound: Bound::AtMost(1.2),
                unit: "×",
                ours: ours(),
                beside: Some(self.of("limit-tokio1", "transit", &place, "p50_us")),
            },
            Aim {
                what: "one pass, 128 B, one core, p50 beside the best peer".into(),
                bound: Bound::Below(1.0),
                unit: "×",
                ours: ours(),
                beside: Some(self.best("transit", &place, "p50_us", Rule::Smallest)),
            },
        ]
    }

    fn held_aims(&self) -> Vec<Aim> {
        let (one, million) = ([("held", json!(1))], [("held", json!(1_000_000))]);
        let called = |who: &str, found: Option<Measured>| {
            found.map(|found| Measured { who: who.to_string(), ..found })
        };
        let with_one = self.of("kith", "subs_hot", &one, "rate");
        vec![
            Aim {
                what: "1M subscriptions held, one hot topic, beside one held".into(),
                bound: Bound::AtLeast(0.9),
                unit: "×",
                ours: self.of("kith", "subs_hot", &million, "rate"),
                beside: Some(called("kith with one", with_one)),
            },
            Aim {
                what: "1M subscriptions held, topics spread over them, beside nats".into(),
                bound: Bound::AtLeast(5.0),
                unit: "×",
                ours: self.of("kith", "subs_spread", &million, "rate"),
                beside: Some(self.of("nats", "subs_spread", &million, "rate")),
            },
            Aim {
                what: "1M subscriptions held, memory of each".into(),
                bound: Bound::AtMost(300.0),
                unit: "B",
                ours: self.of("kith", "subs_load", &million, "bytes_per_sub"),
                beside: None,
            },
        ]
    }

    fn idle_aims(&self) -> Vec<Aim> {
        let alone = |what: &str, bound, unit, test: &str, figure: &str| Aim {
            what: what.to_string(),
            bound,
            unit,
            ours: self.of("kith", test, &[], figure),
            beside: None,
        };
        let mut resident = alone("idle, resident", Bound::AtMost(8.0), "MiB", "rss", "idle_kib");
        if let Some(ours) = &mut resident.ours {
            ours.value /= KIB_PER_MIB;
        }
        vec![
            resident,
            alone(
                "idle, resident for each further connection",
                Bound::AtMost(10.0),
                "KiB",
                "rss",
                "kib_per_connection",
            ),
            alone("idle, wakeups in 2 s", Bound::AtMost(0.0), "", "rss", "wakeups_2s"),
            alone("exec to ready", Bound::AtMost(6.0), "ms", "start", "ms"),
        ]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Largest,
    /// Without those whose client batches by itself, so that one write a message is not theirs.
    LargestUnbatched,
    Smallest,
}

fn measured(cell: &Cell, figure: &str) -> Option<Measured> {
    let value = cell.figure(figure)?.median;
    Some(Measured { who: cell.peer.clone(), value, lost: cell.lost })
}
