//! `kith-bench-services`: services inside a daemon, for measuring what they cost.
//!
//! `hop BATCH ROUNDS` has two services hand messages of 128 B to each other: one posts a batch, and
//! when the other has all of it, that posts one back. It prints the microseconds of a message's
//! hop: from one service through the broker to the other. `idle COUNT` has so many services wait
//! for messages that don't come, says `ready`, and goes on until its input ends.
//!
//! The daemon is the one that programs embed, so it has one thread, and each service one of its
//! own, as in the daemon.

use anyhow::{Context, bail, ensure};
use kith_busd::{Embedded, key};
use kith_client::{Client, Incoming};
use kith_plugins_api::{Bus, Health, Inbox, Manifest, Publish, Service, ServiceError, async_trait};
use rustix::time::{ClockId, clock_gettime};
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const PAYLOAD_BYTES: usize = 128;
/// Rounds before those that count, as a part of them.
const WARM_UP_PART: usize = 10;
/// How long services may take to start.
const START_MAX: Duration = Duration::from_secs(20);
/// No service is to be held back here.
const FAST: &str = "publishes_per_second_max = 10000000";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["hop", batch, rounds] => hop(batch.parse()?, rounds.parse()?).await,
        ["idle", count] => idle(count.parse()?).await,
        _ => bail!("kith-bench-services hop BATCH ROUNDS | idle COUNT"),
    }
}

async fn hop(batch: usize, rounds: usize) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (sender, times) = channel();
    let text = format!("[services.left]\n{FAST}\n[services.right]\n{FAST}\n");
    let daemon = Embedded::builder(directory.path())
        .state(directory.path())
        .service(move || Left { batch, rounds, times: sender.clone() })
        .service(move || Right { batch })
        .configuration(&text, directory.path())?
        .start()?;
    enable(&daemon, directory.path(), &["right".to_owned(), "left".to_owned()]).await?;
    let took = first(times).await?;
    let hops = (rounds * batch * 2) as f64;
    // And what processor time it took, for who has to know what others took.
    println!("{} {}", took.as_secs_f64() * 1e6 / hops, cpu_seconds());
    Ok(())
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

async fn first(times: Receiver<Duration>) -> anyhow::Result<Duration> {
    let waiting = tokio::task::spawn_blocking(move || times.recv());
    waiting.await?.context("the services have ended")
}

async fn idle(count: usize) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut builder = Embedded::builder(directory.path()).state(directory.path());
    let names: Vec<String> = (0..count).map(|n| format!("idle-{n}")).collect();
    for name in &names {
        let name = name.clone();
        builder = builder.service(move || Idle { name: name.clone() });
    }
    let daemon = builder.start()?;
    enable(&daemon, directory.path(), &names).await?;
    println!("ready");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    Ok(())
}

/// Has services run, and waits until they do.
async fn enable(daemon: &Embedded, state: &Path, names: &[String]) -> anyhow::Result<()> {
    let builder = Client::builder().path(daemon.socket()).token(key::read(state)?);
    let client = builder.connect().await?;
    let mut health = client.subscribe("self.services.health").await?;
    for name in names {
        client.request("services.enable", format!("{{\"name\":\"{name}\"}}")).await?;
        let next = tokio::time::timeout(START_MAX, health.next()).await?;
        ensure!(matches!(next, Some(Incoming::Message(_))), "`{name}` has not come");
    }
    client.close().await?;
    Ok(())
}

/// Posts first, and takes the time.
struct Left {
    batch: usize,
    rounds: usize,
    times: Sender<Duration>,
}

/// Posts back.
struct Right {
    batch: usize,
}

/// Waits for what does not come.
struct Idle {
    name: String,
}

#[async_trait]
impl Service for Left {
    fn manifest(&self) -> Manifest {
        Manifest::new("left", "1").publishes("bench.left").subscribes("raw/self.bench.right")
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let mut back = bus.subscribe("raw/self.bench.right").await?;
        bus.report(Health::ok()).await?;
        let payload = vec![b'x'; PAYLOAD_BYTES];
        for _ in 0..self.rounds / WARM_UP_PART {
            round(&bus, "bench.left", &payload, &mut back, self.batch).await?;
        }
        let began = Instant::now();
        for _ in 0..self.rounds {
            round(&bus, "bench.left", &payload, &mut back, self.batch).await?;
        }
        let _ = self.times.send(began.elapsed());
        bus.closed().await;
        Ok(())
    }
}

/// Posts a batch, and waits for one.
async fn round(
    bus: &Bus,
    topic: &str,
    payload: &[u8],
    back: &mut Inbox,
    batch: usize,
) -> Result<(), ServiceError> {
    for _ in 0..batch {
        bus.post_message(Publish::bytes(topic, "raw", payload)).await?;
    }
    take(back, batch).await
}

async fn take(inbox: &mut Inbox, batch: usize) -> Result<(), ServiceError> {
    for _ in 0..batch {
        if inbox.next().await.is_none() {
            return Err(ServiceError::restart("the bus has ended"));
        }
    }
    Ok(())
}

#[async_trait]
impl Service for Right {
    fn manifest(&self) -> Manifest {
        Manifest::new("right", "1").publishes("bench.right").subscribes("raw/self.bench.left")
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let mut heard = bus.subscribe("raw/self.bench.left").await?;
        bus.report(Health::ok()).await?;
        let payload = vec![b'x'; PAYLOAD_BYTES];
        while take(&mut heard, self.batch).await.is_ok() {
            for _ in 0..self.batch {
                bus.post_message(Publish::bytes("bench.right", "raw", &payload)).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Service for Idle {
    fn manifest(&self) -> Manifest {
        Manifest::new(&self.name, "1").subscribes(format!("self.bench.{}", self.name))
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let mut heard = bus.subscribe(&format!("self.bench.{}", self.name)).await?;
        bus.report(Health::ok()).await?;
        while heard.next().await.is_some() {}
        Ok(())
    }
}
