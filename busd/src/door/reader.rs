//! The reading side of a connection: how much is read at a time, and what is kept of it.
//!
//! All connections read into one buffer, and keep only what the session could not take: the
//! beginning of a frame or line, or what has to wait for its turn. So an idle connection holds no
//! memory. While the bus is shared, reads are as large as can be worked on in a turn's time, which
//! depends on what is in them; that is found by trying.
//!
//! Deliberately absent: when to read, which is for the connection's turn (`connection.rs`), and
//! what the bytes mean, which is for [`kith_core::Session`].

use super::descriptors;
use super::stream::Stream;
use crate::hub::Hub;
use crate::limits::{
    READ_BYTES, ROUND_TIME, SHARED_WORK_MAX, SHORT_READ_BYTES, SHORT_READ_BYTES_MAX,
    SHORT_READ_BYTES_MIN,
};
use kith_core::{ClientId, Fed, Now, Session};
use std::io;
use std::time::Duration;

/// The reading side of a connection.
pub(super) struct Reader {
    session: Session,
    /// What was read and not consumed yet.
    rest: Vec<u8>,
    fed: Fed,
    /// The session stopped although there is more to do: its client has to wait, or others come
    /// first.
    pub(super) stopped: bool,
    /// Others speak too, so its turns are short.
    pub(super) is_shared: bool,
    /// What a read may bring in a short turn.
    short_bytes: usize,
    /// The last read brought all that it had room for, so there may be more.
    pub(super) is_filled: bool,
    /// The last turn was a read, and no more work on what was read before.
    has_read: bool,
    /// The round in which there was nothing to read, while there isn't.
    pub(super) waits_since: Option<u64>,
}

impl Reader {
    pub(super) fn new(client: ClientId) -> Self {
        let session = Session::new(client);
        Self {
            session,
            rest: Vec::new(),
            fed: Fed::default(),
            stopped: false,
            is_shared: true,
            short_bytes: SHORT_READ_BYTES,
            is_filled: false,
            has_read: false,
            waits_since: None,
        }
    }

    /// Whether payloads may come in descriptors, and be sent in them.
    pub(super) fn takes_descriptors(&self) -> bool {
        self.session.takes_descriptors()
    }

    /// What is done in a turn: one read, or what is left of the last one. Returns 0 where nothing
    /// comes any more.
    pub(super) fn go_on(&mut self, hub: &Hub, now: Now, stream: &Stream) -> io::Result<usize> {
        // There may be more behind what is left, too.
        self.is_filled = self.stopped;
        self.has_read = !self.stopped;
        if self.has_read {
            return self.read(hub, now, stream);
        }
        self.feed_rest(hub, now);
        Ok(usize::MAX)
    }

    /// Reads once and feeds the session. Returns how many bytes were read.
    fn read(&mut self, hub: &Hub, now: Now, stream: &Stream) -> io::Result<usize> {
        if self.rest.len().max(self.fed.wanted) > READ_BYTES / 2 {
            return self.read_long(hub, now, stream);
        }
        let mut buffer = hub.read_buffer();
        let kept = self.rest.len();
        let (before, free) = buffer.split_at_mut(kept);
        before.copy_from_slice(&self.rest);
        let room = free.len().min(self.read_bytes(hub));
        let free = free.get_mut(..room).unwrap_or_default();
        let read = read_some(stream, free, &mut self.session, hub)?;
        self.is_filled = read == room;
        let bytes = buffer.get(..kept + read).unwrap_or_default();
        self.fed = feed(&mut self.session, self.is_shared, hub, now, bytes);
        let unconsumed = bytes.get(self.fed.consumed..).unwrap_or_default();
        self.rest.clear();
        if unconsumed.is_empty() {
            // Between two batches a connection keeps no memory.
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(unconsumed);
            self.rest.shrink_to(READ_BYTES);
        }
        self.note_stop(hub);
        Ok(read)
    }

    /// Reads behind what is there already: for a line or frame that does not fit the shared buffer.
    /// The memory grows with what has come, not with what a length field promises.
    fn read_long(&mut self, hub: &Hub, now: Now, stream: &Stream) -> io::Result<usize> {
        let kept = self.rest.len();
        let room = self.read_bytes(hub);
        self.rest.resize(kept + room, 0);
        let free = self.rest.get_mut(kept..).unwrap_or_default();
        let read = read_some(stream, free, &mut self.session, hub);
        self.rest.truncate(kept + *read.as_ref().unwrap_or(&0));
        let read = read?;
        self.is_filled = read == room;
        if self.fed.wanted <= self.rest.len() {
            self.feed_rest(hub, now);
        } else {
            self.note_kept(hub);
        }
        Ok(read)
    }

    /// Feeds what is there, without reading.
    fn feed_rest(&mut self, hub: &Hub, now: Now) {
        self.fed = feed(&mut self.session, self.is_shared, hub, now, &self.rest);
        self.rest.drain(..self.fed.consumed);
        if self.fed.consumed > 0 {
            self.rest.shrink_to(READ_BYTES);
        }
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        self.note_stop(hub);
    }

    /// Tells the broker what is kept. It may be more than there is memory for.
    fn note_kept(&mut self, hub: &Hub) {
        let mut broker = hub.broker();
        broker.hold_unfinished(self.session.client(), self.rest.len(), self.stopped);
        if self.session.takes_descriptors() {
            self.session.hold_unclaimed(&mut broker);
        }
    }

    /// What one read may bring now: more for who is alone, never more than there is memory for.
    fn read_bytes(&self, hub: &Hub) -> usize {
        let most = if self.is_shared { self.short_bytes } else { READ_BYTES };
        most.min(hub.broker().read_bytes_max())
    }

    /// Has short turns read more or less, so that they are about as long as they should be: a byte
    /// costs little in a flood, and very much where each was written by itself.
    pub(super) fn adapt(&mut self, took: Duration) {
        if !self.is_shared || !self.has_read {
            return;
        }
        let bytes = if ROUND_TIME < took {
            self.short_bytes / 2
        } else if took < ROUND_TIME / 2 && self.is_filled {
            self.short_bytes * 2
        } else {
            return;
        };
        self.short_bytes = bytes.clamp(SHORT_READ_BYTES_MIN, SHORT_READ_BYTES_MAX);
    }

    /// Nothing is taken any more: because nothing comes, or whatever comes. What is left is given
    /// back before anybody is waited for.
    pub(super) fn end(&mut self, hub: &Hub, is_told: bool) {
        if is_told {
            self.session.end(&mut hub.broker(), &self.rest);
        }
        self.rest = Vec::new();
        self.note_kept(hub);
        hub.perform();
    }

    fn note_stop(&mut self, hub: &Hub) {
        let has_to_wait = self.fed.unfinished || hub.broker().is_choked(self.session.client());
        self.stopped = !self.rest.is_empty() && has_to_wait;
        self.note_kept(hub);
    }
}

/// Feeds a session, with less at a time while others speak too.
fn feed(session: &mut Session, is_shared: bool, hub: &Hub, now: Now, bytes: &[u8]) -> Fed {
    let mut broker = hub.broker();
    if is_shared {
        session.feed_within(&mut broker, now, bytes, SHARED_WORK_MAX)
    } else {
        session.feed(&mut broker, now, bytes)
    }
}

/// Reads what is there.
fn read_some(
    stream: &Stream,
    buffer: &mut [u8],
    session: &mut Session,
    hub: &Hub,
) -> io::Result<usize> {
    if session.takes_descriptors() {
        return descriptors::read(stream, buffer, session, &mut hub.broker());
    }
    stream.try_read(buffer)
}
