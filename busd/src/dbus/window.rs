//! How much may be on the way to a program.
//!
//! A sender on D-Bus is never made to wait for a receiver: what that does not read fills the
//! session bus's memory, or its quota. So the daemon counts what it has sent to each program, and
//! asks it now and then for a sign of life that comes behind all of it
//! (`org.freedesktop.DBus.Peer.Ping`, which libraries answer by themselves). What is sent and not
//! confirmed is on the way; while that is a window's worth, nothing more is taken from the broker,
//! whose bounded queue then does what it does for every slow reader.
//!
//! Answers go a little further than messages: a program that waits for one reads the bus, but its
//! library may not answer anything else until then.
//!
//! Deliberately absent: the clock, and the asking itself.

use crate::limits::{DBUS_ANSWERS_BYTES_MAX, DBUS_PING_BYTES, DBUS_WINDOW_BYTES_MAX};
use std::num::NonZeroU32;

/// What is on the way to a program, in bytes.
#[derive(Debug, Default)]
pub(super) struct Window {
    sent: u64,
    confirmed: u64,
    /// The question that waits: its serial, and what had been sent before it.
    asked: Option<(NonZeroU32, u64)>,
    /// What had been sent when the last question was.
    asked_at: u64,
    has_answered: bool,
}

impl Window {
    /// Takes note that so many bytes were sent.
    pub(super) fn send(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
    }

    /// Whether messages may be sent.
    pub(super) fn is_open(&self) -> bool {
        self.on_the_way() < DBUS_WINDOW_BYTES_MAX
    }

    /// Whether answers may be sent.
    pub(super) fn takes_answers(&self) -> bool {
        self.on_the_way() < DBUS_ANSWERS_BYTES_MAX
    }

    /// Whether the program should be asked.
    pub(super) fn wants_question(&self) -> bool {
        self.asked.is_none() && DBUS_PING_BYTES <= self.sent - self.asked_at
    }

    /// Takes note that it was, under this serial.
    pub(super) fn ask(&mut self, serial: NonZeroU32) {
        self.asked = Some((serial, self.sent));
        self.asked_at = self.sent;
    }

    /// Takes note of an answer to a question; whether it was one.
    pub(super) fn confirm(&mut self, serial: NonZeroU32) -> bool {
        let Some((asked, sent)) = self.asked else { return false };
        if asked != serial {
            return false;
        }
        self.asked = None;
        self.has_answered = true;
        self.confirmed = self.confirmed.max(sent);
        true
    }

    /// The session bus says that so many bytes wait for the program, or can't say it. Then a
    /// program that has never answered anything gets the benefit of the doubt, once in a while; one
    /// that has does not.
    pub(super) fn reveal(&mut self, waiting: Option<u64>) {
        let read = match waiting {
            Some(waiting) => self.sent.saturating_sub(waiting),
            None if !self.has_answered => self.sent,
            None => 0,
        };
        self.confirmed = self.confirmed.max(read);
    }

    fn on_the_way(&self) -> u64 {
        self.sent - self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = DBUS_WINDOW_BYTES_MAX;

    fn serial(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn it_closes_when_full_and_opens_with_the_answer_to_what_was_asked() {
        let mut window = Window::default();
        assert!(window.is_open() && !window.wants_question());
        window.send(DBUS_PING_BYTES);
        assert!(window.wants_question());
        window.ask(serial(7));
        window.send(WINDOW);
        assert!(!window.is_open() && window.takes_answers());
        assert!(!window.wants_question(), "one question at a time");
        assert!(!window.confirm(serial(8)));
        assert!(window.confirm(serial(7)));
        assert!(!window.is_open(), "a window's worth came behind the question");
        assert!(window.wants_question());
        window.ask(serial(9));
        assert!(window.confirm(serial(9)));
        assert!(window.is_open() && !window.wants_question());
        assert!(!window.confirm(serial(9)));
    }

    #[test]
    fn answers_go_further_and_not_without_end() {
        let mut window = Window::default();
        window.send(DBUS_ANSWERS_BYTES_MAX - 1);
        assert!(!window.is_open() && window.takes_answers());
        window.send(1);
        assert!(!window.takes_answers());
    }

    #[test]
    fn the_session_bus_may_know_better() {
        let mut window = Window::default();
        window.send(2 * WINDOW);
        window.ask(serial(1));
        window.reveal(Some(2 * WINDOW));
        assert!(!window.is_open());
        window.reveal(Some(10));
        assert!(window.is_open());
        // More may wait than was sent: others send too.
        window.reveal(Some(u64::MAX));
        window.send(WINDOW);
        window.reveal(None);
        assert!(window.is_open(), "it has never answered, so it may be unable to");
        assert!(window.confirm(serial(1)));
        window.send(WINDOW);
        window.reveal(None);
        assert!(!window.is_open(), "it does answer, when it reads");
    }
}
