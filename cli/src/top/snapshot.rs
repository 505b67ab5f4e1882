//! `kith top --json`: what the screen shows, as one JSON object a line.
//!
//! Counters and names are the daemon's; rates are numbers a second, over the interval, and `null`
//! for what was not there before. The clients stand in the order of the table, those that the
//! filter hides are left out.

use super::facts::{Client, Process, Ready, Stats};
use super::rates::{Flow, Row, View};
use super::table::Order;
use serde::Serialize;

/// A snapshot.
#[derive(Serialize)]
struct Snapshot<'a> {
    socket: &'a str,
    ready: &'a Option<Ready>,
    memory_bytes: Option<u64>,
    cpu_percent: Option<f64>,
    stats: &'a Stats,
    /// Without `kith top` itself.
    rates: Option<Rates>,
    clients: Vec<ClientLine<'a>>,
}

#[derive(Serialize)]
struct ClientLine<'a> {
    #[serde(flatten)]
    client: &'a Client,
    process: &'a Option<String>,
    rates: Option<Rates>,
    this: bool,
}

#[derive(Serialize)]
struct Rates {
    published: f64,
    published_bytes: f64,
    delivered: f64,
    delivered_bytes: f64,
    dropped: f64,
}

/// The line of a view, with its line feed.
pub(crate) fn line(
    socket: &str,
    mut view: View,
    order: &Order,
) -> Result<String, serde_json::Error> {
    order.sort(&mut view.rows);
    let shown = view.rows.iter().filter(|row| order.shows(row));
    let clients = shown.map(|Row { client, command, flow, is_this }| ClientLine {
        client,
        process: command,
        rates: flow.map(rates),
        this: *is_this,
    });
    let snapshot = Snapshot {
        socket,
        ready: &view.ready,
        memory_bytes: view.process.map(|Process { resident_bytes, .. }| resident_bytes),
        // Thousandths of all time are tenths of a percent.
        cpu_percent: view.cpu.map(|thousandths| divided(thousandths, 10.0)),
        stats: &view.stats,
        rates: view.flow.map(rates),
        clients: clients.collect(),
    };
    Ok(serde_json::to_string(&snapshot)? + "\n")
}

fn rates(flow: Flow) -> Rates {
    let per_second = |thousandths| divided(thousandths, 1000.0);
    Rates {
        published: per_second(flow.published),
        published_bytes: per_second(flow.published_bytes),
        delivered: per_second(flow.delivered),
        delivered_bytes: per_second(flow.delivered_bytes),
        dropped: per_second(flow.dropped),
    }
}

/// As precise as a number in JSON is for most who read it.
fn divided(number: u64, by: f64) -> f64 {
    number as f64 / by
}

#[cfg(test)]
mod tests {
    use super::super::table::Column;
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_snapshot_says_all_that_the_screen_shows() {
        let client = |client, name: &str| Client {
            client,
            name: Some(name.to_owned()),
            ..Client::default()
        };
        let flow = Flow { published: 1_500, ..Flow::default() };
        let busy = Row { client: client(3, "bees"), flow: Some(flow), ..Row::default() };
        let new = Row { client: client(4, "n\"ew"), is_this: true, ..Row::default() };
        let hidden = Row { client: client(5, "third"), ..Row::default() };
        let view = View {
            rows: vec![hidden, new, busy],
            flow: Some(flow),
            cpu: Some(125),
            process: Some(Process { resident_bytes: 4096, cpu_ms: 1 }),
            ..View::default()
        };
        let filter = "e".to_owned();
        let order = Order { column: Column::Name, is_reversed: false, filter };
        let text = line("/s", view, &order).unwrap();
        assert!(text.ends_with("}\n") && text.matches('\n').count() == 1, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["cpu_percent"], &value["memory_bytes"]), (&12.5.into(), &4096.into()));
        assert_eq!(value["rates"]["published"], 1.5);
        assert_eq!(value["ready"], Value::Null);
        let names: Vec<_> =
            value["clients"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["bees", "n\"ew"]);
        let (busy, new) = (&value["clients"][0], &value["clients"][1]);
        assert_eq!((&busy["client"], &busy["rates"]["published"]), (&3.into(), &1.5.into()));
        assert_eq!((&new["this"], &new["rates"]), (&true.into(), &Value::Null));
        assert_eq!(new["published"], 0);
    }
}
