//! A hundred thousand messages that wait for a consumer: a restart with them, what they take of
//! memory, and how fast they are read and acknowledged.

use super::{PAYLOAD_BYTES, TOPIC};
use crate::peer::Peer;
use crate::peers::kith::stored::drain;
use crate::process::Running;
use crate::raw::Window;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

const COUNT: u64 = 100_000;
const IN_FLIGHT: u64 = 256;
/// How long filling the store may take.
const FILLING_MAX: Duration = Duration::from_secs(60);
/// How long the daemon may settle before its memory is read.
const SETTLE: Duration = Duration::from_millis(700);
const KIB_PER_MIB: f64 = 1024.0;

pub(super) fn run(kith: &dyn Peer, base: &Path) -> anyhow::Result<Value> {
    let broker = Running::start(kith, base, "w")?;
    sleep(SETTLE);
    let idle_kib = broker.resident_kib();
    let codec = kith.storing_codec().context("it stores nothing")?;
    let mut window = Window::open(codec, &broker.endpoint, TOPIC, PAYLOAD_BYTES, IN_FLIGHT)?;
    let filled = window.run(FILLING_MAX, COUNT)?;
    ensure!(filled.messages == COUNT, "filling took over {FILLING_MAX:?}");
    drop((window, broker));
    let broker = Running::start_again(kith, base, "w")?;
    sleep(SETTLE);
    let grown_kib = broker.resident_kib().saturating_sub(idle_kib);
    let began = Instant::now();
    let again = drain(&broker.endpoint, TOPIC, COUNT)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({
        "rate": COUNT as f64 / seconds,
        "ready_ms": broker.ready_after.as_secs_f64() * 1e3,
        "mib_above_idle": grown_kib as f64 / KIB_PER_MIB,
        "fill_rate": filled.messages as f64 / filled.seconds,
        "again": again,
    }))
}
