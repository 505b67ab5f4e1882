//! How long it takes until friends hear from each other, and what they do while nobody speaks.

use super::device::{Device, befriend, message};
use super::talk::{LEFT, RIGHT};
use super::{PAYLOAD_BYTES, TOPIC};
use crate::peer::Peer;
use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Links, beacons and what a new friend causes have come to rest by then.
const SETTLE: Duration = Duration::from_secs(8);
const WATCHED: Duration = Duration::from_secs(10);
/// A message that has not arrived by then is not waited for: a link that is dead ends before.
const DELIVERED_MAX: Duration = Duration::from_secs(60);

/// A message that is answered once it is on the other's disk.
async fn deliver(from: &Device<'_>, to: &str) -> anyhow::Result<()> {
    let payload = vec![b'a'; PAYLOAD_BYTES];
    let sender = from.program().await?;
    let delivering = sender.send(message(to, TOPIC, &payload).until_delivered());
    timeout(DELIVERED_MAX, delivering).await.context("it was not delivered in time")??;
    Ok(())
}

fn ms(began: Instant) -> Value {
    json!({"ms": began.elapsed().as_secs_f64() * 1e3})
}

/// From an invite's use until a first message has arrived.
pub(super) async fn join(left: &Device<'_>, right: &Device<'_>) -> anyhow::Result<Value> {
    let began = Instant::now();
    befriend(left, right).await?;
    let joined = began.elapsed();
    deliver(right, LEFT).await?;
    let mut found = ms(began);
    found["joined_ms"] = json!(joined.as_secs_f64() * 1e3);
    Ok(found)
}

/// From the end of the link, whose service begins anew, until a message has arrived over the next.
pub(super) async fn link(left: &Device<'_>, right: &Device<'_>) -> anyhow::Result<Value> {
    let began = Instant::now();
    right.ask("services.restart", json!({"name": "quic"})).await?;
    deliver(left, RIGHT).await?;
    Ok(ms(began))
}

/// From the other daemon's answering again after a crash until a message has arrived that was
/// published by then.
pub(super) async fn crash(left: &Device<'_>, right: &mut Device<'_>) -> anyhow::Result<Value> {
    right.crash().await?;
    let began = Instant::now();
    deliver(left, RIGHT).await?;
    Ok(ms(began))
}

/// Memory and wakeups of a daemon with a friend to whom it is connected.
pub(super) async fn idle(peer: &dyn Peer, place: &Path) -> anyhow::Result<Value> {
    let services = ["quic", "mdns"];
    let left = Device::start(peer, place, LEFT, &services).await?;
    let right = Device::start(peer, place, RIGHT, &services).await?;
    befriend(&left, &right).await?;
    deliver(&left, RIGHT).await?;
    tokio::time::sleep(SETTLE).await;
    let (before, cpu) = (left.running.wakeups(), left.running.cpu_seconds());
    tokio::time::sleep(WATCHED).await;
    let seconds = WATCHED.as_secs_f64();
    Ok(json!({
        "wakeups_per_s": (left.running.wakeups() - before) as f64 / seconds,
        "cpu_ms_per_s": (left.running.cpu_seconds() - cpu) * 1e3 / seconds,
        "mib": left.running.resident_kib() as f64 / 1024.0,
        "anon_mib": left.running.anonymous_kib() as f64 / 1024.0,
    }))
}
