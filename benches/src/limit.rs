//! Limits of the machine, without any broker: copying, system calls, one hop over a socket pair.
//!
//! A broker's figure means something only beside these. The frames on the socket pair are those of
//! the bare relays, so a relay's rate can be read against one hop less.

use crate::interrupt;
use crate::peer::{Codec, Counts};
use crate::peers::relay::TopicByteCodec;
use crate::results::Log;
use crate::suites::PAYLOADS_BYTES;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::json;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
const COPY_SIZES_BYTES: [usize; 4] = [4096, 65536, MIB, 64 * MIB];
const COPY_SECONDS: f64 = 0.3;
const HOP_TIME: Duration = Duration::from_millis(500);
const ROUNDS: usize = 10_000;
const WARM_UP_ROUNDS: usize = 500;
const CALLS: u32 = 1_000_000;

fn pin(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    // On a machine with one processor there is nothing to pin to; the figure is then what it is.
    let _unpinned = sched_setaffinity(None, &set);
}

fn joined<T>(thread: JoinHandle<T>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a measuring thread panicked"))
}

/// GB/s of copying one buffer to another.
fn copy_rate(size: usize, seconds: f64) -> f64 {
    let source = vec![1_u8; size];
    let mut target = vec![0_u8; size];
    let began = Instant::now();
    let mut copied = 0_u64;
    while began.elapsed().as_secs_f64() < seconds {
        for _ in 0..(16 * MIB / size).max(1) {
            target.copy_from_slice(black_box(&source));
            black_box(&mut target);
            copied += size as u64;
        }
    }
    copied as f64 / began.elapsed().as_secs_f64() / 1e9
}

/// Messages per second from a writer to a reader over one socket pair.
fn hop_rate(payload_bytes: usize, write_bytes_max: usize) -> io::Result<f64> {
    let (mut near, mut far) = UnixStream::pair()?;
    let mut frame = vec![];
    TopicByteCodec.publish("bench/t0", &vec![b'x'; payload_bytes], &mut frame);
    let batch = frame.repeat((write_bytes_max / frame.len()).max(1));
    let writer = std::thread::spawn(move || -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < HOP_TIME {
            for _ in 0..8 {
                near.write_all(&batch)?;
            }
        }
        Ok(())
    });
    let mut buffer = vec![0; 512 * 1024];
    let mut counts = Counts::default();
    let mut left = 0;
    let began = Instant::now();
    loop {
        let count = far.read(&mut buffer[left..])?;
        if count == 0 {
            break;
        }
        let used = TopicByteCodec.decode(&buffer[..left + count], &mut counts);
        buffer.copy_within(used..left + count, 0);
        left = left + count - used;
    }
    let seconds = began.elapsed().as_secs_f64();
    joined(writer)??;
    Ok(counts.messages as f64 / seconds)
}

/// Median and 99th percentile of round trips over one socket pair, in µs.
fn pair_round_trip(far_processor: usize) -> io::Result<(f64, f64)> {
    let (mut near, mut far) = UnixStream::pair()?;
    let echo = std::thread::spawn(move || {
        pin(far_processor);
        let mut message = [0; 128];
        while far.read_exact(&mut message).is_ok() && far.write_all(&message).is_ok() {}
    });
    let measure = std::thread::spawn(move || -> io::Result<Vec<u64>> {
        pin(0);
        let mut message = [7; 128];
        let mut times = vec![];
        for _ in 0..ROUNDS + WARM_UP_ROUNDS {
            let began = Instant::now();
            near.write_all(&message)?;
            near.read_exact(&mut message)?;
            times.push(began.elapsed().as_nanos() as u64);
        }
        Ok(times.split_off(WARM_UP_ROUNDS))
    });
    let mut times = joined(measure)??;
    joined(echo)?;
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100] as f64 / 1e3;
    Ok((at(50), at(99)))
}

/// ns per write and read in one thread, one socket pair: the bare copy and system-call cost.
fn write_read_cost(size: usize) -> io::Result<f64> {
    let (mut near, mut far) = UnixStream::pair()?;
    let message = vec![1; size];
    let mut copy = vec![0; size];
    let rounds = if size > 8192 { 20_000 } else { 200_000 };
    let began = Instant::now();
    for _ in 0..rounds {
        near.write_all(&message)?;
        far.read_exact(&mut copy)?;
    }
    Ok(began.elapsed().as_nanos() as f64 / f64::from(rounds))
}

