//! One load run: bounded in time, windowed, and able to tell that something was lost.
//!
//! The publisher keeps about 0.2 s of messages in flight (at most 4 MiB a subscriber, 64 MiB in
//! all, 262,144 messages), so that no broker drops or queues without bound. The bytes are those on
//! the wire, as published or as delivered, whichever is more: a JSON line with 16 bytes of payload
//! is ten times as large, and it is frames that fill a queue. How many messages that makes, a
//! warm-up finds by doubling. A run ends with the last delivery, not with the last write; a broker
//! that only queues fast gains nothing. Lost is what has not come after 3 s without progress.

use crate::deliveries::Deliveries;
use crate::machine::{busy_seconds, own_cpu_seconds};
use crate::process::Running;
use crate::raw::Publisher;
use anyhow::bail;
use std::time::{Duration, Instant};

/// Without a delivery for so long, what is missing is lost.
const QUIET: Duration = Duration::from_secs(3);
const WARM_UP_MIN: Duration = Duration::from_millis(150);
/// How long the messages of a warm-up step must take for their rate to mean something.
const WARM_UP_STEP_MIN: Duration = Duration::from_millis(40);
/// How long the messages of a full window take.
const WINDOW_SECONDS: f64 = 0.2;
const WINDOW_MESSAGES_MIN: u64 = 4;
/// Half of what a Kith connection's queue holds.
const WINDOW_MESSAGES_MAX: u64 = 262_144;
const WINDOW_BYTES_MAX: u64 = 64 << 20;
const WINDOW_BYTES_MAX_PER_SUBSCRIBER: u64 = 4 << 20;

/// What one run should do.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Deliveries due per message.
    pub(crate) fan: u64,
    pub(crate) seconds: f64,
    /// The most messages in one write.
    pub(crate) batch: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct LoadResult {
    pub(crate) sent: u64,
    pub(crate) deliveries: u64,
    pub(crate) lost: u64,
    pub(crate) seconds: f64,
    pub(crate) broker_cpu_seconds: f64,
    /// The kernel's part of it.
    pub(crate) broker_system_seconds: f64,
    pub(crate) client_cpu_seconds: f64,
    /// Cores used by neither broker nor client meanwhile.
    pub(crate) foreign_cores: f64,
    pub(crate) window: u64,
    /// Of one message.
    pub(crate) wire_bytes: u64,
    pub(crate) note: Option<String>,
}

impl Load {
    /// The most messages in flight that are so large on the wire.
    pub(crate) fn window_max(&self, wire_bytes: u64) -> u64 {
        let share = WINDOW_BYTES_MAX / self.fan.max(1);
        let bytes = share.min(WINDOW_BYTES_MAX_PER_SUBSCRIBER);
        (bytes / wire_bytes.max(1)).clamp(WINDOW_MESSAGES_MIN, WINDOW_MESSAGES_MAX)
    }

    /// Warms up, publishes for a while, then waits for the rest.
    pub(crate) fn run(
        self,
        publisher: &mut Publisher,
        deliveries: &Deliveries,
        broker: &Running,
    ) -> anyhow::Result<LoadResult> {
        let per_second = self.warm_up(publisher, deliveries)?;
        let window = (per_second * WINDOW_SECONDS) as u64;
        let wire_bytes = publisher.frame_bytes().max(deliveries.bytes_per_message());
        let window = window.clamp(WINDOW_MESSAGES_MIN, self.window_max(wire_bytes));
        self.measure(publisher, deliveries, broker, window)
    }

    /// Messages per second, in steps that double until one is long enough.
    fn warm_up(&self, publisher: &mut Publisher, deliveries: &Deliveries) -> anyhow::Result<f64> {
        let base = deliveries.received();
        let mut step = WINDOW_MESSAGES_MIN;
        let mut sent = 0;
        let began = Instant::now();
        loop {
            let wire_bytes = publisher.frame_bytes().max(deliveries.bytes_per_message());
            let most = self.window_max(wire_bytes);
            let step_began = Instant::now();
            let mut left = step;
            while left > 0 {
                let count = publisher.send(left.min(self.batch))?;
                left -= count;
                sent += count;
            }
            if !deliveries.wait_for(base + sent * self.fan, QUIET) {
                let due = sent * self.fan;
                let lost = due - (deliveries.received() - base);
                bail!("warm-up lost {lost} of {due} ({:?})", deliveries.first_note());
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

    fn measure(
        &self,
        publisher: &mut Publisher,
        deliveries: &Deliveries,
        broker: &Running,
        window: u64,
    ) -> anyhow::Result<LoadResult> {
        let base = deliveries.received();
        let (busy_before, observed_from) = (busy_seconds(), Instant::now());
        let (broker_before, own_before) = (broker.cpu(), own_cpu_seconds());
        let began = Instant::now();
        let end = began + Duration::from_secs_f64(self.seconds);
        let mut sent = 0;
        while Instant::now() < end {
            let done = (deliveries.received() - base) / self.fan;
            let room = (window + done).saturating_sub(sent);
            if room == 0 {
                if !deliveries.wait_for(base + (sent - window / 2) * self.fan, QUIET) {
                    break;
                }
                continue;
            }
            sent += publisher.send(room.min(self.batch))?;
        }
        let complete = deliveries.wait_for(base + sent * self.fan, QUIET);
        let quiet = if complete { 0.0 } else { QUIET.as_secs_f64() };
        let seconds = began.elapsed().as_secs_f64() - quiet;
        let (broker_after, own_after) = (broker.cpu(), own_cpu_seconds());
        let system = broker_after.system - broker_before.system;
        let broker_cpu = broker_after.user - broker_before.user + system;
        let client_cpu = own_after - own_before;
        let foreign = busy_seconds() - busy_before - broker_cpu - client_cpu;
        let received = deliveries.received() - base;
        Ok(LoadResult {
            sent,
            deliveries: received,
            lost: (sent * self.fan).saturating_sub(received),
            seconds,
            broker_cpu_seconds: broker_cpu,
            broker_system_seconds: system,
            client_cpu_seconds: client_cpu,
            foreign_cores: foreign / observed_from.elapsed().as_secs_f64(),
            window,
            wire_bytes: publisher.frame_bytes().max(deliveries.bytes_per_message()),
            note: deliveries.first_note(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window_max(fan: u64, wire_bytes: u64) -> u64 {
        Load { fan, seconds: 1.0, batch: 1 }.window_max(wire_bytes)
    }

    #[test]
    fn the_window_is_bounded_by_bytes_and_messages() {
        assert_eq!(window_max(1, 16), 262_144);
        assert_eq!(window_max(1, 128), 32_768);
        assert_eq!(window_max(100, 128), (64 << 20) / 100 / 128);
        assert_eq!(window_max(100, 1 << 20), 4);
    }
}
