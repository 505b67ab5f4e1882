//! The limit: records appended to one file, and synced with `fdatasync(2)` after so many.

use super::{MESSAGES_MAX, PAYLOAD_BYTES, WARM_UP};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) fn run(at: &Path, batch: u64, time: Duration) -> anyhow::Result<Value> {
    let mut file = File::create_new(at.join("records"))?;
    let records = vec![b'x'; PAYLOAD_BYTES * batch as usize];
    append(&mut file, &records, batch, WARM_UP)?;
    let began = Instant::now();
    let count = append(&mut file, &records, batch, time)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({"rate": count as f64 / seconds, "secs": seconds}))
}

/// How many records were synced in such a time.
fn append(file: &mut File, records: &[u8], batch: u64, time: Duration) -> io::Result<u64> {
    let began = Instant::now();
    let mut count = 0;
    while count < MESSAGES_MAX && began.elapsed() < time {
        file.write_all(records)?;
        file.sync_data()?;
        count += batch;
    }
    Ok(count)
}
