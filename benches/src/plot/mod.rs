//! A document as a picture: grouped bars, in two columns.
//!
//! What a reader wants to see at a glance is here; the tables have the rest. Of the limits three
//! are shown, since five of them would hide the brokers.

mod panel;
mod svg;

use crate::results::{Cell, Document};
use anyhow::ensure;
use panel::{Bar, Group, Panel};
use serde_json::Value;
use svg::{Anchor, Canvas};

const MARGIN: f64 = 20.0;
const HEAD_HEIGHT: f64 = 62.0;
/// Peers that are not drawn.
const LEFT_OUT: [&str; 2] = ["limit-threads", "limit-tokio2"];

/// How the value of a setting is read.
type Read = fn(&Value) -> String;

/// Which cells a panel shows.
struct Choice {
    title: &'static str,
    note: &'static str,
    test: &'static str,
    figure: &'static str,
    /// The setting that tells groups apart, and how its value is read.
    by: Option<(&'static str, Read)>,
}

const CHOICES: [Choice; 10] = [
    Choice {
        title: "1→1, messages a second",
        note: "by payload; more is better",
        test: "thr",
        figure: "rate",
        by: Some(("payload", bytes)),
    },
    Choice {
        title: "One write a message, 128 B, messages a second",
        note: "more is better; zenoh batches by itself",
        test: "one",
        figure: "rate",
        by: None,
    },
    Choice {
        title: "Fan-out, 128 B, deliveries a second",
        note: "by number of subscribers; more is better",
        test: "fan",
        figure: "rate",
        by: Some(("subs", subscribers)),
    },
    Choice {
        title: "Latency, one pass through the broker, 128 B, median, µs",
        note: "by where broker and client run; less is better",
        test: "transit",
        figure: "p50_us",
        by: Some(("place", words)),
    },
    Choice {
        title: "Held subscriptions, all used: deliveries a second",
        note: "16 B, topics spread over those held; more is better",
        test: "subs_spread",
        figure: "rate",
        by: Some(("held", held)),
    },
    Choice {
        title: "Held subscriptions, one used: deliveries a second",
        note: "16 B, one hot topic beside those held; more is better",
        test: "subs_hot",
        figure: "rate",
        by: Some(("held", held)),
    },
    Choice {
        title: "Memory of a held subscription, B",
        note: "less is better",
        test: "subs_memory",
        figure: "bytes_per_sub",
        by: Some(("held", held)),
    },
    Choice {
        title: "Idle, resident, KiB",
        note: "less is better",
        test: "rss",
        figure: "idle_kib",
        by: None,
    },
    Choice {
        title: "Resident for each idle connection, KiB",
        note: "less is better",
        test: "rss",
        figure: "kib_per_connection",
        by: None,
    },
    Choice {
        title: "From exec to ready, ms",
        note: "less is better",
        test: "start",
        figure: "ms",
        by: None,
    },
];

fn bytes(value: &Value) -> String {
    match value.as_u64() {
        Some(bytes) if bytes >= 1024 && bytes.is_multiple_of(1024) => {
            format!("{} KiB", bytes / 1024)
        }
        _ => format!("{value} B"),
    }
}

fn subscribers(value: &Value) -> String {
    format!("1→{value}")
}

fn words(value: &Value) -> String {
    value.as_str().unwrap_or("").replace('-', " ")
}

fn held(value: &Value) -> String {
    match value.as_u64() {
        Some(held @ 1_000_000..) => format!("{}M held", held / 1_000_000),
        Some(held @ 1_000..) => format!("{}k held", held / 1_000),
        _ => format!("{value} held"),
    }
}

impl Choice {
    /// The panel, where there is anything to show.
    fn panel(&self, document: &Document) -> Option<Panel> {
        let mut groups: Vec<Group> = vec![];
        let cells = document.cells.of_test(self.test, &[]);
        for cell in cells.filter(|cell| !LEFT_OUT.contains(&&*cell.peer)) {
            let label = self.label(cell);
            let value = cell.figure(self.figure).ok_or(match cell.error {
                Some(_) => "failed",
                None => "disturbed by others",
            });
            let bar = Bar { name: cell.peer.clone(), class: class(&cell.peer), value };
            match groups.iter_mut().find(|group| group.label == label) {
                Some(group) => group.bars.push(bar),
                None => groups.push(Group { label, bars: vec![bar] }),
            }
        }
        // In the order in which the run named the peers: turns begin with another peer each time.
        let order = |bar: &Bar| document.peers.iter().position(|peer| peer.name == bar.name);
        groups.iter_mut().for_each(|group| group.bars.sort_by_key(order));
        // A subscription alone is not to be seen in a process's memory.
        let is_telling =
            |group: &Group| self.test != "subs_memory" || !group.label.starts_with("1 ");
        groups.retain(is_telling);
        let Self { title, note, .. } = *self;
        (!groups.is_empty()).then_some(Panel { title, note, groups })
    }

