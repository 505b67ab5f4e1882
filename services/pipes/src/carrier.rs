//! What the transport decides: which letter goes next, and what is said to the bus.
//!
//! What happens comes in as calls: the pipe is open, a letter is to be sent, bytes were read, a
//! frame was written. What is to be said comes out of [`Carrier::next_said`], what is to be written
//! out of [`Carrier::next_frame`]. It knows no pipe, no bus and no clock.
//!
//! A letter is `sent` when its last byte is in the pipe, and not before: what still waits when the
//! link goes down is `failed`, so that the daemon tries another way. A device has one link, since
//! there is one pair of pipes.

use crate::frames::{Frame, Frames, VERSION, written};
use crate::limits::{WAITING_BYTES_MAX, WAITING_LETTERS_MAX};
use kith_plugins_api::Moment;
use kith_plugins_api::contract::Key;
use kith_plugins_api::contract::envelope::{Failed, Failure, Lane, Received, Send, Sent};
use kith_plugins_api::contract::transports::{Connection, Cost, Disconnected, Ending, Path};
use std::collections::VecDeque;

/// What is to be said to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The link is up.
    Connection(Connection),
    /// It is down.
    Disconnected(Disconnected),
    /// A letter was handed over.
    Sent(Sent),
    /// One was not.
    Failed(Failed),
    /// One came in.
    Received(Received),
}

/// What is known of the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// This transport's name.
    pub transport: String,
    /// The sign key of the device at the other end.
    pub device: Key,
    /// The most bytes of a letter.
    pub mtu_bytes: u32,
}

/// The transport's decisions.
#[derive(Debug)]
pub struct Carrier {
    peer: Peer,
    state: State,
    /// Ours: another one after each end.
    life: u64,
    links: u64,
    frames: Frames,
    /// One queue for each lane, the first first.
    waiting: [VecDeque<Send>; LANES.len()],
    waiting_bytes: usize,
    /// The letter that is being written.
    writing: Option<Send>,
    said: VecDeque<Said>,
}

/// In which order lanes go.
const LANES: [Lane; 4] = [Lane::Realtime, Lane::High, Lane::Normal, Lane::Bulk];

/// What stands of the link. It is up when both ends are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Our pipe is open.
    is_open: bool,
    /// Our greeting is in it.
    has_greeted: bool,
    /// The life of the other end that greeted us.
    heard: Option<u64>,
    /// The number of the link.
    up: Option<u64>,
}

impl Carrier {
    /// One whose link is down. `life` is any number.
    #[must_use]
    pub fn new(peer: Peer, life: u64) -> Self {
        let frames = Frames::new(peer.mtu_bytes);
        Self {
            peer,
            state: State::default(),
            life,
            links: 0,
            frames,
            waiting: Default::default(),
            waiting_bytes: 0,
            writing: None,
            said: VecDeque::new(),
        }
    }

    /// Somebody has the other end of our pipe open.
    pub fn opened(&mut self) {
        self.state.is_open = true;
        self.come_up();
    }

    /// The pipe has broken.
    pub fn broke(&mut self, why: String) {
        self.end(Ending::Lost, Some(why));
    }

    /// We leave. What is to be written then, if there is anything.
    pub fn leave(&mut self) -> Option<Vec<u8>> {
        // Behind part of a letter a goodbye would be taken for the rest of it.
        let can_say = self.state.is_open && self.writing.is_none();
        self.end(Ending::Closed, None);
        can_say.then(|| written(&Frame::Goodbye))
    }

