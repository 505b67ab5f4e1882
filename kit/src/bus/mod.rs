//! The bus that a program gets: the daemon's broker, on a socket of its own, in the kit's hand.
//!
//! One turn takes in what has come on the sockets, gives it to the broker, and sends what that
//! caused. Whatever is of interest is noted on the way: who showed the token, which heartbeats were
//! answered, what was refused.
//!
//! The kit itself speaks on this bus as a client in memory (`player`).

mod connection;
mod overheard;
pub(crate) mod player;

use crate::limits::{LOOK_MS, PAYLOAD_BYTES_MAX, QUEUE_MESSAGES_MAX, REFUSALS_KEPT_MAX};
use connection::Connection;
use kith_core::{Broker, ClientId, Inbound, Limits, Notice, Now, Output, Session};
use kith_plugins_api::contract::Rights;
use kith_wire::{Code, Token};
use player::Player;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What was seen of the program on the bus.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Its connection, once it has shown its token.
    pub(crate) service: Option<ClientId>,
    /// Whether it ever has.
    pub(crate) has_entered: bool,
    /// Connections that came.
    pub(crate) connections: u64,
    /// Heartbeats that it answered.
    pub(crate) answered: u32,
    /// One that it did not answer in time.
    pub(crate) is_silent: bool,
    /// What it was told went wrong.
    pub(crate) refusals: Vec<(Option<Code>, String)>,
}

/// The bus.
pub(crate) struct Bus {
    broker: Broker,
    listener: UnixListener,
    connections: Vec<Connection>,
    player: Player,
    start: Instant,
    /// By how much the clock on the wall is wrong.
    skew_ms: i64,
    pub(crate) seen: Seen,
}

impl Bus {
    /// A bus whose socket is at this path.
    pub(crate) fn start(socket: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        let limits = Limits {
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            queue_messages_max: QUEUE_MESSAGES_MAX,
            // Everybody gets bytes: there is nobody to hand memory over for.
            descriptors_total_max: 0,
            ..Limits::default()
        };
        let mut broker = Broker::new(limits.sane(), 1);
        let start = Instant::now();
        let now = at(start, 0);
        broker.announce_ready(now, env!("CARGO_PKG_VERSION"), std::process::id());
        let id = broker.connect(now).map_err(io::Error::other)?;
        let player = Player::new(id);
        let (connections, seen) = (Vec::new(), Seen::default());
        Ok(Self { broker, listener, connections, player, start, skew_ms: 0, seen })
    }

    /// Takes whoever shows this token for a service with these rights.
    pub(crate) fn expect(&mut self, token: Token, rights: Rights) {
        self.broker.expect_service(token, rights, None);
    }

