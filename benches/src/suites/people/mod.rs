//! Messages between devices: two daemons that are friends and have a direct link, on this machine.
//!
//! Beside each figure stands what it can't be better than, measured in the same minute: the time
//! of a message on a bare QUIC stream and of the cryptography alone, for the way; what one core
//! encrypts and decrypts, for the rate; and a sync of the disk, for which every message that is not
//! realtime is waited on both sides. Both daemons, both programs and all of that share the machine.

mod beside;
mod crypto;
mod device;
mod reference;
mod talk;
mod times;

use super::{Plan, Suite};
use crate::interrupt;
use crate::peer::Peer;
use crate::results::{Log, Progress};
use device::Device;
use serde_json::{Value, json};
use std::time::Duration;
use talk::{LEFT, Pair, RIGHT};

/// Whose messages are measured.
pub(crate) const PEER: &str = "kith";
/// What a message can't be better than.
pub(crate) const LIMIT: &str = "limit-quic+crypto";
pub(crate) const WAY: &str = "people_way";
pub(crate) const RATE: &str = "people_rate";
pub(crate) const TIMES: &str = "people_times";
pub(crate) const IDLE: &str = "people_idle";
pub(crate) const LOCAL: &str = "people_local";
pub(crate) const FLOOD: &str = "people_flood";
pub(crate) const CRYPTO: &str = "people_crypto";
pub(super) const TESTS: [&str; 7] = [WAY, RATE, TIMES, IDLE, LOCAL, FLOOD, CRYPTO];
pub(crate) const NORMAL: &str = "normal";
pub(crate) const REALTIME: &str = "realtime";
/// What one core encrypts and decrypts.
pub(crate) const LIMIT_RATE: &str = "limit-ratchet";
/// Two local programs, without and with what else there is.
pub(crate) const ALONE: &str = "alone";
pub(crate) const BESIDE: &str = "beside friends";
pub(crate) const JOIN: &str = "join, then deliver";
pub(crate) const LINK: &str = "after the link's end";
pub(crate) const CRASH: &str = "after the other's crash";

const PAYLOAD_BYTES: usize = super::SMALL_BYTES;
const TOPIC: &str = "bench.there";
/// The row whose cryptography a message of a conversation costs, and of a stream.
const TURNING: &str = "ratchet, turning";
const ONE_WAY: &str = "ratchet, in one direction";

/// Whether the daemon is to be measured.
fn daemon(plan: &Plan) -> Option<&dyn Peer> {
    plan.peers_of(Suite::People).find(|peer| peer.name() == PEER)
}

/// Tells how many rows of each test will come, and about how long one takes.
pub(super) fn announce(plan: &Plan, progress: &mut Progress) {
    if daemon(plan).is_none() {
        return;
    }
    let each = [(CRYPTO, 5, 0.5), (WAY, 6, 1.0), (RATE, 2, 2.5), (TIMES, 3, 1.0), (LOCAL, 2, 1.5)];
    for (test, rows, seconds) in each {
        progress.expect(test, rows * plan.repetitions, seconds);
    }
    progress.expect(IDLE, 1, 20.0);
    progress.expect(FLOOD, 2, 4.0);
}

pub(super) fn run(plan: &Plan, log: &mut Log) -> anyhow::Result<()> {
    let Some(peer) = daemon(plan) else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut recorder = Recorder { log, repetition: 0 };
    for repetition in 0..plan.repetitions {
        recorder.repetition = repetition;
        limits(plan, &mut recorder)?;
        runtime.block_on(friends(plan, peer, &mut recorder))?;
    }
    recorder.repetition = 0;
    let idle = runtime.block_on(times::idle(peer, &plan.store_directory));
    recorder.put(IDLE, PEER, None, idle)?;
    for (unit, found) in beside::flood(&runtime, plan, peer) {
        recorder.put(FLOOD, PEER, Some(unit), found)?;
    }
    Ok(())
}

struct Recorder<'log> {
    log: &'log mut Log,
    repetition: usize,
}

impl Recorder<'_> {
    fn put(
        &mut self,
        test: &str,
        peer: &str,
        unit: Option<&str>,
        found: anyhow::Result<Value>,
    ) -> anyhow::Result<()> {
        interrupt::check()?;
        let mut key = json!({"test": test, "peer": peer, "rep": self.repetition});
        if let Some(unit) = unit {
            key["unit"] = unit.into();
        }
        self.log.outcome(key, found)
    }
}

/// What a message can't be better than.
fn limits(plan: &Plan, recorder: &mut Recorder<'_>) -> anyhow::Result<()> {
    let figures = crypto::run()?;
    let us = |unit: &str| {
        let row = figures.iter().find(|(name, _)| *name == unit);
        row.and_then(|(_, found)| found["us"].as_f64()).unwrap_or(0.0)
    };
    let around = us("content") + us("parcel, bare");
    let (turning, one_way) = (us(TURNING) + around, us(ONE_WAY));
    for (unit, found) in figures {
        recorder.put(CRYPTO, PEER, Some(unit), Ok(found))?;
    }
    let bare = reference::one_way();
    let sum = bare.as_ref().ok().and_then(|bare| bare["p50_us"].as_f64()).map(|us| us + turning);
    recorder.put(WAY, "limit-quic", None, bare)?;
    for unit in [NORMAL, REALTIME] {
        recorder.put(WAY, LIMIT, Some(unit), Ok(json!({"p50_us": sum})))?;
    }
    recorder.put(RATE, LIMIT_RATE, None, Ok(json!({"rate": 1e6 / one_way})))?;
    recorder.put(WAY, "limit-sync", None, reference::sync(&plan.store_directory))
}

/// Two new daemons that become friends and talk.
async fn friends(plan: &Plan, peer: &dyn Peer, recorder: &mut Recorder<'_>) -> anyhow::Result<()> {
    let place = &plan.store_directory;
    let left = Device::start(peer, place, LEFT, &["quic"]).await?;
    let mut right = Device::start(peer, place, RIGHT, &["quic"]).await?;
    recorder.put(TIMES, PEER, Some(JOIN), times::join(&left, &right).await)?;
    {
        let pair = Pair { left: &left, right: &right };
        recorder.put(WAY, PEER, Some(NORMAL), pair.one_way(false).await)?;
        recorder.put(WAY, PEER, Some(REALTIME), pair.one_way(true).await)?;
        let time = Duration::from_secs_f64(plan.seconds.max(1.0));
        recorder.put(RATE, PEER, None, pair.rate(time).await)?;
        for (unit, found) in beside::local(&pair, peer, plan) {
            recorder.put(LOCAL, PEER, Some(unit), found)?;
        }
    }
    recorder.put(TIMES, PEER, Some(LINK), times::link(&left, &right).await)?;
    recorder.put(TIMES, PEER, Some(CRASH), times::crash(&left, &mut right).await)
}
