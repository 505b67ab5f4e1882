//! The aims judged: what Kith is to reach beside its peers, and what it did reach.
//!
//! Each aim is a ratio of two medians, or one median, with a bound. An aim for which something was
//! not measured says so, and one of whose runs lost messages or failed is not reached: a median of
//! those that went well would flatter. So would a comparison with the best of whom happened to be
//! installed; whoever was not measured is named beside a "yes".

use super::{aims, short};
use crate::results::{Cell, Cells};
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

/// A figure of somebody, and what its runs were worth.
pub(super) struct Measured {
    pub(super) who: String,
    /// The median, unless no run brought one.
    pub(super) value: Option<f64>,
    /// Runs that count.
    pub(super) runs: usize,
    pub(super) failed: usize,
    pub(super) left_out: usize,
    pub(super) lost: u64,
}

impl Measured {
    pub(super) fn of(cell: &Cell, figure: &str) -> Self {
        Self {
            who: cell.peer.clone(),
            value: cell.figure(figure).map(|spread| spread.median),
            runs: cell.runs,
            failed: cell.failed,
            left_out: cell.left_out,
            lost: cell.lost,
        }
    }

    /// The figure; of how many runs it is says the spread elsewhere, but not for a single one.
    fn show(&self) -> String {
        match self.value {
            None => dash(),
            Some(value) if self.runs == 1 => format!("{} (1 run)", short(value)),
            Some(value) => short(value),
        }
    }
}

pub(super) struct Aim {
    pub(super) what: String,
    pub(super) bound: Bound,
    /// What the bound is in: `×` of what is in the last column, or a unit.
    pub(super) unit: &'static str,
    pub(super) ours: Option<Measured>,
    /// What ours is divided by, where the aim is a ratio.
    pub(super) beside: Option<Option<Measured>>,
    /// Who should have been looked at for it too, but was not measured.
    pub(super) without: Vec<&'static str>,
}

impl Aim {
    /// The ratio or figure reached, where all that it takes was measured.
    fn reached(&self) -> Option<f64> {
        let ours = self.ours.as_ref()?.value?;
        match &self.beside {
            None => Some(ours),
            Some(beside) => Some(ours / beside.as_ref()?.value?),
        }
    }

