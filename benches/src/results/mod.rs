//! What was measured: rows as they happen, cells that sum them up, and the document that is kept.
//!
//! A row is one run. Rows can be appended to a file as JSON lines, so that a series that breaks off
//! is not lost and a median can be doubted; cells and the document are made of them at the end.

mod cells;
mod document;
mod progress;

pub(crate) use cells::{Cell, Cells, Spread};
pub(crate) use document::{Document, PeerVersion, Settings};
pub(crate) use progress::Progress;

use crate::interrupt;
use crate::load::LoadResult;
use crate::report::short;
use anyhow::Context;
use cells::is_disturbed;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

pub(crate) struct Log {
    file: Option<File>,
    rows: Vec<Value>,
    /// Runs during which others used more cores don't count.
    foreign_cores_max: f64,
    pub(crate) progress: Progress,
}

impl Log {
    /// `path`: where the rows are appended as JSON lines.
    pub(crate) fn open(path: Option<&Path>, foreign_cores_max: f64) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("can't open {}", path.display()))
        };
        let file = path.map(open).transpose()?;
        Ok(Self { file, rows: vec![], foreign_cores_max, progress: Progress::default() })
    }

    pub(crate) fn rows(&self) -> &[Value] {
        &self.rows
    }

    /// Whether what `key` names was tried so often while the machine was quiet. A run that failed
    /// is one of them: to repeat it until it works would flatter.
    pub(crate) fn has_enough(&self, key: &Value, runs: usize) -> bool {
        let cell = Cell::named_by(key);
        let counts = |row: &&Value| cell.is_of(row) && !is_disturbed(row, self.foreign_cores_max);
        self.rows.iter().filter(counts).count() >= runs
    }

    /// Appends a row, and says on standard error what it brought and how long the rest will take.
    pub(crate) fn put(&mut self, row: Value) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{row}")?;
        }
        let mut said = headline(&row);
        if is_disturbed(&row, self.foreign_cores_max) {
            said += ", left out: others used the machine";
        } else {
            self.progress.row(row["test"].as_str().unwrap_or(""));
        }
        let left = self.progress.left().as_secs();
        eprintln!("[{:2}:{:02} left] {said}", left / 60, left % 60);
        self.rows.push(row);
        Ok(())
    }

    /// Appends what a measurement brought, or why it failed. `key` is what names the run. What
    /// fails because of an interrupt is no result: the brokers may have got the same signal.
    pub(crate) fn outcome(
        &mut self,
        mut key: Value,
        outcome: anyhow::Result<Value>,
    ) -> anyhow::Result<()> {
        if outcome.is_err() {
            interrupt::check()?;
        }
        let found = outcome.unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
        if let (Value::Object(row), Value::Object(found)) = (&mut key, found) {
            row.extend(found);
        }
        self.put(key)
    }
}

/// What names a row, and the first of its figures.
fn headline(row: &Value) -> String {
    let mut text = String::new();
    for key in ["test", "peer"].into_iter().chain(cells::KEYS) {
        match &row[key] {
            Value::Null => {}
            Value::String(word) => text += &format!("{word} "),
            number => text += &format!("{key}={number} "),
        }
    }
    if let Some(error) = row["error"].as_str() {
        return format!("{text}FAILED: {error}");
    }
    let figures = ["rate", "p50_us", "ms", "idle_kib", "bytes_per_sub", "kib", "value"];
    for figure in figures {
        if let Some(value) = row[figure].as_f64() {
            text += &format!("{figure}={}", short(value));
            break;
        }
    }
    match row["lost"].as_u64() {
        Some(lost @ 1..) => format!("{text}, LOST {lost}"),
        _ => text,
    }
}

/// The fields of a load run.
pub(crate) fn load_fields(result: &LoadResult) -> Value {
    let deliveries = result.deliveries.max(1) as f64;
    let messages = result.sent.max(1) as f64;
    let seconds = result.seconds;
    json!({
        "rate": result.deliveries as f64 / seconds,
        "msg_rate": result.sent as f64 / seconds,
        "broker_cpu_us_per_msg": result.broker_cpu_seconds * 1e6 / messages,
        "broker_cpu_us_per_delivery": result.broker_cpu_seconds * 1e6 / deliveries,
        "client_cpu_us_per_delivery": result.client_cpu_seconds * 1e6 / deliveries,
        "broker_util": result.broker_cpu_seconds / seconds,
        "broker_sys_share": result.broker_system_seconds / result.broker_cpu_seconds.max(0.01),
        "client_util": result.client_cpu_seconds / seconds,
        "foreign": result.foreign_cores,
        "lost": result.lost,
        "window": result.window,
        "wire_bytes": result.wire_bytes,
        "secs": seconds,
        "sent": result.sent,
        "note": result.note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_disturbed_is_wanted_again_and_what_failed_is_not() {
        let mut log = Log::open(None, 0.1).unwrap();
        let key = json!({"test": "thr", "peer": "a", "payload": 128, "rep": 7});
        assert!(!log.has_enough(&key, 1));
        for (foreign, payload) in [(0.5, 128), (0.0, 16), (0.1, 128)] {
            let row = json!({"test": "thr", "peer": "a", "payload": payload, "rate": 1.0,
                "foreign": foreign});
            log.put(row).unwrap();
        }
        assert!(log.has_enough(&key, 1) && !log.has_enough(&key, 2));
        log.outcome(key.clone(), Err(anyhow::anyhow!("gone"))).unwrap();
        assert!(log.has_enough(&key, 2));
    }

    #[test]
    fn a_headline_names_the_run_and_says_what_it_brought() {
        let row = json!({"test": "thr", "peer": "redis", "payload": 128, "subs": 1, "rep": 2,
            "rate": 1.7e6, "lost": 0});
        assert_eq!(headline(&row), "thr redis payload=128 subs=1 rate=1.70 M");
        let lossy = json!({"test": "one", "peer": "a", "rate": 5.0, "lost": 3});
        assert_eq!(headline(&lossy), "one a rate=5.00, LOST 3");
        let failed = json!({"test": "rss", "peer": "a", "error": "gone"});
        assert_eq!(headline(&failed), "rss a FAILED: gone");
    }
}
