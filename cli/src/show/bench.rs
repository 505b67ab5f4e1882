//! What `bench` prints: what came through, how long it took, and whether everything arrived.

use crate::bench::{Account, Findings, Flood, RoundTrips, Summary};
use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::{columns, quantity};
use serde_json::{Value, json};

/// All of it for a program: one JSON object.
pub(crate) fn json(socket: &str, findings: &Findings) -> String {
    let Findings { version, cores, time, floods, delivery, request, others } = findings;
    let account = findings.account();
    json!({
        "socket": socket,
        "version": version,
        "cores": cores,
        "secs": time.as_secs_f64(),
        "throughput": floods.iter().map(flood_json).collect::<Vec<_>>(),
        "delivery": round_trips_json(delivery),
        "request": round_trips_json(request),
        "missing": account.missing(),
        "surplus": account.surplus(),
        "lag": account.lagged,
        "others": {
            "clients": others.clients,
            "published": others.published,
            "dropped": others.dropped,
        },
    })
    .to_string()
}

fn flood_json(flood: &Flood) -> Value {
    let Account { sent, received, lagged, .. } = flood.account;
    json!({
        "subscribers": flood.subscribers,
        "payload_bytes": flood.payload_bytes,
        "published": flood.published,
        "expected": sent,
        "received": received,
        "lag": lagged,
        "missing": flood.account.missing(),
        "surplus": flood.account.surplus(),
        "secs": flood.elapsed.as_secs_f64(),
        "deliveries_per_second": flood.deliveries_per_second(),
        "bytes_per_second": flood.bytes_per_second(),
    })
}

fn round_trips_json(round_trips: &RoundTrips) -> Value {
    let Summary { count, p50_ns, p99_ns, max_ns } = round_trips.times;
    json!({
        "count": count,
        "p50_ns": p50_ns,
        "p99_ns": p99_ns,
        "max_ns": max_ns,
        "missing": round_trips.account.missing(),
        "surplus": round_trips.account.surplus(),
    })
}

/// All of it for a person.
pub(crate) fn tables(socket: &str, findings: &Findings, paint: Paint) -> String {
    let Findings { version, cores, time, floods, delivery, request, .. } = findings;
    let version = version.as_deref().map_or(String::new(), |version| format!(" {version}"));
    let plural = if *cores == 1 { "" } else { "s" };
    let title = harmless(&format!("Kith{version}")).into_owned();
    let heading = paint.paint(Style::Heading, &title);
    let each = time.as_secs_f64();
    let mut text =
        format!("{heading}, {cores} core{plural}, {each} s each\n{}\n\n", harmless(socket));
    let rows: Vec<_> = floods.iter().map(flood_cells).collect();
    text.push_str(&table(
        ["THROUGHPUT", "PAYLOAD", "DELIVERIES/S", "BYTES/S", "PUBLISHED", "LAG"],
        &rows,
        paint,
    ));
    let rows = [
        round_trip_cells("publish → delivery", &delivery.times),
        round_trip_cells("request → reply", &request.times),
    ];
    text.push('\n');
    text.push_str(&table(["LATENCY", "P50", "P99", "MAX", "MEASURED"], &rows, paint));
    text.push('\n');
    text.push_str(&verdict(findings, paint));
    text
}

fn flood_cells(flood: &Flood) -> [String; 6] {
    [
        format!("1 → {}", flood.subscribers),
        quantity::bytes(flood.payload_bytes.into()),
        quantity::count(flood.deliveries_per_second()),
        format!("{}/s", quantity::bytes(flood.bytes_per_second())),
        quantity::count(flood.published),
        quantity::count(flood.account.lagged),
    ]
}

fn round_trip_cells(name: &str, times: &Summary) -> [String; 5] {
    let count = u64::try_from(times.count).unwrap_or(u64::MAX);
    let [p50, p99, max] = [times.p50_ns, times.p99_ns, times.max_ns].map(quantity::nanoseconds);
    [name.to_owned(), p50, p99, max, quantity::count(count)]
}

/// Whether everything came, and what else was going on.
fn verdict(findings: &Findings, paint: Paint) -> String {
    let account = findings.account();
    let (style, said) = if !account.is_balanced() {
        (Style::Fault, format!("Of {}.", imbalance(&account)))
    } else if account.lagged > 0 {
        let said = format!(
            "{} arrived, and {} more were reported as missed.",
            quantity::messages(account.received),
            quantity::count(account.lagged)
        );
        (Style::Loss, said)
    } else {
        (Style::Success, format!("All of {} arrived.", quantity::messages(account.received)))
    };
    let others = findings.others;
    let beside = format!(
        "Meanwhile others ({}) published {}; the daemon dropped {} in all.",
        quantity::counted(others.clients, "client"),
        quantity::messages(others.published),
        quantity::count(others.dropped)
    );
    format!("{}\n{}\n", paint.paint(style, &said), paint.paint(Style::Faint, &beside))
}

