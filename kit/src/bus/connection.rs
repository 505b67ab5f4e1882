//! One connection of the kit's bus: bytes in and out, as the daemon's door has them.

use super::overheard::Overheard;
use crate::limits::READ_BYTES;
use kith_core::{Broker, ClientId, Now, Session};
use kith_wire::Code;
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    session: Session,
    /// What was read and is not done with.
    unread: Vec<u8>,
    overheard: Overheard,
    /// The other end is gone.
    is_gone: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, session: Session) -> Self {
        let overheard = Overheard::default();
        Self { stream, session, unread: Vec::new(), overheard, is_gone: false }
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub(super) fn client(&self) -> ClientId {
        self.session.client()
    }

    pub(super) fn is(&self, id: ClientId) -> bool {
        self.client() == id
    }

    /// What to wait for.
    pub(super) fn wanted(&self, broker: &Broker) -> PollFlags {
        let mut wanted = PollFlags::empty();
        if !broker.is_choked(self.client()) {
            wanted |= PollFlags::IN;
        }
        if broker.has_output(self.client()) {
            wanted |= PollFlags::OUT;
        }
        wanted
    }

    /// Whether nothing more is to be done with it.
    pub(super) fn is_over(&self, broker: &Broker) -> bool {
        let id = self.client();
        self.is_gone || (broker.is_closing(id) && !broker.has_output(id))
    }

    /// Takes in what has come, and sends what there was no room for.
    pub(super) fn read(
        &mut self,
        broker: &mut Broker,
        now: Now,
        refusals: &mut Vec<(Option<Code>, String)>,
    ) -> io::Result<()> {
        if !broker.is_choked(self.client()) {
            let mut buffer = vec![0; READ_BYTES];
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.session.end(broker, &self.unread);
                    self.is_gone = true;
                }
                Ok(read) => self.unread.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It has gone, however it went.
                Err(_) => self.is_gone = true,
            }
        }
        loop {
            let fed = self.session.feed(broker, now, &self.unread);
            self.unread.drain(..fed.consumed);
            if !fed.unfinished {
                break;
            }
        }
        if broker.has_output(self.client()) {
            self.write(broker, now, refusals)?;
        }
        Ok(())
    }

    /// Sends what waits, as much as fits, and notes what the program is told went wrong.
    pub(super) fn write(
        &mut self,
        broker: &mut Broker,
        now: Now,
        refusals: &mut Vec<(Option<Code>, String)>,
    ) -> io::Result<()> {
        loop {
            let staged: Vec<u8> =
                broker.stage(now, self.client()).flatten().take(READ_BYTES).copied().collect();
            if staged.is_empty() || self.is_gone {
                return Ok(());
            }
            match self.stream.write(&staged) {
                Ok(written) => {
                    let sent = staged.get(..written).unwrap_or_default();
                    self.overheard.listen(sent, refusals);
                    broker.wrote(now, self.client(), written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // What it said before may still be there to be read.
                    broker.discard_output(self.client());
                    return Ok(());
                }
            }
        }
    }
}
