//! A document as Markdown: on what it was measured, which aims are reached, and all tables.

mod aims;
mod table;
mod verdict;

use crate::results::{Cells, Document};
use crate::suites::{desktop, people, services, store};
use std::fmt::{self, Write};
use table::{Quotient, Table};

pub(crate) use table::short;

const TABLES: &[Table] = &[
    Table::new("Throughput 1→1, messages/s by payload (pipelined)", "thr")
        .by(&["payload"])
        .of(&[("rate", "B")]),
    Table::new("Throughput 1→1: broker CPU µs per message", "thr")
        .by(&["payload"])
        .of(&[("broker_cpu_us_per_msg", "B")]),
    Table::new("Throughput 1→1: broker cores used", "thr")
        .by(&["payload"])
        .of(&[("broker_util", "B")]),
    Table::new("Throughput 1→1: share of broker CPU in the kernel", "thr")
        .by(&["payload"])
        .of(&[("broker_sys_share", "B")]),
    Table::new("Throughput 1→1: client CPU µs per message", "thr")
        .by(&["payload"])
        .of(&[("client_cpu_us_per_delivery", "B")]),
    Table::new("1→1, 128 B, one write per message", "one").by(&["payload"]).of(&[
        ("rate", "msg/s"),
        ("broker_cpu_us_per_msg", "broker µs/msg"),
        ("broker_util", "cores"),
    ]),
    Table::new("Fan-out, deliveries/s by payload/subscribers", "fan")
        .by(&["payload", "subs"])
        .of(&[("rate", "")]),
    Table::new("Fan-out: broker CPU µs per delivery", "fan")
        .by(&["payload", "subs"])
        .of(&[("broker_cpu_us_per_delivery", "")]),
    Table::new("Fan-out: client CPU µs per delivery", "fan")
        .by(&["payload", "subs"])
        .of(&[("client_cpu_us_per_delivery", "")]),
    Table::new("Fan-out: broker cores used", "fan")
        .by(&["payload", "subs"])
        .of(&[("broker_util", "")]),
    Table::new("Latency 128 B, transit (one broker pass, one client thread), µs", "transit")
        .by(&["place"])
        .of(&LATENCIES),
    Table::new("Latency 128 B, ping-pong of two clients (two broker passes), µs", "pingpong")
        .by(&["place"])
        .of(&LATENCIES),
    Table::new("Session bus 128 B, publish until its signal comes back, µs", desktop::TRIP)
        .by(&["place"])
        .of(&DESKTOP),
    Table::new(
        "Session bus 128 B, publish until its answer and its signal come, µs",
        desktop::CALL,
    )
    .by(&["place"])
    .of(&DESKTOP),
    Table::new("On a session bus, idle, KiB and wakeups", desktop::RSS).of(&[
        ("idle_kib", "idle"),
        ("idle_anon_kib", "idle anon"),
        ("wakeups_2s", "wakeups in 2 s"),
    ]),
    Table::new("Exec to ready, ms", "start").of(&[("ms", "ms")]),
    Table::new("RSS, KiB", "rss").of(&[
        ("idle_kib", "idle"),
        ("idle_anon_kib", "idle anon"),
        ("conn1000_kib", "1000 clients"),
        ("conn1000_anon_kib", "1000 clients anon"),
        ("kib_per_connection", "per client"),
        ("connect1000_s", "s to connect 1000"),
    ]),
    Table::new("Idle for 2 s", "rss").of(&[("wakeups_2s", "wakeups"), ("idle_cpu_2s", "CPU s")]),
    Table::new("RSS after the load suites, KiB", "rss_after").of(&[("kib", "KiB")]),
    Table::new("Loading subscriptions", "subs_load")
        .by(&["held"])
        .of(&[("secs", "s"), ("cpu_s", "broker CPU s")]),
    Table::new("Held subscriptions: memory", "subs_memory")
        .by(&["held"])
        .of(&[("rss_kib", "RSS KiB"), ("bytes_per_sub", "B/sub")]),
    Table::new("Matching, 16 B, one hot topic beside those held, deliveries/s", "subs_hot")
        .by(&["held"])
        .of(&[("rate", "")]),
    Table::new("Matching, 16 B, topics spread over the held, deliveries/s", "subs_spread")
        .by(&["held"])
        .of(&[("rate", "")]),
    Table::new("Matching: broker CPU µs per message, hot", "subs_hot")
        .by(&["held"])
        .of(&[("broker_cpu_us_per_msg", "")]),
    Table::new("Matching: broker CPU µs per message, spread", "subs_spread")
        .by(&["held"])
        .of(&[("broker_cpu_us_per_msg", "")]),
    Table::new("A pair beside hostile clients, one message at a time, µs", "neighbour_one")
        .by(&["place"])
        .of(&LATENCIES)
        .and(TIMES_IDLE),
    Table::new("A pair beside hostile clients, 1,000 messages/s, µs", "neighbour_steady")
        .by(&["place"])
        .of(&LATENCIES)
        .and(TIMES_IDLE),
    Table::new("From one service inside the daemon to another, 128 B", services::HOP)
        .by(&["unit"])
        .of(&[("us_per_hop", "µs a message")]),
    Table::new("Services inside the daemon that have nothing to do", services::IDLE)
        .by(&["unit"])
        .of(&[("wakeups_2s", "wakeups in 2 s"), ("kib", "KiB resident")]),
    Table::new("Stored, 512 B, messages/s acknowledged once they are on the disk", store::PUBLISH)
        .by(&["place", "unit"])
        .of(&[("rate", "")]),
    Table::new("Stored, 512 B: broker CPU µs per message", store::PUBLISH)
        .by(&["place", "unit"])
        .of(&[("broker_cpu_us_per_msg", "")]),
    Table::new("Live subscribers beside a consumer, 1,000 messages/s, µs", store::BESIDE)
        .by(&["place"])
        .of(&LATENCIES),
    Table::new("100,000 stored messages that wait", store::WAITING).by(&["place"]).of(&[
        ("ready_ms", "ms to ready"),
        ("mib_above_idle", "MiB above idle"),
        ("rate", "drained/s"),
    ]),
    Table::new("Between devices, 128 B, one message at a time, one way, µs", people::WAY)
        .by(&["unit"])
        .of(&LATENCIES),
    Table::new("Between devices: the cryptography alone, both ends, µs a message", people::CRYPTO)
        .by(&["unit"])
        .of(&[("us", "µs")]),
    Table::new("Between devices, 128 B, messages/s until all are acknowledged", people::RATE).of(
        &[
            ("rate", "/s"),
            ("sender_us_per_msg", "sender's µs"),
            ("receiver_us_per_msg", "receiver's µs"),
        ],
    ),
    Table::new("Between devices: until a message has arrived", people::TIMES)
        .by(&["unit"])
        .of(&[("ms", "ms")]),
    Table::new("A daemon with a friend who says nothing", people::IDLE).of(&[
        ("wakeups_per_s", "wakeups/s"),
        ("cpu_ms_per_s", "CPU ms/s"),
        ("mib", "MiB"),
        ("anon_mib", "MiB anon"),
    ]),
    Table::new("Two local programs while friends talk at full rate", people::LOCAL)
        .by(&["unit"])
        .of(&[("p50_us", "p50"), ("p99_us", "p99"), ("rate", "/s")]),
    Table::new("Two local programs, and the daemon, while a stranger sends", people::FLOOD)
        .by(&["unit"])
        .of(&FLOODED),
    Table::new("Not started", "load").of(&[("started", "")]),
    Table::new("memcpy", "memcpy").by(&["unit"]).of(&[("value", "")]),
    Table::new("System calls", "syscall").by(&["unit"]).of(&[("value", "")]),
    Table::new("Socketpair round trip", "pair_rtt").by(&["unit"]).of(&[("value", "")]),
    Table::new("serde_json parse of one publish line, one core", "json")
        .by(&["unit"])
        .of(&[("value", "")]),
    Table::new("Direct socketpair, no broker (1 hop)", "direct").by(&["unit"]).of(&[("value", "")]),
];
const TIMES_IDLE: Quotient =
    Quotient { figure: "p99_us", peer: "kith beside idle", label: "p99 ÷ idle" };
