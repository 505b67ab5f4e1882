//! One connection of a test: the daemon's end of a pipe in memory.
//!
//! What is read goes to the session; but a publish that the test wants refused is taken out before
//! that, and answered here. What the broker has for the client is taken from it only as fast as the
//! pipe is read, so that a client that reads nothing lags as it would in life.

use super::hub::Hub;
use kith_core::{ClientId, Session};
use kith_wire::binary::{decode, deliver, frame};
use kith_wire::limits::frame_bytes_max;
use kith_wire::{Event, Operation, Refusal, RequestNumber};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// A connection.
pub(super) struct Connection {
    hub: Rc<Hub>,
    client: ClientId,
    session: Session,
    stream: DuplexStream,
    /// Read, and not yet understood.
    unread: Vec<u8>,
    /// Taken from the broker, and not yet written.
    unwritten: Vec<u8>,
}

/// A publish that is to be refused: where it begins and ends, and its number.
struct Found {
    start: usize,
    end: usize,
    number: Option<RequestNumber>,
}

impl Connection {
    pub(super) fn new(hub: Rc<Hub>, client: ClientId, stream: DuplexStream) -> Self {
        let session = Session::new(client);
        Self { hub, client, session, stream, unread: Vec::new(), unwritten: Vec::new() }
    }

    /// Serves it until it ends.
    pub(super) async fn serve(mut self) {
        poll_fn(|context| self.turn(context)).await;
        self.hub.disconnect(self.client);
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.hub.remember(self.client, context.waker());
        loop {
            if self.hub.has_crashed() {
                return Poll::Ready(());
            }
            let has_written = match self.write(context) {
                Ok(has_written) => has_written,
                Err(Gone) => return Poll::Ready(()),
            };
            if self.is_closed() {
                return Poll::Ready(());
            }
            let has_read = match self.read(context) {
                Ok(has_read) => has_read,
                Err(Gone) => return Poll::Ready(()),
            };
            if has_read {
                self.feed();
                self.hub.perform();
            } else if !has_written {
                return Poll::Pending;
            }
        }
    }

    fn is_closed(&self) -> bool {
        let broker = self.hub.broker();
        broker.is_closing(self.client)
            && self.unwritten.is_empty()
            && !broker.has_output(self.client)
    }

    /// Whether something was read.
    fn read(&mut self, context: &mut Context<'_>) -> Result<bool, Gone> {
        if self.hub.broker().is_choked(self.client) {
            return Ok(false);
        }
        let mut chunk = [0; 4096];
        let mut buffer = ReadBuf::new(&mut chunk);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                self.unread.extend_from_slice(buffer.filled());
                Ok(true)
            }
            Poll::Ready(_) => Err(Gone),
        }
    }

    /// Whether something was written.
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, Gone> {
        if self.unwritten.is_empty() && !self.hub.is_held(self.client) {
            self.take_output();
        }
        if self.unwritten.is_empty() {
            return Ok(false);
        }
        match Pin::new(&mut self.stream).poll_write(context, &self.unwritten) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(written)) => {
                self.unwritten.drain(..written);
                Ok(true)
            }
            Poll::Ready(Err(_)) => Err(Gone),
        }
    }

    /// Takes one helping of what the broker has for the client.
    fn take_output(&mut self) {
        let now = self.hub.now();
        let mut broker = self.hub.broker();
        let before = self.unwritten.len();
        for bytes in broker.stage(now, self.client) {
            self.unwritten.extend_from_slice(bytes);
        }
        broker.wrote(now, self.client, self.unwritten.len() - before);
    }

    fn feed(&mut self) {
        while self.hub.has_refusal(self.client) {
            let Some(found) = self.find_publish() else { break };
            if !self.feed_to(found.start) {
                return;
            }
            self.unread.drain(..found.end - found.start);
            if let Some(refusal) = self.hub.take_refusal(self.client) {
                self.refuse(found.number, &refusal);
            }
        }
        self.feed_to(self.unread.len());
    }

    /// Hands the first bytes to the session. Whether it took all of them.
    fn feed_to(&mut self, end: usize) -> bool {
        let now = self.hub.now();
        let mut taken = 0;
        loop {
            let bytes = self.unread.get(taken..end).unwrap_or_default();
            let fed = self.session.feed(&mut self.hub.broker(), now, bytes);
            taken += fed.consumed;
            if !fed.unfinished {
                break;
            }
        }
        self.unread.drain(..taken);
        taken == end
    }

    /// The first whole publish that was read and is no reply.
    fn find_publish(&self) -> Option<Found> {
        let payload_bytes_max = self.hub.broker().limits().payload_bytes_max;
        let mut start = 0;
        loop {
            let rest = self.unread.get(start..)?;
            let next = frame::split(rest, frame_bytes_max(payload_bytes_max)).ok()??;
            let end = start + next.bytes.len();
            let request = decode::request(next, payload_bytes_max).ok()?;
            if let Operation::Publish(publication) = &request.operation
                && !publication.topic.as_str().starts_with("bus.reply.")
            {
                return Some(Found { start, end, number: request.number });
            }
            start = end;
        }
    }

    /// Answers in the place of the broker, after all that it has to answer before.
    fn refuse(&mut self, number: Option<RequestNumber>, refusal: &Refusal) {
        while self.hub.broker().has_output(self.client) {
            let before = self.unwritten.len();
            self.take_output();
            if self.unwritten.len() == before {
                break;
            }
        }
        let Refusal { code, text, fatal, .. } = refusal;
        let event = Event::Err { number, code: Some(*code), text, at: None, fatal: *fatal };
        deliver::event(&mut self.unwritten, &event);
    }
}

/// The other end is.
struct Gone;
