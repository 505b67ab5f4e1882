//! What is on its way to a program: messages that wait, and how it is found out that it reads them.
//!
//! No more is sent than there is room for on the way (`window.rs`). One frame of the broker's may
//! be thousands of messages on D-Bus; those that there is no room for wait here, and nothing more
//! is read meanwhile. A program that is waiting for an answer gets what stands before it.

use super::session::Session;
use super::window::Window;
use crate::limits::{
    DBUS_DOUBT_MAX, DBUS_DOUBT_MIN, DBUS_MESSAGE_OVERHEAD_BYTES, DBUS_MESSAGES_PER_SEND_MAX,
    DBUS_READ_BYTES,
};
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;
use zbus::Message;
use zbus::names::UniqueName;

/// What is on its way to a program.
#[derive(Debug)]
pub(super) struct Sending {
    window: Window,
    output: VecDeque<Outgoing>,
    /// How many of those are answers.
    answers: usize,
    /// The bytes of all.
    output_bytes: usize,
    /// When the session bus is asked about the program, and how long that waits the next time.
    doubt_at: Option<Instant>,
    doubt: Duration,
}

#[derive(Debug)]
struct Outgoing {
    message: Message,
    is_answer: bool,
    /// Bytes that are in a descriptor.
    payload_bytes: u64,
}

impl Sending {
    pub(super) fn new() -> Self {
        Self {
            window: Window::default(),
            output: VecDeque::new(),
            answers: 0,
            output_bytes: 0,
            doubt_at: None,
            doubt: DBUS_DOUBT_MIN,
        }
    }

    /// Puts a message behind those that wait; so many bytes of it are in a descriptor.
    pub(super) fn push(&mut self, message: Message, is_answer: bool, payload_bytes: u64) {
        self.answers += usize::from(is_answer);
        self.output_bytes += message.data().len();
        self.output.push_back(Outgoing { message, is_answer, payload_bytes });
    }

    /// Whether calls may be taken up, which may fail at once and be answered so.
    pub(super) fn takes_calls(&self) -> bool {
        self.output_bytes < DBUS_READ_BYTES
    }

    /// The program has answered the question with this serial.
    pub(super) fn confirm(&mut self, serial: NonZeroU32) {
        self.window.confirm(serial);
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Forgets what waits: there is nobody to send it to.
    pub(super) fn clear(&mut self) {
        self.output.clear();
        self.output_bytes = 0;
        self.answers = 0;
    }

    /// Whether more may be made: nothing waits, and there is room on the way, or an answer is
    /// waited for, before which there may be messages.
    pub(super) fn takes_more(&self, waits_for_answer: bool) -> bool {
        self.output.is_empty() && self.has_room(waits_for_answer)
    }

    /// When the session bus is to be asked about the program, if it is.
    pub(super) fn doubt_at(&self) -> Option<Instant> {
        self.doubt_at
    }

    /// Sends what there is room for, and asks the program whether it reads.
    pub(super) async fn send(
        &mut self,
        session: &Session,
        name: &UniqueName<'_>,
    ) -> io::Result<()> {
        while !self.output.is_empty() && self.has_room(self.answers > 0) {
            let mut batch = Vec::new();
            while batch.len() < DBUS_MESSAGES_PER_SEND_MAX
                && self.has_room(self.answers > 0)
                && let Some(Outgoing { message, is_answer, payload_bytes }) =
                    self.output.pop_front()
            {
                self.answers -= usize::from(is_answer);
                let bytes = message.data().len();
                self.output_bytes -= bytes;
                self.window.send((bytes + DBUS_MESSAGE_OVERHEAD_BYTES) as u64, payload_bytes);
                batch.push(message);
            }
            if self.window.wants_question() {
                let question = Session::question(name).map_err(io::Error::other)?;
                self.window.ask(question.primary_header().serial_num());
                batch.push(question);
            }
            session.send_all(&batch).await?;
            session.breath().pause();
        }
        self.watch();
        Ok(())
    }

    /// Asks the session bus how much waits for the program.
    pub(super) async fn ask_session(&mut self, session: &Session, name: &UniqueName<'_>) {
        let waiting = session.waiting_bytes(name).await;
        self.window.reveal(waiting);
        self.doubt_at = None;
        self.doubt = match (waiting, self.window.is_open()) {
            // Its library never answers, and it does read: there is nothing to wait for.
            (Some(_), true) => Duration::ZERO,
            (None, true) => DBUS_DOUBT_MIN,
            (_, false) => (self.doubt * 2).clamp(DBUS_DOUBT_MIN / 64, DBUS_DOUBT_MAX),
        };
    }

    fn has_room(&self, for_answer: bool) -> bool {
        self.window.is_open() || for_answer && self.window.takes_answers()
    }

    /// Sees to it that a program which doesn't answer is asked about.
    fn watch(&mut self) {
        if self.window.is_open() {
            self.doubt_at = None;
        } else if self.doubt_at.is_none() {
            self.doubt_at = Instant::now().checked_add(self.doubt);
        }
    }
}
