//! The record: one JSON object a run, written as it happens and kept for the tables.
//!
//! Raw runs are kept rather than medians, so that a table can be made anew, joined with another
//! day's, or doubted.

use crate::interrupt;
use crate::load::LoadResult;
use anyhow::Context;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) struct Log {
    file: Option<File>,
    rows: Vec<Value>,
}

impl Log {
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("can't open {}", path.display()))
        };
        Ok(Self { file: path.map(open).transpose()?, rows: vec![] })
    }

    pub(crate) fn rows(&self) -> &[Value] {
        &self.rows
    }

    /// Appends a row and says it on standard error.
    pub(crate) fn put(&mut self, row: Value) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{row}")?;
        }
        eprintln!("{row}");
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
        "secs": seconds,
        "sent": result.sent,
        "note": result.note,
    })
}

/// All rows of some files.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Value>> {
    let mut rows = vec![];
    for file in files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("can't read {}", file.display()))?;
        for (index, line) in text.lines().enumerate() {
            let row = serde_json::from_str(line)
                .with_context(|| format!("{}, line {}", file.display(), index + 1))?;
            rows.push(row);
        }
    }
    Ok(rows)
}