    fn verdict(&self) -> String {
        let Some(ours) = &self.ours else { return "not measured".to_string() };
        if ours.lost > 0 {
            return "no, it lost messages".to_string();
        }
        if ours.failed > 0 {
            return format!("no, {} of {} runs failed", ours.failed, ours.runs + ours.failed);
        }
        match self.reached() {
            None if ours.value.is_none() && ours.left_out > 0 => {
                format!("not measured, {} left out", ours.left_out)
            }
            None => "not measured".to_string(),
            Some(value) if !self.bound.holds(value) => "no".to_string(),
            Some(_) if self.without.is_empty() => "yes".to_string(),
            Some(_) => format!("yes, without {}", self.without.join(", ")),
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
        let ours = aim.ours.as_ref().map_or_else(dash, Measured::show);
        let beside = match &aim.beside {
            None => String::new(),
            Some(None) => dash(),
            Some(Some(other)) => format!("{} {}", other.who, other.show()),
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
    use crate::suites::desktop::{Sender, TRIP};
    use crate::suites::neighbour::{Kind, PLACE_OF_AIMS, attacks, peer_beside};
    use serde_json::{Value, json};

    const OTHERS: [&str; 5] = ["nats", "redis", "mosquitto", "dbus-broker", "dbus-daemon"];

    fn thr(peer: &str, payload: usize, rate: f64) -> Value {
        json!({"test": "thr", "peer": peer, "payload": payload, "rate": rate, "lost": 0})
    }

    /// All others at 128 B, the first of them with the best rate.
    fn others(best_rate: f64) -> Vec<Value> {
        let rates = (0..).map(|place| best_rate / f64::from(1 << place));
        OTHERS.iter().zip(rates).map(|(peer, rate)| thr(peer, 128, rate)).collect()
    }

    fn rendered(rows: &[Value]) -> String {
        let mut text = String::new();
        render(&Cells::of(rows, 0.1), &mut text).unwrap();
        text
    }

    /// The line of an aim, without its name and bound: what was reached, the verdict, ours, beside.
    fn line<'text>(text: &'text str, what: &str) -> &'text str {
        let line = text.lines().find(|line| line.contains(what)).unwrap();
        let (at, _) = line.match_indices(" | ").nth(1).unwrap();
        line[at..].trim_start_matches(" | ").trim_end_matches(" |")
    }

    const KITH_128: &str = "1→1, 128 B, `kith` beside";

    #[test]
    fn a_ratio_is_taken_to_the_best_peer_and_neither_to_us_nor_to_a_limit() {
        let mut rows = others(2.0e6);
        rows.extend([
            thr("kith", 128, 9.0e6),
            thr("kith-ms", 128, 8.0e6),
            thr("limit-epoll", 128, 2.0e7),
            thr("kith-json", 128, 4.0e5),
        ]);
        rows.extend(rows.clone());
        let text = rendered(&rows);
        assert_eq!(line(&text, KITH_128), "4.50 | yes | 9.00 M | nats 2.00 M");
        assert_eq!(line(&text, "beside redis"), "0.40 | no | 400 k | redis 1.00 M");
        assert!(line(&text, "`kith-memfd` beside the best peer").starts_with("– | not measured"));
    }

    #[test]
    fn who_was_not_measured_is_named_and_so_is_a_single_run() {
        let mut rows = others(2.0e6);
        rows.retain(|row| row["peer"] != "nats" && row["peer"] != "mosquitto");
        rows.extend([thr("kith", 128, 9.0e6), thr("mosquitto-tcp", 128, 1.0)]);
        let (kith, redis) = ("9.00 M (1 run)", "redis 1.00 M (1 run)");
        let expected = format!("9.00 | yes, without nats | {kith} | {redis}");
        assert_eq!(line(&rendered(&rows), KITH_128), expected);
        let failed = json!({"test": "thr", "peer": "nats", "payload": 128, "error": "gone"});
        rows.push(failed);
        assert_eq!(line(&rendered(&rows), KITH_128), expected);
    }

    #[test]
    fn what_lost_messages_reaches_nothing() {
        let mut lossy = thr("kith", 128, 9.0e6);
        (lossy["lost"], lossy["foreign"]) = (1.into(), 0.9.into());
        let rows = [&others(2.0e6)[..], &[lossy, thr("kith", 128, 9.0e6)]].concat();
        assert!(line(&rendered(&rows), KITH_128).starts_with("4.50 | no, it lost messages |"));
    }

    #[test]
    fn what_fails_at_times_reaches_nothing() {
        let failed = json!({"test": "thr", "peer": "kith", "payload": 128, "error": "gone"});
        let mut rows = others(2.0e6);
        rows.extend(vec![failed; 4]);
        let verdict = |rows: &[Value]| {
            let text = rendered(rows);
            line(&text, KITH_128).split(" | ").nth(1).unwrap().to_string()
        };
        assert_eq!(verdict(&rows), "no, 4 of 4 runs failed");
        rows.push(thr("kith", 128, 9.0e6));
        assert_eq!(verdict(&rows), "no, 4 of 5 runs failed");
        let mut disturbed = thr("kith", 128, 9.0e6);
        disturbed["foreign"] = 0.9.into();
        let rows = [&others(2.0e6)[..], &[disturbed]].concat();
        assert_eq!(verdict(&rows), "not measured, 1 left out");
    }

    #[test]
    fn zenoh_does_not_count_where_each_message_is_one_write() {
        let one = |mut row: Value| {
            row["test"] = "one".into();
            row
        };
        let mut rows: Vec<Value> = others(6.0e5).into_iter().map(one).collect();
        rows.extend([one(thr("kith", 128, 9.0e5)), one(thr("zenohd", 128, 2.0e6))]);
        rows.extend(rows.clone());
        let text = rendered(&rows);
        assert_eq!(line(&text, "but zenoh"), "1.50 | yes | 900 k | nats 600 k");
    }

    #[test]
    fn latency_is_best_where_it_is_least_and_memory_is_in_mib() {
        let transit = |peer: &str, us: f64| {
            let place = "one-core";
            json!({"test": "transit", "peer": peer, "place": place, "p50_us": us})
        };
        let idle = json!({"test": "rss", "peer": "kith", "idle_kib": 4096, "wakeups_2s": 0});
        let mut rows: Vec<Value> = OTHERS.iter().map(|peer| transit(peer, 22.0)).collect();
        rows.extend([transit("kith", 11.0), transit("limit-tokio1", 10.0), idle]);
        rows[1] = transit("redis", 12.0);
        rows.extend(rows.clone());
        let text = rendered(&rows);
        assert_eq!(line(&text, "tokio relay"), "1.10 | yes | 11.0 | limit-tokio1 10.0");
        assert_eq!(line(&text, "one core, p50 beside the best"), "0.92 | yes | 11.0 | redis 12.0");
        assert_eq!(line(&text, "| idle, resident |"), "4.00 | yes | 4.00 | ");
        assert_eq!(line(&text, "| idle, wakeups in 2 s |"), "0.00 | yes | 0.00 | ");
    }

    #[test]
    fn the_worst_attack_is_named_and_whatever_is_lost_beside_any_counts() {
        let row = |beside: &str, place: &str, p99_us: f64| {
            json!({"test": "neighbour_steady", "peer": peer_beside(beside), "place": place,
                "p99_us": p99_us, "lost": 0})
        };
        let attacks: Vec<&str> = attacks(Kind::Many).collect();
        let mut rows: Vec<Value> =
            attacks.iter().map(|attack| row(attack, PLACE_OF_AIMS, 15.0)).collect();
        rows[2] = row(attacks[2], PLACE_OF_AIMS, 18.0);
        rows.extend([row("burn", PLACE_OF_AIMS, 90.0), row(attacks[1], "alone", 90.0)]);
        // Large operations are judged by themselves, and so is traffic on a session bus.
        rows.extend([row("huge", PLACE_OF_AIMS, 90.0), row("desktop", PLACE_OF_AIMS, 19.0)]);
        let what = "1,000 messages/s beside the worst attack";
        assert!(line(&rendered(&rows), what).starts_with("– | not measured"));
        rows.push(row("idle", PLACE_OF_AIMS, 10.0));
        rows.extend(rows.clone());
        let text = rendered(&rows);
        let beside = "kith beside idle 10.0";
        assert_eq!(line(&text, what), format!("1.80 | yes | 18.0 | {beside}"));
        assert_eq!(
            line(&text, "1,000 messages/s beside the worst traffic"),
            format!("1.90 | yes, without desktop-deaf | 19.0 | {beside}")
        );
        assert!(text.contains(&format!("attack (`{}`), p99 beside an idle bus |", attacks[2])));
        assert!(
            line(&text, "one message at a time beside the worst attack")
                .starts_with("– | not measured")
        );

        let mut lossy = rows.clone();
        lossy[0]["lost"] = 1.into();
        assert!(line(&rendered(&lossy), what).contains("| no, it lost messages |"));
        let mut failed = rows.clone();
        failed[1]["error"] = "gone".into();
        assert!(line(&rendered(&failed), what).contains("| no, 1 of 16 runs failed |"));
        rows.retain(|row| row["peer"] != peer_beside(attacks[3]));
        let without = format!("| yes, without {} |", attacks[3]);
        assert!(line(&rendered(&rows), what).contains(&without));
    }

    #[test]
    fn on_each_session_bus_the_daemon_is_compared_with_the_service_on_one_core() {
        let trip = |sender: Sender, bus: &str, place: &str, us: f64| -> Value {
            let peer = sender.on(bus);
            json!({"test": TRIP, "peer": peer, "place": place, "p50_us": us})
        };
        let mut rows = vec![
            trip(Sender::Kith, "dbus-daemon", "one-core", 70.0),
            trip(Sender::Kith, "dbus-daemon", "free", 700.0),
            trip(Sender::Service, "dbus-daemon", "one-core", 50.0),
            trip(Sender::Bare, "dbus-daemon", "one-core", 10.0),
            trip(Sender::Kith, "dbus-broker", "one-core", 80.0),
        ];
        rows.extend(rows.clone());
        let text = rendered(&rows);
        let beside = "zbus-service on dbus-daemon 50.0";
        assert_eq!(line(&text, "signal on dbus-daemon"), format!("1.40 | yes | 70.0 | {beside}"));
        assert_eq!(line(&text, "signal on dbus-broker"), "– | not measured | 80.0 | –");
        rows.extend(vec![trip(Sender::Service, "dbus-broker", "one-core", 50.0); 2]);
        assert!(line(&rendered(&rows), "signal on dbus-broker").starts_with("1.60 | no | 80.0"));
    }
}