    /// Whether the pipe is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.is_open
    }

    /// The daemon wants this device to be reached. Whether to look for it now.
    pub fn dial(&mut self, device: &Key) -> bool {
        if *device != self.peer.device {
            return false;
        }
        if let Some(link) = self.state.up {
            self.say_up(link);
        }
        !self.state.is_open
    }

    /// Takes a letter to be sent, or says why not.
    pub fn send(&mut self, send: Send, now: Moment) {
        let letters: usize = self.waiting.iter().map(VecDeque::len).sum();
        let bytes = send.letter.0.len();
        let refused = if send.device != self.peer.device {
            Some((Failure::Unreachable, false))
        } else if u32::try_from(bytes).unwrap_or(u32::MAX) > self.peer.mtu_bytes {
            Some((Failure::TooBig, false))
        } else if send.expires_at <= now.unix_ms() {
            Some((Failure::Expired, false))
        } else if self.state.up.is_none() {
            Some((Failure::Unreachable, true))
        } else if letters >= WAITING_LETTERS_MAX || self.waiting_bytes + bytes > WAITING_BYTES_MAX {
            Some((Failure::Quota, true))
        } else {
            None
        };
        if let Some((reason, retry)) = refused {
            return self.fail(&send, reason, retry);
        }
        self.waiting_bytes += bytes;
        let lane = LANES.iter().zip(&mut self.waiting).find(|(lane, _)| **lane == send.lane);
        if let Some((_, queue)) = lane {
            queue.push_back(send);
        }
    }

    /// What is to be written next, if nothing is being written. [`Carrier::was_written`] is to be
    /// called for each.
    pub fn next_frame(&mut self, now: Moment) -> Option<Vec<u8>> {
        if self.state.is_open && !self.state.has_greeted {
            self.state.has_greeted = true;
            return Some(written(&Frame::Greeting { version: VERSION, life: self.life }));
        }
        self.state.up?;
        loop {
            let send = self.waiting.iter_mut().find_map(VecDeque::pop_front)?;
            self.waiting_bytes -= send.letter.0.len();
            if send.expires_at <= now.unix_ms() {
                self.fail(&send, Failure::Expired, false);
                continue;
            }
            let frame = written(&Frame::Letter(send.letter.0.clone()));
            self.writing = Some(send);
            return Some(frame);
        }
    }

    /// The last byte of that frame is in the pipe.
    pub fn was_written(&mut self) {
        if let (Some(send), Some(link)) = (self.writing.take(), self.state.up) {
            let transport = self.peer.transport.clone();
            let sent = Sent { transport, envelope: send.envelope, link: Some(link) };
            self.said.push_back(Said::Sent(sent));
        }
    }

    /// Bytes were read.
    pub fn read(&mut self, bytes: &[u8]) {
        self.frames.read(bytes);
        loop {
            let frame = match self.frames.take() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(why) => {
                    self.frames = Frames::new(self.peer.mtu_bytes);
                    return self.end(Ending::Refused, Some(why.to_string()));
                }
            };
            match (frame, self.state.up) {
                (Frame::Greeting { version: VERSION, life }, _) => self.greeted(life),
                (Frame::Greeting { version: theirs, .. }, _) => {
                    let why = format!("it speaks version {theirs}, this is {VERSION}");
                    self.end(Ending::Refused, Some(why));
                }
                (Frame::Letter(letter), Some(link)) => {
                    let (transport, device) = (self.peer.transport.clone(), self.peer.device);
                    let (letter, device, link) = (letter.into(), Some(device), Some(link));
                    let received = Received { transport, letter, device, link, relay: None };
                    self.said.push_back(Said::Received(received));
                }
                // From before we were there.
                (Frame::Letter(_), _) => {}
                (Frame::Goodbye, _) => self.end(Ending::ClosedByPeer, None),
            }
        }
    }

    /// What is to be said next.
    pub fn next_said(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    fn greeted(&mut self, life: u64) {
        if self.state.heard == Some(life) {
            return;
        }
        if self.state.up.is_some() {
            // Whoever was there before has not said goodbye. The pipe is as good as before.
            self.end(Ending::Replaced, None);
            self.state.is_open = true;
        }
        self.state.heard = Some(life);
        self.come_up();
    }

    fn come_up(&mut self) {
        if self.state.is_open && self.state.heard.is_some() && self.state.up.is_none() {
            self.links += 1;
            self.state.up = Some(self.links);
            self.say_up(self.links);
        }
    }

    fn say_up(&mut self, link: u64) {
        let Peer { transport, device, mtu_bytes } = self.peer.clone();
        self.said.push_back(Said::Connection(Connection {
            transport,
            device,
            link,
            endpoint: None,
            rtt_us: None,
            mtu_bytes,
            cost: Cost::Free,
            path: Path::Direct,
            record: None,
            card_hash: None,
        }));
    }

    fn end(&mut self, reason: Ending, text: Option<String>) {
        let before = std::mem::take(&mut self.state);
        self.life = self.life.wrapping_add(1);
        if let Some(send) = self.writing.take() {
            self.fail(&send, Failure::Interrupted, true);
        }
        while let Some(send) = self.waiting.iter_mut().find_map(VecDeque::pop_front) {
            self.fail(&send, Failure::Unreachable, true);
        }
        self.waiting_bytes = 0;
        if let Some(link) = before.up {
            let (transport, device) = (self.peer.transport.clone(), self.peer.device);
            let down = Disconnected { transport, device, link, reason, text };
            self.said.push_back(Said::Disconnected(down));
        }
    }

    fn fail(&mut self, send: &Send, reason: Failure, retry: bool) {
        let (transport, envelope) = (self.peer.transport.clone(), send.envelope);
        let failed = Failed { transport, envelope, reason, retry, text: None };
        self.said.push_back(Said::Failed(failed));
    }
}

#[cfg(test)]
mod tests;
