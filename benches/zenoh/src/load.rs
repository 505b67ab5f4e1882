//! A load run: as the harness does it for the other peers, a warm-up that finds the window, then
//! a publisher that keeps that many messages in flight, until the last delivery.

use crate::received::Received;
use crate::{open, say};
use anyhow::bail;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zenoh::Wait;
use zenoh::bytes::ZBytes;
use zenoh::pubsub::Publisher;
use zenoh::qos::CongestionControl;

const TOPIC: &str = "bench/t0";
/// Without a delivery for so long, what is missing is lost.
const QUIET: Duration = Duration::from_secs(3);
/// Until the router has passed on all subscriptions; nothing tells a publisher.
const SETTLE: Duration = Duration::from_millis(300);
const WARM_UP_MIN: Duration = Duration::from_millis(150);
const WARM_UP_STEP_MIN: Duration = Duration::from_millis(40);
/// How long the messages of a full window take.
const WINDOW_SECONDS: f64 = 0.2;
/// Messages between two looks at the clock.
const BATCH: u64 = 256;

pub(crate) struct Load {
    pub(crate) subscribers: u64,
    pub(crate) payload_bytes: usize,
    pub(crate) seconds: f64,
    pub(crate) window_max: u64,
}

struct Source<'session> {
    publisher: Publisher<'session>,
    payload: ZBytes,
    received: Arc<Received>,
    /// Deliveries due per message.
    fan: u64,
}

impl Load {
    pub(crate) fn run(&self, locator: &str) -> anyhow::Result<String> {
        let received = Arc::new(Received::awaited_here());
        let mut subscribers = vec![];
        for _ in 0..self.subscribers {
            let session = open(locator)?;
            let received = received.clone();
            let subscriber = session
                .declare_subscriber(TOPIC)
                .callback(move |_| received.add_one())
                .wait()
                .map_err(anyhow::Error::msg)?;
            subscribers.push((session, subscriber));
        }
        let session = open(locator)?;
        let publisher = session
            .declare_publisher(TOPIC)
            .congestion_control(CongestionControl::Block)
            .wait()
            .map_err(anyhow::Error::msg)?;
        std::thread::sleep(SETTLE);
        let payload = vec![b'x'; self.payload_bytes].into();
        let source = Source { publisher, payload, received, fan: self.subscribers };
        let per_second = source.warm_up(self.window_max)?;
        let window = ((per_second * WINDOW_SECONDS) as u64).clamp(4, self.window_max.max(4));
        say(&format!("measuring {window}"))?;
        source.measure(window, self.seconds)
    }
}

impl Source<'_> {
    fn send(&self, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            self.publisher.put(self.payload.clone()).wait().map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// Messages per second, in steps that double until one is long enough.
    fn warm_up(&self, most: u64) -> anyhow::Result<f64> {
        let (mut step, mut due) = (8.min(most), self.received.count());
        let began = Instant::now();
        loop {
            let step_began = Instant::now();
            self.send(step)?;
            due += step * self.fan;
            if !self.received.wait_for(due, QUIET) {
                bail!("warm-up lost {} messages", due - self.received.count());
            }
            let took = step_began.elapsed();
            let long_enough = took > WARM_UP_STEP_MIN;
            if (long_enough || step >= most) && began.elapsed() > WARM_UP_MIN {
                return Ok(step as f64 / took.as_secs_f64());
            }
            if !long_enough {
                step = (step * 2).min(most);
            }
        }
    }

    fn measure(&self, window: u64, seconds: f64) -> anyhow::Result<String> {
        let base = self.received.count();
        let began = Instant::now();
        let end = began + Duration::from_secs_f64(seconds);
        let mut sent = 0;
        while Instant::now() < end {
            let done = (self.received.count() - base) / self.fan;
            let room = (window + done).saturating_sub(sent);
            if room == 0 {
                if !self.received.wait_for(base + (sent - window / 2) * self.fan, QUIET) {
                    break;
                }
                continue;
            }
            let count = room.min(BATCH);
            self.send(count)?;
            sent += count;
        }
        let complete = self.received.wait_for(base + sent * self.fan, QUIET);
        let quiet = if complete { 0.0 } else { QUIET.as_secs_f64() };
        let took = began.elapsed().as_secs_f64() - quiet;
        Ok(format!("done {sent} {} {took}", self.received.count() - base))
    }
}
