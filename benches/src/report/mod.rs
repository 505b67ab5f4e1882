//! Medians of the recorded runs, as Markdown tables.
//!
//! A run during which others used the cores says nothing about the peer, so it is left out, and
//! counted. The median and half the range are all the statistics: with five runs, more would only
//! look exact.

mod table;

use serde_json::Value;
use std::fmt::Write;
use table::Table;

/// Above this many cores used by others, a run does not count.
const FOREIGN_CORES_MAX: f64 = 0.10;

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
        .of(&LATENCIES),
    Table::new("Latency 128 B, ping-pong of two clients (two broker passes), µs", "pingpong")
        .of(&LATENCIES),
    Table::new("Exec to ready, ms", "start").of(&[("ms", "ms")]),
    Table::new("RSS, KiB", "rss").of(&[
        ("idle_kib", "idle"),
        ("idle_anon_kib", "idle anon"),
        ("conn1000_kib", "1000 clients"),
        ("conn1000_anon_kib", "1000 clients anon"),
        ("connect1000_s", "s to connect 1000"),
        ("idle_cpu_2s", "CPU s in 2 s idle"),
    ]),
    Table::new("RSS after the load suites, KiB", "rss_after").of(&[("kib", "KiB")]),
    Table::new("Loading subscriptions", "subs_load").by(&["held"]).of(&[
        ("secs", "s"),
        ("rss_kib", "RSS KiB"),
        ("bytes_per_sub", "B/sub"),
    ]),
    Table::new("Matching, 16 B, one hot topic, K held, deliveries/s", "subs_hot")
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
    Table::new("Not started", "load").of(&[("started", "")]),
    Table::new("memcpy", "memcpy").by(&["unit"]).of(&[("value", "")]),
    Table::new("System calls", "syscall").by(&["unit"]).of(&[("value", "")]),
    Table::new("Socketpair round trip", "pair_rtt").by(&["unit"]).of(&[("value", "")]),
    Table::new("serde_json parse of one publish line, one core", "json")
        .by(&["unit"])
        .of(&[("value", "")]),
    Table::new("Direct socketpair, no broker (1 hop)", "direct").by(&["unit"]).of(&[("value", "")]),
];
const LATENCIES: [(&str, &str); 3] = [("p50_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9")];

/// Whether others used the cores during a run. Rows without the figure are taken as they are.
fn is_disturbed(row: &Value) -> bool {
    row["foreign"].as_f64().is_some_and(|cores| cores > FOREIGN_CORES_MAX)
}

/// All tables that the rows have something for.
pub(crate) fn render(rows: &[Value]) -> anyhow::Result<String> {
    let mut text = String::new();
    let watched = rows.iter().filter(|row| row["foreign"].is_f64()).count();
    let disturbed = rows.iter().filter(|row| is_disturbed(row)).count();
    writeln!(
        text,
        "\nMedian ± half the range. Foreign CPU: {disturbed} of {watched} runs left out (over \
         {FOREIGN_CORES_MAX} cores used by others)."
    )?;
    let mut peers: Vec<&str> = vec![];
    for row in rows {
        let peer = row["peer"].as_str().unwrap_or("");
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    for table in TABLES {
        table.render(rows, &peers, &mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn thr(peer: &str, rate: f64, foreign: f64) -> Value {
        json!({"test": "thr", "peer": peer, "payload": 128, "rate": rate, "foreign": foreign,
            "lost": 0})
    }

    #[test]
    fn disturbed_runs_are_left_out_and_counted() {
        let rows = [thr("a", 1.0e6, 0.0), thr("a", 9.0e6, 0.5), thr("a", 3.0e6, 0.1)];
        let text = render(&rows).unwrap();
        assert!(text.contains("1 of 3 runs left out"), "{text}");
        assert!(text.contains("| a | 2.00 M ±50% |"), "{text}");
    }

    #[test]
    fn a_peer_without_a_kept_run_says_so() {
        let text = render(&[thr("a", 1.0e6, 0.0), thr("b", 1.0e6, 0.9)]).unwrap();
        assert!(text.contains("| b | – (1 left out) |"), "{text}");
    }

    #[test]
    fn losses_and_failures_show() {
        let mut lossy = thr("a", 1.0e6, 0.0);
        lossy["lost"] = 7.into();
        let failed = json!({"test": "thr", "peer": "b", "payload": 128, "error": "no | reason"});
        let text = render(&[lossy, failed]).unwrap();
        assert!(text.contains("| a | 1.00 M (lost 7) |"), "{text}");
        assert!(text.contains("| b | failed: no / reason |"), "{text}");
    }

    #[test]
    fn columns_keep_the_order_in_which_they_were_measured() {
        let mut large = thr("a", 5.0, 0.0);
        large["payload"] = 1024.into();
        let text = render(&[thr("a", 1.0e4, 0.0), large]).unwrap();
        assert!(text.contains("| peer | 128 B | 1024 B |"), "{text}");
        assert!(text.contains("| a | 10 k | 5.00 |"), "{text}");
    }
}
