//! One thread that reads all subscribers, counting into `Deliveries`.
//!
//! A single subscriber is read blocking, with a short time-out to notice the end; several by epoll,
//! level-triggered, a read of each that has something. An error or a notice of loss from the broker
//! is kept as the run's note.

use super::{Connection, READ_BUFFER_BYTES};
use crate::deliveries::Deliveries;
use crate::peer::Codec;
use rustix::event::{Timespec, epoll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How soon the thread notices that it should stop.
const STOP_POLL: Duration = Duration::from_millis(20);
/// Events taken from one wait.
const EVENTS_MAX: usize = 256;

pub(crate) struct Subscribers {
    deliveries: Arc<Deliveries>,
    thread: Option<JoinHandle<Vec<Connection>>>,
}

impl Subscribers {
    /// Opens `count` connections that all subscribe to `topic`, and reads them.
    pub(crate) fn open(
        codec: Arc<dyn Codec>,
        endpoint: &crate::socket::Endpoint,
        count: usize,
        topic: &str,
        deliveries: Arc<Deliveries>,
    ) -> io::Result<Self> {
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut connection = Connection::open(&*codec, endpoint)?;
            connection.subscribe(&*codec, &[(topic.to_string(), index as u64 + 1)])?;
            connections.push(connection);
        }
        Self::start(codec, connections, deliveries)
    }

    pub(crate) fn start(
        codec: Arc<dyn Codec>,
        connections: Vec<Connection>,
        deliveries: Arc<Deliveries>,
    ) -> io::Result<Self> {
        let shared = deliveries.clone();
        let read = move || read_all(&*codec, connections, &shared);
        let thread = std::thread::Builder::new().name("subscribers".into()).spawn(read)?;
        Ok(Self { deliveries, thread: Some(thread) })
    }

    /// Stops reading and hands the connections back.
    pub(crate) fn stop(mut self) -> Vec<Connection> {
        self.join()
    }

    fn join(&mut self) -> Vec<Connection> {
        self.deliveries.stop();
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        self.join();
    }
}

fn read_all(
    codec: &dyn Codec,
    mut connections: Vec<Connection>,
    deliveries: &Deliveries,
) -> Vec<Connection> {
    let outcome = match connections.as_mut_slice() {
        [one] => read_one(codec, one, deliveries),
        many => read_many(codec, many, deliveries),
    };
    if let Err(error) = outcome {
        deliveries.note(&format!("subscriber: {error}"));
    }
    connections
}

/// One read of a connection; the messages that it brought.
#[inline]
fn take(
    codec: &dyn Codec,
    connection: &mut Connection,
    buffer: &mut Vec<u8>,
    deliveries: &Deliveries,
) -> io::Result<u64> {
    let before = connection.counts;
    match connection.fill(codec, buffer) {
        Ok(0) => return Err(io::Error::other("closed by the broker")),
        Ok(count) => deliveries.add_bytes(count as u64),
        Err(error) if is_passing(error.kind()) => {}
        Err(error) => return Err(error),
    }
    if connection.counts.errors > before.errors {
        deliveries.note("subscriber: an error or a notice of loss from the broker");
    }
    Ok(connection.counts.messages - before.messages)
}

fn is_passing(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(kind, WouldBlock | TimedOut | Interrupted)
}

fn read_one(
    codec: &dyn Codec,
    connection: &mut Connection,
    deliveries: &Deliveries,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    connection.socket.set_read_timeout(STOP_POLL)?;
    while !deliveries.is_stopped() {
        let got = take(codec, connection, &mut buffer, deliveries)?;
        if got > 0 {
            deliveries.add(got);
        }
    }
    Ok(())
}

fn read_many(
    codec: &dyn Codec,
    connections: &mut [Connection],
    deliveries: &Deliveries,
) -> io::Result<()> {
    let poll = watch(connections)?;
    let timeout = Timespec { tv_sec: 0, tv_nsec: STOP_POLL.subsec_nanos().into() };
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while !deliveries.is_stopped() {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut got = 0;
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            match take(codec, connection, &mut buffer, deliveries) {
                Ok(messages) => got += messages,
                Err(error) => {
                    deliveries.note(&format!("a subscriber: {error}"));
                    epoll::delete(&poll, connection.socket.as_fd())?;
                }
            }
        }
        if got > 0 {
            deliveries.add(got);
        }
    }
    for connection in connections {
        connection.socket.set_nonblocking(false)?;
    }
    Ok(())
}

fn watch(connections: &[Connection]) -> io::Result<OwnedFd> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, connection) in connections.iter().enumerate() {
        connection.socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&poll, connection.socket.as_fd(), data, epoll::EventFlags::IN)?;
    }
    Ok(poll)
}
