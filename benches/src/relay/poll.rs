//! What the two epoll relays share: a listener, connections in slots, and what is waited for.
//!
//! Level-triggered; a connection's slot is its number in the events, and 0 stands for the listener.

use rustix::event::epoll::{self, EventData, EventFlags};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

const EVENTS_MAX: usize = 256;

pub(crate) struct Poll {
    poll: OwnedFd,
    listener: UnixListener,
}

/// What happened, and in which slot; no slot: somebody wants to connect.
#[derive(Clone, Copy)]
pub(crate) struct Happening {
    pub(crate) slot: Option<usize>,
    flags: EventFlags,
}

impl Happening {
    pub(crate) fn is_writable(self) -> bool {
        self.flags.contains(EventFlags::OUT)
    }

    /// Something to read, or the end.
    pub(crate) fn is_readable(self) -> bool {
        self.flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR)
    }
}

/// A stream, and what is waited for on it.
pub(crate) struct Watched {
    pub(crate) stream: UnixStream,
    waits_for: EventFlags,
}

impl Poll {
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &listener, EventData::new_u64(0), EventFlags::IN)?;
        Ok(Self { poll, listener })
    }

    /// Waits for the next happenings, which replace those in the list.
    pub(crate) fn wait(&self, list: &mut Vec<Happening>) -> io::Result<()> {
        let mut events =
            [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS_MAX];
        let count = match epoll::wait(&self.poll, &mut events, None) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        list.clear();
        list.extend(events[..count].iter().map(|event| {
            let number = event.data.u64() as usize;
            Happening { slot: number.checked_sub(1), flags: event.flags }
        }));
        Ok(())
    }

    /// Takes a connection and waits for what it says.
    pub(crate) fn accept(&self, slot: usize) -> io::Result<Watched> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(true)?;
        epoll::add(&self.poll, &stream, EventData::new_u64(slot as u64 + 1), EventFlags::IN)?;
        Ok(Watched { stream, waits_for: EventFlags::IN })
    }

    pub(crate) fn wait_for_reads(&self, slot: usize, watched: &mut Watched, on: bool) {
        self.change(slot, watched, EventFlags::IN, on);
    }

    pub(crate) fn wait_for_writes(&self, slot: usize, watched: &mut Watched, on: bool) {
        self.change(slot, watched, EventFlags::OUT, on);
    }

    fn change(&self, slot: usize, watched: &mut Watched, flag: EventFlags, on: bool) {
        let mut wanted = watched.waits_for;
        wanted.set(flag, on);
        if wanted != watched.waits_for {
            watched.waits_for = wanted;
            let data = EventData::new_u64(slot as u64 + 1);
            // It fails for a stream that is gone, of which a read will tell.
            let _gone = epoll::modify(&self.poll, &watched.stream, data, wanted);
        }
    }
}

/// The first slot that is free; the list grows for it.
pub(crate) fn free_slot<T>(slots: &mut Vec<Option<T>>) -> usize {
    slots.iter().position(Option::is_none).unwrap_or_else(|| {
        slots.push(None);
        slots.len() - 1
    })
}