/// What is wrong with an account that is not balanced: of so many so many, …
pub(crate) fn imbalance(account: &Account) -> String {
    let missing = account.missing();
    format!(
        "{} {} {} missing without a word, and {} came twice, out of turn or unsent",
        quantity::messages(account.sent),
        quantity::count(missing),
        if missing == 1 { "is" } else { "are" },
        quantity::count(account.surplus())
    )
}

/// A table whose first column is text and whose others are numbers.
fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]], paint: Paint) -> String {
    let all: Vec<_> = std::iter::once(heading.map(str::to_owned)).chain(rows.to_vec()).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| columns::width(cell)).max().unwrap_or_default()
    });
    let mut text = String::new();
    for (n_row, row) in all.iter().enumerate() {
        let padded = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { columns::left(cell, width) } else { columns::right(cell, width) }
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        let line = if n_row == 0 { paint.paint(Style::Heading, &line) } else { line };
        text.push_str(&format!("  {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Others;
    use std::time::Duration;

    fn findings(lagged: u64, missing: u64) -> Findings {
        let sent = 1_000_000;
        let account = Account { sent, received: sent - lagged - missing, lagged, astray: 0 };
        let flood = Flood {
            subscribers: 10,
            payload_bytes: 128,
            published: 100_000,
            account,
            elapsed: Duration::from_secs(2),
        };
        let times = Summary { count: 9_000, p50_ns: 45_600, p99_ns: 99_000, max_ns: 1_250_000 };
        let account = Account { sent: 10, received: 10, lagged: 0, astray: 0 };
        let round_trips = RoundTrips { times, account };
        Findings {
            version: Some("0.1.0".to_owned()),
            cores: 2,
            time: Duration::from_millis(200),
            floods: vec![flood],
            delivery: round_trips.clone(),
            request: round_trips,
            others: Others { clients: 1, published: 12, dropped: 3 },
        }
    }

    #[test]
    fn the_tables_are_aligned_and_say_that_nothing_is_missing() {
        let expected = "\
Kith 0.1.0, 2 cores, 0.2 s each
/run/bus.sock

  THROUGHPUT  PAYLOAD  DELIVERIES/S   BYTES/S  PUBLISHED  LAG
  1 → 10        128 B       500,000  61 MiB/s    100,000    0

  LATENCY               P50    P99     MAX  MEASURED
  publish → delivery  45 µs  99 µs  1.2 ms     9,000
  request → reply     45 µs  99 µs  1.2 ms     9,000

All of 1,000,020 messages arrived.
Meanwhile others (1 client) published 12 messages; the daemon dropped 3 in all.
";
        assert_eq!(tables("/run/bus.sock", &findings(0, 0), Paint::plain()), expected);
    }

    #[test]
    fn what_was_missed_and_what_is_missing_are_told_apart() {
        let shown = |lagged, missing| tables("", &findings(lagged, missing), Paint::plain());
        let text = shown(5, 0);
        assert!(text.contains("1,000,015 messages arrived, and 5 more were reported"), "{text}");
        let text = shown(5, 2);
        assert!(text.contains("Of 1,000,020 messages 2 are missing without a word"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_said_of_one_and_of_many() {
        let said =
            |sent, received, astray| imbalance(&Account { sent, received, lagged: 0, astray });
        let text = said(5, 4, 0);
        assert!(text.starts_with("5 messages 1 is missing without a word, and 0 came "), "{text}");
        let text = said(1, 1, 1_000);
        assert!(text.starts_with("1 message 0 are missing "), "{text}");
        assert!(text.ends_with(" and 1,000 came twice, out of turn or unsent"), "{text}");
    }

    #[test]
    fn a_program_gets_the_numbers() {
        let text = json("/run/bus.sock", &findings(5, 2));
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&found["missing"], &found["lag"]), (&json!(2), &json!(5)));
        assert_eq!(found["throughput"][0]["deliveries_per_second"], 499_997);
        assert_eq!(found["request"]["p99_ns"], 99_000);
        assert_eq!(found["others"]["published"], 12);
    }
}