    fn label(&self, cell: &Cell) -> String {
        let Some((key, read)) = self.by else { return String::new() };
        cell.keys.get(key).map_or_else(String::new, read)
    }
}

fn class(peer: &str) -> &'static str {
    match peer.split('-').next() {
        Some("kith") => "kith",
        Some("limit") => "limit",
        _ => "peer",
    }
}

/// The drawing of everything that a document has bars for.
pub(crate) fn render(document: &Document) -> anyhow::Result<String> {
    let panels: Vec<Panel> = CHOICES.iter().filter_map(|choice| choice.panel(document)).collect();
    ensure!(!panels.is_empty(), "nothing was measured that could be drawn");
    let mut canvas = Canvas::default();
    let title = format!("Kith {} beside its peers", document.kith);
    canvas.text("title", (MARGIN, MARGIN + 12.0), Anchor::Start, &title);
    let settings = &document.settings;
    let facts = format!(
        "{}. Medians, whiskers: range; {} repetitions. {}",
        document.machine, settings.repetitions, document.date
    );
    canvas.text("muted", (MARGIN, MARGIN + 30.0), Anchor::Start, &facts);
    let mut bottoms = [HEAD_HEIGHT; 2];
    for panel in panels {
        // The shorter column takes the next.
        let column = usize::from(bottoms[1] < bottoms[0]);
        let left = MARGIN + column as f64 * (panel::WIDTH + MARGIN);
        panel.draw((left, bottoms[column]), &mut canvas);
        bottoms[column] += panel.height();
    }
    let width = MARGIN * 3.0 + panel::WIDTH * 2.0;
    Ok(canvas.finish(&title, width, bottoms[0].max(bottoms[1]) + MARGIN / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Description;
    use crate::results::{Cells, PeerVersion, Settings};
    use serde_json::json;

    fn document(rows: &[Value]) -> Document {
        let peer = |name: &str| PeerVersion {
            name: name.to_string(),
            version: Some("1".to_string()),
            missing: None,
        };
        Document {
            kith: "0.0.0".to_string(),
            date: "2000-01-01T00:00:00Z".to_string(),
            machine: Description::read(),
            settings: Settings {
                quick: true,
                repetitions: 1,
                seconds: 0.1,
                took_seconds: 1,
                foreign_cores_max: 0.1,
            },
            peers: ["kith", "nats", "limit-epoll"].map(peer).to_vec(),
            cells: Cells::of(rows, 0.1),
        }
    }

    fn thr(peer: &str, payload: usize, rate: f64) -> Value {
        json!({"test": "thr", "peer": peer, "payload": payload, "rate": rate})
    }

    #[test]
    fn groups_are_settings_and_bars_are_peers_in_the_order_of_the_run() {
        let rows = [
            thr("nats", 16, 2.0e6),
            thr("kith", 16, 9.0e6),
            thr("nats", 65536, 8.0e3),
            json!({"test": "thr", "peer": "limit-epoll", "payload": 16, "error": "gone"}),
        ];
        let document = document(&rows);
        let panel = CHOICES[0].panel(&document).unwrap();
        let labels: Vec<&str> = panel.groups.iter().map(|group| &*group.label).collect();
        assert_eq!(labels, ["16 B", "64 KiB"]);
        let names: Vec<&str> = panel.groups[0].bars.iter().map(|bar| &*bar.name).collect();
        assert_eq!(names, ["kith", "nats", "limit-epoll"]);
        let text = render(&document).unwrap();
        for part in [">9.00 M</text>", ">failed</text>", "class=\"kith\"", ">1 M</text>"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn nothing_to_draw_is_said() {
        assert!(render(&document(&[])).is_err());
    }
}