    /// Sets the clock on the wall forth or back.
    pub(crate) fn set_clock(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// Says goodbye to everybody.
    pub(crate) fn say_goodbye(&mut self) -> io::Result<()> {
        self.broker.shut_down();
        self.perform()
    }

    /// Asks the program for a sign of life. Whether it could be asked: it has to have subscribed to
    /// its heartbeat, and to have room for the question.
    pub(crate) fn ask_heartbeat(&mut self, limit_ms: u64) -> io::Result<bool> {
        let Some(service) = self.seen.service else { return Ok(false) };
        let now = self.now();
        let is_asked = self.broker.ask_heartbeat(now, service, limit_ms);
        self.perform()?;
        Ok(is_asked)
    }

    /// Messages that were dropped because the program did not read them.
    pub(crate) fn lost(&self) -> u64 {
        self.usage(|usage| usage.dropped)
    }

    /// What the program was refused for want of a grant, or because of what it said.
    pub(crate) fn refused(&self) -> u64 {
        self.usage(|usage| usage.refused)
    }

    /// The program's subscriptions.
    pub(crate) fn subscriptions(&self) -> usize {
        let usage = self.seen.service.and_then(|service| self.broker.usage(service));
        usage.map(|usage| usage.subscriptions).unwrap_or_default()
    }

    fn usage(&self, of: impl Fn(kith_core::Usage) -> u64) -> u64 {
        let usage = self.seen.service.and_then(|service| self.broker.usage(service));
        usage.map(of).unwrap_or_default()
    }

    /// Says a line as the kit's own client.
    pub(crate) fn say(&mut self, line: serde_json::Value) -> io::Result<()> {
        let now = self.now();
        self.player.say(&mut self.broker, now, line);
        self.perform()
    }

    /// Whether the program has asked something that the kit's own client could answer.
    pub(crate) fn has_request(&self) -> bool {
        self.player.has_request()
    }

    /// The next request of the program's that the kit's own client was asked.
    pub(crate) fn take_request(&mut self) -> Option<String> {
        self.player.take_request()
    }

    /// Says this on a reserved topic, in place of the daemon and of other services.
    pub(crate) fn announce(&mut self, topic: &str, json: &str) -> io::Result<()> {
        let now = self.now();
        self.broker.announce_contract(now, topic, || json.to_owned());
        self.perform()
    }

    /// Delivers what would come from another person.
    pub(crate) fn deliver(&mut self, inbound: &Inbound<'_>) -> io::Result<()> {
        let now = self.now();
        // What can't be delivered is not what is tried.
        let _ = self.broker.deliver_inbound(now, inbound);
        self.perform()
    }

    /// Waits for something to happen on a socket or with the program, not longer than this, and
    /// does what follows. Whether the program has ended.
    pub(crate) fn turn(
        &mut self,
        longest: Duration,
        program: Option<BorrowedFd<'_>>,
    ) -> io::Result<bool> {
        self.perform()?;
        let (events, has_ended) = self.look(longest, program)?;
        let (listener, connections) = events.split_first().unwrap_or((&false, &[]));
        let now = self.now();
        for (connection, is_ready) in self.connections.iter_mut().zip(connections) {
            if *is_ready {
                connection.read(&mut self.broker, now, &mut self.seen.refusals)?;
            }
        }
        if *listener {
            self.accept()?;
        }
        if self.broker.poll_timeout().is_some_and(|due| due <= now.monotonic_ms) {
            self.broker.handle_timeout(now);
        }
        self.perform()?;
        Ok(has_ended)
    }

    /// Whether there is something for the listener and for each connection, and whether the program
    /// has ended.
    fn look(
        &self,
        longest: Duration,
        program: Option<BorrowedFd<'_>>,
    ) -> io::Result<(Vec<bool>, bool)> {
        let mut descriptors = vec![PollFd::new(&self.listener, PollFlags::IN)];
        for connection in &self.connections {
            descriptors.push(PollFd::new(connection.stream(), connection.wanted(&self.broker)));
        }
        descriptors.extend(program.as_ref().map(|watched| PollFd::new(watched, PollFlags::IN)));
        let longest = longest.min(Duration::from_millis(LOOK_MS));
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or_default(),
            tv_nsec: longest.subsec_nanos().into(),
        };
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut events: Vec<bool> =
            descriptors.iter().map(|one| !one.revents().is_empty()).collect();
        let has_ended = if program.is_some() { events.pop().unwrap_or_default() } else { false };
        Ok((events, has_ended))
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.seen.connections += 1;
                    let id = self.broker.connect(self.now()).map_err(io::Error::other)?;
                    self.connections.push(Connection::new(stream, Session::new(id)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Does what the broker wants done.
    fn perform(&mut self) -> io::Result<()> {
        let now = self.now();
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Flush(id) if id == self.player.client() => {
                    self.player.hear(&mut self.broker, now);
                }
                Output::Flush(id) => {
                    if let Some(connection) = self.connections.iter_mut().find(|one| one.is(id)) {
                        connection.write(&mut self.broker, now, &mut self.seen.refusals)?;
                    }
                }
                Output::Notice => self.take_notices(),
                _ => {}
            }
        }
        self.seen.refusals.truncate(REFUSALS_KEPT_MAX);
        let broker = &mut self.broker;
        self.connections.retain(|connection| {
            let is_over = connection.is_over(broker);
            if is_over {
                broker.disconnect(now, connection.client(), "closed");
            }
            !is_over
        });
        Ok(())
    }

    fn take_notices(&mut self) {
        while let Some(notice) = self.broker.poll_notice() {
            match notice {
                Notice::Entered { client, .. } => {
                    self.seen.has_entered = true;
                    self.seen.service = Some(client);
                }
                Notice::Left { .. } => self.seen.service = None,
                Notice::Alive(_) => self.seen.answered += 1,
                Notice::Silent(_) => self.seen.is_silent = true,
                _ => {}
            }
        }
    }

    fn now(&self) -> Now {
        at(self.start, self.skew_ms)
    }
}

/// This moment, on a clock that is wrong by so much.
fn at(start: Instant, skew_ms: i64) -> Now {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { monotonic_ms: ms(start.elapsed()), unix_ms: ms(unix).saturating_add_signed(skew_ms) }
}
