//! How long one message takes: to its subscriber, and as a request to its reply.
//!
//! One at a time, so nothing waits for anything but the way itself. For a delivery the publisher
//! and the subscriber have connections of their own on one thread; a request is answered by a
//! thread of its own, as by another program. The first rounds, in which memory and caches warm up,
//! don't count.

use super::account::Tally;
use super::flood::{take, take_rest};
use super::{Account, RoundTrips, Site, Summary, apart};
use crate::failure::Failure;
use crate::limits::{BENCH_PATIENCE_MS, BENCH_SAMPLES_MAX};
use kith_client::{Incoming, Publish, Request, RequestError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Rounds before those whose time counts.
const WARM_UP_ROUNDS: u64 = 20;

/// From a publish to its delivery.
pub(super) async fn deliveries(site: &Site, time: Duration) -> Result<RoundTrips, Failure> {
    let topic = site.topic("delivery");
    let subscriber = site.connect().await?;
    let mut subscription = subscriber.subscribe(format!("self.{topic}")).await?;
    let publisher = site.connect().await?;
    let mut times = Times::start(time);
    let mut tally = Tally::default();
    while times.go_on() {
        let began = Instant::now();
        publisher.post(Publish::json(&topic, "null")).await?;
        tally.account.sent += 1;
        let heard = timeout(patience(), async {
            while tally.account.missing() > 0 {
                let incoming = subscription.next().await;
                take(&mut tally, incoming.as_ref(), &subscription)?;
            }
            Ok::<_, Failure>(())
        });
        match heard.await {
            Ok(heard) => heard?,
            // Whatever comes later would be taken for the next one.
            Err(_) => break,
        }
        times.add(tally.account.sent, began.elapsed());
    }
    take_rest(&mut tally, &subscriber, &mut subscription).await?;
    drop(subscription);
    let _ = publisher.close().await;
    let _ = subscriber.close().await;
    Ok(RoundTrips { times: times.summary(), account: tally.account })
}

/// From a request to its reply.
pub(super) async fn requests(site: &Site, time: Duration) -> Result<RoundTrips, Failure> {
    let topic = site.topic("request");
    let (ready, is_ready) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let answering = {
        let (site, topic) = (site.clone(), topic.clone());
        apart::start("responder", move || answer(site, topic, ready, ended))?
    };
    let asking = async {
        let _end = end;
        if is_ready.await.is_err() {
            // Why not is what the responder's thread says.
            return Ok(None);
        }
        ask(site, &topic, time).await.map(Some)
    };
    let (asked, answered) = tokio::join!(asking, answering);
    answered?;
    let asked = asked?.unwrap_or_else(|| (Times::start(Duration::ZERO), Account::default()));
    let (times, account) = asked;
    Ok(RoundTrips { times: times.summary(), account })
}

async fn ask(site: &Site, topic: &str, time: Duration) -> Result<(Times, Account), Failure> {
    let client = site.connect().await?;
    let mut times = Times::start(time);
    let mut account = Account::default();
    while times.go_on() {
        let began = Instant::now();
        account.sent += 1;
        match client.request_with(Request::json(topic, "null").timeout(patience())).await {
            Ok(_) => account.received += 1,
            // That no reply came is told, but nobody knows which of the two is missing.
            Err(RequestError::Timeout) => break,
            Err(error) => return Err(error.into()),
        }
        times.add(account.sent, began.elapsed());
    }
    let _ = client.close().await;
    Ok((times, account))
}

/// Answers every request, until the other end of `ended` is gone.
async fn answer(
    site: Site,
    topic: String,
    ready: oneshot::Sender<()>,
    mut ended: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let client = site.connect().await?;
    let mut questions = client.subscribe(format!("self.{topic}")).await?;
    let _ = ready.send(());
    loop {
        tokio::select! {
            biased;
            incoming = questions.next() => match incoming {
                Some(Incoming::Message(question)) => {
                    client.reply(&question, "null").await?;
                }
                Some(_) => {}
                None => break,
            },
            _ = &mut ended => break,
        }
    }
    drop(questions);
    let _ = client.close().await;
    Ok(())
}

/// How long anything may take before it counts as missing.
fn patience() -> Duration {
    Duration::from_millis(BENCH_PATIENCE_MS)
}

/// Times that are being measured.
struct Times {
    began: Instant,
    time: Duration,
    all_ns: Vec<u64>,
}

impl Times {
    fn start(time: Duration) -> Self {
        Self { began: Instant::now(), time, all_ns: Vec::new() }
    }

    /// Whether there is time for one more, or there was none yet.
    fn go_on(&self) -> bool {
        let is_time = self.began.elapsed() < self.time || self.all_ns.is_empty();
        is_time && self.all_ns.len() < BENCH_SAMPLES_MAX
    }

    /// Notes the time of the `nth` round.
    fn add(&mut self, nth: u64, elapsed: Duration) {
        if nth > WARM_UP_ROUNDS {
            self.all_ns.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn summary(self) -> Summary {
        Summary::of(self.all_ns)
    }
}
