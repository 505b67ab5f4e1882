//! The aims judged: what Kith is to reach beside its peers, and what it did reach.
//!
//! Each aim is a ratio of two medians, or one median, with a bound. An aim for which something was
//! not measured says so, and one whose run lost messages is not reached.

use super::{aims, short};
use crate::results::Cells;
use std::fmt::{self, Write};

pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Bound {
    fn holds(&self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= *bound,
            Self::AtMost(bound) => value <= *bound,
            Self::Below(bound) => value < *bound,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(formatter, "≥ {bound}"),
            Self::AtMost(bound) => write!(formatter, "≤ {bound}"),
            Self::Below(bound) => write!(formatter, "< {bound}"),
        }
    }
}

/// A figure of somebody.
pub(super) struct Measured {
    pub(super) who: String,
    pub(super) value: f64,
    pub(super) lost: u64,
}

pub(super) struct Aim {
    pub(super) what: String,
    pub(super) bound: Bound,
    /// What the bound is in: `×` of what is in the last column, or a unit.
    pub(super) unit: &'static str,
    pub(super) ours: Option<Measured>,
    /// What ours is divided by, where the aim is a ratio.
    pub(super) beside: Option<Option<Measured>>,
}

impl Aim {
    /// The ratio or figure reached, where all that it takes was measured.
    fn reached(&self) -> Option<f64> {
        let ours = self.ours.as_ref()?.value;
        match &self.beside {
            None => Some(ours),
            Some(beside) => Some(ours / beside.as_ref()?.value),
        }
    }

    fn verdict(&self) -> &'static str {
        let lost = self.ours.as_ref().is_some_and(|ours| ours.lost > 0);
        match self.reached() {
            None => "not measured",
            Some(_) if lost => "no, it lost messages",
            Some(value) if self.bound.holds(value) => "yes",
            Some(_) => "no",
        }
    }
}

fn dash() -> String {
    "–".to_string()
}

/// The verdict table, where anything of Kith's was measured.
pub(super) fn render(cells: &Cells, out: &mut String) -> fmt::Result {
    let aims = aims::of(cells);
    if aims.iter().all(|aim| aim.ours.is_none()) {
        return Ok(());
    }
    writeln!(out, "\n### Aims\n\n| what | aim | reached | | ours | beside |")?;
    writeln!(out, "|---|--:|--:|---|--:|---|")?;
    for aim in aims {
        let reached = aim.reached().map_or_else(dash, |value| format!("{value:.2}"));
        let ours = aim.ours.as_ref().map_or_else(dash, |ours| short(ours.value));
        let beside = match &aim.beside {
            None => String::new(),
            Some(None) => dash(),
            Some(Some(other)) => format!("{} {}", other.who, short(other.value)),
        };
        writeln!(
            out,
            "| {} | {} {} | {reached} | {} | {ours} | {beside} |",
            aim.what,
            aim.bound,
            aim.unit,
            aim.verdict()
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn thr(peer: &str, payload: usize, rate: f64) -> Value {
        json!({"test": "thr", "peer": peer, "payload": payload, "rate": rate, "lost": 0})
    }

    fn rendered(rows: &[Value]) -> String {
        let mut text = String::new();
        render(&Cells::of(rows, 0.1), &mut text).unwrap();
        text
    }

    #[test]
    fn a_ratio_is_taken_to_the_best_peer_and_neither_to_us_nor_to_a_limit() {
        let rows = [
            thr("kith", 128, 9.0e6),
            thr("kith-ms", 128, 8.0e6),
            thr("limit-epoll", 128, 2.0e7),
            thr("nats", 128, 2.0e6),
            thr("redis", 128, 1.0e6),
            thr("kith-json", 128, 4.0e5),
        ];
        let text = rendered(&rows);
        assert!(text.contains("peer | ≥ 3 × | 4.50 | yes | 9.00 M | nats 2.00 M |"), "{text}");
        assert!(text.contains("redis | ≥ 0.5 × | 0.40 | no | 400 k | redis 1.00 M |"), "{text}");
        assert!(text.contains("`kith-memfd` beside the best peer | ≥ 3 × | – | not measured |"));
    }

    #[test]
    fn what_lost_messages_reaches_nothing() {
        let mut lossy = thr("kith", 128, 9.0e6);
        lossy["lost"] = 1.into();
        let text = rendered(&[lossy, thr("nats", 128, 2.0e6)]);
        assert!(text.contains("| 4.50 | no, it lost messages |"), "{text}");
    }

    #[test]
    fn zenoh_does_not_count_where_each_message_is_one_write() {
        let one = |peer: &str, rate: f64| {
            let mut row = thr(peer, 128, rate);
            row["test"] = "one".into();
            row
        };
        let text = rendered(&[one("kith", 9.0e5), one("zenohd", 2.0e6), one("redis", 6.0e5)]);
        assert!(
            text.contains("but zenoh | ≥ 1.2 × | 1.50 | yes | 900 k | redis 600 k |"),
            "{text}"
        );
    }

    #[test]
    fn latency_is_best_where_it_is_least_and_memory_is_in_mib() {
        let transit = |peer: &str, us: f64| {
            let place = "one-core";
            json!({"test": "transit", "peer": peer, "place": place, "p50_us": us})
        };
        let idle = json!({"test": "rss", "peer": "kith", "idle_kib": 4096, "wakeups_2s": 0});
        let text = rendered(&[
            transit("kith", 11.0),
            transit("limit-tokio1", 10.0),
            transit("redis", 12.0),
            transit("nats", 22.0),
            idle,
        ]);
        assert!(
            text.contains("relay | ≤ 1.2 × | 1.10 | yes | 11.0 | limit-tokio1 10.0 |"),
            "{text}"
        );
        assert!(text.contains("peer | < 1 × | 0.92 | yes | 11.0 | redis 12.0 |"), "{text}");
        assert!(text.contains("| idle, resident | ≤ 8 MiB | 4.00 | yes | 4.00 |  |"), "{text}");
        assert!(text.contains("| idle, wakeups in 2 s | ≤ 0  | 0.00 | yes | 0.00 |  |"), "{text}");
    }
}
