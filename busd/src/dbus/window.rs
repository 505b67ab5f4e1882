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

use crate::limits::{
    DBUS_ANSWERS_BYTES_MAX, DBUS_ANSWERS_PAYLOADS_BYTES_MAX, DBUS_PING_BYTES,
    DBUS_WINDOW_BYTES_MAX, DBUS_WINDOW_PAYLOADS_BYTES_MAX,
};
use std::num::NonZeroU32;

/// What is on the way to a program, in bytes.
#[derive(Debug, Default)]
pub(super) struct Window {
    sent: Amount,
    confirmed: Amount,
    /// The question that waits: its serial, and what had been sent before it.
    asked: Option<(NonZeroU32, Amount)>,
    /// What had been sent when the last question was.
    asked_at: Amount,
    has_answered: bool,
}

/// Bytes of messages, and of payloads in descriptors that go with them.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    messages: u64,
    payloads: u64,
}

impl Window {
    /// Takes note that a message of so many bytes was sent, and so many in a descriptor.
    pub(super) fn send(&mut self, message: u64, payload: u64) {
        self.sent.messages = self.sent.messages.saturating_add(message);
        self.sent.payloads = self.sent.payloads.saturating_add(payload);
    }

    /// Whether messages may be sent.
    pub(super) fn is_open(&self) -> bool {
        let Amount { messages, payloads } = self.on_the_way();
        messages < DBUS_WINDOW_BYTES_MAX && payloads < DBUS_WINDOW_PAYLOADS_BYTES_MAX
    }

    /// Whether answers may be sent.
    pub(super) fn takes_answers(&self) -> bool {
        let Amount { messages, payloads } = self.on_the_way();
        messages < DBUS_ANSWERS_BYTES_MAX && payloads < DBUS_ANSWERS_PAYLOADS_BYTES_MAX
    }

    /// Whether the program should be asked.
    pub(super) fn wants_question(&self) -> bool {
        self.asked.is_none()
            && (DBUS_PING_BYTES <= self.sent.messages - self.asked_at.messages
                || self.sent.payloads > self.asked_at.payloads)
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
        self.has_read(sent);
        true
    }

    /// The session bus says that so many bytes wait for the program, or can't say it. Then a
    /// program that has never answered anything gets the benefit of the doubt, once in a while; one
    /// that has does not.
    pub(super) fn reveal(&mut self, waiting: Option<u64>) {
        match waiting {
            Some(0) => self.has_read(self.sent),
            // It does not count what is in descriptors.
            Some(waiting) => {
                let messages = self.sent.messages.saturating_sub(waiting);
                self.has_read(Amount { messages, ..self.confirmed });
            }
            None if !self.has_answered => self.has_read(self.sent),
            None => {}
        }
    }

    fn has_read(&mut self, read: Amount) {
        self.confirmed.messages = self.confirmed.messages.max(read.messages);
        self.confirmed.payloads = self.confirmed.payloads.max(read.payloads);
    }

    fn on_the_way(&self) -> Amount {
        Amount {
            messages: self.sent.messages - self.confirmed.messages,
            payloads: self.sent.payloads - self.confirmed.payloads,
        }
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
        window.send(DBUS_PING_BYTES, 0);
        assert!(window.wants_question());
        window.ask(serial(7));
        window.send(WINDOW, 0);
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
        window.send(DBUS_ANSWERS_BYTES_MAX - 1, 0);
        assert!(!window.is_open() && window.takes_answers());
        window.send(1, 0);
        assert!(!window.takes_answers());
    }

    #[test]
    fn payloads_in_descriptors_are_asked_about_at_once_and_waited_for() {
        let mut window = Window::default();
        window.send(700, DBUS_WINDOW_PAYLOADS_BYTES_MAX);
        assert!(!window.is_open() && window.takes_answers() && window.wants_question());
        window.ask(serial(1));
        // The session bus does not count them.
        window.reveal(Some(1));
        assert!(!window.is_open());
        assert!(window.confirm(serial(1)));
        assert!(window.is_open() && !window.wants_question());
        window.send(700, DBUS_WINDOW_PAYLOADS_BYTES_MAX);
        window.reveal(Some(0));
        assert!(window.is_open());
    }

    #[test]
    fn the_session_bus_may_know_better() {
        let mut window = Window::default();
        window.send(2 * WINDOW, 0);
        window.ask(serial(1));
        window.reveal(Some(2 * WINDOW));
        assert!(!window.is_open());
        window.reveal(Some(10));
        assert!(window.is_open());
        // More may wait than was sent: others send too.
        window.reveal(Some(u64::MAX));
        window.send(WINDOW, 0);
        window.reveal(None);
        assert!(window.is_open(), "it has never answered, so it may be unable to");
        assert!(window.confirm(serial(1)));
        window.send(WINDOW, 0);
        window.reveal(None);
        assert!(!window.is_open(), "it does answer, when it reads");
    }
}
