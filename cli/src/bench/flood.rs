//! How many messages come through: one publisher that never pauses, and subscribers that do nothing
//! but count.
//!
//! The publisher runs ahead of the slowest subscriber by a window and no further. Without it a fast
//! publisher would measure how fast messages can be dropped; with it what is measured is what
//! arrives, and a notice of lag means that something is wrong. The clock runs from the first
//! publish to the last message that arrives. After it each subscriber has its daemon answer once
//! more, so that what came behind it is seen too.

use super::account::Tally;
use super::{Account, Site, apart, statistics};
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::{
    BENCH_BATCH_MESSAGES_MAX, BENCH_PATIENCE_MS, BENCH_WINDOW_BYTES_MAX, BENCH_WINDOW_MESSAGES_MAX,
};
use futures_util::FutureExt;
use kith_client::{Client, Incoming, Publish, Subscription};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::timeout;

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Flood {
    pub(crate) subscribers: u16,
    pub(crate) payload_bytes: u32,
    /// Messages, however many subscribers each had.
    pub(crate) published: u64,
    /// Of all subscribers together.
    pub(crate) account: Account,
    /// From the first publish to the last arrival.
    pub(crate) elapsed: Duration,
}

impl Flood {
    /// Deliveries a second.
    pub(crate) fn deliveries_per_second(&self) -> u64 {
        statistics::rate(self.account.received, self.elapsed.as_nanos())
    }

    /// Bytes of payloads that arrived in a second.
    pub(crate) fn bytes_per_second(&self) -> u64 {
        self.deliveries_per_second().saturating_mul(self.payload_bytes.into())
    }
}

/// What publisher and subscribers know of each other.
#[derive(Debug)]
struct Progress {
    /// How many messages each subscriber has heard of, at least.
    heard: Vec<AtomicU64>,
    /// Messages that may be on their way.
    window: u64,
    /// Told whenever a subscriber has come a good part of the window further.
    further: Notify,
}

impl Progress {
    fn new(subscribers: u16, payload_bytes: u32) -> Self {
        let fitting = BENCH_WINDOW_BYTES_MAX / u64::from(payload_bytes).max(1);
        let heard = std::iter::repeat_with(AtomicU64::default).take(subscribers.into());
        Self {
            heard: heard.collect(),
            window: fitting.clamp(2, BENCH_WINDOW_MESSAGES_MAX),
            further: Notify::new(),
        }
    }

    /// After how many messages a subscriber says how far it is: often enough that the publisher
    /// need not wait for one that reads, and seldom enough to cost nothing.
    fn step(&self) -> u64 {
        (self.window / 4).max(1)
    }

    /// Notes how far a subscriber is.
    fn note(&self, place: &AtomicU64, heard: u64) {
        place.store(heard, Ordering::Relaxed);
        self.further.notify_one();
    }

    /// How many more messages may be sent when so many were.
    fn room(&self, sent: u64) -> u64 {
        let slowest = self.heard.iter().map(|heard| heard.load(Ordering::Relaxed)).min();
        self.window.saturating_sub(sent.saturating_sub(slowest.unwrap_or(sent)))
    }
}

/// Floods so many subscribers for this long.
pub(super) async fn measure(
    site: &Site,
    time: Duration,
    subscribers: u16,
    payload_bytes: u32,
) -> Result<Flood, Failure> {
    let topic = site.topic(&format!("flood-{subscribers}-{payload_bytes}"));
    let progress = Arc::new(Progress::new(subscribers, payload_bytes));
    let (ready, is_ready) = oneshot::channel();
    let (sent, sent_in_all) = watch::channel(None);
    let listening = {
        let (site, topic, progress) = (site.clone(), topic.clone(), Arc::clone(&progress));
        let listen = move || listen(site, topic, progress, ready, sent_in_all);
        apart::start("subscribers", listen)?
    };
    let publishing = async {
        // Gone with this, whatever happens, so that the subscribers don't wait for it.
        let sent = sent;
        if is_ready.await.is_err() {
            // Why not is what the subscribers' thread says.
            return Ok(None);
        }
        let site = site.clone();
        let work = move || publish(site, topic, payload_bytes, time, progress);
        let published: Published = apart::start("publisher", work)?.await?;
        let _ = sent.send(Some(published.count));
        Ok(Some(published))
    };
    let (published, heard) = tokio::join!(publishing, listening);
    let (published, heard) = match (published, heard) {
        (Ok(Some(published)), Ok(heard)) => (published, heard),
        (Err(failure), _) | (_, Err(failure)) => return Err(failure),
        (Ok(None), Ok(_)) => return Err(lost_connection()),
    };
    let last = heard.iter().map(|one| one.last).max().unwrap_or(published.began);
    Ok(Flood {
        subscribers,
        payload_bytes,
        published: published.count,
        account: heard.iter().map(|one| one.account).sum(),
        elapsed: last.saturating_duration_since(published.began),
    })
}

struct Published {
    began: Instant,
    count: u64,
}