const DESKTOP: [(&str, &str); 4] = [
    ("p50_us", "p50"),
    ("p99_us", "p99"),
    ("called_cpu_us", "CPU of who is called"),
    ("bus_cpu_us", "CPU of the bus"),
];
const LATENCIES: [(&str, &str); 3] = [("p50_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9")];

const FLOODED: [(&str, &str); 7] = [
    ("p50_us", "p50"),
    ("p99_us", "p99"),
    ("rate", "/s"),
    ("mib", "MiB"),
    ("cores", "cores"),
    ("sent_per_s", "sent/s"),
    ("refused_per_s", "refused/s"),
];

/// Everything that a document has.
pub(crate) fn render(document: &Document) -> Result<String, fmt::Error> {
    let mut text = String::new();
    head(document, &mut text)?;
    verdict::render(&document.cells, &mut text)?;
    let peers: Vec<&str> = document.peers.iter().map(|peer| &*peer.name).collect();
    tables(&document.cells, peers, &mut text)?;
    Ok(text)
}

fn head(document: &Document, out: &mut String) -> fmt::Result {
    let Document { kith, date, machine, settings, .. } = document;
    writeln!(out, "Kith {kith}, {date}, {machine}.\n")?;
    for peer in &document.peers {
        match (&peer.version, &peer.missing) {
            (_, Some(why)) => writeln!(out, "- `{}`: not measured: {why}", peer.name)?,
            (Some(version), None) => writeln!(out, "- `{}`: {version}", peer.name)?,
            (None, None) => {}
        }
    }
    let (left_out, all) = document.cells.left_out();
    writeln!(
        out,
        "\nMedian ± half the range of {} repetitions, {} s of sending each; {} s in all. \
         {left_out} of {all} runs left out, since others used over {} cores.",
        settings.repetitions, settings.seconds, settings.took_seconds, settings.foreign_cores_max
    )
}

