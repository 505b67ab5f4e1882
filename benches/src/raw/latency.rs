//! Round trips without load, in two shapes.
//!
//! *Transit*: publisher's and subscriber's connections in one thread, so one pass through the
//! broker. *Ping-pong*: a second client answers each message, so two passes and three processes'
//! worth of waking up, which is what a request over the bus costs.

use super::publisher::{drain, payload};
use super::{Connection, READ_BUFFER_BYTES};
use crate::peer::Codec;
use crate::socket::Endpoint;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Round trips before those that count.
const WARM_UP_ROUNDS: usize = 500;
/// How long a whole run may take.
const RUN_MAX: Duration = Duration::from_secs(10);
/// Rounds after which a publisher throws away the answers to its publishes.
const DRAIN_EACH: usize = 64;
const PING: &str = "bench/ping";
const PONG: &str = "bench/pong";

/// Publishes one ready-made message at a time.
struct Single {
    connection: Connection,
    frame: Vec<u8>,
    sent: usize,
    answers: Option<Vec<u8>>,
}

impl Single {
    fn open(codec: &dyn Codec, endpoint: &Endpoint, topic: &str, size: usize) -> io::Result<Self> {
        let connection = Connection::open(codec, endpoint)?;
        let mut frame = vec![];
        codec.publish(topic, &payload(size), &mut frame);
        let answers = codec.answers_publishes().then(|| vec![0; 64 * 1024]);
        Ok(Self { connection, frame, sent: 0, answers })
    }

    fn send(&mut self) -> io::Result<()> {
        self.connection.socket.write_all(&self.frame)?;
        self.sent += 1;
        if let Some(answers) = &mut self.answers
            && self.sent.is_multiple_of(DRAIN_EACH)
        {
            drain(&self.connection.socket, answers);
        }
        Ok(())
    }
}

fn subscribed(codec: &dyn Codec, endpoint: &Endpoint, topic: &str) -> io::Result<Connection> {
    let mut connection = Connection::open(codec, endpoint)?;
    connection.subscribe(codec, &[(topic.to_string(), 1)])?;
    Ok(connection)
}

/// Round-trip times in ns. `echoed`: ping-pong through a second client, else transit.
pub(crate) fn round_trips(
    codec: &Arc<dyn Codec>,
    endpoint: &Endpoint,
    payload_bytes: usize,
    rounds: usize,
    echoed: bool,
) -> io::Result<Vec<u64>> {
    let total = rounds + WARM_UP_ROUNDS;
    let back = if echoed { PONG } else { PING };
    let mut subscriber = subscribed(&**codec, endpoint, back)?;
    let mut publisher = Single::open(&**codec, endpoint, PING, payload_bytes)?;
    if !echoed {
        return measure(&**codec, &mut subscriber, &mut publisher, total);
    }
    let mut echo_in = subscribed(&**codec, endpoint, PING)?;
    let mut echo_out = Single::open(&**codec, endpoint, PONG, payload_bytes)?;
    std::thread::scope(|scope| {
        let echo = scope.spawn(move || echo(&**codec, &mut echo_in, &mut echo_out, total));
        let times = measure(&**codec, &mut subscriber, &mut publisher, total);
        echo.join().map_err(|_| io::Error::other("the echoing client panicked"))??;
        times
    })
}

fn measure(
    codec: &dyn Codec,
    subscriber: &mut Connection,
    publisher: &mut Single,
    total: usize,
) -> io::Result<Vec<u64>> {
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut times = Vec::with_capacity(total);
    let end = Instant::now() + RUN_MAX;
    for round in 0..total as u64 {
        let began = Instant::now();
        publisher.send()?;
        while subscriber.counts.messages <= round {
            if subscriber.fill(codec, &mut buffer)? == 0 {
                return Err(io::Error::other("closed by the broker"));
            }
        }
        times.push(began.elapsed().as_nanos() as u64);
        if began > end {
            return Err(io::Error::other("the latency run took too long"));
        }
    }
    Ok(times.split_off(WARM_UP_ROUNDS))
}

fn echo(
    codec: &dyn Codec,
    subscriber: &mut Connection,
    publisher: &mut Single,
    total: usize,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    for round in 0..total as u64 {
        while subscriber.counts.messages <= round {
            if subscriber.fill(codec, &mut buffer)? == 0 {
                return Err(io::Error::other("the echoing client was closed by the broker"));
            }
        }
        publisher.send()?;
    }
    Ok(())
}
