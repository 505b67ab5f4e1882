//! A publisher that waits for its acknowledgements: so many messages are in flight, and one follows
//! each that has been acknowledged.
//!
//! Acknowledgements that come together are followed by messages in one write, as a client would
//! that has them at hand. Nothing is sent ahead of the window, so with one in flight this is the
//! time from publishing to being stored.

use super::publisher::payload;
use super::{Connection, READ_BUFFER_BYTES};
use crate::peer::Codec;
use crate::socket::Endpoint;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a broker acknowledged as stored.
#[derive(Debug, PartialEq)]
pub(crate) struct Acknowledged {
    pub(crate) messages: u64,
    /// Until the last acknowledgement.
    pub(crate) seconds: f64,
}

pub(crate) struct Window {
    codec: Arc<dyn Codec>,
    connection: Connection,
    /// As many frames as may be in flight.
    frames: Vec<u8>,
    in_flight: u64,
    buffer: Vec<u8>,
}

impl Window {
    /// Connects, and has the broker store what is published on `topic`.
    pub(crate) fn open(
        codec: Arc<dyn Codec>,
        endpoint: &Endpoint,
        topic: &str,
        payload_bytes: usize,
        in_flight: u64,
    ) -> io::Result<Self> {
        store(&*codec, endpoint, topic)?;
        let connection = Connection::open(&*codec, endpoint)?;
        let mut frame = vec![];
        codec.publish(topic, &payload(payload_bytes), &mut frame);
        let frames = frame.repeat(in_flight as usize);
        Ok(Self { codec, connection, frames, in_flight, buffer: vec![0; READ_BUFFER_BYTES] })
    }

    /// Publishes for so long, but no more than so many, and waits for all acknowledgements.
    pub(crate) fn run(&mut self, time: Duration, messages_max: u64) -> io::Result<Acknowledged> {
        let began = Instant::now();
        self.connection.counts.restart();
        let mut sent = self.send(self.in_flight.min(messages_max))?;
        let mut seen = 0;
        while seen < sent {
            if self.connection.fill(&*self.codec, &mut self.buffer)? == 0 {
                return Err(io::Error::other("closed by the broker"));
            }
            let counts = self.connection.counts;
            if counts.errors > 0 {
                return Err(io::Error::other("a message was not stored"));
            }
            let came = counts.acks - seen;
            seen = counts.acks;
            if came > 0 && began.elapsed() < time {
                sent += self.send(came.min(messages_max - sent))?;
            }
        }
        Ok(Acknowledged { messages: seen, seconds: began.elapsed().as_secs_f64() })
    }

    fn send(&mut self, count: u64) -> io::Result<u64> {
        let bytes = self.frames.len() / self.in_flight as usize * count as usize;
        self.connection.socket.write_all(&self.frames[..bytes])?;
        Ok(count)
    }
}

/// Has a broker store what is published on `topic`, over a connection that ends then.
pub(crate) fn store(codec: &dyn Codec, endpoint: &Endpoint, topic: &str) -> io::Result<()> {
    let mut connection = Connection::open(codec, endpoint)?;
    let mut request = vec![];
    let acks = codec.store(topic, &mut request);
    connection.socket.write_all(&request)?;
    connection.wait_for_acks(codec, acks, &mut vec![0; READ_BUFFER_BYTES])?;
    if connection.counts.errors > 0 {
        return Err(io::Error::other("the broker refused to store"));
    }
    Ok(())
}
