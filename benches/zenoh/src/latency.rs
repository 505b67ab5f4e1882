//! Round trips without load, of two sessions: one pass through the router, or two by an echo.
//! Messages are marked express, which is zenoh's way to send at once.

use crate::open;
use crate::received::Received;
use anyhow::bail;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zenoh::bytes::ZBytes;
use zenoh::pubsub::Publisher;
use zenoh::qos::CongestionControl;
use zenoh::{Session, Wait};

const PING: &str = "bench/ping";
const PONG: &str = "bench/pong";
/// Until the router has passed on all subscriptions; nothing tells a publisher.
const SETTLE: Duration = Duration::from_millis(300);
/// A message that takes longer is lost.
const QUIET: Duration = Duration::from_secs(3);
/// How long a whole run may take.
const RUN_MAX: Duration = Duration::from_secs(10);
/// Round trips before those that count.
const WARM_UP_ROUNDS: u64 = 500;

pub(crate) fn transit(locator: &str, payload_bytes: usize, rounds: u64) -> anyhow::Result<String> {
    let (near, far) = (open(locator)?, open(locator)?);
    measure(&near, &far, PING, payload_bytes, rounds)
}

pub(crate) fn ping_pong(
    locator: &str,
    payload_bytes: usize,
    rounds: u64,
) -> anyhow::Result<String> {
    let (near, far) = (open(locator)?, open(locator)?);
    let payload: ZBytes = vec![b'x'; payload_bytes].into();
    let pong = publisher(&far, PONG)?;
    let _echo = far
        .declare_subscriber(PING)
        .callback(move |_| {
            // A pong that is not sent is missed by the other side, which says so.
            let _missed = pong.put(payload.clone()).wait();
        })
        .wait()
        .map_err(anyhow::Error::msg)?;
    measure(&near, &near, PONG, payload_bytes, rounds)
}

fn publisher(session: &Session, topic: &'static str) -> anyhow::Result<Publisher<'static>> {
    session
        .declare_publisher(topic)
        .congestion_control(CongestionControl::Block)
        .express(true)
        .wait()
        .map_err(anyhow::Error::msg)
}

/// Publishes pings from `near`, one at a time, and awaits each on `back` at `far`.
fn measure(
    near: &Session,
    far: &Session,
    back: &'static str,
    payload_bytes: usize,
    rounds: u64,
) -> anyhow::Result<String> {
    let received = Arc::new(Received::awaited_here());
    let counted = received.clone();
    let _subscriber = far
        .declare_subscriber(back)
        .callback(move |_| counted.add_one())
        .wait()
        .map_err(anyhow::Error::msg)?;
    let ping = publisher(near, PING)?;
    let payload: ZBytes = vec![b'x'; payload_bytes].into();
    std::thread::sleep(SETTLE);
    let mut answer = "times".to_string();
    let end = Instant::now() + RUN_MAX;
    for round in 0..rounds + WARM_UP_ROUNDS {
        let began = Instant::now();
        ping.put(payload.clone()).wait().map_err(anyhow::Error::msg)?;
        if !received.wait_for(round + 1, QUIET) {
            bail!("round {round}: nothing came back");
        }
        if round >= WARM_UP_ROUNDS {
            answer.push_str(&format!(" {}", began.elapsed().as_nanos()));
        }
        if began > end {
            bail!("the latency run took too long");
        }
    }
    Ok(answer)
}