/// All tables that the cells have something for: first the peers in their order, then what else
/// was measured.
fn tables<'cells>(
    cells: &'cells Cells,
    mut peers: Vec<&'cells str>,
    out: &mut String,
) -> fmt::Result {
    for cell in &cells.0 {
        if !peers.contains(&&*cell.peer) {
            peers.push(&cell.peer);
        }
    }
    TABLES.iter().try_for_each(|table| table.render(cells, &peers, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn thr(peer: &str, rate: f64, foreign: f64) -> Value {
        json!({"test": "thr", "peer": peer, "payload": 128, "rate": rate, "foreign": foreign,
            "lost": 0})
    }

    fn tables_of(rows: &[Value]) -> String {
        let mut text = String::new();
        tables(&Cells::of(rows, 0.1), vec![], &mut text).unwrap();
        text
    }

    #[test]
    fn disturbed_runs_are_left_out() {
        let rows = [thr("a", 1.0e6, 0.0), thr("a", 9.0e6, 0.5), thr("a", 3.0e6, 0.1)];
        let text = tables_of(&rows);
        assert!(text.contains("| a | 2.00 M ±50% |"), "{text}");
    }

    #[test]
    fn a_peer_without_a_kept_run_says_so() {
        let text = tables_of(&[thr("a", 1.0e6, 0.0), thr("b", 1.0e6, 0.9)]);
        assert!(text.contains("| b | – (1 left out) |"), "{text}");
    }

    #[test]
    fn losses_and_failures_show() {
        let mut lossy = thr("a", 1.0e6, 0.0);
        lossy["lost"] = 7.into();
        let failed = json!({"test": "thr", "peer": "b", "payload": 128, "error": "no | reason"});
        let text = tables_of(&[lossy, failed]);
        assert!(text.contains("| a | 1.00 M (1 run, lost 7) |"), "{text}");
        assert!(text.contains("| b | failed: no / reason |"), "{text}");
    }

    #[test]
    fn a_neighbour_is_compared_with_the_idle_bus_of_its_own_place() {
        let row = |beside: &str, place: &str, p99_us: f64| {
            let peer = crate::suites::neighbour::peer_beside(beside);
            json!({"test": "neighbour_one", "peer": peer, "place": place, "p50_us": 1.0,
                "p99_us": p99_us, "p999_us": 1.0})
        };
        let mut failed = row("idle", "alone", 1.0);
        failed["error"] = "no reason".into();
        failed["p99_us"] = Value::Null;
        let text = tables_of(&[
            row("idle", "apart", 9.0),
            row("idle", "apart", 10.0),
            row("idle", "apart", 300.0),
            failed,
            row("burn", "apart", 5.0),
            row("burn", "alone", 50.0),
            row("flood", "apart", 25.0),
        ]);
        let columns = ["p50", "p99", "p99.9", "p99 ÷ idle"];
        let columns = |place: &str| columns.map(|column| format!(" {place} {column} |")).concat();
        let head = format!("| peer |{}{}", columns("apart"), columns("alone"));
        assert!(text.contains(&format!("{head}\n|---|{}\n", "--:|".repeat(8))), "{text}");
        let line = |beside: &str| {
            let begins = format!("| kith beside {beside} |");
            let line = text.lines().find(|line| line.starts_with(&begins)).unwrap();
            line.split(" | ").map(|cell| cell.trim_end_matches(" |")).collect::<Vec<_>>()
        };
        assert_eq!((line("idle")[4], line("idle")[8]), ("1.00", "–"));
        assert_eq!((line("burn")[4], line("burn")[8]), ("0.50", "–"));
        assert_eq!((line("flood")[4], line("flood")[8]), ("2.50", "–"));
    }

    #[test]
    fn columns_keep_the_order_in_which_they_were_measured() {
        let mut large = thr("a", 5.0, 0.0);
        large["payload"] = 1024.into();
        let text = tables_of(&[thr("a", 1.0e4, 0.0), large]);
        assert!(text.contains("| peer | 128 B | 1024 B |"), "{text}");
        assert!(text.contains("| a | 10 k (1 run) | 5.00 (1 run) |"), "{text}");
    }
}
