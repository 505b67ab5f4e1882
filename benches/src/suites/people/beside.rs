//! What programs on the bus notice: while the daemon talks with a friend as fast as it can, and
//! while a stranger sends to it as fast as that one can.

use super::device::{Device, message};
use super::talk::{Pair, RIGHT, stream};
use super::{ALONE, BESIDE, PAYLOAD_BYTES, TOPIC};
use crate::load::Load;
use crate::peer::Peer;
use crate::process::Running;
use crate::raw::round_trips;
use crate::suites::Plan;
use crate::suites::latency::fields;
use crate::suites::turns::one_load;
use anyhow::{Context, anyhow};
use kith_client::Client;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 5_000;
/// Until a stream runs at its full rate.
const SETTLE: Duration = Duration::from_millis(300);
/// How long the stranger goes on.
const FLOOD: Duration = Duration::from_secs(5);
const STRANGER: &str = "stranger";

pub(super) type Found = Vec<(&'static str, anyhow::Result<Value>)>;

/// Two local programs alone, and while the friends talk.
pub(super) fn local(pair: &Pair<'_, '_>, peer: &dyn Peer, plan: &Plan) -> Found {
    let alone = programs(peer, &pair.left.running, plan);
    let beside = (|| {
        let path = pair.left.running.endpoint.unix_path()?.to_path_buf();
        let talking = Beside::start(move |is_over| async move {
            let sender = Client::builder().path(path).connect().await?;
            stream(sender, Arc::default(), is_over, None).await
        });
        sleep(SETTLE);
        let found = programs(peer, &pair.left.running, plan);
        talking.end()?;
        found
    })();
    vec![(ALONE, alone), (BESIDE, beside)]
}

/// A pair of programs of this bus: round trips, and a stream.
fn programs(peer: &dyn Peer, running: &Running, plan: &Plan) -> anyhow::Result<Value> {
    let times = round_trips(&peer.codec(), &running.endpoint, PAYLOAD_BYTES, ROUNDS, true)?;
    let load = Load { fan: 1, seconds: plan.seconds, batch: u64::MAX };
    let result = one_load(peer, running, load, PAYLOAD_BYTES)?;
    let mut found = fields(times, 0.0);
    found["rate"] = json!(result.deliveries as f64 / result.seconds);
    found["lost"] = json!(result.lost);
    Ok(found)
}

/// Work in a thread of its own that goes on until it is told to end.
struct Beside {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Beside {
    fn start<W, F>(work: W) -> Self
    where
        W: FnOnce(Arc<AtomicBool>) -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>>,
    {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = is_over.clone();
        let thread =
            spawn(move || Builder::new_current_thread().enable_all().build()?.block_on(work(told)));
        Self { is_over, thread }
    }

    fn end(self) -> anyhow::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("it panicked"))?
    }
}

/// A daemon before and while a stranger sends it messages that nobody waits for.
pub(super) fn flood(runtime: &Runtime, plan: &Plan, peer: &dyn Peer) -> Found {
    match try_flood(runtime, plan, peer) {
        Ok((before, beside)) => vec![("before", Ok(before)), ("beside a stranger", Ok(beside))],
        Err(error) => vec![("beside a stranger", Err(error))],
    }
}

fn try_flood(runtime: &Runtime, plan: &Plan, peer: &dyn Peer) -> anyhow::Result<(Value, Value)> {
    let place = &plan.store_directory;
    let (victim, stranger) = runtime.block_on(strangers(peer, place))?;
    let watched = |seconds: f64, cpu: f64| {
        let mib = victim.running.resident_kib() as f64 / 1024.0;
        let cores = (victim.running.cpu_seconds() - cpu) / seconds;
        json!({"mib": mib, "cores": cores})
    };
    let (began, cpu) = (Instant::now(), victim.running.cpu_seconds());
    let mut before = programs(peer, &victim.running, plan)?;
    merge(&mut before, watched(began.elapsed().as_secs_f64(), cpu));
    let path: PathBuf = stranger.running.endpoint.unix_path()?.to_path_buf();
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    let flooding = Beside::start(move |is_over| async move {
        let client = Client::builder().path(path).connect().await?;
        let payload = vec![b'x'; PAYLOAD_BYTES];
        while !is_over.load(Ordering::Relaxed) {
            client.send(message(RIGHT, TOPIC, &payload).realtime()).await.ok();
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    let (began, cpu) = (Instant::now(), victim.running.cpu_seconds());
    let mut beside = programs(peer, &victim.running, plan)?;
    sleep(FLOOD.saturating_sub(began.elapsed()));
    let seconds = began.elapsed().as_secs_f64();
    merge(&mut beside, watched(seconds, cpu));
    flooding.end()?;
    let status = runtime.block_on(victim.ask("people.status", Value::Null))?;
    let refused = status["refused"].as_object().context("what it refused")?;
    let refused: u64 = refused.values().filter_map(Value::as_u64).sum();
    beside["sent_per_s"] = json!(sent.load(Ordering::Relaxed) as f64 / seconds);
    beside["refused_per_s"] = json!(refused as f64 / seconds);
    Ok((before, beside))
}

fn merge(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}

/// One who knows another's name and address, and whom that one does not know.
async fn strangers<'plan>(
    peer: &'plan dyn Peer,
    place: &'plan std::path::Path,
) -> anyhow::Result<(Device<'plan>, Device<'plan>)> {
    let victim = Device::start(peer, place, "victim", &["quic"]).await?;
    let stranger = Device::start(peer, place, STRANGER, &["quic"]).await?;
    let me = victim.ask("people.me", Value::Null).await?;
    let add = json!({"person": me["identity"], "petname": RIGHT, "at": me["endpoints"]});
    stranger.ask("people.add", add).await?;
    let is_linked = |status: &Value| status["links"].as_array().is_some_and(|all| !all.is_empty());
    stranger.wait("people.status", is_linked).await?;
    Ok((victim, stranger))
}
