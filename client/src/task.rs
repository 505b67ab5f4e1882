//! The task that owns the socket: it reads, writes, waits and connects, and decides little.
//!
//! One such task serves a [`Client`](crate::Client) and all its clones. It hands commands and bytes
//! to the [`Session`], performs what comes out, and awaits in one place at a time: for the clock,
//! the socket or the mailbox, whichever comes first. They are looked at in an order that no chance
//! decides, so that on one thread with a paused clock the same inputs have the same outcome. A
//! large read is followed by a pause in which the tasks that receive can run.
//!
//! Deliberately absent: a heartbeat. A Unix socket tells at once when its other end is gone; a
//! daemon that hangs shows in the requests that it doesn't answer.

use crate::backoff::Backoff;
use crate::descriptors::Taking;
use crate::feed::Feed;
use crate::limits::{CLOSE_MS, GREETING_MS, READ_BYTES, READ_YIELD_BYTES};
use crate::link::{Either, Link, either};
use crate::mailbox::{Mailbox, Waiter};
use crate::publish::new_uuid;
use crate::session::{Command, Output, Session};
use crate::{BackgroundError, Loss, Reconnect};
use kith_sealed::is_too_many;
use kith_wire::binary::frame::whole_bytes;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{broadcast, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

/// What the task shares with those who ask.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mailbox: Mailbox,
    /// As the daemon said last.
    pub(crate) payload_bytes_max: AtomicUsize,
}

/// The task, before it runs.
#[derive(Debug)]
pub(crate) struct Task {
    /// Where to connect again.
    path: PathBuf,
    reconnect: Reconnect,
    session: Session<Waiter, Arc<Feed>>,
    shared: Arc<Shared>,
    errors: broadcast::Sender<BackgroundError>,
    /// Told once how the first connection came out.
    first: Option<oneshot::Sender<Result<(), Loss>>>,
    /// Whether the daemon has answered the greeting of this connection.
    is_greeted: bool,
    /// Until when a goodbye may take, once one was said or nobody is left.
    leaving_until: Option<Instant>,
}

/// What [`Task::converse`] was woken by.
enum Happened {
    Asked,
    Read(io::Result<usize>),
    Time,
    Written(io::Result<usize>),
}

impl Task {
    pub(crate) fn new(
        path: PathBuf,
        reconnect: Reconnect,
        session: Session<Waiter, Arc<Feed>>,
        shared: Arc<Shared>,
        errors: broadcast::Sender<BackgroundError>,
        first: oneshot::Sender<Result<(), Loss>>,
    ) -> Self {
        let first = Some(first);
        let (is_greeted, leaving_until) = (false, None);
        Self { path, reconnect, session, shared, errors, first, is_greeted, leaving_until }
    }

    /// Serves until the connection is closed, abandoned, or lost for good.
    pub(crate) async fn run(mut self, link: Link) {
        let mut backoff = Backoff::new();
        let mut link = Some(link);
        loop {
            let loss = match link.take() {
                Some(link) => {
                    let begin = Instant::now();
                    let loss = self.converse(link).await;
                    backoff.lasted(begin.elapsed());
                    self.session.loss(loss)
                }
                None => Loss::NotConnected,
            };
            let is_last = self.first.is_some()
                || self.leaving_until.is_some()
                || self.reconnect == Reconnect::Never
                || loss.is_final();
            if is_last {
                return self.end(&loss);
            }
            self.session.lost(&loss);
            let wait = backoff.next(random());
            if self.wait(Instant::now() + wait).await.is_err() {
                return self.end(&Loss::Closed);
            }
            // A daemon that is not there yet is what the next wait is for.
            link = UnixStream::connect(&self.path).await.ok().map(Link::Socket);
        }
    }

    /// Waits before connecting again, and meanwhile takes what is asked.
    ///
    /// # Errors
    /// If the client was closed or abandoned.
    async fn wait(&mut self, until: Instant) -> Result<(), Loss> {
        loop {
            self.take_asked();
            self.perform();
            if self.leaving_until.is_some() || self.shared.mailbox.is_abandoned() {
                return Err(Loss::Closed);
            }
            tokio::select! {
                biased;
                () = self.shared.mailbox.asked() => {}
                () = sleep_until(until) => return Ok(()),
            }
        }
    }

