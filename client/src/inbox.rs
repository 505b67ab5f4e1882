//! What waits for one subscription to be read: a bounded queue, and the account of what is missing.
//!
//! It does for one subscription what the daemon does for a connection: while it is full the newest
//! messages are dropped and counted, and as soon as there is room a lag notice with the exact count
//! stands in the stream where they would have stood. So a subscription that nobody reads costs
//! bounded memory, and never holds up answers or other subscriptions of its connection.
//!
//! Deliberately absent: locks and wakers (they are in `feed.rs`), so that every count can be
//! tested.

use crate::limits::{INBOX_BYTES_MAX, INBOX_MESSAGES_MAX};
use crate::{Message, SubscribeError};
use std::collections::VecDeque;

/// What a subscription receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Message(Message),
    /// Messages were dropped here because they were not read fast enough: by the daemon, or by this
    /// library because the program doesn't poll the subscription.
    Lag {
        /// Exactly how many.
        count: u64,
    },
    /// The connection was lost and is back. Messages that were published in between, or shortly
    /// before it was lost, may be missing; nobody knows how many. What comes from here on is
    /// complete again. A durable subscription misses nothing, and has none.
    Gap,
}

/// The queue of one subscription.
#[derive(Debug)]
pub(crate) struct Inbox {
    items: VecDeque<Incoming>,
    /// Of the messages in it.
    bytes: usize,
    /// Dropped since it became full; their notice comes when there is room.
    dropped: u64,
    /// Whether a gap came while messages were being dropped.
    gap: bool,
    ended: Option<SubscribeError>,
    messages_max: usize,
    bytes_max: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self::with_limits(INBOX_MESSAGES_MAX, INBOX_BYTES_MAX)
    }

    fn with_limits(messages_max: usize, bytes_max: usize) -> Self {
        let items = VecDeque::new();
        Self { items, bytes: 0, dropped: 0, gap: false, ended: None, messages_max, bytes_max }
    }

    /// Puts one in, or counts it as dropped.
    pub(crate) fn push(&mut self, item: Incoming) {
        match item {
            Incoming::Message(message) => self.message(message),
            Incoming::Lag { count } => {
                self.dropped = self.dropped.saturating_add(count);
                if self.has_room(0) {
                    self.settle();
                }
            }
            Incoming::Gap if self.dropped > 0 => self.gap = true,
            Incoming::Gap if self.items.back() == Some(&Incoming::Gap) => {}
            Incoming::Gap => self.items.push_back(Incoming::Gap),
        }
    }

    fn message(&mut self, message: Message) {
        let bytes = message.bytes();
        if !self.has_room(bytes) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.settle();
        self.bytes += bytes;
        self.items.push_back(Incoming::Message(message));
    }

    /// Whether there is room for a message of this size, and for the notices before it. An empty
    /// queue takes a message of any size.
    fn has_room(&self, bytes: usize) -> bool {
        let notices = if self.dropped > 0 { 2 } else { 0 };
        let fits = self.bytes.saturating_add(bytes) <= self.bytes_max;
        self.items.is_empty() || (fits && self.items.len() + notices < self.messages_max)
    }

    /// Writes down what was dropped, here in the stream.
    fn settle(&mut self) {
        if self.dropped > 0 {
            self.items.push_back(Incoming::Lag { count: self.dropped });
            self.dropped = 0;
        }
        if std::mem::take(&mut self.gap) {
            self.items.push_back(Incoming::Gap);
        }
    }

    /// Nothing comes any more, for this reason. The first reason counts.
    pub(crate) fn end(&mut self, reason: SubscribeError) {
        self.ended.get_or_insert(reason);
    }

    /// Why nothing comes any more, if that is so.
    pub(crate) fn ended(&self) -> Option<&SubscribeError> {
        self.ended.as_ref()
    }

    /// Moves up to `count` of the oldest to `taken`. If nothing is moved, it is empty.
    pub(crate) fn take(&mut self, taken: &mut VecDeque<Incoming>, count: usize) {
        if self.items.len() <= count {
            self.settle();
        }
        let count = count.min(self.items.len());
        for item in self.items.drain(..count) {
            if let Incoming::Message(message) = &item {
                self.bytes -= message.bytes();
            }
            taken.push_back(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::sample;

    fn message(payload: &str) -> Incoming {
        Incoming::Message(sample("a", payload))
    }

    fn take(inbox: &mut Inbox, count: usize) -> Vec<Incoming> {
        let mut taken = VecDeque::new();
        inbox.take(&mut taken, count);
        taken.into()
    }

    #[test]
    fn what_is_dropped_is_counted_where_it_would_have_stood() {
        let mut inbox = Inbox::with_limits(3, 1000);
        for payload in ["1", "2", "3", "4", "5"] {
            inbox.push(message(payload));
        }
        assert_eq!(take(&mut inbox, 1), [message("1")]);
        // Room for one, but the notice needs a place too.
        inbox.push(message("6"));
        assert_eq!(take(&mut inbox, 1), [message("2")]);
        inbox.push(message("7"));
        assert_eq!(take(&mut inbox, 1), [message("3"),]);
        inbox.push(message("8"));
        let lag = Incoming::Lag { count: 4 };
        assert_eq!(take(&mut inbox, 9), [lag, message("8")]);
        assert_eq!(take(&mut inbox, 9), []);
    }

    #[test]
    fn a_queue_that_is_read_empty_tells_what_is_missing_at_its_end() {
        let mut inbox = Inbox::with_limits(2, 1000);
        for payload in ["1", "2", "3"] {
            inbox.push(message(payload));
        }
        let expected = [message("1"), message("2"), Incoming::Lag { count: 1 }];
        assert_eq!(take(&mut inbox, 3), expected[..]);
        assert_eq!(take(&mut inbox, 3), []);
    }

    #[test]
    fn bytes_are_bounded_too_and_one_message_always_fits() {
        let mut inbox = Inbox::with_limits(100, 10);
        inbox.push(message("12345678901"));
        inbox.push(message("1"));
        let expected = [message("12345678901"), Incoming::Lag { count: 1 }];
        assert_eq!(take(&mut inbox, 9), expected);
        for payload in ["12345", "12345", "1"] {
            inbox.push(message(payload));
        }
        let expected = [message("12345"), message("12345"), Incoming::Lag { count: 1 }];
        assert_eq!(take(&mut inbox, 9), expected);
    }

    #[test]
    fn what_the_daemon_dropped_is_added_to_what_was_dropped_here() {
        let mut inbox = Inbox::with_limits(2, 1000);
        inbox.push(message("1"));
        inbox.push(message("2"));
        inbox.push(message("3"));
        inbox.push(Incoming::Lag { count: 5 });
        let expected = [message("1"), message("2"), Incoming::Lag { count: 6 }];
        assert_eq!(take(&mut inbox, 9), expected);
        inbox.push(Incoming::Lag { count: 7 });
        inbox.push(message("4"));
        assert_eq!(take(&mut inbox, 9), [Incoming::Lag { count: 7 }, message("4")]);
    }

    #[test]
    fn gaps_keep_their_place_and_do_not_pile_up() {
        let mut inbox = Inbox::with_limits(2, 1000);
        inbox.push(Incoming::Gap);
        inbox.push(Incoming::Gap);
        inbox.push(message("1"));
        for _ in 0..3 {
            inbox.push(message("2"));
            inbox.push(Incoming::Gap);
        }
        let expected = [Incoming::Gap, message("1"), Incoming::Lag { count: 3 }, Incoming::Gap];
        assert_eq!(take(&mut inbox, 2), expected[..2]);
        assert_eq!(take(&mut inbox, 2), expected[2..]);
    }

    #[test]
    fn nothing_is_lost_without_being_counted() {
        // A fixed walk instead of chance: all that matters is that reads and writes interleave.
        let mut inbox = Inbox::with_limits(5, 40);
        let (mut pushed, mut seen, mut counted) = (0, 0, 0);
        for step in 0..10_000_u64 {
            for _ in 0..step * step % 7 {
                inbox.push(message("12345"));
                pushed += 1;
            }
            let count = usize::try_from(step * 31 % 5).unwrap();
            for item in take(&mut inbox, count) {
                match item {
                    Incoming::Message(_) => seen += 1,
                    Incoming::Lag { count } => counted += count,
                    Incoming::Gap => panic!("no gap was put in"),
                }
            }
            assert!(inbox.items.len() <= 5 + 2, "{}", inbox.items.len());
        }
        loop {
            let rest = take(&mut inbox, 9);
            if rest.is_empty() {
                break;
            }
            for item in rest {
                match item {
                    Incoming::Message(_) => seen += 1,
                    Incoming::Lag { count } => counted += count,
                    Incoming::Gap => panic!("no gap was put in"),
                }
            }
        }
        assert!(counted > 0);
        assert_eq!(pushed, seen + counted);
        assert_eq!(inbox.bytes, 0);
    }
}
