//! Two friends who talk: one message at a time, or as many as go.

use super::device::{Device, message};
use super::{PAYLOAD_BYTES, TOPIC};
use crate::machine::own_cpu_seconds;
use crate::suites::Foreign;
use crate::suites::latency::fields;
use anyhow::{Context, bail, ensure};
use kith_client::{Client, Incoming, Subscription};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

const ROUNDS: usize = 1_000;
const WARM_UP_ROUNDS: usize = 100;
/// How long the rounds may take, which wait for the disk twice each.
const ROUNDS_MAX: Duration = Duration::from_secs(8);
/// Messages that wait for their acknowledgement at the same time.
const IN_FLIGHT: u64 = 512;
/// Without a message for so long, what is missing is lost.
const QUIET: Duration = Duration::from_secs(3);
const BACK: &str = "bench.back";

/// Who talks with whom, by the names that they have for each other.
pub(super) struct Pair<'devices, 'plan> {
    pub(super) left: &'devices Device<'plan>,
    pub(super) right: &'devices Device<'plan>,
}

/// As `befriend` has them call each other.
pub(super) const LEFT: &str = "left";
pub(super) const RIGHT: &str = "right";

impl Pair<'_, '_> {
    fn cpu_seconds(&self) -> f64 {
        self.left.running.cpu_seconds() + self.right.running.cpu_seconds()
    }

    /// Half a round trip between two programs.
    pub(super) async fn one_way(&self, is_realtime: bool) -> anyhow::Result<Value> {
        let ours = || self.cpu_seconds() + own_cpu_seconds();
        let (answering, mut heard) = self.right.listener(TOPIC).await?;
        let (asking, mut back) = self.left.listener(BACK).await?;
        let mut payload = vec![b'a'; PAYLOAD_BYTES];
        let echo = tokio::spawn(async move {
            while let Some(Incoming::Message(heard)) = heard.next().await {
                let answer = message(LEFT, BACK, heard.payload());
                answering.post(if is_realtime { answer.realtime() } else { answer }).await?;
            }
            anyhow::Ok(())
        });
        // Ends with this, whatever comes.
        let _echo = AbortOnDrop(echo);
        let (began, mut times) = (Instant::now(), Vec::new());
        let watched = Foreign::watch(ours());
        while times.len() < WARM_UP_ROUNDS + ROUNDS && began.elapsed() < ROUNDS_MAX {
            let sent = Instant::now();
            payload[..8].copy_from_slice(&(times.len() as u64).to_be_bytes());
            let question = message(RIGHT, TOPIC, &payload);
            asking.post(if is_realtime { question.realtime() } else { question }).await?;
            let came = timeout(QUIET, back.next()).await.context("no answer came")?;
            let Some(Incoming::Message(came)) = came else { bail!("it was lost") };
            // An earlier answer that came twice would flatter.
            ensure!(came.payload() == payload, "it is another one");
            times.push(sent.elapsed().as_nanos() as u64 / 2);
        }
        let counted = times.split_off(WARM_UP_ROUNDS.min(times.len() / 2));
        Ok(fields(counted, watched.cores(ours())))
    }

    /// As many as go for a while, until all are acknowledged.
    pub(super) async fn rate(&self, time: Duration) -> anyhow::Result<Value> {
        let ours = || self.cpu_seconds() + own_cpu_seconds();
        let (_listening, heard) = self.right.listener(TOPIC).await?;
        let sender = self.left.program().await?;
        let (sent, is_over) = (Arc::new(AtomicU64::new(0)), AtomicBool::new(false));
        let counting = tokio::spawn(count(heard));
        let left = self.left.running.cpu_seconds();
        let right = self.right.running.cpu_seconds();
        let watched = Foreign::watch(ours());
        let began = Instant::now();
        let sending = stream(sender, sent.clone(), Arc::new(is_over), Some(time));
        sending.await?;
        let seconds = began.elapsed().as_secs_f64();
        let foreign = watched.cores(ours());
        let (came, twice) = counting.await?;
        let sent = sent.load(Ordering::Relaxed);
        let each = |before: f64, now: f64| (now - before) * 1e6 / sent as f64;
        Ok(json!({
            "rate": sent as f64 / seconds,
            "sent": sent,
            // Both are wrong.
            "lost": sent - came + twice,
            "twice": twice,
            "sender_us_per_msg": each(left, self.left.running.cpu_seconds()),
            "receiver_us_per_msg": each(right, self.right.running.cpu_seconds()),
            "foreign": foreign,
        }))
    }
}

struct AbortOnDrop(JoinHandle<anyhow::Result<()>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Publishes numbered messages to the right one until the time is over or it is told to stop, and
/// waits until all are acknowledged.
pub(super) async fn stream(
    sender: Client,
    sent: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    time: Option<Duration>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (sender, sent, is_over) = (sender.clone(), sent.clone(), is_over.clone());
        tasks.spawn(async move {
            let mut payload = vec![0; PAYLOAD_BYTES];
            let is_time = || time.is_none_or(|time| began.elapsed() < time);
            while is_time() && !is_over.load(Ordering::Relaxed) {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                payload[..8].copy_from_slice(&number.to_be_bytes());
                sender.send(message(RIGHT, TOPIC, &payload).until_delivered()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// How many different messages came, and how many came twice. Ends when nothing comes any more.
async fn count(mut heard: Subscription) -> (u64, u64) {
    let (mut known, mut came, mut twice) = (Vec::new(), 0, 0);
    while let Ok(Some(next)) = timeout(QUIET, heard.next()).await {
        let Incoming::Message(message) = next else { continue };
        let Some(number) = message.payload().first_chunk::<8>() else { continue };
        let number = u64::from_be_bytes(*number) as usize;
        if known.len() <= number {
            known.resize(number + 1, false);
        }
        if std::mem::replace(&mut known[number], true) {
            twice += 1;
        } else {
            came += 1;
        }
    }
    (came, twice)
}