    /// Serves one connection until it ends, and says why the socket did.
    async fn converse(&mut self, mut link: Link) -> Loss {
        let (mut reader, mut writer) = link.halves();
        let mut taking = self.session.takes_descriptors().then(Taking::new);
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let mut wakeup = std::pin::pin!(sleep_until(Instant::now()));
        let greeting_until = after(GREETING_MS);
        // Set when writing has failed: there may still be something to read, such as the reason.
        let mut deaf_until = None;
        // Then it is writing's turn.
        let mut has_read = true;
        self.is_greeted = false;
        self.session.connected();
        loop {
            self.take_asked();
            self.perform();
            let is_written = self.session.unwritten().is_empty();
            let has_output = !is_written && deaf_until.is_none();
            if self.is_left_alone() && is_written {
                // The daemon reads on to here; then it closes.
                writer.shutdown().await;
            }
            if self.leaving_until.is_some() && !self.is_greeted {
                return Loss::Closed;
            }
            let greeting_until = (!self.is_greeted).then_some(greeting_until);
            let deadline = earliest([greeting_until, self.leaving_until, deaf_until]);
            let timeout = self.set(wakeup.as_mut(), deadline);
            let sealed = self.session.unwritten_sealed();
            let unwritten = self.session.unwritten();
            let reading = reader.read(&mut taking, &mut buffer);
            let writing = async {
                if has_output { writer.write(unwritten, &sealed).await } else { pending().await }
            };
            let happened = tokio::select! {
                biased;
                () = wakeup.as_mut(), if timeout.is_some() => Happened::Time,
                done = either(reading, writing, has_read) => match done {
                    Either::First(read) => Happened::Read(read),
                    Either::Second(written) => Happened::Written(written),
                },
                // Last: what was asked is taken after whatever happened.
                () = self.shared.mailbox.asked() => Happened::Asked,
            };
            has_read = matches!(happened, Happened::Read(_));
            let now = Instant::now();
            match happened {
                Happened::Asked => {}
                Happened::Read(Ok(0)) => return Loss::HungUp,
                Happened::Read(Ok(bytes)) => {
                    let arrived = taking.iter_mut().flat_map(Taking::arrived);
                    arrived.for_each(|one| self.session.hand_over(one));
                    if let Err(loss) = self.receive(now, &mut buffer) {
                        return loss;
                    }
                    if bytes >= READ_YIELD_BYTES {
                        self.perform();
                        tokio::task::yield_now().await;
                    }
                }
                Happened::Read(Err(error)) => return Loss::from_io(&error),
                Happened::Time if deadline.is_some_and(|deadline| deadline <= now) => {
                    return Loss::Silent;
                }
                Happened::Time => self.session.tick(now.into_std()),
                Happened::Written(Ok(bytes)) => self.session.written(bytes),
                Happened::Written(Err(error)) if is_too_many(&error) => self.session.copy_sealed(),
                Happened::Written(Err(_)) => deaf_until = Some(after(CLOSE_MS)),
            }
        }
    }

    /// Has it wake at the deadline, or earlier if the session has something to do. When that is.
    fn set(&self, wakeup: Pin<&mut Sleep>, deadline: Option<Instant>) -> Option<Instant> {
        let session_until = self.session.poll_timeout().map(Instant::from_std);
        let timeout = earliest([deadline, session_until]);
        if let Some(timeout) = timeout
            && timeout != wakeup.deadline()
        {
            wakeup.reset(timeout);
        }
        timeout
    }

    /// Hands everything that was asked to the session. A goodbye is said after everything else.
    fn take_asked(&mut self) {
        let mut commands = self.shared.mailbox.take();
        if commands.iter().any(|command| matches!(command, Command::Close { .. })) {
            commands.extend(self.shared.mailbox.close(&Loss::Closed));
            commands.sort_by_key(|command| matches!(command, Command::Close { .. }));
            self.leaving_until = Some(after(CLOSE_MS));
        }
        let now = Instant::now().into_std();
        for command in commands {
            self.session.command(now, command);
        }
    }

    /// Whether nobody is left to ask for anything. Then what was asked is still sent, for a while.
    fn is_left_alone(&mut self) -> bool {
        let is_abandoned = self.shared.mailbox.is_abandoned();
        if is_abandoned && self.leaving_until.is_none() {
            self.leaving_until = Some(after(CLOSE_MS));
        }
        is_abandoned
    }

    /// Hands what was read to the session, and makes room for more.
    ///
    /// # Errors
    /// If the connection can't go on.
    fn receive(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Result<(), Loss> {
        let used = self.session.receive(now.into_std(), buffer)?;
        buffer.drain(..used);
        let frame_bytes = if self.is_greeted { whole_bytes(buffer).unwrap_or(0) } else { 0 };
        let wanted = frame_bytes.max(READ_BYTES);
        if buffer.is_empty() && buffer.capacity() > READ_BYTES {
            buffer.shrink_to(READ_BYTES);
        } else if buffer.capacity() < wanted {
            buffer.reserve_exact(wanted - buffer.len());
        }
        Ok(())
    }

    /// Does what the session wants done.
    fn perform(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Acknowledged(count) => self.shared.mailbox.acknowledged(count),
                Output::Answer(waiter, result) => waiter.answer(result),
                // Nobody listens: then nobody is told.
                Output::Background(error) => drop(self.errors.send(error)),
                Output::Deliver { to, items, .. } => to.deliver(items),
                Output::Ended { to, reason } => to.end(reason),
                Output::Free(bytes) => self.shared.mailbox.free(bytes),
                Output::Welcome { payload_bytes_max } => {
                    self.is_greeted = true;
                    self.shared.payload_bytes_max.store(payload_bytes_max, Ordering::Relaxed);
                    if let Some(first) = self.first.take() {
                        let _ = first.send(Ok(()));
                    }
                }
            }
        }
    }

    /// Ends everything, for this reason.
    fn end(&mut self, loss: &Loss) {
        let now = Instant::now().into_std();
        for command in self.shared.mailbox.close(loss) {
            self.session.command(now, command);
        }
        self.session.finish(loss);
        self.perform();
        if let Some(first) = self.first.take() {
            let _ = first.send(Err(loss.clone()));
        }
    }
}

impl Drop for Task {
    /// Also where the runtime goes away under a client that goes on living.
    fn drop(&mut self) {
        self.end(&Loss::Closed);
    }
}

fn after(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

fn earliest<const N: usize>(moments: [Option<Instant>; N]) -> Option<Instant> {
    moments.into_iter().flatten().min()
}

fn random() -> u64 {
    let [a, b, c, d, e, f, ..] = new_uuid();
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}
