//! One connection: greeted, counted, with what a read left over of the next frame.
//!
//! The read buffer is lent by the caller, because a thread that reads a hundred connections wants
//! one buffer in its cache and not a hundred.

use super::sealed::Incoming;
use super::{READ_BUFFER_BYTES, READ_BUFFER_BYTES_MAX};
use crate::peer::{Codec, Counts};
use crate::socket::{Endpoint, Socket};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// How long a read may wait, where nothing else is said.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take although other things arrive meanwhile.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Subscribe requests sent before their answers are awaited.
const SUBSCRIBE_CHUNK: usize = 500;

pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) counts: Counts,
    rest: Vec<u8>,
    /// Payloads that come in descriptors.
    sealed: Option<Incoming>,
}

impl Connection {
    /// Connects, greets, and waits for the answer to a ping.
    pub(crate) fn open(codec: &dyn Codec, endpoint: &Endpoint) -> io::Result<Self> {
        let mut socket = Socket::connect(endpoint)?;
        socket.set_read_timeout(READ_TIMEOUT)?;
        let due = codec.hello(&mut socket)?;
        let sealed = codec.sealing().map(|_| Incoming::default());
        let mut connection = Self { socket, counts: Counts::default(), rest: vec![], sealed };
        let mut request = vec![];
        codec.ping(&mut request);
        connection.socket.write_all(&request)?;
        connection.wait_for_acks(codec, due + 1, &mut vec![0; 4096])?;
        if connection.counts.errors > 0 {
            return Err(io::Error::other("the broker refused the greeting"));
        }
        connection.counts.restart();
        Ok(connection)
    }

    /// One read, decoded. Returns the bytes read (0: closed).
    #[inline]
    pub(crate) fn fill(&mut self, codec: &dyn Codec, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let left = self.rest.len();
        if left * 2 > buffer.len() {
            if left > READ_BUFFER_BYTES_MAX {
                return Err(io::Error::other("a frame too large to be one"));
            }
            buffer.resize(left * 4, 0);
        }
        buffer[..left].copy_from_slice(&self.rest);
        let count = match &mut self.sealed {
            Some(sealed) => sealed.read(&self.socket, &mut buffer[left..])?,
            None => self.socket.read(&mut buffer[left..])?,
        };
        if count == 0 {
            return Ok(0);
        }
        let used = codec.decode(&buffer[..left + count], &mut self.counts);
        if let Some(sealed) = &mut self.sealed {
            sealed.open(&mut self.counts)?;
        }
        self.rest.clear();
        self.rest.extend_from_slice(&buffer[used..left + count]);
        Ok(count)
    }

    /// Until so many requests are answered since the counts began.
    pub(super) fn wait_for_acks(
        &mut self,
        codec: &dyn Codec,
        wanted: u64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        let end = Instant::now() + ANSWER_MAX;
        while self.counts.acks + self.counts.errors < wanted {
            if self.fill(codec, buffer)? == 0 {
                return Err(io::Error::other("closed by the broker"));
            }
            if Instant::now() > end {
                return Err(io::Error::other("an answer took too long"));
            }
        }
        Ok(())
    }

    /// Subscribes in chunks, and waits until the broker has taken all. Counts start anew after it.
    pub(crate) fn subscribe(
        &mut self,
        codec: &dyn Codec,
        subscriptions: &[(String, u64)],
    ) -> io::Result<()> {
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        let mut request = Vec::new();
        let mut due = self.counts.acks + self.counts.errors;
        let errors_before = self.counts.errors;
        for chunk in subscriptions.chunks(SUBSCRIBE_CHUNK) {
            request.clear();
            for (topic, id) in chunk {
                due += codec.subscribe(topic, *id, &mut request);
            }
            codec.ping(&mut request);
            due += 1;
            self.socket.write_all(&request)?;
            self.wait_for_acks(codec, due, &mut buffer)?;
        }
        let refused = self.counts.errors - errors_before;
        if refused > 0 {
            return Err(io::Error::other(format!("{refused} subscriptions refused")));
        }
        self.counts.restart();
        Ok(())
    }
}