/// Publishes without a pause, but for those who have yet to read.
async fn publish(
    site: Site,
    topic: String,
    payload_bytes: u32,
    time: Duration,
    progress: Arc<Progress>,
) -> Result<Published, Failure> {
    let client = site.connect().await?;
    let letters = usize::try_from(payload_bytes.saturating_sub(2)).unwrap_or_default();
    let payload = format!("\"{}\"", "x".repeat(letters));
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < time {
        let batch = progress.room(count).min(BENCH_BATCH_MESSAGES_MAX);
        if batch == 0 {
            // Somebody who hears nothing any more must not hold up the end.
            let left = time.saturating_sub(began.elapsed());
            let _ = timeout(left, progress.further.notified()).await;
        }
        for _ in 0..batch {
            client.post(Publish::json(&topic, &payload)).await?;
        }
        count += batch;
    }
    // The answer comes after everything before it.
    client.ping().await?;
    let _ = client.close().await;
    Ok(Published { began, count })
}

struct Heard {
    account: Account,
    /// When the last message came, or when it was clear that none was left to come.
    last: Instant,
}

/// Subscribes so many times, each on a connection of its own, says when that is done, and counts.
async fn listen(
    site: Site,
    topic: String,
    progress: Arc<Progress>,
    ready: oneshot::Sender<()>,
    sent: watch::Receiver<Option<u64>>,
) -> Result<Vec<Heard>, Failure> {
    let mut open = Vec::with_capacity(progress.heard.len());
    for _ in &progress.heard {
        let client = site.connect().await?;
        let subscription = client.subscribe(format!("self.{topic}")).await?;
        open.push((client, subscription));
    }
    let mut counting = Vec::with_capacity(open.len());
    for (place, (client, subscription)) in open.into_iter().enumerate() {
        let (progress, sent) = (Arc::clone(&progress), sent.clone());
        counting.push(tokio::spawn(count(client, subscription, progress, place, sent)));
    }
    let _ = ready.send(());
    let mut heard = Vec::with_capacity(counting.len());
    for one in counting {
        heard.push(one.await.map_err(|_| lost_connection())??);
    }
    Ok(heard)
}

/// Counts until everything that was sent is accounted for, or nothing more comes.
async fn count(
    client: Client,
    mut subscription: Subscription,
    progress: Arc<Progress>,
    place: usize,
    mut sent: watch::Receiver<Option<u64>>,
) -> Result<Heard, Failure> {
    let place = progress.heard.get(place).ok_or_else(lost_connection)?;
    let mut tally = Tally::default();
    let mut noted = 0;
    tally.account.sent = loop {
        tokio::select! {
            biased;
            incoming = subscription.next() => {
                take(&mut tally, incoming.as_ref(), &subscription)?;
            }
            changed = sent.changed() => {
                changed.map_err(|_| lost_connection())?;
                if let Some(in_all) = *sent.borrow_and_update() {
                    break in_all;
                }
            }
        }
        if tally.account.heard() >= noted + progress.step() {
            noted = tally.account.heard();
            progress.note(place, noted);
        }
    };
    let mut last = Instant::now();
    let patience = Duration::from_millis(BENCH_PATIENCE_MS);
    while tally.account.missing() > 0 {
        // What is missing by then is missing.
        let Ok(incoming) = timeout(patience, subscription.next()).await else { break };
        take(&mut tally, incoming.as_ref(), &subscription)?;
        last = Instant::now();
    }
    take_rest(&mut tally, &client, &mut subscription).await?;
    drop(subscription);
    let _ = client.close().await;
    Ok(Heard { account: tally.account, last })
}

/// Counts one thing that came. A gap can't come: a lost connection ends everything here.
pub(super) fn take(
    tally: &mut Tally,
    incoming: Option<&Incoming>,
    subscription: &Subscription,
) -> Result<(), Failure> {
    match incoming {
        Some(Incoming::Message(message)) => tally.arrived(message.id()),
        Some(Incoming::Lag { count }) => tally.missed(*count),
        Some(Incoming::Gap) => {}
        None => return Err(subscription.ended().map_or_else(lost_connection, Failure::from)),
    }
    Ok(())
}

/// Counts what came behind the last message that was waited for: there should be nothing.
pub(super) async fn take_rest(
    tally: &mut Tally,
    client: &Client,
    subscription: &mut Subscription,
) -> Result<(), Failure> {
    let patience = Duration::from_millis(BENCH_PATIENCE_MS);
    // What the daemon wrote before its answer is here when the answer is.
    if let Ok(answer) = timeout(patience, client.ping()).await {
        answer?;
    }
    while let Some(incoming) = subscription.next().now_or_never() {
        take(tally, incoming.as_ref(), subscription)?;
    }
    Ok(())
}

fn lost_connection() -> Failure {
    Failure::new(exit_code::UNAVAILABLE, "the connection to the daemon was lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_runs_ahead_of_the_slowest_and_no_further_than_the_window() {
        for (payload_bytes, window) in [(2, 1 << 15), (128, 1 << 15), (65_536, 128), (16 << 20, 2)]
        {
            let progress = Progress::new(3, payload_bytes);
            assert_eq!(progress.room(0), window, "{payload_bytes}");
            assert_eq!(progress.room(window), 0);
            let places = progress.heard.iter().zip([window, 7, window]);
            places.for_each(|(place, heard)| progress.note(place, heard));
            assert_eq!(progress.room(window), 7.min(window));
            // Who has heard of nearly all, as far as noted, lets it go on.
            assert!(progress.step() < window);
        }
    }
}
