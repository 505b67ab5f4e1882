//! A thousand messages a second: sent when they are due, whatever has come by then, and timed from
//! the write to the read. Nobody waits for an answer, so a slow moment of the bus meets as many
//! messages as are due in it.

use crate::peer::Codec;
use crate::raw::Connection;
use crate::socket::Endpoint;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(in crate::suites) const TOPIC: &str = "bench/steady";
const INTERVAL: Duration = Duration::from_millis(1);
/// How long a read waits before it looks whether all is over.
const READ_POLL: Duration = Duration::from_millis(20);
/// Without a message for so long, what is missing is lost.
const QUIET: Duration = Duration::from_secs(3);

/// Times in ns, and how many were lost.
pub(in crate::suites) fn run(
    codec: &Arc<dyn Codec>,
    endpoint: &Endpoint,
    payload_bytes: usize,
    seconds: f64,
) -> anyhow::Result<(Vec<u64>, u64)> {
    let mut subscriber = Connection::open(&**codec, endpoint)?;
    subscriber.subscribe(&**codec, &[(TOPIC.to_owned(), 1)])?;
    let mut publisher = Connection::open(&**codec, endpoint)?;
    let mut frame = vec![];
    codec.publish(TOPIC, &vec![b'a'; payload_bytes], &mut frame);
    let count = (seconds * 1_000.0) as usize;
    let began = Instant::now();
    let sent: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
    let is_over = AtomicBool::new(false);
    let times_ns = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&**codec, &mut subscriber, began, &sent, &is_over));
        let outcome = send(&mut publisher, &frame, began, &sent);
        is_over.store(true, Ordering::Release);
        let received = receiver.join().map_err(|_| io::Error::other("the receiver panicked"))?;
        outcome.and(received)
    })?;
    anyhow::ensure!(!times_ns.is_empty(), "nothing arrived");
    let lost = (count - times_ns.len()) as u64;
    Ok((times_ns, lost))
}

fn send(
    publisher: &mut Connection,
    frame: &[u8],
    began: Instant,
    sent: &[AtomicU64],
) -> io::Result<()> {
    let mut due = began;
    for at in sent {
        due += INTERVAL;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        at.store(began.elapsed().as_nanos() as u64, Ordering::Release);
        publisher.socket.write_all(frame)?;
    }
    Ok(())
}

fn receive(
    codec: &dyn Codec,
    subscriber: &mut Connection,
    began: Instant,
    sent: &[AtomicU64],
    is_over: &AtomicBool,
) -> io::Result<Vec<u64>> {
    subscriber.socket.set_read_timeout(READ_POLL)?;
    let mut buffer = vec![0; 64 << 10];
    let mut times_ns = Vec::with_capacity(sent.len());
    let mut last = Instant::now();
    while times_ns.len() < sent.len() {
        match subscriber.fill(codec, &mut buffer) {
            Ok(0) => return Err(io::Error::other("closed by the broker")),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        let now = began.elapsed().as_nanos() as u64;
        let before = times_ns.len();
        // In order, since they are of one publisher and topic.
        while times_ns.len() < subscriber.counts.messages as usize {
            let at = sent[times_ns.len()].load(Ordering::Acquire);
            times_ns.push(now.saturating_sub(at));
        }
        if before < times_ns.len() {
            last = Instant::now();
        } else if is_over.load(Ordering::Acquire) && last.elapsed() > QUIET {
            break;
        }
    }
    Ok(times_ns)
}