/// ns to parse a JSON line that publishes: into borrowed fields, and into a `Value`.
fn json_cost(payload_bytes: usize) -> serde_json::Result<(f64, f64)> {
    #[derive(serde::Deserialize)]
    struct Publish<'line> {
        op: &'line str,
        topic: &'line str,
        #[serde(borrow)]
        payload: &'line serde_json::value::RawValue,
    }
    let text = "x".repeat(payload_bytes);
    let line = format!(r#"{{"op":"pub","topic":"bench.t0","payload":"{text}"}}"#);
    let line = line.as_bytes();
    let rounds = if payload_bytes > 8192 { 3_000 } else { 200_000 };
    let began = Instant::now();
    for _ in 0..rounds {
        let publish: Publish<'_> = serde_json::from_slice(black_box(line))?;
        black_box((publish.op, publish.topic, publish.payload));
    }
    let typed = began.elapsed().as_nanos() as f64 / f64::from(rounds);
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(serde_json::from_slice::<serde_json::Value>(black_box(line))?);
    }
    Ok((typed, began.elapsed().as_nanos() as f64 / f64::from(rounds)))
}

struct Series<'log> {
    log: &'log mut Log,
    repetition: usize,
}

impl Series<'_> {
    fn put(&mut self, test: &str, what: &str, value: f64, unit: &str) -> anyhow::Result<()> {
        interrupt::check()?;
        self.log.put(json!({"test": test, "peer": what, "rep": self.repetition,
            "value": value, "unit": unit}))
    }

    fn copying(&mut self) -> anyhow::Result<()> {
        for size in COPY_SIZES_BYTES {
            let rate = copy_rate(size, COPY_SECONDS);
            self.put("memcpy", &format!("{size} B, 1 thread"), rate, "GB/s")?;
        }
        let copy = |processor| {
            std::thread::spawn(move || {
                pin(processor);
                copy_rate(64 * MIB, COPY_SECONDS)
            })
        };
        let (first, second) = (copy(0), copy(1));
        let sum = joined(first)? + joined(second)?;
        self.put("memcpy", &format!("{} B, 2 threads", 64 * MIB), sum, "GB/s")
    }

    fn system_calls(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        for _ in 0..CALLS {
            black_box(rustix::process::getppid());
        }
        let cost = began.elapsed().as_nanos() as f64 / f64::from(CALLS);
        self.put("syscall", "getppid", cost, "ns")?;
        for size in [128, 1024, 65536] {
            let what = format!("write+read {size} B, socketpair, 1 thread");
            self.put("syscall", &what, write_read_cost(size)?, "ns")?;
        }
        for (processor, which) in [(0, "same core"), (1, "two cores")] {
            let (p50, p99) = pair_round_trip(processor)?;
            self.put("pair_rtt", &format!("socketpair {which} p50"), p50, "us")?;
            self.put("pair_rtt", &format!("socketpair {which} p99"), p99, "us")?;
        }
        Ok(())
    }

    fn parsing(&mut self) -> anyhow::Result<()> {
        for size in PAYLOADS_BYTES {
            let (typed, value) = json_cost(size)?;
            self.put("json", &format!("{size} B, typed borrowed"), typed, "ns")?;
            self.put("json", &format!("{size} B, Value"), value, "ns")?;
        }
        Ok(())
    }

    fn hops(&mut self) -> anyhow::Result<()> {
        for size in PAYLOADS_BYTES {
            let rate = hop_rate(size, 65536)?;
            self.put("direct", &format!("{size} B, 64 KiB writes"), rate, "msg/s")?;
        }
        self.put("direct", "128 B, a write each", hop_rate(128, 1)?, "msg/s")
    }
}

pub(crate) fn run(log: &mut Log, repetitions: usize) -> anyhow::Result<()> {
    for repetition in 0..repetitions {
        let mut series = Series { log, repetition };
        series.copying()?;
        series.system_calls()?;
        series.parsing()?;
        series.hops()?;
    }
    Ok(())
}
